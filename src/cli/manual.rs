//! `posthouse completions` and `posthouse man`, out of the definitions themselves.

use super::args::Cli;
use super::failure::Failure;
use super::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;

const NAME: &str = "posthouse";

pub(super) fn completions(shell: Shell, output: &Output) -> Result<(), Failure> {
    output.raw(&script(shell))
}

fn script(shell: Shell) -> String {
    let mut octets = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

pub(super) fn man(path: &[String], output: &Output) -> Result<(), Failure> {
    output.raw(&page(path)?)
}

fn page(path: &[String]) -> Result<String, Failure> {
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
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    fn each_command(command: &clap::Command, path: &[String], see: &mut impl FnMut(&[String])) {
        see(path);
        for below in command.get_subcommands() {
            let path: Vec<String> = path.iter().cloned().chain([below.get_name().to_owned()]).collect();
            each_command(below, &path, see);
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let mut pages = 0;
        each_command(&Cli::command(), &[], &mut |path| {
            let page = page(path).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{path:?}");
            let name = path.iter().fold(NAME.to_owned(), |name, word| format!("{name}-{word}"));
            assert!(page.contains(&name.replace('-', "\\-")), "{name}: {page}");
            pages += 1;
        });
        assert!(pages > 50, "{pages}");
        assert!(page(&["redirect".to_owned(), "eat".to_owned()]).is_err());
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in Shell::value_variants() {
            assert!(script(*shell).contains("app-password"), "{shell}");
        }
    }
}
