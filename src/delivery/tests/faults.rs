//! What goes wrong in scripts is remembered with its line, and their owners hear of it by mail, once a day at most.

use super::house::{Blueprint, House, PLAIN, alias, mailbox, run};
use crate::store::FaultRecord;

const JANE: &str = "jane@example.test";
const DAY: i64 = 24 * 60 * 60;

/// `name version:line what (count)`.
async fn faults(house: &House) -> Vec<String> {
    let line = |record: FaultRecord| {
        let FaultRecord { fault, count, .. } = record;
        format!("{} {}:{} {} ({count})", fault.name, fault.version, fault.line, fault.what)
    };
    let mut lines: Vec<String> = house.store.script_faults().await.expect("readable").into_iter().map(line).collect();
    lines.sort();
    lines
}

async fn told(house: &House) -> usize {
    let told = house.delivery.tell_of_faults().await.expect("told");
    house.assert_sound();
    told
}

#[test]
fn owners_are_told_once_a_day_what_goes_wrong() {
    run(async {
        let house = House::with(&[(JANE, mailbox())]).await;
        house.script(JANE, "require \"variables\";\nset \"x\" \"no address\";\nredirect \"${x}\";\n").await;
        assert_eq!(told(&house).await, 0);
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        assert_eq!(faults(&house).await, ["own 1:3 \"no address\" is no address (2)"]);
        assert_eq!(told(&house).await, 1);
        let messages = house.messages(JANE, "INBOX").await;
        let notice = &messages[2];
        for expected in [
            "Return-Path: <>\r\n",
            "From: Mail rules <postmaster@mail.example.test>\r\n",
            "To: jane@example.test\r\n",
            "\r\nAuto-Submitted: auto-generated\r\n",
            "\r\nMIME-Version: 1.0\r\n",
            "own, version 1\r\n  line 3: \"no address\" is no address\r\n    2 times, the last at 2026-09-21T14:13:20Z\r\n",
        ] {
            assert!(notice.contains(expected), "{expected:?} in {notice}");
        }
        // The notice has come to the same end as the others, which is no news.
        assert_eq!(faults(&house).await, ["own 1:3 \"no address\" is no address (2)"]);
        house.clock.advance_seconds(60);
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        assert_eq!(told(&house).await, 0, "the day is not over");
        house.clock.advance_seconds(DAY);
        assert_eq!((told(&house).await, told(&house).await), (1, 0));
        house.clock.advance_seconds(2 * DAY);
        assert_eq!(told(&house).await, 0, "nothing has happened since");
        // Another version is another matter.
        house.script(JANE, "keep;").await;
        assert_eq!(faults(&house).await, Vec::<String>::new());
        house.script(JANE, "require \"ihave\";\nerror \"again\";\n").await;
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        assert_eq!(faults(&house).await, ["own 3:2 the script says: again (1)"]);
        assert_eq!(told(&house).await, 1);
        // Old ones are forgotten.
        house.clock.advance_seconds(31 * DAY);
        let before = crate::types::Clock::now(&*house.clock).plus_seconds(-30 * DAY);
        assert_eq!(house.store.trim_script_faults(before).await.expect("trimmed"), 2);
        assert_eq!(faults(&house).await, Vec::<String>::new());
        house.assert_sound();
    });
}

#[test]
fn refused_redirections_are_faults_of_whoever_wrote_them() {
    run(async {
        let plan = Blueprint::new(&[(JANE, mailbox()), ("off@example.test", alias(JANE))])
            .admin(None, "before", "require \"copy\";\n\nredirect :copy \"nobody@example.test\";\n")
            .admin(Some("example.test"), "after", "require \"ihave\";\nerror \"after all\";\n")
            .script(JANE, "mine", "require \"copy\";\nredirect :copy \"gone@example.test\";\n");
        let house = plan.build().await;
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        assert_eq!(
            faults(&house).await,
            [
                "after 1:2 the script says: after all (1)",
                "before 1:3 it redirects to nobody@example.test: there is no such address (1)",
                "mine 1:2 it redirects to gone@example.test: there is no such address (1)",
            ]
        );
        // Only people have a mailbox to be told in; administrators look at the status.
        assert_eq!(told(&house).await, 1);
        let notice = house.messages(JANE, "INBOX").await.pop().expect("a notice");
        assert!(notice.contains("mine, version 1") && !notice.contains("nobody@"), "{notice}");
        // Of what messages bring in, only so much is remembered.
        house
            .script(
                JANE,
                "require [\"ihave\", \"variables\"];\nif header :matches \"subject\" \"*\" { error \"${1}\"; }\n",
            )
            .await;
        for number in 0..60 {
            let message = PLAIN.replace("Subject: hello", &format!("Subject: {number} {}", "x".repeat(400)));
            house.deliver("a@one.example", &[JANE], &message).await;
        }
        let own: Vec<String> = faults(&house).await.into_iter().filter(|line| line.starts_with("own ")).collect();
        assert_eq!(own.len(), 50);
        assert!(own.iter().all(|line| line.len() < 330), "{own:?}");
        house.assert_sound();
    });
}
