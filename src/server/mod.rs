//! Layer 4: assembly. From a configuration to services, listeners and tasks; reload and stop; the socket through which
//! commands reach a running server; the demonstration.
//!
//! What it will not do: anything about mail itself. It is the one place that names long-lived tasks (`serve`).

mod control;
mod demo;
mod house;
mod imap;
mod listeners;
mod managesieve;
mod neighbours;
mod preflight;
mod queue;
mod resolver;
mod serve;
mod signals;
mod smtp;
mod source;
#[cfg(test)]
mod tests;
mod upkeep;

pub use control::{CallError, Client, SOCKET_FILE, own_name};
pub use demo::{Demo, DemoError};
pub use house::{House, OpenError, has_store};
pub use preflight::{doubts_about_tls, mx_elsewhere, preflight};
pub use serve::{Server, StartError, WhenTaken, serve};
pub use signals::{Reload, Signals, tell};
pub use source::{ConfigSource, DATA_DEFAULT};
