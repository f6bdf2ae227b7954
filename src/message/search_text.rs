//! The text SEARCH looks through: decoded header fields and text parts, in the form i;unicode-casemap compares.
//!
//! One buffer in three regions, so that one pass of a substring search answers each key: the message's header fields,
//! the MIME fields of its parts, and the body. Made at delivery, stored beside the message.

use super::casemap::casemap_into;
use super::content_type::{ContentType, Disposition, parameter_text};
use super::encoded_word;
use super::field::{Field, HeaderFields};
use super::stored::StoredError;
use crate::types::limits::{FIELD_OCTETS_READ_MAX, SEARCH_TEXT_OCTETS_MAX};
use crate::types::roomy;
use memchr::memmem;
use std::borrow::Cow;

const VERSION: u8 = 1;
/// Version, whether complete, ends of the first two regions.
const HEAD_OCTETS: usize = 10;
/// Begins a field. No text has it: control characters become blanks.
const FIELD: char = '\u{1}';
/// Stands between pieces of the body.
const PIECE: char = '\u{2}';

/// Where to look (RFC 9051 section 6.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchPlace<'a> {
    /// BODY: text parts, and everything in embedded messages.
    Body,
    /// TEXT: all there is.
    Text,
    /// HEADER with this field name; SUBJECT, FROM, TO, CC and BCC are short for it.
    Header(&'a str),
}

/// A text to look for, prepared once for many messages.
#[derive(Clone, Debug)]
pub struct Needle {
    mapped: Sought,
    /// As header fields have it, where that is another.
    in_fields: Option<Sought>,
}

#[derive(Clone, Debug)]
struct Sought {
    text: String,
    finder: memmem::Finder<'static>,
}

impl Sought {
    fn new(text: String) -> Self {
        let finder = memmem::Finder::new(text.as_bytes()).into_owned();
        Self { text, finder }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        self.finder.find(text).is_some()
    }
}

impl Needle {
    pub fn new(text: &str) -> Self {
        let mut mapped = String::new();
        push_mapped(text, &mut mapped, usize::MAX);
        let in_fields = match single_blanks(&mapped) {
            Cow::Owned(single) => Some(Sought::new(single)),
            Cow::Borrowed(_) => None,
        };
        Self { mapped: Sought::new(mapped), in_fields }
    }

    /// The forms that are looked for: a text without any of them has no match.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.mapped).chain(&self.in_fields).map(|sought| sought.text.as_str())
    }

    fn is_in_fields(&self, text: &[u8]) -> bool {
        // What was stored by earlier versions has its blanks as they came.
        self.mapped.is_in(text) || self.in_fields.as_ref().is_some_and(|single| single.is_in(text))
    }
}

/// A stored search text, checked.
#[derive(Clone, Copy, Debug)]
pub struct SearchText<'a> {
    fields: &'a [u8],
    all: &'a [u8],
    body: &'a [u8],
    is_complete: bool,
}

impl<'a> SearchText<'a> {
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, StoredError> {
        let (head, all) = bytes.split_at_checked(HEAD_OCTETS).ok_or(StoredError::Truncated)?;
        if head[0] != VERSION {
            return Err(StoredError::Version);
        }
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (fields, body) = (all.get(..number(2)), all.get(number(6)..));
        match (fields, body) {
            (Some(fields), Some(body)) if number(2) <= number(6) => {
                Ok(Self { fields, all, body, is_complete: head[1] == 1 })
            }
            _ => Err(StoredError::Inconsistent),
        }
    }

    /// Whether nothing was left out: a message with more text than the limit has to be read itself when no match is
    /// found here.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// All there is, separators included: a text that is found anywhere is a substring of this.
    pub fn octets(&self) -> &'a [u8] {
        self.all
    }

    /// A search text of these header fields alone. One that had to leave out a field for want of room says that it is not
    /// complete.
    pub fn of_fields(&self, names: &[&str], octets_max: usize) -> Vec<u8> {
        let mut chosen = SearchTextBuilder::new();
        chosen.is_complete = self.is_complete;
        for field in self.fields.split(|octet| *octet == FIELD as u8).skip(1) {
            let is_named = |name: &&str| {
                let value = field.split_at_checked(name.len()).filter(|(found, _)| *found == name.as_bytes());
                value.is_some_and(|(_, value)| value.starts_with(b": "))
            };
            // Written by us as text, and cut at separators that are no part of a character.
            let Some(text) = std::str::from_utf8(field).ok().filter(|_| names.iter().any(is_named)) else { continue };
            if chosen.fields.len() + text.len() >= octets_max {
                chosen.is_complete = false;
                continue;
            }
            chosen.fields.push(FIELD);
            chosen.fields.push_str(text);
        }
        chosen.into_bytes()
    }

    /// Whether the needle occurs there. The empty needle occurs in every message that has the place.
    pub fn contains(&self, place: SearchPlace<'_>, needle: &Needle) -> bool {
        match place {
            SearchPlace::Body => needle.mapped.is_in(self.body),
            SearchPlace::Text => {
                let header = &self.all[..self.all.len() - self.body.len()];
                needle.mapped.is_in(self.all) || needle.is_in_fields(header)
            }
            SearchPlace::Header(name) => self.header_contains(name, needle),
        }
    }

    fn header_contains(&self, name: &str, needle: &Needle) -> bool {
        let mut rest = self.fields;
        // Each field once, from separator to separator.
        while let Some(start) = memchr::memchr(FIELD as u8, rest) {
            rest = &rest[start + 1..];
            let end = memchr::memchr(FIELD as u8, rest).unwrap_or(rest.len());
            let field = &rest[..end];
            let Some((found, value)) = field.split_at_checked(name.len()) else { continue };
            if let Some(value) = value.strip_prefix(b": ")
                && found.eq_ignore_ascii_case(name.as_bytes())
                && needle.is_in_fields(value)
            {
                return true;
            }
        }
        false
    }
}

/// Collects a search text.
pub(super) struct SearchTextBuilder {
    fields: String,
    mime: String,
    body: String,
    is_complete: bool,
}

impl SearchTextBuilder {
    pub(super) fn new() -> Self {
        Self { fields: String::new(), mime: String::new(), body: String::new(), is_complete: true }
    }

    fn room(&mut self) -> usize {
        let used = self.fields.len() + self.mime.len() + self.body.len();
        SEARCH_TEXT_OCTETS_MAX.saturating_sub(used)
    }

    /// The header of the message itself.
    pub(super) fn header(&mut self, header: &[u8]) {
        for field in HeaderFields::new(header) {
            let room = self.room();
            if !push_field(FIELD, &field, &mut self.fields, room) {
                self.is_complete = false;
                return;
            }
        }
    }

    /// The header of a part.
    pub(super) fn mime(&mut self, header: &[u8]) {
        for field in HeaderFields::new(header) {
            let room = self.room();
            let mut fits = push_field(FIELD, &field, &mut self.mime, room);
            // A name in RFC 2231 form is not found by what it says otherwise.
            for name in extended_names(&field) {
                self.mime.push(' ');
                let room = self.room();
                fits &= push_mapped(&name, &mut self.mime, room);
            }
            if !fits {
                self.is_complete = false;
                return;
            }
        }
    }

    /// The header of an embedded message: part of the body, field by field.
    pub(super) fn embedded_header(&mut self, header: &[u8]) {
        for field in HeaderFields::new(header) {
            let room = self.room();
            if !push_field(PIECE, &field, &mut self.body, room) {
                self.is_complete = false;
                return;
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let room = self.room();
        // Mapping changes the length of few texts. Growing step by step would copy a large one again and again, and hold it
        // twice each time.
        let more = 1 + text.len().min(room);
        let wanted = self.body.len() + more;
        if wanted > self.body.capacity() && roomy(wanted) > wanted {
            self.body.reserve_exact(roomy(wanted) - self.body.len());
        }
        self.body.reserve(more);
        self.body.push(PIECE);
        self.is_complete &= push_mapped(text, &mut self.body, room);
    }

    /// Something was left out.
    pub(super) fn cut(&mut self) {
        self.is_complete = false;
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
        let mut head = Vec::with_capacity(HEAD_OCTETS + self.fields.len() + self.mime.len());
        head.extend_from_slice(&[VERSION, u8::from(self.is_complete)]);
        head.extend_from_slice(&offset(self.fields.len()));
        head.extend_from_slice(&offset(self.fields.len() + self.mime.len()));
        for region in [&self.fields, &self.mime] {
            head.extend_from_slice(region.as_bytes());
        }
        // The body can be large: it is moved behind the others, not copied.
        let mut out = self.body.into_bytes();
        out.reserve_exact(head.len());
        out.splice(0..0, head);
        out
    }
}

/// `NAME: value`. Gives whether there was room for all of it.
fn push_field(separator: char, field: &Field<'_>, out: &mut String, room: usize) -> bool {
    let name_octets = field.name().len() + 3;
    if room < name_octets {
        return false;
    }
    out.push(separator);
    if field.name().is_empty() {
        let line = &field.raw()[..field.raw().len().min(FIELD_OCTETS_READ_MAX)];
        return push_mapped(&encoded_word::decode(line), out, room - name_octets);
    }
    out.extend(field.name().iter().map(|byte| char::from(byte.to_ascii_uppercase())));
    out.push_str(": ");
    push_mapped(&single_blanks(&encoded_word::decode(field.value())), out, room - name_octets)
}

/// One blank for any row of them. Where a field is folded its writer may have left some (RFC 5322 section 2.2.3), which
/// nobody sees who then looks for the words.
fn single_blanks(text: &str) -> Cow<'_, str> {
    let is_blank = |octet: u8| matches!(octet, b' ' | b'\t');
    if !text.as_bytes().windows(2).any(|pair| is_blank(pair[0]) && is_blank(pair[1])) {
        return Cow::Borrowed(text);
    }
    let mut single = String::with_capacity(text.len());
    let mut was_blank = false;
    for character in text.chars() {
        let blank = matches!(character, ' ' | '\t');
        if !(blank && was_blank) {
            single.push(if blank { ' ' } else { character });
        }
        was_blank = blank;
    }
    Cow::Owned(single)
}

fn extended_names(field: &Field<'_>) -> Vec<String> {
    // Only where there is something to decode.
    if memchr::memchr(b'*', field.value()).is_none() {
        return Vec::new();
    }
    let (parameters, name) = if field.is("Content-Disposition") {
        (Disposition::parse(field.value()).map(|parsed| parsed.parameters), "filename")
    } else if field.is("Content-Type") {
        (ContentType::parse(field.value()).map(|parsed| parsed.parameters), "name")
    } else {
        (None, "")
    };
    parameters.and_then(|parameters| parameter_text(&parameters, name)).into_iter().collect()
}

/// Appends the comparable form of as much text as there is room for; gives whether that was all. Line ends become one
/// LF, other control characters blanks.
fn push_mapped(text: &str, out: &mut String, room: usize) -> bool {
    // Decomposition may make a text many times longer: the room is looked at again after each piece.
    const PIECE_OCTETS: usize = 64 * 1024;
    let end = out.len().saturating_add(room);
    let mut rest = text;
    while !rest.is_empty() {
        let mut cut = rest.len().min(PIECE_OCTETS);
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        // A line end is not cut in two.
        if rest[..cut].ends_with('\r') && rest[cut..].starts_with('\n') {
            cut += 1;
        }
        push_piece(&rest[..cut], out);
        rest = &rest[cut..];
        if out.len() > end {
            let mut end = end;
            while !out.is_char_boundary(end) {
                end -= 1;
            }
            out.truncate(end);
            return false;
        }
    }
    true
}

fn push_piece(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' && byte != b'\n') {
        casemap_into(&rest[..at], out);
        if !rest[at..].starts_with("\r\n") {
            out.push(' ');
        }
        rest = &rest[at + 1..];
    }
    casemap_into(rest, out);
}

#[cfg(test)]
mod tests {
    use super::super::structure::tests::mailish;
    use super::super::{Parsed, casemap};
    use super::*;
    use proptest::prelude::*;

    const MAIL: &[u8] =
        b"From: =?utf-8?Q?J=C3=BCrgen?= <j@x.example>\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n aus Wien\r\nX-Empty:\r\n\
        X-Folded: one \r\n\t  two  three\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Stra=DFe und =\r\nWeg\r\nzweite Zeile\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>fett <b>ged</b>ruckt</p>\r\n\
        --b\r\nContent-Type: application/pdf; name*=utf-8''%C3%BCbersicht.pdf\r\n\r\nbinary words\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nembedded text\r\n--b--\r\n";

    #[test]
    fn keys_find_what_is_there() {
        let bytes = Parsed::parse(MAIL).analyse().search_text;
        let text = SearchText::from_bytes(&bytes).expect("just written");
        assert!(text.is_complete());
        let check = |place: SearchPlace<'_>, needle: &str, expected: bool| {
            assert_eq!(text.contains(place, &Needle::new(needle)), expected, "{place:?} {needle}");
        };
        check(SearchPlace::Header("from"), "jürgen <J@", true);
        check(SearchPlace::Header("Subject"), "grüße aus", true);
        check(SearchPlace::Header("Subject"), "inside", false);
        check(SearchPlace::Header("x-empty"), "", true);
        check(SearchPlace::Header("x-absent"), "", false);
        check(SearchPlace::Header("ubject"), "", false);
        for needle in ["one two three", "one  two", "two  three", "two\tthree", "e t"] {
            check(SearchPlace::Header("x-folded"), needle, true);
            check(SearchPlace::Text, needle, true);
        }
        check(SearchPlace::Header("x-folded"), "onetwo", false);
        check(SearchPlace::Body, "Straße  und", false);
        check(SearchPlace::Text, "Straße  und", false);
        check(SearchPlace::Body, "STRAßE UND WEG", true);
        check(SearchPlace::Body, "Weg\r\nzweite", true);
        check(SearchPlace::Body, "Weg zweite", false);
        check(SearchPlace::Body, "gedruckt", true);
        check(SearchPlace::Body, "binary words", false);
        check(SearchPlace::Body, "subject: inside", true);
        check(SearchPlace::Body, "embedded", true);
        check(SearchPlace::Body, "Wien", false);
        check(SearchPlace::Text, "Wien", true);
        check(SearchPlace::Text, "subject: grü", true);
        check(SearchPlace::Text, "übersicht.pdf", true);
        check(SearchPlace::Text, "wien\u{1}x-empty", false);
        check(SearchPlace::Text, "absent", false);
        check(SearchPlace::Text, "", true);
    }

    #[test]
    fn chosen_fields_are_found_as_in_the_whole() {
        let bytes = Parsed::parse(MAIL).analyse().search_text;
        let whole = SearchText::from_bytes(&bytes).expect("just written");
        let chosen = whole.of_fields(&["FROM", "SUBJECT"], 1000);
        let text = SearchText::from_bytes(&chosen).expect("just written");
        assert!(text.is_complete() && text.octets().len() < 100);
        let check = |name: &str, needle: &str, expected: bool| {
            assert_eq!(text.contains(SearchPlace::Header(name), &Needle::new(needle)), expected, "{name} {needle}");
        };
        check("from", "jürgen", true);
        check("subject", "aus wien", true);
        check("x-empty", "", false);
        let short = whole.of_fields(&["FROM", "SUBJECT"], 30);
        let text = SearchText::from_bytes(&short).expect("just written");
        assert!(!text.is_complete());
        assert!(text.contains(SearchPlace::Header("FROM"), &Needle::new("jürgen")));
        assert!(!text.contains(SearchPlace::Header("SUBJECT"), &Needle::new("wien")));
    }

    #[test]
    fn many_texts_are_collected_in_few_steps() {
        let mut search = SearchTextBuilder::new();
        let (mut steps, mut capacity) = (0, 0);
        for _ in 0..200_000 {
            search.text("some words of a part");
            if search.body.capacity() != capacity {
                (steps, capacity) = (steps + 1, search.body.capacity());
            }
        }
        assert!(steps < 40, "grown {steps} times");
    }

    #[test]
    fn too_much_text_is_cut_and_said() {
        let mail = format!("Subject: x\r\n\r\n{}", "word ".repeat(SEARCH_TEXT_OCTETS_MAX / 5 + 10));
        let bytes = Parsed::parse(mail.as_bytes()).analyse().search_text;
        assert!(bytes.len() < SEARCH_TEXT_OCTETS_MAX + 100);
        assert!(!SearchText::from_bytes(&bytes).expect("just written").is_complete());
        let mut out = String::new();
        assert!(!push_mapped(&"\u{fdfa}".repeat(100), &mut out, 400));
        assert!(out.len() <= 400);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_mail_has_one(raw in mailish(), bytes: Vec<u8>) {
            let written = Parsed::parse(&raw).analyse().search_text;
            let text = SearchText::from_bytes(&written).expect("just written");
            text.contains(SearchPlace::Text, &Needle::new("x"));
            if let Ok(text) = SearchText::from_bytes(&bytes) {
                text.contains(SearchPlace::Header("x"), &Needle::new(""));
            }
        }

        #[test]
        fn any_subject_is_found_by_any_piece_of_it(before in "[a-zäß ]{0,9}", piece in "[a-zA-Zé漢 ]{1,9}", after in "[a-z ]{0,9}") {
            let mail = format!("Subject: {before}{piece}{after}.\r\n\r\nbody");
            let bytes = Parsed::parse(mail.as_bytes()).analyse().search_text;
            let text = SearchText::from_bytes(&bytes).expect("just written");
            let needle = Needle::new(piece.trim_start());
            prop_assert!(text.contains(SearchPlace::Header("subject"), &needle), "{}", casemap(&mail));
        }
    }
}
