//! A change of the directory while it is being decided: steps laid over a snapshot.

use super::causes::AddressCause;
use super::error::{Cause, Refused};
use super::meant;
use crate::directory::{Snapshot, graph_kind, mailbox_state};
use crate::rules::{self, MailboxState, check_switches};
use crate::store::{
    AccountRecord, AccountState, Credentials, DirectoryChange, DomainKind, NewAccount, NewDomain, ParkReason,
    ScriptOwner,
};
use crate::types::{AccountId, Address, Domain, Switches, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// What becomes of an address.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a draft has a handful of them, and nearly all are puts
enum Plan {
    Put { switches: Switches, reserved: bool },
    Remove,
}

/// What becomes of a domain.
#[derive(Clone, Debug)]
enum DomainPlan {
    Add(DomainKind),
    Set { kind: DomainKind, catch_all: Option<Address> },
    Remove,
}

/// Steps are stored in this order: domains come, accounts come and go, addresses change, domains go. What an address needs
/// is there before it, and what needs an address is gone before it.
pub(super) struct Draft<'s> {
    pub(super) snapshot: &'s Snapshot,
    domains: BTreeMap<Domain, DomainPlan>,
    accounts: Vec<DirectoryChange>,
    /// Accounts this change makes, brings back or takes away, by their address.
    administrators: BTreeMap<Address, Presence>,
    states: BTreeMap<Address, MailboxState>,
    unparked: BTreeMap<Address, AccountId>,
    addresses: BTreeMap<Address, Plan>,
    activations: Vec<DirectoryChange>,
    /// What is or will be active of an owner, where that is not what is stored.
    active: HashMap<ScriptOwner, Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Administrator,
    Other,
    Gone,
}

impl<'s> Draft<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            domains: BTreeMap::new(),
            accounts: Vec::new(),
            administrators: BTreeMap::new(),
            states: BTreeMap::new(),
            unparked: BTreeMap::new(),
            addresses: BTreeMap::new(),
            activations: Vec::new(),
            active: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.accounts.is_empty() && self.addresses.is_empty() && self.activations.is_empty()
    }

    /// How the domain is hosted, with this change.
    pub(super) fn domain_kind(&self, domain: &Domain) -> Option<&DomainKind> {
        match self.domains.get(domain) {
            Some(DomainPlan::Add(kind) | DomainPlan::Set { kind, .. }) => Some(kind),
            Some(DomainPlan::Remove) => None,
            None => self.snapshot.domain(domain).map(|record| &record.kind),
        }
    }

    pub(super) fn hosted(&self, domain: &Domain) -> Result<&DomainKind, Refused> {
        self.domain_kind(domain).ok_or_else(|| meant::not_hosted(self.snapshot, domain).into())
    }

    /// What the address does, with this change; nothing if it is not there.
    pub(super) fn switches(&self, address: &Address) -> Option<&Switches> {
        match self.addresses.get(&address.canonical()) {
            Some(Plan::Put { switches, .. }) => Some(switches),
            Some(Plan::Remove) => None,
            None => self.snapshot.address(address).map(|record| &record.switches),
        }
    }

    pub(super) fn is_reserved(&self, address: &Address) -> bool {
        match self.addresses.get(&address.canonical()) {
            Some(Plan::Put { reserved, .. }) => *reserved,
            _ => self.snapshot.address(address).is_some_and(|record| record.reserved),
        }
    }

    /// Reserved addresses that are there with this change.
    pub(super) fn reserved(&self) -> Vec<Address> {
        let stored = self.snapshot.addresses().iter().filter(|record| record.reserved);
        let mut reserved: Vec<Address> = stored.map(|record| record.address.clone()).collect();
        reserved.extend(self.addresses.iter().filter_map(|(address, plan)| match plan {
            Plan::Put { reserved: true, .. } => Some(address.clone()),
            Plan::Put { .. } | Plan::Remove => None,
        }));
        reserved.sort_unstable();
        reserved.dedup();
        reserved.retain(|address| self.domain_kind(address.domain()).is_some() && self.is_reserved(address));
        reserved
    }

    pub(super) fn add_domain(&mut self, domain: &Domain, kind: DomainKind) {
        self.domains.insert(domain.clone(), DomainPlan::Add(kind));
    }

    pub(super) fn set_domain(&mut self, domain: &Domain, kind: DomainKind, catch_all: Option<Address>) {
        self.domains.insert(domain.clone(), DomainPlan::Set { kind, catch_all });
    }

    pub(super) fn remove_domain(&mut self, domain: &Domain) {
        self.domains.insert(domain.clone(), DomainPlan::Remove);
    }

    pub(super) fn add_account(&mut self, account: NewAccount) {
        let presence = if account.administrator { Presence::Administrator } else { Presence::Other };
        self.administrators.insert(account.address.canonical(), presence);
        self.accounts.push(DirectoryChange::AddAccount(account));
    }

    pub(super) fn set_account(&mut self, account: &AccountRecord, administrator: bool) {
        let presence = if administrator { Presence::Administrator } else { Presence::Other };
        self.administrators.insert(account.address.clone(), presence);
        self.accounts.push(DirectoryChange::SetAccount {
            address: account.address.clone(),
            names: account.names.clone(),
            administrator,
            quota_octets: account.quota_octets,
        });
    }

    pub(super) fn set_credentials(&mut self, address: &Address, credentials: Credentials) {
        self.accounts.push(DirectoryChange::SetCredentials { address: address.clone(), credentials });
    }

    pub(super) fn suspend(&mut self, address: &Address) {
        self.states.insert(address.clone(), MailboxState::Suspended);
        self.accounts.push(DirectoryChange::SuspendAccount(address.clone()));
    }

    pub(super) fn resume(&mut self, address: &Address) {
        self.states.insert(address.clone(), MailboxState::Open);
        self.accounts.push(DirectoryChange::ResumeAccount(address.clone()));
    }

    pub(super) fn park(&mut self, address: &Address, why: ParkReason, until: Timestamp) {
        self.administrators.insert(address.clone(), Presence::Gone);
        self.accounts.push(DirectoryChange::ParkAccount { address: address.clone(), why, until });
    }

    pub(super) fn unpark(&mut self, account: &AccountRecord) {
        let presence = if account.administrator { Presence::Administrator } else { Presence::Other };
        self.administrators.insert(account.address.clone(), presence);
        self.states.insert(account.address.clone(), MailboxState::Open);
        self.unparked.insert(account.address.clone(), account.id);
        self.accounts.push(DirectoryChange::UnparkAccount(account.id));
    }

    /// New switches of an address that may or may not be there. Whether it is reserved does not change.
    pub(super) fn put(&mut self, address: &Address, switches: Switches) {
        let reserved = self.is_reserved(address);
        self.addresses.insert(address.canonical(), Plan::Put { switches, reserved });
    }

    pub(super) fn put_reserved(&mut self, address: &Address, switches: Switches) {
        self.addresses.insert(address.canonical(), Plan::Put { switches, reserved: true });
    }

    pub(super) fn remove(&mut self, address: &Address) {
        self.addresses.insert(address.canonical(), Plan::Remove);
    }

    /// Exactly these scripts of the owner run from now on.
    pub(super) fn activate(&mut self, owner: ScriptOwner, names: Vec<String>) {
        self.active.insert(owner, names.clone());
        self.activations.push(DirectoryChange::ActivateScripts { owner, names });
    }

    /// `names` are the active ones, with the new name.
    pub(super) fn rename_script(&mut self, owner: ScriptOwner, from: &str, to: &str, names: Vec<String>) {
        self.active.insert(owner, names);
        self.activations.push(DirectoryChange::RenameScript { owner, from: from.to_owned(), to: to.to_owned() });
    }

    /// What runs of an owner, where this change has a say in it.
    pub(super) fn active(&self, owner: ScriptOwner) -> Option<&Vec<String>> {
        self.active.get(&owner)
    }

    /// Whether an account looks after the server, perhaps beside others, with this change.
    pub(super) fn is_administrator(&self, address: &Address) -> bool {
        match self.administrators.get(address) {
            Some(presence) => *presence == Presence::Administrator,
            None => self.snapshot.account(address).is_some_and(|account| account.administrator),
        }
    }

    /// Who looks after the server, with this change.
    pub(super) fn administrator(&self) -> Option<Address> {
        let stored = self.snapshot.accounts().iter().filter(|account| {
            let parked = matches!(account.state, AccountState::Parked { .. });
            match self.administrators.get(&account.address) {
                Some(presence) => *presence == Presence::Administrator && !parked,
                None => account.administrator && !parked,
            }
        });
        let first = stored.min_by_key(|account| account.id).map(|account| account.address.clone());
        first.or_else(|| {
            let mut made = self.administrators.iter().filter(|(_, presence)| **presence == Presence::Administrator);
            made.next().map(|(address, _)| address.clone())
        })
    }

    /// The account behind the address's mailbox, unless this change makes it.
    pub(super) fn account_of(&self, address: &Address) -> Option<AccountId> {
        self.unparked.get(address).copied().or_else(|| self.snapshot.account(address).map(|account| account.id))
    }

    /// What contradicts itself. What was stored under other limits is not judged again.
    pub(super) fn violations(&self) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (address, plan) in &self.addresses {
            let stored = self.snapshot.address(address).map(|record| &record.switches);
            if let Plan::Put { switches, .. } = plan
                && stored != Some(switches)
            {
                let violations = check_switches(switches, self.snapshot.limits());
                causes.extend(violations.into_iter().map(|violation| Cause::Switches(address.clone(), violation)));
            }
        }
        causes
    }

    /// As the graph wants it.
    pub(super) fn graph_changes(&self) -> Vec<rules::Change> {
        let mut changes = Vec::new();
        for (domain, plan) in &self.domains {
            let domain = domain.clone();
            match plan {
                DomainPlan::Add(kind) => {
                    changes.push(rules::Change::AddDomain { domain, kind: graph_kind(kind, None) });
                }
                DomainPlan::Set { kind, catch_all } => {
                    let kind = graph_kind(kind, catch_all.as_ref());
                    changes.push(rules::Change::SetDomain { domain, kind });
                }
                DomainPlan::Remove => {}
            }
        }
        for (address, plan) in &self.addresses {
            changes.push(match plan {
                Plan::Put { switches, .. } => rules::Change::SetAddress {
                    address: address.clone(),
                    switches: switches.clone(),
                    mailbox: self.mailbox_state(address),
                },
                Plan::Remove => rules::Change::RemoveAddress(address.clone()),
            });
        }
        for (domain, plan) in &self.domains {
            if matches!(plan, DomainPlan::Remove) {
                changes.push(rules::Change::RemoveDomain(domain.clone()));
            }
        }
        changes
    }

    fn mailbox_state(&self, address: &Address) -> MailboxState {
        self.states.get(address).copied().unwrap_or_else(|| mailbox_state(self.snapshot.account(address)))
    }

    /// Adds the addresses whose own switches stay while the names they are known by don't: their responders must know
    /// them (RFC 5230 section 4.5).
    pub(super) fn add_renamed(&mut self, names: &BTreeMap<Address, Vec<Address>>) {
        for address in names.keys() {
            if let Some(record) = self.snapshot.address(address).filter(|_| !self.addresses.contains_key(address)) {
                let plan = Plan::Put { switches: record.switches.clone(), reserved: record.reserved };
                self.addresses.insert(address.clone(), plan);
            }
        }
    }

    /// Addresses that will have a script, with their switches.
    pub(super) fn to_compile(&self) -> Vec<(Address, Switches)> {
        let put = |(address, plan): (&Address, &Plan)| match plan {
            Plan::Put { switches, .. } => Some((address.clone(), switches.clone())),
            Plan::Remove => None,
        };
        self.addresses.iter().filter_map(put).collect()
    }

    /// As the store wants it. `scripts`: what each address in [`Self::to_compile`] was compiled to.
    pub(super) fn store_changes(
        self,
        mut scripts: BTreeMap<Address, String>,
        author: &str,
        cause: &str,
    ) -> Vec<DirectoryChange> {
        let mut changes = Vec::new();
        let mut removed = Vec::new();
        for (name, plan) in self.domains {
            changes.push(match plan {
                DomainPlan::Add(kind) => DirectoryChange::AddDomain(NewDomain { name, kind, catch_all: None }),
                DomainPlan::Set { kind, catch_all } => DirectoryChange::SetDomain { name, kind, catch_all },
                DomainPlan::Remove => {
                    removed.push(DirectoryChange::RemoveDomain(name));
                    continue;
                }
            });
        }
        changes.extend(self.accounts);
        changes.extend(self.activations);
        for (address, plan) in self.addresses {
            changes.push(match plan {
                Plan::Put { switches, reserved } => DirectoryChange::PutAddress {
                    script: scripts.remove(&address).unwrap_or_default(),
                    address,
                    switches,
                    reserved,
                    author: author.to_owned(),
                    cause: cause.to_owned(),
                },
                Plan::Remove => DirectoryChange::RemoveAddress(address),
            });
        }
        changes.extend(removed);
        changes
    }
}

impl Draft<'_> {
    /// Whether an address can be made: its domain is here, nothing else has the name, and the rules allow it. All that
    /// speaks against it, at once.
    pub(super) fn vacant(&self, address: &Address, rules: &rules::AddressRules) -> Result<(), Refused> {
        let mut causes = Vec::new();
        if self.domain_kind(address.domain()).is_none() {
            causes.push(meant::not_hosted(self.snapshot, address.domain()).into());
        }
        let violations = rules.check(address.local());
        causes.extend(violations.into_iter().map(|violation| Cause::AddressRule(address.clone(), violation)));
        if let Some(switches) = self.switches(address) {
            let address = address.canonical();
            let cause = if switches.mailbox {
                AddressCause::AccountExists(address)
            } else {
                AddressCause::InUse { how: in_use_as(switches), address }
            };
            causes.push(cause.into());
        }
        if causes.is_empty() { Ok(()) } else { Err(Refused(causes)) }
    }

    /// New switches, or no address at all when nothing is left of it. A reserved one stays, and falls back to what it does
    /// by itself.
    pub(super) fn put_or_remove(&mut self, address: &Address, switches: Switches) {
        if switches == Switches::default() && !self.is_reserved(address) {
            self.remove(address);
        } else {
            self.put(address, switches);
        }
    }
}

pub(super) fn in_use_as(switches: &Switches) -> String {
    if let Some(alias) = &switches.alias {
        format!("an alias of {}", alias.owner)
    } else if let Some(redirection) = &switches.redirection {
        let targets: Vec<String> = redirection.targets.iter().map(|target| target.address.to_string()).collect();
        format!("redirected to {}", targets.join(", "))
    } else {
        "an address with a responder".to_owned()
    }
}
