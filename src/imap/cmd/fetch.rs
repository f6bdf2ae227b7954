//! FETCH and UID FETCH (RFC 9051 section 6.4.5, RFC 7162 section 3.1.4): which messages, and what is done before the first
//! of them is shown. How they are shown is in `fetching`.

use super::Fetching;
use crate::imap::cause::Cause;
use crate::imap::fetching::{Style, marks_seen};
use crate::imap::grammar::{Access, Addressing, Fetch, FetchItem, Numbers};
use crate::imap::session::{Outcome, Running, Session};
use crate::imap::view::window;
use crate::mailbox::{FlagRequest, FlagVerb, Gone, MailboxError};
use crate::types::{Flags, ModSeq, UidSet};
use std::sync::Arc;

impl Session {
    pub(super) async fn fetch(&mut self, mut fetch: Fetch) -> Outcome {
        // RFC 7162 section 3.2.6: VANISHED belongs to an extension that is on only when it was enabled.
        if fetch.vanished && !self.enabled.qresync {
            return Err(Cause::QResyncFirst);
        }
        // RFC 7162 section 3.1: both switch CONDSTORE on.
        self.enabled.condstore |= fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq);
        let selected = self.selected()?;
        let mut uids = selected.view.resolve(fetch.addressing, &fetch.numbers)?;
        if let Some(since) = fetch.changed_since {
            uids = self.changed_since(ModSeq(since), &uids, &fetch).await?;
        }
        if let Some(range) = fetch.partial {
            // RFC 9738 section 3.1: what is asked for can be known to be too much.
            if range.last - range.first >= self.services.messages_max {
                return Err(Cause::TooManyMessages(self.services.messages_max));
            }
            uids = window(&uids, range);
        }
        let (uids, limited) = self.within_limit(uids);
        if fetch.items.contains(&FetchItem::ThreadId) {
            self.services.mailboxes.assign_threads(self.selected()?.mailbox(), &uids).await?;
        }
        let newly_seen = self.mark_seen(&uids, &fetch.items).await?;
        let Some(selected) = self.selected.as_deref_mut() else { return Err(Cause::SelectFirst) };
        let state = self.services.mailboxes.state(selected.mailbox()).await?;
        selected.tell_keywords(&state, &mut self.replies);
        complete(&mut fetch);
        let style =
            Style { keywords: Arc::clone(state.keywords()), utf8: self.replies.utf8, uid_only: self.enabled.uid_only };
        let pieces = selected.view.sequence().pieces_of(&uids).collect();
        let by_number = fetch.addressing == Addressing::Sequence;
        let mut fetching = Fetching::new(fetch.items, style, state, pieces, newly_seen, by_number);
        fetching.code = limited;
        self.run(Running::Fetching(fetching))
    }

    /// RFC 7162 sections 3.1.4.1 and 3.2.6.
    async fn changed_since(&mut self, since: ModSeq, uids: &UidSet, fetch: &Fetch) -> Result<UidSet, Cause> {
        let selected = self.selected()?;
        let news = self.services.mailboxes.news(selected.mailbox(), since).await?;
        if fetch.vanished {
            // Of the UIDs the client names, whether or not its view ever had them.
            let known = match &fetch.numbers {
                Numbers::Set(set) => set.resolve(selected.view.sequence().largest_uid()),
                Numbers::Saved => uids.clone(),
            };
            let gone = match &news.gone {
                Gone::These(gone) => gone.intersection(&known),
                Gone::AllBut(left) => known.difference(left),
            };
            // What the client still counts is told in its turn.
            let gone = gone.difference(&selected.view.sequence().all());
            if !gone.is_empty() {
                self.replies.vanished_earlier(&gone);
            }
        }
        Ok(news.changed.iter().map(|entry| entry.uid).filter(|uid| uids.contains(*uid)).collect())
    }

    /// Sets `\Seen` where the items do so, before they are shown: then the flags shown with them are right.
    async fn mark_seen(&mut self, uids: &UidSet, items: &[FetchItem]) -> Result<UidSet, Cause> {
        let selected = self.selected()?;
        if selected.access == Access::ReadOnly || !items.iter().any(marks_seen) {
            return Ok(UidSet::new());
        }
        let state = self.services.mailboxes.state(selected.mailbox()).await?;
        let unseen: UidSet =
            state.entries_of(uids).filter(|entry| !entry.flags.contains(Flags::SEEN)).map(|entry| entry.uid).collect();
        if unseen.is_empty() {
            return Ok(unseen);
        }
        let request = FlagRequest {
            uids: unseen.clone(),
            verb: FlagVerb::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
        };
        let mailboxes = &self.services.mailboxes;
        let changed = match mailboxes.change_flags(self.viewer()?, selected.mailbox(), request, &mut |_, _| {}).await {
            Ok(outcome) => outcome.changed,
            // RFC 4314 section 4: without the right to, the flag stays as it is, and that is all.
            Err(MailboxError::NotPermitted) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if !changed.is_empty() {
            // RFC 6785 section 2.2.3: this way of changing flags is one like the others.
            let after = self.services.mailboxes.state(self.selected()?.mailbox()).await?;
            self.after_store(&state, &after, &changed).await?;
        }
        let mut seen = UidSet::new();
        let view = &mut self.selected_mut()?.view;
        for (modseq, uids) in changed {
            seen = seen.union(&uids);
            view.note_told(modseq, uids);
        }
        Ok(seen)
    }
}

/// What goes with the items without being asked for.
fn complete(fetch: &mut Fetch) {
    let mut add = |item: FetchItem| {
        if !fetch.items.contains(&item) {
            fetch.items.insert(0, item);
        }
    };
    // RFC 7162 section 3.1.4.1.
    if fetch.changed_since.is_some() {
        add(FetchItem::ModSeq);
    }
    // RFC 9051 section 6.4.9.
    if fetch.addressing == Addressing::Uid {
        add(FetchItem::Uid);
    }
}
