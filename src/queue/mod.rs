//! Layer 2: mail on its way out: what is due, to which server, when again, when to give up and whom to tell.
//!
//! | file | what it decides |
//! |---|---|
//! | `schedule`, `worker`, `guarded` | who works where: fair between destinations, and within one between senders |
//! | `route`, `policies`, `attempt`, `pool` | which servers, how they are made sure of, in which order they are tried |
//! | `outgoing`, `content`, `signer`, `srs`, `home` | what goes out, with which signatures and under which return path, and what comes back in |
//! | `verdict`, `settle`, `report` | what an answer means, what is written down, what the sender is told |
//! | `returns` | bounces of redirected mail, on their way back to the author |
//! | `ask` | what another server would say to mail that nobody sends |
//! | `desk` | what an administrator sees and does |
//!
//! What it will not do: speak SMTP, that is behind [`Transport`]; deliver to addresses here, that is behind [`House`].

mod ask;
mod attempt;
mod content;
mod desk;
mod guarded;
mod home;
mod house;
mod outgoing;
mod policies;
mod pool;
mod report;
mod returns;
mod route;
mod schedule;
mod settings;
mod settle;
mod signer;
mod srs;
mod transport;
mod verdict;
mod worker;

pub use ask::ask;
pub use desk::{QueueEntry, hold, list, release, remove, retry, retry_all, show};
pub use house::{House, HouseFate, HouseMail};
pub use returns::ReturnError;
pub use settings::{LMTP_PORT, QueueSettings, SMARTHOST_PORT, Smarthost, TLS_FROM_THE_START_PORT};
pub use signer::{Signer, Signing, key_kind};
pub use srs::{Srs, SrsError};
pub use transport::{
    Answer, Content, ContentError, Failure, FailureCause, Fate, Login, Outgoing, OutgoingRecipient, Peer, Pending,
    Protocol, Sent, Session, Stage, TlsDemand, Transport,
};

use crate::dns::Resolver;
use crate::store::{Refusing, Store, StoreError};
use crate::types::limits::QUEUE_CONVERSIONS_CONCURRENT;
use policies::Policies;
use pool::Pool;
use route::Router;
use schedule::{Inbox, Scheduler};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;

/// What the queue works with.
pub struct QueueParts {
    pub store: Store,
    pub settings: QueueSettings,
    pub resolver: Arc<dyn Resolver>,
    pub transport: Arc<dyn Transport>,
    pub house: Arc<dyn House>,
}

/// The service. Clones share it.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    store: Store,
    settings: Arc<QueueSettings>,
    router: Router,
    transport: Arc<dyn Transport>,
    house: Arc<dyn House>,
    srs: Srs,
    signer: Signer,
    pool: Arc<Pool>,
    conversions: Arc<Semaphore>,
    inbox: Arc<Inbox>,
    stopping: AtomicBool,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Of targets that refused something just now, those that have done so too often.
    async fn tell_refusing(&self, targets: &[Refusing]) {
        for target in targets.iter().filter(|target| target.refusals >= self.settings.refusals_before_pause) {
            self.house.target_refuses(target).await;
        }
    }

    /// What limits of connections hold for: the server that gets everything, or the destination.
    fn hop_of(&self, destination: &str) -> String {
        let smarthost = || self.settings.smarthost_of(destination).map(|relay| &relay.host);
        let relay = self.settings.connect_to.as_ref().or_else(smarthost);
        // A split domain's other server is named with its port, and gets its mail directly.
        match relay {
            Some(relay) if !destination.contains(':') || destination.starts_with('[') => format!("relay {relay}"),
            _ => destination.to_owned(),
        }
    }
}

impl Queue {
    pub async fn open(parts: QueueParts) -> Result<Self, StoreError> {
        let QueueParts { store, settings, resolver, transport, house } = parts;
        let settings = Arc::new(settings);
        let policies = Policies::new(store.clone(), Arc::clone(&resolver), Arc::clone(&transport));
        let inbox = Arc::new(Inbox::default());
        let listener = Arc::downgrade(&inbox);
        store.observe_sends(move |waiting| {
            if let Some(inbox) = listener.upgrade() {
                inbox.hear(waiting);
            }
        });
        Ok(Self(Arc::new(Shared {
            srs: Srs::open(store.clone()).await?,
            signer: Signer::new(store.clone()),
            store,
            router: Router::new(resolver, Arc::clone(&settings), policies, Arc::clone(&house)),
            settings,
            transport,
            house,
            pool: Arc::default(),
            conversions: Arc::new(Semaphore::new(QUEUE_CONVERSIONS_CONCURRENT)),
            inbox,
            stopping: AtomicBool::new(false),
        })))
    }

    /// Delivers what is due until `stop`, then finishes what is under way. Dropped before its end, it leaves what was under
    /// way to the next start.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<(), StoreError> {
        let released = self.0.store.release_claims().await?;
        if released > 0 {
            tracing::warn!(released, "sends were under way when the server ended; they are tried again");
        }
        tracing::info!("the queue begins");
        Scheduler::new(Arc::clone(&self.0)).run(stop).await;
        Ok(())
    }

    /// Looks now whether something is due: a clock was set, or mail was brought in by another process.
    pub fn wake(&self) {
        self.0.inbox.wake();
    }

    /// For those who should not keep it alive.
    pub fn nudge(&self) -> Nudge {
        Nudge(Arc::downgrade(&self.0.inbox))
    }

    /// Reads and makes return paths of redirected mail.
    pub fn srs(&self) -> &Srs {
        &self.0.srs
    }
}

/// An administrator's hand on the queue's shoulder. Does nothing once the queue is gone.
#[derive(Clone)]
pub struct Nudge(Weak<Inbox>);

impl fmt::Debug for Nudge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nudge")
    }
}

impl Nudge {
    /// Servers that did not let us in lately are tried all the same.
    pub fn forgive(&self) {
        if let Some(inbox) = self.0.upgrade() {
            inbox.forgive();
        }
    }
}

#[cfg(test)]
mod tests;
