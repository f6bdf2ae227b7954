//! What a running script may ask of the house, for one address.

use super::evaluate::World;
use super::in_place::{InPlace, Occasion};
use super::shelf::{KnownMailbox, NoScript};
use crate::directory::Local;
use crate::filter::{
    Action, ActionKind, Cause, Content, Host, IncludePlace, Included, KeepReason, ReplyKey, Run, ScriptError,
    ScriptErrorKind, ScriptName,
};
use crate::store::{Annotated, ScriptOwner};
use crate::types::{Address, Domain, MailboxName, SpecialUse, Timestamp};
use std::cell::OnceCell;
use std::sync::Arc;

/// Lists of RFC 6134 by their short names; `:addrbook:` stands for the URN's prefix (RFC 6134 section 2.5).
const LIST_PREFIXES: [&str; 2] = [":addrbook:", "urn:ietf:params:sieve:addrbook:"];
/// People the account has written to.
const LIST_CORRESPONDENTS: &str = "default";
/// The account's own addresses.
const LIST_OWN: &str = "own";

pub(super) struct AddressHost<'h> {
    world: &'h World<'h>,
    local: &'h Local,
    now: Timestamp,
    mailboxes: OnceCell<Arc<[KnownMailbox]>>,
    items: Option<EventItems<'h>>,
}

/// What a script may know of the event that made it run.
#[derive(Clone, Copy)]
pub(super) struct EventItems<'h> {
    pub(super) place: &'h InPlace,
}

impl EventItems<'_> {
    /// RFC 6785 section 5.
    fn environment(self, item: &str) -> Option<String> {
        let place = self.place;
        Some(match item {
            "imap.user" | "imap.email" => place.person.to_string(),
            "imap.cause" => place.occasion.name().to_owned(),
            "imap.mailbox" => place.mailbox.to_string(),
            "imap.changedflags" => match &place.occasion {
                Occasion::Flag(changed) => changed.join(" "),
                _ => String::new(),
            },
            _ => return None,
        })
    }
}

impl<'h> AddressHost<'h> {
    pub(super) fn new(world: &'h World<'h>, local: &'h Local, now: Timestamp) -> Self {
        Self { world, local, now, mailboxes: OnceCell::new(), items: None }
    }

    /// For mail that lies in a mailbox already.
    pub(super) fn in_place(self, items: EventItems<'h>) -> Self {
        Self { items: Some(items), ..self }
    }

    /// Read once, when the first question needs them.
    fn mailboxes(&self) -> &[KnownMailbox] {
        self.mailboxes.get_or_init(|| {
            let Some(account) = self.local.account() else { return Arc::default() };
            self.world.shelf.mailboxes(account).unwrap_or_else(|error| {
                tracing::error!(%error, %account, "mailboxes could not be read; what a script files goes to INBOX");
                Arc::default()
            })
        })
    }

    fn global(&self, name: &str) -> Included {
        let shelf = self.world.shelf;
        if matches!(name, "before" | "after") {
            return shelf.written(ScriptOwner::Server, name, |name| format!("@ {name}"));
        }
        for place in ["before", "after"] {
            let domain = name.strip_prefix(place).and_then(|rest| rest.strip_prefix('-'));
            if let Some(domain) = domain.and_then(|domain| Domain::parse(domain).ok())
                && let Some(record) = self.world.snapshot.domain(&domain)
            {
                let label = |name: &str| format!("@{domain} {name}");
                return shelf.written(ScriptOwner::Domain(record.id), place, label);
            }
        }
        Included::Missing
    }
}

impl Host for AddressHost<'_> {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        self.mailboxes().iter().any(|mailbox| mailbox.name == *name)
    }

    fn mailbox_with_id(&self, id: &str) -> Option<MailboxName> {
        self.mailboxes().iter().find(|mailbox| mailbox.id.to_string() == id).map(|mailbox| mailbox.name.clone())
    }

    fn mailbox_with_use(&self, usage: SpecialUse) -> Option<MailboxName> {
        self.mailboxes().iter().find(|mailbox| mailbox.special_use == Some(usage)).map(|mailbox| mailbox.name.clone())
    }

    fn is_duplicate(&self, id: &str) -> bool {
        let Some(account) = self.local.account() else { return false };
        match self.world.shelf.store().duplicate_until_blocking(account, id.as_bytes()) {
            Ok(until) => until.is_some_and(|until| until > self.now),
            Err(error) => {
                tracing::error!(%error, %account, "the memory of duplicates could not be read");
                false
            }
        }
    }

    fn was_answered(&self, key: &ReplyKey) -> bool {
        let Ok(sender) = key.sender.parse::<Address>() else { return false };
        match self.world.shelf.store().answered_until_blocking(self.local.address(), &sender, &key.handle) {
            Ok(until) => until.is_some_and(|until| until > self.now),
            Err(error) => {
                // One answer too few is a smaller harm than one to everybody.
                tracing::error!(%error, "the memory of answers could not be read; nothing is answered");
                true
            }
        }
    }

    fn include(&self, place: IncludePlace, name: &str) -> Included {
        match (place, self.local.account()) {
            (IncludePlace::Global, _) => self.global(name),
            (IncludePlace::Personal, Some(account)) => {
                self.world.shelf.written(ScriptOwner::Account(account), name, str::to_owned)
            }
            (IncludePlace::Personal, None) => Included::Missing,
        }
    }

    fn list_contains(&self, list: &str, values: &[&str]) -> Option<bool> {
        let members = self.list_members(list)?;
        let is_member =
            |value: &&str| value.parse::<Address>().is_ok_and(|address| members.contains(&address.canonical()));
        Some(values.iter().any(is_member))
    }

    fn list_members(&self, list: &str) -> Option<Vec<Address>> {
        let name = LIST_PREFIXES.iter().find_map(|prefix| list.strip_prefix(prefix))?;
        let account = self.local.account()?;
        match name {
            LIST_OWN => {
                let mut own = self.world.snapshot.also_known_as(self.local.address());
                own.push(self.local.address().clone());
                Some(own)
            }
            LIST_CORRESPONDENTS => match self.world.shelf.store().correspondents_blocking(account) {
                Ok(correspondents) => Some(correspondents),
                Err(error) => {
                    tracing::error!(%error, %account, "correspondents could not be read");
                    Some(Vec::new())
                }
            },
            _ => None,
        }
    }

    fn environment(&self, item: &str) -> Option<String> {
        self.items.and_then(|items| items.environment(item))
    }

    fn metadata(&self, mailbox: Option<&MailboxName>, annotation: &str) -> Option<String> {
        let account = self.local.account()?;
        let about = match mailbox {
            Some(name) => Annotated::Mailbox(self.mailboxes().iter().find(|mailbox| mailbox.name == *name)?.id),
            None => Annotated::Server,
        };
        // RFC 5464 section 3.2: names of entries are insensitive to case, and kept in lower case.
        let entry = annotation.to_lowercase();
        match self.world.shelf.store().annotations_blocking(about, account) {
            Ok(annotations) => annotations
                .into_iter()
                .find(|annotation| annotation.entry == entry)
                .map(|annotation| String::from_utf8_lossy(&annotation.value).into_owned()),
            Err(error) => {
                tracing::error!(%error, %account, "annotations could not be read");
                None
            }
        }
    }
}

/// What stands for the run of a script that could not be had: the message is kept, and the log says why.
pub(super) fn kept_for_lack_of_a_script(name: &Arc<ScriptName>, why: &NoScript) -> Run {
    let text = match why {
        NoScript::Missing => "the address's script is missing".to_owned(),
        NoScript::Broken(error) => format!("the address's script does not compile: {error}"),
        NoScript::Store(error) => format!("the address's script could not be read: {error}"),
    };
    tracing::error!(address = %name.name, "{text}; the message is kept");
    let cause = Cause { script: Arc::clone(name), line: 0, column: 0 };
    let keep = ActionKind::Keep { flags: Vec::new(), why: KeepReason::Failure };
    Run {
        actions: vec![Action { kind: keep, content: Content::Original, cause: cause.clone() }],
        errors: vec![ScriptError { cause, kind: ScriptErrorKind::Script(text) }],
        ..Run::default()
    }
}
