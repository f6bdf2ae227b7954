//! What our people send carries signatures that hold: on its way out and in the mailboxes here, judged by ourselves and by
//! another implementation.

use crate::support::running::Running;
use crate::support::smtp::Sender;
use posthouse::admin::{DomainRotateKeys, RotateWhen};
use posthouse::dns::{FakeResolver, FakeServer, SystemResolver, SystemResolverOptions};
use posthouse::message::HeaderFields;
use posthouse::policy::{Arrival, Patience, Scan, Verifier, key_name, key_record};
use posthouse::queue::key_kind;
use posthouse::types::Domain;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

struct World {
    house: Running,
    /// What DNS says: names and texts.
    records: BTreeMap<String, String>,
}

/// Two domains, the second under two names; their keys are in DNS.
async fn world() -> World {
    let extra = "[auth]\nplaintext_networks = [\"127.0.0.1\"]\n";
    let house = Running::open(&["smtp", "submission"], extra).await;
    for name in ["example.org", "bücher.example"] {
        house.domain(name).await;
    }
    for person in ["jane@example.org", "paul@example.org", "ida@bücher.example"] {
        house.account(person, None).await;
    }
    house.redirect("list@example.org", &["far@elsewhere.example"], None).await;
    let mut world = World { house, records: BTreeMap::new() };
    world.publish().await;
    world
}

impl World {
    async fn publish(&mut self) {
        for name in ["example.org", "bücher.example"] {
            let domain: Domain = name.parse().unwrap();
            for key in self.house.server.house.store.dkim_keys(&domain).await.unwrap() {
                let record = key_record(key_kind(key.algorithm), &key.public_key);
                self.records.insert(key_name(&key.selector, &domain), record);
            }
        }
    }

    /// Submits; the message's header begins with From.
    async fn submit(&self, from: &str, to: &[&str], message: &[u8]) {
        let mut sender = Sender::connect(self.house.port("submission"), "EHLO client.example").await.unwrap();
        sender.log_in(from).await.unwrap();
        let text: Vec<u8> = String::from_utf8_lossy(message).replace("\r\n.", "\r\n..").into();
        let reply = sender.send(from, to, &text).await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }

    /// What goes out to a recipient, newest first.
    async fn outgoing(&self, to: &str) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for record in self.house.sends().await.into_iter().rev() {
            if record.send.recipient.to_string() == to {
                let octets = self.house.server.house.store.body_octets(record.body).await.unwrap();
                let mut message = record.send.details.prepend.into_bytes();
                message.extend_from_slice(&octets[record.send.details.skip_octets as usize..]);
                found.push(message);
            }
        }
        found
    }

    /// Each signature's verdict, domain and algorithm, by our own verifier.
    async fn judged(&self, message: &[u8]) -> Vec<String> {
        let zone: String = self.records.iter().map(|(name, text)| format!("{name} TXT \"{text}\"\n")).collect();
        let dns = FakeServer::start(FakeResolver::new(&zone).unwrap()).await.unwrap();
        let resolver = SystemResolver::new(&SystemResolverOptions {
            servers: vec![dns.address()],
            timeout: Duration::from_secs(5),
            attempts: 1,
            cache_entries_max: 100,
            validate: false,
            trust_anchors: None,
        });
        let verifier =
            Verifier::new(Arc::new(resolver.unwrap()), "mx.far.example".parse().unwrap(), Patience::default());
        let arrival = Arrival { client: None, hello: "x".into(), sender: None };
        let findings = verifier.verify(arrival, Scan::read(message).unwrap()).await;
        let found = findings.dkim.iter();
        found.map(|one| format!("{} {} {}", one.outcome.word(), one.domain, one.algorithm)).collect()
    }

    /// Whether every signature holds, by the other implementation. False: it is not installed, which the gate does not let
    /// pass.
    fn verified_elsewhere(&self, messages: &[Vec<u8>]) -> bool {
        // PyNaCl is for Ed25519.
        let Some(mut python) = crate::support::python::with("dkim, nacl") else { return false };
        let directory = tempfile::tempdir().unwrap();
        let zone = directory.path().join("zone.json");
        std::fs::write(&zone, serde_json::to_string(&self.records).unwrap()).unwrap();
        python.arg("-c").arg(JUDGE).arg(&zone);
        for (number, message) in messages.iter().enumerate() {
            let file = directory.path().join(format!("{number}.eml"));
            std::fs::write(&file, message).unwrap();
            python.arg(file);
        }
        let output = python.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let expected: String = (0..messages.len()).map(|number| format!("{number}.eml True True\n")).collect();
        assert_eq!(said, expected);
        true
    }
}

/// Prints for each file whether its two signatures hold.
const JUDGE: &str = r"
import dkim, json, os, sys
zone = json.load(open(sys.argv[1]))
def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return zone[name.rstrip('.')].encode()
for path in sys.argv[2:]:
    message = open(path, 'rb').read()
    verdicts = [dkim.DKIM(message).verify(idx=place, dnsfunc=txt) for place in (0, 1)]
    print(os.path.basename(path), *verdicts)
";

/// Bodies and headers at which canonicalizations differ from what one expects.
fn corner_cases() -> Vec<Vec<u8>> {
    let with = |header: &str, body: &str| format!("From: jane@example.org\r\n{header}\r\n{body}").into_bytes();
    let long = "word ".repeat(20_000);
    vec![
        with("Subject: plain\r\n", "hello\r\n"),
        with("", ""),
        with("Subject:\r\nTo:\r\n", "\r\n"),
        with("Subject: only blank lines\r\n", "\r\n\r\n\r\n"),
        with("Subject: trailing\r\n", "a \t \r\n\tb\t \r\n  \r\n \r\n\r\n"),
        with("Subject: dots\r\n", ".\r\n..\r\n.x\r\n"),
        with("subJECT:folded\r\n\tonce\r\n  twice \r\n\t\r\nTo:\r\n paul@example.org\r\n", "x\r\n"),
        with("Subject: one\r\nSubject: two\r\nX-Subject: three\r\nTo: a@b.example\r\nTo: c@d.example\r\n", "x\r\n"),
        with(
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\
              Subject: =?utf-8?q?caf=C3=A9?=\r\n",
            "caf\u{e9} \u{1f600}\r\n",
        ),
        with(&format!("References: {}\r\n", "<a@b.example>\r\n ".repeat(200).trim_end()), "x\r\n"),
        with("Subject: long line\r\n", &format!("{}\r\n", &long[..990])),
        with("Subject: many lines\r\n", &"line \r\n".repeat(20_000)),
        with("Reply-To: x@y.example\r\nList-Id: <l.example.org>\r\nAuto-Submitted: auto-replied\r\n", "x\r\n"),
        with("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=From; bh=AAAA; b=AAAA\r\n", "x\r\n"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submitted_mail_is_signed_wherever_it_goes() {
    let world = world().await;
    let both = ["pass example.org rsa-sha256", "pass example.org ed25519-sha256"];
    let mut sent = Vec::new();
    for message in corner_cases() {
        world.submit("jane@example.org", &["out@far.example", "paul@example.org"], &message).await;
        let outgoing = world.outgoing("out@far.example").await.remove(0);
        let verdicts = world.judged(&outgoing).await;
        assert_eq!(verdicts[..2], both, "{}", String::from_utf8_lossy(&outgoing));
        // What lies in the mailbox here differs by what delivery put on top.
        let filed = world.house.filed("paul@example.org").await.pop().unwrap();
        assert_eq!(world.judged(&filed.octets).await[..2], both);
        assert!(filed.octets.ends_with(&outgoing));
        sent.push(outgoing);
    }
    // From is signed once more than it is there: with another one the signature holds no longer.
    let forged = [b"From: boss@example.org\r\n", sent[0].as_slice()].concat();
    assert_eq!(world.judged(&forged).await, ["fail example.org rsa-sha256", "fail example.org ed25519-sha256"]);
    world.verified_elsewhere(&sent);
    world.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_author_has_his_own_domains_keys() {
    let world = world().await;
    let message = "From: ida@bücher.example\r\nSubject: x\r\n\r\nx\r\n";
    let ida = "ida@xn--bcher-kva.example";
    world.submit(ida, &["out@far.example"], message.replace("bücher", "xn--bcher-kva").as_bytes()).await;
    let outgoing = world.outgoing("out@far.example").await;
    let verdicts = world.judged(&outgoing[0]).await;
    assert_eq!(verdicts, ["pass xn--bcher-kva.example rsa-sha256", "pass xn--bcher-kva.example ed25519-sha256"]);
    world.verified_elsewhere(&outgoing);
    world.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_of_others_is_not_touched() {
    let world = world().await;
    let mut sender = Sender::connect(world.house.port("smtp"), "EHLO client.example").await.unwrap();
    // Even where a stranger claims to be one of ours, and where it goes out again.
    let message = b"From: jane@example.org\r\nSubject: x\r\n\r\nx\r\n";
    let reply = sender.send("stranger@far.example", &["list@example.org", "paul@example.org"], message).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let filed = world.house.filed("paul@example.org").await.pop().unwrap();
    let forwarded = world.outgoing("far@elsewhere.example").await.remove(0);
    for octets in [&filed.octets, &forwarded] {
        assert!(HeaderFields::first(octets, "DKIM-Signature").is_none());
        assert!(octets.ends_with(message));
    }
    world.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_keys_sign_at_once_where_the_old_ones_are_lost() {
    let mut world = world().await;
    let message = b"From: jane@example.org\r\nSubject: x\r\n\r\nx\r\n";
    let before = world.records.clone();
    let domain: Domain = "example.org".parse().unwrap();
    world.house.act(DomainRotateKeys { domain: domain.clone(), when: RotateWhen::Published }).await;
    world.submit("jane@example.org", &["out@far.example"], message).await;
    let outgoing = world.outgoing("out@far.example").await;
    assert!(world.judged(&outgoing[0]).await.iter().all(|verdict| verdict.starts_with("pass")), "the old ones sign");
    world.house.act(DomainRotateKeys { domain, when: RotateWhen::Now }).await;
    world.submit("jane@example.org", &["new@far.example"], message).await;
    let outgoing = world.outgoing("new@far.example").await;
    assert!(world.judged(&outgoing[0]).await.iter().all(|verdict| verdict.starts_with("permerror")), "not in DNS yet");
    world.publish().await;
    assert_eq!(world.records.len(), before.len() + 2);
    assert!(world.judged(&outgoing[0]).await.iter().all(|verdict| verdict.starts_with("pass")));
    world.verified_elsewhere(&outgoing);
    world.house.close().await;
}
