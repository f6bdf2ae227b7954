//! Access control lists (RFC 4314). Identifiers are addresses of accounts here, and `anyone`; a `-` before one takes
//! rights away. The owner has every right and can't lose any.

use super::{MailboxError, Mailboxes, Rights, Seen};
use crate::store::{AclChange, Grant, Grantee};
use crate::types::{AccountId, Address, MailboxName};

/// One line of ACL's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclLine {
    /// As SETACL takes it.
    pub identifier: String,
    pub rights: Rights,
}

/// How SETACL combines what is given with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsChange {
    Replace,
    Add,
    Remove,
}

impl Mailboxes {
    async fn administered(&self, viewer: AccountId, name: &MailboxName) -> Result<Seen, MailboxError> {
        let seen = self.find(viewer, name).await?;
        seen.require(Rights::ADMINISTER)?;
        Ok(seen)
    }

    async fn grantee(&self, identifier: &str) -> Result<Grantee, MailboxError> {
        if identifier.eq_ignore_ascii_case("anyone") {
            return Ok(Grantee::Anyone);
        }
        let address: Address = identifier.parse().map_err(|_| MailboxError::NoSuchIdentifier)?;
        let account = self.store().account(&address).await?.ok_or(MailboxError::NoSuchIdentifier)?;
        Ok(Grantee::Account(account.id))
    }

    async fn address_of(&self, account: AccountId) -> Result<String, MailboxError> {
        let record = self.store().account_by_id(account).await?.ok_or(MailboxError::NoSuchIdentifier)?;
        Ok(record.address.to_string())
    }

    pub async fn acl(&self, viewer: AccountId, name: &MailboxName) -> Result<Vec<AclLine>, MailboxError> {
        let seen = self.administered(viewer, name).await?;
        let mut lines = vec![AclLine { identifier: self.address_of(seen.record.account).await?, rights: Rights::ALL }];
        for entry in self.store().acl(seen.record.id).await? {
            let sign = if entry.grant == Grant::TakesAway { "-" } else { "" };
            let who = entry.address.map_or_else(|| "anyone".to_owned(), |address| address.to_string());
            lines.push(AclLine { identifier: format!("{sign}{who}"), rights: Rights::from_bits(entry.rights) });
        }
        Ok(lines)
    }

    pub async fn set_acl(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        identifier: &str,
        change: RightsChange,
        rights: Rights,
    ) -> Result<(), MailboxError> {
        let seen = self.administered(viewer, name).await?;
        let (grant, who) = Self::sign(identifier);
        let grantee = self.grantee(who).await?;
        if grantee == Grantee::Account(seen.record.account) {
            return Err(MailboxError::Impossible);
        }
        let change = match change {
            RightsChange::Replace => AclChange::Replace,
            RightsChange::Add => AclChange::Add,
            RightsChange::Remove => AclChange::Remove,
        };
        Ok(self.store().set_acl(seen.record.id, grantee, grant, change, rights.bits()).await?)
    }

    pub async fn delete_acl(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        identifier: &str,
    ) -> Result<(), MailboxError> {
        self.set_acl(viewer, name, identifier, RightsChange::Replace, Rights::NONE).await
    }

    /// The rights an identifier has always and those it can be given one by one (RFC 4314 section 3.7).
    pub async fn list_rights(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        identifier: &str,
    ) -> Result<(Rights, Rights), MailboxError> {
        let seen = self.administered(viewer, name).await?;
        let (_, who) = Self::sign(identifier);
        Ok(match self.grantee(who).await? {
            Grantee::Account(account) if account == seen.record.account => (Rights::ALL, Rights::NONE),
            _ => (Rights::NONE, Rights::ALL),
        })
    }

    /// Needs no right but to see the mailbox at all.
    pub async fn my_rights(&self, viewer: AccountId, name: &MailboxName) -> Result<Rights, MailboxError> {
        Ok(self.find(viewer, name).await?.rights)
    }
}
