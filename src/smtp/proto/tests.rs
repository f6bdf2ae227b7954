//! Command lines: what is taken, what is refused, and that printing is the inverse of parsing.

use super::*;
use crate::types::{Address, BodyKind, DsnReturn, Notify, Timestamp};
use proptest::prelude::*;

/// `expected` is the command printed, or the error.
fn check(line: &str, expected: Result<&str, CommandError>) {
    let parsed = Command::parse(line.as_bytes());
    let printed = parsed.as_ref().map(ToString::to_string);
    assert_eq!(printed.as_ref().map(String::as_str).map_err(|error| **error), expected, "{line}");
    if let (Ok(command), Ok(printed)) = (&parsed, &printed) {
        assert_eq!(Command::parse(printed.as_bytes()).as_ref(), Ok(command), "{line}");
    }
}

fn same(line: &str) {
    check(line, Ok(line));
}

#[test]
fn every_command() {
    same("EHLO mail.example.org");
    same("EHLO [192.0.2.1]");
    same("EHLO [IPv6:2001:db8::1]");
    same("LHLO localhost");
    check("helo  My_Host ", Ok("HELO My_Host"));
    same("MAIL FROM:<>");
    same("RCPT TO:<jane@example.org>");
    same("DATA");
    same("BDAT 0");
    check("bdat 12  last", Ok("BDAT 12 LAST"));
    same("RSET");
    same("VRFY jane");
    same("VRFY jörg SMTPUTF8");
    same("EXPN staff");
    check("HELP MAIL", Ok("HELP"));
    check("NOOP hello  there", Ok("NOOP"));
    same("QUIT");
    same("STARTTLS");
    same("AUTH PLAIN AGphbmUAc2VjcmV0");
    same("AUTH SCRAM-SHA-256-PLUS");
    check("auth login =", Ok("AUTH LOGIN ="));
    check("quit\t ", Ok("QUIT"));
}

#[test]
fn lines_that_are_no_command() {
    use CommandError::{Arguments, Base64, LineEnd, Mechanism, NotSmtp, Syntax, Unknown};
    check("", Err(Unknown));
    check("FOO", Err(Unknown));
    check("MAILFROM:<a@b.example>", Err(Unknown));
    check(" QUIT", Err(Unknown));
    check("GET / HTTP/1.1", Err(NotSmtp));
    check("POST /mail HTTP/1.1", Err(NotSmtp));
    check("EHLO", Err(Arguments));
    check("EHLO a b", Err(Syntax));
    check("EHLO mail(evil)", Err(Syntax));
    check("EHLO bücher.example", Err(Syntax));
    check(&format!("EHLO {}", "a".repeat(256)), Err(Syntax));
    check("DATA now", Err(Arguments));
    check("RSET x", Err(Arguments));
    check("QUIT x", Err(Arguments));
    check("STARTTLS x", Err(Arguments));
    check("VRFY", Err(Arguments));
    check("EXPN ", Err(Arguments));
    check("BDAT", Err(Syntax));
    check("BDAT -1", Err(Syntax));
    check("BDAT +1", Err(Syntax));
    check("BDAT 1x", Err(Syntax));
    check("BDAT 1 LASTLY", Err(Syntax));
    check("BDAT 99999999999999999999", Err(Syntax));
    check("AUTH", Err(Arguments));
    check("AUTH CRAM-MD5", Err(Mechanism));
    check("AUTH PLAIN *", Err(Base64));
    check("AUTH PLAIN AGphbmUAc2VjcmV0 x", Err(Base64));
    check("AUTH PLAIN AGphbmUAc2VjcmV", Err(Base64));
    // RFC 5321 section 2.3.8: only CR LF ends a line, and the reader has taken it off.
    check("NOOP\rQUIT", Err(LineEnd));
    check("NOOP\nQUIT", Err(LineEnd));
    check("NOOP\r", Err(LineEnd));
    check("NOOP\0", Err(LineEnd));
    assert_eq!(Command::parse(b"NOOP \xff"), Err(Syntax));
}

#[test]
fn senders_and_recipients() {
    use crate::types::{AddressError, DomainError};
    same("MAIL FROM:<jane@example.org>");
    check("mail from: <Jane@Example.ORG>", Ok("MAIL FROM:<Jane@example.org>"));
    // Address literals, both kinds.
    same("MAIL FROM:<a@[192.0.2.1]>");
    same("RCPT TO:<a@[IPv6:2001:db8::1]>");
    // Quoted local parts keep their quotes on the way out.
    same("MAIL FROM:<\"a b\"@c.example>");
    same("MAIL FROM:<\"a@b\"@c.example>");
    same("RCPT TO:<\"a>b\"@c.example>");
    same("RCPT TO:<\"a\\\"b\\\\\"@c.example>");
    check("RCPT TO:<\"jane\"@c.example>", Ok("RCPT TO:<jane@c.example>"));
    check("RCPT TO:<\"a> SIZE=1 <b\"@c.example>", Ok("RCPT TO:<\"a> SIZE=1 <b\"@c.example>"));
    // Source routes.
    check("RCPT TO:<@a.example,@b.example:jane@c.example>", Ok("RCPT TO:<jane@c.example>"));
    // Postmaster without a domain is somebody, nobody is not.
    same("RCPT TO:<postmaster>");
    check("RCPT TO:<Postmaster>", Ok("RCPT TO:<postmaster>"));
    check("RCPT TO:<>", Err(CommandError::Recipient(AddressError::NoAt)));
    check("MAIL FROM:<postmaster>", Err(CommandError::Sender(AddressError::NoAt)));
    // Dots and hyphens where none may be.
    check("MAIL FROM:<a.@b.example>", Err(CommandError::Sender(AddressError::LocalCharacter)));
    check("MAIL FROM:<.a@b.example>", Err(CommandError::Sender(AddressError::LocalCharacter)));
    check("MAIL FROM:<a..a@b.example>", Err(CommandError::Sender(AddressError::LocalCharacter)));
    check("RCPT TO:<a@-b.example>", Err(CommandError::Recipient(AddressError::Domain(DomainError::BadLabel))));
    check("RCPT TO:<a@b..example>", Err(CommandError::Recipient(AddressError::Domain(DomainError::BadLabel))));
    check("RCPT TO:<a@[300.0.2.1]>", Err(CommandError::Recipient(AddressError::Domain(DomainError::BadLiteral))));
    check("RCPT TO:<a b@c.example>", Err(CommandError::Recipient(AddressError::LocalCharacter)));
    for line in
        ["MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM:a@b.example", "MAIL FROM:<a@b.example", "MAIL TO:<a@b.c>"]
    {
        check(line, Err(CommandError::Syntax));
    }
    for line in ["MAIL FROM:<a@b.example>SIZE=1", "RCPT TO:<a@b.example>,<c@d.example>", "RCPT TO:<\"a>"] {
        check(line, Err(CommandError::Syntax));
    }
}

#[test]
fn utf8_needs_its_parameter() {
    check("MAIL FROM:<jörg@b.example>", Err(CommandError::NeedsSmtpUtf8));
    check("MAIL FROM:<a@bücher.example>", Err(CommandError::NeedsSmtpUtf8));
    same("MAIL FROM:<jörg@b.example> SMTPUTF8");
    check("MAIL FROM:<a@bücher.example> SMTPUTF8", Ok("MAIL FROM:<a@xn--bcher-kva.example> SMTPUTF8"));
    for (line, utf8) in [
        ("RCPT TO:<jörg@b.example>", true),
        ("RCPT TO:<a@bücher.example>", true),
        ("RCPT TO:<a@b.example> ORCPT=utf-8;jörg@b.example", false),
    ] {
        let Ok(Command::Rcpt(rcpt)) = Command::parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(rcpt.written_in_utf8, utf8, "{line}");
    }
}

#[test]
fn parameters_of_mail() {
    let good = |parameters: &str| same(&format!("MAIL FROM:<a@b.example> {parameters}"));
    let bad =
        |parameters: &str, error: CommandError| check(&format!("MAIL FROM:<a@b.example> {parameters}"), Err(error));
    good("SIZE=0");
    good(
        "SIZE=1000 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=QQ314159 AUTH=<> HOLDFOR=60 BY=120;R MT-PRIORITY=-9",
    );
    good("BODY=7BIT");
    good("BODY=BINARYMIME RET=FULL");
    good("ENVID=a+2Bb+20c");
    good("AUTH=e+3Dmc2@example.com");
    good("HOLDUNTIL=2027-01-15T08:00:00Z");
    good("BY=-10;N");
    good("BY=0;NT");
    good("BY=999999999;RT");
    good("MT-PRIORITY=0");
    good("MT-PRIORITY=9");
    check("MAIL FROM:<>  size=5   body=8bitmime ", Ok("MAIL FROM:<> SIZE=5 BODY=8BITMIME"));
    check("MAIL FROM:<> SIZE=99999999999999999999", Ok("MAIL FROM:<> SIZE=18446744073709551615"));
    check("MAIL FROM:<> AUTH=+3C+3E", Ok("MAIL FROM:<> AUTH=<>"));
    check("MAIL FROM:<> HOLDUNTIL=2027-01-15T09:00:00+01:00", Ok("MAIL FROM:<> HOLDUNTIL=2027-01-15T08:00:00Z"));
    check("MAIL FROM:<> BY=+5;n", Ok("MAIL FROM:<> BY=5;N"));

    for (keyword, values) in [
        ("SIZE", ["", "-1", "1k", "999999999999999999999"].as_slice()),
        ("BODY", &["", "9BIT"]),
        ("RET", &["", "ALL"]),
        ("ENVID", &["", "a=b", "a+0D+0Ab", "a+0", "ü"]),
        ("AUTH", &["", "jane", "a b"]),
        ("HOLDFOR", &["", "-1", "1234567890"]),
        ("HOLDUNTIL", &["", "tomorrow", "2027-01-15"]),
        ("BY", &["", "10", "10;X", ";R", "0;R", "-5;R", "1234567890;R"]),
        ("MT-PRIORITY", &["", "10", "-0", "+1", "01", "-10"]),
    ] {
        for value in values.iter().filter(|value| !value.contains(' ')) {
            bad(&format!("{keyword}={value}"), CommandError::Parameter(keyword));
        }
        bad(keyword, CommandError::Parameter(keyword));
    }
    bad(&format!("ENVID={}", "a".repeat(101)), CommandError::Parameter("ENVID"));
    bad("SMTPUTF8=yes", CommandError::Parameter("SMTPUTF8"));
    bad("REQUIRETLS=1", CommandError::Parameter("REQUIRETLS"));
    bad("SIZE=1 size=1", CommandError::RepeatedParameter("SIZE"));
    bad("SMTPUTF8 SMTPUTF8", CommandError::RepeatedParameter("SMTPUTF8"));
    bad("HOLDFOR=1 HOLDUNTIL=2027-01-15T08:00:00Z", CommandError::RepeatedParameter("HOLDUNTIL"));
    bad("FOO", CommandError::UnknownParameter);
    bad("=", CommandError::UnknownParameter);
    bad("NOTIFY=NEVER", CommandError::UnknownParameter);
}

#[test]
fn parameters_of_rcpt() {
    let good = |parameters: &str| same(&format!("RCPT TO:<a@b.example> {parameters}"));
    let bad = |parameters: &str, error: CommandError| check(&format!("RCPT TO:<a@b.example> {parameters}"), Err(error));
    good("NOTIFY=NEVER");
    good("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Jane+2BSales@example.org");
    good("ORCPT=utf-8;j\\x{F6}rg@example.org");
    check("RCPT TO:<a@b.example> notify=delay,failure", Ok("RCPT TO:<a@b.example> NOTIFY=FAILURE,DELAY"));
    check(
        "RCPT TO:<a@b.example> ORCPT=UTF-8;jörg@example.org",
        Ok("RCPT TO:<a@b.example> ORCPT=utf-8;j\\x{F6}rg@example.org"),
    );
    bad("NOTIFY=", CommandError::Parameter("NOTIFY"));
    bad("NOTIFY=NEVER,DELAY", CommandError::Parameter("NOTIFY"));
    bad("NOTIFY=OFTEN", CommandError::Parameter("NOTIFY"));
    bad("NOTIFY=DELAY NOTIFY=DELAY", CommandError::RepeatedParameter("NOTIFY"));
    for value in ["", "rfc822", "rfc822;", ";a@b", "rfc822;a+0D+0Ab", "rfc822;a=b", "rf c;x", "rfc822;jörg@b"] {
        if !value.contains(' ') {
            bad(&format!("ORCPT={value}"), CommandError::Parameter("ORCPT"));
        }
    }
    bad(&format!("ORCPT=rfc822;{}", "a".repeat(500)), CommandError::Parameter("ORCPT"));
    bad("SIZE=1", CommandError::UnknownParameter);
}

#[test]
fn passwords_do_not_show() {
    let command = Command::parse(b"AUTH PLAIN AGphbmUAc2VjcmV0").expect("well formed");
    // Neither as text nor as numbers nor as it came.
    for part in ["jane", "115, 101", "AGphbm"] {
        assert!(!format!("{command:?}").contains(part));
    }
}

fn address() -> impl Strategy<Value = Address> {
    let local = prop_oneof!["[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,10}(\\.[a-z]{1,5}){0,2}", "[ -~]{1,12}"];
    let domain = prop_oneof!["[a-z]{1,8}(-[a-z]{1,3})?\\.example", Just("[192.0.2.7]".to_owned())];
    (local, domain).prop_map(|(local, domain)| {
        Address::from_parts(&local, domain.parse().expect("a domain")).expect("printable, short and not empty")
    })
}

fn mail() -> impl Strategy<Value = Mail> {
    let bodies = [BodyKind::SevenBit, BodyKind::EightBit, BodyKind::Binary].as_slice();
    let returns = [DsnReturn::Full, DsnReturn::Headers].as_slice();
    let hold = prop_oneof![
        (0_u32..=999_999_999).prop_map(Hold::ForSeconds),
        (0_i64..=4_000_000_000).prop_map(|seconds| Hold::Until(Timestamp::from_seconds(seconds))),
    ];
    let by = (1_i32..=999_999_999, any::<bool>(), any::<bool>()).prop_map(|(seconds, back, trace)| {
        let (seconds, mode) = if back { (seconds, DeliverByMode::Return) } else { (-seconds, DeliverByMode::Notify) };
        DeliverBy { seconds, mode, trace }
    });
    let auth = prop_oneof![Just(MailAuth::Unknown), address().prop_map(MailAuth::Mailbox)];
    let first = (
        proptest::option::of(address()),
        proptest::option::of(any::<u64>()),
        proptest::option::of(proptest::sample::select(bodies)),
        any::<bool>(),
        any::<bool>(),
    );
    let second = (
        proptest::option::of(proptest::sample::select(returns)),
        proptest::option::of("[ -~]{1,30}"),
        proptest::option::of(auth),
        proptest::option::of(hold),
        proptest::option::of(by),
        proptest::option::of(-9_i8..=9),
    );
    (first, second).prop_map(|((sender, size_octets, body, smtputf8, requiretls), second)| {
        let (dsn_return, dsn_envelope_id, auth, hold, deliver_by, priority) = second;
        Mail {
            sender,
            size_octets,
            body,
            smtputf8,
            requiretls,
            dsn_return,
            dsn_envelope_id,
            auth,
            hold,
            deliver_by,
            priority,
        }
    })
}

fn rcpt() -> impl Strategy<Value = Rcpt> {
    let path = prop_oneof![Just(ForwardPath::Postmaster), address().prop_map(ForwardPath::Mailbox)];
    let notify = (1_u8..8).prop_map(|bits| Notify {
        never: false,
        success: bits & 1 != 0,
        failure: bits & 2 != 0,
        delay: bits & 4 != 0,
    });
    let notify = prop_oneof![Just(Notify::NEVER), notify];
    let original = prop_oneof!["rfc822;[ -~]{1,20}", "utf-8;\\PC{1,20}"]
        .prop_filter_map("well formed", |text| OriginalRecipient::parse_decoded(&text));
    (path, proptest::option::of(notify), proptest::option::of(original)).prop_map(|(path, notify, original)| Rcpt {
        path,
        written_in_utf8: false,
        notify,
        original,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn mail_prints_and_parses(mail in mail()) {
        let line = mail.to_string();
        prop_assert_eq!(Command::parse(line.as_bytes()), Ok(Command::Mail(mail)), "{}", line);
    }

    #[test]
    fn rcpt_prints_and_parses(rcpt in rcpt()) {
        let line = rcpt.to_string();
        prop_assert_eq!(Command::parse(line.as_bytes()), Ok(Command::Rcpt(rcpt)), "{}", line);
    }

    #[test]
    fn what_parses_prints_a_single_line(text in "(MAIL FROM:<|RCPT TO:<|EHLO |AUTH PLAIN |BDAT |VRFY )?\\PC{0,30}>?( [A-Z]+=\\PC{0,8})?") {
        if let Ok(command) = Command::parse(text.as_bytes()) {
            let printed = command.to_string();
            prop_assert!(!printed.contains(['\r', '\n', '\0']));
            // The flag of how a path was written is about the line, not about the command.
            let (mut again, mut command) = (Command::parse(printed.as_bytes()).expect("printed"), command);
            for side in [&mut again, &mut command] {
                if let Command::Rcpt(rcpt) = side {
                    rcpt.written_in_utf8 = false;
                }
            }
            prop_assert_eq!(again, command);
        }
    }

    #[test]
    fn any_octets_are_survived(line in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = Command::parse(&line);
        let _ = ReplyParser::default().line(&line);
    }
}
