//! Trace fields (RFC 5321 section 4.4): what a message's way is read from afterwards.

use super::super::date::format_date;
use super::super::new_field::NewField;
use crate::types::{Address, Domain, Timestamp};
use std::fmt;
use std::net::IpAddr;

/// The mark an address leaves on what it sends out, by which it knows the message when it comes back.
pub const LOOP_MARK_FIELD: &str = "X-Posthouse-Passed";

/// How a message came in, for the `with` clause (RFC 3848, RFC 6531 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Protocol {
    pub is_lmtp: bool,
    /// The client said EHLO; always so for LMTP.
    pub is_extended: bool,
    pub has_tls: bool,
    pub is_authenticated: bool,
    /// MAIL had SMTPUTF8.
    pub is_utf8: bool,
}

/// `ESMTPSA` and its relatives.
impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match self {
            Self { is_utf8: true, is_lmtp: true, .. } => "UTF8LMTP",
            Self { is_utf8: true, .. } => "UTF8SMTP",
            Self { is_lmtp: true, .. } => "LMTP",
            Self { is_extended: false, has_tls: false, is_authenticated: false, .. } => {
                return formatter.write_str("SMTP");
            }
            // Only ESMTP has names for TLS and AUTH, and only EHLO offers them.
            _ => "ESMTP",
        };
        let tls = if self.has_tls { "S" } else { "" };
        let authenticated = if self.is_authenticated { "A" } else { "" };
        write!(formatter, "{base}{tls}{authenticated}")
    }
}

/// One hop, to be written as a Received field.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// What the client called itself; `None` leaves the clause out, for mail that began here.
    pub helo: Option<&'a str>,
    /// The name its address resolves to and back, if it was looked up.
    pub client_name: Option<&'a str>,
    /// `None` for a Unix socket, or where the submitter's address is nobody's business.
    pub client_ip: Option<IpAddr>,
    pub by: &'a Domain,
    pub protocol: Protocol,
    /// The cipher suite's registered name (RFC 8314 section 4.3).
    pub tls_cipher: Option<&'a str>,
    /// The id the log has it under.
    pub id: &'a str,
    /// Only of a message with a single recipient: RFC 5321 section 7.6 would not have the others told.
    pub recipient: Option<&'a Address>,
    pub at: Timestamp,
    pub offset_seconds: i32,
}

impl Received<'_> {
    pub fn field(&self) -> NewField {
        let mut value = String::new();
        if let Some(helo) = self.helo {
            value += &format!("from {}", atom(helo, "unknown"));
            let ip = self.client_ip.map(|ip| match ip.to_canonical() {
                IpAddr::V4(ip) => format!("[{ip}]"),
                IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
            });
            match (self.client_name, ip) {
                (Some(name), Some(ip)) => value += &format!(" ({} {ip})", atom(name, "unknown")),
                // RFC 5321 section 4.4: the address literal alone where the name is not known.
                (None, Some(ip)) => value += &format!(" ({ip})"),
                (_, None) => {}
            }
            value.push(' ');
        }
        value += &format!("by {} with {} id {}", self.by, self.protocol, atom(self.id, "none"));
        if let Some(recipient) = self.recipient {
            value += &format!(" for <{recipient}>");
        }
        if let Some(cipher) = self.tls_cipher.filter(|_| self.protocol.has_tls) {
            value += &format!(" tls {}", atom(cipher, "unknown"));
        }
        value += &format!("; {}", format_date(self.at, self.offset_seconds));
        NewField::ours("Received", &value)
    }
}

/// A name a stranger chose, as it may stand between words: other characters become question marks.
fn atom(text: &str, otherwise: &str) -> String {
    const ATOM_CHARACTERS_MAX: usize = 255;
    let keeps = |character: char| character.is_ascii_alphanumeric() || "-._:[]+=/@".contains(character);
    let kept: String = text
        .chars()
        .take(ATOM_CHARACTERS_MAX)
        .map(|character| if keeps(character) { character } else { '?' })
        .collect();
    if kept.is_empty() { otherwise.to_owned() } else { kept }
}

/// RFC 5321 section 4.4: added at final delivery; `None` is the null reverse-path.
pub fn return_path(sender: Option<&Address>) -> NewField {
    let path = sender.map(ToString::to_string).unwrap_or_default();
    NewField::ours("Return-Path", &format!("<{path}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Received<'_>), expected: &str) {
        let by = Domain::parse("mx.example.org").expect("well formed");
        let mut received = Received {
            helo: Some("client.example"),
            client_name: Some("host.example"),
            client_ip: "192.0.2.1".parse().ok(),
            by: &by,
            protocol: Protocol { is_extended: true, ..Protocol::default() },
            tls_cipher: None,
            id: "a1",
            recipient: None,
            at: Timestamp::from_seconds(0),
            offset_seconds: 3600,
        };
        change(&mut received);
        assert_eq!(String::from_utf8_lossy(received.field().raw()), expected);
    }

    #[test]
    fn hops() {
        check(
            |_| {},
            "Received: from client.example (host.example [192.0.2.1]) by mx.example.org\r\n \
            with ESMTP id a1; Thu, 01 Jan 1970 01:00:00 +0100\r\n",
        );
        check(
            |received| {
                received.protocol.has_tls = true;
                received.protocol.is_authenticated = true;
                received.tls_cipher = Some("TLS_AES_256_GCM_SHA384");
                (received.client_name, received.client_ip) = (None, "2001:db8::1".parse().ok());
            },
            "Received: from client.example ([IPv6:2001:db8::1]) by mx.example.org with\r\n \
            ESMTPSA id a1 tls TLS_AES_256_GCM_SHA384; Thu, 01 Jan 1970 01:00:00 +0100\r\n",
        );
        check(
            |received| {
                received.helo = Some("a\r\nX: y (");
                (received.client_name, received.client_ip) = (None, None);
                received.protocol = Protocol::default();
            },
            "Received: from a??X:?y?? by mx.example.org with SMTP id a1; Thu, 01 Jan 1970\r\n 01:00:00 +0100\r\n",
        );
        check(
            |received| {
                received.helo = None;
                received.protocol = Protocol { is_lmtp: true, is_utf8: true, ..Protocol::default() };
            },
            "Received: by mx.example.org with UTF8LMTP id a1; Thu, 01 Jan 1970 01:00:00\r\n +0100\r\n",
        );
    }

    #[test]
    fn return_paths() {
        let address = Address::parse("\"a b\"@example.org").expect("well formed");
        assert_eq!(return_path(Some(&address)).raw(), b"Return-Path: <\"a b\"@example.org>\r\n");
        assert_eq!(return_path(None).raw(), b"Return-Path: <>\r\n");
    }
}
