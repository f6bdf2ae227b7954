//! SEARCH: which messages match, with exact substrings over decoded headers and text (i;unicode-casemap).
//!
//! Most keys are answered from memory. What needs a text goes through three steps, each for what the one before has left
//! open: sketches (a signature that rules words out, and the header fields that are looked for most), facts, and at last
//! the stored text itself, which is unpacked and looked through. A message without a sketch goes straight to its text, so
//! nothing ever waits for an index. Nothing is parsed.
//!
//! What a text has beyond `SEARCH_TEXT_OCTETS_MAX` is not found: nobody writes eight million letters, and what does is
//! no text anybody looks for.

mod query;
mod signature;
#[cfg(test)]
mod tests;

pub(crate) use query::SKETCHED_FIELDS;
pub use query::{DateIs, DateOf, Day, Query, TextPlace};
pub(crate) use signature::signature;

use super::arrival::blocking;
use super::messages::Progress;
use super::{Entry, MailboxError, Mailboxes, State};
use crate::store::{Detail, StoreError};
use crate::types::limits::{
    SEARCH_INLINE_STEPS, SEARCH_JOB_MESSAGES, SEARCH_JOB_MESSAGES_MIN, SEARCH_TEXT_JOB_MESSAGES,
};
use crate::types::{BodyId, Uid, UidSet};
use query::{Answers, Plan};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::{JoinError, JoinHandle};

/// A message that is not decided yet, and what is known of it.
#[derive(Debug)]
struct Open {
    entry: Entry,
    answers: Answers,
}

impl Mailboxes {
    /// The messages of `among` that match in this state, which the caller holds, so that what he does next is about the
    /// same moment. `progress` hears how many of how many were looked at.
    pub async fn search(
        &self,
        state: &Arc<State>,
        query: &Query,
        among: UidSet,
        progress: Progress<'_>,
    ) -> Result<UidSet, MailboxError> {
        let plan = Arc::new(Plan::of(query, state, self.store().clock().now().seconds()));
        let among = plan.narrow(among);
        let (mut found, open) = if among.count() <= (SEARCH_INLINE_STEPS / plan.keys) as u64 {
            sift(&plan, state, &among)
        } else {
            let (plan, state) = (Arc::clone(&plan), Arc::clone(state));
            blocking(move || sift(&plan, &state, &among)).await?
        };
        let all = open.len() as u64;
        let mut done = 0;
        // With many keys a piece is smaller, so that none keeps a reader for long.
        let mut pieces = open.chunks((SEARCH_JOB_MESSAGES / plan.keys).max(SEARCH_JOB_MESSAGES_MIN));
        // Two at a time: a search may use two readers and leaves the others to the rest of the server.
        let mut ahead = pieces.next().map(|piece| self.begin_piece(&plan, piece));
        while let Some(piece) = ahead.take() {
            ahead = pieces.next().map(|piece| self.begin_piece(&plan, piece));
            let (count, matching) = piece.await.map_err(|_| MailboxError::Store(StoreError::Closed))??;
            found.extend(matching);
            done += count;
            progress(done, all);
        }
        found.sort_unstable();
        Ok(found.into_iter().collect())
    }

    fn begin_piece(&self, plan: &Arc<Plan>, piece: &[Entry]) -> Piece {
        let (mailboxes, plan, piece) = (self.clone(), Arc::clone(plan), piece.to_vec());
        Piece(tokio::spawn(async move {
            let count = piece.len() as u64;
            Ok((count, mailboxes.decide(&plan, piece).await?))
        }))
    }

    /// Those that match, of messages that memory can't decide.
    async fn decide(&self, plan: &Arc<Plan>, piece: Vec<Entry>) -> Result<Vec<Uid>, MailboxError> {
        let mut found = Vec::new();
        let mut open: Vec<Open> =
            piece.into_iter().map(|entry| Open { entry, answers: vec![None; plan.open_keys()] }).collect();
        if !plan.texts.is_empty() {
            let (asked, bodies) = (Arc::clone(plan), bodies_of(&open));
            let asking = self.store().begin_each_sketch(bodies, open, move |open, place, signature, fields| {
                asked.ask_sketch(&mut open[place].answers, signature, fields);
            });
            open = settle(plan, asking.await?, &mut found);
        }
        if !plan.days.is_empty() && !open.is_empty() {
            let (asked, bodies) = (Arc::clone(plan), bodies_of(&open));
            let asking = self.store().begin_each_body(bodies, Detail::Record, open, move |open, place, row| {
                if let Some(record) = row.record {
                    asked.ask_facts(&mut open[place].answers, record.facts);
                }
                ControlFlow::Continue(())
            });
            open = settle(plan, asking.await?.0, &mut found);
        }
        while !open.is_empty() {
            let most = (SEARCH_TEXT_JOB_MESSAGES / plan.keys).max(SEARCH_JOB_MESSAGES_MIN);
            let rest = open.split_off(open.len().min(most));
            let (asked, bodies) = (Arc::clone(plan), bodies_of(&open));
            let asking = self.store().begin_each_text(bodies, open, move |open, place, text| {
                asked.ask_text(&mut open[place].answers, text);
            });
            // What is still open after this has no text any more: it was removed meanwhile.
            settle(plan, asking.await?, &mut found);
            open = rest;
        }
        Ok(found)
    }
}

/// What memory alone finds, and what it leaves open, in the order in which that lies in the store.
fn sift(plan: &Plan, state: &State, among: &UidSet) -> (Vec<Uid>, Vec<Entry>) {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    let nothing = vec![None; plan.open_keys()];
    for entry in state.entries_of(among) {
        match plan.decide(entry, &nothing) {
            Some(true) => found.push(entry.uid),
            Some(false) => {}
            None => open.push(*entry),
        }
    }
    open.sort_unstable_by_key(|entry| entry.body);
    (found, open)
}

fn bodies_of(open: &[Open]) -> Vec<BodyId> {
    open.iter().map(|open| open.entry.body).collect()
}

/// Takes out what is decided.
fn settle(plan: &Plan, mut open: Vec<Open>, found: &mut Vec<Uid>) -> Vec<Open> {
    open.retain(|open| match plan.decide(&open.entry, &open.answers) {
        Some(matches) => {
            if matches {
                found.push(open.entry.uid);
            }
            false
        }
        None => true,
    });
    open
}

type Matching = Result<(u64, Vec<Uid>), MailboxError>;

/// A piece of a search, which ends with whoever waits for it: for a client that went away nothing is searched further.
struct Piece(JoinHandle<Matching>);

impl Future for Piece {
    type Output = Result<Matching, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.0.abort();
    }
}
