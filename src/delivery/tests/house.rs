//! A house to deliver to: a real store with domains, addresses, scripts and accounts as a test wants them.

use crate::delivery::{Answers, Delivery, Explanation, Fate, Mail, Origin};
use crate::directory::{Directory, OwnNames, graph_kind};
use crate::rules::{self, Graph, Limits, MailboxState};
use crate::store::{
    DirectoryChange, DomainKind, Names, NewAccount, NewDomain, ScriptOwner, SendRecord, Store, VersionSource,
};
use crate::types::{
    AccountId, Address, AliasSwitch, Domain, Envelope, FixedClock, Received, Recipient, RedirectionSwitch, Responder,
    SendId, Switches, Target, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const NOW: Timestamp = Timestamp(1_790_000_000_000);

pub(super) fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

pub(super) fn mailbox() -> Switches {
    Switches { mailbox: true, ..Switches::default() }
}

pub(super) fn alias(owner: &str) -> Switches {
    Switches { alias: Some(AliasSwitch { owner: address(owner), paused: false }), ..Switches::default() }
}

pub(super) fn redirection(targets: &[&str], keep: bool) -> RedirectionSwitch {
    let targets = targets.iter().map(|target| Target { address: address(target), paused: false }).collect();
    RedirectionSwitch { targets, keep, paused: false }
}

/// A virtual address.
pub(super) fn sends_to(targets: &[&str]) -> Switches {
    Switches { redirection: Some(redirection(targets, false)), ..Switches::default() }
}

pub(super) fn responder(received: Received) -> Responder {
    Responder {
        text: "I am away.".to_owned(),
        subject: None,
        window: None,
        every_seconds: 7 * 86_400,
        received,
        paused: false,
    }
}

/// What a house is to have in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Blueprint {
    pub(super) domains: Vec<(Domain, DomainKind, Option<Address>)>,
    pub(super) addresses: BTreeMap<Address, Switches>,
    pub(super) quotas: BTreeMap<Address, u64>,
    pub(super) suspended: BTreeSet<Address>,
    /// Active in this order, beside one called `own` that a test may put later.
    pub(super) personal: Vec<(Address, &'static str, String)>,
    /// Of the server (`None`) or a domain: `before` or `after`.
    pub(super) admin: Vec<(Option<Domain>, &'static str, String)>,
}

impl Blueprint {
    /// The domains example.test, split.test with another server, and other.test, which is example.test under another name.
    pub(super) fn new(addresses: &[(&str, Switches)]) -> Self {
        let domain = |name: &str| name.parse::<Domain>().expect("a domain");
        let split = DomainKind::Split { host: "relay.example".to_owned(), port: 25 };
        Self {
            domains: vec![
                (domain("example.test"), DomainKind::Authoritative, None),
                (domain("split.test"), split, None),
                (domain("other.test"), DomainKind::AliasOf(domain("example.test")), None),
            ],
            addresses: addresses.iter().map(|(name, switches)| (address(name), switches.clone())).collect(),
            ..Self::default()
        }
    }

    pub(super) fn script(mut self, account: &str, name: &'static str, text: &str) -> Self {
        self.personal.push((address(account), name, text.to_owned()));
        self
    }

    pub(super) fn admin(mut self, domain: Option<&str>, place: &'static str, text: &str) -> Self {
        self.admin.push((domain.map(|domain| domain.parse().expect("a domain")), place, text.to_owned()));
        self
    }

    pub(super) fn catch_all(mut self, to: &str) -> Self {
        self.domains[0].2 = Some(address(to));
        self
    }

    pub(super) fn graph(&self) -> Graph {
        let mut graph = Graph::new(Limits::default());
        for (name, kind, catch_all) in &self.domains {
            graph.set_domain(name.clone(), graph_kind(kind, catch_all.as_ref()));
        }
        for (address, switches) in &self.addresses {
            graph.set_address(address, switches, MailboxState::Open);
        }
        graph
    }

    /// Each script compiled as an administrator's change does it.
    fn changes(&self) -> Vec<DirectoryChange> {
        let graph = self.graph();
        let domains = self.domains.iter().filter_map(|(name, kind, _)| match kind {
            DomainKind::AliasOf(target) => Some((name, target)),
            DomainKind::Authoritative | DomainKind::Split { .. } => None,
        });
        let names = OwnNames::new(&graph, self.addresses.iter(), domains);
        let mut changes = Vec::new();
        for (name, kind, catch_all) in &self.domains {
            let domain = NewDomain { name: name.clone(), kind: kind.clone(), catch_all: catch_all.clone() };
            changes.push(DirectoryChange::AddDomain(domain));
        }
        for (address, switches) in &self.addresses {
            if switches.mailbox {
                changes.push(DirectoryChange::AddAccount(NewAccount {
                    address: address.clone(),
                    names: Names { display: format!("Person {}", address.local()), ..Names::default() },
                    administrator: false,
                    quota_octets: self.quotas.get(address).copied(),
                    credentials: None,
                }));
            }
            let own = self.personal.iter().filter(|(account, ..)| account == address);
            let mut personal: Vec<String> = own.map(|(_, name, _)| (*name).to_owned()).collect();
            personal.push("own".to_owned());
            let context = rules::Context {
                also_known_as: names.of(&graph, address),
                personal: if switches.mailbox { personal } else { Vec::new() },
                before: self.admin_names(address.domain(), "before", rules::before_script_name),
                after: self.admin_names(address.domain(), "after", rules::after_script_name),
            };
            changes.push(DirectoryChange::PutAddress {
                address: address.clone(),
                switches: switches.clone(),
                reserved: false,
                script: rules::compile(address, switches, &context).text,
                author: "test".to_owned(),
                cause: "test".to_owned(),
            });
        }
        changes.extend(self.suspended.iter().cloned().map(DirectoryChange::SuspendAccount));
        changes
    }

    fn admin_names(&self, domain: &Domain, place: &str, name: fn(Option<&Domain>) -> String) -> Vec<String> {
        let mine = |of: &Option<Domain>| of.as_ref().is_none_or(|of| of == domain);
        let mut names: Vec<String> = self
            .admin
            .iter()
            .filter(|(of, at, _)| *at == place && mine(of))
            .map(|(of, ..)| name(of.as_ref()))
            .collect();
        // The server's is the outermost.
        names.sort_by_key(|name| (name.contains('-') == (place == "before"), name.clone()));
        names
    }

    pub(super) async fn build(self) -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(directory.path(), clock.clone()).expect("opens");
        store.change_directory(0, self.changes()).await.expect("changed");
        let service = Directory::new(store.clone(), Limits::default());
        let hostname = "mail.example.test".parse().expect("a domain");
        let delivery = Delivery::open(store.clone(), service, hostname, 432_000).await.expect("opens");
        let house = House { store, delivery, clock, _directory: directory };
        for (account, name, text) in &self.personal {
            let owner = ScriptOwner::Account(house.account(account.to_string().as_str()).await);
            house.put(owner, name, text).await;
        }
        for (domain, place, text) in &self.admin {
            let owner = match domain {
                None => ScriptOwner::Server,
                Some(domain) => {
                    ScriptOwner::Domain(house.store.domain(domain).await.expect("readable").expect("there").id)
                }
            };
            house.put(owner, place, text).await;
        }
        house
    }
}

pub(super) struct House {
    pub(super) store: Store,
    pub(super) delivery: Delivery,
    pub(super) clock: Arc<FixedClock>,
    _directory: tempfile::TempDir,
}

impl House {
    pub(super) async fn with(addresses: &[(&str, Switches)]) -> Self {
        Blueprint::new(addresses).build().await
    }

    async fn put(&self, owner: ScriptOwner, name: &str, text: &str) {
        self.store.put_script(owner, name, text.to_owned(), VersionSource::default()).await.expect("kept");
        let mut active: Vec<String> =
            self.store.active_scripts(owner).await.expect("readable").into_iter().map(|script| script.name).collect();
        if !active.iter().any(|known| known == name) {
            active.push(name.to_owned());
        }
        self.store.activate_scripts(owner, active).await.expect("active");
    }

    /// The script that every mailbox has a place for.
    pub(super) async fn script(&self, account: &str, text: &str) {
        self.put(ScriptOwner::Account(self.account(account).await), "own", text).await;
    }

    pub(super) async fn account(&self, name: &str) -> AccountId {
        self.store.account(&address(name)).await.expect("readable").expect("there").id
    }

    pub(super) fn assert_sound(&self) {
        let findings = self.store.verify(&mut |_, _| {}).expect("verifiable");
        assert!(findings.is_empty(), "{findings:#?}");
    }

    pub(super) async fn deliver(&self, from: &str, to: &[&str], message: &str) -> Vec<Fate> {
        self.deliver_as(Answers::One, from, to, message).await
    }

    pub(super) async fn deliver_as(&self, answers: Answers, from: &str, to: &[&str], message: &str) -> Vec<Fate> {
        self.deliver_mail(mail(from, to), answers, message).await
    }

    pub(super) async fn deliver_mail(&self, mail: Mail, answers: Answers, message: &str) -> Vec<Fate> {
        let message = message.replace('\n', "\r\n").into_bytes();
        let fates =
            self.delivery.deliver(mail, answers, message.len(), move |before| Ok([before, message].concat())).await;
        self.assert_sound();
        fates.expect("decided")
    }

    pub(super) async fn explain(&self, from: &str, to: &[&str], message: &str) -> Explanation {
        let message = message.replace('\n', "\r\n").into_bytes();
        self.delivery.explain(mail(from, to), Answers::One, message).await.expect("explained")
    }

    /// `INBOX 1, Lists 2` of an account, without its empty mailboxes.
    pub(super) async fn filed(&self, account: &str) -> String {
        let mailboxes = self.store.mailboxes(self.account(account).await).await.expect("readable");
        let full = mailboxes.iter().filter(|mailbox| mailbox.messages > 0);
        full.map(|mailbox| format!("{} {}", mailbox.name, mailbox.messages)).collect::<Vec<_>>().join(", ")
    }

    pub(super) async fn sends(&self) -> Vec<SendRecord> {
        self.store.sends(SendId(0), 10_000).await.expect("readable")
    }

    /// `kind sender>recipient` of all that is queued.
    pub(super) async fn queued(&self) -> Vec<String> {
        let line = |send: SendRecord| {
            let sender = send.send.sender.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{:?} {sender}>{}", send.send.kind, send.send.recipient)
        };
        self.sends().await.into_iter().map(line).collect()
    }

    /// A queued message as it goes out.
    pub(super) async fn outgoing(&self, send: &SendRecord) -> String {
        let octets = self.store.body_octets(send.body).await.expect("readable");
        let details = &send.send.details;
        let sent = String::from_utf8_lossy(&octets[details.skip_octets as usize..]).into_owned();
        format!("{}{sent}", details.prepend)
    }

    /// What an account has in a mailbox.
    pub(super) async fn messages(&self, account: &str, mailbox: &str) -> Vec<String> {
        let account = self.account(account).await;
        let name = mailbox.parse().expect("a name");
        let Some(mailbox) = self.store.mailbox(account, &name).await.expect("readable") else { return Vec::new() };
        let (_, entries) = self.store.entries(mailbox.id).await.expect("readable");
        let mut messages = Vec::new();
        for entry in entries.iter() {
            let octets = self.store.body_octets(entry.body).await.expect("readable");
            messages.push(String::from_utf8_lossy(&octets).into_owned());
        }
        messages
    }
}

pub(super) fn mail(from: &str, to: &[&str]) -> Mail {
    Mail {
        envelope: Envelope {
            sender: if from.is_empty() { None } else { Some(address(from)) },
            recipients: to.iter().map(|to| Recipient::plain(address(to))).collect(),
            ..Envelope::default()
        },
        origin: Origin::Mx,
        now: NOW,
        remote_ip: None,
        remote_host: None,
        session: "test".to_owned(),
        verdicts: String::new(),
        not_forwarded: None,
    }
}

pub(super) const PLAIN: &str =
    "From: a@one.example\nTo: jane@example.test\nSubject: hello\nMessage-ID: <1@one.example>\n\nhello\n";

pub(super) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
