//! `postmaster@` and `abuse@`: every domain has them (RFC 5321 section 4.5.1, RFC 2142 section 5), somebody reads them,
//! and they can point anywhere but away.
//!
//! Made with their domain as aliases of the administrator; while there is no administrator they take no mail yet. They are
//! ordinary addresses otherwise: an account, a redirection or another alias may take their place, and when that goes they
//! fall back to the administrator. A domain that is an alias of another has the other's.

use super::draft::Draft;
use crate::store::DomainKind;
use crate::types::{Address, AliasSwitch, Domain, Switches};

pub(super) const LOCAL_PARTS: [&str; 2] = ["postmaster", "abuse"];

/// Brings them in line with whatever else the draft does.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let administrator = draft.administrator();
    for address in draft.reserved() {
        let switches = draft.switches(&address).cloned().unwrap_or_default();
        let waits = switches == Switches::default();
        let gone = |owner: &Address| draft.switches(owner).is_none_or(|switches| *switches == Switches::default());
        let administered = |owner: &Address| draft.snapshot.account(owner).is_some_and(|account| account.administrator);
        let resigned = |owner: &Address| administered(owner) && !draft.is_administrator(owner);
        let orphaned = owner_alone(&switches).is_some_and(|owner| gone(owner) || resigned(owner));
        if waits || orphaned {
            let fallen_back = fallback(&address, administrator.as_ref());
            if fallen_back != switches {
                draft.put_reserved(&address, fallen_back);
            }
        }
    }
}

/// Makes them for a domain that has none yet.
pub(super) fn make(draft: &mut Draft<'_>, domain: &Domain) {
    if matches!(draft.domain_kind(domain), None | Some(DomainKind::AliasOf(_))) {
        return;
    }
    for local in LOCAL_PARTS {
        let Ok(address) = Address::from_parts(local, domain.clone()) else { continue };
        if !draft.is_reserved(&address) {
            let switches = draft.switches(&address).cloned().unwrap_or_default();
            draft.put_reserved(&address, switches);
        }
    }
}

/// Whether a reserved address does only what it does by itself, so that something else may take its place unasked.
pub(super) fn is_untouched(draft: &Draft<'_>, address: &Address) -> bool {
    let Some(switches) = draft.switches(address).filter(|_| draft.is_reserved(address)) else { return false };
    *switches == Switches::default() || *switches == fallback(address, draft.administrator().as_ref())
}

/// What a reserved address does when nobody has decided otherwise.
fn fallback(address: &Address, administrator: Option<&Address>) -> Switches {
    let alias = administrator
        .filter(|administrator| *administrator != address)
        .map(|administrator| AliasSwitch { owner: administrator.clone(), paused: false });
    Switches { alias, ..Switches::default() }
}

/// The owner, when being his alias is all the address does.
fn owner_alone(switches: &Switches) -> Option<&Address> {
    let Switches { mailbox: false, alias: Some(alias), redirection: None, responder: None } = switches else {
        return None;
    };
    Some(&alias.owner)
}
