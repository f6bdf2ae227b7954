//! Why somebody was not logged in. The log gets the cause; the peer gets one of two sentences.

use super::hasher::HashError;
use super::sasl::SaslError;
use crate::store::StoreError;
use std::fmt;

/// A cause. Protocols choose their code by it and say [`AuthFailure::for_peer`], never the cause itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// No such name, or not its password. One cause for both, so that nobody can tell them apart by accident.
    WrongCredentials,
    /// Right password, suspended account.
    Suspended,
    /// Right password, but this login may not act for that address.
    NotAuthorized,
    /// Too many wrong passwords from this network or for this name.
    Throttled {
        seconds: i64,
    },
    /// Too many passwords are being checked.
    Busy,
    /// The connection is not encrypted, and this network is not one that may do without.
    EncryptionRequired,
    /// A mechanism that is not offered on this connection.
    MechanismNotOffered,
    /// The exchange itself went wrong.
    Exchange(SaslError),
    /// The account's stored credentials can't be read.
    Damaged,
    Store(StoreError),
    /// No memory, random numbers or threads.
    System,
}

impl AuthFailure {
    /// Whether the same attempt may succeed later without anybody changing anything (SMTP: 454 instead of 535).
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Busy | Self::System => true,
            Self::Store(error) => error.is_temporary(),
            Self::WrongCredentials
            | Self::Suspended
            | Self::NotAuthorized
            | Self::EncryptionRequired
            | Self::MechanismNotOffered
            | Self::Exchange(_)
            | Self::Damaged => false,
        }
    }

    /// What the peer may know. A suspended account looks like a wrong password; what the connection itself lacks may be
    /// said, as it says nothing about any account.
    pub fn for_peer(&self) -> &'static str {
        match self {
            Self::Throttled { .. } | Self::Busy | Self::Store(_) | Self::System => {
                "Login is not possible now, try again later"
            }
            Self::WrongCredentials | Self::Suspended | Self::NotAuthorized | Self::Damaged => "Authentication failed",
            Self::EncryptionRequired => "Encryption is required before login",
            Self::MechanismNotOffered => "This authentication mechanism is not offered here",
            Self::Exchange(_) => "The authentication exchange is malformed",
        }
    }

    /// The word for it in metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong",
            Self::Suspended => "suspended",
            Self::NotAuthorized => "unauthorized",
            Self::Throttled { .. } => "throttled",
            Self::Busy => "busy",
            Self::EncryptionRequired | Self::MechanismNotOffered => "not-offered",
            Self::Exchange(_) => "malformed",
            Self::Damaged | Self::Store(_) | Self::System => "failed",
        }
    }
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongCredentials => formatter.write_str("wrong name or password"),
            Self::Suspended => formatter.write_str("the account is suspended"),
            Self::NotAuthorized => formatter.write_str("this login may not act for the address it asked for"),
            Self::Throttled { seconds } => write!(formatter, "too many wrong passwords; next attempt in {seconds} s"),
            Self::Busy => HashError::Busy.fmt(formatter),
            Self::EncryptionRequired => formatter.write_str("login without encryption"),
            Self::MechanismNotOffered => formatter.write_str("the mechanism is not offered on this connection"),
            Self::Exchange(error) => error.fmt(formatter),
            Self::Damaged => HashError::Stored.fmt(formatter),
            Self::Store(error) => error.fmt(formatter),
            Self::System => HashError::System.fmt(formatter),
        }
    }
}

impl std::error::Error for AuthFailure {}

impl From<StoreError> for AuthFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<HashError> for AuthFailure {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Stored => Self::Damaged,
            HashError::Settings | HashError::System => Self::System,
        }
    }
}
