//! What works in a script and is probably not meant: rules that never match, and names of what is not there. Told whenever
//! a script is saved or checked, and never a reason to refuse it: a mailbox or an address may come tomorrow.

use super::error::Refused;
use super::scripts::ScriptWhere;
use super::{Act, Admin, Caller};
use crate::directory::{Resolution, Snapshot};
use crate::filter::{self, Examination, IncludePlace, IncludeUse, NamedUse, Script, ScriptKind};
use crate::rules::{End, NotTaken};
use crate::store::{ScriptOwner, Store};
use crate::types::{Address, Domain, MailboxName};
use serde::{Deserialize, Serialize};

/// Whether a text is a script that would be taken at a place; stores nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptCheck {
    pub place: ScriptWhere,
    /// What it is or would be called.
    pub name: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptChecked {
    /// What works and is probably not meant.
    pub warnings: Vec<String>,
}

impl Act for ScriptCheck {
    const NAME: &'static str = "script check";
    type Answer = ScriptChecked;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<ScriptChecked, Refused> {
        let examination = admin.examine_text(&self.place, &self.name, &self.text).await?;
        let mut doubts = admin.doubts(&self.place, &self.name, &examination).await?;
        doubts.extend(admin.missing_mailboxes(&self.place, &examination).await?);
        doubts.sort();
        Ok(ScriptChecked { warnings: doubts.iter().map(ToString::to_string).collect() })
    }
}

/// At its place in the text; sorted by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doubt {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) what: String,
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

/// What reading alone tells.
pub(super) fn of_text(examination: &Examination) -> Vec<Doubt> {
    let doubt =
        |warning: &filter::Warning| Doubt { line: warning.line, column: warning.column, what: warning.message.clone() };
    examination.warnings.iter().map(doubt).collect()
}

impl Admin {
    /// Everything that may be wrong with a script of this name at this place.
    pub(super) async fn doubts(
        &self,
        place: &ScriptWhere,
        name: &str,
        examination: &Examination,
    ) -> Result<Vec<Doubt>, Refused> {
        let snapshot = self.directory().snapshot().await?;
        let owner = place.owner(&snapshot)?;
        let mut doubts = of_text(examination);
        for redirect in &examination.redirects {
            doubts.extend(target(&snapshot, place, redirect));
        }
        for include in examination.script.includes() {
            doubts.extend(self.included(&snapshot, owner, name, include).await?);
        }
        doubts.sort();
        Ok(doubts)
    }

    /// Mailboxes that a person's script files into and that are not there. Not told when it is stored: mail programs make
    /// them right after.
    pub(super) async fn missing_mailboxes(
        &self,
        place: &ScriptWhere,
        examination: &Examination,
    ) -> Result<Vec<Doubt>, Refused> {
        // Where an administrator's script files differs from one address to the next.
        let ScriptOwner::Account(account) = place.owner(&*self.directory().snapshot().await?)? else {
            return Ok(Vec::new());
        };
        if examination.mailboxes.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.store().mailboxes(account).await?;
        let missing = |used: &NamedUse| {
            let wanted = MailboxName::parse(&used.name).ok()?;
            let is_there = wanted.is_inbox() || known.iter().any(|mailbox| mailbox.name == wanted);
            let what = format!("there is no mailbox \"{wanted}\": until it is made, such mail goes to INBOX");
            (!is_there).then_some(Doubt { line: used.line, column: used.column, what })
        };
        Ok(examination.mailboxes.iter().filter_map(missing).collect())
    }

    async fn included(
        &self,
        snapshot: &Snapshot,
        owner: ScriptOwner,
        name: &str,
        include: &IncludeUse,
    ) -> Result<Option<Doubt>, Refused> {
        let IncludeUse { place, name: wanted, optional, line, column } = include;
        let doubt = |what: String| Some(Doubt { line: *line, column: *column, what });
        let found = match (place, owner) {
            (IncludePlace::Personal, ScriptOwner::Account(_)) if wanted == name => {
                return Ok(doubt("it includes itself: at that place it fails".to_owned()));
            }
            (IncludePlace::Personal, owner @ ScriptOwner::Account(_)) => {
                if let Some(way) = circle(self.store(), owner, name, wanted).await? {
                    return Ok(doubt(format!("it includes itself by way of {way}: at that place it fails")));
                }
                self.store().script(owner, wanted, None).await?.is_some()
            }
            // Everybody has scripts of his own.
            (IncludePlace::Personal, _) => true,
            (IncludePlace::Global, _) => match global(snapshot, wanted) {
                Some((owner, name)) => {
                    let active = self.store().active_scripts(owner).await?;
                    active.iter().any(|script| script.name == name)
                }
                None => false,
            },
        };
        Ok(match (found, optional) {
            (true, _) => None,
            (false, true) => doubt(format!("there is no script \"{wanted}\", so nothing is included")),
            (false, false) => {
                doubt(format!("there is no script \"{wanted}\": at that place it fails, and the mail goes to INBOX"))
            }
        })
    }
}

/// By way of which scripts an included one comes back to its includer.
async fn circle(store: &Store, owner: ScriptOwner, name: &str, first: &str) -> Result<Option<String>, Refused> {
    let mut seen = vec![first.to_owned()];
    let mut waiting = vec![first.to_owned()];
    // Each is looked at once, and an owner has only so many.
    while let Some(next) = waiting.pop() {
        let Some(script) = store.script(owner, &next, None).await? else { continue };
        let Ok(script) = filter::compile(script.text.as_bytes(), ScriptKind::Personal) else { continue };
        let personal = |script: &Script| -> Vec<String> {
            let uses = script.includes().iter().filter(|include| include.place == IncludePlace::Personal);
            uses.map(|include| include.name.clone()).collect()
        };
        for inner in personal(&script) {
            if inner == name {
                return Ok(Some(next));
            }
            if !seen.contains(&inner) {
                seen.push(inner.clone());
                waiting.push(inner);
            }
        }
    }
    Ok(None)
}

/// Whose script a global name means: `before`, or `after-example.org`.
fn global<'n>(snapshot: &Snapshot, name: &'n str) -> Option<(ScriptOwner, &'n str)> {
    let (place, domain) = name.split_once('-').map_or((name, None), |(place, domain)| (place, Some(domain)));
    if !matches!(place, "before" | "after") {
        return None;
    }
    let Some(domain) = domain else { return Some((ScriptOwner::Server, place)) };
    let domain = Domain::parse(domain).ok()?;
    Some((ScriptOwner::Domain(snapshot.domain(&domain)?.id), place))
}

/// Where a redirection leads that is written out in the script.
fn target(snapshot: &Snapshot, place: &ScriptWhere, redirect: &NamedUse) -> Option<Doubt> {
    let NamedUse { name, line, column } = redirect;
    let target = Address::parse(name).ok()?;
    let doubt = |what: String| Some(Doubt { line: *line, column: *column, what });
    match (snapshot.resolve(&target), place) {
        (Resolution::Refused { address, why: NotTaken::Unknown }, _) => {
            doubt(format!("it redirects to {target}, and there is no {address} here: that copy is refused"))
        }
        (Resolution::Refused { address, why: NotTaken::Paused }, _) => {
            doubt(format!("it redirects to {target}, and {address} is paused: that copy is refused"))
        }
        (Resolution::Local(local), ScriptWhere::Address(own)) => {
            let own = own.canonical();
            if *local.address() == own {
                return doubt(format!("it redirects to {target}, whose script this is: the mail is kept"));
            }
            let effects = snapshot.graph().effects(&target).list;
            let back = effects.iter().find(|effect| {
                effect.via.contains(&own)
                    || matches!(&effect.end,
                End::Stored { mailbox, .. } | End::Passed { mailbox } if *mailbox == own)
            })?;
            let between: Vec<String> =
                back.via.iter().take_while(|address| **address != own).map(ToString::to_string).collect();
            doubt(format!(
                "it redirects in a circle, {} to {own}: the copy that comes back is dropped",
                between.join(" to ")
            ))
        }
        _ => None,
    }
}
