//! The generator and the descriptions, checked from the text alone. What engines make of the text is in `tests/it/rules`.

use super::*;
use crate::types::{
    Address, AliasSwitch, Received, RedirectionSwitch, Responder, Switches, Target, Timestamp, Window, ZoneName,
};
use proptest::prelude::*;

fn address(text: &str) -> Address {
    Address::parse(text).expect("well formed")
}

fn redirection(targets: &[&str], keep: bool) -> RedirectionSwitch {
    let targets = targets.iter().map(|target| Target { address: address(target), paused: false }).collect();
    RedirectionSwitch { targets, keep, paused: false }
}

fn responder(text: &str) -> Responder {
    Responder {
        text: text.into(),
        subject: None,
        window: None,
        every_seconds: 604_800,
        received: Received::Keep,
        paused: false,
    }
}

fn section_like() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "# [3] redirections: x",
        "text:",
        ".",
        "# [6] after: x",
        "    text:",
        "..",
        "# [2] ",
        ";",
    ])
}

fn november() -> Window {
    let zone = ZoneName::parse("Europe/Berlin").expect("known");
    window_from_local(Some("2026-11-01"), Some("2026-11-14"), &zone).expect("readable")
}

/// One kind and spelling for each token of RFC 5228 section 8.1, comments and white space left out.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(String),
    String(String),
    Mark(char),
}

/// A lexer of the standard grammar and nothing else, written from section 8.1 and not from the generator.
fn tokens(script: &str) -> Vec<Token> {
    let bytes = script.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    let run =
        |from: usize, fits: &dyn Fn(u8) -> bool| from + bytes[from..].iter().take_while(|&&byte| fits(byte)).count();
    while let Some(&byte) = bytes.get(at) {
        assert_ne!(byte, 0, "no octet may be NUL");
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at = run(at, &|byte| byte != b'\n'),
            b'/' => {
                assert_eq!(bytes.get(at + 1), Some(&b'*'));
                at += script[at..].find("*/").expect("a comment ends") + 2;
            }
            b'"' => {
                let mut string = Vec::new();
                at += 1;
                while bytes[at] != b'"' {
                    at += usize::from(bytes[at] == b'\\');
                    string.push(bytes[at]);
                    at += 1;
                }
                at += 1;
                tokens.push(Token::String(String::from_utf8(string).expect("UTF-8")));
            }
            b'0'..=b'9' => {
                let end = run(at, &|byte| byte.is_ascii_digit());
                tokens.push(Token::Number(script[at..end].into()));
                at = end;
            }
            b':' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let end = run(at + 1, &|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if &script[at..end] == "text" && bytes.get(end) == Some(&b':') {
                    let start = end + 1 + script[end + 1..].find('\n').expect("a line ends") + 1;
                    let (mut string, mut rest) = (String::new(), &script[start..]);
                    loop {
                        let (line, after) = rest.split_once('\n').expect("the text ends");
                        rest = after;
                        if line.trim_end_matches('\r') == "." {
                            break;
                        }
                        string.push_str(line.strip_prefix('.').unwrap_or(line));
                        string.push('\n');
                    }
                    tokens.push(Token::String(string));
                    at = script.len() - rest.len();
                } else {
                    tokens.push(Token::Word(script[at..end].into()));
                    at = end;
                }
            }
            b'[' | b']' | b'(' | b')' | b'{' | b'}' | b',' | b';' => {
                tokens.push(Token::Mark(char::from(byte)));
                at += 1;
            }
            other => panic!("{:?} begins no token in {script}", char::from(other)),
        }
    }
    tokens
}

/// What a string means where `variables` and `encoded-character` are required, as every script of ours does. Read once from
/// left to right; `${` in any other use is a failure.
fn meaning(string: &str) -> String {
    let mut text = String::new();
    let mut rest = string;
    while let Some(at) = rest.find("${") {
        text.push_str(&rest[..at]);
        let known = [("${hex:5c}", "\\"), ("${dollar}", "$")];
        let (spelled, meant) = known.into_iter().find(|(spelled, _)| rest[at..].starts_with(spelled)).expect(string);
        text.push_str(meant);
        rest = &rest[at + spelled.len()..];
    }
    text + rest
}

/// The tokens with all strings emptied: what the script does, whatever it says.
fn shape(tokens: &[Token]) -> Vec<Token> {
    let empty = |token: &Token| match token {
        Token::String(_) => Token::String(String::new()),
        other => other.clone(),
    };
    tokens.iter().map(empty).collect()
}

/// Every combination of the switches that can be flipped, invalid ones included.
fn combinations() -> Vec<(Vec<bool>, Switches, Context)> {
    let names = ["lists", "family"].map(str::to_owned);
    (0..1_u32 << 9)
        .map(|bits| {
            let flips: Vec<bool> = (0..9).map(|bit| bits >> bit & 1 == 1).collect();
            let on = |bit: usize| flips[bit];
            let mut redirection = redirection(&["a@example.net", "b@example.net"], on(2));
            redirection.paused = on(3);
            let mut responder = responder("Away.");
            responder.paused = on(5);
            responder.window = on(6).then(november);
            responder.received = if on(7) { Received::Drop } else { Received::Keep };
            let switches = Switches {
                mailbox: on(0),
                alias: None,
                redirection: on(1).then_some(redirection),
                responder: on(4).then_some(responder),
            };
            let personal = if on(8) { names.to_vec() } else { Vec::new() };
            (flips, switches, Context { personal, ..Context::default() })
        })
        .collect()
}

#[test]
fn a_flipped_switch_changes_its_own_section_only() {
    // Which sections each of the nine flips may touch.
    use Section::{Copy, Personal, Redirections, Responder};
    let own: [&[Section]; 9] = [
        &[Copy],
        &[Redirections, Copy],
        &[Copy],
        &[Redirections, Copy],
        &[Responder],
        &[Responder],
        &[Responder],
        &[Responder],
        &[Personal],
    ];
    let compiled: Vec<_> = combinations()
        .into_iter()
        .map(|(flips, switches, context)| (flips, compile(&address("jane@example.org"), &switches, &context)))
        .collect();
    for (number, (_, script)) in compiled.iter().enumerate() {
        for (bit, own) in own.iter().enumerate() {
            let (_, flipped) = &compiled[number ^ (1 << bit)];
            for section in Section::ALL.into_iter().filter(|section| !own.contains(section)) {
                assert_eq!(script.section_text(section), flipped.section_text(section), "flip {bit} of {number}");
            }
        }
    }
}

#[test]
fn sections_fill_the_text_in_order() {
    for (_, switches, context) in combinations() {
        let script = compile(&address("jane@example.org"), &switches, &context);
        assert_eq!(script, compile(&address("jane@example.org"), &switches, &context));
        let (mut line, mut octet) = (1, 0);
        for (span, section) in script.sections.iter().zip(Section::ALL) {
            assert_eq!((span.section, span.lines.start, span.octets.start), (section, line, octet));
            (line, octet) = (span.lines.end, span.octets.end);
            assert!(script.text[..octet].ends_with('\n'));
            assert_eq!(script.section_at_line(span.lines.start), Some(section));
        }
        assert_eq!((line - 1, octet), (script.text.lines().count(), script.text.len()));
        assert_eq!(script.section_at_line(0), None);
        assert_eq!(script.section_at_line(line), None);
        tokens(&script.text);
        assert_same_sections(&script);
    }
}

/// What is read off the text later is what was known when it was made.
fn assert_same_sections(script: &CompiledScript) {
    let read = SectionLines::of(&script.text);
    for line in 0..=script.text.lines().count() {
        let number = u32::try_from(line).expect("a short script");
        assert_eq!(read.at(number), script.section_at_line(line), "line {line} of {}", script.text);
    }
}

#[test]
fn a_script_in_full() {
    let switches = Switches {
        mailbox: true,
        redirection: Some(RedirectionSwitch {
            targets: vec![
                Target { address: address("a@example.net"), paused: false },
                Target { address: address("b@example.net"), paused: true },
            ],
            keep: true,
            paused: false,
        }),
        responder: Some(Responder {
            subject: Some("Out of office".into()),
            window: Some(november()),
            received: Received::Drop,
            ..responder("I am away.\n.\nJane")
        }),
        ..Switches::default()
    };
    let context = Context {
        also_known_as: vec![address("j@example.org")],
        before: vec![before_script_name(None), before_script_name(Some(address("a@example.org").domain()))],
        personal: vec!["lists".into(), "my \"own\"".into()],
        after: vec![after_script_name(None)],
    };
    let script = compile(&address("jane@example.org"), &switches, &context);
    let responder = "\
# [2] responder: answers each sender at most once in a week.
# Active from 1 Nov 2026 until 14 Nov 2026 (Europe/Berlin).
if allof (
    currentdate :zone \"+0000\" :value \"ge\" \"iso8601\" \"2026-10-31T23:00:00\",
    currentdate :zone \"+0000\" :value \"lt\" \"iso8601\" \"2026-11-14T23:00:00\",
    string :is \"${outward}\" \"yes\"
) {
    vacation :days 7
        :addresses [\"jane@example.org\", \"j@example.org\"]
        :subject \"Out of office\"
        :handle \"posthouse responder jane@example.org 2026-10-31T23:00:00/2026-11-14T23:00:00\"
        text:
I am away.
..
Jane
.
;
    # Its owner wants what was answered not to be stored.
    set \"keep\" \"no\";
    set \"taken\" \"yes\";
}

";
    assert_eq!(script.section_text(Section::Responder), responder);
    let redirections = "\
# [3] redirections: a copy for each target.
if string :is \"${outward}\" \"yes\" {
    redirect :copy \"a@example.net\";
    # Paused: b@example.net
    set \"taken\" \"yes\";
}

";
    assert_eq!(script.section_text(Section::Redirections), redirections);
    let personal = "\
# [5] personal: the owner's own scripts, in the order their owner gave.
include :personal :optional \"lists\";
include :personal :optional \"my \\\"own\\\"\";

";
    assert_eq!(script.section_text(Section::Personal), personal);
    assert!(script.section_text(Section::Before).contains("include :global :optional \"before-example.org\";"));
    assert!(script.section_text(Section::Before).starts_with("# The Sieve script of jane@example.org.\n"));
    assert!(script.section_text(Section::After).contains("include :global :optional \"after\";"));
}

#[test]
fn each_form_has_its_template() {
    let check = |switches: Switches, section: Section, expected: &str| {
        let script = compile(&address("jane@example.org"), &switches, &Context::default());
        assert!(script.section_text(section).contains(expected), "{}", script.section_text(section));
    };
    let alias = |paused| Switches {
        alias: Some(AliasSwitch { owner: address("\"jane \\\\ doe\"@example.org"), paused }),
        ..Switches::default()
    };
    check(alias(false), Section::Redirections, "redirect :copy \"\\\"jane ${hex:5c}${hex:5c} doe\\\"@example.org\";");
    check(alias(true), Section::Redirections, "an alias, and paused");
    check(alias(false), Section::Copy, "[4] copy: there is no mailbox");
    check(Switches::default(), Section::Responder, "there is none");
    check(Switches::default(), Section::Redirections, "there are none");
    check(Switches::default(), Section::Personal, "no script is active");
    let paused = Switches { responder: Some(Responder { paused: true, ..responder("x") }), ..Switches::default() };
    check(paused, Section::Responder, "paused, so nothing is answered");
    let mut all_paused = redirection(&["a@example.net"], false);
    all_paused.targets[0].paused = true;
    let all_paused = Switches { mailbox: true, redirection: Some(all_paused), ..Switches::default() };
    check(all_paused.clone(), Section::Redirections, "paused, so nothing is redirected");
    check(all_paused, Section::Copy, "[4] copy: the mailbox keeps the message");
    let copy = Responder { received: Received::CopyTo(address("copy@example.net")), ..responder("x") };
    let free = Switches { responder: Some(copy), ..Switches::default() };
    check(free.clone(), Section::Responder, "    redirect :copy \"copy@example.net\";\n    set \"taken\" \"yes\";\n");
    let attached = Switches { mailbox: true, ..free };
    assert!(!compile(&address("j@example.org"), &attached, &Context::default()).text.contains("copy@example.net"));
}

#[test]
fn bounds_are_whole_seconds_that_compare_as_text() {
    let check = |from: i64, until: i64, expected: [&str; 2]| {
        let window = Window { from: Some(Timestamp(from)), until: Some(Timestamp(until)), zone: ZoneName::utc() };
        let switches =
            Switches { responder: Some(Responder { window: Some(window), ..responder("x") }), ..Switches::default() };
        let script = compile(&address("a@example.org"), &switches, &Context::default());
        for (relation, moment) in ["ge", "lt"].into_iter().zip(expected) {
            let line = format!(":value \"{relation}\" \"iso8601\" \"{moment}\",");
            assert!(script.text.contains(&line), "{line} in {}", script.text);
        }
    };
    check(1_000, 2_000, ["1970-01-01T00:00:01", "1970-01-01T00:00:02"]);
    check(1_001, 1_999, ["1970-01-01T00:00:02", "1970-01-01T00:00:02"]);
    check(i64::MIN, i64::MAX, ["1970-01-01T00:00:00", "9999-12-29T23:59:59"]);
}

#[test]
fn in_plain_words() {
    let check = |switches: Switches, expected: &[&str]| assert_eq!(describe(&switches), expected);
    check(Switches::default(), &["does nothing: mail for it is refused"]);
    check(
        Switches {
            mailbox: true,
            redirection: Some(redirection(&["a@example.net", "b@example.net"], true)),
            responder: Some(Responder { window: Some(november()), ..responder("x") }),
            ..Switches::default()
        },
        &[
            "keeps mail in the mailbox",
            "sends a copy to a@example.net, b@example.net",
            "answers each sender once in a week from 1 Nov 2026 until 14 Nov 2026 (Europe/Berlin)",
        ],
    );
    let mut partly = redirection(&["a@example.net", "b@example.net"], false);
    partly.targets[1].paused = true;
    check(
        Switches { mailbox: true, redirection: Some(partly), ..Switches::default() },
        &[
            "has a mailbox, which keeps only what may not be redirected",
            "redirects to a@example.net",
            "paused, because it refused mail: nothing goes to b@example.net",
        ],
    );
    let alias = AliasSwitch { owner: address("jane@example.org"), paused: false };
    let window = Window { until: None, from: Some(Timestamp(1_793_523_600_000)), ..november() };
    let answer = Responder { every_seconds: 86_400, received: Received::Drop, window: Some(window), ..responder("x") };
    check(
        Switches { alias: Some(alias), responder: Some(answer), ..Switches::default() },
        &[
            "is an alias, its mail is mail for jane@example.org",
            "answers each sender once in a day from 1 Nov 2026 10:00 (Europe/Berlin)",
            "not pass on to its owner what the responder saw",
        ],
    );
    let free = Responder { received: Received::CopyTo(address("c@example.net")), ..responder("x") };
    check(
        Switches { responder: Some(free), ..Switches::default() },
        &["answers each sender once in a week", "sends a copy of what the responder saw to c@example.net"],
    );
}

/// Texts that would like to be something else than a text.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\"",
        "\\",
        "\\\"",
        "\n.\n",
        "\r\n.\r\n",
        "\r.\r",
        ".",
        "..",
        "\n",
        "\r",
        ";",
        "; discard; stop;",
        "*/",
        "/*",
        "#",
        "text:\n",
        "${",
        "${dollar}",
        "${hex:40}",
        "${unicode:110000}",
        "$",
        "{",
        "}",
        "${outward}",
        "%{x}",
        "\0",
        "\u{85}",
        "\u{2028}",
        "é",
        "日本",
        "🦀",
        "\u{202e}",
        "a",
        " ",
        "\t",
        "5",
        "1.5",
        "#= none\n",
        "jane@example.org",
        "\u{feff}",
    ]);
    prop::collection::vec(prop_oneof![4 => pieces.prop_map(str::to_owned), 1 => ".{0,5}"], 0..12)
        .prop_map(|pieces| pieces.concat())
}

/// As a multi-line string must give it back: controls spaced out, lines ended by LF, a line break at the end.
fn as_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let spaced = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    format!("{}\n", text.replace(spaced, " "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_breaks_out(text in hostile(), subject in hostile(), name in hostile(), local in hostile()) {
        let local: String = local.chars().filter(|character| !character.is_control()).take(16).collect();
        let named = Address::from_parts(&format!("x{local}"), address("a@example.org").domain().clone());
        let named = named.unwrap_or_else(|_| address("x@example.org"));
        let switches = |named: &Address, text: &str, subject: &str| Switches {
            mailbox: false,
            redirection: Some(RedirectionSwitch {
                targets: vec![
                    Target { address: named.clone(), paused: false },
                    Target { address: named.clone(), paused: true },
                ],
                keep: true,
                paused: false,
            }),
            responder: Some(Responder {
                subject: Some(subject.into()),
                received: Received::CopyTo(named.clone()),
                ..responder(text)
            }),
            ..Switches::default()
        };
        let context = |named: &Address, name: &str| {
            let names = vec![name.to_owned()];
            Context { also_known_as: vec![named.clone()], before: names.clone(), personal: names.clone(), after: names }
        };
        let own = address("own@example.org");
        let tame = compile(&own, &switches(&address("x@example.org"), "x", "x"), &context(&address("x@example.org"), "x"));
        // An empty subject is none, which is another script; so it gets a letter.
        let subject = format!("s{subject}");
        let wild = compile(&own, &switches(&named, &text, &subject), &context(&named, &name));
        let wild_tokens = tokens(&wild.text);
        prop_assert_eq!(shape(&tokens(&tame.text)), shape(&wild_tokens));
        let states = ["${outward}", "${spam}", "${keep}", "${taken}", "${circling}"];
        let strings: Vec<String> = wild_tokens
            .iter()
            .filter_map(|token| match token {
                Token::String(string) if !states.contains(&string.as_str()) => Some(meaning(string)),
                _ => None,
            })
            .collect();
        let spaced = |text: &str| text.replace(char::is_control, " ");
        prop_assert!(strings.contains(&named.to_string()));
        prop_assert!(wild.text.contains(&quote::multi_line(&text)));
        prop_assert!(strings.contains(&spaced(subject.trim())), "{:?} in {:?}", subject, strings);
        prop_assert!(strings.contains(&as_text(&text)));
        assert_same_sections(&wild);
    }

    #[test]
    fn no_text_looks_like_a_section(lines in prop::collection::vec(section_like(), 0..8)) {
        let switches = Switches { mailbox: true, responder: Some(responder(&lines.join("\n"))), ..Switches::default() };
        assert_same_sections(&compile(&address("jane@example.org"), &switches, &Context::default()));
    }

    #[test]
    fn own_addresses_break_nothing_either(local in hostile()) {
        let local: String = local.chars().filter(|character| !character.is_control()).take(16).collect();
        let Ok(own) = Address::from_parts(&local, address("a@example.org").domain().clone()) else { return Ok(()) };
        let switches = Switches { mailbox: true, responder: Some(responder("x")), ..Switches::default() };
        let tame = compile(&address("a@example.org"), &switches, &Context::default());
        let wild = compile(&own, &switches, &Context::default());
        prop_assert_eq!(shape(&tokens(&tame.text)), shape(&tokens(&wild.text)));
        prop_assert_eq!(tame.text.lines().count(), wild.text.lines().count());
    }
}
