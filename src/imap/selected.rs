//! The selected mailbox of a session: its view, and how what happened there is told.
//!
//! Invariants: nothing is told but here and in the answer to the client's own STORE and FETCH, and what those say is noted
//! in the view; a keyword is listed in FLAGS before a message is shown with it (RFC 9051 section 7.3.1).

use super::cause::Cause;
use super::contexts::Contexts;
use super::grammar::{Access, PartialFrom, PartialRange};
use super::replies::{Code, FetchReply, Keywords, Replies, Status};
use super::session::{Enabled, Notifying, Session, Step};
use super::view::{self, Changed, Dialect, Expunged, Expunges, Sequence, Updates, View};
use crate::mailbox::{Entry, Gone, Head, MailboxError, News, OpenMailbox, State, Told};
use crate::types::{Flags, ModSeq, Uid, UidSet};
use std::sync::Arc;
use tokio::sync::watch;

pub(super) struct Selected {
    mailbox: Arc<OpenMailbox>,
    pub(super) access: Access,
    pub(super) view: View,
    /// SELECT was answered before the messages were read: the view is empty until `Session::read_messages`.
    unread: Option<Told>,
    /// What of the flags this client can change.
    changeable: Flags,
    /// As FLAGS listed them last.
    keywords: Keywords,
    pub(super) contexts: Contexts,
    changes: watch::Receiver<ModSeq>,
    /// Something was committed, and what it was could not be found out.
    behind: bool,
}

impl Selected {
    pub(super) fn new(
        mailbox: Arc<OpenMailbox>,
        access: Access,
        changeable: Flags,
        dialect: Dialect,
        head: &Head,
    ) -> Self {
        let mut changes = mailbox.watch();
        // Something may have happened since the state was read.
        changes.mark_changed();
        let (sequence, unread) = match &head.state {
            Some(state) => (Sequence::from_set(state.uids()), None),
            None => (Sequence::default(), Some(head.told())),
        };
        let view = View::new(sequence, head.highest_modseq, dialect);
        let (keywords, contexts) = (Arc::clone(&head.keywords), Contexts::default());
        Self { mailbox, access, view, unread, changeable, keywords, contexts, changes, behind: false }
    }

    pub(super) fn mailbox(&self) -> &OpenMailbox {
        &self.mailbox
    }

    pub(super) fn must_be_writable(&self) -> Result<(), Cause> {
        if self.access == Access::ReadOnly { Err(Cause::ReadOnly) } else { Ok(()) }
    }

    /// Something was committed that the client has not heard of, or may hear now.
    fn has_news(&mut self, expunges: Expunges) -> bool {
        // Fails only when nobody could send any more, and we hold the sender. A value is seen before it is read what it
        // is about: what comes in between is looked at twice and not lost.
        let changed = self.changes.has_changed().unwrap_or(true);
        self.changes.mark_unchanged();
        if self.unread.is_some() {
            return self.mailbox.has_moved_on(self.view.known());
        }
        changed || self.behind || (expunges == Expunges::Allowed && !self.view.gone().is_empty())
    }

    /// Returns when something was committed that the client has not heard of.
    pub(super) async fn news(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        // Only looked at: whoever tells it, takes it.
        self.changes.mark_changed();
    }

    /// Before messages of this state are shown.
    pub(super) fn tell_keywords(&mut self, state: &State, replies: &mut Replies) {
        if Arc::ptr_eq(&self.keywords, state.keywords()) || self.keywords == *state.keywords() {
            return;
        }
        self.keywords = Arc::clone(state.keywords());
        tell_flags(&self.keywords, self.changeable, replies);
    }
}

/// FLAGS and PERMANENTFLAGS of a mailbox.
pub(super) fn tell_flags(keywords: &Keywords, changeable: Flags, replies: &mut Replies) {
    let all = all_flags(keywords);
    replies.flags(all, keywords);
    // RFC 4314 section 5.1.1: only what the client's rights let it change. New keywords are like the flags of `w`.
    let more = changeable.contains(Flags::FLAGGED) && keywords.len() < crate::types::KEYWORDS_PER_MAILBOX_MAX;
    let flags = Flags(all.0 & changeable.0);
    let permanent = Code::PermanentFlags { flags, keywords: Arc::clone(keywords), more };
    replies.untagged(Status::Ok, Some(&permanent), "Flags that can be changed");
}

fn all_flags(keywords: &Keywords) -> Flags {
    let system = Flags::SYSTEM.iter().fold(Flags::NONE, |all, (flag, _)| all.with(*flag));
    (0..keywords.len()).fold(system, |all, index| all.with(Flags::keyword(index)))
}

impl Session {
    pub(super) fn selected(&self) -> Result<&Selected, Cause> {
        self.selected.as_deref().ok_or(Cause::SelectFirst)
    }

    /// As many of the messages as one command may work on, and what is said if these are not all: the larger UIDs come first,
    /// and the smallest that was reached is named (RFC 9738 section 3.1).
    pub(super) fn within_limit(&self, uids: UidSet) -> (UidSet, Option<Code>) {
        let messages = self.services.messages_max;
        if uids.count() <= u64::from(messages) {
            return (uids, None);
        }
        let uids = view::window(&uids, PartialRange { from: PartialFrom::End, first: 1, last: messages });
        let uid = uids.ranges().first().map(|range| range.0);
        (uids, Some(Code::MessageLimit { messages, uid }))
    }

    /// A tagged reply has one code: that the limit was reached is said before it where there is another (RFC 9738 section
    /// 3.1).
    pub(super) fn one_code(&mut self, code: Option<Code>, limited: Option<Code>) -> Option<Code> {
        let (Some(code), Some(limited)) = (&code, &limited) else { return code.or(limited) };
        self.replies.untagged(Status::No, Some(limited), "Not all of them");
        Some(code.clone())
    }

    /// What was done for the others is done.
    pub(super) fn messages_gone(&mut self, code: Option<Code>) -> Cause {
        if let Some(limited @ Code::MessageLimit { .. }) = code {
            self.one_code(Some(Code::ExpungeIssued), Some(limited));
        }
        Cause::MessagesGone
    }

    pub(super) fn selected_mut(&mut self) -> Result<&mut Selected, Cause> {
        self.selected.as_deref_mut().ok_or(Cause::SelectFirst)
    }

    /// To be called before a view is looked at: finds out which messages the client was told of, if SELECT was answered
    /// before they were read.
    pub(super) async fn read_messages(&mut self) -> Result<(), Cause> {
        let Some(selected) = self.selected.as_deref_mut() else { return Ok(()) };
        let Some(told) = selected.unread else { return Ok(()) };
        let uids = self.services.mailboxes.uids_as_told(&selected.mailbox, told).await?;
        selected.view.count(Sequence::from_set(&uids.ok_or(Cause::Forgotten)?));
        selected.unread = None;
        Ok(())
    }

    /// Tells what happened in the selected mailbox. `Close` if there is no such mailbox any more.
    pub(super) async fn tell_news(&mut self, expunges: Expunges) -> Option<Step> {
        let selected = self.selected.as_deref_mut()?;
        if !selected.has_news(expunges) {
            return None;
        }
        let read = self.read_messages().await;
        let selected = self.selected.as_deref_mut()?;
        let mailboxes = &self.services.mailboxes;
        let told = async {
            read?;
            let news = mailboxes.news(selected.mailbox(), selected.view.known()).await?;
            Ok((news, mailboxes.state(selected.mailbox()).await?))
        };
        let told: Result<(News, Arc<State>), Cause> = told.await;
        let (news, state) = match told {
            Ok(told) => told,
            // RFC 2180 section 3.3: the way of ending this that every client understands.
            Err(Cause::Mailbox(MailboxError::NoSuchMailbox)) => {
                return Some(self.bye(Some(&Code::NonExistent), "The mailbox is gone"));
            }
            Err(Cause::Forgotten) => return Some(self.bye(None, "Too much has happened in this mailbox, come again")),
            Err(error) => {
                // What could not be found out now is told later: at the next command, or when more happens. Trying again by
                // itself would keep a processor busy with a disk that is broken.
                selected.behind = true;
                let mailbox = selected.mailbox().id();
                tracing::error!(session = %self.id, %mailbox, ?error, "news could not be read");
                return None;
            }
        };
        selected.behind = false;
        selected.tell_keywords(&state, &mut self.replies);
        let news = news_of(news);
        if expunges == Expunges::Allowed && !selected.contexts.is_empty() {
            let gone = selected.view.going(&news);
            selected.contexts.expunge(&gone, &selected.view, &mut self.replies);
        }
        let mut updates = selected.view.learn(&news, expunges);
        if let Notifying::Set(notifier) = &self.notifying
            && !notifier.rules.selected.wanted.flags
            && self.tag.is_none()
        {
            // RFC 5465 section 5.1: between commands only what was asked for.
            updates.changed.clear();
        }
        tell(&updates, &selected.keywords, self.enabled, &mut self.replies);
        let changed = news.changed.iter().map(|changed| changed.uid).collect();
        if let Err(cause) = self.show_and_update(&changed, &updates.new, &state).await {
            tracing::error!(session = %self.id, ?cause, "new messages could not be shown");
        }
        None
    }

    /// RFC 5465 section 7: what was asked to be seen of new messages comes before the results they are part of.
    async fn show_and_update(&mut self, changed: &UidSet, new: &UidSet, state: &Arc<State>) -> Result<(), Cause> {
        if let Notifying::Set(notifier) = &self.notifying {
            let items = notifier.rules.selected.items.clone();
            self.show_new(items, new, state).await?;
        }
        let mailboxes = self.services.mailboxes.clone();
        let Selected { contexts, view, .. } = self.selected_mut()?;
        if contexts.is_empty() {
            return Ok(());
        }
        let updates = contexts.update(changed, view, state, &mailboxes).await?;
        for update in &updates {
            self.show_new(update.shown.clone(), &update.added.intersection(new), state).await?;
        }
        let Self { selected, replies, .. } = self;
        if let Some(selected) = selected {
            selected.contexts.tell(&updates, &selected.view, replies);
        }
        Ok(())
    }
}

fn news_of(news: News) -> view::News {
    view::News {
        changed: news.changed.iter().map(changed_of).collect(),
        gone: match news.gone {
            Gone::These(uids) => view::Gone::These(uids),
            Gone::AllBut(uids) => view::Gone::AllBut((*uids).clone()),
        },
        through: news.through,
    }
}

pub(super) fn changed_of(entry: &Entry) -> Changed {
    Changed { uid: entry.uid, flags: entry.flags, mod_seq: entry.modseq }
}

fn tell(updates: &Updates, keywords: &Keywords, enabled: Enabled, replies: &mut Replies) {
    match &updates.expunged {
        Some(Expunged::Numbers(numbers)) => numbers.iter().for_each(|number| replies.expunge(*number)),
        Some(Expunged::Uids(uids)) => replies.vanished(uids),
        None => {}
    }
    if let Some(messages) = updates.exists {
        replies.exists(messages);
    }
    for (number, changed) in &updates.changed {
        tell_flags_of(*number, changed, keywords, enabled, replies);
    }
}

/// A FETCH of flags that nobody asked for. With the UID for those who keep messages by it (RFC 7162 section 3.2.4 demands
/// it for them, others may not expect it).
pub(super) fn tell_flags_of(
    number: u32,
    changed: &Changed,
    keywords: &Keywords,
    enabled: Enabled,
    replies: &mut Replies,
) {
    let with_uid = if enabled.condstore || enabled.qresync || enabled.rev2 { Some(changed.uid) } else { None };
    flags_reply(number, changed, with_uid, keywords, enabled, replies);
}

pub(super) fn flags_reply(
    number: u32,
    changed: &Changed,
    uid: Option<Uid>,
    keywords: &Keywords,
    enabled: Enabled,
    replies: &mut Replies,
) {
    let out = &mut replies.out;
    let mut reply = if enabled.uid_only {
        FetchReply::start_uid(out, changed.uid)
    } else {
        let mut reply = FetchReply::start(out, number);
        if let Some(uid) = uid {
            reply.uid(out, uid);
        }
        reply
    };
    reply.flags(out, changed.flags, keywords);
    // RFC 7162 section 3.1: whoever has used CONDSTORE once hears it ever after.
    if enabled.condstore {
        reply.mod_seq(out, changed.mod_seq);
    }
    reply.finish(out);
}

/// RFC 7162 section 3.1.3: the new modification sequence of a message whose flags the client did not want to hear.
pub(super) fn mod_seq_reply(number: u32, changed: &Changed, enabled: Enabled, replies: &mut Replies) {
    let out = &mut replies.out;
    let mut reply = if enabled.uid_only {
        FetchReply::start_uid(out, changed.uid)
    } else {
        let mut reply = FetchReply::start(out, number);
        reply.uid(out, changed.uid);
        reply
    };
    reply.mod_seq(out, changed.mod_seq);
    reply.finish(out);
}
