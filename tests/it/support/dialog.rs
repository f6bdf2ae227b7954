//! Conversations as text files.
//!
//! A file begins with settings, `name: value`, up to an empty line; what they mean is the protocol's business. Then:
//!
//! | line | what it does |
//! |---|---|
//! | `C: text` | the client says it, with CR LF; several in a row go out in one write |
//! | `R: text` | the same without CR LF, and with `\r` `\n` `\0` `\\` `\xNN` for octets a text file can't show |
//! | `C: text «literal»` | the same with an IMAP literal, written as under `R:`; its length is counted |
//! | `C*9: text`, `R*9: text` | the same nine times |
//! | `S: pattern` | the server's next line; `*` stands for anything, but not in `* ` at the start |
//! | `S: ...` | any number of lines, up to one that fits the next pattern |
//! | `X: closed` | the server has hung up, and said nothing before |
//! | `! words` | something else happens: the protocol knows what |
//! | `= text` | the next thing the server behind the session did, as the protocol writes it down |
//! | `# text` | says why |
//!
//! `C2:`, `R2:`, `S2:`, `X2:` and so on are about a second connection, opened when it is first named.
//!
//! With the setting `plays: server` the file is the server, and a client of ours the other side: then `S:` says and `C:`
//! hears.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server that works may take for one line: much longer than it ever does.
const PATIENCE: Duration = Duration::from_secs(20);

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub type Settings = BTreeMap<String, String>;

/// What a protocol adds.
pub trait Scene: Send {
    /// The connection was made; over TLS, if that is how the service begins.
    fn begin(&mut self, stream: TcpStream) -> Pin<Box<dyn Future<Output = Wire> + Send + '_>>;
    /// `! words`. May put something else in the wire's place, such as TLS over it.
    fn act<'a>(&'a mut self, words: &'a str, wire: Wire) -> Pin<Box<dyn Future<Output = Wire> + Send + 'a>>;
    /// What happened behind the session and was not asked for before. Waits for it if need be.
    fn event(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;
    /// What happened and nobody asked for, at the end.
    fn left_over(&mut self) -> Vec<String>;
}

/// The client's end.
pub enum Wire {
    Plain(TcpStream),
    Other(Box<dyn Stream>),
}

impl Wire {
    fn stream(&mut self) -> &mut dyn Stream {
        match self {
            Self::Plain(stream) => stream,
            Self::Other(stream) => stream.as_mut(),
        }
    }
}

pub struct Script {
    pub name: String,
    pub settings: Settings,
    steps: Vec<(usize, Step)>,
}

#[derive(Clone, Debug)]
enum Step {
    Say(usize, Vec<u8>),
    Hear(usize, String),
    Skip,
    Closed(usize),
    Act(String),
    Event(String),
}

/// Plays every script of a directory, and tells of all that fail.
pub async fn play_all(directory: &Path, play: impl AsyncFn(&Script) -> Result<(), String>) {
    let mut failures = Vec::new();
    for script in scripts(directory) {
        if let Err(failure) = play(&script).await {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What is heard in the scripts of a directory: the names of their files, and the patterns.
pub fn heard(directory: &Path) -> Vec<(String, String)> {
    let lines = |script: Script| {
        let patterns = script.steps.into_iter().filter_map(|(_, step)| match step {
            Step::Hear(_, pattern) => Some(pattern),
            _ => None,
        });
        patterns.map(|pattern| (script.name.clone(), pattern)).collect::<Vec<_>>()
    };
    scripts(directory).into_iter().flat_map(lines).collect()
}

/// All scripts of a directory, in the order of their names.
pub fn scripts(directory: &Path) -> Vec<Script> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "txt")).collect();
    files.sort();
    assert!(!files.is_empty(), "no scripts in {}", directory.display());
    files.iter().map(|path| Script::parse(path)).collect()
}

impl Script {
    /// The lines of the client's, those of literals among them.
    pub fn lines_said(&self) -> impl Iterator<Item = String> {
        let said = self.steps.iter().filter_map(|(_, step)| match step {
            Step::Say(_, octets) => Some(String::from_utf8_lossy(octets).into_owned()),
            _ => None,
        });
        said.flat_map(|said| said.split("\r\n").map(str::to_owned).collect::<Vec<_>>())
    }

    fn parse(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        let (mut settings, mut steps, mut heading) = (Settings::new(), Vec::new(), true);
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            if line.starts_with('#') {
                continue;
            }
            if line.is_empty() {
                heading = false;
                continue;
            }
            if heading {
                let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{name}:{number}: no setting"));
                settings.insert(key.to_owned(), value.to_owned());
                continue;
            }
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            let plays_server = settings.get("plays").is_some_and(|side| side == "server");
            let swapped = match kind.chars().next() {
                Some('S') if plays_server => kind.replacen('S', "C", 1),
                Some('C') if plays_server => kind.replacen('C', "S", 1),
                _ => kind.to_owned(),
            };
            let kind = swapped.as_str();
            steps.push((number, step(kind, rest).unwrap_or_else(|| panic!("{name}:{number}: {line}"))));
        }
        Self { name, settings, steps: merge(steps) }
    }

    /// Plays it. The error says where it went another way.
    pub async fn play(&self, stream: TcpStream, scene: &mut dyn Scene) -> Result<(), String> {
        let address = stream.peer_addr().unwrap();
        let mut players = vec![Player { wire: Some(scene.begin(stream).await), input: Vec::new() }];
        let mut skipping = false;
        for (number, step) in &self.steps {
            let at = |problem: String| format!("{}:{number}: {problem}", self.name);
            if let Step::Say(who, _) | Step::Hear(who, _) | Step::Closed(who) = step {
                while players.len() <= *who {
                    let stream = TcpStream::connect(address).await.unwrap();
                    players.push(Player { wire: Some(scene.begin(stream).await), input: Vec::new() });
                }
            }
            match step {
                Step::Say(who, octets) => players[*who].say(octets).await.map_err(at)?,
                Step::Hear(who, pattern) => players[*who].hear(pattern, skipping).await.map_err(at)?,
                Step::Skip => {}
                Step::Closed(who) => players[*who].closed().await.map_err(at)?,
                Step::Act(words) => {
                    let wire = players[0].wire.take().expect("put back after each act");
                    players[0].wire = Some(scene.act(words, wire).await);
                }
                Step::Event(expected) => {
                    let event =
                        timeout(PATIENCE, scene.event()).await.map_err(|_| at(format!("nothing like: {expected}")))?;
                    if !fits(expected, &event) {
                        return Err(at(format!("expected {expected}\n  but was  {event}")));
                    }
                }
            }
            skipping = matches!(step, Step::Skip);
        }
        match scene.left_over().as_slice() {
            [] => Ok(()),
            left => Err(format!("{}: and then: {}", self.name, left.join("\n"))),
        }
    }
}

fn step(kind: &str, rest: &str) -> Option<Step> {
    match kind {
        "!" => return Some(Step::Act(rest.to_owned())),
        "=" => return Some(Step::Event(rest.to_owned())),
        _ => {}
    }
    let (kind, times) = match kind.strip_suffix(':')?.split_once('*') {
        Some((kind, times)) => (kind, times.parse().ok()?),
        None => (kind.strip_suffix(':')?, 1),
    };
    let (letter, who) = kind.split_at_checked(1)?;
    let who = if who.is_empty() { 0 } else { who.parse::<usize>().ok()?.checked_sub(1)? };
    Some(match letter {
        "C" => Step::Say(who, [with_literals(rest)?, b"\r\n".to_vec()].concat().repeat(times)),
        "R" => Step::Say(who, octets(rest)?.repeat(times)),
        "S" if rest == "..." => Step::Skip,
        "S" => Step::Hear(who, rest.to_owned()),
        "X" if rest == "closed" => Step::Closed(who),
        _ => return None,
    })
}

/// What the client says in a row, it says in one write.
fn merge(steps: Vec<(usize, Step)>) -> Vec<(usize, Step)> {
    let mut merged: Vec<(usize, Step)> = Vec::new();
    for (number, step) in steps {
        match (merged.last_mut(), step) {
            (Some((_, Step::Say(one, before))), Step::Say(other, more)) if *one == other => before.extend(more),
            (_, step) => merged.push((number, step)),
        }
    }
    merged
}

/// `«text»` is an IMAP literal whose length nobody has to count.
fn with_literals(text: &str) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    let mut rest = text;
    while let Some((before, literal)) = rest.split_once('«') {
        let (literal, after) = literal.split_once('»')?;
        let literal = octets(literal)?;
        said.extend(before.bytes());
        said.extend(format!("{{{}+}}\r\n", literal.len()).bytes());
        said.extend(literal);
        rest = after;
    }
    said.extend(rest.bytes());
    Some(said)
}

pub fn octets(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            octets.extend(character.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        octets.push(match characters.next()? {
            'r' => b'\r',
            'n' => b'\n',
            '0' => 0,
            '\\' => b'\\',
            'x' => u8::from_str_radix(&[characters.next()?, characters.next()?].iter().collect::<String>(), 16).ok()?,
            _ => return None,
        });
    }
    Some(octets)
}

struct Player {
    wire: Option<Wire>,
    input: Vec<u8>,
}

impl Player {
    fn stream(&mut self) -> &mut dyn Stream {
        self.wire.as_mut().expect("put back after each act").stream()
    }

    async fn say(&mut self, octets: &[u8]) -> Result<(), String> {
        let writing = async {
            self.stream().write_all(octets).await?;
            self.stream().flush().await
        };
        match timeout(PATIENCE, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("can't say it: {error}")),
            Err(_) => Err("the server does not read".to_owned()),
        }
    }

    async fn hear(&mut self, pattern: &str, skipping: bool) -> Result<(), String> {
        let mut skipped = Vec::new();
        loop {
            let line = self.line().await.map_err(|error| {
                let skipped: String = skipped.iter().map(|line| format!("\n  not      {line}")).collect();
                format!("expected {pattern}{skipped}\n  but {error}")
            })?;
            if fits(pattern, &line) {
                return Ok(());
            }
            skipped.push(line.clone());
            if !skipping {
                return Err(format!("expected {pattern}\n  but was  {line}"));
            }
        }
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(at) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.more().await? == 0 {
                return Err(format!("the server hung up after {:?}", String::from_utf8_lossy(&self.input)));
            }
        }
    }

    async fn more(&mut self) -> Result<usize, String> {
        let mut octets = [0; 4096];
        match timeout(PATIENCE, self.stream().read(&mut octets)).await {
            Ok(Ok(count)) => {
                self.input.extend_from_slice(&octets[..count]);
                Ok(count)
            }
            Ok(Err(error)) => Err(format!("there was an error: {error}")),
            Err(_) => Err(format!("there was silence after {:?}", String::from_utf8_lossy(&self.input))),
        }
    }

    async fn closed(&mut self) -> Result<(), String> {
        // A reset is an end as well, if an uglier one.
        let count = match self.more().await {
            Ok(count) => count,
            Err(error) if error.contains("error") => 0,
            Err(error) => return Err(error),
        };
        if count == 0 && self.input.is_empty() {
            return Ok(());
        }
        Err(format!("the server goes on: {:?}", String::from_utf8_lossy(&self.input)))
    }
}

/// `*` stands for anything, also for nothing; but not at the start before a space, where IMAP has it.
pub fn fits(pattern: &str, text: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("* ") {
        return text.strip_prefix("* ").is_some_and(|text| fits(rest, text));
    }
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[test]
fn patterns() {
    let check =
        |pattern: &str, text: &str, expected: bool| assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
    check("250 OK", "250 OK", true);
    check("250 OK", "250 OKAY", false);
    check("250 *", "250 OK", true);
    check("250*", "251", false);
    check("*[*]", "550 no [x]", true);
    check("*[*]", "550 no", false);
    check("* 3 EXISTS", "* 3 EXISTS", true);
    check("* 3 EXISTS", "* 13 EXISTS", false);
    check("* *S", "* 13 EXISTS", true);
    check("a*b*a", "aba", true);
    check("a*b*a", "ab", false);
}

#[test]
fn octets_that_text_can_not_show() {
    assert_eq!(octets("a\\r\\n\\0\\\\\\xfe.").unwrap(), b"a\r\n\0\\\xfe.");
    assert_eq!(octets("\\q"), None);
    assert_eq!(octets("\\x1"), None);
}
