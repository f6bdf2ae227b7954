//! Strings of a script: encoded characters (RFC 5228 section 2.4.2.4), then variables (RFC 5229 section 3).

use super::extensions::{Extension, Extensions};
use super::lexer::Position;
use super::script::CompileError;
use crate::types::limits::{SIEVE_MATCH_VARIABLES_MAX, SIEVE_VARIABLES_MAX};
use std::collections::BTreeSet;
use std::fmt::Write;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// A variable of this script, by number.
    Local(usize),
    /// A variable shared by all scripts of a run (RFC 6609 section 3.4).
    Global(String),
    /// `${1}`
    Match(usize),
}

/// A string with its variables found.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) at: Position,
    pub(super) pieces: Vec<Piece>,
}

impl Text {
    pub(super) fn literal(at: Position, text: &str) -> Self {
        Self { at, pieces: vec![Piece::Literal(text.to_owned())] }
    }

    /// The string itself when no variable is in it.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    pub(super) fn references(&self) -> usize {
        self.pieces.iter().filter(|piece| !matches!(piece, Piece::Literal(_))).count()
    }

    /// As the engine's lexer must see it. It misreads a backslash before the closing quote and takes every `${` for a
    /// variable, so quotes and backslashes go in as encoded characters and a literal dollar as a variable that holds one.
    pub(super) fn write_quoted(&self, out: &mut String) {
        out.push('"');
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => write_literal(text, out),
                Piece::Local(number) => _ = write!(out, "${{v{number}}}"),
                Piece::Global(name) => _ = write!(out, "${{global.g_{name}}}"),
                Piece::Match(number) => _ = write!(out, "${{global.ph_m{number}}}"),
            }
        }
        out.push('"');
    }
}

/// The global variable that holds a dollar sign.
pub(super) const DOLLAR_VARIABLE: &str = "ph_dollar";

fn write_literal(text: &str, out: &mut String) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => out.push_str("${hex:22}"),
            '\\' => out.push_str("${hex:5c}"),
            '$' if characters.peek() == Some(&'{') => _ = write!(out, "${{global.{DOLLAR_VARIABLE}}}"),
            other => out.push(other),
        }
    }
}

/// The variables a script has named so far.
#[derive(Default)]
pub(super) struct Variables {
    locals: Vec<String>,
    globals: BTreeSet<String>,
    /// How many of `${0}`, `${1}` and so on any string has asked for.
    pub(super) matches_used: usize,
}

impl Variables {
    pub(super) fn locals(&self) -> usize {
        self.locals.len()
    }

    /// The variable of this name, made when it is new: one that was never set reads as the empty string.
    pub(super) fn variable(&mut self, at: Position, name: &str) -> Result<Piece, CompileError> {
        let name = name.to_ascii_lowercase();
        if self.globals.contains(&name) {
            return Ok(Piece::Global(name));
        }
        if let Some(number) = self.locals.iter().position(|known| *known == name) {
            return Ok(Piece::Local(number));
        }
        if self.locals.len() >= SIEVE_VARIABLES_MAX {
            return Err(at.error(format!("a script may have {SIEVE_VARIABLES_MAX} variables")));
        }
        self.locals.push(name);
        Ok(Piece::Local(self.locals.len() - 1))
    }

    /// RFC 6609 section 3.4.1: a variable that was used before can't become global.
    pub(super) fn declare_global(&mut self, at: Position, name: &str) -> Result<(), CompileError> {
        if !is_identifier(name) {
            return Err(at.error(format!("\"{name}\" is no name for a variable")));
        }
        let name = name.to_ascii_lowercase();
        if self.locals.contains(&name) {
            return Err(at.error(format!("the variable \"{name}\" was used before it was declared global")));
        }
        if self.globals.len() >= SIEVE_VARIABLES_MAX {
            return Err(at.error(format!("a script may have {SIEVE_VARIABLES_MAX} global variables")));
        }
        self.globals.insert(name);
        Ok(())
    }

    /// What `set` and its like may write to.
    pub(super) fn target(&mut self, at: Position, name: &str, extensions: Extensions) -> Result<Piece, CompileError> {
        if is_identifier(name) {
            return self.variable(at, name);
        }
        match name.split_once('.') {
            Some((space, name)) if is_identifier(space) && is_identifier(name) => global(at, space, name, extensions),
            _ => Err(at.error(format!("\"{name}\" is no name for a variable"))),
        }
    }

    pub(super) fn interpret(&mut self, at: Position, text: &str, extensions: Extensions) -> Result<Text, CompileError> {
        let decoded;
        let mut rest = text;
        if extensions.has(Extension::EncodedCharacter) && text.contains("${") {
            decoded = decode_characters(at, text)?;
            rest = &decoded;
        }
        if !extensions.has(Extension::Variables) {
            return Ok(Text::literal(at, rest));
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        while let Some(start) = rest.find("${") {
            literal.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let name = after.find('}').map(|end| &after[..end]).filter(|name| is_reference(name));
            match name {
                Some(name) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(self.reference(at, name, extensions)?);
                    rest = &after[name.len() + 1..];
                }
                None => {
                    // RFC 5229 section 3: what is no reference is left as it is.
                    literal.push_str("${");
                    rest = after;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Text { at, pieces })
    }

    fn reference(&mut self, at: Position, name: &str, extensions: Extensions) -> Result<Piece, CompileError> {
        if name.starts_with(|character: char| character.is_ascii_digit()) {
            return match name.parse::<usize>() {
                Ok(number) if number < SIEVE_MATCH_VARIABLES_MAX => {
                    self.matches_used = self.matches_used.max(number + 1);
                    Ok(Piece::Match(number))
                }
                _ => Err(at.error(format!("match variables end at ${{{}}}", SIEVE_MATCH_VARIABLES_MAX - 1))),
            };
        }
        match name.split_once('.') {
            Some((space, name)) => global(at, space, name, extensions),
            None => self.variable(at, name),
        }
    }
}

/// RFC 5229 section 3: a namespace without its extension is an error. Only RFC 6609 has defined one.
fn global(at: Position, space: &str, name: &str, extensions: Extensions) -> Result<Piece, CompileError> {
    if space.eq_ignore_ascii_case("global") && extensions.has(Extension::Include) {
        return Ok(Piece::Global(name.to_ascii_lowercase()));
    }
    Err(at.error(format!("unknown namespace \"{space}\" in a variable's name")))
}

pub(super) fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn is_reference(name: &str) -> bool {
    let is_number = !name.is_empty() && name.chars().all(|character| character.is_ascii_digit());
    is_number || (!name.is_empty() && name.split('.').count() <= 2 && name.split('.').all(is_identifier))
}

/// `${hex:24 26}` and `${unicode:20AC}`. What is not quite one of them stays as it is, except code points that don't exist.
fn decode_characters(at: Position, text: &str) -> Result<String, CompileError> {
    let mut decoded: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        decoded.extend_from_slice(&rest.as_bytes()[..start]);
        let after = &rest[start + 2..];
        let found = after.find('}').and_then(|end| {
            let (kind, digits) = after[..end].split_once(':')?;
            let codes: Vec<&str> = digits.split([' ', '\t', '\r', '\n']).filter(|code| !code.is_empty()).collect();
            let digits_only = codes.iter().all(|code| code.chars().all(|digit| digit.is_ascii_hexdigit()));
            (digits_only && !codes.is_empty()).then_some((end, kind, codes))
        });
        let octets = match found {
            Some((end, kind, codes)) if kind.eq_ignore_ascii_case("hex") => {
                let octets: Option<Vec<u8>> = codes
                    .iter()
                    .map(|code| (code.len() <= 2).then(|| u8::from_str_radix(code, 16).ok()).flatten())
                    .collect();
                octets.map(|octets| (end, octets))
            }
            Some((end, kind, codes)) if kind.eq_ignore_ascii_case("unicode") => {
                let mut characters = String::new();
                for code in codes {
                    let character = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
                    characters.push(
                        character
                            .filter(|character| *character != '\0')
                            .ok_or_else(|| at.error(format!("there is no character {code} to encode")))?,
                    );
                }
                Some((end, characters.into_bytes()))
            }
            _ => None,
        };
        match octets {
            Some((end, octets)) => {
                decoded.extend_from_slice(&octets);
                rest = &after[end + 1..];
            }
            None => {
                decoded.extend_from_slice(b"${");
                rest = after;
            }
        }
    }
    decoded.extend_from_slice(rest.as_bytes());
    match String::from_utf8(decoded) {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded),
        _ => Err(at.error("the encoded characters make no UTF-8 text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Extensions {
        let mut extensions = Extensions::default();
        for extension in [Extension::Variables, Extension::EncodedCharacter, Extension::Include] {
            extensions.add(extension);
        }
        extensions
    }

    #[test]
    fn references_are_found_as_the_rfcs_say() {
        let check = |text: &str, expected: &[Piece]| {
            let found = Variables::default().interpret(Position::default(), text, all()).expect(text);
            assert_eq!(found.pieces, expected, "{text}");
        };
        let literal = |text: &str| Piece::Literal(text.to_owned());
        check("a${b}c", &[literal("a"), Piece::Local(0), literal("c")]);
        check("${B}${b}", &[Piece::Local(0), Piece::Local(0)]);
        check("&%${}!", &[literal("&%${}!")]);
        check("${doh!}", &[literal("${doh!}")]);
        check("${president, %(name)}", &[literal("${president, %(name)}")]);
        check("$${company}", &[literal("$"), Piece::Local(0)]);
        check("${3}${03}", &[Piece::Match(3), Piece::Match(3)]);
        check("${global.x}", &[Piece::Global("x".into())]);
        check("$${hex:40}", &[literal("$@")]);
        check("${hex: 40 }", &[literal("@")]);
        check("${HEX: 40}${hex:40${hex:40}", &[literal("@${hex:40@")]);
        check("${hex:}${hex:g}${hex:400}", &[literal("${hex:}${hex:g}${hex:400}")]);
        check("${unicode:20ac}", &[literal("€")]);
        check("${hex:24}{b}", &[Piece::Local(0)]);
    }

    #[test]
    fn what_can_not_be_is_an_error() {
        let check = |text: &str| {
            Variables::default().interpret(Position::default(), text, all()).expect_err(text);
        };
        check("${env.remote_ip}");
        check("${unicode:d800}");
        check("${unicode:110000}");
        check("${hex:ff}");
        check("${hex:00}");
        check("${99}");
        let mut variables = Variables::default();
        variables.variable(Position::default(), "x").expect("first");
        variables.declare_global(Position::default(), "X").expect_err("used before");
    }
}
