//! NOTIFY (RFC 5465): what the client is told without asking, and how.
//!
//! Without NOTIFY, and at the end of every command also with it, the selected mailbox is told as ever. NOTIFY is about
//! the time between commands, when nothing else would be said.

use super::Fetching;
use crate::imap::cause::Cause;
use crate::imap::fetching::Style;
use crate::imap::grammar::{FetchItem, Notify, StatusItem};
use crate::imap::notifying::{Rules, Wanted};
use crate::imap::replies::{Attribute, Code, ListReply, Status};
use crate::imap::session::{COMPLETED, Notifying, Outcome, Session};
use crate::imap::sources::{Asker, Place};
use crate::mailbox::{AccountEvent, AccountFeed, EventKind, Listing, OTHER_USERS, Rights, Seen, State};
use crate::types::limits::{
    BODY_CHUNK_OCTETS, IMAP_NOTIFY_EVENTS_MAX, IMAP_NOTIFY_MAILBOXES_MAX, IMAP_SHOWN_OCTETS_MAX,
};
use crate::types::{HIERARCHY_SEPARATOR, MailboxId, MailboxName, UidSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a client asked for, and its ears.
pub(in crate::imap) struct Notifier {
    pub(in crate::imap) rules: Rules,
    pub(in crate::imap) feeds: AccountFeed,
    /// What others share, as the client was told last.
    others: BTreeMap<MailboxId, MailboxName>,
}

impl Session {
    pub(super) async fn notify(&mut self, notify: Notify) -> Outcome {
        let Notify::Set { status, groups } = notify else {
            self.notifying = Notifying::Nothing;
            return Ok(COMPLETED);
        };
        let rules = Rules::of(groups)?;
        let listing = self.services.mailboxes.list(self.viewer()?).await?;
        let asker = self.asker()?;
        let wanted = |seen: &Seen| rules.wanted(asker, &listing, Place::of(asker, seen));
        let watched: Vec<(&Seen, Wanted)> = listing
            .mailboxes
            .iter()
            .map(|seen| (seen, wanted(seen)))
            .filter(|(_, wanted)| wanted.of_messages())
            .collect();
        if watched.len() > IMAP_NOTIFY_MAILBOXES_MAX {
            return Err(Cause::TooManyMailboxes);
        }
        let mut owners: BTreeSet<_> = watched.iter().map(|(seen, _)| seen.record.account).collect();
        owners.insert(asker.account);
        if rules.has_names() {
            owners.extend(listing.mailboxes.iter().map(|seen| seen.record.account).take(IMAP_NOTIFY_MAILBOXES_MAX));
        }
        // Listened from here on: what happens after the STATUS is told.
        let feeds = self.services.mailboxes.account_feed(owners);
        for (seen, wanted) in &watched {
            if !seen.rights.contains(Rights::READ) {
                // RFC 5465 section 3.1.
                self.tell_mailbox(&listing, &seen.name, Some(Attribute::NoAccess), None);
            } else if status && asker.selected != Some(seen.record.id) {
                self.tell_status_of(seen, *wanted, MessageEvents { messages: true, flags: wanted.flags });
            }
        }
        let others = others_of(asker, &listing);
        self.notifying = Notifying::Set(Box::new(Notifier { rules, feeds, others }));
        Ok(COMPLETED)
    }

    fn asker(&self) -> Result<Asker, Cause> {
        let selected = self.selected.as_deref().map(|selected| selected.mailbox().id());
        Ok(Asker { account: self.viewer()?, selected })
    }

    /// Tells what happened in other mailboxes.
    pub(in crate::imap) async fn tell_events(&mut self) -> Result<(), Cause> {
        let viewer = self.viewer()?;
        let Notifying::Set(notifier) = &mut self.notifying else { return Ok(()) };
        let mut events = Vec::new();
        while events.len() < IMAP_NOTIFY_EVENTS_MAX
            && let Some(event) = notifier.feeds.ready()
        {
            events.push(event);
        }
        if events.is_empty() {
            return Ok(());
        }
        if events.iter().any(|event| event.kind == EventKind::Missed) {
            // RFC 5465 section 5.8: from here on as after NOTIFY NONE.
            self.notifying = Notifying::Nothing;
            self.replies.untagged(Status::Ok, Some(&Code::NotificationOverflow), "Too much happened to tell");
            return Ok(());
        }
        let rules = notifier.rules.clone();
        if !rules.has_others_mailboxes() {
            // Of rights one hears in any case.
            events.retain(|event| event.account == viewer);
        }
        if events.is_empty() {
            return Ok(());
        }
        let strangers: BTreeSet<_> =
            events.iter().map(|event| event.account).filter(|account| !notifier.feeds.listens_to(*account)).collect();
        if !strangers.is_empty() {
            // Before it is found out what they share: what happens after that is heard.
            notifier.feeds.join(self.services.mailboxes.account_feed(strangers));
        }
        let listing = self.services.mailboxes.list(self.viewer()?).await?;
        let asker = self.asker()?;
        self.tell_others(&rules, asker, &listing);
        let mut messages: BTreeMap<MailboxId, MessageEvents> = BTreeMap::new();
        for event in &events {
            match (&event.kind, event.mailbox) {
                (EventKind::Messages { new, flags, expunged }, Some(id)) if asker.selected != Some(id) => {
                    messages.entry(id).or_default().add(*new || *expunged, *flags);
                }
                (EventKind::Messages { .. }, _) => {}
                _ if event.account == asker.account => self.tell_event(&rules, asker, &listing, event),
                (EventKind::Metadata(entries), Some(id)) => self.tell_shared(&rules, asker, &listing, (id, entries)),
                _ => {}
            }
        }
        for (id, happened) in messages {
            let Some(seen) = listing.mailboxes.iter().find(|seen| seen.record.id == id) else { continue };
            let wanted = rules.wanted(asker, &listing, Place::of(asker, seen));
            if seen.rights.contains(Rights::READ) && happened.concerns(wanted) {
                self.tell_status_of(seen, wanted, happened);
            }
        }
        Ok(())
    }

    /// How what others share is called now, where that has changed: by what they did to a mailbox, or by what they allow
    /// (RFC 5465 sections 5.4 and 5.9).
    fn tell_others(&mut self, rules: &Rules, asker: Asker, listing: &Listing) {
        let Notifying::Set(notifier) = &mut self.notifying else { return };
        let now = others_of(asker, listing);
        if now == notifier.others {
            return;
        }
        let before = std::mem::replace(&mut notifier.others, now.clone());
        let wants = |name: &MailboxName, id: MailboxId| {
            rules.wanted(asker, listing, Place { name, id: Some(id), is_own: false }).names
        };
        for (_, old) in before.iter().filter(|(id, old)| !now.contains_key(id) && wants(old, **id)) {
            self.tell_mailbox(listing, old, Some(Attribute::NonExistent), None);
        }
        for (id, name) in &now {
            let old = before.get(id);
            if old != Some(name) && (wants(name, *id) || old.is_some_and(|old| wants(old, *id))) {
                self.tell_mailbox(listing, name, None, old);
            }
        }
    }

    /// Annotations of a mailbox that somebody shares; what is private is his.
    fn tell_shared(&mut self, rules: &Rules, asker: Asker, listing: &Listing, (id, entries): (MailboxId, &[String])) {
        let Some(seen) = listing.mailboxes.iter().find(|seen| seen.record.id == id) else { return };
        let shared: Vec<&str> =
            entries.iter().map(String::as_str).filter(|entry| entry.starts_with("/shared/")).collect();
        let wanted = rules.wanted(asker, listing, Place::of(asker, seen)).metadata;
        if wanted && seen.rights.contains(Rights::READ) && !shared.is_empty() {
            self.replies.metadata_changed(Some(&seen.name), shared);
        }
    }

    /// What happened to a mailbox of one's own as a whole.
    fn tell_event(&mut self, rules: &Rules, asker: Asker, listing: &Listing, event: &AccountEvent) {
        let wants = |name: &MailboxName| {
            // One can subscribe to what is another's.
            let is_own = !name.as_str().starts_with(&format!("{OTHER_USERS}{HIERARCHY_SEPARATOR}"));
            rules.wanted(asker, listing, Place { name, id: event.mailbox, is_own }).takes(&event.kind)
        };
        match &event.kind {
            EventKind::Created(name) | EventKind::Subscribed(name) | EventKind::Unsubscribed(name) if wants(name) => {
                self.tell_mailbox(listing, name, None, None);
            }
            EventKind::Renamed { from, to } if wants(from) || wants(to) => {
                self.tell_mailbox(listing, to, None, Some(from));
            }
            EventKind::Deleted(name) if wants(name) => {
                self.tell_mailbox(listing, name, Some(Attribute::NonExistent), None);
            }
            EventKind::Metadata(entries) => {
                let seen = listing.mailboxes.iter().find(|seen| Some(seen.record.id) == event.mailbox);
                let wanted = match (event.mailbox, seen) {
                    (None, _) => rules.server_metadata,
                    (Some(_), Some(seen)) => wants(&seen.name),
                    (Some(_), None) => false,
                };
                if wanted {
                    let entries = entries.iter().map(String::as_str);
                    self.replies.metadata_changed(seen.map(|seen| &seen.name), entries);
                }
            }
            _ => {}
        }
    }

    fn tell_mailbox(
        &mut self,
        listing: &Listing,
        name: &MailboxName,
        special: Option<Attribute>,
        old_name: Option<&MailboxName>,
    ) {
        let has_children = listing.mailboxes.iter().any(|seen| seen.name.is_below(name));
        let mut attributes = vec![if has_children { Attribute::HasChildren } else { Attribute::HasNoChildren }];
        let exists = listing.mailboxes.iter().any(|seen| seen.name == *name);
        // RFC 5465 section 5.4: what is subscribed may also be there no more.
        attributes.extend(special.or((!exists).then_some(Attribute::NonExistent)));
        if listing.subscriptions.contains(name) {
            attributes.push(Attribute::Subscribed);
        }
        self.replies.list(&ListReply { name, attributes: &attributes, subscribed_child: false, old_name });
    }

    fn tell_status_of(&mut self, seen: &Seen, wanted: Wanted, happened: MessageEvents) {
        let record = &seen.record;
        let mut values = Vec::new();
        if wanted.messages && happened.messages {
            values.push((StatusItem::Messages, u64::from(record.messages)));
            values.push((StatusItem::UidNext, u64::from(record.uidnext.0)));
        }
        values.push((StatusItem::UidValidity, u64::from(record.uidvalidity.0)));
        if self.enabled.condstore || (wanted.flags && happened.flags) {
            values.push((StatusItem::HighestModSeq, record.highest_modseq.0));
        }
        self.replies.mailbox_status(&seen.name, &values);
    }

    /// Shows new messages of the selected mailbox as was asked for (RFC 5465 section 5.2). What is large, and what is more
    /// than `IMAP_SHOWN_OCTETS_MAX`, is left to be fetched: here it would have to be in memory whole, for each client that
    /// doesn't read.
    pub(in crate::imap) async fn show_new(
        &mut self,
        mut items: Vec<FetchItem>,
        new: &UidSet,
        state: &Arc<State>,
    ) -> Result<(), Cause> {
        if items.is_empty() || new.is_empty() {
            return Ok(());
        }
        if !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        let small: UidSet = state
            .entries_of(new)
            .filter(|entry| entry.octets as usize <= BODY_CHUNK_OCTETS)
            .map(|entry| entry.uid)
            .collect();
        let style =
            Style { keywords: Arc::clone(state.keywords()), utf8: self.replies.utf8, uid_only: self.enabled.uid_only };
        let pieces = self.selected()?.view.sequence().pieces_of(&small).collect();
        let fetching = Fetching::new(items, style, Arc::clone(state), pieces, UidSet::new(), false);
        fetching.show_some(&self.services.mailboxes, IMAP_SHOWN_OCTETS_MAX, &mut self.replies.out).await
    }
}

/// What others share with whoever asks.
fn others_of(asker: Asker, listing: &Listing) -> BTreeMap<MailboxId, MailboxName> {
    let shared = listing.mailboxes.iter().filter(|seen| seen.record.account != asker.account);
    shared.map(|seen| (seen.record.id, seen.name.clone())).collect()
}

/// What happened to the messages of one mailbox.
#[derive(Clone, Copy, Debug, Default)]
struct MessageEvents {
    /// Some came or went.
    messages: bool,
    flags: bool,
}

impl MessageEvents {
    fn add(&mut self, messages: bool, flags: bool) {
        self.messages |= messages;
        self.flags |= flags;
    }

    fn concerns(self, wanted: Wanted) -> bool {
        self.messages && wanted.messages || self.flags && wanted.flags
    }
}
