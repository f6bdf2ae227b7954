//! What somebody who named what is not there probably meant: said with the refusal, never done unasked.

use super::causes::{AddressCause, DomainCause};
use super::draft::in_use_as;
use crate::directory::Snapshot;
use crate::types::{Address, Domain, edits};

/// Two slips of the finger, such as two letters in each other's place.
const EDITS_MAX: usize = 2;

/// There is no account of this address.
pub(super) fn no_account(snapshot: &Snapshot, address: &Address) -> AddressCause {
    if let Some(record) = snapshot.address(address)
        && record.account.is_none()
    {
        return AddressCause::OtherThanAccount { address: address.canonical(), how: in_use_as(&record.switches) };
    }
    let accounts = snapshot.addresses().iter().filter(|record| record.account.is_some());
    match nearest(&address.canonical().to_string(), accounts.map(|record| (record.address.to_string(), record))) {
        Some(record) => AddressCause::NoAccountButNear(address.clone(), record.address.clone()),
        None => AddressCause::NoAccount(address.clone()),
    }
}

/// The domain is not hosted.
pub(super) fn not_hosted<'d>(domains: impl Iterator<Item = &'d Domain>, domain: &Domain) -> DomainCause {
    match nearest(domain.as_str(), domains.map(|known| (known.as_str().to_owned(), known))) {
        Some(near) => DomainCause::NotHostedButNear(domain.clone(), near.clone()),
        None => DomainCause::NotHosted(domain.clone()),
    }
}

fn nearest<T>(wrong: &str, known: impl Iterator<Item = (String, T)>) -> Option<T> {
    // Of short names everything is near to everything.
    let bound = EDITS_MAX.min(wrong.chars().count() / 4);
    let near = known.map(|(name, what)| (edits(wrong, &name), what)).filter(|(distance, _)| *distance <= bound);
    near.min_by_key(|(distance, _)| *distance).map(|(_, what)| what)
}
