//! Open mailboxes against a naive model: whatever happens in whatever order, what is in memory is what the store has,
//! and whoever follows the news knows all of it.

use super::{Bounds, Registry};
use crate::mailbox::Entry;
use crate::mailbox::open::{Gone, Head, OpenMailbox, Place};
use crate::mailbox::tests::World;
use crate::store::{FlagChange, FlagVerb, Store};
use crate::types::limits::MAKE_ROOM_TURNS;
use crate::types::{Flags, MailboxId, ModSeq, ThreadId, Uid, UidSet};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Deliver(u32),
    Flag {
        uids: (u32, u32),
        flags: u64,
        remove: bool,
    },
    Expunge {
        uids: (u32, u32),
    },
    MoveAway {
        uids: (u32, u32),
    },
    CopyHere {
        uids: (u32, u32),
    },
    Thread(u32),
    Forget,
    /// Somebody selects it and is not told which messages there are.
    Tell,
    /// A follower looks.
    Look(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let uids = || (1..40_u32, 0..20_u32).prop_map(|(first, count)| (first, first + count));
    prop_oneof![
        (1..5_u32).prop_map(Step::Deliver),
        (uids(), 0..32_u64, any::<bool>()).prop_map(|(uids, flags, remove)| Step::Flag { uids, flags, remove }),
        uids().prop_map(|uids| Step::Expunge { uids }),
        uids().prop_map(|uids| Step::MoveAway { uids }),
        uids().prop_map(|uids| Step::CopyHere { uids }),
        (1..40_u32).prop_map(Step::Thread),
        Just(Step::Forget),
        Just(Step::Tell),
        (0..3_usize).prop_map(Step::Look),
    ]
}

/// What somebody knows who only hears the news.
#[derive(Default)]
struct Follower {
    known: BTreeMap<Uid, (Flags, ModSeq)>,
    through: ModSeq,
}

impl Follower {
    async fn look(&mut self, store: &Store, open: &OpenMailbox) {
        let news = open.news(store, self.through).await.expect("readable");
        match &news.gone {
            Gone::These(uids) => self.known.retain(|uid, _| !uids.contains(*uid)),
            Gone::AllBut(left) => self.known.retain(|uid, _| left.contains(*uid)),
        }
        for entry in &news.changed {
            self.known.insert(entry.uid, (entry.flags, entry.modseq));
        }
        self.through = news.through;
    }
}

async fn run(step: &Step, world: &World, open: &OpenMailbox, other: MailboxId) {
    let store = &world.store;
    let set = |(first, last): (u32, u32)| UidSet::from_ranges([(first, last)]);
    match step {
        Step::Deliver(count) => {
            for number in 0..*count {
                world.deliver(&format!("Subject: {number}\r\n\r\nx")).await;
            }
        }
        Step::Flag { uids, flags, remove } => {
            let verb = if *remove { FlagVerb::Remove } else { FlagVerb::Add };
            let keywords = if flags % 3 == 0 { vec![format!("$K{flags}")] } else { Vec::new() };
            let change = FlagChange {
                uids: set(*uids),
                verb,
                flags: Flags(*flags),
                keywords,
                within: Flags::ALL,
                unchanged_since: None,
            };
            store.change_flags(open.id(), change).await.expect("changed");
        }
        Step::Expunge { uids } => {
            store.remove_messages(open.id(), set(*uids)).await.expect("gone");
        }
        Step::MoveAway { uids } => {
            store.move_messages(open.id(), set(*uids), other, Flags::ALL).await.expect("moved");
        }
        Step::CopyHere { uids } => {
            store.copy(other, set(*uids), open.id(), Flags::ALL).await.expect("copied");
        }
        Step::Thread(uid) => {
            store.set_threads(open.id(), vec![(Uid(*uid), ThreadId(7))]).await.expect("noted");
        }
        Step::Forget => open.forget(),
        Step::Tell | Step::Look(_) => {}
    }
}

async fn same_as_store(store: &Store, open: &OpenMailbox) {
    let state = open.state(store).await.expect("readable");
    let (record, entries) = store.entries(open.id()).await.expect("readable");
    assert_eq!(state.entries().copied().collect::<Vec<Entry>>(), entries);
    assert_eq!(**state.uids(), entries.iter().map(|entry| entry.uid).collect());
    let counters = state.counters();
    assert_eq!(
        (counters.messages, counters.unseen, counters.deleted, counters.octets, counters.deleted_octets),
        (record.messages, record.unseen, record.deleted, record.octets, record.deleted_octets)
    );
    assert_eq!((state.uidnext(), state.highest_modseq()), (record.uidnext, record.highest_modseq));
    assert!(state.keywords().iter().map(AsRef::as_ref).eq(record.keywords.iter().map(String::as_str)));
    let unseen = entries.iter().position(|entry| !entry.flags.contains(Flags::SEEN)).map(|place| place as u32 + 1);
    assert_eq!(state.first_unseen(), unseen);
    for first in [0, 3, 17, 200] {
        let set = UidSet::from_ranges([(first, first + 6), (first + 9, first + 30)]);
        let expected: Vec<&Entry> = entries.iter().filter(|entry| set.contains(entry.uid)).collect();
        assert_eq!(state.entries_of(&set).collect::<Vec<_>>(), expected);
        let mut place = Place::default();
        for uid in (first..first + 9).chain(1..400).chain([first]) {
            assert_eq!(state.entry_near(&mut place, Uid(uid)), state.entry(Uid(uid)));
        }
        assert_eq!(state.entry(Uid(first)), entries.iter().find(|entry| entry.uid.0 == first));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn memory_follows_the_store_and_followers_follow_memory(
        many in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        crate::mailbox::tests::block_on(async {
            let world = World::new().await;
            let other = world.mailbox("Archive").await;
            if many {
                // More than two pages.
                world.deliver_many(300).await;
            }
            let registry = Registry::observing(&world.store);
            let open = registry.open(world.jane, world.inbox);
            let mut followers = [Follower::default(), Follower::default(), Follower::default()];
            let mut told = Vec::new();
            for step in &steps {
                run(step, &world, &open, other).await;
                if let Step::Tell = step {
                    let (record, entries) = world.store.entries(world.inbox).await.expect("readable");
                    let uids: UidSet = entries.iter().map(|entry| entry.uid).collect();
                    told.push((Head::of_record(&record).told(), uids));
                }
                if let Step::Look(which) = step {
                    followers[*which].look(&world.store, &open).await;
                }
            }
            same_as_store(&world.store, &open).await;
            for (told, uids) in told {
                assert_eq!(open.uids_as_told(&world.store, told).await.expect("readable"), uids);
            }
            let state = open.state(&world.store).await.expect("readable");
            let expected: BTreeMap<Uid, (Flags, ModSeq)> =
                state.entries().map(|entry| (entry.uid, (entry.flags, entry.modseq))).collect();
            for follower in &mut followers {
                follower.look(&world.store, &open).await;
                assert_eq!(follower.known, expected);
            }
            world.assert_sound();
        });
    }
}

#[test]
fn what_is_committed_is_there_when_its_author_is_answered() {
    crate::mailbox::tests::block_on(async {
        let world = World::new().await;
        let registry = Registry::observing(&world.store);
        let open = registry.open(world.jane, world.inbox);
        let mut watch = open.watch();
        let before = open.state(&world.store).await.expect("readable");
        for count in 1..=300 {
            world.deliver("Subject: x\r\n\r\ny").await;
            let state = open.state_in_memory().expect("still there");
            assert_eq!(state.counters().messages, count);
            assert!(watch.has_changed().expect("open"));
            assert_eq!(*watch.borrow_and_update(), state.highest_modseq());
        }
        assert_eq!(before.counters().messages, 0, "a snapshot stays what it was");
    });
}

#[test]
fn a_deleted_mailbox_is_gone_for_those_who_have_it_open() {
    crate::mailbox::tests::block_on(async {
        let world = World::new().await;
        let archive = world.mailbox("Archive").await;
        let registry = Registry::observing(&world.store);
        let open = registry.open(world.jane, archive);
        let mut feed = registry.account_feed([world.jane]);
        let watch = open.watch();
        world.store.delete_mailbox(world.jane, &"Archive".parse().expect("a name")).await.expect("deleted");
        assert!(watch.has_changed().expect("open"));
        assert!(open.state(&world.store).await.is_err());
        let event = feed.next().await.expect("open");
        assert_eq!(event.kind, crate::mailbox::EventKind::Deleted("Archive".parse().expect("a name")));
        drop(open);
        assert!(registry.open(world.jane, archive).state(&world.store).await.is_err());
        let inbox = registry.open(world.jane, world.inbox);
        registry.forget_oldest(inbox.id(), bounds(0, 0));
        assert_eq!(registry.len(), 1);
    });
}

fn bounds(messages_max: usize, unused_max: usize) -> Bounds {
    Bounds { messages_max, unused_max }
}

#[test]
fn memory_is_looked_through_when_it_may_be_full() {
    crate::mailbox::tests::block_on(async {
        let world = World::new().await;
        world.deliver_many(10).await;
        let registry = Registry::observing(&world.store);
        let inbox = registry.open(world.jane, world.inbox);
        inbox.state(&world.store).await.expect("readable");
        let archive = registry.open(world.jane, world.mailbox("Archive").await);
        registry.make_room(archive.id(), 10, bounds(10, 0));
        // What was counted is known: as much as is allowed is no reason to look.
        for _ in 0..10 {
            registry.make_room(archive.id(), 0, bounds(10, 0));
            assert!(inbox.state_in_memory().is_some());
        }
        registry.make_room(archive.id(), 1, bounds(10, 0));
        assert!(inbox.state_in_memory().is_some(), "counted anew, it is no more than before");
        registry.make_room(archive.id(), 0, bounds(9, 0));
        assert!(inbox.state_in_memory().is_none());
        drop(archive);
        for _ in 0..MAKE_ROOM_TURNS {
            registry.make_room(inbox.id(), 0, bounds(10, 0));
        }
        assert_eq!(registry.len(), 1, "unused ones are counted from time to time");
    });
}

#[test]
fn only_so_much_is_in_memory_and_what_is_in_use_goes_last() {
    crate::mailbox::tests::block_on(async {
        let world = World::new().await;
        world.deliver_many(10).await;
        let registry = Registry::observing(&world.store);
        let names = ["INBOX", "Archive", "Sent", "Trash"];
        let mut open = Vec::new();
        for name in names {
            let id = world.mailbox(name).await;
            if name != "INBOX" {
                world.store.copy(world.inbox, UidSet::from_ranges([(1, 10)]), id, Flags::ALL).await.expect("copied");
            }
            let mailbox = registry.open(world.jane, id);
            mailbox.state(&world.store).await.expect("readable");
            open.push(mailbox);
        }
        let loaded = |open: &[Arc<OpenMailbox>]| open.iter().filter(|one| one.state_in_memory().is_some()).count();
        let last = open[3].id();
        registry.forget_oldest(last, bounds(40, 0));
        assert_eq!(loaded(&open), 4);
        registry.forget_oldest(last, bounds(35, 0));
        assert_eq!((loaded(&open), open[0].state_in_memory().is_none()), (3, true), "the one longest unused");
        drop(open.remove(2));
        registry.forget_oldest(last, bounds(25, 1));
        assert_eq!((registry.len(), loaded(&open)), (3, 2), "an unused one goes before those in use");
        registry.forget_oldest(last, bounds(0, 0));
        assert_eq!(loaded(&open), 1, "what was just read stays");
        // Forgotten in the middle of a session: it reads again and hears what it missed.
        let through = open[0].state(&world.store).await.expect("read again").highest_modseq();
        open[0].forget();
        world.store.remove_messages(open[0].id(), UidSet::from_ranges([(2, 3)])).await.expect("gone");
        let news = open[0].news(&world.store, through).await.expect("readable");
        assert_eq!(news.gone, Gone::These(UidSet::from_ranges([(2, 3)])));
    });
}
