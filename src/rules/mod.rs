//! Layer 0: from switches to Sieve text, and the proofs over the address graph. Pure: never runs Sieve, never stores,
//! never looks at a clock.
//!
//! # The compiled script
//!
//! [`compile`] turns the switches of an address into a script of six sections, always all six and always in this order.
//! Each comes from a template in `sieve/`, which is a working script of its own with example values; the generator puts
//! the real values in their place.
//!
//! Two things keep the sections independent, so that flipping a switch leaves the text of all others as it was:
//! * `require` names the same extensions in every script, needed or not;
//! * sections talk to each other at run time only, through variables that the first one declares:
//!
//! | variable  | set by               | means, when it differs from its start |
//! |-----------|----------------------|----------------------------------------|
//! | `spam`    | before               | `yes`: judged spam on arrival (header `X-Spam-Status: Yes`, forged ones are removed there) |
//! | `circling` | before              | `yes`: it has passed so many servers that it must be going in circles |
//! | `outward` | before               | `no`: nothing may leave because of this message, for one of these two reasons |
//! | `keep`    | responder            | `no`: answered, and by its owner's wish not stored |
//! | `taken`   | responder, redirections | `yes`: someone has the message, or its owner wished it answered only |
//! | `dollar`  | –                    | a dollar sign, see below |
//!
//! What follows from a message's way through them:
//! * Spam is neither answered nor redirected. With a mailbox it goes to the special-use mailbox \Junk, before any
//!   personal script runs. Without one it is refused, as is every message that nothing took (all targets paused, a
//!   responder outside its window): a script never accepts a message and loses it. An alias passes spam on, for its owner's
//!   script to judge: both are one person's mail.
//! * A mailbox with a redirection that does not keep still keeps what could not be redirected.
//! * A bounce (null sender) is redirected like other mail; that of a redirected message never gets here, because it comes
//!   back to an SRS address (`queue`). The responder is silent on it by RFC 3834 section 2, which the engine sees to.
//! * Without a mailbox, a responder may have answered what is then refused (all targets behind it are paused). The refusal is
//!   what counts: RFC 5429 section 2.1 finds the two incompatible, and `filter` drops the answer.
//! * Without a mailbox, or with a redirection that does not keep, `stop` ends the script in the copy section. The text of
//!   the sections behind stays in the script all the same.
//! * There is no `keep` at the end. An explicit one would store a second copy beside what a personal script has filed; the
//!   implicit one (RFC 5228 section 2.10.2) is what an administrator expects.
//! * `stop` in an included script ends the whole run (RFC 6609 section 3.3 changes only `return`), also for `after`. A rule
//!   that must hold against a personal script's `stop` belongs in `before`.
//!
//! Administrators' scripts are included from the global location under the names [`before_script_name`] and
//! [`after_script_name`] give, and only those that exist: some engines refuse to compile an include of a place they don't
//! have, optional or not. So a script is compiled anew when one of those it includes comes or goes.
//!
//! # Standard Sieve
//!
//! The text runs unchanged elsewhere, with what Pigeonhole offers by default: answers are counted in days (`:days`, not
//! `vacation-seconds`), and special-use mailboxes are asked for by `ihave` (RFC 5463), with a mailbox named Junk for those
//! who know none.
//!
//! # Quoting
//!
//! The text means the same to every implementation, also to engines that expand variables and encoded characters whether
//! required or not, and to those that take a backslash before the closing quote for an escape of it: so `${` is written
//! `${dollar}{`, a backslash `${hex:5c}`, and only a quote is escaped by a backslash. See [`quote`](self) for the rest.
//!
//! # Time
//!
//! A [`Window`](crate::types::Window) is half open and in UTC; [`window_from_local`] makes it out of the owner's dates.

mod describe;
mod graph;
mod names;
mod password;
mod quote;
mod script;
mod switches;
#[cfg(test)]
mod tests;
mod window;

pub use describe::describe;
pub use graph::{
    Change, Changed, Consequences, DomainKind, Effect, Effects, End, Graph, MailboxState, NotTaken, Refusal, Route,
    Routes,
};
pub use names::{AddressRules, AddressViolation};
pub use password::{PasswordRules, PasswordViolation};
pub use script::{
    CompiledScript, Context, Section, SectionLines, SectionSpan, after_script_name, before_script_name, compile,
};
pub use switches::{Limits, Violation, check_switches};
pub use window::{DateError, format_from, format_until, parse_from, parse_until, window_from_local};
