//! LIST with everything that has been added to it: RFC 9051 section 6.3.9, RFC 5258, RFC 5819 (STATUS), RFC 6154
//! (SPECIAL-USE), RFC 8440 (MYRIGHTS), RFC 9590 (METADATA).

use super::input::{Input, Parsed};
use super::mailbox::{list_mailbox, reference};
use super::metadata::{EntryName, MetadataOptions, entries, metadata_options};
use super::status::{StatusItem, status_items};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    pub selection: ListSelection,
    pub patterns: Vec<Pattern>,
    /// `None` for the plain LIST of rev1.
    pub returns: Option<ListReturn>,
    /// Anything of RFC 5258 was used.
    pub extended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelection {
    pub subscribed: bool,
    pub remote: bool,
    pub recursive_match: bool,
    pub special_use: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReturn {
    pub subscribed: bool,
    pub children: bool,
    pub special_use: bool,
    pub my_rights: bool,
    pub status: Option<Vec<StatusItem>>,
    pub metadata: Option<(MetadataOptions, Vec<EntryName>)>,
}

/// What names must look like. The two parts are in UTF-8, wildcards as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub reference: String,
    pub pattern: String,
}

pub(super) fn list(input: &mut Input<'_>) -> Parsed<List> {
    let mut extended = false;
    let mut selection = ListSelection::default();
    if input.peek() == Some(b'(') {
        extended = true;
        selection = list_selection(input)?;
        input.space()?;
    }
    let reference = reference(input)?;
    input.space()?;
    let patterns = if input.peek() == Some(b'(') {
        extended = true;
        input.list(list_mailbox)?
    } else {
        vec![list_mailbox(input)?]
    };
    let returns = if input.eat_spaced_word("RETURN") {
        extended = true;
        input.space()?;
        Some(list_return(input)?)
    } else {
        None
    };
    let patterns = patterns.into_iter().map(|pattern| Pattern { reference: reference.clone(), pattern }).collect();
    Ok(List { selection, patterns, returns, extended })
}

pub(super) fn lsub(input: &mut Input<'_>) -> Parsed<Pattern> {
    let reference = reference(input)?;
    input.space()?;
    Ok(Pattern { reference, pattern: list_mailbox(input)? })
}

fn list_selection(input: &mut Input<'_>) -> Parsed<ListSelection> {
    let start = input.position();
    let mut selection = ListSelection::default();
    input.list_or_empty(|input| {
        let start = input.position();
        match input.word("a selection option")?.as_str() {
            "SUBSCRIBED" => selection.subscribed = true,
            "REMOTE" => selection.remote = true,
            "RECURSIVEMATCH" => selection.recursive_match = true,
            "SPECIAL-USE" => selection.special_use = true,
            _ => {
                input.back_to(start);
                return input.fail("a selection option that is known");
            }
        }
        Ok(())
    })?;
    // RFC 5258 section 3.1: RECURSIVEMATCH needs an option that selects; alone or with REMOTE it is BAD.
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        input.back_to(start);
        return input.fail("RECURSIVEMATCH together with SUBSCRIBED or SPECIAL-USE");
    }
    Ok(selection)
}

fn list_return(input: &mut Input<'_>) -> Parsed<ListReturn> {
    let mut returns = ListReturn::default();
    input.list_or_empty(|input| {
        let start = input.position();
        match input.word("a return option")?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "MYRIGHTS" => returns.my_rights = true,
            "STATUS" => {
                input.space()?;
                returns.status = Some(status_items(input)?);
            }
            "METADATA" => {
                input.space()?;
                let options = metadata_options(input)?;
                if options.is_some() {
                    input.space()?;
                }
                returns.metadata = Some((options.unwrap_or_default(), entries(input)?));
            }
            _ => {
                input.back_to(start);
                return input.fail("a return option that is known");
            }
        }
        Ok(())
    })?;
    Ok(returns)
}
