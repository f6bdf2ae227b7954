//! Counters that rise when what caches hold may have changed: after the commit, and before anybody hears of it. The writer
//! raises them, because a caller can go away while its write is under way, and the write happens all the same.

use super::tx::Tx;
use super::{Store, StoreError};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Generations {
    scripts: AtomicU64,
    mailboxes: AtomicU64,
    pub(super) keys: AtomicU64,
    event_scripts: AtomicU64,
    /// One above the stored number; 0 until it was read.
    directory: AtomicU64,
}

impl Default for Generations {
    fn default() -> Self {
        Self {
            scripts: AtomicU64::new(1),
            mailboxes: AtomicU64::new(1),
            keys: AtomicU64::new(1),
            event_scripts: AtomicU64::new(1),
            directory: AtomicU64::new(0),
        }
    }
}

/// What a transaction makes stale once it is committed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stale {
    pub(super) scripts: bool,
    /// Their names and uses, not what lies in them.
    pub(super) mailboxes: bool,
    /// Of DKIM.
    pub(super) keys: bool,
    pub(super) event_scripts: bool,
    /// The directory's new number.
    pub(super) directory: Option<u64>,
}

impl Stale {
    pub(super) fn merge(&mut self, other: Self) {
        self.scripts |= other.scripts;
        self.mailboxes |= other.mailboxes;
        self.keys |= other.keys;
        self.event_scripts |= other.event_scripts;
        self.directory = self.directory.max(other.directory);
    }
}

impl Generations {
    pub(super) fn raise(&self, stale: Stale) {
        if stale.scripts {
            self.scripts.fetch_add(1, Ordering::AcqRel);
        }
        if stale.mailboxes {
            self.mailboxes.fetch_add(1, Ordering::AcqRel);
        }
        if stale.keys {
            self.keys.fetch_add(1, Ordering::AcqRel);
        }
        if stale.event_scripts {
            self.event_scripts.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(generation) = stale.directory {
            self.directory.fetch_max(generation + 1, Ordering::AcqRel);
        }
    }
}

impl Store {
    /// Rises with every change of a script that somebody wrote. What was read while it stood still is still so.
    pub fn script_generation(&self) -> u64 {
        self.0.generations.scripts.load(Ordering::Acquire)
    }

    /// Rises when a mailbox is made, renamed, removed or given another use, whoever's it is.
    pub fn mailbox_generation(&self) -> u64 {
        self.0.generations.mailboxes.load(Ordering::Acquire)
    }

    /// Rises when another script is to run upon what happens in a mailbox.
    pub fn event_script_generation(&self) -> u64 {
        self.0.generations.event_scripts.load(Ordering::Acquire)
    }

    /// Counts changes of the directory. Read from the database once, and kept from then on.
    pub async fn directory_generation(&self) -> Result<u64, StoreError> {
        let known = &self.0.generations.directory;
        if let Some(generation) = known.load(Ordering::Acquire).checked_sub(1) {
            return Ok(generation);
        }
        let read = self.read(|tx: &mut Tx<'_>| super::directory_reads::generation(tx)).await?;
        // A change that was committed meanwhile has put a higher number there.
        Ok(known.fetch_max(read + 1, Ordering::AcqRel).max(read + 1) - 1)
    }
}
