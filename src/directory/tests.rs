use super::*;
use crate::rules::NotTaken;
use crate::store::{AccountRecord, AccountState, AddressRecord, Directory as Stored, DomainKind, DomainRecord, Names};
use crate::types::{
    AccountId, AddressId, AliasSwitch, Domain, DomainId, RedirectionSwitch, Switches, Target, Timestamp,
};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn domain(name: &str, kind: DomainKind, catch_all: Option<&str>) -> DomainRecord {
    let name = Domain::parse(name).unwrap();
    DomainRecord { id: DomainId(1), name, kind, catch_all: catch_all.map(address), created: Timestamp(0) }
}

fn alias_of(name: &str) -> DomainKind {
    DomainKind::AliasOf(Domain::parse(name).unwrap())
}

fn record(text: &str, switches: Switches, account: Option<i64>) -> AddressRecord {
    AddressRecord {
        id: AddressId(1),
        address: address(text),
        switches,
        target_states: Vec::new(),
        reserved: false,
        account: account.map(AccountId),
        compiled_version: 1,
        created: Timestamp(0),
        changed: Timestamp(0),
    }
}

fn mailbox(text: &str, account: i64) -> AddressRecord {
    record(text, Switches { mailbox: true, ..Switches::default() }, Some(account))
}

fn alias(text: &str, owner: &str, paused: bool) -> AddressRecord {
    let alias = Some(AliasSwitch { owner: address(owner), paused });
    record(text, Switches { alias, ..Switches::default() }, None)
}

fn redirect(text: &str, target: &str) -> AddressRecord {
    let targets = vec![Target { address: address(target), paused: false }];
    let redirection = Some(RedirectionSwitch { targets, keep: false, paused: false });
    record(text, Switches { redirection, ..Switches::default() }, None)
}

fn account(id: i64, text: &str, state: AccountState) -> AccountRecord {
    AccountRecord {
        id: AccountId(id),
        address: address(text),
        names: Names::default(),
        administrator: id > 1,
        quota_octets: None,
        state,
        used_octets: 0,
        messages: 0,
        credential_generation: 1,
        has_password: true,
        parked_switches: None,
        created: Timestamp(0),
    }
}

/// example.org with people, example.net as its alias, caught.test with a catch-all, split.test shared with another server.
fn world() -> Snapshot {
    let split = DomainKind::Split { host: "mx.other.test".to_owned(), port: 2525 };
    let parked =
        AccountState::Parked { since: Timestamp(0), until: Timestamp(1), why: crate::store::ParkReason::Removed };
    let stored = Stored {
        generation: 7,
        domains: vec![
            domain("away.test", DomainKind::Authoritative, Some("someone@elsewhere.test")),
            domain("caught.test", DomainKind::Authoritative, Some("jane@example.org")),
            domain("example.com", alias_of("example.net"), None),
            domain("example.net", alias_of("example.org"), None),
            domain("example.org", DomainKind::Authoritative, None),
            domain("split.test", split, None),
        ],
        accounts: vec![
            account(1, "jane@example.org", AccountState::Active),
            account(2, "old@example.org", parked),
            account(3, "sue@example.org", AccountState::Suspended),
        ],
        addresses: vec![
            alias("hello@example.net", "sue@example.org", false),
            mailbox("jane@example.org", 1),
            alias("info@example.org", "jane+info@example.org", false),
            alias("kontakt@example.org", "info@example.net", false),
            alias("off@example.org", "jane@example.org", true),
            mailbox("sue@example.org", 3),
            redirect("team@example.org", "jane@example.org"),
            mailbox("jane+list@split.test", 9),
        ],
    };
    Snapshot::new(stored, Limits::default())
}

#[test]
fn where_mail_goes_first() {
    let world = world();
    let check = |written: &str, expected: &str| {
        let found = match world.resolve(&address(written)) {
            Resolution::Local(local) => format!(
                "{}{}{}{}",
                local.address(),
                local.detail.as_ref().map_or_else(String::new, |detail| format!(" detail {detail}")),
                if local.matched == Matched::CatchAll { " caught" } else { "" },
                if local.suspended { " suspended" } else { "" },
            ),
            Resolution::Outside => "outside".to_owned(),
            Resolution::SentTo(address) => format!("sent to {address}"),
            Resolution::Handover { address, host, port } => format!("{host}:{port} for {address}"),
            Resolution::Refused { address, why: NotTaken::Unknown } => format!("no {address}"),
            Resolution::Refused { address, why: NotTaken::Paused } => format!("{address} paused"),
        };
        assert_eq!(found, expected, "{written}");
    };
    check("jane@example.org", "jane@example.org");
    check("Jane@Example.ORG", "jane@example.org");
    check("jane+Spring.Sale@example.org", "jane@example.org detail Spring.Sale");
    check("jane@example.net", "jane@example.org");
    check("JANE+x@example.com", "jane@example.org detail x");
    check("hello@example.net", "hello@example.net");
    check("hello@example.com", "hello@example.net");
    check("hello@example.org", "no hello@example.org");
    check("sue@example.org", "sue@example.org suspended");
    check("off@example.org", "off@example.org paused");
    check("off+x@example.net", "off@example.org paused");
    check("nobody@example.com", "no nobody@example.org");
    check("old@example.org", "no old@example.org");
    check("nobody@caught.test", "jane@example.org caught");
    check("nobody@away.test", "sent to someone@elsewhere.test");
    check("jane+list@split.test", "jane+list@split.test");
    check("Jane@split.test", "mx.other.test:2525 for jane@split.test");
    check("x@elsewhere.test", "outside");
}

#[test]
fn which_names_are_whose() {
    let world = world();
    let check = |of: &str, expected: &[&str]| {
        let names: Vec<String> = world.also_known_as(&address(of)).iter().map(ToString::to_string).collect();
        assert_eq!(names, expected, "{of}");
    };
    check(
        "jane@example.org",
        &[
            "info@example.com",
            "info@example.net",
            "info@example.org",
            "jane@example.com",
            "jane@example.net",
            "kontakt@example.com",
            "kontakt@example.net",
            "kontakt@example.org",
        ],
    );
    check(
        "info@example.org",
        &["info@example.com", "info@example.net", "kontakt@example.com", "kontakt@example.net", "kontakt@example.org"],
    );
    check("sue@example.org", &["hello@example.com", "hello@example.net", "sue@example.com", "sue@example.net"]);
    check("jane+list@split.test", &[]);
}

#[test]
fn who_may_call_himself_what() {
    let world = world();
    let check = |name: &str, account: i64, expected: bool| {
        assert_eq!(world.belongs_to(&address(name), AccountId(account)), expected, "{name} {account}");
    };
    check("jane@example.org", 1, true);
    check("jane+x@example.com", 1, true);
    check("info@example.net", 1, true);
    check("kontakt@example.org", 1, true);
    check("anything@caught.test", 1, true);
    check("off@example.org", 1, false);
    check("team@example.org", 1, false);
    check("sue@example.org", 1, false);
    check("hello@example.net", 3, true);
    check("x@elsewhere.test", 1, false);
    check("nobody@example.org", 1, false);
}

#[test]
fn finding_things() {
    let world = world();
    assert_eq!(world.generation(), 7);
    assert_eq!(world.account(&address("Jane@example.org")).map(|account| account.id), Some(AccountId(1)));
    assert!(world.account(&address("old@example.org")).is_none());
    assert_eq!(world.administrator().map(|account| account.id), Some(AccountId(3)));
    assert!(world.is_hosted(&Domain::parse("split.test").unwrap()));
    assert!(!world.is_hosted(&Domain::parse("elsewhere.test").unwrap()));
}

#[tokio::test]
async fn a_snapshot_is_read_again_when_the_directory_moved_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Arc::new(crate::types::FixedClock::default())).unwrap();
    let service = Directory::new(store.clone(), Limits::default());
    let before = service.snapshot().await.unwrap();
    assert!(Arc::ptr_eq(&before, &service.snapshot().await.unwrap()));
    let new = crate::store::NewDomain {
        name: Domain::parse("example.org").unwrap(),
        kind: DomainKind::Authoritative,
        catch_all: None,
    };
    let change = crate::store::DirectoryChange::AddDomain(new);
    store.change_directory(before.generation(), vec![change]).await.unwrap();
    let after = service.snapshot().await.unwrap();
    assert_eq!((before.domains().len(), after.domains().len()), (0, 1));
    assert!(matches!(service.resolve(&address("x@example.org")).await.unwrap(), Resolution::Refused { .. }));
}
