//! Real programs that edit scripts, over TLS.
//!
//! A program that is not installed is skipped, and says so; where the gate has installed it, its absence is a failure. The
//! libraries of Python are looked for in `python` below the target directory, or in the system's.

use crate::support::running::{PASSWORD, Running};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const JANE: &str = "jane@example.org";

async fn open() -> Running {
    let running = Running::open(&["managesieve"], "").await;
    running.domain("example.org").await;
    for person in ["boss", "jane"] {
        running.account(&format!("{person}@example.org"), None).await;
    }
    running
}

#[allow(clippy::print_stderr)] // a test that was not run has to say so
fn is_there(what: &str, mut command: Command) -> bool {
    let found = command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{what} is missing");
    if !found {
        eprintln!("SKIPPED: {what} is not installed");
    }
    found
}

/// With the password where it asks for it.
async fn run(mut command: Command) -> Output {
    let running = tokio::task::spawn_blocking(move || {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut input = child.stdin.take().expect("piped");
        // One that reads nothing may be gone already.
        let _ = input.write_all(format!("{PASSWORD}\n").as_bytes());
        drop(input);
        child.wait_with_output().expect("it ends")
    });
    tokio::time::timeout(std::time::Duration::from_secs(120), running).await.expect("in time").expect("no panic")
}

fn told(output: &Output) -> String {
    [output.stdout.as_slice(), &output.stderr].concat().iter().map(|octet| char::from(*octet)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sieve_connect() {
    let mut looked = Command::new("sieve-connect");
    looked.arg("--help");
    if !is_there("sieve-connect", looked) {
        return;
    }
    let running = open().await;
    let directory = running.directory.path().to_owned();
    let port = running.port("managesieve").port().to_string();
    let say = async |user: &str, arguments: &[&str]| {
        let mut command = Command::new("sieve-connect");
        command.current_dir(&directory).args(["--server", "127.0.0.1", "--port", &port, "--passwordfd", "0"]);
        command.args(["--tlscafile", "cert.pem", "--tlshostname", "mail.example.org", "--user", user]).args(arguments);
        run(command).await
    };
    let script = "require \"fileinto\";\r\nif header :is \"Subject\" \"lists\" {\r\n  fileinto \"Archive\";\r\n}\r\n";
    let file = |name: &str| directory.join(name);
    std::fs::write(file("lists.sieve"), script).unwrap();
    std::fs::write(file("broken.sieve"), "keep;\nnonsense;\n").unwrap();

    let put = say(JANE, &["--upload", "--localsieve", "lists.sieve", "--remotesieve", "lists"]).await;
    assert!(put.status.success(), "{}", told(&put));
    let activated = say(JANE, &["--activate", "--remotesieve", "lists"]).await;
    assert!(activated.status.success(), "{}", told(&activated));
    let listed = say(JANE, &["--list"]).await;
    assert_eq!(told(&listed), "\"lists\" ACTIVE\n\"posthouse:compiled jane@example.org\"\n");
    let got = say(JANE, &["--download", "--remotesieve", "lists", "--localsieve", "got.sieve"]).await;
    assert!(got.status.success(), "{}", told(&got));
    assert_eq!(std::fs::read_to_string(file("got.sieve")).unwrap(), script);
    let broken = say(JANE, &["--checkscript", "--localsieve", "broken.sieve"]).await;
    assert!(told(&broken).contains("line 2, column 1: "), "{}", told(&broken));
    let active = say(JANE, &["--delete", "--remotesieve", "lists"]).await;
    assert!(told(&active).contains("The script is active"), "{}", told(&active));
    let shown = say(JANE, &["--delete", "--remotesieve", "posthouse:compiled jane@example.org"]).await;
    assert!(told(&shown).contains("made by the server"), "{}", told(&shown));
    // An administrator acts for her; she does not for him.
    let listed = say("boss@example.org", &["--authzid", JANE, "--deactivate"]).await;
    assert!(listed.status.success(), "{}", told(&listed));
    let listed = say(JANE, &["--list"]).await;
    assert_eq!(told(&listed), "\"lists\"\n\"posthouse:compiled jane@example.org\"\n");
    let refused = say(JANE, &["--authzid", "boss@example.org", "--list"]).await;
    assert!(told(&refused).contains("Authentication failed"), "{}", told(&refused));
    running.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libraries_of_python() {
    let Some(mut command) = crate::support::python::with("managesieve, sievelib.managesieve") else { return };
    let running = open().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/managesieve/clients.py");
    command.env("SSL_CERT_FILE", running.directory.path().join("cert.pem"));
    command.arg(script).args([&running.port("managesieve").port().to_string(), JANE, PASSWORD]);
    let output = run(command).await;
    assert!(output.status.success(), "{}", told(&output));
    running.close().await;
}
