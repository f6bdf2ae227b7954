//! An engine that fails on purpose: the Nth call returns an error, or everything from the Nth write on is as if the
//! process had been killed there.

use crate::store::engine::{Engine, Progress, Reading};
use crate::store::sqlite::Sqlite;
use crate::store::tx::{Begin, Row, Session, Value};
use crate::store::{DATABASE_FILE, Store, StoreError};
use crate::types::Clock;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// What goes wrong, and how far off it is. Shared with the test, which arms it when its preparations are done.
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// Calls left before one fails; negative: never.
    calls: AtomicI64,
    /// Writes left before the process is "killed"; negative: never.
    writes: AtomicI64,
    disarmed: AtomicBool,
    full: AtomicBool,
}

impl Fault {
    pub(super) fn none() -> Arc<Self> {
        Arc::new(Self { calls: (-1).into(), writes: (-1).into(), disarmed: false.into(), full: false.into() })
    }

    /// The call after `calls` more fails, once.
    pub(super) fn fail_after(&self, calls: i64) {
        self.calls.store(calls, Ordering::SeqCst);
    }

    /// After `writes` more, nothing works and nothing more reaches the disk.
    pub(super) fn crash_after(&self, writes: i64) {
        self.writes.store(writes, Ordering::SeqCst);
    }

    /// The database can't grow any more, as on a full disk; or it can again.
    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.disarmed.store(true, Ordering::SeqCst);
    }

    /// Whether the armed fault has struck.
    pub(super) fn struck(&self) -> bool {
        self.calls.load(Ordering::SeqCst) == -1 && self.writes.load(Ordering::SeqCst) < 1
    }

    fn call(&self) -> Result<(), StoreError> {
        if self.disarmed.load(Ordering::SeqCst) || self.calls.load(Ordering::SeqCst) < 0 {
            return Ok(());
        }
        if self.calls.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(StoreError::Io("injected".to_owned()));
        }
        Ok(())
    }

    fn write(&self) -> Result<(), StoreError> {
        if self.disarmed.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.writes.load(Ordering::SeqCst) {
            // Dead: the connection is left as it is, its transaction open, as kill -9 leaves it.
            0 => Err(StoreError::Io("killed".to_owned())),
            left if left > 0 => {
                self.writes.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

struct FaultyEngine {
    inner: Sqlite,
    fault: Arc<Fault>,
}

/// A store over the engine with the fault. Reading is never disturbed: it is what the tests look with.
pub(super) fn open(directory: &Path, clock: Arc<dyn Clock>, fault: Arc<Fault>) -> Result<Store, StoreError> {
    let engine = FaultyEngine { inner: Sqlite::at(&directory.join(DATABASE_FILE)), fault };
    Store::open_engine(Arc::new(engine), directory, None, clock)
}

impl Engine for FaultyEngine {
    fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(FaultySession { inner: self.inner.writer()?, fault: Arc::clone(&self.fault) }))
    }

    fn reader(&self, reading: Reading) -> Result<Box<dyn Session>, StoreError> {
        self.inner.reader(reading)
    }

    fn version(&self, session: &mut dyn Session) -> Result<i64, StoreError> {
        self.inner.version(session)
    }

    fn migrate(&self, session: &mut dyn Session, version: i64, sql: &'static str) -> Result<(), StoreError> {
        self.inner.migrate(session, version, sql)
    }

    fn backup(&self, to: &Path, progress: Progress<'_>) -> Result<(), StoreError> {
        self.inner.backup(to, progress)
    }

    fn integrity(&self, session: &mut dyn Session) -> Result<Vec<String>, StoreError> {
        self.inner.integrity(session)
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn wait_for_checkpoint(&self, patience: Duration) -> bool {
        self.inner.wait_for_checkpoint(patience)
    }

    fn stop_checkpoints(&self) {
        self.inner.stop_checkpoints();
    }
}

struct FaultySession {
    inner: Box<dyn Session>,
    fault: Arc<Fault>,
}

impl Session for FaultySession {
    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<u64, StoreError> {
        self.fault.call()?;
        self.fault.write()?;
        self.inner.execute(sql, parameters)
    }

    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.fault.call()?;
        // INSERT and UPDATE … RETURNING come through here.
        self.fault.write()?;
        self.inner.query(sql, parameters, each)
    }

    fn begin(&mut self, kind: Begin) -> Result<(), StoreError> {
        self.fault.call()?;
        self.fault.write()?;
        let limit = if self.fault.full.load(Ordering::SeqCst) {
            "PRAGMA max_page_count = 1"
        } else {
            "PRAGMA max_page_count = 4294967294"
        };
        self.inner.query(limit, &[], &mut |_| Ok(ControlFlow::Continue(())))?;
        self.inner.begin(kind)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.fault.call()?;
        self.fault.write()?;
        self.inner.commit()
    }

    fn rollback(&mut self) {
        if self.fault.write().is_ok() {
            self.inner.rollback();
        }
    }

    fn savepoint(&mut self) -> Result<(), StoreError> {
        self.fault.call()?;
        self.fault.write()?;
        self.inner.savepoint()
    }

    fn release(&mut self) -> Result<(), StoreError> {
        self.fault.call()?;
        self.fault.write()?;
        self.inner.release()
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), StoreError> {
        self.fault.call()?;
        self.fault.write()?;
        self.inner.rollback_to_savepoint()
    }

    fn in_transaction(&self) -> bool {
        self.inner.in_transaction()
    }
}
