//! Messages' octets in compressed chunks, and beside them what IMAP wants to know, computed once.
//!
//! A body is written before anything names it: small ones in the transaction that files them, large ones ahead of it in
//! short transactions, as orphans that are removed should the server die in between. Bodies are shared by the copies one
//! delivery or one COPY makes. Two deliveries never share one, although their hashes could show they might: traces
//! differ from delivery to delivery, so an index over the hashes would cost every delivery and find nothing.

use super::tx::{Row, Tx};
use super::{Store, StoreError, Thing};
use crate::types::limits::BODY_CHUNK_OCTETS;
use crate::types::{BodyId, Timestamp, roomy};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use zstd::bulk::Compressor;

/// Places for chunks in a body's key space: 4096 × 256 KiB is 1 GiB.
pub(super) const CHUNKS_PER_BODY: i64 = 4096;
/// zstd's level: 1 is within a few per cent of 3 on mail, at twice the speed.
const ZSTD_LEVEL: i32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Raw,
    Zstd,
}

/// A piece of a body, compressed by its maker's thread and not by the writer's.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub octets: u32,
    pub packing: Packing,
    pub data: Vec<u8>,
}

impl Chunk {
    /// Compressed if that makes it smaller.
    pub fn pack(raw: &[u8]) -> Result<Self, StoreError> {
        debug_assert!(raw.len() <= BODY_CHUNK_OCTETS, "a chunk of {} octets", raw.len());
        let octets = raw.len() as u32;
        let packed = zstd(raw)?;
        Ok(if packed.len() < raw.len() {
            Self { octets, packing: Packing::Zstd, data: packed }
        } else {
            Self { octets, packing: Packing::Raw, data: raw.to_vec() }
        })
    }

    pub fn unpack(self) -> Result<Vec<u8>, StoreError> {
        match self.packing {
            Packing::Raw => Ok(self.data),
            Packing::Zstd => unzstd(&self.data, self.octets as usize),
        }
    }
}

/// Compressors that are kept: making one costs as much as compressing a small message does.
static COMPRESSORS: Mutex<Vec<Compressor<'static>>> = Mutex::new(Vec::new());
const COMPRESSORS_MAX: usize = 4;

fn zstd(raw: &[u8]) -> Result<Vec<u8>, StoreError> {
    let cause = |error: std::io::Error| StoreError::Io(error.to_string());
    let kept = COMPRESSORS.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut compressor = match kept {
        Some(kept) => kept,
        None => Compressor::new(ZSTD_LEVEL).map_err(cause)?,
    };
    let packed = compressor.compress(raw).map_err(cause)?;
    let mut kept = COMPRESSORS.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < COMPRESSORS_MAX {
        kept.push(compressor);
    }
    Ok(packed)
}

/// With room for what comes of it, and not for as much as went in.
fn zstd_large(raw: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut packed = Vec::with_capacity(roomy(raw.len() / 2));
    zstd::stream::copy_encode(raw, &mut packed, ZSTD_LEVEL).map_err(|error| StoreError::Io(error.to_string()))?;
    Ok(packed)
}

fn unzstd(data: &[u8], octets: usize) -> Result<Vec<u8>, StoreError> {
    let raw = zstd::bulk::decompress(data, octets).map_err(|error| StoreError::Damaged(error.to_string()))?;
    if raw.len() == octets { Ok(raw) } else { Err(StoreError::Damaged("a chunk of another size".to_owned())) }
}

/// What is computed from a message when it arrives; opaque here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyIndex {
    pub envelope: Vec<u8>,
    pub bodystructure: Vec<u8>,
    pub structure: Vec<u8>,
    pub facts: Vec<u8>,
    /// Decoded headers and text; compressed on its way in.
    pub search_text: Vec<u8>,
    /// What tells most texts apart without unpacking them, and what of them is looked for most. May be empty.
    pub sketch: Sketch,
}

/// See `BodyIndex::sketch`; opaque here as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    pub signature: Vec<u8>,
    pub fields: Vec<u8>,
}

/// A body that is ready to be stored.
#[derive(Clone, Debug)]
pub struct NewBody {
    octets: u32,
    hash: [u8; 32],
    chunks: Vec<Chunk>,
    index: BodyIndex,
    search_octets: u32,
    search_data: Vec<u8>,
}

impl NewBody {
    /// Hashes and compresses: work for a thread that may be kept busy.
    pub fn of(raw: &[u8], index: BodyIndex) -> Result<Self, StoreError> {
        Ok(Self { chunks: chunks_of(raw)?, ..Self::without_chunks(raw, index)? })
    }

    fn without_chunks(raw: &[u8], mut index: BodyIndex) -> Result<Self, StoreError> {
        let octets = u32::try_from(raw.len()).map_err(|_| StoreError::Limit("octets of a message"))?;
        let search = std::mem::take(&mut index.search_text);
        let search_octets = u32::try_from(search.len()).map_err(|_| StoreError::Limit("octets of search text"))?;
        let search_data = if search.len() > BODY_CHUNK_OCTETS { zstd_large(&search)? } else { zstd(&search)? };
        Ok(Self { octets, hash: Sha256::digest(raw).into(), chunks: Vec::new(), index, search_octets, search_data })
    }

    pub fn octets(&self) -> u32 {
        self.octets
    }

    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Roughly what storing it writes.
    pub fn stored_octets(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.data.len()).sum();
        chunks
            + self.search_data.len()
            + self.index.envelope.len()
            + self.index.bodystructure.len()
            + self.index.sketch.signature.len()
    }
}

/// A body that is stored ahead of what names it: hashed, its index ready, its octets shared with whoever else needs them.
#[derive(Clone, Debug)]
pub struct LargeBody {
    raw: Arc<Vec<u8>>,
    head: NewBody,
}

impl LargeBody {
    /// Work for a thread that may be kept busy.
    pub fn of(raw: Arc<Vec<u8>>, index: BodyIndex) -> Result<Self, StoreError> {
        Ok(Self { head: NewBody::without_chunks(&raw, index)?, raw })
    }
}

/// At least one, also of nothing.
pub fn chunks_of(raw: &[u8]) -> Result<Vec<Chunk>, StoreError> {
    if raw.is_empty() {
        return Ok(vec![Chunk::pack(raw)?]);
    }
    raw.chunks(BODY_CHUNK_OCTETS).map(Chunk::pack).collect()
}

/// What FETCH needs of a body besides its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRecord {
    pub id: BodyId,
    pub octets: u32,
    pub hash: [u8; 32],
    pub envelope: Vec<u8>,
    pub bodystructure: Vec<u8>,
    pub structure: Vec<u8>,
    pub facts: Vec<u8>,
}

impl Store {
    /// Stores a large body ahead of the transaction that will name it, a chunk at a time, so that no other write waits for
    /// all of it. Until then it is an orphan. A chunk is compressed while the one before it is written, so that beside the
    /// message itself only two chunks are in memory.
    pub async fn put_body(&self, body: LargeBody) -> Result<BodyId, StoreError> {
        let now = self.0.clock.now();
        let LargeBody { raw, head } = body;
        let size = head.stored_octets() + 256;
        let id = self
            .write(size, move |tx| {
                let id = insert(tx, &head)?;
                orphan(tx, id, now)?;
                Ok(id)
            })
            .await?;
        let mut next = Some(pack_chunk(&raw, 0));
        for position in 0.. {
            let Some(packing) = next.take() else { break };
            let chunk = packing.await?;
            if (position + 1) * BODY_CHUNK_OCTETS < raw.len() {
                next = Some(pack_chunk(&raw, position + 1));
            }
            self.write(chunk.data.len(), move |tx| insert_chunk(tx, id, position, &chunk)).await?;
        }
        Ok(id)
    }

    pub async fn body(&self, body: BodyId) -> Result<Option<BodyRecord>, StoreError> {
        self.read(move |tx| {
            tx.row(
                "SELECT body_id, octets, hash, envelope, bodystructure, structure, facts FROM body WHERE body_id = ?1",
                &[body.into()],
                record_of,
            )
        })
        .await
    }

    /// The hashes of these bodies' octets, in any order.
    pub async fn body_hashes(&self, bodies: Vec<BodyId>) -> Result<Vec<[u8; 32]>, StoreError> {
        self.read(move |tx| {
            let mut hashes = Vec::with_capacity(bodies.len());
            for body in bodies {
                let damaged = |_| StoreError::Damaged("a hash of another size".to_owned());
                let hash = tx.row("SELECT hash FROM body WHERE body_id = ?1", &[body.into()], |row| {
                    <[u8; 32]>::try_from(row.blob(0)?).map_err(damaged)
                })?;
                hashes.extend(hash);
            }
            Ok(hashes)
        })
        .await
    }

    /// One chunk, unpacked: `position` × 256 KiB is its offset. `None` past the end.
    pub async fn body_chunk(&self, body: BodyId, position: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.begin_body_chunk(body, position).await
    }

    /// The same, begun at once and not when it is awaited: to read ahead.
    pub fn begin_body_chunk(
        &self,
        body: BodyId,
        position: usize,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send + use<> {
        self.begin_read(move |tx| {
            let key = chunk_key(body, position)?;
            tx.row("SELECT octets, packing, data FROM chunk WHERE chunk_id = ?1", &[key.into()], unpacked)
        })
    }

    /// All octets; for callers that need the message whole, such as a script or a signature.
    pub async fn body_octets(&self, body: BodyId) -> Result<Vec<u8>, StoreError> {
        self.read(move |tx| octets(tx, body)).await
    }

    /// Decoded headers and text, as `BodyIndex::search_text` had it.
    pub async fn search_text(&self, body: BodyId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |tx| {
            tx.row("SELECT octets, data FROM search_text WHERE body_id = ?1", &[body.into()], |row| {
                unzstd(row.blob(1)?, row.small(0)? as usize)
            })
        })
        .await
    }
}

/// Compresses a chunk on a thread that may be kept busy, from now on.
fn pack_chunk(raw: &Arc<Vec<u8>>, position: usize) -> impl Future<Output = Result<Chunk, StoreError>> + use<> {
    let raw = Arc::clone(raw);
    off_thread(move || {
        let start = position * BODY_CHUNK_OCTETS;
        Chunk::pack(&raw[start..raw.len().min(start + BODY_CHUNK_OCTETS)])
    })
}

fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> impl Future<Output = Result<T, StoreError>> {
    let task = tokio::task::spawn_blocking(work);
    async { task.await.unwrap_or_else(|_| Err(StoreError::Io("a body's compression panicked".to_owned()))) }
}

/// A body's record in place, while the reader's row is at hand.
#[derive(Clone, Copy, Debug)]
pub struct BodyView<'r> {
    pub id: BodyId,
    pub octets: u32,
    pub hash: &'r [u8],
    pub envelope: &'r [u8],
    pub bodystructure: &'r [u8],
    pub structure: &'r [u8],
    pub facts: &'r [u8],
}

/// Of a row whose first columns are those of `record_of`.
pub(super) fn view_of(row: &dyn Row) -> Result<BodyView<'_>, StoreError> {
    Ok(BodyView {
        id: BodyId(row.int(0)?),
        octets: row.small(1)?,
        hash: row.blob(2)?,
        envelope: row.blob(3)?,
        bodystructure: row.blob(4)?,
        structure: row.blob(5)?,
        facts: row.blob(6)?,
    })
}

fn record_of(row: &dyn Row) -> Result<BodyRecord, StoreError> {
    let view = view_of(row)?;
    Ok(BodyRecord {
        id: view.id,
        octets: view.octets,
        hash: view.hash.try_into().map_err(|_| StoreError::Damaged("a hash of another size".to_owned()))?,
        envelope: view.envelope.to_vec(),
        bodystructure: view.bodystructure.to_vec(),
        structure: view.structure.to_vec(),
        facts: view.facts.to_vec(),
    })
}

fn chunk_key(body: BodyId, position: usize) -> Result<i64, StoreError> {
    let position = i64::try_from(position).ok().filter(|position| *position < CHUNKS_PER_BODY);
    position.map(|position| body.0 * CHUNKS_PER_BODY + position).ok_or(StoreError::Limit("chunks of a body"))
}

fn unpacked(row: &dyn Row) -> Result<Vec<u8>, StoreError> {
    match row.int(1)? {
        0 => Ok(row.blob(2)?.to_vec()),
        1 => unzstd(row.blob(2)?, row.small(0)? as usize),
        other => Err(StoreError::Damaged(format!("packing {other}"))),
    }
}

/// The whole body, chunk by chunk.
pub(super) fn octets(tx: &mut Tx<'_>, body: BodyId) -> Result<Vec<u8>, StoreError> {
    let size = tx.row("SELECT octets FROM body WHERE body_id = ?1", &[body.into()], |row| row.small(0))?;
    let size = size.ok_or(StoreError::Missing(Thing::Body))? as usize;
    let mut raw = Vec::with_capacity(size);
    tx.each(
        "SELECT octets, packing, data FROM chunk WHERE chunk_id BETWEEN ?1 AND ?2 ORDER BY chunk_id",
        &[(body.0 * CHUNKS_PER_BODY).into(), (body.0 * CHUNKS_PER_BODY + CHUNKS_PER_BODY - 1).into()],
        |row| {
            raw.extend_from_slice(&unpacked(row)?);
            Ok(std::ops::ControlFlow::Continue(()))
        },
    )?;
    if raw.len() == size { Ok(raw) } else { Err(StoreError::Damaged(format!("body {body} lacks octets"))) }
}

/// Writes the body without any reference to it.
pub(super) fn insert(tx: &mut Tx<'_>, body: &NewBody) -> Result<BodyId, StoreError> {
    let id = tx
        .row(
            "INSERT INTO body (octets, hash, envelope, bodystructure, structure, facts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING body_id",
            &[
                body.octets.into(),
                body.hash.as_slice().into(),
                (&body.index.envelope).into(),
                (&body.index.bodystructure).into(),
                (&body.index.structure).into(),
                (&body.index.facts).into(),
            ],
            |row| Ok(BodyId(row.int(0)?)),
        )?
        .ok_or(StoreError::Missing(Thing::Body))?;
    for (position, chunk) in body.chunks.iter().enumerate() {
        insert_chunk(tx, id, position, chunk)?;
    }
    tx.execute(
        "INSERT INTO search_text (body_id, octets, data) VALUES (?1, ?2, ?3)",
        &[id.into(), body.search_octets.into(), (&body.search_data).into()],
    )?;
    if !body.index.sketch.signature.is_empty() {
        tx.execute(
            "INSERT INTO search_sketch (body_id, signature, fields) VALUES (?1, ?2, ?3)",
            &[id.into(), (&body.index.sketch.signature).into(), (&body.index.sketch.fields).into()],
        )?;
    }
    Ok(id)
}

fn insert_chunk(tx: &mut Tx<'_>, body: BodyId, position: usize, chunk: &Chunk) -> Result<(), StoreError> {
    let packing = match chunk.packing {
        Packing::Raw => 0_i64,
        Packing::Zstd => 1,
    };
    tx.execute(
        "INSERT INTO chunk (chunk_id, octets, packing, data) VALUES (?1, ?2, ?3, ?4)",
        &[chunk_key(body, position)?.into(), chunk.octets.into(), packing.into(), (&chunk.data).into()],
    )?;
    Ok(())
}

fn orphan(tx: &mut Tx<'_>, body: BodyId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO orphan (body_id, since) VALUES (?1, ?2) ON CONFLICT (body_id) DO UPDATE SET since = excluded.since",
        &[body.into(), now.into()],
    )?;
    Ok(())
}

/// The first references to a body that was stored in the same transaction.
pub(super) fn refer_first(tx: &mut Tx<'_>, body: BodyId, count: u32) -> Result<(), StoreError> {
    let parameters = [body.into(), count.into()];
    tx.execute("INSERT INTO body_reference (body_id, count) VALUES (?1, ?2)", &parameters).map(|_| ())
}

/// `count` more entries or sends name the body.
pub(super) fn refer(tx: &mut Tx<'_>, body: BodyId, count: u32) -> Result<(), StoreError> {
    let before = tx.int(
        "INSERT INTO body_reference (body_id, count) VALUES (?1, ?2)
         ON CONFLICT (body_id) DO UPDATE SET count = body_reference.count + excluded.count
         RETURNING count",
        &[body.into(), count.into()],
    )?;
    // The first reference makes it no orphan any more.
    if before == Some(i64::from(count)) {
        tx.execute("DELETE FROM orphan WHERE body_id = ?1", &[body.into()])?;
    }
    Ok(())
}

/// One entry or send less names the body; the last makes it an orphan.
pub(super) fn release(tx: &mut Tx<'_>, body: BodyId, now: Timestamp) -> Result<(), StoreError> {
    let left =
        tx.int("UPDATE body_reference SET count = count - 1 WHERE body_id = ?1 RETURNING count", &[body.into()])?;
    match left {
        Some(0) => {
            tx.execute("DELETE FROM body_reference WHERE body_id = ?1", &[body.into()])?;
            orphan(tx, body, now)
        }
        Some(count) if count > 0 => Ok(()),
        _ => Err(StoreError::Damaged(format!("body {body} was released once too often"))),
    }
}

/// Removes a body and its chunks.
pub(super) fn remove(tx: &mut Tx<'_>, body: BodyId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM chunk WHERE chunk_id BETWEEN ?1 AND ?2",
        &[(body.0 * CHUNKS_PER_BODY).into(), (body.0 * CHUNKS_PER_BODY + CHUNKS_PER_BODY - 1).into()],
    )?;
    tx.execute("DELETE FROM body WHERE body_id = ?1", &[body.into()])?;
    Ok(())
}
