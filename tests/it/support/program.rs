//! Running the program: in a directory of its own, with a configuration that opens no port.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_posthouse");
/// No ports, a name, nobody who is asked for names, and password hashes that cost little.
const CONFIGURATION: &str = "\
hostname = \"mail.example.org\"
data = \"posthouse-data\"
[listen]
smtp = []
submission = []
submissions = []
imap = []
imaps = []
pop3s = []
managesieve = []
https = []
[dns]
servers = [\"127.0.0.1:9\"]
timeout_seconds = 1
attempts = 1
validate = false
[auth]
argon2_memory_kib = 8192
argon2_iterations = 1
[outbound]
connect_to = \"127.0.0.1:9\"
";

/// A directory to work in.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

pub(crate) struct Outcome {
    pub(crate) code: i32,
    /// Standard output, then standard error.
    pub(crate) text: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = Self { directory };
        std::fs::write(place.path("posthouse.toml"), CONFIGURATION).expect("a file");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another configuration, by one replacement in it.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let file = self.path("posthouse.toml");
        let text = std::fs::read_to_string(&file).expect("the configuration");
        assert!(text.contains(from), "{text}");
        std::fs::write(file, text.replacen(from, to, 1)).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(PROGRAM), arguments)
    }

    fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command.env("POSTHOUSE_CONFIG", "posthouse.toml").env("TZ", "UTC").env("TMPDIR", self.directory.path());
        command
    }

    /// As somebody else, which only root can. The program may lie where that user can't look: there is a copy here.
    pub(crate) fn run_as(&self, user_id: u32, arguments: &[&str]) -> Outcome {
        let program = self.path("posthouse");
        if !program.exists() {
            std::fs::copy(PROGRAM, &program).expect("a copy of the program");
        }
        let mut command = self.command_of(&program, arguments);
        command.uid(user_id).gid(user_id);
        Self::outcome(command, "")
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Outcome {
        Self::outcome(self.command(arguments), input)
    }

    fn outcome(mut command: Command, input: &str) -> Outcome {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("the program ends");
        let mut text = String::from_utf8(output.stdout).expect("UTF-8");
        text.push_str(&String::from_utf8(output.stderr).expect("UTF-8"));
        Outcome { code: output.status.code().unwrap_or(-1), text }
    }

    pub(crate) fn assert_sound(&self) {
        let outcome = self.run(&["verify"], "");
        assert_eq!((outcome.code, outcome.text.as_str()), (0, "the store is sound\n"));
    }

    /// Runs a walk and compares it with what stands in its file.
    pub(crate) fn check(&self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/walk").join(format!("{name}.txt"));
        let expected = std::fs::read_to_string(&file).expect("the walk's file");
        let mut happened = String::new();
        for line in expected.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let outcome = self.typed(command);
                let text = anybody(&outcome.text.replace(&self.here(), "DIRECTORY"));
                let _ = write!(happened, "{line}\n{text}");
                if outcome.code != 0 {
                    let _ = writeln!(happened, "? {}", outcome.code);
                }
            } else if let Some(made) = line.strip_prefix("+ ") {
                let (file, text) = made.split_once(": ").expect("+ name: text");
                std::fs::write(self.path(file), text.replace("\\n", "\n")).expect("a file");
                let _ = writeln!(happened, "{line}");
            } else if line.starts_with("## ") {
                let _ = writeln!(happened, "\n{line}");
            }
        }
        let happened = happened.trim_start().to_owned();
        if std::env::var("POSTHOUSE_WALK").is_ok_and(|wish| wish == "write") {
            std::fs::write(&file, &happened).expect("the walk's file is written");
            return;
        }
        let (happened, expected) = (comparable(&happened), comparable(&expected));
        if let Some(line) = first_difference(&happened, &expected) {
            panic!("{name}: from line {line} of what happened on, this was not expected:\n{happened}");
        }
    }

    fn here(&self) -> String {
        self.directory.path().display().to_string()
    }

    /// A command as somebody types it.
    fn typed(&self, line: &str) -> Outcome {
        let (line, input) = line.split_once(" < ").unwrap_or((line, ""));
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(words[0], "posthouse", "{line}");
        self.run(&words[1..], &input.replace("\\n", "\n"))
    }

    pub(crate) fn demo(&self) -> Demo {
        let mut command = self.command(&["demo", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the demo starts");
        let mut text = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        while !text.ends_with("}\n") || serde_json::from_str::<serde_json::Value>(&text).is_err() {
            text += &lines.next().expect("a whole report").expect("readable");
            text.push('\n');
        }
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let commands = report["commands"].as_array().expect("commands").iter();
        Demo {
            running: Running { child },
            data: report["data"].as_str().expect("a directory").into(),
            commands: commands.map(|command| command.as_str().expect("a line").to_owned()).collect(),
        }
    }
}

pub(crate) struct Demo {
    running: Running,
    pub(crate) data: PathBuf,
    /// What it tells people to try.
    pub(crate) commands: Vec<String>,
}

impl Demo {
    pub(crate) fn stop(self) -> PathBuf {
        self.running.end("INT");
        self.data
    }
}

/// A child that does not outlive its test.
struct Running {
    child: Child,
}

impl Running {
    fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &process]).status().expect("kill runs").success());
    }

    /// In order: with exit code 0.
    fn end(mut self, signal: &str) {
        self.signal(signal);
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Server {
    running: Running,
    log: BufReader<Box<dyn Read + Send>>,
    /// What was read of its log.
    said: String,
}

/// Starts a server and returns when it is ready.
pub(crate) fn serve(place: &Place) -> Server {
    started(place.command(&["serve"]))
}

/// The same where the system lets it have so many descriptors, the second number when it asks.
pub(crate) fn serve_with_descriptors(place: &Place, soft: u32, hard: u32) -> Server {
    let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" serve");
    started(place.command_of(Path::new("/bin/sh"), &["-c", &script, PROGRAM]))
}

fn started(mut command: Command) -> Server {
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
    let log: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("piped"));
    let mut server = Server { running: Running { child }, log: BufReader::new(log), said: String::new() };
    server.wait_for(" ready");
    server
}

impl Server {
    /// Reads the log up to a line that ends so.
    fn wait_for(&mut self, end: &str) {
        self.wait_for_line(|line| line.trim_end().ends_with(end));
    }

    /// Reads the log up to a line that contains this, and returns the line.
    pub(crate) fn wait_for_word(&mut self, word: &str) -> String {
        self.wait_for_line(|line| line.contains(word))
    }

    fn wait_for_line(&mut self, is_wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a readable log");
            self.said += &line;
            assert!(read > 0, "the server ended: {}", self.said);
            if is_wanted(&line) {
                return line;
            }
        }
    }

    pub(crate) fn process(&self) -> u32 {
        self.running.child.id()
    }

    /// Where a service listens, as its log says.
    pub(crate) fn address(&self, service: &str) -> SocketAddr {
        let mut lines = self.said.lines().filter(|line| line.contains(&format!("service=\"{service}\"")));
        let line = lines.next().unwrap_or_else(|| panic!("{service} does not listen: {}", self.said));
        let (_, address) = line.split_once("address=").expect("an address");
        address.trim_matches('"').parse().expect("an address")
    }

    pub(crate) fn hang_up(&self) {
        self.running.signal("HUP");
    }

    pub(crate) fn reload(&mut self) {
        self.running.signal("HUP");
        self.wait_for("what=\"configuration\"");
    }

    /// At once, as when the machine's memory runs out.
    pub(crate) fn kill(mut self) {
        self.running.child.kill().expect("it can be killed");
        self.running.child.wait().expect("it ends");
    }

    pub(crate) fn stop(mut self) {
        self.running.signal("TERM");
        self.wait_for("stopped");
        assert_eq!(self.running.child.wait().expect("it ends").code(), Some(0));
    }
}

/// Blanks part words, single quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().expect("never empty").push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Counted from 1.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    let (mut one, mut other) = (one.lines(), other.lines());
    (1..).find_map(|line| match (one.next(), other.next()) {
        (None, None) => Some(None),
        (a, b) if a == b => None,
        _ => Some(Some(line)),
    })?
}

/// Whoever runs the tests is USER in what they print.
fn anybody(text: &str) -> String {
    let name = posthouse::server::own_name();
    text.lines().fold(String::new(), |mut all, line| {
        let padded = format!("{line} ").replace(&format!(" {name} "), " USER ");
        let _ = writeln!(all, "{}", padded.trim_end());
        all
    })
}

/// What differs from run to run is the same afterwards: times, passwords, numbers of processes, widths of columns, the
/// name of whoever runs the tests.
fn comparable(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.split_whitespace().map(comparable_word).collect::<Vec<_>>().join(" ");
        let known = ["password: ", "\"octets\": ", "database ", "holds everything: "];
        let line = match known.iter().find_map(|label| line.split_once(label).map(|(before, _)| (before, label))) {
            Some((before, label)) => format!("{before}{label}…"),
            None => line,
        };
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn comparable_word(word: &str) -> String {
    let shape: String = word.chars().map(|one| if one.is_ascii_digit() { '9' } else { one }).collect();
    let bare = shape.trim_matches(|one| matches!(one, '"' | ',' | ';' | ':'));
    let is_time = matches!(bare, "9999-99-99" | "99:99" | "9999-99-99T99:99:99Z" | "9999-99-99T99:99:99.999999Z");
    if is_time { shape } else { word.to_owned() }
}
