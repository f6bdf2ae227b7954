//! BDAT's bookkeeping (RFC 3030): how much of a chunk is still to come, and how much there was in all.

use super::command::Chunk;

/// The chunks of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Chunks {
    remaining: u64,
    total: u64,
    last: bool,
}

/// Why a chunk can't follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkError {
    /// The chunk before said it was the last.
    AfterLast,
    /// Together they are more than can be counted.
    Overflow,
}

impl Chunks {
    /// Another chunk was announced. The one before has been read whole.
    pub fn begin(&mut self, chunk: Chunk) -> Result<(), ChunkError> {
        if self.last {
            return Err(ChunkError::AfterLast);
        }
        self.total = self.total.checked_add(chunk.octets).ok_or(ChunkError::Overflow)?;
        self.remaining = chunk.octets;
        self.last = chunk.last;
        Ok(())
    }

    /// How many of the `available` octets belong to the chunk. They are counted as read.
    pub fn take(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.remaining).map_or(available, |remaining| remaining.min(available));
        self.remaining -= taken as u64;
        taken
    }

    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Octets of all chunks announced so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The chunk at hand is the last, and all of it was read.
    pub fn complete(&self) -> bool {
        self.last && self.remaining == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_counted() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.begin(Chunk { octets: 10, last: false }), Ok(()));
        assert_eq!(chunks.take(4), 4);
        assert_eq!(chunks.take(100), 6);
        assert_eq!((chunks.remaining(), chunks.complete()), (0, false));
        // RFC 3030 section 2: `BDAT 0 LAST` is well formed.
        assert_eq!(chunks.begin(Chunk { octets: 0, last: true }), Ok(()));
        assert_eq!((chunks.take(5), chunks.total(), chunks.complete()), (0, 10, true));
        assert_eq!(chunks.begin(Chunk { octets: 1, last: false }), Err(ChunkError::AfterLast));
    }

    #[test]
    fn totals_do_not_wrap() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.begin(Chunk { octets: u64::MAX - 1, last: false }), Ok(()));
        assert_eq!(chunks.begin(Chunk { octets: 2, last: false }), Err(ChunkError::Overflow));
    }
}
