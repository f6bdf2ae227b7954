//! NOTIFY (RFC 5465) and the sources of ESEARCH (RFC 7377), which share the way to name mailboxes.

use super::fetch::{FetchItem, fetch_item};
use super::input::{Input, Parsed};
use super::mailbox::{Mailbox, mailbox};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notify {
    None,
    Set {
        /// The client wants a STATUS for each mailbox at once.
        status: bool,
        groups: Vec<EventGroup>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventGroup {
    pub mailboxes: MailboxFilter,
    /// Empty for NONE.
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxFilter {
    Selected,
    SelectedDelayed,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<Mailbox>),
    /// The mailboxes and what is one level below (RFC 7377 section 2.2).
    SubtreeOne(Vec<Mailbox>),
    Mailboxes(Vec<Mailbox>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    MessageNew(Vec<FetchItem>),
    MessageExpunge,
    FlagChange,
    AnnotationChange,
    MailboxName,
    SubscriptionChange,
    MailboxMetadataChange,
    ServerMetadataChange,
    /// Answered BADEVENT, with those we have (RFC 5465 section 5).
    Unknown(String),
}

impl Event {
    /// With what BADEVENT lists.
    pub const NAMES: [&'static str; 7] = [
        "MessageNew",
        "MessageExpunge",
        "FlagChange",
        "MailboxName",
        "SubscriptionChange",
        "MailboxMetadataChange",
        "ServerMetadataChange",
    ];
}

pub(super) fn notify(input: &mut Input<'_>) -> Parsed<Notify> {
    let start = input.position();
    match input.word("SET or NONE")?.as_str() {
        "NONE" => Ok(Notify::None),
        "SET" => {
            let status = input.eat_spaced_word("STATUS");
            input.space()?;
            Ok(Notify::Set { status, groups: input.spaced(event_group)? })
        }
        _ => {
            input.back_to(start);
            input.fail("SET or NONE")
        }
    }
}

fn event_group(input: &mut Input<'_>) -> Parsed<EventGroup> {
    input.expect(b'(', "an opening parenthesis")?;
    let mailboxes = mailbox_filter(input)?;
    input.space()?;
    let events = if input.eat_word("NONE") { Vec::new() } else { input.list(event)? };
    input.expect(b')', "a closing parenthesis")?;
    Ok(EventGroup { mailboxes, events })
}

fn event(input: &mut Input<'_>) -> Parsed<Event> {
    let name = input.atom("an event")?.to_owned();
    Ok(match name.to_ascii_uppercase().as_str() {
        "MESSAGENEW" => {
            let mut items = Vec::new();
            if input.rest().starts_with(b" (") {
                input.space()?;
                items = input.list(fetch_item)?;
            }
            Event::MessageNew(items)
        }
        "MESSAGEEXPUNGE" => Event::MessageExpunge,
        "FLAGCHANGE" => Event::FlagChange,
        "ANNOTATIONCHANGE" => Event::AnnotationChange,
        "MAILBOXNAME" => Event::MailboxName,
        "SUBSCRIPTIONCHANGE" => Event::SubscriptionChange,
        "MAILBOXMETADATACHANGE" => Event::MailboxMetadataChange,
        "SERVERMETADATACHANGE" => Event::ServerMetadataChange,
        _ => Event::Unknown(name),
    })
}

pub(super) fn mailbox_filter(input: &mut Input<'_>) -> Parsed<MailboxFilter> {
    let start = input.position();
    Ok(match input.word("which mailboxes")?.as_str() {
        "SELECTED" => MailboxFilter::Selected,
        "SELECTED-DELAYED" => MailboxFilter::SelectedDelayed,
        "INBOXES" => MailboxFilter::Inboxes,
        "PERSONAL" => MailboxFilter::Personal,
        "SUBSCRIBED" => MailboxFilter::Subscribed,
        "SUBTREE" => MailboxFilter::Subtree(one_or_more_mailboxes(input)?),
        "SUBTREE-ONE" => MailboxFilter::SubtreeOne(one_or_more_mailboxes(input)?),
        "MAILBOXES" => MailboxFilter::Mailboxes(one_or_more_mailboxes(input)?),
        _ => {
            input.back_to(start);
            return input.fail("selected, inboxes, personal, subscribed, subtree or mailboxes");
        }
    })
}

fn one_or_more_mailboxes(input: &mut Input<'_>) -> Parsed<Vec<Mailbox>> {
    input.space()?;
    if input.peek() == Some(b'(') { input.list(mailbox) } else { Ok(vec![mailbox(input)?]) }
}

/// `IN (…)` of ESEARCH. Scope options are reserved by the RFC and none exists.
pub(super) fn search_sources(input: &mut Input<'_>) -> Parsed<Vec<MailboxFilter>> {
    input.list(|input| {
        let start = input.position();
        match mailbox_filter(input)? {
            // RFC 7377 section 2.2: "selected-delayed" has no meaning here.
            MailboxFilter::SelectedDelayed => {
                input.back_to(start);
                input.fail("a source other than selected-delayed")
            }
            filter => Ok(filter),
        }
    })
}
