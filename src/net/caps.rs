//! How many connections there may be: in all, and from one network.

use crate::types::{Network, Networks};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One count for all listeners of a server. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Caps(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    in_all_max: usize,
    per_network_max: usize,
    /// Networks that only count in all.
    exempt: Networks,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    in_all: usize,
    by_network: HashMap<Network, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    InAll,
    Network(Network),
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InAll => formatter.write_str("as many connections are open as there may be in all"),
            Self::Network(network) => write!(formatter, "as many connections are open as {network} may have"),
        }
    }
}

/// A slot; dropping it makes room for another.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    network: Option<Network>,
}

impl Caps {
    pub fn new(in_all_max: usize, per_network_max: usize, exempt: Networks) -> Self {
        Self(Arc::new(Shared { in_all_max, per_network_max, exempt, counts: Mutex::default() }))
    }

    /// For a peer of which nothing but the existence is known, or that is on this machine.
    pub fn admit_anyone(&self) -> Result<Permit, Refused> {
        self.admit(None)
    }

    pub fn admit_address(&self, address: IpAddr) -> Result<Permit, Refused> {
        self.admit(Some(Network::of_peer(address)).filter(|_| !self.0.exempt.contains(address)))
    }

    fn admit(&self, network: Option<Network>) -> Result<Permit, Refused> {
        let mut counts = self.0.counts();
        if counts.in_all >= self.0.in_all_max {
            return Err(Refused::InAll);
        }
        if let Some(network) = network {
            let count = counts.by_network.entry(network).or_default();
            // A network whose limit is reached has an entry already, so refusing leaves none behind: the limit is 1 at least.
            if *count >= self.0.per_network_max.max(1) {
                return Err(Refused::Network(network));
            }
            *count += 1;
        }
        counts.in_all += 1;
        Ok(Permit { shared: Arc::clone(&self.0), network })
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The true peer of a connection that came through a proxy.
    pub fn assign(self, address: IpAddr) -> Result<Self, Refused> {
        let caps = Caps(Arc::clone(&self.shared));
        // First out, then in: the connection must not be counted against itself.
        drop(self);
        caps.admit_address(address)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.in_all = counts.in_all.saturating_sub(1);
        if let Some(network) = self.network
            && let Some(count) = counts.by_network.get_mut(&network)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_and_the_whole_are_bounded_and_recover() {
        let caps = Caps::new(4, 2, Networks(vec![Network::parse("127.0.0.0/8").unwrap()]));
        let first = caps.admit_address(ip("2001:db8::1")).unwrap();
        let second = caps.admit_address(ip("2001:db8::ffff")).unwrap();
        let network = Network::parse("2001:db8::/64").unwrap();
        assert_eq!(caps.admit_address(ip("2001:db8::2")).unwrap_err(), Refused::Network(network));
        let third = caps.admit_address(ip("2001:db8:0:1::2")).unwrap();
        let fourth = caps.admit_anyone().unwrap();
        assert_eq!(caps.admit_address(ip("192.0.2.1")).unwrap_err(), Refused::InAll);
        drop(first);
        caps.admit_address(ip("2001:db8::3")).unwrap();
        drop((second, third, fourth));
        let exempt: Vec<Permit> = (0..4).map(|_| caps.admit_address(ip("::ffff:127.0.0.1")).unwrap()).collect();
        assert_eq!(caps.admit_address(ip("127.0.0.1")).unwrap_err(), Refused::InAll);
        drop(exempt);
        assert!(caps.0.counts().by_network.is_empty());
        assert_eq!(caps.0.counts().in_all, 0);
    }

    #[test]
    fn a_proxied_connection_counts_for_its_true_peer() {
        let caps = Caps::new(1, 1, Networks::default());
        let permit = caps.admit_anyone().unwrap().assign(ip("192.0.2.1")).unwrap();
        assert_eq!(caps.0.counts().by_network.len(), 1);
        drop(permit);
        assert_eq!(caps.0.counts().in_all, 0);
    }
}
