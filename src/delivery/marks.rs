//! The mark an address leaves on what it sends out, so that it knows the message when it comes back.
//!
//! `Delivered-To` does the same elsewhere and tells every target whose mail it reads; a mark is a keyed hash and tells
//! nobody anything. Counting `Received` fields finds a loop only after dozens of rounds; this finds it in the second.

use crate::message::{HeaderFields, LOOP_MARK_FIELD, body_offset};
use crate::types::Address;
use crate::types::limits::{LOOP_MARKS_MAX, RETURN_OCTETS_MAX};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashSet;

/// Hexadecimal digits.
const MARK_OCTETS: usize = 20;

pub(super) struct Marks {
    key: Vec<u8>,
}

impl Marks {
    pub(super) fn new(key: Vec<u8>) -> Self {
        Self { key }
    }

    /// 80 bits in hexadecimal.
    pub(super) fn of(&self, address: &Address) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(address.to_string().as_bytes());
        mac.finalize().into_bytes().iter().take(MARK_OCTETS / 2).map(|octet| format!("{octet:02x}")).collect()
    }

    /// The field that goes on top of what this address sends out.
    pub(super) fn field(&self, address: &Address) -> String {
        format!("{LOOP_MARK_FIELD}: {}\r\n", self.of(address))
    }

    /// In the message that a report returns. It is looked for as text: a report need not have the form of one.
    pub(super) fn in_body(&self, message: &[u8]) -> HashSet<String> {
        let searched = &message[body_offset(message)..];
        let searched = &searched[..searched.len().min(RETURN_OCTETS_MAX)];
        let field = format!("\n{LOOP_MARK_FIELD}: ");
        memchr::memmem::find_iter(searched, field.as_bytes())
            .take(LOOP_MARKS_MAX)
            .map(|start| {
                let value = &searched[start + field.len()..];
                let octets = value.iter().take_while(|octet| octet.is_ascii_hexdigit()).take(MARK_OCTETS);
                octets.map(|octet| char::from(*octet)).collect()
            })
            .collect()
    }

    pub(super) fn in_message(&self, message: &[u8]) -> HashSet<String> {
        HeaderFields::new(message)
            .filter(|field| field.is(LOOP_MARK_FIELD))
            .take(LOOP_MARKS_MAX)
            .map(|field| String::from_utf8_lossy(field.value()).trim().to_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_again_and_is_nobody_elses() {
        let marks = Marks::new(b"secret".to_vec());
        let jane: Address = "jane@example.test".parse().expect("an address");
        let message = format!("Subject: x\r\n{}\r\nbody", marks.field(&jane));
        assert!(marks.in_message(message.as_bytes()).contains(&marks.of(&jane)));
        assert!(!marks.in_message(message.as_bytes()).contains(&Marks::new(b"other".to_vec()).of(&jane)));
        assert!(!message.contains("jane"));
        let bounce = format!("Subject: failure\r\n\r\nSorry.\r\n{message}");
        assert!(marks.in_body(bounce.as_bytes()).contains(&marks.of(&jane)));
        assert!(marks.in_message(bounce.as_bytes()).is_empty() && marks.in_body(message.as_bytes()).is_empty());
    }
}
