//! `posthouse check`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use crate::admin::{Check, Checked, DomainList, Problem, Side, Told, words};
use crate::config::Config;
use crate::server::{doubts_about_tls, mx_elsewhere, preflight};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    /// None: built-in settings.
    configuration: Option<String>,
    hostname: String,
    data: String,
    /// None: nothing is stored yet.
    directory: Option<Checked>,
    /// What does not keep the server from working, and is probably not meant.
    warnings: Vec<String>,
}

pub(super) async fn run(desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let config: Config = desk.config()?;
    let (mut directory, mut domains) = (None, Vec::new());
    if desk.has_data()? {
        directory = Some(desk.perform(Check {}).await?);
        domains = desk.perform(DomainList {}).await?.into_iter().map(|domain| domain.domain).collect();
    }
    let mut findings = preflight(&config);
    findings.extend(directory.iter().flat_map(|checked| checked.findings.clone()));
    if !findings.is_empty() {
        let told = |finding: String| Told { code: "finding".to_owned(), message: finding, hint: None };
        return Err(Failure(Problem { side: Side::Refused, causes: findings.into_iter().map(told).collect() }));
    }
    let mut warnings = doubts_about_tls(&config);
    warnings.extend(mx_elsewhere(&config, domains).await);
    let report = Report {
        configuration: desk.config_file().map(|file| file.display().to_string()),
        hostname: config.host().to_string(),
        data: config.data.display().to_string(),
        directory,
        warnings,
    };
    output.answer(&report, |page| {
        let counted = report.directory.as_ref().map_or_else(
            || "nothing is stored yet".to_owned(),
            |checked| {
                let domains = words::count(checked.domains as u64, "domain", "domains");
                let addresses = words::count(checked.addresses as u64, "address", "addresses");
                format!("{domains} and {addresses}, all sound")
            },
        );
        let file = report.configuration.clone();
        page.facts(&[
            ("configuration", file.map_or_else(|| "built-in settings".to_owned(), |file| format!("{file} is sound"))),
            ("host name", report.hostname.clone()),
            ("data", report.data.clone()),
            ("directory", counted),
        ]);
        report.warnings.iter().for_each(|line| page.note(line));
    })
}
