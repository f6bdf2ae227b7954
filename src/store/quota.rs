//! What an account uses and may use (RFC 9208).

use super::{Change, Store, StoreError, Thing, Touched};
use crate::types::AccountId;

/// Used and allowed; `None` is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub octets: u64,
    pub octets_max: Option<u64>,
    pub messages: u64,
    pub messages_max: Option<u64>,
}

impl Store {
    pub async fn quota(&self, account: AccountId) -> Result<Quota, StoreError> {
        self.read(move |tx| {
            tx.row(
                "SELECT u.octets, a.quota_octets, u.messages, u.quota_messages FROM usage u
                 JOIN account a ON a.account_id = u.account_id WHERE u.account_id = ?1",
                &[account.into()],
                |row| {
                    Ok(Quota {
                        octets: row.size(0)?,
                        octets_max: if row.is_null(1)? { None } else { Some(row.size(1)?) },
                        messages: row.size(2)?,
                        messages_max: if row.is_null(3)? { None } else { Some(row.size(3)?) },
                    })
                },
            )?
            .ok_or(StoreError::Missing(Thing::Account))
        })
        .await
    }

    /// Sets both limits. What is there already stays, whatever it uses.
    pub async fn set_quota(
        &self,
        account: AccountId,
        octets_max: Option<u64>,
        messages_max: Option<u64>,
    ) -> Result<(), StoreError> {
        self.write(128, move |tx| {
            let sql = "UPDATE account SET quota_octets = ?2 WHERE account_id = ?1";
            if tx.execute(sql, &[account.into(), octets_max.into()])? == 0 {
                return Err(StoreError::Missing(Thing::Account));
            }
            let sql = "UPDATE usage SET quota_messages = ?2 WHERE account_id = ?1";
            tx.execute(sql, &[account.into(), messages_max.into()])?;
            // The directory shows the limit: what was decided on the old one is decided anew.
            let decided_on = super::directory_reads::generation(tx)?;
            super::directory_changes::bump_generation(tx, decided_on)?;
            tx.touched.push(Touched::account(account, Change::Quota));
            Ok(())
        })
        .await
    }
}
