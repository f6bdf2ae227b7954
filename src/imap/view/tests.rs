use super::*;
use crate::imap::framing::Framed;
use crate::imap::grammar::{self, Body, Mode};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn numbers(text: &str) -> Numbers {
    let octets = format!("t UID EXPUNGE {text}");
    let command = grammar::parse(Framed { octets: octets.as_bytes(), streamed: &[] }, Mode::default());
    match command.map(|command| command.body) {
        Ok(Body::UidExpunge(numbers)) => numbers,
        other => panic!("{text}: {other:?}"),
    }
}

fn uids(text: &str) -> UidSet {
    if text.is_empty() {
        return UidSet::new();
    }
    match numbers(text) {
        Numbers::Set(set) => set.resolve(0),
        Numbers::Saved => panic!("a set"),
    }
}

fn view(text: &str) -> View {
    View::new(Sequence::from_set(&uids(text)), ModSeq(10), Dialect::Numbers)
}

fn changed(uid: u32, mod_seq: u64) -> Changed {
    Changed { uid: Uid(uid), flags: Flags::SEEN, mod_seq: ModSeq(mod_seq) }
}

#[test]
fn sets_of_messages() {
    let view = {
        let mut view = view("3,5:7,20");
        view.save(uids("5:6,99"));
        view
    };
    let check = |addressing, text: &str, expected: Result<&str, NumbersError>| {
        let found = view.resolve(addressing, &numbers(text)).map(|set| set.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{text}");
    };
    use Addressing::{Sequence, Uid};
    check(Sequence, "1", Ok("3"));
    check(Sequence, "2:4", Ok("5:7"));
    check(Sequence, "4:2,1", Ok("3,5:7"));
    check(Sequence, "*", Ok("20"));
    check(Sequence, "4:*", Ok("7,20"));
    check(Sequence, "9:*", Ok("20"));
    check(Sequence, "6", Err(NumbersError::NoSuchNumber));
    check(Sequence, "1:6", Err(NumbersError::NoSuchNumber));
    check(Sequence, "$", Ok("5:6"));
    check(Uid, "1:6", Ok("3,5:6"));
    check(Uid, "4,21,8:19", Ok(""));
    check(Uid, "100:*", Ok("20"));
    check(Uid, "1:4294967295", Ok("3,5:7,20"));
    check(Uid, "$", Ok("5:6"));
    assert_eq!(view.matching(Sequence, &numbers("4:9")).to_string(), "7,20");
    assert_eq!(view.names_of(Sequence, &uids("5:7,9,20")).to_string(), "2:5");
    assert_eq!(
        view.numbered(&uids("1:5,20")).collect::<Vec<_>>(),
        [(1, crate::types::Uid(3)), (2, crate::types::Uid(5)), (5, crate::types::Uid(20)),]
    );
    let empty = self::view("");
    assert_eq!(empty.resolve(Sequence, &numbers("1:*")).as_ref().map(ToString::to_string), Ok(String::new()));
    assert_eq!(empty.resolve(Uid, &numbers("*")).as_ref().map(ToString::to_string), Ok(String::new()));
    assert_eq!(empty.resolve(Sequence, &numbers("1")), Err(NumbersError::NoSuchNumber));
    let uid_only = View { dialect: Dialect::UidOnly, ..view.clone() };
    assert_eq!(uid_only.resolve(Sequence, &numbers("1")), Err(NumbersError::UidRequired));
    assert!(uid_only.resolve(Sequence, &Numbers::Saved).is_ok());
}

#[test]
fn what_is_gone_keeps_its_number() {
    let mut view = view("3,5:7,20");
    view.save(uids("5:6"));
    let news = News {
        changed: vec![changed(5, 12), changed(7, 13), changed(21, 14)],
        gone: Gone::These(uids("3,6,8")),
        through: ModSeq(14),
    };
    let updates = view.learn(&news, Expunges::Deferred);
    assert_eq!(updates.expunged, None);
    assert_eq!(updates.exists, Some(6));
    assert_eq!(updates.new.to_string(), "21");
    assert_eq!(updates.changed, [(2, changed(5, 12)), (4, changed(7, 13))]);
    assert_eq!(view.sequence().uid_of(3), Some(6));
    assert_eq!(view.gone().to_string(), "3,6");
    let quiet = News { changed: vec![], gone: Gone::These(UidSet::new()), through: ModSeq(14) };
    assert!(view.learn(&quiet, Expunges::Deferred).is_empty());
    let updates = view.learn(&quiet, Expunges::Allowed);
    assert_eq!(updates.expunged, Some(Expunged::Numbers(vec![3, 1])));
    assert_eq!(updates.exists, None);
    assert_eq!(view.sequence().all().to_string(), "5,7,20:21");
    assert_eq!(view.resolve(Addressing::Uid, &Numbers::Saved).as_ref().map(ToString::to_string), Ok("5".into()));
    view.dialect = Dialect::Vanished;
    let news = News { changed: vec![changed(22, 15)], gone: Gone::AllBut(uids("7,21:22")), through: ModSeq(15) };
    let updates = view.learn(&news, Expunges::Allowed);
    assert_eq!(updates.expunged, Some(Expunged::Uids(uids("5,20"))));
    assert_eq!(updates.exists, Some(3));
}

#[test]
fn own_changes_are_not_told_twice() {
    let mut view = view("1:4");
    view.note_told(ModSeq(11), uids("1:2"));
    let news = |changed| News { changed, gone: Gone::These(UidSet::new()), through: ModSeq(12) };
    // The second message was changed again, by someone else.
    let updates = view.learn(&news(vec![changed(1, 11), changed(2, 12), changed(3, 11)]), Expunges::Allowed);
    assert_eq!(updates.changed, [(2, changed(2, 12)), (3, changed(3, 11))]);
    assert!(view.told.is_empty());
    assert!(view.learn(&news(vec![changed(2, 12)]), Expunges::Allowed).is_empty());
    // New and gone again before anyone could say so.
    let news = News { changed: vec![changed(5, 13)], gone: Gone::These(uids("5")), through: ModSeq(14) };
    assert!(view.learn(&news, Expunges::Allowed).is_empty());
    assert_eq!(view.known(), ModSeq(14));
}

#[test]
fn what_was_told_whole_is_not_looked_at_again() {
    let news = |mod_seqs: &[(u32, u64)], through| News {
        changed: mod_seqs.iter().map(|(uid, mod_seq)| changed(*uid, *mod_seq)).collect(),
        gone: Gone::These(UidSet::new()),
        through: ModSeq(through),
    };
    let mut view = view("1:9");
    view.note_told(ModSeq(12), uids("1:2"));
    view.note_all_told(ModSeq(11), ModSeq(12));
    assert_eq!(view.known(), ModSeq(10), "somebody else did something before");
    let updates = view.learn(&news(&[(3, 11), (1, 12), (2, 12)], 12), Expunges::Deferred);
    assert_eq!(updates.changed, [(3, changed(3, 11))]);
    view.note_told(ModSeq(14), uids("1:2"));
    view.note_all_told(ModSeq(12), ModSeq(14));
    assert_eq!(view.known(), ModSeq(14));
    let updates = view.learn(&news(&[(4, 15)], 15), Expunges::Deferred);
    assert_eq!(updates.changed, [(4, changed(4, 15))]);
}

#[test]
fn returning_clients() {
    let view = view("2,4:6,9");
    let check = |expunged: Option<&str>, known: Option<&str>, pairs: Option<(&str, &str)>, expected: &str| {
        let ranges = |text: &str| uids(text).ranges().to_vec();
        let expunged = expunged.map(uids);
        let known = known.map(ranges);
        let data = pairs.map(|(sequence, uids)| MatchData { sequence: ranges(sequence), uids: ranges(uids) });
        let found = view.vanished(expunged.as_ref(), known.as_deref(), data.as_ref());
        assert_eq!(found.to_string(), expected, "{expunged:?} {known:?} {data:?}");
    };
    check(Some("1,7:8,12"), None, None, "1,7:8,12");
    check(Some("1,7:8,12"), Some("5:10"), None, "7:8");
    check(None, None, None, "1,3,7:8");
    check(None, Some("1:20"), None, "1,3,7:8,10:20");
    // The second message has been UID 4 all along, the fourth was another one.
    check(None, Some("1:20"), Some(("1,2,4", "2,4,5")), "7:8,10:20");
    check(None, Some("1:20"), Some(("1:2,4", "1:2,5")), "1,3,7:8,10:20");
    check(None, Some("1:20"), Some(("5", "9")), "10:20");
    check(None, Some("1:20"), Some(("2:4294967295", "4:4294967295")), "7:8,10:20");
    check(Some("1"), Some("1:20"), Some(("1,2", "2")), "");
}

#[test]
fn windows_and_batches() {
    let check = |from, first, last, expected: &str| {
        let found = window(&uids("3,5:7,20"), PartialRange { from, first, last });
        assert_eq!(found.to_string(), expected, "{from:?} {first}:{last}");
    };
    use PartialFrom::{End, Start};
    check(Start, 1, 2, "3,5");
    check(Start, 4, 100, "7,20");
    check(Start, 6, 9, "");
    check(End, 1, 2, "7,20");
    check(End, 4, 100, "3,5");
    check(End, 6, 9, "");
    check(End, 5, 5, "3");
    check(End, 1, u32::MAX, "3,5:7,20");
    let view = view("3,5:7,20");
    assert_eq!(view.batches(2, None), [(20, 7), (6, 4), (3, 1)]);
    assert_eq!(view.batches(5, None), [(20, 1)]);
    assert_eq!(view.batches(2, Some((2, 9))), [(6, 4), (3, 1)]);
    assert_eq!(view.batches(2, Some((4, 9))), []);
    assert_eq!(self::view("").batches(500, None), []);
    assert_eq!(view.batches(u32::MAX, Some((1, u32::MAX))), [(20, 1)]);
}

#[test]
fn a_million_messages_take_little() {
    let whole = Sequence::from_set(&UidSet::from_ranges([(1, 1_000_000)]));
    assert_eq!(whole.pieces().count(), 1);
    let mut holes = whole.clone();
    holes.remove(&(1..100_000).map(|index| Uid(index * 10)).collect());
    assert_eq!(holes.len(), 900_001);
    assert_eq!(holes.pieces().count(), 100_000);
    assert_eq!(holes.uid_of(10), Some(11));
    assert_eq!(holes.number_of(1_000_000), Some(900_001));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Against plain lists.
    #[test]
    fn sequences_are_lists(
        list in proptest::collection::btree_set(1_u32..60, 0..40),
        other in proptest::collection::btree_set(1_u32..60, 0..40),
        extra in 60_u32..70,
    ) {
        let mut list: Vec<u32> = list.into_iter().collect();
        let mut sequence = Sequence::from_uids(list.iter().copied());
        let set: UidSet = other.iter().map(|uid| Uid(*uid)).collect();
        prop_assert_eq!(&sequence, &Sequence::from_set(&sequence.all()));
        for probe in 0..62 {
            prop_assert_eq!(sequence.uid_of(probe), probe.checked_sub(1).and_then(|at| list.get(at as usize)).copied());
            let number = list.iter().position(|uid| *uid == probe).map(|at| at as u32 + 1);
            prop_assert_eq!(sequence.number_of(probe), number);
        }
        let both: UidSet = list.iter().filter(|uid| other.contains(uid)).map(|uid| Uid(*uid)).collect();
        prop_assert_eq!(&sequence.present(&set), &both);
        prop_assert_eq!(&sequence.uids_of(&sequence.numbers_of(&set)), &both);
        let by_number: UidSet =
            list.iter().enumerate().filter(|(at, _)| other.contains(&(*at as u32 + 1))).map(|(_, uid)| Uid(*uid)).collect();
        prop_assert_eq!(&sequence.uids_of(&set), &by_number);
        list.retain(|uid| !other.contains(uid));
        sequence.remove(&set);
        prop_assert_eq!(&sequence, &Sequence::from_uids(list.iter().copied()));
        prop_assert!(sequence.push(extra));
        prop_assert!(!sequence.push(extra));
        prop_assert_eq!(sequence.largest_uid(), extra);
        prop_assert_eq!(sequence.len() as usize, list.len() + 1);
    }
}

/// A mailbox as simple as it can be.
#[derive(Default)]
struct Mailbox {
    messages: BTreeMap<u32, (u64, u64)>,
    expunged: Vec<(u64, u32)>,
    next_uid: u32,
    mod_seq: u64,
}

impl Mailbox {
    fn append(&mut self) {
        self.mod_seq += 1;
        self.next_uid += 1;
        self.messages.insert(self.next_uid, (0, self.mod_seq));
    }

    fn store(&mut self, uid: u32, flags: u64) -> bool {
        self.mod_seq += 1;
        let mod_seq = self.mod_seq;
        self.messages.get_mut(&uid).map(|message| *message = (flags, mod_seq)).is_some()
    }

    fn expunge(&mut self, uid: u32) {
        if self.messages.remove(&uid).is_some() {
            self.mod_seq += 1;
            self.expunged.push((self.mod_seq, uid));
        }
    }

    fn news(&self, since: ModSeq, history: bool) -> News {
        let changed = self.messages.iter().filter(|(_, (_, mod_seq))| *mod_seq > since.0);
        News {
            changed: changed
                .map(|(uid, (flags, mod_seq))| Changed {
                    uid: Uid(*uid),
                    flags: Flags(*flags),
                    mod_seq: ModSeq(*mod_seq),
                })
                .collect(),
            gone: if history {
                let recent = self.expunged.iter().filter(|(mod_seq, _)| *mod_seq > since.0);
                Gone::These(UidSet::from_ranges(recent.map(|(_, uid)| (*uid, *uid))))
            } else {
                Gone::AllBut(self.messages.keys().map(|uid| Uid(*uid)).collect())
            },
            through: ModSeq(self.mod_seq),
        }
    }
}

/// What a client makes of what it hears: it counts, and asks for what it does not know.
struct Client {
    view: View,
    /// By sequence number, the UID and flags as it believes them.
    messages: Vec<(u32, u64)>,
}

impl Client {
    fn hear(&mut self, updates: &Updates, mailbox: &Mailbox) {
        match &updates.expunged {
            Some(Expunged::Numbers(numbers)) => {
                for number in numbers {
                    self.messages.remove(*number as usize - 1);
                }
            }
            Some(Expunged::Uids(uids)) => {
                let before = self.messages.len();
                self.messages.retain(|(uid, _)| !uids.contains(Uid(*uid)));
                assert_eq!((before - self.messages.len()) as u64, uids.count(), "each of them was known");
            }
            None => {}
        }
        if let Some(exists) = updates.exists {
            assert!(exists as usize > self.messages.len(), "the count falls by EXPUNGE only");
            for number in self.messages.len() as u32 + 1..=exists {
                let uid = self.view.sequence().uid_of(number).expect("a message that EXISTS");
                self.messages.push((uid, mailbox.messages.get(&uid).map_or(0, |message| message.0)));
            }
        }
        for (number, changed) in &updates.changed {
            let message = &mut self.messages[*number as usize - 1];
            assert_eq!(message.0, changed.uid.0, "the flags of another message");
            message.1 = changed.flags.0;
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Append,
    Expunge(u32),
    /// A client stores flags by number; it knows the outcome from its own command.
    Store {
        client: usize,
        number: u32,
        flags: u64,
    },
    Sync {
        client: usize,
        expunges: bool,
        history: bool,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let client = 0_usize..2;
    prop_oneof![
        2 => Just(Act::Append),
        2 => (1_u32..30).prop_map(Act::Expunge),
        3 => (client.clone(), 1_u32..12, 0_u64..4)
            .prop_map(|(client, number, flags)| Act::Store { client, number, flags }),
        4 => (client, any::<bool>(), any::<bool>())
            .prop_map(|(client, expunges, history)| Act::Sync { client, expunges, history }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn two_clients_see_one_mailbox(start in 0_u32..8, acts in proptest::collection::vec(act(), 0..60)) {
        let mut mailbox = Mailbox::default();
        for _ in 0..start {
            mailbox.append();
        }
        let mut clients = [Dialect::Numbers, Dialect::Vanished].map(|dialect| {
            let sequence = Sequence::from_uids(mailbox.messages.keys().copied());
            let messages = mailbox.messages.iter().map(|(uid, (flags, _))| (*uid, *flags)).collect();
            Client { view: View::new(sequence, ModSeq(mailbox.mod_seq), dialect), messages }
        });
        let last = (0..2).map(|client| Act::Sync { client, expunges: true, history: true });
        for act in acts.into_iter().chain(last) {
            match act {
                Act::Append => mailbox.append(),
                Act::Expunge(uid) => mailbox.expunge(uid),
                Act::Store { client, number, flags } => {
                    let client = &mut clients[client];
                    let Some(uid) = client.view.sequence().uid_of(number) else { continue };
                    prop_assert_eq!(client.messages[number as usize - 1].0, uid, "a number means one message");
                    if mailbox.store(uid, flags) {
                        client.messages[number as usize - 1].1 = flags;
                        client.view.note_told(ModSeq(mailbox.mod_seq), UidSet::from_ranges([(uid, uid)]));
                    }
                }
                Act::Sync { client, expunges, history } => {
                    let client = &mut clients[client];
                    let news = mailbox.news(client.view.known(), history);
                    let expunges = if expunges { Expunges::Allowed } else { Expunges::Deferred };
                    let updates = client.view.learn(&news, expunges);
                    client.hear(&updates, &mailbox);
                    let held: Vec<u32> = client.messages.iter().map(|(uid, _)| *uid).collect();
                    prop_assert_eq!(client.view.sequence(), &Sequence::from_uids(held.iter().copied()));
                    for (uid, flags) in &client.messages {
                        match mailbox.messages.get(uid) {
                            Some((stored, _)) => prop_assert_eq!(flags, stored, "flags of {}", uid),
                            None => prop_assert!(expunges == Expunges::Deferred && client.view.gone().contains(Uid(*uid))),
                        }
                    }
                    prop_assert!(mailbox.messages.keys().all(|uid| held.contains(uid)));
                }
            }
        }
    }
}
