//! Sessions that do anything at all, in any order, on one mailbox: what each client can know from what it was told is held
//! against a model that knows everything.
//!
//! `POSTHOUSE_IMAP_STEPS` makes it longer, `POSTHOUSE_IMAP_SEED` another course.

use super::client::{Answer, Client};
use crate::imap_clients::Served;
use crate::support::house::House;
use std::collections::{BTreeMap, BTreeSet};

/// What a client knows.
struct Session {
    client: Client,
    person: &'static str,
    mailbox: &'static str,
    dialect: Dialect,
    /// By sequence number: the UID, if it was told, and the flags.
    messages: Vec<Message>,
    uid_validity: u32,
    /// What was said last, to be shown when something is wrong.
    said: Vec<String>,
    highest: u64,
    /// Of what was told since: whether something older is yet to be told is not known before expunges can be.
    pending: u64,
}

/// What a client has asked for when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Plain,
    /// RFC 7162: it hears of UIDs that vanished.
    Qresync,
    /// RFC 9586: it knows no sequence numbers, and hears of UIDs alone.
    UidOnly,
    /// RFC 5465: it is told at once, between commands.
    Notified,
}

impl Dialect {
    fn hears_of_vanished(self) -> bool {
        matches!(self, Self::Qresync | Self::UidOnly)
    }

    /// Asks for all there is to know.
    fn everything(self) -> &'static str {
        if self == Self::UidOnly { "UID FETCH 1:* (FLAGS MODSEQ)" } else { "FETCH 1:* (UID FLAGS MODSEQ)" }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
    mod_seq: u64,
}

/// What is so.
#[derive(Default)]
struct Model {
    messages: BTreeMap<u32, BTreeSet<String>>,
    /// UIDs that ever were.
    ever: BTreeSet<u32>,
    mod_seqs: BTreeMap<u32, u64>,
}

const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "$one", "$two"];
const OWN: &str = "INBOX";
const SHARED: &str = "Users/jane@example.org/INBOX";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_know_what_is_so() {
    any_course(Served::new().await).await;
}

/// SELECT is answered before the messages are read, and they are forgotten and read again all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_know_what_is_so_in_mailboxes_that_are_not_in_memory() {
    any_course(Served::furnished(House::be_short_of_memory).await).await;
}

async fn any_course(served: Served) {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let steps = number("POSTHOUSE_IMAP_STEPS", 200);
    let seed = number("POSTHOUSE_IMAP_SEED", 4711);
    let mut world = World::new(&served, seed).await;
    for step in 0..steps {
        world.step(step).await;
    }
    for index in 0..world.sessions.len() {
        world.compare(index).await;
    }
    drop(world);
    served.end().await;
}

/// The same course for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(end)) as u32
    }
}

struct World<'w> {
    served: &'w Served,
    random: Random,
    sessions: Vec<Session>,
    /// Brings messages back from where they were copied and moved to.
    returner: Client,
    model: Model,
}

impl<'w> World<'w> {
    async fn new(served: &'w Served, seed: u64) -> Self {
        let mut first = Client::login(served.address(), "jane@example.org", "Secret123").await;
        assert!(first.command("SETACL INBOX paul@example.org lrswite").await.is_ok());
        assert!(first.command("SELECT Trash").await.is_ok());
        let mut sessions = Vec::new();
        for (person, mailbox, dialect) in [
            ("jane", OWN, Dialect::Plain),
            ("jane", OWN, Dialect::Qresync),
            ("jane", OWN, Dialect::Notified),
            ("paul", SHARED, Dialect::Plain),
            ("paul", SHARED, Dialect::Qresync),
            ("paul", SHARED, Dialect::UidOnly),
        ] {
            sessions.push(Session::open(served, person, mailbox, dialect).await);
        }
        Self { served, random: Random(seed), sessions, returner: first, model: Model::default() }
    }

    fn below(&mut self, end: u32) -> u32 {
        self.random.below(end.max(1))
    }

    fn flags(&mut self) -> String {
        let chosen: Vec<&str> = FLAGS.into_iter().filter(|_| self.random.below(3) == 0).collect();
        format!("({})", chosen.join(" "))
    }

    /// Numbers of messages the session knows, as a set.
    fn numbers(&mut self, index: usize) -> Option<String> {
        let count = self.sessions[index].messages.len() as u32;
        if count == 0 || self.sessions[index].dialect == Dialect::UidOnly {
            return None;
        }
        let (one, other) = (self.below(count) + 1, self.below(count) + 1);
        Some(match self.below(4) {
            0 => one.to_string(),
            1 => format!("{one}:{other}"),
            2 => format!("{one},{other}"),
            _ => format!("{one}:*"),
        })
    }

    /// Any UIDs, also of messages that are gone or will be.
    fn uids(&mut self) -> String {
        let largest = self.model.ever.last().copied().unwrap_or(0) + 2;
        let (one, other) = (self.below(largest) + 1, self.below(largest) + 1);
        if self.below(2) == 0 { one.to_string() } else { format!("{one}:{other}") }
    }

    async fn step(&mut self, step: u64) {
        let index = self.below(self.sessions.len() as u32) as usize;
        let deed = self.below(100);
        if self.sessions[index].dialect == Dialect::Notified {
            // What was pushed since is heard before anything is said by number.
            self.sessions[index].command("NOOP").await;
        }
        let command = match deed {
            0..15 => {
                let (flags, mailbox) = (self.flags(), self.sessions[index].mailbox);
                let text = format!("Subject: {step}\r\n\r\n");
                Some(format!("APPEND {mailbox} {flags} {{{}+}}\r\n{text}", text.len()))
            }
            15..40 => {
                let (flags, numbers) = (self.flags(), self.numbers(index));
                let verb = ["FLAGS", "+FLAGS", "-FLAGS", "+FLAGS.SILENT", "-FLAGS.SILENT"][self.below(5) as usize];
                numbers.map(|numbers| format!("STORE {numbers} {verb} {flags}"))
            }
            40..45 => {
                let (flags, uids) = (self.flags(), self.uids());
                let verb = ["FLAGS", "+FLAGS", "-FLAGS"][self.below(3) as usize];
                let mod_seqs: Vec<u64> = self.model.mod_seqs.values().copied().collect();
                let since = mod_seqs.get(self.below(mod_seqs.len() as u32) as usize).copied().unwrap_or(1);
                Some(format!("UID STORE {uids} (UNCHANGEDSINCE {since}) {verb} {flags}"))
            }
            45..55 => {
                let (flags, uids) = (self.flags(), self.uids());
                let verb = ["FLAGS", "+FLAGS", "-FLAGS", "FLAGS.SILENT"][self.below(4) as usize];
                Some(format!("UID STORE {uids} {verb} {flags}"))
            }
            55..63 => Some("EXPUNGE".to_owned()),
            63..67 => Some(format!("UID EXPUNGE {}", self.uids())),
            67..70 => Some(format!("UID MOVE {} Trash", self.uids())),
            70..74 => self.numbers(index).map(|numbers| format!("COPY {numbers} Trash")),
            74..77 => {
                let command = if self.below(2) == 0 { "UID COPY * INBOX" } else { "UID MOVE * INBOX" };
                self.returner.command("NOOP").await;
                let answer = self.returner.command(command).await;
                assert!(answer.is_ok(), "{command}: {answer:?}");
                let before = self.sessions[index].numbered();
                self.learn(command, index, &before, &answer).await;
                return;
            }
            77..84 => self.numbers(index).map(|numbers| format!("FETCH {numbers} (UID FLAGS MODSEQ)")),
            84..94 => Some("NOOP".to_owned()),
            _ => {
                self.reconnect(index).await;
                self.compare(index).await;
                return;
            }
        };
        let Some(command) = command else { return };
        let before = self.sessions[index].numbered();
        let answer = self.sessions[index].command(&command).await;
        self.learn(&command, index, &before, &answer).await;
        if deed.is_multiple_of(5) {
            self.compare(index).await;
        }
    }

    /// The model does not work out what commands do: it is what a session that begins anew is shown. What must follow from
    /// what came before is checked on the way.
    async fn learn(&mut self, command: &str, index: usize, before: &[Option<u32>], answer: &Answer) {
        let mut fresh = Session::open(self.served, "jane", OWN, Dialect::Plain).await;
        fresh.command("UID FETCH 1:* (UID FLAGS MODSEQ)").await;
        let now: BTreeMap<u32, Message> =
            fresh.messages.iter().map(|message| (message.uid.expect("told"), message.clone())).collect();
        for (uid, message) in &now {
            let flags = message.flags.as_ref().expect("told");
            if let Some(known) = self.model.messages.get(uid) {
                let mod_seq = self.model.mod_seqs[uid];
                assert!(message.mod_seq >= mod_seq, "{command}: the sequence went back");
                assert!(message.mod_seq > mod_seq || known == flags, "{command}: {uid} changed in silence");
                assert!(message.mod_seq == mod_seq || known != flags, "{command}: {uid} did not change");
            } else {
                assert!(self.model.ever.iter().all(|ever| ever < uid), "{command}: UID {uid} again, or out of order");
                let may_bring = command.starts_with("APPEND") || command.ends_with(" INBOX");
                assert!(may_bring, "{command}: from where?");
            }
        }
        self.check_flags(command, index, before, &now, answer);
        let gone: Vec<u32> = self.model.messages.keys().filter(|uid| !now.contains_key(uid)).copied().collect();
        let may_remove = ["EXPUNGE", "UID EXPUNGE", "UID MOVE"].iter().any(|verb| command.starts_with(verb));
        assert!(gone.is_empty() || may_remove, "{command}: {gone:?} are gone");
        if command.starts_with("EXPUNGE") || command.starts_with("UID EXPUNGE") {
            let deleted = |uid: &u32| self.model.messages[uid].contains("\\deleted");
            assert!(gone.iter().all(deleted), "{command}: {gone:?} were not marked");
            let left =
                now.values().any(|message| message.flags.as_ref().is_some_and(|flags| flags.contains("\\deleted")));
            assert!(!left || command != "EXPUNGE", "something marked is left");
        }
        self.model.ever.extend(now.keys());
        self.model.mod_seqs = now.iter().map(|(uid, message)| (*uid, message.mod_seq)).collect();
        self.model.messages = now.into_iter().map(|(uid, message)| (uid, message.flags.unwrap_or_default())).collect();
    }

    /// That STORE did what it says to the messages it names, and nothing to others.
    fn check_flags(
        &self,
        command: &str,
        index: usize,
        before: &[Option<u32>],
        now: &BTreeMap<u32, Message>,
        answer: &Answer,
    ) {
        // Gone before its UID could be asked for, or about to be known: which one it is can't be told from here.
        if before.contains(&None) {
            return;
        }
        let (command, since) = without_guard(command);
        let words: Vec<&str> = command.splitn(if command.starts_with("UID") { 5 } else { 4 }, ' ').collect();
        let at = if words[0] == "UID" { 1 } else { 0 };
        let is_store = words[at] == "STORE";
        let mut named: BTreeSet<u32> = if is_store && at == 0 {
            members(words[1], before.len() as u32)
                .into_iter()
                .filter_map(|number| before[number as usize - 1])
                .collect()
        } else if is_store {
            members(words[2], before.last().copied().flatten().unwrap_or(0))
                .into_iter()
                .filter(|uid| before.contains(&Some(*uid)))
                .collect()
        } else {
            BTreeSet::new()
        };
        // RFC 7162 section 3.1.3: what was changed meanwhile is left alone, and named.
        let is_newer = |uid: &u32| self.model.mod_seqs.get(uid).is_some_and(|mod_seq| *mod_seq > since);
        let protected: BTreeSet<u32> = named.iter().copied().filter(is_newer).collect();
        named.retain(|uid| !protected.contains(uid));
        let modified = item(&answer.end, "[MODIFIED ").map(|set| members(set.trim_end_matches(']'), u32::MAX));
        assert_eq!(modified.unwrap_or_default(), protected, "{command} unless changed since {since}: {answer:?}");
        for (uid, known) in &self.model.messages {
            let Some(message) = now.get(uid) else { continue };
            let flags = message.flags.as_ref().expect("told");
            let mut expected = known.clone();
            if named.contains(uid) {
                let change = flag_set(words[at + 3]);
                match words[at + 2].as_bytes()[0] {
                    b'+' => expected.extend(change),
                    b'-' => expected.retain(|flag| !change.contains(flag)),
                    _ => expected = change,
                }
            }
            assert_eq!(*flags, expected, "{command} of session {index}: {uid}; {answer:?}");
        }
    }

    /// After a NOOP a session knows what is so.
    async fn compare(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        session.command("NOOP").await;
        if session.messages.iter().any(|message| message.uid.is_none() || message.flags.is_none()) {
            session.command(session.dialect.everything()).await;
        }
        let known: BTreeMap<u32, BTreeSet<String>> =
            session.messages.iter().map(|message| (message.uid.unwrap(), message.flags.clone().unwrap())).collect();
        assert_eq!(known, self.model.messages, "session {index}\n{}", session.said.join("\n"));
        assert_eq!(known.len(), session.messages.len());
    }

    /// RFC 7162: what a client kept, brought up to date in one answer.
    async fn reconnect(&mut self, index: usize) {
        let old = &self.sessions[index];
        let (person, mailbox, dialect) = (old.person, old.mailbox, old.dialect);
        if dialect != Dialect::Qresync {
            self.sessions[index] = Session::open(self.served, person, mailbox, dialect).await;
            return;
        }
        let (validity, highest) = (old.uid_validity, old.highest);
        let known: Vec<Message> = old.messages.iter().filter(|message| message.uid.is_some()).cloned().collect();
        let mut session = Session::login(self.served, person, mailbox, dialect).await;
        session.messages = known;
        session.said = std::mem::take(&mut self.sessions[index].said);
        let with_uids = self.random.below(2) == 0;
        let uids: Vec<String> =
            session.messages.iter().filter_map(|message| message.uid).map(|uid| uid.to_string()).collect();
        let uids = if with_uids && !uids.is_empty() { format!(" {}", uids.join(",")) } else { String::new() };
        session.resync(&format!("SELECT {mailbox} (QRESYNC ({validity} {highest}{uids}))"), with_uids).await;
        self.sessions[index] = session;
    }
}

impl Session {
    async fn login(served: &Served, person: &'static str, mailbox: &'static str, dialect: Dialect) -> Self {
        let mut client = Client::login(served.address(), &format!("{person}@example.org"), "Secret123").await;
        let wish = match dialect {
            Dialect::Plain => "NOOP",
            Dialect::Qresync => "ENABLE QRESYNC",
            Dialect::UidOnly => "ENABLE UIDONLY",
            Dialect::Notified => "NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))",
        };
        assert!(client.command(wish).await.is_ok());
        Self {
            client,
            person,
            mailbox,
            dialect,
            messages: Vec::new(),
            uid_validity: 0,
            said: Vec::new(),
            highest: 0,
            pending: 0,
        }
    }

    async fn open(served: &Served, person: &'static str, mailbox: &'static str, dialect: Dialect) -> Self {
        let mut session = Self::login(served, person, mailbox, dialect).await;
        let answer = session.command(&format!("SELECT {mailbox}")).await;
        assert!(answer.is_ok(), "{answer:?}");
        if dialect == Dialect::Qresync {
            // What it keeps it has to have seen.
            session.command("UID FETCH 1:* (FLAGS)").await;
        }
        session
    }

    /// UIDs by number, as far as the session was told; it asks for those that are missing.
    fn numbered(&self) -> Vec<Option<u32>> {
        self.messages.iter().map(|message| message.uid).collect()
    }

    async fn command(&mut self, text: &str) -> Answer {
        let answer = self.client.command(text).await;
        assert!(!answer.end.starts_with("BAD"), "{text}: {answer:?}");
        self.note(text, &answer);
        let by_number = ["FETCH", "STORE", "SEARCH"].iter().any(|verb| text.starts_with(verb));
        if answer.is_ok() && text.contains(".SILENT") {
            self.work_out(text);
        }
        for line in answer.texts() {
            self.hear(&line, by_number, text);
        }
        if !by_number {
            self.highest = self.highest.max(self.pending);
        }
        let everything = self.dialect.everything();
        if self.messages.iter().any(|message| message.uid.is_none()) && text != everything {
            Box::pin(self.command(everything)).await;
        }
        answer
    }

    fn note(&mut self, text: &str, answer: &Answer) {
        let lines: Vec<String> = answer.texts().collect();
        self.said.push(format!("{text}\n  {}\n  {}", lines.join("\n  "), answer.end));
        self.said.drain(..self.said.len().saturating_sub(30));
    }

    async fn resync(&mut self, text: &str, with_uids: bool) {
        let answer = self.client.command(text).await;
        assert!(answer.is_ok(), "{answer:?}");
        self.note(text, &answer);
        let mut exists = 0;
        let mut changed = Vec::new();
        for line in answer.texts() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.get(2).copied() {
                Some("EXISTS") => exists = words[1].parse().unwrap(),
                Some("(EARLIER)") => {
                    let gone = members(words[3], u32::MAX);
                    self.messages.retain(|message| !gone.contains(&message.uid.unwrap()));
                }
                Some("FETCH") => changed.push(line.clone()),
                _ => self.status(&line),
            }
        }
        // New messages stand behind all that are known. Who named his UIDs is told of no others.
        assert!(self.messages.len() <= exists, "{answer:?}");
        self.messages.resize(exists, Message::default());
        for line in changed {
            self.hear(&line, false, text);
        }
        self.highest = self.pending;
        let unknown = self.messages.iter().any(|message| message.uid.is_none());
        assert!(with_uids || !unknown, "{answer:?}");
        if unknown {
            self.command("FETCH 1:* (UID FLAGS MODSEQ)").await;
        }
    }

    fn hear(&mut self, line: &str, by_number: bool, after: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[1..] {
            [number, "EXISTS"] => {
                let count: usize = number.parse().unwrap();
                assert!(count >= self.messages.len(), "{after}: the count fell without an EXPUNGE");
                self.messages.resize(count, Message::default());
            }
            [number, "EXPUNGE"] => {
                assert!(!by_number && !self.dialect.hears_of_vanished(), "{after}: {line}");
                self.messages.remove(number.parse::<usize>().unwrap() - 1);
            }
            ["VANISHED", uids] => {
                assert!(!by_number && self.dialect.hears_of_vanished(), "{after}: {line}");
                for uid in members(uids, u32::MAX) {
                    self.messages
                        .remove(self.place_of(uid).unwrap_or_else(|| panic!("{after}: {uid} was never there")));
                }
            }
            [number, what @ ("FETCH" | "UIDFETCH"), ..] => {
                let number: u32 = number.parse().unwrap();
                assert_eq!(what == "UIDFETCH", self.dialect == Dialect::UidOnly, "{after}: {line}");
                let at = match what {
                    "UIDFETCH" => self.place_of(number).unwrap_or_else(|| panic!("{after}: {line}: no such UID")),
                    _ => number as usize - 1,
                };
                let line = &if what == "UIDFETCH" {
                    line.replacen(" (", &format!(" (UID {number} "), 1)
                } else {
                    line.to_owned()
                };
                let message = self.messages.get_mut(at).unwrap_or_else(|| panic!("{after}: {line}: no such number"));
                if let Some(uid) = item(line, "UID ") {
                    let uid = uid.parse().unwrap();
                    assert!(message.uid.is_none_or(|known| known == uid), "{after}: {line}: it was {:?}", message.uid);
                    message.uid = Some(uid);
                }
                if let Some(flags) = line.split_once("FLAGS (") {
                    message.flags = Some(flag_set(flags.1.split(')').next().unwrap()));
                }
                if let Some(mod_seq) = line.split_once("MODSEQ (") {
                    message.mod_seq = mod_seq.1.split(')').next().unwrap().parse().unwrap();
                    self.pending = self.pending.max(message.mod_seq);
                }
            }
            _ => self.status(line),
        }
    }

    /// A message may be gone before its UID could be asked for; the UIDs around it tell where it was.
    fn place_of(&self, uid: u32) -> Option<usize> {
        if let Some(at) = self.messages.iter().position(|message| message.uid == Some(uid)) {
            return Some(at);
        }
        let before = self.messages.iter().rposition(|message| message.uid.is_some_and(|known| known < uid));
        let at = before.map_or(0, |before| before + 1);
        self.messages.get(at).filter(|message| message.uid.is_none()).map(|_| at)
    }

    /// What a client does who asked for silence: it changes the flags it knows. Where these were old, it is told.
    fn work_out(&mut self, text: &str) {
        let words: Vec<&str> = text.splitn(if text.starts_with("UID") { 5 } else { 4 }, ' ').collect();
        let by_uid = words[0] == "UID";
        let words = &words[usize::from(by_uid)..];
        let last = if by_uid { self.messages.last().and_then(|message| message.uid) } else { None };
        let named = members(words[1], last.unwrap_or(self.messages.len() as u32));
        let change = flag_set(words[3]);
        for (index, message) in self.messages.iter_mut().enumerate() {
            let name = if by_uid { message.uid.unwrap_or(0) } else { index as u32 + 1 };
            let Some(flags) = message.flags.as_mut().filter(|_| named.contains(&name)) else { continue };
            match words[2].as_bytes()[0] {
                b'+' => flags.extend(change.iter().cloned()),
                b'-' => flags.retain(|flag| !change.contains(flag)),
                _ => *flags = change.clone(),
            }
        }
    }

    fn status(&mut self, line: &str) {
        if let Some(value) = item(line, "[UIDVALIDITY ") {
            self.uid_validity = value.trim_end_matches(']').parse().unwrap();
        }
        if let Some(value) = item(line, "[HIGHESTMODSEQ ") {
            self.pending = self.pending.max(value.trim_end_matches(']').parse().unwrap());
        }
    }
}

/// A command without its UNCHANGEDSINCE, and what that is.
fn without_guard(command: &str) -> (String, u64) {
    let Some((before, rest)) = command.split_once("(UNCHANGEDSINCE ") else { return (command.to_owned(), u64::MAX) };
    let (since, after) = rest.split_once(") ").unwrap();
    (format!("{before}{after}"), since.parse().unwrap())
}

fn item<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.split_once(name).map(|(_, rest)| rest.split([' ', ')']).next().unwrap())
}

fn flag_set(text: &str) -> BTreeSet<String> {
    text.trim_matches(['(', ')']).split_whitespace().map(str::to_lowercase).collect()
}

fn members(set: &str, largest: u32) -> BTreeSet<u32> {
    let number = |text: &str| if text == "*" { largest } else { text.parse().unwrap() };
    let mut members = BTreeSet::new();
    for range in set.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let (first, last) = (number(first), number(last));
        members.extend(first.min(last)..=first.max(last));
    }
    members
}
