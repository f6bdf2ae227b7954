//! A command's end of the control socket.

use super::{LENGTH_OCTETS_MAX, Reply, Request, SocketPath, frame, length_of};
use crate::admin::{Act, Problem};
use crate::types::limits::CONTROL_ANSWER_OCTETS_MAX;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How long a server that has its hands full is asked again: commands that are started by the hundred at once take turns.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(25);

/// Connected to the server of a data directory.
pub struct Client {
    data: PathBuf,
    stream: BufReader<UnixStream>,
}

#[derive(Debug)]
pub enum CallError {
    /// The server says no, and why.
    Refused(Problem),
    /// The server went away, or said something else than an answer: whether the act was done is not known.
    Broken(io::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => {
                let messages: Vec<&str> = problem.causes.iter().map(|cause| cause.message.as_str()).collect();
                formatter.write_str(&messages.join("; "))
            }
            Self::Broken(error) => {
                write!(formatter, "the server went away before it answered ({error}); whether it was done is not known")
            }
        }
    }
}

impl std::error::Error for CallError {}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Client {
    /// None: no server runs on this directory.
    pub async fn connect(data: &Path) -> io::Result<Option<Self>> {
        let socket = match SocketPath::of(data) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        match UnixStream::connect(&socket.path).await {
            Ok(stream) => Ok(Some(Self { data: data.to_owned(), stream: BufReader::new(stream) })),
            Err(error) => match error.kind() {
                // Nobody listens on what a killed server left behind.
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Has the act done by the server.
    pub async fn call<A: Act>(&mut self, act: &A, mut progress: impl FnMut(u64, u64)) -> Result<A::Answer, CallError> {
        let data = serde_json::to_value(act).map_err(io::Error::from)?;
        let request = Request { act: A::NAME.to_owned(), data };
        let octets = frame(&request).map_err(io::Error::from)?;
        let since = Instant::now();
        loop {
            match self.ask::<A>(&octets, &mut progress).await {
                // Nothing was done.
                Err(CallError::Refused(problem)) if problem.is_busy() && since.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                    // Whoever was turned away at the door was hung up on as well.
                    match Self::connect(&self.data).await? {
                        Some(again) => *self = again,
                        None => return Err(CallError::Refused(problem)),
                    }
                }
                answered => return answered,
            }
        }
    }

    async fn ask<A: Act>(
        &mut self,
        octets: &[u8],
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<A::Answer, CallError> {
        if let Err(error) = self.stream.write_all(octets).await {
            // A server with too many callers says so without listening.
            return Err(match self.reply().await {
                Ok(Reply::Refused(problem)) => CallError::Refused(problem),
                _ => error.into(),
            });
        }
        loop {
            match self.reply().await? {
                Reply::Progress(done, all) => progress(done, all),
                Reply::Done(answer) => return Ok(serde_json::from_value(answer).map_err(io::Error::from)?),
                Reply::Refused(problem) => return Err(CallError::Refused(problem)),
            }
        }
    }

    async fn reply(&mut self) -> Result<Reply, CallError> {
        let mut line = Vec::new();
        (&mut self.stream).take(LENGTH_OCTETS_MAX as u64).read_until(b'\n', &mut line).await?;
        let digits = line.strip_suffix(b"\n").ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
        let length = length_of(digits, CONTROL_ANSWER_OCTETS_MAX);
        let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let mut octets = Vec::new();
        (&mut self.stream).take(length as u64).read_to_end(&mut octets).await?;
        if octets.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&octets).map_err(io::Error::from)?)
    }
}
