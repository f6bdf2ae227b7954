//! Writes what the server says: typed values in, octets appended to one buffer out.
//!
//! Nothing here decides what is said. What is long (bodies, listings) is written piece by piece, so that the driver can
//! send between the pieces and the buffer stays small.

mod code;
mod fetch;
mod list;
mod search;
mod text;

#[cfg(test)]
mod tests;

pub use code::Code;
pub use fetch::FetchReply;
pub use list::{Attribute, ListReply, NamespaceKind};
pub use search::{EsearchReply, SearchScope};
pub use text::Utf8;

use crate::types::{BodyId, Flags, KEYWORD_BIT_FIRST, MailboxId, ThreadId, UidSet};
use std::borrow::Cow;
use std::sync::Arc;

/// The names of a mailbox's keywords by their number; shared by all who have it open.
pub type Keywords = Arc<[Box<str>]>;

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// The command was understood and can't be done.
    No,
    /// The command was not understood.
    Bad,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK ",
            Self::No => "NO ",
            Self::Bad => "BAD ",
        }
    }
}

/// Where replies are written.
#[derive(Debug, Default)]
pub struct Replies {
    pub out: Vec<u8>,
    pub utf8: Utf8,
}

impl Replies {
    /// The end of a command.
    pub fn tagged(&mut self, tag: &str, status: Status, code: Option<&Code>, text: &str) {
        self.raw(tag);
        self.out.push(b' ');
        self.status(status.as_str(), code, text);
    }

    /// Something that goes with a command or with none.
    pub fn untagged(&mut self, status: Status, code: Option<&Code>, text: &str) {
        self.raw("* ");
        self.status(status.as_str(), code, text);
    }

    pub fn bye(&mut self, code: Option<&Code>, text: &str) {
        self.raw("* BYE ");
        self.status("", code, text);
    }

    /// `+` before a literal, or for IDLE.
    pub fn continuation(&mut self, text: &str) {
        self.raw("+ ");
        text::line_text(&mut self.out, text, self.utf8);
        self.end_line();
    }

    /// `+` with a SASL challenge that is base64 already; empty is allowed (RFC 9051 section 7.6).
    pub fn challenge(&mut self, base64: &str) {
        self.raw("+ ");
        self.raw(base64);
        self.end_line();
    }

    pub fn capability(&mut self, names: &[Cow<'static, str>]) {
        self.words("* CAPABILITY", names);
    }

    pub fn enabled(&mut self, names: &[&str]) {
        self.words("* ENABLED", names);
    }

    /// RFC 2971 section 3.2.
    pub fn id(&mut self, fields: &[(&str, &str)]) {
        self.raw("* ID ");
        let utf8 = self.utf8;
        text::parenthesized(&mut self.out, fields, |out, (field, value)| {
            text::string(out, field.as_bytes(), utf8);
            out.push(b' ');
            text::string(out, value.as_bytes(), utf8);
        });
        self.end_line();
    }

    pub fn exists(&mut self, messages: u32) {
        self.numbered(messages, "EXISTS");
    }

    /// RFC 3501 section 7.3.2; we have none, and rev1 clients wait for it after SELECT.
    pub fn recent(&mut self, messages: u32) {
        self.numbered(messages, "RECENT");
    }

    pub fn expunge(&mut self, sequence: u32) {
        self.numbered(sequence, "EXPUNGE");
    }

    /// RFC 7162 section 3.2.10.
    pub fn vanished(&mut self, uids: &UidSet) {
        self.raw("* VANISHED ");
        self.uids(uids);
    }

    /// The same for what went before this session began.
    pub fn vanished_earlier(&mut self, uids: &UidSet) {
        self.raw("* VANISHED (EARLIER) ");
        self.uids(uids);
    }

    pub fn flags(&mut self, flags: Flags, keywords: &Keywords) {
        self.raw("* FLAGS ");
        text::parenthesized(&mut self.out, flag_names(flags, keywords), |out, name| {
            out.extend_from_slice(name.as_bytes());
        });
        self.end_line();
    }

    fn uids(&mut self, uids: &UidSet) {
        text::uid_set(&mut self.out, uids);
        self.end_line();
    }

    fn words(&mut self, start: &str, words: &[impl AsRef<str>]) {
        self.raw(start);
        for word in words {
            self.out.push(b' ');
            self.raw(word.as_ref());
        }
        self.end_line();
    }

    fn numbered(&mut self, number: u32, what: &str) {
        self.raw("* ");
        text::number(&mut self.out, u64::from(number));
        self.out.push(b' ');
        self.raw(what);
        self.end_line();
    }

    fn status(&mut self, status: &str, code: Option<&Code>, text: &str) {
        self.raw(status);
        if let Some(code) = code {
            code.write(&mut self.out);
        }
        text::line_text(&mut self.out, text, self.utf8);
        self.end_line();
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn end_line(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// System flags first, then keywords in the order of their numbers. A keyword without a name is not shown.
pub(super) fn flag_names(flags: Flags, keywords: &[Box<str>]) -> impl Iterator<Item = &str> {
    let system = Flags::SYSTEM.into_iter().filter(move |(flag, _)| flags.contains(*flag)).map(|(_, name)| name);
    let mut bits = flags.0 >> KEYWORD_BIT_FIRST;
    let own = std::iter::from_fn(move || {
        while bits != 0 {
            let index = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if let Some(name) = keywords.get(index) {
                return Some(&**name);
            }
        }
        None
    });
    system.chain(own)
}

/// RFC 8474 section 5: each kind of object with its letter, so that no two identifiers are the same.
fn mailbox_id(out: &mut Vec<u8>, id: MailboxId) {
    object_id(out, b'F', id.0);
}

fn email_id(out: &mut Vec<u8>, id: BodyId) {
    object_id(out, b'M', id.0);
}

fn thread_id(out: &mut Vec<u8>, id: ThreadId) {
    object_id(out, b'T', id.0);
}

fn object_id(out: &mut Vec<u8>, letter: u8, id: i64) {
    out.push(letter);
    text::number(out, id.unsigned_abs());
}

/// The number in an identifier of ours that a client gives back; `None` for any other, which matches nothing.
pub fn email_id_of(text: &str) -> Option<BodyId> {
    object_number(text, 'M').map(BodyId)
}

pub fn thread_id_of(text: &str) -> Option<ThreadId> {
    object_number(text, 'T').map(ThreadId)
}

fn object_number(text: &str, letter: char) -> Option<i64> {
    let digits = text.strip_prefix(letter)?;
    let plain = digits.bytes().all(|octet| octet.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}
