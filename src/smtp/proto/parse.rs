//! A line to a command.

use super::command::{AuthStart, Chunk, ClientName, Command, CommandError};
use super::mail;
use crate::auth::{self, Mechanism};
use crate::telemetry::Secret;

/// Verbs of HTTP and TLS-less proxies. A web page can make a browser send us a form whose lines hold SMTP commands;
/// such a session has to end at its first line.
const FOREIGN_VERBS: [&str; 6] = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"];

impl<'a> Command<'a> {
    /// `line` comes without its CR LF.
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(CommandError::LineEnd);
        }
        let text = std::str::from_utf8(line).map_err(|_| CommandError::Syntax)?;
        // RFC 5321 section 4.1.1: trailing white space should be tolerated.
        let text = text.trim_end_matches([' ', '\t']);
        let (verb, arguments) = text.split_once(' ').unwrap_or((text, ""));
        parse_verb(verb, arguments.trim_start_matches(' '))
    }
}

fn parse_verb<'a>(verb: &str, arguments: &'a str) -> Result<Command<'a>, CommandError> {
    let is = |name: &str| verb.eq_ignore_ascii_case(name);
    if is("MAIL") {
        mail::parse_mail(arguments).map(Command::Mail)
    } else if is("RCPT") {
        mail::parse_rcpt(arguments).map(Command::Rcpt)
    } else if is("DATA") {
        alone(arguments, Command::Data)
    } else if is("BDAT") {
        chunk(arguments).map(Command::Bdat)
    } else if is("EHLO") {
        name(arguments).map(Command::Ehlo)
    } else if is("HELO") {
        name(arguments).map(Command::Helo)
    } else if is("LHLO") {
        name(arguments).map(Command::Lhlo)
    } else if is("RSET") {
        alone(arguments, Command::Rset)
    } else if is("QUIT") {
        alone(arguments, Command::Quit)
    } else if is("STARTTLS") {
        alone(arguments, Command::StartTls)
    } else if is("AUTH") {
        auth(arguments).map(Command::Auth)
    } else if is("VRFY") {
        with_text(arguments).map(Command::Vrfy)
    } else if is("EXPN") {
        with_text(arguments).map(Command::Expn)
    } else if is("HELP") {
        Ok(Command::Help)
    } else if is("NOOP") {
        // RFC 5321 section 4.1.1.9: an argument is ignored.
        Ok(Command::Noop)
    } else if FOREIGN_VERBS.into_iter().any(is) {
        Err(CommandError::NotSmtp)
    } else {
        Err(CommandError::Unknown)
    }
}

fn alone<'a>(arguments: &str, command: Command<'a>) -> Result<Command<'a>, CommandError> {
    if arguments.is_empty() { Ok(command) } else { Err(CommandError::Arguments) }
}

fn name(arguments: &str) -> Result<ClientName<'_>, CommandError> {
    if arguments.is_empty() {
        return Err(CommandError::Arguments);
    }
    ClientName::parse(arguments).ok_or(CommandError::Syntax)
}

/// RFC 5321 section 4.1.1.6. What stands there is never looked up, so it is not taken apart either; RFC 6531 section
/// 3.7.4.2 lets it hold UTF-8 and a parameter.
fn with_text(arguments: &str) -> Result<&str, CommandError> {
    if arguments.is_empty() { Err(CommandError::Arguments) } else { Ok(arguments) }
}

fn chunk(arguments: &str) -> Result<Chunk, CommandError> {
    let (number, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    // A size we can't count can't be skipped either: no answer but a syntax error, and the session will not survive it.
    let octets: u64 = mail::digits(number, 20).filter(|octets| *octets < u64::MAX).ok_or(CommandError::Syntax)?;
    match rest.trim_start_matches(' ') {
        "" => Ok(Chunk { octets, last: false }),
        last if last.eq_ignore_ascii_case("LAST") => Ok(Chunk { octets, last: true }),
        _ => Err(CommandError::Syntax),
    }
}

fn auth(arguments: &str) -> Result<AuthStart, CommandError> {
    let (mechanism, initial) = match arguments.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim_start_matches(' '))),
        None => (arguments, None),
    };
    if mechanism.is_empty() {
        return Err(CommandError::Arguments);
    }
    let mechanism = Mechanism::from_name(mechanism).ok_or(CommandError::Mechanism)?;
    // RFC 4954 section 4: `=` is an initial response that is there and empty.
    let initial = initial.map(|text| auth::decode(text.as_bytes())).transpose().map_err(|_| CommandError::Base64)?;
    Ok(AuthStart { mechanism, initial: initial.map(Secret::new) })
}
