//! Many bodies in one reading: for listings, for downloads and for searches, each in one snapshot and without copies but
//! the caller's own.
//!
//! Bodies that came one after the other lie one after the other. Where those that are asked for lie close together, all
//! between the first and the last are read over, which costs a fifth of looking each one up.

use super::bodies::{self, BodyView, CHUNKS_PER_BODY};
use super::tx::{Row, Tx};
use super::{Store, StoreError};
use crate::types::BodyId;
use crate::types::limits::BODY_CHUNK_OCTETS;
use std::cell::RefCell;
use std::ops::ControlFlow;

/// What is wanted of each body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Record,
    /// The octets of the first chunk, which of most bodies is all.
    Content,
    Both,
}

/// One body, while the reader's row is at hand.
#[derive(Clone, Copy, Debug)]
pub struct BodyRow<'r> {
    /// As `Detail` asked.
    pub record: Option<BodyView<'r>>,
    pub content: Option<&'r [u8]>,
}

/// Bodies between two that are asked for, per one that is asked for, that are read over rather than jumped.
const READ_OVER_MAX: i64 = 4;
/// Fewer are looked up one by one.
const RUN_MIN: usize = 4;
/// What an unpacking buffer keeps between two texts.
const BUFFER_KEPT_OCTETS: usize = 4 * BODY_CHUNK_OCTETS;

const RECORDS: &str = "SELECT body_id, octets, hash, envelope, bodystructure, structure, facts FROM body
    WHERE body_id BETWEEN ?1 AND ?2 ORDER BY body_id";
const CONTENTS: &str = "SELECT chunk_id, octets, packing, data FROM chunk WHERE chunk_id BETWEEN ?1 AND ?2
    ORDER BY chunk_id";
const BOTH: &str = "SELECT b.body_id, b.octets, b.hash, b.envelope, b.bodystructure, b.structure, b.facts,
    c.octets, c.packing, c.data FROM body b JOIN chunk c ON c.chunk_id = b.body_id * 4096
    WHERE b.body_id BETWEEN ?1 AND ?2 ORDER BY b.body_id";
const SKETCHES: &str = "SELECT body_id, signature, fields FROM search_sketch WHERE body_id BETWEEN ?1 AND ?2
    ORDER BY body_id";
const TEXTS: &str = "SELECT body_id, octets, data FROM search_text WHERE body_id BETWEEN ?1 AND ?2 ORDER BY body_id";

/// What unpacks texts, with its memory.
struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
    buffer: Vec<u8>,
}

thread_local! {
    /// Between two jobs of a reader: to make one costs as much as to unpack a message.
    static UNPACKER: RefCell<Option<Unpacker>> = const { RefCell::new(None) };
}

/// Lends this thread's unpacker.
fn unpacking<T>(work: impl FnOnce(&mut Unpacker) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut unpacker = match UNPACKER.take() {
        Some(unpacker) => unpacker,
        None => Unpacker::new()?,
    };
    let done = work(&mut unpacker);
    // One that has met damage is not kept.
    if done.is_ok() {
        unpacker.buffer.clear();
        unpacker.buffer.shrink_to(BUFFER_KEPT_OCTETS);
        UNPACKER.set(Some(unpacker));
    }
    done
}

impl Unpacker {
    fn new() -> Result<Self, StoreError> {
        let zstd = zstd::bulk::Decompressor::new().map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(Self { zstd, buffer: Vec::new() })
    }

    fn unpack(&mut self, data: &[u8], octets: usize) -> Result<&[u8], StoreError> {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_OCTETS);
        self.buffer.reserve(octets);
        let damaged = |error: std::io::Error| StoreError::Damaged(error.to_string());
        let written = self.zstd.decompress_to_buffer(data, &mut self.buffer).map_err(damaged)?;
        if written == octets { Ok(&self.buffer) } else { Err(StoreError::Damaged("a text of another size".to_owned())) }
    }

    /// Of a row with size, packing and data from this column on.
    fn chunk<'r>(&'r mut self, row: &'r dyn Row, column: usize) -> Result<&'r [u8], StoreError> {
        match row.int(column + 1)? {
            0 => row.blob(column + 2),
            _ => self.unpack(row.blob(column + 2)?, row.small(column)? as usize),
        }
    }
}

impl Store {
    /// Calls `each` with every body, in the order asked and with its place in it, on the reader's thread, until it
    /// breaks. Missing ones are left out. Gives how many were done with.
    pub async fn each_body<T, F>(
        &self,
        bodies: Vec<BodyId>,
        detail: Detail,
        start: T,
        each: F,
    ) -> Result<(T, usize), StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut T, usize, BodyRow<'_>) -> ControlFlow<()> + Send + 'static,
    {
        self.begin_each_body(bodies, detail, start, each).await
    }

    /// The same, begun at once and not when it is awaited: to read ahead.
    pub fn begin_each_body<T, F>(
        &self,
        bodies: Vec<BodyId>,
        detail: Detail,
        start: T,
        each: F,
    ) -> impl Future<Output = Result<(T, usize), StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&mut T, usize, BodyRow<'_>) -> ControlFlow<()> + Send + 'static,
    {
        self.begin_read(move |tx| {
            let mut state = start;
            let (sql, factor) = match detail {
                Detail::Record => (RECORDS, 1),
                Detail::Content => (CONTENTS, CHUNKS_PER_BODY),
                Detail::Both => (BOTH, 1),
            };
            let done = unpacking(|unpacker| {
                scan(tx, sql, &bodies, factor, |place, row| {
                    let record = if detail == Detail::Content { None } else { Some(bodies::view_of(row)?) };
                    let column = if detail == Detail::Content { 1 } else { 7 };
                    let content = match detail {
                        Detail::Record => None,
                        Detail::Content | Detail::Both => Some(unpacker.chunk(row, column)?),
                    };
                    Ok(each(&mut state, place, BodyRow { record, content }))
                })
            })?;
            Ok((state, done))
        })
    }

    /// Calls `each` with every body's sketch, signature and fields. Those without are left out.
    pub fn begin_each_sketch<T, F>(
        &self,
        bodies: Vec<BodyId>,
        start: T,
        each: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&mut T, usize, &[u8], &[u8]) + Send + 'static,
    {
        self.begin_read(move |tx| {
            let mut state = start;
            scan(tx, SKETCHES, &bodies, 1, |place, row| {
                each(&mut state, place, row.blob(1)?, row.blob(2)?);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(state)
        })
    }

    /// Calls `each` with every body's search text.
    pub fn begin_each_text<T, F>(
        &self,
        bodies: Vec<BodyId>,
        start: T,
        each: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&mut T, usize, &[u8]) + Send + 'static,
    {
        self.begin_read(move |tx| {
            let mut state = start;
            unpacking(|unpacker| {
                scan(tx, TEXTS, &bodies, 1, |place, row| {
                    each(&mut state, place, unpacker.unpack(row.blob(2)?, row.small(1)? as usize)?);
                    Ok(ControlFlow::Continue(()))
                })
            })?;
            Ok(state)
        })
    }
}

/// How many bodies from the first on lie close together, in ascending order.
fn run_length(bodies: &[BodyId]) -> usize {
    let close = |pair: &[BodyId]| (1..=READ_OVER_MAX).contains(&(pair[1].0 - pair[0].0));
    1 + bodies.windows(2).take_while(|pair| close(pair)).count()
}

/// Calls `each` with the rows of these bodies whose key is `body_id × factor`, in the order asked. Gives the place
/// behind the last one that was done with.
fn scan(
    tx: &mut Tx<'_>,
    sql: &'static str,
    bodies: &[BodyId],
    factor: i64,
    mut each: impl FnMut(usize, &dyn Row) -> Result<ControlFlow<()>, StoreError>,
) -> Result<usize, StoreError> {
    let mut place = 0;
    while place < bodies.len() {
        let run = run_length(&bodies[place..]);
        let run = if run < RUN_MIN { 1 } else { run };
        let wanted = &bodies[place..place + run];
        let mut at = 0;
        let mut broken = None;
        tx.each(sql, &[(wanted[0].0 * factor).into(), (wanted[run - 1].0 * factor).into()], |row| {
            let key = row.int(0)?;
            while wanted.get(at).is_some_and(|body| body.0 * factor < key) {
                at += 1;
            }
            let Some(body) = wanted.get(at) else { return Ok(ControlFlow::Break(())) };
            if body.0 * factor != key {
                return Ok(ControlFlow::Continue(()));
            }
            let flow = each(place + at, row)?;
            at += 1;
            if flow.is_break() {
                broken = Some(place + at);
            }
            Ok(flow)
        })?;
        if let Some(done) = broken {
            return Ok(done);
        }
        place += run;
    }
    Ok(bodies.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_ascending_and_close() {
        let check = |bodies: &[i64], expected: usize| {
            let bodies: Vec<BodyId> = bodies.iter().copied().map(BodyId).collect();
            assert_eq!(run_length(&bodies), expected, "{bodies:?}");
        };
        check(&[5], 1);
        check(&[5, 6, 7], 3);
        check(&[5, 9, 14], 2);
        check(&[5, 5, 6], 1);
        check(&[5, 4], 1);
    }
}
