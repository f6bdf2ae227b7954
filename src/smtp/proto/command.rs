//! What a client says, checked.

use super::mail::{Mail, Rcpt};
use crate::auth::{self, Mechanism};
use crate::telemetry::Secret;
use crate::types::AddressError;
use std::fmt;

/// One command line. Printing it gives the line back, without the line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    Ehlo(ClientName<'a>),
    Helo(ClientName<'a>),
    /// RFC 2033 section 4.1.
    Lhlo(ClientName<'a>),
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    Bdat(Chunk),
    Rset,
    Vrfy(&'a str),
    Expn(&'a str),
    Help,
    Noop,
    Quit,
    StartTls,
    Auth(AuthStart),
}

/// How a client calls itself. RFC 5321 section 4.1.1.1 wants a domain or an address literal, and section 4.1.4 forbids to
/// refuse mail over a wrong one. So: anything that can stand in a trace header without breaking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientName<'a>(&'a str);

impl<'a> ClientName<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]%+/".contains(&byte);
        let right = (1..=crate::types::limits::CLIENT_NAME_OCTETS_MAX).contains(&text.len()) && text.bytes().all(fits);
        right.then_some(Self(text))
    }

    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// RFC 3030 section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub octets: u64,
    pub last: bool,
}

/// RFC 4954 section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthStart {
    pub mechanism: Mechanism,
    /// Decoded. `=` on the line is an empty one.
    pub initial: Option<Secret<Vec<u8>>>,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// CR, LF or NUL inside the line. RFC 5321 section 2.3.8: nothing but CR LF together ends a line.
    LineEnd,
    Unknown,
    /// The verb of another protocol: a browser was made to talk to us.
    NotSmtp,
    Syntax,
    /// The command takes no argument and got one, or the other way round.
    Arguments,
    Sender(AddressError),
    Recipient(AddressError),
    /// RFC 6531 section 3.4.
    NeedsSmtpUtf8,
    UnknownParameter,
    Parameter(&'static str),
    RepeatedParameter(&'static str),
    Mechanism,
    Base64,
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineEnd => formatter.write_str("CR, LF or NUL inside a line"),
            Self::Unknown => formatter.write_str("no such command"),
            Self::NotSmtp => formatter.write_str("a command of another protocol"),
            Self::Syntax => formatter.write_str("the command is not well formed"),
            Self::Arguments => formatter.write_str("an argument is missing, or one is too many"),
            Self::Sender(error) => write!(formatter, "sender: {error}"),
            Self::Recipient(error) => write!(formatter, "recipient: {error}"),
            Self::NeedsSmtpUtf8 => formatter.write_str("an address in UTF-8 without SMTPUTF8"),
            Self::UnknownParameter => formatter.write_str("no such parameter"),
            Self::Parameter(keyword) => write!(formatter, "{keyword} has a wrong value"),
            Self::RepeatedParameter(keyword) => write!(formatter, "{keyword} stands there twice"),
            Self::Mechanism => formatter.write_str("no such mechanism"),
            Self::Base64 => formatter.write_str("not base64"),
        }
    }
}

impl std::error::Error for CommandError {}

impl fmt::Display for Command<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(formatter, "EHLO {}", name.0),
            Self::Helo(name) => write!(formatter, "HELO {}", name.0),
            Self::Lhlo(name) => write!(formatter, "LHLO {}", name.0),
            Self::Mail(mail) => mail.fmt(formatter),
            Self::Rcpt(rcpt) => rcpt.fmt(formatter),
            Self::Data => formatter.write_str("DATA"),
            Self::Bdat(chunk) => write!(formatter, "BDAT {}{}", chunk.octets, if chunk.last { " LAST" } else { "" }),
            Self::Rset => formatter.write_str("RSET"),
            Self::Vrfy(text) => write!(formatter, "VRFY {text}"),
            Self::Expn(text) => write!(formatter, "EXPN {text}"),
            Self::Help => formatter.write_str("HELP"),
            Self::Noop => formatter.write_str("NOOP"),
            Self::Quit => formatter.write_str("QUIT"),
            Self::StartTls => formatter.write_str("STARTTLS"),
            Self::Auth(start) => {
                write!(formatter, "AUTH {}", start.mechanism.name())?;
                match &start.initial {
                    None => Ok(()),
                    Some(initial) if initial.reveal().is_empty() => formatter.write_str(" ="),
                    Some(initial) => write!(formatter, " {}", auth::encode(initial.reveal())),
                }
            }
        }
    }
}
