//! `posthouse import` and `posthouse export`: Maildirs and mbox files. They are read and written here, as whoever runs the
//! command; the mail goes to the server, or into the store, a few megabytes at a time.

mod maildir;
mod mbox;
mod plain;

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::progress::Bar;
use super::values;
use crate::admin::{CarriedMessage, ExportMessages, ImportMessages, Imported, MailFolderView, MailFolders, words};
use crate::types::limits::{CARRIED_MESSAGES_MAX, CARRIED_OCTETS_MAX, MESSAGE_OCTETS_MAX};
use crate::types::{Address, MailboxName};
use clap::{ArgGroup, Args};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Take mail from a Maildir or from mbox files into an account
///
/// A Maildir brings its folders (`.Work.Projects` becomes Work/Projects, and so do directories within directories), also
/// empty ones, and mail that was stored packed with gzip or zstd; an mbox directory one folder for each file; a
/// single mbox file goes into INBOX. Flags, keywords and times of arrival come along: in a Maildir from the names and times
/// of the files and from dovecot-keywords, in an mbox from Status, X-Status and X-Keywords, which are taken off.
///
/// Nothing is taken twice: a message that the folder already has, the same in every octet, is left out. An import that was
/// cut short goes on where it stopped when it is started again. The files are only read, and mail goes on arriving. What is
/// left out is told with its reason; symbolic links are, since their owner chose where they lead.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("form").args(["mbox", "maildir"]).required(true)))]
#[command(after_long_help = "\
Examples:
  posthouse import jane@example.org --maildir /home/jane/Maildir
  posthouse import jane@example.org --mbox /var/mail/jane
  posthouse import jane@example.org --mbox ~/Mail --json
      A directory of mbox files, one for each folder.")]
pub(super) struct ImportArguments {
    /// The account
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// An mbox file, or a directory of them
    #[arg(long, value_name = "PATH")]
    mbox: Option<PathBuf>,
    /// A Maildir, with its folders
    #[arg(long, value_name = "PATH")]
    maildir: Option<PathBuf>,
}

/// Write an account's mail as a Maildir or as mbox files
///
/// All folders, with flags, keywords and times of arrival, in forms that other programs read: a Maildir with its folders
/// below it as `.Work.Projects`, or a directory with an mbox file for each folder (those below another one in `Work.sbd`).
/// The mail stays where it is. An import takes every message back as it was, octet for octet.
///
/// Into a Maildir that an earlier export made, only what is new is written, and flags are brought up to date. Mbox files
/// are written anew, each complete before it takes the place of the old one. What is no plain file, such as a symbolic
/// link, is not replaced.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("form").args(["mbox", "maildir"]).required(true)))]
#[command(after_long_help = "\
Examples:
  posthouse export jane@example.org --maildir /backup/jane
  posthouse export jane@example.org --mbox /backup/jane-mbox")]
pub(super) struct ExportArguments {
    /// The account
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// The directory for the mbox files
    #[arg(long, value_name = "PATH")]
    mbox: Option<PathBuf>,
    /// The directory for the Maildir
    #[arg(long, value_name = "PATH")]
    maildir: Option<PathBuf>,
}

/// Directories within directories that are looked into.
const DEPTH_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Mbox,
    Maildir,
}

fn form(mbox: Option<PathBuf>, maildir: Option<PathBuf>) -> (Form, PathBuf) {
    match (mbox, maildir) {
        (Some(path), _) => (Form::Mbox, path),
        (None, path) => (Form::Maildir, path.unwrap_or_default()),
    }
}

/// Messages of one folder, in turn. `Err`: what one of them, or a file, could not be read for.
type Messages = Box<dyn Iterator<Item = Result<CarriedMessage, String>>>;

/// A folder to be read.
struct Source {
    name: MailboxName,
    /// Of its files, for the progress bar.
    octets: u64,
    messages: Messages,
}

#[derive(Debug, Default, Serialize)]
struct ImportReport {
    folders: u64,
    messages: u64,
    /// Left out, because they are there already.
    already_there: u64,
    /// What could not be taken, and why.
    skipped: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct ExportReport {
    path: PathBuf,
    folders: u64,
    messages: u64,
    /// Of these, those that an earlier export had written.
    already_there: u64,
    octets: u64,
}

pub(super) async fn import(arguments: ImportArguments, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let ImportArguments { address, mbox, maildir } = arguments;
    let (form, path) = form(mbox, maildir);
    let mut report = ImportReport::default();
    // An account that is not there is told before anything is read.
    desk.perform(MailFolders { address: address.clone() }).await?;
    let sources = match form {
        Form::Mbox => mbox::sources(&path, &mut report.skipped)?,
        Form::Maildir => maildir::sources(&path, &mut report.skipped)?,
    };
    let all = sources.iter().map(|source| source.octets).sum();
    let (bar, mut read) = (Bar::new("importing", output), 0);
    for source in sources {
        report.folders += 1;
        let mut batch = Batch::new(&address, source.name);
        for message in source.messages {
            match message {
                Ok(message) if message.octets.len() as u64 > MESSAGE_OCTETS_MAX => {
                    let size = words::size(message.octets.len() as u64);
                    report.skipped.push(format!("{}: a message of {size} is larger than any may be", batch.mailbox));
                }
                Ok(message) => {
                    read += message.octets.len() as u64;
                    bar.tell(read, all);
                    batch.octets += message.octets.len() as u64;
                    batch.messages.push(message);
                }
                Err(why) => report.skipped.push(why),
            }
            if batch.octets >= CARRIED_OCTETS_MAX || batch.messages.len() >= CARRIED_MESSAGES_MAX {
                batch.hand_over(desk, &mut report).await?;
            }
        }
        if batch.is_due() {
            batch.hand_over(desk, &mut report).await?;
        }
    }
    drop(bar);
    output.answer(&report, |page| {
        let messages = words::count(report.messages, "message", "messages");
        let folders = words::count(report.folders, "folder", "folders");
        page.strong_line(&format!("{address} got {messages} of {folders}"));
        if report.already_there > 0 {
            page.note(&format!("left out, because they are there already: {}", report.already_there));
        }
        report.skipped.iter().for_each(|line| page.note(&format!("not taken: {line}")));
    })
}

/// Messages for one folder on their way.
struct Batch {
    address: Address,
    mailbox: MailboxName,
    messages: Vec<CarriedMessage>,
    octets: u64,
    /// Whether the folder is there already, because something was handed over.
    begun: bool,
}

impl Batch {
    fn new(address: &Address, mailbox: MailboxName) -> Self {
        Self { address: address.clone(), mailbox, messages: Vec::new(), octets: 0, begun: false }
    }

    /// A folder without messages is handed over as well: people have put it there for something.
    fn is_due(&self) -> bool {
        !self.messages.is_empty() || !self.begun
    }

    async fn hand_over(&mut self, desk: &mut Desk, report: &mut ImportReport) -> Result<(), Failure> {
        self.begun = true;
        let (address, mailbox) = (self.address.clone(), self.mailbox.clone());
        let messages = std::mem::take(&mut self.messages);
        self.octets = 0;
        let Imported { taken, known } = desk.perform(ImportMessages { address, mailbox, messages }).await?;
        report.messages += taken;
        report.already_there += known;
        Ok(())
    }
}

/// Where a folder is written to.
trait Target {
    /// Returns whether the message was new there.
    fn put(&mut self, uidvalidity: u32, uid: u32, message: &CarriedMessage) -> Result<bool, Failure>;
    fn finish(self: Box<Self>) -> Result<(), Failure>;
}

pub(super) async fn export(arguments: ExportArguments, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let ExportArguments { address, mbox, maildir } = arguments;
    let (form, path) = form(mbox, maildir);
    let folders = desk.perform(MailFolders { address: address.clone() }).await?;
    let all = folders.iter().map(|folder| folder.octets).sum();
    let bar = Bar::new("exporting", output);
    let mut report = ExportReport { path: path.clone(), ..ExportReport::default() };
    for MailFolderView { name, .. } in folders {
        let mut target = match form {
            Form::Mbox => mbox::target(&path, &name)?,
            Form::Maildir => maildir::target(&path, &name)?,
        };
        let mut after = 0;
        loop {
            let request = ExportMessages { address: address.clone(), mailbox: name.clone(), after };
            let page = desk.perform(request).await?;
            let Some((last, _)) = page.messages.last() else { break };
            after = *last;
            for (uid, message) in &page.messages {
                let is_new = target.put(page.uidvalidity, *uid, message)?;
                report.messages += 1;
                report.already_there += u64::from(!is_new);
                report.octets += message.octets.len() as u64;
                bar.tell(report.octets, all);
            }
        }
        target.finish()?;
        report.folders += 1;
    }
    drop(bar);
    output.answer(&report, |page| {
        let mail = words::mail(report.messages, report.octets);
        let folders = words::count(report.folders, "folder", "folders");
        page.strong_line(&format!("{} holds {mail} of {folders}", report.path.display()));
        if report.already_there > 0 {
            page.note(&format!("written by an earlier export: {}", report.already_there));
        }
    })
}

/// With CR LF at the ends of lines, however they ended before.
fn to_crlf(octets: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(octets.len() + octets.len() / 32);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                whole.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                whole.extend_from_slice(b"\r\n");
            }
            None => whole.extend_from_slice(line),
        }
    }
    whole
}

/// As files on this kind of machine have it.
fn to_lf(octets: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                plain.extend_from_slice(text);
                plain.push(b'\n');
            }
            None => plain.extend_from_slice(line),
        }
    }
    plain
}

fn missing(path: &Path, what: &str) -> Failure {
    Failure::refused("no-mail", format!("{}: {what}", path.display()), None)
}
