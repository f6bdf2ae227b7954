//! Passwords we make up: one per application, or the first one of an account.
//!
//! An app password is 20 random characters, so there is nothing to guess and no need of argon2id, whose purpose is to
//! make guesses at human passwords dear. What is stored are its SCRAM keys under the account's own salt and rounds: one
//! derivation of what a client sent is compared with all of them, however many there are, and SCRAM, where the server
//! must name the salt before it knows which password is meant, works with each.

use super::scram::{KEY_OCTETS, KeyPair};
use crate::telemetry::Secret;
use crate::types::limits::APP_PASSWORD_LABEL_CHARACTERS_MAX;
use std::fmt;

/// Without i, l, o, 0 and 1, which look like each other.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS: usize = 5;
const GROUP_CHARACTERS: usize = 4;

// log2(31) is more than 4.9: 20 characters are 98 bits, where 80 would do.
const _: () = assert!(GROUPS * GROUP_CHARACTERS * 49 / 10 >= 80);

/// Why a label is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelError {
    Empty,
    TooLong,
    Character,
}

impl fmt::Display for LabelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("the label is empty; name the device or program it is for"),
            Self::TooLong => {
                write!(formatter, "the label is longer than {APP_PASSWORD_LABEL_CHARACTERS_MAX} characters")
            }
            Self::Character => formatter.write_str("the label has a control character in it"),
        }
    }
}

impl std::error::Error for LabelError {}

/// `xxxx-xxxx-xxxx-xxxx-xxxx`: easy to read off a screen and to type on a phone.
pub(super) fn generate() -> Result<Secret<String>, getrandom::Error> {
    let mut characters = Letters::default();
    let mut password = String::new();
    for group in 0..GROUPS {
        if group > 0 {
            password.push('-');
        }
        for _ in 0..GROUP_CHARACTERS {
            password.push(characters.next_letter()?);
        }
    }
    Ok(Secret::new(password))
}

/// The same for a person, with an upper-case letter and a digit at random places, which the rules for passwords ask for.
pub(super) fn generate_for_person() -> Result<Secret<String>, getrandom::Error> {
    loop {
        let generated = generate()?;
        let mut letters: Vec<char> = generated.reveal().chars().collect();
        let Some(letter) = letters.iter_mut().find(|letter| letter.is_ascii_lowercase()) else { continue };
        letter.make_ascii_uppercase();
        // A password without any digit, or with nothing but one letter, is drawn anew rather than bent into shape.
        if letters.iter().any(char::is_ascii_digit) && letters.iter().any(char::is_ascii_lowercase) {
            return Ok(Secret::new(letters.into_iter().collect()));
        }
    }
}

pub(super) fn check_label(label: &str) -> Result<(), LabelError> {
    if label.trim().is_empty() {
        return Err(LabelError::Empty);
    }
    if label.chars().count() > APP_PASSWORD_LABEL_CHARACTERS_MAX {
        return Err(LabelError::TooLong);
    }
    if label.chars().any(char::is_control) { Err(LabelError::Character) } else { Ok(()) }
}

/// The stored form: both keys, one after the other.
pub(super) fn stored_form(keys: &KeyPair) -> Vec<u8> {
    [keys.stored_key, keys.server_key].concat()
}

/// None for octets that are no such form.
pub(super) fn from_stored_form(octets: &[u8]) -> Option<KeyPair> {
    let (stored_key, server_key) = octets.split_at_checked(KEY_OCTETS)?;
    Some(KeyPair { stored_key: stored_key.try_into().ok()?, server_key: server_key.try_into().ok()? })
}

/// Random letters of the alphabet, each as likely as the others.
#[derive(Default)]
struct Letters {
    random: [u8; 32],
    left: usize,
}

impl Letters {
    fn next_letter(&mut self) -> Result<char, getrandom::Error> {
        loop {
            if self.left == 0 {
                getrandom::fill(&mut self.random)?;
                self.left = self.random.len();
            }
            self.left -= 1;
            // Five bits of each octet; the one value beyond the alphabet is skipped, as a remainder would favour the start.
            let drawn = usize::from(self.random[self.left] & 31);
            if let Some(letter) = ALPHABET.get(drawn) {
                return Ok(char::from(*letter));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password::Password;
    use std::collections::HashSet;

    #[test]
    fn app_passwords_are_readable_and_never_the_same() {
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let password = generate().unwrap().into_revealed();
            assert_eq!(password.len(), 24, "{password}");
            for group in password.split('-') {
                assert_eq!(group.len(), GROUP_CHARACTERS);
                assert!(group.bytes().all(|letter| ALPHABET.contains(&letter)), "{password}");
            }
            assert!(seen.insert(password));
        }
        let letters: HashSet<char> = seen.iter().flat_map(|password| password.chars()).collect();
        assert_eq!(letters.len(), ALPHABET.len() + 1);
    }

    #[test]
    fn a_persons_password_has_what_the_rules_ask_for() {
        for _ in 0..200 {
            let password = generate_for_person().unwrap().into_revealed();
            assert!((9..=30).contains(&password.len()) && password.is_ascii());
            assert!(password.chars().any(|letter| letter.is_ascii_uppercase()), "{password}");
            assert!(password.chars().any(|letter| letter.is_ascii_lowercase()), "{password}");
            assert!(password.chars().any(|letter| letter.is_ascii_digit()), "{password}");
        }
    }

    #[test]
    fn labels() {
        let check = |label: &str, expected| assert_eq!(check_label(label), expected, "{label:?}");
        check("phone", Ok(()));
        check("Jörgs Telefon (neu)", Ok(()));
        check("", Err(LabelError::Empty));
        check("  ", Err(LabelError::Empty));
        check("a\nb", Err(LabelError::Character));
        check(&"ü".repeat(APP_PASSWORD_LABEL_CHARACTERS_MAX), Ok(()));
        check(&"ü".repeat(APP_PASSWORD_LABEL_CHARACTERS_MAX + 1), Err(LabelError::TooLong));
    }

    #[test]
    fn the_stored_form_reads_back() {
        let keys = KeyPair::derive(&Password::prepare("abcd-efgh").unwrap(), b"salt", 4096);
        assert_eq!(from_stored_form(&stored_form(&keys)), Some(keys));
        for length in [0, 31, 32, 63, 65, 96] {
            assert_eq!(from_stored_form(&vec![0; length]), None);
        }
    }
}
