//! What a session needs to know from the rest of the server, as questions.
//!
//! The driver asks them one at a time; nothing is answered to the client, and nothing more is read from him, while one is
//! open. Whoever answers keeps what it learns in its [`Conversation`]: the proof of a login above all, which never
//! passes through here, so that nothing in this module could make one up.

use super::replies::Refusal;
use super::settings::Kind;
use crate::auth::Mechanism;
use crate::message::Protocol;
use crate::net::{Peer, TlsFacts};
use crate::telemetry::{Secret, SessionId};
use crate::types::{Envelope, HeldMessage, Recipient};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub type Verdict = Result<(), Refusal>;

/// Behind a listener.
pub trait Service: Send + Sync {
    /// Somebody connected. Refused, he hears why and is cut off.
    fn connect<'a>(&'a self, caller: &'a Caller) -> Answer<'a, Result<Box<dyn Conversation>, Refusal>>;
}

/// One session's counterpart.
pub trait Conversation: Send {
    /// Ways to log in that are open to this client over this connection as it is. Only asked where there is a login.
    fn logins(&self) -> &'static [Mechanism];

    /// TLS is on now. Whatever was learned from the client before is void (RFC 3207 section 4.2).
    fn encrypted(&mut self, tls: &TlsFacts);

    fn hello<'a>(&'a mut self, hello: &'a Hello) -> Answer<'a, Verdict>;

    /// A step of a login. A new [`AuthStep::Start`] voids an exchange that was under way.
    fn auth(&mut self, step: AuthStep) -> Answer<'_, AuthAnswer>;

    /// May this sender begin a message? The envelope has no recipients yet. Voids what was asked about a message before.
    fn mail<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict>;

    /// May it go to this recipient as well? The envelope has those before.
    fn rcpt<'a>(&'a mut self, envelope: &'a Envelope, recipient: &'a Recipient) -> Answer<'a, Verdict>;

    /// May the message itself come? The envelope is complete.
    fn data<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict>;

    /// Here it is. Answer when it is safe on disk, or refused.
    fn deliver(&mut self, arrived: Arrived) -> Answer<'_, Delivered>;
}

/// Who connected to what.
#[derive(Clone)]
pub struct Caller {
    pub session: SessionId,
    pub kind: Kind,
    pub peer: Peer,
    /// Where he reached us.
    pub local: Option<SocketAddr>,
    /// Set if TLS came first.
    pub tls: Option<TlsFacts>,
}

/// How the client introduced himself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub name: Box<str>,
    pub kind: HelloKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloKind {
    Helo,
    Ehlo,
    Lhlo,
}

/// A step of a login, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthStep {
    Start { mechanism: Mechanism, initial: Option<Secret<Vec<u8>>> },
    Response(Secret<Vec<u8>>),
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthAnswer {
    Challenge(Vec<u8>),
    /// With the name to be shown in the log.
    LoggedIn(Box<str>),
    Refused(Refusal),
}

/// A whole message.
#[derive(Debug)]
pub struct Arrived {
    pub envelope: Envelope,
    pub content: HeldMessage,
    pub hello: Hello,
    /// For the Received field (RFC 3848 and RFC 6531 section 4.3).
    pub protocol: Protocol,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// One answer for all recipients: what SMTP has words for.
    All(Verdict),
    /// One for each recipient, in the order of the envelope (RFC 2033 section 4.2).
    Each(Vec<Verdict>),
}
