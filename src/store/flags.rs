//! Flags of messages, changed by UID; a change of 20,000 messages rewrites some 160 pages.
//!
//! A single flag rewrites a page, too. A table of single changes, folded into the pages later, was rejected: with eight
//! sessions a commit of eight changes would write five pages of the database instead of eight, of its 140 µs some 100 are
//! the disk's own, and everybody who reads entries would have to look into two places.

use super::mailboxes::{self, Count};
use super::messages::packed_pages_between;
use super::pages::{ENTRIES_PER_PAGE, Entry, packed_entries};
use super::{Store, StoreError, Thing, Touched};
use crate::types::{Flags, MailboxId, ModSeq, Uid, UidSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagVerb {
    Add,
    Remove,
    Replace,
}

impl FlagVerb {
    /// What becomes of flags of which only those `within` may change.
    pub fn applied(self, before: Flags, flags: Flags, within: Flags) -> Flags {
        match self {
            Self::Add => before.with(flags),
            Self::Remove => before.without(flags),
            Self::Replace => before.without(within).with(flags),
        }
    }
}

#[derive(Clone, Debug)]
pub struct FlagChange {
    pub uids: UidSet,
    pub verb: FlagVerb,
    pub flags: Flags,
    /// Only these may change; others stay as they are also when all are replaced.
    pub within: Flags,
    pub keywords: Vec<String>,
    /// RFC 7162 section 3.1.3: messages changed after this are left alone and reported.
    pub unchanged_since: Option<ModSeq>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagOutcome {
    /// Those whose flags are others now.
    pub changed: UidSet,
    /// Those that `unchanged_since` protected.
    pub modified: UidSet,
    pub modseq: Option<ModSeq>,
    /// The mailbox's modification sequence until then.
    pub before: ModSeq,
}

impl Store {
    pub async fn change_flags(&self, mailbox: MailboxId, change: FlagChange) -> Result<FlagOutcome, StoreError> {
        self.write(64 * 1024, move |tx| {
            let mut record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            // Removing a keyword the mailbox does not know must not teach it.
            let known: Vec<String> = match change.verb {
                FlagVerb::Remove => {
                    change.keywords.iter().filter(|name| record.keyword(name).is_some()).cloned().collect()
                }
                _ => change.keywords.clone(),
            };
            let taught = record.keywords.len();
            let taken = mailboxes::keyword_flags(tx, &mut record, &known, mailboxes::Overflow::Refused)?;
            let outcome = apply(tx, &record, &change, change.flags.with(taken))?;
            if outcome.modseq.is_none() && record.keywords.len() > taught {
                tx.touched.push(Touched::messages(&record, record.highest_modseq, record.uidnext, Vec::new()));
            }
            Ok(outcome)
        })
        .await
    }
}

fn apply(
    tx: &mut super::tx::Tx<'_>,
    mailbox: &mailboxes::MailboxRecord,
    change: &FlagChange,
    flags: Flags,
) -> Result<FlagOutcome, StoreError> {
    let mut outcome = FlagOutcome { before: mailbox.highest_modseq, ..FlagOutcome::default() };
    let mut count = Count::default();
    let Some((first, _)) = change.uids.ranges().first().copied() else { return Ok(outcome) };
    let last = change.uids.ranges().last().map_or(0, |(_, last)| *last);
    let pages = packed_pages_between(tx, mailbox.id, Uid(first), Uid(last))?;
    let most = usize::try_from(change.uids.count()).unwrap_or(usize::MAX);
    let mut changed: Vec<Entry> = Vec::with_capacity(most.min(pages.len() * ENTRIES_PER_PAGE));
    for (page, mut packed) in pages {
        let changed_before = changed.len();
        // In place: unpacking whole pages and packing them again took a third of the time.
        for packed in packed_entries(&mut packed)? {
            let mut entry = Entry::unpack(packed);
            if !change.uids.contains(entry.uid) {
                continue;
            }
            if change.unchanged_since.is_some_and(|since| entry.modseq > since) {
                outcome.modified.insert(entry.uid);
                continue;
            }
            let after = change.verb.applied(entry.flags, flags, change.within);
            if after == entry.flags {
                continue;
            }
            let modseq = match outcome.modseq {
                Some(modseq) => modseq,
                None => mailboxes::next_modseq(tx, mailbox.account)?,
            };
            outcome.modseq = Some(modseq);
            count.message(entry.flags, entry.octets, -1);
            count.message(after, entry.octets, 1);
            entry.flags = after;
            entry.modseq = modseq;
            entry.put_flags(packed);
            outcome.changed.insert(entry.uid);
            changed.push(entry);
        }
        if let Some(modseq) = outcome.modseq.filter(|_| changed.len() > changed_before) {
            tx.execute(
                "UPDATE page SET entries = ?2, highest_modseq = ?3 WHERE page_id = ?1",
                &[page.into(), (&packed).into(), modseq.into()],
            )?;
        }
    }
    if let Some(modseq) = outcome.modseq {
        count.apply(tx, mailbox.id, modseq)?;
        tx.touched.push(Touched::messages(mailbox, modseq, mailbox.uidnext, changed));
    }
    Ok(outcome)
}
