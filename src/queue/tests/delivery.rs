//! What goes out: at once, together, in turn, and again.

use super::world::{NOW, World, address, redirection, submission};
use crate::queue::{hold, list, release, remove, retry, retry_all, show};
use crate::store::{NewSend, SendDetails, SendState};
use crate::types::SendId;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn what_is_queued_goes_out_at_once() {
    let world = World::new();
    let queue = world.queue().await;
    let running = queue.run(world.ledger_has(2));
    let putting = async {
        world.put_to(&["a@one.example"]).await;
        world.ledger_has(1).await;
        world.put_to(&["b@one.example"]).await;
    };
    let (ran, ()) = tokio::join!(running, putting);
    ran.expect("runs");
    assert_eq!(
        world.seen(),
        [
            "open mx.one.example 192.0.2.1:25 IfOffered",
            "mail jane@us.example > a at mx.one.example",
            "mail jane@us.example > b at mx.one.example",
        ],
        "and the connection is used again"
    );
    assert_eq!(world.store.send_count().await, Ok(0));
}

#[tokio::test]
async fn recipients_of_a_message_go_together_and_have_a_fate_each() {
    let world = World::new();
    let to = ["a@one.example", "no@one.example", "b@two.example", "later@one.example"];
    let ids = world.put_to(&to).await;
    world.run_until(4).await;
    let mut mails = world.mails();
    mails.sort();
    assert_eq!(
        mails,
        ["mail jane@us.example > a,no,later at mx.one.example", "mail jane@us.example > b at mx.two.example"]
    );
    let mut events = world.events().await;
    events.retain(|event| !event.contains("jane"));
    events.sort();
    assert_eq!(
        events,
        ["failed no@one.example", "postponed later@one.example", "sent a@one.example", "sent b@two.example"]
    );
    let later = world.send(ids[3]).await;
    assert_eq!((later.attempts, later.state), (1, SendState::Due));
    assert_eq!(later.last_reply.as_deref(), Some("mx.one.example: 451 4.7.1 greylisted"));
    let pause = later.send.due.0 - NOW.0;
    assert!((300_000..=330_000).contains(&pause), "{pause}");
}

#[tokio::test]
async fn pauses_grow_until_it_goes_out() {
    let mut world = World::new();
    world.settings.warn_seconds = 1_000_000;
    let ids = world.put_to(&["a@down.example"]).await;
    for (attempt, seconds) in [(1, 300), (2, 600), (3, 1200), (4, 2400), (5, 4800), (6, 9600), (7, 14_400), (8, 14_400)]
    {
        world.run_until(attempt).await;
        let send = world.send(ids[0]).await;
        let pause = (send.send.due.0 - world.store.clock().now().0) / 1000;
        assert!((seconds..=seconds + seconds / 10).contains(&pause), "{attempt}: {pause}");
        assert_eq!(send.attempts as usize, attempt);
        world.clock.advance_seconds(pause + 1);
    }
    world.transport.up.store(true, Ordering::SeqCst);
    world.run_until(9).await;
    assert_eq!(world.events().await.last().map(String::as_str), Some("sent a@down.example"));
    assert_eq!(world.store.send_count().await, Ok(0));
}

#[tokio::test]
async fn what_is_to_come_later_waits() {
    let world = World::new();
    let later = NewSend { due: NOW.plus_seconds(100), ..submission("a@one.example") };
    world.put("Subject: hi\n\nhello\n", vec![later, submission("b@one.example")]).await;
    world.run_until(1).await;
    assert_eq!(world.mails(), ["mail jane@us.example > b at mx.one.example"]);
    world.clock.advance_seconds(100);
    world.run_until(2).await;
    assert_eq!(world.mails()[1], "mail jane@us.example > a at mx.one.example");
}

#[tokio::test]
async fn what_is_ours_alone_stays_and_marks_go_on_top() {
    let world = World::new();
    let details =
        SendDetails { skip_octets: 17, prepend: "Mark: x\r\n".to_owned(), ..submission("a@one.example").details };
    let send = NewSend { details, ..submission("a@one.example") };
    world.put("Return-Path: <>\nSubject: hi\n\nhello\n", vec![send]).await;
    world.run_until(1).await;
    let messages = world.transport.messages.lock().expect("not poisoned").clone();
    assert_eq!(String::from_utf8_lossy(&messages[0]), "Mark: x\r\nSubject: hi\r\n\r\nhello\r\n");
}

#[tokio::test]
async fn large_messages_go_out_whole() {
    let world = World::new();
    let text = format!("Subject: hi\n\n{}", "0123456789 0123456789\n".repeat(30_000));
    let details = SendDetails { skip_octets: 9, ..SendDetails::default() };
    world.put(&text, vec![NewSend { details, ..submission("a@one.example") }]).await;
    world.run_until(1).await;
    let messages = world.transport.messages.lock().expect("not poisoned").clone();
    assert_eq!(messages[0], text.replace('\n', "\r\n").as_bytes()[9..]);
}

#[tokio::test]
async fn too_many_recipients_are_another_transaction() {
    let world = World::new();
    world.put_to(&["many1@one.example", "many2@one.example", "many3@one.example", "no@one.example"]).await;
    world.run_until(4).await;
    assert_eq!(
        world.mails(),
        [
            "mail jane@us.example > many1,many2,many3,no at mx.one.example",
            "mail jane@us.example > many3 at mx.one.example"
        ]
    );
    let events = world.events().await;
    assert_eq!(events.iter().filter(|event| event.starts_with("sent")).count(), 3);
}

#[tokio::test]
async fn no_destination_gets_more_connections_than_it_may() {
    let mut world = World::new();
    world.settings.connections_per_destination_max = 3;
    for n in 0..100 {
        world.put_to(&[&format!("a{n}@one.example")]).await;
    }
    world.run_until(100).await;
    let most = world.transport.open_most.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most}");
    assert_eq!(world.mails().len(), 100);
}

#[tokio::test]
async fn redirections_go_out_under_a_return_path_of_ours() {
    let world = World::new();
    let local = NewSend { sender: Some(address("jane@us.example")), ..redirection("b@one.example") };
    let nobody = NewSend { sender: None, ..redirection("c@one.example") };
    world.put("Subject: hi\n\nhello\n", vec![redirection("a@one.example"), local, nobody]).await;
    world.run_until(3).await;
    let mut mails = world.mails();
    mails.sort();
    assert_eq!(mails[0], "mail <> > c at mx.one.example");
    assert!(
        mails[1].starts_with("mail SRS0=") && mails[1].ends_with("=two.example=paul@us.example > a at mx.one.example")
    );
    assert_eq!(mails[2], "mail jane@us.example > b at mx.one.example", "for senders of ours we may send");
    let path = mails[1].split(' ').nth(1).expect("a sender");
    let queue = world.queue().await;
    assert_eq!(queue.srs().reverse(address(path).local()).await, Ok(address("paul@two.example")));
}

#[tokio::test]
async fn what_is_for_us_comes_home() {
    let world = World::new();
    world.put_to(&["paul@us.example", "refuses@us.example"]).await;
    world.run_until(2).await;
    assert!(world.seen().is_empty());
    let delivered = world.house.delivered.lock().expect("not poisoned").clone();
    assert_eq!(delivered[0], ("paul@us.example".to_owned(), "Subject: hi\r\n\r\nhello\r\n".to_owned()));
    let events = world.events().await;
    assert_eq!(events[..2], ["sent paul@us.example", "failed refuses@us.example"]);
}

#[tokio::test]
async fn an_administrator_sees_and_decides() {
    let world = World::new();
    let ids = world.put_to(&["a@one.example", "b@two.example", "later@one.example"]).await;
    let store = &world.store;
    let entries = list(store, SendId(0), 10).await.expect("readable");
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
    let entry = &entries[1];
    assert_eq!((entry.recipient.to_string().as_str(), entry.octets, entry.attempts), ("b@two.example", 22, 0));
    assert!(hold(store, ids[0]).await.expect("written"));
    assert!(remove(store, ids[1], "root").await.expect("written"));
    assert!(!remove(store, ids[1], "root").await.expect("written"));
    world.run_until(2).await;
    assert_eq!(world.mails(), ["mail jane@us.example > later at mx.one.example"]);
    retry_all(store).await.expect("written");
    world.run_until(3).await;
    assert_eq!(world.send(ids[2]).await.attempts, 2);
    assert!(retry(store, ids[2]).await.expect("written"));
    world.run_until(4).await;
    assert!(release(store, ids[0]).await.expect("written"));
    world.run_until(5).await;
    assert_eq!(world.mails().last().map(String::as_str), Some("mail jane@us.example > a at mx.one.example"));
    assert_eq!(show(store, ids[0]).await.expect("readable"), None);
    assert!(!retry(store, ids[0]).await.expect("written"));
}
