//! The acts over a real store, each test ending with its check.

mod doubting;
mod explaining;

use super::*;
use crate::auth::{AuthSettings, HashSettings};
use crate::rules::Limits;
use crate::telemetry::{Metrics, Secret};
use crate::types::{Address, Clock, FixedClock};

const CHEAP: HashSettings =
    HashSettings { memory_kibibytes: 64, passes: 1, lanes: 1, concurrent: 2, waiting_max: 100, scram_iterations: 4096 };
const DAY: i64 = 24 * 60 * 60;

pub(super) struct House {
    _directory: tempfile::TempDir,
    pub(super) clock: Arc<FixedClock>,
    pub(super) admin: Admin,
    pub(super) caller: Caller,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(super) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn account(text: &str) -> AccountAdd {
    AccountAdd {
        address: address(text),
        name: "Jane Doe".to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        quota_octets: None,
        administrator: false,
        password: NewPassword::Given(Secret::new("Correct9Horse".to_owned())),
    }
}

fn redirect(from: &str, targets: &[&str], keep: Option<bool>) -> RedirectAdd {
    RedirectAdd { address: address(from), targets: targets.iter().map(|target| address(target)).collect(), keep }
}

fn alias(alias: &str, owner: &str) -> AliasAdd {
    AliasAdd { alias: address(alias), owner: address(owner) }
}

fn responder(at: &str, received: ReceivedChoice) -> ResponderSet {
    ResponderSet {
        address: address(at),
        text: "I am away.".to_owned(),
        subject: None,
        from: None,
        until: None,
        zone: Some("Europe/Berlin".to_owned()),
        every_seconds: None,
        received,
    }
}

pub(super) fn authoritative(name: &str) -> DomainAdd {
    DomainAdd { domain: domain(name), hosting: Hosting::Authoritative }
}

impl House {
    pub(super) async fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_790_000_000)));
        let store = Store::open(directory.path(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let auth_settings = AuthSettings { hash: CHEAP, ..AuthSettings::default() };
        let auth = Auth::open(store.clone(), auth_settings, &Metrics::new()).await.unwrap();
        let settings = Settings {
            address: AddressRules::default(),
            password: PasswordRules::default(),
            keep_days: 30,
            script_octets_max: 1000,
            hostname: domain("mail.example.test"),
            services: Vec::new(),
            smarthost: None,
        };
        let directory_of = Directory::new(store.clone(), Limits::default());
        let delivery =
            Delivery::open(store.clone(), directory_of.clone(), settings.hostname.clone(), 432_000).await.unwrap();
        let admin = Admin::new(store, directory_of, auth, delivery, settings);
        let caller = Caller { author: "root".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
        Self { _directory: directory, clock, admin, caller }
    }

    /// example.test with Jane, who administers, and John.
    async fn with_people() -> Self {
        let house = Self::empty().await;
        house.ok(authoritative("example.test")).await;
        house.ok(account("jane@example.test")).await;
        house.ok(account("john@example.test")).await;
        house
    }

    pub(super) async fn ok<A: Act>(&self, act: A) -> A::Answer {
        act.run(&self.admin, &self.caller).await.unwrap_or_else(|refused| panic!("{}: {refused}", A::NAME))
    }

    /// What every cause says, in the order they are told.
    pub(super) async fn refused<A: Act>(&self, act: A, expected: &[&str]) {
        let generation = self.admin.store().directory_generation().await.unwrap();
        let problem = match act.run(&self.admin, &self.caller).await {
            Ok(_) => panic!("{} was done, expected {expected:?}", A::NAME),
            Err(refused) => Problem::from(refused),
        };
        let messages: Vec<&str> = problem.causes.iter().map(|cause| cause.message.as_str()).collect();
        assert_eq!(messages, expected, "{}", A::NAME);
        assert_eq!(problem.side, Side::Refused);
        assert_eq!(self.admin.store().directory_generation().await.unwrap(), generation, "something was changed");
    }

    /// What mail to an address does, as the graph of the stored directory has it.
    async fn mail(&self, to: &str) -> Vec<String> {
        self.admin.directory().snapshot().await.unwrap().graph().effects(&address(to)).lines()
    }

    async fn script(&self, of: &str) -> String {
        self.admin.store().compiled_history(&address(of), 1).await.unwrap().remove(0).text
    }

    pub(super) fn assert_sound(&self) {
        let findings = self.admin.store().verify(&mut |_, _| {}).unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

#[tokio::test]
async fn postmaster_waits_for_an_administrator_and_goes_where_it_is_sent() {
    let house = House::empty().await;
    let done = house.ok(authoritative("example.test")).await;
    assert_eq!(
        done.notes,
        [
            "mail to other addresses of example.test is refused",
            "postmaster and abuse take mail as soon as there is an account that administers"
        ]
    );
    assert_eq!(house.mail("postmaster@example.test").await, ["refused: there is no postmaster@example.test here"]);

    let added = house.ok(account("jane@example.test")).await;
    assert!(added.administrator);
    assert_eq!(house.mail("abuse@example.test").await, ["kept in the mailbox jane@example.test"]);
    house
        .refused(
            AliasRemove { alias: address("abuse@example.test") },
            &["abuse@example.test can't be removed: every mail domain must have it (RFC 2142 section 5)"],
        )
        .await;

    house.ok(redirect("abuse@example.test", &["team@outside.test"], None)).await;
    assert_eq!(house.mail("abuse@example.test").await, ["sent to team@outside.test"]);
    house.ok(RedirectRemove { address: address("abuse@example.test"), targets: vec![] }).await;
    assert_eq!(house.mail("abuse@example.test").await, ["kept in the mailbox jane@example.test"]);

    // Another administrator takes over, and the last one leaves nobody.
    house.ok(AccountAdd { administrator: true, ..account("john@example.test") }).await;
    house.ok(AccountRemove { address: address("jane@example.test"), yes: true }).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox john@example.test"]);
    house.ok(AccountRemove { address: address("john@example.test"), yes: true }).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["refused: there is no postmaster@example.test here"]);
    house.ok(AccountRestore { address: address("jane@example.test") }).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox jane@example.test"]);

    // Whoever resigns leaves it to the next one; an address that was pointed elsewhere stays there.
    house.ok(AccountAdd { administrator: true, ..account("ann@example.test") }).await;
    house.ok(redirect("abuse@example.test", &["team@outside.test"], None)).await;
    let administers = async |who: &str, is: bool| {
        let changes = AccountChanges { administrator: Some(is), ..AccountChanges::default() };
        house.ok(AccountSet { address: address(who), changes }).await
    };
    let done = administers("jane@example.test", false).await;
    assert!(done.mail_now.iter().any(|now| now.address == address("postmaster@example.test")), "{done:?}");
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox ann@example.test"]);
    assert_eq!(house.mail("abuse@example.test").await, ["sent to team@outside.test"]);
    administers("jane@example.test", true).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox ann@example.test"]);
    administers("ann@example.test", false).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox jane@example.test"]);

    // An account of its own takes its place.
    house.ok(account("postmaster@example.test")).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox postmaster@example.test"]);
    house.assert_sound();
}

#[tokio::test]
async fn domains_that_are_here_already_are_named() {
    let house = House::with_people().await;
    house.ok(DomainAdd { domain: domain("alias.test"), hosting: Hosting::AliasOf(domain("example.test")) }).await;
    let split = Hosting::Split("mx.other.test".to_owned());
    house.ok(DomainAdd { domain: domain("split.test"), hosting: split.clone() }).await;
    let detected =
        |name: &str, how: &str| format!("authoritative domain detected: {name} is already hosted here, {how}");
    let check = async |name: &str, how: &str| {
        house.refused(authoritative(name), &[&detected(name, how)]).await;
        house.refused(DomainAdd { domain: domain(name), hosting: split.clone() }, &[&detected(name, how)]).await;
    };
    check("example.test", "as an authoritative domain with 4 addresses").await;
    check("alias.test", "as an alias of example.test").await;
    check("split.test", "as a split domain with 2 addresses, whose others are handed to mx.other.test:25").await;
    house
        .refused(
            DomainAdd { domain: domain("new.test"), hosting: Hosting::Split("Mail.Example.test".to_owned()) },
            &["authoritative domain detected: Mail.Example.test is this server, so mail for addresses of new.test \
               unknown here would be handed to ourselves"],
        )
        .await;
    house
        .refused(
            DomainAdd { domain: domain("new.test"), hosting: Hosting::AliasOf(domain("nowhere.test")) },
            &["new.test would be an alias of nowhere.test, which is not hosted here"],
        )
        .await;
    house
        .refused(
            account("sue@alias.test"),
            &["sue@alias.test can't have a mailbox: its domain is an alias of example.test"],
        )
        .await;
    assert_eq!(house.mail("jane@alias.test").await, ["kept in the mailbox jane@example.test"]);
    house.assert_sound();
}

#[tokio::test]
async fn catch_alls_and_kinds() {
    let house = House::with_people().await;
    let set = |hosting: Option<Hosting>, catch_all: Option<&str>| DomainSet {
        domain: domain("example.test"),
        hosting,
        catch_all: catch_all.map(|text| CatchAll::Address(address(text))),
    };
    let done = house.ok(set(None, Some("john@example.test"))).await;
    assert!(done.changed);
    assert!(!house.ok(set(None, Some("john@example.test"))).await.changed);
    assert_eq!(house.mail("anyone@example.test").await, ["kept in the mailbox john@example.test"]);
    house
        .refused(
            AccountRemove { address: address("john@example.test"), yes: true },
            &["the catch-all of example.test → john@example.test: john@example.test would be an address here that does \
               not exist"],
        )
        .await;
    house
        .refused(
            set(Some(Hosting::Split("mx.other.test:2525".to_owned())), Some("john@example.test")),
            &["example.test is split and can have no catch-all: it would leave nothing for the other server"],
        )
        .await;
    let done = house.ok(set(Some(Hosting::Split("mx.other.test:2525".to_owned())), None)).await;
    assert_eq!(
        done.notes,
        [
            "the catch-all was taken off: addresses unknown here go to the other server",
            "mail to other addresses of example.test is handed to mx.other.test:2525"
        ]
    );
    assert_eq!(house.mail("anyone@example.test").await, ["handed to mx.other.test:2525"]);
    house.ok(set(Some(Hosting::Authoritative), None)).await;
    assert_eq!(house.mail("anyone@example.test").await, ["refused: there is no anyone@example.test here"]);
    house.refused(DomainShow { domain: domain("no.test") }, &["the domain no.test is not hosted here"]).await;
    house.assert_sound();
}

#[tokio::test]
async fn everything_wrong_with_a_new_account_is_told_at_once() {
    let house = House::with_people().await;
    let password = NewPassword::Given(Secret::new("jörg".to_owned()));
    house
        .refused(
            AccountAdd { password, ..account("j@elsewhere.test") },
            &[
                "the domain elsewhere.test is not hosted here",
                "the part before the @ has 1 characters, 2 are needed",
                "the password has 4 characters, 9 are needed",
                "the password has accents or other characters beyond ASCII",
                "the password has no upper-case letter",
                "the password has no digit",
                "the password has the part of the address before the @ in it",
            ]
            .map(
                |line| {
                    if line.starts_with("the part") { "j@elsewhere.test: ".to_owned() + line } else { line.to_owned() }
                },
            )
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        )
        .await;
    house.refused(account("Jane@example.test"), &["there is an account jane@example.test already"]).await;
    house.ok(alias("info@example.test", "jane@example.test")).await;
    house.refused(account("info@example.test"), &["info@example.test is already an alias of jane@example.test"]).await;
    let added = house.ok(AccountAdd { password: NewPassword::Generate, ..account("sue@example.test") }).await;
    assert!(added.generated_password.is_some_and(|password| password.reveal().len() >= 9));
    assert!(!added.administrator);
    house.assert_sound();
}

#[tokio::test]
async fn removed_accounts_come_back_with_their_switches() {
    let house = House::with_people().await;
    house.ok(redirect("john@example.test", &["jane@example.test", "j@outside.test"], Some(true))).await;
    house.ok(responder("john@example.test", ReceivedChoice::Keep)).await;
    let before = house.script("john@example.test").await;
    house
        .refused(
            AccountRemove { address: address("john@example.test"), yes: false },
            &["john@example.test has 0 messages (0 bytes): they would be parked until 2026-10-21, and until then come \
               back with: posthouse account restore john@example.test"],
        )
        .await;
    let done = house.ok(AccountRemove { address: address("john@example.test"), yes: true }).await;
    assert_eq!(
        done.notes,
        ["0 messages (0 bytes) parked until 2026-10-21: posthouse account restore john@example.test"]
    );
    assert_eq!(house.mail("john@example.test").await, ["refused: there is no john@example.test here"]);
    let parked = house.ok(AccountList { domain: None, parked: true }).await;
    assert_eq!(parked.iter().map(|one| one.state.as_str()).collect::<Vec<_>>(), ["parked"]);

    house.ok(AccountRestore { address: address("john@example.test") }).await;
    assert_eq!(house.script("john@example.test").await, before);

    // What no longer fits comes back paused.
    house.ok(account("sue@example.test")).await;
    house.ok(redirect("john@example.test", &["sue@example.test"], None)).await;
    house.ok(AccountRemove { address: address("john@example.test"), yes: true }).await;
    house.ok(AccountRemove { address: address("sue@example.test"), yes: true }).await;
    let done = house.ok(AccountRestore { address: address("john@example.test") }).await;
    assert_eq!(
        done.notes[1],
        "its redirection and responder came back paused, because: john@example.test → sue@example.test: \
         sue@example.test would be an address here that does not exist"
    );
    assert_eq!(house.mail("john@example.test").await, ["kept in the mailbox john@example.test"]);
    house
        .refused(
            AccountRestore { address: address("nobody@example.test") },
            &["nothing is parked of nobody@example.test"],
        )
        .await;
    house.assert_sound();
}

#[tokio::test]
async fn parked_mail_is_kept_as_long_as_configured() {
    let house = House::with_people().await;
    house.ok(AccountRemove { address: address("john@example.test"), yes: true }).await;
    house.clock.advance_seconds(30 * DAY - 1);
    assert_eq!(house.admin.store().overdue_accounts().await.unwrap(), []);
    house.clock.advance_seconds(1);
    assert_eq!(house.admin.store().overdue_accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn aliases_hide_owners_that_are_ours() {
    let house = House::with_people().await;
    let done = house.ok(alias("info@example.test", "jane@example.test")).await;
    assert_eq!(done.mail_now[0].what, ["kept in the mailbox jane@example.test"]);
    house
        .refused(
            alias("info@example.test", "nobody@example.test"),
            &["info@example.test is already an alias of jane@example.test"],
        )
        .await;
    house
        .refused(
            alias("hello@example.test", "nobody@example.test"),
            &["hello@example.test → nobody@example.test: nobody@example.test would be an address here that does not exist"],
        )
        .await;
    house
        .refused(
            alias("hello@example.test", "jane@outside.test"),
            &["hello@example.test can't be an alias of jane@outside.test, which is not an address here: an alias \
               promises to hide its owner's address, and outside we could promise nothing"],
        )
        .await;
    house.ok(alias("both@example.test", "info@example.test")).await;
    house
        .refused(
            AliasPause { alias: address("info@example.test") },
            &["both@example.test → info@example.test: info@example.test would be paused and take no mail"],
        )
        .await;
    house.ok(AliasPause { alias: address("both@example.test") }).await;
    assert!(!house.ok(AliasPause { alias: address("both@example.test") }).await.changed);
    assert_eq!(house.mail("both@example.test").await, ["refused: both@example.test is paused"]);
    house.ok(AliasResume { alias: address("both@example.test") }).await;
    house.refused(AliasRemove { alias: address("jane@example.test") }, &["jane@example.test is no alias"]).await;
    house.ok(responder("both@example.test", ReceivedChoice::Keep)).await;
    house
        .refused(
            AliasRemove { alias: address("both@example.test") },
            &["both@example.test still has a responder, which would then answer for an address that takes no mail"],
        )
        .await;
    house.ok(ResponderRemove { address: address("both@example.test") }).await;
    house.ok(AliasRemove { alias: address("both@example.test") }).await;
    let list = house.ok(AliasList { domain: Some(domain("example.test")) }).await;
    let names: Vec<String> = list.iter().map(|alias| alias.alias.to_string()).collect();
    assert_eq!(names, ["abuse@example.test", "info@example.test", "postmaster@example.test"]);
    house.assert_sound();
}

#[tokio::test]
async fn redirections_are_proved_before_they_are_saved() {
    let house = House::with_people().await;
    house.ok(redirect("jane@example.test", &["john@example.test"], Some(true))).await;
    house
        .refused(
            redirect("john@example.test", &["jane@example.test"], None),
            &["mail would go in circles: jane@example.test → john@example.test → jane@example.test"],
        )
        .await;
    house
        .refused(
            redirect("john@example.test", &["john@example.test"], None),
            &["john@example.test would redirect to itself"],
        )
        .await;
    house
        .refused(
            redirect("team@example.test", &["ghost@example.test", "spectre@example.test"], None),
            &[
                "team@example.test → ghost@example.test: ghost@example.test would be an address here that does not exist",
                "team@example.test → spectre@example.test: spectre@example.test would be an address here that does not exist",
            ],
        )
        .await;
    house.ok(alias("info@example.test", "jane@example.test")).await;
    house
        .refused(
            redirect("info@example.test", &["john@example.test"], None),
            &["info@example.test: an alias can't redirect: set the redirection on its owner's address, or remove the \
               alias first"],
        )
        .await;
    let done = house.ok(redirect("team@example.test", &["jane@example.test", "x@outside.test"], Some(true))).await;
    assert_eq!(done.notes, ["team@example.test has no mailbox, so there is nothing to keep a copy in"]);
    assert!(!house.ok(redirect("team@example.test", &["x@outside.test"], None)).await.changed);
    house
        .refused(
            RedirectRemove { address: address("team@example.test"), targets: vec![address("y@outside.test")] },
            &["team@example.test does not redirect to y@outside.test"],
        )
        .await;
    house.ok(RedirectRemove { address: address("team@example.test"), targets: vec![address("x@outside.test")] }).await;
    house.ok(RedirectPause { address: address("team@example.test"), targets: Vec::new() }).await;
    let list = house.ok(RedirectList { domain: None }).await;
    assert_eq!(
        list.iter().map(|one| (one.state.as_str(), one.targets.len(), one.keep, one.is_virtual)).collect::<Vec<_>>(),
        [("active", 1, true, false), ("paused", 1, false, true)]
    );
    house.ok(RedirectRemove { address: address("team@example.test"), targets: vec![] }).await;
    assert!(house.admin.store().address(&address("team@example.test")).await.unwrap().is_none());
    house.assert_sound();
}

#[tokio::test]
async fn responders_know_every_name_they_answer_for() {
    let house = House::with_people().await;
    house.ok(responder("jane@example.test", ReceivedChoice::Keep)).await;
    let names = "\"jane@example.test\", \"abuse@example.test\", \"postmaster@example.test\"";
    assert!(house.script("jane@example.test").await.contains(names));
    house.ok(alias("info@example.test", "jane@example.test")).await;
    assert!(house.script("jane@example.test").await.contains("\"info@example.test\""));
    house.ok(DomainAdd { domain: domain("alias.test"), hosting: Hosting::AliasOf(domain("example.test")) }).await;
    assert!(
        house
            .script("jane@example.test")
            .await
            .contains("\"info@alias.test\", \"info@example.test\", \"jane@alias.test\"")
    );
    house.ok(AliasRemove { alias: address("info@example.test") }).await;
    assert!(!house.script("jane@example.test").await.contains("info@"));
    house.ok(DomainRemove { domain: domain("alias.test"), yes: true }).await;
    assert!(!house.script("jane@example.test").await.contains("alias.test"));
    let versions = house.admin.store().compiled_history(&address("jane@example.test"), 100).await.unwrap();
    assert_eq!(versions[0].author, "root");
    assert_eq!(versions[0].cause, "domain remove");
    house.assert_sound();
}

#[tokio::test]
async fn responders_are_refused_with_everything_wrong_in_them() {
    let house = House::with_people().await;
    let set = ResponderSet {
        from: Some("tomorrow".to_owned()),
        zone: Some("Mars/Base".to_owned()),
        ..responder("jane@example.test", ReceivedChoice::Keep)
    };
    house
        .refused(
            set,
            &[
                "there is no time zone “Mars/Base”: use a name such as Europe/Berlin or UTC",
                "“tomorrow” is no date: write 2026-11-01, or 2026-11-01T08:00 with a time",
            ],
        )
        .await;
    house
        .refused(
            responder("free@example.test", ReceivedChoice::Keep),
            &["mail for free@example.test would be accepted and kept nowhere: give it a mailbox, a redirection, or a \
               place for the copy"],
        )
        .await;
    house
        .refused(
            responder("jane@example.test", ReceivedChoice::CopyTo(address("john@example.test"))),
            &["jane@example.test: a copy to john@example.test is for responders of addresses without a mailbox: here, \
               add a redirection to it instead"],
        )
        .await;
    house.ok(responder("free@example.test", ReceivedChoice::CopyTo(address("john@example.test")))).await;
    let set = ResponderSet {
        from: Some("2026-11-01".to_owned()),
        until: Some("2026-11-14".to_owned()),
        ..responder("jane@example.test", ReceivedChoice::Drop)
    };
    house.ok(set).await;
    let shown = house.ok(ResponderShow { address: address("jane@example.test") }).await;
    assert_eq!(
        (
            shown.kind.as_str(),
            shown.state.as_str(),
            shown.from.as_deref(),
            shown.until.as_deref(),
            shown.received.as_str()
        ),
        ("attached", "waiting", Some("2026-11-01"), Some("2026-11-14"), "drop")
    );
    let list = house.ok(ResponderList { domain: None }).await;
    assert_eq!(list.len(), 2);
    house.ok(ResponderPause { address: address("free@example.test") }).await;
    house.ok(ResponderRemove { address: address("free@example.test") }).await;
    assert!(house.admin.store().address(&address("free@example.test")).await.unwrap().is_none());
    house
        .refused(ResponderShow { address: address("free@example.test") }, &["free@example.test has no responder"])
        .await;
    house.assert_sound();
}

#[tokio::test]
async fn a_mailbox_becomes_something_else_and_comes_back() {
    let house = House::with_people().await;
    house.ok(redirect("john@example.test", &["copy@outside.test"], Some(true))).await;
    let before = house.admin.store().account(&address("john@example.test")).await.unwrap().unwrap();
    let convert = |to: ConvertTo, yes: bool| Convert { address: address("john@example.test"), to, yes };
    house
        .refused(
            convert(ConvertTo::Alias(address("jane@example.test")), false),
            &["john@example.test has 0 messages (0 bytes): they would be parked until 2026-10-21, and until then come \
               back with: posthouse convert john@example.test --to-mailbox"],
        )
        .await;
    // What --yes would not help is told instead.
    house
        .refused(
            convert(ConvertTo::Redirect(vec![address("ghost@example.test")]), false),
            &["john@example.test → ghost@example.test: ghost@example.test would be an address here that does not exist"],
        )
        .await;
    house.ok(convert(ConvertTo::Alias(address("jane@example.test")), true)).await;
    house.ok(convert(ConvertTo::Redirect(vec![address("new@outside.test")]), false)).await;
    assert_eq!(house.mail("john@example.test").await, ["sent to new@outside.test"]);
    house
        .refused(
            convert(ConvertTo::Redirect(vec![address("new@outside.test")]), true),
            &["john@example.test is that already"],
        )
        .await;
    house.ok(convert(ConvertTo::Mailbox, false)).await;
    let after = house.admin.store().account(&address("john@example.test")).await.unwrap().unwrap();
    assert_eq!((after.id, after.messages, after.has_password), (before.id, before.messages, true));
    assert_eq!(
        house.mail("john@example.test").await,
        ["kept in the mailbox john@example.test", "sent to copy@outside.test"]
    );
    // One that never had a mailbox gets a new one.
    house.ok(alias("info@example.test", "jane@example.test")).await;
    let done = house.ok(Convert { address: address("info@example.test"), to: ConvertTo::Mailbox, yes: false }).await;
    assert!(done.notes[0].starts_with("it has no password yet"));
    house
        .refused(
            Convert { address: address("no@example.test"), to: ConvertTo::Mailbox, yes: false },
            &["there is no address no@example.test here"],
        )
        .await;
    house.assert_sound();
}

#[tokio::test]
async fn a_domain_goes_with_all_it_has_and_its_accounts_can_come_back() {
    let house = House::with_people().await;
    house.ok(alias("info@example.test", "jane@example.test")).await;
    house
        .refused(
            DomainRemove { domain: domain("example.test"), yes: false },
            &["example.test has 2 accounts with 0 messages (0 bytes), and 1 other address: the addresses would go and \
               the accounts be parked until 2026-10-21; to get one back until then, add the domain again and say \
               posthouse account restore"],
        )
        .await;
    house.ok(DomainRemove { domain: domain("example.test"), yes: true }).await;
    assert!(house.ok(DomainList {}).await.is_empty());
    house
        .refused(
            AccountRestore { address: address("jane@example.test") },
            &["the domain example.test is not hosted here"],
        )
        .await;
    house.ok(authoritative("example.test")).await;
    house.ok(AccountRestore { address: address("jane@example.test") }).await;
    assert_eq!(house.mail("postmaster@example.test").await, ["kept in the mailbox jane@example.test"]);
    house.assert_sound();
}

#[tokio::test]
async fn accounts_are_set_suspended_and_given_passwords() {
    let house = House::with_people().await;
    let changes = AccountChanges {
        name: Some("Jane D.".to_owned()),
        quota: Some(Quota::Octets(5 << 30)),
        ..AccountChanges::default()
    };
    house.ok(AccountSet { address: address("jane@example.test"), changes }).await;
    let shown = house.ok(AccountShow { address: address("jane@example.test") }).await;
    assert_eq!((shown.name.as_str(), shown.quota_octets, shown.administrator), ("Jane D.", Some(5 << 30), true));
    assert_eq!(shown.also_known_as.len(), 2);
    let done = house.ok(AccountSuspend { address: address("jane@example.test") }).await;
    assert_eq!(
        done.mail_now[0].what,
        ["put off (450) as the account jane@example.test is suspended; what is redirected to it is kept"]
    );
    assert!(!house.ok(AccountSuspend { address: address("jane@example.test") }).await.changed);
    house.ok(AccountResume { address: address("jane@example.test") }).await;
    let short = NewPassword::Given(Secret::new("short".to_owned()));
    house
        .refused(
            AccountPassword { address: address("jane@example.test"), password: short },
            &[
                "the password has 5 characters, 9 are needed",
                "the password has no upper-case letter",
                "the password has no digit",
            ],
        )
        .await;
    let set =
        house.ok(AccountPassword { address: address("jane@example.test"), password: NewPassword::Generate }).await;
    assert!(set.generated_password.is_some());
    let app = |label: &str| AppPasswordAdd { address: address("jane@example.test"), label: label.to_owned() };
    house.ok(app("phone")).await;
    house.refused(app("phone"), &["this app password exists already"]).await;
    house.refused(app(" "), &["the label is empty; name the device or program it is for"]).await;
    assert_eq!(house.ok(AppPasswordList { address: address("jane@example.test") }).await.len(), 1);
    let remove = |label: &str| AppPasswordRemove { address: address("jane@example.test"), label: label.to_owned() };
    house.refused(remove("tablet"), &["there is no such app password"]).await;
    assert!(house.ok(remove("phone")).await.is_empty());
    house.refused(AccountShow { address: address("x@example.test") }, &["there is no account x@example.test"]).await;
    house.assert_sound();
}

#[tokio::test]
async fn two_at_once_cannot_make_together_what_each_is_refused() {
    let house = House::with_people().await;
    let one = redirect("jane@example.test", &["john@example.test"], None).run(&house.admin, &house.caller);
    let other = redirect("john@example.test", &["jane@example.test"], None).run(&house.admin, &house.caller);
    let (one, other) = tokio::join!(one, other);
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let many: Vec<_> = (0..20).map(|number| alias(&format!("a{number}@example.test"), "jane@example.test")).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for act in many {
        let (admin, caller) = (house.admin.clone(), house.caller.clone());
        tasks.spawn(async move { act.run(&admin, &caller).await.map(|done| done.changed) });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap(), Ok(true));
    }
    assert_eq!(house.ok(AliasList { domain: None }).await.len(), 22);
    assert_eq!(house.ok(Check {}).await.findings, Vec::<String>::new());
    house.assert_sound();
}

#[tokio::test]
async fn acts_are_found_by_name_and_speak_json() {
    let house = House::with_people().await;
    let perform = async |name: &str, request: serde_json::Value| {
        perform(&house.admin, &house.caller, name, request).await.map_err(|refused| refused.to_string())
    };
    let json = serde_json::json!({"alias": "Info@example.test", "owner": "jane@example.test"});
    let done = perform("alias add", json).await.unwrap();
    assert_eq!(done["changed"], true);
    assert_eq!(done["mail_now"][0]["address"], "info@example.test");
    let list = perform("alias list", serde_json::json!({"domain": null})).await.unwrap();
    assert_eq!(list.as_array().unwrap().len(), 3);
    let status = perform("status", serde_json::json!({})).await.unwrap();
    assert_eq!((&status["accounts"], &status["server"]), (&2.into(), &serde_json::Value::Null));
    assert!(perform("alias eat", serde_json::json!({})).await.unwrap_err().contains("alias eat"));
    assert!(perform("alias add", serde_json::json!({"alias": 7})).await.unwrap_err().contains("can't be read"));
    assert!(perform("alias add", serde_json::json!({"alias": "x", "owner": "y"})).await.unwrap_err().contains("no @"));
    let unique: std::collections::BTreeSet<_> = ACTS.iter().collect();
    assert_eq!(unique.len(), ACTS.len());
}

#[tokio::test]
async fn secrets_are_never_printed() {
    let request = account("jane@example.test");
    assert!(!format!("{request:?}").contains("Horse"));
    let json = serde_json::to_string(&request).unwrap();
    assert!(json.contains("Correct9Horse"), "it must cross the socket");
    let house = House::with_people().await;
    let app = AppPasswordAdd { address: address("jane@example.test"), label: "phone".to_owned() };
    let added = house.ok(app).await;
    assert!(!format!("{added:?}").contains(added.password.reveal().as_str()));
}

#[tokio::test]
async fn backups_and_verification() {
    let house = House::with_people().await;
    let file = house.admin.store().directory_path().join("copy.db");
    let done = house.ok(Backup { file: file.clone() }).await;
    assert!(done.octets > 0);
    assert_eq!(house.ok(Verify {}).await.findings, Vec::<String>::new());
    assert!(crate::store::verify_file(&file, &mut |_, _| {}).unwrap().is_empty());
    house
        .refused(
            Backup { file: "/nonexistent/copy.db".into() },
            &["can't write: /nonexistent/copy.db: No such file or directory (os error 2); check owner and permissions"],
        )
        .await;
}

fn put(place: &str, name: &str, text: &str, activate: bool) -> ScriptPut {
    ScriptPut { place: place.parse().unwrap(), name: name.to_owned(), text: text.to_owned(), activate }
}

#[tokio::test]
async fn personal_scripts_run_in_the_order_given() {
    let house = House::with_people().await;
    let at = "jane@example.test";
    let place: ScriptWhere = at.parse().unwrap();
    let first = house.ok(put(at, "lists", "keep;", false)).await;
    assert_eq!((first.version, first.active), (1, false));
    assert_eq!(first.notes, ["it does not run yet: posthouse script activate jane@example.test lists"]);
    house.ok(put(at, "work", "stop;", true)).await;
    assert!(house.script(at).await.contains("\"work\""));
    let activate = |names: &[&str]| ScriptActivate {
        place: place.clone(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    house.ok(activate(&["lists", "work", "lists"])).await;
    let script = house.script(at).await;
    assert!(script.find("\"lists\"").unwrap() < script.find("\"work\"").unwrap());
    let list = house.ok(ScriptList { place: place.clone() }).await;
    let list: Vec<_> = list.iter().map(|script| (script.name.as_str(), script.position)).collect();
    assert_eq!(list, [("lists", Some(1)), ("work", Some(2))]);

    house
        .refused(
            activate(&["x", "work", "y"]),
            &["there is no script x at jane@example.test", "there is no script y at jane@example.test"],
        )
        .await;
    house
        .refused(
            put(at, "compiled", "keep;", false),
            &["\"compiled\" can't be a script's name: take 1 to 128 characters of plain text other than “compiled”"],
        )
        .await;
    house.refused(put(at, "long", &"#".repeat(1001), false), &["the script has 1001 octets, 1000 are allowed"]).await;
    let broken = put(at, "broken", "keep;\nkep;", false).run(&house.admin, &house.caller).await.unwrap_err();
    assert!(broken.to_string().starts_with("broken: line 2, column 1: "), "{broken}");
    let remove = |name: &str| ScriptRemove { place: place.clone(), name: name.to_owned() };
    house.refused(remove("work"), &["the script work is active and can't be removed"]).await;
    house.ok(ScriptDeactivate { place: place.clone(), name: "work".to_owned() }).await;
    assert!(!house.script(at).await.contains("\"work\""));
    house.ok(remove("work")).await;
    house.refused(remove("work"), &["there is no script work at jane@example.test"]).await;
    house.assert_sound();
}

#[tokio::test]
async fn every_version_can_be_read_and_come_back() {
    let house = House::with_people().await;
    let at = "jane@example.test";
    let place: ScriptWhere = at.parse().unwrap();
    for text in ["keep;", "stop;", "stop;"] {
        house.ok(put(at, "lists", text, false)).await;
    }
    let history = |name: &str| ScriptHistory { place: place.clone(), name: name.to_owned() };
    let versions: Vec<u32> = house.ok(history("lists")).await.iter().map(|one| one.version).collect();
    assert_eq!(versions, [2, 1]);
    let rollback = |name: &str, version| ScriptRollback { place: place.clone(), name: name.to_owned(), version };
    let done = house.ok(rollback("lists", 1)).await;
    assert_eq!(done.notes, ["it is version 3 now"]);
    let get = ScriptGet { place: place.clone(), name: "lists".to_owned(), version: None };
    assert_eq!(house.ok(get).await.text, "keep;");
    house.refused(rollback("lists", 9), &["there is no version 9 of the script lists at jane@example.test"]).await;

    // The script made from switches comes back with its switches.
    house.ok(redirect(at, &["x@outside.test"], Some(true))).await;
    let with = house.ok(CompiledShow { address: address(at) }).await;
    house.ok(RedirectRemove { address: address(at), targets: vec![] }).await;
    let done = house.ok(rollback("compiled", with.version)).await;
    assert_eq!(done.mail_now[0].what, ["kept in the mailbox jane@example.test", "sent to x@outside.test"]);
    assert_eq!(house.ok(CompiledShow { address: address(at) }).await.text, with.text);
    assert_eq!(house.ok(history("compiled")).await[0].cause, format!("script rollback to version {}", with.version));
    house.ok(Convert { address: address("john@example.test"), to: ConvertTo::Alias(address(at)), yes: true }).await;
    house
        .refused(
            ScriptRollback { place: "john@example.test".parse().unwrap(), name: "compiled".to_owned(), version: 1 },
            &["version 1 is from when john@example.test either had a mailbox that it has no longer, or had none"],
        )
        .await;
    house.assert_sound();
}

#[tokio::test]
async fn administrators_scripts_are_included_only_while_they_are_active() {
    let house = House::with_people().await;
    house.ok(authoritative("other.test")).await;
    house.refused(put("@", "middle", "keep;", false), &["an administrator's script can't be named middle"]).await;
    house.refused(put("@no.test", "before", "keep;", false), &["the domain no.test is not hosted here"]).await;
    let done = house.ok(put("@example.test", "before", "stop;", true)).await;
    assert_eq!(done.notes, ["4 addresses are compiled anew"]);
    house.ok(put("@", "after", "keep;", true)).await;
    house.ok(put("@example.test", "after", "keep;", true)).await;
    let included = async |of: &str| {
        let script = house.script(of).await;
        let include =
            |line: &str| line.strip_prefix("include :global ").map(|name| name.trim_end_matches(';').to_owned());
        script.lines().filter_map(include).map(|name| name.replace(":optional ", "")).collect::<Vec<_>>()
    };
    let all = ["\"before-example.test\"", "\"after-example.test\"", "\"after\""];
    assert_eq!(included("jane@example.test").await, all);
    assert_eq!(included("postmaster@other.test").await, ["\"after\""]);
    house.ok(account("sue@example.test")).await;
    assert_eq!(included("sue@example.test").await, all);
    house.ok(ScriptDeactivate { place: "@".parse().unwrap(), name: "after".to_owned() }).await;
    assert_eq!(included("jane@example.test").await, all[..2]);
    assert_eq!(included("postmaster@other.test").await, Vec::<String>::new());
    house.ok(ScriptRemove { place: "@".parse().unwrap(), name: "after".to_owned() }).await;
    house.assert_sound();
}

/// Everything that is stored of an account's mail: mailboxes, UIDs, flags, dates, octets.
async fn all_mail(house: &House, account: crate::types::AccountId) -> String {
    let store = house.admin.store();
    let mut all = String::new();
    for mailbox in store.mailboxes(account).await.unwrap() {
        let (record, entries) = store.entries(mailbox.id).await.unwrap();
        all += &format!("{record:?}\n");
        for entry in entries {
            let octets = store.body_octets(entry.body).await.unwrap();
            all += &format!("{entry:?} {octets:?}\n");
        }
    }
    all
}

async fn deposit(house: &House, account: crate::types::AccountId, text: &str) {
    use crate::store::{BodyChoice, BodyIndex, Deposit, Filing, FilingPlace, NewBody};
    let index = BodyIndex {
        envelope: b"(NIL)".to_vec(),
        bodystructure: b"(\"text\" \"plain\")".to_vec(),
        structure: vec![1],
        facts: vec![2],
        search_text: text.as_bytes().to_vec(),
        sketch: crate::store::Sketch::default(),
    };
    let filing = Filing {
        account,
        place: FilingPlace::Named(crate::types::MailboxName::parse("INBOX").unwrap()),
        body: BodyChoice::New(0),
        flags: crate::types::Flags::NONE,
        keywords: vec!["$Forwarded".to_owned()],
        internal_date: Timestamp::from_seconds(1_700_000_000),
        internal_zone_minutes: 60,
        within_quota: true,
    };
    let body = NewBody::of(text.as_bytes(), index).unwrap();
    let deposit = Deposit { bodies: vec![body], filings: vec![filing], ..Deposit::default() };
    house.admin.store().deposit(deposit).await.unwrap();
}

#[tokio::test]
async fn names_fit_into_headers() {
    let house = House::empty().await;
    house.ok(authoritative("example.test")).await;
    house.ok(account("jane@example.test")).await;
    let max = crate::types::limits::PERSON_NAME_CHARACTERS_MAX;
    for name in ["Jane\r\nBcc: all@example.net".to_owned(), "x".repeat(max + 1)] {
        let changes = AccountChanges { first_name: Some(name), ..AccountChanges::default() };
        let expected = "jane@example.test: a name has at most 128 characters, none of them a line break or another control \
                        character";
        house.refused(AccountSet { address: address("jane@example.test"), changes }, &[expected]).await;
    }
    let changes = AccountChanges { name: Some("ü".repeat(max)), ..AccountChanges::default() };
    house.ok(AccountSet { address: address("jane@example.test"), changes }).await;
}

#[tokio::test]
async fn mail_is_the_same_after_every_way_away_and_back() {
    let house = House::with_people().await;
    let john = house.admin.store().account(&address("john@example.test")).await.unwrap().unwrap().id;
    for text in ["Subject: one\r\n\r\nOne.\r\n", "Subject: two\r\n\r\nTwo.\r\n", "Subject: one\r\n\r\nOne.\r\n"] {
        deposit(&house, john, text).await;
    }
    let before = all_mail(&house, john).await;
    assert!(before.contains("$Forwarded"));
    let convert = |to: ConvertTo| Convert { address: address("john@example.test"), to, yes: true };
    house
        .refused(
            Convert { yes: false, ..convert(ConvertTo::Alias(address("jane@example.test"))) },
            &["john@example.test has 3 messages (66 bytes): they would be parked until 2026-10-21, and until then \
               come back with: posthouse convert john@example.test --to-mailbox"],
        )
        .await;
    house.ok(convert(ConvertTo::Alias(address("jane@example.test")))).await;
    house.ok(convert(ConvertTo::Mailbox)).await;
    assert_eq!(all_mail(&house, john).await, before);
    house.ok(convert(ConvertTo::Redirect(vec![address("x@outside.test")]))).await;
    house.ok(convert(ConvertTo::Mailbox)).await;
    assert_eq!(all_mail(&house, john).await, before);
    house.ok(AccountRemove { address: address("john@example.test"), yes: true }).await;
    house.ok(AccountRestore { address: address("john@example.test") }).await;
    assert_eq!(all_mail(&house, john).await, before);
    house.ok(DomainRemove { domain: domain("example.test"), yes: true }).await;
    house.ok(authoritative("example.test")).await;
    let done = house.ok(AccountRestore { address: address("john@example.test") }).await;
    assert_eq!(done.notes, ["3 messages (66 bytes) are back"]);
    assert_eq!(all_mail(&house, john).await, before);
    house
        .refused(
            AccountSet {
                address: address("john@example.test"),
                changes: AccountChanges { quota: Some(Quota::Octets(65)), ..AccountChanges::default() },
            },
            &["a quota of 65 bytes is below the 66 bytes that are used already"],
        )
        .await;
    house.assert_sound();
}

#[tokio::test]
async fn scripts_get_other_names_and_go_on_running() {
    let house = House::with_people().await;
    let at = "jane@example.test";
    house.ok(put(at, "lists", "keep;", true)).await;
    house.ok(put(at, "work", "keep;", false)).await;
    let rename = |from: &str, to: &str| ScriptRename { address: address(at), from: from.to_owned(), to: to.to_owned() };
    house.ok(rename("lists", "Listen")).await;
    let script = house.script(at).await;
    assert!(script.contains("\"Listen\"") && !script.contains("\"lists\""), "{script}");
    house.refused(rename("lists", "x"), &["there is no script lists at jane@example.test"]).await;
    house.refused(rename("work", "Listen"), &["there is a script Listen at jane@example.test already"]).await;
    let list = house.ok(ScriptList { place: at.parse().unwrap() }).await;
    let list: Vec<_> = list.iter().map(|script| (script.name.as_str(), script.position)).collect();
    assert_eq!(list, [("Listen", Some(1)), ("work", None)]);
    house.assert_sound();
}

#[tokio::test]
async fn what_an_older_version_compiled_is_compiled_anew() {
    let house = House::with_people().await;
    assert_eq!(house.admin.refresh_compiled(&house.caller).await.unwrap(), 0);
    let store = house.admin.store();
    let record = store.address(&address("john@example.test")).await.unwrap().unwrap();
    let old = crate::store::DirectoryChange::PutAddress {
        address: record.address,
        switches: record.switches,
        reserved: false,
        script: "keep;\n".to_owned(),
        author: "old".to_owned(),
        cause: "old".to_owned(),
    };
    store.change_directory(store.directory_generation().await.unwrap(), vec![old]).await.unwrap();
    assert_eq!(house.script("john@example.test").await, "keep;\n");
    assert_eq!(house.admin.refresh_compiled(&house.caller).await.unwrap(), 1);
    assert!(house.script("john@example.test").await.contains("[1] before"));
    assert_eq!(house.admin.refresh_compiled(&house.caller).await.unwrap(), 0);
    house.assert_sound();
}

#[tokio::test]
async fn a_person_sees_whatever_treats_his_mail_and_can_change_his_own() {
    let house = House::with_people().await;
    let at = "jane@example.test";
    let shown = async || -> Vec<(String, bool)> {
        let shown = house.admin.shown_scripts(&address(at)).await.unwrap();
        shown.into_iter().map(|script| (script.name, script.is_active)).collect()
    };
    let entry = |name: &str, is_active: bool| (name.to_owned(), is_active);
    let compiled = |of: &str| entry(&format!("posthouse:compiled {of}@example.test"), false);
    house.ok(alias("hello@example.test", at)).await;
    // Jane administers, so the reserved addresses are hers as well.
    let hers = [compiled("jane"), compiled("abuse"), compiled("hello"), compiled("postmaster")];
    assert_eq!(shown().await, hers);
    house.ok(put(at, "a", "keep;", true)).await;
    house.ok(put("@", "before", "keep;", true)).await;
    house.ok(put("@example.test", "after", "keep;", false)).await;
    let with = |own: &[(String, bool)]| [own, &hers, &[entry("posthouse:before", false)]].concat();
    assert_eq!(shown().await, with(&[entry("a", true)]));
    house.ok(put(at, "b", "keep;", true)).await;
    let several = [entry("a", false), entry("b", false), entry("posthouse:active", true)];
    assert_eq!(shown().await, with(&several));
    let text = house.admin.shown_script(&address(at), "posthouse:active").await.unwrap();
    assert_eq!(check_script("active", &text, 10_000).unwrap(), [""; 0]);
    let text = house.admin.shown_script(&address(at), "posthouse:compiled jane@example.test").await.unwrap();
    assert_eq!(text, house.script(at).await);
    for name in ["posthouse:compiled john@example.test", "posthouse:after-example.test", "posthouse:", "c"] {
        assert!(house.admin.shown_script(&address(at), name).await.is_err(), "{name}");
    }
    let refused =
        "posthouse:active is made by the server and can only be read: put your rules into a script of your own";
    house.refused(put(at, "posthouse:active", "keep;", false), &[refused]).await;
    let place: ScriptWhere = at.parse().unwrap();
    house.refused(ScriptRemove { place: place.clone(), name: "posthouse:active".to_owned() }, &[refused]).await;
    house.refused(ScriptActivate { place, names: vec!["posthouse:active".to_owned()] }, &[refused]).await;
    house.assert_sound();
}

#[tokio::test]
async fn activating_what_is_active_changes_nothing() {
    let house = House::with_people().await;
    let at = "jane@example.test";
    house.ok(put(at, "a", "keep;", true)).await;
    let generation = house.admin.store().directory_generation().await.unwrap();
    let activate = ScriptActivate { place: at.parse().unwrap(), names: vec!["a".to_owned()] };
    let done = house.ok(activate).await;
    assert!(!done.changed && !done.mail_now.is_empty());
    assert_eq!(house.admin.store().directory_generation().await.unwrap(), generation);
    house.assert_sound();
}

#[tokio::test]
async fn there_is_room_for_so_many_scripts_of_such_a_size() {
    let house = House::with_people().await;
    let at = address("jane@example.test");
    let room = async |name: &str, octets: u64| {
        let answer = house.admin.script_room(&at, name, octets).await;
        answer.map_err(|refused| refused.to_string()).err().unwrap_or_default()
    };
    assert_eq!(room("a", 1000).await, "");
    assert_eq!(room("a", 1001).await, "the script has 1001 octets, 1000 are allowed");
    for number in 0..100 {
        house.ok(put("jane@example.test", &number.to_string(), "keep;", false)).await;
    }
    assert_eq!(room("7", 1000).await, "");
    let full = "there are 100 scripts already, which is all there may be";
    assert_eq!(room("a", 1).await, full);
    house.refused(put("jane@example.test", "a", "keep;", false), &[full]).await;
    house.assert_sound();
}
