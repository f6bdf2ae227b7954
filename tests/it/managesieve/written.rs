//! Scripts in the forms that mail programs write them: Roundcube, Thunderbird's add-on, SOGo. Each is stored byte for byte,
//! and does what it says.

use crate::support::running::{PASSWORD, Running};
use crate::support::sieve::Sieve;
use crate::support::smtp::Sender;

const PLAIN_LOGINS: &str = "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n";

/// A header, and the mailbox its message goes to.
const MAILS: &[(&str, &str)] = &[
    ("List-Id: Rust <rust.example.net>\r\n", "Archive"),
    ("X-Spam-Level: 7\r\n", "Junk"),
    ("X-Other: 1\r\n", "INBOX"),
];

async fn check(name: &str, script: &str, mails: &[(&str, &str)]) {
    let running = Running::open(&["managesieve", "lmtp"], PLAIN_LOGINS).await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    running.account("john@example.org", None).await;
    let mut client = Sieve::connect(running.port("managesieve")).await;
    assert!(client.log_in("jane@example.org", PASSWORD).await.is_ok());
    let put = client.put(name, script).await;
    assert_eq!(put.end, "OK \"The script is good\"", "{name}");
    assert!(client.say(&format!("SETACTIVE \"{name}\"")).await.is_ok());
    let got = client.say(&format!("GETSCRIPT \"{name}\"")).await;
    assert!(got.data.concat() == script.as_bytes(), "{name} came back as something else");
    let mut sender = Sender::connect(running.port("lmtp"), "LHLO client.example").await.unwrap();
    for (number, (header, mailbox)) in mails.iter().enumerate() {
        let message = format!("From: Shop <news@shop.example.com>\r\nSubject: {number}\r\n{header}\r\nHello.\r\n");
        let message = if header.starts_with("From") { message.split_once("\r\n").unwrap().1 } else { &message };
        let reply = sender.send("a@example.net", &["jane@example.org"], message.as_bytes()).await.unwrap();
        assert!(reply.starts_with("250"), "{name}, {header}: {reply}");
        let filed = running.filed("jane@example.org").await;
        let found = filed.iter().find(|mail| mail.field("Subject") == Some(number.to_string()));
        assert_eq!(found.map(|mail| mail.mailbox.as_str()), Some(*mailbox), "{name}, {header}");
    }
    let copies = running.filed("john@example.org").await.len();
    let expected = mails.iter().filter(|(header, _)| header.starts_with("X-Copy")).count();
    assert_eq!(copies, expected, "{name}");
    running.close().await;
}

#[tokio::test]
async fn roundcube() {
    let more =
        [("X-Copy: please\r\nFrom: a@example.net\r\n", "INBOX"), ("From: Shop <x@shop.example.net>\r\n", "shop")];
    // Their From is another.
    let own: Vec<_> = MAILS.iter().filter(|(_, mailbox)| *mailbox != "INBOX").chain(&more[1..]).copied().collect();
    check("roundcube", include_str!("scripts/roundcube.sieve"), &own).await;
}

#[tokio::test]
async fn thunderbird() {
    check("thunderbird", include_str!("scripts/thunderbird.sieve"), MAILS).await;
}

#[tokio::test]
async fn sogo() {
    let copied = [("X-Copy: please\r\n", "INBOX"), ("From: x@shop.example.net\r\n", "shop")];
    let mails: Vec<_> = MAILS.iter().chain(&copied).copied().collect();
    check("sogo", include_str!("scripts/sogo.sieve"), &mails).await;
}
