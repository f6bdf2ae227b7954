//! What makes a server's TLS more than a courtesy: the policy its domain publishes (MTA-STS, RFC 8461), and certificates
//! named in signed DNS (DANE, RFC 7672).
//!
//! A policy is fetched when the domain's record announces one that is not remembered, and remembered for as long as it
//! says, also over restarts: an attacker who can suppress the record must not be able to make us forget. What can't be
//! fetched is not asked for again for some minutes.

use super::transport::{TlsDemand, Transport};
use super::verdict::{Setback, Status};
use crate::dns::{Answer, DnsError, Resolver, Tlsa, Trust};
use crate::store::{Store, TransportPolicy};
use crate::types::limits::{
    DNS_ALIASES_MAX, POLICY_AGE_SECONDS_MAX, POLICY_FETCHES_FAILED_MAX, POLICY_OCTETS_MAX, POLICY_RETRY_SECONDS,
    POLICY_SERVERS_MAX,
};
use crate::types::{Domain, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Cloning shares.
#[derive(Clone)]
pub(super) struct Policies {
    store: Store,
    resolver: Arc<dyn Resolver>,
    transport: Arc<dyn Transport>,
    /// Where fetching failed: until when nobody asks again.
    failed: Arc<Mutex<HashMap<Domain, Timestamp>>>,
}

/// A policy, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Not merely tried out.
    pub(super) enforced: bool,
    pub(super) servers: Vec<Pattern>,
    age_seconds_max: i64,
}

/// `mx.example.org`, or `*.example.org` for any one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    any_label: bool,
    rest: Domain,
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (any_label, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Some(Self { any_label, rest: Domain::parse(rest).ok().filter(|rest| !rest.is_literal())? })
    }

    pub(super) fn names(&self, host: &Domain) -> bool {
        if !self.any_label {
            return *host == self.rest;
        }
        host.as_str().split_once('.').is_some_and(|(_, rest)| rest == self.rest.as_str())
    }
}

impl Policies {
    pub(super) fn new(store: Store, resolver: Arc<dyn Resolver>, transport: Arc<dyn Transport>) -> Self {
        Self { store, resolver, transport, failed: Arc::default() }
    }

    /// The policy that holds for mail to a domain.
    pub(super) async fn of(&self, domain: &Domain) -> Option<Policy> {
        let now = self.store.clock().now();
        let known = match self.store.transport_policy(domain).await {
            Ok(known) => known.filter(|known| known.expires > now),
            Err(error) => {
                tracing::warn!(%domain, %error, "the policy of a domain can't be looked up");
                None
            }
        };
        // RFC 8461 section 3.1: without a record, or with several, there is nothing new; what is known holds.
        let announced = self.announced(domain).await;
        let is_news = announced.as_ref().is_some_and(|id| known.as_ref().is_none_or(|known| known.id != *id));
        if let (Some(id), true) = (announced, is_news && self.may_fetch(domain, now)) {
            match self.fetch(domain, &id, now).await {
                Ok(policy) => return Some(policy),
                Err(why) => {
                    tracing::warn!(%domain, why, "the domain announces a policy that can't be fetched");
                    self.note_failure(domain, now);
                }
            }
        }
        Policy::parse(&known?.text)
    }

    /// The identifier in `_mta-sts.DOMAIN`.
    async fn announced(&self, domain: &Domain) -> Option<String> {
        let name = Domain::parse(&format!("_mta-sts.{domain}")).ok()?;
        let answer = self.resolver.txt(&name).await.ok()?;
        let mut records = answer.records.iter().filter(|record| is_policy_record(record));
        let (first, None) = (records.next()?, records.next()) else { return None };
        let id = fields(first, ';').find_map(|field| field.strip_prefix("id=").map(str::trim))?;
        let is_id = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then(|| id.to_owned())
    }

    async fn fetch(&self, domain: &Domain, id: &str, now: Timestamp) -> Result<Policy, String> {
        let host = Domain::parse(&format!("mta-sts.{domain}")).map_err(|error| error.to_string())?;
        let addresses = self.resolver.addresses(&host).await.map_err(|error| error.to_string())?.records;
        let text = self.transport.published_policy(&host, &addresses).await?;
        if text.len() > POLICY_OCTETS_MAX {
            return Err("it is too long".to_owned());
        }
        let policy = Policy::parse(&text).ok_or("it is malformed")?;
        let expires = now.plus_seconds(policy.age_seconds_max);
        let stored = TransportPolicy { id: id.to_owned(), text, fetched: now, expires };
        if let Err(error) = self.store.put_transport_policy(domain, stored).await {
            tracing::warn!(%domain, %error, "the policy of a domain can't be remembered");
        }
        Ok(policy)
    }

    fn may_fetch(&self, domain: &Domain, now: Timestamp) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(domain).is_none_or(|until| *until <= now)
    }

    fn note_failure(&self, domain: &Domain, now: Timestamp) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= POLICY_FETCHES_FAILED_MAX {
            failed.clear();
        }
        failed.insert(domain.clone(), now.plus_seconds(POLICY_RETRY_SECONDS));
    }

    /// How a server at a signed address is to be made sure of, and the name it has there.
    pub(super) async fn pinned(&self, host: &Domain, port: u16) -> Result<(TlsDemand, Domain), Box<Setback>> {
        let expanded = self.expanded(host).await;
        // RFC 7672 section 2.2.2: the name an alias leads to, then the alias itself.
        let mut names = vec![expanded];
        if names[0] != *host {
            names.push(host.clone());
        }
        for name in names {
            match self.records(&name, port).await {
                Ok(Some(demand)) => return Ok((demand, name)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%name, %error, "no TLSA for now");
                    // RFC 7672 section 2.1.2: as if the server could not be reached. An attacker could suppress answers.
                    let words = "the certificate of the domain's mail server could not be looked up";
                    return Err(Box::new(Setback::of_ours(Status(4, 7, 5), words)));
                }
            }
        }
        Ok((TlsDemand::IfOffered, host.clone()))
    }

    async fn expanded(&self, host: &Domain) -> Domain {
        let mut name = host.clone();
        for _ in 0..DNS_ALIASES_MAX {
            match self.resolver.cname(&name).await {
                Ok(Answer { records, trust: Trust::Secure }) if !records.is_empty() => name = records[0].clone(),
                _ => break,
            }
        }
        name
    }

    async fn records(&self, name: &Domain, port: u16) -> Result<Option<TlsDemand>, DnsError> {
        let Ok(question) = Domain::parse(&format!("_{port}._tcp.{name}")) else { return Ok(None) };
        match self.resolver.tlsa(&question).await {
            Ok(Answer { records, trust: Trust::Secure }) => {
                let usable: Vec<Tlsa> = records.into_iter().filter(is_usable).collect();
                // RFC 7672 section 2.2: records of no usable kind still say that there is TLS.
                Ok(Some(if usable.is_empty() { TlsDemand::Encrypted } else { TlsDemand::Pinned(usable) }))
            }
            Ok(_) | Err(DnsError::NoSuchName | DnsError::NoData) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// RFC 7672 section 3.1.3.
fn is_usable(record: &Tlsa) -> bool {
    (2..=3).contains(&record.usage) && record.selector <= 1 && record.matching <= 2
}

fn is_policy_record(record: &str) -> bool {
    fields(record, ';').next() == Some("v=STSv1")
}

fn fields(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator).map(str::trim)
}

impl Policy {
    /// RFC 8461 section 3.2.
    fn parse(text: &str) -> Option<Self> {
        let mut pairs = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(POLICY_SERVERS_MAX + 50) {
            let (key, value) = line.split_once(':')?;
            pairs.push((key.trim(), value.trim()));
        }
        let first = |wanted: &str| pairs.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        if first("version")? != "STSv1" {
            return None;
        }
        let age: i64 = first("max_age")?.parse().ok().filter(|age| *age >= 0)?;
        let age_seconds_max = age.min(POLICY_AGE_SECONDS_MAX);
        let servers: Option<Vec<Pattern>> = pairs
            .iter()
            .filter(|(key, _)| *key == "mx")
            .take(POLICY_SERVERS_MAX)
            .map(|(_, pattern)| Pattern::parse(pattern))
            .collect();
        let servers = servers?;
        let enforced = match first("mode")? {
            "enforce" => true,
            "testing" | "none" => false,
            _ => return None,
        };
        if enforced && servers.is_empty() {
            return None;
        }
        Some(Self { enforced, servers, age_seconds_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read() {
        let check = |text: &str, expected: Option<(bool, usize, i64)>| {
            let policy = Policy::parse(text);
            let seen = policy.map(|policy| (policy.enforced, policy.servers.len(), policy.age_seconds_max));
            assert_eq!(seen, expected, "{text}");
        };
        let whole =
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";
        check(whole, Some((true, 2, 604_800)));
        check(&whole.replace("\r\n", "\n"), Some((true, 2, 604_800)));
        check(&whole.replace("604800", "999999999999"), Some((true, 2, POLICY_AGE_SECONDS_MAX)));
        check(&whole.replace("enforce", "testing"), Some((false, 2, 604_800)));
        check("version: STSv1\nmode: none\nmax_age: 60", Some((false, 0, 60)));
        check(&format!("{whole}new_key: x\nmode: none\n"), Some((true, 2, 604_800)));
        check(&whole.replace("STSv1", "STSv2"), None);
        check(&whole.replace("enforce", "maybe"), None);
        check(&whole.replace("604800", "long"), None);
        check(&whole.replace("604800", "-1"), None);
        check(&whole.replace("*.example.net", "*.*.net"), None);
        check("version: STSv1\nmode: enforce\nmax_age: 60", None);
        check("<html>", None);
        check("", None);
    }

    #[test]
    fn servers_are_named_whole_or_by_one_label() {
        let check = |pattern: &str, host: &str, expected: bool| {
            let host = host.parse().expect("a domain");
            assert_eq!(Pattern::parse(pattern).expect("a pattern").names(&host), expected, "{pattern} {host}");
        };
        check("mail.example.com", "MAIL.example.com", true);
        check("mail.example.com", "mx.example.com", false);
        check("*.example.com", "mx.example.com", true);
        check("*.example.com", "a.mx.example.com", false);
        check("*.example.com", "example.com", false);
    }
}
