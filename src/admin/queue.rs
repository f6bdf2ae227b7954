//! Mail on its way out, on an administrator's desk.

use super::error::{Cause, Refused};
use super::{Act, Admin, Caller};
use crate::queue::{self, QueueEntry};
use crate::store::{SendKind, SendState};
use crate::types::{Address, SendId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A page of it, by number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueList {
    pub after: SendId,
    pub most: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueShow {
    pub id: SendId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueRetry {
    /// None: everything that is not held.
    pub id: Option<SendId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueHold {
    pub id: SendId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueRelease {
    pub id: SendId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueRemove {
    pub id: SendId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    pub id: SendId,
    /// `due`, `held` or `active`.
    pub state: SendState,
    /// `submission`, `redirection`, `reply`, `bounce`, `handover` or `notice`.
    pub kind: SendKind,
    /// None: the null return path.
    pub sender: Option<Address>,
    pub recipient: Address,
    /// Which redirection, alias or submitter caused it.
    pub because_of: Option<Address>,
    /// A domain, or the server that was named for it.
    pub destination: String,
    pub octets: u64,
    pub created: String,
    /// When it is tried next.
    pub due: String,
    /// When it goes back to its sender.
    pub expires: String,
    pub attempts: u32,
    pub priority: i8,
    pub last_reply: Option<String>,
    /// Script and line, or what else made it.
    pub cause: String,
    pub message_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRetried {
    /// What was made due now; everything, without one.
    pub send: Option<QueueView>,
    /// Whether a server runs that tries it.
    pub is_served: bool,
}

/// What is wrong with the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueCause {
    NoSend(SendId),
    /// It is being delivered this moment.
    Active(SendId),
}

impl QueueCause {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoSend(_) => "no-send",
            Self::Active(_) => "busy",
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::NoSend(_) => {
                "posthouse queue list shows those there are; what was sent is in posthouse trace".to_owned()
            }
            Self::Active(_) => "try again in a moment".to_owned(),
        }
    }
}

impl fmt::Display for QueueCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSend(id) => write!(formatter, "nothing with the number {id} is on its way out"),
            Self::Active(id) => write!(formatter, "{id} is being delivered right now"),
        }
    }
}

/// Of one answer: it has to pass through the control socket.
const PAGE_MAX: u32 = 1000;

impl Act for QueueList {
    const NAME: &'static str = "queue list";
    type Answer = Vec<QueueView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<QueueView>, Refused> {
        let entries = queue::list(admin.store(), self.after, self.most.min(PAGE_MAX)).await?;
        Ok(entries.into_iter().map(view).collect())
    }
}

impl Act for QueueShow {
    const NAME: &'static str = "queue show";
    type Answer = QueueView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<QueueView, Refused> {
        shown(admin, self.id).await
    }
}

impl Act for QueueRetry {
    const NAME: &'static str = "queue retry";
    type Answer = QueueRetried;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<QueueRetried, Refused> {
        // First: what becomes due is tried at once, and would meet the setback that is to be forgotten.
        let running = admin.0.running.load();
        let nudge = (**running).as_ref().map(|running| &running.queue);
        let is_served = nudge.is_some();
        if let Some(nudge) = nudge {
            nudge.forgive();
        }
        drop(running);
        let send = match self.id {
            Some(id) => {
                done(admin, id, queue::retry(admin.store(), id).await?).await?;
                // It may be under way already, or even there.
                queue::show(admin.store(), id).await?.map(view)
            }
            None => {
                queue::retry_all(admin.store()).await?;
                None
            }
        };
        tracing::info!(author = caller.author, id = ?self.id, "queued mail is to be tried now");
        Ok(QueueRetried { send, is_served })
    }
}

impl Act for QueueHold {
    const NAME: &'static str = "queue hold";
    type Answer = QueueView;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<QueueView, Refused> {
        done(admin, self.id, queue::hold(admin.store(), self.id).await?).await?;
        tracing::info!(author = caller.author, id = %self.id, "queued mail is held");
        shown(admin, self.id).await
    }
}

impl Act for QueueRelease {
    const NAME: &'static str = "queue release";
    type Answer = QueueView;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<QueueView, Refused> {
        let before = shown(admin, self.id).await?;
        done(admin, self.id, queue::release(admin.store(), self.id).await?).await?;
        tracing::info!(author = caller.author, id = %self.id, "held mail goes on");
        // It may have gone on so far that it is not there any more.
        Ok(QueueView { state: SendState::Due, ..before })
    }
}

impl Act for QueueRemove {
    const NAME: &'static str = "queue remove";
    type Answer = QueueView;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<QueueView, Refused> {
        let before = shown(admin, self.id).await?;
        done(admin, self.id, queue::remove(admin.store(), self.id, &caller.author).await?).await?;
        tracing::info!(author = caller.author, id = %self.id, recipient = %before.recipient, "queued mail was removed");
        Ok(before)
    }
}

async fn shown(admin: &Admin, id: SendId) -> Result<QueueView, Refused> {
    let entry = queue::show(admin.store(), id).await?;
    entry.map(view).ok_or_else(|| Cause::Queue(QueueCause::NoSend(id)).into())
}

async fn done(admin: &Admin, id: SendId, done: bool) -> Result<(), Refused> {
    if done {
        return Ok(());
    }
    shown(admin, id).await?;
    Err(Cause::Queue(QueueCause::Active(id)).into())
}

fn view(entry: QueueEntry) -> QueueView {
    QueueView {
        id: entry.id,
        state: entry.state,
        kind: entry.kind,
        sender: entry.sender,
        recipient: entry.recipient,
        because_of: entry.because_of,
        destination: entry.destination,
        octets: entry.octets,
        created: entry.created.rfc3339(),
        due: entry.due.rfc3339(),
        expires: entry.expires.rfc3339(),
        attempts: entry.attempts,
        priority: entry.priority,
        last_reply: entry.last_reply,
        cause: entry.cause,
        message_id: entry.message_id,
    }
}
