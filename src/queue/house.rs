//! The house behind the queue: what is for addresses here comes back in, and redirections have owners.

use super::transport::Pending;
use crate::store::Refusing;
use crate::types::{Address, Domain, DsnReturn, Recipient};
use std::net::IpAddr;

pub trait House: Send + Sync {
    /// Whether mail for the domain is delivered here. The error is for the log, and means: ask later.
    fn hosts<'a>(&'a self, domain: &'a Domain) -> Pending<'a, Result<bool, String>>;

    /// Whether mail sent to this address of some machine comes back in here.
    fn answers_at(&self, address: IpAddr) -> bool;

    /// Delivers a message of the queue's, such as a report, to an address here.
    fn deliver(&self, mail: HouseMail) -> Pending<'_, HouseFate>;

    /// A redirection's target has refused so often in a row that it should be paused, and its owner told.
    fn target_refuses<'a>(&'a self, refusing: &'a Refusing) -> Pending<'a, ()>;
}

pub struct HouseMail {
    /// `None`: the null reverse-path.
    pub sender: Option<Address>,
    /// With what its sender wants to hear of him; that it could not be delivered, he hears from the queue.
    pub recipient: Recipient,
    pub envelope_id: Option<String>,
    pub dsn_return: Option<DsnReturn>,
    pub message: Vec<u8>,
    /// Of the session that accepted what it is about.
    pub session: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HouseFate {
    Taken,
    /// For good, and why.
    Refused(String),
    /// For now, and why.
    Deferred(String),
}
