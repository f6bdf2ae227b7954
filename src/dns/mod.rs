//! Layer 1: what mail asks of DNS, behind one trait: the real thing ([`SystemResolver`]) and a zone in a text
//! ([`FakeResolver`]).
//!
//! What it will not do: choose a server to deliver to, or judge a policy; it tells what was answered, and how surely.
//!
//! SPF, DKIM and DMARC are evaluated by mail-auth, which asks DNS by itself through a hickory resolver; its caches are only
//! ever asked for what is already there, so they can't stand in for one. Therefore [`SystemResolver::hickory`] lends out
//! the resolver under ours (`MessageAuthenticator(resolver.hickory().clone())`): same servers, same timeouts, same cache.
//! A test gives it a [`FakeServer`], which answers from a [`FakeResolver`]'s zone on loopback.

mod answer;
mod fake;
mod fake_server;
mod system;

pub use answer::{Answer, Asked, DnsError, Mx, Srv, Tlsa, Trust};
pub use fake::{FakeResolver, ZoneError};
pub use fake_server::FakeServer;
pub use system::{SystemResolver, SystemResolverOptions};

use crate::types::Domain;
use std::net::IpAddr;

/// The questions of a mail server. An answer always has at least one record: "none" is an error that says which kind of
/// none it is, because mail treats a name that does not exist, one without such records and silence differently.
///
/// The futures are boxed so that the trait can be an object: a look into a cache that costs an allocation is still cheap.
pub trait Resolver: Send + Sync {
    /// Sorted by preference.
    fn mx<'a>(&'a self, name: &'a Domain) -> Asked<'a, Mx>;
    /// IPv6 and IPv4. It is an answer when one family has one; which comes first is the caller's choice.
    fn addresses<'a>(&'a self, name: &'a Domain) -> Asked<'a, IpAddr>;
    /// The strings of a record are joined without a gap (RFC 7208 section 3.3); octets outside UTF-8 are replaced.
    fn txt<'a>(&'a self, name: &'a Domain) -> Asked<'a, String>;
    fn ptr(&self, address: IpAddr) -> Asked<'_, Domain>;
    /// `name` is the whole name, `_25._tcp.` included.
    fn tlsa<'a>(&'a self, name: &'a Domain) -> Asked<'a, Tlsa>;
    /// Sorted by priority.
    fn srv<'a>(&'a self, name: &'a Domain) -> Asked<'a, Srv>;
    /// The alias itself, not where it leads.
    fn cname<'a>(&'a self, name: &'a Domain) -> Asked<'a, Domain>;
}

#[cfg(test)]
mod tests;
