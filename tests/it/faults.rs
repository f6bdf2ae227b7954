//! What the machine does to a server: starts it as root, keeps it out of directories, fills its disk, sends it signals.
//!
//! Some of it only root can arrange; without root those tests say that they looked at nothing.

use crate::support::program::{Place, serve, serve_with_descriptors};
use crate::support::smtp::Sender;
use crate::support::tls;
use std::fs::Permissions;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

/// An account that every machine has and that nothing belongs to.
const NOBODY: &str = "nobody";
const DISK_OCTETS: u64 = 6 * 1024 * 1024;

fn is_root(what: &str) -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        skipped(&format!("{what} can only be tried as root"));
    }
    root
}

/// Past the test harness, which hides what successful tests print.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {why}");
}

fn nobody() -> u32 {
    let user = nix::unistd::User::from_name(NOBODY).expect("a user database").expect("an account for nobody");
    user.uid.as_raw()
}

/// A port that only root may bind, and that is free.
fn privileged_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (600..1024).rev().find(free).expect("a free port below 1024")
}

fn open_to_everybody(place: &Place) {
    std::fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).expect("it is ours");
}

#[tokio::test]
async fn root_is_given_up_when_the_ports_are_bound() {
    if !is_root("giving up root") {
        return;
    }
    let place = Place::new();
    open_to_everybody(&place);
    // Made by root's own command before: the server must be able to use it all the same.
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    place.configure("data =", &format!("user = \"{NOBODY}\"\ndata ="));
    place.configure("\nsmtp = []", &format!("\nsmtp = [\"127.0.0.1:{}\"]", privileged_port()));
    for _ in 0..2 {
        let server = serve(&place);
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).expect("it runs");
        let ids = |name: &str| -> Vec<String> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of it");
            line.split_whitespace().map(str::to_owned).collect()
        };
        let nobody = nobody().to_string();
        assert_eq!(ids("Uid:"), vec![nobody.clone(); 4], "real, effective, saved, of the file system");
        assert!(!ids("Gid:").contains(&"0".to_owned()) && !ids("Groups:").contains(&"0".to_owned()), "{status}");
        assert!(Sender::connect(server.address("smtp"), "EHLO client.example").await.is_ok());
        for entry in std::fs::read_dir(place.path("posthouse-data")).expect("readable") {
            let entry = entry.expect("readable");
            let owner = entry.metadata().expect("there").uid().to_string();
            assert_eq!(owner, nobody, "{}", entry.path().display());
        }
        // Root gives orders to it, and it can carry them out.
        let added = place.run(&["domain", "add", "example.net"], "");
        assert!(added.code == 0 || added.text.contains("authoritative domain detected"), "{}", added.text);
        server.stop();
    }
    // With no server there, root's commands leave nothing behind that the server could not use.
    assert_eq!(place.run(&["domain", "add", "example.com"], "").code, 0);
    assert_eq!(place.run_as(nobody(), &["verify"]).text, "the store is sound\n");
}

#[test]
fn what_root_makes_in_another_users_directory_is_that_users() {
    if !is_root("root's commands in another user's directory") {
        return;
    }
    let place = Place::new();
    open_to_everybody(&place);
    let data = place.path("posthouse-data");
    std::fs::create_dir(&data).expect("made");
    std::os::unix::fs::chown(&data, Some(nobody()), Some(nobody())).expect("given");
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    assert_eq!(place.run_as(nobody(), &["domain", "add", "example.net"]).code, 0);
    assert_eq!(place.run(&["domain", "list", "--json"], "").text.matches("\"domain\":").count(), 2);
}

#[test]
fn another_users_directory_is_refused() {
    if !is_root("being another user") {
        return;
    }
    let place = Place::new();
    open_to_everybody(&place);
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    let check = |arguments: &[&str], expected: &str| {
        let outcome = place.run_as(nobody(), arguments);
        assert_eq!(outcome.code, 1, "{arguments:?}: {}", outcome.text);
        assert!(outcome.text.contains(expected), "{arguments:?}: {}", outcome.text);
        assert!(outcome.text.contains("posthouse-data"), "which directory: {}", outcome.text);
    };
    let refused = |served: &str| {
        check(&["status"], "Permission denied");
        check(&["domain", "add", "example.net"], served);
        check(&["verify"], "Permission denied");
        check(&["serve"], "Permission denied");
    };
    refused("takes orders from its own user and from root only");
    let server = serve(&place);
    refused("takes orders from its own user and from root only");
    server.stop();
    // Open to look into, and nothing more.
    std::fs::set_permissions(place.path("posthouse-data"), Permissions::from_mode(0o755)).expect("ours");
    check(&["domain", "add", "example.net"], "check owner and permissions");
    check(&["serve"], "check owner and permissions");
    assert_eq!(place.run(&["domain", "list", "--json"], "").text.matches("\"domain\":").count(), 1);
    place.assert_sound();
}

/// As whoever is not stopped by nothing: root becomes nobody for it.
#[test]
fn a_directory_that_can_not_be_written_is_named() {
    let place = Place::new();
    open_to_everybody(&place);
    let root = nix::unistd::Uid::effective().is_root();
    let run = |arguments: &[&str]| {
        if root { place.run_as(nobody(), arguments) } else { place.run(arguments, "") }
    };
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    let data = place.path("posthouse-data");
    if root {
        for path in [data.clone(), data.join("mail.db"), data.join("lock")] {
            std::os::unix::fs::chown(path, Some(nobody()), Some(nobody())).expect("given");
        }
    }
    let permissions = |mode| std::fs::set_permissions(&data, Permissions::from_mode(mode)).expect("ours");
    let database = || std::fs::read(data.join("mail.db")).expect("readable");
    let before = database();
    permissions(0o555);
    for arguments in [&["domain", "add", "example.net"][..], &["domain", "list"], &["status"], &["verify"], &["serve"]]
    {
        let outcome = run(arguments);
        assert_ne!(outcome.code, 0, "{arguments:?}: {}", outcome.text);
        assert!(outcome.text.contains("check owner and permissions"), "{arguments:?}: {}", outcome.text);
        assert!(outcome.text.contains("posthouse-data"), "{arguments:?}: {}", outcome.text);
    }
    assert_eq!(database(), before);
    permissions(0o700);
    assert_eq!(run(&["domain", "add", "example.net"]).code, 0);
    assert_eq!(run(&["verify"]).text, "the store is sound\n");
    // Nor can one be made where nothing may be.
    std::fs::create_dir(place.path("closed")).expect("made");
    std::fs::set_permissions(place.path("closed"), Permissions::from_mode(0o555)).expect("ours");
    let outcome = run(&["domain", "add", "example.net", "--data", "closed/data"]);
    assert!(
        outcome.text.contains("closed/data") && outcome.text.contains("check owner and permissions"),
        "{}",
        outcome.text
    );
}

/// A login shell and many service managers give a program 1,024, and more only if it asks.
#[tokio::test]
async fn descriptors_are_asked_for_and_some_are_kept() {
    let place = Place::new();
    place.configure("\nimap = []", "\nimap = [\"127.0.0.1:0\"]");
    place.configure("[auth]", "[throttle]\nexempt_networks = [\"127.0.0.0/8\"]\n[auth]");
    let server = serve_with_descriptors(&place, 100, 700);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process())).expect("readable");
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let numbers: Vec<&str> = open_files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["700", "700"]);
    let address = server.address("imap");
    let mut greeted = Vec::new();
    for _ in 0..350 {
        let mut stream = BufReader::new(TcpStream::connect(address).await.expect("it listens"));
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a greeting");
        assert!(line.starts_with("* OK "), "{line}");
        greeted.push(stream);
    }
    let mut one_too_many = BufReader::new(TcpStream::connect(address).await.expect("it listens"));
    let mut line = String::new();
    one_too_many.read_line(&mut line).await.expect("a refusal");
    assert!(line.starts_with("* BYE [UNAVAILABLE] "), "{line}");
    drop(greeted);
    server.stop();
}

#[tokio::test]
async fn hanging_up_reads_certificates_and_settings_again() {
    let place = Place::new();
    place.configure("\nimaps = []", "\nimaps = [\"127.0.0.1:0\"]");
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    assert_eq!(place.run(&["account", "add", "jane@example.org", "--generate-password"], "").code, 0);
    let mut server = serve(&place);
    let (address, data) = (server.address("imaps"), place.path("posthouse-data"));
    // Shakes hands only with a server that shows the certificate in that directory.
    let shows = async |directory: &Path| {
        let stream = TcpStream::connect(address).await.expect("it listens");
        drop(tls::connect(directory, stream).await);
    };
    shows(&data).await;
    let other = tempfile::tempdir().expect("a directory");
    tls::server(other.path());
    for name in ["cert.pem", "key.pem"] {
        std::fs::copy(other.path().join(name), data.join(name)).expect("copied");
    }
    let redirect = |targets: &[&str]| {
        let arguments = ["redirect", "add", "jane@example.org"].into_iter().chain(targets.iter().copied());
        place.run(&arguments.collect::<Vec<_>>(), "")
    };
    place.configure("[auth]", "[limits]\nredirection_targets_max = 1\n[auth]");
    server.reload();
    shows(other.path()).await;
    let refused = redirect(&["a@outside.example", "b@outside.example"]);
    assert!(refused.code == 1 && refused.text.contains('1'), "{}", refused.text);
    assert_eq!(redirect(&["a@outside.example"]).code, 0);

    // What can't be read leaves everything as it is.
    std::fs::write(data.join("cert.pem"), "nothing").expect("written");
    place.configure("redirection_targets_max = 1", "redirection_targets_max = \"many\"");
    server.hang_up();
    let line = server.wait_for_word("what=\"certificates\"");
    assert!(line.contains("not read again, the old one stays") && line.contains("cert.pem"), "{line}");
    let line = server.wait_for_word("what=\"configuration\"");
    assert!(line.contains("posthouse.toml") && line.contains("redirection_targets_max"), "{line}");
    shows(other.path()).await;
    assert_eq!(redirect(&["c@outside.example"]).code, 1);

    // And works again once it is mended.
    std::fs::copy(other.path().join("cert.pem"), data.join("cert.pem")).expect("copied");
    place.configure("redirection_targets_max = \"many\"", "redirection_targets_max = 2");
    server.reload();
    shows(other.path()).await;
    assert_eq!(redirect(&["c@outside.example"]).code, 0);
    server.stop();
    place.assert_sound();
}

/// A small disk of its own.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).expect("made");
        let size = format!("size={DISK_OCTETS},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(at))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// To the last octet.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).expect("made");
        for octets in [64 * 1024, 1] {
            while filler.write_all(&vec![7; octets]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Hands over messages until one is refused, or there were enough. Returns how many were taken, and the refusal.
async fn deliver(address: SocketAddr, messages: usize) -> (u64, Option<String>) {
    let mut sender = Sender::connect(address, "EHLO client.example").await.expect("it listens");
    for taken in 0..messages {
        // What compresses to nothing fills no disk.
        let noise: String = (0..2500_u64)
            .map(|line| format!("{:016x}\r\n", (line << 20 | taken as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        let message = format!("From: a@outside.example\r\nSubject: {taken}\r\n\r\n{noise}");
        let reply = sender.send("a@outside.example", &["jane@example.org"], message.as_bytes()).await.expect("a reply");
        if !reply.starts_with("250") {
            return (taken as u64, Some(reply));
        }
    }
    (messages as u64, None)
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_lost() {
    if !is_root("mounting a small disk") {
        return;
    }
    let place = Place::new();
    let Some(disk) = Disk::mount(place.path("disk")) else {
        skipped("nothing can be mounted here");
        return;
    };
    place.configure("\ndata = \"posthouse-data\"", "\ndata = \"disk/data\"");
    place.configure("\nsmtp = []", "\nsmtp = [\"127.0.0.1:0\"]");
    place.configure("[auth]", "[mx]\nauthenticate = false\n[auth]");
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    assert_eq!(place.run(&["account", "add", "jane@example.org", "--generate-password"], "").code, 0);
    let server = serve(&place);
    let (before, refusal) = deliver(server.address("smtp"), 2).await;
    assert_eq!((before, refusal), (2, None));

    disk.fill();
    let (during, refusal) = deliver(server.address("smtp"), 500).await;
    let refusal = refusal.expect("the disk is full");
    // For now, and for a cause of ours (RFC 3463 section 3.4).
    assert!(refusal.starts_with("452 4.3.1 "), "{refusal}");
    let mut aliases = 0;
    let refused = loop {
        let outcome = place.run(&["alias", "add", &format!("alias{aliases}@example.org"), "jane@example.org"], "");
        if outcome.code != 0 {
            break outcome;
        }
        aliases += 1;
        assert!(aliases < 500, "the disk is not full");
    };
    assert_eq!((refused.code, refused.text.contains("the disk is full")), (1, true), "{}", refused.text);
    // What only looks goes on, and what was promised is there.
    let count = |name: &str| {
        let status = place.run(&["status", "--json"], "");
        let status: serde_json::Value = serde_json::from_str(&status.text).expect("JSON");
        status[name].as_u64().expect("a number")
    };
    assert_eq!((count("messages"), count("aliases")), (before + during, aliases + 2));
    assert_eq!(place.run(&["verify"], "").text, "the store is sound\n");

    disk.free();
    let (after, refusal) = deliver(server.address("smtp"), 3).await;
    assert_eq!((after, refusal), (3, None));
    assert_eq!(place.run(&["alias", "add", "last@example.org", "jane@example.org"], "").code, 0);
    assert_eq!((count("messages"), count("aliases")), (before + during + after, aliases + 3));
    server.stop();
    place.assert_sound();

    // A server, and a command, that starts on a full disk.
    disk.fill();
    let refused = place.run(&["alias", "add", "more@example.org", "jane@example.org"], "");
    assert_eq!((refused.code, refused.text.contains("the disk is full")), (1, true), "{}", refused.text);
    disk.free();
    assert_eq!((count("messages"), count("aliases")), (before + during + after, aliases + 3));
    place.assert_sound();
}
