//! URLs of messages and their parts, as CATENATE takes them (RFC 4469 section 3, RFC 5092, RFC 5550 section 3.1).
//!
//! Only those that name a message are read; URLAUTH (RFC 4467) is not among what we offer, so such a URL is refused.

use super::Mode;
use super::fetch::{Section, SectionText, section_spec};
use super::input::Input;
use crate::types::MailboxName;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageUrl {
    /// Of an absolute URL; the session knows whether that is this server and this user.
    pub server: Option<UrlServer>,
    /// `None` for the selected mailbox.
    pub mailbox: Option<MailboxName>,
    pub uid_validity: Option<u32>,
    pub uid: u32,
    pub section: Section,
    /// From which octet, and how many; without the second, all that follow.
    pub partial: Option<(u64, Option<u64>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlServer {
    pub user: Option<String>,
    /// With the port, if one was given.
    pub host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    NotImap,
    /// A mailbox, a search or a server, but no message.
    NoMessage,
    Mailbox,
    Number,
    Section,
    /// Needs an authorization we don't know.
    Authorization,
}

impl fmt::Display for UrlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotImap => "not an IMAP URL",
            Self::NoMessage => "the URL names no message",
            Self::Mailbox => "the URL's mailbox is no name",
            Self::Number => "a number in the URL is wrong",
            Self::Section => "the URL's section is wrong",
            Self::Authorization => "URLs with an authorization are not supported",
        })
    }
}

impl std::error::Error for UrlError {}

pub fn message_url(url: &str) -> Result<MessageUrl, UrlError> {
    if find(url, ";URLAUTH=").is_some() || find(url, ";EXPIRE=").is_some() {
        return Err(UrlError::Authorization);
    }
    let (server, path) = match after(url, "imap://") {
        Some(rest) => {
            let (authority, path) = rest.split_once('/').ok_or(UrlError::NoMessage)?;
            (Some(server(authority)?), path)
        }
        // A relative URL is about the server; one without a slash, about the selected mailbox.
        None => (None, url.strip_prefix('/').unwrap_or(url)),
    };
    let (place, message) = match after(path, ";UID=") {
        Some(message) => (None, message),
        None if server.is_none() && !url.starts_with('/') => return Err(UrlError::NotImap),
        None => {
            let at = find(path, "/;UID=").ok_or(UrlError::NoMessage)?;
            (Some(&path[..at]), &path[at + "/;UID=".len()..])
        }
    };
    let (mailbox, uid_validity) = place.map_or(Ok((None, None)), mailbox_part)?;
    let (uid, mut rest) = number(message)?;
    let mut section = Section { part: Vec::new(), text: SectionText::Whole };
    if let Some(encoded) = after(rest, "/;SECTION=") {
        let end = find(encoded, "/;PARTIAL=").unwrap_or(encoded.len());
        section = parse_section(&encoded[..end])?;
        rest = &encoded[end..];
    }
    let mut partial = None;
    if let Some(range) = after(rest, "/;PARTIAL=") {
        let (origin, after_origin) = number(range)?;
        let length = match after_origin.strip_prefix('.') {
            Some(length) => {
                let (length, nothing) = number(length)?;
                rest = nothing;
                Some(length)
            }
            None => {
                rest = after_origin;
                None
            }
        };
        partial = Some((origin, length));
    }
    if !rest.is_empty() {
        return Err(UrlError::Section);
    }
    let uid = u32::try_from(uid).ok().filter(|uid| *uid > 0).ok_or(UrlError::Number)?;
    Ok(MessageUrl { server, mailbox, uid_validity, uid, section, partial })
}

fn server(authority: &str) -> Result<UrlServer, UrlError> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = find(user, ";AUTH=").map_or(user, |at| &user[..at]);
            (Some(percent_decoded(user).ok_or(UrlError::NotImap)?), host)
        }
        None => (None, authority),
    };
    Ok(UrlServer { user, host: host.to_ascii_lowercase() })
}

fn mailbox_part(place: &str) -> Result<(Option<MailboxName>, Option<u32>), UrlError> {
    let (name, uid_validity) = match find(place, ";UIDVALIDITY=") {
        None => (place, None),
        Some(at) => match number(&place[at + ";UIDVALIDITY=".len()..])? {
            (validity, "") => (&place[..at], Some(u32::try_from(validity).or(Err(UrlError::Number))?)),
            _ => return Err(UrlError::Number),
        },
    };
    let name = percent_decoded(name).ok_or(UrlError::Mailbox)?;
    let name = MailboxName::parse(&name).or(Err(UrlError::Mailbox))?;
    Ok((Some(name), uid_validity))
}

fn parse_section(encoded: &str) -> Result<Section, UrlError> {
    let text = percent_decoded(encoded).ok_or(UrlError::Section)?;
    let mut input = Input::new(text.as_bytes(), &[], Mode::default());
    section_spec(&mut input).and_then(|section| input.end().map(|()| section)).or(Err(UrlError::Section))
}

/// A number of at most 63 bits, and what follows it.
fn number(text: &str) -> Result<(u64, &str), UrlError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..end].parse().or(Err(UrlError::Number))?;
    Ok((number.unsigned_abs(), &text[end..]))
}

/// What follows `prefix`, whose case does not matter.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Where `word` stands first, whose case does not matter.
fn find(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        if octet == b'%' {
            let hex = after.get(..2)?;
            let value = hex.iter().try_fold(0_u32, |value, digit| Some(value * 16 + (*digit as char).to_digit(16)?))?;
            octets.push(u8::try_from(value).ok()?);
            rest = &after[2..];
        } else {
            octets.push(octet);
            rest = after;
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_messages() {
        let check = |url: &str, expected: Result<&str, UrlError>| {
            let found = message_url(url).map(|url| {
                format!(
                    "{} {} {:?} {} {:?} {:?} {:?}",
                    url.server.map_or(String::from("-"), |server| format!("{:?}@{}", server.user, server.host)),
                    url.mailbox.map_or(String::from("-"), |name| name.to_string()),
                    url.uid_validity,
                    url.uid,
                    url.section.part,
                    url.section.text,
                    url.partial
                )
            });
            assert_eq!(found.as_deref().map_err(|error| *error), expected, "{url}");
        };
        check(
            "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
            Ok("- Drafts Some(385759045) 20 [] Header None"),
        );
        check("/Drafts/;UID=20/;section=1.2.MIME", Ok("- Drafts None 20 [1, 2] Mime None"));
        check("/Drafts/;UID=20/;section=3/;partial=0.1024", Ok("- Drafts None 20 [3] Whole Some((0, Some(1024)))"));
        check("/a/b%20%C3%BC/;UID=1/;PARTIAL=7", Ok("- a/b ü None 1 [] Whole Some((7, None))"));
        check(";UID=5", Ok("- - None 5 [] Whole None"));
        check("/;UID=5/;SECTION=TEXT", Ok("- - None 5 [] Text None"));
        check(
            "imap://bob%40x;AUTH=*@Mail.Example.ORG:143/INBOX/;UID=9",
            Ok("Some(\"bob@x\")@mail.example.org:143 INBOX None 9 [] Whole None"),
        );
        check("imap://h/INBOX", Err(UrlError::NoMessage));
        check("imap://h", Err(UrlError::NoMessage));
        check("http://h/INBOX/;UID=9", Err(UrlError::NotImap));
        check("/INBOX/;UID=0", Err(UrlError::Number));
        check("/INBOX/;UID=99999999999", Err(UrlError::Number));
        check("/INBOX/;UID=1/;SECTION=MIME", Err(UrlError::Section));
        check("/INBOX/;UID=1x", Err(UrlError::Section));
        check("/IN%4/;UID=1", Err(UrlError::Mailbox));
        check("/IN%FF/;UID=1", Err(UrlError::Mailbox));
        check("/INBOX/;UID=1;URLAUTH=anonymous:INTERNAL:1", Err(UrlError::Authorization));
        check("", Err(UrlError::NotImap));
    }
}
