//! BDAT (RFC 3030).
//!
//! A chunk follows its command whether we want it or not, so a refused one is read past before the answer goes out:
//! otherwise its octets would be commands.

use super::receiving::Receiving;
use crate::smtp::proto::Chunk;
use crate::smtp::server::replies::{Cause, Success};
use crate::smtp::server::session::{Ask, Due, Session, Step};
use crate::types::BodyKind;
use crate::types::limits::SMTP_DISCARDED_OCTETS_MAX;

impl Session {
    pub(in crate::smtp::server) fn bdat(&mut self, chunk: Chunk, out: &mut Vec<u8>) -> Step {
        if chunk.octets > 0 || chunk.last {
            self.was_useful();
        }
        let limits = &self.settings.limits;
        // More than we would read past: the answer goes out now, and the connection can't be used any more.
        if chunk.octets > SMTP_DISCARDED_OCTETS_MAX.max(limits.message_octets_max) {
            return self.chunk_beyond_reason(out);
        }
        let first = self.receiving.is_none();
        let mut receiving = match self.receiving.take() {
            Some(receiving) => receiving,
            None => self.first_chunk(),
        };
        let counted = receiving.begin_chunk(chunk);
        let wanted = receiving.refusal().is_none();
        self.receiving = Some(receiving);
        if counted.is_err() {
            return self.chunk_beyond_reason(out);
        }
        if first && wanted {
            self.due = Due::DataVerdict;
            return Step::Ask(Ask::Data);
        }
        self.read_chunk()
    }

    fn first_chunk(&self) -> Receiving {
        let octets_max = self.settings.limits.message_octets_max;
        let body = self.envelope.as_ref().map(|envelope| envelope.body).unwrap_or_default();
        let mut receiving = match body {
            BodyKind::Binary => Receiving::chunked_binary(octets_max),
            BodyKind::SevenBit | BodyKind::EightBit => {
                Receiving::chunked_text(self.settings.kind.line_ends(), octets_max)
            }
        };
        if !self.has_recipients() {
            receiving.refuse(self.without_recipients());
        }
        receiving
    }

    fn has_recipients(&self) -> bool {
        self.envelope.as_ref().is_some_and(|envelope| !envelope.recipients.is_empty())
    }

    fn chunk_beyond_reason(&mut self, out: &mut Vec<u8>) -> Step {
        self.write_refusal(&Cause::TooBig.into(), out);
        self.close()
    }

    pub(super) fn read_chunk(&mut self) -> Step {
        self.due = Due::Data;
        Step::ReadData
    }

    /// A chunk's last octet has come.
    pub(super) fn chunk_read(&mut self, content: &mut Vec<u8>, out: &mut Vec<u8>) -> Step {
        let Some((complete, refusal)) = self
            .receiving
            .as_ref()
            .and_then(|receiving| Some((receiving.chunks()?.complete(), receiving.refusal().cloned())))
        else {
            return self.out_of_step(out);
        };
        match refusal {
            // There was no message to begin with, so there is none to remember as refused.
            Some(refusal) if !self.has_recipients() => {
                self.receiving = None;
                self.refuse(refusal, out)
            }
            // The message is lost with its first refused chunk, and the chunks after it hear the same, until RSET or the
            // last of them (RFC 3030 section 2 has the client give up).
            Some(refusal) if !complete => self.refuse(refusal, out),
            None if !complete => self.reply(Success::ChunkTaken, out),
            _ => self.message_read(content, out),
        }
    }
}
