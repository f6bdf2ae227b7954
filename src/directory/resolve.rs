//! From an address somebody wrote to the address of ours that takes its mail.

use super::Snapshot;
use crate::rules::{NotTaken, Route};
use crate::store::{AccountState, AddressRecord, DomainKind};
use crate::types::{AccountId, Address};
use std::sync::Arc;

/// Where mail to an address goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// An address of ours that takes mail.
    Local(Local),
    /// Its domain is not hosted here.
    Outside,
    /// Nobody here has it, and its domain's catch-all lies outside.
    SentTo(Address),
    /// Nobody here has it, and its domain's other server may: there, to this address.
    Handover { address: Address, host: String, port: u16 },
    /// The address that is not here, or takes no mail at present.
    Refused { address: Address, why: NotTaken },
}

/// The address that takes the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    pub record: Arc<AddressRecord>,
    /// What stood behind the `+`, as it was written (RFC 5233 section 4).
    pub detail: Option<String>,
    pub matched: Matched,
    /// Its account may not log in at present. Mail is kept for it all the same.
    pub suspended: bool,
}

/// By what the address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// Itself, perhaps in a domain that is an alias, perhaps less its detail.
    Name,
    CatchAll,
}

impl Local {
    pub fn address(&self) -> &Address {
        &self.record.address
    }

    /// The account whose mailbox it has.
    pub fn account(&self) -> Option<AccountId> {
        self.record.account
    }
}

impl Snapshot {
    /// Where mail to an address goes first.
    pub fn resolve(&self, address: &Address) -> Resolution {
        match self.graph().resolve(address) {
            Route::Local(name) => match self.address(&name) {
                Some(record) => Resolution::Local(self.local(address, record)),
                // The graph was built from these very records.
                None => Resolution::Refused { address: name, why: NotTaken::Unknown },
            },
            Route::Outside(_) if !self.is_hosted(address.domain()) => Resolution::Outside,
            Route::Outside(catch_all) => Resolution::SentTo(catch_all),
            Route::Handover { address, .. } => match self.domain(address.domain()).map(|domain| &domain.kind) {
                Some(DomainKind::Split { host, port }) => {
                    Resolution::Handover { host: host.clone(), port: *port, address }
                }
                _ => Resolution::Refused { address, why: NotTaken::Unknown },
            },
            Route::Refused { address, why } => Resolution::Refused { address, why },
        }
    }

    fn local(&self, written: &Address, record: &Arc<AddressRecord>) -> Local {
        let canonical = written.canonical();
        let name = record.address.local();
        let (detail, matched) = match canonical.without_detail() {
            _ if canonical.local() == name => (None, Matched::Name),
            Some((base, _)) if base.local() == name => {
                (written.without_detail().map(|(_, detail)| detail.to_owned()), Matched::Name)
            }
            _ => (None, Matched::CatchAll),
        };
        let account = record.account.and_then(|id| self.account_by_id(id));
        let suspended = account.is_some_and(|account| account.state == AccountState::Suspended);
        Local { record: Arc::clone(record), detail, matched, suspended }
    }
}
