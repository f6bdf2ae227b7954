//! DKIM signatures in the name of the domains here (RFC 6376): which keys sign a message, at hand from one to the next.
//!
//! A message is signed for the domains of its authors that have keys here, with every key in use: RSA, which everybody
//! verifies, and Ed25519 (RFC 8463). Only what begins here is signed, by whoever lets it in; what is passed on keeps the
//! signatures that it came with, and gets none.
//!
//! What it will not do: make keys or change them, that is an administrator's; decide which fields are signed (`policy`).

use crate::message::{HeaderEdit, body_offset};
use crate::policy::{BodyHash, KeyKind, SigningKey, author_domains};
use crate::store::{DkimAlgorithm, DkimKeyState, Store, StoreError};
use crate::types::limits::SIGNING_DOMAINS_MAX;
use crate::types::{Domain, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The service. Clones share it.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    store: Store,
    known: Mutex<Known>,
}

/// Reading a key costs as much as several signatures.
#[derive(Default)]
struct Known {
    /// Of the keys in the store.
    generation: u64,
    keys: HashMap<Domain, Keys>,
}

/// Of one domain; empty: it has none.
type Keys = Arc<[SigningKey]>;

/// The keys for one message.
pub struct Signing(Vec<Keys>);

pub fn key_kind(algorithm: DkimAlgorithm) -> KeyKind {
    match algorithm {
        DkimAlgorithm::RsaSha256 => KeyKind::Rsa,
        DkimAlgorithm::Ed25519Sha256 => KeyKind::Ed25519,
    }
}

impl Signer {
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Inner { store, known: Mutex::default() }))
    }

    /// For a message that one of our people sent. `None`: no author's domain has keys.
    pub async fn for_people(&self, header: &[u8]) -> Result<Option<Signing>, StoreError> {
        let mut all = Vec::new();
        for domain in author_domains(header) {
            all.push(self.keys(&domain).await?);
        }
        Ok(Signing::of(all))
    }

    /// For a message that the house wrote. It may speak under the server's own name, which is seldom a mail domain; then
    /// the domain above signs, to which DMARC counts it (RFC 7489 section 3.1.1).
    pub(super) async fn for_house(&self, header: &[u8]) -> Result<Option<Signing>, StoreError> {
        let mut all = Vec::new();
        for author in author_domains(header) {
            let mut above = Some(author);
            while let Some(domain) = above {
                let keys = self.keys(&domain).await?;
                if !keys.is_empty() {
                    all.push(keys);
                    break;
                }
                above = domain.as_str().split_once('.').and_then(|(_, rest)| Domain::parse(rest).ok());
            }
        }
        Ok(Signing::of(all))
    }

    async fn keys(&self, domain: &Domain) -> Result<Keys, StoreError> {
        let store = &self.0.store;
        let generation = store.dkim_key_generation();
        {
            let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.generation != generation || known.keys.len() >= SIGNING_DOMAINS_MAX {
                *known = Known { generation, keys: HashMap::new() };
            }
            if let Some(keys) = known.keys.get(domain) {
                return Ok(Arc::clone(keys));
            }
        }
        let mut stored = store.dkim_keys(domain).await?;
        stored.retain(|key| key.state == DkimKeyState::Signing);
        // The one that everybody verifies stands first: some verifiers look no further.
        stored.sort_by_key(|key| key.algorithm != DkimAlgorithm::RsaSha256);
        let mut keys = Vec::with_capacity(stored.len());
        for key in stored {
            match SigningKey::new(key_kind(key.algorithm), &key.private_key, domain.clone(), &key.selector) {
                Ok(key) => keys.push(key),
                // Without it mail is worth less, and no mail would be worth nothing.
                Err(error) => tracing::error!(%domain, selector = key.selector, %error, "a DKIM key can't sign"),
            }
        }
        let keys: Keys = keys.into();
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.generation == generation {
            known.keys.insert(domain.clone(), Arc::clone(&keys));
        }
        Ok(keys)
    }
}

impl Signing {
    fn of(mut keys: Vec<Keys>) -> Option<Self> {
        keys.retain(|keys| !keys.is_empty());
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Puts its signatures on top of the message that begins at `start` with a field of ours. Some milliseconds of
    /// computing, and more for a large message, which is moved and not copied: not for a thread that serves sessions.
    pub fn sign(&self, message: &mut Vec<u8>, start: usize, now: Timestamp) {
        let (header, body) = message[start..].split_at(body_offset(&message[start..]));
        let mut hash = BodyHash::relaxed();
        hash.write(body);
        let digest = hash.finish();
        let mut signatures = Vec::new();
        for key in self.0.iter().flat_map(|keys| keys.iter()) {
            match key.sign(header, &digest, now) {
                Ok(field) => signatures.push(field),
                Err(error) => tracing::error!(?key, %error, "a message goes out without a signature"),
            }
        }
        let signatures: Vec<u8> = signatures.iter().flat_map(|field| field.raw().iter().copied()).collect();
        message.splice(start..start, signatures);
    }

    /// The same for a message of ours that had to be changed, whose earlier signatures hold no longer.
    pub(super) fn sign_anew(&self, message: &[u8], now: Timestamp) -> Vec<u8> {
        let mut edit = HeaderEdit::new(message);
        edit.remove_all("DKIM-Signature");
        let mut message = edit.into_message(message);
        self.sign(&mut message, 0, now);
        message
    }
}
