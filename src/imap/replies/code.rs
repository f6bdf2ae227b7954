//! Response codes: what a status response says to a program (RFC 9051 section 7.1 and the extensions).

use super::text;
use super::text::Utf8;
use super::{Keywords, flag_names};
use crate::types::{Flags, MailboxId, UidSet};
use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    Alert,
    AlreadyExists,
    /// RFC 4315: of each message, in the order of the command.
    AppendUid {
        uid_validity: u32,
        uids: UidSet,
    },
    AuthenticationFailed,
    AuthorizationFailed,
    BadCharset(&'static [&'static str]),
    /// RFC 5465 section 5.
    BadEvent(&'static [&'static str]),
    /// RFC 4469 section 5.
    BadUrl(String),
    Cannot,
    Capability(Vec<Cow<'static, str>>),
    ClientBug,
    /// RFC 7162 section 3.2.11: what follows is about the new mailbox.
    Closed,
    /// RFC 4978 section 3.
    CompressionActive,
    ContactAdmin,
    /// RFC 4315: pair by pair, both ascending.
    CopyUid {
        uid_validity: u32,
        from: UidSet,
        to: UidSet,
    },
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    HighestModSeq(u64),
    /// RFC 9585.
    InProgress {
        tag: String,
        done: Option<u64>,
        of: Option<u64>,
    },
    InUse,
    Limit,
    /// RFC 8474 section 4.
    MailboxId(MailboxId),
    /// RFC 9738: how many messages a command may touch, and the UID it came down to.
    MessageLimit {
        messages: u32,
        uid: Option<u32>,
    },
    MetadataLongEntries(u64),
    MetadataMaxSize(u64),
    MetadataTooMany,
    MetadataNoPrivate,
    /// RFC 7162 section 3.1.3: sequence numbers or UIDs, as the command had.
    Modified(UidSet),
    NoModSeq,
    NonExistent,
    NoPerm,
    NotificationOverflow,
    NotSaved,
    NoUpdate(String),
    OverQuota,
    Parse,
    /// With `\*` when new keywords can be made.
    PermanentFlags {
        flags: Flags,
        keywords: Keywords,
        more: bool,
    },
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    UidNext(u32),
    UidNotSticky,
    /// RFC 9586 section 3.
    UidRequired,
    UidValidity(u32),
    Unavailable,
    UndefinedFilter(String),
    UnknownCte,
    /// Of the first message not seen (RFC 3501 section 7.1).
    Unseen(u32),
    UseAttr,
}

impl Code {
    /// Without arguments, most are their name.
    fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid { .. } => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset(_) => "BADCHARSET",
            Self::BadEvent(_) => "BADEVENT",
            Self::BadUrl(_) => "BADURL",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid { .. } => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InProgress { .. } => "INPROGRESS",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::MailboxId(_) => "MAILBOXID",
            Self::MessageLimit { .. } => "MESSAGELIMIT",
            Self::MetadataLongEntries(_) => "METADATA LONGENTRIES",
            Self::MetadataMaxSize(_) => "METADATA MAXSIZE",
            Self::MetadataTooMany => "METADATA TOOMANY",
            Self::MetadataNoPrivate => "METADATA NOPRIVATE",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NotificationOverflow => "NOTIFICATIONOVERFLOW",
            Self::NotSaved => "NOTSAVED",
            Self::NoUpdate(_) => "NOUPDATE",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags { .. } => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidRequired => "UIDREQUIRED",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::UndefinedFilter(_) => "UNDEFINED-FILTER",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
        }
    }

    /// In brackets, with a space after them.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        out.extend_from_slice(self.name().as_bytes());
        self.arguments(out);
        out.extend_from_slice(b"] ");
    }

    fn arguments(&self, out: &mut Vec<u8>) {
        let number = |out: &mut Vec<u8>, number: u64| {
            out.push(b' ');
            text::number(out, number);
        };
        let set = |out: &mut Vec<u8>, set: &UidSet| {
            out.push(b' ');
            text::uid_set(out, set);
        };
        match self {
            Self::AppendUid { uid_validity, uids } => {
                number(out, u64::from(*uid_validity));
                set(out, uids);
            }
            Self::CopyUid { uid_validity, from, to } => {
                number(out, u64::from(*uid_validity));
                set(out, from);
                set(out, to);
            }
            Self::BadCharset(names) | Self::BadEvent(names) => {
                out.push(b' ');
                text::parenthesized(out, *names, |out, name| out.extend_from_slice(name.as_bytes()));
            }
            Self::Capability(names) => {
                out.push(b' ');
                text::spaced(out, names, |out, name| out.extend_from_slice(name.as_bytes()));
            }
            // A quoted string, because the URL may have a closing bracket. Only ASCII is left of it.
            Self::BadUrl(what) | Self::NoUpdate(what) => {
                let shown: String = what.chars().filter(|c| matches!(c, ' '..='~')).take(500).collect();
                out.push(b' ');
                text::string(out, shown.as_bytes(), Utf8::Never);
            }
            Self::UndefinedFilter(name) => {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
            }
            Self::HighestModSeq(value) | Self::MetadataLongEntries(value) | Self::MetadataMaxSize(value) => {
                number(out, *value);
            }
            Self::InProgress { tag, done, of } => {
                out.extend_from_slice(b" (");
                text::string(out, tag.as_bytes(), Utf8::Never);
                for value in [done, of] {
                    match value {
                        Some(value) => number(out, *value),
                        None => out.extend_from_slice(b" NIL"),
                    }
                }
                out.push(b')');
            }
            Self::MailboxId(id) => {
                out.extend_from_slice(b" (");
                super::mailbox_id(out, *id);
                out.push(b')');
            }
            Self::MessageLimit { messages, uid } => {
                number(out, u64::from(*messages));
                if let Some(uid) = uid {
                    number(out, u64::from(*uid));
                }
            }
            Self::Modified(messages) => set(out, messages),
            Self::PermanentFlags { flags, keywords, more } => {
                out.push(b' ');
                let names = flag_names(*flags, keywords).chain(more.then_some("\\*"));
                text::parenthesized(out, names, |out, name| out.extend_from_slice(name.as_bytes()));
            }
            Self::UidNext(value) | Self::UidValidity(value) | Self::Unseen(value) => number(out, u64::from(*value)),
            _ => {}
        }
    }
}
