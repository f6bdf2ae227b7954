//! Scripts and mail that mean harm: clear errors, bounded time, mail kept, no panic.

use super::*;
use crate::types::limits;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Generous: the tests run unoptimised, on machines that do other things too.
const PATIENCE: Duration = Duration::from_secs(20);

fn within_patience<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    assert!(started.elapsed() < PATIENCE, "{what} took {:?}", started.elapsed());
    result
}

fn fails(script: &str, kind: &ScriptErrorKind) {
    fails_on(script, MAIL, kind);
}

fn fails_on(script: &str, message: &str, kind: &ScriptErrorKind) {
    // Time enough for every other limit to come first.
    let limits = Limits { time: PATIENCE, ..Limits::default() };
    let case = Case { message: message.as_bytes().to_vec(), limits, ..Case::default() };
    let run = within_patience(&script[..script.len().min(60)], || case.run(script));
    assert_eq!(show(&run).split(';').next(), Some("keep(failure)"));
    assert_eq!(&run.errors[0].kind, kind);
}

#[test]
fn deep_scripts_stop_at_a_limit() {
    let nest = |depth: usize| format!("{}keep;{}", "if true {".repeat(depth), "}".repeat(depth));
    assert_eq!(plan(&nest(15)), "keep");
    assert_eq!(plan(&nest(32)), "keep");
    let error = compile(nest(33).as_bytes(), ScriptKind::Personal).expect_err("too deep");
    assert_eq!(error.message, "blocks are nested more than 32 deep");
    let tests = |depth: usize| format!("if {}true{} {{ discard; }}", "allof(not ".repeat(depth), ")".repeat(depth));
    assert_eq!(plan(&tests(14)), "discard");
    assert!(compile(tests(32).as_bytes(), ScriptKind::Personal).is_err());
    let unclosed = "allof(".repeat(10_000);
    within_patience("unclosed tests", || compile(unclosed.as_bytes(), ScriptKind::Personal).expect_err("too deep"));
    let blocks = "if true {".repeat(7_000);
    within_patience("unclosed blocks", || compile(blocks.as_bytes(), ScriptKind::Personal).expect_err("too deep"));
}

#[test]
fn long_scripts_compile_and_run_in_bounded_time() {
    let fill = |unit: &str| unit.repeat(65_000 / unit.len());
    let full = [
        fill("keep;"),
        fill("if header :contains \"subject\" \"x\" { keep; }\n"),
        fill("if header :matches \"subject\" \"*x*\" { keep; }\n"),
        format!("require \"variables\";{}", fill("set \"a\" \"${a}b\";")),
        format!("if header :contains \"subject\" [{}\"x\"] {{ }}", "\"a\",".repeat(8000)),
        format!(
            "require \"variables\"; if header :matches \"a\" \"*\" {{ {} }}",
            "if header :matches \"a\" \"*\" { set \"x\" \"${1}\"; }".repeat(1200)
        ),
    ];
    for script in &full {
        within_patience(&script[..40], || plan(script));
    }
    let keys = format!("if header :contains \"subject\" [{}\"x\"] {{ }}", "\"a\",".repeat(16_000));
    let error = compile(keys.as_bytes(), ScriptKind::Personal).expect_err("too many keys");
    assert_eq!(error.message, "one command may have 8192 strings");
}

#[test]
fn tests_are_paid_for_by_what_they_read() {
    let long = format!("Subject: {}\r\n{MAIL}", "a".repeat(900_000));
    let keys: String = (0..8000).map(|number| format!("\"b{number}\",")).collect();
    let keys = &keys[..50_000];
    let keys = &keys[..keys.rfind(',').expect("a comma")];
    let script = format!("if header :contains \"subject\" [{keys}] {{ discard; }}");
    fails_on(&script, &long, &ScriptErrorKind::TooMuchWork);
    let script = format!(
        "if header :matches \"subject\" [{}] {{ discard; }}",
        vec!["\"*aaaaaaaaaaaaaaaaaaaaab\""; 2000].join(",")
    );
    fails_on(&script, &long, &ScriptErrorKind::TooMuchWork);
    let body = format!("{MAIL}{}", "a".repeat(1_000_000));
    let script = format!("require \"body\"; {}", "if body :contains \"bbb\" { discard; }".repeat(1500));
    fails_on(&script, &body, &ScriptErrorKind::TooMuchWork);
    // An honest long list on an honest mail is fine.
    let list: Vec<String> = (0..2000).map(|number| format!("\"someone{number}@example.net\"")).collect();
    let script = format!("if address \"from\" [{}] {{ discard; }}", list.join(","));
    assert_eq!(within_patience("a long list", || plan(&script)), "keep(implicit)");
}

#[test]
fn patterns_that_backtrack_do_not() {
    let mail = format!("Subject: {}!\r\n{MAIL}", "a".repeat(20_000));
    for pattern in ["(a+)+$", "(a|aa)+$", "^(a*)*b", "(.*)(.*)(.*)(.*)(.*)x$", "(a?){50}b{50}"] {
        let script = format!("require \"regex\"; if header :regex \"subject\" \"{pattern}\" {{ discard; }}");
        assert_eq!(within_patience(pattern, || plan_of(&script, &mail)), "keep(implicit)", "{pattern}");
    }
    let glob = format!("if header :matches \"subject\" \"{}b\" {{ discard; }}", "*a".repeat(20));
    assert_eq!(within_patience("a glob", || plan_of(&glob, &mail)), "keep(implicit)");
    let grown =
        "require [\"variables\", \"regex\"]; set \"x\" \"(\"; if header :regex \"subject\" \"${x}\" { discard; }";
    fails(grown, &ScriptErrorKind::NotAPattern("(".into()));
    let grown = "require [\"variables\", \"regex\"]; set \"x\" \"(a)\\\\1\"; if header :regex \"subject\" \"${x}\" { discard; }";
    fails(grown, &ScriptErrorKind::NotAPattern("(a)\\1".into()));
    let long = format!(
        "require \"variables\"; set \"x\" \"{}\"; if header :matches \"subject\" \"${{x}}${{x}}${{x}}\" {{ discard; }}",
        "a".repeat(300)
    );
    fails(&long, &ScriptErrorKind::NotAPattern("a".repeat(80)));
}

#[test]
fn variables_grow_up_to_a_limit() {
    let script = format!(
        "require [\"variables\", \"reject\", \"relational\", \"comparator-i;ascii-numeric\"]; set \"a\" \"0123456789\"; {}
         set :length \"n\" \"${{a}}\"; reject \"${{n}}\";",
        "set \"a\" \"${a}${a}\";".repeat(40)
    );
    assert_eq!(within_patience("growing", || plan(&script)), "reject \"16384\"");
    let many = format!("require \"variables\"; set \"a\" \"{}\";", "${a}".repeat(65));
    let error = compile(many.as_bytes(), ScriptKind::Personal).expect_err("too many references");
    assert_eq!(error.message, "one command may use variables 64 times");
    let names: String = (0..129).map(|number| format!("set \"v{number}\" \"x\";")).collect();
    let error =
        compile(format!("require \"variables\";{names}").as_bytes(), ScriptKind::Personal).expect_err("too many");
    assert_eq!(error.message, "a script may have 128 variables");
    let mail = format!("{MAIL}{}", "ä".repeat(100_000));
    let script = "require [\"foreverypart\", \"extracttext\", \"variables\", \"reject\"];
        foreverypart { extracttext :first 99999999 \"a\"; } set :length \"n\" \"${a}\"; reject \"${n}\";";
    assert_eq!(plan_of(script, &mail), "reject \"4096\"");
    let measured = format!(
        "require \"variables\"; set \"a\" \"{}\"; {} {}",
        "a".repeat(1000),
        "set \"a\" \"${a}${a}\";".repeat(4),
        format!("if string :matches \"{}\" \"*{}b\" {{ discard; }}", "${a}".repeat(60), "a".repeat(500)).repeat(8)
    );
    fails(&measured, &ScriptErrorKind::TooMuchWork);
}

#[test]
fn actions_includes_and_edits_are_counted() {
    let redirects: String =
        (0..=limits::SIEVE_REDIRECTS_MAX).map(|number| format!("redirect \"a{number}@example.net\";\n")).collect();
    fails(&redirects, &ScriptErrorKind::TooManyRedirects);
    let mailboxes: String =
        (0..=limits::SIEVE_ACTIONS_MAX).map(|number| format!("fileinto :create \"m{number}\";")).collect();
    fails(&format!("require [\"fileinto\", \"mailbox\"];{mailboxes}"), &ScriptErrorKind::TooManyActions);
    let includes: String = (0..1000).map(|number| format!("include :optional \"s{number}\";\n")).collect();
    fails(&format!("require \"include\";{includes}"), &ScriptErrorKind::TooManyIncludes);
    let edits = "addheader \"X-A\" \"1\";".repeat(101);
    fails(&format!("require \"editheader\";{edits}"), &ScriptErrorKind::TooManyEdits);
    let mail = format!("{MAIL}{}", "a".repeat(10_000_000));
    let copies: String =
        (0..90).map(|number| format!("addheader \"X-A\" \"1\"; fileinto :create \"m{number}\";")).collect();
    let copies = format!("require [\"editheader\", \"fileinto\", \"mailbox\"];{copies}");
    fails_on(&copies, &mail, &ScriptErrorKind::TooMuchWork);
    let parts = "--b\r\n\r\nx\r\n".repeat(9000);
    let mail = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n");
    let loops = "require [\"foreverypart\", \"variables\"]; foreverypart { foreverypart { set \"a\" \"b\"; } }";
    let case = Case { message: mail.into_bytes(), ..Case::default() };
    let run = within_patience("loops", || case.run(loops));
    assert!(matches!(run.errors[0].kind, ScriptErrorKind::TooManyInstructions | ScriptErrorKind::TooLong), "{run:?}");
}

#[test]
fn time_runs_out_between_commands() {
    let limits = Limits { time: Duration::ZERO, ..Limits::default() };
    let case = Case { limits, ..Case::default() };
    assert_eq!(case.plan("discard;"), "keep(failure); error main:1 the script took too long");
}

#[test]
fn mail_that_nests_without_end_does_no_harm() {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let joined = thread.spawn(|| {
        let raw = "Content-Type: message/rfc822\r\n\r\n".repeat(42_000);
        let script = "require [\"body\", \"foreverypart\", \"extracttext\", \"variables\", \"enclose\"];
            foreverypart { extracttext \"a\"; } enclose \"x\"; enclose \"y\"; if body :contains \"nothing\" { discard; } keep;";
        within_patience("nesting", || plan_of(script, &raw))
    });
    assert_eq!(joined.expect("a thread starts").join().expect("nothing overflowed"), "keep edited");
}

#[test]
fn a_script_that_breaks_its_own_loop_fails_cleanly() {
    let mail = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
    for command in ["replace \"x\";", "enclose \"x\";", "replace :mime \"Content-Type: text/plain\r\n\r\nx\";"] {
        let script = format!(
            "require [\"foreverypart\", \"replace\", \"enclose\", \"extracttext\", \"variables\", \"editheader\"];
            foreverypart {{ extracttext \"a\"; {command} addheader \"X-A\" \"b\"; }} keep;"
        );
        let run = Case { message: mail.as_bytes().to_vec(), ..Case::default() }.run(&script);
        assert!(run.actions.iter().any(|action| matches!(action.kind, ActionKind::Keep { .. })), "{run:?}");
    }
}

/// Pieces of scripts, most of them right, some not.
fn script() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("require [\"fileinto\", \"variables\", \"regex\", \"editheader\", \"foreverypart\", \"mime\", \"body\", \"replace\", \"enclose\", \"extracttext\", \"imap4flags\", \"date\", \"vacation\", \"relational\", \"copy\", \"reject\", \"ihave\"];\n".to_owned()),
        Just("keep; ".to_owned()),
        Just("if header :matches \"subject\" [\"*a*\", \"${x}?\"] { set \"x\" \"${1}${0}\"; } ".to_owned()),
        Just("elsif not anyof(exists \"a\", size :over 5) { discard; } else { stop; } ".to_owned()),
        Just("foreverypart { replace \"${x}\"; addheader \"X\" \"${x}\"; ".to_owned()),
        Just("foreverypart { deleteheader :contains \"content-type\" \"a\"; enclose \"b\"; ".to_owned()),
        Just("extracttext :first 3 \"x\"; ".to_owned()),
        Just("if body :regex \"(a|b)+\" { fileinto :flags \"${x}\" \"${x}\"; } ".to_owned()),
        Just("if allof(date :matches \"date\" \"hour\" \"*\", hasflag \"a\") { vacation :mime \"${1}\"; ".to_owned()),
        Just("redirect :copy \"${x}@b\"; reject \"${2}\"; ".to_owned()),
        Just("} ".to_owned()),
        "[ -~\\n]{0,12}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_script_panics(script in script(), message in prop_oneof![
        Just(MAIL.as_bytes().to_vec()),
        Just(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: a\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nS: a\r\n\r\nx\r\n--b--".to_vec()),
        prop::collection::vec(any::<u8>(), 0..200),
        "(Subject|To|Content-Type|a)?:?[ a@<>\"=?;,/\r\n-]{0,60}".prop_map(String::into_bytes),
    ]) {
        // The engine's own panics are caught and told apart from everything else.
        if compile(script.as_bytes(), ScriptKind::Personal).is_ok() {
            let run = Case { message, ..Case::default() }.run(&script);
            prop_assert!(run.errors.iter().all(|error| error.kind != ScriptErrorKind::Engine), "{script}");
            prop_assert!(!run.actions.is_empty() || run.errors.is_empty());
        }
    }

    #[test]
    fn no_octets_panic(source in prop::collection::vec(any::<u8>(), 0..300)) {
        _ = compile(&source, ScriptKind::Personal);
    }

    #[test]
    fn every_string_reaches_the_plan_as_written(text in "[ -~\\n\\tä${}\"\\\\]{0,40}") {
        let quoted: String = text.chars().flat_map(|character| match character {
            '"' | '\\' => vec!['\\', character],
            other => vec![other],
        }).collect();
        let run = Case::default().run(&format!("require \"reject\"; reject \"{quoted}\";"));
        let ActionKind::Reject { reason, .. } = &run.actions[0].kind else { panic!("no refusal in {run:?}") };
        prop_assert_eq!(reason, &text);
    }

    /// Through a variable, which is the engine's. Without a dollar sign, which may begin a reference.
    #[test]
    fn every_string_survives_the_engine(text in "[ -#%-~\\n\\tä\"\\\\]{0,40}") {
        let quoted: String = text.chars().flat_map(|character| match character {
            '"' | '\\' => vec!['\\', character],
            other => vec![other],
        }).collect();
        let run = Case::default().run(&format!("require [\"variables\", \"reject\"]; set \"x\" \"{quoted}\"; reject \"${{x}}\";"));
        let ActionKind::Reject { reason, .. } = &run.actions[0].kind else { panic!("no refusal in {run:?}") };
        prop_assert_eq!(reason, &text);
    }
}
