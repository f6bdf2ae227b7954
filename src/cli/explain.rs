//! `posthouse explain`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::values;
use crate::admin::{Explain, Explained, Octets};
use crate::types::Address;
use crate::types::limits::MESSAGE_OCTETS_MAX;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The recipient, as a sender would write it
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// The envelope sender; <> is the null sender, as of bounces [default: the message's]
    #[arg(long, value_name = "SENDER", allow_hyphen_values = true, value_parser = values::sender)]
    from: Option<String>,
    /// When it arrives: 2026-11-01T08:00, or with an offset as RFC 3339 has it [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The zone of that time [default: the server's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// A message as a mail program saves it; - is standard input [default: a plain sample]
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let Arguments { address, from, at, zone, message } = arguments;
    let message = match message {
        Some(file) => Some(Octets(values::octets_of(&file, MESSAGE_OCTETS_MAX)?)),
        None => None,
    };
    let explained = desk.perform(Explain { address, from, at, zone, message }).await?;
    output.answer(&explained, |page| {
        let Explained { address, sender, at_local, assumed, explanation, .. } = &explained;
        let sender = if sender.is_empty() { "<>, the null sender" } else { sender };
        page.strong_line(&format!("mail to {address} from {sender}, at {at_local}"));
        page.line(format!("assumed: {}", assumed.join("; ")));
        page.line("");
        explanation.path_lines().iter().for_each(|line| page.line(line));
        explanation.verdict_lines().iter().for_each(|line| page.strong_line(line));
    })
}
