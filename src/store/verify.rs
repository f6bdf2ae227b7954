//! Every invariant of the store, checked from the rows alone: what `posthouse verify` runs and every test ends with.

use super::engine::{Engine, Progress, Reading};
use super::pages::{ENTRIES_PER_PAGE, unpack};
use super::tx::{Begin, Session, Tx};
use super::{Store, StoreError, bodies, copies, migrations, sqlite};
use crate::types::{BodyId, Flags};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding(pub String);

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Store {
    /// Checks one snapshot of the whole store while it goes on working. Blocks: for a thread of its own.
    pub fn verify(&self, progress: Progress<'_>) -> Result<Vec<Finding>, StoreError> {
        check_all(self.0.engine.as_ref(), progress)
    }
}

/// Checks a database file that no server has open, such as a backup.
pub fn verify_file(path: &Path, progress: Progress<'_>) -> Result<Vec<Finding>, StoreError> {
    if !path.is_file() {
        return Err(StoreError::ReadOnly(format!("{}: there is no such file", path.display())));
    }
    let engine = sqlite::Sqlite::at(path);
    let mut session = engine.reader(Reading::Runs)?;
    let (found, known) = (engine.version(session.as_mut())?, migrations::known_version());
    if found > known {
        return Err(StoreError::NewerVersion { found, known });
    }
    if found == 0 {
        return Err(StoreError::Damaged(format!("{} is no posthouse database", path.display())));
    }
    check_all(&engine, progress)
}

fn check_all(engine: &dyn Engine, progress: Progress<'_>) -> Result<Vec<Finding>, StoreError> {
    let mut session = engine.reader(Reading::Runs)?;
    session.begin(Begin::Read)?;
    let checked = check_snapshot(engine, session.as_mut(), progress);
    session.rollback();
    checked
}

fn check_snapshot(
    engine: &dyn Engine,
    session: &mut dyn Session,
    progress: Progress<'_>,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings: Vec<Finding> = engine.integrity(session)?.into_iter().map(Finding).collect();
    let mut tx = Tx::new(session);
    let mut named = HashMap::new();
    check_mailboxes(&mut tx, &mut findings, &mut named)?;
    check_usage(&mut tx, &mut findings)?;
    tx.each("SELECT body_id FROM send", &[], |row| {
        named.entry(row.int(0)?).or_insert((0_i64, None)).0 += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    check_destinations(&mut tx, &mut findings)?;
    tx.each("SELECT bodies FROM copying", &[], |row| {
        for body in copies::held_bodies(row.blob(0)?)? {
            named.entry(body.0).or_insert((0, None)).0 += 1;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    check_references(&mut tx, &mut findings, &named)?;
    check_bodies(&mut tx, &mut findings, &named, progress)?;
    check_directory(&mut tx, &mut findings)?;
    check_extensions(&mut tx, &mut findings)?;
    check_ledger(&mut tx, &mut findings)?;
    Ok(findings)
}

/// How often each body is named, and the size its namers believe it has.
type Named = HashMap<i64, (i64, Option<u32>)>;

/// A mailbox's counters as its row has them, or as its entries have them.
#[derive(Default, PartialEq, Eq, Debug)]
struct Counters {
    messages: i64,
    unseen: i64,
    deleted: i64,
    octets: i64,
    deleted_octets: i64,
}

/// Whatever waits must be found by its destination, and in time.
fn check_destinations(tx: &mut Tx<'_>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let lost = tx.rows(
        "SELECT s.destination, min(s.due) FROM send s LEFT JOIN destination d ON d.destination = s.destination
         WHERE s.state = 'due' AND (d.due IS NULL OR d.due > s.due) GROUP BY s.destination",
        &[],
        |row| Ok(format!("destination {}: something waits since {} that nobody looks for", row.text(0)?, row.int(1)?)),
    )?;
    findings.extend(lost.into_iter().map(Finding));
    Ok(())
}

fn check_mailboxes(tx: &mut Tx<'_>, findings: &mut Vec<Finding>, named: &mut Named) -> Result<(), StoreError> {
    let mailboxes = tx.rows(
        "SELECT mailbox_id, uidnext, highest_modseq, messages, unseen, deleted, octets, deleted_octets, removed
         FROM mailbox",
        &[],
        |row| {
            let counters = Counters {
                messages: row.int(3)?,
                unseen: row.int(4)?,
                deleted: row.int(5)?,
                octets: row.int(6)?,
                deleted_octets: row.int(7)?,
            };
            Ok((row.int(0)?, row.int(1)?, row.int(2)?, counters, row.flag(8)?))
        },
    )?;
    for (mailbox, uidnext, highest, counters, is_removed) in mailboxes {
        let mut counted = Counters::default();
        let mut last_uid = 0_i64;
        let mut wrong = |what: String| findings.push(Finding(format!("mailbox {mailbox}: {what}")));
        tx.each(
            "SELECT first_uid, highest_modseq, entries FROM page WHERE mailbox_id = ?1 ORDER BY first_uid",
            &[mailbox.into()],
            |row| {
                let (first, page_modseq) = (row.int(0)?, row.int(1)?);
                let entries = match unpack(row.blob(2)?) {
                    Ok(entries) => entries,
                    Err(error) => {
                        wrong(format!("page {first}: {error}"));
                        return Ok(ControlFlow::Continue(()));
                    }
                };
                if entries.len() == 0 || entries.len() > ENTRIES_PER_PAGE {
                    wrong(format!("page {first} has {} entries", entries.len()));
                }
                for entry in entries {
                    let (uid, modseq) = (i64::from(entry.uid.0), entry.modseq.0.cast_signed());
                    if uid <= last_uid || uid < first || uid >= uidnext {
                        wrong(format!("UID {uid} after {last_uid} in page {first}, next is {uidnext}"));
                    }
                    if modseq > page_modseq || modseq > highest {
                        wrong(format!("UID {uid} has modseq {modseq} above {page_modseq} or {highest}"));
                    }
                    last_uid = uid;
                    count(&mut counted, entry.flags, entry.octets);
                    let name = named.entry(entry.body.0).or_insert((0, None));
                    name.0 += 1;
                    if *name.1.get_or_insert(entry.octets) != entry.octets {
                        wrong(format!("UID {uid}: another size than other copies of body {}", entry.body));
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        // What is being removed goes without being counted.
        if counted != counters && !is_removed {
            wrong(format!("counters {counters:?}, entries {counted:?}"));
        }
    }
    Ok(())
}

fn count(counters: &mut Counters, flags: Flags, octets: u32) {
    counters.messages += 1;
    counters.octets += i64::from(octets);
    if !flags.contains(Flags::SEEN) {
        counters.unseen += 1;
    }
    if flags.contains(Flags::DELETED) {
        counters.deleted += 1;
        counters.deleted_octets += i64::from(octets);
    }
}

fn check_usage(tx: &mut Tx<'_>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    tx.each(
        "SELECT a.account_id, u.octets, u.messages, u.modseq, coalesce(sum(m.octets), 0), coalesce(sum(m.messages), 0),
                coalesce(max(m.highest_modseq), 0)
         FROM account a LEFT JOIN usage u ON u.account_id = a.account_id
         LEFT JOIN mailbox m ON m.account_id = a.account_id AND m.removed = 0
         GROUP BY a.account_id, u.octets, u.messages, u.modseq",
        &[],
        |row| {
            let account = row.int(0)?;
            let (octets, messages, modseq) = (row.opt_int(1)?, row.opt_int(2)?, row.opt_int(3)?.unwrap_or(0));
            if octets != Some(row.int(4)?) || messages != Some(row.int(5)?) || modseq < row.int(6)? {
                findings.push(Finding(format!(
                    "account {account}: usage {octets:?} octets, {messages:?} messages, modseq {modseq}; its mailboxes \
                     have {}, {} and {}",
                    row.int(4)?,
                    row.int(5)?,
                    row.int(6)?
                )));
            }
            Ok(ControlFlow::Continue(()))
        },
    )
}

fn check_references(tx: &mut Tx<'_>, findings: &mut Vec<Finding>, named: &Named) -> Result<(), StoreError> {
    let counts: HashMap<i64, i64> = tx
        .rows("SELECT body_id, count FROM body_reference", &[], |row| Ok((row.int(0)?, row.int(1)?)))?
        .into_iter()
        .collect();
    for (body, (times, _)) in named {
        let counted = counts.get(body).copied().unwrap_or(0);
        if counted != *times {
            findings.push(Finding(format!("body {body}: named {times} times, counted {counted}")));
        }
    }
    for body in counts.keys().filter(|body| !named.contains_key(body)) {
        findings.push(Finding(format!("body {body}: counted, but nothing names it")));
    }
    tx.each("SELECT o.body_id FROM orphan o JOIN body_reference r ON r.body_id = o.body_id", &[], |row| {
        findings.push(Finding(format!("body {}: an orphan that is named", row.int(0)?)));
        Ok(ControlFlow::Continue(()))
    })?;
    tx.each(
        "SELECT b.body_id FROM body b LEFT JOIN orphan o ON o.body_id = b.body_id
         LEFT JOIN body_reference r ON r.body_id = b.body_id WHERE o.body_id IS NULL AND r.body_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("body {}: nothing names it and it is no orphan", row.int(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )
}

fn check_bodies(
    tx: &mut Tx<'_>,
    findings: &mut Vec<Finding>,
    named: &Named,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let all = named.len() as u64;
    for (done, (body, (_, believed))) in named.iter().enumerate() {
        progress(done as u64, all);
        let stored = tx.row("SELECT octets, hash FROM body WHERE body_id = ?1", &[(*body).into()], |row| {
            Ok((row.small(0)?, row.blob(1)?.to_vec()))
        })?;
        let Some((octets, hash)) = stored else {
            findings.push(Finding(format!("body {body}: named and not there")));
            continue;
        };
        if believed.is_some_and(|believed| believed != octets) {
            findings.push(Finding(format!("body {body}: has {octets} octets, its entries say {believed:?}")));
        }
        match bodies::octets(tx, BodyId(*body)) {
            Ok(raw) if Sha256::digest(&raw).as_slice() == hash => {}
            Ok(_) => findings.push(Finding(format!("body {body}: its octets don't fit its hash"))),
            Err(error) => findings.push(Finding(format!("body {body}: {error}"))),
        }
    }
    progress(all, all);
    tx.each(
        "SELECT b.body_id FROM body b LEFT JOIN search_text s ON s.body_id = b.body_id WHERE s.body_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("body {}: has no search text", row.int(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    tx.each(
        "SELECT DISTINCT c.chunk_id / 4096 FROM chunk c LEFT JOIN body b ON b.body_id = c.chunk_id / 4096
         WHERE b.body_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("chunks of body {}, which is not there", row.int(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )
}

fn check_directory(tx: &mut Tx<'_>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    tx.each(
        "SELECT c.account_id, c.address FROM account c LEFT JOIN address a ON a.account_id = c.account_id
         WHERE c.state <> 'parked' AND a.address_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("account {} ({}) has no address", row.int(0)?, row.text(1)?)));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    tx.each(
        "SELECT a.address_id, c.address, a.local_part || '@' || d.name FROM address a
         JOIN account c ON c.account_id = a.account_id JOIN domain d ON d.domain_id = a.domain_id
         WHERE c.state = 'parked'",
        &[],
        |row| {
            findings.push(Finding(format!("address {} leads to a parked account", row.text(2)?)));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    tx.each(
        "SELECT s.owner, s.name FROM script s LEFT JOIN script_version v
           ON v.script_id = s.script_id AND v.version = s.version WHERE v.script_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("script “{}” of {} has no current version", row.text(1)?, row.text(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    tx.each(
        "SELECT a.address_id FROM address a LEFT JOIN compiled c
           ON c.address_id = a.address_id AND c.version = a.compiled_version WHERE c.address_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("address {} has no compiled script", row.int(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )
}

/// What has no foreign key because 0 stands for everybody or for the server.
fn check_ledger(tx: &mut Tx<'_>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    tx.each(
        "SELECT k.ledger_id FROM ledger_key k LEFT JOIN ledger l ON l.ledger_id = k.ledger_id WHERE l.ledger_id IS NULL",
        &[],
        |row| {
            findings.push(Finding(format!("ledger event {}: it is found by a number, and is gone", row.int(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )
}

fn check_extensions(tx: &mut Tx<'_>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    tx.each(
        "SELECT n.mailbox_id, n.account_id, n.entry FROM annotation n
         LEFT JOIN mailbox m ON m.mailbox_id = n.mailbox_id LEFT JOIN account a ON a.account_id = n.account_id
         WHERE (n.mailbox_id <> 0 AND m.mailbox_id IS NULL) OR (n.account_id <> 0 AND a.account_id IS NULL)",
        &[],
        |row| {
            let (mailbox, account, entry) = (row.int(0)?, row.int(1)?, row.text(2)?);
            findings.push(Finding(format!("annotation {entry} of mailbox {mailbox}, account {account}: one is gone")));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    tx.each(
        "SELECT l.mailbox_id, l.grantee_id FROM acl l JOIN mailbox m ON m.mailbox_id = l.mailbox_id
         LEFT JOIN account a ON a.account_id = l.grantee_id
         WHERE m.account_id <> l.account_id OR l.rights = 0 OR (l.grantee_id <> 0 AND a.account_id IS NULL)",
        &[],
        |row| {
            findings.push(Finding(format!("rights of account {} on mailbox {} are wrong", row.int(1)?, row.int(0)?)));
            Ok(ControlFlow::Continue(()))
        },
    )
}
