//! What scripts need at hand: texts as the store has them, compiled once, and which mailboxes there are.
//!
//! A delivery looks up half a dozen scripts, most of which don't exist; none of that should cost a look into the
//! database while nothing changes. Every change raises one of the store's generations.

use crate::filter::{Cache, CompileError, Included, Script, ScriptKind, ScriptName};
use crate::rules::SectionLines;
use crate::store::{AddressRecord, Annotated, EVENT_SCRIPT_ENTRY, ScriptOwner, Store, StoreError};
use crate::types::limits::{SHELF_ACCOUNTS_MAX, SHELF_EVENT_SCRIPTS_MAX, SHELF_SCRIPTS_MAX};
use crate::types::{AccountId, AddressId, MailboxId, MailboxName, SpecialUse};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct Shelf {
    store: Store,
    compiled: Cache,
    addresses: Mutex<HashMap<AddressId, Compiled>>,
    written: Mutex<Written>,
    mailboxes: Mutex<Mailboxes>,
    events: Mutex<EventScripts>,
}

struct Compiled {
    /// Of the address's script: what it was compiled from.
    version: u32,
    script: Arc<Script>,
    sections: SectionLines,
}

#[derive(Default)]
struct Written {
    generation: u64,
    count: usize,
    scripts: HashMap<ScriptOwner, HashMap<String, Kept>>,
}

#[derive(Clone)]
struct Kept {
    is_active: bool,
    script: Included,
}

#[derive(Default)]
struct EventScripts {
    generation: u64,
    scripts: HashMap<MailboxId, Option<String>>,
}

#[derive(Default)]
struct Mailboxes {
    generation: u64,
    accounts: HashMap<AccountId, Arc<[KnownMailbox]>>,
}

/// What scripts may know of a mailbox.
pub(super) struct KnownMailbox {
    pub(super) id: MailboxId,
    pub(super) name: MailboxName,
    pub(super) special_use: Option<SpecialUse>,
}

/// Why an address's script can't run: a fault of the store or of the generator, never of its owner.
#[derive(Debug)]
pub(super) enum NoScript {
    Missing,
    Broken(CompileError),
    Store(StoreError),
}

impl Shelf {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            compiled: Cache::default(),
            addresses: Mutex::default(),
            written: Mutex::default(),
            mailboxes: Mutex::default(),
            events: Mutex::default(),
        }
    }

    /// A text that is no stored script. Blocks.
    pub(super) fn compile(&self, text: &[u8]) -> Result<Arc<Script>, CompileError> {
        self.compiled.compile(text, ScriptKind::Personal)
    }

    /// The name of the script that runs when something happens in a mailbox (RFC 6785 section 2.3.1): the mailbox's own,
    /// else the server's.
    pub(super) async fn event_script(&self, mailbox: MailboxId) -> Result<Option<String>, StoreError> {
        let generation = self.store.event_script_generation();
        {
            let mut events = lock(&self.events);
            if events.generation != generation || events.scripts.len() >= SHELF_EVENT_SCRIPTS_MAX {
                *events = EventScripts { generation, ..EventScripts::default() };
            }
            if let Some(known) = events.scripts.get(&mailbox) {
                return Ok(known.clone());
            }
        }
        let mut name = None;
        for about in [Annotated::Mailbox(mailbox), Annotated::Server] {
            let value = self.store.shared_annotation(about, EVENT_SCRIPT_ENTRY).await?;
            name = value.and_then(|value| String::from_utf8(value).ok()).filter(|name| !name.is_empty());
            if name.is_some() {
                break;
            }
        }
        let mut events = lock(&self.events);
        if events.generation == generation && self.store.event_script_generation() == generation {
            events.scripts.insert(mailbox, name.clone());
        }
        Ok(name)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The script an address's switches were compiled to. Blocks.
    pub(super) fn compiled(&self, record: &AddressRecord) -> Result<(Arc<Script>, SectionLines), NoScript> {
        if let Some(known) = lock(&self.addresses).get(&record.id)
            && known.version == record.compiled_version
        {
            return Ok((Arc::clone(&known.script), known.sections));
        }
        let text = self.store.compiled_text_blocking(record.id, record.compiled_version).map_err(NoScript::Store)?;
        let text = text.ok_or(NoScript::Missing)?;
        let script = self.compiled.compile(text.as_bytes(), ScriptKind::Compiled).map_err(NoScript::Broken)?;
        let sections = SectionLines::of(&text);
        let mut addresses = lock(&self.addresses);
        if addresses.len() >= SHELF_SCRIPTS_MAX {
            addresses.clear();
        }
        let known = Compiled { version: record.compiled_version, script: Arc::clone(&script), sections };
        addresses.insert(record.id, known);
        Ok((script, sections))
    }

    /// A script somebody wrote. Administrators' scripts are in force only while they are active; a person's script may be
    /// included whether or not it is active by itself (RFC 6609 section 3.2). `label`: what it is called in reports.
    /// Blocks.
    pub(super) fn written(&self, owner: ScriptOwner, name: &str, label: impl FnOnce(&str) -> String) -> Included {
        match self.kept(owner, name, label) {
            Ok(kept) if kept.is_active || matches!(owner, ScriptOwner::Account(_)) => kept.script,
            Ok(_) => Included::Missing,
            Err(error) => {
                tracing::error!(%error, "a script could not be read; the message is kept without it");
                let message = "the script could not be read".to_owned();
                Included::Broken(CompileError { line: 0, column: 0, message })
            }
        }
    }

    fn kept(&self, owner: ScriptOwner, name: &str, label: impl FnOnce(&str) -> String) -> Result<Kept, StoreError> {
        let generation = self.store.script_generation();
        {
            let mut written = lock(&self.written);
            if written.generation != generation || written.count >= SHELF_SCRIPTS_MAX {
                *written = Written { generation, ..Written::default() };
            }
            if let Some(kept) = written.scripts.get(&owner).and_then(|scripts| scripts.get(name)) {
                return Ok(kept.clone());
            }
        }
        let kind = match owner {
            ScriptOwner::Account(_) => ScriptKind::Personal,
            ScriptOwner::Server | ScriptOwner::Domain(_) => ScriptKind::Admin,
        };
        let kept = match self.store.script_blocking(owner, name)? {
            None => Kept { is_active: false, script: Included::Missing },
            Some(text) => Kept {
                is_active: text.is_active,
                script: match self.compiled.compile(text.text.as_bytes(), kind) {
                    Ok(script) => {
                        let version = Some(u64::from(text.version));
                        Included::Script(script, Arc::new(ScriptName { name: label(&text.name), version, kind }))
                    }
                    Err(error) => Included::Broken(error),
                },
            },
        };
        let mut written = lock(&self.written);
        // What was read before a change must not stay as if it had been read after it.
        if written.generation == generation && self.store.script_generation() == generation {
            written.count += 1;
            written.scripts.entry(owner).or_default().insert(name.to_owned(), kept.clone());
        }
        Ok(kept)
    }

    /// The mailboxes of an account. Blocks.
    pub(super) fn mailboxes(&self, account: AccountId) -> Result<Arc<[KnownMailbox]>, StoreError> {
        let generation = self.store.mailbox_generation();
        {
            let mut mailboxes = lock(&self.mailboxes);
            if mailboxes.generation != generation || mailboxes.accounts.len() >= SHELF_ACCOUNTS_MAX {
                *mailboxes = Mailboxes { generation, ..Mailboxes::default() };
            }
            if let Some(known) = mailboxes.accounts.get(&account) {
                return Ok(Arc::clone(known));
            }
        }
        let read = self.store.mailboxes_blocking(account)?;
        let known: Arc<[KnownMailbox]> = read
            .into_iter()
            .map(|mailbox| KnownMailbox { id: mailbox.id, name: mailbox.name, special_use: mailbox.special_use })
            .collect();
        let mut mailboxes = lock(&self.mailboxes);
        if mailboxes.generation == generation && self.store.mailbox_generation() == generation {
            mailboxes.accounts.insert(account, Arc::clone(&known));
        }
        Ok(known)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
