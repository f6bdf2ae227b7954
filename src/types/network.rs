//! A range of IP addresses: where a peer comes from, and the lists of the configuration that trust some of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `192.0.2.0/24`, `2001:db8::/32`, or one address without a slash. Host bits are cleared when it is made, so that equal
/// ranges are equal values. IPv4 written as IPv6 (`::ffff:192.0.2.1`, what a dual-stack socket reports) is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    first: IpAddr,
    prefix_bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    Address,
    PrefixLength,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Address => "it does not begin with an IPv4 or IPv6 address",
            Self::PrefixLength => "the number after the slash must be 0 to 32 for IPv4, 0 to 128 for IPv6",
        })
    }
}

impl std::error::Error for NetworkError {}

impl Network {
    pub fn new(address: IpAddr, prefix_bits: u8) -> Result<Self, NetworkError> {
        let (address, prefix_bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(inner)) if prefix_bits >= 96 => (IpAddr::V4(inner), prefix_bits - 96),
            _ => (address, prefix_bits),
        };
        let first = match address {
            IpAddr::V4(_) if prefix_bits > 32 => return Err(NetworkError::PrefixLength),
            IpAddr::V6(_) if prefix_bits > 128 => return Err(NetworkError::PrefixLength),
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Ok(Self { first, prefix_bits })
    }

    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix_bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| NetworkError::PrefixLength)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        Self::new(address, prefix_bits.unwrap_or(if address.is_ipv4() { 32 } else { 128 }))
    }

    /// What limits per network count by: an IPv4 address, or the IPv6 /64 that one customer has whole.
    pub fn of_peer(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self { first: IpAddr::V4(v4), prefix_bits: 32 },
            IpAddr::V6(v6) => {
                Self { first: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))), prefix_bits: 64 }
            }
        }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && Self::new(address, self.prefix_bits).is_ok_and(|range| range.first == self.first)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.prefix_bits)
    }
}

impl std::str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_parse_and_print_without_host_bits() {
        let check = |text: &str, printed: Result<&str, NetworkError>| {
            assert_eq!(Network::parse(text).map(|network| network.to_string()), printed.map(str::to_owned), "{text}");
        };
        check("192.0.2.77/24", Ok("192.0.2.0/24"));
        check("192.0.2.77", Ok("192.0.2.77/32"));
        check("0.0.0.0/0", Ok("0.0.0.0/0"));
        check("2001:db8::1/32", Ok("2001:db8::/32"));
        check("::/0", Ok("::/0"));
        check("::1", Ok("::1/128"));
        check("::ffff:192.0.2.1/120", Ok("192.0.2.0/24"));
        check("192.0.2.1/33", Err(NetworkError::PrefixLength));
        check("::1/129", Err(NetworkError::PrefixLength));
        check("192.0.2.1/", Err(NetworkError::PrefixLength));
        check("example.org/24", Err(NetworkError::Address));
        check("", Err(NetworkError::Address));
    }

    #[test]
    fn a_network_contains_its_addresses_only() {
        let check = |network: &str, address: &str, inside: bool| {
            let (network, address) = (Network::parse(network).unwrap(), address.parse().unwrap());
            assert_eq!(network.contains(address), inside, "{network} {address}");
        };
        check("192.0.2.0/24", "192.0.2.255", true);
        check("192.0.2.0/24", "192.0.3.0", false);
        check("192.0.2.0/24", "::ffff:192.0.2.9", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "192.0.2.1", false);
        check("2001:db8::/64", "2001:db8::ffff", true);
        check("2001:db8::/64", "2001:db8:0:1::", false);
    }

    #[test]
    fn a_peer_is_an_ipv4_address_or_an_ipv6_64() {
        let check = |address: &str, network: &str| {
            assert_eq!(Network::of_peer(address.parse().unwrap()).to_string(), network);
        };
        check("192.0.2.1", "192.0.2.1/32");
        check("::ffff:192.0.2.1", "192.0.2.1/32");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
    }
}
