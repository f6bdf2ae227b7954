//! Who takes mail, as far as it can be said at RCPT. The same questions are asked again at the end of the message, by
//! `delivery`, which also knows what scripts want; asked here they spare the sender the message.

use super::POSTMASTER;
use crate::auth::Authenticated;
use crate::directory::{Local, Resolution, Snapshot};
use crate::smtp::server::Cause;
use crate::types::limits::ADDRESS_HOPS_MAX;
use crate::types::{AccountId, Address, Domain};

/// RFC 5321 section 4.5.1: `<postmaster>`, with or without the host's own name, is always somebody. Where that name is
/// not hosted, it is the postmaster of the domain that it lies in, or else of the first one there is.
pub(super) fn addressee(snapshot: &Snapshot, written: &Address, hostname: &Domain) -> Address {
    let is_ours = written.domain() == hostname && written.local().eq_ignore_ascii_case(POSTMASTER);
    if !is_ours || snapshot.is_hosted(hostname) {
        return written.clone();
    }
    let domains = snapshot.domains();
    let above = domains.iter().filter(|domain| lies_in(hostname, &domain.name));
    let nearest = above.max_by_key(|domain| domain.name.as_str().len());
    match nearest.or_else(|| domains.iter().min_by_key(|domain| domain.id)) {
        Some(domain) => written.with_domain(domain.name.clone()),
        None => written.clone(),
    }
}

fn lies_in(host: &Domain, domain: &Domain) -> bool {
    host.as_str().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether mail to the address may come. `Some`: if this account, whose mailbox keeps it, has room.
pub(super) fn judge(
    snapshot: &Snapshot,
    address: &Address,
    submitter: Option<&Authenticated>,
) -> Result<Option<AccountId>, Cause> {
    let mut at = address.clone();
    for hop in 0..=ADDRESS_HOPS_MAX {
        let local = match snapshot.resolve(&at) {
            Resolution::Local(local) => local,
            Resolution::Outside if submitter.is_some() || hop > 0 => return Ok(None),
            Resolution::Outside => return Err(Cause::RelayDenied),
            // The domain is ours; who takes its mail elsewhere was an administrator's decision.
            Resolution::SentTo(_) => return Ok(None),
            Resolution::Handover { address, .. } if is_route(&address) => return Err(Cause::RecipientRefused),
            Resolution::Handover { .. } => return Ok(None),
            Resolution::Refused { why, .. } => return Err(why.into()),
        };
        if local.suspended {
            return Err(Cause::AddressPaused);
        }
        // A mask: its owner's mailbox is what counts. Where redirections lead is found out when the message is here.
        match &local.record.switches.alias {
            Some(alias) => at = alias.owner.clone(),
            None => return Ok(local.account().filter(|_| keeps(&local))),
        }
    }
    Err(Cause::TooManyTargets)
}

/// Whether the server that takes a split domain's mail from us, and may trust us, could read a way to somewhere else, to a
/// file or to a program in the local part. All it has of ours is that we handed it on.
fn is_route(address: &Address) -> bool {
    address.local().contains(['%', '!', '@', '/', '|', ':'])
}

/// Whether the switches leave the message in the mailbox: a full one is no obstacle to mail that only passes.
fn keeps(local: &Local) -> bool {
    let passes = |redirection: &crate::types::RedirectionSwitch| !redirection.paused && !redirection.keep;
    !local.record.switches.redirection.as_ref().is_some_and(passes)
}
