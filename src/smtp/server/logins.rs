//! Logging in as a conversation does it: `auth` behind the steps of AUTH. What it gives away is the proof that only `auth`
//! can make.

use super::replies::Cause;
use super::service::{AuthAnswer, AuthStep, Caller};
use crate::auth::{
    Auth, AuthFailure, Authenticated, ChannelBinding, FinalData, Mechanism, Negotiation, Peer, Progress, Security,
};
use crate::net::TlsFacts;
use std::net::{IpAddr, Ipv4Addr};

/// One session's logins: at most one succeeds.
pub struct Logins {
    auth: Auth,
    peer: Peer,
    negotiation: Option<Negotiation>,
    authenticated: Option<Authenticated>,
}

impl Logins {
    pub fn new(auth: Auth, caller: &Caller) -> Self {
        let service = caller.kind.name();
        // A Unix socket has no address; it is not on any list of networks either.
        let address = caller.peer.ip().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let security = caller.tls.as_ref().map_or(Security::Plain, security);
        Self { auth, peer: Peer { address, security, service }, negotiation: None, authenticated: None }
    }

    /// TLS is on now: other mechanisms are on offer, and whoever logged in before did not.
    pub fn encrypted(&mut self, tls: &TlsFacts) {
        self.peer.security = security(tls);
        self.negotiation = None;
        self.authenticated = None;
    }

    pub fn offered(&self) -> &'static [Mechanism] {
        self.auth.offered(&self.peer)
    }

    pub fn authenticated(&self) -> Option<&Authenticated> {
        self.authenticated.as_ref()
    }

    pub async fn step(&mut self, step: AuthStep) -> AuthAnswer {
        let progress = match step {
            AuthStep::Start { mechanism, initial } => {
                let negotiation = match self.auth.negotiate(&self.peer, mechanism.name(), FinalData::AsChallenge) {
                    Ok(negotiation) => self.negotiation.insert(negotiation),
                    Err(failure) => return refused(&failure),
                };
                let initial = initial.as_ref().map(|initial| initial.reveal().as_slice());
                self.auth.start(negotiation, initial).await
            }
            AuthStep::Response(response) => match &mut self.negotiation {
                Some(negotiation) => self.auth.step(negotiation, response.reveal()).await,
                None => return AuthAnswer::Refused(Cause::LoginMalformed.into()),
            },
        };
        match progress {
            Progress::Challenge(challenge) => AuthAnswer::Challenge(challenge),
            Progress::Done { session, .. } => {
                self.negotiation = None;
                let author = session.author();
                self.authenticated = Some(session);
                AuthAnswer::LoggedIn(author.into())
            }
            Progress::Failed(failure) => {
                self.negotiation = None;
                refused(&failure)
            }
        }
    }
}

fn security(tls: &TlsFacts) -> Security {
    Security::Tls(ChannelBinding::new(tls.exporter, Some(tls.certificate.as_ref())))
}

fn refused(failure: &AuthFailure) -> AuthAnswer {
    AuthAnswer::Refused(Cause::from(failure).into())
}

impl From<&AuthFailure> for Cause {
    /// A suspended account looks like a wrong password: who does not know it shall not learn that the account is there.
    fn from(failure: &AuthFailure) -> Self {
        match failure {
            AuthFailure::Throttled { .. } => Self::LoginThrottled,
            AuthFailure::EncryptionRequired => Self::LoginNeedsTls,
            AuthFailure::MechanismNotOffered => Self::UnknownMechanism,
            AuthFailure::Exchange(_) => Self::LoginMalformed,
            _ if failure.is_temporary() => Self::LoginUnavailable,
            _ => Self::LoginRefused,
        }
    }
}
