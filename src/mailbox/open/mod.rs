//! Mailboxes that somebody has open: their messages in memory, once, shared by all sessions that look at them.
//!
//! What is committed comes in through the store's observer, before its author is answered, so that everybody finds
//! everything he did; nothing is read again. Who waits for changes holds a channel and no more: no handle on the
//! database, no buffer, no task.
//!
//! Invariants: what is in memory is the store's state as of one modification sequence; a change that does not follow on
//! that throws it away, to be read anew when somebody asks. Only so many messages are in memory; beyond, the mailboxes
//! nobody asked about for longest are forgotten, whether or not somebody has them open: their sessions keep what they
//! told their clients, and find out what happened meanwhile from the store's history. In the same way a session that
//! selects a large mailbox learns only later which messages it was told of (`uids_as_told`).

mod feed;
mod head;
mod names;
mod registry;
mod state;
#[cfg(test)]
mod tests;

pub use feed::{AccountEvent, AccountFeed, EventKind};
pub use head::{Head, Told};
pub(super) use registry::{Bounds, Registry};
pub use state::{Counters, Gone, News, Place, State};

use super::MailboxError;
use crate::store::{Change, Store, Touched};
use crate::types::{AccountId, MailboxId, ModSeq, UidSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// A mailbox somebody has open.
#[derive(Debug)]
pub struct OpenMailbox {
    id: MailboxId,
    account: AccountId,
    memory: RwLock<Memory>,
    /// One reads it from the store, the others wait for him.
    loading: tokio::sync::Mutex<()>,
    changes: watch::Sender<ModSeq>,
    /// When somebody last asked, by the registry's count.
    used: AtomicU64,
}

#[derive(Debug)]
enum Memory {
    Absent,
    /// Being read; what is committed meanwhile.
    Loading(Vec<Touched>),
    Present(Arc<State>),
    /// The mailbox was deleted.
    Gone,
}

impl OpenMailbox {
    fn new(account: AccountId, id: MailboxId) -> Self {
        Self {
            id,
            account,
            memory: RwLock::new(Memory::Absent),
            loading: tokio::sync::Mutex::new(()),
            changes: watch::Sender::new(ModSeq(0)),
            used: AtomicU64::new(0),
        }
    }

    pub fn id(&self) -> MailboxId {
        self.id
    }

    /// Whose mailbox it is.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Wakes up when something was committed, within microseconds. What it was says [`OpenMailbox::news`].
    pub fn watch(&self) -> watch::Receiver<ModSeq> {
        self.changes.subscribe()
    }

    /// The messages, if they are in memory.
    pub fn state_in_memory(&self) -> Option<Arc<State>> {
        match &*self.memory.read().unwrap_or_else(PoisonError::into_inner) {
            Memory::Present(state) => Some(Arc::clone(state)),
            _ => None,
        }
    }

    /// Whether anything was committed after `since`, or the mailbox is gone.
    pub fn has_moved_on(&self, since: ModSeq) -> bool {
        *self.changes.borrow() > since || self.is_gone()
    }

    fn is_gone(&self) -> bool {
        matches!(&*self.memory.read().unwrap_or_else(PoisonError::into_inner), Memory::Gone)
    }

    /// The messages as of now.
    pub(super) async fn state(&self, store: &Store) -> Result<Arc<State>, MailboxError> {
        if let Some(state) = self.state_in_memory() {
            return Ok(state);
        }
        let _turn = self.loading.lock().await;
        if let Some(state) = self.state_in_memory() {
            return Ok(state);
        }
        if self.is_gone() {
            return Err(MailboxError::NoSuchMailbox);
        }
        // From here on nothing that is committed is missed; what the snapshot has already is told by its sequence.
        self.set(Memory::Loading(Vec::new()));
        let unfinished = Unfinished(self);
        let (record, pages) = store.entry_pages(self.id).await?;
        let state = self.finish_loading(State::load(&record, pages));
        drop(unfinished);
        state.ok_or(MailboxError::NoSuchMailbox)
    }

    fn finish_loading(&self, mut state: State) -> Option<Arc<State>> {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        let Memory::Loading(meanwhile) = &*memory else { return None };
        for touched in meanwhile {
            let _ = apply(&mut state, touched);
        }
        let state = Arc::new(state);
        *memory = Memory::Present(Arc::clone(&state));
        Some(state)
    }

    fn set(&self, to: Memory) {
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Gives the memory back; whoever asks next reads from the store.
    fn forget(&self) {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        if let Memory::Present(_) = &*memory {
            *memory = Memory::Absent;
        }
    }

    /// On the writer's thread.
    fn hear(&self, touched: &Touched) {
        {
            let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
            match (&touched.change, &mut *memory) {
                (Change::Deleted(_), _) => *memory = Memory::Gone,
                (_, Memory::Loading(meanwhile)) => meanwhile.push(touched.clone()),
                (_, Memory::Present(state)) => {
                    if apply(Arc::make_mut(state), touched) == Applied::Missed {
                        tracing::warn!(mailbox = %self.id, "a change was missed; the mailbox is read anew");
                        *memory = Memory::Absent;
                    }
                }
                (_, Memory::Absent | Memory::Gone) => {}
            }
        }
        if !matches!(touched.change, Change::Threads(_)) {
            self.changes.send_replace(touched.modseq);
        }
    }

    /// Everything that happened after `since`, which the caller knew as `State::highest_modseq`.
    pub(super) async fn news(&self, store: &Store, since: ModSeq) -> Result<News, MailboxError> {
        let state = self.state(store).await?;
        let gone = match self.expunged_since(store, &state, since).await? {
            Some(gone) => Gone::These(gone),
            None => Gone::AllBut(Arc::clone(state.uids())),
        };
        let changed = state.changed_since(since).copied().collect();
        Ok(News { changed, gone, through: state.highest_modseq() })
    }

    /// What was expunged after `since` and is not in `state` any more; `None` if nobody remembers so much.
    async fn expunged_since(
        &self,
        store: &Store,
        state: &State,
        since: ModSeq,
    ) -> Result<Option<UidSet>, MailboxError> {
        if let Some(gone) = state.expunged_since(since) {
            return Ok(Some(gone));
        }
        // What the store remembers may be newer than the snapshot; the next news would tell it again.
        Ok(store.expunged_since(self.id, since).await?.map(|gone| gone.difference(state.uids())))
    }

    /// The messages that were there when this was told.
    pub(super) async fn uids_as_told(&self, store: &Store, told: Told) -> Result<UidSet, MailboxError> {
        let mut state = self.state(store).await?;
        if state.highest_modseq() < told.highest_modseq {
            // It is committed, and we are about to hear of it.
            let _ = self.watch().wait_for(|heard| *heard >= told.highest_modseq).await;
            state = self.state(store).await?;
        }
        let gone = self.expunged_since(store, &state, told.highest_modseq).await?.unwrap_or_default();
        let new = UidSet::from_ranges([(told.uidnext.0, u32::MAX)]);
        Ok(state.uids().union(&gone).difference(&new))
    }
}

/// Takes an unfinished reading back, should the session that does it go away.
struct Unfinished<'m>(&'m OpenMailbox);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut memory = self.0.memory.write().unwrap_or_else(PoisonError::into_inner);
        if let Memory::Loading(_) = &*memory {
            *memory = Memory::Absent;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applied {
    Done,
    Missed,
}

fn apply(state: &mut State, touched: &Touched) -> Applied {
    match &touched.change {
        Change::Messages(change) => {
            // Read already, or nothing but a new keyword.
            if touched.modseq <= state.highest_modseq() {
                state.learn_keywords(&change.keywords);
                return Applied::Done;
            }
            if change.before != state.highest_modseq() {
                return Applied::Missed;
            }
            state.apply(touched.modseq, change);
        }
        Change::Threads(threads) => state.set_threads(threads),
        _ => {}
    }
    Applied::Done
}

/// The count by which the registry tells what was asked about longest ago.
fn mark_used(mailbox: &OpenMailbox, now: u64) {
    mailbox.used.store(now, Ordering::Relaxed);
}
