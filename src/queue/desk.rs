//! The queue on an administrator's desk. These are functions over the store, since the queue may well not be running.

use crate::store::{LedgerEntry, SendKind, SendRecord, SendState, Store, StoreError};
use crate::types::{Address, SendId, Timestamp};

/// A send as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueueEntry {
    pub id: SendId,
    pub kind: SendKind,
    pub state: SendState,
    /// `None`: nobody.
    pub sender: Option<Address>,
    pub recipient: Address,
    /// Which redirection, alias or submitter caused it.
    pub because_of: Option<Address>,
    pub destination: String,
    pub created: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    pub expires: Timestamp,
    pub attempts: u32,
    pub priority: i8,
    pub last_reply: Option<String>,
    /// Script and line, or what else made it.
    pub cause: String,
    pub message_id: String,
    pub octets: u64,
}

const PAGE: u32 = 500;

/// A page of the queue, by number, after the given one.
pub async fn list(store: &Store, after: SendId, most: u32) -> Result<Vec<QueueEntry>, StoreError> {
    let mut entries = Vec::new();
    for record in store.sends(after, most).await? {
        entries.push(entry(store, record).await?);
    }
    Ok(entries)
}

pub async fn show(store: &Store, id: SendId) -> Result<Option<QueueEntry>, StoreError> {
    match store.send(id).await? {
        Some(record) => entry(store, record).await.map(Some),
        None => Ok(None),
    }
}

/// Makes it due now, also when it was held. `false`: there is none, or it is being delivered this moment.
pub async fn retry(store: &Store, id: SendId) -> Result<bool, StoreError> {
    let now = store.clock().now();
    store.set_send_state(id, SendState::Due, Some(now)).await
}

/// Makes everything due now that is not held.
pub async fn retry_all(store: &Store) -> Result<(), StoreError> {
    let mut after = SendId(0);
    while let Some(last) = store.hurry_sends(after, PAGE).await? {
        after = last;
    }
    Ok(())
}

pub async fn hold(store: &Store, id: SendId) -> Result<bool, StoreError> {
    store.set_send_state(id, SendState::Held, None).await
}

/// Held mail goes on where it was.
pub async fn release(store: &Store, id: SendId) -> Result<bool, StoreError> {
    store.set_send_state(id, SendState::Due, None).await
}

/// Takes it out; nobody is told but the ledger. `author`: who did it.
pub async fn remove(store: &Store, id: SendId, author: &str) -> Result<bool, StoreError> {
    let Some(record) = store.send(id).await? else { return Ok(false) };
    let send = &record.send;
    let addresses = [Some(&send.recipient), send.address.as_ref(), send.sender.as_ref()];
    let event = LedgerEntry {
        event: "removed".to_owned(),
        session: send.details.session.clone(),
        message_id: send.details.message_id.clone(),
        sender: send.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        addresses: addresses.into_iter().flatten().map(|address| address.canonical().to_string()).collect(),
        send: Some(id),
        detail: serde_json::json!({ "by": author, "to": send.recipient }).to_string(),
    };
    store.remove_send(id, event).await
}

async fn entry(store: &Store, record: SendRecord) -> Result<QueueEntry, StoreError> {
    let octets = store.body(record.body).await?.map_or(0, |body| u64::from(body.octets));
    let SendRecord { id, state, send, attempts, created, last_reply, .. } = record;
    Ok(QueueEntry {
        id,
        kind: send.kind,
        state,
        sender: send.sender,
        recipient: send.recipient,
        because_of: send.address,
        destination: send.destination,
        created,
        due: send.due,
        expires: send.expires,
        attempts,
        priority: send.priority,
        last_reply,
        cause: send.details.cause,
        message_id: send.details.message_id,
        octets,
    })
}
