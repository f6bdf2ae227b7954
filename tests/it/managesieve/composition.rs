//! Whatever clients do to their scripts, what others have set for an address stays and goes on working.

use crate::support::running::{PASSWORD, Running};
use crate::support::sieve::{Sieve, literal};
use crate::support::smtp::Sender;
use posthouse::admin::{
    CompiledShow, ReceivedChoice, ResponderSet, ScriptActivate, ScriptGet, ScriptHistory, ScriptPut, ScriptWhere,
};
use std::fmt::Write as _;

const PLAIN_LOGINS: &str = "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n";
const JANE: &str = "jane@example.org";

/// Jane, with a responder, a redirection to John, and administrators' scripts around them.
async fn open() -> Running {
    let running = Running::open(&["managesieve", "lmtp"], PLAIN_LOGINS).await;
    running.domain("example.org").await;
    for person in ["boss", "jane", "john"] {
        running.account(&format!("{person}@example.org"), None).await;
    }
    running.redirect(JANE, &["john@example.org"], Some(true)).await;
    running
        .act(ResponderSet {
            address: JANE.parse().unwrap(),
            text: "I am away.\n.\n# [5] personal: none of it\n".to_owned(),
            subject: None,
            from: None,
            until: None,
            zone: None,
            every_seconds: None,
            received: ReceivedChoice::Keep,
        })
        .await;
    for (place, name) in [("@", "before"), ("@example.org", "before"), ("@example.org", "after"), ("@", "after")] {
        let text = format!("require \"editheader\";\naddheader \"X-Passed\" \"{name} {place}\";\n");
        let (place, name) = (place.parse().unwrap(), name.to_owned());
        running.act(ScriptPut { place, name, text, activate: true }).await;
    }
    running
}

/// The script of Jane's address without its personal section.
async fn sections(running: &Running) -> String {
    let text = running.act(CompiledShow { address: JANE.parse().unwrap() }).await.text;
    let (before, rest) = text.rsplit_once("\n# [5] personal:").unwrap();
    let (_, after) = rest.split_once("\n# [6] after:").unwrap();
    format!("{before}…{after}")
}

async fn administrators_scripts(running: &Running) -> String {
    let mut all = String::new();
    for (place, name) in [("@", "before"), ("@example.org", "before"), ("@example.org", "after"), ("@", "after")] {
        let get = ScriptGet { place: place.parse().unwrap(), name: name.to_owned(), version: None };
        let script = running.act(get).await;
        write!(all, "{place} {name} {}\n{}", script.version, script.text).unwrap();
    }
    all
}

/// Repeatable, so that a failure can be looked at.
struct Dice(u64);

impl Dice {
    fn roll<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        choices[usize::try_from(self.0 >> 33).unwrap() % choices.len()]
    }
}

const NAMES: &[&str] = &[
    "a",
    "b",
    "c \" \\ é",
    "${keep}",
    "# [6] after:",
    "before",
    "before-example.org",
    "after",
    "compiled",
    "posthouse:active",
    "posthouse:before",
    "posthouse:compiled jane@example.org",
    "../../etc/passwd",
    "'; DROP TABLE script; --",
    "",
];

const SCRIPTS: &[&str] = &[
    "keep;\r\n",
    "discard;\r\nstop;\r\n",
    "require \"variables\";\r\nset \"keep\" \"no\";\r\nset \"taken\" \"yes\";\r\nstop;\r\n",
    "require [\"include\", \"variables\"];\r\nglobal [\"keep\", \"taken\"];\r\nset \"keep\" \"no\";\r\ndiscard;\r\n",
    "require \"include\";\r\ninclude :personal :optional \"a\";\r\ninclude :personal \"b\";\r\n",
    "require \"include\";\r\ninclude :global \"before\";\r\nreturn;\r\n",
    "require \"reject\";\r\nif header :contains \"subject\" \"never\" { reject \"no\"; }\r\n",
    "require [\"fileinto\", \"mailbox\"];\r\nfileinto :create \"Elsewhere\";\r\n",
    "require \"editheader\";\r\ndeleteheader \"X-Passed\";\r\n",
    "# [6] after: mine\r\n",
    "redirect \"jane@example.org\";\r\n",
    "this is no script",
    "keep",
    "\u{feff}keep;",
    "if header :is \"a\" [",
    "",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_do_stays_within_their_own_scripts() {
    let running = open().await;
    let (sections_before, scripts_before) = (sections(&running).await, administrators_scripts(&running).await);
    let mut clients = Vec::new();
    for login in ["\0jane@example.org\0", "\0jane@example.org\0", "jane@example.org\0boss@example.org\0"] {
        let mut client = Sieve::connect(running.port("managesieve")).await;
        let message = posthouse::auth::encode(format!("{login}{PASSWORD}").as_bytes());
        assert!(client.say(&format!("AUTHENTICATE \"PLAIN\" \"{message}\"")).await.is_ok());
        clients.push(client);
    }
    let mut sender = Sender::connect(running.port("lmtp"), "LHLO client.example").await.unwrap();
    let mut dice = Dice(0x5EED_1234_ABCD_0001);
    let (mut done, mut mails) = (0, 0);
    for round in 0..300 {
        let client = &mut clients[round % 3];
        let (name, script) = (dice.roll(NAMES), dice.roll(SCRIPTS));
        let command = match dice.roll(&["put", "put", "put", "delete", "rename", "activate", "activate", "off"]) {
            "put" => format!("PUTSCRIPT {} {}", literal(name), literal(script)),
            "delete" => format!("DELETESCRIPT {}", literal(name)),
            "rename" => format!("RENAMESCRIPT {} {}", literal(name), literal(dice.roll(NAMES))),
            "activate" => format!("SETACTIVE {}", literal(name)),
            _ => "SETACTIVE \"\"".to_owned(),
        };
        let reply = client.say(&command).await;
        assert!(reply.is_ok() || reply.end.starts_with("NO"), "{command}: {reply:?}");
        done += usize::from(reply.is_ok());
        if round % 20 == 19 {
            assert_eq!(sections(&running).await, sections_before, "after {command}");
            assert_eq!(administrators_scripts(&running).await, scripts_before, "after {command}");
            let from = format!("sender{mails}@example.net");
            let message = format!("From: {from}\r\nTo: {JANE}\r\nSubject: {mails}\r\n\r\nHello.\r\n");
            let reply = sender.send(&from, &[JANE], message.as_bytes()).await.unwrap();
            assert!(reply.starts_with("250"), "after {command}: {reply}");
            mails += 1;
            // The redirection is served, and the responder answers, whatever Jane's scripts say.
            assert_eq!(running.filed("john@example.org").await.len(), mails, "after {command}");
            assert_eq!(running.sends().await.len(), mails, "after {command}");
        }
    }
    // Or nothing was tried.
    assert!(done > 50, "only {done} commands were done");
    drop(clients);
    running.close().await;
}

#[tokio::test]
async fn switching_the_personal_part_off_leaves_the_rest() {
    let running = open().await;
    let mut client = Sieve::connect(running.port("managesieve")).await;
    assert!(client.log_in(JANE, PASSWORD).await.is_ok());
    assert!(client.put("mine", "require \"fileinto\";\r\nfileinto \"Archive\";\r\n").await.is_ok());
    let mut sender = Sender::connect(running.port("lmtp"), "LHLO client.example").await.unwrap();
    for (active, mailbox) in [("mine", "Archive"), ("", "INBOX")] {
        assert!(client.say(&format!("SETACTIVE \"{active}\"")).await.is_ok());
        let before = running.sends().await.len();
        let message = format!("From: a@example.net\r\nTo: {JANE}\r\nSubject: {active}\r\n\r\nHello.\r\n");
        let from = format!("a{active}@example.net");
        assert!(sender.send(&from, &[JANE], message.as_bytes()).await.unwrap().starts_with("250"));
        assert_eq!(running.sends().await.len(), before + 1, "no answer");
        let filed = running.filed(JANE).await;
        let newest = filed.iter().find(|mail| mail.field("Subject").as_deref() == Some(active)).unwrap();
        assert_eq!(newest.mailbox, mailbox);
        assert!(
            running.filed("john@example.org").await.iter().any(|mail| mail.field("Subject").as_deref() == Some(active))
        );
    }
    running.close().await;
}

#[tokio::test]
async fn several_run_in_order_and_each_put_is_a_version() {
    let running = open().await;
    let mut client = Sieve::connect(running.port("managesieve")).await;
    assert!(client.log_in(JANE, PASSWORD).await.is_ok());
    assert!(client.put("first", "require \"imap4flags\";\r\naddflag \"\\\\Flagged\";\r\n").await.is_ok());
    assert!(client.put("second", "require \"fileinto\";\r\nfileinto \"Archive\";\r\n").await.is_ok());
    let place: ScriptWhere = JANE.parse().unwrap();
    let names = vec!["first".to_owned(), "second".to_owned()];
    running.act(ScriptActivate { place: place.clone(), names }).await;
    // What the list shows compiles, and says what runs.
    let shown = client.say("GETSCRIPT \"posthouse:active\"").await;
    let checked = String::from_utf8(shown.data.concat()).unwrap();
    assert!(checked.ends_with("include :personal :optional \"first\";\ninclude :personal :optional \"second\";\n"));
    assert!(client.say(&format!("CHECKSCRIPT {}", literal(&checked))).await.is_ok());
    // The same text is no new version; another is, and says whose and from where.
    assert!(client.put("second", "require \"fileinto\";\r\nfileinto \"Archive\";\r\n").await.is_ok());
    assert!(client.put("second", "keep;\r\n").await.is_ok());
    let mut boss = Sieve::connect(running.port("managesieve")).await;
    let message = posthouse::auth::encode(format!("{JANE}\0boss@example.org\0{PASSWORD}").as_bytes());
    assert!(boss.say(&format!("AUTHENTICATE \"PLAIN\" \"{message}\"")).await.is_ok());
    assert!(boss.put("second", "discard;\r\n").await.is_ok());
    let history = running.act(ScriptHistory { place, name: "second".to_owned() }).await;
    let told: Vec<(u32, &str, &str)> =
        history.iter().map(|one| (one.version, one.author.as_str(), one.origin.as_str())).collect();
    let by_boss = "boss@example.org for jane@example.org";
    assert_eq!(told, [(3, by_boss, "127.0.0.1"), (2, JANE, "127.0.0.1"), (1, JANE, "127.0.0.1")]);
    running.close().await;
}
