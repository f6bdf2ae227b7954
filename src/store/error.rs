//! What can go wrong when something is remembered, as causes that callers decide by.

use std::fmt;

/// A cause. The text after a variant is for the log and the administrator, never for a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The writer's queue is full or the database is locked by another program: try again.
    Busy,
    /// The disk or the directory's quota is full. Nothing was stored.
    DiskFull,
    /// The directory or the database can't be written.
    ReadOnly(String),
    /// What was named can't be the place of a new file.
    Place(String),
    /// Another process owns the data directory.
    Owned(String),
    /// Written by a newer posthouse; left untouched.
    NewerVersion { found: i64, known: i64 },
    /// The database contradicts itself or can't be read.
    Damaged(String),
    /// An operating-system or engine failure that is none of the above.
    Io(String),
    /// What was to be changed is not there.
    Missing(Thing),
    /// What was to be made is there already.
    Exists(Thing),
    /// Something else still refers to it.
    InUse(Thing),
    /// The directory changed between reading and writing: read again, decide again.
    Changed,
    /// The account's quota would be exceeded.
    OverQuota(crate::types::AccountId),
    /// A named limit of the store was reached.
    Limit(&'static str),
    /// The store is closing or its writer has died.
    Closed,
}

/// What an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Domain,
    Account,
    Address,
    AppPassword,
    Script,
    ScriptVersion,
    Mailbox,
    Message,
    Body,
    Send,
}

impl fmt::Display for Thing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Domain => "domain",
            Self::Account => "account",
            Self::Address => "address",
            Self::AppPassword => "app password",
            Self::Script => "script",
            Self::ScriptVersion => "script version",
            Self::Mailbox => "mailbox",
            Self::Message => "message",
            Self::Body => "body",
            Self::Send => "send",
        })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => write!(formatter, "the store is busy; try again in a moment"),
            Self::DiskFull => write!(formatter, "the disk is full; free some space, nothing was lost"),
            Self::ReadOnly(what) => write!(formatter, "can't write: {what}; check owner and permissions"),
            Self::Place(what) | Self::Owned(what) => write!(formatter, "{what}"),
            Self::NewerVersion { found, known } => write!(
                formatter,
                "the database has version {found}, this posthouse knows versions up to {known}; it was left untouched, \
                 use the newer program"
            ),
            Self::Damaged(what) => write!(formatter, "the database is damaged: {what}"),
            Self::Io(what) => write!(formatter, "the store failed: {what}"),
            Self::Missing(thing) => write!(formatter, "there is no such {thing}"),
            Self::Exists(thing) => write!(formatter, "this {thing} exists already"),
            Self::InUse(thing) => write!(formatter, "this {thing} is still in use"),
            Self::Changed => write!(formatter, "somebody else changed the directory meanwhile; try again"),
            Self::OverQuota(account) => write!(formatter, "account {account} is over its quota"),
            Self::Limit(which) => write!(formatter, "a limit was reached: {which}"),
            Self::Closed => write!(formatter, "the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    /// Whether the same request may succeed later without anybody mending anything by hand.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::DiskFull | Self::ReadOnly(_) | Self::Io(_) | Self::Changed | Self::Closed)
    }
}
