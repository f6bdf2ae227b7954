//! What can be known to go wrong before the server starts, and from outside while it runs: for `posthouse check` and
//! `posthouse status`.

use super::resolver::resolver;
use crate::config::Config;
use crate::dns::{DnsError, Resolver};
use crate::net::{Identity, Origin, TlsServer, certificate_doubts};
use crate::types::Domain;
use crate::types::limits::{MX_CHECK_DOMAINS_MAX, MX_CHECK_SECONDS_MAX};
use std::net::IpAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// Everything that would keep the server from starting with this configuration, except ports that are taken.
pub fn preflight(config: &Config) -> Vec<String> {
    let mut findings = Vec::new();
    if !config.user.is_empty()
        && let Err(error) = Identity::lookup(&config.user)
    {
        findings.push(format!("user: {error}"));
    }
    if let Err(error) = TlsServer::check(&config.tls.certificate, &config.tls.key, &config.data) {
        findings.push(format!("[tls]: {error}"));
    }
    if let Err(error) = resolver(config) {
        findings.push(format!("[dns]: {error}"));
    }
    findings
}

/// What lets the server start, and mail programs complain.
pub fn doubts_about_tls(config: &Config) -> Vec<String> {
    let (certificate, key) = (&config.tls.certificate, &config.tls.key);
    match TlsServer::check(certificate, key, &config.data) {
        // Who has named none knows it.
        Ok(Origin::SelfSigned) if *certificate == config.data.join(Config::default().tls.certificate) => Vec::new(),
        Ok(Origin::SelfSigned) => vec![format!(
            "[tls]: neither {} nor {} is there: a self-signed pair is made at the start, of which mail programs warn",
            certificate.display(),
            key.display()
        )],
        Ok(Origin::Found) => certificate_doubts(certificate, &config.host()),
        Err(_) => Vec::new(),
    }
}

/// Domains whose mail does not come here, because their MX records lead elsewhere or are missing. What can't be found out
/// in a short time, as on a machine without a network, is not told.
pub async fn mx_elsewhere(config: &Config, domains: Vec<Domain>) -> Vec<String> {
    let Ok(resolver) = resolver(config) else { return Vec::new() };
    found_elsewhere(std::sync::Arc::new(resolver), &config.host(), domains).await
}

async fn found_elsewhere(
    resolver: std::sync::Arc<dyn Resolver>,
    host: &Domain,
    mut domains: Vec<Domain>,
) -> Vec<String> {
    // RFC 6761 section 6: these names mean nothing outside.
    let special = |domain: &Domain| {
        let top = domain.as_str().rsplit('.').next().unwrap_or_default();
        domain.is_literal() || ["test", "invalid", "localhost", "example", "local"].contains(&top)
    };
    domains.retain(|domain| !special(domain));
    domains.truncate(MX_CHECK_DOMAINS_MAX);
    let mut asking = JoinSet::new();
    for domain in domains {
        let (resolver, host) = (std::sync::Arc::clone(&resolver), host.clone());
        asking.spawn(async move { elsewhere(resolver.as_ref(), &host, &domain).await });
    }
    let mut findings = Vec::new();
    let all = async {
        while let Some(asked) = asking.join_next().await {
            findings.extend(asked.ok().flatten());
        }
    };
    // What was found by then counts.
    let _ = tokio::time::timeout(Duration::from_secs(MX_CHECK_SECONDS_MAX), all).await;
    findings.sort_unstable();
    findings
}

async fn elsewhere(resolver: &dyn Resolver, host: &Domain, domain: &Domain) -> Option<String> {
    let servers = match resolver.mx(domain).await {
        Ok(answer) => answer.records,
        Err(DnsError::NoSuchName) => return Some(format!("{domain} does not exist in DNS: no mail comes to it")),
        Err(DnsError::NoData) => {
            return Some(format!("{domain} has no MX record: let it point to {host}, or no mail comes here"));
        }
        Err(DnsError::Temporary(_)) => return None,
    };
    let names: Vec<&Domain> = servers.iter().filter_map(|server| server.exchange.as_ref()).collect();
    if names.contains(&host) {
        return None;
    }
    // Another name for the same machine will do.
    let ours = addresses(resolver, host).await?;
    let mut theirs = Vec::new();
    for name in &names {
        theirs.extend(addresses(resolver, name).await?);
    }
    if theirs.iter().any(|address| ours.contains(address)) {
        return None;
    }
    let where_to = match names.as_slice() {
        [] => "nowhere".to_owned(),
        names => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
    };
    Some(format!("the MX of {domain} points to {where_to}, not to {host}: its mail does not come here"))
}

/// None: nobody knows at the moment.
async fn addresses(resolver: &dyn Resolver, name: &Domain) -> Option<Vec<IpAddr>> {
    match resolver.addresses(name).await {
        Ok(answer) => Some(answer.records),
        Err(DnsError::Temporary(_)) => None,
        Err(DnsError::NoSuchName | DnsError::NoData) => Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::FakeResolver;
    use std::sync::Arc;

    #[tokio::test]
    async fn domains_whose_mail_goes_elsewhere_are_told() {
        let zone = "\
            here.org MX 10 mx.host.org\n\
            other-name.org MX 10 alias.host.org\n\
            elsewhere.org MX 10 mx.provider.net\n\
            nothing.org TXT \"x\"\n\
            closed.org MX 0 .\n\
            mx.host.org A 192.0.2.1\n\
            alias.host.org A 192.0.2.1\n\
            mx.provider.net A 192.0.2.9\n";
        let resolver = Arc::new(FakeResolver::new(zone).unwrap());
        let names =
            ["here.org", "other-name.org", "elsewhere.org", "nothing.org", "closed.org", "gone.org", "demo.test"];
        let domains = names.iter().map(|name| Domain::parse(name).unwrap()).collect();
        let found = found_elsewhere(resolver, &Domain::parse("mx.host.org").unwrap(), domains).await;
        let expected = [
            "gone.org does not exist in DNS: no mail comes to it",
            "nothing.org has no MX record: let it point to mx.host.org, or no mail comes here",
            "the MX of closed.org points to nowhere, not to mx.host.org: its mail does not come here",
            "the MX of elsewhere.org points to mx.provider.net, not to mx.host.org: its mail does not come here",
        ];
        assert_eq!(found, expected);
    }
}
