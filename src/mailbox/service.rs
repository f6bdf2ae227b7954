//! The service: one per server, shared by all sessions.

use super::open::Registry;
use super::{AccountFeed, Incoming, LargeMessages, MailboxError, News, OpenMailbox, State, incoming};
use crate::store::Store;
use crate::types::limits::MESSAGE_OCTETS_MAX;
use crate::types::{AccountId, ModSeq};
use std::path::Path;
use std::sync::Arc;

/// What an administrator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of one message; also what APPENDLIMIT says.
    pub message_octets_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { message_octets_max: MESSAGE_OCTETS_MAX }
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
        mailbox.state(self.store()).await
    }

    /// What happened in an open mailbox after `since`.
    pub async fn news(&self, mailbox: &OpenMailbox, since: ModSeq) -> Result<News, MailboxError> {
        mailbox.news(self.store(), since).await
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
