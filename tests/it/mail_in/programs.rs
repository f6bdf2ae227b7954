//! Mail programs that people use, against a whole server: what they send lies in the mailbox, octet by octet, by every way
//! in, with every way to log in that they know.
//!
//! A program that is not installed is skipped, and says so; where the gate has installed it, its absence is a failure.

use crate::support::running::{PASSWORD, Running};
use lettre::address::Envelope;
use lettre::message::{Attachment, MultiPart, SinglePart, header};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Message, SmtpTransport, Transport};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const HOST: &str = "mail.example.org";
const SERVICES: [&str; 4] = ["smtp", "submission", "submissions", "lmtp unix:lmtp.sock"];

async fn house(extra: &str) -> Running {
    let house = Running::open(&SERVICES, extra).await;
    house.domain("example.org").await;
    for person in ["jane", "paul"] {
        house.account(&format!("{person}@example.org"), None).await;
    }
    house.account("full@example.org", Some(0)).await;
    house.alias("info@example.org", "jane@example.org").await;
    house
}

/// A house and a program that talks to it.
struct Visit {
    house: Running,
    program: &'static str,
    /// Messages of paul's that were looked at.
    seen: usize,
}

impl Visit {
    /// None: the program is not installed. The gate installs what it names, so there it must be.
    #[allow(clippy::print_stderr)] // a test that was not run has to say so
    async fn begin(program: &'static str, extra: &str) -> Option<Self> {
        let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let found = found.is_ok_and(|status| status.success());
        assert!(found || std::env::var_os("CI").is_none(), "{program} is missing");
        if !found {
            eprintln!("SKIPPED: {program} is not installed");
            return None;
        }
        Some(Self { house: house(extra).await, program, seen: 0 })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.house.directory.path().join(name)
    }

    fn certificate(&self) -> String {
        self.path("cert.pem").display().to_string()
    }

    fn socket(&self) -> String {
        self.path("data/lmtp.sock").display().to_string()
    }

    fn port(&self, service: &str) -> String {
        self.house.port(service).port().to_string()
    }

    async fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(self.program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Nobody's own settings count.
        command.env("HOME", self.house.directory.path());
        let input = input.to_vec();
        let running = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            // A program that reads nothing may be gone already.
            let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), &input);
            child.wait_with_output().unwrap()
        });
        tokio::time::timeout(Duration::from_secs(120), running).await.expect("it ends").unwrap()
    }

    /// What it said, and that it was content.
    async fn good(&self, arguments: &[&str], input: &[u8]) -> String {
        let (output, text) = self.said(arguments, input).await;
        assert!(output.status.success(), "{} {arguments:?}\n{text}", self.program);
        text
    }

    /// What it said, and that it was not.
    async fn bad(&self, arguments: &[&str], input: &[u8]) -> String {
        let (output, text) = self.said(arguments, input).await;
        assert!(!output.status.success(), "{} {arguments:?}\n{text}", self.program);
        text
    }

    async fn said(&self, arguments: &[&str], input: &[u8]) -> (Output, String) {
        let output = self.run(arguments, input).await;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output, text)
    }

    /// The one message that paul has got since the last look: its header and its body.
    async fn arrived(&mut self) -> (String, String) {
        let filed = self.house.filed("paul@example.org").await;
        assert_eq!(filed.len(), self.seen + 1, "{}", self.program);
        self.seen += 1;
        let text = String::from_utf8(filed.last().unwrap().octets.clone()).unwrap();
        let (header, body) = text.split_once("\r\n\r\n").unwrap();
        (format!("{header}\r\n"), body.to_owned())
    }
}

/// Lines that programs and servers are known to change.
const BODY: &str = ".\r\n..two dots\r\n\r\nFrom the beginning of a line\r\n \r\n\ttab and blanks   \r\nend\r\n";

/// By each way in turn: what it is called, its arguments, what the Received field says of it.
async fn swaks(visit: &mut Visit, from: &str, ways: &[(&str, Vec<&str>, &str)]) {
    // It ends the last line by itself.
    let data = format!("From: {from}\nSubject: swaks\nMessage-ID: <s@swaks>\n\n{}", BODY.trim_end());
    let data = data.replace("\r\n", "\n");
    let common = ["--data", &data, "--to", "paul@example.org", "--helo", "client.example", "--suppress-data"];
    for (name, way, received) in ways {
        visit.good(&[&common[..], way].concat(), b"").await;
        let (header, body) = visit.arrived().await;
        assert_eq!(body, BODY, "{name}");
        assert!(header.contains(received), "{name}: {header}");
        assert!(header.contains("\r\nMessage-ID: <s@swaks>\r\n"), "{name}: {header}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_brings_mail() {
    let Some(mut visit) = Visit::begin("swaks", "").await else { return };
    let (smtp, certificate, socket) = (visit.port("smtp"), visit.certificate(), visit.socket());
    let server = ["--server", "127.0.0.1", "--port", &smtp, "--from"];
    let mx = |more: &[&'static str]| [&server[..], more].concat();
    let tls = ["--tls", "--tls-verify", "--tls-ca-path", &certificate];
    let stranger = "a@elsewhere.example";
    let ways = [
        ("plain", mx(&[stranger]), "with ESMTP id"),
        ("HELO", mx(&["<>", "--protocol", "SMTP"]), "with SMTP id"),
        ("pipelined", mx(&[stranger, "--pipeline"]), "with ESMTP id"),
        ("TLS", [&mx(&[stranger])[..], &tls].concat(), "with ESMTPS id"),
        ("IPv6 in the envelope", mx(&["a@[IPv6:2001:db8::7]"]), "with ESMTP id"),
        ("TLS 1.2", [&mx(&[stranger, "--tls-protocol", "tlsv1_2"])[..], &tls].concat(), "with ESMTPS id"),
        ("LMTP", vec!["--protocol", "LMTP", "--socket", &socket, "--from", stranger], "with LMTP id"),
        ("an alias beside", mx(&[stranger, "--to", "paul@example.org,info@example.org"]), "with ESMTP id"),
    ];
    swaks(&mut visit, stranger, &ways).await;
    assert_eq!(visit.house.filed("jane@example.org").await.len(), 1);
    // A message of the program's own making, with a file, over a connection that sends from an address of its choice.
    let subject = ["--h-Subject", "own making", "--attach-name", "cert.pem", "--attach-type", "application/pkix-cert"];
    let file = format!("@{certificate}");
    let way = mx(&[stranger, "--local-interface", "127.0.0.1", "--to", "paul@example.org"]);
    visit.good(&[&way[..], &subject, &["--attach", &file]].concat(), b"").await;
    let (header, body) = visit.arrived().await;
    assert!(header.contains("multipart/mixed") && header.contains("\r\nSubject: own making\r\n"), "{header}");
    assert!(body.contains("application/pkix-cert"), "{body}");
    // What is not offered is not done: neither a client's claim to be another, nor replies for each recipient.
    let claims = mx(&[stranger, "--to", "paul@example.org", "--xclient-addr", "192.0.2.7"]);
    visit.bad(&claims, b"").await;
    visit.bad(&mx(&[stranger, "--to", "paul@example.org", "--prdr"]), b"").await;
    visit.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_submits() {
    let Some(mut visit) = Visit::begin("swaks", "").await else { return };
    let (submission, submissions) = (visit.port("submission"), visit.port("submissions"));
    let jane = "jane@example.org";
    let by = |port: &str, more: &[&'static str]| -> Vec<String> {
        let who = ["--server", "127.0.0.1", "--from", jane, "--auth-user", jane, "--auth-password", PASSWORD, "--port"];
        who.iter().chain(&[port]).chain(more).map(|word| (*word).to_owned()).collect()
    };
    let arguments = [
        ("PLAIN", by(&submission, &["--tls", "--auth", "PLAIN"])),
        ("LOGIN", by(&submission, &["--tls", "--auth", "LOGIN"])),
        ("PLAIN in TLS", by(&submissions, &["--tlsc", "--auth", "PLAIN"])),
        ("LOGIN in TLS, pipelined", by(&submissions, &["--tlsc", "--auth", "LOGIN", "--pipeline"])),
    ];
    for (name, words) in &arguments {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        swaks(&mut visit, jane, &[(*name, words, "with ESMTPSA id")]).await;
    }
    visit.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_hears_refusals() {
    let Some(visit) = Visit::begin("swaks", "").await else { return };
    let (smtp, submission, socket) = (visit.port("smtp"), visit.port("submission"), visit.socket());
    let mx = ["--server", "127.0.0.1", "--port", &smtp, "--from", "a@elsewhere.example", "--to"];
    let check = async |arguments: &[&str], expected: &str| {
        let text = visit.bad(arguments, b"").await;
        assert!(text.contains(expected), "{arguments:?}: {text}");
    };
    check(&[&mx[..], &["victim@elsewhere.example"]].concat(), "550 5.7.1 Not a domain of ours").await;
    check(&[&mx[..], &["nobody@example.org"]].concat(), "550 5.1.1").await;
    check(&[&mx[..], &["full@example.org"]].concat(), "452 4.2.2").await;
    let submit = ["--server", "127.0.0.1", "--port", &submission, "--to", "far@elsewhere.example", "--from"];
    check(&[&submit[..], &["jane@example.org"]].concat(), "530 5.7.0").await;
    let login = ["--auth", "PLAIN", "--auth-user", "jane@example.org", "--auth-password"];
    check(&[&submit[..], &["jane@example.org"], &login, &[PASSWORD]].concat(), "Host did not advertise").await;
    check(&[&submit[..], &["jane@example.org", "-tls"], &login, &["Wrong5Horse"]].concat(), "535 5.7.8").await;
    check(&[&submit[..], &["paul@example.org", "-tls"], &login, &[PASSWORD]].concat(), "550 5.7.1").await;
    check(&["--protocol", "LMTP", "--socket", &socket, "--to", "far@elsewhere.example"], "550 5.7.1").await;
    // One of several recipients is refused, and the others have the message.
    let some = visit.run(&[&mx[..], &["nobody@example.org,paul@example.org"]].concat(), b"").await;
    assert!(some.status.success());
    assert_eq!(visit.house.filed("paul@example.org").await.len(), 1);
    assert_eq!(visit.house.sends().await.len(), 0);
    visit.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_through_a_load_balancer() {
    let Some(mut visit) = Visit::begin("swaks", "[proxy]\nnetworks = [\"127.0.0.1\"]\n").await else { return };
    let smtp = visit.port("smtp");
    let balanced = |version, family, source, destination| {
        let mut arguments = vec!["--server", "127.0.0.1", "--port", &smtp, "--from", "a@elsewhere.example"];
        arguments.extend(["--to", "paul@example.org", "--helo", "client.example"]);
        arguments.extend(["--proxy-version", version, "--proxy-family", family]);
        arguments.extend(["--proxy-source", source, "--proxy-source-port", "4711"]);
        arguments.extend(["--proxy-dest", destination, "--proxy-dest-port", "25"]);
        arguments
    };
    let (v4, v6) = (["192.0.2.7", "198.51.100.1"], ["2001:db8::7", "2001:db8::1"]);
    for (version, family, [source, destination]) in
        [("1", "TCP4", v4), ("1", "TCP6", v6), ("2", "AF_INET", v4), ("2", "AF_INET6", v6)]
    {
        visit.good(&balanced(version, family, source, destination), b"").await;
        let (header, _) = visit.arrived().await;
        assert!(header.contains(source), "{version} {family}: {header}");
        assert!(!header.contains("127.0.0.1"), "{version} {family}: {header}");
    }
    visit.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn msmtp_by_every_login() {
    let Some(mut visit) = Visit::begin("msmtp", "").await else { return };
    let (submission, submissions) = (visit.port("submission"), visit.port("submissions"));
    let (certificate, socket) = (visit.certificate(), visit.socket());
    let configuration = visit.path("msmtprc").display().to_string();
    // Older ones can't bind a login to its connection.
    let knows_binding = visit.good(&["--version"], b"").await.contains("scram-sha-256-plus");
    let message = format!("From: Jane <info@example.org>\r\nBcc: paul@example.org\r\nSubject: msmtp\r\n\r\n{BODY}");
    let written = message.replace("\r\n", "\n");
    for (port, starttls, login) in [
        (&submission, "on", "plain"),
        (&submission, "on", "login"),
        (&submission, "on", "scram-sha-256"),
        (&submissions, "off", "plain"),
        (&submissions, "off", "scram-sha-256"),
        (&submission, "on", "scram-sha-256-plus"),
        (&submissions, "off", "scram-sha-256-plus"),
    ] {
        if login.ends_with("-plus") && !knows_binding {
            continue;
        }
        let text = format!(
            "account default\nhost 127.0.0.1\nport {port}\ntls on\ntls_starttls {starttls}\ntls_trust_file {certificate}\n\
             tls_host_override {HOST}\nauth {login}\nuser jane@example.org\npassword {PASSWORD}\nfrom info@example.org\n\
             dsn_notify failure,delay\ndsn_return headers\nremove_bcc_headers off\n"
        );
        write_private(&configuration, &text);
        visit.good(&["-C", &configuration, "paul@example.org"], written.as_bytes()).await;
        let (header, body) = visit.arrived().await;
        assert_eq!(body, BODY, "{login}");
        assert!(header.starts_with("Return-Path: <info@example.org>\r\n"), "{header}");
        // RFC 6409 section 8: what a submitted message lacks is added; who has a blind copy is nobody's business.
        for expected in ["\r\nDate: ", "\r\nMessage-ID: <", "with ESMTPSA id"] {
            assert!(header.contains(expected), "{login}: {header}");
        }
        assert!(!header.contains("Bcc:") && !header.contains("jane@"), "{login}: {header}");
    }
    let text = format!(
        "account default\nhost localhost\nport 24\nprotocol lmtp\nsocket {socket}\ntls off\nauth off\nfrom a@elsewhere.example\n"
    );
    write_private(&configuration, &text);
    visit.good(&["-C", &configuration, "paul@example.org"], written.as_bytes()).await;
    assert_eq!(visit.arrived().await.1, BODY);
    let text = visit.bad(&["-C", &configuration, "full@example.org"], written.as_bytes()).await;
    assert!(text.contains("452 4.2.2"), "{text}");
    let text = visit.good(&["-C", &configuration, "--serverinfo"], b"").await;
    for capability in ["PIPELINING", "SIZE 52428800", "DSN"] {
        assert!(text.contains(capability), "{text}");
    }
    visit.house.close().await;
}

/// Such a file must be readable by its owner only.
fn write_private(path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sends_and_asks() {
    let Some(mut visit) = Visit::begin("curl", "").await else { return };
    let certificate = visit.certificate();
    let login = format!("jane@example.org:{PASSWORD}");
    // Large enough for the spool, with the lines that a careless server breaks.
    let long = BODY.repeat(3000);
    for (scheme, service, options, from, body) in [
        ("smtp", "smtp", vec![], "a@elsewhere.example", BODY),
        ("smtp", "smtp", vec!["--ssl-reqd"], "a@elsewhere.example", &long),
        ("smtp", "smtp", vec![], "j\u{f6}rg@b\u{fc}cher.example", BODY),
        (
            "smtp",
            "submission",
            vec!["--ssl-reqd", "-u", &login, "--login-options", "AUTH=PLAIN"],
            "jane@example.org",
            BODY,
        ),
        (
            "smtp",
            "submission",
            vec!["--ssl-reqd", "-u", &login, "--login-options", "AUTH=LOGIN"],
            "jane@example.org",
            &long,
        ),
        ("smtps", "submissions", vec!["-u", &login], "jane@example.org", &long),
        ("smtps", "submissions", vec!["-u", &login, "--sasl-ir"], "jane@example.org", BODY),
    ] {
        let port = visit.port(service);
        let url = format!("{scheme}://{HOST}:{port}/client.example");
        let place = format!("{HOST}:{port}:127.0.0.1:{port}");
        let mut arguments = vec!["-sS", "--cacert", &certificate, "--connect-to", &place, "--url", &url];
        arguments.extend(["--mail-from", from, "--mail-rcpt", "paul@example.org", "--crlf", "-T", "-"]);
        arguments.extend(options);
        let text = format!("From: {from}\nSubject: curl\n\n{}", body.replace("\r\n", "\n"));
        visit.good(&arguments, text.as_bytes()).await;
        let (header, arrived) = visit.arrived().await;
        assert!(arrived == body, "{scheme} {service} {from}");
        // RFC 6531 section 4.3.
        assert_eq!(header.contains("with UTF8SMTP"), !from.is_ascii(), "{header}");
    }
    let url = format!("smtp://127.0.0.1:{}/client.example", visit.port("smtp"));
    for (arguments, expected) in [
        (vec!["-X", "VRFY", "--mail-rcpt", "jane"], "252"),
        (vec!["-X", "HELP"], "214"),
        (vec!["-X", "NOOP"], "250"),
        (vec!["-X", "EXPN", "--mail-rcpt", "all"], "502"),
    ] {
        let (_, text) = visit.said(&[&["-sS", "-v", "--url", &url][..], &arguments].concat(), b"").await;
        assert!(text.contains(&format!("\n< {expected}")), "{arguments:?}: {text}");
    }
    // A message of the program's own making: many parts, and a file.
    let file = visit.path("cert.pem").display().to_string();
    let form = format!("=@{file};encoder=base64");
    let parts = ["-F", "=first words;type=text/plain", "-F", &form, "-H", "Subject: parts"];
    let to = ["-sS", "--url", &url, "--mail-from", "<>", "--mail-rcpt", "paul@example.org"];
    visit.good(&[&to[..], &parts].concat(), b"").await;
    assert!(visit.arrived().await.0.contains("multipart/mixed"));
    visit.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_through_a_load_balancer() {
    let Some(mut visit) = Visit::begin("curl", "[proxy]\nnetworks = [\"127.0.0.1\"]\n").await else { return };
    let url = format!("smtp://127.0.0.1:{}/client.example", visit.port("smtp"));
    let to = ["-sS", "--url", &url, "--mail-from", "a@elsewhere.example", "--mail-rcpt", "paul@example.org", "-T", "-"];
    // It says of itself that it is its own balancer.
    visit.good(&[&to[..], &["--haproxy-protocol"]].concat(), b"Subject: balanced\r\n\r\nhello\r\n").await;
    assert!(visit.arrived().await.0.contains("[127.0.0.1]"));
    // Who is believed to be one and says nothing of the kind is not served.
    visit.bad(&to, b"Subject: not balanced\r\n\r\nhello\r\n").await;
    visit.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lettre_submits() {
    let mut visit = Visit { house: house("").await, program: "lettre", seen: 0 };
    let (submission, submissions) = (visit.house.port("submission").port(), visit.house.port("submissions").port());
    let certificate = Certificate::from_pem(&std::fs::read(visit.path("cert.pem")).unwrap()).unwrap();
    let parameters = TlsParameters::builder(HOST.to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(certificate)
        .build()
        .unwrap();
    let mail = |subject: &str| {
        Message::builder()
            .from("Jane D\u{f6} <jane@example.org>".parse().unwrap())
            .to("paul@example.org".parse().unwrap())
            .subject(subject)
    };
    let picture: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(at) % 251) as u8).collect();
    let content_type = header::ContentType::parse("image/png").unwrap();
    let file = Attachment::new("p\u{ef}cture.png".to_owned()).body(picture, content_type);
    let parts = MultiPart::mixed()
        .multipart(MultiPart::alternative_plain_html("caf\u{e9}\r\n".to_owned(), "<p>caf\u{e9}</p>".to_owned()))
        .singlepart(file);
    let utf8 = Message::builder()
        .from("jane@example.org".parse().unwrap())
        .to("p\u{e4}ul@b\u{fc}cher.example".parse().unwrap())
        .subject("to a name in letters of its own")
        .body("hello\r\n".to_owned())
        .unwrap();
    let eight_bit = SinglePart::builder()
        .header(header::ContentType::TEXT_PLAIN)
        .header(header::ContentTransferEncoding::EightBit)
        .body("na\u{ef}ve\r\n.\r\n".to_owned());
    let messages = [
        mail("plain").body("hello\r\n.\r\n".to_owned()).unwrap(),
        mail("parts, b\u{fc}cher").multipart(parts).unwrap(),
        mail("eight bits").singlepart(eight_bit).unwrap(),
    ];
    let ways = [
        (submission, Tls::Required(parameters.clone()), Mechanism::Plain),
        (submission, Tls::Required(parameters.clone()), Mechanism::Login),
        (submissions, Tls::Wrapper(parameters), Mechanism::Plain),
    ];
    for (port, tls, mechanism) in ways {
        let transport = SmtpTransport::builder_dangerous("127.0.0.1")
            .port(port)
            .tls(tls)
            .hello_name(ClientId::Domain("client.example".to_owned()))
            .credentials(Credentials::new("jane@example.org".to_owned(), PASSWORD.to_owned()))
            .authentication(vec![mechanism])
            .build();
        for message in &messages {
            let (transport, sent) = (transport.clone(), message.clone());
            tokio::task::spawn_blocking(move || transport.send(&sent).unwrap()).await.unwrap();
            let (_, body) = visit.arrived().await;
            let formatted = message.formatted();
            let at = memchr::memmem::find(&formatted, b"\r\n\r\n").unwrap() + 4;
            // What lacks a last line end gets it.
            assert!(body.trim_end().as_bytes() == formatted[at..].trim_ascii_end(), "{mechanism} {port}");
        }
        // RFC 6531: an address that is no ASCII.
        let (sender, sent) = (transport.clone(), utf8.clone());
        tokio::task::spawn_blocking(move || sender.send(&sent).unwrap()).await.unwrap();
        let sends = visit.house.sends().await;
        let send = &sends.last().expect("it goes on").send;
        assert!(send.details.smtputf8 && send.recipient.to_string().starts_with("p\u{e4}ul@"), "{send:?}");
        // A sender who is somebody else is refused, and the program says so.
        let other = Envelope::new(Some("paul@example.org".parse().unwrap()), vec!["jane@example.org".parse().unwrap()]);
        let raw = messages[0].formatted();
        let refused = tokio::task::spawn_blocking(move || transport.send_raw(&other.unwrap(), &raw)).await.unwrap();
        let refused = refused.unwrap_err();
        assert!(refused.is_permanent() && refused.to_string().contains("5.7.1"), "{refused:?}");
    }
    visit.house.close().await;
}
