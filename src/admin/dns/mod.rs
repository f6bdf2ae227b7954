//! The DNS records a domain needs, and what DNS answers now.
//!
//! `records` says which records there should be and how they are written, from the domain, its keys and what the server
//! offers; `judge` asks DNS and compares. A service that is not offered gets no record: one that leads to a closed door is
//! worse than none.
//!
//! What it will not do: change a zone, or look behind an `include` of SPF.

mod judge;
mod records;
#[cfg(test)]
mod tests;

use super::error::Refused;
use super::{Act, Admin, Caller, meant};
use crate::types::Domain;
use records::Wanted;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DnsShow {
    pub domain: Domain,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsView {
    pub domain: Domain,
    /// The server's own name, to which the records lead.
    pub host: Domain,
    /// False: DNS gave no answer to any question.
    pub online: bool,
    pub records: Vec<RecordView>,
    /// What the domain could have besides, and why there is no record for it.
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// What it is for: `MX`, `SPF`, `DKIM`, …
    pub purpose: String,
    /// With the final dot.
    pub name: String,
    pub kind: String,
    /// As a zone file has it. Empty: only the administrator knows it, such as an address.
    pub value: String,
    pub verdict: Verdict,
    /// What DNS answers, as far as it has to do with it.
    pub found: Vec<String>,
    /// What is wrong, and what to do. None: nothing.
    pub fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Right.
    Green,
    /// Missing or strange, and mail works without.
    Orange,
    /// Missing or wrong.
    Red,
    /// DNS gave no answer.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub what: String,
    pub why: String,
}

/// A service people's programs can look up, and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedService {
    /// As `[listen]` calls it.
    pub name: &'static str,
    pub reached: Reached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    At(u16),
    /// It listens for this machine only.
    FromHereOnly,
    /// It is turned off.
    Off,
    /// This version does not have it.
    NotBuilt,
}

impl Act for DnsShow {
    const NAME: &'static str = "dns";
    type Answer = DnsView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<DnsView, Refused> {
        let domain = &self.domain;
        let snapshot = admin.directory().snapshot().await?;
        let record = meant::domain(&snapshot, domain)?;
        // A domain from before keys were made with them.
        admin.make_first_keys(domain).await?;
        let keys = admin.store().dkim_keys(domain).await?;
        let settings = admin.settings();
        let wanted = Wanted { domain, host: &settings.hostname, kind: &record.kind, keys: &keys, settings: &settings };
        let (expected, left_out) = wanted.records();
        let mut notes = wanted.notes();
        let (records, online) = match admin.resolver() {
            Some(resolver) => judge::judge(resolver, &settings.hostname, expected).await,
            None => (expected.iter().map(judge::unasked).collect(), false),
        };
        if !online {
            notes.insert(0, "DNS gives no answer: what stands there now is not known".to_owned());
        }
        Ok(DnsView { domain: domain.clone(), host: settings.hostname.clone(), online, records, left_out, notes })
    }
}

/// Addresses as a person reads them in a row.
fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
