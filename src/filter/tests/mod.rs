//! Scripts run against a host that is made of lists.

mod deviations;
mod errors;
mod extensions;
mod hostile;
mod semantics;

use super::*;
use crate::types::{Address, Envelope, MailboxName, Recipient, SpecialUse, Timestamp};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// 2026-11-20 03:31:42 UTC, a Friday.
pub(super) const NOW: Timestamp = Timestamp(1_795_145_502_000);

pub(super) const MAIL: &str = "Received: from a by b; Fri, 20 Nov 2026 04:31:40 +0100\r\n\
    From: Joe Miller <joe@example.net>\r\n\
    To: Jane <jane@example.org>\r\n\
    Subject: [list] Hello, World\r\n\
    Date: Fri, 20 Nov 2026 04:31:38 +0100\r\n\
    Message-ID: <one@example.net>\r\n\
    \r\n\
    The body has words.\r\n";

pub(super) struct Lists {
    pub(super) mailboxes: Vec<&'static str>,
    pub(super) personal: HashMap<&'static str, String>,
    pub(super) global: HashMap<&'static str, String>,
    pub(super) seen: Vec<String>,
    pub(super) answered: Vec<ReplyKey>,
    pub(super) global_kind: ScriptKind,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            mailboxes: vec!["Lists", "Lists/Rust", "Junk", "Archive"],
            personal: HashMap::new(),
            global: HashMap::new(),
            seen: Vec::new(),
            answered: Vec::new(),
            global_kind: ScriptKind::Admin,
        }
    }
}

impl Host for Lists {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        self.mailboxes.contains(&name.as_str())
    }
    fn mailbox_with_id(&self, id: &str) -> Option<MailboxName> {
        (id == "F7").then(|| MailboxName::parse("Lists/Rust").expect("a name"))
    }
    fn mailbox_with_use(&self, usage: SpecialUse) -> Option<MailboxName> {
        (usage == SpecialUse::Junk).then(|| MailboxName::parse("Junk").expect("a name"))
    }
    fn is_duplicate(&self, id: &str) -> bool {
        self.seen.iter().any(|seen| seen == id)
    }
    fn was_answered(&self, key: &ReplyKey) -> bool {
        self.answered.contains(key)
    }
    fn include(&self, place: IncludePlace, name: &str) -> Included {
        let (scripts, kind) = match place {
            IncludePlace::Personal => (&self.personal, ScriptKind::Personal),
            IncludePlace::Global => (&self.global, self.global_kind),
        };
        let Some(source) = scripts.get(name) else { return Included::Missing };
        match compile(source.as_bytes(), kind) {
            Ok(script) => Included::Script(
                script,
                Arc::new(ScriptName { name: name.to_owned(), version: Some(7), kind: ScriptKind::Personal }),
            ),
            Err(error) => Included::Broken(error),
        }
    }
    fn list_contains(&self, list: &str, values: &[&str]) -> Option<bool> {
        (list == "friends").then(|| values.iter().any(|value| value.eq_ignore_ascii_case("joe@example.net")))
    }
    fn list_members(&self, list: &str) -> Option<Vec<Address>> {
        (list == "friends").then(|| vec![address("joe@example.net"), address("ann@example.net")])
    }
    fn environment(&self, item: &str) -> Option<String> {
        (item == "imap.mailbox").then(|| "Archive".to_owned())
    }
    fn metadata(&self, mailbox: Option<&MailboxName>, annotation: &str) -> Option<String> {
        match (mailbox.map(MailboxName::as_str), annotation) {
            (Some("Lists"), "/private/comment") => Some("about lists".to_owned()),
            (None, "/shared/admin") => Some("mailto:admin@example.org".to_owned()),
            _ => None,
        }
    }
}

pub(super) fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

pub(super) fn envelope(sender: &str) -> Envelope {
    Envelope {
        sender: Address::parse(sender).ok(),
        recipients: vec![Recipient::plain(address("Jane+tag@example.org"))],
        ..Envelope::default()
    }
}

/// Everything about a run that a test may want to set.
pub(super) struct Case {
    pub(super) kind: ScriptKind,
    pub(super) message: Vec<u8>,
    pub(super) envelope: Envelope,
    pub(super) host: Lists,
    pub(super) limits: Limits,
    pub(super) now: Timestamp,
    pub(super) flags: Vec<String>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            kind: ScriptKind::Personal,
            message: MAIL.as_bytes().to_vec(),
            envelope: envelope("joe@example.net"),
            host: Lists::default(),
            limits: Limits::default(),
            now: NOW,
            flags: Vec::new(),
        }
    }
}

impl Case {
    pub(super) fn run(&self, script: &str) -> Run {
        let compiled = match compile(script.as_bytes(), self.kind) {
            Ok(compiled) => compiled,
            Err(error) => panic!("{error}\n{script}"),
        };
        let incoming = Incoming {
            message: &self.message,
            structure: None,
            envelope: &self.envelope,
            recipient: self.envelope.recipients.first(),
            address: &address("jane@example.org"),
            own_addresses: &[address("jane@example.org"), address("mask@example.org")],
            owner_name: Some("Jane Doe"),
            flags: &self.flags,
            now: self.now,
            remote_ip: Some("192.0.2.7".parse().expect("an address")),
            remote_host: Some("mx.example.net"),
            hostname: "mail.example.org",
            phase: Phase::During,
        };
        let name = Arc::new(ScriptName { name: "main".to_owned(), ..ScriptName::default() });
        run(&compiled, &name, &incoming, &self.host, &self.limits)
    }

    pub(super) fn plan(&self, script: &str) -> String {
        show(&self.run(script))
    }
}

/// What a script wants done with the usual mail.
pub(super) fn plan(script: &str) -> String {
    Case::default().plan(script)
}

/// What a script wants done with this mail.
pub(super) fn plan_of(script: &str, message: &str) -> String {
    Case { message: message.as_bytes().to_vec(), ..Case::default() }.plan(script)
}

/// One word or two for each action, in order; errors and what was not sent behind them.
pub(super) fn show(run: &Run) -> String {
    let mut words = Vec::new();
    for action in &run.actions {
        let mut text = match &action.kind {
            ActionKind::Keep { flags, why } => {
                let why = match why {
                    KeepReason::Explicit => "",
                    KeepReason::Implicit => "(implicit)",
                    KeepReason::Failure => "(failure)",
                    KeepReason::NoSuchMailbox => "(no such mailbox)",
                    KeepReason::RedirectedHere => "(here)",
                };
                format!("keep{why}{}", show_flags(flags))
            }
            ActionKind::FileInto { mailbox, create, flags } => {
                let create = if create.is_some() { " create" } else { "" };
                format!("fileinto {mailbox}{create}{}", show_flags(flags))
            }
            ActionKind::Redirect(redirect) => format!("redirect {}", redirect.to),
            ActionKind::Reject { reason, extended } => {
                format!("{} {:?}", if *extended { "ereject" } else { "reject" }, reason.trim())
            }
            ActionKind::Discard => "discard".to_owned(),
            ActionKind::Reply(reply) => format!("reply to {} from {}: {}", reply.to, reply.from, reply.subject),
            ActionKind::Notify(notify) => format!("notify {}: {}", notify.to[0], notify.subject),
        };
        if matches!(action.content, Content::Edited(_)) {
            text.push_str(" edited");
        }
        words.push(text);
    }
    for error in &run.errors {
        let mut text = String::new();
        _ = write!(text, "error {}:{} {}", error.cause.script.name, error.cause.line, error.kind);
        words.push(text);
    }
    for suppressed in &run.suppressed {
        words.push(format!("no {:?}: {}", suppressed.what, suppressed.reason));
    }
    words.join("; ")
}

fn show_flags(flags: &[String]) -> String {
    flags.iter().fold(String::new(), |mut text, flag| {
        _ = write!(text, " {flag}");
        text
    })
}
