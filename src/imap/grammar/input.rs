//! The cursor over one command and the rules at the leaves of the grammar (RFC 9051 section 9).
//!
//! Strict: one space where the grammar has one, no second spelling of anything. A rule that fails says where and what
//! it expected; the client reads that in the BAD, which is worth more to its author than "invalid command".

use super::{Cause, Mode, Tag};
use crate::imap::framing::Streamed;
use crate::types::limits::IMAP_LIST_ELEMENTS_MAX;
use std::borrow::Cow;

pub(super) type Parsed<T> = Result<T, Cause>;

pub(super) struct Input<'a> {
    octets: &'a [u8],
    at: usize,
    streamed: &'a [Streamed],
    pub(super) mode: Mode,
    /// The command ends in a literal whose octets are still with the client.
    pub(super) announced: bool,
}

/// A literal that holds a message or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    Here(Vec<u8>),
    /// The command's streamed literal of this number.
    Streamed {
        index: usize,
        octets: u64,
    },
}

impl<'a> Input<'a> {
    pub(super) fn new(octets: &'a [u8], streamed: &'a [Streamed], mode: Mode) -> Self {
        Self { octets, at: 0, streamed, mode, announced: false }
    }

    pub(super) fn fail<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(Cause::Syntax { at: self.at, expected })
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.octets[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    /// Steps over `octet` if it comes next.
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, octet: u8, expected: &'static str) -> Parsed<()> {
        if self.eat(octet) { Ok(()) } else { self.fail(expected) }
    }

    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "one space")
    }

    pub(super) fn end(&self) -> Parsed<()> {
        if self.at == self.octets.len() { Ok(()) } else { self.fail("the end of the command") }
    }

    /// As long as `wanted` holds.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let count = rest.iter().position(|octet| !wanted(*octet)).unwrap_or(rest.len());
        self.at += count;
        &rest[..count]
    }

    /// Steps over `word`, in any case, if it comes next and is not only the start of a longer one.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.len() >= word.len()
            && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
            && rest.get(word.len()).is_none_or(|next| !is_atom_char(*next));
        if found {
            self.at += word.len();
        }
        found
    }

    /// A space and `word`, or nothing.
    pub(super) fn eat_spaced_word(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.eat(b' ') && self.eat_word(word) {
            return true;
        }
        self.at = before;
        false
    }

    /// An ASCII word out of `is_atom_char`, in upper case. Dots and the like are part of it, brackets are not.
    pub(super) fn word(&mut self, expected: &'static str) -> Parsed<String> {
        let word = self.take_while(|octet| is_atom_char(octet) && octet != b'[');
        if word.is_empty() {
            return self.fail(expected);
        }
        Ok(word.iter().map(|octet| octet.to_ascii_uppercase() as char).collect())
    }

    /// `atom`.
    pub(super) fn atom(&mut self, expected: &'static str) -> Parsed<&'a str> {
        let atom = self.take_while(is_atom_char);
        match std::str::from_utf8(atom) {
            Ok(atom) if !atom.is_empty() => Ok(atom),
            _ => self.fail(expected),
        }
    }

    pub(super) fn number64(&mut self) -> Parsed<u64> {
        let start = self.at;
        let digits = self.take_while(|octet| octet.is_ascii_digit());
        let number = digits
            .iter()
            .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
            // RFC 9051 section 9: number64 has 63 bits.
            .filter(|number| !digits.is_empty() && i64::try_from(*number).is_ok());
        number.map_or_else(|| Err(Cause::Syntax { at: start, expected: "a number" }), Ok)
    }

    pub(super) fn number(&mut self) -> Parsed<u32> {
        let start = self.at;
        u32::try_from(self.number64()?).or(Err(Cause::Syntax { at: start, expected: "a number below 2^32" }))
    }

    pub(super) fn nonzero(&mut self) -> Parsed<u32> {
        let start = self.at;
        match self.number()? {
            // RFC 9051 section 9: digit-nz comes first.
            number if number > 0 && self.octets[start] != b'0' => Ok(number),
            _ => Err(Cause::Syntax { at: start, expected: "a number that is not zero" }),
        }
    }

    /// `quoted`: any TEXT-CHAR, with `"` and `\` escaped; UTF-8 in either revision, as most clients hold it.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let start = self.at;
        self.expect(b'"', "a quotation mark")?;
        let mut unescaped: Option<Vec<u8>> = None;
        let mut piece = self.at;
        loop {
            self.take_while(|octet| !matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0));
            let plain = &self.octets[piece..self.at];
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let value = match unescaped {
                        None => Cow::Borrowed(plain),
                        Some(mut before) => {
                            before.extend_from_slice(plain);
                            Cow::Owned(before)
                        }
                    };
                    if std::str::from_utf8(&value).is_err() {
                        return Err(Cause::Syntax { at: start, expected: "UTF-8" });
                    }
                    return Ok(value);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let unescaped = unescaped.get_or_insert_default();
                    unescaped.extend_from_slice(plain);
                    match self.peek() {
                        Some(octet @ (b'"' | b'\\')) => unescaped.push(octet),
                        _ => return self.fail("an escaped quotation mark or backslash"),
                    }
                    self.at += 1;
                    piece = self.at;
                }
                _ => return self.fail("a closing quotation mark"),
            }
        }
    }

    /// Reads `{n}` or `{n+}` with its CRLF: the octets that follow, or the number of a streamed literal.
    fn literal_start(&mut self) -> Parsed<Literal<'a>> {
        self.expect(b'{', "a literal")?;
        let octets = self.number64()?;
        self.eat(b'+');
        self.expect(b'}', "a closing brace")?;
        if !self.rest().starts_with(b"\r\n") {
            return self.fail("the end of the line after a literal's length");
        }
        self.at += 2;
        if let Some(index) = self.streamed.iter().position(|one| one.at == self.at) {
            return Ok(Literal::Streamed { index, octets });
        }
        if self.announced && self.at == self.octets.len() {
            return Ok(Literal::Announced);
        }
        match usize::try_from(octets).ok().and_then(|octets| self.rest().get(..octets)) {
            Some(here) => {
                self.at += here.len();
                Ok(Literal::Here(here))
            }
            None => self.fail("as many octets as the literal announces"),
        }
    }

    /// A literal that is no message: always with the command, never with NUL (RFC 9051 section 4.3).
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let start = self.at;
        match self.literal_start()? {
            Literal::Here(octets) if memchr::memchr(0, octets).is_none() => Ok(octets),
            Literal::Here(_) => Err(Cause::Syntax { at: start, expected: "a literal without NUL" }),
            Literal::Streamed { .. } | Literal::Announced => Err(Cause::LiteralTooBig),
        }
    }

    /// `string`.
    pub(super) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => self.fail("a string"),
        }
    }

    /// `astring`. Octets, because a literal may be in any character set.
    pub(super) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let atom = self.take_while(|octet| is_atom_char(octet) || octet == b']');
                if atom.is_empty() { self.fail("an atom or a string") } else { Ok(Cow::Borrowed(atom)) }
            }
        }
    }

    /// `astring` that is UTF-8.
    pub(super) fn astring_text(&mut self) -> Parsed<String> {
        let start = self.at;
        let octets = self.astring()?.into_owned();
        String::from_utf8(octets).or(Err(Cause::Syntax { at: start, expected: "UTF-8" }))
    }

    pub(super) fn string_text(&mut self) -> Parsed<String> {
        let start = self.at;
        let octets = self.string()?.into_owned();
        String::from_utf8(octets).or(Err(Cause::Syntax { at: start, expected: "UTF-8" }))
    }

    /// `nstring`.
    pub(super) fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat_word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// `literal8` as a value that is kept (RFC 3516 section 4.2): NUL is allowed.
    pub(super) fn literal8(&mut self) -> Parsed<&'a [u8]> {
        self.expect(b'~', "a literal8")?;
        match self.literal_start()? {
            Literal::Here(octets) => Ok(octets),
            Literal::Streamed { .. } | Literal::Announced => Err(Cause::LiteralTooBig),
        }
    }

    /// A literal that holds a message: here the framer may have let it pass. NUL needs a literal8.
    pub(super) fn payload(&mut self, nul: Nul) -> Parsed<Payload> {
        let start = self.at;
        match self.literal_start()? {
            Literal::Here(octets) if nul == Nul::Refused && memchr::memchr(0, octets).is_some() => {
                Err(Cause::Syntax { at: start, expected: "a literal without NUL, or a literal8" })
            }
            Literal::Here(octets) => Ok(Payload::Here(octets.to_vec())),
            Literal::Streamed { index, octets } => Ok(Payload::Streamed { index, octets }),
            Literal::Announced => Err(Cause::MessageAnnounced),
        }
    }

    /// `"(" item *(SP item) ")"`.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect(b'(', "an opening parenthesis")?;
        let items = self.spaced(&mut item)?;
        self.expect(b')', "a closing parenthesis")?;
        Ok(items)
    }

    /// The same, or `()`.
    pub(super) fn list_or_empty<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        if self.rest().starts_with(b"()") {
            self.at += 2;
            return Ok(Vec::new());
        }
        self.list(item)
    }

    /// `item *(SP item)`.
    pub(super) fn spaced<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(b' ') {
            if items.len() == IMAP_LIST_ELEMENTS_MAX {
                return Err(Cause::Limit("list elements"));
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `tag`: whatever an astring has but `+`.
    pub(super) fn tag(&mut self) -> Parsed<Tag> {
        let tag = self.take_while(|octet| (is_atom_char(octet) || octet == b']') && octet != b'+');
        match std::str::from_utf8(tag) {
            Ok(tag) if !tag.is_empty() => Ok(Tag(tag.into())),
            _ => self.fail("a tag"),
        }
    }

    /// Where the cursor stands, for rules that must look ahead.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn back_to(&mut self, position: usize) {
        self.at = position;
    }
}

enum Literal<'a> {
    Here(&'a [u8]),
    Streamed { index: usize, octets: u64 },
    Announced,
}

/// Whether a literal's octets may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nul {
    Refused,
    Allowed,
}

/// `ATOM-CHAR`: any printable ASCII but atom-specials.
pub(in crate::imap) fn is_atom_char(octet: u8) -> bool {
    matches!(octet, b'!'..=b'~') && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}
