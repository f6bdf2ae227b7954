//! Modified UTF-7, the spelling of mailbox names for clients that have not asked for UTF-8 (RFC 3501 section 5.1.3); and
//! that of folders in a Maildir.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// The name a client means. `None` for what is not modified UTF-7, and for a second spelling of a name that has a
/// shorter one: two spellings of one mailbox would confuse every client that keeps a list.
pub fn decode(encoded: &str) -> Option<String> {
    let mut decoded = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((before, shifted)) = rest.split_once('&') {
        decoded.push_str(before);
        let (shifted, after) = shifted.split_once('-')?;
        if shifted.is_empty() {
            decoded.push('&');
        } else {
            let octets = BASE64.decode(shifted).ok()?;
            let (units, odd) = octets.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            for unit in char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))) {
                decoded.push(unit.ok()?);
            }
        }
        rest = after;
    }
    decoded.push_str(rest);
    (encode(&decoded) == encoded).then_some(decoded)
}

/// The spelling of `name` that has only printable ASCII.
pub fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let plain = rest.find(|c: char| !is_plain(c) || c == '&').unwrap_or(rest.len());
        encoded.push_str(&rest[..plain]);
        rest = &rest[plain..];
        if let Some(after) = rest.strip_prefix('&') {
            encoded.push_str("&-");
            rest = after;
            continue;
        }
        let shifted = rest.find(is_plain).unwrap_or(rest.len());
        if shifted > 0 {
            let octets: Vec<u8> = rest[..shifted].encode_utf16().flat_map(u16::to_be_bytes).collect();
            encoded.push('&');
            BASE64.encode_string(octets, &mut encoded);
            encoded.push('-');
            rest = &rest[shifted..];
        }
    }
    encoded
}

fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names() {
        let check = |name: &str, encoded: &str| {
            assert_eq!(encode(name), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(name));
        };
        check("", "");
        check("INBOX", "INBOX");
        check("Tom & Jerry", "Tom &- Jerry");
        check("Entwürfe", "Entw&APw-rfe");
        check("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        check("😀&é", "&2D3eAA-&-&AOk-");
        for wrong in ["&", "&A", "a&b", "&AOk", "&AOk-&AOk-", "&AGE-", "&2D0-", "&AOl-", "&AO-", "é", "&/w-", "&====-"]
        {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in ".{0,20}") {
            let encoded = encode(&name);
            prop_assert!(encoded.bytes().all(|octet| matches!(octet, b' '..=b'~')));
            let decoded = decode(&encoded);
            prop_assert_eq!(decoded.as_deref(), Some(name.as_str()));
        }

        #[test]
        fn one_spelling_for_each_name(encoded in "[a&A-Z0-9,-]{0,12}") {
            if let Some(name) = decode(&encoded) {
                prop_assert_eq!(encode(&name), encoded);
            }
        }
    }
}
