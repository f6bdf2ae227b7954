//! What `policy` makes of a client and of a message, in the words of a session.

use crate::policy::{Assessment, BlockLists, Exceeded, Listing, Loop, Verdict, Verifier};
use crate::smtp::server::{Cause, Refusal};
use crate::types::Domain;
use std::net::IpAddr;
use tokio::task::JoinHandle;

/// The question whether a client is on a block list: asked when he connects, and answered while he says hello. What comes of
/// it is said to his recipients, because the postmaster must be reachable for him too.
pub(super) enum Listed {
    Asked(JoinHandle<Option<Listing>>),
    Known(Option<Listing>),
}

impl Listed {
    pub(super) fn ask(lists: Option<&BlockLists>, client: Option<IpAddr>) -> Self {
        let (Some(lists), Some(client)) = (lists.cloned(), client) else { return Self::Known(None) };
        Self::Asked(tokio::spawn(async move { lists.listing(client).await }))
    }

    pub(super) async fn refusal(&mut self) -> Result<(), Refusal> {
        if let Self::Asked(answer) = self {
            // A question that died found nothing.
            *self = Self::Known(answer.await.unwrap_or_default());
        }
        match self {
            Self::Known(Some(listing)) => {
                tracing::info!(%listing, "refused");
                Err(Refusal { cause: Cause::BlockListed, text: Some(listing.to_string().into()) })
            }
            Self::Known(None) | Self::Asked(_) => Ok(()),
        }
    }
}

/// What the client's address is called: asked when he connects, because most messages take longer than the answer.
pub(super) enum ClientName {
    Asked(JoinHandle<Option<Domain>>),
    Known(Option<Domain>),
}

impl ClientName {
    pub(super) fn ask(verifier: Option<&Verifier>, client: Option<IpAddr>) -> Self {
        let (Some(verifier), Some(client)) = (verifier.cloned(), client) else { return Self::Known(None) };
        Self::Asked(tokio::spawn(async move { verifier.client_name(client).await }))
    }

    pub(super) async fn known(&mut self) -> Option<Domain> {
        if let Self::Asked(answer) = self {
            *self = Self::Known(answer.await.unwrap_or_default());
        }
        match self {
            Self::Known(name) => name.clone(),
            Self::Asked(_) => None,
        }
    }
}

/// More than he may in his time.
pub(super) fn slowed(exceeded: Exceeded) -> Cause {
    tracing::info!(%exceeded, "told to come again later");
    Cause::RateLimited
}

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

/// Why it is not let in, for the ledger; empty where it is.
pub(super) fn why_not(assessment: &Assessment) -> String {
    match assessment.verdict() {
        Verdict::Accept | Verdict::Junk(_) => String::new(),
        Verdict::Defer(domain) => {
            format!("told to come again: DNS did not tell whether {domain} vouches for the message")
        }
        Verdict::Refuse(domain) => {
            format!("nothing vouches for its author, and the policy of {domain} (DMARC) is to reject such mail")
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
