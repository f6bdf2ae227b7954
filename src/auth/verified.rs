//! Remembers which passwords were found right or wrong, so that a client that reconnects does not cost a hash each time.
//!
//! What is kept is an HMAC under a key that lives and dies with the process, over the name, the account's credential
//! generation and the password: no password is in it, and every change of credentials raises the generation, after which
//! nothing remembered fits any more. Wrong ones are kept apart, and for unknown names too: otherwise guesses could push
//! out what is right, or the time an answer takes would tell which names exist.

use super::recent::Recent;
use super::scram::{Key, mac};
use crate::types::limits::{VERIFIED_LOGIN_SECONDS, VERIFIED_LOGINS_MAX, WRONG_LOGIN_SECONDS};
use crate::types::{AccountId, Clock, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A name with a password at one generation of its credentials.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tag(Key);

/// What a password turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Main,
    /// With its label.
    AppPassword(String),
    Wrong,
}

pub(super) struct Verified {
    clock: Arc<dyn Clock>,
    key: Key,
    memory: Mutex<Memory>,
}

struct Memory {
    right: Recent<Tag, Entry>,
    wrong: Recent<Tag, Entry>,
    flights: HashMap<Tag, Weak<tokio::sync::Mutex<()>>>,
}

struct Entry {
    account: Option<AccountId>,
    verdict: Verdict,
    until: Timestamp,
}

impl Verified {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Result<Self, getrandom::Error> {
        let mut key = Key::default();
        getrandom::fill(&mut key)?;
        let memory = Memory {
            right: Recent::new(VERIFIED_LOGINS_MAX),
            wrong: Recent::new(VERIFIED_LOGINS_MAX),
            flights: HashMap::new(),
        };
        Ok(Self { clock, key, memory: Mutex::new(memory) })
    }

    /// `generation` is 0 for a name that has no account.
    pub(super) fn tag(&self, name: &str, generation: u64, password: &[u8]) -> Tag {
        // The length in front keeps the name apart from the password: no pair can be read as another one.
        let length = (name.len() as u64).to_be_bytes();
        Tag(mac(&self.key, &[&length, name.as_bytes(), &generation.to_be_bytes(), password]))
    }

    pub(super) fn recall(&self, tag: &Tag) -> Option<Verdict> {
        let now = self.clock.now();
        let memory = self.memory();
        let entry = memory.right.peek(tag).or_else(|| memory.wrong.peek(tag))?;
        (now < entry.until).then(|| entry.verdict.clone())
    }

    pub(super) fn remember(&self, tag: Tag, account: Option<AccountId>, verdict: Verdict) {
        let now = self.clock.now();
        let mut memory = self.memory();
        if verdict == Verdict::Wrong {
            memory.wrong.put(tag, Entry { account, verdict, until: now.plus_seconds(WRONG_LOGIN_SECONDS) });
        } else {
            memory.right.put(tag, Entry { account, verdict, until: now.plus_seconds(VERIFIED_LOGIN_SECONDS) });
        }
    }

    /// Drops all that is remembered of an account, when its credentials or its state change. The generation makes it
    /// useless anyway; this frees it.
    pub(super) fn forget(&self, account: AccountId) {
        let mut memory = self.memory();
        let other = |entry: &Entry| entry.account != Some(account);
        memory.right.retain(other);
        memory.wrong.retain(other);
    }

    /// Of those who come with the same name and password at once, only one computes the hash: who holds the flight. The
    /// others find the verdict when they get it.
    pub(super) fn flight(&self, tag: Tag) -> Flight<'_> {
        let mut memory = self.memory();
        let lock = memory.flights.get(&tag).and_then(Weak::upgrade).unwrap_or_else(|| {
            let lock = Arc::new(tokio::sync::Mutex::new(()));
            memory.flights.insert(tag, Arc::downgrade(&lock));
            lock
        });
        Flight { verified: self, tag, lock: Some(lock) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing that can panic runs under the lock.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait for the same verdict.
pub(super) struct Flight<'verified> {
    verified: &'verified Verified,
    tag: Tag,
    /// Taken only when it is dropped.
    lock: Option<Arc<tokio::sync::Mutex<()>>>,
}

impl Flight<'_> {
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match &self.lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut memory = self.verified.memory();
        self.lock = None;
        if memory.flights.get(&self.tag).is_some_and(|lock| lock.strong_count() == 0) {
            memory.flights.remove(&self.tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FixedClock;

    const JANE: AccountId = AccountId(7);
    const JOHN: AccountId = AccountId(8);

    fn cache() -> (Arc<FixedClock>, Verified) {
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_000_000)));
        (Arc::clone(&clock), Verified::new(clock).unwrap())
    }

    #[test]
    fn a_verdict_fits_one_name_one_generation_and_one_password() {
        let (_, cache) = cache();
        let tag = cache.tag("jane", 3, b"Secret123");
        cache.remember(tag, Some(JANE), Verdict::AppPassword("phone".to_owned()));
        let check = |name: &str, generation, password: &[u8], expected: Option<Verdict>| {
            assert_eq!(cache.recall(&cache.tag(name, generation, password)), expected, "{name} {generation}");
        };
        check("jane", 3, b"Secret123", Some(Verdict::AppPassword("phone".to_owned())));
        check("jane", 4, b"Secret123", None);
        check("jane", 3, b"Secret124", None);
        check("john", 3, b"Secret123", None);
        assert!(cache.tag("ab", 1, b"c") != cache.tag("a", 1, b"bc"));
        assert!(Verified::new(Arc::new(FixedClock::default())).unwrap().tag("jane", 3, b"Secret123") != tag);
    }

    #[test]
    fn verdicts_expire() {
        let (clock, cache) = cache();
        let (right, wrong) = (cache.tag("jane", 1, b"right"), cache.tag("jane", 1, b"wrong"));
        cache.remember(right, Some(JANE), Verdict::Main);
        cache.remember(wrong, Some(JANE), Verdict::Wrong);
        assert_eq!((cache.recall(&right), cache.recall(&wrong)), (Some(Verdict::Main), Some(Verdict::Wrong)));
        clock.advance_seconds(WRONG_LOGIN_SECONDS);
        assert_eq!((cache.recall(&right), cache.recall(&wrong)), (Some(Verdict::Main), None));
        clock.advance_seconds(VERIFIED_LOGIN_SECONDS);
        assert_eq!(cache.recall(&right), None);
    }

    #[test]
    fn forgetting_an_account_leaves_the_others() {
        let (_, cache) = cache();
        let tags = [(JANE, "jane", Verdict::Main), (JANE, "jane", Verdict::Wrong), (JOHN, "john", Verdict::Main)];
        for (account, name, verdict) in tags.clone() {
            cache.remember(cache.tag(name, 1, format!("{verdict:?}").as_bytes()), Some(account), verdict);
        }
        cache.forget(JANE);
        let left = tags.map(|(_, name, verdict)| cache.recall(&cache.tag(name, 1, format!("{verdict:?}").as_bytes())));
        assert_eq!(left, [None, None, Some(Verdict::Main)]);
    }

    #[test]
    fn wrong_guesses_do_not_push_out_what_is_right() {
        let (_, cache) = cache();
        let right = cache.tag("jane", 1, b"right");
        cache.remember(right, Some(JANE), Verdict::Main);
        for guess in 0..=VERIFIED_LOGINS_MAX as u64 {
            cache.remember(cache.tag("x", guess, b""), None, Verdict::Wrong);
        }
        assert_eq!(cache.recall(&right), Some(Verdict::Main));
        assert_eq!(cache.recall(&cache.tag("x", 0, b"")), None);
    }

    #[tokio::test]
    async fn flights_of_one_tag_go_one_after_the_other_and_leave_nothing() {
        let (_, cache) = cache();
        let tag = cache.tag("jane", 1, b"Secret123");
        let first = cache.flight(tag);
        let second = cache.flight(tag);
        let other = cache.flight(cache.tag("john", 1, b"Secret123"));
        let held = first.turn().await;
        assert!(other.turn().await.is_some());
        assert!(second.lock.as_ref().unwrap().try_lock().is_err());
        drop(held);
        drop(first);
        assert!(second.turn().await.is_some());
        assert_eq!(cache.memory().flights.len(), 2);
        drop(second);
        drop(other);
        assert_eq!(cache.memory().flights.len(), 0);
    }
}
