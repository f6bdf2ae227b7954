//! Telling a slow peer from one that holds a session for nothing.

use std::time::Duration;

/// What a peer may take of our time.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Silence, and also the time one line or one stop in a transfer may take.
    pub idle: Duration,
    /// How long the peer may leave what we write unread.
    pub write: Duration,
    pub handshake: Duration,
    /// Below this a transfer is given up, once it has used up the grace above.
    pub octets_per_second_min: u64,
}

/// One body on its way in. Only the time spent waiting for the peer counts, not what we do with the octets in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transfer {
    waited: Duration,
    octets: u64,
}

impl Transfer {
    pub fn begin() -> Self {
        Self::default()
    }

    /// How long the next wait may take: what the octets so far have earned at the least rate, on top of the grace every
    /// transfer has, but never longer than that grace at a time.
    pub(super) fn patience(&self, timeouts: &Timeouts) -> Duration {
        let earned = earned(self.octets, timeouts.octets_per_second_min);
        (timeouts.idle + earned).saturating_sub(self.waited).min(timeouts.idle)
    }

    pub(super) fn count(&mut self, waited: Duration, octets: usize) {
        self.waited = self.waited.saturating_add(waited);
        self.octets = self.octets.saturating_add(octets as u64);
    }
}

/// The time `octets` take at the least rate.
pub(super) fn earned(octets: u64, octets_per_second_min: u64) -> Duration {
    let millis = octets.saturating_mul(1000) / octets_per_second_min.max(1);
    // A day is more than any transfer gets; the bound keeps sums from overflowing.
    Duration::from_millis(millis.min(86_400_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_earned_by_octets() {
        let timeouts = Timeouts {
            idle: Duration::from_secs(10),
            write: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            octets_per_second_min: 100,
        };
        let check = |steps: &[(u64, usize)], expected_millis: u64| {
            let mut transfer = Transfer::begin();
            for (waited_seconds, octets) in steps {
                transfer.count(Duration::from_secs(*waited_seconds), *octets);
            }
            assert_eq!(transfer.patience(&timeouts), Duration::from_millis(expected_millis), "{steps:?}");
        };
        check(&[], 10_000);
        check(&[(9, 1)], 1_010);
        check(&[(9, 1), (2, 1)], 0);
        check(&[(9, 1000)], 10_000);
        check(&[(9, 1000), (9, 100)], 3_000);
        check(&[(0, usize::MAX), (0, usize::MAX)], 10_000);
        check(&[(u64::MAX, 1), (u64::MAX, 1)], 0);
    }
}
