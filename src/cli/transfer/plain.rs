//! Mail of others as it lies in files, read by whoever imports it, which is often root: only what really is theirs, and
//! unpacked where it was stored packed.

use crate::types::limits::MESSAGE_OCTETS_MAX;
use nix::fcntl::OFlag;
use std::fs::{DirEntry, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Why a link in somebody's mail is not followed: its owner chose where it leads, to another one's mail or to a secret.
pub(super) const LINK: &str = "a symbolic link is not followed; import what it leads to by its own name";

pub(super) fn is_link(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
}

/// A plain file, and neither a link nor something that would keep us waiting, such as a pipe.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .map_err(|error| if path.is_symlink() { io::Error::other(LINK) } else { error })?;
    match file.metadata()? {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("this is no plain file")),
    }
}

/// Dovecot can store mail packed, and its files' names do not always say so. No message begins with one of these octets.
pub(super) fn unpacked(octets: Vec<u8>) -> io::Result<Vec<u8>> {
    match octets.as_slice() {
        [0x1f, 0x8b, ..] => whole(flate2::read::MultiGzDecoder::new(octets.as_slice())),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => whole(zstd::Decoder::new(octets.as_slice())?),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Err(foreign("bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(foreign("xz")),
        [b'D', b'o', b'v', b'e', b'c', b'o', b't', b'-', b'L', b'Z', b'4', ..] => Err(foreign("lz4")),
        _ => Ok(octets),
    }
}

/// One octet more than a message may have tells that it has too many.
fn whole(packed: impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    packed
        .take(MESSAGE_OCTETS_MAX + 1)
        .read_to_end(&mut octets)
        .map_err(|error| io::Error::other(format!("it is packed, and can't be unpacked: {error}")))?;
    Ok(octets)
}

fn foreign(how: &str) -> io::Error {
    io::Error::other(format!("it is packed with {how}, which is not read here: unpack it first"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn packed_messages() {
        let text = b"Subject: x\n\nHello.\n".repeat(100);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(unpacked(gzip.clone()).unwrap(), text);
        assert_eq!(unpacked(zstd::encode_all(text.as_slice(), 0).unwrap()).unwrap(), text);
        assert_eq!(unpacked(text.clone()).unwrap(), text);
        assert_eq!(unpacked(Vec::new()).unwrap(), b"");
        let wrong = |octets: &[u8]| unpacked(octets.to_vec()).unwrap_err().to_string();
        assert!(wrong(&gzip[..gzip.len() / 2]).contains("can't be unpacked"));
        assert!(wrong(b"BZh91AY&SY").contains("bzip2"));
        assert!(wrong(b"\xfd7zXZ\0").contains("xz"));
        assert!(wrong(b"Dovecot-LZ4\r*\x9b\xc5").contains("lz4"));
        // A bomb takes no more than one message may.
        let bomb = zstd::encode_all(io::repeat(0).take(2 * MESSAGE_OCTETS_MAX), 0).unwrap();
        assert_eq!(unpacked(bomb).unwrap().len() as u64, MESSAGE_OCTETS_MAX + 1);
    }
}
