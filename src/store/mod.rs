//! Everything that is remembered: one database, one writer with group commit, a few readers.
//!
//! A method is a whole transaction, in mail words, with all its input first; SQL and transaction handles never leave this
//! module. A write is answered when it is on the disk. Methods are written once over [`tx::Tx`], in the SQL that SQLite
//! and PostgreSQL share; `sqlite/` is the only place that names the engine. What this module will not do: decide anything
//! about mail, or hold anything open while a client is written to.
//!
//! | file | remembers |
//! |---|---|
//! | `directory_changes`, `directory_reads` | domains, accounts, addresses and their switches, as one graph |
//! | `credentials` | password hashes, SCRAM keys, app passwords |
//! | `scripts`, `compiled` | Sieve scripts with their versions, personal and compiled |
//! | `mailboxes`, `pages`, `messages`, `flags`, `expunge` | mailboxes and what lies in them |
//! | `copies`, `threads`, `acl`, `annotations` | copies of many messages, what belongs together, rights, metadata |
//! | `bodies` | octets, what IMAP wants to know of them, search text |
//! | `changes` | what observers are told of a commit |
//! | `deposit` | one delivery: bodies, filings, sends, memories, ledger in one transaction |
//! | `sends`, `turns` | the queue: its rows, and the way through them by index |
//! | `memory`, `peers`, `ledger`, `keys`, `settings` | who was answered, what is known of others, what was decided, DKIM, the rest |
//! | `verify`, `backup`, `upkeep` | checks, copies, removal of what nobody names |

mod acl;
mod annotations;
mod backup;
mod bodies;
mod changes;
mod compiled;
mod copies;
mod credentials;
mod deposit;
mod directory_changes;
mod directory_reads;
mod engine;
mod error;
mod expunge;
mod faults;
mod flags;
mod generations;
mod keys;
mod ledger;
mod lock;
mod mailboxes;
mod memory;
mod messages;
mod migrations;
mod pages;
mod peers;
mod quota;
mod readers;
mod reading;
mod scripts;
mod sends;
mod settings;
mod sqlite;
#[cfg(test)]
mod tests;
mod threads;
mod turns;
mod tx;
mod upkeep;
mod verify;
mod whole_mailboxes;
mod writer;

pub use acl::{AclChange, AclEntry, Grant, Granted, Grantee, SharedMailbox};
pub use annotations::{Annotated, Annotation, Audience, EVENT_SCRIPT_ENTRY, NewAnnotation};
pub use backup::restore;
pub use bodies::{BodyIndex, BodyRecord, BodyView, Chunk, LargeBody, NewBody, Packing, Sketch, chunks_of};
pub use changes::{Change, MessageChange, Touched};
pub use credentials::{AppPasswordRecord, LoginRecord};
pub use deposit::{BodyChoice, Deposit, Deposited, Filed, Filing, FilingPlace};
pub use directory_changes::{Credentials, DirectoryChange, NewAccount, NewDomain, ParkReason};
pub use directory_reads::{
    AccountRecord, AccountState, AddressRecord, Directory, DomainKind, DomainRecord, Names, TargetState,
};
pub use engine::Progress;
pub use error::{StoreError, Thing};
pub use faults::{ActiveScript, FaultRecord, ScriptFault};
pub use flags::{FlagChange, FlagOutcome, FlagVerb};
pub use keys::{DkimAlgorithm, DkimKey, DkimKeyState};
pub use ledger::{LedgerEntry, LedgerFilter, LedgerRecord};
pub use mailboxes::{MailboxRecord, NewMailbox};
pub use memory::{Answered, Duplicate};
pub use messages::{Changes, CopyOutcome};
pub use pages::{ENTRIES_PER_PAGE, Entry};
pub use peers::TransportPolicy;
pub use quota::Quota;
pub use reading::{BodyRow, Detail};
pub use scripts::{CompiledRecord, ScriptNamed, ScriptOwner, ScriptRecord, ScriptText, VersionRecord, VersionSource};
pub use sends::{NewSend, SendDetails, SendKind, SendRecord, SendState, SendTrouble, TroubledDestination, Waiting};
pub use threads::Unthreaded;
pub use turns::{PutOff, Refusing, SendEnd, Settlement, Taken, TargetNews, TargetNote, Turn};
pub use verify::{Finding, verify_file};

use crate::types::Clock;
use crate::types::limits::{LARGE_MAILBOXES_READ_MAX, MAILBOX_READERS, READERS};
use engine::{Engine, Reading};
use generations::Generations;
use lock::DirectoryLock;
use readers::Readers;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Semaphore, oneshot};
use tx::Tx;
use writer::Writer;

/// The database's name in the data directory.
pub const DATABASE_FILE: &str = "mail.db";

type Listeners<T> = RwLock<Vec<Arc<dyn Fn(&[T]) + Send + Sync>>>;

/// Who hears of commits.
#[derive(Default)]
struct Observers {
    mailboxes: Listeners<Touched>,
    sends: Listeners<Waiting>,
}

impl Observers {
    fn touched(&self, touched: &[Touched]) {
        tell(&self.mailboxes, touched);
    }

    fn waiting(&self, waiting: &[Waiting]) {
        tell(&self.sends, waiting);
    }
}

fn tell<T>(listeners: &Listeners<T>, news: &[T]) {
    for listener in listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
        listener(news);
    }
}

/// The open store. Clones share it; the last one to go finishes what is queued and frees the directory.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    // Dropped in this order: no new checkpoint, readers gone, queued writes done. The writer's connection closes last,
    // because only one that may write folds the log into the database.
    _upkeep: upkeep::Checkpointer,
    readers: Readers,
    /// Apart, so that nobody waits for a mailbox behind other people's searches.
    mailbox_readers: Readers,
    /// Who reads a large mailbox has one of these.
    large_mailboxes: Semaphore,
    writer: Writer,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    observers: Arc<Observers>,
    generations: Arc<Generations>,
    directory: PathBuf,
    _lock: Option<DirectoryLock>,
}

impl Store {
    /// Opens the data directory, making it and its database if they are not there, and brings it to the newest shape.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        make_directory(directory)?;
        let lock = DirectoryLock::take(directory)?;
        backup::finish_interrupted_restore(directory)?;
        let engine = sqlite::Sqlite::at(&directory.join(DATABASE_FILE));
        let opened = Self::open_engine(Arc::new(engine), directory, Some(lock), clock);
        give_to_owner(directory);
        opened.map_err(|error| match error {
            StoreError::ReadOnly(why) => StoreError::ReadOnly(format!("{}: {why}", directory.display())),
            other => other,
        })
    }

    fn open_engine(
        engine: Arc<dyn Engine>,
        directory: &Path,
        lock: Option<DirectoryLock>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut session = engine.writer()?;
        migrations::migrate(engine.as_ref(), session.as_mut())?;
        let observers = Arc::new(Observers::default());
        let generations = Arc::new(Generations::default());
        let writer = Writer::start(session, Arc::clone(&generations), Arc::clone(&observers))?;
        let readers = Readers::start(engine.as_ref(), Reading::Runs, READERS)?;
        let mailbox_readers = Readers::start(engine.as_ref(), Reading::Scattered, MAILBOX_READERS)?;
        Ok(Self(Arc::new(Inner {
            _upkeep: upkeep::Checkpointer::start(Arc::clone(&engine))?,
            writer,
            readers,
            mailbox_readers,
            large_mailboxes: Semaphore::new(LARGE_MAILBOXES_READ_MAX),
            engine,
            clock,
            observers,
            generations,
            directory: directory.to_owned(),
            _lock: lock,
        })))
    }

    /// Called after each commit with what was touched, before those who caused it are answered, on the writer's thread:
    /// be quick, never block, never call back.
    pub fn observe(&self, observer: impl Fn(&[Touched]) + Send + Sync + 'static) {
        self.0.observers.mailboxes.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(observer));
    }

    /// The same with the destinations that something waits for, since this commit or from an earlier time than before.
    pub fn observe_sends(&self, observer: impl Fn(&[Waiting]) + Send + Sync + 'static) {
        self.0.observers.sends.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(observer));
    }

    pub fn directory_path(&self) -> &Path {
        &self.0.directory
    }

    /// Octets that the file system still has for us. Costs one call of the system.
    pub fn free_octets(&self) -> Result<u64, StoreError> {
        let status =
            nix::sys::statvfs::statvfs(&self.0.directory).map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(status.blocks_available().saturating_mul(status.fragment_size()))
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// `octets`: roughly how much the job writes, so that a batch stays within `COMMIT_OCTETS_MAX`. The job may run twice.
    async fn write<T, F>(&self, octets: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.writer.write(octets, work).await
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.begin_read(work).await
    }

    /// Queued at once, whether or not anybody waits for the answer yet.
    fn begin_read<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        answered(self.0.readers.read(work))
    }

    /// The same for what lies all over the database.
    fn begin_read_scattered<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        answered(self.0.mailbox_readers.read(work))
    }

    /// For callers on threads of their own, such as a running script's host. Must not be called on a network thread.
    fn read_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.readers.read(work).blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.await.unwrap_or(Err(StoreError::Closed))
}

/// What root's commands make in another user's directory is that user's, or his server could not start any more. Whoever
/// is not root has made nothing that is not his own.
fn give_to_owner(directory: &Path) {
    use std::os::unix::fs::{MetadataExt, lchown};
    let Ok(owner) = std::fs::metadata(directory) else { return };
    for name in [lock::LOCK_FILE, DATABASE_FILE] {
        let path = directory.join(name);
        if std::fs::symlink_metadata(&path).is_ok_and(|file| file.uid() != owner.uid())
            && let Err(error) = lchown(&path, Some(owner.uid()), Some(owner.gid()))
        {
            tracing::warn!(%error, file = %path.display(), "belongs to somebody else than the directory does");
        }
    }
}

/// The data directory holds everybody's mail: nobody but its owner may look inside.
fn make_directory(directory: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| StoreError::ReadOnly(format!("{}: {error}", directory.display())))
}
