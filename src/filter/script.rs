//! A compiled script, and how text becomes one.

use super::build;
use super::call::{Call, CallKind, TestCall, Value};
use super::host::IncludePlace;
use super::lexer::Position;
use crate::types::limits;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// Who wrote a script, which says how much of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ScriptKind {
    /// A person's own.
    #[default]
    Personal,
    /// An administrator's, for the server or a domain.
    Admin,
    /// Made out of an address's switches. What it includes fails alone; the rest of it runs.
    Compiled,
}

/// Why a text is no script, at the place in the text the user wrote; both numbers from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    pub line: u32,
    pub column: u32,
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for CompileError {}

/// Something in a script that works and is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub line: u32,
    pub column: u32,
    pub message: String,
}

/// An `include` as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludeUse {
    pub place: IncludePlace,
    pub name: String,
    pub optional: bool,
    pub line: u32,
    pub column: u32,
}

/// A script that can run. Cheap to share, never changed.
#[derive(Debug)]
pub struct Script {
    pub(super) kind: ScriptKind,
    /// Tells this script's calls from those of the others in a run.
    pub(super) serial: u64,
    pub(super) engine: Arc<sieve::Sieve>,
    pub(super) calls: Vec<Call>,
    includes: Vec<IncludeUse>,
    warnings: Vec<Warning>,
    for_events: Option<Position>,
}

impl Script {
    pub fn kind(&self) -> ScriptKind {
        self.kind
    }

    /// What it includes, in the order of the text.
    pub fn includes(&self) -> &[IncludeUse] {
        &self.includes
    }

    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Why it can't run where nothing has happened in a mailbox: it requires "imapsieve".
    pub fn needs_event(&self) -> Option<CompileError> {
        self.for_events.map(|at| at.error("the extension \"imapsieve\" is for what happens in mailboxes"))
    }
}

/// What can be told of a script by reading it.
#[derive(Debug)]
pub struct Examination {
    pub script: Arc<Script>,
    /// What works and is probably not meant, in the order of the text: rules that can never match, among others.
    pub warnings: Vec<Warning>,
    /// Addresses that it redirects to, where they are written out.
    pub redirects: Vec<NamedUse>,
    /// Mailboxes that it files into, where they are written out and it neither makes them nor asks whether they are there.
    pub mailboxes: Vec<NamedUse>,
}

/// A name as a command of a script gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUse {
    pub name: String,
    pub line: u32,
    pub column: u32,
}

/// Compiles a script and reads it closely: for who saves one. Delivery has no use for it.
pub fn examine(source: &[u8], kind: ScriptKind) -> Result<Examination, CompileError> {
    let script = compile(source, kind)?;
    let commands = super::syntax::parse(readable(source, kind)?)?;
    let mut warnings = script.warnings.clone();
    warnings.extend(super::reach::dead(&commands));
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    let asked_for = asked_for(&script.calls);
    let named = |call: &Call, name: &Value| match name {
        Value::Literal(name) => Some(NamedUse { name: name.to_string(), line: call.at.line, column: call.at.column }),
        Value::Carried(_) => None,
    };
    let redirects = script.calls.iter().filter_map(|call| match &call.kind {
        CallKind::Redirect(redirect) if !redirect.list => named(call, &redirect.to),
        _ => None,
    });
    let redirects = redirects.collect();
    let mailboxes = script.calls.iter().filter_map(|call| match &call.kind {
        CallKind::FileInto { place, .. }
            if !place.create && place.mailbox_id.is_none() && place.special_use.is_none() =>
        {
            named(call, &place.mailbox).filter(|found| !asked_for.contains(&found.name.as_str()))
        }
        _ => None,
    });
    let mailboxes = mailboxes.collect();
    Ok(Examination { warnings, redirects, mailboxes, script })
}

/// The mailboxes whose existence a script tests somewhere.
fn asked_for(calls: &[Call]) -> Vec<&str> {
    let tested = calls.iter().filter_map(|call| match &call.kind {
        CallKind::Test(TestCall::MailboxesExist(names)) => Some(names),
        _ => None,
    });
    let names = tested.flatten().filter_map(|value| match value {
        Value::Literal(name) => Some(name.as_ref()),
        Value::Carried(_) => None,
    });
    names.collect()
}

/// Serial 0 is the frame's.
static SERIALS: AtomicU64 = AtomicU64::new(1);

/// Reads, checks and compiles a script.
pub fn compile(source: &[u8], kind: ScriptKind) -> Result<Arc<Script>, CompileError> {
    let text = readable(source, kind)?;
    let commands = super::syntax::parse(text)?;
    let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
    let built = build::build(&commands, serial)?;
    let engine = COMPILER.compile(built.text.as_bytes()).map_err(|error| {
        let at = built.position_of(error.line_num());
        at.error(explain(error.error_type()))
    })?;
    Ok(Arc::new(Script {
        kind,
        serial,
        engine: Arc::new(engine),
        calls: built.calls,
        includes: built.includes,
        warnings: built.warnings,
        for_events: built.for_events,
    }))
}

/// RFC 5228 section 2.1: UTF-8, and no NUL.
fn readable(source: &[u8], kind: ScriptKind) -> Result<&str, CompileError> {
    let octets_max = match kind {
        ScriptKind::Personal | ScriptKind::Admin => limits::SCRIPT_OCTETS_MAX,
        ScriptKind::Compiled => limits::COMPILED_SCRIPT_OCTETS_MAX,
    };
    if source.len() > octets_max {
        let message = format!("the script is longer than {octets_max} octets");
        return Err(CompileError { line: 1, column: 1, message });
    }
    let (valid, rest) = match std::str::from_utf8(source) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = std::str::from_utf8(&source[..error.valid_up_to()]).unwrap_or_default();
            (valid, Some("this is no UTF-8"))
        }
    };
    let broken = match valid.find('\0') {
        Some(nul) => Some((nul, "a NUL is no character of a script")),
        None => rest.map(|message| (valid.len(), message)),
    };
    match broken {
        Some((offset, message)) => Err(position_at(&valid[..offset]).error(message)),
        None => Ok(valid),
    }
}

/// The place right after `before`.
fn position_at(before: &str) -> Position {
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    Position {
        line: u32::try_from(line + 1).unwrap_or(u32::MAX),
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
    }
}

/// Why the engine would not take a regular expression. It is asked with the smallest script that has one.
pub(super) fn refuse_pattern(pattern: &str) -> Option<String> {
    if let Some(message) = super::pattern::refuse(pattern) {
        return Some(message.to_owned());
    }
    let mut script = "if header :regex \"a\" ".to_owned();
    super::text::Text::literal(Position::default(), pattern).write_quoted(&mut script);
    script.push_str(" { }");
    COMPILER.compile(script.as_bytes()).err().map(|error| explain(error.error_type()))
}

/// Our checks come first, so what is left to the engine is little.
fn explain(error: &sieve::compiler::ErrorType) -> String {
    use sieve::compiler::ErrorType;
    match error {
        ErrorType::InvalidRegex(text) => format!("this is no regular expression: {text}"),
        ErrorType::InvalidHeaderName => "this is no name for a header field".to_owned(),
        ErrorType::HeaderTooLong => "the header field is too long".to_owned(),
        ErrorType::InvalidNumber(text) => format!("the number {text} does not fit here"),
        other => format!("the engine does not take this: {other:?}"),
    }
}

/// The engine's own limits stand above ours: a rewritten script is longer and deeper than its original.
pub(super) static COMPILER: LazyLock<sieve::Compiler> = LazyLock::new(|| {
    sieve::Compiler::new()
        .with_max_script_size(usize::MAX)
        .with_max_string_size(usize::MAX)
        .with_max_variable_name_size(usize::MAX)
        .with_max_nested_blocks(4 * limits::SIEVE_BLOCK_DEPTH_MAX)
        .with_max_nested_tests(4 * limits::SIEVE_TEST_DEPTH_MAX)
        .with_max_nested_foreverypart(limits::SIEVE_BLOCK_DEPTH_MAX)
        .with_max_match_variables(limits::SIEVE_MATCH_VARIABLES_MAX)
        .with_max_local_variables(limits::SIEVE_VARIABLES_MAX)
        .with_max_header_size(limits::SIEVE_ADDED_HEADER_OCTETS_MAX)
        .with_max_includes(usize::MAX)
        .with_no_capability_check(true)
});
