//! Where mail comes from, and what is done about it: a scenario per policy, with a zone of our own.

use crate::support::running::Running;
use crate::support::smtp::Sender;
use posthouse::admin::ScriptPut;
use posthouse::dns::{FakeResolver, FakeServer};
use posthouse::policy::{BodyHash, KeyKind, SigningKey, key_name, key_record, new_key};
use posthouse::types::{Domain, Timestamp};

/// Loopback may send for some of these. `FAIL`: nobody answers for it.
const ZONE: &str = "
allowed.example TXT \"v=spf1 ip4:127.0.0.1 -all\"
_dmarc.allowed.example TXT \"v=DMARC1; p=reject\"
forbidden.example TXT \"v=spf1 -all\"
reject.example TXT \"v=spf1 -all\"
_dmarc.reject.example TXT \"v=DMARC1; p=reject\"
quarantine.example TXT \"v=spf1 -all\"
_dmarc.quarantine.example TXT \"v=DMARC1; p=quarantine\"
monitored.example TXT \"v=spf1 -all\"
_dmarc.monitored.example TXT \"v=DMARC1; p=none\"
_dmarc.signed.example TXT \"v=DMARC1; p=reject\"
_dmarc.silent.example TXT \"v=DMARC1; p=reject\"
key._domainkey.silent.example FAIL
dark.example FAIL
192.0.2.7 PTR liar.example
192.0.2.7 PTR client.allowed.example
client.allowed.example A 192.0.2.7
1.0.0.127.list.example A 127.0.0.2
1.0.0.127.list.example TXT \"ask https://list.example\"
";

struct World {
    house: Running,
    key: SigningKey,
    _dns: FakeServer,
}

async fn world() -> World {
    world_with("").await
}

/// `mx`: lines of that section.
async fn world_with(mx: &str) -> World {
    let pair = new_key(KeyKind::Ed25519).unwrap();
    let signed: Domain = "signed.example".parse().unwrap();
    let record = key_record(KeyKind::Ed25519, &pair.public);
    let zone = format!("{ZONE}{} TXT \"{record}\"\n", key_name("key", &signed));
    let dns = FakeServer::start(FakeResolver::new(&zone).unwrap()).await.unwrap();
    let extra = format!(
        "[mx]\nauthenticate = true\n{mx}\n[dns]\nservers = [\"{}\"]\nvalidate = false\nattempts = 1\ntimeout_seconds = 1\n",
        dns.address()
    );
    let house = Running::open(&["smtp", "lmtp", "submission"], &extra).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    house.account("kept@example.org", None).await;
    house.redirect("kept@example.org", &["far@elsewhere.example"], Some(true)).await;
    house.account("moved@example.org", None).await;
    house.redirect("moved@example.org", &["far@elsewhere.example"], Some(false)).await;
    house.redirect("virtual@example.org", &["far@elsewhere.example"], None).await;
    let key = SigningKey::new(KeyKind::Ed25519, &pair.private, signed, "key").unwrap();
    World { house, key, _dns: dns }
}

impl World {
    async fn deliver(&self, from: &str, to: &str, message: &[u8]) -> String {
        let mut sender = Sender::connect(self.house.port("smtp"), "EHLO client.example").await.unwrap();
        sender.send(from, &[to], message).await.unwrap()
    }

    /// The message of an author, to jane: the reply, where it was filed, what Authentication-Results says.
    async fn judged(&self, from: &str, message: &[u8]) -> (String, String, String) {
        let before = self.house.filed("jane@example.org").await;
        let reply = self.deliver(from, "jane@example.org", message).await;
        let after = self.house.filed("jane@example.org").await;
        let filed = after.into_iter().find(|one| !before.contains(one));
        let results = filed.as_ref().and_then(|filed| filed.field("Authentication-Results")).unwrap_or_default();
        (reply, filed.map(|filed| filed.mailbox).unwrap_or_default(), results)
    }

    fn signed(&self, header: &str, body: &str) -> Vec<u8> {
        let mut hash = BodyHash::relaxed();
        hash.write(body.as_bytes());
        let field = self.key.sign(header.as_bytes(), &hash.finish(), Timestamp::from_seconds(1_700_000_000)).unwrap();
        [field.raw(), header.as_bytes(), b"\r\n", body.as_bytes()].concat()
    }
}

fn message(author: &str) -> Vec<u8> {
    format!("From: {author}\r\nSubject: hello\r\nMessage-ID: <{author}>\r\n\r\nhello\r\n").into_bytes()
}

#[tokio::test]
async fn authors_are_vouched_for_or_not() {
    let world = world().await;
    let check = async |sender: &str, message: &[u8], reply: &str, mailbox: &str, results: &[&str]| {
        let (replied, filed, found) = world.judged(sender, message).await;
        assert!(replied.starts_with(reply), "{sender}: {replied}");
        assert_eq!(filed, mailbox, "{sender}: {found}");
        assert!(results.iter().all(|result| found.contains(result)), "{sender}: {found}");
        assert_eq!(found.is_empty(), mailbox.is_empty());
    };
    check(
        "a@allowed.example",
        &message("a@allowed.example"),
        "250",
        "INBOX",
        &[
            "mail.example.org; spf=pass smtp.mailfrom=a@allowed.example",
            "dkim=none",
            "dmarc=pass header.from=allowed.example",
        ],
    )
    .await;
    // SPF for another's domain vouches for nobody.
    check("a@allowed.example", &message("boss@reject.example"), "550 5.7.1", "", &[]).await;
    check("a@reject.example", &message("a@reject.example"), "550 5.7.1", "", &[]).await;
    check("", &message("a@reject.example"), "550 5.7.1", "", &[]).await;
    check("a@quarantine.example", &message("a@quarantine.example"), "250", "Junk", &["spf=fail", "dmarc=fail"]).await;
    check("a@monitored.example", &message("a@monitored.example"), "250", "INBOX", &["spf=fail", "dmarc=fail"]).await;
    // SPF decides alone only where nothing else says anything.
    check("a@forbidden.example", &message("a@forbidden.example"), "250", "Junk", &["spf=fail", "dmarc=none"]).await;
    check("a@nothing.example", &message("a@nothing.example"), "250", "INBOX", &["spf=none", "dmarc=none"]).await;
    // DNS that is silent stops nobody's mail, where it is not known that it should be.
    check("a@dark.example", &message("a@dark.example"), "250", "INBOX", &["spf=temperror", "dmarc=temperror"]).await;

    let header = "From: a@signed.example\r\nSubject: signed\r\n";
    let good = world.signed(header, "hello\r\n");
    check("b@nothing.example", &good, "250", "INBOX", &["dkim=pass header.d=signed.example", "dmarc=pass"]).await;
    let mut bad = good.clone();
    let last = bad.len() - 3;
    bad[last] = b'x';
    check("b@nothing.example", &bad, "550 5.7.1", "", &[]).await;
    let two_authors = world.signed("From: a@signed.example\r\nFrom: boss@example.org\r\n", "hello\r\n");
    check("b@nothing.example", &two_authors, "250", "Junk", &[]).await;
    // The key could not be had: it may be right.
    let text = String::from_utf8(good).unwrap().replace("signed.example", "silent.example");
    check("b@nothing.example", text.as_bytes(), "451 4.4.3", "", &[]).await;
    world.house.close().await;
}

#[tokio::test]
async fn what_nobody_vouches_for_leads_nowhere() {
    let world = world().await;
    let sends = async || world.house.sends().await.len();
    // Junk is kept where there is a mailbox, refused where there is none, and sent nowhere.
    let junk = message("a@quarantine.example");
    for (to, reply) in [("kept", "250"), ("moved", "250"), ("virtual", "550 5.7.1")] {
        let replied = world.deliver("a@quarantine.example", &format!("{to}@example.org"), &junk).await;
        assert!(replied.starts_with(reply), "{to}: {replied}");
        assert_eq!(sends().await, 0, "{to}");
    }
    for (person, expected) in [("kept", "Junk"), ("moved", "Junk")] {
        let filed = world.house.filed(&format!("{person}@example.org")).await;
        assert_eq!(filed.iter().map(|one| one.mailbox.as_str()).collect::<Vec<_>>(), [expected], "{person}");
    }
    // What a stranger says about his own mail counts for nothing.
    let lies = b"X-Spam-Status: Yes\r\nAuthentication-Results: mail.example.org; dmarc=fail\r\n".as_slice();
    let honest = [lies, &message("a@nothing.example")].concat();
    let (reply, mailbox, results) = world.judged("a@nothing.example", &honest).await;
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(mailbox, "INBOX");
    assert!(results.contains("dmarc=none"), "{results}");
    world.house.close().await;
}

#[tokio::test]
async fn circles_are_seen() {
    let world = world().await;
    for (field, count, reply) in [
        ("Received: from a.example by b.example; now\r\n", 100, "250"),
        ("Received: from a.example by b.example; now\r\n", 101, "554 5.4.6"),
        ("Received: from a.example by mail.example.org; now\r\n", 6, "250"),
        ("Received: from a.example by mail.example.org; now\r\n", 7, "554 5.4.6"),
    ] {
        let looped = [field.repeat(count).as_bytes(), &message("a@nothing.example")].concat();
        let replied = world.deliver("a@nothing.example", "jane@example.org", &looped).await;
        assert!(replied.starts_with(reply), "{count}: {replied}");
    }
    // The mark that an address leaves on what it sends out stops it the first time it comes back.
    let replied = world
        .deliver("a@allowed.example", "kept@example.org", &world.signed("From: a@signed.example\r\n", "x\r\n"))
        .await;
    assert!(replied.starts_with("250"), "{replied}");
    let sends = world.house.sends().await;
    assert_eq!(sends.len(), 1);
    let marked = format!("{}{}", sends[0].send.details.prepend, "From: a@allowed.example\r\n\r\nx\r\n");
    assert!(marked.starts_with("X-Posthouse-Passed: "), "{marked}");
    let replied = world.deliver("a@allowed.example", "kept@example.org", marked.as_bytes()).await;
    assert!(replied.starts_with("554 5.4.6"), "{replied}");
    world.house.close().await;
}

#[tokio::test]
async fn block_lists_are_asked() {
    let world = world_with("block_lists = [\"other.example\", \"list.example\"]").await;
    let mut sender = Sender::connect(world.house.port("smtp"), "EHLO client.example").await.unwrap();
    assert!(sender.say("MAIL FROM:<a@allowed.example>").await.unwrap().starts_with("250"));
    let reply = sender.say("RCPT TO:<jane@example.org>").await.unwrap();
    assert!(reply.starts_with("554 5.7.1 127.0.0.1 is listed by list.example: ask https://list.example ["), "{reply}");
    // He may write to those who can help him.
    for exempt in ["postmaster", "postmaster@example.org", "abuse@example.org"] {
        let reply = sender.say(&format!("RCPT TO:<{exempt}>")).await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    // A neighbour is nobody from outside.
    let mut neighbour = Sender::connect(world.house.port("lmtp"), "LHLO client.example").await.unwrap();
    let reply =
        neighbour.send("a@allowed.example", &["jane@example.org"], &message("a@allowed.example")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    world.house.close().await;
}

#[tokio::test]
async fn clients_are_called_what_dns_says_both_ways() {
    // Loopback has names of its own; so this client comes through a proxy.
    let world = world_with("[proxy]\nnetworks = [\"127.0.0.1\"]").await;
    let text = "require [\"environment\", \"fileinto\"];\n\
        if environment \"remote-host\" \"client.allowed.example\" { fileinto \"Archive\"; }";
    world
        .house
        .act(ScriptPut {
            place: "jane@example.org".parse().unwrap(),
            name: "own".to_owned(),
            text: text.to_owned(),
            activate: true,
        })
        .await;
    let port = world.house.port("smtp");
    let mut sender = Sender::connect_through_proxy(port, "192.0.2.7", "EHLO client.example").await.unwrap();
    let nobodys = message("a@nothing.example");
    let reply = sender.send("a@nothing.example", &["jane@example.org"], &nobodys).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let filed = world.house.filed("jane@example.org").await;
    assert_eq!(filed[0].mailbox, "Archive");
    let received = filed[0].field("Received").unwrap();
    assert!(received.contains("from client.example (client.allowed.example [192.0.2.7]) by "), "{received}");
    world.house.close().await;
}
