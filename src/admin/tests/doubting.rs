//! What is told of scripts that work and are probably not meant, and what was changed in them.

use super::*;

async fn warnings(house: &House, at: &str, text: &str) -> Vec<String> {
    let check = ScriptCheck { place: at.parse().unwrap(), name: "mine".to_owned(), text: text.to_owned() };
    let checked = house.ok(check).await.warnings;
    let stored = house.ok(put(at, if at.starts_with('@') { "before" } else { "mine" }, text, false)).await;
    // Who stores a script may make its mailboxes next.
    let without: Vec<String> = checked.iter().filter(|line| !line.contains("there is no mailbox")).cloned().collect();
    assert_eq!(stored.warnings, without, "{text}");
    checked
}

#[tokio::test]
async fn redirections_that_lead_nowhere_or_back_are_told() {
    let house = House::with_people().await;
    house.ok(redirect("team@example.test", &["john@example.test", "jane@example.test"], None)).await;
    house.ok(alias("jd@example.test", "jane@example.test")).await;
    house.ok(redirect("off@example.test", &["john@example.test"], None)).await;
    house.ok(RedirectPause { address: address("off@example.test"), targets: vec![] }).await;
    let check = async |at: &str, to: &str, expected: &[&str]| {
        assert_eq!(warnings(&house, at, &format!("redirect \"{to}\";\n")).await, expected, "{at} {to}");
    };
    let jane = "jane@example.test";
    check(jane, "x@outside.test", &[]).await;
    check(jane, "john@example.test", &[]).await;
    check(
        jane,
        "nobody@example.test",
        &["line 1, column 1: it redirects to nobody@example.test, and there is no nobody@example.test here: that copy is refused"],
    )
    .await;
    check(
        jane,
        "off@example.test",
        &["line 1, column 1: it redirects to off@example.test, and off@example.test is paused: that copy is refused"],
    )
    .await;
    check(jane, jane, &["line 1, column 1: it redirects to jane@example.test, whose script this is: the mail is kept"])
        .await;
    check(
        jane,
        "jd@example.test",
        &["line 1, column 1: it redirects in a circle, jd@example.test to jane@example.test: the copy that comes back is dropped"],
    )
    .await;
    check(
        jane,
        "team@example.test",
        &["line 1, column 1: it redirects in a circle, team@example.test to jane@example.test: the copy that comes back is dropped"],
    )
    .await;
    check(
        "@",
        "nobody@example.test",
        &["line 1, column 1: it redirects to nobody@example.test, and there is no nobody@example.test here: that copy is refused"],
    )
    .await;
    check("@example.test", jane, &[]).await;
    house.assert_sound();
}

#[tokio::test]
async fn names_of_what_is_not_there_are_told() {
    let house = House::with_people().await;
    let jane = "jane@example.test";
    house.ok(put(jane, "other", "keep;\n", false)).await;
    house.ok(put(jane, "back", "require \"include\";\ninclude \"mine\";\n", false)).await;
    house.ok(put("@example.test", "before", "keep;\n", true)).await;
    let text = "require [\"include\", \"fileinto\", \"mailbox\"];\n\
        include \"other\";\n\
        include \"gone\";\n\
        include :optional \"gone too\";\n\
        include :global \"before-example.test\";\n\
        include :global \"after\";\n\
        include \"mine\";\n\
        include \"back\";\n\
        fileinto \"Nowhere\"; fileinto :create \"New\"; fileinto \"inbox\"; fileinto \"Junk\";\n";
    let found = warnings(&house, jane, text).await;
    assert_eq!(
        found,
        [
            "line 3, column 1: there is no script \"gone\": at that place it fails, and the mail goes to INBOX",
            "line 4, column 1: there is no script \"gone too\", so nothing is included",
            "line 6, column 1: there is no script \"after\": at that place it fails, and the mail goes to INBOX",
            "line 7, column 1: it includes itself: at that place it fails",
            "line 8, column 1: it includes itself by way of back: at that place it fails",
            "line 9, column 1: there is no mailbox \"Nowhere\": until it is made, such mail goes to INBOX",
        ]
    );
    // A rule that no mail comes to is no reason to refuse the script either.
    let dead = "if true { stop; }\nkeep;\n";
    assert_eq!(warnings(&house, jane, dead).await, ["line 2, column 1: this is never reached: line 1 is the end"]);
    assert_eq!(
        check_script("x", dead, 10_000).unwrap(),
        ["line 2, column 1: this is never reached: line 1 is the end"]
    );
    house.assert_sound();
}

#[tokio::test]
async fn what_was_changed_between_versions_is_told() {
    let house = House::with_people().await;
    let jane = "jane@example.test";
    house.ok(put(jane, "mine", "keep;\n", false)).await;
    house.ok(put(jane, "mine", "# Mine.\nkeep;\n", false)).await;
    let difference =
        |name: &str, from, to| ScriptDifference { place: jane.parse().unwrap(), name: name.to_owned(), from, to };
    let told = house.ok(difference("mine", 1, None)).await;
    assert_eq!((told.from, told.to), (1, 2));
    assert_eq!(told.text, "--- mine version 1\n+++ mine version 2\n@@ -1 +1,2 @@\n+# Mine.\n keep;\n");
    assert_eq!(house.ok(difference("mine", 2, Some(2))).await.text, "");
    house
        .refused(difference("mine", 3, None), &["there is no version 3 of the script mine at jane@example.test"])
        .await;
    house.ok(redirect(jane, &["x@outside.test"], Some(true))).await;
    let told = house.ok(difference("compiled", 1, None)).await.text;
    assert!(told.contains("\n-# [3] redirections: there are none.\n"), "{told}");
    assert!(told.contains("\n+    redirect :copy \"x@outside.test\";\n"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_with_scripts_that_run_is_told() {
    let house = House::with_people().await;
    let jane = "jane@example.test";
    house.ok(redirect("team@example.test", &["x@outside.test"], None)).await;
    house.ok(put(jane, "mine", "redirect \"team@example.test\";\n", true)).await;
    house.ok(put(jane, "idle", "if true { stop; }\nkeep;\n", false)).await;
    house
        .ok(put("@", "before", "if false { keep; } elsif exists \"a\" { keep; } elsif exists \"a\" { stop; }\n", true))
        .await;
    let faults = async |place: Option<&str>| {
        let place = place.map(|place| place.parse().unwrap());
        house.ok(ScriptFaults { place }).await.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let dead = "script before of @, line 1: this can never match: mail that would match is taken by line 1";
    assert_eq!(faults(None).await, [dead]);
    // The world around a script changes when it doesn't.
    house.ok(RedirectRemove { address: address("team@example.test"), targets: vec![] }).await;
    let gone = "script mine of jane@example.test, line 1: it redirects to team@example.test, \
        and there is no team@example.test here: that copy is refused";
    assert_eq!(faults(Some(jane)).await, [gone]);
    assert_eq!(faults(Some("@")).await, [dead]);
    assert_eq!(faults(Some("john@example.test")).await, Vec::<String>::new());
    assert_eq!(faults(None).await, [gone, dead]);
    let attention = house.ok(Status {}).await.attention;
    assert!(attention.contains(&dead.to_owned()) && attention.contains(&gone.to_owned()), "{attention:#?}");
    // What is found again is no older and no newer than it was.
    let first = house.admin.store().script_faults().await.unwrap();
    house.clock.advance_seconds(DAY);
    faults(None).await;
    assert_eq!(house.admin.store().script_faults().await.unwrap(), first);
    assert_eq!(house.admin.delivery().tell_of_faults().await.unwrap(), 1);
    assert_eq!(house.admin.delivery().tell_of_faults().await.unwrap(), 0);
    house.ok(put(jane, "mine", "redirect \"y@outside.test\";\n", false)).await;
    assert_eq!(faults(None).await, [dead]);
    house.ok(ScriptDeactivate { place: "@".parse().unwrap(), name: "before".to_owned() }).await;
    assert_eq!(faults(None).await, Vec::<String>::new());
    house.assert_sound();
}
