//! The service: one per server, shared by all sessions.

use super::open::{Bounds, Registry};
use super::{AccountFeed, Head, Incoming, LargeMessages, MailboxError, News, OpenMailbox, State, Told, incoming};
use crate::store::Store;
use crate::types::limits::{
    GATHERINGS_MAX, MESSAGE_OCTETS_MAX, OPEN_MAILBOXES_UNUSED_MAX, OPEN_MESSAGES_MAX, READ_AHEAD_MAX,
    READ_BEFORE_SELECT_MAX,
};
use crate::types::{AccountId, ModSeq, UidSet};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bounds of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of one message; also what APPENDLIMIT says.
    pub message_octets_max: u64,
    /// A mailbox of more messages is read once somebody needs them, and not before.
    pub read_at_once_max: u32,
    /// Messages that are held in memory, of all open mailboxes.
    pub open_messages_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_octets_max: MESSAGE_OCTETS_MAX,
            read_at_once_max: READ_BEFORE_SELECT_MAX,
            open_messages_max: OPEN_MESSAGES_MAX,
        }
    }
}

/// Everybody's mail. Clones share it.
#[derive(Clone)]
pub struct Mailboxes(Arc<Inner>);

struct Inner {
    store: Store,
    settings: Settings,
    incoming_directory: Arc<Path>,
    large_messages: LargeMessages,
    open: Arc<Registry>,
    /// Who reads what nobody needs yet has one of these.
    ahead: Arc<Semaphore>,
    /// Who sorts or threads many messages has one of these.
    gathering: Arc<Semaphore>,
}

impl std::fmt::Debug for Mailboxes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mailboxes").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Mailboxes {
    /// Messages that come in wait in `incoming` below the data directory.
    pub fn new(store: Store, settings: Settings) -> Result<Self, MailboxError> {
        let incoming_directory: Arc<Path> = store.directory_path().join("incoming").into();
        incoming::prepare_directory(&incoming_directory)?;
        Ok(Self(Arc::new(Inner {
            open: Registry::observing(&store),
            store,
            settings,
            incoming_directory,
            large_messages: LargeMessages::start()?,
            ahead: Arc::new(Semaphore::new(READ_AHEAD_MAX)),
            gathering: Arc::new(Semaphore::new(GATHERINGS_MAX)),
        })))
    }

    pub fn settings(&self) -> Settings {
        self.0.settings
    }

    /// A place for a message that is about to come in pieces.
    pub fn incoming(&self) -> Incoming {
        Incoming::new(Arc::clone(&self.0.incoming_directory), self.0.settings.message_octets_max)
    }

    /// Everything that happens in these accounts' mailboxes from now on.
    pub fn account_feed(&self, accounts: impl IntoIterator<Item = AccountId>) -> AccountFeed {
        self.0.open.account_feed(accounts)
    }

    /// The messages of an open mailbox as of now. A session keeps this for a command and not while it is idle.
    pub async fn state(&self, mailbox: &OpenMailbox) -> Result<Arc<State>, MailboxError> {
        self.0.open.mark_used(mailbox);
        if let Some(state) = mailbox.state_in_memory() {
            return Ok(state);
        }
        let read = mailbox.state(self.store()).await;
        self.make_room(mailbox, read.as_ref().map_or(0, |state| state.counters().messages as usize));
        read
    }

    fn make_room(&self, except: &OpenMailbox, read: usize) {
        let bounds = Bounds { messages_max: self.0.settings.open_messages_max, unused_max: OPEN_MAILBOXES_UNUSED_MAX };
        self.0.open.make_room(except.id(), read, bounds);
    }

    /// What SELECT tells. Of a large mailbox that is not in memory this is its record: SELECT would else wait for every
    /// page of messages, which from cold files takes as long as all the rest. That the client will need them is likely,
    /// so reading them begins; not that, but to answer without, is what makes SELECT fast.
    pub async fn head(&self, mailbox: &Arc<OpenMailbox>) -> Result<Head, MailboxError> {
        if let Some(state) = mailbox.state_in_memory() {
            return Ok(Head::of_state(state));
        }
        let record = self.store().mailbox_by_id(mailbox.id()).await?.ok_or(MailboxError::NoSuchMailbox)?;
        if record.messages <= self.0.settings.read_at_once_max {
            return Ok(Head::of_state(self.state(mailbox).await?));
        }
        self.make_room(mailbox, 0);
        self.read_ahead(mailbox);
        Ok(Head::of_record(&record))
    }

    /// Only so many at a time: whoever needs the messages reads them himself if nobody has.
    fn read_ahead(&self, mailbox: &Arc<OpenMailbox>) {
        let Ok(permit) = Arc::clone(&self.0.ahead).try_acquire_owned() else { return };
        let (mailboxes, mailbox) = (self.clone(), Arc::clone(mailbox));
        tokio::spawn(async move {
            if let Err(error) = mailboxes.state(&mailbox).await {
                tracing::warn!(mailbox = %mailbox.id(), %error, "a mailbox could not be read ahead");
            }
            drop(permit);
        });
    }

    /// What happened in an open mailbox after `since`.
    pub async fn news(&self, mailbox: &OpenMailbox, since: ModSeq) -> Result<News, MailboxError> {
        self.state(mailbox).await?;
        mailbox.news(self.store(), since).await
    }

    /// The messages that a client counts since it was told this; `None` if the store can't say any more.
    pub async fn uids_as_told(&self, mailbox: &OpenMailbox, told: Told) -> Result<Option<UidSet>, MailboxError> {
        self.state(mailbox).await?;
        let uids = mailbox.uids_as_told(self.store(), told).await?;
        Ok((uids.count() == u64::from(told.messages)).then_some(uids))
    }

    /// In the order in which they came. Nobody closes it.
    pub(super) async fn gathering(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.gathering).acquire_owned().await.ok()
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.open
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn large_messages(&self) -> &LargeMessages {
        &self.0.large_messages
    }
}
