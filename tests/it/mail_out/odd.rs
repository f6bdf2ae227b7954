//! Servers that hang, hang up, trickle and put off.

use super::first::{house, house_in, submitted};
use crate::support::peer::{Odd, Peer, say};
use posthouse::admin::QueueRetry;

const MESSAGE: &str = "From: jane@example.org\nSubject: hi\n\nhello\n";

#[tokio::test]
async fn what_hangs_at_the_end_is_sent_after_the_next_start() {
    let check = async |place: &'static str, odd: Odd| {
        let peer = Peer::start(&[], move |line, _| line.starts_with(place).then(|| odd.clone())).await;
        let house = house(&peer).await;
        submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
        peer.heard(place, 1).await;
        // The grace of the tests' servers is a second.
        let directory = house.end().await;
        let kind = Peer::kind().await;
        let house = house_in(directory, &kind).await;
        assert_eq!(kind.got(1).await[0].to.len(), 1, "{place}");
        house.idle().await;
        house.close().await;
    };
    tokio::join!(
        check("GREETING", Odd::Hang),
        check("EHLO", Odd::Trickle),
        check("RCPT", Odd::Hang),
        check("DATA", Odd::Trickle),
        check("MAIL", Odd::Drop),
    );
}

#[tokio::test]
async fn who_puts_off_or_hangs_up_is_asked_again() {
    let peer = Peer::start(&["PIPELINING"], |line, seen| match (line, seen.count("MAIL")) {
        ("GREETING", 0) if seen.count("GREETING") == 1 => Some(Odd::Drop),
        (line, 1) if line.starts_with("RCPT") => say("451 4.7.1 come back later"),
        (line, 2) if line.starts_with("MAIL") => Some(Odd::Drop),
        // It has the message, and nobody hears of it.
        (".", 3) => Some(Odd::Drop),
        (".", 4) => say("452 4.3.1 no room"),
        _ => None,
    })
    .await;
    let house = house(&peer).await;
    submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
    house
        .until("it is delivered in spite of everything", async || {
            assert!(house.act(QueueRetry { id: None }).await.is_served);
            house.sends().await.is_empty()
        })
        .await;
    // Taken twice, since its first word of it was lost, and never told as failed.
    assert_eq!(peer.got(2).await.len(), 2);
    assert!(house.filed("jane@example.org").await.is_empty());
    house.close().await;
}
