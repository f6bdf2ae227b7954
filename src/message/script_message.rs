//! The message as mail-parser's type, which the Sieve engine works on, built from our own structure.
//!
//! mail-parser's `Message` holds embedded messages by value, so one it parsed itself from a message nested forty
//! thousand times overflows the stack when it is dropped; and its parser takes quadratic time on missing boundaries. Here
//! only its header parser runs, on sections of bounded size, and the nesting is that of [`Structure`], which has a limit.

use super::charset;
use super::content_type::Disposition;
use super::field::HeaderFields;
use super::structure::{Part, PartKind, Structure};
use super::transfer::Encoding;
use crate::types::limits::SCRIPT_HEADER_OCTETS_MAX;
use mail_parser::{Message, MessageParser, MessagePart, PartType};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Whether a script will look into bodies. Most do not, and decoding is what costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    Decoded,
    /// Parts are there with their headers and offsets; their contents are empty.
    Omitted,
}

static PARSER: LazyLock<MessageParser> = LazyLock::new(MessageParser::default);

/// The message for the Sieve engine. Safe to drop, clone and walk on any stack: at most `MIME_DEPTH_MAX` levels.
pub fn script_message<'a>(raw: &'a [u8], structure: &Structure, bodies: Bodies) -> Message<'a> {
    embedded(raw, structure, 0, bodies)
}

/// The message whose root is part `root`. Calls itself at most `MIME_DEPTH_MAX` deep.
fn embedded<'a>(raw: &'a [u8], structure: &Structure, root: usize, bodies: Bodies) -> Message<'a> {
    let parts = structure.parts();
    let mut message = Message { raw_message: Cow::Borrowed(raw), ..Message::default() };
    // The engine numbers parts within their message; an embedded message counts as one.
    let mut numbers = vec![root];
    let mut at = 0;
    while at < numbers.len() {
        if parts[numbers[at]].kind == PartKind::Multipart {
            numbers.extend(structure.children(numbers[at]));
        }
        at += 1;
    }
    numbers.sort_unstable();
    let number_of = |index: usize| numbers.binary_search(&index).map_or(0, number);
    let mut alternative = vec![false; numbers.len()];
    for (at, &index) in numbers.iter().enumerate() {
        let part = &parts[index];
        let body = match part.kind {
            PartKind::Message => PartType::Message(embedded(raw, structure, index + 1, bodies)),
            PartKind::Multipart => {
                let children: Vec<u32> = structure.children(index).map(number_of).collect();
                for &child in &children {
                    alternative[child as usize] = alternative[at] || &*part.media_type == "multipart/alternative";
                }
                PartType::Multipart(children)
            }
            PartKind::Leaf => leaf(part, raw, bodies),
        };
        classify(&mut message, part, raw, number(at), alternative[at]);
        message.parts.push(MessagePart {
            headers: headers(part, raw),
            is_encoding_problem: part.encoding == Encoding::Unknown,
            body,
            encoding: match part.encoding {
                Encoding::Base64 => mail_parser::Encoding::Base64,
                Encoding::QuotedPrintable => mail_parser::Encoding::QuotedPrintable,
                _ => mail_parser::Encoding::None,
            },
            offset_header: part.header_start,
            offset_body: part.body_start,
            offset_end: part.end,
        });
    }
    // A message with only one kind of text shows it wherever either is asked for.
    if message.text_body.is_empty() {
        message.text_body.clone_from(&message.html_body);
    } else if message.html_body.is_empty() {
        message.html_body.clone_from(&message.text_body);
    }
    message
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn headers<'a>(part: &Part, raw: &'a [u8]) -> Vec<mail_parser::Header<'a>> {
    let header = part.header_in(raw);
    let header = match header.get(..SCRIPT_HEADER_OCTETS_MAX) {
        // Cut where a line ends, so that the last field is a shorter one and not a wrong one.
        Some(cut) => &cut[..memchr::memrchr(b'\n', cut).map_or(0, |end| end + 1)],
        None => header,
    };
    let Some(mut parsed) = PARSER.parse_headers(header) else { return Vec::new() };
    let mut headers = parsed.parts.first_mut().map(|part| std::mem::take(&mut part.headers)).unwrap_or_default();
    for header in &mut headers {
        header.offset_field += part.header_start;
        header.offset_start += part.header_start;
        header.offset_end += part.header_start;
    }
    headers
}

fn leaf<'a>(part: &Part, raw: &'a [u8], bodies: Bodies) -> PartType<'a> {
    let content = match bodies {
        Bodies::Omitted => Cow::Borrowed(&b""[..]),
        Bodies::Decoded => {
            let body = part.body_in(raw);
            part.encoding.decode(body).unwrap_or(Cow::Borrowed(body))
        }
    };
    if part.is_text() {
        let text = match content {
            Cow::Borrowed(octets) => charset::decode(part.charset.as_bytes(), octets),
            Cow::Owned(octets) => Cow::Owned(charset::decode(part.charset.as_bytes(), &octets).into_owned()),
        };
        if &*part.media_type == "text/html" { PartType::Html(text) } else { PartType::Text(text) }
    } else if is_attached(part, raw) || !is_shown_inline(part) {
        PartType::Binary(content)
    } else {
        PartType::InlineBinary(content)
    }
}

fn is_shown_inline(part: &Part) -> bool {
    ["image/", "audio/", "video/"].iter().any(|main| part.media_type.starts_with(main))
}

fn is_attached(part: &Part, raw: &[u8]) -> bool {
    HeaderFields::first(part.header_in(raw), "Content-Disposition")
        .and_then(|field| Disposition::parse(field.value()))
        .is_some_and(|disposition| disposition.kind.eq_ignore_ascii_case(b"attachment"))
}

/// Which of the message's three lists a part belongs to: texts to show, in plain and in HTML, and the rest.
fn classify(message: &mut Message<'_>, part: &Part, raw: &[u8], number: u32, alternative: bool) {
    let is_html = &*part.media_type == "text/html";
    match part.kind {
        PartKind::Multipart => {}
        PartKind::Leaf if (is_html || &*part.media_type == "text/plain") && !is_attached(part, raw) => {
            if is_html || !alternative {
                message.html_body.push(number);
            }
            if !is_html || !alternative {
                message.text_body.push(number);
            }
        }
        PartKind::Leaf | PartKind::Message => message.attachments.push(number),
    }
}

#[cfg(test)]
mod tests {
    use super::super::structure::tests::mailish;
    use super::*;
    use proptest::prelude::*;

    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).expect("a thread starts");
        thread.join().expect("nothing overflowed");
    }

    /// mail-parser's own `Message` of either of these ends the process.
    #[test]
    fn nested_messages_do_not_overflow_the_stack() {
        for levels in [42_000, 165_000] {
            on_a_small_stack(move || {
                let raw = "Content-Type: message/rfc822\r\n\r\n".repeat(levels).into_bytes();
                assert!(raw.len() > 1_300_000);
                let structure = Structure::scan(&raw);
                let message = script_message(&raw, &structure, Bodies::Decoded);
                let copy = message.clone().into_owned();
                assert_eq!(copy.parts.len(), 1);
                drop(message);
                drop(copy);
            });
        }
    }

    const MAIL: &str = "From: a@b.example\r\nSubject: =?utf-8?Q?gr=C3=BCn?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\
        \r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n\
        --c\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aHRtbDwvYj4=\r\n--c--\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n\
        --b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nnotes\r\n--b--\r\n";

    /// Where a mail is sound, ours and mail-parser's own are the same to a script.
    #[test]
    fn sound_mail_reads_as_mail_parser_reads_it() {
        let structure = Structure::scan(MAIL.as_bytes());
        let ours = script_message(MAIL.as_bytes(), &structure, Bodies::Decoded);
        let theirs = MessageParser::default().parse(MAIL.as_bytes()).expect("a message");
        assert_eq!(ours.parts.len(), theirs.parts.len());
        for (our, their) in ours.parts.iter().zip(&theirs.parts) {
            assert_eq!(our.headers, their.headers);
            assert_eq!((our.offset_header, our.offset_body), (their.offset_header, their.offset_body));
            match (&our.body, &their.body) {
                (PartType::Message(our), PartType::Message(their)) => {
                    assert_eq!(our.parts[0].headers, their.parts[0].headers);
                    assert_eq!(our.body_text(0), their.body_text(0));
                }
                (our, their) => assert_eq!(our, their),
            }
        }
        assert_eq!((&ours.text_body, &ours.html_body, &ours.attachments), (&vec![2], &vec![3], &vec![4, 5]));
        assert_eq!((&theirs.text_body, &theirs.html_body), (&vec![2], &vec![3]));
    }

    #[test]
    fn omitted_bodies_leave_offsets() {
        let structure = Structure::scan(MAIL.as_bytes());
        let message = script_message(MAIL.as_bytes(), &structure, Bodies::Omitted);
        assert_eq!(message.parts[2].text_contents(), Some(""));
        assert_eq!(&MAIL[message.parts[2].offset_body as usize..message.parts[2].offset_end as usize], "plain");
        assert_eq!(message.subject(), Some("grün"));
    }

    #[test]
    fn header_sections_are_cut_at_a_line() {
        let raw = format!("Subject: x\r\n{}\r\nbody", "X-Filler: abcdefghij\r\n".repeat(100_000)).into_bytes();
        let message_parts = script_message(&raw, &Structure::scan(&raw), Bodies::Decoded).parts;
        assert_eq!(message_parts[0].headers.len(), SCRIPT_HEADER_OCTETS_MAX.div_ceil(22));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_mail_can_be_built(raw in mailish()) {
            let message = script_message(&raw, &Structure::scan(&raw), Bodies::Decoded);
            for part in &message.parts {
                prop_assert!(part.offset_end as usize <= raw.len());
                for header in &part.headers {
                    prop_assert!(header.offset_end as usize <= raw.len());
                }
            }
        }
    }
}
