//! SPF (RFC 7208): may this address send for that domain?
//!
//! mail-auth evaluates the record. Two things it does not see are looked at before: several records, and a broken one among
//! other texts. Not obeyed: the limit on lookups without an answer of RFC 7208 section 4.6.4; the ten mechanisms of that
//! section and our deadline bound the same.

use super::findings::Outcome;
use crate::dns::{DnsError, Resolver};
use crate::types::{Address, Domain};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::spf::Spf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{MessageAuthenticator, SpfResult};
use std::net::IpAddr;

/// What does not change between the two questions about one message.
pub(super) struct Client<'a> {
    pub(super) address: IpAddr,
    pub(super) hello: &'a str,
    /// Our own name, which some explanations ask for.
    pub(super) hostname: &'a Domain,
}

/// The domain in HELO, if SPF has anything to say about it (RFC 7208 section 2.3).
pub(super) fn hello_domain(hello: &str) -> Option<Domain> {
    Domain::parse(hello).ok().filter(|domain| !domain.is_literal() && domain.as_str().contains('.'))
}

pub(super) async fn helo(
    authenticator: &MessageAuthenticator,
    resolver: &dyn Resolver,
    client: &Client<'_>,
    domain: &Domain,
) -> Outcome {
    if let Err(outcome) = record(resolver, domain).await {
        return outcome;
    }
    let host = client.hostname.as_str();
    let parameters = SpfParameters::verify_ehlo(client.address, domain.as_str(), host);
    outcome(authenticator.verify_spf(parameters).await.result())
}

pub(super) async fn mail_from(
    authenticator: &MessageAuthenticator,
    resolver: &dyn Resolver,
    client: &Client<'_>,
    sender: &Address,
) -> Outcome {
    if sender.domain().is_literal() {
        return Outcome::None;
    }
    if let Err(outcome) = record(resolver, sender.domain()).await {
        return outcome;
    }
    // Unquoted: macros are about what the address is, not about how it is written.
    let text = format!("{}@{}", sender.local(), sender.domain());
    let host = client.hostname.as_str();
    let parameters = SpfParameters::verify_mail_from(client.address, client.hello, host, &text);
    outcome(authenticator.verify_spf(parameters).await.result())
}

/// Whether there is one sound record (RFC 7208 section 4.5), else what that means.
async fn record(resolver: &dyn Resolver, domain: &Domain) -> Result<(), Outcome> {
    let texts = match resolver.txt(domain).await {
        Ok(answer) => answer.records,
        // RFC 7208 section 4.4.
        Err(DnsError::Temporary(_)) => return Err(Outcome::TempError),
        Err(DnsError::NoSuchName | DnsError::NoData) => return Err(Outcome::None),
    };
    let mut records = texts.iter().filter(|text| is_record(text));
    match (records.next(), records.next()) {
        (None, _) => Err(Outcome::None),
        (Some(_), Some(_)) => Err(Outcome::PermError),
        (Some(record), None) => Spf::parse(record.as_bytes()).map(|_| ()).map_err(|_| Outcome::PermError),
    }
}

/// RFC 7208 section 4.5: the version, and behind it a blank or the end.
fn is_record(text: &str) -> bool {
    let version = text.split(' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

fn outcome(result: SpfResult) -> Outcome {
    match result {
        SpfResult::Pass => Outcome::Pass,
        SpfResult::Fail => Outcome::Fail,
        SpfResult::SoftFail => Outcome::SoftFail,
        SpfResult::Neutral => Outcome::Neutral,
        SpfResult::TempError => Outcome::TempError,
        SpfResult::PermError => Outcome::PermError,
        SpfResult::None => Outcome::None,
    }
}
