//! Logging in to submission, by every mechanism, over real TLS, against real accounts.

use crate::support::listening::Listening;
use crate::support::tls;
use posthouse::auth::{Auth, AuthSettings, ChannelBinding, Client, HashSettings, Mechanism, Password, Security};
use posthouse::net::{Security as ListenSecurity, TlsFacts};
use posthouse::smtp::server::{
    Answer, Arrived, AuthAnswer, AuthStep, Caller, Cause, Conversation, Delivered, Driver, Hello, Kind, Limits, Logins,
    Offered, Refusal, Service, Settings, Verdict,
};
use posthouse::store::{DirectoryChange, DomainKind, Names, NewAccount, NewDomain, Store};
use posthouse::telemetry::Metrics;
use posthouse::types::{Address, Clock, Domain, Envelope, FixedClock, Recipient, Timestamp};
use std::future::ready;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const JANE: &str = "jane@example.org";
const SECRET: &str = "Secret123";

struct House {
    directory: tempfile::TempDir,
    listening: Listening,
}

impl House {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_700_000_000)));
        let store = Store::open(&directory.path().join("data"), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let metrics = Metrics::new();
        let hash = HashSettings {
            memory_kibibytes: 64,
            passes: 1,
            lanes: 1,
            concurrent: 2,
            waiting_max: 100,
            scram_iterations: 4096,
        };
        let auth = Auth::open(store.clone(), AuthSettings { hash, ..AuthSettings::default() }, &metrics).await.unwrap();
        add_jane(&store, &auth).await;

        let settings = Settings {
            kind: Kind::Submission,
            hostname: tls::HOST.parse().unwrap(),
            postmaster: Address::parse("postmaster@example.org").unwrap(),
            offered: Offered { starttls: true, ..Offered::default() },
            limits: Limits::default(),
            clock,
        };
        let spool = directory.path().join("spool").into();
        let driver = Driver::new(settings, Arc::new(Front { auth }), Some(tls::server(directory.path())), spool);
        let driver = Arc::new(driver);
        let listening = Listening::start(ListenSecurity::Plain, Duration::from_secs(20), move |connection| {
            let driver = Arc::clone(&driver);
            async move { driver.run(connection).await }
        });
        Self { directory, listening }
    }
}

async fn add_jane(store: &Store, auth: &Auth) {
    let change = async |change| {
        let generation = store.directory_generation().await.unwrap();
        store.change_directory(generation, vec![change]).await.unwrap();
    };
    let name = Domain::parse("example.org").unwrap();
    change(DirectoryChange::AddDomain(NewDomain { name, kind: DomainKind::Authoritative, catch_all: None })).await;
    let address = Address::parse(JANE).unwrap();
    change(DirectoryChange::AddAccount(NewAccount {
        address: address.clone(),
        names: Names::default(),
        administrator: false,
        quota_octets: None,
        credentials: None,
    }))
    .await;
    let credentials = auth.credentials_for(&address, &Password::prepare(SECRET).unwrap()).await.unwrap();
    change(DirectoryChange::SetCredentials { address, credentials }).await;
}

struct Front {
    auth: Auth,
}

impl Service for Front {
    fn connect<'a>(&'a self, caller: &'a Caller) -> Answer<'a, Result<Box<dyn Conversation>, Refusal>> {
        let logins = Logins::new(self.auth.clone(), caller);
        Box::pin(ready(Ok(Box::new(Desk { logins }) as Box<dyn Conversation>)))
    }
}

/// Takes mail from whoever the proof says it is, and from nobody else.
struct Desk {
    logins: Logins,
}

impl Conversation for Desk {
    fn logins(&self) -> &'static [Mechanism] {
        self.logins.offered()
    }

    fn encrypted(&mut self, tls: &TlsFacts) {
        self.logins.encrypted(tls);
    }

    fn hello<'a>(&'a mut self, _: &'a Hello) -> Answer<'a, Verdict> {
        Box::pin(ready(Ok(())))
    }

    fn auth(&mut self, step: AuthStep) -> Answer<'_, AuthAnswer> {
        Box::pin(self.logins.step(step))
    }

    fn mail<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict> {
        let own = self.logins.authenticated().map(posthouse::auth::Authenticated::address);
        let verdict = if own == envelope.sender.as_ref() { Ok(()) } else { Err(Cause::SenderNotYours.into()) };
        Box::pin(ready(verdict))
    }

    fn rcpt<'a>(&'a mut self, _: &'a Envelope, _: &'a Recipient) -> Answer<'a, Verdict> {
        Box::pin(ready(Ok(())))
    }

    fn data<'a>(&'a mut self, _: &'a Envelope) -> Answer<'a, Verdict> {
        Box::pin(ready(Ok(())))
    }

    fn deliver(&mut self, _: Arrived) -> Answer<'_, Delivered> {
        Box::pin(ready(Delivered::All(Ok(()))))
    }
}

struct Peer {
    stream: BufReader<TlsStream<TcpStream>>,
    binding: ChannelBinding,
    offered: Vec<Mechanism>,
}

impl Peer {
    /// Over STARTTLS, and past EHLO.
    async fn connect(address: SocketAddr, directory: &Path) -> Self {
        let mut plain = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut line = String::new();
        plain.read_line(&mut line).await.unwrap();
        plain.write_all(b"STARTTLS\r\n").await.unwrap();
        plain.read_line(&mut line).await.unwrap();
        assert!(line.ends_with("Ready for TLS\r\n"), "{line}");
        let stream = tls::connect(directory, plain.into_inner()).await;
        let session = stream.get_ref().1;
        let exporter = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let binding = ChannelBinding::new(Some(exporter), None);
        let mut peer = Self { stream: BufReader::new(stream), binding, offered: Vec::new() };
        let reply = peer.say("EHLO client.example").await;
        let names = reply.lines().find_map(|line| line[4..].strip_prefix("AUTH ")).expect("logins are offered");
        peer.offered = names.split(' ').map(|name| Mechanism::from_name(name).unwrap()).collect();
        peer
    }

    /// A command and the whole reply to it.
    async fn say(&mut self, line: &str) -> String {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
        let mut reply = String::new();
        loop {
            let start = reply.len();
            assert_ne!(self.stream.read_line(&mut reply).await.unwrap(), 0, "the server hung up");
            if reply.as_bytes()[start + 3] == b' ' {
                return reply;
            }
        }
    }

    async fn log_in(&mut self, mechanism: Mechanism, password: &str) -> String {
        let security = match mechanism {
            // A client that can't bind: the other one would find out that -PLUS was left out of the offer.
            Mechanism::ScramSha256 => Security::Plain,
            _ => Security::Tls(self.binding.clone()),
        };
        let mut client = Client::new(&[mechanism], JANE, password, &security).unwrap();
        let initial = client.initial_response().unwrap();
        let initial = initial.map(|initial| format!(" {}", posthouse::auth::encode(&initial))).unwrap_or_default();
        let mut reply = self.say(&format!("AUTH {}{initial}", mechanism.name())).await;
        while let Some(challenge) = reply.strip_prefix("334 ") {
            let challenge = posthouse::auth::decode(challenge.trim_end().as_bytes()).unwrap();
            let answer = client.step(&challenge).unwrap();
            reply = self.say(&posthouse::auth::encode(&answer)).await;
        }
        if reply.starts_with("235") {
            client.accepted(None).unwrap();
        }
        reply
    }
}

#[tokio::test]
async fn every_mechanism_logs_in() {
    let house = House::new().await;
    for mechanism in Mechanism::ALL {
        let mut peer = Peer::connect(house.listening.address, house.directory.path()).await;
        assert_eq!(peer.offered, Mechanism::ALL);
        let refused = peer.log_in(mechanism, "wrong").await;
        assert!(refused.starts_with("535 5.7.8 "), "{mechanism}: {refused}");
        let early = peer.say(&format!("MAIL FROM:<{JANE}>")).await;
        assert!(early.starts_with("530 5.7.0 Log in first"), "{mechanism}: {early}");
        let accepted = peer.log_in(mechanism, SECRET).await;
        assert_eq!(accepted, "235 2.7.0 Logged in\r\n", "{mechanism}");
        let other = peer.say("MAIL FROM:<boss@example.org>").await;
        assert!(other.starts_with("550 5.7.1 "), "{mechanism}: {other}");
        let own = peer.say(&format!("MAIL FROM:<{JANE}>")).await;
        assert!(own.starts_with("250 2.1.0 "), "{mechanism}: {own}");
    }
    house.listening.stop().await;
}
