//! IMAP beyond single conversations: sessions that do anything at all, clients that mean harm, messages that are large.

pub mod client;
mod hostile;
mod identity;
mod large;
mod live;
mod random;
mod second_opinion;
mod transport;
