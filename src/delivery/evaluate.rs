//! From a message and its envelope to a plan: every address it reaches runs its own script, once.
//!
//! Redirections to addresses of ours are followed here, in the same pass, never by a second trip through SMTP. The list
//! of visits is the guard against loops: an address that was visited is not visited again, whichever way the message
//! comes to it. Depth and number of visits are limited all the same, because the limits of what may be saved can be
//! lowered after it was saved.

use super::mail::{Mail, Origin};
use super::marks::Marks;
use super::outward;
use super::plan::{Deed, DeedKind, Fate, Kept, Outgoing, OutgoingKind, Plan, Visit};
use super::shelf::Shelf;
use crate::directory::{Local, Resolution, Snapshot};
use crate::filter::{self, Action, ActionKind, Cause, Content, KeepReason, Limits, ScriptKind, ScriptName};
use crate::message::Structure;
use crate::rules::{NotTaken, SectionLines};
use crate::store::FilingPlace;
use crate::types::limits::{ADDRESS_HOPS_MAX, EXPANDED_RECIPIENTS_MAX, SIEVE_ACTIONS_MAX, SIEVE_REDIRECTS_MAX};
use crate::types::{AccountId, Address, DsnReturn, MailboxName, Notify, Recipient, Timestamp};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// What an evaluation looks at.
pub(super) struct World<'w> {
    pub(super) snapshot: &'w Snapshot,
    pub(super) shelf: &'w Shelf,
    pub(super) marks: &'w Marks,
    pub(super) hostname: &'w str,
}

/// An address on the message's way.
struct Waiting {
    to: Address,
    /// To which address the message came, for the script of the next one: to its owner's, an alias's mail has come to
    /// the alias.
    written: Address,
    content: Content,
    wishes: Wishes,
    recipient: usize,
    from: usize,
    cause: Cause,
    depth: usize,
}

/// How the message got to an address.
pub(super) struct Way {
    pub(super) written: Address,
    pub(super) content: Content,
    pub(super) recipient: usize,
    pub(super) from: Option<(usize, Cause)>,
    pub(super) depth: usize,
}

/// What is asked of whoever takes the message on (RFC 3461, RFC 2852).
#[derive(Clone, Copy)]
struct Wishes {
    notify: Notify,
    dsn_return: Option<DsnReturn>,
    deliver_by: Option<(Timestamp, bool)>,
}

/// No address has more visits and sends behind it than this, and no chain is longer.
pub(super) struct Bounds {
    pub(super) hops: usize,
    crowd: usize,
    pub(super) script: Limits,
}

pub(super) struct Evaluation<'w> {
    pub(super) world: &'w World<'w>,
    pub(super) mail: &'w Mail,
    pub(super) message: &'w [u8],
    pub(super) structure: &'w Structure,
    pub(super) bounds: Bounds,
    plan: Plan,
    visited: HashMap<Address, usize>,
    /// Where the message goes already.
    filed: HashSet<(AccountId, String)>,
    sent: HashSet<Address>,
    /// The owners' addresses for which somebody has answered.
    pub(super) answered: HashSet<Address>,
    waiting: VecDeque<Waiting>,
    /// Marks of addresses that have sent this very message out before.
    passed: HashSet<String>,
    /// Marks of addresses that have sent out the message which this one, from nobody, is a report about.
    returned: HashSet<String>,
    /// Why it may not be passed on to anybody outside.
    stays: Option<Fate>,
}

/// Runs scripts: not for a network thread.
pub(super) fn evaluate(world: &World<'_>, mail: &Mail, message: &[u8], structure: &Structure) -> Plan {
    let mut evaluation = Evaluation::new(world, mail, message, structure);
    for (index, recipient) in mail.envelope.recipients.iter().enumerate() {
        evaluation.plan.recipients.push(Fate::Accepted);
        evaluation.plan.arrivals.push(None);
        let fate = evaluation.recipient(index, recipient);
        evaluation.plan.recipients[index] = fate;
    }
    evaluation.plan
}

/// The same for what a script wants done with a message that lies in a mailbox already: `run` has only what is for others.
pub(super) fn follow_in_place(
    world: &World<'_>,
    mail: &Mail,
    message: &[u8],
    structure: &Structure,
    local: &Local,
    run: filter::Run,
) -> Plan {
    let mut evaluation = Evaluation::new(world, mail, message, structure);
    let address = local.address().clone();
    evaluation.visited.insert(address.clone(), 0);
    evaluation.plan.recipients.push(Fate::Accepted);
    evaluation.plan.arrivals.push(Some(0));
    evaluation.plan.visits.push(Visit {
        written: address.clone(),
        address,
        recipient: 0,
        from: None,
        account: local.account(),
        version: local.record.compiled_version,
        sections: SectionLines::default(),
        deeds: Vec::new(),
        suppressed: Vec::new(),
        errors: Vec::new(),
        duplicates: run.duplicates,
    });
    for Action { kind, content, cause } in run.actions {
        let kind = evaluation.deed(local, kind, &content, &cause, 0, 0);
        evaluation.plan.visits[0].deeds.push(Deed { kind, content, cause });
    }
    while let Some(next) = evaluation.waiting.pop_front() {
        evaluation.follow(next);
    }
    evaluation.plan
}

impl Bounds {
    /// What was saved under other limits is served in full: what delivery allows is never less than the usual.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let limits = snapshot.limits();
        let redirects = SIEVE_REDIRECTS_MAX.max(limits.redirection_targets_max.saturating_mul(2));
        let actions = redirects.saturating_add(SIEVE_ACTIONS_MAX - SIEVE_REDIRECTS_MAX);
        Self {
            hops: limits.address_hops_max.max(ADDRESS_HOPS_MAX),
            crowd: limits.expanded_recipients_max.max(EXPANDED_RECIPIENTS_MAX),
            script: Limits { redirects, actions, ..Limits::default() },
        }
    }
}

impl<'w> Evaluation<'w> {
    fn new(world: &'w World<'w>, mail: &'w Mail, message: &'w [u8], structure: &'w Structure) -> Self {
        Self {
            world,
            mail,
            message,
            structure,
            bounds: Bounds::of(world.snapshot),
            plan: Plan::default(),
            visited: HashMap::new(),
            filed: HashSet::new(),
            sent: HashSet::new(),
            answered: HashSet::new(),
            waiting: VecDeque::new(),
            passed: world.marks.in_message(message),
            returned: if mail.envelope.sender.is_none() { world.marks.in_body(message) } else { HashSet::new() },
            stays: outward::refusal(mail, message),
        }
    }
}

impl Evaluation<'_> {
    /// Follows one recipient of the envelope to all its ends, and says what to answer for it.
    fn recipient(&mut self, index: usize, recipient: &Recipient) -> Fate {
        // RFC 4865 section 1: held mail is delivered to nobody yet, also not here. It waits among the sends, and comes back in
        // for the addresses that are here by then.
        if self.is_held() {
            return self.outside(index, &recipient.address, OutgoingKind::Submission, recipient);
        }
        let written = recipient.address.clone();
        let way = Way { written, content: Content::Original, recipient: index, from: None, depth: 0 };
        let arrival = match self.arrive(&recipient.address, way) {
            Arrival::Visits(visit) => visit,
            Arrival::Outside(to, why) => return self.outside(index, &to, why, recipient),
            Arrival::Refused(fate) => return fate,
        };
        while let Some(next) = self.waiting.pop_front() {
            self.follow(next);
        }
        self.plan.arrivals[index] = Some(arrival);
        self.keep_what_stays(arrival);
        self.break_circles(arrival);
        self.plan.judge(index)
    }

    /// Whose redirection may not pass a message on, and who has a mailbox, keeps it there.
    fn keep_what_stays(&mut self, arrival: usize) {
        if self.stays.is_none() && self.returned.is_empty() {
            return;
        }
        for visit in self.plan.reached_from(arrival) {
            let Visit { account: Some(account), deeds, .. } = &self.plan.visits[visit] else { continue };
            let stayed = |deed: &&Deed| matches!(deed.kind, DeedKind::Refused { why: Fate::NotForwarded(_), .. });
            let is_filed = |deed: &Deed| matches!(deed.kind, DeedKind::File { .. } | DeedKind::FiledAlready { .. });
            if deeds.iter().any(is_filed) {
                continue;
            }
            let (account, Some(deed)) = (*account, deeds.iter().find(stayed).cloned()) else { continue };
            let inbox = FilingPlace::Named(MailboxName::inbox());
            let kind = self.file_for(account, inbox, Vec::new(), Some(Kept::NotForwarded));
            self.plan.visits[visit].deeds.push(Deed { kind, ..deed });
        }
    }

    fn is_held(&self) -> bool {
        matches!(self.mail.origin, Origin::Submission { .. })
            && self.mail.envelope.hold_until.is_some_and(|until| until > self.mail.now)
    }

    /// A recipient that no script of ours speaks for.
    fn outside(&mut self, index: usize, to: &Address, why: OutgoingKind, recipient: &Recipient) -> Fate {
        if why == OutgoingKind::Submission && !matches!(self.mail.origin, Origin::Submission { .. }) {
            return Fate::NotOurs;
        }
        let name = ScriptName { name: "envelope".to_owned(), version: None, kind: ScriptKind::Compiled };
        let visit = self.plan.visits.len();
        self.plan.visits.push(Visit {
            address: recipient.address.canonical(),
            recipient: index,
            from: None,
            written: recipient.address.clone(),
            account: None,
            version: 0,
            sections: SectionLines::default(),
            deeds: Vec::new(),
            suppressed: Vec::new(),
            errors: Vec::new(),
            duplicates: Vec::new(),
        });
        let kind = self.send(visit, to, why, self.wishes(index));
        let cause = Cause { script: Arc::new(name), line: 0, column: 0 };
        self.plan.visits[visit].deeds = vec![Deed { kind, content: Content::Original, cause }];
        self.plan.arrivals[index] = Some(visit);
        self.plan.judge(index)
    }

    fn wishes(&self, recipient: usize) -> Wishes {
        let envelope = &self.mail.envelope;
        let notify = envelope.recipients.get(recipient).map_or_else(Notify::default, |recipient| recipient.notify);
        Wishes { notify, dsn_return: envelope.dsn_return, deliver_by: envelope.deliver_by }
    }

    fn follow(&mut self, waiting: Waiting) {
        let Waiting { to, written, content, wishes, recipient, from, cause, depth } = waiting;
        let way = Way { written, content, recipient, from: Some((from, cause)), depth };
        let kind = match self.arrive(&to, way) {
            Arrival::Visits(visit) => {
                let again = self.plan.visits[visit].from.as_ref().is_none_or(|(parent, _)| *parent != from);
                DeedKind::Follow { to: to.clone(), visit, again }
            }
            Arrival::Outside(away, why) => self.send(from, &away, why, wishes),
            Arrival::Refused(why) => DeedKind::Refused { to: to.clone(), why },
        };
        // The deed was put in place when the script asked for it; only now is known what becomes of it.
        let deeds = &mut self.plan.visits[from].deeds;
        if let Some(deed) = deeds.iter_mut().find(|deed| is_pending(&deed.kind, &to)) {
            deed.kind = kind;
        }
    }

    /// Visits the address that takes mail for this one, unless the message has been there.
    fn arrive(&mut self, to: &Address, way: Way) -> Arrival {
        let local = match self.world.snapshot.resolve(to) {
            Resolution::Local(local) => local,
            Resolution::Outside => return Arrival::Outside(to.clone(), OutgoingKind::Submission),
            Resolution::SentTo(address) => return Arrival::Outside(address, OutgoingKind::Redirection),
            Resolution::Handover { address, host, port } => {
                return Arrival::Outside(address, OutgoingKind::Handover(format!("{host}:{port}")));
            }
            Resolution::Refused { why: NotTaken::Unknown, .. } => return Arrival::Refused(Fate::Unknown),
            Resolution::Refused { why: NotTaken::Paused, .. } => return Arrival::Refused(Fate::Paused),
        };
        if let Some(visit) = self.visited.get(local.address()) {
            return Arrival::Visits(*visit);
        }
        if way.depth > self.bounds.hops || self.plan.visits.len() >= self.bounds.crowd {
            return Arrival::Refused(Fate::TooFar);
        }
        if self.came_back(local.address()) {
            return Arrival::Refused(Fate::Loop);
        }
        // Who is written to can be refused; a redirection that somebody else relies on keeps on filling the mailbox.
        if local.suspended && way.from.as_ref().is_none_or(|(parent, _)| self.is_mask(*parent)) {
            return Arrival::Refused(Fate::Suspended);
        }
        Arrival::Visits(self.visit(&local, way))
    }

    /// Whether this address has sent the message out before.
    fn came_back(&self, address: &Address) -> bool {
        !self.passed.is_empty() && self.passed.contains(&self.world.marks.of(address))
    }

    /// Whether the message is a bounce of what this address has sent out: those it was sent to must not get it.
    fn is_returned(&self, address: &Address) -> bool {
        !self.returned.is_empty() && self.returned.contains(&self.world.marks.of(address))
    }

    /// Whether a visit is to an alias, whose mail is its owner's in every respect.
    fn is_mask(&self, visit: usize) -> bool {
        self.owner(&self.plan.visits[visit].address).is_some()
    }

    /// Whose mask an address is.
    pub(super) fn owner(&self, address: &Address) -> Option<&Address> {
        let alias = self.world.snapshot.address(address)?.switches.alias.as_ref()?;
        (!alias.paused).then_some(&alias.owner)
    }

    fn visit(&mut self, local: &Local, way: Way) -> usize {
        let index = self.plan.visits.len();
        let address = local.address().clone();
        self.visited.insert(address.clone(), index);
        let mut run = self.run_script(local, &way);
        self.answer_once(&address, &mut run);
        let Way { written, content: arrived, recipient, from, depth } = way;
        self.plan.visits.push(Visit {
            address,
            recipient,
            from,
            written,
            account: local.account(),
            version: local.record.compiled_version,
            sections: run.sections,
            deeds: Vec::new(),
            suppressed: run.suppressed,
            errors: run.errors,
            duplicates: run.duplicates,
        });
        let mut deeds = Vec::with_capacity(run.actions.len() + run.refused.iter().len());
        for Action { kind, content, cause } in run.actions {
            // What a script leaves as it came may have been changed before it came.
            let content = if content == Content::Original { arrived.clone() } else { content };
            let kind = self.deed(local, kind, &content, &cause, index, depth);
            deeds.push(Deed { kind, content, cause });
        }
        deeds.extend(run.refused.map(|(why, cause)| {
            let kind = DeedKind::Refused { to: local.address().clone(), why };
            Deed { kind, content: Content::Original, cause }
        }));
        self.plan.visits[index].deeds = deeds;
        index
    }

    fn deed(
        &mut self,
        local: &Local,
        kind: ActionKind,
        content: &Content,
        cause: &Cause,
        visit: usize,
        depth: usize,
    ) -> DeedKind {
        match kind {
            ActionKind::Keep { flags, why } => {
                self.file(local, FilingPlace::Named(MailboxName::inbox()), flags, Some(Kept::ByScript(why)))
            }
            ActionKind::FileInto { mailbox, create, flags } => {
                let place = match create.and_then(|create| create.special_use) {
                    Some(usage) => FilingPlace::Special(usage, mailbox),
                    None => FilingPlace::Named(mailbox),
                };
                self.file(local, place, flags, None)
            }
            ActionKind::Redirect(redirect) => self.redirect(&redirect, content, cause, visit, depth),
            ActionKind::Reject { reason, extended } => DeedKind::Reject { reason, extended },
            ActionKind::Discard => DeedKind::Discard,
            ActionKind::Reply(reply) => DeedKind::Reply(reply),
            ActionKind::Notify(notification) => DeedKind::Notify(notification),
        }
    }

    fn redirect(
        &mut self,
        redirect: &filter::Redirect,
        content: &Content,
        cause: &Cause,
        visit: usize,
        depth: usize,
    ) -> DeedKind {
        let to = &redirect.to;
        if self.is_returned(&self.plan.visits[visit].address) {
            let why = Fate::NotForwarded("It reports about mail that this address has passed on".into());
            return DeedKind::Refused { to: to.clone(), why };
        }
        let Visit { recipient, written, address, .. } = &self.plan.visits[visit];
        let recipient = *recipient;
        let asked = self.wishes(recipient);
        let wishes = Wishes {
            notify: redirect.notify.unwrap_or(asked.notify),
            dsn_return: redirect.dsn_return.or(asked.dsn_return),
            deliver_by: redirect.deliver_by.map(|by| (by.time, by.return_when_late)).or(asked.deliver_by),
        };
        if matches!(self.world.snapshot.resolve(to), Resolution::Outside) {
            return self.send(visit, to, OutgoingKind::Redirection, wishes);
        }
        let to_owner = self.owner(address).is_some_and(|owner| owner.canonical() == to.canonical());
        self.waiting.push_back(Waiting {
            to: to.clone(),
            written: if to_owner { written.clone() } else { to.clone() },
            content: content.clone(),
            wishes,
            recipient,
            from: visit,
            cause: cause.clone(),
            depth: depth + 1,
        });
        DeedKind::Follow { to: to.clone(), visit: PENDING, again: false }
    }

    fn file(&mut self, local: &Local, place: FilingPlace, flags: Vec<String>, kept: Option<Kept>) -> DeedKind {
        match local.account() {
            Some(account) => self.file_for(account, place, flags, kept),
            None => {
                let why =
                    if kept == Some(Kept::ByScript(KeepReason::Failure)) { Fate::RulesFailed } else { Fate::NoMailbox };
                DeedKind::Refused { to: local.address().clone(), why }
            }
        }
    }

    fn file_for(&mut self, account: AccountId, place: FilingPlace, flags: Vec<String>, kept: Option<Kept>) -> DeedKind {
        let key = match &place {
            FilingPlace::Mailbox(id) => id.to_string(),
            FilingPlace::Named(name) | FilingPlace::Special(_, name) => name.to_string(),
        };
        if self.filed.insert((account, key)) {
            DeedKind::File { place, flags, kept }
        } else {
            DeedKind::FiledAlready { place }
        }
    }

    /// Out of the house, from a visit. What is spam or circles is not passed on, whoever's script says so; the other server
    /// of a split domain is no stranger, and judges for itself.
    fn send(&mut self, from: usize, to: &Address, why: OutgoingKind, wishes: Wishes) -> DeedKind {
        let refused = match &why {
            OutgoingKind::Submission => None,
            OutgoingKind::Redirection => {
                self.came_back(&self.plan.visits[from].address).then_some(Fate::Loop).or_else(|| self.stays.clone())
            }
            OutgoingKind::Handover(_) => self.came_back(&to.canonical()).then_some(Fate::Loop),
        };
        if let Some(why) = refused {
            return DeedKind::Refused { to: to.clone(), why };
        }
        if self.sent.len() >= self.bounds.crowd {
            return DeedKind::Refused { to: to.clone(), why: Fate::TooFar };
        }
        if !self.sent.insert(to.canonical()) {
            return DeedKind::SentAlready { to: to.clone() };
        }
        let Wishes { notify, dsn_return, deliver_by } = wishes;
        DeedKind::Send(Box::new(Outgoing { to: to.clone(), why, notify, dsn_return, deliver_by }))
    }

    /// Scripts can send a message round in a circle of ours and keep it nowhere. One who is in the circle and has a
    /// mailbox keeps it; a circle without any is a loop.
    fn break_circles(&mut self, arrival: usize) {
        // Each round gives one visit an end of its own.
        for _ in 0..self.bounds.crowd {
            let circling = self.plan.circling(arrival);
            let with_account = circling.iter().copied().find(|visit| self.plan.visits[*visit].account.is_some());
            let Some(visit) = with_account.or(circling.first().copied()) else { return };
            let follows = |deed: &&Deed| matches!(deed.kind, DeedKind::Follow { .. });
            let Some(deed) = self.plan.visits[visit].deeds.iter().find(follows).cloned() else { return };
            let kind = match self.plan.visits[visit].account {
                None => DeedKind::Refused { to: self.plan.visits[visit].address.clone(), why: Fate::Loop },
                Some(account) => {
                    let inbox = FilingPlace::Named(MailboxName::inbox());
                    self.file_for(account, inbox, Vec::new(), Some(Kept::Circling))
                }
            };
            self.plan.visits[visit].deeds.push(Deed { kind, ..deed });
        }
    }
}

/// A redirection that is yet to be followed.
const PENDING: usize = usize::MAX;

fn is_pending(kind: &DeedKind, address: &Address) -> bool {
    matches!(kind, DeedKind::Follow { to, visit, .. } if *visit == PENDING && to == address)
}

/// Where an address leads.
enum Arrival {
    /// To this visit, made now or earlier.
    Visits(usize),
    Outside(Address, OutgoingKind),
    Refused(Fate),
}
