//! Maildir, with folders below it as Dovecot and Courier have them: `.Work.Projects`, in modified UTF-7. Directories within
//! directories are read as well.

use super::plain::{LINK, is_link, open_plain, unpacked};
use super::{DEPTH_MAX, Messages, Source, Target, missing, to_crlf, to_lf};
use crate::admin::CarriedMessage;
use crate::cli::failure::Failure;
use crate::types::{MailboxName, WholeFile, utf7};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirEntry, File};
use std::io::{self, Read as _, Write};
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
/// Those of a folder that there are letters for.
const KEYWORDS_MAX: u8 = 26;
/// Keywords that no letter is left for: a line for each message that has some, with the part of its file's name that never
/// changes before them. Other programs leave such a file alone.
const MORE_KEYWORDS_FILE: &str = "posthouse-keywords";
/// A dot within a level's name, where dots part levels.
const DOT: &str = "&AC4-";

/// What a directory has that is no folder of its own.
const INSIDE: [&str; 3] = ["cur", "new", "tmp"];

pub(super) fn sources(path: &Path, skipped: &mut Vec<String>) -> Result<Vec<Source>, Failure> {
    let entries = fs::read_dir(path).map_err(|error| Failure::file(path, &error))?;
    let mut folders = Vec::new();
    if is_folder(path) {
        folders.push((MailboxName::inbox(), path.to_owned()));
    }
    for entry in entries.flatten() {
        let name = entry.file_name();
        let dotted = name.to_str().and_then(|name| name.strip_prefix('.'));
        let below = entry.path();
        match dotted {
            Some(dotted) if is_folder(&below) => add(folder_name(dotted), &entry, &mut folders, skipped),
            Some(_) => {}
            // Directories within directories, where INBOX is the outermost: elsewhere they are somebody's other files.
            None if is_folder(path) => collect(&entry, &mut Vec::new(), &mut folders, skipped),
            None => {}
        }
    }
    if folders.is_empty() {
        return Err(missing(path, "this is no Maildir: neither cur nor new is in it, nor in a folder below it"));
    }
    folders.sort();
    Ok(folders.into_iter().map(|(name, path)| source(name, &path)).collect())
}

fn is_folder(path: &Path) -> bool {
    path.join("cur").is_dir() || path.join("new").is_dir()
}

/// Folders as directories within directories, `Work/Projects`: Dovecot calls it the layout fs.
fn collect(
    entry: &DirEntry,
    levels: &mut Vec<String>,
    folders: &mut Vec<(MailboxName, PathBuf)>,
    skipped: &mut Vec<String>,
) {
    let (path, name) = (entry.path(), entry.file_name());
    if INSIDE.iter().any(|inside| name == *inside) || !path.is_dir() || levels.len() >= DEPTH_MAX {
        return;
    }
    let Some(level) = name.to_str().and_then(level_name) else {
        return skipped.push(format!("{}: no name for a folder", path.display()));
    };
    levels.push(level);
    if is_folder(&path) {
        add(MailboxName::parse(&levels.join("/")).ok(), entry, folders, skipped);
    }
    // A link may lead anywhere, back to where we came from as well.
    if !is_link(entry) {
        fs::read_dir(&path).into_iter().flatten().flatten().for_each(|below| collect(&below, levels, folders, skipped));
    }
    levels.pop();
}

fn add(
    name: Option<MailboxName>,
    entry: &DirEntry,
    folders: &mut Vec<(MailboxName, PathBuf)>,
    skipped: &mut Vec<String>,
) {
    match name {
        _ if is_link(entry) => skipped.push(format!("{}: {LINK}", entry.path().display())),
        Some(name) => folders.push((name, entry.path())),
        None => skipped.push(format!("{}: no name for a folder", entry.path().display())),
    }
}

fn folder_name(dotted: &str) -> Option<MailboxName> {
    let levels: Option<Vec<String>> = dotted.split('.').map(level_name).collect();
    MailboxName::parse(&levels?.join("/")).ok()
}

/// In modified UTF-7, or in UTF-8 as newer servers can be told to write it.
fn level_name(level: &str) -> Option<String> {
    let encoded = utf7::decode(level).or_else(|| utf7::decode(&level.replace(DOT, ".")));
    encoded.or_else(|| (!level.is_ascii()).then(|| level.to_owned()))
}

fn source(name: MailboxName, path: &Path) -> Source {
    let names = Names::of(path);
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
        files.into_iter().map(move |file| read(&file, &names).map_err(|error| format!("{}: {error}", file.display()))),
    );
    Source { name, octets, messages }
}

/// What keywords a folder's messages have.
#[derive(Default)]
struct Names {
    letters: BTreeMap<char, String>,
    /// By the part of a file's name that never changes.
    more: HashMap<String, Vec<String>>,
}

impl Names {
    fn of(folder: &Path) -> Self {
        let lines = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let letter = |line: &str| {
            let (number, name) = line.split_once(' ')?;
            let number = number.parse::<u8>().ok().filter(|number| *number < KEYWORDS_MAX)?;
            Some((char::from(b'a' + number), name.trim().to_owned()))
        };
        let more = |line: &str| {
            let (base, names) = line.split_once(' ')?;
            Some((base.to_owned(), names.split_whitespace().map(str::to_owned).collect()))
        };
        Self {
            letters: lines(KEYWORDS_FILE).lines().filter_map(letter).collect(),
            more: lines(MORE_KEYWORDS_FILE).lines().filter_map(more).collect(),
        }
    }

    /// None: there are no letters left.
    fn letter_of(&mut self, keyword: &str) -> Option<char> {
        if let Some((letter, _)) = self.letters.iter().find(|(_, name)| *name == keyword) {
            return Some(*letter);
        }
        let free =
            (0..KEYWORDS_MAX).map(|number| char::from(b'a' + number)).find(|one| !self.letters.contains_key(one))?;
        self.letters.insert(free, keyword.to_owned());
        Some(free)
    }

    /// What goes into the two files.
    fn lines(&self) -> [(&'static str, String); 2] {
        let letter = |(letter, name): (&char, &String)| format!("{} {name}\n", u32::from(*letter) - u32::from('a'));
        let more: BTreeMap<_, _> = self.more.iter().collect();
        let more = more.into_iter().map(|(base, names)| format!("{base} {}\n", names.join(" ")));
        [(KEYWORDS_FILE, self.letters.iter().map(letter).collect()), (MORE_KEYWORDS_FILE, more.collect())]
    }
}

fn read(file: &Path, names: &Names) -> io::Result<CarriedMessage> {
    let mut input = open_plain(file)?;
    let arrived = input.metadata()?.modified()?.duration_since(UNIX_EPOCH).ok();
    let mut octets = Vec::new();
    input.read_to_end(&mut octets)?;
    let octets = unpacked(octets)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (base, letters) = name.split_once(":2,").unwrap_or((&name, ""));
    let octets = if is_exact(base, octets.len()) { octets } else { to_crlf(&octets) };
    let flag = |letter: char| {
        let known = FLAGS.iter().find(|(known, _)| *known == letter).map(|(_, name)| (*name).to_owned());
        known.or_else(|| names.letters.get(&letter).cloned())
    };
    let more = names.more.get(base).into_iter().flatten().cloned();
    let seconds = arrived.and_then(|arrived| i64::try_from(arrived.as_secs()).ok());
    Ok(CarriedMessage { octets, flags: letters.chars().filter_map(flag).chain(more).collect(), seconds })
}

/// Whether the file holds a message as it is, however its lines end. Names in Maildirs may tell a file's size behind `S=` and
/// the message's, with CR LF at its lines' ends, behind `W=`: where the two are one, nothing is to be made of line ends.
fn is_exact(base: &str, octets: usize) -> bool {
    let number = |key: &str| base.split(',').find_map(|part| part.strip_prefix(key)?.parse::<usize>().ok());
    number("S=") == Some(octets) && number("W=") == Some(octets)
}

/// A folder being written.
struct Folder {
    path: PathBuf,
    /// What an earlier export wrote: the part of the name that never changes, and the whole name.
    written: HashMap<String, String>,
    keywords: Names,
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
    // Every message of the folder comes by again, and brings those keywords that have no letter.
    let keywords = Names { more: HashMap::new(), ..Names::of(&path) };
    Ok(Box::new(Folder { path, written, keywords }))
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
    /// In the order of the alphabet, as Maildir wants it.
    fn letters(&mut self, base: &str, flags: &[String]) -> String {
        let mut letters: Vec<char> = Vec::new();
        for flag in flags {
            let known = FLAGS.iter().find(|(_, name)| name.eq_ignore_ascii_case(flag)).map(|(letter, _)| *letter);
            match known.or_else(|| self.keywords.letter_of(flag)) {
                Some(letter) => letters.push(letter),
                None => self.keywords.more.entry(base.to_owned()).or_default().push(flag.clone()),
            }
        }
        letters.sort_unstable();
        letters.into_iter().collect()
    }

    /// Returns whether the message was new there.
    fn write(&mut self, base: &str, text: &[u8], message: &CarriedMessage) -> io::Result<bool> {
        let name = format!("{base}:2,{}", self.letters(base, &message.flags));
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
        file.write_all(text)?;
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
        let mut base = format!("{}.V{uidvalidity}U{uid}.posthouse", arrived(message));
        let mut text = Cow::Owned(to_lf(&message.octets));
        if to_crlf(&text) != message.octets {
            text = Cow::Borrowed(&message.octets);
            base += &format!(",S={0},W={0}", text.len());
        }
        self.write(&base, &text, message).map_err(|error| Failure::file(&self.path, &error))
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        for (name, lines) in self.keywords.lines() {
            let place = self.path.join(name);
            if lines.is_empty() && !place.exists() {
                continue;
            }
            let mut file = WholeFile::create(&place, 0o644)?;
            file.write_all(lines.as_bytes()).map_err(|error| Failure::file(&place, &error))?;
            file.finish()?;
        }
        Ok(())
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
        check("Entwürfe", Some("Entwürfe"));
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

    #[test]
    fn whatever_it_is_it_comes_back() {
        let odd: [&[u8]; 9] = [
            b"",
            b"\n",
            b"Subject: x\r\n\r\nno end",
            b"Subject: x\n\nbare\n",
            b"Subject: x\r\n\r\nmixed\nends\r\n",
            b"Subject: x\r\n\r\nend in CR\r",
            b"Subject: x\r\n\r\ntwice\r\r\n",
            b"Subject: \xff\xfe\r\n\r\n\0\r\n",
            b"Subject: x\r\n\r\nplain\r\n",
        ];
        let directory = tempfile::tempdir().unwrap();
        // Some other program gave letters already, not all in a row.
        fs::write(directory.path().join(KEYWORDS_FILE), "0 first\n5 sixth\n").unwrap();
        // One keyword each at first, then forty; the last one has all.
        let keyword = |number: usize| format!("$label{number:02}");
        let messages = |keywords: usize| -> Vec<CarriedMessage> {
            let message = |(number, octets): (usize, &&[u8])| CarriedMessage {
                octets: octets.to_vec(),
                flags: match number {
                    8 => (0..keywords).map(keyword).collect(),
                    _ => vec!["\\Seen".to_owned(), keyword(number * 5), "sixth".to_owned()],
                },
                seconds: Some(1_700_000_000 + i64::try_from(number).unwrap()),
            };
            odd.iter().enumerate().map(message).collect()
        };
        for keywords in [1, 45, 3] {
            let expected = messages(keywords);
            let mut target = target(directory.path(), &MailboxName::inbox()).unwrap();
            for (uid, message) in (1..).zip(&expected) {
                target.put(7, uid, message).unwrap();
            }
            target.finish().unwrap();
            let mut sources = sources(directory.path(), &mut Vec::new()).unwrap_or_else(|_| panic!("no Maildir"));
            let read: Vec<CarriedMessage> = sources.remove(0).messages.collect::<Result<_, _>>().unwrap();
            assert_eq!(read.len(), expected.len());
            for (mut read, mut expected) in read.into_iter().zip(expected) {
                read.flags.sort();
                expected.flags.sort();
                assert_eq!(read, expected);
            }
        }
    }
}
