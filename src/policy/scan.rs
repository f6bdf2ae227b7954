//! One pass over a message as it arrived, in constant memory: its header, the DKIM signatures in it, and the hashes of its
//! body that they need.
//!
//! What it will not do: look into the body's MIME structure, ask DNS, or judge a signature.

use super::body_hash::{BodyDigest, BodyHash};
use crate::message::{HeaderFields, mailboxes};
use crate::types::Domain;
use crate::types::limits::{
    AUTHENTICATION_FIELDS_MAX, AUTHENTICATION_HEADER_OCTETS_MAX, BODY_CHUNK_OCTETS, DKIM_SIGNATURE_OCTETS_MAX,
    DKIM_SIGNATURES_MAX, DKIM_SIGNED_FIELDS_MAX, DMARC_AUTHOR_DOMAINS_MAX,
};
use mail_auth::common::crypto::Algorithm;
use mail_auth::dkim::{Canonicalization, Signature};
use std::io::{self, Read};
use std::ops::Range;

/// What authentication needs of a message.
#[derive(Debug)]
pub struct Scan {
    /// With the blank line; empty when it was too large to be looked into.
    header: Vec<u8>,
    header_size: HeaderSize,
    pub(super) signatures: Vec<Signed>,
    relaxed: Option<BodyDigest>,
    simple: Option<BodyDigest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderSize {
    Fits,
    TooLarge,
}

/// A DKIM-Signature field.
#[derive(Debug)]
pub(super) struct Signed {
    /// Of the field in the header.
    pub(super) field: Range<usize>,
    pub(super) parsed: Result<Signature, Unusable>,
}

/// Why a signature is not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Syntax,
    Version,
    /// Longer than our limits.
    Size,
    /// RFC 8301 section 3.1: SHA-1 proves nothing any more.
    Sha1,
    /// RFC 6376 section 5.4: From is always signed.
    FromUnsigned,
}

/// Who wrote the message, by its From.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authors {
    /// Each once, in their order.
    pub(super) domains: Vec<Domain>,
    pub(super) kind: AuthorsKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthorsKind {
    /// One field, and all domains in it are known.
    Regular,
    /// RFC 5322 section 3.6 has one From. Programs differ about which of several they show.
    SeveralFields,
    /// Some author has a domain that can't be, or there are more than anybody needs.
    Incomplete,
}

impl Scan {
    /// Reads all of `source` if the message is signed, else the header alone. Blocks: not for a thread that serves sessions.
    pub fn read(mut source: impl Read) -> io::Result<Self> {
        let mut buffer = vec![0; BODY_CHUNK_OCTETS.min(64 * 1024)];
        let mut octets = Vec::new();
        let mut end = HeaderEnd::default();
        let body_at = loop {
            let count = read_some(&mut source, &mut buffer)?;
            octets.extend_from_slice(&buffer[..count]);
            match end.find(&octets) {
                Some(at) => break at,
                None if count == 0 => break octets.len(),
                None => {}
            }
            if octets.len() > AUTHENTICATION_HEADER_OCTETS_MAX {
                break octets.len();
            }
        };
        if body_at > AUTHENTICATION_HEADER_OCTETS_MAX || too_many_fields(&octets[..body_at]) {
            return Ok(Self {
                header: Vec::new(),
                header_size: HeaderSize::TooLarge,
                signatures: Vec::new(),
                relaxed: None,
                simple: None,
            });
        }
        let body_begins = octets.split_off(body_at);
        let signatures = signatures(&octets);
        let wants = |kind| signatures.iter().filter_map(|signed| signed.parsed.as_ref().ok()).any(|one| one.cb == kind);
        let mut relaxed = wants(Canonicalization::Relaxed).then(BodyHash::relaxed);
        let mut simple = wants(Canonicalization::Simple).then(BodyHash::simple);
        let mut hash =
            |piece: &[u8]| [&mut relaxed, &mut simple].into_iter().flatten().for_each(|hash| hash.write(piece));
        hash(&body_begins);
        while !signatures.is_empty() {
            match read_some(&mut source, &mut buffer)? {
                0 => break,
                count => hash(&buffer[..count]),
            }
        }
        let (relaxed, simple) = (relaxed.map(BodyHash::finish), simple.map(BodyHash::finish));
        Ok(Self { header: octets, header_size: HeaderSize::Fits, signatures, relaxed, simple })
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Nothing is known of a message whose header is beyond our limits.
    pub(super) fn is_too_large(&self) -> bool {
        self.header_size == HeaderSize::TooLarge
    }

    pub(super) fn body_digest(&self, canonicalization: Canonicalization) -> Option<&BodyDigest> {
        match canonicalization {
            Canonicalization::Relaxed => self.relaxed.as_ref(),
            Canonicalization::Simple => self.simple.as_ref(),
        }
    }

    pub(super) fn authors(&self) -> Authors {
        authors(&self.header)
    }
}

/// The domains of those who wrote a message, by the one From it has; none where that can't be told for sure.
pub fn author_domains(header: &[u8]) -> Vec<Domain> {
    let authors = authors(header);
    if authors.kind == AuthorsKind::Regular { authors.domains } else { Vec::new() }
}

/// RFC 9989 section 5.3.1: the domains DMARC is about.
fn authors(header: &[u8]) -> Authors {
    let mut authors = Authors { domains: Vec::new(), kind: AuthorsKind::Regular };
    let fields: Vec<_> = HeaderFields::new(header).filter(|field| field.is("From")).collect();
    if fields.len() > 1 {
        authors.kind = AuthorsKind::SeveralFields;
    }
    for mailbox in fields.iter().flat_map(|field| mailboxes(field.value())) {
        // Without a domain there is nobody whose policy could be asked for, and nobody is impersonated.
        let Some(domain) = mailbox.domain else { continue };
        let text = std::str::from_utf8(&domain).ok();
        let Some(domain) = text.and_then(|text| Domain::parse(text.trim()).ok()) else {
            authors.kind = AuthorsKind::Incomplete;
            continue;
        };
        if authors.domains.contains(&domain) {
            continue;
        }
        if authors.domains.len() == DMARC_AUTHOR_DOMAINS_MAX {
            authors.kind = AuthorsKind::Incomplete;
            break;
        }
        authors.domains.push(domain);
    }
    authors
}

/// Finds the blank line behind the header in octets that grow, looking at each once.
#[derive(Default)]
struct HeaderEnd {
    line_start: usize,
}

impl HeaderEnd {
    fn find(&mut self, octets: &[u8]) -> Option<usize> {
        while let Some(found) = memchr::memchr(b'\n', &octets[self.line_start..]) {
            let end = self.line_start + found + 1;
            if matches!(&octets[self.line_start..end], b"\n" | b"\r\n") {
                return Some(end);
            }
            self.line_start = end;
        }
        None
    }
}

fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn too_many_fields(header: &[u8]) -> bool {
    HeaderFields::new(header).nth(AUTHENTICATION_FIELDS_MAX).is_some()
}

fn signatures(header: &[u8]) -> Vec<Signed> {
    let fields = HeaderFields::new(header).filter(|field| field.is("DKIM-Signature")).take(DKIM_SIGNATURES_MAX);
    let signed = fields.map(|field| Signed {
        field: field.offset()..field.offset() + field.raw().len(),
        parsed: parse(field.value(), field.raw().len()),
    });
    signed.collect()
}

fn parse(value: &[u8], octets: usize) -> Result<Signature, Unusable> {
    if octets > DKIM_SIGNATURE_OCTETS_MAX {
        return Err(Unusable::Size);
    }
    let mut signature = Signature::parse(value).map_err(|_| Unusable::Syntax)?;
    // RFC 6376 section 3.5: v= is required; the parser takes a missing one for 0.
    if signature.v != 1 {
        return Err(Unusable::Version);
    }
    if signature.a == Algorithm::RsaSha1 {
        return Err(Unusable::Sha1);
    }
    if signature.h.len() > DKIM_SIGNED_FIELDS_MAX {
        return Err(Unusable::Size);
    }
    if !signature.h.iter().any(|name| name.eq_ignore_ascii_case("From")) {
        return Err(Unusable::FromUnsigned);
    }
    // Each of these would make the verifier ask more of DNS: where to send reports, and about third parties (RFC 6541 is an
    // experiment that nobody made). None of them changes what was signed.
    (signature.r, signature.atps, signature.atpsh) = (false, None, None);
    signature.z = Vec::new();
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out as little at a time as a reader may.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            buffer[0] = *first;
            Ok(1)
        }
    }

    fn signature(tags: &str) -> String {
        format!("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=a; h=from; bh=AAAA; b=AAAA; {tags}\r\n")
    }

    #[test]
    fn the_pieces_a_message_comes_in_do_not_matter() {
        let signed = format!("{}From: a@b.example\r\n\r\nHello  \r\n\r\n\r\n", signature("c=relaxed/relaxed"));
        for raw in [signed.as_str(), "From: a@b.example\r\n\r\n", "From: a@b.example\r\n", "\r\nbody", "\nbody", ""] {
            let (whole, pieces) = (Scan::read(raw.as_bytes()).unwrap(), Scan::read(Trickle(raw.as_bytes())).unwrap());
            assert_eq!(whole.header(), &raw.as_bytes()[..crate::message::body_offset(raw.as_bytes())], "{raw:?}");
            assert_eq!(whole.header(), pieces.header(), "{raw:?}");
            assert_eq!(whole.relaxed, pieces.relaxed, "{raw:?}");
        }
    }

    #[test]
    fn only_what_signatures_need_is_hashed() {
        let check = |tags: &[&str], relaxed: bool, simple: bool| {
            let header: String = tags.iter().map(|tags| signature(tags)).collect();
            let scan = Scan::read(format!("{header}\r\nbody\r\n").as_bytes()).unwrap();
            assert_eq!((scan.relaxed.is_some(), scan.simple.is_some()), (relaxed, simple), "{tags:?}");
        };
        check(&[], false, false);
        check(&["c=relaxed/relaxed"], true, false);
        check(&["c=relaxed"], false, true);
        check(&[""], false, true);
        check(&["c=simple/relaxed", "c=relaxed/simple"], true, true);
        check(&["c=nonsense"], false, false);
    }

    #[test]
    fn signatures_that_prove_nothing_are_known() {
        let check = |field: &str, expected: Option<Unusable>| {
            let scan = Scan::read(format!("DKIM-Signature: {field}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(scan.signatures[0].parsed.as_ref().err().copied(), expected, "{field}");
        };
        check("v=1; a=rsa-sha256; d=a.example; s=a; h=From:To; bh=AAAA; b=AAAA", None);
        check("v=1; a=rsa-sha1; d=a.example; s=a; h=From; bh=AAAA; b=AAAA", Some(Unusable::Sha1));
        check("a=rsa-sha256; d=a.example; s=a; h=From; bh=AAAA; b=AAAA", Some(Unusable::Version));
        check("v=2; a=rsa-sha256; d=a.example; s=a; h=From; bh=AAAA; b=AAAA", Some(Unusable::Syntax));
        check("v=1; a=rsa-sha256; d=a.example; s=a; h=To; bh=AAAA; b=AAAA", Some(Unusable::FromUnsigned));
        check("v=1; a=rsa-sha256; d=a.example; h=From; bh=AAAA; b=AAAA", Some(Unusable::Syntax));
        check("", Some(Unusable::Syntax));
        let names = "From:".repeat(DKIM_SIGNED_FIELDS_MAX + 1);
        check(&format!("v=1; a=rsa-sha256; d=a.example; s=a; h={names}; bh=AAAA; b=AAAA"), Some(Unusable::Size));
        let long = "x".repeat(DKIM_SIGNATURE_OCTETS_MAX);
        check(&format!("v=1; a=rsa-sha256; d=a.example; s={long}; h=From; bh=AAAA; b=AAAA"), Some(Unusable::Size));
    }

    #[test]
    fn authors_are_found() {
        let check = |header: &str, domains: &[&str], kind: AuthorsKind| {
            let authors = Scan::read(format!("{header}\r\n\r\n").as_bytes()).unwrap().authors();
            let found: Vec<&str> = authors.domains.iter().map(Domain::as_str).collect();
            assert_eq!((found.as_slice(), authors.kind), (domains, kind), "{header}");
        };
        check("From: Jane <jane@Example.ORG>", &["example.org"], AuthorsKind::Regular);
        check("From: jane@bücher.example", &["xn--bcher-kva.example"], AuthorsKind::Regular);
        check("From: a@x.example, b@X.example, c@y.example", &["x.example", "y.example"], AuthorsKind::Regular);
        check("From: a@x.example\r\nfrom : b@y.example", &["x.example", "y.example"], AuthorsKind::SeveralFields);
        check("From: \"a@trusted.example\" <b@y.example>", &["y.example"], AuthorsKind::Regular);
        check("From: nobody", &[], AuthorsKind::Regular);
        check("From: a@-x-", &[], AuthorsKind::Incomplete);
        check("Subject: none", &[], AuthorsKind::Regular);
        let many: Vec<String> = (0..9).map(|n| format!("a@d{n}.example")).collect();
        check(
            &format!("From: {}", many.join(", ")),
            &["d0.example", "d1.example", "d2.example", "d3.example"],
            AuthorsKind::Incomplete,
        );
    }

    #[test]
    fn what_is_beyond_limits_is_not_looked_into() {
        let check = |header: &str, expected: bool| {
            let scan = Scan::read(format!("{header}\r\nbody").as_bytes()).unwrap();
            assert_eq!(scan.is_too_large(), expected);
            assert!(!expected || scan.signatures.is_empty());
        };
        check(&signature(""), false);
        check(&format!("{}{}", signature(""), "X: y\r\n".repeat(AUTHENTICATION_FIELDS_MAX)), true);
        check(&format!("{}X: {}\r\n", signature(""), "y".repeat(AUTHENTICATION_HEADER_OCTETS_MAX)), true);
        let many = Scan::read(signature("").repeat(1000).as_bytes()).unwrap();
        assert_eq!(many.signatures.len(), DKIM_SIGNATURES_MAX);
    }
}
