//! Layer 3: SMTP, submission and LMTP.
//!
//! `proto` is the grammar of both sides, `server` receives. Neither knows what is decided about a sender, a recipient or a
//! message: the server's sessions ask it through [`server::Service`], and name a [`server::Cause`] for every refusal.
//! `service` is who answers in the real server.

pub mod client;
pub mod proto;
pub mod server;
pub mod service;
