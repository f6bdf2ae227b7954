//! Why a connection can't go on.

use std::fmt;
use std::io;

#[derive(Debug)]
pub enum NetError {
    /// The peer is gone; nothing can be said any more.
    Closed,
    /// The peer kept silent for longer than it may. A goodbye can still be tried.
    Idle,
    /// The peer sends or takes its data more slowly than it may.
    TooSlow,
    /// A line was longer than allowed. It has been read over: the session may answer and go on.
    LineTooLong,
    /// More input than a session may leave untaken.
    InputFull,
    /// Octets stood behind the command that started TLS or compression. They came before the protection did, so somebody
    /// on the way may have put them there (RFC 3207 section 4.2); the session has to end.
    PlaintextBehindUpgrade,
    /// TLS was asked for where it can't begin: it runs already, or compression does.
    UpgradeTwice,
    Tls(io::Error),
    Io(io::Error),
}

impl fmt::Display for NetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the peer closed the connection"),
            Self::Idle => formatter.write_str("the peer was silent for too long"),
            Self::TooSlow => formatter.write_str("the peer transfers too slowly"),
            Self::LineTooLong => formatter.write_str("a line is too long"),
            Self::InputFull => formatter.write_str("more input than the session may hold"),
            Self::PlaintextBehindUpgrade => formatter.write_str("octets came before the protection they were to have"),
            Self::UpgradeTwice => formatter.write_str("the connection is already protected or compressed"),
            Self::Tls(error) => write!(formatter, "TLS failed: {error}"),
            Self::Io(error) => write!(formatter, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for NetError {}

impl From<io::Error> for NetError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Self::Closed,
            _ => Self::Io(error),
        }
    }
}
