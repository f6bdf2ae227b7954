//! What is remembered of others: senders too long to be written into a return path of ours, and what domains say about the
//! servers they take mail by.

use super::{Store, StoreError, Thing};
use crate::types::{Address, Domain, Timestamp};

/// A domain's published policy (RFC 8461), as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportPolicy {
    /// Of the record that announced it: another one means another policy.
    pub id: String,
    pub text: String,
    pub fetched: Timestamp,
    pub expires: Timestamp,
}

impl Store {
    /// The number a long sender is known by, now and until nobody has used it for a long time.
    pub async fn remember_long_sender(&self, sender: &Address) -> Result<i64, StoreError> {
        let sender = sender.to_string();
        let now = self.0.clock.now();
        self.write(256, move |tx| {
            let id = tx.int(
                "INSERT INTO long_sender (sender, last_used) VALUES (?1, ?2)
                 ON CONFLICT (sender) DO UPDATE SET last_used = excluded.last_used RETURNING long_sender_id",
                &[(&sender).into(), now.into()],
            )?;
            id.ok_or(StoreError::Missing(Thing::Address))
        })
        .await
    }

    pub async fn long_sender(&self, id: i64) -> Result<Option<Address>, StoreError> {
        self.read(move |tx| {
            tx.row("SELECT sender FROM long_sender WHERE long_sender_id = ?1", &[id.into()], |row| row.parsed(0))
        })
        .await
    }

    /// Forgets those last used before the given time, a piece at a time. Returns how many went.
    pub async fn forget_long_senders(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(16 * 1024, move |tx| {
            tx.execute(
                "DELETE FROM long_sender WHERE long_sender_id IN
                   (SELECT o.long_sender_id FROM long_sender o WHERE o.last_used < ?1 ORDER BY o.last_used LIMIT 1000)",
                &[before.into()],
            )
        })
        .await
    }

    pub async fn transport_policy(&self, domain: &Domain) -> Result<Option<TransportPolicy>, StoreError> {
        let domain = domain.clone();
        self.read(move |tx| {
            tx.row(
                "SELECT id, text, fetched, expires FROM transport_policy WHERE domain = ?1",
                &[domain.as_str().into()],
                |row| {
                    Ok(TransportPolicy {
                        id: row.text(0)?.to_owned(),
                        text: row.text(1)?.to_owned(),
                        fetched: row.time(2)?,
                        expires: row.time(3)?,
                    })
                },
            )
        })
        .await
    }

    pub async fn put_transport_policy(&self, domain: &Domain, policy: TransportPolicy) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.write(policy.text.len() + 128, move |tx| {
            tx.execute(
                "INSERT INTO transport_policy (domain, id, text, fetched, expires) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (domain) DO UPDATE SET id = excluded.id, text = excluded.text, fetched = excluded.fetched,
                                                    expires = excluded.expires",
                &[
                    domain.as_str().into(),
                    (&policy.id).into(),
                    (&policy.text).into(),
                    policy.fetched.into(),
                    policy.expires.into(),
                ],
            )
            .map(|_| ())
        })
        .await
    }

    /// Forgets policies that have expired. Returns how many went.
    pub async fn forget_transport_policies(&self) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        self.write(1024, move |tx| {
            tx.execute(
                "DELETE FROM transport_policy WHERE domain IN
                   (SELECT o.domain FROM transport_policy o WHERE o.expires <= ?1 LIMIT 1000)",
                &[now.into()],
            )
        })
        .await
    }
}
