//! What a message will do, decided in full before anything is done: the addresses it came by, what each one's script
//! wants, and what is said to whoever brought it.

use super::planned::with_return_path;
use crate::filter::{
    Automatic, Cause, Content, DuplicateEntry, KeepReason, Notification, Reply, ScriptError, Suppressed, Suppression,
};
use crate::rules::SectionLines;
use crate::store::FilingPlace;
use crate::types::{AccountId, Address, DsnReturn, Notify, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One message, all its recipients.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order in which the addresses were reached; none twice.
    pub visits: Vec<Visit>,
    /// For each recipient of the envelope, in its order.
    pub recipients: Vec<Fate>,
    /// The first visit of each recipient, where it has one of ours.
    pub arrivals: Vec<Option<usize>>,
}

/// An address of ours that the message came to.
#[derive(Clone, Debug)]
pub struct Visit {
    pub address: Address,
    /// Which recipient of the envelope it is for.
    pub recipient: usize,
    /// The visit whose script led here, and the line; `None`: the envelope named it.
    pub from: Option<(usize, Cause)>,
    /// The address as it was written: with its detail, under an alias domain, or one that the catch-all took.
    pub written: Address,
    pub account: Option<AccountId>,
    /// The version of the address's script.
    pub version: u32,
    /// Where its sections stand.
    pub sections: SectionLines,
    pub deeds: Vec<Deed>,
    pub suppressed: Vec<Suppressed>,
    pub errors: Vec<ScriptError>,
    pub duplicates: Vec<DuplicateEntry>,
}

impl Visit {
    /// Whether the message stops here, one way or the other.
    fn is_end(&self) -> bool {
        let refuses = |kind: &DeedKind| matches!(kind, DeedKind::Reject { .. } | DeedKind::Refused { .. });
        self.deeds.iter().any(|deed| deed.kind.delivers() || refuses(&deed.kind))
    }

    /// The visits it leads to at once.
    fn follows(&self) -> impl Iterator<Item = usize> {
        self.deeds.iter().filter_map(|deed| match deed.kind {
            DeedKind::Follow { visit, .. } => Some(visit),
            _ => None,
        })
    }
}

/// One thing that will be done, and the line that wants it.
#[derive(Clone, Debug)]
pub struct Deed {
    pub kind: DeedKind,
    pub content: Content,
    pub cause: Cause,
}

#[derive(Clone, Debug)]
pub enum DeedKind {
    /// Into a mailbox of the visited address's account.
    File {
        place: FilingPlace,
        flags: Vec<String>,
        /// Set if no script has named the mailbox.
        kept: Option<Kept>,
    },
    /// Another filing has the message there already.
    FiledAlready {
        place: FilingPlace,
    },
    /// Out of the house.
    Send(Box<Outgoing>),
    /// Another send goes to this address already.
    SentAlready {
        to: Address,
    },
    /// To an address of ours, in this same plan.
    Follow {
        to: Address,
        /// Index of its visit; of one made earlier if the message had been there.
        visit: usize,
        again: bool,
    },
    /// To an address of ours that does not take it.
    Refused {
        to: Address,
        why: Fate,
    },
    Reject {
        reason: String,
        extended: bool,
    },
    Discard,
    Reply(Box<Reply>),
    Notify(Box<Notification>),
}

impl DeedKind {
    /// Whether somebody has the message by it.
    fn delivers(&self) -> bool {
        matches!(self, Self::File { .. } | Self::FiledAlready { .. } | Self::Send(_) | Self::SentAlready { .. })
    }
}

/// Why a message goes where no script has filed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    ByScript(KeepReason),
    /// It would have gone round and round between addresses of ours.
    Circling,
    /// Its redirection may not pass it on to strangers.
    NotForwarded,
}

/// A redirection, or a handover to a split domain's other server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub to: Address,
    pub why: OutgoingKind,
    pub notify: Notify,
    pub dsn_return: Option<DsnReturn>,
    pub deliver_by: Option<(Timestamp, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingKind {
    Redirection,
    /// `host:port`.
    Handover(String),
    /// A submitter's mail to the world.
    Submission,
}

/// What is answered for a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fate {
    #[default]
    Accepted,
    /// There is no such address.
    Unknown,
    /// All of it is paused.
    Paused,
    /// The account may take no mail at present; try again.
    Suspended,
    /// What its rules want could not be found out; try again.
    RulesFailed,
    /// An administrator's script wants the message kept where there is no mailbox.
    NoMailbox,
    /// The account has no room.
    OverQuota,
    /// The message has been here before.
    Loop,
    /// The address leads to too many others.
    TooFar,
    /// Relaying for strangers: nobody asked for it with authority.
    NotOurs,
    /// It may not be passed on to where the address leads, for this reason.
    NotForwarded(Arc<str>),
    /// The address's script says so (RFC 5429); the text is its owner's.
    Rejected(Arc<str>),
}

impl Fate {
    /// Whether trying again can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Suspended | Self::RulesFailed | Self::OverQuota)
    }

    /// In words for a person; nothing for what is accepted.
    pub fn reason(&self) -> Option<String> {
        super::explain::reason(self)
    }

    /// Which of two refusals of one recipient is said: one that time can mend, then the owner's own words.
    fn outranks(&self, other: &Self) -> bool {
        let rank = |fate: &Self| match fate {
            fate if fate.is_temporary() => 0,
            Self::Rejected(_) | Self::NotForwarded(_) => 1,
            _ => 2,
        };
        rank(self) < rank(other)
    }
}

impl Plan {
    /// All deeds with the visits that want them.
    pub fn deeds(&self) -> impl Iterator<Item = (&Visit, &Deed)> {
        self.visits.iter().flat_map(|visit| visit.deeds.iter().map(move |deed| (visit, deed)))
    }

    /// The visits a visit leads to, itself first. As long as the list of visits at most.
    pub fn reached_from(&self, visit: usize) -> Vec<usize> {
        let mut reached = vec![visit];
        let mut seen = vec![false; self.visits.len()];
        seen[visit] = true;
        let mut next = 0;
        while let Some(&at) = reached.get(next) {
            next += 1;
            for to in self.visits[at].follows() {
                if !seen[to] {
                    seen[to] = true;
                    reached.push(to);
                }
            }
        }
        reached
    }

    /// The visits whose deeds are done: those that some accepted recipient leads to. What a refused recipient's script
    /// wanted besides is not: the sender was told that it came to nothing.
    pub fn done(&self) -> Vec<bool> {
        let mut done = vec![false; self.visits.len()];
        for (fate, arrival) in self.recipients.iter().zip(&self.arrivals) {
            if let (Fate::Accepted, Some(arrival)) = (fate, arrival) {
                self.reached_from(*arrival).into_iter().for_each(|visit| done[visit] = true);
            }
        }
        done
    }

    /// What a recipient comes to: kept or sent anywhere is accepted; else a refusal is passed on, one that time can mend
    /// before others.
    pub(super) fn judge(&self, recipient: usize) -> Fate {
        let Some(arrival) = self.arrivals.get(recipient).copied().flatten() else {
            return self.recipients.get(recipient).cloned().unwrap_or_default();
        };
        let mut refusal: Option<Fate> = None;
        for deed in self.reached_from(arrival).into_iter().flat_map(|visit| &self.visits[visit].deeds) {
            let refused = match &deed.kind {
                DeedKind::Reject { reason, .. } => Fate::Rejected(reason.as_str().into()),
                DeedKind::Refused { why, .. } => why.clone(),
                kind if kind.delivers() => return Fate::Accepted,
                // What is followed has deeds of its own. A discard is no wish to lose the message where a redirection
                // beside it was refused: scripts of aliases and of virtual addresses end in one.
                _ => continue,
            };
            if refusal.as_ref().is_none_or(|known| refused.outranks(known)) {
                refusal = Some(refused);
            }
        }
        refusal.unwrap_or(Fate::Accepted)
    }

    /// Whether an accepted recipient's way ends in this house: in a mailbox, or nowhere by its owner's wish.
    pub(super) fn ends_here(&self, recipient: usize) -> bool {
        let Some(arrival) = self.arrivals.get(recipient).copied().flatten() else { return false };
        let reached = self.reached_from(arrival);
        let has = |wanted: fn(&DeedKind) -> bool| {
            reached.iter().any(|visit| self.visits[*visit].deeds.iter().any(|deed| wanted(&deed.kind)))
        };
        has(|kind| matches!(kind, DeedKind::File { .. } | DeedKind::FiledAlready { .. }))
            || !has(|kind| matches!(kind, DeedKind::Send(_) | DeedKind::SentAlready { .. }))
    }

    /// Copies that an accepted recipient's redirections should have made and could not, and of which nobody else hears.
    /// What owners reject and administrators pause is their wish; what has been here before is here.
    pub(super) fn missed(&self, recipient: usize) -> Option<&Fate> {
        let arrival = self.arrivals.get(recipient).copied().flatten()?;
        if self.recipients.get(recipient) != Some(&Fate::Accepted) {
            return None;
        }
        let deeds = self.reached_from(arrival).into_iter().flat_map(|visit| &self.visits[visit].deeds);
        let whys = deeds.filter_map(|deed| match &deed.kind {
            DeedKind::Refused { why, .. } => Some(why),
            _ => None,
        });
        whys.into_iter().find(|why| matches!(why, Fate::Unknown | Fate::OverQuota | Fate::TooFar))
    }

    /// Octets that each account needs room for, of a message that is this long.
    pub(super) fn needs(&self, sender: Option<&Address>, message_octets: u64) -> BTreeMap<AccountId, u64> {
        let mut needs = BTreeMap::new();
        for (visit, _) in self.visits.iter().zip(self.done()).filter(|(_, done)| *done) {
            for deed in visit.deeds.iter().filter(|deed| matches!(deed.kind, DeedKind::File { .. })) {
                let octets = match &deed.content {
                    Content::Original => message_octets,
                    Content::Edited(octets) => with_return_path(sender, octets).octets.len() as u64,
                };
                if let Some(account) = visit.account {
                    *needs.entry(account).or_insert(0) += octets;
                }
            }
        }
        needs
    }

    /// Takes an account that has no room out of the plan. Returns whether it was in it.
    pub(super) fn leave_out(&mut self, account: AccountId) -> bool {
        let mut found = false;
        for visit in self.visits.iter_mut().filter(|visit| visit.account == Some(account)) {
            for deed in &mut visit.deeds {
                if matches!(deed.kind, DeedKind::File { .. } | DeedKind::FiledAlready { .. }) {
                    if matches!(deed.kind, DeedKind::File { kept: Some(Kept::ByScript(KeepReason::Implicit)), .. }) {
                        // No rule has caused it, least of all the one where the script ended.
                        deed.cause.line = 0;
                    }
                    deed.kind = DeedKind::Refused { to: visit.address.clone(), why: Fate::OverQuota };
                    found = true;
                }
            }
            // Nobody says that he will read what he has not got.
            let suppressed = &mut visit.suppressed;
            visit.deeds.retain(|deed| {
                let is_reply = found && matches!(deed.kind, DeedKind::Reply(_));
                if is_reply {
                    let (what, reason) = (Automatic::Reply, Suppression::MessageRefused);
                    suppressed.push(Suppressed { what, reason, cause: deed.cause.clone() });
                }
                !is_reply
            });
        }
        for recipient in 0..self.recipients.len() {
            if self.recipients[recipient] == Fate::Accepted {
                self.recipients[recipient] = self.judge(recipient);
            }
        }
        found
    }

    /// Visits behind this one that pass the message on in circles, and nowhere else: neither kept, sent nor refused by any
    /// that they lead to.
    pub(super) fn circling(&self, arrival: usize) -> Vec<usize> {
        let reached = self.reached_from(arrival);
        let again = |deed: &Deed| matches!(deed.kind, DeedKind::Follow { again: true, .. });
        if !reached.iter().any(|visit| self.visits[*visit].deeds.iter().any(again)) {
            return Vec::new();
        }
        let mut comes_from = vec![Vec::new(); self.visits.len()];
        let mut ways_on = vec![0_usize; self.visits.len()];
        for &visit in &reached {
            for to in self.visits[visit].follows() {
                comes_from[to].push(visit);
                ways_on[visit] += 1;
            }
        }
        // From both ends: who leads to an end is well, and who passes it to nobody wants it nowhere.
        let mut settled = vec![false; self.visits.len()];
        let mut waiting: Vec<usize> = reached.iter().copied().filter(|visit| self.visits[*visit].is_end()).collect();
        while let Some(visit) = waiting.pop() {
            if !std::mem::replace(&mut settled[visit], true) {
                waiting.extend(&comes_from[visit]);
            }
        }
        waiting.extend(reached.iter().copied().filter(|visit| !settled[*visit] && ways_on[*visit] == 0));
        while let Some(visit) = waiting.pop() {
            settled[visit] = true;
            for &from in &comes_from[visit] {
                ways_on[from] -= 1;
                if ways_on[from] == 0 && !settled[from] {
                    waiting.push(from);
                }
            }
        }
        let mut circling = reached;
        circling.retain(|visit| !settled[*visit]);
        circling
    }

    /// What was not answered or told, over all visits.
    pub fn suppressed(&self, what: Automatic) -> impl Iterator<Item = &Suppressed> {
        self.visits.iter().flat_map(|visit| &visit.suppressed).filter(move |suppressed| suppressed.what == what)
    }
}
