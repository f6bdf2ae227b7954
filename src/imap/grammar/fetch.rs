//! FETCH and STORE: RFC 9051 sections 6.4.5 and 6.4.6, RFC 3516 (BINARY), RFC 7162 (CONDSTORE, QRESYNC), RFC 8474
//! (OBJECTID), RFC 8514 (SAVEDATE), RFC 8970 (PREVIEW), RFC 9394 (PARTIAL).

use super::command::Flag;
use super::input::{Input, Parsed};
use super::numbers::{Addressing, Numbers, PartialRange, numbers, partial_range};
use crate::types::Flags;
use crate::types::limits::MIME_DEPTH_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    pub addressing: Addressing,
    pub numbers: Numbers,
    /// Macros are taken apart.
    pub items: Vec<FetchItem>,
    pub changed_since: Option<u64>,
    pub vanished: bool,
    pub partial: Option<PartialRange>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// BODY without a section: BODYSTRUCTURE without its extension data.
    Body,
    BodyStructure,
    Envelope,
    Flags,
    InternalDate,
    Uid,
    ModSeq,
    EmailId,
    ThreadId,
    SaveDate,
    Preview {
        lazy: bool,
    },
    Rfc822,
    Rfc822Header,
    Rfc822Size,
    Rfc822Text,
    BodySection {
        section: Section,
        window: Option<Window>,
        peek: bool,
    },
    /// Part numbers; none of them stand for the whole message.
    Binary {
        part: Vec<u32>,
        window: Option<Window>,
        peek: bool,
    },
    BinarySize {
        part: Vec<u32>,
    },
}

/// `<origin.length>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub origin: u64,
    pub length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub part: Vec<u32>,
    pub text: SectionText,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// The part's content, or the whole message.
    Whole,
    Header,
    /// Names as the client wrote them; the answer repeats them.
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    Mime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub addressing: Addressing,
    pub numbers: Numbers,
    pub unchanged_since: Option<u64>,
    pub change: FlagChange,
    pub silent: bool,
    pub flags: Vec<Flag>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagChange {
    Replace,
    Add,
    Remove,
}

pub(super) fn fetch(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Fetch> {
    let numbers = numbers(input)?;
    input.space()?;
    let items = if input.peek() == Some(b'(') {
        input.list(fetch_item)?
    } else if let Some(items) = fetch_macro(input) {
        items
    } else {
        vec![fetch_item(input)?]
    };
    let mut fetch = Fetch { addressing, numbers, items, changed_since: None, vanished: false, partial: None };
    if input.eat(b' ') {
        let start = input.position();
        input.list(|input| fetch_modifier(input, &mut fetch))?;
        // RFC 7162 section 3.2.6: VANISHED only with UID FETCH and CHANGEDSINCE; otherwise BAD.
        if fetch.vanished && (fetch.changed_since.is_none() || addressing == Addressing::Sequence) {
            input.back_to(start);
            return input.fail("VANISHED only in UID FETCH with CHANGEDSINCE");
        }
    }
    Ok(fetch)
}

fn fetch_modifier(input: &mut Input<'_>, fetch: &mut Fetch) -> Parsed<()> {
    let start = input.position();
    match input.word("a fetch modifier")?.as_str() {
        "CHANGEDSINCE" => {
            input.space()?;
            fetch.changed_since = Some(input.number64()?);
        }
        "VANISHED" => fetch.vanished = true,
        "PARTIAL" => {
            input.space()?;
            fetch.partial = Some(partial_range(input)?);
        }
        _ => {
            input.back_to(start);
            return input.fail("CHANGEDSINCE, VANISHED or PARTIAL");
        }
    }
    Ok(())
}

fn fetch_macro(input: &mut Input<'_>) -> Option<Vec<FetchItem>> {
    let mut items = vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
    if input.eat_word("FAST") {
        return Some(items);
    }
    items.push(FetchItem::Envelope);
    if input.eat_word("ALL") {
        return Some(items);
    }
    items.push(FetchItem::Body);
    input.eat_word("FULL").then_some(items)
}

pub(super) fn fetch_item(input: &mut Input<'_>) -> Parsed<FetchItem> {
    let start = input.position();
    Ok(match input.word("an item to fetch")?.as_str() {
        "ENVELOPE" => FetchItem::Envelope,
        "FLAGS" => FetchItem::Flags,
        "INTERNALDATE" => FetchItem::InternalDate,
        "UID" => FetchItem::Uid,
        "MODSEQ" => FetchItem::ModSeq,
        "EMAILID" => FetchItem::EmailId,
        "THREADID" => FetchItem::ThreadId,
        "SAVEDATE" => FetchItem::SaveDate,
        "PREVIEW" => FetchItem::Preview { lazy: preview_modifiers(input)? },
        "RFC822" => FetchItem::Rfc822,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.SIZE" => FetchItem::Rfc822Size,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "BODY" if input.peek() != Some(b'[') => FetchItem::Body,
        "BODY" => body_section(input, Peek::No)?,
        "BODY.PEEK" => body_section(input, Peek::Yes)?,
        "BINARY" => FetchItem::Binary { part: binary_part(input)?, window: window(input)?, peek: false },
        "BINARY.PEEK" => FetchItem::Binary { part: binary_part(input)?, window: window(input)?, peek: true },
        "BINARY.SIZE" => FetchItem::BinarySize { part: binary_part(input)? },
        _ => {
            input.back_to(start);
            return input.fail("an item to fetch");
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peek {
    No,
    Yes,
}

fn body_section(input: &mut Input<'_>, peek: Peek) -> Parsed<FetchItem> {
    let section = section(input)?;
    Ok(FetchItem::BodySection { section, window: window(input)?, peek: peek == Peek::Yes })
}

/// RFC 8970 section 3: `PREVIEW` or `PREVIEW (LAZY)`.
fn preview_modifiers(input: &mut Input<'_>) -> Parsed<bool> {
    if !input.rest().starts_with(b" (") {
        return Ok(false);
    }
    input.space()?;
    input.list(|input| if input.eat_word("LAZY") { Ok(()) } else { input.fail("LAZY") })?;
    Ok(true)
}

/// `section`: `[`, part numbers, what of the part, `]`.
pub(super) fn section(input: &mut Input<'_>) -> Parsed<Section> {
    input.expect(b'[', "a section")?;
    let section = section_spec(input)?;
    input.expect(b']', "a closing bracket")?;
    Ok(section)
}

/// What stands in the brackets, also in a URL (RFC 5092).
pub(super) fn section_spec(input: &mut Input<'_>) -> Parsed<Section> {
    let mut part = Vec::new();
    let mut text = SectionText::Whole;
    while input.peek().is_some_and(|octet| octet.is_ascii_digit()) {
        part.push(part_number(input, part.len())?);
        if !input.eat(b'.') {
            return Ok(Section { part, text });
        }
        if !input.peek().is_some_and(|octet| octet.is_ascii_alphanumeric()) {
            return input.fail("a part number or specifier after the dot");
        }
    }
    if input.peek().is_some_and(|octet| octet.is_ascii_alphabetic()) {
        text = section_text(input, &part)?;
    }
    Ok(Section { part, text })
}

fn part_number(input: &mut Input<'_>, depth: usize) -> Parsed<u32> {
    // Nothing is that deep (RFC 9051 section 6.4.5 sets no bound; our parser of MIME does).
    if depth == 2 * MIME_DEPTH_MAX { input.fail("fewer part numbers") } else { input.nonzero() }
}

fn section_text(input: &mut Input<'_>, part: &[u32]) -> Parsed<SectionText> {
    let start = input.position();
    Ok(match input.word("a section specifier")?.as_str() {
        "HEADER" => SectionText::Header,
        "HEADER.FIELDS" => SectionText::HeaderFields(header_names(input)?),
        "HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(header_names(input)?),
        "TEXT" => SectionText::Text,
        // RFC 9051 section 6.4.5: MIME must be prefixed by part numbers.
        "MIME" if !part.is_empty() => SectionText::Mime,
        _ => {
            input.back_to(start);
            return input.fail("HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME");
        }
    })
}

fn header_names(input: &mut Input<'_>) -> Parsed<Vec<String>> {
    input.space()?;
    input.list(Input::astring_text)
}

/// `section-binary`: part numbers only.
fn binary_part(input: &mut Input<'_>) -> Parsed<Vec<u32>> {
    let start = input.position();
    match section(input)? {
        Section { part, text: SectionText::Whole } => Ok(part),
        _ => {
            input.back_to(start);
            input.fail("part numbers only")
        }
    }
}

fn window(input: &mut Input<'_>) -> Parsed<Option<Window>> {
    if !input.eat(b'<') {
        return Ok(None);
    }
    let origin = input.number64()?;
    input.expect(b'.', "a dot")?;
    let start = input.position();
    let length = input.number64()?;
    if length == 0 {
        input.back_to(start);
        return input.fail("a length that is not zero");
    }
    input.expect(b'>', "a closing angle bracket")?;
    Ok(Some(Window { origin, length }))
}

pub(super) fn store(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Store> {
    let numbers = numbers(input)?;
    input.space()?;
    let mut unchanged_since = None;
    if input.peek() == Some(b'(') {
        input.list(|input| {
            if !input.eat_word("UNCHANGEDSINCE") {
                return input.fail("UNCHANGEDSINCE");
            }
            input.space()?;
            unchanged_since = Some(input.number64()?);
            Ok(())
        })?;
        input.space()?;
    }
    let change = if input.eat(b'+') {
        FlagChange::Add
    } else if input.eat(b'-') {
        FlagChange::Remove
    } else {
        FlagChange::Replace
    };
    let start = input.position();
    let silent = match input.word("FLAGS")?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => {
            input.back_to(start);
            return input.fail("FLAGS or FLAGS.SILENT");
        }
    };
    input.space()?;
    let flags = if input.peek() == Some(b'(') { flag_list(input)? } else { input.spaced(flag)? };
    Ok(Store { addressing, numbers, unchanged_since, change, silent, flags })
}

pub(super) fn flag_list(input: &mut Input<'_>) -> Parsed<Vec<Flag>> {
    input.list_or_empty(flag)
}

pub(super) fn flag(input: &mut Input<'_>) -> Parsed<Flag> {
    if input.eat(b'\\') {
        let name = format!("\\{}", input.atom("a flag")?);
        return Ok(Flags::system(&name).map_or_else(|| Flag::Unknown(name.into()), Flag::System));
    }
    Ok(Flag::Keyword(input.atom("a flag")?.into()))
}
