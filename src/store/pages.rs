//! Entries of messages, packed: up to `ENTRIES_PER_PAGE` of one mailbox in one row.
//!
//! An entry is `ENTRY_OCTETS` long, integers little-endian, ordered by UID within a page; pages of a mailbox are ordered
//! and don't overlap. A full page fits one leaf of the database.

use super::error::StoreError;
use crate::types::{BodyId, Flags, ModSeq, ThreadId, Uid};

pub(super) const ENTRY_OCTETS: usize = 60;
pub const ENTRIES_PER_PAGE: usize = 128;

/// What is kept of each message in its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Entry {
    pub uid: Uid,
    pub flags: Flags,
    pub modseq: ModSeq,
    pub body: BodyId,
    /// 0 until somebody asked for threads of this mailbox.
    pub thread: ThreadId,
    pub octets: u32,
    /// INTERNALDATE: seconds since 1970 and the zone it was given in, minutes east.
    pub internal_seconds: i64,
    pub internal_zone_minutes: i16,
    /// SAVEDATE (RFC 8514), seconds since 1970.
    pub saved_seconds: i64,
}

impl Entry {
    pub(super) fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.uid.0.to_le_bytes());
        out.extend_from_slice(&self.flags.0.to_le_bytes());
        out.extend_from_slice(&self.modseq.0.to_le_bytes());
        out.extend_from_slice(&self.body.0.to_le_bytes());
        out.extend_from_slice(&self.thread.0.to_le_bytes());
        out.extend_from_slice(&self.octets.to_le_bytes());
        out.extend_from_slice(&self.internal_seconds.to_le_bytes());
        out.extend_from_slice(&self.internal_zone_minutes.to_le_bytes());
        // 48 bits of seconds last for nine million years and keep the entry at 60 octets with two to spare.
        out.extend_from_slice(&self.saved_seconds.to_le_bytes()[..6]);
        out.extend_from_slice(&[0; 4]);
    }

    /// Writes its flags and modification sequence over those of an older state of it.
    pub(super) fn put_flags(&self, packed: &mut [u8; ENTRY_OCTETS]) {
        packed[4..12].copy_from_slice(&self.flags.0.to_le_bytes());
        packed[12..20].copy_from_slice(&self.modseq.0.to_le_bytes());
    }

    pub(super) fn unpack(octets: &[u8; ENTRY_OCTETS]) -> Self {
        let u32_at = |at: usize| u32::from_le_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        Self {
            uid: Uid(u32_at(0)),
            flags: Flags(u64_at(4)),
            modseq: ModSeq(u64_at(12)),
            body: BodyId(u64_at(20).cast_signed()),
            thread: ThreadId(u64_at(28).cast_signed()),
            octets: u32_at(36),
            internal_seconds: u64_at(40).cast_signed(),
            internal_zone_minutes: u16::from_le_bytes([octets[48], octets[49]]).cast_signed(),
            saved_seconds: i64::from(u32_at(50)) | i64::from(u16::from_le_bytes([octets[54], octets[55]])) << 32,
        }
    }
}

pub(super) fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len() * ENTRY_OCTETS);
    for entry in entries {
        entry.pack(&mut packed);
    }
    packed
}

/// All entries of a page; a length that is no multiple of an entry is damage.
pub(super) fn unpack(packed: &[u8]) -> Result<impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator, StoreError> {
    let (entries, rest) = packed.as_chunks::<ENTRY_OCTETS>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged(format!("a page of {} octets", packed.len())));
    }
    Ok(entries.iter().map(Entry::unpack))
}

/// The same in place.
pub(super) fn packed_entries(packed: &mut [u8]) -> Result<&mut [[u8; ENTRY_OCTETS]], StoreError> {
    let octets = packed.len();
    let (entries, rest) = packed.as_chunks_mut::<ENTRY_OCTETS>();
    if rest.is_empty() { Ok(entries) } else { Err(StoreError::Damaged(format!("a page of {octets} octets"))) }
}

/// UID ranges as the expunge history keeps them.
pub(super) fn pack_uids(set: &crate::types::UidSet) -> Vec<u8> {
    let mut packed = Vec::with_capacity(set.ranges().len() * 8);
    for (first, last) in set.ranges() {
        packed.extend_from_slice(&first.to_le_bytes());
        packed.extend_from_slice(&last.to_le_bytes());
    }
    packed
}

pub(super) fn unpack_uids(packed: &[u8]) -> Result<crate::types::UidSet, StoreError> {
    let (ranges, rest) = packed.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged(format!("an expunge record of {} octets", packed.len())));
    }
    let word = |octets: &[u8]| octets.iter().rev().fold(0_u32, |word, octet| word << 8 | u32::from(*octet));
    Ok(crate::types::UidSet::from_ranges(ranges.iter().map(|range| (word(&range[..4]), word(&range[4..])))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UidSet;

    #[test]
    fn what_is_packed_unpacks() {
        let entry = Entry {
            uid: Uid(u32::MAX),
            flags: Flags(u64::MAX - 5),
            modseq: ModSeq(1 << 50),
            body: BodyId(i64::MAX),
            thread: ThreadId(7),
            octets: 20_000,
            internal_seconds: -12_345,
            internal_zone_minutes: -720,
            saved_seconds: 1_795_000_000_000,
        };
        let entries = [entry, Entry::default(), Entry { uid: Uid(3), ..entry }];
        let mut packed = pack(&entries);
        assert_eq!(packed.len(), entries.len() * ENTRY_OCTETS);
        let (chunks, _) = packed.as_chunks_mut::<ENTRY_OCTETS>();
        let flagged = Entry { flags: Flags(9), modseq: ModSeq(u64::MAX - 1), ..entry };
        flagged.put_flags(&mut chunks[0]);
        assert_eq!(Entry::unpack(&chunks[0]), flagged);
        entry.put_flags(&mut chunks[0]);
        assert!(unpack(&packed).expect("whole entries").eq(entries));
        assert!(unpack(&packed[1..]).is_err());
        let set = UidSet::from_ranges([(1, 5), (70_000, u32::MAX)]);
        assert_eq!(unpack_uids(&pack_uids(&set)), Ok(set));
    }

    #[test]
    fn a_full_page_fits_a_leaf_of_the_database() {
        const { assert!(ENTRIES_PER_PAGE * ENTRY_OCTETS < 8192 - 100) }
    }
}
