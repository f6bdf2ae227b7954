//! What the `body` test looks at (RFC 5173 section 5).

use super::call::BodyTransform;
use super::fields::resolve;
use crate::message::{PartKind, Structure, decode_charset};
use mail_parser::decoders::html::html_to_text;
use std::borrow::Cow;

/// The texts of the message, each to be compared on its own.
pub(super) fn texts<'m>(
    raw: &'m [u8],
    structure: &Structure,
    transform: &BodyTransform,
    carried: &[String],
) -> Vec<Cow<'m, str>> {
    match transform {
        // RFC 5173 section 5.1: as it came, encodings and boundaries included.
        BodyTransform::Raw => vec![String::from_utf8_lossy(slice(raw, structure.root().body()))],
        BodyTransform::Text => parts(raw, structure, |media_type| media_type.starts_with("text/"), Html::ToText),
        BodyTransform::Content(types) => {
            let types: Vec<String> = types.iter().map(|wanted| resolve(wanted, carried).to_ascii_lowercase()).collect();
            parts(raw, structure, |media_type| types.iter().any(|wanted| is_of(media_type, wanted)), Html::AsItIs)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Html {
    ToText,
    AsItIs,
}

/// RFC 5173 section 5.2: everything, a main type, or a type; what is none of them matches nothing.
fn is_of(media_type: &str, wanted: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let Some((main, sub)) = wanted.split_once('/') else {
        return media_type.split('/').next() == Some(wanted);
    };
    !main.is_empty() && !sub.is_empty() && media_type == wanted
}

fn parts<'m>(raw: &'m [u8], structure: &Structure, wanted: impl Fn(&str) -> bool, html: Html) -> Vec<Cow<'m, str>> {
    let all = structure.parts();
    let mut texts = Vec::new();
    for (index, part) in all.iter().enumerate().filter(|(_, part)| wanted(&part.media_type)) {
        let body = slice(raw, part.body());
        match part.kind {
            // Of an embedded message its header: its parts have their turn.
            PartKind::Message => {
                if let Some(inner) = all.get(index + 1) {
                    texts.push(String::from_utf8_lossy(slice(raw, inner.header())));
                }
            }
            // What stands before the first boundary and after the last.
            PartKind::Multipart => {
                let (mut first, mut last) = (part.end, part.body_start);
                for child in structure.children(index).filter_map(|child| all.get(child)) {
                    (first, last) = (first.min(child.header_start), last.max(child.end));
                }
                let before = slice(raw, u64::from(part.body_start)..u64::from(first));
                let after = slice(raw, u64::from(last)..u64::from(part.end));
                let prologue = memchr::memmem::rfind(before, b"\n--").map_or(&b""[..], |end| &before[..=end]);
                let epilogue = memchr::memmem::rfind(after, b"--").map_or(&b""[..], |start| &after[start + 2..]);
                texts.push(Cow::Owned(String::from_utf8_lossy(&[prologue, epilogue].concat()).into_owned()));
            }
            PartKind::Leaf => {
                let content = part.decode(body).unwrap_or(Cow::Borrowed(body));
                let text = match content {
                    Cow::Borrowed(octets) => decode_charset(part.charset.as_bytes(), octets),
                    Cow::Owned(octets) => Cow::Owned(decode_charset(part.charset.as_bytes(), &octets).into_owned()),
                };
                let is_html = &*part.media_type == "text/html";
                texts.push(if is_html && html == Html::ToText { Cow::Owned(html_to_text(&text)) } else { text });
            }
        }
    }
    texts
}

fn slice(raw: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let start = usize::try_from(range.start).unwrap_or(usize::MAX);
    let end = usize::try_from(range.end).unwrap_or(usize::MAX);
    raw.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::call::Value;
    use super::*;

    const MAIL: &str = "Content-Type: multipart/mixed; boundary=b\r\n\r\nprologue\r\n--b\r\n\r\nplain\r\n\
        --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aHRtbDwvYj4=\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--\r\nepilogue\r\n";

    #[test]
    fn each_transform_sees_its_part_of_the_mail() {
        let structure = Structure::scan(MAIL.as_bytes());
        let see = |transform: BodyTransform| texts(MAIL.as_bytes(), &structure, &transform, &[]);
        let content = |wanted: &str| see(BodyTransform::Content(vec![Value::Literal(wanted.into())]));
        assert!(see(BodyTransform::Raw)[0].contains("PGI+"));
        let shown: Vec<String> = see(BodyTransform::Text).iter().map(|text| text.trim().to_owned()).collect();
        assert_eq!(shown, ["plain", "html", "inner"]);
        assert_eq!(content("text/html"), ["<b>html</b>"]);
        assert_eq!(content("message"), ["Subject: in\r\n\r\n"]);
        assert_eq!(content("multipart/mixed"), ["prologue\r\n\r\nepilogue\r\n"]);
        assert_eq!(content("text").len(), 3);
        assert_eq!(content("").len(), 5);
        assert_eq!(content("text/"), Vec::<String>::new());
        assert_eq!(content("/html"), Vec::<String>::new());
    }
}
