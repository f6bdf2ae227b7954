//! The sending side, for the queue: SMTP to other servers and smarthosts, LMTP to those that want it.
//!
//! `session` is a state machine without I/O, from the greeting to the next message; `parameters` chooses what MAIL and
//! RCPT say, out of an envelope and what the server offers. `drive` moves octets between a connection and a session;
//! `transport` makes connections, and `policy_fetch` the one request to the web that mail needs. Whom to call, when, and what a refusal leads to is the queue's business.

mod drive;
mod exchange;
mod parameters;
mod policy_fetch;
mod session;
mod settings;
mod transport;

pub use settings::{ClientSettings, Patience};
pub use transport::Client;

#[cfg(test)]
mod tests;
