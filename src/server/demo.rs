//! The demonstration: everything running on unprivileged ports, with example people, on a directory that is gone again
//! afterwards. Nothing in it leaves the machine.

use super::serve::{Server, StartError, WhenTaken};
use crate::admin::{
    AccountAdd, Act, AliasAdd, Caller, DomainAdd, Hosting, NewPassword, Progress, ReceivedChoice, RedirectAdd, Refused,
    ResponderSet,
};
use crate::config::{Config, Listen};
use crate::net::Shutdown;
use crate::telemetry::Secret;
use crate::types::{Address, Domain, HostPort, ListenAddress, Network, Networks};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// What is added to the standard ports.
const PORT_SHIFT: u16 = 10_000;

/// It runs until it is stopped.
pub struct Demo {
    server: Server,
    /// Outlives the server.
    directory: ThrowAway,
}

#[derive(Debug)]
pub enum DemoError {
    Directory(PathBuf, std::io::Error),
    Start(StartError),
    People(Refused),
}

impl fmt::Display for DemoError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => write!(formatter, "{}: {error}", path.display()),
            Self::Start(error) => error.fmt(formatter),
            Self::People(refused) => refused.fmt(formatter),
        }
    }
}

impl std::error::Error for DemoError {}

impl Demo {
    /// Of both people.
    pub const PASSWORD: &str = "Correct9Horse";
    pub async fn start() -> Result<Self, DemoError> {
        let directory = ThrowAway::make().map_err(|(path, error)| DemoError::Directory(path, error))?;
        let server = Server::start(config(&directory.0), WhenTaken::GoOn).await.map_err(DemoError::Start)?;
        let demo = Self { server, directory };
        demo.settle().await.map_err(DemoError::People)?;
        Ok(demo)
    }

    pub fn data(&self) -> &Path {
        &self.directory.0
    }

    pub fn listening(&self) -> Vec<(&str, String)> {
        self.server.listening.iter().map(|(name, address)| (*name, address.clone())).collect()
    }

    /// Services whose port could not be had, with why.
    pub fn failed(&self) -> Vec<(&str, String)> {
        self.server.failed.iter().map(|(name, error)| (*name, error.to_string())).collect()
    }

    /// Services that this version does not have yet.
    pub fn unserved(&self) -> &[&'static str] {
        &self.server.unserved
    }

    /// Whole lines to be pasted into a shell: mail through whatever listens, then orders to the server.
    pub fn commands(&self, program: &str) -> Vec<String> {
        let at = |service: &str| self.server.listening.iter().find(|(name, _)| *name == service).map(|(_, at)| at);
        let login = format!("--user jane@example.test:{}", Self::PASSWORD);
        let mut commands = Vec::new();
        if let Some(at) = at("smtp") {
            let message = "printf 'To: info@example.test\\r\\nSubject: Hello\\r\\n\\r\\nHello Jane.\\r\\n'";
            commands.push(format!(
                "{message} | curl smtp://{at} --mail-from you@example.com --mail-rcpt info@example.test --upload-file -"
            ));
        }
        if let Some(at) = at("submission") {
            let message = "printf 'From: jane@example.test\\r\\nTo: john@example.test\\r\\nSubject: Hi\\r\\n\\r\\nHi John.\\r\\n'";
            commands.push(format!(
                "{message} | curl smtp://{at} --ssl-reqd --insecure {login} --mail-from jane@example.test --mail-rcpt \
                 john@example.test --upload-file -"
            ));
        }
        if let Some(at) = at("imaps") {
            commands.push(format!("curl imaps://{at}/INBOX --insecure {login} --request 'FETCH 1:* (FLAGS ENVELOPE)'"));
        }
        let data = self.data().display();
        let orders = [
            "status",
            "account list",
            "redirect list",
            "responder show info@example.test",
            "script compiled john@example.test",
            "explain john@example.test --from you@example.com",
            "redirect add jane@example.test john@example.test",
            "alias add hello@example.test jane@example.test",
            "trace --address jane@example.test",
        ];
        commands.extend(orders.iter().map(|order| format!("{program} --data {data} {order}")));
        commands
    }

    pub fn shutdown(&self) -> &Shutdown {
        self.server.shutdown()
    }

    pub async fn stop(self) {
        self.server.stop().await;
        drop(self.directory);
    }

    /// Two people, an alias with a responder, a redirection with a copy.
    async fn settle(&self) -> Result<(), Refused> {
        let domain = Domain::parse("example.test").map_err(|error| refused(&error))?;
        self.act(DomainAdd { domain, hosting: Hosting::Authoritative }).await?;
        for (address, name) in [("jane@example.test", "Jane Doe"), ("john@example.test", "John Roe")] {
            let account = AccountAdd {
                address: parsed(address)?,
                name: name.to_owned(),
                first_name: String::new(),
                last_name: String::new(),
                quota_octets: None,
                administrator: false,
                password: NewPassword::Given(Secret::new(Self::PASSWORD.to_owned())),
            };
            self.act(account).await?;
        }
        let (alias, owner) = (parsed("info@example.test")?, parsed("jane@example.test")?);
        self.act(AliasAdd { alias: alias.clone(), owner: owner.clone() }).await?;
        let responder = ResponderSet {
            address: alias,
            text: "Thank you for writing to us. Somebody will read it soon.\n".to_owned(),
            subject: None,
            from: None,
            until: None,
            zone: None,
            every_seconds: None,
            received: ReceivedChoice::Keep,
        };
        self.act(responder).await?;
        let redirect = RedirectAdd { address: parsed("john@example.test")?, targets: vec![owner], keep: Some(true) };
        self.act(redirect).await
    }

    async fn act<A: Act>(&self, act: A) -> Result<(), Refused> {
        let caller = Caller { author: "demo".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
        Box::pin(act.run(&self.server.house.admin, &caller)).await.map(|_| ())
    }
}

fn parsed(text: &str) -> Result<Address, Refused> {
    Address::parse(text).map_err(|error| refused(&error))
}

fn refused(error: &dyn fmt::Display) -> Refused {
    crate::admin::Cause::BadRequest(error.to_string()).into()
}

fn config(data: &Path) -> Config {
    let mut config = Config::without_file(data.to_owned());
    let loopback = |port: u16| vec![ListenAddress::Socket(SocketAddr::from((Ipv4Addr::LOCALHOST, port + PORT_SHIFT)))];
    config.hostname = Domain::parse("mail.example.test").ok();
    config.listen = Listen {
        smtp: loopback(25),
        submission: loopback(587),
        submissions: loopback(465),
        lmtp: loopback(24),
        imap: loopback(143),
        imaps: loopback(993),
        pop3s: loopback(995),
        managesieve: loopback(4190),
        https: loopback(443),
        http: loopback(80),
    };
    // Trying things out with a bare telnet is half the fun, and it is all on one machine.
    config.auth.plaintext_networks = Networks(Network::parse("127.0.0.0/8").into_iter().collect());
    // Nothing leaves the machine, questions about senders included.
    config.mx.authenticate = false;
    // Mail to the world waits in the queue: nothing listens on the discard port.
    config.outbound.connect_to = HostPort::parse("127.0.0.1:9");
    config
}

/// A directory of our own, gone with this value.
struct ThrowAway(PathBuf);

impl ThrowAway {
    fn make() -> Result<Self, (PathBuf, std::io::Error)> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("posthouse-demo-{}", std::process::id()));
        // Not recursive: a directory that is there already is somebody else's.
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err((path, error)),
        }
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        // What can't be removed is in the system's temporary directory, which is cleared in time.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
