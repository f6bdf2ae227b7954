//! One delivery, one transaction: bodies, filings, sends, memories and the ledger stand together or not at all.

use super::bodies::{self, NewBody};
use super::mailboxes::{self, Count, MailboxRecord, NewMailbox, Overflow};
use super::pages::{ENTRIES_PER_PAGE, ENTRY_OCTETS, Entry};
use super::tx::Tx;
use super::{
    Answered, Duplicate, LedgerEntry, NewSend, ScriptFault, Store, StoreError, TargetNote, Thing, Touched, expunge,
    faults, ledger, memory, sends, turns,
};
use crate::types::{
    AccountId, Address, BodyId, Flags, MailboxId, MailboxName, ModSeq, SendId, SpecialUse, ThreadId, Timestamp, Uid,
    UidValidity,
};

/// Everything one accepted message causes.
#[derive(Clone, Debug, Default)]
pub struct Deposit {
    /// What `BodyChoice::New` counts into.
    pub bodies: Vec<NewBody>,
    /// Messages that make room for the filings; all must be there (RFC 8508).
    pub removals: Vec<(MailboxId, Uid)>,
    pub filings: Vec<Filing>,
    pub sends: Vec<(BodyChoice, NewSend)>,
    pub answered: Vec<Answered>,
    pub duplicates: Vec<Duplicate>,
    /// Whom an account wrote to.
    pub correspondents: Vec<(AccountId, Address)>,
    /// Redirections that did not pass it on, and why.
    pub stayed: Vec<TargetNote>,
    pub ledger: Vec<LedgerEntry>,
    /// What has gone wrong in scripts.
    pub faults: Vec<ScriptFault>,
}

impl Deposit {
    /// Roughly what it writes.
    fn octets(&self) -> usize {
        self.bodies.iter().map(NewBody::stored_octets).sum::<usize>() + 2048 * self.filings.len()
    }
}

/// Which octets are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyChoice {
    /// The deposit's own, by its place in `bodies`.
    New(usize),
    /// Stored ahead (`Store::put_body`), or named by messages already.
    Stored(BodyId),
}

/// One message into one mailbox.
#[derive(Clone, Debug)]
pub struct Filing {
    pub account: AccountId,
    pub place: FilingPlace,
    pub body: BodyChoice,
    pub flags: Flags,
    /// Names beyond the system flags; the mailbox learns those it does not know.
    pub keywords: Vec<String>,
    pub internal_date: Timestamp,
    pub internal_zone_minutes: i16,
    /// Whether a full account refuses it. Delivery and APPEND are bound by the quota; restoring what was there is not.
    pub within_quota: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilingPlace {
    Mailbox(MailboxId),
    /// Made, with those above it, if it is not there.
    Named(MailboxName),
    /// The mailbox with this use; if there is none, the named one.
    Special(SpecialUse, MailboxName),
}

/// Where a filing went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filed {
    pub mailbox: MailboxId,
    pub uidvalidity: UidValidity,
    pub uid: Uid,
    pub modseq: ModSeq,
    pub body: BodyId,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deposited {
    /// In the order of the deposit's filings.
    pub filed: Vec<Filed>,
    pub sends: Vec<SendId>,
}

impl Store {
    /// All of it or nothing. Answers `OverQuota` with the first account that can't take its filing.
    pub async fn deposit(&self, deposit: Deposit) -> Result<Deposited, StoreError> {
        let now = self.0.clock.now();
        self.write(deposit.octets(), move |tx| put(tx, &deposit, now)).await
    }

    /// The same, queued by a thread that may block; `then` is told by the writer's thread, so it must be quick. If the
    /// store closes before, it is dropped.
    pub fn deposit_then(&self, deposit: Deposit, then: impl FnOnce(Result<Deposited, StoreError>) + Send + 'static) {
        let now = self.0.clock.now();
        self.0.writer.write_then(deposit.octets(), move |tx| put(tx, &deposit, now), then);
    }
}

fn put(tx: &mut Tx<'_>, deposit: &Deposit, now: Timestamp) -> Result<Deposited, StoreError> {
    let mut stored = Vec::with_capacity(deposit.bodies.len());
    let mut references = vec![0_u32; deposit.bodies.len()];
    for body in &deposit.bodies {
        stored.push((bodies::insert(tx, body)?, body.octets()));
    }
    let mut result = Deposited::default();
    for (mailbox, uid) in &deposit.removals {
        let record = mailboxes::by_id(tx, *mailbox)?.ok_or(StoreError::Missing(Thing::Mailbox))?;
        let wanted = |entry: &Entry| entry.uid == *uid;
        let (gone, _) = expunge::take_out(tx, &record, &wanted, expunge::Bodies::Release, now, (*uid, *uid))?;
        if gone.is_empty() {
            return Err(StoreError::Missing(Thing::Message));
        }
    }
    for filing in &deposit.filings {
        let (body, octets) = chosen(tx, filing.body, &stored, &mut references)?;
        result.filed.push(file(tx, filing, body, octets, now)?);
    }
    for (body, send) in &deposit.sends {
        let (body, _) = chosen(tx, *body, &stored, &mut references)?;
        result.sends.push(sends::insert(tx, send, body, now)?);
    }
    for ((body, _), count) in stored.iter().zip(references) {
        if count == 0 {
            return Err(StoreError::Damaged("a deposit's body that nothing names".to_owned()));
        }
        bodies::refer_first(tx, *body, count)?;
    }
    for answered in &deposit.answered {
        memory::remember_answer(tx, answered)?;
    }
    for duplicate in &deposit.duplicates {
        memory::remember_duplicate(tx, duplicate)?;
    }
    for (account, address) in &deposit.correspondents {
        memory::remember_correspondent(tx, *account, address, now)?;
    }
    // One account has brought the message, so its correspondents stand together.
    if let Some((account, _)) = deposit.correspondents.last() {
        memory::forget_correspondents(tx, *account)?;
    }
    for note in &deposit.stayed {
        turns::note_target(tx, note)?;
    }
    for entry in &deposit.ledger {
        ledger::insert(tx, entry, now)?;
    }
    for fault in &deposit.faults {
        faults::happened(tx, fault, now)?;
    }
    Ok(result)
}

/// The body's id and size. References to new bodies are counted together, those to stored ones at once.
fn chosen(
    tx: &mut Tx<'_>,
    choice: BodyChoice,
    stored: &[(BodyId, u32)],
    references: &mut [u32],
) -> Result<(BodyId, u32), StoreError> {
    match choice {
        BodyChoice::New(place) => {
            let body = stored.get(place).copied().ok_or(StoreError::Missing(Thing::Body))?;
            references[place] += 1;
            Ok(body)
        }
        BodyChoice::Stored(body) => {
            let octets = tx.row("SELECT octets FROM body WHERE body_id = ?1", &[body.into()], |row| row.small(0))?;
            let octets = octets.ok_or(StoreError::Missing(Thing::Body))?;
            bodies::refer(tx, body, 1)?;
            Ok((body, octets))
        }
    }
}

fn place(tx: &mut Tx<'_>, filing: &Filing, now: Timestamp) -> Result<MailboxRecord, StoreError> {
    let found = match &filing.place {
        FilingPlace::Mailbox(id) => {
            return mailboxes::by_id(tx, *id)?
                .filter(|mailbox| mailbox.account == filing.account)
                .ok_or(StoreError::Missing(Thing::Mailbox));
        }
        FilingPlace::Named(name) => mailboxes::by_name(tx, filing.account, name)?,
        FilingPlace::Special(usage, name) => match mailboxes::by_use(tx, filing.account, *usage)? {
            Some(mailbox) => Some(mailbox),
            None => mailboxes::by_name(tx, filing.account, name)?,
        },
    };
    if let Some(mailbox) = found {
        return Ok(mailbox);
    }
    let (FilingPlace::Named(name) | FilingPlace::Special(_, name)) = &filing.place else {
        return Err(StoreError::Missing(Thing::Mailbox));
    };
    let new = NewMailbox { name: name.clone(), special_use: None, subscribe: true };
    let id = mailboxes::create_with_parents(tx, filing.account, &new, now)?;
    mailboxes::by_id(tx, id)?.ok_or(StoreError::Missing(Thing::Mailbox))
}

fn file(tx: &mut Tx<'_>, filing: &Filing, body: BodyId, octets: u32, now: Timestamp) -> Result<Filed, StoreError> {
    let mut mailbox = place(tx, filing, now)?;
    let flags = filing.flags.with(mailboxes::keyword_flags(tx, &mut mailbox, &filing.keywords, Overflow::LeftOut)?);
    let modseq = use_quota(tx, filing.account, octets, 1, filing.within_quota)?;
    let entry = Entry {
        uid: mailbox.uidnext,
        flags,
        modseq,
        body,
        thread: ThreadId(0),
        octets,
        internal_seconds: filing.internal_date.seconds(),
        internal_zone_minutes: filing.internal_zone_minutes,
        saved_seconds: now.seconds(),
    };
    append_entries(tx, &mailbox, &[entry], modseq)?;
    Ok(Filed { mailbox: mailbox.id, uidvalidity: mailbox.uidvalidity, uid: entry.uid, modseq, body })
}

/// Counts octets and messages into the account and takes its next modification sequence.
pub(super) fn use_quota(
    tx: &mut Tx<'_>,
    account: AccountId,
    octets: u32,
    messages: u32,
    within_quota: bool,
) -> Result<ModSeq, StoreError> {
    let (used, quota, modseq, count, quota_count) = tx
        .row(
            "UPDATE usage SET octets = octets + ?2, messages = messages + ?3, modseq = modseq + 1 WHERE account_id = ?1
             RETURNING octets, (SELECT a.quota_octets FROM account a WHERE a.account_id = usage.account_id), modseq,
                       messages, quota_messages",
            &[account.into(), octets.into(), messages.into()],
            |row| Ok((row.int(0)?, row.opt_int(1)?, ModSeq(row.size(2)?), row.int(3)?, row.opt_int(4)?)),
        )?
        .ok_or(StoreError::Missing(Thing::Account))?;
    let exceeded = quota.is_some_and(|quota| used > quota) || quota_count.is_some_and(|quota| count > quota);
    if within_quota && exceeded {
        return Err(StoreError::OverQuota(account));
    }
    Ok(modseq)
}

/// Puts entries, whose UIDs start at the mailbox's next one, behind those that are there, and counts them.
pub(super) fn append_entries(
    tx: &mut Tx<'_>,
    mailbox: &MailboxRecord,
    entries: &[Entry],
    modseq: ModSeq,
) -> Result<(), StoreError> {
    let Some(last_entry) = entries.last() else { return Ok(()) };
    let next = last_entry.uid.0.checked_add(1).ok_or(StoreError::Limit("UIDs of a mailbox"))?;
    let mut count = Count::default();
    for entry in entries {
        count.message(entry.flags, entry.octets, 1);
    }
    let last_page = tx.row(
        "SELECT page_id, entries FROM page WHERE mailbox_id = ?1 ORDER BY first_uid DESC LIMIT 1",
        &[mailbox.id.into()],
        |row| Ok((row.int(0)?, row.blob(1)?.to_vec())),
    )?;
    let mut rest = entries;
    if let Some((page, mut packed)) = last_page
        && packed.len() < ENTRIES_PER_PAGE * ENTRY_OCTETS
    {
        let room = ENTRIES_PER_PAGE - packed.len() / ENTRY_OCTETS;
        let (fits, more) = rest.split_at(room.min(rest.len()));
        for entry in fits {
            entry.pack(&mut packed);
        }
        tx.execute(
            "UPDATE page SET entries = ?2, highest_modseq = ?3 WHERE page_id = ?1",
            &[page.into(), (&packed).into(), modseq.into()],
        )?;
        rest = more;
    }
    for page in rest.chunks(ENTRIES_PER_PAGE) {
        tx.execute(
            "INSERT INTO page (account_id, mailbox_id, first_uid, highest_modseq, entries) VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                mailbox.account.into(),
                mailbox.id.into(),
                page[0].uid.into(),
                modseq.into(),
                (&super::pages::pack(page)).into(),
            ],
        )?;
    }
    count.apply_with_next(tx, mailbox.id, modseq, Uid(next))?;
    tx.touched.push(Touched::messages(mailbox, modseq, Uid(next), entries.to_vec()));
    Ok(())
}
