//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 9051 sections 6.3.4 to 6.3.8 and 6.3.11).

use crate::imap::cause::Cause;
use crate::imap::grammar::{Mailbox, StatusItem, Use};
use crate::imap::replies::{Attribute, Code, ListReply, Status};
use crate::imap::session::{COMPLETED, Done, Outcome, Session};
use crate::mailbox::Rights;
use crate::types::{MailboxName, SpecialUse};

impl Session {
    pub(super) async fn create(&mut self, mailbox: Mailbox, uses: &[Use]) -> Outcome {
        let viewer = self.viewer()?;
        let old = mailbox.respelled().cloned();
        let name = mailbox.named()?;
        let usage = wanted_use(uses)?;
        let made = self.services.mailboxes.create(viewer, &name, usage).await?;
        self.tell_old_name(&name, old.as_ref());
        // RFC 8474 section 4.1.
        Ok(Done::Completed(Some(Code::MailboxId(made.record.id))))
    }

    pub(super) async fn delete(&mut self, mailbox: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        let name = mailbox.named()?;
        let id = self.services.mailboxes.find(viewer, &name).await?.record.id;
        self.services.mailboxes.delete(viewer, &name).await?;
        // Its own mailbox going away under a session is news for others; who did it knows.
        if self.selected.as_deref().is_some_and(|selected| selected.mailbox().id() == id) {
            self.selected = None;
            self.replies.untagged(Status::Ok, Some(&Code::Closed), "The mailbox is deleted");
        }
        Ok(COMPLETED)
    }

    pub(super) async fn rename(&mut self, from: Mailbox, to: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        let (from, to) = (from.named()?, to.named()?);
        self.services.mailboxes.rename(viewer, &from, &to).await?;
        // INBOX stays, whatever becomes of its messages.
        self.tell_old_name(&to, Some(&from).filter(|from| !from.is_inbox()));
        Ok(COMPLETED)
    }

    /// RFC 9051 section 6.3.9.7: how a mailbox is called now that the client has called otherwise.
    pub(super) fn tell_old_name(&mut self, name: &MailboxName, old_name: Option<&MailboxName>) {
        if self.enabled.rev2 && old_name.is_some() {
            let attributes: [Attribute; 0] = [];
            self.replies.list(&ListReply { name, attributes: &attributes, subscribed_child: false, old_name });
        }
    }

    pub(super) async fn subscribe(&mut self, mailbox: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        self.services.mailboxes.subscribe(viewer, &mailbox.named()?).await?;
        Ok(COMPLETED)
    }

    pub(super) async fn unsubscribe(&mut self, mailbox: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        self.services.mailboxes.unsubscribe(viewer, &mailbox.named()?).await?;
        Ok(COMPLETED)
    }

    pub(super) async fn status(&mut self, mailbox: Mailbox, items: &[StatusItem]) -> Outcome {
        // RFC 7162 section 3.1.
        self.enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
        let old = mailbox.respelled().cloned();
        let name = mailbox.named()?;
        self.tell_old_name(&name, old.as_ref());
        self.tell_status(&name, items).await?;
        Ok(COMPLETED)
    }

    pub(super) async fn tell_status(&mut self, name: &MailboxName, items: &[StatusItem]) -> Result<(), Cause> {
        let viewer = self.viewer()?;
        let seen = self.services.mailboxes.find(viewer, name).await?;
        // RFC 4314 section 4.
        seen.require(Rights::READ)?;
        let status = seen.record;
        let append_limit = self.services.mailboxes.settings().message_octets_max;
        let values: Vec<(StatusItem, u64)> = items
            .iter()
            .map(|item| {
                let value = match item {
                    StatusItem::Messages => u64::from(status.messages),
                    StatusItem::Recent => 0,
                    StatusItem::UidNext => u64::from(status.uidnext.0),
                    StatusItem::UidValidity => u64::from(status.uidvalidity.0),
                    StatusItem::Unseen => u64::from(status.unseen),
                    StatusItem::Deleted => u64::from(status.deleted),
                    StatusItem::Size => status.octets,
                    StatusItem::HighestModSeq => status.highest_modseq.0,
                    StatusItem::MailboxId => status.id.0.unsigned_abs(),
                    StatusItem::DeletedStorage => status.deleted_octets,
                    StatusItem::AppendLimit => append_limit,
                };
                (*item, value)
            })
            .collect();
        self.replies.mailbox_status(name, &values);
        Ok(())
    }
}

/// RFC 6154 section 3: a mailbox is for one thing here; more is refused as the RFC allows.
fn wanted_use(uses: &[Use]) -> Result<Option<SpecialUse>, Cause> {
    match uses {
        [] => Ok(None),
        // These two are views of what is in other mailboxes, which we don't have.
        [Use::Known(usage)] if !matches!(usage, SpecialUse::All | SpecialUse::Flagged) => Ok(Some(*usage)),
        _ => Err(Cause::UnknownUse),
    }
}
