//! What came of a message becomes one write: sends that are gone or due again, reports, counts, the ledger.

use super::Shared;
use super::report::{Case, Kind, is_time_to_tell, is_wanted, report};
use super::transport::Answer;
use super::verdict::Setback;
use crate::store::{LedgerEntry, SendEnd, SendKind, SendRecord, Settlement, StoreError, TargetNews, TargetNote};
use crate::types::{Address, Timestamp};
use std::time::Duration;

/// What became of one send in one attempt.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Taken {
        host: String,
        answer: Answer,
        /// The server there gives reports.
        reports: bool,
    },
    Failed(Setback),
    /// Nobody tried.
    Untouched,
}

/// What is told of the attempt besides, for the ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct Circumstances {
    /// As MAIL had it.
    pub(super) return_path: Option<Address>,
    /// What protected the connection.
    pub(super) protection: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Tries to write until it is written: a send that was taken and not settled would only be looked at again after a restart.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes it all down. `message`: sends of one message, with as many outcomes.
pub(super) async fn settle(
    shared: &Shared,
    message: &[SendRecord],
    outcomes: &[Outcome],
    circumstances: &Circumstances,
) {
    loop {
        let settled = match prepare(shared, message, outcomes, circumstances).await {
            Ok(settlement) => shared.store.settle_sends(settlement).await,
            Err(error) => Err(error),
        };
        match settled {
            Ok(refusing) => {
                shared.tell_refusing(&refusing).await;
                return;
            }
            Err(error) if shared.is_stopping() => {
                tracing::error!(%error, "what came of a message could not be written down: it may be sent again");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "what came of a message can't be written down; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn prepare(
    shared: &Shared,
    message: &[SendRecord],
    outcomes: &[Outcome],
    circumstances: &Circumstances,
) -> Result<Settlement, StoreError> {
    let now = shared.store.clock().now();
    let mut settlement = Settlement::default();
    let given_up: Vec<Option<Setback>> =
        message.iter().zip(outcomes).map(|(send, outcome)| given_up(send, outcome, now)).collect();
    let (mut failed, mut delayed, mut relayed) = (Vec::new(), Vec::new(), Vec::new());
    for ((send, outcome), given_up) in message.iter().zip(outcomes).zip(&given_up) {
        let mut later = None;
        let end = match (outcome, given_up) {
            (_, Some(setback)) => {
                failed.push(Case { send, setback: Some(setback) });
                SendEnd::Gone
            }
            (Outcome::Failed(setback), None) => {
                let is_told = is_time_to_tell(send, now, shared.settings.warn_seconds);
                if is_told {
                    delayed.push(Case { send, setback: Some(setback) });
                }
                let due = next_due(shared, send, is_told, now);
                later = Some(due);
                SendEnd::Later { due, reply: setback.to_string(), warned: is_told }
            }
            (Outcome::Taken { reports, .. }, None) => {
                // RFC 3461 section 6.2.2; behind a redirection the report is ours to give, as we passed no request on.
                if !reports || send.send.kind == SendKind::Redirection {
                    relayed.push(Case { send, setback: None });
                }
                SendEnd::Gone
            }
            (Outcome::Untouched, None) => SendEnd::Untouched,
        };
        settlement.ends.push((send.id, end));
        settlement.targets.extend(target_note(send, outcome, given_up.as_ref()));
        settlement.ledger.extend(entry(send, outcome, given_up.as_ref(), later, circumstances));
    }
    for (kind, mut cases) in [(Kind::Failed, failed), (Kind::Delayed, delayed), (Kind::Relayed, relayed)] {
        cases.retain(|case| is_wanted(kind, case.send));
        settlement.reports.extend(report(shared, kind, &cases).await?);
    }
    Ok(settlement)
}

/// Why nothing more will be tried.
fn given_up(send: &SendRecord, outcome: &Outcome, now: Timestamp) -> Option<Setback> {
    match outcome {
        Outcome::Failed(setback) if setback.is_permanent() => Some(setback.clone()),
        Outcome::Failed(setback) if now >= send.send.expires => Some(setback.clone().expired()),
        _ => None,
    }
}

/// Growing pauses, none of them beyond the end or the time to tell the sender; spread by a tenth, so that what failed
/// together does not come back together.
fn next_due(shared: &Shared, send: &SendRecord, is_told: bool, now: Timestamp) -> Timestamp {
    let settings = &shared.settings;
    let doubled = u64::from(settings.pause_seconds_first) << send.attempts.min(16);
    let pause_seconds = doubled.min(u64::from(settings.pause_seconds_max)).max(1);
    let mut octets = [0_u8; 8];
    // Without randomness there is no spread, which is no harm.
    let _ = getrandom::fill(&mut octets);
    let spread_milliseconds = u64::from_le_bytes(octets) % (pause_seconds * 100).max(1);
    let pause_milliseconds = i64::try_from(pause_seconds * 1000 + spread_milliseconds).unwrap_or(i64::MAX);
    let mut due = Timestamp(now.0.saturating_add(pause_milliseconds)).min(send.send.expires);
    if !is_told && !send.warned {
        due = due.min(send.tell_at.unwrap_or_else(|| send.since.plus_seconds(settings.warn_seconds)));
    }
    // At least a moment from now, or it would be tried without a pause.
    due.max(now.plus_seconds(1))
}

fn target_note(send: &SendRecord, outcome: &Outcome, given_up: Option<&Setback>) -> Option<TargetNote> {
    if send.send.kind != SendKind::Redirection {
        return None;
    }
    let news = match (outcome, given_up) {
        (Outcome::Taken { .. }, _) => TargetNews::Took,
        // Nobody there for days is a refusal, too.
        (_, Some(setback)) if setback.is_about_recipient || setback.status.1 == 4 => {
            TargetNews::Refused(setback.to_string())
        }
        _ => return None,
    };
    Some(TargetNote { address: send.send.address.clone()?, target: send.send.recipient.clone(), news })
}

fn entry(
    send: &SendRecord,
    outcome: &Outcome,
    given_up: Option<&Setback>,
    later: Option<Timestamp>,
    circumstances: &Circumstances,
) -> Option<LedgerEntry> {
    let (event, host, reply) = match (outcome, given_up) {
        (Outcome::Untouched, _) => return None,
        (Outcome::Taken { host, answer, .. }, _) => ("sent", Some(host.clone()), answer.to_string()),
        (_, Some(setback)) => ("failed", setback.host.clone(), setback.to_string()),
        (Outcome::Failed(setback), None) => ("postponed", setback.host.clone(), setback.to_string()),
    };
    let words = match outcome {
        Outcome::Failed(setback) => Some(given_up.unwrap_or(setback).words.clone()),
        _ => None,
    };
    let detail = serde_json::json!({
        "kind": send.send.kind,
        "to": send.send.recipient,
        "from": circumstances.return_path,
        "host": host,
        "reply": reply,
        "words": words,
        "attempt": send.attempts + 1,
        "again": later.map(Timestamp::rfc3339),
        "tls": circumstances.protection,
        "notes": circumstances.notes,
        "cause": send.send.details.cause,
    });
    let mut addresses: Vec<String> =
        [Some(&send.send.recipient), send.send.address.as_ref(), send.send.sender.as_ref()]
            .into_iter()
            .flatten()
            .chain(&send.send.details.addressed)
            .map(|address| address.canonical().to_string())
            .collect();
    addresses.sort_unstable();
    addresses.dedup();
    Some(LedgerEntry {
        event: event.to_owned(),
        session: send.send.details.session.clone(),
        message_id: send.send.details.message_id.clone(),
        sender: send.send.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        addresses,
        send: Some(send.id),
        detail: detail.to_string(),
    })
}
