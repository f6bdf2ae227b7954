//! Words of a script with the place where each was written (RFC 5228 section 2.1 to 2.4 and 8.1).
//!
//! The engine has a lexer of its own, but it forgets positions, reads `\n` in a string as a line feed and takes a string
//! that ends in an escaped backslash for an open one. So every script is read here and written anew for the engine.

use super::script::CompileError;

/// Line and column in the text the user wrote, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    pub(super) fn error(self, message: impl Into<String>) -> CompileError {
        CompileError { line: self.line, column: self.column, message: message.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// In lower case: RFC 5228 section 2.10.1 makes identifiers and tags insensitive to case.
    Identifier(String),
    /// Without the colon.
    Tag(String),
    Number(u64),
    Text(String),
    Symbol(char),
}

impl Token {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Identifier(name) => format!("\"{name}\""),
            Self::Tag(name) => format!("\":{name}\""),
            Self::Number(number) => format!("the number {number}"),
            Self::Text(_) => "a string".to_owned(),
            Self::Symbol(symbol) => format!("\"{symbol}\""),
        }
    }
}

/// A token with the place of its first character, and the place behind its last.
pub(super) struct Placed {
    pub(super) at: Position,
    pub(super) token: Token,
    pub(super) end: Position,
}

struct Lexer<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
    at: Position,
}

/// All tokens of a script. `source` is UTF-8 without NUL already (RFC 5228 section 2.1).
pub(super) fn tokens(source: &str) -> Result<Vec<Placed>, CompileError> {
    let mut lexer = Lexer { rest: source.chars().peekable(), at: Position { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if character == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(character)
    }

    fn token(&mut self) -> Result<Option<Placed>, CompileError> {
        loop {
            let Some(&first) = self.rest.peek() else { return Ok(None) };
            let at = self.at;
            let token = match first {
                ' ' | '\t' | '\r' | '\n' => {
                    self.next();
                    continue;
                }
                '#' => {
                    while self.next().is_some_and(|character| character != '\n') {}
                    continue;
                }
                '/' => {
                    self.block_comment()?;
                    continue;
                }
                '"' => self.quoted()?,
                ':' => {
                    self.next();
                    let name = self.word();
                    if name.is_empty() || name.starts_with(|character: char| character.is_ascii_digit()) {
                        return Err(at.error("a tag needs a name after the colon"));
                    }
                    Token::Tag(name)
                }
                '0'..='9' => self.number()?,
                'a'..='z' | 'A'..='Z' | '_' => {
                    let word = self.word();
                    if word == "text" && self.rest.peek() == Some(&':') {
                        self.next();
                        self.multiline(at)?
                    } else {
                        Token::Identifier(word)
                    }
                }
                '{' | '}' | '[' | ']' | '(' | ')' | ',' | ';' => {
                    self.next();
                    Token::Symbol(first)
                }
                // What some editors put before the first line; it is no text.
                '\u{feff}' if (at.line, at.column) == (1, 1) => {
                    self.rest.next();
                    continue;
                }
                '\'' | '`' | '‘' | '’' | '“' | '”' | '„' | '«' | '»' => {
                    return Err(at.error(format!("strings stand between \"…\", not {first}")));
                }
                other => return Err(at.error(format!("unexpected character {other:?}"))),
            };
            return Ok(Some(Placed { at, token, end: self.at }));
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(character) =
            self.rest.next_if(|character| character.is_ascii_alphanumeric() || *character == '_')
        {
            self.at.column += 1;
            word.push(character.to_ascii_lowercase());
        }
        word
    }

    fn block_comment(&mut self) -> Result<(), CompileError> {
        let at = self.at;
        self.next();
        if self.next() != Some('*') {
            return Err(at.error("unexpected character '/'"));
        }
        let mut last = ' ';
        while let Some(character) = self.next() {
            if last == '*' && character == '/' {
                return Ok(());
            }
            last = character;
        }
        Err(at.error("this comment is never closed"))
    }

    /// RFC 5228 section 2.4.1: 1K is 1024.
    fn number(&mut self) -> Result<Token, CompileError> {
        let at = self.at;
        let mut number: u64 = 0;
        while let Some(digit) = self.rest.peek().and_then(|character| character.to_digit(10)) {
            self.next();
            number = number
                .checked_mul(10)
                .and_then(|number| number.checked_add(u64::from(digit)))
                .ok_or_else(|| at.error("this number is too large"))?;
        }
        let shift = match self.rest.peek() {
            Some('k' | 'K') => 10,
            Some('m' | 'M') => 20,
            Some('g' | 'G') => 30,
            _ => 0,
        };
        if shift > 0 {
            self.next();
        }
        if self.rest.peek().is_some_and(|character| character.is_ascii_alphanumeric() || *character == '_') {
            return Err(at.error("a number ends in a digit or in K, M or G"));
        }
        number
            .checked_mul(1 << shift)
            .filter(|number| i64::try_from(*number).is_ok())
            .map(Token::Number)
            .ok_or_else(|| at.error("this number is too large"))
    }

    /// RFC 5228 section 2.4.2: a backslash stands for the character after it, whatever that is.
    fn quoted(&mut self) -> Result<Token, CompileError> {
        let at = self.at;
        self.next();
        let mut text = String::new();
        while let Some(character) = self.next() {
            match character {
                '"' => return Ok(Token::Text(text)),
                '\\' => match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(at.error("this string is never closed"))
    }

    /// `text:` up to a line with a single dot; a dot at the start of a line is doubled.
    fn multiline(&mut self, at: Position) -> Result<Token, CompileError> {
        loop {
            match self.next() {
                Some(' ' | '\t' | '\r') => {}
                Some('#') => {
                    while self.next().is_some_and(|character| character != '\n') {}
                    break;
                }
                Some('\n') => break,
                _ => return Err(at.error("the text of \"text:\" begins on the next line")),
            }
        }
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let mut ended = false;
            while let Some(character) = self.next() {
                line.push(character);
                if character == '\n' {
                    ended = true;
                    break;
                }
            }
            if line.trim_end_matches(['\r', '\n']) == "." {
                return Ok(Token::Text(text));
            }
            if !ended {
                return Err(at.error("the text of \"text:\" ends with a line that has a single dot"));
            }
            text.push_str(match line.strip_prefix("..") {
                Some(_) => &line[1..],
                None => &line,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let tokens = tokens(source).expect("lexes");
        tokens
            .into_iter()
            .filter_map(|placed| match placed.token {
                Token::Text(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn strings_are_what_the_rfc_says() {
        assert_eq!(texts(r#""a\"b" "c\\" "d\n""#), ["a\"b", "c\\", "dn"]);
        assert_eq!(texts("text: # remark\r\nline\r\n..dot\r\n...\r\n.\r\n"), ["line\r\n.dot\r\n..\r\n"]);
        assert_eq!(texts("text:\nlast\n."), ["last\n"]);
        assert_eq!(texts("text :x \"y\""), ["y"]);
    }

    #[test]
    fn errors_name_the_place() {
        let check = |source: &str, line: u32, column: u32| {
            let error = tokens(source).err().expect(source);
            assert_eq!((error.line, error.column), (line, column), "{source}: {}", error.message);
        };
        check("keep;\n  \"open", 2, 3);
        check("/* never", 1, 1);
        check("keep;\n\n?", 3, 1);
        check("size :over 99999999999999999999", 1, 12);
        check("size :over 10x", 1, 12);
        check("size :over 9223372036854775807G", 1, 12);
        check("text: x\n.\n", 1, 1);
        check("text:\nx\n", 1, 1);
        check("if : x", 1, 4);
        check("/x", 1, 1);
        check("ü", 1, 1);
    }

    #[test]
    fn quantifiers_and_case() {
        let found = tokens("KEEP :OVER 2k 3M 1g").expect("lexes");
        let found: Vec<Token> = found.into_iter().map(|placed| placed.token).collect();
        assert_eq!(
            found,
            [
                Token::Identifier("keep".into()),
                Token::Tag("over".into()),
                Token::Number(2048),
                Token::Number(3 << 20),
                Token::Number(1 << 30),
            ]
        );
    }
}
