//! Which names are whose: an address's aliases, whatever chain of aliases and domain aliases they come through.

use super::{Resolution, Snapshot};
use crate::rules::{Graph, Route};
use crate::store::DomainKind;
use crate::types::limits::ADDRESS_HOPS_MAX;
use crate::types::{AccountId, Address, Domain, Switches};
use std::collections::{HashMap, HashSet};

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
        graph: &Graph,
        addresses: impl Iterator<Item = (&'a Address, &'a Switches)>,
        domains: impl Iterator<Item = (&'a Domain, &'a DomainKind)>,
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
        Self { aliases, domains: domain_aliases(domains) }
    }

    /// The names that are this address besides its own, sorted.
    pub fn of(&self, graph: &Graph, address: &Address) -> Vec<Address> {
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

fn domain_aliases<'a>(domains: impl Iterator<Item = (&'a Domain, &'a DomainKind)>) -> HashMap<Domain, Vec<Domain>> {
    let of: HashMap<&Domain, &Domain> = domains
        .filter_map(|(name, kind)| match kind {
            DomainKind::AliasOf(target) => Some((name, target)),
            DomainKind::Authoritative | DomainKind::Split { .. } => None,
        })
        .collect();
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
