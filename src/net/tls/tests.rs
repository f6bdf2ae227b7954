use super::super::transport::Transport;
use super::*;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tokio::net::UnixStream;

/// Takes any certificate and any signature: these tests are about the server.
#[derive(Debug)]
pub(in crate::net) struct TakeAny;

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub(in crate::net) fn client(versions: &[&'static rustls::SupportedProtocolVersion]) -> tokio_rustls::TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakeAny))
        .with_no_client_auth();
    Arc::new(config).into()
}

pub(in crate::net) fn server(directory: &Path) -> TlsServer {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let host = Domain::parse("mail.example.org").unwrap();
    TlsServer::load_or_make(&certificate, &key, directory, &host).unwrap().0
}

pub(super) fn server_for(certificate_pem: &str, key_pem: &str) -> (TlsServer, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    fs::write(&certificate, certificate_pem).unwrap();
    fs::write(&key, key_pem).unwrap();
    (TlsServer::load(&certificate, &key).unwrap(), directory)
}

/// What the client saw (certificate, exporter) and what the server made of it.
async fn handshake(
    server: &TlsServer,
    version: &'static rustls::SupportedProtocolVersion,
) -> (Vec<u8>, Option<[u8; 32]>, TlsFacts) {
    let (left, right) = UnixStream::pair().unwrap();
    let name = ServerName::try_from("mail.example.org").unwrap();
    let (accepted, connected) =
        tokio::join!(server.accept(Transport::Unix(left)), client(&[version]).connect(name, right));
    let (connected, facts) = (connected.unwrap(), accepted.unwrap().1);
    let session = connected.get_ref().1;
    let certificate = session.peer_certificates().unwrap()[0].to_vec();
    let exporter = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok();
    (certificate, exporter, facts)
}

#[tokio::test]
async fn the_first_start_makes_a_pair_and_the_second_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let host = Domain::parse("mail.example.org").unwrap();
    let (server, origin) = TlsServer::load_or_make(&certificate, &key, directory.path(), &host).unwrap();
    assert_eq!(origin, Origin::SelfSigned);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file stays");
    let made = fs::read(&key).unwrap();
    assert_eq!(TlsServer::load_or_make(&certificate, &key, directory.path(), &host).unwrap().1, Origin::Found);
    assert_eq!(fs::read(&key).unwrap(), made);

    let (seen, _, _) = handshake(&server, &rustls::version::TLS13).await;
    let seen = CertificateDer::from(seen);
    let parsed = rustls::server::ParsedCertificate::try_from(&seen).unwrap();
    for name in ["mail.example.org", "localhost"] {
        rustls::client::verify_server_name(&parsed, &ServerName::try_from(name).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn bindings_are_what_the_client_sees() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    let (certificate, exporter, facts) = handshake(&server, &rustls::version::TLS13).await;
    assert_eq!(facts.version, "TLS1.3");
    assert_eq!(facts.server_name.as_deref(), Some("mail.example.org"));
    assert!(facts.cipher.starts_with("TLS_"), "{}", facts.cipher);
    assert!(exporter.is_some());
    assert_eq!(facts.exporter, exporter);
    assert_eq!(facts.certificate.as_ref(), certificate);

    let (_, _, facts) = handshake(&server, &rustls::version::TLS12).await;
    assert_eq!(facts.version, "TLS1.2");
    assert!(facts.exporter.is_none());
    assert_eq!(facts.certificate.as_ref(), certificate);
}

#[tokio::test]
async fn a_broken_reload_keeps_the_old_pair_and_a_good_one_replaces_it() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let server = server(directory.path());
    let shared = server.clone();
    let (before, _, _) = handshake(&shared, &rustls::version::TLS13).await;
    let _ = self::server(other.path());

    fs::copy(other.path().join("cert.pem"), &certificate).unwrap();
    assert!(matches!(server.reload(&certificate, &key), Err(TlsError::Unusable(..))), "certificate of another key");
    fs::write(&certificate, "no certificate").unwrap();
    assert!(matches!(server.reload(&certificate, &key), Err(TlsError::Empty(_))));
    fs::remove_file(&certificate).unwrap();
    assert!(matches!(server.reload(&certificate, &key), Err(TlsError::File(..))));
    assert_eq!(handshake(&shared, &rustls::version::TLS13).await.0, before);

    server.reload(&other.path().join("cert.pem"), &other.path().join("key.pem")).unwrap();
    assert_ne!(handshake(&shared, &rustls::version::TLS13).await.0, before);
}

#[test]
fn half_a_pair_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    fs::write(&key, "precious").unwrap();
    let host = Domain::parse("mail.example.org").unwrap();
    let error = TlsServer::load_or_make(&certificate, &key, directory.path(), &host).err().unwrap();
    assert!(matches!(error, TlsError::Half { .. }), "{error}");
    assert_eq!(fs::read_to_string(&key).unwrap(), "precious");
    assert!(!certificate.exists());
    // Where nothing is they belong to somebody else.
    let elsewhere = directory.path().join("live/mail.example.org");
    let (certificate, key) = (elsewhere.join("fullchain.pem"), elsewhere.join("privkey.pem"));
    let error = TlsServer::load_or_make(&certificate, &key, Path::new("data"), &host).err().unwrap();
    assert!(matches!(error, TlsError::Absent { .. }), "{error}");
    assert!(!elsewhere.exists());
}
