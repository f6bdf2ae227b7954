//! ESEARCH, which searches several mailboxes (RFC 7377), and CANCELUPDATE (RFC 5267 section 4.3.5).

use crate::imap::cause::Cause;
use crate::imap::grammar::{Addressing, Key, MailboxFilter, Numbers, ReturnOption};
use crate::imap::replies::SearchScope;
use crate::imap::searching::{Found, Returns, asks_mod_seq, asks_threads, query_of};
use crate::imap::session::{COMPLETED, Outcome, Session};
use crate::imap::sources::{Asker, Place, takes};
use crate::mailbox::{MailboxError, Rights, Seen};
use crate::types::UidSet;

impl Session {
    pub(super) async fn multi_search(
        &mut self,
        sources: Option<Vec<MailboxFilter>>,
        options: Option<Vec<ReturnOption>>,
        key: Key,
    ) -> Outcome {
        let options = options.unwrap_or_else(|| vec![ReturnOption::All]);
        // RFC 7377 section 2.1: without sources it is a UID SEARCH of the selected mailbox.
        let Some(sources) = sources else {
            return self.search(Addressing::Uid, Some(options), key).await;
        };
        let returns = Returns::of(&options);
        // RFC 7377 section 2.1: what is saved, kept up to date or numbered belongs to one mailbox.
        if returns.save || returns.update {
            return Err(Cause::OneMailboxOnly);
        }
        let mut done = 0;
        let chosen = self.sources(&sources).await?;
        for seen in &chosen {
            self.search_one(seen, &returns, key.clone()).await?;
            done += 1;
            self.work.set(done, chosen.len() as u64);
        }
        Ok(COMPLETED)
    }

    /// Each mailbox once, however many sources name it. What is not there or may not be read is left out (RFC 7377
    /// section 2.2).
    async fn sources(&mut self, filters: &[MailboxFilter]) -> Result<Vec<Seen>, Cause> {
        let account = self.viewer()?;
        let selected = self.selected.as_deref().map(|selected| selected.mailbox().id());
        if selected.is_none() && filters.contains(&MailboxFilter::Selected) {
            return Err(Cause::SelectFirst);
        }
        let asker = Asker { account, selected };
        let listing = self.services.mailboxes.list(account).await?;
        let chosen = listing.mailboxes.iter().filter(|seen| {
            seen.rights.contains(Rights::READ)
                && filters.iter().any(|filter| takes(filter, asker, &listing, Place::of(asker, seen)))
        });
        Ok(chosen.cloned().collect())
    }

    async fn search_one(&mut self, seen: &Seen, returns: &Returns, key: Key) -> Result<(), Cause> {
        let viewer = self.viewer()?;
        let mailboxes = &self.services.mailboxes;
        let mailbox = match mailboxes.open(viewer, &seen.name).await {
            Ok((_, mailbox)) => mailbox,
            // Gone since it was listed.
            Err(MailboxError::NoSuchMailbox | MailboxError::NotPermitted) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let with_mod_seq = asks_mod_seq(&key);
        let mut state = mailboxes.state(&mailbox).await?;
        if asks_threads(&key) {
            mailboxes.assign_threads(&mailbox, state.uids()).await?;
            state = mailboxes.state(&mailbox).await?;
        }
        let query = query_of(key, &|addressing, numbers| match (addressing, numbers) {
            (Addressing::Uid, Numbers::Set(set)) => {
                let largest = state.uids().ranges().last().map_or(0, |range| range.1);
                Ok(if largest == 0 { UidSet::new() } else { set.resolve(largest) })
            }
            _ => Err(Cause::OneMailboxOnly),
        })?;
        let among = (**state.uids()).clone();
        let found = Found::InMailbox(mailboxes.search(&state, &query, among, &mut |_, _| {}).await?);
        if found.count() == 0 {
            // RFC 7377 section 2.1: nothing is said of a mailbox in which nothing was found.
            return Ok(());
        }
        let tag = self.tag.as_ref().map_or("", |tag| tag.as_str());
        let scope = SearchScope { tag, mailbox: Some((&seen.name, state.uidvalidity().0)), uid: true };
        let mut reply = self.replies.esearch(scope);
        returns.write(&mut reply, &found);
        if with_mod_seq && let Some(mod_seq) = super::search::highest(&state, &returns.spoken_of(&found)) {
            reply.mod_seq(mod_seq.0);
        }
        reply.finish();
        Ok(())
    }

    pub(super) fn cancel_update(&mut self, tags: &[String]) -> Outcome {
        self.selected_mut()?.contexts.cancel(tags);
        Ok(COMPLETED)
    }
}
