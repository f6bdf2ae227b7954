//! Delivery status notifications (RFC 3461, RFC 3464): words for a person first, then the machine's part, then the
//! message or its header. A refusal after the fact (RFC 5429 section 2.1) is one too: failed, with the reason as words.

use super::super::date::format_date;
use super::super::field::body_offset;
use super::super::line_ends::OctetFacts;
use super::super::new_field::{NewField, clean};
use super::super::seven_bit::has_eight_bit_header;
use super::super::structure::Structure;
use super::mail::{Stamp, head, push_text_entity};
use crate::types::{Address, BodyKind, Domain, Timestamp};
use memchr::memmem;

/// What became of a recipient (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Failed,
    Delayed,
    Delivered,
    Relayed,
    Expanded,
}

impl Action {
    fn keyword(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}

/// One recipient's part of a report.
#[derive(Clone, Debug)]
pub struct RecipientReport<'a> {
    /// ORCPT, decoded: `rfc822;jane@example.org`.
    pub original: Option<&'a str>,
    /// The address as its sender knows it: of an alias the alias, never its owner.
    pub address: &'a Address,
    pub action: Action,
    /// `5.1.1`.
    pub status: &'a str,
    /// The host that said so, if it was another one.
    pub remote_mta: Option<&'a str>,
    /// Its reply: `550 5.1.1 no such user`.
    pub diagnostic: Option<&'a str>,
    pub last_attempt: Option<Timestamp>,
    /// Of a delay.
    pub will_retry_until: Option<Timestamp>,
}

/// What of the message goes back.
#[derive(Clone, Copy, Debug)]
pub enum Returned<'a> {
    Message(&'a [u8]),
    /// Its header section; a body behind it is left out.
    Header(&'a [u8]),
    Nothing,
}

/// A report, to be sent with a null return path, which is the caller's business.
#[derive(Clone, Debug)]
pub struct DeliveryReport<'a> {
    pub reporting_mta: &'a Domain,
    pub from_name: Option<&'a str>,
    pub from: &'a Address,
    pub to: &'a Address,
    pub subject: &'a str,
    pub stamp: Stamp<'a>,
    /// The words for a person.
    pub text: &'a str,
    /// ENVID, decoded.
    pub envelope_id: Option<&'a str>,
    pub arrived: Option<Timestamp>,
    pub recipients: &'a [RecipientReport<'a>],
    pub returned: Returned<'a>,
    /// Whether the way back takes SMTPUTF8: only then may the parts be those of RFC 6533 with UTF-8 in them.
    pub utf8: bool,
}

impl DeliveryReport<'_> {
    /// The message. Eight-bit only if what is returned is.
    pub fn to_message(&self) -> Vec<u8> {
        let status = self.status_part();
        let returned = self.returned_part();
        let mut text = Vec::new();
        push_text_entity(self.text, &mut text);
        let parts = [Some(text), Some(status), returned];
        let parts: Vec<Vec<u8>> = parts.into_iter().flatten().collect();
        let boundary = self.boundary(&parts);

        let mut out = head(self.from_name, self.from, self.to, self.subject, self.stamp);
        // RFC 3834 section 5: a report answers a message by itself.
        out.extend_from_slice(NewField::ours("Auto-Submitted", "auto-replied").raw());
        out.extend_from_slice(NewField::ours("MIME-Version", "1.0").raw());
        let encoding = parts.iter().map(|part| OctetFacts::of(part).kind()).max_by_key(|kind| match kind {
            BodyKind::SevenBit => 0,
            BodyKind::EightBit => 1,
            BodyKind::Binary => 2,
        });
        let encoding = encoding_name(encoding.unwrap_or_default());
        // RFC 6522 section 3.
        let value = format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
        out.extend_from_slice(NewField::ours("Content-Type", &value).raw());
        out.extend_from_slice(NewField::ours("Content-Transfer-Encoding", encoding).raw());
        for part in parts {
            out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            out.extend_from_slice(&part);
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    /// From the identifier, which is unique; counted up while any part has it, which a returned report may.
    fn boundary(&self, parts: &[Vec<u8>]) -> String {
        const BOUNDARY_TOKEN_MAX: usize = 40;
        let token: String =
            self.stamp.message_id.chars().filter(char::is_ascii_alphanumeric).take(BOUNDARY_TOKEN_MAX).collect();
        let mut count = 0_u32;
        loop {
            // RFC 2045 section 6.7: `=_` can't occur in quoted-printable.
            let boundary = format!("=_{token}.{count}=");
            // Each try is looked for in all parts; an attacker would have to know the token to cost us a second one.
            if count > 100 || parts.iter().all(|part| memmem::find(part, boundary.as_bytes()).is_none()) {
                return boundary;
            }
            count += 1;
        }
    }

    /// RFC 6533 section 3: which form of the machine's part has to be used.
    fn is_global(&self) -> bool {
        self.utf8 && self.recipients.iter().any(|recipient| recipient.address.needs_utf8())
    }

    fn status_part(&self) -> Vec<u8> {
        let media_type = if self.is_global() { "message/global-delivery-status" } else { "message/delivery-status" };
        let mut out = NewField::ours("Content-Type", media_type).raw().to_vec();
        let mut push = |field: NewField| out.extend_from_slice(field.raw());
        if self.is_global() {
            push(NewField::ours("Content-Transfer-Encoding", "8bit"));
        }
        // The blank line behind the part's header.
        let mut status = b"\r\n".to_vec();
        let mut push_status = |name: &'static str, value: &str| {
            status.extend_from_slice(NewField::ours(name, &self.ascii_unless_global(value)).raw());
        };
        // RFC 3464 section 2.2: fields of the whole message.
        if let Some(id) = self.envelope_id {
            push_status("Original-Envelope-Id", id);
        }
        push_status("Reporting-MTA", &format!("dns; {}", self.reporting_mta));
        if let Some(arrived) = self.arrived {
            push_status("Arrival-Date", &format_date(arrived, self.stamp.offset_seconds));
        }
        out.extend_from_slice(&status);
        for recipient in self.recipients {
            out.extend_from_slice(b"\r\n");
            self.push_recipient(recipient, &mut out);
        }
        out
    }

    /// RFC 3464 section 2.3.
    fn push_recipient(&self, recipient: &RecipientReport<'_>, out: &mut Vec<u8>) {
        let mut push = |name: &'static str, value: &str| {
            out.extend_from_slice(NewField::ours(name, &self.ascii_unless_global(value)).raw());
        };
        if let Some(original) = recipient.original {
            push("Original-Recipient", &original.replacen(';', "; ", 1));
        }
        let address = recipient.address;
        if address.needs_utf8() {
            // RFC 6533 section 3: an address type of its own; without UTF-8 in its escaped form.
            push(
                "Final-Recipient",
                &format!("utf-8; {}", if self.is_global() { address.to_string() } else { escaped(address) }),
            );
        } else {
            push("Final-Recipient", &format!("rfc822; {address}"));
        }
        push("Action", recipient.action.keyword());
        push("Status", recipient.status);
        if let Some(host) = recipient.remote_mta {
            push("Remote-MTA", &format!("dns; {host}"));
        }
        if let Some(diagnostic) = recipient.diagnostic {
            push("Diagnostic-Code", &format!("smtp; {diagnostic}"));
        }
        if let Some(at) = recipient.last_attempt {
            push("Last-Attempt-Date", &format_date(at, self.stamp.offset_seconds));
        }
        if let Some(until) = recipient.will_retry_until {
            push("Will-Retry-Until", &format_date(until, self.stamp.offset_seconds));
        }
    }

    /// A stranger's server may reply in anything; message/delivery-status is ASCII (RFC 3464 section 2.1).
    fn ascii_unless_global(&self, value: &str) -> String {
        const VALUE_CHARACTERS_MAX: usize = 900;
        let value = clean(value);
        let kept = value.chars().take(VALUE_CHARACTERS_MAX);
        if self.is_global() { kept.collect() } else { kept.map(|one| if one.is_ascii() { one } else { '?' }).collect() }
    }

    fn returned_part(&self) -> Option<Vec<u8>> {
        let (octets, plain, global) = match self.returned {
            Returned::Nothing => return None,
            Returned::Message(raw) => (raw, "message/rfc822", "message/global"),
            // RFC 6522 section 4.
            Returned::Header(raw) => (&raw[..body_offset(raw)], "text/rfc822-headers", "message/global-headers"),
        };
        let is_global = self.utf8 && has_eight_bit_header(octets, &Structure::scan(octets));
        let mut out = NewField::ours("Content-Type", if is_global { global } else { plain }).raw().to_vec();
        let encoding = encoding_name(OctetFacts::of(octets).kind());
        out.extend_from_slice(NewField::ours("Content-Transfer-Encoding", encoding).raw());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(octets);
        Some(out)
    }
}

fn encoding_name(kind: BodyKind) -> &'static str {
    match kind {
        BodyKind::SevenBit => "7bit",
        BodyKind::EightBit => "8bit",
        BodyKind::Binary => "binary",
    }
}

/// RFC 6533 section 3, utf-8-addr-unitext's ASCII form: `\x{FC}` for each character that is not ASCII, and for those
/// the escape itself uses.
fn escaped(address: &Address) -> String {
    let mut out = String::new();
    for character in address.to_string().chars() {
        if character.is_ascii_graphic() && !matches!(character, '\\' | '+' | '=') {
            out.push(character);
        } else {
            out += &format!("\\x{{{:X}}}", character as u32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::{Parsed, Section};
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("well formed")
    }

    fn report(recipient: &Address, diagnostic: &str, returned: Returned<'_>, utf8: bool) -> Vec<u8> {
        let mta = Domain::parse("mx.example.org").expect("well formed");
        let (from, to) = (address("postmaster@example.org"), address("jane@b.example"));
        let recipients = [RecipientReport {
            original: Some("rfc822;info@example.org"),
            address: recipient,
            action: Action::Failed,
            status: "5.1.1",
            remote_mta: Some("mx.far.example"),
            diagnostic: Some(diagnostic),
            last_attempt: Some(Timestamp::from_seconds(60)),
            will_retry_until: None,
        }];
        DeliveryReport {
            reporting_mta: &mta,
            from_name: Some("Mail Delivery"),
            from: &from,
            to: &to,
            subject: "Your message could not be delivered",
            stamp: Stamp { at: Timestamp::from_seconds(120), offset_seconds: 0, message_id: "<r1@example.org>" },
            text: "It did not arrive.",
            envelope_id: Some("QQ314159"),
            arrived: Some(Timestamp::from_seconds(0)),
            recipients: &recipients,
            returned,
            utf8,
        }
        .to_message()
    }

    #[test]
    fn a_failure_reads_as_the_rfc_shows_it() {
        let original = b"Subject: hi\r\n\r\nbody\r\n";
        let message = report(&address("far@far.example"), "550 5.1.1 no such user", Returned::Message(original), false);
        let expected = "From: Mail Delivery <postmaster@example.org>\r\nTo: jane@b.example\r\n\
            Subject: Your message could not be delivered\r\nDate: Thu, 01 Jan 1970 00:02:00 +0000\r\n\
            Message-ID: <r1@example.org>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"=_r1exampleorg.0=\"\r\n\
            Content-Transfer-Encoding: 7bit\r\n\
            \r\n--=_r1exampleorg.0=\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
            It did not arrive.\r\n\
            \r\n--=_r1exampleorg.0=\r\nContent-Type: message/delivery-status\r\n\r\n\
            Original-Envelope-Id: QQ314159\r\nReporting-MTA: dns; mx.example.org\r\n\
            Arrival-Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\n\
            Original-Recipient: rfc822; info@example.org\r\nFinal-Recipient: rfc822; far@far.example\r\n\
            Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.far.example\r\n\
            Diagnostic-Code: smtp; 550 5.1.1 no such user\r\nLast-Attempt-Date: Thu, 01 Jan 1970 00:01:00 +0000\r\n\
            \r\n--=_r1exampleorg.0=\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
            Subject: hi\r\n\r\nbody\r\n\r\n--=_r1exampleorg.0=--\r\n";
        assert_eq!(String::from_utf8_lossy(&message), expected);
        let parsed = Parsed::parse(&message);
        let range = parsed.structure().section(&[3], Section::Whole).expect("a third part");
        assert_eq!(&message[range.start as usize..range.end as usize], original);
    }

    #[test]
    fn reports_about_utf8_take_the_form_the_way_back_allows() {
        let original = "Subject: grün\r\nX: y\r\n\r\nbody".as_bytes();
        let check = |utf8: bool, types: &[&str], recipient: &str| {
            let message = report(&address("jörg@far.example"), "550 nö", Returned::Header(original), utf8);
            let parsed = Parsed::parse(&message);
            let found: Vec<_> = parsed.structure().parts().iter().skip(1).map(|part| &*part.media_type).collect();
            assert_eq!(found, types);
            let text = String::from_utf8_lossy(&message).into_owned();
            assert!(text.contains(&format!("Final-Recipient: {recipient}\r\n")), "{text}");
            assert!(text.contains("X: y\r\n") && !text.contains("body"), "{text}");
        };
        let headers = "message/global-headers";
        check(true, &["text/plain", "message/global-delivery-status", headers], "utf-8; jörg@far.example");
        check(
            false,
            &["text/plain", "message/delivery-status", "text/rfc822-headers"],
            "utf-8; j\\x{F6}rg@far.example",
        );
    }

    #[test]
    fn a_returned_report_does_not_break_the_frame() {
        let inner = report(&address("a@b.example"), "550 x", Returned::Nothing, false);
        let outer = report(&address("a@b.example"), "550 x", Returned::Message(&inner), false);
        let parsed = Parsed::parse(&outer);
        let range = parsed.structure().section(&[3], Section::Whole).expect("a third part");
        assert_eq!(&outer[range.start as usize..range.end as usize], &inner[..]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_a_server_replies_the_report_stands(diagnostic: String, original: Vec<u8>) {
            let message = report(&address("a@b.example"), &diagnostic, Returned::Message(&original), false);
            let parsed = Parsed::parse(&message);
            let types: Vec<_> = parsed.structure().children(0).map(|at| parsed.structure().parts()[at].media_type.clone()).collect();
            prop_assert_eq!(types.iter().map(|kind| &**kind).collect::<Vec<_>>(), ["text/plain", "message/delivery-status", "message/rfc822"]);
            let status = parsed.structure().decode_part(&message, &[2]).map(std::borrow::Cow::into_owned).unwrap_or_default();
            prop_assert!(status.is_ascii());
            let range = parsed.structure().section(&[3], Section::Whole).expect("a third part");
            prop_assert_eq!(&message[range.start as usize..range.end as usize], &original[..]);
        }
    }
}
