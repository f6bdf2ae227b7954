//! Redirections: to one or more targets, local or outside, with or without a local copy.

use super::causes::AddressCause;
use super::change::{Decided, Done};
use super::draft::Draft;
use super::error::Refused;
use super::views::{self, RedirectionView};
use super::{Act, Admin, Caller, reserved};
use crate::rules::AddressRules;
use crate::types::{Address, Domain, RedirectionSwitch, Switches, Target};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectAdd {
    pub address: Address,
    pub targets: Vec<Address>,
    /// None: as it was, and yes for a new redirection, since that loses nothing.
    pub keep: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectList {
    pub domain: Option<Domain>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectShow {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectPause {
    pub address: Address,
    /// Empty: all of it.
    #[serde(default)]
    pub targets: Vec<Address>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectResume {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RedirectRemove {
    pub address: Address,
    /// Empty: all of them.
    pub targets: Vec<Address>,
}

impl Act for RedirectAdd {
    const NAME: &'static str = "redirect add";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let settings = admin.settings();
        let (_, done) = admin.change(caller, Self::NAME, |draft| self.decide(draft, &settings.address)).await?;
        Ok(done)
    }
}

impl RedirectAdd {
    fn decide(&self, draft: &mut Draft<'_>, rules: &AddressRules) -> Result<Decided<()>, Refused> {
        let address = &self.address;
        let untouched = reserved::is_untouched(draft, address);
        let before = draft.switches(address).cloned();
        let mut switches = match &before {
            // What postmaster does by itself gives way to what it is told to do.
            Some(switches) if untouched => Switches { alias: None, ..switches.clone() },
            Some(switches) => switches.clone(),
            None => {
                draft.vacant(address, rules)?;
                Switches::default()
            }
        };
        let redirection = switches.redirection.get_or_insert_with(|| RedirectionSwitch {
            targets: Vec::new(),
            keep: switches.mailbox,
            paused: false,
        });
        for target in &self.targets {
            let known = redirection.targets.iter_mut().find(|known| known.address.canonical() == target.canonical());
            match known {
                Some(known) => known.paused = false,
                None => redirection.targets.push(Target { address: target.clone(), paused: false }),
            }
        }
        redirection.keep = self.keep.unwrap_or(redirection.keep);
        let mut decided = Decided::about(address);
        if !switches.mailbox && self.keep == Some(true) {
            redirection.keep = false;
            decided = decided.note(format!("{address} has no mailbox, so there is nothing to keep a copy in"));
        }
        if redirection.paused {
            decided = decided.note(format!("the redirection is paused: posthouse redirect resume {address}"));
        }
        if before.as_ref() != Some(&switches) {
            draft.put(address, switches);
        }
        Ok(decided)
    }
}

impl Act for RedirectList {
    const NAME: &'static str = "redirect list";
    type Answer = Vec<RedirectionView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<RedirectionView>, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        // What targets answer changes without the directory changing.
        let states = admin.store().target_states().await?;
        let records = super::in_domain(&snapshot, self.domain.as_ref())?;
        Ok(records.filter_map(|record| views::redirection(record, states.get(&record.id))).collect())
    }
}

impl Act for RedirectShow {
    const NAME: &'static str = "redirect show";
    type Answer = RedirectionView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<RedirectionView, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let states = admin.store().target_states().await?;
        let record = snapshot.address(&self.address);
        let view = record.and_then(|record| views::redirection(record, states.get(&record.id)));
        view.ok_or_else(|| AddressCause::NoRedirection(self.address).into())
    }
}

impl Act for RedirectPause {
    const NAME: &'static str = "redirect pause";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        edit(admin, caller, Self::NAME, &self.address, |redirection| {
            if self.targets.is_empty() {
                redirection.paused = true;
                return Ok(());
            }
            for target in &self.targets {
                target_of(redirection, &self.address, target)?.paused = true;
            }
            Ok(())
        })
        .await
    }
}

impl Act for RedirectResume {
    const NAME: &'static str = "redirect resume";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        edit(admin, caller, Self::NAME, &self.address, |redirection| {
            redirection.paused = false;
            redirection.targets.iter_mut().for_each(|target| target.paused = false);
            Ok(())
        })
        .await
    }
}

async fn edit(
    admin: &Admin,
    caller: &Caller,
    name: &str,
    address: &Address,
    edit: impl Fn(&mut RedirectionSwitch) -> Result<(), Refused>,
) -> Result<Done, Refused> {
    let (_, done) = admin
        .change(caller, name, |draft| {
            let before = draft.switches(address).cloned().unwrap_or_default();
            let mut switches = before.clone();
            edit(switches.redirection.as_mut().ok_or_else(|| AddressCause::NoRedirection(address.clone()))?)?;
            if switches == before {
                return Ok(Decided::about(address).note(format!("the redirection of {address} was so already")));
            }
            draft.put(address, switches);
            Ok(Decided::about(address))
        })
        .await?;
    Ok(done)
}

fn target_of<'r>(
    redirection: &'r mut RedirectionSwitch,
    address: &Address,
    target: &Address,
) -> Result<&'r mut Target, Refused> {
    let known = redirection.targets.iter_mut().find(|known| known.address.canonical() == target.canonical());
    known.ok_or_else(|| AddressCause::NoSuchTarget { address: address.clone(), target: target.clone() }.into())
}

impl Act for RedirectRemove {
    const NAME: &'static str = "redirect remove";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let (_, done) = admin.change(caller, Self::NAME, |draft| self.decide(draft)).await?;
        Ok(done)
    }
}

impl RedirectRemove {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Decided<()>, Refused> {
        let address = &self.address;
        let mut switches = draft.switches(address).cloned().unwrap_or_default();
        let mut redirection =
            switches.redirection.take().ok_or_else(|| AddressCause::NoRedirection(address.clone()))?;
        let mut causes = Vec::new();
        for target in &self.targets {
            let place = redirection.targets.iter().position(|known| known.address.canonical() == target.canonical());
            match place {
                Some(place) => {
                    redirection.targets.remove(place);
                }
                None => {
                    let (address, target) = (address.clone(), target.clone());
                    causes.push(AddressCause::NoSuchTarget { address, target }.into());
                }
            }
        }
        if !causes.is_empty() {
            return Err(Refused(causes));
        }
        if self.targets.is_empty() {
            redirection.targets.clear();
        }
        if !redirection.targets.is_empty() {
            switches.redirection = Some(redirection);
        } else if !switches.mailbox && switches.responder.is_some() {
            return Err(AddressCause::ResponderLeft(address.clone()).into());
        }
        draft.put_or_remove(address, switches);
        Ok(Decided::about(address))
    }
}
