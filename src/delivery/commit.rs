//! From a plan to the one transaction that does it.

use super::explain::Explanation;
use super::mail::{Answers, Mail, Origin, RefusedMail};
use super::marks::Marks;
use super::outward;
use super::own_mail::{self, House};
use super::plan::{DeedKind, Fate, Outgoing, OutgoingKind, Plan, Visit};
use super::planned::{StoredMessage, body_of, with_return_path};
use crate::directory::Snapshot;
use crate::filter::{Cause, Content, Filing as CopyFiling, ScriptKind, ScriptName};
use crate::message;
use crate::store::{
    Answered, BodyChoice, Deposit, Duplicate, Filing, FilingPlace, LedgerEntry, NewBody, NewSend, ScriptFault,
    ScriptOwner, SendDetails, SendKind, StoreError, TargetNews, TargetNote,
};
use crate::types::{AccountId, Address, Envelope, Flags, Notify, Recipient};
use std::sync::Arc;

/// What is known besides the plan.
pub(super) struct Facts<'f> {
    pub(super) mail: &'f Mail,
    /// As it is stored: Return-Path first.
    pub(super) message: &'f [u8],
    pub(super) return_path_octets: u32,
    pub(super) message_id: String,
    pub(super) house: House<'f>,
    pub(super) snapshot: &'f Snapshot,
    pub(super) marks: &'f Marks,
    pub(super) lifetime_seconds: i64,
    pub(super) answers: Answers,
}

/// Mail the house wrote, to be planned for itself where it goes to addresses of ours.
pub(super) struct OwnMail {
    pub(super) kind: SendKind,
    pub(super) address: Option<Address>,
    pub(super) account: Option<AccountId>,
    pub(super) to: Address,
    pub(super) message: Vec<u8>,
    pub(super) cause: String,
}

/// The deposit, and what is yet to be put into it: the house's own mail.
pub(super) struct Prepared {
    pub(super) deposit: Deposit,
    pub(super) own_mail: Vec<OwnMail>,
}

/// Bodies of the deposit, none twice.
struct Bodies<'b> {
    sender: Option<&'b Address>,
    original: BodyChoice,
    edited: Vec<(Arc<[u8]>, usize)>,
    new: &'b mut Vec<NewBody>,
}

impl Bodies<'_> {
    fn choice(&mut self, content: &Content) -> Result<BodyChoice, StoreError> {
        let Content::Edited(octets) = content else { return Ok(self.original) };
        if let Some((_, place)) = self.edited.iter().find(|(known, _)| Arc::ptr_eq(known, octets)) {
            return Ok(BodyChoice::New(*place));
        }
        // Scripts may put fields above Return-Path or take it away; what is sent leaves out that first field.
        self.new.push(body_of(&with_return_path(self.sender, octets).octets)?);
        let place = self.new.len() - 1;
        self.edited.push((Arc::clone(octets), place));
        Ok(BodyChoice::New(place))
    }
}

/// Puts the plan's deeds into a deposit. `original` is the message's own body; `bodies` those that come with the deposit.
pub(super) fn prepare(
    plan: &Plan,
    facts: &Facts<'_>,
    original: BodyChoice,
    mut bodies: Vec<NewBody>,
) -> Result<Prepared, StoreError> {
    let mut deposit = Deposit::default();
    let mut own_mail = Vec::new();
    // Copies of what the house writes come behind the message itself, which has the first claim on the room there is.
    let mut copies = Vec::new();
    let sender = facts.mail.envelope.sender.as_ref();
    let mut choices = Bodies { sender, original, edited: Vec::new(), new: &mut bodies };
    let done = plan.done();
    for visit in plan.visits.iter().zip(done).filter_map(|(visit, done)| done.then_some(visit)) {
        for deed in &visit.deeds {
            let line = format!("{} line {}", deed.cause.script.name, deed.cause.line);
            match &deed.kind {
                DeedKind::File { place, flags, .. } => {
                    let Some(account) = visit.account else { continue };
                    let body = choices.choice(&deed.content)?;
                    deposit.filings.push(filing(facts, account, place.clone(), body, flags));
                }
                DeedKind::Send(outgoing) => {
                    let body = choices.choice(&deed.content)?;
                    deposit.sends.push((body, send(facts, visit, outgoing, line)));
                }
                DeedKind::Reply(reply) => {
                    let message = own_mail::reply(&facts.house, own_mail.len(), facts.mail, reply, facts.message);
                    copies.extend(copy_of(facts, visit, reply.fcc.as_ref(), &message, choices.new)?);
                    if let Some(until) = reply.memory.until {
                        let (sender, handle) = (reply.to.clone(), reply.memory.key.handle.clone());
                        deposit.answered.push(Answered { address: visit.address.clone(), sender, handle, until });
                    }
                    own_mail.push(own(SendKind::Reply, visit, reply.to.clone(), message, line));
                }
                DeedKind::Notify(notification) => {
                    let all = notification.to.iter().chain(&notification.cc).chain(&notification.bcc);
                    for (place, to) in all.enumerate() {
                        let number = own_mail.len();
                        let message = own_mail::notification(&facts.house, number, facts.mail, notification, to);
                        // RFC 8580 section 3.1: one copy, however many are told.
                        let fcc = notification.fcc.as_ref().filter(|_| place == 0);
                        copies.extend(copy_of(facts, visit, fcc, &message, choices.new)?);
                        own_mail.push(own(SendKind::Notice, visit, to.clone(), message, line.clone()));
                    }
                }
                _ => {}
            }
        }
        remember_duplicates(visit, &mut deposit);
    }
    deposit.stayed = plan.visits.iter().flat_map(|visit| stayed(facts, visit)).collect();
    deposit.filings.extend(copies);
    own_mail.extend(bounce(plan, facts));
    own_mail.extend(success(plan, facts));
    deposit.correspondents = correspondents(plan, facts);
    deposit.ledger.push(received(plan, facts)?);
    deposit.faults = faults(plan, facts);
    deposit.bodies = bodies;
    Ok(Prepared { deposit, own_mail })
}

fn own(kind: SendKind, visit: &Visit, to: Address, message: Vec<u8>, cause: String) -> OwnMail {
    OwnMail { kind, address: Some(visit.address.clone()), account: visit.account, to, message, cause }
}

/// Targets of the address's own redirection that don't get the message because it would not arrive or is spam: nobody should
/// have to wonder where it went.
fn stayed(facts: &Facts<'_>, visit: &Visit) -> Vec<TargetNote> {
    let Some(Fate::NotForwarded(why)) = outward::refusal(facts.mail, facts.message) else { return Vec::new() };
    let record = facts.snapshot.address(&visit.address);
    let redirection = record.and_then(|record| record.switches.redirection.as_ref());
    let active = redirection.filter(|redirection| !redirection.paused);
    let targets = active.iter().flat_map(|active| &active.targets).filter(|target| !target.paused);
    let gets_it = |target: &Address| {
        visit.deeds.iter().any(|deed| match &deed.kind {
            DeedKind::Send(outgoing) => outgoing.to == *target,
            DeedKind::Follow { to, .. } | DeedKind::SentAlready { to } => to == target,
            _ => false,
        })
    };
    targets
        .filter(|target| !gets_it(&target.address))
        .map(|target| TargetNote {
            address: visit.address.clone(),
            target: target.address.clone(),
            news: TargetNews::Stayed(why.to_string()),
        })
        .collect()
}

fn remember_duplicates(visit: &Visit, deposit: &mut Deposit) {
    let Some(account) = visit.account else { return };
    for entry in &visit.duplicates {
        deposit.duplicates.push(Duplicate { account, id: entry.id.clone().into_bytes(), until: entry.until });
    }
}

/// Flags as scripts write them: system flags by name, all else keywords.
fn filing(facts: &Facts<'_>, account: AccountId, place: FilingPlace, body: BodyChoice, names: &[String]) -> Filing {
    let (flags, keywords) = Flags::named(names);
    Filing {
        account,
        place,
        body,
        flags,
        keywords,
        internal_date: facts.mail.now,
        internal_zone_minutes: 0,
        within_quota: facts.mail.origin != Origin::House,
    }
}

/// What has gone wrong in scripts that somebody wrote. The mail that tells their owner of it may well come to the same end:
/// that is no news.
fn faults(plan: &Plan, facts: &Facts<'_>) -> Vec<ScriptFault> {
    let mut faults = Vec::new();
    if facts.mail.origin == Origin::House {
        return faults;
    }
    for visit in &plan.visits {
        let mut add = |cause: &Cause, what: String| {
            let Cause { script, line, .. } = cause;
            let version = script.version.and_then(|version| u32::try_from(version).ok());
            if let (Some((owner, name)), Some(version)) = (writer(visit, script, facts.snapshot), version) {
                faults.push(ScriptFault { owner, name, version, line: *line, what });
            }
        };
        for error in &visit.errors {
            add(&error.cause, error.kind.to_string());
        }
        for deed in &visit.deeds {
            if let DeedKind::Refused { to, why: why @ (Fate::Unknown | Fate::Paused | Fate::TooFar) } = &deed.kind {
                add(&deed.cause, format!("it redirects to {to}: {}", super::explain::reason(why).unwrap_or_default()));
            }
        }
    }
    faults
}

/// Whose script it is, and what it is called there. What switches were made into nobody wrote.
fn writer(visit: &Visit, script: &ScriptName, snapshot: &Snapshot) -> Option<(ScriptOwner, String)> {
    match script.kind {
        ScriptKind::Personal => Some((ScriptOwner::Account(visit.account?), script.name.clone())),
        ScriptKind::Admin => {
            let (place, name) = script.name.strip_prefix('@')?.split_once(' ')?;
            let owner = match place {
                "" => ScriptOwner::Server,
                domain => ScriptOwner::Domain(snapshot.domain(&domain.parse().ok()?)?.id),
            };
            Some((owner, name.to_owned()))
        }
        ScriptKind::Compiled => None,
    }
}

/// Whom a submitter has written to, other than himself.
fn correspondents(plan: &Plan, facts: &Facts<'_>) -> Vec<(AccountId, Address)> {
    let Origin::Submission { account, .. } = facts.mail.origin else { return Vec::new() };
    let recipients = facts.mail.envelope.recipients.iter().zip(&plan.recipients);
    let accepted = recipients.filter(|(_, fate)| **fate == Fate::Accepted).map(|(recipient, _)| &recipient.address);
    let others = accepted.filter(|address| !facts.snapshot.belongs_to(address, account));
    others.map(|address| (account, address.clone())).collect()
}

/// RFC 8580: a copy of what was written in somebody's name, for him. It needs no room: refused for lack of it, the message
/// itself would be.
fn copy_of(
    facts: &Facts<'_>,
    visit: &Visit,
    copy: Option<&CopyFiling>,
    message: &[u8],
    bodies: &mut Vec<NewBody>,
) -> Result<Option<Filing>, StoreError> {
    let (Some(account), Some(copy)) = (visit.account, copy) else { return Ok(None) };
    bodies.push(body_of(message)?);
    let body = BodyChoice::New(bodies.len() - 1);
    let place = match copy.create.and_then(|create| create.special_use) {
        Some(usage) => FilingPlace::Special(usage, copy.mailbox.clone()),
        None => FilingPlace::Named(copy.mailbox.clone()),
    };
    Ok(Some(Filing { within_quota: false, ..filing(facts, account, place, body, &copy.flags) }))
}

fn send(facts: &Facts<'_>, visit: &Visit, outgoing: &Outgoing, cause: String) -> NewSend {
    let envelope = &facts.mail.envelope;
    let (kind, next_hop, prepend) = match &outgoing.why {
        OutgoingKind::Submission => (SendKind::Submission, None, String::new()),
        OutgoingKind::Redirection => (SendKind::Redirection, None, facts.marks.field(&visit.address)),
        OutgoingKind::Handover(host) => {
            // The other server may send it back to the address that led there, or to the one it was handed.
            let to = outgoing.to.canonical();
            let mut marks = facts.marks.field(&to);
            if to != visit.address {
                marks.push_str(&facts.marks.field(&visit.address));
            }
            (SendKind::Handover, Some(host.clone()), marks)
        }
    };
    let (account, address) = match &facts.mail.origin {
        Origin::Submission { account, address } if kind == SendKind::Submission => {
            (Some(*account), Some(address.clone()))
        }
        _ => (visit.account, Some(visit.address.clone())),
    };
    let recipient = envelope.recipients.get(visit.recipient);
    let due = envelope.hold_until.filter(|_| kind == SendKind::Submission).unwrap_or(facts.mail.now);
    NewSend {
        kind,
        account,
        address,
        sender: envelope.sender.clone(),
        recipient: outgoing.to.clone(),
        destination: next_hop.clone().unwrap_or_else(|| outgoing.to.domain().to_string()),
        due,
        expires: due.plus_seconds(facts.lifetime_seconds),
        priority: envelope.priority,
        details: SendDetails {
            notify: outgoing.notify,
            // RFC 3461 section 5.2.7: what a redirection passes on is about the address that was written to.
            original_recipient: recipient.and_then(|recipient| recipient.original.clone()),
            addressed: recipient.map(|recipient| recipient.address.clone()).filter(|address| *address != outgoing.to),
            envelope_id: envelope.dsn_envelope_id.clone(),
            dsn_return: outgoing.dsn_return,
            smtputf8: envelope.smtputf8,
            eight_bit: envelope.body == crate::types::BodyKind::EightBit,
            binary: envelope.body == crate::types::BodyKind::Binary,
            requiretls: envelope.requiretls,
            deliver_by: outgoing.deliver_by,
            skip_octets: facts.return_path_octets,
            prepend,
            sign: false,
            next_hop,
            cause,
            message_id: facts.message_id.clone(),
            session: facts.mail.session.clone(),
        },
    }
}

/// Numbers that keep the identifiers of reports apart from those of answers.
const BOUNCE_NUMBER: usize = 65_535;
const SUCCESS_NUMBER: usize = 65_536;

/// One report for all recipients who have the message, where the sender wants to know. Where it was only passed on, whoever
/// gets it next is asked for the report. That a script threw it away is between the script and its owner.
fn success(plan: &Plan, facts: &Facts<'_>) -> Option<OwnMail> {
    let recipients = facts.mail.envelope.recipients.iter().enumerate();
    let delivered: Vec<&Recipient> = recipients
        .filter(|(index, recipient)| recipient.notify.success && plan.recipients[*index] == Fate::Accepted)
        .filter_map(|(index, recipient)| plan.ends_here(index).then_some(recipient))
        .collect();
    if delivered.is_empty() {
        return None;
    }
    let (to, message) = own_mail::success(&facts.house, SUCCESS_NUMBER, facts.mail, facts.message, &delivered)?;
    let cause = "its sender wanted to know".to_owned();
    Some(OwnMail { kind: SendKind::Notice, address: None, account: None, to, message, cause })
}

/// One report for all recipients that need one.
fn bounce(plan: &Plan, facts: &Facts<'_>) -> Option<OwnMail> {
    let failed = own_mail::failures(plan, facts.mail, facts.answers);
    let (to, message) = own_mail::bounce(&facts.house, BOUNCE_NUMBER, facts.mail, facts.message, &failed)?;
    let cause = "refused while others accepted".to_owned();
    Some(OwnMail { kind: SendKind::Bounce, address: None, account: None, to, message, cause })
}

/// What the ledger keeps of the whole delivery.
fn received(plan: &Plan, facts: &Facts<'_>) -> Result<LedgerEntry, StoreError> {
    let recipients = facts.mail.envelope.recipients.iter().map(|recipient| recipient.address.to_string());
    let explanation = Explanation::of(plan, facts.mail, facts.answers);
    let mut addresses: Vec<String> = recipients.map(|address| address.to_lowercase()).collect();
    addresses.extend(plan.visits.iter().map(|visit| visit.address.to_string()));
    addresses.extend(facts.mail.envelope.sender.as_ref().map(|sender| sender.canonical().to_string()));
    addresses.sort_unstable();
    addresses.dedup();
    let detail = serde_json::json!({
        "from": facts.mail.remote_ip.map(|ip| ip.to_string()),
        "host": facts.mail.remote_host,
        "by": origin(&facts.mail.origin),
        "octets": facts.message.len(),
        "verdicts": facts.mail.verdicts,
        "plan": explanation,
    });
    Ok(LedgerEntry {
        event: match &facts.mail.origin {
            Origin::InPlace { .. } => "filtered",
            _ if plan.recipients.contains(&Fate::Accepted) => "received",
            _ => "refused",
        }
        .to_owned(),
        session: facts.mail.session.clone(),
        message_id: facts.message_id.clone(),
        sender: facts.mail.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        addresses,
        send: None,
        detail: detail.to_string(),
    })
}

/// Of a message that was refused before any script saw it.
pub(super) fn refusal(mail: &Mail, refused: &RefusedMail<'_>) -> LedgerEntry {
    let envelope = &mail.envelope;
    let recipients = envelope.recipients.iter().map(|recipient| &recipient.address);
    let mut addresses: Vec<String> =
        recipients.chain(&envelope.sender).map(|address| address.canonical().to_string()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let detail = serde_json::json!({
        "from": mail.remote_ip.map(|ip| ip.to_string()),
        "host": mail.remote_host,
        "by": origin(&mail.origin),
        "octets": refused.octets,
        "verdicts": mail.verdicts,
        "why": refused.why,
    });
    LedgerEntry {
        event: "refused".to_owned(),
        session: mail.session.clone(),
        message_id: message::own_message_id(refused.header).unwrap_or_default(),
        sender: envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        addresses,
        send: None,
        detail: detail.to_string(),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Mx => "mx".to_owned(),
        Origin::Lmtp => "lmtp".to_owned(),
        Origin::House => "house".to_owned(),
        Origin::Submission { address, .. } => format!("submission by {address}"),
        Origin::InPlace { person, occasion } => format!("{occasion} by {person}"),
    }
}

/// The envelope of mail the house wrote: from nobody (RFC 3834 section 3.3), to one, with no report about it.
pub(super) fn own_envelope(to: &Address) -> Envelope {
    let recipient = Recipient { notify: Notify::NEVER, ..Recipient::plain(to.clone()) };
    Envelope { recipients: vec![recipient], ..Envelope::default() }
}

/// The house's own mail to outside.
pub(super) fn own_send(
    mail: &Mail,
    own: &OwnMail,
    stored: &StoredMessage,
    lifetime_seconds: i64,
    about: &str,
) -> NewSend {
    NewSend {
        kind: own.kind,
        account: own.account,
        address: own.address.clone(),
        sender: None,
        recipient: own.to.clone(),
        destination: own.to.domain().to_string(),
        due: mail.now,
        expires: mail.now.plus_seconds(lifetime_seconds),
        priority: 0,
        details: SendDetails {
            notify: Notify::NEVER,
            smtputf8: own.to.needs_utf8(),
            sign: true,
            skip_octets: stored.return_path_octets,
            cause: own.cause.clone(),
            // Of what it is about: it belongs to that message's life.
            message_id: about.to_owned(),
            session: mail.session.clone(),
            ..SendDetails::default()
        },
    }
}
