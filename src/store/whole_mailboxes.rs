//! All entries of a mailbox, for who keeps them in memory or carries them elsewhere.
//!
//! The pages of a large mailbox came into being over years and lie megabytes apart: from cold files each costs a wait for
//! the disk, and a disk that is asked for several at a time serves them in the time of one. So several threads read a part
//! each. Their snapshots are not one; whether it is the same mailbox in all of them, its modification sequence tells,
//! because nothing is added, changed or removed without a new one. Threads alone are, and of those observers hear.

use super::mailboxes::{self, MailboxRecord};
use super::pages::{Entry, unpack};
use super::tx::Tx;
use super::{Store, StoreError, Thing};
use crate::types::limits::MAILBOX_READERS;
use crate::types::{MailboxId, ModSeq, Uid};

/// Fewer pages are read by one thread: it is done before others have begun.
const PARTED_PAGES_MIN: usize = 32;

const EVERY_UID: (Uid, Uid) = (Uid(0), Uid(u32::MAX));

type Pages = Vec<Vec<Entry>>;

impl Store {
    /// All entries by UID, and the mailbox's record: as of one moment.
    pub async fn entries(&self, mailbox: MailboxId) -> Result<(MailboxRecord, Vec<Entry>), StoreError> {
        let (record, pages) = self.entry_pages(mailbox).await?;
        Ok((record, pages.concat()))
    }

    /// The same as they lie in the store, in pieces of up to `ENTRIES_PER_PAGE`, none empty.
    pub async fn entry_pages(&self, mailbox: MailboxId) -> Result<(MailboxRecord, Pages), StoreError> {
        let found = self.begin_read_scattered(move |tx| {
            let record = record(tx, mailbox)?;
            let starts = starts(tx, mailbox)?;
            let pages = if starts.len() < PARTED_PAGES_MIN { Some(read_pages(tx, mailbox, EVERY_UID)?) } else { None };
            Ok((record, starts, pages))
        });
        let (mut record, mut starts, pages) = found.await?;
        if let Some(pages) = pages {
            return Ok((record, pages));
        }
        // A few large ones are read at a time, in turn: those behind them in the readers' queue would else wait for all of
        // them, and a mailbox of ten messages for a thousand of a hundred thousand.
        let (_turn, waited) = match self.0.large_mailboxes.try_acquire() {
            Ok(turn) => (Some(turn), false),
            Err(_) => (self.0.large_mailboxes.acquire().await.ok(), true),
        };
        if waited {
            let found =
                self.begin_read_scattered(move |tx| Ok((self::record(tx, mailbox)?, self::starts(tx, mailbox)?)));
            (record, starts) = found.await?;
        }
        if let Some(pages) = self.parts(&record, &starts).await? {
            return Ok((record, pages));
        }
        // Somebody changes it all the time.
        self.begin_read_scattered(move |tx| Ok((self::record(tx, mailbox)?, read_pages(tx, mailbox, EVERY_UID)?))).await
    }

    /// `None` if the mailbox has changed since this record was read.
    async fn parts(&self, record: &MailboxRecord, starts: &[Uid]) -> Result<Option<Pages>, StoreError> {
        let (mailbox, known) = (record.id, record.highest_modseq);
        let bounds = bounds(starts, MAILBOX_READERS);
        // All of them are queued before the first is waited for.
        let reading: Vec<_> = bounds
            .into_iter()
            .map(|part| self.begin_read_scattered(move |tx| read_part(tx, mailbox, known, part)))
            .collect();
        let mut pages = Vec::with_capacity(starts.len());
        let mut is_same = true;
        for part in reading {
            match part.await? {
                Some(part) => pages.extend(part),
                None => is_same = false,
            }
        }
        Ok(is_same.then_some(pages))
    }
}

fn record(tx: &mut Tx<'_>, mailbox: MailboxId) -> Result<MailboxRecord, StoreError> {
    mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))
}

/// With what each page begins: from the index alone, which lies together.
fn starts(tx: &mut Tx<'_>, mailbox: MailboxId) -> Result<Vec<Uid>, StoreError> {
    let sql = "SELECT first_uid FROM page WHERE mailbox_id = ?1 ORDER BY first_uid";
    tx.rows(sql, &[mailbox.into()], |row| Ok(Uid(row.small(0)?)))
}

/// Those that begin within these bounds.
fn read_pages(tx: &mut Tx<'_>, mailbox: MailboxId, (first, last): (Uid, Uid)) -> Result<Pages, StoreError> {
    let sql = "SELECT entries FROM page WHERE mailbox_id = ?1 AND first_uid BETWEEN ?2 AND ?3 ORDER BY first_uid";
    tx.rows(sql, &[mailbox.into(), first.into(), last.into()], |row| Ok(unpack(row.blob(0)?)?.collect()))
}

/// The same, if the mailbox is still as it was known.
fn read_part(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    known: ModSeq,
    bounds: (Uid, Uid),
) -> Result<Option<Pages>, StoreError> {
    if record(tx, mailbox)?.highest_modseq == known { read_pages(tx, mailbox, bounds).map(Some) } else { Ok(None) }
}

/// Cuts the pages into so many parts of about the same size: the first and the last start in each.
fn bounds(starts: &[Uid], parts: usize) -> Vec<(Uid, Uid)> {
    let each = starts.len().div_ceil(parts.max(1)).max(1);
    starts.chunks(each).filter_map(|part| Some((*part.first()?, *part.last()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_every_start_once() {
        for count in [1_u32, 2, 7, 32, 33, 100] {
            let starts: Vec<Uid> = (0..count).map(|number| Uid(number * 3 + 1)).collect();
            let bounds = bounds(&starts, 4);
            assert!(bounds.len() <= 4);
            let within = |start: &Uid| bounds.iter().filter(|(first, last)| first <= start && start <= last).count();
            assert!(starts.iter().all(|start| within(start) == 1), "{bounds:?}");
            assert!(bounds.is_sorted());
        }
        assert_eq!(bounds(&[], 4), []);
    }
}
