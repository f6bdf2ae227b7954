//! Header fields as they stand in the raw octets: where each begins, its name, its value, nothing decoded.
//!
//! Decoding is `encoded_word`'s work, meaning is given by `addresses`, `date` and `message_id`.

use crate::types::limits::FIELD_OCTETS_READ_MAX;
use std::borrow::Cow;

/// One header field, continuation lines and line end included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    offset: usize,
    raw: &'a [u8],
    name_len: usize,
    value_start: usize,
}

impl<'a> Field<'a> {
    /// Where the field begins in the octets that were iterated over.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// All octets of the field with its line end.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Empty for a line that is no field: without a colon, or with blanks before it (an mbox `From ` line, say).
    pub fn name(&self) -> &'a [u8] {
        &self.raw[..self.name_len]
    }

    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// What follows the colon, still folded, without the line end, cut at the length anyone may look into.
    pub fn value(&self) -> &'a [u8] {
        let value = strip_line_end(&self.raw[self.value_start..]);
        &value[..value.len().min(FIELD_OCTETS_READ_MAX)]
    }

    /// The value on one line, without blanks around it.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(self.value())
    }
}

/// Iterates over the fields of a header section, up to the blank line or the end.
#[derive(Clone, Debug)]
pub struct HeaderFields<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> HeaderFields<'a> {
    /// `raw` begins with a header section; a body behind it is not looked at.
    pub fn new(raw: &'a [u8]) -> Self {
        Self { raw, at: 0 }
    }

    /// The first field of that name, compared without regard to case.
    pub fn first(raw: &'a [u8], name: &str) -> Option<Field<'a>> {
        Self::new(raw).find(|field| field.is(name))
    }
}

impl<'a> Iterator for HeaderFields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let rest = &self.raw[self.at..];
        if rest.is_empty() || is_blank_line(rest) {
            return None;
        }
        let mut end = 0;
        // RFC 5322 section 2.2.3: a line that begins with a blank continues the one before.
        loop {
            end = memchr::memchr(b'\n', &rest[end..]).map_or(rest.len(), |found| end + found + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let raw = &rest[..end];
        let (name_len, value_start) = split_name(raw);
        let field = Field { offset: self.at, raw, name_len, value_start };
        self.at += end;
        Some(field)
    }
}

/// HEADER.FIELDS or HEADER.FIELDS.NOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldChoice {
    Only,
    AllBut,
}

/// The fields of those names, or all others, as they stand, and the blank line if the section has one (RFC 9051
/// section 6.4.5).
pub fn chosen_fields(header: &[u8], names: &[impl AsRef<str>], choice: FieldChoice) -> Vec<u8> {
    let mut out = Vec::new();
    let mut end = 0;
    for field in HeaderFields::new(header) {
        let is_named = names.iter().any(|name| field.is(name.as_ref()));
        if is_named == (choice == FieldChoice::Only) {
            out.extend_from_slice(field.raw());
        }
        end = field.offset() + field.raw().len();
    }
    out.extend_from_slice(&header[end..body_offset(header)]);
    out
}

/// Length of the name and beginning of the value. RFC 5322 section 4.5 lets old mail have blanks before the colon.
fn split_name(raw: &[u8]) -> (usize, usize) {
    let Some(colon) = raw.iter().position(|&byte| byte == b':' || byte == b'\n') else { return (0, 0) };
    if raw[colon] != b':' {
        return (0, 0);
    }
    let name_len = raw[..colon].iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    // RFC 5322 section 2.2: printable US-ASCII except the colon.
    if raw[..name_len].iter().all(|byte| (33..=126).contains(byte)) && name_len > 0 {
        (name_len, colon + 1)
    } else {
        (0, 0)
    }
}

/// Whether the octets begin with an empty line.
pub(super) fn is_blank_line(raw: &[u8]) -> bool {
    raw.starts_with(b"\r\n") || raw.starts_with(b"\n")
}

/// Where the body begins: behind the first blank line. Without one, everything is header (RFC 5322 section 2.1).
pub fn body_offset(raw: &[u8]) -> usize {
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'\n' {
            return at + 1;
        }
        if raw[at..].starts_with(b"\r\n") {
            return at + 2;
        }
        at = memchr::memchr(b'\n', &raw[at..]).map_or(raw.len(), |found| at + found + 1);
    }
    raw.len()
}

pub(super) fn strip_line_end(raw: &[u8]) -> &[u8] {
    match raw {
        [inner @ .., b'\r', b'\n'] | [inner @ .., b'\n'] => inner,
        _ => raw,
    }
}

/// RFC 5322 section 2.2.3: the line ends go, the blanks stay; blanks at both ends go too. A bare CR, which no
/// unfolded value may have, becomes a blank.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', trimmed).is_none() {
        return Cow::Borrowed(trimmed);
    }
    let mut out = Vec::with_capacity(trimmed.len());
    let mut bytes = trimmed.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => {}
            b'\r' if bytes.peek() == Some(&b'\n') => {}
            b'\r' => out.push(b' '),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(raw: &str) -> Vec<String> {
        HeaderFields::new(raw.as_bytes())
            .map(|field| {
                format!("{}|{}", String::from_utf8_lossy(field.name()), String::from_utf8_lossy(&field.unfolded()))
            })
            .collect()
    }

    #[test]
    fn fields_are_found_in_any_state_of_repair() {
        let check = |raw: &str, expected: &[&str]| assert_eq!(listed(raw), expected, "{raw:?}");
        check("A: 1\r\nB: 2\r\n\r\nC: 3\r\n", &["A|1", "B|2"]);
        check("A: 1\n 2\n\t3\nB:\n\nbody", &["A|1 2\t3", "B|"]);
        check("From jane Thu Jan  1 00:00:00 1970\nA : 1\r\n", &["|From jane Thu Jan  1 00:00:00 1970", "A|1"]);
        check("no colon\r\n: no name\r\nA:1", &["|no colon", "|: no name", "A|1"]);
        check("\r\nA: 1\r\n", &[]);
        check("", &[]);
        check("A: 1\r2\r\n", &["A|1 2"]);
        check("A: x\r\n \r\n y\r\n", &["A|x  y"]);
    }

    #[test]
    fn the_body_begins_behind_the_blank_line() {
        let check = |raw: &str, offset: usize| assert_eq!(body_offset(raw.as_bytes()), offset, "{raw:?}");
        check("A: 1\r\n\r\nbody", 8);
        check("A: 1\n\nbody", 6);
        check("\r\nbody", 2);
        check("A: 1\r\n", 6);
        check("A: 1\r\n \r\n\r\nbody", 11);
        check("", 0);
    }

    #[test]
    fn fields_are_chosen_by_name() {
        let check = |raw: &str, names: &[&str], only: &str, others: &str| {
            assert_eq!(chosen_fields(raw.as_bytes(), names, FieldChoice::Only), only.as_bytes());
            assert_eq!(chosen_fields(raw.as_bytes(), names, FieldChoice::AllBut), others.as_bytes());
        };
        let raw = "A: 1\r\nB: 2\r\n 3\r\njunk\r\na:4\r\n\r\nbody";
        check(raw, &["a"], "A: 1\r\na:4\r\n\r\n", "B: 2\r\n 3\r\njunk\r\n\r\n");
        check(raw, &["x"], "\r\n", "A: 1\r\nB: 2\r\n 3\r\njunk\r\na:4\r\n\r\n");
        check("A: 1\r\n", &["A", "B"], "A: 1\r\n", "");
        check("\nbody", &["A"], "\n", "\n");
    }

    #[test]
    fn fields_put_together_are_the_header() {
        let raw = b"A: 1\r\n 2\r\njunk\r\nB: \xff\r\n\r\nbody";
        let joined: Vec<u8> = HeaderFields::new(raw).flat_map(|field| field.raw().to_vec()).collect();
        assert_eq!(joined, raw[..joined.len()]);
        assert_eq!(joined.len() + 2, body_offset(raw));
    }
}
