//! The protocols' and delivery's only way to mail: append, copy, move, flags, expunge, search, quota, rights, and the
//! feed of changes.
//!
//! What this module will not do: speak a protocol, know SQL, or write to anybody. A caller is an account; whether it may
//! do what it asks is decided here.

mod arrival;
mod error;
mod incoming;
mod service;

pub use arrival::{Prepared, index};
pub use error::MailboxError;
pub use incoming::{Incoming, Received};
pub use service::{Mailboxes, Settings};
