//! What a database engine must give. SQLite is one; the fault-injecting wrapper of the tests is another.

use super::error::StoreError;
use super::tx::Session;
use std::path::Path;
use std::time::Duration;

/// How far a long operation has come: pages done, pages in all.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// What a connection mostly reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Bodies and what belongs to them: what came together lies together.
    Runs,
    /// Entries: single pages of the database, all over it.
    Scattered,
}

pub(crate) trait Engine: Send + Sync + 'static {
    /// A connection that writes. The store opens one.
    fn writer(&self) -> Result<Box<dyn Session>, StoreError>;
    /// A connection that can't write.
    fn reader(&self, reading: Reading) -> Result<Box<dyn Session>, StoreError>;
    /// The number of the newest migration that was applied; 0 for an empty database.
    fn version(&self, session: &mut dyn Session) -> Result<i64, StoreError>;
    /// Applies one migration file within the open transaction and records its number.
    fn migrate(&self, session: &mut dyn Session, version: i64, sql: &'static str) -> Result<(), StoreError>;
    /// A consistent copy of the database into one new file, while others read and write.
    fn backup(&self, to: &Path, progress: Progress<'_>) -> Result<(), StoreError>;
    /// The engine's own check of its files; each finding one line.
    fn integrity(&self, session: &mut dyn Session) -> Result<Vec<String>, StoreError>;
    /// Moves what was committed from the log into the database; called from time to time, off the writer's thread.
    fn checkpoint(&self) -> Result<(), StoreError>;
    /// Waits until that is due, at most for so long. `false`: never again.
    fn wait_for_checkpoint(&self, patience: Duration) -> bool;
    /// Whoever waits for it should not.
    fn stop_checkpoints(&self);
}
