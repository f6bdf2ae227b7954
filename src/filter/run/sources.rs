//! Tests: where their values come from, and what the answer is.

use super::super::build::SLOTS;
use super::super::call::{DuplicateId, EnvelopeField, MatchKind, MimeValue, Source, TestCall, Value, Zone};
use super::super::dates::{self, Moment};
use super::super::fields::{self, MimeWanted, Wanted, resolve};
use super::super::host::Phase;
use super::super::plan::DuplicateEntry;
use super::super::{body, matching, notify, verdict};
use super::decide::flag_list;
use super::{Attempt, Content, Stop};
use crate::message::Structure;
use crate::types::limits::{SIEVE_DUPLICATE_SECONDS_DEFAULT, SIEVE_DUPLICATE_SECONDS_MAX};
use crate::types::{Address, DsnReturn, MailboxName, Notify, SpecialUse};
use sieve::Context;
use std::borrow::Cow;
use std::sync::Arc;

/// What a source gives: its values, and how many they count as (RFC 5231 section 4.2).
#[derive(Default)]
struct Values<'v> {
    values: Vec<Cow<'v, str>>,
    count: usize,
    /// Whether there is no such thing, so that every test of it fails.
    unknown: bool,
}

impl<'v> Values<'v> {
    fn of(values: impl IntoIterator<Item = impl Into<Cow<'v, str>>>) -> Self {
        let values: Vec<Cow<'v, str>> = values.into_iter().map(Into::into).collect();
        Self { count: values.len(), values, unknown: false }
    }

    fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    fn octets(&self) -> u64 {
        self.values.iter().map(|value| value.len() as u64).sum()
    }
}

/// The message after changes, for tests that read its body.
struct Changed {
    octets: Arc<[u8]>,
    structure: Structure,
}

impl Attempt<'_> {
    pub(super) fn test(
        &mut self,
        context: &mut Context<'_>,
        test: &TestCall,
        carried: &[String],
    ) -> Result<bool, Stop> {
        match test {
            TestCall::Match { source, matching } => {
                let keys: Vec<&str> = matching.keys.iter().map(|key| resolve(key, carried)).collect();
                let changed = match source {
                    Source::Body(_) => self.changed_message(context)?,
                    _ => None,
                };
                let values = self.values(context, source, carried, changed.as_ref());
                if values.unknown {
                    return Ok(false);
                }
                let eighths = matching::readings_in_eighths(matching.kind, &keys) as u64;
                self.charge(values.octets().saturating_mul(eighths) / 8, 1)?;
                if looks_into_children(source) {
                    self.charge_header(context, 1)?;
                }
                Ok(match matching.kind {
                    MatchKind::Count(relation) => matching::count(relation, values.count, &keys),
                    MatchKind::List => {
                        let values: Vec<&str> =
                            values.values.iter().map(AsRef::as_ref).filter(|value| !value.is_empty()).collect();
                        // RFC 6134 section 2.2: of a list that is not there nothing is a member.
                        keys.iter().any(|list| self.runner.host.list_contains(list, &values) == Some(true))
                    }
                    kind => matching::any(kind, matching.comparator, &values.values, &keys),
                })
            }
            TestCall::Show { source, slots, patterns } => self.show(context, source, *slots, *patterns, carried),
            TestCall::SizeOver(limit) => Ok(self.runner.incoming.message.len() as u64 > *limit),
            TestCall::SizeUnder(limit) => Ok((self.runner.incoming.message.len() as u64) < *limit),
            TestCall::Duplicate { handle, id, seconds, last } => {
                let handle = handle.as_ref().map(|handle| resolve(handle, carried));
                Ok(self.duplicate(context, handle, id, *seconds, *last, carried))
            }
            other => Ok(self.known(other, carried)),
        }
    }

    /// Puts the values where the engine's patterns will look for them.
    fn show(
        &mut self,
        context: &mut Context<'_>,
        source: &Source,
        slots: usize,
        patterns: u32,
        carried: &[String],
    ) -> Result<bool, Stop> {
        let changed = match source {
            Source::Body(_) => self.changed_message(context)?,
            _ => None,
        };
        let values = self.values(context, source, carried, changed.as_ref());
        let mut shown: Vec<String> = values.values.iter().take(slots).map(|value| value.clone().into_owned()).collect();
        if let (Source::Body(_), Some(last)) = (source, shown.last_mut()) {
            for more in values.values.iter().skip(slots) {
                last.push('\n');
                last.push_str(more);
            }
        }
        let octets = values.octets();
        let Some(first) = shown.first().cloned().filter(|_| !values.unknown) else { return Ok(false) };
        self.charge(octets.saturating_add(first.len() as u64), patterns)?;
        // Slots without a value repeat the first one: an empty one would match what matches nothing.
        shown.resize(slots, first);
        for (slot, value) in SLOTS.iter().zip(shown) {
            context.set_global_variable(*slot, value);
        }
        Ok(true)
    }

    fn changed_message(&mut self, context: &Context<'_>) -> Result<Option<Changed>, Stop> {
        Ok(match self.content(context)? {
            Content::Original => None,
            Content::Edited(octets) => {
                let structure = Structure::scan(&octets);
                Some(Changed { octets, structure })
            }
        })
    }

    fn values<'v>(
        &self,
        context: &Context<'_>,
        source: &'v Source,
        carried: &'v [String],
        changed: Option<&'v Changed>,
    ) -> Values<'v>
    where
        Self: 'v,
    {
        let (message, part) = (context.message(), context.part());
        let runner = self.runner;
        match source {
            Source::Header { names, index, any_child, mime } => {
                let names = strings(names, carried);
                let wanted = Wanted { names: &names, index: *index, any_child: *any_child };
                let mime = match mime {
                    MimeValue::None => return Values::of(fields::texts(message, part, &wanted)),
                    MimeValue::Type => MimeWanted::Type,
                    MimeValue::Subtype => MimeWanted::Subtype,
                    MimeValue::ContentType => MimeWanted::ContentType,
                    MimeValue::Parameters(names) => MimeWanted::Parameters(strings(names, carried)),
                };
                Values::of(fields::mime_values(message, part, &wanted, &mime))
            }
            Source::Address { names, index, any_child, part: which } => {
                let names = strings(names, carried);
                let wanted = Wanted { names: &names, index: *index, any_child: *any_child };
                Values::of(fields::addresses(message, part, &wanted, *which))
            }
            Source::Date { header, index, any_child, zone, part: which } => {
                let names = [resolve(header, carried)];
                let wanted = Wanted { names: &names, index: *index, any_child: *any_child };
                let moments = fields::moments(message, part, &wanted);
                Values::of(moments.into_iter().filter_map(|moment| dates::part(moment, *zone, *which)))
            }
            Source::CurrentDate { zone, part: which } => {
                let now = Moment { seconds: runner.incoming.now.seconds(), offset_seconds: 0 };
                Values::of(dates::part(now, *zone, *which))
            }
            Source::Strings(sources) => {
                let values = strings(sources, carried);
                // RFC 5229 section 5: empty strings don't count.
                let count = values.iter().filter(|value| !value.is_empty()).count();
                Values { count, ..Values::of(values) }
            }
            Source::Flags(variables) if variables.is_empty() => Values::of(self.decisions.flags.clone()),
            Source::Flags(variables) => Values::of(flag_list(strings(variables, carried).into_iter())),
            Source::Envelope { fields, part: which, zone_seconds } => {
                Values::of(fields.iter().filter_map(|field| self.envelope(*field, *which, *zone_seconds)))
            }
            Source::Environment(item) => {
                self.environment(item).map_or_else(Values::unknown, |value| Values::of([value]))
            }
            Source::Metadata { mailbox, annotation } => self
                .metadata(mailbox.as_ref(), annotation, carried)
                .map_or_else(Values::unknown, |value| Values::of([value])),
            Source::Spam { percent } => {
                let spam = verdict::spam(message);
                Values { count: usize::from(spam.is_tested()), ..Values::of([spam.value(*percent)]) }
            }
            Source::Virus => {
                let virus = verdict::virus(message);
                Values { count: usize::from(virus != "0"), ..Values::of([virus]) }
            }
            Source::Body(transform) => match changed {
                Some(Changed { octets, structure }) => Values::of(body::texts(octets, structure, transform, carried)),
                None => {
                    let texts = body::texts(runner.incoming.message, runner.structure, transform, carried);
                    Values::of(texts)
                }
            },
            Source::NotifyCapability { method, capability } => {
                // RFC 5436 section 2.4: whether somebody is there to read it nobody knows.
                let is_known = notify::parse_mailto(resolve(method, carried)).is_some();
                match is_known && resolve(capability, carried).eq_ignore_ascii_case("online") {
                    true => Values::of(["maybe"]),
                    false => Values::unknown(),
                }
            }
        }
    }

    /// RFC 5228 section 5.4 and RFC 6009.
    fn envelope(
        &self,
        field: EnvelopeField,
        which: super::super::call::AddressPart,
        zone_seconds: Option<i32>,
    ) -> Option<String> {
        let incoming = self.runner.incoming;
        let envelope = incoming.envelope;
        let part = |address: &Address| {
            let domain = address.domain().to_string();
            fields::address_part(address.local(), Some(&domain), which).map(Cow::into_owned)
        };
        let (deadline, return_when_late) = match envelope.deliver_by {
            Some((deadline, return_when_late)) => (Some(deadline), return_when_late),
            None => (None, false),
        };
        match field {
            // RFC 5228 section 5.4: the null reverse-path is the empty string in every part.
            EnvelopeField::From => envelope.sender.as_ref().map_or(Some(String::new()), part),
            EnvelopeField::To => part(&incoming.recipient?.address),
            EnvelopeField::OriginalRecipient => {
                let original = incoming.recipient?.original.as_deref()?;
                match original.split_once(';') {
                    Some((kind, text)) if kind.eq_ignore_ascii_case("rfc822") => match Address::parse(text) {
                        Ok(address) => part(&address),
                        Err(_) => fields::address_part(text, None, which).map(Cow::into_owned),
                    },
                    _ => Some(original.to_owned()),
                }
            }
            EnvelopeField::Notify => dsn_words(incoming.recipient?.notify),
            EnvelopeField::Return => envelope.dsn_return.map(|dsn_return| match dsn_return {
                DsnReturn::Full => "FULL".to_owned(),
                DsnReturn::Headers => "HDRS".to_owned(),
            }),
            EnvelopeField::EnvelopeId => envelope.dsn_envelope_id.clone(),
            EnvelopeField::ByTimeAbsolute => {
                let moment = Moment { seconds: deadline?.seconds(), offset_seconds: 0 };
                dates::part(
                    moment,
                    Zone::OffsetSeconds(zone_seconds.unwrap_or(0)),
                    super::super::call::DatePart::Iso8601,
                )
            }
            EnvelopeField::ByTimeRelative => {
                Some((deadline?.seconds().saturating_sub(incoming.now.seconds())).to_string())
            }
            EnvelopeField::ByMode => deadline.map(|_| if return_when_late { "return" } else { "notify" }.to_owned()),
            // RFC 2852 section 4: a trace is asked for by another server of a chain, never by one that speaks to us.
            EnvelopeField::ByTrace => deadline.map(|_| "false".to_owned()),
        }
    }

    /// RFC 5183 section 4.1. `None` for items we don't know.
    fn environment(&self, item: &str) -> Option<String> {
        let incoming = self.runner.incoming;
        Some(match item {
            "domain" => incoming.hostname.split_once('.').map_or(incoming.hostname, |(_, domain)| domain).to_owned(),
            "host" => incoming.hostname.to_owned(),
            // RFC 5183 section 4.1; RFC 6785 section 5.
            "location" => if incoming.recipient.is_some() { "MDA" } else { "MS" }.to_owned(),
            "name" => env!("CARGO_PKG_NAME").to_owned(),
            "version" => env!("CARGO_PKG_VERSION").to_owned(),
            "phase" => match incoming.phase {
                Phase::During => "during".to_owned(),
                Phase::Post => "post".to_owned(),
            },
            "remote-host" => incoming.remote_host.unwrap_or_default().to_owned(),
            "remote-ip" => incoming.remote_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            _ => return self.runner.host.environment(item),
        })
    }

    fn metadata(&self, mailbox: Option<&Value>, annotation: &Value, carried: &[String]) -> Option<String> {
        let annotation = resolve(annotation, carried);
        match mailbox {
            Some(mailbox) => {
                let mailbox = MailboxName::parse(resolve(mailbox, carried)).ok()?;
                self.runner.host.metadata(Some(&mailbox), annotation)
            }
            None => self.runner.host.metadata(None, annotation),
        }
    }

    /// Tests that ask the host.
    fn known(&self, test: &TestCall, carried: &[String]) -> bool {
        let host = self.runner.host;
        let exists =
            |name: &str| MailboxName::parse(name).is_ok_and(|name| name.is_inbox() || host.mailbox_exists(&name));
        match test {
            TestCall::MailboxesExist(names) => strings(names, carried).into_iter().all(exists),
            TestCall::MailboxIdsExist(ids) => {
                strings(ids, carried).into_iter().all(|id| host.mailbox_with_id(id).is_some())
            }
            TestCall::SpecialUsesExist { mailbox, uses } => {
                let mailbox = mailbox.as_ref().map(|mailbox| MailboxName::parse(resolve(mailbox, carried)));
                strings(uses, carried).into_iter().all(|usage| {
                    let found = SpecialUse::parse(usage).and_then(|usage| host.mailbox_with_use(usage));
                    match &mailbox {
                        Some(Ok(mailbox)) => found.as_ref() == Some(mailbox),
                        Some(Err(_)) => false,
                        None => found.is_some(),
                    }
                })
            }
            TestCall::MetadataExists { mailbox, annotations } => {
                annotations.iter().all(|annotation| self.metadata(mailbox.as_ref(), annotation, carried).is_some())
            }
            TestCall::ValidNotifyMethods(methods) => {
                strings(methods, carried).into_iter().all(|method| notify::parse_mailto(method).is_some())
            }
            TestCall::ValidLists(lists) => {
                strings(lists, carried).into_iter().all(|list| host.list_contains(list, &[]).is_some())
            }
            _ => false,
        }
    }

    /// RFC 7352 section 3.
    fn duplicate(
        &mut self,
        context: &Context<'_>,
        handle: Option<&str>,
        id: &DuplicateId,
        seconds: Option<u64>,
        last: bool,
        carried: &[String],
    ) -> bool {
        let message = context.message();
        let found = match id {
            DuplicateId::MessageId => fields::identifier(message, "Message-ID"),
            DuplicateId::Header(name) => fields::identifier(message, resolve(name, carried)),
            DuplicateId::Unique(text) => Some(resolve(text, carried).to_owned()),
        };
        // RFC 7352 section 3.1: without an identifier a message is no duplicate.
        let Some(found) = found else { return false };
        // Lengths keep the handle from running into the identifier.
        let handle = handle.unwrap_or_default();
        let id = format!("{}:{handle}{found}", handle.len());
        let is_duplicate = self.runner.host.is_duplicate(&id);
        let seconds = seconds.unwrap_or(SIEVE_DUPLICATE_SECONDS_DEFAULT).min(SIEVE_DUPLICATE_SECONDS_MAX);
        let until = self.runner.incoming.now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
        if (!is_duplicate || last) && !self.decisions.duplicates.iter().any(|entry| entry.id == id) {
            self.decisions.duplicates.push(DuplicateEntry { id, until });
        }
        is_duplicate
    }
}

fn strings<'v>(values: &'v [Value], carried: &'v [String]) -> Vec<&'v str> {
    values.iter().map(|value| resolve(value, carried)).collect()
}

/// Whether a test walks through all parts (RFC 5703 section 4), which takes time however little it finds.
fn looks_into_children(source: &Source) -> bool {
    matches!(
        source,
        Source::Header { any_child: true, .. }
            | Source::Address { any_child: true, .. }
            | Source::Date { any_child: true, .. }
    )
}

/// RFC 3461 section 4.1.
fn dsn_words(notify: Notify) -> Option<String> {
    let words: Vec<&str> =
        [(notify.never, "NEVER"), (notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")]
            .into_iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, word)| word)
            .collect();
    (!words.is_empty()).then(|| words.join(","))
}
