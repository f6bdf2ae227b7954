//! Where machines are: the addresses we listen on, the hosts we are told to connect to, lists of networks.

use super::domain::Domain;
use super::network::Network;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A list of networks; the empty one contains nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<Network>);

impl Networks {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where a listener waits: `[::]:25`, `127.0.0.1:24`, `unix:lmtp.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// Port 0 lets the machine choose; the listener tells what it got.
    Socket(SocketAddr),
    Unix(PathBuf),
}

impl ListenAddress {
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some("") => None,
            Some(path) => Some(Self::Unix(path.into())),
            None => text.parse().ok().map(Self::Socket),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// `host` or `host:port`; the host is a name or an IP address, IPv6 in brackets when a port follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    pub host: Host,
    pub port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    Name(Domain),
    Ip(IpAddr),
}

impl HostPort {
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self { host: Host::Ip(ip), port: None });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            let port = Some(address.port()).filter(|port| *port != 0)?;
            return Some(Self { host: Host::Ip(address.ip()), port: Some(port) });
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Some(Self { host: Host::Ip(IpAddr::V6(inner.parse().ok()?)), port: None });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, digits)) => (name, Some(digits.parse().ok().filter(|port| *port != 0)?)),
            None => (text, None),
        };
        let name = Domain::parse(name).ok().filter(|name| !name.is_literal())?;
        // A dotted quad that is no IP address is a mistyped address, not a name.
        if name.as_str().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        Some(Self { host: Host::Name(name), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (Host::Name(name), None) => name.fmt(formatter),
            (Host::Name(name), Some(port)) => write!(formatter, "{name}:{port}"),
            (Host::Ip(ip), None) => ip.fmt(formatter),
            (Host::Ip(ip), Some(port)) => SocketAddr::new(*ip, port).fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_lies_in_them() {
        let check = |list: &[&str], address: &str, expected: bool| {
            let networks = Networks(list.iter().map(|text| Network::parse(text).unwrap()).collect());
            assert_eq!(networks.contains(address.parse().unwrap()), expected, "{list:?} {address}");
        };
        check(&[], "192.0.2.1", false);
        check(&["192.0.2.0/24"], "192.0.2.255", true);
        check(&["192.0.2.0/24"], "192.0.3.0", false);
        check(&["192.0.2.0/24"], "::ffff:192.0.2.9", true);
        check(&["0.0.0.0/0"], "203.0.113.1", true);
        check(&["0.0.0.0/0"], "2001:db8::1", false);
        check(&["::/0"], "192.0.2.1", false);
        check(&["192.0.2.1", "2001:db8::/64"], "2001:db8::ffff", true);
        check(&["2001:db8::/64"], "2001:db8:0:1::", false);
    }

    #[test]
    fn hosts_with_and_without_ports() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(HostPort::parse(text).map(|host| host.to_string()).as_deref(), expected, "{text}");
        };
        check("Relay.Example.ORG", Some("relay.example.org"));
        check("relay.example.org:2525", Some("relay.example.org:2525"));
        check("127.0.0.1:2525", Some("127.0.0.1:2525"));
        check("[::1]:2525", Some("[::1]:2525"));
        check("[::1]", Some("::1"));
        check("::1", Some("::1"));
        check("", None);
        check("relay:0", None);
        check("127.0.0.1:0", None);
        check("relay:99999", None);
        check("1.2.3:25", None);
        check("[192.0.2.1]", None);
        check("a b", None);
    }

    #[test]
    fn listeners_are_sockets_or_paths() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(ListenAddress::parse(text).map(|address| address.to_string()).as_deref(), expected, "{text}");
        };
        check("[::]:25", Some("[::]:25"));
        check("127.0.0.1:0", Some("127.0.0.1:0"));
        check("unix:lmtp.sock", Some("unix:lmtp.sock"));
        check("unix:", None);
        check("localhost:25", None);
        check("25", None);
        check("::25", None);
    }
}
