//! Whom the server asks for names.

use crate::config::Config;
use crate::dns::{DnsError, SystemResolver, SystemResolverOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What resolv.conf(5) says of a machine without that file.
const LOCAL_SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

/// For administrators, who have just changed a zone and want to see it.
pub(super) fn resolver_without_memory(config: &Config) -> Result<SystemResolver, DnsError> {
    let mut config = config.clone();
    config.dns.cache_entries_max = 0;
    resolver(&config)
}

pub(super) fn resolver(config: &Config) -> Result<SystemResolver, DnsError> {
    let options = SystemResolverOptions {
        servers: config.dns.servers.clone(),
        timeout: Duration::from_secs(config.dns.timeout_seconds),
        attempts: config.dns.attempts,
        cache_entries_max: config.dns.cache_entries_max,
        validate: config.dns.validate,
        trust_anchors: config.dns.trust_anchors.clone(),
    };
    SystemResolver::new(&options).or_else(|error| {
        if !options.servers.is_empty() {
            return Err(error);
        }
        tracing::warn!(%error, "the system names no DNS servers; asking {LOCAL_SERVER}");
        SystemResolver::new(&SystemResolverOptions { servers: vec![LOCAL_SERVER], ..options })
    })
}
