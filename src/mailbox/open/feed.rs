//! What happens in all mailboxes of an account, for sessions that asked to be told (RFC 5465).

use crate::store::{Change, Grantee, Touched};
use crate::types::limits::ACCOUNT_FEED_EVENTS;
use crate::types::{AccountId, MailboxId, MailboxName, ModSeq};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::broadcast;

/// One thing that was committed. A hint of what to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEvent {
    pub account: AccountId,
    pub mailbox: Option<MailboxId>,
    pub modseq: ModSeq,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    Messages {
        new: bool,
        flags: bool,
        expunged: bool,
    },
    Created(MailboxName),
    Renamed {
        from: MailboxName,
        to: MailboxName,
    },
    Deleted(MailboxName),
    Subscribed(MailboxName),
    Unsubscribed(MailboxName),
    Metadata(Vec<String>),
    Rights,
    /// More happened than is kept for a session that does not listen: look at everything.
    Missed,
}

/// A session's ear on one account, or on those of others too.
#[derive(Debug)]
pub struct AccountFeed {
    ears: Vec<Ear>,
    /// Heard, and not taken yet.
    heard: VecDeque<AccountEvent>,
}

#[derive(Debug)]
struct Ear {
    account: AccountId,
    events: broadcast::Receiver<AccountEvent>,
}

impl Ear {
    fn missed(&self) -> AccountEvent {
        AccountEvent { account: self.account, mailbox: None, modseq: ModSeq(0), kind: EventKind::Missed }
    }

    /// `None` when the server stops.
    async fn hear(&mut self) -> Option<AccountEvent> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(self.missed()),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl AccountFeed {
    pub fn listens_to(&self, account: AccountId) -> bool {
        self.ears.iter().any(|ear| ear.account == account)
    }

    /// Listens to what the other one does, too.
    pub fn join(&mut self, other: Self) {
        self.ears.extend(other.ears);
        self.heard.extend(other.heard);
    }

    /// Returns when there is an event to take. May be dropped at any time.
    pub async fn heard(&mut self) {
        if !self.heard.is_empty() {
            return;
        }
        let mut hearing: Vec<_> = self.ears.iter_mut().map(|ear| Box::pin(ear.hear())).collect();
        let event = std::future::poll_fn(|context| {
            // One that has ended stays silent; polling it again would be a mistake.
            hearing.retain_mut(|ear| match ear.as_mut().poll(context) {
                Poll::Ready(None) => false,
                Poll::Ready(Some(event)) => {
                    self.heard.push_back(event);
                    false
                }
                Poll::Pending => true,
            });
            if self.heard.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        });
        event.await;
    }

    /// The next event, if there is one.
    pub fn ready(&mut self) -> Option<AccountEvent> {
        if let Some(event) = self.heard.pop_front() {
            return Some(event);
        }
        self.ears.iter_mut().find_map(|ear| match ear.events.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(ear.missed()),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => None,
        })
    }

    /// The next event; waits for it.
    pub async fn next(&mut self) -> Option<AccountEvent> {
        self.heard().await;
        self.ready()
    }
}

/// The accounts somebody listens to.
#[derive(Debug, Default)]
pub(super) struct AccountFeeds(Mutex<HashMap<AccountId, broadcast::Sender<AccountEvent>>>);

impl AccountFeeds {
    pub(super) fn subscribe(&self, accounts: impl IntoIterator<Item = AccountId>) -> AccountFeed {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, sender| sender.receiver_count() > 0);
        let ears = accounts.into_iter().map(|account| {
            let sender = feeds.entry(account).or_insert_with(|| broadcast::Sender::new(ACCOUNT_FEED_EVENTS));
            Ear { account, events: sender.subscribe() }
        });
        AccountFeed { ears: ears.collect(), heard: VecDeque::new() }
    }

    pub(super) fn hear(&self, touched: &Touched) {
        let feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if feeds.is_empty() {
            return;
        }
        let Some(kind) = kind_of(&touched.change) else { return };
        let event = AccountEvent { account: touched.account, mailbox: touched.mailbox, modseq: touched.modseq, kind };
        // Nobody left to hear it is no failure.
        let tell = |sender: &broadcast::Sender<AccountEvent>| drop(sender.send(event.clone()));
        feeds.get(&touched.account).into_iter().for_each(tell);
        // Whoever was given his first right on anything of this account does not listen to it yet.
        match touched.change {
            Change::Rights(Grantee::Account(grantee)) => feeds.get(&grantee).into_iter().for_each(tell),
            Change::Rights(Grantee::Anyone) => {
                feeds.iter().filter(|(account, _)| **account != touched.account).for_each(|(_, sender)| tell(sender));
            }
            _ => {}
        }
    }
}

fn kind_of(change: &Change) -> Option<EventKind> {
    Some(match change {
        // By UID: new ones stand behind all that were there.
        Change::Messages(change) => EventKind::Messages {
            new: change.changed.last().is_some_and(|entry| entry.uid >= change.uidnext_before),
            flags: change.changed.first().is_some_and(|entry| entry.uid < change.uidnext_before),
            expunged: !change.expunged.is_empty(),
        },
        Change::Threads(_) | Change::Quota => return None,
        Change::Created(name) => EventKind::Created(name.clone()),
        Change::Renamed { from, to } => EventKind::Renamed { from: from.clone(), to: to.clone() },
        Change::Deleted(name) => EventKind::Deleted(name.clone()),
        Change::Subscribed(name) => EventKind::Subscribed(name.clone()),
        Change::Unsubscribed(name) => EventKind::Unsubscribed(name.clone()),
        Change::Metadata(entries) => EventKind::Metadata(entries.clone()),
        Change::Rights(_) => EventKind::Rights,
    })
}
