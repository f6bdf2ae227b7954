//! Messages taken out of a mailbox, and the history of it that QRESYNC asks for.

use super::mailboxes::{self, Count, MailboxRecord};
use super::messages::pages_between;
use super::pages::{Entry, pack, pack_uids};
use super::tx::Tx;
use super::{Store, StoreError, Thing, Touched, bodies};
use crate::types::{Flags, MailboxId, ModSeq, Timestamp, Uid, UidSet};

/// Messages one transaction takes out: some ten milliseconds. Larger sets go in pieces, each an expunge of its own.
const PIECE_MAX: usize = 2048;

const ALL: (Uid, Uid) = (Uid(0), Uid(u32::MAX));

/// The least and the largest of a set.
pub(super) fn span(uids: &UidSet) -> (Uid, Uid) {
    match (uids.ranges().first(), uids.ranges().last()) {
        (Some((first, _)), Some((_, last))) => (Uid(*first), Uid(*last)),
        _ => (Uid(0), Uid(0)),
    }
}

/// What becomes of the references the entries held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodies {
    Release,
    /// Somebody else took them over.
    Keep,
}

impl Store {
    /// Removes messages flagged `\Deleted`, of these UIDs or of all (RFC 4315). Returns what went and the last
    /// modification sequence; other sessions see large sets go in pieces.
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<UidSet>,
    ) -> Result<(UidSet, Option<ModSeq>), StoreError> {
        let now = self.0.clock.now();
        let within = uids.as_ref().map_or(ALL, span);
        let uids = std::sync::Arc::new(uids);
        let mut all = UidSet::new();
        let mut last = None;
        loop {
            let named = std::sync::Arc::clone(&uids);
            let (gone, modseq) = self
                .write(64 * 1024, move |tx| {
                    let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
                    let wanted = |entry: &Entry| {
                        entry.flags.contains(Flags::DELETED)
                            && named.as_ref().as_ref().is_none_or(|uids| uids.contains(entry.uid))
                    };
                    take_out_some(tx, &record, &wanted, Bodies::Release, now, within, PIECE_MAX)
                })
                .await?;
            let done = gone.count() < PIECE_MAX as u64;
            all = all.union(&gone);
            last = modseq.or(last);
            if done {
                return Ok((all, last));
            }
        }
    }

    /// Removes messages whatever their flags: what a quota, a retention time or a replaced draft needs.
    pub async fn remove_messages(&self, mailbox: MailboxId, uids: UidSet) -> Result<UidSet, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * 1024, move |tx| {
            let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            let wanted = |entry: &Entry| uids.contains(entry.uid);
            take_out(tx, &record, &wanted, Bodies::Release, now, span(&uids)).map(|(gone, _)| gone)
        })
        .await
    }
}

/// Takes out all wanted entries in this transaction; `within`: none has a UID outside these.
pub(super) fn take_out(
    tx: &mut Tx<'_>,
    mailbox: &MailboxRecord,
    wanted: &dyn Fn(&Entry) -> bool,
    bodies: Bodies,
    now: Timestamp,
    within: (Uid, Uid),
) -> Result<(UidSet, Option<ModSeq>), StoreError> {
    take_out_some(tx, mailbox, wanted, bodies, now, within, usize::MAX)
}

fn take_out_some(
    tx: &mut Tx<'_>,
    mailbox: &MailboxRecord,
    wanted: &dyn Fn(&Entry) -> bool,
    bodies: Bodies,
    now: Timestamp,
    within: (Uid, Uid),
    most: usize,
) -> Result<(UidSet, Option<ModSeq>), StoreError> {
    let mut gone = UidSet::new();
    let mut taken = 0;
    let mut count = Count::default();
    let (first, last) = within;
    for (page, entries) in pages_between(tx, mailbox.id, first, last)? {
        let mut left = Vec::with_capacity(entries.len());
        for entry in &entries {
            if taken < most && wanted(entry) {
                taken += 1;
                gone.insert(entry.uid);
                count.message(entry.flags, entry.octets, -1);
                if bodies == Bodies::Release {
                    bodies::release(tx, entry.body, now)?;
                }
            } else {
                left.push(*entry);
            }
        }
        if left.len() < entries.len() {
            put_page(tx, page, &left)?;
        }
        if taken >= most {
            break;
        }
    }
    if gone.is_empty() {
        return Ok((gone, None));
    }
    let modseq = give_back(tx, mailbox, &count)?;
    tx.execute(
        "INSERT INTO expunged (mailbox_id, modseq, account_id, uids) VALUES (?1, ?2, ?3, ?4)",
        &[mailbox.id.into(), modseq.into(), mailbox.account.into(), (&pack_uids(&gone)).into()],
    )?;
    count.apply(tx, mailbox.id, modseq)?;
    tx.touched.push(Touched::expunged(mailbox, modseq, gone.clone()));
    Ok((gone, Some(modseq)))
}

fn put_page(tx: &mut Tx<'_>, page: i64, entries: &[Entry]) -> Result<(), StoreError> {
    // first_uid stays: it orders pages, and need not name a message that is still there.
    if entries.is_empty() {
        tx.execute("DELETE FROM page WHERE page_id = ?1", &[page.into()])?;
    } else {
        let packed = pack(entries);
        tx.execute("UPDATE page SET entries = ?2 WHERE page_id = ?1", &[page.into(), (&packed).into()])?;
    }
    Ok(())
}

/// Gives the account back what the messages used (the count is negative), and takes its next modification sequence.
fn give_back(tx: &mut Tx<'_>, mailbox: &MailboxRecord, count: &Count) -> Result<ModSeq, StoreError> {
    tx.row(
        "UPDATE usage SET octets = octets + ?2, messages = messages + ?3, modseq = modseq + 1 WHERE account_id = ?1
         RETURNING modseq",
        &[mailbox.account.into(), count.octets.into(), count.messages.into()],
        |row| Ok(ModSeq(row.size(0)?)),
    )?
    .ok_or(StoreError::Missing(Thing::Account))
}

/// Pages of a removed mailbox that go in one transaction.
const REMOVED_PAGES_MAX: u32 = 16;

/// A piece of a removed mailbox, or at the end the mailbox itself. Returns whether there is more to do.
pub(super) fn purge_removed_piece(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let removed = tx.int("SELECT min(mailbox_id) FROM mailbox WHERE removed = 1", &[])?;
    let Some(mailbox) = removed.map(MailboxId) else { return Ok(false) };
    let pages = tx.rows(
        "SELECT page_id, entries FROM page WHERE mailbox_id = ?1 ORDER BY first_uid LIMIT ?2",
        &[mailbox.into(), REMOVED_PAGES_MAX.into()],
        |row| Ok((row.int(0)?, super::pages::unpack(row.blob(1)?)?.collect::<Vec<Entry>>())),
    )?;
    if pages.is_empty() {
        tx.execute("DELETE FROM mailbox WHERE mailbox_id = ?1", &[mailbox.into()])?;
        return Ok(true);
    }
    for (page, entries) in pages {
        for entry in entries {
            bodies::release(tx, entry.body, now)?;
        }
        tx.execute("DELETE FROM page WHERE page_id = ?1", &[page.into()])?;
    }
    Ok(true)
}
