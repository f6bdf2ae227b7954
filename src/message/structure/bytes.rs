//! The stored form of a [`Structure`]: a version, the number of parts, then for each part a kind, variable-length
//! numbers relative to the part before, and its names. About 25 octets a part.

use super::super::stored::{Reader, StoredError, push_number, push_text};
use super::super::transfer::Encoding;
use super::{Part, PartKind, Structure};
use crate::types::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};

const VERSION: u8 = 1;

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
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let count = reader.number()?;
        if count == 0 || count > MIME_PARTS_MAX as u32 {
            return Err(StoredError::Inconsistent);
        }
        let mut parts = Vec::with_capacity(count.min(64) as usize);
        let mut before = 0;
        for index in 0..count {
            let part = read_part(&mut reader, index, count, before)?;
            before = part.header_start;
            parts.push(part);
        }
        reader.end()?;
        check_nesting(&parts)?;
        Ok(Self { parts })
    }
}

fn check_nesting(parts: &[Part]) -> Result<(), StoredError> {
    let inconsistent = Err(StoredError::Inconsistent);
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

fn read_part(reader: &mut Reader<'_>, index: u32, count: u32, before: u32) -> Result<Part, StoredError> {
    let inconsistent = StoredError::Inconsistent;
    let code = reader.octet()?;
    let kind = match code >> 4 {
        0 => PartKind::Leaf,
        1 => PartKind::Multipart,
        2 => PartKind::Message,
        _ => return Err(inconsistent),
    };
    let encoding = Encoding::from_code(code & 15).ok_or(inconsistent)?;
    let next = reader.number()?.checked_add(index + 1).filter(|&next| next <= count).ok_or(inconsistent)?;
    let header_start = before.checked_add(reader.number()?).ok_or(inconsistent)?;
    let body_start = header_start.checked_add(reader.number()?).ok_or(inconsistent)?;
    let end = body_start.checked_add(reader.number()?).ok_or(inconsistent)?;
    let lines = reader.number()?;
    let (media_type, charset) = (reader.text()?.into(), reader.text()?.into());
    Ok(Part { kind, encoding, header_start, body_start, end, lines, media_type, charset, next })
}
