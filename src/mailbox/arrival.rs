//! A message on its way into the store: everything that will ever be asked of it is worked out here, once.

use super::MailboxError;
use super::search::{SKETCHED_FIELDS, signature};
use super::service::Mailboxes;
use crate::message::{Parsed, SearchText};
use crate::store::{BodyChoice, BodyIndex, LargeBody, NewBody, Sketch, StoreError};
use crate::types::limits::{BODY_CHUNK_OCTETS, INDEX_INLINE_OCTETS, SKETCH_FIELDS_OCTETS_MAX};
use crate::types::{BodyId, HeldMessage};
use std::sync::Arc;

/// A message ready for a deposit: small ones travel in its transaction, large ones are stored ahead of it.
#[derive(Clone, Debug)]
pub enum Prepared {
    New(Box<NewBody>),
    Stored { body: BodyId, octets: u32 },
}

impl Prepared {
    pub fn octets(&self) -> u32 {
        match self {
            Self::New(body) => body.octets(),
            Self::Stored { octets, .. } => *octets,
        }
    }

    /// Adds the body to a deposit's own where it has to travel with it.
    pub fn choose(self, bodies: &mut Vec<NewBody>) -> BodyChoice {
        match self {
            Self::New(body) => {
                bodies.push(*body);
                BodyChoice::New(bodies.len() - 1)
            }
            Self::Stored { body, .. } => BodyChoice::Stored(body),
        }
    }
}

/// Analyses, hashes and compresses a message. Work for a thread that may be kept busy: about 20 microseconds per KiB.
pub fn index(raw: &[u8]) -> Result<NewBody, StoreError> {
    NewBody::of(raw, analysed(raw))
}

/// The same for a large one, which will be compressed piece by piece while it is stored.
pub fn index_large(raw: Arc<Vec<u8>>) -> Result<LargeBody, StoreError> {
    let index = analysed(&raw);
    LargeBody::of(raw, index)
}

fn analysed(raw: &[u8]) -> BodyIndex {
    let analysis = Parsed::parse(raw).analyse();
    BodyIndex {
        envelope: analysis.envelope,
        bodystructure: analysis.bodystructure,
        structure: analysis.structure.to_bytes(),
        facts: analysis.facts.to_bytes(),
        sketch: sketch(&analysis.search_text),
        search_text: analysis.search_text,
    }
}

fn sketch(search_text: &[u8]) -> Sketch {
    match SearchText::from_bytes(search_text) {
        // A text that was cut says nothing about what was left out, so nothing may be ruled out by it.
        Ok(text) if text.is_complete() => Sketch {
            signature: signature(text.octets()),
            fields: text.of_fields(&SKETCHED_FIELDS, SKETCH_FIELDS_OCTETS_MAX),
        },
        _ => Sketch::default(),
    }
}

impl Mailboxes {
    /// Makes a message ready for a deposit. Of large ones, which their analysis needs whole in memory, there is one at a
    /// time.
    pub async fn prepare(&self, raw: Vec<u8>) -> Result<Prepared, MailboxError> {
        self.prepare_received(HeldMessage::in_memory(raw)).await
    }

    /// The same for a message that was received in pieces; its file is read when there is room for it in memory.
    pub async fn prepare_received(&self, received: HeldMessage) -> Result<Prepared, MailboxError> {
        let octets = u32::try_from(received.octets()).map_err(|_| MailboxError::MessageTooLarge)?;
        if octets as usize <= INDEX_INLINE_OCTETS {
            return indexed(received);
        }
        if octets as usize <= BODY_CHUNK_OCTETS {
            return blocking(move || indexed(received)).await?;
        }
        let turn = self.large_messages().turn().await?;
        let large = turn.run(move || Ok::<_, MailboxError>(index_large(Arc::new(received.into_bytes()?))?)).await??;
        let body = self.store().put_body(large).await?;
        Ok(Prepared::Stored { body, octets })
    }
}

fn indexed(received: HeldMessage) -> Result<Prepared, MailboxError> {
    Ok(Prepared::New(Box::new(index(&received.into_bytes()?)?)))
}

/// Runs work that keeps a thread busy where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, MailboxError> {
    // The only failure is a panic in the work, which ends this request and nothing else.
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| MailboxError::Store(StoreError::Io("the analysis of a message panicked".to_owned())))
}
