//! One message while its rows are at hand: what FETCH shows of it.

use super::part::{Part, Want, cut};
use crate::mailbox::Entry;
use crate::message::{Facts, Structure, body_of};
use crate::store::BodyRow;
use crate::types::limits::BODY_CHUNK_OCTETS;
use std::borrow::Cow;

/// A message that fits one chunk, or a larger one of which no content was asked for.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'v> {
    /// Its place among those that were asked for.
    pub place: usize,
    pub entry: &'v Entry,
    row: BodyRow<'v>,
}

impl<'v> MessageView<'v> {
    pub(super) fn new(place: usize, entry: &'v Entry, row: BodyRow<'v>) -> Self {
        Self { place, entry, row }
    }

    /// Ready to send, as are the next two.
    pub fn envelope(&self) -> &'v [u8] {
        self.row.record.map_or(b"", |record| record.envelope)
    }

    pub fn bodystructure(&self) -> &'v [u8] {
        self.row.record.map_or(b"", |record| record.bodystructure)
    }

    /// BODYSTRUCTURE without its extension data.
    pub fn body(&self) -> Vec<u8> {
        body_of(self.bodystructure()).unwrap_or_else(|| b"NIL".to_vec())
    }

    /// RFC 8970; empty when there is nothing to show.
    pub fn preview(&self) -> String {
        preview_of(self.row.record.map_or(b"", |record| record.facts))
    }

    /// A piece of the content.
    pub fn part(&self, want: &Want) -> Part<Cow<'v, [u8]>> {
        let Some(raw) = self.row.content.filter(|_| self.entry.octets as usize <= BODY_CHUNK_OCTETS) else {
            return Part::Missing;
        };
        if want.is_whole() {
            return Part::There(cut(Cow::Borrowed(raw), want.window));
        }
        match self.row.record.map(|record| Structure::from_bytes(record.structure)) {
            Some(Ok(structure)) => want.take(raw, &structure),
            _ => Part::Missing,
        }
    }
}

pub(super) fn preview_of(facts: &[u8]) -> String {
    Facts::from_bytes(facts).map(|facts| facts.preview).unwrap_or_default()
}
