//! Addresses as scripts write them, and the `mailto:` method of `notify` (RFC 5436, RFC 6068).

use crate::types::Address;
use crate::types::limits::SIEVE_NOTIFY_RECIPIENTS_MAX;

/// `jane@example.org`, `<jane@example.org>` or `"Jane" <jane@example.org>`: the name, if any, and the address.
pub(super) fn mailbox(text: &str) -> Option<(Option<String>, Address)> {
    let text = text.trim();
    let Some(inner) = text.strip_suffix('>') else {
        return Address::parse(text).ok().map(|address| (None, address));
    };
    let (name, address) = inner.rsplit_once('<')?;
    let address = Address::parse(address.trim()).ok()?;
    let name = name.trim();
    let name = match name.strip_prefix('"') {
        Some(rest) => unquote(rest.strip_suffix('"')?),
        None => name.to_owned(),
    };
    // A line break in a name would start a header field of its own.
    if name.chars().any(char::is_control) {
        return None;
    }
    Some(((!name.is_empty()).then_some(name), address))
}

fn unquote(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    plain
}

/// What a `mailto:` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mailto {
    pub(super) to: Vec<Address>,
    pub(super) cc: Vec<Address>,
    pub(super) bcc: Vec<Address>,
    pub(super) subject: Option<String>,
    pub(super) body: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

/// `None` for what is no `mailto:` with at least one recipient, or has too many.
pub(super) fn parse_mailto(uri: &str) -> Option<Mailto> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("mailto") {
        return None;
    }
    let (recipients, fields) = rest.split_once('?').unwrap_or((rest, ""));
    let mut mailto = Mailto::default();
    add_recipients(&mut mailto.to, recipients)?;
    for field in fields.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=')?;
        let name = decode(name)?.to_ascii_lowercase();
        match name.as_str() {
            "to" => add_recipients(&mut mailto.to, value)?,
            "cc" => add_recipients(&mut mailto.cc, value)?,
            "bcc" => add_recipients(&mut mailto.bcc, value)?,
            "subject" => mailto.subject = Some(one_line(&decode(value)?)),
            "body" => mailto.body = Some(decode(value)?),
            _ if may_be_set(&name) => mailto.headers.push((name, one_line(&decode(value)?))),
            // RFC 5436 section 2.3: fields that would make the mail lie about itself are left out.
            _ => {}
        }
    }
    let recipients = mailto.to.len() + mailto.cc.len() + mailto.bcc.len();
    (recipients > 0 && recipients <= SIEVE_NOTIFY_RECIPIENTS_MAX).then_some(mailto)
}

fn add_recipients(list: &mut Vec<Address>, text: &str) -> Option<()> {
    for recipient in text.split(',').filter(|recipient| !recipient.is_empty()) {
        let (_, address) = mailbox(&decode(recipient)?)?;
        if !list.contains(&address) {
            list.push(address);
        }
    }
    Some(())
}

fn may_be_set(name: &str) -> bool {
    let owned = [
        "from",
        "sender",
        "date",
        "message-id",
        "received",
        "return-path",
        "auto-submitted",
        "mime-version",
        "in-reply-to",
        "references",
        "dkim-signature",
        "resent-from",
        "resent-to",
    ];
    !owned.contains(&name)
        && !name.starts_with("content-")
        && !name.is_empty()
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Percent signs undone; `None` when one is not followed by two digits, or the result is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(octets).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_have_one_address() {
        let check = |text: &str, expected: Option<(Option<&str>, &str)>| {
            let found = mailbox(text).map(|(name, address)| (name, address.to_string()));
            let expected = expected.map(|(name, address)| (name.map(str::to_owned), address.to_owned()));
            assert_eq!(found, expected, "{text}");
        };
        check("jane@example.org", Some((None, "jane@example.org")));
        check(" <jane@localhost> ", Some((None, "jane@localhost")));
        check("\"Doe, \\\"J\\\"\" <jane@example.org>", Some((Some("Doe, \"J\""), "jane@example.org")));
        check("Jane <jane@example.org>", Some((Some("Jane"), "jane@example.org")));
        check("Jane\r\nBcc: x <jane@example.org>", None);
        check("jane", None);
        check("jane@example.org, joe@example.org", None);
        check("jane@example.org>", None);
    }

    #[test]
    fn a_mailto_is_taken_apart() {
        let mailto = parse_mailto("mailto:a@example.org,b%40example.org?cc=c@example.org&Subject=caf%C3%A9%0d%0aX:%20y&body=1%0A2&from=evil@example.org&X-Tag=5").expect("parses");
        assert_eq!(mailto.to.len(), 2);
        assert_eq!(mailto.cc.len(), 1);
        assert_eq!(mailto.subject.as_deref(), Some("café  X: y"));
        assert_eq!(mailto.body.as_deref(), Some("1\n2"));
        assert_eq!(mailto.headers, [("x-tag".to_owned(), "5".to_owned())]);
        for wrong in
            ["mailto:", "xmpp:a@example.org", "mailto:a", "mailto:a@example.org?x", "mailto:%zz", "mailto:%", "a"]
        {
            assert_eq!(parse_mailto(wrong), None, "{wrong}");
        }
    }
}
