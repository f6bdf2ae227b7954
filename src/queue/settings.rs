//! What the queue is told once.

use super::transport::{Login, Protocol, TlsDemand};
use crate::types::limits::{
    QUEUE_CONNECTIONS_MAX, QUEUE_CONNECTIONS_PER_DESTINATION_MAX, QUEUE_PAUSE_SECONDS_FIRST, QUEUE_PAUSE_SECONDS_MAX,
    QUEUE_RECIPIENTS_MAX, QUEUE_REFUSALS_BEFORE_PAUSE, QUEUE_WARN_SECONDS, SEND_LIFETIME_SECONDS,
};
use crate::types::{Domain, HostPort};
use std::collections::HashMap;
use std::net::IpAddr;

#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// As MX records name us, and as reports are signed.
    pub hostname: Domain,
    /// Addresses of ours that MX records of others may lead to, as far as they are known by name: [`super::House`] knows more.
    pub own_addresses: Vec<IpAddr>,
    /// Of other servers.
    pub port: u16,
    /// Instead of the MX, for everything.
    pub connect_to: Option<HostPort>,
    pub smarthost: Option<Smarthost>,
    /// For mail to these domains, before the one for all.
    pub smarthosts: HashMap<Domain, Smarthost>,
    /// Towards the other servers of split domains.
    pub split_tls: TlsDemand,
    pub pause_seconds_first: u32,
    pub pause_seconds_max: u32,
    /// The sender hears of a delay after so long.
    pub warn_seconds: i64,
    /// How long reports are tried.
    pub lifetime_seconds: i64,
    pub connections_max: usize,
    pub connections_per_destination_max: usize,
    pub recipients_max: u32,
    /// Refusals of a redirection's target in a row, after which somebody has to look at it.
    pub refusals_before_pause: u32,
}

/// A server that takes all mail to outside.
#[derive(Clone, Debug)]
pub struct Smarthost {
    pub host: HostPort,
    pub protocol: Protocol,
    pub login: Option<Login>,
    pub tls: TlsDemand,
}

/// The port of a smarthost unless another is given (RFC 6409 section 3.1).
pub const SMARTHOST_PORT: u16 = 587;
/// The same for one that is spoken to by LMTP: RFC 2033 section 5 keeps it away from port 25 only, and this is usual.
pub const LMTP_PORT: u16 = 24;
/// Where TLS begins with the connection (RFC 8314 section 3.3).
pub const TLS_FROM_THE_START_PORT: u16 = 465;

impl Smarthost {
    /// A password goes to a server that has proved who it is, and to no other.
    pub fn new(host: HostPort, protocol: Protocol, login: Option<Login>) -> Self {
        let tls = match (host.port, &login) {
            (Some(TLS_FROM_THE_START_PORT), _) => TlsDemand::FromTheStart,
            (_, Some(_)) => TlsDemand::Verified,
            (_, None) => TlsDemand::IfOffered,
        };
        Self { host, protocol, login, tls }
    }
}

impl QueueSettings {
    /// The server an administrator has named for mail to a domain.
    pub(super) fn smarthost_of(&self, destination: &str) -> Option<&Smarthost> {
        let own = Domain::parse(destination).ok().and_then(|domain| self.smarthosts.get(&domain));
        own.or(self.smarthost.as_ref())
    }

    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            own_addresses: Vec::new(),
            port: 25,
            connect_to: None,
            smarthost: None,
            smarthosts: HashMap::new(),
            split_tls: TlsDemand::IfOffered,
            pause_seconds_first: QUEUE_PAUSE_SECONDS_FIRST,
            pause_seconds_max: QUEUE_PAUSE_SECONDS_MAX,
            warn_seconds: QUEUE_WARN_SECONDS,
            lifetime_seconds: SEND_LIFETIME_SECONDS,
            connections_max: QUEUE_CONNECTIONS_MAX,
            connections_per_destination_max: QUEUE_CONNECTIONS_PER_DESTINATION_MAX,
            recipients_max: QUEUE_RECIPIENTS_MAX,
            refusals_before_pause: QUEUE_REFUSALS_BEFORE_PAUSE,
        }
    }
}
