//! The queue as its administrator sees it, through the socket of a running server and without one.

use super::first::{house, submitted};
use crate::support::peer::{Peer, say};
use std::path::Path;
use std::process::Command;

const MESSAGE: &str = "From: jane@example.org\nMessage-ID: <one@example.org>\nSubject: hi\n\nhello\n";

/// Exit code and what was said.
pub async fn typed(data: &Path, line: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
    command.args(line.split(' ')).arg("--data").arg(data).env_clear();
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn what_waits_is_shown_held_released_and_removed() {
    let peer = Peer::start(&[], |line, _| if line.starts_with("RCPT") { say("450 4.2.1 later") } else { None }).await;
    let house = house(&peer).await;
    let data = house.directory.path().join("data");
    let check = async |line: &str, code: i32, expected: &[&str]| {
        let (exit, text) = typed(&data, line).await;
        assert_eq!(exit, code, "{line}: {text}");
        expected.iter().for_each(|expected| assert!(text.contains(expected), "{line}: no {expected} in {text}"));
        text
    };
    check("queue list", 0, &["nothing is on its way out"]).await;
    submitted(&house, "jane@example.org", &["paul@far.example", "mary@far.example"], MESSAGE).await;
    house.until("both were tried", async || house.sends().await.iter().all(|send| send.attempts > 0)).await;
    let ids: Vec<i64> = house.sends().await.iter().map(|send| send.id.0).collect();
    let (one, other) = (ids[0], ids[1]);
    house.until("one is held", async || typed(&data, &format!("queue hold {one}")).await.0 == 0).await;
    check("queue list", 0, &["jane@example.org", "paul@far.example", "held", "450 4.2.1 later"]).await;
    check("status", 0, &["the queue holds 1 message back"]).await;
    let shown = ["paul@far.example", "submitted", "one@example.org", "peer.example", "450 4.2.1 later"];
    check(&format!("queue show {one}"), 0, &shown[..3]).await;
    let json = check("queue list --json --limit 1", 0, &["\"state\": \"held\"", "\"kind\": \"submission\""]).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()[0]["id"], one);
    check("queue list --limit 1", 0, &["there are more"]).await;
    let attempts = async |id| house.sends().await.iter().find(|send| send.id.0 == id).map(|send| send.attempts);
    let before = attempts(one).await;
    check("queue retry --all", 0, &["everything that is not held is tried now"]).await;
    assert_eq!(attempts(one).await, before);
    check(&format!("queue release {one}"), 0, &["goes on"]).await;
    house.until("it was tried again", async || attempts(one).await > before).await;
    house.until("it is removed", async || typed(&data, &format!("queue remove {one}")).await.0 == 0).await;
    check(&format!("queue show {one}"), 1, &["nothing with the number", "queue list shows"]).await;
    check("queue retry", 2, &["<ID>"]).await;
    check("queue hold x", 2, &["invalid"]).await;
    // The same without a server.
    let directory = house.end().await;
    check("queue retry --all", 0, &["no server runs on this directory"]).await;
    check(&format!("queue hold {other}"), 0, &["is held"]).await;
    check("queue list", 0, &["mary@far.example", "held"]).await;
    check(&format!("queue remove {other}"), 0, &["is removed"]).await;
    check("queue list", 0, &["nothing is on its way out"]).await;
    drop(directory);
}
