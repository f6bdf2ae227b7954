//! What one delivery pays for its script: the warm cache, the message's structure and the run.
//! `cargo bench --bench filter`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::filter::{
    Cache, Host, IncludePlace, Included, Incoming, Limits, Phase, ReplyKey, ScriptKind, ScriptName, run,
};
use posthouse::message::Structure;
use posthouse::types::{Address, Clock, Envelope, MailboxName, Recipient, SpecialUse, SystemClock};
use std::sync::Arc;
use std::time::Instant;
use telling::say;

const ROUNDS: usize = 7;
const RUNS: u32 = 5_000;
/// What a realistic script on a mail of 20 KB may cost.
const MICROSECONDS_MAX: f64 = 60.0;

/// Three redirections, a responder in its window, three filters of a person's own.
const SCRIPT: &str =
    "require [\"copy\", \"vacation\", \"date\", \"relational\", \"fileinto\", \"variables\", \"imap4flags\"];
redirect :copy \"a@elsewhere.example\";
redirect :copy \"b@elsewhere.example\";
redirect :copy \"c@elsewhere.example\";
if allof (
    currentdate :zone \"+0000\" :value \"ge\" \"iso8601\" \"2020-10-31T23:00:00\",
    currentdate :zone \"+0000\" :value \"lt\" \"iso8601\" \"2120-11-14T23:00:00\"
) {
    vacation :days 7 :subject \"Away\" \"I am away until 15 November.\";
}
if header :contains \"list-id\" [\"rust-users\", \"announce\"] {
    fileinto \"Lists\";
    stop;
}
if address :domain \"from\" [\"shop.example\", \"bank.example\", \"post.example\"] {
    addflag \"\\\\Flagged\";
}
if header :matches \"subject\" \"[*] *\" {
    set \"topic\" \"${1}\";
    fileinto \"Topics\";
}
";

struct Mailboxes;

impl Host for Mailboxes {
    fn mailbox_exists(&self, _name: &MailboxName) -> bool {
        true
    }
    fn mailbox_with_id(&self, _id: &str) -> Option<MailboxName> {
        None
    }
    fn mailbox_with_use(&self, _usage: SpecialUse) -> Option<MailboxName> {
        None
    }
    fn is_duplicate(&self, _id: &str) -> bool {
        false
    }
    fn was_answered(&self, _key: &ReplyKey) -> bool {
        false
    }
    fn include(&self, _place: IncludePlace, _name: &str) -> Included {
        Included::Missing
    }
    fn list_contains(&self, _list: &str, _values: &[&str]) -> Option<bool> {
        None
    }
    fn list_members(&self, _list: &str) -> Option<Vec<Address>> {
        None
    }
    fn environment(&self, _item: &str) -> Option<String> {
        None
    }
    fn metadata(&self, _mailbox: Option<&MailboxName>, _annotation: &str) -> Option<String> {
        None
    }
}

fn message() -> Vec<u8> {
    let header = "Received: from a.example by b.example with ESMTPS id 1; Fri, 20 Nov 2026 04:31:40 +0100\r\n\
        DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s; h=from:to:subject; bh=x; b=y\r\n\
        From: \"Joe Miller\" <joe@example.net>\r\nTo: Jane <jane@example.org>\r\nSubject: [work] Plans for =?utf-8?Q?M=C3=A4rz?=\r\n\
        Date: Fri, 20 Nov 2026 04:31:38 +0100\r\nMessage-ID: <one@example.net>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n";
    let line = "Words that fill the mail until it is as long as an ordinary one is these days.\r\n";
    let half = line.repeat(9_500 / line.len());
    format!("{header}{half}--b\r\nContent-Type: text/html\r\n\r\n<p>{half}</p>\r\n--b--\r\n").into_bytes()
}

fn main() {
    let address = |text: &str| Address::parse(text).expect("an address");
    let envelope = Envelope {
        sender: Some(address("joe@example.net")),
        recipients: vec![Recipient::plain(address("jane@example.org"))],
        ..Envelope::default()
    };
    let (own, message) = (address("jane@example.org"), message());
    let own_addresses = [own.clone()];
    let (cache, name, limits) = (Cache::default(), Arc::new(ScriptName::default()), Limits::default());
    let once = || {
        let script = cache.compile(SCRIPT.as_bytes(), ScriptKind::Personal).expect("compiles");
        let structure = Structure::scan(&message);
        let incoming = Incoming {
            message: &message,
            structure: Some(&structure),
            envelope: &envelope,
            recipient: envelope.recipients.first(),
            address: &own,
            own_addresses: &own_addresses,
            owner_name: Some("Jane Doe"),
            flags: &[],
            now: SystemClock.now(),
            remote_ip: None,
            remote_host: None,
            hostname: "mail.example.org",
            phase: Phase::During,
        };
        run(&script, &name, &incoming, &Mailboxes, &limits)
    };
    let outcome = once();
    assert_eq!((outcome.actions.len(), outcome.errors.len()), (5, 0), "{outcome:?}");
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..RUNS {
            std::hint::black_box(once());
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS));
    }
    let started = Instant::now();
    for _ in 0..RUNS / 10 {
        posthouse::filter::compile(std::hint::black_box(SCRIPT.as_bytes()), ScriptKind::Personal).expect("compiles");
    }
    let compiling = started.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS / 10);
    say(format_args!(
        "script on {} octets: {best:.1} µs a delivery (at most {MICROSECONDS_MAX}); to compile {compiling:.1} µs",
        message.len()
    ));
    assert!(best < MICROSECONDS_MAX, "too slow: {best:.1} µs");
}
