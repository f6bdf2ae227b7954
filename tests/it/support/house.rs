//! A store with accounts, and the services on top of it, without listeners.

use super::tls;
use posthouse::admin::{self, Admin};
use posthouse::auth::{Auth, AuthSettings, HashSettings, Password};
use posthouse::delivery::Delivery;
use posthouse::directory::Directory;
use posthouse::imap;
use posthouse::mailbox::{Mailboxes, NewMessage, Settings};
use posthouse::managesieve;
use posthouse::rules::{AddressRules, Limits, PasswordRules};
use posthouse::store::{DirectoryChange, DomainKind, Names, NewAccount, NewDomain, ScriptOwner, Store, VersionSource};
use posthouse::telemetry::Metrics;
use posthouse::types::{
    AccountId, Address, Clock, Domain, FixedClock, Flags, MailboxName, Network, SendId, Switches, Timestamp,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Accounts at example.org, each with the password `Secret123`.
pub const PEOPLE: [&str; 4] = ["jane", "paul", "mary", ADMINISTRATOR];
pub const ADMINISTRATOR: &str = "boss";

pub struct House {
    pub store: Store,
    pub clock: Arc<FixedClock>,
    pub auth: Auth,
    pub mailboxes: Mailboxes,
    directory: Directory,
    pub delivery: Delivery,
    /// As MESSAGELIMIT says.
    pub messages_max: u32,
    /// After which a command of IMAP takes long, and between what its client is told of it then.
    pub progress: Duration,
    /// How long a client that idles hears nothing.
    pub keepalive: Duration,
}

impl House {
    /// `plain_logins`: without TLS, from this machine.
    pub async fn new(directory: &Path, plain_logins: bool) -> Self {
        // 2026-11-20T12:00:00Z.
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_795_176_000)));
        let store = Store::open(directory, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let hash = HashSettings {
            memory_kibibytes: 64,
            passes: 1,
            lanes: 1,
            concurrent: 2,
            waiting_max: 100,
            scram_iterations: 4096,
        };
        let loopback = vec![Network::parse("127.0.0.0/8").unwrap()];
        let plaintext_networks = if plain_logins { loopback.clone() } else { Vec::new() };
        let settings = AuthSettings { hash, plaintext_networks, exempt_networks: loopback };
        let auth = Auth::open(store.clone(), settings, &Metrics::new()).await.unwrap();
        let mailboxes = Mailboxes::new(store.clone(), Settings::default()).unwrap();
        let directory = Directory::new(store.clone(), Limits::default());
        let hostname = Domain::parse(tls::HOST).unwrap();
        let delivery = Delivery::open(store.clone(), directory.clone(), hostname, 432_000).await.unwrap();
        let house = Self {
            store,
            clock,
            auth,
            mailboxes,
            directory,
            delivery,
            messages_max: 1_000_000,
            progress: Duration::from_secs(10),
            keepalive: Duration::from_secs(240),
        };
        let name = Domain::parse("example.org").unwrap();
        house
            .change(DirectoryChange::AddDomain(NewDomain { name, kind: DomainKind::Authoritative, catch_all: None }))
            .await;
        for person in PEOPLE {
            house.add_account(person).await;
        }
        house
    }

    async fn change(&self, change: DirectoryChange) {
        let generation = self.store.directory_generation().await.unwrap();
        self.store.change_directory(generation, vec![change]).await.unwrap();
    }

    async fn add_account(&self, person: &str) {
        let address = Address::parse(&format!("{person}@example.org")).unwrap();
        self.change(DirectoryChange::AddAccount(NewAccount {
            address: address.clone(),
            names: Names::default(),
            administrator: person == ADMINISTRATOR,
            quota_octets: None,
            credentials: None,
        }))
        .await;
        self.change(DirectoryChange::PutAddress {
            address: address.clone(),
            switches: Switches { mailbox: true, ..Switches::default() },
            reserved: false,
            script: "keep;\r\n".to_owned(),
            author: "test".to_owned(),
            cause: "account add".to_owned(),
        })
        .await;
        let password = Password::prepare("Secret123").unwrap();
        let credentials = self.auth.credentials_for(&address, &password).await.unwrap();
        self.change(DirectoryChange::SetCredentials { address, credentials }).await;
    }

    pub async fn account(&self, person: &str) -> AccountId {
        let address = Address::parse(&format!("{person}@example.org")).unwrap();
        self.store.account(&address).await.unwrap().unwrap().id
    }

    pub async fn append(&self, person: &str, mailbox: &str, message: Vec<u8>) {
        let content = self.mailboxes.prepare(message).await.unwrap();
        let new = NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        let name = MailboxName::parse(mailbox).unwrap();
        self.mailboxes.append(self.account(person).await, &name, vec![new]).await.unwrap();
    }

    /// One of a person's own scripts.
    pub async fn put_script(&self, person: &str, name: &str, text: &str) {
        let owner = ScriptOwner::Account(self.account(person).await);
        self.store.put_script(owner, name, text.to_owned(), VersionSource::default()).await.unwrap();
    }

    /// Who is to get mail from us, in order.
    pub async fn sends(&self) -> Vec<String> {
        let sends = self.store.sends(SendId(0), 100).await.unwrap();
        sends.into_iter().map(|send| send.send.recipient.to_string()).collect()
    }

    /// How many there are.
    pub async fn messages(&self, person: &str, mailbox: &str) -> u32 {
        let name = MailboxName::parse(mailbox).unwrap();
        self.mailboxes.find(self.account(person).await, &name).await.unwrap().record.messages
    }

    pub fn imap(&self) -> imap::Services {
        imap::Services {
            auth: self.auth.clone(),
            mailboxes: self.mailboxes.clone(),
            delivery: self.delivery.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            hostname: Domain::parse(tls::HOST).unwrap(),
            managesieve_port: Some(4190),
            messages_max: self.messages_max,
            patience: self.progress,
            progress: self.progress,
            keepalive: self.keepalive,
            idle: Duration::from_secs(60),
        }
    }

    pub fn admin(&self) -> Admin {
        let settings = admin::Settings {
            address: AddressRules::default(),
            password: PasswordRules::default(),
            keep_days: 30,
            script_octets_max: 10_000,
            hostname: Domain::parse(tls::HOST).unwrap(),
            services: Vec::new(),
            smarthost: None,
        };
        let (directory, delivery) = (self.directory.clone(), self.delivery.clone());
        Admin::new(self.store.clone(), directory, self.auth.clone(), delivery, settings)
    }

    pub fn managesieve(&self) -> managesieve::Services {
        managesieve::Services { auth: self.auth.clone(), admin: self.admin(), idle: Duration::from_secs(60) }
    }

    /// Every mailbox counts as large, and memory holds next to none.
    pub fn be_short_of_memory(&mut self) {
        let settings = Settings { read_at_once_max: 0, open_messages_max: 0, ..Settings::default() };
        self.mailboxes = Mailboxes::new(self.store.clone(), settings).unwrap();
    }

    /// The store's own check of everything it keeps.
    pub fn verify(&self) {
        let findings = self.store.verify(&mut |_, _| {}).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
}
