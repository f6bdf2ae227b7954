//! From the text a user wrote to the text the engine is given, with the table of calls.
//!
//! The engine keeps what it does well: the flow of control, variables, patterns, parts of a message. Everything it gets
//! wrong or can't tell us about is written as a call.

mod actions;
mod matches;
mod tests;

pub(super) use matches::SLOTS;

use super::call::{Call, CallKind, Mark, Value};
use super::extensions::{Extension, Extensions};
use super::grammar::{self, Arguments};
use super::lexer::Position;
use super::script::{CompileError, IncludeUse, Warning};
use super::syntax::{Command, Test};
use super::text::{Piece, Text, Variables};
use crate::types::limits::{SIEVE_PATTERNS_MAX, SIEVE_REFERENCES_MAX, SIEVE_STRINGS_PER_COMMAND_MAX};
use std::fmt::Write;

#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
    pub(super) includes: Vec<IncludeUse>,
    pub(super) warnings: Vec<Warning>,
    /// Where the script says that it is for events in mailboxes.
    pub(super) for_events: Option<Position>,
    /// Which line of `text` begins what stands where in the original.
    lines: Vec<(usize, Position)>,
}

impl Built {
    /// The place in the original of what the engine calls this line.
    pub(super) fn position_of(&self, line: usize) -> Position {
        let after = self.lines.partition_point(|(start, _)| *start <= line);
        after.checked_sub(1).and_then(|index| self.lines.get(index)).map(|(_, at)| *at).unwrap_or_default()
    }
}

/// `serial` goes into each call, so that the calls of one script are not taken for those of another.
pub(super) fn build(commands: &[Command], serial: u64) -> Result<Built, CompileError> {
    let first = Builder::new(serial, 0).script(commands)?;
    if first.variables.matches_used == 0 {
        return Ok(first.finish());
    }
    // What a pattern finds is kept right after the match, so the first pass had to say how much anybody asks for.
    Ok(Builder::new(serial, first.variables.matches_used).script(commands)?.finish())
}

struct Builder {
    serial: u64,
    extensions: Extensions,
    variables: Variables,
    /// How many match variables are to be kept after each pattern, from `${0}` on.
    save_matches: usize,
    built: Built,
    newlines: usize,
    /// The names of the loops around the current place.
    loops: Vec<Option<String>>,
    patterns: usize,
    /// Of the command that is being written.
    condition_patterns: u32,
    strings: usize,
    references: usize,
}

/// The strings of one call: constants go into the table, the others travel with the event.
#[derive(Default)]
pub(super) struct Carry(Vec<Text>);

impl Carry {
    fn one(&mut self, text: &Text) -> Value {
        match text.constant() {
            Some(constant) => Value::Literal(constant.into()),
            None => {
                self.0.push(text.clone());
                Value::Carried(self.0.len() - 1)
            }
        }
    }

    fn optional(&mut self, text: Option<&Text>) -> Option<Value> {
        text.map(|text| self.one(text))
    }

    fn many(&mut self, texts: &[Text]) -> Vec<Value> {
        texts.iter().map(|text| self.one(text)).collect()
    }
}

impl Builder {
    fn new(serial: u64, save_matches: usize) -> Self {
        Self {
            serial,
            extensions: Extensions::default(),
            variables: Variables::default(),
            save_matches,
            built: Built::default(),
            newlines: 0,
            loops: Vec::new(),
            patterns: 0,
            condition_patterns: 0,
            strings: 0,
            references: 0,
        }
    }

    /// Variables are named before everything else: the engine forgets one that first appears in a block at its end.
    fn finish(mut self) -> Built {
        let mut declarations = String::new();
        for number in 0..self.variables.locals() {
            _ = write!(declarations, "set \"v{number}\" \"\"; ");
        }
        self.built.text.insert_str(0, &declarations);
        self.built
    }

    fn script(mut self, commands: &[Command]) -> Result<Self, CompileError> {
        let requires = commands.iter().take_while(|command| command.name == "require").count();
        for command in &commands[..requires] {
            self.require(command)?;
        }
        self.commands(&commands[requires..])?;
        Ok(self)
    }

    /// RFC 5228 section 3.2: what is not known is refused when the script is saved, not when mail comes.
    fn require(&mut self, command: &Command) -> Result<(), CompileError> {
        let arguments = self.arguments(command)?;
        no_block(command)?;
        for name in arguments.list(0) {
            let text = name.constant().unwrap_or_default();
            match Extension::parse(text) {
                Some(extension) => {
                    self.extensions.add(extension);
                    if extension == Extension::ImapSieve {
                        self.built.for_events.get_or_insert(name.at);
                    }
                }
                None => return Err(name.at.error(format!("the extension \"{text}\" is not supported"))),
            }
        }
        Ok(())
    }

    fn arguments(&mut self, command: &Command) -> Result<Arguments, CompileError> {
        let Some(spec) = grammar::command(&command.name) else {
            return Err(command.at.error(format!("unknown command \"{}\"", command.name)));
        };
        let arguments = grammar::check(spec, command.at, &command.arguments, self.extensions, &mut self.variables)?;
        self.count(command.at, &arguments)?;
        Ok(arguments)
    }

    /// Bounds what one command can look at and what one string can grow to.
    fn count(&mut self, at: Position, arguments: &Arguments) -> Result<(), CompileError> {
        for text in arguments.all() {
            self.strings += 1;
            self.references += text.references();
        }
        if self.references > SIEVE_REFERENCES_MAX {
            return Err(at.error(format!("one command may use variables {SIEVE_REFERENCES_MAX} times")));
        }
        if self.strings > SIEVE_STRINGS_PER_COMMAND_MAX {
            return Err(at.error(format!("one command may have {SIEVE_STRINGS_PER_COMMAND_MAX} strings")));
        }
        Ok(())
    }

    fn commands(&mut self, commands: &[Command]) -> Result<(), CompileError> {
        let mut rest = commands.iter().peekable();
        let mut answered = false;
        while let Some(command) = rest.next() {
            let mut chain = vec![command];
            if command.name == "if" {
                while let Some(next) = rest.next_if(|next| matches!(next.name.as_str(), "elsif" | "else")) {
                    chain.push(next);
                    if next.name == "else" {
                        break;
                    }
                }
            }
            if command.name == "vacation" && std::mem::replace(&mut answered, true) {
                // RFC 5230 section 4.7: one script answers once; the engine would answer twice.
                return Err(command.at.error("a second \"vacation\" in the same place: a script answers once"));
            }
            self.tolerant(command, |builder| builder.command(&chain))?;
        }
        Ok(())
    }

    /// With `ihave` required, what is wrong in a script is wrong only when it is reached (RFC 5463 section 4).
    fn tolerant(
        &mut self,
        command: &Command,
        write: impl FnOnce(&mut Self) -> Result<(), CompileError>,
    ) -> Result<(), CompileError> {
        let (text, calls, lines) = (self.built.text.len(), self.built.calls.len(), self.built.lines.len());
        let (newlines, loops) = (self.newlines, self.loops.len());
        (self.strings, self.references, self.condition_patterns) = (0, 0, 0);
        match write(self) {
            Err(error) if self.extensions.has(Extension::Ihave) => {
                self.built.text.truncate(text);
                self.built.calls.truncate(calls);
                self.built.lines.truncate(lines);
                self.newlines = newlines;
                self.loops.truncate(loops);
                let at = Position { line: error.line, column: error.column };
                self.warn(at, &error.message);
                let message = Value::Literal(error.message.into());
                self.statement(command.at, CallKind::Fail { message }, Carry::default());
                Ok(())
            }
            result => result,
        }
    }

    fn warn(&mut self, at: Position, message: &str) {
        self.built.warnings.push(Warning { line: at.line, column: at.column, message: message.to_owned() });
    }

    fn command(&mut self, chain: &[&Command]) -> Result<(), CompileError> {
        let [command, ..] = chain else { return Ok(()) };
        match command.name.as_str() {
            "if" => return self.condition(chain),
            "elsif" | "else" => {
                return Err(command.at.error(format!("\"{}\" without an \"if\" before it", command.name)));
            }
            "require" => return Err(command.at.error("\"require\" must come before everything else")),
            _ => {}
        }
        let arguments = self.arguments(command)?;
        if let Some(test) = command.tests.first() {
            return Err(test.at.error(format!("\"{}\" takes no test", command.name)));
        }
        if command.name == "foreverypart" {
            return self.for_every_part(command, &arguments);
        }
        no_block(command)?;
        self.action(command, &arguments)
    }

    fn condition(&mut self, chain: &[&Command]) -> Result<(), CompileError> {
        let mut conditions = Vec::new();
        for command in chain {
            self.arguments(command)?;
            let test = match (command.name.as_str(), command.tests.as_slice()) {
                ("else", []) => None,
                ("else", [test, ..]) if test.name == "if" => {
                    return Err(test.at.error("\"else if\" is written \"elsif\""));
                }
                ("else", [test, ..]) => return Err(test.at.error("\"else\" takes no test")),
                (_, [test]) => Some(test),
                (name, _) => return Err(command.at.error(format!("\"{name}\" takes one test"))),
            };
            let Some(block) = &command.block else {
                return Err(command.at.error(format!("\"{}\" needs a block in braces", command.name)));
            };
            let never = test.and_then(|test| self.known(test)) == Some(false);
            let condition = match test {
                // Behind an extension that is not here may stand anything (RFC 5463 section 4).
                Some(test) if never => {
                    self.enable(test);
                    Some("false".to_owned())
                }
                Some(test) => Some(self.test(test)?),
                None => None,
            };
            conditions.push((command.at, condition, (!never).then_some(block)));
        }
        let [first, ..] = chain else { return Ok(()) };
        let mark = Mark::Condition { patterns: self.condition_patterns };
        self.statement(first.at, CallKind::Mark(mark), Carry::default());
        for (index, (at, condition, block)) in conditions.into_iter().enumerate() {
            let word = if index == 0 { "if" } else { "elsif" };
            match condition {
                Some(condition) => self.line(at, &format!("{word} {condition} {{")),
                None => self.line(at, "else {"),
            }
            if let Some(block) = block {
                self.commands(block)?;
            }
            self.line(at, "}");
        }
        Ok(())
    }

    /// What is known of a test before anything runs: that an extension is missing.
    fn known(&self, test: &Test) -> Option<bool> {
        match test.name.as_str() {
            "ihave" if self.extensions.has(Extension::Ihave) => {
                Some(tests::ihave_names(test).iter().all(|name| tests::is_available(name, self.extensions)))
            }
            "not" => test.tests.first().and_then(|inner| self.known(inner)).map(|known| !known),
            "allof" if test.tests.iter().any(|inner| self.known(inner) == Some(false)) => Some(false),
            "anyof" if !test.tests.is_empty() && test.tests.iter().all(|inner| self.known(inner) == Some(false)) => {
                Some(false)
            }
            _ => None,
        }
    }

    /// What a test that never holds has made sure of all the same: behind `if not ihave "x" { stop; }` there is x.
    fn enable(&mut self, test: &Test) {
        match test.name.as_str() {
            "ihave" => drop(self.ihave(test)),
            "not" | "allof" | "anyof" => test.tests.iter().for_each(|inner| self.enable(inner)),
            _ => {}
        }
    }

    fn for_every_part(&mut self, command: &Command, arguments: &Arguments) -> Result<(), CompileError> {
        let Some(block) = &command.block else {
            return Err(command.at.error("\"foreverypart\" needs a block in braces"));
        };
        let name = arguments.constant("name").map(str::to_owned);
        if name.is_some() && self.loops.contains(&name) {
            return Err(command.at.error("a loop around this one has the same name"));
        }
        self.statement(command.at, CallKind::Mark(Mark::Loop), Carry::default());
        let mut line = "foreverypart ".to_owned();
        if let Some(name) = arguments.text("name") {
            line.push_str(":name ");
            name.write_quoted(&mut line);
        }
        line.push('{');
        self.line(command.at, &line);
        self.statement(command.at, CallKind::Mark(Mark::Loop), Carry::default());
        self.loops.push(name);
        self.commands(block)?;
        self.loops.pop();
        self.line(command.at, "}");
        Ok(())
    }

    /// A call, as the test it is to the engine.
    fn call(&mut self, at: Position, kind: CallKind, carry: Carry) -> String {
        let mut text = format!("mailboxexists [\"{}.{}\"", self.serial, self.built.calls.len());
        for carried in carry.0 {
            text.push_str(", ");
            carried.write_quoted(&mut text);
        }
        text.push(']');
        self.built.calls.push(Call { at, kind });
        text
    }

    /// A call whose answer nobody asks for.
    fn statement(&mut self, at: Position, kind: CallKind, carry: Carry) {
        let call = self.call(at, kind, carry);
        self.line(at, &format!("if {call} {{}}"));
    }

    fn line(&mut self, at: Position, text: &str) {
        self.built.lines.push((self.newlines + 1, at));
        self.built.text.push_str(text);
        self.built.text.push('\n');
        self.newlines += text.matches('\n').count() + 1;
    }

    /// One more regular expression or glob that the engine will look for.
    fn pattern(&mut self, key: &Text) -> Result<(), CompileError> {
        self.patterns += 1;
        if self.patterns > SIEVE_PATTERNS_MAX {
            return Err(key.at.error(format!("a script may have {SIEVE_PATTERNS_MAX} regular expressions")));
        }
        match key.constant().and_then(super::script::refuse_pattern) {
            Some(message) => Err(key.at.error(message)),
            None => Ok(()),
        }
    }
}

/// The name of a variable where the engine wants to write to it.
fn target(piece: &Piece) -> String {
    match piece {
        Piece::Global(name) => format!("\"global.g_{name}\""),
        Piece::Local(number) => format!("\"v{number}\""),
        Piece::Literal(_) | Piece::Match(_) => "\"ph_nowhere\"".to_owned(),
    }
}

fn write_list(texts: &[Text], out: &mut String) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        text.write_quoted(out);
    }
    out.push(']');
}

fn no_block(command: &Command) -> Result<(), CompileError> {
    match &command.block {
        Some(_) => Err(command.at.error(format!("\"{}\" takes no block", command.name))),
        None => Ok(()),
    }
}
