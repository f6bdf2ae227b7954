//! The server is killed again and again while it sends: each message arrives, and twice only where the answer to the first
//! copy was lost with the server.
//!
//! 300 messages in the normal run; POSTHOUSE_SENDS=5000 sends so many.

use crate::support::smtp::Sender;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How often the server is killed.
const KILLS: usize = 8;

/// Which message, and whether its sender went on afterwards: then he has the answer.
struct Copy {
    number: u32,
    was_answered: bool,
}

/// A server that remembers how each conversation ended.
#[derive(Default)]
struct Sink {
    copies: Mutex<Vec<Copy>>,
    count: watch::Sender<usize>,
}

impl Sink {
    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = tokio::io::BufReader::new(stream);
        let mut out = String::from("220 sink.example\r\n");
        let mut last: Option<usize> = None;
        let mut is_data = false;
        let mut number = None;
        loop {
            // Pipelined commands are answered together.
            if stream.buffer().is_empty() && !out.is_empty() {
                stream.get_mut().write_all(out.as_bytes()).await?;
                out.clear();
            }
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if is_data {
                number = number.or_else(|| line.strip_prefix("Subject: ").and_then(|subject| subject.parse().ok()));
                if line != "." {
                    continue;
                }
                is_data = false;
                let copy = Copy { number: number.take().expect("a numbered message"), was_answered: false };
                let count = {
                    let mut copies = self.copies.lock().unwrap();
                    copies.push(copy);
                    last = Some(copies.len() - 1);
                    copies.len()
                };
                self.count.send_replace(count);
                out.push_str("250 taken\r\n");
            } else {
                if let Some(last) = last.take() {
                    self.copies.lock().unwrap()[last].was_answered = true;
                }
                is_data = line == "DATA";
                out.push_str(match line {
                    "DATA" => "354 go on\r\n",
                    _ if line.starts_with("EHLO") => "250-sink.example\r\n250 PIPELINING\r\n",
                    _ => "250 fine\r\n",
                });
            }
        }
    }
}

/// The program, killed when it is dropped.
pub(super) struct Program {
    pub(super) child: Child,
    pub(super) lmtp: SocketAddr,
    /// Sends that were under way when the one before was killed.
    released: u64,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn start(directory: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
    command.args(["serve", "--config"]).arg(directory.join("posthouse.toml")).env_clear();
    // The authorities of the machine it runs on, where a test has its own.
    command.env("SSL_CERT_FILE", directory.join("authorities.pem"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let (mut lmtp, mut released, mut all) = (None, 0, String::new());
    let value = |line: &str, key: &str| {
        let rest = line.split(&format!("{key}=")).nth(1)?;
        Some(rest.split(' ').next()?.trim().trim_matches('"').to_owned())
    };
    let mut is_ready = false;
    // The queue begins beside the listeners: its word may come before or after.
    while !is_ready || !all.contains("queue begins") {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {all}");
        all += &line;
        is_ready |= line.trim_end().ends_with(" ready");
        if line.contains("lmtp") {
            lmtp = lmtp.or_else(|| value(&line, "address")?.parse().ok());
        }
        released += value(&line, "released").map_or(0, |count| count.parse().unwrap());
    }
    std::thread::spawn(move || log.lines().for_each(drop));
    Program { child, lmtp: lmtp.unwrap_or_else(|| panic!("no address: {all}")), released }
}

/// With a redirection of team@example.org to sink@far.example; `outbound` is the section of that name, and what follows.
pub(super) fn prepare(directory: &Path, outbound: &str) {
    let mut text =
        String::from("hostname = \"mail.example.org\"\ndata = \"data\"\n[listen]\nlmtp = [\"127.0.0.1:0\"]\n");
    for name in ["smtp", "submission", "submissions", "imap", "imaps", "pop3s", "managesieve", "https"] {
        writeln!(text, "{name} = []").unwrap();
    }
    writeln!(text, "[outbound]\npause_seconds_first = 1\npause_seconds_max = 1\n{outbound}").unwrap();
    std::fs::write(directory.join("posthouse.toml"), text).unwrap();
    for line in ["domain add example.org", "redirect add team@example.org sink@far.example"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        command.args(line.split(' ')).arg("--config").arg(directory.join("posthouse.toml")).env_clear();
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[allow(clippy::print_stderr)] // the counts are what the long run is for
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_arrives_and_few_arrive_twice() {
    let count = std::env::var("POSTHOUSE_SENDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300_u32);
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    prepare(directory.path(), &format!("connect_to = \"{}\"", listener.local_addr().unwrap()));
    let sink = Arc::new(Sink::default());
    let accepting = tokio::spawn({
        let sink = Arc::clone(&sink);
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sink = Arc::clone(&sink);
                tokio::spawn(async move { sink.converse(stream).await });
            }
        }
    });
    let mut counted = sink.count.subscribe();
    let mut program = start(directory.path());
    let mut released = program.released;
    // While they come in, they go out: a connection's worth at a time, so that a kill finds much of it queued.
    let mut next = 0;
    for kill in 1..=KILLS {
        let until = count * u32::try_from(kill).unwrap() / KILLS as u32;
        let mut sender = Sender::connect(program.lmtp, "LHLO client.example").await.unwrap();
        while next < until {
            let message = format!("From: paul@author.example\r\nSubject: {next}\r\n\r\nhello\r\n");
            let reply = sender.send("paul@author.example", &["team@example.org"], message.as_bytes()).await.unwrap();
            assert!(reply.starts_with("250"), "{reply}");
            next += 1;
        }
        let sent = *counted.borrow_and_update();
        let goal = (sent + 5).min(next as usize);
        counted.wait_for(|count| *count >= goal).await.unwrap();
        program.child.kill().unwrap();
        program.child.wait().unwrap();
        program = start(directory.path());
        released += program.released;
    }
    let arrived =
        |copies: &[Copy]| copies.iter().map(|copy| copy.number).collect::<std::collections::HashSet<_>>().len();
    while arrived(&sink.copies.lock().unwrap()) < count as usize {
        counted.changed().await.unwrap();
    }
    accepting.abort();
    let mut by_number: HashMap<u32, Vec<bool>> = HashMap::new();
    for copy in sink.copies.lock().unwrap().iter() {
        by_number.entry(copy.number).or_default().push(copy.was_answered);
    }
    let doubled: u64 = by_number.values().map(|copies| copies.len() as u64 - 1).sum();
    eprintln!(
        "{count} messages, {KILLS} kills, {released} sends were under way at one of them, {doubled} copies too many"
    );
    for (number, copies) in &by_number {
        let (_, before) = copies.split_last().unwrap();
        assert!(
            before.iter().all(|was_answered| !was_answered),
            "{number} was sent again although its answer was read"
        );
    }
    assert!(doubled <= released, "{doubled} copies too many, and {released} were under way");
}
