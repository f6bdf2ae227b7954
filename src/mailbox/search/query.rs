//! What is searched for, and how it is decided step by step: what the mailbox in memory knows, then sketches, then facts,
//! then texts, each only for the messages that are still open.

use super::signature::Probe;
use crate::mailbox::{Entry, State};
use crate::message::{FactsView, Needle, SearchPlace, SearchText};
use crate::types::{BodyId, Flags, ModSeq, ThreadId, UidSet};

/// A tree of keys (RFC 9051 section 6.4.4 and its extensions). Nesting is bounded by who builds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    All,
    And(Vec<Query>),
    Or(Vec<Query>),
    Not(Box<Query>),
    /// Sequence numbers are turned into UIDs by who knows the client's numbers.
    Uids(UidSet),
    /// All these system flags are set.
    Flags(Flags),
    Keyword(String),
    Text(TextPlace, String),
    Date(DateOf, DateIs, Day),
    /// Whether SAVEDATE is kept: it always is (RFC 8514).
    SaveDateSupported,
    LargerThan(u64),
    SmallerThan(u64),
    /// RFC 5032: arrived so many seconds ago or earlier; so many seconds ago or later. What is exactly so old is both.
    Older(u32),
    Younger(u32),
    /// RFC 7162 section 3.1.5: this or a later one.
    ModSeq(ModSeq),
    EmailId(BodyId),
    ThreadId(ThreadId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPlace {
    Body,
    /// Header and body.
    Text,
    /// A header field of this name; an empty text means that the field is there.
    Header(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOf {
    Arrival,
    /// The Date field; a message without one has no such day.
    Sent,
    Saved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateIs {
    Before,
    On,
    Since,
}

/// Days since 1970-01-01. RFC 9051 section 6.4.4: times and zones are left aside, so it is the day where the date was
/// written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The fields that sketches hold, in the form search texts have names.
pub(crate) const SKETCHED_FIELDS: [&str; 6] = ["FROM", "TO", "CC", "BCC", "SUBJECT", "MESSAGE-ID"];

/// A query made ready for one mailbox at one moment.
#[derive(Debug)]
pub(super) struct Plan {
    root: Node,
    pub(super) texts: Vec<TextKey>,
    pub(super) days: Vec<(DateIs, Day)>,
    /// How many there are in all; at least one.
    pub(super) keys: usize,
}

#[derive(Debug)]
enum Node {
    Is(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Uids(UidSet),
    Flags(Flags),
    Larger(u64),
    Smaller(u64),
    /// At that second or before.
    ArrivedBy(i64),
    ArrivedFrom(i64),
    ArrivalDay(DateIs, Day),
    SavedDay(DateIs, Day),
    ModSeq(ModSeq),
    Email(BodyId),
    Thread(ThreadId),
    /// Place among the open keys: texts first, then days.
    Text(usize),
    SentDay(usize),
}

/// A text key.
#[derive(Debug)]
pub(super) struct TextKey {
    place: TextPlace,
    needle: Needle,
    /// One for each form of the needle.
    probes: Vec<Probe>,
    /// Whether sketches can decide it alone.
    is_sketched: bool,
}

/// What is known of one message's open keys; `None` is not known yet.
pub(super) type Answers = Vec<Option<bool>>;

impl Plan {
    pub(super) fn of(query: &Query, state: &State, now_seconds: i64) -> Self {
        let mut plan = Self { root: Node::Is(true), texts: Vec::new(), days: Vec::new(), keys: 1 };
        plan.root = plan.node(query, state, now_seconds);
        plan
    }

    fn node(&mut self, query: &Query, state: &State, now: i64) -> Node {
        self.keys += 1;
        match query {
            Query::All | Query::SaveDateSupported => Node::Is(true),
            Query::And(all) => Node::And(all.iter().map(|one| self.node(one, state, now)).collect()),
            Query::Or(all) => Node::Or(all.iter().map(|one| self.node(one, state, now)).collect()),
            Query::Not(one) => Node::Not(Box::new(self.node(one, state, now))),
            Query::Uids(uids) => Node::Uids(uids.clone()),
            Query::Flags(flags) => Node::Flags(*flags),
            Query::Keyword(name) => state.keyword(name).map_or(Node::Is(false), Node::Flags),
            Query::Text(TextPlace::Body | TextPlace::Text, text) if text.is_empty() => Node::Is(true),
            Query::Text(place, text) => self.text(place, text),
            Query::Date(DateOf::Arrival, is, day) => Node::ArrivalDay(*is, *day),
            Query::Date(DateOf::Saved, is, day) => Node::SavedDay(*is, *day),
            Query::Date(DateOf::Sent, is, day) => {
                self.days.push((*is, *day));
                Node::SentDay(self.days.len() - 1)
            }
            Query::LargerThan(octets) => Node::Larger(*octets),
            Query::SmallerThan(octets) => Node::Smaller(*octets),
            Query::Older(seconds) => Node::ArrivedBy(now.saturating_sub(i64::from(*seconds))),
            Query::Younger(seconds) => Node::ArrivedFrom(now.saturating_sub(i64::from(*seconds))),
            Query::ModSeq(modseq) => Node::ModSeq(*modseq),
            Query::EmailId(body) => Node::Email(*body),
            Query::ThreadId(thread) => Node::Thread(*thread),
        }
    }

    fn text(&mut self, place: &TextPlace, text: &str) -> Node {
        let needle = Needle::new(text);
        let probes = needle.forms().map(Probe::of).collect();
        let is_sketched = match place {
            TextPlace::Header(name) => SKETCHED_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name)),
            TextPlace::Body | TextPlace::Text => false,
        };
        self.texts.push(TextKey { place: place.clone(), needle, probes, is_sketched });
        Node::Text(self.texts.len() - 1)
    }

    /// Those of the messages that can match: what the query itself names need not be looked for among all.
    pub(super) fn narrow(&self, among: UidSet) -> UidSet {
        let named = |node: &Node| match node {
            Node::Uids(uids) => Some(among.intersection(uids)),
            _ => None,
        };
        let narrowed = match &self.root {
            Node::And(all) => all.iter().filter_map(named).reduce(|one, other| one.intersection(&other)),
            root => named(root),
        };
        narrowed.unwrap_or(among)
    }

    /// How many keys can be open for a message.
    pub(super) fn open_keys(&self) -> usize {
        self.texts.len() + self.days.len()
    }

    /// Whether the message matches, as far as that can be said.
    pub(super) fn decide(&self, entry: &Entry, answers: &[Option<bool>]) -> Option<bool> {
        self.eval(&self.root, entry, answers)
    }

    fn eval(&self, node: &Node, entry: &Entry, answers: &[Option<bool>]) -> Option<bool> {
        Some(match node {
            Node::Is(value) => *value,
            Node::And(all) => return combine(all.iter().map(|one| self.eval(one, entry, answers)), false),
            Node::Or(all) => return combine(all.iter().map(|one| self.eval(one, entry, answers)), true),
            Node::Not(one) => return self.eval(one, entry, answers).map(|value| !value),
            Node::Uids(uids) => uids.contains(entry.uid),
            Node::Flags(flags) => entry.flags.contains(*flags),
            Node::Larger(octets) => u64::from(entry.octets) > *octets,
            Node::Smaller(octets) => u64::from(entry.octets) < *octets,
            Node::ArrivedBy(seconds) => entry.internal_seconds <= *seconds,
            Node::ArrivedFrom(seconds) => entry.internal_seconds >= *seconds,
            Node::ArrivalDay(is, day) => {
                let local = entry.internal_seconds.saturating_add(i64::from(entry.internal_zone_minutes) * 60);
                is.holds(Day(local.div_euclid(DAY_SECONDS)), *day)
            }
            Node::SavedDay(is, day) => is.holds(Day(entry.saved_seconds.div_euclid(DAY_SECONDS)), *day),
            Node::ModSeq(modseq) => entry.modseq >= *modseq,
            Node::Email(body) => entry.body == *body,
            Node::Thread(thread) => entry.thread == *thread,
            Node::Text(key) => return answers.get(*key).copied().flatten(),
            Node::SentDay(key) => return answers.get(self.texts.len() + key).copied().flatten(),
        })
    }

    /// What a sketch says of the open text keys.
    pub(super) fn ask_sketch(&self, answers: &mut [Option<bool>], signature: &[u8], fields: &[u8]) {
        let fields = SearchText::from_bytes(fields).ok();
        for (key, answer) in self.texts.iter().zip(answers) {
            if !key.probes.iter().any(|probe| probe.may_match(signature)) {
                *answer = Some(false);
            } else if let (true, Some(fields)) = (key.is_sketched, fields) {
                let found = key.find(&fields);
                // What is not in an incomplete sketch may be in the text.
                if found || fields.is_complete() {
                    *answer = Some(found);
                }
            }
        }
    }

    /// What the facts say of the open day keys.
    pub(super) fn ask_facts(&self, answers: &mut [Option<bool>], facts: &[u8]) {
        let sent = FactsView::read(facts).ok().and_then(|facts| facts.sent).map(|sent| Day(sent.local_day()));
        for ((is, day), answer) in self.days.iter().zip(answers.iter_mut().skip(self.texts.len())) {
            *answer = Some(sent.is_some_and(|sent| is.holds(sent, *day)));
        }
    }

    /// What the text says of all text keys.
    pub(super) fn ask_text(&self, answers: &mut [Option<bool>], text: &[u8]) {
        let text = SearchText::from_bytes(text).ok();
        for (key, answer) in self.texts.iter().zip(answers) {
            if answer.is_none() {
                *answer = Some(text.is_some_and(|text| key.find(&text)));
            }
        }
    }
}

impl TextKey {
    fn find(&self, text: &SearchText<'_>) -> bool {
        let place = match &self.place {
            TextPlace::Body => SearchPlace::Body,
            TextPlace::Text => SearchPlace::Text,
            TextPlace::Header(name) => SearchPlace::Header(name),
        };
        text.contains(place, &self.needle)
    }
}

impl DateIs {
    fn holds(self, found: Day, day: Day) -> bool {
        match self {
            Self::Before => found < day,
            Self::On => found == day,
            Self::Since => found >= day,
        }
    }
}

/// AND, where `decisive` is false: false if one is, else unknown if one is, else true. OR is the other way round.
fn combine(values: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut known = true;
    for value in values {
        match value {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decisive)
}
