//! Comparing values with keys (RFC 5228 section 2.7, RFC 5231), for all that the engine is not asked for.

use super::call::{Comparator, MatchKind, Relation};
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

/// Whether a pattern with `*` and `?` matches all of the text. On octets, so that a large body needs no copy; after the
/// last `*` it only ever goes forward, so the time is bounded by text times pattern.
fn glob(pattern: &str, text: &str, fold: bool) -> bool {
    let same = |left: u8, right: u8| if fold { left.eq_ignore_ascii_case(&right) } else { left == right };
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advanced = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') if t < text.len() => Some((p + 1, t + character_octets(text[t]))),
            Some(b'?') => None,
            Some(&octet) => {
                let (octet, width) = match (octet, pattern.get(p + 1)) {
                    (b'\\', Some(&escaped)) => (escaped, 2),
                    _ => (octet, 1),
                };
                text.get(t).is_some_and(|&found| same(found, octet)).then_some((p + width, t + 1))
            }
            None if t == text.len() => return true,
            None => None,
        };
        match (advanced, retry) {
            (Some((next_p, next_t)), _) => (p, t) = (next_p, next_t.min(text.len())),
            (None, Some((after_star, start))) if start < text.len() => {
                retry = Some((after_star, start + 1));
                (p, t) = (after_star, start + 1);
            }
            _ => return false,
        }
    }
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
        let text = "a".repeat(20_000);
        check(&format!("{}b", "*a".repeat(20)), &text, false);
    }
}
