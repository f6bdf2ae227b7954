//! What a client is told once.

use crate::net::{Shutdown, TlsClient};
use crate::types::limits::{
    SMTP_CLIENT_COMMAND_SECONDS, SMTP_CLIENT_CONNECT_SECONDS, SMTP_CLIENT_DATA_BLOCK_SECONDS,
    SMTP_CLIENT_DATA_END_SECONDS, SMTP_CLIENT_DATA_START_SECONDS, SMTP_CLIENT_GREETING_SECONDS, TLS_HANDSHAKE_SECONDS,
    TRANSFER_OCTETS_PER_SECOND_MIN,
};
use crate::types::{Clock, Domain};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub struct ClientSettings {
    /// What we call ourselves.
    pub hostname: Domain,
    pub patience: Patience,
    /// Towards peers that prove nothing.
    pub unverified: TlsClient,
    /// Towards peers that have to.
    pub verified: TlsClient,
    /// Where policies are fetched: 443, but for tests.
    pub https_port: u16,
    pub shutdown: Shutdown,
    pub clock: Arc<dyn Clock>,
}

/// How long a server may take (RFC 5321 section 4.5.3.2). For a whole reply, however it trickles in.
#[derive(Clone, Debug)]
pub struct Patience {
    pub connect: Duration,
    pub handshake: Duration,
    pub greeting: Duration,
    pub command: Duration,
    pub data_start: Duration,
    /// Between two pieces of a message that it takes.
    pub data_block: Duration,
    pub data_end: Duration,
    pub octets_per_second_min: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(SMTP_CLIENT_CONNECT_SECONDS),
            handshake: Duration::from_secs(TLS_HANDSHAKE_SECONDS),
            greeting: Duration::from_secs(SMTP_CLIENT_GREETING_SECONDS),
            command: Duration::from_secs(SMTP_CLIENT_COMMAND_SECONDS),
            data_start: Duration::from_secs(SMTP_CLIENT_DATA_START_SECONDS),
            data_block: Duration::from_secs(SMTP_CLIENT_DATA_BLOCK_SECONDS),
            data_end: Duration::from_secs(SMTP_CLIENT_DATA_END_SECONDS),
            octets_per_second_min: TRANSFER_OCTETS_PER_SECOND_MIN,
        }
    }
}
