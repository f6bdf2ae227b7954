//! SQLite: connections and their settings, statements, backup. The only folder that names the driver.

mod log;
mod session;

use super::engine::{Engine, Progress, Reading};
use super::error::StoreError;
use super::tx::Session;
use log::Log;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use session::SqliteSession;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Statements kept prepared on each connection; the default of 16 would thrash.
const STATEMENT_CACHE: usize = 160;
/// 8 KiB: a page of 128 message entries fits one leaf without overflow.
const PAGE_OCTETS: i64 = 8192;
/// KiB of page cache of the writer, and of each reader.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
const READER_CACHE_KIB: i64 = 8 * 1024;
const SCATTERED_CACHE_KIB: i64 = 1024;
/// What the log's file is cut to when it starts again from its beginning.
const LOG_FILE_OCTETS: i64 = 64 * 1024 * 1024;
/// How long another program's lock is waited for before we say busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages copied in one step of a backup, so that the writer is held up for milliseconds only.
const BACKUP_STEP_PAGES: i32 = 256;

pub(crate) struct Sqlite {
    path: PathBuf,
    log: Arc<Log>,
}

impl Sqlite {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), log: Arc::default() }
    }

    /// The engine would make the file readable by everybody, and its log like it. One that is there stays as it is: its
    /// permissions are somebody's wish, and opening and closing it here would end the locks of other connections.
    fn create_private(&self) -> Result<(), StoreError> {
        use std::os::unix::fs::OpenOptionsExt;
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(StoreError::DiskFull),
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(StoreError::ReadOnly(format!("{}: {error}", self.path.display())))
            }
            _ => Ok(()),
        }
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| cause(&error))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| cause(&error))?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        Ok(connection)
    }
}

fn pragma(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<(), StoreError> {
    connection.pragma_update(None, name, value).map_err(|error| cause(&error))
}

impl Engine for Sqlite {
    fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        self.create_private()?;
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        // The page size counts only before the first table; WAL only after it.
        pragma(&connection, "page_size", PAGE_OCTETS)?;
        pragma(&connection, "journal_mode", "WAL")?;
        // FULL: a commit is on the disk when it returns. NORMAL would be faster and lose acknowledged mail with the power.
        pragma(&connection, "synchronous", "FULL")?;
        pragma(&connection, "foreign_keys", true)?;
        pragma(&connection, "cache_size", -WRITER_CACHE_KIB)?;
        pragma(&connection, "temp_store", "MEMORY")?;
        pragma(&connection, "journal_size_limit", LOG_FILE_OCTETS)?;
        // It takes the place of the engine's own way to keep the log short.
        connection.wal_hook(Some(log::hook));
        Ok(Box::new(SqliteSession::new(connection, Some(Arc::clone(&self.log)))))
    }

    fn reader(&self, reading: Reading) -> Result<Box<dyn Session>, StoreError> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        pragma(&connection, "query_only", true)?;
        match reading {
            Reading::Runs => {
                pragma(&connection, "cache_size", -READER_CACHE_KIB)?;
                pragma(&connection, "mmap_size", 1_i64 << 32)?;
            }
            // Of a mapped file the system reads 128 KiB around each page that is not in memory yet. For the 782 pages of a
            // mailbox of 100,000 messages, megabytes apart, that took 1.5 s on cold files, and this way 60 ms.
            Reading::Scattered => pragma(&connection, "cache_size", -SCATTERED_CACHE_KIB)?,
        }
        pragma(&connection, "temp_store", "MEMORY")?;
        Ok(Box::new(SqliteSession::new(connection, None)))
    }

    fn version(&self, session: &mut dyn Session) -> Result<i64, StoreError> {
        let mut number = |sql| {
            let mut found = 0;
            session.query(sql, &[], &mut |row| {
                found = row.int(0)?;
                Ok(std::ops::ControlFlow::Break(()))
            })?;
            Ok::<_, StoreError>(found)
        };
        let version = number("PRAGMA user_version")?;
        // A new file is empty, and every version of ours has these tables. Other programs count in the same place.
        let ours = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('body', 'mailbox')";
        let is_ours =
            if version == 0 { number("SELECT count(*) FROM sqlite_schema")? == 0 } else { number(ours)? == 2 };
        if !is_ours {
            return Err(StoreError::Damaged(format!("{} belongs to another program", self.path.display())));
        }
        Ok(version)
    }

    fn migrate(&self, session: &mut dyn Session, version: i64, sql: &'static str) -> Result<(), StoreError> {
        for statement in super::migrations::statements(sql) {
            session.execute(statement, &[])?;
        }
        session.execute(USER_VERSIONS.get(version_index(version)?).copied().unwrap_or(""), &[])?;
        Ok(())
    }

    fn backup(&self, to: &Path, progress: Progress<'_>) -> Result<(), StoreError> {
        let from = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // A snapshot held open makes the copy one moment's state without restarting at each foreign commit.
        from.execute_batch("BEGIN; SELECT count(*) FROM setting;").map_err(|error| cause(&error))?;
        let mut target = Connection::open(to).map_err(|error| cause(&error))?;
        {
            let backup = rusqlite::backup::Backup::new(&from, &mut target).map_err(|error| cause(&error))?;
            loop {
                let step = backup.step(BACKUP_STEP_PAGES).map_err(|error| cause(&error))?;
                let state = backup.progress();
                let all = u64::try_from(state.pagecount).unwrap_or(0);
                progress(all - u64::try_from(state.remaining).unwrap_or(0), all);
                match step {
                    rusqlite::backup::StepResult::Done => break,
                    rusqlite::backup::StepResult::More => {}
                    _ => return Err(StoreError::Busy),
                }
            }
        }
        // One file, complete without a log beside it.
        target.pragma_update(None, "journal_mode", "DELETE").map_err(|error| cause(&error))?;
        target.close().map_err(|(_, error)| cause(&error))
    }

    fn integrity(&self, session: &mut dyn Session) -> Result<Vec<String>, StoreError> {
        let mut findings = Vec::new();
        for check in ["PRAGMA integrity_check", "PRAGMA foreign_key_check"] {
            session.query(check, &[], &mut |row| {
                let finding = row.text(0)?;
                if finding != "ok" {
                    findings.push(format!("{check}: {finding}"));
                }
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
        }
        Ok(findings)
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        if self.log.pass_begins() {
            let moved_all = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|connection| checkpoint(&connection));
            self.log.pass_ended(*moved_all.as_ref().unwrap_or(&false));
            moved_all?;
        }
        Ok(())
    }

    fn wait_for_checkpoint(&self, patience: Duration) -> bool {
        self.log.wait(patience)
    }

    fn stop_checkpoints(&self) {
        self.log.stop();
    }
}

/// Moves what is in the log into the database, as far as nobody is in the way. Whether that was all.
fn checkpoint(connection: &Connection) -> Result<bool, StoreError> {
    let moved = |row: &rusqlite::Row<'_>| {
        let [busy, in_log, moved] = [row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?];
        Ok(busy == 0 && moved >= in_log)
    };
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], moved).map_err(|error| cause(&error))
}

/// Pragmas take no parameters and statements are `'static`: one text per version we know.
const USER_VERSIONS: [&str; 6] = [
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 2",
    "PRAGMA user_version = 3",
    "PRAGMA user_version = 4",
    "PRAGMA user_version = 5",
    "PRAGMA user_version = 6",
];

fn version_index(version: i64) -> Result<usize, StoreError> {
    usize::try_from(version - 1)
        .ok()
        .filter(|index| *index < USER_VERSIONS.len())
        .ok_or_else(|| StoreError::Damaged(format!("there is no migration {version}")))
}

/// The engine's error as one of our causes.
fn cause(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    let Some(code) = error.sqlite_error() else { return StoreError::Damaged(text) };
    // Opening on a full disk fails at the log's shared index, which the engine calls an I/O error.
    if code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE {
        return StoreError::DiskFull;
    }
    match code.code {
        ErrorCode::DiskFull => StoreError::DiskFull,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => StoreError::ReadOnly(text),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged(text),
        ErrorCode::ConstraintViolation => StoreError::Damaged(text),
        _ => StoreError::Io(text),
    }
}
