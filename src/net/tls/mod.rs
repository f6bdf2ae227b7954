//! TLS. As the server: one certificate for all services (clients are told one name) out of PEM files, made on first start
//! when there are none, replaced while running. As the client: see `client`.
//!
//! What is not here: ACME, certificates of clients.

mod client;
mod doubts;
mod files;

pub use client::{Pin, TlsClient};
pub use doubts::doubts as certificate_doubts;
pub use files::Origin;

use super::transport::Transport;
use crate::types::{Domain, WholeFileError};
use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ConnectionCommon, ProtocolVersion, ServerConfig};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsStream};

#[derive(Debug)]
pub enum TlsError {
    /// The file can't be read or written.
    File(PathBuf, io::Error),
    /// A new one could not be put in its place.
    Unwritten(WholeFileError),
    /// The file holds no certificate or no private key in PEM.
    Empty(PathBuf),
    /// One of the pair is there and the other is not; making a new pair would destroy somebody's key.
    Half {
        present: PathBuf,
        missing: PathBuf,
    },
    /// Neither is there, nor the directory for them.
    Absent {
        certificate: PathBuf,
        key: PathBuf,
    },
    /// Certificate and key are unusable together.
    Unusable(PathBuf, rustls::Error),
    SelfSigned(rcgen::Error),
    /// Our own side of outgoing connections could not be set up.
    Client(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, error) => write!(formatter, "{}: {error}", file.display()),
            Self::Unwritten(error) => write!(formatter, "{error}"),
            Self::Empty(file) => write!(formatter, "{}: nothing usable in PEM form is in it", file.display()),
            Self::Half { present, missing } => write!(
                formatter,
                "{} is there and {} is not: bring the missing one, or remove the other to have a new pair made",
                present.display(),
                missing.display()
            ),
            Self::Absent { certificate, key } => write!(
                formatter,
                "neither {} nor {} is there: name files that are, or leave both keys out to have a self-signed pair made \
                 in the data directory",
                certificate.display(),
                key.display()
            ),
            Self::Unusable(file, rustls::Error::InconsistentKeys(_)) => {
                write!(formatter, "{}: its key is another one than that in the file of the key", file.display())
            }
            Self::Unusable(file, error) => write!(formatter, "{}: not usable with its key: {error}", file.display()),
            Self::Client(error) => write!(formatter, "TLS towards other servers can't be set up: {error}"),
            Self::SelfSigned(error) => write!(formatter, "a self-signed certificate could not be made: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Cloning shares: a reload reaches every listener.
#[derive(Clone)]
pub struct TlsServer(Arc<ArcSwap<Loaded>>);

struct Loaded {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

/// What a session may want to know of its protection.
#[derive(Clone)]
pub struct TlsFacts {
    /// As `Received` names it: `TLS1.3`.
    pub version: &'static str,
    pub cipher: String,
    /// The name the client asked for; none on our side of outgoing connections.
    pub server_name: Option<String>,
    /// What an authentication can be tied to (RFC 9266); with TLS 1.3 only.
    pub exporter: Option<[u8; 32]>,
    /// The one the server showed.
    pub certificate: CertificateDer<'static>,
}

impl TlsServer {
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(load(certificate, key)?))))
    }

    /// Makes a self-signed pair when neither file is there, and their directories are or are `data`.
    pub fn load_or_make(
        certificate: &Path,
        key: &Path,
        data: &Path,
        host: &Domain,
    ) -> Result<(Self, Origin), TlsError> {
        let origin = files::make_if_missing(certificate, key, data, host)?;
        Ok((Self::load(certificate, key)?, origin))
    }

    /// Whether [`Self::load_or_make`] would get on.
    pub fn check(certificate: &Path, key: &Path, data: &Path) -> Result<Origin, TlsError> {
        let origin = files::origin(certificate, key, data)?;
        if origin == Origin::Found {
            load(certificate, key)?;
        }
        Ok(origin)
    }

    /// Sessions from now on get what the files hold now; when that can't be used, they get what they got before, and the
    /// error says why.
    pub fn reload(&self, certificate: &Path, key: &Path) -> Result<(), TlsError> {
        self.0.store(Arc::new(load(certificate, key)?));
        Ok(())
    }

    pub(super) async fn accept(&self, transport: Transport) -> io::Result<(TlsStream<Transport>, TlsFacts)> {
        let loaded = self.0.load_full();
        let stream = TlsAcceptor::from(Arc::clone(&loaded.config)).accept(transport).await?;
        let session = stream.get_ref().1;
        let facts = facts(session, loaded.certificate.clone(), session.server_name().map(str::to_owned));
        Ok((stream.into(), facts))
    }
}

fn load(certificate: &Path, key: &Path) -> Result<Loaded, TlsError> {
    let chain = files::read_certificates(certificate)?;
    let private = files::read_key(key)?;
    let first = chain.first().cloned().ok_or_else(|| TlsError::Empty(certificate.to_owned()))?;
    Ok(Loaded { config: Arc::new(server_config(certificate, chain, private)?), certificate: first })
}

fn server_config(
    file: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let unusable = |error| TlsError::Unusable(file.to_owned(), error);
    // RFC 8996: nothing below TLS 1.2. The provider is named here, so that no default installed elsewhere changes it.
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    // Tickets instead of a session cache: phones reconnect all day, and this costs us no memory for them.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
    Ok(config)
}

/// Of either side of a session.
fn facts<D>(
    session: &ConnectionCommon<D>,
    certificate: CertificateDer<'static>,
    server_name: Option<String>,
) -> TlsFacts {
    let is_tls13 = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    // RFC 9266 section 4.2: with TLS 1.2 it is safe only with the extended master secret, and rustls does not say whether
    // that was agreed.
    let exporter = is_tls13
        .then(|| session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok())
        .flatten();
    let suite = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    TlsFacts {
        version: if is_tls13 { "TLS1.3" } else { "TLS1.2" },
        cipher: suite.unwrap_or_default().replace("TLS13_", "TLS_"),
        server_name,
        exporter,
        certificate,
    }
}

#[cfg(test)]
pub(super) mod tests;
