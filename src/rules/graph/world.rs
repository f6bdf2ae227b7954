//! The addresses as numbers with arrows between them, and the walks over these that the proof is made of. None recurses and
//! none is longer than the world, whatever is stored in it.

use super::proof::Refusal;
use super::{Edge, NotTaken, RouteRef, View};
use crate::types::Address;
use std::collections::{HashMap, HashSet, VecDeque};

/// A target of ours that takes no mail.
pub(super) struct Dead<'v> {
    address: &'v Address,
    target: &'v Address,
    refusing: Address,
    why: NotTaken,
}

impl Dead<'_> {
    pub(super) fn refusal(&self) -> Refusal {
        Refusal::DeadTarget {
            address: self.address.clone(),
            target: self.target.clone(),
            refusing: self.refusing.clone(),
            why: self.why.clone(),
        }
    }
}

/// The addresses that take mail, numbered, with their arrows between them.
pub(super) struct World<'v> {
    names: Vec<&'v Address>,
    /// Whether a message stops here, among other things it may do.
    ends_here: Vec<bool>,
    arrows: Vec<Vec<Arrow<'v>>>,
    pub(super) dead: Vec<Dead<'v>>,
}

struct Arrow<'v> {
    written: &'v Address,
    /// The catch-all it goes through.
    caught_by: Option<&'v Address>,
    to: To,
}

/// Who is reached, as numbers of recipients in blocks of 64.
enum Crowd {
    Reached(Vec<(usize, u64)>),
    TooMany,
    /// The way goes in circles, so there is no counting.
    Circle,
}

enum To {
    Here(usize),
    /// In the form under which one recipient counts once.
    Away(Address),
}

impl<'v> World<'v> {
    pub(super) fn of(view: &'v View<'_>) -> Self {
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
    pub(super) fn components(&self) -> Vec<Vec<usize>> {
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
    pub(super) fn loops(&self, components: &[Vec<usize>], refusals: &mut Vec<Refusal>) {
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
    pub(super) fn reach(&self, components: &[Vec<usize>], view: &View<'_>, refusals: &mut Vec<Refusal>) {
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
        let suspects: Vec<usize> = firsts().filter(|&at| depth[at].is_some() && at_most[at] > max).collect();
        if !suspects.is_empty() {
            let crowds = self.crowds(components, max);
            for at in suspects.into_iter().filter(|&at| matches!(crowds[at], Crowd::TooMany)) {
                refusals.push(Refusal::TooManyRecipients { address: self.names[at].clone(), max });
            }
        }
    }

    /// Who is reached from each address, each recipient once. Children first, a set from the sets below it: a walk from
    /// every address would see what they share again and again.
    fn crowds(&self, components: &[Vec<usize>], max: usize) -> Vec<Crowd> {
        let mut crowds: Vec<Crowd> = (0..self.names.len()).map(|_| Crowd::Circle).collect();
        let mut away: HashMap<&Address, usize> = HashMap::new();
        let mut recipients = 0;
        let mut number = || {
            recipients += 1;
            recipients - 1
        };
        let mut union: Vec<u64> = Vec::new();
        for component in components {
            let &[at] = component.as_slice() else { continue };
            let mut touched: Vec<usize> = Vec::new();
            let mut crowd = Some(0);
            let mut join = |block: usize, bits: u64, crowd: &mut Option<usize>| {
                if union.len() <= block {
                    union.resize(block + 1, 0);
                }
                if union[block] == 0 {
                    touched.push(block);
                }
                let new = (bits & !union[block]).count_ones() as usize;
                union[block] |= bits;
                *crowd = crowd.map(|count| count + new).filter(|&count| count <= max);
            };
            if self.ends_here[at] {
                let own = number();
                join(own / 64, 1 << (own % 64), &mut crowd);
            }
            let mut circle = false;
            for arrow in &self.arrows[at] {
                match &arrow.to {
                    To::Away(address) => {
                        let own = *away.entry(address).or_insert_with(&mut number);
                        join(own / 64, 1 << (own % 64), &mut crowd);
                    }
                    To::Here(next) => match &crowds[*next] {
                        Crowd::Reached(blocks) => {
                            blocks.iter().for_each(|&(block, bits)| join(block, bits, &mut crowd));
                        }
                        Crowd::TooMany => crowd = None,
                        Crowd::Circle => circle = true,
                    },
                }
                if crowd.is_none() {
                    break;
                }
            }
            crowds[at] = match crowd {
                _ if circle => Crowd::Circle,
                None => Crowd::TooMany,
                Some(_) => Crowd::Reached(touched.iter().map(|&block| (block, union[block])).collect()),
            };
            touched.into_iter().for_each(|block| union[block] = 0);
        }
        crowds
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

    /// Addresses that lead to one of those given, by whatever name, without these themselves.
    pub(super) fn upstream(&self, changed: &[Address]) -> Vec<Address> {
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
