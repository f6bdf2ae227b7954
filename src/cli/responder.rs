//! `posthouse responder`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::values;
use crate::admin::{
    ReceivedChoice, ResponderList, ResponderPause, ResponderRemove, ResponderResume, ResponderSet, ResponderShow,
    ResponderView, words,
};
use crate::types::{Address, Domain};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Longer texts are refused by their own limit; this only bounds what is read.
const TEXT_OCTETS_READ_MAX: u64 = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Answer mail for an address by itself
    ///
    /// Attached to an address with a mailbox, or free on an alias or a virtual address. Permanent, or from a date to another
    /// in a time zone; a bare date as the end still counts. Each sender is answered once in the interval, from the address
    /// he wrote to. Replaces the whole responder, if there is one.
    #[command(after_long_help = "\
Examples:
  posthouse responder set jane@example.org --text-file away.txt --from 2026-12-24 --until 2027-01-06 --zone Europe/Paris
  echo 'Thank you, we have your order.' |
    posthouse responder set orders@example.org --text-file - --every 30d --copy-to jane@example.org")]
    Set(Arguments),
    /// List responders, all or of one domain
    List {
        /// Only this domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Option<Domain>,
    },
    /// Show one responder with its text
    Show {
        /// The address that answers
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Answer nothing until it is resumed
    Pause {
        /// The address that answers
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Undo pause
    Resume {
        /// The address that answers
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Remove a responder
    Remove {
        /// The address that answers
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The address that answers
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// What it answers, UTF-8; - is standard input
    #[arg(long, value_name = "FILE")]
    text_file: PathBuf,
    /// The answer's subject [default: "Auto: " and the subject answered]
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Begin: 2026-11-01, or 2026-11-01T08:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End: a day that still counts, or the exact time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The zone of these times [default: the server's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The least time between two answers to one sender, in whole days: 1d, 7d, 2w [default: 7d]
    #[arg(long, value_name = "INTERVAL", value_parser = values::interval)]
    every: Option<u32>,
    /// The mailbox keeps what was answered; the default
    #[arg(long, conflicts_with_all = ["no_keep", "copy_to"])]
    keep: bool,
    /// What was answered is not stored
    #[arg(long, conflicts_with = "copy_to")]
    no_keep: bool,
    /// Send a copy of what was answered there; for addresses without a mailbox
    #[arg(long, value_name = "ADDRESS", value_parser = values::address)]
    copy_to: Option<Address>,
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::Set(arguments) => set(arguments, desk, output).await,
        Action::List { domain } => {
            let list = desk.perform(ResponderList { domain }).await?;
            output.answer(&list, |page| {
                let row = |one: &ResponderView| {
                    [one.address.to_string(), one.kind.clone(), one.state.clone(), window(one), received(one)]
                };
                page.table(["ADDRESS", "KIND", "STATE", "WHEN", "RECEIVED"], list.iter().map(row), "no responders");
            })
        }
        Action::Show { address } => {
            let one = desk.perform(ResponderShow { address }).await?;
            output.answer(&one, |page| {
                let mut facts = vec![
                    ("address", one.address.to_string()),
                    ("kind", one.kind.clone()),
                    ("state", one.state.clone()),
                    ("when", window(&one)),
                    ("every", format!("{} for each sender", words::interval(one.every_seconds))),
                    ("received", received(&one)),
                    ("subject", one.subject.clone().unwrap_or_default()),
                    ("text", one.text.trim_end().to_owned()),
                ];
                facts.retain(|(_, value)| !value.is_empty());
                page.facts(&facts);
            })
        }
        Action::Pause { address } => {
            let headline = format!("the responder of {address} is paused");
            output.done(&desk.perform(ResponderPause { address }).await?, &headline)
        }
        Action::Resume { address } => {
            let headline = format!("the responder of {address} is active again");
            output.done(&desk.perform(ResponderResume { address }).await?, &headline)
        }
        Action::Remove { address } => {
            let headline = format!("the responder of {address} is removed");
            output.done(&desk.perform(ResponderRemove { address }).await?, &headline)
        }
    }
}

async fn set(arguments: Arguments, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let Arguments { address, text_file, subject, from, until, zone, every: every_seconds, no_keep, copy_to, .. } =
        arguments;
    let text = values::text_of(&text_file, TEXT_OCTETS_READ_MAX)?;
    let received = match (copy_to, no_keep) {
        (Some(target), _) => ReceivedChoice::CopyTo(target),
        (None, true) => ReceivedChoice::Drop,
        (None, false) => ReceivedChoice::Keep,
    };
    let headline = format!("{address} has a responder");
    let act = ResponderSet { address, text, subject, from, until, zone, every_seconds, received };
    output.done(&desk.perform(act).await?, &headline)
}

fn window(one: &ResponderView) -> String {
    let zone = one.zone.as_deref().unwrap_or_default();
    match (&one.from, &one.until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from} {zone}"),
        (None, Some(until)) => format!("until {until} {zone}"),
        (Some(from), Some(until)) => format!("{from} until {until} {zone}"),
    }
}

fn received(one: &ResponderView) -> String {
    match (&one.copy_to, one.received.as_str()) {
        (Some(target), _) => format!("copied to {target}"),
        (None, "drop") => "not kept".to_owned(),
        (None, _) => "kept".to_owned(),
    }
}
