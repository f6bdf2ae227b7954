//! Domains: authoritative, split with another server, or an alias of another domain.

use super::causes::DomainCause;
use super::change::{Decided, Done};
use super::draft::Draft;
use super::error::{Cause, Consequence, Refused};
use super::views::{self, DomainView};
use super::{Act, Admin, Caller, Settings, meant, neighbour, reserved};
use crate::store::{AccountState, DomainKind, ParkReason};
use crate::types::{Address, Domain, Host, HostPort, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Where a split domain's other server listens, unless it is said.
const SMTP_PORT: u16 = 25;

/// How a domain is to be hosted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hosting {
    Authoritative,
    /// `host[:port]`: the server that gets mail for addresses unknown here.
    Split(String),
    AliasOf(Domain),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainAdd {
    pub domain: Domain,
    pub hosting: Hosting,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainList {}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainShow {
    pub domain: Domain,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainSet {
    pub domain: Domain,
    /// None: as it is.
    pub hosting: Option<Hosting>,
    pub catch_all: Option<CatchAll>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatchAll {
    None,
    Address(Address),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainRemove {
    pub domain: Domain,
    /// Goes on although mail will be parked.
    pub yes: bool,
}

impl Act for DomainAdd {
    const NAME: &'static str = "domain add";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let settings = admin.settings();
        let (_, done) = admin
            .change(caller, Self::NAME, |draft| {
                // In brackets or without: mail is never addressed to the latter (RFC 5321 section 4.1.3).
                if self.domain.is_literal() || self.domain.as_str().parse::<IpAddr>().is_ok() {
                    return Err(DomainCause::Literal(self.domain.clone()).into());
                }
                let kind = kind_of(&self.domain, &self.hosting, &settings)?;
                draft.add_domain(&self.domain, kind.clone());
                // A domain that is here already is refused by the proof; it has these addresses.
                if !draft.snapshot.is_hosted(&self.domain) {
                    reserved::make(draft, &self.domain);
                }
                let waits = draft.administrator().is_none() && !matches!(self.hosting, Hosting::AliasOf(_));
                let decided = Decided::nothing_to_tell().note(other_addresses(&self.domain, &kind, None));
                Ok(if waits {
                    decided.note("postmaster and abuse take mail as soon as there is an account that administers")
                } else {
                    decided
                })
            })
            .await?;
        if let Err(refused) = admin.make_first_keys(&self.domain).await {
            // The domain is there, and the next round of upkeep tries again.
            tracing::error!(domain = %self.domain, %refused, "no DKIM keys could be made");
        }
        neighbour::told(admin, done, &self.domain, None).await
    }
}

impl Act for DomainList {
    const NAME: &'static str = "domain list";
    type Answer = Vec<DomainView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<DomainView>, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        Ok(snapshot.domains().iter().map(|record| views::domain(&snapshot, record)).collect())
    }
}

impl Act for DomainShow {
    const NAME: &'static str = "domain show";
    type Answer = DomainView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<DomainView, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        Ok(views::domain(&snapshot, meant::domain(&snapshot, &self.domain)?))
    }
}

impl Act for DomainSet {
    const NAME: &'static str = "domain set";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let settings = admin.settings();
        let before = admin.directory().snapshot().await?.domain(&self.domain).map(|known| known.kind.clone());
        let (_, done) = admin.change(caller, Self::NAME, |draft| self.decide(draft, &settings)).await?;
        Ok(if self.hosting.is_some() { neighbour::told(admin, done, &self.domain, before).await? } else { done })
    }
}

impl DomainSet {
    fn decide(&self, draft: &mut Draft<'_>, settings: &Settings) -> Result<Decided<()>, Refused> {
        let domain = &self.domain;
        let known = meant::domain(draft.snapshot, domain)?;
        let kind = match &self.hosting {
            Some(hosting) => kind_of(domain, hosting, settings)?,
            None => known.kind.clone(),
        };
        let mut catch_all = match &self.catch_all {
            Some(CatchAll::None) => None,
            Some(CatchAll::Address(address)) => Some(address.canonical()),
            None => known.catch_all.clone(),
        };
        let mut decided = Decided::nothing_to_tell();
        if catch_all.is_some() && kind != DomainKind::Authoritative {
            if self.catch_all.is_some() {
                return Err(match &kind {
                    DomainKind::AliasOf(_) => DomainCause::AliasIsFixed(domain.clone()),
                    _ => DomainCause::CatchAllNeedsAuthoritative(domain.clone()),
                }
                .into());
            }
            // It was authoritative until now; the other server gets what the catch-all got.
            catch_all = None;
            decided = decided.note("the catch-all was taken off: addresses unknown here go to the other server");
        }
        decided = decided.note(other_addresses(domain, &kind, catch_all.as_ref()));
        if kind != known.kind || catch_all != known.catch_all {
            draft.set_domain(domain, kind, catch_all);
            reserved::make(draft, domain);
        }
        Ok(decided)
    }
}

/// What mail to all addresses does that are not made one by one.
fn other_addresses(domain: &Domain, kind: &DomainKind, catch_all: Option<&Address>) -> String {
    match (kind, catch_all) {
        (DomainKind::Authoritative, Some(address)) => format!("mail to other addresses of {domain} goes to {address}"),
        (DomainKind::Authoritative, None) => format!("mail to other addresses of {domain} is refused"),
        (DomainKind::Split { host, port }, _) => {
            format!("mail to other addresses of {domain} is handed to {host}:{port}")
        }
        (DomainKind::AliasOf(target), _) => {
            format!("mail to an address of {domain} is mail to the same address of {target}")
        }
    }
}

fn kind_of(domain: &Domain, hosting: &Hosting, settings: &Settings) -> Result<DomainKind, Refused> {
    Ok(match hosting {
        Hosting::Authoritative => DomainKind::Authoritative,
        Hosting::AliasOf(target) => DomainKind::AliasOf(target.clone()),
        Hosting::Split(text) => {
            let parsed = HostPort::parse(text).ok_or_else(|| DomainCause::NoSplitHost(text.clone()))?;
            let port = parsed.port.unwrap_or(SMTP_PORT);
            if parsed.host == Host::Name(settings.hostname.clone()) && port == SMTP_PORT {
                return Err(DomainCause::SplitToOurselves { domain: domain.clone(), host: text.clone() }.into());
            }
            let host = match &parsed.host {
                Host::Name(name) => name.to_string(),
                // In brackets, or its port could not be told from it.
                Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
                Host::Ip(ip) => ip.to_string(),
            };
            DomainKind::Split { host, port }
        }
    })
}

impl Act for DomainRemove {
    const NAME: &'static str = "domain remove";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let until = admin.parked_until();
        let used = admin.store().directory().await?;
        let (parked, done) = admin
            .change(caller, Self::NAME, |draft| {
                let domain = &self.domain;
                draft.hosted(domain)?;
                let mut leaving = Leaving::default();
                for record in draft.snapshot.addresses().iter().filter(|record| record.address.domain() == domain) {
                    if record.account.is_some() {
                        leaving.accounts.push(record.address.clone());
                    }
                    if record.reserved {
                        // The store removes these with their domain.
                        continue;
                    }
                    leaving.addresses.push(record.address.clone());
                }
                let mail = used.accounts.iter().filter(|account| {
                    leaving.accounts.contains(&account.address) && !matches!(account.state, AccountState::Parked { .. })
                });
                let (messages, octets) =
                    mail.fold((0, 0), |(count, sum), one| (count + one.messages, sum + one.used_octets));
                if !self.yes {
                    return Err(leaving.needs_yes(domain, messages, octets, until));
                }
                for account in &leaving.accounts {
                    draft.park(account, ParkReason::Removed, until);
                }
                for address in &leaving.addresses {
                    draft.remove(address);
                }
                draft.remove_domain(domain);
                Ok(Decided::nothing_to_tell().with(leaving.accounts.len()))
            })
            .await?;
        // Addresses that are gone with their domain have no effects worth a line each.
        let mail_now = done.mail_now.into_iter().filter(|now| *now.address.domain() != self.domain).collect();
        let mut done = Done { mail_now, ..done };
        if parked > 0 {
            done = done.note(format!(
                "{} parked until {}: add the domain again and restore each to get them back",
                super::words::count(parked as u64, "account is", "accounts are"),
                super::words::day(until)
            ));
        }
        Ok(done)
    }
}

/// What a domain takes with it.
#[derive(Default)]
struct Leaving {
    accounts: Vec<Address>,
    /// With those of accounts, without postmaster and abuse.
    addresses: Vec<Address>,
}

impl Leaving {
    fn needs_yes(&self, domain: &Domain, messages: u64, octets: u64, until: Timestamp) -> Refused {
        let accounts = self.accounts.len();
        let addresses = self.addresses.iter().filter(|address| !self.accounts.contains(address)).count();
        let domain = domain.clone();
        Cause::NeedsYes(Consequence::RemovesDomain { domain, accounts, addresses, messages, octets, until }).into()
    }
}

impl Admin {
    /// Until when mail stays that is removed now.
    pub(super) fn parked_until(&self) -> Timestamp {
        let seconds = i64::from(self.settings().keep_days) * 24 * 60 * 60;
        self.store().clock().now().plus_seconds(seconds)
    }
}
