//! Refusals that need a house of their own: the conversations of `dialogs/refusals`, and the proof that every cause of the
//! one table is provoked by a conversation. jane, paul and postmaster at example.org are people.
//!
//! Settings: `limits` and `mx` are lines of these sections; `chain: 21` makes `link1` to `link21`, people each of whose
//! scripts passes mail on to the next, the last one's to jane; `reject` is what jane's script answers everybody.
//! `! suspend jane` is what an administrator does.

use super::dialogs::MailIn;
use crate::support::dialog::{Script, heard, play_all};
use crate::support::running::Running;
use posthouse::admin::ScriptPut;
use posthouse::dns::{FakeResolver, FakeServer};
use posthouse::smtp::server::Cause;
use std::path::Path;
use tokio::net::TcpStream;

const ZONE: &str = "
reject.example TXT \"v=spf1 -all\"
_dmarc.reject.example TXT \"v=DMARC1; p=reject\"
_dmarc.silent.example TXT \"v=DMARC1; p=reject\"
key._domainkey.silent.example FAIL
1.0.0.127.list.example A 127.0.0.2
1.0.0.127.list.example TXT \"ask https://list.example\"
";

#[tokio::test]
async fn dialogs() {
    play_all(&directory("refusals"), play).await;
}

fn directory(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs").join(name)
}

async fn play(script: &Script) -> Result<(), String> {
    let setting = |name: &str| script.settings.get(name).map(String::as_str);
    let known = ["service", "limits", "mx", "chain", "reject"];
    assert!(script.settings.keys().all(|key| known.contains(&key.as_str())), "{}: {:?}", script.name, script.settings);
    let dns = FakeServer::start(FakeResolver::new(ZONE).unwrap()).await.unwrap();
    let mut extra =
        format!("[dns]\nservers = [\"{}\"]\nvalidate = false\nattempts = 1\ntimeout_seconds = 1\n", dns.address());
    for section in ["limits", "mx"] {
        if let Some(line) = setting(section) {
            extra.push_str(&format!("\n[{section}]\n{line}\n"));
        }
    }
    let service = setting("service").expect("every file names its service");
    let house = Running::open(&["smtp", "submission", "submissions", "lmtp"], &extra).await;
    house.domain("example.org").await;
    for name in ["jane", "paul", "postmaster"] {
        house.account(&format!("{name}@example.org"), None).await;
    }
    let links: usize = setting("chain").map_or(0, |count| count.parse().unwrap());
    for link in (1..=links).rev() {
        let next = if link == links { "jane".to_owned() } else { format!("link{}", link + 1) };
        house.account(&format!("link{link}@example.org"), None).await;
        put(&house, &format!("link{link}"), &format!("redirect \"{next}@example.org\";")).await;
    }
    if let Some(words) = setting("reject") {
        put(&house, "jane", &format!("require \"reject\"; reject \"{words}\";")).await;
    }
    let stream = TcpStream::connect(house.port(service)).await.unwrap();
    let outcome = script.play(stream, &mut MailIn::new(&house, service)).await;
    house.close().await;
    outcome
}

async fn put(house: &Running, name: &str, text: &str) {
    let place = format!("{name}@example.org").parse().unwrap();
    house.act(ScriptPut { place, name: "own".to_owned(), text: text.to_owned(), activate: true }).await;
}

/// Each by its code, its enhanced code and its text, from the mouth of a server. A line that ends in an asterisk says the
/// rest of its text by it, if what stands before is text at all.
#[test]
fn every_cause_of_the_table_is_provoked_by_a_conversation() {
    let all: Vec<(String, String)> =
        ["smtp", "mail_in", "refusals"].iter().flat_map(|name| heard(&directory(name))).collect();
    // Said in other words than the table's, those of the recipient.
    let in_other_words = [(Cause::RejectedByRecipient, "rejected_by_recipient.txt", "550 5.7.1 Not from you. [*]")];
    let missing: Vec<String> = Cause::ALL
        .iter()
        .filter(|cause| {
            let other = in_other_words.iter().find(|(other, ..)| other == *cause);
            !match other {
                Some((_, file, line)) => all.iter().any(|(name, heard)| name == file && heard == line),
                None => {
                    let entry = cause.entry();
                    let enhanced = entry.enhanced.unwrap();
                    let said = format!("{} {}.{}.{} {}", entry.code, enhanced.0, enhanced.1, enhanced.2, entry.text);
                    let is_said =
                        |line: &str| line == said || line == format!("{said} [*]") || line == format!("{said} *");
                    all.iter().any(|(_, line)| is_said(line))
                }
            }
        })
        .map(|cause| format!("{cause:?}"))
        .collect();
    assert!(missing.is_empty(), "no conversation shows {missing:?}");
}
