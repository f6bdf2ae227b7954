//! Annotations of mailboxes and of the server (RFC 5464): who sees and sets which.

use super::{MailboxError, Mailboxes, Rights};
use crate::store::{Annotated, Annotation, Audience, EVENT_SCRIPT_ENTRY, NewAnnotation};
use crate::types::{AccountId, MailboxName, SpecialUse};

/// RFC 6154 section 4: what a mailbox is for, as an annotation.
const SPECIAL_USE: &str = "/private/specialuse";

/// Whether whoever asks runs this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Person,
    Administrator,
}

/// Whose entry a name is, by its first level (RFC 5464 section 3.1).
fn audience(entry: &str, viewer: AccountId) -> Option<Audience> {
    if entry.starts_with("/shared/") {
        Some(Audience::Shared)
    } else if entry.starts_with("/private/") {
        Some(Audience::Private(viewer))
    } else {
        None
    }
}

impl Mailboxes {
    /// All annotations of a mailbox, or of the server, that `viewer` sees, by name. Choosing among them is the
    /// protocol's.
    pub async fn metadata(
        &self,
        viewer: AccountId,
        name: Option<&MailboxName>,
    ) -> Result<Vec<Annotation>, MailboxError> {
        let Some(name) = name else { return Ok(self.store().annotations(Annotated::Server, viewer).await?) };
        let seen = self.find(viewer, name).await?;
        seen.require(Rights::READ)?;
        let mut found = self.store().annotations(Annotated::Mailbox(seen.record.id), viewer).await?;
        if let Some(special_use) = seen.record.special_use.filter(|_| viewer == seen.record.account) {
            let (entry, value) = (SPECIAL_USE.to_owned(), special_use.as_str().as_bytes().to_vec());
            found.push(Annotation { entry, value });
            found.sort_by(|one, other| one.entry.cmp(&other.entry));
        }
        Ok(found)
    }

    /// Sets annotations, or removes those without a value: all or none. RFC 5464 section 3.3: shared ones of a mailbox
    /// need the right to write, those of the server an administrator.
    pub async fn set_metadata(
        &self,
        viewer: AccountId,
        standing: Standing,
        name: Option<&MailboxName>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), MailboxError> {
        let seen = match name {
            Some(name) => Some(self.find(viewer, name).await?),
            None => None,
        };
        if let Some(seen) = &seen {
            seen.require(Rights::READ)?;
        }
        let mut annotations = Vec::with_capacity(entries.len());
        let mut special_use = None;
        for (entry, value) in entries {
            let audience = audience(&entry, viewer).ok_or(MailboxError::NotPermitted)?;
            match &seen {
                None if audience == Audience::Shared && standing == Standing::Person => {
                    return Err(MailboxError::NotPermitted);
                }
                // It is the owner's script that runs, with the owner's rights: nobody else chooses it.
                Some(seen) if entry == EVENT_SCRIPT_ENTRY && viewer != seen.record.account => {
                    return Err(MailboxError::NotPermitted);
                }
                Some(seen) if audience == Audience::Shared => seen.require(Rights::WRITE)?,
                _ => {}
            }
            if entry == SPECIAL_USE && seen.is_some() {
                special_use = Some(value);
            } else {
                annotations.push(NewAnnotation { audience, entry, value });
            }
        }
        if let (Some(value), Some(seen)) = (special_use, &seen) {
            if viewer != seen.record.account {
                return Err(MailboxError::NotPermitted);
            }
            self.set_special_use(viewer, seen.record.id, seen.record.special_use, value).await?;
        }
        if annotations.is_empty() {
            return Ok(());
        }
        let about = seen.map_or(Annotated::Server, |seen| Annotated::Mailbox(seen.record.id));
        Ok(self.store().set_annotations(viewer, about, annotations).await?)
    }

    async fn set_special_use(
        &self,
        owner: AccountId,
        mailbox: crate::types::MailboxId,
        before: Option<SpecialUse>,
        value: Option<Vec<u8>>,
    ) -> Result<(), MailboxError> {
        let wanted = match value {
            None => None,
            Some(value) => {
                let text = std::str::from_utf8(&value).ok();
                Some(text.and_then(SpecialUse::parse).ok_or(MailboxError::NoSuchSpecialUse)?)
            }
        };
        if wanted == before {
            return Ok(());
        }
        if let Some(wanted) = wanted {
            self.check_use_is_free(owner, wanted).await?;
        }
        Ok(self.store().set_special_use(mailbox, wanted).await?)
    }
}
