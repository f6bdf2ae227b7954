//! The bounded place where passwords are hashed: argon2id for the main password, PBKDF2 for SCRAM keys.
//!
//! Hashing is dear on purpose, so at most a few run at once, a limited number wait, and everybody else is told that we
//! are busy. Memory is therefore bounded by what one hash takes times how many may run. Who may log in is decided elsewhere.

use super::password::Password;
use super::scram::KeyPair;
use crate::telemetry::{Counter, Metrics};
use crate::types::limits::{PASSWORD_HASHES_CONCURRENT, PASSWORD_HASHES_WAITING_MAX, SCRAM_ITERATIONS_DEFAULT};
use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one hash costs, and how many may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSettings {
    pub memory_kibibytes: u32,
    pub passes: u32,
    pub lanes: u32,
    /// Hashes computed at the same time.
    pub concurrent: usize,
    /// Callers that may wait for their turn.
    pub waiting_max: usize,
    /// PBKDF2 rounds of SCRAM keys made from now on.
    pub scram_iterations: u32,
}

impl Default for HashSettings {
    fn default() -> Self {
        Self {
            memory_kibibytes: 19 * 1024,
            passes: 2,
            lanes: 1,
            concurrent: PASSWORD_HASHES_CONCURRENT,
            waiting_max: PASSWORD_HASHES_WAITING_MAX,
            scram_iterations: SCRAM_ITERATIONS_DEFAULT,
        }
    }
}

/// Why a hash was not computed or not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Too many are waiting; the caller should come again.
    Busy,
    /// The settings are outside what argon2 or SCRAM allow.
    Settings,
    /// The stored hash is not one we can read.
    Stored,
    /// No memory, no random numbers, or the thread died.
    System,
}

impl fmt::Display for HashError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Busy => "too many passwords are waiting to be checked; try again",
            Self::Settings => "the settings for password hashes are outside what argon2id and SCRAM allow",
            Self::Stored => "the stored password hash can't be read",
            Self::System => "the machine could not compute a password hash (memory, random numbers or threads)",
        })
    }
}

impl std::error::Error for HashError {}

/// The pool. One per process, shared by every session.
pub(super) struct Hasher {
    argon2: Argon2<'static>,
    scram_iterations: u32,
    permits: Arc<Semaphore>,
    memory: Arc<Memory>,
    waiting: AtomicUsize,
    waiting_max: usize,
    stranger: String,
    work: Work,
}

/// How many hashes were computed, for the metrics.
#[derive(Clone)]
struct Work {
    argon2: Arc<Counter>,
    pbkdf2: Arc<Counter>,
}

/// A turn in the pool. Work runs only with one, and the turn lasts until the work ends, even when its caller is gone.
pub(super) struct Turn<'pool> {
    pool: &'pool Hasher,
    permit: OwnedSemaphorePermit,
}

/// What runs inside a turn.
pub(super) struct Bench {
    argon2: Argon2<'static>,
    memory: Arc<Memory>,
    work: Work,
}

impl Hasher {
    pub(super) fn new(settings: HashSettings, metrics: &Metrics) -> Result<Self, HashError> {
        let params = Params::new(settings.memory_kibibytes, settings.passes, settings.lanes, None)
            .map_err(|_| HashError::Settings)?;
        // RFC 7677 section 4: at least 4096 rounds.
        if settings.scram_iterations < 4096 || settings.concurrent == 0 {
            return Err(HashError::Settings);
        }
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            scram_iterations: settings.scram_iterations,
            permits: Arc::new(Semaphore::new(settings.concurrent)),
            memory: Arc::default(),
            waiting: AtomicUsize::new(0),
            waiting_max: settings.waiting_max,
            stranger: stranger(settings)?,
            work: Work { argon2: hashes(metrics, "argon2id"), pbkdf2: hashes(metrics, "pbkdf2") },
        })
    }

    pub(super) fn scram_iterations(&self) -> u32 {
        self.scram_iterations
    }

    /// A hash that no password has, and that costs what a real one does: for accounts that do not exist.
    pub(super) fn stranger(&self) -> &str {
        &self.stranger
    }

    /// Waits for a turn, or is refused when too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, HashError> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(Turn { pool: self, permit });
        }
        let _waiting = Waiting::enter(&self.waiting, self.waiting_max)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| HashError::System)?;
        Ok(Turn { pool: self, permit })
    }
}

impl Turn<'_> {
    /// Runs on a blocking thread. When the caller stops waiting, the work goes on, and the turn with it: otherwise a
    /// peer that hangs up quickly could have more hashes computed than the pool allows. Otherwise the turn lasts until
    /// the caller lets go of it, having drawn his conclusions before the next one starts.
    pub(super) async fn run<Output: Send + 'static>(
        self,
        work: impl FnOnce(&Bench) -> Output + Send + 'static,
    ) -> Result<(Output, OwnedSemaphorePermit), HashError> {
        let Hasher { argon2, memory, work: counters, .. } = self.pool;
        let bench = Bench { argon2: argon2.clone(), memory: Arc::clone(memory), work: counters.clone() };
        let permit = self.permit;
        tokio::task::spawn_blocking(move || (work(&bench), permit)).await.map_err(|_| HashError::System)
    }
}

impl Bench {
    /// A PHC string with a fresh salt.
    pub(super) fn hash(&self, password: &Password) -> Result<String, HashError> {
        self.work.argon2.increment();
        match self.argon2.hash_password(password.as_bytes()) {
            Ok(hash) => Ok(hash.to_string()),
            Err(_) => Err(HashError::System),
        }
    }

    /// Whether a stored hash was made with other settings than today's.
    pub(super) fn is_outdated(&self, stored: &str) -> bool {
        let made_with = PasswordHash::new(stored).ok().and_then(|hash| Params::try_from(&hash).ok());
        let today = self.argon2.params();
        made_with.is_none_or(|made_with| {
            (made_with.m_cost(), made_with.t_cost(), made_with.p_cost())
                != (today.m_cost(), today.t_cost(), today.p_cost())
        })
    }

    /// With the parameters written in the stored hash, so that changed settings leave old passwords valid.
    pub(super) fn verify(&self, password: &Password, stored: &str) -> Result<bool, HashError> {
        let stored = PasswordHash::new(stored).map_err(|_| HashError::Stored)?;
        self.work.argon2.increment();
        let checker = Checker { today: &self.argon2, memory: &self.memory };
        match checker.verify_password(password.as_bytes(), &stored) {
            Ok(()) => Ok(true),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(password_hash::Error::OutOfMemory | password_hash::Error::RngFailure) => Err(HashError::System),
            Err(_) => Err(HashError::Stored),
        }
    }

    pub(super) fn scram_keys(&self, password: &Password, salt: &[u8], iterations: u32) -> KeyPair {
        self.work.pbkdf2.increment();
        KeyPair::derive(password, salt, iterations)
    }
}

/// What hashes are computed in, kept between them: 19 MiB taken and given back for each leave holes in the heap, of which
/// a server that has seen fifty logins was 200 MiB large. There are never more of these than turns.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn with<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_else(|| vec![Block::default(); blocks]);
        let done = work(&mut memory);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        done
    }
}

/// Computes what a stored hash is compared with, in memory that is kept. Comparing, in constant time, is the library's.
struct Checker<'b> {
    today: &'b Argon2<'static>,
    memory: &'b Memory,
}

impl CustomizedPasswordHasher<PasswordHash> for Checker<'_> {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let kept = self.today.params().block_count();
        if params.block_count() > kept {
            // Made with settings that took more: this one gets memory of its own.
            return self.today.hash_password_customized(password, salt, algorithm, version, params);
        }
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        let argon2 = Argon2::new(algorithm, version, params);
        let mut room = [0; Output::MAX_LENGTH];
        let octets = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = room.get_mut(..octets).ok_or(password_hash::Error::OutputSize)?;
        self.memory.with(kept, |blocks| argon2.hash_password_into_with_memory(password, salt, output, blocks))?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(argon2.params())?,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(output)?),
        })
    }
}

fn hashes(metrics: &Metrics, kind: &'static str) -> Arc<Counter> {
    metrics.counter("posthouse_password_hashes_total", "Password hashes computed.", &[("kind", kind)])
}

/// One place in the queue; given back also when the caller is dropped while waiting.
struct Waiting<'pool>(&'pool AtomicUsize);

impl<'pool> Waiting<'pool> {
    fn enter(count: &'pool AtomicUsize, waiting_max: usize) -> Result<Self, HashError> {
        let entered = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting < waiting_max).then_some(waiting + 1)
        });
        entered.map(|_| Self(count)).map_err(|_| HashError::Busy)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Written rather than computed: random octets are as unlikely to be anybody's hash, and starting costs nothing.
fn stranger(settings: HashSettings) -> Result<String, HashError> {
    let mut random = [0; 16 + 32];
    getrandom::fill(&mut random).map_err(|_| HashError::System)?;
    let (salt, output) = random.split_at(16);
    Ok(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        settings.memory_kibibytes,
        settings.passes,
        settings.lanes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashSettings = HashSettings {
        memory_kibibytes: 64,
        passes: 1,
        lanes: 1,
        concurrent: 1,
        waiting_max: 1,
        scram_iterations: 4096,
    };

    fn password(text: &str) -> Password {
        Password::prepare(text).unwrap()
    }

    #[tokio::test]
    async fn hashes_verify_and_are_salted() {
        let pool = Hasher::new(CHEAP, &Metrics::new()).unwrap();
        let hash = pool.turn().await.unwrap().run(|bench| bench.hash(&password("Secret123"))).await.unwrap().0.unwrap();
        let again =
            pool.turn().await.unwrap().run(|bench| bench.hash(&password("Secret123"))).await.unwrap().0.unwrap();
        assert_ne!(hash, again);
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        let stranger = pool.stranger().to_owned();
        let turn = pool.turn().await.unwrap();
        let checked = turn
            .run(move |bench| {
                assert_eq!(bench.verify(&password("Secret123"), &hash), Ok(true));
                assert_eq!(bench.verify(&password("Secret124"), &hash), Ok(false));
                assert_eq!(bench.verify(&password("Secret123"), &stranger), Ok(false));
                assert_eq!(bench.verify(&password("Secret123"), "{PLAIN}Secret123"), Err(HashError::Stored));
                assert_eq!(bench.verify(&password("Secret123"), ""), Err(HashError::Stored));
            })
            .await;
        assert!(checked.is_ok());
    }

    #[tokio::test]
    async fn a_hash_of_other_settings_still_verifies() {
        let old = Hasher::new(HashSettings { memory_kibibytes: 32, passes: 3, ..CHEAP }, &Metrics::new()).unwrap();
        let hash = old.turn().await.unwrap().run(|bench| bench.hash(&password("Secret123"))).await.unwrap().0.unwrap();
        let new = Hasher::new(CHEAP, &Metrics::new()).unwrap();
        let verified = new.turn().await.unwrap().run(move |bench| bench.verify(&password("Secret123"), &hash)).await;
        assert_eq!(verified.unwrap().0, Ok(true));
    }

    #[tokio::test]
    async fn memory_is_kept_for_hashes_of_todays_size_and_no_others() {
        let hash_of = |settings: HashSettings| async move {
            let pool = Hasher::new(settings, &Metrics::new()).unwrap();
            pool.turn().await.unwrap().run(|bench| bench.hash(&password("Secret123"))).await.unwrap().0.unwrap()
        };
        let (today, larger) = (hash_of(CHEAP).await, hash_of(HashSettings { memory_kibibytes: 128, ..CHEAP }).await);
        let smaller = hash_of(HashSettings { memory_kibibytes: 8, passes: 2, ..CHEAP }).await;
        let pool = Hasher::new(CHEAP, &Metrics::new()).unwrap();
        for stored in [&today, &larger, &smaller, &today, &smaller] {
            for (tried, right) in [("Secret123", true), ("Secret124", false)] {
                let stored = stored.clone();
                let verified =
                    pool.turn().await.unwrap().run(move |bench| bench.verify(&password(tried), &stored)).await;
                assert_eq!(verified.unwrap().0, Ok(right));
            }
        }
        let kept = pool.memory.0.lock().unwrap();
        assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [64]);
    }

    #[tokio::test]
    async fn who_comes_when_the_queue_is_full_is_told() {
        let pool = Hasher::new(CHEAP, &Metrics::new()).unwrap();
        let running = pool.turn().await.unwrap();
        let mut waiting = std::pin::pin!(pool.turn());
        assert!(futures_poll(waiting.as_mut()).is_none());
        assert_eq!(pool.turn().await.err(), Some(HashError::Busy));
        drop(running);
        let next = waiting.await.unwrap();
        assert_eq!(pool.waiting.load(Ordering::SeqCst), 0);
        drop(next);
        assert!(pool.turn().await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_that_leaves_keeps_its_turn_until_the_work_is_done() {
        let pool = Hasher::new(CHEAP, &Metrics::new()).unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let turn = pool.turn().await.unwrap();
        {
            let mut work = std::pin::pin!(turn.run(move |_| wait.recv()));
            assert!(futures_poll(work.as_mut()).is_none());
        }
        assert_eq!(pool.permits.available_permits(), 0);
        release.send(()).unwrap();
        assert!(pool.turn().await.is_ok());
    }

    /// One poll with a waker that does nothing.
    fn futures_poll<Output>(future: std::pin::Pin<&mut impl Future<Output = Output>>) -> Option<Output> {
        match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn impossible_settings_are_refused() {
        for settings in [
            HashSettings { memory_kibibytes: 1, ..CHEAP },
            HashSettings { passes: 0, ..CHEAP },
            HashSettings { scram_iterations: 4095, ..CHEAP },
            HashSettings { concurrent: 0, ..CHEAP },
        ] {
            assert_eq!(Hasher::new(settings, &Metrics::new()).err(), Some(HashError::Settings));
        }
        assert!(Hasher::new(HashSettings::default(), &Metrics::new()).is_ok());
    }
}
