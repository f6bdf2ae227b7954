//! Why a command was not done, and the one table that says it to the client: status, code, text.
//!
//! What the owner of a script can mend is said in full, in the words of `admin`. What is our own fault carries the session's
//! id, by which an administrator finds the rest in the log.

use super::framing::Fatal;
use super::grammar::SyntaxError;
use super::replies::{Code, Status};
use crate::admin::{self, AddressCause, Problem, Refused, ScriptCause, Side};
use crate::auth::AuthFailure;
use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Syntax(SyntaxError),
    Fatal(Fatal),
    /// A command with a literal larger than any script.
    TooLong,
    LoginFirst,
    LoggedInAlready,
    Auth(AuthFailure),
    /// RFC 5804 section 2.1: the client said `*`.
    LoginCancelled,
    NotBase64,
    LoginFailures,
    /// The account was suspended or its password changed since.
    LoginEnded,
    TlsNotOffered,
    TlsAlready,
    /// RFC 5804 section 2.6.
    EmptyScript,
    /// A script that is no UTF-8, with the place.
    NoText(String),
    Admin(Refused),
    TooManyErrors,
    Silence,
    Stopping,
    /// The session and its desk disagree: a mistake of ours.
    OutOfStep,
}

/// What the client is told.
pub(super) struct Said {
    pub(super) status: Status,
    pub(super) code: Option<Code>,
    pub(super) text: Cow<'static, str>,
}

fn no(text: impl Into<Cow<'static, str>>) -> Said {
    Said { status: Status::No, code: None, text: text.into() }
}

fn with(code: Code, text: impl Into<Cow<'static, str>>) -> Said {
    Said { code: Some(code), ..no(text) }
}

fn bye(code: Option<Code>, text: &'static str) -> Said {
    Said { status: Status::Bye, code, text: text.into() }
}

impl Cause {
    pub(super) fn said(&self) -> Said {
        match self {
            Self::Syntax(error) => no(error.to_string()),
            Self::Fatal(Fatal::LineTooLong) => bye(None, "The line is too long"),
            Self::Fatal(Fatal::LiteralTooLong) => bye(Some(Code::QuotaMaxSize), "That is more than can be read"),
            Self::TooLong => with(Code::QuotaMaxSize, "The script is too long"),
            Self::LoginFirst => no("Log in first"),
            Self::LoggedInAlready => no("You are logged in already"),
            Self::Auth(failure) => auth(failure),
            Self::LoginCancelled => no("Login cancelled"),
            Self::NotBase64 => no("This is not base64"),
            Self::LoginFailures => bye(None, "Too many failed logins"),
            Self::LoginEnded => bye(None, "Your login is no longer valid"),
            Self::TlsNotOffered => no("TLS is not offered"),
            Self::TlsAlready => no("TLS is on already"),
            Self::EmptyScript => no("The script is empty"),
            Self::NoText(error) => no(error.clone()),
            Self::Admin(refused) => scripts(refused),
            Self::TooManyErrors => bye(None, "Too many errors"),
            Self::Silence => bye(None, "Nothing was heard from you for too long"),
            Self::Stopping => bye(Some(Code::TryLater), "The server stops, come back soon"),
            Self::OutOfStep => bye(Some(Code::TryLater), "Something went wrong here"),
        }
    }

    /// Whether the log should have it as more than a client's mistake.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Auth(AuthFailure::Store(_) | AuthFailure::System | AuthFailure::Damaged) | Self::OutOfStep => true,
            Self::Admin(refused) => Problem::from(refused.clone()).side == Side::Fault,
            _ => false,
        }
    }

    /// RFC 5804 section 2.1 lets clients try one mechanism after the other; only guesses count.
    pub(super) fn is_failed_login(&self) -> bool {
        let Self::Auth(failure) = self else { return false };
        !matches!(failure, AuthFailure::MechanismNotOffered | AuthFailure::EncryptionRequired)
    }

    /// Whether a client that does this again and again is no client.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::Syntax(_) | Self::TooLong | Self::LoginFirst | Self::NotBase64 | Self::TlsNotOffered)
            || matches!(self, Self::LoggedInAlready | Self::TlsAlready | Self::Auth(_) | Self::LoginCancelled)
    }
}

fn auth(failure: &AuthFailure) -> Said {
    match failure {
        AuthFailure::EncryptionRequired => with(Code::EncryptNeeded, failure.for_peer()),
        _ if failure.is_temporary() => with(Code::TryLater, failure.for_peer()),
        _ => no(failure.for_peer()),
    }
}

fn scripts(refused: &Refused) -> Said {
    // There is never none; and what is first stands in the way first.
    let Some(cause) = refused.0.first() else { return with(Code::TryLater, "Something went wrong here") };
    match cause {
        admin::Cause::Script(cause) => script(cause),
        admin::Cause::Address(AddressCause::NoAccount { .. } | AddressCause::OtherThanAccount { .. }) => {
            bye(None, "Your account is gone")
        }
        admin::Cause::Store(error) if error.is_temporary() => with(Code::TryLater, "Try again later"),
        _ if Problem::from(refused.clone()).side == Side::Fault => with(Code::TryLater, "Something went wrong here"),
        _ => no(refused.to_string()),
    }
}

fn script(cause: &ScriptCause) -> Said {
    match cause {
        ScriptCause::Missing { .. } | ScriptCause::NoVersion { .. } => {
            with(Code::NonExistent, "There is no script of this name")
        }
        ScriptCause::Exists { .. } => with(Code::AlreadyExists, "There is a script of this name already"),
        ScriptCause::Active { .. } => with(Code::Active, "The script is active: deactivate it first"),
        ScriptCause::TooLong { .. } => with(Code::QuotaMaxSize, cause.to_string()),
        ScriptCause::TooMany { .. } => with(Code::QuotaMaxScripts, cause.to_string()),
        // RFC 5804 section 2.6: with the line, which is what the message begins with.
        ScriptCause::Broken { error, .. } => no(error.clone()),
        ScriptCause::BadName(_)
        | ScriptCause::BadPlaceName(_)
        | ScriptCause::Shown(_)
        | ScriptCause::OtherMailbox { .. } => no(cause.to_string()),
        ScriptCause::CompiledBroken { .. } => with(Code::TryLater, "Something went wrong here"),
    }
}
