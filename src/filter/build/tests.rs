//! Tests.

use super::super::call::{
    AddressPart, BodyTransform, CallKind, DatePart, DuplicateId, EnvelopeField, MimeValue, Source, TestCall, Zone,
};
use super::super::extensions::{Extension, Extensions};
use super::super::grammar::{self, Arguments};
use super::super::lexer::Position;
use super::super::script::CompileError;
use super::super::syntax::{ArgumentValue, Test};
use super::super::text::Text;
use super::matches::{MatchWords, SLOTS, is_field_name};
use super::{Builder, Carry, write_list};
use std::fmt::Write;

/// Well-known fields without addresses. Others may have some, whoever has thought them up.
const NO_ADDRESSES: [&str; 14] = [
    "Received",
    "Date",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Comments",
    "Keywords",
    "MIME-Version",
    "Content-Type",
    "Content-Disposition",
    "Content-Transfer-Encoding",
    "List-Id",
    "Auto-Submitted",
];

/// The names an `ihave` asks for.
pub(super) fn ihave_names(test: &Test) -> Vec<String> {
    let mut names = Vec::new();
    for argument in &test.arguments {
        match &argument.value {
            ArgumentValue::Text(text) => names.push(text.clone()),
            ArgumentValue::Texts(texts) => names.extend(texts.iter().map(|(_, text)| text.clone())),
            ArgumentValue::Number(_) | ArgumentValue::Tag(_) => {}
        }
    }
    names
}

/// RFC 5463 section 4: these two change how strings are read, which can't depend on a test.
pub(super) fn is_available(name: &str, extensions: Extensions) -> bool {
    match Extension::parse(name) {
        Some(extension @ (Extension::Variables | Extension::EncodedCharacter)) => extensions.has(extension),
        Some(_) => true,
        None => false,
    }
}

impl Builder {
    /// A test as the engine reads it.
    pub(super) fn test(&mut self, test: &Test) -> Result<String, CompileError> {
        let Some(spec) = grammar::test(&test.name) else {
            return Err(test.at.error(format!("unknown test \"{}\"", test.name)));
        };
        let arguments = grammar::check(spec, test.at, &test.arguments, self.extensions, &mut self.variables)?;
        self.count(test.at, &arguments)?;
        match (test.name.as_str(), test.tests.as_slice()) {
            ("not", [inner]) => {
                let inner = self.test(inner)?;
                Ok(inner.strip_prefix("not ").map_or_else(|| format!("not {inner}"), str::to_owned))
            }
            ("not", _) => Err(test.at.error("\"not\" takes one test")),
            ("anyof" | "allof", []) => Err(test.at.error(format!("\"{}\" needs tests in parentheses", test.name))),
            ("anyof" | "allof", inner) => {
                let inner = inner.iter().map(|inner| self.test(inner)).collect::<Result<Vec<_>, _>>()?;
                Ok(format!("{}({})", test.name, inner.join(", ")))
            }
            ("true" | "false", []) => Ok(test.name.clone()),
            (_, [inner, ..]) => Err(inner.at.error(format!("\"{}\" takes no test", test.name))),
            (_, []) => self.leaf(test, &arguments),
        }
    }

    fn leaf(&mut self, test: &Test, arguments: &Arguments) -> Result<String, CompileError> {
        let at = test.at;
        let mut carry = Carry::default();
        let call = match test.name.as_str() {
            "size" => match (arguments.number("over"), arguments.number("under")) {
                (Some(over), None) => TestCall::SizeOver(over),
                (None, Some(under)) => TestCall::SizeUnder(under),
                _ => return Err(at.error("\"size\" needs \":over\" or \":under\"")),
            },
            "ihave" => return Ok(self.ihave(test)),
            "exists" => {
                self.condition_patterns = self.condition_patterns.saturating_add(1);
                return exists(at, arguments);
            }
            "duplicate" => duplicate(at, arguments, &mut carry)?,
            "mailboxexists" => TestCall::MailboxesExist(carry.many(arguments.list(0))),
            "mailboxidexists" => TestCall::MailboxIdsExist(carry.many(arguments.list(0))),
            "specialuse_exists" => {
                let last = arguments.count().saturating_sub(1);
                let mailbox = if last == 1 { arguments.list(0).first() } else { None };
                TestCall::SpecialUsesExist { mailbox: carry.optional(mailbox), uses: carry.many(arguments.list(last)) }
            }
            "metadataexists" => TestCall::MetadataExists {
                mailbox: carry.optional(arguments.list(0).first()),
                annotations: carry.many(arguments.list(1)),
            },
            "servermetadataexists" => {
                TestCall::MetadataExists { mailbox: None, annotations: carry.many(arguments.list(0)) }
            }
            "valid_notify_method" => TestCall::ValidNotifyMethods(carry.many(arguments.list(0))),
            "valid_ext_list" => TestCall::ValidLists(carry.many(arguments.list(0))),
            _ => return self.comparison(test, arguments),
        };
        Ok(self.call(at, CallKind::Test(call), carry))
    }

    /// RFC 5463 section 4: what is here may be used from now on.
    pub(super) fn ihave(&mut self, test: &Test) -> String {
        let names = ihave_names(test);
        if !names.iter().all(|name| is_available(name, self.extensions)) {
            return "false".to_owned();
        }
        for extension in names.iter().filter_map(|name| Extension::parse(name)) {
            self.extensions.add(extension);
        }
        "true".to_owned()
    }

    /// The tests that compare something with keys.
    fn comparison(&mut self, test: &Test, arguments: &Arguments) -> Result<String, CompileError> {
        let at = test.at;
        let words = MatchWords::read(at, arguments)?.check_comparator(arguments, self.extensions)?;
        let keys = arguments.list(arguments.count().saturating_sub(1)).to_vec();
        match test.name.as_str() {
            "header" | "address" => self.fields(test, arguments, words, &keys),
            "envelope" => {
                let (fields, zone_seconds) = self.envelope_fields(arguments)?;
                let slots = fields.len().min(SLOTS.len());
                let part = address_part(arguments);
                self.compare(at, words, &keys, slots, |_| Source::Envelope { fields, part, zone_seconds })
            }
            "string" if words.is_pattern() => self.string_patterns(at, &words, arguments.list(0), &keys),
            "string" => self.compare(at, words, &keys, 1, |carry| Source::Strings(carry.many(arguments.list(0)))),
            "body" => self.compare(at, words, &keys, SLOTS.len(), |carry| Source::Body(transform(arguments, carry))),
            "date" => {
                let (zone, part) = (zone(arguments)?, date_part(arguments.list(1))?);
                let (index, any_child) = (index(arguments)?, any_child(arguments)?);
                let Some(header) = arguments.list(0).first() else {
                    return Err(at.error("\"date\" needs a header field"));
                };
                self.compare(at, words, &keys, 8, |carry| Source::Date {
                    header: carry.one(header),
                    index,
                    any_child,
                    zone,
                    part,
                })
            }
            "currentdate" => {
                let (zone, part) = (zone(arguments)?, date_part(arguments.list(0))?);
                self.compare(at, words, &keys, 1, |_| Source::CurrentDate { zone, part })
            }
            "hasflag" => {
                let mut variables = Vec::new();
                if arguments.count() == 2 {
                    for name in arguments.list(0) {
                        let constant = name.constant().unwrap_or_default();
                        let piece = self.variables.target(name.at, constant, self.extensions)?;
                        variables.push(Text { at: name.at, pieces: vec![piece] });
                    }
                }
                self.compare(at, words, &keys, SLOTS.len(), |carry| Source::Flags(carry.many(&variables)))
            }
            _ => self.surroundings(test, arguments, words, &keys),
        }
    }

    fn surroundings(
        &mut self,
        test: &Test,
        arguments: &Arguments,
        words: MatchWords,
        keys: &[Text],
    ) -> Result<String, CompileError> {
        let first = arguments.list(0).first();
        let second = arguments.list(1).first();
        let (at, name) = (test.at, test.name.as_str());
        let missing = || at.error(format!("\"{name}\" needs more arguments"));
        match name {
            "environment" => {
                let item = first.and_then(Text::constant).unwrap_or_default().to_ascii_lowercase();
                self.compare(at, words, keys, 1, |_| Source::Environment(item.into()))
            }
            "metadata" => {
                let annotation = second.ok_or_else(missing)?;
                self.compare(at, words, keys, 1, |carry| Source::Metadata {
                    mailbox: carry.optional(first),
                    annotation: carry.one(annotation),
                })
            }
            "servermetadata" => {
                let annotation = first.ok_or_else(missing)?;
                self.compare(at, words, keys, 1, |carry| Source::Metadata {
                    mailbox: None,
                    annotation: carry.one(annotation),
                })
            }
            "spamtest" => self.compare(at, words, keys, 1, |_| Source::Spam { percent: arguments.has("percent") }),
            "virustest" => self.compare(at, words, keys, 1, |_| Source::Virus),
            "notify_method_capability" => {
                let (method, capability) = (first.ok_or_else(missing)?, second.ok_or_else(missing)?);
                self.compare(at, words, keys, 1, |carry| Source::NotifyCapability {
                    method: carry.one(method),
                    capability: carry.one(capability),
                })
            }
            _ => Err(at.error(format!("unknown test \"{name}\""))),
        }
    }

    /// `header` and `address`: patterns go to the engine, which sees all fields however many there are.
    fn fields(
        &mut self,
        test: &Test,
        arguments: &Arguments,
        words: MatchWords,
        keys: &[Text],
    ) -> Result<String, CompileError> {
        let names = arguments.list(0);
        for name in names {
            if name.constant().is_some_and(|constant| !is_field_name(constant)) {
                return Err(name.at.error("this is no name for a header field"));
            }
        }
        if test.name == "address" {
            for name in names {
                // RFC 5228 section 5.1: a field that has no addresses must not be asked for one.
                if name.constant().is_some_and(|name| NO_ADDRESSES.iter().any(|known| known.eq_ignore_ascii_case(name)))
                {
                    return Err(name.at.error("this header field has no addresses"));
                }
            }
        }
        let (index, any_child) = (index(arguments)?, any_child(arguments)?);
        let mime_tags = ["type", "subtype", "contenttype", "param"];
        if let Some(tag) = mime_tags.into_iter().find(|tag| arguments.has(tag) && !arguments.has("mime")) {
            return Err(arguments.tag_at(tag).error(format!("\":{tag}\" needs \":mime\"")));
        }
        let is_address = test.name == "address";
        if self.is_ours(words) {
            return self.compare(test.at, words, keys, 1, |carry| {
                let names = carry.many(names);
                if is_address {
                    Source::Address { names, index, any_child, part: address_part(arguments) }
                } else {
                    Source::Header { names, index, any_child, mime: mime_value(arguments, carry) }
                }
            });
        }
        let mut line = test.name.clone();
        for tag in
            ["all", "localpart", "domain", "user", "detail", "mime", "anychild", "type", "subtype", "contenttype"]
        {
            if arguments.has(tag) {
                _ = write!(line, " :{tag}");
            }
        }
        if let Some(parameters) = arguments.texts("param") {
            line.push_str(" :param ");
            write_list(parameters, &mut line);
        }
        if let Some(index) = index {
            _ = write!(line, " :index {}{}", index.abs(), if index < 0 { " :last" } else { "" });
        }
        words.write(&mut line);
        line.push(' ');
        write_list(names, &mut line);
        line.push(' ');
        write_list(&words.keys(keys), &mut line);
        self.native(test.at, &words, keys, &line)
    }

    fn envelope_fields(&self, arguments: &Arguments) -> Result<(Vec<EnvelopeField>, Option<i32>), CompileError> {
        let mut fields = Vec::new();
        for name in arguments.list(0) {
            let text = name.constant().unwrap_or_default().to_ascii_lowercase();
            let (field, needs) = match text.as_str() {
                "from" => (EnvelopeField::From, None),
                "to" => (EnvelopeField::To, None),
                "notify" => (EnvelopeField::Notify, Some(Extension::EnvelopeDsn)),
                "orcpt" => (EnvelopeField::OriginalRecipient, Some(Extension::EnvelopeDsn)),
                "ret" => (EnvelopeField::Return, Some(Extension::EnvelopeDsn)),
                "envid" => (EnvelopeField::EnvelopeId, Some(Extension::EnvelopeDsn)),
                "bytimeabsolute" => (EnvelopeField::ByTimeAbsolute, Some(Extension::EnvelopeDeliverBy)),
                "bytimerelative" => (EnvelopeField::ByTimeRelative, Some(Extension::EnvelopeDeliverBy)),
                "bymode" => (EnvelopeField::ByMode, Some(Extension::EnvelopeDeliverBy)),
                "bytrace" => (EnvelopeField::ByTrace, Some(Extension::EnvelopeDeliverBy)),
                _ => return Err(name.at.error(format!("the envelope has no part \"{text}\""))),
            };
            if let Some(extension) = needs.filter(|extension| !self.extensions.has(*extension)) {
                return Err(name.at.error(format!("\"{text}\" needs require \"{}\"", extension.name())));
            }
            fields.push(field);
        }
        let zone_seconds = match arguments.constant("zone") {
            Some(text) => Some(offset(text).ok_or_else(|| arguments.tag_at("zone").error("expected +hhmm or -hhmm"))?),
            None => None,
        };
        if zone_seconds.is_some() && !self.extensions.has(Extension::EnvelopeDeliverBy) {
            return Err(arguments.tag_at("zone").error("\":zone\" needs require \"envelope-deliverby\""));
        }
        Ok((fields, zone_seconds))
    }
}

fn exists(at: Position, arguments: &Arguments) -> Result<String, CompileError> {
    any_child(arguments)?;
    let mut line = "exists".to_owned();
    for tag in ["mime", "anychild"] {
        if arguments.has(tag) {
            _ = write!(line, " :{tag}");
        }
    }
    let names = arguments.list(0);
    if names.iter().any(|name| name.constant().is_some_and(|constant| !is_field_name(constant))) {
        return Err(at.error("this is no name for a header field"));
    }
    line.push(' ');
    write_list(names, &mut line);
    Ok(line)
}

fn duplicate(at: Position, arguments: &Arguments, carry: &mut Carry) -> Result<TestCall, CompileError> {
    let id = match (arguments.text("header"), arguments.text("uniqueid")) {
        (Some(header), _) if header.constant().is_some_and(|constant| !is_field_name(constant)) => {
            return Err(header.at.error("this is no name for a header field"));
        }
        (Some(header), _) => DuplicateId::Header(carry.one(header)),
        (None, Some(id)) => DuplicateId::Unique(carry.one(id)),
        (None, None) => DuplicateId::MessageId,
    };
    if arguments.number("seconds") == Some(0) {
        return Err(at.error("\":seconds\" must be more than 0"));
    }
    Ok(TestCall::Duplicate {
        handle: carry.optional(arguments.text("handle")),
        id,
        seconds: arguments.number("seconds"),
        last: arguments.has("last"),
    })
}

/// RFC 5260 section 6: counted from 1; backwards with `:last`.
fn index(arguments: &Arguments) -> Result<Option<i64>, CompileError> {
    match arguments.number("index") {
        Some(index) if index == 0 || index >= u64::from(u16::MAX) => {
            Err(arguments.tag_at("index").error("header fields are counted from 1"))
        }
        Some(index) => {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            Ok(Some(if arguments.has("last") { -index } else { index }))
        }
        None if arguments.has("last") => Err(arguments.tag_at("last").error("\":last\" needs \":index\"")),
        None => Ok(None),
    }
}

/// RFC 5703 section 4.1.
fn any_child(arguments: &Arguments) -> Result<bool, CompileError> {
    if arguments.has("anychild") && !arguments.has("mime") {
        return Err(arguments.tag_at("anychild").error("\":anychild\" needs \":mime\""));
    }
    Ok(arguments.has("anychild"))
}

fn mime_value(arguments: &Arguments, carry: &mut Carry) -> MimeValue {
    if let Some(names) = arguments.texts("param") {
        MimeValue::Parameters(carry.many(names))
    } else if arguments.has("type") {
        MimeValue::Type
    } else if arguments.has("subtype") {
        MimeValue::Subtype
    } else if arguments.has("contenttype") {
        MimeValue::ContentType
    } else {
        MimeValue::None
    }
}

fn address_part(arguments: &Arguments) -> AddressPart {
    let parts = [
        ("localpart", AddressPart::LocalPart),
        ("domain", AddressPart::Domain),
        ("user", AddressPart::User),
        ("detail", AddressPart::Detail),
    ];
    parts.into_iter().find(|(tag, _)| arguments.has(tag)).map_or(AddressPart::All, |(_, part)| part)
}

fn transform(arguments: &Arguments, carry: &mut Carry) -> BodyTransform {
    match arguments.texts("content") {
        Some(types) => BodyTransform::Content(carry.many(types)),
        None if arguments.has("raw") => BodyTransform::Raw,
        None => BodyTransform::Text,
    }
}

/// `+0100` in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn zone(arguments: &Arguments) -> Result<Zone, CompileError> {
    match arguments.constant("zone") {
        Some(text) => offset(text)
            .map(Zone::OffsetSeconds)
            .ok_or_else(|| arguments.tag_at("zone").error("a zone is written as +hhmm or -hhmm")),
        None if arguments.has("originalzone") => Ok(Zone::Original),
        None => Ok(Zone::Local),
    }
}

fn date_part(texts: &[Text]) -> Result<DatePart, CompileError> {
    let Some(text) = texts.first() else {
        return Err(Position::default().error("a part of the date is missing"));
    };
    let name = text.constant().unwrap_or_default().to_ascii_lowercase();
    Ok(match name.as_str() {
        "year" => DatePart::Year,
        "month" => DatePart::Month,
        "day" => DatePart::Day,
        "date" => DatePart::Date,
        "julian" => DatePart::Julian,
        "hour" => DatePart::Hour,
        "minute" => DatePart::Minute,
        "second" => DatePart::Second,
        "time" => DatePart::Time,
        "iso8601" => DatePart::Iso8601,
        "std11" => DatePart::Std11,
        "zone" => DatePart::Zone,
        "weekday" => DatePart::Weekday,
        _ => return Err(text.at.error(format!("a date has no part \"{name}\""))),
    })
}
