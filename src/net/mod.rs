//! Layer 1: from a listening address to a bounded, timed, perhaps encrypted conversation with one peer.
//!
//! [`Listener`] binds, [`serve()`] accepts within [`Caps`] and calls a handler per [`Connection`], [`Shutdown`] ends it all in
//! order. What it will not do: know any protocol's words. It says nothing to a peer that it was not handed as octets.

mod caps;
mod connection;
mod deflate;
mod descriptors;
mod error;
mod identity;
mod listener;
mod notify;
mod proxy;
mod rate;
mod serve;
mod shutdown;
mod tls;
mod transport;

pub use caps::{Caps, Permit, Refused};
pub use connection::{Connection, Line, LineEnd, Peer};
pub use descriptors::{connections_that_fit, raise_descriptor_limit};
pub use error::NetError;
pub use identity::{Identity, IdentityError, is_root};
pub use listener::{BindError, Listener};
pub use notify::{State, notify};
pub use rate::{Timeouts, Transfer};
pub use serve::{Security, Service, serve};
pub use shutdown::Shutdown;
pub use tls::{Origin, Pin, TlsClient, TlsError, TlsFacts, TlsServer, certificate_doubts};

#[cfg(test)]
mod tests;
