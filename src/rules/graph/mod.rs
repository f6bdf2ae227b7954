//! All domains and addresses at once: where mail to an address goes, and whether a change may be made.
//!
//! What an address means, in this order:
//! 1. its domain is not hosted: it is outside;
//! 2. the address itself is here and takes mail: it is that one. Is all of it paused, its mail is refused, and no catch-all
//!    gets it: pausing an address would do nothing otherwise;
//! 3. the same for the address without its `+detail` (RFC 5233);
//! 4. the domain is an alias of another: the same local part there, from 1 on;
//! 5. the domain is split: the address is handed to the other server;
//! 6. the domain has a catch-all: it is that address, which must exist itself or be outside;
//! 7. it is refused.
//!
//! The graph holds what routes mail and no texts: a change is proved on a view laid over it, without copying it.

mod effects;
mod proof;
#[cfg(test)]
mod tests;
mod world;

pub use effects::{Effect, Effects, End};
pub use proof::{Consequences, Refusal};

use super::Limits;
use crate::types::{Address, Domain, Received, Switches, Window};
use std::collections::HashMap;

/// How a domain is hosted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainKind {
    /// All its addresses are here; others are refused, or caught.
    Authoritative {
        catch_all: Option<Address>,
    },
    /// Addresses unknown here are handed to the server named. A catch-all would leave it nothing, so there is none.
    Split {
        host: String,
    },
    AliasOf(Domain),
}

/// Whether the account behind a mailbox may log in. Mail arrives either way: suspending somebody must not lose mail, nor
/// be refused because an alias points at him.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailboxState {
    #[default]
    Open,
    Suspended,
}

/// One step of a change. Several steps are proved together, as what they leave behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // a change has a step or two: a box would only be in everybody's way
pub enum Change {
    /// A new address, or new switches of an old one.
    SetAddress {
        address: Address,
        switches: Switches,
        mailbox: MailboxState,
    },
    RemoveAddress(Address),
    /// A domain that must not be here yet.
    AddDomain {
        domain: Domain,
        kind: DomainKind,
    },
    SetDomain {
        domain: Domain,
        kind: DomainKind,
    },
    RemoveDomain(Domain),
}

/// Why mail to an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotTaken {
    /// The domain is here, the address isn't.
    Unknown,
    /// The address is here, and all of it is paused.
    Paused,
}

/// Where an address leads in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// An address of ours that takes mail, under its own name.
    Local(Address),
    Outside(Address),
    /// For the other server of a split domain.
    Handover {
        address: Address,
        host: String,
    },
    Refused {
        address: Address,
        why: NotTaken,
    },
}

/// An address's switches, less what does not route. Addresses behind it are kept in canonical form beside the written one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    mailbox: Option<MailboxState>,
    /// Whether the mailbox stores what no responder drops.
    keeps: bool,
    edges: Vec<Edge>,
    /// With those that are paused: the limit is on what is saved.
    targets: usize,
    responder: Option<NodeResponder>,
    /// Something is paused.
    paused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    kind: EdgeKind,
    written: Address,
    key: Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EdgeKind {
    Alias,
    Redirection,
    CopyTo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NodeResponder {
    window: Option<Window>,
    every_seconds: u32,
    drops: bool,
}

impl Node {
    fn new(switches: &Switches, mailbox: MailboxState) -> Self {
        let redirection = switches.redirection.as_ref();
        let active = redirection.filter(|redirection| !redirection.paused);
        let responder = switches.responder.as_ref().filter(|responder| !responder.paused);
        let mut edges = Vec::new();
        let mut edge = |kind, written: &Address| {
            edges.push(Edge { kind, written: written.clone(), key: written.canonical() });
        };
        for alias in switches.alias.iter().filter(|alias| !alias.paused) {
            edge(EdgeKind::Alias, &alias.owner);
        }
        for target in active.iter().flat_map(|active| &active.targets).filter(|target| !target.paused) {
            edge(EdgeKind::Redirection, &target.address);
        }
        let sends = edges.iter().any(|edge| edge.kind == EdgeKind::Redirection);
        if let Some(Received::CopyTo(target)) = responder.map(|responder| &responder.received)
            && !switches.mailbox
        {
            edges.push(Edge { kind: EdgeKind::CopyTo, written: target.clone(), key: target.canonical() });
        }
        Self {
            mailbox: switches.mailbox.then_some(mailbox),
            keeps: switches.mailbox && (!sends || active.is_some_and(|active| active.keep)),
            edges,
            targets: redirection.map_or(0, |redirection| redirection.targets.len()),
            responder: responder.map(|responder| NodeResponder {
                window: responder.window.clone(),
                every_seconds: responder.every_seconds,
                drops: responder.received == Received::Drop,
            }),
            paused: switches.alias.as_ref().is_some_and(|alias| alias.paused)
                || redirection.is_some_and(|redirection| redirection.paused || !sends)
                || switches.responder.as_ref().is_some_and(|responder| responder.paused),
        }
    }

    fn takes_mail(&self) -> bool {
        self.mailbox.is_some() || !self.edges.is_empty() || self.responder.is_some()
    }

    /// Neither on nor paused: the address is not there.
    fn is_empty(&self) -> bool {
        !self.takes_mail() && !self.paused
    }
}

/// The whole world of addresses, as it is stored.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    limits: Limits,
    domains: HashMap<Domain, DomainKind>,
    addresses: HashMap<Address, Node>,
}

impl Graph {
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Makes a change without asking whether it is a good one: for loading what is stored, and after [`Self::prove_change`].
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::SetAddress { address, switches, mailbox } => self.set_address(address, switches, *mailbox),
            Change::RemoveAddress(address) => {
                self.addresses.remove(&address.canonical());
            }
            Change::AddDomain { domain, kind } | Change::SetDomain { domain, kind } => {
                self.set_domain(domain.clone(), kind.clone());
            }
            Change::RemoveDomain(domain) => {
                self.domains.remove(domain);
                self.addresses.retain(|address, _| address.domain() != domain);
            }
        }
    }

    pub fn set_address(&mut self, address: &Address, switches: &Switches, mailbox: MailboxState) {
        self.addresses.insert(address.canonical(), Node::new(switches, mailbox));
    }

    pub fn set_domain(&mut self, domain: Domain, kind: DomainKind) {
        self.domains.insert(domain, kind);
    }

    /// The same with changes laid over it; nothing is copied.
    pub fn with<'g>(&'g self, changes: &'g [Change]) -> Changed<'g> {
        let mut view = View::of(self);
        changes.iter().for_each(|change| view.lay(change));
        Changed(view)
    }

    /// Where mail to an address goes first.
    pub fn resolve(&self, address: &Address) -> Route {
        View::of(self).resolve(address)
    }

    /// Every rule
    /// Every rule of the whole world, as it is.
    pub fn prove(&self) -> Result<(), Vec<Refusal>> {
        let refusals = proof::refusals(&View::of(self));
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    /// Whether the changes, taken together, may be made. What was wrong before they are made is not held against them: an
    /// unrelated change must go through, and so must one that mends half of it.
    pub fn prove_change(&self, changes: &[Change]) -> Result<Consequences, Vec<Refusal>> {
        let mut view = View::of(self);
        let mut refusals = Vec::new();
        for change in changes {
            if let Change::AddDomain { domain, .. } = change
                && let Some(how) = view.hosted_as(domain)
            {
                refusals.push(Refusal::AlreadyHosted { domain: domain.clone(), how });
            }
            view.lay(change);
        }
        for change in changes {
            if let Change::SetAddress { address, .. } = change
                && view.domain(address.domain()).is_none()
            {
                refusals.push(Refusal::NotHosted { address: address.clone() });
            }
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let (world, mut refusals) = proof::judge(&view);
        if !refusals.is_empty() {
            let before = proof::refusals(&View::of(self));
            refusals.retain(|refusal| !before.contains(refusal));
        }
        if refusals.is_empty() { Ok(proof::consequences(&view, &world, changes)) } else { Err(refusals) }
    }

    /// Where mail to an address ends up.
    pub fn effects(&self, address: &Address) -> Effects {
        effects::effects(&View::of(self), address)
    }

    /// In which way a domain is hosted, in words; nothing if it isn't.
    pub fn hosted_as(&self, domain: &Domain) -> Option<String> {
        View::of(self).hosted_as(domain)
    }
}

/// A graph with changes laid over it.
pub struct Changed<'g>(View<'g>);

/// What tells where mail to an address goes first: the graph as it is, or as it is about to be.
pub trait Routes {
    fn resolve(&self, address: &Address) -> Route;
}

impl Routes for Graph {
    fn resolve(&self, address: &Address) -> Route {
        View::of(self).resolve(address)
    }
}

impl Routes for Changed<'_> {
    fn resolve(&self, address: &Address) -> Route {
        self.0.resolve(address)
    }
}

/// The graph with changes laid over it.
struct View<'g> {
    graph: &'g Graph,
    domains: HashMap<&'g Domain, Option<&'g DomainKind>>,
    addresses: HashMap<Address, Option<Node>>,
}

/// [`Route`] with what the proofs need to know.
enum RouteRef<'v> {
    Local(&'v Address),
    Outside(Address),
    Handover(Address, &'v str),
    Refused(Address, NotTaken),
    /// By the catch-all named, whose own route is inside and is never caught again.
    Caught(&'v Address, Box<RouteRef<'v>>),
}

/// Domains that are aliases of aliases; a chain beyond is a loop, or as useless as one.
const DOMAIN_ALIAS_HOPS_MAX: usize = 8;

impl<'g> View<'g> {
    fn of(graph: &'g Graph) -> Self {
        Self { graph, domains: HashMap::new(), addresses: HashMap::new() }
    }

    fn lay(&mut self, change: &'g Change) {
        match change {
            Change::SetAddress { address, switches, mailbox } => {
                self.addresses.insert(address.canonical(), Some(Node::new(switches, *mailbox)));
            }
            Change::RemoveAddress(address) => {
                self.addresses.insert(address.canonical(), None);
            }
            Change::AddDomain { domain, kind } | Change::SetDomain { domain, kind } => {
                self.domains.insert(domain, Some(kind));
            }
            Change::RemoveDomain(domain) => {
                self.domains.insert(domain, None);
                let gone = |address: &&Address| address.domain() == domain;
                for address in self.graph.addresses.keys().filter(gone) {
                    self.addresses.insert(address.clone(), None);
                }
                self.addresses.iter_mut().filter(|(address, _)| gone(address)).for_each(|(_, node)| *node = None);
            }
        }
    }

    fn domain(&self, domain: &Domain) -> Option<&DomainKind> {
        match self.domains.get(domain) {
            Some(laid) => *laid,
            None => self.graph.domains.get(domain),
        }
    }

    fn domains(&self) -> impl Iterator<Item = (&Domain, &DomainKind)> {
        let below = self.graph.domains.iter().filter(|(domain, _)| !self.domains.contains_key(domain));
        below.chain(self.domains.iter().filter_map(|(domain, kind)| Some((*domain, (*kind)?))))
    }

    fn node(&self, key: &Address) -> Option<(&Address, &Node)> {
        // No view is laid most of the time; a hash less counts in a proof of everything.
        let found = match if self.addresses.is_empty() { None } else { self.addresses.get_key_value(key) } {
            Some((name, laid)) => laid.as_ref().map(|node| (name, node)),
            None => self.graph.addresses.get_key_value(key),
        };
        found.filter(|(_, node)| !node.is_empty())
    }

    /// Every address of a hosted domain.
    fn nodes(&self) -> impl Iterator<Item = (&Address, &Node)> {
        let below = self.graph.addresses.iter().filter(|(name, _)| !self.addresses.contains_key(name));
        let laid = self.addresses.iter().filter_map(|(name, node)| Some((name, node.as_ref()?)));
        below.chain(laid).filter(|(name, _)| self.domain(name.domain()).is_some())
    }

    fn resolve(&self, address: &Address) -> Route {
        let (route, written) = match self.route(&address.canonical()) {
            RouteRef::Caught(catch_all, inner) => (*inner, catch_all),
            route => (route, address),
        };
        match route {
            RouteRef::Local(name) => Route::Local(name.clone()),
            // As it was written: who isn't here may tell capitals apart (RFC 5321 section 2.4).
            RouteRef::Outside(_) => Route::Outside(written.clone()),
            RouteRef::Handover(address, host) => Route::Handover { address, host: host.to_owned() },
            RouteRef::Refused(address, why) => Route::Refused { address, why },
            RouteRef::Caught(catch_all, _) => Route::Refused { address: catch_all.clone(), why: NotTaken::Unknown },
        }
    }

    fn route(&self, key: &Address) -> RouteRef<'_> {
        match self.route_uncaught(key) {
            RouteRef::Caught(catch_all, _) => {
                let inner = match self.route_uncaught(&catch_all.canonical()) {
                    RouteRef::Caught(catch_all, _) => RouteRef::Refused(catch_all.clone(), NotTaken::Unknown),
                    other => other,
                };
                RouteRef::Caught(catch_all, Box::new(inner))
            }
            other => other,
        }
    }

    /// The rules 1 to 7 up to the catch-all, whose own address is left to the caller.
    fn route_uncaught(&self, key: &Address) -> RouteRef<'_> {
        let Some(mut kind) = self.domain(key.domain()) else { return RouteRef::Outside(key.clone()) };
        let mut key = std::borrow::Cow::Borrowed(key);
        for _ in 0..DOMAIN_ALIAS_HOPS_MAX {
            let found = self.node(&key).or_else(|| key.without_detail().and_then(|(base, _)| self.node(&base)));
            if let Some((name, node)) = found {
                return if node.takes_mail() {
                    RouteRef::Local(name)
                } else {
                    RouteRef::Refused(name.clone(), NotTaken::Paused)
                };
            }
            match kind {
                DomainKind::Authoritative { catch_all: Some(catch_all) } => {
                    let nowhere = RouteRef::Refused(catch_all.clone(), NotTaken::Unknown);
                    return RouteRef::Caught(catch_all, Box::new(nowhere));
                }
                DomainKind::Authoritative { catch_all: None } => break,
                DomainKind::Split { host } => return RouteRef::Handover(key.into_owned(), host),
                DomainKind::AliasOf(domain) => {
                    let Some(next) = self.domain(domain) else { break };
                    (kind, key) = (next, std::borrow::Cow::Owned(key.with_domain(domain.clone())));
                }
            }
        }
        RouteRef::Refused(key.into_owned(), NotTaken::Unknown)
    }

    fn hosted_as(&self, domain: &Domain) -> Option<String> {
        let addresses = || match self.nodes().filter(|(name, _)| name.domain() == domain).count() {
            1 => "1 address".to_owned(),
            count => format!("{count} addresses"),
        };
        Some(match self.domain(domain)? {
            DomainKind::Authoritative { .. } => format!("as an authoritative domain with {}", addresses()),
            DomainKind::Split { host } => {
                format!("as a split domain with {}, whose others are handed to {host}", addresses())
            }
            DomainKind::AliasOf(other) => format!("as an alias of {other}"),
        })
    }
}
