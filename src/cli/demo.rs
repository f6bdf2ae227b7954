//! `posthouse demo`.

use super::failure::Failure;
use super::output::Output;
use crate::server::{Demo, Signals};
use crate::telemetry::{Format, Log};
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    data: String,
    password: &'a str,
    listening: Vec<Place>,
    failed: Vec<Place>,
    /// What this version does not have yet.
    unserved: &'a [&'static str],
    /// To be pasted into a shell.
    commands: Vec<String>,
}

#[derive(Serialize)]
struct Place {
    service: String,
    address: String,
}

pub(super) async fn run(output: &Output) -> Result<(), Failure> {
    // The page below is what people came for; only what goes wrong is told beside it.
    Log::start(Format::Text, "error").map_err(|error| Failure::fault("internal", error.to_string()))?;
    let mut signals = Signals::listen().map_err(Failure::machine)?;
    let demo = Demo::start().await?;
    let place = |(service, address): (&str, String)| Place { service: service.to_owned(), address };
    let report = Report {
        data: demo.data().display().to_string(),
        password: Demo::PASSWORD,
        listening: demo.listening().into_iter().map(place).collect(),
        failed: demo.failed().into_iter().map(place).collect(),
        unserved: demo.unserved(),
        commands: demo.commands(&program()),
    };
    let shown = output.answer(&report, |page| {
        page.strong_line("posthouse is running. Ctrl-C stops it, and everything here is gone then.");
        page.line("");
        let row = |one: &Place| [one.service.clone(), one.address.clone()];
        page.table(["LISTENING", "ON"], report.listening.iter().map(row), "no port is open");
        report.failed.iter().for_each(|one| page.note(&format!("{} is not there: {}", one.service, one.address)));
        if !report.unserved.is_empty() {
            page.note(&format!("not in this version: {}", report.unserved.join(", ")));
        }
        page.line("");
        page.facts(&[
            ("domain", "example.test".to_owned()),
            ("people", "jane@example.test (administrator) and john@example.test".to_owned()),
            ("password", format!("{} for both", Demo::PASSWORD)),
            ("alias", "info@example.test, which is jane@ and has a responder".to_owned()),
            ("redirection", "john@example.test to jane@example.test, with a copy kept".to_owned()),
        ]);
        page.line("");
        page.strong_line("Try, in another terminal:");
        report.commands.iter().for_each(|command| page.line(format!("  {command}")));
    });
    signals.attend(demo.shutdown(), &[]).await;
    demo.stop().await;
    shown
}

/// As it was called, so that the commands can be pasted.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "posthouse".to_owned())
}
