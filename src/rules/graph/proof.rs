//! The save-time proof: one walk over all addresses that finds everything a message could run into.

use super::effects::{Effects, effects};
use super::{Change, DOMAIN_ALIAS_HOPS_MAX, DomainKind, Edge, NotTaken, RouteRef, View};
use crate::types::{Address, Domain};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

/// Why a change can't be made. Each names the addresses on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `target` as written, which is `address` itself or leads nowhere but back to it.
    ToItself {
        address: Address,
        target: Address,
    },
    /// Begins and ends with the same address; what was written stands between when it is another name for the next.
    Loop {
        path: Vec<Address>,
    },
    /// `address` sends to `target`, which is ours and takes no mail. `refusing` is the address that doesn't, when that is
    /// another.
    DeadTarget {
        address: Address,
        target: Address,
        refusing: Address,
        why: NotTaken,
    },
    DeadCatchAll {
        domain: Domain,
        catch_all: Address,
        why: NotTaken,
    },
    /// The domain is an alias of one that is not here.
    DeadDomainAlias {
        domain: Domain,
        target: Domain,
    },
    DomainLoop {
        path: Vec<Domain>,
    },
    /// Its mail would be accepted and kept nowhere.
    BlackHole {
        address: Address,
    },
    TooManyTargets {
        address: Address,
        count: usize,
        max: usize,
    },
    TooDeep {
        path: Vec<Address>,
        max: usize,
    },
    /// `count` is where counting ended, one beyond the limit.
    TooManyRecipients {
        address: Address,
        count: usize,
        max: usize,
    },
    AlreadyHosted {
        domain: Domain,
        how: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToItself { address, target } if address == target => {
                write!(formatter, "{address} would redirect to itself")
            }
            Self::ToItself { address, target } => {
                write!(formatter, "{address} would redirect to {target}, which is {address} itself")
            }
            Self::Loop { path } => write!(formatter, "mail would go in circles: {}", arrows(path)),
            Self::DeadTarget { address, target, refusing, why } => {
                write!(formatter, "{address} → {target}: ")?;
                dead(formatter, refusing, why)
            }
            Self::DeadCatchAll { domain, catch_all, why } => {
                write!(formatter, "the catch-all of {domain} → {catch_all}: ")?;
                dead(formatter, catch_all, why)
            }
            Self::DeadDomainAlias { domain, target } => {
                write!(formatter, "{domain} would be an alias of {target}, which is not hosted here")
            }
            Self::DomainLoop { path } => {
                write!(formatter, "domains would be aliases of each other in a circle: {}", arrows(path))
            }
            Self::BlackHole { address } => write!(
                formatter,
                "mail for {address} would be accepted and kept nowhere: give it a mailbox, a redirection, or a place \
                 for the copy"
            ),
            Self::TooManyTargets { address, count, max } => {
                write!(formatter, "{address} would redirect to {count} targets, and {max} are allowed")
            }
            Self::TooDeep { path, max } => write!(
                formatter,
                "mail would pass through {} addresses one after the other, and {max} are allowed: {}",
                path.len(),
                arrows(path)
            ),
            Self::TooManyRecipients { address, max, .. } => write!(
                formatter,
                "a message to {address} would reach more than {max} recipients through its redirections, and {max} are \
                 allowed"
            ),
            Self::AlreadyHosted { domain, how } => {
                write!(formatter, "authoritative domain detected: {domain} is already hosted here, {how}")
            }
        }
    }
}

fn arrows<T: fmt::Display>(path: &[T]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}

fn dead(formatter: &mut fmt::Formatter<'_>, address: &Address, why: &NotTaken) -> fmt::Result {
    match why {
        NotTaken::Unknown => write!(formatter, "{address} would be an address here that does not exist"),
        NotTaken::Paused => write!(formatter, "{address} would be paused and take no mail"),
    }
}

/// What a permitted change leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequences {
    /// For each address changed or made, where its mail will now end up.
    pub effects: Vec<Effects>,
    /// Other addresses whose mail comes through a changed one.
    pub also_affected: Vec<Address>,
}

pub(super) fn refusals(view: &View<'_>) -> Vec<Refusal> {
    let world = World::of(view);
    let mut refusals = world.dead.iter().map(Dead::refusal).collect::<Vec<_>>();
    domains(view, &mut refusals);
    for (name, node) in view.nodes() {
        if node.targets > view.graph.limits.redirection_targets_max {
            let (count, max) = (node.targets, view.graph.limits.redirection_targets_max);
            refusals.push(Refusal::TooManyTargets { address: name.clone(), count, max });
        }
        let answers_only = node.responder.as_ref().is_some_and(|responder| !responder.drops);
        if answers_only && node.mailbox.is_none() && node.edges.is_empty() {
            refusals.push(Refusal::BlackHole { address: name.clone() });
        }
    }
    let order = world.components();
    world.loops(&order, &mut refusals);
    world.reach(&order, view, &mut refusals);
    // The world is hashed and comes in any order; people and tests want the same one every time.
    refusals.sort_by_cached_key(ToString::to_string);
    refusals
}

pub(super) fn consequences(view: &View<'_>, changes: &[Change]) -> Consequences {
    let mut changed: Vec<Address> = Vec::new();
    for change in changes {
        match change {
            Change::SetAddress { address, .. } | Change::RemoveAddress(address) => {
                let address = address.canonical();
                if !changed.contains(&address) {
                    changed.push(address);
                }
            }
            Change::AddDomain { .. } | Change::SetDomain { .. } | Change::RemoveDomain(_) => {}
        }
    }
    let effects = changed.iter().map(|address| effects(view, address)).collect();
    Consequences { effects, also_affected: World::of(view).upstream(&changed) }
}

fn domains(view: &View<'_>, refusals: &mut Vec<Refusal>) {
    for (domain, kind) in view.domains() {
        match kind {
            DomainKind::Authoritative { catch_all: Some(catch_all) } => {
                // The catch-all itself is never caught, so its own route is asked without one.
                let route = view.route_uncaught(&catch_all.canonical());
                let why = match route {
                    RouteRef::Refused(_, why) => why,
                    RouteRef::Caught(..) => NotTaken::Unknown,
                    RouteRef::Local(..) | RouteRef::Outside(_) | RouteRef::Handover(..) => continue,
                };
                refusals.push(Refusal::DeadCatchAll { domain: domain.clone(), catch_all: catch_all.clone(), why });
            }
            DomainKind::AliasOf(target) if view.domain(target).is_none() => {
                refusals.push(Refusal::DeadDomainAlias { domain: domain.clone(), target: target.clone() });
            }
            DomainKind::AliasOf(target) => {
                let mut path = vec![domain.clone(), target.clone()];
                while let Some(DomainKind::AliasOf(next)) = path.last().and_then(|last| view.domain(last)) {
                    path.push(next.clone());
                    if path.len() > DOMAIN_ALIAS_HOPS_MAX || next == domain {
                        // Each domain of a circle finds it; the one told is that which begins with the smallest.
                        if path.iter().min() == Some(domain) || next != domain {
                            refusals.push(Refusal::DomainLoop { path });
                        }
                        break;
                    }
                }
            }
            DomainKind::Authoritative { catch_all: None } | DomainKind::Split { .. } => {}
        }
    }
}

/// A target of ours that takes no mail.
struct Dead<'v> {
    address: &'v Address,
    target: &'v Address,
    refusing: Address,
    why: NotTaken,
}

impl Dead<'_> {
    fn refusal(&self) -> Refusal {
        Refusal::DeadTarget {
            address: self.address.clone(),
            target: self.target.clone(),
            refusing: self.refusing.clone(),
            why: self.why.clone(),
        }
    }
}

/// The addresses that take mail, numbered, with their arrows between them.
struct World<'v> {
    names: Vec<&'v Address>,
    /// Whether a message stops here, among other things it may do.
    ends_here: Vec<bool>,
    arrows: Vec<Vec<Arrow<'v>>>,
    dead: Vec<Dead<'v>>,
}

struct Arrow<'v> {
    written: &'v Address,
    /// The catch-all it goes through.
    caught_by: Option<&'v Address>,
    to: To,
}

enum To {
    Here(usize),
    /// In the form under which one recipient counts once.
    Away(Address),
}

impl<'v> World<'v> {
    fn of(view: &'v View<'_>) -> Self {
        let nodes: Vec<_> = view.nodes().filter(|(_, node)| node.takes_mail()).collect();
        let numbers: HashMap<*const Address, usize> =
            nodes.iter().enumerate().map(|(number, (name, _))| (std::ptr::from_ref(*name), number)).collect();
        let mut world = Self {
            names: nodes.iter().map(|(name, _)| *name).collect(),
            ends_here: nodes.iter().map(|(_, node)| node.mailbox.is_some()).collect(),
            arrows: Vec::with_capacity(nodes.len()),
            dead: Vec::new(),
        };
        for (name, node) in nodes {
            let arrows = node.edges.iter().filter_map(|edge| world.arrow(view, &numbers, name, edge)).collect();
            world.arrows.push(arrows);
        }
        world
    }

    fn arrow(
        &mut self,
        view: &'v View<'_>,
        numbers: &HashMap<*const Address, usize>,
        address: &'v Address,
        edge: &'v Edge,
    ) -> Option<Arrow<'v>> {
        let (route, caught_by) = match view.route(&edge.key) {
            RouteRef::Caught(catch_all, inner) => (*inner, Some(catch_all)),
            route => (route, None),
        };
        let written = &edge.written;
        let to = match route {
            // Names are lent from the view's own maps, so the same address is the same place in memory; comparing places
            // spares a second hash of the text.
            RouteRef::Local(name) => To::Here(*numbers.get(&std::ptr::from_ref(name))?),
            RouteRef::Outside(away) => To::Away(away.canonical()),
            RouteRef::Handover(away, _) => To::Away(away),
            RouteRef::Refused(refusing, why) => {
                self.dead.push(Dead { address, target: written, refusing, why });
                return None;
            }
            RouteRef::Caught(..) => return None,
        };
        Some(Arrow { written, caught_by, to })
    }

    fn next(&self, from: usize) -> impl Iterator<Item = (usize, &Arrow<'v>)> {
        self.arrows[from].iter().filter_map(|arrow| match arrow.to {
            To::Here(number) => Some((number, arrow)),
            To::Away(_) => None,
        })
    }

    /// Tarjan's strongly connected components, each after those it leads to. On a stack of its own: a chain of addresses
    /// is outside data, and ten thousand long in the worst case.
    fn components(&self) -> Vec<Vec<usize>> {
        const UNSEEN: usize = usize::MAX;
        let count = self.names.len();
        let (mut index, mut low) = (vec![UNSEEN; count], vec![0; count]);
        let (mut open, mut is_open) = (Vec::new(), vec![false; count]);
        let mut components = Vec::with_capacity(count);
        let mut walk: Vec<(usize, usize)> = Vec::new();
        let mut clock = 0;
        for root in 0..count {
            if index[root] != UNSEEN {
                continue;
            }
            walk.push((root, 0));
            while let Some((at, step)) = walk.pop() {
                if step == 0 {
                    (index[at], low[at]) = (clock, clock);
                    clock += 1;
                    open.push(at);
                    is_open[at] = true;
                }
                let Some(arrow) = self.arrows[at].get(step) else {
                    if low[at] == index[at] {
                        let start = open.iter().rposition(|&member| member == at).unwrap_or(0);
                        let component = open.split_off(start);
                        component.iter().for_each(|&member| is_open[member] = false);
                        components.push(component);
                    }
                    if let Some(&(parent, _)) = walk.last() {
                        low[parent] = low[parent].min(low[at]);
                    }
                    continue;
                };
                walk.push((at, step + 1));
                if let To::Here(next) = arrow.to {
                    if index[next] == UNSEEN {
                        walk.push((next, 0));
                    } else if is_open[next] {
                        low[at] = low[at].min(index[next]);
                    }
                }
            }
        }
        components
    }

    fn is_loop(&self, component: &[usize]) -> bool {
        component.len() > 1 || component.iter().any(|&only| self.next(only).any(|(next, _)| next == only))
    }

    /// One circle for each knot, the shortest through its first address by name: the rest is seen when that one is cut.
    fn loops(&self, components: &[Vec<usize>], refusals: &mut Vec<Refusal>) {
        for component in components.iter().filter(|component| self.is_loop(component)) {
            // A direct arrow back to its own address is the commonest mistake, and has its own words.
            let mut itself = false;
            for &member in component {
                for (_, arrow) in self.next(member).filter(|(next, _)| *next == member) {
                    let (address, target) = (self.names[member].clone(), arrow.written.canonical());
                    refusals.push(Refusal::ToItself { address, target });
                    itself = true;
                }
            }
            if !itself && let Some(&start) = component.iter().min_by_key(|&&member| self.names[member]) {
                let members: HashSet<usize> = component.iter().copied().collect();
                refusals.push(Refusal::Loop { path: self.circle(start, &members) });
            }
        }
    }

    /// The shortest way from an address back to it, among the members of its component.
    fn circle(&self, start: usize, members: &HashSet<usize>) -> Vec<Address> {
        let mut came: HashMap<usize, (usize, &Arrow<'v>)> = HashMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(at) = waiting.pop_front() {
            for (next, arrow) in self.next(at).filter(|(next, _)| members.contains(next)) {
                if let std::collections::hash_map::Entry::Vacant(entry) = came.entry(next) {
                    entry.insert((at, arrow));
                    waiting.push_back(next);
                }
            }
        }
        let mut path = vec![self.names[start].clone()];
        let mut at = start;
        // Backwards, each step once at most: every address has one way it was first come to.
        while let Some((from, arrow)) = came.remove(&at) {
            if arrow.written.canonical() != path[path.len() - 1] {
                path.push(arrow.written.clone());
            }
            path.push(self.names[from].clone());
            at = from;
            if at == start {
                break;
            }
        }
        path.reverse();
        path
    }

    /// Chains too long and fans too wide, over the addresses that lead into no circle.
    fn reach(&self, components: &[Vec<usize>], view: &View<'_>, refusals: &mut Vec<Refusal>) {
        let limits = &view.graph.limits;
        // Components come children first, so one pass suffices. Recipients are counted as if none were reached twice,
        // which is an upper bound and cheap; only where it is above the limit, each is counted once.
        let mut depth: Vec<Option<usize>> = vec![None; self.names.len()];
        let mut at_most: Vec<usize> = vec![0; self.names.len()];
        let mut is_target = vec![false; self.names.len()];
        for component in components {
            let &[at] = component.as_slice() else { continue };
            let mut deepest = Some(0);
            let mut recipients = usize::from(self.ends_here[at]);
            for arrow in &self.arrows[at] {
                match arrow.to {
                    To::Here(next) => {
                        deepest = deepest.zip(depth[next]).map(|(deepest, below)| deepest.max(below));
                        recipients = recipients.saturating_add(at_most[next]);
                    }
                    To::Away(_) => recipients = recipients.saturating_add(1),
                }
            }
            depth[at] = deepest.map(|below| below + 1);
            at_most[at] = recipients;
            if deepest.is_some() {
                self.next(at).for_each(|(next, _)| is_target[next] = true);
            }
        }
        // Whatever a target reaches, those that send to it reach as well: only the first of each chain needs a look.
        let firsts = || (0..self.names.len()).filter(|&at| !is_target[at]);
        for at in firsts().filter(|&at| depth[at].is_some_and(|deep| deep > limits.address_hops_max)) {
            refusals.push(Refusal::TooDeep { path: self.longest(at, &depth), max: limits.address_hops_max });
        }
        let max = limits.expanded_recipients_max;
        for at in firsts().filter(|&at| depth[at].is_some() && at_most[at] > max) {
            let count = self.recipients(at, max + 1);
            if count > max {
                refusals.push(Refusal::TooManyRecipients { address: self.names[at].clone(), count, max });
            }
        }
    }

    fn longest(&self, start: usize, depth: &[Option<usize>]) -> Vec<Address> {
        let mut path = vec![self.names[start].clone()];
        let mut at = start;
        while let Some((next, _)) =
            self.next(at).max_by_key(|(next, _)| (depth[*next], std::cmp::Reverse(self.names[*next])))
        {
            path.push(self.names[next].clone());
            at = next;
        }
        path
    }

    /// Recipients a message to the address reaches, each once; no further than `enough`.
    fn recipients(&self, start: usize, enough: usize) -> usize {
        let mut seen: HashSet<usize> = HashSet::from([start]);
        let mut away: HashSet<&Address> = HashSet::new();
        let mut waiting = vec![start];
        let mut here = 0;
        while let Some(at) = waiting.pop() {
            here += usize::from(self.ends_here[at]);
            for arrow in &self.arrows[at] {
                match &arrow.to {
                    To::Here(next) if seen.insert(*next) => waiting.push(*next),
                    To::Here(_) => {}
                    To::Away(address) => {
                        away.insert(address);
                    }
                }
            }
            if here + away.len() >= enough {
                return enough;
            }
        }
        here + away.len()
    }

    /// Addresses that lead to one of those given, by whatever name, without these themselves.
    fn upstream(&self, changed: &[Address]) -> Vec<Address> {
        let mut senders: Vec<Vec<usize>> = vec![Vec::new(); self.names.len()];
        let mut waiting: Vec<usize> = Vec::new();
        let mut seen: HashSet<usize> = HashSet::new();
        let is_changed = |address: &Address| changed.contains(address);
        for (from, arrows) in self.arrows.iter().enumerate() {
            for arrow in arrows {
                if let To::Here(next) = arrow.to {
                    senders[next].push(from);
                }
                // A removed address is in no list any more; its name may still be in an arrow that something else catches.
                let name = arrow.written.canonical();
                let named = is_changed(&name)
                    || arrow.caught_by.is_some_and(is_changed)
                    || name.without_detail().is_some_and(|(base, _)| is_changed(&base));
                if named && seen.insert(from) {
                    waiting.push(from);
                }
            }
        }
        waiting.extend((0..self.names.len()).filter(|&at| is_changed(self.names[at]) && seen.insert(at)));
        while let Some(at) = waiting.pop() {
            waiting.extend(senders[at].iter().copied().filter(|&from| seen.insert(from)));
        }
        let mut upstream: Vec<Address> =
            seen.into_iter().map(|at| self.names[at].clone()).filter(|name| !is_changed(name)).collect();
        upstream.sort_unstable();
        upstream
    }
}
