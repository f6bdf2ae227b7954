//! Tests of a script as statements that can be compared. What depends on more than the message and the envelope (variables,
//! flags, memories, mailboxes, lists) is read as something nobody knows.

use super::super::syntax::{Argument, ArgumentValue, Test};
use super::logic::{Fact, Facts, Formula, Relation, Says};
use crate::types::limits::SIEVE_REACH_PAIRS_MAX;

/// Tags that take a value of their own.
const WITH_VALUE: [&str; 9] = ["value", "count", "comparator", "index", "zone", "param", "over", "under", "content"];

/// Arguments, sorted.
#[derive(Default)]
struct Read<'t> {
    /// With the value that follows, if it takes one.
    tags: Vec<(&'t str, Option<&'t ArgumentValue>)>,
    positional: Vec<Vec<&'t str>>,
}

impl<'t> Read<'t> {
    fn of(arguments: &'t [Argument]) -> Self {
        let mut read = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match &argument.value {
                ArgumentValue::Tag(tag) => {
                    let value = if WITH_VALUE.contains(&tag.as_str()) { rest.next() } else { None };
                    read.tags.push((tag, value.map(|value| &value.value)));
                }
                ArgumentValue::Text(text) => read.positional.push(vec![text]),
                ArgumentValue::Texts(texts) => {
                    read.positional.push(texts.iter().map(|(_, text)| text.as_str()).collect());
                }
                ArgumentValue::Number(_) => {}
            }
        }
        read
    }

    fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|(name, _)| *name == tag)
    }

    fn text(&self, tag: &str) -> Option<&'t str> {
        let (_, value) = self.tags.iter().find(|(name, _)| *name == tag)?;
        if let Some(ArgumentValue::Text(text)) = value { Some(text) } else { None }
    }

    fn number(&self, tag: &str) -> Option<u64> {
        let (_, value) = self.tags.iter().find(|(name, _)| *name == tag)?;
        if let Some(ArgumentValue::Number(number)) = value { Some(*number) } else { None }
    }

    /// All tags but the match type: what two tests must have in common to be about the same.
    fn view(&self, name: &str) -> String {
        let is_match = |tag: &str| matches!(tag, "is" | "contains" | "matches" | "regex" | "value" | "count");
        let tags = self.tags.iter().filter(|(tag, _)| !is_match(tag) && *tag != "all");
        let mut tags: Vec<String> = tags.map(|(tag, value)| format!("{tag} {value:?}")).collect();
        tags.sort();
        format!("{name} {}", tags.join(" "))
    }

    /// With variables or encoded characters in it, a string is something else when it runs.
    fn is_constant(&self) -> bool {
        let of_tags = self.tags.iter().filter_map(|(_, value)| match value {
            Some(ArgumentValue::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        !self.positional.iter().flatten().copied().chain(of_tags).any(|text| text.contains("${"))
    }
}

impl Facts {
    /// What a test says, of a message that was changed `epoch` times.
    pub(super) fn read(&mut self, test: &Test, epoch: u32) -> Formula {
        let inner = |facts: &mut Self| test.tests.iter().map(|inner| facts.read(inner, epoch)).collect::<Vec<_>>();
        match test.name.as_str() {
            "true" => Formula::Constant(true),
            "false" => Formula::Constant(false),
            "not" => Formula::Not(Box::new(inner(self).pop().unwrap_or(Formula::Unknown))),
            "allof" => Formula::All(inner(self)),
            "anyof" => Formula::Any(inner(self)),
            name => {
                let read = Read::of(&test.arguments);
                if read.is_constant() { self.simple(name, &read, epoch) } else { Formula::Unknown }
            }
        }
    }

    fn simple(&mut self, name: &str, read: &Read<'_>, epoch: u32) -> Formula {
        match (name, read.positional.as_slice()) {
            ("size", []) => self.size(read, epoch),
            ("exists", [fields]) if read.tags.is_empty() && fields.len() <= SIEVE_REACH_PAIRS_MAX => {
                let exists = |facts: &mut Self, field: &&str| {
                    let (view, says) = (String::new(), Says::Exists);
                    facts.fact(Fact { subject: header(field), view, epoch, is_single: false, says })
                };
                Formula::All(fields.iter().map(|field| exists(self, field)).collect())
            }
            ("header" | "address", [fields, keys]) => self.pairs(read, fields, keys, |field, says| Fact {
                subject: header(field),
                view: read.view(name),
                epoch,
                is_single: false,
                says,
            }),
            // The envelope and the clock stay what they are, whatever is done to the message.
            ("envelope", [parts, keys]) => self.pairs(read, parts, keys, |part, says| Fact {
                subject: format!("envelope {}", part.to_ascii_lowercase()),
                view: read.view(name),
                epoch: 0,
                is_single: true,
                says,
            }),
            ("environment", [items, keys]) => self.pairs(read, items, keys, |item, says| Fact {
                subject: format!("environment {}", item.to_ascii_lowercase()),
                view: read.view(name),
                epoch: 0,
                is_single: true,
                says,
            }),
            ("currentdate", [parts, keys]) => self.pairs(read, parts, keys, |part, says| Fact {
                subject: "currentdate".to_owned(),
                view: format!("{} {}", part.to_ascii_lowercase(), read.view(name)),
                epoch: 0,
                is_single: true,
                says,
            }),
            ("body", [keys]) => self.pairs(read, &["body"], keys, |_, says| Fact {
                subject: "body".to_owned(),
                view: read.view(name),
                epoch,
                is_single: false,
                says,
            }),
            _ => Formula::Unknown,
        }
    }

    fn size(&mut self, read: &Read<'_>, epoch: u32) -> Formula {
        let mut at_least = |octets| {
            let (subject, view, says) = ("size".to_owned(), String::new(), Says::AtLeast(octets));
            self.fact(Fact { subject, view, epoch, is_single: true, says })
        };
        match (read.number("over"), read.number("under")) {
            // RFC 5228 section 5.9: of just that size it is neither over nor under.
            (Some(octets), None) => at_least(octets.saturating_add(1)),
            (None, Some(octets)) => Formula::Not(Box::new(at_least(octets))),
            _ => Formula::Unknown,
        }
    }

    /// A test is true when one of the values fits one of the keys.
    fn pairs(&mut self, read: &Read<'_>, about: &[&str], keys: &[&str], fact: impl Fn(&str, Says) -> Fact) -> Formula {
        if about.len().saturating_mul(keys.len()) > SIEVE_REACH_PAIRS_MAX || read.has("list") {
            return Formula::Unknown;
        }
        let mut any = Vec::new();
        for about in about {
            for key in keys {
                let Some(says) = says(read, key, fact(about, Says::Exists).is_single) else { return Formula::Unknown };
                any.push(self.fact(fact(about, says)));
            }
        }
        Formula::Any(any)
    }
}

fn header(field: &str) -> String {
    format!("header {}", field.to_ascii_lowercase())
}

fn says(read: &Read<'_>, key: &str, is_single: bool) -> Option<Says> {
    let (is_numeric, key) = match read.text("comparator") {
        None | Some("i;ascii-casemap") => (false, key.to_ascii_lowercase()),
        Some("i;octet") => (false, key.to_owned()),
        Some("i;ascii-numeric") => (true, key.to_owned()),
        Some(_) => return None,
    };
    if read.has("regex") {
        return Some(Says::Other(format!("regex {key}")));
    }
    if let Some(relation) = read.text("count") {
        return Some(Says::Other(format!("count {} {key}", relation.to_ascii_lowercase())));
    }
    if let Some(relation) = read.text("value") {
        let relation = relation.to_ascii_lowercase();
        let compares = match relation.as_str() {
            "lt" => Relation::Less,
            "le" => Relation::LessOrEqual,
            "gt" => Relation::Greater,
            "ge" => Relation::GreaterOrEqual,
            "eq" if !is_numeric => return Some(Says::Is(key)),
            _ => return Some(Says::Other(format!("value {relation} {is_numeric} {key}"))),
        };
        // Of several values one may be below and another above.
        let is_plain = is_single && !is_numeric;
        return Some(if is_plain {
            Says::Compares(compares, key)
        } else {
            Says::Other(format!("value {relation} {is_numeric} {key}"))
        });
    }
    if is_numeric {
        return Some(Says::Other(format!("number {key}")));
    }
    Some(if read.has("contains") {
        Says::Contains(key)
    } else if !read.has("matches") {
        Says::Is(key)
    } else if key.contains(['?', '\\']) {
        Says::Matches(key)
    } else {
        match key.matches('*').count() {
            0 => Says::Is(key),
            2 if key.len() > 1 && key.starts_with('*') && key.ends_with('*') => Says::Contains(key.replace('*', "")),
            _ => Says::Matches(key),
        }
    })
}
