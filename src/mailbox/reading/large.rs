//! A message too large to be in memory: its parts as streams of chunks.

use super::part::{Part, PartOf, Want, Window};
use super::view::preview_of;
use crate::mailbox::{Entry, MailboxError, Mailboxes};
use crate::message::{Decoder, Structure, body_of};
use crate::store::{BodyRecord, Store, StoreError};
use crate::types::BodyId;
use crate::types::limits::{BODY_CHUNK_OCTETS, HEADER_OCTETS_READ_MAX};
use std::borrow::Cow;
use std::ops::Range;
use std::pin::Pin;

/// A message by itself, of any size.
#[derive(Debug)]
pub struct Message {
    mailboxes: Mailboxes,
    entry: Entry,
    record: BodyRecord,
    structure: Structure,
}

/// A piece of a message on its way out: so many octets, in chunks.
#[derive(Debug)]
pub struct PartStream {
    octets: u64,
    has_nul: Option<bool>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Option<Vec<u8>>),
    Stored(StoredRange),
    Decoded(Box<DecodedRange>),
}

impl Mailboxes {
    /// One message, to be read piece by piece.
    pub async fn message(&self, entry: &Entry) -> Result<Message, MailboxError> {
        let record = self.store().body(entry.body).await?.ok_or(MailboxError::MessageGone)?;
        let structure = Structure::from_bytes(&record.structure).map_err(|error| damaged(&error.to_string()))?;
        Ok(Message { mailboxes: self.clone(), entry: *entry, record, structure })
    }
}

fn damaged(what: &str) -> MailboxError {
    MailboxError::Store(StoreError::Damaged(what.to_owned()))
}

impl Message {
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Ready to send, as are the next two.
    pub fn envelope(&self) -> &[u8] {
        &self.record.envelope
    }

    pub fn bodystructure(&self) -> &[u8] {
        &self.record.bodystructure
    }

    /// BODYSTRUCTURE without its extension data.
    pub fn body(&self) -> Vec<u8> {
        body_of(&self.record.bodystructure).unwrap_or_else(|| b"NIL".to_vec())
    }

    /// RFC 8970; empty when there is nothing to show.
    pub fn preview(&self) -> String {
        preview_of(&self.record.facts)
    }

    /// A piece of the content. A header is in memory; everything else needs the memory of some chunks.
    pub async fn part(&self, want: &Want) -> Result<Part<PartStream>, MailboxError> {
        let whole = 0..u64::from(self.record.octets);
        let range = if want.is_whole() { Some(whole) } else { want.range(&self.structure) };
        let Some(range) = range else { return Ok(Part::Missing) };
        match &want.of {
            PartOf::Fields(_) | PartOf::FieldsNot(_) => {
                let end = range.end.min(range.start + HEADER_OCTETS_READ_MAX);
                let header = self.stored(range.start..end).collect().await?;
                // Seen by itself, the header is a message that has nothing but it.
                let alone = Structure::scan(&header);
                let of = Want { path: Vec::new(), ..want.clone() };
                Ok(in_memory(of.take(&header, &alone)))
            }
            PartOf::Decoded if !want.path.is_empty() => self.decoded(want, range).await,
            _ => {
                let window = Window::of(want.window, range.end - range.start);
                let octets = window.end - window.start;
                let stored = self.stored(range.start + window.start..range.start + window.end);
                Ok(Part::There(PartStream { octets, has_nul: None, source: Source::Stored(stored) }))
            }
        }
    }

    fn stored(&self, range: Range<u64>) -> StoredRange {
        StoredRange::new(self.mailboxes.store().clone(), self.record.id, range)
    }

    /// How many octets there will be is found out by decoding them twice: they come from the disk's cache, and there is no
    /// other way without having them all in memory.
    async fn decoded(&self, want: &Want, range: Range<u64>) -> Result<Part<PartStream>, MailboxError> {
        let Some(part) = self.structure.part(&want.path) else { return Ok(Part::Missing) };
        let Ok(decoder) = part.decoder() else { return Ok(Part::UnknownEncoding) };
        let window = want.window.map_or(0..u64::MAX, |window| Window::of(Some(window), u64::MAX));
        let decoded = |decoder| {
            let source = self.stored(range.clone());
            DecodedRange { source, decoder: Some(decoder), at: 0, window: window.clone() }
        };
        let (mut octets, mut has_nul) = (0, false);
        let mut counted = decoded(decoder.clone());
        while let Some(piece) = counted.next().await? {
            octets += piece.len() as u64;
            has_nul |= memchr::memchr(0, &piece).is_some();
        }
        let source = Source::Decoded(Box::new(decoded(decoder)));
        Ok(Part::There(PartStream { octets, has_nul: Some(has_nul), source }))
    }
}

fn in_memory(part: Part<Cow<'_, [u8]>>) -> Part<PartStream> {
    match part {
        Part::There(octets) => {
            let (len, octets) = (octets.len() as u64, octets.into_owned());
            Part::There(PartStream { octets: len, has_nul: None, source: Source::Memory(Some(octets)) })
        }
        Part::Missing => Part::Missing,
        Part::UnknownEncoding => Part::UnknownEncoding,
    }
}

impl PartStream {
    /// Exactly so many octets will come.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether NUL is among them, if that is known.
    pub fn has_nul(&self) -> Option<bool> {
        self.has_nul
    }

    /// The next ones; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, MailboxError> {
        match &mut self.source {
            Source::Memory(octets) => Ok(octets.take().filter(|octets| !octets.is_empty())),
            Source::Stored(range) => range.next().await,
            Source::Decoded(range) => range.next().await,
        }
    }
}

type Reading = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send>>;

/// Stored octets from here to there, one chunk ahead of who reads them.
struct StoredRange {
    store: Store,
    body: BodyId,
    left: Range<u64>,
    ahead: Option<Reading>,
}

impl std::fmt::Debug for StoredRange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredRange").field("body", &self.body).field("left", &self.left).finish()
    }
}

const CHUNK: u64 = BODY_CHUNK_OCTETS as u64;

impl StoredRange {
    fn new(store: Store, body: BodyId, left: Range<u64>) -> Self {
        Self { store, body, left, ahead: None }
    }

    fn begin(&self, offset: u64) -> Reading {
        Box::pin(self.store.begin_body_chunk(self.body, (offset / CHUNK) as usize))
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, MailboxError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let chunk_start = self.left.start / CHUNK * CHUNK;
        let reading = self.ahead.take().unwrap_or_else(|| self.begin(chunk_start));
        if chunk_start + CHUNK < self.left.end {
            self.ahead = Some(self.begin(chunk_start + CHUNK));
        }
        let mut chunk = reading.await?.ok_or(MailboxError::MessageGone)?;
        let from = (self.left.start - chunk_start) as usize;
        let to = (self.left.end - chunk_start).min(CHUNK) as usize;
        // The client was promised so many octets: a body that lacks some is damaged, and the session must end.
        if chunk.len() < to {
            return Err(damaged("a body lacks octets"));
        }
        chunk.truncate(to);
        chunk.drain(..from);
        self.left.start = chunk_start + to as u64;
        Ok(Some(chunk))
    }

    async fn collect(mut self) -> Result<Vec<u8>, MailboxError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

/// What a stored range is without its transfer encoding, or a window of that.
#[derive(Debug)]
struct DecodedRange {
    source: StoredRange,
    /// `None` once the last piece was had.
    decoder: Option<Decoder>,
    /// Octets that were decoded.
    at: u64,
    window: Range<u64>,
}

impl DecodedRange {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, MailboxError> {
        while self.at < self.window.end {
            let Some(decoder) = &mut self.decoder else { break };
            let mut piece = match self.source.next().await? {
                Some(chunk) => decoder.push(chunk),
                None => self.decoder.take().map(Decoder::finish).unwrap_or_default(),
            };
            let start = self.window.start.saturating_sub(self.at).min(piece.len() as u64) as usize;
            let end = (self.window.end - self.at).min(piece.len() as u64) as usize;
            self.at += piece.len() as u64;
            piece.truncate(end);
            piece.drain(..start);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}
