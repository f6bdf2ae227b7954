//! What SEARCH, SORT and SELECT promise, as ratios of one run: looking for a word that few or no messages have, against
//! reading the text of every message; telling of a large mailbox, against reading it. `cargo bench --bench mailbox
//! [-- MESSAGES]`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::mailbox::{FactsOf, Mailboxes, NewMessage, Query, Settings, State, TextPlace};
use posthouse::store::{DirectoryChange, DomainKind, Names, NewAccount, NewDomain, Store};
use posthouse::types::{AccountId, Address, Flags, MailboxName, SystemClock, UidSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telling::say;

const ROUNDS: usize = 5;
const BATCH: u32 = 200;
const WORDS_PER_MESSAGE: u32 = 900;
/// In the mailbox that is selected.
const SELECTED_MESSAGES_MIN: u32 = 100_000;

fn main() {
    // `cargo bench` passes --bench.
    let messages: u32 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(4000);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(searches(messages));
}

async fn account(store: &Store) -> AccountId {
    let address: Address = "user@bench.test".parse().expect("an address");
    let name = "bench.test".parse().expect("a domain");
    let changes = vec![
        DirectoryChange::AddDomain(NewDomain { name, kind: DomainKind::Authoritative, catch_all: None }),
        DirectoryChange::AddAccount(NewAccount {
            address: address.clone(),
            names: Names::default(),
            administrator: false,
            quota_octets: None,
            credentials: None,
        }),
    ];
    let generation = store.directory_generation().await.expect("readable");
    store.change_directory(generation, changes).await.expect("changed");
    store.account(&address).await.expect("readable").expect("there").id
}

/// Words as mail has them: some thousand different ones, a few of them everywhere. Every thousandth message has one
/// that no other has.
fn mail(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) + 1;
    let mut text = format!("From: Person {} <p{number}@bench.test>\r\nSubject: about {number}\r\n\r\n", number % 97);
    for word in 0..WORDS_PER_MESSAGE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let rank = (state >> 33) % 5000;
        let _ = write!(text, "w{:x}ord ", rank * rank / 5000 * 7919);
        if word % 12 == 11 {
            text.push_str("\r\n");
        }
    }
    if number % 1000 == 7 {
        text.push_str("quixotry\r\n");
    }
    text.into_bytes()
}

async fn searches(messages: u32) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path(), Arc::new(SystemClock)).expect("opens");
    let account = account(&store).await;
    let mailboxes = Mailboxes::new(store.clone(), Settings::default()).expect("opens");
    let inbox = MailboxName::inbox();
    for first in (0..messages).step_by(BATCH as usize) {
        let mut batch = Vec::new();
        for number in first..(first + BATCH).min(messages) {
            let content = mailboxes.prepare(mail(number)).await.expect("prepared");
            batch.push(NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), internal_date: None });
        }
        mailboxes.append(account, &inbox, batch).await.expect("appended");
    }
    let (_, open) = mailboxes.open(account, &inbox).await.expect("opens");
    let state = mailboxes.state(&open).await.expect("readable");
    let body = |word: &str| Query::Text(TextPlace::Body, word.to_owned());
    let header = |name: &str, text: &str| Query::Text(TextPlace::Header(name.to_owned()), text.to_owned());

    // Two letters rule nothing out: every text is unpacked and looked through.
    let plain = search(&mailboxes, &state, &body("zq")).await;
    say(format_args!("{messages} messages, every text read: {:.1} ms", milliseconds(plain)));
    for (what, query) in [
        ("an absent word", body("zyzzyvaxqj")),
        ("a rare word", body("quixotry")),
        ("a sender", header("from", "person 42")),
        ("unseen", Query::Not(Box::new(Query::Flags(Flags::SEEN)))),
    ] {
        let took = search(&mailboxes, &state, &query).await;
        say(format_args!("{what}: {:.2} ms, 1/{:.0}", milliseconds(took), plain.as_secs_f64() / took.as_secs_f64()));
    }
    let begun = Instant::now();
    let entries = state.entries().copied().collect();
    let unheard = &mut |_, _| {};
    let gathering = mailboxes.gather(
        entries,
        FactsOf::Sorting,
        unheard,
        |_, facts| facts.base_subject.to_owned(),
        |rows| rows.len(),
    );
    let gathered = gathering.await.expect("gathered");
    say(format_args!("facts of {gathered} messages: {:.1} ms", milliseconds(begun.elapsed())));
    while mailboxes.head(&open).await.expect("readable").messages < SELECTED_MESSAGES_MIN {
        mailboxes.copy(account, &open, UidSet::from_ranges([(1, u32::MAX)]), &inbox, unheard).await.expect("copied");
    }
    drop(mailboxes);
    selects(store, account, &inbox).await;
}

/// As after a restart of the server, though not with cold files.
async fn selects(store: Store, account: AccountId, name: &MailboxName) {
    let (mut told, mut read) = (Duration::MAX, Duration::MAX);
    let mut messages = 0;
    for _ in 0..ROUNDS {
        let mailboxes = Mailboxes::new(store.clone(), Settings::default()).expect("opens");
        let begun = Instant::now();
        let (_, open) = mailboxes.open(account, name).await.expect("opens");
        messages = mailboxes.head(&open).await.expect("readable").messages;
        told = told.min(begun.elapsed());
        mailboxes.state(&open).await.expect("readable");
        read = read.min(begun.elapsed());
    }
    let ratio = read.as_secs_f64() / told.as_secs_f64();
    let (told, read) = (milliseconds(told), milliseconds(read));
    say(format_args!("a mailbox of {messages} is told in {told:.2} ms and read in {read:.1} ms, 1/{ratio:.0}"));
}

/// The best of some rounds: the others were disturbed.
async fn search(mailboxes: &Mailboxes, state: &Arc<State>, query: &Query) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let among = UidSet::from_ranges([(1, u32::MAX)]);
        let _ = mailboxes.search(state, query, among, &mut |_, _| {}).await.expect("searched");
        best = best.min(begun.elapsed());
    }
    best
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
