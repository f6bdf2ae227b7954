//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the keys, and the arithmetic both sides share.
//!
//! Nothing here looks up an account or talks to a peer. A stored key lets nobody log in by SCRAM without first being
//! cracked, but it can be attacked faster than argon2id: it is a secret like the hash beside it.

pub(super) mod server;

use super::password::Password;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac_array;
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// Octets of every key, signature and proof: SHA-256's.
pub(super) const KEY_OCTETS: usize = 32;
pub(super) type Key = [u8; KEY_OCTETS];

/// What one password becomes under one salt and one number of rounds.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeyPair {
    pub stored_key: [u8; KEY_OCTETS],
    pub server_key: [u8; KEY_OCTETS],
}

impl KeyPair {
    /// RFC 5802 section 3. Takes about a millisecond at 15,000 rounds: work for the hasher's threads.
    pub(super) fn derive(password: &Password, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self { stored_key: hash(&client_key(&salted)), server_key: server_key(&salted) }
    }

    /// Whether both are the same, in the same time whatever the answer.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        (self.stored_key.ct_eq(&other.stored_key) & self.server_key.ct_eq(&other.server_key)).into()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyPair(…)")
    }
}

pub(super) fn salted_password(password: &Password, salt: &[u8], iterations: u32) -> Key {
    pbkdf2_hmac_array::<Sha256, KEY_OCTETS>(password.for_scram().as_bytes(), salt, iterations)
}

pub(super) fn client_key(salted_password: &Key) -> Key {
    mac(salted_password, &[b"Client Key"])
}

pub(super) fn server_key(salted_password: &Key) -> Key {
    mac(salted_password, &[b"Server Key"])
}

/// HMAC-SHA-256 over the parts, one after the other.
pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> Key {
    #[allow(clippy::expect_used)] // HMAC takes keys of every length (RFC 2104 section 3): the error can't occur
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(super) fn hash(octets: &[u8]) -> Key {
    Sha256::digest(octets).into()
}

pub(super) fn xor(left: &Key, right: &Key) -> Key {
    std::array::from_fn(|index| left[index] ^ right[index])
}
