//! The protocols' and delivery's only way to mail: append, copy, move, flags, expunge, search, quota, rights, and the
//! feed of changes.
//!
//! What this module will not do: speak a protocol, know SQL, or write to anybody. A caller is an account; whether it may
//! do what it asks is decided here.

mod acl;
mod arrival;
mod error;
mod gathering;
mod incoming;
mod large;
mod messages;
mod metadata;
mod names;
mod open;
mod quota;
mod reading;
mod rights;
mod search;
mod service;
#[cfg(test)]
mod tests;
mod threads;

pub use acl::{AclLine, RightsChange};
pub use arrival::{Prepared, index, index_large};
pub use error::MailboxError;
pub use gathering::FactsOf;
pub use incoming::Incoming;
pub use large::{Died, LargeMessages};
pub use messages::{Appended, FlagRequest, FlagsChanged, NewMessage, Progress};
pub use metadata::Standing;
pub use names::{Listing, OTHER_USERS, Seen};
pub use open::{AccountEvent, AccountFeed, Counters, EventKind, Gone, Head, News, OpenMailbox, Place, State, Told};
pub use quota::STORAGE_UNIT_OCTETS;
pub use reading::{Fetch, Fetched, Message, MessageView, Needs, Part, PartOf, PartStream, Want, Window};
pub use rights::Rights;
pub use search::{DateIs, DateOf, Day, Query, TextPlace};
pub use service::{Mailboxes, Settings};

// Words of the store and of messages that protocols, which may not name it, speak in.
pub use crate::message::FactsView;
pub use crate::store::{Annotation, CopyOutcome, Entry, FlagVerb, MailboxRecord, Quota};
