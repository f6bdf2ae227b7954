//! What one client was told of its selected mailbox: which message has which number, what it still has to hear.
//!
//! Invariants: a number means the same message to the client and to us until the client is told otherwise; a message
//! that is gone keeps its number until an EXPUNGE or VANISHED for it is allowed; the count of messages never falls but
//! by these; everything up to `known` was told, or waits in `gone`. Nothing is stored per message beyond the runs of
//! `Sequence`: the truth about flags is the mailbox's, and what changed comes in as `News`.

mod sequence;
#[cfg(test)]
mod tests;

pub use sequence::{Piece, Sequence};

use crate::imap::grammar::{Addressing, MatchData, Numbers, PartialFrom, PartialRange};
use crate::types::{Flags, ModSeq, Uid, UidSet};

/// What the mailbox has to say about the time after `View::known`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// New messages and those whose flags changed, by UID.
    pub changed: Vec<Changed>,
    pub gone: Gone,
    /// Everything up to here is in it.
    pub through: ModSeq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    pub uid: Uid,
    pub flags: Flags,
    pub mod_seq: ModSeq,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    These(UidSet),
    /// The history of expunges does not reach back far enough: these are left.
    AllBut(UidSet),
}

/// Whether the client may hear now that messages are gone. Not during FETCH, STORE and SEARCH by number, and not
/// between commands (RFC 9051 section 7.5.1): the client may just be counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expunges {
    Allowed,
    Deferred,
}

/// What to tell the client, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// With UIDs for who reads VANISHED, with numbers for others.
    pub expunged: Option<Expunged>,
    /// The number of messages, if there are new ones.
    pub exists: Option<u32>,
    pub new: UidSet,
    /// Flags of messages the client knows, with their numbers after the above.
    pub changed: Vec<(u32, Changed)>,
}

impl Updates {
    pub fn is_empty(&self) -> bool {
        self.expunged.is_none() && self.exists.is_none() && self.changed.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expunged {
    /// From the largest down, so that none is moved by those before it.
    Numbers(Vec<u32>),
    Uids(UidSet),
}

/// How the client speaks of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    #[default]
    Numbers,
    /// After ENABLE QRESYNC: VANISHED instead of EXPUNGE (RFC 7162 section 3.2.10).
    Vanished,
    /// After ENABLE UIDONLY: the same, and sequence numbers are refused (RFC 9586 section 3).
    UidOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumbersError {
    /// BAD: there is no message of this number.
    NoSuchNumber,
    /// BAD [UIDREQUIRED].
    UidRequired,
}

#[derive(Clone, Debug)]
pub struct View {
    sequence: Sequence,
    known: ModSeq,
    pub dialect: Dialect,
    /// Gone, and not told yet.
    gone: UidSet,
    /// `$` (RFC 5182).
    saved: UidSet,
    /// Changes after `known` that the client has heard of as the answer to its own command.
    told: Vec<(ModSeq, UidSet)>,
}

impl View {
    /// As of SELECT: these messages, and everything up to this point.
    pub fn new(sequence: Sequence, known: ModSeq, dialect: Dialect) -> Self {
        Self { sequence, known, dialect, gone: UidSet::new(), saved: UidSet::new(), told: Vec::new() }
    }

    /// A view that was made without its messages gets them, as of the same moment.
    pub fn count(&mut self, sequence: Sequence) {
        self.sequence = sequence;
    }

    pub fn sequence(&self) -> &Sequence {
        &self.sequence
    }

    pub fn known(&self) -> ModSeq {
        self.known
    }

    /// Messages the client counts though they are gone.
    pub fn gone(&self) -> &UidSet {
        &self.gone
    }

    /// The client has just been told the flags of these messages as of this change.
    pub fn note_told(&mut self, mod_seq: ModSeq, uids: UidSet) {
        if mod_seq > self.known && !uids.is_empty() {
            self.told.push((mod_seq, uids));
        }
    }

    /// The client has been told everything that happened between these two.
    pub fn note_all_told(&mut self, since: ModSeq, through: ModSeq) {
        if self.known == since {
            self.known = self.known.max(through);
            self.told.retain(|(mod_seq, _)| *mod_seq > self.known);
        }
    }

    /// Takes in what happened, and says what the client must hear of it.
    pub fn learn(&mut self, news: &News, expunges: Expunges) -> Updates {
        self.gone = self.going(news);
        let mut updates = Updates { expunged: self.tell_expunged(expunges), ..Updates::default() };
        let largest_before = self.sequence.largest_uid();
        for changed in &news.changed {
            let uid = changed.uid;
            if uid.0 > largest_before {
                let gone_already = matches!(&news.gone, Gone::These(uids) if uids.contains(uid));
                if !gone_already && self.sequence.push(uid.0) {
                    updates.new.insert(uid);
                }
                continue;
            }
            if self.gone.contains(uid) || self.is_told(changed) {
                continue;
            }
            if let Some(number) = self.sequence.number_of(uid.0) {
                updates.changed.push((number, *changed));
            }
        }
        if !updates.new.is_empty() {
            updates.exists = Some(self.sequence.len());
        }
        self.known = self.known.max(news.through);
        self.told.retain(|(mod_seq, _)| *mod_seq > self.known);
        updates
    }

    fn is_told(&self, changed: &Changed) -> bool {
        changed.mod_seq <= self.known
            || self.told.iter().any(|(mod_seq, uids)| *mod_seq == changed.mod_seq && uids.contains(changed.uid))
    }

    fn tell_expunged(&mut self, expunges: Expunges) -> Option<Expunged> {
        if expunges == Expunges::Deferred || self.gone.is_empty() {
            return None;
        }
        let gone = std::mem::take(&mut self.gone);
        let expunged = match self.dialect {
            Dialect::Numbers => {
                let mut numbers: Vec<u32> = self.sequence.numbers_of(&gone).iter().map(|number| number.0).collect();
                numbers.reverse();
                Expunged::Numbers(numbers)
            }
            Dialect::Vanished | Dialect::UidOnly => Expunged::Uids(gone.clone()),
        };
        self.sequence.remove(&gone);
        // RFC 5182 section 2.1: what is expunged leaves the saved result.
        self.saved = difference(&self.saved, &gone);
        Some(expunged)
    }

    /// The messages a command names. A UID that no message has is no error (RFC 9051 section 6.4.9), a number is.
    pub fn resolve(&self, addressing: Addressing, numbers: &Numbers) -> Result<UidSet, NumbersError> {
        if let (Addressing::Sequence, Numbers::Set(set)) = (addressing, numbers) {
            if self.dialect == Dialect::UidOnly {
                return Err(NumbersError::UidRequired);
            }
            // `5:*` is in order in a mailbox of three: its range has the last message in it. A plain 5 is not.
            if set.plain_ranges().any(|(first, last)| first.max(last) > self.sequence.len()) {
                return Err(NumbersError::NoSuchNumber);
            }
        }
        Ok(self.matching(addressing, numbers))
    }

    /// The same for a search key, which matches what there is.
    pub fn matching(&self, addressing: Addressing, numbers: &Numbers) -> UidSet {
        match numbers {
            _ if self.sequence.is_empty() => UidSet::new(),
            Numbers::Saved => self.sequence.present(&self.saved),
            Numbers::Set(set) => match addressing {
                Addressing::Sequence => self.sequence.uids_of(&set.resolve(self.sequence.len())),
                Addressing::Uid => self.sequence.present(&set.resolve(self.sequence.largest_uid())),
            },
        }
    }

    /// What `$` stands for.
    pub fn saved(&self) -> &UidSet {
        &self.saved
    }

    /// The messages whose going [`View::learn`] would tell.
    pub fn going(&self, news: &News) -> UidSet {
        let gone = match &news.gone {
            Gone::These(uids) => self.sequence.present(uids),
            Gone::AllBut(left) => difference(&self.sequence.all(), left),
        };
        self.gone.union(&gone)
    }

    pub fn save(&mut self, result: UidSet) {
        self.saved = result;
    }

    /// Messages with their numbers, in order.
    pub fn numbered<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = (u32, Uid)> + 'a {
        self.sequence.pieces_of(uids).flat_map(|piece| {
            (piece.first_uid..=piece.last_uid).map(move |uid| (piece.first_number + (uid - piece.first_uid), Uid(uid)))
        })
    }

    /// What a reply calls these messages: numbers, or UIDs.
    pub fn names_of(&self, addressing: Addressing, uids: &UidSet) -> UidSet {
        match addressing {
            Addressing::Sequence => self.sequence.numbers_of(uids),
            Addressing::Uid => uids.clone(),
        }
    }

    /// RFC 7162 section 3.2.5: which of the messages a returning client knows are gone. `expunged` is what is remembered
    /// since its modification sequence; without it, everything that is not there may have been.
    pub fn vanished(
        &self,
        expunged: Option<&UidSet>,
        known_uids: Option<&[(u32, u32)]>,
        match_data: Option<&MatchData>,
    ) -> UidSet {
        let known = match known_uids {
            Some(ranges) => UidSet::from_ranges(ranges.iter().copied()),
            None => UidSet::from_ranges([(1, self.sequence.largest_uid().max(largest(expunged)))]),
        };
        let candidates = match expunged {
            Some(expunged) => intersection(expunged, &known),
            None => difference(&known, &self.sequence.all()),
        };
        match match_data.and_then(|data| self.last_match(data)) {
            Some(uid) => difference(&candidates, &UidSet::from_ranges([(1, uid)])),
            None => candidates,
        }
    }

    /// The largest UID that still has the number the client gives for it. Nothing below it is gone: otherwise its number
    /// were smaller.
    fn last_match(&self, data: &MatchData) -> Option<u32> {
        let mut found = None;
        for (number, uid, count) in aligned(&data.sequence, &data.uids) {
            // As long as the client tells the truth, all pairs up to some point match and none after it.
            let matching = partition(count, |step| {
                number.checked_add(step).is_some_and(|number| self.sequence.uid_of(number) == uid.checked_add(step))
            });
            if let Some(last) = matching.checked_sub(1) {
                found = Some(uid + last);
            }
            if matching < count {
                break;
            }
        }
        found
    }

    /// RFC 10022 section 3: the UIDs from the largest down in ranges of `size` messages; the last reaches down to 1.
    pub fn batches(&self, size: u32, wanted: Option<(u32, u32)>) -> Vec<(u32, u32)> {
        let count = self.sequence.len().div_ceil(size.max(1));
        let (first, last) = wanted.unwrap_or((1, count));
        let top = |batch: u32| {
            let skipped = u64::from(batch) * u64::from(size);
            u32::try_from(skipped).ok().and_then(|skipped| self.sequence.len().checked_sub(skipped))
        };
        let uid = |number| self.sequence.uid_of(number).unwrap_or(0);
        (first..=last.min(count))
            .filter_map(|batch| {
                let high = uid(top(batch.checked_sub(1)?)?);
                Some((high, top(batch).map_or(0, uid) + 1))
            })
            .collect()
    }
}

/// Pairs of runs of the same length, out of two lists of ranges that stand for pairs of numbers.
fn aligned(sequence: &[(u32, u32)], uids: &[(u32, u32)]) -> Vec<(u32, u32, u32)> {
    let mut pairs = Vec::new();
    let (mut numbers, mut uids) = (sequence.iter().copied(), uids.iter().copied());
    let (mut number, mut uid) = (numbers.next(), uids.next());
    while let (Some((first, last)), Some((first_uid, last_uid))) = (number, uid) {
        let step = last.saturating_sub(first).min(last_uid.saturating_sub(first_uid));
        pairs.push((first, first_uid, step.saturating_add(1)));
        let rest =
            |first: u32, last: u32| first.checked_add(step + 1).filter(|next| *next <= last).map(|next| (next, last));
        number = rest(first, last).or_else(|| numbers.next());
        uid = rest(first_uid, last_uid).or_else(|| uids.next());
    }
    pairs
}

/// How many of `0..count`, from the start, hold.
fn partition(count: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn largest(set: Option<&UidSet>) -> u32 {
    set.and_then(|set| set.ranges().last()).map_or(0, |range| range.1)
}

/// What is in both.
pub fn intersection(one: &UidSet, other: &UidSet) -> UidSet {
    Sequence::from_set(one).present(other)
}

/// What is in the first only.
pub fn difference(one: &UidSet, other: &UidSet) -> UidSet {
    let mut left = Sequence::from_set(one);
    left.remove(other);
    left.all()
}

/// The members at these positions (RFC 9394 section 3).
pub fn window(set: &UidSet, range: PartialRange) -> UidSet {
    let sequence = Sequence::from_set(set);
    let count = sequence.len();
    let (first, last) = match range.from {
        PartialFrom::Start => (range.first, range.last),
        PartialFrom::End if range.first > count => return UidSet::new(),
        PartialFrom::End => (count.saturating_sub(range.last) + 1, count - range.first + 1),
    };
    sequence.uids_of(&UidSet::from_ranges([(first, last)]))
}
