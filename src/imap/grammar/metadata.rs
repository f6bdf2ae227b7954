//! GETMETADATA and SETMETADATA (RFC 5464).

use super::input::{Input, Parsed};
use super::mailbox::{Mailbox, mailbox_or_server};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetMetadata {
    /// `None` for the server's own entries.
    pub mailbox: Option<Mailbox>,
    pub options: MetadataOptions,
    pub entries: Vec<EntryName>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMetadata {
    pub mailbox: Option<Mailbox>,
    /// `None` removes the entry.
    pub entries: Vec<(EntryName, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataOptions {
    pub value_octets_max: Option<u64>,
    pub depth: Depth,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    #[default]
    Itself,
    Children,
    Infinity,
}

/// RFC 5464 section 3.1: begins with `/`, no empty level, no wildcard. In lower case, because case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Box<str>);

impl EntryName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn get_metadata(input: &mut Input<'_>) -> Parsed<GetMetadata> {
    // The grammar has the options before the mailbox, all examples of the RFC have them after it: both are meant.
    let before = metadata_options(input)?;
    if before.is_some() {
        input.space()?;
    }
    let mailbox = mailbox_or_server(input)?;
    input.space()?;
    let after = if before.is_none() { metadata_options(input)? } else { None };
    if after.is_some() {
        input.space()?;
    }
    Ok(GetMetadata { mailbox, options: before.or(after).unwrap_or_default(), entries: entries(input)? })
}

/// A parenthesized list of options, if that is what comes: a list of entries begins with `/`.
pub(super) fn metadata_options(input: &mut Input<'_>) -> Parsed<Option<MetadataOptions>> {
    let is_options = matches!(input.rest(), [b'(', next, ..] if next.is_ascii_alphabetic());
    if !is_options {
        return Ok(None);
    }
    let mut options = MetadataOptions::default();
    input.list(|input| {
        let start = input.position();
        match input.word("MAXSIZE or DEPTH")?.as_str() {
            "MAXSIZE" => {
                input.space()?;
                options.value_octets_max = Some(input.number64()?);
            }
            "DEPTH" => {
                input.space()?;
                let start = input.position();
                options.depth = match input.word("0, 1 or infinity")?.as_str() {
                    "0" => Depth::Itself,
                    "1" => Depth::Children,
                    "INFINITY" => Depth::Infinity,
                    _ => {
                        input.back_to(start);
                        return input.fail("0, 1 or infinity");
                    }
                };
            }
            _ => {
                input.back_to(start);
                return input.fail("MAXSIZE or DEPTH");
            }
        }
        Ok(())
    })?;
    Ok(Some(options))
}

/// `entries`: one, or several in parentheses.
pub(super) fn entries(input: &mut Input<'_>) -> Parsed<Vec<EntryName>> {
    if input.peek() == Some(b'(') { input.list(entry_name) } else { Ok(vec![entry_name(input)?]) }
}

fn entry_name(input: &mut Input<'_>) -> Parsed<EntryName> {
    let start = input.position();
    let name = input.astring_text()?;
    let valid = name.len() > 1
        && name.starts_with('/')
        && !name.ends_with('/')
        && !name.contains("//")
        && name.bytes().all(|octet| matches!(octet, b' '..=b'~') && octet != b'*' && octet != b'%');
    if !valid {
        input.back_to(start);
        return input.fail("an entry name such as /private/comment");
    }
    Ok(EntryName(name.to_ascii_lowercase().into()))
}

pub(super) fn set_metadata(input: &mut Input<'_>) -> Parsed<SetMetadata> {
    let mailbox = mailbox_or_server(input)?;
    input.space()?;
    let entries = input.list(|input| {
        let name = entry_name(input)?;
        input.space()?;
        let value = match input.peek() {
            Some(b'~') => Some(input.literal8()?.to_vec()),
            _ => input.nstring()?.map(std::borrow::Cow::into_owned),
        };
        Ok((name, value))
    })?;
    Ok(SetMetadata { mailbox, entries })
}
