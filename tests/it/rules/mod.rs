//! Compiled scripts in the hands of engines: ours, and Pigeonhole's `sieve-test` as the outside judge. What an engine does
//! is compared with what the switches say, computed here a second time without any script.

mod engine;
mod examples;
mod house;
mod judge;
mod pigeonhole;

use posthouse::rules::{Context, compile};
use posthouse::types::{
    Address, AliasSwitch, Received, RedirectionSwitch, Responder, Switches, Target, Timestamp, Window, ZoneName,
};
use std::collections::BTreeSet;

pub const OWN: &str = "jane@example.org";
/// The one mailbox that exists besides INBOX.
pub const MAILBOX: &str = "orders";
pub const SENDER: &str = "sender@elsewhere.example";

/// What is outside of the script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mail {
    Plain,
    /// A header that says no, with words a careless test could take for a yes, and as many hops as are still good.
    NearlyWrong,
    Spam,
    Circling,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Personal {
    None,
    Files,
    Discards,
    Stops,
}

/// Scripts an engine finds by name.
pub struct Library {
    pub personal: Vec<(&'static str, &'static str)>,
    pub global: Vec<(&'static str, &'static str)>,
}

impl Personal {
    fn names(self) -> Vec<String> {
        match self {
            Self::None => vec![],
            Self::Files => vec!["nothing".into(), "files".into()],
            Self::Discards => vec!["discards".into()],
            Self::Stops => vec!["stops".into(), "files".into()],
        }
    }

    fn library() -> Library {
        Library {
            personal: vec![
                ("files", "require \"fileinto\";\nfileinto \"Lists\";\n"),
                ("discards", "discard;\n"),
                ("nothing", "# nothing\n"),
                ("stops", "stop;\n"),
            ],
            global: vec![],
        }
    }
}

impl Mail {
    fn octets(self) -> String {
        let extra = match self {
            Self::Plain => String::new(),
            Self::NearlyWrong => {
                format!(
                    "X-Spam-Status: No, tests=Yes\r\n{}",
                    "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n".repeat(49)
                )
            }
            Self::Spam => "X-Spam-Status: Yes, score=9\r\n".to_owned(),
            Self::Circling => "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n".repeat(50),
        };
        format!(
            "{extra}From: {SENDER}\r\nTo: {OWN}\r\nSubject: Hello\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nText\r\n"
        )
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("well formed")
}

/// Every switch of an address in every position, as far as `check_switches` lets them stand together.
fn positions() -> Vec<Switches> {
    let target = |name: &str, paused| Target { address: address(name), paused };
    let redirection = |keep, paused, second_paused| {
        let targets = vec![target("a@elsewhere.example", false), target("b@elsewhere.example", second_paused)];
        Some(RedirectionSwitch { targets, keep, paused })
    };
    let redirections = [
        None,
        redirection(true, false, false),
        redirection(false, false, true),
        redirection(false, true, false),
        Some(RedirectionSwitch { targets: vec![target("a@elsewhere.example", true)], keep: false, paused: false }),
    ];
    let alias = |paused| Some(AliasSwitch { owner: address("owner@elsewhere.example"), paused });
    let mut positions = Vec::new();
    for responder in responders() {
        for redirection in &redirections {
            for mailbox in [true, false] {
                let copies =
                    responder.as_ref().is_some_and(|responder| matches!(responder.received, Received::CopyTo(_)));
                if !(mailbox && copies) {
                    let (redirection, responder) = (redirection.clone(), responder.clone());
                    positions.push(Switches { mailbox, alias: None, redirection, responder });
                }
            }
        }
        for paused in [true, false] {
            positions.push(Switches { alias: alias(paused), responder: responder.clone(), ..Switches::default() });
        }
    }
    positions
}

fn responders() -> Vec<Option<Responder>> {
    let at = |year: i64| Some(Timestamp::from_seconds((year - 1970) * 31_556_952));
    let window = |from, until| Some(Window { from, until, zone: ZoneName::utc() });
    let windows =
        [None, window(at(2020), at(2200)), window(at(2020), None), window(None, at(2021)), window(at(2200), None)];
    let mut responders = vec![None];
    for received in [Received::Keep, Received::Drop, Received::CopyTo(address("copy@elsewhere.example"))] {
        for window in &windows {
            responders.push(Some(Responder {
                text: "I am away.\n.\nJane".into(),
                subject: Some("Away \\ \"out\" ${keep}".into()),
                window: window.clone(),
                every_seconds: 604_800,
                received: received.clone(),
                paused: false,
            }));
        }
    }
    let paused = responders[6].clone().map(|responder| Responder { paused: true, ..responder });
    responders.push(paused);
    responders
}

/// What the switches say becomes of a message.
fn expected(switches: &Switches, mail: Mail, personal: Personal) -> BTreeSet<String> {
    let mut done = BTreeSet::new();
    let spam = mail == Mail::Spam;
    let outward = !spam && mail != Mail::Circling;
    let now = Timestamp::from_seconds(56 * 31_556_952);
    let answering = switches.responder.as_ref().filter(|responder| {
        let window = responder.window.as_ref();
        let begun = window.and_then(|window| window.from).is_none_or(|from| from <= now);
        let ended = window.and_then(|window| window.until).is_some_and(|until| until <= now);
        outward && !responder.paused && begun && !ended
    });
    let mut taken = false;
    let mut send = |to: &Address| {
        taken = true;
        done.insert(format!("send {to}"));
    };
    let drops = answering.is_some_and(|responder| responder.received == Received::Drop);
    if let (Some(Responder { received: Received::CopyTo(copy), .. }), false) = (answering, switches.mailbox) {
        send(copy);
    }
    let alias = switches.alias.as_ref().filter(|alias| !alias.paused && mail != Mail::Circling);
    if let (Some(alias), false) = (alias, drops) {
        send(&alias.owner);
    }
    let redirection = switches.redirection.as_ref().filter(|redirection| !redirection.paused);
    for target in redirection.iter().flat_map(|redirection| &redirection.targets).filter(|target| !target.paused) {
        if outward {
            send(&target.address);
        }
    }
    let redirected_only = taken && redirection.is_some_and(|redirection| !redirection.keep);
    taken |= drops;
    if answering.is_some() {
        done.insert("answer".to_owned());
    }
    if !switches.mailbox {
        if !taken {
            done.insert("reject".to_owned());
        }
    } else if spam {
        done.insert("store Junk".to_owned());
    } else if !redirected_only && !drops {
        match personal {
            Personal::None | Personal::Stops => done.insert("store INBOX".to_owned()),
            Personal::Files => done.insert("store Lists".to_owned()),
            Personal::Discards => false,
        };
    }
    done
}

fn script(switches: &Switches, personal: Personal) -> String {
    let also_known_as = vec![address("j@example.net")];
    compile(&address(OWN), switches, &Context { also_known_as, personal: personal.names(), ..Context::default() }).text
}

#[test]
fn our_engine_does_what_the_switches_say() {
    let mut runs = 0;
    let mut seen = BTreeSet::new();
    for switches in positions() {
        for personal in [Personal::None, Personal::Files, Personal::Discards, Personal::Stops] {
            let script = script(&switches, personal);
            let compiled = engine::compiled(&script).unwrap_or_else(|error| panic!("{error} in {script}"));
            for mail in [Mail::Plain, Mail::NearlyWrong, Mail::Spam, Mail::Circling] {
                let done = engine::run(&compiled, &mail.octets(), &Personal::library());
                let expected = expected(&switches, mail, personal);
                assert_eq!(done.actions, expected, "{mail:?} {personal:?}\n{script}");
                if done.actions.contains("answer") {
                    assert!(done.answer.contains("\r\nSubject: Away \\ \"out\" ${keep}\r\n"), "{}", done.answer);
                    assert!(done.answer.starts_with("From: jane@example.org\r\n"), "{}", done.answer);
                    assert!(done.answer.ends_with("\r\n\r\nI am away.\n.\nJane\n"), "{}", done.answer);
                }
                seen.extend(done.actions);
                runs += 1;
            }
        }
    }
    assert!(runs > 2000, "{runs}");
    assert_eq!(seen.len(), 9, "{seen:?}");
}

/// Under a clock of its own, which the bare engine can't have.
#[test]
fn delivery_does_what_the_switches_say() {
    let now = Timestamp::from_seconds(56 * 31_556_952);
    let positions = positions();
    for (number, switches) in positions.iter().enumerate() {
        let all = [Personal::None, Personal::Files, Personal::Discards, Personal::Stops];
        let personal = all[number % all.len()];
        let script = script(switches, personal);
        for mail in [Mail::Plain, Mail::NearlyWrong, Mail::Spam, Mail::Circling] {
            let mut expected = expected(switches, mail, personal);
            // A refusal takes the answer's place.
            if expected.contains("reject") {
                expected.remove("answer");
            }
            // `discards` files nothing, and says so.
            let run = house::run(&script, &mail.octets(), now, &Personal::library());
            assert_eq!(house::actions(&run), expected, "{mail:?} {personal:?}\n{script}");
        }
    }
}

#[test]
fn every_target_of_a_full_redirection_is_served() {
    let targets = (0..posthouse::types::limits::REDIRECTION_TARGETS_MAX)
        .map(|number| Target {
            address: address(&format!("{number:0>60}@{}.example", "long".repeat(15))),
            paused: false,
        })
        .collect();
    let responder = responders().pop().flatten().map(|responder| Responder {
        text: format!("{}{}", "${x}\\\n".repeat(40), "Text.\n".repeat(5000)),
        paused: false,
        window: None,
        received: Received::CopyTo(address("copy@elsewhere.example")),
        ..responder
    });
    let redirection = Some(RedirectionSwitch { targets, keep: true, paused: false });
    let switches = Switches { redirection, responder, ..Switches::default() };
    assert_eq!(posthouse::rules::check_switches(&switches, &posthouse::rules::Limits::default()), []);
    let run = house::run(&script(&switches, Personal::None), &Mail::Plain.octets(), Timestamp(0), &Personal::library());
    assert_eq!(house::actions(&run), expected(&switches, Mail::Plain, Personal::None));
}

#[test]
fn the_outside_judge_agrees() {
    let Some(judge) = pigeonhole::Judge::find(&Personal::library(), "") else {
        eprintln!("sieve-test (Debian: dovecot-sieve) is not installed: nothing judged");
        return;
    };
    // With what it offers by default: an exported script must need no settings.
    let mut number = 0;
    for switches in positions() {
        for mail in [Mail::Plain, Mail::Spam, Mail::Circling] {
            // Each run is a process; every thirteenth meets all positions, mails and personal scripts in turn.
            number += 1;
            if number % 13 != 0 {
                continue;
            }
            let personal = [Personal::Files, Personal::None, Personal::Stops, Personal::Discards][number / 13 % 4];
            let expected = expected(&switches, mail, personal);
            // All targets paused behind a responder: the judge calls answer and refusal of one message an error. The switches
            // get there only when targets refuse mail for good, and then the refusal is what counts.
            if expected.contains("answer") && expected.contains("reject") {
                continue;
            }
            let script = script(&switches, personal);
            let done = judge.run(&script, &mail.octets());
            assert_eq!(done.actions, expected, "{mail:?} {personal:?}\n{script}\n{}", done.output);
        }
    }
    assert!(number > 500, "{number}");
}

/// Texts that would like to be something else than a text, with what must come out of them.
const HOSTILE: [(&str, &str); 12] = [
    (".", ".\n"),
    ("a\n.\n;\ndiscard;\nstop;", "a\n.\n;\ndiscard;\nstop;\n"),
    ("a\r\n.\r\n;discard;", "a\n.\n;discard;\n"),
    ("\r.\r", "\n.\n"),
    ("..\n...\n.x", "..\n...\n.x\n"),
    ("\"; discard; #", "\"; discard; #\n"),
    ("\\\"\\", "\\\"\\\n"),
    ("*/ /* # text:", "*/ /* # text:\n"),
    (
        "${outward} ${1} ${hex:40} ${unicode:40} ${env.name} %{x}",
        "${outward} ${1} ${hex:40} ${unicode:40} ${env.name} %{x}\n",
    ),
    ("$${spam}$ {x} ${} ${${keep}}", "$${spam}$ {x} ${} ${${keep}}\n"),
    ("${dollar}{hex:40} ${hex:24}{spam}", "${dollar}{hex:40} ${hex:24}{spam}\n"),
    ("Grüße 日本 🦀 \u{202e}x 1.50 007", "Grüße 日本 🦀 \u{202e}x 1.50 007\n"),
];

fn answering(text: &str) -> Switches {
    let subject = Some(format!("s {}", text.replace(char::is_control, " ")));
    let responder = responders().remove(1).map(|responder| Responder { text: text.into(), subject, ..responder });
    Switches { mailbox: true, responder, ..Switches::default() }
}

#[test]
fn a_text_comes_out_as_it_went_in() {
    let judge = pigeonhole::Judge::find(&Personal::library(), "");
    let check = |text: &str, expected: &str| {
        let switches = answering(text);
        let script = script(&switches, Personal::None);
        let compiled = engine::compiled(&script).unwrap_or_else(|error| panic!("{error} in {script}"));
        let done = engine::run(&compiled, &Mail::Plain.octets(), &Personal::library());
        assert!(done.actions.contains("answer"), "{script}");
        let (head, body) = done.answer.split_once("\r\n\r\n").expect("a header and a text");
        assert_eq!(body, expected);
        let subject = switches.responder.and_then(|responder| responder.subject).expect("it has one");
        let line = format!("\r\nSubject: {}\r\n", subject.trim());
        assert!(format!("{head}\r\n").contains(&line), "{line:?} in {head}");
        script
    };
    for (text, expected) in HOSTILE {
        let script = check(text, expected);
        if let Some(judge) = &judge {
            let output = judge.run(&script, &Mail::Plain.octets()).output;
            let message = output.split("START MESSAGE\n").nth(1).and_then(|rest| rest.split("\nEND MESSAGE").next());
            assert_eq!(message.map(|message| message.replace('\r', "")).as_deref(), Some(expected), "{output}");
        }
    }
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
        cases: 200,
        failure_persistence: None,
        ..Default::default()
    });
    let pieces = proptest::sample::select(HOSTILE.map(|(text, _)| text).to_vec());
    let texts = proptest::collection::vec(pieces, 1..5);
    runner
        .run(&texts, |pieces| {
            let text = pieces.concat();
            let lines = text.replace("\r\n", "\n").replace('\r', "\n");
            check(&text, &format!("{}\n", lines.strip_suffix('\n').unwrap_or(&lines)));
            Ok(())
        })
        .expect("every text is kept");
}

#[test]
fn administrators_scripts_run_first_and_last() {
    let library = Library {
        personal: vec![("files", "require \"fileinto\"; fileinto \"Lists\";")],
        global: vec![
            ("before", "require \"copy\"; redirect :copy \"first@elsewhere.example\";"),
            ("before-example.org", "if header \"subject\" \"Hello\" { keep; }"),
            ("after-example.org", "require [\"fileinto\", \"copy\"]; fileinto :copy \"Archive\";"),
            ("after", "require \"copy\"; redirect :copy \"last@elsewhere.example\";"),
        ],
    };
    let switches = Switches { mailbox: true, ..Switches::default() };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let context = Context {
        before: names(&["before", "before-example.org", "removed since"]),
        personal: names(&["files"]),
        after: names(&["after-example.org", "after"]),
        ..Context::default()
    };
    let compiled = engine::compiled(&compile(&address(OWN), &switches, &context).text).expect("compiles");
    let done = engine::run(&compiled, &Mail::Plain.octets(), &library);
    assert_eq!(
        done.order,
        ["send first@elsewhere.example", "store Lists", "store Archive", "send last@elsewhere.example"]
    );
}

#[test]
fn each_template_is_a_script_of_its_own() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/sieve");
    let mut count = 0;
    let judge = pigeonhole::Judge::find(&Personal::library(), "+special-use");
    for entry in std::fs::read_dir(directory).expect("the directory is here") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "sieve") {
            let text = std::fs::read_to_string(&path).expect("readable");
            assert!(text.starts_with('#'), "{path:?} says first what it is");
            engine::compiled(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            if let Some(judge) = &judge {
                judge.run(&text, &Mail::Plain.octets());
            }
            count += 1;
        }
    }
    assert_eq!(count, 6);
}
