//! A plan in words and as data: what `explain` prints, and what the ledger keeps of a delivery.

use super::mail::{Answers, Mail};
use super::own_mail;
use super::plan::{Deed, DeedKind, Fate, Kept, OutgoingKind, Plan, Visit};
use crate::filter::{Automatic, Cause, KeepReason, ReplyBody, ScriptKind};
use crate::store::FilingPlace;

/// What will happen, or what happened, to a message.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    pub recipients: Vec<RecipientOutcome>,
    /// The addresses the message comes to, in order.
    pub path: Vec<Stop>,
    /// What the sender is told by a mail, because the reply to his server can't tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    pub to: String,
    /// The recipients that were refused, or not served in full.
    pub about: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecipientOutcome {
    pub address: String,
    /// `accepted`, `refused` or `deferred`.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One address on the way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stop {
    pub address: String,
    /// As it was written, where that differs: with its detail, in an alias domain, or one the catch-all took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The address whose script led here, and its line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_line: Option<u32>,
    /// The version of the script that ran; 0: none did.
    pub version: u32,
    /// False: all recipients that lead here are refused, and nothing of it is done.
    pub done: bool,
    pub actions: Vec<ActionLine>,
    /// What was not answered or told, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<SuppressedLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActionLine {
    /// `file`, `send`, `follow`, `reply`, `notify`, `reject`, `discard` or `none`.
    pub action: String,
    /// A mailbox or an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// In words: why, or what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Of an answer or a notification: the mailbox that gets a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    /// Whether the script changed the message before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    #[serde(flatten)]
    pub because: Because,
}

/// The line that wants it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Because {
    /// An address, whose switches were compiled to the script; a personal script's name; `@ before`, `@example.org after`.
    pub script: String,
    /// `switches`, `personal` or `administrator`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Of a script made from switches: `before`, `responder`, `redirections`, `copy`, `personal` or `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// 0: no line, as of the implicit keep.
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SuppressedLine {
    /// `reply` or `notification`.
    pub what: String,
    pub why: String,
    #[serde(flatten)]
    pub because: Because,
}

impl Explanation {
    pub(super) fn of(plan: &Plan, mail: &Mail, answers: Answers) -> Self {
        let recipients = mail.envelope.recipients.iter().zip(&plan.recipients);
        let failed = own_mail::failures(plan, mail, answers);
        let about: Vec<String> = failed.iter().map(|(recipient, _)| recipient.address.to_string()).collect();
        let sender = mail.envelope.sender.as_ref().filter(|_| !about.is_empty());
        Self {
            recipients: recipients.map(|(recipient, fate)| outcome(recipient.address.to_string(), fate)).collect(),
            path: plan.visits.iter().zip(plan.done()).map(|(visit, done)| Stop { done, ..stop(plan, visit) }).collect(),
            report: sender.map(|sender| Report { to: sender.to_string(), about }),
        }
    }

    /// For people, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.path_lines();
        lines.extend(self.verdict_lines());
        lines
    }

    /// Address by address, what its rules do.
    pub fn path_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for stop in &self.path {
            lines.push(heading(stop));
            lines.extend(stop.actions.iter().map(|action| format!("  {}", action.sentence())));
            for suppressed in &stop.suppressed {
                let SuppressedLine { what, why, because } = suppressed;
                lines.push(format!("  no {what}: {why}{}", because.words()));
            }
            lines.extend(stop.errors.iter().map(|error| format!("  script error: {error}")));
        }
        lines
    }

    /// What is said to whoever brings it.
    pub fn verdict_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for recipient in &self.recipients {
            let why = recipient.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            lines.push(format!("{} is {}{why}", recipient.address, recipient.outcome));
        }
        if let Some(Report { to, about }) = &self.report {
            lines.push(format!("{to} is sent a report about {}", about.join(", ")));
        }
        lines
    }
}

fn heading(stop: &Stop) -> String {
    let mut text = stop.address.clone();
    if let Some(written) = &stop.written {
        text.push_str(&format!(", written as {written}"));
    }
    if let Some(from) = &stop.from {
        text.push_str(&format!(", from {from}"));
        if let Some(line) = stop.from_line.filter(|line| *line > 0) {
            text.push_str(&format!(" line {line}"));
        }
    }
    if stop.version > 0 {
        text.push_str(&format!(" (script version {})", stop.version));
    }
    if !stop.done {
        text.push_str(": the message is refused, so nothing of this is done");
    }
    text
}

impl ActionLine {
    fn sentence(&self) -> String {
        let target = self.target.as_deref().unwrap_or("");
        let mut text = match self.action.as_str() {
            "file" => format!("is filed in {target}"),
            "send" => format!("is sent to {target}"),
            "follow" => format!("goes on to {target}"),
            "reply" => format!("is answered, to {target}"),
            "notify" => format!("is told of, to {target}"),
            "reject" => "is refused".to_owned(),
            "discard" => "is not kept by this rule".to_owned(),
            _ => format!("does not go to {target}"),
        };
        if !self.flags.is_empty() {
            text.push_str(&format!(" with {}", self.flags.join(" ")));
        }
        if self.edited {
            text.push_str(", as the script changed it");
        }
        if let Some(detail) = &self.detail {
            text.push_str(&format!(": {detail}"));
        }
        if let Some(copy) = &self.copy {
            text.push_str(&format!(", with a copy in {copy}"));
        }
        text.push_str(&self.because.words());
        text
    }
}

impl Because {
    fn of(cause: &Cause, visit: &Visit) -> Self {
        let Cause { script, line, .. } = cause;
        let section = visit.sections.at(*line).filter(|_| script.kind == ScriptKind::Compiled);
        Self {
            script: script.name.clone(),
            kind: match script.kind {
                ScriptKind::Compiled => "switches".to_owned(),
                ScriptKind::Personal => "personal".to_owned(),
                ScriptKind::Admin => "administrator".to_owned(),
            },
            version: script.version,
            section: section.map(|section| section.to_string()),
            line: *line,
        }
    }

    /// The address's own script is named by the heading above.
    fn words(&self) -> String {
        let Self { script, version, section, line, .. } = self;
        let version = version.map(|version| format!(" version {version}")).unwrap_or_default();
        match (line, section) {
            (0, _) => String::new(),
            (line, Some(section)) => format!(" ({section}, line {line})"),
            (line, None) if self.kind == "switches" => format!(" (line {line})"),
            (line, None) => format!(" (script {script}{version}, line {line})"),
        }
    }
}

fn outcome(address: String, fate: &Fate) -> RecipientOutcome {
    let outcome = match fate {
        Fate::Accepted => "accepted",
        fate if fate.is_temporary() => "deferred",
        _ => "refused",
    };
    RecipientOutcome { address, outcome: outcome.to_owned(), why: reason(fate) }
}

/// A fate in words; nothing for what is accepted.
pub(super) fn reason(fate: &Fate) -> Option<String> {
    Some(match fate {
        Fate::Accepted => return None,
        Fate::Unknown => "there is no such address".to_owned(),
        Fate::Paused => "the address is paused".to_owned(),
        Fate::Suspended => "the account is suspended".to_owned(),
        Fate::RulesFailed => "the rules of the address could not be read or have failed".to_owned(),
        Fate::NoMailbox => "the address has no mailbox to keep it in".to_owned(),
        Fate::OverQuota => "the account is over its quota".to_owned(),
        Fate::Loop => "the message has been here before: it goes in circles".to_owned(),
        Fate::TooFar => "the address leads to too many others".to_owned(),
        Fate::NotOurs => "the address is not hosted here".to_owned(),
        Fate::Rejected(reason) | Fate::NotForwarded(reason) => reason.to_string(),
    })
}

fn stop(plan: &Plan, visit: &Visit) -> Stop {
    let written = visit.written.to_string();
    let address = visit.address.to_string();
    let from = visit.from.as_ref().map(|(parent, cause)| (plan.visits[*parent].address.to_string(), cause.line));
    Stop {
        written: (written.to_lowercase() != address).then_some(written),
        address,
        from_line: from.as_ref().map(|(_, line)| *line),
        from: from.map(|(address, _)| address),
        version: visit.version,
        done: true,
        actions: visit.deeds.iter().map(|deed| line(plan, visit, deed)).collect(),
        suppressed: visit
            .suppressed
            .iter()
            .map(|suppressed| SuppressedLine {
                what: match suppressed.what {
                    Automatic::Reply => "reply".to_owned(),
                    Automatic::Notification => "notification".to_owned(),
                },
                why: suppressed.reason.to_string(),
                because: Because::of(&suppressed.cause, visit),
            })
            .collect(),
        errors: visit.errors.iter().map(ToString::to_string).collect(),
    }
}

fn line(plan: &Plan, visit: &Visit, deed: &Deed) -> ActionLine {
    let mut said = ActionLine {
        action: "none".to_owned(),
        target: None,
        flags: Vec::new(),
        detail: None,
        copy: None,
        edited: deed.content != crate::filter::Content::Original,
        because: Because::of(&deed.cause, visit),
    };
    match &deed.kind {
        DeedKind::File { place, flags, kept } => {
            said.action = "file".to_owned();
            said.target = Some(place_name(place));
            said.flags.clone_from(flags);
            said.detail = kept.and_then(kept_why).map(str::to_owned);
            if *kept == Some(Kept::ByScript(KeepReason::Implicit)) {
                // Where the script ended is no reason.
                (said.because.line, said.because.section) = (0, None);
            }
        }
        DeedKind::FiledAlready { place } => {
            said.target = Some(place_name(place));
            said.detail = Some("it is filed there already".to_owned());
        }
        DeedKind::Send(outgoing) => {
            said.action = "send".to_owned();
            said.target = Some(outgoing.to.to_string());
            said.detail = match &outgoing.why {
                OutgoingKind::Handover(host) => Some(format!("unknown here, so by way of {host}")),
                OutgoingKind::Redirection | OutgoingKind::Submission => None,
            };
        }
        DeedKind::SentAlready { to } => {
            said.target = Some(to.to_string());
            said.detail = Some("it is sent there already".to_owned());
        }
        DeedKind::Follow { to, visit, again } => {
            said.action = if *again { "none".to_owned() } else { "follow".to_owned() };
            said.target = Some(plan.visits.get(*visit).map_or(to, |visit| &visit.address).to_string());
            said.detail = again.then(|| "it has been there already".to_owned());
        }
        DeedKind::Refused { to, why } => {
            said.target = Some(to.to_string());
            said.detail = reason(why);
        }
        DeedKind::Reject { reason, .. } => {
            said.action = "reject".to_owned();
            said.detail = Some(reason.clone());
        }
        DeedKind::Discard => said.action = "discard".to_owned(),
        DeedKind::Reply(reply) => {
            said.action = "reply".to_owned();
            said.target = Some(reply.to.to_string());
            let text = match &reply.body {
                ReplyBody::Text(text) | ReplyBody::Mime(text) => text.lines().next().unwrap_or(""),
            };
            said.detail = Some(format!("from {}, “{}”, {text}", reply.from, reply.subject));
            said.copy = reply.fcc.as_ref().filter(|_| visit.account.is_some()).map(|copy| copy.mailbox.to_string());
        }
        DeedKind::Notify(notification) => {
            said.action = "notify".to_owned();
            let all = notification.to.iter().chain(&notification.cc).chain(&notification.bcc);
            said.target = Some(all.map(ToString::to_string).collect::<Vec<_>>().join(", "));
            said.detail = Some(notification.subject.clone());
            said.copy =
                notification.fcc.as_ref().filter(|_| visit.account.is_some()).map(|copy| copy.mailbox.to_string());
        }
    }
    said
}

fn place_name(place: &FilingPlace) -> String {
    match place {
        FilingPlace::Mailbox(id) => format!("mailbox {id}"),
        FilingPlace::Named(name) => name.to_string(),
        FilingPlace::Special(usage, name) => format!("{name} ({})", usage.as_str()),
    }
}

/// Why it is kept where no script has filed it; nothing for the plain case.
fn kept_why(why: Kept) -> Option<&'static str> {
    match why {
        Kept::ByScript(KeepReason::Explicit) => None,
        Kept::ByScript(KeepReason::Implicit) => Some("no rule says otherwise"),
        Kept::ByScript(KeepReason::Failure) => Some("the script failed, and nothing is lost by it"),
        Kept::ByScript(KeepReason::NoSuchMailbox) => Some("the mailbox the script names does not exist"),
        Kept::ByScript(KeepReason::RedirectedHere) => Some("the script redirects to this very address"),
        Kept::Circling => Some("the script's redirection leads back here, and to nobody else"),
        Kept::NotForwarded => Some("it may not be sent on, so its owner keeps it"),
    }
}
