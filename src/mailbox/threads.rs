//! Which messages are one conversation (RFC 8474 section 5.2): worked out when somebody asks, never on the way in.

use super::service::Mailboxes;
use super::{MailboxError, OpenMailbox};
use crate::message::Facts;
use crate::store::{Detail, Unthreaded};
use crate::types::limits::{THREAD_REFERENCES_MAX, THREADS_PIECE_MAX};
use crate::types::{BodyId, ThreadId, Uid, UidSet};
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;

impl Mailboxes {
    /// Gives a thread to those of the messages that have none yet. A thread is kept for good once it is given.
    pub async fn assign_threads(&self, mailbox: &OpenMailbox, uids: &UidSet) -> Result<(), MailboxError> {
        let state = self.state(mailbox).await?;
        let without: Vec<(Uid, BodyId)> = state
            .entries_of(uids)
            .filter(|entry| entry.thread == ThreadId(0))
            .map(|entry| (entry.uid, entry.body))
            .collect();
        for piece in without.chunks(THREADS_PIECE_MAX) {
            let bodies = piece.iter().map(|(_, body)| *body).collect();
            let uids: Vec<Uid> = piece.iter().map(|(uid, _)| *uid).collect();
            let read = self.store().each_body(bodies, Detail::Record, Vec::new(), move |messages, place, row| {
                let facts = row.record.and_then(|record| Facts::from_bytes(record.facts).ok());
                let references = facts.as_ref().map(references).unwrap_or_default();
                messages.push(Unthreaded { uid: uids[place], references });
                ControlFlow::Continue(())
            });
            let (messages, _) = read.await?;
            self.store().assign_threads(mailbox.id(), messages).await?;
        }
        Ok(())
    }
}

/// What stands for the identifiers a message names, its own first. The last ones it names are its nearest ancestors.
fn references(facts: &Facts) -> Vec<i64> {
    let ancestors = facts.references.iter().rev().take(THREAD_REFERENCES_MAX);
    facts.message_id.iter().chain(&facts.in_reply_to).chain(ancestors).map(|identifier| number_of(identifier)).collect()
}

/// The same number for the same identifier for ever: it is stored.
fn number_of(identifier: &str) -> i64 {
    let digest = Sha256::digest(identifier.as_bytes());
    let mut octets = [0; 8];
    octets.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_change() {
        assert_eq!(number_of("1@example.org"), number_of("1@example.org"));
        assert_ne!(number_of("1@example.org"), number_of("2@example.org"));
        assert_eq!(number_of(""), i64::from_be_bytes([0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14]));
    }

    #[test]
    fn ones_own_comes_first_and_ancestors_from_the_nearest() {
        let text = |text: &str| Some(text.to_owned());
        let ancestors = (0..1000).map(|number| number.to_string()).collect();
        let facts =
            Facts { message_id: text("own"), in_reply_to: text("parent"), references: ancestors, ..Facts::default() };
        let numbers = references(&facts);
        assert_eq!(numbers.len(), THREAD_REFERENCES_MAX + 2);
        assert_eq!(numbers[..3], [number_of("own"), number_of("parent"), number_of("999")]);
    }
}
