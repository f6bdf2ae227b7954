//! The octets of a message as a script has changed it.
//!
//! The engine can write them itself, but trusts its offsets, sends raw UTF-8 in header fields and gives a replaced
//! message no MIME-Version. So it is only asked what has become of each part.

use crate::message::encode_words;
use mail_parser::{Encoding, Header, HeaderName, Message, MessagePart, PartType};

/// `hostname` is for message ids that the engine has made.
pub(super) fn octets(message: &Message<'_>, hostname: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.raw_message.len() + 1024);
    write_message(message, hostname, &mut out);
    out
}

/// Calls itself for each message that `enclose` has wrapped, which are bounded by the number of edits.
fn write_message(message: &Message<'_>, hostname: &str, out: &mut Vec<u8>) {
    let Some(root) = message.parts.first() else { return };
    let is_rebuilt = root.offset_body == 0;
    write_headers(message, root, hostname, out);
    if is_rebuilt && !has(root, "MIME-Version") && !is_mime_replacement(root) {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    write_body(message, root, hostname, out);
}

fn has(part: &MessagePart<'_>, name: &str) -> bool {
    part.headers.iter().any(|header| header.name.as_str().eq_ignore_ascii_case(name))
}

/// `replace :mime`: the new content brings the end of its header with it.
fn is_mime_replacement(part: &MessagePart<'_>) -> bool {
    part.offset_body == 0 && part.encoding == Encoding::None && !matches!(part.body, PartType::Multipart(_))
}

fn write_headers(message: &Message<'_>, part: &MessagePart<'_>, hostname: &str, out: &mut Vec<u8>) {
    for header in &part.headers {
        if header.offset_end == 0 {
            write_added(header, hostname, out);
            continue;
        }
        // A field whose name begins where its value does has been given another name.
        let start = if header.offset_field == header.offset_start {
            out.extend_from_slice(header.name.as_str().as_bytes());
            out.push(b':');
            header.offset_start
        } else {
            header.offset_field
        };
        out.extend_from_slice(message.raw_message.get(start as usize..header.offset_end as usize).unwrap_or_default());
        end_line(out);
    }
}

fn write_added(header: &Header<'_>, hostname: &str, out: &mut Vec<u8>) {
    let value = header.value.as_text().unwrap_or_default();
    out.extend_from_slice(header.name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    let made_here = matches!(header.name.as_str(), "Message-ID") && value.ends_with("@localhost>");
    if made_here {
        let local = value.trim_end_matches("localhost>");
        out.extend_from_slice(format!("{local}{hostname}>").as_bytes());
    } else if value.is_ascii() {
        out.extend_from_slice(value.as_bytes());
    } else {
        // RFC 5293 section 4: a value with other characters is encoded.
        out.extend_from_slice(encode_words(value).join("\r\n ").as_bytes());
    }
    end_line(out);
}

fn end_line(out: &mut Vec<u8>) {
    if !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
}

/// Everything behind the header, the blank line included. Multiparts nest as deep as the structure's limit.
fn write_body(message: &Message<'_>, part: &MessagePart<'_>, hostname: &str, out: &mut Vec<u8>) {
    let raw = &message.raw_message;
    match &part.body {
        _ if is_mime_replacement(part) => write_text(part.contents(), out),
        PartType::Multipart(children) if part.offset_body == 0 => {
            write_enclosure(message, part, children, hostname, out);
        }
        PartType::Message(inner) if part.offset_body == 0 => {
            out.extend_from_slice(b"\r\n");
            write_message(inner, hostname, out);
        }
        _ if part.offset_body == 0 => {
            let text = part.contents();
            if !text.is_ascii() && !has(part, "Content-Transfer-Encoding") {
                out.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n");
            }
            out.extend_from_slice(b"\r\n");
            write_text(text, out);
        }
        PartType::Multipart(children) => {
            out.extend_from_slice(b"\r\n");
            let mut written = part.offset_body;
            for child in children.iter().filter_map(|child| message.parts.get(*child as usize)) {
                let (Some(between), true) =
                    (raw.get(written as usize..child.offset_header as usize), child.offset_end <= part.offset_end)
                else {
                    continue;
                };
                out.extend_from_slice(between);
                write_headers(message, child, hostname, out);
                write_body(message, child, hostname, out);
                written = child.offset_end;
            }
            out.extend_from_slice(raw.get(written as usize..part.offset_end as usize).unwrap_or_default());
        }
        _ => {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default());
        }
    }
}

fn write_enclosure(message: &Message<'_>, part: &MessagePart<'_>, children: &[u32], hostname: &str, out: &mut Vec<u8>) {
    let boundary = part
        .headers
        .iter()
        .filter(|header| header.name == HeaderName::ContentType || header.name.as_str() == "Content-Type")
        .filter_map(|header| header.value.as_text()?.split_once("boundary=\"")?.1.split_once('"'))
        .map(|(boundary, _)| boundary)
        .next()
        .unwrap_or("posthouse");
    for child in children.iter().filter_map(|child| message.parts.get(*child as usize)) {
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        write_headers(message, child, hostname, out);
        write_body(message, child, hostname, out);
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
}

/// Scripts may have been written with bare line feeds; mail has CRLF.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let mut last = 0;
    for &octet in text {
        if octet == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(octet);
        last = octet;
    }
}
