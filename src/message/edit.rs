//! Changes to a header section that touch nothing else: every octet that is not asked about stays as it was.

use super::field::{Field, HeaderFields, body_offset, is_blank_line};
use super::new_field::NewField;
use std::borrow::Cow;

/// Which of several fields of one name (RFC 5293 section 5 counts so).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    /// 0 is the first from the top.
    FromTop(usize),
    /// 0 is the last.
    FromBottom(usize),
}

/// A header section being changed. The body never passes through it.
#[derive(Clone, Debug)]
pub struct HeaderEdit<'a> {
    header: Cow<'a, [u8]>,
}

impl<'a> HeaderEdit<'a> {
    /// `raw` begins with the header section; what follows the blank line is not looked at.
    pub fn new(raw: &'a [u8]) -> Self {
        Self { header: Cow::Borrowed(&raw[..body_offset(raw)]) }
    }

    /// Puts the fields before all others, in their order.
    pub fn prepend(&mut self, fields: &[NewField]) {
        if fields.is_empty() {
            return;
        }
        let mut out: Vec<u8> = fields.iter().flat_map(|field| field.raw().iter().copied()).collect();
        // A header that begins with a blank would continue our last field, and a stranger would have a say in it.
        out.extend_from_slice(without_leading_blanks(&self.header));
        self.header = Cow::Owned(out);
    }

    /// Puts the fields behind all others.
    pub fn append(&mut self, fields: &[NewField]) {
        let header = self.header.as_ref();
        let end = HeaderFields::new(header).last().map_or(0, |last| last.offset() + last.raw().len());
        let mut out = header[..end].to_vec();
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend(fields.iter().flat_map(NewField::raw));
        out.extend_from_slice(&header[end..]);
        self.header = Cow::Owned(out);
    }

    /// Removes every field for which `goes` says so; gives how many.
    pub fn remove(&mut self, mut goes: impl FnMut(&Field<'_>) -> bool) -> usize {
        let header = self.header.as_ref();
        let (mut out, mut kept_from, mut removed) = (Vec::new(), 0, 0);
        for field in HeaderFields::new(header) {
            if goes(&field) {
                out.extend_from_slice(&header[kept_from..field.offset()]);
                kept_from = field.offset() + field.raw().len();
                removed += 1;
            }
        }
        if removed > 0 {
            out.extend_from_slice(&header[kept_from..]);
            self.header = Cow::Owned(out);
        }
        removed
    }

    pub fn remove_all(&mut self, name: &str) -> usize {
        self.remove(|field| field.is(name))
    }

    /// Gives whether there was such a field.
    pub fn remove_nth(&mut self, name: &str, nth: Nth) -> bool {
        let place = match nth {
            Nth::FromTop(place) => Some(place),
            Nth::FromBottom(place) => {
                let count = HeaderFields::new(&self.header).filter(|field| field.is(name)).count();
                count.checked_sub(1).and_then(|last| last.checked_sub(place))
            }
        };
        let Some(place) = place else { return false };
        let mut seen = 0;
        self.remove(|field| {
            let is_named = field.is(name);
            seen += usize::from(is_named);
            is_named && seen == place + 1
        }) > 0
    }

    /// One field of that name, in place of all there were.
    pub fn set(&mut self, name: &str, field: NewField) {
        self.remove_all(name);
        self.append(&[field]);
    }

    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The changed header section, with the blank line if there was one.
    pub fn into_header(self) -> Vec<u8> {
        self.header.into_owned()
    }

    /// The whole message: the changed header and the body of `raw`, from which this was made.
    pub fn into_message(self, raw: &[u8]) -> Vec<u8> {
        let body = &raw[body_offset(raw)..];
        let mut out = self.into_opening(body.is_empty());
        out.reserve_exact(body.len());
        out.extend_from_slice(body);
        out
    }

    fn into_opening(self, is_all: bool) -> Vec<u8> {
        let mut out = self.into_header();
        // Without header fields and blank line a body could be taken for a header.
        if !is_all && !ends_with_blank_line(&out) {
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// Removes every field of that name from the message that begins at `start`, in place: the body is moved at most once, and
/// never copied. Gives how many there were.
pub fn remove_in_place(message: &mut Vec<u8>, start: usize, name: &str) -> usize {
    let mut edit = HeaderEdit::new(&message[start..]);
    let end = start + edit.header().len();
    let removed = edit.remove_all(name);
    if removed > 0 {
        let opening = edit.into_opening(end == message.len());
        message.splice(start..end, opening);
    }
    removed
}

fn ends_with_blank_line(header: &[u8]) -> bool {
    header.ends_with(b"\n\n") || header.ends_with(b"\n\r\n") || is_blank_line(header)
}

fn without_leading_blanks(header: &[u8]) -> &[u8] {
    let start = header.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(header.len());
    &header[start..]
}

#[cfg(test)]
mod tests {
    use super::super::structure::tests::mailish;
    use super::*;
    use proptest::prelude::*;

    const MAIL: &[u8] = b"A: 1\r\nB: 2\r\n 2\r\na : 3\r\njunk\r\nA: 4\r\n\r\nbody\r\n";

    fn field(name: &str, value: &str) -> NewField {
        NewField::new(name, value).expect("a good field")
    }

    fn check(raw: &[u8], change: impl FnOnce(&mut HeaderEdit<'_>), expected: &str) {
        let mut edit = HeaderEdit::new(raw);
        change(&mut edit);
        assert_eq!(edit.into_message(raw).escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
    }

    #[test]
    fn only_what_is_asked_for_changes() {
        check(MAIL, |_| {}, "A: 1\r\nB: 2\r\n 2\r\na : 3\r\njunk\r\nA: 4\r\n\r\nbody\r\n");
        check(
            MAIL,
            |edit| edit.prepend(&[field("X", "1"), field("Y", "2")]),
            "X: 1\r\nY: 2\r\nA: 1\r\nB: 2\r\n 2\r\na : 3\r\njunk\r\nA: 4\r\n\r\nbody\r\n",
        );
        check(
            MAIL,
            |edit| edit.append(&[field("X", "1")]),
            "A: 1\r\nB: 2\r\n 2\r\na : 3\r\njunk\r\nA: 4\r\nX: 1\r\n\r\nbody\r\n",
        );
        check(MAIL, |edit| assert_eq!(edit.remove_all("A"), 3), "B: 2\r\n 2\r\njunk\r\n\r\nbody\r\n");
        check(
            MAIL,
            |edit| assert!(edit.remove_nth("a", Nth::FromTop(1))),
            "A: 1\r\nB: 2\r\n 2\r\njunk\r\nA: 4\r\n\r\nbody\r\n",
        );
        check(
            MAIL,
            |edit| assert!(edit.remove_nth("a", Nth::FromBottom(0))),
            "A: 1\r\nB: 2\r\n 2\r\na : 3\r\njunk\r\n\r\nbody\r\n",
        );
        check(
            MAIL,
            |edit| assert!(!edit.remove_nth("a", Nth::FromBottom(3))),
            "A: 1\r\nB: 2\r\n 2\r\na : 3\r\njunk\r\nA: 4\r\n\r\nbody\r\n",
        );
        check(MAIL, |edit| edit.set("B", field("B", "x")), "A: 1\r\na : 3\r\njunk\r\nA: 4\r\nB: x\r\n\r\nbody\r\n");
    }

    #[test]
    fn fields_are_removed_in_place() {
        let check = |raw: &str, removed: usize, expected: &str| {
            let mut message = format!("A: kept\r\n{raw}").into_bytes();
            assert_eq!(remove_in_place(&mut message, 9, "a"), removed, "{raw:?}");
            assert_eq!(
                message.escape_ascii().to_string(),
                format!("A: kept\r\n{expected}").escape_default().to_string()
            );
            let mut edit = HeaderEdit::new(raw.as_bytes());
            edit.remove_all("A");
            assert_eq!(edit.into_message(raw.as_bytes()), message[9..]);
        };
        check("B: 1\r\n\r\nA: body", 0, "B: 1\r\n\r\nA: body");
        check("A: 1\r\n 2\r\nB: 1\r\na: 3\r\n\r\nA: body", 2, "B: 1\r\n\r\nA: body");
        check("A: 1\r\n\r\nA: body", 1, "\r\nA: body");
        check("A: 1\r\n", 1, "");
        check("", 0, "");
    }

    #[test]
    fn headers_without_body_or_fields() {
        check(b"A: 1", |edit| edit.append(&[field("X", "1")]), "A: 1\r\nX: 1\r\n");
        check(b"", |edit| edit.prepend(&[field("X", "1")]), "X: 1\r\n");
        check(b"\r\nbody", |edit| edit.prepend(&[field("X", "1")]), "X: 1\r\n\r\nbody");
        check(b"\nbody", |edit| edit.append(&[field("X", "1")]), "X: 1\r\n\nbody");
        check(b"A: 1\r\n\r\nbody", |edit| assert_eq!(edit.remove(|_| true), 1), "\r\nbody");
        check(
            b"  ; dkim=pass\r\nA: 1\r\n\r\nb",
            |edit| edit.prepend(&[field("X", "1")]),
            "X: 1\r\n; dkim=pass\r\nA: 1\r\n\r\nb",
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn what_is_put_in_can_be_taken_out_again(raw in mailish()) {
            prop_assume!(!raw.starts_with(b" ") && !raw.starts_with(b"\t"));
            let mut edit = HeaderEdit::new(&raw);
            edit.prepend(&[field("X-New", "1")]);
            let changed = edit.into_message(&raw);
            let mut edit = HeaderEdit::new(&changed);
            prop_assert_eq!(edit.remove_all("x-new"), 1);
            prop_assert_eq!(edit.into_message(&changed), raw);
        }
    }
}
