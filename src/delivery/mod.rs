//! Layer 2: an accepted message becomes a plan, and the plan one commit.
//!
//! `evaluate` follows the message through every address it reaches and runs each one's script; the [`Plan`] it makes is
//! complete before anything is done, and it is the same plan whether the message is delivered or only explained.
//! `commit` turns it into one deposit of the store: bodies, filings, sends, answers, memories, ledger. Only when that is
//! on the disk is anybody answered. A refusal, a full mailbox and a missing address are known before, so they are said
//! to whoever brought the message and no bounce is written; only where recipients of one message differ, and the
//! protocol has one answer for all, the refused ones get a report.
//!
//! What it will not do: speak to peers, decide who may send (`policy`, the sessions), or carry mail out (`queue`).

mod commit;
mod evaluate;
mod explain;
mod host;
mod mail;
mod marks;
mod outward;
mod own_mail;
mod plan;
mod running;
mod shelf;
#[cfg(test)]
mod tests;

pub use explain::{ActionLine, Because, Explanation, RecipientOutcome, Stop, SuppressedLine};
pub use mail::{Answers, Mail, Origin};
pub use plan::{Deed, DeedKind, Fate, Outgoing, OutgoingKind, Plan, Visit};

use crate::directory::{Directory, Snapshot};
use crate::filter::{Automatic, Suppressed, Suppression};
use crate::mailbox;
use crate::message::{self, HeaderFields, Structure};
use crate::store::{BodyChoice, NewBody, Store, StoreError};
use crate::types::limits::{BODY_AHEAD_OCTETS, DELIVERY_MEMORY_OCTETS};
use crate::types::{AccountId, Address, Domain};
use commit::{Facts, OwnMail, Prepared};
use evaluate::World;
use marks::Marks;
use own_mail::House;
use shelf::Shelf;
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;

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
    /// KiB of messages that may be in memory at one time.
    memory: Semaphore,
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
    /// Whether it is for want of room: the peer is told so, and nobody needs to look for a fault.
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Store(error) => *error == StoreError::DiskFull,
            Self::Source(error) => error.kind() == io::ErrorKind::StorageFull,
            Self::Died => false,
        }
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
        })))
    }

    /// Delivers a message of `octets`, which `read` fetches when there is memory for it. `read` gives it with trace
    /// fields and without Return-Path. Answers for each recipient of the envelope when everything is on the disk.
    pub async fn deliver<R>(
        &self,
        mail: Mail,
        answers: Answers,
        octets: usize,
        read: R,
    ) -> Result<Vec<Fate>, DeliveryError>
    where
        R: FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    {
        // Three times the message: as read, as the engine decodes it, as it is compressed.
        let wanted = kibibytes(3 * octets).clamp(1, kibibytes(DELIVERY_MEMORY_OCTETS as usize));
        let _memory = self.0.memory.acquire_many(wanted as u32).await.map_err(|_| DeliveryError::Died)?;
        let snapshot = self.0.directory.snapshot().await?;
        let this = self.clone();
        let planned = tokio::task::spawn_blocking(move || {
            let stored = with_return_path(mail.envelope.sender.as_ref(), &read().map_err(DeliveryError::Source)?);
            let planned = Planned::new(&this, snapshot, mail, answers, stored)?;
            // What is stored ahead gets its number first; everything else is ready to commit.
            let deposit = if planned.ahead.is_none() { Some(planned.deposit(&this)?) } else { None };
            Ok::<_, DeliveryError>((planned, deposit))
        });
        let (planned, deposit) = planned.await.map_err(|_| DeliveryError::Died)??;
        self.commit(planned, deposit).await
    }

    /// What would happen, through the same code, changing nothing.
    pub async fn explain(&self, mail: Mail, message: Vec<u8>) -> Result<Explanation, DeliveryError> {
        let snapshot = self.0.directory.snapshot().await?;
        let this = self.clone();
        let explained = tokio::task::spawn_blocking(move || {
            let stored = with_return_path(mail.envelope.sender.as_ref(), &message);
            let structure = Structure::scan(&stored.octets);
            let plan = evaluate::evaluate(&this.world(&snapshot), &mail, &stored.octets, &structure);
            Explanation::of(&plan, mail.envelope.recipients.iter().map(|recipient| recipient.address.to_string()))
        });
        explained.await.map_err(|_| DeliveryError::Died)
    }

    fn world<'w>(&'w self, snapshot: &'w Snapshot) -> World<'w> {
        World { snapshot, shelf: &self.0.shelf, marks: &self.0.marks, hostname: self.0.hostname.as_str() }
    }

    async fn commit(
        &self,
        mut planned: Planned,
        mut deposit: Option<crate::store::Deposit>,
    ) -> Result<Vec<Fate>, DeliveryError> {
        if let Some(ahead) = planned.ahead.take() {
            planned.original = BodyChoice::Stored(self.0.store.put_body(ahead).await?);
        }
        // Each round takes one account out, so there are no more rounds than accounts.
        while planned.plan.recipients.contains(&Fate::Accepted) {
            let ready = match deposit.take() {
                Some(ready) => ready,
                None => {
                    let this = self.clone();
                    // Scripts may run for what the house writes: not on a network thread.
                    let prepared = tokio::task::spawn_blocking(move || {
                        let deposit = planned.deposit(&this);
                        (planned, deposit)
                    });
                    let (back, ready) = prepared.await.map_err(|_| DeliveryError::Died)?;
                    planned = back;
                    ready?
                }
            };
            match self.0.store.deposit(ready).await {
                Ok(_) => break,
                Err(StoreError::OverQuota(account)) if planned.leaves(account) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(planned.plan.recipients)
    }
}

fn kibibytes(octets: usize) -> usize {
    octets.div_ceil(1024)
}

/// A message as it is stored.
struct StoredMessage {
    octets: Vec<u8>,
    return_path_octets: u32,
}

/// RFC 5321 section 4.4: the last delivery puts the return path on top, and takes off what others put there.
fn with_return_path(sender: Option<&Address>, message: &[u8]) -> StoredMessage {
    let mut octets = message::return_path(sender).raw().to_vec();
    let return_path_octets = octets.len() as u32;
    let mut edit = message::HeaderEdit::new(message);
    if edit.remove_all("Return-Path") == 0 {
        octets.extend_from_slice(message);
    } else {
        octets.extend_from_slice(&edit.into_message(message));
    }
    StoredMessage { octets, return_path_octets }
}

/// Hashed, compressed and analysed.
fn body_of(octets: &[u8]) -> Result<NewBody, StoreError> {
    mailbox::index(octets)
}

/// A plan with everything a commit needs, made on a thread that may be kept busy.
struct Planned {
    mail: Mail,
    answers: Answers,
    stored: StoredMessage,
    message_id: String,
    token: String,
    snapshot: Arc<Snapshot>,
    plan: Plan,
    original: BodyChoice,
    /// A small message's own body.
    new: Option<NewBody>,
    /// A large one's, to be stored before the deposit.
    ahead: Option<NewBody>,
}

impl Planned {
    fn new(
        delivery: &Delivery,
        snapshot: Arc<Snapshot>,
        mail: Mail,
        answers: Answers,
        stored: StoredMessage,
    ) -> Result<Self, StoreError> {
        let structure = Structure::scan(&stored.octets);
        let plan = evaluate::evaluate(&delivery.world(&snapshot), &mail, &stored.octets, &structure);
        let message_id = HeaderFields::first(&stored.octets, "Message-ID")
            .and_then(|field| message::message_id(field.value()).map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| StoreError::Io(format!("no randomness: {error}")))?;
        let random: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
        let token = format!("{}.{random}", mail.session);
        // Nothing is stored of what nobody takes.
        let accepted = plan.recipients.contains(&Fate::Accepted);
        let body = accepted.then(|| body_of(&stored.octets)).transpose()?;
        let large = stored.octets.len() > BODY_AHEAD_OCTETS;
        let (new, ahead) = if large { (None, body) } else { (body, None) };
        let original = BodyChoice::New(0);
        Ok(Self { mail, answers, stored, message_id, token, snapshot, plan, original, new, ahead })
    }

    fn deposit(&self, delivery: &Delivery) -> Result<crate::store::Deposit, StoreError> {
        let facts = Facts {
            mail: &self.mail,
            message: &self.stored.octets,
            return_path_octets: self.stored.return_path_octets,
            message_id: self.message_id.clone(),
            house: House { hostname: &delivery.0.hostname, token: self.token.clone() },
            snapshot: &self.snapshot,
            marks: &delivery.0.marks,
            lifetime_seconds: delivery.0.send_lifetime_seconds,
            answers: self.answers,
        };
        let bodies = self.new.iter().cloned().collect();
        let Prepared { mut deposit, own_mail } = commit::prepare(&self.plan, &facts, self.original, bodies)?;
        for own in &own_mail {
            self.add_own(delivery, own, &mut deposit)?;
        }
        drop_unnamed(&mut deposit);
        Ok(deposit)
    }

    /// An answer to an address of ours is delivered in the same transaction; one to outside is a send like any other.
    fn add_own(
        &self,
        delivery: &Delivery,
        own: &OwnMail,
        deposit: &mut crate::store::Deposit,
    ) -> Result<(), StoreError> {
        let mail = Mail {
            envelope: commit::own_envelope(&own.to),
            origin: Origin::House,
            now: self.mail.now,
            remote_ip: None,
            remote_host: None,
            session: self.mail.session.clone(),
            verdicts: String::new(),
        };
        let stored = with_return_path(None, &own.message);
        let place = deposit.bodies.len();
        if !self.snapshot.is_hosted(own.to.domain()) {
            let body = BodyChoice::New(place);
            let send = commit::own_send(&mail, own, &stored, delivery.0.send_lifetime_seconds);
            deposit.bodies.push(body_of(&stored.octets)?);
            deposit.sends.push((body, send));
            return Ok(());
        }
        let structure = Structure::scan(&stored.octets);
        let plan = evaluate::evaluate(&delivery.world(&self.snapshot), &mail, &stored.octets, &structure);
        let message_id = self.message_id.clone();
        let facts = Facts {
            mail: &mail,
            message: &stored.octets,
            return_path_octets: stored.return_path_octets,
            message_id,
            house: House { hostname: &delivery.0.hostname, token: format!("{}.own", self.token) },
            snapshot: &self.snapshot,
            marks: &delivery.0.marks,
            lifetime_seconds: delivery.0.send_lifetime_seconds,
            answers: Answers::Each,
        };
        let mut bodies = std::mem::take(&mut deposit.bodies);
        bodies.push(body_of(&stored.octets)?);
        // To the null sender nobody answers, so there is no own mail of own mail; a notification of one is not sent.
        let Prepared { deposit: more, .. } = commit::prepare(&plan, &facts, BodyChoice::New(place), bodies)?;
        deposit.bodies = more.bodies;
        deposit.filings.extend(more.filings);
        deposit.sends.extend(more.sends);
        deposit.duplicates.extend(more.duplicates);
        deposit.ledger.extend(more.ledger);
        Ok(())
    }

    /// Takes an account that has no room out of the plan. Returns whether it was in it.
    fn leaves(&mut self, account: AccountId) -> bool {
        let mut found = false;
        for visit in &mut self.plan.visits {
            if visit.account != Some(account) {
                continue;
            }
            for deed in &mut visit.deeds {
                if matches!(deed.kind, DeedKind::File { .. } | DeedKind::FiledAlready { .. }) {
                    deed.kind = DeedKind::Refused { to: visit.address.clone(), why: Fate::OverQuota };
                    found = true;
                }
            }
            // Nobody says that he will read what he has not got.
            let suppressed = &mut visit.suppressed;
            visit.deeds.retain(|deed| {
                let is_reply = found && matches!(deed.kind, DeedKind::Reply(_));
                if is_reply {
                    let (what, reason) = (Automatic::Reply, Suppression::MessageRefused);
                    suppressed.push(Suppressed { what, reason, cause: deed.cause.clone() });
                }
                !is_reply
            });
        }
        for recipient in 0..self.plan.recipients.len() {
            if self.plan.recipients[recipient] == Fate::Accepted {
                self.plan.recipients[recipient] = self.plan.judge(recipient);
            }
        }
        found
    }
}

/// A body that was made for a plan whose deeds all fell away is not stored.
fn drop_unnamed(deposit: &mut crate::store::Deposit) {
    let mut named = vec![false; deposit.bodies.len()];
    let choices = deposit.filings.iter().map(|filing| filing.body).chain(deposit.sends.iter().map(|(body, _)| *body));
    for choice in choices {
        if let BodyChoice::New(place) = choice {
            named[place] = true;
        }
    }
    let mut moved = Vec::with_capacity(named.len());
    let mut left = 0;
    for is_named in &named {
        moved.push(left);
        left += usize::from(*is_named);
    }
    let mut keep = named.iter();
    deposit.bodies.retain(|_| keep.next().copied().unwrap_or(true));
    let renumber = |choice: &mut BodyChoice| {
        if let BodyChoice::New(place) = choice {
            *place = moved[*place];
        }
    };
    deposit.filings.iter_mut().for_each(|filing| renumber(&mut filing.body));
    deposit.sends.iter_mut().for_each(|(body, _)| renumber(body));
}
