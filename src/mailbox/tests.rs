//! A small house to test in, and the tests at the service's border.

use crate::mailbox::{
    FlagRequest, FlagVerb, MailboxError, Mailboxes, NewMessage, Prepared, Rights, RightsChange, Settings, Standing,
    index,
};
use crate::store::{
    BodyChoice, Deposit, DirectoryChange, DomainKind, Filing, FilingPlace, Names, NewAccount, NewDomain, Store,
};
use crate::types::{
    AccountId, Address, FixedClock, Flags, MailboxId, MailboxName, ModSeq, SpecialUse, Switches, Timestamp, Uid, UidSet,
};
use std::sync::Arc;
use std::task::Poll;

pub(super) const NOW: Timestamp = Timestamp(1_790_000_000_000);

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

pub(super) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).expect("a name")
}

/// One domain, two accounts, everything in a directory that goes away.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) mail: Mailboxes,
    pub(super) clock: Arc<FixedClock>,
    pub(super) jane: AccountId,
    pub(super) john: AccountId,
    /// Jane's.
    pub(super) inbox: MailboxId,
    _directory: tempfile::TempDir,
}

fn person(address: &str) -> [DirectoryChange; 2] {
    let address: Address = address.parse().expect("an address");
    [
        DirectoryChange::AddAccount(NewAccount {
            address: address.clone(),
            names: Names::default(),
            administrator: false,
            quota_octets: None,
            credentials: None,
        }),
        DirectoryChange::PutAddress {
            address,
            switches: Switches { mailbox: true, ..Switches::default() },
            reserved: false,
            script: "keep;\r\n".to_owned(),
            author: String::new(),
            cause: String::new(),
        },
    ]
}

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(directory.path(), clock.clone()).expect("opens");
        let domain = NewDomain {
            name: "example.test".parse().expect("a domain"),
            kind: DomainKind::Authoritative,
            catch_all: None,
        };
        let mut changes = vec![DirectoryChange::AddDomain(domain)];
        changes.extend(person("jane@example.test"));
        changes.extend(person("john@example.test"));
        store.change_directory(0, changes).await.expect("two people");
        let account = async |address: &str| {
            let address = address.parse().expect("an address");
            store.account(&address).await.expect("readable").expect("an account").id
        };
        let (jane, john) = (account("jane@example.test").await, account("john@example.test").await);
        let inbox = store.mailbox(jane, &MailboxName::inbox()).await.expect("readable").expect("there").id;
        let mail = Mailboxes::new(store.clone(), Settings::default()).expect("a directory");
        Self { store, mail, clock, jane, john, inbox, _directory: directory }
    }

    /// One of Jane's.
    pub(super) async fn mailbox(&self, mailbox: &str) -> MailboxId {
        self.store.mailbox(self.jane, &name(mailbox)).await.expect("readable").expect("there").id
    }

    /// Into Jane's INBOX.
    pub(super) async fn deliver(&self, raw: &str) {
        self.deposit(vec![raw]).await;
    }

    pub(super) async fn deliver_many(&self, count: usize) {
        self.deposit(vec!["Subject: many\r\n\r\nmany"; count]).await;
    }

    async fn deposit(&self, messages: Vec<&str>) {
        let mut deposit = Deposit::default();
        for (number, raw) in messages.into_iter().enumerate() {
            deposit.bodies.push(index(raw.as_bytes()).expect("packs"));
            deposit.filings.push(Filing {
                account: self.jane,
                place: FilingPlace::Mailbox(self.inbox),
                body: BodyChoice::New(number),
                flags: Flags::NONE,
                keywords: Vec::new(),
                internal_date: NOW,
                internal_zone_minutes: 0,
                within_quota: true,
            });
        }
        self.store.deposit(deposit).await.expect("filed");
    }

    pub(super) fn assert_sound(&self) {
        let findings = self.store.verify(&mut |_, _| {}).expect("verifiable");
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

fn new_message(raw: &str, flags: Flags) -> NewMessage {
    let content = Prepared::New(Box::new(index(raw.as_bytes()).expect("packs")));
    NewMessage { content, flags, keywords: vec!["$New".to_owned()], internal_date: Some((Timestamp(0), 60)) }
}

fn uids(first: u32, last: u32) -> UidSet {
    UidSet::from_ranges([(first, last)])
}

fn add(uids: UidSet, flags: Flags) -> FlagRequest {
    FlagRequest { uids, verb: FlagVerb::Add, flags, keywords: Vec::new(), unchanged_since: None }
}

#[test]
fn messages_come_and_go_as_their_owner_wants() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane) = (&world.mail, world.jane);
        let (_, inbox) = mail.open(jane, &name("INBOX")).await.expect("opens");
        let two = vec![new_message("Subject: 1\r\n\r\n", Flags::SEEN), new_message("Subject: 2\r\n\r\n", Flags::NONE)];
        let appended = mail.append(jane, &name("inbox"), two).await.expect("appended");
        assert_eq!(appended.uids, [Uid(1), Uid(2)]);
        let state = mail.state(&inbox).await.expect("readable");
        let first = *state.entry(Uid(1)).expect("there");
        assert_eq!((first.internal_seconds, first.internal_zone_minutes, first.saved_seconds), (0, 60, NOW.seconds()));
        assert!(first.flags.contains(Flags::SEEN.with(state.keyword("$new").expect("learnt"))));
        let changed = mail.change_flags(jane, &inbox, add(uids(1, 9), Flags::SEEN), &mut |_, _| {}).await;
        let modseq = mail.state(&inbox).await.expect("readable").highest_modseq();
        assert_eq!(changed.expect("changed").changed, [(modseq, uids(2, 2))]);
        let mut protected = add(uids(1, 2), Flags::FLAGGED);
        protected.unchanged_since = Some(ModSeq(modseq.0 - 1));
        let changed = mail.change_flags(jane, &inbox, protected, &mut |_, _| {}).await.expect("changed");
        assert_eq!((changed.modified, changed.changed.len()), (uids(2, 2), 1));
        let copied = mail.copy(jane, &inbox, uids(1, 7), &name("Archive"), &mut |_, _| {}).await.expect("copied");
        assert_eq!((copied.sources, copied.copies), (vec![Uid(1), Uid(2)], vec![Uid(1), Uid(2)]));
        let moved = mail.move_messages(jane, &inbox, uids(2, 7), &name("Trash"), &mut |_, _| {}).await.expect("moved");
        assert_eq!(moved.sources, [Uid(2)]);
        let draft = new_message("Subject: 3\r\n\r\n", Flags::DRAFT);
        let replaced = mail.replace(jane, (&inbox, Uid(1)), &name("INBOX"), draft.clone()).await.expect("replaced");
        assert_eq!(
            (replaced.uids, mail.state(&inbox).await.expect("readable").uids().to_string()),
            (vec![Uid(3)], "3".into())
        );
        let again = mail.replace(jane, (&inbox, Uid(1)), &name("INBOX"), draft).await;
        assert_eq!(again, Err(MailboxError::MessageGone));
        mail.change_flags(jane, &inbox, add(uids(3, 3), Flags::DELETED), &mut |_, _| {}).await.expect("changed");
        assert_eq!(mail.expunge(jane, &inbox, None).await, Ok(uids(3, 3)));
        assert_eq!(mail.state(&inbox).await.expect("readable").counters().messages, 0);
        world.assert_sound();
    });
}

#[test]
fn flags_that_are_so_already_are_waited_for_by_nobody() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane) = (&world.mail, world.jane);
        world.deliver_many(3).await;
        let (_, inbox) = mail.open(jane, &name("INBOX")).await.expect("opens");
        let keyword = FlagRequest { keywords: vec!["$k".to_owned()], ..add(uids(1, 2), Flags::SEEN) };
        mail.change_flags(jane, &inbox, keyword.clone(), &mut |_, _| {}).await.expect("changed");
        let check = async |request: FlagRequest, at_once: bool, changes: &str| {
            let shown = format!("{request:?}");
            let before = mail.state(&inbox).await.expect("readable").highest_modseq();
            let progress = &mut |_, _| {};
            let mut change = Box::pin(mail.change_flags(jane, &inbox, request, progress));
            let first = std::future::poll_fn(|context| Poll::Ready(change.as_mut().poll(context))).await;
            // The writer may be so quick that nobody need wait for it either.
            assert!(first.is_ready() || !at_once, "{shown}");
            let outcome = match first {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => change.await,
            };
            let changed: Vec<String> =
                outcome.expect("done").changed.iter().map(|(_, changed)| changed.to_string()).collect();
            assert_eq!(changed.join(" "), changes, "{shown}");
            let after = mail.state(&inbox).await.expect("readable").highest_modseq();
            assert_eq!(after > before, !changes.is_empty(), "{shown}");
        };
        let remove = |request| FlagRequest { verb: FlagVerb::Remove, ..request };
        let replace = |request| FlagRequest { verb: FlagVerb::Replace, ..request };
        let others = |name: &str| FlagRequest { keywords: vec![name.to_owned()], ..add(uids(1, 3), Flags::NONE) };
        check(keyword.clone(), true, "").await;
        check(add(uids(1, 2), Flags::SEEN), true, "").await;
        check(replace(keyword.clone()), true, "").await;
        check(remove(add(uids(1, 9), Flags::FLAGGED)), true, "").await;
        check(remove(others("$unknown")), true, "").await;
        check(add(uids(7, 9), Flags::SEEN), true, "").await;
        check(FlagRequest { unchanged_since: Some(ModSeq(1)), ..keyword }, false, "").await;
        check(add(uids(1, 3), Flags::SEEN), false, "3").await;
        check(replace(add(uids(1, 3), Flags::SEEN)), false, "1:2").await;
        check(others("$k"), false, "1:3").await;
        check(remove(others("$K")), false, "1:3").await;
        check(others("$third"), false, "1:3").await;
        world.assert_sound();
    });
}

#[test]
fn names_have_an_owner_an_end_and_one_use() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane) = (&world.mail, world.jane);
        let made = mail.create(jane, &name("a/b/c"), Some(SpecialUse::Flagged)).await.expect("made");
        assert_eq!((made.record.special_use, made.rights), (Some(SpecialUse::Flagged), Rights::ALL));
        let check = async |new: &str, special_use, expected: MailboxError| {
            assert_eq!(mail.create(jane, &name(new), special_use).await, Err(expected), "{new}");
        };
        check("A/b/x", Some(SpecialUse::Sent), MailboxError::SpecialUseTaken).await;
        check("a/b", None, MailboxError::MailboxExists).await;
        check("Users/john@example.test/x", None, MailboxError::NotPermitted).await;
        check("Users/john@example.test", None, MailboxError::NoSuchMailbox).await;
        check("Users/nobody@example.test/x", None, MailboxError::NoSuchMailbox).await;
        mail.rename(jane, &name("a"), &name("z")).await.expect("renamed");
        mail.find(jane, &name("z/b/c")).await.expect("moved along");
        assert_eq!(mail.rename(jane, &name("z"), &name("z/y")).await, Err(MailboxError::Impossible));
        assert_eq!(mail.delete(jane, &name("INBOX")).await, Err(MailboxError::Impossible));
        world.deliver_many(300).await;
        let (_, inbox) = mail.open(jane, &name("INBOX")).await.expect("opens");
        mail.rename(jane, &name("INBOX"), &name("Old/Inbox")).await.expect("moved");
        assert_eq!(mail.state(&inbox).await.expect("readable").counters().messages, 0);
        assert_eq!(mail.find(jane, &name("Old/Inbox")).await.expect("there").record.messages, 300);
        mail.subscribe(jane, &name("not/there")).await.expect("subscribed");
        let listing = mail.list(jane).await.expect("listed");
        assert!(listing.subscriptions.contains(&name("not/there")) && listing.mailboxes.len() == 11, "{listing:#?}");
        mail.delete(jane, &name("z/b/c")).await.expect("deleted");
        assert_eq!(mail.find(jane, &name("z/b/c")).await, Err(MailboxError::NoSuchMailbox));
        world.assert_sound();
    });
}

#[test]
fn what_is_shared_is_what_was_granted() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane, john) = (&world.mail, world.jane, world.john);
        world.deliver("Subject: x\r\n\r\n").await;
        let (own, shared) = (name("INBOX"), name("Users/jane@example.test/INBOX"));
        let none = mail.find(john, &shared).await;
        assert_eq!(none, Err(MailboxError::NoSuchMailbox), "what may not be looked up is not there");
        let grant = async |identifier: &str, rights: &str| {
            let rights = Rights::parse(rights).expect("rights");
            mail.set_acl(jane, &own, identifier, RightsChange::Replace, rights).await
        };
        grant("john@example.test", "lrs").await.expect("granted");
        let seen = mail.list(john).await.expect("listed").mailboxes.pop().expect("some");
        assert_eq!((seen.name, seen.rights.to_string().as_str()), (shared.clone(), "lrs"));
        let (_, open) = mail.open(john, &shared).await.expect("opens");
        let flag =
            async |flags| mail.change_flags(john, &open, add(uids(1, 1), flags), &mut |_, _| {}).await.map(|_| ());
        assert_eq!(flag(Flags::FLAGGED).await, Err(MailboxError::NotPermitted));
        assert_eq!(flag(Flags::FLAGGED.with(Flags::SEEN)).await, Ok(()), "what is allowed of it");
        assert_eq!(mail.state(&open).await.expect("readable").entry(Uid(1)).expect("there").flags, Flags::SEEN);
        let replace = FlagRequest { verb: FlagVerb::Replace, ..add(uids(1, 1), Flags::NONE) };
        mail.change_flags(jane, &open, add(uids(1, 1), Flags::ANSWERED), &mut |_, _| {}).await.expect("changed");
        mail.change_flags(john, &open, replace, &mut |_, _| {}).await.expect("changed");
        assert_eq!(mail.state(&open).await.expect("readable").entry(Uid(1)).expect("there").flags, Flags::ANSWERED);
        assert_eq!(mail.expunge(john, &open, None).await, Err(MailboxError::NotPermitted));
        assert_eq!(mail.acl(john, &shared).await, Err(MailboxError::NotPermitted));
        let appended = mail.append(john, &shared, vec![new_message("\r\n", Flags::NONE)]).await;
        assert_eq!(appended.map(|_| ()), Err(MailboxError::NotPermitted));
        grant("anyone", "lik").await.expect("granted");
        grant("-john@example.test", "r").await.expect("taken away");
        assert_eq!(mail.my_rights(john, &shared).await.expect("seen").to_string(), "lsikc");
        let message = new_message("\r\n", Flags::SEEN.with(Flags::DELETED));
        mail.append(john, &shared, vec![message]).await.expect("appended");
        let flags = mail.state(&open).await.expect("readable").entry(Uid(2)).expect("there").flags;
        assert_eq!(flags, Flags::SEEN, "nothing the rights don't allow");
        let below = name("Users/jane@example.test/INBOX/below");
        let made = mail.create(john, &below, None).await.expect("made");
        assert_eq!((made.record.account, made.rights.to_string().as_str()), (jane, "lsikc"));
        assert_eq!(mail.open(john, &shared).await.map(|_| ()), Err(MailboxError::NotPermitted));
        let lines = mail.acl(jane, &own).await.expect("listed");
        let lines: Vec<String> = lines.iter().map(|line| format!("{} {}", line.identifier, line.rights)).collect();
        assert_eq!(
            lines,
            ["jane@example.test lrswipkxteacd", "anyone likc", "john@example.test lrs", "-john@example.test r"]
        );
        assert_eq!(grant("jane@example.test", "l").await, Err(MailboxError::Impossible));
        assert_eq!(grant("nobody@example.test", "l").await, Err(MailboxError::NoSuchIdentifier));
        mail.delete_acl(jane, &own, "anyone").await.expect("removed");
        assert_eq!(mail.list_rights(jane, &own, "anyone").await, Ok((Rights::NONE, Rights::ALL)));
        world.assert_sound();
    });
}

#[test]
fn metadata_is_private_or_shared() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane, john) = (&world.mail, world.jane, world.john);
        let (own, shared) = (name("Sent"), name("Users/jane@example.test/Sent"));
        mail.set_acl(jane, &own, "anyone", RightsChange::Add, Rights::parse("lr").expect("rights")).await.expect("set");
        let set = async |who, standing, about: Option<&MailboxName>, entry: &str, value: Option<&str>| {
            let entries = vec![(entry.to_owned(), value.map(|value| value.as_bytes().to_vec()))];
            mail.set_metadata(who, standing, about, entries).await
        };
        let (person, administrator) = (Standing::Person, Standing::Administrator);
        assert_eq!(set(jane, person, Some(&own), "/shared/comment", Some("for all")).await, Ok(()));
        assert_eq!(set(jane, person, Some(&own), "/private/comment", Some("mine")).await, Ok(()));
        assert_eq!(set(john, person, Some(&shared), "/private/comment", Some("his")).await, Ok(()));
        let denied = set(john, person, Some(&shared), "/shared/comment", None).await;
        assert_eq!(denied, Err(MailboxError::NotPermitted));
        assert_eq!(set(john, person, None, "/shared/admin", Some("x")).await, Err(MailboxError::NotPermitted));
        assert_eq!(set(john, administrator, None, "/shared/admin", Some("mailto:x")).await, Ok(()));
        let shown = async |who, about: Option<&MailboxName>| {
            let found = mail.metadata(who, about).await.expect("readable");
            let lines = found.iter().map(|one| format!("{}={}", one.entry, String::from_utf8_lossy(&one.value)));
            lines.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            shown(jane, Some(&own)).await,
            "/private/comment=mine /private/specialuse=\\Sent /shared/comment=for all"
        );
        assert_eq!(shown(john, Some(&shared)).await, "/private/comment=his /shared/comment=for all");
        assert_eq!(shown(jane, None).await, "/shared/admin=mailto:x");
        let taken = set(jane, person, Some(&own), "/private/specialuse", Some("\\Trash")).await;
        assert_eq!(taken, Err(MailboxError::SpecialUseTaken));
        assert_eq!(set(jane, person, Some(&own), "/private/specialuse", None).await, Ok(()));
        assert_eq!(mail.find(jane, &own).await.expect("there").record.special_use, None);
        mail.delete(jane, &own).await.expect("deleted");
        world.assert_sound();
    });
}

#[test]
fn quotas_bind_what_comes_and_not_what_is_there() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane) = (&world.mail, world.jane);
        let person = Standing::Person;
        world.deliver_many(3).await;
        let (root, quota) = mail.quota_root(jane, &name("Archive")).await.expect("readable");
        assert_eq!((root.as_str(), quota.messages, quota.octets_max), ("jane@example.test", 3, None));
        let refused = mail.set_quota(person, &root, Some(1), None).await;
        assert_eq!(refused, Err(MailboxError::NotPermitted));
        mail.set_quota(Standing::Administrator, &root, Some(quota.octets), Some(4)).await.expect("set");
        assert_eq!(mail.quota(world.john, person, &root).await, Err(MailboxError::NoSuchQuotaRoot));
        let (_, inbox) = mail.open(jane, &name("INBOX")).await.expect("opens");
        let copied = mail.copy(jane, &inbox, uids(1, 1), &name("Sent"), &mut |_, _| {}).await;
        assert_eq!(copied, Err(MailboxError::OverQuota));
        let checked = mail.check_append(jane, &name("Sent"), 1, 1).await;
        assert_eq!(checked, Err(MailboxError::OverQuota));
        mail.move_messages(jane, &inbox, uids(1, 1), &name("Sent"), &mut |_, _| {}).await.expect("nothing is added");
        mail.set_quota(Standing::Administrator, &root, None, Some(3)).await.expect("set");
        let appended = mail.append(jane, &name("Sent"), vec![new_message("\r\n", Flags::NONE)]).await;
        assert_eq!(appended, Err(MailboxError::OverQuota));
        let replaced = mail.replace(jane, (&inbox, Uid(2)), &name("Sent"), new_message("\r\n", Flags::NONE)).await;
        assert_eq!(replaced.expect("room is made").uids, [Uid(2)]);
        world.assert_sound();
    });
}

#[test]
fn copies_of_many_appear_at_once_and_moves_are_whole() {
    block_on(async {
        let world = World::new().await;
        let (mail, jane) = (&world.mail, world.jane);
        world.deliver_many(5000).await;
        let (_, inbox) = mail.open(jane, &name("INBOX")).await.expect("opens");
        let (_, archive) = mail.open(jane, &name("Archive")).await.expect("opens");
        mail.state(&archive).await.expect("readable");
        let mut steps = Vec::new();
        let mut seen = Vec::new();
        let mut note = |done, all| {
            steps.push((done, all));
            seen.push(archive.state_in_memory().expect("loaded").counters().messages);
        };
        let copied = mail.copy(jane, &inbox, uids(1, 9999), &name("Archive"), &mut note).await.expect("copied");
        assert_eq!((copied.copies.len(), seen), (5000, vec![0, 0, 0]));
        assert_eq!(steps, [(0, 5000), (2048, 5000), (4096, 5000)]);
        assert_eq!(mail.state(&archive).await.expect("readable").counters().messages, 5000);
        let moved = mail.move_messages(jane, &inbox, uids(1, 4500), &name("Archive"), &mut |_, _| {}).await;
        let moved = moved.expect("moved");
        assert_eq!((moved.sources.len(), moved.copies.len(), moved.copies[0]), (4500, 4500, Uid(5001)));
        assert_eq!(mail.state(&inbox).await.expect("readable").uids().to_string(), "4501:5000");
        world.assert_sound();
    });
}

#[test]
fn large_messages_are_stored_ahead() {
    block_on(async {
        let world = World::new().await;
        let mut incoming = world.mail.incoming();
        incoming.write(b"Subject: large\r\n\r\n").await.expect("room");
        for number in 0..40_000_u32 {
            incoming.write(format!("{:x}\r\n", number.wrapping_mul(2_654_435_761)).as_bytes()).await.expect("room");
        }
        let octets = incoming.octets();
        let content = world.mail.prepare_received(incoming.finish().await.expect("whole")).await.expect("prepared");
        assert!(matches!(content, Prepared::Stored { .. }) && u64::from(content.octets()) == octets);
        let message = NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        world.mail.append(world.jane, &name("INBOX"), vec![message]).await.expect("appended");
        world.clock.advance_seconds(100_000);
        world.store.purge_orphans().await.expect("purged");
        world.assert_sound();
        assert_eq!(world.mail.find(world.jane, &name("INBOX")).await.expect("there").record.octets, octets);
    });
}
