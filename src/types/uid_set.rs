//! Sets of UIDs as sorted ranges: what VANISHED, COPYUID and the expunge history speak of.

use super::Uid;

/// Sorted, disjoint, never adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet(Vec<(u32, u32)>);

impl UidSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// From ranges in any order, overlapping or not; the ends of one may be swapped (RFC 9051 seq-range).
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<(u32, u32)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Cheap when called in ascending order.
    pub fn insert(&mut self, uid: Uid) {
        match self.0.last_mut() {
            Some(last) if uid.0 == last.1.saturating_add(1) => last.1 = uid.0,
            Some(last) if uid.0 <= last.1 => {
                if !self.contains(uid) {
                    let ranges = std::mem::take(&mut self.0);
                    *self = Self::from_ranges(ranges.into_iter().chain([(uid.0, uid.0)]));
                }
            }
            _ => self.0.push((uid.0, uid.0)),
        }
    }

    pub fn contains(&self, uid: Uid) -> bool {
        let after = self.0.partition_point(|range| range.0 <= uid.0);
        after > 0 && self.0[after - 1].1 >= uid.0
    }

    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many UIDs, which for `1:*` is more than fits 32 bits.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.0.iter().flat_map(|&(first, last)| (first..=last).map(Uid))
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(first, last)), Some(&&(their_first, their_last))) = (mine.peek(), theirs.peek()) {
            let (from, to) = (first.max(their_first), last.min(their_last));
            if from <= to {
                both.push((from, to));
            }
            if last < their_last {
                mine.next();
            } else {
                theirs.next();
            }
        }
        Self(both)
    }

    /// What is in this one only.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        let mut gone = other.0.iter().peekable();
        for &(first, last) in &self.0 {
            let mut next = Some(first);
            while let (Some(from), Some(&&(gone_first, gone_last))) = (next, gone.peek()) {
                if gone_first > last {
                    break;
                }
                if gone_last >= from {
                    if gone_first > from {
                        left.push((from, gone_first - 1));
                    }
                    next = gone_last.checked_add(1).filter(|next| *next <= last);
                }
                if gone_last > last {
                    break;
                }
                gone.next();
            }
            left.extend(next.map(|from| (from, last)));
        }
        Self(left)
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.0.iter().chain(&other.0).copied())
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::new();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

/// `1:3,5`, as IMAP writes it; empty for the empty set.
impl std::fmt::Display for UidSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            if first == last {
                write!(formatter, "{first}")?;
            } else {
                write!(formatter, "{first}:{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_whatever_their_order() {
        let check = |ranges: &[(u32, u32)], expected: &str| {
            let set = UidSet::from_ranges(ranges.iter().copied());
            assert_eq!(set.to_string(), expected);
            assert_eq!(set, ranges.iter().flat_map(|&(a, b)| a.min(b)..=a.max(b)).map(Uid).collect());
            assert_eq!(set.count(), set.iter().count() as u64);
        };
        check(&[], "");
        check(&[(5, 5), (1, 3), (4, 4)], "1:5");
        check(&[(9, 7), (1, 1), (8, 12), (3, 3)], "1,3,7:12");
        check(&[(2, 2), (1, 1)], "1:2");
    }

    #[test]
    fn what_is_in_both_and_in_one_only() {
        let check = |one: &[(u32, u32)], other: &[(u32, u32)]| {
            let (a, b) = (UidSet::from_ranges(one.iter().copied()), UidSet::from_ranges(other.iter().copied()));
            let both: UidSet = a.iter().filter(|uid| b.contains(*uid)).collect();
            let only: UidSet = a.iter().filter(|uid| !b.contains(*uid)).collect();
            assert_eq!(a.intersection(&b), both, "{a} and {b}");
            assert_eq!(a.difference(&b), only, "{a} without {b}");
        };
        let sets: [&[(u32, u32)]; 8] = [
            &[],
            &[(1, 10)],
            &[(1, 3), (5, 7), (9, 12)],
            &[(3, 5), (7, 9)],
            &[(4, 4), (8, 8)],
            &[(2, 2), (4, 11), (20, 21)],
            &[(1, 1), (12, 12)],
            &[(u32::MAX - 2, u32::MAX)],
        ];
        for one in sets {
            for other in sets {
                check(one, other);
            }
        }
    }
}
