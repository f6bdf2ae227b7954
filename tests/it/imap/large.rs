//! Messages that are large: stored and read in pieces, whatever number of clients does it at once. A server of its own
//! process, whose memory can be measured.

use super::client::Client;
use crate::support::program::{Place, serve};
use std::net::SocketAddr;

const MESSAGE_OCTETS: usize = 30_000_000;
/// What eight readers of such messages may need in all: some buffers for each, and what allocators keep. They are sent
/// 240 MB.
const READERS_OCTETS_MAX: u64 = 60_000_000;

fn message() -> Vec<u8> {
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    let mut number = 1_u64;
    while message.len() < MESSAGE_OCTETS {
        // Hard to compress, as attachments are.
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        message.extend_from_slice(format!("{number:016x}{:016x}{number:o}\r\n", number.rotate_left(17)).as_bytes());
    }
    message
}

/// The most memory the process ever had, or had since that was reset.
fn peak_octets(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn reset_peak(process: u32) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
}

async fn read_whole(address: SocketAddr, expected: &[u8]) {
    let mut client = Client::login(address, "jane@example.org", "Correct9Horse").await;
    assert!(client.command("SELECT INBOX").await.is_ok());
    let answer = client.command("FETCH 1 BODY.PEEK[]").await;
    let line = &answer.untagged[0];
    let start = line.len() - 1 - expected.len();
    assert!(&line[start..line.len() - 1] == expected, "not the same octets");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_take_little_memory() {
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
    let (address, process) = (server.address("imap"), server.process());
    let message = message();

    let mut client = Client::login(address, "jane@example.org", "Correct9Horse").await;
    // A message that is coming in costs nothing while it comes: its octets are in a file.
    reset_peak(process);
    let before = peak_octets(process);
    client.say(format!("a APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes()).await;
    client.say(&message[..message.len() - 1000]).await;
    let coming = peak_octets(process) - before;
    assert!(coming < 4_000_000, "{coming} octets for a message on its way in");
    client.say(&message[message.len() - 1000..]).await;
    client.say(b"\r\n").await;
    assert!(client.answer("a").await.expect("an answer").is_ok());

    read_whole(address, &message).await;
    reset_peak(process);
    let before = peak_octets(process);
    let expected = std::sync::Arc::new(message);
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let expected = std::sync::Arc::clone(&expected);
            tokio::spawn(async move { read_whole(address, &expected).await })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    let used = peak_octets(process).saturating_sub(before);
    assert!(used < READERS_OCTETS_MAX, "{used} octets for eight readers");
    drop(client);
    tokio::task::spawn_blocking(move || {
        server.stop();
        place.assert_sound();
    })
    .await
    .unwrap();
}
