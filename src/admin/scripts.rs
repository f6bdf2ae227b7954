//! Sieve scripts: those people and administrators write, and those that switches are compiled to.
//!
//! A place is an address (its account's own scripts, several and ordered), a domain or the whole server (one script named
//! `before` and one named `after`). Each put makes a version. On an address, the name `compiled` stands for the script made
//! from its switches: it can be read, and rolled back together with the switches it was made from.

use super::causes::{AddressCause, ScriptCause};
use super::change::{Decided, Done};
use super::difference::unified;
use super::doubts;
use super::error::{Cause, Refused};
use super::shown::is_shown;
use super::{Act, Admin, Caller, meant};
use crate::directory::Snapshot;
use crate::filter::{self, CompileError, Examination, ScriptKind};
use crate::rules::describe;
use crate::store::{CompiledRecord, ScriptOwner, ScriptRecord, StoreError, Thing, VersionSource};
use crate::types::limits::{SCRIPT_VERSIONS_MAX, SCRIPTS_PER_OWNER_MAX};
use crate::types::{Address, Domain, DomainId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// On an address: the script made from its switches.
const COMPILED: &str = "compiled";
/// RFC 5804 section 1.6 asks for 128 at least.
const NAME_CHARACTERS_MAX: usize = 128;
/// What an administrator's scripts are called.
const ADMIN_NAMES: [&str; 2] = ["before", "after"];

/// Whose scripts: `@` is the server, `@example.org` a domain, `jane@example.org` a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ScriptWhere {
    Server,
    Domain(Domain),
    Address(Address),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptWhereError(String);

impl fmt::Display for ScriptWhereError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: name an address, @domain, or @ for the whole server", self.0)
    }
}

impl std::error::Error for ScriptWhereError {}

impl FromStr for ScriptWhere {
    type Err = ScriptWhereError;
    fn from_str(text: &str) -> Result<Self, ScriptWhereError> {
        match text.strip_prefix('@') {
            Some("") => Ok(Self::Server),
            Some(domain) => {
                Domain::parse(domain).map(Self::Domain).map_err(|error| ScriptWhereError(error.to_string()))
            }
            None => Address::parse(text).map(Self::Address).map_err(|error| ScriptWhereError(error.to_string())),
        }
    }
}

impl fmt::Display for ScriptWhere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => formatter.write_str("@"),
            Self::Domain(domain) => write!(formatter, "@{domain}"),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

impl TryFrom<String> for ScriptWhere {
    type Error = ScriptWhereError;
    fn try_from(text: String) -> Result<Self, ScriptWhereError> {
        text.parse()
    }
}

impl From<ScriptWhere> for String {
    fn from(place: ScriptWhere) -> Self {
        place.to_string()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptPut {
    pub place: ScriptWhere,
    pub name: String,
    pub text: String,
    /// Runs from now on, behind those that run already.
    pub activate: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptPutDone {
    pub version: u32,
    pub active: bool,
    /// What works and is probably not meant.
    pub warnings: Vec<String>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptGet {
    pub place: ScriptWhere,
    pub name: String,
    /// None: the current one.
    pub version: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptTextView {
    pub name: String,
    pub version: u32,
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptList {
    pub place: ScriptWhere,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptView {
    pub name: String,
    /// Its place among the active ones, from 1. None: inactive.
    pub position: Option<u32>,
    pub version: u32,
    pub octets: u64,
    pub changed: String,
}

/// Exactly these are active from now on, in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptActivate {
    pub place: ScriptWhere,
    pub names: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptDeactivate {
    pub place: ScriptWhere,
    pub name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptRemove {
    pub place: ScriptWhere,
    pub name: String,
}

/// A person's script gets another name; it stays active if it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptRename {
    pub address: Address,
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptHistory {
    pub place: ScriptWhere,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    pub version: u32,
    pub author: String,
    pub cause: String,
    pub origin: String,
    pub octets: u64,
    pub created: String,
}

/// What was changed from one version to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptDifference {
    pub place: ScriptWhere,
    pub name: String,
    pub from: u32,
    /// None: the current one.
    pub to: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceView {
    pub from: u32,
    pub to: u32,
    /// In unified form; empty when nothing was.
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptRollback {
    pub place: ScriptWhere,
    pub name: String,
    pub version: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompiledShow {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompiledView {
    pub address: Address,
    pub version: u32,
    pub author: String,
    pub cause: String,
    pub created: String,
    /// The switches it was made from, in words.
    pub does: Vec<String>,
    pub text: String,
}

/// Whether a text of at most so many octets is a script that would be taken. Answers with what works and is probably not
/// meant.
pub fn check_script(name: &str, text: &str, octets_max: usize) -> Result<Vec<String>, Refused> {
    check_length(text, octets_max)?;
    let examination = examine(name, text, ScriptKind::Personal)?;
    Ok(doubts::of_text(&examination).iter().map(ToString::to_string).collect())
}

fn check_length(text: &str, max: usize) -> Result<(), ScriptCause> {
    if text.len() > max { Err(ScriptCause::TooLong { octets: text.len(), max }) } else { Ok(()) }
}

fn examine(name: &str, text: &str, kind: ScriptKind) -> Result<Examination, Refused> {
    let broken = |error: CompileError| ScriptCause::Broken { name: name.to_owned(), error: error.to_string() };
    filter::examine(text.as_bytes(), kind).map_err(|error| broken(error).into())
}

impl ScriptWhere {
    pub(super) fn owner(&self, snapshot: &Snapshot) -> Result<ScriptOwner, Refused> {
        Ok(match self {
            Self::Server => ScriptOwner::Server,
            Self::Domain(domain) => ScriptOwner::Domain(domain_id(snapshot, domain)?),
            Self::Address(address) => ScriptOwner::Account(meant::account(snapshot, address)?.id),
        })
    }

    fn kind(&self) -> ScriptKind {
        match self {
            Self::Address(_) => ScriptKind::Personal,
            Self::Server | Self::Domain(_) => ScriptKind::Admin,
        }
    }

    pub(super) fn check_name(&self, name: &str) -> Result<(), Refused> {
        match self {
            Self::Address(_) if is_shown(name) => Err(ScriptCause::Shown(name.to_owned()).into()),
            Self::Server | Self::Domain(_) if !ADMIN_NAMES.contains(&name) => {
                Err(ScriptCause::BadPlaceName(name.to_owned()).into())
            }
            Self::Server | Self::Domain(_) => Ok(()),
            Self::Address(_) => {
                let breaks = |one: char| one.is_control() || matches!(one, '\u{2028}' | '\u{2029}');
                let wrong = name.is_empty()
                    || name == COMPILED
                    || name.chars().count() > NAME_CHARACTERS_MAX
                    || name.chars().any(breaks);
                if wrong { Err(ScriptCause::BadName(name.to_owned()).into()) } else { Ok(()) }
            }
        }
    }

    pub(super) fn missing(&self, name: &str) -> Refused {
        if matches!(self, Self::Address(_)) && is_shown(name) {
            return ScriptCause::Shown(name.to_owned()).into();
        }
        ScriptCause::Missing { place: self.to_string(), name: name.to_owned() }.into()
    }

    /// The address, when the script made from its switches is meant.
    fn compiled(&self, name: &str) -> Option<&Address> {
        match self {
            Self::Address(address) if name == COMPILED => Some(address),
            _ => None,
        }
    }
}

fn domain_id(snapshot: &Snapshot, domain: &Domain) -> Result<DomainId, Refused> {
    let record = meant::domain(snapshot, domain)?;
    Ok(record.id)
}

impl Act for ScriptPut {
    const NAME: &'static str = "script put";
    type Answer = ScriptPutDone;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<ScriptPutDone, Refused> {
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        self.place.check_name(&self.name)?;
        let warnings = admin.check_text(&self.place, &self.name, &self.text).await?;
        let source = VersionSource {
            author: caller.author.clone(),
            cause: Self::NAME.to_owned(),
            origin: caller.origin.clone(),
        };
        let put = admin.store().put_script(owner, &self.name, self.text.clone(), source).await;
        let version = put.map_err(|error| match error {
            StoreError::Limit(_) => Refused::from(ScriptCause::TooMany { max: SCRIPTS_PER_OWNER_MAX }),
            error => error.into(),
        })?;
        tracing::info!(author = caller.author, place = %self.place, name = self.name, version, "script put");
        let mut active = active_names(admin, owner).await?;
        let mut notes = Vec::new();
        if self.activate && !active.contains(&self.name) {
            active.push(self.name.clone());
            notes = admin.set_active(caller, Self::NAME, &self.place, owner, active.clone()).await?.notes;
        }
        let active = active.contains(&self.name);
        if !active {
            notes.push(format!("it does not run yet: posthouse script activate {} {}", self.place, self.name));
        }
        Ok(ScriptPutDone { version, active, warnings, notes })
    }
}

async fn active_names(admin: &Admin, owner: ScriptOwner) -> Result<Vec<String>, Refused> {
    let names = admin.store().script_names(vec![owner]).await?;
    Ok(names.into_iter().filter(|script| script.position.is_some()).map(|script| script.name).collect())
}

impl Admin {
    /// Refuses what is no script, and says what of it works and is probably not meant.
    async fn check_text(&self, place: &ScriptWhere, name: &str, text: &str) -> Result<Vec<String>, Refused> {
        let examination = self.examine_text(place, name, text).await?;
        Ok(self.doubts(place, name, &examination).await?.iter().map(ToString::to_string).collect())
    }

    pub(super) async fn examine_text(
        &self,
        place: &ScriptWhere,
        name: &str,
        text: &str,
    ) -> Result<Examination, Refused> {
        check_length(text, self.settings().script_octets_max)?;
        let (name, text, kind) = (name.to_owned(), text.to_owned(), place.kind());
        let examining = tokio::task::spawn_blocking(move || examine(&name, &text, kind));
        examining.await.map_err(|_| Cause::TaskDied)?
    }

    /// Makes exactly these active. What compiled scripts include is active at any moment: they are made to include it
    /// after it became active, and to leave it out before it stops being so.
    async fn set_active(
        &self,
        caller: &Caller,
        cause: &str,
        place: &ScriptWhere,
        owner: ScriptOwner,
        names: Vec<String>,
    ) -> Result<Done, Refused> {
        match place {
            ScriptWhere::Address(address) => {
                let before = active_names(self, owner).await?;
                // One address: all of it is one step.
                let (_, done) = self
                    .change(caller, cause, |draft| {
                        let switches = draft.switches(address).cloned();
                        let switches = switches.ok_or_else(|| meant::no_account(draft.snapshot, address))?;
                        // Mail programs activate a script each time they have stored it.
                        if names != before {
                            draft.activate(owner, names.clone());
                            draft.put(address, switches);
                        }
                        Ok(Decided::about(address))
                    })
                    .await?;
                Ok(done)
            }
            ScriptWhere::Server | ScriptWhere::Domain(_) => {
                let domain = if let ScriptWhere::Domain(domain) = place { Some(domain) } else { None };
                let before = active_names(self, owner).await?;
                // First leave out what goes, then let it go and let come what comes, then take that in.
                let staying = before.iter().filter(|name| names.contains(name)).cloned().collect::<Vec<_>>();
                if staying != before {
                    self.recompile(caller, cause, domain, Some((owner, staying))).await?;
                }
                self.change(caller, cause, |draft| {
                    draft.activate(owner, names.clone());
                    Ok(Decided::nothing_to_tell())
                })
                .await?;
                let addresses = self.recompile(caller, cause, domain, None).await?.addresses;
                let counted = super::words::count(addresses as u64, "address is", "addresses are");
                Ok(Done { changed: names != before, ..Done::default() }.note(format!("{counted} compiled anew")))
            }
        }
    }
}

impl Act for ScriptGet {
    const NAME: &'static str = "script get";
    type Answer = ScriptTextView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<ScriptTextView, Refused> {
        if let Some(address) = self.place.compiled(&self.name) {
            let record = admin.compiled_version(address, self.version).await?;
            return Ok(ScriptTextView { name: self.name, version: record.version, text: record.text });
        }
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        let found = admin.store().script(owner, &self.name, self.version).await?;
        match (found, self.version) {
            (Some(script), _) => Ok(ScriptTextView { name: script.name, version: script.version, text: script.text }),
            (None, Some(version)) if admin.store().script(owner, &self.name, None).await?.is_some() => {
                Err(ScriptCause::NoVersion { place: self.place.to_string(), name: self.name, version }.into())
            }
            (None, _) => Err(self.place.missing(&self.name)),
        }
    }
}

impl Act for ScriptList {
    const NAME: &'static str = "script list";
    type Answer = Vec<ScriptView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<ScriptView>, Refused> {
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        let view = |record: ScriptRecord| ScriptView {
            name: record.name,
            position: record.position,
            version: record.version,
            octets: record.octets,
            changed: record.changed.rfc3339(),
        };
        Ok(admin.store().scripts(owner).await?.into_iter().map(view).collect())
    }
}

impl Act for ScriptActivate {
    const NAME: &'static str = "script activate";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        let known = admin.store().script_names(vec![owner]).await?;
        let unknown = self.names.iter().filter(|name| !known.iter().any(|script| script.name == **name));
        let causes: Vec<Cause> = unknown.flat_map(|name| self.place.missing(name).0).collect();
        if !causes.is_empty() {
            return Err(Refused(causes));
        }
        let mut names = Vec::with_capacity(self.names.len());
        for name in self.names {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        admin.set_active(caller, Self::NAME, &self.place, owner, names).await
    }
}

impl Act for ScriptDeactivate {
    const NAME: &'static str = "script deactivate";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        if admin.store().script(owner, &self.name, None).await?.is_none() {
            return Err(self.place.missing(&self.name));
        }
        let mut names = active_names(admin, owner).await?;
        let before = names.len();
        names.retain(|name| *name != self.name);
        if names.len() == before {
            return Ok(Done::default().note(format!("the script {} was inactive already", self.name)));
        }
        admin.set_active(caller, Self::NAME, &self.place, owner, names).await
    }
}

impl Act for ScriptRemove {
    const NAME: &'static str = "script remove";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        match admin.store().remove_script(owner, &self.name).await {
            Ok(()) => {
                tracing::info!(author = caller.author, place = %self.place, name = self.name, "script removed");
                Ok(Done { changed: true, ..Done::default() })
            }
            Err(StoreError::Missing(Thing::Script)) => Err(self.place.missing(&self.name)),
            Err(StoreError::InUse(Thing::Script)) => {
                Err(ScriptCause::Active { place: self.place.to_string(), name: self.name }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Act for ScriptRename {
    const NAME: &'static str = "script rename";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let place = ScriptWhere::Address(self.address.clone());
        place.check_name(&self.to)?;
        let owner = place.owner(&*admin.directory().snapshot().await?)?;
        if admin.store().script(owner, &self.from, None).await?.is_none() {
            return Err(place.missing(&self.from));
        }
        if admin.store().script(owner, &self.to, None).await?.is_some() {
            return Err(ScriptCause::Exists { place: place.to_string(), name: self.to }.into());
        }
        let active = active_names(admin, owner).await?;
        let renamed = |name: String| if name == self.from { self.to.clone() } else { name };
        let names: Vec<String> = active.into_iter().map(renamed).collect();
        let (_, done) = admin
            .change(caller, Self::NAME, |draft| {
                let switches = draft.switches(&self.address).cloned();
                let switches = switches.ok_or_else(|| meant::no_account(draft.snapshot, &self.address))?;
                draft.rename_script(owner, &self.from, &self.to, names.clone());
                draft.put(&self.address, switches);
                Ok(Decided::about(&self.address))
            })
            .await?;
        Ok(done)
    }
}

impl Act for ScriptHistory {
    const NAME: &'static str = "script history";
    type Answer = Vec<VersionView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<VersionView>, Refused> {
        let versions: Vec<VersionView> = if let Some(address) = self.place.compiled(&self.name) {
            let view = |record: CompiledRecord| VersionView {
                version: record.version,
                author: record.author,
                cause: record.cause,
                origin: "local".to_owned(),
                octets: record.text.len() as u64,
                created: record.created.rfc3339(),
            };
            admin.compiled_versions(address).await?.into_iter().map(view).collect()
        } else {
            let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
            let view = |record: crate::store::VersionRecord| VersionView {
                version: record.version,
                author: record.source.author,
                cause: record.source.cause,
                origin: record.source.origin,
                octets: record.octets,
                created: record.created.rfc3339(),
            };
            admin.store().script_history(owner, &self.name).await?.into_iter().map(view).collect()
        };
        if versions.is_empty() { Err(self.place.missing(&self.name)) } else { Ok(versions) }
    }
}

impl Act for ScriptDifference {
    const NAME: &'static str = "script difference";
    type Answer = DifferenceView;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<DifferenceView, Refused> {
        let get = |version| ScriptGet { place: self.place.clone(), name: self.name.clone(), version };
        let old = get(Some(self.from)).run(admin, caller).await?;
        let new = get(self.to).run(admin, caller).await?;
        let heading = |script: &ScriptTextView| format!("{} version {}", script.name, script.version);
        let (from, to) = (old.version, new.version);
        let comparing =
            tokio::task::spawn_blocking(move || unified(&heading(&old), &old.text, &heading(&new), &new.text));
        let text = comparing.await.map_err(|_| Cause::TaskDied)?;
        Ok(DifferenceView { from, to, text })
    }
}

impl Act for ScriptRollback {
    const NAME: &'static str = "script rollback";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let cause = format!("{} to version {}", Self::NAME, self.version);
        if let Some(address) = self.place.compiled(&self.name) {
            let record = admin.compiled_version(address, Some(self.version)).await?;
            let (_, done) = admin
                .change(caller, &cause, |draft| {
                    let now = draft.switches(address).cloned();
                    let now = now.ok_or_else(|| AddressCause::NoAddress(address.clone()))?;
                    if now.mailbox != record.switches.mailbox {
                        let (address, version) = (address.clone(), self.version);
                        return Err(ScriptCause::OtherMailbox { address, version }.into());
                    }
                    if now != record.switches {
                        draft.put(address, record.switches.clone());
                    }
                    Ok(Decided::about(address))
                })
                .await?;
            return Ok(done);
        }
        let get = ScriptGet { place: self.place.clone(), name: self.name.clone(), version: Some(self.version) };
        let old = get.run(admin, caller).await?;
        let owner = self.place.owner(&*admin.directory().snapshot().await?)?;
        // It compiled when it was put; whether it still does is asked again, since the rules may have changed since.
        admin.check_text(&self.place, &self.name, &old.text).await?;
        let source = VersionSource { author: caller.author.clone(), cause, origin: caller.origin.clone() };
        let version = admin.store().put_script(owner, &self.name, old.text, source).await?;
        Ok(Done { changed: true, ..Done::default() }.note(format!("it is version {version} now")))
    }
}

impl Act for CompiledShow {
    const NAME: &'static str = "script compiled";
    type Answer = CompiledView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<CompiledView, Refused> {
        let record = admin.compiled_version(&self.address, None).await?;
        Ok(CompiledView {
            address: self.address.canonical(),
            version: record.version,
            author: record.author,
            cause: record.cause,
            created: record.created.rfc3339(),
            does: describe(&record.switches),
            text: record.text,
        })
    }
}

impl Admin {
    /// The newest first.
    async fn compiled_versions(&self, address: &Address) -> Result<Vec<CompiledRecord>, Refused> {
        if self.directory().snapshot().await?.address(address).is_none() {
            return Err(AddressCause::NoAddress(address.clone()).into());
        }
        Ok(self.store().compiled_history(address, SCRIPT_VERSIONS_MAX as u32).await?)
    }

    async fn compiled_version(&self, address: &Address, version: Option<u32>) -> Result<CompiledRecord, Refused> {
        let versions = self.compiled_versions(address).await?;
        let wanted = |record: &CompiledRecord| version.is_none_or(|version| record.version == version);
        let place = ScriptWhere::Address(address.clone());
        versions.into_iter().find(wanted).ok_or_else(|| match version {
            Some(version) => {
                ScriptCause::NoVersion { place: place.to_string(), name: COMPILED.to_owned(), version }.into()
            }
            None => place.missing(COMPILED),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(text.parse::<ScriptWhere>().ok().map(|place| place.to_string()).as_deref(), expected, "{text}");
        };
        check("@", Some("@"));
        check("@Example.org", Some("@example.org"));
        check("jane@example.org", Some("jane@example.org"));
        check("jane", None);
        check("@@", None);
    }
}
