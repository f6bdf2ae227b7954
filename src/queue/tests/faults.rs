//! Servers that are down, hang, drop or lose answers, and a process that dies.

use super::world::{NOW, World, submission};
use crate::store::{NewSend, SendState};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_destination_that_is_down_costs_one_attempt_for_all() {
    let world = World::new();
    for n in 0..50 {
        world.put_to(&[&format!("a{n}@down.example")]).await;
    }
    world.put_to(&["b@one.example"]).await;
    world.run_until(2).await;
    while world.all().await.iter().any(|send| send.send.due <= NOW) {
        world.run_until(1).await;
    }
    let tried = world.seen().iter().filter(|line| line.contains("down")).count();
    assert!(tried <= 5, "{tried} connections for fifty messages");
    let all = world.all().await;
    assert_eq!(all.len(), 50);
    assert!(all.iter().all(|send| send.attempts == 1 && send.last_reply.is_some()));
    assert!(world.mails().contains(&"mail jane@us.example > b at mx.one.example".to_owned()));
}

#[tokio::test]
async fn a_destination_that_hangs_is_in_nobodys_way() {
    let mut world = World::new();
    world.settings.connections_max = 7;
    for n in 0..100 {
        world.put_to(&[&format!("a{n}@hang.example")]).await;
    }
    world.put_to(&["b@one.example"]).await;
    let queue = world.queue().await;
    let all_hang = async {
        // It has as many connections as it may while nothing has gone through, and the other has been served.
        while world.mails().len() < 6 {
            tokio::task::yield_now().await;
        }
        world.ledger_has(1).await;
        assert_eq!(world.events().await, ["sent b@one.example"]);
        loop {
            world.transport.release.notify_waiters();
            if world.ledger().await.len() == 101 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    queue.run(all_hang).await.expect("runs");
    assert_eq!(world.store.send_count().await, Ok(0));
}

#[tokio::test]
async fn a_server_that_answers_nonsense_is_asked_once() {
    let world = World::new();
    let ids = world.put_to(&["odd@one.example"]).await;
    world.run_until(1).await;
    assert_eq!(world.send(ids[0]).await.attempts, 1);
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn a_recipient_over_whom_the_server_hangs_up_keeps_nothing_from_the_others() {
    let world = World::new();
    let ids = world.put_to(&["a@one.example", "trap@one.example", "b@one.example"]).await;
    world.run_until(3).await;
    assert_eq!(
        world.mails(),
        ["mail jane@us.example > a,trap,b at mx.one.example", "mail jane@us.example > a,b at mx.one.example"]
    );
    let trap = world.send(ids[1]).await;
    assert_eq!((trap.attempts, trap.state), (1, SendState::Due));
    assert_eq!(world.store.send_count().await, Ok(1));
    // A server that hangs up over everybody is not asked for each of them.
    let world = World::new();
    let all: Vec<String> = (0..20).map(|number| format!("trap{number}@one.example")).collect();
    world.put_to(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.run_until(20).await;
    assert_eq!(world.mails().len(), 4);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_message_leads_to_the_next_server() {
    let world = World::new();
    let zone = "d.example MX 1 a.example\n d.example MX 2 b.example\n a.example A 192.0.2.1\n b.example A 192.0.2.2";
    world.resolver.replace(zone).expect("a zone");
    let ids = world.put_to(&["drop@d.example"]).await;
    world.run_until(1).await;
    assert_eq!(world.mails(), ["mail jane@us.example > drop at a.example", "mail jane@us.example > drop at b.example"]);
    assert_eq!(world.send(ids[0]).await.attempts, 1);
    // After the message nobody knows, so nobody else is asked before the pause is over.
    let world = World::new();
    world.resolver.replace(zone).expect("a zone");
    world.put_to(&["lost@d.example"]).await;
    world.run_until(1).await;
    assert_eq!(world.mails().len(), 1);
    let ledger = world.ledger().await;
    assert!(ledger[0].entry.detail.contains("broke off the connection"), "{}", ledger[0].entry.detail);
}

#[tokio::test]
async fn what_was_under_way_when_the_process_died_is_sent_again() {
    let world = World::new();
    let ids = world.put_to(&["a@hang.example", "b@one.example"]).await;
    {
        let queue = world.queue().await;
        let running = queue.run(std::future::pending());
        // Dropped in the middle of the transaction with the server that hangs.
        let under_way = async {
            while !world.mails().iter().any(|mail| mail.contains("hang")) {
                tokio::task::yield_now().await;
            }
            world.ledger_has(1).await;
        };
        tokio::select! {
            _ = running => panic!("it has no reason to end"),
            () = under_way => {}
        }
    }
    assert!(!crate::queue::retry(&world.store, ids[0]).await.expect("written"), "it is still somebody's");
    let queue = world.queue().await;
    let released = async {
        loop {
            world.transport.release.notify_waiters();
            if world.ledger().await.len() == 2 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    queue.run(released).await.expect("runs");
    let hung = world.mails().iter().filter(|mail| mail.contains("hang")).count();
    assert_eq!(hung, 2, "at least once, and twice only because its answer was lost");
    assert_eq!(world.store.send_count().await, Ok(0));
}

#[tokio::test]
async fn a_relay_that_is_down_is_not_tried_by_everybody() {
    let mut world = World::new();
    world.settings.connect_to = crate::types::HostPort::parse("mx.down.example:25");
    let all: Vec<NewSend> = (0..40).map(|n| submission(&format!("a@d{n}.example"))).collect();
    world.put("Subject: hi\n\nhello\n", all).await;
    world.run_until(40).await;
    let tried = world.seen().len();
    assert!(tried <= 10, "{tried} connections for forty destinations");
    assert!(world.all().await.iter().all(|send| send.attempts == 1));
    world.clock.advance_seconds(400);
    world.transport.up.store(true, Ordering::SeqCst);
    world.run_until(80).await;
    assert_eq!(world.store.send_count().await, Ok(0));
}

#[tokio::test]
async fn a_server_that_is_busy_is_not_given_up() {
    let world = World::new();
    world.resolver.replace("d.example MX 1 busy.example\n busy.example A 192.0.2.1").expect("a zone");
    let ids = world.put_to(&["a@d.example"]).await;
    world.run_until(1).await;
    assert_eq!(world.send(ids[0]).await.last_reply.as_deref(), Some("busy.example: 421 too busy"));
}

#[tokio::test]
async fn a_fault_of_ours_over_one_message_costs_no_other() {
    let world = World::new();
    for to in ["break@one.example", "a@one.example", "b@two.example"] {
        world.put_to(&[to]).await;
    }
    world.run_until(3).await;
    let mut events = world.events().await;
    events.sort();
    assert_eq!(events, ["postponed break@one.example", "sent a@one.example", "sent b@two.example"]);
    let left = world.all().await;
    assert_eq!((left.len(), left[0].state, left[0].attempts), (1, SendState::Due, 1));
    assert_eq!(left[0].last_reply.as_deref(), Some("4.3.0 a fault of this server's"));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_costs_nothing() {
    let world = World::new();
    let queue = world.queue().await;
    let running = queue.run(world.ledger_has(6));
    let putting = async {
        for round in 1..=3 {
            // Two at a time, so that more than one connection waits.
            world.put_to(&["a@one.example"]).await;
            world.put_to(&["b@one.example"]).await;
            world.ledger_has(2 * round).await;
            world.transport.age.fetch_add(1, Ordering::SeqCst);
        }
    };
    let (ran, ()) = tokio::join!(running, putting);
    ran.expect("runs");
    assert!(world.events().await.iter().all(|event| event.starts_with("sent ")), "{:?}", world.events().await);
    assert_eq!(world.mails().len(), 6);
}
