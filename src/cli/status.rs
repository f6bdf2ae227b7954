//! `posthouse status`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, minute};
use crate::admin::{DomainList, Status, words};
use crate::server::mx_elsewhere;

pub(super) async fn run(desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let mut status = desk.perform(Status {}).await?;
    let domains = desk.perform(DomainList {}).await?.into_iter().map(|domain| domain.domain).collect();
    status.attention.extend(mx_elsewhere(&desk.config()?, domains).await);
    output.answer(&status, |page| {
        let server = match &status.server {
            Some(server) => format!("running as process {} since {}", server.process, minute(&server.since)),
            None => "not running".to_owned(),
        };
        let mut facts =
            vec![("version", status.version.clone()), ("data", status.data.display().to_string()), ("server", server)];
        if let Some(server) = &status.server {
            let lines: Vec<String> =
                server.listening.iter().map(|one| format!("{} on {}", one.service, one.address)).collect();
            facts.push(("listening", lines.join("\n")));
        }
        let accounts =
            format!("{}, {} suspended, {} parked", status.accounts, status.accounts_suspended, status.accounts_parked);
        facts.extend([
            ("domains", status.domains.to_string()),
            ("accounts", accounts),
            ("aliases", status.aliases.to_string()),
            ("redirections", status.redirections.to_string()),
            ("responders", status.responders.to_string()),
            ("mail", words::mail(status.messages, status.mail_octets)),
            ("queue", words::count(status.queued, "message", "messages")),
            ("database", words::size(status.database_octets)),
        ]);
        facts.retain(|(_, value)| !value.is_empty());
        page.facts(&facts);
        status.attention.iter().for_each(|line| page.note(line));
    })
}
