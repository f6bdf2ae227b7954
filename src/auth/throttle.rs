//! Slows down those who try passwords: by account and by network, each with a wait that doubles up to a lock-out.
//!
//! Names that do not exist are counted like those that do, so that waiting tells nothing. The same wrong password again
//! is not a new guess (a forgotten phone repeats it all day) and counts once. A network from which an account has logged
//! in is not locked out of it by failures from elsewhere: otherwise anybody could lock anybody out. Nothing is stored;
//! a restart forgets, which an attacker can't cause.

use super::recent::Recent;
use crate::types::limits::{
    LOGIN_FAILURES_COUNTED_MAX, LOGIN_FAILURES_FREE_PER_ACCOUNT, LOGIN_FAILURES_FREE_PER_NETWORK,
    LOGIN_FAILURES_SECONDS, LOGIN_NETWORKS_KNOWN_MAX, LOGIN_WAIT_SECONDS_MAX,
};
use crate::types::{Clock, Network, Timestamp};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name somebody gave, as a number that means nothing outside this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name(u64);

/// A name and a password somebody tried, likewise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess(u64);

/// Who tries to log in, and from where.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    name: Name,
    network: Network,
    exempt: bool,
}

/// How many seconds until the next attempt is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) seconds: i64,
}

pub(super) struct Throttle {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    memory: Mutex<Memory>,
}

struct Memory {
    exempt: Vec<Network>,
    names: Recent<Name, Failures>,
    networks: Recent<Network, Failures>,
    known: Recent<(Name, Network), ()>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
    blocked_until: Timestamp,
    /// The last few guesses, newest first; zero is none (a guess of that number counts every time, which is harmless).
    guesses: [u64; 4],
}

impl Throttle {
    pub(super) fn new(exempt: Vec<Network>, clock: Arc<dyn Clock>) -> Self {
        let memory = Memory {
            exempt,
            names: Recent::new(LOGIN_FAILURES_COUNTED_MAX),
            networks: Recent::new(LOGIN_FAILURES_COUNTED_MAX),
            known: Recent::new(LOGIN_NETWORKS_KNOWN_MAX),
        };
        Self { clock, hasher: RandomState::new(), memory: Mutex::new(memory) }
    }

    pub(super) fn replace_exempt(&self, exempt: Vec<Network>) {
        self.memory().exempt = exempt;
    }

    pub(super) fn attempt(&self, name: &str, peer: IpAddr) -> Attempt {
        let exempt = self.memory().exempt.iter().any(|network| network.contains(peer));
        Attempt { name: Name(self.hasher.hash_one(name)), network: Network::of_peer(peer), exempt }
    }

    pub(super) fn guess(&self, attempt: &Attempt, password: &str) -> Guess {
        Guess(self.hasher.hash_one((attempt.name.0, password)))
    }

    /// Asked before anything is looked up, and again just before a password is compared: of many attempts at once, all
    /// of which pass the first time, no more are compared than had come one by one.
    pub(super) fn admit(&self, attempt: &Attempt) -> Result<(), Wait> {
        if attempt.exempt {
            return Ok(());
        }
        let now = self.clock.now();
        let memory = self.memory();
        let blocked_until = |failures: Option<&Failures>| failures.map_or(now, |failures| failures.blocked_until);
        let mut until = blocked_until(memory.networks.peek(&attempt.network));
        if memory.known.peek(&(attempt.name, attempt.network)).is_none() {
            until = until.max(blocked_until(memory.names.peek(&attempt.name)));
        }
        if until <= now {
            return Ok(());
        }
        Err(Wait { seconds: (until.0 - now.0).div_euclid(1000) + 1 })
    }

    /// A wrong password, or a wrong proof, of which nothing tells whether it is a new guess.
    pub(super) fn failed(&self, attempt: &Attempt, guess: Option<Guess>) {
        if attempt.exempt {
            return;
        }
        let now = self.clock.now();
        let mut memory = self.memory();
        let name = memory.names.peek(&attempt.name).copied();
        if name.is_some_and(|failures| failures.has(guess, now)) {
            return;
        }
        let network = memory.networks.peek(&attempt.network).copied();
        memory.names.put(attempt.name, Failures::another(name, guess, LOGIN_FAILURES_FREE_PER_ACCOUNT, now));
        memory.networks.put(attempt.network, Failures::another(network, None, LOGIN_FAILURES_FREE_PER_NETWORK, now));
    }

    /// The account starts afresh. The network does not: who has one account could otherwise guess at all others.
    pub(super) fn succeeded(&self, attempt: &Attempt) {
        if attempt.exempt {
            return;
        }
        let mut memory = self.memory();
        memory.names.remove(&attempt.name);
        memory.known.put((attempt.name, attempt.network), ());
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing that can panic runs under the lock; if it did, counters are still counters.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn fresh_at(&self, now: Timestamp) -> bool {
        now <= self.last.plus_seconds(LOGIN_FAILURES_SECONDS)
    }

    fn has(&self, guess: Option<Guess>, now: Timestamp) -> bool {
        guess.is_some_and(|guess| guess.0 != 0 && self.guesses.contains(&guess.0)) && self.fresh_at(now)
    }

    fn another(before: Option<Self>, guess: Option<Guess>, free: u32, now: Timestamp) -> Self {
        let before = before.filter(|failures| failures.fresh_at(now));
        let count = before.map_or(0, |failures| failures.count).saturating_add(1);
        let mut guesses = before.map_or([0; 4], |failures| failures.guesses);
        if let Some(guess) = guess {
            guesses.rotate_right(1);
            guesses[0] = guess.0;
        }
        Self { count, last: now, blocked_until: now.plus_seconds(wait_seconds(count, free)), guesses }
    }
}

/// Nothing for the free ones, then 1, 2, 4, … seconds.
fn wait_seconds(count: u32, free: u32) -> i64 {
    match count.saturating_sub(free) {
        0 => 0,
        // Twenty doublings are beyond the lock-out, and well inside what shifts.
        beyond => (1_i64 << (beyond - 1).min(20)).min(LOGIN_WAIT_SECONDS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FixedClock;

    struct House {
        clock: Arc<FixedClock>,
        throttle: Throttle,
    }

    fn house(exempt: &[&str]) -> House {
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_000_000)));
        let exempt = exempt.iter().map(|network| network.parse().unwrap()).collect();
        House { throttle: Throttle::new(exempt, Arc::clone(&clock) as Arc<dyn Clock>), clock }
    }

    impl House {
        /// Tries a password that is wrong; says how long the next one has to wait.
        fn fail(&self, name: &str, peer: &str, password: &str) -> i64 {
            let attempt = self.throttle.attempt(name, peer.parse().unwrap());
            let guess = self.throttle.guess(&attempt, password);
            self.throttle.failed(&attempt, Some(guess));
            self.wait(name, peer)
        }

        fn wait(&self, name: &str, peer: &str) -> i64 {
            let attempt = self.throttle.attempt(name, peer.parse().unwrap());
            self.throttle.admit(&attempt).map_or_else(|wait| wait.seconds, |()| 0)
        }

        fn succeed(&self, name: &str, peer: &str) {
            self.throttle.succeeded(&self.throttle.attempt(name, peer.parse().unwrap()));
        }
    }

    #[test]
    fn waits_double_up_to_the_lock_out() {
        let free = LOGIN_FAILURES_FREE_PER_ACCOUNT;
        for count in 0..=free {
            assert_eq!(wait_seconds(count, free), 0);
        }
        let waits: Vec<i64> = (1..=12).map(|beyond| wait_seconds(free + beyond, free)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(wait_seconds(u32::MAX, free), LOGIN_WAIT_SECONDS_MAX);
        assert_eq!(wait_seconds(free + 64, free), LOGIN_WAIT_SECONDS_MAX);
    }

    #[test]
    fn an_account_waits_wherever_the_guesses_come_from() {
        let house = house(&[]);
        for guess in 0..LOGIN_FAILURES_FREE_PER_ACCOUNT {
            assert_eq!(house.fail("jane@example.org", &format!("192.0.2.{guess}"), &guess.to_string()), 0);
        }
        assert_eq!(house.fail("jane@example.org", "192.0.2.100", "another"), 2);
        assert_eq!(house.wait("jane@example.org", "192.0.2.200"), 2);
        assert_eq!(house.wait("john@example.org", "192.0.2.100"), 0);
        house.clock.advance_seconds(1);
        assert_eq!(house.wait("jane@example.org", "192.0.2.200"), 0);
    }

    #[test]
    fn a_network_waits_whatever_name_it_gives() {
        let house = house(&[]);
        for guess in 0..LOGIN_FAILURES_FREE_PER_NETWORK {
            assert_eq!(house.fail(&format!("user{guess}"), &format!("2001:db8::{guess:x}"), "password"), 0);
        }
        assert!(house.fail("last", "2001:db8::ffff:1", "password") > 0);
        assert!(house.wait("jane@example.org", "2001:db8::2:1") > 0);
        assert_eq!(house.wait("jane@example.org", "2001:db8:0:1::1"), 0);
    }

    #[test]
    fn a_forgotten_phone_counts_once() {
        let house = house(&[]);
        for _ in 0..1000 {
            assert_eq!(house.fail("jane@example.org", "192.0.2.1", "OldPassword1"), 0);
        }
        for _ in 0..1000 {
            let attempt = house.throttle.attempt("jane@example.org", "192.0.2.1".parse().unwrap());
            house.throttle.failed(&attempt, None);
        }
        assert!(house.wait("jane@example.org", "192.0.2.1") > 0);
    }

    #[test]
    fn success_clears_the_account_but_not_the_network() {
        let house = house(&[]);
        for guess in 0..60 {
            house.fail("jane@example.org", "192.0.2.1", &guess.to_string());
        }
        assert_eq!(house.wait("jane@example.org", "198.51.100.1"), LOGIN_WAIT_SECONDS_MAX + 1);
        house.clock.advance_seconds(LOGIN_WAIT_SECONDS_MAX);
        house.succeed("jane@example.org", "198.51.100.1");
        assert_eq!(house.fail("jane@example.org", "198.51.100.1", "typing error"), 0);
        assert!(house.fail("john@example.org", "192.0.2.1", "guess") > 0);
    }

    #[test]
    fn nobody_can_lock_out_who_is_known() {
        let house = house(&[]);
        house.succeed("jane@example.org", "192.0.2.1");
        for guess in 0..60 {
            house.fail("jane@example.org", "198.51.100.1", &guess.to_string());
        }
        assert_eq!(house.wait("jane@example.org", "192.0.2.1"), 0);
        assert!(house.wait("jane@example.org", "203.0.113.1") > 0);
    }

    #[test]
    fn failures_are_forgotten_in_time() {
        let house = house(&[]);
        for guess in 0..60 {
            house.fail("jane@example.org", "192.0.2.1", &guess.to_string());
        }
        house.clock.advance_seconds(LOGIN_FAILURES_SECONDS + 1);
        assert_eq!(house.fail("jane@example.org", "192.0.2.1", "next day"), 0);
    }

    #[test]
    fn exempt_networks_are_left_alone() {
        let house = house(&["192.0.2.0/24"]);
        for guess in 0..60 {
            assert_eq!(house.fail("jane@example.org", "192.0.2.1", &guess.to_string()), 0);
        }
        assert_eq!(house.wait("jane@example.org", "198.51.100.1"), 0);
        house.throttle.replace_exempt(Vec::new());
        for guess in 0..60 {
            house.fail("jane@example.org", "192.0.2.1", &guess.to_string());
        }
        assert!(house.wait("jane@example.org", "192.0.2.1") > 0);
    }
}
