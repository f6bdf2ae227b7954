//! What a compiled script asks of us while it runs.
//!
//! The engine keeps the flow of control, the variables and the message; every action and most tests are written for it
//! as one test with a number, which comes back as an event with its strings filled in. The number is an index into the
//! script's table of calls, which knows the place in the user's text.

use super::lexer::Position;
use crate::types::{DsnReturn, Notify};

/// A string of a call: known when compiled, or filled in by the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Literal(Box<str>),
    /// The nth string that the event carries after its number.
    Carried(usize),
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) at: Position,
    pub(super) kind: CallKind,
}

#[derive(Debug)]
pub(super) enum CallKind {
    Mark(Mark),
    /// The event carries what the last `:matches` or `:regex` found.
    SaveMatches,
    Stop,
    Keep {
        flags: Option<Vec<Value>>,
    },
    Discard,
    FileInto {
        place: Place,
        copy: bool,
    },
    Redirect(Box<RedirectCall>),
    Reject {
        reason: Value,
        extended: bool,
    },
    Vacation(Box<VacationCall>),
    Notify(Box<NotifyCall>),
    Flags {
        change: FlagChange,
        /// `None` is the internal variable (RFC 5232 section 2).
        variable: Option<Value>,
        flags: Vec<Value>,
    },
    /// A run-time error that was foreseen: RFC 5463 section 5, and what `ihave` has let pass.
    Fail {
        message: Value,
    },
    /// Patterns that a variable has made: they are checked before the engine sees them.
    Patterns {
        patterns: Vec<Value>,
        regex: bool,
    },
    /// Strings that patterns will be looked for in, all of them carried.
    Measure {
        patterns: u32,
    },
    Test(TestCall),
}

/// What the engine is about to do by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A condition, with the patterns that header tests will look for.
    Condition {
        patterns: u32,
    },
    /// `foreverypart`, once before the loop and once in each round.
    Loop,
    Include,
    /// A change to the header, with the patterns that choose the fields.
    Edit {
        patterns: u32,
    },
    Replace,
    ExtractText,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) mailbox: Value,
    pub(super) mailbox_id: Option<Value>,
    pub(super) special_use: Option<Value>,
    pub(super) create: bool,
    pub(super) flags: Option<Vec<Value>>,
}

#[derive(Debug)]
pub(super) struct RedirectCall {
    pub(super) to: Value,
    pub(super) list: bool,
    pub(super) copy: bool,
    pub(super) notify: Option<Notify>,
    pub(super) dsn_return: Option<DsnReturn>,
    pub(super) by: Option<ByTime>,
    pub(super) by_mode_return: bool,
    pub(super) by_trace: bool,
}

/// RFC 6009 section 5.
#[derive(Debug)]
pub(super) enum ByTime {
    RelativeSeconds(u64),
    Absolute(Value),
}

#[derive(Debug)]
pub(super) struct VacationCall {
    pub(super) reason: Value,
    pub(super) subject: Option<Value>,
    pub(super) from: Option<Value>,
    pub(super) addresses: Vec<Value>,
    pub(super) handle: Option<Value>,
    pub(super) mime: bool,
    pub(super) interval_seconds: u64,
    pub(super) fcc: Option<Place>,
}

#[derive(Debug)]
pub(super) struct NotifyCall {
    pub(super) method: Value,
    pub(super) from: Option<Value>,
    pub(super) importance: Option<Value>,
    pub(super) message: Option<Value>,
    pub(super) fcc: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagChange {
    Set,
    Add,
    Remove,
}

#[derive(Debug)]
pub(super) enum TestCall {
    /// Values of the message or its surroundings, compared with keys.
    Match {
        source: Source,
        matching: Matching,
    },
    /// The same values handed to the engine, whose patterns fill the match variables. At most this many.
    Show {
        source: Source,
        slots: usize,
        patterns: u32,
    },
    SizeOver(u64),
    SizeUnder(u64),
    Duplicate {
        handle: Option<Value>,
        id: DuplicateId,
        seconds: Option<u64>,
        last: bool,
    },
    MailboxesExist(Vec<Value>),
    MailboxIdsExist(Vec<Value>),
    SpecialUsesExist {
        mailbox: Option<Value>,
        uses: Vec<Value>,
    },
    MetadataExists {
        mailbox: Option<Value>,
        annotations: Vec<Value>,
    },
    ValidNotifyMethods(Vec<Value>),
    ValidLists(Vec<Value>),
}

/// RFC 7352 section 3.1.
#[derive(Debug)]
pub(super) enum DuplicateId {
    MessageId,
    Header(Value),
    Unique(Value),
}

#[derive(Debug)]
pub(super) enum Source {
    Header {
        names: Vec<Value>,
        index: Option<i64>,
        any_child: bool,
        mime: MimeValue,
    },
    Address {
        names: Vec<Value>,
        index: Option<i64>,
        any_child: bool,
        part: AddressPart,
    },
    Envelope {
        fields: Vec<EnvelopeField>,
        part: AddressPart,
        zone_seconds: Option<i32>,
    },
    Date {
        header: Value,
        index: Option<i64>,
        any_child: bool,
        zone: Zone,
        part: DatePart,
    },
    CurrentDate {
        zone: Zone,
        part: DatePart,
    },
    Strings(Vec<Value>),
    /// Values of flag variables; empty is the internal one.
    Flags(Vec<Value>),
    Environment(Box<str>),
    Metadata {
        mailbox: Option<Value>,
        annotation: Value,
    },
    Spam {
        percent: bool,
    },
    Virus,
    Body(BodyTransform),
    NotifyCapability {
        method: Value,
        capability: Value,
    },
}

/// RFC 5703 section 4.1.
#[derive(Debug)]
pub(super) enum MimeValue {
    None,
    Type,
    Subtype,
    ContentType,
    Parameters(Vec<Value>),
}

/// RFC 5173 section 5.
#[derive(Debug)]
pub(super) enum BodyTransform {
    Raw,
    Content(Vec<Value>),
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressPart {
    All,
    LocalPart,
    Domain,
    User,
    Detail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnvelopeField {
    From,
    To,
    Notify,
    OriginalRecipient,
    Return,
    EnvelopeId,
    ByTimeAbsolute,
    ByTimeRelative,
    ByMode,
    ByTrace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    OffsetSeconds(i32),
    /// As it stands in the header.
    Original,
    /// The server's. Ours is UTC: a script must mean the same on every machine.
    Local,
}

/// RFC 5260 section 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatePart {
    Year,
    Month,
    Day,
    Date,
    Julian,
    Hour,
    Minute,
    Second,
    Time,
    Iso8601,
    Std11,
    Zone,
    Weekday,
}

#[derive(Debug)]
pub(super) struct Matching {
    pub(super) kind: MatchKind,
    pub(super) comparator: Comparator,
    pub(super) keys: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatchKind {
    Is,
    Contains,
    /// Only where nothing is captured (RFC 5173 section 6); elsewhere patterns are the engine's.
    Matches,
    Value(Relation),
    Count(Relation),
    List,
}

/// RFC 5231 section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparator {
    /// RFC 4790 section 9.2: only ASCII letters are the same in both cases.
    Casemap,
    Octet,
    Numeric,
}
