//! A domain name in its one comparable form.

use super::limits::DOMAIN_NAME_OCTETS_MAX;
use std::fmt;
use std::net::IpAddr;

/// A domain in A-labels and lower case (RFC 5890), or an address literal such as `[192.0.2.1]` (RFC 5321 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(Box<str>);

/// Why a text is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainError {
    Empty,
    TooLong,
    /// An empty label, a label over 63 octets, a hyphen at its edge, or a character no host name may have.
    BadLabel,
    BadLiteral,
}

impl fmt::Display for DomainError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "the domain is empty",
            Self::TooLong => "the domain is longer than 253 characters",
            Self::BadLabel => "the domain has an empty or wrong part: letters, digits and inner hyphens, 1–63 each",
            Self::BadLiteral => "the address literal is none: [192.0.2.1] or [IPv6:2001:db8::1]",
        })
    }
}

impl std::error::Error for DomainError {}

impl Domain {
    /// Takes U-labels and A-labels of any case, and a trailing dot.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if text.starts_with('[') {
            return parse_literal(text);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        // Longer than any name could be in any encoding: don't hand it to the mapping tables.
        if text.len() > 4 * DOMAIN_NAME_OCTETS_MAX {
            return Err(DomainError::TooLong);
        }
        let ascii = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).map_err(|_| DomainError::BadLabel)?
        };
        if ascii.len() > DOMAIN_NAME_OCTETS_MAX {
            return Err(DomainError::TooLong);
        }
        if ascii.split('.').all(is_label) { Ok(Self(ascii.into())) } else { Err(DomainError::BadLabel) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With U-labels, for people.
    pub fn unicode(&self) -> String {
        if self.is_literal() { self.0.to_string() } else { idna::domain_to_unicode(&self.0).0 }
    }

    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }

    /// The address inside a literal.
    pub fn literal_ip(&self) -> Option<IpAddr> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        inner.strip_prefix("IPv6:").unwrap_or(inner).parse().ok()
    }
}

/// Underscores are let through: hosts with them exist in sender addresses, and DNS allows them.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn parse_literal(text: &str) -> Result<Domain, DomainError> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(DomainError::BadLiteral)?;
    let (v6, digits) = match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => (true, &inner[5..]),
        _ => (false, inner),
    };
    match digits.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if !v6 => Ok(Domain(format!("[{ip}]").into())),
        Ok(IpAddr::V6(ip)) if v6 => Ok(Domain(format!("[IPv6:{ip}]").into())),
        _ => Err(DomainError::BadLiteral),
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;
    fn try_from(text: String) -> Result<Self, DomainError> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_one_name() {
        let check = |text: &str, expected: Result<&str, DomainError>| {
            assert_eq!(Domain::parse(text).as_ref().map(Domain::as_str), expected.as_ref().copied(), "{text}");
        };
        check("Example.ORG.", Ok("example.org"));
        check("bücher.example", Ok("xn--bcher-kva.example"));
        check("BÜCHER.example", Ok("xn--bcher-kva.example"));
        check("[192.0.2.1]", Ok("[192.0.2.1]"));
        check("[ipv6:2001:DB8::1]", Ok("[IPv6:2001:db8::1]"));
        check("", Err(DomainError::Empty));
        check("a..b", Err(DomainError::BadLabel));
        check("-a.example", Err(DomainError::BadLabel));
        check("a b.example", Err(DomainError::BadLabel));
        check("a\r\nb.example", Err(DomainError::BadLabel));
        check("[::1]", Err(DomainError::BadLiteral));
        check("[1.2.3]", Err(DomainError::BadLiteral));
        check(&"a.".repeat(200), Err(DomainError::TooLong));
    }
}
