//! Setting passwords: what is stored of them is made here, and app passwords come and go here.

use super::app_password::{LabelError, check_label, generate, generate_for_person, stored_form};
use super::hasher::HashError;
use super::password::Password;
use super::service::Auth;
use crate::store::{AppPasswordRecord, Credentials, StoreError, Thing};
use crate::telemetry::Secret;
use crate::types::limits::APP_PASSWORDS_PER_ACCOUNT_MAX;
use crate::types::{AccountId, Address};
use std::fmt;

pub(super) const SALT_OCTETS: usize = 16;

/// Why credentials were not made or not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialError {
    Label(LabelError),
    /// App passwords stand beside a password; this account has none yet.
    NoPassword,
    Hash(HashError),
    Store(StoreError),
}

impl fmt::Display for CredentialError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(error) => error.fmt(formatter),
            Self::NoPassword => formatter.write_str("the account has no password yet; set one first"),
            Self::Hash(error) => error.fmt(formatter),
            Self::Store(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for CredentialError {}

impl From<StoreError> for CredentialError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<HashError> for CredentialError {
    fn from(error: HashError) -> Self {
        Self::Hash(error)
    }
}

impl Auth {
    /// What to store for the password of an account, new or existing: argon2id hash and SCRAM keys, to be written in one
    /// transaction by whoever changes the directory.
    ///
    /// While an account has app passwords, salt and rounds stay as they are: the stored forms of those depend on them.
    pub async fn credentials_for(
        &self,
        address: &Address,
        password: &Password,
    ) -> Result<Credentials, CredentialError> {
        let record = self.store().login_record(address).await?;
        let kept = record.filter(|record| !record.app_passwords.is_empty()).and_then(|record| record.credentials);
        let (salt, iterations) = match kept {
            Some(kept) => (kept.scram_salt, kept.scram_iterations),
            None => (random_salt()?, self.hasher().scram_iterations()),
        };
        let password = password.clone();
        let work = self.hasher().turn().await?.run(move |bench| {
            let argon2 = bench.hash(&password)?;
            let keys = bench.scram_keys(&password, &salt, iterations);
            Ok::<_, HashError>(Credentials {
                argon2,
                scram_salt: salt,
                scram_iterations: iterations,
                scram_stored_key: keys.stored_key.to_vec(),
                scram_server_key: keys.server_key.to_vec(),
            })
        });
        Ok(work.await?.0?)
    }

    /// To be called when an account's password, state or administrator flag was changed: nothing verified before counts.
    /// The store's credential generation already sees to that; this also frees the memory.
    pub fn credentials_changed(&self, account: AccountId) {
        self.forget(account);
    }

    /// A password for a person, as the default rules want it.
    pub fn generate_password(&self) -> Result<Secret<String>, CredentialError> {
        generate_for_person().map_err(|_| CredentialError::Hash(HashError::System))
    }

    /// Makes an app password. It is shown this once; the store keeps only what it is checked by.
    pub async fn add_app_password(&self, address: &Address, label: &str) -> Result<Secret<String>, CredentialError> {
        check_label(label).map_err(CredentialError::Label)?;
        let record = self.store().login_record(address).await?.ok_or(StoreError::Missing(Thing::Account))?;
        let credentials = record.credentials.ok_or(CredentialError::NoPassword)?;
        let generated = generate().map_err(|_| HashError::System)?;
        // The alphabet and length are ours: the error can't occur, but it needs no proof to be passed on.
        let password = Password::prepare(generated.reveal()).map_err(|_| HashError::System)?;
        let turn = self.hasher().turn().await?;
        let work =
            turn.run(move |bench| bench.scram_keys(&password, &credentials.scram_salt, credentials.scram_iterations));
        let hash = stored_form(&work.await?.0);
        self.store()
            .add_app_password(record.account, record.generation, label, hash, APP_PASSWORDS_PER_ACCOUNT_MAX)
            .await?;
        Ok(generated)
    }

    /// Whoever used it is out at once: nothing verified before counts any more.
    pub async fn remove_app_password(&self, address: &Address, label: &str) -> Result<(), CredentialError> {
        let record = self.store().login_record(address).await?.ok_or(StoreError::Missing(Thing::Account))?;
        self.store().remove_app_password(record.account, label).await?;
        self.forget(record.account);
        Ok(())
    }

    pub async fn app_passwords(&self, address: &Address) -> Result<Vec<AppPasswordRecord>, CredentialError> {
        let record = self.store().login_record(address).await?.ok_or(StoreError::Missing(Thing::Account))?;
        Ok(record.app_passwords)
    }
}

fn random_salt() -> Result<Vec<u8>, HashError> {
    let mut salt = vec![0; SALT_OCTETS];
    getrandom::fill(&mut salt).map_err(|_| HashError::System)?;
    Ok(salt)
}
