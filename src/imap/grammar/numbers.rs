//! Sets of message numbers (RFC 9051 section 9: sequence-set).

use super::input::{Input, Parsed};
use crate::types::UidSet;

/// Whether numbers are sequence numbers or UIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    Sequence,
    Uid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    Set(SequenceSet),
    /// `$`: what the last SEARCH saved (RFC 5182).
    Saved,
}

/// Ranges as the client wrote them. How many is bounded by the length of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSet(Vec<(u32, u32)>);

/// `*`, the largest number in use: no message is number 0.
const STAR: u32 = 0;

impl SequenceSet {
    /// With `*` as `largest`. A range's ends may stand in any order, also when one is `*`.
    pub fn resolve(&self, largest: u32) -> UidSet {
        let number = |number| if number == STAR { largest } else { number };
        UidSet::from_ranges(self.0.iter().map(|&(first, last)| (number(first), number(last))))
    }

    /// Every range without a `*` in it.
    pub fn plain_ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied().filter(|&(first, last)| first != STAR && last != STAR)
    }

    pub fn has_star(&self) -> bool {
        self.0.iter().any(|&(first, last)| first == STAR || last == STAR)
    }
}

pub(super) fn numbers(input: &mut Input<'_>) -> Parsed<Numbers> {
    if input.eat(b'$') { Ok(Numbers::Saved) } else { sequence_set(input).map(Numbers::Set) }
}

pub(super) fn sequence_set(input: &mut Input<'_>) -> Parsed<SequenceSet> {
    let mut ranges = Vec::new();
    loop {
        let first = number_or_star(input)?;
        let last = if input.eat(b':') { number_or_star(input)? } else { first };
        ranges.push((first, last));
        if !input.eat(b',') {
            return Ok(SequenceSet(ranges));
        }
    }
}

fn number_or_star(input: &mut Input<'_>) -> Parsed<u32> {
    if input.eat(b'*') { Ok(STAR) } else { input.nonzero() }
}

/// `seq-number`, with `None` for `*`.
pub(super) fn one_number(input: &mut Input<'_>) -> Parsed<Option<u32>> {
    Ok(Some(number_or_star(input)?).filter(|number| *number != STAR))
}

/// A set that must not have a `*` (RFC 7162 section 7: known-uids and the like).
pub(super) fn plain_set(input: &mut Input<'_>) -> Parsed<Vec<(u32, u32)>> {
    let start = input.position();
    let set = sequence_set(input)?;
    if set.has_star() {
        input.back_to(start);
        return input.fail("a set without *");
    }
    Ok(set.0)
}

/// A window into a result (RFC 9394 section 3, RFC 5267 section 4.4), counted from either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialRange {
    pub from: PartialFrom,
    /// The smaller and the larger position, from 1.
    pub first: u32,
    pub last: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartialFrom {
    Start,
    End,
}

pub(super) fn partial_range(input: &mut Input<'_>) -> Parsed<PartialRange> {
    let from = if input.eat(b'-') { PartialFrom::End } else { PartialFrom::Start };
    let one = input.nonzero()?;
    input.expect(b':', "a colon")?;
    if from == PartialFrom::End {
        input.expect(b'-', "a minus sign, as before the first number")?;
    }
    let other = input.nonzero()?;
    Ok(PartialRange { from, first: one.min(other), last: one.max(other) })
}
