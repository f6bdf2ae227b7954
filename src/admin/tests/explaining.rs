//! `explain`, as administrators ask it.

use super::*;

fn explain(to: &str) -> Explain {
    Explain { address: address(to), from: None, at: None, zone: Some("UTC".to_owned()), message: None }
}

async fn lines(house: &House, act: Explain) -> Vec<String> {
    house.ok(act).await.explanation.lines()
}

#[tokio::test]
async fn a_sample_is_followed_through_switches_and_scripts() {
    let house = House::with_people().await;
    house.ok(redirect("john@example.test", &["john@elsewhere.example"], Some(true))).await;
    house.ok(alias("press@example.test", "john@example.test")).await;
    let script = "require [\"fileinto\", \"mailbox\"];\n\nfileinto :create \"Lists\";\n".to_owned();
    let (place, name) = (ScriptWhere::Address(address("john@example.test")), "lists".to_owned());
    house.ok(ScriptPut { place, name, text: script, activate: true }).await;
    let before = house.admin.store().directory_generation().await.unwrap();
    let explained = house.ok(explain("press+tag@example.test")).await;
    assert!(explained.sample && explained.sender == "someone@elsewhere.example", "{explained:#?}");
    assert_eq!(explained.at, "2026-09-21T14:13:20Z");
    assert_eq!(explained.at_local, "2026-09-21 14:13:20 UTC");
    assert_eq!(
        explained.assumed,
        [
            "a plain sample message, as none was given",
            "not judged spam",
            "SPF, DKIM and DMARC not looked at, and taken as passed"
        ]
    );
    let found = explained.explanation.lines();
    let line = |text: &str| found.iter().filter(|line| line.contains(text)).count();
    assert_eq!(line("press@example.test, written as press+tag@example.test (script version 1)"), 1, "{found:#?}");
    assert_eq!(line("goes on to john@example.test (redirections, line "), 1, "{found:#?}");
    assert_eq!(line("john@example.test, written as press+tag@example.test, from press@example.test line "), 1);
    assert_eq!(line("is sent to john@elsewhere.example (redirections, line "), 1, "{found:#?}");
    assert_eq!(line("is filed in Lists (script lists version 1, line 3)"), 1, "{found:#?}");
    assert_eq!(found.last().unwrap(), "press+tag@example.test is accepted");
    assert_eq!(house.admin.store().directory_generation().await.unwrap(), before);
    assert_eq!(house.admin.store().send_count().await.unwrap(), 0);
    // What programs read.
    let json = serde_json::to_value(&explained).unwrap();
    let action = &json["path"][1]["actions"][0];
    assert_eq!((&action["action"], &action["section"]), (&"send".into(), &"redirections".into()), "{json:#}");
    assert!(action["line"].as_u64().is_some_and(|line| line > 1), "{json:#}");
    let read: Explained = serde_json::from_value(json).unwrap();
    assert_eq!(read, explained);
}

#[tokio::test]
async fn whoever_the_message_does_not_name_is_nobody() {
    let house = House::with_people().await;
    let check = async |message: &str, from: Option<&str>, expected: bool| {
        let message = Some(Octets(message.as_bytes().to_vec()));
        let act = Explain { message, from: from.map(str::to_owned), ..explain("jane@example.test") };
        let assumed = house.ok(act).await.assumed;
        let found = assumed.iter().any(|line| line == "the null sender, as the message names none");
        assert_eq!(found, expected, "{assumed:#?}");
    };
    check("", None, true).await;
    check("Subject: x\n\n", None, true).await;
    check("Subject: x\n\n", Some("<>"), false).await;
    check("Return-Path: <>\n\n", None, false).await;
    check("From: joe@elsewhere.example\n\n", None, false).await;
}

#[tokio::test]
async fn times_decide_about_windows_and_scripts() {
    let house = House::with_people().await;
    let act = ResponderSet {
        from: Some("2026-12-24".to_owned()),
        until: Some("2027-01-06".to_owned()),
        ..responder("jane@example.test", ReceivedChoice::Keep)
    };
    house.ok(act).await;
    let script = "require [\"date\", \"relational\", \"fileinto\"];\n\
        if currentdate :zone \"+0100\" :value \"ge\" \"date\" \"2026-12-24\" { fileinto \"Archive\"; }\n";
    let (place, name) = (ScriptWhere::Address(address("jane@example.test")), "late".to_owned());
    house.ok(ScriptPut { place, name, text: script.to_owned(), activate: true }).await;
    let check = async |at: &str, zone: &str, answered: bool, filed: &str| {
        let (at, zone) = (Some(at.to_owned()), Some(zone.to_owned()));
        let found = lines(&house, Explain { at: at.clone(), zone, ..explain("jane@example.test") }).await;
        let line = |text: &str| found.iter().any(|line| line.contains(text));
        assert_eq!(line("is answered, to someone@elsewhere.example"), answered, "{at:?}: {found:#?}");
        assert!(line(&format!("is filed in {filed}")), "{at:?}: {found:#?}");
    };
    // The responder's owner lives in Berlin.
    check("2026-12-23T22:59:59Z", "UTC", false, "INBOX").await;
    check("2026-12-23T23:00:00Z", "UTC", true, "Archive").await;
    check("2026-12-24T00:00", "Europe/Berlin", true, "Archive").await;
    check("2026-12-23T23:59", "Europe/Berlin", false, "INBOX").await;
    check("2026-12-24T00:00[Europe/Berlin]", "UTC", true, "Archive").await;
    check("2026-12-24", "Europe/Berlin", true, "Archive").await;
    check("2027-01-06T23:59", "Europe/Berlin", true, "Archive").await;
    check("2027-01-07T00:00+01:00", "UTC", false, "Archive").await;
}

#[tokio::test]
async fn a_message_of_ones_own_says_who_sent_it_and_what_it_is() {
    let house = House::with_people().await;
    house.ok(responder("jane@example.test", ReceivedChoice::Keep)).await;
    house.ok(redirect("john@example.test", &["john@elsewhere.example"], Some(false))).await;
    let check = async |to: &str, from: Option<&str>, message: &str, sender: &str, expected: &[&str]| {
        let message = Some(Octets(message.as_bytes().to_vec()));
        let act = Explain { from: from.map(str::to_owned), message, ..explain(to) };
        let explained = house.ok(act).await;
        assert_eq!(explained.sender, sender);
        let found = explained.assumed.join("\n") + "\n" + &explained.explanation.lines().join("\n");
        for expected in expected {
            assert!(found.contains(expected), "{expected} in {found}");
        }
    };
    let jane = "jane@example.test";
    let list = "From: Joe <joe@x.example>\nTo: jane@example.test\nList-Id: <a.x.example>\nSubject: x\n\nx\n";
    check(jane, None, list, "joe@x.example", &["no reply: List-Id present (responder, line "]).await;
    check(jane, Some(""), list, "", &["no reply: the sender is empty, as of a bounce"]).await;
    check(jane, Some("<>"), list, "", &["no reply: the sender is empty"]).await;
    check(jane, Some("owner-x@x.example"), list, "owner-x@x.example", &["no reply: owner-x@x.example is no person"])
        .await;
    let plain = "From joe Thu Jan  1 00:00:00 2026\nReturn-Path: <sue@x.example>\nFrom: joe@x.example\nTo: jane@example.test\n\nx\n";
    check(jane, None, plain, "sue@x.example", &["is answered, to sue@x.example"]).await;
    let spam = format!("X-Spam-Status: Yes, score=9\nAuthentication-Results: mail.example.test; spf=fail\n{list}");
    let assumed = ["X-Spam-Status says: Yes, score=9", "the message says mail.example.test; spf=fail"];
    check(jane, None, &spam, "joe@x.example", &assumed).await;
    check("john@example.test", None, &spam, "joe@x.example", &["is filed in Junk (copy, line "]).await;
    check("nobody@example.test", None, list, "joe@x.example", &["is refused: there is no such address"]).await;
    check("x@elsewhere.example", None, list, "joe@x.example", &["is refused: the address is not hosted here"]).await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_at_once() {
    let house = House::with_people().await;
    let act = Explain {
        from: Some("no address".to_owned()),
        at: Some("yesterday".to_owned()),
        ..explain("jane@example.test")
    };
    let expected = [
        "the request can't be read: the sender no address: there is no @ in it",
        "“yesterday” is no date: write 2026-11-01, or 2026-11-01T08:00 with a time",
    ];
    house.refused(act, &expected).await;
    let act = Explain { zone: Some("Mars/Olympus".to_owned()), ..explain("jane@example.test") };
    house.refused(act, &["there is no time zone “Mars/Olympus”: use a name such as Europe/Berlin or UTC"]).await;
}
