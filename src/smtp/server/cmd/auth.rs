//! AUTH (RFC 4954). The mechanisms themselves are in `auth`; here is how their messages travel.

use crate::auth;
use crate::smtp::proto::AuthStart;
use crate::smtp::server::replies::{Cause, Success};
use crate::smtp::server::service::{AuthAnswer, AuthStep};
use crate::smtp::server::session::{Ask, Due, Session, Step};
use crate::telemetry::Secret;
use crate::types::limits::SMTP_AUTH_LINE_OCTETS_MAX;

impl Session {
    pub(in crate::smtp::server) fn auth(&mut self, start: AuthStart, out: &mut Vec<u8>) -> Step {
        let offered = self.extensions().auth;
        let cause = if self.hello.is_none() {
            Cause::HelloFirst
        } else if offered.is_empty() && self.settings.kind.needs_login() && !self.link.encrypted {
            Cause::LoginNeedsTls
        } else if offered.is_empty() {
            Cause::LoginNotOffered
        } else if self.login.is_some() {
            // RFC 4954 section 4 forbids it during a transaction as well; where logins are on offer, nobody has one
            // without a login.
            Cause::LoggedInAlready
        } else if !offered.contains(start.mechanism) {
            Cause::UnknownMechanism
        } else {
            let AuthStart { mechanism, initial } = start;
            return self.ask_auth(AuthStep::Start { mechanism, initial });
        };
        self.refuse(cause, out)
    }

    pub(in crate::smtp::server) fn auth_response(&mut self, line: &[u8], out: &mut Vec<u8>) -> Step {
        // RFC 4954 section 4.
        if line == b"*" {
            return self.refuse(Cause::LoginCancelled, out);
        }
        match auth::decode(line) {
            Ok(response) => self.ask_auth(AuthStep::Response(Secret::new(response))),
            Err(_) => self.refuse(Cause::LoginEncoding, out),
        }
    }

    fn ask_auth(&mut self, step: AuthStep) -> Step {
        self.due = Due::AuthAnswer;
        Step::Ask(Ask::Auth(step))
    }

    pub(in crate::smtp::server) fn auth_decided(&mut self, answer: AuthAnswer, out: &mut Vec<u8>) -> Step {
        match answer {
            AuthAnswer::Challenge(challenge) => {
                // One line, however long: RFC 4954 section 4 has no continuation for it.
                out.extend_from_slice(b"334 ");
                out.extend_from_slice(auth::encode(&challenge).as_bytes());
                out.extend_from_slice(b"\r\n");
                self.due = Due::AuthResponse;
                Step::ReadLine { octets_max: SMTP_AUTH_LINE_OCTETS_MAX }
            }
            AuthAnswer::LoggedIn(name) => {
                tracing::debug!(session = %self.id, %name, "logged in");
                self.login = Some(name);
                self.was_useful();
                self.reply(Success::LoggedIn, out)
            }
            AuthAnswer::Refused(refusal) => self.refuse_login(&refusal, out),
        }
    }
}
