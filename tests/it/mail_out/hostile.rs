//! Servers that mean harm: they cost little, they don't get in, and nothing of theirs reaches a person raw.

use super::first::{house, submitted};
use crate::support::peer::{Odd, Peer, say};
use crate::support::running::Running;
use crate::support::smtp::Sender;
use posthouse::store::LedgerFilter;
use std::time::Duration;

const MESSAGE: &str = "From: jane@example.org\nMessage-ID: <hostile@example.org>\n\nhello\n";

/// The reply that the queue remembers, once there was an attempt.
async fn last_reply(house: &Running) -> String {
    house.until("an attempt was made", async || house.sends().await.iter().any(|send| send.last_reply.is_some())).await;
    house.sends().await.into_iter().find_map(|send| send.last_reply).unwrap()
}

/// What a server says without end, in one line or in many, ends the attempt and stays small.
#[tokio::test]
async fn replies_without_end_are_cut() {
    let check = async |place: &'static str, flood: String| {
        let peer = Peer::start(&[], move |line, _| line.starts_with(place).then(|| Odd::Say(flood.clone()))).await;
        let house = house(&peer).await;
        submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
        let reply = tokio::time::timeout(Duration::from_secs(20), last_reply(&house)).await.unwrap();
        assert!(reply.len() < 1000, "{place}: {} octets", reply.len());
        house.close().await;
    };
    let line = "220 ".to_owned() + &"x".repeat(10 * 1024 * 1024);
    let lines = "220-hello\r\n".repeat(1024 * 1024);
    let refusal = format!("550-no\r\n{}", "550-no\r\n".repeat(100_000));
    tokio::join!(
        check("GREETING", line.clone()),
        check("GREETING", lines),
        check("EHLO", line.replace("220 ", "250-")),
        check("RCPT", refusal),
    );
}

/// What was sent before the handshake is not believed after it (RFC 3207 section 6 and section 4.2).
#[tokio::test]
async fn replies_sent_ahead_of_tls_are_not_taken_for_protected_ones() {
    let injected = "220 go ahead\r\n250-mx.far.example\r\n250 AUTH PLAIN\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken";
    let peer = Peer::start(&["STARTTLS"], move |line, seen| match line {
        "STARTTLS" if seen.count("STARTTLS") == 1 => Some(Odd::Say(injected.to_owned())),
        _ => None,
    })
    .await;
    let house = house(&peer).await;
    submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
    // The handshake fails, and the message goes by a connection that nobody took for a protected one.
    let got = peer.got(1).await;
    assert!(got[0].text().ends_with("hello\r\n"));
    house.idle().await;
    assert_eq!(peer.seen.count("AUTH"), 0);
    assert!(*peer.seen.connections.lock().unwrap() >= 2);
    house.close().await;
}

/// Control characters in a reply reach neither the report nor the queue's list as they are.
#[tokio::test]
async fn what_servers_say_reaches_nobody_raw() {
    let peer = Peer::start(&[], |line, _| match line {
        line if line.starts_with("RCPT TO:<no@") => {
            say("550 5.1.1 \x1b]0;title\x07 \x1b[2J gone\x7f\u{9b}31m \u{202e}txt")
        }
        line if line.starts_with("RCPT TO:<later@") => say("450 \x1b[31mlater\x00\x08"),
        _ => None,
    })
    .await;
    let house = house(&peer).await;
    submitted(&house, "jane@example.org", &["no@far.example", "later@far.example"], MESSAGE).await;
    let is_clean = |text: &str| !text.chars().any(|one| one.is_control() && !matches!(one, '\r' | '\n' | '\t'));
    let reply = last_reply(&house).await;
    assert!(is_clean(&reply) && reply.contains("later"), "{reply:?}");
    house.until("the report is here", async || !house.filed("jane@example.org").await.is_empty()).await;
    let report = house.filed("jane@example.org").await.remove(0);
    let text = String::from_utf8_lossy(&report.octets).into_owned();
    assert!(text.contains("Diagnostic-Code: smtp; 550 5.1.1"), "{text}");
    assert!(is_clean(&text), "{text:?}");
    house.close().await;
}

/// A recipient at an address of this machine leads neither in circles nor through us to anybody.
#[tokio::test]
async fn addresses_in_the_place_of_a_domain_lead_nowhere() {
    let port = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let extra = format!(
        "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n[outbound]\nconnect_to = \"\"\nport = {port}\npause_seconds_first = 1\n"
    );
    let house = Running::open(&[&format!("smtp 0.0.0.0:{port}"), "submission"], &extra).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    let to =
        ["paul@[127.0.0.1]", "jane@[127.0.0.77]", "paul@[0.0.0.0]", "paul@[IPv6:::1]", "paul@[IPv6:::ffff:127.0.0.1]"];
    let reply = submitted(&house, "jane@example.org", &to, MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    house.idle().await;
    let filed = house.filed("jane@example.org").await;
    let reports: String = filed.iter().map(|one| String::from_utf8_lossy(&one.octets).into_owned()).collect();
    assert_eq!(reports.matches("Status: 5.4.6").count(), to.len(), "{reports}");
    let mut sender = Sender::connect(([127, 0, 0, 1], port).into(), "EHLO client.example").await.unwrap();
    for address in to {
        let reply = sender.send("mary@far.example", &[address], b"Subject: x\r\n\r\nx\r\n").await.unwrap();
        assert!(reply.starts_with("550 5.7.1"), "{address}: {reply}");
        sender.say("RSET").await.unwrap();
    }
    house.close().await;
}

/// Two servers whose redirections lead to each other: the author hears of it after the first round.
#[tokio::test]
async fn redirections_that_lead_to_each_other_end() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let open = async |services: &[&str], other: u16, names: (&str, &str)| {
        let extra = format!(
            "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n[outbound]\nconnect_to = \"127.0.0.1:{other}\"\npause_seconds_first = 1\n"
        );
        let house = Running::open(services, &extra).await;
        house.domain(names.0).await;
        house.redirect(&format!("jane@{}", names.0), &[&format!("jane@{}", names.1)], None).await;
        house
    };
    let one = open(&["smtp", "submission"], port, ("one.example", "two.example")).await;
    let two = open(&[&format!("smtp 127.0.0.1:{port}")], one.port("smtp").port(), ("two.example", "one.example")).await;
    one.account("paul@one.example", None).await;
    let message = MESSAGE.replace("jane@example.org", "paul@one.example");
    let reply = submitted(&one, "paul@one.example", &["jane@two.example"], &message).await;
    assert!(reply.starts_with("250"), "{reply}");
    one.until("paul has heard", async || !one.filed("paul@one.example").await.is_empty()).await;
    let report = String::from_utf8(one.filed("paul@one.example").await.remove(0).octets).unwrap();
    assert!(report.contains("jane@two.example") && report.contains("5.4.6"), "{report}");
    one.idle().await;
    two.idle().await;
    for house in [&one, &two] {
        let passes = house.server.house.store.ledger(LedgerFilter::All, 100).await.unwrap();
        assert!(passes.iter().filter(|record| record.entry.event == "sent").count() <= 2, "{passes:#?}");
    }
    assert_eq!(one.filed("paul@one.example").await.len(), 1);
    one.close().await;
    two.close().await;
}

/// What is no reply, or says what nobody asked, costs an attempt and nothing else; the message stays.
#[tokio::test]
async fn what_is_no_reply_is_taken_for_none() {
    let keywords: String = (0..5000).map(|n| format!("250-X{n} 25\r\n")).collect();
    let odd: &[(&str, String)] = &[
        ("GREETING", "2200 far.example".to_owned()),
        ("GREETING", "199 far.example".to_owned()),
        ("GREETING", "650 far.example".to_owned()),
        ("GREETING", "\0\0\0 far.example".to_owned()),
        ("GREETING", "220\tfar.example".to_owned()),
        ("GREETING", "-20 far.example".to_owned()),
        ("EHLO", format!("{keywords}250 HELP")),
        ("EHLO", "250-far.example\r\n2510 HELP".to_owned()),
        ("MAIL", "2\u{0}50 ok".to_owned()),
        ("RCPT", "999 ok".to_owned()),
        ("DATA", "3540 go".to_owned()),
        (".", "2500 taken".to_owned()),
        (".", "250\u{a0}taken".to_owned()),
    ];
    for (place, reply) in odd.iter().cloned() {
        let peer = Peer::start(&[], move |line, seen| {
            let is_first = place == "." || seen.count(place) <= 1;
            (line.starts_with(place) && is_first).then(|| Odd::Say(reply.clone()))
        })
        .await;
        let house = Running::open(
            &["submission"],
            &format!("[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n{}", peer.outbound().replace("= 1\n", "= 600\n")),
        )
        .await;
        house.domain("example.org").await;
        house.account("jane@example.org", None).await;
        submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
        let said = tokio::time::timeout(Duration::from_secs(20), last_reply(&house)).await.unwrap();
        assert!(said.contains(" 4.5.0 ") || said.contains(" 4.4."), "{place}: {said}");
        assert_eq!(house.sends().await.len(), 1, "{place}");
        house.close().await;
    }
}
