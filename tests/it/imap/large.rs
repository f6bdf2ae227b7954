//! Messages that are large: stored and read in pieces, whatever number of clients does it at once. A server of its own
//! process, whose memory can be measured.

use super::client::Client;
use crate::support::program::{Place, Server, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const MESSAGE_OCTETS: usize = 30_000_000;
/// What eight readers of such messages may need in all: some buffers for each, and what allocators keep. They are sent
/// 210 MB.
const READERS_OCTETS_MAX: u64 = 60_000_000;
const WRITERS: usize = 6;
/// What any number of writers may need in all: one message whole, and once more what is found in it.
const WRITERS_OCTETS_MAX: u64 = (2 * MESSAGE_OCTETS) as u64 + 30_000_000;

const HEADER: &str = "Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
                      Content-Transfer-Encoding: base64\r\n\r\n";

/// As attachments are: encoded, and hard to compress.
fn message() -> Vec<u8> {
    let mut message = HEADER.as_bytes().to_vec();
    let mut number = 1_u64;
    while message.len() < MESSAGE_OCTETS {
        let mut line = Vec::with_capacity(54);
        while line.len() < 54 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            line.extend_from_slice(&number.to_be_bytes()[..6]);
        }
        message.extend_from_slice(posthouse::auth::encode(&line).as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// The octets of an item's literal.
fn literal(line: &[u8]) -> &[u8] {
    let start = line.windows(3).position(|three| three == b"}\r\n").unwrap() + 3;
    &line[start..line.len() - 1]
}

/// Looks at a process until it is asked for the most it saw.
struct Watch {
    process: u32,
    before: u64,
    over: Arc<AtomicBool>,
    most: JoinHandle<u64>,
}

impl Watch {
    fn over(process: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&over);
        let before = memory_octets(process);
        let most = std::thread::spawn(move || {
            let mut most = 0;
            while !heard.load(Ordering::Relaxed) {
                most = most.max(memory_octets(process));
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        });
        Self { process, before, over, most }
    }

    /// How much more it was at most than at the beginning.
    fn growth(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let most = self.most.join().unwrap().max(memory_octets(self.process));
        most.saturating_sub(self.before)
    }
}

/// What the process has for itself. The database's file, which each reading connection maps and the system takes back when
/// it likes, is counted nowhere: the peak that the system keeps has it, once for each of them.
fn memory_octets(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Reads the message as it is.
async fn read_whole(address: SocketAddr, expected: &[u8]) {
    let mut client = Client::login(address, "jane@example.org", "Correct9Horse").await;
    assert!(client.command("SELECT INBOX").await.is_ok());
    let answer = client.command("FETCH 1 BODY.PEEK[]").await;
    assert!(literal(&answer.untagged[0]) == expected, "not the same octets");
}

/// Reads what the message holds.
async fn read_decoded(address: SocketAddr, expected: &[u8]) {
    let mut client = Client::login(address, "jane@example.org", "Correct9Horse").await;
    assert!(client.command("SELECT INBOX").await.is_ok());
    let answer = client.command("FETCH 1 BINARY.PEEK[1]").await;
    assert!(literal(&answer.untagged[0]) == expected, "not what was encoded");
}

/// A server with one account.
fn begin() -> (Place, Server) {
    let place = Place::new();
    place.configure("imap = []", "imap = [\"127.0.0.1:0\"]");
    place.configure("[auth]\n", "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n");
    for (arguments, input) in [
        (vec!["domain", "add", "example.org"], ""),
        (vec!["account", "add", "jane@example.org", "--password-stdin"], "Correct9Horse\n"),
    ] {
        let outcome = place.run(&arguments, input);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
    }
    let server = serve(&place);
    (place, server)
}

async fn end(place: Place, server: Server) {
    tokio::task::spawn_blocking(move || {
        server.stop();
        place.assert_sound();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_take_little_memory() {
    let (place, server) = begin();
    let (address, process) = (server.address("imap"), server.process());
    let message = message();

    let mut client = Client::login(address, "jane@example.org", "Correct9Horse").await;
    // A message that is coming in costs nothing while it comes: its octets are in a file.
    let watch = Watch::over(process);
    client.say(format!("a APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes()).await;
    client.say(&message[..message.len() - 1000]).await;
    let coming = watch.growth();
    assert!(coming < 4_000_000, "{coming} octets for a message on its way in");
    client.say(&message[message.len() - 1000..]).await;
    client.say(b"\r\n").await;
    assert!(client.answer("a").await.expect("an answer").is_ok());

    read_whole(address, &message).await;
    let watch = Watch::over(process);
    let expected = Arc::new(message);
    let lines = expected[HEADER.len()..].split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    let decoded: Arc<Vec<u8>> = Arc::new(lines.flat_map(|line| posthouse::auth::decode(line).unwrap()).collect());
    let readers: Vec<_> = (0..8)
        .map(|number| {
            let (expected, decoded) = (Arc::clone(&expected), Arc::clone(&decoded));
            tokio::spawn(async move {
                if number % 2 == 0 {
                    read_whole(address, &expected).await;
                } else {
                    read_decoded(address, &decoded).await;
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    let used = watch.growth();
    assert!(used < READERS_OCTETS_MAX, "{used} octets for eight readers");
    drop(client);
    end(place, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_that_come_together_take_no_more_memory() {
    let (place, server) = begin();
    let (address, process) = (server.address("imap"), server.process());
    let message = Arc::new(message());
    let watch = Watch::over(process);
    let write = |commands: fn(usize) -> (String, String)| {
        let message = Arc::clone(&message);
        tokio::spawn(async move {
            let mut client = Client::login(address, "jane@example.org", "Correct9Horse").await;
            let (start, end) = commands(message.len());
            client.say(start.as_bytes()).await;
            client.say(&message).await;
            client.say(end.as_bytes()).await;
            assert!(client.answer("a").await.expect("an answer").is_ok());
        })
    };
    let append = |octets| (format!("a APPEND INBOX {{{octets}+}}\r\n"), "\r\n".to_owned());
    let catenate = |octets| (format!("a APPEND INBOX CATENATE (TEXT {{{octets}+}}\r\n"), ")\r\n".to_owned());
    let writers: Vec<_> = (0..WRITERS).map(|at| if at % 2 == 0 { write(append) } else { write(catenate) }).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let used = watch.growth();
    assert!(used < WRITERS_OCTETS_MAX, "{used} octets for {WRITERS} writers");
    end(place, server).await;
}
