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

use super::causes::DomainCause;
use super::error::{Cause, Refused};
use super::{Act, Admin, Caller, words};
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
        snapshot.domain(domain).ok_or_else(|| DomainCause::NotHosted(domain.clone()))?;
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
