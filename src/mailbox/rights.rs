//! Rights on mailboxes (RFC 4314), and what each act needs.

use crate::store::Granted;
use crate::types::Flags;
use std::fmt;

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u32);

/// In the order in which RFC 4314 section 2.1 lists them.
const LETTERS: [(u8, Rights); 11] = [
    (b'l', Rights::LOOKUP),
    (b'r', Rights::READ),
    (b's', Rights::SEEN),
    (b'w', Rights::WRITE),
    (b'i', Rights::INSERT),
    (b'p', Rights::POST),
    (b'k', Rights::CREATE),
    (b'x', Rights::DELETE_MAILBOX),
    (b't', Rights::DELETE_MESSAGES),
    (b'e', Rights::EXPUNGE),
    (b'a', Rights::ADMINISTER),
];

impl Rights {
    pub const NONE: Self = Self(0);
    /// The mailbox is seen at all.
    pub const LOOKUP: Self = Self(1);
    pub const READ: Self = Self(1 << 1);
    /// The flag `\Seen`.
    pub const SEEN: Self = Self(1 << 2);
    /// Flags other than `\Seen` and `\Deleted`.
    pub const WRITE: Self = Self(1 << 3);
    /// Messages by APPEND, COPY and MOVE.
    pub const INSERT: Self = Self(1 << 4);
    /// Mail sent to the mailbox's own address, of which ours have none.
    pub const POST: Self = Self(1 << 5);
    /// Mailboxes below it.
    pub const CREATE: Self = Self(1 << 6);
    pub const DELETE_MAILBOX: Self = Self(1 << 7);
    /// The flag `\Deleted`.
    pub const DELETE_MESSAGES: Self = Self(1 << 8);
    pub const EXPUNGE: Self = Self(1 << 9);
    pub const ADMINISTER: Self = Self(1 << 10);
    /// What an owner has, always.
    pub const ALL: Self = Self((1 << 11) - 1);

    /// `lrswi`. RFC 4314 section 2.1.1: `c` stands for `kx` and `d` for `te`. `None` if there is a right we don't have.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rights = Self::NONE;
        for letter in text.bytes() {
            rights = rights.with(match letter {
                b'c' => Self::CREATE.with(Self::DELETE_MAILBOX),
                b'd' => Self::DELETE_MESSAGES.with(Self::EXPUNGE),
                _ => LETTERS.iter().find(|(known, _)| *known == letter)?.1,
            });
        }
        Some(rights)
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags these rights let somebody change (RFC 4314 section 4).
    pub fn changeable_flags(self) -> Flags {
        let mut flags = Flags::NONE;
        if self.contains(Self::WRITE) {
            flags = Flags::ALL.without(Flags::SEEN).without(Flags::DELETED);
        }
        if self.contains(Self::SEEN) {
            flags = flags.with(Flags::SEEN);
        }
        if self.contains(Self::DELETE_MESSAGES) {
            flags = flags.with(Flags::DELETED);
        }
        flags
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }

    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// RFC 4314 section 2: what is taken away counts more than what is given.
    pub(super) fn granted(granted: Granted) -> Self {
        Self::from_bits(granted.given & !granted.taken_away)
    }
}

/// With the obsolete letters after the others, so that old clients understand (RFC 4314 section 2.1.1).
impl fmt::Display for Rights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (letter, right) in LETTERS {
            if self.contains(right) {
                write!(formatter, "{}", char::from(letter))?;
            }
        }
        if self.intersects(Self::CREATE.with(Self::DELETE_MAILBOX)) {
            formatter.write_str("c")?;
        }
        if self.intersects(Self::DELETE_MESSAGES.with(Self::EXPUNGE)) {
            formatter.write_str("d")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_written() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Rights::parse(text).map(|rights| rights.to_string()).as_deref(), expected, "{text}");
        };
        check("", Some(""));
        check("lr", Some("lr"));
        check("rl", Some("lr"));
        check("c", Some("kxc"));
        check("d", Some("ted"));
        check("k", Some("kc"));
        check("lrswipkxtea", Some("lrswipkxteacd"));
        check("lrswipkxteacd", Some("lrswipkxteacd"));
        check("n", None);
        check("l7", None);
        assert_eq!(Rights::parse("lrswipkxtea"), Some(Rights::ALL));
        let granted = Granted { given: Rights::ALL.bits(), taken_away: Rights::ADMINISTER.bits() };
        assert_eq!(Rights::granted(granted).to_string(), "lrswipkxtecd");
    }
}
