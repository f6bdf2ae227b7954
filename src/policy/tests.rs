//! Zones as text, answered over loopback; messages signed on the spot.

mod assessment;
mod dkim;
mod dmarc;
mod hostile;
mod spf;

use super::*;
use crate::dns::{FakeResolver, FakeServer, SystemResolver, SystemResolverOptions};
use crate::types::{Address, Domain, Timestamp};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub(super) const CLIENT: &str = "192.0.2.3";

/// A verifier above the real resolver, which asks a server that answers from a zone.
pub(super) struct World {
    zone: FakeResolver,
    _server: FakeServer,
    pub(super) verifier: Verifier,
}

impl World {
    pub(super) async fn new(zone: &str) -> Self {
        let zone = FakeResolver::new(zone).unwrap();
        let server = FakeServer::start(zone.clone()).await.unwrap();
        let verifier = Verifier::new(Arc::new(resolver(server.address())), hostname(), Patience::default());
        Self { zone, _server: server, verifier }
    }

    /// Another world behind the same resolver: making one of those takes longer than asking it.
    pub(super) fn replace(&self, zone: &str) {
        self.zone.replace(zone).unwrap();
    }

    pub(super) async fn verify(&self, arrival: &Arrival, message: &[u8]) -> Findings {
        self.verifier.verify(arrival.clone(), Scan::read(message).unwrap()).await
    }
}

pub(super) fn resolver(server: std::net::SocketAddr) -> SystemResolver {
    SystemResolver::new(&SystemResolverOptions {
        servers: vec![server],
        timeout: Duration::from_secs(5),
        attempts: 1,
        cache_entries_max: 100,
        validate: false,
        trust_anchors: None,
    })
    .unwrap()
}

pub(super) fn hostname() -> Domain {
    domain("mx.ours.example")
}

pub(super) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub(super) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// `sender` may be empty: the null reverse-path.
pub(super) fn arrival(hello: &str, sender: &str) -> Arrival {
    Arrival { client: CLIENT.parse().ok(), hello: hello.into(), sender: (!sender.is_empty()).then(|| address(sender)) }
}

/// One key of each kind for all tests: making them takes time.
pub(super) static RSA: LazyLock<NewKey> = LazyLock::new(|| new_key(KeyKind::Rsa).unwrap());
pub(super) static ED25519: LazyLock<NewKey> = LazyLock::new(|| new_key(KeyKind::Ed25519).unwrap());

pub(super) fn new_key_of(kind: KeyKind) -> &'static NewKey {
    match kind {
        KeyKind::Rsa => &RSA,
        KeyKind::Ed25519 => &ED25519,
    }
}

/// The zone's line for a key.
pub(super) fn key_line(kind: KeyKind, selector: &str, domain_name: &str) -> String {
    let record = key_record(kind, &new_key_of(kind).public);
    format!("{} TXT \"{record}\"\n", key_name(selector, &domain(domain_name)))
}

/// The message with a signature on top.
pub(super) fn signed(kind: KeyKind, selector: &str, domain_name: &str, message: &str) -> String {
    let key = SigningKey::new(kind, &new_key_of(kind).private, domain(domain_name), selector).unwrap();
    let (header, body) = message.split_at(crate::message::body_offset(message.as_bytes()));
    let mut hash = BodyHash::relaxed();
    hash.write(body.as_bytes());
    let field = key.sign(header.as_bytes(), &hash.finish(), Timestamp::from_seconds(1_700_000_000)).unwrap();
    format!("{}{message}", std::str::from_utf8(field.raw()).unwrap())
}
