//! A message's flags as one word: five system flags and the keywords its mailbox has names for.

/// The first bit that stands for a keyword; bit `KEYWORD_BIT_FIRST + i` is the mailbox's keyword number `i`.
pub const KEYWORD_BIT_FIRST: u32 = 8;
/// Distinct keywords in one mailbox. A word has room for no more; a client that wants more is told LIMIT.
pub const KEYWORDS_PER_MAILBOX_MAX: usize = 56;

/// RFC 9051 section 2.3.2. `\Recent` is not among them: IMAP4rev2 has dropped it and rev1 allows never to set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u64);

impl Flags {
    pub const NONE: Self = Self(0);
    /// Every flag there can be.
    pub const ALL: Self = Self(u64::MAX);
    pub const SEEN: Self = Self(1);
    pub const ANSWERED: Self = Self(1 << 1);
    pub const FLAGGED: Self = Self(1 << 2);
    pub const DELETED: Self = Self(1 << 3);
    pub const DRAFT: Self = Self(1 << 4);

    /// The system flags with the names IMAP gives them, in the order we list them.
    pub const SYSTEM: [(Self, &'static str); 5] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
    ];

    /// The flag of the mailbox's keyword number `index`; the index must be below `KEYWORDS_PER_MAILBOX_MAX`.
    pub fn keyword(index: usize) -> Self {
        debug_assert!(index < KEYWORDS_PER_MAILBOX_MAX, "a mailbox has no keyword number {index}");
        Self(1 << (KEYWORD_BIT_FIRST as usize + index))
    }

    /// The system flag of this name, whatever its case, with the backslash.
    pub fn system(name: &str) -> Option<Self> {
        Self::SYSTEM.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(flag, _)| *flag)
    }

    /// The system flags among the names, and the names of the rest, which are keywords. An unknown name with a backslash
    /// is left out: no client could set it either (RFC 9051 section 2.3.2).
    pub fn named<'n>(names: impl IntoIterator<Item = &'n String>) -> (Self, Vec<String>) {
        let (mut flags, mut keywords) = (Self::NONE, Vec::new());
        for name in names {
            match Self::system(name) {
                Some(flag) => flags = flags.with(flag),
                None if name.starts_with('\\') => {}
                None => keywords.push(name.clone()),
            }
        }
        (flags, keywords)
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Whether a keyword may have this name: an atom (RFC 9051 section 9).
pub fn is_keyword(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_system_flags_do_not_overlap() {
        let system = Flags::SYSTEM.iter().fold(Flags::NONE, |all, (flag, _)| all.with(*flag));
        for index in 0..KEYWORDS_PER_MAILBOX_MAX {
            assert_eq!(system.0 & Flags::keyword(index).0, 0);
        }
        assert_eq!(Flags::system("\\sEEn"), Some(Flags::SEEN));
        assert_eq!(Flags::system("Seen"), None);
        let names = ["\\seen", "later", "\\Unheard", "\\Flagged"].map(str::to_owned);
        assert_eq!(Flags::named(&names), (Flags::SEEN.with(Flags::FLAGGED), vec!["later".to_owned()]));
    }
}
