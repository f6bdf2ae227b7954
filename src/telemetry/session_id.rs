//! The name of one session, carried by every log line about it and by the replies that end it badly.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Unique for as long as logs are kept, also across restarts; later sessions have greater ids. Shown in 12 letters and
/// digits that survive being read over the telephone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// Counting starts at the time of the start, so a restarted server goes on above what it gave before: it would take more
/// than a million sessions per second to catch up with the clock. No randomness, because nobody is meant to trust an id.
static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    AtomicU64::new(since_epoch.as_secs() << 20)
});

/// Without I, L, O and U, as Crockford's base 32 leaves them out.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 60 bits: enough for the seconds of some 30,000 years, shifted.
const SHOWN_DIGITS: u32 = 12;

impl SessionId {
    #[allow(clippy::new_without_default)] // each is another value: a default would lie
    pub fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..SHOWN_DIGITS).rev().try_for_each(|place| {
            let digit = (self.0 >> (5 * place)) & 31;
            fmt::Write::write_char(formatter, char::from(DIGITS[digit as usize]))
        })
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_grow_and_are_short() {
        let ids: Vec<SessionId> = (0..1000).map(|_| SessionId::new()).collect();
        for pair in ids.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].to_string() < pair[1].to_string());
            assert_eq!(pair[0].to_string().len(), 12);
            assert!(pair[0].to_string().bytes().all(|byte| DIGITS.contains(&byte)));
        }
    }
}
