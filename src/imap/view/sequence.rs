//! Which message has which sequence number: the UIDs of a mailbox in order, as runs of UIDs without gaps.
//!
//! A run takes 8 octets however long it is, so a mailbox of a million messages of which few were ever removed costs next
//! to nothing, and one where every second is gone costs as much as a plain list would. A plain list of UIDs would take
//! 4 MB per session for that million; a list shared by all sessions would have to be copied as soon as one session knows
//! of an expunge that another may not be told yet.

use crate::types::UidSet;

/// UIDs in ascending order, each with its number from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    runs: Vec<Run>,
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first_uid: u32,
    /// Messages before this run.
    before: u32,
}

/// A piece of a sequence without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub first_number: u32,
    pub first_uid: u32,
    pub last_uid: u32,
}

impl Sequence {
    pub fn from_set(uids: &UidSet) -> Self {
        let mut sequence = Self { runs: Vec::with_capacity(uids.ranges().len()), count: 0 };
        for &(first, last) in uids.ranges() {
            sequence.push_range(first, last);
        }
        sequence
    }

    /// Of UIDs in ascending order; others are left out.
    pub fn from_uids(uids: impl IntoIterator<Item = u32>) -> Self {
        let mut sequence = Self::default();
        for uid in uids {
            sequence.push(uid);
        }
        sequence
    }

    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// 0 when there is none.
    pub fn largest_uid(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.first_uid + (self.count - run.before) - 1)
    }

    /// Adds a message at the end; `false` if its UID is not larger than all others.
    pub fn push(&mut self, uid: u32) -> bool {
        if uid <= self.largest_uid() {
            return false;
        }
        self.push_range(uid, uid);
        true
    }

    fn push_range(&mut self, first_uid: u32, last_uid: u32) {
        if self.runs.is_empty() || first_uid > self.largest_uid().saturating_add(1) {
            self.runs.push(Run { first_uid, before: self.count });
        }
        self.count += last_uid - first_uid + 1;
    }

    pub fn uid_of(&self, number: u32) -> Option<u32> {
        if number == 0 || number > self.count {
            return None;
        }
        let at = self.runs.partition_point(|run| run.before < number) - 1;
        let run = self.runs[at];
        Some(run.first_uid + (number - run.before - 1))
    }

    pub fn number_of(&self, uid: u32) -> Option<u32> {
        self.pieces_in(uid, uid).next().map(|piece| piece.first_number)
    }

    pub fn contains(&self, uid: u32) -> bool {
        self.number_of(uid).is_some()
    }

    fn piece(&self, at: usize) -> Piece {
        let run = self.runs[at];
        let end = self.runs.get(at + 1).map_or(self.count, |next| next.before);
        Piece {
            first_number: run.before + 1,
            first_uid: run.first_uid,
            last_uid: run.first_uid + (end - run.before) - 1,
        }
    }

    pub fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        (0..self.runs.len()).map(|at| self.piece(at))
    }

    /// The messages whose UID is in the range.
    fn pieces_in(&self, first: u32, last: u32) -> impl Iterator<Item = Piece> + '_ {
        let start = self.runs.partition_point(|run| run.first_uid <= first).saturating_sub(1);
        (start..self.runs.len())
            .map(|at| self.piece(at))
            .take_while(move |piece| piece.first_uid <= last)
            .filter(move |piece| piece.last_uid >= first)
            .map(move |piece| {
                let first_uid = piece.first_uid.max(first);
                Piece {
                    first_number: piece.first_number + (first_uid - piece.first_uid),
                    first_uid,
                    last_uid: piece.last_uid.min(last),
                }
            })
    }

    /// The messages whose UID is in the set, in order.
    pub fn pieces_of<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = Piece> + 'a {
        uids.ranges().iter().flat_map(|&(first, last)| self.pieces_in(first, last))
    }

    /// Those of the UIDs that are there.
    pub fn present(&self, uids: &UidSet) -> UidSet {
        UidSet::from_ranges(self.pieces_of(uids).map(|piece| (piece.first_uid, piece.last_uid)))
    }

    pub fn all(&self) -> UidSet {
        UidSet::from_ranges(self.pieces().map(|piece| (piece.first_uid, piece.last_uid)))
    }

    /// The numbers of those of the UIDs that are there.
    pub fn numbers_of(&self, uids: &UidSet) -> UidSet {
        UidSet::from_ranges(
            self.pieces_of(uids)
                .map(|piece| (piece.first_number, piece.first_number + (piece.last_uid - piece.first_uid))),
        )
    }

    /// The UIDs of these numbers; numbers that are too large have none.
    pub fn uids_of(&self, numbers: &UidSet) -> UidSet {
        let mut ranges = Vec::new();
        for &(first, last) in numbers.ranges() {
            let (first, last) = (first.max(1), last.min(self.count));
            if let (true, Some(first_uid), Some(last_uid)) = (first <= last, self.uid_of(first), self.uid_of(last)) {
                ranges.extend(self.pieces_in(first_uid, last_uid).map(|piece| (piece.first_uid, piece.last_uid)));
            }
        }
        UidSet::from_ranges(ranges)
    }

    /// Takes messages out; those behind them move up.
    pub fn remove(&mut self, uids: &UidSet) {
        if uids.is_empty() {
            return;
        }
        let mut left = Self { runs: Vec::with_capacity(self.runs.len() + uids.ranges().len()), count: 0 };
        let mut gone = uids.ranges().iter().copied().peekable();
        for piece in self.pieces() {
            let mut first = piece.first_uid;
            while let Some(&(gone_first, gone_last)) = gone.peek() {
                if gone_first > piece.last_uid {
                    break;
                }
                if gone_first > first {
                    left.push_range(first, gone_first - 1);
                }
                if gone_last >= first {
                    first = gone_last.saturating_add(1);
                }
                if gone_last > piece.last_uid {
                    break;
                }
                gone.next();
            }
            if first <= piece.last_uid {
                left.push_range(first, piece.last_uid);
            }
        }
        left.runs.shrink_to(2 * left.runs.len());
        *self = left;
    }
}
