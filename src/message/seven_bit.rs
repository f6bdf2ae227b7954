//! A message for a peer that takes only seven bits, or no binary: leaf parts are re-encoded (RFC 6152 section 3).

use super::content_type::ContentType;
use super::edit::HeaderEdit;
use super::field::{HeaderFields, body_offset};
use super::line_ends::OctetFacts;
use super::new_field::NewField;
use super::structure::{Part, PartKind, Structure};
use super::transfer::{Encoding, encode_base64, encode_quoted_printable};
use crate::types::BodyKind;
use std::borrow::Cow;

/// Why a message can't be made seven-bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SevenBitError {
    /// RFC 1847 section 2.1: what is signed must not be touched on its way.
    Signed,
    /// A header has eight-bit octets: only a peer with SMTPUTF8 may get it.
    Header,
    /// A multipart or message that can't be looked into: RFC 2045 section 6.4 allows it no encoding.
    Opaque,
    /// The part's encoding is unknown, so it can't be changed into another.
    UnknownEncoding,
}

impl std::fmt::Display for SevenBitError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Signed => "the message is signed and must not be re-encoded for a peer without 8BITMIME",
            Self::Header => "the message's header has non-ASCII text and the peer has no SMTPUTF8",
            Self::Opaque => "a part of the message may not be re-encoded for a peer without 8BITMIME",
            Self::UnknownEncoding => "a part of the message has an unknown transfer encoding and can't be re-encoded",
        })
    }
}

impl std::error::Error for SevenBitError {}

/// The same message in lines of seven-bit octets. Borrowed when it is that already.
pub fn to_seven_bit<'a>(raw: &'a [u8], structure: &Structure) -> Result<Cow<'a, [u8]>, SevenBitError> {
    if OctetFacts::of(raw).kind() == BodyKind::SevenBit {
        return Ok(Cow::Borrowed(raw));
    }
    let mut converter = Converter { raw, out: Vec::with_capacity(raw.len() + raw.len() / 4), copied: 0 };
    let mut signed_until = 0;
    for (index, part) in structure.parts().iter().enumerate() {
        // Inside a signed part nothing changes, not even a header that says more than it needs to.
        if part.header_start < signed_until {
            continue;
        }
        if matches!(&*part.media_type, "multipart/signed" | "multipart/encrypted") {
            if OctetFacts::of(part.body_in(raw)).kind() != BodyKind::SevenBit {
                return Err(SevenBitError::Signed);
            }
            signed_until = part.end;
        }
        converter.part(part, index == 0)?;
    }
    converter.between(raw.len());
    Ok(Cow::Owned(converter.out))
}

/// Whether any header, of the message or of a part, has octets that only SMTPUTF8 may carry (RFC 6532).
pub fn has_eight_bit_header(raw: &[u8], structure: &Structure) -> bool {
    structure.parts().iter().any(|part| !part.header_in(raw).is_ascii())
}

struct Converter<'a> {
    raw: &'a [u8],
    out: Vec<u8>,
    /// Everything before this has been written.
    copied: usize,
}

impl Converter<'_> {
    fn part(&mut self, part: &Part, is_root: bool) -> Result<(), SevenBitError> {
        self.between(part.header_start as usize);
        let header = part.header_in(self.raw);
        if !header.is_ascii() {
            return Err(SevenBitError::Header);
        }
        self.copied = part.body_start as usize;
        if part.kind != PartKind::Leaf {
            // What is inside says its own encoding; RFC 2045 section 6.4.
            let unchanged = matches!(part.encoding, Encoding::SevenBit);
            self.header(header, if unchanged { None } else { Some("7bit") }, is_root);
            return Ok(());
        }
        let body = part.body_in(self.raw);
        if OctetFacts::of(body).kind() == BodyKind::SevenBit {
            let says_more = matches!(part.encoding, Encoding::EightBit | Encoding::Binary);
            self.header(header, says_more.then_some("7bit"), is_root);
            self.out.extend_from_slice(body);
        } else {
            self.encoded(part, header, body, is_root)?;
        }
        self.copied = part.end as usize;
        Ok(())
    }

    fn encoded(&mut self, part: &Part, header: &[u8], body: &[u8], is_root: bool) -> Result<(), SevenBitError> {
        let content_type = HeaderFields::first(header, "Content-Type");
        let is_composite = content_type.and_then(|field| ContentType::parse(field.value())).is_some_and(|parsed| {
            parsed.main.eq_ignore_ascii_case(b"multipart") || parsed.main.eq_ignore_ascii_case(b"message")
        });
        if is_composite {
            return Err(SevenBitError::Opaque);
        }
        let content = part.encoding.decode(body).ok_or(SevenBitError::UnknownEncoding)?;
        let quoted = match part.encoding {
            Encoding::QuotedPrintable => true,
            Encoding::Base64 => false,
            _ => part.is_text() && is_mostly_ascii(&content),
        };
        self.header(header, Some(if quoted { "quoted-printable" } else { "base64" }), is_root);
        if content_type.is_none() && is_root {
            // The header section just written ends with its blank line, if it has one.
            let charset = if std::str::from_utf8(&content).is_ok() { "utf-8" } else { "unknown-8bit" };
            self.insert(&NewField::ours("Content-Type", &format!("text/plain; charset={charset}")));
        }
        let start = self.out.len();
        if quoted {
            encode_quoted_printable(&content, &mut self.out);
        } else {
            encode_base64(&content, &mut self.out);
            // The line end before a delimiter belongs to it, and comes with what follows.
            if !part_ends_message(part, self.raw) && self.out.len() > start {
                self.out.truncate(self.out.len() - 2);
            }
        }
        Ok(())
    }

    /// The header with that encoding instead of its own.
    fn header(&mut self, header: &[u8], encoding: Option<&str>, is_root: bool) {
        let Some(encoding) = encoding else {
            self.out.extend_from_slice(header);
            return;
        };
        let mut edit = HeaderEdit::new(header);
        edit.remove_all("Content-Transfer-Encoding");
        let mut added = Vec::with_capacity(2);
        if is_root && HeaderFields::first(header, "MIME-Version").is_none() {
            added.push(NewField::ours("MIME-Version", "1.0"));
        }
        added.push(NewField::ours("Content-Transfer-Encoding", encoding));
        edit.append(&added);
        let mut written = edit.into_header();
        if body_offset(&written) == written.len() && !written.ends_with(b"\r\n\r\n") && !header.is_empty() {
            // A header that ended at a delimiter gets the blank line that its new fields need.
            let has_blank =
                header.ends_with(b"\n\n") || header.ends_with(b"\n\r\n") || header == b"\n" || header == b"\r\n";
            if !has_blank {
                written.extend_from_slice(b"\r\n");
            }
        }
        self.out.extend_from_slice(&written);
    }

    /// Puts a field before the blank line at the end of what is written.
    fn insert(&mut self, field: &NewField) {
        let blank = if self.out.ends_with(b"\r\n\r\n") { 2 } else { usize::from(self.out.ends_with(b"\n\n")) };
        let at = self.out.len() - blank;
        self.out.splice(at..at, field.raw().iter().copied());
    }

    /// Delimiters, and the texts around parts, which nobody reads (RFC 2046 section 5.1.1): octets that may not stay
    /// become question marks.
    fn between(&mut self, end: usize) {
        let text = self.raw.get(self.copied..end).unwrap_or_default();
        self.out.extend(text.iter().map(|&byte| if byte.is_ascii() && byte != 0 { byte } else { b'?' }));
        self.copied = self.copied.max(end);
    }
}

fn part_ends_message(part: &Part, raw: &[u8]) -> bool {
    part.end as usize == raw.len()
}

/// Whether quoted-printable is shorter than base64, and readable.
fn is_mostly_ascii(content: &[u8]) -> bool {
    let escaped = content.iter().filter(|byte| !byte.is_ascii() || **byte == 0).count();
    escaped * 6 <= content.len()
}

#[cfg(test)]
mod tests {
    use super::super::Parsed;
    use super::super::structure::tests::mailish;
    use super::*;
    use proptest::prelude::*;

    fn check(raw: &str, expected: Result<&str, SevenBitError>) {
        let structure = Structure::scan(raw.as_bytes());
        let converted = to_seven_bit(raw.as_bytes(), &structure);
        let shown = converted.as_deref().map(|octets| String::from_utf8_lossy(octets).into_owned());
        assert_eq!(shown.as_deref().map_err(|error| **error), expected, "{raw}");
    }

    #[test]
    fn leaves_are_encoded() {
        check("Subject: x\r\n\r\nplain\r\n", Ok("Subject: x\r\n\r\nplain\r\n"));
        check(
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nX: 1\r\n\r\ngrün und mehr\r\n",
            Ok("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX: 1\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn und mehr\r\n"),
        );
        check(
            "Subject: x\r\n\r\nüüü",
            Ok("Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\
                Content-Type: text/plain; charset=utf-8\r\n\r\nw7zDvMO8\r\n"),
        );
        check(
            "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nvör\r\n--b\r\n\
                Content-Type: a/b\r\n\r\nä\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b--\r\n",
            Ok(
                "Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
                v??r\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nw6Q=\r\n--b\r\n\
                Content-Transfer-Encoding: 7bit\r\n\r\nplain\r\n--b--\r\n",
            ),
        );
        let long = format!("MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n{}", "x".repeat(1200));
        let converted = to_seven_bit(long.as_bytes(), &Structure::scan(long.as_bytes())).expect("can be encoded");
        assert_eq!(OctetFacts::of(&converted).kind(), BodyKind::SevenBit);
    }

    #[test]
    fn what_must_not_be_touched_is_refused() {
        let signed = "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n";
        check(&format!("{signed}ü\r\n--b--\r\n"), Err(SevenBitError::Signed));
        check(
            &format!("Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n{signed}ü\r\n--b--\r\n--c--"),
            Err(SevenBitError::Signed),
        );
        let inner = format!("{signed}plain\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b--");
        let raw = format!("Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n{inner}\r\n--c\r\n\r\nü\r\n--c--");
        let converted =
            to_seven_bit(raw.as_bytes(), &Structure::scan(raw.as_bytes())).expect("only the other part changes");
        assert!(memchr::memmem::find(&converted, inner.as_bytes()).is_some());
        check("Subject: ü\r\n\r\nx", Err(SevenBitError::Header));
        check("Content-Type: message/delivery-status\r\n\r\nü", Err(SevenBitError::Opaque));
        check("Content-Transfer-Encoding: x-odd\r\n\r\nü", Err(SevenBitError::UnknownEncoding));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_is_converted_says_the_same(raw in mailish()) {
            let raw = super::super::to_crlf(&raw).into_owned();
            let parsed = Parsed::parse(&raw);
            if let Ok(converted) = to_seven_bit(&raw, parsed.structure()) {
                prop_assert!(converted.is_ascii(), "{}", converted.escape_ascii());
                let again = Parsed::parse(&converted);
                let kinds = |parsed: &Parsed<'_>| -> Vec<_> {
                    parsed.structure().parts().iter().map(|part| (part.kind, part.media_type.clone())).collect()
                };
                prop_assert_eq!(kinds(&parsed), kinds(&again), "{}", converted.escape_ascii());
                for (before, after) in parsed.structure().parts().iter().zip(again.structure().parts()) {
                    if before.kind == PartKind::Leaf {
                        let old = before.decode(before.body_in(&raw)).map(Cow::into_owned);
                        let new = after.decode(after.body_in(&converted)).map(Cow::into_owned);
                        prop_assert_eq!(old, new, "{}", converted.escape_ascii());
                    }
                }
            }
        }
    }
}
