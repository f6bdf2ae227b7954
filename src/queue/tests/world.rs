//! A queue with a clock, a zone, a transport and a house that do as they are told.
//!
//! What a server does is in its name (`down`, `busy`, `badtls`, `hang`, `reports`), and what it says to a recipient in the
//! local part: `break…` is a fault of ours, `no…` is unknown, `later…` is greylisted, `full…` deferred, `spam…` refused after the message, `drop…`
//! makes it hang up at RCPT, `trap…` too, but only over this one, `odd…` say what is no answer, `lost…` hang up after the message, and of `many…` it takes two at a time.

use crate::dns::FakeResolver;
use crate::queue::report::indexed;
use crate::queue::{
    Answer, Failure, FailureCause, Fate, House, HouseFate, HouseMail, Outgoing, Peer, Pending, Queue, QueueParts,
    QueueSettings, Sent, Session, Stage, TlsDemand, Transport,
};
use crate::store::{
    BodyChoice, Deposit, DirectoryChange, DomainKind, LedgerFilter, LedgerRecord, NewDomain, NewSend, Refusing,
    SendDetails, SendKind, SendRecord, Store,
};
use crate::types::{Address, Domain, FixedClock, RedirectionSwitch, SendId, Switches, Target, Timestamp};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

pub(super) const NOW: Timestamp = Timestamp(1_790_000_000_000);
const DAYS_5: i64 = 5 * 86_400;

/// Every destination of the tests; `SIGNED` ones are those about DANE.
pub(super) const ZONE: &str = "
    one.example        MX 10 mx.one.example
    mx.one.example     A 192.0.2.1
    two.example        MX 10 mx.two.example
    mx.two.example     A 192.0.2.2
    down.example       MX 10 mx.down.example
    mx.down.example    A 192.0.2.3
    hang.example       MX 10 mx.hang.example
    mx.hang.example    A 192.0.2.4
    reports.example    MX 10 mx.reports.example
    mx.reports.example A 192.0.2.5
    badtls.example     MX 10 mx.badtls.example
    mx.badtls.example  A 192.0.2.6
";

pub(super) struct World {
    pub(super) store: Store,
    pub(super) clock: Arc<FixedClock>,
    pub(super) resolver: FakeResolver,
    pub(super) transport: Arc<FakeTransport>,
    pub(super) house: Arc<FakeHouse>,
    pub(super) settings: QueueSettings,
    _directory: tempfile::TempDir,
}

pub(super) fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(directory.path(), clock.clone()).expect("opens");
        Self {
            store,
            clock,
            resolver: FakeResolver::new(ZONE).expect("a zone"),
            transport: Arc::default(),
            house: Arc::default(),
            settings: QueueSettings::new("mail.us.example".parse().expect("a domain")),
            _directory: directory,
        }
    }

    pub(super) async fn queue(&self) -> Queue {
        let parts = QueueParts {
            store: self.store.clone(),
            settings: self.settings.clone(),
            resolver: Arc::new(self.resolver.clone()),
            transport: Arc::new(FakeTransportHandle(Arc::clone(&self.transport))),
            house: self.house.clone(),
        };
        Queue::open(parts).await.expect("opens")
    }

    /// Puts one message with these sends into the queue.
    pub(super) async fn put(&self, message: &str, sends: Vec<NewSend>) -> Vec<SendId> {
        let body = indexed(message.replace('\n', "\r\n").as_bytes()).expect("packs");
        let sends = sends.into_iter().map(|send| (BodyChoice::New(0), send)).collect();
        let deposit = Deposit { bodies: vec![body], sends, ..Deposit::default() };
        self.store.deposit(deposit).await.expect("queued").sends
    }

    /// One plain message from jane@us.example.
    pub(super) async fn put_to(&self, recipients: &[&str]) -> Vec<SendId> {
        self.put("Subject: hi\n\nhello\n", recipients.iter().map(|to| submission(to)).collect()).await
    }

    /// The domain us.example, and an address of it that leads to `target`.
    pub(super) async fn put_redirection(&self, from: &str, target: &str) {
        let domain = NewDomain {
            name: "us.example".parse().expect("a domain"),
            kind: DomainKind::Authoritative,
            catch_all: None,
        };
        let redirection = RedirectionSwitch {
            targets: vec![Target { address: address(target), paused: false }],
            keep: false,
            paused: false,
        };
        let put = DirectoryChange::PutAddress {
            address: address(from),
            switches: Switches { redirection: Some(redirection), ..Switches::default() },
            reserved: false,
            script: "keep;".to_owned(),
            author: "test".to_owned(),
            cause: "test".to_owned(),
        };
        let generation = self.store.directory_generation().await.expect("readable");
        self.store.change_directory(generation, vec![DirectoryChange::AddDomain(domain), put]).await.expect("done");
    }

    /// Runs until the ledger has so many entries and what is under way is done.
    pub(super) async fn run_until(&self, entries: usize) {
        let queue = self.queue().await;
        let running = queue.run(self.ledger_has(entries));
        tokio::time::timeout(std::time::Duration::from_secs(20), running).await.expect("in time").expect("runs");
        let findings = self.store.verify(&mut |_, _| {}).expect("verifiable");
        assert!(findings.is_empty(), "{findings:#?}");
    }

    pub(super) async fn ledger_has(&self, entries: usize) {
        while self.ledger().await.len() < entries {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn ledger(&self) -> Vec<LedgerRecord> {
        self.store.ledger(LedgerFilter::All, 10_000).await.expect("readable")
    }

    /// The events so far, with whom they are about.
    pub(super) async fn events(&self) -> Vec<String> {
        let told = |record: &LedgerRecord| {
            let detail: serde_json::Value = serde_json::from_str(&record.entry.detail).expect("JSON");
            format!("{} {}", record.entry.event, detail["to"].as_str().unwrap_or_default())
        };
        self.ledger().await.iter().map(told).collect()
    }

    pub(super) async fn send(&self, id: SendId) -> SendRecord {
        self.store.send(id).await.expect("readable").expect("there")
    }

    pub(super) async fn all(&self) -> Vec<SendRecord> {
        self.store.sends(SendId(0), 10_000).await.expect("readable")
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.transport.seen.lock().expect("not poisoned").clone()
    }

    /// What the servers got, without the connections it came by.
    pub(super) fn mails(&self) -> Vec<String> {
        self.seen().into_iter().filter(|line| line.starts_with("mail ")).collect()
    }
}

pub(super) fn submission(to: &str) -> NewSend {
    let recipient = address(to);
    NewSend {
        kind: SendKind::Submission,
        account: None,
        address: Some(address("jane@us.example")),
        sender: Some(address("jane@us.example")),
        destination: recipient.domain().to_string(),
        recipient,
        due: NOW,
        expires: NOW.plus_seconds(DAYS_5),
        priority: 0,
        details: SendDetails { message_id: "m1@us.example".to_owned(), ..SendDetails::default() },
    }
}

/// Mail of paul@far.example to team@us.example, which leads to `to`.
pub(super) fn redirection(to: &str) -> NewSend {
    let details = SendDetails { addressed: Some(address("info@us.example")), ..submission(to).details };
    NewSend {
        kind: SendKind::Redirection,
        address: Some(address("team@us.example")),
        sender: Some(address("paul@two.example")),
        details,
        ..submission(to)
    }
}

#[derive(Default)]
pub(super) struct FakeTransport {
    seen: Mutex<Vec<String>>,
    pub(super) messages: Mutex<Vec<Vec<u8>>>,
    /// Servers called `down` are up again.
    pub(super) up: AtomicBool,
    /// Lets those go on that hang.
    pub(super) release: Notify,
    /// How many open sessions there are, and were at most.
    open: Arc<AtomicUsize>,
    pub(super) open_most: AtomicUsize,
    pub(super) policy: Mutex<Option<String>>,
    /// Sessions of an earlier age have been closed by the server.
    pub(super) age: AtomicUsize,
}

impl FakeTransport {
    fn see(&self, line: String) {
        self.seen.lock().expect("not poisoned").push(line);
    }

    fn connect(self: &Arc<Self>, peer: &Peer) -> Result<Box<dyn Session>, Failure> {
        let tls = match &peer.tls {
            TlsDemand::Pinned(pins) => format!("pinned by {}", pins.len()),
            other => format!("{other:?}"),
        };
        let login = peer.login.as_ref().map(|login| format!(" as {}", login.name)).unwrap_or_default();
        self.see(format!("open {} {} {tls}{login}", peer.name, peer.address));
        let fails = |stage, cause| Err(Failure::new(stage, cause));
        match peer.name.as_str() {
            name if name.contains("down") && !self.up.load(Ordering::SeqCst) => {
                return fails(Stage::Connect, FailureCause::Unreachable("refused".to_owned()));
            }
            name if name.contains("busy") => {
                return fails(Stage::Greeting, FailureCause::Answer(said(421, None, "too busy")));
            }
            name if name.contains("badtls") && peer.tls == TlsDemand::IfOffered => {
                return fails(Stage::Tls, FailureCause::Tls("alert".to_owned()));
            }
            _ => {}
        }
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.open_most.fetch_max(open, Ordering::SeqCst);
        let age = self.age.load(Ordering::SeqCst);
        Ok(Box::new(FakeSession { transport: Arc::clone(self), host: peer.name.clone(), age }))
    }
}

/// So that sessions can speak of the transport they belong to.
impl Transport for FakeTransportHandle {
    fn open<'a>(&'a self, peer: &'a Peer) -> Pending<'a, Result<Box<dyn Session>, Failure>> {
        Box::pin(async move {
            // Sessions come about while others work.
            tokio::task::yield_now().await;
            self.0.connect(peer)
        })
    }

    fn published_policy<'a>(&'a self, host: &'a Domain, _: &'a [IpAddr]) -> Pending<'a, Result<String, String>> {
        self.0.see(format!("policy of {host}"));
        let policy = self.0.policy.lock().expect("not poisoned").clone();
        Box::pin(std::future::ready(policy.ok_or_else(|| "404".to_owned())))
    }
}

pub(super) struct FakeTransportHandle(pub(super) Arc<FakeTransport>);

struct FakeSession {
    transport: Arc<FakeTransport>,
    host: Domain,
    age: usize,
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        self.transport.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn said(code: u16, enhanced: Option<(u8, u16, u16)>, text: &str) -> Answer {
    Answer { code, enhanced, text: text.to_owned() }
}

impl FakeSession {
    async fn take(&mut self, mail: &mut Outgoing) -> Sent {
        if self.age < self.transport.age.load(Ordering::SeqCst) {
            return Sent::all(mail.recipients.len(), &Failure::new(Stage::Mail, FailureCause::Lost), false);
        }
        let sender = mail.sender.as_ref().map_or("<>".to_owned(), ToString::to_string);
        let to: Vec<&str> = mail.recipients.iter().map(|one| one.address.local()).collect();
        self.transport.see(format!("mail {sender} > {} at {}", to.join(","), self.host));
        if self.host.as_str().contains("hang") {
            self.transport.release.notified().await;
        }
        assert!(!to.iter().any(|local| local.starts_with("break")), "the fault that was asked for");
        let mut message = Vec::new();
        mail.content.rewind();
        while let Some(piece) = mail.content.next().await.expect("readable") {
            message.extend(piece);
        }
        self.transport.messages.lock().expect("not poisoned").push(message);
        let lost = |stage| Sent::all(mail.recipients.len(), &Failure::new(stage, FailureCause::Lost), false);
        if to.iter().any(|local| local.starts_with("drop")) {
            return lost(Stage::Rcpt);
        }
        if to.iter().any(|local| local.starts_with("lost")) {
            return lost(Stage::Message);
        }
        if to.iter().any(|local| local.starts_with("odd")) {
            assert!(self.transport.seen.lock().expect("not poisoned").len() < 20, "this does not end");
            let odd = Failure::new(Stage::Data, FailureCause::Protocol("the server answers 250 thanks".to_owned()));
            return Sent::all(mail.recipients.len(), &odd, true);
        }
        if let Some(place) = to.iter().position(|local| local.starts_with("trap")) {
            let mut sent = Sent::all(to.len(), &Failure::new(Stage::Mail, FailureCause::Lost), false);
            sent.fates[place] = Fate::Failed(Failure::new(Stage::Rcpt, FailureCause::Lost));
            return sent;
        }
        let mut many = 0;
        let fates = mail.recipients.iter().map(|one| self.fate(&one.address, &mut many)).collect();
        Sent { fates, reusable: true }
    }

    fn fate(&self, recipient: &Address, many: &mut usize) -> Fate {
        let refused = |stage, answer| Fate::Failed(Failure::new(stage, FailureCause::Answer(answer)));
        match recipient.local() {
            local if local.starts_with("no") => {
                refused(Stage::Rcpt, said(550, Some((5, 1, 1)), &format!("<{recipient}>: no such user")))
            }
            local if local.starts_with("later") => refused(Stage::Rcpt, said(451, Some((4, 7, 1)), "greylisted")),
            local if local.starts_with("full") => refused(Stage::Message, said(452, Some((4, 2, 2)), "full")),
            local if local.starts_with("spam") => refused(Stage::Message, said(554, Some((5, 7, 1)), "spam")),
            local if local.starts_with("many") => {
                *many += 1;
                match *many {
                    1 | 2 => self.taken(),
                    _ => refused(Stage::Rcpt, said(452, Some((4, 5, 3)), "too many")),
                }
            }
            _ => self.taken(),
        }
    }

    fn taken(&self) -> Fate {
        Fate::Taken { answer: said(250, None, "queued"), reports: self.host.as_str().contains("reports") }
    }
}

impl Session for FakeSession {
    fn send<'a>(&'a mut self, mail: &'a mut Outgoing) -> Pending<'a, Sent> {
        Box::pin(self.take(mail))
    }

    fn ask<'a>(&'a mut self, recipients: &'a [Address]) -> Pending<'a, Vec<Fate>> {
        let fates = recipients.iter().map(|recipient| self.fate(recipient, &mut 0)).collect();
        Box::pin(std::future::ready(fates))
    }

    fn protection(&self) -> Option<String> {
        None
    }

    fn close(self: Box<Self>) -> Pending<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Hosts us.example. `refuses@` and `full@` take nothing.
#[derive(Default)]
pub(super) struct FakeHouse {
    /// To whom, and what.
    pub(super) delivered: Mutex<Vec<(String, String)>>,
    pub(super) refusing: Mutex<Vec<Refusing>>,
}

impl House for FakeHouse {
    fn hosts<'a>(&'a self, domain: &'a Domain) -> Pending<'a, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(domain.as_str() == "us.example")))
    }

    fn answers_at(&self, address: IpAddr) -> bool {
        address.to_string() == "192.0.2.98"
    }

    fn deliver(&self, mail: HouseMail) -> Pending<'_, HouseFate> {
        let fate = match mail.recipient.address.local() {
            "refuses" => HouseFate::Refused("nobody of that name".to_owned()),
            "full" => HouseFate::Deferred("no room".to_owned()),
            _ => {
                let text = String::from_utf8(mail.message).expect("UTF-8");
                self.delivered.lock().expect("not poisoned").push((mail.recipient.address.to_string(), text));
                HouseFate::Taken
            }
        };
        Box::pin(std::future::ready(fate))
    }

    fn target_refuses<'a>(&'a self, refusing: &'a Refusing) -> Pending<'a, ()> {
        self.refusing.lock().expect("not poisoned").push(refusing.clone());
        Box::pin(std::future::ready(()))
    }
}
