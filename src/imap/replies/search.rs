//! Results: SEARCH, ESEARCH, SORT, THREAD, UIDBATCHES, FILTER.

use super::{Replies, text};
use crate::imap::grammar::{PartialFrom, PartialRange};
use crate::imap::threading::{Forest, NodeId};
use crate::types::{MailboxName, UidSet};

/// What an ESEARCH is the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchScope<'a> {
    pub tag: &'a str,
    /// In the answer to the command ESEARCH (RFC 7377 section 2.1): the mailbox and its UIDVALIDITY.
    pub mailbox: Option<(&'a MailboxName, u32)>,
    /// The numbers are UIDs.
    pub uid: bool,
}

/// ESEARCH while it is written, item by item (RFC 4731, RFC 5267, RFC 9394).
#[derive(Debug)]
pub struct EsearchReply<'a>(&'a mut Replies);

impl Replies {
    /// RFC 9051 has no SEARCH reply any more; rev1 clients get this one. MODSEQ is RFC 7162 section 3.1.5.
    pub fn search(&mut self, numbers: impl IntoIterator<Item = u32>, mod_seq: Option<u64>) {
        self.numbers("* SEARCH", numbers, mod_seq);
    }

    pub fn sort(&mut self, numbers: impl IntoIterator<Item = u32>, mod_seq: Option<u64>) {
        self.numbers("* SORT", numbers, mod_seq);
    }

    fn numbers(&mut self, start: &str, numbers: impl IntoIterator<Item = u32>, mod_seq: Option<u64>) {
        self.raw(start);
        for number in numbers {
            self.out.push(b' ');
            text::number(&mut self.out, u64::from(number));
        }
        if let Some(mod_seq) = mod_seq {
            self.raw(" (MODSEQ ");
            text::number(&mut self.out, mod_seq);
            self.raw(")");
        }
        self.end_line();
    }

    pub fn esearch(&mut self, scope: SearchScope<'_>) -> EsearchReply<'_> {
        self.raw("* ESEARCH (TAG ");
        text::string(&mut self.out, scope.tag.as_bytes(), self.utf8);
        if let Some((name, uid_validity)) = scope.mailbox {
            self.raw(" MAILBOX ");
            text::mailbox(&mut self.out, name, self.utf8);
            self.raw(" UIDVALIDITY ");
            text::number(&mut self.out, u64::from(uid_validity));
        }
        self.raw(if scope.uid { ") UID" } else { ")" });
        EsearchReply(self)
    }

    /// RFC 5256 section 4, without recursion: a thread may be as deep as the mailbox has messages. `number_of` turns a
    /// message of the forest into its number for this client.
    pub fn thread(&mut self, forest: &Forest, number_of: impl Fn(u32) -> u32) {
        enum Step {
            Thread(NodeId),
            Close,
        }
        self.raw("* THREAD");
        if !forest.roots().is_empty() {
            self.raw(" ");
        }
        let mut steps: Vec<Step> = forest.roots().iter().rev().map(|root| Step::Thread(*root)).collect();
        while let Some(step) = steps.pop() {
            let Step::Thread(mut node) = step else {
                self.raw(")");
                continue;
            };
            self.raw("(");
            let mut separator = "";
            loop {
                if let Some(message) = forest.message(node) {
                    self.raw(separator);
                    separator = " ";
                    text::number(&mut self.out, u64::from(number_of(message)));
                }
                match forest.children(node) {
                    [] => {
                        self.raw(")");
                        break;
                    }
                    // An only child goes on in the line of its parent.
                    [child] => node = *child,
                    children => {
                        self.raw(separator);
                        steps.push(Step::Close);
                        steps.extend(children.iter().rev().map(|child| Step::Thread(*child)));
                        break;
                    }
                }
            }
        }
        self.end_line();
    }

    /// The draft UIDBATCHES: ranges from the highest UID down, each with its higher end first.
    pub fn uid_batches(&mut self, tag: &str, batches: &[(u32, u32)]) {
        self.raw("* UIDBATCHES (TAG ");
        text::string(&mut self.out, tag.as_bytes(), self.utf8);
        self.raw(")");
        for (index, (high, low)) in batches.iter().enumerate() {
            self.out.push(if index == 0 { b' ' } else { b',' });
            text::number(&mut self.out, u64::from(*high));
            self.out.push(b':');
            text::number(&mut self.out, u64::from(*low));
        }
        self.end_line();
    }

    /// What FILTER did with one message; `errors` in words.
    pub fn filtered(&mut self, sequence: u32, tag: &str, uid: Option<u32>, errors: Option<&str>) {
        self.raw("* ");
        text::number(&mut self.out, u64::from(sequence));
        self.raw(" FILTERED (TAG ");
        text::string(&mut self.out, tag.as_bytes(), self.utf8);
        self.raw(")");
        if let Some(uid) = uid {
            self.raw(" UID ");
            text::number(&mut self.out, u64::from(uid));
        }
        match errors {
            None => self.raw(" OK"),
            Some(errors) => self.errors(errors),
        }
        self.end_line();
    }

    /// What is wrong with the script of a FILTER.
    pub fn filter_errors(&mut self, tag: &str, errors: &str) {
        self.raw("* FILTER (TAG ");
        text::string(&mut self.out, tag.as_bytes(), self.utf8);
        self.raw(")");
        self.errors(errors);
        self.end_line();
    }

    fn errors(&mut self, errors: &str) {
        self.raw(" ERRORS ");
        text::string(&mut self.out, errors.as_bytes(), self.utf8);
    }
}

impl EsearchReply<'_> {
    fn item(&mut self, name: &str, number: u64) -> &mut Self {
        self.0.raw(name);
        text::number(&mut self.0.out, number);
        self
    }

    pub fn min(&mut self, number: u32) -> &mut Self {
        self.item(" MIN ", u64::from(number))
    }

    pub fn max(&mut self, number: u32) -> &mut Self {
        self.item(" MAX ", u64::from(number))
    }

    pub fn count(&mut self, messages: u32) -> &mut Self {
        self.item(" COUNT ", u64::from(messages))
    }

    pub fn mod_seq(&mut self, mod_seq: u64) -> &mut Self {
        self.item(" MODSEQ ", mod_seq)
    }

    /// Left out when there is nothing (RFC 4731 section 3.1).
    pub fn all(&mut self, numbers: &UidSet) -> &mut Self {
        if !numbers.is_empty() {
            self.0.raw(" ALL ");
            text::uid_set(&mut self.0.out, numbers);
        }
        self
    }

    /// In the order of a SORT (RFC 5267 section 3.1).
    pub fn all_sorted(&mut self, numbers: &[u32]) -> &mut Self {
        if !numbers.is_empty() {
            self.0.raw(" ALL ");
            text::ordered(&mut self.0.out, numbers);
        }
        self
    }

    /// RFC 9394 section 3.1: the window as it was asked for, and what is in it.
    pub fn partial(&mut self, range: PartialRange, numbers: &UidSet) -> &mut Self {
        self.partial_start(range);
        if numbers.is_empty() {
            self.0.raw("NIL");
        } else {
            text::uid_set(&mut self.0.out, numbers);
        }
        self.0.raw(")");
        self
    }

    pub fn partial_sorted(&mut self, range: PartialRange, numbers: &[u32]) -> &mut Self {
        self.partial_start(range);
        if numbers.is_empty() {
            self.0.raw("NIL");
        } else {
            text::ordered(&mut self.0.out, numbers);
        }
        self.0.raw(")");
        self
    }

    fn partial_start(&mut self, range: PartialRange) {
        let sign = if range.from == PartialFrom::End { "-" } else { "" };
        self.0.raw(" PARTIAL (");
        self.0.raw(sign);
        text::number(&mut self.0.out, u64::from(range.first));
        self.0.raw(":");
        self.0.raw(sign);
        text::number(&mut self.0.out, u64::from(range.last));
        self.0.raw(" ");
    }

    /// RFC 5267 section 4.3: what a search context has gained, at a position from 1, or 0 for an unsorted one.
    pub fn add_to(&mut self, position: u32, numbers: &[u32]) -> &mut Self {
        self.change(" ADDTO (", position, numbers)
    }

    pub fn remove_from(&mut self, position: u32, numbers: &[u32]) -> &mut Self {
        self.change(" REMOVEFROM (", position, numbers)
    }

    fn change(&mut self, name: &str, position: u32, numbers: &[u32]) -> &mut Self {
        self.item(name, u64::from(position));
        self.0.raw(" ");
        text::ordered(&mut self.0.out, numbers);
        self.0.raw(")");
        self
    }

    pub fn finish(&mut self) {
        self.0.end_line();
    }
}
