//! The two ways in which SMTP parameters carry text that is not theirs: xtext (RFC 3461 section 4) and the forms of
//! UTF-8 addresses in ORCPT (RFC 6533 section 3).
//!
//! Decoding refuses control characters: decoded text ends up in headers and reports.

use std::fmt::Write;

/// RFC 3461 section 4: `+41` is `A`. Only printable US-ASCII comes out; that is what every parameter using it asks for.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'+' => hex(bytes.next()?)? * 16 + hex(bytes.next()?)?,
            b'=' => return None,
            33..=126 => byte,
            _ => return None,
        };
        if !(32..=126).contains(&plain) {
            return None;
        }
        decoded.push(char::from(plain));
    }
    Some(decoded)
}

/// The inverse of [`decode`]; what is not printable US-ASCII was refused before it could get here.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' | 0..=32 | 127.. => {
                // Writing to a string can't fail.
                let _ = write!(encoded, "+{byte:02X}");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 6533 section 3: utf-8-addr-xtext, and utf-8-addr-unitext, which is the same with UTF-8 left as it is.
pub(super) fn decode_utf8_address(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (plain, after) = match character {
            '\\' => {
                let (digits, after) = rest.strip_prefix("\\x{")?.split_once('}')?;
                // HEXPOINT: at least two upper-case digits, at most six.
                let written_right = (2..=6).contains(&digits.len())
                    && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
                if !written_right {
                    return None;
                }
                (u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?, after)
            }
            '+' | '=' | ' ' => return None,
            other => (other, &rest[other.len_utf8()..]),
        };
        if plain.is_control() {
            return None;
        }
        decoded.push(plain);
        rest = after;
    }
    Some(decoded)
}

/// As utf-8-addr-xtext: pure ASCII, so that it can be said to any peer.
pub(super) fn encode_utf8_address(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '!'..='~' if !matches!(character, '+' | '=' | '\\') => encoded.push(character),
            other => {
                let _ = write!(encoded, "\\x{{{:02X}}}", u32::from(other));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn xtext() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(decode(text).as_deref(), expected, "{text}");
        check("", Some(""));
        check("jane@example.org", Some("jane@example.org"));
        check("a+2Bb+3Dc", Some("a+b=c"));
        check("a+20b", Some("a b"));
        check("a+2bb", Some("a+b"));
        check("a=b", None);
        check("a b", None);
        check("a+2", None);
        check("a+", None);
        check("a+GG", None);
        check("a+0D+0A", None);
        check("a+00", None);
        check("a+C3+A4", None);
        check("ä", None);
        assert_eq!(encode("a+b=c d"), "a+2Bb+3Dc+20d");
    }

    #[test]
    fn utf8_addresses() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(decode_utf8_address(text).as_deref(), expected, "{text}");
        check("j\\x{F6}rg@example.org", Some("jörg@example.org"));
        check("jörg@example.org", Some("jörg@example.org"));
        check("a\\x{2B}b", Some("a+b"));
        check("a+b", None);
        check("a\\x{0A}", None);
        check("a\\x{D800}", None);
        check("a\\x{110000}", None);
        check("a\\x{0000041}", None);
        check("a\\x{f6}", None);
        check("a\\x{F6", None);
        check("a\\", None);
        assert_eq!(encode_utf8_address("jörg+a@example.org"), "j\\x{F6}rg\\x{2B}a@example.org");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn xtext_is_its_inverse(text in "[ -~]{0,40}") {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }

        #[test]
        fn utf8_addresses_are_their_inverse(text in "\\PC{0,40}") {
            let encoded = encode_utf8_address(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode_utf8_address(&encoded), Some(text));
        }

        #[test]
        fn decoding_never_panics(text in "\\PC{0,40}") {
            let _ = (decode(&text), decode_utf8_address(&text));
        }
    }
}
