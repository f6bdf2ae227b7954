//! Why a command was not done, and the one table that says it to the client: NO or BAD, code, text.
//!
//! Texts are for strangers: short, general, without names of ours. What is our own fault carries the session's id, by which
//! an administrator finds the rest in the log.

use super::framing::{Fatal, Refusal};
use super::grammar::{self, Event, UrlError};
use super::replies::{Code, Status};
use super::view::NumbersError;
use crate::auth::AuthFailure;
use crate::mailbox::MailboxError;
use crate::types::limits::{ANNOTATION_OCTETS_MAX, IMAP_APPEND_MESSAGES_MAX};
use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Grammar(grammar::Cause),
    Framing(Refusal),
    LoginFirst,
    LoggedInAlready,
    SelectFirst,
    /// RFC 7162 section 3.2.5.
    QResyncFirst,
    DoneExpected,
    ReadOnly,
    UnknownFlag,
    /// RFC 5466 section 3.1: none is ever stored here.
    UnknownFilter(String),
    /// RFC 7377 section 2.1: sequence numbers, `$`, and what is kept of a result, in a search of several mailboxes.
    OneMailboxOnly,
    /// RFC 5465 section 3.1.
    BadEvent,
    /// RFC 5465 sections 5, 5.2 and 6.1.
    EventsDontFit,
    /// RFC 5465 section 5.8.
    TooManyMailboxes,
    /// RFC 5267 section 4.3.
    TagInUse,
    UnknownUse,
    /// RFC 4314 section 3.1.
    UnknownRight,
    UnknownResource,
    AnnotationTooLong,
    TooManyAnnotations,
    /// RFC 4469 section 5: which URL, and what is wrong with it.
    BadUrl(String, UrlError),
    /// The same of one that is well formed and leads nowhere.
    NothingThere(String),
    /// RFC 6855 section 4.
    Utf8First,
    /// Some of the messages a command named by number are gone; what could be done for the others is done.
    MessagesGone,
    /// Which messages the client counts can't be found out any more: the connection is about to end.
    Forgotten,
    /// What is wrong with the script was said before.
    FilterNotReady,
    /// RFC 9738 section 3.3: more than so many, in a command that is done whole or not at all.
    TooManyMessages(u32),
    /// RFC 3516 section 4.3.
    UnknownEncoding,
    /// RFC 3502 section 6.3.11.
    EmptyMessage,
    NulInMessage,
    /// Nothing can be said any more: the client is counting octets.
    WithinReply(MailboxError),
    Impossible(grammar::Impossible),
    /// A mailbox that is not there, where the client could help itself by CREATE (RFC 9051 section 7.1).
    TryCreate,
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
            Self::SelectFirst => Answer::bad("Select a mailbox first"),
            Self::QResyncFirst => Answer::bad("ENABLE QRESYNC first"),
            Self::DoneExpected => Answer::bad("DONE was expected"),
            Self::ReadOnly => Answer::no(Code::ReadOnly, "The mailbox is open for reading only"),
            Self::UnknownFlag => Answer::no(Code::Cannot, "No message can have this flag"),
            Self::UnknownFilter(name) => Answer::no(Code::UndefinedFilter(name.clone()), "There is no such filter"),
            Self::BadEvent => Answer::no(Code::BadEvent(&Event::NAMES), "There is no such event here"),
            Self::EventsDontFit => Answer::bad("These events don't go together"),
            Self::TooManyMailboxes => Answer::no(Code::NotificationOverflow, "These are too many mailboxes"),
            Self::OneMailboxOnly => Answer::bad("This is possible in the selected mailbox only"),
            Self::TagInUse => Answer::bad("A search with this tag is still being updated"),
            Self::UnknownUse => Answer::no(Code::UseAttr, "A mailbox can't be made for this"),
            Self::UnknownRight => Answer::bad("There is no such right"),
            Self::UnknownResource => Answer::no(Code::Cannot, "This resource has no limits here"),
            Self::AnnotationTooLong => {
                Answer::no(Code::MetadataMaxSize(ANNOTATION_OCTETS_MAX as u64), "The value is too long")
            }
            Self::TooManyAnnotations => Answer::no(Code::MetadataTooMany, "There are too many annotations"),
            Self::BadUrl(url, error) => {
                Answer { text: error.to_string().into(), ..Answer::no(Code::BadUrl(url.clone()), "") }
            }
            Self::NothingThere(url) => Answer::no(Code::BadUrl(url.clone()), "There is nothing at this URL"),
            Self::Utf8First => Answer::bad("ENABLE UTF8=ACCEPT first"),
            Self::Forgotten => Answer::no(None, "Select the mailbox again"),
            Self::MessagesGone => Answer::no(Code::ExpungeIssued, "Some of the messages are gone"),
            Self::FilterNotReady => Answer::no(None, "The script can't be run"),
            Self::TooManyMessages(messages) => {
                Answer::no(Code::MessageLimit { messages: *messages, uid: None }, "These are too many messages at once")
            }
            Self::UnknownEncoding => Answer::no(Code::UnknownCte, "The encoding of a part is unknown"),
            Self::EmptyMessage => Answer::no(None, "A message without octets cancels the command"),
            Self::NulInMessage => Answer::bad("A message can have NUL only in a literal8"),
            Self::Impossible(_) => Answer::no(Code::Cannot, "No mailbox can have this name"),
            Self::TryCreate => Answer::no(Code::TryCreate, "There is no such mailbox"),
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
            Self::Mailbox(error) | Self::WithinReply(error) => mailbox_answer(error),
        }
    }

    /// What went wrong with the mailbox that messages were meant for.
    pub(super) fn for_target(error: MailboxError) -> Self {
        match error {
            MailboxError::NoSuchMailbox => Self::TryCreate,
            error => Self::Mailbox(error),
        }
    }

    /// Whether the log should have it as more than a client's mistake.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Mailbox(MailboxError::Store(_) | MailboxError::Spool(_)) | Self::WithinReply(_) => true,
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
        grammar::Cause::BadCharset | grammar::Cause::BadCharsetUnsaved => {
            Answer::no(Code::BadCharset(&["UTF-8", "US-ASCII"]), "Unknown character set")
        }
        grammar::Cause::TooManyMessages => {
            let messages = IMAP_APPEND_MESSAGES_MAX as u32;
            Answer::no(Code::MessageLimit { messages, uid: None }, "These are too many messages at once")
        }
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
        MailboxError::SpecialUseTaken => Answer::no(Code::UseAttr, "Another mailbox is for this already"),
        MailboxError::NoSuchSpecialUse => Answer::no(Code::Cannot, "There is no such use"),
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

impl From<grammar::Impossible> for Cause {
    fn from(why: grammar::Impossible) -> Self {
        Self::Impossible(why)
    }
}

impl From<NumbersError> for Cause {
    fn from(error: NumbersError) -> Self {
        Self::Numbers(error)
    }
}
