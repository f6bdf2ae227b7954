//! Which regular expressions the engine may see: those that take time in proportion to the text, and little memory.

use crate::types::limits::{SIEVE_PATTERN_OCTETS_MAX, SIEVE_PATTERN_REPETITIONS_MAX};

/// Why a pattern is not taken. POSIX extended expressions, which the regex draft means, pass; the engine's own additions
/// that make it try alternatives one after the other (references back, looking around, possessive and atomic groups) don't.
pub(super) fn refuse(pattern: &str) -> Option<&'static str> {
    if pattern.len() > SIEVE_PATTERN_OCTETS_MAX {
        return Some("the regular expression is too long");
    }
    let mut characters = pattern.chars().peekable();
    // What the open groups repeat, and what the last thing does: a pattern like ((a{99}){99}){99} is small to write.
    let mut groups: Vec<u64> = Vec::new();
    let (mut sum, mut last) = (0_u64, 0_u64);
    let mut quantified = false;
    while let Some(character) = characters.next() {
        let was_quantified = std::mem::take(&mut quantified);
        match character {
            '\\' => {
                let escaped = characters.next()?;
                if escaped.is_ascii_digit() || "kKgGAzZpPQEuUxX".contains(escaped) {
                    return Some("the regular expression refers back or uses an escape we don't take");
                }
                (sum, last) = (sum.saturating_add(last), 1);
            }
            '(' => {
                if characters.peek() == Some(&'?') {
                    return Some("the regular expression has a group that starts with \"?\"");
                }
                groups.push(sum.saturating_add(last));
                (sum, last) = (0, 0);
            }
            ')' => {
                let inner = sum.saturating_add(last).max(1);
                (sum, last) = (groups.pop().unwrap_or(0), inner);
            }
            '[' => {
                skip_class(&mut characters);
                (sum, last) = (sum.saturating_add(last), 1);
            }
            '*' | '+' | '?' => {
                if was_quantified && character == '+' {
                    return Some("the regular expression has a possessive quantifier");
                }
                quantified = true;
            }
            '{' => {
                let times = repetition(&mut characters);
                last = last.saturating_mul(times.max(1));
                quantified = true;
            }
            _ => (sum, last) = (sum.saturating_add(last), 1),
        }
        if sum.saturating_add(last) > SIEVE_PATTERN_REPETITIONS_MAX + SIEVE_PATTERN_OCTETS_MAX as u64 {
            return Some("the regular expression repeats too much");
        }
    }
    None
}

fn skip_class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    if characters.peek() == Some(&'^') {
        characters.next();
    }
    // A bracket that comes first stands for itself.
    characters.next();
    while let Some(character) = characters.next() {
        match character {
            ']' => return,
            '\\' => _ = characters.next(),
            '[' if characters.peek() == Some(&':') => while characters.next().is_some_and(|inner| inner != ']') {},
            _ => {}
        }
    }
}

/// `{2,5}`: the larger number. What is no repetition counts as the character it is.
fn repetition(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u64 {
    let mut largest = 0;
    let mut number = 0_u64;
    while let Some(character) = characters.next_if(|character| character.is_ascii_digit() || *character == ',') {
        match character.to_digit(10) {
            Some(digit) => number = number.saturating_mul(10).saturating_add(u64::from(digit)),
            None => number = 0,
        }
        largest = largest.max(number);
    }
    characters.next_if_eq(&'}');
    largest
}

#[cfg(test)]
mod tests {
    use super::refuse;

    #[test]
    fn harmless_patterns_pass_and_costly_ones_do_not() {
        let check = |pattern: &str, passes: bool| assert_eq!(refuse(pattern).is_none(), passes, "{pattern}");
        check("^\\[.*\\] (.+)$", true);
        check("(a+)+$", true);
        check("[[:alpha:]]{2,50}@[^]@]+", true);
        check("colou?r|gr[ae]y", true);
        check("a+?b*?", true);
        check("a{1000}", true);
        check("(a)\\1", false);
        check("(?=x)", false);
        check("(?i)x", false);
        check("a++", false);
        check("((a{99}){99}){99}", false);
        check("a{99999999999999999999999}", false);
        check(&"a".repeat(2000), false);
        check("\\", true);
        check("[", true);
        check("(((((", true);
        check(")))))", true);
    }
}
