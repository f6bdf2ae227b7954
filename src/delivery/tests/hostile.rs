//! Scripts that mean harm or break half way: bounded time, mail kept, and the ledger says which line it was.

use super::house::{House, PLAIN, mailbox, run};
use crate::delivery::Fate;
use crate::store::LedgerFilter;
use std::time::{Duration, Instant};

/// The tests run unoptimised, on machines that do other things too.
const PATIENCE: Duration = Duration::from_secs(20);
const JANE: &str = "jane@example.test";

/// A mail that patterns have much to do with.
fn long_mail() -> String {
    format!("Subject: {}!\n{PLAIN}", "a".repeat(20_000))
}

/// Delivers under this script. What is filed, and what the ledger calls wrong.
async fn delivered(script: &str, message: &str) -> (String, Vec<String>) {
    let house = House::with(&[(JANE, mailbox())]).await;
    house.script(JANE, script).await;
    let started = Instant::now();
    assert_eq!(house.deliver("a@one.example", &[JANE], message).await, [Fate::Accepted]);
    assert!(started.elapsed() < PATIENCE, "{:?}: {script:.60}", started.elapsed());
    let entries = house.store.ledger(LedgerFilter::Address(JANE.to_owned()), 10).await.expect("readable");
    let detail: serde_json::Value = serde_json::from_str(&entries[0].entry.detail).expect("JSON");
    let errors = detail["plan"]["path"][0]["errors"].as_array().cloned().unwrap_or_default();
    let errors = errors.iter().map(|error| error.as_str().expect("text").to_owned()).collect();
    (house.filed(JANE).await, errors)
}

/// `error`: a line of the script, and what went wrong there.
fn check(script: &str, message: &str, filed: &str, error: Option<(u32, &str)>) {
    run(async {
        let (found, errors) = delivered(script, message).await;
        assert_eq!((found.as_str(), errors.len()), (filed, error.iter().len()), "{script:.60}: {errors:?}");
        if let Some((line, what)) = error {
            assert!(errors[0].starts_with(&format!("script \"own\", line {line}, ")), "{errors:?}");
            assert!(errors[0].ends_with(&format!(": {what}")), "{errors:?}");
        }
    });
}

/// The mail goes to INBOX, and the ledger names the cause.
fn fails(script: &str, message: &str, line: u32, what: &str) {
    check(script, message, "INBOX 1", Some((line, what)));
}

#[test]
fn what_is_long_and_deep_and_fine_runs() {
    let fill = |unit: &str| unit.repeat(65_000 / unit.len());
    check(&fill("keep;\n"), PLAIN, "INBOX 1", None);
    let rules = fill("if header :matches \"subject\" \"*x*\" { discard; }\n");
    check(&rules, PLAIN, "INBOX 1", None);
    let nested = format!("require \"fileinto\"; {}fileinto \"Junk\";{}", "if true {".repeat(15), "}".repeat(15));
    check(&nested, PLAIN, "Junk 1", None);
    let grown = format!(
        "require [\"variables\", \"fileinto\"]; set \"a\" \"0123456789\"; {} if string :contains \"${{a}}\" \"90\" {{ fileinto \"Junk\"; }}",
        "set \"a\" \"${a}${a}\";".repeat(40)
    );
    check(&grown, PLAIN, "Junk 1", None);
}

#[test]
fn patterns_cannot_hold_a_delivery_up() {
    for pattern in ["(a+)+$", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)x$", "(a?){50}b{50}"] {
        let script = format!("require \"regex\"; if header :regex \"subject\" \"{pattern}\" {{ discard; }}");
        check(&script, &long_mail(), "INBOX 1", None);
    }
}

#[test]
fn what_never_ends_is_ended() {
    // The house's own script of the test is called "own".
    let includes = format!("require \"include\";\n{}", "include \"own\";\n".repeat(1000));
    fails(&includes, PLAIN, 2, "too many scripts are included, or one includes itself");
    let keys: String = (0..6000).map(|number| format!("\"b{number}\",")).collect();
    let script = format!("if header :contains \"subject\" [{keys}\"b\"] {{ discard; }}\n");
    let mail = format!("Subject: {}\n{PLAIN}", "a".repeat(900_000));
    fails(&script, &mail, 1, "the script looked through more text than one message may cost");
    let copies = format!(
        "require [\"fileinto\", \"copy\", \"mailbox\"];\n{}",
        (0..1500).map(|number| format!("fileinto :create :copy \"a{number}\";\n")).collect::<String>()
    );
    run(async {
        let (filed, errors) = delivered(&copies, PLAIN).await;
        assert_eq!(filed, "INBOX 1");
        assert!(errors[0].ends_with("the script asked for too many actions"), "{errors:?}");
    });
}

#[test]
fn a_script_that_breaks_half_way_loses_nothing() {
    // What the failed script wanted before is forgotten: half of what somebody means is not what he means.
    let half = "require [\"fileinto\", \"ihave\"];\nfileinto \"Junk\";\nerror \"no further\";\n";
    fails(half, PLAIN, 3, "the script says: no further");
    let half = "require [\"include\", \"variables\"];\nset \"x\" \"no address\";\ndiscard;\ninclude \"gone\";\n";
    fails(half, PLAIN, 4, "the included script \"gone\" does not exist");
    let bad = "require \"variables\";\nset \"x\" \"no address\";\nredirect \"${x}\";\n";
    fails(bad, PLAIN, 3, "\"no address\" is no address");
}

#[test]
fn what_is_no_script_at_all_keeps_the_mail() {
    // None of these can be saved; a database restored from elsewhere may hold them all the same.
    let broken =
        ["keep;\0", "kep;", "if true {", "require \"bogus\"; keep;", &"if true {".repeat(5000), &"#".repeat(70_000)];
    for script in broken {
        run(async {
            let (filed, errors) = delivered(script, PLAIN).await;
            assert_eq!(filed, "INBOX 1", "{script:.20}");
            assert!(errors.len() == 1 && errors[0].contains("the included script \"own\" is wrong"), "{errors:?}");
        });
    }
}

#[test]
fn the_switches_of_an_address_work_whatever_its_owners_script_does() {
    use super::house::{redirection, responder};
    use crate::types::{Received, Switches};
    run(async {
        let switches = Switches {
            redirection: Some(redirection(&["out@two.example"], true)),
            responder: Some(responder(Received::Keep)),
            ..mailbox()
        };
        for script in ["require \"ihave\"; error \"x\";", "kep;", "discard;", "stop;", "if true { discard; stop; }"] {
            let house = House::with(&[(JANE, switches.clone())]).await;
            house.script(JANE, script).await;
            house.deliver("a@one.example", &[JANE], PLAIN).await;
            let mut queued = house.queued().await;
            queued.sort();
            assert_eq!(queued, ["Redirection a@one.example>out@two.example", "Reply >a@one.example"], "{script}");
        }
    });
}
