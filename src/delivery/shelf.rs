//! Scripts at hand: texts as the store has them, compiled once.
//!
//! A delivery looks up half a dozen scripts, most of which don't exist; none of that should cost a look into the
//! database while nothing changes. Every change of a script raises the store's script generation.

use crate::filter::{Cache, CompileError, Included, Script, ScriptKind, ScriptName};
use crate::store::{AddressRecord, ScriptOwner, ScriptText, Store};
use crate::types::AddressId;
use crate::types::limits::SHELF_SCRIPTS_MAX;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct Shelf {
    store: Store,
    compiled: Cache,
    texts: Mutex<Texts>,
}

#[derive(Default)]
struct Texts {
    generation: u64,
    /// With the version of the address's script.
    addresses: HashMap<AddressId, (u32, Arc<Script>)>,
    scripts: HashMap<(ScriptOwner, String), Option<Arc<ScriptText>>>,
}

/// Why an address's script can't run: a fault of the store or of the generator, never of its owner.
#[derive(Debug)]
pub(super) enum NoScript {
    Missing,
    Broken(CompileError),
    Store(crate::store::StoreError),
}

impl Shelf {
    pub(super) fn new(store: Store) -> Self {
        Self { store, compiled: Cache::default(), texts: Mutex::default() }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The script an address's switches were compiled to. Blocks.
    pub(super) fn compiled(&self, record: &AddressRecord) -> Result<Arc<Script>, NoScript> {
        if let Some((version, script)) = self.lock().addresses.get(&record.id)
            && *version == record.compiled_version
        {
            return Ok(Arc::clone(script));
        }
        let text = self.store.compiled_text_blocking(record.id, record.compiled_version).map_err(NoScript::Store)?;
        let text = text.ok_or(NoScript::Missing)?;
        let script = self.compiled.compile(text.as_bytes(), ScriptKind::Compiled).map_err(NoScript::Broken)?;
        let mut texts = self.lock();
        if texts.addresses.len() >= SHELF_SCRIPTS_MAX {
            texts.addresses.clear();
        }
        texts.addresses.insert(record.id, (record.compiled_version, Arc::clone(&script)));
        Ok(script)
    }

    /// A script somebody wrote. Administrators' scripts are in force only while they are active; a person's script may be
    /// included whether or not it is active by itself (RFC 6609 section 3.2). Blocks.
    pub(super) fn written(&self, owner: ScriptOwner, name: &str, kind: ScriptKind) -> Included {
        let text = match self.text(owner, name) {
            Ok(Some(text)) if kind == ScriptKind::Personal || text.is_active => text,
            Ok(_) => return Included::Missing,
            Err(error) => {
                tracing::error!(%error, "a script could not be read; the message is kept without it");
                let message = "the script could not be read".to_owned();
                return Included::Broken(CompileError { line: 0, column: 0, message });
            }
        };
        match self.compiled.compile(text.text.as_bytes(), kind) {
            Ok(script) => {
                let name = ScriptName { name: text.name.clone(), version: Some(u64::from(text.version)) };
                Included::Script(script, Arc::new(name))
            }
            Err(error) => Included::Broken(error),
        }
    }

    fn text(&self, owner: ScriptOwner, name: &str) -> Result<Option<Arc<ScriptText>>, crate::store::StoreError> {
        let generation = self.store.script_generation();
        let key = (owner, name.to_owned());
        {
            let mut texts = self.lock();
            if texts.generation != generation || texts.scripts.len() >= SHELF_SCRIPTS_MAX {
                texts.scripts.clear();
                texts.generation = generation;
            }
            if let Some(text) = texts.scripts.get(&key) {
                return Ok(text.clone());
            }
        }
        let text = self.store.script_blocking(owner, name)?.map(Arc::new);
        let mut texts = self.lock();
        // What was read before a change must not stay as if it had been read after it.
        if texts.generation == generation && self.store.script_generation() == generation {
            texts.scripts.insert(key, text.clone());
        }
        Ok(text)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
