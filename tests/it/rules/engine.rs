//! sieve-rs, driven the simple way: every action is taken down, every question answered, nothing done.

use super::{Library, MAILBOX, OWN, SENDER};
use sieve::{Compiler, Envelope, Event, Input, Mailbox, Recipient, Runtime, Script, Sieve};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Default)]
pub struct Done {
    pub actions: BTreeSet<String>,
    pub order: Vec<String>,
    /// The text of the automatic answer.
    pub answer: String,
}

pub fn compiled(script: &str) -> Result<Arc<Sieve>, String> {
    // Sections ask for an extension by `ihave`, which then needs no `require` (RFC 5463 section 4); this engine knows only
    // all or nothing.
    let compiler = Compiler::new().with_no_capability_check(true).with_max_string_size(1 << 20).with_max_includes(1000);
    compiler.compile(script.as_bytes()).map(Arc::new).map_err(|error| error.to_string())
}

pub fn run(script: &Arc<Sieve>, message: &str, library: &Library) -> Done {
    run_to(OWN, script, message, library)
}

pub fn run_to(to: &str, script: &Arc<Sieve>, message: &str, library: &Library) -> Done {
    let runtime = Runtime::new()
        .with_max_redirects(1000)
        .with_max_out_messages(1000)
        .with_max_received_headers(1000)
        .with_max_variable_size(1 << 20);
    let mut context = runtime
        .filter(message.as_bytes())
        .with_envelope(Envelope::From, SENDER)
        .with_envelope(Envelope::To, to)
        .with_user_address(OWN);
    let mut done = Done::default();
    let mut input = Input::script("", script.clone());
    let mut answers = Vec::new();
    while let Some(event) = context.run(input) {
        input = Input::True;
        match event.expect("runs") {
            Event::IncludeScript { name, .. } => {
                let (names, wanted) = match &name {
                    Script::Personal(wanted) => (&library.personal, wanted),
                    Script::Global(wanted) => (&library.global, wanted),
                };
                input = match names.iter().find(|(name, _)| name == wanted) {
                    Some((_, text)) => Input::script(name, compiled(text).expect("compiles")),
                    None => Input::False,
                };
            }
            Event::DuplicateId { .. } => input = Input::False,
            Event::MailboxExists { mailboxes, .. } => {
                let here = |mailbox: &Mailbox| matches!(mailbox, Mailbox::Name(name) if name == MAILBOX);
                input = if mailboxes.iter().all(here) { Input::True } else { Input::False };
            }
            Event::Keep { .. } => done.take("store INBOX"),
            Event::Discard => {}
            Event::Reject { .. } => done.take("reject"),
            Event::FileInto { folder, special_use, .. } => {
                assert_eq!(special_use.as_deref(), (folder == "Junk").then_some("\\Junk"));
                done.take(&format!("store {folder}"));
            }
            Event::CreatedMessage { message_id, message } => {
                answers.push(message_id);
                done.answer = String::from_utf8(message).expect("UTF-8");
            }
            Event::SendMessage { message_id, .. } if answers.contains(&message_id) => done.take("answer"),
            Event::SendMessage { recipient: Recipient::Address(to), .. } => done.take(&format!("send {to}")),
            other => panic!("{other:?}"),
        }
    }
    done
}

impl Done {
    fn take(&mut self, action: &str) {
        assert!(self.actions.insert(action.to_owned()), "{action} twice");
        self.order.push(action.to_owned());
    }
}
