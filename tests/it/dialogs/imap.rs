//! The house behind the IMAP dialogs: a real store with real accounts, on a clock that stands at 2026-11-20T12:00:00Z.
//!
//! | setting | what it means |
//! |---|---|
//! | `as: jane, paul` | the first connection begins after the login of jane@example.org, the others of paul@example.org;
//!   without this, with the greeting |
//! | `tls: implicit`, `tls: required` | TLS from the first octet; no login without TLS. Otherwise a login needs none |
//! | `idle_milliseconds: n` | how long a silent client is borne |
//! | `messages_max: n` | how many messages one command works on |
//!
//! `! tls` shakes hands after STARTTLS, `! stop` stops the server, `! script person name text` stores a Sieve script,
//! `! sends addresses` says who is to get mail from us.

use crate::support::dialog::{Scene, Script, Wire, play_all};
use crate::support::house::House;
use crate::support::listening::Listening;
use crate::support::tls;
use posthouse::imap::Driver;
use posthouse::net::{Security, Shutdown};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

#[tokio::test]
async fn dialogs() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs/imap");
    play_all(&directory, play).await;
}

async fn play(script: &Script) -> Result<(), String> {
    let setting = |name: &str| script.settings.get(name).map(String::as_str);
    let known = ["as", "tls", "idle_milliseconds", "messages_max"];
    assert!(script.settings.keys().all(|key| known.contains(&key.as_str())), "{}: {:?}", script.name, script.settings);

    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(&directory.path().join("data"), setting("tls").is_none()).await;
    if let Some(most) = setting("messages_max") {
        house.messages_max = most.parse().unwrap();
    }
    let server_tls = tls::server(directory.path());
    let services = Arc::new(house.imap());
    let implicit = setting("tls") == Some("implicit");
    let driver = Arc::new(Driver::new(services, (!implicit).then(|| server_tls.clone()), "imap"));
    let idle = setting("idle_milliseconds")
        .map_or(Duration::from_secs(20), |text| Duration::from_millis(text.parse().unwrap()));
    let security = if implicit { Security::Tls(server_tls) } else { Security::Plain };
    let listening = Listening::start(security, idle, move |connection| {
        let driver = Arc::clone(&driver);
        async move { driver.run(connection).await }
    });

    let stream = TcpStream::connect(listening.address).await.unwrap();
    let mut scene = Imap {
        directory: directory.path(),
        implicit,
        people: setting("as").map_or(Vec::new(), |people| people.split(", ").map(str::to_owned).collect()),
        begun: 0,
        house: &house,
        shutdown: listening.shutdown.clone(),
    };
    let outcome = script.play(stream, &mut scene).await;
    listening.stop().await;
    house.verify();
    outcome
}

struct Imap<'a> {
    directory: &'a Path,
    implicit: bool,
    people: Vec<String>,
    begun: usize,
    house: &'a House,
    shutdown: Shutdown,
}

impl Scene for Imap<'_> {
    fn begin(&mut self, stream: TcpStream) -> Pin<Box<dyn Future<Output = Wire> + Send + '_>> {
        Box::pin(async {
            self.begun += 1;
            let Some(person) = self.people.get(self.begun - 1).or(self.people.last()) else {
                return match self.implicit {
                    true => Wire::Other(Box::new(tls::connect(self.directory, stream).await)),
                    false => Wire::Plain(stream),
                };
            };
            let mut stream = BufReader::new(stream);
            let command = format!("login LOGIN {person}@example.org Secret123\r\n");
            stream.write_all(command.as_bytes()).await.unwrap();
            let mut line = String::new();
            while !line.starts_with("login ") {
                line.clear();
                assert!(stream.read_line(&mut line).await.unwrap() > 0, "the server hung up");
            }
            assert!(line.starts_with("login OK "), "{line}");
            Wire::Plain(stream.into_inner())
        })
    }

    fn act<'a>(&'a mut self, words: &'a str, wire: Wire) -> Pin<Box<dyn Future<Output = Wire> + Send + 'a>> {
        Box::pin(async move {
            match (words, wire) {
                ("tls", Wire::Plain(stream)) => Wire::Other(Box::new(tls::connect(self.directory, stream).await)),
                (words, wire) if words.starts_with("script ") => {
                    let mut words = words.splitn(4, ' ').skip(1);
                    let (person, name, text) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                    self.house.put_script(person, name, text).await;
                    wire
                }
                (words, wire) if words.starts_with("sends ") => {
                    let sends = self.house.sends().await;
                    assert_eq!(sends.join(" "), words.trim_start_matches("sends ").trim_start_matches('-'));
                    wire
                }
                ("stop", wire) => {
                    self.shutdown.request();
                    wire
                }
                _ => panic!("! {words}"),
            }
        })
    }

    fn event(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn left_over(&mut self) -> Vec<String> {
        Vec::new()
    }
}
