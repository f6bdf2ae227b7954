//! `posthouse queue`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, Page, minute};
use super::values;
use crate::admin::{
    QueueHold, QueueList, QueueRelease, QueueRemove, QueueRetry, QueueShow, QueueView, SendKind, SendState, words,
};
use crate::types::SendId;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List mail on its way out, the oldest first
    #[command(after_long_help = "\
Examples:
  posthouse queue list
  posthouse queue list --limit 100000 --json | jq -r '.[] | select(.attempts > 3) | .id'")]
    List {
        /// So many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
        limit: u32,
    },
    /// Show everything about one message to one recipient
    Show {
        /// Its number
        #[arg(value_name = "ID", value_parser = values::send_id)]
        id: i64,
    },
    /// Try one now, also if it is held, or everything that is not
    #[command(after_long_help = "Examples:\n  posthouse queue retry 42\n  posthouse queue retry --all")]
    Retry {
        /// Its number
        #[arg(value_name = "ID", value_parser = values::send_id, required_unless_present = "all", conflicts_with = "all")]
        id: Option<i64>,
        /// Everything that is not held
        #[arg(long)]
        all: bool,
    },
    /// Keep one from being sent until it is released; its time goes on running
    Hold {
        /// Its number
        #[arg(value_name = "ID", value_parser = values::send_id)]
        id: i64,
    },
    /// Let a held one go on where it was
    Release {
        /// Its number
        #[arg(value_name = "ID", value_parser = values::send_id)]
        id: i64,
    },
    /// Take one out for good; its sender is not told
    Remove {
        /// Its number
        #[arg(value_name = "ID", value_parser = values::send_id)]
        id: i64,
    },
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::List { limit } => list(limit, desk, output).await,
        Action::Show { id } => {
            let send = desk.perform(QueueShow { id: SendId(id) }).await?;
            output.answer(&send, |page| page.facts(&facts(&send)))
        }
        Action::Retry { id, .. } => {
            let done = desk.perform(QueueRetry { id: id.map(SendId) }).await?;
            output.answer(&done, |page| {
                page.strong_line(&match (id, &done.send) {
                    (None, _) => "everything that is not held is tried now".to_owned(),
                    (Some(id), None) => format!("{id} is gone already"),
                    (Some(_), Some(send)) => format!("{} is tried now", named(send)),
                });
                if !done.is_served {
                    page.note("no server runs on this directory: it is tried when one does");
                }
            })
        }
        Action::Hold { id } => {
            let send = desk.perform(QueueHold { id: SendId(id) }).await?;
            output.answer(&send, |page| {
                page.strong_line(&format!("{} is held", named(&send)));
                page.line(format!(
                    "posthouse queue release {id} lets it go on; at {} it is too late",
                    minute(&send.expires)
                ));
            })
        }
        Action::Release { id } => {
            let send = desk.perform(QueueRelease { id: SendId(id) }).await?;
            output.answer(&send, |page| page.strong_line(&format!("{} goes on", named(&send))))
        }
        Action::Remove { id } => {
            let send = desk.perform(QueueRemove { id: SendId(id) }).await?;
            output.answer(&send, |page| page.strong_line(&format!("{} is removed", named(&send))))
        }
    }
}

async fn list(limit: u32, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let mut all: Vec<QueueView> = Vec::new();
    // One more, to know whether there are more.
    let wanted = limit.saturating_add(1);
    loop {
        let after = all.last().map_or(SendId(0), |send| send.id);
        let page = desk.perform(QueueList { after, most: wanted - all.len() as u32 }).await?;
        let is_end = page.is_empty();
        all.extend(page);
        if is_end || all.len() as u32 >= wanted {
            break;
        }
    }
    let has_more = all.len() as u32 > limit;
    all.truncate(limit as usize);
    output.answer(&all, |page| {
        table(page, &all);
        if has_more {
            page.note("there are more: --limit NUMBER shows them");
        }
    })
}

fn table(page: &mut Page, all: &[QueueView]) {
    let rows = all.iter().map(|send| {
        [
            send.id.to_string(),
            sender(send),
            send.recipient.to_string(),
            next(send),
            send.attempts.to_string(),
            send.last_reply.clone().unwrap_or_default(),
        ]
    });
    page.table(["ID", "FROM", "TO", "NEXT", "TRIED", "LAST REPLY"], rows, "nothing is on its way out");
}

fn named(send: &QueueView) -> String {
    format!("{} from {} to {}", send.id, sender(send), send.recipient)
}

fn sender(send: &QueueView) -> String {
    send.sender.as_ref().map_or_else(|| "<>".to_owned(), ToString::to_string)
}

fn next(send: &QueueView) -> String {
    match send.state {
        SendState::Due => minute(&send.due),
        SendState::Held => "held".to_owned(),
        SendState::Active => "now".to_owned(),
    }
}

fn facts(send: &QueueView) -> Vec<(&'static str, String)> {
    let kind = match send.kind {
        SendKind::Submission => "submitted",
        SendKind::Redirection => "redirected",
        SendKind::Reply => "an automatic answer",
        SendKind::Bounce => "a bounce",
        SendKind::Handover => "for the other server of a split domain",
        SendKind::Notice => "a notice",
    };
    let mut facts = vec![
        ("id", send.id.to_string()),
        ("from", sender(send)),
        ("to", send.recipient.to_string()),
        ("by way of", send.destination.clone()),
        ("kind", kind.to_owned()),
        ("because of", send.because_of.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("made by", send.cause.clone()),
        ("message", send.message_id.clone()),
        ("size", words::size(send.octets)),
        ("since", minute(&send.created)),
        ("next", next(send)),
        ("until", minute(&send.expires)),
        ("tried", words::count(u64::from(send.attempts), "time", "times")),
        ("last reply", send.last_reply.clone().unwrap_or_default()),
    ];
    if send.priority != 0 {
        facts.push(("priority", send.priority.to_string()));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
