//! What was found out about where a message comes from.

use super::scan::AuthorsKind;
use crate::types::{Address, Domain};
use std::net::IpAddr;

/// A message's envelope, as far as authentication asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// None: a neighbour on the same machine, of whom SPF has nothing to say.
    pub client: Option<IpAddr>,
    /// What he called himself.
    pub hello: Box<str>,
    /// None: the null reverse-path.
    pub sender: Option<Address>,
}

/// The results of all methods, in the words of RFC 8601 section 2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    /// It may be right, and is not believed all the same.
    Policy,
    /// DNS gave no answer: later it may.
    TempError,
    PermError,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Policy => "policy",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// RFC 7208 section 2.3 and section 2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfIdentity {
    Helo,
    MailFrom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfFinding {
    pub identity: SpfIdentity,
    pub domain: Domain,
    pub outcome: Outcome,
}

/// One DKIM signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimFinding {
    pub outcome: Outcome,
    /// d=, s= and a=; empty where the field could not be read.
    pub domain: String,
    pub selector: String,
    pub algorithm: &'static str,
    /// The first characters of b=, by which one of several signatures is told from the others (RFC 6008).
    pub signature_start: String,
    /// Why it did not pass.
    pub reason: Option<&'static str>,
}

/// What the owner of a domain wants done with mail that only claims to be his.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DmarcPolicy {
    None,
    Quarantine,
    Reject,
}

/// DMARC for one author's domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcFinding {
    pub domain: Domain,
    pub outcome: Outcome,
    /// None when there is no record, or none could be had.
    pub policy: Option<DmarcPolicy>,
    /// An aligned signature verified: that stays true when the message is forwarded untouched.
    pub dkim: Outcome,
    /// An aligned sender was allowed: that ends with the next hop.
    pub spf: Outcome,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    pub arrival: Arrival,
    pub spf: Vec<SpfFinding>,
    pub dkim: Vec<DkimFinding>,
    /// One for each author's domain; usually there is one.
    pub dmarc: Vec<DmarcFinding>,
    pub(super) authors: AuthorsKind,
}

impl Findings {
    pub(super) fn spf_of(&self, identity: SpfIdentity) -> Option<&SpfFinding> {
        self.spf.iter().find(|finding| finding.identity == identity)
    }

    /// Of the sender; for a null one that is the name in HELO (RFC 7208 section 2.4).
    pub(super) fn spf_of_sender(&self) -> Option<&SpfFinding> {
        let identity = if self.arrival.sender.is_some() { SpfIdentity::MailFrom } else { SpfIdentity::Helo };
        self.spf_of(identity)
    }

    pub(super) fn has_dns_trouble(&self) -> bool {
        let spf = self.spf.iter().map(|finding| finding.outcome);
        let dkim = self.dkim.iter().map(|finding| finding.outcome);
        let dmarc = self.dmarc.iter().map(|finding| finding.outcome);
        spf.chain(dkim).chain(dmarc).any(|outcome| outcome == Outcome::TempError)
    }
}
