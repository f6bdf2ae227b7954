//! The save-time proof: everything a message could run into, found before the first one does, and told in words.

use super::effects::{Effects, effects};
use super::world::World;
use super::{Change, DOMAIN_ALIAS_HOPS_MAX, DomainKind, NotTaken, RouteRef, View};
use crate::types::{Address, Domain};
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
    TooManyRecipients {
        address: Address,
        max: usize,
    },
    /// The address would be in a domain that is not here.
    NotHosted {
        address: Address,
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
            Self::TooManyRecipients { address, max } => write!(
                formatter,
                "a message to {address} would reach more than {max} recipients through its redirections, and {max} are \
                 allowed"
            ),
            Self::NotHosted { address } => {
                write!(formatter, "{address}: the domain {} is not hosted here; add it first", address.domain())
            }
            Self::AlreadyHosted { domain, how } => {
                write!(formatter, "authoritative domain detected: {domain} is already hosted here, {how}")
            }
        }
    }
}

/// The way, with the middle of a very long one left out: nobody reads it, and it must fit a reply.
fn arrows<T: fmt::Display>(path: &[T]) -> String {
    const SHOWN_MAX: usize = 40;
    let words = |part: &[T]| part.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ");
    if path.len() <= SHOWN_MAX {
        return words(path);
    }
    let (first, last) = (&path[..SHOWN_MAX / 2], &path[path.len() - SHOWN_MAX / 2..]);
    format!("{} → ({} more) → {}", words(first), path.len() - SHOWN_MAX, words(last))
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
    refusals_in(&World::of(view), view)
}

/// The world after a change, and all that is wrong in it.
pub(super) fn judge<'v>(view: &'v View<'_>) -> (World<'v>, Vec<Refusal>) {
    let world = World::of(view);
    let refusals = refusals_in(&world, view);
    (world, refusals)
}

fn refusals_in(world: &World<'_>, view: &View<'_>) -> Vec<Refusal> {
    let mut refusals = world.dead.iter().map(super::world::Dead::refusal).collect::<Vec<_>>();
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

pub(super) fn consequences(view: &View<'_>, world: &World<'_>, changes: &[Change]) -> Consequences {
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
    Consequences { effects, also_affected: world.upstream(&changed) }
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
