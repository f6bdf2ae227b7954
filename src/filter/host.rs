//! What a run is given, and what it may ask while it runs.

use super::plan::{ReplyKey, ScriptName};
use super::script::{CompileError, Script};
use crate::types::limits;
use crate::types::{Address, Envelope, MailboxName, SpecialUse, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One message on its way to one address.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// The octets, as they will be stored: with our own trace and verdict headers.
    pub message: &'a [u8],
    /// Its structure, when it is known already.
    pub structure: Option<&'a crate::message::Structure>,
    pub envelope: &'a Envelope,
    /// Which of the envelope's recipients brought the message here; `None` where there is no envelope (an IMAP event).
    pub recipient: Option<&'a crate::types::Recipient>,
    /// The address whose script runs. Answers come from it, or from the mask of the owner's that `recipient` names.
    pub address: &'a Address,
    /// All addresses of the owner, aliases included: a message to one of them is addressed to the owner.
    pub own_addresses: &'a [Address],
    /// The owner's name, for what is sent in it.
    pub owner_name: Option<&'a str>,
    /// Flags the message has, when an IMAP event runs the script (RFC 6785 section 3.8); none for new mail.
    pub flags: &'a [String],
    pub now: Timestamp,
    pub remote_ip: Option<IpAddr>,
    pub remote_host: Option<&'a str>,
    /// Our own name.
    pub hostname: &'a str,
    pub phase: Phase,
}

/// RFC 5183 section 4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Phase {
    /// Before the message is accepted: a refusal is said to the sending server.
    #[default]
    During,
    /// After it was accepted, or for a message that is already in a mailbox.
    Post,
}

/// What only the rest of the server knows. All of it reads; nothing is done while a script runs.
///
/// A run calls these from the thread it runs on, and may call them twice for the same question. Untrusted scripts do not
/// belong on a thread that serves the network: the limits bound a run, not to less than some tenths of a second.
pub trait Host {
    /// Whether mail can be filed there.
    fn mailbox_exists(&self, name: &MailboxName) -> bool;
    /// RFC 9042: the mailbox of this identifier.
    fn mailbox_with_id(&self, id: &str) -> Option<MailboxName>;
    /// RFC 8579: the mailbox that has this use.
    fn mailbox_with_use(&self, usage: SpecialUse) -> Option<MailboxName>;
    /// RFC 7352: whether this identifier is remembered and not outdated.
    fn is_duplicate(&self, id: &str) -> bool;
    /// RFC 5230 section 4.2: whether this answer is remembered and not outdated.
    fn was_answered(&self, key: &ReplyKey) -> bool;
    fn include(&self, place: IncludePlace, name: &str) -> Included;
    /// RFC 6134: whether a list holds one of the values; `None` when there is no such list.
    fn list_contains(&self, list: &str, values: &[&str]) -> Option<bool>;
    /// RFC 6134 section 2.6: the addresses of a list that mail may be redirected to; `None` when there is no such list.
    fn list_members(&self, list: &str) -> Option<Vec<Address>>;
    /// Items of RFC 6785 and of our own; those of RFC 5183 come with [`Incoming`].
    fn environment(&self, item: &str) -> Option<String>;
    /// RFC 5490: an annotation's value, of a mailbox or (`None`) of the server.
    fn metadata(&self, mailbox: Option<&MailboxName>, annotation: &str) -> Option<String>;
}

/// RFC 6609 section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncludePlace {
    Personal,
    Global,
}

#[derive(Clone, Debug)]
pub enum Included {
    Script(Arc<Script>, Arc<ScriptName>),
    Missing,
    Broken(CompileError),
}

/// What no script can exceed. The engine's own instructions are bounded by `SIEVE_INSTRUCTIONS_MAX`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub time: Duration,
    /// Octets of text that tests may look through.
    pub work_octets: u64,
    pub actions: usize,
    pub redirects: usize,
    pub includes: usize,
    pub edits: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_millis(limits::SIEVE_RUN_MILLISECONDS_MAX),
            work_octets: limits::SIEVE_WORK_OCTETS_MAX,
            actions: limits::SIEVE_ACTIONS_MAX,
            redirects: limits::SIEVE_REDIRECTS_MAX,
            includes: limits::SIEVE_INCLUDES_MAX,
            edits: limits::SIEVE_EDITS_MAX,
        }
    }
}
