//! A client that says lines and takes what comes, literals and all.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Much longer than a server that works ever takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    stream: BufReader<TcpStream>,
    number: u32,
}

/// What came of a command: everything up to its tagged line, and that line without the tag.
#[derive(Debug)]
pub struct Answer {
    /// Literals are part of the line they stand in.
    pub untagged: Vec<Vec<u8>>,
    pub end: String,
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        self.end.starts_with("OK")
    }

    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.untagged.iter().map(|line| String::from_utf8_lossy(line).into_owned())
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::begin(TcpStream::connect(address).await.unwrap()).await
    }

    async fn begin(stream: TcpStream) -> Self {
        let mut client = Self { stream: BufReader::new(stream), number: 0 };
        client.line().await.expect("a greeting");
        client
    }

    pub async fn login(address: SocketAddr, name: &str, password: &str) -> Self {
        let client = Self::connect(address).await;
        client.logged_in(name, password).await
    }

    /// One whose system keeps little for it: what it does not read stays with the server.
    pub async fn narrow_login(address: SocketAddr, name: &str, password: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        let client = Self::begin(socket.connect(address).await.unwrap()).await;
        client.logged_in(name, password).await
    }

    async fn logged_in(mut self, name: &str, password: &str) -> Self {
        let client = &mut self;
        let answer = client.command(&format!("LOGIN {name} {password}")).await;
        assert!(answer.is_ok(), "{answer:?}");
        self
    }

    pub async fn say(&mut self, octets: &[u8]) {
        // Who has been hung up on finds out when he listens.
        let _ = timeout(PATIENCE, self.stream.write_all(octets)).await.expect("the server reads");
    }

    /// Says nothing more.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// A line with the literals in it; `None` when the server has hung up.
    pub async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let read = timeout(PATIENCE, self.stream.read_until(b'\n', &mut line)).await.expect("an answer");
            if read.unwrap_or(0) == 0 {
                return None;
            }
            let Some(octets) = literal(&line) else { break };
            let start = line.len();
            line.resize(start + octets, 0);
            timeout(PATIENCE, self.stream.read_exact(&mut line[start..])).await.expect("an answer").ok()?;
        }
        assert!(line.ends_with(b"\r\n"), "{:?}", String::from_utf8_lossy(&line));
        line.truncate(line.len() - 2);
        Some(line)
    }

    pub async fn command(&mut self, text: &str) -> Answer {
        self.number += 1;
        let tag = format!("t{}", self.number);
        self.say(format!("{tag} {text}\r\n").as_bytes()).await;
        self.answer(&tag).await.unwrap_or_else(|| panic!("the server hung up after {text}"))
    }

    /// `None` when the server has hung up.
    pub async fn answer(&mut self, tag: &str) -> Option<Answer> {
        let mut untagged = Vec::new();
        loop {
            let line = self.line().await?;
            if let Some(end) = line.strip_prefix(tag.as_bytes()).and_then(|rest| rest.strip_prefix(b" ")) {
                return Some(Answer { untagged, end: String::from_utf8_lossy(end).into_owned() });
            }
            untagged.push(line);
        }
    }
}

/// The length of the literal a line ends with.
fn literal(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}\r\n")?;
    let start = inside.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&inside[start + 1..]).ok()?.parse().ok()
}
