//! What one delivery pays for its rules: the whole script of an address, from the raw message to the plan, with everything
//! that is kept at hand kept at hand; and what it costs to write and compile the scripts of ten thousand addresses anew.
//! `cargo bench --bench delivery`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::delivery::{DeedKind, Delivery, Mail, Origin, Plan};
use posthouse::directory::{Directory, Snapshot};
use posthouse::filter::{self, ScriptKind};
use posthouse::rules::{Context, Limits, compile};
use posthouse::store::{DirectoryChange, DomainKind, Names, NewAccount, NewDomain, ScriptOwner, Store, VersionSource};
use posthouse::types::{
    Address, Domain, Envelope, Received, Recipient, RedirectionSwitch, Responder, Switches, SystemClock, Target,
    Timestamp, Window, ZoneName,
};
use std::sync::Arc;
use std::time::Instant;
use telling::say;

const ROUNDS: usize = 9;
const RUNS: u32 = 3_000;
/// What a realistic script on a mail of 20 KB may cost.
const MICROSECONDS_MAX: f64 = 60.0;
const ADDRESSES: usize = 10_000;
/// What it may cost to write and compile the scripts of all those addresses.
const SECONDS_MAX: f64 = 2.0;
const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// Three filters of a person's own, in the order they run.
const PERSONAL: [(&str, &str); 3] = [
    (
        "lists",
        "require [\"fileinto\", \"mailbox\", \"variables\"];
if header :matches \"List-Id\" \"*<*.*>*\" {
    set :lower \"list\" \"${2}\";
    fileinto :create \"Lists/${list}\";
    stop;
}
",
    ),
    (
        "people",
        "require [\"imap4flags\"];
if address :domain \"from\" [\"shop.example\", \"bank.example\", \"post.example\"] {
    addflag \"\\\\Flagged\";
}
",
    ),
    (
        "topics",
        "require [\"fileinto\", \"mailbox\"];
if allof (header :contains \"subject\" [\"[work]\", \"[plans]\"], not header :contains \"x-priority\" \"1\") {
    fileinto :create \"Work\";
}
",
    ),
];

fn message() -> Vec<u8> {
    let header = "Return-Path: <joe@elsewhere.example>\r\n\
        Received: from a.example by mail.example.org with ESMTPS id 1; Fri, 20 Nov 2026 04:31:40 +0100\r\n\
        DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s; h=from:to:subject; bh=x; b=y\r\n\
        From: \"Joe Miller\" <joe@elsewhere.example>\r\nTo: Jane <jane@example.org>\r\nSubject: [work] Plans for =?utf-8?Q?M=C3=A4rz?=\r\n\
        Date: Fri, 20 Nov 2026 04:31:38 +0100\r\nMessage-ID: <one@example.net>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n";
    let line = "Words that fill the mail until it is as long as an ordinary one is these days.\r\n";
    let half = line.repeat(9_700 / line.len());
    format!("{header}{half}--b\r\nContent-Type: text/html\r\n\r\n<p>{half}</p>\r\n--b--\r\n").into_bytes()
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

/// A mailbox, three redirections that keep a copy, a responder in its window.
fn switches(number: usize) -> Switches {
    let target =
        |place: usize| Target { address: address(&format!("t{place}.{number}@elsewhere.example")), paused: false };
    let window =
        Window { from: Some(NOW.plus_seconds(-86_400)), until: Some(NOW.plus_seconds(86_400)), zone: ZoneName::utc() };
    Switches {
        mailbox: true,
        redirection: Some(RedirectionSwitch { targets: (0..3).map(target).collect(), keep: true, paused: false }),
        responder: Some(Responder {
            text: "I am away until 15 November. If it is urgent, please write to the office.\n".to_owned(),
            subject: Some("I am away".to_owned()),
            window: Some(window),
            every_seconds: 7 * 86_400,
            received: Received::Keep,
            paused: false,
        }),
        ..Switches::default()
    }
}

fn context() -> Context {
    Context { personal: PERSONAL.iter().map(|(name, _)| (*name).to_owned()).collect(), ..Context::default() }
}

async fn house(store: &Store) -> (Delivery, Arc<Snapshot>) {
    let (jane, switches) = (address("jane@example.org"), switches(0));
    let domain = NewDomain {
        name: Domain::parse("example.org").expect("a domain"),
        kind: DomainKind::Authoritative,
        catch_all: None,
    };
    let account = NewAccount {
        address: jane.clone(),
        names: Names { display: "Jane Doe".to_owned(), ..Names::default() },
        administrator: false,
        quota_octets: None,
        credentials: None,
    };
    let script = compile(&jane, &switches, &context()).text;
    let put = DirectoryChange::PutAddress {
        address: jane.clone(),
        switches,
        reserved: false,
        script,
        author: "bench".to_owned(),
        cause: "bench".to_owned(),
    };
    let changes = vec![DirectoryChange::AddDomain(domain), DirectoryChange::AddAccount(account), put];
    store.change_directory(0, changes).await.expect("changed");
    let owner = ScriptOwner::Account(store.account(&jane).await.expect("readable").expect("there").id);
    for (name, text) in PERSONAL {
        store.put_script(owner, name, text.to_owned(), VersionSource::default()).await.expect("kept");
    }
    let names = PERSONAL.iter().map(|(name, _)| (*name).to_owned()).collect();
    store.activate_scripts(owner, names).await.expect("active");
    let directory = Directory::new(store.clone(), Limits::default());
    let hostname = Domain::parse("mail.example.org").expect("a domain");
    let delivery = Delivery::open(store.clone(), directory.clone(), hostname, 432_000).await.expect("opens");
    (delivery, directory.snapshot().await.expect("readable"))
}

fn deeds(plan: &Plan) -> Vec<&'static str> {
    let name = |kind: &DeedKind| match kind {
        DeedKind::File { .. } => "file",
        DeedKind::Send(_) => "send",
        DeedKind::Reply(_) => "reply",
        _ => "other",
    };
    plan.visits.iter().flat_map(|visit| &visit.deeds).map(|deed| name(&deed.kind)).collect()
}

fn delivering(delivery: &Delivery, snapshot: &Snapshot) {
    let (jane, message) = (address("jane@example.org"), message());
    let envelope = Envelope {
        sender: Some(address("joe@elsewhere.example")),
        recipients: vec![Recipient::plain(jane)],
        ..Envelope::default()
    };
    let mail = Mail {
        envelope,
        origin: Origin::Mx,
        now: NOW,
        remote_ip: None,
        remote_host: None,
        session: "bench".to_owned(),
        verdicts: String::new(),
        not_forwarded: None,
    };
    let plan = delivery.plan(snapshot, &mail, &message);
    assert_eq!(deeds(&plan), ["reply", "send", "send", "send", "file"], "{plan:#?}");
    assert_eq!(plan.visits[0].errors, []);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..RUNS {
            std::hint::black_box(delivery.plan(snapshot, &mail, &message));
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS));
    }
    say(format_args!("the rules for a mail of {} octets: {best:.1} µs (at most {MICROSECONDS_MAX})", message.len()));
    assert!(best < MICROSECONDS_MAX, "too slow: {best:.1} µs");
}

fn regenerating() {
    let context = context();
    let addresses: Vec<(Address, Switches)> =
        (0..ADDRESSES).map(|number| (address(&format!("user{number}@example.org")), switches(number))).collect();
    let started = Instant::now();
    let texts: Vec<String> =
        addresses.iter().map(|(address, switches)| compile(address, switches, &context).text).collect();
    let written = started.elapsed().as_secs_f64();
    for text in &texts {
        filter::compile(text.as_bytes(), ScriptKind::Compiled).expect("compiles");
    }
    let all = started.elapsed().as_secs_f64();
    say(format_args!(
        "{ADDRESSES} scripts: written in {written:.2} s, compiled in {:.2} s (together at most {SECONDS_MAX})",
        all - written
    ));
    assert!(all < SECONDS_MAX, "too slow: {all:.2} s");
}

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let store = Store::open(directory.path(), Arc::new(SystemClock)).expect("opens");
    let (delivery, snapshot) = runtime.block_on(house(&store));
    delivering(&delivery, &snapshot);
    regenerating();
}
