//! Scripts over mail in mailboxes (RFC 6785): which one runs when, and what it leaves to be done with the message.
//!
//! A script runs with its owner's rights over its owner's mail, whoever's session made it run. What it does is told to all
//! sessions as news. Nothing it does makes another script run.

use super::cause::Cause;
use super::session::{Services, Session};
use crate::delivery::{Aftermath, Chosen, CopyTo, InPlace, NotReady, Occasion, ReadyScript, Stay};
use crate::mailbox::{Entry, FlagRequest, FlagVerb, MailboxError, Mailboxes, NewMessage, OpenMailbox, Part, Want};
use crate::telemetry::SessionId;
use crate::types::{AccountId, Address, Flags, MailboxId, MailboxName, Timestamp, Uid, UidSet};
use std::io;
use std::sync::Arc;

/// The mailbox in which something has happened, as its owner knows it.
pub(super) struct Scene {
    pub(super) owner: AccountId,
    pub(super) id: MailboxId,
    pub(super) name: MailboxName,
}

/// Runs scripts for one session. Apart from the session, which can't be looked at from two threads.
pub(super) struct Scripts {
    services: Arc<Services>,
    session: SessionId,
    person: Address,
}

impl Session {
    pub(super) fn scripts(&self) -> Result<Scripts, Cause> {
        let person = self.person()?.address().clone();
        Ok(Scripts { services: Arc::clone(&self.services), session: self.id, person })
    }
}

impl Scripts {
    /// Runs the mailbox's script, if it has one. What was done is done: whatever goes wrong here is for the log.
    pub(super) async fn run_on_event(&self, scene: Scene, messages: Vec<(Uid, Occasion)>) {
        let ready = match self.event_script(&scene).await {
            Ok(Some(ready)) => ready,
            Ok(None) => return,
            Err(why) => {
                tracing::error!(session = %self.session, mailbox = %scene.name, %why, "the script of a mailbox can't run");
                return;
            }
        };
        let opened = self.services.mailboxes.open(scene.owner, &scene.name).await;
        let Ok((_, mailbox)) = opened else { return };
        for (uid, occasion) in messages {
            match self.filter_message(&ready, &mailbox, &scene.name, uid, occasion).await {
                Ok(errors) => errors.iter().for_each(|error| {
                    tracing::info!(session = %self.session, mailbox = %scene.name, %uid, error, "a script has failed");
                }),
                Err(cause) => {
                    tracing::error!(session = %self.session, mailbox = %scene.name, %uid, ?cause, "a script could not run");
                }
            }
        }
    }

    /// Whether any script runs upon what happens in a mailbox: asked before anything costly is done for it.
    pub(super) async fn has_script(&self, mailbox: MailboxId) -> bool {
        matches!(self.services.delivery.event_script(mailbox).await, Ok(Some(_)))
    }

    async fn event_script(&self, scene: &Scene) -> Result<Option<ReadyScript>, String> {
        let delivery = &self.services.delivery;
        let name = delivery.event_script(scene.id).await.map_err(|error| error.to_string())?;
        let Some(name) = name else { return Ok(None) };
        // The server's own choice may be one that only the administrators have.
        let ready = match delivery.ready_script(scene.owner, Chosen::Personal(name.clone())).await {
            Err(NotReady::Missing) => delivery.ready_script(scene.owner, Chosen::Global(name)).await,
            ready => ready,
        };
        ready.map(Some).map_err(|why| match why {
            NotReady::Missing => "there is no such script".to_owned(),
            NotReady::Broken(error) => error,
            NotReady::Delivery(error) => error.to_string(),
        })
    }

    /// Runs a script over one message and does what it wants. Gives what went wrong, in words for its owner.
    pub(super) async fn filter_message(
        &self,
        ready: &ReadyScript,
        mailbox: &OpenMailbox,
        name: &MailboxName,
        uid: Uid,
        occasion: Occasion,
    ) -> Result<Vec<String>, Cause> {
        let mailboxes = &self.services.mailboxes;
        let state = mailboxes.state(mailbox).await?;
        let Some(entry) = state.entry(uid).copied() else { return Ok(Vec::new()) };
        let flags = flag_names(entry.flags, state.keywords());
        let place = InPlace {
            owner: mailbox.account(),
            mailbox: name.clone(),
            person: self.person.clone(),
            session: self.session.to_string(),
            occasion,
        };
        let read = whole(mailboxes.clone(), entry);
        let ran = self.services.delivery.run_in_place(ready, place, flags, entry.octets as usize, read).await;
        let Aftermath { stay, copies, mut errors } = match ran {
            Ok(aftermath) => aftermath,
            Err(error) => return Ok(vec![error.to_string()]),
        };
        let subject = Subject { mailboxes, mailbox, name, entry };
        let done = async {
            for copy in copies {
                subject.copy(copy).await?;
            }
            subject.settle(stay).await
        };
        if let Err(error) = done.await {
            errors.push(error.to_string());
        }
        Ok(errors)
    }
}

/// The message, as the scripts of its owner see it.
async fn whole(mailboxes: Mailboxes, entry: Entry) -> io::Result<Vec<u8>> {
    let read = async {
        let message = mailboxes.message(&entry).await?;
        let Part::There(mut stream) = message.part(&Want::whole()).await? else {
            return Err(MailboxError::MessageGone);
        };
        let mut octets = Vec::with_capacity(entry.octets as usize);
        while let Some(chunk) = stream.next().await? {
            octets.extend_from_slice(&chunk);
        }
        Ok(octets)
    };
    read.await.map_err(|error: MailboxError| io::Error::other(error))
}

/// One message, and with whose rights something is done to it.
struct Subject<'s> {
    mailboxes: &'s Mailboxes,
    mailbox: &'s OpenMailbox,
    name: &'s MailboxName,
    entry: Entry,
}

impl Subject<'_> {
    fn uids(&self) -> UidSet {
        [self.entry.uid].into_iter().collect()
    }

    async fn copy(&self, copy: CopyTo) -> Result<(), MailboxError> {
        let owner = self.mailbox.account();
        if self.mailboxes.find(owner, &copy.mailbox).await == Err(MailboxError::NoSuchMailbox) {
            match self.mailboxes.create(owner, &copy.mailbox, copy.special_use).await {
                Ok(_) | Err(MailboxError::MailboxExists) => {}
                Err(error) => return Err(error),
            }
        }
        let copied = self.mailboxes.copy(owner, self.mailbox, self.uids(), &copy.mailbox, &mut |_, _| {}).await?;
        let (_, target) = self.mailboxes.open(owner, &copy.mailbox).await?;
        self.flag(&target, copied.copies.into_iter().collect(), FlagVerb::Replace, &copy.flags).await
    }

    async fn settle(&self, stay: Stay) -> Result<(), MailboxError> {
        match stay {
            Stay::Unchanged => Ok(()),
            Stay::WithFlags(flags) => self.flag(self.mailbox, self.uids(), FlagVerb::Replace, &flags).await,
            Stay::Goes => self.flag(self.mailbox, self.uids(), FlagVerb::Add, &["\\Deleted".to_owned()]).await,
            Stay::Replaced { message, flags } => {
                let content = self.mailboxes.prepare(message).await?;
                let (flags, keywords) = Flags::named(&flags);
                let date = (Timestamp::from_seconds(self.entry.internal_seconds), self.entry.internal_zone_minutes);
                let new = NewMessage { content, flags, keywords, internal_date: Some(date) };
                let replaced = (self.mailbox, self.entry.uid);
                self.mailboxes.replace(self.mailbox.account(), replaced, self.name, new).await.map(|_| ())
            }
        }
    }

    async fn flag(
        &self,
        mailbox: &OpenMailbox,
        uids: UidSet,
        verb: FlagVerb,
        names: &[String],
    ) -> Result<(), MailboxError> {
        let (flags, keywords) = Flags::named(names);
        let request = FlagRequest { uids, verb, flags, keywords, unchanged_since: None };
        self.mailboxes.change_flags(mailbox.account(), mailbox, request, &mut |_, _| {}).await.map(|_| ())
    }
}

/// As Sieve writes flags.
pub(super) fn flag_names(flags: Flags, keywords: &[Box<str>]) -> Vec<String> {
    super::replies::flag_names(flags, keywords).map(str::to_owned).collect()
}
