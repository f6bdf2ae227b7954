//! What ties a SCRAM exchange to the TLS connection it runs in (RFC 5056), so that nobody can relay it.

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::fmt;

/// The label for the exporter of TLS (RFC 9266 section 2), with an empty context and [`TLS_EXPORTER_OCTETS`] of output.
pub const TLS_EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
pub const TLS_EXPORTER_OCTETS: usize = 32;

/// The bindings a connection has. Empty without TLS, or when TLS gives us none: then -PLUS is not offered.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ChannelBinding {
    exporter: Option<[u8; TLS_EXPORTER_OCTETS]>,
    server_end_point: Option<Box<[u8]>>,
}

impl ChannelBinding {
    pub const fn none() -> Self {
        Self { exporter: None, server_end_point: None }
    }

    /// `exporter` is what TLS exports under [`TLS_EXPORTER_LABEL`]; `certificate` the DER of the one the client was shown.
    ///
    /// RFC 9266 section 4.2 forbids the exporter on TLS 1.2 without the extended master secret: pass none there.
    pub fn new(exporter: Option<[u8; TLS_EXPORTER_OCTETS]>, certificate: Option<&[u8]>) -> Self {
        Self { exporter, server_end_point: certificate.and_then(server_end_point) }
    }

    pub fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.server_end_point.is_none()
    }

    /// By the name registered for it. `tls-unique` is absent on purpose: TLS 1.3 has no such value.
    pub(super) fn data(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_ref().map(<[u8; TLS_EXPORTER_OCTETS]>::as_slice),
            "tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }

    /// The strongest one with its name, as a client would choose.
    pub(super) fn preferred(&self) -> Option<(&'static str, &[u8])> {
        ["tls-exporter", "tls-server-end-point"].into_iter().find_map(|name| Some((name, self.data(name)?)))
    }

    #[cfg(test)]
    pub(super) fn for_tests(exporter: Option<[u8; TLS_EXPORTER_OCTETS]>, server_end_point: Option<&[u8]>) -> Self {
        Self { exporter, server_end_point: server_end_point.map(Into::into) }
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ChannelBinding")
            .field("exporter", &self.exporter.is_some())
            .field("server_end_point", &self.server_end_point.is_some())
            .finish()
    }
}

/// RFC 5929 section 4.1: the certificate under the hash of its own signature, SHA-256 where that is MD5 or SHA-1. Where
/// the signature has no single hash (Ed25519, RSA-PSS with its parameters elsewhere) the binding is undefined: none.
fn server_end_point(certificate: &[u8]) -> Option<Box<[u8]>> {
    let (certificate_sequence, _) = element(certificate, SEQUENCE)?;
    let (_, after_body) = element(certificate_sequence, SEQUENCE)?;
    let (algorithm, _) = element(after_body, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(match identifier {
        RSA_MD5 | RSA_SHA1 | RSA_SHA256 | ECDSA_SHA1 | ECDSA_SHA256 => Sha256::digest(certificate).as_slice().into(),
        RSA_SHA384 | ECDSA_SHA384 => Sha384::digest(certificate).as_slice().into(),
        RSA_SHA512 | ECDSA_SHA512 => Sha512::digest(certificate).as_slice().into(),
        _ => return None,
    })
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
// RFC 8017 appendix C: 1.2.840.113549.1.1.x
const RSA_MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 4];
const RSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 5];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 11];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 12];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 13];
// RFC 5758 section 3.2: 1.2.840.10045.4.x
const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 1];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 3];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 4];

/// One DER element of the given tag: its content, and what follows it.
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = octets.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        // A certificate fits a TLS record many times over; three octets of length are beyond any.
        let count = usize::from(length & 0x7f);
        if count == 0 || count > 3 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (digits.iter().fold(0, |value, digit| value << 8 | usize::from(*digit)), rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_end_point_hash_follows_the_certificates_signature() {
        let check = |algorithm: &'static rcgen::SignatureAlgorithm, octets: Option<usize>| {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                rcgen::CertificateParams::new(vec!["mail.example.org".to_owned()]).unwrap().self_signed(&key).unwrap();
            let binding = ChannelBinding::new(None, Some(certificate.der()));
            assert_eq!(binding.data("tls-server-end-point").map(<[u8]>::len), octets);
            if octets == Some(32) {
                assert_eq!(binding.data("tls-server-end-point"), Some(Sha256::digest(certificate.der()).as_slice()));
            }
            assert_eq!(binding.is_empty(), octets.is_none());
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, Some(32));
        check(&rcgen::PKCS_ECDSA_P384_SHA384, Some(48));
        check(&rcgen::PKCS_ED25519, None);
    }

    #[test]
    fn the_exporter_is_preferred() {
        let both = ChannelBinding::for_tests(Some([1; 32]), Some(b"hash"));
        assert_eq!(both.preferred(), Some(("tls-exporter", [1; 32].as_slice())));
        assert_eq!(both.data("tls-unique"), None);
        assert_eq!(ChannelBinding::none().preferred(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_certificate_makes_it_panic(octets in prop::collection::vec(any::<u8>(), 0..64), tag in any::<u8>()) {
            let _ = server_end_point(&octets);
            let _ = element(&octets, tag);
            let _ = server_end_point(&[&[SEQUENCE, 0x40, SEQUENCE, 0], octets.as_slice()].concat());
        }
    }
}
