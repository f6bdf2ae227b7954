//! Why an act was not done, as causes; and the form in which they cross the socket and reach a person.

use super::causes::{AddressCause, DomainCause, ScriptCause};
use super::queue::QueueCause;
use super::words;
use crate::auth::{CredentialError, HashError, PasswordError};
use crate::rules::{AddressViolation, DateError, PasswordViolation, Refusal, Violation};
use crate::store::{StoreError, Thing};
use crate::types::{Address, Domain, Timestamp, ZoneNameError};
use std::fmt;
use std::path::PathBuf;

/// Everything that stands in the way of an act, at once. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<Cause>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The save-time proof says no.
    Proof(Refusal),
    /// The switches of an address contradict each other.
    Switches(Address, Violation),
    AddressRule(Address, AddressViolation),
    PasswordRule(PasswordViolation),
    Password(PasswordError),
    /// Passwords made up here don't pass the configured rules.
    GeneratedPassword(PasswordViolation),
    Date(DateError),
    Zone(ZoneNameError),
    Domain(DomainCause),
    Address(AddressCause),
    Script(ScriptCause),
    Queue(QueueCause),
    /// What would happen, to be confirmed.
    NeedsYes(Consequence),
    QuotaBelowUse {
        quota_octets: u64,
        used_octets: u64,
    },
    Credential(CredentialError),
    /// The file that was named is not one that can be put back.
    NoBackup {
        file: PathBuf,
        why: String,
    },
    UnknownAct(String),
    BadRequest(String),
    /// To explain; longer ones are not delivered either.
    MessageTooLong {
        octets: u64,
        max: u64,
    },
    TaskDied,
    /// The machine could not make a DKIM key.
    KeyNotMade(String),
    Store(StoreError),
}

/// What an act would do that is not undone by undoing the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    Parks { address: Address, messages: u64, octets: u64, until: Timestamp, back: String },
    RemovesDomain { domain: Domain, accounts: usize, addresses: usize, messages: u64, octets: u64, until: Timestamp },
}

/// The code of what needs nothing but another try.
const BUSY: &str = "busy";

/// Whose turn it is to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The caller can mend it.
    Refused,
    /// The command itself was written wrongly.
    Usage,
    /// Our fault, or the machine's.
    Fault,
}

/// [`Refused`] as it is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    pub side: Side,
    pub causes: Vec<Told>,
}

impl Problem {
    /// Whether the same may be asked again in a moment: nothing was done.
    pub fn is_busy(&self) -> bool {
        !self.causes.is_empty() && self.causes.iter().all(|cause| cause.code == BUSY)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// For programs; stays the same when the message is reworded.
    pub code: String,
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let fault = refused.0.iter().any(Cause::is_fault);
        let told =
            |cause: &Cause| Told { code: cause.code().to_owned(), message: cause.to_string(), hint: cause.hint() };
        Self { side: if fault { Side::Fault } else { Side::Refused }, causes: refused.0.iter().map(told).collect() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cause) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

macro_rules! causes {
    ($($inner:ty => $variant:ident),* $(,)?) => {$(
        impl From<$inner> for Cause {
            fn from(inner: $inner) -> Self {
                Self::$variant(inner)
            }
        }

        impl From<$inner> for Refused {
            fn from(inner: $inner) -> Self {
                Cause::$variant(inner).into()
            }
        }
    )*};
}

causes! {
    DomainCause => Domain,
    AddressCause => Address,
    ScriptCause => Script,
    StoreError => Store,
}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Self {
        Self(vec![cause])
    }
}

impl From<CredentialError> for Refused {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Store(error) => error.into(),
            other => Cause::Credential(other).into(),
        }
    }
}

impl Cause {
    fn is_fault(&self) -> bool {
        match self {
            Self::Store(error) => {
                matches!(error, StoreError::Damaged(_) | StoreError::Io(_) | StoreError::Closed)
            }
            Self::Credential(CredentialError::Hash(error)) => *error != HashError::Busy,
            Self::Script(cause) => cause.is_fault(),
            Self::TaskDied | Self::KeyNotMade(_) => true,
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Proof(refusal) => proof_code(refusal),
            Self::Switches(..) => "switches",
            Self::AddressRule(..) => "address-rule",
            Self::PasswordRule(_) | Self::Password(_) | Self::GeneratedPassword(_) => "password-rule",
            Self::Date(_) | Self::Zone(_) => "date",
            Self::Domain(cause) => cause.code(),
            Self::Address(cause) => cause.code(),
            Self::Script(cause) => cause.code(),
            Self::Queue(cause) => cause.code(),
            Self::NeedsYes(_) => "needs-yes",
            Self::QuotaBelowUse { .. } => "quota",
            Self::Credential(_) => "credential",
            Self::NoBackup { .. } => "no-backup",
            Self::UnknownAct(_) | Self::BadRequest(_) | Self::MessageTooLong { .. } => "bad-request",
            Self::TaskDied | Self::KeyNotMade(_) => "internal",
            Self::Store(error) => store_code(error),
        }
    }

    /// What to do next, where the message alone does not say it.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Proof(refusal) => return proof_hint(refusal),
            Self::Domain(cause) => return cause.hint(),
            Self::Address(cause) => return cause.hint(),
            Self::Script(cause) => return cause.hint(),
            Self::Queue(cause) => cause.hint(),
            Self::Switches(address, Violation::AliasWithRedirection) => format!("posthouse alias remove {address}"),
            Self::AddressRule(..) => "the rules are in [address] of the configuration".to_owned(),
            Self::PasswordRule(_) => {
                "choose another one, or let one be made: --generate-password; the rules are in [password] of the \
                 configuration"
                    .to_owned()
            }
            Self::GeneratedPassword(_) => "give a password of your own: --password-stdin".to_owned(),
            Self::NeedsYes(_) => "say --yes to go on; nothing was changed".to_owned(),
            Self::Store(StoreError::Damaged(_)) => {
                "posthouse verify tells how far it goes, and posthouse restore FILE puts a \
                                                    backup in its place and keeps it"
                    .to_owned()
            }
            Self::Store(StoreError::Missing(Thing::AppPassword)) => {
                "posthouse account app-password list shows those there are".to_owned()
            }
            _ => return None,
        })
    }
}

fn proof_code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::ToItself { .. } => "redirects-to-itself",
        Refusal::Loop { .. } => "loop",
        Refusal::DeadTarget { .. } | Refusal::DeadCatchAll { .. } | Refusal::DeadDomainAlias { .. } => "dead-target",
        Refusal::DomainLoop { .. } => "domain-loop",
        Refusal::BlackHole { .. } => "black-hole",
        Refusal::TooManyTargets { .. } | Refusal::TooDeep { .. } | Refusal::TooManyRecipients { .. } => "fan-out",
        Refusal::AlreadyHosted { .. } => "authoritative-domain-detected",
        Refusal::NotHosted { .. } => "domain-not-hosted",
    }
}

fn store_code(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy | StoreError::Changed => BUSY,
        StoreError::DiskFull => "disk-full",
        StoreError::ReadOnly(_) => "read-only",
        StoreError::Place(_) => "file",
        StoreError::NewerVersion { .. } => "newer-version",
        StoreError::Damaged(_) => "damaged",
        StoreError::Io(_) | StoreError::Closed => "internal",
        StoreError::Missing(_) => "missing",
        StoreError::Exists(_) => "exists",
        StoreError::Owned(_) | StoreError::InUse(_) => "in-use",
        StoreError::OverQuota(_) | StoreError::Limit(_) => "limit",
    }
}

fn proof_hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::ToItself { .. } => "a copy in its own mailbox is kept with --keep, not by a target".to_owned(),
        Refusal::Loop { .. } => "leave one of these steps out".to_owned(),
        Refusal::DeadTarget { address, refusing, .. } => {
            format!("make or resume {refusing} first, or point {address} elsewhere")
        }
        Refusal::DeadCatchAll { domain, .. } => {
            format!("name an address that takes mail, or none: posthouse domain set {domain} --catch-all none")
        }
        Refusal::DeadDomainAlias { domain, target } => {
            format!("posthouse domain add {target} first, or leave {domain} without it")
        }
        Refusal::TooManyTargets { .. } | Refusal::TooDeep { .. } | Refusal::TooManyRecipients { .. } => {
            "the limits are in [limits] of the configuration".to_owned()
        }
        Refusal::AlreadyHosted { domain, .. } => {
            format!("posthouse domain show {domain} shows it, and domain set {domain} changes how it is hosted")
        }
        Refusal::NotHosted { address } => format!("posthouse domain add {}", address.domain()),
        Refusal::DomainLoop { .. } | Refusal::BlackHole { .. } => return None,
    })
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(refusal) => refusal.fmt(formatter),
            Self::Switches(address, violation) => write!(formatter, "{address}: {violation}"),
            Self::AddressRule(address, violation) => write!(formatter, "{address}: {violation}"),
            Self::PasswordRule(violation) => violation.fmt(formatter),
            Self::Password(error) => error.fmt(formatter),
            Self::GeneratedPassword(violation) => {
                write!(formatter, "the passwords made here don't pass the configured rules: {violation}")
            }
            Self::Date(error) => error.fmt(formatter),
            Self::Zone(error) => error.fmt(formatter),
            Self::Domain(cause) => cause.fmt(formatter),
            Self::Address(cause) => cause.fmt(formatter),
            Self::Script(cause) => cause.fmt(formatter),
            Self::Queue(cause) => cause.fmt(formatter),
            Self::NeedsYes(consequence) => consequence.fmt(formatter),
            Self::QuotaBelowUse { quota_octets, used_octets } => write!(
                formatter,
                "a quota of {} is below the {} that are used already",
                words::size(*quota_octets),
                words::size(*used_octets)
            ),
            Self::Credential(error) => error.fmt(formatter),
            Self::NoBackup { file, why } => write!(formatter, "{} is no backup to use: {why}", file.display()),
            Self::UnknownAct(name) => {
                write!(formatter, "the server knows no command {name:?}: is it of another version?")
            }
            Self::MessageTooLong { octets, max } => {
                write!(formatter, "the message has {octets} bytes, and no message may have more than {max}")
            }
            Self::BadRequest(why) => write!(formatter, "the request can't be read: {why}"),
            Self::KeyNotMade(why) => formatter.write_str(why),
            Self::TaskDied => formatter.write_str("a task of the server died; the log has the cause"),
            Self::Store(error) => error.fmt(formatter),
        }
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parks { address, messages, octets, until, back } => write!(
                formatter,
                "{address} has {}: they would be parked until {}, and until then come back with: {back}",
                words::mail(*messages, *octets),
                words::day(*until),
            ),
            Self::RemovesDomain { domain, accounts, addresses, messages, octets, until } => write!(
                formatter,
                "{domain} has {} with {}, and {}: the addresses would go and the accounts be parked until {}; to get one \
                 back until then, add the domain again and say posthouse account restore",
                words::count(*accounts as u64, "account", "accounts"),
                words::mail(*messages, *octets),
                words::count(*addresses as u64, "other address", "other addresses"),
                words::day(*until),
            ),
        }
    }
}
