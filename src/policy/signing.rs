//! Our own DKIM signatures (RFC 6376, RFC 8463), and keys for them.
//!
//! Relaxed canonicalization for header and body, since some servers on the way re-fold; the whole body, always; the time as
//! the caller gives it. mail-auth canonicalizes and computes; which fields are signed is decided here.

use super::body_hash::BodyDigest;
use crate::message::{HeaderFields, NewField};
use crate::types::limits::DKIM_SIGNED_FIELDS_MAX;
use crate::types::{Domain, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::{Algorithm, DkimKey, Ed25519Key, RsaKey, Sha256, SigningKey as _};
use mail_auth::common::headers::{Writable, Writer};
use mail_auth::dkim::{Canonicalization, Signature};
use rcgen::PublicKeyData as _;
use std::fmt;

/// Signed once more than they are there, so that nobody can add another that a program might show instead (RFC 6376 section
/// 8.15).
const OVERSIGNED: &[&str] = &["From", "To", "Cc", "Subject", "Date", "Message-ID"];
/// Signed as often as they are there (RFC 6376 section 5.4.1). Trace fields are not: servers on the way may touch them.
const SIGNED: &[&str] = &[
    "Sender",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-Language",
    "Resent-From",
    "Resent-To",
    "Resent-Cc",
    "Resent-Date",
    "Resent-Message-ID",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Auto-Submitted",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// What everybody verifies; 2048 bits (RFC 8301 section 3.2).
    Rsa,
    /// RFC 8463: shorter, and not known everywhere yet.
    Ed25519,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningError {
    /// The private key can't be read as what it is said to be.
    Key,
    /// The machine could not make a key.
    Generation,
    /// The computation failed.
    Signature,
}

impl fmt::Display for SigningError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "the DKIM key is not a private key of its kind in PKCS#8",
            Self::Generation => "a DKIM key could not be made",
            Self::Signature => "a DKIM signature could not be computed",
        })
    }
}

impl std::error::Error for SigningError {}

/// A key pair, as it is stored.
pub struct NewKey {
    /// PKCS#8 DER.
    pub private: Vec<u8>,
    /// What p= of the DNS record carries, before base64: SubjectPublicKeyInfo for RSA, as everybody publishes it, the bare key
    /// for Ed25519 (RFC 8463 section 4).
    pub public: Vec<u8>,
}

/// Takes a good part of a second for RSA: not for a thread that serves sessions.
pub fn new_key(kind: KeyKind) -> Result<NewKey, SigningError> {
    let pair = match kind {
        KeyKind::Rsa => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048),
        KeyKind::Ed25519 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519),
    };
    let pair = pair.map_err(|_| SigningError::Generation)?;
    let public = match kind {
        KeyKind::Rsa => pair.subject_public_key_info(),
        KeyKind::Ed25519 => pair.public_key_raw().to_vec(),
    };
    Ok(NewKey { private: pair.serialize_der(), public })
}

/// The text that belongs into DNS at [`key_name`] (RFC 6376 section 3.6.1).
pub fn key_record(kind: KeyKind, public: &[u8]) -> String {
    let name = match kind {
        KeyKind::Rsa => "rsa",
        KeyKind::Ed25519 => "ed25519",
    };
    format!("v=DKIM1; k={name}; p={}", STANDARD.encode(public))
}

/// Whether a text found in DNS is the record of this key (RFC 6376 section 3.6.1): its tags may stand in any order and have
/// blanks in them.
pub fn is_key_record(text: &str, kind: KeyKind, public: &[u8]) -> bool {
    let tag = |name: &str| {
        let mut tags = text.split(';').filter_map(|tag| tag.split_once('='));
        let value = tags.find_map(|(known, value)| (known.trim() == name).then_some(value));
        value.map(|value| value.split_whitespace().collect::<String>())
    };
    let kind = match kind {
        KeyKind::Rsa => "rsa",
        KeyKind::Ed25519 => "ed25519",
    };
    tag("v").is_none_or(|version| version == "DKIM1")
        && tag("k").unwrap_or_else(|| "rsa".to_owned()) == kind
        && tag("p").is_some_and(|known| known == STANDARD.encode(public))
}

/// Where a key is looked for.
pub fn key_name(selector: &str, domain: &Domain) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// A key ready to sign with. Reading one costs as much as several signatures: keep it.
pub struct SigningKey {
    key: DkimKey,
    domain: Domain,
    selector: Box<str>,
}

/// Never shows the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", key_name(&self.selector, &self.domain))
    }
}

impl SigningKey {
    /// `private` is PKCS#8 DER.
    pub fn new(kind: KeyKind, private: &[u8], domain: Domain, selector: &str) -> Result<Self, SigningError> {
        let key = match kind {
            KeyKind::Rsa => {
                let der = private.try_into().map_err(|_| SigningError::Key)?;
                DkimKey::Rsa(RsaKey::<Sha256>::from_key_der(der).map_err(|_| SigningError::Key)?)
            }
            KeyKind::Ed25519 => DkimKey::Ed25519(Ed25519Key::from_pkcs8_der(private).map_err(|_| SigningError::Key)?),
        };
        Ok(Self { key, domain, selector: selector.into() })
    }

    /// The DKIM-Signature field for a message with this header and body. One body's digest serves all keys.
    pub fn sign(&self, header: &[u8], body: &BodyDigest, now: Timestamp) -> Result<NewField, SigningError> {
        let fields = fields_to_sign(header);
        let mut signature = Signature {
            v: 1,
            a: match &self.key {
                DkimKey::Rsa(_) => Algorithm::RsaSha256,
                DkimKey::Ed25519(_) => Algorithm::Ed25519Sha256,
            },
            d: self.domain.to_string(),
            s: self.selector.to_string(),
            ch: Canonicalization::Relaxed,
            cb: Canonicalization::Relaxed,
            bh: body.sha256.clone(),
            h: fields.iter().map(|(name, _)| (*name).to_owned()).collect(),
            t: u64::try_from(now.seconds()).unwrap_or_default(),
            ..Signature::default()
        };
        let to_sign = ToSign { fields: &fields, signature: &signature };
        signature.b = self.key.sign(to_sign).map_err(|_| SigningError::Signature)?;
        field(&signature)
    }
}

/// RFC 6376 section 5.4.2: of several fields of one name the last is the first. The value of a name signed once too often is
/// none.
fn fields_to_sign(header: &[u8]) -> Vec<(&'static str, Option<&[u8]>)> {
    let mut fields = Vec::new();
    let names = OVERSIGNED.iter().map(|name| (*name, 1)).chain(SIGNED.iter().map(|name| (*name, 0)));
    for (name, beyond) in names {
        let mut found: Vec<&[u8]> =
            HeaderFields::new(header).filter(|field| field.is(name)).map(|field| field.raw()).collect();
        found.reverse();
        fields.extend(found.into_iter().map(|raw| (name, value(raw))));
        fields.extend(std::iter::repeat_n((name, None), beyond));
    }
    // Names that come again and again exist only in attacks on ourselves; what is left out is unsigned.
    fields.truncate(DKIM_SIGNED_FIELDS_MAX);
    fields
}

fn value(raw: &[u8]) -> Option<&[u8]> {
    let colon = raw.iter().position(|&byte| byte == b':')?;
    Some(&raw[colon + 1..])
}

/// What is signed: the fields, and behind them the signature's own field without its b= (RFC 6376 section 3.7).
struct ToSign<'a> {
    fields: &'a [(&'static str, Option<&'a [u8]>)],
    signature: &'a Signature,
}

impl Writable for ToSign<'_> {
    fn write(self, writer: &mut impl Writer) {
        let fields = self.fields.iter().filter_map(|(name, value)| Some((name.as_bytes(), (*value)?)));
        Canonicalization::Relaxed.canonicalize_headers(fields, writer);
        self.signature.write(writer, false);
    }
}

/// The field folded our way, which the relaxed canonicalization takes back.
fn field(signature: &Signature) -> Result<NewField, SigningError> {
    let text = signature.to_string();
    let value = text.split_once(':').map(|(_, value)| value).ok_or(SigningError::Signature)?;
    NewField::new("DKIM-Signature", value).map_err(|_| SigningError::Signature)
}

#[cfg(test)]
mod tests {
    use super::super::body_hash::BodyHash;
    use super::*;

    fn header_names(header: &str) -> String {
        fields_to_sign(header.as_bytes())
            .iter()
            .map(|(name, value)| format!("{name}={}", value.map_or("-".into(), String::from_utf8_lossy).trim()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_is_there_is_signed_and_what_matters_once_more() {
        assert_eq!(
            header_names("Received: x\r\nfrom: 1\r\nX-A: 2\r\nList-Id: 3\r\nList-ID: 4\r\nFrom : 5\r\n\r\nTo: 6\r\n"),
            "From=5 From=1 From=- To=- Cc=- Subject=- Date=- Message-ID=- List-Id=4 List-Id=3"
        );
        assert_eq!(fields_to_sign("Subject: x\r\n".repeat(10_000).as_bytes()).len(), DKIM_SIGNED_FIELDS_MAX);
    }

    #[test]
    fn records_are_known_however_they_are_written() {
        let check = |text: &str, expected: bool| {
            assert_eq!(is_key_record(text, KeyKind::Ed25519, b"abc"), expected, "{text}");
        };
        check(&key_record(KeyKind::Ed25519, b"abc"), true);
        check("k=ed25519;p=YW Jj", true);
        check(" p = YWJj ; k = ed25519 ; v = DKIM1; t=s; n=x", true);
        check("v=DKIM1; p=YWJj", false);
        check("v=DKIM2; k=ed25519; p=YWJj", false);
        check("v=DKIM1; k=ed25519; p=", false);
        check("v=DKIM1; k=rsa; p=YWJj", false);
        check("", false);
        assert!(is_key_record("p=YWJj", KeyKind::Rsa, b"abc"));
    }

    #[test]
    fn wrong_keys_are_refused() {
        let domain = || Domain::parse("example.org").unwrap();
        let check = |kind: KeyKind, der: &[u8]| {
            assert_eq!(SigningKey::new(kind, der, domain(), "s").err(), Some(SigningError::Key));
        };
        let ed25519 = new_key(KeyKind::Ed25519).unwrap().private;
        check(KeyKind::Rsa, &ed25519);
        check(KeyKind::Ed25519, b"");
        check(KeyKind::Ed25519, &ed25519[..ed25519.len() - 1]);
        check(KeyKind::Rsa, &[0x30; 100]);
    }

    #[test]
    fn the_field_has_the_time_it_was_given_and_folds() {
        let new = new_key(KeyKind::Ed25519).unwrap();
        let key = SigningKey::new(KeyKind::Ed25519, &new.private, Domain::parse("example.org").unwrap(), "s1").unwrap();
        let body = BodyHash::relaxed().finish();
        let sign = || key.sign(b"From: a@example.org\r\n\r\n", &body, Timestamp::from_seconds(1_700_000_000)).unwrap();
        let text = sign().to_string();
        assert!(
            text.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; s=s1; d=example.org; c=relaxed/relaxed;"),
            "{text}"
        );
        assert!(text.contains(" h=From:From:To:Cc:Subject:Date:Message-ID; t=1700000000;"), "{text}");
        assert!(sign().raw().split(|&byte| byte == b'\n').all(|line| line.len() <= 79));
        assert_eq!(sign(), sign(), "the same again, as nothing in it is random");
        assert_eq!(format!("{key:?}"), "SigningKey(s1._domainkey.example.org)");
    }
}
