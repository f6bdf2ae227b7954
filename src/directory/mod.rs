//! Layer 2: what an address is. Domains, aliases, `+detail`, catch-alls and split domains, as one snapshot of the store's
//! directory with the address graph built over it.
//!
//! [`Directory::snapshot`] gives the directory as it stands, [`Snapshot::resolve`] says where mail to an address goes
//! first, [`Snapshot::belongs_to`] and [`Snapshot::also_known_as`] say which names are whose. The order in which these
//! are tried is the graph's (`rules`), so that delivery and the save-time proof can't disagree.
//!
//! What it will not do: change anything (`admin`), run scripts (`filter`), or follow more than the first step (`delivery`).

mod names;
mod resolve;
mod snapshot;
#[cfg(test)]
mod tests;

pub use names::OwnNames;
pub use resolve::{Local, Matched, Resolution};
pub use snapshot::{Snapshot, graph_kind, mailbox_state};

// A word of `Resolution`, for those who may not know the graph it comes from.
pub use crate::rules::NotTaken;

use crate::rules::Limits;
use crate::store::{Store, StoreError};
use crate::types::limits::{ROOM_REMEMBERED_SECONDS, ROOMS_REMEMBERED_MAX};
use crate::types::{AccountId, Address, Timestamp};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The service. Clones share it.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    store: Store,
    limits: ArcSwap<Limits>,
    /// `None` before it was asked for.
    newest: ArcSwap<Option<Arc<Snapshot>>>,
    /// Held while a snapshot is read, so that a hundred sessions that see a change at once read it once.
    reading: tokio::sync::Mutex<()>,
    /// Accounts that had plenty of room when they were looked at, and until when that counts.
    rooms: Mutex<HashMap<AccountId, Timestamp>>,
}

/// What a message hardly ever exceeds. Sixteen times that is plenty.
const PLENTY_OCTETS: u64 = 4 * 1024 * 1024;

/// Frees what may be the last hold on a snapshot. Tens of thousands of addresses take some milliseconds for that as well.
pub fn let_go<T: Send + 'static>(snapshot: T) {
    tokio::task::spawn_blocking(move || drop(snapshot));
}

impl Directory {
    pub fn new(store: Store, limits: Limits) -> Self {
        let (limits, newest) = (ArcSwap::from_pointee(limits), ArcSwap::from_pointee(None));
        Self(Arc::new(Inner { store, limits, newest, reading: tokio::sync::Mutex::default(), rooms: Mutex::default() }))
    }

    /// From a reloaded configuration; what is stored already is not judged again.
    pub fn replace_limits(&self, limits: Limits) {
        self.0.limits.store(Arc::new(limits));
        self.0.newest.store(Arc::new(None));
    }

    /// What was read is read again when it is next asked for: parked accounts go without a change of the directory.
    pub fn forget(&self) {
        self.0.newest.store(Arc::new(None));
    }

    /// The directory as it stands at this moment. Costs one look at its generation while nothing changes.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let generation = self.0.store.directory_generation().await?;
        if let Some(newest) = self.fresh(generation) {
            return Ok(newest);
        }
        let _reading = self.0.reading.lock().await;
        if let Some(newest) = self.fresh(generation) {
            return Ok(newest);
        }
        let limits = **self.0.limits.load();
        let directory = self.0.store.directory().await?;
        // Tens of thousands of addresses take some milliseconds, which network threads don't have.
        let built = tokio::task::spawn_blocking(move || Arc::new(Snapshot::new(directory, limits)));
        let snapshot = built.await.map_err(|error| StoreError::Io(error.to_string()))?;
        let old = self.0.newest.swap(Arc::new(Some(Arc::clone(&snapshot))));
        let_go(old);
        Ok(snapshot)
    }

    /// Reads the directory ahead of who asks next, after a change of it.
    pub fn prepare(&self) {
        let directory = self.clone();
        tokio::spawn(async move {
            // Whoever asks next asks again, and hears why.
            let _ = directory.snapshot().await;
        });
    }

    /// Where mail to an address goes first.
    pub async fn resolve(&self, address: &Address) -> Result<Resolution, StoreError> {
        Ok(self.snapshot().await?.resolve(address))
    }

    /// Whether an account's mailboxes have room for so many octets, and for any at all; by the quota of the snapshot, by
    /// what is used now. Plenty of room is remembered for some seconds: the commit is what decides in the end.
    pub async fn has_room(&self, snapshot: &Snapshot, account: AccountId, octets: u64) -> Result<bool, StoreError> {
        let Some(quota) = snapshot.account_by_id(account).and_then(|record| record.quota_octets) else {
            return Ok(true);
        };
        let now = self.0.store.clock().now();
        if octets <= PLENTY_OCTETS && self.rooms().get(&account).is_some_and(|until| *until > now) {
            return Ok(true);
        }
        let Some(record) = self.0.store.account_by_id(account).await? else { return Ok(true) };
        let free = quota.saturating_sub(record.used_octets);
        let mut rooms = self.rooms();
        if rooms.len() >= ROOMS_REMEMBERED_MAX {
            rooms.clear();
        }
        if free / 16 >= PLENTY_OCTETS {
            rooms.insert(account, now.plus_seconds(ROOM_REMEMBERED_SECONDS));
        } else {
            rooms.remove(&account);
        }
        Ok(free > 0 && free >= octets)
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<AccountId, Timestamp>> {
        self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, generation: u64) -> Option<Arc<Snapshot>> {
        // Newer than asked for is as good: the change was committed meanwhile.
        let newest = self.0.newest.load();
        (**newest).as_ref().filter(|snapshot| snapshot.generation() >= generation).cloned()
    }
}
