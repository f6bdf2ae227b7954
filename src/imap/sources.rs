//! Which mailboxes ESEARCH and NOTIFY are about (RFC 5465 section 6, RFC 7377 section 2.2). Pure.

use super::grammar::{Mailbox, MailboxFilter};
use crate::mailbox::{Listing, Seen};
use crate::types::{AccountId, MailboxId, MailboxName};

/// Who asks, and what he has selected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) account: AccountId,
    pub(super) selected: Option<MailboxId>,
}

/// A mailbox as the asker sees it; one that is gone has no more than its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) name: &'p MailboxName,
    pub(super) id: Option<MailboxId>,
    pub(super) is_own: bool,
}

impl<'p> Place<'p> {
    pub(super) fn of(asker: Asker, seen: &'p Seen) -> Self {
        Self { name: &seen.name, id: Some(seen.record.id), is_own: seen.record.account == asker.account }
    }
}

/// Whether the filter takes this mailbox.
pub(super) fn takes(filter: &MailboxFilter, asker: Asker, listing: &Listing, place: Place<'_>) -> bool {
    match filter {
        MailboxFilter::Selected | MailboxFilter::SelectedDelayed => {
            asker.selected.is_some() && asker.selected == place.id
        }
        // RFC 5465 section 6.4: a script may file into any mailbox of the account, so all of them are inboxes.
        MailboxFilter::Inboxes | MailboxFilter::Personal => place.is_own,
        MailboxFilter::Subscribed => listing.subscriptions.contains(place.name),
        MailboxFilter::Subtree(tops) => named(tops).any(|top| top == place.name || place.name.is_below(top)),
        MailboxFilter::SubtreeOne(tops) => {
            named(tops).any(|top| top == place.name || place.name.parent().as_ref() == Some(top))
        }
        MailboxFilter::Mailboxes(names) => named(names).any(|name| name == place.name),
    }
}

/// A name no mailbox can have is one of no mailbox.
pub(super) fn named(mailboxes: &[Mailbox]) -> impl Iterator<Item = &MailboxName> {
    mailboxes.iter().filter_map(|mailbox| match mailbox {
        Mailbox::Named(name) | Mailbox::Respelled { name, .. } => Some(name),
        Mailbox::Impossible(_) => None,
    })
}
