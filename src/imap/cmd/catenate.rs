//! CATENATE (RFC 4469): a new message out of texts the client sends and parts of messages it names by URL (RFC 5092).

use crate::imap::cause::Cause;
use crate::imap::fetching::part_of;
use crate::imap::grammar::{CatenatePart, MessageUrl, message_url};
use crate::imap::session::Session;
use crate::mailbox::{Entry, Incoming, MailboxError, OpenMailbox, Part, Want, Window};
use crate::types::{HeldMessage, Uid};
use std::sync::Arc;

impl Session {
    pub(super) async fn catenate(&mut self, parts: Vec<CatenatePart>) -> Result<HeldMessage, Cause> {
        let mut message = self.services.mailboxes.incoming();
        for part in parts {
            match part {
                CatenatePart::Text(payload) => {
                    let text = self.uploads.take(payload)?;
                    message.add(text).await?;
                }
                CatenatePart::Url(text) => {
                    let url = message_url(&text).map_err(|error| Cause::BadUrl(text.clone(), error))?;
                    match self.add_part(&mut message, url).await {
                        Ok(()) => {}
                        // The new message grows too long, or can't be kept: that is not the URL's fault.
                        Err(
                            error @ (MailboxError::MessageTooLarge | MailboxError::Spool(_) | MailboxError::Store(_)),
                        ) => {
                            return Err(error.into());
                        }
                        Err(_) => return Err(Cause::NothingThere(text)),
                    }
                }
            }
        }
        Ok(message.finish().await?)
    }

    /// Copies what the URL means to the end of the new message.
    async fn add_part(&mut self, message: &mut Incoming, url: MessageUrl) -> Result<(), MailboxError> {
        let entry = self.entry_at(&url).await?;
        let window = url.partial.map(|(origin, length)| Window { origin, length: length.unwrap_or(u64::MAX) });
        let want = Want { path: url.section.part, of: part_of(&url.section.text), window };
        let source = self.services.mailboxes.message(&entry).await?;
        let Part::There(mut stream) = source.part(&want).await? else { return Err(MailboxError::MessageGone) };
        while let Some(octets) = stream.next().await? {
            message.write(&octets).await?;
        }
        Ok(())
    }

    async fn entry_at(&mut self, url: &MessageUrl) -> Result<Entry, MailboxError> {
        let person = self.login.as_ref().ok_or(MailboxError::NotPermitted)?;
        // Another server's mail, or somebody else's, is not fetched on anybody's behalf.
        if let Some(server) = &url.server {
            let own = server.user.as_ref().is_none_or(|user| user.eq_ignore_ascii_case(&person.address().to_string()));
            let host = server.host.split(':').next().unwrap_or_default();
            if !own || host != self.services.hostname.as_str() {
                return Err(MailboxError::NoSuchMailbox);
            }
        }
        let mailboxes = &self.services.mailboxes;
        let opened: Arc<OpenMailbox>;
        let mailbox = match (&url.mailbox, &self.selected) {
            (Some(name), _) => {
                opened = mailboxes.open(person.account(), name).await?.1;
                &*opened
            }
            (None, Some(selected)) => selected.mailbox(),
            (None, None) => return Err(MailboxError::NoSuchMailbox),
        };
        let state = mailboxes.state(mailbox).await?;
        if url.uid_validity.is_some_and(|validity| validity != state.uidvalidity().0) {
            return Err(MailboxError::MessageGone);
        }
        state.entry(Uid(url.uid)).copied().ok_or(MailboxError::MessageGone)
    }
}
