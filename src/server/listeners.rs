//! Ports: which services there are, and what is bound for them.

use super::House;
use crate::config::Config;
use crate::net::{BindError, Listener, Shutdown, TlsServer};
use crate::types::ListenAddress;
use std::pin::Pin;

/// A task that lives as long as the server.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a service is started with.
#[allow(dead_code)] // read by the services, the first of which comes with its protocol
pub(super) struct Stage {
    pub(super) house: House,
    pub(super) tls: TlsServer,
    pub(super) shutdown: Shutdown,
}

type Start = fn(&Stage, Listener) -> Task;

/// The services behind the keys of `[listen]`. A key that is not here has no service yet: its port stays shut.
const SERVICES: &[(&str, Start)] = &[];

fn service(name: &str) -> Option<Start> {
    SERVICES.iter().find(|(key, _)| *key == name).map(|(_, start)| *start)
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
