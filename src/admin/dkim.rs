//! The DKIM keys of domains: made with the domain, changed from time to time.
//!
//! A domain signs with a pair, RSA and Ed25519. New ones never take over unseen:
//!
//! | state | what it is | until |
//! |---|---|---|
//! | next | published, not used yet | [`DKIM_NEXT_KEY_DAYS`] have passed *and* DNS answers with the records |
//! | signing | used | it is [`DKIM_KEY_DAYS`] old, when a next pair is made, and on until that takes over |
//! | retired | not used any more, still published | [`DKIM_RETIRED_KEY_DAYS`] have passed |
//!
//! Whoever keeps the zone by hand can take as long as he likes: nothing is ever signed with a key that DNS has not, but for
//! a domain's first pair, before which nothing was signed at all, and where an administrator says `--now`.

use super::error::{Cause, Refused};
use super::{Act, Admin, Caller, meant, words};
use crate::dns::Resolver;
use crate::policy::{KeyKind, is_key_record, key_name, key_record, new_key};
use crate::queue::key_kind;
use crate::store::{DkimAlgorithm, DkimKey, DkimKeyState, StoreError};
use crate::types::limits::{DKIM_KEY_DAYS, DKIM_NEXT_KEY_DAYS, DKIM_RETIRED_KEY_DAYS};
use crate::types::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// How often keys are decided anew when somebody else changes them at the same time.
const ROUNDS_MAX: usize = 5;

/// Makes new keys, to be used as soon as DNS has them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainRotateKeys {
    pub domain: Domain,
    pub when: RotateWhen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotateWhen {
    Published,
    /// The keys in use are known to somebody.
    Now,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysRotated {
    /// False: new keys are waiting already.
    pub changed: bool,
    pub keys: Vec<KeyView>,
    pub notes: Vec<String>,
}

/// A key as it may be shown: without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    pub selector: String,
    pub algorithm: DkimAlgorithm,
    pub state: DkimKeyState,
    /// When it came into this state.
    pub since: String,
    /// What comes of it, and when.
    pub meaning: String,
    /// The name and the text of its TXT record.
    pub name: String,
    pub record: String,
}

impl KeyView {
    pub(super) fn of(domain: &Domain, key: &DkimKey) -> Self {
        let day = |days: i64| words::day(key.since.plus_seconds(days * DAY_SECONDS));
        Self {
            selector: key.selector.clone(),
            algorithm: key.algorithm,
            state: key.state,
            since: key.since.rfc3339(),
            meaning: match key.state {
                DkimKeyState::Signing => format!("in use since {}", day(0)),
                DkimKeyState::Next => {
                    format!("will be used from {} on, if DNS has it by then, else later", day(DKIM_NEXT_KEY_DAYS))
                }
                DkimKeyState::Retired => {
                    format!("not used since {}; its record should stay until {}", day(0), day(DKIM_RETIRED_KEY_DAYS))
                }
            },
            name: key_name(&key.selector, domain),
            record: key_record(key_kind(key.algorithm), &key.public_key),
        }
    }
}

impl Act for DomainRotateKeys {
    const NAME: &'static str = "domain rotate-keys";
    type Answer = KeysRotated;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<KeysRotated, Refused> {
        let Self { domain, when } = &self;
        let snapshot = admin.directory().snapshot().await?;
        meant::domain(&snapshot, domain)?;
        let now = admin.store().clock().now();
        let mut made = None;
        for _ in 0..ROUNDS_MAX {
            let known = admin.store().dkim_keys(domain).await?;
            let is_waiting = known.iter().any(|key| key.state == DkimKeyState::Next);
            let mut keys = known.clone();
            if !is_waiting && made.is_none() {
                made = Some(new_pair(now).await?);
            }
            if !is_waiting {
                add(&mut keys, made.iter().flatten());
            }
            if *when == RotateWhen::Now || known.is_empty() {
                take_over(&mut keys, now);
            }
            let changed = keys != known;
            if changed {
                match admin.store().replace_dkim_keys(domain, known, keys.clone()).await {
                    Err(StoreError::Changed) => continue,
                    outcome => outcome?,
                }
                tracing::info!(author = caller.author, %domain, "DKIM keys changed");
            }
            return Ok(answer(domain, &keys, *when, changed));
        }
        Err(StoreError::Changed.into())
    }
}

fn answer(domain: &Domain, keys: &[DkimKey], when: RotateWhen, changed: bool) -> KeysRotated {
    let mut notes = vec![format!("posthouse dns {domain} shows the records to publish")];
    let is_retired = keys.iter().any(|key| key.state == DkimKeyState::Retired);
    if when == RotateWhen::Now && is_retired {
        notes.push(
            "if somebody knows the old keys, take their records out of DNS now, though mail on its way loses its signature"
                .to_owned(),
        );
    }
    KeysRotated { changed, keys: keys.iter().map(|key| KeyView::of(domain, key)).collect(), notes }
}

impl Admin {
    /// Gives keys to domains that have none. Returns how many there were.
    pub async fn make_missing_keys(&self) -> Result<usize, Refused> {
        let domains = self.store().domains_without_dkim_keys().await?;
        for domain in &domains {
            self.make_first_keys(domain).await?;
        }
        Ok(domains.len())
    }

    pub(super) async fn make_first_keys(&self, domain: &Domain) -> Result<(), Refused> {
        if !self.store().dkim_keys(domain).await?.is_empty() {
            return Ok(());
        }
        let now = self.store().clock().now();
        let mut keys = Vec::new();
        add(&mut keys, new_pair(now).await?.iter());
        take_over(&mut keys, now);
        match self.store().replace_dkim_keys(domain, Vec::new(), keys).await {
            // Somebody else has made some, or the domain is gone again.
            Err(StoreError::Changed | StoreError::Missing(_)) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Domains whose new keys are to be published, for `status`.
    pub(super) async fn keys_waiting(&self) -> Result<Vec<String>, Refused> {
        let (now, never) = (self.store().clock().now(), Timestamp(i64::MIN));
        let waiting = self.store().domains_with_old_dkim_keys(never, now, never).await?;
        let line = |domain: &Domain| format!("{domain}: new DKIM keys wait for their records: posthouse dns {domain}");
        Ok(waiting.iter().map(line).collect())
    }

    /// Does with old keys what their age demands. Returns the domains whose keys changed.
    pub async fn tend_keys(&self) -> Result<Vec<Domain>, Refused> {
        let store = self.store();
        let now = store.clock().now();
        let before = |days: i64| now.plus_seconds(-days * DAY_SECONDS);
        let due = store.domains_with_old_dkim_keys(
            before(DKIM_KEY_DAYS),
            before(DKIM_NEXT_KEY_DAYS),
            before(DKIM_RETIRED_KEY_DAYS),
        );
        let mut changed = Vec::new();
        for domain in due.await? {
            let known = store.dkim_keys(&domain).await?;
            let mut keys = known.clone();
            keys.retain(|key| !(key.state == DkimKeyState::Retired && key.since <= before(DKIM_RETIRED_KEY_DAYS)));
            let next: Vec<&DkimKey> = known.iter().filter(|key| key.state == DkimKeyState::Next).collect();
            let is_old = |key: &DkimKey| key.state == DkimKeyState::Signing && key.since <= before(DKIM_KEY_DAYS);
            if next.is_empty() && known.iter().any(is_old) {
                add(&mut keys, new_pair(now).await?.iter());
                tracing::warn!(%domain, "the DKIM keys are old: publish those that are to follow, posthouse dns shows them");
            } else if !next.is_empty()
                && next.iter().all(|key| key.since <= before(DKIM_NEXT_KEY_DAYS))
                && self.are_published(&domain, &next).await
            {
                take_over(&mut keys, now);
                tracing::info!(%domain, "DNS has the new DKIM keys: they sign from now on");
            }
            if keys != known {
                match store.replace_dkim_keys(&domain, known, keys).await {
                    // The next round looks again.
                    Err(StoreError::Changed | StoreError::Missing(_)) => {}
                    outcome => {
                        outcome?;
                        changed.push(domain);
                    }
                }
            }
        }
        Ok(changed)
    }

    async fn are_published(&self, domain: &Domain, keys: &[&DkimKey]) -> bool {
        let Some(resolver) = self.resolver() else { return false };
        for key in keys {
            if !is_published(resolver.as_ref(), domain, key).await {
                return false;
            }
        }
        true
    }
}

async fn is_published(resolver: &dyn Resolver, domain: &Domain, key: &DkimKey) -> bool {
    let Ok(name) = Domain::parse(&key_name(&key.selector, domain)) else { return false };
    let Ok(answer) = resolver.txt(&name).await else { return false };
    answer.records.iter().any(|text| is_key_record(text, key_kind(key.algorithm), &key.public_key))
}

/// RSA takes a good part of a second to make.
async fn new_pair(now: Timestamp) -> Result<[DkimKey; 2], Refused> {
    let making = tokio::task::spawn_blocking(move || {
        let make = |algorithm: DkimAlgorithm| {
            let pair = new_key(key_kind(algorithm)).map_err(|error| Cause::KeyNotMade(error.to_string()))?;
            Ok::<_, Cause>(DkimKey {
                selector: String::new(),
                algorithm,
                private_key: pair.private,
                public_key: pair.public,
                state: DkimKeyState::Next,
                created: now,
                since: now,
            })
        };
        Ok::<_, Cause>([make(DkimAlgorithm::RsaSha256)?, make(DkimAlgorithm::Ed25519Sha256)?])
    });
    Ok(making.await.map_err(|_| Cause::TaskDied)??)
}

/// Under selectors that tell kind and day, and that nothing else has.
fn add<'k>(keys: &mut Vec<DkimKey>, pair: impl Iterator<Item = &'k DkimKey>) {
    for key in pair {
        let kind = match key_kind(key.algorithm) {
            KeyKind::Rsa => "rsa",
            KeyKind::Ed25519 => "ed",
        };
        let base = format!("{kind}{}", words::day(key.created).replace('-', ""));
        let mut selector = base.clone();
        let mut number = 2;
        while keys.iter().any(|known| known.selector == selector) {
            selector = format!("{base}-{number}");
            number += 1;
        }
        keys.push(DkimKey { selector, ..key.clone() });
    }
}

/// Those that waited sign, and those that signed retire.
fn take_over(keys: &mut [DkimKey], now: Timestamp) {
    if !keys.iter().any(|key| key.state == DkimKeyState::Next) {
        return;
    }
    for key in keys {
        let state = match key.state {
            DkimKeyState::Next => DkimKeyState::Signing,
            DkimKeyState::Signing => DkimKeyState::Retired,
            DkimKeyState::Retired => continue,
        };
        (key.state, key.since) = (state, now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{House, authoritative, domain};
    use super::*;
    use crate::admin::{Backup, DomainRemove};
    use crate::dns::FakeResolver;
    use std::sync::Arc;

    /// State and selector of each key.
    async fn keys(house: &House) -> Vec<String> {
        let keys = house.admin.store().dkim_keys(&domain("example.test")).await.unwrap();
        keys.iter().map(|key| format!("{:?} {}", key.state, key.selector)).collect()
    }

    async fn later(house: &House, days: i64) -> usize {
        house.clock.advance_seconds(days * DAY_SECONDS);
        house.admin.tend_keys().await.unwrap().len()
    }

    fn zone(keys: &[DkimKey]) -> String {
        let line = |key: &DkimKey| {
            let record = key_record(key_kind(key.algorithm), &key.public_key);
            format!("{} TXT \"{record}\"\n", key_name(&key.selector, &domain("example.test")))
        };
        keys.iter().map(line).collect()
    }

    #[tokio::test]
    async fn keys_come_with_the_domain_and_follow_each_other() {
        let house = House::empty().await;
        house.ok(authoritative("example.test")).await;
        assert_eq!(keys(&house).await, ["Signing rsa20260921", "Signing ed20260921"]);
        assert_eq!(house.admin.make_missing_keys().await.unwrap(), 0);
        let dns = FakeResolver::new("").unwrap();
        house.admin.set_resolver(Arc::new(dns.clone()));

        // Nothing happens before their time, and then only as far as DNS goes along.
        assert_eq!(later(&house, 364).await, 0);
        assert_eq!(later(&house, 1).await, 1);
        let waiting =
            ["Signing rsa20260921", "Signing ed20260921", "Next rsa20270921", "Next ed20270921"].map(str::to_owned);
        assert_eq!(keys(&house).await, waiting);
        assert_eq!(later(&house, 100).await, 0);
        let stored = house.admin.store().dkim_keys(&domain("example.test")).await.unwrap();
        dns.replace(&zone(&stored[..3])).unwrap();
        assert_eq!(later(&house, 0).await, 0, "one of the two is missing");
        dns.replace(&zone(&stored).replace("p=M", "p=N")).unwrap();
        assert_eq!(later(&house, 0).await, 0, "another key is there");
        dns.replace("example.test FAIL").unwrap();
        assert_eq!(later(&house, 0).await, 0, "nobody knows");
        dns.replace(&zone(&stored)).unwrap();
        assert_eq!(later(&house, 0).await, 1);
        let used = ["Retired rsa20260921", "Retired ed20260921", "Signing rsa20270921", "Signing ed20270921"];
        assert_eq!(keys(&house).await, used);
        assert_eq!(later(&house, 29).await, 0);
        assert_eq!(later(&house, 1).await, 1);
        assert_eq!(keys(&house).await, ["Signing rsa20270921", "Signing ed20270921"]);
        house.assert_sound();
    }

    #[tokio::test]
    async fn keys_change_when_an_administrator_wants_it() {
        let house = House::empty().await;
        house.ok(authoritative("example.test")).await;
        let rotate = |when| DomainRotateKeys { domain: domain("example.test"), when };
        let rotated = house.ok(rotate(RotateWhen::Published)).await;
        assert!(rotated.changed);
        let shown: Vec<&str> = rotated.keys.iter().map(|key| key.meaning.as_str()).collect();
        let waits = "will be used from 2026-09-22 on, if DNS has it by then, else later";
        assert_eq!(shown, ["in use since 2026-09-21", "in use since 2026-09-21", waits, waits]);
        assert_eq!(rotated.keys[2].name, "rsa20260921-2._domainkey.example.test");
        assert!(rotated.keys[3].record.starts_with("v=DKIM1; k=ed25519; p="));
        // Nothing secret is in an answer.
        let stored = house.admin.store().dkim_keys(&domain("example.test")).await.unwrap();
        let answer = serde_json::to_string(&rotated).unwrap();
        assert!(stored.iter().all(|key| !answer.contains(&crate::auth::encode(&key.private_key)[60..80])));
        assert!(!format!("{stored:?}").contains("private"));

        assert!(!house.ok(rotate(RotateWhen::Published)).await.changed, "there are some waiting");
        let attention = house.ok(crate::admin::Status {}).await.attention;
        let waiting = "example.test: new DKIM keys wait for their records: posthouse dns example.test";
        assert!(attention.iter().any(|line| line == waiting), "{attention:?}");
        let published = FakeResolver::new(&zone(&stored)).unwrap();
        house.admin.set_resolver(Arc::new(published));
        assert_eq!(later(&house, 0).await, 0, "not on the first day");
        assert!(house.ok(rotate(RotateWhen::Now)).await.changed);
        let now = ["Retired rsa20260921", "Retired ed20260921", "Signing rsa20260921-2", "Signing ed20260921-2"];
        assert_eq!(keys(&house).await, now);
        house
            .refused(
                DomainRotateKeys { domain: domain("x.test"), when: RotateWhen::Now },
                &["the domain x.test is not hosted here"],
            )
            .await;
        house.assert_sound();
    }

    #[tokio::test]
    async fn keys_are_in_backups_and_go_with_their_domain() {
        let house = House::empty().await;
        house.ok(authoritative("example.test")).await;
        let stored = house.admin.store().dkim_keys(&domain("example.test")).await.unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        house.ok(Backup { file: elsewhere.path().join(crate::store::DATABASE_FILE) }).await;
        let clock = Arc::clone(&house.clock) as Arc<dyn crate::types::Clock>;
        let copy = crate::store::Store::open(elsewhere.path(), clock).unwrap();
        assert_eq!(copy.dkim_keys(&domain("example.test")).await.unwrap(), stored);
        house.ok(DomainRemove { domain: domain("example.test"), yes: true }).await;
        assert_eq!(keys(&house).await, Vec::<String>::new());
        house.ok(authoritative("example.test")).await;
        assert_eq!(keys(&house).await.len(), 2);
        assert_ne!(house.admin.store().dkim_keys(&domain("example.test")).await.unwrap(), stored);
    }
}
