//! What a client wants to be told of without asking (RFC 5465): which events of which mailboxes. Pure.

use super::cause::Cause;
use super::grammar::{Event, EventGroup, FetchItem, MailboxFilter};
use super::sources::{Asker, Place, takes};
use crate::mailbox::{EventKind, Listing};

/// Events of one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Messages that come and go; a client has both or none of them.
    pub(super) messages: bool,
    pub(super) flags: bool,
    pub(super) names: bool,
    pub(super) subscriptions: bool,
    pub(super) metadata: bool,
}

/// What is told of the selected mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfSelected {
    pub(super) wanted: Wanted,
    /// RFC 5465 section 6.1.2: messages go only when a command allows it.
    pub(super) delayed: bool,
    /// Shown of new messages.
    pub(super) items: Vec<FetchItem>,
}

/// What one NOTIFY SET asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) selected: OfSelected,
    groups: Vec<(MailboxFilter, Wanted)>,
    pub(super) server_metadata: bool,
}

impl Rules {
    pub(super) fn of(groups: Vec<EventGroup>) -> Result<Self, Cause> {
        let mut rules = Self::default();
        let mut has_selected = false;
        for EventGroup { mailboxes, events } in groups {
            let is_selected = matches!(mailboxes, MailboxFilter::Selected | MailboxFilter::SelectedDelayed);
            let (wanted, items) = rules.wanted_of(events)?;
            if is_selected {
                // RFC 5465 section 6.1: once, and about messages only.
                if std::mem::replace(&mut has_selected, true) || wanted.of_names() || rules.server_metadata {
                    return Err(Cause::EventsDontFit);
                }
                let delayed = mailboxes == MailboxFilter::SelectedDelayed;
                rules.selected = OfSelected { wanted, delayed, items };
            } else if items.is_empty() {
                rules.groups.push((mailboxes, wanted));
            } else {
                // RFC 5465 section 5.2: other mailboxes have no numbers to show messages by.
                return Err(Cause::EventsDontFit);
            }
        }
        Ok(rules)
    }

    fn wanted_of(&mut self, events: Vec<Event>) -> Result<(Wanted, Vec<FetchItem>), Cause> {
        let (mut wanted, mut shown) = (Wanted::default(), Vec::new());
        let (mut new, mut expunge) = (false, false);
        for event in events {
            match event {
                Event::MessageNew(items) => (new, shown) = (true, items),
                Event::MessageExpunge => expunge = true,
                Event::FlagChange => wanted.flags = true,
                Event::MailboxName => wanted.names = true,
                Event::SubscriptionChange => wanted.subscriptions = true,
                Event::MailboxMetadataChange => wanted.metadata = true,
                Event::ServerMetadataChange => self.server_metadata = true,
                Event::AnnotationChange | Event::Unknown(_) => return Err(Cause::BadEvent),
            }
        }
        // RFC 5465 section 5: both or none, and flags only with them.
        if new != expunge || (wanted.flags && !new) {
            return Err(Cause::EventsDontFit);
        }
        wanted.messages = new;
        Ok((wanted, shown))
    }

    /// The first group that takes the mailbox decides: so one can be left out of a larger group that follows.
    pub(super) fn wanted(&self, asker: Asker, listing: &Listing, place: Place<'_>) -> Wanted {
        let mut groups = self.groups.iter();
        groups.find(|(filter, _)| takes(filter, asker, listing, place)).map(|(_, wanted)| *wanted).unwrap_or_default()
    }

    /// Whether mailboxes as such are told of.
    pub(super) fn has_names(&self) -> bool {
        self.groups.iter().any(|(_, wanted)| wanted.of_names())
    }

    /// Whether these can be others' mailboxes too.
    pub(super) fn has_others_mailboxes(&self) -> bool {
        let own = |filter: &MailboxFilter| matches!(filter, MailboxFilter::Inboxes | MailboxFilter::Personal);
        self.groups.iter().any(|(filter, wanted)| !own(filter) && *wanted != Wanted::default())
    }

    /// Whether anything is told but of the selected mailbox.
    pub(super) fn has_others(&self) -> bool {
        self.server_metadata || self.groups.iter().any(|(_, wanted)| *wanted != Wanted::default())
    }
}

impl Wanted {
    fn of_names(self) -> bool {
        self.names || self.subscriptions || self.metadata
    }

    pub(super) fn of_messages(self) -> bool {
        self.messages || self.flags
    }

    /// Whether this is one of them.
    pub(super) fn takes(self, kind: &EventKind) -> bool {
        match kind {
            EventKind::Messages { new, flags, expunged } => {
                self.messages && (*new || *expunged) || self.flags && *flags
            }
            EventKind::Created(_) | EventKind::Renamed { .. } | EventKind::Deleted(_) => self.names,
            EventKind::Subscribed(_) | EventKind::Unsubscribed(_) => self.subscriptions,
            EventKind::Metadata(_) => self.metadata,
            EventKind::Rights | EventKind::Missed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::framing::Framed;
    use super::super::grammar::{Body, Mode, Notify, parse};
    use super::*;

    fn rules(text: &str) -> Result<Rules, Cause> {
        let line = format!("a NOTIFY SET {text}");
        let framed = Framed { octets: line.as_bytes(), streamed: &[] };
        match parse(framed, Mode::default()).expect("a command").body {
            Body::Notify(Notify::Set { groups, .. }) => Rules::of(groups),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_fits_together() {
        let refused = |text: &str, cause: Cause| assert_eq!(rules(text), Err(cause), "{text}");
        refused("(selected (MessageNew))", Cause::EventsDontFit);
        refused("(personal (MessageExpunge))", Cause::EventsDontFit);
        refused("(personal (FlagChange))", Cause::EventsDontFit);
        refused("(personal (MessageNew (UID) MessageExpunge))", Cause::EventsDontFit);
        refused("(selected (MailboxName))", Cause::EventsDontFit);
        refused("(selected NONE) (selected-delayed NONE)", Cause::EventsDontFit);
        refused("(personal (Bogus))", Cause::BadEvent);
        refused("(personal (AnnotationChange))", Cause::BadEvent);
        let taken = rules("(selected-delayed (MessageNew (UID) MessageExpunge FlagChange)) (personal NONE)");
        let taken = taken.expect("in order");
        assert!(taken.selected.delayed && taken.selected.wanted.flags && taken.selected.items == [FetchItem::Uid]);
        assert!(!taken.has_others() && !taken.has_others_mailboxes());
        assert!(rules("(inboxes (MailboxName))").expect("in order").has_others());
        assert!(!rules("(subtree Users NONE) (inboxes (MailboxName))").expect("in order").has_others_mailboxes());
        assert!(rules("(subtree Users (MailboxName))").expect("in order").has_others_mailboxes());
    }
}
