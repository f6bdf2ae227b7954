//! SPF, DKIM and DMARC of one message, within a fixed time.

use super::findings::{Arrival, DmarcFinding, Findings, Outcome, SpfFinding, SpfIdentity};
use super::scan::Scan;
use super::{confirmed_name, dkim, dmarc, spf};
use crate::dns::{Resolver, SystemResolver};
use crate::types::limits::{
    AUTHENTICATION_DMARC_SECONDS, AUTHENTICATION_SECONDS_MAX, AUTHENTICATION_SECONDS_SILENT,
    AUTHENTICATION_SILENCES_MAX,
};
use crate::types::{Address, Domain};
use mail_auth::MessageAuthenticator;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Finds out where messages come from. Cloning shares it.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    authenticator: MessageAuthenticator,
    resolver: Arc<dyn Resolver>,
    hostname: Domain,
    patience: Patience,
    /// Messages in a row for which DNS was silent somewhere.
    silences: AtomicU32,
}

/// How long DNS may take for one message.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub in_all: Duration,
    /// Of that, what is kept for DMARC, which needs the results of the others.
    pub dmarc: Duration,
    /// In all, while DNS has been silent for some messages in a row: dead servers should not stop mail.
    pub silent: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            in_all: Duration::from_secs(AUTHENTICATION_SECONDS_MAX),
            dmarc: Duration::from_secs(AUTHENTICATION_DMARC_SECONDS),
            silent: Duration::from_secs(AUTHENTICATION_SECONDS_SILENT),
        }
    }
}

impl Verifier {
    /// `hostname` is our own name.
    pub fn new(resolver: Arc<SystemResolver>, hostname: Domain, patience: Patience) -> Self {
        // mail-auth asks through the resolver below ours: the same servers, the same cache.
        let authenticator = MessageAuthenticator(resolver.hickory().clone());
        Self(Arc::new(Inner { authenticator, resolver, hostname, patience, silences: AtomicU32::new(0) }))
    }

    /// What the client is called, if DNS has it both ways.
    pub async fn client_name(&self, client: IpAddr) -> Option<Domain> {
        confirmed_name(&*self.0.resolver, client).await
    }

    /// Always an answer: what DNS does not tell in time, and what goes wrong, is a temporary error.
    pub async fn verify(&self, arrival: Arrival, scan: Scan) -> Findings {
        let (scan, inner) = (Arc::new(scan), Arc::clone(&self.0));
        let fallback = Findings::unanswered(arrival.clone(), &scan);
        // In a task of its own, which ends with this future, so that a panic in it (the octets come from strangers, and
        // pass through code that is not ours) is an outcome like others.
        let mut task = JoinSet::new();
        task.spawn(async move { inner.verify(arrival, scan).await });
        let findings = match task.join_next().await {
            Some(Ok(findings)) => findings,
            _ => {
                tracing::error!("authentication of a message failed");
                fallback
            }
        };
        if findings.has_dns_trouble() {
            let _ = self.0.silences.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1));
        } else {
            self.0.silences.store(0, Ordering::Relaxed);
        }
        findings
    }
}

impl Findings {
    fn unanswered(arrival: Arrival, scan: &Scan) -> Self {
        let authors = scan.authors();
        let dmarc = authors.domains.iter().map(dmarc::unanswered).collect();
        Self { arrival, spf: Vec::new(), dkim: Vec::new(), dmarc, authors: authors.kind }
    }
}

impl Inner {
    async fn verify(&self, arrival: Arrival, scan: Arc<Scan>) -> Findings {
        let patience = &self.patience;
        let silent = self.silences.load(Ordering::Relaxed) >= AUTHENTICATION_SILENCES_MAX;
        let (in_all, dmarc) =
            if silent { (patience.silent, patience.silent / 3) } else { (patience.in_all, patience.dmarc) };
        let end = Instant::now() + in_all;
        let first_end = end.checked_sub(dmarc).unwrap_or(end);
        let (helo, mail_from, dkim) = tokio::join!(
            self.helo(&arrival, first_end),
            self.mail_from(&arrival, first_end),
            Box::pin(dkim::verify(&self.authenticator, &self.resolver, &scan, first_end))
        );
        let authors = scan.authors();
        let spf = [helo, mail_from].into_iter().flatten().collect();
        let mut findings = Findings { arrival, spf, dkim, dmarc: Vec::new(), authors: authors.kind };
        for author in authors.domains {
            let finding = self.dmarc(&author, &findings, end).await;
            findings.dmarc.push(finding);
        }
        findings
    }

    async fn helo(&self, arrival: &Arrival, deadline: Instant) -> Option<SpfFinding> {
        let (client, domain) = (self.client(arrival)?, spf::hello_domain(&arrival.hello)?);
        let question = Box::pin(spf::helo(&self.authenticator, &*self.resolver, &client, &domain));
        let outcome = timeout_at(deadline, question).await.unwrap_or(Outcome::TempError);
        Some(SpfFinding { identity: SpfIdentity::Helo, domain, outcome })
    }

    async fn mail_from(&self, arrival: &Arrival, deadline: Instant) -> Option<SpfFinding> {
        let (client, sender): (_, &Address) = (self.client(arrival)?, arrival.sender.as_ref()?);
        let question = Box::pin(spf::mail_from(&self.authenticator, &*self.resolver, &client, sender));
        let outcome = timeout_at(deadline, question).await.unwrap_or(Outcome::TempError);
        Some(SpfFinding { identity: SpfIdentity::MailFrom, domain: sender.domain().clone(), outcome })
    }

    async fn dmarc(&self, author: &Domain, found: &Findings, deadline: Instant) -> DmarcFinding {
        let question = Box::pin(dmarc::verify(&self.authenticator, author, found));
        timeout_at(deadline, question).await.unwrap_or_else(|_| dmarc::unanswered(author))
    }

    fn client<'a>(&'a self, arrival: &'a Arrival) -> Option<spf::Client<'a>> {
        let address = arrival.client?.to_canonical();
        Some(spf::Client { address, hello: &arrival.hello, hostname: &self.hostname })
    }
}
