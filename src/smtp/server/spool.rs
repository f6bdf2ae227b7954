//! Where a message waits while it comes in: up to a fixed size in memory, beyond that in a file that has no name.
//!
//! Nothing here is durable and nothing has to be: until the message is committed and acknowledged, the client has it.

use crate::types::limits::{SPOOL_MEMORY_OCTETS, SPOOL_PIECE_OCTETS, SPOOL_WRITERS};
use crate::types::{HeldMessage, nameless_file, prepare_holding_directory};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Of the files' short-lived names.
const EXTENSION: &str = "spool";

/// Pieces that are written at one time: one disk has no use for a thread from each of hundreds of connections.
static WRITERS: Semaphore = Semaphore::const_new(SPOOL_WRITERS);

/// A message coming in.
#[derive(Debug)]
pub struct Spool {
    directory: Arc<Path>,
    /// Holds what has not been written to the file: never more than [`SPOOL_MEMORY_OCTETS`], and of a message that has
    /// a file never more than [`SPOOL_PIECE_OCTETS`]; twice that where line ends were mended.
    buffer: Vec<u8>,
    file: Option<File>,
    written_octets: u64,
    /// Something could not be written: what is here is no message and never becomes one.
    failed: bool,
}

impl Spool {
    pub fn new(directory: Arc<Path>) -> Self {
        Self { directory, buffer: Vec::new(), file: None, written_octets: 0, failed: false }
    }

    /// How many octets may be appended before [`Spool::settle`].
    pub fn room(&self) -> usize {
        self.octets_held_max().saturating_sub(self.buffer.len())
    }

    /// Where the next `coming` octets are appended, which [`Spool::room`] allows; [`Spool::settle`] has to follow.
    pub fn buffer(&mut self, coming: usize) -> &mut Vec<u8> {
        let wanted = self.buffer.len() + coming;
        if wanted > self.buffer.capacity() {
            // Doubled as a vector does by itself, but not beyond what it may come to hold: hundreds of these are there at
            // a time.
            let most = self.octets_held_max();
            let capacity = if self.file.is_some() { most } else { (2 * self.buffer.capacity()).min(most) };
            self.buffer.reserve_exact(capacity.max(wanted) - self.buffer.len());
        }
        &mut self.buffer
    }

    fn octets_held_max(&self) -> usize {
        if self.file.is_some() { SPOOL_PIECE_OCTETS } else { SPOOL_MEMORY_OCTETS }
    }

    /// Writes to disk what is too much for memory, on a thread that may wait for it.
    pub async fn settle(&mut self) -> io::Result<()> {
        if self.buffer.len() < self.octets_held_max() {
            return Ok(());
        }
        self.write_out().await
    }

    async fn write_out(&mut self) -> io::Result<()> {
        if self.failed {
            self.buffer = Vec::new();
            return Err(io::Error::other("a part of the message was lost before"));
        }
        let (directory, file, mut buffer) =
            (Arc::clone(&self.directory), self.file.take(), std::mem::take(&mut self.buffer));
        // Until it is known to be written, and for good if this is dropped half way.
        self.failed = true;
        let _writing = WRITERS.acquire().await.map_err(io::Error::other)?;
        let task = tokio::task::spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => nameless_file(&directory, EXTENSION)?,
            };
            file.write_all(&buffer)?;
            let written = buffer.len() as u64;
            if buffer.capacity() > SPOOL_PIECE_OCTETS {
                buffer = Vec::new();
            }
            buffer.clear();
            Ok::<_, io::Error>((file, buffer, written))
        });
        let (file, buffer, written) = task.await.map_err(io::Error::other)??;
        self.file = Some(file);
        self.buffer = buffer;
        self.written_octets += written;
        self.failed = false;
        Ok(())
    }

    /// The message is complete.
    pub async fn finish(mut self) -> io::Result<HeldMessage> {
        if self.failed {
            return Err(io::Error::other("a part of the message was lost before"));
        }
        if self.file.is_some() && !self.buffer.is_empty() {
            self.write_out().await?;
        }
        Ok(match self.file {
            None => HeldMessage::Memory(self.buffer),
            Some(file) => HeldMessage::File { file, octets: self.written_octets },
        })
    }
}

/// Where the files of messages that come in are made.
pub fn prepare_directory(directory: &Path) -> io::Result<()> {
    prepare_holding_directory(directory, EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(directory: &Path, octets: usize) -> HeldMessage {
        let mut spool = Spool::new(directory.into());
        let mut written = 0;
        while written < octets {
            let piece = (octets - written).min(10_007).min(spool.room());
            spool.buffer(piece).extend((written..written + piece).map(|at| (at % 251) as u8));
            written += piece;
            spool.settle().await.expect("room");
            assert!(spool.buffer.len() < SPOOL_MEMORY_OCTETS && spool.room() > 0);
            assert!(
                spool.buffer.capacity() <= if spool.file.is_some() { SPOOL_PIECE_OCTETS } else { SPOOL_MEMORY_OCTETS }
            );
        }
        spool.finish().await.expect("room")
    }

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        let directory = tempfile::tempdir().expect("a directory");
        for octets in [0, 1, SPOOL_MEMORY_OCTETS - 1, SPOOL_MEMORY_OCTETS, SPOOL_MEMORY_OCTETS + 1, 1_000_000] {
            let mut message = spooled(directory.path(), octets).await;
            let expected: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
            assert_eq!(message.octets(), octets as u64);
            assert_eq!(message.as_slice().is_some(), octets < SPOOL_MEMORY_OCTETS);
            for _ in 0..2 {
                let mut read = Vec::new();
                message.reader().expect("open").read_to_end(&mut read).expect("readable");
                assert!(read == expected);
            }
            assert!(message.into_bytes().expect("readable") == expected);
            assert_eq!(std::fs::read_dir(directory.path()).expect("there").count(), 0, "no name is left behind");
        }
    }

    #[tokio::test]
    async fn a_missing_directory_is_an_error_and_no_panic() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut spool = Spool::new(directory.path().join("gone").into());
        spool.buffer(SPOOL_MEMORY_OCTETS).resize(SPOOL_MEMORY_OCTETS, 0);
        assert!(spool.settle().await.is_err());
        // What follows does not make a message of it.
        spool.buffer(8).extend_from_slice(b"the rest");
        assert!(spool.finish().await.is_err());
    }
}
