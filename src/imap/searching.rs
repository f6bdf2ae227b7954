//! From the keys of a client to what mailboxes look for, and from what was found to what is told of it. Pure.

use super::cause::Cause;
use super::grammar::{self, Addressing, Key, Numbers, PartialFrom, PartialRange, ReturnOption, TextIn};
use super::replies::{EsearchReply, email_id_of, thread_id_of};
use super::view::View;
use crate::mailbox::{DateIs, DateOf, Day, Query, TextPlace};
use crate::types::{ModSeq, Uid, UidSet};

/// Which messages the numbers in a key stand for.
pub(super) type Resolve<'r> = &'r dyn Fn(Addressing, &Numbers) -> Result<UidSet, Cause>;

/// Nothing matches.
const NOTHING: Query = Query::Or(Vec::new());

/// The grammar has bounded how deep keys are nested.
pub(super) fn query_of(key: Key, resolve: Resolve<'_>) -> Result<Query, Cause> {
    let each = |keys: Vec<Key>| keys.into_iter().map(|key| query_of(key, resolve)).collect::<Result<Vec<_>, _>>();
    Ok(match key {
        Key::All => Query::All,
        Key::Or(keys) => Query::Or(each(keys)?),
        Key::And(keys) => Query::And(each(keys)?),
        Key::Not(key) => Query::Not(Box::new(query_of(*key, resolve)?)),
        Key::Numbers(addressing, numbers) => Query::Uids(resolve(addressing, &numbers)?),
        // Not `n:*`, which takes the last message whatever its UID (RFC 9738 section 3.2).
        Key::UidAfter(uid) => Query::Uids(UidSet::from_ranges(uid.checked_add(1).map(|first| (first, u32::MAX)))),
        Key::UidBefore(uid) => Query::Uids(UidSet::from_ranges((uid > 1).then(|| (1, uid - 1)))),
        Key::Flag(flags) => Query::Flags(flags),
        Key::Keyword(name) => Query::Keyword(name.into()),
        // No message has it here, as IMAP4rev2 has done away with it.
        Key::Recent => NOTHING,
        Key::Text(place, text) => Query::Text(place_of(place), text),
        Key::Header { name, value } => Query::Text(TextPlace::Header(name), value),
        Key::Date { of, is, day } => {
            let of = match of {
                grammar::DateOf::Arrival => DateOf::Arrival,
                grammar::DateOf::Sent => DateOf::Sent,
                grammar::DateOf::Saved => DateOf::Saved,
            };
            let is = match is {
                grammar::DateIs::Before => DateIs::Before,
                grammar::DateIs::On => DateIs::On,
                grammar::DateIs::Since => DateIs::Since,
            };
            Query::Date(of, is, Day(day.0))
        }
        Key::SaveDateSupported => Query::SaveDateSupported,
        Key::LargerThan(octets) => Query::LargerThan(octets),
        Key::SmallerThan(octets) => Query::SmallerThan(octets),
        Key::Older(seconds) => Query::Older(seconds),
        Key::Younger(seconds) => Query::Younger(seconds),
        Key::ModSeq(mod_seq) => Query::ModSeq(ModSeq(mod_seq)),
        // RFC 8474 section 4.3: an identifier that nothing has matches nothing.
        Key::EmailId(id) => email_id_of(&id).map_or(NOTHING, Query::EmailId),
        Key::ThreadId(id) => thread_id_of(&id).map_or(NOTHING, Query::ThreadId),
        Key::StoredFilter(name) => return Err(Cause::UnknownFilter(name)),
    })
}

/// The messages that have to be looked at for it: those that the numbers in it leave.
pub(super) fn candidates(query: &Query, among: UidSet) -> UidSet {
    match query {
        Query::Uids(uids) => among.intersection(uids),
        Query::And(all) => all.iter().fold(among, |among, one| candidates(one, among)),
        _ => among,
    }
}

fn place_of(place: TextIn) -> TextPlace {
    let field = match place {
        TextIn::Body => return TextPlace::Body,
        TextIn::Text => return TextPlace::Text,
        TextIn::Bcc => "BCC",
        TextIn::Cc => "CC",
        TextIn::From => "FROM",
        TextIn::Subject => "SUBJECT",
        TextIn::To => "TO",
    };
    TextPlace::Header(field.to_owned())
}

/// Whether the key, somewhere, asks for modification sequences: then the answer has one too (RFC 7162 section 3.1.5).
pub(super) fn asks_mod_seq(key: &Key) -> bool {
    match key {
        Key::ModSeq(_) => true,
        Key::Or(keys) | Key::And(keys) => keys.iter().any(asks_mod_seq),
        Key::Not(key) => asks_mod_seq(key),
        _ => false,
    }
}

/// Whether the key, somewhere, asks which messages belong together: that is worked out only then.
pub(super) fn asks_threads(key: &Key) -> bool {
    match key {
        Key::ThreadId(_) => true,
        Key::Or(keys) | Key::And(keys) => keys.iter().any(asks_threads),
        Key::Not(key) => asks_threads(key),
        _ => false,
    }
}

/// What the client wants to know of what is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Returns {
    pub(super) min: bool,
    pub(super) max: bool,
    pub(super) all: bool,
    pub(super) count: bool,
    pub(super) save: bool,
    pub(super) update: bool,
    pub(super) partial: Option<PartialRange>,
}

impl Returns {
    pub(super) fn of(options: &[ReturnOption]) -> Self {
        let mut returns = Self::default();
        for option in options {
            match option {
                ReturnOption::Min => returns.min = true,
                ReturnOption::Max => returns.max = true,
                ReturnOption::All => returns.all = true,
                ReturnOption::Count => returns.count = true,
                ReturnOption::Save => returns.save = true,
                ReturnOption::Update(_) => returns.update = true,
                ReturnOption::Partial(range) => returns.partial = Some(*range),
                // RFC 5267 section 4.2: a hint that the search will be repeated, which costs us little anyway.
                ReturnOption::Context => {}
            }
        }
        returns
    }

    /// RFC 5182 section 2.1: who only saves a result is told nothing of it.
    pub(super) fn says_nothing(&self) -> bool {
        !(self.min || self.max || self.all || self.count || self.update || self.partial.is_some())
    }

    /// What is asked for, of messages by the names the client knows them by.
    pub(super) fn write(&self, reply: &mut EsearchReply<'_>, names: &Found) {
        if let Some(first) = names.first().filter(|_| self.min) {
            reply.min(first.0);
        }
        if let Some(last) = names.last().filter(|_| self.max) {
            reply.max(last.0);
        }
        if self.count {
            reply.count(names.count());
        }
        if self.all {
            match names {
                Found::InMailbox(names) => reply.all(names),
                Found::Sorted(names) => reply.all_sorted(&numbers(names)),
            };
        }
        if let Some(range) = self.partial {
            match names.window(range) {
                Found::InMailbox(names) => reply.partial(range, &names),
                Found::Sorted(names) => reply.partial_sorted(range, &numbers(&names)),
            };
        }
    }

    /// The messages the answer is about, of which `$` is made and the highest modification sequence is said: all of them
    /// if all are listed or counted, or else those that are named (RFC 4731 section 3.2, RFC 5182 section 2.4, RFC 9394
    /// section 3.2).
    pub(super) fn spoken_of(&self, found: &Found) -> UidSet {
        let few = self.min || self.max || self.partial.is_some();
        if self.all || self.count || !few {
            return found.set();
        }
        let min = found.first().filter(|_| self.min);
        let max = found.last().filter(|_| self.max);
        let window = self.partial.map(|range| found.window(range).set()).unwrap_or_default();
        min.into_iter().chain(max).collect::<UidSet>().union(&window)
    }
}

/// Messages in the order in which they are told: of the mailbox, or of a SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    InMailbox(UidSet),
    Sorted(Vec<Uid>),
}

impl Found {
    pub(super) fn count(&self) -> u32 {
        let count = match self {
            Self::InMailbox(uids) => uids.count(),
            Self::Sorted(uids) => uids.len() as u64,
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// As the client calls them. A message that has no number any more is left out.
    pub(super) fn names(&self, view: &View, addressing: Addressing) -> Self {
        match (addressing, self) {
            (Addressing::Uid, found) => found.clone(),
            (Addressing::Sequence, Self::InMailbox(uids)) => Self::InMailbox(view.names_of(addressing, uids)),
            (Addressing::Sequence, Self::Sorted(uids)) => {
                Self::Sorted(uids.iter().filter_map(|uid| view.sequence().number_of(uid.0)).map(Uid).collect())
            }
        }
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        match self {
            Self::InMailbox(uids) => uids.iter().map(|uid| uid.0).collect(),
            Self::Sorted(uids) => numbers(uids),
        }
    }

    pub(super) fn set(&self) -> UidSet {
        match self {
            Self::InMailbox(uids) => uids.clone(),
            Self::Sorted(uids) => set_of(uids),
        }
    }

    /// RFC 5267 section 3.1: of a SORT the first in its order.
    pub(super) fn first(&self) -> Option<Uid> {
        match self {
            Self::InMailbox(uids) => uids.ranges().first().map(|range| Uid(range.0)),
            Self::Sorted(uids) => uids.first().copied(),
        }
    }

    pub(super) fn last(&self) -> Option<Uid> {
        match self {
            Self::InMailbox(uids) => uids.ranges().last().map(|range| Uid(range.1)),
            Self::Sorted(uids) => uids.last().copied(),
        }
    }

    pub(super) fn window(&self, range: PartialRange) -> Self {
        match self {
            Self::InMailbox(uids) => Self::InMailbox(super::view::window(uids, range)),
            Self::Sorted(uids) => {
                let (first, last) = (range.first as usize - 1, range.last as usize);
                let count = uids.len();
                let (start, end) = match range.from {
                    PartialFrom::Start => (first, last),
                    PartialFrom::End => (count.saturating_sub(last), count.saturating_sub(first)),
                };
                Self::Sorted(uids.get(start..end.min(count)).unwrap_or_default().to_vec())
            }
        }
    }
}

fn numbers(uids: &[Uid]) -> Vec<u32> {
    uids.iter().map(|uid| uid.0).collect()
}

fn set_of(uids: &[Uid]) -> UidSet {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    uids.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(uids: &[u32]) -> Found {
        Found::Sorted(uids.iter().copied().map(Uid).collect())
    }

    fn in_mailbox(first: u32, last: u32) -> Found {
        Found::InMailbox(UidSet::from_ranges([(first, last)]))
    }

    #[test]
    fn windows_from_both_ends() {
        let check = |from, first, last, expected: &[u32]| {
            let range = PartialRange { from, first, last };
            assert_eq!(sorted(&[5, 3, 9, 1]).window(range), sorted(expected), "{range:?}");
        };
        check(PartialFrom::Start, 1, 2, &[5, 3]);
        check(PartialFrom::Start, 3, 10, &[9, 1]);
        check(PartialFrom::Start, 5, 6, &[]);
        check(PartialFrom::End, 1, 1, &[1]);
        check(PartialFrom::End, 2, 3, &[3, 9]);
        check(PartialFrom::End, 4, 9, &[5]);
        check(PartialFrom::End, 5, 9, &[]);
    }

    #[test]
    fn what_an_answer_is_about() {
        let range = PartialRange { from: PartialFrom::End, first: 2, last: 3 };
        let check = |returns: Returns, expected: &str| {
            assert_eq!(returns.spoken_of(&in_mailbox(3, 9)).to_string(), expected, "{returns:?}");
        };
        let base = Returns { save: true, ..Returns::default() };
        check(base, "3:9");
        check(Returns { min: true, ..base }, "3");
        check(Returns { max: true, ..base }, "9");
        check(Returns { min: true, max: true, ..base }, "3,9");
        check(Returns { min: true, count: true, ..base }, "3:9");
        check(Returns { max: true, all: true, ..base }, "3:9");
        check(Returns { partial: Some(range), ..base }, "7:8");
        check(Returns { partial: Some(range), min: true, ..base }, "3,7:8");
        assert_eq!(Returns { min: true, ..base }.spoken_of(&sorted(&[7, 2])).to_string(), "7");
        assert_eq!(Returns { min: true, ..base }.spoken_of(&sorted(&[])).to_string(), "");
    }
}
