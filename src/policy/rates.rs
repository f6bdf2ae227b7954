//! How much somebody may do in how much time: people by their account, strangers by their network.
//!
//! Each limit is a bucket: the whole amount may come at once, and what is used up flows back evenly. Nothing is stored; a
//! restart forgets. What it will not do: count connections that are open (`net` does), or logins (`auth` does).

use crate::types::limits::{
    NETWORK_CONNECTIONS_PER_MINUTE, NETWORK_MESSAGES_PER_MINUTE, RATE_ENTRIES_MAX, SUBMISSION_MESSAGES_PER_HOUR,
    SUBMISSION_RECIPIENTS_PER_HOUR, TARPIT_SECONDS_MAX, UNKNOWN_RECIPIENTS_PER_HOUR,
};
use crate::types::{AccountId, Clock, Network, Networks};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    pub submission_messages_per_hour: u32,
    pub submission_recipients_per_hour: u32,
    pub network_connections_per_minute: u32,
    pub network_messages_per_minute: u32,
    /// Recipients that do not exist, after half of which answers become slow, and after all of which no recipient is
    /// looked at: somebody is guessing addresses.
    pub unknown_recipients_per_hour: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            submission_messages_per_hour: SUBMISSION_MESSAGES_PER_HOUR,
            submission_recipients_per_hour: SUBMISSION_RECIPIENTS_PER_HOUR,
            network_connections_per_minute: NETWORK_CONNECTIONS_PER_MINUTE,
            network_messages_per_minute: NETWORK_MESSAGES_PER_MINUTE,
            unknown_recipients_per_hour: UNKNOWN_RECIPIENTS_PER_HOUR,
        }
    }
}

/// What there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    SubmissionMessages,
    SubmissionRecipients,
    Connections,
    Messages,
    UnknownRecipients,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub rate: Rate,
    /// When it would be enough.
    pub retry_seconds: u64,
}

/// For the log.
impl fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.rate {
            Rate::SubmissionMessages => "messages of one account",
            Rate::SubmissionRecipients => "recipients of one account",
            Rate::Connections => "connections of one network",
            Rate::Messages => "messages of one network",
            Rate::UnknownRecipients => "unknown recipients of one network",
        };
        write!(formatter, "too many {what}; again in {} seconds", self.retry_seconds)
    }
}

/// One for the server.
pub struct Rates {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    limits: RateLimits,
    exempt: Networks,
    accounts: Buckets<(AccountId, Rate)>,
    networks: Buckets<(Network, Rate)>,
}

impl Rates {
    /// From `exempt` networks nothing is counted, whoever it is.
    pub fn new(clock: Arc<dyn Clock>, limits: RateLimits, exempt: Networks) -> Self {
        let state = State { limits, exempt, accounts: Buckets::new(), networks: Buckets::new() };
        Self { clock, state: Mutex::new(state) }
    }

    /// What was counted so far stays counted.
    pub fn replace(&self, limits: RateLimits, exempt: Networks) {
        let mut state = self.state();
        (state.limits, state.exempt) = (limits, exempt);
    }

    /// A stranger connects.
    pub fn connection(&self, peer: IpAddr) -> Result<(), Exceeded> {
        let mut state = self.state();
        let limit = state.limits.network_connections_per_minute;
        state.network(peer, Rate::Connections, Flow { limit, period: MINUTE }, self.now_micros())
    }

    /// A stranger begins a message.
    pub fn message(&self, peer: IpAddr) -> Result<(), Exceeded> {
        let mut state = self.state();
        let limit = state.limits.network_messages_per_minute;
        state.network(peer, Rate::Messages, Flow { limit, period: MINUTE }, self.now_micros())
    }

    /// One of our users hands in a message for so many recipients. Both are counted, or neither.
    pub fn submission(&self, account: AccountId, peer: IpAddr, recipients: usize) -> Result<(), Exceeded> {
        let mut state = self.state();
        if state.exempt.contains(peer) {
            return Ok(());
        }
        let now = self.now_micros();
        let messages = Flow { limit: state.limits.submission_messages_per_hour, period: HOUR };
        let each = Flow { limit: state.limits.submission_recipients_per_hour, period: HOUR };
        let recipients = u32::try_from(recipients).unwrap_or(u32::MAX);
        let (message_key, recipients_key) =
            ((account, Rate::SubmissionMessages), (account, Rate::SubmissionRecipients));
        let exceeded = |rate: Rate| move |retry_seconds: u64| Exceeded { rate, retry_seconds };
        let full = messages.poured(state.accounts.level(&message_key), 1, now);
        let message = full.map_err(exceeded(Rate::SubmissionMessages))?;
        let full = each.poured(state.accounts.level(&recipients_key), recipients, now);
        let each = full.map_err(exceeded(Rate::SubmissionRecipients))?;
        state.accounts.put(message_key, message);
        state.accounts.put(recipients_key, each);
        Ok(())
    }

    /// Before a recipient is looked up: a network that has guessed too much gets no answers for a while, not even right ones.
    pub fn may_ask(&self, peer: IpAddr) -> Result<(), Exceeded> {
        let state = self.state();
        if state.exempt.contains(peer) {
            return Ok(());
        }
        let flow = Flow { limit: state.limits.unknown_recipients_per_hour, period: HOUR };
        let level = state.networks.level(&(Network::of_peer(peer), Rate::UnknownRecipients));
        let poured = flow.poured(level, 1, self.now_micros());
        poured.map(|_| ()).map_err(|retry_seconds| Exceeded { rate: Rate::UnknownRecipients, retry_seconds })
    }

    /// A recipient did not exist. The answer should wait that long.
    pub fn unknown_recipient(&self, peer: IpAddr) -> Duration {
        let mut state = self.state();
        let (limit, now) = (state.limits.unknown_recipients_per_hour, self.now_micros());
        let flow = Flow { limit, period: HOUR };
        // Who has used it all up is not asked any more, and waits the longest as long as he asks.
        if state.network(peer, Rate::UnknownRecipients, flow, now).is_err() {
            return Duration::from_secs(TARPIT_SECONDS_MAX);
        }
        if state.exempt.contains(peer) {
            return Duration::ZERO;
        }
        let level = state.networks.level(&(Network::of_peer(peer), Rate::UnknownRecipients));
        tarpit(flow.share(level, now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock; if it did, counters are still counters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_micros(&self) -> i64 {
        self.clock.now().0.saturating_mul(1000)
    }
}

impl State {
    fn network(&mut self, peer: IpAddr, rate: Rate, flow: Flow, now: i64) -> Result<(), Exceeded> {
        if self.exempt.contains(peer) {
            return Ok(());
        }
        let key = (Network::of_peer(peer), rate);
        let level = flow.poured(self.networks.level(&key), 1, now);
        let level = level.map_err(|retry_seconds| Exceeded { rate, retry_seconds })?;
        self.networks.put(key, level);
        Ok(())
    }
}

/// Nothing for the first half, then longer and longer.
fn tarpit(share_used: f64) -> Duration {
    let beyond = (share_used - 0.5).max(0.0) * 2.0;
    Duration::from_secs_f64(beyond.min(1.0) * TARPIT_SECONDS_MAX as f64)
}

/// So much in so much time. A bucket's whole state is the moment at which it will be empty again, in microseconds.
#[derive(Clone, Copy)]
struct Flow {
    limit: u32,
    period: Duration,
}

impl Flow {
    fn period_micros(self) -> i64 {
        i64::try_from(self.period.as_micros()).unwrap_or(i64::MAX)
    }

    /// The bucket with so much more in it, or the seconds until that fits.
    fn poured(self, empty_at: i64, amount: u32, now: i64) -> Result<i64, u64> {
        let period = self.period_micros();
        // A limit of 0 would be a division by it; amounts above the limit fit an empty bucket, else they never would.
        let limit = i64::from(self.limit.max(1));
        let added = period.saturating_mul(i64::from(amount).min(limit)) / limit;
        // A clock that was set back must not lock anybody out for longer than one period.
        let from = empty_at.clamp(now, now.saturating_add(period));
        let level = from.saturating_add(added);
        let over = level.saturating_sub(now).saturating_sub(period);
        if over > 0 { Err(over.unsigned_abs().div_ceil(1_000_000)) } else { Ok(level) }
    }

    /// How full it is.
    fn share(self, empty_at: i64, now: i64) -> f64 {
        empty_at.saturating_sub(now).max(0) as f64 / self.period_micros() as f64
    }
}

/// Buckets that are not empty, in bounded memory: when there are too many, those that were not used for the longest time are
/// forgotten together. Who makes us forget that way (with a whole /48 to come from) has bought little: all others of his
/// networks count from anew as well as he does.
struct Buckets<K> {
    recent: HashMap<K, i64>,
    older: HashMap<K, i64>,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new() -> Self {
        Self { recent: HashMap::new(), older: HashMap::new() }
    }

    fn level(&self, key: &K) -> i64 {
        self.recent.get(key).or_else(|| self.older.get(key)).copied().unwrap_or(i64::MIN)
    }

    fn put(&mut self, key: K, level: i64) {
        if self.recent.len() >= RATE_ENTRIES_MAX && !self.recent.contains_key(&key) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{FixedClock, Timestamp};
    use proptest::prelude::*;

    fn rates(limits: RateLimits) -> (Arc<FixedClock>, Rates) {
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_700_000_000)));
        let exempt = Networks(vec![Network::parse("127.0.0.0/8").unwrap()]);
        (Arc::clone(&clock), Rates::new(clock, limits, exempt))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn few() -> RateLimits {
        RateLimits {
            submission_messages_per_hour: 3,
            submission_recipients_per_hour: 10,
            network_connections_per_minute: 2,
            network_messages_per_minute: 4,
            unknown_recipients_per_hour: 20,
        }
    }

    /// How often it works in a row, and when it would again.
    fn drain(mut ask: impl FnMut() -> Result<(), Exceeded>) -> (usize, Exceeded) {
        for count in 0..100_000 {
            if let Err(exceeded) = ask() {
                return (count, exceeded);
            }
        }
        panic!("there is no limit");
    }

    #[test]
    fn networks_have_their_rates() {
        let (clock, rates) = rates(few());
        let (first, other) = (ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_eq!(drain(|| rates.connection(first)), (2, Exceeded { rate: Rate::Connections, retry_seconds: 30 }));
        assert_eq!(rates.connection(ip("2001:db8::ffff")).map_err(|exceeded| exceeded.rate), Err(Rate::Connections));
        assert_eq!(rates.connection(other), Ok(()));
        assert_eq!(drain(|| rates.message(first)), (4, Exceeded { rate: Rate::Messages, retry_seconds: 15 }));
        clock.advance_seconds(29);
        assert!(rates.connection(first).is_err());
        clock.advance_seconds(1);
        assert_eq!(drain(|| rates.connection(first)).0, 1);
        clock.advance_seconds(3600);
        assert_eq!(drain(|| rates.connection(first)).0, 2, "no more than all at once");
        for _ in 0..1000 {
            assert_eq!(rates.connection(ip("::ffff:127.0.0.1")), Ok(()));
        }
    }

    #[test]
    fn accounts_have_their_rates() {
        let (clock, rates) = rates(few());
        let peer = ip("192.0.2.1");
        let send = |account: i64, recipients: usize| rates.submission(AccountId(account), peer, recipients);
        assert_eq!(drain(|| send(1, 1)), (3, Exceeded { rate: Rate::SubmissionMessages, retry_seconds: 1200 }));
        assert_eq!(send(2, 8), Ok(()));
        assert_eq!(send(2, 3), Err(Exceeded { rate: Rate::SubmissionRecipients, retry_seconds: 360 }));
        // What was refused was not counted, neither as message nor as recipients.
        assert_eq!(send(2, 2), Ok(()));
        clock.advance_seconds(1200);
        assert_eq!(send(1, 1), Ok(()));
        // More recipients than the limit: once in a whole period.
        assert_eq!(send(3, 5000), Ok(()));
        assert_eq!(send(3, 1).map_err(|exceeded| exceeded.rate), Err(Rate::SubmissionRecipients));
        clock.advance_seconds(3600);
        assert_eq!(send(3, 5000), Ok(()));
        for _ in 0..1000 {
            assert_eq!(rates.submission(AccountId(1), ip("127.0.0.1"), 100), Ok(()));
        }
    }

    #[test]
    fn guessing_addresses_gets_slow_and_then_ends() {
        let (clock, rates) = rates(few());
        let peer = ip("192.0.2.1");
        let mut waits = Vec::new();
        while rates.may_ask(peer).is_ok() {
            waits.push(rates.unknown_recipient(peer).as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(rates.may_ask(peer), Err(Exceeded { rate: Rate::UnknownRecipients, retry_seconds: 180 }));
        assert_eq!(rates.unknown_recipient(peer).as_secs(), TARPIT_SECONDS_MAX);
        assert_eq!(rates.may_ask(ip("192.0.2.2")), Ok(()));
        clock.advance_seconds(180);
        assert_eq!(rates.may_ask(peer), Ok(()));
        let ours = ip("127.0.0.1");
        for _ in 0..100 {
            assert_eq!(rates.unknown_recipient(ours), Duration::ZERO);
        }
        assert_eq!(rates.may_ask(ours), Ok(()));
    }

    #[test]
    fn limits_can_be_replaced_and_clocks_set_back() {
        let (clock, rates) = rates(few());
        let peer = ip("192.0.2.1");
        assert_eq!(drain(|| rates.connection(peer)).0, 2);
        clock.advance_seconds(-86_400);
        assert_eq!(rates.connection(peer), Err(Exceeded { rate: Rate::Connections, retry_seconds: 30 }));
        rates.replace(RateLimits { network_connections_per_minute: 0, ..few() }, Networks::default());
        assert_eq!(drain(|| rates.connection(ip("127.0.0.1"))).0, 1, "none at all would be a server that is off");
    }

    #[test]
    fn memory_is_bounded() {
        let mut buckets = Buckets::new();
        for key in 0..5 * RATE_ENTRIES_MAX {
            buckets.put(key, 1);
            buckets.put(0, 7);
        }
        assert!(buckets.recent.len() <= RATE_ENTRIES_MAX && buckets.older.len() <= RATE_ENTRIES_MAX);
        assert_eq!(buckets.level(&0), 7, "what is in use stays");
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_limit_in_a_period(limit in 1u32..50, gaps in prop::collection::vec(0i64..10_000_000, 1..200)) {
            let flow = Flow { limit, period: MINUTE };
            let (mut now, mut level, mut taken) = (0, i64::MIN, Vec::new());
            for gap in gaps {
                now += gap;
                if let Ok(poured) = flow.poured(level, 1, now) {
                    level = poured;
                    taken.push(now);
                }
            }
            for (index, at) in taken.iter().enumerate() {
                let within = taken[index..].iter().filter(|other| **other - at < flow.period_micros()).count();
                prop_assert!(within <= 2 * limit as usize);
            }
        }
    }
}
