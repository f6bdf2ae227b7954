//! What lists of messages are sorted, threaded and labelled by, computed once at delivery.

use super::addresses::{AddressItem, address_list};
use super::casemap::casemap;
use super::content_type::{ContentType, Disposition};
use super::date::SentDate;
use super::encoded_word;
use super::field::HeaderFields;
use super::message_id::{message_id, message_ids, references};
use super::stored::{Reader, StoredError, push_number, push_optional, push_signed, push_text};
use super::structure::{PartKind, Structure};
use super::subject::base_subject;
use crate::types::Timestamp;
use crate::types::limits::REFERENCES_MAX;

pub(super) const VERSION: u8 = 1;
/// Octets of one sort key or subject. Sorting by more than this is sorting by less.
const KEY_OCTETS_MAX: usize = 2048;

/// Facts of one message. Identifiers stand without their angle brackets.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Facts {
    pub message_id: Option<String>,
    /// The first of In-Reply-To, which is what threading uses (RFC 5256 section 3).
    pub in_reply_to: Option<String>,
    /// In their order, each once.
    pub references: Vec<String>,
    /// The Date field, if it can be read; the caller falls back on the time of arrival (RFC 5256 section 2.2).
    pub sent: Option<SentDate>,
    /// Decoded, on one line.
    pub subject: String,
    /// RFC 5256 section 2.1, in the form that is compared.
    pub base_subject: String,
    pub is_reply_or_forward: bool,
    pub sort: SortKeys,
    /// RFC 8970; empty when there is nothing to show.
    pub preview: String,
    pub has_attachment: bool,
}

/// In the form that is compared (i;unicode-casemap); empty when the field is missing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SortKeys {
    /// RFC 5256 section 3 SORT: the local part of the first address.
    pub from: String,
    pub to: String,
    pub cc: String,
    /// RFC 5957 section 3: the name people see, else the address.
    pub display_from: String,
    pub display_to: String,
}

impl Facts {
    /// All but the preview, which needs decoded text.
    pub(super) fn read(raw: &[u8], structure: &Structure) -> Self {
        let header = structure.root().header_in(raw);
        let mut facts = Self { has_attachment: has_attachment(raw, structure), ..Self::default() };
        let mut seen = Seen::default();
        for field in HeaderFields::new(header) {
            match field.name().first().map(u8::to_ascii_lowercase) {
                Some(b'm') if field.is("Message-ID") && facts.message_id.is_none() => {
                    facts.message_id = message_id(field.value()).map(Into::into);
                }
                Some(b'i') if field.is("In-Reply-To") && facts.in_reply_to.is_none() => {
                    facts.in_reply_to = message_ids(field.value()).next().map(Into::into);
                }
                Some(b'r') if field.is("References") && facts.references.is_empty() => {
                    facts.references = references(field.value());
                }
                Some(b'd') if field.is("Date") && first_time(&mut seen.date) => {
                    facts.sent = SentDate::parse(field.value());
                }
                Some(b's') if field.is("Subject") && first_time(&mut seen.subject) => facts.set_subject(field.value()),
                Some(b'f') if field.is("From") && first_time(&mut seen.from) => {
                    (facts.sort.from, facts.sort.display_from) = address_keys(field.value());
                }
                Some(b't') if field.is("To") && first_time(&mut seen.to) => {
                    (facts.sort.to, facts.sort.display_to) = address_keys(field.value());
                }
                Some(b'c') if field.is("Cc") && first_time(&mut seen.cc) => {
                    facts.sort.cc = address_keys(field.value()).0;
                }
                _ => {}
            }
        }
        facts
    }

    fn set_subject(&mut self, value: &[u8]) {
        self.subject = cut(encoded_word::decode(value).into_owned());
        let base = base_subject(&self.subject);
        self.is_reply_or_forward = base.is_reply_or_forward;
        self.base_subject = cut(casemap(&base.text).into_owned());
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.push(VERSION);
        out.push(
            u8::from(self.is_reply_or_forward)
                | u8::from(self.has_attachment) << 1
                | u8::from(self.sent.is_some()) << 2,
        );
        if let Some(sent) = self.sent {
            push_signed(&mut out, sent.time.0);
            push_signed(&mut out, i64::from(sent.offset_seconds));
        }
        // What sorting needs stands first.
        push_text(&mut out, &self.base_subject);
        for key in [&self.sort.from, &self.sort.to, &self.sort.cc, &self.sort.display_from, &self.sort.display_to] {
            push_text(&mut out, key);
        }
        push_optional(&mut out, self.message_id.as_deref());
        push_optional(&mut out, self.in_reply_to.as_deref());
        push_number(&mut out, self.references.len() as u64);
        for id in &self.references {
            push_text(&mut out, id);
        }
        push_text(&mut out, &self.subject);
        push_text(&mut out, &self.preview);
        out
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let flags = reader.octet()?;
        if flags > 7 {
            return Err(StoredError::Inconsistent);
        }
        let mut facts = Self { is_reply_or_forward: flags & 1 != 0, has_attachment: flags & 2 != 0, ..Self::default() };
        if flags & 4 != 0 {
            let time = Timestamp(reader.signed()?);
            let offset_seconds = i32::try_from(reader.signed()?).map_err(|_| StoredError::Inconsistent)?;
            facts.sent = Some(SentDate { time, offset_seconds });
        }
        facts.base_subject = reader.text()?.to_owned();
        let sort = &mut facts.sort;
        for key in [&mut sort.from, &mut sort.to, &mut sort.cc, &mut sort.display_from, &mut sort.display_to] {
            reader.text()?.clone_into(key);
        }
        facts.message_id = reader.optional()?.map(Into::into);
        facts.in_reply_to = reader.optional()?.map(Into::into);
        let count = reader.number()?;
        if count as usize > REFERENCES_MAX {
            return Err(StoredError::Inconsistent);
        }
        for _ in 0..count {
            facts.references.push(reader.text()?.to_owned());
        }
        facts.subject = reader.text()?.to_owned();
        facts.preview = reader.text()?.to_owned();
        reader.end()?;
        Ok(facts)
    }
}

/// Of fields that may stand only once the first counts.
#[derive(Default)]
struct Seen {
    date: bool,
    subject: bool,
    from: bool,
    to: bool,
    cc: bool,
}

fn first_time(seen: &mut bool) -> bool {
    !std::mem::replace(seen, true)
}

fn cut(mut text: String) -> String {
    if text.len() > KEY_OCTETS_MAX {
        let mut end = KEY_OCTETS_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// The mailbox and the display key of the first address, both casemapped. A group counts by its name, as its
/// addr-mailbox in ENVELOPE does.
fn address_keys(value: &[u8]) -> (String, String) {
    let map = |octets: &[u8]| cut(casemap(&encoded_word::decode(octets)).into_owned());
    match address_list(value).next() {
        Some(AddressItem::Mailbox(mailbox)) => {
            let local = map(&mailbox.local);
            let display = match (&mailbox.name, &mailbox.domain) {
                (Some(name), _) => map(name),
                // RFC 5957 section 3.1: mailbox@host where there is no name.
                (None, Some(domain)) => cut(format!("{local}@{}", map(domain))),
                (None, None) => local.clone(),
            };
            (local, display)
        }
        Some(AddressItem::GroupStart(name)) => {
            let name = map(&name);
            (name.clone(), name)
        }
        Some(AddressItem::GroupEnd) | None => Default::default(),
    }
}

/// Whether a person would say that something is attached: not for texts to read, pictures shown inside them, or
/// signatures.
fn has_attachment(raw: &[u8], structure: &Structure) -> bool {
    let parts = structure.parts();
    let mut related = vec![false; parts.len()];
    for (index, part) in parts.iter().enumerate() {
        if part.kind == PartKind::Multipart {
            for child in structure.children(index) {
                related[child] = &*part.media_type == "multipart/related";
            }
            continue;
        }
        if part.kind == PartKind::Message || &*part.media_type == "message/rfc822" {
            return true;
        }
        if is_attached(part.header_in(raw), &part.media_type, related[index]) {
            return true;
        }
    }
    false
}

fn is_attached(header: &[u8], media_type: &str, related: bool) -> bool {
    let (mut named, mut inline, mut has_id) = (false, false, false);
    for field in HeaderFields::new(header) {
        if field.is("Content-Disposition") {
            let Some(disposition) = Disposition::parse(field.value()) else { continue };
            if disposition.kind.eq_ignore_ascii_case(b"attachment") {
                return true;
            }
            inline = disposition.kind.eq_ignore_ascii_case(b"inline");
            named |= disposition.parameters.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with(b"filename"));
        } else if field.is("Content-Type") {
            let parameters = ContentType::parse(field.value()).map(|parsed| parsed.parameters).unwrap_or_default();
            named |= parameters.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with(b"name"));
        } else if field.is("Content-ID") {
            has_id = true;
        }
    }
    let shown = media_type.starts_with("text/") || media_type.starts_with("image/");
    let signature = media_type.ends_with("-signature") || media_type == "application/pgp-encrypted";
    if signature || related && has_id {
        return false;
    }
    !shown || named && !inline
}

#[cfg(test)]
mod tests {
    use super::super::Parsed;
    use super::super::structure::tests::mailish;
    use super::*;
    use proptest::prelude::*;

    fn facts(raw: &str) -> Facts {
        let facts = Parsed::parse(raw.as_bytes()).analyse().facts;
        assert_eq!(Facts::from_bytes(&facts.to_bytes()).as_ref(), Ok(&facts));
        facts
    }

    #[test]
    fn a_reply_and_all_it_says() {
        let found = facts(
            "From: =?utf-8?Q?J=C3=BCrgen?= <jb@x.example>\r\nTo: friends: a@b;\r\nCc: c.d@e\r\nSubject: Re: [l] hi\r\n\
            Date: Fri, 20 Nov 2026 03:31:42 +0100\r\nMessage-ID: <3@x>\r\nIn-Reply-To: <2@x> <9@x>\r\n\
            References: <1@x> <2@x> <1@x>\r\n\r\n> hello\r\nyes, do\r\n",
        );
        let expected = Facts {
            message_id: Some("3@x".into()),
            in_reply_to: Some("2@x".into()),
            references: vec!["1@x".into(), "2@x".into()],
            sent: SentDate::parse(b"20 Nov 2026 03:31:42 +0100"),
            subject: "Re: [l] hi".into(),
            base_subject: "HI".into(),
            is_reply_or_forward: true,
            sort: SortKeys {
                from: "JB".into(),
                to: "FRIENDS".into(),
                cc: "C.D".into(),
                display_from: "JU\u{308}RGEN".into(),
                display_to: "FRIENDS".into(),
            },
            preview: "yes, do".into(),
            has_attachment: false,
        };
        assert_eq!(found, expected);
        assert_eq!(facts("From: a@b.c\r\n\r\n").sort.display_from, "A@B.C");
        assert_eq!(facts("\r\n"), Facts::default());
    }

    #[test]
    fn attachments_are_what_people_call_so() {
        let check = |parts: &[&str], expected: bool| {
            let body: String = parts.iter().map(|part| format!("--b\r\n{part}\r\n\r\nx\r\n")).collect();
            let raw = format!("Content-Type: multipart/related; boundary=b\r\n\r\n{body}--b--\r\n");
            assert_eq!(facts(&raw).has_attachment, expected, "{parts:?}");
        };
        check(&["Content-Type: text/plain", "Content-Type: text/html"], false);
        check(&["Content-Type: text/plain\r\nContent-Disposition: attachment"], true);
        check(&["Content-Type: text/csv; name=a.csv"], true);
        check(&["Content-Type: image/png; name=a.png\r\nContent-ID: <1>"], false);
        check(&["Content-Type: application/pdf"], true);
        check(&["Content-Type: application/pgp-signature; name=s"], false);
        check(&["Content-Type: message/rfc822"], true);
        check(&["Content-Type: image/png\r\nContent-Disposition: inline; filename=x"], false);
    }

    #[test]
    fn previews_come_from_the_text_people_read() {
        let check = |raw: &str, expected: &str| assert_eq!(facts(raw).preview, expected, "{raw}");
        let head = "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n";
        check(&format!("{head}\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--"), "plain");
        check(&format!("{head}\r\n\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--"), "html");
        check(&format!("{head}Content-Type: text/csv\r\n\r\na,b\r\n--b--"), "");
        check(&format!("{head}Content-Disposition: attachment\r\n\r\nnotes\r\n--b--"), "");
        check("Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner", "inner");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_facts_survive_storing(raw in mailish(), bytes: Vec<u8>) {
            let facts = Parsed::parse(&raw).analyse().facts;
            prop_assert!(facts.preview.chars().count() <= 200);
            prop_assert_eq!(Facts::from_bytes(&facts.to_bytes()), Ok(facts));
            let _ = Facts::from_bytes(&bytes);
        }
    }
}
