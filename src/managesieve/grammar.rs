//! Commands as they are written (RFC 5804 section 4): parts of a command in, a typed command out.

use super::framing::Part;
use crate::telemetry::Secret;
use crate::types::limits::{MANAGESIEVE_ARGUMENTS_MAX, SCRIPT_NAME_OCTETS_MAX};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Authenticate {
        mechanism: String,
        initial: Option<Base64>,
    },
    StartTls,
    Logout,
    Capability,
    Noop {
        tag: Option<Vec<u8>>,
    },
    Unauthenticate,
    HaveSpace {
        name: String,
        octets: u64,
    },
    PutScript {
        name: String,
        text: Vec<u8>,
    },
    CheckScript {
        text: Vec<u8>,
    },
    ListScripts,
    /// None: no script at all.
    SetActive {
        name: Option<String>,
    },
    GetScript {
        name: String,
    },
    DeleteScript {
        name: String,
    },
    RenameScript {
        from: String,
        to: String,
    },
}

/// A SASL message as the client wrote it.
pub(super) type Base64 = Secret<Vec<u8>>;

/// What a client says in the middle of a SASL exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response {
    Message(Base64),
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyntaxError {
    UnknownCommand,
    MissingArgument,
    TooManyArguments,
    StringExpected,
    NumberExpected,
    /// What stands between the words of a command is a space.
    SpaceExpected,
    UnclosedQuote,
    /// RFC 5804 section 4: in quotes only `"` and `\` are escaped.
    BadEscape,
    BadCharacter,
    /// RFC 5804 section 1.6.
    BadName,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnknownCommand => "There is no such command",
            Self::MissingArgument => "An argument is missing",
            Self::TooManyArguments => "There are too many arguments",
            Self::StringExpected => "A string was expected",
            Self::NumberExpected => "A number was expected",
            Self::SpaceExpected => "A space was expected",
            Self::UnclosedQuote => "A quoted string has no end",
            Self::BadEscape => "Only a quote or a backslash can follow a backslash",
            Self::BadCharacter => "A character stands where it can't",
            Self::BadName => "This can't be a script's name",
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Atom(Vec<u8>),
    String(Vec<u8>),
}

/// None: an empty line. Some clients send one too many behind a literal, and an answer to it would be taken for the answer
/// to their next command.
pub(super) fn command(parts: Vec<Part>) -> Result<Option<Command>, SyntaxError> {
    let mut arguments = Arguments::read(parts)?;
    let Some(word) = arguments.0.next() else { return Ok(None) };
    let Token::Atom(word) = word else { return Err(SyntaxError::UnknownCommand) };
    let command = match word.to_ascii_uppercase().as_slice() {
        b"AUTHENTICATE" => {
            Command::Authenticate { mechanism: arguments.mechanism()?, initial: arguments.optional()?.map(Secret::new) }
        }
        b"STARTTLS" => Command::StartTls,
        b"LOGOUT" => Command::Logout,
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop { tag: arguments.optional()? },
        b"UNAUTHENTICATE" => Command::Unauthenticate,
        b"HAVESPACE" => Command::HaveSpace { name: arguments.name()?, octets: arguments.number()? },
        b"PUTSCRIPT" => Command::PutScript { name: arguments.name()?, text: arguments.string()? },
        b"CHECKSCRIPT" => Command::CheckScript { text: arguments.string()? },
        b"LISTSCRIPTS" => Command::ListScripts,
        b"SETACTIVE" => Command::SetActive { name: arguments.active_name()? },
        b"GETSCRIPT" => Command::GetScript { name: arguments.name()? },
        b"DELETESCRIPT" => Command::DeleteScript { name: arguments.name()? },
        b"RENAMESCRIPT" => Command::RenameScript { from: arguments.name()?, to: arguments.name()? },
        _ => return Err(SyntaxError::UnknownCommand),
    };
    arguments.end()?;
    Ok(Some(command))
}

/// RFC 5804 section 2.1: a string; the one that says `*` ends the exchange, which some clients write without quotes.
pub(super) fn response(parts: Vec<Part>) -> Result<Response, SyntaxError> {
    let mut arguments = Arguments::read(parts)?;
    let message = match arguments.0.next() {
        Some(Token::String(message)) => message,
        Some(Token::Atom(atom)) if atom == b"*" => atom,
        Some(Token::Atom(_)) => return Err(SyntaxError::StringExpected),
        None => return Err(SyntaxError::MissingArgument),
    };
    arguments.end()?;
    Ok(if message == b"*" { Response::Cancel } else { Response::Message(Secret::new(message)) })
}

struct Arguments(std::vec::IntoIter<Token>);

impl Arguments {
    fn read(parts: Vec<Part>) -> Result<Self, SyntaxError> {
        let mut tokens = Vec::new();
        for Part { text, literal } in parts {
            words(&text, &mut tokens)?;
            tokens.extend(literal.map(Token::String));
            if tokens.len() > MANAGESIEVE_ARGUMENTS_MAX {
                return Err(SyntaxError::TooManyArguments);
            }
        }
        Ok(Self(tokens.into_iter()))
    }

    fn string(&mut self) -> Result<Vec<u8>, SyntaxError> {
        self.optional()?.ok_or(SyntaxError::MissingArgument)
    }

    fn optional(&mut self) -> Result<Option<Vec<u8>>, SyntaxError> {
        match self.0.next() {
            Some(Token::String(string)) => Ok(Some(string)),
            Some(Token::Atom(_)) => Err(SyntaxError::StringExpected),
            None => Ok(None),
        }
    }

    /// Quoted, but the word can be no other, so it is understood without quotes as well.
    fn mechanism(&mut self) -> Result<String, SyntaxError> {
        let (Token::String(name) | Token::Atom(name)) = self.0.next().ok_or(SyntaxError::MissingArgument)?;
        String::from_utf8(name).map_err(|_| SyntaxError::BadCharacter)
    }

    fn number(&mut self) -> Result<u64, SyntaxError> {
        match self.0.next() {
            Some(Token::Atom(digits)) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                // What does not fit is as much too much as the largest that does.
                Ok(std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX))
            }
            Some(_) => Err(SyntaxError::NumberExpected),
            None => Err(SyntaxError::MissingArgument),
        }
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        self.active_name()?.ok_or(SyntaxError::BadName)
    }

    /// RFC 5804 section 2.8: the empty name stands for no script.
    fn active_name(&mut self) -> Result<Option<String>, SyntaxError> {
        let name = String::from_utf8(self.string()?).map_err(|_| SyntaxError::BadName)?;
        // RFC 5804 section 1.6; the byte order mark is what RFC 5198 section 2 keeps out. Names are compared octet by octet:
        // to bring them into one normal form is the sender's part there, and doing it here would hide scripts that were
        // stored by other ways.
        let breaks = |one: char| one.is_control() || matches!(one, '\u{2028}' | '\u{2029}');
        if name.len() > SCRIPT_NAME_OCTETS_MAX || name.starts_with('\u{feff}') || name.chars().any(breaks) {
            return Err(SyntaxError::BadName);
        }
        Ok((!name.is_empty()).then_some(name))
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        if self.0.next().is_some() { Err(SyntaxError::TooManyArguments) } else { Ok(()) }
    }
}

/// Splits the text of one part. More than one space between two words does no harm.
fn words(text: &[u8], tokens: &mut Vec<Token>) -> Result<(), SyntaxError> {
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if tokens.len() > MANAGESIEVE_ARGUMENTS_MAX {
            return Err(SyntaxError::TooManyArguments);
        }
        rest = match first {
            b' ' => after,
            b'"' => {
                let (string, after) = quoted(after)?;
                tokens.push(Token::String(string));
                if after.first().is_some_and(|octet| *octet != b' ') {
                    return Err(SyntaxError::SpaceExpected);
                }
                after
            }
            _ => {
                let length = rest.iter().position(|octet| *octet == b' ').unwrap_or(rest.len());
                let (atom, after) = rest.split_at(length);
                if !atom.iter().copied().all(is_atom_character) {
                    return Err(SyntaxError::BadCharacter);
                }
                tokens.push(Token::Atom(atom.to_vec()));
                after
            }
        };
    }
    Ok(())
}

/// What follows the opening quote. The 1,024 octets RFC 5804 section 4 allows are a promise of the sender's; a line is
/// bounded anyway, so longer strings are understood.
fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), SyntaxError> {
    let mut string = Vec::new();
    let mut octets = text.iter().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'"' => return Ok((string, &text[at + 1..])),
            b'\\' => match octets.next() {
                Some((_, escaped @ (b'"' | b'\\'))) => string.push(*escaped),
                Some(_) => return Err(SyntaxError::BadEscape),
                None => return Err(SyntaxError::UnclosedQuote),
            },
            0 | b'\r' => return Err(SyntaxError::BadCharacter),
            other => string.push(*other),
        }
    }
    Err(SyntaxError::UnclosedQuote)
}

/// ATOM-CHAR.
fn is_atom_character(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'(' | b')' | b'{' | b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], literal: Option<&[u8]>) -> Result<Option<Command>, SyntaxError> {
        let literal = literal.map(<[u8]>::to_vec);
        let mut parts = vec![Part { text: text.to_vec(), literal }];
        parts.push(Part::default());
        command(parts)
    }

    #[test]
    fn commands() {
        let check =
            |text: &str, expected: Command| assert_eq!(read(text.as_bytes(), None), Ok(Some(expected)), "{text}");
        let name = |name: &str| name.to_owned();
        check("capability", Command::Capability);
        check("LOGOUT ", Command::Logout);
        check("StartTls", Command::StartTls);
        check("NOOP", Command::Noop { tag: None });
        check("NOOP \"a\\\"b\\\\\"", Command::Noop { tag: Some(b"a\"b\\".to_vec()) });
        check("AUTHENTICATE \"PLAIN\"", Command::Authenticate { mechanism: name("PLAIN"), initial: None });
        check(
            "authenticate PLAIN \"\"",
            Command::Authenticate { mechanism: name("PLAIN"), initial: Some(Secret::new(Vec::new())) },
        );
        check("HAVESPACE \"é\" 4711", Command::HaveSpace { name: name("é"), octets: 4711 });
        check("HAVESPACE \"a\" 99999999999999999999999", Command::HaveSpace { name: name("a"), octets: u64::MAX });
        check("PUTSCRIPT  \"a\"  \"keep;\"", Command::PutScript { name: name("a"), text: b"keep;".to_vec() });
        check("SETACTIVE \"\"", Command::SetActive { name: None });
        check("SETACTIVE \"a\"", Command::SetActive { name: Some(name("a")) });
        check("RENAMESCRIPT \"a\" \"b\"", Command::RenameScript { from: name("a"), to: name("b") });
        assert_eq!(
            read(b"PUTSCRIPT \"a\" ", Some(b"k\xff")),
            Ok(Some(Command::PutScript { name: name("a"), text: b"k\xff".to_vec() }))
        );
        assert_eq!(read(b"", None), Ok(None));
        assert_eq!(read(b"   ", None), Ok(None));
    }

    #[test]
    fn what_is_no_command() {
        let check = |text: &[u8], expected: SyntaxError| {
            assert_eq!(read(text, None), Err(expected), "{}", String::from_utf8_lossy(text));
        };
        check(b"FROB", SyntaxError::UnknownCommand);
        check(b"\"NOOP\"", SyntaxError::UnknownCommand);
        check(b"LISTSCRIPTS \"a\"", SyntaxError::TooManyArguments);
        check(b"NOOP a", SyntaxError::StringExpected);
        check(b"NOOP \"a\"b", SyntaxError::SpaceExpected);
        check(b"NOOP \"a\"\"b\"", SyntaxError::SpaceExpected);
        check(b"NOOP \"a", SyntaxError::UnclosedQuote);
        check(b"NOOP \"a\\", SyntaxError::UnclosedQuote);
        check(b"NOOP \"\\n\"", SyntaxError::BadEscape);
        check(b"NOOP \"a\rb\"", SyntaxError::BadCharacter);
        check(b"NOOP {3+}x", SyntaxError::BadCharacter);
        check(b"NO\0P", SyntaxError::BadCharacter);
        check(b"HAVESPACE \"a\"", SyntaxError::MissingArgument);
        check(b"HAVESPACE \"a\" \"1\"", SyntaxError::NumberExpected);
        check(b"HAVESPACE \"a\" -1", SyntaxError::NumberExpected);
        check(b"PUTSCRIPT \"a\"", SyntaxError::MissingArgument);
        check(b"GETSCRIPT \"\"", SyntaxError::BadName);
        check(b"GETSCRIPT \"a\tb\"", SyntaxError::BadName);
        check(b"GETSCRIPT \"a\xff\"", SyntaxError::BadName);
        check("GETSCRIPT \"a\u{2028}\"".as_bytes(), SyntaxError::BadName);
        check("GETSCRIPT \"a\u{85}\"".as_bytes(), SyntaxError::BadName);
        check("SETACTIVE \"\u{feff}a\"".as_bytes(), SyntaxError::BadName);
        check(format!("GETSCRIPT \"{}\"", "a".repeat(513)).as_bytes(), SyntaxError::BadName);
        check(b"RENAMESCRIPT \"a\" \"\"", SyntaxError::BadName);
        check(&b"a ".repeat(100), SyntaxError::TooManyArguments);
    }

    #[test]
    fn responses() {
        let check = |text: &str, expected: Result<Response, SyntaxError>| {
            assert_eq!(response(vec![Part { text: text.into(), literal: None }]), expected, "{text}");
        };
        let message = |text: &str| Ok(Response::Message(Secret::new(text.into())));
        check("\"YQ==\"", message("YQ=="));
        check("\"\"", message(""));
        check("\"*\"", Ok(Response::Cancel));
        check("*", Ok(Response::Cancel));
        check("YQ==", Err(SyntaxError::StringExpected));
        check("", Err(SyntaxError::MissingArgument));
        check("\"a\" \"b\"", Err(SyntaxError::TooManyArguments));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn nothing_makes_it_panic(
            text in prop::collection::vec(any::<u8>(), 0..80),
            literal in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        ) {
            let _ = read(&text, literal.as_deref());
            let _ = read(&[b"PUTSCRIPT ".as_slice(), &text].concat(), literal.as_deref());
            let _ = response(vec![Part { text, literal }]);
        }
    }
}
