//! What becomes of a message's header when one of our users sends it (RFC 6409 section 8). Pure: whose an address is, is
//! asked by the caller, with what [`claimed_senders`] found.
//!
//! What it will not do: add a Sender (it would show who is behind an alias), touch a body or a signed header that is
//! complete, sign.

use super::replies::Cause;
use crate::message::{
    HeaderEdit, HeaderFields, Mailbox, NewField, format_date, format_mailbox, mailboxes, message_id, new_message_id,
};
use crate::types::limits::SUBMISSION_AUTHORS_MAX;
use crate::types::{Address, Timestamp};

/// Who sends, and when.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The envelope's sender, which was found to be the submitter's own; for a null one, the address that logged in. Not
    /// always the latter: who sends from an alias must not find his own address in the header.
    pub sender: &'a Address,
    pub now: Timestamp,
    /// For a Message-ID: unique and not to be guessed.
    pub token: &'a str,
}

/// The addresses that From and Sender say the message is of: all of them have to be the submitter's own. Whoever could name
/// others beside himself would be shown as them by most mail programs. `sender` completes what has no domain.
pub fn claimed_senders(header: &[u8], sender: &Address) -> Result<Vec<Address>, Cause> {
    let mut senders = Vec::new();
    for name in ["From", "Sender"] {
        let mut fields = HeaderFields::new(header).filter(|field| field.is(name));
        let Some(field) = fields.next() else { continue };
        // RFC 5322 section 3.6 has one of each. With two, readers differ about which one counts.
        if fields.next().is_some() {
            return Err(Cause::Malformed);
        }
        let before = senders.len();
        for mailbox in mailboxes(field.value()) {
            if senders.len() >= SUBMISSION_AUTHORS_MAX {
                return Err(Cause::Malformed);
            }
            senders.push(complete(&mailbox, sender).ok_or(Cause::Malformed)?);
        }
        if senders.len() == before {
            return Err(Cause::Malformed);
        }
    }
    Ok(senders)
}

/// The header as it goes on its way. What is there and complete stays as it was, octet by octet.
pub fn completed<'h>(header: &'h [u8], submission: &Submission<'_>) -> Result<HeaderEdit<'h>, Cause> {
    let sender = submission.sender;
    let mut edit = HeaderEdit::new(header);
    // RFC 5322 section 3.6.3: what was blind must not be seen. RFC 5321 section 4.4: Return-Path is for the end of the way.
    edit.remove(|field| ["Bcc", "Resent-Bcc", "Return-Path"].iter().any(|name| field.is(name)));

    let value_of = |name: &str| HeaderFields::first(header, name).map(|field| field.unfolded());
    match value_of("From") {
        None => edit.append(&[new_field("From", &sender.to_string())?]),
        // RFC 6409 section 8.8 with section 4.2: an address without a domain means somebody here, and elsewhere nobody.
        Some(value) if mailboxes(&value).any(|mailbox| mailbox.domain.is_none()) => {
            edit.set("From", new_field("From", &completed_list(&value, sender)?)?);
        }
        Some(_) => {}
    }
    // RFC 6409 section 8.2 and section 8.3.
    if value_of("Date").is_none_or(|value| value.is_empty()) {
        edit.set("Date", new_field("Date", &format_date(submission.now, 0))?);
    }
    if value_of("Message-ID").is_none_or(|value| message_id(&value).is_none()) {
        edit.set("Message-ID", new_field("Message-ID", &new_message_id(submission.token, sender.domain()))?);
    }
    Ok(edit)
}

fn complete(mailbox: &Mailbox, sender: &Address) -> Option<Address> {
    if mailbox.domain.is_some() {
        return mailbox.address();
    }
    let local = std::str::from_utf8(&mailbox.local).ok()?;
    Address::from_parts(local, sender.domain().clone()).ok()
}

fn completed_list(value: &[u8], sender: &Address) -> Result<String, Cause> {
    let written: Option<Vec<String>> = mailboxes(value)
        .map(|mailbox| Some(format_mailbox(mailbox.display_name().as_deref(), &complete(&mailbox, sender)?)))
        .collect();
    Ok(written.ok_or(Cause::Malformed)?.join(", "))
}

fn new_field(name: &'static str, value: &str) -> Result<NewField, Cause> {
    NewField::new(name, value).map_err(|_| Cause::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jane() -> Address {
        Address::parse("jane@example.org").expect("an address")
    }

    #[test]
    fn senders_are_found() {
        let check = |header: &str, expected: Result<&[&str], Cause>| {
            let found = claimed_senders(header.as_bytes(), &jane());
            let found = found.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, expected.map(|all| all.iter().map(ToString::to_string).collect()), "{header}");
        };
        check("From: Jane <jane@Example.org>\r\n\r\n", Ok(&["jane@example.org"]));
        check("From: jane\r\n\r\n", Ok(&["jane@example.org"]));
        check("Subject: x\r\n\r\nFrom: body@example.org\r\n", Ok(&[]));
        check(
            "From: a@b.example, \"C, D\" <c@d.example>\r\nSender: jane@example.org\r\n\r\n",
            Ok(&["a@b.example", "c@d.example", "jane@example.org"]),
        );
        check("from: a@b.example\r\nFROM: jane@example.org\r\n\r\n", Err(Cause::Malformed));
        check(
            "From: jane@example.org\r\nSender: a@b.example\r\nSender: jane@example.org\r\n\r\n",
            Err(Cause::Malformed),
        );
        check("From: \r\n\r\n", Err(Cause::Malformed));
        check("From: nobody:;\r\n\r\n", Err(Cause::Malformed));
        check("From: jane@-x\r\n\r\n", Err(Cause::Malformed));
        // A name that looks like an address is a name.
        check("From: \"boss@example.org\" <jane@example.org>\r\n\r\n", Ok(&["jane@example.org"]));
        // Folding hides nothing.
        check("From: jane@example.org,\r\n boss@example.org\r\n\r\n", Ok(&["jane@example.org", "boss@example.org"]));
        check(&format!("From: {}\r\n\r\n", "jane@example.org, ".repeat(1000)), Err(Cause::Malformed));
    }

    #[test]
    fn headers_are_completed() {
        let (sender, now) = (jane(), Timestamp::from_seconds(1_700_000_000));
        let check = |header: &str, expected: &str| {
            let submission = Submission { sender: &sender, now, token: "t0k3n" };
            let edit = completed(header.as_bytes(), &submission).expect("nothing malformed");
            assert_eq!(String::from_utf8_lossy(edit.header()), expected);
        };
        let complete =
            "From: Jane <jane@example.org>\r\nDATE:  Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-Id: <a@b>\r\n\r\n";
        check(complete, complete);
        check(
            "Subject: x\r\n\r\n",
            "Subject: x\r\nFrom: jane@example.org\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\
             Message-ID: <t0k3n@example.org>\r\n\r\n",
        );
        check(
            "Bcc: secret@b.example\r\nFrom: J <jane>, paul@example.org\r\nbcc: more,\r\n secrets\r\nReturn-Path: <x>\r\n\
             Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <a@b>\r\nTo: c@d.example\r\n\r\n",
            "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <a@b>\r\nTo: c@d.example\r\n\
             From: J <jane@example.org>, paul@example.org\r\n\r\n",
        );
        check(
            "From: jane@example.org\r\nDate:\r\nMessage-ID: \r\n\r\n",
            "From: jane@example.org\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <t0k3n@example.org>\r\n\r\n",
        );
    }

    #[test]
    fn what_was_checked_is_what_goes_out() {
        // However From is written, completing it does not change whom it names.
        for from in [
            "jane",
            "\"x\" <jane>, paul",
            "g: jane, paul;",
            "=?utf-8?q?=0D=0AFrom:?= <jane>",
            "jane (boss@example.org)",
        ] {
            let header = format!("From: {from}\r\n\r\n");
            let sender = jane();
            let before = claimed_senders(header.as_bytes(), &sender).expect("names somebody");
            let submission = Submission { sender: &sender, now: Timestamp::default(), token: "t" };
            let edit = completed(header.as_bytes(), &submission).expect("can be completed");
            assert_eq!(claimed_senders(edit.header(), &sender), Ok(before), "{from}");
        }
    }
}
