//! Ports: which services there are, and what is bound for them.

use super::House;
use super::imap::{self, Imap};
use super::managesieve;
use super::smtp::{self, Smtp};
use crate::config::Config;
use crate::dns::SystemResolver;
use crate::net::{BindError, Caps, Listener, Security, Service, Shutdown, Timeouts, TlsServer};
use crate::queue::Queue;
use crate::types::ListenAddress;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A task that lives as long as the server.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a service is started with.
pub(super) struct Stage {
    pub(super) house: House,
    pub(super) tls: TlsServer,
    pub(super) shutdown: Shutdown,
    pub(super) smtp: Smtp,
    pub(super) imap: Imap,
    /// One count of connections for all services.
    caps: Caps,
}

impl Stage {
    pub(super) fn new(
        house: House,
        tls: TlsServer,
        shutdown: Shutdown,
        resolver: Arc<SystemResolver>,
        queue: Queue,
        managesieve_port: Option<u16>,
    ) -> io::Result<Self> {
        let limits = &house.config.limits;
        let exempt = house.config.throttle.exempt_networks.clone();
        let caps = Caps::new(limits.connections_max, limits.connections_per_network_max, exempt);
        let (smtp, imap) =
            (Smtp::open(&house, resolver, queue)?, Imap::open(&house, managesieve_port).map_err(io::Error::other)?);
        Ok(Self { smtp, imap, caps, house, tls, shutdown })
    }

    /// How a listener is served. `refusal` is what a connection above the caps hears.
    pub(super) fn net_service(
        &self,
        name: &'static str,
        security: Security,
        idle_seconds: u64,
        refusal: Vec<u8>,
    ) -> Service {
        let limits = &self.house.config.limits;
        Service {
            name,
            security,
            caps: self.caps.clone(),
            proxies: self.house.config.proxy.networks.clone(),
            timeouts: Timeouts {
                idle: Duration::from_secs(idle_seconds),
                write: Duration::from_secs(limits.write_seconds),
                handshake: Duration::from_secs(limits.tls_handshake_seconds),
                octets_per_second_min: limits.transfer_octets_per_second_min,
            },
            refusal,
            grace: Duration::from_secs(limits.shutdown_seconds),
            metrics: self.house.metrics.clone(),
        }
    }
}

type Start = fn(&Stage, Listener) -> Task;

/// The services behind the keys of `[listen]`. A key that is not here has no service yet: its port stays shut.
const SERVICES: &[(&str, Start)] = &[
    ("smtp", smtp::mx),
    ("submission", smtp::submission),
    ("submissions", smtp::submissions),
    ("lmtp", smtp::lmtp),
    ("imap", imap::imap),
    ("imaps", imap::imaps),
    ("managesieve", managesieve::managesieve),
];

fn service(name: &str) -> Option<Start> {
    SERVICES.iter().find(|(key, _)| *key == name).map(|(_, start)| *start)
}

/// Whether this version has the service.
pub(super) fn is_built(name: &str) -> bool {
    service(name).is_some()
}

/// Bound, and not served yet.
pub(super) struct Bound {
    pub(super) name: &'static str,
    pub(super) listener: Listener,
    start: Start,
}

impl Bound {
    pub(super) fn start(self, stage: &Stage) -> Task {
        (self.start)(stage, self.listener)
    }
}

/// The port of a service that listens on the network.
pub(super) fn port_of(name: &str, bound: &[Bound]) -> Option<u16> {
    bound.iter().filter(|service| service.name == name).find_map(|service| match service.listener.address() {
        ListenAddress::Socket(socket) => Some(socket.port()),
        ListenAddress::Unix(_) => None,
    })
}

/// What came of binding everything the configuration names.
#[derive(Default)]
pub(super) struct Bindings {
    pub(super) bound: Vec<Bound>,
    pub(super) failed: Vec<(&'static str, BindError)>,
    /// Keys with addresses and without a service.
    pub(super) unserved: Vec<&'static str>,
}

pub(super) fn bind_all(config: &Config) -> Bindings {
    let mut bindings = Bindings::default();
    for (name, addresses) in config.listen.all() {
        let Some(start) = service(name) else {
            if !addresses.is_empty() {
                bindings.unserved.push(name);
            }
            continue;
        };
        for address in addresses {
            match Listener::bind(&whole(config, address), 0o660) {
                Ok(listener) => bindings.bound.push(Bound { name, listener, start }),
                Err(error) => bindings.failed.push((name, error)),
            }
        }
    }
    bindings
}

/// A socket's relative path is in the data directory.
fn whole(config: &Config, address: &ListenAddress) -> ListenAddress {
    match address {
        ListenAddress::Unix(path) => ListenAddress::Unix(config.data.join(path)),
        ListenAddress::Socket(_) => address.clone(),
    }
}
