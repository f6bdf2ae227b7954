//! Every write method, with every call of it failing once, and with the process killed after every write of it: what
//! was acknowledged is there, what was not is not half there, and `verify` finds nothing.

use super::faulty::{self, Fault};
use super::world::{NOW, add_people, address, block_on, body, filing, large_body, message, put_mailbox};
use crate::store::{
    AclChange, Annotated, Answered, Audience, BodyChoice, Deposit, DirectoryChange, DkimAlgorithm, DkimKey,
    DkimKeyState, Duplicate, FlagChange, FlagVerb, Grant, Grantee, LedgerEntry, NewAnnotation, NewMailbox, NewSend,
    ParkReason, PutOff, ScriptOwner, SendDetails, SendEnd, SendKind, SendState, Settlement, Store, StoreError,
    TargetNews, TargetNote, TransportPolicy, Turn, Unthreaded, VersionSource,
};
use crate::types::limits::BODY_CHUNK_OCTETS;
use crate::types::{AccountId, FixedClock, Flags, MailboxId, MailboxName, SendId, ThreadId, Uid, UidSet};
use std::pin::Pin;
use std::sync::Arc;

type Done<'s> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + 's>>;

/// What the preparations left, for the methods to work on.
#[derive(Clone, Copy)]
struct Scene {
    jane: AccountId,
    john: AccountId,
    inbox: MailboxId,
    archive: MailboxId,
    send: SendId,
}

/// One write method: its name, and a call of it that succeeds on the scene.
type Act = (&'static str, for<'s> fn(&'s Store, Scene) -> Done<'s>);

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).expect("a name")
}

fn event() -> LedgerEntry {
    LedgerEntry { event: "test".to_owned(), ..LedgerEntry::default() }
}

fn send() -> NewSend {
    NewSend {
        kind: SendKind::Submission,
        account: None,
        address: None,
        sender: Some(address("jane@example.test")),
        recipient: address("a@one.example"),
        destination: "one.example".to_owned(),
        due: NOW,
        expires: NOW.plus_seconds(1000),
        priority: 0,
        details: SendDetails::default(),
    }
}

/// The send at hand goes, with a report about it, and a redirection's target is counted.
fn settlement(scene: Scene) -> Settlement {
    let note = TargetNote {
        address: address("john@example.test"),
        target: address("a@one.example"),
        news: TargetNews::Refused("550 no".to_owned()),
    };
    Settlement {
        ends: vec![(scene.send, SendEnd::Gone)],
        reports: vec![(body("report"), send())],
        targets: vec![note],
        ledger: vec![event()],
    }
}

fn old_key() -> DkimKey {
    DkimKey {
        selector: "old".to_owned(),
        algorithm: DkimAlgorithm::RsaSha256,
        private_key: vec![1],
        public_key: vec![2],
        state: DkimKeyState::Retired,
        created: NOW,
        since: NOW,
    }
}

fn put_off() -> PutOff {
    PutOff {
        destination: "one.example".to_owned(),
        pause_seconds_first: 300,
        pause_seconds_max: 1000,
        warn_since: NOW.plus_seconds(-5),
        reply: "no connection".to_owned(),
        most: 10,
    }
}

fn policy(seconds: i64) -> TransportPolicy {
    TransportPolicy {
        id: "1".to_owned(),
        text: "version: STSv1".to_owned(),
        fetched: NOW,
        expires: NOW.plus_seconds(seconds),
    }
}

fn full_deposit(scene: Scene) -> Deposit {
    let mut deposit = message(scene.jane, "New/Box", "to both");
    deposit.filings.push(filing(scene.john, "INBOX", Flags::SEEN));
    deposit.filings[1].keywords = vec!["$New".to_owned()];
    deposit.sends.push((BodyChoice::New(0), send()));
    deposit.answered.push(Answered {
        address: address("jane@example.test"),
        sender: address("a@one.example"),
        handle: "h".to_owned(),
        until: NOW.plus_seconds(5),
    });
    deposit.duplicates.push(Duplicate { account: scene.jane, id: b"x".to_vec(), until: NOW.plus_seconds(5) });
    deposit.ledger.push(event());
    deposit
}

fn park(name: &str) -> Vec<DirectoryChange> {
    let (why, until) = (ParkReason::Removed, NOW.plus_seconds(-1));
    vec![
        DirectoryChange::ParkAccount { address: address(name), why, until },
        DirectoryChange::RemoveAddress(address(name)),
    ]
}

async fn change(store: &Store, changes: Vec<DirectoryChange>) -> Result<(), StoreError> {
    let generation = store.directory_generation().await?;
    store.change_directory(generation, changes).await.map(|_| ())
}

fn flags(uids: (u32, u32), flags: Flags, keyword: &str) -> FlagChange {
    FlagChange {
        uids: UidSet::from_ranges([uids]),
        verb: FlagVerb::Add,
        flags,
        keywords: vec![keyword.to_owned()],
        within: Flags::ALL,
        unchanged_since: None,
    }
}

/// Every public method that writes. A method that is missing here is found by `every_writing_method_is_listed`.
const ACTS: &[Act] = &[
    ("deposit", |store, scene| Box::pin(async move { store.deposit(full_deposit(scene)).await.map(|_| ()) })),
    ("put_body", |store, _| {
        let text = "x".repeat(2 * BODY_CHUNK_OCTETS + 1);
        Box::pin(async move { store.put_body(large_body(&text)).await.map(|_| ()) })
    }),
    ("change_directory", |store, _| Box::pin(change(store, park("john@example.test")))),
    ("create_mailbox", |store, scene| {
        let new = NewMailbox { name: name("p/q"), special_use: None, subscribe: true };
        Box::pin(async move { store.create_mailbox(scene.jane, new).await.map(|_| ()) })
    }),
    ("delete_mailbox", |store, scene| {
        Box::pin(async move { store.delete_mailbox(scene.john, &name("Archive")).await })
    }),
    ("rename_mailbox", |store, scene| {
        Box::pin(async move { store.rename_mailbox(scene.john, &name("Archive"), &name("Old/Archive")).await })
    }),
    ("rename_inbox", |store, scene| Box::pin(async move { store.rename_inbox(scene.john, &name("Old/Inbox")).await })),
    ("subscribe", |store, scene| Box::pin(async move { store.subscribe(scene.jane, &name("x")).await })),
    ("unsubscribe", |store, scene| Box::pin(async move { store.unsubscribe(scene.jane, &name("INBOX")).await })),
    ("set_special_use", |store, scene| Box::pin(async move { store.set_special_use(scene.archive, None).await })),
    ("change_flags", |store, scene| {
        let change = flags((2, 6), Flags::FLAGGED, "$K");
        Box::pin(async move { store.change_flags(scene.inbox, change).await.map(|_| ()) })
    }),
    ("expunge", |store, scene| Box::pin(async move { store.expunge(scene.inbox, None).await.map(|_| ()) })),
    ("remove_messages", |store, scene| {
        let uids = UidSet::from_ranges([(4, 5)]);
        Box::pin(async move { store.remove_messages(scene.inbox, uids).await.map(|_| ()) })
    }),
    ("copy", |store, scene| {
        let uids = UidSet::from_ranges([(1, 4)]);
        Box::pin(async move { store.copy(scene.inbox, uids, scene.archive, Flags::ALL).await.map(|_| ()) })
    }),
    ("move_messages", |store, scene| {
        let uids = UidSet::from_ranges([(1, 4)]);
        Box::pin(async move { store.move_messages(scene.inbox, uids, scene.archive, Flags::ALL).await.map(|_| ()) })
    }),
    ("copy_many", |store, scene| {
        let uids = UidSet::from_ranges([(1, 5)]);
        Box::pin(async move {
            store.copy_in_pieces(scene.inbox, uids, (scene.archive, Flags::ALL), 2, &mut |_, _| {}).await.map(|_| ())
        })
    }),
    ("release_abandoned_copies", |store, _| Box::pin(async { store.release_abandoned_copies().await.map(|_| ()) })),
    ("assign_threads", |store, scene| {
        let messages = vec![
            Unthreaded { uid: Uid(1), references: vec![1, 2] },
            Unthreaded { uid: Uid(5), references: vec![3, 2] },
        ];
        Box::pin(async move { store.assign_threads(scene.inbox, messages).await })
    }),
    ("set_acl", |store, scene| {
        Box::pin(async move {
            store.set_acl(scene.inbox, Grantee::Account(scene.jane), Grant::Gives, AclChange::Add, 3).await
        })
    }),
    ("set_annotations", |store, scene| {
        let new = |audience, value: Option<&[u8]>| NewAnnotation {
            audience,
            entry: "/shared/comment".to_owned(),
            value: value.map(<[u8]>::to_vec),
        };
        let annotations = vec![new(Audience::Shared, Some(b"x")), new(Audience::Private(scene.john), None)];
        Box::pin(async move { store.set_annotations(scene.john, Annotated::Mailbox(scene.inbox), annotations).await })
    }),
    ("set_quota", |store, scene| Box::pin(async move { store.set_quota(scene.john, Some(1 << 20), Some(100)).await })),
    ("set_threads", |store, scene| {
        Box::pin(async move { store.set_threads(scene.inbox, vec![(Uid(5), ThreadId(3))]).await })
    }),
    ("take_sends", |store, _| {
        let turn = Turn { destination: "one.example".to_owned(), after: String::new(), messages: 5, recipients: 5 };
        Box::pin(async move { store.take_sends(turn).await.map(|_| ()) })
    }),
    ("settle_sends", |store, scene| Box::pin(async move { store.settle_sends(settlement(scene)).await.map(|_| ()) })),
    ("put_off_sends", |store, _| Box::pin(async { store.put_off_sends(put_off()).await.map(|_| ()) })),
    ("hurry_sends", |store, _| Box::pin(async { store.hurry_sends(SendId(0), 10).await.map(|_| ()) })),
    ("remember_long_sender", |store, _| {
        Box::pin(async { store.remember_long_sender(&address("new@long.example")).await.map(|_| ()) })
    }),
    ("forget_long_senders", |store, _| {
        Box::pin(async { store.forget_long_senders(NOW.plus_seconds(1)).await.map(|_| ()) })
    }),
    ("put_transport_policy", |store, _| {
        Box::pin(async { store.put_transport_policy(&"far.example".parse().expect("a domain"), policy(5)).await })
    }),
    ("forget_transport_policies", |store, _| Box::pin(async { store.forget_transport_policies().await.map(|_| ()) })),
    ("release_claims", |store, _| Box::pin(async { store.release_claims().await.map(|_| ()) })),
    ("set_send_state", |store, scene| {
        Box::pin(async move { store.set_send_state(scene.send, SendState::Held, None).await.map(|_| ()) })
    }),
    ("remove_send", |store, scene| Box::pin(async move { store.remove_send(scene.send, event()).await.map(|_| ()) })),
    ("forget_memories", |store, _| Box::pin(async { store.forget_memories().await.map(|_| ()) })),
    ("record", |store, _| Box::pin(async { store.record(vec![event(), event()]).await })),
    ("index_ledger", |store, _| Box::pin(async { store.index_ledger().await.map(|_| ()) })),
    ("trim_ledger", |store, _| Box::pin(async { store.trim_ledger(NOW.plus_seconds(9)).await.map(|_| ()) })),
    ("replace_dkim_keys", |store, _| {
        let new = DkimKey { selector: "s".to_owned(), state: DkimKeyState::Signing, ..old_key() };
        let domain = "example.test".parse().expect("a domain");
        Box::pin(async move { store.replace_dkim_keys(&domain, vec![old_key()], vec![new, old_key()]).await })
    }),
    ("set_setting", |store, _| Box::pin(async { store.set_setting("a", "b".to_owned()).await })),
    ("setting_or_insert", |store, _| {
        Box::pin(async { store.setting_or_insert("c", "d".to_owned()).await.map(|_| ()) })
    }),
    ("put_script", |store, scene| {
        let (owner, source) = (ScriptOwner::Account(scene.john), VersionSource::default());
        Box::pin(async move { store.put_script(owner, "a", "stop;".to_owned(), source).await.map(|_| ()) })
    }),
    ("put_read_faults", |store, scene| {
        Box::pin(async move {
            let script = store.scripts(ScriptOwner::Account(scene.john)).await?.remove(0);
            store.put_read_faults(script.id, script.version, vec![(1, "old".to_owned()), (2, "new".to_owned())]).await
        })
    }),
    ("trim_script_faults", |store, _| {
        Box::pin(async { store.trim_script_faults(NOW.plus_seconds(9)).await.map(|_| ()) })
    }),
    ("faults_told", |store, scene| Box::pin(async move { store.faults_told(scene.john).await })),
    ("activate_scripts", |store, scene| {
        Box::pin(async move {
            store.activate_scripts(ScriptOwner::Account(scene.john), vec!["b".to_owned(), "a".to_owned()]).await
        })
    }),
    ("rename_script", |store, scene| {
        Box::pin(async move { store.rename_script(ScriptOwner::Account(scene.john), "a", "z").await })
    }),
    ("remove_script", |store, scene| {
        Box::pin(async move { store.remove_script(ScriptOwner::Account(scene.john), "a").await })
    }),
    ("add_app_password", |store, scene| {
        Box::pin(async move {
            let made_on = store.login_generation(scene.jane).await?.unwrap_or_default();
            store.add_app_password(scene.jane, made_on, "phone", vec![1; 64], 9).await.map(|_| ())
        })
    }),
    ("note_app_password_used", |store, scene| {
        Box::pin(async move { store.note_app_password_used(scene.john, "old", NOW).await })
    }),
    ("recompile", |store, _| {
        Box::pin(async move {
            let texts: Vec<_> =
                store.directory().await?.addresses.into_iter().map(|one| (one.id, "# anew".to_owned())).collect();
            store.recompile(store.directory_generation().await?, texts, "test", "test").await
        })
    }),
    ("renew_hash", |store, scene| {
        Box::pin(async move {
            let record = store.login_record(&address("john@example.test")).await?;
            let stored = record.and_then(|record| record.credentials).map_or_else(String::new, |one| one.argon2);
            store.renew_hash(scene.john, stored, "$another".to_owned()).await
        })
    }),
    ("remove_app_password", |store, scene| Box::pin(async move { store.remove_app_password(scene.john, "old").await })),
    ("purge_removed_mailboxes", |store, scene| {
        Box::pin(async move {
            store.delete_mailbox(scene.john, &name("Archive")).await?;
            store.purge_removed_mailboxes().await.map(|_| ())
        })
    }),
    ("purge_orphans", |store, _| Box::pin(async { store.purge_orphans().await.map(|_| ()) })),
    ("purge_account", |store, _| {
        Box::pin(async {
            for account in store.overdue_accounts().await? {
                store.purge_account(account).await?;
            }
            Ok(())
        })
    }),
];

async fn prepare(store: &Store) -> Result<Scene, StoreError> {
    add_people(store).await?;
    let account = async |name: &str| Ok::<_, StoreError>(store.account(&address(name)).await?.expect("made").id);
    let (jane, john) = (account("jane@example.test").await?, account("john@example.test").await?);
    let new = |name: &str| {
        let DirectoryChange::PutAddress { script, .. } = put_mailbox(name) else { unreachable!("it is a PutAddress") };
        vec![
            super::world::new_account(name, None),
            DirectoryChange::PutAddress {
                address: address(name),
                switches: crate::types::Switches { mailbox: true, ..Default::default() },
                reserved: false,
                script,
                author: String::new(),
                cause: String::new(),
            },
        ]
    };
    change(store, new("gone@example.test")).await?;
    let gone = account("gone@example.test").await?;
    for number in 0..6 {
        store.deposit(message(john, "INBOX", &format!("message {number}"))).await?;
        store.deposit(message(gone, "INBOX", &format!("gone {number}"))).await?;
    }
    change(store, park("gone@example.test")).await?;
    let inbox = store.mailbox(john, &MailboxName::inbox()).await?.expect("made").id;
    let archive = store.mailbox(john, &name("Archive")).await?.expect("made").id;
    store.copy(inbox, UidSet::from_ranges([(1, 3)]), archive, Flags::ALL).await?;
    store.change_flags(inbox, flags((2, 3), Flags::DELETED, "$J")).await?;
    let bodies = store.entries(inbox).await?.1.iter().map(|entry| entry.body).collect();
    store.hold_bodies(bodies).await?;
    store.set_acl(archive, Grantee::Account(jane), Grant::Gives, AclChange::Replace, 7).await?;
    let annotation = NewAnnotation {
        audience: Audience::Private(john),
        entry: "/private/comment".to_owned(),
        value: Some(b"mine".to_vec()),
    };
    store.set_annotations(john, Annotated::Mailbox(archive), vec![annotation]).await?;
    store.put_body(large_body("an old orphan")).await?;
    let mut deposit = full_deposit(Scene { jane, john, inbox, archive, send: SendId(0) });
    deposit.sends.push((BodyChoice::New(0), NewSend { destination: "two.example".to_owned(), ..send() }));
    let sends = store.deposit(deposit).await?.sends;
    let turn = Turn { destination: "two.example".to_owned(), after: String::new(), messages: 5, recipients: 5 };
    store.take_sends(turn).await?;
    store.remember_long_sender(&address("old@long.example")).await?;
    store.put_transport_policy(&"old.example".parse().expect("a domain"), policy(0)).await?;
    store.replace_dkim_keys(&"example.test".parse().expect("a domain"), vec![], vec![old_key()]).await?;
    let made_on = store.login_generation(john).await?.unwrap_or_default();
    store.add_app_password(john, made_on, "old", vec![2; 64], 9).await?;
    let owner = ScriptOwner::Account(john);
    store.put_script(owner, "a", "keep;".to_owned(), VersionSource::default()).await?;
    store.put_script(owner, "b", "keep;".to_owned(), VersionSource::default()).await?;
    Ok(Scene { jane, john, inbox, archive, send: sends[0] })
}

/// Everything a client could see, as one text: equal before and after means nothing happened.
async fn picture(store: &Store, scene: Scene) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    write!(text, "{:?}", store.directory().await.expect("readable")).expect("a string");
    for account in [scene.jane, scene.john] {
        for mailbox in store.mailboxes(account).await.expect("readable") {
            write!(text, "{:?}", store.entries(mailbox.id).await.expect("readable")).expect("a string");
            write!(text, "{:?}", store.acl(mailbox.id).await.expect("readable")).expect("a string");
            let about = Annotated::Mailbox(mailbox.id);
            write!(text, "{:?}", store.annotations(about, account).await.expect("readable")).expect("a string");
        }
        write!(text, "{:?}", store.subscriptions(account).await.expect("readable")).expect("a string");
        write!(text, "{:?}", store.scripts(ScriptOwner::Account(account)).await.expect("readable")).expect("a string");
    }
    write!(text, "{:?}", store.sends(SendId(0), 100).await.expect("readable")).expect("a string");
    write!(text, "{:?}", store.ledger(crate::store::LedgerFilter::All, 100).await.expect("readable"))
        .expect("a string");
    text
}

struct Stage {
    directory: tempfile::TempDir,
    clock: Arc<FixedClock>,
}

impl Stage {
    /// A prepared directory, copied for each case: preparing it anew each time would take minutes.
    fn copied(from: &std::path::Path) -> Self {
        let directory = memory_directory();
        std::fs::copy(from.join("mail.db"), directory.path().join("mail.db")).expect("copied");
        let clock = Arc::new(FixedClock::at(NOW));
        clock.advance_seconds(3600);
        Self { directory, clock }
    }

    fn open(&self, fault: &Arc<Fault>) -> Store {
        faulty::open(self.directory.path(), self.clock.clone(), Arc::clone(fault)).expect("opens")
    }
}

/// In memory where the system has such a place: it is the process that dies in these tests, not the disk, and thousands
/// of syncs would only take time.
fn memory_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn prepared() -> (tempfile::TempDir, Scene) {
    let directory = memory_directory();
    let store = Store::open(directory.path(), Arc::new(FixedClock::at(NOW))).expect("opens");
    let scene = block_on(prepare(&store)).expect("prepared");
    drop(store);
    (directory, scene)
}

fn assert_sound(store: &Store, what: &str) {
    let findings = store.verify(&mut |_, _| {}).expect("verifiable");
    assert!(findings.is_empty(), "{what}: {findings:#?}");
}

#[test]
fn a_failing_call_undoes_its_job_and_the_store_goes_on() {
    let (source, scene) = prepared();
    for (act_name, act) in ACTS {
        // More calls than any of them makes; the loop ends when the fault no longer strikes.
        for calls in 0..400 {
            let what = format!("{act_name}, call {calls}");
            let stage = Stage::copied(source.path());
            let fault = Fault::none();
            let store = stage.open(&fault);
            let before = block_on(picture(&store, scene));
            fault.fail_after(calls);
            let result = block_on(act(&store, scene));
            let struck = fault.struck();
            fault.disarm();
            if !struck {
                assert_eq!(result, Ok(()), "{what}");
                break;
            }
            assert!(result.is_err(), "{what}: failed and said it succeeded");
            // Acts of several transactions may have done some of them; those of one must have done nothing.
            if ![
                "expunge",
                "purge_account",
                "purge_orphans",
                "put_body",
                "purge_removed_mailboxes",
                "put_large_body",
                "copy_many",
                "release_abandoned_copies",
            ]
            .contains(act_name)
            {
                assert_eq!(block_on(picture(&store, scene)), before, "{what}");
            }
            assert_sound(&store, &what);
            assert_eq!(block_on(store.set_setting("alive", "yes".to_owned())), Ok(()), "{what}");
        }
    }
}

#[test]
fn a_crash_after_any_write_keeps_what_was_acknowledged() {
    let (source, scene) = prepared();
    for (act_name, act) in ACTS {
        for writes in 0..400 {
            let what = format!("{act_name}, killed after {writes} writes");
            let stage = Stage::copied(source.path());
            let fault = Fault::none();
            let store = stage.open(&fault);
            let before = block_on(picture(&store, scene));
            fault.crash_after(writes);
            let result = block_on(act(&store, scene));
            assert!(writes > 0 || result.is_err(), "{what}: succeeded without a write");
            let after = result.is_ok().then(|| block_on(picture(&store, scene)));
            drop(store);
            let store = stage.open(&Fault::none());
            assert_sound(&store, &what);
            let found = block_on(picture(&store, scene));
            match after {
                // Acknowledged: there, whole.
                Some(after) => {
                    assert_eq!(found, after, "{what}");
                    break;
                }
                None if [
                    "expunge",
                    "purge_account",
                    "purge_orphans",
                    "put_body",
                    "purge_removed_mailboxes",
                    "put_large_body",
                    "copy_many",
                    "release_abandoned_copies",
                ]
                .contains(act_name) => {}
                None => assert_eq!(found, before, "{what}"),
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_passes() {
    let (source, scene) = prepared();
    let stage = Stage::copied(source.path());
    let fault = Fault::none();
    let store = stage.open(&fault);
    // Text that does not compress to nothing.
    let noise = |number: u32| -> String {
        (0..4000_u32).map(|n| format!("{:x} ", (n ^ number << 16).wrapping_mul(2_654_435_761))).collect()
    };
    let deposits = || async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..40 {
            let (store, text): (Store, String) = (store.clone(), noise(number));
            tasks.spawn(async move { store.deposit(message(scene.john, "INBOX", &text)).await.map(|_| ()) });
        }
        tasks.join_all().await
    };
    fault.set_full(true);
    let before = block_on(store.mailbox_by_id(scene.inbox)).expect("readable").expect("there").messages;
    let refused = block_on(deposits());
    let stored = refused.iter().filter(|result| result.is_ok()).count();
    assert!(refused.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::DiskFull))), "{refused:?}");
    assert!(stored < 40, "the disk was not full");
    let after = block_on(store.mailbox_by_id(scene.inbox)).expect("readable").expect("there").messages;
    assert_eq!(after as usize, before as usize + stored);
    assert_sound(&store, "full");
    fault.set_full(false);
    assert!(block_on(deposits()).iter().all(Result::is_ok));
    assert_sound(&store, "space again");
}

#[test]
fn every_writing_method_is_listed() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut unlisted = Vec::new();
    for file in std::fs::read_dir(directory).expect("readable").flatten() {
        if !file.path().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).expect("readable");
        for method in text.split("pub async fn ").skip(1) {
            let method_name = method.split(['(', '<']).next().unwrap_or_default();
            let code = method.split("\n    }\n").next().unwrap_or_default();
            if code.contains("write(") && !ACTS.iter().any(|(known, _)| *known == method_name) {
                unlisted.push(method_name.to_owned());
            }
        }
    }
    assert_eq!(unlisted, Vec::<String>::new(), "writes, and no crash test covers it");
}
