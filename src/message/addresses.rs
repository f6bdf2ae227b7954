//! Address lists as they stand in From, To and their like (RFC 5322 section 3.4), obsolete forms and all.
//!
//! This reads what is there; it does not judge. A value that may be mailed to is a [`crate::types::Address`], which
//! [`Mailbox::address`] makes.

use super::content_type::{quoted_string, skip_comment};
use super::encoded_word;
use crate::types::Address;
use std::borrow::Cow;

/// What an address list is made of, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressItem {
    /// The group's name, raw.
    GroupStart(Vec<u8>),
    Mailbox(Mailbox),
    GroupEnd,
}

/// One mailbox; all octets raw, without quoting, encoded words as they are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mailbox {
    /// The phrase before `<`, or the comment behind an address without one.
    pub name: Option<Vec<u8>>,
    /// RFC 5322 section 4.4: the obsolete source route, `@a,@b`.
    pub route: Option<Vec<u8>>,
    pub local: Vec<u8>,
    /// `None` when there was no `@`.
    pub domain: Option<Vec<u8>>,
}

impl Mailbox {
    /// The address, if it is one that mail can be sent to.
    pub fn address(&self) -> Option<Address> {
        let local = std::str::from_utf8(&self.local).ok()?;
        let domain = std::str::from_utf8(self.domain.as_deref()?).ok()?;
        Address::from_parts(local, crate::types::Domain::parse(domain).ok()?).ok()
    }

    /// The name as people read it.
    pub fn display_name(&self) -> Option<Cow<'_, str>> {
        self.name.as_deref().map(encoded_word::decode)
    }
}

/// All items of a header value.
pub fn address_list(value: &[u8]) -> AddressList<'_> {
    AddressList { rest: value, in_group: false, group_end_due: false }
}

/// The mailboxes of a header value, groups opened.
pub fn mailboxes(value: &[u8]) -> impl Iterator<Item = Mailbox> {
    address_list(value).filter_map(|item| match item {
        AddressItem::Mailbox(mailbox) => Some(mailbox),
        AddressItem::GroupStart(_) | AddressItem::GroupEnd => None,
    })
}

/// Iterator over an address list; never fails, always moves on.
#[derive(Clone, Debug)]
pub struct AddressList<'a> {
    rest: &'a [u8],
    in_group: bool,
    /// The semicolon has been read together with the group's last mailbox.
    group_end_due: bool,
}

/// What ended an element.
#[derive(PartialEq, Eq)]
enum Stop {
    Comma,
    Colon,
    Semicolon,
    Angle,
    End,
}

/// The words read so far, in the two readings they may turn out to have.
#[derive(Default)]
struct Words {
    /// As a phrase: words with single blanks between.
    phrase: Vec<u8>,
    /// As an address: nothing between.
    spec: Vec<u8>,
    /// Where in `spec` the last `@` stands that no quotes protect.
    at: Option<usize>,
    /// Where the last word begins, in the phrase and in the address, that no address can be joined to what stands before
    /// it: behind a blank, with neither a dot nor an `@` on either side.
    gap: Option<(usize, usize)>,
    /// The same behind the `@`: where in `spec` the domain ends.
    domain_end: Option<usize>,
    /// Of several the last: the name stands behind the address.
    comment: Option<Vec<u8>>,
    blank_before: bool,
}

impl Words {
    fn word(&mut self, octets: &[u8]) {
        if self.blank_before && !self.phrase.is_empty() {
            let joins = |octet: Option<&u8>| matches!(octet, Some(b'.' | b'@'));
            if !joins(self.phrase.last()) && !joins(octets.first()) {
                match self.at {
                    None => self.gap = Some((self.phrase.len(), self.spec.len())),
                    Some(_) => _ = self.domain_end.get_or_insert(self.spec.len()),
                }
            }
            self.phrase.push(b' ');
        }
        self.blank_before = false;
        self.phrase.extend_from_slice(octets);
        self.spec.extend_from_slice(octets);
    }

    fn is_empty(&self) -> bool {
        self.phrase.is_empty() && self.at.is_none()
    }

    /// `local@domain`, or what stood there instead.
    fn into_mailbox(self) -> Mailbox {
        match self.at {
            Some(at) => {
                // `Jane Doe jane@x.example` and `jane@x.example for Jane`, where somebody left the angles out. Not if there is
                // another `@`: whose message that is can't be told.
                let is_only = memchr::memchr_iter(b'@', &self.spec).count() == 1;
                let gap = self.gap.filter(|_| is_only);
                let (name, start) = gap.map_or((None, 0), |(end, start)| (Some(self.phrase[..end].to_vec()), start));
                let end = self.domain_end.filter(|_| is_only).unwrap_or(self.spec.len());
                Mailbox {
                    name: name.or(self.comment),
                    route: None,
                    local: self.spec[start..at].to_vec(),
                    domain: Some(self.spec[at + 1..end].to_vec()),
                }
            }
            None => Mailbox { name: self.comment, route: None, local: self.phrase, domain: None },
        }
    }
}

impl<'a> AddressList<'a> {
    /// Reads words until something ends the element. A colon ends one only where a group may begin.
    fn words(&mut self, in_angle: bool) -> (Words, Stop) {
        let mut words = Words::default();
        while let Some((&byte, after)) = self.rest.split_first() {
            let stop = match byte {
                // An angle that is never closed ends here all the same.
                b',' if !in_angle || words.at.is_some() => Some(Stop::Comma),
                b';' if !in_angle && self.in_group => Some(Stop::Semicolon),
                // Between addresses it is what some people type instead of a comma.
                b';' if !in_angle => Some(Stop::Comma),
                b':' if !in_angle && !self.in_group && words.at.is_none() => Some(Stop::Colon),
                b'<' if !in_angle => Some(Stop::Angle),
                b'>' => Some(Stop::Angle),
                _ => None,
            };
            match (byte, stop) {
                // A stray `>` outside of angles is dropped, and a second `<` where one has begun.
                (b'>', _) if !in_angle => self.rest = after,
                (b'<', _) if in_angle && words.is_empty() => self.rest = after,
                (_, Some(stop)) => {
                    self.rest = after;
                    return (words, stop);
                }
                (b'(', _) => {
                    let (content, rest) = skip_comment(self.rest);
                    self.rest = rest;
                    words.blank_before = true;
                    words.comment = Some(content);
                }
                (b'"', _) => {
                    let (content, rest) = quoted_string(after);
                    words.word(&content);
                    self.rest = rest;
                }
                (b'@', _) => {
                    words.at = Some(words.spec.len());
                    words.word(b"@");
                    self.rest = after;
                }
                (b' ' | b'\t' | b'\r' | b'\n', _) => {
                    words.blank_before = true;
                    self.rest = after;
                }
                (b'[', _) => self.literal(&mut words),
                _ => self.atom(&mut words),
            }
        }
        (words, Stop::End)
    }

    /// RFC 5322 section 3.4.1: a domain literal may hold colons.
    fn literal(&mut self, words: &mut Words) {
        let end = self.rest.iter().position(|byte| matches!(byte, b']' | b'>' | b',' | b'\n'));
        let end = end.map_or(self.rest.len(), |end| if self.rest[end] == b']' { end + 1 } else { end });
        let (literal, rest) = self.rest.split_at(end.max(1));
        words.word(literal);
        self.rest = rest;
    }

    fn atom(&mut self, words: &mut Words) {
        let ends = |byte: &u8| b" \t\r\n()<>[]:;@,\"".contains(byte);
        // What begins an atom belongs to it, so that this always moves on.
        let end = self.rest[1..].iter().position(ends).map_or(self.rest.len(), |end| end + 1);
        let (atom, rest) = self.rest.split_at(end);
        words.word(atom);
        self.rest = rest;
    }

    /// Behind `<`: an optional route, then the address, up to `>`; then whatever else the element has.
    fn angle(&mut self, name: Words) -> (Mailbox, Stop) {
        let phrase = (!name.phrase.is_empty()).then_some(name.phrase);
        let route = self.route();
        let (words, mut stop) = self.words(true);
        let mut mailbox = words.into_mailbox();
        mailbox.route = route;
        // A comment inside the angles is no name, one before or behind them is if there is nothing better.
        mailbox.name = phrase.or(name.comment);
        let mut in_angle = false;
        while matches!(stop, Stop::Angle | Stop::Colon) {
            // `<a@b> (c) <c@d>` and `<a@b>:`: nothing but the first counts.
            let (words, next) = self.words(in_angle);
            if !in_angle && mailbox.name.is_none() {
                mailbox.name = words.comment;
            }
            in_angle = !in_angle && next == Stop::Angle;
            stop = next;
        }
        (mailbox, stop)
    }

    /// `@a,@b:` at the beginning of an angle address.
    fn route(&mut self) -> Option<Vec<u8>> {
        let trimmed = self.rest.trim_ascii_start();
        if !trimmed.starts_with(b"@") {
            return None;
        }
        let end = trimmed.iter().position(|byte| matches!(byte, b':' | b'>' | b'"' | b'<'))?;
        if trimmed[end] != b':' {
            return None;
        }
        self.rest = &trimmed[end + 1..];
        Some(trimmed[..end].iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect())
    }
}

impl Iterator for AddressList<'_> {
    type Item = AddressItem;

    fn next(&mut self) -> Option<AddressItem> {
        loop {
            if self.group_end_due {
                (self.group_end_due, self.in_group) = (false, false);
                return Some(AddressItem::GroupEnd);
            }
            let (words, mut stop) = self.words(false);
            let mailbox = match stop {
                Stop::Colon => {
                    self.in_group = true;
                    return Some(AddressItem::GroupStart(words.phrase));
                }
                Stop::Angle => {
                    let (mailbox, end) = self.angle(words);
                    stop = end;
                    let is_empty = mailbox.local.is_empty() && mailbox.domain.is_none() && mailbox.name.is_none();
                    (!is_empty).then_some(mailbox)
                }
                Stop::Comma | Stop::Semicolon | Stop::End => (!words.is_empty()).then(|| words.into_mailbox()),
            };
            self.group_end_due = self.in_group && matches!(stop, Stop::Semicolon | Stop::End);
            if let Some(mailbox) = mailbox {
                return Some(AddressItem::Mailbox(mailbox));
            }
            if stop == Stop::End && !self.group_end_due {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(value: &str) -> String {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let items: Vec<String> = address_list(value.as_bytes())
            .map(|item| match item {
                AddressItem::GroupStart(name) => format!("{}:", text(&name)),
                AddressItem::GroupEnd => ";".into(),
                AddressItem::Mailbox(mailbox) => {
                    let name = mailbox.name.map(|name| format!("{} ", text(&name))).unwrap_or_default();
                    let route = mailbox.route.map(|route| format!("{}:", text(&route))).unwrap_or_default();
                    let domain = mailbox.domain.map(|domain| format!("@{}", text(&domain))).unwrap_or_default();
                    format!("{name}<{route}{}{domain}>", text(&mailbox.local))
                }
            })
            .collect();
        items.join("|")
    }

    #[test]
    fn lists_of_every_kind() {
        let check = |value: &str, expected: &str| assert_eq!(shown(value), expected, "{value:?}");
        check("a@b.example", "<a@b.example>");
        check("a@b, c@d", "<a@b>|<c@d>");
        check("Jane Doe <a@b>", "Jane Doe <a@b>");
        check("\"Doe, \\\"J\\\"\" <a@b>", "Doe, \"J\" <a@b>");
        check("=?utf-8?Q?J=C3=BCrgen?= =?utf-8?Q?_X?=\r\n\t<a@b>", "=?utf-8?Q?J=C3=BCrgen?= =?utf-8?Q?_X?= <a@b>");
        check("John Q. Public <a@b>", "John Q. Public <a@b>");
        check("a@b (Jane (x) Doe)", "Jane (x) Doe <a@b>");
        check("John (c) <a@b>", "John <a@b>");
        check("<a@b> (Jane)", "Jane <a@b>");
        check("a@b <a@b>", "a@b <a@b>");
        check("\"a@b\"@c, a . b @ c . d", "<a@b@c>|<a.b@c.d>");
        check("<@r1,@r2:a@b>", "<@r1,@r2:a@b>");
        check("a@[IPv6:2001:db8::1]", "<a@[IPv6:2001:db8::1]>");
        check("friends: a@b, J <c@d>;", "friends:|<a@b>|J <c@d>|;");
        check("friends: a@b; e@f", "friends:|<a@b>|;|<e@f>");
        check("undisclosed-recipients:;", "undisclosed-recipients:|;");
        check("x: a@b", "x:|<a@b>|;");
        check("root", "<root>");
        check("root <>", "root <>");
        check("<>", "");
        check("<>, a@b", "<a@b>");
        check("", "");
        check(" , ,, (x)", "");
        check("a@b; c@d", "<a@b>|<c@d>");
        check("<a@b, c@d", "<a@b>|<c@d>");
        check("<a@b> <c@d>, e@f", "<a@b>|<e@f>");
        check("g: <a@b>; c@d", "g:|<a@b>|;|<c@d>");
        check("jörg@bücher.example", "<jörg@bücher.example>");
        check("\"open", "<open>");
        check("a@", "<a@>");
        check("mailto:a@b", "mailto:|<a@b>|;");
        check("Jane Doe jane@x.example, c@d", "Jane Doe <jane@x.example>|<c@d>");
        check("\"Doe, J\" jane . doe @ x . example (office)", "Doe, J <jane.doe@x.example>");
        check("jane@x.example jim@y.example", "<jane@x.examplejim@y.example>");
        check("jane@x . example for (a) Jane, c@d\r\n e", "a <jane@x.example>|<c@d>");
        check("Jane <<a@b>>, <<c@d>> (C)", "Jane <a@b>|C <c@d>");
        check("(first) a@b (Jane)", "Jane <a@b>");
    }

    #[test]
    fn hostile_lists_stay_linear() {
        for piece in ["(", "\"", "<", "[", "a:", "<@", ",", "a@", ">", ";", ":", "\\"] {
            let value = piece.repeat(500_000 / piece.len());
            assert!(address_list(value.as_bytes()).count() <= 500_001, "{piece}");
        }
    }

    #[test]
    fn only_real_addresses_can_be_mailed_to() {
        let check = |value: &str, expected: Option<&str>| {
            let found = mailboxes(value.as_bytes()).next().and_then(|mailbox| mailbox.address());
            assert_eq!(found.map(|address| address.to_string()).as_deref(), expected, "{value:?}");
        };
        check("x: J <a@B.example>;", Some("a@b.example"));
        check("\"a b\"@b.example", Some("\"a b\"@b.example"));
        check("root", None);
        check("a@b c.example <@x>", None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_octets_end(value in "[a@<>:;,()\"\\\\\\[\\] \\r\\n]{0,40}") {
            let items: Vec<_> = address_list(value.as_bytes()).collect();
            prop_assert!(items.len() <= value.len() + 2);
            let starts = items.iter().filter(|item| matches!(item, AddressItem::GroupStart(_))).count();
            let ends = items.iter().filter(|item| matches!(item, AddressItem::GroupEnd)).count();
            prop_assert_eq!(starts, ends);
        }
    }
}
