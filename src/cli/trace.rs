//! `posthouse trace`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, Page, second};
use super::values;
use crate::admin::{Trace, TraceAbout, TraceView};
use crate::types::Address;
use crate::types::limits::{LEDGER_KEEP_DAYS, TRACE_MESSAGES_MAX};
use clap::{ArgGroup, Args};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("about").required(true))]
pub(super) struct Arguments {
    /// The identifier of one message, as its Message-ID field has it
    #[arg(long, value_name = "ID", group = "about")]
    message_id: Option<String>,
    /// Messages from, to or by way of this address
    #[arg(long, value_name = "ADDRESS", group = "about", value_parser = values::address)]
    address: Option<Address>,
    /// So many messages, the newest
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = messages)]
    last: usize,
}

fn messages(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=TRACE_MESSAGES_MAX).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {TRACE_MESSAGES_MAX}"))
}

pub(super) async fn run(arguments: Arguments, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let about = match (arguments.message_id, arguments.address) {
        (Some(id), _) => TraceAbout::MessageId(id),
        (None, Some(address)) => TraceAbout::Address(address),
        (None, None) => return Ok(()),
    };
    let traced = desk.perform(Trace { about, last: arguments.last }).await?;
    output.answer(&traced, |page| print(&traced, page))
}

fn print(traced: &TraceView, page: &mut Page) {
    if traced.messages.is_empty() {
        page.line(format!("nothing is known of it; what is older than {LEDGER_KEEP_DAYS} days is forgotten"));
        return page.note(
            "what was refused before its text came, such as mail to an address that is not here, stands in the server's log only",
        );
    }
    for (place, message) in traced.messages.iter().enumerate() {
        if place > 0 {
            page.line("");
        }
        let id = if message.message_id.is_empty() { "a message without Message-ID" } else { &message.message_id };
        page.strong_line(id);
        for event in &message.events {
            let mut label = second(&event.time);
            for line in &event.lines {
                page.line(format!("{label}  {line}").trim_end());
                label = " ".repeat(label.len());
            }
        }
    }
    if traced.more {
        page.note("there is more: name a message, or take a larger --last");
    }
}
