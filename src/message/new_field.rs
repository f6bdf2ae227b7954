//! A header field we write: its name and value checked, encoded and folded, so that nothing in it can end it early.

use super::encoded_word;
use super::field::unfold;
use crate::types::Address;
use std::borrow::Cow;
use std::fmt;

/// RFC 5322 section 2.1.1: lines should have no more, and must not have more than 998.
const LINE_OCTETS_PREFERRED: usize = 78;
/// Longer words of text are encoded, so that they can be folded.
const PLAIN_WORD_OCTETS_MAX: usize = 60;

/// A complete field: `Name: value` and CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewField {
    raw: Vec<u8>,
}

/// Why a field can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewFieldError {
    /// Empty, or with a character that RFC 5322 section 2.2 does not allow.
    Name,
    /// A line end or another control character: whoever asks for one tries to write more than a field.
    Value,
}

impl fmt::Display for NewFieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Name => "a header field's name is printable ASCII without blanks and colons",
            Self::Value => "a header field's value has no line ends and no control characters",
        })
    }
}

impl std::error::Error for NewFieldError {}

impl NewField {
    /// A value that is already in the field's own syntax. It is folded at blanks and otherwise left alone.
    pub fn new(name: &str, value: &str) -> Result<Self, NewFieldError> {
        if name.is_empty() || !name.bytes().all(|byte| (33..=126).contains(&byte) && byte != b':') {
            return Err(NewFieldError::Name);
        }
        if value.chars().any(|character| character.is_control() && character != '\t') {
            return Err(NewFieldError::Value);
        }
        Ok(Self { raw: fold(name, value.split([' ', '\t'])) })
    }

    /// A value that is text for people, in RFC 2047 words where it has to be. Line ends and controls become blanks.
    pub fn text(name: &str, text: &str) -> Result<Self, NewFieldError> {
        Self::new(name, &encode_text(text, LINE_OCTETS_PREFERRED.saturating_sub(name.len() + 2)))
    }

    /// A field of ours: the name is a constant, and what a stranger may have put into the value is replaced.
    pub(super) fn ours(name: &'static str, value: &str) -> Self {
        Self { raw: fold(name, clean(value).split([' ', '\t'])) }
    }

    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// Control characters become blanks.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Text as it may stand in an unstructured field, in words of at most `word_octets`. What fits is left alone unless a
/// reader would decode it.
fn encode_text(text: &str, word_octets: usize) -> String {
    let word_octets = word_octets.min(encoded_word::WORD_OCTETS_MAX);
    let text = clean(text);
    let text = text.trim();
    let plain = text.is_ascii()
        && !text.contains("=?")
        && text.split(' ').all(|word| word.len() <= word_octets.min(PLAIN_WORD_OCTETS_MAX))
        && !text.contains("  ");
    if plain { text.to_owned() } else { encoded_word::encode_within(text, word_octets).join(" ") }
}

/// `Jane Doe <jane@example.org>`: the name quoted or encoded as it needs.
pub fn format_mailbox(name: Option<&str>, address: &Address) -> String {
    let name = name.map(|name| clean(name.trim()).trim().to_owned()).filter(|name| !name.is_empty());
    let Some(name) = name else { return address.to_string() };
    let is_atoms = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/?^_`{|}~ ".contains(&byte);
    let phrase = if name.bytes().all(is_atoms) && !name.contains("  ") {
        name
    } else if name.is_ascii() && name.len() <= PLAIN_WORD_OCTETS_MAX && !name.contains("=?") {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        encoded_word::encode_within(&name, PLAIN_WORD_OCTETS_MAX).join(" ")
    };
    format!("{phrase} <{address}>")
}

/// Words are put on lines of at most 78 octets where they allow it; no line is ever only blanks, which RFC 5322
/// section 3.2.2 wants nobody to write.
fn fold<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut raw = format!("{name}:").into_bytes();
    let mut column = raw.len();
    for word in words.filter(|word| !word.is_empty()) {
        // The first word stays on the field's own line: a continuation alone is misread by some.
        if column + 1 + word.len() > LINE_OCTETS_PREFERRED && column > name.len() + 1 {
            raw.extend_from_slice(b"\r\n");
            column = 0;
        }
        raw.push(b' ');
        raw.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    raw.extend_from_slice(b"\r\n");
    raw
}

/// The value of a field of ours, unfolded: what tests and `explain` show.
impl fmt::Display for NewField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&unfold(&self.raw)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HeaderFields, decode_header, mailboxes};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_can_be_smuggled_into_a_field() {
        let check = |name: &str, value: &str, expected: Result<&str, NewFieldError>| {
            let field = NewField::new(name, value);
            assert_eq!(field.as_ref().map(|field| field.raw.as_slice()), expected.as_ref().copied().map(str::as_bytes));
        };
        check("X-A", "b c", Ok("X-A: b c\r\n"));
        check("X-A", "", Ok("X-A:\r\n"));
        check("X-A", "b\r\nBcc: x@y", Err(NewFieldError::Value));
        check("X-A", "b\nc", Err(NewFieldError::Value));
        check("X-A", "b\0", Err(NewFieldError::Value));
        check("X A", "b", Err(NewFieldError::Name));
        check("X:A", "b", Err(NewFieldError::Name));
        check("X\r\nA", "b", Err(NewFieldError::Name));
        check("", "b", Err(NewFieldError::Name));
        assert_eq!(
            NewField::text("Subject", "a\r\nBcc: x").map(|field| field.raw),
            Ok(b"Subject: =?utf-8?Q?a__Bcc=3A_x?=\r\n".to_vec())
        );
    }

    #[test]
    fn names_are_quoted_as_they_need() {
        let check = |name: &str, expected: &str| {
            let address = Address::parse("j@x.example").expect("well formed");
            assert_eq!(format_mailbox(Some(name), &address), expected);
        };
        check("Jane Doe", "Jane Doe <j@x.example>");
        check("Doe, Jane \"J\"", "\"Doe, Jane \\\"J\\\"\" <j@x.example>");
        check("Jürgen", "=?utf-8?Q?J=C3=BCrgen?= <j@x.example>");
        check(" \r\n ", "j@x.example");
        check("a\r\nb", "=?utf-8?Q?a__b?= <j@x.example>".replace("=?utf-8?Q?a__b?=", "\"a  b\"").as_str());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn texts_read_back_from_lines_that_fit(text in "[ -~äé漢\r\n]{0,300}") {
            let field = NewField::text("Subject", &text).expect("a good name");
            prop_assert!(field.raw.split(|&byte| byte == b'\n').all(|line| line.len() <= 79));
            let found: Vec<_> = HeaderFields::new(&field.raw).collect();
            prop_assert_eq!(found.len(), 1);
            let read = decode_header(found[0].value()).into_owned();
            prop_assert_eq!(read, clean(&text).trim().to_owned());
        }

        #[test]
        fn names_read_back(name in "[ -~äé]{1,60}") {
            let address = Address::parse("j@x.example").expect("well formed");
            let written = format_mailbox(Some(&name), &address);
            let read: Vec<_> = mailboxes(written.as_bytes()).collect();
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(read[0].address(), Some(address));
            let expected = name.trim();
            prop_assert_eq!(read[0].display_name().unwrap_or_default(), expected);
        }
    }
}
