//! Rules of a script that no message can come to, found by reading: behind an end, shadowed by a rule that ends before
//! them, or asking for what excludes itself.
//!
//! Nothing is called dead that could match: what can't be known by reading may be anything. A rule switched off by
//! `if false` is meant to be, and says nothing here.

mod logic;
mod reading;
#[cfg(test)]
mod tests;

use super::lexer::Position;
use super::script::Warning;
use super::syntax::{Command, Test};
use crate::types::limits::{SIEVE_REACH_STEPS_MAX, SIEVE_REACH_WARNINGS_MAX};
use logic::{Facts, Formula};

/// Dead rules, in the order of the text.
pub(super) fn dead(commands: &[Command]) -> Vec<Warning> {
    let mut reader = Reader { facts: Facts::new(SIEVE_REACH_STEPS_MAX), known: Vec::new(), epoch: 0, dead: Vec::new() };
    reader.block(commands);
    reader.dead
}

struct Reader {
    facts: Facts,
    /// What is true of every message that gets here.
    known: Vec<Known>,
    /// Changes to the message so far.
    epoch: u32,
    dead: Vec<Warning>,
}

struct Known {
    formula: Formula,
    line: u32,
    why: Why,
}

/// Why something is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Mail it is not true of has come to its end there.
    Ended,
    /// Mail it is not true of went into another branch.
    Other,
    /// The condition around it.
    Around,
}

/// What becomes of mail behind a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoesOn,
    Ends,
}

impl Reader {
    fn block(&mut self, commands: &[Command]) -> After {
        let mut rest = commands.iter().peekable();
        while let Some(command) = rest.next() {
            let after = match command.name.as_str() {
                "if" => {
                    let mut chain = vec![command];
                    while let Some(next) = rest.next_if(|next| matches!(next.name.as_str(), "elsif" | "else")) {
                        chain.push(next);
                    }
                    self.condition(&chain)
                }
                "foreverypart" => {
                    self.loop_of(command.block.as_deref().unwrap_or_default());
                    After::GoesOn
                }
                "stop" | "return" | "break" | "error" => After::Ends,
                // An included script may change the message, too.
                "addheader" | "deleteheader" | "replace" | "enclose" | "include" => {
                    self.epoch += 1;
                    After::GoesOn
                }
                _ => After::GoesOn,
            };
            if after == After::Ends {
                if let Some(next) = rest.next() {
                    self.warn(next.at, format!("this is never reached: line {} is the end", command.at.line));
                }
                return After::Ends;
            }
        }
        After::GoesOn
    }

    /// Each round sees another part, and a message that the round before may have changed.
    fn loop_of(&mut self, block: &[Command]) {
        let known = self.known.len();
        self.epoch += 1;
        self.block(block);
        self.known.truncate(known);
        self.epoch += 1;
    }

    fn condition(&mut self, chain: &[&Command]) -> After {
        let before = self.known.len();
        let mut conditions: Vec<Formula> = Vec::with_capacity(chain.len());
        let mut ends: Vec<(usize, u32)> = Vec::new();
        let mut all_end = true;
        for (index, command) in chain.iter().enumerate() {
            let condition = match command.tests.first() {
                Some(test) => self.facts.read(test, self.epoch),
                None => Formula::Constant(true),
            };
            if self.is_possible(&condition) {
                let inside = self.known.len();
                self.known.push(Known { formula: condition.clone(), line: command.at.line, why: Why::Around });
                if self.block(command.block.as_deref().unwrap_or_default()) == After::Ends {
                    ends.push((index, command.at.line));
                } else {
                    all_end = false;
                }
                self.known.truncate(inside);
            } else if !matches!(condition, Formula::Constant(false)) {
                self.explain(command, &condition);
            }
            let formula = Formula::Not(Box::new(condition.clone()));
            self.known.push(Known { formula, line: command.at.line, why: Why::Other });
            conditions.push(condition);
        }
        // Whether anything is left for what no branch has taken.
        let everything_taken = !self.is_possible(&Formula::Constant(true));
        self.known.truncate(before);
        for (index, line) in ends {
            // Who gets on was taken by a branch before, or does not fit this one.
            let mut ways = conditions[..index].to_vec();
            ways.push(Formula::Not(Box::new(conditions[index].clone())));
            self.known.push(Known { formula: Formula::Any(ways), line, why: Why::Ended });
        }
        if all_end && everything_taken { After::Ends } else { After::GoesOn }
    }

    fn is_possible(&mut self, condition: &Formula) -> bool {
        let mut all: Vec<&Formula> = self.known.iter().map(|known| &known.formula).collect();
        all.push(condition);
        self.facts.possible(&all)
    }

    fn explain(&mut self, command: &Command, condition: &Formula) {
        let Some(test) = command.tests.first() else {
            return self.warn(command.at, "this is never reached: the branches before it take all mail".to_owned());
        };
        if !self.facts.possible(&[condition]) {
            return self.warn(place(test), "this can never match: it asks for what excludes itself".to_owned());
        }
        let because = (0..self.known.len()).rev().find(|without| {
            let others = self.known.iter().enumerate().filter(|(index, _)| index != without);
            let mut all: Vec<&Formula> = others.map(|(_, known)| &known.formula).collect();
            all.push(condition);
            self.facts.possible(&all)
        });
        let why = match because.map(|index| (self.known[index].line, self.known[index].why)) {
            Some((line, Why::Ended)) => format!("mail that would match comes to its end in line {line}"),
            Some((line, Why::Other)) => format!("mail that would match is taken by line {line}"),
            Some((line, Why::Around)) => format!("line {line} around it excludes it"),
            None => "the rules before it leave no such mail".to_owned(),
        };
        self.warn(place(test), format!("this can never match: {why}"));
    }

    fn warn(&mut self, at: Position, message: String) {
        if self.dead.len() < SIEVE_REACH_WARNINGS_MAX {
            self.dead.push(Warning { line: at.line, column: at.column, message });
        }
    }
}

fn place(test: &Test) -> Position {
    test.at
}
