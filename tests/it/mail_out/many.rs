//! A queue of any length costs the same memory.
//!
//! 2,000 sends against 20,000 in the normal run; POSTHOUSE_QUEUED=1000000 compares a million with a hundredth of it.

use super::kills::{prepare, start};
use crate::support::peer::Peer;
use posthouse::store::{BodyChoice, Deposit, NewSend, SendDetails, SendKind, Store};
use posthouse::types::{Address, Clock, SystemClock};
use std::path::Path;
use std::sync::Arc;

/// How many are due at once, each at a destination of its own.
const DUE: u32 = 500;
const HOUR: i64 = 3600;

fn send(number: u32, clock: &SystemClock) -> NewSend {
    let recipient: Address = format!("paul@d{}.example", number % 10_000).parse().unwrap();
    let now = clock.now();
    let due = if number < DUE { now } else { now.plus_seconds(HOUR + i64::from(number % 3000)) };
    NewSend {
        kind: SendKind::Redirection,
        account: None,
        address: Some(format!("team{}@example.org", number % 100).parse().unwrap()),
        sender: None,
        destination: recipient.domain().to_string(),
        recipient,
        due,
        expires: now.plus_seconds(100 * HOUR),
        priority: 0,
        details: SendDetails::default(),
    }
}

async fn fill(data: &Path, count: u32) {
    let clock = SystemClock;
    let store = Store::open(data, Arc::new(SystemClock)).unwrap();
    let mut number = 0;
    while number < count {
        let body = posthouse::mailbox::index(format!("Subject: {number}\r\n\r\nhello\r\n").as_bytes()).unwrap();
        let upper = (number + 1000).min(count);
        let sends = (number..upper).map(|number| (BodyChoice::New(0), send(number, &clock))).collect();
        store.deposit(Deposit { bodies: vec![body], sends, ..Deposit::default() }).await.unwrap();
        number = upper;
    }
    // Its last clone closes it, which is no work for a thread of the runtime.
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
}

/// KiB the server had at most, with so many in its queue.
async fn peak(count: u32) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let peer = Peer::start(&["PIPELINING"], |_, _| None).await;
    prepare(directory.path(), &format!("connect_to = \"{}\"", peer.address));
    fill(&directory.path().join("data"), count).await;
    let program = start(directory.path());
    peer.got(DUE as usize).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[allow(clippy::print_stderr)] // the figures are what the long run is for
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_costs_no_more_memory_than_a_short_one() {
    let wanted = std::env::var("POSTHOUSE_QUEUED").ok().and_then(|text| text.parse().ok());
    let (short, long) = wanted.map_or((2_000, 20_000), |long: u32| (long / 100, long));
    let (little, much) = (peak(short).await, peak(long).await);
    eprintln!("{short} sends: {little} KiB at most; {long} sends: {much} KiB at most");
    assert!(much <= little + little / 4 + 8 * 1024, "{short} sends: {little} KiB, {long} sends: {much} KiB");
}
