//! The store's two promises, as ratios of one run: group commit against a bare loop with the same rows, and reading
//! message metadata. `cargo bench --bench store [-- MESSAGES]`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::store::{
    BodyChoice, BodyIndex, Deposit, DirectoryChange, DomainKind, Filing, FilingPlace, FlagVerb, Names, NewAccount,
    NewBody, NewDomain, Sketch, Store,
};
use posthouse::types::{AccountId, Address, Flags, MailboxName, Switches, SystemClock, Timestamp, UidSet};
use std::sync::Arc;
use std::time::Instant;
use telling::say;

const ROUNDS: usize = 5;
const CALLERS: u32 = 64;
const MESSAGE_OCTETS: usize = 20_000;

fn main() {
    // `cargo bench` passes --bench.
    let messages: u32 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(4000);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    commit(&runtime, messages);
    metadata(&runtime);
}

/// Octets that compress about as mail does not: the comparison is of writing, not of zstd.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed) * 0x9E37_79B9_7F4A_7C15 + 1;
    let mut octets = Vec::with_capacity(MESSAGE_OCTETS);
    while octets.len() < MESSAGE_OCTETS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        octets.extend_from_slice(&state.to_le_bytes());
    }
    octets
}

fn body(octets: &[u8]) -> NewBody {
    let index = BodyIndex {
        envelope: vec![b'e'; 400],
        bodystructure: vec![b'b'; 120],
        structure: vec![1; 60],
        facts: vec![2; 200],
        search_text: vec![b't'; 200],
        sketch: Sketch { signature: vec![7; 1024], fields: vec![b'f'; 200] },
    };
    NewBody::of(octets, index).expect("packs")
}

async fn account(store: &Store, number: u32) -> AccountId {
    let address: Address = format!("user{number}@bench.test").parse().expect("an address");
    let mut changes = Vec::new();
    if number == 0 {
        let name = "bench.test".parse().expect("a domain");
        changes.push(DirectoryChange::AddDomain(NewDomain { name, kind: DomainKind::Authoritative, catch_all: None }));
    }
    changes.push(DirectoryChange::AddAccount(NewAccount {
        address: address.clone(),
        names: Names::default(),
        administrator: false,
        quota_octets: None,
        credentials: None,
    }));
    changes.push(DirectoryChange::PutAddress {
        address: address.clone(),
        switches: Switches { mailbox: true, ..Switches::default() },
        reserved: false,
        script: "keep;".to_owned(),
        author: String::new(),
        cause: String::new(),
    });
    let generation = store.directory_generation().await.expect("readable");
    store.change_directory(generation, changes).await.expect("changed");
    store.account(&address).await.expect("readable").expect("there").id
}

fn filing(account: AccountId, body: BodyChoice) -> Filing {
    Filing {
        account,
        place: FilingPlace::Named(MailboxName::inbox()),
        body,
        flags: Flags::NONE,
        keywords: Vec::new(),
        internal_date: Timestamp(0),
        internal_zone_minutes: 0,
        within_quota: true,
    }
}

/// Messages per second through the store: 64 callers that each wait for their commit.
fn through_the_store(runtime: &tokio::runtime::Runtime, bodies: &[NewBody]) -> f64 {
    let directory = tempfile::tempdir_in(".").expect("a directory");
    let store = Store::open(directory.path(), Arc::new(SystemClock)).expect("opens");
    let accounts = runtime.block_on(async {
        let mut accounts = Vec::new();
        for number in 0..50 {
            accounts.push(account(&store, number).await);
        }
        accounts
    });
    let deposits: Vec<Deposit> = bodies
        .iter()
        .zip(accounts.iter().cycle())
        .map(|(body, account)| Deposit {
            bodies: vec![body.clone()],
            filings: vec![filing(*account, BodyChoice::New(0))],
            ..Deposit::default()
        })
        .collect();
    let per_caller = deposits.len().div_ceil(CALLERS as usize);
    let start = Instant::now();
    runtime.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        let mut deposits = deposits.into_iter();
        loop {
            let share: Vec<Deposit> = deposits.by_ref().take(per_caller).collect();
            if share.is_empty() {
                break;
            }
            let store = store.clone();
            callers.spawn(async move {
                for deposit in share {
                    store.deposit(deposit).await.expect("filed");
                }
            });
        }
        callers.join_all().await;
    });
    bodies.len() as f64 / start.elapsed().as_secs_f64()
}

/// The same rows, 64 to a commit, in a loop that does nothing else.
fn bare_loop(bodies: &[Vec<u8>]) -> f64 {
    let directory = tempfile::tempdir_in(".").expect("a directory");
    let connection = rusqlite::Connection::open(directory.path().join("bare.db")).expect("opens");
    connection
        .execute_batch(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;
             PRAGMA wal_autocheckpoint = 20000;
             CREATE TABLE body (id INTEGER PRIMARY KEY, envelope BLOB, structure BLOB);
             CREATE TABLE chunk (id INTEGER PRIMARY KEY, data BLOB);
             CREATE TABLE search_text (id INTEGER PRIMARY KEY, data BLOB);
             CREATE TABLE reference (id INTEGER PRIMARY KEY, count INTEGER);
             CREATE TABLE page (id INTEGER PRIMARY KEY, entries BLOB);
             CREATE TABLE mailbox (id INTEGER PRIMARY KEY, next INTEGER);
             CREATE TABLE usage (id INTEGER PRIMARY KEY, octets INTEGER);",
        )
        .expect("made");
    for mailbox in 0..50 {
        connection.execute("INSERT INTO mailbox VALUES (?1, 1)", [mailbox]).expect("made");
        connection.execute("INSERT INTO usage VALUES (?1, 1)", [mailbox]).expect("made");
        connection.execute("INSERT INTO page VALUES (?1, x'')", [mailbox]).expect("made");
    }
    let mut pages = vec![Vec::new(); 50];
    let start = Instant::now();
    for (group, batch) in bodies.chunks(64).enumerate() {
        connection.execute_batch("BEGIN IMMEDIATE").expect("begun");
        let run = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| {
            connection.prepare_cached(sql).expect("prepared").execute(parameters).expect("done");
        };
        for (place, octets) in batch.iter().enumerate() {
            let id = (group * 64 + place) as i64;
            let mailbox = id % 50;
            let page: &mut Vec<u8> = &mut pages[mailbox as usize];
            if page.len() >= 128 * 60 {
                page.clear();
            }
            page.extend_from_slice(&[7; 60]);
            run("INSERT INTO body VALUES (?1, ?2, ?3)", &[&id, &vec![1_u8; 520], &vec![2_u8; 260]]);
            run("INSERT INTO chunk VALUES (?1, ?2)", &[&id, octets]);
            run("INSERT INTO search_text VALUES (?1, ?2)", &[&id, &vec![3_u8; 40]]);
            run("INSERT INTO reference VALUES (?1, 1)", &[&id]);
            run("UPDATE page SET entries = ?2 WHERE id = ?1", &[&mailbox, page]);
            run("UPDATE mailbox SET next = next + 1 WHERE id = ?1", &[&mailbox]);
            run("UPDATE usage SET octets = octets + 20000 WHERE id = ?1", &[&mailbox]);
        }
        connection.execute_batch("COMMIT").expect("committed");
    }
    bodies.len() as f64 / start.elapsed().as_secs_f64()
}

fn commit(runtime: &tokio::runtime::Runtime, messages: u32) {
    let raw: Vec<Vec<u8>> = (0..messages).map(noise).collect();
    let packed: Vec<NewBody> = raw.iter().map(|octets| body(octets)).collect();
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (bare, store) = (bare_loop(&raw), through_the_store(runtime, &packed));
        say(format_args!("commit round {round}: store {store:.0}/s, bare loop {bare:.0}/s, ratio {:.2}", store / bare));
        ratios.push(store / bare);
    }
    ratios.sort_by(f64::total_cmp);
    say(format_args!("commit: median ratio {:.2} (promised: at least 0.60)", ratios[ROUNDS / 2]));
}

fn metadata(runtime: &tokio::runtime::Runtime) {
    const COUNT: u32 = 100_000;
    let directory = tempfile::tempdir_in(".").expect("a directory");
    let store = Store::open(directory.path(), Arc::new(SystemClock)).expect("opens");
    runtime.block_on(async {
        let jane = account(&store, 0).await;
        let deposit = Deposit {
            bodies: vec![body(b"one message")],
            filings: vec![filing(jane, BodyChoice::New(0)); 1000],
            ..Deposit::default()
        };
        for _ in 0..COUNT / 1000 {
            store.deposit(deposit.clone()).await.expect("filed");
        }
        let inbox = store.mailbox(jane, &MailboxName::inbox()).await.expect("readable").expect("there").id;
        for round in 1..=ROUNDS {
            let start = Instant::now();
            let (_, entries) = store.entries(inbox).await.expect("readable");
            assert_eq!(entries.len(), COUNT as usize);
            let rate = f64::from(COUNT) / start.elapsed().as_secs_f64();
            say(format_args!("metadata round {round}: {:.1} million rows/s (promised: at least 1)", rate / 1e6));
        }
        let mut times = Vec::new();
        for round in 0..11 {
            let change = posthouse::store::FlagChange {
                uids: UidSet::from_ranges([(1, 20_000)]),
                verb: if round % 2 == 0 { FlagVerb::Add } else { FlagVerb::Remove },
                flags: Flags::FLAGGED,
                keywords: Vec::new(),
                within: Flags::ALL,
                unchanged_since: None,
            };
            let start = Instant::now();
            store.change_flags(inbox, change).await.expect("changed");
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (least, median) = (times[0], times[times.len() / 2]);
        say(format_args!("flags of 20,000 messages, committed: {median:.1} ms, at best {least:.1} ms"));
    });
}
