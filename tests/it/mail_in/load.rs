//! Mail under way when the worst happens: the server is killed again and again, or the disk is full.
//!
//! How the result is judged:
//! - what was acknowledged is there: the ledger has taken it, and it lies in the mailbox of every recipient;
//! - a message lies in a mailbox exactly as often as the ledger says it was taken for that recipient, so nothing is
//!   delivered by halves, or twice by one acceptance;
//! - it was taken once and no more, but for this: where the connection broke while the sender waited for the reply, he could
//!   not know, and sent it again. For each such lost reply the ledger may have one more. A server can't tell a message that
//!   is sent again from one that is sent twice on purpose, so it suppresses neither;
//! - the store's own check finds nothing.
//!
//! POSTHOUSE_LOAD=5000 sends so many messages, POSTHOUSE_SEED repeats a run's choices.

use crate::support::dice::{Dice, number};
use crate::support::program::{Place, serve};
use crate::support::smtp::Sender;
use posthouse::config::Config;
use posthouse::server::House;
use posthouse::store::LedgerFilter;
use posthouse::types::Address;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::sync::{mpsc, watch};

const PEOPLE: [&str; 5] = ["ann", "ben", "cat", "dan", "eve"];
const SENDERS: u64 = 6;
/// Messages acknowledged between two kills, at most.
const CALM_MAX: u64 = 60;
/// Sockets of its own directory: they are the same after each start.
const LISTEN: &str = "[log]\nfilter = \"warn,posthouse::server=info\"\n[listen]\nsmtp = [\"unix:smtp.sock\"]\n\
     lmtp = [\"unix:lmtp.sock\"]\nsubmission = []\nsubmissions = []\nimap = []\nimaps = []\npop3s = []\n\
     managesieve = []\nhttps = []\n[mx]\nauthenticate = false\n[auth]\nargon2_memory_kib = 8192\nargon2_iterations = 1\n";

/// A place with people, whose data lies in `data`.
fn settled(data: &Path) -> Place {
    let place = Place::new();
    let text = format!("hostname = \"mail.example.org\"\ndata = {data:?}\n{LISTEN}");
    std::fs::write(place.path("posthouse.toml"), text).unwrap();
    let run = |arguments: &[&str], input: &str| {
        let outcome = place.run(arguments, input);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.text);
    };
    run(&["domain", "add", "example.org"], "");
    for person in PEOPLE {
        run(&["account", "add", &format!("{person}@example.org"), "--password-stdin"], "Correct9Horse\n");
    }
    place
}

/// Of one message: by which of its senders it was sent, and what came of it.
#[derive(Clone, Debug, Default)]
struct Sent {
    to: Vec<&'static str>,
    octets: Vec<u8>,
    acknowledged: bool,
    replies_lost: usize,
}

fn message(sender: u64, number: u64, dice: &mut Dice) -> (String, Sent) {
    let id = format!("{sender}.{number}@load.example");
    let mut to: Vec<&str> = PEOPLE.iter().copied().filter(|_| dice.below(3) == 0).collect();
    if to.is_empty() {
        to.push(PEOPLE[dice.below(5) as usize]);
    }
    // One in fifty is large enough to be stored ahead of what names it.
    let lines = if dice.below(50) == 0 { 20_000 } else { dice.below(300) };
    let line = format!("{:060}\r\n", dice.any());
    let body = line.repeat(lines as usize);
    let octets = format!("From: a@elsewhere.example\r\nMessage-ID: <{id}>\r\nSubject: load\r\n\r\n{body}").into_bytes();
    (id, Sent { to, octets, ..Sent::default() })
}

/// Sends its messages one after the other, each until it is acknowledged; starts again with the server.
async fn sender(
    data: PathBuf,
    number: u64,
    count: u64,
    mut dice: Dice,
    mut starts: watch::Receiver<u64>,
    told: mpsc::UnboundedSender<()>,
) -> BTreeMap<String, Sent> {
    let mut all = BTreeMap::new();
    let mut connection = None;
    let (socket, hello) =
        if number.is_multiple_of(2) { ("smtp.sock", "EHLO x.example") } else { ("lmtp.sock", "LHLO x.example") };
    for place in 0..count {
        let (id, mut sent) = message(number, place, &mut dice);
        let addresses: Vec<String> = sent.to.iter().map(|person| format!("{person}@example.org")).collect();
        let to: Vec<&str> = addresses.iter().map(String::as_str).collect();
        while !sent.acknowledged {
            let start = *starts.borrow_and_update();
            if connection.is_none() {
                connection = Sender::connect_local(&data.join(socket), hello).await.ok();
            }
            let outcome = match &mut connection {
                None => Err(std::io::ErrorKind::NotConnected.into()),
                Some(open) if number.is_multiple_of(2) => {
                    open.send("a@elsewhere.example", &to, &sent.octets).await.map(|one| vec![one])
                }
                Some(open) => open.send_to_each("a@elsewhere.example", &to, &sent.octets).await,
            };
            match outcome {
                Ok(replies) => {
                    assert!(replies.iter().all(|reply| reply.starts_with("250 2.6.0")), "{replies:?}");
                    sent.acknowledged = true;
                    let _ = told.send(());
                }
                Err(_) => {
                    // It may have been taken: only the server knows.
                    sent.replies_lost += usize::from(connection.is_some());
                    connection = None;
                    if *starts.borrow() == start {
                        starts.changed().await.expect("the server starts again");
                    }
                }
            }
        }
        all.insert(id, sent);
    }
    all
}

/// How often each message was taken for each person, by the ledger, and how often it lies in his mailboxes.
async fn judged(data: &Path, sent: &BTreeMap<String, Sent>) {
    let house = House::open(Config::without_file(data.to_owned())).await.expect("the directory is free and opens");
    let store = house.store.clone();
    let findings = tokio::task::spawn_blocking(move || store.verify(&mut |_, _| {})).await.unwrap().unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
    let mut taken: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for record in house.store.ledger(LedgerFilter::All, usize::MAX).await.unwrap() {
        if record.entry.event == "received" {
            for person in PEOPLE {
                let address = format!("{person}@example.org");
                if record.entry.addresses.contains(&address) {
                    *taken.entry((record.entry.message_id.clone(), person)).or_default() += 1;
                }
            }
        }
    }
    let mut filed: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for person in PEOPLE {
        let address: Address = format!("{person}@example.org").parse().unwrap();
        let account = house.store.account(&address).await.unwrap().unwrap();
        for mailbox in house.store.mailboxes(account.id).await.unwrap() {
            for entry in house.store.entries(mailbox.id).await.unwrap().1 {
                let octets = house.store.body_octets(entry.body).await.unwrap();
                let field = posthouse::message::HeaderFields::first(&octets, "Message-ID").unwrap();
                let id = String::from_utf8(field.unfolded().to_vec()).unwrap().trim_matches(['<', '>']).to_owned();
                assert!(octets.ends_with(&sent[&id].octets), "{id} of {person} is not what was sent");
                *filed.entry((id, person)).or_default() += 1;
            }
        }
    }
    assert_eq!(filed, taken, "what lies in mailboxes is not what the ledger says");
    for (id, sent) in sent {
        for person in PEOPLE {
            let copies = filed.get(&(id.clone(), person)).copied().unwrap_or_default();
            let least = usize::from(sent.acknowledged && sent.to.contains(&person));
            let most = if sent.to.contains(&person) { least + sent.replies_lost } else { 0 };
            assert!((least..=most).contains(&copies), "{id}: {person} has it {copies} times, of {least} to {most}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_nothing_acknowledged_is_lost() {
    let count = number("POSTHOUSE_LOAD", 240);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let seed = number("POSTHOUSE_SEED", clock as u64);
    println!("POSTHOUSE_SEED={seed}");
    let mut dice = Dice(seed);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let place = settled(&data);
    let (started, starts) = watch::channel(0);
    let (told, mut counted) = mpsc::unbounded_channel();
    let mut server = serve(&place);
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let share = count / SENDERS + u64::from(number < count % SENDERS);
            tokio::spawn(sender(data.clone(), number, share, Dice(dice.any()), starts.clone(), told.clone()))
        })
        .collect();
    let mut left = count;
    while left > 0 {
        let calm = (1 + dice.below(CALM_MAX)).min(left);
        for _ in 0..calm {
            counted.recv().await.expect("somebody sends");
        }
        left -= calm;
        if left > 0 {
            server.kill();
            server = serve(&place);
            started.send_modify(|start| *start += 1);
        }
    }
    let mut all = BTreeMap::new();
    for sender in senders {
        all.extend(sender.await.expect("a sender does not fail"));
    }
    server.stop();
    judged(&data, &all).await;
}

/// A file system with little room, and with more later.
struct Narrow(PathBuf);

impl Narrow {
    /// None: only an administrator may mount.
    #[allow(clippy::print_stderr)] // a test that was not run has to say so
    fn mount(place: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir(place).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: mounting a small file system is not allowed here");
            return None;
        }
        Some(Self(place.to_owned()))
    }

    fn widen(&self, megabytes: u32) {
        let size = format!("remount,size={megabytes}m");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Sends messages of this many octets until one is refused, or all are taken.
async fn fill(
    connection: &mut Sender,
    octets: usize,
    from: u64,
    count: u64,
    all: &mut BTreeMap<String, Sent>,
) -> Option<String> {
    for number in from..from + count {
        let id = format!("{number}@full.example");
        // Noise, so that it takes as much room as it is long.
        let mut dice = Dice(number);
        let mut body = String::new();
        while body.len() < octets {
            body.push_str(&format!("{:016x}{:016x}{:016x}\r\n", dice.any(), dice.any(), dice.any()));
        }
        let octets = format!("Message-ID: <{id}>\r\n\r\n{body}").into_bytes();
        let mut sent = Sent { to: vec!["ann", "ben"], octets, ..Sent::default() };
        let reply = connection
            .send("a@elsewhere.example", &["ann@example.org", "ben@example.org"], &sent.octets)
            .await
            .expect("it answers");
        sent.acknowledged = reply.starts_with("250");
        let taken = sent.acknowledged;
        all.insert(id, sent);
        if !taken {
            return Some(reply);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_for_a_while_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(narrow) = Narrow::mount(&directory.path().join("narrow"), 24) else { return };
    let data = narrow.0.join("data");
    let place = settled(&data);
    let server = serve(&place);
    let mut all = BTreeMap::new();
    let connect = async || Sender::connect_local(&data.join("smtp.sock"), "EHLO x.example").await.unwrap();
    let mut connection = connect().await;
    let mut from = 0;
    for octets in [200_000, 20_000, 300_000, 2_000_000] {
        // Small ones in the database, larger ones from the spool, and those that are stored ahead: none is taken by halves.
        let reply = fill(&mut connection, octets, from, 400, &mut all).await.expect("the disk is full by now");
        assert!(reply.starts_with('4'), "{octets}: {reply}");
        from += 400;
    }
    // Where the size is said first, so is that there is no room for it.
    let reply = connection.say("MAIL FROM:<a@elsewhere.example> SIZE=40000000").await.unwrap();
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    narrow.widen(400);
    assert_eq!(fill(&mut connection, 200_000, from, 20, &mut all).await, None);
    assert_eq!(fill(&mut connect().await, 2_000_000, from + 400, 3, &mut all).await, None);
    assert!(connection.say("MAIL FROM:<a@elsewhere.example> SIZE=40000000").await.unwrap().starts_with("250"));
    drop(connection);
    server.stop();
    judged(&data, &all).await;
}
