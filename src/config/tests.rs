use super::*;
use std::fs;

fn check(text: &str, expected: &[&str]) {
    let shown = match Config::parse(text, Path::new("x.toml")) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn unknown_keys_name_their_nearest() {
    check("hostnme = \"a.example\"", &["x.toml:1: hostnme: there is no such key; the nearest is hostname"]);
    check("[listen]\n\nsmpt = []", &["x.toml:3: listen.smpt: there is no such key; the nearest is listen.smtp"]);
    check("smtp = []", &["x.toml:1: smtp: there is no such key; the nearest is listen.smtp"]);
    check("[tls]\nservers = []", &["x.toml:2: tls.servers: there is no such key; the nearest is dns.servers"]);
    check("[lisen]\nsmtp = []", &["x.toml:1: lisen: there is no such section; the nearest is [listen]"]);
    check("[tls.key]\na = 1", &["x.toml:1: tls.key: there is no such section; the nearest is tls.key"]);
    check("[listen.smtp.a]\nb = 1", &["x.toml:1: listen.smtp: there is no such section; the nearest is listen.smtp"]);
    check(
        "listen = 25",
        &["x.toml:1: listen: this is a section: its keys stand in lines of their own below its [name]"],
    );
    check("\"\" = 1", &["x.toml:1: : there is no such key; the nearest is data"]);
}

#[test]
fn wrong_types_say_what_is_allowed() {
    check(
        "data = 5",
        &["x.toml:1: data: 5 is not allowed here; allowed is a path in quotes, absolute or relative to this file"],
    );
    check(
        "data = \"\"",
        &["x.toml:1: data: \"\" is not allowed here; allowed is a path in quotes, absolute or relative to this file"],
    );
    check(
        "[mx]\nauthenticate = \"yes\"",
        &["x.toml:2: mx.authenticate: \"yes\" is not allowed here; allowed is true or false"],
    );
    check(
        "[removal]\nkeep_days = 1.5",
        &["x.toml:2: removal.keep_days: 1.5 is not allowed here; allowed is a whole number from 0 to 3650"],
    );
    check(
        "[removal]\nkeep_days = -1",
        &["x.toml:2: removal.keep_days: -1 is not allowed here; allowed is a whole number from 0 to 3650"],
    );
    check(
        "[log]\nformat = \"xml\"",
        &["x.toml:2: log.format: \"xml\" is not allowed here; allowed is \"text\" or \"json\""],
    );
    check(
        "user = \"a\\nb\"",
        &["x.toml:1: user: \"a\\nb\" is not allowed here; allowed is a text in quotes, without control characters"],
    );
}

#[test]
fn wrong_values_say_what_is_allowed() {
    let addresses = "a list in brackets, each an address with a port or a socket's path: \"[::]:25\", \"127.0.0.1:24\", \"unix:lmtp.sock\"";
    for found in ["[\"[::]:99999\"]", "[\"localhost:25\"]", "[25]", "\"[::]:25\"", "[\"unix:\"]"] {
        let expected = format!("x.toml:2: listen.smtp: {found} is not allowed here; allowed is {addresses}");
        check(&format!("[listen]\nsmtp = {found}"), &[&expected]);
    }
    let networks = "a list in brackets, each a network such as \"192.0.2.0/24\", \"2001:db8::/32\" or \"127.0.0.1\"";
    for found in ["[\"192.0.2.0/33\"]", "[\"example.org\"]"] {
        let expected = format!("x.toml:2: auth.plaintext_networks: {found} is not allowed here; allowed is {networks}");
        check(&format!("[auth]\nplaintext_networks = {found}"), &[&expected]);
    }
    check(
        "[outbound]\nport = 0",
        &["x.toml:2: outbound.port: 0 is not allowed here; allowed is a whole number from 1 to 65535"],
    );
    check(
        "[outbound]\nconnect_to = \"127.0.0.1:0\"",
        &[
            "x.toml:2: outbound.connect_to: \"127.0.0.1:0\" is not allowed here; allowed is a host with or without a port \
           from 1 to 65535, such as \"relay.example.org:587\", or \"\" for none",
        ],
    );
    check(
        "[limits]\nmessage_octets_max = 10",
        &[
            "x.toml:2: limits.message_octets_max: 10 is not allowed here; allowed is a whole number from 65536 to 4026531840",
        ],
    );
    check(
        "hostname = \"a b\"",
        &[
            "x.toml:1: hostname: \"a b\" is not allowed here; allowed is a host name such as \"mail.example.org\", or \"\" for none",
        ],
    );
    check(
        "[dns]\nservers = [\"dns.example\"]",
        &["x.toml:2: dns.servers: [\"dns.example\"] is not allowed here; allowed is a list in brackets, each a DNS \
           server's IP address with or without a port: \"192.0.2.53\", \"[::1]:5353\""],
    );
    check(
        "[log]\nfilter = \"posthouse=loud\"",
        &[
            "x.toml:2: log.filter: \"posthouse=loud\" is not allowed here; allowed is a list of levels and module=level: \
           \"info\", \"info,posthouse::smtp=debug\"",
        ],
    );
    check(
        "[log]\nfilter = \"loud\"",
        &[
            "x.toml:2: log.filter: \"loud\" is not allowed here; allowed is a list of levels and module=level: \"info\", \
           \"info,posthouse::smtp=debug\"",
        ],
    );
    // The type alone would allow more than the key does.
    for wrong in ["-1", "\"5\"", "5.5", "61"] {
        let line = format!(
            "x.toml:2: dns.timeout_seconds: {wrong} is not allowed here; allowed is a whole number from 1 to 60"
        );
        check(&format!("[dns]\ntimeout_seconds = {wrong}"), &[&line]);
    }
    check(
        "[address]\ncharacters = \"ab @\"",
        &["x.toml:2: address.characters: \"ab @\" is not allowed here; allowed is any characters other than blanks, \
           quotes and @"],
    );
    check(
        "[address]\ncharacters = \"\"",
        &["x.toml:2: address.characters: \"\" is not allowed here; allowed is at least one character"],
    );
}

#[test]
fn values_that_are_wrong_together() {
    check(
        "[password]\ncharacters_min = 12\ncharacters_max = 10",
        &["x.toml:2: password.characters_min: 12 is more than password.characters_max, which is 10"],
    );
    check(
        "[password]\ncharacters_max = 5",
        &["x.toml:2: password.characters_min: 9 is more than password.characters_max, which is 5"],
    );
    check(
        "[listen]\nsmtp = [\"127.0.0.1:25\"]\nlmtp = [\"127.0.0.1:25\"]",
        &["x.toml:3: listen.lmtp: \"127.0.0.1:25\" is already taken by listen.smtp"],
    );
    check(
        "[listen]\nsmtp = [\"[::]:25\"]\nlmtp = [\"127.0.0.1:25\"]",
        &["x.toml:3: listen.lmtp: \"127.0.0.1:25\" is already taken by listen.smtp"],
    );
    check(
        "[listen]\nsmtp = [\"127.0.0.1:2525\"]\nlmtp = [\"0.0.0.0:2525\"]",
        &["x.toml:3: listen.lmtp: \"0.0.0.0:2525\" is already taken by listen.smtp"],
    );
    check(
        "[listen]\nsmtp = [\"127.0.0.1:2525\", \"127.0.0.2:2525\", \"[::1]:2525\"]\nlmtp = [\"127.0.0.1:2524\"]",
        &[],
    );
    check("[listen]\nsmtp = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nlmtp = [\"127.0.0.1:0\"]", &[]);
    check(
        "[outbound]\nuser = \"relay\"",
        &["x.toml:2: outbound.user: user and password go together: set both or none"],
    );
    check(
        "[outbound]\nsmarthosts = [\"far.example=relay.example.net\", \"near.example\"]",
        &["x.toml:2: outbound.smarthosts: this value is not allowed here; allowed is a list in brackets, each \
             \"domain=host[:port]\" or \"domain=user:password@host[:port]\", or with \"lmtp://\" behind the equals sign"],
    );
    check(
        "[outbound]\nsmarthosts = [\"far.example=relay.example.net\", \"FAR.example=other.example.net\"]",
        &[
            "x.toml:2: outbound.smarthosts: this value is not allowed here; allowed is one smarthost for each domain, and \
             far.example has two",
        ],
    );
    check(
        "[outbound]\nsmarthosts = [\"far.example=a:b@relay.example.net:465\"]\nsmarthost_tls = \"required\"",
        &["x.toml:3: outbound.smarthost_tls: a password goes only to a server that proves who it is: auto, verified \
             or from-the-start"],
    );
    check(
        "[outbound]\npause_seconds_first = 20_000",
        &["x.toml:2: outbound.pause_seconds_first: 20000 is more than outbound.pause_seconds_max, which is 14400"],
    );
}

#[test]
fn everything_wrong_is_told_at_once_in_the_order_of_the_file() {
    check(
        "hostname = 5\n[mx]\nauthentcate = true\n[log]\nformat = \"xml\"\n",
        &[
            "x.toml:1: hostname: 5 is not allowed here; allowed is a host name such as \"mail.example.org\", or \"\" for none",
            "x.toml:3: mx.authentcate: there is no such key; the nearest is mx.authenticate",
            "x.toml:5: log.format: \"xml\" is not allowed here; allowed is \"text\" or \"json\"",
        ],
    );
}

#[test]
fn syntax_errors_have_their_line() {
    for (text, line) in [("a b", 1), ("[listen\nsmtp = []", 1), ("data = \"x\"\ndata = \"y\"", 2), ("\n\nx = [", 3)] {
        let error = Config::parse(text, Path::new("x.toml")).unwrap_err();
        assert_eq!(error.problems[0].line, Some(line), "{text}: {error}");
        assert!(matches!(error.problems[0].cause, Cause::Syntax(_)), "{text}: {error}");
    }
}

#[test]
fn no_secret_is_shown() {
    let config = Config::parse("[outbound]\nuser = \"u\"\npassword = \"hunter2\"", Path::new("x.toml")).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = Config::parse("[outbound]\npassword = [\"hunter2\"]", Path::new("x.toml")).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn the_example_is_complete_and_means_the_defaults() {
    let example = Config::example();
    assert_eq!(Config::parse(&example, Path::new("example")).unwrap(), Config::default());
    for key in keys(&Config::default()) {
        assert!(!key.meaning.is_empty(), "{} has no meaning", key.path());
        assert!(example.contains(&format!("\n{} = ", key.name)), "{} is missing", key.path());
    }
}

/// `POSTHOUSE_REGENERATE=1 cargo test --lib config::` writes the file anew.
#[test]
fn the_shipped_example_is_the_printed_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/posthouse.example.toml");
    let example = Config::example();
    if std::env::var_os("POSTHOUSE_REGENERATE").is_some() {
        fs::write(&file, &example).unwrap();
    }
    let shipped = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        shipped == example,
        "data/posthouse.example.toml differs: run POSTHOUSE_REGENERATE=1 cargo test --lib config::"
    );
}

#[test]
fn every_limit_of_the_configuration_is_a_named_one() {
    let named = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/types/limits.rs")).unwrap();
    for key in keys(&Config::default()).iter().filter(|key| key.section == "limits") {
        let constant = format!("pub const {}: ", key.name.to_uppercase());
        assert!(named.contains(&constant), "{} has no constant in src/types/limits.rs", key.path());
    }
}

#[test]
fn relative_paths_start_at_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("posthouse.toml");
    let text = "data = \"d\"\n[tls]\ncertificate = \"own.pem\"\nkey = \"/etc/own.key\"\n\
                [dns]\ntrust_anchors = \"anchors\"\n";
    fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.dns.trust_anchors, Some(directory.path().join("anchors")));
    assert_eq!(config.data, directory.path().join("d"));
    assert_eq!(config.tls.certificate, directory.path().join("d/own.pem"));
    assert_eq!(config.tls.key, Path::new("/etc/own.key"));
    fs::write(directory.path().join("own.pem"), "").unwrap();
    assert_eq!(Config::load(&file).unwrap().tls.certificate, directory.path().join("own.pem"));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.toml");
    assert!(matches!(&Config::load(&missing).unwrap_err().problems[0].cause, Cause::Unreadable(_)));
    let long = directory.path().join("long.toml");
    fs::write(&long, " ".repeat(1024 * 1024 + 1)).unwrap();
    assert!(Config::load(&long).unwrap_err().to_string().contains("longer than"));
    fs::write(&long, [0xff, 0xfe]).unwrap();
    assert!(Config::load(&long).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]a-z0-9.=\"\\n #{},-]{0,80}") {
        let _ = Config::parse(&text, Path::new("x.toml"));
    }
}

#[test]
fn there_is_always_a_name_to_greet_with() {
    assert_eq!(localhost().as_str(), "localhost");
    assert!(!Config::default().host().as_str().is_empty());
    let named = Config::parse("hostname = \"Mail.Example.ORG\"", Path::new("x.toml")).unwrap();
    assert_eq!(named.host().as_str(), "mail.example.org");
}

#[test]
fn without_a_file_everything_lies_in_the_data_directory() {
    let config = Config::without_file("/var/lib/posthouse".into());
    assert_eq!(config.data, Path::new("/var/lib/posthouse"));
    assert_eq!(config.tls.key, Path::new("/var/lib/posthouse/key.pem"));
}
