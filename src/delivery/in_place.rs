//! Scripts over mail that lies in a mailbox already: because something happened to it there (RFC 6785), or because its
//! owner wants it filtered once more.
//!
//! What concerns others (redirections, notifications) and new messages that the script has made is committed here, like a
//! delivery. What becomes of the message itself is said in an [`Aftermath`] and done by whoever has the mailbox open: it is
//! his session's mailbox, and copies there are copies and no deliveries. What scripts do so makes no further scripts run.

use super::evaluate;
use super::host::EventItems;
use super::mail::{Answers, Mail, Origin};
use super::plan::{DeedKind, Fate};
use super::planned::{Planned, with_return_path};
use super::running::{self, RunOf};
use super::shelf::NoScript;
use super::{Delivery, DeliveryError, commit, kibibytes};
use crate::directory::{Local, Resolution, Snapshot};
use crate::filter::{
    Action, ActionKind, Content, IncludePlace, Included, KeepReason, Run, Script, ScriptKind, ScriptName,
};
use crate::message::Structure;
use crate::types::limits::DELIVERY_MEMORY_OCTETS;
use crate::types::{AccountId, Address, Envelope, MailboxId, MailboxName, SpecialUse, Timestamp};
use std::io;
use std::sync::Arc;

/// Why a script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// RFC 6785 section 2.2: a message is new in the mailbox.
    Append,
    Copy,
    /// Flags of one that was there have changed: these.
    Flag(Vec<String>),
    /// Somebody asked for it.
    Filter,
}

impl Occasion {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Append => "APPEND",
            Self::Copy => "COPY",
            Self::Flag(_) => "FLAG",
            Self::Filter => "FILTER",
        }
    }
}

/// Where the message lies and who did something to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlace {
    pub owner: AccountId,
    /// As its owner calls it.
    pub mailbox: MailboxName,
    pub person: Address,
    /// For the ledger.
    pub session: String,
    pub occasion: Occasion,
}

/// Which script is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// One of the owner's own.
    Personal(String),
    /// An administrator's.
    Global(String),
    /// What runs when mail comes in.
    Delivery,
    Text(Vec<u8>),
}

/// A script found and compiled, to run over any number of messages.
pub struct ReadyScript {
    snapshot: Arc<Snapshot>,
    local: Local,
    script: Arc<Script>,
    name: Arc<ScriptName>,
}

impl ReadyScript {
    /// Why it can't run where nothing has happened to the message, in words for its owner.
    pub fn needs_event(&self) -> Option<String> {
        self.script.needs_event().map(|error| error.to_string())
    }
}

#[derive(Debug)]
pub enum NotReady {
    Missing,
    /// In words for the person whose script it is.
    Broken(String),
    Delivery(DeliveryError),
}

/// What is to become of the message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Aftermath {
    pub stay: Stay,
    pub copies: Vec<CopyTo>,
    /// What went wrong, in words for the owner of the script.
    pub errors: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Stay {
    #[default]
    Unchanged,
    /// With these flags instead of those it has.
    WithFlags(Vec<String>),
    /// This takes its place.
    Replaced { message: Vec<u8>, flags: Vec<String> },
    /// RFC 6785 section 3.7: it gets the flag `\Deleted`.
    Goes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyTo {
    pub mailbox: MailboxName,
    /// If it is not there, it is to be made, with this use.
    pub special_use: Option<SpecialUse>,
    pub flags: Vec<String>,
}

impl Delivery {
    /// The name of the script that runs when something happens in a mailbox, if there is one.
    pub async fn event_script(&self, mailbox: MailboxId) -> Result<Option<String>, DeliveryError> {
        Ok(self.0.shelf.event_script(mailbox).await?)
    }

    pub async fn ready_script(&self, owner: AccountId, chosen: Chosen) -> Result<ReadyScript, NotReady> {
        let snapshot = self.0.directory.snapshot().await.map_err(|error| NotReady::Delivery(error.into()))?;
        let this = self.clone();
        let ready = tokio::task::spawn_blocking(move || this.find_script(snapshot, owner, chosen));
        ready.await.map_err(|_| NotReady::Delivery(DeliveryError::Died))?
    }

    /// Blocks.
    fn find_script(&self, snapshot: Arc<Snapshot>, owner: AccountId, chosen: Chosen) -> Result<ReadyScript, NotReady> {
        let account = snapshot.account_by_id(owner).ok_or(NotReady::Missing)?;
        let Resolution::Local(local) = snapshot.resolve(&account.address) else { return Err(NotReady::Missing) };
        let include = |place: IncludePlace, name: &str| {
            let world = self.world(&snapshot);
            let host = super::host::AddressHost::new(&world, &local, self.0.store.clock().now());
            match crate::filter::Host::include(&host, place, name) {
                Included::Script(script, name) => Ok((script, name)),
                Included::Missing => Err(NotReady::Missing),
                Included::Broken(error) => Err(NotReady::Broken(error.to_string())),
            }
        };
        let (script, name) = match chosen {
            Chosen::Personal(name) => include(IncludePlace::Personal, &name)?,
            Chosen::Global(name) => include(IncludePlace::Global, &name)?,
            Chosen::Text(text) => {
                let script = self.0.shelf.compile(&text).map_err(|error| NotReady::Broken(error.to_string()))?;
                (script, Arc::new(ScriptName { name: "script".to_owned(), version: None, kind: ScriptKind::Personal }))
            }
            Chosen::Delivery => {
                let (script, _) = self.0.shelf.compiled(&local.record).map_err(|why| match why {
                    NoScript::Missing => NotReady::Missing,
                    NoScript::Broken(error) => NotReady::Broken(error.to_string()),
                    NoScript::Store(error) => NotReady::Delivery(error.into()),
                })?;
                let version = Some(u64::from(local.record.compiled_version));
                let name = local.address().to_string();
                (script, Arc::new(ScriptName { name, version, kind: ScriptKind::Compiled }))
            }
        };
        Ok(ReadyScript { snapshot, local, script, name })
    }

    /// Runs a script over one message of `octets`, which `read` fetches when there is memory for it, and commits what
    /// concerns others.
    pub async fn run_in_place<F>(
        &self,
        ready: &ReadyScript,
        place: InPlace,
        flags: Vec<String>,
        octets: usize,
        read: F,
    ) -> Result<Aftermath, DeliveryError>
    where
        F: Future<Output = io::Result<Vec<u8>>> + Send,
    {
        let wanted = kibibytes(3 * octets).clamp(1, kibibytes(DELIVERY_MEMORY_OCTETS as usize));
        let _memory = self.0.memory.acquire_many(wanted as u32).await.map_err(|_| DeliveryError::Died)?;
        let message = read.await.map_err(DeliveryError::Source)?;
        let this = self.clone();
        let (snapshot, local) = (Arc::clone(&ready.snapshot), ready.local.clone());
        let (script, name) = (Arc::clone(&ready.script), Arc::clone(&ready.name));
        let decided = tokio::task::spawn_blocking(move || {
            let mail = mail_of(&place, local.address(), &message, this.0.store.clock().now());
            let structure = Structure::scan(&message);
            let world = this.world(&snapshot);
            let of = RunOf { script: &script, name: &name, items: EventItems { place: &place }, flags: &flags };
            let run = running::run_in_place(&world, &mail, &message, &structure, &local, &of);
            let (mut aftermath, others) = aftermath_of(run, &place, &flags);
            if others.actions.is_empty() && others.duplicates.is_empty() {
                return Ok((aftermath, None));
            }
            let plan = evaluate::follow_in_place(&world, &mail, &message, &structure, &local, others);
            for (_, deed) in plan.deeds() {
                if let DeedKind::Refused { to, why } = &deed.kind {
                    let why = super::explain::reason(why).unwrap_or_default();
                    aftermath.errors.push(format!("line {}: not sent to {to}: {why}", deed.cause.line));
                }
            }
            let stored = with_return_path(mail.envelope.sender.as_ref(), &message);
            let planned = Planned::of(Arc::clone(&snapshot), mail, Answers::Each, stored, plan)?;
            Ok::<_, DeliveryError>((aftermath, Some(planned)))
        });
        let (mut aftermath, planned) = decided.await.map_err(|_| DeliveryError::Died)??;
        if let Some(planned) = planned {
            let fates = self.commit(planned, None).await?;
            if fates.contains(&Fate::OverQuota) {
                aftermath.stay = Stay::Unchanged;
                aftermath.errors.push("there is no room for what the script files".to_owned());
            }
        }
        Ok(aftermath)
    }
}

/// As if the message came in now: whoever sent it gets what is to be said about a redirection.
fn mail_of(place: &InPlace, address: &Address, message: &[u8], now: Timestamp) -> Mail {
    let sender = crate::message::HeaderFields::first(message, "Return-Path").and_then(|field| {
        crate::message::message_ids(field.value()).next().and_then(|text| Address::parse(&text).ok())
    });
    let envelope = Envelope { sender: sender.or_else(|| Some(address.clone())), ..commit::own_envelope(address) };
    Mail {
        envelope,
        origin: Origin::InPlace { person: place.person.clone(), occasion: place.occasion.name() },
        now,
        remote_ip: None,
        remote_host: None,
        session: place.session.clone(),
        verdicts: String::new(),
        not_forwarded: None,
    }
}

/// Takes out of a run what happens to the message where it lies; the rest is for others.
fn aftermath_of(run: Run, place: &InPlace, flags: &[String]) -> (Aftermath, Run) {
    let mut aftermath = Aftermath {
        stay: Stay::Goes,
        errors: run.errors.iter().map(ToString::to_string).collect(),
        ..Aftermath::default()
    };
    let mut others = Vec::new();
    for action in run.actions {
        let Action { kind, content, cause } = action;
        match kind {
            ActionKind::Keep { why: KeepReason::Failure, .. } => aftermath.stay = Stay::Unchanged,
            ActionKind::Keep { flags: wanted, .. } => aftermath.stay = stay(lasting(content, place), wanted, flags),
            // RFC 6785 section 3.6: into the mailbox where it lies is to keep it there.
            ActionKind::FileInto { mailbox, flags: wanted, .. } if mailbox == place.mailbox => {
                aftermath.stay = stay(lasting(content, place), wanted, flags);
            }
            ActionKind::FileInto { mailbox, create, flags } if content == Content::Original => {
                let special_use = create.and_then(|create| create.special_use);
                aftermath.copies.push(CopyTo { mailbox, special_use, flags });
            }
            // RFC 6785 sections 3.3 and 3.11: there is nobody to refuse or to answer.
            ActionKind::Reject { .. } => aftermath.stay = Stay::Unchanged,
            ActionKind::Reply(_) | ActionKind::Discard => {}
            kind @ (ActionKind::FileInto { .. } | ActionKind::Redirect(_) | ActionKind::Notify(_)) => {
                others.push(Action { kind, content, cause });
            }
        }
    }
    (aftermath, Run { actions: others, duplicates: run.duplicates, ..Run::default() })
}

/// FILTER changes only what goes elsewhere (draft-bosch-imap-filter-sieve-00 section 4.1).
fn lasting(content: Content, place: &InPlace) -> Content {
    if place.occasion == Occasion::Filter { Content::Original } else { content }
}

fn stay(content: Content, wanted: Vec<String>, flags: &[String]) -> Stay {
    let same =
        |one: &[String], other: &[String]| one.iter().all(|flag| other.iter().any(|o| o.eq_ignore_ascii_case(flag)));
    match content {
        Content::Edited(message) => Stay::Replaced { message: message.to_vec(), flags: wanted },
        Content::Original if same(&wanted, flags) && same(flags, &wanted) => Stay::Unchanged,
        Content::Original => Stay::WithFlags(wanted),
    }
}
