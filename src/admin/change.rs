//! The one way in which the directory changes: decide, check, prove, compile, store; and again if somebody was faster.

use super::draft::Draft;
use super::error::{Cause, Refused};
use super::{Admin, Caller};

use crate::rules::{Consequences, Context, Effects, compile};
use crate::store::{ScriptOwner, StoreError};
use crate::types::{AccountId, Address};
use std::collections::BTreeMap;

/// How often a change is decided anew when others change the directory at the same time. Each round somebody gets on, so
/// this many only lose to as many others.
const ROUNDS_MAX: usize = 50;

/// What mail to an address does from now on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MailNow {
    pub address: Address,
    /// One line for each effect, without a full stop.
    pub what: Vec<String>,
}

/// The answer of an act that changes something.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {
    /// False: everything was already as it shall be.
    pub changed: bool,
    pub mail_now: Vec<MailNow>,
    /// Other addresses whose mail comes through one of these.
    pub also_affected: Vec<Address>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl Done {
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// What a decision leaves besides the steps in the draft.
pub(super) struct Decided<T> {
    pub(super) value: T,
    /// Addresses the caller asked about: told even when nothing changed.
    pub(super) about: Vec<Address>,
    pub(super) notes: Vec<String>,
}

impl Decided<()> {
    pub(super) fn about(address: &Address) -> Self {
        Self { value: (), about: vec![address.canonical()], notes: Vec::new() }
    }

    pub(super) fn nothing_to_tell() -> Self {
        Self { value: (), about: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn with<T>(self, value: T) -> Decided<T> {
        Decided { value, about: self.about, notes: self.notes }
    }
}

impl<T> Decided<T> {
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl Admin {
    /// `decide` lays steps into the draft; it may run several times, each on a newer snapshot.
    pub(super) async fn change<T>(
        &self,
        caller: &Caller,
        cause: &str,
        mut decide: impl FnMut(&mut Draft<'_>) -> Result<Decided<T>, Refused>,
    ) -> Result<(T, Done), Refused> {
        for _ in 0..ROUNDS_MAX {
            let snapshot = self.directory().snapshot().await?;
            let mut draft = Draft::new(&snapshot);
            let Decided { value, about, notes } = decide(&mut draft)?;
            if draft.is_empty() {
                let mail_now = about.iter().map(|address| mail_now(&snapshot.graph().effects(address))).collect();
                return Ok((value, Done { changed: false, mail_now, also_affected: Vec::new(), notes }));
            }
            super::reserved::settle(&mut draft);
            let consequences = prove(&draft)?;
            let scripts = self.compile_all(&mut draft).await?;
            let changes = draft.store_changes(scripts, &caller.author, cause);
            match self.store().change_directory(snapshot.generation(), changes).await {
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    tracing::info!(author = caller.author, act = cause, "directory changed");
                    return Ok((value, done(consequences, notes)));
                }
            }
        }
        Err(StoreError::Changed.into())
    }

    /// The texts of all addresses the draft touches, and of those that get new names by it.
    async fn compile_all(&self, draft: &mut Draft<'_>) -> Result<BTreeMap<Address, String>, Refused> {
        let mut graph = draft.snapshot.graph().clone();
        for change in &draft.graph_changes() {
            graph.apply(change);
        }
        let names = draft.add_renamed(&graph);
        let mut scripts = BTreeMap::new();
        for (address, switches) in draft.to_compile() {
            let account = if switches.mailbox { draft.account_of(&address) } else { None };
            let personal = match account {
                Some(account) => self.personal_scripts(account).await?,
                None => Vec::new(),
            };
            let context = Context { also_known_as: names.of(&graph, &address), personal };
            let text = compile(&address, &switches, &context).text;
            scripts.insert(address, text);
        }
        Ok(scripts)
    }

    async fn personal_scripts(&self, account: AccountId) -> Result<Vec<String>, Refused> {
        let active = self.store().active_scripts(ScriptOwner::Account(account)).await?;
        Ok(active.into_iter().map(|script| script.name).collect())
    }
}

/// Everything that is wrong, whether an address contradicts itself or the world.
pub(super) fn prove(draft: &Draft<'_>) -> Result<Consequences, Refused> {
    let mut causes = draft.violations();
    match draft.snapshot.graph().prove_change(&draft.graph_changes()) {
        Ok(consequences) if causes.is_empty() => return Ok(consequences),
        Ok(_) => {}
        Err(refusals) => causes.extend(refusals.into_iter().map(Cause::Proof)),
    }
    Err(Refused(causes))
}

fn done(consequences: Consequences, notes: Vec<String>) -> Done {
    Done {
        changed: true,
        mail_now: consequences.effects.iter().map(mail_now).collect(),
        also_affected: consequences.also_affected,
        notes,
    }
}

fn mail_now(effects: &Effects) -> MailNow {
    MailNow { address: effects.address.clone(), what: effects.lines() }
}
