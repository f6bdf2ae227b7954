//! What is due, whose turn it is, and what came of it: the queue's way through its rows, which is by index all the way,
//! however many wait.

use super::bodies::{self, NewBody};
use super::directory_reads::target_of;
use super::sends::{NewSend, SendRecord, Waiting, record_of, select_send, waits};
use super::tx::Tx;
use super::{LedgerEntry, Store, StoreError, TargetState, Thing, ledger, sends};
use crate::types::limits::QUEUE_ORIGINS_PER_TURN_MAX;
use crate::types::{Address, AddressId, Domain, SendId, Timestamp};
use std::collections::HashMap;
use std::ops::ControlFlow;

// What is due is found by these. A test asks the engine for their plans: none may look at all that waits.
const DUE_DESTINATIONS: &str = "SELECT destination, due FROM destination
    WHERE due <= ?1 AND (due, destination) > (?2, ?3) ORDER BY due, destination LIMIT ?4";
const NEXT_DESTINATION: &str = "SELECT min(due) FROM destination WHERE due > ?1";
const NEXT_PRIORITY: &str = "SELECT max(priority) FROM send WHERE state = 'due' AND destination = ?1 AND priority < ?2";
const NEXT_ORIGIN: &str = "SELECT origin FROM send
    WHERE state = 'due' AND destination = ?1 AND priority = ?2 AND origin > ?3 ORDER BY origin LIMIT 1";
const NEXT_OF_ORIGIN: &str = select_send!(
    "WHERE state = 'due' AND destination = ?1 AND priority = ?2 AND origin = ?3 AND due <= ?4 ORDER BY due LIMIT 1"
);
const NEXT_BY_TIME: &str = select_send!("WHERE state = 'due' AND destination = ?1 AND due <= ?2 ORDER BY due LIMIT 1");
// The sign keeps the engine from the index by time, which leads to everything that is due there.
const SAME_MESSAGE: &str =
    select_send!("WHERE body_id = ?1 AND destination = ?2 AND state = 'due' AND +due <= ?3 ORDER BY send_id LIMIT ?4");
const NEXT_DUE: &str = "SELECT min(due) FROM send WHERE state = 'due' AND destination = ?1";
#[cfg(test)]
pub(super) const PICKING: [&str; 8] = [
    DUE_DESTINATIONS,
    NEXT_DESTINATION,
    NEXT_PRIORITY,
    NEXT_ORIGIN,
    NEXT_OF_ORIGIN,
    NEXT_BY_TIME,
    SAME_MESSAGE,
    NEXT_DUE,
];

/// What one worker wants to deliver next.
#[derive(Clone, Debug)]
pub struct Turn {
    pub destination: String,
    /// Who had the last turn there; the one behind has the next.
    pub after: String,
    /// Messages, and recipients of each.
    pub messages: u32,
    pub recipients: u32,
}

/// Sends that are the caller's business now. All of one message for one destination and from one sender stand together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub messages: Vec<Vec<SendRecord>>,
    /// More is due there.
    pub more: bool,
    /// For the next [`Turn::after`].
    pub after: String,
}

/// What became of a send that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendEnd {
    /// Delivered or given up: it goes, and its body loses a reference.
    Gone,
    /// Tried in vain, and due again.
    Later { due: Timestamp, reply: String, warned: bool },
    /// Not tried at all.
    Untouched,
}

/// What a redirection's target did with a message, or said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetNote {
    /// The redirection.
    pub address: Address,
    pub target: Address,
    pub news: TargetNews,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetNews {
    /// It took one.
    Took,
    /// With its reply.
    Refused(String),
    /// It was not asked, since it would not have taken it or nobody would have got it. With the reason.
    Stayed(String),
}

/// A redirection with a target that refuses, and how often in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusing {
    pub address: Address,
    pub target: Address,
    pub refusals: u32,
    pub reply: String,
}

/// The outcome of one transaction with a server: all of it is remembered, or none.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    pub ends: Vec<(SendId, SendEnd)>,
    /// Reports that it causes.
    pub reports: Vec<(NewBody, NewSend)>,
    pub targets: Vec<TargetNote>,
    pub ledger: Vec<LedgerEntry>,
}

/// Whose time is put off because the destination can't be reached.
#[derive(Clone, Debug)]
pub struct PutOff {
    pub destination: String,
    /// The first pause, doubled with each attempt up to the longest.
    pub pause_seconds_first: u32,
    pub pause_seconds_max: u32,
    /// Sends that became due before this and whose sender was not told are left for a turn of their own.
    pub warn_since: Timestamp,
    pub reply: String,
    /// At most so many.
    pub most: u32,
}

impl Store {
    /// Destinations that are due, the longest waiting first, behind the given place in that order.
    pub async fn due_destinations(
        &self,
        after: Option<Waiting>,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        let after = after.unwrap_or(Waiting { destination: String::new(), due: Timestamp(i64::MIN) });
        self.read(move |tx| {
            tx.rows(
                DUE_DESTINATIONS,
                &[now.into(), after.due.into(), (&after.destination).into(), most.into()],
                |row| Ok(Waiting { destination: row.text(0)?.to_owned(), due: row.time(1)? }),
            )
        })
        .await
    }

    /// The next time after `now` at which a destination is due.
    pub async fn next_destination_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |tx| {
            let next = tx.int(NEXT_DESTINATION, &[now.into()])?;
            Ok(next.map(Timestamp))
        })
        .await
    }

    /// Takes what is due for a destination: higher priorities first, then everybody in turn, and with a message all its
    /// recipients there. Nobody else gets it until [`Store::settle_sends`].
    pub async fn take_sends(&self, turn: Turn) -> Result<Taken, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * turn.messages as usize, move |tx| take(tx, &turn, now)).await
    }

    /// Writes down what came of sends that were taken. Returns the targets that refused.
    pub async fn settle_sends(&self, settlement: Settlement) -> Result<Vec<Refusing>, StoreError> {
        let now = self.0.clock.now();
        let octets: usize = settlement.reports.iter().map(|(body, _)| body.stored_octets()).sum();
        self.write(octets + 512 * settlement.ends.len(), move |tx| settle(tx, &settlement, now)).await
    }

    /// Puts off up to `most` of a destination's sends that are due, without a look at each. What has expired, or whose
    /// sender is yet to be told of the delay, stays. Returns how many were put off.
    pub async fn put_off_sends(&self, put_off: PutOff) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * put_off.most as usize, move |tx| put_off_some(tx, &put_off, now)).await
    }

    /// At start: what was being delivered when the server died is due again.
    pub async fn release_claims(&self) -> Result<u64, StoreError> {
        self.write(1024, |tx| {
            let active = tx.rows("SELECT send_id, destination, due FROM send WHERE state = 'active'", &[], |row| {
                Ok((SendId(row.int(0)?), Waiting { destination: row.text(1)?.to_owned(), due: row.time(2)? }))
            })?;
            for (id, waiting) in &active {
                tx.execute("UPDATE send SET state = 'due' WHERE send_id = ?1", &[(*id).into()])?;
                waits(tx, waiting.clone())?;
            }
            Ok(active.len() as u64)
        })
        .await
    }

    /// How all targets of redirections have been answering, by the redirection's address, in the redirection's order.
    pub async fn target_states(&self) -> Result<HashMap<AddressId, Vec<TargetState>>, StoreError> {
        self.read(|tx| {
            let mut states: HashMap<AddressId, Vec<TargetState>> = HashMap::new();
            tx.each(
                "SELECT address_id, target, paused, refusals, last_reply, stayed, stayed_why FROM target
                 ORDER BY address_id, position",
                &[],
                |row| {
                    states.entry(AddressId(row.int(0)?)).or_default().push(target_of(row)?.1);
                    Ok(ControlFlow::Continue(()))
                },
            )?;
            Ok(states)
        })
        .await
    }

    /// The redirections within a domain that have this target, for bounces that name nothing else.
    pub async fn redirections_to(&self, domain: &Domain, target: &Address) -> Result<Vec<Address>, StoreError> {
        let (domain, target) = (domain.clone(), target.to_string());
        self.read(move |tx| {
            let locals = tx.rows(
                "SELECT a.local_part FROM target t
                 JOIN address a ON a.address_id = t.address_id JOIN domain d ON d.domain_id = a.domain_id
                 WHERE t.target = ?1 AND d.name = ?2 ORDER BY a.address_id LIMIT 100",
                &[(&target).into(), domain.as_str().into()],
                |row| Ok(row.text(0)?.to_owned()),
            )?;
            Ok(locals.iter().filter_map(|local| Address::from_parts(local, domain.clone()).ok()).collect())
        })
        .await
    }
}

fn take(tx: &mut Tx<'_>, turn: &Turn, now: Timestamp) -> Result<Taken, StoreError> {
    let mut taken = Taken { after: turn.after.clone(), ..Taken::default() };
    let mut priority = i64::MAX;
    let mut origins = 0;
    let full = |taken: &Taken| taken.messages.len() >= turn.messages as usize;
    while !full(&taken) {
        let next = tx.int(NEXT_PRIORITY, &[(&turn.destination).into(), priority.into()])?;
        let Some(level) = next else { break };
        priority = level;
        take_level(tx, turn, now, level, &mut taken, &mut origins)?;
        if origins >= QUEUE_ORIGINS_PER_TURN_MAX {
            break;
        }
    }
    // So many wait for later that the search was cut short: then the order of time decides.
    while !full(&taken) && origins >= QUEUE_ORIGINS_PER_TURN_MAX {
        let Some(first) = tx.row(NEXT_BY_TIME, &[(&turn.destination).into(), now.into()], record_of)? else { break };
        taken.messages.push(claim_message(tx, first, turn, now)?);
    }
    let left = tx.int(NEXT_DUE, &[(&turn.destination).into()])?;
    match left {
        None => tx.execute("DELETE FROM destination WHERE destination = ?1", &[(&turn.destination).into()])?,
        Some(due) => tx.execute(
            "UPDATE destination SET due = ?2 WHERE destination = ?1",
            &[(&turn.destination).into(), due.into()],
        )?,
    };
    taken.more = left.is_some_and(|due| due <= now.0);
    // Whoever looked for the next time did so before this row said it.
    let later = left.map(Timestamp).filter(|due| *due > now);
    tx.waiting.extend(later.map(|due| Waiting { destination: turn.destination.clone(), due }));
    Ok(taken)
}

/// Rounds over those who have something due at one priority, a message each, until a whole round finds nothing.
fn take_level(
    tx: &mut Tx<'_>,
    turn: &Turn,
    now: Timestamp,
    priority: i64,
    taken: &mut Taken,
    origins: &mut u32,
) -> Result<(), StoreError> {
    let (mut wrapped, mut found) = (false, false);
    while taken.messages.len() < turn.messages as usize && *origins < QUEUE_ORIGINS_PER_TURN_MAX {
        let origin =
            tx.row(NEXT_ORIGIN, &[(&turn.destination).into(), priority.into(), (&taken.after).into()], |row| {
                Ok(row.text(0)?.to_owned())
            })?;
        let Some(origin) = origin else {
            // Behind the last comes the first again, as long as a whole round finds something.
            if taken.after.is_empty() || (wrapped && !found) {
                return Ok(());
            }
            taken.after.clear();
            (wrapped, found) = (true, false);
            continue;
        };
        *origins += 1;
        let parameters = [(&turn.destination).into(), priority.into(), (&origin).into(), now.into()];
        if let Some(first) = tx.row(NEXT_OF_ORIGIN, &parameters, record_of)? {
            taken.messages.push(claim_message(tx, first, turn, now)?);
            found = true;
        }
        taken.after = origin;
    }
    Ok(())
}

/// The send with all others that can go with it in one transaction.
fn claim_message(
    tx: &mut Tx<'_>,
    first: SendRecord,
    turn: &Turn,
    now: Timestamp,
) -> Result<Vec<SendRecord>, StoreError> {
    let parameters = [first.body.into(), (&turn.destination).into(), now.into(), turn.recipients.into()];
    let mut message = tx.rows(SAME_MESSAGE, &parameters, record_of)?;
    message.retain(|other| other.id != first.id && go_together(&first, other));
    message.insert(0, first);
    for send in &message {
        tx.execute("UPDATE send SET state = 'active' WHERE send_id = ?1", &[send.id.into()])?;
    }
    Ok(message)
}

/// Whether one MAIL does for both.
fn go_together(one: &SendRecord, other: &SendRecord) -> bool {
    let (a, b) = (&one.send, &other.send);
    let (x, y) = (&a.details, &b.details);
    a.sender == b.sender
        && a.address == b.address
        && a.kind == b.kind
        && a.priority == b.priority
        && x.next_hop == y.next_hop
        && x.prepend == y.prepend
        && x.skip_octets == y.skip_octets
        && x.smtputf8 == y.smtputf8
        && x.requiretls == y.requiretls
        && x.deliver_by == y.deliver_by
        && x.envelope_id == y.envelope_id
        && x.dsn_return == y.dsn_return
}

fn settle(tx: &mut Tx<'_>, settlement: &Settlement, now: Timestamp) -> Result<Vec<Refusing>, StoreError> {
    for (id, end) in &settlement.ends {
        match end {
            SendEnd::Gone => sends::remove(tx, *id, now)?,
            SendEnd::Later { due, reply, warned } => {
                let destination = tx.row(
                    "UPDATE send SET state = 'due', due = ?2, attempts = attempts + 1, last_reply = ?3,
                                     warned = CASE WHEN ?4 = 1 THEN 1 ELSE warned END
                     WHERE send_id = ?1 RETURNING destination",
                    &[(*id).into(), (*due).into(), reply.into(), (*warned).into()],
                    |row| Ok(row.text(0)?.to_owned()),
                )?;
                let destination = destination.ok_or(StoreError::Missing(Thing::Send))?;
                waits(tx, Waiting { destination, due: *due })?;
            }
            SendEnd::Untouched => {
                let waiting = tx.row(
                    "UPDATE send SET state = 'due' WHERE send_id = ?1 RETURNING destination, due",
                    &[(*id).into()],
                    |row| Ok(Waiting { destination: row.text(0)?.to_owned(), due: row.time(1)? }),
                )?;
                waits(tx, waiting.ok_or(StoreError::Missing(Thing::Send))?)?;
            }
        }
    }
    for (body, send) in &settlement.reports {
        let body = bodies::insert(tx, body)?;
        sends::insert(tx, send, body, now)?;
        bodies::refer_first(tx, body, 1)?;
    }
    for entry in &settlement.ledger {
        ledger::insert(tx, entry, now)?;
    }
    let mut refusing = Vec::new();
    for note in &settlement.targets {
        refusing.extend(note_target(tx, note)?);
    }
    Ok(refusing)
}

/// A redirection or target that is gone in the meantime has nothing to be counted on.
pub(super) fn note_target(tx: &mut Tx<'_>, note: &TargetNote) -> Result<Option<Refusing>, StoreError> {
    let (address, target) = (&note.address, note.target.to_string());
    let place = [address.domain().as_str().into(), address.local().into(), (&target).into()];
    let row = tx.row(
        "SELECT t.address_id, t.position, t.refusals FROM target t
         JOIN address a ON a.address_id = t.address_id JOIN domain d ON d.domain_id = a.domain_id
         WHERE d.name = ?1 AND a.local_part = ?2 AND t.target = ?3",
        &place,
        |row| Ok((row.int(0)?, row.int(1)?, row.small(2)?)),
    )?;
    let Some((id, position, before)) = row else { return Ok(None) };
    let key = [id.into(), position.into()];
    let reply = match &note.news {
        TargetNews::Refused(reply) => reply,
        TargetNews::Took => {
            // Most of the time there is nothing to forget, and nothing needs to be written.
            if before > 0 {
                tx.execute(
                    "UPDATE target SET refusals = 0, last_reply = NULL WHERE address_id = ?1 AND position = ?2",
                    &key,
                )?;
            }
            return Ok(None);
        }
        TargetNews::Stayed(why) => {
            tx.execute(
                "UPDATE target SET stayed = stayed + 1, stayed_why = ?3 WHERE address_id = ?1 AND position = ?2",
                &[id.into(), position.into(), why.into()],
            )?;
            return Ok(None);
        }
    };
    let refusals = before.saturating_add(1);
    tx.execute(
        "UPDATE target SET refusals = ?3, last_reply = ?4 WHERE address_id = ?1 AND position = ?2",
        &[id.into(), position.into(), refusals.into(), reply.into()],
    )?;
    let (address, target) = (address.clone(), note.target.clone());
    Ok(Some(Refusing { address, target, refusals, reply: reply.clone() }))
}

fn put_off_some(tx: &mut Tx<'_>, put_off: &PutOff, now: Timestamp) -> Result<u64, StoreError> {
    // Sixteen doublings of a second are beyond the longest pause that can be configured.
    let changed = tx.rows(
        "UPDATE send SET attempts = attempts + 1, last_reply = ?4,
           due = CASE WHEN ?1 + 1000 * CASE WHEN attempts > 16 OR (?5 << attempts) > ?6 THEN ?6 ELSE (?5 << attempts) END
                        < expires
                 THEN ?1 + 1000 * CASE WHEN attempts > 16 OR (?5 << attempts) > ?6 THEN ?6 ELSE (?5 << attempts) END
                 ELSE expires END
         WHERE send_id IN (
           SELECT o.send_id FROM send o
           WHERE o.state = 'due' AND o.destination = ?2 AND o.due <= ?1 ORDER BY o.due LIMIT ?7)
         AND expires > ?1 AND (warned = 1 OR coalesce(tell_at > ?1, since > ?3))
         RETURNING due",
        &[
            now.into(),
            (&put_off.destination).into(),
            put_off.warn_since.into(),
            (&put_off.reply).into(),
            put_off.pause_seconds_first.into(),
            put_off.pause_seconds_max.into(),
            put_off.most.into(),
        ],
        |row| row.time(0),
    )?;
    if let Some(due) = changed.iter().copied().min() {
        waits(tx, Waiting { destination: put_off.destination.clone(), due })?;
    }
    Ok(changed.len() as u64)
}
