//! The SMTP and LMTP grammar, once for both sides: commands, replies, the keywords of EHLO, message data on the wire.
//!
//! Bytes in, checked values out, and back. Nothing here knows a session, a socket or what is allowed when; the server's
//! session and the client decide that.

mod chunk;
mod command;
mod data;
mod extensions;
mod mail;
mod parse;
mod path;
mod reply;
mod xtext;

pub use chunk::{ChunkError, Chunks};
pub use command::{AuthStart, Chunk, ClientName, Command, CommandError};
pub use data::{DataDecoder, DataEncoder, Faults, LineEnds};
pub use extensions::{Extensions, FutureRelease, Mechanisms, RecipientLimits};
pub use mail::{DeliverBy, DeliverByMode, Hold, Mail, MailAuth, OriginalRecipient, Rcpt};
pub use path::ForwardPath;
pub use reply::{EnhancedCode, Reply, ReplyError, ReplyParser, write_reply};

#[cfg(test)]
mod tests;
