//! Where plans could go wrong: shared addresses, circles, changed copies, scripts of administrators, what may not leave.

use super::house::{
    Blueprint, House, NOW, PLAIN, address, alias, mail, mailbox, redirection, responder, run, sends_to,
};
use crate::delivery::{Answers, Fate, Origin};
use crate::store::SendKind;
use crate::types::limits::{CORRESPONDENTS_MAX, RECEIVED_HEADERS_OUTWARD_MAX};
use crate::types::{Notify, Received, Recipient, SendId, Switches};

const JANE: &str = "jane@example.test";
const JOHN: &str = "john@example.test";

fn rejected(text: &str) -> Fate {
    Fate::Rejected(text.into())
}

#[test]
fn recipients_that_share_an_address_are_judged_by_it() {
    run(async {
        let house = House::with(&[
            (JANE, mailbox()),
            (JOHN, mailbox()),
            ("info@example.test", alias(JANE)),
            ("team@example.test", sends_to(&[JANE, JOHN])),
        ])
        .await;
        house.script(JANE, "require \"reject\";\nreject \"No.\";\n").await;
        // Whoever comes second has the same to hear.
        for to in [["info@example.test", JANE], [JANE, "info@example.test"]] {
            assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, [rejected("No."), rejected("No.")], "{to:?}");
        }
        for (to, expected) in [
            (["team@example.test", JANE], [Fate::Accepted, rejected("No.")]),
            ([JANE, "team@example.test"], [rejected("No."), Fate::Accepted]),
        ] {
            assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, expected, "{to:?}");
        }
        assert_eq!((house.filed(JANE).await, house.filed(JOHN).await), (String::new(), "INBOX 2".to_owned()));
    });
}

#[test]
fn what_a_discarding_owner_wants_besides_is_done_for_the_recipient_that_got_through() {
    run(async {
        let plan =
            Blueprint::new(&[(JANE, mailbox()), (JOHN, mailbox()), ("team@example.test", sends_to(&[JANE, JOHN]))]);
        let house = plan.build().await;
        house.script(JANE, "require \"vacation\";\nvacation \"Away.\";\ndiscard;\n").await;
        house.script(JOHN, "require \"reject\";\nreject \"No.\";\n").await;
        // The team is refused because of John; Jane has been written to as well, and answers.
        let message = PLAIN.replace("Subject", "Cc: team@example.test\nSubject");
        let fates = house.deliver("a@one.example", &["team@example.test", JANE], &message).await;
        assert_eq!(fates, [rejected("No."), Fate::Accepted]);
        assert_eq!(house.queued().await, ["Reply >a@one.example", "Bounce >a@one.example"]);
    });
}

#[test]
fn scripts_that_send_a_message_in_circles_end_in_a_mailbox() {
    run(async {
        let check = async |jane: &str, john: &str, to: &[&str], expected: [&str; 2]| {
            let addresses = [
                (JANE, mailbox()),
                (JOHN, mailbox()),
                ("info@example.test", alias(JANE)),
                ("press@example.test", alias("info@example.test")),
                ("team@example.test", sends_to(&[JANE, JOHN])),
            ];
            let house = House::with(&addresses).await;
            house.script(JANE, jane).await;
            house.script(JOHN, john).await;
            let fates = house.deliver("a@one.example", to, PLAIN).await;
            assert!(fates.iter().all(|fate| *fate == Fate::Accepted), "{fates:?}");
            assert_eq!([house.filed(JANE).await, house.filed(JOHN).await], expected, "{jane} {john} {to:?}");
        };
        let keep = "keep;\n";
        let (to_jane, to_john) = ("redirect \"jane@example.test\";\n", "redirect \"john@example.test\";\n");
        check(to_jane, keep, &[JANE], ["INBOX 1", ""]).await;
        check("redirect \"jane+x@example.test\";\n", keep, &[JANE], ["INBOX 1", ""]).await;
        check("redirect \"jane@other.test\";\n", keep, &[JANE], ["INBOX 1", ""]).await;
        check("redirect \"info@example.test\";\n", keep, &[JANE], ["INBOX 1", ""]).await;
        check("redirect \"press@example.test\";\n", keep, &["info@example.test"], ["INBOX 1", ""]).await;
        check("redirect \"team@example.test\";\n", "discard;\n", &["team@example.test"], ["INBOX 1", ""]).await;
        check(to_john, to_jane, &[JANE], ["INBOX 1", ""]).await;
        check(to_john, to_jane, &[JOHN], ["", "INBOX 1"]).await;
        // Neither is the other's ancestor here, and both have the message already when the circle closes.
        check(to_john, to_jane, &["team@example.test"], ["INBOX 1", ""]).await;
        check(
            to_john,
            "redirect :copy \"jane@example.test\";\n".replace(":copy ", "").as_str(),
            &[JANE, JOHN],
            ["INBOX 1", ""],
        )
        .await;
        // Who keeps it anyway has one copy.
        let copy = "require \"copy\";\nredirect :copy \"info@example.test\";\n";
        check(copy, keep, &["info@example.test"], ["INBOX 1", ""]).await;
        // A discard at the end of the way is a wish.
        check(to_john, "discard;\n", &[JANE], ["", ""]).await;
    });
}

#[test]
fn a_changed_copy_stays_changed_on_its_way_through_the_house() {
    run(async {
        let team = Switches { redirection: Some(redirection(&[JOHN, "x@two.example"], false)), ..Switches::default() };
        let house = House::with(&[(JANE, mailbox()), (JOHN, mailbox()), ("team@example.test", team)]).await;
        let script = "require [\"editheader\",\"copy\"];\naddheader \"X-One\" \"yes\";\nredirect :copy \"team@example.test\";\n\
            deleteheader \"Return-Path\";\naddheader \"X-Two\" \"yes\";\n";
        house.script(JANE, script).await;
        house.script(JOHN, "require \"fileinto\";\nif exists \"X-One\" { fileinto \"Archive\"; }\n").await;
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        let starts = "Return-Path: <a@one.example>\r\n";
        let check = |what: &str, message: &str, two: bool| {
            assert!(message.contains("X-One: yes\r\n"), "{what}: {message}");
            assert_eq!(message.contains("X-Two: yes\r\n"), two, "{what}: {message}");
            assert_eq!(message.matches("Return-Path").count(), usize::from(what != "sent"), "{what}: {message}");
        };
        let (jane, john) = (house.messages(JANE, "INBOX").await, house.messages(JOHN, "Archive").await);
        assert!(jane[0].starts_with(starts) && john[0].starts_with(starts), "{jane:?} {john:?}");
        check("kept", &jane[0], true);
        check("passed on", &john[0], false);
        let sends = house.sends().await;
        check("sent", &house.outgoing(&sends[0]).await, false);
    });
}

#[test]
fn scripts_of_administrators_come_first_and_last() {
    run(async {
        let check = async |place: &'static str, script: &str, to: &str, fate: Fate, filed: &str, queued: &[&str]| {
            let jane = Switches { redirection: Some(redirection(&["x@two.example"], true)), ..mailbox() };
            let addresses = [(JANE, jane), ("team@example.test", sends_to(&["y@two.example"]))];
            let house = Blueprint::new(&addresses).admin(Some("example.test"), place, script).build().await;
            assert_eq!(house.deliver("a@one.example", &[to], PLAIN).await, [fate], "{script} {to}");
            assert_eq!(house.filed(JANE).await, filed, "{script} {to}");
            assert_eq!(house.queued().await, queued, "{script} {to}");
        };
        let (x, y) = ("Redirection a@one.example>x@two.example", "Redirection a@one.example>y@two.example");
        let archive = "Redirection a@one.example>archive@three.example";
        let team = "team@example.test";
        let stop = "stop;\n";
        check("before", stop, JANE, Fate::Accepted, "INBOX 1", &[]).await;
        check("before", stop, team, Fate::NoMailbox, "", &[]).await;
        check("before", "discard;\nstop;\n", JANE, Fate::Accepted, "", &[]).await;
        check("before", "discard;\nstop;\n", team, Fate::Accepted, "", &[]).await;
        check("before", "discard;\n", JANE, Fate::Accepted, "", &[x]).await;
        let copy = "require \"copy\";\nredirect :copy \"archive@three.example\";\n";
        check("before", copy, JANE, Fate::Accepted, "INBOX 1", &[archive, x]).await;
        check("before", copy, team, Fate::Accepted, "", &[archive, y]).await;
        check("before", "redirect \"archive@three.example\";\n", JANE, Fate::Accepted, "", &[archive, x]).await;
        let reject = "require \"reject\";\nreject \"Closed.\";\nstop;\n";
        check("before", reject, JANE, rejected("Closed."), "", &[]).await;
        check("before", reject, team, rejected("Closed."), "", &[]).await;
        let broken = "require \"variables\";\nset \"a\" \"no address\";\nredirect \"${a}\";\n";
        check("before", broken, JANE, Fate::Accepted, "INBOX 1", &[x]).await;
        // The switches are served all the same; only where nothing else becomes of it must the message wait.
        check("before", broken, team, Fate::Accepted, "", &[y]).await;
        check("before", &format!("{broken}stop;\n"), team, Fate::Accepted, "", &[y]).await;
        check("after", copy, JANE, Fate::Accepted, "INBOX 1", &[x, archive]).await;
        let file = "require [\"fileinto\",\"mailbox\"];\nfileinto :create \"Swept\";\n";
        check("after", file, JANE, Fate::Accepted, "Swept 1", &[x]).await;
        check("after", file, team, Fate::Accepted, "", &[y]).await;
    });
}

#[test]
fn an_archive_that_gets_a_copy_of_everything_gets_each_once() {
    run(async {
        let copy = "require \"copy\";\nredirect :copy \"archive@example.test\";\n";
        let house = Blueprint::new(&[(JANE, mailbox()), ("archive@example.test", mailbox())])
            .admin(None, "before", copy)
            .build()
            .await;
        house.deliver("a@one.example", &[JANE, "archive@example.test"], PLAIN).await;
        assert_eq!(house.filed(JANE).await, "INBOX 1");
        assert_eq!(house.filed("archive@example.test").await, "INBOX 1");
    });
}

#[test]
fn suspended_accounts_are_told_of_and_others_may_rely_on_them() {
    run(async {
        let mut plan = Blueprint::new(&[
            (JANE, mailbox()),
            ("info@example.test", alias(JANE)),
            ("team@example.test", sends_to(&[JANE])),
        ]);
        plan.suspended.insert(address(JANE));
        let house = plan.build().await;
        assert_eq!(house.deliver("a@one.example", &[JANE], PLAIN).await, [Fate::Suspended]);
        assert_eq!(house.deliver("a@one.example", &["info@example.test"], PLAIN).await, [Fate::Suspended]);
        assert_eq!(house.deliver("a@one.example", &["team@example.test"], PLAIN).await, [Fate::Accepted]);
        assert_eq!(house.filed(JANE).await, "INBOX 1");
    });
}

#[test]
fn spam_and_what_may_not_be_forwarded_stays() {
    run(async {
        let jane = Switches { redirection: Some(redirection(&["x@two.example"], false)), ..mailbox() };
        let addresses = [(JANE, jane), ("team@example.test", sends_to(&["y@two.example"]))];
        let house = Blueprint::new(&addresses).catch_all("z@two.example").build().await;
        let spam = format!("X-Spam-Status: Yes, score=9\n{PLAIN}");
        let not_forwarded = |fates: &[Fate]| matches!(fates, [Fate::NotForwarded(_)]);
        let fates = house.deliver("a@one.example", &["caught@example.test"], &spam).await;
        assert!(not_forwarded(&fates), "{fates:?}");
        let fates = house.deliver("a@one.example", &["team@example.test"], &spam).await;
        assert!(matches!(&fates[..], [Fate::Rejected(_)]), "{fates:?}");
        house.deliver("a@one.example", &[JANE], &spam).await;
        assert_eq!(house.filed(JANE).await, "Junk 1");
        let circling = format!("{}{PLAIN}", "Received: by x\n".repeat(RECEIVED_HEADERS_OUTWARD_MAX));
        assert_eq!(house.deliver("a@one.example", &["caught@example.test"], &circling).await, [Fate::Loop]);
        // What policy found: the owner keeps it, or the sender hears of it.
        let refused = |to: &str| {
            let mut mail = mail("a@one.example", &[to]);
            mail.not_forwarded = Some("it would fail there".to_owned());
            mail
        };
        for to in ["caught@example.test", "team@example.test"] {
            let fates = house.deliver_mail(refused(to), Answers::One, PLAIN).await;
            assert_eq!(
                fates,
                [Fate::NotForwarded("The message can't be forwarded: it would fail there".into())],
                "{to}"
            );
        }
        assert_eq!(house.deliver_mail(refused(JANE), Answers::One, PLAIN).await, [Fate::Accepted]);
        assert_eq!(house.filed(JANE).await, "INBOX 1, Junk 1");
        assert!(house.queued().await.is_empty());
        house.deliver("a@one.example", &["caught@example.test"], PLAIN).await;
        assert_eq!(house.queued().await, ["Redirection a@one.example>z@two.example"]);
    });
}

#[test]
fn two_servers_of_a_split_domain_pass_a_message_once() {
    run(async {
        let house = House::with(&[("team@example.test", sends_to(&["far@split.test"]))]).await;
        for to in ["far@split.test", "team@example.test"] {
            assert_eq!(house.deliver("a@one.example", &[to], PLAIN).await, [Fate::Accepted]);
            let send = house.store.sends(SendId(0), 10).await.expect("readable").pop().expect("queued");
            assert_eq!(send.send.kind, SendKind::Handover);
            assert_eq!(send.send.details.next_hop.as_deref(), Some("relay.example:25"));
            let back = house.outgoing(&send).await.replace("\r\n", "\n");
            // Back to the address that it was handed, or to the one it came by.
            assert_eq!(house.deliver("a@one.example", &["far@split.test"], &back).await, [Fate::Loop]);
            assert_eq!(house.deliver("a@one.example", &[to], &back).await, [Fate::Loop]);
        }
    });
}

#[test]
fn what_the_sender_asked_for_goes_with_every_copy() {
    run(async {
        let addresses = [("team@example.test", sends_to(&["x@two.example", "far@split.test", "caught@example.test"]))];
        let house = Blueprint::new(&addresses).catch_all("z@two.example").build().await;
        let notify = Notify { never: false, success: true, failure: true, delay: false };
        let mut mail = mail("a@one.example", &[]);
        mail.envelope.recipients = vec![Recipient { notify, ..Recipient::plain(address("team@example.test")) }];
        mail.envelope.dsn_envelope_id = Some("id".to_owned());
        assert_eq!(house.deliver_mail(mail, Answers::One, PLAIN).await, [Fate::Accepted]);
        let sends = house.sends().await;
        assert_eq!(sends.len(), 3);
        assert!(sends.iter().all(|send| send.send.details.notify == notify), "{sends:#?}");
    });
}

#[test]
fn correspondents_are_others_and_those_who_were_reached() {
    run(async {
        let addresses = [(JANE, mailbox()), (JOHN, mailbox()), ("info@example.test", alias(JANE))];
        let house = House::with(&addresses).await;
        let account = house.account(JANE).await;
        let to = [JOHN, "x@two.example", JANE, "info@example.test", "jane+tag@example.test", "nobody@example.test"];
        let mut sent = mail(JANE, &to);
        sent.origin = Origin::Submission { account, address: address(JANE) };
        house.deliver_mail(sent, Answers::One, PLAIN).await;
        let store = house.store.clone();
        let known = tokio::task::spawn_blocking(move || store.correspondents_blocking(account)).await;
        let mut known = known.expect("ended").expect("readable");
        known.sort_unstable();
        assert_eq!(known, [address(JOHN), address("x@two.example")]);
        const { assert!(CORRESPONDENTS_MAX >= 2) }
        // RFC 6134: a script tells them from strangers.
        let script = "require [\"extlists\",\"fileinto\",\"envelope\"];\n\
            if envelope :list \"from\" \":addrbook:default\" { fileinto \"Archive\"; }\n\
            elsif envelope :list \"from\" \":addrbook:own\" { fileinto \"Sent\"; }\n";
        house.script(JANE, script).await;
        for from in ["x@two.example", "y@two.example", "info@example.test"] {
            house.deliver(from, &[JANE], PLAIN).await;
        }
        // The first two are what Jane wrote to herself, and the report about nobody.
        assert_eq!(house.filed(JANE).await, "Archive 1, INBOX 3, Sent 1");
    });
}

#[test]
fn notifications_go_out_with_their_copy_and_never_in_circles() {
    run(async {
        let house = House::with(&[(JANE, mailbox()), (JOHN, mailbox())]).await;
        let script = "require [\"enotify\",\"fcc\",\"mailbox\"];\n\
            notify :fcc \"Sent\" :message \"Mail\" \"mailto:john@example.test?to=x@two.example\";\n";
        house.script(JANE, script).await;
        house.script(JOHN, "require \"enotify\";\nnotify \"mailto:jane@example.test\";\n").await;
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        assert_eq!(house.filed(JANE).await, "INBOX 1, Sent 1");
        assert_eq!(house.filed(JOHN).await, "INBOX 1");
        assert_eq!(house.queued().await, ["Notice >x@two.example"]);
    });
}

#[test]
fn a_copy_of_an_answer_needs_no_room_and_an_answer_needs_a_message() {
    run(async {
        let mut plan = Blueprint::new(&[(JANE, mailbox()), ("team@example.test", sends_to(&[JANE, "x@two.example"]))]);
        plan.quotas.insert(address(JANE), 400);
        let house = plan.build().await;
        let script =
            "require [\"vacation\",\"fcc\"];\nvacation :fcc \"Sent\" :addresses \"team@example.test\" \"Away.\";\n";
        house.script(JANE, script).await;
        assert_eq!(house.deliver("a@one.example", &[JANE], PLAIN).await, [Fate::Accepted]);
        assert_eq!(house.filed(JANE).await, "INBOX 1, Sent 1");
        assert_eq!(house.queued().await, ["Reply >a@one.example"]);
        // Full now: who gets none of it does not answer it, and the sender hears that a copy is missing.
        let message = PLAIN.replace("jane@", "team@");
        let told = house.explain("b@one.example", &["team@example.test"], &message).await;
        assert_eq!(house.deliver("b@one.example", &["team@example.test"], &message).await, [Fate::Accepted]);
        let more = &house.queued().await[1..];
        assert_eq!(more, ["Redirection b@one.example>x@two.example", "Bounce >b@one.example"]);
        assert_eq!(told.report.map(|report| report.about), Some(vec!["team@example.test".to_owned()]));
    });
}

#[test]
fn a_refused_message_is_in_the_ledger_with_the_line_that_refused_it() {
    run(async {
        let house = House::with(&[(JANE, mailbox())]).await;
        house.script(JANE, "require \"reject\";\n\nreject \"No.\";\n").await;
        house.deliver("a@one.example", &[JANE], PLAIN).await;
        let ledger = house.store.ledger(crate::store::LedgerFilter::Address(JANE.to_owned()), 10).await;
        let entry = ledger.expect("readable").remove(0).entry;
        assert_eq!((entry.event.as_str(), entry.message_id.as_str()), ("refused", "1@one.example"));
        let detail: serde_json::Value = serde_json::from_str(&entry.detail).expect("JSON");
        let action = &detail["plan"]["path"][0]["actions"][0];
        assert_eq!((action["action"].as_str(), action["script"].as_str()), (Some("reject"), Some("own")));
        assert_eq!((action["line"].as_u64(), action["kind"].as_str()), (Some(3), Some("personal")));
    });
}

#[test]
fn a_dropping_responder_answers_and_stores_nothing() {
    run(async {
        let jane = Switches { responder: Some(responder(Received::Drop)), ..mailbox() };
        let copies = Received::CopyTo(address(JOHN));
        let free = Switches { responder: Some(responder(copies)), ..Switches::default() };
        let house = House::with(&[(JANE, jane), (JOHN, mailbox()), ("free@example.test", free)]).await;
        assert_eq!(house.deliver("a@one.example", &[JANE], PLAIN).await, [Fate::Accepted]);
        let message = PLAIN.replace("jane@", "free@");
        assert_eq!(house.deliver("a@one.example", &["free@example.test"], &message).await, [Fate::Accepted]);
        assert_eq!((house.filed(JANE).await, house.filed(JOHN).await), (String::new(), "INBOX 1".to_owned()));
        assert_eq!(house.queued().await, ["Reply >a@one.example", "Reply >a@one.example"]);
        assert_eq!(mail("a@one.example", &[JANE]).now, NOW);
    });
}
