//! The command line: parse, call `admin` (through the socket while the server runs), print. One file per command.
//!
//! What it will not do: decide anything about mail, or know more of an act than its request and its answer.
//!
//! | exit | means |
//! |---|---|
//! | 0 | done |
//! | 1 | refused: whoever asked can mend it |
//! | 2 | wrong usage |
//! | 3 | our fault, or the machine's |

mod account;
mod alias;
mod args;
mod backup;
mod check;
mod convert;
mod demo;
mod desk;
mod dns;
mod domain;
mod explain;
mod failure;
mod manual;
mod output;
mod progress;
mod queue;
mod redirect;
mod responder;
mod restore;
mod script;
mod serve;
mod status;
mod trace;
mod transfer;
mod values;
mod verify;

use args::{Cli, Command};
use clap::Parser;
use desk::Desk;
use failure::Failure;
use output::Output;
use std::process::ExitCode;

/// Everything from the arguments to the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, and exit with 0; everything else is wrong usage.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            if code != 0 && wants_json(std::env::args_os()) {
                Output::new(true).failure(&Failure::from(&error));
            } else {
                let _ = error.print();
            }
            return ExitCode::from(code);
        }
    };
    let output = Output::new(cli.globals.json);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// What can't be parsed has said so all the same.
fn wants_json(arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

fn run(cli: Cli, output: &Output) -> Result<(), Failure> {
    let source = cli.globals.source();
    match cli.command {
        Command::Serve => on_all_cores(serve::run(source)),
        Command::Demo => on_all_cores(demo::run(output)),
        Command::Completions { shell } => manual::completions(shell, output),
        Command::Man { command } => manual::man(&command, output),
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(Failure::machine)?.block_on(Box::pin(administer(command, source, output)))
        }
    }
}

fn on_all_cores(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Failure::machine)?.block_on(Box::pin(work))
}

async fn administer(command: Command, source: crate::server::ConfigSource, output: &Output) -> Result<(), Failure> {
    let mut desk = Desk::new(source, output);
    match command {
        Command::Domain { action } => domain::run(action, &mut desk, output).await,
        Command::Account { action } => account::run(action, &mut desk, output).await,
        Command::Alias { action } => alias::run(action, &mut desk, output).await,
        Command::Redirect { action } => redirect::run(action, &mut desk, output).await,
        Command::Responder { action } => responder::run(action, &mut desk, output).await,
        Command::Convert(convert) => convert::run(convert, &mut desk, output).await,
        Command::Script { action } => script::run(action, &mut desk, output).await,
        Command::Queue { action } => queue::run(action, &mut desk, output).await,
        Command::Explain(arguments) => explain::run(arguments, &mut desk, output).await,
        Command::Dns { domain } => dns::run(domain, &mut desk, output).await,
        Command::Trace(arguments) => trace::run(arguments, &mut desk, output).await,
        Command::Status => status::run(&mut desk, output).await,
        Command::Check => check::run(&mut desk, output).await,
        Command::Import(arguments) => transfer::import(arguments, &mut desk, output).await,
        Command::Export(arguments) => transfer::export(arguments, &mut desk, output).await,
        Command::Verify { file } => verify::run(file, &mut desk, output).await,
        Command::Backup { file } => backup::run(file, &mut desk, output).await,
        Command::Restore { file } => restore::run(file, &mut desk, output).await,
        // Done before, without a desk.
        Command::Serve | Command::Demo | Command::Completions { .. } | Command::Man { .. } => Ok(()),
    }
}
