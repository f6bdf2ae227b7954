//! LOGIN, AUTHENTICATE, UNAUTHENTICATE: `auth` behind the words of IMAP.

use crate::auth::{AuthFailure, Authenticated, FinalData, Negotiation, Progress, encode};
use crate::imap::cause::Cause;
use crate::imap::grammar::{Secret, sasl_answer};
use crate::imap::replies::Code;
use crate::imap::session::{COMPLETED, Done, Enabled, Notifying, Outcome, Session, Step};

impl Session {
    pub(super) async fn log_in(&mut self, user: &str, password: &Secret) -> Outcome {
        self.must_be_stranger()?;
        // A password that is not UTF-8 is no account's: it can't be set.
        let Ok(password) = std::str::from_utf8(&password.0) else {
            return Err(AuthFailure::WrongCredentials.into());
        };
        let authenticated = self.services.auth.login(&self.link.peer, user, password).await?;
        Ok(self.logged_in(authenticated))
    }

    pub(super) async fn authenticate(&mut self, mechanism: &str, initial: Option<Secret>) -> Outcome {
        self.must_be_stranger()?;
        let mut negotiation = self.services.auth.negotiate(&self.link.peer, mechanism, FinalData::AsChallenge)?;
        let initial = initial.as_ref().map(|secret| secret.0.as_slice());
        let progress = self.services.auth.start(&mut negotiation, initial).await;
        self.login_progress(negotiation, progress)
    }

    pub(super) async fn login_answer(&mut self, line: &[u8]) -> Outcome {
        let Some(mut negotiation) = self.negotiation.take() else {
            return Err(Cause::Unexpected);
        };
        if line == b"*" {
            return Err(Cause::LoginCancelled);
        }
        // `=` is for an initial response only (RFC 4959 section 3); an empty answer is an empty line.
        let Some(answer) = sasl_answer(line).filter(|_| line != b"=") else {
            return Err(Cause::NotBase64);
        };
        let progress = self.services.auth.step(&mut negotiation, &answer.0).await;
        self.login_progress(negotiation, progress)
    }

    fn login_progress(&mut self, negotiation: Negotiation, progress: Progress) -> Outcome {
        match progress {
            Progress::Challenge(challenge) => {
                self.replies.challenge(&encode(&challenge));
                self.negotiation = Some(negotiation);
                Ok(Done::Later(Step::ReadLine))
            }
            Progress::Done { session, .. } => Ok(self.logged_in(session)),
            Progress::Failed(failure) => Err(failure.into()),
        }
    }

    fn must_be_stranger(&self) -> Result<(), Cause> {
        if self.login.is_some() { Err(Cause::LoggedInAlready) } else { Ok(()) }
    }

    fn logged_in(&mut self, authenticated: Authenticated) -> Done {
        tracing::debug!(session = %self.id, name = %authenticated.author(), "logged in");
        self.login = Some(authenticated);
        // Most clients would ask for it next (RFC 9051 section 7.1).
        Done::Completed(Some(Code::Capability(self.capabilities())))
    }

    /// RFC 8437: as after the greeting, but for what protects the connection.
    pub(super) fn unauthenticate(&mut self) -> Outcome {
        self.person()?;
        self.login = None;
        self.selected = None;
        self.notifying = Notifying::Unasked;
        self.enabled = Enabled::default();
        self.adapt_replies();
        Ok(COMPLETED)
    }
}
