//! Scripts of many addresses made anew, with their switches as they are: after a change of administrators' scripts, or when
//! a newer version brings better templates. Where mail goes does not change by it, so nothing is proved.

use super::causes::ScriptCause;
use super::change::{ROUNDS_MAX, included};
use super::error::{Cause, Refused};
use super::{Admin, Caller};
use crate::directory::Snapshot;
use crate::filter::{self, ScriptKind};
use crate::rules::{Context, compile};
use crate::store::{AddressRecord, ScriptOwner, StoreError};
use crate::types::{AddressId, Domain};
use std::collections::HashMap;
use std::sync::Arc;

/// How many threads look whether scripts compile: one for each core, but mail goes on meanwhile.
const THREADS_MAX: usize = 4;

type Texts = Vec<(AddressId, String)>;
type Active = HashMap<ScriptOwner, Vec<String>>;

/// How many addresses there were, and how many of them have a new script.
pub(super) struct Recompiled {
    pub(super) addresses: usize,
    pub(super) changed: usize,
}

impl Admin {
    /// Makes the scripts of all addresses anew, or of one domain's. `supposed`: what to take for active of an owner instead
    /// of what is.
    pub(super) async fn recompile(
        &self,
        caller: &Caller,
        cause: &str,
        domain: Option<&Domain>,
        supposed: Option<(ScriptOwner, Vec<String>)>,
    ) -> Result<Recompiled, Refused> {
        for _ in 0..ROUNDS_MAX {
            let snapshot = self.directory().snapshot().await?;
            let mut active = self.store().active_script_names().await?;
            active.extend(supposed.clone());
            let (here, domain) = (Arc::clone(&snapshot), domain.cloned());
            let writing = tokio::task::spawn_blocking(move || texts(&here, domain.as_ref(), &active));
            let texts = writing.await.map_err(|_| Cause::TaskDied)?;
            let addresses = texts.len();
            let stale = self.store().stale_compiled(texts).await?;
            let changed = stale.len();
            caller.progress.tell(0, changed as u64);
            let here = Arc::clone(&snapshot);
            let checking = tokio::task::spawn_blocking(move || check(&here, stale));
            let stale = checking.await.map_err(|_| Cause::TaskDied)??;
            match self.store().recompile(snapshot.generation(), stale, &caller.author, cause).await {
                Ok(()) => {
                    tracing::info!(author = caller.author, cause, scripts = changed, "compiled anew");
                    return Ok(Recompiled { addresses, changed });
                }
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Changed.into())
    }

    /// Makes those scripts anew that would be others now: after an upgrade brought better templates, or when an earlier
    /// change of administrators' scripts was cut short. Returns how many there were.
    pub async fn refresh_compiled(&self, caller: &Caller) -> Result<usize, Refused> {
        Ok(self.recompile(caller, "refresh", None, None).await?.changed)
    }
}

fn texts(snapshot: &Snapshot, domain: Option<&Domain>, active: &Active) -> Texts {
    let names = snapshot.own_names();
    let of = |owner: ScriptOwner| active.get(&owner).map_or(&[][..], Vec::as_slice);
    let text = |record: &Arc<AddressRecord>| {
        let (address, switches) = (&record.address, &record.switches);
        let of_domain = snapshot.domain(address.domain()).map_or(&[][..], |domain| of(ScriptOwner::Domain(domain.id)));
        let [before, after] = included(address.domain(), of(ScriptOwner::Server), of_domain);
        let personal = record.account.filter(|_| switches.mailbox).map_or(&[][..], |id| of(ScriptOwner::Account(id)));
        let also_known_as = names.of(snapshot.graph(), address);
        let context = Context { also_known_as, before, personal: personal.to_vec(), after };
        (record.id, compile(address, switches, &context).text)
    };
    let wanted = |record: &&Arc<AddressRecord>| domain.is_none_or(|domain| record.address.domain() == domain);
    snapshot.addresses().iter().filter(wanted).map(text).collect()
}

/// What was made from switches compiles whatever they say; if it ever does not, nothing is saved.
fn check(snapshot: &Snapshot, texts: Texts) -> Result<Texts, Refused> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let share = texts.len().div_ceil(threads).max(1);
    let broken = std::thread::scope(|scope| {
        let checking: Vec<_> = texts.chunks(share).map(|share| scope.spawn(|| first_broken(share))).collect();
        checking.into_iter().map(|thread| thread.join().map_err(|_| Cause::TaskDied)).collect::<Result<Vec<_>, _>>()
    })?;
    let Some((id, error)) = broken.into_iter().flatten().next() else { return Ok(texts) };
    let record = snapshot.addresses().iter().find(|record| record.id == id).ok_or(Cause::TaskDied)?;
    Err(ScriptCause::CompiledBroken { address: record.address.clone(), error }.into())
}

fn first_broken(texts: &[(AddressId, String)]) -> Option<(AddressId, String)> {
    texts.iter().find_map(|(id, text)| {
        let error = filter::compile(text.as_bytes(), ScriptKind::Compiled).err()?;
        Some((*id, error.to_string()))
    })
}
