//! The real resolver: hickory, asking the configured servers or the system's.
//!
//! Two resolvers stand behind it. The plain one is always right to ask; the validating one only behind servers that pass
//! signatures on, because behind others it would refuse the whole Internet. Whether they do is found out by asking them
//! for the root's own keys.

use super::Resolver;
use super::answer::{Answer, Asked, DnsError, Mx, Srv, Tlsa, Trust};
use crate::types::Domain;
use crate::types::limits::{DNS_RECORDS_MAX, DNS_VALIDATION_RECHECK_SECONDS};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as HickoryDnsError, NetError};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub struct SystemResolverOptions {
    /// None: the system's.
    pub servers: Vec<SocketAddr>,
    pub timeout: Duration,
    pub attempts: usize,
    pub cache_entries_max: u64,
    /// Check DNSSEC, if the servers let us.
    pub validate: bool,
    /// DNSKEY records to trust in the place of the root's.
    pub trust_anchors: Option<PathBuf>,
}

pub struct SystemResolver {
    plain: TokioResolver,
    validating: Option<Validating>,
}

struct Validating {
    resolver: TokioResolver,
    /// What the servers can do, and when we asked.
    known: Mutex<Option<(Capability, Instant)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capability {
    Signatures,
    None,
}

impl SystemResolver {
    pub fn new(options: &SystemResolverOptions) -> Result<Self, DnsError> {
        let plain = build(options, Validate::No)?;
        let validating = match options.validate {
            true => Some(Validating { resolver: build(options, Validate::Yes)?, known: Mutex::new(None) }),
            false => None,
        };
        Ok(Self { plain, validating })
    }

    /// For mail-auth; it sees unvalidated answers, as SPF, DKIM and DMARC need no others.
    pub fn hickory(&self) -> &TokioResolver {
        &self.plain
    }

    async fn ask(&self, name: Name, kind: RecordType) -> Result<Lookup, DnsError> {
        self.plain.lookup(name, kind).await.map_err(failure)
    }

    /// Through the validating resolver where that is possible: then wrong signatures are no answer.
    async fn ask_validated(&self, name: Name, kind: RecordType) -> Result<Lookup, DnsError> {
        match &self.validating {
            Some(validating) if validating.capability().await == Capability::Signatures => {
                validating.resolver.lookup(name, kind).await.map_err(failure)
            }
            _ => self.ask(name, kind).await,
        }
    }
}

impl Validating {
    async fn capability(&self) -> Capability {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((capability, since)) = known
            && (capability == Capability::Signatures || since.elapsed().as_secs() < DNS_VALIDATION_RECHECK_SECONDS)
        {
            return capability;
        }
        let capability = match self.resolver.lookup(Name::root(), RecordType::DNSKEY).await {
            Ok(lookup) if trust(&lookup) == Trust::Secure => Capability::Signatures,
            _ => Capability::None,
        };
        if capability == Capability::None && known.is_none() {
            tracing::info!("the DNS servers pass no signatures on: DNSSEC and DANE are out of use");
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((capability, Instant::now()));
        capability
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Validate {
    Yes,
    No,
}

fn build(options: &SystemResolverOptions, validate: Validate) -> Result<TokioResolver, DnsError> {
    let broken = |error: NetError| DnsError::Temporary(error.to_string());
    let (config, mut settings) = if options.servers.is_empty() {
        let (mut config, settings) = read_system_conf().map_err(broken)?;
        // Mail's names are always whole: a search list would send mail for a mistyped domain to a neighbour.
        (config.domain, config.search) = (None, Vec::new());
        (config, settings)
    } else {
        let servers = options.servers.iter().map(|server| name_server(*server)).collect();
        (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
    };
    settings.timeout = options.timeout;
    settings.attempts = options.attempts;
    settings.cache_size = options.cache_entries_max;
    settings.validate = validate == Validate::Yes;
    // Some firewalls drop large UDP answers without a word; TCP gets through.
    settings.try_tcp_on_error = true;
    // No server is asked over TLS; by itself the library reads the system's authorities, and fails where there are none.
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DnsError::Temporary(error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(settings)
        .with_tls_config(tls);
    match options.trust_anchors.as_deref().filter(|_| validate == Validate::Yes) {
        None => builder.build().map_err(broken),
        Some(path) => {
            let unusable = |why: &dyn std::fmt::Display| DnsError::Temporary(format!("{}: {why}", path.display()));
            let anchors = TrustAnchors::from_file(path).map_err(|error| unusable(&error))?;
            // Nothing could be proved with none, and that it is so would only show as mail that is less safe.
            if anchors.is_empty() {
                return Err(unusable(&"there is no DNSKEY record in it"));
            }
            builder.with_trust_anchor(Arc::new(anchors)).build().map_err(broken)
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

fn failure(error: NetError) -> DnsError {
    match error {
        NetError::Dns(HickoryDnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => DnsError::NoSuchName,
            ResponseCode::NoError => DnsError::NoData,
            other => DnsError::Temporary(other.to_string()),
        },
        NetError::Dns(HickoryDnsError::Nsec { response, proof, .. }) if proof.is_secure() || proof.is_insecure() => {
            match response.response_code {
                ResponseCode::NXDomain => DnsError::NoSuchName,
                _ => DnsError::NoData,
            }
        }
        other => DnsError::Temporary(other.to_string()),
    }
}

/// One unsigned link makes the whole chain of aliases unsigned.
fn trust(lookup: &Lookup) -> Trust {
    let answers = lookup.answers();
    if !answers.is_empty() && answers.iter().all(|record| record.proof.is_secure()) {
        Trust::Secure
    } else {
        Trust::Insecure
    }
}

fn records<T>(lookup: &Lookup, pick: impl Fn(&RData) -> Option<T>) -> Result<Answer<T>, DnsError> {
    let records: Vec<T> =
        lookup.answers().iter().filter_map(|record| pick(&record.data)).take(DNS_RECORDS_MAX).collect();
    if records.is_empty() { Err(DnsError::NoData) } else { Ok(Answer { records, trust: trust(lookup) }) }
}

fn absolute(name: &Domain) -> Result<Name, DnsError> {
    // An address literal is no name; there is nothing to wait for.
    let ascii = Some(name).filter(|name| !name.is_literal()).map(|name| format!("{name}."));
    ascii.and_then(|text| Name::from_ascii(text).ok()).ok_or(DnsError::NoSuchName)
}

/// The outer none: a name that can be no host. The inner one: the root, which stands for "none".
fn host(name: &Name) -> Option<Option<Domain>> {
    if name.is_root() {
        return Some(None);
    }
    Domain::parse(&name.to_ascii()).ok().map(Some)
}

impl Resolver for SystemResolver {
    fn mx<'a>(&'a self, name: &'a Domain) -> Asked<'a, Mx> {
        Box::pin(async move {
            let lookup = self.ask_validated(absolute(name)?, RecordType::MX).await?;
            let mut answer = records(&lookup, |data| match data {
                RData::MX(mx) => Some(Mx { preference: mx.preference, exchange: host(&mx.exchange)? }),
                _ => None,
            })?;
            answer.records.sort();
            Ok(answer)
        })
    }

    fn addresses<'a>(&'a self, name: &'a Domain) -> Asked<'a, IpAddr> {
        Box::pin(async move {
            let name = absolute(name)?;
            let (v6, v4) = tokio::join!(
                self.ask_validated(name.clone(), RecordType::AAAA),
                self.ask_validated(name, RecordType::A)
            );
            let v6 = v6.and_then(|lookup| {
                records(&lookup, |data| match data {
                    RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                    _ => None,
                })
            });
            let v4 = v4.and_then(|lookup| {
                records(&lookup, |data| match data {
                    RData::A(address) => Some(IpAddr::V4(address.0)),
                    _ => None,
                })
            });
            both_families(v6, v4)
        })
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> Asked<'a, String> {
        Box::pin(async move {
            let lookup = self.ask(absolute(name)?, RecordType::TXT).await?;
            records(&lookup, |data| match data {
                RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
                _ => None,
            })
        })
    }

    fn ptr(&self, address: IpAddr) -> Asked<'_, Domain> {
        Box::pin(async move {
            let lookup = self.ask(Name::from(address.to_canonical()), RecordType::PTR).await?;
            records(&lookup, |data| match data {
                RData::PTR(name) => host(name)?,
                _ => None,
            })
        })
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> Asked<'a, Tlsa> {
        Box::pin(async move {
            let lookup = self.ask_validated(absolute(name)?, RecordType::TLSA).await?;
            records(&lookup, |data| match data {
                RData::TLSA(tlsa) => Some(Tlsa {
                    usage: tlsa.cert_usage.into(),
                    selector: tlsa.selector.into(),
                    matching: tlsa.matching.into(),
                    data: tlsa.cert_data.clone(),
                }),
                _ => None,
            })
        })
    }

    fn srv<'a>(&'a self, name: &'a Domain) -> Asked<'a, Srv> {
        Box::pin(async move {
            let lookup = self.ask(absolute(name)?, RecordType::SRV).await?;
            let mut answer = records(&lookup, |data| match data {
                RData::SRV(srv) => {
                    Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: host(&srv.target)? })
                }
                _ => None,
            })?;
            answer.records.sort();
            Ok(answer)
        })
    }

    fn cname<'a>(&'a self, name: &'a Domain) -> Asked<'a, Domain> {
        Box::pin(async move {
            let lookup = self.ask(absolute(name)?, RecordType::CNAME).await?;
            records(&lookup, |data| match data {
                RData::CNAME(name) => host(name)?,
                _ => None,
            })
        })
    }
}

/// A family without addresses is no failure when the other has some; one that gave no answer is, when the other has none.
pub(super) fn both_families(
    v6: Result<Answer<IpAddr>, DnsError>,
    v4: Result<Answer<IpAddr>, DnsError>,
) -> Result<Answer<IpAddr>, DnsError> {
    match (v6, v4) {
        (Ok(mut v6), Ok(v4)) => {
            v6.records.extend(v4.records);
            let trust = if v4.trust == Trust::Secure { v6.trust } else { Trust::Insecure };
            Ok(Answer { records: v6.records, trust })
        }
        (Ok(answer), Err(_)) | (Err(_), Ok(answer)) => Ok(answer),
        (Err(temporary @ DnsError::Temporary(_)), Err(_)) | (Err(_), Err(temporary @ DnsError::Temporary(_))) => {
            Err(temporary)
        }
        (Err(DnsError::NoSuchName), Err(DnsError::NoSuchName)) => Err(DnsError::NoSuchName),
        _ => Err(DnsError::NoData),
    }
}
