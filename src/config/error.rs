//! What is wrong with a configuration, told so that it can be mended without reading code.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong, at once, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub file: PathBuf,
    pub problems: Vec<Problem>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; none when the file as a whole is meant.
    pub line: Option<usize>,
    /// `section.key`; none where there is no key to speak of.
    pub key: Option<String>,
    pub cause: Cause,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Cause {
    Unreadable(String),
    Syntax(String),
    UnknownKey {
        nearest: String,
    },
    UnknownSection {
        nearest: String,
    },
    /// A section's name used for a value.
    NoSection,
    /// A value of the wrong type, or one that is not allowed.
    BadValue {
        found: String,
        allowed: String,
    },
    /// Values that are right by themselves and wrong together.
    Conflict(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(formatter, ":{line}")?;
            }
            if let Some(key) = &problem.key {
                write!(formatter, ": {key}")?;
            }
            write!(formatter, ": {}", problem.cause)?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(formatter, "the file can't be read: {why}"),
            Self::Syntax(why) => write!(formatter, "this is no TOML: {why}"),
            Self::UnknownKey { nearest } => write!(formatter, "there is no such key; the nearest is {nearest}"),
            Self::UnknownSection { nearest } => write!(formatter, "there is no such section; the nearest is {nearest}"),
            Self::NoSection => {
                formatter.write_str("this is a section: its keys stand in lines of their own below its [name]")
            }
            Self::BadValue { found, allowed } => write!(formatter, "{found} is not allowed here; allowed is {allowed}"),
            Self::Conflict(why) => formatter.write_str(why),
        }
    }
}

impl std::error::Error for ConfigError {}
