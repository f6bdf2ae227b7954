//! Layer 3: SMTP, submission and LMTP.

pub mod proto;
pub mod server;
