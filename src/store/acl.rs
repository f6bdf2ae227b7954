//! Who besides its owner may do what with a mailbox. What the rights mean is decided elsewhere: here they are bits.

use super::mailboxes::{self, MailboxRecord};
use super::tx::Tx;
use super::{Change, Store, StoreError, Thing, Touched};
use crate::types::limits::ACL_ENTRIES_MAX;
use crate::types::{AccountId, Address, MailboxId, MailboxName};

/// To whom rights are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    Anyone,
    Account(AccountId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    Gives,
    /// Takes away what another entry gives.
    TakesAway,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    pub grantee: Grantee,
    /// The account's; `None` for anyone.
    pub address: Option<Address>,
    pub grant: Grant,
    pub rights: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclChange {
    Replace,
    Add,
    Remove,
}

/// What somebody who is not the owner was given and denied, by all entries that speak of him.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    pub given: u32,
    pub taken_away: u32,
}

/// Somebody else's mailbox, as far as there are entries that speak of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMailbox {
    pub mailbox: MailboxRecord,
    pub owner: Address,
    pub granted: Granted,
}

impl Grantee {
    fn key(self) -> i64 {
        match self {
            Self::Anyone => 0,
            Self::Account(account) => account.0,
        }
    }

    fn of(key: i64) -> Self {
        if key == 0 { Self::Anyone } else { Self::Account(AccountId(key)) }
    }
}

impl Granted {
    fn add(&mut self, negative: bool, rights: u32) {
        if negative {
            self.taken_away |= rights;
        } else {
            self.given |= rights;
        }
    }
}

impl Store {
    /// All entries of a mailbox; those of accounts that are gone or parked are left out.
    pub async fn acl(&self, mailbox: MailboxId) -> Result<Vec<AclEntry>, StoreError> {
        self.read(move |tx| {
            tx.rows(
                "SELECT l.grantee_id, l.negative, l.rights, a.address FROM acl l
                 LEFT JOIN account a ON a.account_id = l.grantee_id AND a.state <> 'parked'
                 WHERE l.mailbox_id = ?1 AND (l.grantee_id = 0 OR a.account_id IS NOT NULL)
                 ORDER BY l.grantee_id, l.negative",
                &[mailbox.into()],
                |row| {
                    Ok(AclEntry {
                        grantee: Grantee::of(row.int(0)?),
                        grant: if row.flag(1)? { Grant::TakesAway } else { Grant::Gives },
                        rights: row.small(2)?,
                        address: if row.is_null(3)? { None } else { Some(row.parsed(3)?) },
                    })
                },
            )
        })
        .await
    }

    /// Changes one entry; one without rights is removed.
    pub async fn set_acl(
        &self,
        mailbox: MailboxId,
        grantee: Grantee,
        grant: Grant,
        change: AclChange,
        rights: u32,
    ) -> Result<(), StoreError> {
        self.write(256, move |tx| {
            let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            put(tx, &record, (grantee, grant), change, rights)?;
            tx.touched.push(Touched::of(&record, record.highest_modseq, Change::Rights(grantee)));
            Ok(())
        })
        .await
    }

    /// A mailbox by its owner and name, and what `viewer` was granted on it.
    pub async fn mailbox_seen_by(
        &self,
        viewer: AccountId,
        owner: AccountId,
        name: &MailboxName,
    ) -> Result<Option<(MailboxRecord, Granted)>, StoreError> {
        let name = name.clone();
        self.read(move |tx| {
            let Some(record) = mailboxes::by_name(tx, owner, &name)? else { return Ok(None) };
            let granted = if viewer == owner { Granted::default() } else { granted(tx, record.id, viewer)? };
            Ok(Some((record, granted)))
        })
        .await
    }

    /// The same by its number.
    pub async fn mailbox_granted(
        &self,
        viewer: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<(MailboxRecord, Granted)>, StoreError> {
        self.read(move |tx| {
            let Some(record) = mailboxes::by_id(tx, mailbox)? else { return Ok(None) };
            let granted = if viewer == record.account { Granted::default() } else { granted(tx, mailbox, viewer)? };
            Ok(Some((record, granted)))
        })
        .await
    }

    /// Mailboxes of others with entries that speak of `viewer` or of anyone, by owner and name.
    pub async fn shared_mailboxes(&self, viewer: AccountId) -> Result<Vec<SharedMailbox>, StoreError> {
        self.read(move |tx| {
            let entries = tx.rows(
                "SELECT l.mailbox_id, l.negative, l.rights, a.address FROM acl l
                 JOIN account a ON a.account_id = l.account_id
                 WHERE l.grantee_id IN (0, ?1) AND l.account_id <> ?1 AND a.state <> 'parked'
                 ORDER BY a.address, l.mailbox_id",
                &[viewer.into()],
                |row| Ok((MailboxId(row.int(0)?), row.flag(1)?, row.small(2)?, row.parsed::<Address>(3)?)),
            )?;
            let mut shared: Vec<SharedMailbox> = Vec::new();
            for (mailbox, negative, rights, owner) in entries {
                if shared.last().is_none_or(|last| last.mailbox.id != mailbox) {
                    let Some(mailbox) = mailboxes::by_id(tx, mailbox)? else { continue };
                    shared.push(SharedMailbox { mailbox, owner, granted: Granted::default() });
                }
                if let Some(last) = shared.last_mut() {
                    last.granted.add(negative, rights);
                }
            }
            shared.sort_by(|one, other| {
                (one.owner.to_string(), &one.mailbox.name).cmp(&(other.owner.to_string(), &other.mailbox.name))
            });
            Ok(shared)
        })
        .await
    }
}

fn granted(tx: &mut Tx<'_>, mailbox: MailboxId, viewer: AccountId) -> Result<Granted, StoreError> {
    let mut granted = Granted::default();
    let entries = tx.rows(
        "SELECT negative, rights FROM acl WHERE mailbox_id = ?1 AND grantee_id IN (0, ?2)",
        &[mailbox.into(), viewer.into()],
        |row| Ok((row.flag(0)?, row.small(1)?)),
    )?;
    for (negative, rights) in entries {
        granted.add(negative, rights);
    }
    Ok(granted)
}

fn put(
    tx: &mut Tx<'_>,
    mailbox: &MailboxRecord,
    entry: (Grantee, Grant),
    change: AclChange,
    rights: u32,
) -> Result<(), StoreError> {
    let (grantee, negative) = (entry.0.key(), entry.1 == Grant::TakesAway);
    let before = tx.int(
        "SELECT rights FROM acl WHERE mailbox_id = ?1 AND grantee_id = ?2 AND negative = ?3",
        &[mailbox.id.into(), grantee.into(), negative.into()],
    )?;
    let before = u32::try_from(before.unwrap_or(0)).unwrap_or(0);
    let after = match change {
        AclChange::Replace => rights,
        AclChange::Add => before | rights,
        AclChange::Remove => before & !rights,
    };
    if after == 0 {
        let parameters = [mailbox.id.into(), grantee.into(), negative.into()];
        tx.execute("DELETE FROM acl WHERE mailbox_id = ?1 AND grantee_id = ?2 AND negative = ?3", &parameters)?;
        return Ok(());
    }
    let count = tx.int("SELECT count(*) FROM acl WHERE mailbox_id = ?1", &[mailbox.id.into()])?;
    if before == 0 && count.is_some_and(|count| count >= ACL_ENTRIES_MAX) {
        return Err(StoreError::Limit("entries of an access control list"));
    }
    tx.execute(
        "INSERT INTO acl (mailbox_id, grantee_id, negative, account_id, rights) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (mailbox_id, grantee_id, negative) DO UPDATE SET rights = excluded.rights",
        &[mailbox.id.into(), grantee.into(), negative.into(), mailbox.account.into(), after.into()],
    )?;
    Ok(())
}
