//! What the other server of a split domain says when the way a domain is hosted changes. It is asked whether it would take
//! mail, gets none, and refuses nothing here by what it says: an administrator may know better.

use super::Admin;
use super::change::Done;
use super::error::Refused;
use crate::queue::{Failure, FailureCause, Fate};
use crate::store::DomainKind;
use crate::types::limits::NEIGHBOUR_SECONDS;
use crate::types::{Address, Domain, HostPort};
use std::pin::Pin;
use std::time::Duration;

/// One fate for each recipient that was asked about, or why nobody could be asked.
pub type Asked = Result<Vec<Fate>, String>;

/// Other servers, at the end of a wire.
pub trait Neighbours: Send + Sync {
    /// Whether the server would take mail from nobody to these.
    fn ask(&self, server: HostPort, recipients: Vec<Address>) -> Pin<Box<dyn Future<Output = Asked> + Send + '_>>;
}

/// Adds what was found to the answer of a change. `before`: how the domain was hosted.
pub(super) async fn told(
    admin: &Admin,
    done: Done,
    domain: &Domain,
    before: Option<DomainKind>,
) -> Result<Done, Refused> {
    let Some(neighbours) = admin.neighbours() else { return Ok(done) };
    let neighbours = neighbours.as_ref();
    let now = admin.directory().snapshot().await?.domain(domain).map(|record| record.kind.clone());
    let other = |kind: &Option<DomainKind>| match kind {
        Some(DomainKind::Split { host, port }) => Some(format!("{host}:{port}")),
        _ => None,
    };
    let note = match (other(&now), other(&before)) {
        (Some(server), _) => taking_over(&server, domain, &answers(neighbours, &server, domain).await),
        (None, Some(server)) => left_alone(&server, domain, &answers(neighbours, &server, domain).await),
        (None, None) => return Ok(done),
    };
    Ok(done.note(note))
}

/// What it says to postmaster, whom every domain has, and to an address that nobody has.
struct Answers {
    known: Fate,
    unknown: Fate,
}

async fn answers(neighbours: &dyn Neighbours, server: &str, domain: &Domain) -> Result<Answers, String> {
    let unreadable = || "its name can't be read".to_owned();
    let host = HostPort::parse(server).ok_or_else(unreadable)?;
    let mut random = [0_u8; 6];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    let made_up: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
    let address = |local: &str| Address::from_parts(local, domain.clone()).map_err(|error| error.to_string());
    let recipients = vec![address("postmaster")?, address(&format!("nobody-{made_up}"))?];
    let patience = Duration::from_secs(NEIGHBOUR_SECONDS);
    let asked = tokio::time::timeout(patience, neighbours.ask(host, recipients)).await;
    let mut fates = asked.map_err(|_| format!("no answer within {NEIGHBOUR_SECONDS} seconds"))??.into_iter();
    match (fates.next(), fates.next()) {
        (Some(known), Some(unknown)) => Ok(Answers { known, unknown }),
        _ => Err("it gave no answer".to_owned()),
    }
}

/// It gets what is unknown here from now on.
fn taking_over(server: &str, domain: &Domain, asked: &Result<Answers, String>) -> String {
    let answers = match asked {
        Ok(answers) => answers,
        Err(why) => return format!("{server} could not be asked ({why}): mail for it waits until it answers"),
    };
    match (&answers.known, &answers.unknown) {
        (Fate::Failed(failure), _) => format!(
            "{server} does not take mail for postmaster@{domain} ({}): mail that is handed to it would come back",
            said(failure)
        ),
        (Fate::Taken { .. }, Fate::Failed(failure)) => {
            format!("{server} takes mail for {domain}, and refuses addresses it does not know ({})", said(failure))
        }
        (Fate::Taken { .. }, Fate::Taken { .. }) => format!(
            "{server} takes mail for {domain}, also for an address nobody has: it keeps everything, or hands it back \
             here, where the second pass is refused"
        ),
    }
}

/// It had what was unknown here until now.
fn left_alone(server: &str, domain: &Domain, asked: &Result<Answers, String>) -> String {
    match asked.as_ref().map(|answers| &answers.known) {
        Err(why) => format!("{server}, which had the other addresses, could not be asked ({why})"),
        Ok(Fate::Failed(failure)) => {
            format!("{server}, which had the other addresses, takes no mail for {domain} ({})", said(failure))
        }
        Ok(Fate::Taken { .. }) => format!(
            "{server}, which had the other addresses, still takes mail for {domain}: what is sent there does not come here"
        ),
    }
}

fn said(failure: &Failure) -> String {
    match &failure.cause {
        FailureCause::Answer(answer) => answer.to_string(),
        _ => failure.to_string(),
    }
}
