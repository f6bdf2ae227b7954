//! A small house to test in: a directory, a clock, one domain, two accounts.

use crate::store::{
    BodyChoice, BodyIndex, Deposit, DirectoryChange, DomainKind, Filing, FilingPlace, LargeBody, Names, NewAccount,
    NewBody, NewDomain, Sketch, Store, StoreError,
};
use crate::types::{AccountId, Address, FixedClock, Flags, MailboxName, Switches, Timestamp};
use std::sync::Arc;

pub(in crate::store) const NOW: Timestamp = Timestamp(1_790_000_000_000);

pub(in crate::store) struct World {
    pub(in crate::store) store: Store,
    pub(in crate::store) clock: Arc<FixedClock>,
    pub(in crate::store) directory: tempfile::TempDir,
}

pub(in crate::store) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

pub(in crate::store) fn address(text: &str) -> Address {
    text.parse().expect("a well-formed address")
}

impl World {
    /// Empty.
    pub(in crate::store) fn bare() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(directory.path(), clock.clone()).expect("an empty directory opens");
        Self { store, clock, directory }
    }

    /// example.test with jane@ and john@.
    pub(in crate::store) async fn with_people() -> Self {
        let world = Self::bare();
        add_people(&world.store).await.expect("two accounts");
        world
    }

    pub(in crate::store) async fn account(&self, name: &str) -> AccountId {
        self.store.account(&address(name)).await.expect("readable").expect("an account").id
    }

    /// Closes and opens again, as after an orderly stop.
    pub(in crate::store) fn reopened(self) -> Self {
        let Self { store, clock, directory } = self;
        drop(store);
        let store = Store::open(directory.path(), clock.clone()).expect("opens again");
        Self { store, clock, directory }
    }

    pub(in crate::store) fn assert_sound(&self) {
        let findings = self.store.verify(&mut |_, _| {}).expect("verifiable");
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

pub(in crate::store) fn put_mailbox(name: &str) -> DirectoryChange {
    DirectoryChange::PutAddress {
        address: address(name),
        switches: Switches { mailbox: true, ..Switches::default() },
        reserved: false,
        script: "keep;\r\n".to_owned(),
        author: "test".to_owned(),
        cause: "account add".to_owned(),
    }
}

pub(in crate::store) fn new_account(name: &str, quota_octets: Option<u64>) -> DirectoryChange {
    DirectoryChange::AddAccount(NewAccount {
        address: address(name),
        names: Names { display: "Jane Doe".to_owned(), ..Names::default() },
        administrator: false,
        quota_octets,
        credentials: None,
    })
}

pub(in crate::store) async fn add_people(store: &Store) -> Result<u64, StoreError> {
    let generation = store.directory_generation().await?;
    let domain =
        NewDomain { name: "example.test".parse().expect("a domain"), kind: DomainKind::Authoritative, catch_all: None };
    let changes = vec![
        DirectoryChange::AddDomain(domain),
        new_account("jane@example.test", Some(100_000)),
        put_mailbox("jane@example.test"),
        new_account("john@example.test", None),
        put_mailbox("john@example.test"),
    ];
    store.change_directory(generation, changes).await
}

pub(in crate::store) fn body(text: &str) -> NewBody {
    NewBody::of(text.as_bytes(), index(text)).expect("packs")
}

pub(in crate::store) fn large_body(text: &str) -> LargeBody {
    LargeBody::of(Arc::new(text.as_bytes().to_vec()), index(text)).expect("packs")
}

fn index(text: &str) -> BodyIndex {
    BodyIndex {
        envelope: b"(NIL)".to_vec(),
        bodystructure: b"(\"text\" \"plain\")".to_vec(),
        structure: vec![1],
        facts: vec![2],
        search_text: text.as_bytes().to_vec(),
        sketch: Sketch { signature: vec![3; 9], fields: text.as_bytes().to_vec() },
    }
}

pub(in crate::store) fn filing(account: AccountId, mailbox: &str, flags: Flags) -> Filing {
    Filing {
        account,
        place: FilingPlace::Named(MailboxName::parse(mailbox).expect("a name")),
        body: BodyChoice::New(0),
        flags,
        keywords: Vec::new(),
        internal_date: NOW,
        internal_zone_minutes: 60,
        within_quota: true,
    }
}

/// One message into one mailbox.
pub(in crate::store) fn message(account: AccountId, mailbox: &str, text: &str) -> Deposit {
    Deposit { bodies: vec![body(text)], filings: vec![filing(account, mailbox, Flags::NONE)], ..Deposit::default() }
}
