//! The whole of it over a real store: what is counted here is work, never time.

use super::*;
use crate::store::{DirectoryChange, DomainKind, NewAccount, NewDomain, ParkReason, Store, StoreError, Thing};
use crate::telemetry::Metrics;
use crate::types::limits::{
    APP_PASSWORD_USED_NOTE_SECONDS, APP_PASSWORDS_PER_ACCOUNT_MAX, LOGIN_FAILURES_FREE_PER_ACCOUNT,
};
use crate::types::{Address, Clock, Domain, FixedClock, Timestamp};
use std::sync::Arc;

const JANE: &str = "jane@example.test";
const BOSS: &str = "boss@example.test";
const SECRET: &str = "Secret123";

const CHEAP: HashSettings =
    HashSettings { memory_kibibytes: 64, passes: 1, lanes: 1, concurrent: 2, waiting_max: 100, scram_iterations: 4096 };

struct House {
    _directory: tempfile::TempDir,
    clock: Arc<FixedClock>,
    store: Store,
    metrics: Metrics,
    auth: Auth,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn peer(ip: &str) -> Peer {
    let security = Security::Tls(ChannelBinding::new(Some([7; TLS_EXPORTER_OCTETS]), None));
    Peer { address: ip.parse().unwrap(), security, service: "test" }
}

impl House {
    /// example.test with Jane, and Boss who is an administrator; both have the same password.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_700_000_000)));
        let store = Store::open(directory.path(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let metrics = Metrics::new();
        let auth = Auth::open(store.clone(), settings(), &metrics).await.unwrap();
        let house = Self { _directory: directory, clock, store, metrics, auth };
        let domain = |name: &str, kind| {
            DirectoryChange::AddDomain(NewDomain { name: Domain::parse(name).unwrap(), kind, catch_all: None })
        };
        house.change(domain("example.test", DomainKind::Authoritative)).await;
        house.change(domain("alias.test", DomainKind::AliasOf(Domain::parse("example.test").unwrap()))).await;
        for (name, administrator) in [(JANE, false), (BOSS, true)] {
            house
                .change(DirectoryChange::AddAccount(NewAccount {
                    address: address(name),
                    names: crate::store::Names::default(),
                    administrator,
                    quota_octets: None,
                    credentials: None,
                }))
                .await;
            house.set_password(name, SECRET).await;
        }
        house
    }

    async fn change(&self, change: DirectoryChange) {
        let generation = self.store.directory_generation().await.unwrap();
        self.store.change_directory(generation, vec![change]).await.unwrap();
    }

    async fn set_password(&self, name: &str, password: &str) {
        let prepared = Password::prepare(password).unwrap();
        let credentials = self.auth.credentials_for(&address(name), &prepared).await.unwrap();
        self.change(DirectoryChange::SetCredentials { address: address(name), credentials }).await;
    }

    async fn login(&self, name: &str, password: &str) -> Result<Authenticated, AuthFailure> {
        self.auth.login(&peer("192.0.2.1"), name, password).await
    }

    fn hashes(&self, kind: &str) -> u64 {
        self.metrics.counter("posthouse_password_hashes_total", "Password hashes computed.", &[("kind", kind)]).value()
    }

    /// One login through our own client, with SASL.
    async fn sasl(&self, mechanism: Mechanism, name: &str, password: &str) -> Result<Authenticated, AuthFailure> {
        let mut client = Client::new(&[mechanism], name, password, &self.security(mechanism)).unwrap();
        self.converse(&mut client, mechanism).await
    }

    /// A client that can't bind says so by "n"; one that could would say "y", and be refused for it.
    fn security(&self, mechanism: Mechanism) -> Security {
        match mechanism {
            Mechanism::ScramSha256 => Security::Plain,
            _ => peer("192.0.2.1").security,
        }
    }

    async fn converse(&self, client: &mut Client, mechanism: Mechanism) -> Result<Authenticated, AuthFailure> {
        let mut negotiation =
            self.auth.negotiate(&peer("192.0.2.1"), mechanism.name(), FinalData::AsChallenge).unwrap();
        let initial = client.initial_response().unwrap();
        let mut progress = self.auth.start(&mut negotiation, initial.as_deref()).await;
        loop {
            match progress {
                Progress::Challenge(challenge) => {
                    let answer = client.step(&challenge).unwrap();
                    progress = self.auth.step(&mut negotiation, &answer).await;
                }
                Progress::Done { session, data } => {
                    client.accepted(data.as_deref()).unwrap();
                    return Ok(session);
                }
                Progress::Failed(failure) => return Err(failure),
            }
        }
    }
}

fn settings() -> AuthSettings {
    AuthSettings {
        hash: CHEAP,
        plaintext_networks: vec!["198.51.100.0/24".parse().unwrap()],
        exempt_networks: vec!["203.0.113.0/24".parse().unwrap()],
    }
}

#[tokio::test]
async fn the_right_password_is_a_login() {
    let house = House::new().await;
    let session = house.login(JANE, SECRET).await.unwrap();
    assert_eq!(session.address(), &address(JANE));
    assert_eq!(session.author(), JANE);
    assert_eq!((session.app_password(), session.is_administrator()), (None, false));
    let check =
        |result: Result<Authenticated, AuthFailure>| assert_eq!(result.err(), Some(AuthFailure::WrongCredentials));
    check(house.login(JANE, "secret123").await);
    check(house.login(JANE, "").await);
    check(house.login(JANE, "Secret\u{0}123").await);
    check(house.login("john@example.test", SECRET).await);
    check(house.login("jane", SECRET).await);
    check(house.login("", SECRET).await);
    check(house.login(JANE, &"x".repeat(100_000)).await);
}

#[tokio::test]
async fn a_name_is_found_however_it_is_written() {
    let house = House::new().await;
    for name in ["Jane@Example.TEST", "\"jane\"@example.test", "jane@alias.test"] {
        assert_eq!(house.login(name, SECRET).await.unwrap().address(), &address(JANE), "{name}");
    }
}

#[tokio::test]
async fn every_mechanism_logs_in() {
    let house = House::new().await;
    let app = house.auth.add_app_password(&address(JANE), "phone").await.unwrap().into_revealed();
    for mechanism in Mechanism::ALL {
        let session = house.sasl(mechanism, JANE, SECRET).await.unwrap();
        assert_eq!((session.address(), session.mechanism()), (&address(JANE), mechanism));
        assert_eq!(session.app_password(), None);
        let session = house.sasl(mechanism, JANE, &app).await.unwrap();
        assert_eq!(session.app_password(), Some("phone"), "{mechanism}");
        for (name, password) in [(JANE, "Secret124"), ("john@example.test", SECRET), ("nobody", SECRET)] {
            let refused = house.sasl(mechanism, name, password).await;
            assert_eq!(refused.err(), Some(AuthFailure::WrongCredentials), "{mechanism} {name}");
        }
    }
}

/// What hashes cost was changed: the next login with the right password brings the stored one up to date, and ends nothing.
#[tokio::test]
async fn hashes_follow_the_settings() {
    let house = House::new().await;
    let stored = async || house.store.login_record(&address(JANE)).await.unwrap().unwrap();
    let session = house.login(JANE, SECRET).await.unwrap();
    let before = stored().await;
    let hash = HashSettings { passes: CHEAP.passes + 1, ..CHEAP };
    let dearer = Auth::open(house.store.clone(), AuthSettings { hash, ..settings() }, &house.metrics).await.unwrap();
    let login = async |password: &str| dearer.login(&peer("192.0.2.1"), JANE, password).await;
    assert!(login("Wrong1234").await.is_err());
    assert_eq!(stored().await, before);
    login(SECRET).await.unwrap();
    let after = stored().await;
    let argon2 = |record: &crate::store::LoginRecord| record.credentials.clone().unwrap().argon2;
    assert!(argon2(&after).contains(&format!("t={},", CHEAP.passes + 1)), "{}", argon2(&after));
    assert_eq!(after.generation, before.generation);
    assert!(house.auth.still_valid(&session).await.unwrap());
    // Once is enough, also for who has forgotten that he verified it.
    let again = Auth::open(house.store.clone(), AuthSettings { hash, ..settings() }, &house.metrics).await.unwrap();
    again.login(&peer("192.0.2.1"), JANE, SECRET).await.unwrap();
    assert_eq!(argon2(&stored().await), argon2(&after));
}

#[tokio::test]
async fn strangers_cost_what_residents_cost() {
    let house = House::new().await;
    let work = async |name: &str, password: &str| {
        let before = (house.hashes("argon2id"), house.hashes("pbkdf2"));
        assert_eq!(house.login(name, password).await.err(), Some(AuthFailure::WrongCredentials));
        (house.hashes("argon2id") - before.0, house.hashes("pbkdf2") - before.1)
    };
    for (password, expected) in [("Wrong1234", (1, 1)), ("Wrong1234", (0, 0)), ("Wrong12345", (1, 1)), ("", (0, 0))] {
        assert_eq!(work(JANE, password).await, expected);
        assert_eq!(work("john@example.test", password).await, expected);
        assert_eq!(work("not an address", password).await, expected);
    }
}

#[tokio::test]
async fn strangers_are_shown_a_salt_of_their_own() {
    let house = House::new().await;
    let challenge = async |auth: &Auth, name: &str| {
        let mut negotiation = auth.negotiate(&peer("192.0.2.1"), "SCRAM-SHA-256", FinalData::AsChallenge).unwrap();
        let first = format!("n,,n={name},r=abc");
        let Progress::Challenge(challenge) = auth.start(&mut negotiation, Some(first.as_bytes())).await else {
            panic!("a challenge");
        };
        let challenge = String::from_utf8(challenge).unwrap();
        let salt = challenge.split(',').nth(1).unwrap().to_owned();
        let rounds = challenge.split(',').nth(2).unwrap().to_owned();
        (salt, rounds, challenge.len())
    };
    let jane = challenge(&house.auth, JANE).await;
    let john = challenge(&house.auth, "john@example.test").await;
    assert_ne!(jane.0, john.0);
    assert_eq!((&jane.1, jane.2), (&john.1, john.2));
    assert_eq!(challenge(&house.auth, JANE).await, jane);
    assert_eq!(challenge(&house.auth, "John@Example.test").await, john);
    assert_ne!(challenge(&house.auth, "joan@example.test").await.0, john.0);
    let restarted = Auth::open(house.store.clone(), settings(), &Metrics::new()).await.unwrap();
    assert_eq!(challenge(&restarted, "john@example.test").await, john);
}

#[tokio::test]
async fn who_is_suspended_or_gone_is_out() {
    let house = House::new().await;
    let session = house.login(JANE, SECRET).await.unwrap();
    assert_eq!(house.auth.still_valid(&session).await, Ok(true));
    house.change(DirectoryChange::SuspendAccount(address(JANE))).await;
    for mechanism in Mechanism::ALL {
        let refused = house.sasl(mechanism, JANE, SECRET).await.unwrap_err();
        assert_eq!(refused, AuthFailure::Suspended);
        assert_eq!(refused.for_peer(), AuthFailure::WrongCredentials.for_peer());
    }
    assert_eq!(house.login(JANE, "Wrong1234").await.err(), Some(AuthFailure::WrongCredentials));
    assert_eq!(house.auth.still_valid(&session).await, Ok(false));
    house.change(DirectoryChange::ResumeAccount(address(JANE))).await;
    assert!(house.login(JANE, SECRET).await.is_ok());
    let until = house.clock.now().plus_seconds(3600);
    house.change(DirectoryChange::ParkAccount { address: address(JANE), why: ParkReason::Removed, until }).await;
    assert_eq!(house.login(JANE, SECRET).await.err(), Some(AuthFailure::WrongCredentials));
}

#[tokio::test]
async fn reconnecting_costs_no_hash_until_the_password_changes() {
    let house = House::new().await;
    let session = house.login(JANE, SECRET).await.unwrap();
    let before = house.hashes("argon2id");
    for _ in 0..20 {
        house.login(JANE, SECRET).await.unwrap();
        house.sasl(Mechanism::Plain, JANE, SECRET).await.unwrap();
    }
    assert_eq!(house.hashes("argon2id"), before);
    house.set_password(JANE, "Another456").await;
    assert_eq!(house.login(JANE, SECRET).await.err(), Some(AuthFailure::WrongCredentials));
    assert_eq!(house.sasl(Mechanism::ScramSha256Plus, JANE, SECRET).await.err(), Some(AuthFailure::WrongCredentials));
    assert!(house.login(JANE, "Another456").await.is_ok());
    assert!(house.sasl(Mechanism::ScramSha256Plus, JANE, "Another456").await.is_ok());
    assert_eq!(house.auth.still_valid(&session).await, Ok(false));
}

#[tokio::test]
async fn many_at_once_share_one_hash() {
    let house = House::new().await;
    let before = house.hashes("argon2id");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let auth = house.auth.clone();
        tasks.spawn(async move { auth.login(&peer("192.0.2.1"), JANE, SECRET).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|logged_in| logged_in));
    assert_eq!(house.hashes("argon2id"), before + 1);
}

#[tokio::test]
async fn app_passwords_come_and_go() {
    let house = House::new().await;
    let jane = address(JANE);
    let phone = house.auth.add_app_password(&jane, "phone").await.unwrap().into_revealed();
    let tablet = house.auth.add_app_password(&jane, "tablet").await.unwrap().into_revealed();
    assert_eq!(
        house.auth.add_app_password(&jane, "phone").await.err(),
        Some(CredentialError::Store(StoreError::Exists(Thing::AppPassword)))
    );
    assert_eq!(house.auth.add_app_password(&jane, " ").await.err(), Some(CredentialError::Label(LabelError::Empty)));
    let session = house.login(JANE, &phone).await.unwrap();
    assert_eq!(session.app_password(), Some("phone"));
    // The main password changes; those for applications stay.
    house.set_password(JANE, "Another456").await;
    assert_eq!(house.login(JANE, &tablet).await.unwrap().app_password(), Some("tablet"));
    assert!(house.sasl(Mechanism::ScramSha256, JANE, &phone).await.is_ok());
    house.auth.remove_app_password(&jane, "phone").await.unwrap();
    assert_eq!(house.login(JANE, &phone).await.err(), Some(AuthFailure::WrongCredentials));
    assert_eq!(house.sasl(Mechanism::ScramSha256, JANE, &phone).await.err(), Some(AuthFailure::WrongCredentials));
    assert_eq!(house.auth.still_valid(&session).await, Ok(false));
    assert!(house.login(JANE, &tablet).await.is_ok());
    assert!(house.login(JANE, "Another456").await.is_ok());
    assert_eq!(
        house.auth.remove_app_password(&jane, "phone").await,
        Err(CredentialError::Store(StoreError::Missing(Thing::AppPassword)))
    );
    let labels: Vec<String> =
        house.auth.app_passwords(&jane).await.unwrap().into_iter().map(|stored| stored.label).collect();
    assert_eq!(labels, ["tablet"]);
}

#[tokio::test]
async fn app_passwords_are_cheap_and_few() {
    let house = House::new().await;
    let jane = address(JANE);
    let mut last = String::new();
    for number in 0..APP_PASSWORDS_PER_ACCOUNT_MAX {
        last = house.auth.add_app_password(&jane, &format!("program {number}")).await.unwrap().into_revealed();
    }
    let refused = house.auth.add_app_password(&jane, "one more").await;
    assert!(matches!(refused, Err(CredentialError::Store(StoreError::Limit(_)))), "{refused:?}");
    let before = (house.hashes("argon2id"), house.hashes("pbkdf2"));
    assert!(house.login(JANE, &last).await.is_ok());
    assert_eq!((house.hashes("argon2id"), house.hashes("pbkdf2")), (before.0, before.1 + 1));
}

#[tokio::test]
async fn an_app_password_needs_a_password_beside_it() {
    let house = House::new().await;
    let added = house.auth.add_app_password(&address("john@example.test"), "phone").await;
    assert_eq!(added.err(), Some(CredentialError::Store(StoreError::Missing(Thing::Account))));
    house
        .change(DirectoryChange::AddAccount(NewAccount {
            address: address("john@example.test"),
            names: crate::store::Names::default(),
            administrator: false,
            quota_octets: None,
            credentials: None,
        }))
        .await;
    let added = house.auth.add_app_password(&address("john@example.test"), "phone").await;
    assert_eq!(added.err(), Some(CredentialError::NoPassword));
    for mechanism in Mechanism::ALL {
        let refused = house.sasl(mechanism, "john@example.test", SECRET).await;
        assert_eq!(refused.err(), Some(AuthFailure::WrongCredentials));
    }
    let john = house.store.login_record(&address("john@example.test")).await.unwrap().unwrap();
    let late = house.store.add_app_password(john.account, john.generation + 1, "phone", Vec::new(), 5).await;
    assert_eq!(late, Err(StoreError::Changed));
}

#[tokio::test]
async fn the_last_use_is_noted_once_in_a_while() {
    let house = House::new().await;
    let jane = address(JANE);
    let phone = house.auth.add_app_password(&jane, "phone").await.unwrap().into_revealed();
    let last_used = async || house.auth.app_passwords(&jane).await.unwrap()[0].last_used;
    assert_eq!(last_used().await, None);
    let first = house.clock.now();
    house.login(JANE, &phone).await.unwrap();
    assert_eq!(last_used().await, Some(first));
    house.clock.advance_seconds(APP_PASSWORD_USED_NOTE_SECONDS - 1);
    house.login(JANE, &phone).await.unwrap();
    assert_eq!(last_used().await, Some(first));
    house.clock.advance_seconds(1);
    house.login(JANE, &phone).await.unwrap();
    assert_eq!(last_used().await, Some(house.clock.now()));
}

#[tokio::test]
async fn an_administrator_acts_for_others() {
    let house = House::new().await;
    let acting = async |authorization: &str, name: &str, password: &str| {
        let mut negotiation = house.auth.negotiate(&peer("192.0.2.1"), "PLAIN", FinalData::WithSuccess).unwrap();
        let message = format!("{authorization}\0{name}\0{password}");
        match house.auth.start(&mut negotiation, Some(message.as_bytes())).await {
            Progress::Done { session, .. } => Ok(session),
            Progress::Failed(failure) => Err(failure),
            Progress::Challenge(_) => panic!("PLAIN has one message"),
        }
    };
    let session = acting(JANE, BOSS, SECRET).await.unwrap();
    assert_eq!((session.address(), session.acting_administrator()), (&address(JANE), Some(&address(BOSS))));
    assert_eq!(session.author(), format!("{BOSS} for {JANE}"));
    assert!(session.is_administrator());
    for own in ["", JANE, "JANE@example.test", "jane@alias.test"] {
        let session = acting(own, JANE, SECRET).await.unwrap();
        assert_eq!((session.address(), session.acting_administrator()), (&address(JANE), None), "{own}");
    }
    assert_eq!(acting(BOSS, JANE, SECRET).await.err(), Some(AuthFailure::NotAuthorized));
    assert_eq!(acting("john@example.test", BOSS, SECRET).await.err(), Some(AuthFailure::NotAuthorized));
    assert_eq!(acting("nobody", BOSS, SECRET).await.err(), Some(AuthFailure::NotAuthorized));
    assert_eq!(acting(JANE, BOSS, "Wrong1234").await.err(), Some(AuthFailure::WrongCredentials));
    let program = house.auth.add_app_password(&address(BOSS), "program").await.unwrap().into_revealed();
    assert_eq!(acting(JANE, BOSS, &program).await.err(), Some(AuthFailure::NotAuthorized));
    assert!(!acting("", BOSS, &program).await.unwrap().is_administrator());
    house.change(DirectoryChange::SuspendAccount(address(JANE))).await;
    assert!(acting(JANE, BOSS, SECRET).await.is_ok());
    assert_eq!(house.auth.still_valid(&session).await, Ok(true));
    house.set_password(BOSS, "Another456").await;
    assert_eq!(house.auth.still_valid(&session).await, Ok(false));
}

#[tokio::test]
async fn guessing_has_to_wait() {
    let house = House::new().await;
    let guess = async |ip: &str, password: &str| house.auth.login(&peer(ip), JANE, password).await.err();
    for number in 0..=LOGIN_FAILURES_FREE_PER_ACCOUNT {
        let failure = guess(&format!("192.0.2.{number}"), &format!("Guess{number}")).await;
        assert_eq!(failure, Some(AuthFailure::WrongCredentials));
    }
    let before = house.hashes("argon2id");
    let throttled = guess("192.0.2.99", SECRET).await.unwrap();
    assert!(matches!(throttled, AuthFailure::Throttled { .. }) && throttled.is_temporary(), "{throttled:?}");
    for mechanism in Mechanism::ALL {
        let refused = house.sasl(mechanism, JANE, SECRET).await;
        assert!(matches!(refused, Err(AuthFailure::Throttled { .. })), "{mechanism} {refused:?}");
    }
    assert_eq!(house.hashes("argon2id"), before);
    assert_eq!(guess("203.0.113.1", SECRET).await, None);
    house.clock.advance_seconds(1);
    assert_eq!(guess("192.0.2.99", SECRET).await, None);
    assert_eq!(guess("192.0.2.98", "Guess98").await, Some(AuthFailure::WrongCredentials));
    assert_eq!(guess("192.0.2.98", SECRET).await, None);
}

#[tokio::test]
async fn guessing_all_at_once_does_not_help() {
    let house = House::new().await;
    let before = house.hashes("argon2id");
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60 {
        let auth = house.auth.clone();
        tasks.spawn(async move { auth.login(&peer("192.0.2.1"), JANE, &format!("Guess{number}")).await.err() });
    }
    let failures = tasks.join_all().await;
    assert!(failures.iter().any(|failure| matches!(failure, Some(AuthFailure::Throttled { .. }))));
    // The clock stands still: what ran before the wait began, and what was running with the last of these.
    let most = u64::from(LOGIN_FAILURES_FREE_PER_ACCOUNT) + CHEAP.concurrent as u64;
    assert!(house.hashes("argon2id") - before <= most, "{} of at most {most}", house.hashes("argon2id") - before);
}

#[tokio::test]
async fn a_full_queue_is_said() {
    let house = House::new().await;
    let settings = AuthSettings { hash: HashSettings { concurrent: 1, waiting_max: 0, ..CHEAP }, ..settings() };
    let auth = Auth::open(house.store.clone(), settings, &Metrics::new()).await.unwrap();
    let turn = auth.hasher().turn().await.unwrap();
    let busy = auth.login(&peer("192.0.2.1"), JANE, SECRET).await.unwrap_err();
    assert_eq!((&busy, busy.is_temporary()), (&AuthFailure::Busy, true));
    drop(turn);
    assert!(auth.login(&peer("192.0.2.1"), JANE, SECRET).await.is_ok());
}

#[tokio::test]
async fn without_encryption_only_listed_networks_log_in() {
    let house = House::new().await;
    let plain = |ip: &str| Peer { security: Security::Plain, ..peer(ip) };
    assert!(house.auth.offered(&plain("192.0.2.1")).is_empty());
    let refused = house.auth.login(&plain("192.0.2.1"), JANE, SECRET).await;
    assert_eq!(refused.err(), Some(AuthFailure::EncryptionRequired));
    for mechanism in Mechanism::ALL {
        let refused = house.auth.negotiate(&plain("192.0.2.1"), mechanism.name(), FinalData::AsChallenge);
        assert_eq!(refused.err(), Some(AuthFailure::EncryptionRequired));
    }
    assert!(house.auth.login(&plain("198.51.100.1"), JANE, SECRET).await.is_ok());
    let negotiate = |mechanism| house.auth.negotiate(&plain("198.51.100.1"), mechanism, FinalData::AsChallenge);
    assert!(negotiate("scram-sha-256").is_ok());
    assert_eq!(negotiate("SCRAM-SHA-256-PLUS").err(), Some(AuthFailure::MechanismNotOffered));
    assert_eq!(negotiate("CRAM-MD5").err(), Some(AuthFailure::MechanismNotOffered));
    house.auth.replace_networks(Vec::new(), Vec::new());
    assert!(house.auth.offered(&plain("198.51.100.1")).is_empty());
}

#[tokio::test]
async fn a_proof_is_held_against_what_is_true_when_it_comes() {
    let house = House::new().await;
    let mut client = Client::new(&[Mechanism::ScramSha256], JANE, SECRET, &Security::Plain).unwrap();
    let mut negotiation = house.auth.negotiate(&peer("192.0.2.1"), "SCRAM-SHA-256", FinalData::AsChallenge).unwrap();
    let first = client.initial_response().unwrap();
    let Progress::Challenge(challenge) = house.auth.start(&mut negotiation, first.as_deref()).await else {
        panic!("a challenge");
    };
    house.set_password(JANE, "Another456").await;
    let proof = client.step(&challenge).unwrap();
    let progress = house.auth.step(&mut negotiation, &proof).await;
    assert_eq!(progress, Progress::Failed(AuthFailure::WrongCredentials));
    assert_eq!(
        house.auth.step(&mut negotiation, &proof).await,
        Progress::Failed(AuthFailure::Exchange(SaslError::OutOfOrder))
    );
}

#[tokio::test]
async fn a_downgrade_is_noticed() {
    let house = House::new().await;
    let mut client = Client::new(&[Mechanism::ScramSha256], JANE, SECRET, &peer("192.0.2.1").security).unwrap();
    let refused = house.converse(&mut client, Mechanism::ScramSha256).await;
    assert_eq!(refused.err(), Some(AuthFailure::Exchange(SaslError::Scram(ScramError::Downgrade))));
}
