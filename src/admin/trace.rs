//! A message's life, from the ledger: where it came from, what was decided about it and by which line, where it went, with
//! every attempt and every reply.
//!
//! What it will not do: guess. What was not written down is not told.

use super::error::Refused;
use super::{Act, Admin, Caller, words};
use crate::delivery::Explanation;
use crate::store::{LedgerFilter, LedgerRecord};
use crate::types::limits::{TRACE_EVENTS_MAX, TRACE_EVENTS_PER_MESSAGE_MAX, TRACE_MESSAGES_MAX};
use crate::types::{Address, Domain};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    pub about: TraceAbout,
    /// So many messages, the newest.
    pub last: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceAbout {
    /// With angle brackets or without.
    MessageId(String),
    Address(Address),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceView {
    /// By the time they are first heard of.
    pub messages: Vec<MessageTrace>,
    /// There are older ones, or more events of these, than are told.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTrace {
    /// Empty: it had none.
    pub message_id: String,
    /// As the envelope had it; empty: nobody.
    pub sender: String,
    pub events: Vec<EventView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    pub time: String,
    /// `received`, `refused`, `sent`, `postponed`, `failed`, `removed` or `bounced`.
    pub event: String,
    /// The session it was accepted in, as the log names it.
    pub session: String,
    pub send: Option<i64>,
    /// For a person.
    pub lines: Vec<String>,
    /// Everything that was written down.
    pub detail: Value,
}

impl Act for Trace {
    const NAME: &'static str = "trace";
    type Answer = TraceView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<TraceView, Refused> {
        let store = admin.store();
        let mut groups = Vec::new();
        let mut more = false;
        match self.about {
            TraceAbout::MessageId(id) => groups.push(Group::Message(bare(&id))),
            TraceAbout::Address(address) => {
                let most = self.last.clamp(1, TRACE_MESSAGES_MAX);
                let filter = LedgerFilter::Address(address.canonical().to_string());
                let events = store.ledger(filter, TRACE_EVENTS_MAX).await?;
                more = events.len() == TRACE_EVENTS_MAX;
                for record in events.iter().rev() {
                    let group = Group::of(record);
                    if groups.contains(&group) {
                        continue;
                    }
                    if groups.len() == most {
                        more = true;
                        break;
                    }
                    groups.push(group);
                }
            }
        }
        let hostname = admin.settings().hostname.clone();
        let mut messages = Vec::new();
        for group in groups {
            let mut events = store.ledger(group.filter(), TRACE_EVENTS_PER_MESSAGE_MAX + 1).await?;
            if events.len() > TRACE_EVENTS_PER_MESSAGE_MAX {
                more = true;
                events.remove(0);
            }
            // A session may have brought others, which have identifiers.
            events.retain(|record| Group::of(record) == group);
            if let Some(first) = events.first() {
                let id = first.id;
                messages.push((
                    id,
                    MessageTrace {
                        message_id: first.entry.message_id.clone(),
                        sender: first.entry.sender.clone(),
                        events: events.iter().map(|record| EventView::of(record, &hostname)).collect(),
                    },
                ));
            }
        }
        messages.sort_by_key(|(id, _)| *id);
        Ok(TraceView { messages: messages.into_iter().map(|(_, message)| message).collect(), more })
    }
}

fn bare(id: &str) -> String {
    id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// Events that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    Message(String),
    /// Of messages without an identifier.
    Session(String),
}

impl Group {
    fn of(record: &LedgerRecord) -> Self {
        let entry = &record.entry;
        match entry.message_id.as_str() {
            "" => Self::Session(entry.session.clone()),
            id => Self::Message(id.to_owned()),
        }
    }

    fn filter(&self) -> LedgerFilter {
        match self {
            Self::Message(id) => LedgerFilter::MessageId(id.clone()),
            Self::Session(session) => LedgerFilter::Session(session.clone()),
        }
    }
}

impl EventView {
    fn of(record: &LedgerRecord, hostname: &Domain) -> Self {
        let LedgerRecord { time, entry, .. } = record;
        let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_else(|_| Value::String(entry.detail.clone()));
        let lines = match entry.event.as_str() {
            "received" | "refused" => arrival(&entry.event, &entry.sender, &detail),
            "sent" | "postponed" | "failed" => attempt(&entry.event, &detail, hostname),
            "removed" => vec![format!("taken out of the queue by {}, to {}", word(&detail, "by"), word(&detail, "to"))],
            "bounced" => bounce(&detail),
            other => vec![format!("{other}: {detail}")],
        };
        Self {
            time: time.rfc3339(),
            event: entry.event.clone(),
            session: entry.session.clone(),
            send: entry.send.map(|send| send.0),
            lines: lines.iter().map(|line| plain(line)).collect(),
            detail,
        }
    }
}

/// What other servers and senders say goes to terminals.
fn plain(line: &str) -> String {
    line.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

fn word<'d>(detail: &'d Value, name: &str) -> &'d str {
    detail[name].as_str().unwrap_or_default()
}

fn list<'d>(detail: &'d Value, name: &str) -> impl Iterator<Item = &'d str> {
    detail[name].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn arrival(event: &str, sender: &str, detail: &Value) -> Vec<String> {
    let sender = if sender.is_empty() { "nobody (a report or an answer)" } else { sender };
    let mut first = format!("{event}: from {sender}");
    match word(detail, "by") {
        "house" => first = format!("{event}: written by this server"),
        "mx" => first.push_str(&format!(", by SMTP from {}", client(detail))),
        "lmtp" => first.push_str(", by LMTP"),
        other => first.push_str(&format!(", by {other}")),
    }
    if let Some(octets) = detail["octets"].as_u64() {
        first.push_str(&format!(", {}", words::size(octets)));
    }
    if !word(detail, "verdicts").is_empty() {
        first.push_str(&format!(", {}", word(detail, "verdicts")));
    }
    let mut lines = vec![first];
    if !word(detail, "why").is_empty() {
        lines.push(format!("  {}", word(detail, "why")));
    }
    if let Ok(plan) = Explanation::deserialize(&detail["plan"]) {
        lines.extend(plan.lines().into_iter().map(|line| format!("  {line}")));
    }
    lines
}

fn client(detail: &Value) -> String {
    match (word(detail, "host"), word(detail, "from")) {
        ("", "") => "somewhere".to_owned(),
        ("", address) => address.to_owned(),
        (host, address) => format!("{host} ({address})"),
    }
}

fn attempt(event: &str, detail: &Value, hostname: &Domain) -> Vec<String> {
    let number = detail["attempt"].as_u64().unwrap_or(1);
    let mut first = match event {
        "sent" => "sent to ",
        "postponed" => "not yet sent to ",
        _ => "given up: to ",
    }
    .to_owned();
    first.push_str(word(detail, "to"));
    let is_home = event == "sent" && word(detail, "host") == hostname.as_str();
    if is_home {
        first = format!("delivered here to {}", word(detail, "to"));
    } else if !word(detail, "host").is_empty() {
        first.push_str(&format!(" by {}", word(detail, "host")));
    }
    if event == "sent" && !is_home {
        match word(detail, "tls") {
            "" => first.push_str(", not encrypted"),
            tls => first.push_str(&format!(", encrypted ({tls})")),
        }
    }
    if number > 1 || event != "sent" {
        first.push_str(&format!(", attempt {number}"));
    }
    let mut lines = vec![first];
    let mut more = |label: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("  {label}{text}"));
        }
    };
    more("", word(detail, "words"));
    more("reply: ", word(detail, "reply"));
    list(detail, "notes").for_each(|note| more("note: ", note));
    // What somebody submitted is sent because he did.
    more("because of ", Some(word(detail, "cause")).filter(|cause| !cause.starts_with("envelope")).unwrap_or_default());
    more("return path: ", word(detail, "from"));
    more("again at ", word(detail, "again"));
    lines
}

fn bounce(detail: &Value) -> Vec<String> {
    let mut lines = vec![format!("came back, and was passed on to {}", word(detail, "author"))];
    lines.extend(list(detail, "said").map(|said| format!("  {said}")));
    for (field, label) in [("about", "it is about"), ("report", "the report is")] {
        if !word(detail, field).is_empty() {
            lines.push(format!("  {label} {}", word(detail, field)));
        }
    }
    lines
}
