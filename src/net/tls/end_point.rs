//! `tls-server-end-point`: the certificate's hash, with the hash function of its own signature (RFC 5929 section 4.1).
//!
//! Reads just as much DER as that takes: a certificate is a sequence of what is signed, the algorithm, the signature.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// None for signatures that have no hash function of their own (Ed25519): the binding is undefined for them.
pub(super) fn hash(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let octets = certificate.as_ref();
    Some(match signature_hash(octets)? {
        Hash::Sha224 => Sha224::digest(octets).to_vec(),
        Hash::Sha256 => Sha256::digest(octets).to_vec(),
        Hash::Sha384 => Sha384::digest(octets).to_vec(),
        Hash::Sha512 => Sha512::digest(octets).to_vec(),
    })
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The hash algorithm among the parameters of RSASSA-PSS (RFC 4055 section 3.1).
const EXPLICIT_0: u8 = 0xa0;

/// Signature algorithms that name their hash, as the octets of their object identifiers. MD5 and SHA-1 count as SHA-256
/// (RFC 5929 section 4.1).
const SIGNATURES: &[(&[u8], Hash)] = &[
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", Hash::Sha256), // md5WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", Hash::Sha256), // sha1WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", Hash::Sha224), // sha224WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Hash::Sha256), // sha256WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", Hash::Sha384), // sha384WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", Hash::Sha512), // sha512WithRSAEncryption
    (b"\x2a\x86\x48\xce\x3d\x04\x01", Hash::Sha256),         // ecdsa-with-SHA1
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x01", Hash::Sha224),     // ecdsa-with-SHA224
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", Hash::Sha256),     // ecdsa-with-SHA256
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", Hash::Sha384),     // ecdsa-with-SHA384
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", Hash::Sha512),     // ecdsa-with-SHA512
];
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
const HASHES: &[(&[u8], Hash)] = &[
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x04", Hash::Sha224),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", Hash::Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", Hash::Sha384),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", Hash::Sha512),
];

fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (whole, _) = element(SEQUENCE, certificate)?;
    let (_, after_signed) = element(SEQUENCE, whole)?;
    let (algorithm, _) = element(SEQUENCE, after_signed)?;
    let (identifier, parameters) = element(OBJECT_IDENTIFIER, algorithm)?;
    if identifier != RSASSA_PSS {
        return find(SIGNATURES, identifier);
    }
    let (parameters, _) = element(SEQUENCE, parameters)?;
    let Some((explicit, _)) = element(EXPLICIT_0, parameters) else {
        // Left out, it is SHA-1, which counts as SHA-256.
        return Some(Hash::Sha256);
    };
    let (algorithm, _) = element(SEQUENCE, explicit)?;
    let (identifier, _) = element(OBJECT_IDENTIFIER, algorithm)?;
    find(HASHES, identifier)
}

fn find(table: &[(&[u8], Hash)], identifier: &[u8]) -> Option<Hash> {
    table.iter().find(|(known, _)| *known == identifier).map(|(_, hash)| *hash)
}

/// The content of the element that `octets` begin with, if it has this tag, and what stands behind it.
fn element(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = octets.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        // Up to four octets of length; certificates are not larger, and it can't overflow.
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if *first == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn the_hash_follows_the_signature() {
        let check = |algorithm, expected: Option<Hash>| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let certificate = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
            assert_eq!(signature_hash(certificate.der()), expected, "{algorithm:?}");
            let octets = hash(certificate.der()).map(|hash| hash.len());
            let lengths = expected.map(|hash| match hash {
                Hash::Sha224 => 28,
                Hash::Sha256 => 32,
                Hash::Sha384 => 48,
                Hash::Sha512 => 64,
            });
            assert_eq!(octets, lengths);
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, Some(Hash::Sha256));
        check(&rcgen::PKCS_ECDSA_P384_SHA384, Some(Hash::Sha384));
        check(&rcgen::PKCS_ED25519, None);
    }

    #[test]
    fn pss_names_its_hash_in_the_parameters() {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let certificate = |parameters: &[u8]| {
            let algorithm = [wrap(OBJECT_IDENTIFIER, RSASSA_PSS), wrap(SEQUENCE, parameters)].concat();
            wrap(SEQUENCE, &[wrap(SEQUENCE, b""), wrap(SEQUENCE, &algorithm)].concat())
        };
        let named = wrap(EXPLICIT_0, &wrap(SEQUENCE, &wrap(OBJECT_IDENTIFIER, HASHES[3].0)));
        assert_eq!(signature_hash(&certificate(&named)), Some(Hash::Sha512));
        assert_eq!(signature_hash(&certificate(b"")), Some(Hash::Sha256));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn no_input_makes_it_panic(octets in proptest::collection::vec(proptest::sample::select(&[0x30_u8, 0x06, 0x02, 0x00, 0x84, 0xff, 0xa0][..]), 0..40)) {
            let _ = signature_hash(&octets);
        }
    }
}
