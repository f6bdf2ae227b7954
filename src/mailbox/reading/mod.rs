//! FETCH: from entries to what is sent, without parsing anything.
//!
//! Messages of one chunk, which nearly all are, are read many at a time; their reply is written by the caller's function
//! on the reader's thread, straight from the rows into the buffer that will be sent, while the buffer before it is on
//! its way. Larger ones come one by one, as streams. Either way a session holds a few buffers of fixed size, however
//! much it fetches.

mod large;
mod part;
#[cfg(test)]
mod tests;
mod view;

pub use large::{Message, PartStream};
pub use part::{Part, PartOf, Want, Window};
pub use view::MessageView;

use super::{Entry, MailboxError, Mailboxes};
use crate::store::{Detail, StoreError};
use crate::types::BodyId;
use crate::types::limits::{BODY_CHUNK_OCTETS, FETCH_BUFFER_OCTETS, FETCH_JOB_MESSAGES, FETCH_JOBS_AHEAD};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

/// What the replies need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// ENVELOPE, BODYSTRUCTURE, PREVIEW.
    Records,
    /// `BODY[]` and nothing else.
    Contents,
    Both,
}

/// What comes next of a fetch.
#[derive(Debug)]
pub enum Fetched {
    /// Replies, as the function wrote them.
    Replies(Vec<u8>),
    /// The content of this one, at this place, is too large; it is to be read with [`Mailboxes::message`].
    Large { place: usize, entry: Entry },
}

/// ENVELOPE and BODYSTRUCTURE of most messages, and what stands around them.
const RECORD_OCTETS_LIKELY: usize = 1024;

type Format = Arc<dyn Fn(&mut Vec<u8>, MessageView<'_>) + Send + Sync>;
type Reading = Pin<Box<dyn Future<Output = Result<(Vec<u8>, usize), StoreError>> + Send>>;

/// A fetch under way.
pub struct Fetch {
    mailboxes: Mailboxes,
    entries: Arc<[Entry]>,
    needs: Needs,
    format: Format,
    /// Jobs that were begun, in order.
    ahead: VecDeque<Job>,
    /// Where the next job begins.
    next: usize,
    /// Buffers that were sent: giving them back to the system and taking new ones costs more than filling them.
    spare: Vec<Vec<u8>>,
}

enum Job {
    /// Entries from the first number to before the second.
    Read(usize, usize, Reading),
    Large(usize),
}

impl Mailboxes {
    /// Fetches messages in the order given. `format` appends the reply for one message; it is not called for what is
    /// gone meanwhile.
    pub fn fetch(
        &self,
        entries: Vec<Entry>,
        needs: Needs,
        format: impl Fn(&mut Vec<u8>, MessageView<'_>) + Send + Sync + 'static,
    ) -> Fetch {
        Fetch {
            mailboxes: self.clone(),
            entries: entries.into(),
            needs,
            format: Arc::new(format),
            ahead: VecDeque::new(),
            next: 0,
            spare: Vec::new(),
        }
    }
}

impl Fetch {
    /// The next replies; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Fetched>, MailboxError> {
        loop {
            while self.ahead.len() < FETCH_JOBS_AHEAD && self.next < self.entries.len() {
                let job = self.begin();
                self.ahead.push_back(job);
            }
            let (first, end, reading) = match self.ahead.pop_front() {
                None => return Ok(None),
                Some(Job::Large(place)) => return Ok(Some(Fetched::Large { place, entry: self.entries[place] })),
                Some(Job::Read(first, end, reading)) => (first, end, reading),
            };
            let (replies, done) = reading.await?;
            // The buffer was full before the job was done: its rest comes before what was begun after it.
            if first + done < end {
                let rest = self.read(first + done, end);
                self.ahead.push_front(rest);
            }
            if !replies.is_empty() {
                return Ok(Some(Fetched::Replies(replies)));
            }
        }
    }

    /// Takes a buffer that is not needed any more.
    pub fn reuse(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= FETCH_BUFFER_OCTETS && self.spare.len() <= FETCH_JOBS_AHEAD {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn is_large(&self, entry: &Entry) -> bool {
        self.needs != Needs::Records && entry.octets as usize > BODY_CHUNK_OCTETS
    }

    fn likely_octets(&self, entry: &Entry) -> usize {
        RECORD_OCTETS_LIKELY + if self.needs == Needs::Records { 0 } else { entry.octets as usize }
    }

    fn begin(&mut self) -> Job {
        let first = self.next;
        if self.is_large(&self.entries[first]) {
            self.next += 1;
            return Job::Large(first);
        }
        let mut octets = 0;
        let mut end = first;
        for entry in self.entries[first..].iter().take(FETCH_JOB_MESSAGES) {
            if self.is_large(entry) || octets >= FETCH_BUFFER_OCTETS {
                break;
            }
            octets += if self.needs == Needs::Records { 0 } else { entry.octets as usize };
            end += 1;
        }
        self.next = end;
        self.read(first, end)
    }

    fn read(&mut self, first: usize, end: usize) -> Job {
        let bodies: Vec<BodyId> = self.entries[first..end].iter().map(|entry| entry.body).collect();
        let (entries, format) = (Arc::clone(&self.entries), Arc::clone(&self.format));
        let detail = match self.needs {
            Needs::Records => Detail::Record,
            Needs::Contents => Detail::Content,
            Needs::Both => Detail::Both,
        };
        // As much as is likely: for one small message a full buffer is many times what is said.
        let likely: usize = self.entries[first..end].iter().map(|entry| self.likely_octets(entry)).sum();
        let new = || Vec::with_capacity(likely.min(FETCH_BUFFER_OCTETS + FETCH_BUFFER_OCTETS / 4));
        let buffer = self.spare.pop().unwrap_or_else(new);
        let reading = self.mailboxes.store().begin_each_body(bodies, detail, buffer, move |out, place, row| {
            let place = first + place;
            format(out, MessageView::new(place, &entries[place], row));
            if out.len() >= FETCH_BUFFER_OCTETS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Job::Read(first, end, Box::pin(reading))
    }
}
