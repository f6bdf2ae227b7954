//! The directory at one moment, with what finds things in it.

use super::OwnNames;
use crate::rules::{self, Graph, Limits, MailboxState};
use crate::store::{self, AccountRecord, AccountState, AddressRecord, DomainRecord};
use crate::types::{AccountId, Address, Domain};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Cheap to share, never changed. Usage counters in it are as old as it is: they change without the directory changing.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    domains: Vec<DomainRecord>,
    accounts: Vec<AccountRecord>,
    addresses: Vec<Arc<AddressRecord>>,
    domain_places: HashMap<Domain, usize>,
    address_places: HashMap<Address, usize>,
    account_places: HashMap<AccountId, usize>,
    limits: Limits,
    graph: Graph,
    /// Made when they are first asked for: not every snapshot lives to see a delivery.
    own_names: OnceLock<OwnNames>,
}

impl Snapshot {
    pub(super) fn new(directory: store::Directory, limits: Limits) -> Self {
        let store::Directory { generation, domains, accounts, addresses } = directory;
        let account_places: HashMap<_, _> =
            accounts.iter().enumerate().map(|(place, account)| (account.id, place)).collect();
        let mut graph = Graph::new(limits);
        for domain in &domains {
            graph.set_domain(domain.name.clone(), graph_kind(&domain.kind, domain.catch_all.as_ref()));
        }
        for record in &addresses {
            let account = record.account.and_then(|id| account_places.get(&id)).map(|&place| &accounts[place]);
            graph.set_address(&record.address, &record.switches, mailbox_state(account));
        }
        Self {
            generation,
            domain_places: domains.iter().enumerate().map(|(place, domain)| (domain.name.clone(), place)).collect(),
            address_places: addresses.iter().enumerate().map(|(place, one)| (one.address.clone(), place)).collect(),
            account_places,
            domains,
            accounts,
            addresses: addresses.into_iter().map(Arc::new).collect(),
            limits,
            graph,
            own_names: OnceLock::new(),
        }
    }

    /// Counts changes; a change decided on this snapshot names it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn own_names(&self) -> &OwnNames {
        self.own_names.get_or_init(|| {
            OwnNames::new(
                &self.graph,
                self.addresses.iter().map(|record| (&record.address, &record.switches)),
                self.domains.iter().filter_map(super::names::domain_alias),
            )
        })
    }

    /// By name.
    pub fn domains(&self) -> &[DomainRecord] {
        &self.domains
    }

    pub fn domain(&self, name: &Domain) -> Option<&DomainRecord> {
        self.domain_places.get(name).map(|&place| &self.domains[place])
    }

    pub fn is_hosted(&self, domain: &Domain) -> bool {
        self.domain_places.contains_key(domain)
    }

    /// By domain, then by local part.
    pub fn addresses(&self) -> &[Arc<AddressRecord>] {
        &self.addresses
    }

    /// The address as it is written down: no detail, no domain alias, no catch-all is tried.
    pub fn address(&self, address: &Address) -> Option<&Arc<AddressRecord>> {
        self.address_places.get(&address.canonical()).map(|&place| &self.addresses[place])
    }

    /// By address, parked ones included.
    pub fn accounts(&self) -> &[AccountRecord] {
        &self.accounts
    }

    pub fn account_by_id(&self, account: AccountId) -> Option<&AccountRecord> {
        self.account_places.get(&account).map(|&place| &self.accounts[place])
    }

    /// The account in use at an address; parked ones are not found.
    pub fn account(&self, address: &Address) -> Option<&AccountRecord> {
        self.address(address)?.account.and_then(|id| self.account_by_id(id))
    }

    /// Who looks after the server: of the accounts in use that are marked as administrators, the first one made.
    pub fn administrator(&self) -> Option<&AccountRecord> {
        let in_use = |account: &&AccountRecord| !matches!(account.state, AccountState::Parked { .. });
        self.accounts.iter().filter(in_use).filter(|account| account.administrator).min_by_key(|account| account.id)
    }
}

/// What the graph wants to know of a domain.
pub fn graph_kind(kind: &store::DomainKind, catch_all: Option<&Address>) -> rules::DomainKind {
    match kind {
        store::DomainKind::Authoritative => rules::DomainKind::Authoritative { catch_all: catch_all.cloned() },
        store::DomainKind::Split { host, port } => rules::DomainKind::Split { host: format!("{host}:{port}") },
        store::DomainKind::AliasOf(domain) => rules::DomainKind::AliasOf(domain.clone()),
    }
}

/// What the graph wants to know of the account behind an address.
pub fn mailbox_state(account: Option<&AccountRecord>) -> MailboxState {
    match account.map(|account| &account.state) {
        Some(AccountState::Suspended) => MailboxState::Suspended,
        _ => MailboxState::Open,
    }
}
