//! The values of Content-Type and Content-Disposition: a word or two, and parameters.
//!
//! Parameters are kept as received; [`joined`] gives them as BODYSTRUCTURE wants them, [`parameter_text`] what RFC 2231
//! and RFC 2047 make of one.

use super::{charset, encoded_word};
use crate::types::limits::MIME_PARAMETERS_MAX;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `name=value` as written, unquoted and unfolded, neither decoded nor joined.
pub(super) type Parameter<'a> = (&'a [u8], Cow<'a, [u8]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentType<'a> {
    pub(super) main: &'a [u8],
    pub(super) sub: &'a [u8],
    pub(super) parameters: Vec<Parameter<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disposition<'a> {
    pub(super) kind: &'a [u8],
    pub(super) parameters: Vec<Parameter<'a>>,
}

impl<'a> ContentType<'a> {
    /// `None` when it breaks the syntax: RFC 2045 section 5.2 then wants the default type.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor { rest: value };
        let main = cursor.token()?;
        cursor.skip_blanks();
        cursor.rest = cursor.rest.strip_prefix(b"/")?;
        let sub = cursor.token()?;
        Some(Self { main, sub, parameters: cursor.parameters() })
    }

    pub(super) fn is(&self, main: &str, sub: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes()) && self.sub.eq_ignore_ascii_case(sub.as_bytes())
    }

    /// Whatever form it is written in (RFC 2231), without regard to its character set.
    pub(super) fn parameter(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let plain = raw_parameter(&self.parameters, name).map(Cow::Borrowed);
        plain.or_else(|| extended_parameter(&self.parameters, name).map(|(_, octets)| Cow::Owned(octets)))
    }
}

impl<'a> Disposition<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor { rest: value };
        let kind = cursor.token()?;
        Some(Self { kind, parameters: cursor.parameters() })
    }
}

fn raw_parameter<'a>(parameters: &'a [Parameter<'_>], name: &str) -> Option<&'a [u8]> {
    parameters.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.as_ref())
}

/// The value of a parameter as text: RFC 2231 pieces joined and decoded, or, as many mailers write it against the
/// standard, encoded words inside a plain value.
pub(super) fn parameter_text(parameters: &[Parameter<'_>], name: &str) -> Option<String> {
    let Some((label, octets)) = extended_parameter(parameters, name) else {
        let plain = raw_parameter(parameters, name)?;
        return Some(encoded_word::decode(plain).into_owned());
    };
    Some(charset::decode(label, &octets).into_owned())
}

/// The character set and the octets of a value in the form of RFC 2231: pieces, or what is percent-encoded.
fn extended_parameter<'p>(parameters: &'p [Parameter<'_>], name: &str) -> Option<(&'p [u8], Vec<u8>)> {
    let mut pieces: BTreeMap<u32, (bool, &[u8])> = BTreeMap::new();
    for (found, value) in parameters {
        let Some(rest) = strip_prefix_ignoring_case(found, name.as_bytes()) else { continue };
        let Some(rest) = rest.strip_prefix(b"*") else { continue };
        let (number, extended) = match rest.strip_suffix(b"*") {
            Some(number) => (number, true),
            None if rest.is_empty() => (&b"0"[..], true),
            None => (rest, false),
        };
        let number = if number.is_empty() { &b"0"[..] } else { number };
        let Some(number) = std::str::from_utf8(number).ok().and_then(|digits| digits.parse().ok()) else { continue };
        pieces.entry(number).or_insert((extended, value));
    }
    if pieces.is_empty() {
        return None;
    }
    let (mut label, mut octets) = (&b""[..], Vec::new());
    for (expected, (number, (extended, value))) in pieces.iter().enumerate() {
        // RFC 2231 section 3: pieces count up from 0; one that is missing ends the value.
        if usize::try_from(*number) != Ok(expected) {
            break;
        }
        let mut value = *value;
        if expected == 0 && *extended {
            // RFC 2231 section 4: charset'language'text.
            let mut parts = value.splitn(3, |&byte| byte == b'\'');
            if let (Some(charset), Some(_), Some(text)) = (parts.next(), parts.next(), parts.next()) {
                (label, value) = (charset, text);
            }
        }
        if *extended { percent_decode(value, &mut octets) } else { octets.extend_from_slice(value) }
    }
    Some((label, octets))
}

/// Parameters whose pieces are one again (RFC 2231 section 6: IMAP shows none); what is percent-encoded stays so. Pieces
/// that do not count up from 0 stay as they are.
pub(super) fn joined<'a>(parameters: &[Parameter<'a>]) -> Vec<Parameter<'a>> {
    let pieces: Vec<Option<Piece<'_>>> = parameters.iter().map(|(name, _)| Piece::of(name)).collect();
    let mut taken = vec![false; parameters.len()];
    let mut whole: Vec<Option<Parameter<'a>>> = vec![None; parameters.len()];
    for (place, (name, _)) in parameters.iter().enumerate() {
        let Some(Piece { base, number: 0, .. }) = &pieces[place] else { continue };
        let mut chain: Vec<(bool, &[u8])> = Vec::new();
        let next = |number: usize, taken: &[bool]| {
            let is_next = |piece: &Piece<'_>| piece.number == number && piece.base.eq_ignore_ascii_case(base);
            (0..pieces.len()).find(|at| !taken[*at] && pieces[*at].as_ref().is_some_and(is_next))
        };
        while let Some(at) = next(chain.len(), &taken) {
            taken[at] = true;
            chain.push((pieces[at].as_ref().is_some_and(|piece| piece.extended), &parameters[at].1));
        }
        let is_extended = chain.iter().any(|(extended, _)| *extended);
        let mut value = Vec::new();
        if is_extended && chain.first().is_some_and(|(extended, _)| !extended) {
            // RFC 2231 section 4: without a character set in the first piece there is none.
            value.extend_from_slice(b"''");
        }
        for (extended, piece) in chain {
            match is_extended && !extended {
                true => percent_encode(piece, &mut value),
                false => value.extend_from_slice(piece),
            }
        }
        let name_octets = base.len() + usize::from(is_extended);
        whole[place] = Some((&name[..name_octets], value.into()));
    }
    let shown = whole.into_iter().zip(taken).zip(parameters);
    shown.filter_map(|((whole, taken), one)| whole.or_else(|| (!taken).then(|| one.clone()))).collect()
}

/// `name*0`, `name*1*`.
struct Piece<'a> {
    base: &'a [u8],
    number: usize,
    extended: bool,
}

impl<'a> Piece<'a> {
    fn of(name: &'a [u8]) -> Option<Self> {
        let (rest, extended) = match name.strip_suffix(b"*") {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let star = rest.iter().rposition(|&byte| byte == b'*').filter(|star| *star > 0)?;
        let digits = &rest[star + 1..];
        let plain = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || !digits.starts_with(b"0"));
        let number = std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()?;
        Some(Self { base: &rest[..star], number, extended })
    }
}

/// RFC 2231 section 7: all but what an attribute may have.
fn percent_encode(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        if is_token_octet(byte) && !b"*'%".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let pair = (after.first().copied().and_then(hex), after.get(1).copied().and_then(hex));
        if let (b'%', (Some(high), Some(low))) = (byte, pair) {
            out.push(high << 4 | low);
            rest = &after[2..];
        } else {
            out.push(byte);
            rest = after;
        }
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 2045 section 5.1.
pub(super) fn is_token_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// White space, line ends and comments.
    fn skip_blanks(&mut self) {
        while let Some(&byte) = self.rest.first() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.rest = &self.rest[1..],
                b'(' => self.rest = skip_comment(self.rest).1,
                _ => return,
            }
        }
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        self.skip_blanks();
        let end = self.rest.iter().position(|&byte| !is_token_octet(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// Takes what mailers write: a semicolon left out before the first parameter, values with blanks or slashes that
    /// should have been quoted, empty parameters.
    fn parameters(&mut self) -> Vec<Parameter<'a>> {
        let mut parameters = Vec::new();
        while parameters.len() < MIME_PARAMETERS_MAX {
            self.skip_blanks();
            if self.rest.is_empty() {
                break;
            }
            if let Some(rest) = self.rest.strip_prefix(b";") {
                self.rest = rest;
                continue;
            }
            let Some(name) = self.token() else {
                self.skip_to_semicolon();
                continue;
            };
            self.skip_blanks();
            let Some(rest) = self.rest.strip_prefix(b"=") else {
                self.skip_to_semicolon();
                continue;
            };
            self.rest = rest;
            self.skip_blanks();
            parameters.push((name, self.parameter_value()));
        }
        parameters
    }

    fn parameter_value(&mut self) -> Cow<'a, [u8]> {
        if let Some(quoted) = self.rest.strip_prefix(b"\"") {
            let (content, rest) = quoted_string(quoted);
            self.rest = rest;
            return content;
        }
        let end = memchr::memchr2(b';', b'(', self.rest).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        super::field::unfold(value)
    }

    fn skip_to_semicolon(&mut self) {
        // Always forward: whatever stopped the token is not taken for one again.
        let from = usize::from(!self.rest.is_empty() && !self.rest.starts_with(b";"));
        self.rest = memchr::memchr(b';', &self.rest[from..]).map_or(&[], |found| &self.rest[from + found..]);
    }
}

/// `text` begins behind the opening quote. Gives the content, unescaped and unfolded, and what follows the closing
/// quote. Without one, all the rest is content.
pub(super) fn quoted_string(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let plain = memchr::memchr3(b'"', b'\\', b'\r', text).unwrap_or(text.len());
    if text.get(plain) == Some(&b'"') && memchr::memchr(b'\n', &text[..plain]).is_none() {
        return (Cow::Borrowed(&text[..plain]), &text[plain + 1..]);
    }
    let mut content = Vec::with_capacity(plain + 16);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return (Cow::Owned(content), &text[at + 1..]),
            b'\\' if text.get(at + 1).is_some_and(|next| !matches!(next, b'\r' | b'\n')) => {
                content.push(text[at + 1]);
                at += 1;
            }
            b'\r' | b'\n' => {}
            other => content.push(other),
        }
        at += 1;
    }
    (Cow::Owned(content), &[])
}

/// `text` begins with `(`. Gives the content, unescaped and unfolded, and what follows the comment.
pub(super) fn skip_comment(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut depth, mut content, mut at) = (0_usize, Vec::new(), 0);
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'(' => {
                depth += 1;
                if depth > 1 {
                    content.push(byte);
                }
            }
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return (content, &text[at..]);
                }
                content.push(byte);
            }
            b'\\' if at < text.len() => {
                content.push(text[at]);
                at += 1;
            }
            b'\r' | b'\n' => {}
            other => content.push(other),
        }
    }
    (content, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        let Some(parsed) = ContentType::parse(value.as_bytes()) else { return "none".into() };
        let mut out = format!("{}/{}", String::from_utf8_lossy(parsed.main), String::from_utf8_lossy(parsed.sub));
        for (name, value) in parsed.parameters {
            out += &format!(" {}=<{}>", String::from_utf8_lossy(name), String::from_utf8_lossy(&value));
        }
        out
    }

    #[test]
    fn types_as_mailers_write_them() {
        let check = |value: &str, expected: &str| assert_eq!(shown(value), expected, "{value:?}");
        check(" text/plain; charset=us-ascii", "text/plain charset=<us-ascii>");
        check("Text / HTML ; Charset=\"utf-8\"", "Text/HTML Charset=<utf-8>");
        check("text/plain charset=utf-8", "text/plain charset=<utf-8>");
        check("(a (b) c)multipart/mixed;(x)boundary = \"a\\\"b\" (y)", "multipart/mixed boundary=<a\"b>");
        check("multipart/mixed;\r\n\tboundary=\"a\r\n b\"", "multipart/mixed boundary=<a b>");
        check("image/png; name=my file.png; x", "image/png name=<my file.png>");
        check("a/b; n*0*=utf-8''%41; n*1=b", "a/b n*0*=<utf-8''%41> n*1=<b>");
        check("a/b; =x; ;; y=", "a/b y=<>");
        check("a/b; x=\"open", "a/b x=<open>");
        check("text", "none");
        check("text/", "none");
        check("/plain", "none");
        check("", "none");
        check("text\u{e9}/plain", "none");
    }

    #[test]
    fn pieces_become_one() {
        let check = |value: &str, expected: &str| {
            let parsed = Disposition::parse(value.as_bytes()).expect("has a token");
            let shown = joined(&parsed.parameters)
                .into_iter()
                .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(&value)));
            assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{value:?}");
        };
        check("a; filename=x; size=3", "filename=x; size=3");
        check("a; n*0=a; size=3; N*1=\"b c\"", "n=ab c; size=3");
        check("a; n*1*=%20; n*0*=utf-8'en'a; n*2=\"isn't (b)%\"", "n*=utf-8'en'a%20isn%27t%20%28b%29%25");
        check("a; n*0=\"a b\"; n*1*=%C3", "n*=''a%20b%C3");
        check("a; n*=utf-8''a", "n*=utf-8''a");
        check("a; n*1=b; n*2=c", "n*1=b; n*2=c");
        check("a; n*0=a; n*2=c; n*00=d", "n=a; n*2=c; n*00=d");
        check("a; n*0=a; n*0=b; n*1=c", "n=ac; n=b");
    }

    #[test]
    fn parameters_become_text() {
        let check = |value: &str, expected: Option<&str>| {
            let parsed = Disposition::parse(value.as_bytes()).expect("has a token");
            assert_eq!(parameter_text(&parsed.parameters, "filename").as_deref(), expected, "{value:?}");
        };
        check("attachment; filename=a.txt", Some("a.txt"));
        check("attachment; filename*=utf-8'de'gr%C3%BCn.txt; filename=x", Some("grün.txt"));
        check("attachment; filename*1*=%C3%BCn; filename*0*=iso-8859-1''gr", Some("grÃ¼n"));
        check("attachment; filename*0=a; filename*1=b; filename*3=c", Some("ab"));
        check("attachment; filename=\"=?utf-8?Q?gr=C3=BCn?=\"", Some("grün"));
        check("attachment; filename*=%zz%4", Some("%zz%4"));
        check("attachment; filename*999999999999999=a", None);
        check("attachment", None);
    }

    #[test]
    fn nested_comments_and_quotes_stay_linear() {
        let deep = "(".repeat(200_000);
        assert!(ContentType::parse(deep.as_bytes()).is_none());
        let value = format!("a/b; {}", "\"".repeat(200_000));
        assert!(ContentType::parse(value.as_bytes()).is_some());
    }
}
