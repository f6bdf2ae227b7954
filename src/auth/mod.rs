//! Layer 2: credentials to [`Authenticated`], its only maker. Uses the store, and nothing else of ours but words and the log.
//!
//! A protocol asks [`Auth::offered`] what to advertise, drives a [`Negotiation`] with what the client sends (or calls
//! [`Auth::login`] where the protocol has a command of its own), and holds the [`Authenticated`] that comes of it: whatever
//! needs a login takes one as an argument. Whether a sentence goes out as 535, `NO` or `NO (…)` is the protocol's table.
//!
//! | file | what it decides |
//! |---|---|
//! | `service`, `negotiation` | who logs in: by name and password, or by SASL |
//! | `sasl`, `scram`, `channel_binding` | the mechanisms, without I/O and without accounts |
//! | `password`, `hasher`, `credentials`, `app_password` | what is stored of a password, and what computing it may cost |
//! | `throttle`, `verified` | who has to wait, and who need not be hashed again |
//! | `client` | the other side of SASL, for our own logins to a smarthost |
//!
//! Absent on purpose: what a password must look like (`directory`), and mechanisms that need passwords in the clear on
//! our side (CRAM-MD5, DIGEST-MD5) or none at all (ANONYMOUS).

mod app_password;
mod authenticated;
mod channel_binding;
mod client;
mod credentials;
mod failure;
mod hasher;
mod negotiation;
mod password;
mod recent;
mod sasl;
mod scram;
mod service;
#[cfg(test)]
mod tests;
mod throttle;
mod verified;

pub use app_password::LabelError;
pub use authenticated::Authenticated;
pub use channel_binding::{ChannelBinding, TLS_EXPORTER_LABEL, TLS_EXPORTER_OCTETS};
pub use client::{Client, ClientError};
pub use credentials::CredentialError;
pub use failure::AuthFailure;
pub use hasher::{HashError, HashSettings};
pub use negotiation::{Negotiation, Progress};
pub use password::{Password, PasswordError};
pub use sasl::{FinalData, Mechanism, SaslError, Security, decode, encode};
pub use scram::server::ScramError;
pub use service::{Auth, AuthSettings, Peer};
