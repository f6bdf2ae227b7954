//! What comes in through a whole server's sockets on this machine, every message durable when it is acknowledged: by LMTP and
//! by SMTP, without a script and with one that passes a copy on and files the message, on 1, 8 and 32 connections. Beside
//! each rate stands how it compares with the least that durability costs: one block after the other, written and flushed.
//! `cargo bench --bench mailin`. A directory of its own under `TMPDIR`, which should be on the disk that is meant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod telling;
#[allow(dead_code, unreachable_pub)]
#[path = "../tests/it/support"]
mod support {
    pub mod running;
    pub mod smtp;
}

use posthouse::admin::ScriptPut;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::running::Running;
use support::smtp::Sender;
use telling::say;

const WARMING: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_millis(1500);
const CONNECTIONS: [usize; 3] = [1, 8, 32];
const PEOPLE: usize = 32;
const SCRIPT: &str = "require [\"fileinto\", \"mailbox\", \"copy\"];
if header :contains \"X-Mailer\" \"bench\" {
    redirect :copy \"archive@example.org\";
    fileinto :create \"Lists\";
    stop;
}
";

/// Blocks of a database's page, each flushed before the next: how many in a second.
fn bare(directory: &Path) -> f64 {
    const BLOCK: [u8; 8192] = [7; 8192];
    const BLOCKS: u64 = 1024;
    let mut file = File::create(directory.join("bare")).unwrap();
    file.write_all(&vec![0; BLOCK.len() * BLOCKS as usize]).unwrap();
    file.sync_all().unwrap();
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < MEASURED {
        file.seek(SeekFrom::Start(count % BLOCKS * BLOCK.len() as u64)).unwrap();
        file.write_all(&BLOCK).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Some 8 KB of words, no two alike.
fn message(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut words = String::new();
    while words.len() < 8000 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let word = ["mail", "horse", "relay", "letter", "road", "inn", "rider", "seal"][(state >> 61) as usize];
        words.push_str(&format!("{word}{} ", (state >> 40) & 0xfff));
        if (state >> 32) & 7 == 0 {
            words.push_str("\r\n");
        }
    }
    let header = format!(
        "From: Joe <joe@elsewhere.example>\r\nTo: you@example.org\r\nSubject: number {number}\r\nX-Mailer: bench\r\n\
         Message-ID: <{number}@elsewhere.example>\r\nDate: Fri, 20 Nov 2026 04:31:38 +0100\r\n\r\n"
    );
    format!("{header}{words}\r\n").into_bytes()
}

/// Messages acknowledged in a second by one service over so many connections, to people whose names begin like this.
async fn rate(house: &Arc<Running>, service: &'static str, people: &'static str, connections: usize) -> f64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let begun = Instant::now();
    let end = begun + WARMING + MEASURED;
    let senders = (0..connections).map(|_| {
        let house = Arc::clone(house);
        tokio::spawn(async move {
            let hello = if service == "lmtp" { "LHLO client.example" } else { "EHLO client.example" };
            let mut sender = Sender::connect(house.port(service), hello).await.unwrap();
            let mut measured = 0_u64;
            while Instant::now() < end {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let to = format!("{people}{}@example.org", number % PEOPLE as u64);
                let reply = sender.send("joe@elsewhere.example", &[&to], &message(number)).await.unwrap();
                assert!(reply.starts_with("250 2.6.0"), "{reply}");
                measured += u64::from(begun.elapsed() >= WARMING);
            }
            measured
        })
    });
    let mut all = 0;
    for sender in senders.collect::<Vec<_>>() {
        all += sender.await.unwrap();
    }
    all as f64 / (begun.elapsed() - WARMING).as_secs_f64()
}

async fn settled() -> Running {
    let house = Running::open(&["smtp", "lmtp"], "[throttle]\nexempt_networks = [\"127.0.0.1\"]\n").await;
    house.domain("example.org").await;
    house.account("archive@example.org", None).await;
    for number in 0..PEOPLE {
        house.account(&format!("plain{number}@example.org"), None).await;
        let scripted = format!("scripted{number}@example.org");
        house.account(&scripted, None).await;
        let place = scripted.parse().unwrap();
        house.act(ScriptPut { place, name: "own".to_owned(), text: SCRIPT.to_owned(), activate: true }).await;
    }
    house
}

async fn run() {
    let house = Arc::new(settled().await);
    for (people, script) in [("plain", "without a script"), ("scripted", "with a script that copies and files")] {
        for service in ["lmtp", "smtp"] {
            for connections in CONNECTIONS {
                let bare = bare(house.directory.path());
                let rate = rate(&house, service, people, connections).await;
                say(format_args!(
                    "{service} {script}, {connections:2} connections: {rate:5.0} messages/s, {:.2} for each of {bare:.0} bare flushes/s",
                    rate / bare
                ));
            }
        }
    }
    let house = Arc::into_inner(house).expect("all senders are done");
    house.close().await;
}

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(run());
}
