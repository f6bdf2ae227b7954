//! DKIM keys of domains.

use super::directory_reads::{domain_by_name, json, to_json};
use super::tx::Tx;
use super::{Store, StoreError, Thing};
use crate::types::{Domain, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DkimAlgorithm {
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    #[serde(rename = "ed25519-sha256")]
    Ed25519Sha256,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DkimKeyState {
    /// Published, not yet used.
    Next,
    Signing,
    /// Still published, for mail on its way.
    Retired,
}

#[derive(Clone, PartialEq, Eq)]
pub struct DkimKey {
    pub selector: String,
    pub algorithm: DkimAlgorithm,
    /// PKCS#8 DER.
    pub private_key: Vec<u8>,
    /// As the DNS record carries it, before base64.
    pub public_key: Vec<u8>,
    pub state: DkimKeyState,
    pub created: Timestamp,
    /// When it came into this state.
    pub since: Timestamp,
}

/// Never shows the private key.
impl std::fmt::Debug for DkimKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DkimKey")
            .field("selector", &self.selector)
            .field("algorithm", &self.algorithm)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Store {
    pub async fn dkim_keys(&self, domain: &Domain) -> Result<Vec<DkimKey>, StoreError> {
        let domain = domain.clone();
        self.read(move |tx| of_domain(tx, &domain)).await
    }

    /// Puts `keys` in the place of all keys of the domain. `known`: those that were decided upon; if others are there by now,
    /// nothing is done, and it is [`StoreError::Changed`].
    pub async fn replace_dkim_keys(
        &self,
        domain: &Domain,
        known: Vec<DkimKey>,
        keys: Vec<DkimKey>,
    ) -> Result<(), StoreError> {
        let domain = domain.clone();
        let octets = 4096 + keys.iter().map(|key| key.private_key.len()).sum::<usize>();
        self.write(octets, move |tx| {
            let id = domain_by_name(tx, &domain)?.ok_or(StoreError::Missing(Thing::Domain))?.id;
            if of_domain(tx, &domain)? != known {
                return Err(StoreError::Changed);
            }
            tx.stale.keys = true;
            tx.execute("DELETE FROM dkim_key WHERE domain_id = ?1", &[id.into()])?;
            for key in &keys {
                let (algorithm, state) = (to_json(&key.algorithm)?, to_json(&key.state)?);
                tx.execute(
                    "INSERT INTO dkim_key
                       (domain_id, selector, algorithm, private_key, public_key, state, created, changed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    &[
                        id.into(),
                        (&key.selector).into(),
                        algorithm.trim_matches('"').into(),
                        (&key.private_key).into(),
                        (&key.public_key).into(),
                        state.trim_matches('"').into(),
                        key.created.into(),
                        key.since.into(),
                    ],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Rises with every change of keys. What was read while it stood still is still so.
    pub fn dkim_key_generation(&self) -> u64 {
        self.0.generations.keys.load(std::sync::atomic::Ordering::Acquire)
    }

    pub async fn domains_without_dkim_keys(&self) -> Result<Vec<Domain>, StoreError> {
        self.read(|tx| {
            tx.rows(
                "SELECT d.name FROM domain d
                 WHERE NOT EXISTS (SELECT 1 FROM dkim_key k WHERE k.domain_id = d.domain_id) ORDER BY d.domain_id",
                &[],
                |row| row.parsed(0),
            )
        })
        .await
    }

    /// Domains with a key that has been in its state since before the time given for it: signing, next, retired.
    pub async fn domains_with_old_dkim_keys(
        &self,
        signing: Timestamp,
        next: Timestamp,
        retired: Timestamp,
    ) -> Result<Vec<Domain>, StoreError> {
        self.read(move |tx| {
            tx.rows(
                "SELECT DISTINCT d.name FROM dkim_key k JOIN domain d ON d.domain_id = k.domain_id
                 WHERE k.changed <= CASE k.state WHEN 'signing' THEN ?1 WHEN 'next' THEN ?2 ELSE ?3 END",
                &[signing.into(), next.into(), retired.into()],
                |row| row.parsed(0),
            )
        })
        .await
    }
}

fn of_domain(tx: &mut Tx<'_>, domain: &Domain) -> Result<Vec<DkimKey>, StoreError> {
    tx.rows(
        "SELECT k.selector, k.algorithm, k.private_key, k.public_key, k.state, k.created, k.changed
         FROM dkim_key k JOIN domain d ON d.domain_id = k.domain_id WHERE d.name = ?1 ORDER BY k.dkim_key_id",
        &[domain.as_str().into()],
        |row| {
            Ok(DkimKey {
                selector: row.text(0)?.to_owned(),
                algorithm: json(&format!("\"{}\"", row.text(1)?))?,
                private_key: row.blob(2)?.to_vec(),
                public_key: row.blob(3)?.to_vec(),
                state: json(&format!("\"{}\"", row.text(4)?))?,
                created: row.time(5)?,
                since: row.time(6)?,
            })
        },
    )
}
