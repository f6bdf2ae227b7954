//! The generator: from switches to the text of an address's script. What the sections do is told in [the module](super).

use super::describe::{interval, window_in_words};
use super::quote;
use crate::types::limits::RECEIVED_HEADERS_OUTWARD_MAX;
use crate::types::{Address, Domain, Received, RedirectionSwitch, Responder, Switches, Timestamp, Window};
use std::fmt::Write as _;
use std::ops::Range;

/// What a script depends on besides the switches of its address.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The addresses whose mail comes to this one: aliases of it, and it itself in domains that are aliases of its domain.
    /// Who writes to one of them has written to the responder's owner (RFC 5230 section 4.5).
    pub also_known_as: Vec<Address>,
    /// The active administrators' scripts that come first, in their order: the server's, then the domain's. Named by
    /// [`before_script_name`]. Those that don't exist must not be named: to include what is missing, even optionally, is
    /// more than every engine survives.
    pub before: Vec<String>,
    /// The active personal scripts, in their order.
    pub personal: Vec<String>,
    /// As `before`, for those that come last: the domain's, then the server's. Named by [`after_script_name`].
    pub after: Vec<String>,
}

/// The pieces of a script, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Before,
    Responder,
    Redirections,
    Copy,
    Personal,
    After,
}

impl Section {
    pub const ALL: [Self; 6] =
        [Self::Before, Self::Responder, Self::Redirections, Self::Copy, Self::Personal, Self::After];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Responder => "responder",
            Self::Redirections => "redirections",
            Self::Copy => "copy",
            Self::Personal => "personal",
            Self::After => "after",
        }
    }
}

impl std::fmt::Display for Section {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Where a section stands in the text. Sections follow each other without a gap and fill the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionSpan {
    pub section: Section,
    /// Counted from 1, the end not included.
    pub lines: Range<usize>,
    pub octets: Range<usize>,
}

/// The lines at which the sections of a script begin, read off a text that was generated earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SectionLines([Option<u32>; 6]);

impl SectionLines {
    /// Each section but the first begins with a comment that numbers it. What looks like one inside a responder's text
    /// is none: the text is the only thing in a script that spans lines, and `text:` and a lone dot enclose it.
    pub fn of(text: &str) -> Self {
        let mut lines = [None; 6];
        let mut is_quoted = false;
        for (number, line) in (1_u32..).zip(text.lines()) {
            match line {
                "." => is_quoted = false,
                _ if is_quoted => {}
                _ => {
                    is_quoted = line.trim_start() == "text:";
                    let digit = line.strip_prefix("# [").and_then(|rest| rest.split_once("] ")).map(|(digit, _)| digit);
                    let section = digit.and_then(|digit| digit.parse::<usize>().ok());
                    if let Some(begin @ None) = section.and_then(|section| lines.get_mut(section.wrapping_sub(1))) {
                        *begin = Some(if section == Some(1) { 1 } else { number });
                    }
                }
            }
        }
        Self(lines)
    }

    /// Which switch a line belongs to. Lines are counted from 1.
    pub fn at(&self, line: u32) -> Option<Section> {
        let begins = self.0.iter().zip(Section::ALL).filter_map(|(begin, section)| Some(((*begin)?, section)));
        begins.rev().find(|(begin, _)| *begin <= line).map(|(_, section)| section).filter(|_| line > 0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledScript {
    /// Lines end with LF, as in the files people edit; Sieve engines take either end.
    pub text: String,
    pub sections: [SectionSpan; 6],
}

impl CompiledScript {
    /// Which switch a line belongs to. Lines are counted from 1.
    pub fn section_at_line(&self, line: usize) -> Option<Section> {
        self.sections.iter().find(|span| span.lines.contains(&line)).map(|span| span.section)
    }

    pub fn section_text(&self, section: Section) -> &str {
        let span = self.sections.iter().find(|span| span.section == section);
        span.map_or("", |span| &self.text[span.octets.clone()])
    }
}

/// The script of an address. Total: switches that `check_switches` refuses give a script too, and a harmless one, because
/// what was stored under older limits must go on working.
pub fn compile(address: &Address, switches: &Switches, context: &Context) -> CompiledScript {
    let mut text = String::with_capacity(4096);
    let (mut line, mut octet) = (1, 0);
    let sections = Section::ALL.map(|section| {
        match section {
            Section::Before => text.push_str(&before(address, context)),
            Section::Responder => text.push_str(&responder(address, switches, context)),
            Section::Redirections => text.push_str(&redirections(switches)),
            Section::Copy => text.push_str(copy(switches)),
            Section::Personal => text.push_str(&personal(context)),
            Section::After => text.push_str(&after(context)),
        }
        let lines = line..line + text[octet..].bytes().filter(|&byte| byte == b'\n').count();
        let octets = octet..text.len();
        (line, octet) = (lines.end, octets.end);
        SectionSpan { section, lines, octets }
    });
    CompiledScript { text, sections }
}

/// The name under which an administrator's first script is included: the server's, or a domain's.
pub fn before_script_name(domain: Option<&Domain>) -> String {
    global_name("before", domain)
}

/// As [`before_script_name`], for the last script.
pub fn after_script_name(domain: Option<&Domain>) -> String {
    global_name("after", domain)
}

/// No slash and no control character can be in it, so it is a file name wherever scripts are files.
fn global_name(place: &str, domain: Option<&Domain>) -> String {
    domain.map_or_else(|| place.to_owned(), |domain| format!("{place}-{domain}"))
}

fn before(address: &Address, context: &Context) -> String {
    let includes = if context.before.is_empty() {
        "# [1] before: no administrator's script comes first.\n".to_owned()
    } else {
        format!("{BEFORE_TITLE}{}", includes("global", &context.before))
    };
    fill(
        form(include_str!("../../sieve/before.sieve"), "script"),
        &[
            ("jane@example.org", &quote::comment(&address.to_string())),
            (&format!("{BEFORE_TITLE}include :global :optional \"before\";\n"), &includes),
            ("\"50\"", &format!("\"{RECEIVED_HEADERS_OUTWARD_MAX}\"")),
        ],
    )
}

const BEFORE_TITLE: &str = "# [1] before: what the administrators of the server and of the domain want done first.\n";

fn includes(place: &str, names: &[String]) -> String {
    let line = |name: &String| format!("include :{place} :optional {};\n", quote::quoted(name));
    names.iter().map(line).collect()
}

fn responder(address: &Address, switches: &Switches, context: &Context) -> String {
    let template = include_str!("../../sieve/responder.sieve");
    let Some(responder) = &switches.responder else { return form(template, "none").to_owned() };
    if responder.paused {
        return form(template, "paused").to_owned();
    }
    let text = form(template, "answer");
    let window = responder.window.as_ref();
    let [lower, upper] = [window.and_then(|window| window.from), window.and_then(|window| window.until)];
    // No `:from`: without one the answer comes from the address that was written to (RFC 5230 section 4.3), which may be an
    // alias that must not tell whose it is; and under the owner's name where it is his own.
    // Each sample is a line, or a value in one; a line that isn't wanted is replaced by nothing.
    fill(
        text,
        &[
            ("a week", &interval(responder.every_seconds)),
            ("# Active from 1 Nov 2026 until 14 Nov 2026 (Europe/Berlin).\n", &active(window)),
            (&bound("ge", "2026-10-31T23:00:00"), &lower.map_or_else(String::new, |at| bound("ge", &utc(at)))),
            (&bound("lt", "2026-11-14T23:00:00"), &upper.map_or_else(String::new, |at| bound("lt", &utc(at)))),
            (":days 7", &format!(":days {}", responder.every_seconds.div_ceil(SECONDS_PER_DAY))),
            ("[\"jane@example.org\"]", &addresses(address, context)),
            ("        :subject \"I am away\"\n", &subject(responder)),
            ("\"posthouse responder jane@example.org\"", &quote::quoted(&handle(address, [lower, upper]))),
            ("text:\nI am away until 15 November.\n.\n", &quote::multi_line(&responder.text)),
            (DROP, if responder.received == Received::Drop { DROP } else { "" }),
            (COPY_TO, &copy_to(switches, responder)),
        ],
    )
}

/// Answers are counted in days: that is what RFC 5230 section 4.1 gives every engine, where seconds (RFC 6131) are an
/// extension that some leave switched off.
const SECONDS_PER_DAY: u32 = 86_400;

const DROP: &str =
    "    # Its owner wants what was answered not to be stored.\n    set \"keep\" \"no\";\n    set \"taken\" \"yes\";\n";
const COPY_TO: &str =
    "    # A copy of what was answered.\n    redirect :copy \"copy@example.org\";\n    set \"taken\" \"yes\";\n";

fn copy_to(switches: &Switches, responder: &Responder) -> String {
    match &responder.received {
        // With a mailbox the copy is the redirection switch's business.
        Received::CopyTo(target) if !switches.mailbox => {
            COPY_TO.replace("\"copy@example.org\"", &quote::quoted(&target.to_string()))
        }
        Received::CopyTo(_) | Received::Keep | Received::Drop => String::new(),
    }
}

fn active(window: Option<&Window>) -> String {
    window.and_then(window_in_words).map_or_else(String::new, |words| format!("# Active {words}.\n"))
}

/// RFC 5260 section 4.2 compares as text, with the zone as suffix; without one, the bound sorts right before the moment's
/// own text in every notation of UTC, which is what "from then on" and "before then" need.
fn bound(relation: &str, moment: &str) -> String {
    format!("    currentdate :zone \"+0000\" :value \"{relation}\" \"iso8601\" \"{moment}\",\n")
}

/// The first whole second not before the moment, since scripts see no fractions; clamped to what compares as text.
fn utc(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000) + i64::from(at.0.rem_euclid(1000) != 0);
    let seconds = seconds.clamp(0, super::window::SECONDS_END - 1);
    Timestamp::from_seconds(seconds).rfc3339().trim_end_matches('Z').to_owned()
}

fn addresses(address: &Address, context: &Context) -> String {
    let mut all: Vec<String> = context.also_known_as.iter().map(ToString::to_string).collect();
    // Whoever lists them, in whatever order: the text is the same.
    all.sort_unstable();
    all.dedup();
    let own = address.to_string();
    all.retain(|other| *other != own);
    all.insert(0, own);
    quote::list(all.iter().map(String::as_str))
}

fn subject(responder: &Responder) -> String {
    let subject = responder.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
    subject.map_or_else(String::new, |subject| format!("        :subject {}\n", quote::quoted(subject)))
}

/// RFC 5230 section 4.7: answers with one handle are one answer. The window belongs to it, so that a new absence answers
/// everybody anew; the text doesn't, so that mending a typing error does not.
fn handle(address: &Address, window: [Option<Timestamp>; 2]) -> String {
    let mut handle = format!("posthouse responder {address}");
    if window.iter().any(Option::is_some) {
        let [from, until] = window.map(|bound| bound.map_or_else(String::new, utc));
        let _ = write!(handle, " {from}/{until}");
    }
    handle
}

fn redirections(switches: &Switches) -> String {
    let template = include_str!("../../sieve/redirections.sieve");
    if let Some(alias) = &switches.alias {
        if alias.paused {
            return form(template, "paused-alias").to_owned();
        }
        return fill(form(template, "alias"), &[("\"jane@example.org\"", &quote::quoted(&alias.owner.to_string()))]);
    }
    let Some(redirection) = &switches.redirection else { return form(template, "none").to_owned() };
    if !is_active(redirection) {
        return form(template, "paused").to_owned();
    }
    let mut lines = String::new();
    for target in &redirection.targets {
        let name = target.address.to_string();
        let _ = if target.paused {
            writeln!(lines, "    # Paused: {}", quote::comment(&name))
        } else {
            writeln!(lines, "    redirect :copy {};", quote::quoted(&name))
        };
    }
    fill(form(template, "targets"), &[("    redirect :copy \"someone@example.org\";\n", &lines)])
}

fn is_active(redirection: &RedirectionSwitch) -> bool {
    !redirection.paused && redirection.targets.iter().any(|target| !target.paused)
}

fn copy(switches: &Switches) -> &'static str {
    let template = include_str!("../../sieve/copy.sieve");
    let redirected_only = switches.redirection.as_ref().is_some_and(|redirection| {
        // A redirection that sends nothing has no say about what is kept.
        !redirection.keep && is_active(redirection)
    });
    form(
        template,
        match (switches.mailbox, redirected_only) {
            (false, _) => "no-mailbox",
            (true, false) => "mailbox",
            (true, true) => "redirected-only",
        },
    )
}

fn personal(context: &Context) -> String {
    let template = include_str!("../../sieve/personal.sieve");
    if context.personal.is_empty() {
        return form(template, "none").to_owned();
    }
    let lines = includes("personal", &context.personal);
    fill(form(template, "scripts"), &[("include :personal :optional \"lists\";\n", &lines)])
}

fn after(context: &Context) -> String {
    let template = include_str!("../../sieve/after.sieve");
    if context.after.is_empty() {
        return form(template, "none").to_owned();
    }
    let lines = includes("global", &context.after);
    fill(form(template, "scripts"), &[("include :global :optional \"after\";\n", &lines)])
}

/// One form of a section: what stands between its mark and the next. Which forms there are is fixed here and in `sieve/`;
/// a test holds the two together.
fn form<'t>(template: &'t str, name: &str) -> &'t str {
    let mark = format!("#= {name}\n");
    let Some(start) = template.find(&mark).map(|at| at + mark.len()) else { return "" };
    let rest = &template[start..];
    rest.find("\n#= ").map_or(rest, |end| &rest[..=end])
}

/// Puts values in the place of samples. Each sample is searched in the template alone, never in a value put in before.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut places: Vec<(usize, &str, &str)> = Vec::with_capacity(values.len());
    for (sample, value) in values {
        let at = template.find(sample);
        debug_assert!(at.is_some(), "the template has no {sample:?}");
        places.extend(at.map(|at| (at, *sample, *value)));
    }
    places.sort_unstable_by_key(|(at, ..)| *at);
    let mut text = String::with_capacity(template.len() + 1024);
    let mut done = 0;
    for (at, sample, value) in places {
        text.push_str(&template[done..at]);
        text.push_str(value);
        done = at + sample.len();
    }
    text.push_str(&template[done..]);
    text
}
