//! Real mail programs against a listening server: what they store is what they read, byte for byte.
//!
//! A program that is not installed is skipped, and says so; where the gate has installed it, its absence is a failure.

use crate::imap::client::Client;
use crate::support::house::House;
use crate::support::listening::Listening;
use posthouse::imap::Driver;
use posthouse::net::Security;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub struct Served {
    pub house: House,
    listening: Listening,
    directory: tempfile::TempDir,
}

impl Served {
    pub async fn new() -> Self {
        Self::furnished(|_| ()).await
    }

    /// With a house that is not quite as usual.
    pub async fn furnished(furnish: impl FnOnce(&mut House)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut house = House::new(&directory.path().join("data"), true).await;
        furnish(&mut house);
        let driver = Arc::new(Driver::new(Arc::new(house.imap()), None, "imap"));
        let listening = Listening::start(Security::Plain, Duration::from_secs(60), move |connection| {
            let driver = Arc::clone(&driver);
            async move { driver.run(connection).await }
        });
        Self { house, listening, directory }
    }

    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    fn port(&self) -> u16 {
        self.listening.address.port()
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub async fn end(self) {
        self.listening.stop().await;
        self.house.verify();
    }
}

/// Whether the program is there. The gate installs what it names, so there it must be.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    is_there(program, found.is_ok_and(|status| status.success()))
}

#[allow(clippy::print_stderr)] // a test that was not run has to say so
fn is_there(program: &str, found: bool) -> bool {
    assert!(found || std::env::var_os("CI").is_none(), "{program} is missing");
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

async fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null());
    let shown = format!("{command:?}");
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(120), running).await.expect("it ends").unwrap();
    assert!(
        output.status.success(),
        "{shown}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Messages with every kind of line, small and large.
fn messages() -> Vec<Vec<u8>> {
    let long = "All work and no play makes a long message. ".repeat(9000).replace(". All", ".\r\nAll");
    let bodies = ["short\r\n", "", "no line end", "\r\n.\r\n..\r\n", "caf\u{e9} \u{1f600}\r\n", &long];
    let message = |(number, body): (usize, &&str)| {
        format!("From: a@example.org\r\nMessage-ID: <{number}@x>\r\nSubject: Number {number}\r\n\r\n{body}")
            .into_bytes()
    };
    bodies.iter().enumerate().map(message).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_stores_and_reads() {
    if !is_installed("curl") {
        return;
    }
    let served = Served::new().await;
    let url = |path: &str| format!("imap://127.0.0.1:{}/{path}", served.port());
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--user", "jane@example.org:Secret123"]).args(arguments);
        command
    };
    for (index, message) in messages().iter().enumerate() {
        let file = served.path().join("message");
        std::fs::write(&file, message).unwrap();
        run(curl(&["-T", file.to_str().unwrap(), &url("INBOX")])).await;
        let read = run(curl(&[&url(&format!("INBOX;UID={}", index + 1))])).await;
        assert!(read.stdout == *message, "message {index}");
    }
    let listed = run(curl(&[&url("")])).await.stdout;
    assert!(String::from_utf8_lossy(&listed).contains("\\Drafts) \"/\" Drafts"));
    let header = run(curl(&[&url("INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)")])).await.stdout;
    assert_eq!(header, b"Subject: Number 0\r\n\r\n");
    run(curl(&["-X", "STORE 1:* +FLAGS (\\Deleted)", &url("INBOX")])).await;
    run(curl(&["-X", "EXPUNGE", &url("INBOX")])).await;
    let status = run(curl(&["-X", "STATUS INBOX (MESSAGES)", &url("")])).await.stdout;
    assert!(String::from_utf8_lossy(&status).contains("MESSAGES 0"));
    served.end().await;
}

/// A Maildir's messages by their octets, with their flags.
fn maildir(path: &Path) -> Vec<(Vec<u8>, String)> {
    let mut found = Vec::new();
    for folder in ["cur", "new"] {
        for entry in std::fs::read_dir(path.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let flags = name.rsplit_once(":2,").map_or("", |(_, flags)| flags).to_owned();
            found.push((std::fs::read(&path).unwrap(), flags));
        }
    }
    found.sort();
    found
}

fn without_cr(message: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(message).replace("\r\n", "\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mbsync_copies_both_ways() {
    if !is_installed("mbsync") {
        return;
    }
    let served = Served::new().await;
    let near = |name: &str| served.path().join(name);
    let configuration = |name: &str| {
        let maildir = near(name);
        std::fs::create_dir_all(&maildir).unwrap();
        let text = format!(
            "IMAPAccount a\nHost 127.0.0.1\nPort {}\nUser jane@example.org\nPass Secret123\nSSLType None\nAuthMechs LOGIN\n\n\
             IMAPStore far\nAccount a\n\nMaildirStore near\nPath {maildir}/\nInbox {maildir}/INBOX\nSubFolders Verbatim\n\n\
             Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
            served.port(),
            maildir = maildir.display(),
        );
        let file = served.path().join(format!("{name}.rc"));
        std::fs::write(&file, text).unwrap();
        file
    };
    let sync = async |name: &str| {
        let mut command = Command::new("mbsync");
        command.arg("-c").arg(configuration(name)).arg("-a");
        run(command).await;
    };
    // One side fills a folder, the other reads it.
    sync("one").await;
    let mut expected = Vec::new();
    for (index, message) in messages().iter().enumerate() {
        let flags = ["", "S", "FS", "RS", "DS", ""][index];
        let text = without_cr(message);
        std::fs::write(near("one").join(format!("Archive/cur/{index}.x:2,{flags}")), &text).unwrap();
        expected.push((text, flags.to_owned()));
    }
    sync("one").await;
    sync("two").await;
    expected.sort();
    let strip = |mut found: Vec<(Vec<u8>, String)>| {
        // It notes in each message which one it is.
        for (message, _) in &mut found {
            let text = String::from_utf8_lossy(message).into_owned();
            *message =
                text.split_inclusive('\n').filter(|line| !line.starts_with("X-TUID:")).collect::<String>().into();
        }
        found.sort();
        found
    };
    assert!(strip(maildir(&near("two").join("Archive"))) == expected);
    // Flags and removals travel too.
    for entry in std::fs::read_dir(near("two").join("Archive/cur")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (base, flags) = name.split_once(":2,").unwrap();
        match flags {
            "DS" => std::fs::remove_file(&path).unwrap(),
            "S" => std::fs::rename(&path, path.with_file_name(format!("{base}:2,FS"))).unwrap(),
            _ => {}
        }
    }
    sync("two").await;
    sync("one").await;
    let one = strip(maildir(&near("one").join("Archive")));
    assert_eq!(one.iter().map(|(_, flags)| flags.as_str()).filter(|flags| *flags == "FS").count(), 2);
    assert_eq!(one.len(), expected.len() - 1);
    assert!(one == strip(maildir(&near("two").join("Archive"))));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neomutt_tags_saves_and_deletes() {
    if !is_installed("neomutt") {
        return;
    }
    let served = Served::new().await;
    for message in messages() {
        served.house.append("jane", "INBOX", message).await;
    }
    let rc = served.path().join("rc");
    let folder = format!("imap://127.0.0.1:{}/", served.port());
    let text = format!(
        "set folder=\"{folder}\"\nset spoolfile=\"{folder}INBOX\"\nset imap_user=\"jane@example.org\"\n\
         set imap_pass=\"Secret123\"\nset ssl_starttls=no\nset ssl_force_tls=no\nset confirmappend=no\nset delete=yes\n\
         set quit=yes\nset move=no\nset header_cache=\"\"\nset sleep_time=0\nset imap_condstore=yes\nset imap_qresync=yes\n"
    );
    std::fs::write(&rc, text).unwrap();
    let mut command = Command::new("neomutt");
    command.env("TERM", "dumb").env("HOME", served.path()).arg("-n").arg("-F").arg(&rc).args([
        "-e",
        "push '<tag-pattern>~s \"Number [12]\"<enter><tag-prefix><save-message>=Archive<enter>\
         <tag-pattern>~A<enter><delete-pattern>~s \"Number 3\"<enter><flag-message><quit>'",
    ]);
    // It wants a terminal; script gives it one.
    let line = format!("{command:?}");
    let mut shell = Command::new("script");
    shell.env("TERM", "xterm").env("HOME", served.path()).args(["-qec", &line, "/dev/null"]);
    run(shell).await;
    assert_eq!(served.house.messages("jane", "Archive").await, 2);
    assert_eq!(served.house.messages("jane", "INBOX").await, 3);
    served.end().await;
}

/// What an account has in a mailbox: octets with flags.
async fn on_the_server(served: &Served, mailbox: &str) -> Vec<(Vec<u8>, String)> {
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(client.command(&format!("EXAMINE {mailbox}")).await.is_ok());
    let mut found = Vec::new();
    for line in client.command("FETCH 1:* (FLAGS BODY.PEEK[])").await.untagged {
        let text = String::from_utf8_lossy(&line).into_owned();
        let flags = text.split_once("FLAGS (").unwrap().1.split(')').next().unwrap().to_owned();
        let start = line.windows(3).position(|three| three == b"}\r\n").unwrap() + 3;
        found.push((line[start..line.len() - 1].to_vec(), flags));
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offlineimap_copies_both_ways() {
    if !is_installed("offlineimap") {
        return;
    }
    let served = Served::new().await;
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    // Blanks, ampersands, letters beyond ASCII; its own code can't quote a quotation mark.
    for name in ["Work/2026/deep/er", "\"Tom &- Jerry\"", "&ZeVnLIqe-"] {
        assert!(client.command(&format!("CREATE {name}")).await.is_ok(), "{name}");
    }
    for message in messages() {
        served.house.append("jane", "Work/2026/deep/er", message.clone()).await;
        served.house.append("jane", "日本語", message).await;
    }
    let near = served.path().join("near");
    let text = format!(
        "[general]\naccounts = a\nmetadata = {meta}\n[Account a]\nlocalrepository = l\nremoterepository = r\n\
         [Repository l]\ntype = Maildir\nlocalfolders = {near}\n[Repository r]\ntype = IMAP\nremotehost = 127.0.0.1\n\
         remoteport = {port}\nremoteuser = jane@example.org\nremotepass = Secret123\nssl = no\nstarttls = no\n\
         auth_mechanisms = PLAIN\n",
        meta = served.path().join("meta").display(),
        near = near.display(),
        port = served.port(),
    );
    let rc = served.path().join("offlineimaprc");
    std::fs::write(&rc, text).unwrap();
    let sync = async || {
        let mut command = Command::new("offlineimap");
        command.env("HOME", served.path()).arg("-c").arg(&rc).args(["-o", "-u", "quiet"]);
        run(command).await;
    };
    sync().await;
    let texts = |mut all: Vec<(Vec<u8>, String)>| {
        all.iter_mut().for_each(|(message, _)| *message = without_cr(message));
        all.sort();
        all.into_iter().map(|(message, _)| message).collect::<Vec<_>>()
    };
    for name in ["Work.2026.deep.er", "&ZeVnLIqe-"] {
        let mut expected: Vec<Vec<u8>> = messages().iter().map(|message| without_cr(message)).collect();
        expected.sort();
        assert!(texts(maildir(&near.join(name))) == expected, "{name}");
    }
    // What changes here changes there: a flag, a removal, a new message.
    let folder = near.join("&ZeVnLIqe-");
    let mut files: Vec<_> = ["new", "cur"]
        .iter()
        .flat_map(|part| std::fs::read_dir(folder.join(part)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort_by_key(|path| std::fs::read(path).unwrap());
    let name = files[0].file_name().unwrap().to_string_lossy().into_owned();
    let base = name.split(":2,").next().unwrap().to_owned();
    std::fs::rename(&files[0], folder.join("cur").join(format!("{base}:2,FS"))).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    std::fs::write(folder.join("new/1.x.y"), b"Subject: written here\n\nhello\n").unwrap();
    sync().await;
    sync().await;
    let there = on_the_server(&served, "&ZeVnLIqe-").await;
    assert_eq!(there.len(), messages().len());
    assert_eq!(there.iter().filter(|(_, flags)| flags == "\\Flagged \\Seen").count(), 1);
    let written = |message: &[u8]| String::from_utf8_lossy(message).contains("Subject: written here\r\n");
    assert_eq!(there.iter().filter(|(message, _)| written(message)).count(), 1);
    drop(client);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imapclient_finds_everything_as_it_was() {
    let Some(mut command) = crate::support::python::with("imapclient") else { return };
    let served = Served::new().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/imap/everything_as_it_was.py");
    command.arg(script).arg(served.port().to_string());
    run(command).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imapflow_finds_everything_as_it_was() {
    let Some(mut command) = crate::support::node::with("imapflow") else { return };
    let served = Served::new().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/imap/everything_as_it_was.js");
    command.arg(script).arg(served.port().to_string());
    run(command).await;
    served.end().await;
}
