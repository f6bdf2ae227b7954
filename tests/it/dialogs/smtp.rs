//! The house behind the SMTP dialogs: small, and with its own mind about everything a session can ask.
//!
//! | who | what |
//! |---|---|
//! | `jane`, `paul`, `jörg`, `postmaster` at example.org | take mail |
//! | `paused`, `full` | 450, 452 at RCPT |
//! | `picky` | refuses at the end of data, in two lines |
//! | `broken` | 451 at the end of data |
//! | any other at example.org | 550 5.1.1 |
//! | any other domain | 550 5.7.1, unless somebody logged in |
//! | the sender `spammer@…` | refused at MAIL, `late@…` at DATA |
//! | a client called `evil` | refused at EHLO |
//! | jane@example.org with the password `secret` | may log in with PLAIN and LOGIN, and send as herself |
//! | busy@example.org | can't be looked up now |

use crate::support::dialog::{Scene, Script, Wire, play_all};
use crate::support::listening::Listening;
use crate::support::tls;
use posthouse::auth::Mechanism;
use posthouse::net::{Security, Shutdown, TlsFacts};
use posthouse::smtp::server::{
    Answer, Arrived, AuthAnswer, AuthStep, Caller, Cause, Conversation, Delivered, Driver, Hello, Kind, Limits,
    Offered, Refusal, Service, Settings, Verdict,
};
use posthouse::types::{Address, Envelope, FixedClock, Notify, Recipient, Timestamp};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[tokio::test]
async fn dialogs() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs/smtp");
    play_all(&directory, play).await;
}

async fn play(script: &Script) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    posthouse::smtp::server::prepare_directory(&spool).unwrap();
    let setting = |name: &str| script.settings.get(name).map(String::as_str);
    let known = [
        "service",
        "message_octets_max",
        "recipients_max",
        "offered",
        "logins",
        "idle_milliseconds",
        "connect",
        "spool",
    ];
    assert!(script.settings.keys().all(|key| known.contains(&key.as_str())), "{}: {:?}", script.name, script.settings);
    if setting("spool") == Some("missing") {
        std::fs::remove_dir(&spool).unwrap();
    }

    let server_tls = tls::server(directory.path());
    let (events, heard) = unbounded_channel();
    let house = House {
        events,
        greets: setting("connect") != Some("refused"),
        logs_in_plainly: setting("logins") == Some("without tls"),
    };
    let settings = settings(script);
    let implicit = settings.kind == Kind::Submissions;
    let driver = Arc::new(Driver::new(settings, Arc::new(house), Some(server_tls.clone()), spool.into()));

    let idle = setting("idle_milliseconds")
        .map_or(Duration::from_secs(20), |text| Duration::from_millis(text.parse().unwrap()));
    let security = if implicit { Security::Tls(server_tls) } else { Security::Plain };
    let listening = Listening::start(security, idle, move |connection| {
        let driver = Arc::clone(&driver);
        async move { driver.run(connection).await }
    });

    let stream = TcpStream::connect(listening.address).await.unwrap();
    let mut scene = Smtp { directory: directory.path(), implicit, heard, shutdown: listening.shutdown.clone() };
    let outcome = script.play(stream, &mut scene).await;
    listening.stop().await;
    outcome
}

fn settings(script: &Script) -> Settings {
    let setting = |name: &str| script.settings.get(name).map(String::as_str);
    let kind = match setting("service") {
        Some("mx") => Kind::Mx,
        Some("submission") => Kind::Submission,
        Some("submissions") => Kind::Submissions,
        Some("lmtp") => Kind::Lmtp,
        other => panic!("{}: service {other:?}", script.name),
    };
    let everything = Offered {
        starttls: true,
        binary_mime: true,
        smtputf8: true,
        dsn: true,
        requiretls: true,
        hold_seconds_max: Some(86_400),
        deliver_by_seconds_min: Some(60),
        mt_priority: true,
    };
    let defaults = Limits::default();
    Settings {
        kind,
        hostname: tls::HOST.parse().unwrap(),
        postmaster: Address::parse("postmaster@example.org").unwrap(),
        offered: if setting("offered") == Some("nothing") { Offered::default() } else { everything },
        limits: Limits {
            message_octets_max: setting("message_octets_max")
                .map_or(defaults.message_octets_max, |text| text.parse().unwrap()),
            recipients_max: setting("recipients_max").map_or(defaults.recipients_max, |text| text.parse().unwrap()),
            ..defaults
        },
        clock: Arc::new(FixedClock::at(Timestamp::from_seconds(1_700_000_000))),
    }
}

/// The client's side, and what it hears of the house.
struct Smtp<'a> {
    directory: &'a Path,
    implicit: bool,
    heard: UnboundedReceiver<String>,
    shutdown: Shutdown,
}

impl Scene for Smtp<'_> {
    fn begin(&mut self, stream: TcpStream) -> Pin<Box<dyn Future<Output = Wire> + Send + '_>> {
        Box::pin(async move {
            if self.implicit {
                Wire::Other(Box::new(tls::connect(self.directory, stream).await))
            } else {
                Wire::Plain(stream)
            }
        })
    }

    fn act<'a>(&'a mut self, words: &'a str, wire: Wire) -> Pin<Box<dyn Future<Output = Wire> + Send + 'a>> {
        Box::pin(async move {
            match (words, wire) {
                ("tls", Wire::Plain(stream)) => Wire::Other(Box::new(tls::connect(self.directory, stream).await)),
                ("shutdown", wire) => {
                    self.shutdown.request();
                    wire
                }
                _ => panic!("nobody knows how to {words}"),
            }
        })
    }

    fn event(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async move { self.heard.recv().await.unwrap_or_else(|| "the end".to_owned()) })
    }

    fn left_over(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

struct House {
    events: UnboundedSender<String>,
    greets: bool,
    logs_in_plainly: bool,
}

impl Service for House {
    fn connect<'a>(&'a self, caller: &'a Caller) -> Answer<'a, Result<Box<dyn Conversation>, Refusal>> {
        let guest = Guest {
            events: self.events.clone(),
            encrypted: caller.tls.is_some(),
            logs_in_plainly: self.logs_in_plainly,
            name: None,
            logged_in: false,
        };
        let verdict =
            if self.greets { Ok(Box::new(guest) as Box<dyn Conversation>) } else { Err(Cause::BlockListed.into()) };
        Box::pin(std::future::ready(verdict))
    }
}

struct Guest {
    events: UnboundedSender<String>,
    encrypted: bool,
    logs_in_plainly: bool,
    /// Said in LOGIN, whose password is not here yet.
    name: Option<Vec<u8>>,
    logged_in: bool,
}

impl Guest {
    fn tell(&self, event: String) {
        self.events.send(event).unwrap();
    }

    fn check(&mut self, name: &[u8], password: &[u8]) -> AuthAnswer {
        if name == b"busy@example.org" {
            return AuthAnswer::Refused(Cause::LoginUnavailable.into());
        }
        self.logged_in = name == b"jane@example.org" && password == b"secret";
        if self.logged_in {
            AuthAnswer::LoggedIn("jane@example.org".into())
        } else {
            AuthAnswer::Refused(Cause::LoginRefused.into())
        }
    }

    fn auth_step(&mut self, step: AuthStep) -> AuthAnswer {
        let (mechanism, message) = match step {
            AuthStep::Start { mechanism: Mechanism::Plain, initial: None } => {
                return AuthAnswer::Challenge(Vec::new());
            }
            AuthStep::Start { mechanism, initial: None } => {
                self.name = Some(Vec::new());
                assert_eq!(mechanism, Mechanism::Login);
                return AuthAnswer::Challenge(b"Username:".to_vec());
            }
            AuthStep::Start { mechanism, initial: Some(initial) } => (mechanism, initial.into_revealed()),
            AuthStep::Response(response) if self.name.is_some() => (Mechanism::Login, response.into_revealed()),
            AuthStep::Response(response) => (Mechanism::Plain, response.into_revealed()),
        };
        if mechanism == Mechanism::Plain {
            let parts: Vec<&[u8]> = message.split(|octet| *octet == 0).collect();
            return match parts.as_slice() {
                [_, name, password] => self.check(name, password),
                _ => AuthAnswer::Refused(Cause::LoginMalformed.into()),
            };
        }
        match self.name.take() {
            Some(name) if !name.is_empty() => self.check(&name, &message),
            _ => {
                self.name = Some(message);
                AuthAnswer::Challenge(b"Password:".to_vec())
            }
        }
    }

    fn judge(&self, recipient: &Recipient) -> Verdict {
        let here = recipient.address.domain().as_str() == "example.org";
        match recipient.address.local() {
            _ if !here && self.logged_in => Ok(()),
            _ if !here => Err(Cause::RelayDenied.into()),
            "jane" | "paul" | "jörg" | "postmaster" | "picky" | "broken" => Ok(()),
            "paused" => Err(Cause::AddressPaused.into()),
            "full" => Err(Cause::MailboxFull.into()),
            _ => Err(Cause::NoSuchAddress.into()),
        }
    }
}

impl Conversation for Guest {
    fn logins(&self) -> &'static [Mechanism] {
        if self.encrypted || self.logs_in_plainly { &[Mechanism::Plain, Mechanism::Login] } else { &[] }
    }

    fn encrypted(&mut self, tls: &TlsFacts) {
        assert_eq!(tls.version, "TLS1.3");
        self.encrypted = true;
        self.logged_in = false;
    }

    fn hello<'a>(&'a mut self, hello: &'a Hello) -> Answer<'a, Verdict> {
        let verdict = if &*hello.name == "evil" { Err(Cause::BlockListed.into()) } else { Ok(()) };
        Box::pin(std::future::ready(verdict))
    }

    fn auth(&mut self, step: AuthStep) -> Answer<'_, AuthAnswer> {
        let answer = self.auth_step(step);
        Box::pin(std::future::ready(answer))
    }

    fn mail<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict> {
        let sender = envelope.sender.as_ref();
        let verdict = match sender.map_or("", Address::local) {
            "spammer" => Err(Cause::BlockListed.into()),
            _ if self.logged_in && sender.is_some_and(|sender| sender.to_string() != "jane@example.org") => {
                Err(Cause::SenderNotYours.into())
            }
            _ => Ok(()),
        };
        Box::pin(std::future::ready(verdict))
    }

    fn rcpt<'a>(&'a mut self, _: &'a Envelope, recipient: &'a Recipient) -> Answer<'a, Verdict> {
        let verdict = self.judge(recipient);
        Box::pin(std::future::ready(verdict))
    }

    fn data<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict> {
        let late = envelope.sender.as_ref().is_some_and(|sender| sender.local() == "late");
        Box::pin(std::future::ready(if late { Err(Cause::RateLimited.into()) } else { Ok(()) }))
    }

    fn deliver(&mut self, arrived: Arrived) -> Answer<'_, Delivered> {
        Box::pin(async move {
            let Arrived { envelope, content, hello, protocol } = arrived;
            let sender = envelope.sender.as_ref().map_or("<>".to_owned(), ToString::to_string);
            let to: Vec<String> = envelope.recipients.iter().map(told).collect();
            self.tell(format!("{protocol} {} {sender} > {}{}", hello.name, to.join(" "), parameters(&envelope)));
            let octets = content.octets();
            let message = content.into_bytes().unwrap();
            assert_eq!(octets, message.len() as u64);
            self.tell(if octets > 300 { format!("{octets} octets") } else { message.escape_ascii().to_string() });
            let verdicts: Vec<Verdict> = envelope.recipients.iter().map(after_data).collect();
            if protocol.is_lmtp {
                return Delivered::Each(verdicts);
            }
            Delivered::All(verdicts.into_iter().find(Result::is_err).unwrap_or(Ok(())))
        })
    }
}

fn after_data(recipient: &Recipient) -> Verdict {
    match recipient.address.local() {
        "picky" => Err(Refusal { cause: Cause::RejectedByRecipient, text: Some("Not from you.\nNot today.".into()) }),
        "broken" => Err(Cause::Internal.into()),
        _ => Ok(()),
    }
}

fn told(recipient: &Recipient) -> String {
    let notify = recipient.notify;
    let words =
        [(notify.never, "never"), (notify.success, "success"), (notify.failure, "failure"), (notify.delay, "delay")];
    let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    let original = recipient.original.as_ref().map(|original| format!("({original})")).unwrap_or_default();
    if notify == Notify::default() {
        format!("{}{original}", recipient.address)
    } else {
        format!("{}{original}[{}]", recipient.address, words.join(","))
    }
}

fn parameters(envelope: &Envelope) -> String {
    let plain = Envelope {
        sender: envelope.sender.clone(),
        recipients: envelope.recipients.clone(),
        body: envelope.body,
        declared_octets: envelope.declared_octets,
        ..Envelope::default()
    };
    let body = format!(" {:?}", envelope.body);
    if *envelope == plain {
        return body;
    }
    format!(
        "{body} utf8={} tls={} ret={:?} id={:?} hold={:?} by={:?} priority={}",
        envelope.smtputf8,
        envelope.requiretls,
        envelope.dsn_return,
        envelope.dsn_envelope_id,
        envelope.hold_until.map(Timestamp::rfc3339),
        envelope.deliver_by.map(|(time, back)| (time.rfc3339(), back)),
        envelope.priority
    )
}
