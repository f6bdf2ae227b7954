//! Comparing values with keys (RFC 5228 section 2.7, RFC 5231), for all that the engine is not asked for.

use super::call::{Comparator, MatchKind, Relation};
use crate::types::limits::SIEVE_PATTERN_OCTETS_PER_READING;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Whether one of the values matches one of the keys. Counting and lists are the caller's.
pub(super) fn any(kind: MatchKind, comparator: Comparator, values: &[Cow<'_, str>], keys: &[&str]) -> bool {
    values.iter().any(|value| {
        // Folded once, however many keys there are.
        let folded = match (kind, comparator) {
            (MatchKind::Contains, Comparator::Casemap) => Some(value.to_ascii_lowercase()),
            _ => None,
        };
        keys.iter().any(|key| match kind {
            MatchKind::Is => is(comparator, value, key),
            MatchKind::Contains => contains(folded.as_deref(), value, key),
            MatchKind::Matches => glob(key, value, comparator == Comparator::Casemap),
            MatchKind::Value(relation) => holds(relation, compare(comparator, value, key)),
            MatchKind::Count(_) | MatchKind::List => false,
        })
    })
}

/// RFC 5231 section 4.2: how many there are is always compared as a number.
pub(super) fn count(relation: Relation, count: usize, keys: &[&str]) -> bool {
    let count = count.to_string();
    keys.iter().any(|key| holds(relation, compare(Comparator::Numeric, &count, key)))
}

fn is(comparator: Comparator, value: &str, key: &str) -> bool {
    match comparator {
        Comparator::Casemap => value.eq_ignore_ascii_case(key),
        Comparator::Octet => value == key,
        Comparator::Numeric => compare(Comparator::Numeric, value, key) == Ordering::Equal,
    }
}

fn contains(folded: Option<&str>, value: &str, key: &str) -> bool {
    let found = match folded {
        Some(folded) => memchr::memmem::find(folded.as_bytes(), key.to_ascii_lowercase().as_bytes()),
        None => memchr::memmem::find(value.as_bytes(), key.as_bytes()),
    };
    found.is_some()
}

fn compare(comparator: Comparator, left: &str, right: &str) -> Ordering {
    match comparator {
        Comparator::Octet => left.as_bytes().cmp(right.as_bytes()),
        // RFC 4790 section 9.2.1: folded to upper case, which puts "_" after letters.
        Comparator::Casemap => {
            let upper = |text: &str| text.bytes().map(|octet| octet.to_ascii_uppercase()).collect::<Vec<u8>>();
            upper(left).cmp(&upper(right))
        }
        Comparator::Numeric => match (number(left), number(right)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
        },
    }
}

/// RFC 4790 section 9.1.1: the digits it begins with, however many; without any it is infinite.
fn number(text: &str) -> Option<&str> {
    let end = text.bytes().position(|octet| !octet.is_ascii_digit()).unwrap_or(text.len());
    let digits = &text[..end];
    (!digits.is_empty()).then(|| digits.trim_start_matches('0'))
}

fn holds(relation: Relation, ordering: Ordering) -> bool {
    match relation {
        Relation::Greater => ordering.is_gt(),
        Relation::GreaterOrEqual => ordering.is_ge(),
        Relation::Less => ordering.is_lt(),
        Relation::LessOrEqual => ordering.is_le(),
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
    }
}

/// What stands between two stars of a pattern; `None` is a question mark.
type Segment = Vec<Option<u8>>;

/// Whether a pattern with `*` and `?` matches all of the text. On octets, so that a large body needs no copy; what stands
/// between two stars is looked for like any other text, from left to right, and never again further left.
pub(super) fn glob(pattern: &str, text: &str, fold: bool) -> bool {
    let folded = fold.then(|| (pattern.to_ascii_lowercase(), text.to_ascii_lowercase()));
    let (pattern, text) = folded.as_ref().map_or((pattern, text), |(pattern, text)| (pattern, text));
    let segments = segments(pattern);
    let text = text.as_bytes();
    let ([first], rest) = segments.split_at(1) else { return false };
    let Some(mut at) = match_at(first, text, 0) else { return false };
    let Some((last, middle)) = rest.split_last() else { return at == text.len() };
    for segment in middle {
        match find(segment, text, at) {
            Some(end) => at = end,
            None => return false,
        }
    }
    // The last one must end where the text does: its place is known but for the width of characters.
    let shortest = text.len().saturating_sub(4 * last.len());
    (at.max(shortest)..=text.len()).any(|start| match_at(last, text, start) == Some(text.len()))
}

fn segments(pattern: &str) -> Vec<Segment> {
    let mut segments = vec![Segment::new()];
    let mut octets = pattern.bytes();
    while let Some(octet) = octets.next() {
        let found = match octet {
            b'*' => {
                segments.push(Segment::new());
                continue;
            }
            b'?' => None,
            b'\\' => Some(octets.next().unwrap_or(b'\\')),
            other => Some(other),
        };
        if let Some(segment) = segments.last_mut() {
            segment.push(found);
        }
    }
    segments
}

/// Where the first match at or after `at` ends.
fn find(segment: &Segment, text: &[u8], at: usize) -> Option<usize> {
    let literal: Option<Vec<u8>> = segment.iter().copied().collect();
    match literal {
        Some(literal) => {
            let rest = text.get(at..)?;
            memchr::memmem::find(rest, &literal).map(|start| at + start + literal.len())
        }
        None => (at..=text.len()).find_map(|start| match_at(segment, text, start)),
    }
}

/// Where a match that begins at `at` ends.
fn match_at(segment: &Segment, text: &[u8], mut at: usize) -> Option<usize> {
    for wanted in segment {
        let found = *text.get(at)?;
        match wanted {
            Some(octet) if *octet == found => at += 1,
            Some(_) => return None,
            None => at = (at + character_octets(found)).min(text.len()),
        }
    }
    Some(at)
}

/// Octets of the character that begins with this one.
fn character_octets(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// How many times over a text is read, at worst, to compare it with these keys: in eighths, because most of it goes at the
/// speed of memory.
pub(super) fn readings_in_eighths(kind: MatchKind, keys: &[&str]) -> usize {
    let of_key = |key: &&str| match kind {
        MatchKind::Contains => 1,
        MatchKind::Matches if key.contains('?') => 8 + 8 * key.len() / SIEVE_PATTERN_OCTETS_PER_READING,
        MatchKind::Matches => 2,
        MatchKind::Is | MatchKind::Value(_) | MatchKind::Count(_) | MatchKind::List => 0,
    };
    2 + keys.iter().map(of_key).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparators_are_those_of_the_registry() {
        let check = |kind, comparator, value: &str, key: &str, expected: bool| {
            assert_eq!(
                any(kind, comparator, &[value.into()], &[key]),
                expected,
                "{kind:?} {comparator:?} {value} {key}"
            );
        };
        use Comparator::{Casemap, Numeric, Octet};
        check(MatchKind::Is, Casemap, "Hello", "hELLO", true);
        check(MatchKind::Is, Casemap, "Ä", "ä", false);
        check(MatchKind::Is, Octet, "Hello", "hello", false);
        check(MatchKind::Contains, Casemap, "a Big deal", "BIG", true);
        check(MatchKind::Contains, Octet, "a Big deal", "BIG", false);
        check(MatchKind::Contains, Octet, "a", "", true);
        check(MatchKind::Is, Numeric, "007 agents", "7", true);
        check(MatchKind::Value(Relation::Greater), Numeric, "none", "99999999999999999999999", true);
        check(MatchKind::Value(Relation::Less), Numeric, "9", "10", true);
        check(MatchKind::Value(Relation::Less), Casemap, "9", "10", false);
        check(MatchKind::Value(Relation::NotEqual), Numeric, "", "x", false);
        assert!(count(Relation::GreaterOrEqual, 3, &["9", "3"]));
        assert!(!count(Relation::Equal, 0, &["x"]));
    }

    #[test]
    fn globs() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(glob(pattern, text, true), expected, "{pattern} {text}");
        };
        check("*", "", true);
        check("a*c", "abbbC", true);
        check("a*c", "abbbcd", false);
        check("*b?d*", "aabcbdd", true);
        check("?", "ü", true);
        check("?x", "üx", true);
        check("\\*", "*", true);
        check("\\*", "a", false);
        check("*a*b*c", "cabxbcc", true);
        check("", "", true);
        check("", "a", false);
        check("a\\", "a\\", true);
        check("*?", "", false);
        check("*?", "ü", true);
        check("a?*?b", "aüb", false);
        check("a?*?b", "aüüb", true);
        check("*aa", "aaa", true);
        check("aa*aa", "aaa", false);
        check("**", "", true);
        check("a*", "A", true);
        let text = "a".repeat(20_000);
        check(&format!("{}b", "*a".repeat(20)), &text, false);
    }
}
