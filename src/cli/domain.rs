//! `posthouse domain`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, minute};
use super::values;
use crate::admin::{
    CatchAll, DomainAdd, DomainKindView, DomainList, DomainRemove, DomainRotateKeys, DomainSet, DomainShow, DomainView,
    Hosting, KeyView, RotateWhen,
};
use crate::types::Domain;
use clap::{ArgGroup, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Receive mail for a domain
    ///
    /// With no option every address of it lives here and others are refused. postmaster@ and abuse@ are made with it and go
    /// to the administrator: the first account made. A domain that is hosted already, in any form, is refused.
    #[command(after_long_help = "\
Examples:
  posthouse domain add example.org
  posthouse domain add example.com --split mx.example.net
      Addresses unknown here are handed to mx.example.net, port 25.
  posthouse domain add example.net --alias-of example.org
      jane@example.net is jane@example.org.")]
    Add {
        /// The domain, in any spelling
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Domain,
        /// Share it with another server, which gets the mail for addresses unknown here
        #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "alias_of")]
        split: Option<String>,
        /// Make every address of it the same address of another domain hosted here
        #[arg(long, value_name = "DOMAIN", value_parser = values::domain)]
        alias_of: Option<Domain>,
    },
    /// List all domains
    List,
    /// Show one domain
    Show {
        /// The domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Domain,
    },
    /// Change how a domain is hosted, or who gets mail for its unknown addresses
    #[command(group(ArgGroup::new("what").args(["authoritative", "split", "catch_all"]).required(true).multiple(true)))]
    #[command(after_long_help = "\
Examples:
  posthouse domain set example.org --catch-all jane@example.org
  posthouse domain set example.org --split mx.example.net:25
  posthouse domain set example.org --authoritative --catch-all none")]
    Set {
        /// The domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Domain,
        /// Every address of it lives here
        #[arg(long, conflicts_with = "split")]
        authoritative: bool,
        /// Hand unknown addresses to another server
        #[arg(long, value_name = "HOST[:PORT]")]
        split: Option<String>,
        /// The address that gets mail for unknown ones, or none
        #[arg(long, value_name = "ADDRESS|none", value_parser = catch_all)]
        catch_all: Option<CatchAll>,
    },
    /// Make new keys to sign the domain's mail with
    ///
    /// They are used from the next day on, once DNS answers with their records; until then the old ones sign. `posthouse
    /// dns` shows the records. This also happens by itself every year.
    #[command(after_long_help = "Example:\n  posthouse domain rotate-keys example.org")]
    RotateKeys {
        /// The domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Domain,
        /// Use them at once, whatever DNS has: the old ones are known to somebody
        #[arg(long)]
        now: bool,
    },
    /// Stop receiving mail for a domain
    ///
    /// Its aliases and redirections go, its accounts are parked with all their mail for [removal] keep_days.
    Remove {
        /// The domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Domain,
        /// Do it; without, it is only told what would happen
        #[arg(long)]
        yes: bool,
    },
}

fn catch_all(text: &str) -> Result<CatchAll, String> {
    if text == "none" { Ok(CatchAll::None) } else { values::address(text).map(CatchAll::Address) }
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::Add { domain, split, alias_of } => {
            let hosting = match (split, alias_of) {
                (Some(host), _) => Hosting::Split(host),
                (None, Some(target)) => Hosting::AliasOf(target),
                (None, None) => Hosting::Authoritative,
            };
            let headline = format!("domain {domain} is hosted now");
            let done = desk.begin(DomainAdd { domain, hosting }).await?;
            output.done(&done, &headline)
        }
        Action::List => {
            let domains = desk.perform(DomainList {}).await?;
            output.answer(&domains, |page| {
                let row = |one: &DomainView| {
                    let catch_all = one.catch_all.as_ref().map_or_else(String::new, ToString::to_string);
                    [one.unicode.clone(), kind(one), one.accounts.to_string(), one.addresses.to_string(), catch_all]
                };
                page.table(
                    ["DOMAIN", "KIND", "ACCOUNTS", "ADDRESSES", "CATCH-ALL"],
                    domains.iter().map(row),
                    "no domains",
                );
            })
        }
        Action::Show { domain } => {
            let shown = desk.perform(DomainShow { domain }).await?;
            output.answer(&shown, |page| {
                page.facts(&[
                    ("domain", shown.unicode.clone()),
                    ("kind", kind(&shown)),
                    ("catch-all", shown.catch_all.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)),
                    ("accounts", shown.accounts.to_string()),
                    ("addresses", shown.addresses.to_string()),
                    ("since", minute(&shown.created)),
                ]);
            })
        }
        Action::Set { domain, authoritative, split, catch_all } => {
            let hosting = match split {
                Some(host) => Some(Hosting::Split(host)),
                None => authoritative.then_some(Hosting::Authoritative),
            };
            let headline = format!("domain {domain} is changed");
            let done = desk.perform(DomainSet { domain, hosting, catch_all }).await?;
            output.done(&done, &headline)
        }
        Action::RotateKeys { domain, now } => {
            let when = if now { RotateWhen::Now } else { RotateWhen::Published };
            let rotated = desk.perform(DomainRotateKeys { domain, when }).await?;
            output.answer(&rotated, |page| {
                page.strong_line(if rotated.changed { "new keys are made" } else { "new keys are waiting already" });
                let row = |one: &KeyView| [one.selector.clone(), one.meaning.clone()];
                page.table(["KEY", "WHAT BECOMES OF IT"], rotated.keys.iter().map(row), "no keys");
                rotated.notes.iter().for_each(|note| page.note(note));
            })
        }
        Action::Remove { domain, yes } => {
            let headline = format!("domain {domain} is gone");
            let done = desk.perform(DomainRemove { domain, yes }).await?;
            output.done(&done, &headline)
        }
    }
}

fn kind(view: &DomainView) -> String {
    match &view.kind {
        DomainKindView::Authoritative => "authoritative".to_owned(),
        DomainKindView::Split { split_host, split_port } => format!("split with {split_host}:{split_port}"),
        DomainKindView::Alias { alias_of } => format!("alias of {}", alias_of.unicode()),
    }
}
