//! What may stand before the @ of an address made here. Existing addresses are never judged again.

use std::fmt;

/// The defaults are those of the provider guides the product follows; an administrator may loosen them. A comma makes the
/// address one that is written in quotes (RFC 5321 section 4.1.2), which `Address` sees to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRules {
    pub characters_min: usize,
    pub characters_max: usize,
    /// Lower case; capitals count as their small letters, as everywhere for addresses hosted here.
    pub characters: String,
}

impl Default for AddressRules {
    fn default() -> Self {
        Self { characters_min: 2, characters_max: 32, characters: "abcdefghijklmnopqrstuvwxyz0123456789.,-_".into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressViolation {
    TooShort {
        characters: usize,
        min: usize,
    },
    TooLong {
        characters: usize,
        max: usize,
    },
    /// Each of them once, in the order they appear.
    Characters {
        found: Vec<char>,
        allowed: String,
    },
}

impl fmt::Display for AddressViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { characters, min } => {
                write!(formatter, "the part before the @ has {characters} characters, {min} are needed")
            }
            Self::TooLong { characters, max } => {
                write!(formatter, "the part before the @ has {characters} characters, {max} are allowed")
            }
            Self::Characters { found, allowed } => {
                formatter.write_str("the part before the @ has ")?;
                for (index, character) in found.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(formatter, "{separator}“{}”", character.escape_debug())?;
                }
                let allowed = shortened(allowed);
                write!(formatter, " in it; allowed are {allowed}")
            }
        }
    }
}

impl AddressRules {
    /// Every rule the local part violates. RFC 2142 section 5 and the registries want postmaster and abuse, so they pass
    /// whatever the rules say.
    pub fn check(&self, local: &str) -> Vec<AddressViolation> {
        let local = local.to_lowercase();
        let mut violations = Vec::new();
        if matches!(local.as_str(), "postmaster" | "abuse") {
            return violations;
        }
        let characters = local.chars().count();
        if characters < self.characters_min {
            violations.push(AddressViolation::TooShort { characters, min: self.characters_min });
        }
        if characters > self.characters_max {
            violations.push(AddressViolation::TooLong { characters, max: self.characters_max });
        }
        let mut found = Vec::new();
        for character in local.chars().filter(|&character| !self.characters.contains(character)) {
            if !found.contains(&character) {
                found.push(character);
            }
        }
        if !found.is_empty() {
            violations.push(AddressViolation::Characters { found, allowed: self.characters.clone() });
        }
        violations
    }
}

/// Runs of three and more as people write them: `a–z 0–9 . , - _`.
fn shortened(characters: &str) -> String {
    let characters: Vec<char> = characters.chars().collect();
    let mut parts = Vec::new();
    let mut start = 0;
    while start < characters.len() {
        let mut end = start + 1;
        while end < characters.len() && u32::from(characters[end]) == u32::from(characters[end - 1]) + 1 {
            end += 1;
        }
        if end - start > 2 && characters[start].is_alphanumeric() {
            parts.push(format!("{}–{}", characters[start], characters[end - 1]));
        } else {
            parts.extend(characters[start..end].iter().map(char::to_string));
        }
        start = end;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_and_all_at_once() {
        let check = |local: &str, expected: &[&str]| {
            let violations = AddressRules::default().check(local);
            assert_eq!(violations.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{local}");
        };
        check("jane.doe", &[]);
        check("Jane_Doe-2,b", &[]);
        check("ab", &[]);
        check(&"a".repeat(32), &[]);
        check("postmaster", &[]);
        check("Abuse", &[]);
        check("a", &["the part before the @ has 1 characters, 2 are needed"]);
        check(&"a".repeat(33), &["the part before the @ has 33 characters, 32 are allowed"]);
        check("jörg+x+x", &["the part before the @ has “ö”, “+” in it; allowed are a–z 0–9 . , - _"]);
        check(
            "é",
            &[
                "the part before the @ has 1 characters, 2 are needed",
                "the part before the @ has “é” in it; allowed are a–z 0–9 . , - _",
            ],
        );
    }

    #[test]
    fn rules_can_be_loosened_and_postmaster_stays() {
        let rules = AddressRules { characters_min: 20, characters_max: 40, characters: "xyz".into() };
        assert_eq!(rules.check("postmaster"), []);
        assert_eq!(rules.check("abuse"), []);
        assert_eq!(rules.check("jane").len(), 2);
        let rules = AddressRules { characters_min: 1, characters_max: 64, characters: "+é".into() };
        assert_eq!(rules.check("é+"), []);
    }
}
