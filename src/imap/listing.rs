//! Which names a LIST shows, and with which attributes (RFC 9051 section 6.3.9, RFC 5258). Pure: names in, lines out.
//!
//! Levels that are no mailbox but have one below them are part of the hierarchy too: without them a client that lists
//! level by level would not find what is below.

use super::grammar::ListSelection;
use super::pattern::Pattern;
use super::replies::Attribute;
use crate::types::{MailboxName, SpecialUse};
use std::collections::{BTreeMap, BTreeSet};

/// A mailbox that may be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: MailboxName,
    pub(super) special_use: Option<SpecialUse>,
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: MailboxName,
    pub(super) attributes: Vec<Attribute>,
    /// RFC 5258 section 4.
    pub(super) subscribed_child: bool,
    pub(super) exists: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    exists: bool,
    subscribed: bool,
    has_children: bool,
    child_subscribed: bool,
    child_with_use: bool,
    special_use: Option<SpecialUse>,
}

/// The levels above a name, nearest first.
fn above(name: &MailboxName) -> impl Iterator<Item = MailboxName> {
    std::iter::successors(name.parent(), MailboxName::parent)
}

fn nodes(known: &[Known], subscriptions: &BTreeSet<MailboxName>) -> BTreeMap<MailboxName, Node> {
    let mut nodes: BTreeMap<MailboxName, Node> = BTreeMap::new();
    for mailbox in known {
        let node = nodes.entry(mailbox.name.clone()).or_default();
        node.exists = true;
        node.special_use = mailbox.special_use;
        for level in above(&mailbox.name) {
            let node = nodes.entry(level).or_default();
            node.has_children = true;
            node.child_with_use |= mailbox.special_use.is_some();
        }
    }
    for name in subscriptions {
        nodes.entry(name.clone()).or_default().subscribed = true;
        for level in above(name) {
            nodes.entry(level).or_default().child_subscribed = true;
        }
    }
    nodes
}

/// What LIST answers. `subscribed_shown`: RETURN (SUBSCRIBED), or a selection that implies it.
pub(super) fn list(
    known: &[Known],
    subscriptions: &BTreeSet<MailboxName>,
    patterns: &[Pattern],
    selection: ListSelection,
    subscribed_shown: bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, node) in nodes(known, subscriptions) {
        let selected = if selection.subscribed || selection.special_use {
            (!selection.subscribed || node.subscribed) && (!selection.special_use || node.special_use.is_some())
        } else {
            node.exists || node.has_children
        };
        let subscribed_child = selection.recursive_match && selection.subscribed && node.child_subscribed;
        let use_below = selection.recursive_match && selection.special_use && node.child_with_use;
        if !(selected || subscribed_child || use_below) || !patterns.iter().any(|pattern| pattern.matches(&name)) {
            continue;
        }
        let mut attributes = Vec::new();
        if !node.exists {
            attributes.push(Attribute::NonExistent);
        }
        attributes.push(if node.has_children { Attribute::HasChildren } else { Attribute::HasNoChildren });
        if node.subscribed && subscribed_shown {
            attributes.push(Attribute::Subscribed);
        }
        attributes.extend(node.special_use.map(Attribute::Use));
        lines.push(Line { name, attributes, subscribed_child, exists: node.exists });
    }
    lines
}

/// What LSUB answers (RFC 3501 section 6.3.9): a level that is only above subscribed names is shown when `%` would hide
/// those.
pub(super) fn lsub(known: &[Known], subscriptions: &BTreeSet<MailboxName>, pattern: &Pattern) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, node) in nodes(known, subscriptions) {
        if !pattern.matches(&name) {
            continue;
        }
        let hides = |subscribed: &MailboxName| subscribed.is_below(&name) && !pattern.matches(subscribed);
        if node.subscribed {
            lines.push(Line { name, attributes: Vec::new(), subscribed_child: false, exists: node.exists });
        } else if node.child_subscribed && subscriptions.iter().any(hides) {
            let attributes = vec![Attribute::NoSelect];
            lines.push(Line { name, attributes, subscribed_child: false, exists: node.exists });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar;
    use crate::imap::replies::{ListReply, Replies};

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text).expect("a name")
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::new(&grammar::Pattern { reference: String::new(), pattern: text.into() }).expect("short")
    }

    fn known() -> Vec<Known> {
        ["INBOX", "Fruit/Apple", "Fruit/Peach", "Sent", "Vegetable", "Vegetable/Broccoli", "Deep/er/est"]
            .map(|text| Known { name: name(text), special_use: (text == "Sent").then_some(SpecialUse::Sent) })
            .into()
    }

    fn subscriptions() -> BTreeSet<MailboxName> {
        ["INBOX", "Fruit/Peach", "Gone/by", "Vegetable", "Deep/er/est"].map(name).into()
    }

    fn shown(lines: Vec<Line>) -> Vec<String> {
        let mut shown = Vec::new();
        for line in lines {
            let mut replies = Replies::default();
            replies.list(&ListReply {
                name: &line.name,
                attributes: &line.attributes,
                subscribed_child: line.subscribed_child,
                old_name: None,
            });
            let text = String::from_utf8(replies.out).expect("ASCII");
            shown.push(text.trim_end().trim_start_matches("* LIST ").replace(" \"/\"", ""));
        }
        shown
    }

    #[test]
    fn selections() {
        let check = |text: &str, selection: ListSelection, expected: &[&str]| {
            let lines = list(&known(), &subscriptions(), &[pattern(text)], selection, selection.subscribed);
            assert_eq!(shown(lines), expected, "{text} {selection:?}");
        };
        let all = ListSelection::default();
        check(
            "%",
            all,
            &[
                "(\\NonExistent \\HasChildren) Deep",
                "(\\NonExistent \\HasChildren) Fruit",
                "(\\HasNoChildren) INBOX",
                "(\\HasNoChildren \\Sent) Sent",
                "(\\HasChildren) Vegetable",
            ],
        );
        check("Deep/%", all, &["(\\NonExistent \\HasChildren) Deep/er"]);
        let subscribed = ListSelection { subscribed: true, ..all };
        check(
            "*",
            subscribed,
            &[
                "(\\HasNoChildren \\Subscribed) Deep/er/est",
                "(\\HasNoChildren \\Subscribed) Fruit/Peach",
                "(\\NonExistent \\HasNoChildren \\Subscribed) Gone/by",
                "(\\HasNoChildren \\Subscribed) INBOX",
                "(\\HasChildren \\Subscribed) Vegetable",
            ],
        );
        check("%", subscribed, &["(\\HasNoChildren \\Subscribed) INBOX", "(\\HasChildren \\Subscribed) Vegetable"]);
        check(
            "%",
            ListSelection { recursive_match: true, ..subscribed },
            &[
                "(\\NonExistent \\HasChildren) Deep (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "(\\NonExistent \\HasChildren) Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "(\\NonExistent \\HasNoChildren) Gone (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "(\\HasNoChildren \\Subscribed) INBOX",
                "(\\HasChildren \\Subscribed) Vegetable",
            ],
        );
        check("*", ListSelection { special_use: true, ..all }, &["(\\HasNoChildren \\Sent) Sent"]);
        check("*", ListSelection { special_use: true, ..subscribed }, &[]);
    }

    #[test]
    fn lsub_shows_levels_that_percent_hides() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(shown(lsub(&known(), &subscriptions(), &pattern(text))), expected, "{text}");
        };
        check("*", &["() Deep/er/est", "() Fruit/Peach", "() Gone/by", "() INBOX", "() Vegetable"]);
        check("%", &["(\\Noselect) Deep", "(\\Noselect) Fruit", "(\\Noselect) Gone", "() INBOX", "() Vegetable"]);
        check("Fruit/%", &["() Fruit/Peach"]);
    }
}
