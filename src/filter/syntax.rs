//! The shape of a script, before anybody asks what its words mean (RFC 5228 section 8.2).

use super::lexer::{Position, Token};
use super::script::CompileError;
use crate::types::limits::{SIEVE_BLOCK_DEPTH_MAX, SIEVE_TEST_DEPTH_MAX};

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) arguments: Vec<Argument>,
    pub(super) tests: Vec<Test>,
    pub(super) block: Option<Vec<Command>>,
}

#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) arguments: Vec<Argument>,
    pub(super) tests: Vec<Test>,
}

#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) at: Position,
    pub(super) value: ArgumentValue,
}

#[derive(Clone, Debug)]
pub(super) enum ArgumentValue {
    Number(u64),
    Tag(String),
    Text(String),
    Texts(Vec<(Position, String)>),
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<(Position, Token)>>,
    end: Position,
}

pub(super) fn parse(source: &str) -> Result<Vec<Command>, CompileError> {
    let (tokens, end) = super::lexer::tokens(source)?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), end };
    let mut commands = Vec::new();
    while let Some((at, token)) = parser.tokens.next() {
        commands.push(parser.command(at, token, 0)?);
    }
    Ok(commands)
}

impl Parser {
    fn next(&mut self, expected: &str) -> Result<(Position, Token), CompileError> {
        self.tokens.next().ok_or_else(|| self.end.error(format!("the script ends where {expected} is expected")))
    }

    fn command(&mut self, at: Position, token: Token, depth: usize) -> Result<Command, CompileError> {
        let Token::Identifier(name) = token else {
            return Err(at.error(format!("a command is expected here, not {}", token.describe())));
        };
        let arguments = self.arguments()?;
        let tests = self.tests(0)?;
        let (at_end, end) = self.next("\";\"")?;
        let block = match end {
            Token::Symbol(';') => None,
            Token::Symbol('{') => Some(self.block(at_end, depth + 1)?),
            other => return Err(at_end.error(format!("expected \";\" after \"{name}\", not {}", other.describe()))),
        };
        Ok(Command { name, at, arguments, tests, block })
    }

    fn block(&mut self, at: Position, depth: usize) -> Result<Vec<Command>, CompileError> {
        if depth > SIEVE_BLOCK_DEPTH_MAX {
            return Err(at.error(format!("blocks are nested more than {SIEVE_BLOCK_DEPTH_MAX} deep")));
        }
        let mut commands = Vec::new();
        loop {
            let (at, token) = self.next("\"}\"")?;
            if token == Token::Symbol('}') {
                return Ok(commands);
            }
            commands.push(self.command(at, token, depth)?);
        }
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, CompileError> {
        let mut arguments = Vec::new();
        while let Some((at, token)) = self.tokens.next_if(|(_, token)| {
            matches!(token, Token::Number(_) | Token::Tag(_) | Token::Text(_) | Token::Symbol('['))
        }) {
            let value = match token {
                Token::Number(number) => ArgumentValue::Number(number),
                Token::Tag(name) => ArgumentValue::Tag(name),
                Token::Text(text) => ArgumentValue::Text(text),
                _ => ArgumentValue::Texts(self.list()?),
            };
            arguments.push(Argument { at, value });
        }
        Ok(arguments)
    }

    fn list(&mut self) -> Result<Vec<(Position, String)>, CompileError> {
        let mut list = Vec::new();
        loop {
            let (at, token) = self.next("a string")?;
            match token {
                Token::Text(text) => list.push((at, text)),
                other => return Err(at.error(format!("a string is expected in a list, not {}", other.describe()))),
            }
            let (at, token) = self.next("\"]\"")?;
            match token {
                Token::Symbol(',') => {}
                Token::Symbol(']') => return Ok(list),
                other => return Err(at.error(format!("expected \",\" or \"]\" in the list, not {}", other.describe()))),
            }
        }
    }

    /// A test, a list of tests in parentheses, or nothing.
    fn tests(&mut self, depth: usize) -> Result<Vec<Test>, CompileError> {
        match self.tokens.peek() {
            Some((_, Token::Identifier(_))) => Ok(vec![self.test(depth)?]),
            Some((_, Token::Symbol('('))) => {
                self.tokens.next();
                let mut tests = Vec::new();
                loop {
                    tests.push(self.test(depth)?);
                    let (at, token) = self.next("\")\"")?;
                    match token {
                        Token::Symbol(',') => {}
                        Token::Symbol(')') => return Ok(tests),
                        other => {
                            return Err(
                                at.error(format!("expected \",\" or \")\" between tests, not {}", other.describe()))
                            );
                        }
                    }
                }
            }
            _ => Ok(Vec::new()),
        }
    }

    fn test(&mut self, depth: usize) -> Result<Test, CompileError> {
        let (at, token) = self.next("a test")?;
        let Token::Identifier(name) = token else {
            return Err(at.error(format!("a test is expected here, not {}", token.describe())));
        };
        if depth >= SIEVE_TEST_DEPTH_MAX {
            return Err(at.error(format!("tests are nested more than {SIEVE_TEST_DEPTH_MAX} deep")));
        }
        let arguments = self.arguments()?;
        let tests = self.tests(depth + 1)?;
        Ok(Test { name, at, arguments, tests })
    }
}
