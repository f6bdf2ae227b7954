//! What scripts must not do twice: answer the same sender, take the same message.

use super::tx::Tx;
use super::{Store, StoreError};
use crate::types::limits::CORRESPONDENTS_MAX;
use crate::types::{AccountId, Address, Timestamp};

/// One automatic answer given: no second one to this sender before `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The address that was written to and answers.
    pub address: Address,
    pub sender: Address,
    /// The responder's interval or window: changing its text starts anew.
    pub handle: String,
    pub until: Timestamp,
}

/// RFC 7352: an identifier that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub account: AccountId,
    pub id: Vec<u8>,
    pub until: Timestamp,
}

impl Store {
    /// Until when the sender has been answered; for scripts' hosts, on their own threads.
    pub fn answered_until_blocking(
        &self,
        address: &Address,
        sender: &Address,
        handle: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (address, sender) = (address.canonical().to_string(), sender.canonical().to_string());
        let handle = handle.to_owned();
        self.read_blocking(move |tx| {
            let sql = "SELECT until FROM answered WHERE address = ?1 AND sender = ?2 AND handle = ?3";
            Ok(tx.int(sql, &[(&address).into(), (&sender).into(), (&handle).into()])?.map(Timestamp))
        })
    }

    /// Until when an identifier is remembered; for scripts' hosts, on their own threads.
    pub fn duplicate_until_blocking(&self, account: AccountId, id: &[u8]) -> Result<Option<Timestamp>, StoreError> {
        let id = id.to_vec();
        self.read_blocking(move |tx| {
            let sql = "SELECT until FROM duplicate WHERE account_id = ?1 AND id = ?2";
            Ok(tx.int(sql, &[account.into(), (&id).into()])?.map(Timestamp))
        })
    }

    /// Whom the account has written to lately, the latest first; for scripts' hosts, on their own threads.
    pub fn correspondents_blocking(&self, account: AccountId) -> Result<Vec<Address>, StoreError> {
        self.read_blocking(move |tx| {
            let sql = "SELECT address FROM correspondent WHERE account_id = ?1 ORDER BY last DESC LIMIT ?2";
            tx.rows(sql, &[account.into(), CORRESPONDENTS_MAX.into()], |row| row.parsed(0))
        })
    }

    /// Forgets what no longer counts; a piece at a time. Returns how much went.
    pub async fn forget_memories(&self) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        self.write(64 * 1024, move |tx| {
            let answers = tx.execute(
                "DELETE FROM answered WHERE (address, sender, handle) IN
                   (SELECT o.address, o.sender, o.handle FROM answered o WHERE o.until <= ?1 ORDER BY o.until LIMIT 1000)",
                &[now.into()],
            )?;
            let duplicates = tx.execute(
                "DELETE FROM duplicate WHERE (account_id, id) IN
                   (SELECT o.account_id, o.id FROM duplicate o WHERE o.until <= ?1 ORDER BY o.until LIMIT 1000)",
                &[now.into()],
            )?;
            Ok(answers + duplicates)
        })
        .await
    }
}

pub(super) fn remember_answer(tx: &mut Tx<'_>, answered: &Answered) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO answered (address, sender, handle, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (address, sender, handle) DO UPDATE SET until = excluded.until",
        &[
            (&answered.address.canonical().to_string()).into(),
            (&answered.sender.canonical().to_string()).into(),
            (&answered.handle).into(),
            answered.until.into(),
        ],
    )?;
    Ok(())
}

/// Somebody the account wrote to.
pub(super) fn remember_correspondent(
    tx: &mut Tx<'_>,
    account: AccountId,
    address: &Address,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO correspondent (account_id, address, last) VALUES (?1, ?2, ?3)
         ON CONFLICT (account_id, address) DO UPDATE SET last = excluded.last",
        &[account.into(), (&address.canonical().to_string()).into(), now.into()],
    )?;
    Ok(())
}

/// The least recent go when there are more than a script's list holds.
pub(super) fn forget_correspondents(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM correspondent WHERE account_id = ?1 AND address IN
           (SELECT address FROM correspondent WHERE account_id = ?1 ORDER BY last DESC, address LIMIT 1000 OFFSET ?2)",
        &[account.into(), CORRESPONDENTS_MAX.into()],
    )?;
    Ok(())
}

pub(super) fn remember_duplicate(tx: &mut Tx<'_>, duplicate: &Duplicate) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO duplicate (account_id, id, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (account_id, id) DO UPDATE SET until = excluded.until",
        &[duplicate.account.into(), (&duplicate.id).into(), duplicate.until.into()],
    )?;
    Ok(())
}
