//! What `policy` makes of a message, in the words of a session.

use crate::policy::{Assessment, Loop, Verdict};
use crate::smtp::server::Cause;

/// Whether the findings leave the message a way in. Junk is let in: it is marked, and scripts file it as such.
pub(super) fn admit(assessment: &Assessment) -> Result<(), Cause> {
    match assessment.verdict() {
        Verdict::Accept => Ok(()),
        Verdict::Junk(reason) => {
            tracing::info!(%reason, "marked as junk");
            Ok(())
        }
        Verdict::Defer(domain) => {
            tracing::info!(%domain, "deferred: DNS did not tell whether the author's domain vouches for the message");
            Err(Cause::AuthenticationDeferred)
        }
        Verdict::Refuse(domain) => {
            tracing::info!(%domain, "refused: nothing vouches for the author, and his domain's policy is reject");
            Err(Cause::DmarcFailed)
        }
    }
}

pub(super) fn looping(found: Loop) -> Cause {
    tracing::info!(?found, "refused: the message goes in circles");
    Cause::Looping
}

/// For the ledger: `spf=pass dkim=none dmarc=none`, nothing where nobody looked.
pub(super) fn in_words(assessment: &Assessment) -> String {
    let results = assessment.method_results().unwrap_or_default();
    results.iter().map(|one| format!("{}={}", one.method, one.result)).collect::<Vec<_>>().join(" ")
}
