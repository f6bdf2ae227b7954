//! A domain whose addresses live on two servers.

use super::first::from_outside;
use crate::support::peer::{Peer, say};
use crate::support::running::Running;
use posthouse::admin::{DomainAdd, DomainSet, Done, Hosting};

const MESSAGE: &str = "From: paul@author.example\nMessage-ID: <one@author.example>\nSubject: hello\n\nhow are you\n";

async fn split(house: &Running, other: &str) -> Done {
    let hosting = Hosting::Split(other.to_owned());
    house.act(DomainAdd { domain: "split.example".parse().unwrap(), hosting }).await
}

async fn set(house: &Running, hosting: Hosting) -> Done {
    house.act(DomainSet { domain: "split.example".parse().unwrap(), hosting: Some(hosting), catch_all: None }).await
}

#[tokio::test]
async fn unknown_addresses_go_to_the_other_server() {
    let everybody = Peer::kind().await;
    let other = Peer::start(&["PIPELINING"], |line, _| {
        if line.starts_with("RCPT TO:<nobody") { say("550 5.1.1 nobody here") } else { None }
    })
    .await;
    let house = Running::open(&["smtp"], &everybody.outbound()).await;
    house.domain("example.org").await;
    split(&house, &other.address.to_string()).await;
    house.account("here@split.example", None).await;
    for to in ["here@split.example", "there@split.example", "nobody@split.example"] {
        let reply = from_outside(&house, "paul@author.example", &[to], MESSAGE).await;
        assert!(reply.starts_with("250"), "{to}: {reply}");
    }
    let got = other.got(1).await;
    assert!(got[0].from.starts_with("<paul@author.example>"), "{got:?}");
    assert!(got[0].to[0].starts_with("<there@split.example>"), "{got:?}");
    assert_eq!(house.filed("here@split.example").await.len(), 1);
    // Who is unknown to both comes back to the author.
    let bounce = everybody.got(1).await.remove(0);
    assert!(bounce.from.starts_with("<>") && bounce.to[0].starts_with("<paul@author.example>"), "{bounce:?}");
    assert!(bounce.text().contains("550 5.1.1 nobody here"), "{}", bounce.text());
    house.idle().await;
    house.close().await;
}

#[tokio::test]
async fn a_change_says_what_the_other_server_thinks_of_it() {
    let strict =
        Peer::start(
            &[],
            |line, _| {
                if line.starts_with("RCPT TO:<nobody-") { say("550 5.1.1 nobody here") } else { None }
            },
        )
        .await;
    let kind = Peer::kind().await;
    let foreign =
        Peer::start(&[], |line, _| if line.starts_with("RCPT") { say("554 5.7.1 no relay") } else { None }).await;
    let house = Running::open(&["smtp"], "").await;
    house.domain("example.org").await;
    let check = |done: &Done, expected: &str| {
        assert!(done.notes.iter().any(|note| note.contains(expected)), "{expected}: {:?}", done.notes);
    };
    let at = |peer: &Peer| peer.address.to_string();
    check(&split(&house, &at(&strict)).await, "refuses addresses it does not know (550 5.1.1 nobody here)");
    check(&set(&house, Hosting::Split(at(&kind))).await, "also for an address nobody has");
    check(&set(&house, Hosting::Authoritative).await, "still takes mail for split.example");
    check(&set(&house, Hosting::Split(at(&foreign))).await, "mail that is handed to it would come back");
    check(&set(&house, Hosting::Authoritative).await, "takes no mail for split.example (554 5.7.1 no relay)");
    check(&set(&house, Hosting::Split("127.0.0.1:9".to_owned())).await, "could not be asked");
    check(&set(&house, Hosting::Split("[::1]:9".to_owned())).await, "[::1]:9 could not be asked");
    // Nobody got any mail by it.
    for peer in [&strict, &kind, &foreign] {
        assert_eq!((peer.seen.count("DATA"), peer.seen.count("MAIL FROM:<>") > 0), (0, true));
    }
    house.close().await;
}

#[tokio::test]
async fn two_servers_that_hand_it_to_each_other_stop_at_the_second_pass() {
    let everybody = Peer::kind().await;
    let one = Running::open(&["smtp"], &everybody.outbound()).await;
    let other = Running::open(&["smtp"], &everybody.outbound()).await;
    for house in [&one, &other] {
        house.domain("example.org").await;
    }
    split(&one, &other.port("smtp").to_string()).await;
    split(&other, &one.port("smtp").to_string()).await;
    let reply = from_outside(&one, "paul@author.example", &["nobody@split.example"], MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    let bounce = everybody.got(1).await.remove(0);
    assert!(bounce.to[0].starts_with("<paul@author.example>"), "{bounce:?}");
    let text = bounce.text();
    assert!(text.contains("goes round in circles between servers") && text.contains("Status: 5.4.6"), "{text}");
    one.idle().await;
    other.idle().await;
    assert_eq!(everybody.seen.count("MAIL"), 1);
    one.close().await;
    other.close().await;
}
