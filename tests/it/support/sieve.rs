//! A client of ManageSieve that says anything, and understands answers.

use super::dialog::Stream;
use super::tls;
use posthouse::auth::{ChannelBinding, Client, Mechanism, Security};
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Sieve {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    pub security: Security,
}

/// The answer to one command.
#[derive(Debug)]
pub struct Reply {
    /// What came before the line that ends it, each line with the literals in it.
    pub data: Vec<Vec<u8>>,
    /// The line that ends it, the same way.
    pub end: String,
}

impl Reply {
    pub fn is_ok(&self) -> bool {
        self.end.starts_with("OK")
    }
}

impl Sieve {
    /// Past the greeting.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream: Box::new(stream), input: Vec::new(), security: Security::Plain };
        assert!(client.reply().await.unwrap().is_ok());
        client
    }

    /// Over STARTTLS, past the capabilities that come again.
    pub async fn connect_tls(address: SocketAddr, directory: &Path) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"STARTTLS\r\n").await.unwrap();
        let mut greeting = Vec::new();
        while !greeting.ends_with(b"OK \"Begin TLS now\"\r\n") {
            greeting.push(stream.read_u8().await.unwrap());
        }
        let stream = tls::connect(directory, stream).await;
        let session = stream.get_ref().1;
        let exporter = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let security = Security::Tls(ChannelBinding::new(Some(exporter), None));
        let mut client = Self { stream: Box::new(stream), input: Vec::new(), security };
        assert!(client.reply().await.unwrap().is_ok());
        client
    }

    pub async fn log_in(&mut self, name: &str, password: &str) -> Reply {
        let message = posthouse::auth::encode(format!("\0{name}\0{password}").as_bytes());
        self.say(&format!("AUTHENTICATE \"PLAIN\" \"{message}\"")).await
    }

    /// By any mechanism, until the server has proved itself too where it can.
    pub async fn log_in_by(&mut self, mechanism: Mechanism, name: &str, password: &str) -> Reply {
        let security = match mechanism {
            // A client that can't bind: the other one would find out that -PLUS was left out of the offer.
            Mechanism::ScramSha256 => Security::Plain,
            _ => self.security.clone(),
        };
        let mut client = Client::new(&[mechanism], name, password, &security).unwrap();
        let initial = client.initial_response().unwrap();
        let initial = initial.map(|initial| format!(" \"{}\"", posthouse::auth::encode(&initial)));
        let mut said = format!("AUTHENTICATE \"{}\"{}\r\n", mechanism.name(), initial.unwrap_or_default());
        loop {
            self.write(said.as_bytes()).await;
            let line = self.line().await.unwrap();
            let Some(challenge) = line.strip_prefix(b"\"") else {
                let end = String::from_utf8(line).unwrap();
                if end.starts_with("OK") {
                    let data = end.strip_prefix("OK (SASL \"").map(|rest| rest.split('"').next().unwrap());
                    let data = data.map(|data| posthouse::auth::decode(data.as_bytes()).unwrap());
                    client.accepted(data.as_deref()).unwrap();
                }
                return Reply { data: Vec::new(), end };
            };
            let challenge = posthouse::auth::decode(challenge.strip_suffix(b"\"").unwrap()).unwrap();
            let answer = client.step(&challenge).unwrap();
            said = format!("\"{}\"\r\n", posthouse::auth::encode(&answer));
        }
    }

    pub async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn say(&mut self, command: &str) -> Reply {
        self.write(format!("{command}\r\n").as_bytes()).await;
        self.reply().await.unwrap()
    }

    pub async fn put(&mut self, name: &str, script: &str) -> Reply {
        self.say(&format!("PUTSCRIPT {} {}", literal(name), literal(script))).await
    }

    /// None: the server has hung up.
    pub async fn reply(&mut self) -> Option<Reply> {
        let mut data = Vec::new();
        loop {
            let line = self.line().await?;
            if [b"OK".as_slice(), b"NO", b"BYE"].iter().any(|word| line.starts_with(word)) {
                return Some(Reply { data, end: String::from_utf8(line).unwrap() });
            }
            data.push(line);
        }
    }

    /// One line; what a literal in it holds stands in it without its `{n}`.
    async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let at = loop {
                match self.input.windows(2).position(|pair| pair == b"\r\n") {
                    Some(at) => break at,
                    None => self.more().await?,
                }
            };
            line.extend(self.input.drain(..at + 2));
            line.truncate(line.len() - 2);
            let Some(octets) = announced(&line) else { return Some(line) };
            line.truncate(line.iter().rposition(|octet| *octet == b'{').unwrap());
            while self.input.len() < octets {
                self.more().await?;
            }
            line.extend(self.input.drain(..octets));
        }
    }

    async fn more(&mut self) -> Option<()> {
        let mut octets = [0; 8192];
        let count = self.stream.read(&mut octets).await.ok().filter(|count| *count > 0)?;
        self.input.extend_from_slice(&octets[..count]);
        Some(())
    }
}

/// As clients write one.
pub fn literal(text: &str) -> String {
    format!("{{{}+}}\r\n{text}", text.len())
}

fn announced(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let at = inside.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&inside[at + 1..]).ok()?.parse().ok()
}
