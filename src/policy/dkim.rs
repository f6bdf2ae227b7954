//! DKIM (RFC 6376, RFC 8301, RFC 8463): whose signatures on this message are right?
//!
//! Keys are fetched all at once; then mail-auth verifies on a thread that may compute, and is never let near DNS again: it
//! finds every key it asks for in a cache. Not obeyed: the service type and hash list of RFC 6376 section 3.6.1, which a
//! key's owner writes against his own signers and nobody uses.

use super::findings::{DkimFinding, Outcome};
use super::scan::{Scan, Signed, Unusable};
use crate::dns::{DnsError, Resolver};
use crate::message::HeaderFields;
use crate::types::Domain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::cache::NoCache;
use mail_auth::common::crypto::HashAlgorithm;
use mail_auth::common::headers::Header;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::{DomainKey, VerifySignature};
use mail_auth::dkim::{DkimError, Signature};
use mail_auth::{
    AuthenticatedMessage, DkimResult, DnsError as AuthDnsError, Error, MessageAuthenticator, Parameters, ResolverCache,
    Txt,
};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// RFC 8301 section 3.2: shorter RSA keys are not believed.
const RSA_BITS_MIN: usize = 1024;
/// RFC 6008 section 2 asks for 8 at least.
const SIGNATURE_START_CHARACTERS: usize = 8;

/// One finding per signature, from the top; none for an unsigned message.
pub(super) async fn verify(
    authenticator: &MessageAuthenticator,
    resolver: &Arc<dyn Resolver>,
    scan: &Arc<Scan>,
    deadline: Instant,
) -> Vec<DkimFinding> {
    if scan.is_too_large() {
        return vec![unread(Outcome::Policy, "the header is too large to be verified")];
    }
    if scan.signatures.is_empty() {
        return Vec::new();
    }
    let keys = fetch_keys(resolver, scan, deadline).await;
    let (task_authenticator, task_scan) = (authenticator.clone(), Arc::clone(scan));
    let task = tokio::task::spawn_blocking(move || compute(&task_authenticator, &task_scan, &keys));
    // Whoever finds a message that makes the verifier panic gets it deferred, nothing else.
    task.await.unwrap_or_else(|_| vec![unread(Outcome::TempError, "the verifier failed")])
}

/// Keys by the names under which mail-auth will ask for them.
struct Keys(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Keys {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let unknown = || Txt::Error(Error::Dns(AuthDnsError::Resolver("not asked for".to_owned())));
        Some(self.0.get(name).cloned().unwrap_or_else(unknown))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: std::time::Instant) {}
}

async fn fetch_keys(resolver: &Arc<dyn Resolver>, scan: &Scan, deadline: Instant) -> Keys {
    let mut keys = Keys(HashMap::new());
    let mut questions = JoinSet::new();
    for signature in scan.signatures.iter().filter_map(|signed| signed.parsed.as_ref().ok()) {
        let name = signature.domain_key().into_boxed_str();
        if keys.0.contains_key(&name) {
            continue;
        }
        keys.0.insert(name.clone(), Txt::Error(Error::Dns(AuthDnsError::Resolver("no answer in time".to_owned()))));
        let resolver = Arc::clone(resolver);
        questions.spawn(async move { (fetch_key(&*resolver, &name).await, name) });
    }
    // What has not been answered by then stays unanswered.
    while let Ok(Some(answer)) = timeout_at(deadline, questions.join_next()).await {
        if let Ok((key, name)) = answer {
            keys.0.insert(name, key);
        }
    }
    keys
}

async fn fetch_key(resolver: &dyn Resolver, name: &str) -> Txt {
    let Ok(domain) = Domain::parse(name) else { return Txt::Error(Error::ParseError) };
    let texts = match resolver.txt(&domain).await {
        Ok(answer) => answer.records,
        Err(DnsError::Temporary(why)) => return Txt::Error(Error::Dns(AuthDnsError::Resolver(why))),
        Err(DnsError::NoSuchName | DnsError::NoData) => {
            return Txt::Error(Error::Dns(AuthDnsError::InvalidRecordType));
        }
    };
    // RFC 6376 section 3.6.2.2 leaves open what several records mean; one that can be read is as good as another.
    let mut found = Err(Error::Dns(AuthDnsError::InvalidRecordType));
    for text in texts {
        found = DomainKey::parse(text.as_bytes());
        if found.is_ok() {
            break;
        }
    }
    match found {
        Ok(key) if key.p.public_key_bits() < RSA_BITS_MIN => Txt::Error(Error::Dkim(DkimError::UnsupportedKeyType)),
        Ok(key) => Txt::DomainKey(Arc::new(key)),
        Err(error) => Txt::Error(error),
    }
}

fn compute(authenticator: &MessageAuthenticator, scan: &Scan, keys: &Keys) -> Vec<DkimFinding> {
    let message = signed_message(scan);
    let parameters = Parameters {
        params: &message,
        cache_txt: Some(keys),
        cache_mx: None::<&NoCache<_, _>>,
        cache_ptr: None::<&NoCache<_, _>>,
        cache_ipv4: None::<&NoCache<_, _>>,
        cache_ipv6: None::<&NoCache<_, _>>,
    };
    let outputs = answer_of(authenticator.verify_dkim(parameters)).unwrap_or_default();
    let mut outputs = outputs.iter();
    let findings = scan.signatures.iter().map(|signed| match &signed.parsed {
        Err(unusable) => without_trying(*unusable),
        Ok(signature) if !covers_the_body(scan, signature) => {
            finding(signature, Outcome::Policy, Some("the end of the body is not signed"))
        }
        Ok(signature) => match outputs.next() {
            Some(output) => {
                let (outcome, reason) = outcome(output.result());
                finding(signature, outcome, reason)
            }
            None => finding(signature, Outcome::TempError, Some("the verifier failed")),
        },
    });
    findings.collect()
}

/// The message as mail-auth wants it: the signatures that are worth trying, with the hashes they need.
fn signed_message(scan: &Scan) -> AuthenticatedMessage<'_> {
    let mut message = AuthenticatedMessage { raw_message: scan.header(), ..AuthenticatedMessage::default() };
    message.headers = HeaderFields::new(scan.header()).filter_map(|field| name_and_value(field.raw())).collect();
    for Signed { field, parsed } in &scan.signatures {
        let (Ok(signature), Some((name, value))) = (parsed, name_and_value(&scan.header()[field.clone()])) else {
            continue;
        };
        if !covers_the_body(scan, signature) {
            continue;
        }
        if let Some(digest) = scan.body_digest(signature.cb) {
            message.body_hashes.push((signature.cb, HashAlgorithm::Sha256, signature.l, digest.sha256.clone()));
            message.dkim_headers.push(Header::new(name, value, signature.clone()));
        }
    }
    message
}

/// RFC 6376 section 8.2: what an l= leaves out, anybody can write. One that counts the whole body leaves nothing out.
fn covers_the_body(scan: &Scan, signature: &Signature) -> bool {
    signature.l == 0 || scan.body_digest(signature.cb).is_some_and(|digest| digest.octets == signature.l)
}

/// Both as they stand there: the simple canonicalization changes nothing.
fn name_and_value(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = field.iter().position(|&byte| byte == b':')?;
    Some((&field[..colon], &field[colon + 1..]))
}

/// Of a future that has nothing to wait for.
fn answer_of<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn outcome(result: &DkimResult) -> (Outcome, Option<&'static str>) {
    match result {
        DkimResult::Pass => (Outcome::Pass, None),
        DkimResult::None => (Outcome::None, None),
        DkimResult::TempError(_) => (Outcome::TempError, Some("no answer from DNS")),
        DkimResult::Neutral(error) | DkimResult::Fail(error) | DkimResult::PermError(error) => match error {
            Error::Dkim(DkimError::SignatureExpired) => (Outcome::Fail, Some("the signature has expired")),
            Error::Dkim(DkimError::FailedBodyHashMatch) => (Outcome::Fail, Some("the body was changed")),
            Error::Dkim(DkimError::FailedAuidMatch) => (Outcome::PermError, Some("i= is not within d=")),
            Error::Dkim(DkimError::RevokedPublicKey) => (Outcome::PermError, Some("the key was revoked")),
            Error::Dkim(DkimError::UnsupportedKeyType) => {
                (Outcome::Policy, Some("the key is too weak or of no known kind"))
            }
            Error::Crypto(mail_auth::common::crypto::CryptoError::IncompatibleAlgorithms) => {
                (Outcome::PermError, Some("the key is of another kind"))
            }
            Error::Crypto(_) => (Outcome::Fail, Some("the signature is wrong")),
            Error::Dns(_) => (Outcome::PermError, Some("there is no such key")),
            _ => (Outcome::PermError, Some("the key can't be read")),
        },
    }
}

fn without_trying(unusable: Unusable) -> DkimFinding {
    match unusable {
        Unusable::Syntax => unread(Outcome::PermError, "the signature can't be read"),
        Unusable::Version => unread(Outcome::PermError, "the signature is of no known version"),
        Unusable::Size => unread(Outcome::Policy, "the signature is too large"),
        Unusable::Sha1 => unread(Outcome::Policy, "SHA-1 is not believed"),
        Unusable::FromUnsigned => unread(Outcome::PermError, "From is not signed"),
    }
}

fn unread(outcome: Outcome, reason: &'static str) -> DkimFinding {
    DkimFinding {
        outcome,
        domain: String::new(),
        selector: String::new(),
        algorithm: "",
        signature_start: String::new(),
        reason: Some(reason),
    }
}

fn finding(signature: &Signature, outcome: Outcome, reason: Option<&'static str>) -> DkimFinding {
    DkimFinding {
        outcome,
        domain: signature.d.clone(),
        selector: signature.s.clone(),
        algorithm: signature.a.name(),
        signature_start: STANDARD.encode(&signature.b).chars().take(SIGNATURE_START_CHARACTERS).collect(),
        reason,
    }
}
