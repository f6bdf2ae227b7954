//! ENVELOPE and BODYSTRUCTURE as the octets IMAP sends (RFC 9051 section 7.5.2), made once at delivery.
//!
//! They fit every session: strings are quoted where they are plain ASCII and literals elsewhere, encoded words stay as
//! received, and of RFC 2231 only the pieces are put together. What a header may not say on the wire (NUL, a bare CR or LF) is replaced.

mod body;
#[cfg(test)]
mod tests;

pub use body::body_of;

use super::addresses::{AddressItem, Mailbox, address_list};
use super::content_type::{ContentType, Disposition, Parameter, joined};
use super::field::{Field, HeaderFields};
use super::structure::{Part, PartKind, Structure};
use crate::types::limits::{BODYSTRUCTURE_OCTETS_MAX, ENVELOPE_ADDRESSES_MAX, ENVELOPE_OCTETS_MAX};

/// Longer strings are sent as literals: some clients keep lines in small buffers.
const QUOTED_OCTETS_MAX: usize = 1000;

/// `("date" "subject" …)` of the header section that `header` begins with.
pub fn envelope(header: &[u8]) -> Vec<u8> {
    let mut writer = Writer { out: Vec::with_capacity(512), limit: ENVELOPE_OCTETS_MAX };
    writer.envelope(header);
    writer.out
}

/// The parenthesised body structure with its extension data; [`body_of`] makes BODY of it.
pub fn bodystructure(raw: &[u8], structure: &Structure) -> Vec<u8> {
    let mut writer = Writer { out: Vec::with_capacity(256), limit: BODYSTRUCTURE_OCTETS_MAX };
    writer.part(raw, structure, 0);
    writer.out
}

struct Writer {
    out: Vec<u8>,
    /// Once this much is written, everything that may be NIL is.
    limit: usize,
}

/// The fields of an ENVELOPE in its order.
#[derive(Default)]
struct EnvelopeFields<'a> {
    date: Option<Field<'a>>,
    subject: Option<Field<'a>>,
    from: Vec<Field<'a>>,
    sender: Vec<Field<'a>>,
    reply_to: Vec<Field<'a>>,
    to: Vec<Field<'a>>,
    cc: Vec<Field<'a>>,
    bcc: Vec<Field<'a>>,
    in_reply_to: Option<Field<'a>>,
    message_id: Option<Field<'a>>,
}

impl<'a> EnvelopeFields<'a> {
    /// Fields that may stand only once count the first time; address fields that are repeated are joined, so that no
    /// recipient is hidden.
    fn read(header: &'a [u8]) -> Self {
        let mut fields = Self::default();
        for field in HeaderFields::new(header) {
            let name = field.name();
            // Most fields of a mail are none of these; the first letter tells.
            let slot = match name.first().map(u8::to_ascii_lowercase) {
                Some(b'd') if field.is("Date") => &mut fields.date,
                Some(b's') if field.is("Subject") => &mut fields.subject,
                Some(b'i') if field.is("In-Reply-To") => &mut fields.in_reply_to,
                Some(b'm') if field.is("Message-ID") => &mut fields.message_id,
                Some(b'f' | b's' | b'r' | b't' | b'c' | b'b') => {
                    fields.address(field);
                    continue;
                }
                _ => continue,
            };
            slot.get_or_insert(field);
        }
        fields
    }

    fn address(&mut self, field: Field<'a>) {
        let lists: [(&str, &mut Vec<Field<'a>>); 6] = [
            ("From", &mut self.from),
            ("Sender", &mut self.sender),
            ("Reply-To", &mut self.reply_to),
            ("To", &mut self.to),
            ("Cc", &mut self.cc),
            ("Bcc", &mut self.bcc),
        ];
        let Some((_, list)) = lists.into_iter().find(|(name, _)| field.is(name)) else { return };
        if list.len() < ENVELOPE_ADDRESSES_MAX {
            list.push(field);
        }
    }
}

impl Writer {
    fn is_full(&self) -> bool {
        self.out.len() > self.limit
    }

    fn envelope(&mut self, header: &[u8]) {
        let fields = EnvelopeFields::read(header);
        self.out.push(b'(');
        self.field(fields.date);
        self.out.push(b' ');
        self.field(fields.subject);
        self.out.push(b' ');
        let from = self.addresses(&fields.from, &[]);
        // RFC 9051 section 7.5.2: absent or empty, these are the same as From.
        for list in [&fields.sender, &fields.reply_to] {
            self.out.push(b' ');
            self.addresses(list, &from);
        }
        for list in [&fields.to, &fields.cc, &fields.bcc] {
            self.out.push(b' ');
            self.addresses(list, &[]);
        }
        self.out.push(b' ');
        self.field(fields.in_reply_to);
        self.out.push(b' ');
        self.field(fields.message_id);
        self.out.push(b')');
    }

    /// A header field's value, or NIL.
    fn field(&mut self, field: Option<Field<'_>>) {
        match field {
            Some(field) => self.nstring(Some(&field.unfolded())),
            None => self.nstring(None),
        }
    }

    /// Writes the list, or `otherwise`, or NIL. Gives what was written, for the fields that default to it.
    fn addresses(&mut self, fields: &[Field<'_>], otherwise: &[u8]) -> Vec<u8> {
        let start = self.out.len();
        let mut left = ENVELOPE_ADDRESSES_MAX;
        self.out.push(b'(');
        let empty = self.out.len();
        for field in fields {
            let mut group_open = false;
            for item in address_list(field.value()) {
                if left == 0 || self.is_full() {
                    break;
                }
                left -= 1;
                group_open = match &item {
                    AddressItem::GroupStart(_) => true,
                    AddressItem::Mailbox(_) => group_open,
                    AddressItem::GroupEnd => false,
                };
                self.address(&item);
            }
            if group_open {
                self.address(&AddressItem::GroupEnd);
            }
        }
        if self.out.len() > empty {
            self.out.push(b')');
        } else {
            self.out.truncate(start);
            self.out.extend_from_slice(if otherwise.is_empty() { b"NIL" } else { otherwise });
        }
        self.out[start..].to_vec()
    }

    /// `(name adl mailbox host)`; a NIL host marks the ends of a group.
    fn address(&mut self, item: &AddressItem) {
        match item {
            AddressItem::GroupStart(name) => {
                self.out.extend_from_slice(b"(NIL NIL ");
                self.text(name);
                self.out.extend_from_slice(b" NIL)");
            }
            AddressItem::GroupEnd => self.out.extend_from_slice(b"(NIL NIL NIL NIL)"),
            AddressItem::Mailbox(Mailbox { name, route, local, domain }) => {
                self.out.push(b'(');
                self.nstring(name.as_deref());
                self.out.push(b' ');
                self.nstring(route.as_deref());
                self.out.push(b' ');
                self.text(local);
                self.out.push(b' ');
                // Not NIL, which would begin a group.
                self.text(domain.as_deref().unwrap_or_default());
                self.out.push(b')');
            }
        }
    }

    fn nstring(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) if !self.is_full() => self.text(value),
            _ => self.out.extend_from_slice(b"NIL"),
        }
    }

    /// A string that may be cut to what the limit leaves.
    fn text(&mut self, value: &[u8]) {
        let room = self.limit.saturating_sub(self.out.len());
        self.string(&value[..value.len().min(room)]);
    }

    fn string(&mut self, value: &[u8]) {
        let quotable = |&byte: &u8| byte.is_ascii() && !matches!(byte, b'\0' | b'\r' | b'\n');
        if value.len() <= QUOTED_OCTETS_MAX && value.iter().all(quotable) {
            self.out.push(b'"');
            for &byte in value {
                if matches!(byte, b'"' | b'\\') {
                    self.out.push(b'\\');
                }
                self.out.push(byte);
            }
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(format!("{{{}}}\r\n", value.len()).as_bytes());
            self.out.extend(value.iter().map(|&byte| match byte {
                b'\r' | b'\n' => b' ',
                // RFC 9051 section 9: CHAR8 excludes NUL.
                b'\0' => b'?',
                other => other,
            }));
        }
    }

    /// Calls itself at most `MIME_DEPTH_MAX` deep.
    fn part(&mut self, raw: &[u8], structure: &Structure, index: usize) {
        let part = &structure.parts()[index];
        let mime = MimeFields::read(part.header_in(raw));
        self.out.push(b'(');
        match part.kind {
            PartKind::Multipart => {
                for child in structure.children(index) {
                    self.part(raw, structure, child);
                }
                self.out.push(b' ');
                self.string(mime.content_type.as_ref().map_or(b"mixed", |parsed| parsed.sub));
                self.out.push(b' ');
                self.parameters(mime.content_type.as_ref().map_or(&[], |parsed| &parsed.parameters));
            }
            PartKind::Message | PartKind::Leaf => self.single(raw, structure, index, &mime),
        }
        self.extension(&mime, part.kind);
        self.out.push(b')');
    }

    fn single(&mut self, raw: &[u8], structure: &Structure, index: usize, mime: &MimeFields<'_>) {
        let part = &structure.parts()[index];
        self.media_type(part, mime);
        self.out.push(b' ');
        self.field(mime.id);
        self.out.push(b' ');
        self.field(mime.description);
        self.out.push(b' ');
        self.encoding(mime);
        self.out.extend_from_slice(format!(" {}", part.body_octets()).as_bytes());
        if &*part.media_type == "message/rfc822" {
            self.out.push(b' ');
            if part.kind == PartKind::Message {
                self.envelope(structure.parts()[index + 1].header_in(raw));
                self.out.push(b' ');
                self.part(raw, structure, index + 1);
            } else {
                // The grammar wants both, also of a message that can't be looked into.
                self.out.extend_from_slice(b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ");
                self.out.extend_from_slice(b"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
            }
        }
        // RFC 9051 section 7.5.2: lines of text and of messages. message/global has neither envelope nor lines here:
        // both grammars allow it the basic form, and only the newer one any other.
        if part.is_text() || &*part.media_type == "message/rfc822" {
            self.out.extend_from_slice(format!(" {}", part.lines).as_bytes());
        }
    }

    /// Type, subtype and parameters.
    fn media_type(&mut self, part: &Part, mime: &MimeFields<'_>) {
        let (main, sub) = part.media_type.split_once('/').unwrap_or(("text", "plain"));
        match &mime.content_type {
            // As received, if that is what the part was taken for.
            Some(parsed) if parsed.is(main, sub) => {
                self.string(parsed.main);
                self.out.push(b' ');
                self.string(parsed.sub);
                self.out.push(b' ');
                self.parameters(&parsed.parameters);
            }
            _ => {
                self.string(main.as_bytes());
                self.out.push(b' ');
                self.string(sub.as_bytes());
                // RFC 2045 section 5.2.
                let text = &*part.media_type == "text/plain";
                self.out.extend_from_slice(if text { b" (\"charset\" \"us-ascii\")" } else { b" NIL" });
            }
        }
    }

    fn parameters(&mut self, parameters: &[Parameter<'_>]) {
        if parameters.is_empty() || self.is_full() {
            self.out.extend_from_slice(b"NIL");
            return;
        }
        for (place, (name, value)) in joined(parameters).iter().enumerate() {
            self.out.push(if place == 0 { b'(' } else { b' ' });
            self.text(name);
            self.out.push(b' ');
            self.text(value);
        }
        self.out.push(b')');
    }

    fn encoding(&mut self, mime: &MimeFields<'_>) {
        let value = mime.encoding.map(|field| field.value().trim_ascii()).unwrap_or_default();
        let end = value.iter().position(|&byte| !super::content_type::is_token_octet(byte)).unwrap_or(value.len());
        self.string(if end == 0 { b"7bit" } else { &value[..end] });
    }

    /// What BODY leaves out: MD5 of single parts, disposition, language, location.
    fn extension(&mut self, mime: &MimeFields<'_>, kind: PartKind) {
        self.out.push(b' ');
        if kind != PartKind::Multipart {
            self.field(mime.md5);
            self.out.push(b' ');
        }
        match mime.disposition.and_then(|field| Disposition::parse(field.value())) {
            Some(disposition) if !self.is_full() => {
                self.out.push(b'(');
                self.text(disposition.kind);
                self.out.push(b' ');
                self.parameters(&disposition.parameters);
                self.out.push(b')');
            }
            _ => self.out.extend_from_slice(b"NIL"),
        }
        self.out.push(b' ');
        self.language(mime);
        self.out.push(b' ');
        self.field(mime.location);
    }

    /// RFC 3282: tags separated by commas.
    fn language(&mut self, mime: &MimeFields<'_>) {
        let value = mime.language.map(|field| field.unfolded()).unwrap_or_default();
        let tags = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty());
        let tags: Vec<&[u8]> = tags.take(100).collect();
        match tags.as_slice() {
            _ if self.is_full() => self.nstring(None),
            [] => self.nstring(None),
            [tag] => self.text(tag),
            tags => {
                for (place, tag) in tags.iter().enumerate() {
                    self.out.push(if place == 0 { b'(' } else { b' ' });
                    self.text(tag);
                }
                self.out.push(b')');
            }
        }
    }
}

/// A part's own header.
#[derive(Default)]
struct MimeFields<'a> {
    content_type: Option<ContentType<'a>>,
    id: Option<Field<'a>>,
    description: Option<Field<'a>>,
    encoding: Option<Field<'a>>,
    md5: Option<Field<'a>>,
    disposition: Option<Field<'a>>,
    language: Option<Field<'a>>,
    location: Option<Field<'a>>,
}

impl<'a> MimeFields<'a> {
    fn read(header: &'a [u8]) -> Self {
        let mut fields = Self::default();
        let mut content_type = None;
        for field in HeaderFields::new(header) {
            if !field.name().get(..8).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"Content-")) {
                continue;
            }
            let slots: [(&str, &mut Option<Field<'a>>); 8] = [
                ("Content-Type", &mut content_type),
                ("Content-Transfer-Encoding", &mut fields.encoding),
                ("Content-Disposition", &mut fields.disposition),
                ("Content-ID", &mut fields.id),
                ("Content-Description", &mut fields.description),
                ("Content-MD5", &mut fields.md5),
                ("Content-Language", &mut fields.language),
                ("Content-Location", &mut fields.location),
            ];
            let Some((_, slot)) = slots.into_iter().find(|(name, _)| field.is(name)) else { continue };
            slot.get_or_insert(field);
        }
        fields.content_type = content_type.and_then(|field| ContentType::parse(field.value()));
        fields
    }
}
