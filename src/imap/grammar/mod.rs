//! The grammar of commands: one rule per verb, all into the types of `command`.
//!
//! Our own for every verb: almost all of them have grown extensions that imap-codec does not read, and two grammars for
//! one protocol would be two notions of an atom. Where imap-codec does read a command, the tests hold ours against it.
//! What is not here: which command is allowed when, and what it means; that is the session's.

mod append;
mod command;
mod dates;
mod fetch;
mod input;
mod list;
mod mailbox;
mod metadata;
mod notify;
mod numbers;
mod rights;
mod search;
mod status;
mod url;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

pub use command::{
    Access, AppendData, AppendMessage, Body, CatenatePart, Command, FilterScript, Flag, MatchData, QResync, Ranges,
    Secret, Select, SortCriterion, SortKey, Tag, ThreadAlgorithm, Use,
};
pub use dates::{DateTime, Day, date_of, day_number};
pub use fetch::{Fetch, FetchItem, FlagChange, Section, SectionText, Store, Window};
pub use input::Payload;
pub use list::{List, ListReturn, ListSelection, Pattern};
pub use mailbox::{Impossible, Mailbox};
pub use metadata::{Depth, EntryName, GetMetadata, MetadataOptions, SetMetadata};
pub use notify::{Event, EventGroup, MailboxFilter, Notify};
pub use numbers::{Addressing, Numbers, PartialFrom, PartialRange, SequenceSet};
pub use rights::{IdentifierRights, QuotaLimit, RightsChange};
pub use search::{DateIs, DateOf, Key, ReturnOption, TextIn};
pub use status::StatusItem;
pub use url::{MessageUrl, UrlError, UrlServer, message_url};

pub(super) use dates::month_name;
pub(super) use input::is_atom_char;

use crate::imap::framing::{Announced, Framed};
use crate::types::SpecialUse;
use crate::types::limits::IMAP_LIST_ELEMENTS_MAX;
use base64::Engine;
use input::{Input, Parsed};
use numbers::plain_set;
use std::fmt;

/// What the session has agreed on and the grammar depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Mailbox names are UTF-8 and not modified UTF-7: after ENABLE of IMAP4rev2 or UTF8=ACCEPT.
    pub utf8_names: bool,
    /// After ENABLE of UTF8=ACCEPT without IMAP4rev2.
    pub charset_refused: bool,
}

/// Why a command can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// At this octet of the command something else was expected.
    Syntax {
        at: usize,
        expected: &'static str,
    },
    UnknownCommand,
    /// More than we take of what is named.
    Limit(&'static str),
    /// RFC 9738 section 3.1: more than one APPEND takes.
    TooManyMessages,
    /// NO [BADCHARSET] (RFC 9051 section 6.4.4).
    BadCharset,
    /// The same of a search whose result should have been saved.
    BadCharsetUnsaved,
    /// A long literal where no message can stand.
    LiteralTooBig,
    /// The command is in order up to the literal of a message that is still to come.
    MessageAnnounced,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { at, expected } => write!(formatter, "Expected {expected} at octet {at}"),
            Self::UnknownCommand => formatter.write_str("Unknown command"),
            Self::Limit(what) => write!(formatter, "Too many {what}"),
            Self::TooManyMessages => formatter.write_str("Too many messages in one APPEND"),
            Self::BadCharset | Self::BadCharsetUnsaved => formatter.write_str("Unknown character set"),
            Self::LiteralTooBig => formatter.write_str("Literal too big"),
            Self::MessageAnnounced => formatter.write_str("A message is to follow"),
        }
    }
}

impl std::error::Error for Cause {}

/// A command that can't be read, with its tag if that much could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub tag: Option<Tag>,
    pub cause: Cause,
}

pub fn parse(framed: Framed<'_>, mode: Mode) -> Result<Command, Refused> {
    let mut input = Input::new(without_trailing_blanks(framed.octets), framed.streamed, mode);
    command(&mut input)
}

/// Some programs end a line with a blank, which means nothing. Behind a literal it is left: there it could be the literal's.
fn without_trailing_blanks(octets: &[u8]) -> &[u8] {
    let blanks = octets.iter().rev().take_while(|octet| **octet == b' ').count();
    if blanks == 0 || memchr::memchr(b'\n', octets).is_some() { octets } else { &octets[..octets.len() - blanks] }
}

/// What a long literal that was announced is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnnouncedFor {
    /// A message or a part of one, for this mailbox: the literal can be streamed.
    Message { tag: Tag, mailbox: Mailbox },
    /// Nothing that may be so long, or a command that is wrong already.
    Nothing { tag: Option<Tag>, cause: Cause },
}

pub fn announced_for(announced: Announced<'_>, mode: Mode) -> AnnouncedFor {
    let mut input = Input::new(announced.so_far, announced.streamed, mode);
    input.announced = true;
    match command(&mut input) {
        Err(Refused { tag: Some(tag), cause: Cause::MessageAnnounced }) => {
            // Read once already, so it can be read again: tag, verb, what REPLACE replaces, the mailbox.
            let mut input = Input::new(announced.so_far, announced.streamed, mode);
            match message_mailbox(&mut input) {
                Ok(mailbox) => AnnouncedFor::Message { tag, mailbox },
                Err(cause) => AnnouncedFor::Nothing { tag: Some(tag), cause },
            }
        }
        Err(Refused { tag, cause }) => AnnouncedFor::Nothing { tag, cause },
        Ok(command) => AnnouncedFor::Nothing { tag: Some(command.tag), cause: Cause::LiteralTooBig },
    }
}

fn message_mailbox(input: &mut Input<'_>) -> Parsed<Mailbox> {
    input.tag()?;
    input.space()?;
    let mut verb = input.word("a command")?;
    input.space()?;
    if verb == "UID" {
        verb = input.word("a command")?;
        input.space()?;
    }
    if verb == "REPLACE" {
        numbers::one_number(input)?;
        input.space()?;
    }
    mailbox::mailbox(input)
}

/// The tag at the start of a command that was not kept.
pub fn tag_of(so_far: &[u8]) -> Option<Tag> {
    let mut input = Input::new(so_far, &[], Mode::default());
    let tag = input.tag().ok()?;
    input.space().ok().map(|()| tag)
}

fn command(input: &mut Input<'_>) -> Result<Command, Refused> {
    let tag = input.tag().map_err(|cause| Refused { tag: None, cause })?;
    let parsed = input.space().and_then(|()| body(input)).and_then(|body| input.end().map(|()| body));
    match parsed {
        Ok(body) => Ok(Command { tag, body }),
        Err(cause) => Err(Refused { tag: Some(tag), cause }),
    }
}

fn body(input: &mut Input<'_>) -> Parsed<Body> {
    let verb = input.word("a command")?;
    let alone = match verb.as_str() {
        "CAPABILITY" => Some(Body::Capability),
        "NOOP" => Some(Body::Noop),
        "LOGOUT" => Some(Body::Logout),
        "STARTTLS" => Some(Body::StartTls),
        "UNAUTHENTICATE" => Some(Body::Unauthenticate),
        "IDLE" => Some(Body::Idle),
        "NAMESPACE" => Some(Body::Namespace),
        "CHECK" => Some(Body::Check),
        "CLOSE" => Some(Body::Close),
        "UNSELECT" => Some(Body::Unselect),
        "EXPUNGE" => Some(Body::Expunge),
        _ => None,
    };
    if let Some(body) = alone {
        return Ok(body);
    }
    // Unknown before the space after it is missed.
    let Some(rule) = rule(&verb) else {
        return Err(Cause::UnknownCommand);
    };
    input.space()?;
    rule(input)
}

type Rule = fn(&mut Input<'_>) -> Parsed<Body>;

/// The rule of a verb that has arguments.
fn rule(verb: &str) -> Option<Rule> {
    Some(match verb {
        "ID" => id,
        "AUTHENTICATE" => authenticate,
        "LOGIN" => login,
        "ENABLE" => |input| Ok(Body::Enable(input.spaced(|input| input.word("a capability"))?)),
        "COMPRESS" => |input| Ok(Body::Compress(input.word("a compression algorithm")?)),
        "SELECT" => |input| select(input, Access::ReadWrite),
        "EXAMINE" => |input| select(input, Access::ReadOnly),
        "CREATE" => create,
        "DELETE" => |input| Ok(Body::Delete(mailbox::mailbox(input)?)),
        "RENAME" => rename,
        "SUBSCRIBE" => |input| Ok(Body::Subscribe(mailbox::mailbox(input)?)),
        "UNSUBSCRIBE" => |input| Ok(Body::Unsubscribe(mailbox::mailbox(input)?)),
        "LIST" => |input| Ok(Body::List(list::list(input)?)),
        "LSUB" => |input| Ok(Body::Lsub(list::lsub(input)?)),
        "STATUS" => status,
        "APPEND" => append::append,
        "GETMETADATA" => |input| Ok(Body::GetMetadata(metadata::get_metadata(input)?)),
        "SETMETADATA" => |input| Ok(Body::SetMetadata(metadata::set_metadata(input)?)),
        "GETACL" => |input| Ok(Body::GetAcl(mailbox::mailbox(input)?)),
        "SETACL" => |input| Ok(Body::SetAcl(rights::set_acl(input)?)),
        "DELETEACL" => |input| {
            rights::mailbox_and_identifier(input).map(|(mailbox, identifier)| Body::DeleteAcl { mailbox, identifier })
        },
        "LISTRIGHTS" => |input| {
            rights::mailbox_and_identifier(input).map(|(mailbox, identifier)| Body::ListRights { mailbox, identifier })
        },
        "MYRIGHTS" => |input| Ok(Body::MyRights(mailbox::mailbox(input)?)),
        "GETQUOTA" => |input| Ok(Body::GetQuota(input.astring_text()?)),
        "GETQUOTAROOT" => |input| Ok(Body::GetQuotaRoot(mailbox::mailbox(input)?)),
        "SETQUOTA" => set_quota,
        "NOTIFY" => |input| Ok(Body::Notify(notify::notify(input)?)),
        "ESEARCH" => search::multi_search,
        "CANCELUPDATE" => |input| Ok(Body::CancelUpdate(input.spaced(Input::string_text)?)),
        "UIDBATCHES" => uid_batches,
        "UID" => |input| {
            let verb = input.word("a command")?;
            input.space()?;
            match verb.as_str() {
                "EXPUNGE" => Ok(Body::UidExpunge(numbers::numbers(input)?)),
                _ => numbered(&verb, input, Addressing::Uid),
            }
        },
        "SEARCH" => |input| numbered("SEARCH", input, Addressing::Sequence),
        "SORT" => |input| numbered("SORT", input, Addressing::Sequence),
        "THREAD" => |input| numbered("THREAD", input, Addressing::Sequence),
        "FETCH" => |input| numbered("FETCH", input, Addressing::Sequence),
        "STORE" => |input| numbered("STORE", input, Addressing::Sequence),
        "COPY" => |input| numbered("COPY", input, Addressing::Sequence),
        "MOVE" => |input| numbered("MOVE", input, Addressing::Sequence),
        "REPLACE" => |input| numbered("REPLACE", input, Addressing::Sequence),
        "FILTER" => |input| numbered("FILTER", input, Addressing::Sequence),
        _ => return None,
    })
}

/// The verbs that speak of messages, by sequence number or after UID.
fn numbered(verb: &str, input: &mut Input<'_>, addressing: Addressing) -> Parsed<Body> {
    match verb {
        "SEARCH" => search::search(input, addressing),
        "SORT" => search::sort(input, addressing),
        "THREAD" => search::thread(input, addressing),
        "FETCH" => Ok(Body::Fetch(fetch::fetch(input, addressing)?)),
        "STORE" => Ok(Body::Store(fetch::store(input, addressing)?)),
        "COPY" => copy(input).map(|(numbers, to)| Body::Copy { addressing, numbers, to }),
        "MOVE" => copy(input).map(|(numbers, to)| Body::Move { addressing, numbers, to }),
        "REPLACE" => append::replace(input, addressing),
        "FILTER" => search::filter(input, addressing),
        _ => Err(Cause::UnknownCommand),
    }
}

fn copy(input: &mut Input<'_>) -> Parsed<(Numbers, Mailbox)> {
    let numbers = numbers::numbers(input)?;
    input.space()?;
    Ok((numbers, mailbox::mailbox(input)?))
}

/// RFC 2971 section 3: pairs of field and value, or NIL.
fn id(input: &mut Input<'_>) -> Parsed<Body> {
    if input.eat_word("NIL") {
        return Ok(Body::Id(None));
    }
    let fields = input.list_or_empty(|input| {
        let field = input.string_text()?;
        input.space()?;
        let start = input.position();
        match input.nstring()?.map(|value| String::from_utf8(value.into_owned())) {
            None => Ok((field, None)),
            Some(Ok(value)) => Ok((field, Some(value))),
            Some(Err(_)) => {
                input.back_to(start);
                input.fail("UTF-8")
            }
        }
    })?;
    Ok(Body::Id(Some(fields)))
}

fn login(input: &mut Input<'_>) -> Parsed<Body> {
    let user = input.astring_text()?;
    input.space()?;
    Ok(Body::Login { user, password: Secret(input.astring()?.into_owned()) })
}

/// With an initial response (RFC 4959 section 3); `=` is an empty one.
fn authenticate(input: &mut Input<'_>) -> Parsed<Body> {
    let mechanism = input.word("a mechanism")?;
    if !input.eat(b' ') {
        return Ok(Body::Authenticate { mechanism, initial: None });
    }
    let encoded = input.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'='));
    match sasl_answer(encoded) {
        Some(initial) => Ok(Body::Authenticate { mechanism, initial: Some(initial) }),
        None => input.fail("base64"),
    }
}

/// A line of a SASL exchange: base64, with `=` for nothing at the beginning. `None` also for `*`, which ends it.
pub fn sasl_answer(line: &[u8]) -> Option<Secret> {
    if line == b"=" {
        return Some(Secret(Vec::new()));
    }
    base64::engine::general_purpose::STANDARD.decode(line).ok().map(Secret)
}

/// RFC 9051 section 6.3.2; parameters of RFC 7162 section 3.1.8 and 3.2.5.
fn select(input: &mut Input<'_>, access: Access) -> Parsed<Body> {
    let mut select = Select { mailbox: mailbox::mailbox(input)?, access, condstore: false, qresync: None };
    if input.eat(b' ') {
        input.list(|input| {
            let start = input.position();
            match input.word("a parameter")?.as_str() {
                "CONDSTORE" => select.condstore = true,
                "QRESYNC" => {
                    input.space()?;
                    select.qresync = Some(qresync(input)?);
                }
                _ => {
                    input.back_to(start);
                    return input.fail("CONDSTORE or QRESYNC");
                }
            }
            Ok(())
        })?;
    }
    Ok(Body::Select(select))
}

fn qresync(input: &mut Input<'_>) -> Parsed<QResync> {
    input.expect(b'(', "an opening parenthesis")?;
    let uid_validity = input.nonzero()?;
    input.space()?;
    let mod_seq = input.number64()?;
    let mut qresync = QResync { uid_validity, mod_seq, known_uids: None, match_data: None };
    if input.rest().first() == Some(&b' ') && input.rest().get(1) != Some(&b'(') {
        input.space()?;
        qresync.known_uids = Some(plain_set(input)?);
    }
    if input.eat(b' ') {
        input.expect(b'(', "an opening parenthesis")?;
        let sequence = plain_set(input)?;
        input.space()?;
        let uids = plain_set(input)?;
        input.expect(b')', "a closing parenthesis")?;
        qresync.match_data = Some(MatchData { sequence, uids });
    }
    input.expect(b')', "a closing parenthesis")?;
    Ok(qresync)
}

/// RFC 9051 section 6.3.4; USE is RFC 6154 section 3.
fn create(input: &mut Input<'_>) -> Parsed<Body> {
    let mailbox = mailbox::mailbox_to_create(input)?;
    let mut uses = Vec::new();
    if input.eat(b' ') {
        let given = input.list(|input| {
            if !input.eat_word("USE") {
                return input.fail("USE");
            }
            input.space()?;
            input.list_or_empty(|input| {
                input.expect(b'\\', "a use such as \\Sent")?;
                let name = format!("\\{}", input.atom("a use such as \\Sent")?);
                Ok(SpecialUse::parse(&name).map_or_else(|| Use::Unknown(name), Use::Known))
            })
        })?;
        uses = given.concat();
        if uses.len() > IMAP_LIST_ELEMENTS_MAX {
            return Err(Cause::Limit("list elements"));
        }
    }
    Ok(Body::Create { mailbox, uses })
}

fn rename(input: &mut Input<'_>) -> Parsed<Body> {
    let from = mailbox::mailbox(input)?;
    input.space()?;
    Ok(Body::Rename { from, to: mailbox::mailbox_to_create(input)? })
}

fn status(input: &mut Input<'_>) -> Parsed<Body> {
    let mailbox = mailbox::mailbox(input)?;
    input.space()?;
    Ok(Body::Status { mailbox, items: status::status_items(input)? })
}

fn set_quota(input: &mut Input<'_>) -> Parsed<Body> {
    let root = input.astring_text()?;
    input.space()?;
    Ok(Body::SetQuota { root, limits: rights::quota_limits(input)? })
}

/// The extension UIDBATCHES: a size, and perhaps which of the batches.
fn uid_batches(input: &mut Input<'_>) -> Parsed<Body> {
    let size = input.nonzero()?;
    let mut batches = None;
    if input.eat(b' ') {
        let first = input.nonzero()?;
        input.expect(b':', "a colon")?;
        let last = input.nonzero()?;
        batches = Some((first.min(last), first.max(last)));
    }
    Ok(Body::UidBatches { size, batches })
}
