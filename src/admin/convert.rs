//! A mailbox becomes a redirection or an alias, and back. Nothing is lost on the way: the account is parked with all its
//! mail, and comes back with the same UIDs, flags, dates and octets.

use super::accounts::newest_parked;
use super::aliases::owner_is_ours;
use super::causes::{AddressCause, DomainCause};
use super::change::{Decided, Done};
use super::draft::Draft;
use super::error::{Cause, Consequence, Refused};
use super::{Act, Admin, Caller, words};
use crate::store::{DomainKind, Names, NewAccount, ParkReason};
use crate::types::{AccountId, Address, AliasSwitch, RedirectionSwitch, Switches, Target, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Convert {
    pub address: Address,
    pub to: ConvertTo,
    /// Goes on although mail will be parked.
    pub yes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvertTo {
    Redirect(Vec<Address>),
    Alias(Address),
    Mailbox,
}

/// What is in the mailbox now: counters change without the directory changing.
struct Used {
    messages: u64,
    octets: u64,
}

impl Act for Convert {
    const NAME: &'static str = "convert";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let until = admin.parked_until();
        let account = admin.store().account(&self.address).await?;
        let used = account
            .as_ref()
            .map_or(Used { messages: 0, octets: 0 }, |one| Used { messages: one.messages, octets: one.used_octets });
        let (touched, done) = admin
            .change(caller, Self::NAME, |draft| match &self.to {
                ConvertTo::Mailbox => self.to_mailbox(draft),
                ConvertTo::Redirect(targets) => {
                    let targets = targets.iter().cloned().map(|address| Target { address, paused: false }).collect();
                    let redirection = RedirectionSwitch { targets, keep: false, paused: false };
                    self.away(draft, None, Some(redirection), &used, until)
                }
                ConvertTo::Alias(owner) => {
                    owner_is_ours(draft, &self.address, owner)?;
                    let alias = AliasSwitch { owner: owner.canonical(), paused: false };
                    self.away(draft, Some(alias), None, &used, until)
                }
            })
            .await?;
        if let Some(account) = touched {
            admin.auth().credentials_changed(account);
        }
        Ok(done)
    }
}

impl Convert {
    /// To a redirection or an alias. The responder stays: it answers for the address, whatever that is.
    fn away(
        &self,
        draft: &mut Draft<'_>,
        alias: Option<AliasSwitch>,
        redirection: Option<RedirectionSwitch>,
        used: &Used,
        until: Timestamp,
    ) -> Result<Decided<Option<AccountId>>, Refused> {
        let address = self.address.canonical();
        let before = draft.switches(&address).cloned();
        let before = before.ok_or_else(|| not_there(draft, &address))?;
        let after = Switches { mailbox: false, alias, redirection, responder: before.responder.clone() };
        if after == before {
            return Err(AddressCause::ConvertsToItself(address).into());
        }
        let mut decided = Decided::about(&address).with(None);
        if let Some(account) = draft.snapshot.account(&address) {
            let back = format!("posthouse convert {address} --to-mailbox");
            if !self.yes {
                let (messages, octets) = (used.messages, used.octets);
                // Whatever else is wrong is told first: --yes would not help then.
                let mut tried = Draft::new(draft.snapshot);
                tried.park(&address, ParkReason::Converted, until);
                tried.put(&address, after);
                super::change::prove(&tried)?;
                let parks = Consequence::Parks { address, messages, octets, until, back };
                return Err(Cause::NeedsYes(parks).into());
            }
            draft.park(&address, ParkReason::Converted, until);
            let mail = words::mail(used.messages, used.octets);
            decided = decided.note(format!("{mail} parked until {}: {back}", words::day(until)));
            decided.value = Some(account.id);
        }
        draft.put(&address, after);
        Ok(decided)
    }

    fn to_mailbox(&self, draft: &mut Draft<'_>) -> Result<Decided<Option<AccountId>>, Refused> {
        let address = self.address.canonical();
        let before = draft.switches(&address).cloned().ok_or_else(|| not_there(draft, &address))?;
        if before.mailbox {
            return Err(AddressCause::ConvertsToItself(address).into());
        }
        if let Some(DomainKind::AliasOf(target)) = draft.domain_kind(address.domain()) {
            let target = target.clone();
            return Err(DomainCause::AccountInAlias { address, target }.into());
        }
        let decided = Decided::about(&address);
        let Some(parked) = newest_parked(draft, &address) else {
            let administrator = draft.administrator().is_none();
            let names = Names::default();
            let account = address.clone();
            draft.add_account(NewAccount {
                address: account,
                names,
                administrator,
                quota_octets: None,
                credentials: None,
            });
            draft.put(&address, Switches { mailbox: true, responder: before.responder, ..Switches::default() });
            let hint = format!("it has no password yet: posthouse account password {address} --password-stdin");
            return Ok(decided.note(hint).with(None));
        };
        let mut after = parked.parked_switches.clone().unwrap_or_default();
        after.mailbox = true;
        // A responder set meanwhile is newer than the one that was parked.
        after.responder = before.responder.or(after.responder);
        draft.unpark(parked);
        draft.put(&address, after);
        let back = format!("{} are back", words::mail(parked.messages, parked.used_octets));
        Ok(decided.note(back).with(Some(parked.id)))
    }
}

fn not_there(draft: &Draft<'_>, address: &Address) -> Refused {
    match newest_parked(draft, address) {
        Some(_) => AddressCause::Parked(address.clone()).into(),
        None => AddressCause::NoAddress(address.clone()).into(),
    }
}
