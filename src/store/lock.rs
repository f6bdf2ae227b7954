//! One process owns a data directory: an advisory lock on a file in it, freed by the system however the process ends.

use super::error::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) const LOCK_FILE: &str = "lock";

/// Held as long as the store is open.
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    pub(super) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            // Whoever can read it can hold it.
            .mode(0o600)
            .open(&path)
            .map_err(|error| StoreError::ReadOnly(format!("{}: {error}", path.display())))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                return Err(StoreError::Owned(format!(
                    "the data directory {} is in use by process {}",
                    directory.display(),
                    owner.trim()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::Io(format!("{}: {error}", path.display()))),
        }
        // The number only helps a person to find the owner; a disk too full for it is no reason not to start.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}
