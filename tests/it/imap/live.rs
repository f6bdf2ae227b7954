//! Clients that wait: they hear of what happens at once and of silence in time, and hold nothing that others need.

use super::client::Client;
use crate::imap_clients::Served;
use crate::support::house::House;
use posthouse::types::MailboxName;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is on the disk is shown within this.
const SHOWN_WITHIN: Duration = Duration::from_millis(50);
/// What a client that does not read may keep others from.
const LET_GO_WITHIN: Duration = Duration::from_secs(10);
/// The machine may be busy with other tests: the quickest of so many counts. A timer of ours would show in each.
const TRIES: usize = 12;

fn message(number: usize) -> String {
    format!("APPEND INBOX {{{}+}}\r\nSubject: {number:3}\r\n\r\n", 16)
}

async fn starts_with(client: &mut Client, start: &str) -> String {
    let line = client.line().await.expect("a line");
    let line = String::from_utf8_lossy(&line).into_owned();
    assert!(line.starts_with(start), "{line} instead of {start}");
    line
}

async fn idle(client: &mut Client) {
    assert!(client.command("SELECT INBOX").await.is_ok());
    client.say(b"i IDLE\r\n").await;
    starts_with(client, "+ ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_idles_hears_that_we_are_still_here() {
    let served = Served::furnished(|house| house.keepalive = Duration::from_millis(1)).await;
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    idle(&mut client).await;
    for _ in 0..3 {
        starts_with(&mut client, "* OK Still here").await;
    }
    client.say(b"DONE\r\n").await;
    let answer = client.answer("i").await.expect("an answer");
    assert!(answer.is_ok() && answer.texts().all(|line| line == "* OK Still here"), "{answer:?}");
    // Between commands nobody is told anything that he did not ask for.
    let answer = client.command("NOOP").await;
    assert_eq!(answer.untagged, Vec::<Vec<u8>>::new());
    drop(client);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_is_pushed_at_once() {
    let served = Served::new().await;
    let mut writer = Client::login(served.address(), "jane@example.org", "Secret123").await;
    let mut idler = Client::login(served.address(), "jane@example.org", "Secret123").await;
    idle(&mut idler).await;
    let mut notified = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(notified.command("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))").await.is_ok());
    let mut other = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(other.command("SELECT INBOX").await.is_ok());
    let selected = "NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange))";
    assert!(other.command(selected).await.is_ok());
    let mut quickest = [Duration::MAX; 3];
    for number in 1..=TRIES {
        assert!(writer.command(&message(number)).await.is_ok());
        let committed = Instant::now();
        starts_with(&mut idler, &format!("* {number} EXISTS")).await;
        let pushed = [committed.elapsed(), {
            starts_with(&mut notified, &format!("* STATUS INBOX (MESSAGES {number} ")).await;
            committed.elapsed()
        }];
        starts_with(&mut other, &format!("* {number} EXISTS")).await;
        starts_with(&mut other, &format!("* {number} FETCH (UID {number} FLAGS ()")).await;
        for (best, took) in quickest.iter_mut().zip([pushed[0], pushed[1], committed.elapsed()]) {
            *best = took.min(*best);
        }
    }
    assert!(quickest.iter().all(|took| *took < SHOWN_WITHIN), "{quickest:?}");
    // Flags and expunges likewise, in order.
    assert!(writer.command("SELECT INBOX").await.is_ok());
    assert!(writer.command("STORE 2 +FLAGS (\\Deleted)").await.is_ok());
    assert!(writer.command("EXPUNGE").await.is_ok());
    starts_with(&mut idler, "* 2 FETCH (").await;
    starts_with(&mut idler, "* 2 EXPUNGE").await;
    starts_with(&mut other, "* 2 FETCH (").await;
    starts_with(&mut other, "* 2 EXPUNGE").await;
    drop((writer, idler, notified, other));
    served.end().await;
}

/// Whoever reads the database keeps its log from being emptied.
fn log_can_be_emptied(served: &Served) -> bool {
    let database = rusqlite::Connection::open(served.path().join("data/mail.db")).unwrap();
    let busy: i64 = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    busy == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_idles_holds_nothing_of_the_database() {
    let served = Served::new().await;
    let mut writer = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(writer.command(&message(1)).await.is_ok());
    // Many more than there are connections to the database.
    let mut idlers = Vec::new();
    for _ in 0..24 {
        let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
        let read = client.command("FETCH 1 BODY[]").await;
        assert!(!read.is_ok(), "nothing is selected");
        idle(&mut client).await;
        idlers.push(client);
    }
    assert!(log_can_be_emptied(&served));
    // What each has just read and was told is no snapshot that stays open either.
    assert!(writer.command(&message(2)).await.is_ok());
    for client in &mut idlers {
        starts_with(client, "* 2 EXISTS").await;
    }
    assert!(log_can_be_emptied(&served));
    assert!(writer.command("SELECT INBOX").await.is_ok());
    let read = writer.command("FETCH 1:2 (ENVELOPE BODY.PEEK[])").await;
    assert_eq!(read.untagged.len(), 2);
    for client in &mut idlers {
        client.say(b"DONE\r\n").await;
        assert!(client.answer("i").await.expect("an answer").is_ok());
    }
    drop((writer, idlers));
    served.end().await;
}

/// RFC 9051 section 7.5.1 as ever, though the server learns only later what it has told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_mailbox_is_told_before_it_is_read() {
    let served = Served::furnished(House::be_short_of_memory).await;
    let login = || Client::login(served.address(), "jane@example.org", "Secret123");
    let (mut early, mut idler, mut returning) = (login().await, login().await, login().await);
    let mut other = login().await;
    for number in 1..=5 {
        assert!(early.command(&message(number)).await.is_ok());
    }
    assert!(returning.command("ENABLE QRESYNC").await.is_ok());
    // Reading another mailbox makes this one be forgotten.
    for client in [&mut early, &mut idler, &mut returning] {
        let elsewhere = other.command("SELECT Trash").await;
        assert!(elsewhere.is_ok() && other.command("UID SEARCH ALL").await.is_ok());
        let answer = client.command("SELECT INBOX").await;
        let texts: Vec<String> = answer.texts().collect();
        for expected in ["* 5 EXISTS", "* OK [UNSEEN 1] ", "* OK [UIDNEXT 6] "] {
            assert!(texts.iter().any(|line| line.starts_with(expected)), "{expected}: {texts:?}");
        }
        assert_eq!(client.command("NOOP").await.untagged, Vec::<Vec<u8>>::new());
    }
    idler.say(b"i IDLE\r\n").await;
    starts_with(&mut idler, "+ ").await;
    assert!(other.command("SELECT INBOX").await.is_ok());
    assert!(other.command("STORE 2,4 +FLAGS.SILENT (\\Deleted)").await.is_ok());
    assert!(other.command("EXPUNGE").await.is_ok());
    assert!(other.command(&message(6)).await.is_ok());
    let mut told = Vec::new();
    while told.last().is_none_or(|line| line != "* 4 EXISTS") {
        let line = String::from_utf8(idler.line().await.expect("a line")).expect("text");
        // The flags may be passed over: the messages may be gone by the time they could be told.
        if !line.contains(" FETCH (") {
            told.push(line);
        }
    }
    assert_eq!(told, ["* 4 EXPUNGE", "* 2 EXPUNGE", "* 4 EXISTS"]);
    let numbers: Vec<String> = early.command("FETCH 1,3,5 (UID)").await.texts().collect();
    assert_eq!(numbers[..3], ["* 1 FETCH (UID 1)", "* 3 FETCH (UID 3)", "* 5 FETCH (UID 5)"], "{numbers:?}");
    let after: Vec<String> = early.command("NOOP").await.texts().collect();
    assert_eq!(after, ["* 4 EXPUNGE", "* 2 EXPUNGE"]);
    let vanished: Vec<String> = returning.command("NOOP").await.texts().collect();
    assert_eq!(vanished[..2], ["* VANISHED 2,4", "* 4 EXISTS"], "{vanished:?}");
    drop((early, idler, returning, other));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_read_a_mailbox_hears_that_it_is_gone() {
    let served = Served::furnished(House::be_short_of_memory).await;
    let login = || Client::login(served.address(), "jane@example.org", "Secret123");
    let (mut reader, mut remover) = (login().await, login().await);
    assert!(reader.command("CREATE Old").await.is_ok());
    assert!(reader.command("APPEND Old {16+}\r\nSubject:   1\r\n\r\n").await.is_ok());
    assert!(reader.command("SELECT Old").await.is_ok());
    assert!(remover.command("DELETE Old").await.is_ok());
    reader.say(b"x UID FETCH 1:* (FLAGS)\r\n").await;
    starts_with(&mut reader, "* BYE [NONEXISTENT] ").await;
    assert!(remover.command("CREATE Old").await.is_ok());
    let answer = remover.command("SELECT Old").await;
    assert!(answer.texts().any(|line| line == "* 0 EXISTS"), "a name is looked up again: {answer:?}");
    drop((reader, remover));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_new_messages_some_are_shown_and_the_rest_are_there() {
    const MESSAGES: usize = 12;
    const OCTETS: usize = 200 * 1024;
    let served = Served::new().await;
    let login = || Client::login(served.address(), "jane@example.org", "Secret123");
    let (mut reader, mut writer) = (login().await, login().await);
    assert!(reader.command("SELECT INBOX").await.is_ok());
    let wanted = "NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge))";
    assert!(reader.command(wanted).await.is_ok());
    let message = format!("Subject: x\r\n\r\n{}", "y".repeat(OCTETS - 14));
    let append = format!(" {{{OCTETS}+}}\r\n{message}").repeat(MESSAGES);
    assert!(writer.command(&format!("APPEND Drafts{append}")).await.is_ok());
    assert!(writer.command("SELECT Drafts").await.is_ok());
    assert!(writer.command("COPY 1:* INBOX").await.is_ok());
    starts_with(&mut reader, &format!("* {MESSAGES} EXISTS")).await;
    let shown = reader.command("NOOP").await.texts().filter(|line| line.contains(" FETCH (UID ")).count();
    assert!((1..MESSAGES).contains(&shown), "{shown} shown");
    let rest = reader.command(&format!("FETCH {}:* BODY.PEEK[]", shown + 1)).await;
    assert!(rest.is_ok() && rest.texts().all(|line| line.contains(&message)), "{}", rest.end);
    assert_eq!(rest.untagged.len(), MESSAGES - shown);
    drop((reader, writer));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_what_he_asked_for_holds_no_state_of_the_mailbox() {
    const MESSAGES: usize = 3200;
    let served = Served::furnished(|house| house.progress = Duration::from_millis(20)).await;
    let jane = "jane@example.org";
    let mut writer = Client::login(served.address(), jane, "Secret123").await;
    assert!(writer.command(&format!("APPEND INBOX{}", " {4+}\r\n\r\nxy".repeat(100))).await.is_ok());
    assert!(writer.command("SELECT INBOX").await.is_ok());
    for times in 0..5 {
        assert!(writer.command(&format!("UID COPY 1:{} INBOX", 100 << times)).await.is_ok());
    }
    let mut reader = Client::narrow_login(served.address(), jane, "Secret123").await;
    assert!(reader.command("SELECT INBOX").await.is_ok());
    reader.say(format!("x FETCH 1:* (FLAGS{})\r\n", " INTERNALDATE".repeat(60)).as_bytes()).await;
    starts_with(&mut reader, "* 1 FETCH").await;
    let owner = served.house.account("jane").await;
    let (_, inbox) = served.house.mailboxes.open(owner, &MailboxName::inbox()).await.expect("opens");
    let waiting = Instant::now();
    // One is the mailbox's own, and one is ours.
    while inbox.state_in_memory().is_some_and(|state| Arc::strong_count(&state) > 2) {
        assert!(waiting.elapsed() < LET_GO_WITHIN, "the state is held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(writer.command(&format!("STORE {MESSAGES} +FLAGS (late)")).await.is_ok());
    let answer = reader.answer("x").await.expect("an answer");
    let lines: Vec<String> = answer.texts().collect();
    let listed = lines.iter().position(|line| line.starts_with("* FLAGS ") && line.contains("late"));
    let shown = lines.iter().position(|line| line.contains("FETCH") && line.contains("late"));
    assert!(answer.is_ok() && listed.is_some() && shown > listed, "{listed:?} {shown:?} {}", answer.end);
    // The first was read before; the change is told once more, as news.
    assert_eq!(lines.iter().filter(|line| line.contains(" FETCH ")).count(), MESSAGES - 1 + 1);
    drop(reader);
    drop(writer);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_that_could_not_be_read_are_told_when_they_can_be() {
    let served = Served::furnished(House::be_short_of_memory).await;
    let login = || Client::login(served.address(), "jane@example.org", "Secret123");
    let (mut reader, mut other) = (login().await, login().await);
    assert!(other.command(&message(1)).await.is_ok());
    assert!(reader.command("SELECT INBOX").await.is_ok());
    assert!(reader.command("FETCH 1 (FLAGS)").await.is_ok());
    // From here on it is not in memory.
    assert!(other.command("SELECT Drafts").await.is_ok());
    assert!(other.command("UID FETCH 1:* (FLAGS)").await.is_ok());
    assert!(other.command(&message(2)).await.is_ok());
    let jane = served.house.account("jane").await;
    let database = rusqlite::Connection::open(served.path().join("data/mail.db")).unwrap();
    let inbox = "SELECT mailbox_id FROM mailbox WHERE account_id = ?1 AND name = 'INBOX'";
    let page: (i64, Vec<u8>) = database
        .query_row(&format!("SELECT page_id, entries FROM page WHERE mailbox_id = ({inbox})"), [jane.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let put = |entries: &[u8]| {
        database.execute("UPDATE page SET entries = ?2 WHERE page_id = ?1", (page.0, entries)).unwrap();
    };
    put(&page.1[1..]);
    let answer = reader.command("NOOP").await;
    assert!(answer.is_ok() && answer.untagged.is_empty(), "{answer:?}");
    put(&page.1);
    let told: Vec<String> = reader.command("NOOP").await.texts().collect();
    assert_eq!(told, ["* 2 EXISTS"]);
    drop((reader, other));
    served.end().await;
}
