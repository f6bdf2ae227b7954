//! The outside judge: `sieve-test` reads script and message and tells what it would do.

use super::{Library, MAILBOX, OWN, SENDER};
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

pub struct Judge {
    directory: tempfile::TempDir,
    extensions: &'static str,
}

pub struct Verdict {
    pub actions: BTreeSet<String>,
    /// All it said, for whoever has to find out why.
    pub output: String,
}

impl Judge {
    /// Nothing, if the tool is not installed. `extensions` are those to be had besides what it offers by default.
    pub fn find(library: &Library, extensions: &'static str) -> Option<Self> {
        Command::new("sieve-test").output().ok()?;
        let judge = Self { directory: tempfile::tempdir().expect("a directory"), extensions };
        let root = judge.directory.path();
        // The tool does not run as root: started by it, it becomes the user named here, who must get in.
        let owner = root.metadata().expect("it is there").uid();
        let user = if owner == 0 { 65_534 } else { owner };
        open(root);
        for (folder, scripts) in [("personal", &library.personal), ("global", &library.global)] {
            let folder = root.join(folder);
            std::fs::create_dir(&folder).expect("can make a directory");
            open(&folder);
            for (name, text) in scripts {
                std::fs::write(folder.join(format!("{name}.sieve")), text).expect("can write");
            }
        }
        for folder in ["", "/cur", "/new", "/tmp"] {
            let folder = root.join(format!("mail/.{MAILBOX}{folder}"));
            std::fs::create_dir_all(&folder).expect("can make a directory");
            open(&folder);
        }
        open(&root.join("mail"));
        let root = root.display();
        let settings = format!(
            "mail_location = maildir:{root}/mail\nrecipient_delimiter = +\nmail_uid = {user}\nmail_gid = {user}\nfirst_valid_uid = 1\n\
             plugin {{\n  sieve = file:{root}/personal;active={root}/active\n  sieve_global = {root}/global\n  \
             sieve_max_redirects = 100\n}}\n"
        );
        std::fs::write(judge.directory.path().join("settings"), settings).expect("can write");
        Some(judge)
    }

    /// The script must compile.
    pub fn run(&self, script: &str, message: &str) -> Verdict {
        self.run_to(OWN, script, message)
    }

    pub fn run_to(&self, to: &str, script: &str, message: &str) -> Verdict {
        let root = self.directory.path();
        std::fs::write(root.join("script.sieve"), script).expect("can write");
        std::fs::write(root.join("message"), message).expect("can write");
        let mut command = Command::new("sieve-test");
        command.args(["-C", "-c", "settings", "-f", SENDER, "-r", to, "-a", to]);
        if !self.extensions.is_empty() {
            command.args(["-x", self.extensions]);
        }
        let output =
            command.args(["script.sieve", "message"]).env("HOME", root).current_dir(root).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}\n{script}", output.status);
        let lines = text.lines().map(str::trim);
        Verdict { actions: lines.filter_map(action).collect(), output: text.clone() }
    }
}

fn action(line: &str) -> Option<String> {
    let line = line.strip_prefix("* ")?;
    if let Some(folder) = line.strip_prefix("store message in folder: ") {
        return Some(format!("store {folder}"));
    }
    if let Some(to) = line.strip_prefix("redirect message to: ") {
        return Some(format!("send {}", to.trim_matches(|c| c == '<' || c == '>')));
    }
    if line.starts_with("send vacation message") {
        return Some("answer".to_owned());
    }
    if line.starts_with("reject") {
        return Some("reject".to_owned());
    }
    (line != "discard").then(|| panic!("what is “{line}”?"))
}

fn open(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
}
