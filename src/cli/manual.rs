//! `posthouse completions` and `posthouse man`, out of the definitions themselves.

use super::args::Cli;
use super::failure::Failure;
use super::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;

const NAME: &str = "posthouse";

pub(super) fn completions(shell: Shell, output: &Output) -> Result<(), Failure> {
    let mut octets = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut octets);
    output.raw(&String::from_utf8_lossy(&octets))
}

pub(super) fn man(path: &[String], output: &Output) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let mut name = NAME.to_owned();
    for word in path {
        let Some(below) = command.find_subcommand(word) else {
            let message = format!("there is no command {name} {word}").replace('-', " ");
            return Err(Failure::refused("no-command", message, Some("posthouse --help shows all commands")));
        };
        command = below.clone();
        name = format!("{name}-{word}");
    }
    let mut octets = Vec::new();
    let page = clap_mangen::Man::new(command).manual("posthouse");
    page.render(&mut octets).map_err(Failure::machine)?;
    output.raw(&String::from_utf8_lossy(&octets))
}
