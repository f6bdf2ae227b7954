//! Mail that is to go later, and mail that is to be there in time.

use super::first::house;
use crate::support::peer::{Peer, say};
use crate::support::running::Running;
use posthouse::delivery::{Answers, Fate, Mail, Origin};
use posthouse::types::{Address, Envelope, Notify, Recipient, Timestamp};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// What jane submits, with the envelope as her program wants it.
async fn submit(house: &Running, envelope: impl FnOnce(Timestamp) -> Envelope) {
    let services = &house.server.house;
    let jane = services.store.account(&address("jane@example.org")).await.unwrap().unwrap();
    let now = services.store.clock().now();
    let mail = Mail {
        envelope: Envelope { sender: Some(address("jane@example.org")), ..envelope(now) },
        origin: Origin::Submission { account: jane.id, address: jane.address },
        now,
        remote_ip: None,
        remote_host: None,
        session: "test".to_owned(),
        verdicts: String::new(),
        not_forwarded: None,
    };
    let message = b"From: jane@example.org\r\nSubject: later\r\n\r\nhello\r\n".to_vec();
    let fates = services
        .delivery
        .deliver(mail, Answers::One, message.len(), move |before| Ok([before, message].concat()))
        .await
        .unwrap();
    assert!(fates.iter().all(|fate| *fate == Fate::Accepted), "{fates:?}");
}

#[tokio::test]
async fn held_mail_goes_when_its_time_has_come() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house.account("john@example.org", None).await;
    let asked = Notify { success: true, ..Notify::default() };
    submit(&house, |now| Envelope {
        recipients: vec![
            Recipient { notify: asked, ..Recipient::plain(address("john@example.org")) },
            Recipient::plain(address("paul@far.example")),
        ],
        hold_until: Some(now.plus_seconds(2)),
        ..Envelope::default()
    })
    .await;
    assert!(house.filed("john@example.org").await.is_empty() && peer.seen.count("MAIL") == 0);
    peer.got(1).await;
    house.idle().await;
    assert_eq!(house.filed("john@example.org").await.len(), 1);
    // Whoever asked hears that it is there, although it had been waiting.
    let report = String::from_utf8(house.filed("jane@example.org").await.remove(0).octets).unwrap();
    assert!(report.contains("Action: delivered") && report.contains("john@example.org"), "{report}");
    house.close().await;
}

#[tokio::test]
async fn what_is_late_goes_back_or_is_told_of() {
    let peer = Peer::start(&[], |line, _| if line.starts_with("RCPT") { say("450 4.2.1 later") } else { None }).await;
    let house = house(&peer).await;
    for (to, return_when_late) in [("back@far.example", true), ("told@far.example", false)] {
        submit(&house, |now| Envelope {
            recipients: vec![Recipient::plain(address(to))],
            deliver_by: Some((now.plus_seconds(1), return_when_late)),
            ..Envelope::default()
        })
        .await;
    }
    house.until("both are told of", async || house.filed("jane@example.org").await.len() == 2).await;
    let reports: Vec<String> =
        house.filed("jane@example.org").await.into_iter().map(|one| String::from_utf8(one.octets).unwrap()).collect();
    let check = |to: &str, action: &str| {
        let found = reports.iter().find(|report| report.contains(to)).unwrap();
        assert!(found.contains(action), "{to}: {found}");
    };
    check("back@far.example", "Action: failed");
    check("told@far.example", "Action: delayed");
    house.until("the reports are done with", async || house.sends().await.len() == 1).await;
    let left: Vec<String> = house.sends().await.iter().map(|send| send.send.recipient.to_string()).collect();
    assert_eq!(left, ["told@far.example"]);
    house.close().await;
}
