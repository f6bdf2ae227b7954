//! A message as it comes in, by DATA or by BDAT: what of it is kept, and why it may not be.

use crate::smtp::proto::{Chunk, ChunkError, Chunks, DataDecoder, LineEnds};
use crate::smtp::server::replies::{Cause, Refusal};
use crate::types::limits::SMTP_DISCARDED_OCTETS_MAX;

pub(in crate::smtp::server) struct Receiving {
    framing: Framing,
    /// `None`: binary, every octet is content as it is.
    decoder: Option<DataDecoder>,
    line_ends: LineEnds,
    octets_max: u64,
    kept_octets: u64,
    discarded_octets: u64,
    /// Why it will be refused when its end is reached. From then on nothing is kept.
    refusal: Option<Refusal>,
}

enum Framing {
    Dotted,
    Chunks(Chunks),
}

/// What taking some octets led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::smtp::server) enum Taken {
    /// All were taken, and more have to come.
    All,
    /// So many were; the data, or the chunk, ended with them.
    End(usize),
    /// Enough was thrown away: the client will hear the refusal now.
    TooMuch,
}

impl Receiving {
    pub(super) fn dotted(line_ends: LineEnds, octets_max: u64) -> Self {
        Self::new(Framing::Dotted, Some(DataDecoder::dotted(line_ends)), line_ends, octets_max)
    }

    /// Text in chunks obeys the same rules on line ends as text in DATA: RFC 3030 section 3 lifts them for BINARYMIME only.
    pub(super) fn chunked_text(line_ends: LineEnds, octets_max: u64) -> Self {
        let decoder = DataDecoder::counted(line_ends);
        Self::new(Framing::Chunks(Chunks::default()), Some(decoder), line_ends, octets_max)
    }

    pub(super) fn chunked_binary(octets_max: u64) -> Self {
        Self::new(Framing::Chunks(Chunks::default()), None, LineEnds::Kept, octets_max)
    }

    fn new(framing: Framing, decoder: Option<DataDecoder>, line_ends: LineEnds, octets_max: u64) -> Self {
        Self { framing, decoder, line_ends, octets_max, kept_octets: 0, discarded_octets: 0, refusal: None }
    }

    /// The first reason counts.
    pub(in crate::smtp::server) fn refuse(&mut self, refusal: impl Into<Refusal>) {
        self.refusal.get_or_insert(refusal.into());
    }

    /// The next chunk was announced.
    pub(super) fn begin_chunk(&mut self, chunk: Chunk) -> Result<(), ChunkError> {
        let Framing::Chunks(chunks) = &mut self.framing else { return Ok(()) };
        chunks.begin(chunk)?;
        // Known before the first octet of it: none of them is worth keeping.
        if chunks.total() > self.octets_max {
            self.refuse(Cause::TooBig);
        }
        Ok(())
    }

    pub(super) fn chunks(&self) -> Option<Chunks> {
        match self.framing {
            Framing::Dotted => None,
            Framing::Chunks(chunks) => Some(chunks),
        }
    }

    /// Appends to `content` what is kept of `input`.
    pub(super) fn take(&mut self, input: &[u8], content: &mut Vec<u8>) -> Taken {
        let before = content.len();
        let end = match &mut self.framing {
            Framing::Dotted => match &mut self.decoder {
                Some(decoder) => decoder.decode(input, content),
                None => None,
            },
            Framing::Chunks(chunks) => {
                let taken = chunks.take(input.len());
                match &mut self.decoder {
                    Some(decoder) => {
                        decoder.decode(&input[..taken], content);
                    }
                    None => content.extend_from_slice(&input[..taken]),
                }
                (chunks.remaining() == 0).then_some(taken)
            }
        };
        self.keep(content, before);
        match end {
            Some(taken) => Taken::End(taken),
            None if self.discarded_octets > SMTP_DISCARDED_OCTETS_MAX => Taken::TooMuch,
            None => Taken::All,
        }
    }

    fn keep(&mut self, content: &mut Vec<u8>, before: usize) {
        let octets = (content.len() - before) as u64;
        // RFC 1870 section 6.3: whatever MAIL had declared, what comes is counted.
        if self.refusal.is_none() && self.kept_octets + octets > self.octets_max {
            self.refuse(Cause::TooBig);
        }
        // A message that will be refused for its line ends need not be stored up to then.
        let faults = self.decoder.as_ref().map(DataDecoder::faults).unwrap_or_default();
        if faults.nul {
            self.refuse(Cause::Nul);
        }
        if faults.line_ends() && self.line_ends == LineEnds::Kept {
            self.refuse(Cause::BareLineEnds);
        }
        if self.refusal.is_some() {
            content.truncate(before);
            self.discarded_octets += octets;
        } else {
            self.kept_octets += octets;
        }
    }

    /// The end was reached. Some text may still have been held back.
    pub(super) fn finish(&mut self, content: &mut Vec<u8>) -> Result<(), Refusal> {
        let before = content.len();
        if let Some(decoder) = &mut self.decoder {
            decoder.finish(content);
        }
        self.keep(content, before);
        self.refusal.take().map_or(Ok(()), Err)
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Whether text that was received has octets outside US-ASCII.
    pub(super) fn eight_bit(&self) -> bool {
        self.decoder.as_ref().is_some_and(DataDecoder::eight_bit)
    }
}
