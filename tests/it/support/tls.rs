//! TLS as a client that trusts the one certificate the test made.

use posthouse::net::TlsServer;
use posthouse::types::Domain;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const HOST: &str = "mail.example.org";

/// A server with a certificate of its own, made in the directory.
pub fn server(directory: &Path) -> TlsServer {
    let host = Domain::parse(HOST).unwrap();
    TlsServer::load_or_make(&directory.join("cert.pem"), &directory.join("key.pem"), &host).unwrap().0
}

/// Shakes hands with it.
pub async fn connect(directory: &Path, stream: TcpStream) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join("cert.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await.unwrap()
}
