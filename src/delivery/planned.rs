//! A plan with everything that its commit needs, made on a thread that may be kept busy.

use super::Delivery;
use super::commit::{self, Facts, OwnMail, Prepared};
use super::mail::{Answers, Mail, Origin};
use super::own_mail::House;
use super::plan::{Fate, Plan};
use crate::directory::Snapshot;
use crate::mailbox;
use crate::message;
use crate::store::{BodyChoice, Deposit, LargeBody, NewBody, StoreError};
use crate::types::Address;
use crate::types::limits::BODY_AHEAD_OCTETS;
use std::sync::Arc;

/// A message as it is stored.
pub(super) struct StoredMessage {
    /// Shared with the store while it writes them.
    pub(super) octets: Arc<Vec<u8>>,
    pub(super) return_path_octets: u32,
}

impl StoredMessage {
    /// Of a message that came in, behind its Return-Path of so many octets.
    pub(super) fn received(mut octets: Vec<u8>, return_path_octets: usize) -> Self {
        // RFC 5321 section 4.4: what others put there goes.
        message::remove_in_place(&mut octets, return_path_octets, "Return-Path");
        Self { octets: Arc::new(octets), return_path_octets: return_path_octets as u32 }
    }
}

/// RFC 5321 section 4.4: the last delivery puts the return path on top, and takes off what others put there.
pub(super) fn with_return_path(sender: Option<&Address>, message: &[u8]) -> StoredMessage {
    let mut octets = message::return_path(sender).raw().to_vec();
    let return_path_octets = octets.len() as u32;
    let mut edit = message::HeaderEdit::new(message);
    if edit.remove_all("Return-Path") == 0 {
        octets.extend_from_slice(message);
    } else {
        octets.extend_from_slice(&edit.into_message(message));
    }
    StoredMessage { octets: Arc::new(octets), return_path_octets }
}

/// Hashed, compressed and analysed.
pub(super) fn body_of(octets: &[u8]) -> Result<NewBody, StoreError> {
    mailbox::index(octets)
}

/// A plan with everything a commit needs, made on a thread that may be kept busy.
pub(super) struct Planned {
    mail: Mail,
    answers: Answers,
    stored: StoredMessage,
    message_id: String,
    token: String,
    snapshot: Arc<Snapshot>,
    pub(super) plan: Plan,
    pub(super) original: BodyChoice,
    /// A small message's own body.
    new: Option<NewBody>,
    /// A large one's, to be stored before the deposit.
    pub(super) ahead: Option<LargeBody>,
}

impl Planned {
    pub(super) fn new(
        delivery: &Delivery,
        snapshot: Arc<Snapshot>,
        mail: Mail,
        answers: Answers,
        stored: StoredMessage,
    ) -> Result<Self, StoreError> {
        let plan = delivery.plan(&snapshot, &mail, &stored.octets);
        Self::of(snapshot, mail, answers, stored, plan)
    }

    /// The same of a plan that was made.
    pub(super) fn of(
        snapshot: Arc<Snapshot>,
        mail: Mail,
        answers: Answers,
        stored: StoredMessage,
        plan: Plan,
    ) -> Result<Self, StoreError> {
        let message_id = message::own_message_id(&stored.octets).unwrap_or_default();
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| StoreError::Io(format!("no randomness: {error}")))?;
        let random: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
        let token = format!("{}.{random}", mail.session);
        let (mut new, mut ahead) = (None, None);
        // Nothing is stored of what nobody takes.
        if plan.recipients.contains(&Fate::Accepted) {
            if stored.octets.len() > BODY_AHEAD_OCTETS {
                ahead = Some(mailbox::index_large(Arc::clone(&stored.octets))?);
            } else {
                new = Some(body_of(&stored.octets)?);
            }
        }
        let original = BodyChoice::New(0);
        Ok(Self { mail, answers, stored, message_id, token, snapshot, plan, original, new, ahead })
    }

    /// Whether anything is left to be remembered.
    pub(super) fn is_worth_a_commit(&self) -> bool {
        self.plan.recipients.contains(&Fate::Accepted) || !self.plan.visits.is_empty()
    }

    pub(super) fn deposit(&self, delivery: &Delivery) -> Result<Deposit, StoreError> {
        let facts = Facts {
            mail: &self.mail,
            message: &self.stored.octets,
            return_path_octets: self.stored.return_path_octets,
            message_id: self.message_id.clone(),
            house: House { hostname: &delivery.0.hostname, token: self.token.clone() },
            snapshot: &self.snapshot,
            marks: &delivery.0.marks,
            lifetime_seconds: delivery.0.send_lifetime_seconds,
            answers: self.answers,
        };
        let bodies = self.new.iter().cloned().collect();
        let Prepared { mut deposit, own_mail } = commit::prepare(&self.plan, &facts, self.original, bodies)?;
        for own in &own_mail {
            self.add_own(delivery, own, &mut deposit)?;
        }
        drop_unnamed(&mut deposit);
        Ok(deposit)
    }

    /// An answer to an address of ours is delivered in the same transaction; one to outside is a send like any other.
    fn add_own(&self, delivery: &Delivery, own: &OwnMail, deposit: &mut Deposit) -> Result<(), StoreError> {
        let mail = Mail {
            envelope: commit::own_envelope(&own.to),
            origin: Origin::House,
            now: self.mail.now,
            remote_ip: None,
            remote_host: None,
            session: self.mail.session.clone(),
            verdicts: String::new(),
            not_forwarded: None,
        };
        let stored = with_return_path(None, &own.message);
        let place = deposit.bodies.len();
        if !self.snapshot.is_hosted(own.to.domain()) {
            let body = BodyChoice::New(place);
            let send = commit::own_send(&mail, own, &stored, delivery.0.send_lifetime_seconds, &self.message_id);
            deposit.bodies.push(body_of(&stored.octets)?);
            deposit.sends.push((body, send));
            return Ok(());
        }
        let plan = delivery.plan(&self.snapshot, &mail, &stored.octets);
        let message_id = self.message_id.clone();
        let facts = Facts {
            mail: &mail,
            message: &stored.octets,
            return_path_octets: stored.return_path_octets,
            message_id,
            house: House { hostname: &delivery.0.hostname, token: format!("{}.own", self.token) },
            snapshot: &self.snapshot,
            marks: &delivery.0.marks,
            lifetime_seconds: delivery.0.send_lifetime_seconds,
            answers: Answers::Each,
        };
        let mut bodies = std::mem::take(&mut deposit.bodies);
        bodies.push(body_of(&stored.octets)?);
        // To the null sender nobody answers, so there is no own mail of own mail; a notification of one is not sent.
        let Prepared { deposit: more, .. } = commit::prepare(&plan, &facts, BodyChoice::New(place), bodies)?;
        deposit.bodies = more.bodies;
        deposit.filings.extend(more.filings);
        deposit.sends.extend(more.sends);
        deposit.duplicates.extend(more.duplicates);
        deposit.ledger.extend(more.ledger);
        Ok(())
    }
}

/// A body that was made for a plan whose deeds all fell away is not stored.
fn drop_unnamed(deposit: &mut Deposit) {
    let mut named = vec![false; deposit.bodies.len()];
    let choices = deposit.filings.iter().map(|filing| filing.body).chain(deposit.sends.iter().map(|(body, _)| *body));
    for choice in choices {
        if let BodyChoice::New(place) = choice {
            named[place] = true;
        }
    }
    let mut moved = Vec::with_capacity(named.len());
    let mut left = 0;
    for is_named in &named {
        moved.push(left);
        left += usize::from(*is_named);
    }
    let mut keep = named.iter();
    deposit.bodies.retain(|_| keep.next().copied().unwrap_or(true));
    let renumber = |choice: &mut BodyChoice| {
        if let BodyChoice::New(place) = choice {
            *place = moved[*place];
        }
    };
    deposit.filings.iter_mut().for_each(|filing| renumber(&mut filing.body));
    deposit.sends.iter_mut().for_each(|(body, _)| renumber(body));
}
