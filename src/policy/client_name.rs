//! The name of a client's address, if DNS has it both ways.

use crate::dns::Resolver;
use crate::types::Domain;
use crate::types::limits::{CLIENT_NAME_SECONDS_MAX, CLIENT_NAMES_TRIED_MAX};
use std::net::IpAddr;
use std::time::Duration;

/// RFC 8601 section 3: a name counts if it leads back to the address; anybody can claim any name for his own. Nobody is
/// refused for having none, and nobody waits long for it.
pub async fn confirmed_name(resolver: &dyn Resolver, address: IpAddr) -> Option<Domain> {
    let address = address.to_canonical();
    let patience = Duration::from_secs(CLIENT_NAME_SECONDS_MAX);
    tokio::time::timeout(patience, look_up(resolver, address)).await.ok()?
}

async fn look_up(resolver: &dyn Resolver, address: IpAddr) -> Option<Domain> {
    let names = resolver.ptr(address).await.ok()?;
    for name in names.records.into_iter().take(CLIENT_NAMES_TRIED_MAX) {
        let leads_back = resolver.addresses(&name).await.is_ok_and(|answer| answer.records.contains(&address));
        if leads_back {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::FakeResolver;

    #[tokio::test]
    async fn only_names_that_lead_back_count() {
        let zone = "
            192.0.2.1            PTR  liar.example
            192.0.2.1            PTR  mail.example
            192.0.2.2            PTR  mail.example
            192.0.2.3            PTR  broken.example
            2001:db8::1          PTR  mail.example
            mail.example         A    192.0.2.1
            mail.example         AAAA 2001:db8::1
            liar.example         A    198.51.100.1
            broken.example       FAIL
        ";
        let zone = FakeResolver::new(zone).unwrap();
        let check = async |address: &str, expected: Option<&str>| {
            let found = confirmed_name(&zone, address.parse().unwrap()).await;
            assert_eq!(found.as_ref().map(Domain::as_str), expected, "{address}");
        };
        check("192.0.2.1", Some("mail.example")).await;
        check("::ffff:192.0.2.1", Some("mail.example")).await;
        check("2001:db8::1", Some("mail.example")).await;
        check("192.0.2.2", None).await;
        check("192.0.2.3", None).await;
        check("192.0.2.4", None).await;
    }
}
