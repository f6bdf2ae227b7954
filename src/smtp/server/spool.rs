//! Where a message waits while it comes in: up to a fixed size in memory, beyond that in a file that has no name.
//!
//! Nothing here is durable and nothing has to be: until the message is committed and acknowledged, the client has it.

use crate::types::limits::{SPOOL_MEMORY_OCTETS, SPOOL_PIECE_OCTETS, SPOOL_WRITERS};
use crate::types::roomy;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

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
                None => nameless_file(&directory)?,
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
    pub async fn finish(mut self) -> io::Result<Spooled> {
        if self.failed {
            return Err(io::Error::other("a part of the message was lost before"));
        }
        if self.file.is_some() && !self.buffer.is_empty() {
            self.write_out().await?;
        }
        Ok(match self.file {
            None => Spooled { content: Content::Memory(self.buffer) },
            Some(file) => Spooled { content: Content::File { file, octets: self.written_octets } },
        })
    }
}

/// A complete message. Dropping it frees memory and disk.
#[derive(Debug)]
pub struct Spooled {
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    File { file: File, octets: u64 },
}

impl Spooled {
    pub fn in_memory(message: Vec<u8>) -> Self {
        Self { content: Content::Memory(message) }
    }

    pub fn octets(&self) -> u64 {
        match &self.content {
            Content::Memory(message) => message.len() as u64,
            Content::File { octets, .. } => *octets,
        }
    }

    /// The message, if it is small.
    pub fn as_slice(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Memory(message) => Some(message),
            Content::File { .. } => None,
        }
    }

    /// The whole message in one piece. May wait for the disk: not for a thread that serves sessions, and not for many
    /// messages at once.
    pub fn into_bytes(self) -> io::Result<Vec<u8>> {
        match self.content {
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

    /// The first octets, `octets_max` at most. May wait for the disk.
    pub fn head(&mut self, octets_max: usize) -> io::Result<Cow<'_, [u8]>> {
        match &mut self.content {
            Content::Memory(message) => Ok(Cow::Borrowed(&message[..message.len().min(octets_max)])),
            Content::File { file, octets } => {
                let mut head = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.take((*octets).min(octets_max as u64)).read_to_end(&mut head)?;
                Ok(Cow::Owned(head))
            }
        }
    }

    /// What follows the first `skipped` octets, appended to `out`. As with [`Self::into_bytes`], the whole is in memory.
    pub fn append_rest(self, skipped: u64, out: &mut Vec<u8>) -> io::Result<()> {
        match self.content {
            Content::Memory(message) => {
                let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(message.len());
                out.extend_from_slice(&message[skipped..]);
            }
            Content::File { mut file, octets } => {
                let rest = octets.saturating_sub(skipped);
                out.try_reserve_exact(usize::try_from(rest).map_err(io::Error::other)?)?;
                file.seek(SeekFrom::Start(skipped))?;
                file.take(rest).read_to_end(out)?;
            }
        }
        Ok(())
    }

    /// The message from its start, in pieces of the reader's choice. May wait for the disk.
    pub fn reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        match &mut self.content {
            Content::Memory(message) => Ok(Box::new(message.as_slice())),
            Content::File { file, octets } => {
                file.seek(SeekFrom::Start(0))?;
                Ok(Box::new(file.take(*octets)))
            }
        }
    }
}

/// Creates the directory, and removes what a process that was killed in the wrong microsecond left in it.
pub fn prepare_directory(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "spool") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Removed from the directory as soon as it is open, so that no way of ending leaves it behind. `O_TMPFILE` would spare
/// the name, but not every file system has it.
fn nameless_file(directory: &Path) -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("{}-{}.spool", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path: PathBuf = directory.join(name);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(directory: &Path, octets: usize) -> Spooled {
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

    #[test]
    fn leftovers_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("spool");
        prepare_directory(&place).expect("created");
        for name in ["1-2.spool", "keep.txt"] {
            std::fs::write(place.join(name), b"x").expect("written");
        }
        prepare_directory(&place).expect("cleaned");
        let left: Vec<_> =
            std::fs::read_dir(&place).expect("there").map(|entry| entry.expect("entry").file_name()).collect();
        assert_eq!(left, ["keep.txt"]);
    }
}
