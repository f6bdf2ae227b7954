//! What several kinds of tests need: a player of conversations, a listener for them, TLS as a client.

pub mod dialog;
pub mod dice;
pub mod house;
pub mod knot;
pub mod listening;
pub mod node;
pub mod peer;
pub mod program;
pub mod python;
pub mod running;
pub mod sieve;
pub mod smtp;
pub mod tls;
