//! Layer 1: what the server tells about itself: the log, session ids, redaction, metrics.
//!
//! What it will not do: decide what is worth telling, or know any other module.

mod secret;

pub use secret::Secret;
