//! The receiving side: MX, submission and LMTP.
//!
//! `session` is a state machine without I/O, its commands are in `cmd`, its words in `replies`. `drive` moves octets
//! between a connection, a session and a `spool`, and asks the questions that `service` defines. What the answers are is
//! none of this module's business: it knows no store, no directory and no policy.

mod cmd;
mod drive;
mod logins;
mod replies;
mod service;
mod session;
mod settings;
mod spool;
mod submission;

pub use drive::Driver;
pub use logins::Logins;
pub use replies::{Cause, Entry, Refusal, Success};
pub use service::{
    Answer, Arrived, AuthAnswer, AuthStep, Caller, Conversation, Delivered, Hello, HelloKind, Service, Verdict,
};
pub use session::{Ask, Pipelined, Session, Step};
pub use settings::{Kind, Limits, Link, Offered, Settings};
pub use spool::{Spool, prepare_directory};
pub use submission::{Submission, claimed_senders, completed};

#[cfg(test)]
mod tests;
