//! Which octets of a message are asked for, and where they stand: worked out from the stored structure, never by parsing.

use crate::message::{DecodeError, FieldChoice, Structure, chosen_fields};
use std::borrow::Cow;
use std::ops::Range;

/// A piece of a message (RFC 9051 section 6.4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Part numbers; none of them stand for the whole message.
    pub path: Vec<u32>,
    pub of: PartOf,
    /// `<origin.length>`: only so much of it.
    pub window: Option<Window>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartOf {
    /// `BODY[]`, `BODY[1.2]`.
    Whole,
    Header,
    Text,
    Mime,
    Fields(Vec<String>),
    FieldsNot(Vec<String>),
    /// `BINARY[1.2]`: without its transfer encoding.
    Decoded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub origin: u64,
    pub length: u64,
}

/// What there is of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<T> {
    There(T),
    /// The message has no such part: NIL.
    Missing,
    /// BINARY of a part in an encoding nobody knows (RFC 9051 section 7.1, UNKNOWN-CTE).
    UnknownEncoding,
}

impl Window {
    /// What of so many octets is inside.
    pub(super) fn of(window: Option<Self>, octets: u64) -> Range<u64> {
        match window {
            None => 0..octets,
            Some(Self { origin, length }) => origin.min(octets)..origin.saturating_add(length).min(octets),
        }
    }
}

impl Want {
    /// `BODY[]`.
    pub fn whole() -> Self {
        Self { path: Vec::new(), of: PartOf::Whole, window: None }
    }

    /// Whether it can be answered without the message's structure.
    pub(super) fn is_whole(&self) -> bool {
        self.path.is_empty() && matches!(self.of, PartOf::Whole | PartOf::Decoded)
    }

    /// Where the octets stand from which the answer is made, before fields are chosen or anything is decoded.
    pub(super) fn range(&self, structure: &Structure) -> Option<Range<u64>> {
        use crate::message::Section;
        let section = match self.of {
            PartOf::Whole | PartOf::Decoded => Section::Whole,
            PartOf::Header | PartOf::Fields(_) | PartOf::FieldsNot(_) => Section::Header,
            PartOf::Text => Section::Text,
            PartOf::Mime => Section::Mime,
        };
        structure.section(&self.path, section)
    }

    /// The answer out of the whole message.
    pub(super) fn take<'m>(&self, raw: &'m [u8], structure: &Structure) -> Part<Cow<'m, [u8]>> {
        let Some(range) = self.range(structure) else { return Part::Missing };
        let octets = slice(raw, range);
        let found = match &self.of {
            PartOf::Fields(names) => Cow::Owned(chosen_fields(octets, names, FieldChoice::Only)),
            PartOf::FieldsNot(names) => Cow::Owned(chosen_fields(octets, names, FieldChoice::AllBut)),
            PartOf::Decoded => match structure.decode_part(raw, &self.path) {
                Ok(decoded) => decoded,
                Err(DecodeError::NoSuchPart) => return Part::Missing,
                Err(DecodeError::UnknownEncoding) => return Part::UnknownEncoding,
            },
            PartOf::Whole | PartOf::Header | PartOf::Text | PartOf::Mime => Cow::Borrowed(octets),
        };
        Part::There(cut(found, self.window))
    }
}

fn slice(raw: &[u8], range: Range<u64>) -> &[u8] {
    // Messages are below 4 GiB.
    raw.get(range.start as usize..range.end as usize).unwrap_or_default()
}

pub(super) fn cut(octets: Cow<'_, [u8]>, window: Option<Window>) -> Cow<'_, [u8]> {
    let range = Window::of(window, octets.len() as u64);
    let range = range.start as usize..range.end as usize;
    match octets {
        Cow::Borrowed(octets) => Cow::Borrowed(octets.get(range).unwrap_or_default()),
        Cow::Owned(mut octets) => {
            octets.truncate(range.end);
            octets.drain(..range.start);
            Cow::Owned(octets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Parsed;

    const RAW: &str = "Subject: s\r\nTo: t\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n\
        --b\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd\r\n--b--\r\n";

    #[test]
    fn sections_windows_and_decoding() {
        let parsed = Parsed::parse(RAW.as_bytes());
        let check = |path: &[u32], of: PartOf, window: Option<(u64, u64)>, expected: Option<&str>| {
            let window = window.map(|(origin, length)| Window { origin, length });
            let want = Want { path: path.to_vec(), of, window };
            let found = match want.take(RAW.as_bytes(), parsed.structure()) {
                Part::There(octets) => Some(String::from_utf8_lossy(&octets).into_owned()),
                Part::Missing => None,
                Part::UnknownEncoding => Some("?".to_owned()),
            };
            assert_eq!(found.as_deref(), expected, "{want:?}");
        };
        let fields = |name: &str| PartOf::Fields(vec![name.to_owned()]);
        check(&[], PartOf::Whole, None, Some(RAW));
        check(&[], PartOf::Whole, Some((2, 6)), Some("bject:"));
        check(&[], PartOf::Whole, Some((9999, 6)), Some(""));
        check(&[], PartOf::Whole, Some((RAW.len() as u64 - 2, u64::MAX)), Some("\r\n"));
        check(&[], fields("SUBJECT"), None, Some("Subject: s\r\n\r\n"));
        check(&[], fields("subject"), Some((1, 3)), Some("ubj"));
        check(&[], PartOf::FieldsNot(vec!["content-type".to_owned()]), None, Some("Subject: s\r\nTo: t\r\n\r\n"));
        check(&[1], PartOf::Whole, None, Some("aGVsbG8="));
        check(&[1], PartOf::Decoded, None, Some("hello"));
        check(&[1], PartOf::Decoded, Some((1, 2)), Some("el"));
        check(&[1], PartOf::Header, None, None);
        check(&[2], fields("subject"), None, Some("Subject: in\r\n\r\n"));
        check(&[2], PartOf::Text, None, Some("inner"));
        check(&[2, 1], PartOf::Decoded, None, Some("inner"));
        check(&[3], PartOf::Decoded, None, Some("?"));
        check(&[4], PartOf::Decoded, None, None);
        check(&[4], PartOf::Mime, None, None);
    }
}
