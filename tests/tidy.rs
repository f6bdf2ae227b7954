//! The house rules that no compiler knows, read off the source tree as text: who may use whom, sizes, names, words that
//! have one home, the RFC list, the shape of the repository. Does not link the crate, so it answers in a moment.

#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests, which the lints don't take for tests

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The layers: each module with what it may use besides `types` and `telemetry`. The same table stands in `src/lib.rs`.
const LAYERS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("message", &[]),
    ("rules", &[]),
    ("config", &[]),
    ("telemetry", &[]),
    ("net", &[]),
    ("dns", &[]),
    ("store", &[]),
    ("auth", &["store"]),
    ("directory", &["store", "rules"]),
    ("policy", &["dns", "message"]),
    ("filter", &["message"]),
    ("mailbox", &["store", "message"]),
    ("queue", &["store", "dns", "message", "policy"]),
    ("delivery", &["directory", "filter", "mailbox", "queue", "store", "message", "rules"]),
    ("admin", &["auth", "directory", "rules", "filter", "mailbox", "policy", "queue", "delivery", "store", "dns"]),
    ("smtp", &["net", "message", "auth", "policy", "directory", "delivery", "queue"]),
    ("imap", &["net", "auth", "mailbox", "delivery"]),
    ("managesieve", &["net", "auth", "filter", "admin"]),
    ("http", &["net", "auth", "admin"]),
    (
        "server",
        &[
            "message",
            "rules",
            "config",
            "net",
            "dns",
            "store",
            "auth",
            "directory",
            "policy",
            "filter",
            "mailbox",
            "queue",
            "delivery",
            "admin",
            "smtp",
            "imap",
            "managesieve",
            "http",
        ],
    ),
    ("cli", &["config", "admin", "server"]),
];
/// What every module may use. `types` and `telemetry` are on the floor: they use nothing themselves.
const FLOOR: &[&str] = &["types", "telemetry"];

const FILE_LINES_MAX: usize = 1000;
/// Above this a file says why.
const FILE_LINES_EXPLAINED: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// What may stand at the top of the repository.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "src",
    "sieve",
    "data",
    "tests",
    "benches",
    ".ci",
    ".gitignore",
    "clippy.toml",
    "rustfmt.toml",
    ".cargo",
    "rust-toolchain.toml",
];
/// What building and running leave there.
const LEFT_BY_USE: &[&str] = &[".git", "target", "posthouse-data", "proptest-regressions"];

struct Source {
    /// From the top of the repository, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The top-level module a file of `src` belongs to.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split_once('/').map(|(module, _)| module)
    }

    fn is_test_file(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// Up to the tests that stand at the end of the file.
    fn without_tests(&self) -> &str {
        self.text.split_once("\n#[cfg(test)]\nmod tests {").map_or(&self.text, |(code, _)| code)
    }
}

fn read_tree(folder: &str, extension: &str) -> Vec<Source> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        // A folder that is not there yet has no files that could be wrong.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(extension) {
                let short = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().into_owned();
                // Messages and the like are octets, not text; rules about words are not for them.
                if let Ok(text) = fs::read_to_string(&path) {
                    files.push(Source { path: short, text });
                }
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

fn sources() -> Vec<Source> {
    read_tree("src", ".rs")
}

fn all_rust() -> Vec<Source> {
    ["src", "tests", "benches"].iter().flat_map(|folder| read_tree(folder, ".rs")).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with everything that is wrong at once.
fn expect_none(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}\n  {}\n", wrong.join("\n  "));
}

/// The code of a line: without a comment at its end. Slashes inside a string are taken for one too; the rules that use this
/// look at paths, which don't stand behind strings.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// What stands behind each `needle` that is a word of its own, with its line number.
fn after_word<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.match_indices(needle).filter_map(move |(at, _)| {
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let alone = !text[..at].chars().next_back().is_some_and(|before| is_word(before) || before == ':');
        let in_comment = code_of(&text[line_start..]).len() < at - line_start;
        (alone && !in_comment).then(|| (1 + text[..at].matches('\n').count(), &text[at + needle.len()..]))
    })
}

/// The first names of a path's continuation: `a::b` gives a; `{a::b, c}` gives a and c.
fn first_names(rest: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.chars().take_while(|character| is_word(*character)).count();
    let Some(group) = rest.strip_prefix('{') else { return vec![&rest[..name(rest)]] };
    let (mut depth, mut names, mut expecting) = (1, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expecting = true,
            _ if expecting && is_word(character) => {
                names.push(&group[at..at + name(&group[at..])]);
                expecting = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn wrong_arrows(sources: &[Source]) -> Vec<String> {
    let table: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources {
        let Some(module) = source.module() else { continue };
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("{}: the module {module} is not in the table", source.path));
            continue;
        };
        let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
        let upward = "super::".repeat(depth);
        for (line, rest) in after_word(&source.text, "crate::").chain(after_word(&source.text, &upward)) {
            for used in first_names(rest) {
                let known = table.contains_key(used) && used != module;
                let floor = FLOOR.contains(&used) && !FLOOR.contains(&module);
                if known && !floor && !allowed.contains(&used) {
                    wrong.push(format!("{}:{line}: {module} may not use {used}", source.path));
                }
            }
        }
    }
    wrong
}

#[test]
fn arrows_between_modules_point_down_only() {
    let wrong = wrong_arrows(&sources());
    expect_none("A module uses what its line in the layer table says, and nothing else of ours:", &wrong);
}

#[test]
fn every_module_of_the_table_is_in_the_library() {
    let library = read("src/lib.rs");
    let declared = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let table: BTreeSet<&str> = LAYERS.iter().map(|(module, _)| *module).collect();
    let unknown: Vec<String> = declared.filter(|module| !table.contains(module)).map(str::to_owned).collect();
    expect_none("These modules have no line in the layer table:", &unknown);
}

fn long_files(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test_file()) {
        let lines = source.without_tests().lines().count();
        let explained = source.text.contains("// Long because");
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines, {FILE_LINES_MAX} are the end", source.path));
        } else if lines > FILE_LINES_EXPLAINED && !explained {
            wrong.push(format!("{}: {lines} lines and no `// Long because …`", source.path));
        }
    }
    wrong
}

#[test]
fn files_have_a_size_a_head_can_hold() {
    let wrong = long_files(&all_rust());
    expect_none("Files aim at 400 lines, say why above 800 and stop at 1000, tests apart:", &wrong);
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.trim_start().split(' ').collect();
            let leads_to_fn =
                |word: &&str| ["pub", "const", "async", "extern"].contains(word) || word.starts_with("pub(");
            let is_function = words.iter().find(|word| !leads_to_fn(word)) == Some(&"fn");
            if !is_function || line.ends_with(';') || line.ends_with('}') {
                continue;
            }
            // Formatted code ends a function with the first brace at its own indentation.
            let end = lines[index..].iter().position(|line| {
                line.starts_with('}') && indent == 0 || {
                    indent > 0 && line.len() == indent + 1 && line.ends_with('}') && line[..indent].trim().is_empty()
                }
            });
            // Its signature does not count, as it does not for the lint that asks the same.
            let end = index + end.unwrap_or(0);
            let body = lines[index..end].iter().skip_while(|line| !line.ends_with('{')).skip(1);
            let count = body.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count();
            if count > FUNCTION_LINES_MAX {
                wrong.push(format!("{}:{}: {count} lines: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    wrong
}

#[test]
fn functions_fit_a_screen() {
    expect_none("Functions have at most 70 lines of code:", &long_functions(&all_rust()));
}

#[test]
fn names_say_something() {
    let empty = ["utils", "util", "common", "helpers", "helper", "misc"];
    let wrong: Vec<String> = all_rust()
        .iter()
        .filter(|source| source.path.split(['/', '.']).any(|name| empty.contains(&name)))
        .map(|source| source.path.clone())
        .collect();
    expect_none("A file or folder has a name a mail administrator would use:", &wrong);
}

#[test]
fn every_file_says_what_it_is_for() {
    let wrong: Vec<String> = all_rust()
        .iter()
        .filter(|source| source.path.starts_with("tests/") || !source.is_test_file())
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path.clone())
        .collect();
    expect_none("A file begins with `//!`: what it is for and what it will not do:", &wrong);
}

fn strayed_words(sources: &[Source]) -> Vec<String> {
    let homes: &[(&str, &[&str])] = &[
        // The contract suite looks behind the store's back, and the bench compares it with the bare engine.
        ("rusqlite", &["src/store/sqlite", "src/store/tests", "benches/"]),
        ("sieve::", &["src/filter/"]),
        ("imap_codec", &["src/imap/"]),
        ("imap_types", &["src/imap/"]),
        ("hickory_resolver", &["src/dns/"]),
        ("mail_auth::", &["src/policy/"]),
        // The resolver's library wants to be told that it needs no TLS.
        ("rustls::", &["src/net/", "src/dns/system.rs", "tests/it/support/tls.rs"]),
        ("clap::", &["src/cli/", "src/main.rs"]),
    ];
    let mut wrong = Vec::new();
    // The integration tests use libraries as peers and oracles.
    for source in sources.iter().filter(|source| !source.path.starts_with("tests/")) {
        for (word, homes) in homes {
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            let in_oracle_test = source.is_test_file() && word.starts_with("imap_");
            if !at_home && !in_oracle_test {
                // Test modules at the end of a file may use a library as their oracle.
                let code = if word.starts_with("imap_") { source.without_tests() } else { &source.text };
                wrong.extend(after_word(code, word).map(|(line, _)| format!("{}:{line}: {word}", source.path)));
            }
        }
    }
    wrong
}

#[test]
fn words_have_one_home() {
    expect_none("These libraries are named in one place only:", &strayed_words(&all_rust()));
}

fn strayed_sql(sources: &[Source]) -> Vec<String> {
    let starts = ["INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX ", "PRAGMA "];
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| !source.path.starts_with("src/store/")) {
        for (number, line) in source.text.lines().enumerate() {
            let code = code_of(line);
            // IMAP has a SELECT of its own; only together with its FROM is it a query.
            let query = code.contains("SELECT ") && code.contains(" FROM ");
            let update = code.split_once("UPDATE ").is_some_and(|(_, rest)| rest.contains(" SET "));
            if query || update || starts.iter().any(|start| code.contains(start)) {
                wrong.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    wrong
}

#[test]
fn only_the_store_speaks_sql() {
    expect_none("SQL stands in src/store and nowhere else:", &strayed_sql(&sources()));
}

/// Rules that can't fail are no rules: each is shown something wrong.
#[test]
fn the_rules_notice_what_they_forbid() {
    let check = |rule: fn(&[Source]) -> Vec<String>, path: &str, text: &str, expected: &[&str]| {
        let found = rule(&[Source { path: path.to_owned(), text: text.to_owned() }]);
        assert_eq!(found, expected, "{path}: {text}");
    };
    let imap_store = ["src/imap/cmd/a.rs:2: imap may not use store"];
    check(wrong_arrows, "src/imap/cmd/a.rs", "//! A.\nuse crate::store::Store;", &imap_store);
    check(wrong_arrows, "src/imap/cmd/a.rs", "//! A.\nuse crate::{types::Uid, store::{Store, Tx}};", &imap_store);
    check(wrong_arrows, "src/imap/cmd/a.rs", "//! A.\nlet a = super::super::super::store::open();", &imap_store);
    check(
        wrong_arrows,
        "src/imap/cmd/a.rs",
        "//! A crate::store::Store.\nuse crate::types::Uid; // crate::store::X",
        &[],
    );
    check(
        wrong_arrows,
        "src/types/a.rs",
        "use crate::telemetry::X;",
        &["src/types/a.rs:1: types may not use telemetry"],
    );
    check(wrong_arrows, "src/other/a.rs", "", &["src/other/a.rs: the module other is not in the table"]);

    let long = "x\n".repeat(801);
    check(long_files, "src/a/b.rs", &long, &["src/a/b.rs: 801 lines and no `// Long because …`"]);
    check(long_files, "src/a/b.rs", &format!("// Long because it is.\n{long}"), &[]);
    check(long_files, "src/a/b.rs", &long.repeat(2), &["src/a/b.rs: 1602 lines, 1000 are the end"]);
    check(long_files, "src/a/b.rs", &format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}"), &[]);

    let function = |lines: usize| {
        format!("impl A {{\n    pub(super) async fn f() {{\n{}    }}\n}}\n", "        x;\n".repeat(lines))
    };
    check(long_functions, "src/a/b.rs", &function(70), &[]);
    check(long_functions, "src/a/b.rs", &function(71), &["src/a/b.rs:2: 71 lines: pub(super) async fn f() {"]);

    check(strayed_words, "src/queue/a.rs", "\nuse rusqlite::Row;", &["src/queue/a.rs:2: rusqlite"]);
    check(strayed_words, "src/queue/a.rs", "use crate::managesieve::X; let a = rules::sieve::X;", &[]);
    check(strayed_words, "src/delivery/a.rs", "use sieve::Compiler;", &["src/delivery/a.rs:1: sieve::"]);

    check(strayed_sql, "src/queue/a.rs", "\"SELECT a FROM b\"", &["src/queue/a.rs:1: \"SELECT a FROM b\""]);
    check(strayed_sql, "src/queue/a.rs", "\"UPDATE a SET b = 1\"", &["src/queue/a.rs:1: \"UPDATE a SET b = 1\""]);
    check(strayed_sql, "src/imap/a.rs", "\"a SELECT INBOX\" // SELECT FROM", &[]);
    assert_eq!(citations("// RFC 1 and RFC\n    /// 22, RFC 333 section 4"), BTreeSet::from([1, 22, 333]));
}

struct Rfc {
    number: u32,
    status: String,
    modules: Vec<String>,
}

fn rfc_list() -> Vec<Rfc> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [number, status, modules, title] = columns[..] else { return None };
        let known = ["full", "partial", "cited"].contains(&status) && !title.trim().is_empty();
        let modules = modules.split(", ").map(str::to_owned).collect();
        known.then_some(Rfc { number: number.parse().ok()?, status: status.to_owned(), modules })
    };
    read("data/rfc.txt")
        .lines()
        .map(|line| {
            parse(line).unwrap_or_else(|| panic!("data/rfc.txt: not `NUMBER | status | module | title`: {line}"))
        })
        .collect()
}

/// The numbers behind every "RFC", also where the line breaks between the two.
fn citations(text: &str) -> BTreeSet<u32> {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!']).trim_start());
    let joined = lines.collect::<Vec<_>>().join(" ");
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    joined.split("RFC ").skip(1).filter_map(|rest| digits(rest).parse().ok()).collect()
}

#[test]
fn the_rfc_list_is_what_the_code_cites() {
    let list = rfc_list();
    let mut wrong = Vec::new();
    for pair in list.windows(2).filter(|pair| pair[0].number >= pair[1].number) {
        wrong.push(format!("RFC {} stands out of order or twice in data/rfc.txt", pair[1].number));
    }
    let mut by_module: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut cited = BTreeSet::new();
    for source in sources() {
        for number in citations(&source.text) {
            cited.insert(number);
            by_module.entry(source.module().unwrap_or_default().to_owned()).or_default().insert(number);
            if !list.iter().any(|rfc| rfc.number == number) {
                wrong.push(format!("{} cites RFC {number}, which data/rfc.txt does not have", source.path));
            }
        }
    }
    for rfc in &list {
        if rfc.status == "cited" && !cited.contains(&rfc.number) {
            wrong.push(format!("RFC {} is listed as cited and is not", rfc.number));
        }
        for module in rfc.modules.iter().filter(|_| rfc.status != "cited") {
            if !by_module.get(module).is_some_and(|numbers| numbers.contains(&rfc.number)) {
                wrong.push(format!("RFC {} is listed as {} in {module}, which never cites it", rfc.number, rfc.status));
            }
        }
    }
    expect_none("data/rfc.txt and the citations in the code tell the same story:", &wrong);
}

#[test]
fn everything_shipped_is_used() {
    let users: Vec<Source> =
        ["src", "tests", "benches", ".ci"].iter().flat_map(|folder| read_tree(folder, "")).collect();
    let mut wrong = Vec::new();
    for shipped in read_tree("data", "").iter().chain(&read_tree("sieve", "")) {
        let name = shipped.path.split_once('/').map_or(&*shipped.path, |(_, name)| name);
        // Samples are found by walking their folder.
        let folder = name.rsplit_once('/').map(|(folder, _)| format!("sieve/{folder}"));
        let used = users.iter().any(|user| {
            user.text.contains(name) || folder.as_ref().is_some_and(|folder| user.text.contains(folder.as_str()))
        });
        if !used {
            wrong.push(shipped.path.clone());
        }
    }
    expect_none("These files are shipped and nothing uses them:", &wrong);
}

#[test]
fn the_repository_has_its_shape() {
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let wrong: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !TOP.contains(&name.as_str()) && !LEFT_BY_USE.contains(&name.as_str()))
        .collect();
    expect_none("Nothing else stands at the top of the repository:", &wrong);
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = read("Cargo.toml");
    let mut section = "";
    let mut wrong = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let is_dependency = section.ends_with("dependencies]") && line.contains(" = ");
        if is_dependency && line.split_once("# ").is_none_or(|(_, reason)| reason.trim().len() < 3) {
            wrong.push(line.to_owned());
        }
    }
    expect_none("Every dependency says on its line what it is for:", &wrong);
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // Put together here, so that this file does not name them.
    let foreign: Vec<String> =
        [["crates.", "io"], ["docs.", "rs"], ["npmjs.", "org"], ["pypi.", "org"], ["\"/wo", "rk/"], ["/root", "/."]]
            .iter()
            .map(|parts| parts.concat())
            .collect();
    let mut wrong = Vec::new();
    let mut files: Vec<Source> =
        ["src", "tests", "benches", "data", "sieve", ".ci"].iter().flat_map(|folder| read_tree(folder, "")).collect();
    for path in ["Cargo.toml", "README.md"] {
        // The README comes last.
        if let Ok(text) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)) {
            files.push(Source { path: path.to_owned(), text });
        }
    }
    for file in &files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = foreign.iter().find(|word| line.contains(word.as_str())) {
                wrong.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
    }
    expect_none("No registry, no other tool, no path of somebody's machine:", &wrong);
}

#[test]
fn the_unit_file_hardens_the_service() {
    let unit = read("data/posthouse.service");
    let wanted = [
        "Type=notify",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "MemoryDenyWriteExecute=yes",
        "StateDirectory=posthouse",
        "SystemCallFilter=@system-service",
    ];
    let missing: Vec<String> =
        wanted.iter().filter(|line| !unit.lines().any(|have| have == **line)).map(|line| (*line).to_owned()).collect();
    expect_none("data/posthouse.service lacks:", &missing);
}

#[test]
fn the_map_shows_the_same_layers() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | `")).map(|row| {
        let (module, rest) = row.split_once("` |").unwrap_or((row, ""));
        let uses = rest.rsplit('|').nth(1).unwrap_or("").trim().to_owned();
        (module.to_owned(), uses)
    });
    let shown: BTreeMap<String, String> = rows.collect();
    let mut wrong = Vec::new();
    for (module, uses) in LAYERS {
        let expected = match (*module, uses.len()) {
            ("server", _) => "everything but cli".to_owned(),
            (_, 0) => "–".to_owned(),
            _ => uses.join(", "),
        };
        // A module that is planned and not there has no row.
        let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module).is_dir();
        match shown.get(*module) {
            Some(found) if *found == expected => {}
            None if !exists => {}
            found => wrong.push(format!("{module}: the map says {found:?}, the table {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
