//! What becomes of a message, by what was found out about where it comes from.

use super::findings::{DkimFinding, DmarcFinding, DmarcPolicy, Findings, Outcome, SpfFinding, SpfIdentity};
use super::scan::AuthorsKind;
use crate::message::MethodResult;
use crate::types::Domain;
use std::fmt;

/// The findings with what follows from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// None: nobody looked. Our users' mail, a neighbour's, or authentication is off.
    findings: Option<Findings>,
    verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Taken, and marked so that the script files it as junk and sends nothing because of it.
    Junk(JunkReason),
    /// DNS did not answer what decides; the sender comes again. With the author's domain.
    Defer(Domain),
    /// The owner of this domain wants it refused.
    Refuse(Domain),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JunkReason {
    /// The owner of this domain wants it set aside.
    Dmarc(Domain),
    /// SPF forbids the client to send for this domain, and nothing else vouches for the message.
    Spf(Domain),
    /// Nobody can say who wrote it: programs would show different authors.
    Authors,
}

impl fmt::Display for JunkReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dmarc(domain) => write!(formatter, "nothing vouches for {domain}, whose policy is quarantine"),
            Self::Spf(domain) => write!(formatter, "the client may not send for {domain}"),
            Self::Authors => formatter.write_str("its author is not clear"),
        }
    }
}

/// Why a message is not sent on to an address outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotForwarded {
    Junk(JunkReason),
    /// The author's policy is to refuse or set aside what does not pass, and at the target it would not: the target sees
    /// our address and our return path, and no signature of the author's domain is on the message.
    WouldFailDmarc {
        domain: Domain,
        policy: DmarcPolicy,
    },
}

impl fmt::Display for NotForwarded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Junk(reason) => reason.fmt(formatter),
            Self::WouldFailDmarc { domain, policy } => {
                let policy = policy_word(*policy);
                write!(formatter, "it has no valid signature of {domain}, whose policy is {policy}")
            }
        }
    }
}

impl Assessment {
    pub fn of(findings: Findings) -> Self {
        Self { verdict: verdict(&findings), findings: Some(findings) }
    }

    pub fn unchecked() -> Self {
        Self { findings: None, verdict: Verdict::Accept }
    }

    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub fn findings(&self) -> Option<&Findings> {
        self.findings.as_ref()
    }

    /// What Authentication-Results says. None when nobody looked: then there is nothing to say.
    pub fn method_results(&self) -> Option<Vec<MethodResult>> {
        let findings = self.findings.as_ref()?;
        let mut results: Vec<MethodResult> = findings.spf.iter().filter_map(|spf| spf_result(findings, spf)).collect();
        if findings.dkim.is_empty() {
            results.push(method("dkim", Outcome::None));
        }
        results.extend(findings.dkim.iter().map(|dkim| dkim_result(dkim, findings.dkim.len())));
        results.extend(findings.dmarc.iter().map(dmarc_result));
        Some(results)
    }

    /// Whether the message, untouched but for trace fields and with an SRS return path, would pass where it is forwarded
    /// to. SPF will not vouch for the author there, since the return path is ours; only his own signature does.
    pub fn forwarding_admission(&self) -> Result<(), NotForwarded> {
        if let Verdict::Junk(reason) = &self.verdict {
            return Err(NotForwarded::Junk(reason.clone()));
        }
        let findings = self.findings.iter().flat_map(|findings| &findings.dmarc);
        for finding in findings {
            // A signature that could not be checked here may well be there. Without a policy nobody refuses.
            let vouched = matches!(finding.dkim, Outcome::Pass | Outcome::TempError);
            match finding.policy {
                Some(policy) if policy > DmarcPolicy::None && !vouched => {
                    return Err(NotForwarded::WouldFailDmarc { domain: finding.domain.clone(), policy });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Of several authors the strictest policy counts (RFC 9989 section 11.5).
fn verdict(findings: &Findings) -> Verdict {
    let failing = |policy: DmarcPolicy| {
        let fails = |finding: &&DmarcFinding| finding.outcome == Outcome::Fail && finding.policy == Some(policy);
        findings.dmarc.iter().find(fails).map(|finding| finding.domain.clone())
    };
    if let Some(domain) = failing(DmarcPolicy::Reject) {
        return Verdict::Refuse(domain);
    }
    // RFC 9989 section 5.3.6 and section 6.6.3 of RFC 7489 let the receiver choose what a temporary error means. Where the
    // policy is not known there is none to apply; where it is to refuse, taking the message would make DNS trouble a way
    // around it.
    let uncertain =
        |finding: &&DmarcFinding| finding.outcome == Outcome::TempError && finding.policy == Some(DmarcPolicy::Reject);
    if let Some(finding) = findings.dmarc.iter().find(uncertain) {
        return Verdict::Defer(finding.domain.clone());
    }
    if let Some(domain) = failing(DmarcPolicy::Quarantine) {
        return Verdict::Junk(JunkReason::Dmarc(domain));
    }
    if findings.authors != AuthorsKind::Regular {
        return Verdict::Junk(JunkReason::Authors);
    }
    match spf_alone(findings) {
        Some(domain) => Verdict::Junk(JunkReason::Spf(domain.clone())),
        None => Verdict::Accept,
    }
}

/// RFC 7208 section 8.4 leaves what a fail means to us. Refusing would hit everybody's forwarded mail, for which the author's
/// domain can't vouch by SPF; so it decides only where nothing else can: no signature is right, and the author's domain
/// says nothing of its own.
fn spf_alone(findings: &Findings) -> Option<&Domain> {
    let spf = findings.spf_of_sender().filter(|finding| finding.outcome == Outcome::Fail)?;
    let is_signed = findings.dkim.iter().any(|dkim| matches!(dkim.outcome, Outcome::Pass | Outcome::TempError));
    let has_policy = findings.dmarc.iter().any(|dmarc| dmarc.outcome != Outcome::None);
    (!is_signed && !has_policy).then_some(&spf.domain)
}

fn method(method: &'static str, outcome: Outcome) -> MethodResult {
    MethodResult { method, result: outcome.word(), reason: None, properties: Vec::new() }
}

/// RFC 8601 section 2.7.2. That a name in HELO has no record is worth a word only where it stands for the sender.
fn spf_result(findings: &Findings, spf: &SpfFinding) -> Option<MethodResult> {
    let property = match (spf.identity, &findings.arrival.sender) {
        (SpfIdentity::Helo, Some(_)) if spf.outcome == Outcome::None => return None,
        (SpfIdentity::MailFrom, Some(sender)) => ("smtp.mailfrom", sender.to_string()),
        _ => ("smtp.helo", spf.domain.to_string()),
    };
    Some(MethodResult { properties: vec![property], ..method("spf", spf.outcome) })
}

/// RFC 8601 section 2.7.1.
fn dkim_result(dkim: &DkimFinding, count: usize) -> MethodResult {
    let mut properties = Vec::new();
    if !dkim.domain.is_empty() {
        properties.push(("header.d", dkim.domain.clone()));
        properties.push(("header.s", dkim.selector.clone()));
        properties.push(("header.a", dkim.algorithm.to_owned()));
        // RFC 6008 section 4: needed only to tell one from another.
        if count > 1 {
            properties.push(("header.b", dkim.signature_start.clone()));
        }
    }
    MethodResult { reason: dkim.reason.map(str::to_owned), properties, ..method("dkim", dkim.outcome) }
}

fn dmarc_result(dmarc: &DmarcFinding) -> MethodResult {
    let mut properties = vec![("header.from", dmarc.domain.to_string())];
    if let Some(policy) = dmarc.policy {
        properties.push(("policy.dmarc", policy_word(policy).to_owned()));
    }
    MethodResult { properties, ..method("dmarc", dmarc.outcome) }
}

fn policy_word(policy: DmarcPolicy) -> &'static str {
    match policy {
        DmarcPolicy::None => "none",
        DmarcPolicy::Quarantine => "quarantine",
        DmarcPolicy::Reject => "reject",
    }
}
