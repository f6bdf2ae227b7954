//! The house behind the ManageSieve dialogs: a real store with real accounts, on a clock that stands at
//! 2026-11-20T12:00:00Z.
//!
//! | setting | what it means |
//! |---|---|
//! | `as: jane, boss` | the first connection begins after the login of jane@example.org, the others of boss@example.org;
//!   without this, with the greeting |
//! | `tls: required` | no login without TLS; otherwise a login needs none |
//! | `idle_milliseconds: n` | how long a silent client is borne that is logged in |
//! | `patience_milliseconds: n` | the same of one that is not |
//!
//! `! tls` shakes hands after STARTTLS, `! stop` stops the server, `! activate jane a b` is what an administrator does with a
//! person's scripts, `! before example.org text` and `! before @ text` put what runs before them, `! alias info jane` makes
//! an alias, `! suspend jane` an account that is.

use crate::support::dialog::{Scene, Script, Wire, play_all};
use crate::support::house::House;
use crate::support::listening::Listening;
use crate::support::tls;
use posthouse::admin::{AccountSuspend, Act, AliasAdd, Caller, Progress, ScriptActivate, ScriptPut};
use posthouse::managesieve::Driver;
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
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs/managesieve");
    play_all(&directory, play).await;
}

async fn play(script: &Script) -> Result<(), String> {
    let setting = |name: &str| script.settings.get(name).map(String::as_str);
    let known = ["as", "tls", "idle_milliseconds", "patience_milliseconds"];
    assert!(script.settings.keys().all(|key| known.contains(&key.as_str())), "{}: {:?}", script.name, script.settings);
    let milliseconds =
        |name: &str| setting(name).map_or(Duration::from_secs(20), |text| Duration::from_millis(text.parse().unwrap()));

    let directory = tempfile::tempdir().unwrap();
    let house = House::new(&directory.path().join("data"), setting("tls").is_none()).await;
    let mut services = house.managesieve();
    services.idle = milliseconds("idle_milliseconds");
    let driver = Arc::new(Driver::new(Arc::new(services), tls::server(directory.path())));
    let listening = Listening::start(Security::Plain, milliseconds("patience_milliseconds"), move |connection| {
        let driver = Arc::clone(&driver);
        async move { driver.run(connection).await }
    });

    let stream = TcpStream::connect(listening.address).await.unwrap();
    let mut scene = Sieve {
        directory: directory.path(),
        house: &house,
        people: setting("as").map_or(Vec::new(), |people| people.split(", ").map(str::to_owned).collect()),
        begun: 0,
        shutdown: listening.shutdown.clone(),
    };
    let outcome = script.play(stream, &mut scene).await;
    listening.stop().await;
    house.verify();
    outcome
}

struct Sieve<'a> {
    directory: &'a Path,
    house: &'a House,
    people: Vec<String>,
    begun: usize,
    shutdown: Shutdown,
}

impl Sieve<'_> {
    async fn act<A: Act>(&self, act: A) {
        let caller = Caller { author: "root".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
        act.run(&self.house.admin(), &caller).await.unwrap_or_else(|refused| panic!("{}: {refused}", A::NAME));
    }
}

impl Scene for Sieve<'_> {
    fn begin(&mut self, stream: TcpStream) -> Pin<Box<dyn Future<Output = Wire> + Send + '_>> {
        Box::pin(async {
            self.begun += 1;
            let Some(person) = self.people.get(self.begun - 1).or(self.people.last()) else {
                return Wire::Plain(stream);
            };
            let mut stream = BufReader::new(stream);
            let message = posthouse::auth::encode(format!("\0{person}@example.org\0Secret123").as_bytes());
            stream.write_all(format!("AUTHENTICATE \"PLAIN\" \"{message}\"\r\n").as_bytes()).await.unwrap();
            let mut line = String::new();
            while line != "OK \"Logged in\"\r\n" {
                line.clear();
                assert!(stream.read_line(&mut line).await.unwrap() > 0, "the server hung up");
                assert!(!line.starts_with("NO"), "{line}");
            }
            Wire::Plain(stream.into_inner())
        })
    }

    fn act<'a>(&'a mut self, words: &'a str, wire: Wire) -> Pin<Box<dyn Future<Output = Wire> + Send + 'a>> {
        Box::pin(async move {
            let person = |name: &str| format!("{name}@example.org").parse().unwrap();
            let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
            let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
            match verb {
                "tls" => {
                    let Wire::Plain(stream) = wire else { panic!("TLS twice") };
                    return Wire::Other(Box::new(tls::connect(self.directory, stream).await));
                }
                "stop" => self.shutdown.request(),
                "activate" => {
                    let place = format!("{first}@example.org").parse().unwrap();
                    let names = more.split(' ').map(str::to_owned).collect();
                    Sieve::act(self, ScriptActivate { place, names }).await;
                }
                "before" | "after" => {
                    let place = if first == "@" { first.to_owned() } else { format!("@{first}") };
                    let (place, name, text) = (place.parse().unwrap(), verb.to_owned(), format!("{more}\n"));
                    Sieve::act(self, ScriptPut { place, name, text, activate: true }).await;
                }
                "alias" => Sieve::act(self, AliasAdd { alias: person(first), owner: person(more) }).await,
                "suspend" => Sieve::act(self, AccountSuspend { address: person(first) }).await,
                _ => panic!("! {words}"),
            }
            wire
        })
    }

    fn event(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn left_over(&mut self) -> Vec<String> {
        Vec::new()
    }
}
