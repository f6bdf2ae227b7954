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

/// Whether the filter takes this mailbox.
pub(super) fn takes(filter: &MailboxFilter, asker: Asker, listing: &Listing, seen: &Seen) -> bool {
    match filter {
        MailboxFilter::Selected | MailboxFilter::SelectedDelayed => asker.selected == Some(seen.record.id),
        // RFC 5465 section 6.4: a script may file into any mailbox of the account, so all of them are inboxes.
        MailboxFilter::Inboxes | MailboxFilter::Personal => seen.record.account == asker.account,
        MailboxFilter::Subscribed => listing.subscriptions.contains(&seen.name),
        MailboxFilter::Subtree(tops) => named(tops).any(|top| *top == seen.name || seen.name.is_below(top)),
        MailboxFilter::SubtreeOne(tops) => {
            named(tops).any(|top| *top == seen.name || seen.name.parent().as_ref() == Some(top))
        }
        MailboxFilter::Mailboxes(names) => named(names).any(|name| *name == seen.name),
    }
}

/// A name no mailbox can have is one of no mailbox.
pub(super) fn named(mailboxes: &[Mailbox]) -> impl Iterator<Item = &MailboxName> {
    mailboxes.iter().filter_map(|mailbox| match mailbox {
        Mailbox::Named(name) => Some(name),
        Mailbox::Impossible(_) => None,
    })
}
