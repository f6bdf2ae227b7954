//! Which messages of an account belong together (RFC 8474 section 5.2), by the identifiers they name.

use super::messages::pages_between;
use super::pages::pack;
use super::tx::Tx;
use super::{Change, Store, StoreError, Thing, Touched, mailboxes};
use crate::types::{AccountId, MailboxId, ThreadId, Uid};
use std::collections::HashMap;

/// A message without a thread, and what stands for the identifiers it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unthreaded {
    pub uid: Uid,
    /// Its own first.
    pub references: Vec<i64>,
}

impl Store {
    /// Gives messages their threads: that of any message they name or that names them, or a new one. A message keeps
    /// the thread it has; two threads that turn out to be one stay two, because clients remember them.
    pub async fn assign_threads(&self, mailbox: MailboxId, messages: Vec<Unthreaded>) -> Result<(), StoreError> {
        self.write(256 * messages.len(), move |tx| {
            let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            let first = messages.iter().map(|message| message.uid).min().unwrap_or_default();
            let last = messages.iter().map(|message| message.uid).max().unwrap_or_default();
            let by_uid: HashMap<Uid, &Unthreaded> = messages.iter().map(|message| (message.uid, message)).collect();
            let mut threads = Vec::new();
            for (page, mut entries) in pages_between(tx, mailbox, first, last)? {
                let before = threads.len();
                for entry in &mut entries {
                    let Some(message) = by_uid.get(&entry.uid).filter(|_| entry.thread == ThreadId(0)) else {
                        continue;
                    };
                    // Bodies have numbers of their own, so the first body of a thread names it.
                    let new = ThreadId(entry.body.0);
                    entry.thread = thread_of(tx, record.account, &message.references, new)?;
                    threads.push((entry.uid, entry.thread));
                }
                if threads.len() > before {
                    let packed = pack(&entries);
                    let parameters = [page.into(), (&packed).into()];
                    tx.execute("UPDATE page SET entries = ?2 WHERE page_id = ?1", &parameters)?;
                }
            }
            if !threads.is_empty() {
                tx.touched.push(Touched::of(&record, record.highest_modseq, Change::Threads(threads)));
            }
            Ok(())
        })
        .await
    }
}

/// The oldest thread any of the references belongs to, else `new`; those that belonged to none belong to it from now on.
fn thread_of(tx: &mut Tx<'_>, account: AccountId, references: &[i64], new: ThreadId) -> Result<ThreadId, StoreError> {
    let mut found: Option<i64> = None;
    let mut unknown = Vec::new();
    for reference in references {
        let sql = "SELECT thread_id FROM thread_reference WHERE account_id = ?1 AND reference = ?2";
        match tx.int(sql, &[account.into(), (*reference).into()])? {
            Some(thread) => found = Some(found.map_or(thread, |found| found.min(thread))),
            None => unknown.push(*reference),
        }
    }
    let thread = ThreadId(found.unwrap_or(new.0));
    for reference in unknown {
        tx.execute(
            "INSERT INTO thread_reference (account_id, reference, thread_id) VALUES (?1, ?2, ?3)
             ON CONFLICT (account_id, reference) DO NOTHING",
            &[account.into(), reference.into(), thread.0.into()],
        )?;
    }
    Ok(thread)
}
