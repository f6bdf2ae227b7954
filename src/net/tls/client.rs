//! TLS as the client: towards servers that nobody vouches for, that the system's authorities vouch for, or that DNS does.

use super::super::transport::Transport;
use super::{TlsError, TlsFacts, facts};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme, WantsVerifier,
};
use sha2::{Digest, Sha256, Sha512};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio_rustls::{TlsConnector, TlsStream};

/// How the peer is made sure of. Cloning shares.
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

/// One line of what DNS says about a server's certificate (RFC 6698 section 2.1), as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

impl TlsClient {
    /// Encrypts towards whoever answers (RFC 7435): better than plain text, no help against an attacker in between.
    pub fn unverified() -> Result<Self, TlsError> {
        Self::with(Arc::new(Unverified(provider())))
    }

    /// The certificate must be good for the name by the system's authorities: for peers that get a password of ours, or
    /// whose policy asks for it.
    pub fn verified() -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        // Some stores hold certificates nobody can read any more; what is left decides.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            tracing::warn!("this machine has no certificate authorities: no server can prove to us who it is");
        }
        Self::with_roots(roots)
    }

    /// By these authorities alone; with none, no certificate is good.
    pub fn with_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Self::builder()?.with_root_certificates(roots).with_no_client_auth())))
    }

    /// By pins from signed DNS (RFC 7672). None: no pin is of a kind that counts for mail, so DNS vouches for nothing.
    pub fn pinned(pins: &[Pin]) -> Option<Result<Self, TlsError>> {
        let usable: Vec<Pin> = pins.iter().filter(|pin| is_usable(pin)).cloned().collect();
        (!usable.is_empty()).then(|| Self::with(Arc::new(Pinned { pins: usable, provider: provider() })))
    }

    fn with(verifier: Arc<dyn ServerCertVerifier>) -> Result<Self, TlsError> {
        let config = Self::builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError::Client(error.to_string()))
    }

    pub(in crate::net) async fn connect(
        &self,
        transport: Transport,
        name: ServerName<'static>,
    ) -> io::Result<(TlsStream<Transport>, TlsFacts)> {
        let stream = TlsConnector::from(Arc::clone(&self.0)).connect(name, transport).await?;
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(<[_]>::first).cloned();
        let certificate = certificate.ok_or(io::ErrorKind::InvalidData)?.into_owned();
        let facts = facts(session, certificate, None);
        Ok((stream.into(), facts))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// RFC 7672 section 3.1.3: only DANE-TA(2) and DANE-EE(3) count for mail, authorities of the web don't.
fn is_usable(pin: &Pin) -> bool {
    (2..=3).contains(&pin.usage) && pin.selector <= 1 && pin.matching <= 2
}

#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

/// What all verifiers share: the peer must have the key of the certificate it shows.
macro_rules! check_signatures {
    ($provider:ident) => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signature, &self.$provider().signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.$provider().signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.$provider().signature_verification_algorithms.supported_schemes()
        }
    };
}

impl Unverified {
    fn provider(&self) -> &CryptoProvider {
        &self.0
    }
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    check_signatures!(provider);
}

#[derive(Debug)]
struct Pinned {
    pins: Vec<Pin>,
    provider: Arc<CryptoProvider>,
}

/// The certificate matches none of the pins.
#[derive(Debug)]
struct NoPinMatches;

impl fmt::Display for NoPinMatches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the certificate is not the one that DNS names")
    }
}

impl std::error::Error for NoPinMatches {}

impl Pinned {
    fn provider(&self) -> &CryptoProvider {
        &self.provider
    }

    fn matches(&self, usage: u8, certificate: &CertificateDer<'_>) -> bool {
        self.pins.iter().any(|pin| pin.usage == usage && pin.fits(certificate))
    }
}

impl Pin {
    fn fits(&self, certificate: &CertificateDer<'_>) -> bool {
        let key;
        let selected: &[u8] = match self.selector {
            0 => certificate.as_ref(),
            _ => match ParsedCertificate::try_from(certificate) {
                Ok(parsed) => {
                    key = parsed.subject_public_key_info();
                    key.as_ref()
                }
                Err(_) => return false,
            },
        };
        match self.matching {
            0 => selected == self.data,
            1 => Sha256::digest(selected).as_slice() == self.data,
            _ => Sha512::digest(selected).as_slice() == self.data,
        }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // RFC 7672 section 3.1.1: names and dates in the certificate don't matter, DNS has said all that.
        if self.matches(3, certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        // RFC 7672 section 3.1.2: an authority of the server's own choice; from it down everything must be right.
        let mut roots = RootCertStore::empty();
        for authority in intermediates.iter().filter(|authority| self.matches(2, authority)) {
            // An unreadable one can't be an anchor; another may.
            let _ = roots.add(authority.clone().into_owned());
        }
        if roots.is_empty() {
            return Err(CertificateError::Other(OtherError(Arc::new(NoPinMatches))).into());
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    check_signatures!(provider);
}

#[cfg(test)]
mod tests {
    use super::super::tests::server_for;
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use tokio::net::UnixStream;

    /// A server with a leaf under an authority, and the two certificates.
    struct Chain {
        server: super::super::TlsServer,
        leaf: CertificateDer<'static>,
        authority: CertificateDer<'static>,
        _directory: tempfile::TempDir,
    }

    fn chain(name: &str) -> Chain {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&key).unwrap();
        let issuer = Issuer::new(parameters, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
        let pem = format!("{}{}", leaf.pem(), authority.pem());
        let (server, directory) = server_for(&pem, &leaf_key.serialize_pem());
        Chain { server, leaf: leaf.der().clone(), authority: authority.der().clone(), _directory: directory }
    }

    async fn connects(chain: &Chain, client: &TlsClient) -> bool {
        let (left, right) = UnixStream::pair().unwrap();
        let name = ServerName::try_from("mx.example.org").unwrap();
        let (_, connected) =
            tokio::join!(chain.server.accept(Transport::Unix(left)), client.connect(Transport::Unix(right), name));
        connected.is_ok()
    }

    fn pin(usage: u8, selector: u8, matching: u8, certificate: &CertificateDer<'_>) -> Pin {
        let selected = match selector {
            0 => certificate.to_vec(),
            _ => ParsedCertificate::try_from(certificate).unwrap().subject_public_key_info().to_vec(),
        };
        let data = match matching {
            0 => selected,
            1 => Sha256::digest(selected).to_vec(),
            _ => Sha512::digest(selected).to_vec(),
        };
        Pin { usage, selector, matching, data }
    }

    #[tokio::test]
    async fn pins_decide() {
        let chain = chain("mx.example.org");
        let check = async |pins: &[Pin], expected: bool| {
            let client = TlsClient::pinned(pins).unwrap().unwrap();
            assert_eq!(connects(&chain, &client).await, expected, "{pins:?}");
        };
        for selector in 0..=1 {
            for matching in 0..=2 {
                check(&[pin(3, selector, matching, &chain.leaf)], true).await;
                check(&[pin(2, selector, matching, &chain.authority)], true).await;
                check(&[pin(3, selector, matching, &chain.authority)], false).await;
                check(&[pin(2, selector, matching, &chain.leaf)], false).await;
            }
        }
        let mut other = pin(3, 1, 1, &chain.leaf);
        other.data[0] ^= 1;
        check(&[other.clone()], false).await;
        check(&[other, pin(3, 1, 1, &chain.leaf)], true).await;
        // A kind that is of the web, unknown, or unreadable vouches for nothing.
        assert!(TlsClient::pinned(&[pin(0, 1, 1, &chain.leaf), pin(1, 1, 1, &chain.leaf)]).is_none());
        assert!(TlsClient::pinned(&[Pin { matching: 3, ..pin(3, 1, 1, &chain.leaf) }]).is_none());
        assert!(TlsClient::pinned(&[]).is_none());
    }

    #[tokio::test]
    async fn names_matter_below_an_authority_and_not_for_the_server_itself() {
        let chain = chain("other.example.org");
        let pinned = |pin: Pin| TlsClient::pinned(&[pin]).unwrap().unwrap();
        assert!(connects(&chain, &pinned(pin(3, 1, 1, &chain.leaf))).await);
        assert!(!connects(&chain, &pinned(pin(2, 0, 1, &chain.authority))).await);
    }

    #[tokio::test]
    async fn authorities_decide_where_a_name_must_be_proven() {
        let chain = chain("mx.example.org");
        assert!(connects(&chain, &TlsClient::unverified().unwrap()).await);
        // A machine without any authorities gets an error instead of a client that trusts nobody.
        if let Ok(client) = TlsClient::verified() {
            assert!(!connects(&chain, &client).await, "no system trusts this authority");
        }
        let mut roots = RootCertStore::empty();
        roots.add(chain.authority.clone()).unwrap();
        assert!(connects(&chain, &TlsClient::with_roots(roots).unwrap()).await);
    }
}
