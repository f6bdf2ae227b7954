//! The stored form of a [`Structure`]: a version, the number of parts, then for each part a kind, variable-length
//! numbers relative to the part before, and its names. About 25 octets a part.

use super::super::transfer::Encoding;
use super::{Part, PartKind, Structure};
use crate::types::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};

const VERSION: u8 = 1;

/// Why octets are no stored structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructureError {
    Version,
    Truncated,
    /// Offsets out of order, parts outside their parent, or an unknown code.
    Inconsistent,
    TrailingOctets,
}

impl std::fmt::Display for StructureError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Version => "the stored structure has an unknown version",
            Self::Truncated => "the stored structure ends too soon",
            Self::Inconsistent => "the stored structure contradicts itself",
            Self::TrailingOctets => "the stored structure goes on behind its end",
        })
    }
}

impl std::error::Error for StructureError {}

impl Structure {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + 28 * self.parts.len());
        out.push(VERSION);
        push_number(&mut out, self.parts.len() as u64);
        let mut before = 0;
        for (index, part) in self.parts.iter().enumerate() {
            let kind = match part.kind {
                PartKind::Leaf => 0,
                PartKind::Multipart => 1,
                PartKind::Message => 2,
            };
            out.push(kind << 4 | part.encoding.code());
            push_number(&mut out, u64::from(part.next) - index as u64 - 1);
            // Parts are listed in the order in which they begin.
            push_number(&mut out, u64::from(part.header_start - before));
            push_number(&mut out, u64::from(part.body_start - part.header_start));
            push_number(&mut out, u64::from(part.end - part.body_start));
            push_number(&mut out, u64::from(part.lines));
            push_text(&mut out, &part.media_type);
            push_text(&mut out, &part.charset);
            before = part.header_start;
        }
        out
    }

    /// Accepts only what [`Structure::to_bytes`] could have written: every range inside its parent's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StructureError> {
        let mut reader = Reader { rest: bytes };
        if reader.octet()? != VERSION {
            return Err(StructureError::Version);
        }
        let count = reader.number()?;
        if count == 0 || count > MIME_PARTS_MAX as u32 {
            return Err(StructureError::Inconsistent);
        }
        let mut parts = Vec::with_capacity(count.min(64) as usize);
        let mut before = 0;
        for index in 0..count {
            let part = reader.part(index, count, before)?;
            before = part.header_start;
            parts.push(part);
        }
        if !reader.rest.is_empty() {
            return Err(StructureError::TrailingOctets);
        }
        check_nesting(&parts)?;
        Ok(Self { parts })
    }
}

fn check_nesting(parts: &[Part]) -> Result<(), StructureError> {
    let inconsistent = Err(StructureError::Inconsistent);
    let mut above: Vec<usize> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        while above.last().is_some_and(|&parent| parts[parent].next as usize <= index) {
            above.pop();
        }
        match above.last().map(|&parent| &parts[parent]) {
            Some(parent) => {
                let inside =
                    part.header_start >= parent.body_start && part.end <= parent.end && part.next <= parent.next;
                let fits = match parent.kind {
                    PartKind::Multipart => true,
                    PartKind::Message => part.next == parent.next && part.header_start == parent.body_start,
                    PartKind::Leaf => false,
                };
                if !inside || !fits {
                    return inconsistent;
                }
            }
            None if index == 0 && part.header_start == 0 && part.next as usize == parts.len() => {}
            None => return inconsistent,
        }
        let has_children = part.next as usize > index + 1;
        if has_children != (part.kind != PartKind::Leaf) {
            return inconsistent;
        }
        above.push(index);
        if above.len() > MIME_DEPTH_MAX + 1 {
            return inconsistent;
        }
    }
    Ok(())
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// At most 127 octets, which the scan sees to.
fn push_text(out: &mut Vec<u8>, text: &str) {
    push_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn octet(&mut self) -> Result<u8, StructureError> {
        let (&first, rest) = self.rest.split_first().ok_or(StructureError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    fn number(&mut self) -> Result<u32, StructureError> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let octet = self.octet()?;
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return u32::try_from(number).map_err(|_| StructureError::Inconsistent);
            }
        }
        Err(StructureError::Inconsistent)
    }

    fn text(&mut self) -> Result<Box<str>, StructureError> {
        let len = self.number()? as usize;
        let (text, rest) = self.rest.split_at_checked(len).ok_or(StructureError::Truncated)?;
        self.rest = rest;
        std::str::from_utf8(text).map(Into::into).map_err(|_| StructureError::Inconsistent)
    }

    fn part(&mut self, index: u32, count: u32, before: u32) -> Result<Part, StructureError> {
        let inconsistent = StructureError::Inconsistent;
        let code = self.octet()?;
        let kind = match code >> 4 {
            0 => PartKind::Leaf,
            1 => PartKind::Multipart,
            2 => PartKind::Message,
            _ => return Err(inconsistent),
        };
        let encoding = Encoding::from_code(code & 15).ok_or(inconsistent)?;
        let next = self.number()?.checked_add(index + 1).filter(|&next| next <= count).ok_or(inconsistent)?;
        let header_start = before.checked_add(self.number()?).ok_or(inconsistent)?;
        let body_start = header_start.checked_add(self.number()?).ok_or(inconsistent)?;
        let end = body_start.checked_add(self.number()?).ok_or(inconsistent)?;
        let lines = self.number()?;
        let (media_type, charset) = (self.text()?, self.text()?);
        Ok(Part { kind, encoding, header_start, body_start, end, lines, media_type, charset, next })
    }
}
