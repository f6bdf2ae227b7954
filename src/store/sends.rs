//! Mail on its way out: one row per recipient, committed with the delivery that caused it.

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
    pub warned: bool,
    pub last_reply: Option<String>,
}

const COLUMNS_DUE: &str = "SELECT send_id, body_id, account_id, address, kind, sender, recipient, destination, state,
    due, priority, attempts, created, expires, warned, last_reply, details FROM send
    WHERE state = 'due' AND due <= ?1 ORDER BY due LIMIT ?2";
const COLUMNS_DESTINATION: &str = "SELECT send_id, body_id, account_id, address, kind, sender, recipient, destination,
    state, due, priority, attempts, created, expires, warned, last_reply, details FROM send
    WHERE destination = ?1 AND state = 'due' AND due <= ?2 ORDER BY due LIMIT ?3";
const COLUMNS_ALL: &str = "SELECT send_id, body_id, account_id, address, kind, sender, recipient, destination, state,
    due, priority, attempts, created, expires, warned, last_reply, details FROM send
    WHERE send_id > ?1 ORDER BY send_id LIMIT ?2";
const COLUMNS_ONE: &str = "SELECT send_id, body_id, account_id, address, kind, sender, recipient, destination, state,
    due, priority, attempts, created, expires, warned, last_reply, details FROM send WHERE send_id = ?1";

impl Store {
    /// Sends whose time has come, the longest waiting first.
    pub async fn due_sends(&self, now: Timestamp, most: u32) -> Result<Vec<SendRecord>, StoreError> {
        self.read(move |tx| tx.rows(COLUMNS_DUE, &[now.into(), most.into()], record_of)).await
    }

    /// Those for one destination, to fill a connection that is open.
    pub async fn due_sends_to(
        &self,
        destination: &str,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<SendRecord>, StoreError> {
        let destination = destination.to_owned();
        self.read(move |tx| tx.rows(COLUMNS_DESTINATION, &[(&destination).into(), now.into(), most.into()], record_of))
            .await
    }

    /// A page of the queue, by number, after the given one.
    pub async fn sends(&self, after: SendId, most: u32) -> Result<Vec<SendRecord>, StoreError> {
        self.read(move |tx| tx.rows(COLUMNS_ALL, &[after.into(), most.into()], record_of)).await
    }

    pub async fn send(&self, id: SendId) -> Result<Option<SendRecord>, StoreError> {
        self.read(move |tx| tx.row(COLUMNS_ONE, &[id.into()], record_of)).await
    }

    /// How many wait in all.
    pub async fn send_count(&self) -> Result<u64, StoreError> {
        self.read(|tx| Ok(tx.int("SELECT count(*) FROM send", &[])?.unwrap_or(0).unsigned_abs())).await
    }

    /// The next time anything is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|tx| Ok(tx.int("SELECT min(due) FROM send WHERE state = 'due'", &[])?.map(Timestamp))).await
    }

    /// Marks sends as being delivered, so that no second worker takes them. Returns those that were still due.
    pub async fn claim_sends(&self, ids: Vec<SendId>) -> Result<Vec<SendId>, StoreError> {
        self.write(64 * ids.len(), move |tx| {
            let mut claimed = Vec::with_capacity(ids.len());
            for id in ids.iter().copied() {
                let sql = "UPDATE send SET state = 'active' WHERE send_id = ?1 AND state = 'due'";
                if tx.execute(sql, &[id.into()])? == 1 {
                    claimed.push(id);
                }
            }
            Ok(claimed)
        })
        .await
    }

    /// At start: what was being delivered when the server died is due again.
    pub async fn release_claims(&self) -> Result<u64, StoreError> {
        self.write(1024, |tx| tx.execute("UPDATE send SET state = 'due' WHERE state = 'active'", &[])).await
    }

    /// An attempt that did not succeed: when to try again, and what was said.
    pub async fn postpone_send(
        &self,
        id: SendId,
        due: Timestamp,
        reply: String,
        event: LedgerEntry,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        self.write(512, move |tx| {
            tx.execute(
                "UPDATE send SET state = 'due', due = ?2, attempts = attempts + 1, last_reply = ?3 WHERE send_id = ?1",
                &[id.into(), due.into(), (&reply).into()],
            )?;
            ledger::insert(tx, &event, now)
        })
        .await
    }

    /// Notes that the sender was told of the delay.
    pub async fn mark_warned(&self, id: SendId) -> Result<(), StoreError> {
        self.write(64, move |tx| tx.execute("UPDATE send SET warned = 1 WHERE send_id = ?1", &[id.into()]).map(|_| ()))
            .await
    }

    /// Holds, releases or makes due at once; returns whether there was such a send.
    pub async fn set_send_state(
        &self,
        id: SendId,
        state: SendState,
        due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.write(64, move |tx| {
            let state = to_json(&state)?;
            let changed = tx.execute(
                "UPDATE send SET state = ?2, due = coalesce(?3, due) WHERE send_id = ?1 AND state <> 'active'",
                &[id.into(), state.trim_matches('"').into(), due.into()],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Delivered, given up or removed: the send goes, its body loses a reference, the ledger says why.
    pub async fn finish_send(&self, id: SendId, event: LedgerEntry) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        self.write(512, move |tx| {
            remove(tx, id, now)?;
            ledger::insert(tx, &event, now)
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

/// The caller counts the reference to the body.
pub(super) fn insert(tx: &mut Tx<'_>, send: &NewSend, body: BodyId, now: Timestamp) -> Result<SendId, StoreError> {
    let kind = to_json(&send.kind)?;
    let details = to_json(&send.details)?;
    let sender = send.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let address = send.address.as_ref().map(ToString::to_string);
    tx.row(
        "INSERT INTO send (body_id, account_id, address, kind, sender, recipient, destination, state, due, priority,
                           created, expires, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'due', ?8, ?9, ?10, ?11, ?12) RETURNING send_id",
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
            send.expires.into(),
            (&details).into(),
        ],
        |row| Ok(SendId(row.int(0)?)),
    )?
    .ok_or(StoreError::Missing(Thing::Send))
}

fn record_of(row: &dyn Row) -> Result<SendRecord, StoreError> {
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
        warned: row.flag(14)?,
        last_reply: row.opt_text(15)?.map(str::to_owned),
    })
}
