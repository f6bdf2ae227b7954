//! One session, without sockets and timers: what the framer cut out in; replies, and what to do next, out.
//!
//! Invariants:
//! - every command gets exactly one OK, NO or BYE, after everything that belongs to it;
//! - nothing but logging in, TLS, capabilities, NOOP and LOGOUT happens before a login (RFC 5804 section 2);
//! - nothing that came before TLS counts after it.
//!
//! What needs the store is asked for with [`Step::Ask`] and answered by a desk, which holds the proof of the login.

use super::cause::Cause;
use super::framing::{Event, Part, Sizes};
use super::grammar::{self, Base64, Command};
use super::replies::{self, Code, Status};
use crate::auth::Mechanism;
use crate::telemetry::{Secret, SessionId};
use crate::types::limits::{MANAGESIEVE_ERRORS_MAX, MANAGESIEVE_LOGIN_FAILURES_MAX};

/// What the driver does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Feed the next event.
    Read,
    /// Put this to the desk, and its answer to [`Session::answered`].
    Ask(Ask),
    /// Call [`Session::encrypting`], send, shake hands, call [`Session::encrypted`].
    StartTls,
    /// Send and hang up.
    Close,
}

/// What only the desk can know or do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    LogIn { mechanism: String, initial: Option<Secret<Vec<u8>>> },
    GoOn(Secret<Vec<u8>>),
    LogOut,
    Scripts(ScriptAsk),
}

/// What takes a login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScriptAsk {
    HaveSpace { name: String, octets: u64 },
    Put { name: String, text: Vec<u8> },
    Check { text: Vec<u8> },
    List,
    Activate { name: Option<String> },
    Get { name: String },
    Delete { name: String },
    Rename { from: String, to: String },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Challenge(Vec<u8>),
    LoggedIn {
        /// Whose scripts these are.
        owner: String,
        /// The mechanism's last word (RFC 5804 section 1.3, SASL).
        data: Option<Vec<u8>>,
    },
    LoggedOut,
    /// A script that is stored, or would be.
    Compiled {
        warnings: Vec<String>,
    },
    /// Names, and whether it is the active one, which at most one is.
    List(Vec<(String, bool)>),
    Text(String),
    Done,
    Refused(Cause),
}

/// The connection as the session sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) can_start_tls: bool,
    pub(super) encrypted: bool,
    /// With which a login is possible.
    pub(super) mechanisms: &'static [Mechanism],
}

pub(super) struct Session {
    id: SessionId,
    pub(super) link: Link,
    /// Whose scripts these are, once somebody logged in.
    pub(super) owner: Option<String>,
    /// The client's next words answer a challenge.
    in_exchange: bool,
    /// Refused commands in a row.
    errors: u32,
    login_failures: u32,
}

pub(super) type Outcome = Result<Step, Cause>;

impl Session {
    pub(super) fn new(id: SessionId, link: Link) -> Self {
        Self { id, link, owner: None, in_exchange: false, errors: 0, login_failures: 0 }
    }

    /// RFC 5804 section 1.7.
    pub(super) fn greet(&self, out: &mut Vec<u8>) {
        self.capabilities(out, "Scripts are here");
    }

    pub(super) fn event(&mut self, event: Event, out: &mut Vec<u8>) -> Step {
        let outcome = match event {
            Event::Command(parts) if self.in_exchange => self.response(parts),
            Event::Command(parts) => match grammar::command(parts) {
                Ok(Some(command)) => self.command(command, out),
                Ok(None) => return Step::Read,
                Err(error) => Err(Cause::Syntax(error)),
            },
            Event::TooLong => {
                self.in_exchange = false;
                Err(if self.owner.is_some() { Cause::TooLong } else { Cause::LoginFirst })
            }
            Event::Fatal(fatal) => Err(Cause::Fatal(fatal)),
        };
        self.settle(outcome, out)
    }

    fn command(&mut self, command: Command, out: &mut Vec<u8>) -> Outcome {
        match command {
            Command::Authenticate { mechanism, initial } => self.authenticate(mechanism, initial.as_ref()),
            Command::StartTls => self.start_tls(),
            Command::Logout => {
                replies::end(out, Status::Ok, None, "Until next time");
                Ok(Step::Close)
            }
            Command::Capability => {
                self.capabilities(out, "");
                Ok(Step::Read)
            }
            Command::Noop { tag } => {
                replies::end(out, Status::Ok, tag.map(Code::Tag).as_ref(), "Done");
                Ok(Step::Read)
            }
            Command::Unauthenticate if self.owner.is_some() => Ok(Step::Ask(Ask::LogOut)),
            Command::Unauthenticate => Err(Cause::LoginFirst),
            Command::HaveSpace { name, octets } => self.scripts(ScriptAsk::HaveSpace { name, octets }),
            Command::PutScript { text, .. } | Command::CheckScript { text } if text.is_empty() => {
                Err(Cause::EmptyScript)
            }
            Command::PutScript { name, text } => self.scripts(ScriptAsk::Put { name, text }),
            Command::CheckScript { text } => self.scripts(ScriptAsk::Check { text }),
            Command::ListScripts => self.scripts(ScriptAsk::List),
            Command::SetActive { name } => self.scripts(ScriptAsk::Activate { name }),
            Command::GetScript { name } => self.scripts(ScriptAsk::Get { name }),
            Command::DeleteScript { name } => self.scripts(ScriptAsk::Delete { name }),
            Command::RenameScript { from, to } => self.scripts(ScriptAsk::Rename { from, to }),
        }
    }

    fn scripts(&self, ask: ScriptAsk) -> Outcome {
        if self.owner.is_some() { Ok(Step::Ask(Ask::Scripts(ask))) } else { Err(Cause::LoginFirst) }
    }

    fn authenticate(&self, mechanism: String, initial: Option<&Base64>) -> Outcome {
        if self.owner.is_some() {
            return Err(Cause::LoggedInAlready);
        }
        let initial = initial.map(decoded).transpose()?;
        Ok(Step::Ask(Ask::LogIn { mechanism, initial }))
    }

    fn response(&mut self, parts: Vec<Part>) -> Outcome {
        self.in_exchange = false;
        match grammar::response(parts).map_err(Cause::Syntax)? {
            grammar::Response::Cancel => Err(Cause::LoginCancelled),
            grammar::Response::Message(message) => Ok(Step::Ask(Ask::GoOn(decoded(&message)?))),
        }
    }

    fn start_tls(&self) -> Outcome {
        if self.link.encrypted {
            return Err(Cause::TlsAlready);
        }
        // RFC 5804 section 2.2.
        if self.owner.is_some() {
            return Err(Cause::LoggedInAlready);
        }
        if !self.link.can_start_tls {
            return Err(Cause::TlsNotOffered);
        }
        Ok(Step::StartTls)
    }

    /// The driver is about to shake hands.
    pub(super) fn encrypting(&self, out: &mut Vec<u8>) {
        replies::end(out, Status::Ok, None, "Begin TLS now");
    }

    /// TLS is on now: whatever the client said before does not count. RFC 5804 section 2.2 has the capabilities sent again.
    pub(super) fn encrypted(&mut self, link: Link, out: &mut Vec<u8>) -> Step {
        *self = Self::new(self.id, link);
        self.capabilities(out, "TLS is on");
        Step::Read
    }

    pub(super) fn answered(&mut self, answer: Answer, out: &mut Vec<u8>) -> Step {
        let mut done = |code: Option<&Code>, text: &str| replies::end(out, Status::Ok, code, text);
        match answer {
            Answer::Challenge(challenge) => {
                self.in_exchange = true;
                replies::line(out, crate::auth::encode(&challenge).as_bytes());
                return Step::Read;
            }
            Answer::LoggedIn { owner, data } => {
                tracing::debug!(session = %self.id, owner, "logged in");
                self.owner = Some(owner);
                self.login_failures = 0;
                let code = data.map(|data| Code::Sasl(crate::auth::encode(&data)));
                done(code.as_ref(), "Logged in");
            }
            Answer::LoggedOut => {
                self.owner = None;
                done(None, "Logged out");
            }
            Answer::Compiled { warnings } if warnings.is_empty() => done(None, "The script is good"),
            Answer::Compiled { warnings } => done(Some(&Code::Warnings), &warnings.join("\r\n")),
            Answer::List(scripts) => {
                for (name, is_active) in scripts {
                    replies::listed(out, &name, is_active);
                }
                replies::end(out, Status::Ok, None, "");
            }
            Answer::Text(text) => {
                replies::line(out, text.as_bytes());
                replies::end(out, Status::Ok, None, "");
            }
            Answer::Done => done(None, "Done"),
            Answer::Refused(cause) => return self.settle(Err(cause), out),
        }
        self.errors = 0;
        Step::Read
    }

    pub(super) fn timed_out(&mut self, out: &mut Vec<u8>) -> Step {
        self.settle(Err(Cause::Silence), out)
    }

    pub(super) fn shut_down(&mut self, out: &mut Vec<u8>) -> Step {
        self.settle(Err(Cause::Stopping), out)
    }

    pub(super) fn sizes(&self) -> Sizes {
        if self.owner.is_some() { Sizes::AFTER_LOGIN } else { Sizes::BEFORE_LOGIN }
    }

    fn settle(&mut self, outcome: Outcome, out: &mut Vec<u8>) -> Step {
        let mut cause = match outcome {
            Ok(step) => return step,
            Err(cause) => cause,
        };
        let is_ours = cause.is_ours();
        if is_ours {
            tracing::error!(session = %self.id, ?cause, "a command could not be done");
        } else {
            tracing::debug!(session = %self.id, ?cause, "refused");
        }
        self.errors += u32::from(cause.counts());
        self.login_failures += u32::from(cause.is_failed_login());
        if self.login_failures >= MANAGESIEVE_LOGIN_FAILURES_MAX {
            cause = Cause::LoginFailures;
        }
        if self.errors >= MANAGESIEVE_ERRORS_MAX {
            cause = Cause::TooManyErrors;
        }
        let said = cause.said();
        let text = if is_ours { format!("{} [{}]", said.text, self.id).into() } else { said.text };
        replies::end(out, said.status, said.code.as_ref(), &text);
        if said.status == Status::Bye { Step::Close } else { Step::Read }
    }
}

/// RFC 5804 section 2.1: an empty message is an empty string, and nothing else stands for it.
fn decoded(message: &Base64) -> Result<Secret<Vec<u8>>, Cause> {
    let octets = message.reveal().as_slice();
    let decoded = crate::auth::decode(octets).ok().filter(|_| octets != b"=");
    decoded.map(Secret::new).ok_or(Cause::NotBase64)
}
