//! DNS block lists (RFC 5782): whether a client's address is on one.
//!
//! What it will not do: decide what a listing means (that is [`is_exempt`] and the caller), or ask twice: the resolver
//! below remembers.

use crate::dns::Resolver;
use crate::types::limits::{BLOCK_LIST_SECONDS_MAX, BLOCK_LIST_TEXT_CHARACTERS_MAX, BLOCK_LISTS_MAX};
use crate::types::{Address, Domain};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The lists of the configuration. Cloning shares them.
#[derive(Clone)]
pub struct BlockLists {
    resolver: Arc<dyn Resolver>,
    lists: Arc<[Domain]>,
    patience: Duration,
}

/// An address is on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub address: IpAddr,
    pub list: Domain,
    /// What the list says about it, often an address of a page; of printable ASCII.
    pub explanation: Option<Box<str>>,
}

/// For the peer: which list it is, so that he knows where to complain.
impl fmt::Display for Listing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is listed by {}", self.address, self.list)?;
        match &self.explanation {
            Some(explanation) => write!(formatter, ": {explanation}"),
            None => Ok(()),
        }
    }
}

impl BlockLists {
    /// Lists beyond the limit are not asked.
    pub fn new(resolver: Arc<dyn Resolver>, lists: &[Domain]) -> Self {
        let lists = lists.iter().take(BLOCK_LISTS_MAX).cloned().collect();
        Self { resolver, lists, patience: Duration::from_secs(BLOCK_LIST_SECONDS_MAX) }
    }

    /// All lists are asked at once; of several listings the one whose list stands first counts. A list that does not answer
    /// in time has nothing to say.
    pub async fn listing(&self, address: IpAddr) -> Option<Listing> {
        let address = address.to_canonical();
        let deadline = Instant::now() + self.patience;
        let mut questions = JoinSet::new();
        for (place, list) in self.lists.iter().enumerate() {
            let (resolver, list) = (Arc::clone(&self.resolver), list.clone());
            questions.spawn(async move { Some((place, ask(&*resolver, address, list).await?)) });
        }
        let mut first: Option<(usize, Listing)> = None;
        while let Ok(Some(answer)) = timeout_at(deadline, questions.join_next()).await {
            if let Ok(Some(found)) = answer
                && first.as_ref().is_none_or(|(place, _)| found.0 < *place)
            {
                first = Some(found);
            }
        }
        first.map(|(_, listing)| listing)
    }
}

/// RFC 5321 section 4.5.1 wants the postmaster reachable for everybody, and RFC 2142 section 4 the one who hears of abuse:
/// a listed client may write to them, to say that the listing is wrong.
pub fn is_exempt(recipient: &Address) -> bool {
    ["postmaster", "abuse"].iter().any(|name| recipient.local().eq_ignore_ascii_case(name))
}

async fn ask(resolver: &dyn Resolver, address: IpAddr, list: Domain) -> Option<Listing> {
    let name = Domain::parse(&format!("{}.{list}", reversed(address))).ok()?;
    let answers = resolver.addresses(&name).await.ok()?;
    if !answers.records.iter().any(|answer| is_listing(*answer)) {
        return None;
    }
    // RFC 5782 section 2.1: a TXT record beside it says why.
    let texts = resolver.txt(&name).await.ok();
    let explanation = texts.and_then(|texts| texts.records.into_iter().next()).and_then(|text| printable(&text));
    Some(Listing { address, list, explanation })
}

/// RFC 5782 section 2.1 and section 2.4: octets, or nibbles, from the last to the first.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let digits = format!("{:032x}", v6.to_bits());
            let nibbles: Vec<String> = digits.chars().rev().map(String::from).collect();
            nibbles.join(".")
        }
    }
}

/// RFC 5782 section 2.3: an answer outside of 127.0.0.0/8 comes from a list that is no more, whose domain somebody has
/// bought. The last addresses of it are how lists say that they were asked wrongly (too often, or through a public resolver).
fn is_listing(answer: IpAddr) -> bool {
    let IpAddr::V4(v4) = answer else { return false };
    v4.is_loopback() && !matches!(v4.octets(), [127, 255, 255, _]) && v4 != Ipv4Addr::new(127, 0, 0, 0)
}

/// A stranger's text, as it may stand in a reply.
fn printable(text: &str) -> Option<Box<str>> {
    let kept: String = text
        .chars()
        .map(|character| if character.is_ascii_graphic() || character == ' ' { character } else { '?' })
        .take(BLOCK_LIST_TEXT_CHARACTERS_MAX)
        .collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::FakeResolver;

    const ZONE: &str = "
        2.2.0.192.first.example      A    127.0.0.2
        2.2.0.192.first.example      TXT  \"see https://first.example/?192.0.2.2\"
        2.2.0.192.second.example     A    127.0.0.10
        3.2.0.192.second.example     A    127.0.0.4
        4.2.0.192.first.example      A    127.255.255.254
        5.2.0.192.first.example      A    198.51.100.1
        6.2.0.192.first.example      FAIL
        6.2.0.192.second.example     A    127.0.0.2
        7.2.0.192.first.example      AAAA ::1
        8.2.0.192.first.example      A    127.255.255.254
        8.2.0.192.first.example      A    127.0.0.2
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.first.example A 127.0.0.2
    ";

    #[tokio::test]
    async fn listed_addresses_are_known() {
        let lists: Vec<Domain> =
            ["first.example", "second.example"].iter().map(|list| Domain::parse(list).unwrap()).collect();
        let lists = BlockLists::new(Arc::new(FakeResolver::new(ZONE).unwrap()), &lists);
        let check = async |address: &str, expected: Option<&str>| {
            let found = lists.listing(address.parse().unwrap()).await;
            assert_eq!(found.map(|listing| listing.to_string()).as_deref(), expected, "{address}");
        };
        check("192.0.2.1", None).await;
        let first = "192.0.2.2 is listed by first.example: see https://first.example/?192.0.2.2";
        check("192.0.2.2", Some(first)).await;
        check("::ffff:192.0.2.2", Some(first)).await;
        check("192.0.2.3", Some("192.0.2.3 is listed by second.example")).await;
        check("192.0.2.4", None).await;
        check("192.0.2.5", None).await;
        check("192.0.2.6", Some("192.0.2.6 is listed by second.example")).await;
        check("192.0.2.7", None).await;
        check("192.0.2.8", Some("192.0.2.8 is listed by first.example")).await;
        check("2001:db8::1", Some("2001:db8::1 is listed by first.example")).await;
        check("2001:db8::2", None).await;
        assert_eq!(BlockLists::new(Arc::new(FakeResolver::default()), &[]).listing([192, 0, 2, 2].into()).await, None);
    }

    /// A list whose answers never come.
    struct Silent;

    impl Resolver for Silent {
        fn mx<'a>(&'a self, _: &'a Domain) -> crate::dns::Asked<'a, crate::dns::Mx> {
            Box::pin(std::future::pending())
        }
        fn addresses<'a>(&'a self, _: &'a Domain) -> crate::dns::Asked<'a, IpAddr> {
            Box::pin(std::future::pending())
        }
        fn txt<'a>(&'a self, _: &'a Domain) -> crate::dns::Asked<'a, String> {
            Box::pin(std::future::pending())
        }
        fn ptr(&self, _: IpAddr) -> crate::dns::Asked<'_, Domain> {
            Box::pin(std::future::pending())
        }
        fn tlsa<'a>(&'a self, _: &'a Domain) -> crate::dns::Asked<'a, crate::dns::Tlsa> {
            Box::pin(std::future::pending())
        }
        fn srv<'a>(&'a self, _: &'a Domain) -> crate::dns::Asked<'a, crate::dns::Srv> {
            Box::pin(std::future::pending())
        }
        fn cname<'a>(&'a self, _: &'a Domain) -> crate::dns::Asked<'a, Domain> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn silent_lists_say_nothing() {
        let mut lists = BlockLists::new(Arc::new(Silent), &[Domain::parse("silent.example").unwrap()]);
        lists.patience = Duration::from_millis(20);
        assert_eq!(lists.listing([192, 0, 2, 2].into()).await, None);
    }

    #[test]
    fn texts_of_strangers_are_tamed() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(printable(text).as_deref(), expected);
        check("plain text", Some("plain text"));
        check("a\r\n250 OK\u{fc}", Some("a??250 OK?"));
        check(" ", None);
        assert_eq!(printable(&"x".repeat(10_000)).map(|text| text.len()), Some(BLOCK_LIST_TEXT_CHARACTERS_MAX));
    }

    #[test]
    fn some_can_always_be_written_to() {
        let check = |address: &str, expected| assert_eq!(is_exempt(&Address::parse(address).unwrap()), expected);
        check("Postmaster@example.org", true);
        check("abuse@example.org", true);
        check("jane@example.org", false);
        check("postmaster.x@example.org", false);
    }
}
