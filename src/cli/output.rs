//! Printing: tables for people, JSON for programs, colours only on a terminal.

use super::failure::Failure;
use crate::admin::{Done, MailNow, Verdict, words};
use crate::types::Address;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

/// Addresses that are told in one line.
const NAMED_MAX: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    People,
    Json,
}

/// Where a command's words go. Answers to standard output, all else to standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) form: Form,
    answers: Paint,
    errors: Paint,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(bool);

impl Paint {
    fn for_terminal(is_terminal: bool) -> Self {
        // https://no-color.org: set and not empty, whatever it says.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(is_terminal && !unwanted)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn notable(self, text: &str) -> String {
        self.with("33", text)
    }

    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn helpful(self, text: &str) -> String {
        self.with("36", text)
    }
}

/// What a person reads.
pub(super) struct Page {
    text: String,
    paint: Paint,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self {
            form: if json { Form::Json } else { Form::People },
            answers: Paint::for_terminal(std::io::stdout().is_terminal()),
            errors: Paint::for_terminal(std::io::stderr().is_terminal()),
        }
    }

    /// The answer as it is, or as `people` write it.
    pub(super) fn answer<T: Serialize>(&self, answer: &T, people: impl FnOnce(&mut Page)) -> Result<(), Failure> {
        match self.form {
            Form::Json => {
                let json = serde_json::to_string_pretty(answer);
                self.raw(&(json.map_err(|error| Failure::fault("internal", error.to_string()))? + "\n"))
            }
            Form::People => {
                let mut page = Page { text: String::new(), paint: self.answers };
                people(&mut page);
                self.raw(&page.text)
            }
        }
    }

    /// A change: what was done, and what it means for mail.
    pub(super) fn done(&self, done: &Done, headline: &str) -> Result<(), Failure> {
        self.answer(done, |page| page.done(done, headline))
    }

    /// As it is, to standard output. A reader who has seen enough is no error.
    pub(super) fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::refused("output", format!("standard output: {error}"), None))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failure(&self, failure: &Failure) {
        let text = match self.form {
            Form::Json => {
                let json = serde_json::json!({ "error": failure.0 });
                format!("{json}\n")
            }
            Form::People => {
                let mut text = String::new();
                for cause in &failure.0.causes {
                    let _ = writeln!(text, "{} {}", self.errors.bad("error:"), cause.message);
                }
                let mut hints: Vec<&str> = Vec::new();
                for hint in failure.0.causes.iter().filter_map(|cause| cause.hint.as_deref()) {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                        let _ = writeln!(text, "{} {hint}", self.errors.helpful("hint:"));
                    }
                }
                text
            }
        };
        // With standard error gone there is nobody left to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

impl Page {
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    pub(super) fn strong_line(&mut self, text: &str) {
        let text = self.paint.strong(text);
        self.line(text);
    }

    pub(super) fn note(&mut self, text: &str) {
        let label = self.paint.notable("note:");
        self.line(format!("{label} {text}"));
    }

    /// Behind `mark`, in the colour of what is said.
    pub(super) fn verdict(&mut self, mark: &str, verdict: Verdict, text: &str) {
        let text = match verdict {
            Verdict::Green => self.paint.good(text),
            Verdict::Orange => self.paint.notable(text),
            Verdict::Red => self.paint.bad(text),
            Verdict::Unknown => text.to_owned(),
        };
        self.line(format!("{mark} {text}"));
    }

    pub(super) fn done(&mut self, done: &Done, headline: &str) {
        let headline = if done.changed { headline } else { "nothing had to be changed" };
        self.strong_line(headline);
        self.mail_now(done);
        for note in &done.notes {
            self.note(note);
        }
    }

    fn mail_now(&mut self, done: &Done) {
        for (addresses, what) in alike(&done.mail_now) {
            match what {
                [only] => self.line(format!("mail to {addresses} is now {only}")),
                what => {
                    self.line(format!("mail to {addresses} is now"));
                    what.iter().for_each(|line| self.line(format!("  {line}")));
                }
            }
        }
        if !done.also_affected.is_empty() {
            let names: Vec<&Address> = done.also_affected.iter().collect();
            self.line(format!("this also changes mail to {}", named(&names)));
        }
    }

    /// Columns as wide as their widest cell. `none` is said when there are no rows.
    pub(super) fn table<const COLUMNS: usize>(
        &mut self,
        header: [&str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
        none: &str,
    ) {
        let rows: Vec<[String; COLUMNS]> = rows.into_iter().collect();
        if rows.is_empty() {
            return self.line(none);
        }
        let width = |text: &str| text.chars().count();
        let mut widths = header.map(width);
        for row in &rows {
            for (column, cell) in row.iter().enumerate() {
                widths[column] = widths[column].max(width(cell));
            }
        }
        let padded = |cells: &[&str]| {
            let mut line = String::new();
            for (column, cell) in cells.iter().enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let _ = write!(line, "{gap}{cell}{}", " ".repeat(widths[column] - width(cell)));
            }
            line.trim_end().to_owned()
        };
        let heading = padded(&header);
        self.strong_line(&heading);
        for row in &rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            self.line(padded(&cells));
        }
    }

    /// Names with their values, one pair in a line.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        let widest = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in facts {
            // A value of several lines stands in its own column.
            let value = value.replace('\n', &format!("\n{}", " ".repeat(widest + 2)));
            let label = self.paint.strong(&format!("{name:widest$}"));
            self.line(format!("{label}  {value}").trim_end());
        }
    }
}

/// Each address with what its mail does. The postmasters of all domains go with their administrator: those of one kind are
/// told once, last, or what somebody asked for would stand somewhere among hundreds of lines.
fn alike(mail_now: &[MailNow]) -> Vec<(String, &[String])> {
    let is_postmaster = |now: &&MailNow| ["postmaster", "abuse"].contains(&now.address.local());
    let others = mail_now.iter().filter(|now| !is_postmaster(now));
    let mut groups: Vec<(Vec<&Address>, &[String])> =
        others.map(|now| (vec![&now.address], now.what.as_slice())).collect();
    let told = groups.len();
    for now in mail_now.iter().filter(is_postmaster) {
        match groups[told..].iter_mut().find(|(_, what)| *what == now.what.as_slice()) {
            Some((addresses, _)) => addresses.push(&now.address),
            None => groups.push((vec![&now.address], &now.what)),
        }
    }
    groups.into_iter().map(|(addresses, what)| (named(&addresses), what)).collect()
}

/// By name as long as somebody would read them.
fn named(addresses: &[&Address]) -> String {
    let mut names: Vec<String> = addresses.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    if addresses.len() > NAMED_MAX {
        names.push(format!("and {} more", addresses.len() - NAMED_MAX));
    }
    names.join(", ")
}

/// `2026-11-20 03:31`, in UTC, of a time as the answers carry it.
pub(super) fn minute(rfc3339: &str) -> String {
    rfc3339.chars().take("2026-11-20T03:31".len()).collect::<String>().replace('T', " ")
}

/// `2026-11-20 03:31:42`, in UTC.
pub(super) fn second(rfc3339: &str) -> String {
    rfc3339.chars().take("2026-11-20T03:31:42".len()).collect::<String>().replace('T', " ")
}

pub(super) fn quota(used_octets: u64, quota_octets: Option<u64>) -> String {
    match quota_octets {
        Some(quota) => format!("{} of {}", words::size(used_octets), words::size(quota)),
        None => words::size(used_octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page { text: String::new(), paint: Paint(false) }
    }

    #[test]
    fn tables_line_up_and_have_no_trailing_blanks() {
        let mut page = page();
        let rows = [["jane@example.org".to_owned(), "grün".to_owned()], ["x@y".to_owned(), String::new()]];
        page.table(["ADDRESS", "STATE"], rows, "none");
        assert_eq!(page.text, "ADDRESS           STATE\njane@example.org  grün\nx@y\n");
        let mut page = self::page();
        page.table(["ADDRESS"], [], "no aliases");
        assert_eq!(page.text, "no aliases\n");
    }

    #[test]
    fn postmasters_are_told_together() {
        let now = |address: &str, what: &str| MailNow {
            address: Address::parse(address).unwrap(),
            what: vec![what.to_owned()],
        };
        let mut mail_now: Vec<MailNow> = vec![now("jane@a.example", "kept")];
        mail_now.extend((0..20).map(|number| now(&format!("postmaster@d{number}.example"), "kept")));
        mail_now.push(now("abuse@a.example", "refused"));
        let mut page = page();
        page.mail_now(&Done { changed: true, mail_now, also_affected: Vec::new(), notes: Vec::new() });
        let lines: Vec<&str> = page.text.lines().collect();
        assert_eq!(lines.len(), 3, "{}", page.text);
        assert_eq!(lines[0], "mail to jane@a.example is now kept");
        assert!(lines[1].starts_with("mail to postmaster@d0.example, postmaster@d1.example, "), "{}", page.text);
        assert!(lines[1].ends_with("postmaster@d11.example, and 8 more is now kept"), "{}", page.text);
        assert_eq!(lines[2], "mail to abuse@a.example is now refused");
    }

    #[test]
    fn facts_line_up() {
        let mut page = page();
        page.facts(&[("name", "Jane".to_owned()), ("does", "one\ntwo".to_owned()), ("x", String::new())]);
        assert_eq!(page.text, "name  Jane\ndoes  one\n      two\nx\n");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert_eq!(Paint(false).bad("x"), "x");
        assert_eq!(Paint(true).bad("x"), "\x1b[1;31mx\x1b[0m");
        assert_eq!(minute("2026-11-20T03:31:42Z"), "2026-11-20 03:31");
    }
}
