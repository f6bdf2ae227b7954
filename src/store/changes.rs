//! What a commit tells those who observe the store: enough to keep a mailbox that is held in memory up to date without
//! reading it again.

use super::acl::Grantee;
use super::mailboxes::MailboxRecord;
use super::pages::Entry;
use crate::types::{AccountId, MailboxId, MailboxName, ModSeq, ThreadId, Uid, UidSet};

/// Something that was committed. A hint: `changes_since` is the truth, and who has missed one finds out by
/// [`MessageChange::before`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    pub account: AccountId,
    /// `None` for what concerns a name or the account as a whole.
    pub mailbox: Option<MailboxId>,
    /// The account's, as of this change.
    pub modseq: ModSeq,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Messages(Box<MessageChange>),
    /// Threads were worked out. Nothing a client is told.
    Threads(Vec<(Uid, ThreadId)>),
    Created(MailboxName),
    Renamed {
        from: MailboxName,
        to: MailboxName,
    },
    Deleted(MailboxName),
    Subscribed(MailboxName),
    Unsubscribed(MailboxName),
    /// Annotations of the mailbox, or of the account, by name.
    Metadata(Vec<String>),
    /// Who may do what: the account, or everybody.
    Rights(Grantee),
    /// How much the account may hold.
    Quota,
}

/// What happened to messages in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageChange {
    /// The mailbox's modification sequence until then: whoever knows another has missed something.
    pub before: ModSeq,
    /// New messages and those whose flags changed, by UID.
    pub changed: Vec<Entry>,
    pub expunged: UidSet,
    /// The next UID before and after: what has one from the first on is new.
    pub uidnext_before: Uid,
    pub uidnext: Uid,
    pub keywords: Vec<String>,
}

impl Touched {
    /// Messages of a mailbox whose record is as it was before the change, but for its keywords.
    pub(super) fn messages(mailbox: &MailboxRecord, modseq: ModSeq, uidnext: Uid, changed: Vec<Entry>) -> Self {
        let change = MessageChange {
            before: mailbox.highest_modseq,
            changed,
            expunged: UidSet::new(),
            uidnext_before: mailbox.uidnext,
            uidnext,
            keywords: mailbox.keywords.clone(),
        };
        Self::of(mailbox, modseq, Change::Messages(Box::new(change)))
    }

    pub(super) fn expunged(mailbox: &MailboxRecord, modseq: ModSeq, expunged: UidSet) -> Self {
        let change = MessageChange {
            before: mailbox.highest_modseq,
            changed: Vec::new(),
            expunged,
            uidnext_before: mailbox.uidnext,
            uidnext: mailbox.uidnext,
            keywords: mailbox.keywords.clone(),
        };
        Self::of(mailbox, modseq, Change::Messages(Box::new(change)))
    }

    pub(super) fn of(mailbox: &MailboxRecord, modseq: ModSeq, change: Change) -> Self {
        Self { account: mailbox.account, mailbox: Some(mailbox.id), modseq, change }
    }

    /// What concerns no mailbox that need exist.
    pub(super) fn account(account: AccountId, change: Change) -> Self {
        Self { account, mailbox: None, modseq: ModSeq(0), change }
    }
}
