//! Message identifiers (RFC 5322 section 3.6.4): reading those of others, making our own.

use super::HeaderFields;
use super::content_type::quoted_string;
use crate::types::Domain;
use crate::types::limits::REFERENCES_MAX;
use std::borrow::Cow;

/// Longer ones could not stand in a line, so nobody refers to them.
const ID_OCTETS_MAX: usize = 998;

/// The identifiers in a Message-ID, In-Reply-To or References value, without their angle brackets, in their order.
/// Words between them (RFC 5322 section 4.5.4 has phrases there) are passed over.
pub fn message_ids(value: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let start = memchr::memchr(b'<', rest)?;
            let inner = &rest[start + 1..];
            // An identifier ends at its bracket; another opening one means that this was none.
            let Some(end) = inner.iter().position(|byte| matches!(byte, b'>' | b'<')) else {
                rest = &[];
                continue;
            };
            if inner[end] == b'<' {
                rest = &inner[end..];
                continue;
            }
            rest = &inner[end + 1..];
            if let Some(id) = normalised(&inner[..end]) {
                return Some(id);
            }
        }
    })
}

/// The first identifier, or, as some mailers leave the brackets out, the only word.
pub fn message_id(value: &[u8]) -> Option<Cow<'_, str>> {
    message_ids(value).next().or_else(|| {
        let word = value.trim_ascii();
        (!word.contains(&b'<') && word.contains(&b'@')).then(|| normalised(word)).flatten()
    })
}

/// That of a message, from the first field that should have it.
pub fn own_message_id(header: &[u8]) -> Option<String> {
    let field = HeaderFields::first(header, "Message-ID")?;
    message_id(field.value()).map(Cow::into_owned)
}

/// References without repetitions, in order. Of too many the first, which names the thread, and the newest stay.
pub(super) fn references(value: &[u8]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut ids: Vec<Cow<'_, str>> = message_ids(value).filter(|id| seen.insert(id.clone())).collect();
    if ids.len() > REFERENCES_MAX {
        ids.drain(1..=ids.len() - REFERENCES_MAX);
    }
    ids.into_iter().map(Cow::into_owned).collect()
}

/// One form for one identifier: RFC 5256 section 3 (threading) wants quoting that says nothing taken away. Blanks,
/// which folding brings in, go.
fn normalised(id: &[u8]) -> Option<Cow<'_, str>> {
    if id.is_empty() || id.len() > ID_OCTETS_MAX || id.contains(&0) {
        return None;
    }
    let text = if id.iter().any(u8::is_ascii_whitespace) {
        let is_quoted = id.starts_with(b"\"");
        let goes = |byte: &u8| matches!(byte, b'\r' | b'\n') || !is_quoted && byte.is_ascii_whitespace();
        let octets: Vec<u8> = id.iter().copied().filter(|byte| !goes(byte)).collect();
        Cow::Owned(String::from_utf8_lossy(&octets).into_owned())
    } else {
        String::from_utf8_lossy(id)
    };
    if text.is_empty() {
        return None;
    }
    let Some(quoted) = text.strip_prefix('"') else { return Some(text) };
    let (local, rest) = quoted_string(quoted.as_bytes());
    let plain = !local.is_empty()
        && local.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte));
    if plain && rest.starts_with(b"@") {
        return Some(Cow::Owned(format!("{}{}", String::from_utf8_lossy(&local), String::from_utf8_lossy(rest))));
    }
    Some(text)
}

/// `<token@domain>`. The token is the caller's: unique, and random enough that nobody guesses the next one.
/// Characters an identifier may not have are left out of it.
pub fn new_message_id(token: &str, domain: &Domain) -> String {
    let token: String =
        token.chars().filter(|&character| character.is_ascii_alphanumeric() || "-_.+".contains(character)).collect();
    let token = token.trim_matches('.');
    // RFC 5322 section 3.6.4 allows an address literal on the right too.
    format!("<{token}@{domain}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_found_among_words() {
        let check = |value: &str, expected: &[&str]| {
            let found: Vec<_> = message_ids(value.as_bytes()).collect();
            assert_eq!(found, expected, "{value:?}");
        };
        check("<1@x>", &["1@x"]);
        check(" <1@x>\r\n\t<2@x><3@x>", &["1@x", "2@x", "3@x"]);
        check("Your message of Friday <1@x> (was <a <2@y>)", &["1@x", "2@y"]);
        check("<\"1.a\"@x> <\"1 a\"@x>", &["1.a@x", "\"1 a\"@x"]);
        check("<1@\r\n x>", &["1@x"]);
        check("<> < > <unclosed", &[]);
        check("1@x", &[]);
        assert_eq!(message_id(b" 1@x ").as_deref(), Some("1@x"));
        assert_eq!(message_id(b"none"), None);
    }

    #[test]
    fn references_are_few_and_single() {
        assert_eq!(references(b"<1@x> <2@x> <1@x> <3@x>"), ["1@x", "2@x", "3@x"]);
        let many: String = (0..1000).map(|number| format!("<{number}@x> ")).collect();
        let kept = references(many.as_bytes());
        assert_eq!((kept.len(), kept[0].as_str(), kept[1].as_str()), (REFERENCES_MAX, "0@x", "801@x"));
        assert_eq!(kept.last().map(String::as_str), Some("999@x"));
        assert!(references("<".repeat(500_000).as_bytes()).is_empty());
    }

    #[test]
    fn our_own_can_be_read_back() {
        let domain = Domain::parse("example.org").expect("well formed");
        assert_eq!(new_message_id(".a>b\r\n@c1.", &domain), "<abc1@example.org>");
        assert_eq!(message_id(new_message_id("t", &domain).as_bytes()).as_deref(), Some("t@example.org"));
    }
}
