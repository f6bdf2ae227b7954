//! Clients that wait: they hear of what happens at once and of silence in time, and hold nothing that others need.

use super::client::Client;
use crate::imap_clients::Served;
use std::time::{Duration, Instant};

/// What is on the disk is shown within this.
const SHOWN_WITHIN: Duration = Duration::from_millis(50);
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
