//! The messages of a mailbox in memory, as of one moment: pages of entries that snapshots share until one of them changes.
//!
//! A snapshot is one reference. A change copies the pages it touches, and only if somebody still looks at an older
//! snapshot. One flat array was rejected: with a reader looking on, a single flag would copy six megabytes.

use crate::mailbox::Entry;
use crate::store::{ENTRIES_PER_PAGE, MailboxRecord, MessageChange};
use crate::types::limits::EXPUNGES_REMEMBERED_MAX;
use crate::types::{Flags, ModSeq, ThreadId, Uid, UidSet, UidValidity};
use std::collections::VecDeque;
use std::sync::Arc;

/// A mailbox's messages and counters.
#[derive(Clone, Debug)]
pub struct State {
    pages: Vec<Arc<Page>>,
    uids: Arc<UidSet>,
    counters: Counters,
    uidvalidity: UidValidity,
    uidnext: Uid,
    highest_modseq: ModSeq,
    keywords: Arc<[Box<str>]>,
    /// What was expunged since this was loaded, oldest first.
    expunges: VecDeque<(ModSeq, Arc<UidSet>)>,
    /// `expunges` is complete for what happened after this.
    remembered_from: ModSeq,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub messages: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub octets: u64,
    pub deleted_octets: u64,
}

/// Where somebody is who looks at one message after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    page: usize,
    entry: usize,
}

#[derive(Clone, Debug)]
struct Page {
    /// By UID, never empty.
    entries: Vec<Entry>,
    highest_modseq: ModSeq,
    unseen: u32,
}

/// What happened after some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// New messages and those whose flags changed, by UID.
    pub changed: Vec<Entry>,
    pub gone: Gone,
    /// Everything up to here is in it.
    pub through: ModSeq,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    These(UidSet),
    /// The history of expunges does not reach back far enough: these are left.
    AllBut(Arc<UidSet>),
}

impl Page {
    fn new(entries: Vec<Entry>) -> Self {
        let mut page = Self { entries, highest_modseq: ModSeq(0), unseen: 0 };
        page.recount();
        page
    }

    fn recount(&mut self) {
        self.highest_modseq = self.entries.iter().map(|entry| entry.modseq).max().unwrap_or_default();
        self.unseen = self.entries.iter().map(|entry| u32::from(!entry.flags.contains(Flags::SEEN))).sum();
    }

    fn first_uid(&self) -> Uid {
        self.entries.first().map_or(Uid(0), |entry| entry.uid)
    }

    fn last_uid(&self) -> Uid {
        self.entries.last().map_or(Uid(0), |entry| entry.uid)
    }
}

impl Counters {
    fn count(&mut self, entry: &Entry) {
        self.messages += 1;
        self.octets += u64::from(entry.octets);
        self.unseen += u32::from(!entry.flags.contains(Flags::SEEN));
        if entry.flags.contains(Flags::DELETED) {
            self.deleted += 1;
            self.deleted_octets += u64::from(entry.octets);
        }
    }

    fn uncount(&mut self, entry: &Entry) {
        self.messages -= 1;
        self.octets -= u64::from(entry.octets);
        self.unseen -= u32::from(!entry.flags.contains(Flags::SEEN));
        if entry.flags.contains(Flags::DELETED) {
            self.deleted -= 1;
            self.deleted_octets -= u64::from(entry.octets);
        }
    }
}

impl State {
    /// As the store has it.
    pub(super) fn load(record: &MailboxRecord, pages: Vec<Vec<Entry>>) -> Self {
        let mut uids = UidSet::new();
        let mut counters = Counters::default();
        for entry in pages.iter().flatten() {
            uids.insert(entry.uid);
            counters.count(entry);
        }
        Self {
            pages: pages.into_iter().map(|page| Arc::new(Page::new(page))).collect(),
            uids: Arc::new(uids),
            counters,
            uidvalidity: record.uidvalidity,
            uidnext: record.uidnext,
            highest_modseq: record.highest_modseq,
            keywords: keywords_of(record),
            expunges: VecDeque::new(),
            remembered_from: record.highest_modseq,
        }
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub fn uidvalidity(&self) -> UidValidity {
        self.uidvalidity
    }

    pub fn uidnext(&self) -> Uid {
        self.uidnext
    }

    pub fn highest_modseq(&self) -> ModSeq {
        self.highest_modseq
    }

    /// By their number, see `Flags::keyword`.
    pub fn keywords(&self) -> &Arc<[Box<str>]> {
        &self.keywords
    }

    pub fn keyword(&self, name: &str) -> Option<Flags> {
        self.keywords.iter().position(|known| known.eq_ignore_ascii_case(name)).map(Flags::keyword)
    }

    pub fn uids(&self) -> &Arc<UidSet> {
        &self.uids
    }

    pub fn entry(&self, uid: Uid) -> Option<&Entry> {
        let page = self.pages.get(self.page_of(uid))?;
        let place = page.entries.binary_search_by_key(&uid, |entry| entry.uid).ok()?;
        page.entries.get(place)
    }

    /// The same for one who goes through many in order, and keeps his place: mostly it is the next.
    pub fn entry_near<'s>(&'s self, place: &mut Place, uid: Uid) -> Option<&'s Entry> {
        let next = self.pages.get(place.page).and_then(|page| page.entries.get(place.entry));
        if let Some(entry) = next.filter(|entry| entry.uid == uid) {
            place.entry += 1;
            return Some(entry);
        }
        let number = self.page_of(uid);
        let page = self.pages.get(number)?;
        let found = page.entries.binary_search_by_key(&uid, |entry| entry.uid).ok()?;
        *place = Place { page: number, entry: found + 1 };
        page.entries.get(found)
    }

    /// All messages, by UID.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.pages.iter().flat_map(|page| &page.entries)
    }

    /// Those of the set that are there, by UID.
    pub fn entries_of<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = &'a Entry> {
        uids.ranges().iter().flat_map(|&(first, last)| self.entries_between(Uid(first), Uid(last)))
    }

    fn entries_between(&self, first: Uid, last: Uid) -> impl Iterator<Item = &Entry> {
        let pages = self.pages[self.page_of(first)..].iter().take_while(move |page| page.first_uid() <= last);
        pages.flat_map(move |page| {
            let from = page.entries.partition_point(|entry| entry.uid < first);
            let to = page.entries.partition_point(|entry| entry.uid <= last);
            &page.entries[from..to.max(from)]
        })
    }

    /// Its number.
    pub fn first_unseen(&self) -> Option<u32> {
        let place = self.pages.iter().position(|page| page.unseen > 0)?;
        let before: usize = self.pages[..place].iter().map(|page| page.entries.len()).sum();
        let within = self.pages[place].entries.iter().position(|entry| !entry.flags.contains(Flags::SEEN))?;
        u32::try_from(before + within + 1).ok()
    }

    /// New messages and those whose flags changed, by UID.
    pub fn changed_since(&self, since: ModSeq) -> impl Iterator<Item = &Entry> {
        let pages = self.pages.iter().filter(move |page| page.highest_modseq > since);
        pages.flat_map(|page| &page.entries).filter(move |entry| entry.modseq > since)
    }

    /// Messages that are gone, as far as this memory reaches.
    pub fn expunged_since(&self, since: ModSeq) -> Option<UidSet> {
        if since < self.remembered_from {
            return None;
        }
        let sets = self.expunges.iter().rev().take_while(|(modseq, _)| *modseq > since);
        Some(UidSet::from_ranges(sets.flat_map(|(_, uids)| uids.ranges().iter().copied())))
    }

    /// The first page that can hold the UID.
    fn page_of(&self, uid: Uid) -> usize {
        self.pages.partition_point(|page| page.last_uid() < uid)
    }

    /// Takes in a change that follows on what is here.
    pub(super) fn apply(&mut self, modseq: ModSeq, change: &MessageChange) {
        debug_assert!(change.before == self.highest_modseq, "{} after {}", change.before, self.highest_modseq);
        let known = change.changed.partition_point(|entry| entry.uid < self.uidnext);
        let (changed, new) = change.changed.split_at(known);
        self.change(changed);
        self.append(new);
        self.expunge(modseq, &change.expunged);
        self.uidnext = self.uidnext.max(change.uidnext);
        self.highest_modseq = modseq;
        self.learn_keywords(&change.keywords);
    }

    /// Keywords are only ever added.
    pub(super) fn learn_keywords(&mut self, keywords: &[String]) {
        if keywords.len() > self.keywords.len() {
            self.keywords = keywords.iter().map(|name| name.as_str().into()).collect();
        }
    }

    fn change(&mut self, changed: &[Entry]) {
        let mut rest = changed;
        while let Some(first) = rest.first() {
            let number = self.page_of(first.uid);
            let Some(page) = self.pages.get_mut(number) else { return };
            let last = page.last_uid();
            let (here, after) = rest.split_at(rest.partition_point(|entry| entry.uid <= last));
            rest = after;
            let page = Arc::make_mut(page);
            let mut place = 0;
            for entry in here {
                // Both are by UID: what is looked for is ahead, and mostly next.
                while page.entries.get(place).is_some_and(|known| known.uid < entry.uid) {
                    place += 1;
                }
                if let Some(known) = page.entries.get_mut(place).filter(|known| known.uid == entry.uid) {
                    self.counters.uncount(known);
                    self.counters.count(entry);
                    *known = *entry;
                }
            }
            page.recount();
        }
    }

    fn append(&mut self, new: &[Entry]) {
        if new.is_empty() {
            return;
        }
        let uids = Arc::make_mut(&mut self.uids);
        for entry in new {
            uids.insert(entry.uid);
            self.counters.count(entry);
        }
        let mut rest = new;
        if let Some(page) = self.pages.last_mut()
            && page.entries.len() < ENTRIES_PER_PAGE
        {
            let page = Arc::make_mut(page);
            let (fits, more) = rest.split_at(rest.len().min(ENTRIES_PER_PAGE - page.entries.len()));
            page.entries.extend_from_slice(fits);
            page.recount();
            rest = more;
        }
        self.pages.extend(rest.chunks(ENTRIES_PER_PAGE).map(|entries| Arc::new(Page::new(entries.to_vec()))));
    }

    fn expunge(&mut self, modseq: ModSeq, uids: &UidSet) {
        if uids.is_empty() {
            return;
        }
        let counters = &mut self.counters;
        self.pages.retain_mut(|page| {
            if !overlaps(uids, page.first_uid(), page.last_uid()) {
                return true;
            }
            let page = Arc::make_mut(page);
            page.entries.retain(|entry| {
                let stays = !uids.contains(entry.uid);
                if !stays {
                    counters.uncount(entry);
                }
                stays
            });
            page.recount();
            !page.entries.is_empty()
        });
        self.uids = Arc::new(self.uids.difference(uids));
        self.expunges.push_back((modseq, Arc::new(uids.clone())));
        while self.expunges.len() > EXPUNGES_REMEMBERED_MAX {
            if let Some((forgotten, _)) = self.expunges.pop_front() {
                self.remembered_from = forgotten;
            }
        }
    }

    pub(super) fn set_threads(&mut self, threads: &[(Uid, ThreadId)]) {
        for (uid, thread) in threads {
            let number = self.page_of(*uid);
            let Some(page) = self.pages.get_mut(number) else { continue };
            if let Ok(place) = page.entries.binary_search_by_key(uid, |entry| entry.uid) {
                Arc::make_mut(page).entries[place].thread = *thread;
            }
        }
    }
}

pub(super) fn keywords_of(record: &MailboxRecord) -> Arc<[Box<str>]> {
    record.keywords.iter().map(|name| name.as_str().into()).collect()
}

fn overlaps(uids: &UidSet, first: Uid, last: Uid) -> bool {
    let after = uids.ranges().partition_point(|range| range.1 < first.0);
    uids.ranges().get(after).is_some_and(|range| range.0 <= last.0)
}
