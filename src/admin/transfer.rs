//! Mail carried in and out, some megabytes at a time: for `import` and `export`, which read and write the files themselves,
//! as whoever asked for it.
//!
//! A message is never taken twice: what a mailbox already has, octet for octet, is left out. So an import that was cut short
//! goes on where it stopped when it is started again, and nothing has to be remembered for it. The price: of two messages
//! of one folder that are the same in every octet, one is kept.

use super::causes::AddressCause;
use super::error::{Cause, Refused};
use super::{Act, Admin, Caller};
use crate::mailbox;
use crate::store::{
    AccountRecord, BodyChoice, Deposit, Entry, Filing, FilingPlace, LargeBody, MailboxRecord, NewBody, NewMailbox,
    StoreError,
};
use crate::types::limits::{BODY_AHEAD_OCTETS, CARRIED_MESSAGES_MAX, CARRIED_OCTETS_MAX};
use crate::types::{Address, Flags, MailboxName, Timestamp, is_keyword};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;

/// One import at a time may look what is there and add to it, or two of them could both add the same.
static TAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

type Hash = [u8; 32];

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedMessage {
    /// Whole, with CR LF at its lines' ends.
    #[serde(with = "base64_octets")]
    pub octets: Vec<u8>,
    /// `\Seen` and the others, and keywords.
    pub flags: Vec<String>,
    /// When it arrived; None: now.
    pub seconds: Option<i64>,
}

mod base64_octets {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(octets))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MailFolders {
    pub address: Address,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailFolderView {
    pub name: MailboxName,
    pub messages: u64,
    pub octets: u64,
}

/// Puts messages into a mailbox, which is made if it is not there, even for no messages: all that it does not have, or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportMessages {
    pub address: Address,
    pub mailbox: MailboxName,
    pub messages: Vec<CarriedMessage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    pub taken: u64,
    /// Left out, because the mailbox has them.
    pub known: u64,
}

/// The next messages of a mailbox, by UID: as many as make some megabytes, at least one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportMessages {
    pub address: Address,
    pub mailbox: MailboxName,
    /// After this UID; 0: from the first one.
    pub after: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedPage {
    pub uidvalidity: u32,
    /// Each with its UID. Empty: there are no more.
    pub messages: Vec<(u32, CarriedMessage)>,
}

impl Act for MailFolders {
    const NAME: &'static str = "export list";
    type Answer = Vec<MailFolderView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<MailFolderView>, Refused> {
        let account = admin.account(&self.address).await?;
        let view = |record: MailboxRecord| MailFolderView {
            name: record.name,
            messages: u64::from(record.messages),
            octets: record.octets,
        };
        Ok(admin.store().mailboxes(account.id).await?.into_iter().map(view).collect())
    }
}

impl Act for ImportMessages {
    const NAME: &'static str = "import";
    type Answer = Imported;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Imported, Refused> {
        let account = admin.account(&self.address).await?;
        let all = self.messages.len() as u64;
        let messages = self.messages;
        let hashing = tokio::task::spawn_blocking(move || {
            let hashed = |message: CarriedMessage| (Hash::from(Sha256::digest(&message.octets)), message);
            messages.into_iter().map(hashed).collect::<Vec<_>>()
        });
        let hashed = hashing.await.map_err(|_| Cause::TaskDied)?;

        let _taking = TAKING.lock().await;
        let mut known = match admin.store().mailbox(account.id, &self.mailbox).await? {
            Some(record) => {
                admin.known(&record, hashed.iter().map(|(_, one)| one.octets.len() as u64).collect()).await?
            }
            None if hashed.is_empty() => {
                let new = NewMailbox { name: self.mailbox.clone(), special_use: None, subscribe: true };
                admin.store().create_mailbox(account.id, new).await?;
                HashSet::new()
            }
            None => HashSet::new(),
        };
        // The same one twice in one folder counts once as well.
        let new: Vec<CarriedMessage> =
            hashed.into_iter().filter_map(|(hash, message)| known.insert(hash).then_some(message)).collect();
        let packing = tokio::task::spawn_blocking(move || new.into_iter().map(packed).collect());
        let packed: Result<Vec<(Packed, CarriedMessage)>, StoreError> = packing.await.map_err(|_| Cause::TaskDied)?;
        let mut deposit = Deposit::default();
        for (body, message) in packed? {
            let choice = match body {
                Packed::Large(body) => BodyChoice::Stored(admin.store().put_body(body).await?),
                Packed::Small(body) => {
                    deposit.bodies.push(body);
                    BodyChoice::New(deposit.bodies.len() - 1)
                }
            };
            deposit.filings.push(filing(&account, &self.mailbox, choice, &message, admin.store().clock().now()));
        }
        let taken = deposit.filings.len() as u64;
        if taken > 0 {
            admin.store().deposit(deposit).await.map_err(|error| match error {
                StoreError::OverQuota(_) => Refused::from(AddressCause::NoRoom(account.address.clone())),
                other => other.into(),
            })?;
        }
        tracing::info!(author = caller.author, account = %account.address, mailbox = %self.mailbox, taken, "imported");
        Ok(Imported { taken, known: all - taken })
    }
}

/// Ready to be stored: in the transaction that files it, or ahead of that.
enum Packed {
    Small(NewBody),
    Large(LargeBody),
}

/// Of the message only what is not in the body is left.
fn packed(mut message: CarriedMessage) -> Result<(Packed, CarriedMessage), StoreError> {
    let octets = std::mem::take(&mut message.octets);
    let body = if octets.len() > BODY_AHEAD_OCTETS {
        Packed::Large(mailbox::index_large(Arc::new(octets))?)
    } else {
        Packed::Small(mailbox::index(&octets)?)
    };
    Ok((body, message))
}

impl Admin {
    /// The hashes of the mailbox's messages that have one of these sizes.
    async fn known(&self, mailbox: &MailboxRecord, sizes: HashSet<u64>) -> Result<HashSet<Hash>, Refused> {
        let (_, entries) = self.store().entries(mailbox.id).await?;
        let candidates =
            entries.iter().filter(|entry| sizes.contains(&u64::from(entry.octets))).map(|entry| entry.body);
        Ok(self.store().body_hashes(candidates.collect()).await?.into_iter().collect())
    }
}

fn filing(
    account: &AccountRecord,
    mailbox: &MailboxName,
    body: BodyChoice,
    message: &CarriedMessage,
    now: Timestamp,
) -> Filing {
    // What other programs wrote may be no flag at all.
    let (flags, keywords) =
        Flags::named(message.flags.iter().filter(|name| name.starts_with('\\') || is_keyword(name)));
    Filing {
        account: account.id,
        place: FilingPlace::Named(mailbox.clone()),
        body,
        flags,
        keywords,
        internal_date: message.seconds.map_or(now, Timestamp::from_seconds),
        internal_zone_minutes: 0,
        within_quota: true,
    }
}

impl Act for ExportMessages {
    const NAME: &'static str = "export";
    type Answer = ExportedPage;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<ExportedPage, Refused> {
        let account = admin.account(&self.address).await?;
        let Some(record) = admin.store().mailbox(account.id, &self.mailbox).await? else {
            return Err(AddressCause::NoMailbox(self.address, self.mailbox).into());
        };
        let (record, entries) = admin.store().entries(record.id).await?;
        let mut page = ExportedPage { uidvalidity: record.uidvalidity.0, messages: Vec::new() };
        let mut octets = 0;
        for entry in entries.iter().filter(|entry| entry.uid.0 > self.after) {
            octets += u64::from(entry.octets);
            if !page.messages.is_empty() && (octets > CARRIED_OCTETS_MAX || page.messages.len() >= CARRIED_MESSAGES_MAX)
            {
                break;
            }
            let octets = admin.store().body_octets(entry.body).await?;
            let flags = names(&record, entry);
            let seconds = Some(entry.internal_seconds);
            page.messages.push((entry.uid.0, CarriedMessage { octets, flags, seconds }));
        }
        Ok(page)
    }
}

fn names(mailbox: &MailboxRecord, entry: &Entry) -> Vec<String> {
    let system =
        Flags::SYSTEM.iter().filter(|(flag, _)| entry.flags.contains(*flag)).map(|(_, name)| (*name).to_owned());
    let keywords = mailbox.keywords.iter().enumerate();
    let keywords = keywords.filter(|(index, _)| entry.flags.contains(Flags::keyword(*index)));
    system.chain(keywords.map(|(_, name)| name.clone())).collect()
}
