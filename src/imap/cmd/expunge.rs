//! EXPUNGE, UID EXPUNGE, COPY, MOVE (RFC 9051 sections 6.4.3, 6.4.7 to 6.4.9; RFC 4315, RFC 6851).

use crate::delivery::Occasion;
use crate::imap::cause::Cause;
use crate::imap::events::Scene;
use crate::imap::grammar::{Addressing, Mailbox, Numbers};
use crate::imap::replies::{Code, Status};
use crate::imap::session::{COMPLETED, Done, Outcome, Session};
use crate::mailbox::{CopyOutcome, Entry, MailboxRecord};
use crate::types::{Flags, MailboxName};
use std::sync::Arc;

impl Session {
    pub(super) async fn expunge(&mut self, numbers: Option<Numbers>) -> Outcome {
        let selected = self.selected()?;
        selected.must_be_writable()?;
        let (uids, limited) = match &numbers {
            Some(numbers) => {
                let named = selected.view.resolve(Addressing::Uid, numbers)?;
                // RFC 9738 section 3.1: what counts are the messages that go.
                let state = self.services.mailboxes.state(selected.mailbox()).await?;
                let marked = |entry: &&Entry| entry.flags.contains(Flags::DELETED);
                let marked = state.entries_of(&named).filter(marked).map(|entry| entry.uid).collect();
                let (uids, limited) = self.within_limit(marked);
                (Some(uids), limited)
            }
            None => (None, None),
        };
        self.services.mailboxes.expunge(self.viewer()?, selected.mailbox(), uids).await?;
        // Which ones went is told at the end of the command, with those that others took away.
        let state = self.services.mailboxes.state(selected.mailbox()).await?;
        // RFC 7162 section 3.2.7.
        let code = self.enabled.qresync.then(|| Code::HighestModSeq(state.highest_modseq().0));
        Ok(Done::Completed(self.one_code(code, limited)))
    }

    pub(super) async fn copy(&mut self, addressing: Addressing, numbers: &Numbers, to: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        let selected = self.selected()?;
        let uids = selected.view.resolve(addressing, numbers)?;
        let name = to.named()?;
        if uids.is_empty() {
            return Ok(COMPLETED);
        }
        // All or none (RFC 9051 section 6.4.7), so these can't be the first of more.
        if self.within_limit(uids.clone()).1.is_some() {
            return Err(Cause::TooManyMessages(self.services.messages_max));
        }
        let work = Arc::clone(&self.work);
        let progress = &mut |done, of| work.set(done, of);
        let copied = self.services.mailboxes.copy(viewer, selected.mailbox(), uids.clone(), &name, progress).await;
        let copied = copied.map_err(Cause::for_target)?;
        if addressing == Addressing::Sequence && (copied.sources.len() as u64) < uids.count() {
            return Err(Cause::MessagesGone);
        }
        self.after_copy(&name, &copied).await?;
        Ok(Done::Completed(copy_uid(&copied)))
    }

    /// RFC 6785 section 2.2.2: of either command, copies are what has happened.
    async fn after_copy(&mut self, to: &MailboxName, copied: &CopyOutcome) -> Result<(), Cause> {
        let found = self.services.mailboxes.find(self.viewer()?, to).await?;
        let MailboxRecord { account: owner, id, name, .. } = found.record;
        let messages = copied.copies.iter().map(|uid| (*uid, Occasion::Copy)).collect();
        self.scripts()?.run_on_event(Scene { owner, id, name }, messages).await;
        Ok(())
    }

    pub(super) async fn move_messages(&mut self, addressing: Addressing, numbers: &Numbers, to: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        let selected = self.selected()?;
        selected.must_be_writable()?;
        let (uids, limited) = self.within_limit(selected.view.resolve(addressing, numbers)?);
        let name = to.named()?;
        if uids.is_empty() {
            return Ok(COMPLETED);
        }
        let mailboxes = &self.services.mailboxes;
        let work = Arc::clone(&self.work);
        let progress = &mut |done, of| work.set(done, of);
        let moved = mailboxes.move_messages(viewer, selected.mailbox(), uids.clone(), &name, progress).await;
        let (moved, failed) = match moved {
            Ok(moved) => (Some(moved), None),
            Err((error, moved)) => (moved, Some(error)),
        };
        // RFC 6851 section 4.3: before the messages are said to be gone.
        if let Some(code) = moved.as_ref().and_then(copy_uid) {
            self.replies.untagged(Status::Ok, Some(&code), "Moved");
        }
        if let Some(moved) = &moved {
            self.after_copy(&name, moved).await?;
        }
        if let Some(error) = failed {
            return Err(Cause::for_target(error));
        }
        let moved = moved.map_or(0, |moved| moved.sources.len() as u64);
        if addressing == Addressing::Sequence && moved < uids.count() {
            self.one_code(Some(Code::ExpungeIssued), limited);
            return Err(Cause::MessagesGone);
        }
        Ok(Done::Completed(limited))
    }
}

/// Both lists ascend: copies are made in the order of the messages.
fn copy_uid(copied: &CopyOutcome) -> Option<Code> {
    (!copied.sources.is_empty()).then(|| Code::CopyUid {
        uid_validity: copied.uidvalidity.0,
        from: copied.sources.iter().copied().collect(),
        to: copied.copies.iter().copied().collect(),
    })
}
