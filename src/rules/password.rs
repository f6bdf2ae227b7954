//! What a password must be. Nothing here keeps or prints one.

use std::fmt;

/// The defaults are those of the provider guides the product follows; an administrator may loosen them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    pub characters_min: usize,
    pub characters_max: usize,
    pub ascii_only: bool,
    pub upper_case: bool,
    pub lower_case: bool,
    pub digit: bool,
    pub refuse_local_part: bool,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self {
            characters_min: 9,
            characters_max: 30,
            ascii_only: true,
            upper_case: true,
            lower_case: true,
            digit: true,
            refuse_local_part: true,
        }
    }
}

/// Carries nothing of the password but its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordViolation {
    TooShort {
        characters: usize,
        min: usize,
    },
    TooLong {
        characters: usize,
        max: usize,
    },
    NotAscii,
    NoUpperCase,
    NoLowerCase,
    NoDigit,
    HasLocalPart,
    /// Always refused: neither a keyboard nor SASL (RFC 4616 section 2) can carry them.
    ControlCharacter,
}

impl fmt::Display for PasswordViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { characters, min } => {
                write!(formatter, "the password has {characters} characters, {min} are needed")
            }
            Self::TooLong { characters, max } => {
                write!(formatter, "the password has {characters} characters, {max} are allowed")
            }
            Self::NotAscii => formatter.write_str("the password has accents or other characters beyond ASCII"),
            Self::NoUpperCase => formatter.write_str("the password has no upper-case letter"),
            Self::NoLowerCase => formatter.write_str("the password has no lower-case letter"),
            Self::NoDigit => formatter.write_str("the password has no digit"),
            Self::HasLocalPart => formatter.write_str("the password has the part of the address before the @ in it"),
            Self::ControlCharacter => formatter.write_str("the password has a control character in it"),
        }
    }
}

impl PasswordRules {
    /// Every rule the password violates. `local` is the part before the @ of its account's address.
    pub fn check(&self, password: &str, local: &str) -> Vec<PasswordViolation> {
        let characters = password.chars().count();
        let lower = || password.to_lowercase();
        let rules = [
            (characters < self.characters_min, PasswordViolation::TooShort { characters, min: self.characters_min }),
            (characters > self.characters_max, PasswordViolation::TooLong { characters, max: self.characters_max }),
            (self.ascii_only && !password.is_ascii(), PasswordViolation::NotAscii),
            (self.upper_case && !password.chars().any(char::is_uppercase), PasswordViolation::NoUpperCase),
            (self.lower_case && !password.chars().any(char::is_lowercase), PasswordViolation::NoLowerCase),
            (self.digit && !password.chars().any(|character| character.is_ascii_digit()), PasswordViolation::NoDigit),
            (
                self.refuse_local_part && !local.is_empty() && lower().contains(&local.to_lowercase()),
                PasswordViolation::HasLocalPart,
            ),
            (password.chars().any(char::is_control), PasswordViolation::ControlCharacter),
        ];
        rules.into_iter().filter(|(violated, _)| *violated).map(|(_, violation)| violation).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::PasswordViolation::*;
    use super::*;

    #[test]
    fn each_rule_and_all_at_once() {
        let check = |password: &str, expected: &[PasswordViolation]| {
            assert_eq!(PasswordRules::default().check(password, "jane"), expected, "{password}");
        };
        check("Correct9Horse", &[]);
        check("Abcdefgh9", &[]);
        check(&format!("A9{}", "a".repeat(28)), &[]);
        check("Abcdefg9", &[TooShort { characters: 8, min: 9 }]);
        check(&format!("A9{}", "a".repeat(29)), &[TooLong { characters: 31, max: 30 }]);
        check("Gänseblümchen9", &[NotAscii]);
        check("myJANE2026word", &[HasLocalPart]);
        check("Abcdefgh9\0", &[ControlCharacter]);
        check("ABCDEFGH9", &[NoLowerCase]);
        check("é", &[TooShort { characters: 1, min: 9 }, NotAscii, NoUpperCase, NoDigit]);
        check("", &[TooShort { characters: 0, min: 9 }, NoUpperCase, NoLowerCase, NoDigit]);
    }

    #[test]
    fn rules_can_be_loosened() {
        let rules = PasswordRules {
            characters_min: 1,
            characters_max: 500,
            ascii_only: false,
            upper_case: false,
            lower_case: false,
            digit: false,
            refuse_local_part: false,
        };
        assert_eq!(rules.check("jané", "jan"), []);
    }

    #[test]
    fn messages_never_show_the_password() {
        for violation in PasswordRules::default().check("sécret", "sécret") {
            assert!(!violation.to_string().contains("sécret"), "{violation}");
            assert!(!format!("{violation:?}").contains("sécret"));
        }
    }
}
