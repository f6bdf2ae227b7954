//! Quotas (RFC 9208): one root for each account, named by its address, over everything the account owns.

use super::{MailboxError, Mailboxes, Standing};
use crate::store::Quota;
use crate::types::{AccountId, Address, MailboxName};

/// Octets in a unit of the STORAGE resource (RFC 9208 section 5.1).
pub const STORAGE_UNIT_OCTETS: u64 = 1024;

impl Mailboxes {
    /// The root a mailbox counts into, and how full it is.
    pub async fn quota_root(&self, viewer: AccountId, name: &MailboxName) -> Result<(String, Quota), MailboxError> {
        // A mailbox that is not there yet counts where it would be made (RFC 9208 section 4.1.3 allows any answer).
        let owner = match self.find(viewer, name).await {
            Ok(seen) => seen.record.account,
            Err(MailboxError::NoSuchMailbox) if self.place(viewer, name).await?.owner == viewer => viewer,
            Err(error) => return Err(error),
        };
        let account = self.store().account_by_id(owner).await?.ok_or(MailboxError::NoSuchMailbox)?;
        Ok((account.address.to_string(), self.store().quota(owner).await?))
    }

    /// One's own; an administrator sees everybody's.
    pub async fn quota(&self, viewer: AccountId, standing: Standing, root: &str) -> Result<Quota, MailboxError> {
        let account = self.account_of_root(root).await?;
        if account != viewer && standing == Standing::Person {
            return Err(MailboxError::NoSuchQuotaRoot);
        }
        Ok(self.store().quota(account).await?)
    }

    /// Sets both limits; for administrators. What is there already stays, whatever it uses.
    pub async fn set_quota(
        &self,
        standing: Standing,
        root: &str,
        octets_max: Option<u64>,
        messages_max: Option<u64>,
    ) -> Result<Quota, MailboxError> {
        if standing == Standing::Person {
            return Err(MailboxError::NotPermitted);
        }
        let account = self.account_of_root(root).await?;
        self.store().set_quota(account, octets_max, messages_max).await?;
        Ok(self.store().quota(account).await?)
    }

    async fn account_of_root(&self, root: &str) -> Result<AccountId, MailboxError> {
        let address: Address = root.parse().map_err(|_| MailboxError::NoSuchQuotaRoot)?;
        Ok(self.store().account(&address).await?.ok_or(MailboxError::NoSuchQuotaRoot)?.id)
    }
}
