//! Mail of the queue's to addresses here, reports mostly: it comes back in by the house's own door.

use super::Shared;
use super::content::StoredContent;
use super::house::{HouseFate, HouseMail};
use super::outgoing::of_content;
use super::returns::{ReturnError, return_to_author};
use super::settle::Outcome;
use super::srs::{Srs, SrsError};
use super::transport::Answer;
use super::verdict::{Setback, Status};
use crate::store::SendRecord;
use crate::types::{Domain, Recipient};

pub(super) async fn is_ours(shared: &Shared, destination: &str) -> Result<bool, Setback> {
    let Ok(domain) = Domain::parse(destination) else { return Ok(false) };
    shared.house.hosts(&domain).await.map_err(|why| {
        tracing::warn!(%domain, why, "whether a domain is hosted here can't be told");
        Setback::of_ours(Status(4, 3, 0), "our own directory could not be read")
    })
}

pub(super) async fn bring_all(shared: &Shared, message: &[SendRecord]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(message.len());
    for send in message {
        outcomes.push(bring(shared, send).await.unwrap_or_else(Outcome::Failed));
    }
    outcomes
}

async fn bring(shared: &Shared, send: &SendRecord) -> Result<Outcome, Setback> {
    let opened = StoredContent::open(&shared.store, send.body, &send.send.details, &shared.conversions).await;
    let (mut content, _) = opened.map_err(of_content)?;
    let message = content.whole().await.map_err(of_content)?;
    let taken = || Outcome::Taken {
        host: shared.settings.hostname.to_string(),
        answer: Answer { code: 250, enhanced: None, text: "delivered here".to_owned() },
        reports: true,
    };
    // A report about mail whose sender is a return path of ours, since somebody passed back what we had passed on.
    let path = &send.send.recipient;
    if send.send.sender.is_none() && Srs::is_return_path(path.local()) {
        match return_to_author(shared, path, message.clone(), &send.send.details.session).await {
            Ok(()) => return Ok(taken()),
            Err(ReturnError::Store(error) | ReturnError::Srs(SrsError::Store(error))) => {
                tracing::error!(%error, "a report can't be passed on to the author");
                return Err(Setback::of_ours(Status(4, 3, 0), "the author could not be looked up"));
            }
            // Somebody may have such a name.
            Err(_) => {}
        }
    }
    let mail = HouseMail {
        sender: send.send.sender.clone(),
        recipient: Recipient {
            notify: send.send.details.notify,
            original: send.send.details.original_recipient.clone(),
            ..Recipient::plain(send.send.recipient.clone())
        },
        envelope_id: send.send.details.envelope_id.clone(),
        dsn_return: send.send.details.dsn_return,
        message,
        session: send.send.details.session.clone(),
    };
    match shared.house.deliver(mail).await {
        HouseFate::Taken => Ok(taken()),
        HouseFate::Refused(why) => Err(Setback { words: why, ..Setback::of_ours(Status(5, 2, 0), "") }),
        HouseFate::Deferred(why) => Err(Setback { words: why, ..Setback::of_ours(Status(4, 2, 0), "") }),
    }
}
