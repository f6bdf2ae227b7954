//! Automatic answers and notices: whole messages of plain text or of a ready-made MIME body.

use super::super::date::format_date;
use super::super::field::{HeaderFields, body_offset, unfold};
use super::super::line_ends::{OctetFacts, to_crlf};
use super::super::new_field::{NewField, format_mailbox};
use super::super::seven_bit::to_seven_bit;
use super::super::structure::Structure;
use super::super::transfer::{encode_base64, encode_quoted_printable};
use crate::types::limits::{MESSAGE_LINE_OCTETS_MAX, REFERENCES_MAX};
use crate::types::{Address, BodyKind, Timestamp};

/// When a message was made, by which clock, and its identifier with angle brackets, as
/// [`super::super::new_message_id`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    pub at: Timestamp,
    pub offset_seconds: i32,
    pub message_id: &'a str,
}

/// An automatic answer to a message (RFC 3834, RFC 5230 section 5).
#[derive(Clone, Debug)]
pub struct AutoReply<'a> {
    pub from_name: Option<&'a str>,
    /// The address that was written to: an alias answers as itself.
    pub from: &'a Address,
    /// The envelope sender of the original.
    pub to: &'a Address,
    /// In plain characters, complete.
    pub subject: &'a str,
    pub stamp: Stamp<'a>,
    /// The header section of the message that is answered.
    pub original: &'a [u8],
    pub body: ReplyBody<'a>,
}

/// What an automatic answer says.
#[derive(Clone, Copy, Debug)]
pub enum ReplyBody<'a> {
    Text(&'a str),
    /// `vacation :mime` (RFC 5230 section 4.5): a MIME entity with its own Content fields.
    Mime(&'a str),
}

/// A message from the server to a person.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    pub from_name: Option<&'a str>,
    pub from: &'a Address,
    pub to: &'a Address,
    pub subject: &'a str,
    pub stamp: Stamp<'a>,
    pub text: &'a str,
    /// Further fields, such as X- or List- ones.
    pub fields: &'a [NewField],
}

impl AutoReply<'_> {
    /// The message. Its return path is the caller's business, and must be null (RFC 3834 section 3.3).
    pub fn to_message(&self) -> Vec<u8> {
        let mut out = head(self.from_name, self.from, self.to, self.subject, self.stamp);
        out.extend(thread_fields(self.original).iter().flat_map(NewField::raw));
        // RFC 3834 section 5.
        out.extend_from_slice(NewField::ours("Auto-Submitted", "auto-replied").raw());
        out.extend_from_slice(NewField::ours("MIME-Version", "1.0").raw());
        match self.body {
            ReplyBody::Text(text) => push_text_entity(text, &mut out),
            ReplyBody::Mime(entity) => push_mime_entity(entity, &mut out),
        }
        seven_bit_if_possible(out)
    }
}

impl Notice<'_> {
    pub fn to_message(&self) -> Vec<u8> {
        let mut out = head(self.from_name, self.from, self.to, self.subject, self.stamp);
        out.extend(self.fields.iter().flat_map(NewField::raw));
        out.extend_from_slice(NewField::ours("Auto-Submitted", "auto-generated").raw());
        out.extend_from_slice(NewField::ours("MIME-Version", "1.0").raw());
        push_text_entity(self.text, &mut out);
        out
    }
}

/// From, To, Subject, Date and Message-ID.
pub(super) fn head(name: Option<&str>, from: &Address, to: &Address, subject: &str, stamp: Stamp<'_>) -> Vec<u8> {
    let fields = [
        NewField::ours("From", &format_mailbox(name, from)),
        NewField::ours("To", &to.to_string()),
        // The name is good, so this is the field; the other arm can't be reached but costs nothing.
        NewField::text("Subject", subject).unwrap_or_else(|_| NewField::ours("Subject", "")),
        NewField::ours("Date", &format_date(stamp.at, stamp.offset_seconds)),
        NewField::ours("Message-ID", stamp.message_id),
    ];
    fields.iter().flat_map(|field| field.raw().iter().copied()).collect()
}

/// In-Reply-To and References of an answer to the message with that header.
fn thread_fields(original: &[u8]) -> Vec<NewField> {
    let (parent, references) = reply_references(original);
    let mut fields = Vec::with_capacity(2);
    if let Some(parent) = parent {
        fields.push(NewField::ours("In-Reply-To", &parent));
    }
    if !references.is_empty() {
        fields.push(NewField::ours("References", &references.join(" ")));
    }
    fields
}

/// The identifiers an answer refers to, with their angle brackets, exactly as the original writes them: its own, and
/// the whole thread, oldest first (RFC 5322 section 3.6.4).
pub fn reply_references(original: &[u8]) -> (Option<String>, Vec<String>) {
    let ids = |name: &str| {
        HeaderFields::first(original, name).map(|field| written_ids(&field.unfolded())).unwrap_or_default()
    };
    let parent = ids("Message-ID").into_iter().next();
    let mut thread = ids("References");
    if thread.is_empty() {
        // In-Reply-To stands in when it names a single message.
        thread = ids("In-Reply-To");
        if thread.len() > 1 {
            thread.clear();
        }
    }
    thread.extend(parent.clone());
    if thread.len() > REFERENCES_MAX {
        thread.drain(1..=thread.len() - REFERENCES_MAX);
    }
    // Without an identifier of its own the answer can name nothing as its parent.
    if parent.is_none() {
        thread.clear();
    }
    (parent, thread)
}

/// `<…>` without blanks and controls, as written: an answer must name them as they are, not as we compare them.
fn written_ids(value: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(start) = memchr::memchr(b'<', rest) {
        let inner = &rest[start..];
        let Some(end) = inner[1..].iter().position(|byte| matches!(byte, b'<' | b'>')).map(|end| end + 1) else {
            break;
        };
        if inner[end] == b'>' {
            let id = &inner[..=end];
            let is_sound = id.len() > 2 && id.len() < MESSAGE_LINE_OCTETS_MAX && id.iter().all(u8::is_ascii_graphic);
            if is_sound && let Ok(id) = std::str::from_utf8(id) {
                ids.push(id.to_owned());
            }
            rest = &inner[end + 1..];
        } else {
            rest = &inner[end..];
        }
    }
    ids
}

/// Content-Type, Content-Transfer-Encoding, blank line and body for a text: as it is where it can be, encoded where it
/// must be.
pub(super) fn push_text_entity(text: &str, out: &mut Vec<u8>) {
    let mut body = to_crlf(text.as_bytes()).into_owned();
    if !body.is_empty() && !body.ends_with(b"\r\n") {
        body.extend_from_slice(b"\r\n");
    }
    let is_plain = OctetFacts::of(&body).kind() == BodyKind::SevenBit;
    let charset = if body.is_ascii() { "us-ascii" } else { "utf-8" };
    let non_ascii = body.iter().filter(|byte| !byte.is_ascii()).count();
    // Quoted-printable stays readable for Latin scripts and is three times too long for others.
    let encoding = if is_plain {
        "7bit"
    } else if non_ascii * 6 <= body.len() {
        "quoted-printable"
    } else {
        "base64"
    };
    out.extend_from_slice(NewField::ours("Content-Type", &format!("text/plain; charset={charset}")).raw());
    out.extend_from_slice(NewField::ours("Content-Transfer-Encoding", encoding).raw());
    out.extend_from_slice(b"\r\n");
    match encoding {
        "7bit" => out.extend_from_slice(&body),
        "quoted-printable" => encode_quoted_printable(&body, out),
        _ => encode_base64(&body, out),
    }
}

/// The entity of `vacation :mime`: of its header only what describes content, so that it can't bring in recipients or
/// another sender.
fn push_mime_entity(entity: &str, out: &mut Vec<u8>) {
    let entity = to_crlf(entity.as_bytes());
    let body = &entity[body_offset(&entity)..];
    for field in HeaderFields::new(&entity) {
        let is_content = field.name().get(..8).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"Content-"));
        if !is_content {
            continue;
        }
        let (name, value) = (String::from_utf8_lossy(field.name()), unfold(field.value()));
        if let Ok(field) = NewField::new(&name, &String::from_utf8_lossy(&value)) {
            out.extend_from_slice(field.raw());
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    if !body.is_empty() && !body.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
}

/// Mail of ours should reach everybody; where it can't be seven-bit it stays what it is, and says so on its way.
fn seven_bit_if_possible(message: Vec<u8>) -> Vec<u8> {
    match to_seven_bit(&message, &Structure::scan(&message)) {
        Ok(converted) => converted.into_owned(),
        Err(_) => message,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Parsed, decode_header};
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("well formed")
    }

    fn reply(subject: &str, original: &str, body: ReplyBody<'_>) -> Vec<u8> {
        let (from, to) = (address("info@example.org"), address("jane@b.example"));
        AutoReply {
            from_name: Some("Jürgen"),
            from: &from,
            to: &to,
            subject,
            stamp: Stamp { at: Timestamp::from_seconds(0), offset_seconds: 0, message_id: "<9@example.org>" },
            original: original.as_bytes(),
            body,
        }
        .to_message()
    }

    #[test]
    fn an_answer_is_well_formed_mail() {
        let message = reply(
            "Grüße",
            "Message-ID: <2@x>\r\nReferences: <1@x>\r\n\t<\"q\"@x>\r\n",
            ReplyBody::Text("Bin weg.\nBis bald, Jürgen"),
        );
        let expected = "From: =?utf-8?Q?J=C3=BCrgen?= <info@example.org>\r\nTo: jane@b.example\r\n\
            Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n\
            Message-ID: <9@example.org>\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x> <\"q\"@x> <2@x>\r\n\
            Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nBin weg.\r\nBis bald, J=C3=BCrgen\r\n";
        assert_eq!(String::from_utf8_lossy(&message), expected);
    }

    #[test]
    fn references_follow_the_thread() {
        let check = |original: &str, parent: Option<&str>, thread: &[&str]| {
            let found = reply_references(original.as_bytes());
            assert_eq!((found.0.as_deref(), found.1), (parent, thread.iter().map(|&id| id.to_owned()).collect()));
        };
        check("Message-ID: <2@x>\r\n", Some("<2@x>"), &["<2@x>"]);
        check("Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n", Some("<2@x>"), &["<1@x>", "<2@x>"]);
        check("Message-ID: <2@x>\r\nIn-Reply-To: <1@x> <0@x>\r\n", Some("<2@x>"), &["<2@x>"]);
        check("References: <1@x>\r\n", None, &[]);
        check("Message-ID: <a b> <\u{fc}@x> <c@x>\r\n", Some("<c@x>"), &["<c@x>"]);
        check("", None, &[]);
    }

    #[test]
    fn texts_take_the_encoding_they_need() {
        let check = |text: &str, encoding: &str, body: &str| {
            let mut out = Vec::new();
            push_text_entity(text, &mut out);
            let out = String::from_utf8(out).expect("text");
            let (head, rest) = out.split_once("\r\n\r\n").expect("a header");
            assert!(head.ends_with(&format!("Content-Transfer-Encoding: {encoding}")), "{head}");
            assert_eq!(rest, body);
        };
        check("plain\n.\nFrom me", "7bit", "plain\r\n.\r\nFrom me\r\n");
        check("", "7bit", "");
        check("grün und noch mehr Text", "quoted-printable", "gr=C3=BCn und noch mehr Text\r\n");
        check("привет", "base64", "0L/RgNC40LLQtdGCDQo=\r\n");
        check(
            &"x".repeat(1000),
            "quoted-printable",
            &format!("{}\r\n", ["x".repeat(75).as_str(); 13].join("=\r\n") + "=\r\n" + &"x".repeat(25)),
        );
    }

    #[test]
    fn a_ready_made_body_brings_only_its_content() {
        let entity = "Content-Type: multipart/alternative; boundary=b\nBcc: victim@x\nX: y\n\n--b\n\ngrün\n--b\nContent-Type: text/html\n\n<p>\n--b--";
        let message = String::from_utf8(reply("s", "", ReplyBody::Mime(entity))).expect("text");
        assert!(!message.contains("victim") && !message.contains("X: y") && message.is_ascii(), "{message}");
        let parsed = Parsed::parse(message.as_bytes());
        assert_eq!(parsed.structure().parts().len(), 3);
        assert_eq!(parsed.structure().decode_part(message.as_bytes(), &[1]).as_deref(), Ok("grün".as_bytes()));
        let missing = String::from_utf8(reply("s", "", ReplyBody::Mime("no header at all"))).expect("text");
        assert!(missing.ends_with("MIME-Version: 1.0\r\n\r\n"), "{missing}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_subject_and_text_arrive(subject in "\\PC{0,80}", text in "[ -~äé漢\n\t]{0,200}", original in "[ -~<>@\r\n\t:]{0,80}") {
            let message = reply(&subject, &original, ReplyBody::Text(&text));
            let parsed = Parsed::parse(&message);
            prop_assert!(message.is_ascii());
            prop_assert!(OctetFacts::of(&message).longest_line_octets <= MESSAGE_LINE_OCTETS_MAX);
            let read = parsed.fields().find(|field| field.is("Subject")).map(|field| decode_header(field.value()).into_owned());
            let said: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            prop_assert_eq!(read.unwrap_or_default(), said.trim());
            prop_assert_eq!(parsed.fields().filter(|field| field.is("To")).count(), 1);
            let body = parsed.structure().decode_part(&message, &[1]).map(std::borrow::Cow::into_owned).unwrap_or_default();
            let sent = to_crlf(text.as_bytes()).into_owned();
            prop_assert_eq!(body.strip_suffix(b"\r\n").unwrap_or(&body), sent.strip_suffix(b"\r\n").unwrap_or(&sent));
        }
    }
}
