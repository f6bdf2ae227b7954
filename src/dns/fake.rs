//! A zone in a text, for everything that must not ask the Internet: tests, and trying things out.

use super::Resolver;
use super::answer::{Answer, Asked, DnsError, Mx, Srv, Tlsa, Trust};
use super::system::both_families;
use crate::types::Domain;
use crate::types::limits::DNS_ALIASES_MAX;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// Answers from a zone text: one record per line, `;` begins a comment, names need no final dot.
///
/// ```text
/// example.org                MX    10 mail.example.org
/// nothing.example            MX    0 .
/// mail.example.org           A     192.0.2.1
/// mail.example.org           AAAA  2001:db8::1
/// example.org                TXT   "v=spf1 mx -all"
/// www.example.org            CNAME mail.example.org
/// _25._tcp.mail.example.org  TLSA  3 1 1 00ff
/// _imaps._tcp.example.org    SRV   0 1 993 mail.example.org
/// 192.0.2.1                  PTR   mail.example.org
/// broken.example             FAIL        ; nobody answers for it or below it
/// example.org                SIGNED      ; it and what is below it is secure
/// ```
#[derive(Clone, Default)]
pub struct FakeResolver(Arc<RwLock<Zone>>);

#[derive(Default)]
pub(super) struct Zone {
    records: Vec<(Owner, Data)>,
    failing: Vec<Domain>,
    signed: Vec<Domain>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Name(Domain),
    Address(IpAddr),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Mx(Mx),
    Address(IpAddr),
    Txt(String),
    Cname(Domain),
    Tlsa(Tlsa),
    Srv(Srv),
    Ptr(Domain),
}

/// The line that is no record, and what is expected there.
#[derive(Debug, PartialEq, Eq)]
pub struct ZoneError {
    pub line: usize,
    pub text: String,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} of the zone is no record: {}", self.line, self.text)
    }
}

impl std::error::Error for ZoneError {}

impl FakeResolver {
    pub fn new(zone: &str) -> Result<Self, ZoneError> {
        Ok(Self(Arc::new(RwLock::new(Zone::parse(zone)?))))
    }

    /// The world changed. All clones see it.
    pub fn replace(&self, zone: &str) -> Result<(), ZoneError> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Zone::parse(zone)?;
        Ok(())
    }

    fn find<T>(&self, name: &Domain, pick: impl Fn(&Data) -> Option<T>) -> Result<Answer<T>, DnsError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).find(name, pick)
    }

    /// Everything at a name, for the server; an alias is one of the records there.
    pub(super) fn all(&self, name: &Domain) -> Result<Vec<Data>, DnsError> {
        let zone = self.0.read().unwrap_or_else(PoisonError::into_inner);
        zone.exists(name)?;
        Ok(zone.at(name).cloned().collect())
    }

    pub(super) fn names_of(&self, address: IpAddr) -> Result<Vec<Domain>, DnsError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).names_of(address).map(|answer| answer.records)
    }
}

impl Zone {
    fn parse(text: &str) -> Result<Self, ZoneError> {
        let mut zone = Self::default();
        for (index, line) in text.lines().enumerate() {
            let bare = match line.split_once(';') {
                // A semicolon inside quotes belongs to the text, as in DKIM records.
                Some((before, _)) if before.matches('"').count() % 2 == 0 => before,
                _ => line,
            };
            let mut words = bare.split_whitespace();
            let (Some(owner), Some(kind)) = (words.next(), words.next()) else {
                if bare.trim().is_empty() {
                    continue;
                }
                return Err(ZoneError { line: index + 1, text: line.to_owned() });
            };
            let words: Vec<&str> = words.collect();
            zone.add(owner, kind, &words, bare).ok_or_else(|| ZoneError { line: index + 1, text: line.to_owned() })?;
        }
        Ok(zone)
    }

    fn add(&mut self, owner: &str, kind: &str, words: &[&str], line: &str) -> Option<()> {
        if kind == "PTR" {
            let [name] = words else { return None };
            self.records.push((Owner::Address(owner.parse().ok()?), Data::Ptr(Domain::parse(name).ok()?)));
            return Some(());
        }
        let owner = Domain::parse(owner).ok()?;
        let data = match (kind, words) {
            ("FAIL", []) => {
                self.failing.push(owner);
                return Some(());
            }
            ("SIGNED", []) => {
                self.signed.push(owner);
                return Some(());
            }
            ("MX", [preference, host]) => {
                Data::Mx(Mx { preference: preference.parse().ok()?, exchange: host_or_none(host)? })
            }
            ("A", [address]) => Data::Address(IpAddr::V4(address.parse().ok()?)),
            ("AAAA", [address]) => Data::Address(IpAddr::V6(address.parse().ok()?)),
            ("CNAME", [name]) => Data::Cname(Domain::parse(name).ok()?),
            ("SRV", [priority, weight, port, host]) => Data::Srv(Srv {
                priority: priority.parse().ok()?,
                weight: weight.parse().ok()?,
                port: port.parse().ok()?,
                target: host_or_none(host)?,
            }),
            ("TLSA", [usage, selector, matching, hex]) => Data::Tlsa(Tlsa {
                usage: usage.parse().ok()?,
                selector: selector.parse().ok()?,
                matching: matching.parse().ok()?,
                data: from_hex(hex)?,
            }),
            // Several quoted strings are one text, as on the wire.
            ("TXT", [_, ..]) => Data::Txt(line.split('"').skip(1).step_by(2).collect()),
            _ => return None,
        };
        self.records.push((Owner::Name(owner), data));
        Some(())
    }

    fn at(&self, name: &Domain) -> impl Iterator<Item = &Data> {
        self.records.iter().filter_map(move |(owner, data)| match owner {
            Owner::Name(owner) if owner == name => Some(data),
            _ => None,
        })
    }

    /// A name exists when it or anything below it has records (RFC 8020).
    fn exists(&self, name: &Domain) -> Result<(), DnsError> {
        if self.failing.iter().any(|failing| is_at_or_below(name, failing)) {
            return Err(DnsError::Temporary(format!("{name} is set to fail")));
        }
        let found = self.records.iter().any(|(owner, _)| match owner {
            Owner::Name(owner) => is_at_or_below(owner, name),
            Owner::Address(_) => false,
        });
        if found { Ok(()) } else { Err(DnsError::NoSuchName) }
    }

    fn find<T>(&self, name: &Domain, pick: impl Fn(&Data) -> Option<T>) -> Result<Answer<T>, DnsError> {
        let mut name = name.clone();
        let mut trust = Trust::Secure;
        for _ in 0..DNS_ALIASES_MAX {
            self.exists(&name)?;
            if !self.signed.iter().any(|signed| is_at_or_below(&name, signed)) {
                trust = Trust::Insecure;
            }
            let records: Vec<T> = self.at(&name).filter_map(&pick).collect();
            if !records.is_empty() {
                return Ok(Answer { records, trust });
            }
            let alias = self.at(&name).find_map(|data| match data {
                Data::Cname(target) => Some(target.clone()),
                _ => None,
            });
            name = alias.ok_or(DnsError::NoData)?;
        }
        Err(DnsError::Temporary("aliases go in circles".to_owned()))
    }

    fn names_of(&self, address: IpAddr) -> Result<Answer<Domain>, DnsError> {
        let names = self.records.iter().filter_map(|(owner, data)| match (owner, data) {
            (Owner::Address(owner), Data::Ptr(name)) if *owner == address => Some(name.clone()),
            _ => None,
        });
        let records: Vec<Domain> = names.collect();
        if records.is_empty() { Err(DnsError::NoSuchName) } else { Ok(Answer { records, trust: Trust::Insecure }) }
    }
}

fn is_at_or_below(name: &Domain, above: &Domain) -> bool {
    let rest = name.as_str().strip_suffix(above.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `.` is how DNS says that there is none.
fn host_or_none(text: &str) -> Option<Option<Domain>> {
    if text == "." { Some(None) } else { Domain::parse(text).ok().map(Some) }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}

fn ready<T: Send + 'static>(outcome: Result<Answer<T>, DnsError>) -> Asked<'static, T> {
    Box::pin(std::future::ready(outcome))
}

fn sorted<T: Ord>(outcome: Result<Answer<T>, DnsError>) -> Result<Answer<T>, DnsError> {
    outcome.map(|mut answer| {
        answer.records.sort();
        answer
    })
}

impl Resolver for FakeResolver {
    fn mx<'a>(&'a self, name: &'a Domain) -> Asked<'a, Mx> {
        ready(sorted(self.find(name, |data| match data {
            Data::Mx(mx) => Some(mx.clone()),
            _ => None,
        })))
    }

    fn addresses<'a>(&'a self, name: &'a Domain) -> Asked<'a, IpAddr> {
        let family = |wanted: fn(&IpAddr) -> bool| {
            self.find(name, |data| match data {
                Data::Address(address) if wanted(address) => Some(*address),
                _ => None,
            })
        };
        ready(both_families(family(IpAddr::is_ipv6), family(IpAddr::is_ipv4)))
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> Asked<'a, String> {
        ready(self.find(name, |data| match data {
            Data::Txt(text) => Some(text.clone()),
            _ => None,
        }))
    }

    fn ptr(&self, address: IpAddr) -> Asked<'_, Domain> {
        ready(self.0.read().unwrap_or_else(PoisonError::into_inner).names_of(address.to_canonical()))
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> Asked<'a, Tlsa> {
        ready(self.find(name, |data| match data {
            Data::Tlsa(tlsa) => Some(tlsa.clone()),
            _ => None,
        }))
    }

    fn srv<'a>(&'a self, name: &'a Domain) -> Asked<'a, Srv> {
        ready(sorted(self.find(name, |data| match data {
            Data::Srv(srv) => Some(srv.clone()),
            _ => None,
        })))
    }

    fn cname<'a>(&'a self, name: &'a Domain) -> Asked<'a, Domain> {
        ready(self.find(name, |data| match data {
            Data::Cname(target) => Some(target.clone()),
            _ => None,
        }))
    }
}
