//! Which arguments every command and test takes, and of which extension each is. One table, one check.

use super::extensions::{Extension, Extensions};
use super::lexer::Position;
use super::script::CompileError;
use super::syntax::{Argument, ArgumentValue};
use super::text::{Text, Variables};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Number,
    Text,
    Texts,
    /// A string without variables, because it is needed before anything runs.
    Constant,
    Constants,
}

#[derive(Debug)]
pub(super) struct TagSpec {
    name: &'static str,
    takes: Takes,
    needs: Option<Extension>,
    /// Tags of one group exclude each other; the empty name is a group of its own for each tag.
    group: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) needs: Option<Extension>,
    tags: &'static [&'static [TagSpec]],
    /// Positional arguments; the first may be left out when `first_optional`, the last when `last_optional`.
    takes: &'static [Takes],
    optional: Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Optional {
    None,
    First,
    Last,
}

const fn tag(name: &'static str, takes: Takes, needs: Option<Extension>, group: &'static str) -> TagSpec {
    TagSpec { name, takes, needs, group }
}

const MATCH: &[TagSpec] = &[
    tag("is", Takes::Nothing, None, "match"),
    tag("contains", Takes::Nothing, None, "match"),
    tag("matches", Takes::Nothing, None, "match"),
    tag("regex", Takes::Nothing, Some(Extension::Regex), "match"),
    tag("value", Takes::Constant, Some(Extension::Relational), "match"),
    tag("count", Takes::Constant, Some(Extension::Relational), "match"),
    tag("comparator", Takes::Constant, None, ""),
];
const LIST: &[TagSpec] = &[tag("list", Takes::Nothing, Some(Extension::ExtLists), "match")];
const ADDRESS_PART: &[TagSpec] = &[
    tag("all", Takes::Nothing, None, "part"),
    tag("localpart", Takes::Nothing, None, "part"),
    tag("domain", Takes::Nothing, None, "part"),
    tag("user", Takes::Nothing, Some(Extension::SubAddress), "part"),
    tag("detail", Takes::Nothing, Some(Extension::SubAddress), "part"),
];
const INDEX: &[TagSpec] =
    &[tag("index", Takes::Number, Some(Extension::Index), ""), tag("last", Takes::Nothing, Some(Extension::Index), "")];
const MIME: &[TagSpec] = &[
    tag("mime", Takes::Nothing, Some(Extension::Mime), ""),
    tag("anychild", Takes::Nothing, Some(Extension::Mime), ""),
];
const MIME_VALUE: &[TagSpec] = &[
    tag("type", Takes::Nothing, Some(Extension::Mime), "mimevalue"),
    tag("subtype", Takes::Nothing, Some(Extension::Mime), "mimevalue"),
    tag("contenttype", Takes::Nothing, Some(Extension::Mime), "mimevalue"),
    tag("param", Takes::Texts, Some(Extension::Mime), "mimevalue"),
];
const ZONE: &[TagSpec] = &[tag("zone", Takes::Constant, None, "zone")];
const ORIGINAL_ZONE: &[TagSpec] = &[tag("originalzone", Takes::Nothing, None, "zone")];
const FLAGS: &[TagSpec] = &[tag("flags", Takes::Texts, Some(Extension::Imap4Flags), "")];
const PLACE: &[TagSpec] = &[
    tag("create", Takes::Nothing, Some(Extension::Mailbox), ""),
    tag("mailboxid", Takes::Text, Some(Extension::MailboxId), ""),
    tag("specialuse", Takes::Text, Some(Extension::SpecialUse), ""),
];
const FCC: &[TagSpec] = &[tag("fcc", Takes::Text, Some(Extension::Fcc), "")];
const COPY: &[TagSpec] = &[tag("copy", Takes::Nothing, Some(Extension::Copy), "")];
const MODIFIERS: &[TagSpec] = &[
    // RFC 5229 section 4.1: two modifiers of one precedence exclude each other.
    tag("lower", Takes::Nothing, None, "40"),
    tag("upper", Takes::Nothing, None, "40"),
    tag("lowerfirst", Takes::Nothing, None, "30"),
    tag("upperfirst", Takes::Nothing, None, "30"),
    tag("quotewildcard", Takes::Nothing, None, "20"),
    tag("quoteregex", Takes::Nothing, Some(Extension::Regex), "20"),
    tag("encodeurl", Takes::Nothing, Some(Extension::Enotify), "15"),
    tag("length", Takes::Nothing, None, "10"),
];
const REDIRECT: &[TagSpec] = &[
    tag("list", Takes::Nothing, Some(Extension::ExtLists), ""),
    tag("notify", Takes::Constant, Some(Extension::RedirectDsn), ""),
    tag("ret", Takes::Constant, Some(Extension::RedirectDsn), ""),
    tag("bytimerelative", Takes::Number, Some(Extension::RedirectDeliverBy), "bytime"),
    tag("bytimeabsolute", Takes::Text, Some(Extension::RedirectDeliverBy), "bytime"),
    tag("bymode", Takes::Constant, Some(Extension::RedirectDeliverBy), ""),
    tag("bytrace", Takes::Nothing, Some(Extension::RedirectDeliverBy), ""),
];
const VACATION: &[TagSpec] = &[
    tag("days", Takes::Number, None, "interval"),
    tag("seconds", Takes::Number, Some(Extension::VacationSeconds), "interval"),
    tag("subject", Takes::Text, None, ""),
    tag("from", Takes::Text, None, ""),
    tag("addresses", Takes::Texts, None, ""),
    tag("mime", Takes::Nothing, None, ""),
    tag("handle", Takes::Text, None, ""),
];
const NOTIFY: &[TagSpec] = &[
    tag("from", Takes::Text, None, ""),
    tag("importance", Takes::Text, None, ""),
    tag("options", Takes::Texts, None, ""),
    tag("message", Takes::Text, None, ""),
];
const DUPLICATE: &[TagSpec] = &[
    tag("handle", Takes::Text, None, ""),
    tag("header", Takes::Text, None, "id"),
    tag("uniqueid", Takes::Text, None, "id"),
    tag("seconds", Takes::Number, None, ""),
    tag("last", Takes::Nothing, None, ""),
];
const BODY: &[TagSpec] = &[
    tag("raw", Takes::Nothing, None, "transform"),
    tag("text", Takes::Nothing, None, "transform"),
    tag("content", Takes::Texts, None, "transform"),
];
const SIZE: &[TagSpec] = &[tag("over", Takes::Number, None, "size"), tag("under", Takes::Number, None, "size")];
const INCLUDE: &[TagSpec] = &[
    tag("personal", Takes::Nothing, None, "place"),
    tag("global", Takes::Nothing, None, "place"),
    tag("once", Takes::Nothing, None, ""),
    tag("optional", Takes::Nothing, None, ""),
];
const LOOP_NAME: &[TagSpec] = &[tag("name", Takes::Constant, None, "")];
const ADD_HEADER: &[TagSpec] = &[tag("last", Takes::Nothing, None, "")];
const DELETE_HEADER: &[TagSpec] = &[tag("index", Takes::Number, None, ""), tag("last", Takes::Nothing, None, "")];
const REPLACE: &[TagSpec] =
    &[tag("mime", Takes::Nothing, None, ""), tag("subject", Takes::Text, None, ""), tag("from", Takes::Text, None, "")];
const ENCLOSE: &[TagSpec] = &[tag("subject", Takes::Text, None, ""), tag("headers", Takes::Texts, None, "")];
const FIRST: &[TagSpec] = &[tag("first", Takes::Number, None, "")];
const PERCENT: &[TagSpec] = &[tag("percent", Takes::Nothing, Some(Extension::SpamTestPlus), "")];

const fn spec(
    name: &'static str,
    needs: Option<Extension>,
    tags: &'static [&'static [TagSpec]],
    takes: &'static [Takes],
) -> Spec {
    Spec { name, needs, tags, takes, optional: Optional::None }
}

const fn first_optional(spec: Spec) -> Spec {
    Spec { optional: Optional::First, ..spec }
}

const fn last_optional(spec: Spec) -> Spec {
    Spec { optional: Optional::Last, ..spec }
}

use Extension as E;
use Takes::{Text as One, Texts as Many};

const COMMANDS: &[Spec] = &[
    spec("require", None, &[], &[Takes::Constants]),
    spec("if", None, &[], &[]),
    spec("elsif", None, &[], &[]),
    spec("else", None, &[], &[]),
    spec("stop", None, &[], &[]),
    spec("keep", None, &[FLAGS], &[]),
    spec("discard", None, &[], &[]),
    spec("redirect", None, &[COPY, REDIRECT], &[One]),
    spec("fileinto", Some(E::FileInto), &[COPY, FLAGS, PLACE], &[One]),
    spec("reject", Some(E::Reject), &[], &[One]),
    spec("ereject", Some(E::Ereject), &[], &[One]),
    spec("vacation", Some(E::Vacation), &[VACATION, FCC, FLAGS, PLACE], &[One]),
    spec("notify", Some(E::Enotify), &[NOTIFY, FCC, FLAGS, PLACE], &[One]),
    spec("set", Some(E::Variables), &[MODIFIERS], &[Takes::Constant, One]),
    first_optional(spec("setflag", Some(E::Imap4Flags), &[], &[Takes::Constant, Many])),
    first_optional(spec("addflag", Some(E::Imap4Flags), &[], &[Takes::Constant, Many])),
    first_optional(spec("removeflag", Some(E::Imap4Flags), &[], &[Takes::Constant, Many])),
    spec("addheader", Some(E::EditHeader), &[ADD_HEADER], &[One, One]),
    last_optional(spec("deleteheader", Some(E::EditHeader), &[MATCH, DELETE_HEADER, MIME], &[One, Many])),
    spec("foreverypart", Some(E::ForEveryPart), &[LOOP_NAME], &[]),
    spec("break", Some(E::ForEveryPart), &[LOOP_NAME], &[]),
    spec("extracttext", Some(E::ExtractText), &[MODIFIERS, FIRST], &[Takes::Constant]),
    spec("replace", Some(E::Replace), &[REPLACE], &[One]),
    spec("enclose", Some(E::Enclose), &[ENCLOSE], &[One]),
    spec("include", Some(E::Include), &[INCLUDE], &[Takes::Constant]),
    spec("return", Some(E::Include), &[], &[]),
    spec("global", Some(E::Include), &[], &[Takes::Constants]),
    spec("error", Some(E::Ihave), &[], &[One]),
];

const TESTS: &[Spec] = &[
    spec("true", None, &[], &[]),
    spec("false", None, &[], &[]),
    spec("not", None, &[], &[]),
    spec("anyof", None, &[], &[]),
    spec("allof", None, &[], &[]),
    spec("size", None, &[SIZE], &[]),
    spec("exists", None, &[MIME], &[Many]),
    spec("header", None, &[MATCH, LIST, INDEX, MIME, MIME_VALUE], &[Many, Many]),
    spec("address", None, &[MATCH, LIST, ADDRESS_PART, INDEX, MIME], &[Many, Many]),
    spec("envelope", Some(E::Envelope), &[MATCH, LIST, ADDRESS_PART, ZONE], &[Takes::Constants, Many]),
    spec("body", Some(E::Body), &[MATCH, BODY], &[Many]),
    spec("date", Some(E::Date), &[MATCH, LIST, INDEX, MIME, ZONE, ORIGINAL_ZONE], &[One, Takes::Constant, Many]),
    spec("currentdate", Some(E::Date), &[MATCH, LIST, ZONE], &[Takes::Constant, Many]),
    spec("string", Some(E::Variables), &[MATCH, LIST], &[Many, Many]),
    first_optional(spec("hasflag", Some(E::Imap4Flags), &[MATCH], &[Takes::Constants, Many])),
    spec("environment", Some(E::Environment), &[MATCH], &[Takes::Constant, Many]),
    spec("mailboxexists", Some(E::Mailbox), &[], &[Many]),
    spec("mailboxidexists", Some(E::MailboxId), &[], &[Many]),
    spec("metadata", Some(E::MailboxMetadata), &[MATCH], &[One, One, Many]),
    spec("metadataexists", Some(E::MailboxMetadata), &[], &[One, Many]),
    spec("servermetadata", Some(E::ServerMetadata), &[MATCH], &[One, Many]),
    spec("servermetadataexists", Some(E::ServerMetadata), &[], &[Many]),
    first_optional(spec("specialuse_exists", Some(E::SpecialUse), &[], &[One, Many])),
    spec("duplicate", Some(E::Duplicate), &[DUPLICATE], &[]),
    spec("spamtest", Some(E::SpamTest), &[MATCH, PERCENT], &[One]),
    spec("virustest", Some(E::VirusTest), &[MATCH], &[One]),
    spec("ihave", Some(E::Ihave), &[], &[Takes::Constants]),
    spec("notify_method_capability", Some(E::Enotify), &[MATCH], &[One, One, Many]),
    spec("valid_notify_method", Some(E::Enotify), &[], &[Many]),
    spec("valid_ext_list", Some(E::ExtLists), &[], &[Many]),
];

pub(super) fn command(name: &str) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.name == name)
}

pub(super) fn test(name: &str) -> Option<&'static Spec> {
    TESTS.iter().find(|spec| spec.name == name)
}

/// Checked arguments of one command or test.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    tags: Vec<(&'static str, Position, Vec<Text>, u64)>,
    positional: Vec<Vec<Text>>,
}

impl Arguments {
    pub(super) fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|(name, ..)| *name == tag)
    }

    pub(super) fn tag_names(&self) -> impl Iterator<Item = &'static str> {
        self.tags.iter().map(|(name, ..)| *name)
    }

    pub(super) fn tag_at(&self, tag: &str) -> Position {
        self.tags.iter().find(|(name, ..)| *name == tag).map(|(_, at, ..)| *at).unwrap_or_default()
    }

    pub(super) fn number(&self, tag: &str) -> Option<u64> {
        self.tags.iter().find(|(name, ..)| *name == tag).map(|(.., number)| *number)
    }

    pub(super) fn texts(&self, tag: &str) -> Option<&[Text]> {
        self.tags.iter().find(|(name, ..)| *name == tag).map(|(_, _, texts, _)| texts.as_slice())
    }

    pub(super) fn text(&self, tag: &str) -> Option<&Text> {
        self.texts(tag)?.first()
    }

    pub(super) fn constant(&self, tag: &str) -> Option<&str> {
        self.text(tag)?.constant()
    }

    /// How many positional arguments were written.
    pub(super) fn count(&self) -> usize {
        self.positional.len()
    }

    /// A positional list, counted from the front; empty when it was left out.
    pub(super) fn list(&self, index: usize) -> &[Text] {
        self.positional.get(index).map_or(&[], Vec::as_slice)
    }

    /// All strings, for limits that count them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Text> {
        self.tags.iter().flat_map(|(_, _, texts, _)| texts).chain(self.positional.iter().flatten())
    }
}

/// Whether `arguments` are what `spec` takes, with every extension that stands behind them required.
pub(super) fn check(
    spec: &'static Spec,
    at: Position,
    arguments: &[Argument],
    extensions: Extensions,
    variables: &mut Variables,
) -> Result<Arguments, CompileError> {
    need(at, &format!("\"{}\"", spec.name), spec.needs, extensions)?;
    let mut checked = Arguments::default();
    let mut rest = arguments.iter();
    let mut groups: Vec<&'static str> = Vec::new();
    let mut positional = Vec::new();
    while let Some(argument) = rest.next() {
        let ArgumentValue::Tag(name) = &argument.value else {
            positional.push(argument);
            continue;
        };
        // RFC 5228 section 2.6.2: tagged arguments come before positional ones.
        if !positional.is_empty() {
            return Err(argument.at.error(format!("\":{name}\" must stand before the other arguments")));
        }
        let tag = spec.tags.iter().copied().flatten().find(|tag| tag.name == name);
        let Some(tag) = tag else {
            return Err(argument.at.error(format!("\"{}\" has no \":{name}\"", spec.name)));
        };
        need(argument.at, &format!("\":{name}\""), tag.needs, extensions)?;
        let group = if tag.group.is_empty() { tag.name } else { tag.group };
        if groups.contains(&group) {
            return Err(argument.at.error(format!("\":{name}\" conflicts with another tag of \"{}\"", spec.name)));
        }
        groups.push(group);
        let (texts, number) = match tag.takes {
            Takes::Nothing => (Vec::new(), 0),
            takes => {
                let expected = || argument.at.error(format!("\":{name}\" needs {}", takes.describe()));
                value(rest.next().ok_or_else(expected)?, takes, extensions, variables)?.ok_or_else(expected)?
            }
        };
        checked.tags.push((tag.name, argument.at, texts, number));
    }
    checked.positional = check_positional(spec, at, &positional, extensions, variables)?;
    Ok(checked)
}

fn check_positional(
    spec: &'static Spec,
    at: Position,
    arguments: &[&Argument],
    extensions: Extensions,
    variables: &mut Variables,
) -> Result<Vec<Vec<Text>>, CompileError> {
    let takes = match spec.optional {
        Optional::First if arguments.len() + 1 == spec.takes.len() => &spec.takes[1..],
        Optional::Last if arguments.len() + 1 == spec.takes.len() => &spec.takes[..spec.takes.len() - 1],
        _ => spec.takes,
    };
    if arguments.len() > takes.len() {
        return Err(arguments[takes.len()].at.error(format!("\"{}\" takes no further argument", spec.name)));
    }
    let mut checked = Vec::new();
    for (index, takes) in takes.iter().enumerate() {
        let missing = |at: Position| at.error(format!("\"{}\" needs {}", spec.name, takes.describe()));
        let argument = arguments.get(index).ok_or_else(|| missing(at))?;
        let found = value(argument, *takes, extensions, variables)?.ok_or_else(|| missing(argument.at))?;
        checked.push(found.0);
    }
    Ok(checked)
}

/// The argument as `takes` wants it; `None` when it is of another kind.
fn value(
    argument: &Argument,
    takes: Takes,
    extensions: Extensions,
    variables: &mut Variables,
) -> Result<Option<(Vec<Text>, u64)>, CompileError> {
    let written: Vec<(Position, &str)> = match (&argument.value, takes) {
        (ArgumentValue::Number(number), Takes::Number) => return Ok(Some((Vec::new(), *number))),
        (ArgumentValue::Text(text), Takes::Text | Takes::Texts | Takes::Constant | Takes::Constants) => {
            vec![(argument.at, text)]
        }
        (ArgumentValue::Texts(texts), Takes::Texts | Takes::Constants) => {
            texts.iter().map(|(at, text)| (*at, text.as_str())).collect()
        }
        _ => return Ok(None),
    };
    let mut texts = Vec::with_capacity(written.len());
    for (at, text) in written {
        let text = variables.interpret(at, text, extensions)?;
        if matches!(takes, Takes::Constant | Takes::Constants) && text.constant().is_none() {
            return Err(at.error("no variable may stand here"));
        }
        texts.push(text);
    }
    Ok(Some((texts, 0)))
}

fn need(at: Position, what: &str, extension: Option<Extension>, extensions: Extensions) -> Result<(), CompileError> {
    match extension {
        Some(extension) if !extensions.has(extension) => {
            Err(at.error(format!("{what} needs require \"{}\"", extension.name())))
        }
        _ => Ok(()),
    }
}

impl Takes {
    fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Number => "a number",
            Self::Text | Self::Constant => "a string",
            Self::Texts | Self::Constants => "a string or a list of strings",
        }
    }
}
