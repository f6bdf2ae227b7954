//! Layer 2: one function per administrator act. The command line, the control socket, HTTP and the web are skins on it.
//!
//! Each act is a request type that implements [`Act`]: a name, an answer type, and `run`. Requests and answers are plain
//! data that serde reads and writes, so the same act runs in the server, on behalf of a socket's peer, or in a command's own
//! process. [`perform`] finds an act by its name.
//!
//! Every change of the directory takes the same way (`change`): decide on a snapshot, check the switches, prove the address
//! graph with the change in it, compile the scripts of all addresses it touches, and store everything as one transaction
//! that is refused if the directory has moved on meanwhile; then it is decided anew. So two administrators at once can't make
//! together what each alone would be refused. The answer says what mail to the touched addresses does from now on.
//!
//! | file | acts |
//! |---|---|
//! | `domains`, `accounts`, `app_passwords`, `aliases`, `redirections`, `responders` | add, list, show, set, remove, … |
//! | `dkim` | keys that sign a domain's mail, and when others take over |
//! | `neighbour` | what a split domain's other server says |
//! | `dns` | the records a domain needs, and what DNS answers |
//! | `trace` | a message's life, from the ledger |
//! | `convert` | mailbox to redirection or alias, and back |
//! | `faults` | what is wrong with the scripts that run |
//! | `doubts` | what works in a script and is probably not meant |
//! | `scripts` | Sieve scripts of people, domains and the server; what switches were compiled to |
//! | `shown` | what a person sees of all scripts that treat his mail |
//! | `queue` | mail on its way out: list, show, retry, hold, release, remove |
//! | `explain` | what will happen to a mail |
//! | `transfer` | mail carried in and out |
//! | `keep` | verify, backup, status, check |
//!
//! What it will not do: parse command lines, print, open sockets, or decide who may ask: a skin passes only callers that may.

mod accounts;
mod aliases;
mod app_passwords;
mod causes;
mod change;
mod convert;
mod difference;
mod dkim;
mod dns;
mod domains;
mod doubts;
mod draft;
mod error;
mod explain;
mod faults;
mod keep;
mod meant;
mod neighbour;
mod queue;
mod recompile;
mod redirections;
mod reserved;
mod responders;
mod scripts;
mod shown;
#[cfg(test)]
mod tests;
mod trace;
mod transfer;
mod views;
pub mod words;

pub use accounts::{
    AccountAdd, AccountAdded, AccountChanges, AccountList, AccountPassword, AccountRemove, AccountRestore,
    AccountResume, AccountSet, AccountShow, AccountSuspend, NewPassword, PasswordSet, Quota,
};
pub use aliases::{AliasAdd, AliasList, AliasPause, AliasRemove, AliasResume};
pub use app_passwords::{AppPasswordAdd, AppPasswordAdded, AppPasswordList, AppPasswordRemove, AppPasswordView};
pub use causes::{AddressCause, DomainCause, ScriptCause};
pub use change::{Done, MailNow};
pub use convert::{Convert, ConvertTo};
pub use dkim::{DomainRotateKeys, KeyView, KeysRotated, RotateWhen};
pub use dns::{DnsShow, DnsView, LeftOut, OfferedService, Reached, RecordView, Verdict};
pub use domains::{CatchAll, DomainAdd, DomainList, DomainRemove, DomainSet, DomainShow, Hosting};
pub use doubts::{ScriptCheck, ScriptChecked};
pub use error::{Cause, Consequence, Problem, Refused, Side, Told};
pub use explain::{Explain, Explained, Octets};
pub use faults::{FaultView, Happened, ScriptFaults};
pub use keep::{
    Backup, BackupDone, Check, Checked, ListeningView, RunningView, Status, StatusView, Verified, Verify,
    restore_backup, verify_backup,
};
pub use neighbour::{Asked, Neighbours};
pub use queue::{
    QueueCause, QueueHold, QueueList, QueueRelease, QueueRemove, QueueRetried, QueueRetry, QueueShow, QueueView,
};
// Words of `QueueView`, for those who may not know the store.
pub use crate::store::{SendKind, SendState};
pub use redirections::{RedirectAdd, RedirectList, RedirectPause, RedirectRemove, RedirectResume, RedirectShow};
pub use responders::{
    ReceivedChoice, ResponderList, ResponderPause, ResponderRemove, ResponderResume, ResponderSet, ResponderShow,
};
pub use scripts::{
    CompiledShow, CompiledView, DifferenceView, ScriptActivate, ScriptDeactivate, ScriptDifference, ScriptGet,
    ScriptHistory, ScriptList, ScriptPut, ScriptPutDone, ScriptRemove, ScriptRename, ScriptRollback, ScriptTextView,
    ScriptView, ScriptWhere, ScriptWhereError, VersionView, check_script,
};
pub use shown::{SHOWN_PREFIX, ShownScript};
pub use trace::{EventView, MessageTrace, Trace, TraceAbout, TraceView};
pub use transfer::{
    CarriedMessage, ExportMessages, ExportedPage, ImportMessages, Imported, MailFolderView, MailFolders,
};
pub use views::{
    AccountView, AliasView, DomainKindView, DomainView, ParkedView, RedirectionView, ResponderView, TargetView,
};

use crate::auth::Auth;
use crate::delivery::Delivery;
use crate::directory::{Directory, Snapshot};
use crate::dns::Resolver;
use crate::queue::Nudge;
use crate::rules::{AddressRules, PasswordRules};
use crate::store::{AddressRecord, Store};
use crate::types::{Domain, Timestamp};
use arc_swap::ArcSwap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What the configuration says about administrators' acts.
#[derive(Clone, Debug)]
pub struct Settings {
    pub address: AddressRules,
    pub password: PasswordRules,
    /// How long removed mail stays parked.
    pub keep_days: u32,
    pub script_octets_max: usize,
    /// Our own name: mail handed to it comes back to us.
    pub hostname: Domain,
    /// What people's programs can look up in DNS.
    pub services: Vec<OfferedService>,
    /// Everything goes out by it.
    pub smarthost: Option<String>,
}

/// The office. Clones share it.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    store: Store,
    directory: Directory,
    auth: Auth,
    delivery: Delivery,
    settings: ArcSwap<Settings>,
    running: ArcSwap<Option<Running>>,
    resolver: ArcSwap<Option<Arc<dyn Resolver>>>,
    neighbours: ArcSwap<Option<Arc<dyn Neighbours>>>,
    /// Held while the directory is changed.
    changing: tokio::sync::Mutex<()>,
}

/// What a running server tells of itself. Nothing, when an act runs in a command's own process.
#[derive(Clone, Debug)]
pub struct Running {
    pub since: Timestamp,
    /// Each service with the address it listens on.
    pub listening: Vec<(String, String)>,
    /// Mail goes out of it.
    pub queue: Nudge,
}

impl Admin {
    pub fn new(store: Store, directory: Directory, auth: Auth, delivery: Delivery, settings: Settings) -> Self {
        let (settings, running) = (ArcSwap::from_pointee(settings), ArcSwap::from_pointee(None));
        let (resolver, neighbours) = (ArcSwap::from_pointee(None), ArcSwap::from_pointee(None));
        let changing = tokio::sync::Mutex::default();
        let inner = Inner { store, directory, auth, delivery, settings, running, resolver, neighbours, changing };
        Self(Arc::new(inner))
    }

    /// From a reloaded configuration.
    pub fn replace_settings(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
    }

    /// Called once everything listens.
    pub fn set_running(&self, running: Running) {
        self.0.running.store(Arc::new(Some(running)));
    }

    /// Whom to ask what DNS says. Without one, nothing is known of it.
    pub fn set_resolver(&self, resolver: Arc<dyn Resolver>) {
        self.0.resolver.store(Arc::new(Some(resolver)));
    }

    /// Who calls other servers. Without, nobody knows what they would say.
    pub fn set_neighbours(&self, neighbours: Arc<dyn Neighbours>) {
        self.0.neighbours.store(Arc::new(Some(neighbours)));
    }

    fn neighbours(&self) -> Option<Arc<dyn Neighbours>> {
        self.0.neighbours.load().as_ref().clone()
    }

    fn resolver(&self) -> Option<Arc<dyn Resolver>> {
        self.0.resolver.load().as_ref().clone()
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn directory(&self) -> &Directory {
        &self.0.directory
    }

    fn delivery(&self) -> &Delivery {
        &self.0.delivery
    }

    fn auth(&self) -> &Auth {
        &self.0.auth
    }

    fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }
}

/// On whose behalf an act is done.
#[derive(Clone)]
pub struct Caller {
    /// Written beside every version: a user of this machine, or an administrator's address.
    pub author: String,
    /// A network address, or `local`.
    pub origin: String,
    pub progress: Progress,
}

/// Told how far a long act has come: steps done, steps in all. Called often, from any thread.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Progress {
    pub fn new(told: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    fn tell(&self, done: u64, all: u64) {
        if let Some(told) = &self.0 {
            told(done, all);
        }
    }
}

/// What [`perform`] does by name. Only the table says so: an act that is missing there does not compile, where it would
/// have worked in a command's own process and not beside a running server.
pub trait InTable {}

/// One act of an administrator, with all it needs to know.
pub trait Act: InTable + Serialize + DeserializeOwned + Send + 'static {
    /// As the command line says it: `alias add`.
    const NAME: &'static str;
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    fn run(self, admin: &Admin, caller: &Caller) -> impl Future<Output = Result<Self::Answer, Refused>> + Send;
}

macro_rules! acts {
    ($($act:ty),* $(,)?) => {
        /// Does the act of this name, from and to JSON. What a socket's peer may ask for is this table.
        pub async fn perform(
            admin: &Admin,
            caller: &Caller,
            name: &str,
            request: serde_json::Value,
        ) -> Result<serde_json::Value, Refused> {
            match name {
                $(<$act>::NAME => Box::pin(perform_as::<$act>(admin, caller, request)).await,)*
                other => Err(Cause::UnknownAct(other.chars().take(60).collect()).into()),
            }
        }

        $(impl InTable for $act {})*

        /// Every name that [`perform`] knows.
        pub const ACTS: &[&str] = &[$(<$act>::NAME),*];
    };
}

acts! {
    DomainAdd, DomainList, DomainShow, DomainSet, DomainRemove, DomainRotateKeys, DnsShow,
    AccountAdd, AccountList, AccountShow, AccountSet, AccountPassword, AccountSuspend, AccountResume, AccountRemove,
    AccountRestore,
    AppPasswordAdd, AppPasswordList, AppPasswordRemove,
    AliasAdd, AliasList, AliasPause, AliasResume, AliasRemove,
    RedirectAdd, RedirectList, RedirectShow, RedirectPause, RedirectResume, RedirectRemove,
    ResponderSet, ResponderList, ResponderShow, ResponderPause, ResponderResume, ResponderRemove,
    Convert,
    ScriptPut, ScriptGet, ScriptList, ScriptActivate, ScriptDeactivate, ScriptRemove, ScriptRename, ScriptHistory, ScriptRollback,
    ScriptDifference, ScriptCheck, ScriptFaults, CompiledShow,
    QueueList, QueueShow, QueueRetry, QueueHold, QueueRelease, QueueRemove,
    Explain,
    MailFolders, ImportMessages, ExportMessages,
    Status, Check, Verify, Backup, Trace,
}

async fn perform_as<A: Act>(
    admin: &Admin,
    caller: &Caller,
    request: serde_json::Value,
) -> Result<serde_json::Value, Refused> {
    let request: A = serde_json::from_value(request).map_err(|error| Cause::BadRequest(error.to_string()))?;
    let answer = request.run(admin, caller).await?;
    serde_json::to_value(answer).map_err(|error| Cause::BadRequest(error.to_string()).into())
}

/// The addresses of one domain, or all.
fn in_domain<'s>(
    snapshot: &'s Snapshot,
    domain: Option<&'s Domain>,
) -> Result<impl Iterator<Item = &'s AddressRecord>, Refused> {
    if let Some(domain) = domain {
        meant::domain(snapshot, domain)?;
    }
    let records = snapshot.addresses().iter().map(AsRef::as_ref);
    Ok(records.filter(move |record| domain.is_none_or(|domain| record.address.domain() == domain)))
}
