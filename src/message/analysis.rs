//! Everything that is computed from a message when it arrives, so that nothing is parsed when it is read.

use super::content_type::Disposition;
use super::facts::Facts;
use super::field::HeaderFields;
use super::preview::preview;
use super::script_message::{Bodies, script_message};
use super::search_text::SearchTextBuilder;
use super::structure::{PartKind, Structure};
use super::{charset, html, wire};
use crate::types::limits::SEARCH_SOURCE_OCTETS_MAX;
use std::borrow::Cow;

/// A message and its structure.
#[derive(Clone, Debug)]
pub struct Parsed<'a> {
    raw: &'a [u8],
    structure: Structure,
}

/// What is stored beside a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    pub structure: Structure,
    /// Ready to send, as is `bodystructure`.
    pub envelope: Vec<u8>,
    pub bodystructure: Vec<u8>,
    pub facts: Facts,
    /// To be read through [`super::SearchText`].
    pub search_text: Vec<u8>,
}

impl<'a> Parsed<'a> {
    /// Of any octets; nothing is refused, nothing takes more than linear time or named limits of memory.
    pub fn parse(raw: &'a [u8]) -> Self {
        Self { raw, structure: Structure::scan(raw) }
    }

    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The message's own header section, blank line included.
    pub fn header(&self) -> &'a [u8] {
        self.structure.root().header_in(self.raw)
    }

    pub fn fields(&self) -> HeaderFields<'a> {
        HeaderFields::new(self.header())
    }

    /// For the Sieve engine.
    pub fn script_message(&self, bodies: Bodies) -> mail_parser::Message<'a> {
        script_message(self.raw, &self.structure, bodies)
    }

    pub fn analyse(self) -> Analysis {
        let mut facts = Facts::read(self.raw, &self.structure);
        let (search_text, preview) = texts(self.raw, &self.structure);
        facts.preview = preview;
        Analysis {
            envelope: wire::envelope(self.header()),
            bodystructure: wire::bodystructure(self.raw, &self.structure),
            facts,
            search_text,
            structure: self.structure,
        }
    }
}

/// The search text and the preview: both come from the decoded text parts, which are decoded once.
fn texts(raw: &[u8], structure: &Structure) -> (Vec<u8>, String) {
    let mut search = SearchTextBuilder::new();
    let mut first_words = String::new();
    let mut source_left = SEARCH_SOURCE_OCTETS_MAX;
    for (index, part) in structure.parts().iter().enumerate() {
        let header = part.header_in(raw);
        let is_embedded = index > 0 && structure.parts()[index - 1].kind == PartKind::Message;
        if index == 0 {
            search.header(header);
        } else if is_embedded {
            search.embedded_header(header);
        } else {
            search.mime(header);
        }
        // RFC 9051 section 6.4.4: reports of deliveries and the like are texts as well.
        let is_report = part.kind == PartKind::Leaf && part.media_type.starts_with("message/");
        if !part.is_text() && !is_report {
            continue;
        }
        let mut body = part.body_in(raw);
        if body.len() > source_left {
            body = &body[..source_left];
            search.cut();
        }
        source_left -= body.len();
        // A text in an unknown encoding is looked through as it stands.
        let content = part.encoding.decode(body).unwrap_or(Cow::Borrowed(body));
        let text = charset::decode(part.charset.as_bytes(), &content);
        let is_html = &*part.media_type == "text/html";
        let text = if is_html { Cow::Owned(html::visible_text(&text)) } else { text };
        search.text(&text);
        if first_words.is_empty() && (is_html || &*part.media_type == "text/plain") && !is_attachment(header) {
            first_words = preview(&text);
        }
    }
    (search.into_bytes(), first_words)
}

fn is_attachment(header: &[u8]) -> bool {
    HeaderFields::first(header, "Content-Disposition")
        .and_then(|field| Disposition::parse(field.value()))
        .is_some_and(|disposition| disposition.kind.eq_ignore_ascii_case(b"attachment"))
}
