//! The proof that somebody logged in. Only this module's parent can make one, and what needs a login asks for it.

use super::sasl::Mechanism;
use crate::types::{AccountId, Address};

/// Who is at the other end, for whose mail, and how that was established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    account: AccountId,
    address: Address,
    logged_in: Login,
}

/// The login itself, which may be an administrator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) account: AccountId,
    pub(super) address: Address,
    pub(super) generation: u64,
    pub(super) administrator: bool,
    pub(super) mechanism: Mechanism,
    pub(super) app_password: Option<String>,
}

impl Login {
    /// With his own password: an app password is for one program's mail, not for the server.
    fn is_administrator(&self) -> bool {
        self.administrator && self.app_password.is_none()
    }
}

impl Authenticated {
    /// For one's own mail.
    pub(super) fn owner(login: Login) -> Self {
        Self { account: login.account, address: login.address.clone(), logged_in: login }
    }

    /// For somebody else's, which only an administrator may.
    pub(super) fn acting_for(login: Login, account: AccountId, address: Address) -> Option<Self> {
        login.is_administrator().then_some(Self { account, address, logged_in: login })
    }

    /// The account whose mail this session is about.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// That account's address, canonical.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Set while an administrator acts for somebody else: his own address.
    pub fn acting_administrator(&self) -> Option<&Address> {
        (self.logged_in.account != self.account).then_some(&self.logged_in.address)
    }

    /// Whether whoever logged in is an administrator.
    pub fn is_administrator(&self) -> bool {
        self.logged_in.is_administrator()
    }

    pub fn mechanism(&self) -> Mechanism {
        self.logged_in.mechanism
    }

    /// The label, when an app password was used.
    pub fn app_password(&self) -> Option<&str> {
        self.logged_in.app_password.as_deref()
    }

    /// How changes made in this session are signed: `jane@example.org`, or `boss@example.org for jane@example.org`.
    pub fn author(&self) -> String {
        match self.acting_administrator() {
            None => self.address.to_string(),
            Some(administrator) => format!("{administrator} for {}", self.address),
        }
    }

    pub(super) fn login(&self) -> &Login {
        &self.logged_in
    }
}
