//! Work that nobody waits for: moving commits from the log into the database, removing what nobody names any more.

use super::engine::Engine;
use super::tx::Tx;
use super::{Store, StoreError, bodies, expunge, mailboxes};
use crate::types::{AccountId, BodyId, Timestamp};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two checkpoints, if little is written.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(2);
/// How long an orphan may still be read by a session that was sending it when the last copy went, in seconds.
const ORPHAN_GRACE_SECONDS: i64 = 600;
/// Bodies removed in one transaction.
const PURGE_PIECE: u32 = 64;

/// A thread that checkpoints, so that the writer seldom has to.
pub(super) struct Checkpointer {
    engine: Arc<dyn Engine>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(engine: Arc<dyn Engine>) -> Result<Self, StoreError> {
        let own = Arc::clone(&engine);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                while own.wait_for_checkpoint(CHECKPOINT_PAUSE) {
                    if let Err(error) = own.checkpoint() {
                        // The log grows until the next one succeeds; nothing is lost by it.
                        tracing::warn!(%error, "checkpoint failed");
                    }
                }
            })
            .map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(Self { engine, thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.engine.stop_checkpoints();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Store {
    /// Removes bodies nobody has named for a while, in short transactions. Returns how many went.
    pub async fn purge_orphans(&self) -> Result<u64, StoreError> {
        self.release_abandoned_copies().await?;
        let before = self.0.clock.now().plus_seconds(-ORPHAN_GRACE_SECONDS);
        let mut removed = 0;
        loop {
            let piece = self.write(64 * 1024, move |tx| purge_piece(tx, before)).await?;
            removed += piece;
            if piece < u64::from(PURGE_PIECE) {
                return Ok(removed);
            }
        }
    }

    /// Removes what deleted mailboxes held, in short transactions. Returns whether there was any.
    pub async fn purge_removed_mailboxes(&self) -> Result<bool, StoreError> {
        let now = self.0.clock.now();
        let mut any = false;
        while self.write(64 * 1024, move |tx| expunge::purge_removed_piece(tx, now)).await? {
            any = true;
        }
        Ok(any)
    }

    /// Parked accounts whose time is over.
    pub async fn overdue_accounts(&self) -> Result<Vec<AccountId>, StoreError> {
        let now = self.0.clock.now();
        self.read(move |tx| {
            tx.rows(
                "SELECT account_id FROM account WHERE state = 'parked' AND parked_until <= ?1",
                &[now.into()],
                |row| Ok(AccountId(row.int(0)?)),
            )
        })
        .await
    }

    /// Removes a parked account for good: its mailboxes at once, what they held in pieces, then the account.
    pub async fn purge_account(&self, account: AccountId) -> Result<(), StoreError> {
        self.write(4096, move |tx| remove_mailboxes(tx, account)).await?;
        self.purge_removed_mailboxes().await?;
        self.write(4096, move |tx| remove_account(tx, account)).await
    }
}

fn purge_piece(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    let orphans = tx.rows(
        "SELECT body_id FROM orphan WHERE since <= ?1 ORDER BY body_id LIMIT ?2",
        &[before.into(), PURGE_PIECE.into()],
        |row| Ok(BodyId(row.int(0)?)),
    )?;
    for body in &orphans {
        bodies::remove(tx, *body)?;
    }
    Ok(orphans.len() as u64)
}

fn is_parked(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM account WHERE account_id = ?1 AND state = 'parked'";
    Ok(tx.int(sql, &[account.into()])? == Some(1))
}

fn remove_mailboxes(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    // Brought back meanwhile: nothing of it is removed.
    if !is_parked(tx, account)? {
        return Ok(());
    }
    for mailbox in mailboxes::all(tx, account)? {
        mailboxes::remove(tx, &mailbox)?;
    }
    Ok(())
}

fn remove_account(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    if !is_parked(tx, account)? {
        return Ok(());
    }
    let owner = format!("account:{account}");
    tx.stale.scripts = true;
    tx.execute("DELETE FROM script WHERE owner = ?1", &[(&owner).into()])?;
    tx.execute("DELETE FROM acl WHERE grantee_id = ?1", &[account.into()])?;
    super::annotations::remove_of_account(tx, account)?;
    tx.execute("DELETE FROM account WHERE account_id = ?1", &[account.into()])?;
    Ok(())
}
