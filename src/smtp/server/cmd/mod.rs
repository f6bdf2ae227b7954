//! The commands, a file for each group: what state they need, what they ask, what they change.

mod auth;
mod bdat;
mod data;
mod hello;
mod mail;
mod rcpt;
mod receiving;
mod rset;
mod starttls;

pub(super) use receiving::Receiving;
