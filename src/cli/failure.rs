//! What went wrong, on its way to a person or a program.

use crate::admin::{Problem, Refused, Side, Told};
use crate::config::ConfigError;
use crate::server::{CallError, DemoError, OpenError, StartError};
use crate::types::WholeFileError;
use std::path::Path;

/// Everything a command can end with besides success.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Problem);

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self.0.side {
            Side::Refused => 1,
            Side::Usage => 2,
            Side::Fault => 3,
        }
    }

    pub(super) fn refused(code: &str, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::one(Side::Refused, code, message.into(), hint)
    }

    pub(super) fn fault(code: &str, message: impl Into<String>) -> Self {
        Self::one(Side::Fault, code, message.into(), None)
    }

    /// The machine could not give what every program needs.
    #[allow(clippy::needless_pass_by_value)] // so that it fits behind map_err
    pub(super) fn machine(error: std::io::Error) -> Self {
        Self::fault("internal", error.to_string())
    }

    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::refused("file", format!("{}: {error}", path.display()), None)
    }

    fn one(side: Side, code: &str, message: String, hint: Option<&str>) -> Self {
        let told = Told { code: code.to_owned(), message, hint: hint.map(str::to_owned) };
        Self(Problem { side, causes: vec![told] })
    }
}

/// For programs; people read the parser's own words, with usage and examples of what is near.
impl From<&clap::Error> for Failure {
    fn from(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        // What is wrong, in one paragraph, before the usage.
        let paragraph = text.split("\n\n").next().unwrap_or_default();
        let message = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
        Self::one(Side::Usage, "usage", message, Some("--help behind the command tells what it takes"))
    }
}

impl From<WholeFileError> for Failure {
    fn from(error: WholeFileError) -> Self {
        Self::refused("file", error.to_string(), None)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self(refused.into())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let told = |line: &str| Told { code: "configuration".to_owned(), message: line.to_owned(), hint: None };
        Self(Problem { side: Side::Refused, causes: error.to_string().lines().map(told).collect() })
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(problem) => Self(problem),
            CallError::Broken(_) => Self::fault("server-gone", error.to_string()),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error.store_error() {
            Some(store) => Refused::from(store.clone()).into(),
            None => Self::fault("internal", error.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Open(error) => error.into(),
            StartError::Running(_) => {
                Self::refused("in-use", error.to_string(), Some("posthouse status tells about it"))
            }
            StartError::Log(_) | StartError::Signals(_) => Self::fault("internal", error.to_string()),
            other => {
                let hint = other.is_permission().then(|| "check owner and permissions".to_owned());
                let text = other.to_string();
                let told = |line: &str| Told { code: "start".to_owned(), message: line.to_owned(), hint: hint.clone() };
                Self(Problem { side: Side::Refused, causes: text.lines().map(told).collect() })
            }
        }
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Directory(path, error) => Self::file(&path, &error),
            DemoError::Start(error) => error.into(),
            DemoError::People(refused) => refused.into(),
        }
    }
}
