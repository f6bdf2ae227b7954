//! Which mailboxes are open or were lately, and how much of them is in memory.

use super::feed::AccountFeeds;
use super::names::Names;
use super::{AccountFeed, OpenMailbox, mark_used};
use crate::store::{Store, Touched};
use crate::types::{AccountId, MailboxId, MailboxName};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(in crate::mailbox) struct Registry {
    open: Mutex<HashMap<MailboxId, Arc<OpenMailbox>>>,
    names: Mutex<Names>,
    feeds: AccountFeeds,
    clock: AtomicU64,
}

impl Registry {
    /// Hears of every commit of the store from now on.
    pub(in crate::mailbox) fn observing(store: &Store) -> Arc<Self> {
        let registry = Arc::new(Self::default());
        // The store must not keep what keeps the store.
        let ear = Arc::downgrade(&registry);
        store.observe(move |all| {
            if let Some(registry) = ear.upgrade() {
                all.iter().for_each(|touched| registry.hear(touched));
            }
        });
        registry
    }

    fn hear(&self, touched: &Touched) {
        if let Some(id) = touched.mailbox {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
            if let Some(mailbox) = open {
                mailbox.hear(touched);
            }
        }
        self.feeds.hear(touched);
    }

    pub(in crate::mailbox) fn account_feed(&self, accounts: impl IntoIterator<Item = AccountId>) -> AccountFeed {
        self.feeds.subscribe(accounts)
    }

    /// The one shared object of this mailbox. From here on it hears of what happens there.
    pub(in crate::mailbox) fn open(&self, account: AccountId, id: MailboxId) -> Arc<OpenMailbox> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = open.entry(id).or_insert_with(|| Arc::new(OpenMailbox::new(account, id)));
        mark_used(mailbox, now);
        Arc::clone(mailbox)
    }

    /// One's own mailbox by a name that was looked up, if no mailbox has got another name since.
    pub(in crate::mailbox) fn known(
        &self,
        generation: u64,
        owner: AccountId,
        name: &MailboxName,
    ) -> Option<Arc<OpenMailbox>> {
        let id = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(generation, owner, name)?;
        Some(self.open(owner, id))
    }

    /// `generation` was the store's before the name was looked up.
    pub(in crate::mailbox) fn learn(&self, generation: u64, owner: AccountId, name: &MailboxName, id: MailboxId) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).put(generation, owner, name, id);
    }

    /// Forgets what was asked about longest ago until the rest is within bounds. `except` was just read.
    pub(in crate::mailbox) fn make_room(&self, except: MailboxId, messages_max: usize, unused_max: usize) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let held =
            |mailbox: &OpenMailbox| mailbox.state_in_memory().map_or(0, |state| state.counters().messages as usize);
        let mut messages: usize = open.values().map(|mailbox| held(mailbox)).sum();
        // One reference is the registry's own.
        let unused = |mailbox: &Arc<OpenMailbox>| Arc::strong_count(mailbox) == 1;
        let mut unused_count = open.values().filter(|mailbox| unused(mailbox)).count();
        open.retain(|_, mailbox| !(mailbox.is_gone() && unused(mailbox)));
        if messages <= messages_max && unused_count <= unused_max {
            return;
        }
        let mut oldest: Vec<(bool, u64, MailboxId)> =
            open.iter().map(|(id, mailbox)| (!unused(mailbox), mailbox.used.load(Ordering::Relaxed), *id)).collect();
        oldest.sort_unstable();
        for (in_use, _, id) in oldest {
            if messages <= messages_max && unused_count <= unused_max {
                return;
            }
            let Some(mailbox) = open.get(&id).filter(|_| id != except) else { continue };
            messages -= held(mailbox);
            if in_use {
                mailbox.forget();
            } else {
                unused_count -= 1;
                open.remove(&id);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
