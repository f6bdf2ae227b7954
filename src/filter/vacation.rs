//! Whether a message may be answered by a machine (RFC 3834 section 2, RFC 5230 sections 4.5 and 4.6).
//!
//! The engine has checks of its own, but tells nobody which of them said no, and knows fewer Precedence values.

use super::fields;
use super::plan::Suppression;
use crate::types::Address;
use crate::types::limits::RECEIVED_HEADERS_OUTWARD_MAX;
use mail_parser::{Message, MimeHeaders};

/// RFC 2369 and RFC 2919: a field of these is on list mail and on no other. The last three are older than Auto-Submitted
/// and List-Id, and still in use.
const LIST_FIELDS: [&str; 10] = [
    "List-Id",
    "List-Help",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "X-Mailing-List",
    "X-Autoreply",
    "X-Autorespond",
];

/// Whom nobody reads as, or only a machine that takes an answer for a bounce.
const ROBOTS: [&str; 9] = [
    "mailer-daemon",
    "listserv",
    "majordomo",
    "bounce",
    "bounces",
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
];

/// Where a message says whom it is for (RFC 5230 section 4.5).
const RECIPIENT_FIELDS: [&str; 6] = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];

/// The reason not to answer that can be seen in the message, if there is one. `own` are the owner's addresses.
pub(super) fn refuse(message: &Message<'_>, sender: Option<&Address>, own: &[&Address]) -> Option<Suppression> {
    let Some(sender) = sender else { return Some(Suppression::NullSender) };
    if is_robot(sender) {
        return Some(Suppression::RobotSender(sender.to_string()));
    }
    let without_detail = sender.without_detail().map(|(address, _)| address);
    if own.iter().any(|own| same(own, sender) || without_detail.as_ref().is_some_and(|sender| same(own, sender))) {
        return Some(Suppression::OwnSender(sender.to_string()));
    }
    if let Some(reason) = automatic(message) {
        return Some(reason);
    }
    if let Some(name) = LIST_FIELDS.into_iter().find(|name| fields::count(message, name) > 0) {
        return Some(Suppression::ListHeader(name.to_owned()));
    }
    let wanted = fields::Wanted { names: &RECIPIENT_FIELDS, index: None, any_child: false };
    let recipients = fields::addresses(message, 0, &wanted, super::call::AddressPart::All);
    let is_addressed = recipients
        .iter()
        .filter_map(|recipient| Address::parse(recipient).ok())
        .any(|recipient| own.iter().any(|own| same(own, &recipient)));
    if !is_addressed {
        return Some(Suppression::NotAddressed);
    }
    (fields::count(message, "Received") >= RECEIVED_HEADERS_OUTWARD_MAX).then_some(Suppression::Looping)
}

/// What the message says of having been sent by a machine.
fn automatic(message: &Message<'_>) -> Option<Suppression> {
    if let Some(reason) = auto_submitted(message) {
        return Some(reason);
    }
    if let Some(precedence) = fields::first(message, "Precedence")
        && ["bulk", "list", "junk", "auto_reply"].iter().any(|robot| precedence.eq_ignore_ascii_case(robot))
    {
        return Some(Suppression::Precedence(precedence));
    }
    // RFC 3834 section 2: least of all on notifications, some of which come under a sender's name.
    if message.content_type().is_some_and(|kind| {
        kind.c_type.eq_ignore_ascii_case("multipart")
            && kind.c_subtype.as_deref().is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"))
    }) {
        return Some(Suppression::Report);
    }
    let suppress = fields::first(message, "X-Auto-Response-Suppress")?;
    let asks = suppress
        .split(',')
        .any(|word| ["all", "oof", "autoreply"].iter().any(|known| word.trim().eq_ignore_ascii_case(known)));
    asks.then_some(Suppression::SuppressHeader(suppress))
}

/// RFC 3834 section 5: anything but `no`, whatever comments and parameters follow.
pub(super) fn auto_submitted(message: &Message<'_>) -> Option<Suppression> {
    let value = fields::first(message, "Auto-Submitted")?;
    let word = value.split([';', '(', ' ', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
    (!word.eq_ignore_ascii_case("no")).then_some(Suppression::AutoSubmitted(value))
}

fn is_robot(sender: &Address) -> bool {
    let local = sender.local().to_ascii_lowercase();
    // `bounce+jane=example.org@…`, `bounces-123@…`: the address of one message or one recipient.
    let is_of =
        |robot: &&str| local.strip_prefix(robot).is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '=']));
    let is_bounce = ["bounce-", "bounces-"].iter().any(|start| local.starts_with(start));
    let is_list = ["-request", "-owner", "-bounces", "-bounce"].iter().any(|end| local.ends_with(end));
    ROBOTS.iter().any(is_of) || local.starts_with("owner-") || is_bounce || is_list
}

/// The local part's case may matter elsewhere; to take two spellings for one person only makes us answer less.
fn same(left: &Address, right: &Address) -> bool {
    left.domain() == right.domain() && left.local().eq_ignore_ascii_case(right.local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sender: &str, header: &str, expected: Option<&Suppression>) {
        let raw = format!("{header}\r\n\r\nx");
        let message = mail_parser::MessageParser::default().parse(raw.as_bytes()).expect("parses");
        let sender = Address::parse(sender).ok();
        let own = [
            Address::parse("jane@example.org").expect("an address"),
            Address::parse("mask@example.org").expect("an address"),
        ];
        let own: Vec<&Address> = own.iter().collect();
        assert_eq!(refuse(&message, sender.as_ref(), &own).as_ref(), expected, "{header}");
    }

    #[test]
    fn every_reason_not_to_answer() {
        let list = |name: &str| Some(Suppression::ListHeader(name.to_owned()));
        check("joe@example.net", "To: Jane <JANE@example.org>", None);
        check("joe@example.net", "Resent-Cc: x@example.net, mask@example.org", None);
        check("", "To: jane@example.org", Some(&Suppression::NullSender));
        for robot in [
            "MAILER-DAEMON@x.example",
            "owner-list@x.example",
            "list-request@x.example",
            "listserv@x.example",
            "list-bounces@x.example",
            "list-owner@x.example",
            "bounces-17@x.example",
            "bounce+jane=example.org@x.example",
            "NoReply@x.example",
            "no-reply+8@x.example",
        ] {
            let expected = Address::parse(robot).expect("an address").to_string();
            check(robot, "To: jane@example.org", Some(&Suppression::RobotSender(expected)));
        }
        check("Mask@example.org", "To: jane@example.org", Some(&Suppression::OwnSender("Mask@example.org".into())));
        let detail = Some(Suppression::OwnSender("jane+shop@example.org".into()));
        check("jane+shop@example.org", "To: jane@example.org", detail.as_ref());
        for person in ["bouncer@x.example", "request@x.example", "owner@x.example", "norep@x.example"] {
            check(person, "To: jane@example.org", None);
        }
        let report = "To: jane@example.org\r\nContent-Type: Multipart/REPORT; report-type=delivery-status; boundary=b";
        check("joe@example.net", report, Some(&Suppression::Report));
        for name in LIST_FIELDS {
            check("joe@example.net", &format!("To: jane@example.org\r\n{name}: <x>"), list(name).as_ref());
        }
        for value in ["bulk", "List", "JUNK", "auto_reply"] {
            let header = format!("To: jane@example.org\r\nPrecedence: {value}");
            check("joe@example.net", &header, Some(&Suppression::Precedence(value.into())));
        }
        check("joe@example.net", "To: jane@example.org\r\nPrecedence: first-class", None);
        check("joe@example.net", "To: jane@example.org\r\nAuto-Submitted: no", None);
        check("joe@example.net", "To: jane@example.org\r\nAuto-Submitted: No (really)", None);
        let auto = Some(Suppression::AutoSubmitted("auto-replied; x=y".into()));
        check("joe@example.net", "To: jane@example.org\r\nAuto-Submitted: auto-replied; x=y", auto.as_ref());
        let suppress = Some(Suppression::SuppressHeader("DR, OOF".into()));
        check("joe@example.net", "To: jane@example.org\r\nX-Auto-Response-Suppress: DR, OOF", suppress.as_ref());
        check("joe@example.net", "To: joe@example.net", Some(&Suppression::NotAddressed));
        check("joe@example.net", "Subject: x", Some(&Suppression::NotAddressed));
        let loops = format!("To: jane@example.org{}", "\r\nReceived: x".repeat(RECEIVED_HEADERS_OUTWARD_MAX));
        check("joe@example.net", &loops, Some(&Suppression::Looping));
    }
}
