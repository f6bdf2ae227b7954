//! `posthouse redirect`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, Page};
use super::values;
use crate::admin::{
    RedirectAdd, RedirectList, RedirectPause, RedirectRemove, RedirectResume, RedirectShow, RedirectionView, words,
};
use crate::types::{Address, Domain};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Redirect an address to one or more others, here or elsewhere
    ///
    /// An address with a mailbox keeps a copy unless --no-keep says otherwise. An address that is not there yet is made: a
    /// virtual one, which stores nothing. Targets are added to those there are. Refused are loops, targets here that take no
    /// mail, and more targets than the limit.
    #[command(after_long_help = "\
Examples:
  posthouse redirect add jane@example.org jane@example.com --keep
  posthouse redirect add team@example.org jane@example.org john@example.org ann@example.net")]
    Add {
        /// The address whose mail is redirected
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// Where to
        #[arg(value_name = "TARGET", required = true, num_args = 1.., value_parser = values::address)]
        targets: Vec<Address>,
        /// The mailbox keeps a copy
        #[arg(long, conflicts_with = "no_keep")]
        keep: bool,
        /// The mailbox keeps nothing of what is redirected
        #[arg(long)]
        no_keep: bool,
    },
    /// List redirections, all or of one domain
    List {
        /// Only this domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Option<Domain>,
    },
    /// Show one redirection, with how its targets have been answering
    Show {
        /// The address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Redirect nothing until it is resumed; a mailbox keeps its mail meanwhile
    Pause {
        /// The address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// Only these targets
        #[arg(value_name = "TARGET", value_parser = values::address)]
        targets: Vec<Address>,
    },
    /// Undo pause, also for targets the server has paused
    Resume {
        /// The address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Remove targets, or the whole redirection
    #[command(after_long_help = "\
Examples:
  posthouse redirect remove team@example.org ann@example.net
  posthouse redirect remove team@example.org")]
    Remove {
        /// The address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// Only these targets
        #[arg(value_name = "TARGET", value_parser = values::address)]
        targets: Vec<Address>,
    },
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::Add { address, targets, keep, no_keep } => {
            let keep = if no_keep { Some(false) } else { keep.then_some(true) };
            let headline = format!("{address} is redirected");
            output.done(&desk.perform(RedirectAdd { address, targets, keep }).await?, &headline)
        }
        Action::List { domain } => {
            let list = desk.perform(RedirectList { domain }).await?;
            output.answer(&list, |page| table(page, &list))
        }
        Action::Show { address } => {
            let one = desk.perform(RedirectShow { address }).await?;
            output.answer(&one, |page| show(page, &one))
        }
        Action::Pause { address, targets } => {
            let headline = format!("the redirection of {address} is paused");
            output.done(&desk.perform(RedirectPause { address, targets }).await?, &headline)
        }
        Action::Resume { address } => {
            let headline = format!("the redirection of {address} is active again");
            output.done(&desk.perform(RedirectResume { address }).await?, &headline)
        }
        Action::Remove { address, targets } => {
            let headline = if targets.is_empty() {
                format!("{address} is redirected no longer")
            } else {
                format!("the redirection of {address} is changed")
            };
            output.done(&desk.perform(RedirectRemove { address, targets }).await?, &headline)
        }
    }
}

/// One row for each target; a copy kept is a row of its own, so that nobody overlooks it.
fn table(page: &mut Page, list: &[RedirectionView]) {
    let mut rows = Vec::new();
    for one in list {
        let from = one.address.to_string();
        let mode = if one.is_virtual {
            "virtual"
        } else if one.keep {
            "with copy"
        } else {
            "without copy"
        };
        if one.keep {
            rows.push([from.clone(), from.clone(), "kept in the mailbox".to_owned(), one.state.clone(), String::new()]);
        }
        for target in &one.targets {
            let state = if one.state == "active" { &target.state } else { &one.state };
            let reply = target.last_reply.clone().or_else(|| target.not_passed_on_why.clone()).unwrap_or_default();
            rows.push([from.clone(), target.target.to_string(), mode.to_owned(), state.clone(), reply]);
        }
    }
    page.table(["FROM", "TO", "COPY", "STATE", "LAST TROUBLE"], rows, "no redirections");
}

fn show(page: &mut Page, one: &RedirectionView) {
    let copy = match (one.is_virtual, one.keep) {
        (true, _) => "none: the address has no mailbox",
        (false, true) => "kept in the mailbox",
        (false, false) => "none",
    };
    page.facts(&[("address", one.address.to_string()), ("state", one.state.clone()), ("copy", copy.to_owned())]);
    for target in &one.targets {
        page.line("");
        let mut facts = vec![("to", target.target.to_string()), ("state", target.state.clone())];
        if target.refusals > 0 {
            facts.push(("refused", words::count(u64::from(target.refusals), "message in a row", "messages in a row")));
        }
        facts.extend(target.last_reply.iter().map(|reply| ("last reply", reply.clone())));
        if target.not_passed_on > 0 {
            facts.push(("stayed here", words::count(u64::from(target.not_passed_on), "message", "messages")));
        }
        facts.extend(target.not_passed_on_why.iter().map(|why| ("because", why.clone())));
        page.facts(&facts);
    }
}
