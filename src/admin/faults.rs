//! What is wrong with the scripts that run: what has gone wrong while they ran, and what reading them again finds, since the
//! world around a script changes when it doesn't.

use super::error::{Cause, Refused};
use super::scripts::ScriptWhere;
use super::{Act, Admin, Caller};
use crate::directory::Snapshot;
use crate::filter::ScriptKind;
use crate::store::{ActiveScript, FaultRecord, ScriptOwner};
use crate::types::ScriptId;
use serde::{Deserialize, Serialize};

/// Of one place, or of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptFaults {
    pub place: Option<ScriptWhere>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    pub place: ScriptWhere,
    pub name: String,
    pub version: u32,
    /// 0: no line of it.
    pub line: u32,
    pub what: String,
    /// None: found by reading the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened: Option<Happened>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    pub times: u64,
    pub first: String,
    pub last: String,
}

impl std::fmt::Display for FaultView {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "script {} of {}", self.name, self.place)?;
        if self.line > 0 {
            write!(formatter, ", line {}", self.line)?;
        }
        write!(formatter, ": {}", self.what)?;
        match &self.happened {
            Some(Happened { times: 1, last, .. }) => write!(formatter, " (once, at {last})"),
            Some(Happened { times, last, .. }) => write!(formatter, " ({times} times, the last at {last})"),
            None => Ok(()),
        }
    }
}

impl Act for ScriptFaults {
    const NAME: &'static str = "script faults";
    type Answer = Vec<FaultView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<FaultView>, Refused> {
        admin.read_scripts().await?;
        let faults = admin.script_faults().await?;
        let snapshot = admin.directory().snapshot().await?;
        let Some(place) = self.place else { return Ok(faults) };
        let wanted = place.owner(&snapshot)?;
        let is_wanted = |fault: &FaultView| fault.place.owner(&snapshot).is_ok_and(|owner| owner == wanted);
        Ok(faults.into_iter().filter(is_wanted).collect())
    }
}

/// Scripts that are in memory at a time.
const PIECE: u32 = 50;

impl Admin {
    /// Reads all scripts that run, and notes what is found.
    pub async fn read_scripts(&self) -> Result<(), Refused> {
        let mut after = ScriptId(0);
        loop {
            let piece = self.store().active_scripts_after(after, PIECE).await?;
            let Some(last) = piece.last() else { return Ok(()) };
            after = last.id;
            for script in piece {
                let (id, version) = (script.id, script.version);
                let found = self.read_script(script).await?;
                self.store().put_read_faults(id, version, found).await?;
            }
        }
    }

    async fn read_script(&self, script: ActiveScript) -> Result<Vec<(u32, String)>, Refused> {
        let ActiveScript { owner, name, text, .. } = script;
        let Some(place) = place_of(&*self.directory().snapshot().await?, owner) else { return Ok(Vec::new()) };
        let kind = match owner {
            ScriptOwner::Account(_) => ScriptKind::Personal,
            ScriptOwner::Domain(_) | ScriptOwner::Server => ScriptKind::Admin,
        };
        let reading = tokio::task::spawn_blocking(move || crate::filter::examine(text.as_bytes(), kind));
        Ok(match reading.await.map_err(|_| Cause::TaskDied)? {
            Ok(examination) => {
                let mut doubts = self.doubts(&place, &name, &examination).await?;
                doubts.extend(self.missing_mailboxes(&place, &examination).await?);
                doubts.into_iter().map(|doubt| (doubt.line, doubt.what)).collect()
            }
            Err(error) => vec![(error.line, format!("it is no script any more, and does not run: {}", error.message))],
        })
    }

    /// As they are known, without reading anything again.
    pub(super) async fn script_faults(&self) -> Result<Vec<FaultView>, Refused> {
        let snapshot = self.directory().snapshot().await?;
        let view = |record: FaultRecord| {
            let FaultRecord { fault, is_read, first, last, count } = record;
            let happened = (!is_read).then(|| Happened { times: count, first: first.rfc3339(), last: last.rfc3339() });
            Some(FaultView {
                place: place_of(&snapshot, fault.owner)?,
                name: fault.name,
                version: fault.version,
                line: fault.line,
                what: fault.what,
                happened,
            })
        };
        Ok(self.store().script_faults().await?.into_iter().filter_map(view).collect())
    }
}

/// None: it is gone, or parked.
fn place_of(snapshot: &Snapshot, owner: ScriptOwner) -> Option<ScriptWhere> {
    Some(match owner {
        ScriptOwner::Server => ScriptWhere::Server,
        ScriptOwner::Domain(id) => {
            ScriptWhere::Domain(snapshot.domains().iter().find(|domain| domain.id == id)?.name.clone())
        }
        ScriptOwner::Account(id) => ScriptWhere::Address(snapshot.account_by_id(id)?.address.clone()),
    })
}
