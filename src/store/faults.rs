//! What is wrong with scripts: found while they ran, or by reading them. Each stands until its script has another version.

use super::scripts::ScriptOwner;
use super::tx::{Row, Tx};
use super::{Store, StoreError};
use crate::types::limits::{SCRIPT_FAULT_CHARACTERS_MAX, SCRIPT_FAULTS_PER_VERSION_MAX, SCRIPT_FAULTS_TOLD_MAX};
use crate::types::{AccountId, ScriptId, Timestamp};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFault {
    pub owner: ScriptOwner,
    pub name: String,
    pub version: u32,
    /// 0: no line of it.
    pub line: u32,
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRecord {
    pub fault: ScriptFault,
    /// By reading the script, rather than while it ran.
    pub is_read: bool,
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
}

/// An active script with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveScript {
    pub id: ScriptId,
    pub owner: ScriptOwner,
    pub name: String,
    pub version: u32,
    pub text: String,
}

impl Store {
    /// What is wrong with the current versions, script by script; no more than anybody reads.
    pub async fn script_faults(&self) -> Result<Vec<FaultRecord>, StoreError> {
        self.read(|tx| {
            tx.rows(
                "SELECT s.owner, s.name, f.version, f.line, f.what, f.found, f.first, f.last, f.count
                 FROM script_fault f JOIN script s ON s.script_id = f.script_id AND s.version = f.version
                 WHERE s.position IS NOT NULL ORDER BY s.owner, s.name, f.line, f.what LIMIT ?1",
                &[SCRIPT_FAULTS_TOLD_MAX.into()],
                record,
            )
        })
        .await
    }

    /// Accounts whose own active scripts have faults they have not been told of, with all of those; only accounts that were
    /// told of nothing since `quiet_since`.
    pub async fn faults_to_tell(
        &self,
        quiet_since: Timestamp,
    ) -> Result<Vec<(AccountId, Vec<FaultRecord>)>, StoreError> {
        let found = self
            .read(move |tx| {
                tx.rows(
                    "SELECT s.owner, s.name, f.version, f.line, f.what, f.found, f.first, f.last, f.count
                     FROM script_fault f JOIN script s ON s.script_id = f.script_id AND s.version = f.version
                     LEFT JOIN script_notice n ON s.owner = 'account:' || n.account_id
                     WHERE s.position IS NOT NULL AND s.owner LIKE 'account:%'
                       AND (n.told IS NULL OR (n.told <= ?1 AND f.last > n.told))
                     ORDER BY s.owner, s.name, f.line, f.what LIMIT ?2",
                    &[quiet_since.into(), SCRIPT_FAULTS_TOLD_MAX.into()],
                    record,
                )
            })
            .await?;
        let mut accounts: Vec<(AccountId, Vec<FaultRecord>)> = Vec::new();
        for record in found {
            let ScriptOwner::Account(account) = record.fault.owner else { continue };
            match accounts.last_mut() {
                Some((last, records)) if *last == account => records.push(record),
                _ => accounts.push((account, vec![record])),
            }
        }
        Ok(accounts)
    }

    pub async fn faults_told(&self, account: AccountId) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        self.write(64, move |tx| {
            let sql = "INSERT INTO script_notice (account_id, told) VALUES (?1, ?2)
                       ON CONFLICT (account_id) DO UPDATE SET told = excluded.told";
            tx.execute(sql, &[account.into(), now.into()]).map(|_| ())
        })
        .await
    }

    /// Active scripts of everybody, a piece at a time, in the order of their numbers.
    pub async fn active_scripts_after(&self, after: ScriptId, most: u32) -> Result<Vec<ActiveScript>, StoreError> {
        self.read(move |tx| {
            tx.rows(
                "SELECT s.script_id, s.owner, s.name, s.version, v.text FROM script s
                 JOIN script_version v ON v.script_id = s.script_id AND v.version = s.version
                 WHERE s.script_id > ?1 AND s.position IS NOT NULL ORDER BY s.script_id LIMIT ?2",
                &[after.0.into(), most.into()],
                |row| {
                    Ok(ActiveScript {
                        id: ScriptId(row.int(0)?),
                        owner: ScriptOwner::of_key(row.text(1)?)?,
                        name: row.text(2)?.to_owned(),
                        version: row.small(3)?,
                        text: row.text(4)?.to_owned(),
                    })
                },
            )
        })
        .await
    }

    /// What reading a script has found, in the place of what it found before. What was known stays as old as it is.
    pub async fn put_read_faults(
        &self,
        script: ScriptId,
        version: u32,
        faults: Vec<(u32, String)>,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let most = usize::try_from(SCRIPT_FAULTS_PER_VERSION_MAX).unwrap_or(usize::MAX);
        let faults = faults.into_iter().take(most).map(|(line, what)| (line, clipped(&what)));
        let faults: Vec<(u32, String)> = faults.collect();
        self.write(256 * (faults.len() + 1), move |tx| {
            let known = tx.rows(
                "SELECT line, what FROM script_fault WHERE script_id = ?1 AND version = ?2 AND found = 1",
                &[script.0.into(), version.into()],
                |row| Ok((row.small(0)?, row.text(1)?.to_owned())),
            )?;
            for (line, what) in known.iter().filter(|known| !faults.contains(known)) {
                tx.execute(
                    "DELETE FROM script_fault WHERE script_id = ?1 AND version = ?2 AND line = ?3 AND what = ?4",
                    &[script.0.into(), version.into(), (*line).into(), what.into()],
                )?;
            }
            let there = "SELECT count(*) FROM script WHERE script_id = ?1 AND version = ?2";
            if tx.int(there, &[script.0.into(), version.into()])? != Some(1) {
                return Ok(());
            }
            for (line, what) in faults.iter().filter(|fault| !known.contains(fault)) {
                tx.execute(
                    "INSERT INTO script_fault (script_id, version, line, what, found, first, last, count)
                     VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, 1) ON CONFLICT DO NOTHING",
                    &[script.0.into(), version.into(), (*line).into(), what.into(), now.into()],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets what has not happened since; a piece at a time. Returns how much went.
    pub async fn trim_script_faults(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(64 * 1024, move |tx| {
            tx.execute(
                "DELETE FROM script_fault WHERE (script_id, version, line, what) IN
                   (SELECT o.script_id, o.version, o.line, o.what FROM script_fault o
                    JOIN script s ON s.script_id = o.script_id
                    WHERE o.last < ?1 AND (o.found = 0 OR s.version <> o.version) LIMIT 1000)",
                &[before.into()],
            )
        })
        .await
    }
}

fn record(row: &dyn Row) -> Result<FaultRecord, StoreError> {
    Ok(FaultRecord {
        fault: ScriptFault {
            owner: ScriptOwner::of_key(row.text(0)?)?,
            name: row.text(1)?.to_owned(),
            version: row.small(2)?,
            line: row.small(3)?,
            what: row.text(4)?.to_owned(),
        },
        is_read: row.int(5)? == 1,
        first: row.time(6)?,
        last: row.time(7)?,
        count: row.size(8)?,
    })
}

fn clipped(what: &str) -> String {
    what.chars().take(SCRIPT_FAULT_CHARACTERS_MAX).collect()
}

/// Of a script that has another version by now, or is gone, nothing is remembered. A script's words are its author's, and
/// messages' words can be in them: so there is a limit to how many different ones are kept.
pub(super) fn happened(tx: &mut Tx<'_>, fault: &ScriptFault, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT script_id FROM script WHERE owner = ?1 AND name = ?2 AND version = ?3";
    let key = fault.owner.key();
    let Some(script) = tx.int(sql, &[(&key).into(), (&fault.name).into(), fault.version.into()])? else {
        return Ok(());
    };
    let what = clipped(&fault.what);
    let again = tx.execute(
        "UPDATE script_fault SET last = ?5, count = count + 1
         WHERE script_id = ?1 AND version = ?2 AND line = ?3 AND what = ?4",
        &[script.into(), fault.version.into(), fault.line.into(), (&what).into(), now.into()],
    )?;
    if again > 0 {
        return Ok(());
    }
    let sql = "SELECT count(*) FROM script_fault WHERE script_id = ?1 AND version = ?2";
    let count = tx.int(sql, &[script.into(), fault.version.into()])?;
    if count.is_some_and(|count| count >= SCRIPT_FAULTS_PER_VERSION_MAX) {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO script_fault (script_id, version, line, what, found, first, last, count)
         VALUES (?1, ?2, ?3, ?4, 0, ?5, ?5, 1)",
        &[script.into(), fault.version.into(), fault.line.into(), (&what).into(), now.into()],
    )?;
    Ok(())
}
