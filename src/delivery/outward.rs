//! What may leave the house at all, whatever scripts and switches say.

use super::mail::Mail;
use super::plan::Fate;
use crate::message::HeaderFields;
use crate::types::limits::RECEIVED_HEADERS_OUTWARD_MAX;

/// Why a message is not passed on to strangers: it is spam, or it goes in circles. The scripts of addresses ask the same
/// before they redirect; an alias's owner outside, a catch-all outside and scripts by hand come here without asking.
pub(super) fn refusal(mail: &Mail, message: &[u8]) -> Option<Fate> {
    if let Some(reason) = &mail.not_forwarded {
        return Some(Fate::NotForwarded(format!("The message can't be forwarded: {reason}").into()));
    }
    in_message(message)
}

fn in_message(message: &[u8]) -> Option<Fate> {
    let mut servers = 0;
    for field in HeaderFields::new(message) {
        if field.is("X-Spam-Status") && is_yes(field.value()) {
            let reason = "The message was judged spam, and this address does not forward spam.";
            return Some(Fate::NotForwarded(reason.into()));
        }
        servers += usize::from(field.is("Received"));
    }
    (servers >= RECEIVED_HEADERS_OUTWARD_MAX).then_some(Fate::Loop)
}

/// What was judged when it came, in the header's words.
pub(super) fn spam_status(message: &[u8]) -> Option<String> {
    let field = HeaderFields::first(message, "X-Spam-Status")?;
    Some(String::from_utf8_lossy(&field.unfolded()).trim().to_owned())
}

/// As the section "before" reads it.
fn is_yes(value: &[u8]) -> bool {
    value.trim_ascii_start().get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spam_and_circling_mail_stays() {
        let check = |header: &str, expected: Option<&str>| {
            let refused = in_message(format!("{header}Subject: x\r\n\r\nX-Spam-Status: Yes\r\n").as_bytes());
            assert_eq!(refused.map(|fate| format!("{fate:?}")).as_deref().map(|fate| &fate[..4]), expected, "{header}");
        };
        check("", None);
        check("X-Spam-Status: yes, score=7\r\n", Some("NotF"));
        check("X-Spam-Status: No, tests=Yes\r\n", None);
        check("X-Spam-Status:\r\n Yes\r\n", Some("NotF"));
        check(&"Received: by x\r\n".repeat(RECEIVED_HEADERS_OUTWARD_MAX - 1), None);
        check(&"Received: by x\r\n".repeat(RECEIVED_HEADERS_OUTWARD_MAX), Some("Loop"));
    }
}
