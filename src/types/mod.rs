//! The words of the house: addresses, domains, networks, mailbox names, numbers that mail is known by, flags, time, limits;
//! files that others see whole or not at all, messages that wait, and how near words are.
//!
//! Every value here is checked once, when it is made; below the parser nobody checks again. Nothing in this module
//! knows a protocol, a database or a clock that can't be replaced.

mod address;
mod clock;
mod domain;
mod edits;
mod endpoint;
mod envelope;
mod flags;
mod held_message;
mod ids;
pub mod limits;
mod mailbox_name;
mod network;
mod roomy;
mod switches;
mod uid_set;
pub mod utf7;
mod whole_file;

pub use address::{Address, AddressError, quoted_local};
pub use clock::{Clock, FixedClock, SystemClock, Timestamp};
pub use domain::{Domain, DomainError};
pub use edits::edits;
pub use endpoint::{Host, HostPort, ListenAddress, Networks};
pub use envelope::{BodyKind, DsnReturn, Envelope, Notify, Recipient};
pub use flags::{Flags, KEYWORD_BIT_FIRST, KEYWORDS_PER_MAILBOX_MAX, is_keyword};
pub use held_message::{HeldMessage, nameless_file, prepare_holding_directory};
pub use ids::{
    AccountId, AddressId, BodyId, DomainId, MailboxId, ModSeq, ScriptId, SendId, ThreadId, Uid, UidValidity,
};
pub use mailbox_name::{HIERARCHY_SEPARATOR, MailboxName, MailboxNameError, SpecialUse};
pub use network::{Network, NetworkError};
pub use roomy::roomy;
pub use switches::{
    AliasSwitch, Received, RedirectionSwitch, Responder, Switches, Target, Window, ZoneName, ZoneNameError,
};
pub use uid_set::UidSet;
pub use whole_file::{WholeFile, WholeFileError, directory_of};
