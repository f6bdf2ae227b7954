//! Layer 2: mail on its way out: what is due, to which server, when again, when to give up and whom to tell.
//!
//! What it will not do: speak SMTP; that is behind [`Transport`].

mod transport;

pub use transport::{
    Answer, Content, ContentError, Failure, FailureCause, Fate, Login, Outgoing, OutgoingRecipient, Peer, Pending,
    Protocol, Sent, Session, Stage, TlsDemand, Transport,
};
