//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 sections 6.3.2, 6.3.3, 6.4.1, 6.4.2; RFC 7162 section 3.2.5).

use crate::imap::cause::Cause;
use crate::imap::grammar::{Access, QResync, Select};
use crate::imap::replies::{Attribute, Code, ListReply, Status};
use crate::imap::selected::{Selected, changed_of, flags_reply, tell_flags};
use crate::imap::session::{COMPLETED, Done, Outcome, Session};
use crate::mailbox::{Gone, Head, MailboxError, Rights, State};
use crate::types::{Flags, MailboxId, MailboxName, ModSeq, UidSet};

/// Rights without which a mailbox can only be read.
const CHANGING: [Rights; 5] = [Rights::SEEN, Rights::WRITE, Rights::INSERT, Rights::DELETE_MESSAGES, Rights::EXPUNGE];

impl Session {
    pub(super) async fn select(&mut self, select: Select) -> Outcome {
        let viewer = self.viewer()?;
        // RFC 7162 section 3.2.5: BAD unless it was enabled.
        if select.qresync.is_some() && !self.enabled.qresync {
            return Err(Cause::QResyncFirst);
        }
        // RFC 9051 section 6.3.2: whether or not this works, the mailbox before is not selected any more.
        if self.selected.take().is_some() {
            self.replies.untagged(Status::Ok, Some(&Code::Closed), "The mailbox before is closed");
        }
        self.enabled.condstore |= select.condstore;
        let old = select.mailbox.respelled().cloned();
        let name = select.mailbox.named()?;
        let (rights, mailbox) = self.services.mailboxes.open(viewer, &name).await?;
        let mut head = self.services.mailboxes.head(&mailbox).await?;
        if select.qresync.is_some() && head.state.is_none() {
            head = Head::of_state(self.services.mailboxes.state(&mailbox).await?);
        }
        // RFC 4314 section 5.2: read-write if anything can be changed.
        let can_change = CHANGING.iter().any(|right| rights.contains(*right));
        let access = if can_change { select.access } else { Access::ReadOnly };
        let changeable = if access == Access::ReadOnly { Flags::NONE } else { rights.changeable_flags() };
        tell_flags(&head.keywords, changeable, &mut self.replies);
        self.tell_selected(&name, old.as_ref(), mailbox.id(), &head);
        let mut selected = Box::new(Selected::new(mailbox, access, changeable, self.dialect(), &head));
        if let (Some(qresync), Some(state)) = (&select.qresync, &head.state) {
            self.resync(&mut selected, qresync, state).await?;
        }
        self.selected = Some(selected);
        let code = match access {
            Access::ReadWrite => Code::ReadWrite,
            Access::ReadOnly => Code::ReadOnly,
        };
        Ok(Done::Completed(Some(code)))
    }

    fn tell_selected(&mut self, name: &MailboxName, old: Option<&MailboxName>, id: MailboxId, head: &Head) {
        let replies = &mut self.replies;
        replies.exists(head.messages);
        if !self.enabled.rev2 {
            replies.recent(0);
            // RFC 3501 section 6.3.1: a client that misses it has to search.
            if let Some(number) = head.first_unseen {
                replies.untagged(Status::Ok, Some(&Code::Unseen(number)), "First message not seen");
            }
        }
        let codes = [
            (Code::UidValidity(head.uidvalidity.0), "UIDs are valid as long as this stays"),
            (Code::UidNext(head.uidnext.0), "The next UID"),
            (Code::HighestModSeq(head.highest_modseq.0), "The last change"),
            // RFC 8474 section 4.2.
            (Code::MailboxId(id), "The mailbox's own name"),
        ];
        for (code, text) in codes {
            replies.untagged(Status::Ok, Some(&code), text);
        }
        if self.enabled.rev2 {
            // RFC 9051 section 6.3.2: with the name as we spell it.
            let attributes: [Attribute; 0] = [];
            replies.list(&ListReply { name, attributes: &attributes, subscribed_child: false, old_name: old });
        }
    }

    /// RFC 7162 section 3.2.5: what changed while the client was away.
    async fn resync(&mut self, selected: &mut Selected, known: &QResync, state: &State) -> Result<(), Cause> {
        if known.uid_validity != state.uidvalidity().0 {
            return Ok(());
        }
        let news = self.services.mailboxes.news(selected.mailbox(), ModSeq(known.mod_seq)).await?;
        // What happened after the state that was shown is told later, like any news.
        let gone = match &news.gone {
            Gone::These(uids) => Some(uids.difference(state.uids())),
            Gone::AllBut(_) => None,
        };
        let view = &selected.view;
        let vanished = view.vanished(gone.as_ref(), known.known_uids.as_deref(), known.match_data.as_ref());
        if !vanished.is_empty() {
            self.replies.vanished_earlier(&vanished);
        }
        let wanted = known.known_uids.as_ref().map(|ranges| UidSet::from_ranges(ranges.iter().copied()));
        for entry in state.changed_since(ModSeq(known.mod_seq)) {
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(entry.uid)) {
                continue;
            }
            if let Some(number) = view.sequence().number_of(entry.uid.0) {
                let changed = changed_of(entry);
                flags_reply(number, &changed, Some(entry.uid), state.keywords(), self.enabled, &mut self.replies);
            }
        }
        Ok(())
    }

    /// RFC 9051 section 6.4.1: what is marked goes without a word.
    pub(super) async fn close(&mut self) -> Outcome {
        let selected = self.selected()?;
        if selected.access == Access::ReadWrite {
            match self.services.mailboxes.expunge(self.viewer()?, selected.mailbox(), None).await {
                // RFC 4314 section 4: without the right to, nothing is removed, and that is all.
                Ok(_) | Err(MailboxError::NotPermitted) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.selected = None;
        Ok(COMPLETED)
    }

    pub(super) fn unselect(&mut self) -> Outcome {
        self.selected()?;
        self.selected = None;
        Ok(COMPLETED)
    }
}
