//! What senders hear, and what they must not.

use super::world::{NOW, World, address, redirection, submission};
use crate::queue::ReturnError;
use crate::store::{NewSend, SendDetails, SendKind};
use crate::types::{DsnReturn, Notify};

/// What was delivered to jane, or went out to another server, as text without folding.
async fn heard(world: &World) -> Vec<String> {
    let home = world.house.delivered.lock().expect("not poisoned").clone();
    home.into_iter().map(|(_, text)| text.replace("\r\n", "\n")).collect()
}

async fn run_one(send: NewSend, entries: usize) -> (World, Vec<String>) {
    let world = World::new();
    world.put("Subject: hi\n\nhello\n", vec![send]).await;
    world.run_until(entries).await;
    let heard = heard(&world).await;
    (world, heard)
}

#[tokio::test]
async fn a_failure_comes_home_in_words_and_for_machines() {
    let details = SendDetails {
        original_recipient: Some("rfc822;No@one.example".to_owned()),
        envelope_id: Some("QQ1".to_owned()),
        ..submission("no@one.example").details
    };
    let (world, heard) = run_one(NewSend { details, ..submission("no@one.example") }, 2).await;
    assert_eq!(world.events().await, ["failed no@one.example", "sent jane@us.example"]);
    let [report] = heard.as_slice() else { panic!("{heard:?}") };
    for part in [
        "From: Mail delivery <postmaster@mail.us.example>\nTo: jane@us.example\nSubject: Your message could not be delivered\n",
        "Auto-Submitted: auto-replied\n",
        "\nno@one.example\n    the server there does not take mail for this address\n    \
         The server there said: 550 5.1.1 <no@one.example>: no such user\n",
        "Original-Envelope-Id: QQ1\nReporting-MTA: dns; mail.us.example\n",
        "Original-Recipient: rfc822; No@one.example\nFinal-Recipient: rfc822; no@one.example\nAction: failed\n\
         Status: 5.1.1\nRemote-MTA: dns; mx.one.example\n\
         Diagnostic-Code: smtp; 550 5.1.1 <no@one.example>: no such user\n",
        "Content-Type: message/rfc822\n",
        "Subject: hi\n\nhello\n",
    ] {
        assert!(report.contains(part), "{part}\n in \n{report}");
    }
    let ledger = world.ledger().await;
    assert!(ledger.iter().all(|record| record.entry.message_id == "m1@us.example"), "one message's whole life");
}

#[tokio::test]
async fn reports_go_where_the_sender_is() {
    let send = NewSend { sender: Some(address("paul@two.example")), ..submission("no@one.example") };
    let (world, _) = run_one(send, 2).await;
    assert_eq!(world.mails()[1], "mail <> > paul at mx.two.example");
}

#[tokio::test]
async fn nobody_hears_who_wants_no_report() {
    let check = async |send: NewSend| {
        let (world, heard) = run_one(send, 1).await;
        assert!(heard.is_empty());
        assert_eq!(world.store.send_count().await, Ok(0));
    };
    let plain = submission("no@one.example");
    let never = SendDetails { notify: Notify::NEVER, ..plain.details.clone() };
    let success = SendDetails { notify: Notify { success: true, ..Notify::default() }, ..plain.details.clone() };
    check(NewSend { sender: None, ..plain.clone() }).await;
    check(NewSend { details: never, ..plain.clone() }).await;
    check(NewSend { details: success, ..plain.clone() }).await;
    // Even if it had a sender by mistake.
    check(NewSend { kind: SendKind::Bounce, ..plain.clone() }).await;
    check(NewSend { kind: SendKind::Reply, ..plain }).await;
}

#[tokio::test]
async fn only_the_header_comes_back_when_that_is_asked_for() {
    let details = SendDetails { dsn_return: Some(DsnReturn::Headers), ..submission("no@one.example").details };
    let (_, heard) = run_one(NewSend { details, ..submission("no@one.example") }, 2).await;
    assert!(
        heard[0].contains("text/rfc822-headers") && heard[0].contains("Subject: hi\n") && !heard[0].contains("hello")
    );
    let world = World::new();
    world.put(&format!("Subject: hi\n\n{}", "hello\n".repeat(20_000)), vec![submission("no@one.example")]).await;
    world.run_until(2).await;
    assert!(!super::reports::heard(&world).await[0].contains("hello"), "too large to come back whole");
}

#[tokio::test]
async fn a_delay_is_told_once_and_an_end_as_well() {
    let world = World::new();
    world.put_to(&["a@down.example"]).await;
    world.run_until(1).await;
    let mut told = Vec::new();
    for hour in 1..=130 {
        world.clock.advance_seconds(3600);
        // The attempt first, then perhaps a report.
        while !world.store.due_destinations(None, world.store.clock().now(), 1).await.expect("readable").is_empty() {
            world.run_until(world.ledger().await.len() + 1).await;
        }
        let heard = heard(&world).await;
        if heard.len() > told.len() {
            told.push((hour, heard.last().cloned().unwrap_or_default()));
        }
    }
    let hours: Vec<i64> = told.iter().map(|(hour, _)| *hour).collect();
    assert_eq!(hours, [4, 120]);
    assert!(told[0].1.contains("Subject: Your message is delayed\n"));
    assert!(told[0].1.contains("Action: delayed\nStatus: 4.4.1\n") && told[0].1.contains("\nWill-Retry-Until: "));
    assert!(!told[0].1.contains("hello"), "a delay brings the header back");
    assert!(told[1].1.contains("Action: failed\nStatus: 5.4.7\n"), "{}", told[1].1);
    assert_eq!(world.store.send_count().await, Ok(0));
}

#[tokio::test]
async fn success_is_told_where_the_server_there_does_not() {
    let success = Notify { success: true, ..Notify::default() };
    let with =
        |to: &str| NewSend { details: SendDetails { notify: success, ..submission(to).details }, ..submission(to) };
    let (_, heard) = run_one(with("a@one.example"), 2).await;
    assert!(heard[0].contains("Action: relayed\nStatus: 2.0.0\n"), "{}", heard[0]);
    let (_, heard) = run_one(with("a@reports.example"), 1).await;
    assert!(heard.is_empty());
    let (_, heard) = run_one(submission("a@one.example"), 1).await;
    assert!(heard.is_empty());
}

#[tokio::test]
async fn deliver_by_is_a_time_to_return_or_to_tell() {
    let by = |seconds: i64, return_when_late: bool| NewSend {
        details: SendDetails {
            deliver_by: Some((NOW.plus_seconds(seconds), return_when_late)),
            ..submission("a@down.example").details
        },
        ..submission("a@down.example")
    };
    let (_, heard) = run_one(by(0, true), 2).await;
    assert!(heard[0].contains("Action: failed\nStatus: 5.4.7\n"), "{}", heard[0]);
    let (world, heard) = run_one(by(0, false), 2).await;
    assert!(heard[0].contains("Action: delayed\n"), "{}", heard[0]);
    assert_eq!(world.store.send_count().await, Ok(1), "it goes on");
    // Not before: the next attempt is when the time is there.
    let (world, heard) = run_one(by(100, false), 1).await;
    assert!(heard.is_empty());
    assert_eq!(world.all().await[0].send.due, NOW.plus_seconds(100));
}

#[tokio::test]
async fn a_report_does_not_say_where_it_led() {
    let send = NewSend { sender: Some(address("jane@us.example")), ..redirection("no-secret@one.example") };
    let (_, heard) = run_one(send, 2).await;
    let [report] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(report.contains("Final-Recipient: rfc822; info@us.example\n"), "{report}");
    assert!(report.contains("550 5.1.1 <info@us.example>: no such user"));
    assert!(!report.contains("secret") && !report.contains("one.example") && !report.contains("team@"), "{report}");
}

#[tokio::test]
async fn a_target_that_goes_on_refusing_is_for_somebody_to_look_at() {
    let mut world = World::new();
    world.settings.refusals_before_pause = 2;
    world.put_redirection("team@us.example", "no@one.example").await;
    let mut entries = 0;
    for count in [0, 1] {
        world.put("Subject: hi\n\nhello\n", vec![redirection("no@one.example")]).await;
        entries += 2;
        world.run_until(entries).await;
        assert_eq!(world.house.refusing.lock().expect("not poisoned").len(), count);
    }
    let refusing = world.house.refusing.lock().expect("not poisoned")[0].clone();
    assert_eq!((refusing.address, refusing.target), (address("team@us.example"), address("no@one.example")));
    assert_eq!(
        (refusing.refusals, refusing.reply.as_str()),
        (2, "mx.one.example: 550 5.1.1 <no@one.example>: no such user")
    );
}

#[tokio::test]
async fn a_bounce_of_redirected_mail_goes_to_the_author_once() {
    let mut world = World::new();
    world.settings.refusals_before_pause = 1;
    world.put_redirection("team@us.example", "x@one.example").await;
    let queue = world.queue().await;
    let path = queue.srs().forward(&address("paul@two.example"), &"us.example".parse().expect("a domain")).await;
    let path = path.expect("a return path");
    let bounce = b"From: mailer@mx.one.example\r\nMessage-ID: <b1@one.example>\r\n\
        Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
        --b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.one.example\r\n\r\n\
        Final-Recipient: rfc822; x@one.example\r\nAction: failed\r\nStatus: 5.2.1\r\n\
        Diagnostic-Code: smtp; 550 5.2.1 gone\r\n\r\n--b--\r\n";
    assert_eq!(queue.check_return(None, &path).await, Ok(address("paul@two.example")));
    let sender = address("mallory@far.example");
    assert_eq!(queue.check_return(Some(&sender), &path).await, Err(ReturnError::NotABounce));
    let forged = address("SRS0=AAAAAA=BB=two.example=paul@us.example");
    assert!(queue.check_return(None, &forged).await.is_err());
    assert!(queue.return_to_author(&forged, bounce.to_vec(), "s").await.is_err());
    queue.return_to_author(&path, bounce.to_vec(), "s").await.expect("passed on");
    world.run_until(2).await;
    assert_eq!(world.mails(), ["mail <> > paul at mx.two.example"]);
    assert_eq!(world.transport.messages.lock().expect("not poisoned")[0], bounce);
    let refusing = world.house.refusing.lock().expect("not poisoned")[0].clone();
    assert_eq!((refusing.address, refusing.reply.as_str()), (address("team@us.example"), "550 5.2.1 gone"));
}
