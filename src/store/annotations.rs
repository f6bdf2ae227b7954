//! Annotations of mailboxes, accounts and the server (RFC 5464): names and octets, which mean nothing here.

use super::mailboxes;
use super::tx::Tx;
use super::{Change, Store, StoreError, Thing, Touched};
use crate::types::limits::{ANNOTATION_OCTETS_MAX, ANNOTATIONS_MAX};
use crate::types::{AccountId, MailboxId};

/// RFC 6785 section 2.3.1: names the script that runs upon what happens in a mailbox.
pub const EVENT_SCRIPT_ENTRY: &str = "/shared/imapsieve/script";

/// What an annotation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotated {
    Mailbox(MailboxId),
    Server,
}

/// Who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who may see what it is about.
    Shared,
    Private(AccountId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// In lower case, with its /private or /shared.
    pub entry: String,
    pub value: Vec<u8>,
}

/// A value to be set; `None` removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnnotation {
    pub audience: Audience,
    pub entry: String,
    pub value: Option<Vec<u8>>,
}

impl Annotated {
    fn key(self) -> i64 {
        match self {
            Self::Mailbox(mailbox) => mailbox.0,
            Self::Server => 0,
        }
    }
}

impl Audience {
    fn key(self) -> i64 {
        match self {
            Self::Shared => 0,
            Self::Private(account) => account.0,
        }
    }
}

impl Store {
    /// All that `viewer` sees, by name.
    pub async fn annotations(&self, about: Annotated, viewer: AccountId) -> Result<Vec<Annotation>, StoreError> {
        self.read(move |tx| seen(tx, about, viewer)).await
    }

    /// One that everybody sees.
    pub async fn shared_annotation(
        &self,
        about: Annotated,
        entry: &'static str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |tx| {
            let sql = "SELECT value FROM annotation WHERE mailbox_id = ?1 AND account_id = 0 AND entry = ?2";
            let found = tx.rows(sql, &[about.key().into(), entry.into()], |row| Ok(row.blob(0)?.to_vec()))?;
            Ok(found.into_iter().next())
        })
        .await
    }

    /// For scripts' hosts, on their own threads.
    pub fn annotations_blocking(&self, about: Annotated, viewer: AccountId) -> Result<Vec<Annotation>, StoreError> {
        self.read_blocking(move |tx| seen(tx, about, viewer))
    }

    /// Sets and removes annotations, all or none. `by`: whose session it is, for the feed.
    pub async fn set_annotations(
        &self,
        by: AccountId,
        about: Annotated,
        annotations: Vec<NewAnnotation>,
    ) -> Result<(), StoreError> {
        let octets = annotations.iter().filter_map(|new| new.value.as_ref()).map(Vec::len).sum::<usize>() + 256;
        self.write(octets, move |tx| {
            for new in &annotations {
                tx.stale.event_scripts |= new.entry == EVENT_SCRIPT_ENTRY;
                put(tx, about, new)?;
            }
            let change = Change::Metadata(annotations.iter().map(|new| new.entry.clone()).collect());
            let touched = match about {
                Annotated::Server => Touched::account(by, change),
                Annotated::Mailbox(mailbox) => {
                    let record = mailboxes::by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
                    Touched::of(&record, record.highest_modseq, change)
                }
            };
            tx.touched.push(touched);
            Ok(())
        })
        .await
    }
}

fn seen(tx: &mut Tx<'_>, about: Annotated, viewer: AccountId) -> Result<Vec<Annotation>, StoreError> {
    tx.rows(
        "SELECT entry, value FROM annotation WHERE mailbox_id = ?1 AND account_id IN (0, ?2) ORDER BY entry",
        &[about.key().into(), viewer.into()],
        |row| Ok(Annotation { entry: row.text(0)?.to_owned(), value: row.blob(1)?.to_vec() }),
    )
}

fn put(tx: &mut Tx<'_>, about: Annotated, new: &NewAnnotation) -> Result<(), StoreError> {
    let (about, audience) = (about.key(), new.audience.key());
    let Some(value) = &new.value else {
        let parameters = [about.into(), audience.into(), (&new.entry).into()];
        let sql = "DELETE FROM annotation WHERE mailbox_id = ?1 AND account_id = ?2 AND entry = ?3";
        return tx.execute(sql, &parameters).map(|_| ());
    };
    if value.len() > ANNOTATION_OCTETS_MAX {
        return Err(StoreError::Limit("octets of an annotation"));
    }
    tx.execute(
        "INSERT INTO annotation (mailbox_id, account_id, entry, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (mailbox_id, account_id, entry) DO UPDATE SET value = excluded.value",
        &[about.into(), audience.into(), (&new.entry).into(), value.into()],
    )?;
    let count = tx.int(
        "SELECT count(*) FROM annotation WHERE mailbox_id = ?1 AND account_id = ?2",
        &[about.into(), audience.into()],
    )?;
    if count.is_some_and(|count| count > ANNOTATIONS_MAX) {
        return Err(StoreError::Limit("annotations"));
    }
    Ok(())
}

/// For a mailbox that goes away.
pub(super) fn remove_of_mailbox(tx: &mut Tx<'_>, mailbox: MailboxId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM annotation WHERE mailbox_id = ?1", &[mailbox.into()]).map(|_| ())
}

/// For an account that goes away: its private ones, wherever they are.
pub(super) fn remove_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM annotation WHERE account_id = ?1", &[account.into()]).map(|_| ())
}
