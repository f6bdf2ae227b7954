//! From a plan to the one transaction that does it.

use super::StoredMessage;
use super::explain::Explanation;
use super::mail::{Answers, Mail, Origin};
use super::marks::Marks;
use super::own_mail::{self, House};
use super::plan::{DeedKind, Fate, Outgoing, OutgoingKind, Plan, Visit};
use crate::filter::{Content, Filing as CopyFiling};
use crate::store::{
    Answered, BodyChoice, Deposit, Duplicate, Filing, FilingPlace, LedgerEntry, NewBody, NewSend, SendDetails,
    SendKind, StoreError,
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
        self.new.push(super::body_of(octets)?);
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
    let mut choices = Bodies { original, edited: Vec::new(), new: &mut bodies };
    for visit in &plan.visits {
        // What a refused recipient's script wanted besides is not done: the sender was told that it came to nothing.
        if plan.recipients[visit.recipient] != Fate::Accepted {
            continue;
        }
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
                    if let Some(copy) = &reply.fcc {
                        file_copy(facts, visit, copy, &message, &mut deposit, choices.new)?;
                    }
                    if let Some(until) = reply.memory.until
                        && let Ok(sender) = reply.memory.key.sender.parse()
                    {
                        let handle = reply.memory.key.handle.clone();
                        deposit.answered.push(Answered { address: visit.address.clone(), sender, handle, until });
                    }
                    own_mail.push(own(SendKind::Reply, visit, reply.to.clone(), message, line));
                }
                DeedKind::Notify(notification) => {
                    let all = notification.to.iter().chain(&notification.cc).chain(&notification.bcc);
                    for to in all {
                        let number = own_mail.len();
                        let message = own_mail::notification(&facts.house, number, facts.mail, notification, to);
                        own_mail.push(own(SendKind::Notice, visit, to.clone(), message, line.clone()));
                    }
                }
                _ => {}
            }
        }
        remember_duplicates(visit, &mut deposit);
    }
    own_mail.extend(bounce(plan, facts));
    if let Origin::Submission { account, .. } = &facts.mail.origin {
        let recipients = facts.mail.envelope.recipients.iter();
        deposit.correspondents = recipients.map(|recipient| (*account, recipient.address.clone())).collect();
    }
    deposit.ledger.push(received(plan, facts)?);
    deposit.bodies = bodies;
    Ok(Prepared { deposit, own_mail })
}

fn own(kind: SendKind, visit: &Visit, to: Address, message: Vec<u8>, cause: String) -> OwnMail {
    OwnMail { kind, address: Some(visit.address.clone()), account: visit.account, to, message, cause }
}

fn remember_duplicates(visit: &Visit, deposit: &mut Deposit) {
    let Some(account) = visit.account else { return };
    for entry in &visit.duplicates {
        deposit.duplicates.push(Duplicate { account, id: entry.id.clone().into_bytes(), until: entry.until });
    }
}

/// Flags as scripts write them: system flags by name, all else keywords.
fn filing(facts: &Facts<'_>, account: AccountId, place: FilingPlace, body: BodyChoice, names: &[String]) -> Filing {
    let mut flags = Flags::NONE;
    let mut keywords = Vec::new();
    for name in names {
        match Flags::system(name) {
            Some(flag) => flags = flags.with(flag),
            // An unknown system flag is nothing a client could set either (RFC 9051 section 2.3.2).
            None if name.starts_with('\\') => {}
            None => keywords.push(name.clone()),
        }
    }
    Filing {
        account,
        place,
        body,
        flags,
        keywords,
        internal_date: facts.mail.now,
        internal_zone_minutes: 0,
        within_quota: true,
    }
}

/// RFC 8580: a copy of the answer for its author.
fn file_copy(
    facts: &Facts<'_>,
    visit: &Visit,
    copy: &CopyFiling,
    message: &[u8],
    deposit: &mut Deposit,
    bodies: &mut Vec<NewBody>,
) -> Result<(), StoreError> {
    let Some(account) = visit.account else { return Ok(()) };
    bodies.push(super::body_of(message)?);
    let body = BodyChoice::New(bodies.len() - 1);
    let place = match copy.create.and_then(|create| create.special_use) {
        Some(usage) => FilingPlace::Special(usage, copy.mailbox.clone()),
        None => FilingPlace::Named(copy.mailbox.clone()),
    };
    deposit.filings.push(filing(facts, account, place, body, &copy.flags));
    Ok(())
}

fn send(facts: &Facts<'_>, visit: &Visit, outgoing: &Outgoing, cause: String) -> NewSend {
    let envelope = &facts.mail.envelope;
    let (kind, next_hop, prepend) = match &outgoing.why {
        OutgoingKind::Submission => (SendKind::Submission, None, String::new()),
        OutgoingKind::Redirection => (SendKind::Redirection, None, facts.marks.field(&visit.address)),
        OutgoingKind::Handover(host) => {
            (SendKind::Handover, Some(host.clone()), facts.marks.field(&outgoing.to.canonical()))
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
            next_hop,
            cause,
            message_id: facts.message_id.clone(),
            session: facts.mail.session.clone(),
        },
    }
}

/// One report for all recipients that were refused while others were not, where there is no other way to say so.
fn bounce(plan: &Plan, facts: &Facts<'_>) -> Option<OwnMail> {
    let accepted = plan.recipients.contains(&Fate::Accepted);
    if facts.answers == Answers::Each || !accepted {
        return None;
    }
    let recipients = facts.mail.envelope.recipients.iter();
    let refused: Vec<(&Recipient, &Fate)> =
        recipients.zip(&plan.recipients).filter(|(_, fate)| **fate != Fate::Accepted).collect();
    if refused.is_empty() {
        return None;
    }
    // The number keeps its identifier apart from those of the answers.
    let (to, message) = own_mail::bounce(&facts.house, usize::from(u16::MAX), facts.mail, facts.message, &refused)?;
    let cause = "refused while others accepted".to_owned();
    Some(OwnMail { kind: SendKind::Bounce, address: None, account: None, to, message, cause })
}

/// What the ledger keeps of the whole delivery.
fn received(plan: &Plan, facts: &Facts<'_>) -> Result<LedgerEntry, StoreError> {
    let recipients = facts.mail.envelope.recipients.iter().map(|recipient| recipient.address.to_string());
    let explanation = Explanation::of(plan, recipients.clone());
    let mut addresses: Vec<String> = recipients.map(|address| address.to_lowercase()).collect();
    addresses.extend(plan.visits.iter().map(|visit| visit.address.to_string()));
    addresses.extend(facts.mail.envelope.sender.as_ref().map(|sender| sender.canonical().to_string()));
    addresses.sort_unstable();
    addresses.dedup();
    let detail = serde_json::json!({
        "from": facts.mail.remote_ip.map(|ip| ip.to_string()),
        "host": facts.mail.remote_host,
        "by": match &facts.mail.origin {
            Origin::Mx => "mx".to_owned(),
            Origin::Lmtp => "lmtp".to_owned(),
            Origin::House => "house".to_owned(),
            Origin::Submission { address, .. } => format!("submission by {address}"),
        },
        "octets": facts.message.len(),
        "verdicts": facts.mail.verdicts,
        "plan": explanation,
    });
    Ok(LedgerEntry {
        event: "received".to_owned(),
        session: facts.mail.session.clone(),
        message_id: facts.message_id.clone(),
        sender: facts.mail.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        addresses,
        send: None,
        detail: detail.to_string(),
    })
}

/// The envelope of mail the house wrote: from nobody (RFC 3834 section 3.3), to one, with no report about it.
pub(super) fn own_envelope(to: &Address) -> Envelope {
    let recipient = Recipient { notify: Notify::NEVER, ..Recipient::plain(to.clone()) };
    Envelope { recipients: vec![recipient], ..Envelope::default() }
}

/// The house's own mail to outside.
pub(super) fn own_send(mail: &Mail, own: &OwnMail, stored: &StoredMessage, lifetime_seconds: i64) -> NewSend {
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
            skip_octets: stored.return_path_octets,
            cause: own.cause.clone(),
            session: mail.session.clone(),
            ..SendDetails::default()
        },
    }
}
