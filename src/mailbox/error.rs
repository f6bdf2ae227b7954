//! What can go wrong with mail, as causes a protocol has a reply for.

use crate::store::{StoreError, Thing};
use std::fmt;

/// A cause. Texts of the store's own failures are for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxError {
    NoSuchMailbox,
    MailboxExists,
    /// INBOX can't be deleted, nothing can be renamed below itself.
    Impossible,
    /// The mailbox is there, and whoever asks may not do this with it.
    NotPermitted,
    /// A use that only one mailbox of an account can have (RFC 6154 section 3).
    SpecialUseTaken,
    NoSuchSpecialUse,
    NoSuchQuotaRoot,
    /// A person or group of rights that is none of ours.
    NoSuchIdentifier,
    OverQuota,
    MessageTooLarge,
    /// A message that was named is gone; RFC 9051 calls it EXPUNGEISSUED.
    MessageGone,
    /// A named limit; which one.
    Limit(&'static str),
    /// What was received could not be kept until it was complete.
    Spool(std::io::ErrorKind),
    Store(StoreError),
}

impl MailboxError {
    /// Whether the same request may succeed later by itself.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Spool(_) => true,
            Self::Store(error) => error.is_temporary(),
            _ => false,
        }
    }
}

impl fmt::Display for MailboxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchMailbox => formatter.write_str("there is no such mailbox"),
            Self::MailboxExists => formatter.write_str("this mailbox exists already"),
            Self::Impossible => formatter.write_str("this can't be done with this mailbox"),
            Self::NotPermitted => formatter.write_str("the rights on this mailbox don't include this"),
            Self::SpecialUseTaken => formatter.write_str("another mailbox has this use"),
            Self::NoSuchSpecialUse => formatter.write_str("there is no such use of a mailbox"),
            Self::NoSuchQuotaRoot => formatter.write_str("there is no such quota root"),
            Self::NoSuchIdentifier => formatter.write_str("nobody here has this name"),
            Self::OverQuota => formatter.write_str("the quota would be exceeded"),
            Self::MessageTooLarge => formatter.write_str("the message is larger than this server takes"),
            Self::MessageGone => formatter.write_str("the message is no longer there"),
            Self::Limit(which) => write!(formatter, "a limit was reached: {which}"),
            Self::Spool(kind) => write!(formatter, "the message could not be kept while it came in: {kind}"),
            Self::Store(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for MailboxError {}

impl From<StoreError> for MailboxError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(Thing::Mailbox) => Self::NoSuchMailbox,
            StoreError::Exists(Thing::Mailbox) => Self::MailboxExists,
            StoreError::InUse(Thing::Mailbox) => Self::Impossible,
            StoreError::Missing(Thing::Body | Thing::Message) => Self::MessageGone,
            StoreError::OverQuota(_) => Self::OverQuota,
            StoreError::Limit(which) => Self::Limit(which),
            other => Self::Store(other),
        }
    }
}

impl From<std::io::Error> for MailboxError {
    fn from(error: std::io::Error) -> Self {
        Self::Spool(error.kind())
    }
}
