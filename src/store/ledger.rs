//! The record of every decision: which message, which script version, which line, what came of it.

use super::tx::Tx;
use super::{Store, StoreError};
use crate::types::{SendId, Timestamp};
use std::ops::ControlFlow;

/// What is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerEntry {
    /// `received`, `sent`, `postponed`, `bounced`, …
    pub event: String,
    pub session: String,
    pub message_id: String,
    /// Envelope sender; empty for the null reverse-path.
    pub sender: String,
    /// Every address the event speaks of; what `trace --address` looks for.
    pub addresses: Vec<String>,
    pub send: Option<SendId>,
    /// JSON.
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    pub id: i64,
    pub time: Timestamp,
    pub entry: LedgerEntry,
}

/// Whose events are looked for.
#[derive(Clone, Debug)]
pub enum LedgerFilter {
    MessageId(String),
    Address(String),
    All,
}

impl Store {
    /// The newest `most` events that fit, oldest of them first.
    pub async fn ledger(&self, filter: LedgerFilter, most: usize) -> Result<Vec<LedgerRecord>, StoreError> {
        self.read(move |tx| {
            let mut found = Vec::new();
            tx.each(
                "SELECT ledger_id, time, event, session, message_id, sender, addresses, send_id, detail FROM ledger
                 ORDER BY ledger_id DESC",
                &[],
                |row| {
                    if found.len() >= most {
                        return Ok(ControlFlow::Break(()));
                    }
                    let fits = match &filter {
                        LedgerFilter::All => true,
                        LedgerFilter::MessageId(id) => row.text(4)? == id,
                        LedgerFilter::Address(address) => row.text(6)?.split(' ').any(|known| known == address),
                    };
                    if fits {
                        found.push(LedgerRecord {
                            id: row.int(0)?,
                            time: row.time(1)?,
                            entry: LedgerEntry {
                                event: row.text(2)?.to_owned(),
                                session: row.text(3)?.to_owned(),
                                message_id: row.text(4)?.to_owned(),
                                sender: row.text(5)?.to_owned(),
                                addresses: row.text(6)?.split(' ').map(str::to_owned).collect(),
                                send: row.opt_int(7)?.map(SendId),
                                detail: row.text(8)?.to_owned(),
                            },
                        });
                    }
                    Ok(ControlFlow::Continue(()))
                },
            )?;
            found.reverse();
            Ok(found)
        })
        .await
    }

    /// Writes events that belong to no other change.
    pub async fn record(&self, entries: Vec<LedgerEntry>) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        self.write(512 * entries.len(), move |tx| entries.iter().try_for_each(|entry| insert(tx, entry, now))).await
    }

    /// Removes events older than `before`, a piece at a time. Returns how many went.
    pub async fn trim_ledger(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(64 * 1024, move |tx| {
            tx.execute(
                "DELETE FROM ledger WHERE ledger_id IN
                   (SELECT o.ledger_id FROM ledger o ORDER BY o.ledger_id LIMIT 1000) AND time < ?1",
                &[before.into()],
            )
        })
        .await
    }
}

pub(super) fn insert(tx: &mut Tx<'_>, entry: &LedgerEntry, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO ledger (time, event, session, message_id, sender, addresses, send_id, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            now.into(),
            (&entry.event).into(),
            (&entry.session).into(),
            (&entry.message_id).into(),
            (&entry.sender).into(),
            (&entry.addresses.join(" ")).into(),
            entry.send.into(),
            (&entry.detail).into(),
        ],
    )?;
    Ok(())
}
