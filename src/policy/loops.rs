//! Messages that go in circles, known by the marks they carry.

use crate::message::{HeaderFields, unfold};
use crate::types::Domain;
use crate::types::limits::{RECEIVED_FIELDS_MAX, RECEIVED_FIELDS_OURS_MAX};

/// Why a message is taken to go in circles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// It has been through more servers than any mail needs (RFC 5321 section 6.3).
    Hops(usize),
    /// It has been here so often.
    Here(usize),
}

/// Looks at the Received fields of a header. Those that name us may be forged; whoever does that only hurts his own mail.
pub fn check_loop(header: &[u8], hostname: &Domain) -> Result<(), Loop> {
    let (mut hops, mut here) = (0, 0);
    for field in HeaderFields::new(header).filter(|field| field.is("Received")) {
        hops += 1;
        here += usize::from(is_by(&unfold(field.value()), hostname));
    }
    if hops > RECEIVED_FIELDS_MAX {
        return Err(Loop::Hops(hops));
    }
    if here > RECEIVED_FIELDS_OURS_MAX { Err(Loop::Here(here)) } else { Ok(()) }
}

/// Whether the `by` clause (RFC 5321 section 4.4) has our name. Names inside comments don't count: strangers' programs put
/// there what they like.
fn is_by(value: &[u8], hostname: &Domain) -> bool {
    let mut depth = 0usize;
    let mut plain = Vec::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ => plain.push(byte),
        }
        if byte == b')' {
            plain.push(b' ');
        }
    }
    let mut words = plain.split(|byte| byte.is_ascii_whitespace() || *byte == b';').filter(|word| !word.is_empty());
    words.any(|word| word.eq_ignore_ascii_case(b"by"))
        && words
            .next()
            .and_then(|name| std::str::from_utf8(name).ok())
            .and_then(|name| Domain::parse(name).ok())
            .as_ref()
            == Some(hostname)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Result<(), Loop>) {
        assert_eq!(check_loop(header.as_bytes(), &Domain::parse("mx.example.org").unwrap()), expected, "{header}");
    }

    #[test]
    fn hops_are_counted() {
        let hops = |count: usize| "Received: from a by b; now\r\n".repeat(count) + "\r\nReceived: body\r\n";
        check("", Ok(()));
        check(&hops(RECEIVED_FIELDS_MAX), Ok(()));
        check(&hops(RECEIVED_FIELDS_MAX + 1), Err(Loop::Hops(RECEIVED_FIELDS_MAX + 1)));
    }

    #[test]
    fn our_own_marks_are_known() {
        let marks = |mark: &str, counts: bool| {
            let expected = if counts { Err(Loop::Here(RECEIVED_FIELDS_OURS_MAX + 1)) } else { Ok(()) };
            check(&format!("Received: {mark}\r\n").repeat(RECEIVED_FIELDS_OURS_MAX + 1), expected);
        };
        marks("from a by mx.example.org with SMTP id x; now", true);
        marks("from a (b [192.0.2.1])by MX.Example.Org.;now", true);
        marks("by\r\n\tmx.example.org with ESMTP", true);
        marks("from mx.example.org by other.example", false);
        marks("from a (by mx.example.org) by other.example", false);
        marks("from a by mx.example.org.evil.example", false);
        marks("from a by", false);
        marks("((((by mx.example.org", false);
        let once = "Received: by mx.example.org\r\n".repeat(RECEIVED_FIELDS_OURS_MAX);
        check(&once, Ok(()));
    }
}
