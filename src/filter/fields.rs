//! Values of header fields and of what is in them, of the message as the script has made it so far.

use super::call::{AddressPart, Value};
use super::dates::Moment;
use crate::message::{decode_header, mailboxes};
use crate::types::quoted_local;
use mail_parser::parsers::MessageStream;
use mail_parser::{Header, HeaderValue, Message, PartType};
use std::borrow::Cow;

/// Which fields: of these names, in the part the script is at or also in those inside of it.
pub(super) struct Wanted<'w> {
    pub(super) names: &'w [&'w str],
    /// From 1, backwards when negative (RFC 5260 section 6).
    pub(super) index: Option<i64>,
    pub(super) any_child: bool,
}

/// What of a MIME field is looked at (RFC 5703 section 4.1).
pub(super) enum MimeWanted<'w> {
    Type,
    Subtype,
    ContentType,
    Parameters(Vec<&'w str>),
}

/// Calls `visit` for each wanted field.
fn each<'m>(message: &'m Message<'_>, part: u32, wanted: &Wanted<'_>, mut visit: impl FnMut(&'m Header<'m>)) {
    let mut parts = vec![part];
    while let Some(number) = parts.pop() {
        let Some(part) = message.parts.get(number as usize) else { continue };
        if let (true, PartType::Multipart(children)) = (wanted.any_child, &part.body) {
            // The structure is a tree, but a replaced part may have left numbers of parts that are gone or another's.
            parts.extend(children.iter().rev().filter(|child| **child > number));
        }
        for name in wanted.names {
            let mut fields = part.headers.iter().filter(|header| header.name.as_str().eq_ignore_ascii_case(name));
            match wanted.index {
                None => fields.for_each(&mut visit),
                Some(index) if index > 0 => {
                    fields.nth(usize::try_from(index - 1).unwrap_or(usize::MAX)).into_iter().for_each(&mut visit);
                }
                Some(index) => {
                    let index = usize::try_from(-1 - index).unwrap_or(usize::MAX);
                    fields.rev().nth(index).into_iter().for_each(&mut visit);
                }
            }
        }
    }
}

/// The octets of a field behind the colon; of one that the script has added, what it was given.
fn octets<'m>(message: &'m Message<'_>, header: &'m Header<'_>) -> Cow<'m, [u8]> {
    if header.offset_end == 0 {
        let text = header.value.as_text().unwrap_or_default();
        return Cow::Owned([text.as_bytes(), b"\n"].concat());
    }
    let range = header.offset_start as usize..header.offset_end as usize;
    let found = message.raw_message.get(range).unwrap_or_default();
    if found.ends_with(b"\n") { Cow::Borrowed(found) } else { Cow::Owned([found, b"\n"].concat()) }
}

/// The text of a field: unfolded, encoded words decoded, blanks around it gone (RFC 5228 sections 2.4.2.2 and 5.7).
fn text(message: &Message<'_>, header: &Header<'_>) -> String {
    if let (0, Some(text)) = (header.offset_end, header.value.as_text()) {
        return text.trim().to_owned();
    }
    decode_header(&with_blanks_for_tabs(&octets(message, header))).trim().to_owned()
}

/// A tab that begins a line becomes a blank. RFC 5322 section 2.2.3 would leave it, but those who write one mean the blank
/// they folded at, and scripts look for that.
fn with_blanks_for_tabs(octets: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(octets, b"\n\t").is_none() {
        return Cow::Borrowed(octets);
    }
    let mut octets = octets.to_vec();
    for place in 1..octets.len() {
        if octets[place - 1..=place] == *b"\n\t" {
            octets[place] = b' ';
        }
    }
    Cow::Owned(octets)
}

pub(super) fn texts(message: &Message<'_>, part: u32, wanted: &Wanted<'_>) -> Vec<String> {
    let mut found = Vec::new();
    each(message, part, wanted, |header| found.push(text(message, header)));
    found
}

/// The first field of this name in the message's own header.
pub(super) fn first(message: &Message<'_>, name: &str) -> Option<String> {
    let header =
        message.parts.first()?.headers.iter().find(|header| header.name.as_str().eq_ignore_ascii_case(name))?;
    Some(text(message, header))
}

pub(super) fn count(message: &Message<'_>, name: &str) -> usize {
    let headers = message.parts.first().map_or(&[][..], |part| part.headers.as_slice());
    headers.iter().filter(|header| header.name.as_str().eq_ignore_ascii_case(name)).count()
}

/// Octets of all headers: what a test that looks for something may have to read.
pub(super) fn header_octets(message: &Message<'_>) -> u64 {
    let of_header = |header: &Header<'_>| match header.offset_end {
        0 => header.value.len() as u64,
        end => u64::from(end.saturating_sub(header.offset_field)),
    };
    message.parts.iter().flat_map(|part| &part.headers).map(of_header).sum()
}

pub(super) fn mime_values(message: &Message<'_>, part: u32, wanted: &Wanted<'_>, mime: &MimeWanted<'_>) -> Vec<String> {
    let mut found = Vec::new();
    each(message, part, wanted, |header| {
        let is_type = header.name.as_str().eq_ignore_ascii_case("Content-Type");
        let is_disposition = header.name.as_str().eq_ignore_ascii_case("Content-Disposition");
        // RFC 5703 section 4.1: only the one has a type, and the other a disposition; of any other field it is empty.
        if !is_type && !is_disposition && !matches!(mime, MimeWanted::Parameters(_)) {
            found.push(String::new());
            return;
        }
        let octets = octets(message, header);
        let parsed;
        let content_type = match &header.value {
            HeaderValue::ContentType(content_type) => content_type,
            _ => match MessageStream::new(&octets).parse_content_type() {
                HeaderValue::ContentType(content_type) => {
                    parsed = content_type;
                    &parsed
                }
                _ => return,
            },
        };
        let subtype = content_type.c_subtype.as_deref().unwrap_or_default();
        match mime {
            MimeWanted::Type => found.push(content_type.c_type.to_string()),
            MimeWanted::Subtype => found.push(subtype.to_owned()),
            MimeWanted::ContentType if subtype.is_empty() => found.push(content_type.c_type.to_string()),
            MimeWanted::ContentType => found.push(format!("{}/{subtype}", content_type.c_type)),
            MimeWanted::Parameters(names) => {
                let attributes = content_type.attributes.iter().flatten();
                found.extend(
                    attributes
                        .filter(|attribute| names.iter().any(|name| attribute.name.eq_ignore_ascii_case(name)))
                        .map(|attribute| attribute.value.to_string()),
                );
            }
        }
    });
    found
}

pub(super) fn addresses(message: &Message<'_>, part: u32, wanted: &Wanted<'_>, which: AddressPart) -> Vec<String> {
    let mut found = Vec::new();
    each(message, part, wanted, |header| {
        for mailbox in mailboxes(&octets(message, header)) {
            let local = String::from_utf8_lossy(&mailbox.local);
            let domain = mailbox.domain.as_deref().map(String::from_utf8_lossy);
            found.extend(address_part(&local, domain.as_deref(), which).map(Cow::into_owned));
        }
    });
    found
}

/// RFC 5228 section 2.7.4 and RFC 5233 section 4. `local` is unquoted; the whole address has it as it is written, so that
/// a script can send mail there. `None` where the address has no such part.
pub(super) fn address_part<'a>(local: &'a str, domain: Option<&'a str>, which: AddressPart) -> Option<Cow<'a, str>> {
    match which {
        AddressPart::All => Some(match domain {
            Some(domain) => Cow::Owned(format!("{}@{domain}", quoted_local(local))),
            None => Cow::Borrowed(local),
        }),
        AddressPart::Domain => domain.map(Cow::Borrowed),
        _ if domain.is_none() => None,
        AddressPart::LocalPart => Some(Cow::Borrowed(local)),
        AddressPart::User => Some(Cow::Borrowed(local.split_once('+').map_or(local, |(user, _)| user))),
        AddressPart::Detail => local.split_once('+').map(|(_, detail)| Cow::Borrowed(detail)),
    }
}

pub(super) fn moments(message: &Message<'_>, part: u32, wanted: &Wanted<'_>) -> Vec<Moment> {
    let mut found = Vec::new();
    each(message, part, wanted, |header| {
        let octets = octets(message, header);
        // RFC 5260 section 4: the date of a field that has more than a date stands after its last semicolon.
        let date = memchr::memrchr(b';', &octets).map_or(&octets[..], |semicolon| &octets[semicolon + 1..]);
        if let HeaderValue::DateTime(time) = MessageStream::new(date).parse_date()
            && time.is_valid()
        {
            let offset = i32::from(time.tz_hour) * 3600 + i32::from(time.tz_minute) * 60;
            found.push(Moment {
                seconds: time.to_timestamp(),
                offset_seconds: if time.tz_before_gmt { -offset } else { offset },
            });
        }
    });
    found
}

/// The id that `duplicate :header` and the plain `duplicate` go by: a message id without its brackets, or the text.
pub(super) fn identifier(message: &Message<'_>, name: &str) -> Option<String> {
    first(message, name).filter(|text| !text.is_empty())
}

/// What the event carries for a value.
pub(super) fn resolve<'v>(value: &'v Value, carried: &'v [String]) -> &'v str {
    match value {
        Value::Literal(text) => text,
        Value::Carried(index) => carried.get(*index).map_or("", String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_addresses() {
        let check = |local: &str, domain: Option<&str>, which: AddressPart, expected: Option<&str>| {
            assert_eq!(address_part(local, domain, which).as_deref(), expected, "{local} {domain:?} {which:?}");
        };
        let domain = Some("example.org");
        check("a+b+c", domain, AddressPart::User, Some("a"));
        check("a+b+c", domain, AddressPart::Detail, Some("b+c"));
        check("a", domain, AddressPart::Detail, None);
        check("a+", domain, AddressPart::Detail, Some(""));
        check("a@b", domain, AddressPart::LocalPart, Some("a@b"));
        check("a@b", domain, AddressPart::All, Some("\"a@b\"@example.org"));
        check("nobody", None, AddressPart::Domain, None);
        check("nobody", None, AddressPart::LocalPart, None);
        check("nobody", None, AddressPart::All, Some("nobody"));
    }
}
