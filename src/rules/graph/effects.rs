//! Where mail to an address ends up, as data and in words: what a change prints, and what `show` shows.

use super::{EdgeKind, MailboxState, NodeResponder, NotTaken, RouteRef, View};
use crate::rules::describe::{interval, window_in_words};
use crate::types::{Address, Window};
use std::collections::HashSet;
use std::fmt;

/// All that a message to the address leads to, in the order in which it does. Where two ways lead to one place, the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    pub address: Address,
    pub list: Vec<Effect>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The addresses on the way, from the one written to up to the one that causes this.
    pub via: Vec<Address>,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Stored {
        mailbox: Address,
        state: MailboxState,
    },
    /// There is a mailbox, which keeps only spam and what may not be redirected.
    Passed {
        mailbox: Address,
    },
    Sent(Address),
    /// To the other server of a split domain.
    Handed {
        address: Address,
        host: String,
    },
    Answered {
        by: Address,
        every_seconds: u32,
        window: Option<Window>,
        /// While it answers, nothing is stored here or passed on to the alias's owner.
        drops: bool,
    },
    Refused {
        address: Address,
        why: NotTaken,
    },
    /// The way leads back to where it has been.
    Circle(Address),
    /// Through more addresses than a message may pass.
    TooFar(Address),
}

impl Effects {
    /// One line for each effect, without a full stop. Never empty.
    pub fn lines(&self) -> Vec<String> {
        self.list.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            End::Stored { mailbox, state: MailboxState::Open } => write!(formatter, "kept in the mailbox {mailbox}")?,
            End::Stored { mailbox, state: MailboxState::Suspended } => {
                write!(
                    formatter,
                    "put off (450) as the account {mailbox} is suspended; what is redirected to it is kept"
                )?;
            }
            End::Passed { mailbox } => write!(formatter, "not kept in the mailbox {mailbox}, unless it is spam")?,
            End::Sent(target) => write!(formatter, "sent to {target}")?,
            End::Handed { address, host } if self.via.first() == Some(address) => {
                write!(formatter, "handed to {host}")?;
            }
            End::Handed { address, host } => write!(formatter, "handed to {host} for {address}")?,
            End::Answered { by, every_seconds, window, drops } => {
                let window =
                    window.as_ref().and_then(window_in_words).map_or_else(String::new, |words| format!(" {words}"));
                let drops = if *drops { ", and then not kept" } else { "" };
                write!(
                    formatter,
                    "answered from {by} once in {} for each sender{window}{drops}",
                    interval(*every_seconds)
                )?;
            }
            End::Refused { address, why: NotTaken::Unknown } => {
                write!(formatter, "refused: there is no {address} here")?;
            }
            End::Refused { address, why: NotTaken::Paused } => write!(formatter, "refused: {address} is paused")?,
            End::Circle(address) => write!(formatter, "going in circles at {address}")?,
            End::TooFar(address) => write!(formatter, "given up at {address}, after too many addresses")?,
        }
        // The first is what was asked for, and the last is named above already.
        let between = self.via.get(1..).unwrap_or_default();
        let named = match &self.end {
            End::Stored { mailbox: last, .. } | End::Passed { mailbox: last } | End::Answered { by: last, .. } => {
                between.iter().filter(|address| *address != last).map(ToString::to_string).collect::<Vec<_>>()
            }
            _ => between.iter().map(ToString::to_string).collect(),
        };
        if !named.is_empty() {
            write!(formatter, ", by way of {}", named.join(", "))?;
        }
        Ok(())
    }
}

/// Breadth first, so that the shortest way to each place is the one told. Every address is entered once, which bounds the
/// walk by the size of the world also where there are circles.
pub(super) fn effects(view: &View<'_>, address: &Address) -> Effects {
    let mut walk =
        Walk { view, entered: HashSet::new(), reached: HashSet::new(), waiting: Vec::new(), list: Vec::new() };
    walk.arrive(address, std::slice::from_ref(address));
    let mut next = 0;
    while next < walk.waiting.len() {
        let (name, via) = walk.waiting[next].clone();
        next += 1;
        walk.enter(&name, &via);
    }
    Effects { address: address.clone(), list: walk.list }
}

struct Walk<'v, 'g> {
    view: &'v View<'g>,
    entered: HashSet<Address>,
    reached: HashSet<Address>,
    waiting: Vec<(Address, Vec<Address>)>,
    list: Vec<Effect>,
}

impl Walk<'_, '_> {
    /// `via` ends with the address written.
    fn arrive(&mut self, written: &Address, via: &[Address]) {
        // Names that lead to others (a detail, a catch-all) are in the list too, so it may be this much longer.
        let hops_max = self.view.graph.limits.address_hops_max.saturating_mul(3);
        let mut via = via.to_vec();
        let mut route = self.view.route(&written.canonical());
        let mut sent = written.clone();
        if let RouteRef::Caught(catch_all, inner) = route {
            sent = catch_all.clone();
            via.push(catch_all.clone());
            route = *inner;
        }
        let end = match route {
            RouteRef::Local(name) => {
                // Another spelling is no station of its own; the address asked for stays as it was asked.
                if via.len() > 1 && via.last().is_some_and(|last| last.canonical() == *name) {
                    via.pop();
                }
                if via.last() != Some(name) {
                    via.push(name.clone());
                }
                if via[..via.len() - 1].contains(name) && self.entered.contains(name) {
                    self.list.push(Effect { end: End::Circle(name.clone()), via });
                } else if via.len() > hops_max {
                    self.list.push(Effect { end: End::TooFar(name.clone()), via });
                } else if self.entered.insert(name.clone()) {
                    self.waiting.push((name.clone(), via));
                }
                return;
            }
            RouteRef::Outside(_) => End::Sent(sent),
            RouteRef::Handover(address, host) => End::Handed { address, host: host.to_owned() },
            RouteRef::Refused(address, why) => End::Refused { address, why },
            RouteRef::Caught(..) => return,
        };
        // What is sent is named by the effect; the way ends before it.
        if via.len() > 1 {
            via.pop();
        }
        let place = match &end {
            End::Sent(address) | End::Handed { address, .. } | End::Refused { address, .. } => address.canonical(),
            _ => return,
        };
        if self.reached.insert(place) {
            self.list.push(Effect { via, end });
        }
    }

    fn enter(&mut self, name: &Address, via: &[Address]) {
        let Some((_, node)) = self.view.node(name) else { return };
        let effect = |end| Effect { via: via.to_vec(), end };
        if let Some(NodeResponder { window, every_seconds, drops }) = &node.responder {
            let (by, window, drops) = (name.clone(), window.clone(), *drops);
            self.list.push(effect(End::Answered { by, every_seconds: *every_seconds, window, drops }));
        }
        match node.mailbox {
            Some(state) if node.keeps => self.list.push(effect(End::Stored { mailbox: name.clone(), state })),
            Some(_) => self.list.push(effect(End::Passed { mailbox: name.clone() })),
            None => {}
        }
        // A responder's own edge comes last in the list, as its copy is the last thing its section does; the order among
        // sections matters to nobody who reads where mail ends up.
        let aliases_first = [EdgeKind::Alias, EdgeKind::Redirection, EdgeKind::CopyTo];
        for kind in aliases_first {
            for edge in node.edges.iter().filter(|edge| edge.kind == kind) {
                let mut further = via.to_vec();
                further.push(edge.written.clone());
                self.arrive(&edge.written, &further);
            }
        }
    }
}
