//! What SELECT tells of a mailbox, which is known without its messages.

use super::State;
use crate::store::MailboxRecord;
use crate::types::{ModSeq, Uid, UidValidity};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Head {
    pub messages: u32,
    pub uidvalidity: UidValidity,
    pub uidnext: Uid,
    pub highest_modseq: ModSeq,
    /// By their number, see `Flags::keyword`.
    pub keywords: Arc<[Box<str>]>,
    /// The number of the first message without `\Seen`, if that is known.
    pub first_unseen: Option<u32>,
    /// As of the same moment, if the messages were at hand.
    pub state: Option<Arc<State>>,
}

/// By what the messages can be found out later that a client counts since it was told a `Head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub messages: u32,
    pub uidnext: Uid,
    pub highest_modseq: ModSeq,
}

impl Head {
    pub fn told(&self) -> Told {
        Told { messages: self.messages, uidnext: self.uidnext, highest_modseq: self.highest_modseq }
    }

    pub(in crate::mailbox) fn of_record(record: &MailboxRecord) -> Self {
        Self {
            messages: record.messages,
            uidvalidity: record.uidvalidity,
            uidnext: record.uidnext,
            highest_modseq: record.highest_modseq,
            keywords: super::state::keywords_of(record),
            first_unseen: (record.messages > 0 && record.unseen == record.messages).then_some(1),
            state: None,
        }
    }

    pub fn of_state(state: Arc<State>) -> Self {
        Self {
            messages: state.counters().messages,
            uidvalidity: state.uidvalidity(),
            uidnext: state.uidnext(),
            highest_modseq: state.highest_modseq(),
            keywords: Arc::clone(state.keywords()),
            first_unseen: state.first_unseen(),
            state: Some(state),
        }
    }
}
