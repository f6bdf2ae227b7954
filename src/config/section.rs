//! The machinery under the table of keys: reading a section, and telling what keys there are.

use super::error::{Cause, Problem};
use super::value::{Value, shown};
use crate::types::edits;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A part of the configuration with keys of its own, and perhaps sections below it.
pub(super) trait Section: Default {
    /// Reads `value` into `key`; `None` when there is no such key.
    fn assign(&mut self, key: &str, value: &DeValue<'_>) -> Option<Result<(), String>>;
    /// Reads a section below this one; `None` when there is none of this name.
    fn descend(&mut self, name: &str, table: &DeTable<'_>, reading: &mut Reading<'_>) -> Option<()>;
    /// The keys with their meaning and what they hold now, in the table's order; those of the sections below follow.
    fn list(&self, section: &str, keys: &mut Vec<Key>);
}

/// One line of the example.
pub(super) struct Key {
    /// Empty for the keys above all sections.
    pub(super) section: String,
    pub(super) section_meaning: &'static [&'static str],
    pub(super) name: &'static str,
    pub(super) meaning: &'static [&'static str],
    pub(super) value: String,
    /// Errors must not quote it.
    pub(super) secret: bool,
}

impl Key {
    pub(super) fn path(&self) -> String {
        join(&self.section, self.name)
    }
}

/// What is known while a file is being read.
pub(super) struct Reading<'a> {
    pub(super) source: &'a str,
    /// Every key there is.
    pub(super) known: Vec<Key>,
    /// Where each key stood, for the checks that look at several keys together.
    pub(super) lines: BTreeMap<String, usize>,
    pub(super) problems: Vec<Problem>,
}

impl Reading<'_> {
    pub(super) fn line_at(&self, offset: usize) -> usize {
        line_at(self.source, offset)
    }

    fn report(&mut self, offset: usize, key: String, cause: Cause) {
        self.problems.push(Problem { line: Some(self.line_at(offset)), key: Some(key), cause });
    }

    pub(super) fn table<S: Section>(&mut self, section: &mut S, path: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full = join(path, name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.inner_table(section, name, &full, inner),
                _ => self.value(section, name, &full, value),
            }
        }
    }

    fn inner_table<S: Section>(
        &mut self,
        section: &mut S,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        full: &str,
        inner: &DeTable<'_>,
    ) {
        if section.descend(name.get_ref(), inner, self).is_none() {
            let nearest = if self.known.iter().any(|key| key.path() == full) {
                // A key that was written as a section: say the key.
                full.to_owned()
            } else {
                let sections = self.known.iter().map(|key| key.section.clone()).filter(|section| !section.is_empty());
                format!("[{}]", nearest(full, sections))
            };
            self.report(name.span().start, full.to_owned(), Cause::UnknownSection { nearest });
        }
    }

    fn value<S: Section>(
        &mut self,
        section: &mut S,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        full: &str,
        value: &Spanned<DeValue<'_>>,
    ) {
        self.lines.insert(full.to_owned(), self.line_at(name.span().start));
        match section.assign(name.get_ref(), value.get_ref()) {
            Some(Ok(())) => {}
            Some(Err(allowed)) => {
                let secret = self.known.iter().any(|key| key.secret && key.path() == full);
                let found = if secret { "this value".to_owned() } else { shown(value, self.source) };
                self.report(value.span().start, full.to_owned(), Cause::BadValue { found, allowed });
            }
            None if !full.is_empty() && self.known.iter().any(|key| key.section == full) => {
                self.report(name.span().start, full.to_owned(), Cause::NoSection);
            }
            None => {
                let nearest = nearest(full, self.known.iter().map(Key::path));
                self.report(name.span().start, full.to_owned(), Cause::UnknownKey { nearest });
            }
        }
    }
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

pub(super) fn line_at(source: &str, offset: usize) -> usize {
    1 + source.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// The known name that takes the fewest edits; a name that is right but in the wrong section is nearer than any.
fn nearest(wrong: &str, known: impl Iterator<Item = String>) -> String {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .min_by_key(|name| {
            let whole = edits(wrong, name);
            let misplaced = last(wrong) == last(name);
            if misplaced { whole.min(1) } else { whole }
        })
        .unwrap_or_default()
}

/// A key's own check, on top of its type's. On failure: what would have been allowed.
pub(super) type Check<'a, T> = &'a dyn Fn(&T) -> Result<(), String>;

pub(super) fn within<T: PartialOrd + std::fmt::Display>(range: RangeInclusive<T>) -> impl Fn(&T) -> Result<(), String> {
    move |value| {
        if range.contains(value) {
            return Ok(());
        }
        Err(format!("a whole number from {} to {}", range.start(), range.end()))
    }
}

pub(super) fn read<T: Value>(value: &DeValue<'_>, checks: &[Check<'_, T>]) -> Result<T, String> {
    let of_the_key = || T::ends().iter().find_map(|end| checks.iter().find_map(|check| check(end).err()));
    let value = T::read(value).map_err(|of_the_type| of_the_key().unwrap_or(of_the_type))?;
    for check in checks {
        check(&value)?;
    }
    Ok(value)
}

/// One section of the configuration: for each key its meaning, name, type, default and, where the type says too little,
/// the check it must pass. The struct, its defaults, its reader and its documentation all come from this one table, so
/// that none of them can be forgotten.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        $struct:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr $(, $check:expr)?; )*
            $( [ $( $below:ident: $section:ident, )+ ] )?
        }
    ) => {
        $(#[doc = $section_doc])+
        // Brackets in these texts are TOML's, not links.
        #[allow(rustdoc::broken_intra_doc_links)]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $struct {
            $( $(#[doc = $doc])+ pub $field: $type, )*
            $( $( pub $below: $section, )+ )?
        }

        impl Default for $struct {
            fn default() -> Self {
                Self { $( $field: $default, )* $( $( $below: <$section>::default(), )+ )? }
            }
        }

        impl Section for $struct {
            fn assign(&mut self, key: &str, value: &DeValue<'_>) -> Option<Result<(), String>> {
                match key {
                    $( stringify!($field) => {
                        Some(read::<$type>(value, &[$( &$check )?]).map(|value| self.$field = value))
                    } )*
                    _ => None,
                }
            }

            fn descend(&mut self, name: &str, table: &DeTable<'_>, reading: &mut Reading<'_>) -> Option<()> {
                match name {
                    $( $( stringify!($below) => {
                        reading.table(&mut self.$below, name, table);
                        Some(())
                    } )+ )?
                    _ => {
                        // A section without sections below it has nothing to do here.
                        let _ = (table, reading);
                        None
                    }
                }
            }

            fn list(&self, section: &str, keys: &mut Vec<Key>) {
                const SECTION_MEANING: &[&str] = &[$( $section_doc, )+];
                $( keys.push(Key {
                    section: section.to_owned(),
                    section_meaning: SECTION_MEANING,
                    name: stringify!($field),
                    meaning: &[$( $doc, )+],
                    value: self.$field.show(),
                    secret: <$type>::SECRET,
                }); )*
                $( $( self.$below.list(stringify!($below), keys); )+ )?
            }
        }
    };
}
pub(super) use section;
