//! The border to the wire: what the queue asks of whoever speaks SMTP, and what it hears back.

use crate::dns::Tlsa;
use crate::telemetry::Secret;
use crate::types::{Address, BodyKind, Domain, DsnReturn, Notify, Timestamp};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Speaks to other servers.
pub trait Transport: Send + Sync {
    /// Up to the point where a message could be begun: connected, greeted, encrypted and logged in as `peer` says.
    fn open<'a>(&'a self, peer: &'a Peer) -> Pending<'a, Result<Box<dyn Session>, Failure>>;

    /// The policy a domain publishes about the servers it takes mail by (RFC 8461 section 3.3): the text at
    /// `https://HOST/.well-known/mta-sts.txt`, from the first of the addresses that answers. The error is for the log.
    fn published_policy<'a>(&'a self, host: &'a Domain, addresses: &'a [IpAddr])
    -> Pending<'a, Result<String, String>>;
}

/// One open connection to a server.
pub trait Session: Send {
    /// One message. There are as many fates as recipients, in their order.
    fn send<'a>(&'a mut self, mail: &'a mut Outgoing) -> Pending<'a, Sent>;

    /// Whether mail from nobody would be taken for these, without sending any. As many fates, in their order.
    fn ask<'a>(&'a mut self, recipients: &'a [Address]) -> Pending<'a, Vec<Fate>>;

    /// What protects the connection, for the ledger: `TLS1.3 with …`. `None`: nothing does.
    fn protection(&self) -> Option<String>;

    /// Says goodbye.
    fn close(self: Box<Self>) -> Pending<'static, ()>;
}

/// Which server, and how to speak to it. Sessions with equal peers can stand in for one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// As certificates and the log have it.
    pub name: Domain,
    pub address: SocketAddr,
    pub protocol: Protocol,
    pub tls: TlsDemand,
    pub login: Option<Login>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// What protects a connection, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsDemand {
    /// Not even where it is offered: what is left when a handshake has failed that nobody insisted on.
    Never,
    /// RFC 7435: where it is offered, towards whoever answers.
    IfOffered,
    /// Always, towards whoever answers.
    Encrypted,
    /// Always, and the certificate is good for the peer's name.
    Verified,
    /// Always, and the certificate is one that signed DNS names (RFC 7672).
    Pinned(Vec<Tlsa>),
    /// `Verified`, from the first octet instead of by STARTTLS (RFC 8314 section 3.3).
    FromTheStart,
}

impl TlsDemand {
    /// Whether the peer proves who it is: RFC 8689 section 4.2.1 asks for that.
    pub fn is_proof(&self) -> bool {
        matches!(self, Self::Verified | Self::Pinned(_) | Self::FromTheStart)
    }
}

/// Name and password for a smarthost.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub name: String,
    pub password: Secret<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "login of {}", self.name)
    }
}

/// A message with its envelope, for some recipients at one server.
pub struct Outgoing {
    /// `None`: the null reverse-path.
    pub sender: Option<Address>,
    pub recipients: Vec<OutgoingRecipient>,
    pub content: Box<dyn Content>,
    /// The message or an address in it can't be said without SMTPUTF8 (RFC 6531 section 3.2).
    pub needs_utf8: bool,
    /// RFC 8689.
    pub requiretls: bool,
    pub dsn_return: Option<DsnReturn>,
    pub envelope_id: Option<String>,
    /// RFC 2852: the time, and whether to return the message when it is late.
    pub deliver_by: Option<(Timestamp, bool)>,
    pub priority: i8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingRecipient {
    pub address: Address,
    pub notify: Notify,
    /// RFC 3461 section 4.2, decoded.
    pub original: Option<String>,
}

/// A message's octets, a piece at a time, so that a large one is never whole in memory.
pub trait Content: Send {
    fn octets(&self) -> u64;

    fn kind(&self) -> BodyKind;

    /// From the start again: what was read belonged to a transaction that came to nothing.
    fn rewind(&mut self);

    /// The next piece; `None` after the last.
    fn next(&mut self) -> Pending<'_, Result<Option<Vec<u8>>, ContentError>>;

    /// Makes it one that a peer without 8BITMIME takes.
    fn make_seven_bit(&mut self) -> Pending<'_, Result<(), ContentError>>;
}

/// Why there is no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentError {
    /// It can't be made seven-bit, and why.
    EightBit(String),
    /// It can't be read: our fault, and not for ever.
    Unreadable(String),
}

impl fmt::Display for ContentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EightBit(why) => formatter.write_str(why),
            Self::Unreadable(why) => write!(formatter, "the message could not be read: {why}"),
        }
    }
}

impl std::error::Error for ContentError {}

/// What came of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub fates: Vec<Fate>,
    /// The session can take another message.
    pub reusable: bool,
}

impl Sent {
    /// The same for all.
    pub fn all(recipients: usize, failure: &Failure, reusable: bool) -> Self {
        Self { fates: vec![Fate::Failed(failure.clone()); recipients], reusable }
    }
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the peer's business now.
    Taken {
        answer: Answer,
        /// The peer was told what reports are wanted, and gives them (RFC 3461 section 6.2.2).
        reports: bool,
    },
    Failed(Failure),
}

/// A server's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    /// RFC 3463.
    pub enhanced: Option<(u8, u16, u16)>,
    /// On one line, without the codes.
    pub text: String,
}

/// As it was said.
impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(formatter, " {class}.{subject}.{detail}")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(formatter, " {}", self.text) }
    }
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Connect,
    Greeting,
    Hello,
    Tls,
    Login,
    Mail,
    Rcpt,
    /// Up to the permission to send the message.
    Data,
    /// The message was under way, or gone: a lost answer leaves open what became of it.
    Message,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connect => "while connecting",
            Self::Greeting => "before its greeting",
            Self::Hello => "at EHLO",
            Self::Tls => "at STARTTLS",
            Self::Login => "at AUTH",
            Self::Mail => "at MAIL",
            Self::Rcpt => "at RCPT",
            Self::Data => "at DATA",
            Self::Message => "after the message",
        })
    }
}

/// Why it did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub stage: Stage,
    pub cause: FailureCause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// The server said so.
    Answer(Answer),
    /// There is no connection to it.
    Unreachable(String),
    /// It hung up.
    Lost,
    /// It kept silent for too long.
    TimedOut,
    /// What it says is no SMTP.
    Protocol(String),
    /// TLS was a must and is not offered.
    NoTls,
    /// TLS did not come about, or the certificate is not the right one.
    Tls(String),
    /// It offers no way to log in that we take, or did not prove itself.
    Login(String),
    /// The message needs what the server lacks.
    NoUtf8,
    NoRequireTls,
    /// RFC 1870: it said how much it takes.
    TooLarge {
        octets: u64,
        octets_max: u64,
    },
    /// It takes no more recipients of one message at a time: the others are for a second one.
    TooManyRecipients,
    Content(ContentError),
}

impl Failure {
    pub fn new(stage: Stage, cause: FailureCause) -> Self {
        Self { stage, cause }
    }

    pub fn answer(&self) -> Option<&Answer> {
        match &self.cause {
            FailureCause::Answer(answer) => Some(answer),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            FailureCause::Answer(answer) => write!(formatter, "{answer} ({})", self.stage),
            FailureCause::Unreachable(why) => write!(formatter, "no connection: {why}"),
            FailureCause::Lost => write!(formatter, "the server hung up {}", self.stage),
            FailureCause::TimedOut => write!(formatter, "the server did not answer in time {}", self.stage),
            FailureCause::Protocol(what) => write!(formatter, "{what} ({})", self.stage),
            FailureCause::NoTls => formatter.write_str("the server offers no TLS, and it has to be encrypted"),
            FailureCause::Tls(why) => write!(formatter, "TLS failed: {why}"),
            FailureCause::Login(why) => write!(formatter, "the login failed: {why}"),
            FailureCause::NoUtf8 => formatter.write_str("the server takes no addresses and headers in UTF-8"),
            FailureCause::NoRequireTls => {
                formatter.write_str("the server does not promise TLS for the rest of the way")
            }
            FailureCause::TooLarge { octets, octets_max } => {
                write!(formatter, "the message has {octets} octets, the server takes {octets_max}")
            }
            FailureCause::TooManyRecipients => formatter.write_str("the server takes no more recipients at a time"),
            FailureCause::Content(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for Failure {}
