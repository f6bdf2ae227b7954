//! Maildir, with folders below it as Dovecot and Courier have them: `.Work.Projects`, in modified UTF-7.

use super::{Messages, Source, Target, missing, to_crlf, to_lf};
use crate::admin::CarriedMessage;
use crate::cli::failure::Failure;
use crate::types::{MailboxName, WholeFile, utf7};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A flag's letter in a file's name, as IMAP calls it.
const FLAGS: [(char, &str); 6] = [
    ('D', "\\Draft"),
    ('F', "\\Flagged"),
    ('P', "$Forwarded"),
    ('R', "\\Answered"),
    ('S', "\\Seen"),
    ('T', "\\Deleted"),
];
/// Which letter stands for which keyword in this folder: a line each, `0 name`.
const KEYWORDS_FILE: &str = "dovecot-keywords";
const KEYWORDS_MAX: usize = 26;
/// A dot within a level's name, where dots part levels.
const DOT: &str = "&AC4-";

pub(super) fn sources(path: &Path, skipped: &mut Vec<String>) -> Result<Vec<Source>, Failure> {
    let entries = fs::read_dir(path).map_err(|error| Failure::file(path, &error))?;
    let is_folder = |path: &Path| path.join("cur").is_dir() || path.join("new").is_dir();
    let mut folders = Vec::new();
    if is_folder(path) {
        folders.push((MailboxName::inbox(), path.to_owned()));
    }
    for entry in entries.flatten() {
        let (below, name) = (entry.path(), entry.file_name());
        let Some(dotted) = name.to_str().and_then(|name| name.strip_prefix('.')) else { continue };
        if is_folder(&below) {
            match folder_name(dotted) {
                Some(name) => folders.push((name, below)),
                None => skipped.push(format!("{}: no name for a folder", below.display())),
            }
        }
    }
    if folders.is_empty() {
        return Err(missing(path, "this is no Maildir: neither cur nor new is in it, nor in a folder below it"));
    }
    folders.sort();
    Ok(folders.into_iter().map(|(name, path)| source(name, &path)).collect())
}

fn folder_name(dotted: &str) -> Option<MailboxName> {
    let level = |level: &str| utf7::decode(level).or_else(|| utf7::decode(&level.replace(DOT, ".")));
    let levels: Option<Vec<String>> = dotted.split('.').map(level).collect();
    MailboxName::parse(&levels?.join("/")).ok()
}

fn source(name: MailboxName, path: &Path) -> Source {
    let keywords = fs::read_to_string(path.join(KEYWORDS_FILE)).map(|text| keywords(&text)).unwrap_or_default();
    let mut files = Vec::new();
    for below in ["cur", "new"] {
        let entries = fs::read_dir(path.join(below)).into_iter().flatten().flatten();
        files.extend(
            entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")).map(|one| one.path()),
        );
    }
    // Names begin with the time of arrival.
    files.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    let octets = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum();
    let messages: Messages = Box::new(
        files
            .into_iter()
            .map(move |file| read(&file, &keywords).map_err(|error| format!("{}: {error}", file.display()))),
    );
    Source { name, octets, messages }
}

fn keywords(text: &str) -> HashMap<char, String> {
    let line = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        let letter = char::from(b'a' + number.parse::<u8>().ok().filter(|number| usize::from(*number) < KEYWORDS_MAX)?);
        Some((letter, name.trim().to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn read(file: &Path, keywords: &HashMap<char, String>) -> io::Result<CarriedMessage> {
    let octets = to_crlf(&fs::read(file)?);
    let arrived = fs::metadata(file)?.modified()?.duration_since(UNIX_EPOCH).ok();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let letters = name.rsplit_once("2,").map_or("", |(_, letters)| letters);
    let flag = |letter: char| {
        let known = FLAGS.iter().find(|(known, _)| *known == letter).map(|(_, name)| (*name).to_owned());
        known.or_else(|| keywords.get(&letter).cloned())
    };
    let seconds = arrived.and_then(|arrived| i64::try_from(arrived.as_secs()).ok());
    Ok(CarriedMessage { octets, flags: letters.chars().filter_map(flag).collect(), seconds })
}

/// A folder being written.
struct Folder {
    path: PathBuf,
    /// What an earlier export wrote: the part of the name that never changes, and the whole name.
    written: HashMap<String, String>,
    keywords: Vec<String>,
}

pub(super) fn target(path: &Path, name: &MailboxName) -> Result<Box<dyn Target>, Failure> {
    let path = if name.is_inbox() {
        path.to_owned()
    } else {
        let level = |level: &str| utf7::encode(level).replace('.', DOT);
        let levels: Vec<String> = name.as_str().split('/').map(level).collect();
        path.join(format!(".{}", levels.join(".")))
    };
    let written = written(&path).map_err(|error| Failure::file(&path, &error))?;
    let known = fs::read_to_string(path.join(KEYWORDS_FILE)).map(|text| keywords(&text)).unwrap_or_default();
    let mut keywords: Vec<(char, String)> = known.into_iter().collect();
    keywords.sort_unstable();
    Ok(Box::new(Folder { path, written, keywords: keywords.into_iter().map(|(_, name)| name).collect() }))
}

/// Makes the folder if it is not there. What was written into it before.
fn written(folder: &Path) -> io::Result<HashMap<String, String>> {
    for below in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join(below))?;
    }
    let mut written = HashMap::new();
    for entry in fs::read_dir(folder.join("cur"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        written.insert(name.split(':').next().unwrap_or_default().to_owned(), name);
    }
    Ok(written)
}

impl Folder {
    /// In the order of the alphabet, as Maildir wants it. Keywords beyond what there are letters for are left out.
    fn letters(&mut self, flags: &[String]) -> String {
        let mut letters: Vec<char> = Vec::new();
        for flag in flags {
            if let Some((letter, _)) = FLAGS.iter().find(|(_, name)| name.eq_ignore_ascii_case(flag)) {
                letters.push(*letter);
                continue;
            }
            let place = self.keywords.iter().position(|known| known == flag).or_else(|| {
                let room = self.keywords.len() < KEYWORDS_MAX;
                room.then(|| self.keywords.push(flag.clone()));
                room.then(|| self.keywords.len() - 1)
            });
            letters.extend(place.and_then(|place| u8::try_from(place).ok()).map(|place| char::from(b'a' + place)));
        }
        letters.sort_unstable();
        letters.into_iter().collect()
    }

    /// Returns whether the message was new there.
    fn write(&mut self, base: &str, message: &CarriedMessage) -> io::Result<bool> {
        let name = format!("{base}:2,{}", self.letters(&message.flags));
        let place = self.path.join("cur").join(&name);
        if let Some(before) = self.written.get(base) {
            if *before != name {
                fs::rename(self.path.join("cur").join(before), &place)?;
            }
            return Ok(false);
        }
        // Readers look into cur: it must be whole when it appears there.
        let temporary = self.path.join("tmp").join(base);
        let mut file = create_anew(&temporary)?;
        file.write_all(&to_lf(&message.octets))?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(arrived(message).unsigned_abs()))?;
        drop(file);
        fs::rename(&temporary, &place)?;
        Ok(true)
    }
}

/// What an export that was cut short left is removed. Nothing that is there is written into: it may be a link that the
/// folder's owner made, to something that is not his.
fn create_anew(path: &Path) -> io::Result<File> {
    let create = || File::options().write(true).create_new(true).open(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()
        }
        created => created,
    }
}

fn arrived(message: &CarriedMessage) -> i64 {
    message.seconds.unwrap_or(0).max(0)
}

impl Target for Folder {
    fn put(&mut self, uidvalidity: u32, uid: u32, message: &CarriedMessage) -> Result<bool, Failure> {
        let base = format!("{}.V{uidvalidity}U{uid}.posthouse", arrived(message));
        self.write(&base, message).map_err(|error| Failure::file(&self.path, &error))
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        if self.keywords.is_empty() {
            return Ok(());
        }
        let lines: String = self.keywords.iter().enumerate().map(|(place, name)| format!("{place} {name}\n")).collect();
        let place = self.path.join(KEYWORDS_FILE);
        let mut file = WholeFile::create(&place, 0o644)?;
        file.write_all(lines.as_bytes()).map_err(|error| Failure::file(&place, &error))?;
        Ok(file.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders() {
        let check = |dotted: &str, expected: Option<&str>| {
            assert_eq!(folder_name(dotted).as_ref().map(MailboxName::as_str), expected, "{dotted}");
        };
        check("Work", Some("Work"));
        check("Work.Projects", Some("Work/Projects"));
        check("INBOX.Sent", Some("INBOX/Sent"));
        check("&AMk-t&AOk-", Some("Été"));
        check("v1&AC4-2", Some("v1.2"));
        check("a..b", None);
        check("&nonsense", None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let message = |subject: &str, flags: &[&str]| CarriedMessage {
            octets: format!("Subject: {subject}\r\n\r\nHello.\r\n").into_bytes(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            seconds: Some(1_700_000_000),
        };
        let one = message("one", &["\\Flagged", "\\Seen", "$Label1"]);
        let write = |message: &CarriedMessage| {
            let mut target = target(directory.path(), &MailboxName::parse("Work/v1.2").unwrap()).unwrap();
            let is_new = target.put(7, 1, message).unwrap();
            target.finish().unwrap();
            is_new
        };
        let read = || {
            let mut sources = sources(directory.path(), &mut Vec::new()).unwrap_or_else(|_| panic!("no Maildir"));
            assert_eq!(sources.len(), 1);
            assert_eq!(sources[0].name.as_str(), "Work/v1.2");
            sources.remove(0).messages.collect::<Result<Vec<_>, _>>().unwrap()
        };
        assert!(write(&one));
        assert_eq!(read(), std::slice::from_ref(&one));
        // Again: nothing new. With other flags: the file has another name.
        assert!(!write(&one));
        let other = CarriedMessage { flags: vec!["\\Answered".to_owned()], ..one };
        assert!(!write(&other));
        assert_eq!(read(), [other]);
        assert!(sources(&directory.path().join("nowhere"), &mut Vec::new()).is_err());
    }
}
