//! Match types and comparators (RFC 5228 section 2.7), and which side of the engine a match is done on.
//!
//! The engine's comparators fold more than ASCII and read numbers as fractions, and its `string` test forgets all keys
//! but the last; so every plain comparison is ours. Patterns stay with the engine, because only it can set the match
//! variables: it is shown the values in global variables and asked key by key.

use super::super::call::{CallKind, Comparator, MatchKind, Matching, Relation, Source, TestCall, Value};
use super::super::extensions::{Extension, Extensions};
use super::super::grammar::Arguments;
use super::super::lexer::Position;
use super::super::script::CompileError;
use super::super::text::{Piece, Text};
use super::{Builder, Carry, write_list};
use crate::types::limits::{SIEVE_GLOB_OCTETS_MAX, SIEVE_PATTERN_OCTETS_PER_READING};
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain(MatchKind),
    Matches,
    Regex,
}

/// The match type and the comparator as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchWords {
    kind: Kind,
    comparator: Comparator,
}

impl MatchWords {
    pub(super) fn read(at: Position, arguments: &Arguments) -> Result<Self, CompileError> {
        let relation = |tag: &str| {
            let text = arguments.constant(tag).unwrap_or_default().to_ascii_lowercase();
            relation(&text)
                .ok_or_else(|| arguments.tag_at(tag).error("expected \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\""))
        };
        let kind = if arguments.has("contains") {
            Kind::Plain(MatchKind::Contains)
        } else if arguments.has("matches") {
            Kind::Matches
        } else if arguments.has("regex") {
            Kind::Regex
        } else if arguments.has("value") {
            Kind::Plain(MatchKind::Value(relation("value")?))
        } else if arguments.has("count") {
            Kind::Plain(MatchKind::Count(relation("count")?))
        } else if arguments.has("list") {
            Kind::Plain(MatchKind::List)
        } else {
            Kind::Plain(MatchKind::Is)
        };
        let comparator = match arguments.constant("comparator") {
            None | Some("i;ascii-casemap") => Comparator::Casemap,
            Some("i;octet") => Comparator::Octet,
            Some("i;ascii-numeric") => Comparator::Numeric,
            Some(other) => {
                return Err(arguments
                    .tag_at("comparator")
                    .error(format!("the comparator \"{other}\" is not supported")));
            }
        };
        if comparator == Comparator::Numeric
            && matches!(kind, Kind::Matches | Kind::Regex | Kind::Plain(MatchKind::Contains))
        {
            // RFC 4790 section 9.1.1: it has no substring operation.
            return Err(at.error("\"i;ascii-numeric\" compares numbers and can't look for parts of them"));
        }
        Ok(Self { kind, comparator })
    }

    /// RFC 5228 section 2.7.3: a comparator needs its capability, except the two that are always there.
    pub(super) fn check_comparator(self, arguments: &Arguments, extensions: Extensions) -> Result<Self, CompileError> {
        if self.comparator == Comparator::Numeric && !extensions.has(Extension::ComparatorNumeric) {
            return Err(arguments.tag_at("comparator").error("this needs require \"comparator-i;ascii-numeric\""));
        }
        Ok(self)
    }

    pub(super) fn is_count(self) -> bool {
        matches!(self.kind, Kind::Plain(MatchKind::Count(_)))
    }

    pub(super) fn is_list(self) -> bool {
        self.kind == Kind::Plain(MatchKind::List)
    }

    pub(super) fn is_pattern(self) -> bool {
        matches!(self.kind, Kind::Matches | Kind::Regex)
    }

    /// The keys as the engine must see them: it knows nothing of comparators when it comes to regular expressions.
    pub(super) fn keys(self, keys: &[Text]) -> Vec<Text> {
        let mut keys = keys.to_vec();
        if self.kind == Kind::Regex && self.comparator == Comparator::Casemap {
            for key in &mut keys {
                key.pieces.insert(0, Piece::Literal("(?i)".to_owned()));
            }
        }
        keys
    }

    /// As the engine reads them.
    pub(super) fn write(self, out: &mut String) {
        let word = match self.kind {
            Kind::Matches => ":matches",
            Kind::Regex => ":regex",
            Kind::Plain(MatchKind::Contains) => ":contains",
            Kind::Plain(MatchKind::Value(relation)) => {
                _ = write!(out, " :value \"{}\"", relation_word(relation));
                ""
            }
            Kind::Plain(_) => ":is",
        };
        if !word.is_empty() {
            _ = write!(out, " {word}");
        }
        match self.comparator {
            Comparator::Casemap => {}
            Comparator::Octet => out.push_str(" :comparator \"i;octet\""),
            Comparator::Numeric => out.push_str(" :comparator \"i;ascii-numeric\""),
        }
    }
}

fn relation(text: &str) -> Option<Relation> {
    Some(match text {
        "gt" => Relation::Greater,
        "ge" => Relation::GreaterOrEqual,
        "lt" => Relation::Less,
        "le" => Relation::LessOrEqual,
        "eq" => Relation::Equal,
        "ne" => Relation::NotEqual,
        _ => return None,
    })
}

fn relation_word(relation: Relation) -> &'static str {
    match relation {
        Relation::Greater => "gt",
        Relation::GreaterOrEqual => "ge",
        Relation::Less => "lt",
        Relation::LessOrEqual => "le",
        Relation::Equal => "eq",
        Relation::NotEqual => "ne",
    }
}

/// RFC 5322 section 2.2: printable ASCII without a colon.
pub(super) fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':')
}

/// Whether a pattern leaves match variables behind; one for a body does not (RFC 5173 section 6).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finds {
    Kept,
    Dropped,
}

/// The global variables in which values are shown to the engine.
pub(in super::super) const SLOTS: [&str; 16] = [
    "ph_t0", "ph_t1", "ph_t2", "ph_t3", "ph_t4", "ph_t5", "ph_t6", "ph_t7", "ph_t8", "ph_t9", "ph_t10", "ph_t11",
    "ph_t12", "ph_t13", "ph_t14", "ph_t15",
];

impl Builder {
    /// A test that compares what `source` gives with `keys`.
    pub(super) fn compare(
        &mut self,
        at: Position,
        words: MatchWords,
        keys: &[Text],
        slots: usize,
        source: impl FnOnce(&mut Carry) -> Source,
    ) -> Result<String, CompileError> {
        let mut carry = Carry::default();
        let source = source(&mut carry);
        let kind = match words.kind {
            Kind::Plain(kind) => kind,
            // It leaves no match variables behind, so there is no need to show it to the engine.
            Kind::Matches if matches!(source, Source::Body(_)) => MatchKind::Matches,
            Kind::Matches if self.is_ours(words) => {
                let check = self.check_patterns(at, &words, keys)?;
                let keys = carry.many(keys);
                let matching = Matching { kind: MatchKind::Matches, comparator: words.comparator, keys };
                let test = self.call(at, CallKind::Test(TestCall::Match { source, matching }), carry);
                return Ok(self.all(check.into_iter().collect(), at, &test, Finds::Dropped));
            }
            Kind::Matches | Kind::Regex => {
                let check = self.check_patterns(at, &words, keys)?;
                let patterns = cost(keys);
                let finds = if matches!(source, Source::Body(_)) { Finds::Dropped } else { Finds::Kept };
                let show = self.call(at, CallKind::Test(TestCall::Show { source, slots, patterns }), carry);
                let shown: Vec<String> = SLOTS[..slots].iter().map(|slot| format!("\"${{global.{slot}}}\"")).collect();
                let engine = self.key_by_key(&words, &format!("[{}]", shown.join(", ")), keys);
                return Ok(self.all(check.into_iter().chain([show]).collect(), at, &engine, finds));
            }
        };
        let keys = carry.many(keys);
        let matching = Matching { kind, comparator: words.comparator, keys };
        Ok(self.call(at, CallKind::Test(TestCall::Match { source, matching }), carry))
    }

    /// Whether a test needs nothing of the engine: where no match variable is read, globs don't either. Ours sees what the
    /// other tests see, and all values instead of those that there is a variable for.
    pub(super) fn is_ours(&self, words: MatchWords) -> bool {
        !words.is_pattern() || words.kind == Kind::Matches && self.save_matches == 0
    }

    /// The engine's `string` with several keys tells only of the last.
    pub(super) fn key_by_key(&mut self, words: &MatchWords, sources: &str, keys: &[Text]) -> String {
        let tests: Vec<String> = words
            .keys(keys)
            .iter()
            .map(|key| {
                let mut test = "string".to_owned();
                words.write(&mut test);
                test.push(' ');
                test.push_str(sources);
                test.push(' ');
                key.write_quoted(&mut test);
                test
            })
            .collect();
        match tests.as_slice() {
            [only] => only.clone(),
            _ => format!("anyof({})", tests.join(", ")),
        }
    }

    /// `string` with patterns. Only variables can make its strings long, and their length is known when it runs.
    pub(super) fn string_patterns(
        &mut self,
        at: Position,
        words: &MatchWords,
        sources: &[Text],
        keys: &[Text],
    ) -> Result<String, CompileError> {
        let mut before = Vec::new();
        let mut carry = Carry::default();
        carry.many(sources);
        if !carry.0.is_empty() {
            before.push(self.call(at, CallKind::Measure { patterns: cost(keys) }, carry));
        }
        before.extend(self.check_patterns(at, words, keys)?);
        let mut list = String::new();
        write_list(sources, &mut list);
        let engine = self.key_by_key(words, &list, keys);
        Ok(self.all(before, at, &engine, Finds::Kept))
    }

    /// A pattern test of the engine, checked before and its finds kept after.
    pub(super) fn native(
        &mut self,
        at: Position,
        words: &MatchWords,
        keys: &[Text],
        test: &str,
    ) -> Result<String, CompileError> {
        self.condition_patterns = self.condition_patterns.saturating_add(cost(keys));
        let check = self.check_patterns(at, words, keys)?;
        Ok(self.all(check.into_iter().collect(), at, test, Finds::Kept))
    }

    /// `before`, then the engine's pattern test, then what it has found put where `${1}` and its like are read.
    ///
    /// The engine ties a match variable to the block its test stands in and never empties it, so old finds are wiped by a
    /// pattern that always matches, and new ones are copied at once (RFC 5229 section 3.2).
    fn all(&mut self, mut before: Vec<String>, at: Position, test: &str, finds: Finds) -> String {
        let save = if finds == Finds::Kept { self.save_matches } else { 0 };
        if save > 0 {
            before.push(format!("string :matches \"\" \"{}\"", "*".repeat(save)));
        }
        before.push(test.to_owned());
        if save > 0 {
            let call = self.call(at, CallKind::SaveMatches, Carry::default());
            let finds: String = (0..save).fold(String::new(), |mut finds, number| {
                _ = write!(finds, ", \"${{{number}}}\"");
                finds
            });
            before.push(format!("{}{finds}]", call.trim_end_matches(']')));
        }
        match before.as_slice() {
            [only] => only.clone(),
            _ => format!("allof({})", before.join(", ")),
        }
    }

    /// Constant patterns are checked now; for others a test is returned that checks them when they are known.
    pub(super) fn check_patterns(
        &mut self,
        at: Position,
        words: &MatchWords,
        keys: &[Text],
    ) -> Result<Option<String>, CompileError> {
        if !words.is_pattern() {
            return Ok(None);
        }
        let mut carry = Carry::default();
        let mut unknown: Vec<Value> = Vec::new();
        for key in keys {
            if words.kind == Kind::Regex {
                self.pattern(key)?;
            }
            match key.constant() {
                Some(constant) if constant.len() > SIEVE_GLOB_OCTETS_MAX => {
                    return Err(key.at.error("the pattern is too long"));
                }
                Some(_) => {}
                None => unknown.push(carry.one(key)),
            }
        }
        if unknown.is_empty() {
            return Ok(None);
        }
        let regex = words.kind == Kind::Regex;
        Ok(Some(self.call(at, CallKind::Patterns { patterns: unknown, regex }, carry)))
    }
}

/// How many times over a text is read for these patterns, at worst. Most patterns fail at their first octets, so a long one
/// is not paid for in full.
pub(super) fn cost(keys: &[Text]) -> u32 {
    let octets = |key: &Text| key.constant().map_or(SIEVE_GLOB_OCTETS_MAX, str::len);
    let readings = keys.iter().map(|key| 1 + octets(key) / SIEVE_PATTERN_OCTETS_PER_READING).sum::<usize>();
    u32::try_from(readings).unwrap_or(u32::MAX)
}
