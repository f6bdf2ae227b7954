//! Another mail server, which does as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What it does at a command, instead of taking it.
#[derive(Clone, Debug)]
pub enum Odd {
    /// Says this, all in one go.
    Say(String),
    /// Says this, an octet at a time and never to its end.
    Trickle,
    /// Says nothing and keeps the line.
    Hang,
    /// Hangs up without a word.
    Drop,
}

pub fn say(line: &str) -> Option<Odd> {
    Some(Odd::Say(line.to_owned()))
}

/// A message it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// What stood behind `MAIL FROM:`.
    pub from: String,
    /// What stood behind each `RCPT TO:` it agreed to.
    pub to: Vec<String>,
    pub message: Vec<u8>,
}

impl Got {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }
}

type Script = dyn Fn(&str, &Seen) -> Option<Odd> + Send + Sync;

/// What it remembers.
#[derive(Default)]
pub struct Seen {
    pub lines: Mutex<Vec<String>>,
    pub got: Mutex<Vec<Got>>,
    pub connections: Mutex<usize>,
    news: Notify,
}

impl Seen {
    /// How often a command that begins so was heard.
    pub fn count(&self, start: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

pub struct Peer {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Takes everything.
    pub async fn kind() -> Self {
        Self::start(&["PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8"], |_, _| None).await
    }

    /// `script` sees each command, `GREETING` before the first and `.` after a message.
    pub async fn start(
        extensions: &[&str],
        script: impl Fn(&str, &Seen) -> Option<Odd> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), extensions, script).await
    }

    pub async fn start_at(
        address: SocketAddr,
        extensions: &[&str],
        script: impl Fn(&str, &Seen) -> Option<Odd> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let extensions: Arc<[String]> = extensions.iter().map(|one| (*one).to_owned()).collect();
        let (script, shared): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *shared.connections.lock().unwrap() += 1;
                let talk = Talk {
                    stream: BufReader::new(stream),
                    seen: Arc::clone(&shared),
                    script: Arc::clone(&script),
                    extensions: Arc::clone(&extensions),
                };
                tokio::spawn(talk.run());
            }
        });
        Self { address, seen, task }
    }

    /// `[outbound]` with this server in the place of all others, trying again after a second.
    pub fn outbound(&self) -> String {
        format!("[outbound]\nconnect_to = \"{}\"\npause_seconds_first = 1\npause_seconds_max = 1\n", self.address)
    }

    /// The messages it took, once there are so many.
    pub async fn got(&self, count: usize) -> Vec<Got> {
        let waiting = async {
            loop {
                let news = self.seen.news.notified();
                let got = self.seen.got.lock().unwrap().clone();
                if got.len() >= count {
                    return got;
                }
                news.await;
            }
        };
        let patience = std::time::Duration::from_secs(30);
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| {
            let (lines, got) = (self.seen.lines.lock().unwrap(), self.seen.got.lock().unwrap());
            panic!("waited for {count} messages, there are {}; it heard {lines:#?}", got.len())
        })
    }

    /// Waits until a command that begins so was heard as often.
    pub async fn heard(&self, start: &str, count: usize) {
        let waiting = async {
            loop {
                let news = self.seen.news.notified();
                if self.seen.count(start) >= count {
                    return;
                }
                news.await;
            }
        };
        let heard = tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await;
        assert!(heard.is_ok(), "waited for {start}: {:#?}", self.seen.lines.lock().unwrap());
    }
}

struct Talk {
    stream: BufReader<TcpStream>,
    seen: Arc<Seen>,
    script: Arc<Script>,
    extensions: Arc<[String]>,
}

/// Whether the conversation goes on.
type Goes = Option<()>;

impl Talk {
    async fn run(mut self) {
        let _ = self.converse().await;
    }

    async fn converse(&mut self) -> Goes {
        self.answer("GREETING", "220 peer.example ESMTP").await?;
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let line = self.line().await?;
            let command = line.to_ascii_uppercase();
            if command.starts_with("EHLO") || command.starts_with("LHLO") {
                let all: Vec<&str> = self.extensions.iter().map(String::as_str).collect();
                let mut reply = String::from("250-peer.example\r\n");
                all.iter().for_each(|one| reply.push_str(&format!("250-{one}\r\n")));
                self.answer(&line, &format!("{reply}250 ENHANCEDSTATUSCODES")).await?;
            } else if let Some(path) = line.strip_prefix("MAIL FROM:") {
                if self.answer(&line, "250 2.1.0 fine").await? {
                    (from, to) = (path.to_owned(), Vec::new());
                }
            } else if let Some(path) = line.strip_prefix("RCPT TO:") {
                if self.answer(&line, "250 2.1.5 fine").await? {
                    to.push(path.to_owned());
                }
            } else if command == "DATA" {
                if to.is_empty() {
                    self.write("554 5.5.1 no recipients\r\n").await?;
                } else if self.answer(&line, "354 go on").await? {
                    let message = self.message().await?;
                    self.take(&from, &mut to, message).await?;
                }
            } else if command == "QUIT" {
                self.answer(&line, "221 bye").await?;
                return None;
            } else {
                self.answer(&line, "250 fine").await?;
            }
        }
    }

    /// It counts as taken before it is answered: what becomes of the answer is another matter.
    async fn take(&mut self, from: &str, to: &mut Vec<String>, message: Vec<u8>) -> Goes {
        let odd = (self.script)(".", &self.seen);
        let is_refused = matches!(&odd, Some(Odd::Say(reply)) if !reply.starts_with('2'));
        if !is_refused {
            let got = Got { from: from.to_owned(), to: std::mem::take(to), message };
            self.seen.got.lock().unwrap().push(got);
            self.seen.news.notify_waiters();
        }
        self.perform(odd, "250 2.0.0 taken").await.map(|_| ())
    }

    /// Whether it agreed.
    async fn answer(&mut self, line: &str, usual: &str) -> Option<bool> {
        self.seen.lines.lock().unwrap().push(line.to_owned());
        self.seen.news.notify_waiters();
        let odd = (self.script)(line, &self.seen);
        self.perform(odd, usual).await
    }

    async fn perform(&mut self, odd: Option<Odd>, usual: &str) -> Option<bool> {
        match odd {
            None => self.write(&format!("{usual}\r\n")).await.map(|()| true),
            Some(Odd::Say(reply)) => {
                self.write(&format!("{reply}\r\n")).await?;
                Some(reply.starts_with(['2', '3']))
            }
            Some(Odd::Drop) => None,
            Some(Odd::Hang) => std::future::pending().await,
            Some(Odd::Trickle) => loop {
                self.write("2").await?;
                tokio::task::yield_now().await;
            },
        }
    }

    async fn write(&mut self, text: &str) -> Goes {
        self.stream.get_mut().write_all(text.as_bytes()).await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await.ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    async fn message(&mut self) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let mut line = Vec::new();
            if (&mut self.stream).take(100_000).read_until(b'\n', &mut line).await.ok()? == 0 {
                return None;
            }
            if line == b".\r\n" {
                return Some(message);
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }
}
