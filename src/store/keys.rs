//! DKIM keys of domains.

use super::directory_reads::{domain_by_name, json, to_json};
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
        self.read(move |tx| {
            tx.rows(
                "SELECT k.selector, k.algorithm, k.private_key, k.public_key, k.state, k.created
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
                    })
                },
            )
        })
        .await
    }

    /// Adds a key, or changes the state of the one with its selector.
    pub async fn put_dkim_key(&self, domain: &Domain, key: DkimKey) -> Result<(), StoreError> {
        let domain = domain.clone();
        let now = self.0.clock.now();
        self.write(4096, move |tx| {
            let id = domain_by_name(tx, &domain)?.ok_or(StoreError::Missing(Thing::Domain))?.id;
            let (algorithm, state) = (to_json(&key.algorithm)?, to_json(&key.state)?);
            tx.execute(
                "INSERT INTO dkim_key (domain_id, selector, algorithm, private_key, public_key, state, created, changed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (domain_id, selector) DO UPDATE SET state = excluded.state, changed = excluded.changed",
                &[
                    id.into(),
                    (&key.selector).into(),
                    algorithm.trim_matches('"').into(),
                    (&key.private_key).into(),
                    (&key.public_key).into(),
                    state.trim_matches('"').into(),
                    key.created.into(),
                    now.into(),
                ],
            )
            .map(|_| ())
        })
        .await
    }

    pub async fn remove_dkim_key(&self, domain: &Domain, selector: &str) -> Result<(), StoreError> {
        let (domain, selector) = (domain.clone(), selector.to_owned());
        self.write(128, move |tx| {
            let removed = tx.execute(
                "DELETE FROM dkim_key WHERE selector = ?2
                   AND domain_id = (SELECT d.domain_id FROM domain d WHERE d.name = ?1)",
                &[domain.as_str().into(), (&selector).into()],
            )?;
            if removed == 0 { Err(StoreError::Missing(Thing::DkimKey)) } else { Ok(()) }
        })
        .await
    }
}
