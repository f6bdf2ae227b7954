//! TLS as a client that trusts the one certificate the test made, and as the server that shows it.

use posthouse::net::{TlsClient, TlsServer};
use posthouse::types::Domain;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, server};

pub const HOST: &str = "mail.example.org";

/// A server with a certificate of its own, made in the directory.
pub fn server(directory: &Path) -> TlsServer {
    let host = Domain::parse(HOST).unwrap();
    TlsServer::load_or_make(&directory.join("cert.pem"), &directory.join("key.pem"), directory, &host).unwrap().0
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

/// The other side of it: a server without a service of ours.
pub async fn accept(directory: &Path, stream: TcpStream) -> std::io::Result<server::TlsStream<TcpStream>> {
    let certificate = CertificateDer::from_pem_file(directory.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config)).accept(stream).await
}

/// A client of ours that trusts this certificate and no other.
pub fn trusting(directory: &Path) -> TlsClient {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join("cert.pem")).unwrap()).unwrap();
    TlsClient::with_roots(roots).unwrap()
}
