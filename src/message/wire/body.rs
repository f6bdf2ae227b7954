//! BODY out of a stored BODYSTRUCTURE: the same without extension data (RFC 9051 section 7.5.2).

use crate::types::limits::MIME_DEPTH_MAX;

/// `None` when the octets are no body structure of ours.
pub fn body_of(bodystructure: &[u8]) -> Option<Vec<u8>> {
    let mut copier = Copier { rest: bodystructure, out: Vec::with_capacity(bodystructure.len()) };
    copier.body(0)?;
    copier.rest.is_empty().then_some(copier.out)
}

struct Copier<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Copier<'a> {
    fn body(&mut self, depth: usize) -> Option<()> {
        // One more than parts can be nested: the stand-in for a message that can't be looked into.
        if depth > MIME_DEPTH_MAX + 1 {
            return None;
        }
        self.copy(b"(")?;
        if self.rest.starts_with(b"(") {
            while self.rest.starts_with(b"(") {
                self.body(depth + 1)?;
            }
            self.copy(b" ")?;
            self.value()?;
        } else {
            let main = self.value()?;
            self.copy(b" ")?;
            let sub = self.value()?;
            let is_message = main.eq_ignore_ascii_case(b"\"message\"") && sub.eq_ignore_ascii_case(b"\"rfc822\"");
            // Parameters, id, description, encoding, octets.
            for _ in 0..5 {
                self.copy(b" ")?;
                self.value()?;
            }
            if is_message {
                self.copy(b" ")?;
                self.value()?;
                self.copy(b" ")?;
                self.body(depth + 1)?;
            }
            if is_message || main.eq_ignore_ascii_case(b"\"text\"") {
                self.copy(b" ")?;
                self.value()?;
            }
        }
        // What is left up to the closing parenthesis is extension data.
        while self.skip(b" ").is_some() {
            self.rest = &self.rest[value_len(self.rest)?..];
        }
        self.copy(b")")
    }

    fn skip(&mut self, octets: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(octets)?;
        Some(())
    }

    fn copy(&mut self, octets: &[u8]) -> Option<()> {
        self.skip(octets)?;
        self.out.extend_from_slice(octets);
        Some(())
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        let (value, rest) = self.rest.split_at(value_len(self.rest)?);
        self.rest = rest;
        self.out.extend_from_slice(value);
        Some(value)
    }
}

/// Length of the string, literal, atom or parenthesised list at the beginning of `text`.
fn value_len(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at)? {
            b'(' => (depth, at) = (depth + 1, at + 1),
            b')' => (depth, at) = (depth.checked_sub(1)?, at + 1),
            b' ' if depth > 0 => at += 1,
            _ => at += scalar_len(&text[at..])?,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn scalar_len(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => {
            let mut at = 1;
            loop {
                match text.get(at)? {
                    b'\\' => at += 2,
                    b'"' => return Some(at + 1),
                    _ => at += 1,
                }
            }
        }
        b'{' => {
            let end = text.iter().take(12).position(|&byte| byte == b'}')?;
            let len: usize = std::str::from_utf8(&text[1..end]).ok()?.parse().ok()?;
            let total = len.checked_add(end + 3)?;
            (text.get(end + 1..end + 3)? == b"\r\n" && total <= text.len()).then_some(total)
        }
        _ => {
            let end = text.iter().position(|byte| b" ()\"{".contains(byte)).unwrap_or(text.len());
            (end > 0).then_some(end)
        }
    }
}
