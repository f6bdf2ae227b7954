//! What is done to messages: append, replace, copy, move, flags, expunge.
//!
//! Each act is on the disk when it returns, and in everybody's open mailboxes. APPEND of several messages, REPLACE and
//! COPY happen whole or not at all; MOVE, flags and expunges of many messages go in pieces of some milliseconds, so that
//! nobody else's mail waits for them: each message is in one state or the other.

use super::{Entry, MailboxError, MailboxRecord, Mailboxes, OpenMailbox, Prepared, Rights, Seen, State};
use crate::store::{CopyOutcome, Deposit, Filing, FilingPlace, FlagChange, FlagVerb};
use crate::types::limits::{COPY_PIECE_MAX, FLAGS_PIECE_MAX};
use crate::types::{AccountId, Flags, MailboxId, MailboxName, ModSeq, Timestamp, Uid, UidSet, UidValidity};

/// A message to be appended.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub content: Prepared,
    pub flags: Flags,
    pub keywords: Vec<String>,
    /// INTERNALDATE with its zone in minutes east; `None`: now.
    pub internal_date: Option<(Timestamp, i16)>,
}

/// Where appended messages went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub mailbox: MailboxId,
    /// Whose it is, and what he calls it.
    pub owner: AccountId,
    pub name: MailboxName,
    pub uidvalidity: UidValidity,
    /// In the order in which the messages were given.
    pub uids: Vec<Uid>,
}

/// A change of flags that somebody wants.
#[derive(Clone, Debug)]
pub struct FlagRequest {
    pub uids: UidSet,
    pub verb: FlagVerb,
    pub flags: Flags,
    pub keywords: Vec<String>,
    /// RFC 7162 section 3.1.3: messages changed after this are left alone and reported.
    pub unchanged_since: Option<ModSeq>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagsChanged {
    /// What really changed, as of which modification sequence.
    pub changed: Vec<(ModSeq, UidSet)>,
    /// What `unchanged_since` protected.
    pub modified: UidSet,
    /// Between this and the last of `changed` nothing else happened in the mailbox.
    pub nothing_else_since: Option<ModSeq>,
}

/// How far an act over many messages has come: done, in all.
pub type Progress<'p> = &'p mut (dyn FnMut(u64, u64) + Send);

impl Mailboxes {
    /// Whether messages of so many octets in all would be taken, asked before they are sent.
    pub async fn check_append(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        messages: u64,
        octets: u64,
    ) -> Result<Seen, MailboxError> {
        let seen = self.find(viewer, name).await?;
        seen.require(Rights::INSERT)?;
        let quota = self.store().quota(seen.record.account).await?;
        let exceeded = quota.octets_max.is_some_and(|max| quota.octets.saturating_add(octets) > max)
            || quota.messages_max.is_some_and(|max| quota.messages.saturating_add(messages) > max);
        if exceeded { Err(MailboxError::OverQuota) } else { Ok(seen) }
    }

    /// Appends messages, all or none (RFC 3502). Flags that the rights don't allow are left out.
    pub async fn append(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        messages: Vec<NewMessage>,
    ) -> Result<Appended, MailboxError> {
        self.deposit(viewer, name, messages, Vec::new()).await
    }

    /// Appends a message and removes another in one step (RFC 8508).
    pub async fn replace(
        &self,
        viewer: AccountId,
        replaced: (&OpenMailbox, Uid),
        name: &MailboxName,
        message: NewMessage,
    ) -> Result<Appended, MailboxError> {
        let (from, uid) = replaced;
        let rights = self.rights_on(viewer, from).await?;
        if !rights.contains(Rights::DELETE_MESSAGES.with(Rights::EXPUNGE)) {
            return Err(MailboxError::NotPermitted);
        }
        self.deposit(viewer, name, vec![message], vec![(from.id(), uid)]).await
    }

    async fn deposit(
        &self,
        viewer: AccountId,
        name: &MailboxName,
        messages: Vec<NewMessage>,
        removals: Vec<(MailboxId, Uid)>,
    ) -> Result<Appended, MailboxError> {
        let seen = self.find(viewer, name).await?;
        seen.require(Rights::INSERT)?;
        let allowed = seen.rights.changeable_flags();
        let now = (self.store().clock().now(), 0);
        let mut deposit = Deposit { removals, ..Deposit::default() };
        for message in messages {
            let (internal_date, internal_zone_minutes) = message.internal_date.unwrap_or(now);
            let may_keyword = seen.rights.contains(Rights::WRITE);
            deposit.filings.push(Filing {
                account: seen.record.account,
                place: FilingPlace::Mailbox(seen.record.id),
                body: message.content.choose(&mut deposit.bodies),
                flags: Flags(message.flags.0 & allowed.0),
                keywords: if may_keyword { message.keywords } else { Vec::new() },
                internal_date,
                internal_zone_minutes,
                within_quota: true,
            });
        }
        let deposited = self.store().deposit(deposit).await?;
        let uids = deposited.filed.iter().map(|filed| filed.uid).collect();
        let MailboxRecord { account, name, .. } = seen.record;
        Ok(Appended { mailbox: seen.record.id, owner: account, name, uidvalidity: seen.record.uidvalidity, uids })
    }

    /// Copies messages: all appear at once, or none (RFC 9051 section 6.4.7).
    pub async fn copy(
        &self,
        viewer: AccountId,
        from: &OpenMailbox,
        uids: UidSet,
        to: &MailboxName,
        progress: Progress<'_>,
    ) -> Result<CopyOutcome, MailboxError> {
        if !self.rights_on(viewer, from).await?.contains(Rights::READ) {
            return Err(MailboxError::NotPermitted);
        }
        let seen = self.find(viewer, to).await?;
        seen.require(Rights::INSERT)?;
        let kept = seen.rights.changeable_flags();
        Ok(self.store().copy_many(from.id(), uids, seen.record.id, kept, progress).await?)
    }

    /// Moves messages: each is in one mailbox or the other, never in both or none (RFC 6851 section 3.3). When a piece
    /// fails, `Err` has what was moved before it.
    pub async fn move_messages(
        &self,
        viewer: AccountId,
        from: &OpenMailbox,
        uids: UidSet,
        to: &MailboxName,
        progress: Progress<'_>,
    ) -> Result<CopyOutcome, (MailboxError, Option<CopyOutcome>)> {
        let started = async {
            let rights = self.rights_on(viewer, from).await?;
            if !rights.contains(Rights::READ.with(Rights::DELETE_MESSAGES).with(Rights::EXPUNGE)) {
                return Err(MailboxError::NotPermitted);
            }
            let seen = self.find(viewer, to).await?;
            seen.require(Rights::INSERT)?;
            Ok((seen, self.pieces(from, &uids, COPY_PIECE_MAX).await?))
        };
        let (seen, pieces) = started.await.map_err(|error| (error, None))?;
        let kept = seen.rights.changeable_flags();
        let all = pieces.iter().map(UidSet::count).sum();
        let mut whole: Option<CopyOutcome> = None;
        for piece in pieces {
            let moved = self.store().move_messages(from.id(), piece, seen.record.id, kept).await;
            match moved {
                Ok(outcome) => match &mut whole {
                    None => whole = Some(outcome),
                    Some(whole) => {
                        whole.sources.extend(outcome.sources);
                        whole.copies.extend(outcome.copies);
                        whole.modseq = outcome.modseq;
                    }
                },
                Err(error) => return Err((error.into(), whole)),
            }
            progress(whole.as_ref().map_or(0, |whole| whole.sources.len() as u64), all);
        }
        Ok(whole.unwrap_or(CopyOutcome {
            uidvalidity: seen.record.uidvalidity,
            sources: Vec::new(),
            copies: Vec::new(),
            modseq: seen.record.highest_modseq,
        }))
    }

    /// Changes flags. What the rights don't allow is left as it is; if they allow nothing of it, that is an error
    /// (RFC 4314 section 4).
    pub async fn change_flags(
        &self,
        viewer: AccountId,
        mailbox: &OpenMailbox,
        request: FlagRequest,
        progress: Progress<'_>,
    ) -> Result<FlagsChanged, MailboxError> {
        let rights = self.rights_on(viewer, mailbox).await?;
        let within = rights.changeable_flags();
        let flags = Flags(request.flags.0 & within.0);
        let keywords = if rights.contains(Rights::WRITE) { request.keywords.clone() } else { Vec::new() };
        let asked = request.flags != Flags::NONE || !request.keywords.is_empty();
        let nothing_left = flags == Flags::NONE && keywords.is_empty() && asked;
        if nothing_left || within == Flags::NONE {
            return Err(MailboxError::NotPermitted);
        }
        let mut result = FlagsChanged::default();
        let pieces = {
            // Not kept any longer: what nobody looks at is changed in place and not copied.
            let state = self.state(mailbox).await?;
            let present = state.uids().intersection(&request.uids);
            let wanted = FlagRequest { uids: present, flags, keywords: keywords.clone(), ..request.clone() };
            pieces_of(changing(&state, &wanted, within), FLAGS_PIECE_MAX)
        };
        let all = pieces.iter().map(UidSet::count).sum();
        let mut done = 0;
        for uids in pieces {
            let count = uids.count();
            let (verb, keywords, unchanged_since) = (request.verb, keywords.clone(), request.unchanged_since);
            let change = FlagChange { uids, verb, flags, within, keywords, unchanged_since };
            let outcome = self.store().change_flags(mailbox.id(), change).await?;
            if let Some(modseq) = outcome.modseq {
                result.nothing_else_since = match result.changed.last() {
                    None => Some(outcome.before),
                    Some((last, _)) => result.nothing_else_since.filter(|_| *last == outcome.before),
                };
                result.changed.push((modseq, outcome.changed));
            }
            result.modified = result.modified.union(&outcome.modified);
            done += count;
            progress(done, all);
        }
        Ok(result)
    }

    /// Removes messages flagged `\Deleted`, of these UIDs or of all.
    pub async fn expunge(
        &self,
        viewer: AccountId,
        mailbox: &OpenMailbox,
        uids: Option<UidSet>,
    ) -> Result<UidSet, MailboxError> {
        if !self.rights_on(viewer, mailbox).await?.contains(Rights::EXPUNGE) {
            return Err(MailboxError::NotPermitted);
        }
        Ok(self.store().expunge(mailbox.id(), uids).await?.0)
    }

    /// The messages of the set that are there, so many at a time.
    async fn pieces(&self, mailbox: &OpenMailbox, uids: &UidSet, most: usize) -> Result<Vec<UidSet>, MailboxError> {
        let state = self.state(mailbox).await?;
        Ok(pieces_of(state.uids().intersection(uids), most))
    }
}

fn pieces_of(uids: UidSet, most: usize) -> Vec<UidSet> {
    if uids.count() <= most as u64 {
        return if uids.is_empty() { Vec::new() } else { vec![uids] };
    }
    let all: Vec<Uid> = uids.iter().collect();
    all.chunks(most).map(|piece| piece.iter().copied().collect()).collect()
}

/// The messages that may have other flags afterwards. What is in memory is on the disk, and nobody was told of anything
/// later: where it is as wanted there is nothing to write and nobody to wait for. Clients set `\Seen` on what is seen.
fn changing(state: &State, request: &FlagRequest, within: Flags) -> UidSet {
    let mut flags = request.flags;
    for name in &request.keywords {
        match state.keyword(name) {
            Some(known) => flags = flags.with(known),
            None if request.verb == FlagVerb::Remove => {}
            None => return request.uids.clone(),
        }
    }
    // What this protects has to be reported, whether or not it would be changed.
    if request.unchanged_since.is_some() {
        return request.uids.clone();
    }
    let changes = |entry: &&Entry| request.verb.applied(entry.flags, flags, within) != entry.flags;
    state.entries_of(&request.uids).filter(changes).map(|entry| entry.uid).collect()
}
