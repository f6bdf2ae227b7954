//! Which mailboxes are open or were lately, and how much of them is in memory.

use super::feed::AccountFeeds;
use super::names::Names;
use super::{AccountFeed, OpenMailbox, mark_used};
use crate::store::{Store, Touched};
use crate::types::limits::MAKE_ROOM_TURNS;
use crate::types::{AccountId, MailboxId, MailboxName};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(in crate::mailbox) struct Registry {
    open: Mutex<HashMap<MailboxId, Arc<OpenMailbox>>>,
    names: Mutex<Names>,
    feeds: AccountFeeds,
    clock: AtomicU64,
    /// Held in memory as of the last count, and read since.
    messages: AtomicUsize,
    turns: AtomicUsize,
}

/// How much may be in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailbox) struct Bounds {
    pub(in crate::mailbox) messages_max: usize,
    /// Mailboxes that no session has open.
    pub(in crate::mailbox) unused_max: usize,
}

/// In the order in which they are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    in_use: bool,
    used: u64,
    id: MailboxId,
    messages: usize,
}

impl Registry {
    /// Hears of every commit of the store from now on.
    pub(in crate::mailbox) fn observing(store: &Store) -> Arc<Self> {
        let registry = Arc::new(Self::default());
        // The store must not keep what keeps the store.
        let ear = Arc::downgrade(&registry);
        store.observe(move |all| {
            if let Some(registry) = ear.upgrade() {
                all.iter().for_each(|touched| registry.hear(touched));
            }
        });
        registry
    }

    fn hear(&self, touched: &Touched) {
        if let Some(id) = touched.mailbox {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
            if let Some(mailbox) = open {
                mailbox.hear(touched);
            }
        }
        self.feeds.hear(touched);
    }

    pub(in crate::mailbox) fn account_feed(&self, accounts: impl IntoIterator<Item = AccountId>) -> AccountFeed {
        self.feeds.subscribe(accounts)
    }

    /// The one shared object of this mailbox. From here on it hears of what happens there.
    pub(in crate::mailbox) fn open(&self, account: AccountId, id: MailboxId) -> Arc<OpenMailbox> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = open.entry(id).or_insert_with(|| Arc::new(OpenMailbox::new(account, id)));
        mark_used(mailbox, now);
        Arc::clone(mailbox)
    }

    /// One's own mailbox by a name that was looked up, if no mailbox has got another name since.
    pub(in crate::mailbox) fn known(
        &self,
        generation: u64,
        owner: AccountId,
        name: &MailboxName,
    ) -> Option<Arc<OpenMailbox>> {
        let id = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(generation, owner, name)?;
        Some(self.open(owner, id))
    }

    /// `generation` was the store's before the name was looked up.
    pub(in crate::mailbox) fn learn(&self, generation: u64, owner: AccountId, name: &MailboxName, id: MailboxId) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).put(generation, owner, name, id);
    }

    /// Somebody asks about its messages.
    pub(in crate::mailbox) fn mark_used(&self, mailbox: &OpenMailbox) {
        mark_used(mailbox, self.clock.fetch_add(1, Ordering::Relaxed));
    }

    /// After so many messages of `except` were read. All open mailboxes are gone through only when there may be too much,
    /// or at every so many calls: ten thousand may be open, and each call would keep the writer waiting.
    pub(in crate::mailbox) fn make_room(&self, except: MailboxId, read: usize, bounds: Bounds) {
        let messages = self.messages.fetch_add(read, Ordering::Relaxed).saturating_add(read);
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        if messages > bounds.messages_max || turn.is_multiple_of(MAKE_ROOM_TURNS) {
            self.forget_oldest(except, bounds);
        }
    }

    /// Forgets what was asked about longest ago until the rest is within bounds. `except` was just read.
    pub(super) fn forget_oldest(&self, except: MailboxId, bounds: Bounds) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is the registry's own.
        let unused = |mailbox: &Arc<OpenMailbox>| Arc::strong_count(mailbox) == 1;
        open.retain(|_, mailbox| !(mailbox.is_gone() && unused(mailbox)));
        let candidate = |(id, mailbox): (&MailboxId, &Arc<OpenMailbox>)| Candidate {
            in_use: !unused(mailbox),
            used: mailbox.used.load(Ordering::Relaxed),
            id: *id,
            messages: mailbox.state_in_memory().map_or(0, |state| state.counters().messages as usize),
        };
        let mut oldest: Vec<Candidate> = open.iter().map(candidate).collect();
        let mut messages: usize = oldest.iter().map(|candidate| candidate.messages).sum();
        let mut unused_count = oldest.iter().filter(|candidate| !candidate.in_use).count();
        let fits = |messages: usize, unused: usize| messages <= bounds.messages_max && unused <= bounds.unused_max;
        if !fits(messages, unused_count) {
            oldest.sort_unstable();
        }
        for Candidate { in_use, id, messages: held, .. } in oldest {
            if fits(messages, unused_count) {
                break;
            }
            // Counted once: it may grow or be read while we are here.
            let Some(mailbox) = open.get(&id).filter(|_| id != except) else { continue };
            messages -= held;
            if in_use {
                mailbox.forget();
            } else {
                unused_count -= 1;
                open.remove(&id);
            }
        }
        self.messages.store(messages, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
