//! Domains and accounts that somebody names; and what he probably meant if there is none of that name: said with the
//! refusal, never done unasked.

use super::Admin;
use super::causes::{AddressCause, DomainCause};
use super::draft::in_use_as;
use super::error::Refused;
use crate::directory::Snapshot;
use crate::store::{AccountRecord, DomainRecord};
use crate::types::{Address, Domain, edits};

/// Two slips of the finger, such as two letters in each other's place.
const EDITS_MAX: usize = 2;

pub(super) fn account<'s>(snapshot: &'s Snapshot, address: &Address) -> Result<&'s AccountRecord, AddressCause> {
    snapshot.account(address).ok_or_else(|| no_account(snapshot, address))
}

pub(super) fn domain<'s>(snapshot: &'s Snapshot, domain: &Domain) -> Result<&'s DomainRecord, DomainCause> {
    snapshot.domain(domain).ok_or_else(|| not_hosted(snapshot, domain))
}

impl Admin {
    /// The account as the store has it now.
    pub(super) async fn account(&self, address: &Address) -> Result<AccountRecord, Refused> {
        match self.store().account(address).await? {
            Some(account) => Ok(account),
            None => Err(no_account(&*self.directory().snapshot().await?, address).into()),
        }
    }
}

/// There is no account of this address.
pub(super) fn no_account(snapshot: &Snapshot, address: &Address) -> AddressCause {
    if let Some(record) = snapshot.address(address)
        && record.account.is_none()
    {
        return AddressCause::OtherThanAccount { address: address.canonical(), how: in_use_as(&record.switches) };
    }
    let accounts = snapshot.addresses().iter().filter(|record| record.account.is_some());
    let known = accounts.map(|record| (record.address.to_string(), &record.address));
    let near = nearest(&address.canonical().to_string(), known).cloned();
    AddressCause::NoAccount { address: address.clone(), near }
}

/// The domain is not hosted.
pub(super) fn not_hosted(snapshot: &Snapshot, domain: &Domain) -> DomainCause {
    let known = snapshot.domains().iter().map(|record| (record.name.as_str().to_owned(), &record.name));
    DomainCause::NotHosted { domain: domain.clone(), near: nearest(domain.as_str(), known).cloned() }
}

fn nearest<T>(wrong: &str, known: impl Iterator<Item = (String, T)>) -> Option<T> {
    // Of short names everything is near to everything.
    let bound = EDITS_MAX.min(wrong.chars().count() / 4);
    let near = known.map(|(name, what)| (edits(wrong, &name), what)).filter(|(distance, _)| *distance <= bound);
    near.min_by_key(|(distance, _)| *distance).map(|(_, what)| what)
}
