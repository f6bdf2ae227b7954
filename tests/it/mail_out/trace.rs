//! What `trace` tells of messages that came in, went out, were put off, came back and were refused.

use super::first::{from_outside, house, submitted};
use crate::support::peer::{Odd, Peer, say};
use crate::support::running::Running;
use crate::support::smtp::Sender;
use posthouse::admin::{MessageTrace, ReceivedChoice, ResponderSet, Trace, TraceAbout};
use std::sync::atomic::{AtomicUsize, Ordering};

async fn by_id(house: &Running, id: &str) -> MessageTrace {
    let mut traced = house.act(Trace { about: TraceAbout::MessageId(id.to_owned()), last: 10 }).await;
    assert_eq!(traced.messages.len(), 1, "{id}");
    traced.messages.remove(0)
}

fn lines(message: &MessageTrace) -> Vec<String> {
    message.events.iter().flat_map(|event| event.lines.clone()).collect()
}

/// Each part stands in some line, in this order.
fn assert_tells(message: &MessageTrace, parts: &[&str]) {
    let lines = lines(message);
    let mut rest = lines.iter();
    for part in parts {
        assert!(rest.any(|line| line.contains(part)), "{part}\n in {lines:#?}");
    }
}

#[tokio::test]
async fn a_messages_whole_life_is_told() {
    let tries = AtomicUsize::new(0);
    let peer = Peer::start(&[], move |line, _| {
        let is_greylisted = line.starts_with("RCPT TO:<slow@") && tries.fetch_add(1, Ordering::SeqCst) == 0;
        match line {
            _ if is_greylisted => say("451 4.7.1 come again"),
            line if line.starts_with("RCPT TO:<no@") => say("550 5.1.1 nobody \x1b[31mhere\x07"),
            _ => None,
        }
    })
    .await;
    let house = house(&peer).await;
    let message = "From: jane@example.org\nMessage-ID: <life@example.org>\n\nhello\n";
    let to = ["slow@far.example", "no@far.example", "jane@example.org"];
    submitted(&house, "jane@example.org", &to, message).await;
    house.idle().await;
    let told = by_id(&house, "<life@example.org>").await;
    assert_eq!(told.sender, "jane@example.org");
    assert_tells(
        &told,
        &[
            "received: from jane@example.org, by submission by jane@example.org",
            "jane@example.org (script version",
            "is filed in INBOX",
            "slow@far.example is accepted",
        ],
    );
    assert_tells(
        &told,
        &[
            "not yet sent to slow@far.example",
            "reply: [127.0.0.1]: 451 4.7.1 come again",
            "again at ",
            "sent to slow@far.example by [127.0.0.1], not encrypted, attempt 2",
            "reply: 250",
        ],
    );
    assert_tells(&told, &["given up: to no@far.example", "550 5.1.1 nobody  [31mhere"]);
    // The report came home, and is part of the life of what it is about.
    assert_tells(&told, &["delivered here to jane@example.org", "because of report about send"]);
    let all = serde_json::to_string(&told).unwrap();
    assert!(!all.contains('\x1b') && !all.contains('\x07'));
    house.close().await;
}

#[tokio::test]
async fn messages_are_found_by_every_address_they_touch() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house.alias("info@example.org", "jane@example.org").await;
    house.redirect("list@example.org", &["far@elsewhere.example"], None).await;
    let away = ResponderSet {
        address: "jane@example.org".parse().unwrap(),
        subject: None,
        text: "I am away.".to_owned(),
        from: None,
        until: None,
        zone: None,
        every_seconds: None,
        received: ReceivedChoice::Keep,
    };
    house.act(away).await;
    for number in 0..3 {
        let message =
            format!("From: p@author.example\nTo: info@example.org\nMessage-ID: <n{number}@author.example>\n\nx\n");
        let to = ["info@example.org", "list@example.org"];
        from_outside(&house, "p@author.example", &to, &message).await;
        house.idle().await;
    }
    let ids = async |address: &str, last: usize| {
        let about = TraceAbout::Address(address.parse().unwrap());
        let traced = house.act(Trace { about, last }).await;
        let ids: Vec<String> = traced.messages.into_iter().map(|message| message.message_id).collect();
        (ids.join(" "), traced.more)
    };
    let all = "n0@author.example n1@author.example n2@author.example";
    for address in
        ["p@author.example", "info@example.org", "jane@example.org", "list@example.org", "far@elsewhere.example"]
    {
        assert_eq!(ids(address, 10).await, (all.to_owned(), false), "{address}");
    }
    assert_eq!(ids("P@Author.example", 2).await, ("n1@author.example n2@author.example".to_owned(), true));
    assert_eq!(ids("nobody@example.org", 10).await, (String::new(), false));
    // As it is with numbers in the ledger's place.
    house.server.house.store.index_ledger().await.unwrap();
    assert_eq!(ids("far@elsewhere.example", 10).await, (all.to_owned(), false));
    let first = by_id(&house, "n0@author.example").await;
    assert_tells(
        &first,
        &[
            "received: from p@author.example, by SMTP from 127.0.0.1",
            "info@example.org",
            "is answered, to p@author.example",
        ],
    );
    assert_tells(&first, &["sent to far@elsewhere.example", "return path: SRS0="]);
    assert_tells(&first, &["sent to p@author.example", "because of "]);
    let again = by_id(&house, "n1@author.example").await;
    assert_tells(&again, &["no reply: "]);
    house.close().await;
}

#[tokio::test]
async fn failures_of_tls_are_told() {
    let peer = Peer::start(&["STARTTLS"], |line, _| match line {
        "STARTTLS" => Some(Odd::Say("220 go ahead\r\nthis is no TLS".to_owned())),
        _ => None,
    })
    .await;
    let house = house(&peer).await;
    let message = "From: jane@example.org\nMessage-ID: <tls@example.org>\n\nhello\n";
    submitted(&house, "jane@example.org", &["paul@far.example"], message).await;
    peer.got(1).await;
    house.idle().await;
    let told = by_id(&house, "tls@example.org").await;
    assert_tells(&told, &["sent to paul@far.example", "not encrypted", "note: "]);
    assert!(lines(&told).iter().any(|line| line.contains("note: ") && line.contains("TLS")), "{:#?}", lines(&told));
    house.close().await;
}

#[tokio::test]
async fn what_policy_keeps_out_is_told() {
    let zone = "_dmarc.reject.example TXT \"v=DMARC1; p=reject\"\nreject.example TXT \"v=spf1 -all\"\n";
    let dns = posthouse::dns::FakeServer::start(posthouse::dns::FakeResolver::new(zone).unwrap()).await.unwrap();
    let extra = format!(
        "[mx]\nauthenticate = true\n[dns]\nservers = [\"{}\"]\nvalidate = false\nattempts = 1\ntimeout_seconds = 1\n",
        dns.address()
    );
    let house = Running::open(&["smtp"], &extra).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    let mut sender = Sender::connect(house.port("smtp"), "EHLO client.example").await.unwrap();
    let message = b"From: boss@reject.example\r\nMessage-ID: <forged@reject.example>\r\n\r\npay\r\n";
    let reply = sender.send("boss@reject.example", &["jane@example.org"], message).await.unwrap();
    assert!(reply.starts_with("550"), "{reply}");
    let told = by_id(&house, "forged@reject.example").await;
    assert_tells(
        &told,
        &[
            "refused: from boss@reject.example, by SMTP from 127.0.0.1",
            "the policy of reject.example (DMARC) is to reject",
        ],
    );
    assert!(lines(&told)[0].contains("spf=fail"), "{:?}", lines(&told));
    house.close().await;
}
