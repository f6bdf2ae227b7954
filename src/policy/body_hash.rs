//! The hash of a message's body as DKIM takes it (RFC 6376 section 3.7), over pieces.

use mail_auth::common::crypto::{HashContext, HashImpl, HashOutput, Sha256};
use mail_auth::common::headers::Writer;
use mail_auth::dkim::Canonicalization;
use mail_auth::dkim::canonicalize::BodyHasher;

/// A body being hashed.
pub struct BodyHash(BodyHasher<Counting>);

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    pub(super) sha256: Vec<u8>,
    /// In canonical form.
    pub(super) octets: u64,
}

impl BodyHash {
    /// The kind we sign with: blanks may change on the way.
    pub fn relaxed() -> Self {
        Self::new(Canonicalization::Relaxed)
    }

    pub(super) fn simple() -> Self {
        Self::new(Canonicalization::Simple)
    }

    fn new(canonicalization: Canonicalization) -> Self {
        // 0 is no limit: a hash over less than the whole body is of no use to anybody.
        Self(BodyHasher::new(Counting { hash: Sha256::hasher(), octets: 0 }, canonicalization, 0))
    }

    pub fn write(&mut self, piece: &[u8]) {
        self.0.write(piece);
    }

    pub fn finish(self) -> BodyDigest {
        let (counting, _) = self.0.finish();
        let octets = counting.octets;
        BodyDigest { sha256: counting.complete().as_ref().to_vec(), octets }
    }
}

/// Counts what is hashed, which is what a signature's l= counts.
struct Counting {
    hash: <Sha256 as HashImpl>::Context,
    octets: u64,
}

impl Writer for Counting {
    fn write(&mut self, piece: &[u8]) {
        self.octets += piece.len() as u64;
        self.hash.write(piece);
    }
}

impl HashContext for Counting {
    fn complete(self) -> HashOutput {
        self.hash.complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn digest(mut hash: BodyHash, pieces: &[&[u8]]) -> BodyDigest {
        pieces.iter().for_each(|piece| hash.write(piece));
        hash.finish()
    }

    #[test]
    fn bodies_hash_as_the_standard_says() {
        let check = |hash: BodyHash, body: &str, canonical: &str| {
            let expected = BodyDigest {
                sha256: <sha2::Sha256 as sha2::Digest>::digest(canonical).to_vec(),
                octets: canonical.len() as u64,
            };
            assert_eq!(digest(hash, &[body.as_bytes()]), expected, "{body:?}");
        };
        // RFC 6376 section 3.4.5.
        check(BodyHash::relaxed(), " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n");
        check(BodyHash::simple(), " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n");
        check(BodyHash::relaxed(), "", "");
        check(BodyHash::simple(), "", "\r\n");
        check(BodyHash::simple(), "x", "x\r\n");
        // RFC 6376 section 3.4.4 and section 3.4.3 give the hashes of nothing.
        let empty = STANDARD.decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").unwrap();
        assert_eq!(digest(BodyHash::relaxed(), &[]).sha256, empty);
        let empty = STANDARD.decode("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=").unwrap();
        assert_eq!(digest(BodyHash::simple(), &[]).sha256, empty);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn pieces_make_no_difference(body in "[a \t\r\n]{0,40}", cuts in prop::collection::vec(0usize..41, 0..4)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &body.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(digest(BodyHash::relaxed(), &pieces), digest(BodyHash::relaxed(), &[body.as_bytes()]));
            prop_assert_eq!(digest(BodyHash::simple(), &pieces), digest(BodyHash::simple(), &[body.as_bytes()]));
        }
    }
}
