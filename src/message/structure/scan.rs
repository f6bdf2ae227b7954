//! One pass over the raw octets, without recursion: the parts and where they stand.
//!
//! Every line that may be a boundary is compared with the open multiparts only, of which there are at most
//! `MIME_DEPTH_MAX`, so the time is linear whatever the mail contains. mail-parser's own parser is not used for this: it
//! looks for each missing boundary to the end of the message again.

use super::super::content_type::ContentType;
use super::super::field::{HeaderFields, is_blank_line};
use super::super::transfer::Encoding;
use super::{Part, PartKind, Structure};
use crate::types::limits::{BOUNDARY_OCTETS_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX};
use memchr::memmem;

pub(super) fn scan(raw: &[u8]) -> Structure {
    // Sizes are 32 bits in pages and on the wire; the limit on messages keeps everything far below.
    let raw = &raw[..raw.len().min(u32::MAX as usize)];
    let mut scanner = Scanner {
        raw,
        parts: Vec::new(),
        open: Vec::new(),
        lines: LineCounter { raw, at: 0, count: 0 },
        delimiter: memmem::Finder::new(b"\n--"),
    };
    let mut at = scanner.entity(0, Default::TextPlain);
    while let Some(line) = scanner.next_boundary(at) {
        at = scanner.boundary(&line);
    }
    scanner.close_above(0, raw.len());
    Structure { parts: scanner.parts }
}

/// What a part without Content-Type is.
#[derive(Clone, Copy)]
enum Default {
    TextPlain,
    /// RFC 2046 section 5.1.5: inside multipart/digest.
    Message,
}

/// A part whose end is not known yet.
struct Open {
    part: usize,
    /// Lines before its body.
    lines_before: u32,
    /// Of a multipart that has not been closed by its last delimiter.
    boundary: Option<Box<[u8]>>,
    children: Default,
}

/// A line that is a delimiter of the open part at `frame`.
struct BoundaryLine {
    frame: usize,
    start: usize,
    end: usize,
    last: bool,
}

struct Scanner<'a> {
    raw: &'a [u8],
    parts: Vec<Part>,
    /// Innermost last; a part is inside all before it.
    open: Vec<Open>,
    lines: LineCounter<'a>,
    delimiter: memmem::Finder<'static>,
}

impl Scanner<'_> {
    /// Reads a header at `start`, and those of messages directly inside. Gives where the innermost body begins.
    fn entity(&mut self, start: usize, mut default: Default) -> usize {
        let mut header_start = start;
        loop {
            let body_start = self.header_end(header_start);
            let facts = HeaderFacts::read(&self.raw[header_start..body_start], default);
            let depth_left = self.open.len() < MIME_DEPTH_MAX && self.parts.len() < MIME_PARTS_MAX;
            let (kind, media_type, boundary) = match facts.container {
                // Too deep: its octets are one opaque part.
                Container::Multipart(_) if !depth_left => (PartKind::Leaf, "application/octet-stream".into(), None),
                Container::Multipart(boundary) => (PartKind::Multipart, facts.media_type, Some(boundary)),
                Container::Message if depth_left => (PartKind::Message, facts.media_type, None),
                Container::Message | Container::None => (PartKind::Leaf, facts.media_type, None),
            };
            let children = if &*media_type == "multipart/digest" { Default::Message } else { Default::TextPlain };
            self.open.push(Open {
                part: self.parts.len(),
                lines_before: self.lines.up_to(body_start),
                boundary,
                children,
            });
            self.parts.push(Part {
                kind,
                encoding: facts.encoding,
                header_start: offset(header_start),
                body_start: offset(body_start),
                end: offset(body_start),
                lines: 0,
                media_type,
                charset: facts.charset,
                next: 0,
            });
            if kind != PartKind::Message {
                return body_start;
            }
            (header_start, default) = (body_start, Default::TextPlain);
        }
    }

    /// Behind the blank line, or at the delimiter or end of all that comes without one.
    fn header_end(&self, start: usize) -> usize {
        let mut at = start;
        while at < self.raw.len() {
            let rest = &self.raw[at..];
            if is_blank_line(rest) {
                return at + if rest[0] == b'\n' { 1 } else { 2 };
            }
            if rest.starts_with(b"--") && self.boundary_at(at).is_some() {
                return at;
            }
            at = self.line_end(at);
        }
        self.raw.len()
    }

    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.raw[at..]).map_or(self.raw.len(), |found| at + found + 1)
    }

    /// `at` is the beginning of a line.
    fn next_boundary(&self, at: usize) -> Option<BoundaryLine> {
        if self.open.iter().all(|open| open.boundary.is_none()) {
            return None;
        }
        if self.raw[at..].starts_with(b"--")
            && let Some(line) = self.boundary_at(at)
        {
            return Some(line);
        }
        self.delimiter.find_iter(&self.raw[at..]).find_map(|found| self.boundary_at(at + found + 1))
    }

    /// Whether the line at `at`, which begins with `--`, is a delimiter. RFC 2046 section 5.1.1: it is enough that
    /// the line begins with the boundary; so of two that fit the longer is meant, and of equal ones the inner.
    fn boundary_at(&self, at: usize) -> Option<BoundaryLine> {
        let text = &self.raw[at + 2..];
        let mut best: Option<(usize, usize)> = None;
        for (frame, open) in self.open.iter().enumerate().rev() {
            if let Some(boundary) = &open.boundary
                && text.starts_with(boundary)
                && best.is_none_or(|(_, len)| boundary.len() > len)
            {
                best = Some((frame, boundary.len()));
            }
        }
        let (frame, len) = best?;
        let last = text[len..].starts_with(b"--");
        Some(BoundaryLine { frame, start: at, end: self.line_end(at), last })
    }

    /// Ends what the delimiter ends and begins what it begins. Gives where to look on.
    fn boundary(&mut self, line: &BoundaryLine) -> usize {
        // RFC 2046 section 5.1.1: the line end before the delimiter belongs to it.
        let content_end = match &self.raw[..line.start] {
            [.., b'\r', b'\n'] => line.start - 2,
            [.., b'\n'] => line.start - 1,
            _ => line.start,
        };
        self.close_above(line.frame + 1, content_end);
        let multipart = &mut self.open[line.frame];
        if line.last {
            multipart.boundary = None;
            line.end
        } else if self.parts.len() < MIME_PARTS_MAX {
            let default = multipart.children;
            self.entity(line.end, default)
        } else {
            line.end
        }
    }

    /// Ends all open parts from `frame` on.
    fn close_above(&mut self, frame: usize, content_end: usize) {
        let next = offset(self.parts.len());
        let mut outer_end = u32::MAX;
        for open in self.open.drain(frame..) {
            let part = &mut self.parts[open.part];
            // A delimiter's line end may be the blank line of a header before it, so that the part has no body; what
            // begins there inside that part can't reach further than the part itself.
            let end = offset(content_end).max(part.body_start).min(outer_end);
            part.header_start = part.header_start.min(end);
            part.body_start = part.body_start.min(end);
            part.end = end;
            part.lines = self.lines.up_to(end as usize).saturating_sub(open.lines_before);
            part.next = next;
            if part.kind == PartKind::Multipart && part.next as usize == open.part + 1 {
                // Nothing delimited in it. IMAP has no multipart without parts; RFC 2045 section 5.2's default.
                part.kind = PartKind::Leaf;
                part.media_type = "text/plain".into();
            }
            outer_end = end;
        }
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Counts line ends, each octet once: the places asked for only ever move back by the few octets of a line end.
struct LineCounter<'a> {
    raw: &'a [u8],
    at: usize,
    count: u32,
}

impl LineCounter<'_> {
    fn up_to(&mut self, end: usize) -> u32 {
        if let Some(between) = self.raw.get(self.at..end) {
            self.count += offset(memchr::memchr_iter(b'\n', between).count());
            self.at = end;
            self.count
        } else {
            let behind = self.raw.get(end..self.at).unwrap_or_default();
            self.count.saturating_sub(offset(memchr::memchr_iter(b'\n', behind).count()))
        }
    }
}

enum Container {
    None,
    Multipart(Box<[u8]>),
    Message,
}

/// What the scan needs of a part's header.
struct HeaderFacts {
    media_type: Box<str>,
    charset: Box<str>,
    encoding: Encoding,
    container: Container,
}

impl HeaderFacts {
    fn read(header: &[u8], default: Default) -> Self {
        let (mut content_type, mut encoding) = (None, None);
        for field in HeaderFields::new(header) {
            if !matches!(field.name().first(), Some(b'c' | b'C')) {
                continue;
            }
            // The first of several counts, as for most readers.
            if content_type.is_none() && field.is("Content-Type") {
                content_type = Some(field.value());
            } else if encoding.is_none() && field.is("Content-Transfer-Encoding") {
                encoding = Some(Encoding::parse(field.value()));
            }
        }
        let encoding = encoding.unwrap_or_default();
        let Some(parsed) = content_type.and_then(ContentType::parse) else {
            return match (content_type, default) {
                (None, Default::Message) => Self::of_message("message/rfc822", encoding),
                // RFC 2045 section 5.2: so is a Content-Type that can't be read.
                _ => Self::of_leaf("text/plain".into(), Box::default(), encoding),
            };
        };
        let media_type = lower(&[parsed.main, b"/", parsed.sub]);
        let charset = parsed.parameter("charset").map(|charset| lower(&[&charset])).unwrap_or_default();
        if parsed.main.eq_ignore_ascii_case(b"multipart") {
            let boundary = parsed.parameter("boundary").unwrap_or_default();
            let boundary = boundary.trim_ascii_end();
            return if boundary.is_empty() || boundary.len() > BOUNDARY_OCTETS_MAX {
                Self::of_leaf("text/plain".into(), charset, encoding)
            } else {
                Self { media_type, charset, encoding, container: Container::Multipart(boundary.into()) }
            };
        }
        if parsed.is("message", "rfc822") || parsed.is("message", "global") {
            return Self::of_message(&media_type, encoding);
        }
        Self::of_leaf(media_type, charset, encoding)
    }

    fn of_leaf(media_type: Box<str>, charset: Box<str>, encoding: Encoding) -> Self {
        Self { media_type, charset, encoding, container: Container::None }
    }

    /// An encoded message has no offsets in the raw octets that could be given out: it is opaque.
    fn of_message(media_type: &str, encoding: Encoding) -> Self {
        let container = if encoding.is_identity() { Container::Message } else { Container::None };
        Self { media_type: media_type.into(), charset: Box::default(), encoding, container }
    }
}

/// Lower case, cut to what any registered name fits in.
fn lower(pieces: &[&[u8]]) -> Box<str> {
    let mut text = String::new();
    for byte in pieces.concat().into_iter().take(127) {
        text.push(if byte.is_ascii_graphic() { char::from(byte.to_ascii_lowercase()) } else { '?' });
    }
    text.into()
}
