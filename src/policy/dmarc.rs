//! DMARC (RFC 9989, in the tracks of RFC 7489): does anything that was verified vouch for the author's domain, and what does
//! its owner want done if not?
//!
//! What it will not do: write reports. Not obeyed: several records at one name, which RFC 9989 section 4.10 has ignored together;
//! mail-auth takes the first that can be read, which is no worse for the domain's owner.

use super::findings::{DkimFinding, DmarcFinding, DmarcPolicy, Findings, Outcome, SpfFinding};
use crate::types::Domain;
use mail_auth::dkim::Signature;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DmarcOutput, DmarcResult, DnsError, Error, MessageAuthenticator, SpfOutput,
    SpfResult,
};

pub(super) async fn verify(authenticator: &MessageAuthenticator, author: &Domain, found: &Findings) -> DmarcFinding {
    // The method sees of the message nothing but its author's domain.
    let message = AuthenticatedMessage { from: vec![format!("author@{author}")], ..AuthenticatedMessage::default() };
    let signatures: Vec<Signature> = found.dkim.iter().map(signature).collect();
    let dkim: Vec<DkimOutput<'_>> = found.dkim.iter().zip(&signatures).filter_map(dkim_output).collect();
    let sender = found.spf_of_sender();
    let domain = sender.map(|finding| finding.domain.as_str()).unwrap_or_default();
    let spf = SpfOutput::new(domain.to_owned()).with_result(spf_result(sender));
    let output = authenticator.verify_dmarc(DmarcParameters::new(&message, &dkim, domain, &spf)).await;
    finding(author, &output)
}

/// When there was no time to ask.
pub(super) fn unanswered(author: &Domain) -> DmarcFinding {
    DmarcFinding {
        domain: author.clone(),
        outcome: Outcome::TempError,
        policy: None,
        dkim: Outcome::TempError,
        spf: Outcome::TempError,
    }
}

fn finding(author: &Domain, output: &DmarcOutput) -> DmarcFinding {
    let policy = output.dmarc_record().map(|_| match output.policy() {
        Policy::Reject => DmarcPolicy::Reject,
        Policy::Quarantine => DmarcPolicy::Quarantine,
        Policy::None | Policy::Unspecified => DmarcPolicy::None,
    });
    DmarcFinding {
        domain: author.clone(),
        outcome: outcome(&output.result()),
        policy,
        dkim: outcome(output.dkim_result()),
        spf: outcome(output.spf_result()),
    }
}

fn signature(finding: &DkimFinding) -> Signature {
    Signature { d: finding.domain.clone(), ..Signature::default() }
}

/// Only what passed, or may have, has a say (RFC 9989 section 4.4.1).
fn dkim_output<'x>((finding, signature): (&DkimFinding, &'x Signature)) -> Option<DkimOutput<'x>> {
    let output = match finding.outcome {
        Outcome::Pass => DkimOutput::pass(),
        Outcome::TempError => DkimOutput::temp_err(Error::Dns(DnsError::Resolver(String::new()))),
        _ => return None,
    };
    Some(output.with_signature(signature))
}

fn spf_result(finding: Option<&SpfFinding>) -> SpfResult {
    match finding.map_or(Outcome::None, |finding| finding.outcome) {
        Outcome::Pass => SpfResult::Pass,
        Outcome::TempError => SpfResult::TempError,
        Outcome::Fail => SpfResult::Fail,
        _ => SpfResult::None,
    }
}

fn outcome(result: &DmarcResult) -> Outcome {
    match result {
        DmarcResult::Pass => Outcome::Pass,
        DmarcResult::Fail(_) => Outcome::Fail,
        DmarcResult::TempError(_) => Outcome::TempError,
        DmarcResult::PermError(_) => Outcome::PermError,
        DmarcResult::None => Outcome::None,
    }
}
