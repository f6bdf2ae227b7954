//! Messages of a mailbox: listing, what changed since, copying and moving.

use super::deposit::{append_entries, use_quota};
use super::mailboxes::{self, MailboxRecord};
use super::pages::{Entry, unpack, unpack_uids};
use super::tx::Tx;
use super::{Change, Store, StoreError, Thing, Touched, bodies, expunge};
use crate::types::{Flags, MailboxId, ModSeq, ThreadId, Timestamp, Uid, UidSet, UidValidity};
use std::ops::ControlFlow;

/// What happened in a mailbox after a modification sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The mailbox as of this answer: one snapshot.
    pub mailbox: MailboxRecord,
    /// New messages and those whose flags changed, by UID.
    pub changed: Vec<Entry>,
    /// `None`: the history does not reach back that far; compare with what is there.
    pub expunged: Option<UidSet>,
}

/// COPYUID's three parts (RFC 4315), and where it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOutcome {
    pub uidvalidity: UidValidity,
    pub sources: Vec<Uid>,
    pub copies: Vec<Uid>,
    pub modseq: ModSeq,
}

/// How entries are copied.
pub(super) struct Copying {
    pub(super) to: MailboxId,
    /// Flags the copies may have.
    pub(super) kept: Flags,
    pub(super) quota: QuotaUse,
}

/// Whether what copies use is free again at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum QuotaUse {
    Counts,
    IsFreed,
}

impl Store {
    /// What is remembered of expunges after a modification sequence; `None` if the history does not reach back that far.
    pub async fn expunged_since(&self, mailbox: MailboxId, since: ModSeq) -> Result<Option<UidSet>, StoreError> {
        self.read(move |tx| {
            let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            if since < record.expunge_floor { Ok(None) } else { expunged_after(tx, mailbox, since).map(Some) }
        })
        .await
    }

    /// What a session that knows the state of `since` must be told to know the present one.
    pub async fn changes_since(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, StoreError> {
        self.read(move |tx| {
            let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            let mut changed = Vec::new();
            tx.each(
                "SELECT entries FROM page WHERE mailbox_id = ?1 AND highest_modseq > ?2 ORDER BY first_uid",
                &[mailbox.into(), since.into()],
                |row| {
                    changed.extend(unpack(row.blob(0)?)?.filter(|entry| entry.modseq > since));
                    Ok(ControlFlow::Continue(()))
                },
            )?;
            let expunged = if since < record.expunge_floor { None } else { Some(expunged_after(tx, mailbox, since)?) };
            Ok(Changes { mailbox: record, changed, expunged })
        })
        .await
    }

    /// Copies messages to the end of another mailbox of the same or another account in one transaction, with their dates
    /// and those flags that are in `kept`. Unknown UIDs are passed over. Callers cut large sets into pieces of
    /// `COPY_PIECE_MAX`.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
        kept: Flags,
    ) -> Result<CopyOutcome, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * 1024, move |tx| {
            let (entries, outcome) = copy(tx, from, &uids, &Copying { to, kept, quota: QuotaUse::Counts }, now)?;
            for entry in entries {
                bodies::refer(tx, entry.body, 1)?;
            }
            Ok(outcome)
        })
        .await
    }

    /// Moves messages: a copy and an expunge of exactly those, in one transaction (RFC 6851).
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
        kept: Flags,
    ) -> Result<CopyOutcome, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * 1024, move |tx| move_all(tx, from, &uids, (to, kept), now)).await
    }

    /// Records the threads that were worked out for messages (RFC 8474 section 5.2). No change that a client is told.
    pub async fn set_threads(&self, mailbox: MailboxId, threads: Vec<(Uid, ThreadId)>) -> Result<(), StoreError> {
        self.write(64 * threads.len(), move |tx| {
            let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            tx.touched.push(Touched::of(&record, record.highest_modseq, Change::Threads(threads.clone())));
            let first = threads.iter().map(|(uid, _)| *uid).min().unwrap_or_default();
            let last = threads.iter().map(|(uid, _)| *uid).max().unwrap_or_default();
            let threads: std::collections::HashMap<Uid, ThreadId> = threads.iter().copied().collect();
            for (page, mut entries) in pages_between(tx, mailbox, first, last)? {
                let mut changed = false;
                for entry in &mut entries {
                    if let Some(thread) = threads.get(&entry.uid)
                        && entry.thread != *thread
                    {
                        entry.thread = *thread;
                        changed = true;
                    }
                }
                if changed {
                    let packed = super::pages::pack(&entries);
                    let parameters = [page.into(), (&packed).into()];
                    tx.execute("UPDATE page SET entries = ?2 WHERE page_id = ?1", &parameters)?;
                }
            }
            Ok(())
        })
        .await
    }
}

const PAGES_BETWEEN: &str = "SELECT page_id, entries FROM page WHERE mailbox_id = ?1 AND first_uid <= ?3
    AND first_uid >= coalesce(
      (SELECT max(p.first_uid) FROM page p WHERE p.mailbox_id = ?1 AND p.first_uid <= ?2), 0)
    ORDER BY first_uid";

/// Pages that can hold UIDs from `first` to `last`.
pub(super) fn pages_between(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    first: Uid,
    last: Uid,
) -> Result<Vec<(i64, Vec<Entry>)>, StoreError> {
    tx.rows(PAGES_BETWEEN, &[mailbox.into(), first.into(), last.into()], |row| {
        Ok((row.int(0)?, unpack(row.blob(1)?)?.collect()))
    })
}

/// The same as they are.
pub(super) fn packed_pages_between(
    tx: &mut Tx<'_>,
    mailbox: MailboxId,
    first: Uid,
    last: Uid,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    tx.rows(PAGES_BETWEEN, &[mailbox.into(), first.into(), last.into()], |row| Ok((row.int(0)?, row.blob(1)?.to_vec())))
}

/// Entries of exactly these UIDs, as far as they exist.
pub(super) fn entries_of(tx: &mut Tx<'_>, mailbox: MailboxId, uids: &UidSet) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    let (Some((first, _)), Some((_, last))) = (uids.ranges().first(), uids.ranges().last()) else { return Ok(found) };
    tx.each(
        "SELECT entries FROM page WHERE mailbox_id = ?1 AND first_uid <= ?3 AND first_uid >= coalesce(
           (SELECT max(p.first_uid) FROM page p WHERE p.mailbox_id = ?1 AND p.first_uid <= ?2), 0)
         ORDER BY first_uid",
        &[mailbox.into(), (*first).into(), (*last).into()],
        |row| {
            found.extend(unpack(row.blob(0)?)?.filter(|entry| uids.contains(entry.uid)));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(found)
}

fn expunged_after(tx: &mut Tx<'_>, mailbox: MailboxId, since: ModSeq) -> Result<UidSet, StoreError> {
    let mut ranges = Vec::new();
    tx.each(
        "SELECT uids FROM expunged WHERE mailbox_id = ?1 AND modseq > ?2 ORDER BY modseq",
        &[mailbox.into(), since.into()],
        |row| {
            ranges.extend_from_slice(unpack_uids(row.blob(0)?)?.ranges());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(UidSet::from_ranges(ranges))
}

pub(super) fn move_all(
    tx: &mut Tx<'_>,
    from: MailboxId,
    uids: &UidSet,
    to: (MailboxId, Flags),
    now: Timestamp,
) -> Result<CopyOutcome, StoreError> {
    let (entries, outcome) = copy(tx, from, uids, &Copying { to: to.0, kept: to.1, quota: QuotaUse::IsFreed }, now)?;
    let source = mailboxes::by_id(tx, from)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
    let moved: UidSet = entries.iter().map(|entry| entry.uid).collect();
    // The bodies' references go over to the copies, so they are neither taken nor given.
    let wanted = |entry: &Entry| moved.contains(entry.uid);
    expunge::take_out(tx, &source, &wanted, expunge::Bodies::Keep, now, expunge::span(&moved))?;
    Ok(outcome)
}

/// Appends copies to `to`; the caller settles the references of the source entries' bodies.
fn copy(
    tx: &mut Tx<'_>,
    from: MailboxId,
    uids: &UidSet,
    copying: &Copying,
    now: Timestamp,
) -> Result<(Vec<Entry>, CopyOutcome), StoreError> {
    let source = mailboxes::by_id(tx, from)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
    let entries = entries_of(tx, from, uids)?;
    let outcome = append_copies(tx, &source, copying, &entries, now)?;
    Ok((entries, outcome))
}

/// The same with entries that were read before; their keywords are by `source`.
pub(super) fn append_copies(
    tx: &mut Tx<'_>,
    source: &MailboxRecord,
    copying: &Copying,
    entries: &[Entry],
    now: Timestamp,
) -> Result<CopyOutcome, StoreError> {
    let mut target = mailboxes::by_id(tx, copying.to)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
    let octets: u64 = entries.iter().map(|entry| u64::from(entry.octets)).sum();
    // What moves within an account is freed by the same transaction.
    let bound = copying.quota == QuotaUse::Counts || source.account != target.account;
    let modseq = copy_quota(tx, &target, octets, entries.len(), bound)?;
    let translate = keyword_translation(tx, source, &mut target, entries, copying.kept)?;
    let mut copies = Vec::with_capacity(entries.len());
    for (uid, entry) in (target.uidnext.0..).zip(entries) {
        let mut flags = Flags(entry.flags.0 & copying.kept.0 & ((1 << crate::types::KEYWORD_BIT_FIRST) - 1));
        for (theirs, ours) in &translate {
            if entry.flags.contains(*theirs) {
                flags = flags.with(*ours);
            }
        }
        let thread = if source.account == target.account { entry.thread } else { ThreadId(0) };
        copies.push(Entry { uid: Uid(uid), flags, modseq, thread, saved_seconds: now.seconds(), ..*entry });
    }
    append_entries(tx, &target, &copies, modseq)?;
    Ok(CopyOutcome {
        uidvalidity: target.uidvalidity,
        sources: entries.iter().map(|entry| entry.uid).collect(),
        copies: copies.iter().map(|entry| entry.uid).collect(),
        modseq,
    })
}

/// The counts of the account that receives the copies.
fn copy_quota(
    tx: &mut Tx<'_>,
    target: &MailboxRecord,
    octets: u64,
    messages: usize,
    bound: bool,
) -> Result<ModSeq, StoreError> {
    let mut left = octets;
    let mut counted = messages as u32;
    // A set of copies can exceed the 32 bits of one message; the last step checks the quota over all.
    loop {
        let step = u32::try_from(left).unwrap_or(u32::MAX);
        left -= u64::from(step);
        let modseq = use_quota(tx, target.account, step, counted, bound && left == 0)?;
        if left == 0 {
            return Ok(modseq);
        }
        counted = 0;
    }
}

/// From the source's keyword bits that are in use to the target's.
fn keyword_translation(
    tx: &mut Tx<'_>,
    source: &MailboxRecord,
    target: &mut MailboxRecord,
    entries: &[Entry],
    kept: Flags,
) -> Result<Vec<(Flags, Flags)>, StoreError> {
    let used = entries.iter().fold(Flags::NONE, |all, entry| all.with(entry.flags));
    let mut translate = Vec::new();
    for (index, name) in source.keywords.iter().enumerate() {
        let theirs = Flags::keyword(index);
        if used.contains(theirs) && kept.contains(theirs) {
            let name = std::slice::from_ref(name);
            translate.push((theirs, mailboxes::keyword_flags(tx, target, name, mailboxes::Overflow::Refused)?));
        }
    }
    Ok(translate)
}
