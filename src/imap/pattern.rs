//! Whether a mailbox's name is what a LIST asks for (RFC 9051 section 6.3.9): `*` is anything, `%` anything within one
//! level.
//!
//! All ways to match are followed at once, one bit each, so that no pattern, however full of wildcards, costs more than
//! its length times the name's.

use crate::imap::grammar;
use crate::types::limits::MAILBOX_NAME_OCTETS_MAX;
use crate::types::{HIERARCHY_SEPARATOR, MailboxName};

/// A pattern ready to be held against many names.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// 64 places of the pattern to a word.
    words: usize,
    places: usize,
    /// For each octet, the places that want it.
    wants: Vec<u64>,
    /// Places of `*` and of either wildcard.
    star: Vec<u64>,
    wildcard: Vec<u64>,
    without_wildcards: Option<MailboxName>,
}

const INBOX: &str = "INBOX";

impl Pattern {
    /// `None` for one that is longer than any name it could be about: it matches nothing.
    pub fn new(pattern: &grammar::Pattern) -> Option<Self> {
        let text = [pattern.reference.as_bytes(), pattern.pattern.as_bytes()].concat();
        if text.len() > 2 * MAILBOX_NAME_OCTETS_MAX {
            return None;
        }
        let words = text.len() / 64 + 1;
        let mut made = Self {
            words,
            places: 0,
            wants: vec![0; 256 * words],
            star: vec![0; words],
            wildcard: vec![0; words],
            without_wildcards: None,
        };
        for &octet in &text {
            made.push(octet);
        }
        if made.wildcard.iter().all(|word| *word == 0) {
            made.without_wildcards = std::str::from_utf8(&text).ok().and_then(|name| MailboxName::parse(name).ok());
        }
        Some(made)
    }

    /// The one name it can match, if it has no wildcards.
    pub fn only_name(&self) -> Option<&MailboxName> {
        self.without_wildcards.as_ref()
    }

    fn push(&mut self, octet: u8) {
        let bit = |place: usize| (place / 64, 1_u64 << (place % 64));
        if matches!(octet, b'*' | b'%') {
            // Wildcards side by side are one: then a step over a wildcard never leads to another.
            if let Some((word, mask)) = self.places.checked_sub(1).map(bit)
                && self.wildcard[word] & mask != 0
            {
                self.star[word] |= if octet == b'*' { mask } else { 0 };
                return;
            }
        }
        let (word, mask) = bit(self.places);
        match octet {
            b'*' => {
                self.star[word] |= mask;
                self.wildcard[word] |= mask;
            }
            b'%' => self.wildcard[word] |= mask,
            _ => self.wants[usize::from(octet) * self.words + word] |= mask,
        }
        self.places += 1;
    }

    pub fn matches(&self, name: &MailboxName) -> bool {
        let octets = name.as_str().as_bytes();
        // RFC 9051 section 5.1: INBOX in any case, also where something is below it.
        let any_case = if name.is_inbox() || name.is_below(&MailboxName::inbox()) { INBOX.len() } else { 0 };
        let mut now = vec![0_u64; self.words];
        let mut next = vec![0_u64; self.words];
        now[0] = 1;
        self.step_over_wildcards(&mut now);
        for (at, &octet) in octets.iter().enumerate() {
            next.fill(0);
            let upper = usize::from(octet) * self.words;
            let lower = usize::from(if at < any_case { octet.to_ascii_lowercase() } else { octet }) * self.words;
            let staying = if octet == HIERARCHY_SEPARATOR as u8 { &self.star } else { &self.wildcard };
            let mut carry = 0;
            for word in 0..self.words {
                let taken = now[word] & (self.wants[upper + word] | self.wants[lower + word]);
                next[word] = taken << 1 | carry | now[word] & staying[word];
                carry = taken >> 63;
            }
            self.step_over_wildcards(&mut next);
            std::mem::swap(&mut now, &mut next);
        }
        now[self.places / 64] >> (self.places % 64) & 1 != 0
    }

    /// A wildcard may also be nothing.
    fn step_over_wildcards(&self, places: &mut [u64]) {
        let mut carry = 0;
        for (place, wildcard) in places.iter_mut().zip(&self.wildcard) {
            let over = *place & wildcard;
            *place |= over << 1 | carry;
            carry = over >> 63;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(reference: &str, pattern: &str) -> Pattern {
        Pattern::new(&grammar::Pattern { reference: reference.into(), pattern: pattern.into() }).expect("short")
    }

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text).expect("a name")
    }

    #[test]
    fn wildcards_and_inbox() {
        let check = |reference: &str, text: &str, names: &[&str], others: &[&str]| {
            let pattern = pattern(reference, text);
            for matching in names {
                assert!(pattern.matches(&name(matching)), "{text} {matching}");
            }
            for other in others {
                assert!(!pattern.matches(&name(other)), "{text} {other}");
            }
        };
        check("", "*", &["a", "a/b/c", "INBOX", "ü/ö"], &[]);
        check("", "%", &["a", "INBOX", "ü"], &["a/b"]);
        check("", "%/%", &["a/b"], &["a", "a/b/c"]);
        check("a/", "%", &["a/b"], &["a", "b", "a/b/c"]);
        check("a", "*", &["a", "ab/c"], &["b"]);
        check("", "a*c", &["ac", "a/b/c", "acc"], &["a", "acb"]);
        check("", "a%c", &["ac", "abc"], &["a/c"]);
        check("", "%%**%", &["a/b"], &[]);
        check("", "%*b", &["a/b", "b"], &["a"]);
        check("", "inbox", &["INBOX"], &["Inboxes", "x"]);
        check("", "iNb%", &["INBOX", "Inbtray".replace("Inb", "iNb").as_str()], &["inbtray", "INBOX/a"]);
        check("", "inbox/*", &["INBOX/a"], &["INBOX", "x/INBOX/a"]);
        check("", "x/inbox", &["x/inbox"], &["x/INBOX"]);
        check("", "", &[], &["a"]);
        check("", &"x".repeat(64), &[&"x".repeat(64)], &[&"x".repeat(63), &"x".repeat(65)]);
        check("", &"x%".repeat(300), &[&"x".repeat(300)], &[&"x".repeat(299)]);
        assert_eq!(pattern("", "inbox").only_name(), Some(&MailboxName::inbox()));
        assert_eq!(pattern("", "inb%").only_name(), None);
        let long = grammar::Pattern { reference: "a".repeat(2000), pattern: "%".repeat(2000) };
        assert!(Pattern::new(&long).is_none());
    }

    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), Some((_, after))) => naive(rest, name) || naive(pattern, after),
            (Some((b'%', rest)), Some((octet, after))) => {
                naive(rest, name) || (*octet != b'/' && naive(pattern, after))
            }
            (Some((b'*' | b'%', rest)), None) => naive(rest, name),
            (Some((wanted, rest)), Some((octet, after))) => wanted == octet && naive(rest, after),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn as_by_trying_everything(text in "[ab/%*]{0,8}", levels in "[ab]{1,3}(/[ab]{1,2}){0,2}", padding in 0_usize..70) {
            // Long enough to reach into the next word.
            let (text, levels) = (format!("{}{text}", "c".repeat(padding)), format!("{}{levels}", "c".repeat(padding)));
            prop_assert_eq!(pattern("", &text).matches(&name(&levels)), naive(text.as_bytes(), levels.as_bytes()));
        }
    }
}
