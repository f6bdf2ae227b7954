//! Mbox files: messages one after the other, each behind a line that begins with `From `. Lines within a message that look
//! like one are quoted with `>`, also those that are quoted already (the form called mboxrd), so that all come back as they
//! were. Other forms are read as well; what they have lost is lost.

use super::plain::{LINK, is_link, open_plain};
use super::{DEPTH_MAX, Messages, Source, Target, missing, to_crlf, to_lf};
use crate::admin::CarriedMessage;
use crate::cli::failure::Failure;
use crate::types::limits::MESSAGE_OCTETS_MAX;
use crate::types::{MailboxName, WholeFile};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

const SEPARATOR: &[u8] = b"From ";
/// Where folders below one that is a file itself go; mail programs read it so.
const BELOW: &str = ".sbd";
/// What stands in a header for flags, and is none of the message's own.
const FLAG_FIELDS: [&str; 3] = ["status", "x-status", "x-keywords"];
/// The last of our own fields above a message that would not come back as it was from the usual form: with fields of its own
/// that look like ours, with line ends of several kinds, without a last one. It tells how many octets the message has, which
/// stand below it as they are.
const EXACT_FIELD: &str = "X-Posthouse-Exact";

pub(super) fn sources(path: &Path, skipped: &mut Vec<String>) -> Result<Vec<Source>, Failure> {
    let kind = fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
    if !kind.is_dir() {
        // What was named itself may be a link.
        let path = &fs::canonicalize(path).map_err(|error| Failure::file(path, &error))?;
        let source = source(MailboxName::inbox(), path).map_err(|error| Failure::file(path, &error))?;
        return source.map(|source| vec![source]).ok_or_else(|| missing(path, "this is no mbox file"));
    }
    let mut files = Vec::new();
    collect(path, &mut Vec::new(), &mut files, skipped);
    files.sort();
    let mut sources = Vec::new();
    for (name, file) in files {
        match source(name, &file) {
            Ok(Some(source)) => sources.push(source),
            Ok(None) => skipped.push(format!("{}: no mbox file", file.display())),
            Err(error) => skipped.push(format!("{}: {error}", file.display())),
        }
    }
    if sources.is_empty() { Err(missing(path, "there is no mbox file in it")) } else { Ok(sources) }
}

fn collect(
    directory: &Path,
    levels: &mut Vec<String>,
    files: &mut Vec<(MailboxName, PathBuf)>,
    skipped: &mut Vec<String>,
) {
    let Ok(entries) = fs::read_dir(directory) else {
        return skipped.push(format!("{}: can't be read", directory.display()));
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || levels.len() >= DEPTH_MAX {
            continue;
        }
        if is_link(&entry) {
            skipped.push(format!("{}: {LINK}", path.display()));
            continue;
        }
        if path.is_dir() {
            levels.push(level_of(name.strip_suffix(BELOW).unwrap_or(&name)));
            collect(&path, levels, files, skipped);
            levels.pop();
            continue;
        }
        let whole = levels.iter().map(String::as_str).chain([level_of(&name).as_str()]).collect::<Vec<_>>().join("/");
        match MailboxName::parse(&whole) {
            Ok(name) => files.push((name, path)),
            Err(error) => skipped.push(format!("{}: {error}", path.display())),
        }
    }
}

/// A level's name as a file's, and back: what a file can't be called is written `%2E`.
fn file_of(level: &str) -> String {
    let level = level.replace('%', "%25");
    level.strip_prefix('.').map(|rest| format!("%2E{rest}")).unwrap_or(level)
}

fn level_of(file: &str) -> String {
    file.replace("%2E", ".").replace("%25", "%")
}

/// None: it begins like no mbox file. An empty one is one without messages.
fn source(name: MailboxName, path: &Path) -> io::Result<Option<Source>> {
    let file = open_plain(path)?;
    let octets = file.metadata()?.len();
    let mut input = BufReader::new(file);
    let begin = input.fill_buf()?;
    if !begin.is_empty() && !begin.starts_with(SEPARATOR) {
        return Ok(None);
    }
    let reader = Reader { path: path.to_owned(), input, separator: None, dated: false, ended: false };
    Ok(Some(Source { name, octets, messages: Box::new(reader) as Messages }))
}

/// The `From ` line, and the message unless it is too large.
type Found = (Vec<u8>, Option<Vec<u8>>);

struct Reader {
    path: PathBuf,
    input: BufReader<File>,
    /// The `From ` line of the message that comes next, once it was read over.
    separator: Option<Vec<u8>>,
    /// Whether the first of these lines has a time in it. Then all have, and a line without one is text that its writer
    /// has not quoted.
    dated: bool,
    ended: bool,
}

impl Reader {
    /// A line with its end; an empty one at the end of the file. Of lines without an end only so much is kept that the
    /// message counts as too large.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        io::Read::take(&mut self.input, MESSAGE_OCTETS_MAX + 1).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// None: there are no more. The message is as it stood in the file, without the blank line behind it.
    fn message(&mut self) -> io::Result<Option<Found>> {
        let separator = match self.separator.take() {
            Some(separator) => separator,
            None => {
                let first = self.line()?;
                self.dated = is_dated(&first);
                first
            }
        };
        if separator.is_empty() {
            return Ok(None);
        }
        let (mut message, mut after_blank, mut fits) = (Vec::new(), false, true);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if after_blank && line.starts_with(SEPARATOR) && (!self.dated || is_dated(&line)) {
                self.separator = Some(line);
                break;
            }
            after_blank = matches!(line.as_slice(), b"\n" | b"\r\n");
            fits = fits && (message.len() + line.len()) as u64 <= MESSAGE_OCTETS_MAX;
            if fits {
                message.extend_from_slice(&line);
            }
        }
        if after_blank {
            let end = message.len() - if message.ends_with(b"\r\n") { 2 } else { 1 };
            message.truncate(end);
        }
        Ok(Some((separator, fits.then_some(message))))
    }
}

impl Iterator for Reader {
    type Item = Result<CarriedMessage, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = self.message();
        self.ended = !matches!(found, Ok(Some(_)));
        match found {
            Ok(None) => None,
            Ok(Some((separator, Some(message)))) => Some(Ok(carried(&separator, &message))),
            Ok(Some((separator, None))) => {
                let line = String::from_utf8_lossy(&separator);
                Some(Err(format!("{}: the message behind \"{}\" is too large", self.path.display(), line.trim())))
            }
            Err(error) => Some(Err(format!("{}: {error}", self.path.display()))),
        }
    }
}

fn carried(separator: &[u8], message: &[u8]) -> CarriedMessage {
    let mut octets = Vec::with_capacity(message.len());
    let (mut flags, mut in_header, mut dropping, mut exact) = (Vec::new(), true, false, None);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if in_header {
            in_header = !matches!(line, b"\n" | b"\r\n");
            let continues = line.starts_with(b" ") || line.starts_with(b"\t");
            dropping = in_header && if continues { dropping } else { flag_field(line, &mut flags) };
            if dropping {
                continue;
            }
            exact = exact_field(line);
            if exact.is_some() {
                in_header = false;
                octets.clear();
                continue;
            }
        }
        let quoted = line.iter().take_while(|octet| **octet == b'>').count();
        let skip = usize::from(quoted > 0 && line[quoted..].starts_with(SEPARATOR));
        octets.extend_from_slice(&line[skip..]);
    }
    let octets = match exact {
        Some(count) => {
            octets.truncate(count);
            octets
        }
        None => to_crlf(&octets),
    };
    CarriedMessage { octets, flags, seconds: arrival(&String::from_utf8_lossy(separator)) }
}

fn exact_field(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix(EXACT_FIELD)?.strip_prefix(':')?.trim().parse().ok()
}

/// Takes the flags out of a field that has them. Returns whether it is such a field.
fn flag_field(line: &[u8], flags: &mut Vec<String>) -> bool {
    let line = String::from_utf8_lossy(line);
    let Some((name, value)) = line.split_once(':') else { return false };
    let name = name.to_ascii_lowercase();
    if !FLAG_FIELDS.contains(&name.as_str()) {
        return false;
    }
    if name == "x-keywords" {
        flags.extend(value.split_whitespace().map(str::to_owned));
        return true;
    }
    for letter in value.trim().chars() {
        let flag = match letter {
            'R' => "\\Seen",
            'A' => "\\Answered",
            'F' => "\\Flagged",
            'T' => "\\Draft",
            'D' => "\\Deleted",
            _ => continue,
        };
        flags.push(flag.to_owned());
    }
    true
}

fn is_dated(separator: &[u8]) -> bool {
    arrival(&String::from_utf8_lossy(separator)).is_some()
}

/// `From jane@example.org Thu Nov 20 07:00:00 2026`, in UTC, with or without seconds and with or without a zone behind.
fn arrival(line: &str) -> Option<i64> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().rposition(|word| DAYS.contains(word))?;
    let [month, day, time, rest @ ..] = &words[at + 1..] else { return None };
    let month = MONTHS.iter().position(|known| known == month)? + 1;
    let mut numbers = time.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0));
    let year =
        rest.iter().rev().find_map(|word| word.parse::<i16>().ok().filter(|year| (1970..=9999).contains(year)))?;
    let day = day.parse().ok()?;
    let at = jiff::civil::DateTime::new(year, i8::try_from(month).ok()?, day, hour, minute, second, 0).ok()?;
    let offset = rest.iter().find_map(|word| {
        let (sign, digits) =
            word.strip_prefix('+').map(|rest| (1, rest)).or(word.strip_prefix('-').map(|rest| (-1, rest)))?;
        let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
        Some(sign * (number / 100 * 3600 + number % 100 * 60))
    });
    let seconds = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(seconds - offset.unwrap_or(0))
}

pub(super) fn target(path: &Path, name: &MailboxName) -> Result<Box<dyn Target>, Failure> {
    let mut directory = path.to_owned();
    let mut levels: Vec<String> = name.as_str().split('/').map(file_of).collect();
    let file = levels.pop().unwrap_or_default();
    for level in levels {
        directory.push(format!("{level}{BELOW}"));
    }
    fs::create_dir_all(&directory).map_err(|error| Failure::file(&directory, &error))?;
    Ok(Box::new(BufWriter::new(WholeFile::create(&directory.join(file), 0o600)?)))
}

impl Target for BufWriter<WholeFile> {
    fn put(&mut self, _: u32, _: u32, message: &CarriedMessage) -> Result<bool, Failure> {
        write(self, message).map_err(|error| Failure::file(self.get_ref().place(), &error))?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        self.flush().map_err(|error| Failure::file(self.get_ref().place(), &error))?;
        let (file, _) = self.into_parts();
        Ok(file.finish()?)
    }
}

fn write(output: &mut impl Write, message: &CarriedMessage) -> io::Result<()> {
    let text = to_lf(&message.octets);
    let first = text.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let sender =
        std::str::from_utf8(first).ok().and_then(|line| line.strip_prefix("Return-Path: <")?.strip_suffix('>'));
    let sender = sender.filter(|sender| !sender.is_empty() && !sender.contains(char::is_whitespace));
    let at = jiff::Timestamp::from_second(message.seconds.unwrap_or(0)).unwrap_or_default();
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y").to_string();
    writeln!(output, "From {} {date}", sender.unwrap_or("MAILER-DAEMON"))?;
    let fields = flag_fields(&message.flags);
    let mut plain = fields.clone().into_bytes();
    quote(&text, &mut plain);
    let read = carried(b"", &plain);
    if plain.ends_with(b"\n") && read.octets == message.octets && read.flags.len() == message.flags.len() {
        output.write_all(&plain)?;
        return output.write_all(b"\n");
    }
    let mut exact = format!("{fields}{EXACT_FIELD}: {}\n", message.octets.len()).into_bytes();
    quote(&message.octets, &mut exact);
    output.write_all(&exact)?;
    // The reader takes one of them for the blank line behind a message, and leaves the other for the count.
    output.write_all(if exact.ends_with(b"\n") { b"\n" } else { b"\n\n" })
}

fn quote(text: &[u8], into: &mut Vec<u8>) {
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let quoted = line.iter().take_while(|octet| **octet == b'>').count();
        if line[quoted..].starts_with(SEPARATOR) {
            into.push(b'>');
        }
        into.extend_from_slice(line);
    }
}

fn flag_fields(flags: &[String]) -> String {
    let has = |name: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(name));
    let letters = [("\\Answered", 'A'), ("\\Flagged", 'F'), ("\\Draft", 'T'), ("\\Deleted", 'D')];
    let letters: String = letters.iter().filter(|(name, _)| has(name)).map(|(_, letter)| *letter).collect();
    let keywords: Vec<&str> = flags.iter().filter(|flag| !flag.starts_with('\\')).map(String::as_str).collect();
    let mut fields = format!("Status: {}\n", if has("\\Seen") { "RO" } else { "O" });
    if !letters.is_empty() {
        fields += &format!("X-Status: {letters}\n");
    }
    if !keywords.is_empty() {
        fields += &format!("X-Keywords: {}\n", keywords.join(" "));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &Path) -> Vec<CarriedMessage> {
        let source = source(MailboxName::inbox(), file).unwrap().expect("an mbox file");
        source.messages.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let message = |text: &str, flags: &[&str], seconds| CarriedMessage {
            octets: text.as_bytes().to_vec(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            seconds: Some(seconds),
        };
        let messages = [
            message("Subject: a\r\n\r\nFrom me\r\n>From you\r\n>>From all\r\n\r\n", &["\\Seen"], 1_700_000_000),
            message("Return-Path: <x@example.org>\r\nStatusquo: x\r\n\r\nbody\r\n", &["\\Answered", "$L"], 0),
            message("Subject: c\r\n\r\n\r\n\r\n", &[], 1_795_176_000),
        ];
        let name = MailboxName::parse("Work/.hidden 100%").unwrap();
        let mut written = target(directory.path(), &name).unwrap();
        for message in &messages {
            assert!(written.put(1, 1, message).unwrap());
        }
        written.finish().unwrap();
        assert_eq!(read(&directory.path().join("Work.sbd/%2Ehidden 100%25")), messages);
        let sources =
            sources(directory.path(), &mut Vec::new()).unwrap_or_else(|_| panic!("a directory of mbox files"));
        assert_eq!(sources.iter().map(|source| source.name.clone()).collect::<Vec<_>>(), [name]);
    }

    #[test]
    fn whatever_it_is_it_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let odd: [&[u8]; 14] = [
            b"",
            b"\n",
            b"\r\n",
            b"no end",
            b"Subject: x\r\n\r\nno end",
            b"Subject: x\n\nbare\nFrom me\n",
            b"Subject: x\r\n\r\nmixed\nends\r\nFrom me\r\n\r\n\r\n",
            b"Subject: x\r\n\r\nend in CR\r",
            b"Subject: x\r\n\r\ntwice\r\r\n\r\r\n\r",
            b"Status: shipped\r\nX-Keywords: mine\r\n\r\nbody\r\n",
            b"X-Posthouse-Exact: 3\r\n\r\nbody\r\n",
            b"From here\r\n\r\n>From there\n\nFrom",
            b"Subject: \xff\xfe\r\n\r\n\0\r\n",
            b"Subject: x\r\n\r\nplain\r\n",
        ];
        let messages = odd.map(|octets| CarriedMessage {
            octets: octets.to_vec(),
            flags: vec!["\\Seen".to_owned(), "$Label".to_owned()],
            seconds: Some(1_700_000_000),
        });
        let mut written = target(directory.path(), &MailboxName::inbox()).unwrap();
        for message in &messages {
            written.put(1, 1, message).unwrap();
        }
        written.finish().unwrap();
        let file = directory.path().join("INBOX");
        assert_eq!(read(&file), messages);
        // The usual form for what is usual.
        assert!(String::from_utf8_lossy(&fs::read(&file).unwrap()).ends_with("$Label\nSubject: x\n\nplain\n\n"));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]
        #[test]
        fn any_octets_come_back(parts in proptest::collection::vec(proptest::sample::select(vec![
            "\n", "\r", "\r\n", "From ", ">", "Status: O", "X-Posthouse-Exact: 4", " ", "a",
        ]), 0..12)) {
            let message =
                CarriedMessage { octets: parts.concat().into_bytes(), flags: Vec::new(), seconds: Some(1_700_000_000) };
            let mut file = Vec::new();
            write(&mut file, &message).unwrap();
            write(&mut file, &message).unwrap();
            let input = BufReader::new(tempfile_with(&file));
            let reader = Reader { path: PathBuf::new(), input, separator: None, dated: false, ended: false };
            let read: Vec<CarriedMessage> = reader.map(Result::unwrap).collect();
            proptest::prop_assert_eq!(read, [message.clone(), message]);
        }
    }

    fn tempfile_with(octets: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[test]
    fn what_others_write() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mbox");
        let text = "From a@b Thu Nov 20 07:00:00 2026\nStatus: RO\nX-Status: F\n\tX\nSubject: one\n\nBody\nFrom here\n\n\
                    From MAILER-DAEMON Thu Nov 20 07:00 +0100 2026\nSubject: two\n\nlast line without end";
        fs::write(&file, text).unwrap();
        let messages = read(&file);
        assert_eq!(messages.len(), 2);
        assert_eq!(String::from_utf8_lossy(&messages[0].octets), "Subject: one\r\n\r\nBody\r\nFrom here\r\n");
        assert_eq!(messages[0].flags, ["\\Seen", "\\Flagged"]);
        assert_eq!(messages[0].seconds, Some(1_795_158_000));
        assert_eq!(messages[1].seconds, Some(1_795_158_000 - 3600));
        assert_eq!(String::from_utf8_lossy(&messages[1].octets), "Subject: two\r\n\r\nlast line without end");
        // Text that nobody has quoted, behind a blank line.
        let text = "From a@b Thu Nov 20 07:00:00 2026\nSubject: one\n\nHello,\n\nFrom our house to yours\n\n\
                    From a@b Thu Nov 20 07:00:01 2026\nSubject: two\n\nx\n";
        fs::write(&file, text).unwrap();
        let messages = read(&file);
        assert_eq!(messages.len(), 2);
        assert!(messages[0].octets.ends_with(b"Hello,\r\n\r\nFrom our house to yours\r\n"));
        // Where the lines between have no time, each is one.
        fs::write(&file, "From a\nSubject: one\n\nx\n\nFrom b\nSubject: two\n\nx\n").unwrap();
        assert_eq!(read(&file).len(), 2);
        fs::write(&file, "no mbox").unwrap();
        assert!(source(MailboxName::inbox(), &file).unwrap().is_none());
        fs::write(&file, "").unwrap();
        assert_eq!(read(&file), []);
    }
}
