//! What a run hands out: an ordered list of actions with the line that caused each. Nothing here does anything.

use super::script::ScriptKind;
use crate::types::{Address, DsnReturn, MailboxName, Notify, SpecialUse, Timestamp};
use std::fmt;
use std::sync::Arc;

/// What one script, with all it included, wants done with one message for one address.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// In the order in which the script decided them.
    pub actions: Vec<Action>,
    /// What went wrong. The mail is kept all the same; the owner is to be shown these.
    pub errors: Vec<ScriptError>,
    /// Answers and notifications that were not given, and why.
    pub suppressed: Vec<Suppressed>,
    /// To be remembered in the transaction that commits the actions (RFC 7352 section 3.1).
    pub duplicates: Vec<DuplicateEntry>,
    /// The lines that were reached, in order: conditions, actions and includes.
    pub trace: Vec<Cause>,
}

/// Where in which script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub script: Arc<ScriptName>,
    pub line: u32,
    pub column: u32,
}

/// The script as the caller named it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ScriptName {
    pub name: String,
    /// The version that ran, when versions are kept of it.
    pub version: Option<u64>,
    /// Whose it is: names of different owners may be the same.
    pub kind: ScriptKind,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub kind: ActionKind,
    pub content: Content,
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// Into the inbox, or where the message already is when an IMAP event runs the script (RFC 6785 section 3.8).
    Keep {
        flags: Vec<String>,
        why: KeepReason,
    },
    FileInto {
        mailbox: MailboxName,
        /// Whether the mailbox is to be made, and with which use. Always set when it does not exist.
        create: Option<Create>,
        flags: Vec<String>,
    },
    Redirect(Redirect),
    /// Said to the sending server, or sent as a message where the protocol has no room for it (RFC 5429).
    Reject {
        reason: String,
        extended: bool,
    },
    /// Nothing, on purpose. Listed so that what happened to the message can be told.
    Discard,
    Reply(Box<Reply>),
    Notify(Box<Notification>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// The script says `keep`.
    Explicit,
    /// No action has cancelled it (RFC 5228 section 2.10.2).
    Implicit,
    /// A script failed (RFC 5228 section 2.10.6).
    Failure,
    /// The mailbox it should have gone to does not exist.
    NoSuchMailbox,
    /// It was redirected to the address it is at.
    RedirectedHere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Create {
    /// RFC 8579 section 4.1.
    pub special_use: Option<SpecialUse>,
}

/// Which octets an action is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The message as it came in: signatures survive.
    Original,
    /// The message as the script has changed it.
    Edited(Arc<[u8]>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    pub to: Address,
    /// Whether it leaves the implicit keep in place (RFC 3894).
    pub copy: bool,
    /// RFC 6009 section 4; `None` leaves what the sender asked for.
    pub notify: Option<Notify>,
    pub dsn_return: Option<DsnReturn>,
    pub deliver_by: Option<DeliverBy>,
}

/// RFC 2852 section 4, as RFC 6009 section 5 asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverBy {
    pub time: Timestamp,
    /// `R` rather than `N`.
    pub return_when_late: bool,
    pub trace: bool,
}

/// An automatic answer (RFC 5230): its parts. The mail is made where mail is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub to: Address,
    /// The address that answers: the one that was written to, unless the script names another of the owner's.
    pub from: Address,
    pub from_name: Option<String>,
    /// Decoded; encoding it is the builder's work.
    pub subject: String,
    pub body: ReplyBody,
    /// What must not have been answered before, for how long from now; to be remembered with the queued reply.
    pub memory: ReplyMemory,
    /// RFC 8580: where a copy of the answer goes.
    pub fcc: Option<Filing>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    Text(String),
    /// A MIME part with its own headers (RFC 5230 section 4.6).
    Mime(String),
}

/// RFC 5230 section 4.2. `None` as time means that every message is answered (RFC 6131 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyMemory {
    pub key: ReplyKey,
    pub until: Option<Timestamp>,
}

/// Whom, and with which answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyKey {
    /// In lower case.
    pub sender: String,
    /// The handle, or a digest of what the answer says (RFC 5230 section 4.2).
    pub handle: String,
}

/// A mailbox for a copy of what we write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    pub mailbox: MailboxName,
    pub create: Option<Create>,
    pub flags: Vec<String>,
}

/// RFC 5436: a short mail that tells of this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub from: Address,
    pub from_name: Option<String>,
    pub subject: String,
    pub body: String,
    pub importance: Importance,
    /// Header fields the URI asked for, decoded.
    pub headers: Vec<(String, String)>,
    pub fcc: Option<Filing>,
}

/// RFC 5435 section 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Importance {
    High,
    #[default]
    Normal,
    Low,
}

/// An identifier a `duplicate` test has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateEntry {
    pub id: String,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    pub cause: Cause,
    pub kind: ScriptErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptErrorKind {
    /// `error`, or a command that `ihave` has let pass.
    Script(String),
    TooManyInstructions,
    /// It looked through more text than one message may cost.
    TooMuchWork,
    TooLong,
    TooManyActions,
    TooManyRedirects,
    TooManyIncludes,
    TooManyEdits,
    /// RFC 5230 section 4.7: one script answers once.
    SecondVacation,
    IncludeMissing(String),
    /// It is there and does not compile.
    IncludeBroken(String, super::CompileError),
    NotAnAddress(String),
    NotAMailbox(String),
    NoSuchMailbox(String),
    NoSuchList(String),
    NotAMethod(String),
    NotADate(String),
    NotAPattern(String),
    /// RFC 5429 section 2.3: refused and delivered at once.
    RejectConflict,
    /// It has passed so many servers that it is going in circles, and is not sent on.
    Looping,
    /// `replace` of a part that has parts of its own, inside `foreverypart`.
    ReplaceOfParts,
    /// The part that `foreverypart` has come to was replaced.
    PartGone,
    /// A fault of ours or of the engine; the mail is kept.
    Engine,
}

impl fmt::Display for ScriptErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(text) => write!(formatter, "the script says: {text}"),
            Self::TooManyInstructions => formatter.write_str("the script did more steps than one message may cost"),
            Self::TooMuchWork => formatter.write_str("the script looked through more text than one message may cost"),
            Self::TooLong => formatter.write_str("the script took too long"),
            Self::TooManyActions => formatter.write_str("the script asked for too many actions"),
            Self::TooManyRedirects => formatter.write_str("the script redirected to too many addresses"),
            Self::TooManyIncludes => formatter.write_str("too many scripts are included, or one includes itself"),
            Self::TooManyEdits => formatter.write_str("the script changed the message too often"),
            Self::SecondVacation => formatter.write_str("the script answers twice"),
            Self::IncludeMissing(name) => write!(formatter, "the included script \"{name}\" does not exist"),
            Self::IncludeBroken(name, error) => write!(formatter, "the included script \"{name}\" is wrong: {error}"),
            Self::NotAnAddress(text) => write!(formatter, "\"{text}\" is no address"),
            Self::NotAMailbox(text) => write!(formatter, "\"{text}\" is no name for a mailbox"),
            Self::NoSuchMailbox(name) => write!(formatter, "there is no mailbox \"{name}\""),
            Self::NoSuchList(name) => write!(formatter, "there is no list \"{name}\""),
            Self::NotAMethod(text) => write!(formatter, "\"{text}\" is no way to notify"),
            Self::NotADate(text) => write!(formatter, "\"{text}\" is no date"),
            Self::NotAPattern(text) => write!(formatter, "\"{text}\" is no regular expression we take"),
            Self::RejectConflict => formatter.write_str("a message can't be refused and delivered at once"),
            Self::Looping => formatter.write_str("the message has passed too many servers to be sent on"),
            Self::ReplaceOfParts => formatter.write_str("a part that has parts can't be replaced inside foreverypart"),
            Self::PartGone => formatter.write_str("the part foreverypart has come to was replaced"),
            Self::Engine => formatter.write_str("the script engine failed on this message"),
        }
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { script, line, column } = &self.cause;
        write!(formatter, "script \"{}\", line {line}, column {column}: {}", script.name, self.kind)
    }
}

impl std::error::Error for ScriptError {}

/// An answer or notification that is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    pub what: Automatic,
    pub reason: Suppression,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automatic {
    Reply,
    Notification,
}

/// RFC 3834 section 2, RFC 5230 sections 4.2, 4.5 and 4.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suppression {
    NullSender,
    /// `mailer-daemon`, `owner-…`, `…-request`, `noreply` and their like.
    RobotSender(String),
    /// From one of the owner's own addresses.
    OwnSender(String),
    /// The header that says it is list mail, or a machine's.
    ListHeader(String),
    /// `multipart/report`: of a mail server or a mail program.
    Report,
    Precedence(String),
    AutoSubmitted(String),
    /// `X-Auto-Response-Suppress`, which Exchange and its clients send.
    SuppressHeader(String),
    NotAddressed,
    AlreadyAnswered,
    /// Another answer to the same message comes first.
    SecondAnswer,
    MessageRefused,
    /// So many Received headers that it is going in circles.
    Looping,
}

impl fmt::Display for Suppression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullSender => formatter.write_str("the sender is empty, as of a bounce"),
            Self::RobotSender(sender) => write!(formatter, "{sender} is no person"),
            Self::OwnSender(sender) => write!(formatter, "{sender} is the owner's own address"),
            Self::ListHeader(name) => write!(formatter, "{name} present"),
            Self::Report => formatter.write_str("the message is a report"),
            Self::Precedence(value) => write!(formatter, "Precedence is {value}"),
            Self::AutoSubmitted(value) => write!(formatter, "Auto-Submitted is {value}"),
            Self::SuppressHeader(value) => write!(formatter, "X-Auto-Response-Suppress is {value}"),
            Self::NotAddressed => formatter.write_str("not addressed to one of the owner's addresses"),
            Self::AlreadyAnswered => formatter.write_str("answered already"),
            Self::SecondAnswer => formatter.write_str("this message has an answer already"),
            Self::MessageRefused => formatter.write_str("the message is refused"),
            Self::Looping => formatter.write_str("the message has passed too many servers"),
        }
    }
}
