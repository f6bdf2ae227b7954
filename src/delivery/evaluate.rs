//! From a message and its envelope to a plan: every address it reaches runs its own script, once.
//!
//! Redirections to addresses of ours are followed here, in the same pass, never by a second trip through SMTP. The list
//! of visits is the guard against loops: an address that was visited is not visited again, whichever way the message
//! comes to it. Depth and number of visits are limited all the same, because the limits of what may be saved can be
//! lowered after it was saved.

use super::host::AddressHost;
use super::mail::{Mail, Origin};
use super::marks::Marks;
use super::plan::{Deed, DeedKind, Fate, Outgoing, OutgoingKind, Plan, Visit};
use super::shelf::Shelf;
use crate::directory::{Local, Resolution, Snapshot};
use crate::filter::{self, Action, ActionKind, Cause, Content, Limits, Phase, ScriptName};
use crate::message::Structure;
use crate::rules::NotTaken;
use crate::store::FilingPlace;
use crate::types::limits::{ADDRESS_HOPS_MAX, EXPANDED_RECIPIENTS_MAX};
use crate::types::{AccountId, Address, MailboxName, Recipient};
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
    address: Address,
    recipient: usize,
    from: Option<(usize, Cause)>,
    depth: usize,
}

struct Evaluation<'w> {
    world: &'w World<'w>,
    mail: &'w Mail,
    message: &'w [u8],
    structure: &'w Structure,
    plan: Plan,
    visited: HashMap<Address, usize>,
    /// Where the message goes already, with the octets that go there.
    filed: HashSet<(AccountId, String)>,
    sent: HashSet<Address>,
    waiting: VecDeque<Waiting>,
    /// Marks of addresses that have sent this very message out before.
    passed: HashSet<String>,
}

/// Runs scripts: not for a network thread.
pub(super) fn evaluate(world: &World<'_>, mail: &Mail, message: &[u8], structure: &Structure) -> Plan {
    let mut evaluation = Evaluation {
        world,
        mail,
        message,
        structure,
        plan: Plan::default(),
        visited: HashMap::new(),
        filed: HashSet::new(),
        sent: HashSet::new(),
        waiting: VecDeque::new(),
        passed: world.marks.in_message(message),
    };
    for (index, recipient) in mail.envelope.recipients.iter().enumerate() {
        evaluation.plan.recipients.push(Fate::Accepted);
        evaluation.plan.arrivals.push(None);
        let fate = evaluation.recipient(index, recipient);
        evaluation.plan.recipients[index] = fate;
    }
    evaluation.plan
}

impl Evaluation<'_> {
    /// Follows one recipient of the envelope to all its ends, and says what to answer for it.
    fn recipient(&mut self, index: usize, recipient: &Recipient) -> Fate {
        let arrival = match self.arrive(&recipient.address, index, None, 0) {
            Arrival::Visits(visit) => visit,
            Arrival::Outside(outgoing) => return self.outside(index, outgoing, recipient),
            Arrival::Refused(fate) => return fate,
        };
        while let Some(next) = self.waiting.pop_front() {
            self.follow(&next);
        }
        self.plan.arrivals[index] = Some(arrival);
        self.plan.judge(index)
    }

    /// A recipient that no script of ours speaks for.
    fn outside(&mut self, index: usize, mut outgoing: Outgoing, recipient: &Recipient) -> Fate {
        if outgoing.why == OutgoingKind::Submission && !matches!(self.mail.origin, Origin::Submission { .. }) {
            return Fate::NotOurs;
        }
        outgoing.notify = recipient.notify;
        outgoing.dsn_return = self.mail.envelope.dsn_return;
        outgoing.deliver_by = self.mail.envelope.deliver_by;
        if self.passed.contains(&self.world.marks.of(&recipient.address.canonical())) {
            return Fate::Loop;
        }
        let cause =
            Cause { script: Arc::new(ScriptName { name: "envelope".to_owned(), version: None }), line: 0, column: 0 };
        let visit = Visit {
            address: recipient.address.canonical(),
            recipient: index,
            from: None,
            written: recipient.address.clone(),
            account: None,
            version: 0,
            deeds: Vec::new(),
            suppressed: Vec::new(),
            errors: Vec::new(),
            duplicates: Vec::new(),
        };
        let deed = self.send(outgoing);
        let deeds = vec![Deed { kind: deed, content: Content::Original, cause }];
        self.plan.visits.push(Visit { deeds, ..visit });
        Fate::Accepted
    }

    fn follow(&mut self, waiting: &Waiting) {
        let Some((from, cause)) = waiting.from.clone() else { return };
        let kind = match self.arrive(&waiting.address, waiting.recipient, Some((from, cause)), waiting.depth) {
            Arrival::Visits(visit) => {
                let again = self.plan.visits[visit].from.as_ref().is_none_or(|(parent, _)| *parent != from);
                DeedKind::Follow { to: waiting.address.clone(), visit, again }
            }
            Arrival::Outside(outgoing) => self.send(outgoing),
            Arrival::Refused(why) => DeedKind::Refused { to: waiting.address.clone(), why },
        };
        // The deed was put in place when the script asked for it; only now is known what becomes of it.
        let deeds = &mut self.plan.visits[from].deeds;
        if let Some(deed) = deeds.iter_mut().find(|deed| is_pending(&deed.kind, &waiting.address)) {
            deed.kind = kind;
        }
    }

    /// Visits the address that takes mail for this one, unless the message has been there.
    fn arrive(&mut self, written: &Address, recipient: usize, from: Option<(usize, Cause)>, depth: usize) -> Arrival {
        let local = match self.world.snapshot.resolve(written) {
            Resolution::Local(local) => local,
            Resolution::Outside => return Arrival::Outside(outgoing(written, OutgoingKind::Submission)),
            Resolution::SentTo(address) => return Arrival::Outside(outgoing(&address, OutgoingKind::Redirection)),
            Resolution::Handover { address, host, port } => {
                return Arrival::Outside(outgoing(&address, OutgoingKind::Handover(format!("{host}:{port}"))));
            }
            Resolution::Refused { why: NotTaken::Unknown, .. } => return Arrival::Refused(Fate::Unknown),
            Resolution::Refused { why: NotTaken::Paused, .. } => return Arrival::Refused(Fate::Paused),
        };
        if let Some(visit) = self.visited.get(local.address()) {
            return Arrival::Visits(*visit);
        }
        if depth > ADDRESS_HOPS_MAX || self.plan.visits.len() >= EXPANDED_RECIPIENTS_MAX {
            return Arrival::Refused(Fate::TooFar);
        }
        if self.passed.contains(&self.world.marks.of(local.address())) {
            return Arrival::Refused(Fate::Loop);
        }
        if local.suspended && from.as_ref().is_none_or(|(parent, _)| self.is_mask(*parent)) {
            return Arrival::Refused(Fate::Suspended);
        }
        Arrival::Visits(self.visit(&local, written, recipient, from, depth))
    }

    /// Whether a visit is to an alias, whose mail is its owner's in every respect.
    fn is_mask(&self, visit: usize) -> bool {
        let record = self.world.snapshot.address(&self.plan.visits[visit].address);
        record.is_some_and(|record| record.switches.alias.is_some())
    }

    fn visit(
        &mut self,
        local: &Local,
        written: &Address,
        recipient: usize,
        from: Option<(usize, Cause)>,
        depth: usize,
    ) -> usize {
        let index = self.plan.visits.len();
        let address = local.address().clone();
        self.visited.insert(address.clone(), index);
        self.plan.visits.push(Visit {
            address,
            recipient,
            from,
            written: written.clone(),
            account: local.account(),
            version: local.record.compiled_version,
            deeds: Vec::new(),
            suppressed: Vec::new(),
            errors: Vec::new(),
            duplicates: Vec::new(),
        });
        let run = self.run_script(local, written, recipient);
        let deeds = run.actions.into_iter().map(|action| self.deed(local, action, index, recipient, depth)).collect();
        let visit = &mut self.plan.visits[index];
        visit.deeds = deeds;
        visit.suppressed = run.suppressed;
        visit.errors = run.errors;
        visit.duplicates = run.duplicates;
        index
    }

    fn run_script(&self, local: &Local, written: &Address, recipient: usize) -> filter::Run {
        let world = self.world;
        let name =
            ScriptName { name: local.address().to_string(), version: Some(u64::from(local.record.compiled_version)) };
        let name = Arc::new(name);
        let script = match world.shelf.compiled(&local.record) {
            Ok(script) => script,
            Err(kind) => return super::host::kept_for_lack_of_a_script(&name, kind),
        };
        let mut own_addresses = world.snapshot.also_known_as(local.address());
        own_addresses.push(local.address().clone());
        let account = local.account().and_then(|account| world.snapshot.account_by_id(account));
        let host = AddressHost::new(world, local, self.mail.now);
        // To a script the message comes to the address that was written, not to the one the envelope named first.
        let recipient = Recipient { address: written.clone(), ..self.mail.envelope.recipients[recipient].clone() };
        let incoming = filter::Incoming {
            message: self.message,
            structure: Some(self.structure),
            envelope: &self.mail.envelope,
            recipient: Some(&recipient),
            address: local.address(),
            own_addresses: &own_addresses,
            owner_name: account.map(|account| account.names.display.as_str()).filter(|name| !name.is_empty()),
            flags: &[],
            now: self.mail.now,
            remote_ip: self.mail.remote_ip,
            remote_host: self.mail.remote_host.as_deref(),
            hostname: world.hostname,
            phase: Phase::During,
        };
        filter::run(&script, &name, &incoming, &host, &Limits::default())
    }

    fn deed(&mut self, local: &Local, action: Action, visit: usize, recipient: usize, depth: usize) -> Deed {
        let Action { kind, content, cause } = action;
        let kind = match kind {
            ActionKind::Keep { flags, why } => {
                self.file(local, FilingPlace::Named(MailboxName::inbox()), flags, Some(why))
            }
            ActionKind::FileInto { mailbox, create, flags } => {
                let place = match create.and_then(|create| create.special_use) {
                    Some(usage) => FilingPlace::Special(usage, mailbox),
                    None => FilingPlace::Named(mailbox),
                };
                self.file(local, place, flags, None)
            }
            ActionKind::Redirect(redirect) => {
                let from = Some((visit, cause.clone()));
                if matches!(self.world.snapshot.resolve(&redirect.to), Resolution::Outside) {
                    let mut going = outgoing(&redirect.to, OutgoingKind::Redirection);
                    going.notify = redirect.notify.unwrap_or(self.mail.envelope.recipients[recipient].notify);
                    going.dsn_return = redirect.dsn_return.or(self.mail.envelope.dsn_return);
                    going.deliver_by = redirect.deliver_by.map(|by| (by.time, by.return_when_late));
                    self.send(going)
                } else {
                    let address = redirect.to.clone();
                    self.waiting.push_back(Waiting { address, recipient, from, depth: depth + 1 });
                    DeedKind::Follow { to: redirect.to, visit: PENDING, again: false }
                }
            }
            ActionKind::Reject { reason, extended } => DeedKind::Reject { reason, extended },
            ActionKind::Discard => DeedKind::Discard,
            ActionKind::Reply(reply) => DeedKind::Reply(reply),
            ActionKind::Notify(notification) => DeedKind::Notify(notification),
        };
        Deed { kind, content, cause }
    }

    fn file(
        &mut self,
        local: &Local,
        place: FilingPlace,
        flags: Vec<String>,
        kept: Option<filter::KeepReason>,
    ) -> DeedKind {
        let Some(account) = local.account() else {
            // Compiled scripts of addresses without a mailbox file nothing; a failing one must not lose the mail.
            return DeedKind::Refused { to: local.address().clone(), why: Fate::Unknown };
        };
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

    fn send(&mut self, outgoing: Outgoing) -> DeedKind {
        if self.sent.insert(outgoing.to.canonical()) {
            DeedKind::Send(Box::new(outgoing))
        } else {
            DeedKind::SentAlready { to: outgoing.to }
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
    Outside(Outgoing),
    Refused(Fate),
}

fn outgoing(to: &Address, why: OutgoingKind) -> Outgoing {
    let notify = crate::types::Notify::default();
    Outgoing { to: to.clone(), why, notify, dsn_return: None, deliver_by: None }
}
