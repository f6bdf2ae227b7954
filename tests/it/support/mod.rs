//! What several kinds of tests need: a player of conversations, TLS as a client.

pub mod dialog;
pub mod tls;
