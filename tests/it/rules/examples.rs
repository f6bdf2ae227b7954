//! The samples we ship do what their first lines say, in both engines.

use super::{Library, engine, pigeonhole};
use std::collections::BTreeSet;

fn library() -> Library {
    Library { personal: vec![], global: vec![] }
}

/// One sample, one message: what is done, by our engine and, where it is installed, by the judge.
fn check(name: &str, to: &str, headers: &str, expected: &[&str]) {
    let path = format!("{}/sieve/examples/{name}.sieve", env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(path).expect("the sample is here");
    let message = format!("From: sender@elsewhere.example\r\nTo: {to}\r\n{headers}\r\nText\r\n");
    let expected: BTreeSet<String> = expected.iter().map(|&action| action.to_owned()).collect();
    let compiled = engine::compiled(&script).expect("the sample compiles");
    assert_eq!(engine::run_to(to, &compiled, &message, &library()).actions, expected, "{name}: {headers}");
    if let Some(judge) = pigeonhole::Judge::find(&library(), "+special-use") {
        let verdict = judge.run_to(to, &script, &message);
        assert_eq!(verdict.actions, expected, "{name}: {headers}\n{}", verdict.output);
    }
}

const JANE: &str = "jane@example.org";

#[test]
fn lists() {
    check("lists", JANE, "List-Id: Our <Gardeners.example.net>\r\n", &["store Lists/gardeners"]);
    check("lists", JANE, "List-Id: <a.b.example.net>\r\n", &["store Lists/a"]);
    check("lists", JANE, "List-Id: odd\r\n", &["store INBOX"]);
    check("lists", JANE, "Subject: Hello\r\n", &["store INBOX"]);
}

#[test]
fn vacation() {
    // The sample's dates are past or to come; the years make it answer whenever this runs.
    let path = format!("{}/sieve/examples/vacation.sieve", env!("CARGO_MANIFEST_DIR"));
    let sample = std::fs::read_to_string(path).expect("the sample is here");
    let message = "From: a@elsewhere.example\r\nTo: j@example.org\r\n\r\nText\r\n";
    for (from, until, expected) in [("2020", "2999", "answer"), ("2020", "2021", ""), ("2998", "2999", "")] {
        let script =
            sample.replace("2026-12-24", &format!("{from}-12-24")).replace("2027-01-07", &format!("{until}-01-07"));
        assert_ne!(script, sample);
        let expected: BTreeSet<String> =
            ["store INBOX", expected].into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let done = engine::run(&engine::compiled(&script).expect("compiles"), message, &library());
        assert_eq!(done.actions, expected, "{from}–{until}");
        if let Some(judge) = pigeonhole::Judge::find(&library(), "+special-use") {
            assert_eq!(judge.run(&script, message).actions, expected, "{from}–{until}");
        }
    }
}

#[test]
fn spam() {
    check("spam", JANE, "Subject: [SPAM] Win\r\n", &["store Junk"]);
    check("spam", JANE, "Subject: Hello\r\n", &["store INBOX"]);
    check("spam", JANE, "From: Aunt <aunt@example.net>\r\nSubject: [SPAM] Cake\r\n", &["store INBOX"]);
}

#[test]
fn plus_addressing() {
    check("plus-addressing", "jane+Orders@example.org", "", &["store orders"]);
    check("plus-addressing", "jane+other@example.org", "", &["store INBOX"]);
    check("plus-addressing", JANE, "", &["store INBOX"]);
}
