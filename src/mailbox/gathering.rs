//! What sorting and threading look at, for many messages at once: the stored facts, read on the readers' threads, and
//! work on all of them on a thread that may be kept busy.

use super::arrival::blocking;
use super::messages::Progress;
use super::{Entry, MailboxError, Mailboxes};
use crate::message::FactsView;
use crate::store::{Detail, StoreError};
use crate::types::limits::FACTS_JOB_MESSAGES;
use crate::types::{BodyId, Uid};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

/// How much of the facts is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactsOf {
    /// Nothing is read: what the mailbox has in memory is enough.
    Entries,
    /// Everything but the references.
    Sorting,
    Threading,
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<(Vec<T>, usize), StoreError>> + Send>>;

impl Mailboxes {
    /// What `then` makes of what `take` made of each message, by UID. Messages that are gone meanwhile are left out.
    pub async fn gather<T, R>(
        &self,
        mut entries: Vec<Entry>,
        which: FactsOf,
        progress: Progress<'_>,
        take: impl Fn(&Entry, &FactsView<'_>) -> T + Send + Sync + 'static,
        then: impl FnOnce(Vec<(Uid, T)>) -> R + Send + 'static,
    ) -> Result<R, MailboxError>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let all = entries.len();
        // What is held of each message is more than the mailbox itself holds, and working on it keeps a processor busy:
        // many who ask for that at once wait for each other, so that others wait for none of them.
        let turn = if all > FACTS_JOB_MESSAGES { self.gathering().await } else { None };
        entries.sort_unstable_by_key(|entry| entry.body);
        let take = Arc::new(take);
        let begin = |piece: &[Entry]| -> Reading<(Uid, T)> {
            let (piece, take) = (piece.to_vec(), Arc::clone(&take));
            let bodies: Vec<BodyId> = piece.iter().map(|entry| entry.body).collect();
            let room = Vec::with_capacity(piece.len());
            Box::pin(self.store().begin_each_body(bodies, Detail::Record, room, move |taken, place, row| {
                if let Some(record) = row.record {
                    let facts = match which {
                        FactsOf::Entries | FactsOf::Sorting => FactsView::read(record.facts),
                        FactsOf::Threading => FactsView::with_references(record.facts),
                    };
                    let entry = &piece[place];
                    taken.push((entry.uid, take(entry, &facts.unwrap_or_default())));
                }
                ControlFlow::Continue(())
            }))
        };
        let mut gathered = Vec::with_capacity(all);
        if which == FactsOf::Entries {
            gathered.extend(entries.drain(..).map(|entry| (entry.uid, take(&entry, &FactsView::default()))));
        }
        let mut pieces = entries.chunks(FACTS_JOB_MESSAGES);
        // One is read while the next waits in line; other readers stay free.
        let mut ahead = pieces.next().map(begin);
        while let Some(reading) = ahead.take() {
            ahead = pieces.next().map(begin);
            gathered.extend(reading.await?.0);
            progress(gathered.len() as u64, all as u64);
        }
        blocking(move || {
            gathered.sort_unstable_by_key(|(uid, _)| *uid);
            let made = then(gathered);
            // Here, and not with the caller: he can go away, and this goes on.
            drop(turn);
            made
        })
        .await
    }
}
