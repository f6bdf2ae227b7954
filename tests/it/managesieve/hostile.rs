//! Clients that mean harm, and others who must not notice.

use crate::support::running::{PASSWORD, Running};
use crate::support::sieve::Sieve;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PLAIN_LOGINS: &str = "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n";

/// The n-th of them: noise, halves of commands, literals that lie, quotes without an end.
fn malformed(number: u32) -> Vec<u8> {
    let mut seed = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        u8::try_from(seed >> 56).unwrap()
    };
    let noise = usize::from(next());
    let mut octets: Vec<u8> = match number % 8 {
        0 => Vec::new(),
        1 => b"PUTSCRIPT \"a\" {4294967295+}\r\n".to_vec(),
        2 => b"PUTSCRIPT \"a\" {60000+}\r\nkeep;".to_vec(),
        3 => b"AUTHENTICATE \"PLAIN\" \"".to_vec(),
        4 => b"AUTHENTICATE \"SCRAM-SHA-256\" \"bixhPSxuPSxyPQ==\"\r\n\"".to_vec(),
        5 => b"NOOP {99999999999999999999+}\r\n".to_vec(),
        6 => b"STARTTLS\r\n\x16\x03\x01".to_vec(),
        _ => b"LISTSCRIPTS \"\\\"\r\n{0+}\r\n{0+}\r\n\"".to_vec(),
    };
    octets.extend((0..noise).map(|_| next()));
    octets.extend_from_slice(b"\r\nLOGOUT\r\n");
    octets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_input_by_the_thousand_disturbs_nobody() {
    let running = Running::open(&["managesieve"], PLAIN_LOGINS).await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    let address = running.port("managesieve");
    let mut honest = Sieve::connect(address).await;
    assert!(honest.log_in("jane@example.org", PASSWORD).await.is_ok());
    let patience = Duration::from_secs(20);
    for round in 0..40_u32 {
        let attackers: Vec<_> = (0..25_u32)
            .map(|number| {
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    // The server may hang up before it has heard all of it.
                    let _ = stream.write_all(&malformed(round * 25 + number)).await;
                    let _ = stream.shutdown().await;
                    let mut heard = Vec::new();
                    let _ = stream.read_to_end(&mut heard).await;
                    assert!(heard.is_empty() || heard.starts_with(b"\"IMPLEMENTATION\""), "{heard:?}");
                })
            })
            .collect();
        let name = format!("script{}", round % 5);
        let put = timeout(patience, honest.put(&name, &format!("# {round}\r\nkeep;\r\n"))).await.expect("it is served");
        assert!(put.is_ok(), "{put:?}");
        for attacker in attackers {
            timeout(patience, attacker).await.expect("the session ends").unwrap();
        }
    }
    assert_eq!(honest.say("LISTSCRIPTS").await.data.len(), 5 + 3, "five of hers, three of her addresses");
    running.close().await;
}

/// The same after a login, where more is read: sessions answer or end, and never fall.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_input_after_login_ends_only_its_session() {
    let running = Running::open(&["managesieve"], PLAIN_LOGINS).await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    let address = running.port("managesieve");
    for number in 0..200 {
        let mut client = Sieve::connect(address).await;
        assert!(client.log_in("jane@example.org", PASSWORD).await.is_ok());
        let mut octets = malformed(number);
        // Long enough for the literal that is waited for, and no longer.
        octets.resize(octets.len() + 70_000, b'\n');
        octets.extend_from_slice(b"\r\nLOGOUT\r\n");
        let ended = async {
            client.write(&octets).await;
            while client.reply().await.is_some() {}
        };
        timeout(Duration::from_secs(20), ended).await.expect("the session ends");
    }
    let mut honest = Sieve::connect(address).await;
    assert!(honest.log_in("jane@example.org", PASSWORD).await.is_ok());
    assert!(honest.say("LISTSCRIPTS").await.is_ok());
    running.close().await;
}

/// Each activation changes the directory, and nobody's may be lost to the others'.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_activate_scripts_at_once_get_their_turn() {
    let running = Running::open(&["managesieve"], PLAIN_LOGINS).await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    let address = running.port("managesieve");
    let clients: Vec<_> = (0..60)
        .map(|number| {
            tokio::spawn(async move {
                let mut client = Sieve::connect(address).await;
                assert!(client.log_in("jane@example.org", PASSWORD).await.is_ok());
                let name = format!("script{number}");
                assert!(client.put(&name, "keep;\r\n").await.is_ok());
                for _ in 0..3 {
                    let reply = client.say(&format!("SETACTIVE \"{name}\"")).await;
                    assert!(reply.is_ok(), "{}", reply.end);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    running.close().await;
}

#[tokio::test]
async fn what_stands_behind_starttls_is_dropped() {
    let running = Running::open(&["managesieve"], PLAIN_LOGINS).await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    for number in 0..50 {
        let mut stream = TcpStream::connect(running.port("managesieve")).await.unwrap();
        let behind = ["NOOP \"x\"\r\n", "LISTSCRIPTS\r\n", "\r\n", "{5+}\r\n", "x"][number % 5];
        stream.write_all(format!("STARTTLS\r\n{behind}").as_bytes()).await.unwrap();
        let mut heard = String::new();
        let _ = stream.read_to_string(&mut heard).await;
        assert!(heard.ends_with("OK \"Scripts are here\"\r\n"), "{heard}");
    }
    running.close().await;
}
