//! One session, without I/O: lines, data and answers in; replies and what to do next out.
//!
//! Invariants:
//! - at any time it waits for exactly one kind of input, which the last [`Step`] named; any other is a mistake of the
//!   driver, answered with 451 and the end of the session, never with a guess;
//! - every command gets exactly one reply (one per recipient after data in LMTP), in order, in the buffer given;
//! - a message is handed on only if a MAIL and at least one RCPT were accepted since the last hello, reset, login or TLS,
//!   and its end was seen;
//! - nothing that came before TLS counts after it (RFC 3207 section 4.2).
//!
//! Each command's rules are in the file of its group under `cmd/`.

use super::cmd::Receiving;
use super::replies::{Cause, Refusal, Success};
use super::service::{AuthAnswer, AuthStep, Delivered, Hello, Verdict};
use super::settings::{Link, Settings};
use crate::smtp::proto::{Command, CommandError, Extensions, Mechanisms, write_reply};
use crate::telemetry::SessionId;
use crate::types::limits::{SMTP_AUTH_LINE_OCTETS_MAX, SMTP_LINE_OCTETS_MAX};
use crate::types::{Envelope, Recipient};
use std::fmt::Write;
use std::sync::Arc;

/// What the driver does next. Replies are sent before it waits for the client, and not sooner: those to a pipelined group
/// go out in one write (RFC 2920 section 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Feed [`Session::line`].
    ReadLine { octets_max: usize },
    /// Feed [`Session::data`] until it says something else: at once with what is there, be it nothing, since a chunk may
    /// be empty; then with more.
    ReadData,
    /// Feed the answer to it.
    Ask(Ask),
    /// Send, shake hands, feed [`Session::encrypted`].
    StartTls,
    /// Send and hang up.
    Close,
}

/// A question for the service. What it is about, the driver finds in the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Connect,
    Hello,
    Auth(AuthStep),
    Mail,
    Rcpt,
    Data,
    /// [`Session::take_message`] has the envelope.
    Deliver,
}

/// Whether the client has sent more than the line at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipelined {
    Nothing,
    More,
}

/// What input is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Command,
    AuthResponse,
    Data,
    ConnectVerdict,
    HelloVerdict,
    AuthAnswer,
    MailVerdict,
    RcptVerdict,
    DataVerdict,
    Delivery,
    Tls,
    Nothing,
}

pub struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) id: SessionId,
    pub(super) link: Link,
    pub(super) due: Due,
    pub(super) hello: Option<Hello>,
    pub(super) login: Option<Box<str>>,
    /// From an accepted MAIL on; during its question too.
    pub(super) envelope: Option<Envelope>,
    /// The recipient in question.
    pub(super) candidate: Option<Recipient>,
    pub(super) receiving: Option<Receiving>,
    /// Recipients of the message that is being delivered: how many replies LMTP owes.
    pub(super) delivering: usize,
    /// What was known of the client's patience when DATA came.
    pub(super) pipelined: Pipelined,
    pub(super) tally: Tally,
}

/// What a session may have only so much of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    errors: u32,
    recipients_refused: u32,
    commands_idle: u32,
    /// Of the transaction under way, beyond what one may have.
    recipients_beyond: usize,
    login_failures: u32,
}

impl Session {
    pub fn new(settings: Arc<Settings>, id: SessionId, link: Link) -> Self {
        Self {
            settings,
            id,
            link,
            due: Due::ConnectVerdict,
            hello: None,
            login: None,
            envelope: None,
            candidate: None,
            receiving: None,
            delivering: 0,
            pipelined: Pipelined::Nothing,
            tally: Tally::default(),
        }
    }

    /// The first step: nobody is greeted before the service has seen him.
    pub fn start(&mut self) -> Step {
        Step::Ask(Ask::Connect)
    }

    /// A line, without the CR LF that must have ended it.
    pub fn line(&mut self, line: &[u8], pipelined: Pipelined, out: &mut Vec<u8>) -> Step {
        match self.due {
            Due::Command => self.command(line, pipelined, out),
            Due::AuthResponse => self.auth_response(line, out),
            _ => self.out_of_step(out),
        }
    }

    /// A line that something else than CR LF ended.
    pub fn line_badly_ended(&mut self, out: &mut Vec<u8>) -> Step {
        self.refuse(Cause::LineEnd, out)
    }

    /// A line longer than the step allowed. What there was of it has been read past.
    pub fn line_too_long(&mut self, out: &mut Vec<u8>) -> Step {
        let cause = if self.due == Due::AuthResponse { Cause::AuthLineTooLong } else { Cause::LineTooLong };
        self.due = Due::Command;
        self.refuse(cause, out)
    }

    /// To [`Ask::Connect`], [`Ask::Hello`], [`Ask::Mail`], [`Ask::Rcpt`], [`Ask::Data`].
    pub fn verdict(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Step {
        match self.due {
            Due::ConnectVerdict => self.connected(verdict, out),
            Due::HelloVerdict => self.greeted(verdict, out),
            Due::MailVerdict => self.mail_decided(verdict, out),
            Due::RcptVerdict => self.rcpt_decided(verdict, out),
            Due::DataVerdict => self.data_decided(verdict, out),
            _ => self.out_of_step(out),
        }
    }

    /// Which logins the service has for this client, once it has taken him.
    pub fn offer_logins(&mut self, mechanisms: Mechanisms) {
        self.link.mechanisms = mechanisms;
    }

    /// To [`Ask::Auth`].
    pub fn auth_answer(&mut self, answer: AuthAnswer, out: &mut Vec<u8>) -> Step {
        match self.due {
            Due::AuthAnswer => self.auth_decided(answer, out),
            _ => self.out_of_step(out),
        }
    }

    /// To [`Ask::Deliver`].
    pub fn delivered(&mut self, delivered: Delivered, out: &mut Vec<u8>) -> Step {
        match self.due {
            Due::Delivery => self.message_decided(delivered, out),
            _ => self.out_of_step(out),
        }
    }

    /// After [`Step::StartTls`].
    pub fn encrypted(&mut self, link: Link, out: &mut Vec<u8>) -> Step {
        match self.due {
            Due::Tls => self.tls_started(link),
            _ => self.out_of_step(out),
        }
    }

    /// The client took too long.
    pub fn timed_out(&mut self, out: &mut Vec<u8>) -> Step {
        self.refuse(Cause::Timeout, out)
    }

    /// The server stops. RFC 5321 section 3.8 lets 421 answer any command, also the one not yet sent.
    pub fn shut_down(&mut self, out: &mut Vec<u8>) -> Step {
        self.refuse(Cause::ShuttingDown, out)
    }

    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// The transaction under way, as far as it has come.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_ref()
    }

    /// The recipient that [`Ask::Rcpt`] is about.
    pub fn candidate(&self) -> Option<&Recipient> {
        self.candidate.as_ref()
    }

    /// Whether octets that were received still belong to a message. If not, they can go.
    pub fn keeps_content(&self) -> bool {
        self.receiving.is_some()
    }

    fn command(&mut self, line: &[u8], pipelined: Pipelined, out: &mut Vec<u8>) -> Step {
        let long =
            line.len() > SMTP_LINE_OCTETS_MAX && !line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if long {
            return self.refuse(Cause::LineTooLong, out);
        }
        self.tally.commands_idle += 1;
        if let Some(cause) = self.last_straw() {
            return self.refuse(cause, out);
        }
        let command = match Command::parse(line) {
            Ok(command) => command,
            // How long the chunk is that follows nobody knows; read as commands it could be anything.
            Err(_) if is_bdat(line) => return self.refuse(Cause::ChunkSize, out),
            Err(error) => return self.refuse(cause_of(error), out),
        };
        match command {
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => self.hello_command(&command, out),
            Command::Mail(mail) => self.mail(mail, out),
            Command::Rcpt(rcpt) => self.rcpt(rcpt, out),
            Command::Data => self.data_command(pipelined, out),
            Command::Bdat(chunk) => self.bdat(chunk, out),
            Command::StartTls => self.starttls(pipelined, out),
            Command::Auth(start) => self.auth(start, out),
            Command::Rset => self.rset(out),
            Command::Noop => self.reply(Success::Noop, out),
            Command::Help => self.help(out),
            Command::Vrfy(_) => self.reply(Success::CannotVerify, out),
            Command::Expn(_) => self.refuse(Cause::ExpnUnsupported, out),
            Command::Quit => self.quit(out),
        }
    }

    pub(super) fn extensions(&self) -> Extensions {
        self.settings.extensions(self.link)
    }

    /// Forgets the message under way.
    pub(super) fn reset(&mut self) {
        self.envelope = None;
        self.candidate = None;
        self.receiving = None;
        self.tally.recipients_beyond = 0;
    }

    /// Something that leads to a message, so the client is not just passing the time.
    pub(super) fn was_useful(&mut self) {
        self.tally.commands_idle = 0;
    }

    /// A recipient too many. As many again as a transaction may have are part of the same list; then it is a pastime.
    pub(super) fn was_too_long(&mut self) {
        self.tally.recipients_beyond += 1;
        if self.tally.recipients_beyond <= self.settings.limits.recipients_max {
            self.was_useful();
        }
    }

    /// A message was taken: somebody who sends real mail may also err now and then.
    pub(super) fn was_honest(&mut self) {
        self.tally.errors = 0;
        self.tally.recipients_refused = 0;
    }

    pub(super) fn read_command(&mut self) -> Step {
        self.due = Due::Command;
        let may_log_in = self.login.is_none() && self.settings.kind.needs_login() && !self.link.mechanisms.is_empty();
        Step::ReadLine { octets_max: if may_log_in { SMTP_AUTH_LINE_OCTETS_MAX } else { SMTP_LINE_OCTETS_MAX } }
    }

    pub(super) fn write(&self, success: Success, out: &mut Vec<u8>) {
        let entry = success.entry();
        write_reply(out, entry.code, entry.enhanced, entry.text);
    }

    pub(super) fn reply(&mut self, success: Success, out: &mut Vec<u8>) -> Step {
        self.write(success, out);
        self.read_command()
    }

    /// With the session's id, by which an administrator finds in the log what was behind it.
    pub(super) fn write_refusal(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        let entry = refusal.cause.entry();
        let mut text = String::from(refusal.text.as_deref().unwrap_or(entry.text));
        // Writing to a string can't fail.
        let _ = write!(text, " [{}]", self.id);
        write_reply(out, entry.code, entry.enhanced, &text);
    }

    pub(super) fn refuse(&mut self, refusal: impl Into<Refusal>, out: &mut Vec<u8>) -> Step {
        self.tally.errors += 1;
        self.answer_refusal(&refusal.into(), out)
    }

    /// Wrong recipients are counted by themselves: a mailing list has more of them than a program has bugs.
    pub(super) fn refuse_recipient(&mut self, refusal: &Refusal, out: &mut Vec<u8>) -> Step {
        if !refusal.cause.is_transient() {
            self.tally.recipients_refused += 1;
        }
        self.answer_refusal(refusal, out)
    }

    pub(super) fn refuse_login(&mut self, refusal: &Refusal, out: &mut Vec<u8>) -> Step {
        self.tally.login_failures += 1;
        self.answer_refusal(refusal, out)
    }

    fn answer_refusal(&mut self, refusal: &Refusal, out: &mut Vec<u8>) -> Step {
        tracing::debug!(session = %self.id, cause = ?refusal.cause, text = refusal.text.as_deref(), "refused");
        self.write_refusal(refusal, out);
        if refusal.cause.ends_session() {
            return self.close();
        }
        self.read_command()
    }

    /// Said to the command after the one that was too much, so that every command has its own reply and no more.
    fn last_straw(&self) -> Option<Cause> {
        let (limits, tally) = (&self.settings.limits, &self.tally);
        if tally.login_failures >= limits.login_failures_max {
            Some(Cause::TooManyLogins)
        } else if tally.errors >= limits.errors_max || tally.recipients_refused >= limits.recipients_refused_max {
            Some(Cause::TooManyErrors)
        } else if tally.commands_idle > limits.commands_idle_max {
            Some(Cause::TooManyCommands)
        } else {
            None
        }
    }

    pub(super) fn close(&mut self) -> Step {
        self.reset();
        self.due = Due::Nothing;
        Step::Close
    }

    pub(super) fn out_of_step(&mut self, out: &mut Vec<u8>) -> Step {
        tracing::error!(session = %self.id, due = ?self.due, "the driver lost step with its session");
        self.write_refusal(&Cause::Internal.into(), out);
        self.close()
    }
}

fn is_bdat(line: &[u8]) -> bool {
    let (verb, rest) = line.split_at(line.len().min(4));
    verb.eq_ignore_ascii_case(b"BDAT") && rest.first().is_none_or(u8::is_ascii_whitespace)
}

fn cause_of(error: CommandError) -> Cause {
    match error {
        CommandError::LineEnd => Cause::LineEnd,
        CommandError::Unknown => Cause::UnknownCommand,
        CommandError::NotSmtp => Cause::NotSmtp,
        CommandError::Syntax => Cause::Syntax,
        CommandError::Arguments => Cause::Arguments,
        CommandError::Sender(_) => Cause::SenderSyntax,
        CommandError::Recipient(_) => Cause::RecipientSyntax,
        CommandError::NeedsSmtpUtf8 => Cause::SenderNeedsUtf8,
        CommandError::UnknownParameter => Cause::UnknownParameter,
        CommandError::Parameter(_) | CommandError::RepeatedParameter(_) => Cause::Parameter,
        CommandError::Mechanism => Cause::UnknownMechanism,
        CommandError::Base64 => Cause::LoginEncoding,
    }
}
