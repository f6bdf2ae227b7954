//! What a person sees of all scripts that treat his mail: his own, and beside them those that others made, which he can
//! read and nothing else. No act, since it changes nothing and only its owner asks.
//!
//! | name | what it is |
//! |---|---|
//! | `posthouse:active` | his own active scripts in their order, when there are several |
//! | `posthouse:compiled jane@example.org` | the script of one of his addresses |
//! | `posthouse:before`, `posthouse:before-example.org` | what administrators want done first, as it is called in that script |
//! | `posthouse:after-example.org`, `posthouse:after` | the same of what they want done last |

use super::causes::ScriptCause;
use super::error::Refused;
use super::scripts::ScriptWhere;
use super::{Admin, meant};
use crate::directory::Snapshot;
use crate::rules::{after_script_name, before_script_name};
use crate::store::{AccountRecord, ScriptNamed, ScriptOwner};
use crate::types::limits::{SCRIPTS_PER_OWNER_MAX, SHOWN_ADDRESSES_MAX};
use crate::types::{Address, Domain};
use std::fmt::Write as _;

/// What the names of scripts begin with that nobody can write to.
pub const SHOWN_PREFIX: &str = "posthouse:";
const ACTIVE: &str = "active";
const COMPILED: &str = "compiled ";

pub(super) fn is_shown(name: &str) -> bool {
    name.starts_with(SHOWN_PREFIX)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownScript {
    pub name: String,
    /// At most one is: his own if it is the only one that runs, or the list of those that run.
    pub is_active: bool,
}

/// Everything that treats the mail of one person.
struct Scripts {
    own: Vec<ScriptNamed>,
    addresses: Vec<Address>,
    /// The name it is shown by, whose it is, and what it is called there.
    of_administrators: Vec<(String, ScriptOwner, &'static str)>,
}

impl Scripts {
    fn active(&self) -> Vec<&str> {
        self.own.iter().filter(|script| script.position.is_some()).map(|script| script.name.as_str()).collect()
    }
}

impl Admin {
    /// The person's own scripts, then the others.
    pub async fn shown_scripts(&self, address: &Address) -> Result<Vec<ShownScript>, Refused> {
        let scripts = self.scripts_of(address).await?;
        let active = scripts.active();
        let of_several = active.len() > 1;
        let own = scripts.own.iter().map(|script| ShownScript {
            name: script.name.clone(),
            is_active: script.position.is_some() && !of_several,
        });
        let shown = |name: String| ShownScript { name: format!("{SHOWN_PREFIX}{name}"), is_active: false };
        let mut all: Vec<ShownScript> = own.collect();
        if of_several {
            all.push(ShownScript { is_active: true, ..shown(ACTIVE.to_owned()) });
        }
        all.extend(scripts.addresses.iter().map(|address| shown(format!("{COMPILED}{address}"))));
        all.extend(scripts.of_administrators.into_iter().map(|(name, ..)| shown(name)));
        Ok(all)
    }

    /// The text of one of them.
    pub async fn shown_script(&self, address: &Address, name: &str) -> Result<String, Refused> {
        let missing =
            || -> Refused { ScriptCause::Missing { place: address.to_string(), name: name.to_owned() }.into() };
        let Some(shown) = name.strip_prefix(SHOWN_PREFIX) else {
            let owner = ScriptWhere::Address(address.clone()).owner(&*self.directory().snapshot().await?)?;
            return Ok(self.store().script(owner, name, None).await?.ok_or_else(missing)?.text);
        };
        let scripts = self.scripts_of(address).await?;
        let active = scripts.active();
        if shown == ACTIVE && active.len() > 1 {
            return Ok(list_of_active(address, &active));
        }
        if let Some(wanted) = shown.strip_prefix(COMPILED) {
            let known = scripts.addresses.iter().find(|known| known.to_string() == wanted);
            let versions = self.store().compiled_history(known.ok_or_else(missing)?, 1).await?;
            return Ok(versions.into_iter().next().ok_or_else(missing)?.text);
        }
        let found = scripts.of_administrators.into_iter().find(|(name, ..)| name == shown);
        let (_, owner, name) = found.ok_or_else(missing)?;
        Ok(self.store().script(owner, name, None).await?.ok_or_else(missing)?.text)
    }

    /// Whether a script of this name and size would be taken, as far as that can be said before it is seen.
    pub async fn script_room(&self, address: &Address, name: &str, octets: u64) -> Result<(), Refused> {
        let place = ScriptWhere::Address(address.clone());
        place.check_name(name)?;
        let max = self.settings().script_octets_max;
        let octets = usize::try_from(octets).unwrap_or(usize::MAX);
        if octets > max {
            return Err(ScriptCause::TooLong { octets, max }.into());
        }
        let owner = place.owner(&*self.directory().snapshot().await?)?;
        let known = self.store().script_names(vec![owner]).await?;
        if known.len() >= SCRIPTS_PER_OWNER_MAX && !known.iter().any(|script| script.name == name) {
            return Err(ScriptCause::TooMany { max: SCRIPTS_PER_OWNER_MAX }.into());
        }
        Ok(())
    }

    async fn scripts_of(&self, address: &Address) -> Result<Scripts, Refused> {
        let snapshot = self.directory().snapshot().await?;
        let account = meant::account(&snapshot, address)?;
        let addresses = addresses_of(&snapshot, account);
        let mut domains: Vec<(&Domain, ScriptOwner)> = Vec::new();
        for address in &addresses {
            if let Some(record) = snapshot.domain(address.domain())
                && !domains.iter().any(|(known, _)| **known == record.name)
            {
                domains.push((&record.name, ScriptOwner::Domain(record.id)));
            }
        }
        let owner = ScriptOwner::Account(account.id);
        let owners = [owner, ScriptOwner::Server].into_iter().chain(domains.iter().map(|(_, owner)| *owner));
        let named = self.store().script_names(owners.collect()).await?;
        let (own, others): (Vec<_>, Vec<_>) = named.into_iter().partition(|script| script.owner == owner);
        let is_active = |of: ScriptOwner, name: &str| {
            others.iter().any(|script| script.owner == of && script.position.is_some() && script.name == name)
        };
        // In the order in which they run: the server's is the outer one.
        let mut of_administrators = Vec::new();
        let places: [(Option<&Domain>, ScriptOwner); 1] = [(None, ScriptOwner::Server)];
        let inner = || domains.iter().map(|(domain, owner)| (Some(*domain), *owner));
        for (domain, owner) in places.into_iter().chain(inner()) {
            if is_active(owner, "before") {
                of_administrators.push((before_script_name(domain), owner, "before"));
            }
        }
        for (domain, owner) in inner().chain(places) {
            if is_active(owner, "after") {
                of_administrators.push((after_script_name(domain), owner, "after"));
            }
        }
        Ok(Scripts { own, addresses, of_administrators })
    }
}

/// The address of the account, then its aliases.
fn addresses_of(snapshot: &Snapshot, account: &AccountRecord) -> Vec<Address> {
    let mut addresses = vec![account.address.clone()];
    let aliases = snapshot.also_known_as(&account.address).into_iter();
    // In a domain that is an alias as a whole there is nothing that could have a script.
    addresses.extend(aliases.filter(|alias| snapshot.address(alias).is_some()).take(SHOWN_ADDRESSES_MAX - 1));
    addresses
}

/// The same as the personal section of the address's script.
fn list_of_active(address: &Address, names: &[&str]) -> String {
    let mut text = format!(
        "# The scripts of {address} that run, in this order, each where the one before has not said stop. The server made\n\
         # this list, and it can't be edited: make another script active to have that one alone.\n\
         require [\"include\"];\n"
    );
    for name in names {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "include :personal :optional \"{quoted}\";");
    }
    text
}
