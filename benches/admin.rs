//! What administration promises with ten thousand addresses: a change proved, compiled and committed in under 50 ms, all
//! scripts made anew after a change of the server's own script in under 2 s, and the daily reading without a wait.
//! `cargo bench --bench admin`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod telling;

use posthouse::admin::{
    AccountList, AccountShow, Act, AliasAdd, AliasList, AliasRemove, Caller, Check, CompiledShow, DomainList, Explain,
    Progress, QueueList, RedirectAdd, RedirectList, RedirectRemove, ResponderList, ScriptFaults, ScriptPut, Status,
    Trace, TraceAbout,
};
use posthouse::config::Config;
use posthouse::delivery::{Answers, Mail, Origin};
use posthouse::server::House;
use posthouse::store::{DirectoryChange, DomainKind, Names, NewAccount, NewDomain, StoreError};
use posthouse::types::{
    Address, AliasSwitch, Envelope, Received, Recipient, RedirectionSwitch, Responder, SendId, Switches, Target,
    Timestamp,
};
use std::time::{Duration, Instant};
use telling::say;

const ADDRESSES: usize = 10_000;
const ROUNDS: usize = 15;
/// On record when something is traced.
const MESSAGES: usize = 2_000;
/// What whoever asks does not feel.
const READING_MILLISECONDS: u64 = 100;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(Box::pin(measure()));
}

async fn measure() {
    let directory = tempfile::tempdir_in(".").expect("a directory");
    let house = House::open(Config::without_file(directory.path().join("data"))).await.expect("opens");
    settle(&house).await.expect("settled");
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let (alias, owner) = (address(ADDRESSES + round), address(4 * round));
        times.push(change(&house, AliasAdd { alias: alias.clone(), owner }).await);
        let (from, targets) = (address(4002), vec![address(4 * round)]);
        times.push(change(&house, RedirectAdd { address: from.clone(), targets: targets.clone(), keep: None }).await);
        times.push(change(&house, RedirectRemove { address: from, targets }).await);
        times.push(change(&house, AliasRemove { alias }).await);
    }
    times.sort_unstable();
    report("a change", times[times.len() / 2], 50);
    report("the slowest change", times[times.len() - 1], 1000);

    let put = |text: &str| ScriptPut {
        place: "@".parse().expect("the server"),
        name: "before".to_owned(),
        text: text.to_owned(),
        activate: true,
    };
    report("all scripts anew", timed(act(&house, put("keep;\n"))).await, 2000);
    report("its text changed", timed(act(&house, put("# changed\nkeep;\n"))).await, 50);
    read(&house).await;
}

/// What is looked at every day, each as the median of some times.
async fn read(house: &House) {
    for number in 0..MESSAGES {
        deliver(house, number).await;
    }
    let jane = address(0);
    daily(house, "account list", AccountList { domain: None, parked: false }).await;
    daily(house, "account show", AccountShow { address: jane.clone() }).await;
    daily(house, "alias list", AliasList { domain: None }).await;
    daily(house, "redirect list", RedirectList { domain: None }).await;
    daily(house, "responder list", ResponderList { domain: None }).await;
    daily(house, "domain list", DomainList {}).await;
    daily(house, "script compiled", CompiledShow { address: jane.clone() }).await;
    daily(house, "script check", ScriptFaults { place: None }).await;
    daily(house, "queue list", QueueList { after: SendId(0), most: 100 }).await;
    daily(house, "status", Status {}).await;
    daily(house, "check", Check {}).await;
    let explain = Explain { address: jane.clone(), from: None, at: None, zone: None, message: None };
    daily(house, "explain", explain).await;
    daily(house, "trace, by address", Trace { about: TraceAbout::Address(jane), last: 20 }).await;
    let message_id = TraceAbout::MessageId("mail7@elsewhere.example".to_owned());
    daily(house, "trace, by message", Trace { about: message_id, last: 20 }).await;
}

async fn daily<A: Act + Clone>(house: &House, what: &str, request: A) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(timed(act(house, request.clone())).await);
    }
    times.sort_unstable();
    report(what, times[times.len() / 2], READING_MILLISECONDS);
}

/// To the first person, and to others.
async fn deliver(house: &House, number: usize) {
    let to = address(if number.is_multiple_of(4) { 0 } else { number });
    let envelope = Envelope {
        sender: Some("joe@elsewhere.example".parse().expect("well formed")),
        recipients: vec![Recipient::plain(to)],
        ..Envelope::default()
    };
    let mail = Mail {
        envelope,
        origin: Origin::Mx,
        now: Timestamp::from_seconds(1_790_000_000 + i64::try_from(number).expect("small")),
        remote_ip: None,
        remote_host: None,
        session: "bench".to_owned(),
        verdicts: String::new(),
        not_forwarded: None,
    };
    let text = format!("From: joe@elsewhere.example\r\nMessage-ID: <mail{number}@elsewhere.example>\r\n\r\nHello.\r\n");
    let read = move |mut message: Vec<u8>| {
        message.extend_from_slice(text.as_bytes());
        Ok(message)
    };
    house.delivery.deliver(mail, Answers::One, 100, read).await.expect("delivered");
}

/// As somebody does it who types: when the last change has been read.
async fn change<A: Act>(house: &House, request: A) -> Duration {
    house.directory.snapshot().await.expect("readable");
    timed(act(house, request)).await
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

fn report(what: &str, took: Duration, promised_milliseconds: u64) {
    say(format_args!("{what:<20} {took:>12.2?}  of {promised_milliseconds} ms"));
}

async fn act<A: Act>(house: &House, act: A) {
    let caller = Caller { author: "bench".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
    Box::pin(act.run(&house.admin, &caller)).await.unwrap_or_else(|refused| panic!("{}: {refused}", A::NAME));
}

fn address(number: usize) -> Address {
    format!("user{number}@example.org").parse().expect("well formed")
}

fn redirection(numbers: &[usize]) -> Switches {
    let mut targets: Vec<Target> =
        numbers.iter().map(|&number| Target { address: address(number), paused: false }).collect();
    let outside = format!("out{}@elsewhere.example", numbers[0]).parse().expect("well formed");
    targets.push(Target { address: outside, paused: false });
    Switches { redirection: Some(RedirectionSwitch { targets, keep: true, paused: false }), ..Switches::default() }
}

/// One mailbox, one alias, one virtual address and one mailbox that is redirected too, again and again; each address leads
/// to its neighbours, and each tenth answers.
fn switches(number: usize) -> Switches {
    let mut switches = match number % 4 {
        0 => Switches { mailbox: true, ..Switches::default() },
        1 => Switches { alias: Some(AliasSwitch { owner: address(number - 1), paused: false }), ..Switches::default() },
        2 => redirection(&[number - 1, number - 2, number / 8 * 4]),
        _ => Switches { mailbox: true, ..redirection(&[number - 1, number - 2, number - 3]) },
    };
    switches.responder = number.is_multiple_of(10).then(|| Responder {
        text: "I am away.\n".repeat(20),
        subject: None,
        window: None,
        every_seconds: 604_800,
        received: Received::Keep,
        paused: false,
    });
    switches
}

/// Past the acts, which would hash a password for each of five thousand people.
async fn settle(house: &House) -> Result<(), StoreError> {
    let domain = |name: &str, kind| {
        let name = name.parse().expect("well formed");
        DirectoryChange::AddDomain(NewDomain { name, kind, catch_all: None })
    };
    let example = "example.org".parse().expect("well formed");
    let domains =
        vec![domain("example.org", DomainKind::Authoritative), domain("example.net", DomainKind::AliasOf(example))];
    let store = &house.store;
    store.change_directory(store.directory_generation().await?, domains).await?;
    for piece in (0..ADDRESSES).collect::<Vec<_>>().chunks(500) {
        let mut changes = Vec::new();
        for &number in piece {
            let (address, switches) = (address(number), switches(number));
            if switches.mailbox {
                changes.push(DirectoryChange::AddAccount(NewAccount {
                    address: address.clone(),
                    names: Names::default(),
                    administrator: number == 0,
                    quota_octets: None,
                    credentials: None,
                }));
            }
            let (author, cause) = ("bench".to_owned(), "settle".to_owned());
            changes.push(DirectoryChange::PutAddress {
                address,
                switches,
                reserved: false,
                script: "keep;".to_owned(),
                author,
                cause,
            });
        }
        store.change_directory(store.directory_generation().await?, changes).await?;
    }
    let caller = Caller { author: "bench".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
    house.admin.refresh_compiled(&caller).await.expect("compiled");
    Ok(())
}
