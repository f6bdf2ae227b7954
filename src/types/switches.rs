//! What an address does: independent switches, each of which can be on, off, or paused with its settings kept.

use super::{Address, Timestamp};
use std::fmt;

/// The switches of one address. All off is an address that does not exist for mail: a black hole if it were accepted.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Switches {
    /// Mail is stored here; the account's own scripts run.
    pub mailbox: bool,
    /// A mask: mail for it is mail for the owner's address. Excludes `mailbox` and `redirection`.
    pub alias: Option<AliasSwitch>,
    pub redirection: Option<RedirectionSwitch>,
    pub responder: Option<Responder>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AliasSwitch {
    pub owner: Address,
    /// A paused alias is refused as if it did not exist, but its settings stay.
    pub paused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RedirectionSwitch {
    /// In the order they were given; no target twice.
    pub targets: Vec<Target>,
    /// Whether the mailbox also keeps the message. Meaningless, and ignored, on an address without a mailbox.
    pub keep: bool,
    pub paused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    pub address: Address,
    /// Set by the server when the target refused persistently; the owner has been told.
    pub paused: bool,
}

/// An automatic answer. *Attached* on an address with a mailbox, *free* on an alias or a virtual address.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Responder {
    pub text: String,
    /// `None`: "Auto: " and the subject of the message answered.
    pub subject: Option<String>,
    /// `None`: permanent.
    pub window: Option<Window>,
    /// The least time between two answers to one sender.
    pub every_seconds: u32,
    pub received: Received,
    pub paused: bool,
}

/// Half open, in UTC: `from <= now < until`. The zone is kept to show the owner his own times.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub zone: ZoneName,
}

/// What becomes of a message that the responder saw.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Received {
    /// As without the responder.
    Keep,
    /// Answered, and not stored.
    Drop,
    /// A free responder has no mailbox; a copy can go to an address of choice.
    CopyTo(Address),
}

/// A name of the time-zone database, `Europe/Berlin`, that existed when it was given.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(Box<str>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneNameError(pub String);

impl fmt::Display for ZoneNameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "there is no time zone “{}”: use a name such as Europe/Berlin or UTC", self.0)
    }
}

impl std::error::Error for ZoneNameError {}

impl ZoneName {
    pub fn parse(name: &str) -> Result<Self, ZoneNameError> {
        let zone = jiff::tz::TimeZone::get(name).map_err(|_| ZoneNameError(name.to_owned()))?;
        Ok(Self(zone.iana_name().unwrap_or(name).into()))
    }

    pub fn utc() -> Self {
        Self("UTC".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The zone's rules; UTC should the database have lost the name since.
    pub fn rules(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.0).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for ZoneName {
    type Error = ZoneNameError;
    fn try_from(name: String) -> Result<Self, ZoneNameError> {
        Self::parse(&name)
    }
}

impl From<ZoneName> for String {
    fn from(zone: ZoneName) -> Self {
        zone.0.into()
    }
}
