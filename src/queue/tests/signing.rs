//! What the house writes is signed when it goes out, and what it has to change is signed anew.

use super::world::{World, address, submission};
use crate::dns::{FakeResolver, FakeServer, SystemResolver, SystemResolverOptions};
use crate::policy::{Arrival, KeyKind, Patience, Scan, Verifier, key_name, key_record, new_key};
use crate::queue::Signer;
use crate::queue::content::StoredContent;
use crate::queue::transport::Content;
use crate::store::{DkimAlgorithm, DkimKey, DkimKeyState, NewSend};
use crate::types::{Domain, SendId};
use std::sync::Arc;
use std::time::Duration;

/// A world whose domain us.example has a key, and the zone that says so.
async fn world() -> (World, String) {
    let world = World::new();
    world.put_redirection("away@us.example", "target@two.example").await;
    let pair = new_key(KeyKind::Ed25519).expect("made");
    let us: Domain = "us.example".parse().expect("a domain");
    let zone = format!("{} TXT \"{}\"", key_name("s1", &us), key_record(KeyKind::Ed25519, &pair.public));
    let key = DkimKey {
        selector: "s1".to_owned(),
        algorithm: DkimAlgorithm::Ed25519Sha256,
        private_key: pair.private,
        public_key: pair.public,
        state: DkimKeyState::Signing,
        created: super::world::NOW,
        since: super::world::NOW,
    };
    world.store.replace_dkim_keys(&us, Vec::new(), vec![key]).await.expect("kept");
    (world, zone)
}

async fn verdicts(zone: &str, message: &[u8]) -> Vec<String> {
    let dns = FakeServer::start(FakeResolver::new(zone).expect("a zone")).await.expect("listens");
    let options = SystemResolverOptions {
        servers: vec![dns.address()],
        timeout: Duration::from_secs(5),
        attempts: 1,
        cache_entries_max: 10,
        validate: false,
        trust_anchors: None,
    };
    let resolver = Arc::new(SystemResolver::new(&options).expect("a resolver"));
    let verifier = Verifier::new(resolver, "mx.far.example".parse().expect("a domain"), Patience::default());
    let arrival = Arrival { client: None, hello: "x".into(), sender: None };
    let findings = verifier.verify(arrival, Scan::read(message).expect("readable")).await;
    findings.dkim.iter().map(|one| format!("{} {}", one.outcome.word(), one.domain)).collect()
}

#[tokio::test]
async fn reports_are_signed_by_the_domain_above_the_servers_name() {
    let (world, zone) = world().await;
    let send = NewSend { sender: Some(address("paul@two.example")), ..submission("no@one.example") };
    world.put("From: jane@us.example\nSubject: hi\n\nhello\n", vec![send]).await;
    world.run_until(2).await;
    let messages = world.transport.messages.lock().expect("not poisoned").clone();
    let report = messages.last().expect("went out");
    assert!(String::from_utf8_lossy(report).contains("From: Mail delivery <postmaster@mail.us.example>"));
    assert_eq!(verdicts(&zone, report).await, ["pass us.example"]);
    // The message itself came without, and goes without.
    assert_eq!(verdicts(&zone, &messages[0]).await, Vec::<String>::new());
}

#[tokio::test]
async fn bounces_of_others_are_passed_on_as_they_are() {
    let (world, _) = world().await;
    let queue = world.queue().await;
    let path = queue.srs().forward(&address("author@one.example"), &"us.example".parse().expect("a domain")).await;
    // Whoever writes it can put any name into it.
    let bounce = b"From: jane@us.example\r\nSubject: trust me\r\n\r\nx\r\n".to_vec();
    queue.return_to_author(&path.expect("made"), bounce, "s").await.expect("taken");
    world.run_until(2).await;
    let messages = world.transport.messages.lock().expect("not poisoned").clone();
    assert!(!String::from_utf8_lossy(&messages[0]).contains("DKIM-Signature"));
}

#[tokio::test]
async fn what_must_be_made_seven_bit_is_signed_anew() {
    let (world, zone) = world().await;
    let signer = Signer::new(world.store.clone());
    let message = "From: jane@us.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                   Content-Transfer-Encoding: 8bit\r\n\r\ncaf\u{e9}\r\n";
    let signing = signer.for_people(message.as_bytes()).await.expect("readable").expect("has keys");
    let mut signed = message.as_bytes().to_vec();
    signing.sign(&mut signed, 0, super::world::NOW);
    assert_eq!(verdicts(&zone, &signed).await, ["pass us.example"]);
    let signed = String::from_utf8(signed).expect("text").replace("\r\n", "\n");
    let sends = world.put(&signed, vec![submission("a@one.example")]).await;
    let record = world.send(sends[0]).await;
    assert_eq!(sends, [SendId(1)]);
    let conversions = Arc::new(tokio::sync::Semaphore::new(1));
    let opened = StoredContent::open(&world.store, record.body, &record.send.details, &conversions).await;
    let mut content = opened.expect("readable").0;
    content.sign_when_changed(&signer).await.expect("readable");
    content.make_seven_bit().await.expect("can be done");
    let converted = content.whole().await.expect("readable");
    assert!(converted.is_ascii());
    assert_eq!(content.octets(), converted.len() as u64);
    assert_eq!(verdicts(&zone, &converted).await, ["pass us.example"]);
}
