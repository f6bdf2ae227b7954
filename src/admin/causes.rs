//! Causes that speak of one thing: a domain, an address, a script.

use crate::types::limits::PERSON_NAME_CHARACTERS_MAX;
use crate::types::{Address, Domain, MailboxName};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainCause {
    NotHosted {
        domain: Domain,
        /// One that is, and is written nearly so.
        near: Option<Domain>,
    },
    /// Such as `[192.0.2.1]`.
    Literal(Domain),
    SplitToOurselves {
        domain: Domain,
        host: String,
    },
    NoSplitHost(String),
    CatchAllNeedsAuthoritative(Domain),
    AliasIsFixed(Domain),
    AccountInAlias {
        address: Address,
        target: Domain,
    },
}

impl DomainCause {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NotHosted { .. } => "domain-not-hosted",
            Self::SplitToOurselves { .. } => "authoritative-domain-detected",
            Self::Literal(_) | Self::NoSplitHost(_) => "domain-name",
            Self::CatchAllNeedsAuthoritative(_) | Self::AliasIsFixed(_) | Self::AccountInAlias { .. } => "domain-kind",
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotHosted { domain, near: None } => format!("posthouse domain add {domain}"),
            Self::NotHosted { domain, near: Some(near) } => {
                format!("{near} is: did you mean that? If not: posthouse domain add {domain}")
            }
            Self::SplitToOurselves { .. } => "name the other server".to_owned(),
            Self::CatchAllNeedsAuthoritative(domain) => {
                format!("posthouse domain set {domain} --authoritative --catch-all ADDRESS")
            }
            Self::AliasIsFixed(domain) => format!("posthouse domain show {domain} names the other domain"),
            Self::AccountInAlias { address, target } => {
                let other = address.with_domain(target.clone());
                format!("posthouse account add {other}: it gets the mail for {address} as well")
            }
            Self::Literal(_) | Self::NoSplitHost(_) => return None,
        })
    }
}

impl fmt::Display for DomainCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHosted { domain, .. } => write!(formatter, "the domain {domain} is not hosted here"),
            Self::Literal(domain) => write!(formatter, "{domain} is an IP address, not a domain"),
            Self::SplitToOurselves { domain, host } => write!(
                formatter,
                "authoritative domain detected: {host} is this server, so mail for addresses of {domain} unknown here \
                 would be handed to ourselves"
            ),
            Self::NoSplitHost(text) => write!(formatter, "{text:?} is no host or host:port of another server"),
            Self::CatchAllNeedsAuthoritative(domain) => write!(
                formatter,
                "{domain} is split and can have no catch-all: it would leave nothing for the other server"
            ),
            Self::AliasIsFixed(domain) => {
                write!(formatter, "{domain} is an alias of another domain, whose catch-all it shares")
            }
            Self::AccountInAlias { address, target } => {
                write!(formatter, "{address} can't have a mailbox: its domain is an alias of {target}")
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressCause {
    NoAddress(Address),
    /// Not here any more, and its account can come back.
    Parked(Address),
    NoAccount {
        address: Address,
        /// One that is there, and is written nearly so.
        near: Option<Address>,
    },
    /// The address is here and nobody's account. In words: `an alias of jane@example.org`.
    OtherThanAccount {
        address: Address,
        how: String,
    },
    NoParkedAccount(Address),
    AccountExists(Address),
    /// In words: `an alias of jane@example.org`.
    InUse {
        address: Address,
        how: String,
    },
    NoAlias(Address),
    AliasOwnerOutside {
        alias: Address,
        owner: Address,
    },
    NoRedirection(Address),
    NoSuchTarget {
        address: Address,
        target: Address,
    },
    NoResponder(Address),
    /// Removing the switch would leave the responder with nothing to answer for.
    ResponderLeft(Address),
    ReservedStays(Address),
    ConvertsToItself(Address),
    NoMailbox(Address, MailboxName),
    /// Mail to be carried in is more than its quota allows.
    NoRoom(Address),
    /// What a person can't be called.
    BadName(Address),
}

impl AddressCause {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoAddress(_) | Self::Parked(_) => "no-address",
            Self::NoAccount { .. } | Self::OtherThanAccount { .. } | Self::NoParkedAccount(_) => "no-account",
            Self::AccountExists(_) | Self::InUse { .. } => "exists",
            Self::NoAlias(_) => "no-alias",
            Self::AliasOwnerOutside { .. } => "alias-owner-outside",
            Self::NoRedirection(_) | Self::NoSuchTarget { .. } => "no-redirection",
            Self::NoResponder(_) => "no-responder",
            Self::ResponderLeft(_) => "responder-left",
            Self::ReservedStays(_) => "reserved",
            Self::ConvertsToItself(_) => "nothing-to-convert",
            Self::NoMailbox(..) => "no-mailbox",
            Self::NoRoom(_) => "no-room",
            Self::BadName(_) => "name",
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoAddress(address) => format!(
                "posthouse account add {address} makes a mailbox, redirect add {address} TARGET a redirection, \
                 alias add {address} OWNER an alias"
            ),
            Self::Parked(address) => format!("posthouse account restore {address}"),
            Self::NoAccount { near: None, .. } => "posthouse account list shows those there are".to_owned(),
            Self::NoAccount { near: Some(near), .. } => {
                format!("there is {near}: did you mean that? posthouse account list shows all")
            }
            Self::OtherThanAccount { address, .. } => {
                format!("posthouse explain {address} tells what becomes of its mail")
            }
            Self::NoParkedAccount(_) => "posthouse account list --parked shows those that can come back".to_owned(),
            Self::AccountExists(address) => format!("posthouse account show {address}"),
            Self::InUse { address, .. } => format!("posthouse convert {address} turns it into something else"),
            Self::NoAlias(_) => "posthouse alias list shows those there are".to_owned(),
            Self::AliasOwnerOutside { alias, owner } => format!("posthouse redirect add {alias} {owner}"),
            Self::NoRedirection(_) => "posthouse redirect list shows those there are".to_owned(),
            Self::NoSuchTarget { address, .. } => format!("posthouse redirect list shows the targets of {address}"),
            Self::NoResponder(_) => "posthouse responder list shows those there are".to_owned(),
            Self::ResponderLeft(address) => format!("posthouse responder remove {address}"),
            Self::ReservedStays(address) => format!(
                "point it elsewhere: posthouse redirect add {address} TARGET, or posthouse convert {address} \
                 --to-alias OWNER"
            ),
            Self::NoRoom(address) => format!(
                "posthouse account set {address} --quota SIZE, and then the same again: it goes on where it stopped"
            ),
            Self::ConvertsToItself(_) | Self::NoMailbox(..) | Self::BadName(_) => return None,
        })
    }
}

impl fmt::Display for AddressCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress(address) => write!(formatter, "there is no address {address} here"),
            Self::Parked(address) => {
                write!(formatter, "there is no address {address} here any more, but its account is parked")
            }
            Self::NoAccount { address, .. } => write!(formatter, "there is no account {address}"),
            Self::OtherThanAccount { address, how } => {
                write!(formatter, "there is no account {address}: the address is {how}")
            }
            Self::NoParkedAccount(address) => write!(formatter, "nothing is parked of {address}"),
            Self::AccountExists(address) => write!(formatter, "there is an account {address} already"),
            Self::InUse { address, how } => write!(formatter, "{address} is already {how}"),
            Self::NoAlias(address) => write!(formatter, "{address} is no alias"),
            Self::AliasOwnerOutside { alias, owner } => write!(
                formatter,
                "{alias} can't be an alias of {owner}, which is not an address here: an alias promises to hide its \
                 owner's address, and outside we could promise nothing"
            ),
            Self::NoRedirection(address) => write!(formatter, "{address} has no redirection"),
            Self::NoSuchTarget { address, target } => write!(formatter, "{address} does not redirect to {target}"),
            Self::NoResponder(address) => write!(formatter, "{address} has no responder"),
            Self::ResponderLeft(address) => write!(
                formatter,
                "{address} still has a responder, which would then answer for an address that takes no mail"
            ),
            Self::ReservedStays(address) => {
                write!(formatter, "{address} can't be removed: every mail domain must have it (RFC 2142 section 5)")
            }
            Self::ConvertsToItself(address) => write!(formatter, "{address} is that already"),
            Self::NoMailbox(address, name) => write!(formatter, "{address} has no mailbox {name}"),
            Self::NoRoom(address) => write!(formatter, "the account {address} has no room for all of it"),
            Self::BadName(address) => write!(
                formatter,
                "{address}: a name has at most {PERSON_NAME_CHARACTERS_MAX} characters, none of them a line break or \
                 another control character"
            ),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptCause {
    Missing {
        place: String,
        name: String,
    },
    Exists {
        place: String,
        name: String,
    },
    NoVersion {
        place: String,
        name: String,
        version: u32,
    },
    Active {
        place: String,
        name: String,
    },
    BadName(String),
    /// A name under which the server shows what it made.
    Shown(String),
    /// Administrators' scripts have two names.
    BadPlaceName(String),
    TooLong {
        octets: usize,
        max: usize,
    },
    TooMany {
        max: usize,
    },
    /// A version of the switches from when the address had a mailbox, or had none.
    OtherMailbox {
        address: Address,
        version: u32,
    },
    Broken {
        name: String,
        error: String,
    },
    /// The text made from switches does not compile: a mistake of ours.
    CompiledBroken {
        address: Address,
        error: String,
    },
}

impl ScriptCause {
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::CompiledBroken { .. })
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::NoVersion { .. } => "no-script",
            Self::Exists { .. } => "exists",
            Self::Active { .. } => "script-active",
            Self::BadName(_) | Self::BadPlaceName(_) => "script-name",
            Self::Shown(_) => "script-shown",
            Self::TooLong { .. } | Self::TooMany { .. } => "script-limit",
            Self::OtherMailbox { .. } => "needs-conversion",
            Self::Broken { .. } => "script-broken",
            Self::CompiledBroken { .. } => "compiled-broken",
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { place, .. } | Self::Exists { place, .. } => {
                format!("posthouse script list {place} shows those there are")
            }
            Self::NoVersion { place, name, .. } => {
                format!("posthouse script history {place} {name} shows those there are")
            }
            Self::Active { place, name } => format!("posthouse script deactivate {place} {name}"),
            Self::BadPlaceName(_) => "it runs either before or after: take one of these as its name".to_owned(),
            Self::TooLong { .. } => "the limit is in [limits] of the configuration".to_owned(),
            Self::OtherMailbox { address, .. } => format!("posthouse convert {address}, and roll back then"),
            Self::TooMany { .. } => "remove one that is no longer needed".to_owned(),
            Self::BadName(_) | Self::Shown(_) | Self::Broken { .. } | Self::CompiledBroken { .. } => return None,
        })
    }
}

impl fmt::Display for ScriptCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { place, name } => write!(formatter, "there is no script {name} at {place}"),
            Self::Exists { place, name } => write!(formatter, "there is a script {name} at {place} already"),
            Self::NoVersion { place, name, version } => {
                write!(formatter, "there is no version {version} of the script {name} at {place}")
            }
            Self::Active { name, .. } => write!(formatter, "the script {name} is active and can't be removed"),
            Self::BadName(name) => write!(
                formatter,
                "{name:?} can't be a script's name: take 1 to 128 characters of plain text other than “compiled”"
            ),
            Self::Shown(name) => write!(
                formatter,
                "{name} is made by the server and can only be read: put your rules into a script of your own"
            ),
            Self::BadPlaceName(name) => write!(formatter, "an administrator's script can't be named {name}"),
            Self::TooLong { octets, max } => write!(formatter, "the script has {octets} octets, {max} are allowed"),
            Self::TooMany { max } => write!(formatter, "there are {max} scripts already, which is all there may be"),
            Self::OtherMailbox { address, version } => write!(
                formatter,
                "version {version} is from when {address} either had a mailbox that it has no longer, or had none"
            ),
            Self::Broken { name, error } => write!(formatter, "{name}: {error}"),
            Self::CompiledBroken { address, error } => {
                write!(formatter, "the script made for {address} does not compile: {error}; please report it")
            }
        }
    }
}
