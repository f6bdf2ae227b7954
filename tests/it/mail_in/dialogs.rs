//! The conversations of `dialogs/mail_in`, with a whole server and these people:
//!
//! | address | what it is |
//! |---|---|
//! | `jane`, `paul` at example.org | people; `info` is an alias of jane's, `old` one that is paused |
//! | `full`, `small` | people without room, and with room for 2,000 octets |
//! | `gone` | a suspended person; `ghost` is an alias of his |
//! | `both` | a person whose mail also goes to paul and to far@elsewhere.example |
//! | `team` | a redirection to jane and paul, `away` one to far@elsewhere.example |
//! | `picky` | a person whose script rejects what is from spammer@elsewhere.example |
//! | anybody at example.net | an alias domain of example.org |
//! | here@split.example | a person; all others of that domain are at other.example |
//! | anybody at catch.example | jane |
//!
//! `! look` writes down what was filed and sent since the last one, sorted: `jane INBOX subject`, and `send kind
//! sender>recipient by destination`, and what is asked for it. `! read jane` gives the newest message in jane's INBOX,
//! escaped. `! login jane` logs in by PLAIN, `! suspend jane` is what an administrator does.

use crate::support::dialog::{Scene, Script, Wire, play_all};
use crate::support::running::{PASSWORD, Running};
use crate::support::tls;
use posthouse::admin::{AccountSuspend, AliasPause, CatchAll, DomainAdd, DomainSet, Hosting, ScriptPut};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PEOPLE: [&str; 7] = [
    "jane@example.org",
    "paul@example.org",
    "full@example.org",
    "small@example.org",
    "both@example.org",
    "picky@example.org",
    "here@split.example",
];

#[tokio::test]
async fn dialogs() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs/mail_in");
    let house = house().await;
    play_all(&directory, async |script| play(script, &house).await).await;
    house.close().await;
}

async fn house() -> Running {
    let house =
        Running::open(&["smtp", "submission", "submissions", "lmtp"], "[limits]\nmessage_octets_max = 65536\n").await;
    house.domain("example.org").await;
    for (name, quota) in [("jane", None), ("paul", None), ("full", Some(0)), ("small", Some(2000))] {
        house.account(&format!("{name}@example.org"), quota).await;
    }
    for name in ["gone", "both", "picky"] {
        house.account(&format!("{name}@example.org"), None).await;
    }
    let hosting = |hosting| DomainAdd { domain: "example.net".parse().unwrap(), hosting };
    house.act(hosting(Hosting::AliasOf("example.org".parse().unwrap()))).await;
    let hosting = Hosting::Split("other.example:2525".to_owned());
    house.act(DomainAdd { domain: "split.example".parse().unwrap(), hosting }).await;
    house.account("here@split.example", None).await;
    house.domain("catch.example").await;
    let catch_all = Some(CatchAll::Address("jane@example.org".parse().unwrap()));
    house.act(DomainSet { domain: "catch.example".parse().unwrap(), hosting: None, catch_all }).await;
    for (alias, owner) in [("info", "jane"), ("old", "jane"), ("ghost", "gone")] {
        house.alias(&format!("{alias}@example.org"), &format!("{owner}@example.org")).await;
    }
    house.act(AliasPause { alias: "old@example.org".parse().unwrap() }).await;
    house.act(AccountSuspend { address: "gone@example.org".parse().unwrap() }).await;
    house.redirect("both@example.org", &["paul@example.org", "far@elsewhere.example"], Some(true)).await;
    house.redirect("team@example.org", &["jane@example.org", "paul@example.org"], None).await;
    house.redirect("away@example.org", &["far@elsewhere.example"], None).await;
    let text = "require \"reject\"; if address \"from\" \"spammer@elsewhere.example\" { reject \"Not from you.\"; }";
    house
        .act(ScriptPut {
            place: "picky@example.org".parse().unwrap(),
            name: "own".to_owned(),
            text: text.to_owned(),
            activate: true,
        })
        .await;
    house
}

async fn play(script: &Script, house: &Running) -> Result<(), String> {
    let service = script.settings.get("service").map_or("smtp", String::as_str);
    let stream = TcpStream::connect(house.port(service)).await.unwrap();
    let mut scene = MailIn::new(house, service);
    // What earlier conversations left behind is not this one's.
    scene.look().await;
    scene.events.clear();
    script.play(stream, &mut scene).await
}

/// The client's side of a conversation, and what it left behind in the house.
pub struct MailIn<'a> {
    house: &'a Running,
    service: &'a str,
    /// Messages of each person that were seen.
    seen: BTreeMap<(&'static str, String), usize>,
    sends: usize,
    events: VecDeque<String>,
}

impl<'a> MailIn<'a> {
    pub fn new(house: &'a Running, service: &'a str) -> Self {
        Self { house, service, seen: BTreeMap::new(), sends: 0, events: VecDeque::new() }
    }

    async fn look(&mut self) {
        let mut news = Vec::new();
        for person in PEOPLE {
            if self.house.server.house.store.account(&person.parse().unwrap()).await.unwrap().is_none() {
                continue;
            }
            let name = person.split('@').next().unwrap();
            let mut mailboxes: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for filed in self.house.filed(person).await {
                let subject = filed.field("Subject").unwrap_or_default();
                mailboxes.entry(filed.mailbox.clone()).or_default().push(format!("{name} {} {subject}", filed.mailbox));
            }
            for (mailbox, lines) in mailboxes {
                let seen = self.seen.entry((person, mailbox)).or_default();
                news.extend(lines[*seen..].iter().cloned());
                *seen = lines.len();
            }
        }
        let sends = self.house.sends().await;
        for send in &sends[self.sends..] {
            let held = send.since > send.created.plus_seconds(60);
            let send = &send.send;
            let asked = [
                (send.details.requiretls, " requiretls".to_owned()),
                (send.priority != 0, format!(" priority {}", send.priority)),
                (send.details.deliver_by.is_some_and(|(_, returned)| returned), " or return".to_owned()),
                (send.details.deliver_by.is_some_and(|(_, returned)| !returned), " or tell".to_owned()),
                (held, " later".to_owned()),
            ];
            let asked: String = asked.into_iter().filter_map(|(is_asked, words)| is_asked.then_some(words)).collect();
            let sender = send.sender.as_ref().map(ToString::to_string).unwrap_or_default();
            news.push(format!("send {:?} {sender}>{} by {}{asked}", send.kind, send.recipient, send.destination));
        }
        self.sends = sends.len();
        news.sort_unstable();
        self.events.extend(news);
    }

    async fn act_on(&mut self, words: &str, wire: Wire) -> Wire {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        match (verb, wire) {
            ("tls", Wire::Plain(stream)) => {
                Wire::Other(Box::new(tls::connect(self.house.directory.path(), stream).await))
            }
            ("look", wire) => {
                self.look().await;
                wire
            }
            ("read", wire) => {
                let filed = self.house.filed(&format!("{rest}@example.org")).await;
                let inbox = filed.iter().rfind(|filed| filed.mailbox == "INBOX");
                self.events
                    .push_back(inbox.map_or("nothing".to_owned(), |filed| filed.octets.escape_ascii().to_string()));
                wire
            }
            ("login", wire) => login(wire, rest).await,
            ("suspend", wire) => {
                self.house.act(AccountSuspend { address: format!("{rest}@example.org").parse().unwrap() }).await;
                wire
            }
            _ => panic!("nobody knows how to {words}"),
        }
    }
}

/// By PLAIN, and hears the answer.
async fn login(mut wire: Wire, name: &str) -> Wire {
    let message = posthouse::auth::encode(format!("\0{name}@example.org\0{PASSWORD}").as_bytes());
    let line = format!("AUTH PLAIN {message}\r\n");
    let mut answer = [0; 100];
    let count = match &mut wire {
        Wire::Plain(stream) => {
            stream.write_all(line.as_bytes()).await.unwrap();
            stream.read(&mut answer).await.unwrap()
        }
        Wire::Other(stream) => {
            stream.write_all(line.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            stream.read(&mut answer).await.unwrap()
        }
    };
    assert!(answer[..count].starts_with(b"235 "), "{}", answer[..count].escape_ascii());
    wire
}

impl Scene for MailIn<'_> {
    fn begin(&mut self, stream: TcpStream) -> Pin<Box<dyn Future<Output = Wire> + Send + '_>> {
        Box::pin(async move {
            if self.service == "submissions" {
                Wire::Other(Box::new(tls::connect(self.house.directory.path(), stream).await))
            } else {
                Wire::Plain(stream)
            }
        })
    }

    fn act<'a>(&'a mut self, words: &'a str, wire: Wire) -> Pin<Box<dyn Future<Output = Wire> + Send + 'a>> {
        Box::pin(self.act_on(words, wire))
    }

    fn event(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        let event = self.events.pop_front().unwrap_or_else(|| "nothing".to_owned());
        Box::pin(std::future::ready(event))
    }

    fn left_over(&mut self) -> Vec<String> {
        self.events.drain(..).collect()
    }
}
