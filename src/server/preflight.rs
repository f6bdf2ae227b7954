//! What can be known to go wrong before the server starts: for `posthouse check`.

use crate::config::Config;
use crate::net::{Identity, TlsServer};

/// Everything that would keep the server from starting with this configuration, except ports that are taken.
pub fn preflight(config: &Config) -> Vec<String> {
    let mut findings = Vec::new();
    if !config.user.is_empty()
        && let Err(error) = Identity::lookup(&config.user)
    {
        findings.push(format!("user: {error}"));
    }
    let (certificate, key) = (&config.tls.certificate, &config.tls.key);
    // With neither there, a pair is made at the start.
    if (certificate.exists() || key.exists())
        && let Err(error) = TlsServer::load(certificate, key)
    {
        findings.push(format!("tls: {error}"));
    }
    findings
}
