//! `posthouse alias`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::values;
use crate::admin::{AliasAdd, AliasList, AliasPause, AliasRemove, AliasResume, AliasView};
use crate::types::{Address, Domain};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make an alias of an address here
    ///
    /// Mail for it is mail for its owner, whose own address it never reveals. For an address elsewhere make a redirection.
    #[command(after_long_help = "Example:\n  posthouse alias add info@example.org jane@example.org")]
    Add {
        /// The new address
        #[arg(value_name = "ALIAS", value_parser = values::address)]
        alias: Address,
        /// Whose mail it is
        #[arg(value_name = "OWNER", value_parser = values::address)]
        owner: Address,
    },
    /// List aliases, all or of one domain
    List {
        /// Only this domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Option<Domain>,
    },
    /// Refuse mail for an alias until it is resumed
    Pause {
        /// The alias
        #[arg(value_name = "ALIAS", value_parser = values::address)]
        alias: Address,
    },
    /// Undo pause
    Resume {
        /// The alias
        #[arg(value_name = "ALIAS", value_parser = values::address)]
        alias: Address,
    },
    /// Remove an alias
    Remove {
        /// The alias
        #[arg(value_name = "ALIAS", value_parser = values::address)]
        alias: Address,
    },
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::Add { alias, owner } => {
            let headline = format!("{alias} is an alias of {owner}");
            output.done(&desk.perform(AliasAdd { alias, owner }).await?, &headline)
        }
        Action::List { domain } => {
            let aliases = desk.perform(AliasList { domain }).await?;
            output.answer(&aliases, |page| {
                let row = |one: &AliasView| {
                    let responder = if one.responder { "yes" } else { "" }.to_owned();
                    [one.alias.to_string(), one.owner.to_string(), one.state.clone(), responder]
                };
                page.table(["ALIAS", "OWNER", "STATE", "RESPONDER"], aliases.iter().map(row), "no aliases");
            })
        }
        Action::Pause { alias } => {
            let headline = format!("alias {alias} is paused");
            output.done(&desk.perform(AliasPause { alias }).await?, &headline)
        }
        Action::Resume { alias } => {
            let headline = format!("alias {alias} is active again");
            output.done(&desk.perform(AliasResume { alias }).await?, &headline)
        }
        Action::Remove { alias } => {
            let headline = format!("alias {alias} is removed");
            output.done(&desk.perform(AliasRemove { alias }).await?, &headline)
        }
    }
}
