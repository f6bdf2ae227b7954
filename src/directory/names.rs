//! Which names are whose: an address's aliases, whatever chain of aliases and domain aliases they come through.

use super::{Resolution, Snapshot};
use crate::rules::{self, Change, Route, Routes};
use crate::store::{DomainKind, DomainRecord};
use crate::types::limits::ADDRESS_HOPS_MAX;
use crate::types::{AccountId, Address, Domain, Switches};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The other names of every address, of one state of the world: the stored one, or one that is about to be.
#[derive(Debug)]
pub struct OwnNames {
    /// For each address the aliases that lead to it, at once or by way of others.
    aliases: HashMap<Address, Vec<Address>>,
    /// For each domain those that are aliases of it, at once or by way of others.
    domains: HashMap<Domain, Vec<Domain>>,
}

impl OwnNames {
    pub fn new<'a>(
        graph: &impl Routes,
        addresses: impl Iterator<Item = (&'a Address, &'a Switches)>,
        domain_aliases: impl Iterator<Item = (&'a Domain, &'a Domain)>,
    ) -> Self {
        let owners: HashMap<&Address, &Address> = addresses
            .filter_map(|(address, switches)| Some((address, switches.alias.as_ref().filter(|alias| !alias.paused)?)))
            .map(|(address, alias)| (address, &alias.owner))
            .collect();
        let mut aliases: HashMap<Address, Vec<Address>> = HashMap::new();
        for &alias in owners.keys() {
            let mut at = alias.clone();
            for _ in 0..ADDRESS_HOPS_MAX {
                let Some(&owner) = owners.get(&at) else { break };
                let Route::Local(next) = graph.resolve(owner) else { break };
                if next == *alias {
                    break;
                }
                aliases.entry(next.clone()).or_default().push(alias.clone());
                at = next;
            }
        }
        Self { aliases, domains: aliases_of_domains(domain_aliases) }
    }

    /// The names that are this address besides its own, sorted.
    pub fn of(&self, graph: &impl Routes, address: &Address) -> Vec<Address> {
        let mut names: Vec<Address> = self.aliases.get(address).cloned().unwrap_or_default();
        let mut mirrored = Vec::new();
        for name in names.iter().chain([address]) {
            for domain in self.domains.get(name.domain()).into_iter().flatten() {
                let mirror = name.with_domain(domain.clone());
                // An address of its own in the alias domain goes first, and is somebody else.
                if graph.resolve(&mirror) == Route::Local(name.clone()) {
                    mirrored.push(mirror);
                }
            }
        }
        names.extend(mirrored);
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A domain that is an alias, with what it is an alias of.
pub(super) fn domain_alias(record: &DomainRecord) -> Option<(&Domain, &Domain)> {
    match &record.kind {
        DomainKind::AliasOf(target) => Some((&record.name, target)),
        DomainKind::Authoritative | DomainKind::Split { .. } => None,
    }
}

fn aliases_of_domains<'a>(aliases: impl Iterator<Item = (&'a Domain, &'a Domain)>) -> HashMap<Domain, Vec<Domain>> {
    let of: HashMap<&Domain, &Domain> = aliases.collect();
    let mut aliases: HashMap<Domain, Vec<Domain>> = HashMap::new();
    for &name in of.keys() {
        let (mut at, mut seen) = (name, HashSet::from([name]));
        while let Some(&target) = of.get(at) {
            if !seen.insert(target) {
                break;
            }
            aliases.entry(target.clone()).or_default().push(name.clone());
            at = target;
        }
    }
    aliases
}

impl Snapshot {
    /// The names that are this address besides its own: aliases, also by way of others, and all of these in domains that
    /// are aliases of theirs. Sorted.
    pub fn also_known_as(&self, address: &Address) -> Vec<Address> {
        self.own_names().of(self.graph(), &address.canonical())
    }

    /// What addresses will be known as once the changes are made: each address that is changed, and each that answers by
    /// itself and gets other names by the changes of others.
    pub fn names_after(&self, changes: &[Change]) -> BTreeMap<Address, Vec<Address>> {
        let mut addresses: HashMap<&Address, Option<&Switches>> = HashMap::new();
        let mut domains: HashMap<&Domain, Option<&rules::DomainKind>> = HashMap::new();
        for change in changes {
            match change {
                Change::SetAddress { address, switches, .. } => _ = addresses.insert(address, Some(switches)),
                Change::RemoveAddress(address) => _ = addresses.insert(address, None),
                Change::AddDomain { domain, kind } | Change::SetDomain { domain, kind } => {
                    domains.insert(domain, Some(kind));
                }
                Change::RemoveDomain(domain) => _ = domains.insert(domain, None),
            }
        }
        let graph = self.graph().with(changes);
        let stored = self.addresses().iter().map(|record| (&record.address, &record.switches));
        let stored = stored.filter(|(address, _)| !addresses.contains_key(address));
        let changed = addresses.iter().filter_map(|(address, switches)| Some((*address, (*switches)?)));
        let aliases = self.domains().iter().filter(|record| !domains.contains_key(&record.name));
        let new_aliases = domains.iter().filter_map(|(name, kind)| match kind {
            Some(rules::DomainKind::AliasOf(target)) => Some((*name, target)),
            _ => None,
        });
        let names = OwnNames::new(&graph, stored.chain(changed), aliases.filter_map(domain_alias).chain(new_aliases));
        let mut after = BTreeMap::new();
        for (address, switches) in &addresses {
            if switches.is_some() {
                after.insert((*address).clone(), names.of(&graph, address));
            }
        }
        for record in self.addresses() {
            let answers = record.switches.responder.as_ref().is_some_and(|responder| !responder.paused);
            let is_gone = domains.get(record.address.domain()).is_some_and(Option::is_none);
            if !answers || is_gone || addresses.contains_key(&record.address) {
                continue;
            }
            let known_as = names.of(&graph, &record.address);
            if known_as != self.own_names().of(self.graph(), &record.address) {
                after.insert(record.address.clone(), known_as);
            }
        }
        after
    }

    /// Whether somebody may call himself by this address: whether mail to it, by name, detail, alias or catch-all, is
    /// this account's. A paused alias is nobody's.
    pub fn belongs_to(&self, address: &Address, account: AccountId) -> bool {
        let mut at = address.clone();
        for _ in 0..ADDRESS_HOPS_MAX {
            let Resolution::Local(local) = self.resolve(&at) else { return false };
            if local.account() == Some(account) {
                return true;
            }
            match local.record.switches.alias.as_ref().filter(|alias| !alias.paused) {
                Some(alias) => at = alias.owner.clone(),
                None => return false,
            }
        }
        false
    }
}
