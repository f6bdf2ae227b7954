//! SEARCH, SORT, THREAD, ESEARCH and FILTER: keys and return options (RFC 9051 section 6.4.4, RFC 4731, RFC 5032,
//! RFC 5182, RFC 5256, RFC 5267, RFC 7162, RFC 7377, RFC 8474, RFC 8514, RFC 9394).
//!
//! Keys are read without recursion, so that nesting costs heap up to a named limit and never the stack.

use super::Cause;
use super::command::{Body, FilterScript, SortCriterion, SortKey, ThreadAlgorithm};
use super::dates::{Day, date};
use super::fetch::{FetchItem, fetch_item};
use super::input::{Input, Parsed};
use super::notify::search_sources;
use super::numbers::{Addressing, Numbers, PartialRange, numbers, partial_range};
use crate::types::Flags;
use crate::types::limits::{IMAP_SEARCH_DEPTH_MAX, IMAP_SEARCH_KEYS_MAX};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    All,
    /// At least two. An OR within an OR is part of the outer one.
    Or(Vec<Key>),
    And(Vec<Key>),
    Not(Box<Key>),
    Numbers(Addressing, Numbers),
    /// The system flag is set; UNSEEN and the like are `Not` of it.
    Flag(Flags),
    Keyword(Box<str>),
    Recent,
    Text(TextIn, String),
    Header {
        name: String,
        value: String,
    },
    Date {
        of: DateOf,
        is: DateIs,
        day: Day,
    },
    SaveDateSupported,
    LargerThan(u64),
    SmallerThan(u64),
    /// RFC 5032: seconds before now.
    Older(u32),
    Younger(u32),
    /// The entry of RFC 7162 section 3.1.5 is left out: our sequence is per message, as the RFC allows.
    ModSeq(u64),
    EmailId(String),
    ThreadId(String),
    /// A stored filter (RFC 5466).
    StoredFilter(String),
    /// RFC 9738 section 3.2: UIDs above this one.
    UidAfter(u32),
    /// The same below it.
    UidBefore(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextIn {
    Bcc,
    Body,
    Cc,
    From,
    Subject,
    /// Header and body.
    Text,
    To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOf {
    Arrival,
    /// The Date field.
    Sent,
    /// RFC 8514.
    Saved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateIs {
    Before,
    On,
    Since,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnOption {
    Min,
    Max,
    All,
    Count,
    Save,
    Partial(PartialRange),
    /// With what is shown of new messages that match (RFC 5465 section 7).
    Update(Vec<FetchItem>),
    Context,
}

pub(super) fn search(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Body> {
    let returns = return_options(input)?;
    if returns.is_some() {
        input.space()?;
    }
    let charset = charset_option(input).map_err(|cause| unsaved(cause, returns.as_deref()))?;
    Ok(Body::Search { addressing, returns, key: keys(input, charset)? })
}

pub(super) fn sort(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Body> {
    let returns = return_options(input)?;
    if returns.is_some() {
        input.space()?;
    }
    let criteria = each_key_once(input.list(sort_criterion)?);
    input.space()?;
    let charset = charset(input).map_err(|cause| unsaved(cause, returns.as_deref()))?;
    input.space()?;
    Ok(Body::Sort { addressing, returns, criteria, key: keys(input, charset)? })
}

pub(super) fn thread(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Body> {
    let start = input.position();
    let algorithm = match input.word("a threading algorithm")?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => {
            input.back_to(start);
            return input.fail("ORDEREDSUBJECT or REFERENCES");
        }
    };
    input.space()?;
    let charset = charset(input)?;
    input.space()?;
    Ok(Body::Thread { addressing, algorithm, key: keys(input, charset)? })
}

/// ESEARCH (RFC 7377 section 2.1).
pub(super) fn multi_search(input: &mut Input<'_>) -> Parsed<Body> {
    let mut sources = None;
    if input.eat_word("IN") {
        input.space()?;
        sources = Some(search_sources(input)?);
        input.space()?;
    }
    let returns = return_options(input)?;
    if returns.is_some() {
        input.space()?;
    }
    let charset = charset_option(input)?;
    Ok(Body::MultiSearch { sources, returns, key: keys(input, charset)? })
}

/// The draft "imap-filter-sieve" that FILTER=SIEVE stands for; its space before an argument is missing in the grammar
/// and there in all examples.
pub(super) fn filter(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Body> {
    if !input.eat_word("SIEVE") {
        return input.fail("SIEVE");
    }
    input.space()?;
    let start = input.position();
    let script = match input.word("which script")?.as_str() {
        "DELIVERY" => FilterScript::Delivery,
        "PERSONAL" => FilterScript::Personal(spaced(input, Input::astring_text)?),
        "GLOBAL" => FilterScript::Global(spaced(input, Input::astring_text)?),
        "SCRIPT" => FilterScript::Script(spaced(input, Input::string_text)?),
        _ => {
            input.back_to(start);
            return input.fail("DELIVERY, PERSONAL, GLOBAL or SCRIPT");
        }
    };
    input.space()?;
    let charset = charset_option(input)?;
    Ok(Body::Filter { addressing, script, key: keys(input, charset)? })
}

/// A space and what `rule` reads.
fn spaced<'a, T>(input: &mut Input<'a>, rule: impl FnOnce(&mut Input<'a>) -> Parsed<T>) -> Parsed<T> {
    input.space()?;
    rule(input)
}

/// RETURN with its options; `()` means ALL (RFC 4731 section 3.1).
fn return_options(input: &mut Input<'_>) -> Parsed<Option<Vec<ReturnOption>>> {
    if !input.eat_word("RETURN") {
        return Ok(None);
    }
    input.space()?;
    let start = input.position();
    let mut options = input.list_or_empty(|input| {
        let start = input.position();
        Ok(match input.word("a return option")?.as_str() {
            "MIN" => ReturnOption::Min,
            "MAX" => ReturnOption::Max,
            "ALL" => ReturnOption::All,
            "COUNT" => ReturnOption::Count,
            "SAVE" => ReturnOption::Save,
            "UPDATE" => ReturnOption::Update(if input.rest().starts_with(b" (") {
                input.space()?;
                input.list(fetch_item)?
            } else {
                Vec::new()
            }),
            "CONTEXT" => ReturnOption::Context,
            "PARTIAL" => ReturnOption::Partial(spaced(input, partial_range)?),
            _ => {
                input.back_to(start);
                return input.fail("a return option that is known");
            }
        })
    })?;
    let partials = options.iter().filter(|option| matches!(option, ReturnOption::Partial(_))).count();
    // RFC 9394 section 3.1: one PARTIAL, and not together with ALL.
    if partials > 1 || (partials == 1 && options.contains(&ReturnOption::All)) {
        input.back_to(start);
        return input.fail("one PARTIAL and no ALL");
    }
    // RFC 4731 section 3.1: no option is ALL. CONTEXT is a hint and asks for nothing.
    if options.iter().all(|option| *option == ReturnOption::Context) {
        options.push(ReturnOption::All);
    }
    Ok(Some(options))
}

fn sort_criterion(input: &mut Input<'_>) -> Parsed<SortCriterion> {
    let reverse = input.eat_word("REVERSE");
    if reverse {
        input.space()?;
    }
    let start = input.position();
    let key = match input.word("a sort key")?.as_str() {
        "ARRIVAL" => SortKey::Arrival,
        "CC" => SortKey::Cc,
        "DATE" => SortKey::Date,
        "DISPLAYFROM" => SortKey::DisplayFrom,
        "DISPLAYTO" => SortKey::DisplayTo,
        "FROM" => SortKey::From,
        "SIZE" => SortKey::Size,
        "SUBJECT" => SortKey::Subject,
        "TO" => SortKey::To,
        _ => {
            input.back_to(start);
            return input.fail("a sort key");
        }
    };
    Ok(SortCriterion { key, reverse })
}

/// Messages that are equal by a key are so when it is named again: the next time it decides nothing, and would cost as
/// much as the first.
fn each_key_once(criteria: Vec<SortCriterion>) -> Vec<SortCriterion> {
    let mut once: Vec<SortCriterion> = Vec::new();
    for criterion in criteria {
        if once.iter().all(|before| before.key != criterion.key) {
            once.push(criterion);
        }
    }
    once
}

fn unsaved(cause: Cause, returns: Option<&[ReturnOption]>) -> Cause {
    match cause {
        Cause::BadCharset if returns.is_some_and(|returns| returns.contains(&ReturnOption::Save)) => {
            Cause::BadCharsetUnsaved
        }
        cause => cause,
    }
}

type Charset = &'static encoding_rs::Encoding;

/// `CHARSET charset SP`, or UTF-8, of which US-ASCII is a part.
fn charset_option(input: &mut Input<'_>) -> Parsed<Charset> {
    let start = input.position();
    if !input.eat_word("CHARSET") {
        return Ok(encoding_rs::UTF_8);
    }
    // RFC 6855 section 3: after ENABLE UTF8=ACCEPT there is no CHARSET in SEARCH. RFC 9051 has it, so only a session
    // that is not IMAP4rev2 is refused.
    if input.mode.charset_refused {
        input.back_to(start);
        return input.fail("no CHARSET after ENABLE UTF8=ACCEPT");
    }
    input.space()?;
    let charset = charset(input)?;
    input.space()?;
    Ok(charset)
}

fn charset(input: &mut Input<'_>) -> Parsed<Charset> {
    let name = input.astring()?;
    match encoding_rs::Encoding::for_label(&name) {
        // On the Web this label means windows-1252; here it means itself, and UTF-8 has it in it.
        _ if name.eq_ignore_ascii_case(b"US-ASCII") => Ok(encoding_rs::UTF_8),
        // Replacement stands for encodings that are dangerous to read.
        Some(charset) if charset != encoding_rs::REPLACEMENT => Ok(charset),
        _ => {
            // Where the keys are missing, what stands here was meant for one.
            input.space()?;
            Err(Cause::BadCharset)
        }
    }
}

/// What is open while keys are read.
enum Open {
    Not,
    /// How many operands are still missing, after the one that is being read.
    Or {
        missing: usize,
        found: Vec<Key>,
    },
    Group(Vec<Key>),
}

/// `search-key *(SP search-key)` up to the end of the command.
fn keys(input: &mut Input<'_>, charset: Charset) -> Parsed<Key> {
    let mut open: Vec<Open> = Vec::new();
    let mut found: Vec<Key> = Vec::new();
    let mut count = 0_usize;
    loop {
        count += 1;
        if count > IMAP_SEARCH_KEYS_MAX {
            return Err(Cause::Limit("search keys"));
        }
        if open.len() > IMAP_SEARCH_DEPTH_MAX {
            return Err(Cause::Limit("levels of search keys"));
        }
        if input.eat(b'(') {
            open.push(Open::Group(Vec::new()));
            continue;
        }
        if input.eat_word("NOT") {
            input.space()?;
            open.push(Open::Not);
            continue;
        }
        if input.eat_word("OR") {
            input.space()?;
            match open.last_mut() {
                // The operand is an OR itself: two operands instead of one.
                Some(Open::Or { missing, .. }) => *missing += 1,
                _ => open.push(Open::Or { missing: 1, found: Vec::new() }),
            }
            continue;
        }
        let key = leaf(input, charset)?;
        if close(input, &mut open, key, &mut found)? == Keys::Complete {
            return Ok(all_of(found));
        }
    }
}

#[derive(PartialEq, Eq)]
enum Keys {
    More,
    Complete,
}

/// Puts a finished key where it belongs, and closes what it completes.
fn close(input: &mut Input<'_>, open: &mut Vec<Open>, mut key: Key, found: &mut Vec<Key>) -> Parsed<Keys> {
    loop {
        match open.pop() {
            None => {
                found.push(key);
                if input.eat(b' ') {
                    return Ok(Keys::More);
                }
                input.end()?;
                return Ok(Keys::Complete);
            }
            Some(Open::Not) => {
                key = match key {
                    Key::Not(inner) => *inner,
                    key => Key::Not(Box::new(key)),
                };
            }
            Some(Open::Or { missing: 0, found: mut operands }) => {
                operands.push(key);
                key = Key::Or(operands);
            }
            Some(Open::Or { missing, found: mut operands }) => {
                operands.push(key);
                input.space()?;
                open.push(Open::Or { missing: missing - 1, found: operands });
                return Ok(Keys::More);
            }
            Some(Open::Group(mut members)) => {
                members.push(key);
                if input.eat(b' ') {
                    open.push(Open::Group(members));
                    return Ok(Keys::More);
                }
                input.expect(b')', "one space or a closing parenthesis")?;
                key = all_of(members);
            }
        }
    }
}

fn all_of(mut keys: Vec<Key>) -> Key {
    match keys.len() {
        1 => keys.remove(0),
        _ => Key::And(keys),
    }
}

/// One key that has no keys inside.
fn leaf(input: &mut Input<'_>, charset: Charset) -> Parsed<Key> {
    if input.peek().is_some_and(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'$')) {
        return Ok(Key::Numbers(Addressing::Sequence, numbers(input)?));
    }
    let start = input.position();
    let word = input.word("a search key")?;
    if let Some(key) = flag_key(&word).or_else(|| plain_key(&word)) {
        return Ok(key);
    }
    if let Some(of) = text_key(&word) {
        return Ok(Key::Text(of, spaced(input, |input| text(input, charset))?));
    }
    if let Some((of, is)) = date_key(&word) {
        return Ok(Key::Date { of, is, day: spaced(input, date)? });
    }
    Ok(match word.as_str() {
        "KEYWORD" => Key::Keyword(spaced(input, |input| input.atom("a keyword"))?.into()),
        "UNKEYWORD" => Key::Not(Box::new(Key::Keyword(spaced(input, |input| input.atom("a keyword"))?.into()))),
        "HEADER" => {
            let name = spaced(input, Input::astring_text)?;
            Key::Header { name, value: spaced(input, |input| text(input, charset))? }
        }
        "LARGER" => Key::LargerThan(spaced(input, Input::number64)?),
        "SMALLER" => Key::SmallerThan(spaced(input, Input::number64)?),
        "OLDER" => Key::Older(spaced(input, Input::nonzero)?),
        "YOUNGER" => Key::Younger(spaced(input, Input::nonzero)?),
        "UID" => Key::Numbers(Addressing::Uid, spaced(input, numbers)?),
        "UIDAFTER" => Key::UidAfter(spaced(input, Input::nonzero)?),
        "UIDBEFORE" => Key::UidBefore(spaced(input, Input::nonzero)?),
        "MODSEQ" => Key::ModSeq(mod_seq(input)?),
        "EMAILID" => Key::EmailId(spaced(input, object_id)?),
        "THREADID" => Key::ThreadId(spaced(input, object_id)?),
        "FILTER" => Key::StoredFilter(spaced(input, |input| input.atom("a filter's name"))?.into()),
        _ => {
            input.back_to(start);
            return input.fail("a search key");
        }
    })
}

fn flag_key(word: &str) -> Option<Key> {
    let (word, set) = match word.strip_prefix("UN") {
        Some(rest) => (rest, false),
        None => (word, true),
    };
    let flag = Key::Flag(match word {
        "ANSWERED" => Flags::ANSWERED,
        "DELETED" => Flags::DELETED,
        "DRAFT" => Flags::DRAFT,
        "FLAGGED" => Flags::FLAGGED,
        "SEEN" => Flags::SEEN,
        _ => return None,
    });
    Some(if set { flag } else { Key::Not(Box::new(flag)) })
}

fn plain_key(word: &str) -> Option<Key> {
    Some(match word {
        "ALL" => Key::All,
        // RFC 3501 section 6.4.4.
        "NEW" => Key::And(vec![Key::Recent, Key::Not(Box::new(Key::Flag(Flags::SEEN)))]),
        "OLD" => Key::Not(Box::new(Key::Recent)),
        "RECENT" => Key::Recent,
        "SAVEDATESUPPORTED" => Key::SaveDateSupported,
        _ => return None,
    })
}

fn text_key(word: &str) -> Option<TextIn> {
    Some(match word {
        "BCC" => TextIn::Bcc,
        "BODY" => TextIn::Body,
        "CC" => TextIn::Cc,
        "FROM" => TextIn::From,
        "SUBJECT" => TextIn::Subject,
        "TEXT" => TextIn::Text,
        "TO" => TextIn::To,
        _ => return None,
    })
}

fn date_key(word: &str) -> Option<(DateOf, DateIs)> {
    let (rest, of) = if let Some(rest) = word.strip_prefix("SENT") {
        (rest, DateOf::Sent)
    } else if let Some(rest) = word.strip_prefix("SAVED") {
        (rest, DateOf::Saved)
    } else {
        (word, DateOf::Arrival)
    };
    Some(match rest {
        "BEFORE" => (of, DateIs::Before),
        "ON" => (of, DateIs::On),
        "SINCE" => (of, DateIs::Since),
        _ => return None,
    })
}

/// The string to look for, as UTF-8.
fn text(input: &mut Input<'_>, charset: Charset) -> Parsed<String> {
    let start = input.position();
    let octets = input.astring()?;
    match charset.decode_without_bom_handling_and_without_replacement(&octets) {
        Some(text) => Ok(text.into_owned()),
        None => {
            input.back_to(start);
            input.fail("a string in the character set of the command")
        }
    }
}

/// RFC 7162 section 3.1.5: `MODSEQ [entry-name SP entry-type] SP number`.
fn mod_seq(input: &mut Input<'_>) -> Parsed<u64> {
    input.space()?;
    if input.peek() == Some(b'"') {
        let start = input.position();
        if !input.string()?.starts_with(b"/flags/") {
            input.back_to(start);
            return input.fail("an entry name such as \"/flags/\\\\Seen\"");
        }
        input.space()?;
        if !["priv", "shared", "all"].iter().any(|kind| input.eat_word(kind)) {
            return input.fail("priv, shared or all");
        }
        input.space()?;
    }
    input.number64()
}

/// RFC 8474 section 7: letters, digits, `_` and `-`.
fn object_id(input: &mut Input<'_>) -> Parsed<String> {
    let id = input.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'));
    match std::str::from_utf8(id) {
        Ok(id) if !id.is_empty() && id.len() <= 255 => Ok(id.into()),
        _ => input.fail("an object identifier"),
    }
}
