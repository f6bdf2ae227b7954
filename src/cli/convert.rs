//! `posthouse convert`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::values;
use crate::admin::{Convert, ConvertTo};
use crate::types::Address;
use clap::{ArgGroup, Args};

/// Turn a mailbox into a redirection or an alias, and back, losing nothing
///
/// The account is parked with all its mail for [removal] keep_days and comes back with --to-mailbox: the same messages
/// with the same flags, the same password, the same switches. Without --yes it is only told what would be parked, until
/// when, and how to get it back. An address that never had a mailbox gets a new one.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("to").args(["to_redirect", "to_alias", "to_mailbox"]).required(true)))]
#[command(after_long_help = "\
Examples:
  posthouse convert john@example.org --to-redirect john@example.net --yes
  posthouse convert john@example.org --to-alias jane@example.org --yes
  posthouse convert john@example.org --to-mailbox")]
pub(super) struct Arguments {
    /// The address
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// Redirect it to these
    #[arg(long, value_name = "TARGET", num_args = 1.., value_parser = values::address)]
    to_redirect: Option<Vec<Address>>,
    /// Make it an alias of this one
    #[arg(long, value_name = "OWNER", value_parser = values::address)]
    to_alias: Option<Address>,
    /// Give it its mailbox back, or a new one
    #[arg(long)]
    to_mailbox: bool,
    /// Do it although mail will be parked
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(arguments: Arguments, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let Arguments { address, to_redirect, to_alias, yes, .. } = arguments;
    let (to, what) = match (to_redirect, to_alias) {
        (Some(targets), _) => (ConvertTo::Redirect(targets), "a redirection"),
        (None, Some(owner)) => (ConvertTo::Alias(owner), "an alias"),
        (None, None) => (ConvertTo::Mailbox, "a mailbox"),
    };
    let headline = format!("{address} is {what} now");
    output.done(&desk.perform(Convert { address, to, yes }).await?, &headline)
}
