//! Mailboxes by name, as one account sees them: its own, and below `Users/` those others share with it.
//!
//! A mailbox somebody may not even look up is, to him, not there (RFC 4314 section 6): every error about it says so.

use super::{MailboxError, MailboxRecord, Mailboxes, OpenMailbox, Rights};
use crate::store::{Grant, NewMailbox};
use crate::types::{AccountId, Address, HIERARCHY_SEPARATOR, MailboxName, SpecialUse};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first level of the names under which others' mailboxes are seen (RFC 2342), `Users/jane@example.org/INBOX`.
pub const OTHER_USERS: &str = "Users";

/// A mailbox as one account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// As it is seen: of somebody else's mailbox with his name before it.
    pub name: MailboxName,
    pub record: MailboxRecord,
    pub rights: Rights,
}

impl Seen {
    /// Fails unless all these rights are there.
    pub fn require(&self, rights: Rights) -> Result<(), MailboxError> {
        if self.rights.contains(rights) { Ok(()) } else { Err(MailboxError::NotPermitted) }
    }
}

/// Everything LIST and LSUB choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Own ones first, each group by name.
    pub mailboxes: Vec<Seen>,
    /// Names the account is subscribed to, whether or not there are such mailboxes.
    pub subscriptions: BTreeSet<MailboxName>,
}

/// Whose mailbox a name means, and what its owner calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) owner: AccountId,
    pub(super) name: MailboxName,
}

/// How somebody else's mailbox is called.
fn seen_name(owner: &Address, name: &MailboxName) -> Result<MailboxName, MailboxError> {
    MailboxName::parse(&format!("{OTHER_USERS}{HIERARCHY_SEPARATOR}{owner}{HIERARCHY_SEPARATOR}{name}"))
        .map_err(|_| MailboxError::Limit("mailbox name"))
}

/// The two parts of somebody else's mailbox's name; `None` for a name of one's own.
fn others(name: &MailboxName) -> Option<(&str, &str)> {
    let rest = name.as_str().strip_prefix(OTHER_USERS)?;
    if rest.is_empty() {
        return Some(("", ""));
    }
    let rest = rest.strip_prefix(HIERARCHY_SEPARATOR)?;
    Some(rest.split_once(HIERARCHY_SEPARATOR).unwrap_or((rest, "")))
}

impl Mailboxes {
    pub(super) async fn place(&self, viewer: AccountId, name: &MailboxName) -> Result<Place, MailboxError> {
        let Some((owner, theirs)) = others(name) else { return Ok(Place { owner: viewer, name: name.clone() }) };
        let theirs = MailboxName::parse(theirs).map_err(|_| MailboxError::NoSuchMailbox)?;
        let owner: Address = owner.parse().map_err(|_| MailboxError::NoSuchMailbox)?;
        let owner = self.store().account(&owner).await?.ok_or(MailboxError::NoSuchMailbox)?;
        Ok(Place { owner: owner.id, name: theirs })
    }

    /// The mailbox of that name, if there is one and `viewer` may look it up.
    pub async fn find(&self, viewer: AccountId, name: &MailboxName) -> Result<Seen, MailboxError> {
        let place = self.place(viewer, name).await?;
        let found = self.store().mailbox_seen_by(viewer, place.owner, &place.name).await?;
        let (record, granted) = found.ok_or(MailboxError::NoSuchMailbox)?;
        let rights = if viewer == place.owner { Rights::ALL } else { Rights::granted(granted) };
        if !rights.contains(Rights::LOOKUP) {
            return Err(MailboxError::NoSuchMailbox);
        }
        Ok(Seen { name: name.clone(), record, rights })
    }

    /// The rights `viewer` has on a mailbox he had found before.
    pub(super) async fn rights_on(&self, viewer: AccountId, mailbox: &OpenMailbox) -> Result<Rights, MailboxError> {
        if viewer == mailbox.account() {
            return Ok(Rights::ALL);
        }
        let found = self.store().mailbox_granted(viewer, mailbox.id()).await?;
        let (_, granted) = found.ok_or(MailboxError::NoSuchMailbox)?;
        Ok(Rights::granted(granted))
    }

    /// Opens a mailbox for reading: what `viewer` may do, and the messages it shares with others who have it open, which
    /// are read once somebody needs them.
    pub async fn open(
        &self,
        viewer: AccountId,
        name: &MailboxName,
    ) -> Result<(Rights, Arc<OpenMailbox>), MailboxError> {
        let generation = self.store().mailbox_generation();
        if let Some(open) = self.registry().known(generation, viewer, name) {
            return Ok((Rights::ALL, open));
        }
        let seen = self.find(viewer, name).await?;
        seen.require(Rights::READ)?;
        let open = self.registry().open(seen.record.account, seen.record.id);
        if seen.record.account == viewer {
            self.registry().learn(generation, viewer, name, seen.record.id);
        }
        Ok((seen.rights, open))
    }

    /// An open mailbox as its owner knows it now.
    pub async fn record_of(&self, mailbox: &OpenMailbox) -> Result<MailboxRecord, MailboxError> {
        let found = self.store().mailbox_granted(mailbox.account(), mailbox.id()).await?;
        found.map(|(record, _)| record).ok_or(MailboxError::NoSuchMailbox)
    }

    /// Everything `viewer` may look up.
    pub async fn list(&self, viewer: AccountId) -> Result<Listing, MailboxError> {
        let own = self.store().mailboxes(viewer).await?;
        let mut mailboxes: Vec<Seen> =
            own.into_iter().map(|record| Seen { name: record.name.clone(), record, rights: Rights::ALL }).collect();
        for shared in self.store().shared_mailboxes(viewer).await? {
            let rights = Rights::granted(shared.granted);
            // A name too long to be seen through the prefix is not seen.
            let Ok(name) = seen_name(&shared.owner, &shared.mailbox.name) else { continue };
            if rights.contains(Rights::LOOKUP) {
                mailboxes.push(Seen { name, record: shared.mailbox, rights });
            }
        }
        let subscriptions = self.store().subscriptions(viewer).await?.into_iter().collect();
        Ok(Listing { mailboxes, subscriptions })
    }

    /// Makes a mailbox, and those above it that are missing (RFC 9051 section 6.3.4). One of somebody else's needs the
    /// right to create on one above it, whose access control list it takes over (RFC 4314 section 4).
    pub async fn create(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Seen, MailboxError> {
        let place = self.place(viewer, name).await?;
        let above = if place.owner == viewer { None } else { Some(self.create_right(viewer, &place).await?) };
        if let Some(wanted) = special_use {
            self.check_use_is_free(place.owner, wanted).await?;
        }
        let new = NewMailbox { name: place.name, special_use, subscribe: false };
        let record = self.store().create_mailbox(place.owner, new).await?;
        if let Some(above) = above {
            for entry in self.store().acl(above.id).await? {
                let change = crate::store::AclChange::Replace;
                self.store().set_acl(record.id, entry.grantee, entry.grant, change, entry.rights).await?;
            }
        }
        self.find(viewer, name).await
    }

    /// The nearest mailbox above a place that `viewer` may make mailboxes below.
    async fn create_right(&self, viewer: AccountId, place: &Place) -> Result<MailboxRecord, MailboxError> {
        let mut above = place.name.parent();
        // Bounded by the depth a name may have.
        while let Some(name) = above {
            if let Some((record, granted)) = self.store().mailbox_seen_by(viewer, place.owner, &name).await? {
                let may = Rights::granted(granted).contains(Rights::CREATE);
                return if may { Ok(record) } else { Err(MailboxError::NotPermitted) };
            }
            above = name.parent();
        }
        Err(MailboxError::NotPermitted)
    }

    pub(super) async fn check_use_is_free(&self, owner: AccountId, wanted: SpecialUse) -> Result<(), MailboxError> {
        let all = self.store().mailboxes(owner).await?;
        // Clients look for the mailbox with a use; two of them would split what belongs together.
        if all.iter().any(|record| record.special_use == Some(wanted)) {
            return Err(MailboxError::SpecialUseTaken);
        }
        Ok(())
    }

    pub async fn delete(&self, viewer: AccountId, name: &MailboxName) -> Result<(), MailboxError> {
        let seen = self.find(viewer, name).await?;
        seen.require(Rights::DELETE_MAILBOX)?;
        self.store().delete_mailbox(seen.record.account, &seen.record.name).await?;
        Ok(())
    }

    /// Renames a mailbox and all below it. Renaming INBOX moves its messages to a new mailbox and leaves it empty
    /// (RFC 9051 section 6.3.6). Mailboxes stay with their owner.
    pub async fn rename(&self, viewer: AccountId, from: &MailboxName, to: &MailboxName) -> Result<(), MailboxError> {
        let seen = self.find(viewer, from).await?;
        seen.require(Rights::DELETE_MAILBOX)?;
        let target = self.place(viewer, to).await?;
        if target.owner != seen.record.account {
            return Err(MailboxError::Impossible);
        }
        if target.owner != viewer {
            self.create_right(viewer, &target).await?;
        }
        if seen.record.name.is_inbox() {
            self.store().rename_inbox(target.owner, &target.name).await?;
        } else {
            self.store().rename_mailbox(target.owner, &seen.record.name, &target.name).await?;
        }
        Ok(())
    }

    /// A name can be subscribed whether or not there is such a mailbox (RFC 9051 section 6.3.7).
    pub async fn subscribe(&self, viewer: AccountId, name: &MailboxName) -> Result<(), MailboxError> {
        Ok(self.store().subscribe(viewer, name).await?)
    }

    pub async fn unsubscribe(&self, viewer: AccountId, name: &MailboxName) -> Result<(), MailboxError> {
        Ok(self.store().unsubscribe(viewer, name).await?)
    }

    /// Whether `entry` of the list gives the rights or takes them away, by the sign before the identifier.
    pub(super) fn sign(identifier: &str) -> (Grant, &str) {
        match identifier.strip_prefix('-') {
            Some(rest) => (Grant::TakesAway, rest),
            None => (Grant::Gives, identifier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_have_a_prefix() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            assert_eq!(others(&MailboxName::parse(text).expect("a name")), expected, "{text}");
        };
        check("INBOX", None);
        check("Userspace/x", None);
        check("Users", Some(("", "")));
        check("Users/jane@example.org", Some(("jane@example.org", "")));
        check("Users/jane@example.org/INBOX/a", Some(("jane@example.org", "INBOX/a")));
    }
}
