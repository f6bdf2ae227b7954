//! The MIME structure of a message: where every part's header and body stand in the raw octets.
//!
//! Computed once at delivery by [`Structure::scan`], stored as bytes, and enough to answer `BODY[1.2.MIME]` or
//! `BINARY[3]` from then on without looking at the rest of the message. It holds no content.

mod bytes;
mod scan;
#[cfg(test)]
pub(super) mod tests;

use super::transfer::{Decoder, Encoding};
use std::borrow::Cow;
use std::ops::Range;

/// What a part may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Content. Also what can't be looked into: an encoded or too deeply nested message, a multipart without parts.
    Leaf,
    /// Parts between boundaries, at least one.
    Multipart,
    /// An unencoded message/rfc822 or message/global; its only child is the embedded message.
    Message,
}

/// One part. The first is the message itself. Offsets count from the first octet of the whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub kind: PartKind,
    pub encoding: Encoding,
    /// Where the part's own header begins; for an embedded message that is where the message begins.
    pub header_start: u32,
    /// Behind the blank line.
    pub body_start: u32,
    /// Before the line end that belongs to the boundary (RFC 2046 section 5.1.1).
    pub end: u32,
    /// Line ends in the body.
    pub lines: u32,
    /// `text/plain`, lower case; what the part is taken for, which differs from its Content-Type when that is broken.
    pub media_type: Box<str>,
    /// As received; empty when there was none.
    pub charset: Box<str>,
    /// Index behind the last part inside this one.
    next: u32,
}

impl Part {
    pub fn header(&self) -> Range<u64> {
        u64::from(self.header_start)..u64::from(self.body_start)
    }

    pub fn body(&self) -> Range<u64> {
        u64::from(self.body_start)..u64::from(self.end)
    }

    pub fn body_octets(&self) -> u32 {
        self.end - self.body_start
    }

    pub fn is_text(&self) -> bool {
        self.kind == PartKind::Leaf && self.media_type.starts_with("text/")
    }

    pub(super) fn header_in<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        raw.get(self.header_start as usize..self.body_start as usize).unwrap_or_default()
    }

    pub(super) fn body_in<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        raw.get(self.body_start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The section of RFC 9051 section 6.4.5 that follows the part numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `BODY[]`, `BODY[1.2]`.
    Whole,
    /// `BODY[HEADER]`, `BODY[1.2.HEADER]`, and what HEADER.FIELDS chooses from.
    Header,
    /// `BODY[TEXT]`, `BODY[1.2.TEXT]`.
    Text,
    /// `BODY[1.2.MIME]`.
    Mime,
}

/// All parts in the order in which they begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    parts: Vec<Part>,
}

impl Structure {
    /// Of any octets; nothing is refused.
    pub fn scan(raw: &[u8]) -> Self {
        scan::scan(raw)
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The message itself.
    pub fn root(&self) -> &Part {
        &self.parts[0]
    }

    /// Indices of the parts directly inside part `index`.
    pub fn children(&self, index: usize) -> Children<'_> {
        let end = self.parts.get(index).map_or(0, |part| part.next as usize);
        Children { structure: self, at: index + 1, end }
    }

    /// The part with that number (RFC 9051 section 6.4.5): numbers count inside multiparts; a message that is no
    /// multipart has its body as part 1; an embedded message's parts are numbered below the part that carries it.
    pub fn find(&self, path: &[u32]) -> Option<usize> {
        let (&first, rest) = path.split_first()?;
        let mut at = self.inside_message(0, first)?;
        for &number in rest {
            at = match self.parts[at].kind {
                PartKind::Multipart => self.nth_child(at, number)?,
                PartKind::Message => self.inside_message(at + 1, number)?,
                PartKind::Leaf => return None,
            };
        }
        Some(at)
    }

    /// The part with that number.
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        self.find(path).map(|index| &self.parts[index])
    }

    /// The octets a FETCH of that section sends. `None` when the message has no such section.
    pub fn section(&self, path: &[u32], section: Section) -> Option<Range<u64>> {
        if path.is_empty() {
            let root = self.root();
            return match section {
                Section::Whole => Some(0..u64::from(root.end)),
                Section::Header => Some(root.header()),
                Section::Text => Some(root.body()),
                Section::Mime => None,
            };
        }
        let index = self.find(path)?;
        let part = &self.parts[index];
        match section {
            Section::Whole => Some(part.body()),
            Section::Mime => Some(part.header()),
            // HEADER and TEXT below a number belong to an embedded message.
            Section::Header | Section::Text => {
                let embedded = (part.kind == PartKind::Message).then(|| &self.parts[index + 1])?;
                Some(if section == Section::Header { embedded.header() } else { embedded.body() })
            }
        }
    }

    /// BINARY (RFC 9051 section 6.4.5): the section's content without its transfer encoding. `raw` is the whole
    /// message. Of an empty path the whole message, as it is: nothing encodes it.
    pub fn decode_part<'a>(&self, raw: &'a [u8], path: &[u32]) -> Result<Cow<'a, [u8]>, DecodeError> {
        if path.is_empty() {
            return Ok(Cow::Borrowed(raw));
        }
        let part = self.part(path).ok_or(DecodeError::NoSuchPart)?;
        part.decode(part.body_in(raw))
    }

    fn inside_message(&self, message: usize, number: u32) -> Option<usize> {
        match self.parts[message].kind {
            PartKind::Multipart => self.nth_child(message, number),
            PartKind::Leaf | PartKind::Message => (number == 1).then_some(message),
        }
    }

    fn nth_child(&self, parent: usize, number: u32) -> Option<usize> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.children(parent).nth(place)
    }
}

impl Part {
    /// The content of this part, given its body's octets. A multipart or a message is its octets: RFC 2045 section
    /// 6.4 allows it no encoding.
    pub fn decode<'a>(&self, body: &'a [u8]) -> Result<Cow<'a, [u8]>, DecodeError> {
        match self.kind {
            PartKind::Leaf => self.encoding.decode(body).ok_or(DecodeError::UnknownEncoding),
            PartKind::Multipart | PartKind::Message => Ok(Cow::Borrowed(body)),
        }
    }

    /// The same for a body that comes in pieces.
    pub fn decoder(&self) -> Result<Decoder, DecodeError> {
        let encoding = match self.kind {
            PartKind::Leaf => self.encoding,
            PartKind::Multipart | PartKind::Message => Encoding::Binary,
        };
        encoding.decoder().ok_or(DecodeError::UnknownEncoding)
    }
}

/// Why a part's content can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    NoSuchPart,
    /// RFC 9051 section 7.1: UNKNOWN-CTE.
    UnknownEncoding,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NoSuchPart => "the message has no such part",
            Self::UnknownEncoding => "the part's transfer encoding is unknown",
        })
    }
}

impl std::error::Error for DecodeError {}

/// See [`Structure::children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    structure: &'a Structure,
    at: usize,
    end: usize,
}

impl Iterator for Children<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.at >= self.end {
            return None;
        }
        let found = self.at;
        self.at = self.structure.parts[found].next as usize;
        Some(found)
    }
}
