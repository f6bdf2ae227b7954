//! Domains, accounts and addresses as they stand: one record at a time, or the whole directory as one snapshot.

use super::tx::{Row, Tx};
use super::{ParkReason, Store, StoreError};
use crate::types::{
    AccountId, Address, AddressId, AliasSwitch, Domain, DomainId, RedirectionSwitch, Switches, Target, Timestamp,
};
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DomainKind {
    /// Every address of it lives here.
    Authoritative,
    /// An address unknown here is handed to this server.
    Split { host: String, port: u16 },
    /// Every address of it is the same address of another domain.
    AliasOf(Domain),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRecord {
    pub id: DomainId,
    pub name: Domain,
    pub kind: DomainKind,
    pub catch_all: Option<Address>,
    pub created: Timestamp,
}

/// What a person is called.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Names {
    pub display: String,
    pub first: String,
    pub last: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountState {
    Active,
    /// Can't log in; mail is deferred until it is resumed.
    Suspended,
    /// Its mail is kept, untouched and out of reach, until the given time.
    Parked {
        since: Timestamp,
        until: Timestamp,
        why: ParkReason,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    pub id: AccountId,
    /// Of a parked account: what it was.
    pub address: Address,
    pub names: Names,
    pub administrator: bool,
    pub quota_octets: Option<u64>,
    pub state: AccountState,
    pub used_octets: u64,
    pub messages: u64,
    pub credential_generation: u64,
    /// Whether a password was ever set.
    pub has_password: bool,
    /// What the address did when the account was parked.
    pub parked_switches: Option<Switches>,
    pub created: Timestamp,
}

/// How a redirection's target has been answering.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TargetState {
    pub refusals: u32,
    pub last_reply: Option<String>,
    /// How many messages were not passed on to it because they would not arrive there, and why the last one was not.
    pub stayed: u32,
    pub stayed_why: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    pub id: AddressId,
    pub address: Address,
    pub switches: Switches,
    /// Of the redirection's targets, in their order.
    pub target_states: Vec<TargetState>,
    /// postmaster and abuse: may do anything but go away.
    pub reserved: bool,
    pub account: Option<AccountId>,
    /// 0 before anything was compiled.
    pub compiled_version: u32,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// The whole directory at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Counts changes; a change that was decided on an older one is refused.
    pub generation: u64,
    pub domains: Vec<DomainRecord>,
    pub accounts: Vec<AccountRecord>,
    pub addresses: Vec<AddressRecord>,
}

impl Store {
    /// One snapshot of all of it, for proofs and lists.
    pub async fn directory(&self) -> Result<Directory, StoreError> {
        self.read(whole_directory).await
    }

    pub async fn domain(&self, name: &Domain) -> Result<Option<DomainRecord>, StoreError> {
        let name = name.clone();
        self.read(move |tx| domain_by_name(tx, &name)).await
    }

    /// The address as it was written down, in canonical form: no detail, no domain alias, no catch-all is tried.
    pub async fn address(&self, address: &Address) -> Result<Option<AddressRecord>, StoreError> {
        let address = address.canonical();
        self.read(move |tx| address_record(tx, &address)).await
    }

    /// The account in use at an address; parked ones are not found.
    pub async fn account(&self, address: &Address) -> Result<Option<AccountRecord>, StoreError> {
        let address = address.canonical();
        self.read(move |tx| live_account(tx, &address)).await
    }

    pub async fn account_by_id(&self, account: AccountId) -> Result<Option<AccountRecord>, StoreError> {
        self.read(move |tx| {
            tx.row(
                "SELECT a.account_id, a.address, a.display_name, a.first_name, a.last_name, a.administrator,
                        a.quota_octets, a.state, a.parked_since, a.parked_until, a.parked_why, a.parked_switches,
                        u.octets, u.messages, a.credential_generation, a.argon2 IS NOT NULL, a.created
                 FROM account a JOIN usage u ON u.account_id = a.account_id WHERE a.account_id = ?1",
                &[account.into()],
                account_of,
            )
        })
        .await
    }

    /// Parked accounts that once were this address, the latest first.
    pub async fn parked_accounts(&self, address: &Address) -> Result<Vec<AccountRecord>, StoreError> {
        let address = address.canonical().to_string();
        self.read(move |tx| {
            tx.rows(
                "SELECT a.account_id, a.address, a.display_name, a.first_name, a.last_name, a.administrator,
                        a.quota_octets, a.state, a.parked_since, a.parked_until, a.parked_why, a.parked_switches,
                        u.octets, u.messages, a.credential_generation, a.argon2 IS NOT NULL, a.created
                 FROM account a JOIN usage u ON u.account_id = a.account_id
                 WHERE a.address = ?1 AND a.state = 'parked' ORDER BY a.parked_since DESC, a.account_id DESC",
                &[(&address).into()],
                account_of,
            )
        })
        .await
    }
}

pub(super) fn generation(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let value = tx.row("SELECT value FROM setting WHERE name = 'directory-generation'", &[], |row| row.parsed(0))?;
    Ok(value.unwrap_or(0))
}

fn whole_directory(tx: &mut Tx<'_>) -> Result<Directory, StoreError> {
    let domains = all_domains(tx)?;
    let names: HashMap<i64, Domain> = domains.iter().map(|domain| (domain.id.0, domain.name.clone())).collect();
    let accounts = tx.rows(
        "SELECT a.account_id, a.address, a.display_name, a.first_name, a.last_name, a.administrator,
                a.quota_octets, a.state, a.parked_since, a.parked_until, a.parked_why, a.parked_switches,
                u.octets, u.messages, a.credential_generation, a.argon2 IS NOT NULL, a.created
         FROM account a JOIN usage u ON u.account_id = a.account_id ORDER BY a.address, a.account_id",
        &[],
        account_of,
    )?;
    let mut targets: HashMap<i64, Vec<(Target, TargetState)>> = HashMap::new();
    tx.each(
        "SELECT address_id, target, paused, refusals, last_reply, stayed, stayed_why FROM target
         ORDER BY address_id, position",
        &[],
        |row| {
            targets.entry(row.int(0)?).or_default().push(target_of(row)?);
            Ok(std::ops::ControlFlow::Continue(()))
        },
    )?;
    let addresses = tx.rows(
        "SELECT address_id, local_part, domain_id, reserved, account_id, alias_owner, alias_paused, redirection,
                redirection_keep, redirection_paused, responder, compiled_version, created, changed
         FROM address ORDER BY domain_id, local_part",
        &[],
        |row| {
            let name =
                names.get(&row.int(2)?).ok_or_else(|| StoreError::Damaged("address without domain".to_owned()))?;
            address_of(row, name, targets.remove(&row.int(0)?).unwrap_or_default())
        },
    )?;
    Ok(Directory { generation: generation(tx)?, domains, accounts, addresses })
}

fn all_domains(tx: &mut Tx<'_>) -> Result<Vec<DomainRecord>, StoreError> {
    tx.rows(
        "SELECT d.domain_id, d.name, d.split_host, d.split_port, o.name, d.catch_all, d.created
         FROM domain d LEFT JOIN domain o ON o.domain_id = d.alias_of ORDER BY d.name",
        &[],
        domain_of,
    )
}

pub(super) fn domain_by_name(tx: &mut Tx<'_>, name: &Domain) -> Result<Option<DomainRecord>, StoreError> {
    tx.row(
        "SELECT d.domain_id, d.name, d.split_host, d.split_port, o.name, d.catch_all, d.created
         FROM domain d LEFT JOIN domain o ON o.domain_id = d.alias_of WHERE d.name = ?1",
        &[name.as_str().into()],
        domain_of,
    )
}

pub(super) fn address_record(tx: &mut Tx<'_>, address: &Address) -> Result<Option<AddressRecord>, StoreError> {
    let targets = tx.rows(
        "SELECT t.address_id, t.target, t.paused, t.refusals, t.last_reply, t.stayed, t.stayed_why
         FROM target t JOIN address a ON a.address_id = t.address_id JOIN domain d ON d.domain_id = a.domain_id
         WHERE d.name = ?1 AND a.local_part = ?2 ORDER BY t.position",
        &[address.domain().as_str().into(), address.local().into()],
        target_of,
    )?;
    tx.row(
        "SELECT a.address_id, a.local_part, a.domain_id, a.reserved, a.account_id, a.alias_owner, a.alias_paused,
                a.redirection, a.redirection_keep, a.redirection_paused, a.responder, a.compiled_version, a.created,
                a.changed
         FROM address a JOIN domain d ON d.domain_id = a.domain_id WHERE d.name = ?1 AND a.local_part = ?2",
        &[address.domain().as_str().into(), address.local().into()],
        |row| address_of(row, address.domain(), targets),
    )
}

pub(super) fn live_account(tx: &mut Tx<'_>, address: &Address) -> Result<Option<AccountRecord>, StoreError> {
    let address = address.to_string();
    tx.row(
        "SELECT a.account_id, a.address, a.display_name, a.first_name, a.last_name, a.administrator,
                a.quota_octets, a.state, a.parked_since, a.parked_until, a.parked_why, a.parked_switches,
                u.octets, u.messages, a.credential_generation, a.argon2 IS NOT NULL, a.created
         FROM account a JOIN usage u ON u.account_id = a.account_id
         WHERE a.address = ?1 AND a.state <> 'parked'",
        &[(&address).into()],
        account_of,
    )
}

fn domain_of(row: &dyn Row) -> Result<DomainRecord, StoreError> {
    let kind = if let Some(host) = row.opt_text(2)? {
        let port = u16::try_from(row.int(3)?).map_err(|_| StoreError::Damaged("a port out of range".to_owned()))?;
        DomainKind::Split { host: host.to_owned(), port }
    } else if row.is_null(4)? {
        DomainKind::Authoritative
    } else {
        DomainKind::AliasOf(row.parsed(4)?)
    };
    let catch_all = if row.is_null(5)? { None } else { Some(row.parsed(5)?) };
    Ok(DomainRecord { id: DomainId(row.int(0)?), name: row.parsed(1)?, kind, catch_all, created: row.time(6)? })
}

fn account_of(row: &dyn Row) -> Result<AccountRecord, StoreError> {
    let state = match row.text(7)? {
        "active" => AccountState::Active,
        "suspended" => AccountState::Suspended,
        _ => AccountState::Parked { since: row.time(8)?, until: row.time(9)?, why: ParkReason::parse(row.text(10)?)? },
    };
    Ok(AccountRecord {
        id: AccountId(row.int(0)?),
        address: row.parsed(1)?,
        names: Names {
            display: row.text(2)?.to_owned(),
            first: row.text(3)?.to_owned(),
            last: row.text(4)?.to_owned(),
        },
        administrator: row.flag(5)?,
        quota_octets: if row.is_null(6)? { None } else { Some(row.size(6)?) },
        state,
        parked_switches: row.opt_text(11)?.map(json).transpose()?,
        used_octets: row.size(12)?,
        messages: row.size(13)?,
        credential_generation: row.size(14)?,
        has_password: row.flag(15)?,
        created: row.time(16)?,
    })
}

pub(super) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("stored JSON: {error}")))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Io(format!("JSON: {error}")))
}

pub(super) fn target_of(row: &dyn Row) -> Result<(Target, TargetState), StoreError> {
    Ok((
        Target { address: row.parsed(1)?, paused: row.flag(2)? },
        TargetState {
            refusals: row.small(3)?,
            last_reply: row.opt_text(4)?.map(str::to_owned),
            stayed: row.small(5)?,
            stayed_why: row.opt_text(6)?.map(str::to_owned),
        },
    ))
}

fn address_of(
    row: &dyn Row,
    domain: &Domain,
    targets: Vec<(Target, TargetState)>,
) -> Result<AddressRecord, StoreError> {
    let address = Address::from_parts(row.text(1)?, domain.clone())
        .map_err(|error| StoreError::Damaged(format!("address {}: {error}", row.int(0).unwrap_or(0))))?;
    let account = row.opt_int(4)?.map(AccountId);
    let (targets, target_states) = targets.into_iter().unzip();
    let alias = if row.is_null(5)? { None } else { Some(AliasSwitch { owner: row.parsed(5)?, paused: row.flag(6)? }) };
    let redirection = row.flag(7)?.then_some(RedirectionSwitch { targets, keep: row.flag(8)?, paused: row.flag(9)? });
    let responder = row.opt_text(10)?.map(json).transpose()?;
    Ok(AddressRecord {
        id: AddressId(row.int(0)?),
        address,
        switches: Switches { mailbox: account.is_some(), alias, redirection, responder },
        target_states,
        reserved: row.flag(3)?,
        account,
        compiled_version: row.small(11)?,
        created: row.time(12)?,
        changed: row.time(13)?,
    })
}
