//! What another server would say to mail that nobody sends: RCPT, and goodbye.

use super::transport::{Failure, Fate, Peer, Protocol, Stage, TlsDemand, Transport};
use crate::dns::{DnsError, Resolver};
use crate::types::{Address, Domain, Host, HostPort};
use std::net::SocketAddr;

/// There are as many fates as recipients; the error says why nobody could be asked.
pub async fn ask(
    transport: &dyn Transport,
    resolver: &dyn Resolver,
    server: &HostPort,
    port: u16,
    tls: &TlsDemand,
    recipients: &[Address],
) -> Result<Vec<Fate>, String> {
    let (name, addresses) = match &server.host {
        Host::Ip(ip) => {
            let text = if ip.is_ipv6() { format!("[IPv6:{ip}]") } else { format!("[{ip}]") };
            (Domain::parse(&text).map_err(|error| error.to_string())?, vec![*ip])
        }
        Host::Name(name) => match resolver.addresses(name).await {
            Ok(found) => (name.clone(), found.records),
            Err(DnsError::NoSuchName | DnsError::NoData) => return Err(format!("{name} has no address")),
            Err(DnsError::Temporary(_)) => return Err(format!("the address of {name} could not be looked up")),
        },
    };
    let mut last = "it has no address".to_owned();
    for ip in addresses {
        let address = SocketAddr::new(ip, server.port.unwrap_or(port));
        let peer = Peer { name: name.clone(), address, protocol: Protocol::Smtp, tls: tls.clone(), login: None };
        match open(transport, peer).await {
            Ok(mut session) => {
                let fates = session.ask(recipients).await;
                session.close().await;
                return Ok(fates);
            }
            Err(failure) => last = failure.to_string(),
        }
    }
    Err(last)
}

/// As mail to it is sent: in the clear where TLS is offered and fails, unless it is a must.
async fn open(transport: &dyn Transport, peer: Peer) -> Result<Box<dyn super::Session>, Failure> {
    match transport.open(&peer).await {
        Err(failure) if failure.stage == Stage::Tls && peer.tls == TlsDemand::IfOffered => {
            transport.open(&Peer { tls: TlsDemand::Never, ..peer }).await
        }
        outcome => outcome,
    }
}
