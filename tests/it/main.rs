//! The one binary of the integration tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test ends where it fails
#![allow(unreachable_pub)] // there is nothing outside to reach it from

mod crash;
mod dialogs;
mod faults;
mod imap;
mod imap_clients;
mod mail_in;
mod mail_out;
mod managesieve;
mod proofs_of_servers;
mod rules;
mod signing;
mod smtp_logins;
mod support;
mod transfer;
mod walk;
