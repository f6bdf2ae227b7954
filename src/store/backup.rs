//! The whole store as one file, taken while it works, and put back.
//!
//! A file never appears half written under its final name: it is written beside it, synced, and renamed.

use super::engine::Progress;
use super::lock::DirectoryLock;
use super::{DATABASE_FILE, Store, StoreError, verify};
use crate::types::{WholeFile, WholeFileError, directory_of};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A complete restored database that waits to take the old one's place.
const RESTORED_FILE: &str = "mail.db.restored";
/// What was there before a restore. With a number from 2 behind it when one of them is kept already: of several restores in
/// a row, the first is the one that took away what can't be had again.
const BEFORE_FILE: &str = "mail.db.before-restore";
/// How far UIDs and modification sequences jump at a restore, beyond anything given out since the backup.
const UID_JUMP: i64 = 1 << 22;
const MODSEQ_JUMP: i64 = 1 << 40;
const COPY_OCTETS: usize = 1 << 20;

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        std::io::ErrorKind::PermissionDenied
        | std::io::ErrorKind::ReadOnlyFilesystem
        | std::io::ErrorKind::NotFound
        | std::io::ErrorKind::NotADirectory
        | std::io::ErrorKind::InvalidFilename => StoreError::ReadOnly(format!("{}: {error}", path.display())),
        _ => StoreError::Io(format!("{}: {error}", path.display())),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    let directory = directory_of(path);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io(directory))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to).map_err(io(to))?;
    sync_directory_of(to)
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}

impl Store {
    /// One consistent file, readable by its owner alone. Blocks: for a thread of its own. An existing file is replaced
    /// only by a complete new one; what is no plain file, and what is in the data directory, stays what it is.
    pub fn backup(&self, to: &Path, progress: Progress<'_>) -> Result<(), StoreError> {
        if is_ours(&self.0.directory, to) {
            return Err(StoreError::Place(format!("{}: this is a file of the server's own", to.display())));
        }
        let file = WholeFile::create(to, 0o600)?;
        self.0.engine.backup(file.part(), progress)?;
        Ok(file.finish()?)
    }
}

/// Whether something of the data directory would be replaced, or something put there that the next start takes for its own;
/// whatever the way there is called.
fn is_ours(directory: &Path, file: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    let is_there = whole(directory).is_some_and(|directory| whole(directory_of(file)) == Some(directory));
    let name = file.file_name().unwrap_or_default().as_encoded_bytes();
    is_there && (file.exists() || name.starts_with(DATABASE_FILE.as_bytes()))
}

impl From<WholeFileError> for StoreError {
    fn from(error: WholeFileError) -> Self {
        match error {
            WholeFileError::Io(path, error) => io(&path)(error),
            WholeFileError::Taken(..) | WholeFileError::BeingWritten(_) => Self::Place(error.to_string()),
        }
    }
}

fn create_private(path: &Path) -> Result<File, StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io(path))
}

/// Puts a backup in a data directory's place. Answers where it keeps what was there. Nobody may have the directory open.
/// The backup is verified first; numbers that clients remember jump ahead, so that nothing given out after the backup is
/// ever given out again for something else.
pub fn restore(directory: &Path, from: &Path, progress: Progress<'_>) -> Result<Option<PathBuf>, StoreError> {
    let findings = verify::verify_file(from, &mut |_, _| {})?;
    if let Some(first) = findings.first() {
        return Err(StoreError::Damaged(format!(
            "{}: {} finding(s), the first: {first}; nothing was changed",
            from.display(),
            findings.len()
        )));
    }
    super::make_directory(directory)?;
    let lock = DirectoryLock::take(directory)?;
    let restored = directory.join(RESTORED_FILE);
    let part = beside(&restored, ".part");
    remove_if_there(&part)?;
    let prepared = copy(from, &part, progress).and_then(|()| jump_ahead(&part));
    if prepared.is_err() {
        let _ = remove_if_there(&part);
    }
    prepared?;
    // From the next line on the restore is decided: whatever ends the process, opening the store finishes it.
    rename(&part, &restored)?;
    let kept = finish_interrupted_restore(directory)?;
    drop(lock);
    Ok(kept)
}

fn copy(from: &Path, to: &Path, progress: Progress<'_>) -> Result<(), StoreError> {
    let mut source = File::open(from).map_err(io(from))?;
    let all = source.metadata().map_err(io(from))?.len();
    let mut target = create_private(to)?;
    let mut buffer = vec![0_u8; COPY_OCTETS];
    let mut done = 0;
    loop {
        let count = source.read(&mut buffer).map_err(io(from))?;
        if count == 0 {
            break;
        }
        target.write_all(&buffer[..count]).map_err(io(to))?;
        done += count as u64;
        progress(done, all);
    }
    target.sync_all().map_err(io(to))
}

fn jump_ahead(database: &Path) -> Result<(), StoreError> {
    use super::engine::Engine;
    use super::tx::Begin;
    let engine = Arc::new(super::sqlite::Sqlite::at(database));
    let mut session = engine.writer()?;
    super::migrations::migrate(engine.as_ref(), session.as_mut())?;
    session.begin(Begin::Write)?;
    session.execute("UPDATE usage SET modseq = modseq + ?1", &[MODSEQ_JUMP.into()])?;
    session.execute(
        "UPDATE mailbox SET uidnext = min(uidnext + ?1, 4294967295),
                expunge_floor = (SELECT u.modseq FROM usage u WHERE u.account_id = mailbox.account_id),
                highest_modseq = (SELECT u.modseq FROM usage u WHERE u.account_id = mailbox.account_id)",
        &[UID_JUMP.into()],
    )?;
    session.execute(
        "UPDATE account SET uidvalidity_last = uidvalidity_last + 1000000,
                credential_generation = credential_generation + 1000000",
        &[],
    )?;
    // Mail that was queued then has long been sent: it is held for the administrator to decide, not sent twice.
    session.execute("UPDATE send SET state = 'held'", &[])?;
    session.commit()?;
    session.query("PRAGMA journal_mode = DELETE", &[], &mut |_| Ok(std::ops::ControlFlow::Continue(())))?;
    drop(session);
    File::open(database).and_then(|file| file.sync_all()).map_err(io(database))
}

/// Puts a complete restored database in place. Its steps can be repeated after any interruption.
pub(super) fn finish_interrupted_restore(directory: &Path) -> Result<Option<PathBuf>, StoreError> {
    let restored = directory.join(RESTORED_FILE);
    if !restored.exists() {
        return Ok(None);
    }
    let database = directory.join(DATABASE_FILE);
    let mut kept = None;
    if database.exists() {
        // Its log holds commits that belong to it: opening and closing it folds them in, so that what is kept is whole.
        drop(super::engine::Engine::writer(&super::sqlite::Sqlite::at(&database)));
        let before = free_name(&directory.join(BEFORE_FILE));
        rename(&database, &before)?;
        kept = Some(before);
    }
    remove_if_there(&beside(&database, "-wal"))?;
    remove_if_there(&beside(&database, "-shm"))?;
    rename(&restored, &database)?;
    Ok(kept)
}

fn free_name(wanted: &Path) -> PathBuf {
    let numbered = (2_u32..).map(|number| beside(wanted, &format!(".{number}")));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| name.symlink_metadata().is_err()).unwrap_or_else(|| wanted.to_owned())
}
