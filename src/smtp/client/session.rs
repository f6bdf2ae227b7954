//! One connection as a state machine: replies in, commands and steps out.
//!
//! Invariants:
//! - no command is written before the reply to the one before it has come, but where the server offers PIPELINING;
//! - what was learnt before TLS is forgotten with it (RFC 3207 section 4.2);
//! - every recipient of a message ends with exactly one fate, however the connection ends.

use super::exchange::{Exchange, Progress};
use super::parameters::Framing;
use crate::auth::{self, Mechanism, Security};
use crate::queue::{Answer, Failure, FailureCause, Login, Protocol, Sent, Stage};
use crate::smtp::proto::{AuthStart, ClientName, Command, Extensions, Mail, Rcpt, Reply};
use crate::telemetry::Secret;
use std::io::Write as _;

/// What the driver has to do next, after it has written what was put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Read(Wait),
    /// Shake hands, then [`Session::encrypted`].
    StartTls,
    /// The session is open, for a message or the end.
    Ready,
    /// Send the message in this way, then [`Session::content_sent`].
    Content(Sending),
    Done(Sent),
    Failed(Failure),
}

/// What a reply is awaited for: each has its own patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Greeting,
    Command,
    DataStart,
    DataEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// With dots, and the final one.
    Dots,
    /// As it is.
    Octets,
    /// The server wants a message that nobody is left for: the final dot alone ends it (RFC 2920 section 3.1).
    Nothing,
}

/// Whether the connection is to become an encrypted one by STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartTls {
    No,
    IfOffered,
    Must,
}

pub(super) struct Session {
    hostname: String,
    protocol: Protocol,
    start_tls: StartTls,
    login: Option<Login>,
    security: Security,
    offered: Extensions,
    phase: Phase,
    /// A transaction was begun and neither ended nor reset.
    unfinished: bool,
}

enum Phase {
    Greeting,
    Hello { extended: bool },
    StartTls,
    Handshake,
    Login(Box<auth::Client>),
    Ready,
    Exchange(Exchange),
    Over,
}

impl Session {
    /// `security` says what the connection is before anything was said on it.
    pub(super) fn new(
        hostname: String,
        protocol: Protocol,
        start_tls: StartTls,
        login: Option<Login>,
        security: Security,
    ) -> Self {
        let offered = Extensions::default();
        Self { hostname, protocol, start_tls, login, security, offered, phase: Phase::Greeting, unfinished: false }
    }

    /// The server speaks first.
    pub(super) fn start(&self) -> Step {
        Step::Read(Wait::Greeting)
    }

    /// What the server offers, once the session is open.
    pub(super) fn offered(&self) -> &Extensions {
        &self.offered
    }

    pub(super) fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Greeting if reply.is_positive() => self.hello(out),
            Phase::Greeting => failed(Stage::Greeting, reply),
            Phase::Hello { extended } => self.hello_answered(extended, reply, out),
            Phase::StartTls if reply.is_positive() => {
                self.phase = Phase::Handshake;
                Step::StartTls
            }
            Phase::StartTls if self.start_tls == StartTls::Must => failed(Stage::Tls, reply),
            // It offered what it won't do; nobody insisted.
            Phase::StartTls => self.log_in(out),
            Phase::Login(client) => self.login_answered(client, reply, out),
            Phase::Exchange(mut exchange) => {
                let progress = exchange.reply(reply, out);
                self.exchanged(exchange, progress)
            }
            // Nothing was asked: a server that talks out of turn can't be followed.
            Phase::Handshake | Phase::Ready | Phase::Over => Step::Failed(Failure::new(
                Stage::Mail,
                FailureCause::Protocol("the server spoke out of turn".to_owned()),
            )),
        }
    }

    /// The handshake is done.
    pub(super) fn encrypted(&mut self, security: Security, out: &mut Vec<u8>) -> Step {
        self.security = security;
        // RFC 3207 section 4.2: what it said before may have been said by somebody else.
        self.offered = Extensions::default();
        self.hello(out)
    }

    /// Begins a message. `octets`: of the chunk, where it goes as one.
    pub(super) fn begin(
        &mut self,
        mail: Mail,
        recipients: Vec<Rcpt>,
        framing: Framing,
        octets: u64,
        out: &mut Vec<u8>,
    ) -> Step {
        let mut exchange = Exchange::new(self.protocol, &self.offered, recipients.len(), framing, octets);
        if std::mem::take(&mut self.unfinished) {
            exchange.reset();
        }
        let progress = exchange.begin(mail, recipients, out);
        self.exchanged(exchange, progress)
    }

    pub(super) fn content_sent(&mut self) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Exchange(mut exchange) => {
                let progress = exchange.content_sent();
                self.exchanged(exchange, progress)
            }
            other => {
                self.phase = other;
                Step::Ready
            }
        }
    }

    /// The connection is of no more use.
    pub(super) fn broken(&mut self, cause: FailureCause) -> Step {
        let stage = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Exchange(exchange) => return Step::Done(exchange.broken(&cause)),
            Phase::Greeting => Stage::Greeting,
            Phase::Hello { .. } => Stage::Hello,
            Phase::StartTls | Phase::Handshake => Stage::Tls,
            Phase::Login(_) => Stage::Login,
            Phase::Ready | Phase::Over => Stage::Mail,
        };
        Step::Failed(Failure::new(stage, cause))
    }

    fn hello(&mut self, out: &mut Vec<u8>) -> Step {
        self.say_hello(true, out)
    }

    fn say_hello(&mut self, extended: bool, out: &mut Vec<u8>) -> Step {
        // A host name is always a fine client name; the other arm costs nothing.
        let Some(name) = ClientName::parse(&self.hostname) else {
            let cause = FailureCause::Protocol("our own name can't be said in EHLO".to_owned());
            return Step::Failed(Failure::new(Stage::Hello, cause));
        };
        let command = match self.protocol {
            Protocol::Lmtp => Command::Lhlo(name),
            Protocol::Smtp if extended => Command::Ehlo(name),
            Protocol::Smtp => Command::Helo(name),
        };
        write(out, &command);
        self.phase = Phase::Hello { extended };
        Step::Read(Wait::Command)
    }

    fn hello_answered(&mut self, extended: bool, reply: &Reply, out: &mut Vec<u8>) -> Step {
        // RFC 5321 section 3.2: servers that know no EHLO get HELO. LMTP has nothing to fall back to (RFC 2033 section 4.1).
        if reply.is_permanent() && extended && self.protocol == Protocol::Smtp {
            return self.say_hello(false, out);
        }
        if !reply.is_positive() {
            return failed(Stage::Hello, reply);
        }
        self.offered = if extended { Extensions::parse(reply) } else { Extensions::default() };
        if self.start_tls == StartTls::No || self.security != Security::Plain {
            return self.log_in(out);
        }
        if self.offered.starttls {
            write(out, &Command::StartTls);
            self.phase = Phase::StartTls;
            return Step::Read(Wait::Command);
        }
        if self.start_tls == StartTls::Must {
            return Step::Failed(Failure::new(Stage::Tls, FailureCause::NoTls));
        }
        self.log_in(out)
    }

    /// If that is wanted; else the session is open.
    fn log_in(&mut self, out: &mut Vec<u8>) -> Step {
        let Some(login) = &self.login else {
            self.phase = Phase::Ready;
            return Step::Ready;
        };
        let offered: Vec<Mechanism> = self.offered.auth.iter().collect();
        let started = auth::Client::new(&offered, &login.name, login.password.reveal(), &self.security)
            .and_then(|mut client| Ok((client.initial_response()?, client)));
        match started {
            Ok((initial, client)) => {
                let mechanism = client.mechanism();
                write(out, &Command::Auth(AuthStart { mechanism, initial: initial.map(Secret::new) }));
                self.phase = Phase::Login(Box::new(client));
                Step::Read(Wait::Command)
            }
            Err(error) => login_failed(&error.to_string()),
        }
    }

    fn login_answered(&mut self, mut client: Box<auth::Client>, reply: &Reply, out: &mut Vec<u8>) -> Step {
        if reply.is_positive() {
            return match client.accepted(None) {
                Ok(()) => {
                    self.phase = Phase::Ready;
                    Step::Ready
                }
                Err(error) => login_failed(&error.to_string()),
            };
        }
        if !reply.is_intermediate() {
            return failed(Stage::Login, reply);
        }
        let challenge = reply.lines.first().map(String::as_str).unwrap_or_default();
        let Some(challenge) = auth::decode(challenge.as_bytes()).ok() else {
            return login_failed("the server's challenge is not base64");
        };
        match client.step(&challenge) {
            Ok(response) => {
                out.extend_from_slice(auth::encode(&response).as_bytes());
                out.extend_from_slice(b"\r\n");
                self.phase = Phase::Login(client);
                Step::Read(Wait::Command)
            }
            Err(error) => login_failed(&error.to_string()),
        }
    }

    fn exchanged(&mut self, exchange: Exchange, progress: Progress) -> Step {
        match progress {
            Progress::Read(wait) => {
                self.phase = Phase::Exchange(exchange);
                Step::Read(wait)
            }
            Progress::Content(sending) => {
                self.phase = Phase::Exchange(exchange);
                Step::Content(sending)
            }
            Progress::Over => {
                self.unfinished = exchange.is_unfinished();
                let sent = exchange.into_sent();
                self.phase = if sent.reusable { Phase::Ready } else { Phase::Over };
                Step::Done(sent)
            }
        }
    }
}

pub(super) fn write(out: &mut Vec<u8>, command: &Command<'_>) {
    // Writing to a vector can't fail.
    let _ = write!(out, "{command}\r\n");
}

pub(super) fn answer(reply: &Reply) -> Answer {
    let lines: Vec<&str> = reply.lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    Answer { code: reply.code, enhanced: reply.enhanced.map(|code| (code.0, code.1, code.2)), text: lines.join(" ") }
}

fn failed(stage: Stage, reply: &Reply) -> Step {
    Step::Failed(Failure::new(stage, FailureCause::Answer(answer(reply))))
}

fn login_failed(why: &str) -> Step {
    Step::Failed(Failure::new(Stage::Login, FailureCause::Login(why.to_owned())))
}
