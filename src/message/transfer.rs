//! Content transfer encodings (RFC 2045 section 6), both ways.

use super::content_type::hex;
use crate::types::limits::DECODER_KEPT_OCTETS_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// How a part's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    #[default]
    SevenBit,
    EightBit,
    Binary,
    QuotedPrintable,
    Base64,
    /// A name nobody registered: the body can't be decoded.
    Unknown,
}

impl Encoding {
    /// From the value of Content-Transfer-Encoding, comments and stray semicolons forgiven.
    pub fn parse(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let end = value.iter().position(|&byte| !super::content_type::is_token_octet(byte)).unwrap_or(value.len());
        let name = value[..end].to_ascii_lowercase();
        match name.as_slice() {
            b"7bit" => Self::SevenBit,
            // Said to be nothing in particular.
            b"" if value.is_empty() => Self::SevenBit,
            b"8bit" => Self::EightBit,
            b"binary" => Self::Binary,
            b"quoted-printable" => Self::QuotedPrintable,
            b"base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }

    /// Whether the body's octets are the content's.
    pub fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }

    /// The content. `None` for an unknown encoding, which RFC 9051 section 6.4.5.1 answers with UNKNOWN-CTE.
    pub fn decode(self, body: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::SevenBit | Self::EightBit | Self::Binary => Some(Cow::Borrowed(body)),
            Self::Base64 => Some(Cow::Owned(decode_base64(body))),
            Self::QuotedPrintable => Some(Cow::Owned(decode_quoted_printable(body, Underscore::IsItself))),
            Self::Unknown => None,
        }
    }

    /// The same for a body that comes in pieces.
    pub fn decoder(self) -> Option<Decoder> {
        let state = match self {
            Self::SevenBit | Self::EightBit | Self::Binary => Decoding::Identity,
            Self::Base64 => Decoding::Base64(Base64Group::default()),
            Self::QuotedPrintable => Decoding::QuotedPrintable(Vec::new()),
            Self::Unknown => return None,
        };
        Some(Decoder(state))
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::SevenBit => 0,
            Self::EightBit => 1,
            Self::Binary => 2,
            Self::QuotedPrintable => 3,
            Self::Base64 => 4,
            Self::Unknown => 5,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::SevenBit,
            1 => Self::EightBit,
            2 => Self::Binary,
            3 => Self::QuotedPrintable,
            4 => Self::Base64,
            5 => Self::Unknown,
            _ => return None,
        })
    }
}

/// A body's content piece by piece: what of it can be told yet.
#[derive(Clone, Debug)]
pub struct Decoder(Decoding);

#[derive(Clone, Debug)]
enum Decoding {
    Identity,
    Base64(Base64Group),
    /// With what may mean something else once more has come.
    QuotedPrintable(Vec<u8>),
}

impl Decoder {
    pub fn push(&mut self, mut piece: Vec<u8>) -> Vec<u8> {
        match &mut self.0 {
            Decoding::Identity => piece,
            Decoding::Base64(group) => {
                let mut out = Vec::with_capacity(piece.len() / 4 * 3 + 3);
                group.push(&piece, &mut out);
                out
            }
            Decoding::QuotedPrintable(kept) => {
                if !kept.is_empty() {
                    kept.append(&mut piece);
                    piece = std::mem::take(kept);
                }
                // Blanks and escapes without an end are no text; they need not come out as they would of the whole.
                let cut = if piece.len() > DECODER_KEPT_OCTETS_MAX { piece.len() } else { certain(&piece) };
                *kept = piece.split_off(cut);
                decode_quoted_printable(&piece, Underscore::IsItself)
            }
        }
    }

    /// The body is over.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Decoding::Identity => Vec::new(),
            Decoding::Base64(group) => {
                let mut out = Vec::new();
                group.finish(&mut out);
                out
            }
            Decoding::QuotedPrintable(kept) => decode_quoted_printable(&kept, Underscore::IsItself),
        }
    }
}

/// How much of quoted-printable text means the same whatever follows: up to the last octet that is neither a blank, which
/// a line end would take away, nor a CR, nor in the middle of an escape.
fn certain(text: &[u8]) -> usize {
    let is_certain =
        |end: usize| !matches!(text[end - 1], b' ' | b'\t' | b'\r' | b'=') && (end < 2 || text[end - 2] != b'=');
    (1..=text.len()).rev().find(|&end| is_certain(end)).unwrap_or(0)
}

/// RFC 2045 section 6.8: octets outside the alphabet are skipped. Padding ends a group, not the text, since some
/// mailers glue encoded pieces together.
pub(super) fn decode_base64(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() / 4 * 3 + 3);
    let mut group = Base64Group::default();
    group.push(body, &mut out);
    group.finish(&mut out);
    out
}

/// Up to four characters that become three octets.
#[derive(Clone, Copy, Debug, Default)]
struct Base64Group {
    bits: u32,
    count: u32,
}

impl Base64Group {
    fn push(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let Self { mut bits, mut count } = *self;
        for &byte in body {
            let value = BASE64_VALUES[usize::from(byte)];
            if value < 64 {
                bits = bits << 6 | u32::from(value);
                count += 1;
                if count == 4 {
                    out.extend_from_slice(&bits.to_be_bytes()[1..]);
                    (bits, count) = (0, 0);
                }
            } else if byte == b'=' && count > 0 {
                Self { bits, count }.finish(out);
                (bits, count) = (0, 0);
            }
        }
        *self = Self { bits, count };
    }

    fn finish(self, out: &mut Vec<u8>) {
        match self.count {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
    }
}

/// 255 for octets outside the alphabet.
const BASE64_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values
};

/// RFC 2047 section 4.2 makes `_` a space in encoded words; in bodies it stands for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Underscore {
    IsItself,
    IsSpace,
}

/// RFC 2045 section 6.7. Broken escapes stay as they are; blanks before a line end go (rule 3).
pub(super) fn decode_quoted_printable(body: &[u8], underscore: Underscore) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    // Where the last blanks that may have to go begin in `out`; what an escape gave is content and stays.
    let mut solid = 0;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'=' => {
                if let (Some(high), Some(low)) =
                    (after.first().copied().and_then(hex), after.get(1).copied().and_then(hex))
                {
                    out.push(high << 4 | low);
                    rest = &after[2..];
                    solid = out.len();
                } else if let Some(next_line) = soft_break(after) {
                    rest = next_line;
                    solid = out.len();
                } else {
                    out.push(b'=');
                    solid = out.len();
                }
            }
            b'_' if underscore == Underscore::IsSpace => {
                out.push(b' ');
                solid = out.len();
            }
            b'\n' | b'\r' => {
                if byte == b'\n' || after.first() == Some(&b'\n') {
                    while out.len() > solid && matches!(out.last(), Some(b' ' | b'\t')) {
                        out.pop();
                    }
                }
                out.push(byte);
                solid = out.len();
            }
            other => out.push(other),
        }
    }
    out
}

/// What follows a soft line break, when `after` (behind the `=`) is one: blanks, then a line end or the end of all.
fn soft_break(after: &[u8]) -> Option<&[u8]> {
    let blanks = after.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(after.len());
    let line_end = &after[blanks..];
    if line_end.is_empty() {
        return Some(line_end);
    }
    line_end.strip_prefix(b"\r\n").or_else(|| line_end.strip_prefix(b"\n"))
}

/// Base64 in lines of 76 (RFC 2045 section 6.8), each ended by CRLF.
pub(super) fn encode_base64(content: &[u8], out: &mut Vec<u8>) {
    let mut line = [0; 76];
    for chunk in content.chunks(57) {
        // 57 octets become exactly 76 characters, so the slice is always long enough.
        if let Ok(written) = STANDARD.encode_slice(chunk, &mut line) {
            out.extend_from_slice(&line[..written]);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Quoted-printable. CRLF is a line end and stays; a bare CR or LF is content and is escaped.
pub(super) fn encode_quoted_printable(content: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut at = 0;
    while let Some(&byte) = content.get(at) {
        if content[at..].starts_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (column, at) = (0, at + 2);
            continue;
        }
        let line_ends_next = at + 1 == content.len() || content[at + 1..].starts_with(b"\r\n");
        let plain = match byte {
            b'=' => false,
            // Rule 3: no blank may stand at the end of a line.
            b' ' | b'\t' => !line_ends_next,
            // Not required by RFC 2045, but a line "From " or "." on its own is changed by some transports.
            b'F' if column == 0 => !content[at..].starts_with(b"From "),
            b'.' if column == 0 => false,
            other => other.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        // Rule 5: at most 76 characters a line; the last column is for the `=` of a soft break.
        let room = if line_ends_next { 76 } else { 75 };
        if column + width > room {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            continue;
        }
        if plain {
            out.push(byte);
        } else {
            push_escape(out, byte);
        }
        column += width;
        at += 1;
    }
}

/// `=4F`: hexadecimal in upper case (RFC 2045 section 6.7 rule 1).
pub(super) fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'=', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bodies_are_decoded() {
        let check = |encoding: &str, body: &str, expected: Option<&str>| {
            let decoded = Encoding::parse(encoding.as_bytes()).decode(body.as_bytes()).map(Cow::into_owned);
            assert_eq!(decoded.as_deref(), expected.map(str::as_bytes), "{encoding} {body:?}");
        };
        check("base64", "aGVs\r\nbG8=\r\n", Some("hello"));
        check("BASE64 (x)", "aGVsbG8", Some("hello"));
        check("base64", "aGk=aGk=", Some("hihi"));
        check("base64", "a*G!k", Some("hi"));
        check("base64", "a", Some(""));
        check("quoted-printable", "a=20=\r\nb=3Dc  \r\nd=", Some("a b=c\r\nd"));
        check("quoted-printable;", "a=zz_=C3=bc=\n!", Some("a=zz_ü!"));
        check("quoted-printable", "a= \t\r\nb =20 \r\n", Some("ab  \r\n"));
        check("7bit", "a=20", Some("a=20"));
        check("", "x", Some("x"));
        check("x-uuencode", "x", None);
    }

    fn longest(octets: &[u8]) -> usize {
        octets.split(|&byte| byte == b'\n').map(<[u8]>::len).max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn encoders_and_decoders_are_inverse(content: Vec<u8>) {
            let mut base64 = Vec::new();
            encode_base64(&content, &mut base64);
            prop_assert_eq!(&decode_base64(&base64), &content);
            let mut quoted = Vec::new();
            encode_quoted_printable(&content, &mut quoted);
            prop_assert_eq!(&decode_quoted_printable(&quoted, Underscore::IsItself), &content);
            prop_assert!(quoted.is_ascii() && longest(&quoted) <= 77 && longest(&base64) <= 77);
        }

        #[test]
        fn pieces_are_decoded_as_the_whole(body in "[A=\\r\\n \t4z]{0,60}", cuts in proptest::collection::vec(0_usize..60, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            for encoding in [Encoding::Base64, Encoding::QuotedPrintable, Encoding::EightBit] {
                let mut decoder = encoding.decoder().unwrap();
                let (mut decoded, mut from) = (Vec::new(), 0);
                for cut in cuts.iter().copied().chain([body.len()]) {
                    decoded.extend(decoder.push(body.as_bytes()[from..cut].to_vec()));
                    from = cut;
                }
                decoded.extend(decoder.finish());
                prop_assert_eq!(&decoded, &encoding.decode(body.as_bytes()).unwrap().into_owned(), "{:?}", encoding);
            }
        }

        #[test]
        fn text_lines_survive(lines in proptest::collection::vec("[ -~äé\t]{0,120}", 0..6)) {
            let content = lines.join("\r\n");
            let mut quoted = Vec::new();
            encode_quoted_printable(content.as_bytes(), &mut quoted);
            prop_assert_eq!(decode_quoted_printable(&quoted, Underscore::IsItself), content.as_bytes());
            prop_assert!(longest(&quoted) <= 77);
        }
    }
}
