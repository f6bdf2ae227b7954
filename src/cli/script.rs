//! `posthouse script`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, minute};
use super::values;
use crate::admin::{
    CompiledShow, ScriptActivate, ScriptCheck, ScriptDeactivate, ScriptDifference, ScriptFaults, ScriptGet,
    ScriptHistory, ScriptList, ScriptPut, ScriptRemove, ScriptRollback, ScriptView, ScriptWhere, VersionView,
    check_script,
};
use crate::types::Address;
use clap::Subcommand;
use std::path::PathBuf;

/// Longer scripts are refused by their own limit; this only bounds what is read.
const TEXT_OCTETS_READ_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Store a script, as a new version if there is one of this name
    ///
    /// WHERE is an address, @domain, or @ for the whole server. An address has its own scripts, which run where its mailbox
    /// keeps the message; a domain and the server have one that runs before and one that runs after everything else. A
    /// script that does not compile is not stored; the error names line and column.
    #[command(after_long_help = "\
Examples:
  posthouse script put jane@example.org lists lists.sieve --activate
  posthouse script put @example.org before spam.sieve --activate")]
    Put {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Its name; on @ and @domain before or after
        #[arg(value_name = "NAME")]
        name: String,
        /// Sieve, UTF-8; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Run it from now on, behind those that run already
        #[arg(long)]
        activate: bool,
    },
    /// Print a script
    Get {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Its name; on an address, compiled is the one made from its switches
        #[arg(value_name = "NAME")]
        name: String,
        /// Not the current one, but this
        #[arg(long, value_name = "VERSION")]
        version: Option<u32>,
    },
    /// List the scripts of a place, active ones first in the order they run
    List {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
    },
    /// Make exactly these scripts active, in this order
    Activate {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Their names
        #[arg(value_name = "NAME", required = true, num_args = 1..)]
        names: Vec<String>,
    },
    /// Make a script inactive; it stays stored
    Deactivate {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Remove an inactive script with all its versions
    Remove {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the versions of a script, with who made each, when and why
    ///
    /// With --diff, show what was changed from one of them to another, as patch reads it.
    #[command(after_long_help = "\
Examples:
  posthouse script history jane@example.org lists
  posthouse script history jane@example.org lists --diff 2 3
  posthouse script history jane@example.org compiled --diff 7")]
    History {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Its name; on an address, compiled is the one made from its switches
        #[arg(value_name = "NAME")]
        name: String,
        /// Show the difference between two versions; without the second, to the current one
        #[arg(long, num_args = 1..=2, value_name = "VERSION")]
        diff: Vec<u32>,
    },
    /// Make an older version the current one
    ///
    /// With the name compiled, the switches of an address go back to what they were when that version was made.
    #[command(after_long_help = "\
Examples:
  posthouse script rollback jane@example.org lists 3
  posthouse script rollback jane@example.org compiled 12")]
    Rollback {
        /// Whose: an address, @domain, or @
        #[arg(value_name = "WHERE")]
        place: ScriptWhere,
        /// Its name; on an address, compiled is the one made from its switches
        #[arg(value_name = "NAME")]
        name: String,
        /// See history
        #[arg(value_name = "VERSION")]
        version: u32,
    },
    /// Print the script that an address's switches were made into
    Compiled {
        /// The address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Say whether a file is a script that would be taken, or what is wrong with those that run
    ///
    /// Tells also what works and is probably not meant: rules that no mail can come to, because a rule before them is the end
    /// of it or because they ask for what excludes itself. With --for, it is checked as a script of that place: whether the
    /// scripts it includes, the mailboxes it files into and the addresses of this server it redirects to are there. Nothing is
    /// stored.
    ///
    /// Without a file, the same is told of every script that runs, or of those of one place, and besides it what has gone
    /// wrong while they ran.
    #[command(after_long_help = "\
Examples:
  posthouse script check lists.sieve
  posthouse script check lists.sieve --for jane@example.org
  posthouse script check
  posthouse script check --for jane@example.org")]
    Check {
        /// Sieve, UTF-8; - is standard input [default: the scripts that run]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Whose it is or would be: an address, @domain, or @
        #[arg(long = "for", value_name = "WHERE")]
        place: Option<ScriptWhere>,
    },
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::Put { place, name, file, activate } => put(place, name, file, activate, desk, output).await,
        Action::Get { place, name, version } => {
            let script = desk.perform(ScriptGet { place, name, version }).await?;
            output.answer(&script, |page| page.line(script.text.trim_end_matches('\n')))
        }
        Action::List { place } => {
            let list = desk.perform(ScriptList { place }).await?;
            output.answer(&list, |page| {
                let row = |one: &ScriptView| {
                    let active = one.position.map_or_else(String::new, |position| position.to_string());
                    [one.name.clone(), active, one.version.to_string(), one.octets.to_string(), minute(&one.changed)]
                };
                page.table(["SCRIPT", "RUNS AS", "VERSION", "BYTES", "CHANGED"], list.iter().map(row), "no scripts");
            })
        }
        Action::Activate { place, names } => {
            let headline = format!("{place} runs {}", names.join(", "));
            output.done(&desk.perform(ScriptActivate { place, names }).await?, &headline)
        }
        Action::Deactivate { place, name } => {
            let headline = format!("the script {name} of {place} runs no longer");
            output.done(&desk.perform(ScriptDeactivate { place, name }).await?, &headline)
        }
        Action::Remove { place, name } => {
            let headline = format!("the script {name} of {place} is removed");
            output.done(&desk.perform(ScriptRemove { place, name }).await?, &headline)
        }
        Action::History { place, name, diff } if !diff.is_empty() => {
            let (from, to) = (diff.first().copied().unwrap_or_default(), diff.get(1).copied());
            let difference = desk.perform(ScriptDifference { place, name, from, to }).await?;
            output.answer(&difference, |page| {
                if difference.text.is_empty() {
                    page.note(&format!("versions {} and {} are the same", difference.from, difference.to));
                } else {
                    page.line(difference.text.trim_end_matches('\n'));
                }
            })
        }
        Action::History { place, name, .. } => {
            let versions = desk.perform(ScriptHistory { place, name }).await?;
            output.answer(&versions, |page| {
                let row = |one: &VersionView| {
                    let bytes = one.octets.to_string();
                    let (made, version) = (minute(&one.created), one.version.to_string());
                    [version, made, one.author.clone(), one.origin.clone(), one.cause.clone(), bytes]
                };
                page.table(["VERSION", "MADE", "BY", "FROM", "WHY", "BYTES"], versions.iter().map(row), "no versions");
            })
        }
        Action::Rollback { place, name, version } => {
            let headline = format!("{name} of {place} is back at version {version}");
            output.done(&desk.perform(ScriptRollback { place, name, version }).await?, &headline)
        }
        Action::Compiled { address } => {
            let compiled = desk.perform(CompiledShow { address }).await?;
            output.answer(&compiled, |page| page.line(compiled.text.trim_end_matches('\n')))
        }
        Action::Check { file: Some(file), place } => check(file, place, desk, output).await,
        Action::Check { file: None, place } => faults(place, desk, output).await,
    }
}

async fn check(file: PathBuf, place: Option<ScriptWhere>, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let text = values::text_of(&file, TEXT_OCTETS_READ_MAX)?;
    let name = file.display().to_string();
    let warnings = match place {
        Some(place) => desk.perform(ScriptCheck { place, name, text }).await?.warnings,
        None => check_script(&name, &text, desk.config()?.limits.script_octets_max)?,
    };
    output.answer(&serde_json::json!({ "warnings": warnings }), |page| {
        page.strong_line(&format!("{} is a script that would be taken", file.display()));
        warnings.iter().for_each(|warning| page.note(warning));
    })
}

async fn faults(place: Option<ScriptWhere>, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let faults = desk.perform(ScriptFaults { place }).await?;
    output.answer(&faults, |page| {
        if faults.is_empty() {
            page.strong_line("nothing is wrong with the scripts that run");
        }
        faults.iter().for_each(|fault| page.note(&fault.to_string()));
    })
}

async fn put(
    place: ScriptWhere,
    name: String,
    file: PathBuf,
    activate: bool,
    desk: &mut Desk,
    output: &Output,
) -> Result<(), Failure> {
    let text = values::text_of(&file, TEXT_OCTETS_READ_MAX)?;
    let headline = format!("the script {name} of {place} is stored");
    let done = desk.perform(ScriptPut { place, name, text, activate }).await?;
    output.answer(&done, |page| {
        page.strong_line(&format!("{headline} as version {}", done.version));
        done.warnings.iter().chain(&done.notes).for_each(|note| page.note(note));
    })
}
