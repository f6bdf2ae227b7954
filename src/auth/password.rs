//! A password as people type it, in the one form that is hashed and compared.
//!
//! What a password must look like to be allowed (length, classes of characters) is the directory's rule, checked when it
//! is set. Here is only what makes two ways of typing the same password equal.

use crate::types::limits::PASSWORD_OCTETS_MAX;
use std::fmt;
use std::hint::black_box;
use unicode_normalization::UnicodeNormalization;

/// A prepared password. It never prints itself, and its memory is overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a text is no password at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordError {
    Empty,
    TooLong,
    /// A control character or a code point that will never be a character.
    Character,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("the password is empty"),
            Self::TooLong => write!(formatter, "the password is longer than {PASSWORD_OCTETS_MAX} octets"),
            Self::Character => formatter.write_str("the password has a control character in it"),
        }
    }
}

impl std::error::Error for PasswordError {}

impl Password {
    /// RFC 8265 section 4.2.2, the OpaqueString profile: other spaces become the ASCII one, then NFC; case is kept.
    ///
    /// Of what its FreeformClass forbids, controls and noncharacters are refused here. Unassigned and ignorable code
    /// points are let through: refusing them would tie old passwords to one Unicode version.
    pub fn prepare(text: &str) -> Result<Self, PasswordError> {
        if text.len() > PASSWORD_OCTETS_MAX {
            return Err(PasswordError::TooLong);
        }
        if text.chars().any(|character| character.is_control() || is_noncharacter(character)) {
            return Err(PasswordError::Character);
        }
        let prepared: String = text.chars().map(ascii_space).nfc().collect();
        match prepared.len() {
            0 => Err(PasswordError::Empty),
            // NFC can make a text three times as long.
            octets if octets > PASSWORD_OCTETS_MAX => Err(PasswordError::TooLong),
            _ => Ok(Self(prepared)),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The form SCRAM clients hash: RFC 5802 section 2.2 still asks for SASLprep (RFC 4013), which folds compatibility
    /// forms and drops invisible characters. For ASCII, and nearly everything else people type, it changes nothing.
    pub(super) fn for_scram(&self) -> Self {
        Self(self.0.chars().filter(|character| !is_mapped_to_nothing(*character)).nfkc().collect())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        let mut octets = std::mem::take(&mut self.0).into_bytes();
        octets.fill(0);
        // Best effort without unsafe code: the fill must have an observer, or the compiler may leave it out.
        black_box(&octets);
    }
}

/// RFC 8265 section 4.2.2 (2): every space separator becomes U+0020.
fn ascii_space(character: char) -> char {
    match character {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// RFC 3454 table B.1.
fn is_mapped_to_nothing(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{1806}'
            | '\u{180b}'..='\u{180d}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_typed_differently_are_one() {
        let check = |text: &str, expected: Result<&str, PasswordError>| {
            let prepared = Password::prepare(text);
            assert_eq!(
                prepared.as_ref().map(|password| password.0.as_str()).map_err(|error| *error),
                expected,
                "{text:?}"
            );
            if let Ok(password) = prepared {
                assert_eq!(Password::prepare(&password.0).as_ref(), Ok(&password), "{text:?} prepared twice");
            }
        };
        check("Secret 123", Ok("Secret 123"));
        check(" leading and trailing ", Ok(" leading and trailing "));
        check("caf\u{e9}", Ok("caf\u{e9}"));
        check("cafe\u{301}", Ok("caf\u{e9}"));
        check("a\u{a0}b\u{3000}c", Ok("a b c"));
        check("CASE stays", Ok("CASE stays"));
        check("", Err(PasswordError::Empty));
        check("a\0b", Err(PasswordError::Character));
        check("line\r\n", Err(PasswordError::Character));
        check("del\u{7f}", Err(PasswordError::Character));
        check("\u{fdd0}", Err(PasswordError::Character));
        check("\u{ffff}", Err(PasswordError::Character));
        check(&"x".repeat(PASSWORD_OCTETS_MAX), Ok(&"x".repeat(PASSWORD_OCTETS_MAX)));
        check(&"x".repeat(PASSWORD_OCTETS_MAX + 1), Err(PasswordError::TooLong));
        // U+0958 is excluded from composition: NFC makes six octets of its three.
        check(&"\u{958}".repeat(PASSWORD_OCTETS_MAX / 3), Err(PasswordError::TooLong));
    }

    #[test]
    fn scram_hashes_the_older_form() {
        let check = |text: &str, expected: &str| assert_eq!(Password::prepare(text).unwrap().for_scram().0, expected);
        // The examples of RFC 4013 section 3.
        check("I\u{ad}X", "IX");
        check("user", "user");
        check("USER", "USER");
        check("\u{aa}", "a");
        check("\u{2168}", "IX");
    }

    #[test]
    fn a_password_never_prints_itself() {
        assert!(!format!("{:?}", Password::prepare("Secret123").unwrap()).contains("Secret"));
    }
}
