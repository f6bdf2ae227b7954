//! The queue's rows: found by destination and in time, taken in turn and once, settled whole.

use super::world::{NOW, World, address, block_on, body, put_mailbox};
use crate::store::{
    BodyChoice, Deposit, DirectoryChange, LedgerEntry, LedgerFilter, NewSend, PutOff, Refusing, SendDetails, SendEnd,
    SendKind, SendState, Settlement, StoreError, Taken, TargetNews, TargetNote, Thing, TransportPolicy, Turn, Waiting,
};
use crate::types::{RedirectionSwitch, SendId, Switches, Target, Timestamp};
use std::sync::{Arc, Mutex};

fn send_to(recipient: &str, wait: i64) -> NewSend {
    let recipient = address(recipient);
    let due = NOW.plus_seconds(wait);
    NewSend {
        kind: SendKind::Redirection,
        account: None,
        address: Some(address("team@example.test")),
        sender: None,
        destination: recipient.domain().to_string(),
        recipient,
        due,
        expires: due.plus_seconds(86_400),
        priority: 0,
        details: SendDetails { smtputf8: true, cause: "redirections, line 7".to_owned(), ..SendDetails::default() },
    }
}

/// Each inner list is one message.
async fn put(world: &World, messages: Vec<Vec<NewSend>>) -> Vec<SendId> {
    let mut ids = Vec::new();
    for sends in messages {
        let mut deposit = Deposit { bodies: vec![body("out")], ..Deposit::default() };
        deposit.sends = sends.into_iter().map(|send| (BodyChoice::New(0), send)).collect();
        ids.extend(world.store.deposit(deposit).await.expect("queued").sends);
    }
    ids
}

fn turn(destination: &str, messages: u32) -> Turn {
    Turn { destination: destination.to_owned(), after: String::new(), messages, recipients: 100 }
}

async fn take(world: &World, turn: Turn) -> Taken {
    let taken = world.store.take_sends(turn).await.expect("taken");
    world.assert_sound();
    taken
}

fn recipients(taken: &Taken) -> Vec<Vec<String>> {
    let message = |sends: &Vec<crate::store::SendRecord>| {
        sends.iter().map(|send| send.send.recipient.local().to_owned()).collect::<Vec<_>>()
    };
    taken.messages.iter().map(message).collect()
}

async fn due(world: &World, now: Timestamp) -> Vec<String> {
    let due = world.store.due_destinations(None, now, 10).await.expect("readable");
    due.into_iter().map(|waiting| waiting.destination).collect()
}

#[test]
fn what_waits_is_found_by_its_destination() {
    block_on(async {
        let world = World::with_people().await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&heard);
        world.store.observe_sends(move |waiting| listener.lock().unwrap().extend_from_slice(waiting));
        let all = [("a@one.example", 0), ("b@two.example", 0), ("c@one.example", 50)];
        let ids = put(&world, vec![all.iter().map(|(to, wait)| send_to(to, *wait)).collect()]).await;
        let waiting =
            |destination: &str, wait| Waiting { destination: destination.to_owned(), due: NOW.plus_seconds(wait) };
        let expected = vec![waiting("one.example", 0), waiting("two.example", 0), waiting("one.example", 50)];
        assert_eq!(due(&world, NOW).await, ["one.example", "two.example"]);
        assert_eq!(due(&world, NOW.plus_seconds(-1)).await, Vec::<String>::new());
        let behind = world.store.due_destinations(Some(waiting("one.example", 0)), NOW, 10).await.expect("readable");
        assert_eq!(behind, vec![waiting("two.example", 0)]);

        let taken = take(&world, turn("one.example", 10)).await;
        // A write later, the news of the one before is out; that of the last one, where the next is due, may be.
        assert_eq!(heard.lock().unwrap()[..3], expected);
        assert_eq!(recipients(&taken), [["a"]]);
        assert_eq!(taken.messages[0][0].send, send_to("a@one.example", 0));
        assert_eq!((taken.messages[0][0].state, taken.more), (SendState::Due, false));
        assert!(take(&world, turn("one.example", 10)).await.messages.is_empty(), "it was taken");
        assert_eq!(due(&world, NOW).await, ["two.example"]);
        assert_eq!(world.store.next_destination_due(NOW).await, Ok(Some(NOW.plus_seconds(50))));
        take(&world, turn("two.example", 10)).await;
        assert_eq!(due(&world, NOW).await, Vec::<String>::new(), "nothing waits there at all");

        let world = world.reopened();
        assert_eq!(world.store.release_claims().await, Ok(2));
        world.assert_sound();
        assert_eq!(due(&world, NOW).await, ["one.example", "two.example"]);
        assert_eq!(recipients(&take(&world, turn("one.example", 10)).await), [["a"]]);
        assert_eq!(world.store.set_send_state(ids[0], SendState::Held, None).await, Ok(false), "under way");
    });
}

#[test]
fn everybody_has_his_turn() {
    block_on(async {
        let world = World::with_people().await;
        let from = |who: &str, to: &str, priority: i8| NewSend {
            address: Some(address(who)),
            priority,
            ..send_to(&format!("{to}@one.example"), 0)
        };
        // One sends much and comes first, one sends nothing that is due, one has a higher priority.
        let mut all: Vec<Vec<NewSend>> = (0..4).map(|n| vec![from("a@example.test", &format!("a{n}"), 0)]).collect();
        all.push(vec![from("b@example.test", "b0", 0), from("b@example.test", "b1", 0)]);
        all.push(vec![from("b@example.test", "b2", 0)]);
        all.push(vec![NewSend { due: NOW.plus_seconds(9), ..from("c@example.test", "c0", 0) }]);
        all.push(vec![from("d@example.test", "d0", 4), from("a@example.test", "a4", -4)]);
        put(&world, all).await;
        let first = take(&world, turn("one.example", 3)).await;
        assert_eq!(recipients(&first), [vec!["d0"], vec!["a0"], vec!["b0", "b1"]]);
        assert!(first.more);
        // The one behind the last has the next turn, and behind the last comes the first again.
        let next = take(&world, Turn { after: "a@example.test".to_owned(), ..turn("one.example", 3) }).await;
        assert_eq!(recipients(&next), [["b2"], ["a1"], ["a2"]]);
        let last = take(&world, turn("one.example", 9)).await;
        assert_eq!(recipients(&last), [["a3"], ["a4"]]);
        assert!(!last.more);
        assert_eq!(world.store.next_destination_due(NOW).await, Ok(Some(NOW.plus_seconds(9))));
    });
}

#[test]
fn one_transaction_has_one_envelope() {
    block_on(async {
        let world = World::with_people().await;
        let with =
            |local: &str, details: SendDetails| NewSend { details, ..send_to(&format!("{local}@one.example"), 0) };
        let plain = SendDetails::default();
        let tls = SendDetails { requiretls: true, ..plain.clone() };
        let told = SendDetails { notify: crate::types::Notify::NEVER, cause: "other".to_owned(), ..plain.clone() };
        let all =
            vec![with("a", plain.clone()), with("b", tls.clone()), with("c", told), with("d", tls), with("e", plain)];
        put(&world, vec![all]).await;
        assert_eq!(recipients(&take(&world, turn("one.example", 9)).await), [vec!["a", "c", "e"], vec!["b", "d"]]);
        // Other messages, and as many recipients as one transaction may have.
        put(&world, vec![vec![send_to("a@two.example", 0), send_to("b@two.example", 0), send_to("c@two.example", 0)]])
            .await;
        let two = Turn { recipients: 2, ..turn("two.example", 1) };
        assert_eq!(recipients(&take(&world, two.clone()).await), [["a", "b"]]);
        assert_eq!(recipients(&take(&world, two).await), [["c"]]);
    });
}

#[test]
fn the_order_of_time_decides_where_too_many_wait() {
    block_on(async {
        let world = World::with_people().await;
        let mut all: Vec<NewSend> = (0..300)
            .map(|n| NewSend {
                address: Some(address(&format!("s{n:03}@example.test"))),
                ..send_to("later@one.example", 60)
            })
            .collect();
        all.push(NewSend { address: Some(address("z@example.test")), ..send_to("now@one.example", 0) });
        put(&world, vec![all]).await;
        assert_eq!(recipients(&take(&world, turn("one.example", 3)).await), [["now"]]);
    });
}

#[test]
fn what_came_of_it_is_remembered_whole() {
    block_on(async {
        let world = World::with_people().await;
        let all = ["a", "b", "c"].map(|local| send_to(&format!("{local}@one.example"), 0));
        let ids = put(&world, vec![all.to_vec()]).await;
        take(&world, turn("one.example", 9)).await;
        let later = NOW.plus_seconds(300);
        let settlement = Settlement {
            ends: vec![
                (ids[0], SendEnd::Gone),
                (ids[1], SendEnd::Later { due: later, reply: "451 later".to_owned(), warned: true }),
                (ids[2], SendEnd::Untouched),
            ],
            reports: vec![(body("report"), send_to("jane@two.example", 0))],
            targets: Vec::new(),
            ledger: vec![LedgerEntry { event: "sent".to_owned(), ..LedgerEntry::default() }],
        };
        assert_eq!(world.store.settle_sends(settlement.clone()).await, Ok(Vec::new()));
        world.assert_sound();
        let second = world.store.send(ids[1]).await.expect("readable").expect("there");
        assert_eq!((second.attempts, second.last_reply.as_deref(), second.send.due), (1, Some("451 later"), later));
        assert!(second.warned && second.state == SendState::Due);
        let third = world.store.send(ids[2]).await.expect("readable").expect("there");
        assert_eq!((third.attempts, third.state, third.send.due), (0, SendState::Due, NOW));
        assert_eq!(due(&world, NOW).await, ["one.example", "two.example"]);
        assert_eq!(world.store.send_count().await, Ok(3));
        assert_eq!(world.store.ledger(LedgerFilter::All, 100).await.expect("readable").len(), 1);
        // Half of it can't be: the first send is gone already.
        assert_eq!(world.store.settle_sends(settlement).await, Err(StoreError::Missing(Thing::Send)));
        assert_eq!(world.store.send_count().await, Ok(3));
        world.assert_sound();
    });
}

#[test]
fn an_administrator_holds_releases_hurries_and_removes() {
    block_on(async {
        let world = World::with_people().await;
        let ids = put(&world, vec![vec![send_to("a@one.example", 100), send_to("b@two.example", 200)]]).await;
        assert_eq!(world.store.set_send_state(ids[0], SendState::Held, None).await, Ok(true));
        assert_eq!(world.store.hurry_sends(SendId(0), 10).await, Ok(Some(ids[1])));
        world.assert_sound();
        assert_eq!(due(&world, NOW).await, ["two.example"]);
        assert_eq!(world.store.hurry_sends(ids[1], 10).await, Ok(None));
        assert!(take(&world, turn("one.example", 9)).await.messages.is_empty());
        assert_eq!(world.store.set_send_state(ids[0], SendState::Due, Some(NOW)).await, Ok(true));
        assert_eq!(due(&world, NOW).await, ["one.example", "two.example"]);
        assert_eq!(world.store.set_send_state(SendId(99), SendState::Due, None).await, Ok(false));
        take(&world, turn("one.example", 9)).await;
        for (id, expected) in [(ids[0], false), (ids[1], true), (ids[1], false)] {
            assert_eq!(world.store.remove_send(id, LedgerEntry::default()).await, Ok(expected), "{id}");
        }
        world.assert_sound();
    });
}

#[test]
fn a_destination_out_of_reach_is_put_off_as_one() {
    block_on(async {
        let world = World::with_people().await;
        let mut all: Vec<NewSend> = (0..6).map(|n| send_to(&format!("a{n}@one.example"), 0)).collect();
        all[3].expires = NOW;
        all[4].expires = NOW.plus_seconds(100);
        all[5].details.deliver_by = Some((NOW, false));
        let ids = put(&world, vec![all]).await;
        let put_off = |most| PutOff {
            destination: "one.example".to_owned(),
            pause_seconds_first: 300,
            pause_seconds_max: 1000,
            warn_since: NOW.plus_seconds(-100),
            reply: "no connection".to_owned(),
            most,
        };
        assert_eq!(world.store.put_off_sends(put_off(1)).await, Ok(1));
        assert_eq!(world.store.put_off_sends(put_off(10)).await, Ok(3));
        assert_eq!(world.store.put_off_sends(put_off(10)).await, Ok(0));
        world.assert_sound();
        let first = world.store.send(ids[0]).await.expect("readable").expect("there");
        assert_eq!((first.attempts, first.last_reply.as_deref()), (1, Some("no connection")));
        assert_eq!(first.send.due, NOW.plus_seconds(300));
        let short = world.store.send(ids[4]).await.expect("readable").expect("there");
        assert_eq!(short.send.due, NOW.plus_seconds(100), "no pause is longer than what is left");
        // Expired, and with a sender who is to hear of the delay: those have turns of their own.
        assert_eq!(recipients(&take(&world, turn("one.example", 9)).await), [vec!["a3"], vec!["a5"]]);
        for (attempts, pause) in [(2, 600), (3, 1000), (4, 1000)] {
            world.clock.advance_seconds(2000);
            let now = world.store.clock().now();
            let again = PutOff { warn_since: now.plus_seconds(-100_000), ..put_off(10) };
            world.store.put_off_sends(again).await.expect("put off");
            let first = world.store.send(ids[0]).await.expect("readable").expect("there");
            assert_eq!((first.attempts, first.send.due), (attempts, now.plus_seconds(pause)));
        }
        // Long enough under way: its sender hears of it, so it is looked at one by one.
        world.clock.advance_seconds(2000);
        let told = PutOff { warn_since: NOW, ..put_off(10) };
        assert_eq!(world.store.put_off_sends(told).await, Ok(0));
        world.assert_sound();
    });
}

#[test]
fn nothing_looks_at_all_that_waits() {
    block_on(async {
        let world = World::bare();
        for sql in super::super::turns::PICKING {
            let sql: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
            let parameters = sql.matches('?').count();
            let plan = world.store.read(move |tx| {
                let parameters: Vec<_> = (0..parameters).map(|_| 1_i64.into()).collect();
                tx.rows(sql, &parameters, |row| Ok(row.text(3)?.to_owned()))
            });
            let plan = plan.await.expect("a plan");
            let is_search = |step: &String| step.starts_with("SEARCH ") && step.contains("INDEX");
            assert!(!plan.is_empty() && plan.iter().all(is_search), "{sql}: {plan:?}");
        }
    });
}

#[test]
fn refusals_are_counted_on_the_redirection() {
    block_on(async {
        let world = World::with_people().await;
        let target = address("old@one.example");
        let switches = Switches {
            mailbox: true,
            redirection: Some(RedirectionSwitch {
                targets: vec![Target { address: target.clone(), paused: false }],
                keep: true,
                paused: false,
            }),
            ..Switches::default()
        };
        let DirectoryChange::PutAddress { address: jane, reserved, script, author, cause, .. } =
            put_mailbox("jane@example.test")
        else {
            panic!("another change");
        };
        let put = DirectoryChange::PutAddress { address: jane.clone(), switches, reserved, script, author, cause };
        let generation = world.store.directory_generation().await.expect("readable");
        world.store.change_directory(generation, vec![put]).await.expect("changed");
        let domain = "example.test".parse().expect("a domain");
        assert_eq!(world.store.redirections_to(&domain, &target).await, Ok(vec![jane.clone()]));
        let note = |refusal: Option<&str>, target: &str| Settlement {
            targets: vec![TargetNote {
                address: address("jane@example.test"),
                target: address(target),
                news: refusal.map_or(TargetNews::Took, |reply| TargetNews::Refused(reply.to_owned())),
            }],
            ..Settlement::default()
        };
        for refusals in 1..=2 {
            let refusing =
                Refusing { address: jane.clone(), target: target.clone(), refusals, reply: "550 no".to_owned() };
            let noted = world.store.settle_sends(note(Some("550 no"), "old@one.example")).await;
            assert_eq!(noted, Ok(vec![refusing]));
        }
        assert_eq!(world.store.settle_sends(note(Some("550 no"), "other@one.example")).await, Ok(Vec::new()));
        assert_eq!(world.store.settle_sends(note(None, "old@one.example")).await, Ok(Vec::new()));
        let noted = world.store.settle_sends(note(Some("550 no"), "old@one.example")).await.expect("noted");
        assert_eq!(noted[0].refusals, 1, "in a row");
    });
}

#[test]
fn others_are_remembered() {
    block_on(async {
        let world = World::bare();
        let long = address("bounces+a-very-long-sender@one.example");
        let id = world.store.remember_long_sender(&long).await.expect("remembered");
        assert_eq!(world.store.remember_long_sender(&long).await, Ok(id));
        assert_eq!(world.store.long_sender(id).await, Ok(Some(long)));
        assert_eq!(world.store.long_sender(id + 1).await, Ok(None));
        assert_eq!(world.store.forget_long_senders(NOW).await, Ok(0));
        assert_eq!(world.store.forget_long_senders(NOW.plus_seconds(1)).await, Ok(1));
        assert_eq!(world.store.long_sender(id).await, Ok(None));

        let domain = "one.example".parse().expect("a domain");
        let policy = TransportPolicy { id: "1".into(), text: "x".into(), fetched: NOW, expires: NOW.plus_seconds(5) };
        world.store.put_transport_policy(&domain, policy.clone()).await.expect("stored");
        assert_eq!(world.store.transport_policy(&domain).await, Ok(Some(policy)));
        assert_eq!(world.store.forget_transport_policies().await, Ok(0));
        world.clock.advance_seconds(5);
        assert_eq!(world.store.forget_transport_policies().await, Ok(1));
        assert_eq!(world.store.transport_policy(&domain).await, Ok(None));
    });
}
