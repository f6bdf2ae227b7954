//! The house behind the IMAP dialogs: a real store with real accounts, on a clock that stands at 2026-11-20T12:00:00Z.
//!
//! | setting | what it means |
//! |---|---|
//! | `as: jane, paul` | the first connection begins after the login of jane@example.org, the others of paul@example.org;
//!   without this, with the greeting |
//! | `tls: implicit`, `tls: required` | TLS from the first octet; no login without TLS. Otherwise a login needs none |
//! | `idle_milliseconds: n` | how long a silent client is borne |
//! | `messages_max: n` | how many messages one command works on |
//! | `shows: A B=` | capabilities whose use is shown; each that is offered has to be in one of these |
//!
//! `! tls` shakes hands after STARTTLS, `! deflate` compresses from here on, `! scram tag mechanism` logs jane in, `! stop`
//! stops the server, `! script person name text` stores a Sieve script, `! sends addresses` says who is to get mail from us.

use crate::imap::client::Client;
use crate::imap_clients::Served;
use crate::support::dialog::{Scene, Script, Stream, Wire, play_all, scripts};
use crate::support::house::House;
use crate::support::listening::Listening;
use crate::support::tls;
use async_compression::tokio::bufread::DeflateDecoder;
use async_compression::tokio::write::DeflateEncoder;
use posthouse::auth::{self, ChannelBinding, Mechanism};
use posthouse::imap::Driver;
use posthouse::net::{Security, Shutdown};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

#[tokio::test]
async fn dialogs() {
    play_all(&directory(), play).await;
}

/// The verbs of a rule in the grammar's text.
fn verbs(grammar: &str, from: &str, to: &str) -> BTreeSet<String> {
    let (_, rest) = grammar.split_once(from).expect("where the verbs begin");
    let (text, _) = rest.split_once(to).expect("where they end");
    let arms = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>"));
    arms.map(|(verb, _)| verb.to_owned()).collect()
}

#[test]
fn every_verb_is_said() {
    let grammar = include_str!("../../../src/imap/grammar/mod.rs");
    let mut known = verbs(grammar, "fn body(", "/// The verbs that speak of messages");
    let numbered = verbs(grammar, "fn numbered(", "fn copy(");
    known.extend(numbered.iter().map(|verb| format!("UID {verb}")));
    known.insert("UID EXPUNGE".to_owned());
    known.remove("UID");
    assert!(known.len() > 50, "{known:?}");
    let said: BTreeSet<String> = scripts(&directory())
        .iter()
        .flat_map(Script::lines_said)
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1).map(str::to_uppercase);
            let verb = words.next()?;
            if verb == "UID" { Some(format!("UID {}", words.next()?)) } else { Some(verb) }
        })
        .collect();
    let silent: Vec<&String> = known.difference(&said).collect();
    assert!(silent.is_empty(), "no dialog says {silent:?}");
}

/// Up to what differs from house to house.
fn family(capability: &str) -> &str {
    let kinds =
        ["AUTH=", "QUOTA=", "SORT=", "THREAD=", "STATUS=", "CONTEXT=", "FILTER=", "COMPRESS=", "UTF8=", "I18NLEVEL="];
    match capability.find('=') {
        Some(at) if !kinds.contains(&&capability[..=at]) => &capability[..=at],
        _ => capability,
    }
}

#[tokio::test]
async fn everything_offered_is_shown() {
    let served = Served::new().await;
    let mut client = Client::connect(served.address()).await;
    let mut offered: BTreeSet<String> =
        ["STARTTLS", "LOGINDISABLED", "AUTH=SCRAM-SHA-256-PLUS"].map(str::to_owned).into();
    for command in ["CAPABILITY", "LOGIN jane@example.org Secret123", "CAPABILITY"] {
        let answer = client.command(command).await;
        assert!(answer.is_ok(), "{answer:?}");
        let lists = answer.texts().filter_map(|line| line.strip_prefix("* CAPABILITY ").map(str::to_owned));
        offered.extend(lists.flat_map(|list| list.split(' ').map(|name| family(name).to_owned()).collect::<Vec<_>>()));
    }
    let mut shown: BTreeSet<String> = scripts(&directory())
        .iter()
        .filter_map(|script| script.settings.get("shows"))
        .flat_map(|names| names.split(' ').map(str::to_owned))
        .collect();
    // What takes long is no matter for a text: `imap::transport` has it.
    shown.insert("INPROGRESS".to_owned());
    assert!(offered.len() > 60, "{offered:?}");
    assert_eq!(offered.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new(), "no dialog shows these");
    assert_eq!(shown.difference(&offered).collect::<Vec<_>>(), Vec::<&String>::new(), "these are not offered");
    drop(client);
    served.end().await;
}

async fn line_of(stream: &mut dyn Stream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.expect("the server goes on"));
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// Its nonces are no lines a file could have.
async fn log_in_by_scram(stream: &mut dyn Stream, tag: &str, mechanism: &str, security: &auth::Security) {
    let (mechanism, security) = match mechanism {
        "SCRAM-SHA-256" => (Mechanism::ScramSha256, auth::Security::Plain),
        "SCRAM-SHA-256-PLUS" => (Mechanism::ScramSha256Plus, security.clone()),
        other => panic!("{other}"),
    };
    let mut client = auth::Client::new(&[mechanism], "jane@example.org", "Secret123", &security).unwrap();
    let initial = client.initial_response().unwrap().map(|initial| auth::encode(&initial)).unwrap_or_default();
    let mut said = format!("{tag} AUTHENTICATE {} {initial}\r\n", mechanism.name());
    loop {
        stream.write_all(said.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let line = line_of(stream).await;
        let Some(challenge) = line.strip_prefix("+ ") else {
            assert!(line.starts_with(&format!("{tag} OK [CAPABILITY ")), "{line}");
            return client.accepted(None).expect("the server has proved itself");
        };
        let answer = client.step(&auth::decode(challenge.as_bytes()).unwrap()).unwrap();
        said = format!("{}\r\n", auth::encode(&answer));
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs/imap")
}

async fn play(script: &Script) -> Result<(), String> {
    let setting = |name: &str| script.settings.get(name).map(String::as_str);
    let known = ["as", "tls", "idle_milliseconds", "messages_max", "shows"];
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
        security: auth::Security::Plain,
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
    /// What SCRAM binds to.
    security: auth::Security,
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
                ("tls", Wire::Plain(stream)) => {
                    let stream = tls::connect(self.directory, stream).await;
                    let session = stream.get_ref().1;
                    let exporter = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
                    self.security = auth::Security::Tls(ChannelBinding::new(Some(exporter.unwrap()), None));
                    Wire::Other(Box::new(stream))
                }
                ("deflate", Wire::Plain(stream)) => {
                    let (reader, writer) = stream.into_split();
                    let reader = DeflateDecoder::new(BufReader::new(reader));
                    Wire::Other(Box::new(tokio::io::join(reader, DeflateEncoder::new(writer))))
                }
                (words, mut wire) if words.starts_with("scram ") => {
                    let (tag, mechanism) = words.trim_start_matches("scram ").split_once(' ').unwrap();
                    match &mut wire {
                        Wire::Plain(stream) => log_in_by_scram(stream, tag, mechanism, &self.security).await,
                        Wire::Other(stream) => log_in_by_scram(stream, tag, mechanism, &self.security).await,
                    }
                    wire
                }
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
