//! What a client can ask, as types that hold nothing a handler would have to check again.
//!
//! Names that can't be a mailbox's, numbers no message has and flags nobody knows are not errors of grammar: they are
//! values here, and the command that gets them answers NO.

use super::Payload;
use super::dates::DateTime;
use super::fetch::{Fetch, Store};
use super::list::{List, Pattern};
use super::mailbox::Mailbox;
use super::metadata::{GetMetadata, SetMetadata};
use super::notify::{MailboxFilter, Notify};
use super::numbers::{Addressing, Numbers};
use super::rights::{IdentifierRights, QuotaLimit};
use super::search::{Key, ReturnOption};
use super::status::StatusItem;
use crate::types::{Flags, SpecialUse};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub tag: Tag,
    pub body: Body,
}

/// What a tagged reply begins with: printable ASCII, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub(super) Box<str>);

impl Tag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password or SASL answer. It never shows itself in the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    // In any state.
    Capability,
    Noop,
    Logout,
    Id(Option<Vec<(String, Option<String>)>>),
    // Before login.
    StartTls,
    Authenticate {
        mechanism: String,
        initial: Option<Secret>,
    },
    Login {
        user: String,
        password: Secret,
    },
    // After login.
    Enable(Vec<String>),
    Unauthenticate,
    Compress(String),
    Idle,
    Namespace,
    Select(Select),
    Create {
        mailbox: Mailbox,
        uses: Vec<Use>,
    },
    Delete(Mailbox),
    Rename {
        from: Mailbox,
        to: Mailbox,
    },
    Subscribe(Mailbox),
    Unsubscribe(Mailbox),
    List(List),
    Lsub(Pattern),
    Status {
        mailbox: Mailbox,
        items: Vec<StatusItem>,
    },
    Append {
        mailbox: Mailbox,
        messages: Vec<AppendMessage>,
    },
    GetMetadata(GetMetadata),
    SetMetadata(SetMetadata),
    GetAcl(Mailbox),
    SetAcl(IdentifierRights),
    DeleteAcl {
        mailbox: Mailbox,
        identifier: String,
    },
    ListRights {
        mailbox: Mailbox,
        identifier: String,
    },
    MyRights(Mailbox),
    GetQuota(String),
    GetQuotaRoot(Mailbox),
    SetQuota {
        root: String,
        limits: Vec<QuotaLimit>,
    },
    Notify(Notify),
    MultiSearch {
        sources: Option<Vec<MailboxFilter>>,
        returns: Option<Vec<ReturnOption>>,
        key: Key,
    },
    // With a mailbox selected.
    Check,
    Close,
    Unselect,
    Expunge,
    UidExpunge(Numbers),
    Search {
        addressing: Addressing,
        returns: Option<Vec<ReturnOption>>,
        key: Key,
    },
    Sort {
        addressing: Addressing,
        returns: Option<Vec<ReturnOption>>,
        criteria: Vec<SortCriterion>,
        key: Key,
    },
    Thread {
        addressing: Addressing,
        algorithm: ThreadAlgorithm,
        key: Key,
    },
    Fetch(Fetch),
    Store(Store),
    Copy {
        addressing: Addressing,
        numbers: Numbers,
        to: Mailbox,
    },
    Move {
        addressing: Addressing,
        numbers: Numbers,
        to: Mailbox,
    },
    /// `number` is `None` for `*`.
    Replace {
        addressing: Addressing,
        number: Option<u32>,
        to: Mailbox,
        message: AppendMessage,
    },
    CancelUpdate(Vec<String>),
    UidBatches {
        size: u32,
        batches: Option<(u32, u32)>,
    },
    Filter {
        addressing: Addressing,
        script: FilterScript,
        key: Key,
    },
}

/// RFC 9051 sections 6.3.2 and 6.3.3 with the parameters of RFC 7162.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    pub mailbox: Mailbox,
    pub access: Access,
    pub condstore: bool,
    pub qresync: Option<QResync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadWrite,
    /// EXAMINE.
    ReadOnly,
}

/// RFC 7162 section 3.2.5: what a client knew when it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QResync {
    pub uid_validity: u32,
    pub mod_seq: u64,
    pub known_uids: Option<Ranges>,
    pub match_data: Option<MatchData>,
}

/// First and last number of each, as they came.
pub type Ranges = Vec<(u32, u32)>;

/// Sequence numbers and the UIDs they had, pair by pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchData {
    pub sequence: Ranges,
    pub uids: Ranges,
}

/// What a new mailbox is for (RFC 6154 section 3); a use nobody knows is answered USEATTR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    Known(SpecialUse),
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    System(Flags),
    Keyword(Box<str>),
    /// Begins with a backslash and is none of ours, `\Recent` among them; nobody can set it.
    Unknown(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendMessage {
    pub flags: Vec<Flag>,
    pub date: Option<DateTime>,
    pub data: AppendData,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendData {
    Message(Payload),
    /// RFC 6855 section 4: headers may be UTF-8.
    Utf8(Payload),
    /// RFC 4469.
    Catenate(Vec<CatenatePart>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatenatePart {
    Text(Payload),
    Url(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortCriterion {
    pub key: SortKey,
    pub reverse: bool,
}

/// RFC 5256 section 3 and RFC 5957.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    Arrival,
    Cc,
    Date,
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
}

/// What FILTER runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterScript {
    Delivery,
    Personal(String),
    Global(String),
    Script(String),
}
