//! `posthouse dns`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, Page};
use crate::admin::{DnsShow, DnsView, RecordView, Verdict};
use crate::types::Domain;

pub(super) async fn run(domain: Domain, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let shown = desk.perform(DnsShow { domain }).await?;
    output.answer(&shown, |page| print(&shown, page))
}

/// A zone file: what is no record is a comment in it, so that all of it can be pasted.
fn print(shown: &DnsView, page: &mut Page) {
    for note in &shown.notes {
        page.line(format!("; note: {note}"));
    }
    for record in &shown.records {
        page.verdict(";", record.verdict, &headline(record));
        for found in &record.found {
            if record.verdict != Verdict::Green || record.value.is_empty() {
                page.line(format!(";   DNS has: {found}"));
            }
        }
        if let Some(fix) = &record.fix {
            page.line(format!(";   {fix}"));
        }
        if !record.value.is_empty() {
            page.line(format!("{} IN {} {}", record.name, record.kind, record.value));
        }
    }
    for left_out in &shown.left_out {
        page.line(format!("; left out: {} ({})", left_out.what, left_out.why));
    }
}

fn headline(record: &RecordView) -> String {
    let word = match (record.verdict, record.found.is_empty()) {
        (Verdict::Green, _) => "right",
        (Verdict::Orange, true) => "missing, not needed",
        (Verdict::Red, true) => "MISSING",
        (Verdict::Orange, false) => "strange",
        (Verdict::Red, false) => "WRONG",
        (Verdict::Unknown, _) => "unknown",
    };
    match record.value.is_empty() {
        true => format!("{word}: {}, {} {}", record.purpose, record.kind, record.name),
        false => format!("{word}: {}", record.purpose),
    }
}
