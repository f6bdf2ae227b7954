//! Where the log goes, in which form, and how much of it. It goes to standard error: systemd and terminals both take it
//! there, and standard output stays free for what a command was asked for.

use std::fmt;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line per event, coloured on a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug)]
pub enum LogError {
    BadFilter(ParseError),
    /// A word alone that is no level. It could mean a module of which all is told and nothing of any other, and never does.
    NoLevel(String),
    /// Somebody set a log up before us.
    AlreadyRunning,
}

impl fmt::Display for LogError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadFilter(error) => write!(formatter, "the log filter is wrong: {error}"),
            Self::NoLevel(word) => write!(
                formatter,
                "the log filter is wrong: {word:?} is neither a level (error, warn, info, debug, trace, off) nor module=level"
            ),
            Self::AlreadyRunning => formatter.write_str("the log is already running"),
        }
    }
}

impl std::error::Error for LogError {}

/// Beats the configured filter, for the one run in which somebody looks for something.
pub const FILTER_VARIABLE: &str = "POSTHOUSE_LOG";

/// The running log; through it the filter can be replaced.
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    pub fn start(format: Format, filter: &str) -> Result<Self, LogError> {
        let colours = match std::io::stderr().is_terminal() {
            true => Colours::Yes,
            false => Colours::No,
        };
        let (subscriber, filter) = subscriber(format, colours, chosen_filter(filter)?, std::io::stderr);
        subscriber.try_init().map_err(|_| LogError::AlreadyRunning)?;
        Ok(Self { filter })
    }

    /// A wrong filter leaves the old one in place.
    pub fn replace_filter(&self, filter: &str) -> Result<(), LogError> {
        let filter = chosen_filter(filter)?;
        // Fails only when the subscriber is gone, and ours lives as long as the process.
        let _ = self.filter.reload(filter);
        Ok(())
    }
}

/// Whether `Log::start` would take it; configuration asks while it has the line at hand.
pub fn check_filter(filter: &str) -> Result<(), LogError> {
    parse_filter(filter).map(|_| ())
}

fn chosen_filter(configured: &str) -> Result<EnvFilter, LogError> {
    match std::env::var(FILTER_VARIABLE) {
        Ok(text) if !text.is_empty() => parse_filter(&text),
        _ => parse_filter(configured),
    }
}

fn parse_filter(text: &str) -> Result<EnvFilter, LogError> {
    let mut words = text.split(',').map(str::trim).filter(|word| !word.is_empty() && !word.contains(['=', '[']));
    if let Some(word) = words.find(|word| word.parse::<LevelFilter>().is_err()) {
        return Err(LogError::NoLevel(word.to_owned()));
    }
    EnvFilter::builder().parse(text).map_err(LogError::BadFilter)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    Yes,
    No,
}

fn subscriber<W>(
    format: Format,
    colours: Colours,
    filter: EnvFilter,
    writer: W,
) -> (impl Subscriber + Send + Sync, reload::Handle<EnvFilter, Registry>)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours == Colours::Yes);
    let lines = match format {
        Format::Text => lines.with_target(false).boxed(),
        // The session is a field of the span; flattened it stands where a program looks for it.
        Format::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    (tracing_subscriber::registry().with(filter).with(lines), handle)
}

#[cfg(test)]
mod tests {
    use super::super::{Secret, SessionId};
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str, act: impl FnOnce(&reload::Handle<EnvFilter, Registry>)) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let filter = parse_filter(filter).unwrap();
        let (subscriber, handle) = subscriber(format, Colours::No, filter, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || act(&handle));
        let octets = memory.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn events_carry_their_session_and_no_secret() {
        let id = SessionId::new();
        for format in [Format::Text, Format::Json] {
            let text = logged(format, "info", |_| {
                let span = tracing::info_span!("session", session = %id);
                let _inside = span.enter();
                tracing::info!(password = ?Secret::new("hunter2"), "login failed");
                tracing::debug!("not shown");
            });
            assert!(text.contains(&id.to_string()), "{text}");
            assert!(text.contains("login failed"), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("not shown"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), format == Format::Json, "{text}");
        }
    }

    #[test]
    fn the_filter_can_be_replaced_while_running() {
        let text = logged(Format::Text, "warn", |handle| {
            tracing::info!("first");
            handle.reload(parse_filter("info").unwrap()).unwrap();
            tracing::info!("second");
        });
        assert!(!text.contains("first") && text.contains("second"), "{text}");
    }

    #[test]
    fn wrong_filters_are_refused() {
        assert!(check_filter("info,posthouse::smtp=debug").is_ok());
        assert!(check_filter("posthouse=loud").is_err());
        assert!(check_filter("loud").is_err());
        assert!(check_filter("info,posthouse").is_err());
        for level in ["error", "WARN", "info", "debug", "trace", "off", ""] {
            assert!(check_filter(level).is_ok(), "{level}");
        }
    }
}
