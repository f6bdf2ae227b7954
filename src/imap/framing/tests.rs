use super::*;
use proptest::prelude::*;

/// What a session would do with announced literals.
#[derive(Clone, Copy)]
enum Verdict {
    Stream,
    Refuse,
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The events of one stream, fed in pieces of the given sizes (the last size repeats); neighbouring data joined.
fn events(sizes: Sizes, verdict: Verdict, stream: &[u8], pieces: &[usize]) -> Vec<String> {
    let mut framer = Framer::new(sizes);
    let mut seen: Vec<String> = Vec::new();
    let mut rest = stream;
    let mut piece = 0;
    loop {
        match framer.next() {
            None if rest.is_empty() => return seen,
            None => {
                let count = pieces[piece.min(pieces.len() - 1)].clamp(1, rest.len());
                piece += 1;
                framer.input().extend_from_slice(&rest[..count]);
                rest = &rest[count..];
                continue;
            }
            Some(Event::Data(data)) => match seen.last_mut() {
                Some(last) if last.starts_with("data ") => last.push_str(&text(data)),
                _ => seen.push(format!("data {}", text(data))),
            },
            Some(Event::DataEnd) => seen.push("data end".into()),
            Some(Event::ContinuationDue) => seen.push("+".into()),
            Some(Event::Command(framed)) => {
                let marks: Vec<_> = framed.streamed.iter().map(|one| (one.at, one.octets)).collect();
                let marks = if marks.is_empty() { String::new() } else { format!(" {marks:?}") };
                seen.push(format!("command {}{marks}", text(framed.octets)));
            }
            Some(Event::Line(line)) => seen.push(format!("line {}", text(line))),
            Some(Event::Refused { so_far, cause }) => {
                let tag = text(so_far);
                seen.push(format!("refused {} {cause:?}", tag.split(' ').next().unwrap_or("")));
            }
            Some(Event::Fatal(cause)) => {
                seen.push(format!("fatal {cause:?}"));
                return seen;
            }
            Some(Event::Announced(announced)) => {
                let octets = announced.octets;
                seen.push(format!("announced {octets} after {}", text(announced.so_far).trim_end()));
                match verdict {
                    Verdict::Stream => framer.stream_literal(),
                    Verdict::Refuse => framer.refuse_literal(Refusal::LiteralTooBig),
                }
            }
        }
    }
}

const SMALL: Sizes = Sizes { line_octets_max: 100, literal_octets_max: 10, command_octets_max: 200 };

#[test]
fn commands_and_literals() {
    let check = |verdict, stream: &str, expected: &[&str]| {
        for pieces in [&[usize::MAX][..], &[1], &[3], &[7, 1, 50]] {
            assert_eq!(events(SMALL, verdict, stream.as_bytes(), pieces), expected, "{stream:?} in {pieces:?}");
        }
    };
    use Verdict::{Refuse, Stream};
    check(Stream, "a NOOP\r\nb NOOP\r\n", &["command a NOOP", "command b NOOP"]);
    check(Stream, "\r\n", &["command "]);
    check(
        Stream,
        "a LOGIN {3}\r\nbob {2+}\r\npw\r\nb NOOP\r\n",
        &["+", "command a LOGIN {3}\r\nbob {2+}\r\npw", "command b NOOP"],
    );
    check(Stream, "a X {0}\r\n\r\n", &["+", "command a X {0}\r\n"]);
    check(Stream, "a X {2+}\r\n\r\n{1+}\r\n\n\r\n", &["command a X {2+}\r\n\r\n{1+}\r\n\n"]);
    check(Stream, "a X {x}\r\nb X 5}\r\nc X {+}\r\n", &["command a X {x}", "command b X 5}", "command c X {+}"]);
    check(
        Stream,
        "a APPEND x {12}\r\n0123456789\r\n {11+}\r\nabcdefghijk\r\nb NOOP\r\n",
        &[
            "announced 12 after a APPEND x {12}",
            "+",
            "data 0123456789\r\n",
            "data end",
            "announced 11 after a APPEND x {12}\r\n {11+}",
            "data abcdefghijk",
            "data end",
            "command a APPEND x {12}\r\n {11+}\r\n [(17, 12), (25, 11)]",
            "command b NOOP",
        ],
    );
    check(
        Refuse,
        "a X {11}\r\nb NOOP\r\n",
        &["announced 11 after a X {11}", "refused a LiteralTooBig", "command b NOOP"],
    );
    check(
        Refuse,
        "a X {11+}\r\nb LOGOUT\r\n {3+}\r\nxyz {4}\r\nc NOOP\r\n",
        &["announced 11 after a X {11+}", "refused a LiteralTooBig", "command c NOOP"],
    );
    check(
        Refuse,
        "a X {11+}\r\nb LOGOUT\r\n y\r\nc NOOP\r\n",
        &["announced 11 after a X {11+}", "refused a LiteralTooBig", "command c NOOP"],
    );
}

#[test]
fn what_does_not_fit_costs_the_sender() {
    let check = |stream: &str, expected: &[&str]| {
        for pieces in [&[usize::MAX][..], &[1], &[64]] {
            assert_eq!(events(SMALL, Verdict::Refuse, stream.as_bytes(), pieces), expected, "{stream:?} in {pieces:?}");
        }
    };
    let long = "x".repeat(1000);
    check(&format!("a {long}\r\nb NOOP\r\n"), &["refused a LineTooLong", "command b NOOP"]);
    check(&format!("a {long} {{10+}}\r\nb LOGOUT\r\n\r\nc NOOP\r\n"), &["refused a LineTooLong", "command c NOOP"]);
    check(&format!("a {long} {{9}}\r\nb NOOP\r\n"), &["refused a LineTooLong", "command b NOOP"]);
    let spread = format!("{} {{0+}}\r\n", "x".repeat(55)).repeat(5);
    check(&format!("a {spread}\r\nb NOOP\r\n"), &["refused a CommandTooLong", "command b NOOP"]);
    // A number beyond 64 bits is never a line of its own (the octets after it would be read as commands).
    check("a X {99999999999999999999}\r\nb NOOP\r\n", &["refused a LiteralTooBig", "command b NOOP"]);
    check("a X {99999999999999999999+}\r\nb LOGOUT\r\n", &["fatal LiteralLength"]);
    check(
        "a X {4294967301}\r\nb NOOP\r\n",
        &["announced 4294967301 after a X {4294967301}", "refused a LiteralTooBig", "command b NOOP"],
    );
    check("a NOOP\n", &["fatal BareLineFeed"]);
    check("\n", &["fatal BareLineFeed"]);
    // A mark too long for the tail that is kept of a skipped line.
    let zeros = "0".repeat(100);
    check(&format!("a {long}{{{zeros}5+}}\r\nhello"), &["fatal LiteralLength"]);
}

#[test]
fn discarding_has_an_end() {
    let mut framer = Framer::new(SMALL);
    framer.input().extend_from_slice(b"a X {18446744073709551615+}\r\n");
    assert!(matches!(framer.next(), Some(Event::Announced(_))));
    framer.refuse_literal(Refusal::LiteralTooBig);
    let block = vec![b'x'; 1024 * 1024];
    for _ in 0..=IMAP_DISCARDED_OCTETS_MAX / (1024 * 1024) {
        match framer.next() {
            None => framer.input().extend_from_slice(&block),
            Some(event) => assert_eq!(event, Event::Fatal(Fatal::TooMuchDiscarded)),
        }
    }
    assert_eq!(framer.next(), Some(Event::Fatal(Fatal::TooMuchDiscarded)));
}

#[test]
fn an_expected_line_has_no_literals() {
    let mut framer = Framer::new(SMALL);
    framer.input().extend_from_slice(b"a IDLE\r\nDONE {3}\r\nb NOOP {0+}\r\n\r\n");
    assert!(matches!(framer.next(), Some(Event::Command(_))));
    framer.expect_line();
    assert_eq!(framer.next(), Some(Event::Line(b"DONE {3}")));
    assert!(matches!(framer.next(), Some(Event::Command(framed)) if framed.octets == b"b NOOP {0+}\r\n"));
    assert_eq!(framer.next(), None);
    assert!(!framer.has_input());
}

#[test]
fn memory_is_given_back() {
    let sizes = Sizes::AFTER_LOGIN;
    let mut framer = Framer::new(sizes);
    framer.input().extend_from_slice(b"a X {60000+}\r\n");
    framer.input().extend_from_slice(&[b'x'; 60_000]);
    framer.input().extend_from_slice(b"\r\nrest");
    assert!(matches!(framer.next(), Some(Event::Command(framed)) if framed.octets.len() > 60_000));
    assert!(framer.has_input());
    assert_eq!(framer.take_input(), b"rest");
    framer.release();
    assert_eq!(framer.input.capacity() + framer.command.capacity(), 0);
    // Also without being asked, once the next octets come.
    framer.input().extend_from_slice(b"a X {60000+}\r\n");
    framer.input().extend_from_slice(&[b'x'; 60_000]);
    framer.input().extend_from_slice(b"\r\n");
    assert!(framer.next().is_some());
    assert_eq!(framer.next(), None);
    framer.input().extend_from_slice(b"b");
    assert!(framer.input.capacity() + framer.command.capacity() <= 3 * IMAP_IDLE_BUFFER_OCTETS);
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z {}+0-9~\"]{0,20}".prop_map(String::into_bytes),
        3 => Just(b"\r\n".to_vec()),
        2 => (0_u32..30, any::<bool>()).prop_map(|(octets, waits)| {
            let mut piece = format!(" {{{octets}{}}}\r\n", if waits { "" } else { "+" }).into_bytes();
            piece.extend(std::iter::repeat_n(b'L', octets as usize));
            piece
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => Just(vec![b'y'; 150]),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However the network cuts the stream, the events are the same.
    #[test]
    fn cuts_do_not_matter(stream in stream(), pieces in proptest::collection::vec(1_usize..40, 1..20), refuse: bool) {
        let verdict = if refuse { Verdict::Refuse } else { Verdict::Stream };
        let whole = events(SMALL, verdict, &stream, &[usize::MAX]);
        prop_assert_eq!(&whole, &events(SMALL, verdict, &stream, &pieces));
    }
}
