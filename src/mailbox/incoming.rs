//! A message that comes in pieces: in memory up to a fixed size, beyond that in a file without a name.
//!
//! Nothing here is durable and nothing has to be: until the message is committed and acknowledged, its sender has it.

use super::MailboxError;
use super::arrival::blocking;
use crate::types::limits::SPOOL_MEMORY_OCTETS;
use crate::types::{HeldMessage, nameless_file, prepare_holding_directory};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// Of the files' short-lived names.
const EXTENSION: &str = "incoming";

/// A message coming in. Holds at most [`SPOOL_MEMORY_OCTETS`] and one chunk in memory.
#[derive(Debug)]
pub struct Incoming {
    directory: Arc<Path>,
    buffer: Vec<u8>,
    file: Option<File>,
    written_octets: u64,
    octets_max: u64,
    /// A part was lost: this is no message and never becomes one.
    failed: bool,
}

impl Incoming {
    pub(super) fn new(directory: Arc<Path>, octets_max: u64) -> Self {
        Self { directory, buffer: Vec::new(), file: None, written_octets: 0, octets_max, failed: false }
    }

    pub fn octets(&self) -> u64 {
        self.written_octets + self.buffer.len() as u64
    }

    /// Takes the next piece. Refuses what would make the message larger than the limit; the caller reads past the rest.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), MailboxError> {
        if self.octets() + chunk.len() as u64 > self.octets_max {
            self.failed = true;
            self.buffer = Vec::new();
            self.file = None;
            return Err(MailboxError::MessageTooLarge);
        }
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() >= SPOOL_MEMORY_OCTETS { self.write_out().await } else { Ok(()) }
    }

    /// Takes another message's octets whole, a chunk at a time.
    pub async fn add(&mut self, other: HeldMessage) -> Result<(), MailboxError> {
        match other {
            HeldMessage::Memory(octets) => self.write(&octets).await,
            HeldMessage::File { mut file, octets } => {
                file.seek(SeekFrom::Start(0))?;
                let mut left = octets;
                while left > 0 {
                    let wanted = left.min(SPOOL_MEMORY_OCTETS as u64);
                    let (back, chunk) = blocking(move || {
                        let mut chunk = Vec::new();
                        (&mut file).take(wanted).read_to_end(&mut chunk)?;
                        Ok::<_, io::Error>((file, chunk))
                    })
                    .await??;
                    if chunk.is_empty() {
                        return Err(MailboxError::Spool(io::ErrorKind::UnexpectedEof));
                    }
                    file = back;
                    left -= chunk.len() as u64;
                    self.write(&chunk).await?;
                }
                Ok(())
            }
        }
    }

    async fn write_out(&mut self) -> Result<(), MailboxError> {
        let (directory, file, mut buffer) =
            (Arc::clone(&self.directory), self.file.take(), std::mem::take(&mut self.buffer));
        // Until it is known to be written, and for good if this is dropped half way.
        let failed_before = std::mem::replace(&mut self.failed, true);
        let (file, buffer, written) = blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => nameless_file(&directory, EXTENSION)?,
            };
            file.write_all(&buffer)?;
            let written = buffer.len() as u64;
            buffer.clear();
            Ok::<_, io::Error>((file, buffer, written))
        })
        .await??;
        self.file = Some(file);
        self.buffer = buffer;
        self.written_octets += written;
        self.failed = failed_before;
        Ok(())
    }

    /// The message is complete.
    pub async fn finish(mut self) -> Result<HeldMessage, MailboxError> {
        if self.file.is_some() && !self.buffer.is_empty() {
            self.write_out().await?;
        }
        if self.failed {
            return Err(MailboxError::Spool(io::ErrorKind::BrokenPipe));
        }
        Ok(match self.file {
            None => HeldMessage::Memory(self.buffer),
            Some(file) => HeldMessage::File { file, octets: self.written_octets },
        })
    }
}

/// Where the files of messages that come in are made.
pub(super) fn prepare_directory(directory: &Path) -> io::Result<()> {
    prepare_holding_directory(directory, EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn received(directory: &Path, octets: usize) -> HeldMessage {
        let mut incoming = Incoming::new(directory.into(), 10_000_000);
        let message: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
        for piece in message.chunks(10_007) {
            incoming.write(piece).await.expect("room");
            assert!(incoming.buffer.len() < SPOOL_MEMORY_OCTETS);
        }
        incoming.finish().await.expect("room")
    }

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        let directory = tempfile::tempdir().expect("a directory");
        for octets in [0, 1, SPOOL_MEMORY_OCTETS - 1, SPOOL_MEMORY_OCTETS, SPOOL_MEMORY_OCTETS + 1, 1_000_000] {
            let message = received(directory.path(), octets).await;
            let expected: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
            assert_eq!(message.octets(), octets as u64);
            assert!(message.into_bytes().expect("readable") == expected);
            assert_eq!(std::fs::read_dir(directory.path()).expect("there").count(), 0, "no name is left behind");
        }
    }

    #[tokio::test]
    async fn too_much_is_refused_and_makes_no_message() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut incoming = Incoming::new(directory.path().into(), 10);
        incoming.write(b"0123456789").await.expect("fits");
        assert_eq!(incoming.write(b"x").await, Err(MailboxError::MessageTooLarge));
        assert!(incoming.finish().await.is_err());
    }

    #[tokio::test]
    async fn a_missing_directory_is_an_error_and_no_panic() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut incoming = Incoming::new(directory.path().join("gone").as_path().into(), u64::MAX);
        assert!(incoming.write(&vec![0; SPOOL_MEMORY_OCTETS]).await.is_err());
        // What follows does not make a message of it.
        incoming.write(b"the rest").await.expect("kept in memory");
        assert!(incoming.finish().await.is_err());
    }
}
