//! What lists and `show` answer: the stable shapes behind `--json`. Fields are added, never renamed.

use crate::directory::Snapshot;
use crate::rules::{describe, format_from, format_until};
use crate::store::{AccountRecord, AccountState, AddressRecord, DomainKind, DomainRecord, TargetState};
use crate::types::{Address, Domain, Received, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    pub domain: Domain,
    /// With U-labels, for people.
    pub unicode: String,
    #[serde(flatten)]
    pub kind: DomainKindView,
    pub catch_all: Option<Address>,
    pub accounts: usize,
    /// With those of accounts.
    pub addresses: usize,
    pub created: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DomainKindView {
    Authoritative,
    Split { split_host: String, split_port: u16 },
    Alias { alias_of: Domain },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub address: Address,
    pub name: String,
    pub first_name: String,
    pub last_name: String,
    pub administrator: bool,
    /// `active`, `suspended` or `parked`.
    pub state: String,
    pub parked: Option<ParkedView>,
    /// None: without limit.
    pub quota_octets: Option<u64>,
    pub used_octets: u64,
    pub messages: u64,
    pub has_password: bool,
    /// The other names of its address.
    pub also_known_as: Vec<Address>,
    /// What its address does, one line for each switch.
    pub does: Vec<String>,
    pub created: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedView {
    pub since: String,
    pub until: String,
    /// `removed` or `converted`.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    pub alias: Address,
    pub owner: Address,
    /// `active` or `paused`.
    pub state: String,
    pub responder: bool,
    /// postmaster and abuse, which can be pointed elsewhere but not removed.
    pub reserved: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectionView {
    pub address: Address,
    pub targets: Vec<TargetView>,
    /// Whether the mailbox keeps a copy. Always false without one.
    pub keep: bool,
    /// No mailbox: nothing is stored.
    pub is_virtual: bool,
    /// `active` or `paused`.
    pub state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    pub target: Address,
    /// `active`, or `paused` by the server after it was refused for good.
    pub state: String,
    /// In a row.
    pub refusals: u32,
    pub last_reply: Option<String>,
    /// Messages that were not passed on, since they would not have arrived.
    pub not_passed_on: u32,
    /// Why the last of them was not.
    pub not_passed_on_why: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderView {
    pub address: Address,
    /// `attached` to a mailbox, or `free`.
    pub kind: String,
    /// `active`, `paused`, `waiting` for its begin, or `over`.
    pub state: String,
    /// In the zone below, as its owner would write it. None: since always, and for ever.
    pub from: Option<String>,
    pub until: Option<String>,
    pub zone: Option<String>,
    pub every_seconds: u32,
    /// What becomes of the message: `keep`, `drop`, or `copy` to the address below.
    pub received: String,
    pub copy_to: Option<Address>,
    /// None: that of the message answered.
    pub subject: Option<String>,
    pub text: String,
}

fn state(paused: bool) -> String {
    if paused { "paused" } else { "active" }.to_owned()
}

pub(super) fn domain(snapshot: &Snapshot, record: &DomainRecord) -> DomainView {
    let addresses = || snapshot.addresses().iter().filter(|address| *address.address.domain() == record.name);
    DomainView {
        domain: record.name.clone(),
        unicode: record.name.unicode(),
        kind: match &record.kind {
            DomainKind::Authoritative => DomainKindView::Authoritative,
            DomainKind::Split { host, port } => DomainKindView::Split { split_host: host.clone(), split_port: *port },
            DomainKind::AliasOf(domain) => DomainKindView::Alias { alias_of: domain.clone() },
        },
        catch_all: record.catch_all.clone(),
        accounts: addresses().filter(|address| address.account.is_some()).count(),
        addresses: addresses().count(),
        created: record.created.rfc3339(),
    }
}

/// `account` is fresher than the snapshot where usage is concerned.
pub(super) fn account(snapshot: &Snapshot, names: &crate::directory::OwnNames, account: &AccountRecord) -> AccountView {
    let (state, parked) = match &account.state {
        AccountState::Active => ("active", None),
        AccountState::Suspended => ("suspended", None),
        AccountState::Parked { since, until, why } => {
            let why = why.as_str().to_owned();
            ("parked", Some(ParkedView { since: since.rfc3339(), until: until.rfc3339(), why }))
        }
    };
    let live = if parked.is_none() { snapshot.address(&account.address) } else { None };
    let switches = live.map(|record| &record.switches).or(account.parked_switches.as_ref());
    AccountView {
        address: account.address.clone(),
        name: account.names.display.clone(),
        first_name: account.names.first.clone(),
        last_name: account.names.last.clone(),
        administrator: account.administrator,
        state: state.to_owned(),
        quota_octets: account.quota_octets,
        used_octets: account.used_octets,
        messages: account.messages,
        has_password: account.has_password,
        also_known_as: live.map_or_else(Vec::new, |_| names.of(snapshot.graph(), &account.address)),
        does: switches.map_or_else(Vec::new, describe),
        created: account.created.rfc3339(),
        parked,
    }
}

pub(super) fn alias(record: &AddressRecord) -> Option<AliasView> {
    let alias = record.switches.alias.as_ref()?;
    Some(AliasView {
        alias: record.address.clone(),
        owner: alias.owner.clone(),
        state: state(alias.paused),
        responder: record.switches.responder.is_some(),
        reserved: record.reserved,
    })
}

/// `states`: fresher than the record's.
pub(super) fn redirection(record: &AddressRecord, states: Option<&Vec<TargetState>>) -> Option<RedirectionView> {
    let redirection = record.switches.redirection.as_ref()?;
    let states = states.unwrap_or(&record.target_states);
    let states = states.iter().cloned().chain(std::iter::repeat_with(Default::default));
    let targets = redirection.targets.iter().zip(states).map(|(target, known)| TargetView {
        target: target.address.clone(),
        state: state(target.paused),
        refusals: known.refusals,
        last_reply: known.last_reply,
        not_passed_on: known.stayed,
        not_passed_on_why: known.stayed_why,
    });
    Some(RedirectionView {
        address: record.address.clone(),
        targets: targets.collect(),
        keep: record.switches.mailbox && redirection.keep,
        is_virtual: !record.switches.mailbox,
        state: state(redirection.paused),
    })
}

pub(super) fn responder(record: &AddressRecord, now: Timestamp) -> Option<ResponderView> {
    let responder = record.switches.responder.as_ref()?;
    let window = responder.window.as_ref();
    let from = window.and_then(|window| Some((window.from?, &window.zone)));
    let until = window.and_then(|window| Some((window.until?, &window.zone)));
    let (received, copy_to) = match &responder.received {
        Received::Keep => ("keep", None),
        Received::Drop => ("drop", None),
        Received::CopyTo(address) => ("copy", Some(address.clone())),
    };
    let state = if responder.paused {
        "paused"
    } else if from.is_some_and(|(from, _)| now < from) {
        "waiting"
    } else if until.is_some_and(|(until, _)| now >= until) {
        "over"
    } else {
        "active"
    };
    Some(ResponderView {
        address: record.address.clone(),
        kind: if record.switches.mailbox { "attached" } else { "free" }.to_owned(),
        state: state.to_owned(),
        from: from.map(|(at, zone)| format_from(at, zone)),
        until: until.map(|(at, zone)| format_until(at, zone)),
        zone: window.map(|window| window.zone.to_string()),
        every_seconds: responder.every_seconds,
        received: received.to_owned(),
        copy_to,
        subject: responder.subject.clone(),
        text: responder.text.clone(),
    })
}
