//! Search results that are kept up to date while a mailbox is selected (RFC 5267 section 4.3).
//!
//! Only messages that changed are looked at again. What depends on the time alone (RFC 5032) is not told when it comes
//! true, as nothing happened then.

use super::cause::Cause;
use super::grammar::{Addressing, FetchItem, Key, Numbers};
use super::replies::{Replies, SearchScope};
use super::searching::query_of;
use super::view::View;
use crate::mailbox::{Mailboxes, State};
use crate::types::UidSet;
use crate::types::limits::IMAP_CONTEXTS_MAX;
use std::sync::Arc;

/// A result that is kept up to date.
#[derive(Clone, Debug)]
pub(super) struct Context {
    tag: Box<str>,
    addressing: Addressing,
    /// Keys and not a query: `1:*` takes in what comes later.
    key: Key,
    /// Of new messages that match.
    shown: Vec<FetchItem>,
    /// What `$` was when the search began.
    saved: UidSet,
    found: UidSet,
}

/// Those of one selected mailbox.
#[derive(Clone, Debug, Default)]
pub(super) struct Contexts(Vec<Context>);

impl Context {
    pub(super) fn new(tag: &str, addressing: Addressing, key: Key, shown: Vec<FetchItem>, saved: UidSet) -> Self {
        Self { tag: tag.into(), addressing, key, shown, saved, found: UidSet::new() }
    }

    fn tell(&self, replies: &mut Replies, view: &View, change: Change, uids: &UidSet) {
        if uids.is_empty() {
            return;
        }
        let names: Vec<u32> = view.names_of(self.addressing, uids).iter().map(|name| name.0).collect();
        let scope = SearchScope { tag: &self.tag, mailbox: None, uid: self.addressing == Addressing::Uid };
        let mut reply = replies.esearch(scope);
        match change {
            Change::Added => reply.add_to(0, &names),
            Change::Removed => reply.remove_from(0, &names),
        };
        reply.finish();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
}

impl Contexts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of this tag is there: its updates could not be told apart from another's.
    pub(super) fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|context| &*context.tag == tag)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= IMAP_CONTEXTS_MAX
    }

    pub(super) fn begin(&mut self, mut context: Context, found: UidSet) {
        context.found = found;
        self.0.push(context);
    }

    pub(super) fn cancel(&mut self, tags: &[String]) {
        self.0.retain(|context| !tags.iter().any(|tag| **tag == *context.tag));
    }

    /// Before the client hears that these are gone: while their numbers are still valid (RFC 5267 section 4.3.4).
    pub(super) fn expunge(&mut self, gone: &UidSet, view: &View, replies: &mut Replies) {
        for context in &mut self.0 {
            let removed = context.found.intersection(gone);
            context.tell(replies, view, Change::Removed, &removed);
            context.found = context.found.difference(&removed);
        }
    }

    /// What has become of the results since these messages changed or came.
    pub(super) async fn update(
        &mut self,
        changed: &UidSet,
        view: &View,
        state: &Arc<State>,
        mailboxes: &Mailboxes,
    ) -> Result<Vec<Update>, Cause> {
        let changed = view.sequence().present(changed);
        let mut updates = Vec::new();
        if changed.is_empty() {
            return Ok(updates);
        }
        for (place, context) in self.0.iter_mut().enumerate() {
            let query = query_of(context.key.clone(), &|addressing, numbers| match numbers {
                Numbers::Saved => Ok(context.saved.clone()),
                Numbers::Set(_) => Ok(view.matching(addressing, numbers)),
            })?;
            let matching = mailboxes.search(state, &query, changed.clone(), &mut |_, _| {}).await?;
            let added = matching.difference(&context.found);
            let removed = context.found.intersection(&changed).difference(&matching);
            context.found = context.found.difference(&removed).union(&added);
            updates.push(Update { place, shown: context.shown.clone(), added, removed });
        }
        Ok(updates)
    }

    /// After the client has heard of new messages (RFC 5267 section 4.3.3), and has been shown them.
    pub(super) fn tell(&self, updates: &[Update], view: &View, replies: &mut Replies) {
        for update in updates {
            if let Some(context) = self.0.get(update.place) {
                context.tell(replies, view, Change::Added, &update.added);
                context.tell(replies, view, Change::Removed, &update.removed);
            }
        }
    }
}

/// What became of one result.
pub(super) struct Update {
    place: usize,
    pub(super) shown: Vec<FetchItem>,
    pub(super) added: UidSet,
    removed: UidSet,
}
