//! UIDBATCHES (RFC 10022): where to cut a mailbox so that each piece has so many messages.

use crate::imap::session::{COMPLETED, Outcome, Session};

impl Session {
    pub(super) fn uid_batches(&mut self, size: u32, wanted: Option<(u32, u32)>) -> Outcome {
        let batches = self.selected()?.view.batches(size, wanted);
        let tag = self.tag.as_ref().map_or("", |tag| tag.as_str()).to_owned();
        self.replies.uid_batches(&tag, &batches);
        Ok(COMPLETED)
    }
}
