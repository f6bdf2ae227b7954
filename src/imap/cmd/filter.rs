//! FILTER and UID FILTER (draft-bosch-imap-filter-sieve-00): a script run over messages that a search finds, as if they came
//! in now.

use super::search::Matching;
use crate::delivery::{Chosen, NotReady, Occasion, ReadyScript};
use crate::imap::cause::Cause;
use crate::imap::events::Scripts;
use crate::imap::fetching::Messages;
use crate::imap::grammar::{Addressing, FilterScript, Key};
use crate::imap::replies::Code;
use crate::imap::session::{Done, Outcome, Running, Session};
use crate::mailbox::MailboxError;
use crate::types::MailboxName;

/// Messages that are still to be filtered.
pub(in crate::imap) struct Filtering {
    ready: ReadyScript,
    scripts: Scripts,
    mailbox: MailboxName,
    messages: Messages,
    addressing: Addressing,
    /// Said at the end.
    limited: Option<Code>,
}

impl Session {
    pub(super) async fn filter(&mut self, addressing: Addressing, script: FilterScript, key: Key) -> Outcome {
        let viewer = self.viewer()?;
        let selected = self.selected()?;
        selected.must_be_writable()?;
        // Scripts speak of their owner's mailboxes: in somebody else's they have nothing to say.
        if selected.mailbox().account() != viewer {
            return Err(Cause::Mailbox(MailboxError::NotPermitted));
        }
        let record = self.services.mailboxes.record_of(selected.mailbox()).await?;
        let chosen = match script {
            FilterScript::Delivery => Chosen::Delivery,
            FilterScript::Personal(name) => Chosen::Personal(name),
            FilterScript::Global(name) => Chosen::Global(name),
            FilterScript::Script(text) => Chosen::Text(text.into_bytes()),
        };
        // Section 3.2: the script first; what is wrong with it is said once and not of every message.
        let ready = self.services.delivery.ready_script(viewer, chosen).await;
        // Section 4.9: nothing has happened to these messages.
        let ready = ready.and_then(|ready| match ready.needs_event() {
            Some(error) => Err(NotReady::Broken(error)),
            None => Ok(ready),
        });
        let ready = match ready {
            Ok(ready) => ready,
            Err(why) => {
                let tag = self.tag.as_ref().map_or("", |tag| tag.as_str()).to_owned();
                match why {
                    NotReady::Missing => self.replies.filter_errors(&tag, "There is no such script"),
                    NotReady::Broken(errors) => self.replies.filter_errors(&tag, &errors),
                    NotReady::Delivery(error) => {
                        tracing::error!(session = %self.id, %error, "a script could not be made ready");
                    }
                }
                return Err(Cause::FilterNotReady);
            }
        };
        let Matching { uids, limited, .. } = self.matching(key).await?;
        let messages = Messages::new(self.selected()?.view.sequence().pieces_of(&uids).collect());
        let (scripts, mailbox) = (self.scripts()?, record.name);
        self.run(Running::Filtering(Box::new(Filtering { ready, scripts, mailbox, messages, addressing, limited })))
    }

    /// One message.
    pub(in crate::imap) async fn filter_next(&mut self, mut filtering: Box<Filtering>) -> Outcome {
        let Some((number, uid)) = filtering.messages.next() else { return Ok(Done::Completed(filtering.limited)) };
        let Filtering { ready, scripts, mailbox, .. } = &*filtering;
        let errors = scripts.filter_message(ready, self.selected()?.mailbox(), mailbox, uid, Occasion::Filter).await?;
        let tag = self.tag.as_ref().map_or("", |tag| tag.as_str()).to_owned();
        // RFC 9586 section 3: there are no sequence numbers for this client.
        let number = if self.enabled.uid_only { uid.0 } else { number };
        let with_uid = (filtering.addressing == Addressing::Uid).then_some(uid.0);
        let errors = (!errors.is_empty()).then(|| errors.join("\r\n"));
        self.replies.filtered(number, &tag, with_uid, errors.as_deref());
        self.run(Running::Filtering(filtering))
    }
}
