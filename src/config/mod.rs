//! Layer 1: from the configuration file to a checked [`Config`]. All defaults stand in one table (`settings`), from which
//! the example file is printed too. Everything that is wrong with a file is told at once, with line and key.
//!
//! What it will not do: look at the environment, open sockets, or know which listeners have a service behind them.

mod error;
mod section;
mod settings;
mod value;

pub use error::{Cause, ConfigError, Problem};
pub use settings::{
    AddressRules, Auth, Config, Dns, DomainSmarthost, DomainSmarthosts, HopProtocol, Limits, Listen, Log, LogFormat,
    Mx, Outbound, OutboundTls, Password, Proxy, Removal, Throttle, Tls,
};

use crate::types::limits::CONFIG_OCTETS_MAX;
use crate::types::{Domain, ListenAddress};
use section::{Reading, Section, line_at};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

impl Config {
    /// Reads the file and makes its relative paths whole.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::parse(&read_file(file)?, file)?;
        let directory = file.parent().unwrap_or(Path::new(""));
        config.data = directory.join(&config.data);
        config.tls.certificate = beside_or_in_data(directory, &config.data, &config.tls.certificate);
        config.tls.key = beside_or_in_data(directory, &config.data, &config.tls.key);
        config.dns.trust_anchors = config.dns.trust_anchors.map(|file| directory.join(file));
        Ok(config)
    }

    /// What holds without a file: relative to the working directory, with the certificate in the data directory.
    pub fn without_file(data: PathBuf) -> Self {
        let mut config = Self::default();
        config.tls.certificate = data.join(&config.tls.certificate);
        config.tls.key = data.join(&config.tls.key);
        config.data = data;
        config
    }

    /// `file` only names the source in errors.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let (table, syntax) = DeTable::parse_recoverable(text);
        let mut config = Self::default();
        let mut reading = Reading { source: text, known: keys(&config), lines: BTreeMap::new(), problems: Vec::new() };
        for error in syntax {
            let line = error.span().map(|span| line_at(text, span.start));
            // The parser goes on after an error and stumbles over its remains; the first word on a line is the true one.
            if !reading.problems.iter().any(|problem| problem.line == line) {
                let cause = Cause::Syntax(error.message().to_owned());
                reading.problems.push(Problem { line, key: None, cause });
            }
        }
        if reading.problems.is_empty() {
            reading.table(&mut config, "", table.get_ref());
            check_together(&config, &mut reading);
        }
        if reading.problems.is_empty() {
            return Ok(config);
        }
        reading.problems.sort_by_key(|problem| problem.line);
        Err(ConfigError { file: file.to_owned(), problems: reading.problems })
    }

    /// The example file: every key with its meaning and its default.
    pub fn example() -> String {
        let mut text = String::new();
        let mut section = None;
        for key in keys(&Self::default()) {
            if section.as_ref() != Some(&key.section) {
                let gap = if section.is_some() { "\n" } else { "" };
                let meaning: String = key.section_meaning.iter().map(|line| format!("#{line}\n")).collect();
                let header = if key.section.is_empty() { "\n".to_owned() } else { format!("[{}]\n", key.section) };
                text += &format!("{gap}{meaning}{header}");
                section = Some(key.section.clone());
            }
            for line in key.meaning {
                text += &format!("#{line}\n");
            }
            text += &format!("{} = {}\n", key.name, key.value);
        }
        text
    }

    /// The name we greet with: the configured one, else the machine's, else `localhost`.
    pub fn host(&self) -> Domain {
        let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let configured = self.hostname.clone();
        configured.or_else(|| Domain::parse(machine()?.trim()).ok()).unwrap_or_else(localhost)
    }
}

#[allow(clippy::expect_used)] // a constant, and a test below parses it
fn localhost() -> Domain {
    Domain::parse("localhost").expect("localhost is a host name")
}

fn keys(config: &Config) -> Vec<section::Key> {
    let mut keys = Vec::new();
    config.list("", &mut keys);
    keys
}

fn read_file(file: &Path) -> Result<String, ConfigError> {
    let unreadable = |why: String| {
        let problem = Problem { line: None, key: None, cause: Cause::Unreadable(why) };
        ConfigError { file: file.to_owned(), problems: vec![problem] }
    };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|error| unreadable(error.to_string()))?;
    opened.take(CONFIG_OCTETS_MAX + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > CONFIG_OCTETS_MAX {
        return Err(unreadable(format!("it is longer than {CONFIG_OCTETS_MAX} octets")));
    }
    Ok(text)
}

/// An administrator's own certificate usually lies beside the file; the self-signed one must go where we may write.
fn beside_or_in_data(directory: &Path, data: &Path, path: &Path) -> PathBuf {
    let beside = directory.join(path);
    if beside.exists() { beside } else { data.join(path) }
}

/// What no key can tell by itself.
fn check_together(config: &Config, reading: &mut Reading<'_>) {
    let pairs = [
        ("password", config.password.characters_min, config.password.characters_max),
        ("address", config.address.characters_min, config.address.characters_max),
    ];
    for (section, min, max) in pairs {
        if min > max {
            let why = format!("{min} is more than {section}.characters_max, which is {max}");
            conflict(reading, &format!("{section}.characters_min"), why);
        }
    }
    if config.outbound.user.is_empty() != config.outbound.password.reveal().is_empty() {
        conflict(reading, "outbound.user", "user and password go together: set both or none".to_owned());
    }
    let outbound = &config.outbound;
    let has_login = !outbound.user.is_empty() || outbound.smarthosts.0.iter().any(|one| !one.user.is_empty());
    if has_login && !outbound.smarthost_tls.is_proof() {
        let why = "a password goes only to a server that proves who it is: auto, verified or from-the-start".to_owned();
        conflict(reading, "outbound.smarthost_tls", why);
    }
    if outbound.pause_seconds_first > outbound.pause_seconds_max {
        let (first, max) = (outbound.pause_seconds_first, outbound.pause_seconds_max);
        let why = format!("{first} is more than outbound.pause_seconds_max, which is {max}");
        conflict(reading, "outbound.pause_seconds_first", why);
    }
    let mut taken: Vec<(&ListenAddress, &str)> = Vec::new();
    for (name, addresses) in config.listen.all() {
        for address in addresses {
            match taken.iter().find(|(other, _)| overlap(other, address)) {
                Some((_, other)) => {
                    let why = format!("\"{address}\" is already taken by listen.{other}");
                    conflict(reading, &format!("listen.{name}"), why);
                }
                None => taken.push((address, name)),
            }
        }
    }
}

/// Whether the second can't be listened on beside the first. `[::]` takes IPv4 as well. Port 0 is whatever is free.
fn overlap(one: &ListenAddress, other: &ListenAddress) -> bool {
    let (ListenAddress::Socket(one), ListenAddress::Socket(other)) = (one, other) else { return one == other };
    let takes = |all: &SocketAddr, other: &SocketAddr| {
        all.ip().is_unspecified() && (all.is_ipv6() || other.is_ipv4()) || all.ip() == other.ip()
    };
    one.port() == other.port() && one.port() != 0 && (takes(one, other) || takes(other, one))
}

fn conflict(reading: &mut Reading<'_>, key: &str, why: String) {
    // A default can be in the way of a value too; then the key has no line, and the section's other key has.
    let section = key.split('.').next().unwrap_or_default();
    let in_section = |name: &str| name.split('.').next() == Some(section);
    let line = reading.lines.get(key).copied();
    let line = line.or_else(|| reading.lines.iter().find(|(name, _)| in_section(name)).map(|(_, line)| *line));
    reading.problems.push(Problem { line, key: Some(key.to_owned()), cause: Cause::Conflict(why) });
}

impl Listen {
    /// Every listener with its key.
    pub fn all(&self) -> [(&'static str, &[ListenAddress]); 10] {
        [
            ("smtp", &self.smtp),
            ("submission", &self.submission),
            ("submissions", &self.submissions),
            ("lmtp", &self.lmtp),
            ("imap", &self.imap),
            ("imaps", &self.imaps),
            ("pop3s", &self.pop3s),
            ("managesieve", &self.managesieve),
            ("https", &self.https),
            ("http", &self.http),
        ]
    }
}

#[cfg(test)]
mod tests;
