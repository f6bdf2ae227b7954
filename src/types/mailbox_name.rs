//! Names of mailboxes, as UTF-8 with `/` between levels; protocols translate to their own spelling.

use super::limits::{MAILBOX_DEPTH_MAX, MAILBOX_NAME_OCTETS_MAX};
use std::fmt;

pub const HIERARCHY_SEPARATOR: char = '/';

/// A mailbox's name within its account. `INBOX` is one name whatever its case, also as the first level of others
/// (RFC 9051 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailboxName(Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxNameError {
    Empty,
    TooLong,
    TooDeep,
    /// Two separators in a row, or one at an edge.
    EmptyLevel,
    /// A control character, or one of U+2028 and U+2029 (RFC 5198 section 2).
    Character,
}

impl fmt::Display for MailboxNameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "the mailbox name is empty",
            Self::TooLong => "the mailbox name is too long",
            Self::TooDeep => "the mailbox name has too many levels",
            Self::EmptyLevel => "the mailbox name has an empty level",
            Self::Character => "the mailbox name has a control character",
        })
    }
}

impl std::error::Error for MailboxNameError {}

impl MailboxName {
    pub fn parse(text: &str) -> Result<Self, MailboxNameError> {
        if text.is_empty() {
            return Err(MailboxNameError::Empty);
        }
        if text.len() > MAILBOX_NAME_OCTETS_MAX {
            return Err(MailboxNameError::TooLong);
        }
        if text.chars().any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')) {
            return Err(MailboxNameError::Character);
        }
        if text.split(HIERARCHY_SEPARATOR).any(str::is_empty) {
            return Err(MailboxNameError::EmptyLevel);
        }
        if text.split(HIERARCHY_SEPARATOR).count() > MAILBOX_DEPTH_MAX {
            return Err(MailboxNameError::TooDeep);
        }
        let (first, rest) = text.split_at(text.find(HIERARCHY_SEPARATOR).unwrap_or(text.len()));
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(Self(format!("INBOX{rest}").into()));
        }
        Ok(Self(text.into()))
    }

    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name one level up; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once(HIERARCHY_SEPARATOR).map(|(parent, _)| Self(parent.into()))
    }

    pub fn is_below(&self, ancestor: &Self) -> bool {
        self.0.strip_prefix(&*ancestor.0).is_some_and(|rest| rest.starts_with(HIERARCHY_SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for MailboxName {
    type Err = MailboxNameError;
    fn from_str(text: &str) -> Result<Self, MailboxNameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for MailboxName {
    type Error = MailboxNameError;
    fn try_from(text: String) -> Result<Self, MailboxNameError> {
        Self::parse(&text)
    }
}

impl From<MailboxName> for String {
    fn from(name: MailboxName) -> Self {
        name.0.into()
    }
}

/// RFC 6154 and RFC 8457: what a mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Important,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::All, "\\All"),
        (Self::Archive, "\\Archive"),
        (Self::Drafts, "\\Drafts"),
        (Self::Flagged, "\\Flagged"),
        (Self::Important, "\\Important"),
        (Self::Junk, "\\Junk"),
        (Self::Sent, "\\Sent"),
        (Self::Trash, "\\Trash"),
    ];

    /// Made with each account, under these names, and subscribed.
    pub const MADE_WITH_ACCOUNT: [(Self, &'static str); 5] = [
        (Self::Drafts, "Drafts"),
        (Self::Sent, "Sent"),
        (Self::Junk, "Junk"),
        (Self::Trash, "Trash"),
        (Self::Archive, "Archive"),
    ];

    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(usage, _)| *usage)
    }

    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(usage, _)| *usage == self).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_inbox_and_no_broken_levels() {
        let check = |text: &str, expected: Result<&str, MailboxNameError>| {
            assert_eq!(
                MailboxName::parse(text).as_ref().map(MailboxName::as_str),
                expected.as_ref().copied(),
                "{text}"
            );
        };
        check("inbox", Ok("INBOX"));
        check("Inbox/Lists", Ok("INBOX/Lists"));
        check("Inboxes", Ok("Inboxes"));
        check("Entwürfe", Ok("Entwürfe"));
        check("", Err(MailboxNameError::Empty));
        check("a//b", Err(MailboxNameError::EmptyLevel));
        check("/a", Err(MailboxNameError::EmptyLevel));
        check("a\r\nb", Err(MailboxNameError::Character));
        check(&"a/".repeat(100), Err(MailboxNameError::EmptyLevel));
        check(&format!("{}a", "a/".repeat(100)), Err(MailboxNameError::TooDeep));
    }
}
