//! SORT: the order of messages by RFC 5256 section 3 and RFC 5957. Pure: keys in, an order out.

use crate::imap::grammar::{SortCriterion, SortKey};
use std::cmp::Ordering;

/// What sorting needs of one message; texts in the form that is compared, empty when the field is missing. What no
/// criterion asks for may be left empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortFacts<'a> {
    pub arrival_seconds: i64,
    /// RFC 5256 section 2.2: the Date field, or else the time of arrival.
    pub sent_seconds: i64,
    pub size_octets: u64,
    /// The local part of the first address of each.
    pub from: &'a str,
    pub to: &'a str,
    pub cc: &'a str,
    /// The name people see, else the address.
    pub display_from: &'a str,
    pub display_to: &'a str,
    pub base_subject: &'a str,
}

/// Places in `facts`, first message first.
pub fn sort(criteria: &[SortCriterion], facts: &[SortFacts<'_>]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..facts.len() as u32).collect();
    order.sort_by(|&one, &other| {
        criteria
            .iter()
            .map(|criterion| {
                let ordering = compare(criterion.key, &facts[one as usize], &facts[other as usize]);
                if criterion.reverse { ordering.reverse() } else { ordering }
            })
            .find(|ordering| ordering.is_ne())
            // REVERSE does not turn this one round: messages that are equal stay in the order of the mailbox.
            .unwrap_or_else(|| one.cmp(&other))
    });
    order
}

fn compare(key: SortKey, one: &SortFacts<'_>, other: &SortFacts<'_>) -> Ordering {
    match key {
        SortKey::Arrival => one.arrival_seconds.cmp(&other.arrival_seconds),
        SortKey::Date => one.sent_seconds.cmp(&other.sent_seconds),
        SortKey::Size => one.size_octets.cmp(&other.size_octets),
        SortKey::From => one.from.cmp(other.from),
        SortKey::To => one.to.cmp(other.to),
        SortKey::Cc => one.cc.cmp(other.cc),
        SortKey::DisplayFrom => one.display_from.cmp(other.display_from),
        SortKey::DisplayTo => one.display_to.cmp(other.display_to),
        SortKey::Subject => one.base_subject.cmp(other.base_subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_its_reverse() {
        let facts = [
            SortFacts {
                arrival_seconds: 3,
                sent_seconds: 1,
                size_octets: 20,
                from: "B",
                cc: "X",
                ..SortFacts::default()
            },
            SortFacts {
                arrival_seconds: 1,
                sent_seconds: 1,
                size_octets: 10,
                from: "A",
                to: "Y",
                ..SortFacts::default()
            },
            SortFacts {
                arrival_seconds: 2,
                sent_seconds: 0,
                size_octets: 10,
                from: "B",
                base_subject: "S",
                ..SortFacts::default()
            },
            SortFacts {
                arrival_seconds: 2,
                sent_seconds: 9,
                display_from: "D",
                display_to: "E",
                ..SortFacts::default()
            },
        ];
        let check = |criteria: &[(SortKey, bool)], expected: [u32; 4]| {
            let criteria: Vec<_> = criteria.iter().map(|&(key, reverse)| SortCriterion { key, reverse }).collect();
            assert_eq!(sort(&criteria, &facts), expected, "{criteria:?}");
        };
        check(&[(SortKey::Arrival, false)], [1, 2, 3, 0]);
        check(&[(SortKey::Arrival, true)], [0, 2, 3, 1]);
        check(&[(SortKey::Date, false)], [2, 0, 1, 3]);
        check(&[(SortKey::Size, false)], [3, 1, 2, 0]);
        check(&[(SortKey::From, false), (SortKey::Size, true)], [3, 1, 0, 2]);
        check(&[(SortKey::From, true), (SortKey::Size, false)], [2, 0, 1, 3]);
        check(&[(SortKey::To, false)], [0, 2, 3, 1]);
        check(&[(SortKey::Cc, false)], [1, 2, 3, 0]);
        check(&[(SortKey::Subject, true)], [2, 0, 1, 3]);
        check(&[(SortKey::DisplayFrom, true)], [3, 0, 1, 2]);
        check(&[(SortKey::DisplayTo, true)], [3, 0, 1, 2]);
    }
}
