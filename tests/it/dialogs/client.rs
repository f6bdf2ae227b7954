//! Our client against servers out of files: what it says, and what it makes of their answers.
//!
//! | setting | what it is |
//! |---|---|
//! | `from`, `to` | the envelope; `<>` is nobody; behind a recipient and a comma `NOTIFY=…` and `ORCPT=…` |
//! | `message` | its octets, escaped as in `R:`; `octets: 70000` makes one of that size instead |
//! | `kind` | `8bit` or `binary` |
//! | `messages` | how many times it is sent over the one connection |
//! | `tls` | `never`, `if offered`, `must`, `verified`; without it `never` |
//! | `protocol` | `lmtp` |
//! | `login` | name and password |
//! | `with` | `utf8`, `requiretls`, `by`, `priority`, `envid`, any of them |
//! | `milliseconds` | how long the server may take for anything |
//!
//! Events are `open`, `not open: why`, and for each recipient `taken: answer` or `failed: why`; `reports` says that the
//! server will give them, `again` that the connection may carry another message.

use crate::support::dialog::{Scene, Script, Wire, octets, play_all};
use crate::support::tls;
use posthouse::net::{Shutdown, TlsClient};
use posthouse::queue::{
    Content, ContentError, Fate, Login, Outgoing, OutgoingRecipient, Peer, Pending, Protocol, TlsDemand, Transport,
};
use posthouse::smtp::client::{Client, ClientSettings, Patience};
use posthouse::types::{Address, BodyKind, DsnReturn, FixedClock, Notify, Timestamp};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

#[tokio::test]
async fn dialogs() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs/client");
    play_all(&directory, play).await;
}

async fn play(script: &Script) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    tls::server(directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(settings(script, directory.path()));
    let peer = peer(script, listener.local_addr().unwrap());
    let mails: Vec<Outgoing> =
        (0..setting(script, "messages").map_or(1, |text| text.parse().unwrap())).map(|_| mail(script)).collect();
    let (events, heard) = unbounded_channel();
    let task = tokio::spawn(send_all(client, peer, mails, events));
    let (stream, _) = listener.accept().await.unwrap();
    let mut scene = Server { directory: directory.path(), heard };
    let outcome = script.play(stream, &mut scene).await;
    if outcome.is_ok() {
        task.await.unwrap();
    } else {
        task.abort();
    }
    outcome
}

async fn send_all(client: Client, peer: Peer, mails: Vec<Outgoing>, events: UnboundedSender<String>) {
    let tell = |event: String| events.send(event).unwrap_or_default();
    let mut session = match client.open(&peer).await {
        Ok(session) => session,
        Err(failure) => return tell(format!("not open: {failure}")),
    };
    tell("open".to_owned());
    for mut mail in mails {
        let sent = session.send(&mut mail).await;
        assert_eq!(sent.fates.len(), mail.recipients.len());
        for fate in sent.fates {
            tell(match fate {
                Fate::Taken { answer, reports: true } => format!("taken, reports: {answer}"),
                Fate::Taken { answer, reports: false } => format!("taken: {answer}"),
                Fate::Failed(failure) => format!("failed: {failure}"),
            });
        }
        if !sent.reusable {
            return;
        }
        tell("again".to_owned());
    }
    session.close().await;
}

fn setting<'s>(script: &'s Script, name: &str) -> Option<&'s str> {
    script.settings.get(name).map(String::as_str)
}

fn settings(script: &Script, directory: &Path) -> ClientSettings {
    let known = [
        "plays",
        "from",
        "to",
        "message",
        "octets",
        "kind",
        "messages",
        "tls",
        "protocol",
        "login",
        "with",
        "milliseconds",
    ];
    assert!(script.settings.keys().all(|key| known.contains(&key.as_str())), "{}: {:?}", script.name, script.settings);
    let patience = match setting(script, "milliseconds") {
        None => Patience::default(),
        Some(text) => {
            let all = Duration::from_millis(text.parse().unwrap());
            Patience {
                connect: all,
                handshake: all,
                greeting: all,
                command: all,
                data_start: all,
                data_block: all,
                data_end: all,
                octets_per_second_min: 1_000_000,
            }
        }
    };
    ClientSettings {
        hostname: "us.example".parse().unwrap(),
        patience,
        unverified: TlsClient::unverified().unwrap(),
        verified: tls::trusting(directory),
        https_port: 443,
        shutdown: Shutdown::new(),
        clock: Arc::new(FixedClock::at(NOW)),
    }
}

fn peer(script: &Script, address: SocketAddr) -> Peer {
    Peer {
        // The wrong name is what the certificate must not be good for.
        name: setting(script, "tls")
            .filter(|tls| *tls == "verified")
            .map_or("127.0.0.1.example", |_| tls::HOST)
            .parse()
            .unwrap(),
        address,
        protocol: if setting(script, "protocol") == Some("lmtp") { Protocol::Lmtp } else { Protocol::Smtp },
        tls: match setting(script, "tls") {
            None | Some("never") => TlsDemand::Never,
            Some("if offered") => TlsDemand::IfOffered,
            Some("must") => TlsDemand::Encrypted,
            Some("verified" | "wrong name") => TlsDemand::Verified,
            Some(other) => panic!("{}: tls {other}", script.name),
        },
        login: setting(script, "login").map(|words| {
            let (name, password) = words.split_once(' ').unwrap();
            Login { name: name.to_owned(), password: password.to_owned().into() }
        }),
    }
}

fn mail(script: &Script) -> Outgoing {
    let with: Vec<&str> = setting(script, "with").map(|words| words.split(' ').collect()).unwrap_or_default();
    let has = |word: &str| with.contains(&word);
    let octets = match (setting(script, "message"), setting(script, "octets")) {
        (Some(text), None) => octets(text).unwrap(),
        (None, Some(count)) => b"0123456789 0123456789 0123456789 0123456789 0123456789 0123456\r\n"
            .iter()
            .copied()
            .cycle()
            .take(count.parse().unwrap())
            .collect(),
        (None, None) => b"Subject: hi\r\n\r\nhello\r\n.\r\n".to_vec(),
        _ => panic!("{}: message or octets", script.name),
    };
    let kind = match setting(script, "kind") {
        None => BodyKind::SevenBit,
        Some("8bit") => BodyKind::EightBit,
        Some("binary") => BodyKind::Binary,
        Some(other) => panic!("{}: kind {other}", script.name),
    };
    let sender = setting(script, "from").unwrap_or("jane@us.example");
    Outgoing {
        sender: (sender != "<>").then(|| Address::parse(sender).unwrap()),
        recipients: setting(script, "to").unwrap_or("paul@far.example").split(' ').map(recipient).collect(),
        content: Box::new(Pieces { octets, kind, at: 0 }),
        needs_utf8: has("utf8"),
        requiretls: has("requiretls"),
        dsn_return: has("envid").then_some(DsnReturn::Headers),
        envelope_id: has("envid").then(|| "a+b".to_owned()),
        deliver_by: has("by").then(|| (NOW.plus_seconds(600), false)),
        priority: if has("priority") { 3 } else { 0 },
    }
}

fn recipient(words: &str) -> OutgoingRecipient {
    let mut words = words.split(',');
    let address = Address::parse(words.next().unwrap()).unwrap();
    let mut recipient = OutgoingRecipient { address, notify: Notify::default(), original: None };
    for word in words {
        match word.split_once('=').unwrap() {
            ("NOTIFY", "NEVER") => recipient.notify = Notify::NEVER,
            ("NOTIFY", "SUCCESS") => recipient.notify.success = true,
            ("ORCPT", original) => recipient.original = Some(original.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    recipient
}

/// A message in pieces of 256 KiB, as the store has them.
struct Pieces {
    octets: Vec<u8>,
    kind: BodyKind,
    at: usize,
}

impl Content for Pieces {
    fn octets(&self) -> u64 {
        self.octets.len() as u64
    }

    fn kind(&self) -> BodyKind {
        self.kind
    }

    fn rewind(&mut self) {
        self.at = 0;
    }

    fn next(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, ContentError>> {
        let piece = self.octets.chunks(256 * 1024).nth(self.at).map(<[u8]>::to_vec);
        self.at += 1;
        Box::pin(std::future::ready(Ok(piece)))
    }

    fn make_seven_bit(&mut self) -> Pending<'_, Result<(), ContentError>> {
        let made = if self.octets.starts_with(b"Signed") {
            Err(ContentError::EightBit("it is signed".to_owned()))
        } else {
            self.octets = b"Made: seven-bit\r\n".to_vec();
            self.kind = BodyKind::SevenBit;
            Ok(())
        };
        Box::pin(std::future::ready(made))
    }
}

/// The server's side, and what is heard of the client.
struct Server<'a> {
    directory: &'a Path,
    heard: UnboundedReceiver<String>,
}

impl Server<'_> {
    async fn do_it(&self, words: &str, wire: Wire) -> Wire {
        match (words, wire) {
            ("tls", Wire::Plain(stream)) => Wire::Other(Box::new(tls::accept(self.directory, stream).await.unwrap())),
            // The client does not like what it is shown.
            ("tls refused", Wire::Plain(stream)) => {
                tls::accept(self.directory, stream).await.unwrap_err();
                nothing()
            }
            ("close", _) => nothing(),
            ("reset", Wire::Plain(stream)) => {
                stream.set_zero_linger().unwrap();
                nothing()
            }
            // An octet now and then: never silent for long, and never done.
            ("trickle", Wire::Plain(mut stream)) => {
                while stream.write_all(b"2").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                nothing()
            }
            // Lines without end, as long as somebody takes them.
            ("flood", Wire::Plain(mut stream)) => {
                while stream.write_all(b"250-and\r\n").await.is_ok() {}
                nothing()
            }
            (words, _) => panic!("nobody knows how to {words}"),
        }
    }
}

/// In the place of a connection that is gone.
fn nothing() -> Wire {
    Wire::Other(Box::new(tokio::io::duplex(1).0))
}

impl Scene for Server<'_> {
    fn begin(&mut self, stream: TcpStream) -> Pin<Box<dyn Future<Output = Wire> + Send + '_>> {
        Box::pin(std::future::ready(Wire::Plain(stream)))
    }

    fn act<'a>(&'a mut self, words: &'a str, wire: Wire) -> Pin<Box<dyn Future<Output = Wire> + Send + 'a>> {
        Box::pin(self.do_it(words, wire))
    }

    fn event(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async move { self.heard.recv().await.unwrap_or_else(|| "the end".to_owned()) })
    }

    fn left_over(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}
