//! Layer 1: what the server tells about itself: the log, session ids, redaction, metrics.
//!
//! What it will not do: decide what is worth telling, or know any other module.

mod log;
mod metrics;
mod secret;
mod session_id;

pub use log::{FILTER_VARIABLE, Format, Log, LogError, check_filter};
pub use metrics::{Counter, Gauge, Held, Metrics};
pub use secret::Secret;
pub use session_id::SessionId;
