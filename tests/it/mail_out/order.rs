//! In which order, by how many connections and by which servers mail goes out, and what does not go out again.

use super::first::house_in;
use super::kills::{prepare, start};
use super::queue::typed;
use crate::support::peer::{Peer, say};
use crate::support::running::{PASSWORD, Running};
use crate::support::smtp::Sender;
use posthouse::dns::{FakeResolver, FakeServer};
use posthouse::store::SendState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const OPEN: &str = "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n";

fn message(from: &str, subject: &str) -> Vec<u8> {
    format!("From: {from}\r\nSubject: {subject}\r\n\r\nhello\r\n").into_bytes()
}

/// A server that lets nobody in until it is told to.
async fn closed(extensions: &[&str]) -> (Peer, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    let script = move |line: &str, _: &_| match line {
        "GREETING" if !is_open.load(Ordering::SeqCst) => say("421 4.3.2 not yet"),
        _ => None,
    };
    (Peer::start(extensions, script).await, open)
}

#[tokio::test]
async fn the_urgent_goes_first_and_everybody_has_a_turn() {
    let (peer, open) = closed(&["PIPELINING"]).await;
    let outbound = format!("[outbound]\nconnect_to = \"{}\"\nconnections_per_destination_max = 1\n", peer.address);
    let house = Running::open(&["submission"], &format!("{OPEN}{outbound}")).await;
    house.domain("example.org").await;
    for person in ["jane@example.org", "paul@example.org"] {
        house.account(person, None).await;
    }
    let mut queued = 0;
    let mut submit = async |from: &str, priority: &str, subject: &str| {
        let mut sender = Sender::connect(house.port("submission"), "EHLO client.example").await.unwrap();
        sender.log_in(from).await.unwrap();
        for line in [&format!("MAIL FROM:<{from}>{priority}"), "RCPT TO:<far@far.example>"] {
            let reply = sender.say(line).await.unwrap();
            assert!(reply.starts_with("250"), "{reply}");
        }
        sender.say("DATA").await.unwrap();
        sender.write(&[message(from, subject), b".\r\n".to_vec()].concat()).await.unwrap();
        assert!(sender.reply().await.unwrap().starts_with("250"));
        queued += 1;
    };
    for number in 0..8 {
        submit("jane@example.org", "", &format!("jane {number}")).await;
    }
    submit("jane@example.org", " MT-PRIORITY=-4", "newsletter").await;
    submit("jane@example.org", " MT-PRIORITY=6", "alarm").await;
    submit("paul@example.org", "", "paul").await;
    house.until("all have failed once", async || house.sends().await.iter().all(|send| send.attempts > 0)).await;
    open.store(true, Ordering::SeqCst);
    let before = *peer.seen.connections.lock().unwrap();
    assert_eq!(typed(&house.directory.path().join("data"), "queue retry --all").await.0, 0);
    let got = peer.got(queued).await;
    let subjects: Vec<String> = got
        .iter()
        .map(|got| got.text().lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned)).unwrap())
        .collect();
    let place = |subject: &str| subjects.iter().position(|one| one == subject).unwrap();
    assert_eq!((place("alarm"), place("newsletter")), (0, queued - 1), "{subjects:?}");
    // One of his does not wait for eight of hers.
    assert!(place("paul") <= 2, "{subjects:?}");
    house.idle().await;
    assert_eq!(*peer.seen.connections.lock().unwrap(), before + 1);
    house.close().await;
}

/// Mail to a domain with a relay of its own goes there, over TLS that proves who it is, with a name and a password; the rest
/// goes by the relay for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_are_asked_by_name_and_password() {
    let (everybody, far) = (Peer::kind().await, Peer::kind().await);
    let relay = Running::open(&["submission", "submissions"], &far.outbound()).await;
    relay.domain("example.org").await;
    relay.account("jane@example.org", None).await;
    let dns = FakeServer::start(FakeResolver::new("mail.example.org A 127.0.0.1").unwrap()).await.unwrap();
    let at = |service: &str, host: &str, password: &str| {
        format!("jane@example.org:{password}@{host}:{}", relay.port(service).port())
    };
    // Whose certificate is believed, the relay, and what the message comes to.
    let check = async |authority: bool, tls: &str, smarthost: &str, expected: Option<&str>| {
        let directory = tempfile::tempdir().unwrap();
        let outbound = format!(
            "smarthost = \"{}\"\nsmarthosts = [\"far.example={smarthost}\"]\nsmarthost_tls = \"{tls}\"\n\
             [dns]\nservers = [\"{}\"]\nvalidate = false",
            everybody.address,
            dns.address()
        );
        prepare(directory.path(), &outbound);
        if authority {
            std::fs::copy(relay.directory.path().join("cert.pem"), directory.path().join("authorities.pem")).unwrap();
        }
        let program = start(directory.path());
        let mut sender = Sender::connect(program.lmtp, "LHLO client.example").await.unwrap();
        // From nobody: the relay lets her send under her own name, or none.
        let reply = sender.send("", &["team@example.org"], &message("jane@example.org", tls)).await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
        let mut listed = String::new();
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        for _ in 0..200 {
            listed = typed(&directory.path().join("data"), "queue list").await.1;
            if expected.is_some_and(|expected| listed.contains(expected)) || listed.contains("nothing is on its way") {
                break;
            }
            ticks.tick().await;
        }
        assert!(listed.contains(expected.unwrap_or("nothing is on its way")), "{tls} {smarthost}: {listed}");
    };
    let name = "mail.example.org";
    check(true, "auto", &at("submission", name, PASSWORD), None).await;
    far.got(1).await;
    check(true, "from-the-start", &at("submissions", name, PASSWORD), None).await;
    assert!(far.got(2).await[1].text().contains("Subject: from-the-start"));
    check(true, "auto", &at("submission", name, "wrong9Horse"), Some("535 5.7.8")).await;
    // Nobody vouches for its certificate, or not for this name: the password stays here.
    check(false, "auto", &at("submission", name, PASSWORD), Some("4.7.5")).await;
    check(true, "auto", &at("submission", "127.0.0.1", PASSWORD), Some("4.7.5")).await;
    check(true, "auto", &everybody.address.to_string(), None).await;
    everybody.got(1).await;
    relay.idle().await;
    assert_eq!((far.seen.got.lock().unwrap().len(), everybody.seen.count("MAIL")), (2, 1));
    relay.close().await;
}

/// A neighbour behind us, such as a server of mailing lists, that takes a domain's mail without a queue of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_takes_a_domains_mail_by_lmtp() {
    let everybody = Peer::kind().await;
    let neighbour = Running::open(&["lmtp"], &everybody.outbound()).await;
    neighbour.domain("far.example").await;
    neighbour.account("sink@far.example", None).await;
    let directory = tempfile::tempdir().unwrap();
    let at = neighbour.port("lmtp");
    prepare(
        directory.path(),
        &format!("smarthost = \"{}\"\nsmarthosts = [\"far.example=lmtp://{at}\"]", everybody.address),
    );
    let program = start(directory.path());
    let mut sender = Sender::connect(program.lmtp, "LHLO client.example").await.unwrap();
    let reply = sender.send("", &["team@example.org"], &message("jane@example.org", "across")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let theirs = neighbour.directory.path().join("data");
    let mut traced = String::new();
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    for _ in 0..200 {
        traced = typed(&theirs, "trace --address sink@far.example").await.1;
        if traced.contains("is filed in INBOX") {
            break;
        }
        ticks.tick().await;
    }
    assert!(traced.contains("is filed in INBOX") && traced.contains("by LMTP"), "{traced}");
    assert_eq!(everybody.seen.count("MAIL"), 0);
    neighbour.close().await;
}

#[tokio::test]
async fn what_was_queued_at_the_time_of_a_backup_is_not_sent_again() {
    let (peer, open) = closed(&[]).await;
    let house = house_in(tempfile::tempdir().unwrap(), &peer).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    super::first::submitted(&house, "jane@example.org", &["a@far.example", "b@far.example"], "Subject: x\n\nx\n").await;
    let data = house.directory.path().join("data");
    let file = house.directory.path().join("backup");
    let done = async |line: &str| {
        let (code, text) = typed(&data, line).await;
        assert_eq!(code, 0, "{line}: {text}");
        text
    };
    done(&format!("backup {}", file.display())).await;
    open.store(true, Ordering::SeqCst);
    done("queue retry --all").await;
    house.idle().await;
    assert_eq!(peer.seen.got.lock().unwrap().len(), 1);
    let directory = house.end().await;
    assert!(done(&format!("restore {}", file.display())).await.contains("queued mail is held"));
    let house = house_in(directory, &peer).await;
    super::first::submitted(&house, "jane@example.org", &["c@far.example"], "Subject: y\n\ny\n").await;
    done("queue retry --all").await;
    assert_eq!(peer.got(2).await.len(), 2);
    house.until("what is new is gone", async || house.sends().await.len() == 2).await;
    let held = house.sends().await;
    assert!(held.iter().all(|send| send.state == SendState::Held), "{held:?}");
    assert!(done("status").await.contains("the queue holds 2 messages back"));
    done(&format!("queue remove {}", held[0].id.0)).await;
    done(&format!("queue release {}", held[1].id.0)).await;
    house.idle().await;
    let got = peer.got(3).await;
    assert_eq!(got.iter().map(|got| got.to.len()).collect::<Vec<_>>(), [2, 1, 1]);
    house.close().await;
}
