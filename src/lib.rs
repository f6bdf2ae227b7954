//! # posthouse
//!
//! A mail server in one binary: mailboxes in SQLite; every redirection, kept copy and auto-reply of an address compiled
//! into a Sieve script that runs at delivery.

pub mod admin;
pub mod auth;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod directory;
pub mod dns;
pub mod filter;
pub mod imap;
pub mod mailbox;
pub mod managesieve;
pub mod message;
pub mod net;
pub mod policy;
pub mod queue;
pub mod rules;
pub mod server;
pub mod smtp;
pub mod store;
pub mod telemetry;
pub mod types;
