//! Which servers a destination's mail goes to, in which order, and how they are made sure of.

use super::house::House;
use super::policies::{Policies, Policy};
use super::settings::{LMTP_PORT, QueueSettings, SMARTHOST_PORT, Smarthost};
use super::transport::{Login, Peer, Protocol, TlsDemand};
use super::verdict::{Setback, Status};
use crate::dns::{Answer, DnsError, Mx, Resolver, Trust};
use crate::types::limits::{MX_ADDRESSES_PER_HOST_MAX, MX_HOSTS_MAX};
use crate::types::{Domain, Host, HostPort};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What a send demands of its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Demand {
    Usual,
    /// RFC 8689: servers that prove who they are, named by somebody who can be trusted.
    Proof,
}

/// Servers in the order they are to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) stops: Vec<Stop>,
    /// Servers that were left out because the domain's policy does not name them.
    pub(super) unnamed: Vec<Domain>,
}

/// One server, whose addresses are yet to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) login: Option<Login>,
    pub(super) tls: TlsRule,
}

/// What is known of a server's TLS before its addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TlsRule {
    /// Decided.
    Fixed(TlsDemand),
    /// DNS may name its certificate (RFC 7672), if its MX record could be trusted.
    AskDns { is_named_securely: bool },
}

#[derive(Clone)]
pub(super) struct Router {
    resolver: Arc<dyn Resolver>,
    settings: Arc<QueueSettings>,
    policies: Policies,
    house: Arc<dyn House>,
}

impl Router {
    pub(super) fn new(
        resolver: Arc<dyn Resolver>,
        settings: Arc<QueueSettings>,
        policies: Policies,
        house: Arc<dyn House>,
    ) -> Self {
        Self { resolver, settings, policies, house }
    }

    /// `destination`: a domain, or a fixed next hop.
    pub(super) async fn route(&self, destination: &str, is_next_hop: bool, demand: Demand) -> Result<Route, Setback> {
        if is_next_hop {
            let Some(host) = HostPort::parse(destination) else {
                return Err(Setback::of_ours(Status(5, 3, 5), "the other server of the domain has no usable name"));
            };
            return Ok(fixed(&plain(&host, &self.settings.split_tls), self.settings.port, demand));
        }
        if let Some(host) = &self.settings.connect_to {
            return Ok(fixed(&plain(host, &TlsDemand::IfOffered), self.settings.port, demand));
        }
        if let Some(smarthost) = self.settings.smarthost_of(destination) {
            let port = if smarthost.protocol == Protocol::Lmtp { LMTP_PORT } else { SMARTHOST_PORT };
            return Ok(fixed(smarthost, port, demand));
        }
        let Ok(domain) = Domain::parse(destination) else {
            return Err(Setback::of_ours(Status(5, 1, 2), "there is no such domain"));
        };
        match domain.literal_ip() {
            // Nobody here has named it: it is looked at as what DNS says is.
            Some(ip) => {
                let tls = TlsRule::AskDns { is_named_securely: false };
                let stop = self.stop(Host::Ip(ip), tls);
                Ok(Route { stops: vec![stop], unnamed: Vec::new() })
            }
            None => self.by_mx(&domain, demand).await,
        }
    }

    /// A server of others, at their usual port.
    fn stop(&self, host: Host, tls: TlsRule) -> Stop {
        Stop { host, port: self.settings.port, protocol: Protocol::Smtp, login: None, tls }
    }

    /// RFC 5321 section 5.1.
    async fn by_mx(&self, domain: &Domain, demand: Demand) -> Result<Route, Setback> {
        let (records, trust) = match self.resolver.mx(domain).await {
            Ok(Answer { records, trust }) => (records, trust),
            // The domain is its own mail exchanger.
            Err(DnsError::NoData) => {
                let own = Mx { preference: 0, exchange: Some(domain.clone()) };
                (vec![own], Trust::Secure)
            }
            Err(DnsError::NoSuchName) => {
                return Err(Setback::of_ours(Status(5, 1, 2), "there is no such domain"));
            }
            Err(error @ DnsError::Temporary(_)) => {
                tracing::debug!(%domain, %error, "no MX for now");
                return Err(Setback::of_ours(Status(4, 4, 3), "the domain's mail servers could not be looked up"));
            }
        };
        let exchanges = self.exchanges(records)?;
        let policy = self.policies.of(domain).await;
        let mut route = Route { stops: Vec::new(), unnamed: Vec::new() };
        for host in exchanges {
            let tls = match &policy {
                Some(Policy { enforced: true, servers, .. }) if servers.iter().any(|server| server.names(&host)) => {
                    TlsRule::Fixed(TlsDemand::Verified)
                }
                Some(Policy { enforced: true, .. }) => {
                    route.unnamed.push(host);
                    continue;
                }
                _ => TlsRule::AskDns { is_named_securely: trust == Trust::Secure },
            };
            route.stops.push(self.stop(Host::Name(host), tls));
        }
        if demand == Demand::Proof {
            // RFC 8689 section 4.2.1: who the servers are has to be known for sure, too.
            route.stops.retain(|stop| stop.tls != TlsRule::AskDns { is_named_securely: false });
            if route.stops.is_empty() {
                return Err(Setback::of_ours(
                    Status(5, 7, 30),
                    "the sender asked for encryption all the way, and the domain does not say for sure who its servers are",
                ));
            }
        }
        if route.stops.is_empty() {
            // RFC 8461 section 5: not delivered, and not given up yet, as the policy may be the one that is wrong.
            return Err(Setback::of_ours(
                Status(4, 7, 5),
                "none of the domain's mail servers is one its own policy names",
            ));
        }
        Ok(route)
    }

    /// In the order of preference, equal ones shuffled; without those that would lead back here.
    fn exchanges(&self, records: Vec<Mx>) -> Result<Vec<Domain>, Setback> {
        let mut named: Vec<(u16, Domain)> =
            records.into_iter().filter_map(|mx| Some((mx.preference, mx.exchange?))).collect();
        if named.is_empty() {
            // RFC 7505 section 4.
            return Err(Setback::of_ours(Status(5, 1, 10), "the domain takes no mail"));
        }
        // RFC 5321 section 5.1: our own name, and what is no better than us, would only be loops.
        let ours = named.iter().filter(|(_, host)| *host == self.settings.hostname).map(|(preference, _)| *preference);
        if let Some(own) = ours.min() {
            named.retain(|(preference, _)| *preference < own);
        }
        if named.is_empty() {
            return Err(Setback::of_ours(
                Status(5, 4, 6),
                "the domain's mail servers are this one, which does not know the domain",
            ));
        }
        shuffle(&mut named);
        named.sort_by_key(|(preference, _)| *preference);
        named.truncate(MX_HOSTS_MAX);
        Ok(named.into_iter().map(|(_, host)| host).collect())
    }

    /// The addresses of one server, IPv6 and IPv4 in turn. The error is about this server only.
    pub(super) async fn peers(&self, stop: &Stop, demand: Demand) -> Result<Vec<Peer>, Setback> {
        let (name, addresses, trust) = match &stop.host {
            Host::Ip(ip) => (literal(*ip), vec![*ip], Trust::Insecure),
            Host::Name(name) => {
                let Answer { records, trust } =
                    self.resolver.addresses(name).await.map_err(|error| no_address(&error))?;
                (Some(name.clone()), in_turn(records), trust)
            }
        };
        let Some(name) = name else {
            return Err(Setback::of_ours(Status(5, 4, 4), "the server's address is none"));
        };
        let (tls, name) = match &stop.tls {
            TlsRule::Fixed(tls) => (tls.clone(), name),
            TlsRule::AskDns { is_named_securely } if *is_named_securely && trust == Trust::Secure => {
                self.policies.pinned(&name, stop.port).await.map_err(|setback| *setback)?
            }
            TlsRule::AskDns { .. } => (TlsDemand::IfOffered, name),
        };
        // A server named for sure whose certificate DNS does not know must prove itself the usual way.
        let tls = if demand == Demand::Proof && !tls.is_proof() { TlsDemand::Verified } else { tls };
        let peers: Vec<Peer> = addresses
            .into_iter()
            .filter(|ip| !self.is_own(stop, *ip))
            .take(MX_ADDRESSES_PER_HOST_MAX)
            .map(|ip| Peer {
                name: name.clone(),
                address: SocketAddr::new(ip, stop.port),
                protocol: stop.protocol,
                tls: tls.clone(),
                login: stop.login.clone(),
            })
            .collect();
        if peers.is_empty() {
            return Err(Setback::of_ours(Status(5, 4, 6), "the domain's mail server is this one under another name"));
        }
        Ok(peers)
    }

    /// Whether it would lead back here. An administrator may well name a server at another port of this machine.
    fn is_own(&self, stop: &Stop, ip: IpAddr) -> bool {
        if matches!(stop.tls, TlsRule::Fixed(_)) && stop.port != self.settings.port {
            return false;
        }
        // Each inner address of this machine is as good as another, and the unspecified one leads there, too.
        let is_inner = |ip: &IpAddr| ip.to_canonical().is_loopback() || ip.to_canonical().is_unspecified();
        let own = &self.settings.own_addresses;
        let is_by_dns = matches!(stop.tls, TlsRule::AskDns { .. });
        own.contains(&ip.to_canonical())
            || (is_by_dns && is_inner(&ip) && own.iter().any(is_inner))
            || self.house.answers_at(ip.to_canonical())
    }
}

/// One server, by an administrator's word; at this port unless he names one.
fn fixed(server: &Smarthost, port: u16, demand: Demand) -> Route {
    let Smarthost { host, protocol, login, tls } = server.clone();
    let tls = if demand == Demand::Proof && !tls.is_proof() { TlsDemand::Verified } else { tls };
    let port = host.port.unwrap_or(port);
    let stop = Stop { host: host.host, port, protocol, login, tls: TlsRule::Fixed(tls) };
    Route { stops: vec![stop], unnamed: Vec::new() }
}

fn plain(host: &HostPort, tls: &TlsDemand) -> Smarthost {
    Smarthost { host: host.clone(), protocol: Protocol::Smtp, login: None, tls: tls.clone() }
}

fn no_address(error: &DnsError) -> Setback {
    if error.is_final() {
        Setback::of_ours(Status(5, 4, 4), "the domain's mail server has no address")
    } else {
        Setback::of_ours(Status(4, 4, 3), "the address of the domain's mail server could not be looked up")
    }
}

fn literal(ip: IpAddr) -> Option<Domain> {
    let text = match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    };
    Domain::parse(&text).ok()
}

/// One of each family after the other, so that a family that does not work costs one attempt and not all of them.
fn in_turn(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    shuffle(&mut addresses);
    let (six, four): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let longest = six.len().max(four.len());
    (0..longest).flat_map(|place| [six.get(place).copied(), four.get(place).copied()]).flatten().collect()
}

/// Fisher and Yates. Where the machine has no randomness the order stays as it is: still right, if not balanced.
fn shuffle<T>(list: &mut [T]) {
    for last in (1..list.len()).rev() {
        let mut octets = [0_u8; 8];
        if getrandom::fill(&mut octets).is_err() {
            return;
        }
        // The bias over so few is beyond notice.
        let place = (u64::from_le_bytes(octets) % (last as u64 + 1)) as usize;
        list.swap(last, place);
    }
}
