//! Changes of the directory: any number of them in one transaction, decided on one generation of it.

use super::directory_reads::{DomainKind, Names, domain_by_name, generation, live_account, to_json};
use super::tx::Tx;
use super::{ScriptOwner, Store, StoreError, Thing, mailboxes};
use crate::types::{AccountId, Address, AddressId, Domain, DomainId, Switches, Timestamp};

#[derive(Clone, Debug)]
pub struct NewDomain {
    pub name: Domain,
    pub kind: DomainKind,
    pub catch_all: Option<Address>,
}

/// What is stored of a password: never the password. Its `Debug` shows nothing of it, see `credentials`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// PHC string.
    pub argon2: String,
    pub scram_salt: Vec<u8>,
    pub scram_iterations: u32,
    pub scram_stored_key: Vec<u8>,
    pub scram_server_key: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct NewAccount {
    pub address: Address,
    pub names: Names,
    pub administrator: bool,
    pub quota_octets: Option<u64>,
    pub credentials: Option<Credentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkReason {
    Removed,
    Converted,
}

impl ParkReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Converted => "converted",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "removed" => Ok(Self::Removed),
            "converted" => Ok(Self::Converted),
            other => Err(StoreError::Damaged(format!("parked why: {other}"))),
        }
    }
}

/// One step. Steps of a change are applied in order; the first that fails undoes all.
#[derive(Clone, Debug)]
pub enum DirectoryChange {
    AddDomain(NewDomain),
    SetDomain {
        name: Domain,
        kind: DomainKind,
        catch_all: Option<Address>,
    },
    /// Fails while an account in use, or an address that is not reserved, is left in it.
    RemoveDomain(Domain),
    /// Makes the account with its mailboxes; the address itself comes with `PutAddress`.
    AddAccount(NewAccount),
    SetAccount {
        address: Address,
        names: Names,
        administrator: bool,
        quota_octets: Option<u64>,
    },
    SuspendAccount(Address),
    ResumeAccount(Address),
    SetCredentials {
        address: Address,
        credentials: Credentials,
    },
    ParkAccount {
        address: Address,
        why: ParkReason,
        until: Timestamp,
    },
    UnparkAccount(AccountId),
    /// Makes or changes an address, with what its switches were compiled to. `switches.mailbox` ties it to the account
    /// in use under the same name.
    PutAddress {
        address: Address,
        switches: Switches,
        reserved: bool,
        script: String,
        author: String,
        cause: String,
    },
    RemoveAddress(Address),
    /// Makes exactly these scripts of the owner active, in this order. A step like the others, because compiled scripts
    /// name the active ones.
    ActivateScripts {
        owner: ScriptOwner,
        names: Vec<String>,
    },
    /// As `ActivateScripts`: an active script's name stands in compiled ones.
    RenameScript {
        owner: ScriptOwner,
        from: String,
        to: String,
    },
}

impl Store {
    /// Applies all steps or none. `decided_on` is the generation the change was proved against; if the directory has
    /// moved on, the answer is `Changed` and the caller decides anew. Returns the new generation.
    pub async fn change_directory(&self, decided_on: u64, changes: Vec<DirectoryChange>) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        let octets = 4096 * changes.len();
        let work = move |tx: &mut Tx<'_>| {
            if generation(tx)? != decided_on {
                return Err(StoreError::Changed);
            }
            for change in &changes {
                apply(tx, change, now)?;
            }
            bump_generation(tx, decided_on)
        };
        self.write(octets, work).await
    }
}

pub(super) fn bump_generation(tx: &mut Tx<'_>, from: u64) -> Result<u64, StoreError> {
    let next = from + 1;
    tx.stale.directory = Some(next);
    tx.execute(
        "INSERT INTO setting (name, value) VALUES ('directory-generation', ?1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[(&next.to_string()).into()],
    )?;
    Ok(next)
}

fn apply(tx: &mut Tx<'_>, change: &DirectoryChange, now: Timestamp) -> Result<(), StoreError> {
    match change {
        DirectoryChange::AddDomain(domain) => add_domain(tx, domain, now),
        DirectoryChange::SetDomain { name, kind, catch_all } => set_domain(tx, name, kind, catch_all.as_ref()),
        DirectoryChange::RemoveDomain(name) => remove_domain(tx, name),
        DirectoryChange::AddAccount(account) => add_account(tx, account, now),
        DirectoryChange::SetAccount { address, names, administrator, quota_octets } => {
            set_account(tx, address, names, *administrator, *quota_octets)
        }
        DirectoryChange::SuspendAccount(address) => set_state(tx, address, "suspended"),
        DirectoryChange::ResumeAccount(address) => set_state(tx, address, "active"),
        DirectoryChange::SetCredentials { address, credentials } => set_credentials(tx, address, credentials),
        DirectoryChange::ParkAccount { address, why, until } => park(tx, address, *why, now, *until),
        DirectoryChange::UnparkAccount(account) => unpark(tx, *account),
        DirectoryChange::PutAddress { address, switches, reserved, script, author, cause } => {
            let id = put_address(tx, &address.canonical(), switches, *reserved, now)?;
            super::scripts::add_compiled(tx, id, switches, script, author, cause, now)
        }
        DirectoryChange::RemoveAddress(address) => remove_address(tx, &address.canonical()),
        DirectoryChange::ActivateScripts { owner, names } => super::scripts::activate(tx, *owner, names),
        DirectoryChange::RenameScript { owner, from, to } => super::scripts::rename(tx, *owner, from, to),
    }
}

fn domain_id(tx: &mut Tx<'_>, name: &Domain) -> Result<DomainId, StoreError> {
    domain_by_name(tx, name)?.map(|domain| domain.id).ok_or(StoreError::Missing(Thing::Domain))
}

/// The columns a kind is kept in: split host, split port, alias target.
type KindColumns = (Option<String>, Option<i64>, Option<i64>);

fn kind_columns(tx: &mut Tx<'_>, kind: &DomainKind) -> Result<KindColumns, StoreError> {
    Ok(match kind {
        DomainKind::Authoritative => (None, None, None),
        DomainKind::Split { host, port } => (Some(host.clone()), Some(i64::from(*port)), None),
        DomainKind::AliasOf(other) => (None, None, Some(domain_id(tx, other)?.0)),
    })
}

fn add_domain(tx: &mut Tx<'_>, domain: &NewDomain, now: Timestamp) -> Result<(), StoreError> {
    if domain_by_name(tx, &domain.name)?.is_some() {
        return Err(StoreError::Exists(Thing::Domain));
    }
    let (host, port, alias_of) = kind_columns(tx, &domain.kind)?;
    let catch_all = domain.catch_all.as_ref().map(|address| address.canonical().to_string());
    tx.execute(
        "INSERT INTO domain (name, split_host, split_port, alias_of, catch_all, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[
            domain.name.as_str().into(),
            host.as_ref().into(),
            port.into(),
            alias_of.into(),
            catch_all.as_ref().into(),
            now.into(),
        ],
    )?;
    Ok(())
}

fn set_domain(
    tx: &mut Tx<'_>,
    name: &Domain,
    kind: &DomainKind,
    catch_all: Option<&Address>,
) -> Result<(), StoreError> {
    let (host, port, alias_of) = kind_columns(tx, kind)?;
    let catch_all = catch_all.map(|address| address.canonical().to_string());
    let changed = tx.execute(
        "UPDATE domain SET split_host = ?2, split_port = ?3, alias_of = ?4, catch_all = ?5 WHERE name = ?1",
        &[name.as_str().into(), host.as_ref().into(), port.into(), alias_of.into(), catch_all.as_ref().into()],
    )?;
    if changed == 0 { Err(StoreError::Missing(Thing::Domain)) } else { Ok(()) }
}

fn remove_domain(tx: &mut Tx<'_>, name: &Domain) -> Result<(), StoreError> {
    let id = domain_id(tx, name)?;
    let left = tx.int("SELECT count(*) FROM address WHERE domain_id = ?1 AND reserved = 0", &[id.into()])?;
    let aliases = tx.int("SELECT count(*) FROM domain WHERE alias_of = ?1", &[id.into()])?;
    if left != Some(0) {
        return Err(StoreError::InUse(Thing::Address));
    }
    if aliases != Some(0) {
        return Err(StoreError::InUse(Thing::Domain));
    }
    tx.execute("DELETE FROM address WHERE domain_id = ?1", &[id.into()])?;
    let owner = format!("domain:{id}");
    tx.stale.scripts = true;
    tx.execute("DELETE FROM script WHERE owner = ?1", &[(&owner).into()])?;
    tx.execute("DELETE FROM domain WHERE domain_id = ?1", &[id.into()])?;
    Ok(())
}

fn add_account(tx: &mut Tx<'_>, account: &NewAccount, now: Timestamp) -> Result<(), StoreError> {
    let address = account.address.canonical();
    if live_account(tx, &address)?.is_some() {
        return Err(StoreError::Exists(Thing::Account));
    }
    // UIDVALIDITY grows with time, so that a mailbox made again under an old name never repeats an old value
    // (RFC 9051 section 2.3.1.1). The account counts on from here.
    let uidvalidity = now.seconds().clamp(1, i64::from(u32::MAX) - 1_000_000);
    let id = tx
        .row(
            "INSERT INTO account (address, display_name, first_name, last_name, administrator, quota_octets, state,
                                  uidvalidity_last, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'active', ?7, ?8) RETURNING account_id",
            &[
                (&address.to_string()).into(),
                (&account.names.display).into(),
                (&account.names.first).into(),
                (&account.names.last).into(),
                account.administrator.into(),
                account.quota_octets.into(),
                uidvalidity.into(),
                now.into(),
            ],
            |row| Ok(AccountId(row.int(0)?)),
        )?
        .ok_or(StoreError::Missing(Thing::Account))?;
    tx.execute("INSERT INTO usage (account_id, octets, messages, modseq) VALUES (?1, 0, 0, 1)", &[id.into()])?;
    if let Some(credentials) = &account.credentials {
        set_credentials(tx, &address, credentials)?;
    }
    mailboxes::make_first_mailboxes(tx, id, now)
}

fn live_id(tx: &mut Tx<'_>, address: &Address) -> Result<AccountId, StoreError> {
    live_account(tx, &address.canonical())?.map(|account| account.id).ok_or(StoreError::Missing(Thing::Account))
}

fn set_account(
    tx: &mut Tx<'_>,
    address: &Address,
    names: &Names,
    administrator: bool,
    quota_octets: Option<u64>,
) -> Result<(), StoreError> {
    let id = live_id(tx, address)?;
    // Who was an administrator when he logged in is one until the generation moves.
    tx.execute(
        "UPDATE account SET display_name = ?2, first_name = ?3, last_name = ?4, administrator = ?5, quota_octets = ?6,
                credential_generation = credential_generation + CASE WHEN administrator = ?5 THEN 0 ELSE 1 END
         WHERE account_id = ?1",
        &[
            id.into(),
            (&names.display).into(),
            (&names.first).into(),
            (&names.last).into(),
            administrator.into(),
            quota_octets.into(),
        ],
    )?;
    Ok(())
}

/// A change of state is a change of what a password is worth: the generation moves, and verified logins are forgotten.
fn set_state(tx: &mut Tx<'_>, address: &Address, state: &'static str) -> Result<(), StoreError> {
    let id = live_id(tx, address)?;
    tx.execute(
        "UPDATE account SET state = ?2, credential_generation = credential_generation + 1 WHERE account_id = ?1",
        &[id.into(), state.into()],
    )?;
    Ok(())
}

fn set_credentials(tx: &mut Tx<'_>, address: &Address, credentials: &Credentials) -> Result<(), StoreError> {
    let id = live_id(tx, address)?;
    tx.execute(
        "UPDATE account SET argon2 = ?2, scram_salt = ?3, scram_iterations = ?4, scram_stored_key = ?5,
                scram_server_key = ?6, credential_generation = credential_generation + 1 WHERE account_id = ?1",
        &[
            id.into(),
            (&credentials.argon2).into(),
            (&credentials.scram_salt).into(),
            credentials.scram_iterations.into(),
            (&credentials.scram_stored_key).into(),
            (&credentials.scram_server_key).into(),
        ],
    )?;
    Ok(())
}

fn park(
    tx: &mut Tx<'_>,
    address: &Address,
    why: ParkReason,
    now: Timestamp,
    until: Timestamp,
) -> Result<(), StoreError> {
    let address = address.canonical();
    let id = live_id(tx, &address)?;
    let switches = super::directory_reads::address_record(tx, &address)?.map(|record| record.switches);
    let switches = switches.as_ref().map(to_json).transpose()?;
    tx.execute("UPDATE address SET account_id = NULL WHERE account_id = ?1", &[id.into()])?;
    tx.execute(
        "UPDATE account SET state = 'parked', parked_since = ?2, parked_until = ?3, parked_why = ?4,
                parked_switches = ?5, credential_generation = credential_generation + 1 WHERE account_id = ?1",
        &[id.into(), now.into(), until.into(), why.as_str().into(), switches.as_ref().into()],
    )?;
    Ok(())
}

fn unpark(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    let address: Option<Address> =
        tx.row("SELECT address FROM account WHERE account_id = ?1 AND state = 'parked'", &[account.into()], |row| {
            row.parsed(0)
        })?;
    let address = address.ok_or(StoreError::Missing(Thing::Account))?;
    if live_account(tx, &address)?.is_some() {
        return Err(StoreError::Exists(Thing::Account));
    }
    tx.execute(
        "UPDATE account SET state = 'active', parked_since = NULL, parked_until = NULL, parked_why = NULL,
                parked_switches = NULL WHERE account_id = ?1",
        &[account.into()],
    )?;
    Ok(())
}

fn put_address(
    tx: &mut Tx<'_>,
    address: &Address,
    switches: &Switches,
    reserved: bool,
    now: Timestamp,
) -> Result<AddressId, StoreError> {
    let domain = domain_id(tx, address.domain())?;
    let account = if switches.mailbox { Some(live_id(tx, address)?) } else { None };
    let owner = switches.alias.as_ref().map(|alias| alias.owner.canonical().to_string());
    let redirection = switches.redirection.as_ref();
    let responder = switches.responder.as_ref().map(to_json).transpose()?;
    let id = tx
        .row(
            "INSERT INTO address (domain_id, local_part, reserved, account_id, alias_owner, alias_paused, redirection,
                                  redirection_keep, redirection_paused, responder, created, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
             ON CONFLICT (domain_id, local_part) DO UPDATE SET
               reserved = excluded.reserved, account_id = excluded.account_id, alias_owner = excluded.alias_owner,
               alias_paused = excluded.alias_paused, redirection = excluded.redirection,
               redirection_keep = excluded.redirection_keep, redirection_paused = excluded.redirection_paused,
               responder = excluded.responder, changed = excluded.changed
             RETURNING address_id",
            &[
                domain.into(),
                address.local().into(),
                reserved.into(),
                account.into(),
                owner.as_ref().into(),
                switches.alias.as_ref().is_some_and(|alias| alias.paused).into(),
                redirection.is_some().into(),
                redirection.is_some_and(|redirection| redirection.keep).into(),
                redirection.is_some_and(|redirection| redirection.paused).into(),
                responder.as_ref().into(),
                now.into(),
            ],
            |row| Ok(AddressId(row.int(0)?)),
        )?
        .ok_or(StoreError::Missing(Thing::Address))?;
    put_targets(tx, id, switches)?;
    Ok(id)
}

/// Targets that stay keep what is known of them: how often their server refused, and its last words.
fn put_targets(tx: &mut Tx<'_>, id: AddressId, switches: &Switches) -> Result<(), StoreError> {
    let known = tx.rows(
        "SELECT address_id, target, paused, refusals, last_reply, stayed, stayed_why FROM target WHERE address_id = ?1",
        &[id.into()],
        super::directory_reads::target_of,
    )?;
    tx.execute("DELETE FROM target WHERE address_id = ?1", &[id.into()])?;
    let targets = switches.redirection.iter().flat_map(|redirection| &redirection.targets);
    for (position, target) in (0_i64..).zip(targets) {
        let address = target.address.to_string();
        let before = known.iter().find(|(known, _)| known.address == target.address);
        // Resuming a target gives it a fresh start.
        let is_resumed = before.is_some_and(|(known, _)| known.paused && !target.paused);
        let state = before.map(|(_, state)| state.clone()).unwrap_or_default();
        tx.execute(
            "INSERT INTO target (address_id, position, target, paused, refusals, last_reply, stayed, stayed_why)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                id.into(),
                position.into(),
                (&address).into(),
                target.paused.into(),
                (if is_resumed { 0 } else { state.refusals }).into(),
                state.last_reply.as_ref().into(),
                state.stayed.into(),
                state.stayed_why.as_ref().into(),
            ],
        )?;
    }
    Ok(())
}

fn remove_address(tx: &mut Tx<'_>, address: &Address) -> Result<(), StoreError> {
    let record = super::directory_reads::address_record(tx, address)?.ok_or(StoreError::Missing(Thing::Address))?;
    if record.reserved || record.account.is_some() {
        return Err(StoreError::InUse(Thing::Address));
    }
    tx.execute("DELETE FROM address WHERE address_id = ?1", &[record.id.into()])?;
    Ok(())
}
