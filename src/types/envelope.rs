//! What surrounds a message on its way: RFC 5321's envelope with the parameters of its extensions.

use super::{Address, Timestamp};

/// The sender's side and all recipients of one message.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Envelope {
    /// `None` is the null reverse-path `<>`.
    pub sender: Option<Address>,
    pub recipients: Vec<Recipient>,
    /// RFC 1870 section 6: what the sender says it is long; 0 where he says nothing.
    #[serde(default)]
    pub declared_octets: u64,
    pub body: BodyKind,
    /// RFC 6531: the message or its addresses need UTF-8 headers.
    pub smtputf8: bool,
    /// RFC 8689: only over verified TLS, or back to the sender.
    pub requiretls: bool,
    /// RFC 3461 section 4.3.
    pub dsn_return: Option<DsnReturn>,
    /// RFC 3461 section 4.4, decoded.
    pub dsn_envelope_id: Option<String>,
    /// RFC 4865: not before this time.
    pub hold_until: Option<Timestamp>,
    /// RFC 2852: by this time; the flag says whether to return it when late (`R`) rather than to tell (`N`).
    pub deliver_by: Option<(Timestamp, bool)>,
    /// RFC 6710: −9 to 9.
    pub priority: i8,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Recipient {
    pub address: Address,
    pub notify: Notify,
    /// RFC 3461 section 4.2: `rfc822;jane@example.org`, decoded from xtext.
    pub original: Option<String>,
}

impl Recipient {
    pub fn plain(address: Address) -> Self {
        Self { address, notify: Notify::default(), original: None }
    }
}

/// RFC 3461 section 4.1. All off and `never` off means the parameter was absent: failures, and delays if we please.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Notify {
    pub never: bool,
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

impl Notify {
    pub const NEVER: Self = Self { never: true, success: false, failure: false, delay: false };

    pub fn wants_failure(self) -> bool {
        self.failure || self == Self::default()
    }

    pub fn wants_delay(self) -> bool {
        self.delay || self == Self::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DsnReturn {
    Full,
    Headers,
}

/// RFC 6152 and RFC 3030.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum BodyKind {
    #[default]
    SevenBit,
    EightBit,
    Binary,
}
