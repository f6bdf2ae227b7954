//! What leaves arrives, and what can't arrive comes back.

use crate::support::peer::{Peer, say};
use crate::support::running::Running;
use crate::support::smtp::Sender;
use posthouse::admin::{ReceivedChoice, ResponderSet};

const OPEN: &str = "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n";

pub async fn house_in(directory: tempfile::TempDir, peer: &Peer) -> Running {
    Running::open_in(directory, &["smtp", "submission"], &format!("{OPEN}{}", peer.outbound())).await
}

/// With jane@example.org in it, who may log in, and everything outside at the peer.
pub async fn house(peer: &Peer) -> Running {
    let house = house_in(tempfile::tempdir().unwrap(), peer).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    house
}

pub async fn from_outside(house: &Running, from: &str, to: &[&str], message: &str) -> String {
    let mut sender = Sender::connect(house.port("smtp"), "EHLO client.example").await.unwrap();
    sender.send(from, to, message.replace('\n', "\r\n").as_bytes()).await.unwrap()
}

pub async fn submitted(house: &Running, who: &str, to: &[&str], message: &str) -> String {
    let mut sender = Sender::connect(house.port("submission"), "EHLO client.example").await.unwrap();
    sender.log_in(who).await.unwrap();
    sender.send(who, to, message.replace('\n', "\r\n").as_bytes()).await.unwrap()
}

#[tokio::test]
async fn a_redirection_arrives_under_a_return_path_of_ours() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house.redirect("jane@example.org", &["jane@far.example", "jane@other.example"], Some(true)).await;
    let message = "From: paul@author.example\nSubject: hello\n\nhow are you\n";
    let reply = from_outside(&house, "paul@author.example", &["jane@example.org"], message).await;
    assert!(reply.starts_with("250"), "{reply}");
    let mut got = peer.got(2).await;
    got.sort_by(|one, other| one.to.cmp(&other.to));
    for (got, to) in got.iter().zip(["<jane@far.example>", "<jane@other.example>"]) {
        assert!(got.to[0].starts_with(to), "{got:?}");
        let path = got.from.split(' ').next().unwrap();
        assert!(path.starts_with("<SRS0=") && path.ends_with("=author.example=paul@example.org>"), "{path}");
        assert!(got.text().ends_with("Subject: hello\r\n\r\nhow are you\r\n"), "{}", got.text());
        assert!(!got.text().contains("Return-Path") && !got.text().contains("Delivered-To"), "{}", got.text());
    }
    let filed = house.filed("jane@example.org").await;
    assert_eq!(filed.len(), 1);
    house.idle().await;
    house.close().await;
}

#[tokio::test]
async fn an_answer_arrives_from_nobody() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house
        .act(ResponderSet {
            address: "jane@example.org".parse().unwrap(),
            subject: Some("Away".to_owned()),
            text: "I am away.".to_owned(),
            from: None,
            until: None,
            zone: None,
            every_seconds: None,
            received: ReceivedChoice::Keep,
        })
        .await;
    let message = "From: paul@author.example\nTo: jane@example.org\nSubject: hello\n\nhow are you\n";
    from_outside(&house, "paul@author.example", &["jane@example.org"], message).await;
    let got = peer.got(1).await.remove(0);
    assert!(got.from.starts_with("<>"), "{got:?}");
    assert!(got.to[0].starts_with("<paul@author.example>"), "{got:?}");
    assert!(got.text().contains("I am away.") && got.text().contains("Auto-Submitted: auto-replied"), "{got:?}");
    house.idle().await;
    house.close().await;
}

#[tokio::test]
async fn what_is_refused_comes_back_to_its_sender() {
    let peer = Peer::start(&["PIPELINING", "8BITMIME"], |line, _| {
        if line.starts_with("RCPT TO:<nobody@") { say("550 5.1.1 nobody of that name") } else { None }
    })
    .await;
    let house = house(&peer).await;
    let to = ["nobody@far.example", "somebody@far.example"];
    let reply = submitted(&house, "jane@example.org", &to, "From: jane@example.org\nSubject: hi\n\nhello\n").await;
    assert!(reply.starts_with("250"), "{reply}");
    let got = peer.got(1).await;
    // Both went in one transaction.
    assert_eq!((peer.seen.count("MAIL"), got[0].to.len()), (1, 1));
    house.idle().await;
    let filed = house.filed("jane@example.org").await;
    assert_eq!(filed.len(), 1, "{filed:?}");
    let bounce = String::from_utf8(filed[0].octets.clone()).unwrap();
    assert!(bounce.starts_with("Return-Path: <>\r\n"), "{bounce}");
    for expected in ["nobody@far.example", "550 5.1.1 nobody of that name", "Action: failed", "Subject: hi"] {
        assert!(bounce.contains(expected), "{expected}: {bounce}");
    }
    assert!(!bounce.contains("somebody@far.example"), "{bounce}");
    house.close().await;
}
