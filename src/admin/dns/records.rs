//! Which records there should be, and how a zone file has them.

use super::{LeftOut, OfferedService, Reached};
use crate::admin::{KeyView, Settings};
use crate::dns::Srv;
use crate::policy::{key_name, key_record};
use crate::queue::key_kind;
use crate::store::{DkimKey, DkimKeyState, DomainKind};
use crate::types::Domain;
use crate::types::limits::DNS_STRING_OCTETS_MAX;
use std::net::IpAddr;

/// One record that should be there, with what DNS is compared to.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) purpose: &'static str,
    /// Without the final dot.
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) need: Need,
    pub(super) right: Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Mail does not come in, or is not believed, without.
    Must,
    /// It helps.
    May,
}

/// When an answer is right.
#[derive(Clone, Debug)]
pub(super) enum Right {
    /// The host is among the servers. A split domain's mail may come in at the other one.
    Mx {
        split: bool,
    },
    /// The host has addresses, and is no alias.
    Addresses,
    /// Its addresses lead back to it.
    Reverse,
    /// Mail from the host passes.
    Spf,
    Dkim {
        key: Box<DkimKey>,
        view: Box<KeyView>,
    },
    Dmarc,
    Srv(Srv),
    TlsReports,
}

/// What decides about the records.
pub(super) struct Wanted<'w> {
    pub(super) domain: &'w Domain,
    pub(super) host: &'w Domain,
    pub(super) kind: &'w DomainKind,
    pub(super) keys: &'w [DkimKey],
    pub(super) settings: &'w Settings,
}

/// Where programs look for services (RFC 6186, RFC 8314 section 5.1, RFC 5804 section 1.8), by the keys of `[listen]`.
const LOOKED_UP: &[(&str, &str, &str)] = &[
    ("submissions", "_submissions._tcp", "sending, TLS"),
    ("submission", "_submission._tcp", "sending, STARTTLS"),
    ("imaps", "_imaps._tcp", "IMAP, TLS"),
    ("imap", "_imap._tcp", "IMAP, STARTTLS"),
    ("pop3s", "_pop3s._tcp", "POP3, TLS"),
    ("managesieve", "_sieve._tcp", "filters"),
];

impl Wanted<'_> {
    pub(super) fn records(&self) -> (Vec<Expected>, Vec<LeftOut>) {
        let (domain, host) = (self.domain, self.host);
        let split = matches!(self.kind, DomainKind::Split { .. });
        let mut records = vec![
            self.must("mail comes in (MX)", domain.to_string(), "MX", format!("10 {host}."), Right::Mx { split }),
            self.must("this server's address", host.to_string(), "A/AAAA", String::new(), Right::Addresses),
            Expected {
                need: Need::May,
                ..self.must("the address leads back", host.to_string(), "PTR", String::new(), Right::Reverse)
            },
            self.must("who may send (SPF)", domain.to_string(), "TXT", text(&self.spf()), Right::Spf),
        ];
        records.extend(self.keys.iter().map(|key| self.dkim(key)));
        records.push(Expected {
            need: Need::May,
            ..self.must(
                "what to do with forgeries (DMARC)",
                format!("_dmarc.{domain}"),
                "TXT",
                text("v=DMARC1; p=quarantine"),
                Right::Dmarc,
            )
        });
        let (services, left_out) = self.services();
        records.extend(services);
        records.push(Expected {
            need: Need::May,
            ..self.must(
                "reports about TLS (TLS-RPT)",
                format!("_smtp._tls.{domain}"),
                "TXT",
                text(&format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}")),
                Right::TlsReports,
            )
        });
        (records, left_out)
    }

    fn must(&self, purpose: &'static str, name: String, kind: &'static str, value: String, right: Right) -> Expected {
        Expected { purpose, name, kind, value, need: Need::Must, right }
    }

    /// `~all`: with `-all` some servers refuse forwarded mail before they look at its signature.
    fn spf(&self) -> String {
        let mut spf = "v=spf1 mx".to_owned();
        if let DomainKind::Split { host, .. } = self.kind {
            spf.push_str(&match host.parse() {
                Ok(IpAddr::V4(address)) => format!(" ip4:{address}"),
                Ok(IpAddr::V6(address)) => format!(" ip6:{address}"),
                Err(_) => format!(" a:{host}"),
            });
        }
        spf + " ~all"
    }

    fn dkim(&self, key: &DkimKey) -> Expected {
        let purpose = match key.state {
            DkimKeyState::Signing => "signatures (DKIM)",
            DkimKeyState::Next => "signatures (DKIM), the next key",
            DkimKeyState::Retired => "signatures (DKIM), a former key",
        };
        let view = Box::new(KeyView::of(self.domain, key));
        let record = key_record(key_kind(key.algorithm), &key.public_key);
        let right = Right::Dkim { key: Box::new(key.clone()), view };
        let need = if key.state == DkimKeyState::Signing { Need::Must } else { Need::May };
        Expected { need, ..self.must(purpose, key_name(&key.selector, self.domain), "TXT", text(&record), right) }
    }

    fn services(&self) -> (Vec<Expected>, Vec<LeftOut>) {
        let (mut records, mut left_out) = (Vec::new(), Vec::new());
        for (service, label, purpose) in LOOKED_UP {
            let offered = self.settings.services.iter().find(|offered| offered.name == *service);
            match offered.map_or(Reached::Off, |offered: &OfferedService| offered.reached) {
                Reached::At(port) => {
                    let srv = Srv { priority: 0, weight: 1, port, target: Some(self.host.clone()) };
                    let value = format!("0 1 {port} {}.", self.host);
                    let name = format!("{label}.{}", self.domain);
                    records
                        .push(Expected { need: Need::May, ..self.must(purpose, name, "SRV", value, Right::Srv(srv)) });
                }
                Reached::FromHereOnly => left_out.push(out(label, &format!("{service} listens for this machine only"))),
                Reached::Off => left_out.push(out(label, &format!("{service} is turned off"))),
                Reached::NotBuilt => left_out.push(out(label, &format!("this version has no {service}"))),
            }
        }
        left_out.push(out("autoconfig, autodiscover, mta-sts", "this version serves nothing by https"));
        (records, left_out)
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.host.as_str().contains('.') {
            notes.push(format!(
                "{} is no name that others can look up: set hostname in the configuration to the name of this server",
                self.host
            ));
        }
        if let Some(smarthost) = &self.settings.smarthost {
            notes.push(format!("mail goes out by {smarthost}: SPF must name the addresses it sends from, too"));
        }
        notes
    }
}

fn out(what: &str, why: &str) -> LeftOut {
    LeftOut { what: what.to_owned(), why: why.to_owned() }
}

/// A TXT record's text, in strings that are not too long (RFC 1035 section 3.3 and section 5.1; the gaps count for nothing,
/// RFC 7208 section 3.3 and RFC 6376 section 3.6.2.2). What is written here is ASCII.
pub(super) fn text(value: &str) -> String {
    let escaped = |piece: &[u8]| {
        let piece = String::from_utf8_lossy(piece).replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{piece}\"")
    };
    let strings: Vec<String> = value.as_bytes().chunks(DNS_STRING_OCTETS_MAX).map(escaped).collect();
    match strings.as_slice() {
        [only] => only.clone(),
        several => format!("( {} )", several.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_what_dns_holds() {
        assert_eq!(text("v=spf1 mx ~all"), "\"v=spf1 mx ~all\"");
        assert_eq!(text("a\"b\\c"), "\"a\\\"b\\\\c\"");
        let long = "x".repeat(255) + &"y".repeat(255) + "z";
        assert_eq!(text(&long), format!("( \"{}\" \"{}\" \"z\" )", "x".repeat(255), "y".repeat(255)));
        assert_eq!(text(&"x".repeat(255)), format!("\"{}\"", "x".repeat(255)));
    }
}
