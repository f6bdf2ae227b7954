//! Logging in: names and passwords against the store, for every protocol.
//!
//! Each attempt passes the throttle, then one look at the store, then the verified logins or the hasher. An unknown name
//! takes the same way with made-up keys and a hash that fits nothing, and ends in the same failure.

use super::app_password::from_stored_form;
use super::authenticated::{Authenticated, Login};
use super::failure::AuthFailure;
use super::hasher::{HashError, HashSettings, Hasher};
use super::password::Password;
use super::sasl::{Mechanism, Plaintext, Security, offered};
use super::scram::{Key, KeyPair, mac};
use super::throttle::{Attempt, Throttle, Wait};
use super::verified::{Verdict, Verified};
use crate::store::{Credentials, LoginRecord, Store, StoreError};
use crate::telemetry::Metrics;
use crate::types::limits::APP_PASSWORD_USED_NOTE_SECONDS;
use crate::types::{AccountId, Address, Clock, Network};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// What the configuration says about logging in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AuthSettings {
    pub hash: HashSettings,
    /// May log in without TLS.
    pub plaintext_networks: Vec<Network>,
    /// Are never made to wait.
    pub exempt_networks: Vec<Network>,
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    pub security: Security,
    /// For the log: `imap`, `submission`, …
    pub service: &'static str,
}

/// The service. Clones share it.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    hasher: Hasher,
    throttle: Throttle,
    verified: Verified,
    strangers_key: Key,
    plaintext_networks: RwLock<Vec<Network>>,
}

/// What a password is compared with, of an account or of nobody.
struct Expected {
    argon2: String,
    salt: Vec<u8>,
    iterations: u32,
    app_passwords: Vec<(String, KeyPair)>,
}

/// Salts shown for names that don't exist must be the same after a restart, or they would give themselves away.
const STRANGERS_KEY: &str = "auth-strangers-key";

impl Auth {
    pub async fn open(store: Store, settings: AuthSettings, metrics: &Metrics) -> Result<Self, AuthFailure> {
        let mut fresh = Key::default();
        getrandom::fill(&mut fresh).map_err(|_| AuthFailure::System)?;
        let kept = store.setting_or_insert(STRANGERS_KEY, STANDARD.encode(fresh)).await?;
        let clock = Arc::clone(store.clock());
        Ok(Self(Arc::new(Inner {
            strangers_key: mac(kept.as_bytes(), &[b"strangers"]),
            hasher: Hasher::new(settings.hash, metrics)?,
            throttle: Throttle::new(settings.exempt_networks, Arc::clone(&clock)),
            verified: Verified::new(Arc::clone(&clock)).map_err(|_| AuthFailure::System)?,
            plaintext_networks: RwLock::new(settings.plaintext_networks),
            metrics: metrics.clone(),
            clock,
            store,
        })))
    }

    /// New lists from a reloaded configuration; what hashes cost stays as it was until a restart.
    pub fn replace_networks(&self, plaintext_networks: Vec<Network>, exempt_networks: Vec<Network>) {
        *self.0.plaintext_networks.write().unwrap_or_else(PoisonError::into_inner) = plaintext_networks;
        self.0.throttle.replace_exempt(exempt_networks);
    }

    /// What to advertise to this peer. Nothing means: no login before TLS (IMAP says LOGINDISABLED).
    pub fn offered(&self, peer: &Peer) -> &'static [Mechanism] {
        let listed = self.0.plaintext_networks.read().unwrap_or_else(PoisonError::into_inner);
        let allowed = listed.iter().any(|network| network.contains(peer.address));
        offered(&peer.security, if allowed { Plaintext::Allowed } else { Plaintext::Refused })
    }

    /// A name with its password, without SASL: IMAP's LOGIN.
    pub async fn login(&self, peer: &Peer, name: &str, password: &str) -> Result<Authenticated, AuthFailure> {
        let result = if self.offered(peer).contains(&Mechanism::Plain) {
            self.check_password(peer, Mechanism::Plain, None, name, password).await
        } else {
            Err(AuthFailure::EncryptionRequired)
        };
        self.report(peer, name, Mechanism::Plain, result.as_ref());
        result
    }

    /// Whether a session that logged in earlier may go on: its account is neither suspended nor removed, no password it
    /// depends on was changed, and the same is true of the administrator who acts in it.
    pub async fn still_valid(&self, session: &Authenticated) -> Result<bool, StoreError> {
        let login = session.login();
        if self.0.store.login_generation(login.account).await? != Some(login.generation) {
            return Ok(false);
        }
        // A change of the other's password does not concern the administrator; that the account is there does.
        Ok(session.acting_administrator().is_none() || self.0.store.login_exists(session.account()).await?)
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    pub(super) fn forget(&self, account: AccountId) {
        self.0.verified.forget(account);
    }

    pub(super) fn attempt(&self, peer: &Peer, name: &str) -> Result<Attempt, AuthFailure> {
        let attempt = self.0.throttle.attempt(&comparable(name), peer.address);
        self.admit(&attempt)?;
        Ok(attempt)
    }

    pub(super) fn admit(&self, attempt: &Attempt) -> Result<(), AuthFailure> {
        self.0.throttle.admit(attempt).map_err(|Wait { seconds }| AuthFailure::Throttled { seconds })
    }

    /// A SCRAM proof that fitted nothing.
    pub(super) fn wrong_proof(&self, attempt: &Attempt) -> AuthFailure {
        self.0.throttle.failed(attempt, None);
        AuthFailure::WrongCredentials
    }

    pub(super) async fn record(&self, name: &str) -> Result<Option<LoginRecord>, AuthFailure> {
        match Address::parse(name) {
            Ok(address) => Ok(self.0.store.login_record(&address).await?),
            Err(_) => Ok(None),
        }
    }

    /// Salt and rounds a stranger is shown: always the same for one name.
    pub(super) fn strangers_salt(&self, name: &str) -> (Vec<u8>, u32) {
        let salt = mac(&self.0.strangers_key, &[b"salt", comparable(name).as_bytes()]);
        (salt[..super::credentials::SALT_OCTETS].to_vec(), self.0.hasher.scram_iterations())
    }

    /// The keys that stand in for a stranger's: as dear to compare with as real ones, and fitting nothing.
    pub(super) fn strangers_keys(&self, name: &str) -> KeyPair {
        let key = |purpose: &[u8]| mac(&self.0.strangers_key, &[purpose, comparable(name).as_bytes()]);
        KeyPair { stored_key: key(b"stored key"), server_key: key(b"server key") }
    }

    pub(super) async fn check_password(
        &self,
        peer: &Peer,
        mechanism: Mechanism,
        authorization: Option<&str>,
        name: &str,
        password: &str,
    ) -> Result<Authenticated, AuthFailure> {
        let attempt = self.attempt(peer, name)?;
        let record = self.record(name).await?;
        let verdict = self.verdict(&attempt, name, record.as_ref(), password).await?;
        let label = match verdict {
            Verdict::Main => None,
            Verdict::AppPassword(label) => Some(label),
            Verdict::Wrong => return Err(AuthFailure::WrongCredentials),
        };
        let record = record.ok_or(AuthFailure::WrongCredentials)?;
        self.accept(&attempt, record, label, mechanism, authorization).await
    }

    /// The password is right; may he in, and as whom?
    pub(super) async fn accept(
        &self,
        attempt: &Attempt,
        record: LoginRecord,
        app_password: Option<String>,
        mechanism: Mechanism,
        authorization: Option<&str>,
    ) -> Result<Authenticated, AuthFailure> {
        if record.suspended {
            return Err(AuthFailure::Suspended);
        }
        self.0.throttle.succeeded(attempt);
        self.note_used(&record, app_password.as_deref()).await;
        let login = Login {
            account: record.account,
            address: record.address,
            generation: record.generation,
            administrator: record.administrator,
            mechanism,
            app_password,
        };
        let Some(authorization) = authorization else {
            return Ok(Authenticated::owner(login));
        };
        match self.record(authorization).await? {
            Some(other) if other.account == login.account => Ok(Authenticated::owner(login)),
            // Suspended ones included: looking after them is what an administrator does.
            Some(other) => {
                Authenticated::acting_for(login, other.account, other.address).ok_or(AuthFailure::NotAuthorized)
            }
            None => Err(AuthFailure::NotAuthorized),
        }
    }

    async fn verdict(
        &self,
        attempt: &Attempt,
        name: &str,
        record: Option<&LoginRecord>,
        password: &str,
    ) -> Result<Verdict, AuthFailure> {
        // What can't be prepared can't be set either; that it costs nothing tells nothing about the name.
        let guess = self.0.throttle.guess(attempt, password);
        let Ok(password) = Password::prepare(password) else {
            self.0.throttle.failed(attempt, Some(guess));
            return Ok(Verdict::Wrong);
        };
        let generation = record.map_or(0, |record| record.generation);
        let verified = &self.0.verified;
        let tag = verified.tag(&comparable(name), generation, password.as_bytes());
        // One that is known to be wrong was counted when it was found out.
        if let Some(verdict) = verified.recall(&tag) {
            return Ok(verdict);
        }
        let flight = verified.flight(tag);
        let _first = flight.turn().await;
        if let Some(verdict) = verified.recall(&tag) {
            return Ok(verdict);
        }
        let expected = self.expected(name, record)?;
        let turn = self.0.hasher.turn().await?;
        self.admit(attempt)?;
        let stored = expected.argon2.clone();
        let (outcome, turn) = turn
            .run(move |bench| -> Result<(Verdict, Option<String>), HashError> {
                // App passwords first, all with one derivation: who uses one never pays for argon2id.
                let keys = bench.scram_keys(&password, &expected.salt, expected.iterations);
                if let Some((label, _)) = expected.app_passwords.into_iter().find(|(_, other)| keys.same_as(other)) {
                    return Ok((Verdict::AppPassword(label), None));
                }
                if !bench.verify(&password, &expected.argon2)? {
                    return Ok((Verdict::Wrong, None));
                }
                // This is the one moment when the password is at hand; a hash that can't be made now is made next time.
                let outdated = bench.is_outdated(&expected.argon2);
                Ok((Verdict::Main, outdated.then(|| bench.hash(&password).ok()).flatten()))
            })
            .await?;
        let (verdict, renewed) = outcome?;
        if let (Some(record), Some(renewed)) = (record, renewed) {
            self.renew(record, stored, renewed).await;
        }
        verified.remember(tag, record.map(|record| record.account), verdict.clone());
        if verdict == Verdict::Wrong {
            // While we still have the turn: whoever is next must find it counted.
            self.0.throttle.failed(attempt, Some(guess));
        }
        drop(turn);
        Ok(verdict)
    }

    /// What hashes cost was changed in the configuration. The password is the same, so nothing that depends on it ends.
    async fn renew(&self, record: &LoginRecord, stored: String, renewed: String) {
        match self.0.store.renew_hash(record.account, stored, renewed).await {
            Ok(()) => tracing::info!(account = %record.address, "the password's hash was made anew, as now configured"),
            Err(error) => tracing::warn!(account = %record.address, %error, "the password's hash could not be renewed"),
        }
    }

    fn expected(&self, name: &str, record: Option<&LoginRecord>) -> Result<Expected, AuthFailure> {
        let Some((record, credentials)) = record.and_then(|record| Some((record, record.credentials.as_ref()?))) else {
            let (salt, iterations) = self.strangers_salt(name);
            let argon2 = self.0.hasher.stranger().to_owned();
            return Ok(Expected { argon2, salt, iterations, app_passwords: Vec::new() });
        };
        let Credentials { argon2, scram_salt, scram_iterations, .. } = credentials.clone();
        let app_passwords = app_passwords(record)?;
        Ok(Expected { argon2, salt: scram_salt, iterations: scram_iterations, app_passwords })
    }

    /// Once in a while, not at each login; that it could not be noted is no reason to refuse one.
    async fn note_used(&self, record: &LoginRecord, label: Option<&str>) {
        let used = record.app_passwords.iter().find(|app_password| Some(app_password.label.as_str()) == label);
        let Some(used) = used else { return };
        let now = self.0.clock.now();
        if used.last_used.is_some_and(|before| now < before.plus_seconds(APP_PASSWORD_USED_NOTE_SECONDS)) {
            return;
        }
        if let Err(error) = self.0.store.note_app_password_used(record.account, &used.label, now).await {
            tracing::warn!(account = %record.address, label = used.label, %error, "use of an app password not noted");
        }
    }

    /// One line in the log and one count for each attempt. What was typed as a name is logged only if it is an address:
    /// people type their password there.
    pub(super) fn report(
        &self,
        peer: &Peer,
        name: &str,
        mechanism: Mechanism,
        result: Result<&Authenticated, &AuthFailure>,
    ) {
        let label = result.map_or_else(AuthFailure::label, |_| "ok");
        self.0.metrics.counter("posthouse_logins_total", "Logins by result.", &[("result", label)]).increment();
        let (service, from) = (peer.service, peer.address);
        match result {
            Ok(session) => {
                let (account, app_password) = (session.author(), session.app_password());
                tracing::info!(account, app_password, %mechanism, service, %from, "logged in");
            }
            Err(cause) => {
                let name = Address::parse(name).map_or_else(|_| "(not an address)".to_owned(), |name| name.to_string());
                tracing::warn!(name, %mechanism, service, %from, %cause, "login refused");
            }
        }
    }
}

/// One form per name, so that counting and remembering can't be evaded by writing it differently.
fn comparable(name: &str) -> String {
    match Address::parse(name) {
        Ok(address) => address.canonical().to_string(),
        Err(_) => name.to_lowercase(),
    }
}

/// The account's app passwords with their keys.
pub(super) fn app_passwords(record: &LoginRecord) -> Result<Vec<(String, KeyPair)>, AuthFailure> {
    let keys = |stored: &[u8]| from_stored_form(stored).ok_or(AuthFailure::Damaged);
    record.app_passwords.iter().map(|stored| Ok((stored.label.clone(), keys(&stored.hash)?))).collect()
}
