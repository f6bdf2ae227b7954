//! What caches are told: counters rise with what they hold, whoever waited for the change.

use super::world::{World, block_on, message, new_account};
use crate::store::{Deposit, FilingPlace, NewMailbox, ScriptOwner, VersionSource};
use crate::types::limits::CORRESPONDENTS_MAX;
use crate::types::{KEYWORDS_PER_MAILBOX_MAX, MailboxName, SpecialUse};

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).expect("a name")
}

#[test]
fn mailboxes_made_renamed_removed_and_used_otherwise_are_told() {
    block_on(async {
        let world = World::with_people().await;
        let store = &world.store;
        let jane = world.account("jane@example.test").await;
        let mut last = store.mailbox_generation();
        let mut rose = |what: &str, expected: bool| {
            let now = store.mailbox_generation();
            assert_eq!(now > last, expected, "{what}");
            last = now;
        };
        let new = NewMailbox { name: name("Lists"), special_use: None, subscribe: true };
        let lists = store.create_mailbox(jane, new).await.expect("made");
        rose("made", true);
        store.deposit(message(jane, "Lists", "text")).await.expect("filed");
        rose("a message", false);
        let mut made = message(jane, "Made", "text");
        made.filings[0].place = FilingPlace::Named(name("Made/By/Delivery"));
        store.deposit(made).await.expect("filed");
        rose("made by a delivery", true);
        store.rename_mailbox(jane, &name("Lists"), &name("Others")).await.expect("renamed");
        rose("renamed", true);
        store.set_special_use(lists.id, Some(SpecialUse::Flagged)).await.expect("set");
        rose("another use", true);
        store.delete_mailbox(jane, &name("Others")).await.expect("removed");
        rose("removed", true);
        world.assert_sound();
    });
}

#[test]
fn a_change_whose_caller_went_away_is_told_all_the_same() {
    block_on(async {
        let world = World::with_people().await;
        let store = &world.store;
        let (scripts, directory) = (store.script_generation(), store.directory_generation().await.expect("readable"));
        let put = store.put_script(ScriptOwner::Server, "before", "keep;".to_owned(), VersionSource::default());
        drop_after_first_poll(put).await;
        let add = store.change_directory(directory, vec![new_account("new@example.test", None)]);
        drop_after_first_poll(add).await;
        // Writes are done in the order in which they were asked for, so both are behind this one.
        store.deposit(Deposit::default()).await.expect("done");
        assert!(store.script_generation() > scripts);
        assert_eq!(store.directory_generation().await.expect("readable"), directory + 1);
        assert_eq!(world.reopened().store.directory_generation().await.expect("readable"), directory + 1);
    });
}

async fn drop_after_first_poll<T>(future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
}

#[test]
fn keywords_without_room_are_left_out_of_what_is_filed() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        let mut deposit = message(jane, "INBOX", "text");
        deposit.filings[0].keywords = (0..KEYWORDS_PER_MAILBOX_MAX + 5).map(|number| format!("k{number}")).collect();
        world.store.deposit(deposit).await.expect("filed");
        let inbox = world.store.mailbox(jane, &MailboxName::inbox()).await.expect("readable").expect("there");
        assert_eq!((inbox.messages, inbox.keywords.len()), (1, KEYWORDS_PER_MAILBOX_MAX));
        world.assert_sound();
    });
}

#[test]
fn the_latest_correspondents_are_remembered() {
    block_on(async {
        let world = World::with_people().await;
        let jane = world.account("jane@example.test").await;
        for round in 0..2 {
            let person = |number| (jane, format!("p{round}.{number}@x.example").parse().expect("an address"));
            let correspondents = (0..CORRESPONDENTS_MAX * 3 / 4).map(person).collect();
            world.store.deposit(Deposit { correspondents, ..Deposit::default() }).await.expect("remembered");
            world.clock.advance_seconds(1);
        }
        let store = world.store.clone();
        let all = std::thread::spawn(move || store.correspondents_blocking(jane)).join().expect("ended");
        let all = all.expect("readable");
        let latest = all.iter().filter(|address| address.local().starts_with("p1.")).count();
        assert_eq!((all.len(), latest), (CORRESPONDENTS_MAX as usize, (CORRESPONDENTS_MAX * 3 / 4) as usize));
    });
}
