//! Whether a message may be answered by a machine (RFC 3834 section 2, RFC 5230 sections 4.5 and 4.6).
//!
//! The engine has checks of its own, but tells nobody which of them said no, and knows fewer Precedence values.

use super::fields;
use super::plan::Suppression;
use crate::types::Address;
use crate::types::limits::RECEIVED_HEADERS_OUTWARD_MAX;
use mail_parser::Message;

/// RFC 2369 and RFC 2919: a field of these is on list mail and on no other.
const LIST_FIELDS: [&str; 7] =
    ["List-Id", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Post", "List-Owner", "List-Archive"];

/// Where a message says whom it is for (RFC 5230 section 4.5).
const RECIPIENT_FIELDS: [&str; 6] = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];

/// The reason not to answer that can be seen in the message, if there is one. `own` are the owner's addresses.
pub(super) fn refuse(message: &Message<'_>, sender: Option<&Address>, own: &[&Address]) -> Option<Suppression> {
    let Some(sender) = sender else { return Some(Suppression::NullSender) };
    if is_robot(sender) {
        return Some(Suppression::RobotSender(sender.to_string()));
    }
    if own.iter().any(|own| same(own, sender)) {
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
        && ["bulk", "list", "junk"].iter().any(|robot| precedence.eq_ignore_ascii_case(robot))
    {
        return Some(Suppression::Precedence(precedence));
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
    matches!(local.as_str(), "mailer-daemon" | "listserv" | "majordomo")
        || local.starts_with("owner-")
        || local.ends_with("-request")
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
        for robot in ["MAILER-DAEMON@x.example", "owner-list@x.example", "list-request@x.example", "listserv@x.example"]
        {
            let expected = Address::parse(robot).expect("an address").to_string();
            check(robot, "To: jane@example.org", Some(&Suppression::RobotSender(expected)));
        }
        check("Mask@example.org", "To: jane@example.org", Some(&Suppression::OwnSender("Mask@example.org".into())));
        for name in LIST_FIELDS {
            check("joe@example.net", &format!("To: jane@example.org\r\n{name}: <x>"), list(name).as_ref());
        }
        for value in ["bulk", "List", "JUNK"] {
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
