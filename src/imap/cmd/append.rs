//! APPEND (RFC 9051 section 6.3.12), of several messages at once too (RFC 3502): all of them or none. REPLACE (RFC 8508).

use crate::delivery::Occasion;
use crate::imap::cause::Cause;
use crate::imap::cmd::store::settable;
use crate::imap::events::{Scene, Scripts};
use crate::imap::grammar::{Addressing, AppendData, AppendMessage, Mailbox};
use crate::imap::replies::{Code, Status};
use crate::imap::session::{COMPLETED, Done, Outcome, Session};
use crate::imap::view::NumbersError;
use crate::mailbox::{Appended, NewMessage};
use crate::types::{Timestamp, Uid};

impl Session {
    pub(super) async fn append(&mut self, mailbox: Mailbox, messages: Vec<AppendMessage>) -> Outcome {
        let viewer = self.viewer()?;
        let name = mailbox.named()?;
        // RFC 9738 section 3.1: all or none, so these can't be the first of more.
        if messages.len() as u64 > u64::from(self.services.messages_max) {
            return Err(Cause::TooManyMessages(self.services.messages_max));
        }
        let mut new = Vec::with_capacity(messages.len());
        for message in messages {
            new.push(self.new_message(message).await?);
        }
        let appended = self.services.mailboxes.append(viewer, &name, new).await;
        let appended = appended.map_err(Cause::for_target)?;
        Ok(Done::Completed(Some(after_append(&self.scripts()?, appended).await)))
    }

    /// RFC 8508: the new message is there before the old one is said to be gone.
    pub(super) async fn replace(
        &mut self,
        addressing: Addressing,
        number: Option<u32>,
        to: Mailbox,
        message: AppendMessage,
    ) -> Outcome {
        let viewer = self.viewer()?;
        let name = to.named()?;
        let new = self.new_message(message).await?;
        let selected = self.selected()?;
        selected.must_be_writable()?;
        let sequence = selected.view.sequence();
        let uid = match (addressing, number) {
            // A UID may be gone without the client's fault; a number it was given is there until it is told otherwise.
            (Addressing::Uid, Some(uid)) if !sequence.contains(uid) => return Err(Cause::MessagesGone),
            (Addressing::Uid, Some(uid)) => Some(uid),
            (Addressing::Sequence, Some(number)) => sequence.uid_of(number),
            (_, None) => sequence.uid_of(sequence.len()),
        };
        let uid = uid.map(Uid).ok_or(Cause::Numbers(NumbersError::NoSuchNumber))?;
        let appended = self.services.mailboxes.replace(viewer, (selected.mailbox(), uid), &name, new).await;
        let appended = appended.map_err(Cause::for_target)?;
        let code = after_append(&self.scripts()?, appended).await;
        self.replies.untagged(Status::Ok, Some(&code), "Replacement is in place");
        Ok(COMPLETED)
    }

    pub(super) async fn new_message(&mut self, message: AppendMessage) -> Result<NewMessage, Cause> {
        let (flags, keywords) = settable(&message.flags)?;
        let received = match message.data {
            AppendData::Message(payload) => self.uploads.take(payload)?,
            AppendData::Utf8(_) if !(self.enabled.utf8_accept || self.enabled.rev2) => return Err(Cause::Utf8First),
            AppendData::Utf8(payload) => self.uploads.take(payload)?,
            AppendData::Catenate(parts) => self.catenate(parts).await?,
        };
        // RFC 3502 section 6.3.11: MUST be NO; it is how a client takes back all that it has sent.
        if received.octets() == 0 {
            return Err(Cause::EmptyMessage);
        }
        let content = self.services.mailboxes.prepare_received(received).await?;
        let internal_date = message.date.map(|date| (Timestamp::from_seconds(date.seconds), date.zone_minutes));
        Ok(NewMessage { content, flags, keywords, internal_date })
    }
}

async fn after_append(scripts: &Scripts, appended: Appended) -> Code {
    let Appended { mailbox: id, owner, name, uidvalidity, uids } = appended;
    let messages = uids.iter().map(|uid| (*uid, Occasion::Append)).collect();
    scripts.run_on_event(Scene { owner, id, name }, messages).await;
    Code::AppendUid { uid_validity: uidvalidity.0, uids: uids.into_iter().collect() }
}
