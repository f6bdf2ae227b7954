//! Layer 3: ManageSieve (RFC 5804), by which mail programs edit their owner's scripts.
//!
//! Octets become commands in `framing` and `grammar`, `session` knows what is allowed when and asks for what it can't know,
//! `desk` answers with `auth` and `admin`, `replies` writes what is said, and `drive` stands between a session and its
//! connection. Only `desk` and `drive` wait for anything.
//!
//! Besides a person's own scripts the list has those the server made, under names that begin with
//! [`crate::admin::SHOWN_PREFIX`]: what mail to each of his addresses does, what administrators want done before and after,
//! and, when several of his own are active, the list of them. They can be read and nothing else.
//!
//! What it will not do: decide what a script may be (`filter`) or where it is kept (`admin`), or touch anything but the
//! scripts of the account that logged in.

mod capability;
mod cause;
mod desk;
mod drive;
mod framing;
mod grammar;
mod replies;
mod session;
#[cfg(test)]
mod tests;

pub use desk::Services;
pub use drive::Driver;
