//! Layer 3: IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051).
//!
//! Octets come through `framing`, become typed commands in `grammar`, and what is answered is written by `replies`.
//! `view` holds what one client was told of its mailbox. None of these four does I/O or knows the others' insides.
//! `session` knows what is allowed when and asks `auth` and `mailbox`, a file of `cmd` for each group of commands; `drive`
//! stands between a session and its connection. `events` has scripts run over mail that changes.

mod capability;
mod cause;
mod cmd;
mod contexts;
mod drive;
mod events;
mod fetching;
pub mod framing;
pub mod grammar;
mod listing;
mod notifying;
pub mod pattern;
pub mod replies;
mod searching;
mod selected;
mod session;
mod snapshot;
pub mod sorting;
mod sources;
pub mod threading;
mod uploads;
pub mod view;
mod work;

pub use drive::Driver;
pub use session::Services;
