//! The record of every decision: which message, which script version, which line, what came of it.
//!
//! Events are found by a message's identifier, an address or a session through numbers that are put beside them some time
//! later (`index_ledger`), so that a delivery writes one row. What has no numbers yet is looked through one by one.

use super::tx::{Row, Tx};
use super::{Store, StoreError};
use crate::types::{SendId, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
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
    Session(String),
    All,
}

/// Events that are given numbers, or removed, in one transaction: some milliseconds of the writer's time.
const PIECE: usize = 250;

impl LedgerFilter {
    fn fits(&self, entry: &LedgerEntry) -> bool {
        match self {
            Self::All => true,
            Self::MessageId(id) => entry.message_id == *id,
            Self::Address(address) => entry.addresses.contains(address),
            Self::Session(session) => entry.session == *session,
        }
    }

    fn key(&self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::MessageId(id) => Some(key('m', id)),
            Self::Address(address) => Some(key('a', address)),
            Self::Session(session) => Some(key('s', session)),
        }
    }
}

/// The first 63 bits of a hash: what collides is told apart by the event itself.
fn key(kind: char, text: &str) -> i64 {
    let digest = Sha256::digest(format!("{kind}{text}"));
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

/// All numbers an event is found by.
fn keys(message_id: &str, session: &str, addresses: &str) -> BTreeSet<i64> {
    let mut keys: BTreeSet<i64> = addresses.split(' ').filter(|one| !one.is_empty()).map(|one| key('a', one)).collect();
    keys.extend(Some(message_id).filter(|id| !id.is_empty()).map(|id| key('m', id)));
    keys.extend(Some(session).filter(|session| !session.is_empty()).map(|session| key('s', session)));
    keys
}

macro_rules! select_ledger {
    ($rest:literal) => {
        concat!(
            "SELECT l.ledger_id, l.time, l.event, l.session, l.message_id, l.sender, l.addresses, l.send_id, l.detail ",
            $rest
        )
    };
}

/// With numbers, the newest first.
const BY_KEY: &str = select_ledger!(
    "FROM ledger_key k JOIN ledger l ON l.ledger_id = k.ledger_id WHERE k.key = ?1 ORDER BY k.ledger_id DESC"
);
/// What has none yet.
const WITHOUT_KEYS: &str = select_ledger!(
    "FROM ledger l WHERE l.ledger_id > (SELECT i.ledger_id FROM ledger_indexed i) ORDER BY l.ledger_id DESC"
);
const ALL: &str = select_ledger!("FROM ledger l ORDER BY l.ledger_id DESC");

fn record(row: &dyn Row) -> Result<LedgerRecord, StoreError> {
    Ok(LedgerRecord {
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
    })
}

impl Store {
    /// The newest `most` events that fit, oldest of them first.
    pub async fn ledger(&self, filter: LedgerFilter, most: usize) -> Result<Vec<LedgerRecord>, StoreError> {
        self.read(move |tx| {
            let mut found = Vec::new();
            let mut take = |row: &dyn Row| {
                if found.len() >= most {
                    return Ok(ControlFlow::Break(()));
                }
                let record = record(row)?;
                if filter.fits(&record.entry) {
                    found.push(record);
                }
                Ok(ControlFlow::Continue(()))
            };
            match filter.key() {
                None => tx.each(ALL, &[], &mut take)?,
                Some(key) => {
                    tx.each(WITHOUT_KEYS, &[], &mut take)?;
                    tx.each(BY_KEY, &[key.into()], &mut take)?;
                }
            }
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

    /// Gives numbers to events that have none, a piece at a time. Returns how many got some.
    pub async fn index_ledger(&self) -> Result<usize, StoreError> {
        self.write(64 * 1024, move |tx| {
            let rows = tx.rows(
                "SELECT l.ledger_id, l.message_id, l.session, l.addresses FROM ledger l
                 WHERE l.ledger_id > (SELECT i.ledger_id FROM ledger_indexed i) ORDER BY l.ledger_id LIMIT ?1",
                &[(PIECE as i64).into()],
                |row| Ok((row.int(0)?, keys(row.text(1)?, row.text(2)?, row.text(3)?))),
            )?;
            for (id, keys) in &rows {
                for key in keys {
                    tx.execute(
                        "INSERT INTO ledger_key (key, ledger_id) VALUES (?1, ?2)",
                        &[(*key).into(), (*id).into()],
                    )?;
                }
            }
            if let Some((last, _)) = rows.last() {
                tx.execute("UPDATE ledger_indexed SET ledger_id = ?1", &[(*last).into()])?;
            }
            Ok(rows.len())
        })
        .await
    }

    /// Removes events older than `before`, a piece at a time. Returns how many went.
    pub async fn trim_ledger(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(64 * 1024, move |tx| {
            let old = tx.rows(
                "SELECT o.ledger_id, o.message_id, o.session, o.addresses, o.time FROM ledger o
                 ORDER BY o.ledger_id LIMIT ?1",
                &[(PIECE as i64).into()],
                |row| Ok((row.int(0)?, keys(row.text(1)?, row.text(2)?, row.text(3)?), row.time(4)?)),
            )?;
            let mut removed = 0;
            for (id, keys, _) in old.iter().filter(|(.., time)| *time < before) {
                for key in keys {
                    tx.execute(
                        "DELETE FROM ledger_key WHERE key = ?1 AND ledger_id = ?2",
                        &[(*key).into(), (*id).into()],
                    )?;
                }
                removed += tx.execute("DELETE FROM ledger WHERE ledger_id = ?1", &[(*id).into()])?;
            }
            Ok(removed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::world::{World, block_on};

    fn event(number: usize) -> LedgerEntry {
        LedgerEntry {
            event: "received".to_owned(),
            session: format!("s{}", number / 2),
            message_id: if number % 5 == 4 { String::new() } else { format!("m{}@example.test", number / 3) },
            sender: String::new(),
            addresses: vec![format!("a{}@example.test", number % 7), "all@example.test".to_owned()],
            send: None,
            detail: "{}".to_owned(),
        }
    }

    async fn found(world: &World, filter: LedgerFilter, most: usize) -> Vec<i64> {
        let records = world.store.ledger(filter, most).await.expect("readable");
        records.iter().map(|record| record.id).collect()
    }

    /// Every filter finds the same, however much of the ledger has its numbers yet.
    #[test]
    fn events_are_found_with_numbers_and_without() {
        block_on(async {
            let world = World::with_people().await;
            let events: Vec<LedgerEntry> = (0..700).map(event).collect();
            world.store.record(events.clone()).await.expect("written");
            let filters = [
                LedgerFilter::MessageId("m20@example.test".to_owned()),
                LedgerFilter::Address("a3@example.test".to_owned()),
                LedgerFilter::Address("A3@example.test".to_owned()),
                LedgerFilter::Session("s7".to_owned()),
                LedgerFilter::Session("m20@example.test".to_owned()),
                LedgerFilter::MessageId(String::new()),
            ];
            for pieces in 0..4 {
                for filter in &filters[..5] {
                    let fits = |(place, event): (usize, &LedgerEntry)| filter.fits(event).then_some(place as i64 + 1);
                    let expected: Vec<i64> = events.iter().enumerate().filter_map(fits).collect();
                    assert_eq!(found(&world, filter.clone(), 1000).await, expected, "{filter:?} after {pieces}");
                    let last = expected[expected.len().saturating_sub(2)..].to_vec();
                    assert_eq!(found(&world, filter.clone(), 2).await, last, "{filter:?} after {pieces}");
                }
                let indexed = world.store.index_ledger().await.expect("written");
                assert_eq!(indexed, [250, 250, 200, 0][pieces]);
            }
            world.assert_sound();
            let later = world.store.clock().now().plus_seconds(9);
            assert_eq!(world.store.trim_ledger(later).await, Ok(250));
            let left = found(&world, LedgerFilter::Address("all@example.test".to_owned()), 1000).await;
            assert_eq!((left.len(), left[0]), (450, 251));
            world.assert_sound();
            while world.store.trim_ledger(later).await.expect("written") > 0 {}
            world.store.record(vec![event(0)]).await.expect("written");
            assert_eq!(
                found(&world, LedgerFilter::Session("s0".to_owned()), 9).await,
                [701],
                "numbers are not used twice"
            );
            world.assert_sound();
        });
    }

    /// Neither reads more of the ledger than it tells, but for what has come since the last upkeep.
    #[test]
    fn lookups_scan_nothing() {
        block_on(async {
            let world = World::with_people().await;
            let plan_of = async |sql: &'static str, parameters: usize| {
                let explained: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
                let steps = world.store.read(move |tx| {
                    let parameters = vec![1_i64.into(); parameters];
                    tx.rows(explained, &parameters, |row| Ok(row.text(3)?.to_owned()))
                });
                steps.await.expect("explained")
            };
            let by_key = plan_of(BY_KEY, 1).await;
            assert_eq!(by_key, ["SEARCH k USING PRIMARY KEY (key=?)", "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)"],);
            let without = plan_of(WITHOUT_KEYS, 0).await;
            assert_eq!(without[0], "SEARCH l USING INTEGER PRIMARY KEY (rowid>?)");
            assert!(!without.iter().any(|step| step.contains("TEMP B-TREE")), "{without:?}");
        });
    }
}
