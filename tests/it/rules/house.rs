//! The engine mail is delivered with: `filter`, under a host that remembers nothing.

use super::{Library, OWN, SENDER};
use posthouse::filter::{
    ActionKind, Host, IncludePlace, Included, Incoming, Limits, Phase, ReplyKey, Run, ScriptKind, ScriptName, compile,
};
use posthouse::types::{Address, Envelope, MailboxName, Recipient, SpecialUse, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Host for Library {
    fn mailbox_exists(&self, name: &MailboxName) -> bool {
        name.as_str() == "Lists"
    }

    fn mailbox_with_id(&self, _: &str) -> Option<MailboxName> {
        None
    }

    fn mailbox_with_use(&self, _: SpecialUse) -> Option<MailboxName> {
        None
    }

    fn is_duplicate(&self, _: &str) -> bool {
        false
    }

    fn was_answered(&self, _: &ReplyKey) -> bool {
        false
    }

    fn include(&self, place: IncludePlace, wanted: &str) -> Included {
        let (scripts, kind) = match place {
            IncludePlace::Personal => (&self.personal, ScriptKind::Personal),
            IncludePlace::Global => (&self.global, ScriptKind::Admin),
        };
        let Some((name, text)) = scripts.iter().find(|(name, _)| *name == wanted) else { return Included::Missing };
        match compile(text.as_bytes(), kind) {
            Ok(script) => Included::Script(script, Arc::new(ScriptName { name: (*name).into(), version: None, kind })),
            Err(error) => Included::Broken(error),
        }
    }

    fn list_contains(&self, _: &str, _: &[&str]) -> Option<bool> {
        None
    }

    fn list_members(&self, _: &str) -> Option<Vec<Address>> {
        None
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn metadata(&self, _: Option<&MailboxName>, _: &str) -> Option<String> {
        None
    }
}

/// No error is expected of any script here.
pub fn run(script: &str, message: &str, now: Timestamp, library: &Library) -> Run {
    let address = |text| Address::parse(text).expect("well formed");
    let script = compile(script.as_bytes(), ScriptKind::Compiled).unwrap_or_else(|error| panic!("{error} in {script}"));
    let (own, recipient) = (address(OWN), Recipient::plain(address(OWN)));
    let envelope =
        Envelope { sender: Some(address(SENDER)), recipients: vec![recipient.clone()], ..Envelope::default() };
    let incoming = Incoming {
        message: message.as_bytes(),
        structure: None,
        envelope: &envelope,
        recipient: Some(&recipient),
        address: &own,
        own_addresses: &[],
        owner_name: None,
        flags: &[],
        now,
        remote_ip: None,
        remote_host: None,
        hostname: "mail.example.org",
        phase: Phase::During,
    };
    let name = Arc::new(ScriptName { name: OWN.into(), version: Some(1), kind: ScriptKind::Compiled });
    let run = posthouse::filter::run(&script, &name, &incoming, library, &Limits::default());
    assert_eq!(run.errors, []);
    run
}

/// As the other engines tell it.
pub fn actions(run: &Run) -> BTreeSet<String> {
    let words = run.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::Keep { .. } => Some("store INBOX".to_owned()),
        ActionKind::FileInto { mailbox, .. } => Some(format!("store {mailbox}")),
        ActionKind::Redirect(redirect) => Some(format!("send {}", redirect.to)),
        ActionKind::Reject { .. } => Some("reject".to_owned()),
        ActionKind::Discard => None,
        ActionKind::Reply(_) => Some("answer".to_owned()),
        ActionKind::Notify(_) => Some("notify".to_owned()),
    });
    words.collect()
}
