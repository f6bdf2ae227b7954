//! Every key there is, with its meaning, its type and its default. The example file is this table, printed.

use super::section::{Key, Reading, Section, read, section, within};
use super::value::{Choice, Value};
use crate::telemetry::Secret;
use crate::types::limits;
use crate::types::{Domain, HostPort, ListenAddress, Networks};
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

section! {
    /// Every key is optional; what stands here are the defaults. Relative paths start at this file's directory.
    Config {
        /// The name we greet with, and the one our MX records point to. None: the machine's own name.
        hostname: Option<Domain> = None;
        /// The directory that holds all mail and settings. The server keeps it locked while it runs.
        data: PathBuf = "posthouse-data".into();
        /// The account to become after the ports are bound, when started as root. None: stay who we are.
        user: String = String::new();
        [
            listen: Listen,
            proxy: Proxy,
            tls: Tls,
            dns: Dns,
            outbound: Outbound,
            auth: Auth,
            throttle: Throttle,
            mx: Mx,
            limits: Limits,
            password: Password,
            address: AddressRules,
            removal: Removal,
            log: Log,
        ]
    }
}

section! {
    /// Where to listen: "[::]:25" takes IPv6 and IPv4, "127.0.0.1:24", "unix:lmtp.sock" (in the data directory). [] is off.
    Listen {
        /// MX: mail from other servers.
        smtp: Vec<ListenAddress> = any(25);
        /// Mail from our own people: STARTTLS, then they log in.
        submission: Vec<ListenAddress> = any(587);
        /// The same with TLS from the first byte.
        submissions: Vec<ListenAddress> = any(465);
        /// Mail handed over by another server on this machine, for example "127.0.0.1:24".
        lmtp: Vec<ListenAddress> = Vec::new();
        /// STARTTLS before login.
        imap: Vec<ListenAddress> = any(143);
        /// TLS from the first byte.
        imaps: Vec<ListenAddress> = any(993);
        /// TLS from the first byte.
        pop3s: Vec<ListenAddress> = any(995);
        /// Filters edited by mail programs.
        managesieve: Vec<ListenAddress> = any(4190);
        /// Administration and client set-up.
        https: Vec<ListenAddress> = any(443);
        /// Without TLS: metrics and health on loopback, ACME answers.
        http: Vec<ListenAddress> = Vec::new();
    }
}

section! {
    /// Load balancers in front of us.
    Proxy {
        /// Networks whose connections begin with a PROXY protocol header (version 1 or 2), and whose word about the
        /// real client is believed.
        networks: Networks = Networks::default();
    }
}

section! {
    /// A relative path is looked up beside this file, then in the data directory.
    Tls {
        /// The certificate and those above it, PEM. None there: a self-signed one is made in the data directory on
        /// first start, and the log says so.
        certificate: PathBuf = "cert.pem".into();
        /// Its private key, PEM.
        key: PathBuf = "key.pem".into();
    }
}

section! {
    /// Asking DNS.
    Dns {
        /// Servers to ask, by IP address, with a port unless it is 53. None: the system's.
        servers: Vec<SocketAddr> = Vec::new();
        /// How long one question may take before another server is tried.
        timeout_seconds: u64 = 5, within(1..=60);
        /// How often a question is repeated.
        attempts: usize = 2, within(1..=10);
        /// Answers remembered for as long as they are valid.
        cache_entries_max: u64 = limits::DNS_CACHE_ENTRIES_MAX, within(0..=1_000_000);
        /// Check DNSSEC signatures ourselves. DANE needs it.
        validate: bool = true;
        /// A file of DNSKEY records to trust in the place of the root's, for a network with names of its own. None: the root's.
        trust_anchors: Option<PathBuf> = None;
    }
}

section! {
    /// Mail on its way out.
    Outbound {
        /// Hand everything to this host[:port] instead of the recipients' servers; port 587 unless another is given.
        smarthost: Option<HostPort> = None;
        /// How to log in there. None: without login.
        user: String = String::new();
        /// The password for it.
        password: Secret<String> = Secret::default();
        /// Smarthosts for mail to some domains only, each "domain=host[:port]" or "domain=user:password@host[:port]". A
        /// neighbour that takes mail by LMTP is "domain=lmtp://host[:port]", at port 24 unless another is given.
        smarthosts: DomainSmarthosts = DomainSmarthosts::default();
        /// TLS towards smarthosts: "auto" is "verified" where there is a login, "from-the-start" at port 465, and else
        /// "if-offered"; "required" encrypts towards whoever answers.
        smarthost_tls: OutboundTls = OutboundTls::Auto;
        /// TLS towards the other servers of split domains: "auto" is "if-offered".
        split_tls: OutboundTls = OutboundTls::Auto;
        /// The port of other servers.
        port: u16 = 25, within(1..=65535);
        /// Connect to this host[:port] whatever the MX says (tests, relays).
        connect_to: Option<HostPort> = None;
        /// How long a message waits after its first failure. Each further pause is twice as long.
        pause_seconds_first: u32 = limits::QUEUE_PAUSE_SECONDS_FIRST, within(1..=86_400);
        /// The longest of those pauses.
        pause_seconds_max: u32 = limits::QUEUE_PAUSE_SECONDS_MAX, within(1..=604_800);
        /// The sender hears of a delay after so long.
        warn_seconds: u32 = limits::QUEUE_WARN_SECONDS as u32, within(60..=2_592_000);
        /// What could not be delivered for so long goes back to its sender.
        lifetime_seconds: u32 = limits::SEND_LIFETIME_SECONDS as u32, within(60..=2_592_000);
        /// Connections to other servers in all.
        connections_max: usize = limits::QUEUE_CONNECTIONS_MAX, within(1..=10_000);
        /// Connections to one destination.
        connections_per_destination_max: usize = limits::QUEUE_CONNECTIONS_PER_DESTINATION_MAX, within(1..=1_000);
        /// Recipients of one message in one go.
        recipients_max: u32 = limits::QUEUE_RECIPIENTS_MAX, within(1..=1_000);
        /// Refusals in a row after which nothing more is redirected to a target, and the redirection's owner is told.
        refusals_before_pause: u32 = limits::QUEUE_REFUSALS_BEFORE_PAUSE, within(1..=1_000_000);
    }
}

section! {
    /// Logging in.
    Auth {
        /// Networks that may log in without TLS: a proxy or a test on the same host. Nobody by default.
        plaintext_networks: Networks = Networks::default();
        /// What one password check costs, argon2id. Higher is safer against a stolen database and slower at login.
        argon2_memory_kib: u32 = 19_456, within(8_192..=1_048_576);
        /// Passes over that memory.
        argon2_iterations: u32 = 2, within(1..=20);
        /// Lanes.
        argon2_parallelism: u32 = 1, within(1..=16);
        /// Password checks at the same time; each takes the memory above.
        argon2_threads: usize = limits::PASSWORD_HASHES_CONCURRENT, within(1..=64);
        /// Rounds of SCRAM keys made from now on; clients compute them at each login.
        scram_iterations: u32 = limits::SCRAM_ITERATIONS_DEFAULT, within(4_096..=limits::SCRAM_ITERATIONS_ACCEPTED_MAX);
    }
}

section! {
    /// Slowing down those who try passwords.
    Throttle {
        /// Networks that login and connection throttling leaves alone; loopback is not special by default.
        exempt_networks: Networks = Networks::default();
    }
}

section! {
    /// Judging mail from other servers.
    Mx {
        /// SPF, DKIM and DMARC.
        authenticate: bool = true;
        /// DNS block lists, for example "zen.spamhaus.org".
        block_lists: Vec<Domain> = Vec::new();
    }
}

section! {
    /// What one message, person or peer may take.
    Limits {
        /// Octets of one message.
        message_octets_max: u64 = limits::MESSAGE_OCTETS_MAX, within(65_536..=limits::MESSAGE_OCTETS_CEILING);
        /// Targets of one redirection.
        redirection_targets_max: usize = limits::REDIRECTION_TARGETS_MAX, within(1..=10_000);
        /// Addresses one message may pass through on its way to a mailbox.
        address_hops_max: usize = limits::ADDRESS_HOPS_MAX, within(1..=100);
        /// Recipients one message may reach after aliases and redirections.
        expanded_recipients_max: usize = limits::EXPANDED_RECIPIENTS_MAX, within(1..=100_000);
        /// Octets of one Sieve script.
        script_octets_max: usize = limits::SCRIPT_OCTETS_MAX, within(1_024..=limits::SCRIPT_OCTETS_MAX);
        /// Octets of a responder's text.
        responder_text_octets_max: usize = limits::RESPONDER_TEXT_OCTETS_MAX, within(256..=1_048_576);
        /// Recipients of one message that comes in by SMTP (RFC 5321 section 4.5.3.1.8 asks for 100 at least).
        smtp_recipients_max: usize = limits::SMTP_RECIPIENTS_MAX, within(100..=100_000);
        /// Recipients refused in one session, after which it ends: somebody is guessing addresses.
        smtp_recipients_refused_max: u32 = limits::SMTP_RECIPIENTS_REFUSED_MAX, within(1..=100_000);
        /// Wrong commands in one session, after which it ends.
        smtp_errors_max: u32 = limits::SMTP_ERRORS_MAX, within(1..=10_000);
        /// Commands in one session without a message, after which it ends.
        smtp_commands_idle_max: u32 = limits::SMTP_COMMANDS_IDLE_MAX, within(10..=1_000_000);
        /// Failed logins in one session, after which it ends.
        smtp_login_failures_max: u32 = limits::SMTP_LOGIN_FAILURES_MAX, within(1..=100);
        /// Messages one account may submit in an hour.
        submission_messages_per_hour: u32 = limits::SUBMISSION_MESSAGES_PER_HOUR, within(1..=1_000_000_000);
        /// Recipients of the messages one account submits in an hour.
        submission_recipients_per_hour: u32 = limits::SUBMISSION_RECIPIENTS_PER_HOUR, within(1..=1_000_000_000);
        /// Connections one network may make to the MX in a minute.
        network_connections_per_minute: u32 = limits::NETWORK_CONNECTIONS_PER_MINUTE, within(1..=1_000_000_000);
        /// Messages one network may bring to the MX in a minute.
        network_messages_per_minute: u32 = limits::NETWORK_MESSAGES_PER_MINUTE, within(1..=1_000_000_000);
        /// Recipients that do not exist which one network may ask the MX for in an hour; from half of them on, answers
        /// come slower and slower.
        unknown_recipients_per_hour: u32 = limits::UNKNOWN_RECIPIENTS_PER_HOUR, within(1..=1_000_000_000);
        /// Connections in all.
        connections_max: usize = limits::CONNECTIONS_MAX, within(1..=1_000_000);
        /// Connections from one network: an IPv4 address, or the first 64 bits of an IPv6 address.
        connections_per_network_max: usize = limits::CONNECTIONS_PER_NETWORK_MAX, within(1..=1_000_000);
        /// Silence after which an SMTP or LMTP session ends.
        smtp_idle_seconds: u64 = limits::SMTP_IDLE_SECONDS, within(10..=86_400);
        /// Silence after which an IMAP session ends.
        imap_idle_seconds: u64 = limits::IMAP_IDLE_SECONDS, within(60..=86_400);
        /// Silence after which a ManageSieve session ends.
        managesieve_idle_seconds: u64 = limits::MANAGESIEVE_IDLE_SECONDS, within(60..=86_400);
        /// How long a TLS handshake may take.
        tls_handshake_seconds: u64 = limits::TLS_HANDSHAKE_SECONDS, within(1..=300);
        /// How long a peer may leave what we write unread.
        write_seconds: u64 = limits::WRITE_SECONDS, within(1..=3_600);
        /// Octets per second below which a peer that is sending or taking a message is dropped.
        transfer_octets_per_second_min: u64 = limits::TRANSFER_OCTETS_PER_SECOND_MIN, within(1..=1_048_576);
        /// How long sessions may take to end when the server stops.
        shutdown_seconds: u64 = limits::SHUTDOWN_SECONDS, within(0..=3_600);
    }
}

section! {
    /// What a password must be.
    Password {
        /// Characters at least.
        characters_min: usize = 9, within(1..=256);
        /// Characters at most.
        characters_max: usize = 30, within(1..=256);
        /// Only ASCII: other characters are typed differently on every machine.
        ascii_only: bool = true;
        /// At least one upper-case letter.
        upper_case: bool = true;
        /// At least one lower-case letter.
        lower_case: bool = true;
        /// At least one digit.
        digit: bool = true;
        /// The part of the address before the @ may not be in it.
        refuse_local_part: bool = true;
    }
}

section! {
    /// What may stand before the @ of a new address. postmaster and abuse are always allowed.
    AddressRules {
        /// Characters at least.
        characters_min: usize = 2, within(1..=limits::LOCAL_PART_OCTETS_MAX);
        /// Characters at most.
        characters_max: usize = 32, within(1..=limits::LOCAL_PART_OCTETS_MAX);
        /// The characters allowed; capitals count as their small letters.
        characters: String = "abcdefghijklmnopqrstuvwxyz0123456789.,-_".to_owned(), address_characters;
    }
}

section! {
    /// Undoing.
    Removal {
        /// How long removed mail stays parked, and `restore` brings it back.
        keep_days: u32 = 30, within(0..=3_650);
    }
}

section! {
    /// What the server tells about itself.
    Log {
        /// Filters as tracing knows them: "info", "debug", "info,posthouse::smtp=debug".
        filter: String = "info".to_owned(), log_filter;
        /// "text" for people, "json" for programs.
        format: LogFormat = LogFormat::Text;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Choice for LogFormat {
    const WORDS: &[(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// What protects the way to a server that an administrator has named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundTls {
    Auto,
    IfOffered,
    Required,
    Verified,
    FromTheStart,
}

impl Choice for OutboundTls {
    const WORDS: &[(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("if-offered", Self::IfOffered),
        ("required", Self::Required),
        ("verified", Self::Verified),
        ("from-the-start", Self::FromTheStart),
    ];
}

impl OutboundTls {
    /// Whether the server proves who it is before it is told a password.
    pub fn is_proof(self) -> bool {
        !matches!(self, Self::IfOffered | Self::Required)
    }
}

/// Who takes the mail to one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSmarthost {
    pub domain: Domain,
    pub protocol: HopProtocol,
    pub host: HostPort,
    /// Empty: without login.
    pub user: String,
    pub password: Secret<String>,
}

/// How a smarthost is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopProtocol {
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// Passwords stand in them, so no error and no example shows one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainSmarthosts(pub Vec<DomainSmarthost>);

impl Value for DomainSmarthosts {
    const SECRET: bool = true;

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let allowed = || {
            "a list in brackets, each \"domain=host[:port]\" or \"domain=user:password@host[:port]\", or with \"lmtp://\" behind the equals sign".to_owned()
        };
        let items = value.as_array().ok_or_else(allowed)?;
        let read = |item: &str| {
            let (domain, rest) = item.split_once('=')?;
            let domain = Domain::parse(domain.trim()).ok().filter(|name| !name.is_literal())?;
            let (protocol, rest) = match rest.trim().strip_prefix("lmtp://") {
                Some(rest) => (HopProtocol::Lmtp, rest),
                None => (HopProtocol::Smtp, rest.trim()),
            };
            // Users are often addresses; hosts have no `@`.
            let (login, host) = rest.rsplit_once('@').map_or((None, rest), |(login, host)| (Some(login), host));
            let (user, password) = match login {
                None => ("", ""),
                Some(login) => {
                    login.split_once(':').filter(|(user, password)| !user.is_empty() && !password.is_empty())?
                }
            };
            let (user, password) = (user.to_owned(), Secret::new(password.to_owned()));
            Some(DomainSmarthost { domain, protocol, host: HostPort::parse(host)?, user, password })
        };
        let texts = items.iter().map(|item| item.get_ref().as_str().filter(|text| !text.chars().any(char::is_control)));
        let hops: Vec<DomainSmarthost> =
            texts.map(|text| text.and_then(read).ok_or_else(allowed)).collect::<Result<_, _>>()?;
        let twice = hops.iter().enumerate().find(|(at, hop)| hops[..*at].iter().any(|one| one.domain == hop.domain));
        match twice {
            Some((_, hop)) => Err(format!("one smarthost for each domain, and {} has two", hop.domain)),
            None => Ok(Self(hops)),
        }
    }

    fn show(&self) -> String {
        // Only the default is ever shown.
        "[]".to_owned()
    }
}

fn any(port: u16) -> Vec<ListenAddress> {
    vec![ListenAddress::Socket(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)))]
}

#[allow(clippy::ptr_arg)] // checks take a reference to the key's own type
fn address_characters(text: &String) -> Result<(), String> {
    if text.is_empty() {
        return Err("at least one character".to_owned());
    }
    // With one of them in it, nobody could write the address without quotes, or tell where it ends.
    match text.chars().any(|one| one.is_whitespace() || one == '@' || one == '"') {
        true => Err("any characters other than blanks, quotes and @".to_owned()),
        false => Ok(()),
    }
}

#[allow(clippy::ptr_arg)] // as above
fn log_filter(text: &String) -> Result<(), String> {
    crate::telemetry::check_filter(text)
        .map_err(|_| "a list of levels and module=level: \"info\", \"info,posthouse::smtp=debug\"".to_owned())
}
