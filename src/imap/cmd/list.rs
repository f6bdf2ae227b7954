//! LIST and LSUB (RFC 9051 section 6.3.9, RFC 3501 section 6.3.9): whom they ask. What is listed is worked out in `listing`.

use crate::imap::cause::Cause;
use crate::imap::grammar::{self, List, ListReturn};
use crate::imap::listing::{self, Known, Line};
use crate::imap::pattern::Pattern;
use crate::imap::replies::{Attribute, ListReply};
use crate::imap::session::{COMPLETED, Outcome, Session};
use crate::mailbox::Listing;
use crate::types::MailboxName;
use std::collections::BTreeSet;

impl Session {
    pub(super) async fn list(&mut self, list: List) -> Outcome {
        // RFC 9051 section 6.3.9: an empty name asks for the separator.
        if !list.extended && list.patterns.iter().all(|pattern| pattern.pattern.is_empty()) {
            self.replies.list_root();
            return Ok(COMPLETED);
        }
        let (known, subscriptions) = self.names().await?;
        let patterns: Vec<Pattern> = list.patterns.iter().filter_map(Pattern::new).collect();
        let returns = list.returns.unwrap_or_default();
        let subscribed_shown = returns.subscribed || list.selection.subscribed;
        let mut lines = listing::list(&known, &subscriptions, &patterns, list.selection, subscribed_shown);
        // Who does not know RFC 5258 does not know `\NonExistent` either, and would select what is no mailbox.
        let plain = !list.extended && !self.enabled.rev2;
        for line in &mut lines {
            if plain && !line.exists {
                line.attributes.iter_mut().for_each(|attribute| {
                    if *attribute == Attribute::NonExistent {
                        *attribute = Attribute::NoSelect;
                    }
                });
            }
            self.list_line(line);
            if line.exists {
                self.list_extras(&line.name, &returns).await?;
            }
        }
        Ok(COMPLETED)
    }

    fn list_line(&mut self, line: &Line) {
        self.replies.list(&ListReply {
            name: &line.name,
            attributes: &line.attributes,
            subscribed_child: line.subscribed_child,
            old_name: None,
        });
    }

    /// What RETURN asks for beside the line (RFC 5819).
    async fn list_extras(&mut self, name: &MailboxName, returns: &ListReturn) -> Result<(), Cause> {
        if let Some(items) = &returns.status {
            // A mailbox that went away meanwhile has no status, and that is all there is to say.
            let _ = self.tell_status(name, items).await;
        }
        // RFC 8440 section 3.
        if returns.my_rights
            && let Ok(rights) = self.services.mailboxes.my_rights(self.viewer()?, name).await
        {
            self.replies.my_rights(name, &rights.to_string());
        }
        // RFC 9590 section 3.
        if let Some((options, entries)) = &returns.metadata {
            let _ = self.tell_metadata(Some(name), *options, entries).await;
        }
        Ok(())
    }

    pub(super) async fn lsub(&mut self, pattern: &grammar::Pattern) -> Outcome {
        let (known, subscriptions) = self.names().await?;
        if let Some(pattern) = Pattern::new(pattern) {
            for line in listing::lsub(&known, &subscriptions, &pattern) {
                self.replies.lsub(&line.name, &line.attributes);
            }
        }
        Ok(COMPLETED)
    }

    /// All names there are for this person.
    async fn names(&mut self) -> Result<(Vec<Known>, BTreeSet<MailboxName>), Cause> {
        let viewer = self.viewer()?;
        let Listing { mailboxes, subscriptions } = self.services.mailboxes.list(viewer).await?;
        let known = mailboxes.into_iter().map(|seen| Known { name: seen.name, special_use: seen.record.special_use });
        Ok((known.collect(), subscriptions))
    }
}
