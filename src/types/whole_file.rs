//! Files that others see whole or not at all: written beside their place, synced, renamed, and the directory synced.
//!
//! Only the place of a plain file is taken, or one where nothing is. A rename would put a file where a device, a pipe or a
//! socket was, and takes what a symbolic link was for; writing through a link instead would let whoever owns the directory
//! choose what a superuser overwrites. So these are refused, and whoever means the link's target names it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a file was not written. Its place is as it was.
#[derive(Debug)]
pub enum WholeFileError {
    /// Something else than a plain file has the place; the text says what.
    Taken(PathBuf, &'static str),
    /// Somebody else writes to the same place at this moment.
    BeingWritten(PathBuf),
    Io(PathBuf, io::Error),
}

impl fmt::Display for WholeFileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path, what) => {
                write!(formatter, "{}: this is {what}, and only a plain file is replaced", path.display())
            }
            Self::BeingWritten(path) => write!(formatter, "{}: somebody else is writing it now", path.display()),
            Self::Io(path, error) => write!(formatter, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for WholeFileError {}

/// A file that is being written, and is removed again unless it is finished.
#[derive(Debug)]
pub struct WholeFile {
    place: PathBuf,
    part: PathBuf,
    file: File,
    is_finished: bool,
}

impl WholeFile {
    /// With its mode from the first moment: what is private must not be readable even briefly.
    pub fn create(place: &Path, mode: u32) -> Result<Self, WholeFileError> {
        check_place(place)?;
        let part = part_of(place).ok_or_else(|| WholeFileError::Taken(place.to_owned(), "a directory"))?;
        let failed = |error| WholeFileError::Io(place.to_owned(), error);
        let create = || OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&part);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_leftover(place, &part)?;
                create().map_err(failed)?
            }
            opened => opened.map_err(failed)?,
        };
        // Held for as long as it is written: the sign that it is no leftover.
        file.try_lock().map_err(|_| WholeFileError::BeingWritten(place.to_owned()))?;
        Ok(Self { place: place.to_owned(), part, file, is_finished: false })
    }

    /// Where it will be.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Where it is until it is finished.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// On the disk, and under its name.
    pub fn finish(mut self) -> Result<(), WholeFileError> {
        let failed = |error| WholeFileError::Io(self.place.clone(), error);
        self.file.sync_all().map_err(failed)?;
        // Again, as writing may have taken long.
        check_place(&self.place)?;
        fs::rename(&self.part, &self.place).map_err(failed)?;
        self.is_finished = true;
        File::open(directory_of(&self.place)).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

impl Write for WholeFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // Whoever gave up has a better reason to tell than a leftover, which the next one removes.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// The directory that a path's last name is in.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Hidden, so that whoever reads the directory meanwhile takes it for nothing of his. None: the path ends in no name.
fn part_of(place: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(place.file_name()?);
    name.push(".part");
    Some(directory_of(place).join(name))
}

fn check_place(place: &Path) -> Result<(), WholeFileError> {
    // `file/` names a directory, though the path's last name does not show it.
    if place.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(WholeFileError::Taken(place.to_owned(), "a directory"));
    }
    match fs::symlink_metadata(place) {
        Ok(found) => match other_than_plain(found.file_type()) {
            Some(what) => Err(WholeFileError::Taken(place.to_owned(), what)),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WholeFileError::Io(place.to_owned(), error)),
    }
}

fn other_than_plain(kind: FileType) -> Option<&'static str> {
    let kinds = [
        (kind.is_dir(), "a directory"),
        (kind.is_symlink(), "a symbolic link"),
        (kind.is_fifo(), "a pipe"),
        (kind.is_socket(), "a socket"),
        (kind.is_block_device() || kind.is_char_device(), "a device"),
        (!kind.is_file(), "something of the system"),
    ];
    kinds.into_iter().find_map(|(is, what)| is.then_some(what))
}

/// What somebody left who was ended before he was done.
fn remove_leftover(place: &Path, part: &Path) -> Result<(), WholeFileError> {
    check_place(part)?;
    let failed = |error| WholeFileError::Io(part.to_owned(), error);
    let there = OpenOptions::new().write(true).open(part).map_err(failed)?;
    match there.try_lock() {
        Ok(()) => fs::remove_file(part).map_err(failed),
        Err(TryLockError::WouldBlock) => Err(WholeFileError::BeingWritten(place.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn write(place: &Path, text: &str) -> Result<(), WholeFileError> {
        let mut file = WholeFile::create(place, 0o600)?;
        file.write_all(text.as_bytes()).unwrap();
        file.finish()
    }

    #[test]
    fn whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("file");
        let mut first = WholeFile::create(&place, 0o600).unwrap();
        first.write_all(b"first").unwrap();
        assert!(!place.exists());
        assert!(matches!(WholeFile::create(&place, 0o600), Err(WholeFileError::BeingWritten(_))));
        first.finish().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"first");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
        drop(WholeFile::create(&place, 0o600).unwrap());
        // What somebody left who was ended is nobody's.
        fs::write(directory.path().join(".file.part"), "half").unwrap();
        write(&place, "second").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"second");
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn what_is_no_plain_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("directory")).unwrap();
        fs::write(at("precious"), "precious").unwrap();
        symlink(at("precious"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        symlink(at("precious"), at(".guarded.part")).unwrap();
        let before = names(directory.path());
        let check = |name: &str, expected: &str| {
            let error = write(&at(name), "new").unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        };
        check("directory", "this is a directory");
        check("directory/", "this is a directory");
        check("precious/", "this is a directory");
        check("directory/..", "this is a directory");
        check("link", "this is a symbolic link");
        check("dangling", "this is a symbolic link");
        check("pipe", "this is a pipe");
        check("socket", "this is a socket");
        check("guarded", "this is a symbolic link");
        check("nowhere/file", "nowhere/file: No such file");
        check(&"x".repeat(300), "too long");
        assert_eq!(names(directory.path()), before);
        assert_eq!(fs::read(at("precious")).unwrap(), b"precious");
    }
}
