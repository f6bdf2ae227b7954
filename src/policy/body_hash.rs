//! The hash of a message's body as DKIM takes it (RFC 6376 section 3.7), over pieces.
//!
//! mail-auth has one too, which counts lines of nothing but blanks at the end of a body, where RFC 6376 section 3.4.4 leaves
//! them out; so the canonical forms are made here.

use mail_auth::common::crypto::{HashContext, HashImpl, Sha256};
use mail_auth::common::headers::Writer;

/// A body being hashed.
pub struct BodyHash {
    blanks: Blanks,
    hash: <Sha256 as HashImpl>::Context,
    octets: u64,
    /// In canonical form, not yet hashed.
    ready: Vec<u8>,
    /// Line ends that count if something follows them.
    line_ends: u64,
    /// A blank that counts if something follows it in its line.
    blank: bool,
    /// The last octet was CR: with LF behind it, it is a line end.
    carriage_return: bool,
}

/// What becomes of blanks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blanks {
    /// RFC 6376 section 3.4.4: one where there are some, none at the end of a line.
    Relaxed,
    /// RFC 6376 section 3.4.3: they stay.
    Simple,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    pub(super) sha256: Vec<u8>,
    /// In canonical form, which is what a signature's l= counts.
    pub(super) octets: u64,
}

const READY_OCTETS: usize = 4096;

impl BodyHash {
    /// The kind we sign with: blanks may change on the way.
    pub fn relaxed() -> Self {
        Self::new(Blanks::Relaxed)
    }

    pub(super) fn simple() -> Self {
        Self::new(Blanks::Simple)
    }

    fn new(blanks: Blanks) -> Self {
        let ready = Vec::with_capacity(READY_OCTETS);
        Self { blanks, hash: Sha256::hasher(), octets: 0, ready, line_ends: 0, blank: false, carriage_return: false }
    }

    pub fn write(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.carriage_return) && first != b'\n' {
                self.put(b"\r");
            }
            // Most of a body is words.
            let word = rest.iter().position(|octet| *octet <= b' ').unwrap_or(rest.len());
            if word > 0 {
                self.put(&rest[..word]);
                rest = &rest[word..];
                continue;
            }
            match first {
                b'\r' => self.carriage_return = true,
                b'\n' => {
                    self.line_ends += 1;
                    self.blank = false;
                }
                b' ' | b'\t' if self.blanks == Blanks::Relaxed => self.blank = true,
                other => self.put(&[other]),
            }
            rest = &rest[1..];
        }
    }

    /// What stands in a line, and with it everything that was waiting for something to follow.
    fn put(&mut self, octets: &[u8]) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.hashed(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            self.hashed(b" ");
        }
        self.hashed(octets);
    }

    fn hashed(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        if self.ready.len() + octets.len() > READY_OCTETS {
            self.hash.write(&self.ready);
            self.ready.clear();
        }
        if octets.len() > READY_OCTETS {
            self.hash.write(octets);
        } else {
            self.ready.extend_from_slice(octets);
        }
    }

    pub fn finish(mut self) -> BodyDigest {
        if std::mem::take(&mut self.carriage_return) {
            self.put(b"\r");
        }
        // An empty body ends in a line end in the simple form, and is nothing in the relaxed one.
        if self.octets > 0 || self.blanks == Blanks::Simple {
            self.hashed(b"\r\n");
        }
        self.hash.write(&self.ready);
        BodyDigest { sha256: self.hash.complete().as_ref().to_vec(), octets: self.octets }
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
        // Lines of blanks are empty lines, once blanks at the end of a line are gone.
        check(BodyHash::relaxed(), "a \t \r\n\tb\t \r\n  \r\n \r\n\r\n", "a\r\n b\r\n");
        check(BodyHash::relaxed(), " \r\n\t", "");
        check(BodyHash::simple(), "a\r\n \r\n\r\n", "a\r\n \r\n");
        check(BodyHash::relaxed(), "\r\n\r\na\r\n \r\nb ", "\r\n\r\na\r\n\r\nb\r\n");
        // What is no line end stays.
        check(BodyHash::relaxed(), "a\rb\r\r\nc\r", "a\rb\r\r\nc\r\r\n");
        check(BodyHash::simple(), "a\0\x0b\x7f\r\n", "a\0\x0b\x7f\r\n");
        let long = "word ".repeat(3000) + &"x".repeat(9000) + "\r\n";
        check(BodyHash::relaxed(), &long, &long);
        // RFC 6376 section 3.4.4 and section 3.4.3 give the hashes of nothing.
        let empty = STANDARD.decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").unwrap();
        assert_eq!(digest(BodyHash::relaxed(), &[]).sha256, empty);
        let empty = STANDARD.decode("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=").unwrap();
        assert_eq!(digest(BodyHash::simple(), &[]).sha256, empty);
    }

    /// The rules of RFC 6376 section 3.4.4, one after the other, over a whole body.
    fn relaxed_by_the_book(body: &str) -> String {
        let blanks = [' ', '\t'];
        let line = |line: &str| {
            let words = line.trim_end_matches(blanks).split(blanks);
            let mut out = String::new();
            for (place, word) in words.enumerate() {
                if place > 0 && !out.ends_with(' ') {
                    out.push(' ');
                }
                out.push_str(word);
            }
            out
        };
        let mut lines: Vec<String> = body.split("\r\n").map(line).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn bodies_are_relaxed_by_the_book(body in "([ab]|[ \t]|\r\n){0,30}") {
            let expected = <sha2::Sha256 as sha2::Digest>::digest(relaxed_by_the_book(&body)).to_vec();
            prop_assert_eq!(digest(BodyHash::relaxed(), &[body.as_bytes()]).sha256, expected);
        }

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
