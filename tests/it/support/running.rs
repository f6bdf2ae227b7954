//! A whole server in a directory of its own, with people in it, on ports of the machine's choice.

use posthouse::admin::{AccountAdd, Act, AliasAdd, Caller, DomainAdd, Hosting, NewPassword, Progress, RedirectAdd};
use posthouse::config::Config;
use posthouse::server::{Server, WhenTaken};
use posthouse::store::SendRecord;
use posthouse::telemetry::Secret;
use posthouse::types::{Address, SendId};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

pub const PASSWORD: &str = "Correct9Horse";

pub struct Running {
    pub server: Server,
    pub directory: tempfile::TempDir,
}

/// A message as it lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    pub mailbox: String,
    pub octets: Vec<u8>,
}

impl Filed {
    /// The value of the first field of that name, unfolded.
    pub fn field(&self, name: &str) -> Option<String> {
        let field = posthouse::message::HeaderFields::first(&self.octets, name)?;
        Some(String::from_utf8_lossy(&field.unfolded()).into_owned())
    }
}

/// What the tests' servers have in common: nothing listens but what is named, hashes are cheap, DNS is asked nothing.
fn configuration(directory: &Path, services: &[&str], extra: &str) -> String {
    let mut text = format!(
        "hostname = \"mail.example.org\"\ndata = {data:?}\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n[listen]\n",
        data = directory.join("data"),
        certificate = directory.join("cert.pem"),
        key = directory.join("key.pem"),
    );
    let all = ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3s", "managesieve", "https", "http"];
    for name in all {
        let bound = match services.iter().find(|service| service.split(' ').next() == Some(name)) {
            None => "[]".to_owned(),
            Some(service) => format!("[{:?}]", service.split_once(' ').map_or("127.0.0.1:0", |(_, address)| address)),
        };
        writeln!(text, "{name} = {bound}").unwrap();
    }
    let sections = [
        ("[auth]", "argon2_memory_kib = 8192\nargon2_iterations = 1\nscram_iterations = 4096\n"),
        ("[mx]", "authenticate = false\n"),
        // Nothing listens there: names are not known, and what is for others waits.
        ("[dns]", "servers = [\"127.0.0.1:9\"]\ntimeout_seconds = 1\nattempts = 1\n"),
        ("[outbound]", "connect_to = \"127.0.0.1:9\"\n"),
        ("[limits]", "shutdown_seconds = 1\n"),
    ];
    for (section, defaults) in sections {
        // A test's own section stands for the whole of it, but for what it leaves out.
        let own = extra.split(section).nth(1).map(|rest| rest.split("\n[").next().unwrap_or_default());
        writeln!(text, "{section}").unwrap();
        for line in defaults.lines() {
            let key = line.split(' ').next().unwrap();
            if own.is_none_or(|own| !own.contains(key)) {
                writeln!(text, "{line}").unwrap();
            }
        }
        text.push_str(own.unwrap_or_default());
        text.push('\n');
    }
    for section in extra.split("\n[").filter(|section| !section.trim().is_empty()) {
        let section = format!("[{}", section.trim_start_matches('['));
        if !sections.iter().any(|(known, _)| section.starts_with(known)) {
            text.push_str(&section);
            text.push('\n');
        }
    }
    text
}

impl Running {
    /// `services`: keys of `[listen]`, each perhaps with an address behind a blank. `extra`: sections of the configuration.
    pub async fn open(services: &[&str], extra: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::open_in(directory, services, extra).await
    }

    pub async fn open_in(directory: tempfile::TempDir, services: &[&str], extra: &str) -> Self {
        let text = configuration(directory.path(), services, extra);
        let config = Config::parse(&text, Path::new("test.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let server = Server::start(config, WhenTaken::Fail).await.unwrap_or_else(|error| panic!("{error}"));
        Self { server, directory }
    }

    /// Where a service listens; `lmtp` on TCP.
    pub fn port(&self, service: &str) -> SocketAddr {
        let found = self.server.listening.iter().find(|(name, _)| *name == service);
        found.unwrap_or_else(|| panic!("{service} does not listen")).1.parse().unwrap()
    }

    /// Does an administrator's act.
    pub async fn act<A: Act>(&self, act: A) -> A::Answer {
        let caller = Caller { author: "test".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
        let done = act.run(&self.server.house.admin, &caller).await;
        done.unwrap_or_else(|refused| panic!("{}: {refused}", A::NAME))
    }

    pub async fn domain(&self, name: &str) {
        self.act(DomainAdd { domain: name.parse().unwrap(), hosting: Hosting::Authoritative }).await;
    }

    pub async fn account(&self, address: &str, quota_octets: Option<u64>) {
        self.act(AccountAdd {
            address: address.parse().unwrap(),
            name: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            quota_octets,
            administrator: false,
            password: NewPassword::Given(Secret::new(PASSWORD.to_owned())),
        })
        .await;
    }

    pub async fn alias(&self, alias: &str, owner: &str) {
        self.act(AliasAdd { alias: alias.parse().unwrap(), owner: owner.parse().unwrap() }).await;
    }

    pub async fn redirect(&self, from: &str, targets: &[&str], keep: Option<bool>) {
        let targets = targets.iter().map(|target| target.parse().unwrap()).collect();
        self.act(RedirectAdd { address: from.parse().unwrap(), targets, keep }).await;
    }

    /// Everything in an account's mailboxes, oldest first within each.
    pub async fn filed(&self, account: &str) -> Vec<Filed> {
        let store = &self.server.house.store;
        let address: Address = account.parse().unwrap();
        let record = store.account(&address).await.unwrap().unwrap_or_else(|| panic!("no account {account}"));
        let mut filed = Vec::new();
        for mailbox in store.mailboxes(record.id).await.unwrap() {
            for entry in store.entries(mailbox.id).await.unwrap().1 {
                let octets = store.body_octets(entry.body).await.unwrap();
                filed.push(Filed { mailbox: mailbox.name.to_string(), octets });
            }
        }
        filed
    }

    pub async fn sends(&self) -> Vec<SendRecord> {
        self.server.house.store.sends(SendId(0), 10_000).await.unwrap()
    }

    /// Waits until nothing is on its way out.
    pub async fn idle(&self) {
        self.until("the queue is empty", async || self.server.house.store.send_count().await.unwrap() == 0).await;
    }

    /// Waits for something that happens behind the scenes.
    pub async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
        for _ in 0..4000 {
            if is_so().await {
                return;
            }
            ticks.tick().await;
        }
        panic!("waited in vain until {what}: {:#?}", self.sends().await);
    }

    /// Stops in order and leaves everything for the next one.
    pub async fn end(self) -> tempfile::TempDir {
        let Self { server, directory } = self;
        server.stop().await;
        directory
    }

    /// Stops in order, having found nothing wrong.
    pub async fn close(self) {
        let store = self.server.house.store.clone();
        let findings = tokio::task::spawn_blocking(move || store.verify(&mut |_, _| {})).await.unwrap().unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
        self.server.stop().await;
    }
}
