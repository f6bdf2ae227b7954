//! Mailboxes: made, renamed, removed, listed; their counters kept with every change so that SELECT counts nothing.

use super::directory_reads::{json, to_json};
use super::tx::{Row, Tx};
use super::{Change, Store, StoreError, Thing, Touched};
use crate::types::{
    AccountId, Flags, KEYWORDS_PER_MAILBOX_MAX, MailboxId, MailboxName, ModSeq, SpecialUse, Timestamp, Uid, UidSet,
    UidValidity,
};

/// A mailbox and everything SELECT and STATUS tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRecord {
    pub id: MailboxId,
    pub account: AccountId,
    pub name: MailboxName,
    pub uidvalidity: UidValidity,
    pub uidnext: Uid,
    pub highest_modseq: ModSeq,
    /// The expunge history is complete for changes after this.
    pub expunge_floor: ModSeq,
    pub messages: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub octets: u64,
    pub deleted_octets: u64,
    pub special_use: Option<SpecialUse>,
    /// A name's place is its bit, see `Flags::keyword`.
    pub keywords: Vec<String>,
    pub created: Timestamp,
}

#[derive(Clone, Debug)]
pub struct NewMailbox {
    pub name: MailboxName,
    pub special_use: Option<SpecialUse>,
    pub subscribe: bool,
}

impl MailboxRecord {
    pub fn keyword(&self, name: &str) -> Option<Flags> {
        self.keywords.iter().position(|known| known.eq_ignore_ascii_case(name)).map(Flags::keyword)
    }
}

const ALL: &str = "SELECT mailbox_id, account_id, name, uidvalidity, uidnext, highest_modseq, expunge_floor, messages,
    unseen, deleted, octets, deleted_octets, special_use, keywords, created FROM mailbox WHERE account_id = ?1
    AND removed = 0 ORDER BY name";
const BY_ID: &str =
    "SELECT mailbox_id, account_id, name, uidvalidity, uidnext, highest_modseq, expunge_floor, messages,
    unseen, deleted, octets, deleted_octets, special_use, keywords, created FROM mailbox WHERE mailbox_id = ?1
    AND removed = 0";
const BY_NAME: &str = "SELECT mailbox_id, account_id, name, uidvalidity, uidnext, highest_modseq, expunge_floor,
    messages, unseen, deleted, octets, deleted_octets, special_use, keywords, created FROM mailbox
    WHERE account_id = ?1 AND name = ?2 AND removed = 0";
const BY_USE: &str = "SELECT mailbox_id, account_id, name, uidvalidity, uidnext, highest_modseq, expunge_floor,
    messages, unseen, deleted, octets, deleted_octets, special_use, keywords, created FROM mailbox
    WHERE account_id = ?1 AND special_use = ?2 AND removed = 0 ORDER BY mailbox_id LIMIT 1";

impl Store {
    /// All mailboxes of an account, by name.
    pub async fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxRecord>, StoreError> {
        self.read(move |tx| tx.rows(ALL, &[account.into()], record_of)).await
    }

    pub async fn mailbox(&self, account: AccountId, name: &MailboxName) -> Result<Option<MailboxRecord>, StoreError> {
        let name = name.clone();
        self.read(move |tx| by_name(tx, account, &name)).await
    }

    pub async fn mailbox_by_id(&self, mailbox: MailboxId) -> Result<Option<MailboxRecord>, StoreError> {
        self.read(move |tx| by_id(tx, mailbox)).await
    }

    /// For scripts' hosts, on their own threads.
    pub fn mailboxes_blocking(&self, account: AccountId) -> Result<Vec<MailboxRecord>, StoreError> {
        self.read_blocking(move |tx| tx.rows(ALL, &[account.into()], record_of))
    }

    /// Makes a mailbox, and those above it that are missing (RFC 9051 section 6.3.4).
    pub async fn create_mailbox(&self, account: AccountId, new: NewMailbox) -> Result<MailboxRecord, StoreError> {
        let now = self.0.clock.now();
        self.write(1024, move |tx| {
            if by_name(tx, account, &new.name)?.is_some() {
                return Err(StoreError::Exists(Thing::Mailbox));
            }
            let id = create_with_parents(tx, account, &new, now)?;
            by_id(tx, id)?.ok_or(StoreError::Missing(Thing::Mailbox))
        })
        .await
    }

    /// Takes a mailbox away with its messages: at once for everybody and for the quota, whatever its size; the rows go
    /// in pieces, by `purge_removed_mailboxes`. INBOX stays (RFC 9051 section 6.3.5).
    pub async fn delete_mailbox(&self, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
        let name = name.clone();
        self.write(1024, move |tx| {
            if name.is_inbox() {
                return Err(StoreError::InUse(Thing::Mailbox));
            }
            let mailbox = by_name(tx, account, &name)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            remove(tx, &mailbox)?;
            tx.touched.push(Touched::of(&mailbox, mailbox.highest_modseq, Change::Deleted(name.clone())));
            Ok(())
        })
        .await
    }

    /// Renames a mailbox and all below it. Renaming INBOX is the callers' special case: it moves messages.
    pub async fn rename_mailbox(
        &self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), StoreError> {
        let (from, to) = (from.clone(), to.clone());
        let now = self.0.clock.now();
        self.write(4096, move |tx| rename(tx, account, &from, &to, now)).await
    }

    /// Renames INBOX: its messages move to a new mailbox, in one transaction, and it stays (RFC 9051 section 6.3.6).
    pub async fn rename_inbox(&self, account: AccountId, to: &MailboxName) -> Result<(), StoreError> {
        let to = to.clone();
        let now = self.0.clock.now();
        self.write(64 * 1024, move |tx| {
            if by_name(tx, account, &to)?.is_some() {
                return Err(StoreError::Exists(Thing::Mailbox));
            }
            let inbox = by_name(tx, account, &MailboxName::inbox())?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            let new = NewMailbox { name: to.clone(), special_use: None, subscribe: false };
            let id = create_with_parents(tx, account, &new, now)?;
            let all = UidSet::from_ranges([(1, u32::MAX)]);
            super::messages::move_all(tx, inbox.id, &all, (id, Flags::ALL), now).map(|_| ())
        })
        .await
    }

    pub async fn subscriptions(&self, account: AccountId) -> Result<Vec<MailboxName>, StoreError> {
        self.read(move |tx| {
            tx.rows("SELECT name FROM subscription WHERE account_id = ?1 ORDER BY name", &[account.into()], |row| {
                row.parsed(0)
            })
        })
        .await
    }

    /// A name can be subscribed whether or not there is such a mailbox (RFC 9051 section 6.3.7).
    pub async fn subscribe(&self, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
        let name = name.clone();
        self.write(128, move |tx| subscribe(tx, account, &name)).await
    }

    pub async fn unsubscribe(&self, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
        let name = name.clone();
        self.write(128, move |tx| {
            let parameters = [account.into(), name.as_str().into()];
            tx.execute("DELETE FROM subscription WHERE account_id = ?1 AND name = ?2", &parameters)?;
            tx.touched.push(Touched::account(account, Change::Unsubscribed(name.clone())));
            Ok(())
        })
        .await
    }

    /// RFC 6154 section 5.
    pub async fn set_special_use(&self, mailbox: MailboxId, usage: Option<SpecialUse>) -> Result<(), StoreError> {
        self.write(128, move |tx| {
            let record = by_id(tx, mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
            let name = usage.map(SpecialUse::as_str);
            let parameters = [mailbox.into(), name.into()];
            tx.stale.mailboxes = true;
            tx.execute("UPDATE mailbox SET special_use = ?2 WHERE mailbox_id = ?1", &parameters)?;
            let change = Change::Metadata(vec!["/private/specialuse".to_owned()]);
            tx.touched.push(Touched::of(&record, record.highest_modseq, change));
            Ok(())
        })
        .await
    }
}

/// With its messages and all that is remembered of it.
pub(super) fn remove(tx: &mut Tx<'_>, mailbox: &MailboxRecord) -> Result<(), StoreError> {
    tx.stale.mailboxes = true;
    super::annotations::remove_of_mailbox(tx, mailbox.id)?;
    tx.execute("DELETE FROM acl WHERE mailbox_id = ?1", &[mailbox.id.into()])?;
    tx.execute(
        "UPDATE usage SET octets = octets - ?2, messages = messages - ?3, modseq = modseq + 1 WHERE account_id = ?1",
        &[mailbox.account.into(), mailbox.octets.into(), mailbox.messages.into()],
    )?;
    // No client can write a name with this character (a private use of ours), so the old one is free and this one is ours.
    let hidden = format!("\u{E000}{}", mailbox.id);
    tx.execute(
        "UPDATE mailbox SET removed = 1, special_use = NULL, name = ?2 WHERE mailbox_id = ?1",
        &[mailbox.id.into(), (&hidden).into()],
    )
    .map(|_| ())
}

fn record_of(row: &dyn Row) -> Result<MailboxRecord, StoreError> {
    Ok(MailboxRecord {
        id: MailboxId(row.int(0)?),
        account: AccountId(row.int(1)?),
        name: row.parsed(2)?,
        uidvalidity: UidValidity(row.small(3)?),
        uidnext: Uid(row.small(4)?),
        highest_modseq: ModSeq(row.size(5)?),
        expunge_floor: ModSeq(row.size(6)?),
        messages: row.small(7)?,
        unseen: row.small(8)?,
        deleted: row.small(9)?,
        octets: row.size(10)?,
        deleted_octets: row.size(11)?,
        special_use: row.opt_text(12)?.and_then(SpecialUse::parse),
        keywords: json(row.text(13)?)?,
        created: row.time(14)?,
    })
}

pub(super) fn all(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<MailboxRecord>, StoreError> {
    tx.rows(ALL, &[account.into()], record_of)
}

pub(super) fn by_id(tx: &mut Tx<'_>, mailbox: MailboxId) -> Result<Option<MailboxRecord>, StoreError> {
    tx.row(BY_ID, &[mailbox.into()], record_of)
}

pub(super) fn by_name(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &MailboxName,
) -> Result<Option<MailboxRecord>, StoreError> {
    tx.row(BY_NAME, &[account.into(), name.as_str().into()], record_of)
}

pub(super) fn by_use(
    tx: &mut Tx<'_>,
    account: AccountId,
    usage: SpecialUse,
) -> Result<Option<MailboxRecord>, StoreError> {
    tx.row(BY_USE, &[account.into(), usage.as_str().into()], record_of)
}

/// INBOX and the mailboxes with a use, all subscribed.
pub(super) fn make_first_mailboxes(tx: &mut Tx<'_>, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
    let inbox = NewMailbox { name: MailboxName::inbox(), special_use: None, subscribe: true };
    create_one(tx, account, &inbox, now)?;
    for (usage, name) in SpecialUse::MADE_WITH_ACCOUNT {
        let name = name.parse().map_err(|error| StoreError::Damaged(format!("{name}: {error}")))?;
        create_one(tx, account, &NewMailbox { name, special_use: Some(usage), subscribe: true }, now)?;
    }
    Ok(())
}

pub(super) fn create_with_parents(
    tx: &mut Tx<'_>,
    account: AccountId,
    new: &NewMailbox,
    now: Timestamp,
) -> Result<MailboxId, StoreError> {
    let mut missing = Vec::new();
    let mut parent = new.name.parent();
    // Bounded by the depth a name may have.
    while let Some(name) = parent {
        if by_name(tx, account, &name)?.is_some() {
            break;
        }
        parent = name.parent();
        missing.push(name);
    }
    for name in missing.into_iter().rev() {
        create_one(tx, account, &NewMailbox { name, special_use: None, subscribe: false }, now)?;
    }
    create_one(tx, account, new, now)
}

fn create_one(tx: &mut Tx<'_>, account: AccountId, new: &NewMailbox, now: Timestamp) -> Result<MailboxId, StoreError> {
    let uidvalidity = tx
        .row(
            "UPDATE account SET uidvalidity_last = uidvalidity_last + 1 WHERE account_id = ?1
             RETURNING uidvalidity_last",
            &[account.into()],
            |row| row.small(0),
        )?
        .ok_or(StoreError::Missing(Thing::Account))?;
    let modseq = next_modseq(tx, account)?;
    let id = tx
        .row(
            "INSERT INTO mailbox (account_id, name, uidvalidity, uidnext, highest_modseq, expunge_floor, messages,
                                  unseen, deleted, octets, deleted_octets, special_use, keywords, created)
             VALUES (?1, ?2, ?3, 1, ?4, ?4, 0, 0, 0, 0, 0, ?5, '[]', ?6) RETURNING mailbox_id",
            &[
                account.into(),
                new.name.as_str().into(),
                uidvalidity.into(),
                modseq.into(),
                new.special_use.map(SpecialUse::as_str).into(),
                now.into(),
            ],
            |row| Ok(MailboxId(row.int(0)?)),
        )?
        .ok_or(StoreError::Missing(Thing::Mailbox))?;
    if new.subscribe {
        subscribe(tx, account, &new.name)?;
    }
    tx.stale.mailboxes = true;
    tx.touched.push(Touched { account, mailbox: Some(id), modseq, change: Change::Created(new.name.clone()) });
    Ok(id)
}

fn subscribe(tx: &mut Tx<'_>, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO subscription (account_id, name) VALUES (?1, ?2) ON CONFLICT (account_id, name) DO NOTHING",
        &[account.into(), name.as_str().into()],
    )?;
    tx.touched.push(Touched::account(account, Change::Subscribed(name.clone())));
    Ok(())
}

/// The next number of the account's one counter of changes.
pub(super) fn next_modseq(tx: &mut Tx<'_>, account: AccountId) -> Result<ModSeq, StoreError> {
    tx.row("UPDATE usage SET modseq = modseq + 1 WHERE account_id = ?1 RETURNING modseq", &[account.into()], |row| {
        Ok(ModSeq(row.size(0)?))
    })?
    .ok_or(StoreError::Missing(Thing::Account))
}

fn rename(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: &MailboxName,
    to: &MailboxName,
    now: Timestamp,
) -> Result<(), StoreError> {
    if from.is_inbox() || to.is_inbox() || to.is_below(from) {
        return Err(StoreError::InUse(Thing::Mailbox));
    }
    if by_name(tx, account, to)?.is_some() {
        return Err(StoreError::Exists(Thing::Mailbox));
    }
    let all = tx.rows(ALL, &[account.into()], record_of)?;
    let mut moved = all.into_iter().filter(|mailbox| mailbox.name == *from || mailbox.name.is_below(from)).peekable();
    if moved.peek().is_none() {
        return Err(StoreError::Missing(Thing::Mailbox));
    }
    if let Some(parent) = to.parent()
        && by_name(tx, account, &parent)?.is_none()
    {
        create_with_parents(tx, account, &NewMailbox { name: parent, special_use: None, subscribe: false }, now)?;
    }
    tx.stale.mailboxes = true;
    for mailbox in moved {
        let renamed = format!("{to}{}", &mailbox.name.as_str()[from.as_str().len()..]);
        let renamed: MailboxName = renamed.parse().map_err(|_| StoreError::Limit("mailbox name"))?;
        if by_name(tx, account, &renamed)?.is_some() {
            return Err(StoreError::Exists(Thing::Mailbox));
        }
        tx.execute(
            "UPDATE mailbox SET name = ?2 WHERE mailbox_id = ?1",
            &[mailbox.id.into(), renamed.as_str().into()],
        )?;
        let change = Change::Renamed { from: mailbox.name.clone(), to: renamed };
        tx.touched.push(Touched::of(&mailbox, mailbox.highest_modseq, change));
    }
    Ok(())
}

/// What becomes of a keyword for which a mailbox has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    Refused,
    /// A message is worth more than its keywords.
    LeftOut,
}

/// The flags of these keywords, giving the mailbox new names as needed.
pub(super) fn keyword_flags(
    tx: &mut Tx<'_>,
    mailbox: &mut MailboxRecord,
    keywords: &[String],
    overflow: Overflow,
) -> Result<Flags, StoreError> {
    let mut flags = Flags::NONE;
    let before = mailbox.keywords.len();
    for name in keywords {
        let flag = match mailbox.keyword(name) {
            Some(flag) => flag,
            None if mailbox.keywords.len() >= KEYWORDS_PER_MAILBOX_MAX => match overflow {
                Overflow::Refused => return Err(StoreError::Limit("keywords of a mailbox")),
                Overflow::LeftOut => continue,
            },
            None => {
                mailbox.keywords.push(name.clone());
                Flags::keyword(mailbox.keywords.len() - 1)
            }
        };
        flags = flags.with(flag);
    }
    if mailbox.keywords.len() > before {
        let names = to_json(&mailbox.keywords)?;
        tx.execute("UPDATE mailbox SET keywords = ?2 WHERE mailbox_id = ?1", &[mailbox.id.into(), (&names).into()])?;
    }
    Ok(flags)
}

/// How a set of messages changes its mailbox's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) messages: i64,
    pub(super) unseen: i64,
    pub(super) deleted: i64,
    pub(super) octets: i64,
    pub(super) deleted_octets: i64,
}

impl Count {
    /// `sign` 1 adds the message, −1 takes it away.
    pub(super) fn message(&mut self, flags: Flags, octets: u32, sign: i64) {
        self.messages += sign;
        self.octets += sign * i64::from(octets);
        if !flags.contains(Flags::SEEN) {
            self.unseen += sign;
        }
        if flags.contains(Flags::DELETED) {
            self.deleted += sign;
            self.deleted_octets += sign * i64::from(octets);
        }
    }

    pub(super) fn apply(self, tx: &mut Tx<'_>, mailbox: MailboxId, modseq: ModSeq) -> Result<(), StoreError> {
        self.apply_with_next(tx, mailbox, modseq, Uid(0))
    }

    /// Also moves UIDNEXT on; it never goes back.
    pub(super) fn apply_with_next(
        self,
        tx: &mut Tx<'_>,
        mailbox: MailboxId,
        modseq: ModSeq,
        uidnext: Uid,
    ) -> Result<(), StoreError> {
        tx.execute(
            "UPDATE mailbox SET messages = messages + ?2, unseen = unseen + ?3, deleted = deleted + ?4,
                    octets = octets + ?5, deleted_octets = deleted_octets + ?6, highest_modseq = ?7,
                    uidnext = CASE WHEN uidnext < ?8 THEN ?8 ELSE uidnext END
             WHERE mailbox_id = ?1",
            &[
                mailbox.into(),
                self.messages.into(),
                self.unseen.into(),
                self.deleted.into(),
                self.octets.into(),
                self.deleted_octets.into(),
                modseq.into(),
                uidnext.into(),
            ],
        )?;
        Ok(())
    }
}
