//! Copies of many messages that appear at once, as RFC 9051 section 6.4.7 wants it, without holding up other writers.
//!
//! What takes time is counting a reference for each body. That is done ahead, in short transactions that note in
//! `copying` what they hold; then one transaction writes the entries, some 60 octets a message, and drops the notes. A
//! copy that dies in between leaves notes and nothing else; upkeep gives back what they hold.

use super::messages::{CopyOutcome, Copying, QuotaUse, append_copies, entries_of};
use super::tx::Tx;
use super::{Store, StoreError, Thing, bodies, mailboxes};
use crate::types::limits::COPY_PIECE_MAX;
use crate::types::{BodyId, Flags, MailboxId, Timestamp, UidSet};
use std::sync::Arc;

/// Notes older than this are of a copy that died.
const ABANDONED_SECONDS: i64 = 3600;

impl Store {
    /// Copies any number of messages to the end of another mailbox: all or none. `progress` hears how many of how many
    /// are prepared.
    pub async fn copy_many(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
        kept: Flags,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<CopyOutcome, StoreError> {
        self.copy_in_pieces(from, uids, (to, kept), COPY_PIECE_MAX, progress).await
    }

    pub(super) async fn copy_in_pieces(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: (MailboxId, Flags),
        piece_max: usize,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<CopyOutcome, StoreError> {
        let (source, entries) = self
            .read(move |tx| {
                let source = mailboxes::by_id(tx, from)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
                Ok((source, entries_of(tx, from, &uids)?))
            })
            .await?;
        if entries.len() <= piece_max {
            let uids = entries.iter().map(|entry| entry.uid).collect();
            return self.copy(from, uids, to.0, to.1).await;
        }
        let mut notes = Vec::new();
        let all = entries.len() as u64;
        for (number, piece) in entries.chunks(piece_max).enumerate() {
            progress((number * piece_max) as u64, all);
            let bodies: Vec<BodyId> = piece.iter().map(|entry| entry.body).collect();
            match self.hold_bodies(bodies).await {
                Ok(note) => notes.push(note),
                Err(error) => {
                    self.release_notes(notes).await?;
                    return Err(error);
                }
            }
        }
        let now = self.0.clock.now();
        let (entries, notes) = (Arc::new(entries), Arc::new(notes));
        let copying = Copying { to: to.0, kept: to.1, quota: QuotaUse::Counts };
        let (copied, held) = (Arc::clone(&entries), Arc::clone(&notes));
        let done = self
            .write(64 * entries.len(), move |tx| {
                for note in held.iter() {
                    drop_note(tx, *note)?;
                }
                append_copies(tx, &source, &copying, &copied, now)
            })
            .await;
        if done.is_err() {
            self.release_notes(notes.to_vec()).await?;
        }
        done
    }

    /// Gives back what copies hold that died half way. Returns how many notes went.
    pub async fn release_abandoned_copies(&self) -> Result<u64, StoreError> {
        let before = self.0.clock.now().plus_seconds(-ABANDONED_SECONDS);
        let notes = self
            .read(move |tx| {
                let sql = "SELECT copying_id FROM copying WHERE since <= ?1 ORDER BY copying_id";
                tx.rows(sql, &[before.into()], |row| row.int(0))
            })
            .await?;
        let count = notes.len() as u64;
        self.release_notes(notes).await?;
        Ok(count)
    }

    /// Counts a reference for each on behalf of a copy to come.
    pub(super) async fn hold_bodies(&self, bodies: Vec<BodyId>) -> Result<i64, StoreError> {
        let now = self.0.clock.now();
        self.write(16 * bodies.len(), move |tx| {
            for body in &bodies {
                bodies::refer(tx, *body, 1)?;
            }
            let packed: Vec<u8> = bodies.iter().flat_map(|body| body.0.to_le_bytes()).collect();
            let sql = "INSERT INTO copying (since, bodies) VALUES (?1, ?2) RETURNING copying_id";
            tx.row(sql, &[now.into(), (&packed).into()], |row| row.int(0))?.ok_or(StoreError::Missing(Thing::Body))
        })
        .await
    }

    async fn release_notes(&self, notes: Vec<i64>) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        for note in notes {
            self.write(64 * 1024, move |tx| release_note(tx, note, now)).await?;
        }
        Ok(())
    }
}

fn drop_note(tx: &mut Tx<'_>, note: i64) -> Result<(), StoreError> {
    // Upkeep took a note of ours for an abandoned one: what it held may be gone.
    match tx.execute("DELETE FROM copying WHERE copying_id = ?1", &[note.into()])? {
        0 => Err(StoreError::Missing(Thing::Body)),
        _ => Ok(()),
    }
}

fn release_note(tx: &mut Tx<'_>, note: i64, now: Timestamp) -> Result<(), StoreError> {
    let packed =
        tx.row("SELECT bodies FROM copying WHERE copying_id = ?1", &[note.into()], |row| Ok(row.blob(0)?.to_vec()))?;
    let Some(packed) = packed else { return Ok(()) };
    for body in held_bodies(&packed)? {
        bodies::release(tx, body, now)?;
    }
    drop_note(tx, note)
}

/// What a note holds.
pub(super) fn held_bodies(packed: &[u8]) -> Result<impl Iterator<Item = BodyId>, StoreError> {
    let (bodies, rest) = packed.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged(format!("a note of a copy of {} octets", packed.len())));
    }
    Ok(bodies.iter().map(|body| BodyId(i64::from_le_bytes(*body))))
}
