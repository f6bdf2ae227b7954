//! Items of STATUS, also in LIST RETURN.

use super::input::{Input, Parsed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    HighestModSeq,
    MailboxId,
    DeletedStorage,
    AppendLimit,
}

impl StatusItem {
    /// RFC 9051 section 6.3.11; RECENT is rev1's (RFC 3501 section 6.3.10); HIGHESTMODSEQ is RFC 7162's, MAILBOXID RFC
    /// 8474's, DELETED-STORAGE RFC 9208's and APPENDLIMIT RFC 7889's.
    const NAMES: [(Self, &'static str); 11] = [
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
        (Self::Deleted, "DELETED"),
        (Self::Size, "SIZE"),
        (Self::HighestModSeq, "HIGHESTMODSEQ"),
        (Self::MailboxId, "MAILBOXID"),
        (Self::DeletedStorage, "DELETED-STORAGE"),
        (Self::AppendLimit, "APPENDLIMIT"),
    ];

    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(item, _)| *item == self).map_or("", |(_, name)| name)
    }
}

pub(super) fn status_items(input: &mut Input<'_>) -> Parsed<Vec<StatusItem>> {
    input.list(|input| {
        let start = input.position();
        let word = input.word("a status item")?;
        match StatusItem::NAMES.iter().find(|(_, name)| *name == word) {
            Some((item, _)) => Ok(*item),
            None => {
                input.back_to(start);
                input.fail("a status item")
            }
        }
    })
}
