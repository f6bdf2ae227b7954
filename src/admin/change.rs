//! The one way in which the directory changes: decide, check, prove, compile, store; and again if somebody was faster.

use super::draft::Draft;
use super::error::{Cause, Refused};
use super::{Admin, Caller};

use super::causes::ScriptCause;
use crate::directory::Snapshot;
use crate::filter::{self, ScriptKind};
use crate::rules::{Consequences, Context, Effects, Refusal, after_script_name, before_script_name, compile};
use crate::store::{ScriptOwner, StoreError};
use crate::types::{Address, Domain, Switches};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How often a change is decided anew when others change the directory at the same time. Each round somebody gets on, so
/// this many only lose to as many others.
const ROUNDS_MAX: usize = 50;
/// Addresses compiled anew in one transaction: some milliseconds of the writer's time.
const RECOMPILE_PIECE: usize = 250;

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
            let consequences = self.prove_aside(&snapshot, &draft).await?;
            let scripts = self.compile_all(&snapshot, &mut draft).await?;
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

    /// [`prove`] on a thread of its own: ten thousand addresses take some tens of milliseconds.
    async fn prove_aside(&self, snapshot: &Arc<Snapshot>, draft: &Draft<'_>) -> Result<Consequences, Refused> {
        let (snapshot, changes) = (Arc::clone(snapshot), draft.graph_changes());
        let proving = tokio::task::spawn_blocking(move || snapshot.graph().prove_change(&changes));
        verdict(draft.violations(), proving.await.map_err(|_| Cause::TaskDied)?)
    }

    /// The texts of all addresses the draft touches, and of those that get new names by it. Each compiles.
    async fn compile_all(
        &self,
        snapshot: &Arc<Snapshot>,
        draft: &mut Draft<'_>,
    ) -> Result<BTreeMap<Address, String>, Refused> {
        let (snapshot, changes) = (Arc::clone(snapshot), draft.graph_changes());
        let applying = tokio::task::spawn_blocking(move || {
            let mut graph = snapshot.graph().clone();
            changes.iter().for_each(|change| graph.apply(change));
            graph
        });
        let graph = applying.await.map_err(|_| Cause::TaskDied)?;
        let names = draft.add_renamed(&graph);
        let mut active = Active { admin: self, read: HashMap::new() };
        let mut scripts = BTreeMap::new();
        for (address, switches) in draft.to_compile() {
            let context = active.context(draft, &address, &switches, names.of(&graph, &address)).await?;
            let text = compile(&address, &switches, &context).text;
            scripts.insert(address, text);
        }
        let checking = tokio::task::spawn_blocking(move || check_compiled(scripts));
        checking.await.map_err(|_| Cause::TaskDied)?
    }

    /// Makes the scripts of all addresses anew, or of one domain's. `supposed`: what to take for active of an owner instead
    /// of what is. Returns how many addresses there were.
    pub(super) async fn recompile(
        &self,
        caller: &Caller,
        cause: &str,
        domain: Option<&Domain>,
        supposed: Option<(ScriptOwner, Vec<String>)>,
    ) -> Result<usize, Refused> {
        let snapshot = self.directory().snapshot().await?;
        let addresses: Vec<Address> =
            super::in_domain(&snapshot, domain)?.map(|record| record.address.clone()).collect();
        self.recompile_these(caller, cause, &addresses, supposed.as_ref()).await?;
        Ok(addresses.len())
    }

    /// A piece at a time, so that nobody waits for all of them.
    async fn recompile_these(
        &self,
        caller: &Caller,
        cause: &str,
        addresses: &[Address],
        supposed: Option<&(ScriptOwner, Vec<String>)>,
    ) -> Result<(), Refused> {
        for piece in addresses.chunks(RECOMPILE_PIECE) {
            self.change(caller, cause, |draft| {
                if let Some((owner, names)) = supposed {
                    draft.suppose_active(*owner, names.clone());
                }
                for address in piece {
                    // Gone meanwhile is as good.
                    if let Some(switches) = draft.switches(address).cloned() {
                        draft.put(address, switches);
                    }
                }
                Ok(Decided::nothing_to_tell())
            })
            .await?;
        }
        Ok(())
    }

    /// Makes those scripts anew that would be others now: after an upgrade brought better templates, or when an earlier
    /// change of administrators' scripts was cut short. Returns how many there were.
    pub async fn refresh_compiled(&self, caller: &Caller) -> Result<usize, Refused> {
        let snapshot = self.directory().snapshot().await?;
        let draft = Draft::new(&snapshot);
        let names = snapshot.own_names();
        let mut active = Active { admin: self, read: HashMap::new() };
        let mut stale = Vec::new();
        for record in snapshot.addresses() {
            let (address, switches) = (&record.address, &record.switches);
            let context = active.context(&draft, address, switches, names.of(snapshot.graph(), address)).await?;
            let text = compile(address, switches, &context).text;
            let stored = self.store().compiled_history(address, 1).await?;
            if stored.first().is_none_or(|newest| newest.text != text) {
                stale.push(address.clone());
            }
        }
        self.recompile_these(caller, "refresh", &stale, None).await?;
        Ok(stale.len())
    }
}

/// What the scripts include, read once for a change.
struct Active<'a> {
    admin: &'a Admin,
    read: HashMap<ScriptOwner, Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    After,
}

impl Active<'_> {
    async fn context(
        &mut self,
        draft: &Draft<'_>,
        address: &Address,
        switches: &Switches,
        also_known_as: Vec<Address>,
    ) -> Result<Context, Refused> {
        Ok(Context {
            also_known_as,
            before: self.of_administrators(draft, address.domain(), Place::Before).await?,
            personal: self.of_person(draft, address, switches).await?,
            after: self.of_administrators(draft, address.domain(), Place::After).await?,
        })
    }

    async fn names(&mut self, draft: &Draft<'_>, owner: ScriptOwner) -> Result<Vec<String>, Refused> {
        if let Some(names) = draft.active(owner).or_else(|| self.read.get(&owner)) {
            return Ok(names.clone());
        }
        let scripts = self.admin.store().script_names(vec![owner]).await?;
        let active = scripts.into_iter().filter(|script| script.position.is_some());
        let names: Vec<String> = active.map(|script| script.name).collect();
        self.read.insert(owner, names.clone());
        Ok(names)
    }

    async fn of_person(
        &mut self,
        draft: &Draft<'_>,
        address: &Address,
        switches: &Switches,
    ) -> Result<Vec<String>, Refused> {
        match draft.account_of(address).filter(|_| switches.mailbox) {
            Some(account) => self.names(draft, ScriptOwner::Account(account)).await,
            None => Ok(Vec::new()),
        }
    }

    /// The server's script is the outer one: the first of all before, the last of all after.
    async fn of_administrators(
        &mut self,
        draft: &Draft<'_>,
        domain: &Domain,
        place: Place,
    ) -> Result<Vec<String>, Refused> {
        type Named = fn(Option<&Domain>) -> String;
        let (plain, named): (&str, Named) = match place {
            Place::Before => ("before", before_script_name),
            Place::After => ("after", after_script_name),
        };
        let mut included = Vec::new();
        if self.names(draft, ScriptOwner::Server).await?.iter().any(|name| name == plain) {
            included.push(named(None));
        }
        if let Some(record) = draft.snapshot.domain(domain)
            && self.names(draft, ScriptOwner::Domain(record.id)).await?.iter().any(|name| name == plain)
        {
            included.push(named(Some(domain)));
        }
        if place == Place::After {
            included.reverse();
        }
        Ok(included)
    }
}

/// What was made from switches compiles whatever they say; if it ever does not, nothing is saved.
fn check_compiled(scripts: BTreeMap<Address, String>) -> Result<BTreeMap<Address, String>, Refused> {
    for (address, text) in &scripts {
        if let Err(error) = filter::compile(text.as_bytes(), ScriptKind::Compiled) {
            let (address, error) = (address.clone(), error.to_string());
            return Err(ScriptCause::CompiledBroken { address, error }.into());
        }
    }
    Ok(scripts)
}

/// Everything that is wrong, whether an address contradicts itself or the world.
pub(super) fn prove(draft: &Draft<'_>) -> Result<Consequences, Refused> {
    verdict(draft.violations(), draft.snapshot.graph().prove_change(&draft.graph_changes()))
}

fn verdict(mut causes: Vec<Cause>, proof: Result<Consequences, Vec<Refusal>>) -> Result<Consequences, Refused> {
    match proof {
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
