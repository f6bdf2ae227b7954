//! The shape of a script, before anybody asks what its words mean (RFC 5228 section 8.2).

use super::lexer::{Placed, Position, Token};
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
    tokens: std::iter::Peekable<std::vec::IntoIter<Placed>>,
    /// Behind the token that was taken last: where one that is missing should stand. The next token, or the end of the
    /// script, may be far below.
    behind: Position,
}

pub(super) fn parse(source: &str) -> Result<Vec<Command>, CompileError> {
    let tokens = super::lexer::tokens(source)?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), behind: Position { line: 1, column: 1 } };
    let mut commands = Vec::new();
    while let Some((at, token)) = parser.next() {
        commands.push(parser.command(at, token, 0)?);
    }
    Ok(commands)
}

impl Parser {
    fn next(&mut self) -> Option<(Position, Token)> {
        let Placed { at, token, end } = self.tokens.next()?;
        self.behind = end;
        Some((at, token))
    }

    fn next_symbol(&mut self, wanted: &[char]) -> Option<char> {
        let is_wanted = |placed: &Placed| matches!(placed.token, Token::Symbol(symbol) if wanted.contains(&symbol));
        let Placed { token, end, .. } = self.tokens.next_if(is_wanted)?;
        self.behind = end;
        match token {
            Token::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    fn command(&mut self, at: Position, token: Token, depth: usize) -> Result<Command, CompileError> {
        let Token::Identifier(name) = token else {
            return Err(at.error(format!("a command is expected here, not {}", token.describe())));
        };
        let arguments = self.arguments()?;
        // Only these take tests. What stands behind another one on the same line may be meant so, and is told for what it
        // is; on a line below it is the next command.
        let takes_tests = matches!(name.as_str(), "if" | "elsif");
        let behind = self.behind;
        let tests = match self.tokens.peek() {
            Some(next) if !takes_tests && (next.at.line > behind.line || behind.column == 1) => Vec::new(),
            _ => self.tests(0)?,
        };
        let block = match self.next_symbol(&[';', '{']) {
            Some('{') => Some(self.block(depth + 1)?),
            Some(_) => None,
            None => return Err(self.behind.error(format!("\";\" is missing here, at the end of \"{name}\""))),
        };
        Ok(Command { name, at, arguments, tests, block })
    }

    /// Behind its brace.
    fn block(&mut self, depth: usize) -> Result<Vec<Command>, CompileError> {
        let open = Position { column: self.behind.column - 1, ..self.behind };
        if depth > SIEVE_BLOCK_DEPTH_MAX {
            return Err(open.error(format!("blocks are nested more than {SIEVE_BLOCK_DEPTH_MAX} deep")));
        }
        let mut commands = Vec::new();
        loop {
            let Some((at, token)) = self.next() else {
                return Err(open.error("the block that begins here is never closed with \"}\""));
            };
            if token == Token::Symbol('}') {
                return Ok(commands);
            }
            commands.push(self.command(at, token, depth)?);
        }
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, CompileError> {
        let is_argument = |placed: &Placed| {
            matches!(placed.token, Token::Number(_) | Token::Tag(_) | Token::Text(_) | Token::Symbol('['))
        };
        let mut arguments = Vec::new();
        while let Some(Placed { at, token, end }) = self.tokens.next_if(is_argument) {
            self.behind = end;
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
            match self.next() {
                Some((at, Token::Text(text))) => list.push((at, text)),
                Some((at, other)) => {
                    return Err(at.error(format!("a string is expected in a list, not {}", other.describe())));
                }
                None => return Err(self.behind.error("a string is expected in a list")),
            }
            match self.next_symbol(&[',', ']']) {
                Some(',') => {}
                Some(_) => return Ok(list),
                None => return Err(self.behind.error("\",\" or \"]\" is missing here, in a list")),
            }
        }
    }

    /// A test, a list of tests in parentheses, or nothing.
    fn tests(&mut self, depth: usize) -> Result<Vec<Test>, CompileError> {
        if matches!(self.tokens.peek(), Some(Placed { token: Token::Identifier(_), .. })) {
            return Ok(vec![self.test(depth)?]);
        }
        if self.next_symbol(&['(']).is_none() {
            return Ok(Vec::new());
        }
        let mut tests = Vec::new();
        loop {
            tests.push(self.test(depth)?);
            match self.next_symbol(&[',', ')']) {
                Some(',') => {}
                Some(_) => return Ok(tests),
                None => return Err(self.behind.error("\",\" or \")\" is missing here, behind a test")),
            }
        }
    }

    fn test(&mut self, depth: usize) -> Result<Test, CompileError> {
        let Some((at, token)) = self.next() else {
            return Err(self.behind.error("a test is expected here"));
        };
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
