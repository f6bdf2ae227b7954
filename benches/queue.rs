//! How fast queued mail goes out to a server on loopback, one destination or many, and what a long queue costs in memory.
//! `cargo bench --bench queue`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::dns::FakeResolver;
use posthouse::net::{Shutdown, TlsClient};
use posthouse::queue::{House, HouseFate, HouseMail, Pending, Queue, QueueParts, QueueSettings};
use posthouse::smtp::client::{Client, ClientSettings, Patience};
use posthouse::store::{BodyChoice, Deposit, NewSend, Refusing, SendDetails, SendKind, Store};
use posthouse::types::{Address, Clock, Domain, HostPort, SystemClock};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telling::say;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const MESSAGES: u32 = 10_000;
/// What it has to reach at least, on two cores that it shares with the server it sends to.
const MESSAGES_PER_SECOND_MIN: f64 = 1_000.0;
/// Queues that are compared, and what is due of each at once.
const SHORT: u32 = 10_000;
const LONG: u32 = 1_000_000;
const DUE: u32 = 2_000;
const HOUR: i64 = 3600;
/// Names the directory in which a process of its own drains a queue, and is measured.
const CHILD: &str = "POSTHOUSE_BENCH_QUEUE";

/// Nothing is for anybody here.
struct Nobody;

impl House for Nobody {
    fn hosts<'a>(&'a self, _: &'a Domain) -> Pending<'a, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    fn answers_at(&self, _: IpAddr) -> bool {
        false
    }

    fn deliver(&self, _: HouseMail) -> Pending<'_, HouseFate> {
        Box::pin(std::future::ready(HouseFate::Refused("nobody is here".to_owned())))
    }

    fn target_refuses<'a>(&'a self, _: &'a Refusing) -> Pending<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Takes everything, and counts.
async fn serve(stream: TcpStream, taken: watch::Sender<u32>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut out = b"220 sink.example\r\n".to_vec();
    let (mut line, mut is_data) = (Vec::new(), false);
    loop {
        if stream.buffer().is_empty() && !out.is_empty() {
            stream.get_mut().write_all(&out).await?;
            out.clear();
        }
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if is_data {
            if line == b".\r\n" {
                is_data = false;
                taken.send_modify(|count| *count += 1);
                out.extend_from_slice(b"250 taken\r\n");
            }
            continue;
        }
        is_data = line == b"DATA\r\n";
        out.extend_from_slice(match &line[..4] {
            b"DATA" => b"354 go on\r\n".as_slice(),
            b"EHLO" => b"250-sink.example\r\n250-PIPELINING\r\n250 SIZE\r\n",
            _ => b"250 fine\r\n",
        });
    }
}

async fn sink() -> (SocketAddr, watch::Receiver<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (taken, count) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, taken.clone()));
        }
    });
    (address, count)
}

fn send(number: u32, destinations: u32, due_count: u32) -> NewSend {
    let recipient: Address = format!("paul@d{}.example", number % destinations).parse().unwrap();
    let now = SystemClock.now();
    NewSend {
        kind: SendKind::Redirection,
        account: None,
        address: Some(format!("team{}@example.org", number % 100).parse().unwrap()),
        sender: Some(format!("author{}@elsewhere.example", number % 1000).parse().unwrap()),
        destination: recipient.domain().to_string(),
        recipient,
        due: if number < due_count { now } else { now.plus_seconds(HOUR + i64::from(number % 3000)) },
        expires: now.plus_seconds(100 * HOUR),
        priority: 0,
        details: SendDetails::default(),
    }
}

/// Messages of 4 KB, a body for each of the first `bodies` and one for the rest.
async fn fill(data: &Path, count: u32, destinations: u32, due_count: u32) {
    let store = Store::open(data, Arc::new(SystemClock)).unwrap();
    let line = "Words that fill the mail until it is as long as it should be, and no longer than that.\r\n".repeat(45);
    let mut number = 0;
    let mut deposits = tokio::task::JoinSet::new();
    while number < count {
        // What is due are messages of their own; what waits may share theirs, as its bodies are not touched.
        let upper = if number < due_count { number + 1 } else { (number + 1000).min(count) };
        let body = posthouse::mailbox::index(format!("Subject: {number}\r\n\r\n{line}").as_bytes()).unwrap();
        let sends = (number..upper).map(|one| (BodyChoice::New(0), send(one, destinations, due_count))).collect();
        let store = store.clone();
        deposits.spawn(async move {
            store.deposit(Deposit { bodies: vec![body], sends, ..Deposit::default() }).await.unwrap();
        });
        // So many share a commit.
        if deposits.len() >= 64 {
            deposits.join_next().await.unwrap().unwrap();
        }
        number = upper;
    }
    deposits.join_all().await;
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
}

/// How long it takes until all that is due is there.
async fn drain(data: &Path, due_count: u32) -> Duration {
    let (address, mut taken) = sink().await;
    let hostname: Domain = "mail.example.org".parse().unwrap();
    let store = Store::open(data, Arc::new(SystemClock)).unwrap();
    let shutdown = Shutdown::new();
    let client = Client::new(ClientSettings {
        hostname: hostname.clone(),
        patience: Patience::default(),
        unverified: TlsClient::unverified().unwrap(),
        verified: TlsClient::verified().unwrap(),
        https_port: 443,
        shutdown: shutdown.clone(),
        clock: Arc::new(SystemClock),
    });
    let settings = QueueSettings { connect_to: HostPort::parse(&address.to_string()), ..QueueSettings::new(hostname) };
    let parts = QueueParts {
        store: store.clone(),
        settings,
        resolver: Arc::new(FakeResolver::new("").unwrap()),
        transport: Arc::new(client),
        house: Arc::new(Nobody),
    };
    let queue = Queue::open(parts).await.unwrap();
    let started = Instant::now();
    let mut took = Duration::ZERO;
    let all_there = async {
        taken.wait_for(|count| *count >= due_count).await.unwrap();
        took = started.elapsed();
    };
    queue.run(all_there).await.unwrap();
    drop(queue);
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
    took
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn rate(destinations: u32) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        runtime().block_on(fill(directory.path(), MESSAGES, destinations, MESSAGES));
        best = best.min(runtime().block_on(drain(directory.path(), MESSAGES)).as_secs_f64());
    }
    f64::from(MESSAGES) / best
}

/// KiB that a process had at most that drained what was due of a queue of this length.
fn peak(count: u32) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(fill(directory.path(), count, 10_000, DUE));
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.env(CHILD, directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn main() {
    if let Some(directory) = std::env::var_os(CHILD) {
        runtime().block_on(drain(Path::new(&directory), DUE));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        say(line.trim().trim_end_matches(" kB"));
        return;
    }
    for destinations in [1, 1000] {
        let rate = rate(destinations);
        say(format!("{MESSAGES} messages of 4 KB to {destinations} destination(s): {rate:.0} a second"));
        assert!(rate >= MESSAGES_PER_SECOND_MIN, "that is slow");
    }
    let (short, long) = (peak(SHORT), peak(LONG));
    say(format!("{DUE} of {SHORT} sends: {short} KiB at most; {DUE} of {LONG}: {long} KiB"));
    assert!(long <= short + short / 4 + 8 * 1024, "memory grows with the queue");
}
