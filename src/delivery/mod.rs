//! Layer 2: an accepted message becomes a plan, and the plan one commit.
//!
//! `evaluate` follows the message through every address it reaches and runs each one's script; the [`Plan`] it makes is
//! complete before anything is done, and it is the same plan whether the message is delivered or only explained.
//! `commit` turns it into one deposit of the store: bodies, filings, sends, answers, memories, ledger. Only when that is
//! on the disk is anybody answered. A refusal, a full mailbox and a missing address are known before, so they are said
//! to whoever brought the message and no bounce is written; only where recipients of one message differ, and the
//! protocol has one answer for all, the refused ones get a report.
//!
//! `in_place` runs scripts over mail that lies in a mailbox already, for IMAP's events.
//!
//! What it will not do: speak to peers, decide who may send (`policy`, the sessions), or carry mail out (`queue`).

mod commit;
mod evaluate;
mod explain;
mod host;
mod in_place;
mod mail;
mod marks;
mod notices;
mod outward;
mod own_mail;
mod plan;
mod planned;
mod running;
mod shelf;
#[cfg(test)]
mod tests;
mod trial;

pub use explain::{ActionLine, Because, Explanation, RecipientOutcome, Report, Stop, SuppressedLine};
pub use in_place::{Aftermath, Chosen, CopyTo, InPlace, NotReady, Occasion, ReadyScript, Stay};
pub use mail::{Answers, Mail, Origin, RefusedMail};
pub use plan::{Deed, DeedKind, Fate, Kept, Outgoing, OutgoingKind, Plan, Visit};
pub use trial::{Trial, TrialSender, Tried};

use crate::directory::{Directory, Snapshot};
use crate::mailbox::{Died, LargeMessages};
use crate::message::{self, Structure};
use crate::store::{BodyChoice, Deposited, Store, StoreError};
use crate::types::Domain;
use crate::types::limits::{BODY_AHEAD_OCTETS, DELIVERY_MEMORY_OCTETS};
use evaluate::World;
use marks::Marks;
use planned::{Planned, StoredMessage, with_return_path};
use shelf::Shelf;
use std::io;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};

/// The service. Clones share it.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    store: Store,
    directory: Directory,
    shelf: Shelf,
    marks: Marks,
    hostname: Domain,
    send_lifetime_seconds: i64,
    /// KiB of messages that may be in memory at one time, without the large ones.
    memory: Semaphore,
    large: LargeMessages,
}

/// Why nothing was delivered. The peer is told to try again.
#[derive(Debug)]
pub enum DeliveryError {
    Store(StoreError),
    /// The message could not be read from where it was received to.
    Source(io::Error),
    /// The thread that ran the scripts died.
    Died,
}

impl std::fmt::Display for DeliveryError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(formatter),
            Self::Source(error) => write!(formatter, "the received message could not be read: {error}"),
            Self::Died => formatter.write_str("the delivery was interrupted by a fault of ours"),
        }
    }
}

impl std::error::Error for DeliveryError {}

impl DeliveryError {
    /// Whether the source said that the message is none that could be delivered.
    pub fn is_unusable(&self) -> bool {
        matches!(self, Self::Source(error) if error.kind() == io::ErrorKind::InvalidData)
    }

    /// Whether it is for want of room: the peer is told so, and nobody needs to look for a fault.
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Store(error) => *error == StoreError::DiskFull,
            Self::Source(error) => error.kind() == io::ErrorKind::StorageFull,
            Self::Died => false,
        }
    }
}

impl From<Died> for DeliveryError {
    fn from(_: Died) -> Self {
        Self::Died
    }
}

impl From<StoreError> for DeliveryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The setting that holds the key of the loop marks.
const MARK_KEY_SETTING: &str = "loop-mark-key";

impl Delivery {
    pub async fn open(
        store: Store,
        directory: Directory,
        hostname: Domain,
        send_lifetime_seconds: i64,
    ) -> Result<Self, StoreError> {
        let mut fresh = [0_u8; 32];
        getrandom::fill(&mut fresh).map_err(|error| StoreError::Io(format!("no randomness: {error}")))?;
        let fresh: String = fresh.iter().map(|octet| format!("{octet:02x}")).collect();
        let key = store.setting_or_insert(MARK_KEY_SETTING, fresh).await?;
        Ok(Self(Arc::new(Inner {
            shelf: Shelf::new(store.clone()),
            marks: Marks::new(key.into_bytes()),
            store,
            directory,
            hostname,
            send_lifetime_seconds,
            memory: Semaphore::new(kibibytes(DELIVERY_MEMORY_OCTETS as usize)),
            large: LargeMessages::start().map_err(|error| StoreError::Io(format!("no thread: {error}")))?,
        })))
    }

    /// Delivers a message of `octets`, which `read` appends to what it is given when there is memory for it: with trace
    /// fields, without Return-Path. Answers for each recipient of the envelope when everything is on the disk.
    pub async fn deliver<R>(
        &self,
        mail: Mail,
        answers: Answers,
        octets: usize,
        read: R,
    ) -> Result<Vec<Fate>, DeliveryError>
    where
        R: FnOnce(Vec<u8>) -> io::Result<Vec<u8>> + Send + 'static,
    {
        let this = self.clone();
        let snapshot = self.0.directory.snapshot().await?;
        let make = move || {
            let mut message = message::return_path(mail.envelope.sender.as_ref()).raw().to_vec();
            let return_path_octets = message.len();
            message = read(message).map_err(DeliveryError::Source)?;
            let stored = StoredMessage::received(message, return_path_octets);
            Ok::<_, DeliveryError>(Planned::new(&this, snapshot, mail, answers, stored)?)
        };
        if octets > BODY_AHEAD_OCTETS {
            let turn = self.0.large.turn().await?;
            let planned = turn.run(make).await??;
            return self.commit(planned, None).await;
        }
        // Three times the message: as read, as the engine decodes it, as it is compressed.
        let wanted = kibibytes(3 * octets).max(1);
        let _memory = self.0.memory.acquire_many(wanted as u32).await.map_err(|_| DeliveryError::Died)?;
        let (planned, committed) = self.attempt(make).await?;
        self.commit(planned, committed).await
    }

    /// Makes a plan on a thread that may be kept busy, and puts it into the writer's queue from there, so that whoever waits
    /// is woken once, by the commit.
    async fn attempt(
        &self,
        make: impl FnOnce() -> Result<Planned, DeliveryError> + Send + 'static,
    ) -> Result<(Planned, Option<Committed>), DeliveryError> {
        let (tell, told) = oneshot::channel();
        let this = self.clone();
        // If it dies, so does `tell`. Nobody waits any more for what a session that went away has begun.
        drop(tokio::task::spawn_blocking(move || {
            let made = make().and_then(|planned| {
                // What is stored ahead gets its number first.
                let is_ready = planned.ahead.is_none() && planned.is_worth_a_commit();
                let deposit = if is_ready { Some(planned.deposit(&this)?) } else { None };
                Ok((planned, deposit))
            });
            match made {
                Ok((planned, Some(deposit))) => this.0.store.deposit_then(deposit, move |committed| {
                    let _ = tell.send(Ok((planned, Some(committed))));
                }),
                Ok((planned, None)) => drop(tell.send(Ok((planned, None)))),
                Err(error) => drop(tell.send(Err(error))),
            }
        }));
        told.await.map_err(|_| DeliveryError::Died)?
    }

    /// Whether the disk has room for a message that is said to be so long: to be received, and to be stored. What can't be
    /// found out is no reason to refuse anything.
    pub fn has_room_on_disk(&self, octets: u64) -> bool {
        octets == 0 || self.0.store.free_octets().is_ok_and(|free| free / 2 > octets)
    }

    /// Writes down that a message was refused before it came here.
    pub async fn note_refusal(&self, mail: &Mail, refused: &RefusedMail<'_>) -> Result<(), StoreError> {
        self.0.store.record(vec![commit::refusal(mail, refused)]).await
    }

    /// What would happen, through the same code, changing nothing.
    pub async fn explain(&self, mail: Mail, answers: Answers, message: Vec<u8>) -> Result<Explanation, DeliveryError> {
        let snapshot = self.0.directory.snapshot().await?;
        let (this, directory) = (self.clone(), Arc::clone(&snapshot));
        let decided = tokio::task::spawn_blocking(move || {
            let stored = with_return_path(mail.envelope.sender.as_ref(), &message);
            let plan = this.plan(&directory, &mail, &stored.octets);
            (mail, stored, plan)
        });
        let (mail, stored, mut plan) = decided.await.map_err(|_| DeliveryError::Died)?;
        // The commit finds out who has no room left; nothing is committed here.
        for (account, octets) in plan.needs(mail.envelope.sender.as_ref(), stored.octets.len() as u64) {
            let record = self.0.store.account_by_id(account).await?;
            let full = |record: crate::store::AccountRecord| {
                record.quota_octets.is_some_and(|quota| record.used_octets.saturating_add(octets) > quota)
            };
            if record.is_some_and(full) {
                plan.leave_out(account);
            }
        }
        Ok(Explanation::of(&plan, &mail, answers))
    }

    /// What is to be done with a message, of which nothing is done yet. Blocks, and runs scripts: not for a network
    /// thread. `message`: as it is stored, Return-Path first.
    pub fn plan(&self, snapshot: &Snapshot, mail: &Mail, message: &[u8]) -> Plan {
        evaluate::evaluate(&self.world(snapshot), mail, message, &Structure::scan(message))
    }

    fn world<'w>(&'w self, snapshot: &'w Snapshot) -> World<'w> {
        World { snapshot, shelf: &self.0.shelf, marks: &self.0.marks, hostname: self.0.hostname.as_str() }
    }

    async fn commit(&self, mut planned: Planned, mut first: Option<Committed>) -> Result<Vec<Fate>, DeliveryError> {
        if let Some(ahead) = planned.ahead.take() {
            planned.original = BodyChoice::Stored(self.0.store.put_body(ahead).await?);
        }
        // Each round takes one account out, so there are no more rounds than accounts. Where nobody takes the message, what
        // decided that is remembered all the same.
        while planned.is_worth_a_commit() {
            let committed;
            (planned, committed) = match first.take() {
                Some(committed) => (planned, Some(committed)),
                // Scripts may run for what the house writes: not on a network thread.
                None => self.attempt(move || Ok(planned)).await?,
            };
            match committed {
                Some(Err(StoreError::OverQuota(account))) if planned.plan.leave_out(account) => {}
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(_)) | None => break,
            }
        }
        Ok(planned.plan.recipients)
    }
}

/// What came of a commit.
type Committed = Result<Deposited, StoreError>;

fn kibibytes(octets: usize) -> usize {
    octets.div_ceil(1024)
}
