//! Sessions without sockets: what is asked for when, and that nothing a client says gets around a login.

use super::framing::{Event, Framer, Sizes};
use super::session::{Answer, Ask, Link, ScriptAsk, Session, Step};
use crate::auth::Mechanism;
use crate::telemetry::{Secret, SessionId};
use proptest::prelude::*;

const LINK: Link = Link { can_start_tls: true, encrypted: false, mechanisms: &Mechanism::ALL };

/// Says it, and gives back the last step with all that was answered.
fn say(session: &mut Session, text: &[u8]) -> (Step, String) {
    let (mut framer, mut out, mut step) = (Framer::new(Sizes::AFTER_LOGIN), Vec::new(), Step::Read);
    framer.feed(text);
    while let Some(event) = framer.next() {
        let ends = matches!(event, Event::Fatal(_));
        step = session.event(event, &mut out);
        if ends || step != Step::Read {
            break;
        }
    }
    (step, String::from_utf8_lossy(&out).into_owned())
}

fn answer(session: &mut Session, answer: Answer) -> String {
    let mut out = Vec::new();
    assert_eq!(session.answered(answer, &mut out), Step::Read);
    String::from_utf8(out).unwrap()
}

fn logged_in() -> Session {
    let mut session = Session::new(SessionId::new(), LINK);
    answer(&mut session, Answer::LoggedIn { owner: "jane@example.org".to_owned(), data: None });
    session
}

#[test]
fn an_exchange_travels_as_strings() {
    let mut session = Session::new(SessionId::new(), LINK);
    let (step, said) = say(&mut session, b"AUTHENTICATE \"SCRAM-SHA-256\" \"aGVsbG8=\"\r\n");
    let initial = Some(Secret::new(b"hello".to_vec()));
    assert_eq!((step, said.as_str()), (Step::Ask(Ask::LogIn { mechanism: "SCRAM-SHA-256".into(), initial }), ""));
    assert_eq!(answer(&mut session, Answer::Challenge(b"challenge".to_vec())), "\"Y2hhbGxlbmdl\"\r\n");
    let (step, _) = say(&mut session, b"{8+}\r\nYW5zd2Vy\r\n");
    assert_eq!(step, Step::Ask(Ask::GoOn(Secret::new(b"answer".to_vec()))));
    let logged_in = Answer::LoggedIn { owner: "jane@example.org".to_owned(), data: Some(b"v=ok".to_vec()) };
    assert_eq!(answer(&mut session, logged_in), "OK (SASL \"dj1vaw==\") \"Logged in\"\r\n");
}

#[test]
fn what_is_asked_of_the_desk() {
    let check = |text: &str, expected: ScriptAsk| {
        let (step, said) = say(&mut logged_in(), text.as_bytes());
        assert_eq!((step, said.as_str()), (Step::Ask(Ask::Scripts(expected)), ""), "{text}");
    };
    let name = || "a".to_owned();
    check("HAVESPACE \"a\" 5\r\n", ScriptAsk::HaveSpace { name: name(), octets: 5 });
    check("PUTSCRIPT \"a\" {5+}\r\nkeep;\r\n", ScriptAsk::Put { name: name(), text: b"keep;".to_vec() });
    check("CHECKSCRIPT {5}\r\nkeep;\r\n", ScriptAsk::Check { text: b"keep;".to_vec() });
    check("LISTSCRIPTS\r\n", ScriptAsk::List);
    check("SETACTIVE \"\"\r\n", ScriptAsk::Activate { name: None });
    check("SETACTIVE \"a\"\r\n", ScriptAsk::Activate { name: Some(name()) });
    check("GETSCRIPT \"a\"\r\n", ScriptAsk::Get { name: name() });
    check("DELETESCRIPT \"a\"\r\n", ScriptAsk::Delete { name: name() });
    check("RENAMESCRIPT \"a\" \"b\"\r\n", ScriptAsk::Rename { from: name(), to: "b".to_owned() });
}

#[test]
fn tls_forgets_what_was_before() {
    let mut session = Session::new(SessionId::new(), LINK);
    let (step, _) = say(&mut session, b"AUTHENTICATE \"PLAIN\"\r\n");
    assert_eq!(step, Step::Ask(Ask::LogIn { mechanism: "PLAIN".into(), initial: None }));
    answer(&mut session, Answer::Challenge(Vec::new()));
    let mut out = Vec::new();
    session.encrypted(Link { can_start_tls: false, encrypted: true, ..LINK }, &mut out);
    assert!(!String::from_utf8(out).unwrap().contains("STARTTLS"));
    // A command again, no answer to a challenge from before.
    assert_eq!(say(&mut session, b"NOOP\r\n"), (Step::Read, "OK \"Done\"\r\n".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_stranger_reaches_a_script(
        words in prop::collection::vec(
            "(LISTSCRIPTS|PUTSCRIPT|GETSCRIPT|SETACTIVE|DELETESCRIPT|RENAMESCRIPT|HAVESPACE|CHECKSCRIPT|NOOP|CAPABILITY|\
              AUTHENTICATE|STARTTLS|UNAUTHENTICATE|\"[a-zA-Z\\\\\"]{0,5}\"|\\{[0-9]{1,2}\\+\\}\r\n|[0-9]{1,3}| |\r\n|[ -~]{0,4})",
            0..40,
        ),
    ) {
        let mut session = Session::new(SessionId::new(), LINK);
        let text = words.concat();
        for line in text.split_inclusive('\n') {
            let (step, _) = say(&mut session, line.as_bytes());
            prop_assert!(!matches!(step, Step::Ask(Ask::Scripts(_) | Ask::LogOut)), "{text:?}");
            if let Step::Ask(_) = step {
                answer(&mut session, Answer::Challenge(b"x".to_vec()));
            }
        }
    }

    #[test]
    fn every_line_of_octets_is_answered_or_ends_it(lines in prop::collection::vec(
        prop::collection::vec(any::<u8>().prop_filter("an end", |octet| *octet != b'\n'), 1..60), 1..20,
    )) {
        let mut session = logged_in();
        for line in lines {
            let is_literal = line.strip_suffix(b"\r").unwrap_or(&line).ends_with(b"}");
            let is_empty = line.iter().all(|octet| matches!(octet, b' ' | b'\r'));
            let (step, said) = say(&mut session, &[line.as_slice(), b"\n"].concat());
            prop_assert!(step != Step::Read || !said.is_empty() || is_literal || is_empty, "{line:?}");
        }
    }
}
