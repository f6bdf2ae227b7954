//! `local@domain`: the one address type.

use super::domain::{Domain, DomainError};
use super::limits::LOCAL_PART_OCTETS_MAX;
use std::borrow::Cow;
use std::fmt;

/// A mailbox address. The local part is held unquoted and as it was written: only its owner may say that case does not
/// matter (RFC 5321 section 2.4), so comparing for addresses hosted here goes through [`Address::canonical`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    local: Box<str>,
    domain: Domain,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    NoAt,
    LocalEmpty,
    LocalTooLong,
    /// A character that neither an atom nor a quoted string may have, or quotes that don't match.
    LocalCharacter,
    Domain(DomainError),
}

impl fmt::Display for AddressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAt => formatter.write_str("there is no @ in it"),
            Self::LocalEmpty => formatter.write_str("nothing stands before the @"),
            Self::LocalTooLong => formatter.write_str("the part before the @ is longer than 64 octets"),
            Self::LocalCharacter => formatter.write_str("the part before the @ has a character no address may have"),
            Self::Domain(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// From the written form: dot-atom or quoted string (RFC 5321 section 4.1.2), `@`, domain or address literal.
    /// UTF-8 is taken as RFC 6531 allows.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').ok_or(AddressError::NoAt)?;
        let (written, domain) = (&text[..at], &text[at + 1..]);
        let local = match written.strip_prefix('"') {
            Some(rest) => unquote(rest)?,
            None if is_dot_atom(written) => written.to_owned(),
            None if written.is_empty() => return Err(AddressError::LocalEmpty),
            None => return Err(AddressError::LocalCharacter),
        };
        Self::from_parts(&local, Domain::parse(domain).map_err(AddressError::Domain)?)
    }

    /// From an unquoted local part. Control characters are refused: no quoting makes them safe on a command line.
    pub fn from_parts(local: &str, domain: Domain) -> Result<Self, AddressError> {
        if local.is_empty() {
            return Err(AddressError::LocalEmpty);
        }
        if local.len() > LOCAL_PART_OCTETS_MAX {
            return Err(AddressError::LocalTooLong);
        }
        if local.chars().any(char::is_control) {
            return Err(AddressError::LocalCharacter);
        }
        Ok(Self { local: local.into(), domain })
    }

    /// Unquoted; not to be printed on a command line, for that use `Display`.
    pub fn local(&self) -> &str {
        &self.local
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The form in which addresses hosted here are kept and compared: lower case.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self { local: self.local.to_lowercase().into(), domain: self.domain.clone() }
    }

    /// `sales+spring@…` → (`sales@…`, `spring`): RFC 5233, with the separator everybody uses.
    pub fn without_detail(&self) -> Option<(Self, &str)> {
        let (user, detail) = self.local.split_once('+')?;
        if user.is_empty() {
            return None;
        }
        Some((Self { local: user.into(), domain: self.domain.clone() }, detail))
    }

    #[must_use]
    pub fn with_domain(&self, domain: Domain) -> Self {
        Self { local: self.local.clone(), domain }
    }

    /// Whether a peer without SMTPUTF8 (RFC 6531) can't be given it. The domain never matters: it is in A-labels.
    pub fn needs_utf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// RFC 5321 atext, and UTF-8 as RFC 6531 section 3.3 adds it.
fn is_atext(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(character)
        || (!character.is_ascii() && !character.is_control() && !character.is_whitespace())
}

fn is_dot_atom(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// A local part as it is written: quoted where it is no dot-atom (RFC 5321 section 4.1.2).
pub fn quoted_local(local: &str) -> Cow<'_, str> {
    if is_dot_atom(local) {
        return Cow::Borrowed(local);
    }
    let mut quoted = String::with_capacity(local.len() + 2);
    quoted.push('"');
    for character in local.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// `rest` is what follows the opening quote, closing quote included.
fn unquote(rest: &str) -> Result<String, AddressError> {
    let inner = rest.strip_suffix('"').ok_or(AddressError::LocalCharacter)?;
    let mut local = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => local.push(characters.next().ok_or(AddressError::LocalCharacter)?),
            '"' => return Err(AddressError::LocalCharacter),
            other => local.push(other),
        }
    }
    Ok(local)
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", quoted_local(&self.local), self.domain)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_prints_back() {
        let check = |text: &str, printed: Result<&str, AddressError>| {
            let parsed = Address::parse(text);
            assert_eq!(
                parsed.as_ref().map(ToString::to_string),
                printed.map(str::to_owned).as_ref().map(ToString::to_string),
                "{text}"
            );
            if let Ok(address) = parsed {
                assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        };
        check("Jane.Doe@Example.org", Ok("Jane.Doe@example.org"));
        check("\"jane doe\"@example.org", Ok("\"jane doe\"@example.org"));
        check("\"jane\"@example.org", Ok("jane@example.org"));
        check("\"a@b\"@example.org", Ok("\"a@b\"@example.org"));
        check("\"a\\\"b\"@example.org", Ok("\"a\\\"b\"@example.org"));
        check("jörg@bücher.example", Ok("jörg@xn--bcher-kva.example"));
        check("a@[192.0.2.1]", Ok("a@[192.0.2.1]"));
        check("jane", Err(AddressError::NoAt));
        check("@example.org", Err(AddressError::LocalEmpty));
        check("a.@example.org", Err(AddressError::LocalCharacter));
        check("a b@example.org", Err(AddressError::LocalCharacter));
        check("a>b@example.org", Err(AddressError::LocalCharacter));
        check("\"a\r\nb\"@example.org", Err(AddressError::LocalCharacter));
        check("\"a\"b\"@example.org", Err(AddressError::LocalCharacter));
        check(&format!("{}@example.org", "a".repeat(65)), Err(AddressError::LocalTooLong));
    }

    #[test]
    fn detail_splits_at_the_first_plus() {
        let address = Address::parse("sales+a+b@example.org").expect("well formed");
        let (base, detail) = address.without_detail().expect("has a detail");
        assert_eq!((base.to_string().as_str(), detail), ("sales@example.org", "a+b"));
        assert_eq!(Address::parse("+a@example.org").expect("well formed").without_detail(), None);
    }
}
