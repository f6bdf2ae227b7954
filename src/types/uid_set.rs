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
}
