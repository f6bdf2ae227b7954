//! A message that waits outside the store while it comes in: in memory, or in a file that has no name.
//!
//! Nothing here is durable and nothing has to be: until a message is committed and acknowledged, its sender has it.

use super::roomy;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A complete message. Dropping it frees memory and disk.
#[derive(Debug)]
pub enum HeldMessage {
    Memory(Vec<u8>),
    File { file: File, octets: u64 },
}

impl HeldMessage {
    pub fn in_memory(message: Vec<u8>) -> Self {
        Self::Memory(message)
    }

    pub fn octets(&self) -> u64 {
        match self {
            Self::Memory(message) => message.len() as u64,
            Self::File { octets, .. } => *octets,
        }
    }

    /// The message, if it is small.
    pub fn as_slice(&self) -> Option<&[u8]> {
        match self {
            Self::Memory(message) => Some(message),
            Self::File { .. } => None,
        }
    }

    /// The whole message in one piece. May wait for the disk: not for a thread that serves sessions, and not for many
    /// messages at once.
    pub fn into_bytes(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(message) => Ok(message),
            Self::File { mut file, octets } => {
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
        match self {
            Self::Memory(message) => Ok(Cow::Borrowed(&message[..message.len().min(octets_max)])),
            Self::File { file, octets } => {
                let mut head = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.take((*octets).min(octets_max as u64)).read_to_end(&mut head)?;
                Ok(Cow::Owned(head))
            }
        }
    }

    /// What follows the first `skipped` octets, appended to `out`. As with [`Self::into_bytes`], the whole is in memory.
    pub fn append_rest(self, skipped: u64, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Memory(message) => {
                let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(message.len());
                out.extend_from_slice(&message[skipped..]);
            }
            Self::File { mut file, octets } => {
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
        match self {
            Self::Memory(message) => Ok(Box::new(message.as_slice())),
            Self::File { file, octets } => {
                file.seek(SeekFrom::Start(0))?;
                Ok(Box::new(file.take(*octets)))
            }
        }
    }
}

/// Creates the directory, and removes what a process that was killed in the wrong microsecond left in it.
pub fn prepare_holding_directory(directory: &Path, extension: &str) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Removed from the directory as soon as it is open, so that no way of ending leaves it behind. `O_TMPFILE` would spare
/// the name, but not every file system has it.
pub fn nameless_file(directory: &Path, extension: &str) -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("{}-{}.{extension}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = directory.join(name);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_has_no_name_and_gives_back_what_went_in() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = nameless_file(directory.path(), "held").expect("made");
        file.write_all(b"Subject: x\r\n\r\ny").expect("written");
        assert_eq!(std::fs::read_dir(directory.path()).expect("there").count(), 0);
        for mut held in
            [HeldMessage::File { file, octets: 15 }, HeldMessage::in_memory(b"Subject: x\r\n\r\ny".to_vec())]
        {
            assert_eq!(held.octets(), 15);
            assert_eq!(held.head(7).expect("readable"), b"Subject".as_slice());
            for _ in 0..2 {
                let mut read = Vec::new();
                held.reader().expect("open").read_to_end(&mut read).expect("readable");
                assert_eq!(read, b"Subject: x\r\n\r\ny");
            }
            let mut rest = b"> ".to_vec();
            held.append_rest(14, &mut rest).expect("readable");
            assert_eq!(rest, b"> y");
        }
    }

    #[test]
    fn leftovers_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("waiting");
        prepare_holding_directory(&place, "held").expect("created");
        for name in ["1-2.held", "keep.txt"] {
            std::fs::write(place.join(name), b"x").expect("written");
        }
        prepare_holding_directory(&place, "held").expect("cleaned");
        let left: Vec<_> =
            std::fs::read_dir(&place).expect("there").map(|entry| entry.expect("entry").file_name()).collect();
        assert_eq!(left, ["keep.txt"]);
    }
}
