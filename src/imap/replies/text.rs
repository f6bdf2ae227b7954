//! Spelling: numbers, strings, names. Everything a reply quotes goes through here, so that there is one place that
//! decides between atom, quoted string and literal.

use crate::imap::grammar::is_atom_char;
use crate::types::utf7;
use crate::types::{MailboxName, UidSet};

/// Whether this client reads UTF-8: mailbox names as they are, and UTF-8 in quoted strings (RFC 6855 section 3, RFC
/// 9051 section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Utf8 {
    #[default]
    Never,
    Welcome,
}

/// Strings up to this length are quoted if they can be; some clients read longer ones into small buffers, and a literal
/// tells them the size in advance.
const QUOTED_OCTETS_MAX: usize = 1000;

pub(in crate::imap) fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `number` with at least `width` digits.
pub(super) fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let start = out.len();
    number(out, value);
    let missing = width.saturating_sub(out.len() - start);
    out.splice(start..start, std::iter::repeat_n(b'0', missing));
}

pub(super) fn spaced<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write(out, item);
    }
}

pub(super) fn parenthesized<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'(');
    spaced(out, items, write);
    out.push(b')');
}

pub(super) fn uid_set(out: &mut Vec<u8>, set: &UidSet) {
    ranges(out, set.ranges().iter().copied());
}

fn ranges(out: &mut Vec<u8>, ranges: impl Iterator<Item = (u32, u32)>) {
    for (index, (first, last)) in ranges.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        number(out, u64::from(first));
        if last != first {
            out.push(b':');
            number(out, u64::from(last));
        }
    }
}

/// Numbers in their order, ascending runs as ranges (RFC 5267 section 3.1: the order is that of the sort).
pub(super) fn ordered(out: &mut Vec<u8>, numbers: &[u32]) {
    ranges(
        out,
        numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next)).map(|run| (run[0], run[run.len() - 1])),
    );
}

/// `string`, as short as it can be read. NUL can't be part of one and is dropped: it never comes from a client, and a
/// reply that ends in the middle would be worse than a missing octet.
pub(super) fn string(out: &mut Vec<u8>, octets: &[u8], utf8: Utf8) {
    if can_be_quoted(octets, utf8) {
        quoted(out, octets);
    } else if memchr::memchr(0, octets).is_some() {
        let kept: Vec<u8> = octets.iter().copied().filter(|octet| *octet != 0).collect();
        literal(out, &kept);
    } else {
        literal(out, octets);
    }
}

pub(super) fn nstring(out: &mut Vec<u8>, octets: Option<&[u8]>, utf8: Utf8) {
    match octets {
        Some(octets) => string(out, octets, utf8),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `astring`: an atom where it is one. `NIL` is none, because some clients would read it as nothing.
pub(super) fn astring(out: &mut Vec<u8>, octets: &[u8], utf8: Utf8) {
    let atom =
        !octets.is_empty() && octets.iter().all(|octet| is_atom_char(*octet)) && !octets.eq_ignore_ascii_case(b"NIL");
    if atom { out.extend_from_slice(octets) } else { string(out, octets, utf8) }
}

fn can_be_quoted(octets: &[u8], utf8: Utf8) -> bool {
    octets.len() <= QUOTED_OCTETS_MAX
        && match utf8 {
            Utf8::Never => octets.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t')),
            Utf8::Welcome => {
                octets.iter().all(|octet| !octet.is_ascii_control() || *octet == b'\t')
                    && std::str::from_utf8(octets).is_ok()
            }
        }
}

fn quoted(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(b'"');
    for &octet in octets {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

fn literal(out: &mut Vec<u8>, octets: &[u8]) {
    literal_start(out, octets.len() as u64);
    out.extend_from_slice(octets);
}

pub(super) fn literal_start(out: &mut Vec<u8>, octets: u64) {
    out.push(b'{');
    number(out, octets);
    out.extend_from_slice(b"}\r\n");
}

/// A value that may hold anything: a string, or with NUL a literal8 (RFC 5464 section 5, RFC 3516 section 4.2).
pub(super) fn value(out: &mut Vec<u8>, octets: &[u8], utf8: Utf8) {
    if memchr::memchr(0, octets).is_some() {
        out.push(b'~');
        literal(out, octets);
    } else {
        string(out, octets, utf8);
    }
}

pub(super) fn mailbox(out: &mut Vec<u8>, name: &MailboxName, utf8: Utf8) {
    name_or_prefix(out, name.as_str(), utf8);
}

/// The same for what is not quite a name: the prefix of a namespace.
pub(super) fn name_or_prefix(out: &mut Vec<u8>, name: &str, utf8: Utf8) {
    match utf8 {
        Utf8::Welcome => astring(out, name.as_bytes(), utf8),
        Utf8::Never => astring(out, utf7::encode(name).as_bytes(), utf8),
    }
}

/// What a person may read at the end of a line. Never empty, never more than a line, never looking like a code.
pub(super) fn line_text(out: &mut Vec<u8>, text: &str, utf8: Utf8) {
    let start = out.len();
    for character in text.chars() {
        match character {
            _ if character.is_control() => out.push(b' '),
            _ if character.is_ascii() || utf8 == Utf8::Welcome => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.push(b'?'),
        }
    }
    if out.len() == start {
        out.push(b'-');
    } else if out[start] == b'[' {
        out[start] = b'(';
    }
}
