//! Aliases: masks that are not mailboxes, whose mail is their owner's.

use super::causes::AddressCause;
use super::change::{Decided, Done};
use super::draft::Draft;
use super::error::Refused;
use super::views::{self, AliasView};
use super::{Act, Admin, Caller, reserved};
use crate::rules::Route;
use crate::types::{Address, AliasSwitch, Domain, Switches};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AliasAdd {
    pub alias: Address,
    pub owner: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AliasList {
    pub domain: Option<Domain>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AliasPause {
    pub alias: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AliasResume {
    pub alias: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AliasRemove {
    pub alias: Address,
}

impl Act for AliasAdd {
    const NAME: &'static str = "alias add";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let settings = admin.settings();
        let (_, done) = admin
            .change(caller, Self::NAME, |draft| {
                let mut causes = Vec::new();
                let switches = match draft.switches(&self.alias) {
                    Some(switches) if reserved::is_untouched(draft, &self.alias) => Ok(switches.clone()),
                    _ => draft.vacant(&self.alias, &settings.address).map(|()| Switches::default()),
                };
                let mut switches = switches.unwrap_or_else(|refused| {
                    causes.extend(refused.0);
                    Switches::default()
                });
                if let Err(refused) = owner_is_ours(draft, &self.alias, &self.owner) {
                    causes.extend(refused.0);
                }
                if !causes.is_empty() {
                    return Err(Refused(causes));
                }
                switches.alias = Some(AliasSwitch { owner: self.owner.canonical(), paused: false });
                draft.put(&self.alias, switches);
                Ok(Decided::about(&self.alias))
            })
            .await?;
        Ok(done)
    }
}

/// An alias promises that nobody learns its owner's address. Outside, we could promise nothing.
pub(super) fn owner_is_ours(draft: &Draft<'_>, alias: &Address, owner: &Address) -> Result<(), Refused> {
    let outside = || AddressCause::AliasOwnerOutside { alias: alias.clone(), owner: owner.clone() };
    if !draft.snapshot.is_hosted(owner.domain()) {
        return Err(outside().into());
    }
    match draft.snapshot.graph().resolve(owner) {
        Route::Outside(_) | Route::Handover { .. } => Err(outside().into()),
        // One that is not there is for the proof to name.
        Route::Local(_) | Route::Refused { .. } => Ok(()),
    }
}

impl Act for AliasList {
    const NAME: &'static str = "alias list";
    type Answer = Vec<AliasView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<AliasView>, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let records = super::in_domain(&snapshot, self.domain.as_ref())?;
        Ok(records.filter_map(views::alias).collect())
    }
}

impl Act for AliasPause {
    const NAME: &'static str = "alias pause";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        set_paused(admin, caller, Self::NAME, &self.alias, Paused::Yes).await
    }
}

impl Act for AliasResume {
    const NAME: &'static str = "alias resume";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        set_paused(admin, caller, Self::NAME, &self.alias, Paused::No).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paused {
    Yes,
    No,
}

async fn set_paused(
    admin: &Admin,
    caller: &Caller,
    name: &str,
    address: &Address,
    paused: Paused,
) -> Result<Done, Refused> {
    let (_, done) = admin
        .change(caller, name, |draft| {
            let mut switches = draft.switches(address).cloned().unwrap_or_default();
            let alias = switches.alias.as_mut().ok_or_else(|| AddressCause::NoAlias(address.clone()))?;
            let paused = paused == Paused::Yes;
            if alias.paused == paused {
                let word = if paused { "paused" } else { "active" };
                return Ok(Decided::about(address).note(format!("{address} was {word} already")));
            }
            alias.paused = paused;
            draft.put(address, switches);
            Ok(Decided::about(address))
        })
        .await?;
    Ok(done)
}

impl Act for AliasRemove {
    const NAME: &'static str = "alias remove";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let (_, done) = admin
            .change(caller, Self::NAME, |draft| {
                let address = &self.alias;
                let mut switches = draft.switches(address).cloned().unwrap_or_default();
                if switches.alias.take().is_none() {
                    return Err(AddressCause::NoAlias(address.clone()).into());
                }
                if reserved::is_untouched(draft, address) {
                    return Err(AddressCause::ReservedStays(address.clone()).into());
                }
                if switches.responder.is_some() {
                    return Err(AddressCause::ResponderLeft(address.clone()).into());
                }
                draft.put_or_remove(address, switches);
                Ok(Decided::about(address))
            })
            .await?;
        Ok(done)
    }
}
