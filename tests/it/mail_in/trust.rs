//! Who holds connections, or sends more than he may, harms nobody else.

use crate::support::running::Running;
use crate::support::smtp::Sender;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nhello\r\n";

async fn house(extra: &str) -> Running {
    let house = Running::open(&["smtp", "lmtp"], extra).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    house
}

#[tokio::test]
async fn a_network_has_so_many_connections_and_no_more() {
    let house = house("[limits]\nconnections_per_network_max = 3\nconnections_max = 100\n").await;
    let port = house.port("smtp");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Sender::connect(port, "EHLO client.example").await.unwrap());
    }
    // The count is one for all services of the server.
    for service in ["smtp", "lmtp"] {
        let (mut refused, greeting) = Sender::connect_without_hello(house.port(service)).await.unwrap();
        assert!(greeting.starts_with("421 4.7.0 Too many connections"), "{service}: {greeting}");
        assert!(refused.reply().await.is_err(), "{service}");
    }
    let mut last = held.pop().unwrap();
    assert!(last.say("QUIT").await.unwrap().starts_with("221"));
    assert!(last.reply().await.is_err());
    // The slot is free when the server is done with the connection, which may be a moment after we are.
    let mut sender = loop {
        let (sender, greeting) = Sender::connect_without_hello(port).await.unwrap();
        if greeting.starts_with("220") {
            break sender;
        }
    };
    assert!(sender.say("EHLO client.example").await.unwrap().starts_with("250"));
    let reply = sender.send("a@elsewhere.example", &["jane@example.org"], MESSAGE).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    house.close().await;
}

#[tokio::test]
async fn clients_that_stop_in_the_middle_hold_nobody_up() {
    let house = house("").await;
    let port = house.port("smtp");
    let mut stuck = Vec::new();
    for number in 0..60 {
        let mut sender = Sender::connect(port, "EHLO client.example").await.unwrap();
        match number % 3 {
            0 => sender.write(b"MAIL FR").await.unwrap(),
            1 => {
                sender.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<jane@example.org>\r\nDATA\r\n").await.unwrap();
                for expected in ["250", "250", "354"] {
                    assert!(sender.reply().await.unwrap().starts_with(expected));
                }
                sender.write(&[b'x'; 100_000]).await.unwrap();
            }
            _ => {
                sender
                    .write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<jane@example.org>\r\nBDAT 1000000\r\n")
                    .await
                    .unwrap();
                for _ in 0..2 {
                    assert!(sender.reply().await.unwrap().starts_with("250"));
                }
                sender.write(&[b'x'; 1000]).await.unwrap();
            }
        }
        stuck.push(sender);
    }
    for service in ["smtp", "lmtp"] {
        let hello = if service == "lmtp" { "LHLO client.example" } else { "EHLO client.example" };
        let mut sender = Sender::connect(house.port(service), hello).await.unwrap();
        let reply = sender.send("a@elsewhere.example", &["jane@example.org"], MESSAGE).await.unwrap();
        assert!(reply.starts_with("250"), "{service}: {reply}");
    }
    drop(stuck);
    assert_eq!(house.filed("jane@example.org").await.len(), 2);
    house.close().await;
}

#[tokio::test]
async fn networks_and_people_have_their_rates() {
    let house = Running::open(
        &["smtp", "submission"],
        "[auth]\nplaintext_networks = [\"127.0.0.1\"]\n[limits]\nnetwork_messages_per_minute = 3\n\
         submission_messages_per_hour = 2\nsubmission_recipients_per_hour = 5\n",
    )
    .await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    house.account("paul@example.org", None).await;
    let mut stranger = Sender::connect(house.port("smtp"), "EHLO client.example").await.unwrap();
    for expected in ["250", "250", "250", "451 4.7.1"] {
        let reply = stranger.send("a@elsewhere.example", &["jane@example.org"], MESSAGE).await.unwrap();
        assert!(reply.starts_with(expected), "{reply}");
    }
    let many = ["a@b.example", "b@b.example", "c@b.example", "d@b.example"];
    for (name, attempts) in [
        ("jane", vec![(&many[..1], "250"), (&many[..1], "250"), (&many[..1], "451 4.7.1")]),
        ("paul", vec![(&many[..], "250"), (&many[..2], "451 4.7.1"), (&many[..1], "250")]),
    ] {
        let mut person = Sender::connect(house.port("submission"), "EHLO client.example").await.unwrap();
        person.log_in(&format!("{name}@example.org")).await.unwrap();
        for (recipients, expected) in attempts {
            let reply = person.send(&format!("{name}@example.org"), recipients, MESSAGE).await.unwrap();
            assert!(reply.starts_with(expected), "{name}: {reply}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn who_guesses_addresses_gets_no_answers() {
    let house = house("[limits]\nunknown_recipients_per_hour = 2\n").await;
    let mut sender = Sender::connect(house.port("smtp"), "EHLO client.example").await.unwrap();
    assert!(sender.say("MAIL FROM:<a@elsewhere.example>").await.unwrap().starts_with("250"));
    assert!(sender.say("RCPT TO:<joan@example.org>").await.unwrap().starts_with("550 5.1.1"));
    // The answer to this one is held back for long, and is not waited for.
    sender.write(b"RCPT TO:<jean@example.org>\r\n").await.unwrap();
    let mut other = Sender::connect(house.port("smtp"), "EHLO client.example").await.unwrap();
    loop {
        assert!(other.say("MAIL FROM:<a@elsewhere.example>").await.unwrap().starts_with("250"));
        let reply = other.say("RCPT TO:<jane@example.org>").await.unwrap();
        if reply.starts_with("451 4.7.1") {
            break;
        }
        // The first one's question is still on its way.
        assert!(reply.starts_with("250"), "{reply}");
        assert!(other.say("RSET").await.unwrap().starts_with("250"));
    }
    house.close().await;
}

/// Everybody stays as long as he is let, and says nothing: those who were greeted, and how many were not.
async fn crowd(port: SocketAddr, networks: u8, each: u8) -> (Vec<Sender>, Vec<Sender>) {
    let (mut greeted, mut others) = (Vec::new(), Vec::new());
    for network in 0..networks {
        let source = IpAddr::from([127, 1, network, 1]);
        let arrivals = (0..each).map(|_| tokio::spawn(Sender::connect_from(source, port)));
        for arrival in arrivals.collect::<Vec<_>>() {
            match arrival.await.unwrap() {
                Ok((sender, greeting)) if greeting.starts_with("220") => greeted.push(sender),
                Ok((sender, _)) => others.push(sender),
                // Cut off before he could read why.
                Err(_) => {}
            }
        }
    }
    (greeted, others)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_leave_room_for_others() {
    // Both ends of each are here.
    let descriptors = posthouse::net::raise_descriptor_limit().unwrap();
    let each = u8::try_from(descriptors / 100).unwrap_or(u8::MAX).min(200);
    let house = house("[limits]\nconnections_per_network_max = 20\nconnections_max = 1100\n").await;
    let port = house.port("smtp");
    let begun = Instant::now();
    let (greeted, others) = crowd(port, 50, each).await;
    assert_eq!(greeted.len(), 50 * 20);
    for _ in 0..20 {
        let (mut sender, greeting) = Sender::connect_from(IpAddr::from([127, 2, 0, 1]), port).await.unwrap();
        assert!(greeting.starts_with("220"), "{greeting}");
        assert!(sender.say("EHLO client.example").await.unwrap().starts_with("250"));
        let reply = sender.send("a@elsewhere.example", &["jane@example.org"], MESSAGE).await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    // Far more than it takes, and far less than any patience of ours: nobody waited for one of them to give up.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    drop((greeted, others));
    assert_eq!(house.filed("jane@example.org").await.len(), 20);
    house.close().await;
}
