//! What editing scripts costs, through a whole server on loopback: scripts of 5 KB stored on 8 connections, and a login with
//! a list of scripts beside an IMAP login with a list of mailboxes. `cargo bench --bench managesieve`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::admin::{AccountAdd, Act, Caller, DomainAdd, Hosting, NewPassword, Progress};
use posthouse::config::Config;
use posthouse::server::{Server, WhenTaken};
use posthouse::store::{DirectoryChange, Names, NewAccount};
use posthouse::telemetry::Secret;
use posthouse::types::{Address, Switches};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use telling::say;

const CONNECTIONS: usize = 8;
const PUTS_PER_CONNECTION: usize = 250;
const LOGINS: u32 = 300;
const ACTIVATIONS: u32 = 20;
const PEOPLE: u32 = 10_000;
const PUTS_PER_SECOND_MIN: f64 = 500.0;
const PASSWORD: &str = "Correct9Horse";

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(open(directory.path()));
    let port = |service: &str| -> SocketAddr {
        server.listening.iter().find(|(name, _)| *name == service).unwrap().1.parse().unwrap()
    };
    let (sieve, imap) = (port("managesieve"), port("imap"));

    let rate = puts(sieve);
    say(format_args!("PUTSCRIPT of 5 KB, {CONNECTIONS} connections   {rate:8.0} /s"));
    let (mut listed_scripts, mut listed_mailboxes) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        listed_scripts = listed_scripts.min(logins(sieve, scripts_listed));
        listed_mailboxes = listed_mailboxes.min(logins(imap, mailboxes_listed));
    }
    say(format_args!("login and LISTSCRIPTS               {:8.0} µs", listed_scripts.as_secs_f64() * 1e6));
    say(format_args!("IMAP login and LIST                 {:8.0} µs", listed_mailboxes.as_secs_f64() * 1e6));
    say(format_args!("SETACTIVE                           {:8.0} µs", activations(sieve).as_secs_f64() * 1e6));
    runtime.block_on(crowd(&server));
    say(format_args!("SETACTIVE, {PEOPLE} accounts         {:8.0} µs", activations(sieve).as_secs_f64() * 1e6));
    runtime.block_on(server.stop());
    assert!(rate >= PUTS_PER_SECOND_MIN, "{PUTS_PER_SECOND_MIN} are promised");
}

async fn open(directory: &Path) -> Server {
    let text = format!(
        "hostname = \"mail.example.org\"\ndata = {:?}\n[tls]\ncertificate = {:?}\nkey = {:?}\n[listen]\nsmtp = []\n\
         submission = []\nsubmissions = []\nimap = [\"127.0.0.1:0\"]\nimaps = []\npop3s = []\n\
         managesieve = [\"127.0.0.1:0\"]\nhttps = []\n[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n",
        directory.join("data"),
        directory.join("cert.pem"),
        directory.join("key.pem"),
    );
    let config = Config::parse(&text, Path::new("bench.toml")).unwrap();
    let server = Server::start(config, WhenTaken::Fail).await.unwrap();
    act(&server, DomainAdd { domain: "example.org".parse().unwrap(), hosting: Hosting::Authoritative }).await;
    for number in 0..CONNECTIONS {
        let account = AccountAdd {
            address: format!("jane{number}@example.org").parse().unwrap(),
            name: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            quota_octets: None,
            administrator: false,
            password: NewPassword::Given(Secret::new(PASSWORD.to_owned())),
        };
        act(&server, account).await;
    }
    server
}

/// As many accounts as a large server has.
async fn crowd(server: &Server) {
    let mut changes = Vec::new();
    for number in 0..PEOPLE {
        let address: Address = format!("person{number}@example.org").parse().unwrap();
        changes.push(DirectoryChange::AddAccount(NewAccount {
            address: address.clone(),
            names: Names::default(),
            administrator: false,
            quota_octets: None,
            credentials: None,
        }));
        changes.push(DirectoryChange::PutAddress {
            address,
            switches: Switches { mailbox: true, ..Switches::default() },
            reserved: false,
            script: "keep;\n".to_owned(),
            author: "bench".to_owned(),
            cause: "account add".to_owned(),
        });
    }
    let store = &server.house.store;
    let generation = store.directory_generation().await.unwrap();
    store.change_directory(generation, changes).await.unwrap();
}

async fn act<A: Act>(server: &Server, act: A) {
    let caller = Caller { author: "bench".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
    act.run(&server.house.admin, &caller).await.unwrap();
}

/// As a mail program would write it: some thirty rules.
fn script(number: usize) -> String {
    let mut text = format!("require [\"fileinto\", \"imap4flags\"];\r\n# {number}\r\n");
    let mut rule = 0;
    while text.len() < 5 * 1024 - 200 {
        text += &format!(
            "# rule:[List {rule}]\r\nif anyof (header :contains \"list-id\" \"list{rule}.example.net\", header :is \
             \"x-loop\" \"{rule}\")\r\n{{\r\n\tfileinto \"Archive\";\r\n\tstop;\r\n}}\r\n"
        );
        rule += 1;
    }
    text
}

struct Client {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), line: String::new() }
    }

    /// Up to a line that begins with one of these.
    fn until(&mut self, words: &[&str]) {
        loop {
            self.line.clear();
            assert!(self.stream.read_line(&mut self.line).unwrap() > 0, "the server hung up");
            if words.iter().any(|word| self.line.starts_with(word)) {
                return;
            }
        }
    }

    fn say(&mut self, command: &str, words: &[&str]) {
        self.stream.get_mut().write_all(command.as_bytes()).unwrap();
        self.until(words);
        assert!(self.line.contains("OK"), "{}", self.line);
    }

    fn log_in(address: SocketAddr, number: usize) -> Self {
        let mut client = Self::connect(address);
        client.until(&["OK"]);
        let message = posthouse::auth::encode(format!("\0jane{number}@example.org\0{PASSWORD}").as_bytes());
        client.say(&format!("AUTHENTICATE \"PLAIN\" \"{message}\"\r\n"), &["OK", "NO"]);
        client
    }
}

fn puts(address: SocketAddr) -> f64 {
    let clients: Vec<Client> = (0..CONNECTIONS).map(|number| Client::log_in(address, number)).collect();
    let begun = Instant::now();
    let threads = clients.into_iter().enumerate().map(|(number, mut client)| {
        thread::spawn(move || {
            for round in 0..PUTS_PER_CONNECTION {
                let text = script(number * PUTS_PER_CONNECTION + round);
                client.say(&format!("PUTSCRIPT \"mine\" {{{}+}}\r\n{text}\r\n", text.len()), &["OK", "NO"]);
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    (CONNECTIONS * PUTS_PER_CONNECTION) as f64 / begun.elapsed().as_secs_f64()
}

/// Another script each time.
fn activations(address: SocketAddr) -> Duration {
    let mut client = Client::log_in(address, 0);
    for name in ["one", "two"] {
        client.say(&format!("PUTSCRIPT \"{name}\" \"keep;\"\r\n"), &["OK", "NO"]);
    }
    let begun = Instant::now();
    for _ in 0..ACTIVATIONS {
        client.say("SETACTIVE \"one\"\r\n", &["OK", "NO"]);
        client.say("SETACTIVE \"two\"\r\n", &["OK", "NO"]);
    }
    begun.elapsed() / (2 * ACTIVATIONS)
}

fn logins(address: SocketAddr, one: fn(SocketAddr)) -> Duration {
    let begun = Instant::now();
    (0..LOGINS).for_each(|_| one(address));
    begun.elapsed() / LOGINS
}

fn scripts_listed(address: SocketAddr) {
    let mut client = Client::log_in(address, 0);
    client.say("LISTSCRIPTS\r\n", &["OK", "NO"]);
}

fn mailboxes_listed(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.until(&["* OK"]);
    client.say(&format!("a LOGIN jane0@example.org {PASSWORD}\r\n"), &["a "]);
    client.say("b LIST \"\" \"*\"\r\n", &["b "]);
}
