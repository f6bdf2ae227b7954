//! An alias never shows whose it is: nothing that leaves the house has its owner's address in it.

use super::house::{Blueprint, House, PLAIN, address, alias, mail, mailbox, redirection, responder, run, sends_to};
use crate::delivery::{Answers, Fate};
use crate::types::{DsnReturn, Received, Switches};

const VACATION: &str = "require [\"vacation\", \"variables\"];\nvacation \"Away.\";\n";

/// Everything that would leave, in one text.
async fn all_outgoing(house: &House) -> String {
    let mut all = String::new();
    for send in house.sends().await {
        all.push_str(&format!(
            "<{}> <{}>\n",
            send.send.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            send.send.recipient
        ));
        all.push_str(&house.outgoing(&send).await);
        all.push_str(send.send.details.original_recipient.as_deref().unwrap_or_default());
    }
    all
}

async fn answers(house: &House, to: &str, expected_from: &str) {
    let message = PLAIN.replace("jane@example.test", to);
    assert_eq!(house.deliver("a@one.example", &[to], &message).await, [Fate::Accepted]);
    let out = all_outgoing(house).await;
    assert!(out.contains(&format!("\nFrom: {expected_from}\r\n")), "{to}: {out}");
    assert!(!out.contains("jane") || expected_from.contains("jane"), "{to}: {out}");
}

#[test]
fn an_owners_answer_comes_from_the_mask_that_was_written_to() {
    run(async {
        let check = async |to: &str, from: &str| {
            let jane = Switches { responder: Some(responder(Received::Keep)), ..mailbox() };
            let addresses = [
                ("jane@example.test", jane),
                ("info@example.test", alias("jane@example.test")),
                ("press@example.test", alias("info@example.test")),
            ];
            answers(&House::with(&addresses).await, to, from).await;
            let by_script = [("jane@example.test", mailbox()), addresses[1].clone(), addresses[2].clone()];
            let house = House::with(&by_script).await;
            house.script("jane@example.test", VACATION).await;
            answers(&house, to, from).await;
        };
        check("info@example.test", "info@example.test").await;
        check("Info@example.test", "info@example.test").await;
        check("info+tag@example.test", "info@example.test").await;
        check("info@other.test", "info@other.test").await;
        check("info+tag@other.test", "info@other.test").await;
        check("press@example.test", "press@example.test").await;
        check("jane@example.test", "Person jane <jane@example.test>").await;
        check("jane+tag@example.test", "Person jane <jane@example.test>").await;
        // Of the same person, and no secret; but another name was written, so that one answers.
        check("jane@other.test", "jane@other.test").await;
    });
}

#[test]
fn a_catch_all_answers_from_the_address_it_caught() {
    run(async {
        let jane = Switches { responder: Some(responder(Received::Keep)), ..mailbox() };
        let house = Blueprint::new(&[("jane@example.test", jane)]).catch_all("jane@example.test").build().await;
        answers(&house, "whoever@example.test", "whoever@example.test").await;
    });
}

#[test]
fn a_script_sees_the_mask_with_its_detail() {
    run(async {
        let addresses = [("jane@example.test", mailbox()), ("info@example.test", alias("jane@example.test"))];
        let house = House::with(&addresses).await;
        let script = "require [\"envelope\",\"subaddress\",\"fileinto\",\"mailbox\",\"variables\"];\n\
            if envelope :matches :user \"to\" \"*\" { set \"user\" \"${1}\"; }\n\
            if envelope :matches :detail \"to\" \"*\" { fileinto :create \"${user} ${1}\"; }\n";
        house.script("jane@example.test", script).await;
        house.deliver("a@one.example", &["info+Orders@example.test"], PLAIN).await;
        assert_eq!(house.filed("jane@example.test").await, "info Orders 1");
    });
}

#[test]
fn refusals_and_reports_name_what_the_sender_wrote() {
    run(async {
        let plan = Blueprint::new(&[
            ("jane@example.test", mailbox()),
            ("john@example.test", mailbox()),
            ("info@example.test", alias("jane@example.test")),
            ("team@example.test", sends_to(&["jane@example.test", "john@example.test"])),
        ]);
        let mut plan = plan;
        plan.quotas.insert(address("jane@example.test"), 10);
        let house = plan.build().await;
        assert_eq!(house.deliver("a@one.example", &["info@example.test"], PLAIN).await, [Fate::OverQuota]);
        let both = ["info@example.test", "john@example.test"];
        let message = PLAIN.replace("To: jane@example.test", "To: undisclosed:;");
        assert_eq!(house.deliver("a@one.example", &both, &message).await, [Fate::OverQuota, Fate::Accepted]);
        let mut whole = mail("a@one.example", &["team@example.test"]);
        whole.envelope.dsn_return = Some(DsnReturn::Full);
        assert_eq!(house.deliver_mail(whole, Answers::Each, &message).await, [Fate::Accepted]);
        assert_eq!(house.queued().await, ["Bounce >a@one.example", "Bounce >a@one.example"]);
        let out = all_outgoing(&house).await;
        assert!(out.contains("info@example.test") && out.contains("team@example.test"), "{out}");
        assert!(!out.contains("jane") && !out.contains("john"), "{out}");
    });
}

#[test]
fn what_a_mask_passes_on_outside_tells_nobody() {
    run(async {
        let jane = Switches { redirection: Some(redirection(&["x@two.example"], false)), ..mailbox() };
        let house =
            House::with(&[("jane@example.test", jane), ("info@example.test", alias("jane@example.test"))]).await;
        let message = PLAIN.replace("jane@", "info@");
        house.deliver("a@one.example", &["info@example.test"], &message).await;
        let out = all_outgoing(&house).await;
        assert!(out.contains("<x@two.example>") && out.contains("To: info@example.test"), "{out}");
        assert!(!out.contains("jane"), "{out}");
    });
}

#[test]
fn one_owner_answers_a_message_once() {
    run(async {
        let jane = Switches { responder: Some(responder(Received::Keep)), ..mailbox() };
        let info = Switches { responder: Some(responder(Received::Keep)), ..alias("jane@example.test") };
        let house = House::with(&[("jane@example.test", jane), ("info@example.test", info)]).await;
        let message = PLAIN.replace("To: jane@example.test", "To: info@example.test, jane@example.test");
        house.deliver("a@one.example", &["info@example.test", "jane@example.test"], &message).await;
        assert_eq!(house.queued().await, ["Reply >a@one.example"]);
        assert_eq!(house.filed("jane@example.test").await, "INBOX 1");
        let lines = house.explain("b@one.example", &["jane@example.test", "info@example.test"], &message).await.lines();
        assert!(lines.iter().any(|line| line.contains("no reply: this message has an answer already")), "{lines:#?}");
    });
}
