//! FETCH and UIDFETCH, item by item; a long item is a start, its octets, and nothing after them.

use super::text::{self, Utf8};
use super::{Keywords, email_id, flag_names, thread_id};
use crate::imap::grammar::{Day, Section, SectionText, date_of, month_name};
use crate::types::{BodyId, Flags, ModSeq, ThreadId, Uid};

/// One message's reply while it is written.
#[derive(Debug)]
pub struct FetchReply {
    empty: bool,
}

impl FetchReply {
    pub fn start(out: &mut Vec<u8>, sequence: u32) -> Self {
        Self::begin(out, sequence, b" FETCH (")
    }

    /// In UIDONLY mode (RFC 9586 section 3.3), which has no item UID.
    pub fn start_uid(out: &mut Vec<u8>, uid: Uid) -> Self {
        Self::begin(out, uid.0, b" UIDFETCH (")
    }

    fn begin(out: &mut Vec<u8>, number: u32, what: &[u8]) -> Self {
        out.extend_from_slice(b"* ");
        text::number(out, u64::from(number));
        out.extend_from_slice(what);
        Self { empty: true }
    }

    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b")\r\n");
    }

    fn item(&mut self, out: &mut Vec<u8>, name: &str) {
        if !self.empty {
            out.push(b' ');
        }
        self.empty = false;
        out.extend_from_slice(name.as_bytes());
    }

    pub fn uid(&mut self, out: &mut Vec<u8>, uid: Uid) {
        self.item(out, "UID ");
        text::number(out, u64::from(uid.0));
    }

    pub fn flags(&mut self, out: &mut Vec<u8>, flags: Flags, keywords: &Keywords) {
        self.item(out, "FLAGS ");
        text::parenthesized(out, flag_names(flags, keywords), |out, name| out.extend_from_slice(name.as_bytes()));
    }

    pub fn mod_seq(&mut self, out: &mut Vec<u8>, mod_seq: ModSeq) {
        self.item(out, "MODSEQ (");
        text::number(out, mod_seq.0);
        out.push(b')');
    }

    pub fn internal_date(&mut self, out: &mut Vec<u8>, seconds: i64, zone_minutes: i16) {
        self.item(out, "INTERNALDATE ");
        date_time(out, seconds, zone_minutes);
    }

    /// RFC 8514 section 4.2; in UTC.
    pub fn save_date(&mut self, out: &mut Vec<u8>, seconds: Option<i64>) {
        self.item(out, "SAVEDATE ");
        match seconds {
            Some(seconds) => date_time(out, seconds, 0),
            None => out.extend_from_slice(b"NIL"),
        }
    }

    pub fn size(&mut self, out: &mut Vec<u8>, octets: u64) {
        self.item(out, "RFC822.SIZE ");
        text::number(out, octets);
    }

    pub fn email_id(&mut self, out: &mut Vec<u8>, id: BodyId) {
        self.item(out, "EMAILID (");
        email_id(out, id);
        out.push(b')');
    }

    pub fn thread_id(&mut self, out: &mut Vec<u8>, id: ThreadId) {
        self.item(out, "THREADID (");
        thread_id(out, id);
        out.push(b')');
    }

    /// RFC 8970: `None` when it is not made yet and the client did not want to wait.
    pub fn preview(&mut self, out: &mut Vec<u8>, preview: Option<&str>, utf8: Utf8) {
        self.item(out, "PREVIEW ");
        text::nstring(out, preview.map(str::as_bytes), utf8);
    }

    /// As it is stored: ready to send.
    pub fn envelope(&mut self, out: &mut Vec<u8>, envelope: &[u8]) {
        self.item(out, "ENVELOPE ");
        out.extend_from_slice(envelope);
    }

    pub fn body(&mut self, out: &mut Vec<u8>, body: &[u8]) {
        self.item(out, "BODY ");
        out.extend_from_slice(body);
    }

    pub fn body_structure(&mut self, out: &mut Vec<u8>, body_structure: &[u8]) {
        self.item(out, "BODYSTRUCTURE ");
        out.extend_from_slice(body_structure);
    }

    pub fn binary_size(&mut self, out: &mut Vec<u8>, part: &[u32], octets: u64) {
        self.item(out, "BINARY.SIZE[");
        part_numbers(out, part);
        out.extend_from_slice(b"] ");
        text::number(out, octets);
    }

    /// The name of a long item, up to where its value comes: one of the three below.
    pub fn section(&mut self, out: &mut Vec<u8>, section: &Section, origin: Option<u64>, utf8: Utf8) {
        self.item(out, "BODY[");
        section_text(out, section, utf8);
        self.bracket(out, origin);
    }

    pub fn binary(&mut self, out: &mut Vec<u8>, part: &[u32], origin: Option<u64>) {
        self.item(out, "BINARY[");
        part_numbers(out, part);
        self.bracket(out, origin);
    }

    pub fn rfc822(&mut self, out: &mut Vec<u8>) {
        self.item(out, "RFC822 ");
    }

    pub fn rfc822_header(&mut self, out: &mut Vec<u8>) {
        self.item(out, "RFC822.HEADER ");
    }

    pub fn rfc822_text(&mut self, out: &mut Vec<u8>) {
        self.item(out, "RFC822.TEXT ");
    }

    #[allow(clippy::unused_self)] // a value has its place after an item of this reply
    fn bracket(&self, out: &mut Vec<u8>, origin: Option<u64>) {
        out.push(b']');
        if let Some(origin) = origin {
            out.push(b'<');
            text::number(out, origin);
            out.push(b'>');
        }
        out.push(b' ');
    }

    /// The value is not there: no such part.
    pub fn nothing(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"NIL");
    }

    /// The value's length; exactly so many octets must follow, none of them NUL.
    pub fn literal(&self, out: &mut Vec<u8>, octets: u64) {
        text::literal_start(out, octets);
    }

    /// The same with NUL among the octets, only in BINARY (RFC 3516 section 4.2).
    pub fn literal8(&self, out: &mut Vec<u8>, octets: u64) {
        out.push(b'~');
        text::literal_start(out, octets);
    }
}

fn section_text(out: &mut Vec<u8>, section: &Section, utf8: Utf8) {
    part_numbers(out, &section.part);
    if !section.part.is_empty() && section.text != SectionText::Whole {
        out.push(b'.');
    }
    match &section.text {
        SectionText::Whole => {}
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::HeaderFields(names) => {
            out.extend_from_slice(b"HEADER.FIELDS ");
            text::parenthesized(out, names, |out, name| text::astring(out, name.as_bytes(), utf8));
        }
        SectionText::HeaderFieldsNot(names) => {
            out.extend_from_slice(b"HEADER.FIELDS.NOT ");
            text::parenthesized(out, names, |out, name| text::astring(out, name.as_bytes(), utf8));
        }
    }
}

fn part_numbers(out: &mut Vec<u8>, part: &[u32]) {
    for (index, number) in part.iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        text::number(out, u64::from(*number));
    }
}

/// `date-time`, in the zone it was given in. Years of more than four digits have no spelling and become the last that
/// has one.
fn date_time(out: &mut Vec<u8>, seconds: i64, zone_minutes: i16) {
    const YEAR_0: i64 = -62_167_219_200;
    const YEAR_10000: i64 = 253_402_300_800;
    let local = (seconds.saturating_add(i64::from(zone_minutes) * 60)).clamp(YEAR_0, YEAR_10000 - 1);
    let (year, month, day) = date_of(Day(local.div_euclid(86_400)));
    let second = local.rem_euclid(86_400).unsigned_abs();
    out.push(b'"');
    text::padded(out, u64::from(day), 2);
    out.push(b'-');
    out.extend_from_slice(month_name(month).as_bytes());
    out.push(b'-');
    text::padded(out, year.unsigned_abs(), 4);
    out.push(b' ');
    text::padded(out, second / 3600, 2);
    out.push(b':');
    text::padded(out, second / 60 % 60, 2);
    out.push(b':');
    text::padded(out, second % 60, 2);
    out.extend_from_slice(if zone_minutes < 0 { b" -" } else { b" +" });
    let zone = u64::from(zone_minutes.unsigned_abs());
    text::padded(out, zone / 60, 2);
    text::padded(out, zone % 60, 2);
    out.push(b'"');
}
