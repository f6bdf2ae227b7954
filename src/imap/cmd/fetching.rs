//! A FETCH under way: what is said is never more than some buffers ahead of what the client has read.
//!
//! What a mailbox has of its messages is in memory. The rest is read for many messages at once, on a thread that reads and
//! writes their lines while those before them are on their way; a large message passes through in pieces.

use super::large::{Large, Shown};
use crate::imap::cause::Cause;
use crate::imap::fetching::{Item, Messages, Style, content_item, entry_item, needs_of, record_item, start};
use crate::imap::grammar::FetchItem;
use crate::imap::replies::Code;
use crate::imap::session::{Done, Outcome, Running, Session};
use crate::imap::snapshot::Snapshot;
use crate::imap::view::Piece;
use crate::mailbox::{Entry, Fetch, Fetched, MailboxError, Mailboxes, MessageView, Needs, Place, State};
use crate::types::UidSet;
use crate::types::limits::{FETCH_BLOCK_MESSAGES, OUTPUT_OCTETS_HIGH_WATER};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(in crate::imap) struct Fetching {
    job: Arc<Job>,
    snapshot: Snapshot,
    place: Place,
    messages: Messages,
    needs: Option<Needs>,
    block: Option<Block>,
    large: Option<Box<Large>>,
    /// Said at the end.
    pub(super) code: Option<Code>,
    by_number: bool,
    missing: bool,
}

/// Some thousand messages: numbers and entries of all would take too much of a mailbox of a million.
struct Block {
    numbers: Arc<[u32]>,
    fetch: Fetch,
    large: usize,
}

/// What the threads that read need to know, and what they find out.
pub(super) struct Job {
    pub(super) items: Vec<Item>,
    pub(super) style: Style,
    newly_seen: UidSet,
    shows_flags: bool,
    shown: AtomicUsize,
    unknown_encoding: AtomicBool,
}

impl Job {
    /// RFC 9051 section 6.4.5: the flag that changed is shown with what changed it.
    pub(super) fn shows_flags_too(&self, entry: &Entry) -> bool {
        !self.shows_flags && self.newly_seen.contains(entry.uid)
    }

    pub(super) fn note_unknown_encoding(&self) {
        self.unknown_encoding.store(true, Ordering::Relaxed);
    }

    fn show(&self, out: &mut Vec<u8>, number: u32, view: &MessageView<'_>) {
        let mut reply = start(out, number, view.entry.uid, &self.style);
        for Item { item, want } in &self.items {
            if entry_item(&mut reply, out, item, view.entry, &self.style)
                || record_item(&mut reply, out, item, view, &self.style)
            {
                continue;
            }
            if let Some(want) = want
                && !content_item(&mut reply, out, item, &view.part(want), &self.style)
            {
                self.note_unknown_encoding();
            }
        }
        if self.shows_flags_too(view.entry) {
            reply.flags(out, view.entry.flags, &self.style.keywords);
        }
        reply.finish(out);
        self.shown.fetch_add(1, Ordering::Relaxed);
    }
}

impl Fetching {
    pub(super) fn new(
        items: Vec<FetchItem>,
        style: Style,
        state: Arc<State>,
        pieces: Vec<Piece>,
        newly_seen: UidSet,
        by_number: bool,
    ) -> Self {
        let items: Vec<Item> = items.into_iter().map(Item::new).collect();
        let needs = needs_of(&items);
        let shows_flags = items.iter().any(|item| item.item == FetchItem::Flags);
        let (shown, unknown_encoding) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self {
            job: Arc::new(Job { items, style, newly_seen, shows_flags, shown, unknown_encoding }),
            snapshot: Snapshot::new(state),
            place: Place::default(),
            messages: Messages::new(pieces),
            needs,
            block: None,
            large: None,
            code: None,
            by_number,
            missing: false,
        }
    }

    pub(in crate::imap) fn rest(&mut self) {
        self.snapshot.rest();
    }

    /// Nothing of a message is half said, and what comes next is looked up.
    fn is_between_messages(&self) -> bool {
        self.large.is_none() && self.block.is_none()
    }

    /// Goes on with a newer state of the mailbox, of which the client knows the keywords.
    fn look_at(&mut self, state: Arc<State>) {
        let Job { items, style, newly_seen, shows_flags, unknown_encoding, .. } = &*self.job;
        self.job = Arc::new(Job {
            items: items.clone(),
            style: Style { keywords: Arc::clone(state.keywords()), ..style.clone() },
            newly_seen: newly_seen.clone(),
            shows_flags: *shows_flags,
            shown: AtomicUsize::new(0),
            unknown_encoding: AtomicBool::new(unknown_encoding.load(Ordering::Relaxed)),
        });
        self.snapshot = Snapshot::new(state);
        self.place = Place::default();
    }

    /// The next message that is still there.
    fn next_message(&mut self) -> Option<(u32, &Entry)> {
        let Self { snapshot, place, messages, missing, .. } = self;
        let state = snapshot.state()?;
        loop {
            let (number, uid) = messages.next()?;
            if let Some(entry) = state.entry_near(place, uid) {
                return Some((number, entry));
            }
            *missing = true;
        }
    }

    /// From memory, until there is something worth writing.
    fn show_entries(&mut self, out: &mut Vec<u8>) -> Progress {
        let job = Arc::clone(&self.job);
        while out.len() < OUTPUT_OCTETS_HIGH_WATER {
            let Some((number, entry)) = self.next_message() else { return Progress::Complete };
            let mut reply = start(out, number, entry.uid, &job.style);
            for Item { item, .. } in &job.items {
                entry_item(&mut reply, out, item, entry, &job.style);
            }
            reply.finish(out);
        }
        Progress::More
    }

    fn next_block(&mut self, mailboxes: &Mailboxes, needs: Needs) -> Option<Block> {
        let (mut numbers, mut entries) = (Vec::new(), Vec::new());
        while entries.len() < FETCH_BLOCK_MESSAGES {
            let Some((number, entry)) = self.next_message() else { break };
            entries.push(*entry);
            numbers.push(number);
        }
        if entries.is_empty() {
            return None;
        }
        let numbers: Arc<[u32]> = numbers.into();
        let (job, shared) = (Arc::clone(&self.job), Arc::clone(&numbers));
        job.shown.store(0, Ordering::Relaxed);
        let fetch = mailboxes.fetch(entries, needs, move |out, view| job.show(out, shared[view.place], &view));
        Some(Block { numbers, fetch, large: 0 })
    }

    /// Into one buffer; for small messages, and no more of them than fit.
    pub(super) async fn show_some(
        mut self,
        mailboxes: &Mailboxes,
        octets_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Cause> {
        let (mut said, mut octets) = (Vec::new(), 0);
        while self.show(mailboxes, &mut said).await? == Progress::More && (octets < octets_max || self.large.is_some())
        {
            octets += said.len();
            out.append(&mut said);
        }
        out.append(&mut said);
        Ok(())
    }

    async fn show(&mut self, mailboxes: &Mailboxes, out: &mut Vec<u8>) -> Result<Progress, Cause> {
        let Some(needs) = self.needs else { return Ok(self.show_entries(out)) };
        if let Some(large) = &mut self.large {
            if large.show(&self.job, out).await? == Shown::All {
                self.large = None;
            }
            return Ok(Progress::More);
        }
        if self.block.is_none() {
            self.block = self.next_block(mailboxes, needs);
        }
        let Some(block) = &mut self.block else { return Ok(Progress::Complete) };
        match block.fetch.next().await? {
            Some(Fetched::Replies(mut replies)) => {
                if out.is_empty() {
                    std::mem::swap(out, &mut replies);
                } else {
                    out.append(&mut replies);
                }
                block.fetch.reuse(replies);
            }
            Some(Fetched::Large { place, entry }) => match mailboxes.message(&entry).await {
                Ok(message) => {
                    block.large += 1;
                    self.large = Some(Box::new(Large::begin(message, block.numbers[place], &self.job.style, out)));
                }
                Err(MailboxError::MessageGone) => {}
                Err(error) => return Err(error.into()),
            },
            None => {
                let shown = self.job.shown.load(Ordering::Relaxed) + block.large;
                self.missing |= shown < block.numbers.len();
                self.block = None;
            }
        }
        Ok(Progress::More)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    More,
    Complete,
}

impl Session {
    pub(in crate::imap) async fn show_messages(&mut self, mut fetching: Fetching) -> Outcome {
        if fetching.is_between_messages()
            && let Some(state) = self.newer_than(&fetching.snapshot).await?
        {
            fetching.look_at(state);
        }
        if fetching.show(&self.services.mailboxes, &mut self.replies.out).await? == Progress::More {
            return self.run(Running::Fetching(fetching));
        }
        if fetching.job.unknown_encoding.load(Ordering::Relaxed) {
            return Err(Cause::UnknownEncoding);
        }
        // A UID that nothing has is no error; a number the client was given, and can't use any more, is.
        if fetching.missing && fetching.by_number {
            return Err(self.messages_gone(fetching.code));
        }
        Ok(Done::Completed(fetching.code))
    }
}
