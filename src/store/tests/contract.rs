//! What any engine must keep, method by method.

use super::world::{NOW, World, address, block_on, filing, large_body, message, new_account, put_mailbox};
use crate::store::{
    Answered, BodyChoice, Deposit, DirectoryChange, DkimAlgorithm, DkimKey, DkimKeyState, DomainKind, Duplicate,
    FilingPlace, FlagChange, FlagVerb, LedgerEntry, LedgerFilter, NewMailbox, ParkReason, ScriptOwner, Store,
    StoreError, Thing, VersionSource, restore,
};
use crate::types::limits::LARGE_MAILBOXES_READ_MAX;
use crate::types::{
    FixedClock, Flags, MailboxName, RedirectionSwitch, SpecialUse, Switches, Target, ThreadId, Uid, UidSet,
};
use std::sync::Arc;

fn uids(text: &[(u32, u32)]) -> UidSet {
    UidSet::from_ranges(text.iter().copied())
}

fn change(uids: UidSet, verb: FlagVerb, flags: Flags, keywords: &[&str]) -> FlagChange {
    let keywords = keywords.iter().map(|name| (*name).to_owned()).collect();
    FlagChange { uids, verb, flags, keywords, within: Flags::ALL, unchanged_since: None }
}

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).expect("a name")
}

#[test]
fn an_account_comes_with_its_mailboxes() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        let names: Vec<String> =
            world.store.mailboxes(jane).await.expect("listed").iter().map(|mailbox| mailbox.name.to_string()).collect();
        assert_eq!(names, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
        assert_eq!(world.store.subscriptions(jane).await.expect("listed").len(), 6);
        let directory = world.store.directory().await.expect("readable");
        assert_eq!((directory.domains.len(), directory.accounts.len(), directory.addresses.len()), (1, 2, 2));
        world.assert_sound();
        world.reopened().assert_sound();
    });
}

#[test]
fn a_change_decided_on_an_old_directory_is_refused_whole() {
    block_on(async {
        let world = World::with_people().await;
        let generation = world.store.directory_generation().await.expect("readable");
        let suspend = DirectoryChange::SuspendAccount(address("jane@example.test"));
        let stale = world.store.change_directory(generation - 1, vec![suspend.clone()]).await;
        assert_eq!(stale, Err(StoreError::Changed));
        let missing = DirectoryChange::SuspendAccount(address("nobody@example.test"));
        let half = world.store.change_directory(generation, vec![suspend, missing]).await;
        assert_eq!(half, Err(StoreError::Missing(Thing::Account)));
        let jane = world.store.account(&address("jane@example.test")).await.expect("readable").expect("there");
        assert_eq!(jane.state, crate::store::AccountState::Active);
        world.assert_sound();
    });
}

#[test]
fn an_addresss_switches_read_back_and_are_versioned() {
    block_on(async {
        let world = World::with_people().await;
        let generation = world.store.directory_generation().await.expect("readable");
        let target = |text: &str, paused| Target { address: address(text), paused };
        let switches = Switches {
            redirection: Some(RedirectionSwitch {
                targets: vec![target("jane@example.test", false), target("out@elsewhere.example", true)],
                keep: false,
                paused: false,
            }),
            ..Switches::default()
        };
        let put = |switches: &Switches, script: &str| DirectoryChange::PutAddress {
            address: address("Team@example.test"),
            switches: switches.clone(),
            reserved: false,
            script: script.to_owned(),
            author: "root".to_owned(),
            cause: "redirect add".to_owned(),
        };
        let generation = world.store.change_directory(generation, vec![put(&switches, "one")]).await.expect("done");
        world
            .store
            .change_directory(generation, vec![put(&switches, "two"), put(&switches, "two")])
            .await
            .expect("done");
        let record = world.store.address(&address("TEAM@example.test")).await.expect("readable").expect("there");
        assert_eq!((record.switches, record.compiled_version), (switches, 2));
        let history = world.store.compiled_history(&address("team@example.test"), 10).await.expect("readable");
        assert_eq!(history.iter().map(|version| version.text.as_str()).collect::<Vec<_>>(), ["two", "one"]);
        world.assert_sound();
    });
}

#[test]
fn parking_takes_an_account_out_of_reach_and_back_unchanged() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        world.store.deposit(message(jane, "INBOX", "hello")).await.expect("filed");
        let before = world.store.mailboxes(jane).await.expect("listed");
        let generation = world.store.directory_generation().await.expect("readable");
        let park = DirectoryChange::ParkAccount {
            address: address("jane@example.test"),
            why: ParkReason::Removed,
            until: NOW.plus_seconds(100),
        };
        let remove = DirectoryChange::RemoveAddress(address("jane@example.test"));
        let generation = world.store.change_directory(generation, vec![park, remove]).await.expect("parked");
        assert_eq!(world.store.account(&address("jane@example.test")).await, Ok(None));
        assert_eq!(world.store.parked_accounts(&address("jane@example.test")).await.expect("readable").len(), 1);
        world.assert_sound();
        let back = vec![DirectoryChange::UnparkAccount(jane), put_mailbox("jane@example.test")];
        let generation = world.store.change_directory(generation, back).await.expect("restored");
        assert_eq!(world.store.mailboxes(jane).await.expect("listed"), before);
        world.assert_sound();
        let park = DirectoryChange::ParkAccount {
            address: address("jane@example.test"),
            why: ParkReason::Removed,
            until: NOW.plus_seconds(100),
        };
        let remove = DirectoryChange::RemoveAddress(address("jane@example.test"));
        world.store.change_directory(generation, vec![park, remove]).await.expect("parked again");
        assert_eq!(world.store.overdue_accounts().await, Ok(Vec::new()));
        world.clock.advance_seconds(101);
        assert_eq!(world.store.overdue_accounts().await, Ok(vec![jane]));
        world.store.purge_account(jane).await.expect("purged");
        world.assert_sound();
        world.clock.advance_seconds(3600);
        assert_eq!(world.store.purge_orphans().await, Ok(1));
        world.assert_sound();
    });
}

#[test]
fn a_domain_goes_only_when_nothing_lives_in_it() {
    block_on(async {
        let world = World::with_people().await;
        let generation = world.store.directory_generation().await.expect("readable");
        let domain: crate::types::Domain = "example.test".parse().expect("a domain");
        let remove = vec![DirectoryChange::RemoveDomain(domain.clone())];
        let refused = world.store.change_directory(generation, remove).await;
        assert_eq!(refused, Err(StoreError::InUse(Thing::Address)));
        let kind = DomainKind::Split { host: "other.example".to_owned(), port: 2525 };
        let set = DirectoryChange::SetDomain {
            name: domain.clone(),
            kind: kind.clone(),
            catch_all: Some(address("jane@example.test")),
        };
        world.store.change_directory(generation, vec![set]).await.expect("changed");
        let record = world.store.domain(&domain).await.expect("readable").expect("there");
        assert_eq!((record.kind, record.catch_all), (kind, Some(address("jane@example.test"))));
    });
}

#[test]
fn one_deposit_files_one_body_for_many() {
    block_on(async {
        let world = World::with_people().await;
        let (jane, john) = (world.account("jane@example.test").await, world.account("john@example.test").await);
        let mut deposit = message(jane, "INBOX", "hello");
        deposit.filings.push(filing(john, "Lists/Rust", Flags::FLAGGED));
        deposit.filings[1].keywords = vec!["$Work".to_owned()];
        deposit.ledger.push(LedgerEntry {
            event: "received".to_owned(),
            message_id: "<1@example.test>".to_owned(),
            addresses: vec!["jane@example.test".to_owned(), "john@example.test".to_owned()],
            ..LedgerEntry::default()
        });
        let deposited = world.store.deposit(deposit).await.expect("filed");
        assert_eq!(deposited.filed[0].body, deposited.filed[1].body);
        assert_eq!(world.store.body_octets(deposited.filed[0].body).await, Ok(b"hello".to_vec()));
        let lists = world.store.mailbox(john, &name("Lists/Rust")).await.expect("readable").expect("was made");
        assert_eq!((lists.messages, lists.unseen, lists.keywords.as_slice()), (1, 1, &["$Work".to_owned()][..]));
        assert!(world.store.mailbox(john, &name("Lists")).await.expect("readable").is_some());
        let (_, entries) = world.store.entries(lists.id).await.expect("readable");
        assert_eq!(entries[0].flags, Flags::FLAGGED.with(Flags::keyword(0)));
        assert_eq!((entries[0].internal_seconds, entries[0].internal_zone_minutes), (NOW.seconds(), 60));
        let events = world.store.ledger(LedgerFilter::Address("john@example.test".to_owned()), 5).await;
        assert_eq!(events.expect("readable").len(), 1);
        let events = world.store.ledger(LedgerFilter::Address("john".to_owned()), 5).await;
        assert_eq!(events.expect("readable").len(), 0);
        world.assert_sound();
    });
}

#[test]
fn a_full_account_refuses_and_nothing_of_the_deposit_stays() {
    block_on(async {
        let world = World::with_people().await;
        let (jane, john) = (world.account("jane@example.test").await, world.account("john@example.test").await);
        let big = "x".repeat(100_001);
        let mut deposit = message(john, "INBOX", &big);
        deposit.filings.push(filing(jane, "INBOX", Flags::NONE));
        assert_eq!(world.store.deposit(deposit).await, Err(StoreError::OverQuota(jane)));
        let inbox = world.store.mailbox(john, &MailboxName::inbox()).await.expect("readable").expect("there");
        assert_eq!(inbox.messages, 0);
        world.assert_sound();
        world.store.deposit(message(john, "INBOX", &big)).await.expect("john has no quota");
        world.assert_sound();
    });
}

#[test]
fn special_uses_are_found_by_use_then_by_name() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        world.store.rename_mailbox(jane, &name("Junk"), &name("Müll/Spam")).await.expect("renamed");
        let mut deposit = message(jane, "INBOX", "spam");
        deposit.filings[0].place = FilingPlace::Special(SpecialUse::Junk, name("Junk"));
        world.store.deposit(deposit.clone()).await.expect("filed");
        let junk = world.store.mailbox(jane, &name("Müll/Spam")).await.expect("readable").expect("there");
        assert_eq!(junk.messages, 1);
        world.store.set_special_use(junk.id, None).await.expect("cleared");
        world.store.deposit(deposit).await.expect("filed");
        let junk = world.store.mailbox(jane, &name("Junk")).await.expect("readable").expect("was made");
        assert_eq!(junk.messages, 1);
        world.assert_sound();
    });
}

#[test]
fn large_bodies_come_ahead_and_back_in_chunks() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("john@example.test").await;
        // Neither repeated nor random: some chunks compress, some don't.
        let text: String = (0..90_000_u32).map(|n| format!("{:x} ", n.wrapping_mul(2_654_435_761))).collect();
        let stored = world.store.put_body(large_body(&text)).await.expect("stored");
        world.assert_sound();
        let mut deposit = Deposit { filings: vec![filing(jane, "INBOX", Flags::NONE)], ..Deposit::default() };
        deposit.filings[0].body = BodyChoice::Stored(stored);
        world.store.deposit(deposit).await.expect("filed");
        let mut raw = Vec::new();
        let mut position = 0;
        while let Some(chunk) = world.store.body_chunk(stored, position).await.expect("readable") {
            assert!(chunk.len() <= crate::types::limits::BODY_CHUNK_OCTETS);
            raw.extend(chunk);
            position += 1;
        }
        assert!(raw == text.as_bytes() && position > 2);
        assert_eq!(world.store.body_octets(stored).await.expect("whole"), raw);
        assert_eq!(world.store.search_text(stored).await.expect("readable").expect("there"), text.as_bytes());
        world.assert_sound();
    });
}

/// Enough messages for several pages.
async fn fill(world: &World, count: u32) -> crate::types::MailboxId {
    let jane = world.account("john@example.test").await;
    for number in 0..count {
        world.store.deposit(message(jane, "INBOX", &format!("message {number}"))).await.expect("filed");
    }
    world.store.mailbox(jane, &MailboxName::inbox()).await.expect("readable").expect("there").id
}

#[test]
fn flags_change_by_page_and_tell_what_changed() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 300).await;
        let start = world.store.mailbox_by_id(inbox).await.expect("readable").expect("there").highest_modseq;
        let set = change(uids(&[(100, 200), (290, 400)]), FlagVerb::Add, Flags::SEEN, &["$A"]);
        let outcome = world.store.change_flags(inbox, set.clone()).await.expect("changed");
        assert_eq!((outcome.changed.to_string().as_str(), outcome.before), ("100:200,290:300", start));
        let again = world.store.change_flags(inbox, set).await.expect("nothing to change");
        assert_eq!((again.changed.count(), again.modseq, Some(again.before)), (0, None, outcome.modseq));
        let changes = world.store.changes_since(inbox, start).await.expect("readable");
        assert_eq!(changes.changed.len(), 112);
        assert!(changes.changed.iter().all(|entry| entry.flags == Flags::SEEN.with(Flags::keyword(0))));
        assert_eq!((changes.mailbox.unseen, changes.expunged), (188, Some(UidSet::new())));
        let mut guarded = change(uids(&[(1, 120)]), FlagVerb::Replace, Flags::DELETED, &[]);
        guarded.unchanged_since = Some(start);
        let outcome = world.store.change_flags(inbox, guarded).await.expect("changed");
        assert_eq!((outcome.changed.count(), outcome.modified.to_string().as_str()), (99, "100:120"));
        let remove = change(uids(&[(1, 300)]), FlagVerb::Remove, Flags::SEEN, &["$A", "$Unknown"]);
        world.store.change_flags(inbox, remove).await.expect("changed");
        let record = world.store.mailbox_by_id(inbox).await.expect("readable").expect("there");
        assert_eq!((record.unseen, record.deleted, record.keywords.len()), (300, 99, 1));
        world.assert_sound();
    });
}

#[test]
fn keywords_end_at_their_limit() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 1).await;
        let all: Vec<String> = (0..57).map(|number| format!("k{number}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let add = |names: &[&str]| change(uids(&[(1, 1)]), FlagVerb::Add, Flags::NONE, names);
        world.store.change_flags(inbox, add(&all[..56])).await.expect("56 fit");
        let refused = world.store.change_flags(inbox, add(&all[56..])).await;
        assert_eq!(refused, Err(StoreError::Limit("keywords of a mailbox")));
        world.store.change_flags(inbox, add(&["K5"])).await.expect("known, whatever its case");
        world.assert_sound();
    });
}

#[test]
fn expunge_keeps_history_and_uids_never_return() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 300).await;
        let start = world.store.mailbox_by_id(inbox).await.expect("readable").expect("there").highest_modseq;
        let delete = change(uids(&[(2, 140), (299, 300)]), FlagVerb::Add, Flags::DELETED, &[]);
        world.store.change_flags(inbox, delete).await.expect("flagged");
        let (gone, _) = world.store.expunge(inbox, Some(uids(&[(1, 100)]))).await.expect("expunged");
        assert_eq!(gone.to_string(), "2:100");
        let (gone, _) = world.store.expunge(inbox, None).await.expect("expunged");
        assert_eq!(gone.to_string(), "101:140,299:300");
        assert_eq!(world.store.expunge(inbox, None).await, Ok((UidSet::new(), None)));
        let changes = world.store.changes_since(inbox, start).await.expect("readable");
        assert_eq!(changes.expunged.expect("history").to_string(), "2:140,299:300");
        assert_eq!(fill(&world, 1).await, inbox);
        let (record, entries) = world.store.entries(inbox).await.expect("readable");
        assert_eq!((entries.len(), entries[entries.len() - 1].uid), (160, Uid(301)));
        assert_eq!(record.uidnext, Uid(302));
        world.assert_sound();
        world.clock.advance_seconds(3600);
        assert_eq!(world.store.purge_orphans().await, Ok(141));
        world.assert_sound();
    });
}

#[test]
fn a_large_mailbox_is_read_in_parts_and_as_of_one_moment() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 1).await;
        for doubled in 0..13 {
            world.store.copy(inbox, uids(&[(1, 1 << doubled)]), inbox, Flags::ALL).await.expect("copied");
        }
        let (record, entries) = world.store.entries(inbox).await.expect("readable");
        assert_eq!((record.messages, entries.len()), (8192, 8192));
        let (same, pages) = world.store.entry_pages(inbox).await.expect("readable");
        assert!(same == record && pages.concat() == entries && pages.iter().all(|page| !page.is_empty()));
        // Each change marks a message of every part, so that a reading of two moments has a count that is wrong.
        let changed_all = std::cell::Cell::new(false);
        let changing = async {
            for round in 1..=40_u32 {
                let everywhere = (0..8).map(|part| part * 1000 + round).map(|uid| (uid, uid)).collect::<Vec<_>>();
                let seen = change(uids(&everywhere), FlagVerb::Add, Flags::SEEN, &[]);
                world.store.change_flags(inbox, seen).await.expect("changed");
            }
            changed_all.set(true);
        };
        let reading = async {
            while !changed_all.get() {
                let (record, pages) = world.store.entry_pages(inbox).await.expect("readable");
                let seen = pages.iter().flatten().filter(|entry| entry.flags.contains(Flags::SEEN)).count();
                assert_eq!((record.messages - record.unseen) as usize, seen);
                assert_eq!(pages.iter().flatten().map(|entry| entry.modseq).max(), Some(record.highest_modseq));
            }
        };
        tokio::join!(changing, reading);
        world.assert_sound();
    });
}

#[test]
fn a_small_mailbox_is_read_while_large_ones_wait_their_turn() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 1).await;
        for doubled in 0..13 {
            world.store.copy(inbox, uids(&[(1, 1 << doubled)]), inbox, Flags::ALL).await.expect("copied");
        }
        let john = world.account("john@example.test").await;
        let archive = world.store.mailbox(john, &name("Archive")).await.expect("readable").expect("there").id;
        let all_turns = u32::try_from(LARGE_MAILBOXES_READ_MAX).expect("a few");
        let turns = world.store.0.large_mailboxes.acquire_many(all_turns).await.expect("open");
        let mut large = std::pin::pin!(world.store.entry_pages(inbox));
        tokio::select! {
            biased;
            _ = &mut large => panic!("there was no turn for it"),
            small = world.store.entry_pages(archive) => assert_eq!(small.expect("readable").1.len(), 0),
        }
        let seen = change(uids(&[(1, 8192)]), FlagVerb::Add, Flags::SEEN, &[]);
        world.store.change_flags(inbox, seen).await.expect("changed");
        drop(turns);
        let (record, pages) = large.await.expect("readable");
        assert_eq!(record.unseen, 0, "what happened while it waited is in it");
        assert_eq!(pages.iter().flatten().filter(|entry| entry.flags.contains(Flags::SEEN)).count(), 8192);
        world.assert_sound();
    });
}

#[test]
fn copies_and_moves_share_bodies_and_keep_dates() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 200).await;
        let john = world.account("john@example.test").await;
        let archive = world.store.mailbox(john, &name("Archive")).await.expect("readable").expect("there").id;
        world.store.change_flags(archive, change(uids(&[]), FlagVerb::Add, Flags::NONE, &[])).await.expect("nothing");
        let mark = change(uids(&[(50, 60)]), FlagVerb::Add, Flags::SEEN, &["$B"]);
        world.store.change_flags(inbox, mark).await.expect("flagged");
        let outcome =
            world.store.copy(inbox, uids(&[(41, 55), (900, 901)]), archive, Flags::ALL).await.expect("copied");
        assert_eq!((outcome.sources.len(), outcome.copies[0]), (15, Uid(1)));
        world.assert_sound();
        let outcome = world.store.move_messages(inbox, uids(&[(1, 150)]), archive, Flags::ALL).await.expect("moved");
        assert_eq!((outcome.sources.len(), outcome.copies[0]), (150, Uid(16)));
        let (record, entries) = world.store.entries(archive).await.expect("readable");
        assert_eq!((entries.len(), record.keywords.as_slice()), (165, &["$B".to_owned()][..]));
        assert_eq!(entries.iter().filter(|entry| entry.flags.contains(Flags::keyword(0))).count(), 17);
        assert!(entries.iter().all(|entry| entry.internal_seconds == NOW.seconds()));
        let (_, left) = world.store.entries(inbox).await.expect("readable");
        assert_eq!((left.len(), left[0].uid), (50, Uid(151)));
        world.store.delete_mailbox(john, &name("Archive")).await.expect("deleted");
        world.assert_sound();
        assert_eq!(world.store.mailbox_by_id(archive).await, Ok(None));
        assert_eq!(world.store.purge_removed_mailboxes().await, Ok(true));
        assert_eq!(world.store.purge_removed_mailboxes().await, Ok(false));
        world.assert_sound();
        let jane = world.account("jane@example.test").await;
        let theirs = world.store.mailbox(jane, &MailboxName::inbox()).await.expect("readable").expect("there").id;
        world
            .store
            .move_messages(inbox, uids(&[(151, 160)]), theirs, Flags::ALL)
            .await
            .expect("moved to another account");
        world.assert_sound();
    });
}

#[test]
fn mailboxes_rename_with_what_is_below_them() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        let new = |text: &str| NewMailbox { name: name(text), special_use: None, subscribe: false };
        let made = world.store.create_mailbox(jane, new("a/b/c")).await.expect("made");
        let again = world.store.create_mailbox(jane, new("a/b/c")).await;
        assert_eq!(again, Err(StoreError::Exists(Thing::Mailbox)));
        world.store.rename_mailbox(jane, &name("a/b"), &name("x/y")).await.expect("renamed");
        let found = world.store.mailbox(jane, &name("x/y/c")).await.expect("readable").expect("there");
        assert_eq!((found.id, found.uidvalidity), (made.id, made.uidvalidity));
        let inside = world.store.rename_mailbox(jane, &name("x"), &name("x/y/z")).await;
        assert_eq!(inside, Err(StoreError::InUse(Thing::Mailbox)));
        assert_eq!(
            world.store.delete_mailbox(jane, &MailboxName::inbox()).await,
            Err(StoreError::InUse(Thing::Mailbox))
        );
        world.store.delete_mailbox(jane, &name("x/y/c")).await.expect("deleted");
        let remade = world.store.create_mailbox(jane, new("x/y/c")).await.expect("made again");
        assert!(remade.uidvalidity > made.uidvalidity && remade.id > made.id);
        world.assert_sound();
    });
}

#[test]
fn threads_are_noted_without_a_change_anybody_sees() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 130).await;
        let before = world.store.mailbox_by_id(inbox).await.expect("readable").expect("there");
        world.store.set_threads(inbox, vec![(Uid(3), ThreadId(7)), (Uid(130), ThreadId(8))]).await.expect("noted");
        let (after, entries) = world.store.entries(inbox).await.expect("readable");
        assert_eq!(before, after);
        assert_eq!(
            (entries[2].thread, entries[129].thread, entries[0].thread),
            (ThreadId(7), ThreadId(8), ThreadId(0))
        );
    });
}

#[test]
fn memories_are_kept_until_their_time() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        let mut deposit = message(jane, "INBOX", "hello");
        deposit.answered.push(Answered {
            address: address("Info@example.test"),
            sender: address("Asker@elsewhere.example"),
            handle: "window 1".to_owned(),
            until: NOW.plus_seconds(10),
        });
        deposit.duplicates.push(Duplicate { account: jane, id: b"id".to_vec(), until: NOW.plus_seconds(20) });
        world.store.deposit(deposit).await.expect("filed");
        let store = world.store.clone();
        let asked = std::thread::spawn(move || {
            let (info, asker) = (address("info@example.test"), address("asker@elsewhere.example"));
            (
                store.answered_until_blocking(&info, &asker, "window 1"),
                store.answered_until_blocking(&info, &asker, "window 2"),
                store.duplicate_until_blocking(jane, b"id"),
            )
        });
        let expected = (Ok(Some(NOW.plus_seconds(10))), Ok(None), Ok(Some(NOW.plus_seconds(20))));
        assert_eq!(asked.join().expect("answers"), expected);
        world.clock.advance_seconds(15);
        assert_eq!(world.store.forget_memories().await, Ok(1));
        world.clock.advance_seconds(15);
        assert_eq!(world.store.forget_memories().await, Ok(1));
    });
}

#[test]
fn scripts_have_versions_an_order_and_an_end() {
    block_on(async {
        let world = World::with_people().await;
        let owner = ScriptOwner::Account(world.account("jane@example.test").await);
        let source = VersionSource { author: "jane".to_owned(), ..VersionSource::default() };
        let put = |name: &'static str, text: &'static str| {
            world.store.put_script(owner, name, text.to_owned(), source.clone())
        };
        assert_eq!(put("a", "keep;").await, Ok(1));
        assert_eq!(put("a", "keep;").await, Ok(1));
        assert_eq!(put("a", "stop;").await, Ok(2));
        assert_eq!(put("b", "discard;").await, Ok(1));
        world.store.activate_scripts(owner, vec!["b".to_owned(), "a".to_owned()]).await.expect("active");
        let active = world.store.active_scripts(owner).await.expect("readable");
        assert_eq!(active.iter().map(|script| script.text.as_str()).collect::<Vec<_>>(), ["discard;", "stop;"]);
        assert_eq!(world.store.remove_script(owner, "a").await, Err(StoreError::InUse(Thing::Script)));
        let missing = world.store.activate_scripts(owner, vec!["c".to_owned()]).await;
        assert_eq!(missing, Err(StoreError::Missing(Thing::Script)));
        assert_eq!(world.store.active_scripts(owner).await.expect("readable").len(), 2);
        assert_eq!(world.store.rename_script(owner, "a", "b").await, Err(StoreError::Exists(Thing::Script)));
        world.store.activate_scripts(owner, Vec::new()).await.expect("none active");
        world.store.remove_script(owner, "b").await.expect("removed");
        let first = world.store.script(owner, "a", Some(1)).await.expect("readable").expect("kept");
        assert_eq!((first.text.as_str(), first.version), ("keep;", 1));
        assert_eq!(world.store.script_history(owner, "a").await.expect("readable").len(), 2);
        assert_eq!(world.store.scripts(owner).await.expect("readable").len(), 1);
        world.assert_sound();
    });
}

#[test]
fn keys_and_settings_read_back() {
    block_on(async {
        let world = World::with_people().await;
        let domain: crate::types::Domain = "example.test".parse().expect("a domain");
        let key = DkimKey {
            selector: "s1".to_owned(),
            algorithm: DkimAlgorithm::Ed25519Sha256,
            private_key: vec![1],
            public_key: vec![2],
            state: DkimKeyState::Next,
            created: NOW,
            since: NOW,
        };
        let keys = || world.store.dkim_keys(&domain);
        let replace = async |known: &[DkimKey], keys: &[DkimKey]| {
            world.store.replace_dkim_keys(&domain, known.to_vec(), keys.to_vec()).await
        };
        assert_eq!(world.store.domains_without_dkim_keys().await, Ok(vec![domain.clone()]));
        let generation = world.store.dkim_key_generation();
        replace(&[], std::slice::from_ref(&key)).await.expect("kept");
        assert!(world.store.dkim_key_generation() > generation);
        assert_eq!(world.store.domains_without_dkim_keys().await, Ok(vec![]));
        assert_eq!(keys().await, Ok(vec![key.clone()]));
        let signing = DkimKey { state: DkimKeyState::Signing, since: NOW.plus_seconds(9), ..key.clone() };
        // Whoever decided on what is there no longer has to decide again.
        assert_eq!(replace(&[], std::slice::from_ref(&signing)).await, Err(StoreError::Changed));
        assert_eq!(keys().await, Ok(vec![key.clone()]));
        replace(&[key], std::slice::from_ref(&signing)).await.expect("changed");
        assert_eq!(keys().await, Ok(vec![signing.clone()]));
        let old = async |signing: i64, next: i64| {
            let (signing, next) = (NOW.plus_seconds(signing), NOW.plus_seconds(next));
            world.store.domains_with_old_dkim_keys(signing, next, NOW.plus_seconds(99)).await.expect("readable").len()
        };
        assert_eq!((old(8, 99).await, old(9, 0).await), (0, 1));
        let elsewhere = "nowhere.example".parse().expect("a domain");
        let missing = world.store.replace_dkim_keys(&elsewhere, vec![], vec![signing]).await;
        assert_eq!(missing, Err(StoreError::Missing(Thing::Domain)));
        assert_eq!(world.store.setting_or_insert("x", "1".to_owned()).await, Ok("1".to_owned()));
        assert_eq!(world.store.setting_or_insert("x", "2".to_owned()).await, Ok("1".to_owned()));
        world.store.set_setting("x", "3".to_owned()).await.expect("set");
        assert_eq!(world.store.setting("x").await, Ok(Some("3".to_owned())));
    });
}

#[test]
fn observers_hear_of_commits_and_of_nothing_else() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let ear = heard.clone();
        world.store.observe(move |touched| ear.lock().expect("not poisoned").extend_from_slice(touched));
        let refused = message(jane, "INBOX", &"x".repeat(200_000));
        world.store.deposit(refused).await.expect_err("over quota");
        let filed = world.store.deposit(message(jane, "INBOX", "hello")).await.expect("filed").filed[0];
        // The observer runs before the answer.
        let heard = heard.lock().expect("not poisoned").clone();
        assert_eq!(
            heard.iter().map(|touched| (touched.mailbox, touched.modseq)).collect::<Vec<_>>(),
            [(Some(filed.mailbox), filed.modseq)]
        );
        let (_, entries) = world.store.entries(filed.mailbox).await.expect("readable");
        let crate::store::Change::Messages(change) = &heard[0].change else { panic!("{heard:?}") };
        assert_eq!((&change.changed, change.uidnext, change.before < filed.modseq), (&entries, Uid(2), true));
    });
}

#[test]
fn a_directory_has_one_owner_and_no_newer_database() {
    let world = World::bare();
    let second = Store::open(world.directory.path(), world.clock.clone()).map(|_| ());
    assert!(matches!(second, Err(StoreError::Owned(_))), "{second:?}");
    let World { store, clock, directory } = world;
    drop(store);
    let file = directory.path().join(crate::store::DATABASE_FILE);
    let database = rusqlite_connection(&file);
    database.execute_batch("PRAGMA user_version = 99").expect("set");
    drop(database);
    let before = std::fs::read(&file).expect("readable");
    let newer = Store::open(directory.path(), clock).map(|_| ());
    assert!(matches!(newer, Err(StoreError::NewerVersion { found: 99, .. })), "{newer:?}");
    assert!(before == std::fs::read(&file).expect("readable"), "a newer database was touched");
}

#[test]
fn databases_of_other_programs_are_left_alone() {
    for version in [0, 3] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join(crate::store::DATABASE_FILE);
        let theirs = rusqlite_connection(&file);
        theirs
            .execute_batch(&format!("CREATE TABLE songs (title TEXT); PRAGMA user_version = {version}"))
            .expect("made");
        drop(theirs);
        let clock = Arc::new(FixedClock::at(NOW));
        let opened = Store::open(directory.path(), clock).map(|_| ());
        assert!(matches!(&opened, Err(StoreError::Damaged(what)) if what.contains("another program")), "{opened:?}");
        let tables = rusqlite_connection(&file).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        assert_eq!(tables, Ok(1), "{version}");
    }
}

fn rusqlite_connection(file: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file).expect("opens")
}

#[test]
fn a_backup_restores_and_gives_no_number_out_twice() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 20).await;
        let file = world.directory.path().join("backup.db");
        let mut last = (0, 0);
        world.store.backup(&file, &mut |done, all| last = (done, all)).expect("backed up");
        assert!(last.1 > 0 && last.0 == last.1);
        assert!(crate::store::verify_file(&file, &mut |_, _| {}).expect("verifiable").is_empty());
        fill(&world, 5).await;
        let modseq = world.store.mailbox_by_id(inbox).await.expect("readable").expect("there").highest_modseq;
        let World { store, clock, directory } = world;
        let busy = restore(directory.path(), &file, &mut |_, _| {});
        assert!(matches!(busy, Err(StoreError::Owned(_))), "{busy:?}");
        drop(store);
        let kept = restore(directory.path(), &file, &mut |_, _| {}).expect("restored");
        let before = directory.path().join("mail.db.before-restore");
        assert_eq!(kept.as_ref(), Some(&before));
        let octets = std::fs::read(&before).expect("kept");
        // Once more: what was there first is not lost to it.
        let kept = restore(directory.path(), &file, &mut |_, _| {}).expect("restored");
        assert_eq!(kept, Some(directory.path().join("mail.db.before-restore.2")));
        assert!(octets == std::fs::read(&before).expect("kept"), "the first one was replaced");
        let empty = tempfile::tempdir().expect("a directory");
        assert_eq!(restore(empty.path(), &file, &mut |_, _| {}), Ok(None));
        let store = Store::open(directory.path(), clock.clone()).expect("opens");
        let world = World { store, clock, directory };
        let record = world.store.mailbox_by_id(inbox).await.expect("readable").expect("there");
        assert!(record.messages == 20 && record.uidnext > Uid(26) && record.expunge_floor > modseq);
        world.assert_sound();
        fill(&world, 1).await;
        world.assert_sound();
    });
}

#[test]
fn what_is_stored_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt;
    block_on(async {
        // Made by somebody who did not think of it.
        let directory = tempfile::tempdir().expect("a directory");
        let open_to_all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open_to_all).expect("permitted");
        let clock = World::bare().clock.clone();
        let store = Store::open(directory.path(), clock).expect("opens");
        store.directory_generation().await.expect("readable");
        for entry in std::fs::read_dir(directory.path()).expect("readable").flatten() {
            let mode = entry.metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} {mode:o}", entry.path());
        }
    });
}

#[test]
fn a_backup_takes_the_place_of_nothing_else() {
    block_on(async {
        let world = World::with_people().await;
        let at = |name: &str| world.directory.path().join(name);
        let elsewhere = tempfile::tempdir().expect("a directory");
        let (pipe, link) = (elsewhere.path().join("pipe"), elsewhere.path().join("link"));
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        std::os::unix::fs::symlink(world.directory.path(), &link).expect("a link");
        let check = |to: &std::path::Path, expected: &str| {
            let refused = world.store.backup(to, &mut |_, _| {});
            assert!(matches!(&refused, Err(StoreError::Place(why)) if why.contains(expected)), "{refused:?}");
        };
        check(&pipe, "this is a pipe");
        check(&link, "this is a symbolic link");
        check(elsewhere.path(), "this is a directory");
        // The database that everybody works with, by any name.
        check(&at("mail.db"), "the server's own");
        check(&at("mail.db.restored"), "the server's own");
        check(&link.join("mail.db"), "the server's own");
        world.store.backup(&elsewhere.path().join("backup.db"), &mut |_, _| {}).expect("backed up");
        assert_eq!(std::fs::read_dir(elsewhere.path()).expect("readable").count(), 3);
        world.assert_sound();
    });
}

#[test]
fn a_page_that_can_not_be_read_is_found_and_the_rest_is_looked_at() {
    block_on(async {
        let world = World::with_people().await;
        let inbox = fill(&world, 3).await;
        let path = world.store.directory_path().join(crate::store::DATABASE_FILE);
        let database = rusqlite_connection(&path);
        database.execute_batch("UPDATE page SET entries = substr(entries, 1, 61)").expect("damaged");
        let findings = world.store.verify(&mut |_, _| {}).expect("looked at");
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(texts.contains(&format!("mailbox {inbox}: page 1: the database is damaged: a page of 61 octets")));
        assert!(
            texts.iter().any(|text| text.contains("named 0 times") || text.contains("nothing names it")),
            "{texts:?}"
        );
    });
}

#[test]
fn a_damaged_backup_is_not_restored() {
    block_on(async {
        let world = World::with_people().await;
        fill(&world, 3).await;
        let file = world.directory.path().join("backup.db");
        world.store.backup(&file, &mut |_, _| {}).expect("backed up");
        let database = rusqlite_connection(&file);
        database.execute_batch("UPDATE mailbox SET unseen = unseen + 1").expect("damaged");
        drop(database);
        let target = tempfile::tempdir().expect("a directory");
        let refused = restore(target.path(), &file, &mut |_, _| {});
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
        assert!(!target.path().join("mail.db").exists());
        let none = restore(target.path(), &target.path().join("none"), &mut |_, _| {});
        assert!(matches!(none, Err(StoreError::ReadOnly(_))), "{none:?}");
    });
}

#[test]
fn an_account_made_twice_is_refused() {
    block_on(async {
        let world = World::with_people().await;
        let generation = world.store.directory_generation().await.expect("readable");
        let again = world.store.change_directory(generation, vec![new_account("Jane@example.test", None)]).await;
        assert_eq!(again, Err(StoreError::Exists(Thing::Account)));
        world.assert_sound();
    });
}
