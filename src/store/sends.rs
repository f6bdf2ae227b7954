//! Mail on its way out: one row per recipient, committed with the delivery that caused it. What is due and what came of an
//! attempt is in `turns`.

use super::directory_reads::{json, to_json};
use super::tx::{Row, Tx};
use super::{LedgerEntry, Store, StoreError, Thing, bodies, ledger};
use crate::types::{AccountId, Address, BodyId, DsnReturn, Notify, SendId, Timestamp};

/// Why it is sent: decides what a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendKind {
    Submission,
    Redirection,
    Reply,
    Bounce,
    /// To a split domain's other server.
    Handover,
    Notice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendState {
    /// Waits for its time.
    Due,
    /// An administrator stopped it.
    Held,
    /// Being delivered now; becomes due again when the server starts.
    Active,
}

/// What travels with a send and no query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SendDetails {
    pub notify: Notify,
    pub original_recipient: Option<String>,
    /// The address as the sender wrote it, where that is another one than the send's recipient: of an alias the alias.
    /// It is what reports speak of.
    pub addressed: Option<Address>,
    pub envelope_id: Option<String>,
    pub dsn_return: Option<DsnReturn>,
    pub smtputf8: bool,
    pub eight_bit: bool,
    pub binary: bool,
    pub requiretls: bool,
    pub deliver_by: Option<(Timestamp, bool)>,
    /// Octets at the start of the stored message that are ours alone and don't go out: the Return-Path field
    /// (RFC 5321 section 4.4).
    pub skip_octets: u32,
    /// Header fields that go on top of what goes out, with their line ends.
    pub prepend: String,
    /// The house wrote it: it is signed as it goes out, with the keys of that time.
    pub sign: bool,
    /// A fixed next hop, `host:port`; `None`: the MX of the recipient's domain.
    pub next_hop: Option<String>,
    /// Script, version and line, or the submitter: for the ledger and for people.
    pub cause: String,
    /// The message's Message-ID, for the ledger.
    pub message_id: String,
    /// The session that accepted the message.
    pub session: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSend {
    pub kind: SendKind,
    /// On whose behalf.
    pub account: Option<AccountId>,
    /// Which redirection, alias or submitter caused it.
    pub address: Option<Address>,
    /// `None`: the null reverse-path.
    pub sender: Option<Address>,
    pub recipient: Address,
    /// What connections are grouped by: a lower-case domain, or the fixed next hop.
    pub destination: String,
    pub due: Timestamp,
    pub expires: Timestamp,
    pub priority: i8,
    pub details: SendDetails,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRecord {
    pub id: SendId,
    pub body: BodyId,
    pub state: SendState,
    pub send: NewSend,
    pub attempts: u32,
    pub created: Timestamp,
    /// When it could go out for the first time.
    pub since: Timestamp,
    /// The sender is to hear by then that it has not gone out; `None`: some hours after `since`.
    pub tell_at: Option<Timestamp>,
    pub warned: bool,
    pub last_reply: Option<String>,
}

/// The statement for send rows in the order of [`record_of`].
macro_rules! select_send {
    ($rest:literal) => {
        concat!(
            "SELECT send_id, body_id, account_id, address, kind, sender, recipient, destination, state, due, priority, ",
            "attempts, created, expires, warned, last_reply, details, since, tell_at FROM send ",
            $rest
        )
    };
}
pub(super) use select_send;

/// A destination for which something waits that did not before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub destination: String,
    pub due: Timestamp,
}

/// See [`Store::send_trouble`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendTrouble {
    pub held: u64,
    pub destinations: Vec<TroubledDestination>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubledDestination {
    pub destination: String,
    pub waiting: u64,
    /// When the oldest of them could have gone out.
    pub since: Timestamp,
    /// What was said, to one of them.
    pub reply: Option<String>,
}

impl Store {
    /// A page of the queue, by number, after the given one.
    pub async fn sends(&self, after: SendId, most: u32) -> Result<Vec<SendRecord>, StoreError> {
        let sql = select_send!("WHERE send_id > ?1 ORDER BY send_id LIMIT ?2");
        self.read(move |tx| tx.rows(sql, &[after.into(), most.into()], record_of)).await
    }

    pub async fn send(&self, id: SendId) -> Result<Option<SendRecord>, StoreError> {
        self.read(move |tx| tx.row(select_send!("WHERE send_id = ?1"), &[id.into()], record_of)).await
    }

    /// How many wait in all.
    pub async fn send_count(&self) -> Result<u64, StoreError> {
        self.read(|tx| Ok(tx.int("SELECT count(*) FROM send", &[])?.unwrap_or(0).unsigned_abs())).await
    }

    /// What does not go out as it should: how many an administrator holds, and the `most` destinations with the most mail
    /// that was tried in vain.
    pub async fn send_trouble(&self, most: u32) -> Result<SendTrouble, StoreError> {
        self.read(move |tx| {
            let held = tx.int("SELECT count(*) FROM send WHERE state = 'held'", &[])?.unwrap_or(0).unsigned_abs();
            let destinations = tx.rows(
                "SELECT destination, count(*) AS waiting, min(since), max(last_reply) FROM send
                 WHERE state <> 'held' AND attempts > 0 GROUP BY destination ORDER BY waiting DESC, destination LIMIT ?1",
                &[most.into()],
                |row| {
                    Ok(TroubledDestination {
                        destination: row.text(0)?.to_owned(),
                        waiting: row.size(1)?,
                        since: row.time(2)?,
                        reply: row.opt_text(3)?.map(str::to_owned),
                    })
                },
            )?;
            Ok(SendTrouble { held, destinations })
        })
        .await
    }

    /// Holds, releases or makes due at once; returns whether there was such a send that nobody is delivering now.
    pub async fn set_send_state(
        &self,
        id: SendId,
        state: SendState,
        due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.write(64, move |tx| {
            let stored = to_json(&state)?;
            let changed = tx.row(
                "UPDATE send SET state = ?2, due = coalesce(?3, due) WHERE send_id = ?1 AND state <> 'active'
                 RETURNING destination, due",
                &[id.into(), stored.trim_matches('"').into(), due.into()],
                |row| Ok(Waiting { destination: row.text(0)?.to_owned(), due: row.time(1)? }),
            )?;
            match changed {
                None => Ok(false),
                Some(waiting) if state == SendState::Due => waits(tx, waiting).map(|()| true),
                Some(_) => Ok(true),
            }
        })
        .await
    }

    /// Makes up to `most` sends after the given one due now, unless they are held. Returns the last one, if any.
    pub async fn hurry_sends(&self, after: SendId, most: u32) -> Result<Option<SendId>, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * most as usize, move |tx| {
            let page = tx.rows(
                "SELECT send_id, destination, state, due FROM send WHERE send_id > ?1 ORDER BY send_id LIMIT ?2",
                &[after.into(), most.into()],
                |row| {
                    let is_later = row.text(2)? == "due" && row.time(3)? > now;
                    Ok((SendId(row.int(0)?), row.text(1)?.to_owned(), is_later))
                },
            )?;
            for (id, destination, is_later) in &page {
                if *is_later {
                    tx.execute("UPDATE send SET due = ?2 WHERE send_id = ?1", &[(*id).into(), now.into()])?;
                    waits(tx, Waiting { destination: destination.clone(), due: now })?;
                }
            }
            Ok(page.last().map(|(id, ..)| *id))
        })
        .await
    }

    /// Takes a send out of the queue, unless it is being delivered; the ledger says why. Returns whether it went.
    pub async fn remove_send(&self, id: SendId, event: LedgerEntry) -> Result<bool, StoreError> {
        let now = self.0.clock.now();
        self.write(512, move |tx| {
            let is_free = "SELECT send_id FROM send WHERE send_id = ?1 AND state <> 'active'";
            if tx.int(is_free, &[id.into()])?.is_none() {
                return Ok(false);
            }
            remove(tx, id, now)?;
            ledger::insert(tx, &event, now).map(|()| true)
        })
        .await
    }
}

/// Takes a send out of the queue.
pub(super) fn remove(tx: &mut Tx<'_>, id: SendId, now: Timestamp) -> Result<(), StoreError> {
    let body =
        tx.row("DELETE FROM send WHERE send_id = ?1 RETURNING body_id", &[id.into()], |row| Ok(BodyId(row.int(0)?)))?;
    bodies::release(tx, body.ok_or(StoreError::Missing(Thing::Send))?, now)
}

/// The destination's row says that something waits for it, and those who listen hear of it after the commit.
pub(super) fn waits(tx: &mut Tx<'_>, waiting: Waiting) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO destination (destination, due) VALUES (?1, ?2)
         ON CONFLICT (destination) DO UPDATE SET due = excluded.due WHERE excluded.due < destination.due",
        &[(&waiting.destination).into(), waiting.due.into()],
    )?;
    // The recipients of one message follow one another.
    if tx.waiting.last() != Some(&waiting) {
        tx.waiting.push(waiting);
    }
    Ok(())
}

/// The caller counts the reference to the body.
pub(super) fn insert(tx: &mut Tx<'_>, send: &NewSend, body: BodyId, now: Timestamp) -> Result<SendId, StoreError> {
    let kind = to_json(&send.kind)?;
    let details = to_json(&send.details)?;
    let sender = send.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let address = send.address.as_ref().map(ToString::to_string);
    // RFC 2852 section 4: the time is either the end of all attempts, or when the sender hears of the delay.
    let (expires, tell_at) = match send.details.deliver_by {
        Some((time, true)) => (send.expires.min(time), None),
        Some((time, false)) => (send.expires, Some(time)),
        None => (send.expires, None),
    };
    let origin = address.as_deref().unwrap_or(if sender.is_empty() { "<>" } else { &sender });
    let id = tx.row(
        "INSERT INTO send (body_id, account_id, address, kind, sender, recipient, destination, state, due, priority,
                           created, expires, details, origin, since, tell_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'due', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) RETURNING send_id",
        &[
            body.into(),
            send.account.into(),
            address.as_ref().into(),
            kind.trim_matches('"').into(),
            (&sender).into(),
            (&send.recipient.to_string()).into(),
            (&send.destination).into(),
            send.due.into(),
            i64::from(send.priority).into(),
            now.into(),
            expires.into(),
            (&details).into(),
            origin.into(),
            send.due.max(now).into(),
            tell_at.into(),
        ],
        |row| Ok(SendId(row.int(0)?)),
    )?;
    waits(tx, Waiting { destination: send.destination.clone(), due: send.due })?;
    id.ok_or(StoreError::Missing(Thing::Send))
}

pub(super) fn record_of(row: &dyn Row) -> Result<SendRecord, StoreError> {
    let quoted = |column: usize| Ok::<_, StoreError>(format!("\"{}\"", row.text(column)?));
    let send = NewSend {
        account: row.opt_int(2)?.map(AccountId),
        address: if row.is_null(3)? { None } else { Some(row.parsed(3)?) },
        kind: json(&quoted(4)?)?,
        sender: if row.text(5)?.is_empty() { None } else { Some(row.parsed(5)?) },
        recipient: row.parsed(6)?,
        destination: row.text(7)?.to_owned(),
        due: row.time(9)?,
        priority: i8::try_from(row.int(10)?).unwrap_or_default(),
        expires: row.time(13)?,
        details: json(row.text(16)?)?,
    };
    Ok(SendRecord {
        id: SendId(row.int(0)?),
        body: BodyId(row.int(1)?),
        state: json(&quoted(8)?)?,
        send,
        attempts: row.small(11)?,
        created: row.time(12)?,
        since: row.time(17)?,
        tell_at: row.opt_int(18)?.map(Timestamp),
        warned: row.flag(14)?,
        last_reply: row.opt_text(15)?.map(str::to_owned),
    })
}
