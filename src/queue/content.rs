//! A stored message as it goes out: without what is ours alone, with what goes on top, a chunk at a time.

use super::signer::{Signer, Signing};
use super::transport::{Content, ContentError, Pending};
use crate::message::{Structure, body_offset, has_eight_bit_header, to_seven_bit};
use crate::store::{SendDetails, Store, StoreError};
use crate::types::limits::BODY_CHUNK_OCTETS;
use crate::types::{BodyId, BodyKind};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct StoredContent {
    store: Store,
    body: BodyId,
    octets: u64,
    kind: BodyKind,
    /// The fields on top, and the first chunk without what does not go out.
    first: Arc<[u8]>,
    chunks: usize,
    /// The next piece.
    at: usize,
    conversions: Arc<Semaphore>,
    converted: Option<Converted>,
    signing: Option<Signing>,
}

/// Whole in memory, and only so many at a time.
struct Converted {
    octets: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

/// What was found in the octets.
#[derive(Clone, Copy, Debug, Default)]
struct Findings {
    eight_bit: bool,
    eight_bit_header: bool,
}

fn unreadable(error: &StoreError) -> ContentError {
    ContentError::Unreadable(error.to_string())
}

impl StoredContent {
    /// The second value: the message's header can't be said without SMTPUTF8 (RFC 6532).
    pub(super) async fn open(
        store: &Store,
        body: BodyId,
        details: &SendDetails,
        conversions: &Arc<Semaphore>,
    ) -> Result<(Self, bool), ContentError> {
        let record = store.body(body).await.map_err(|error| unreadable(&error))?;
        let record = record.ok_or_else(|| ContentError::Unreadable("it is not there".to_owned()))?;
        let chunk = read_chunk(store, body, 0).await?.unwrap_or_default();
        let skip = (details.skip_octets as usize).min(chunk.len());
        let mut first = details.prepend.clone().into_bytes();
        first.extend_from_slice(&chunk[skip..]);
        let octets = u64::from(record.octets) - skip as u64 + details.prepend.len() as u64;
        let mut content = Self {
            store: store.clone(),
            body,
            octets,
            kind: BodyKind::SevenBit,
            first: first.into(),
            chunks: (record.octets as usize).div_ceil(BODY_CHUNK_OCTETS).max(1),
            at: 0,
            conversions: Arc::clone(conversions),
            converted: None,
            signing: None,
        };
        let found = content.look(details).await?;
        content.kind = match found {
            _ if details.binary => BodyKind::Binary,
            Findings { eight_bit: true, .. } => BodyKind::EightBit,
            Findings { .. } => BodyKind::SevenBit,
        };
        Ok((content, details.smtputf8 && found.eight_bit_header))
    }

    /// What the house wrote is signed as it goes out. It is small.
    pub(super) async fn sign(&mut self, signer: &Signer) -> Result<(), ContentError> {
        let signing = signer.for_house(&self.first).await.map_err(|error| unreadable(&error))?;
        let Some(signing) = signing else { return Ok(()) };
        let (whole, now) = (self.whole().await?, self.store.clock().now());
        self.at = 0;
        let signed = tokio::task::spawn_blocking(move || {
            let mut signed = whole;
            signing.sign(&mut signed, 0, now);
            (signed, signing)
        })
        .await;
        let (octets, signing) = signed.map_err(|error| ContentError::Unreadable(error.to_string()))?;
        self.octets = octets.len() as u64;
        (self.first, self.chunks, self.signing) = (octets.into(), 1, Some(signing));
        Ok(())
    }

    /// One of our people's message has its signatures; it is signed anew if it has to be changed.
    pub(super) async fn sign_when_changed(&mut self, signer: &Signer) -> Result<(), ContentError> {
        self.signing = signer.for_people(&self.first).await.map_err(|error| unreadable(&error))?;
        Ok(())
    }

    /// What the envelope once said of the octets may be wrong, and a script may have changed them since; so they are
    /// looked at. Large messages cost a second reading.
    async fn look(&mut self, details: &SendDetails) -> Result<Findings, ContentError> {
        let mut found = Findings { eight_bit: !self.first.is_ascii(), eight_bit_header: false };
        if self.chunks == 1 {
            found.eight_bit_header =
                found.eight_bit && details.smtputf8 && has_eight_bit_header(&self.first, &Structure::scan(&self.first));
            return Ok(found);
        }
        found.eight_bit_header = !self.first[..body_offset(&self.first)].is_ascii();
        for position in 1..self.chunks {
            if found.eight_bit {
                break;
            }
            let chunk = read_chunk(&self.store, self.body, position).await?.unwrap_or_default();
            found.eight_bit = !chunk.is_ascii();
        }
        Ok(found)
    }

    async fn piece(&mut self) -> Result<Option<Vec<u8>>, ContentError> {
        let at = self.at;
        let piece = match (&self.converted, at) {
            (Some(converted), _) => converted.octets.chunks(BODY_CHUNK_OCTETS).nth(at).map(<[u8]>::to_vec),
            (None, 0) => Some(self.first.to_vec()),
            (None, at) if at < self.chunks => Some(
                read_chunk(&self.store, self.body, at)
                    .await?
                    .ok_or_else(|| ContentError::Unreadable("a part of it is missing".to_owned()))?,
            ),
            (None, _) => None,
        };
        if piece.is_some() {
            self.at = at + 1;
        }
        Ok(piece)
    }

    pub(super) async fn whole(&mut self) -> Result<Vec<u8>, ContentError> {
        let mut whole = Vec::with_capacity(usize::try_from(self.octets).unwrap_or_default());
        while let Some(piece) = self.piece().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    async fn convert(&mut self) -> Result<(), ContentError> {
        if self.kind == BodyKind::SevenBit {
            return Ok(());
        }
        let permit = Arc::clone(&self.conversions).acquire_owned().await;
        let permit = permit.map_err(|error| ContentError::Unreadable(error.to_string()))?;
        self.at = 0;
        let whole = self.whole().await?;
        self.at = 0;
        let (signing, now) = (self.signing.take(), self.store.clock().now());
        let converting = tokio::task::spawn_blocking(move || {
            let made = to_seven_bit(&whole, &Structure::scan(&whole)).map(std::borrow::Cow::into_owned);
            let made = made.map_err(|error| ContentError::EightBit(error.to_string()))?;
            // RFC 6376 section 5.3: a signature does not survive the change.
            Ok(match signing {
                Some(signing) => signing.sign_anew(&made, now),
                None => made,
            })
        });
        let octets = converting.await.map_err(|error| ContentError::Unreadable(error.to_string()))??;
        self.octets = octets.len() as u64;
        self.kind = BodyKind::SevenBit;
        self.converted = Some(Converted { octets, _permit: permit });
        Ok(())
    }
}

async fn read_chunk(store: &Store, body: BodyId, position: usize) -> Result<Option<Vec<u8>>, ContentError> {
    store.body_chunk(body, position).await.map_err(|error| unreadable(&error))
}

impl Content for StoredContent {
    fn octets(&self) -> u64 {
        self.octets
    }

    fn kind(&self) -> BodyKind {
        self.kind
    }

    fn rewind(&mut self) {
        self.at = 0;
    }

    fn next(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, ContentError>> {
        Box::pin(self.piece())
    }

    fn make_seven_bit(&mut self) -> Pending<'_, Result<(), ContentError>> {
        Box::pin(self.convert())
    }
}
