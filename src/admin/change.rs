//! The one way in which the directory changes: decide, check, prove, compile, store; and again if somebody was faster.

use super::draft::Draft;
use super::error::{Cause, Refused};
use super::{Admin, Caller};

use super::causes::ScriptCause;
use crate::directory::{Snapshot, let_go};
use crate::filter::{self, ScriptKind};
use crate::rules::{Consequences, Context, Effects, Refusal, after_script_name, before_script_name, compile};
use crate::store::{ScriptOwner, StoreError};
use crate::types::{Address, Domain, Switches};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How often a change is decided anew when others change the directory at the same time. Each round somebody gets on, so
/// this many only lose to as many others.
pub(super) const ROUNDS_MAX: usize = 50;

const NOBODY_ADMINISTERS: &str = "no account administers any more, so postmaster and abuse take no mail: posthouse account set ADDRESS --administrator";

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
        // One at a time: whoever decides on a snapshot that somebody else is about to change decides for nothing, and mail
        // programs that all activate scripts would take each other's turns for ever. The rounds are for those who change the
        // directory by other ways, such as the queue.
        let _turn = self.0.changing.lock().await;
        for _ in 0..ROUNDS_MAX {
            let snapshot = self.directory().snapshot().await?;
            let mut draft = Draft::new(&snapshot);
            let Decided { value, about, mut notes } = decide(&mut draft)?;
            if draft.is_empty() {
                let mail_now = about.iter().map(|address| mail_now(&snapshot.graph().effects(address))).collect();
                return Ok((value, Done { changed: false, mail_now, also_affected: Vec::new(), notes }));
            }
            super::reserved::settle(&mut draft);
            if snapshot.administrator().is_some() && draft.administrator().is_none() {
                notes.push(NOBODY_ADMINISTERS.to_owned());
            }
            let (consequences, names) = self.prove_aside(&snapshot, &draft).await?;
            draft.add_renamed(&names);
            let scripts = self.compile_all(&draft, names).await?;
            let changes = draft.store_changes(scripts, &caller.author, cause);
            match self.store().change_directory(snapshot.generation(), changes).await {
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    tracing::info!(author = caller.author, act = cause, "directory changed");
                    // The next one shall not wait for it; a command's own process is over before it is of use.
                    if self.0.running.load().is_some() {
                        self.directory().prepare();
                    }
                    let_go(snapshot);
                    return Ok((value, done(consequences, notes)));
                }
            }
        }
        Err(StoreError::Changed.into())
    }

    /// [`prove`] on a thread of its own: ten thousand addresses take some tens of milliseconds. With it what addresses will
    /// be known as.
    async fn prove_aside(
        &self,
        snapshot: &Arc<Snapshot>,
        draft: &Draft<'_>,
    ) -> Result<(Consequences, BTreeMap<Address, Vec<Address>>), Refused> {
        let (snapshot, changes) = (Arc::clone(snapshot), draft.graph_changes());
        let proving = tokio::task::spawn_blocking(move || {
            let proof = snapshot.graph().prove_change(&changes);
            let names = if proof.is_ok() { snapshot.names_after(&changes) } else { BTreeMap::new() };
            (proof, names)
        });
        let (proof, names) = proving.await.map_err(|_| Cause::TaskDied)?;
        Ok((verdict(draft.violations(), proof)?, names))
    }

    /// The texts of all addresses the draft touches. Each compiles.
    async fn compile_all(
        &self,
        draft: &Draft<'_>,
        mut names: BTreeMap<Address, Vec<Address>>,
    ) -> Result<BTreeMap<Address, String>, Refused> {
        let mut active = Active { admin: self, read: HashMap::new() };
        let mut scripts = BTreeMap::new();
        for (address, switches) in draft.to_compile() {
            let also_known_as = names.remove(&address).unwrap_or_default();
            let context = active.context(draft, &address, &switches, also_known_as).await?;
            let text = compile(&address, &switches, &context).text;
            scripts.insert(address, text);
        }
        let checking = tokio::task::spawn_blocking(move || check_compiled(scripts));
        checking.await.map_err(|_| Cause::TaskDied)?
    }
}

/// What the scripts include, read once for a change.
struct Active<'a> {
    admin: &'a Admin,
    read: HashMap<ScriptOwner, Vec<String>>,
}

impl Active<'_> {
    async fn context(
        &mut self,
        draft: &Draft<'_>,
        address: &Address,
        switches: &Switches,
        also_known_as: Vec<Address>,
    ) -> Result<Context, Refused> {
        let of_server = self.names(draft, ScriptOwner::Server).await?;
        let of_domain = match draft.snapshot.domain(address.domain()) {
            Some(record) => self.names(draft, ScriptOwner::Domain(record.id)).await?,
            None => Vec::new(),
        };
        let [before, after] = included(address.domain(), &of_server, &of_domain);
        Ok(Context { also_known_as, before, personal: self.of_person(draft, address, switches).await?, after })
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
}

/// Administrators' scripts that come first and that come last. The server's is the outer one: the first of all before, the
/// last of all after.
pub(super) fn included(domain: &Domain, of_server: &[String], of_domain: &[String]) -> [Vec<String>; 2] {
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
    let mut before = Vec::new();
    before.extend(has(of_server, "before").then(|| before_script_name(None)));
    before.extend(has(of_domain, "before").then(|| before_script_name(Some(domain))));
    let mut after = Vec::new();
    after.extend(has(of_domain, "after").then(|| after_script_name(Some(domain))));
    after.extend(has(of_server, "after").then(|| after_script_name(None)));
    [before, after]
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
