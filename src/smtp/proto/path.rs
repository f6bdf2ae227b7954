//! `<…>` in MAIL and RCPT: the null path, source routes, quoted local parts, `<postmaster>`.

use crate::types::{Address, AddressError, Domain};

/// Whom RCPT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardPath {
    Mailbox(Address),
    /// `<postmaster>` without a domain: RFC 5321 section 4.1.1.3 has every server take it, and section 4.5.1 says whose it is.
    Postmaster,
}

/// Splits `<inside>after`. The closing bracket is looked for outside of quoted strings, since `"a>b"@example.org` is an
/// address (RFC 5321 section 4.1.2).
pub(super) fn bracketed(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some((&rest[..at], &rest[at + 1..])),
            _ => {}
        }
    }
    None
}

/// What stands between the brackets of MAIL. `None` is the null reverse-path.
pub(super) fn reverse(inside: &str) -> Result<Option<Address>, AddressError> {
    if inside.is_empty() {
        return Ok(None);
    }
    Address::parse(without_route(inside)?).map(Some)
}

/// What stands between the brackets of RCPT. `<>` is refused: nobody can be reached by it.
pub(super) fn forward(inside: &str) -> Result<ForwardPath, AddressError> {
    if inside.eq_ignore_ascii_case("postmaster") {
        return Ok(ForwardPath::Postmaster);
    }
    Address::parse(without_route(inside)?).map(ForwardPath::Mailbox)
}

/// RFC 5321 section 4.1.1.3 and appendix C: `@a,@b:user@c` must be taken, and the route should be ignored.
fn without_route(inside: &str) -> Result<&str, AddressError> {
    let mut rest = inside;
    if !rest.starts_with('@') {
        return Ok(inside);
    }
    while let Some(hop) = rest.strip_prefix('@') {
        // An IPv6 literal has colons of its own.
        let literal_end = if hop.starts_with('[') { hop.find(']').ok_or(AddressError::NoAt)? } else { 0 };
        let end = hop[literal_end..].find([',', ':']).ok_or(AddressError::LocalEmpty)? + literal_end;
        Domain::parse(&hop[..end]).map_err(AddressError::Domain)?;
        rest = &hop[end + 1..];
        if hop.as_bytes()[end] == b':' {
            return Ok(rest);
        }
    }
    Err(AddressError::LocalCharacter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_found_outside_quotes() {
        let check = |text: &str, expected: Option<(&str, &str)>| assert_eq!(bracketed(text), expected, "{text}");
        check("<a@b> SIZE=1", Some(("a@b", " SIZE=1")));
        check("<>", Some(("", "")));
        check("<\"a>b\"@c> X", Some(("\"a>b\"@c", " X")));
        check("<\"a\\\">b\"@c>", Some(("\"a\\\">b\"@c", "")));
        check("<\"a\\\\\">b\"@c>", Some(("\"a\\\\\"", "b\"@c>")));
        check("a@b", None);
        check("<a@b", None);
        check("<\"a>", None);
    }

    #[test]
    fn routes_are_taken_and_ignored() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(reverse(text).ok().flatten().map(|address| address.to_string()).as_deref(), expected, "{text}");
        };
        check("@a.example:user@c.example", Some("user@c.example"));
        check("@a.example,@b.example:user@c.example", Some("user@c.example"));
        check("@[IPv6:2001:db8::1]:user@c.example", Some("user@c.example"));
        check("@[192.0.2.1],@[IPv6:::1]:\"a:b\"@c.example", Some("\"a:b\"@c.example"));
        check("@a.example", None);
        check("@a.example:", None);
        check("@a.example,b.example:user@c.example", None);
        check("@:user@c.example", None);
        check("@a..b:user@c.example", None);
        check("@[1:user@c.example", None);
        check("@a:@b:user@c.example", None);
    }

    #[test]
    fn postmaster_and_nobody() {
        assert_eq!(forward("PostMaster"), Ok(ForwardPath::Postmaster));
        assert_eq!(forward(""), Err(AddressError::NoAt));
        assert_eq!(forward("jane"), Err(AddressError::NoAt));
        assert_eq!(reverse(""), Ok(None));
        assert_eq!(reverse("postmaster"), Err(AddressError::NoAt));
    }
}
