//! What the command line understands. Help, completions and the man page come from here.

use super::{account, alias, convert, domain, explain, queue, redirect, responder, script, trace, transfer, values};
use crate::server::ConfigSource;
use crate::types::Domain;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Names the configuration when no `--config` does.
const CONFIG_VARIABLE: &str = "POSTHOUSE_CONFIG";

const EXAMPLES: &str = "\
Examples:
  posthouse demo
      Everything running with example people, on a throw-away directory.
  posthouse domain add example.org
  posthouse account add jane@example.org --name 'Jane Doe' --generate-password
  posthouse alias add info@example.org jane@example.org
      The first steps on a server of one's own. The data directory is made on the way.
  posthouse serve --config /etc/posthouse/posthouse.toml
      The server. Commands reach it through a socket in its data directory.
  posthouse redirect list --json | jq -r '.[].address'
      Lists and shows come as JSON too.

Exit codes: 0 done, 1 refused (you can mend it), 2 wrong usage, 3 our fault.
Environment: POSTHOUSE_CONFIG names the configuration, NO_COLOR turns colours off, POSTHOUSE_LOG filters the server's log.";

/// A mail server whose every rule about an address can be read, tried, explained and undone.
///
/// Commands change a running server through a socket in its data directory; with no server running they open the
/// directory themselves. A change prints what mail to the address will now do, and is refused, with the addresses on the
/// path, when mail would go in circles, to a dead end or nowhere.
#[derive(Debug, Parser)]
#[command(name = "posthouse", version, after_long_help = EXAMPLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, infer_long_args = false)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Globals {
    /// Print JSON instead of tables; errors become JSON too, on standard error
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(super) json: bool,
    /// The data directory; beats the configuration [default: posthouse-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    data: Option<PathBuf>,
    /// The configuration file [default: $POSTHOUSE_CONFIG, or built-in settings]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    config: Option<PathBuf>,
}

impl Globals {
    pub(super) fn source(&self) -> ConfigSource {
        let from_environment = || std::env::var_os(CONFIG_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from);
        ConfigSource { file: self.config.clone().or_else(from_environment), data: self.data.clone() }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Everything running with example people, on a throw-away directory
    ///
    /// Makes a directory that is gone again afterwards, with the domain example.test, two people, an alias, a redirection
    /// with a copy and a responder; listens on loopback at the standard ports plus 10000; prints what listens and commands
    /// to try. Ctrl-C stops it. No privileges needed, and nothing leaves this machine.
    Demo,
    /// Run the server until it is told to stop
    ///
    /// SIGTERM and SIGINT stop it in order: commits are finished, sessions get [limits] shutdown_seconds to end; a second
    /// signal does not wait for them. SIGHUP reads certificates and configuration again. Started as root, it binds its
    /// ports and then becomes the configured user. The log goes to standard error.
    #[command(after_long_help = "Example:\n  posthouse serve --config /etc/posthouse/posthouse.toml")]
    Serve,
    /// Check the configuration, and every rule of the whole directory
    ///
    /// Tells everything that is wrong with the configuration at once, with file, line and key; then proves the whole graph
    /// of addresses: loops, dead ends, black holes, limits. Domains whose MX records lead elsewhere are a warning; without a
    /// network nothing is said of them.
    Check,
    /// Mail on its way out
    Queue {
        #[command(subcommand)]
        action: queue::Action,
    },
    /// How the house stands: server, counts, and what somebody should look after
    Status,
    /// Domains: authoritative, split with another server, or aliases of each other
    Domain {
        #[command(subcommand)]
        action: domain::Action,
    },
    /// Accounts: the people behind mailboxes
    Account {
        #[command(subcommand)]
        action: account::Action,
    },
    /// Aliases: masks that are no mailboxes; their mail is their owner's
    Alias {
        #[command(subcommand)]
        action: alias::Action,
    },
    /// Redirections to other addresses, with or without a copy kept
    Redirect {
        #[command(subcommand)]
        action: redirect::Action,
    },
    /// Automatic answers
    Responder {
        #[command(subcommand)]
        action: responder::Action,
    },
    /// Turn a mailbox into a redirection or an alias, and back, losing nothing
    Convert(convert::Arguments),
    /// Sieve scripts with their versions: of people, domains and the server
    Script {
        #[command(subcommand)]
        action: script::Action,
    },
    /// What will happen to a mail: each filing, send, answer and refusal, with the rule and line that causes it
    ///
    /// For any sender, recipient, time and message, through the same code that delivers; changes nothing. Without --message
    /// a plain sample is taken. The mail is taken as coming from another server. DNS is not asked: SPF, DKIM and DMARC are taken as passed, and spam is what the message's
    /// header X-Spam-Status says it is.
    #[command(after_long_help = "\
Examples:
  posthouse explain info@example.org
  posthouse explain jane@example.org --from list-request@example.com --at 2026-12-24T09:00 --zone Europe/Paris
  posthouse explain jane+orders@example.org --message order.eml --json")]
    Explain(explain::Arguments),
    /// The DNS records a domain needs, ready to paste, and what DNS answers now
    ///
    /// Prints a zone file: each record with what DNS has in its place, right (green), missing or strange and not needed
    /// (orange), wrong or missing (red), and what to do. Services that the server does not offer get no records. Exits with 0
    /// whatever DNS says: --json has a verdict for each record.
    #[command(after_long_help = "Example:\n  posthouse dns example.org")]
    Dns {
        /// The domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Domain,
    },
    /// A message's whole life: where it came from, what was decided by which line, where it went
    ///
    /// Every decision and every attempt is written down for 90 days, with the replies of other servers.
    #[command(
        after_long_help = "Examples:\n  posthouse trace --message-id 'abc@example.org'\n  posthouse trace --address jane@example.org --last 3"
    )]
    Trace(trace::Arguments),
    Import(transfer::ImportArguments),
    Export(transfer::ExportArguments),
    /// Copy the whole store into one file, while it works
    ///
    /// The file is complete and consistent when it appears under its name. While a server runs it is the one that writes it,
    /// as its own user. `posthouse verify FILE` checks it, `posthouse restore FILE` puts it back.
    #[command(after_long_help = "Example:\n  posthouse backup /backup/posthouse-$(date +%F).db")]
    Backup {
        /// Replaced if it is there, by a complete one; refused if it is no plain file, such as a symbolic link
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check every invariant of the store, or of a backup
    ///
    /// Counts, quotas, UIDs, reference counts, the hash of every message's octets, references between tables. Works while
    /// the server runs. Exits with 3 when something is wrong.
    Verify {
        /// A backup to check instead of the store
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Put a backup in the data directory's place; the server must not run
    ///
    /// The backup is verified first. What was there is kept beside it as mail.db.before-restore, with a number behind it if
    /// there is one already. Mail programs notice that mailboxes changed, and queued mail is held for you to decide, since
    /// much of it will have been sent since.
    Restore {
        /// Made by `posthouse backup`
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print completions for a shell
    #[command(after_long_help = "Example:\n  posthouse completions bash > /etc/bash_completion.d/posthouse")]
    Completions {
        /// For which shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the man page, of everything or of one command
    #[command(after_long_help = "Examples:\n  posthouse man | man -l -\n  posthouse man redirect add | man -l -")]
    Man {
        /// The command, in as many words as it has
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_contradict_nothing() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_applies_everywhere_stands_before_or_after_the_command() {
        for line in ["--json --data d domain list", "domain --json list --data d", "domain list --data d --json"] {
            let cli = Cli::try_parse_from(["posthouse"].into_iter().chain(line.split(' '))).unwrap();
            assert!(cli.globals.json, "{line}");
            assert_eq!(cli.globals.source().data, Some("d".into()), "{line}");
        }
    }

    #[test]
    fn every_command_and_argument_is_explained() {
        fn check(command: &clap::Command, path: &str) {
            assert!(command.get_about().is_some(), "{path} has no help");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
            for below in command.get_subcommands() {
                check(below, &format!("{path} {}", below.get_name()));
            }
        }
        check(&Cli::command(), "posthouse");
    }

    #[test]
    fn wrong_usage() {
        let check = |line: &str| {
            let error = Cli::try_parse_from(["posthouse"].into_iter().chain(line.split(' '))).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        };
        check("domain");
        check("domain eat");
        check("domain add");
        check("domain add example..org");
        check("domain add example.org --split a --alias-of b");
        check("domain set example.org");
        check("account add jane --generate-password");
        check("account add jane@example.org");
        check("account add jane@example.org --generate-password --password-stdin");
        check("account add jane@example.org --generate-password --quota much");
        check("redirect add jane@example.org");
        check("redirect add jane@example.org x@example.org --keep --no-keep");
        check("responder set jane@example.org");
        check("convert jane@example.org");
        check("convert jane@example.org --to-mailbox --to-alias x@example.org");
        check("script activate jane@example.org");
        check("trace");
        check("trace --message-id a --address a@example.org");
        check("trace --address a@example.org --last 0");
        check("dns");
        check("verify a b");
    }

    /// Commands in the documents and examples, as a shell would part them.
    fn commands_in(text: &str) -> Vec<Vec<String>> {
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("posthouse "));
        let words = |line: &str| {
            let line = line.split(['#', '|', '>']).next().unwrap_or_default().replace("$(date +%F)", "today");
            let parts = line.split('\'').enumerate();
            let quoted = parts.flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            });
            quoted.collect()
        };
        lines.map(words).collect()
    }

    #[test]
    fn the_readme_and_the_examples_speak_of_what_there_is() {
        fn check(command: &clap::Command, known: &mut usize) {
            for help in command.get_after_long_help().into_iter() {
                for words in commands_in(&help.to_string()) {
                    Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
                    *known += 1;
                }
            }
            command.get_subcommands().for_each(|below| check(below, known));
        }
        let readme = include_str!("../../README.md");
        for words in commands_in(readme) {
            Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        }
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let told = readme.contains(&format!("posthouse {name}")) || readme.contains(&format!("-- {name}"));
            assert!(told, "the readme does not speak of {name}");
        }
        let mut known = 0;
        check(&Cli::command(), &mut known);
        assert!(known > 20, "{known}");
    }
}
