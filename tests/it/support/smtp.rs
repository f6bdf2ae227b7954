//! A sender of mail.

use super::running::PASSWORD;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a server, past its greeting and hello.
pub struct Sender {
    stream: BufReader<Box<dyn Stream>>,
}

impl Sender {
    /// `hello`: `EHLO client.example` or `LHLO client.example`.
    pub async fn connect(address: SocketAddr, hello: &str) -> io::Result<Self> {
        let mut sender = Self::connect_without_hello(address).await?.0;
        let reply = sender.say(hello).await?;
        assert!(reply.starts_with("250"), "{reply}");
        Ok(sender)
    }

    /// With the first reply.
    pub async fn connect_without_hello(address: SocketAddr) -> io::Result<(Self, String)> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::greeted(Box::new(stream)).await
    }

    /// From this address of the machine's own, up to the first reply.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<(Self, String)> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source, 0))?;
        Self::greeted(Box::new(socket.connect(address).await?)).await
    }

    /// As if a proxy had passed on what comes from there.
    pub async fn connect_through_proxy(address: SocketAddr, source: &str, hello: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("PROXY TCP4 {source} 127.0.0.1 4711 25\r\n").as_bytes()).await?;
        let (mut sender, _) = Self::greeted(Box::new(stream)).await?;
        let reply = sender.say(hello).await?;
        assert!(reply.starts_with("250"), "{reply}");
        Ok(sender)
    }

    /// To a socket in the file system.
    pub async fn connect_local(path: &Path, hello: &str) -> io::Result<Self> {
        let (mut sender, _) = Self::greeted(Box::new(UnixStream::connect(path).await?)).await?;
        let reply = sender.say(hello).await?;
        if reply.starts_with("250") { Ok(sender) } else { Err(io::Error::other(reply)) }
    }

    async fn greeted(stream: Box<dyn Stream>) -> io::Result<(Self, String)> {
        let mut sender = Self { stream: BufReader::new(stream) };
        let greeting = sender.reply().await?;
        Ok((sender, greeting))
    }

    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(octets).await
    }

    /// By PLAIN, without TLS: for a server that lets this machine do so.
    pub async fn log_in(&mut self, name: &str) -> io::Result<()> {
        let message = posthouse::auth::encode(format!("\0{name}\0{PASSWORD}").as_bytes());
        let reply = self.say(&format!("AUTH PLAIN {message}")).await?;
        assert!(reply.starts_with("235"), "{reply}");
        Ok(())
    }

    /// A command, and the last line of the reply to it.
    pub async fn say(&mut self, line: &str) -> io::Result<String> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// The last line of a reply.
    pub async fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// A message, up to the first reply that is no success, or the last one; in LMTP there is one for each recipient.
    /// `message` has CR LF at its lines' ends and no line that begins with a dot.
    pub async fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> io::Result<String> {
        let mut commands = format!("MAIL FROM:<{from}>\r\n");
        to.iter().for_each(|to| commands.push_str(&format!("RCPT TO:<{to}>\r\n")));
        commands.push_str("DATA\r\n");
        self.write(commands.as_bytes()).await?;
        for _ in 0..to.len() + 1 {
            let reply = self.reply().await?;
            if !reply.starts_with("250") {
                return Ok(reply);
            }
        }
        let reply = self.reply().await?;
        if !reply.starts_with("354") {
            return Ok(reply);
        }
        self.write(message).await?;
        self.write(b".\r\n").await?;
        self.reply().await
    }

    /// As [`Self::send`] in LMTP: with the reply for each recipient.
    pub async fn send_to_each(&mut self, from: &str, to: &[&str], message: &[u8]) -> io::Result<Vec<String>> {
        let mut replies = vec![self.send(from, to, message).await?];
        while replies.len() < to.len() {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }
}
