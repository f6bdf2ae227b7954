//! The PROXY protocol, versions 1 and 2: a load balancer's word about who is really calling.
//!
//! Read octet for octet from the bare socket: what stands behind the header may be the start of TLS already.

use crate::types::limits::{PROXY_BINARY_OCTETS_MAX, PROXY_LINE_OCTETS_MAX};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Where the header says that the connection comes from and went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proxied {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

#[derive(Debug)]
pub(super) enum ProxyError {
    /// Not a header, or one that contradicts itself.
    Malformed,
    Io(io::Error),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => formatter.write_str("the PROXY header is malformed"),
            Self::Io(error) => write!(formatter, "the PROXY header could not be read: {error}"),
        }
    }
}

impl std::error::Error for ProxyError {}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The first octets of version 2, chosen so that no text protocol begins like it.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// None: the proxy speaks for itself (a health check), or about a kind of peer we have no address for.
pub(super) async fn read_header(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<Proxied>, ProxyError> {
    // The shortest header of either version is longer than the signature.
    let mut start = [0; SIGNATURE.len()];
    socket.read_exact(&mut start).await?;
    if &start == SIGNATURE {
        let mut fixed = [0; 4];
        socket.read_exact(&mut fixed).await?;
        let octets = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if octets > PROXY_BINARY_OCTETS_MAX {
            return Err(ProxyError::Malformed);
        }
        let mut body = vec![0; octets];
        socket.read_exact(&mut body).await?;
        return parse_binary(fixed[0], fixed[1], &body).ok_or(ProxyError::Malformed);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyError::Malformed);
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == PROXY_LINE_OCTETS_MAX {
            return Err(ProxyError::Malformed);
        }
        line.push(socket.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| ProxyError::Malformed)?;
    parse_line(line.trim_end_matches("\r\n")).ok_or(ProxyError::Malformed)
}

/// The outer option is the verdict, the inner one the addresses.
fn parse_line(line: &str) -> Option<Option<Proxied>> {
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let source: IpAddr = words.next()?.parse().ok()?;
    let destination: IpAddr = words.next()?.parse().ok()?;
    let port = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    let family_fits = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (family_fits && words.next().is_none()).then_some(Some(Proxied {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    }))
}

fn parse_binary(version_and_command: u8, family: u8, body: &[u8]) -> Option<Option<Proxied>> {
    match version_and_command {
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    let port = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    let (source, destination, ports_at): (IpAddr, IpAddr, usize) = match family {
        0x11 => {
            let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(body.get(at..at + 4)?).ok()?));
            (address(0)?.into(), address(4)?.into(), 8)
        }
        0x21 => {
            let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(body.get(at..at + 16)?).ok()?));
            (address(0)?.into(), address(16)?.into(), 32)
        }
        // Unspecified, datagrams, Unix sockets: right, but nothing we could count or judge by.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => return Some(None),
        _ => return None,
    };
    Some(Some(Proxied {
        source: SocketAddr::new(source, port(ports_at)?),
        destination: SocketAddr::new(destination, port(ports_at + 2)?),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, and what is left for the session.
    async fn read(octets: &[u8]) -> (Option<Option<String>>, Vec<u8>) {
        let mut socket = octets;
        let outcome = read_header(&mut socket).await.ok();
        let shown = outcome.map(|proxied| proxied.map(|it| format!("{} {}", it.source, it.destination)));
        (shown, socket.to_vec())
    }

    #[tokio::test]
    async fn version_1() {
        let check = async |header: &str, expected: Option<Option<&str>>| {
            let (shown, left) = read(format!("{header}\r\nEHLO").as_bytes()).await;
            assert_eq!(shown, expected.map(|inner| inner.map(str::to_owned)), "{header}");
            assert!(expected.is_none() || left == b"EHLO", "{header}");
        };
        let good = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 25";
        check(good, Some(Some("192.0.2.1:1234 192.0.2.2:25"))).await;
        check("PROXY TCP6 2001:db8::1 ::1 65535 25", Some(Some("[2001:db8::1]:65535 [::1]:25"))).await;
        check("PROXY UNKNOWN", Some(None)).await;
        check("PROXY UNKNOWN ffff:: ffff:: 65535 65535", Some(None)).await;
        for wrong in [
            "PROXY TCP4 192.0.2.1 192.0.2.2 1234",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1234 25 1",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1234 99999",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +123 25",
            "PROXY TCP4 2001:db8::1 ::1 1234 25",
            "PROXY TCP9 192.0.2.1 192.0.2.2 1234 25",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1234 25",
            "proxy TCP4 192.0.2.1 192.0.2.2 1234 25",
            "EHLO client.example.org",
            "PROXY \u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            check(wrong, None).await;
        }
        check(&format!("PROXY UNKNOWN {}", "x".repeat(100)), None).await;
        assert_eq!(read(b"PROXY TCP4 192.0.2.1").await.0, None);
    }

    fn binary(version_and_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut octets = SIGNATURE.to_vec();
        octets.extend([version_and_command, family]);
        octets.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        octets.extend(body);
        octets
    }

    #[tokio::test]
    async fn version_2() {
        let check = async |octets: Vec<u8>, expected: Option<Option<&str>>| {
            let with_more = [&octets[..], b"\x16\x03"].concat();
            let (shown, left) = read(&with_more).await;
            assert_eq!(shown, expected.map(|inner| inner.map(str::to_owned)), "{octets:?}");
            assert!(expected.is_none() || left == b"\x16\x03", "{octets:?}");
        };
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 4, 210, 0, 25];
        let v6 = [&[0; 15][..], &[1], &[0; 15], &[2], &[4, 210, 0, 25]].concat();
        check(binary(0x21, 0x11, &v4), Some(Some("192.0.2.1:1234 192.0.2.2:25"))).await;
        check(binary(0x21, 0x11, &[&v4[..], &[4, 0, 1, 9]].concat()), Some(Some("192.0.2.1:1234 192.0.2.2:25"))).await;
        check(binary(0x21, 0x21, &v6), Some(Some("[::1]:1234 [::2]:25"))).await;
        check(binary(0x20, 0x00, &[]), Some(None)).await;
        check(binary(0x21, 0x31, &[0; 216]), Some(None)).await;
        check(binary(0x21, 0x11, &v4[..11]), None).await;
        check(binary(0x21, 0x21, &v4), None).await;
        check(binary(0x11, 0x11, &v4), None).await;
        check(binary(0x22, 0x11, &v4), None).await;
        check(binary(0x21, 0x77, &v4), None).await;
        check(binary(0x21, 0x11, &[0; PROXY_BINARY_OCTETS_MAX + 1]), None).await;
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn no_input_makes_it_panic(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80), text in "[PROXY TC46.:0-9]{0,60}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                read(&octets).await;
                read(format!("{text}\r\n").as_bytes()).await;
                read(&binary(0x21, octets.first().copied().unwrap_or(0x11), &octets)).await;
            });
        }
    }
}
