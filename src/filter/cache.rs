//! Compiled scripts by what they say, so that a delivery compiles nothing.

use super::script::{CompileError, Script, ScriptKind, compile};
use crate::types::limits::SIEVE_CACHE_SCRIPTS_MAX;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by all threads that run scripts. Two scripts of the same text and kind are one.
#[derive(Debug, Default)]
pub struct Cache {
    generations: Mutex<Generations>,
}

type Key = ([u8; 32], ScriptKind);

/// What was used since the last turn, and what was used before it: forgetting half of the scripts at a time needs no
/// list of who was used when.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<Script>>,
    old: HashMap<Key, Arc<Script>>,
}

impl Cache {
    /// The compiled script of this text. Errors are not remembered: what does not compile is not saved either.
    pub fn compile(&self, source: &[u8], kind: ScriptKind) -> Result<Arc<Script>, CompileError> {
        let key = (Sha256::digest(source).into(), kind);
        if let Some(script) = self.lock().take_young(&key) {
            return Ok(script);
        }
        // Outside of the lock: others need not wait for a script they don't ask for.
        let script = compile(source, kind)?;
        Ok(self.lock().insert(key, script))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn take_young(&mut self, key: &Key) -> Option<Arc<Script>> {
        if let Some(script) = self.young.get(key) {
            return Some(script.clone());
        }
        let script = self.old.remove(key)?;
        Some(self.insert(*key, script))
    }

    fn insert(&mut self, key: Key, script: Arc<Script>) -> Arc<Script> {
        if self.young.len() >= SIEVE_CACHE_SCRIPTS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert(script).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_compiled_once_and_the_cache_stays_small() {
        let cache = Cache::default();
        let first = cache.compile(b"keep;", ScriptKind::Personal).expect("compiles");
        let again = cache.compile(b"keep;", ScriptKind::Personal).expect("compiles");
        assert!(Arc::ptr_eq(&first, &again));
        let other = cache.compile(b"keep;", ScriptKind::Admin).expect("compiles");
        assert!(!Arc::ptr_eq(&first, &other));
        assert!(cache.compile(b"keep", ScriptKind::Personal).is_err());
        let mut generations = Generations::default();
        for number in 0..SIEVE_CACHE_SCRIPTS_MAX * 2 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            generations.insert((key, ScriptKind::Personal), first.clone());
            assert!(generations.young.len() + generations.old.len() <= SIEVE_CACHE_SCRIPTS_MAX);
        }
    }
}
