//! The session without a socket: order, state, limits. What a client sees of each command is in the dialogs of the
//! integration tests; here stands what depends on how input is cut, and what must not happen between driver and session.

use super::session::Due;
use super::*;
use crate::auth::Mechanism;
use crate::smtp::proto::Mechanisms;
use crate::telemetry::SessionId;
use crate::types::{Address, BodyKind, Envelope, FixedClock, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

/// Plays driver and service at once. Recipients that start with `no` are refused, those with `later` deferred.
struct Talk {
    session: Session,
    out: Vec<u8>,
    content: Vec<u8>,
    delivered: Vec<(Envelope, String, Vec<u8>)>,
    asked: Vec<Ask>,
    step: Step,
}

fn settings(kind: Kind) -> Settings {
    Settings {
        kind,
        hostname: "mail.example.org".parse().expect("a domain"),
        postmaster: Address::parse("postmaster@example.org").expect("an address"),
        offered: Offered::EVERYTHING,
        limits: Limits { message_octets_max: 1000, recipients_max: 3, ..Limits::default() },
        clock: Arc::new(FixedClock::at(Timestamp::from_seconds(1_700_000_000))),
    }
}

const PLAIN: Link = Link { encrypted: false, mechanisms: Mechanisms::NONE };

fn secure() -> Link {
    Link { encrypted: true, mechanisms: [Mechanism::Plain, Mechanism::Login].into_iter().collect() }
}

fn judge(local: &str) -> Verdict {
    match local {
        name if name.starts_with("no") => Err(Cause::NoSuchAddress.into()),
        name if name.starts_with("later") => Err(Cause::AddressPaused.into()),
        _ => Ok(()),
    }
}

impl Talk {
    fn new(settings: Settings, link: Link) -> Self {
        let mut session = Session::new(Arc::new(settings), SessionId::new(), link);
        let step = session.start();
        let mut talk =
            Self { session, out: Vec::new(), content: Vec::new(), delivered: Vec::new(), asked: Vec::new(), step };
        talk.answer_questions();
        talk
    }

    /// Past the greetings, and logged in where that is needed.
    fn ready(kind: Kind) -> Self {
        let mut talk = Self::new(settings(kind), secure());
        talk.say(match kind {
            Kind::Mx => "EHLO client\r\n",
            Kind::Lmtp => "LHLO client\r\n",
            Kind::Submission | Kind::Submissions => "EHLO client\r\nAUTH PLAIN AGEAYg==\r\n",
        });
        talk.out.clear();
        talk
    }

    fn answer_questions(&mut self) {
        while let Step::Ask(ask) = self.step.clone() {
            self.asked.push(ask.clone());
            let (session, out) = (&mut self.session, &mut self.out);
            self.step = match ask {
                Ask::Connect | Ask::Hello | Ask::Data => session.verdict(Ok(()), out),
                Ask::Mail => {
                    let sender = session.envelope().expect("MAIL is about one").sender.clone();
                    session.verdict(sender.map_or(Ok(()), |sender| judge(sender.local())), out)
                }
                Ask::Rcpt => {
                    let verdict = judge(session.candidate().expect("RCPT is about one").address.local());
                    session.verdict(verdict, out)
                }
                Ask::Auth(AuthStep::Start { mechanism: Mechanism::Plain, .. }) => {
                    session.auth_answer(AuthAnswer::LoggedIn("a".into()), out)
                }
                Ask::Auth(AuthStep::Start { .. }) => session.auth_answer(AuthAnswer::Challenge(b"who?".to_vec()), out),
                Ask::Auth(AuthStep::Response(_)) => {
                    session.auth_answer(AuthAnswer::Refused(Cause::LoginRefused.into()), out)
                }
                Ask::Deliver => {
                    let (envelope, _, protocol) = session.take_message().expect("there is a message");
                    self.delivered.push((envelope, protocol.to_string(), std::mem::take(&mut self.content)));
                    session.delivered(Delivered::All(Ok(())), out)
                }
            };
            self.drop_content();
        }
    }

    fn drop_content(&mut self) {
        if !self.session.keeps_content() {
            self.content.clear();
        }
    }

    /// One read's worth of input.
    fn say_octets(&mut self, mut input: &[u8]) -> usize {
        let all = input.len();
        loop {
            match self.step {
                Step::ReadLine { .. } => {
                    let Some(at) = input.iter().position(|byte| *byte == b'\n') else { return all - input.len() };
                    let (line, rest) = input.split_at(at + 1);
                    input = rest;
                    let pipelined = if rest.is_empty() { Pipelined::Nothing } else { Pipelined::More };
                    self.step = match line.strip_suffix(b"\r\n") {
                        Some(line) => self.session.line(line, pipelined, &mut self.out),
                        None => self.session.line_badly_ended(&mut self.out),
                    };
                }
                Step::ReadData => {
                    let (taken, step) = self.session.data(input, &mut self.content, &mut self.out);
                    input = &input[taken..];
                    self.step = step;
                    if self.step == Step::ReadData && input.is_empty() {
                        return all;
                    }
                }
                Step::Ask(_) => {}
                Step::StartTls => {
                    self.session.link = secure();
                    self.step = self.session.encrypted(secure(), &mut self.out);
                }
                Step::Close => return all - input.len(),
            }
            self.drop_content();
            self.answer_questions();
        }
    }

    fn say(&mut self, input: &str) -> String {
        self.say_octets(input.as_bytes());
        self.heard()
    }

    /// Only the codes: what the table says behind them is the table's affair.
    fn heard(&mut self) -> String {
        let said = String::from_utf8(std::mem::take(&mut self.out)).expect("ASCII");
        let last_lines = said.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
        last_lines.map(|line| &line[..3]).collect::<Vec<_>>().join(" ")
    }
}

/// Input as one write, and the codes of the replies to it.
fn check(kind: Kind, input: &str, codes: &str) -> Talk {
    let mut talk = Talk::ready(kind);
    assert_eq!(talk.say(input), codes, "{input:?}");
    talk
}

const BEGIN: &str = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@example.org>\r\n";

#[test]
fn a_message_by_data() {
    let talk = check(
        Kind::Mx,
        &format!("{BEGIN}RCPT TO:<no@example.org>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n..x\r\ny\r\n.\r\nQUIT\r\n"),
        "250 250 550 250 354 250 221",
    );
    let (envelope, protocol, content) = &talk.delivered[0];
    let to: Vec<String> = envelope.recipients.iter().map(|recipient| recipient.address.to_string()).collect();
    assert_eq!(to, ["c@example.org", "postmaster@example.org"]);
    assert_eq!((protocol.as_str(), content.as_slice()), ("ESMTPS", b".x\r\ny\r\n".as_slice()));
    assert_eq!(talk.step, Step::Close);
}

#[test]
fn a_message_by_bdat() {
    let talk = check(
        Kind::Mx,
        &format!("{BEGIN}BDAT 3\r\n.\r\nBDAT 0\r\nBDAT 5 LAST\r\nabc\r\nNOOP\r\n"),
        "250 250 250 250 250 250",
    );
    assert_eq!(talk.delivered[0].2, b".\r\nabc\r\n");
    // A CR at the end of a chunk is judged with the next one, even if that is empty.
    let talk = check(Kind::Submission, &format!("{BEGIN}BDAT 2\r\na\rBDAT 2 LAST\r\n\nb"), "250 250 250 250");
    assert_eq!(talk.delivered[0].2, b"a\r\nb");
    let talk = check(Kind::Submission, &format!("{BEGIN}BDAT 2\r\na\rBDAT 0 LAST\r\n"), "250 250 250 250");
    assert_eq!(talk.delivered[0].2, b"a\r\n");
    let talk = check(Kind::Mx, &format!("{BEGIN}BDAT 2\r\na\rBDAT 0 LAST\r\n"), "250 250 250 550");
    assert!(talk.delivered.is_empty());
}

#[test]
fn binary_is_left_alone() {
    let begin = "MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<c@example.org>\r\n";
    let talk = check(Kind::Mx, &format!("{begin}DATA\r\n"), "250 250 503");
    assert!(talk.delivered.is_empty());
    let talk = check(Kind::Mx, &format!("{begin}BDAT 6 LAST\r\n\n.\n\0\r\rNOOP\r\n"), "250 250 250 250");
    assert_eq!(talk.delivered[0].2, b"\n.\n\0\r\r");
    assert_eq!(talk.delivered[0].0.body, BodyKind::Binary);
}

#[test]
fn refused_chunks_are_no_commands() {
    check(Kind::Mx, "BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n", "503 250");
    check(Kind::Mx, "MAIL FROM:<>\r\nBDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n", "250 554 554 250");
    let big = "x".repeat(999);
    let mut talk = check(
        Kind::Mx,
        &format!("{BEGIN}BDAT 999\r\n{big}BDAT 6\r\nQUIT\r\nRCPT TO:<d@example.org>\r\nBDAT 1\r\nx"),
        "250 250 250 552 503 552",
    );
    assert!(talk.content.len() <= 1000);
    assert_eq!(talk.say("DATA\r\n"), "503");
    assert_eq!(talk.say("BDAT 1 LAST\r\nxRSET\r\nNOOP\r\n"), "552 250 250");
    assert!(talk.delivered.is_empty());
    // Nobody reads past the end of the world.
    let talk = check(Kind::Mx, &format!("{BEGIN}BDAT 18446744073709551614 LAST\r\nNOOP\r\n"), "250 250 552");
    assert_eq!(talk.step, Step::Close);
}

#[test]
fn what_is_too_big_is_read_past() {
    let mut talk = check(
        Kind::Mx,
        "MAIL FROM:<> SIZE=1001\r\nMAIL FROM:<> SIZE=1000\r\nRCPT TO:<c@example.org>\r\nDATA\r\n",
        "552 250 250 354",
    );
    for _ in 0..100 {
        talk.say_octets(&[b'x'; 100]);
        assert!(talk.content.len() <= 1000);
    }
    assert_eq!(talk.say("\r\n.\r\nNOOP\r\n"), "552 250");
    assert!(talk.delivered.is_empty());
}

#[test]
fn smuggling_ends_nowhere() {
    for ending in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r"] {
        let input = format!(
            "{BEGIN}DATA\r\nx{ending}MAIL FROM:<evil@b.example>\r\nRCPT TO:<d@example.org>\r\nDATA\r\ny\r\n.\r\nNOOP\r\n"
        );
        let talk = check(Kind::Mx, &input, "250 250 354 550 250");
        assert!(talk.delivered.is_empty(), "{ending:?}");
        // Where line ends are mended, one message arrives, and it has none that could end it elsewhere.
        let talk = check(Kind::Lmtp, &input, "250 250 354 250 250");
        assert_eq!(talk.delivered.len(), 1, "{ending:?}");
        let content = String::from_utf8_lossy(&talk.delivered[0].2).replace("\r\n", "");
        assert!(content.contains("MAIL FROM") && !content.contains(['\r', '\n']), "{ending:?}");
    }
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let talk = check(
        Kind::Lmtp,
        &format!(
            "EHLO x\r\nHELO x\r\n{BEGIN}RCPT TO:<no@example.org>\r\nRCPT TO:<d@example.org>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n"
        ),
        "500 500 250 250 550 250 354 250 250 250",
    );
    assert_eq!(talk.delivered[0].1, "LMTPS");
    check(Kind::Lmtp, "MAIL FROM:<>\r\nRCPT TO:<no@example.org>\r\nDATA\r\n", "250 550 503");
    check(
        Kind::Lmtp,
        &format!("{BEGIN}RCPT TO:<d@example.org>\r\nBDAT 1\r\nxBDAT 1 LAST\r\nxNOOP\r\n"),
        "250 250 250 250 250 250 250",
    );
    check(
        Kind::Lmtp,
        &format!("{BEGIN}RCPT TO:<d@example.org>\r\nDATA\r\n\0\r\n.\r\nNOOP\r\n"),
        "250 250 250 354 550 550 250",
    );
    check(Kind::Mx, "LHLO x\r\n", "500");
}

#[test]
fn commands_have_an_order() {
    let check_cold = |kind, link, input: &str, codes: &str| {
        let mut talk = Talk::new(settings(kind), link);
        talk.out.clear();
        assert_eq!(talk.say(input), codes, "{input:?}");
    };
    check_cold(
        Kind::Mx,
        PLAIN,
        "MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRSET\r\nNOOP\r\nHELP\r\nVRFY a\r\nEXPN a\r\nDATA\r\n",
        "503 503 250 250 214 252 502 503",
    );
    check_cold(
        Kind::Mx,
        PLAIN,
        "HELO a\r\nRCPT TO:<a@b.c>\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n",
        "250 503 250 503 554",
    );
    check_cold(
        Kind::Mx,
        PLAIN,
        "EHLO a\r\nMAIL FROM:<>\r\nEHLO a\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n",
        "250 250 250 250 250 250",
    );
    check_cold(Kind::Mx, PLAIN, "EHLO a\r\nAUTH PLAIN AGEAYg==\r\n", "250 502");
    check_cold(Kind::Mx, PLAIN, "EHLO a\r\nMAIL FROM:<> REQUIRETLS\r\nMAIL FROM:<> HOLDFOR=5\r\n", "250 555 555");
    check_cold(Kind::Submission, PLAIN, "EHLO a\r\nMAIL FROM:<>\r\nAUTH PLAIN AGEAYg==\r\n", "250 530 538");
    check_cold(Kind::Submission, secure(), "AUTH PLAIN AGEAYg==\r\nEHLO a\r\nMAIL FROM:<>\r\n", "503 250 530");
    check_cold(
        Kind::Submission,
        secure(),
        "EHLO a\r\nAUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<>\r\n",
        "250 235 503 250",
    );
    check_cold(Kind::Submissions, secure(), "EHLO a\r\nSTARTTLS\r\nAUTH SCRAM-SHA-256 biws\r\n", "250 503 504");
}

#[test]
fn logins() {
    let mut talk = Talk::new(settings(Kind::Submissions), secure());
    talk.say("EHLO a\r\n");
    assert_eq!(talk.say("AUTH LOGIN\r\n*\r\nNOOP\r\n"), "334 501 250");
    assert_eq!(talk.say("AUTH LOGIN\r\nno base64!\r\nNOOP\r\n"), "334 501 250");
    let failed = talk.say("AUTH LOGIN\r\nYQ==\r\nAUTH LOGIN\r\nYQ==\r\nAUTH LOGIN\r\nYQ==\r\nNOOP\r\n");
    assert_eq!(failed, "334 535 334 535 334 535 421");
    assert_eq!(talk.step, Step::Close);
    assert_eq!(
        talk.asked.iter().filter(|ask| matches!(ask, Ask::Auth(AuthStep::Response(_)))).count(),
        3,
        "what was cancelled or malformed is not asked about"
    );
}

#[test]
fn tls_forgets_and_waits_for_nobody() {
    let mut talk = Talk::new(settings(Kind::Mx), PLAIN);
    talk.out.clear();
    assert_eq!(talk.say("EHLO a\r\nMAIL FROM:<>\r\n"), "250 250");
    assert_eq!(talk.say("STARTTLS\r\n"), "220");
    assert_eq!(talk.session.envelope(), None);
    assert_eq!(talk.session.hello(), None);
    assert_eq!(talk.say("MAIL FROM:<>\r\nSTARTTLS\r\n"), "503 503");

    let mut talk = Talk::new(settings(Kind::Mx), PLAIN);
    talk.out.clear();
    assert_eq!(talk.say("EHLO a\r\nSTARTTLS\r\nMAIL FROM:<>\r\n"), "250 503");
    assert_eq!(talk.step, Step::Close);
}

#[test]
fn the_impatient_and_the_lost_are_cut_off() {
    // Data behind a DATA that is refused would be commands.
    let talk = check(Kind::Mx, "MAIL FROM:<>\r\nDATA\r\nMAIL FROM:<>\r\n", "250 554");
    assert_eq!(talk.step, Step::Close);
    // Waiting for the answer is all it takes.
    let mut talk = check(Kind::Mx, "MAIL FROM:<>\r\nDATA\r\n", "250 554");
    assert_eq!(talk.say("RSET\r\n"), "250");
    let talk = check(Kind::Mx, "POST / HTTP/1.1\r\nMAIL FROM:<>\r\n", "500");
    assert_eq!(talk.step, Step::Close);
    for bad in ["NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n", "NOOP\0\r\nNOOP\r\n"] {
        let talk = check(Kind::Mx, bad, "500");
        assert_eq!(talk.step, Step::Close);
    }
}

#[test]
fn patience_has_an_end() {
    let check_many = |line: &str, times: usize, codes: &str| {
        let talk = check(Kind::Mx, &line.repeat(times), codes);
        assert_eq!(talk.step, Step::Close, "{line}");
    };
    check_many("FOO\r\n", 30, &format!("{}421", "500 ".repeat(20)));
    check_many("NOOP\r\n", 200, &format!("{}421", "250 ".repeat(99)));
    let mut talk = Talk::ready(Kind::Mx);
    talk.say("MAIL FROM:<>\r\n");
    let said = talk.say(&"RCPT TO:<no@example.org>\r\n".repeat(150));
    assert_eq!(said, format!("{}421", "550 ".repeat(100)));
    // A long list is no idleness.
    let mut talk = Talk::ready(Kind::Mx);
    talk.say("MAIL FROM:<>\r\n");
    let said = talk.say(&"RCPT TO:<later@example.org>\r\n".repeat(500));
    assert_eq!(said, "450 ".repeat(500).trim_end());
    // Mail does not wear it out.
    let one = format!("FOO\r\n{BEGIN}DATA\r\nx\r\n.\r\n");
    check(Kind::Mx, &one.repeat(50), "500 250 250 354 250 ".repeat(50).trim_end());
}

#[test]
fn recipients_are_counted() {
    check(Kind::Mx, &format!("{BEGIN}{}", "RCPT TO:<c@example.org>\r\n".repeat(3)), "250 250 250 250 452");
}

#[test]
fn parameters_reach_the_envelope() {
    let input = "MAIL FROM:<a@b.example> SIZE=10 SMTPUTF8 REQUIRETLS RET=FULL ENVID=x+20y HOLDFOR=60 BY=600;R MT-PRIORITY=-3\r\n\
                 RCPT TO:<jörg@example.org> NOTIFY=DELAY ORCPT=rfc822;j@example.org\r\nDATA\r\n\u{e4}\r\n.\r\n";
    let talk = check(Kind::Submission, input, "250 250 354 250");
    let (envelope, protocol, _) = &talk.delivered[0];
    assert_eq!(*protocol, "UTF8SMTPSA");
    assert_eq!(envelope.body, BodyKind::EightBit);
    assert_eq!(envelope.dsn_envelope_id.as_deref(), Some("x y"));
    assert_eq!(envelope.hold_until, Some(Timestamp::from_seconds(1_700_000_060)));
    assert_eq!(envelope.deliver_by, Some((Timestamp::from_seconds(1_700_000_600), true)));
    assert_eq!((envelope.priority, envelope.requiretls, envelope.smtputf8), (-3, true, true));
    assert_eq!(envelope.recipients[0].original.as_deref(), Some("rfc822;j@example.org"));
    let limits = "MAIL FROM:<> HOLDFOR=86401\r\nMAIL FROM:<> HOLDUNTIL=2099-01-01T00:00:00Z\r\nMAIL FROM:<> BY=59;R\r\nMAIL FROM:<> BY=-5;N\r\n\
                  RCPT TO:<jörg@example.org>\r\n";
    check(Kind::Submission, limits, "501 501 501 250 553");
}

#[test]
fn what_is_not_offered_is_not_taken() {
    let mut settings = settings(Kind::Mx);
    settings.offered = Offered::default();
    let mut talk = Talk::new(settings, secure());
    talk.say("EHLO a\r\n");
    for parameter in
        ["BODY=BINARYMIME", "SMTPUTF8", "REQUIRETLS", "RET=FULL", "ENVID=a", "HOLDFOR=1", "BY=60;R", "MT-PRIORITY=1"]
    {
        assert_eq!(talk.say(&format!("MAIL FROM:<> {parameter}\r\n")), "555", "{parameter}");
    }
    assert_eq!(
        talk.say("MAIL FROM:<> BODY=8BITMIME AUTH=<>\r\nRCPT TO:<c@example.org> NOTIFY=NEVER\r\nSTARTTLS\r\n"),
        "250 555 503"
    );
}

#[test]
fn a_driver_out_of_step_gets_nothing() {
    let mut talk = Talk::ready(Kind::Mx);
    let step = talk.session.delivered(Delivered::All(Ok(())), &mut talk.out);
    assert_eq!((step, talk.heard().as_str()), (Step::Close, "451"));
    assert_eq!(talk.session.due, Due::Nothing);
    let (taken, step) = talk.session.data(b"x", &mut talk.content, &mut talk.out);
    assert_eq!((taken, step), (0, Step::Close));
}

/// What a client may do, well or badly; without the commands after which it counts whether he waits.
fn fragment() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        [
            "EHLO a\r\n",
            "HELO a\r\n",
            "LHLO a\r\n",
            "MAIL FROM:<a@b.example>\r\n",
            "MAIL FROM:<> BODY=BINARYMIME\r\n",
            "MAIL FROM:<no@b.example>\r\n",
            "RCPT TO:<c@example.org>\r\n",
            "RCPT TO:<no@example.org>\r\n",
            "BDAT 4\r\n",
            "BDAT 0 LAST\r\n",
            "BDAT 9 LAST\r\n",
            "RSET\r\n",
            "NOOP\r\n",
            "AUTH LOGIN\r\n",
            "AUTH PLAIN AGEAYg==\r\n",
            "*\r\n",
            "YQ==\r\n",
            "xxxx",
            "x\r\n",
            "\r",
        ]
        .as_slice(),
    )
}

/// Says it in several reads; the octets of an unfinished line are there again with the next read.
fn say_in_pieces(talk: &mut Talk, input: &[u8], cuts: &[usize]) -> String {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).chain([input.len()]).collect();
    places.sort_unstable();
    let (mut pending, mut from) = (Vec::new(), 0);
    for to in places {
        pending.extend_from_slice(&input[from..to]);
        from = to;
        let taken = talk.say_octets(&pending);
        pending.drain(..taken);
    }
    talk.heard()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However the network cuts a stream, the same is said and delivered.
    #[test]
    fn cuts_change_nothing(
        kind in proptest::sample::select([Kind::Mx, Kind::Submissions, Kind::Lmtp].as_slice()),
        fragments in proptest::collection::vec(fragment(), 0..30),
        cuts in proptest::collection::vec(0usize..500, 0..6),
    ) {
        let run = |cuts: &[usize]| {
            let mut talk = Talk::ready(kind);
            (say_in_pieces(&mut talk, fragments.concat().as_bytes(), cuts), talk.delivered)
        };
        let whole = run(&[]);
        prop_assert_eq!(&whole, &run(&cuts));
        prop_assert!(whole.1.iter().all(|(envelope, ..)| !envelope.recipients.is_empty()));
    }

    /// The same for the octets behind DATA.
    #[test]
    fn cuts_in_data_change_nothing(
        kind in proptest::sample::select([Kind::Mx, Kind::Lmtp].as_slice()),
        data in proptest::collection::vec(proptest::sample::select(b"\r\n.x\r\n".as_slice()), 0..60),
        cuts in proptest::collection::vec(0usize..100, 0..6),
    ) {
        let input = [data.as_slice(), b"\r\n.\r\nNOOP\r\n"].concat();
        let run = |cuts: &[usize]| {
            let mut talk = Talk::ready(kind);
            talk.say(&format!("{BEGIN}DATA\r\n"));
            (say_in_pieces(&mut talk, &input, cuts), talk.delivered)
        };
        prop_assert_eq!(run(&[]), run(&cuts));
    }
}
