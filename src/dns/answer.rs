//! What comes back.

use crate::types::Domain;
use std::fmt;
use std::pin::Pin;

pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<Answer<T>, DnsError>> + Send + 'a>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// Never empty.
    pub records: Vec<T>,
    pub trust: Trust,
}

/// What DNSSEC says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Signed, and every signature was checked up to the root.
    Secure,
    /// Unsigned, or nobody checked.
    Insecure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// The name does not exist.
    NoSuchName,
    /// The name exists and has no records of the kind asked for.
    NoData,
    /// Nobody answered, or with an error, or signatures are wrong (to mail, that is the same: try again later). The text
    /// is for the log.
    Temporary(String),
}

impl fmt::Display for DnsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => formatter.write_str("the name does not exist"),
            Self::NoData => formatter.write_str("the name has no such records"),
            Self::Temporary(why) => write!(formatter, "DNS gave no answer: {why}"),
        }
    }
}

impl std::error::Error for DnsError {}

impl DnsError {
    /// Asking again later makes no sense.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Temporary(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    pub preference: u16,
    /// None: the domain takes no mail (RFC 7505).
    pub exchange: Option<Domain>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// None: the service is not offered (RFC 2782).
    pub target: Option<Domain>,
}

/// RFC 6698 section 2.1, as numbers: unknown ones are for the caller to skip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}
