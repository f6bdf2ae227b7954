//! What is said of mailboxes: LIST, STATUS, NAMESPACE, ACL, QUOTA, METADATA.

use super::{Replies, mailbox_id, text};
use crate::imap::grammar::StatusItem;
use crate::types::{HIERARCHY_SEPARATOR, MailboxId, MailboxName, SpecialUse};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    HasChildren,
    HasNoChildren,
    /// RFC 5465 section 5.9: its messages may not be read.
    NoAccess,
    NoInferiors,
    NoSelect,
    NonExistent,
    Subscribed,
    Use(SpecialUse),
}

impl Attribute {
    fn as_str(self) -> &'static str {
        match self {
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::NoAccess => "\\NoAccess",
            Self::NoInferiors => "\\NoInferiors",
            Self::NoSelect => "\\Noselect",
            Self::NonExistent => "\\NonExistent",
            Self::Subscribed => "\\Subscribed",
            Self::Use(usage) => usage.as_str(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListReply<'a> {
    pub name: &'a MailboxName,
    pub attributes: &'a [Attribute],
    /// RFC 5258 section 4: a subscribed child made this mailbox match.
    pub subscribed_child: bool,
    /// RFC 9051 section 6.3.9.7: what the client called it.
    pub old_name: Option<&'a MailboxName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceKind {
    Personal,
    OtherUsers,
    Shared,
}

impl Replies {
    pub fn list(&mut self, reply: &ListReply<'_>) {
        self.list_line("* LIST ", reply);
    }

    pub fn lsub(&mut self, name: &MailboxName, attributes: &[Attribute]) {
        self.list_line("* LSUB ", &ListReply { name, attributes, subscribed_child: false, old_name: None });
    }

    fn list_line(&mut self, start: &str, reply: &ListReply<'_>) {
        self.raw(start);
        self.attributes(reply.attributes);
        self.separator();
        text::mailbox(&mut self.out, reply.name, self.utf8);
        if reply.subscribed_child || reply.old_name.is_some() {
            self.raw(" (");
            if reply.subscribed_child {
                self.raw("\"CHILDINFO\" (\"SUBSCRIBED\")");
            }
            if let Some(old) = reply.old_name {
                self.raw(if reply.subscribed_child { " " } else { "" });
                self.raw("\"OLDNAME\" (");
                text::mailbox(&mut self.out, old, self.utf8);
                self.raw(")");
            }
            self.raw(")");
        }
        self.end_line();
    }

    /// The answer to `LIST "" ""`: the separator, and the root of the names (RFC 9051 section 6.3.9).
    pub fn list_root(&mut self) {
        self.raw("* LIST (\\Noselect)");
        self.separator();
        self.raw("\"\"");
        self.end_line();
    }

    fn attributes(&mut self, attributes: &[Attribute]) {
        text::parenthesized(&mut self.out, attributes, |out, attribute| {
            out.extend_from_slice(attribute.as_str().as_bytes());
        });
    }

    fn separator(&mut self) {
        self.raw(" \"");
        self.out.push(HIERARCHY_SEPARATOR as u8);
        self.raw("\" ");
    }

    /// Each item with its value; for MAILBOXID that is the mailbox's number.
    pub fn mailbox_status(&mut self, name: &MailboxName, values: &[(StatusItem, u64)]) {
        self.raw("* STATUS ");
        text::mailbox(&mut self.out, name, self.utf8);
        self.out.push(b' ');
        text::parenthesized(&mut self.out, values, |out, (item, value)| {
            out.extend_from_slice(item.as_str().as_bytes());
            out.push(b' ');
            if *item == StatusItem::MailboxId {
                out.push(b'(');
                mailbox_id(out, MailboxId(i64::try_from(*value).unwrap_or(i64::MAX)));
                out.push(b')');
            } else {
                text::number(out, *value);
            }
        });
        self.end_line();
    }

    /// RFC 2342: the prefixes of each kind, NIL where there is none.
    pub fn namespace(&mut self, prefixes: &[(NamespaceKind, &str)]) {
        self.raw("* NAMESPACE");
        for kind in [NamespaceKind::Personal, NamespaceKind::OtherUsers, NamespaceKind::Shared] {
            let mut any = false;
            self.out.push(b' ');
            for (_, prefix) in prefixes.iter().filter(|(of, _)| *of == kind) {
                self.raw(if any { "(" } else { "((" });
                any = true;
                if prefix.is_ascii() {
                    text::string(&mut self.out, prefix.as_bytes(), self.utf8);
                } else {
                    text::name_or_prefix(&mut self.out, prefix, self.utf8);
                }
                self.raw(" \"");
                self.out.push(HIERARCHY_SEPARATOR as u8);
                self.raw("\")");
            }
            self.raw(if any { ")" } else { "NIL" });
        }
        self.end_line();
    }

    /// RFC 4314 section 3.6.
    pub fn acl<'a>(&mut self, name: &MailboxName, entries: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.raw("* ACL ");
        text::mailbox(&mut self.out, name, self.utf8);
        for (identifier, rights) in entries {
            self.spaced_astring(identifier);
            self.spaced_astring(rights);
        }
        self.end_line();
    }

    /// RFC 4314 section 3.7: what an identifier always has, and what it can be given.
    pub fn list_rights(&mut self, name: &MailboxName, identifier: &str, always: &str, others: &[&str]) {
        self.raw("* LISTRIGHTS ");
        text::mailbox(&mut self.out, name, self.utf8);
        self.spaced_astring(identifier);
        self.spaced_astring(always);
        for rights in others {
            self.spaced_astring(rights);
        }
        self.end_line();
    }

    pub fn my_rights(&mut self, name: &MailboxName, rights: &str) {
        self.raw("* MYRIGHTS ");
        text::mailbox(&mut self.out, name, self.utf8);
        self.spaced_astring(rights);
        self.end_line();
    }

    /// RFC 9208 section 4.2: resource, use, limit.
    pub fn quota(&mut self, root: &str, resources: &[(&str, u64, u64)]) {
        self.raw("* QUOTA ");
        text::astring(&mut self.out, root.as_bytes(), self.utf8);
        self.out.push(b' ');
        text::parenthesized(&mut self.out, resources, |out, (resource, used, limit)| {
            out.extend_from_slice(resource.as_bytes());
            out.push(b' ');
            text::number(out, *used);
            out.push(b' ');
            text::number(out, *limit);
        });
        self.end_line();
    }

    pub fn quota_root(&mut self, name: &MailboxName, roots: &[&str]) {
        self.raw("* QUOTAROOT ");
        text::mailbox(&mut self.out, name, self.utf8);
        for root in roots {
            self.spaced_astring(root);
        }
        self.end_line();
    }

    /// RFC 5464 section 4.4.1; `None` for the server's own entries.
    pub fn metadata<'a>(
        &mut self,
        name: Option<&MailboxName>,
        entries: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) {
        self.metadata_start(name);
        let utf8 = self.utf8;
        text::parenthesized(&mut self.out, entries, |out, (entry, value)| {
            text::astring(out, entry.as_bytes(), utf8);
            out.push(b' ');
            match value {
                Some(value) => text::value(out, value, utf8),
                None => out.extend_from_slice(b"NIL"),
            }
        });
        self.end_line();
    }

    /// RFC 5464 section 4.4.2: what has changed, without being asked.
    pub fn metadata_changed<'a>(&mut self, name: Option<&MailboxName>, entries: impl IntoIterator<Item = &'a str>) {
        self.metadata_start(name);
        let utf8 = self.utf8;
        text::spaced(&mut self.out, entries, |out, entry| text::astring(out, entry.as_bytes(), utf8));
        self.end_line();
    }

    fn metadata_start(&mut self, name: Option<&MailboxName>) {
        self.raw("* METADATA ");
        match name {
            Some(name) => text::mailbox(&mut self.out, name, self.utf8),
            None => self.raw("\"\""),
        }
        self.out.push(b' ');
    }

    fn spaced_astring(&mut self, value: &str) {
        self.out.push(b' ');
        text::astring(&mut self.out, value.as_bytes(), self.utf8);
    }
}
