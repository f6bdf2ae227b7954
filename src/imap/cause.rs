//! Why a command was not done, and the one table that says it to the client: NO or BAD, code, text.
//!
//! Texts are for strangers: short, general, without names of ours. What is our own fault carries the session's id, by which
//! an administrator finds the rest in the log.

use super::framing::{Fatal, Refusal};
use super::grammar;
use super::replies::{Code, Status};
use super::view::NumbersError;
use crate::auth::AuthFailure;
use crate::mailbox::MailboxError;
use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Grammar(grammar::Cause),
    Framing(Refusal),
    LoginFirst,
    LoggedInAlready,
    /// A literal that was streamed and has no place in the command it came with.
    Unexpected,
    Auth(AuthFailure),
    /// RFC 9051 section 6.2.2: the client said `*`.
    LoginCancelled,
    NotBase64,
    TlsNotOffered,
    TlsAlready,
    CompressedAlready,
    UnknownCompression,
    Numbers(NumbersError),
    Mailbox(MailboxError),
}

/// What the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) code: Option<Code>,
    pub(super) text: Cow<'static, str>,
}

impl Answer {
    fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Bad, code: None, text: text.into() }
    }

    fn no(code: impl Into<Option<Code>>, text: &'static str) -> Self {
        Self { status: Status::No, code: code.into(), text: text.into() }
    }
}

impl Cause {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Grammar(cause) => grammar_answer(*cause),
            Self::Framing(Refusal::LineTooLong) => Answer::bad("Line too long"),
            Self::Framing(Refusal::CommandTooLong) => Answer::bad("Command too long"),
            Self::Framing(Refusal::LiteralTooBig | Refusal::BySession) => Answer::no(Code::TooBig, "Literal too big"),
            Self::LoginFirst => Answer::bad("Log in first"),
            Self::LoggedInAlready => Answer::bad("You are logged in already"),
            Self::Unexpected => Answer::bad("A literal stands where none can"),
            Self::Auth(failure) => auth_answer(failure),
            Self::LoginCancelled => Answer::bad("Login cancelled"),
            Self::NotBase64 => Answer::bad("Not base64"),
            Self::TlsNotOffered => Answer::bad("TLS is not offered"),
            Self::TlsAlready => Answer::bad("TLS is on already"),
            Self::CompressedAlready => Answer::no(Code::CompressionActive, "Compression is on already"),
            Self::UnknownCompression => Answer::bad("Only DEFLATE is offered"),
            Self::Numbers(NumbersError::NoSuchNumber) => Answer::bad("There is no message of this number"),
            Self::Numbers(NumbersError::UidRequired) => {
                Answer { code: Some(Code::UidRequired), ..Answer::bad("Sequence numbers are off: use UIDs") }
            }
            Self::Mailbox(error) => mailbox_answer(error),
        }
    }

    /// Whether the log should have it as more than a client's mistake.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Mailbox(MailboxError::Store(_) | MailboxError::Spool(_)) => true,
            Self::Auth(failure) => {
                matches!(failure, AuthFailure::Store(_) | AuthFailure::System | AuthFailure::Damaged)
            }
            _ => false,
        }
    }
}

fn grammar_answer(cause: grammar::Cause) -> Answer {
    match cause {
        // RFC 9051 section 7.1: with the charsets we read; there are many, and this is the one to use.
        grammar::Cause::BadCharset => Answer::no(Code::BadCharset(&["UTF-8", "US-ASCII"]), "Unknown character set"),
        grammar::Cause::Limit(_) => Answer { code: Some(Code::Limit), ..Answer::bad(cause.to_string()) },
        grammar::Cause::LiteralTooBig => Answer::no(Code::TooBig, "Literal too big"),
        _ => Answer::bad(cause.to_string()),
    }
}

fn auth_answer(failure: &AuthFailure) -> Answer {
    let code = match failure {
        AuthFailure::EncryptionRequired => Code::PrivacyRequired,
        AuthFailure::MechanismNotOffered => Code::Cannot,
        AuthFailure::Exchange(_) => return Answer::bad(failure.for_peer()),
        _ if failure.is_temporary() => Code::Unavailable,
        _ => Code::AuthenticationFailed,
    };
    Answer::no(code, failure.for_peer())
}

fn mailbox_answer(error: &MailboxError) -> Answer {
    match error {
        MailboxError::NoSuchMailbox => Answer::no(Code::NonExistent, "There is no such mailbox"),
        MailboxError::MailboxExists => Answer::no(Code::AlreadyExists, "This mailbox exists already"),
        MailboxError::Impossible => Answer::no(Code::Cannot, "This can't be done with this mailbox"),
        MailboxError::NotPermitted => Answer::no(Code::NoPerm, "You may not do this with this mailbox"),
        MailboxError::SpecialUseTaken => Answer::no(Code::UseAttr, "Another mailbox has this use"),
        MailboxError::NoSuchSpecialUse => Answer::no(Code::UseAttr, "There is no such use"),
        MailboxError::NoSuchQuotaRoot => Answer::no(Code::NonExistent, "There is no such quota root"),
        MailboxError::NoSuchIdentifier => Answer::no(Code::Cannot, "Nobody here has this name"),
        MailboxError::OverQuota => Answer::no(Code::OverQuota, "The quota would be exceeded"),
        MailboxError::MessageTooLarge => Answer::no(Code::TooBig, "The message is too large"),
        MailboxError::MessageGone => Answer::no(Code::ExpungeIssued, "Some of the messages are gone"),
        MailboxError::Limit(_) => Answer::no(Code::Limit, "A limit of this server is reached"),
        MailboxError::Spool(_) | MailboxError::Store(_) if error.is_temporary() => {
            Answer::no(Code::Unavailable, "Not possible now, try again later")
        }
        MailboxError::Spool(_) | MailboxError::Store(_) => Answer::no(Code::ServerBug, "Something is wrong here"),
    }
}

/// What BYE says before a stream that can't be understood any further is closed.
pub(super) fn fatal_text(fatal: Fatal) -> &'static str {
    match fatal {
        Fatal::BareLineFeed => "Lines end with CRLF",
        Fatal::LiteralLength => "The length of a literal can't be read",
        Fatal::TooMuchDiscarded => "Too much was sent that is not wanted",
    }
}

impl From<AuthFailure> for Cause {
    fn from(failure: AuthFailure) -> Self {
        Self::Auth(failure)
    }
}

impl From<MailboxError> for Cause {
    fn from(error: MailboxError) -> Self {
        Self::Mailbox(error)
    }
}

impl From<NumbersError> for Cause {
    fn from(error: NumbersError) -> Self {
        Self::Numbers(error)
    }
}
