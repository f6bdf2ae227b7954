//! The state of the mailbox that a command looks at which is done in pieces.
//!
//! A state that is held keeps what changes in the mailbox from being changed in place, and every session may hold another
//! one: some six megabytes of a mailbox of 100,000 messages. So nobody holds one for longer than a command takes whose
//! client reads. One state for the whole of a command was rejected: clients that ask for everything, and then read
//! nothing, would decide how much memory there is.

use super::cause::Cause;
use super::session::Session;
use crate::mailbox::State;
use std::sync::Arc;
use tokio::time::Instant;

pub(super) struct Snapshot {
    state: Option<Arc<State>>,
    taken: Instant,
}

impl Snapshot {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state: Some(state), taken: Instant::now() }
    }

    /// `None` while it rests: `Session::newer_than` has the state to go on with.
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_deref()
    }

    pub(super) fn rest(&mut self) {
        self.state = None;
    }
}

impl Session {
    /// What a command goes on with, if what it has looked at so far is too old or gone. The client is told of keywords it
    /// may see: nothing of a reply may be half said.
    pub(super) async fn newer_than(&mut self, snapshot: &Snapshot) -> Result<Option<Arc<State>>, Cause> {
        if snapshot.state.is_some() && snapshot.taken.elapsed() < self.services.patience {
            return Ok(None);
        }
        let Some(selected) = self.selected.as_deref_mut() else { return Err(Cause::SelectFirst) };
        let state = self.services.mailboxes.state(selected.mailbox()).await?;
        selected.tell_keywords(&state, &mut self.replies);
        Ok(Some(state))
    }
}
