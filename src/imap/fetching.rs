//! The answer to a FETCH while it is written: message by message, item by item.
//!
//! Nothing here asks anybody for anything: a message comes in with as much of it as the items need.

use super::grammar::{FetchItem, SectionText};
use super::replies::{FetchReply, Keywords, Utf8};
use super::view::Piece;
use crate::mailbox::{Entry, MessageView, Needs, Part, PartOf, Want, Window};
use crate::types::Uid;
use std::borrow::Cow;

/// An item with what of the message's octets it shows.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) item: FetchItem,
    pub(super) want: Option<Want>,
}

impl Item {
    pub(super) fn new(item: FetchItem) -> Self {
        Self { want: want_of(&item), item }
    }
}

/// How this client is answered.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) keywords: Keywords,
    pub(super) utf8: Utf8,
    /// RFC 9586: UIDFETCH, without the item UID.
    pub(super) uid_only: bool,
}

/// What has to be read; `None`: what the mailbox has in memory is enough.
pub(super) fn needs_of(items: &[Item]) -> Option<Needs> {
    let records = items.iter().any(|item| is_record(&item.item));
    let wants: Vec<&Want> = items.iter().filter_map(|item| item.want.as_ref()).collect();
    // Of the whole message nobody need know where its parts are.
    let parts = wants.iter().any(|want| **want != Want { window: want.window, ..Want::whole() });
    match (records || parts, wants.is_empty()) {
        (false, true) => None,
        (true, true) => Some(Needs::Records),
        (false, false) => Some(Needs::Contents),
        (true, false) => Some(Needs::Both),
    }
}

fn is_record(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Body | FetchItem::BodyStructure | FetchItem::Envelope | FetchItem::Preview { .. })
}

fn want_of(item: &FetchItem) -> Option<Want> {
    let whole = |of: PartOf| Some(Want { path: Vec::new(), of, window: None });
    match item {
        FetchItem::Rfc822 => whole(PartOf::Whole),
        FetchItem::Rfc822Header => whole(PartOf::Header),
        FetchItem::Rfc822Text => whole(PartOf::Text),
        // Nothing encodes the message itself; its size is in its entry.
        FetchItem::BinarySize { part } if part.is_empty() => None,
        FetchItem::BinarySize { part } => Some(Want { path: part.clone(), of: PartOf::Decoded, window: None }),
        FetchItem::Binary { part, window, .. } => {
            let of = if part.is_empty() { PartOf::Whole } else { PartOf::Decoded };
            Some(Want { path: part.clone(), of, window: window.map(window_of) })
        }
        FetchItem::BodySection { section, window, .. } => {
            let of = part_of(&section.text);
            Some(Want { path: section.part.clone(), of, window: window.map(window_of) })
        }
        _ => None,
    }
}

pub(super) fn part_of(text: &SectionText) -> PartOf {
    match text {
        SectionText::Whole => PartOf::Whole,
        SectionText::Header => PartOf::Header,
        SectionText::Text => PartOf::Text,
        SectionText::Mime => PartOf::Mime,
        SectionText::HeaderFields(names) => PartOf::Fields(names.clone()),
        SectionText::HeaderFieldsNot(names) => PartOf::FieldsNot(names.clone()),
    }
}

fn window_of(window: super::grammar::Window) -> Window {
    Window { origin: window.origin, length: window.length }
}

/// Whether the item sets `\Seen` (RFC 9051 section 6.4.5).
pub(super) fn marks_seen(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
        FetchItem::BodySection { peek, .. } | FetchItem::Binary { peek, .. } => !peek,
        _ => false,
    }
}

pub(super) fn start(out: &mut Vec<u8>, number: u32, uid: Uid, style: &Style) -> FetchReply {
    if style.uid_only { FetchReply::start_uid(out, uid) } else { FetchReply::start(out, number) }
}

/// An item the entry has. `false`: it is none of those.
pub(super) fn entry_item(
    reply: &mut FetchReply,
    out: &mut Vec<u8>,
    item: &FetchItem,
    entry: &Entry,
    style: &Style,
) -> bool {
    match item {
        FetchItem::Flags => reply.flags(out, entry.flags, &style.keywords),
        FetchItem::InternalDate => reply.internal_date(out, entry.internal_seconds, entry.internal_zone_minutes),
        FetchItem::Uid if style.uid_only => {}
        FetchItem::Uid => reply.uid(out, entry.uid),
        FetchItem::ModSeq => reply.mod_seq(out, entry.modseq),
        FetchItem::EmailId => reply.email_id(out, entry.body),
        FetchItem::ThreadId => reply.thread_id(out, entry.thread),
        FetchItem::SaveDate => reply.save_date(out, Some(entry.saved_seconds)),
        FetchItem::Rfc822Size => reply.size(out, u64::from(entry.octets)),
        FetchItem::BinarySize { part } if part.is_empty() => reply.binary_size(out, part, u64::from(entry.octets)),
        _ => return false,
    }
    true
}

/// What is kept ready to send of a message, small or large.
pub(super) trait Record {
    fn envelope(&self) -> &[u8];
    fn bodystructure(&self) -> &[u8];
    fn body(&self) -> Vec<u8>;
    fn preview(&self) -> String;
}

impl Record for MessageView<'_> {
    fn envelope(&self) -> &[u8] {
        self.envelope()
    }

    fn bodystructure(&self) -> &[u8] {
        self.bodystructure()
    }

    fn body(&self) -> Vec<u8> {
        self.body()
    }

    fn preview(&self) -> String {
        self.preview()
    }
}

/// An item that is kept ready to send. `false`: it is none of those.
pub(super) fn record_item(
    reply: &mut FetchReply,
    out: &mut Vec<u8>,
    item: &FetchItem,
    record: &impl Record,
    style: &Style,
) -> bool {
    match item {
        FetchItem::Envelope => reply.envelope(out, record.envelope()),
        FetchItem::BodyStructure => reply.body_structure(out, record.bodystructure()),
        FetchItem::Body => reply.body(out, &record.body()),
        FetchItem::Preview { .. } => reply.preview(out, Some(&record.preview()), style.utf8),
        _ => return false,
    }
    true
}

/// An item whose octets are all there. `false` if an unknown encoding is in the way.
pub(super) fn content_item(
    reply: &mut FetchReply,
    out: &mut Vec<u8>,
    item: &FetchItem,
    part: &Part<Cow<'_, [u8]>>,
    style: &Style,
) -> bool {
    match part {
        Part::There(octets) => {
            let binary = matches!(item, FetchItem::Binary { .. }) && memchr::memchr(0, octets).is_some();
            if start_content(reply, out, item, octets.len() as u64, binary, style) {
                out.extend_from_slice(octets);
            }
            true
        }
        Part::Missing => {
            no_content(reply, out, item, style);
            true
        }
        Part::UnknownEncoding => {
            no_content(reply, out, item, style);
            false
        }
    }
}

/// Up to where the octets come. `false`: none are to come, their number was all that was asked for.
pub(super) fn start_content(
    reply: &mut FetchReply,
    out: &mut Vec<u8>,
    item: &FetchItem,
    octets: u64,
    binary: bool,
    style: &Style,
) -> bool {
    if let FetchItem::BinarySize { part } = item {
        reply.binary_size(out, part, octets);
        return false;
    }
    start_item(reply, out, item, style);
    // RFC 3516 section 4.2: only what holds NUL is a literal8.
    if binary {
        reply.literal8(out, octets);
    } else {
        reply.literal(out, octets);
    }
    true
}

pub(super) fn no_content(reply: &mut FetchReply, out: &mut Vec<u8>, item: &FetchItem, style: &Style) {
    if let FetchItem::BinarySize { part } = item {
        return reply.binary_size(out, part, 0);
    }
    start_item(reply, out, item, style);
    reply.nothing(out);
}

fn start_item(reply: &mut FetchReply, out: &mut Vec<u8>, item: &FetchItem, style: &Style) {
    match item {
        FetchItem::Rfc822 => reply.rfc822(out),
        FetchItem::Rfc822Header => reply.rfc822_header(out),
        FetchItem::Rfc822Text => reply.rfc822_text(out),
        FetchItem::BodySection { section, window, .. } => {
            reply.section(out, section, window.map(|window| window.origin), style.utf8);
        }
        FetchItem::Binary { part, window, .. } => reply.binary(out, part, window.map(|window| window.origin)),
        _ => {}
    }
}

/// The messages of a command that are still to be done, in order.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    pieces: std::vec::IntoIter<Piece>,
    piece: Option<Piece>,
}

impl Messages {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces: pieces.into_iter(), piece: None }
    }
}

impl Iterator for Messages {
    type Item = (u32, Uid);

    fn next(&mut self) -> Option<(u32, Uid)> {
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None => self.pieces.next()?,
        };
        if piece.first_uid < piece.last_uid {
            self.piece = Some(Piece {
                first_number: piece.first_number + 1,
                first_uid: piece.first_uid + 1,
                last_uid: piece.last_uid,
            });
        }
        Some((piece.first_number, Uid(piece.first_uid)))
    }
}
