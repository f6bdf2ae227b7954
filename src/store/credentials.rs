//! What a login is checked against: one account's hash, keys and app passwords, read together.

use super::directory_reads::domain_by_name;
use super::tx::Tx;
use super::{Credentials, DomainKind, Store, StoreError, Thing};
use crate::types::{AccountId, Address, Timestamp};
use std::fmt;

/// An account as logging in sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRecord {
    pub account: AccountId,
    /// The account's own, also when it was asked for under a domain that is an alias of another.
    pub address: Address,
    pub administrator: bool,
    pub suspended: bool,
    /// Rises with every change after which an earlier login proves nothing.
    pub generation: u64,
    /// None: no password was ever set, nobody can log in.
    pub credentials: Option<Credentials>,
    pub app_passwords: Vec<AppPasswordRecord>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct AppPasswordRecord {
    pub label: String,
    /// What `auth` made of it; the store does not look inside.
    pub hash: Vec<u8>,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// With them, passwords can be guessed at any speed: a log must not have them.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(…)")
    }
}

/// Never shows the hash.
impl fmt::Debug for AppPasswordRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AppPasswordRecord")
            .field("label", &self.label)
            .field("created", &self.created)
            .field("last_used", &self.last_used)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The account in use that logs in under this address; parked ones are not found.
    pub async fn login_record(&self, address: &Address) -> Result<Option<LoginRecord>, StoreError> {
        let address = address.canonical();
        self.read(move |tx| login_record(tx, &address)).await
    }

    /// The state of a login that happened earlier: the account's credential generation, unless it is suspended, parked
    /// or gone.
    pub async fn login_generation(&self, account: AccountId) -> Result<Option<u64>, StoreError> {
        self.read(move |tx| {
            tx.row(
                "SELECT credential_generation FROM account WHERE account_id = ?1 AND state = 'active'",
                &[account.into()],
                |row| row.size(0),
            )
        })
        .await
    }

    /// Whether the account is in use, suspended or not.
    pub async fn login_exists(&self, account: AccountId) -> Result<bool, StoreError> {
        self.read(move |tx| {
            let found =
                tx.int("SELECT 1 FROM account WHERE account_id = ?1 AND state <> 'parked'", &[account.into()])?;
            Ok(found.is_some())
        })
        .await
    }

    /// Adds an app password, unless the account has as many as `count_max`. `made_on` is the credential generation its
    /// hash was made on; if the credentials have changed since, the answer is `Changed` and the hash is made anew.
    pub async fn add_app_password(
        &self,
        account: AccountId,
        made_on: u64,
        label: &str,
        hash: Vec<u8>,
        count_max: usize,
    ) -> Result<(), StoreError> {
        let label = label.to_owned();
        let now = self.0.clock.now();
        self.write(256, move |tx| {
            if generation_of(tx, account)? != made_on {
                return Err(StoreError::Changed);
            }
            let labels = app_passwords(tx, account)?;
            if labels.iter().any(|other| other.label == label) {
                return Err(StoreError::Exists(Thing::AppPassword));
            }
            if labels.len() >= count_max {
                return Err(StoreError::Limit("app passwords of an account"));
            }
            tx.execute(
                "INSERT INTO app_password (account_id, label, hash, created) VALUES (?1, ?2, ?3, ?4)",
                &[account.into(), (&label).into(), (&hash).into(), now.into()],
            )
            .map(|_| ())
        })
        .await
    }

    /// Another hash of the same password: whoever is logged in stays so. If the password was changed meanwhile, the new
    /// one's hash stays.
    pub async fn renew_hash(&self, account: AccountId, stored: String, renewed: String) -> Result<(), StoreError> {
        self.write(256, move |tx| {
            tx.execute(
                "UPDATE account SET argon2 = ?3 WHERE account_id = ?1 AND argon2 = ?2",
                &[account.into(), (&stored).into(), (&renewed).into()],
            )
            .map(|_| ())
        })
        .await
    }

    /// The account's credential generation rises with it, so that no login remembered elsewhere outlives it.
    pub async fn remove_app_password(&self, account: AccountId, label: &str) -> Result<(), StoreError> {
        let label = label.to_owned();
        self.write(128, move |tx| {
            let removed = tx.execute(
                "DELETE FROM app_password WHERE account_id = ?1 AND label = ?2",
                &[account.into(), (&label).into()],
            )?;
            if removed == 0 {
                return Err(StoreError::Missing(Thing::AppPassword));
            }
            raise_generation(tx, account)
        })
        .await
    }

    /// In the order of their labels.
    pub async fn app_passwords(&self, account: AccountId) -> Result<Vec<AppPasswordRecord>, StoreError> {
        self.read(move |tx| app_passwords(tx, account)).await
    }

    /// Notes that an app password was used. One that is gone meanwhile is no error.
    pub async fn note_app_password_used(
        &self,
        account: AccountId,
        label: &str,
        used: Timestamp,
    ) -> Result<(), StoreError> {
        let label = label.to_owned();
        self.write(128, move |tx| {
            tx.execute(
                "UPDATE app_password SET last_used = ?3
                 WHERE account_id = ?1 AND label = ?2 AND (last_used IS NULL OR last_used < ?3)",
                &[account.into(), (&label).into(), used.into()],
            )
            .map(|_| ())
        })
        .await
    }
}

fn login_record(tx: &mut Tx<'_>, address: &Address) -> Result<Option<LoginRecord>, StoreError> {
    let address = match domain_by_name(tx, address.domain())?.map(|domain| domain.kind) {
        Some(DomainKind::AliasOf(domain)) => address.with_domain(domain),
        _ => address.clone(),
    };
    let name = address.to_string();
    let record = tx.row(
        "SELECT account_id, administrator, state, credential_generation, argon2, scram_salt, scram_iterations,
                scram_stored_key, scram_server_key
         FROM account WHERE address = ?1 AND state <> 'parked'",
        &[(&name).into()],
        |row| {
            let credentials = match row.opt_text(4)? {
                None => None,
                Some(argon2) => Some(Credentials {
                    argon2: argon2.to_owned(),
                    scram_salt: row.blob(5)?.to_vec(),
                    scram_iterations: row.small(6)?,
                    scram_stored_key: row.blob(7)?.to_vec(),
                    scram_server_key: row.blob(8)?.to_vec(),
                }),
            };
            Ok(LoginRecord {
                account: AccountId(row.int(0)?),
                address,
                administrator: row.flag(1)?,
                suspended: row.text(2)? == "suspended",
                generation: row.size(3)?,
                credentials,
                app_passwords: Vec::new(),
            })
        },
    )?;
    let Some(mut record) = record else { return Ok(None) };
    record.app_passwords = app_passwords(tx, record.account)?;
    Ok(Some(record))
}

fn app_passwords(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<AppPasswordRecord>, StoreError> {
    tx.rows(
        "SELECT label, hash, created, last_used FROM app_password WHERE account_id = ?1 ORDER BY label",
        &[account.into()],
        |row| {
            Ok(AppPasswordRecord {
                label: row.text(0)?.to_owned(),
                hash: row.blob(1)?.to_vec(),
                created: row.time(2)?,
                last_used: row.opt_int(3)?.map(Timestamp),
            })
        },
    )
}

fn generation_of(tx: &mut Tx<'_>, account: AccountId) -> Result<u64, StoreError> {
    tx.row("SELECT credential_generation FROM account WHERE account_id = ?1", &[account.into()], |row| row.size(0))?
        .ok_or(StoreError::Missing(Thing::Account))
}

fn raise_generation(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account SET credential_generation = credential_generation + 1 WHERE account_id = ?1",
        &[account.into()],
    )
    .map(|_| ())
}
