//! Authentication-Results (RFC 8601): writing ours, and knowing those that only claim to be.

use super::super::content_type::{is_token_octet, quoted_string, skip_comment};
use super::super::field::Field;
use super::super::new_field::{NewField, clean};
use crate::types::Domain;

/// One method's result, such as `spf=pass smtp.mailfrom=example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodResult {
    /// `spf`, `dkim`, `dmarc`, `arc`, `iprev`, `auth`: RFC 8601 section 2.7.
    pub method: &'static str,
    pub result: &'static str,
    pub reason: Option<String>,
    /// `smtp.mailfrom`, `header.d`, … and their values.
    pub properties: Vec<(&'static str, String)>,
}

/// The field for what was checked. `authserv_id` is our name; without results the field says that nothing was.
pub fn authentication_results(authserv_id: &Domain, results: &[MethodResult]) -> NewField {
    let mut value = authserv_id.to_string();
    if results.is_empty() {
        // RFC 8601 section 2.2: the no-result form.
        value += "; none";
    }
    for result in results {
        value += &format!("; {}={}", result.method, result.result);
        if let Some(reason) = &result.reason {
            value += &format!(" reason={}", quoted(reason));
        }
        for (property, text) in &result.properties {
            value += &format!(" {property}={}", property_value(text));
        }
    }
    NewField::ours("Authentication-Results", &value)
}

/// RFC 8601 section 2.2, pvalue: a token, a quoted string, or an address as it is.
fn property_value(text: &str) -> String {
    let is_plain = |byte: u8| is_token_octet(byte) || byte == b'@';
    if !text.is_empty() && text.bytes().all(is_plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether the field is an Authentication-Results that says it is ours (RFC 8601 section 5): to be removed from what
/// comes in from outside. One whose claim can't be read goes too: somebody else's parser may read it.
pub fn is_forged_authentication_results(field: &Field<'_>, authserv_id: &Domain) -> bool {
    if !field.is("Authentication-Results") {
        return false;
    }
    match claimed_id(field.value()) {
        Some(claimed) => Domain::parse(&claimed)
            .map_or_else(|_| claimed.eq_ignore_ascii_case(authserv_id.as_str()), |domain| domain == *authserv_id),
        None => true,
    }
}

/// The authserv-id: the first word, which may be quoted, comments passed over.
fn claimed_id(value: &[u8]) -> Option<String> {
    let mut rest = value.trim_ascii_start();
    while rest.starts_with(b"(") {
        rest = skip_comment(rest).1.trim_ascii_start();
    }
    let id = if let Some(inner) = rest.strip_prefix(b"\"") {
        quoted_string(inner).0.into_owned()
    } else {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(' | b'"');
        rest[..rest.iter().position(ends).unwrap_or(rest.len())].to_vec()
    };
    String::from_utf8(id).ok().filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::super::field::HeaderFields;
    use super::super::super::field::unfold;
    use super::*;

    fn ours() -> Domain {
        Domain::parse("mx.example.org").expect("well formed")
    }

    #[test]
    fn results_are_written() {
        let check = |results: &[MethodResult], expected: &str| {
            let field = authentication_results(&ours(), results);
            assert_eq!(String::from_utf8_lossy(&unfold(field.raw())), expected);
        };
        check(&[], "Authentication-Results: mx.example.org; none");
        check(
            &[
                MethodResult {
                    method: "spf",
                    result: "pass",
                    reason: None,
                    properties: vec![("smtp.mailfrom", "a@b.example".into())],
                },
                MethodResult {
                    method: "dkim",
                    result: "fail",
                    reason: Some("bad \"signature\"\r\nX: y".into()),
                    properties: vec![("header.d", "b.example".into()), ("header.b", "ab/c=".into())],
                },
            ],
            "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=a@b.example; dkim=fail \
            reason=\"bad \\\"signature\\\" X: y\" header.d=b.example header.b=\"ab/c=\"",
        );
    }

    #[test]
    fn forgeries_are_known() {
        let check = |field: &str, expected: bool| {
            let field = format!("{field}\r\n");
            let found = HeaderFields::new(field.as_bytes()).next().expect("a field");
            assert_eq!(is_forged_authentication_results(&found, &ours()), expected, "{field}");
        };
        check("Authentication-Results: mx.example.org; spf=pass", true);
        check("authentication-results : MX.Example.ORG. 1; spf=pass", true);
        check("Authentication-Results: (c (d)) \"mx.example.org\" ; spf=pass", true);
        check("Authentication-Results:\r\n\tmx.example.org;\r\n spf=pass", true);
        check("Authentication-Results: mx.example.org(x); none", true);
        check("Authentication-Results: other.example.org; spf=pass", false);
        check("Authentication-Results: ; spf=pass", true);
        check("Authentication-Results: \u{ff4d}x.example.org; spf=pass", true);
        check("X-Authentication-Results: mx.example.org; spf=pass", false);
    }
}
