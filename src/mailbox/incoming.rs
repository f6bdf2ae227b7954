//! A message that comes in pieces: in memory up to a fixed size, beyond that in a file without a name.
//!
//! Nothing here is durable and nothing has to be: until the message is committed and acknowledged, its sender has it.

use super::MailboxError;
use super::arrival::blocking;
use crate::types::limits::SPOOL_MEMORY_OCTETS;
use crate::types::roomy;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    pub async fn add(&mut self, other: Received) -> Result<(), MailboxError> {
        match other.0 {
            Content::Memory(octets) => self.write(&octets).await,
            Content::File { mut file, octets } => {
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
                None => nameless_file(&directory)?,
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
    pub async fn finish(mut self) -> Result<Received, MailboxError> {
        if self.file.is_some() && !self.buffer.is_empty() {
            self.write_out().await?;
        }
        if self.failed {
            return Err(MailboxError::Spool(io::ErrorKind::BrokenPipe));
        }
        Ok(Received(match self.file {
            None => Content::Memory(self.buffer),
            Some(file) => Content::File { file, octets: self.written_octets },
        }))
    }
}

/// A complete message that is not stored yet. Dropping it frees memory and disk.
#[derive(Debug)]
pub struct Received(Content);

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    File { file: File, octets: u64 },
}

impl Received {
    pub fn in_memory(message: Vec<u8>) -> Self {
        Self(Content::Memory(message))
    }

    pub fn octets(&self) -> u64 {
        match &self.0 {
            Content::Memory(message) => message.len() as u64,
            Content::File { octets, .. } => *octets,
        }
    }

    /// The whole message in one piece; may wait for the disk.
    pub fn into_bytes(self) -> io::Result<Vec<u8>> {
        match self.0 {
            Content::Memory(message) => Ok(message),
            Content::File { mut file, octets } => {
                let mut message = Vec::new();
                message.try_reserve_exact(roomy(usize::try_from(octets).map_err(io::Error::other)?))?;
                file.seek(SeekFrom::Start(0))?;
                file.take(octets).read_to_end(&mut message)?;
                Ok(message)
            }
        }
    }
}

/// Creates the directory, and removes what a process that was killed in the wrong microsecond left in it.
pub(super) fn prepare_directory(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "incoming") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Removed from the directory as soon as it is open, so that no way of ending leaves it behind. `O_TMPFILE` would spare
/// the name, but not every file system has it.
fn nameless_file(directory: &Path) -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("{}-{}.incoming", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = directory.join(name);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn received(directory: &Path, octets: usize) -> Received {
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

    #[test]
    fn leftovers_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("incoming");
        prepare_directory(&place).expect("created");
        for name in ["1-2.incoming", "keep.txt"] {
            std::fs::write(place.join(name), b"x").expect("written");
        }
        prepare_directory(&place).expect("cleaned");
        let left: Vec<_> =
            std::fs::read_dir(&place).expect("there").map(|entry| entry.expect("entry").file_name()).collect();
        assert_eq!(left, ["keep.txt"]);
    }
}
