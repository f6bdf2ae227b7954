//! Our engine and Pigeonhole's `sieve-test` read the same scripts and the same mail, and must want the same done.
//!
//! The scripts stand in `corpus/`, each naming in its first line the mails it is tried on; what the two may differ in, and
//! why, stands in `corpus/differences.txt`.

use posthouse::filter::{
    Action, ActionKind, Automatic, CompileError, Host, IncludePlace, Included, Incoming, Limits, Phase, ReplyBody,
    ReplyKey, Run, Script, ScriptKind, ScriptName, compile, run, supported_extensions,
};
use posthouse::types::{Address, Clock, Envelope, MailboxName, Recipient, SpecialUse, SystemClock};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SENDER: &str = "joe@example.net";
const RECIPIENT: &str = "jane+tag@example.org";
const MAILBOXES: [&str; 8] =
    ["Lists", "Lists/Rust", "Lists/Tag", "Lists/Lists", "Archive", "Entwürfe", "Lists/rust", "x"];
/// How many processes of the judge run at a time.
const JUDGES: usize = 4;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rules/corpus")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a directory with this extension, by name.
fn files(directory: &Path, extension: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(&path)))
        .collect()
}

/// What is done, sorted: the order of actions is no part of what a script means.
fn sorted(mut actions: Vec<String>) -> String {
    actions.sort();
    actions.join("; ")
}

// Ours.

struct Corpus {
    personal: BTreeMap<String, String>,
    global: BTreeMap<String, String>,
}

impl Host for Corpus {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        MAILBOXES.contains(&name.as_str())
    }
    fn mailbox_with_id(&self, _id: &str) -> Option<MailboxName> {
        None
    }
    fn mailbox_with_use(&self, _usage: SpecialUse) -> Option<MailboxName> {
        None
    }
    fn is_duplicate(&self, _id: &str) -> bool {
        false
    }
    fn was_answered(&self, _key: &ReplyKey) -> bool {
        false
    }
    fn include(&self, place: IncludePlace, name: &str) -> Included {
        let scripts = match place {
            IncludePlace::Personal => &self.personal,
            IncludePlace::Global => &self.global,
        };
        let Some(text) = scripts.get(name) else { return Included::Missing };
        match compile(text.as_bytes(), ScriptKind::Personal) {
            Ok(script) => {
                Included::Script(script, Arc::new(ScriptName { name: name.to_owned(), ..ScriptName::default() }))
            }
            Err(error) => Included::Broken(error),
        }
    }
    fn list_contains(&self, _list: &str, _values: &[&str]) -> Option<bool> {
        None
    }
    fn list_members(&self, _list: &str) -> Option<Vec<Address>> {
        None
    }
    fn environment(&self, _item: &str) -> Option<String> {
        None
    }
    fn metadata(&self, _mailbox: Option<&MailboxName>, _annotation: &str) -> Option<String> {
        None
    }
}

/// What our engine does. `theirs` is needed for answers only: `sieve-test` shows one before it looks whether the sender may
/// have it, and does not show a subject that the script leaves open.
fn ours(corpus: &Corpus, script: &Result<Arc<Script>, CompileError>, mail: &str, theirs: &str) -> String {
    let Ok(script) = script else { return "does not compile".to_owned() };
    let address = |text: &str| Address::parse(text).expect("an address");
    let envelope = Envelope {
        sender: Some(address(SENDER)),
        recipients: vec![Recipient::plain(address(RECIPIENT))],
        ..Envelope::default()
    };
    let incoming = Incoming {
        message: mail.as_bytes(),
        structure: None,
        envelope: &envelope,
        recipient: envelope.recipients.first(),
        address: &address("jane@example.org"),
        own_addresses: &[address("jane@example.org")],
        owner_name: None,
        flags: &[],
        now: SystemClock.now(),
        remote_ip: None,
        remote_host: None,
        hostname: "mail.example.org",
        phase: Phase::Post,
    };
    let outcome: Run = run(script, &Arc::new(ScriptName::default()), &incoming, corpus, &Limits::default());
    let mut actions: Vec<String> = outcome.actions.iter().filter_map(describe).collect();
    let their_answer = theirs.split("; ").find(|action| action.starts_with("answer "));
    if let (Some(answer), true) = (their_answer, outcome.suppressed.iter().any(|one| one.what == Automatic::Reply)) {
        actions.push(answer.to_owned());
    }
    if their_answer.is_some_and(|answer| answer.starts_with("answer : ")) {
        for action in actions.iter_mut().filter(|action| action.starts_with("answer Auto: ")) {
            *action = format!("answer : {}", action.rsplit(": ").next().unwrap_or_default());
        }
    }
    if !outcome.errors.is_empty() {
        actions.push("failed".to_owned());
    }
    sorted(actions)
}

fn describe(action: &Action) -> Option<String> {
    let with_flags = |mailbox: &str, flags: &[String]| {
        let mut flags: Vec<String> = flags.iter().map(|flag| flag.to_lowercase()).collect();
        flags.sort();
        format!("store {mailbox} {}", flags.join(" ")).trim().to_owned()
    };
    Some(match &action.kind {
        ActionKind::Keep { flags, .. } => with_flags("INBOX", flags),
        ActionKind::FileInto { mailbox, flags, .. } => with_flags(mailbox.as_str(), flags),
        ActionKind::Redirect(redirect) => format!("send {}", redirect.to),
        ActionKind::Reject { reason, .. } => format!("reject {}", one_line(reason)).trim().to_owned(),
        ActionKind::Discard => return None,
        ActionKind::Reply(reply) => {
            let (ReplyBody::Text(text) | ReplyBody::Mime(text)) = &reply.body;
            format!("answer {}: {}", reply.subject, one_line(text))
        }
        ActionKind::Notify(notification) => {
            let recipients = notification.to.iter().chain(&notification.cc);
            let recipients: Vec<String> = recipients.map(ToString::to_string).collect();
            format!("notify {}: {}", recipients.join(" "), notification.subject)
        }
    })
}

/// `sieve-test` shows line ends as question marks.
fn one_line(text: &str) -> String {
    text.split(|character: char| character.is_whitespace() || character == '?')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

// Theirs.

struct Judge {
    directory: tempfile::TempDir,
}

fn open(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
}

impl Judge {
    fn find(corpus: &Corpus) -> Option<Self> {
        Command::new("sieve-test").output().ok()?;
        let judge = Self { directory: tempfile::tempdir().expect("a directory") };
        let root = judge.directory.path();
        open(root);
        for (folder, scripts) in [("personal", &corpus.personal), ("global", &corpus.global)] {
            let folder = root.join(folder);
            std::fs::create_dir(&folder).expect("can make a directory");
            open(&folder);
            for (name, text) in scripts {
                std::fs::write(folder.join(format!("{name}.sieve")), text).expect("can write");
            }
        }
        for mailbox in MAILBOXES {
            for folder in ["", "cur", "new", "tmp"] {
                let folder = root.join("mail").join(mailbox.replace("ü", "&APw-")).join(folder);
                std::fs::create_dir_all(&folder).expect("can make a directory");
                open(&folder);
            }
        }
        for folder in ["mail", "mail/Lists"] {
            open(&root.join(folder));
        }
        // The tool does not run as root: started by it, it becomes the user named here.
        let owner = root.metadata().expect("it is there").uid();
        let user = if owner == 0 { 65_534 } else { owner };
        let root = root.display();
        let settings = format!(
            "mail_location = maildir:{root}/mail:LAYOUT=fs\nrecipient_delimiter = +\nmail_uid = {user}\nmail_gid = {user}\n\
             first_valid_uid = 1\nplugin {{\n  sieve = file:{root}/personal;active={root}/active\n  \
             sieve_global = {root}/global\n  sieve_max_redirects = 100\n  sieve_vacation_min_period = 0\n  \
             sieve_extensions = +editheader +spamtest +spamtestplus +virustest +vacation-seconds +special-use\n  \
             sieve_spamtest_status_header = X-Spam-Score: (-?[[:digit:]]+\\.[[:digit:]])\n  \
             sieve_spamtest_max_value = 5.0\n  sieve_spamtest_status_type = score\n  \
             sieve_virustest_status_header = X-Virus-Status: ([[:alpha:]]+)\n  sieve_virustest_status_type = text\n  \
             sieve_virustest_text_value1 = Clean\n  sieve_virustest_text_value5 = Infected\n}}\n"
        );
        std::fs::write(judge.directory.path().join("settings"), settings).expect("can write");
        Some(judge)
    }

    /// `number` keeps the files of one run from those of another.
    fn run(&self, number: usize, script: &str, mail: &str) -> (String, String) {
        let root = self.directory.path();
        let (script_file, mail_file) = (format!("script{number}.sieve"), format!("mail{number}"));
        std::fs::write(root.join(&script_file), script).expect("can write");
        std::fs::write(root.join(&mail_file), mail).expect("can write");
        let output = Command::new("sieve-test")
            .args(["-C", "-c", "settings", "-f", SENDER, "-r", RECIPIENT, "-a", RECIPIENT, &script_file, &mail_file])
            .env("HOME", root)
            .current_dir(root)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        (verdict(&said, &log), format!("{said}{log}"))
    }
}

impl Judge {
    /// What both of us offer, and no script of the corpus uses. Compared with what the judge really takes, so that a newer
    /// one brings new work.
    fn shared_extensions_without_a_script(&self, scripts: &BTreeMap<String, String>) -> Vec<&'static str> {
        let is_used = |name: &str| {
            scripts.values().any(|text| {
                text.contains(&format!("\"{}\"", name.trim_start_matches("comparator-")))
                    || text.contains(&format!("\"{name}\""))
            })
        };
        let mail = "From: a@example.net\r\nTo: b@example.org\r\n\r\nx\r\n";
        let unused = supported_extensions().filter(|name| !is_used(name));
        let takes =
            |name: &&str| self.run(100_000, &format!("require \"{name}\";\nkeep;\n"), mail).0 != "does not compile";
        // Nobody writes down the comparator that is taken when none is named.
        unused.filter(|name| *name != "comparator-i;ascii-casemap").filter(takes).collect()
    }
}

/// What `sieve-test` has said, in our words.
fn verdict(said: &str, log: &str) -> String {
    if log.contains("failed to compile") {
        return "does not compile".to_owned();
    }
    if log.contains("resolved with successful implicit keep") {
        return "failed; store INBOX".to_owned();
    }
    assert!(log.contains("final result: success"), "{log}");
    let mut actions: Vec<String> = Vec::new();
    let mut answer: Option<(String, Vec<&str>)> = None;
    let mut notice: Option<(String, Vec<&str>)> = None;
    let mut in_answer = false;
    for line in said.lines() {
        let trimmed = line.trim();
        if trimmed == "START MESSAGE" || trimmed == "END MESSAGE" {
            in_answer = trimmed == "START MESSAGE";
        } else if in_answer {
            answer.as_mut().expect("an answer").1.push(line);
        } else if let Some(folder) = trimmed.strip_prefix("* store message in folder: ") {
            actions.push(format!("store {folder}"));
        } else if let Some(flags) = trimmed.strip_prefix("+ add IMAP flags: ") {
            let last = actions.last_mut().expect("an action");
            let mut flags: Vec<String> = flags.split_whitespace().map(str::to_lowercase).collect();
            flags.sort();
            *last = format!("{last} {}", flags.join(" "));
        } else if let Some(to) = trimmed.strip_prefix("* redirect message to: ") {
            actions.push(format!("send {}", to.trim_matches(['<', '>'])));
        } else if let Some(reason) = trimmed.strip_prefix("* reject message with reason:") {
            actions.push(format!("reject {}", one_line(reason)).trim().to_owned());
        } else if trimmed.starts_with("* send vacation message") {
            answer = Some(Default::default());
        } else if trimmed.starts_with("* send notification") {
            notice = Some(Default::default());
        } else if let Some(subject) = trimmed.strip_prefix("=> subject") {
            let subject = subject.trim_start().trim_start_matches(':').trim().to_owned();
            match &mut notice {
                Some(notice) => notice.0 = subject,
                None => answer.as_mut().expect("an answer").0 = subject,
            }
        } else if let Some(to) = trimmed.strip_prefix("+ To: ").or_else(|| trimmed.strip_prefix("+ Cc: ")) {
            notice.as_mut().expect("a notification").1.push(to);
        } else if let (Some(reason), Some(last)) =
            (actions.last_mut().filter(|last| last.starts_with("reject ")), Some(trimmed))
            && !last.is_empty()
            && !last.starts_with('*')
            && last != "Implicit keep:"
            && last != "(none)"
        {
            *reason = one_line(&format!("{reason} {last}"));
        }
    }
    actions.extend(answer.map(|(subject, text)| format!("answer {subject}: {}", one_line(&text.join(" ")))));
    actions.extend(notice.map(|(subject, to)| format!("notify {}: {subject}", to.join(" "))));
    sorted(actions)
}

// Both.

/// `name mail: why`, one on a line.
fn differences() -> BTreeMap<(String, String), String> {
    let text = read(&corpus().join("differences.txt"));
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (what, why) = line.split_once(": ").unwrap_or_else(|| panic!("no reason in {line:?}"));
            let (script, mail) = what.split_once(' ').unwrap_or_else(|| panic!("no mail in {line:?}"));
            assert!(!why.trim().is_empty(), "{line}");
            ((script.to_owned(), mail.to_owned()), why.to_owned())
        })
        .collect()
}

#[test]
fn the_corpus_means_the_same_to_both_engines() {
    let include = corpus().join("include");
    let host =
        Corpus { personal: files(&include.join("personal"), "sieve"), global: files(&include.join("global"), "sieve") };
    let mails = files(&corpus().join("mail"), "eml");
    let scripts = files(&corpus(), "sieve");
    assert!(scripts.len() >= 150, "only {} scripts", scripts.len());
    let mut cases = Vec::new();
    for (name, text) in &scripts {
        let wanted = text.lines().next().and_then(|line| line.strip_prefix("# mail: "));
        let wanted = wanted.unwrap_or_else(|| panic!("{name} names no mail"));
        cases.extend(wanted.split(' ').map(|mail| (name, text, mail)));
    }
    let Some(judge) = Judge::find(&host) else {
        assert!(std::env::var("CI").is_err(), "sieve-test (Debian: dovecot-sieve) is needed here");
        eprintln!("sieve-test (Debian: dovecot-sieve) is not installed: {} cases are not judged", cases.len());
        return;
    };
    assert_eq!(judge.shared_extensions_without_a_script(&scripts), Vec::<&str>::new());
    let known = differences();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(name, text, mail)) = cases.get(number) else { return wrong };
            let octets = mails.get(mail).unwrap_or_else(|| panic!("{name}: there is no mail {mail}"));
            let compiled = compile(text.as_bytes(), ScriptKind::Personal);
            let (theirs, said) = judge.run(number, text, octets);
            let ours = ours(&host, &compiled, octets, &theirs);
            let differs = known.contains_key(&(name.clone(), mail.to_owned()));
            if (ours != theirs) != differs {
                let compiled = compiled.err().map(|error| error.to_string()).unwrap_or_default();
                let what = if differs { "is listed as a difference and is none" } else { "differs" };
                wrong.push(format!("{name} {mail} {what}\n  ours   {ours} {compiled}\n  theirs {theirs}\n{said}\n"));
            }
        }
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..JUDGES).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    for (name, mail) in known.keys() {
        assert!(
            cases.iter().any(|(script, _, with)| (*script, *with) == (name, mail.as_str())),
            "no case {name} {mail}"
        );
    }
}
