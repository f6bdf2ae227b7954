//! Reports to senders (RFC 3461, RFC 3464): what failed, what is delayed, what went on to where nobody reports.
//!
//! A report speaks of the address that the sender wrote to, and never of where it led from here: not by the address, not
//! by the name of the server there, not in its reply. No report is about mail from nobody (RFC 5321 section 4.5.5).

use super::Shared;
use super::verdict::Setback;
use crate::message::{Action, DeliveryReport, Parsed, RecipientReport, Returned, Stamp, format_date, new_message_id};
use crate::store::{BodyIndex, NewBody, NewSend, SendDetails, SendKind, SendRecord, StoreError};
use crate::types::limits::REPORT_RETURNED_OCTETS_MAX;
use crate::types::{Address, DsnReturn, Notify, Timestamp};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Failed,
    Delayed,
    Relayed,
}

/// One recipient of a message, and what came of it.
pub(super) struct Case<'c> {
    pub(super) send: &'c SendRecord,
    /// `None`: relayed.
    pub(super) setback: Option<&'c Setback>,
}

/// Whether the sender wants to hear of it.
pub(super) fn is_wanted(kind: Kind, send: &SendRecord) -> bool {
    let notify = send.send.details.notify;
    let wanted = match kind {
        Kind::Failed => notify.wants_failure(),
        Kind::Delayed => notify.wants_delay(),
        Kind::Relayed => notify.success,
    };
    // What the house writes by itself has a null sender; the kinds are named because nobody should have to rely on it.
    let is_own = matches!(send.send.kind, SendKind::Reply | SendKind::Bounce | SendKind::Notice);
    wanted && !notify.never && !is_own && send.send.sender.is_some()
}

/// Where the send led was not the sender's doing, and is not his business.
pub(super) fn is_masked(send: &SendRecord) -> bool {
    send.send.kind == SendKind::Redirection || send.send.details.addressed.is_some()
}

/// The address as its sender knows it.
pub(super) fn known_as(send: &SendRecord) -> &Address {
    let details = &send.send.details;
    match (&details.addressed, &send.send.address) {
        (Some(addressed), _) => addressed,
        (None, Some(address)) if send.send.kind == SendKind::Redirection => address,
        _ => &send.send.recipient,
    }
}

/// The report as a send of its own. All cases are of one message.
pub(super) async fn report(
    shared: &Shared,
    kind: Kind,
    cases: &[Case<'_>],
) -> Result<Option<(NewBody, NewSend)>, StoreError> {
    let Some(first) = cases.first().map(|case| case.send) else { return Ok(None) };
    let Some(to) = first.send.sender.clone() else { return Ok(None) };
    let chunk = shared.store.body_chunk(first.body, 0).await?.unwrap_or_default();
    let skip = (first.send.details.skip_octets as usize).min(chunk.len());
    let message = compose(shared, kind, cases, &to, &chunk[skip..]);
    let indexed = tokio::task::spawn_blocking(move || indexed(&message)).await;
    let body = indexed.unwrap_or_else(|_| Err(StoreError::Io("the analysis of a report panicked".to_owned())))?;
    Ok(Some((body, send_of(shared, first, to))))
}

fn compose(shared: &Shared, kind: Kind, cases: &[Case<'_>], to: &Address, original: &[u8]) -> Vec<u8> {
    let now = shared.store.clock().now();
    let hostname = &shared.settings.hostname;
    // Nothing else can stand there than a good address; if it could, the report would come from the one it goes to.
    let from = Address::from_parts("postmaster", hostname.clone()).unwrap_or_else(|_| to.clone());
    let details = cases.first().map(|case| &case.send.send.details);
    let texts: Vec<Texts> = cases.iter().map(Texts::of).collect();
    let recipients: Vec<RecipientReport<'_>> = cases
        .iter()
        .zip(&texts)
        .map(|(case, texts)| RecipientReport {
            original: case.send.send.details.original_recipient.as_deref(),
            address: known_as(case.send),
            action: match kind {
                Kind::Failed => Action::Failed,
                Kind::Delayed => Action::Delayed,
                Kind::Relayed => Action::Relayed,
            },
            status: &texts.status,
            remote_mta: texts.host.as_deref(),
            diagnostic: texts.diagnostic.as_deref(),
            last_attempt: Some(now),
            will_retry_until: (kind == Kind::Delayed).then_some(case.send.send.expires),
        })
        .collect();
    let number = cases.first().map_or(0, |case| case.send.id.0);
    let message_id = new_message_id(&format!("report.{number}.{}", now.0), hostname);
    DeliveryReport {
        reporting_mta: hostname,
        from_name: Some("Mail delivery"),
        from: &from,
        to,
        subject: match kind {
            Kind::Failed => "Your message could not be delivered",
            Kind::Delayed => "Your message is delayed",
            Kind::Relayed => "Your message was passed on",
        },
        stamp: Stamp { at: now, offset_seconds: 0, message_id: &message_id },
        text: &words(shared, kind, cases, &texts),
        envelope_id: details.and_then(|details| details.envelope_id.as_deref()),
        arrived: cases.first().map(|case| case.send.created),
        recipients: &recipients,
        returned: returned(kind, details, original),
        utf8: details.is_some_and(|details| details.smtputf8),
    }
    .to_message()
}

/// RFC 3461 section 4.3: the whole message only with a failure. Without a word about it a small one comes back whole, as
/// most senders keep no copy that a program could show.
fn returned<'o>(kind: Kind, details: Option<&SendDetails>, original: &'o [u8]) -> Returned<'o> {
    let wants_header = details.is_some_and(|details| {
        // RFC 8689 section 5: what was to be protected is not sent about once more.
        details.dsn_return == Some(DsnReturn::Headers) || details.requiretls
    });
    if kind != Kind::Failed || wants_header || original.len() > REPORT_RETURNED_OCTETS_MAX {
        return Returned::Header(original);
    }
    Returned::Message(original)
}

/// What is said of one recipient.
struct Texts {
    status: String,
    host: Option<String>,
    diagnostic: Option<String>,
}

impl Texts {
    fn of(case: &Case<'_>) -> Self {
        let Some(setback) = case.setback else {
            return Self { status: "2.0.0".to_owned(), host: None, diagnostic: None };
        };
        let status = setback.status.to_string();
        if !is_masked(case.send) {
            return Self { status, host: setback.host.clone(), diagnostic: setback.diagnostic.clone() };
        }
        let diagnostic = setback.diagnostic.as_deref().map(|reply| masked(reply, case.send));
        Self { status, host: None, diagnostic }
    }
}

/// A reply without the address it is about. Where even a part of it is in there in some other way, only its codes stay.
fn masked(reply: &str, send: &SendRecord) -> String {
    let target = send.send.recipient.to_string();
    let known_as = known_as(send).to_string();
    let replaced = replaced_ignoring_case(reply, &target, &known_as);
    let rest = replaced_ignoring_case(&replaced, &known_as, "").to_lowercase();
    let local = send.send.recipient.local().to_lowercase();
    let domain = send.send.recipient.domain().as_str();
    if rest.contains(&local) || rest.contains(domain) {
        let is_code = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        return reply.split(' ').take_while(is_code).collect::<Vec<_>>().join(" ");
    }
    replaced
}

fn replaced_ignoring_case(text: &str, what: &str, by: &str) -> String {
    let (lower, what) = (text.to_ascii_lowercase(), what.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = lower[from..].find(&what).filter(|_| !what.is_empty()) {
        out.push_str(&text[from..from + found]);
        out.push_str(by);
        from += found + what.len();
    }
    out.push_str(&text[from..]);
    out
}

fn words(shared: &Shared, kind: Kind, cases: &[Case<'_>], texts: &[Texts]) -> String {
    let mut recipients = String::new();
    for (case, texts) in cases.iter().zip(texts) {
        recipients.push_str(&format!("{}\n", known_as(case.send)));
        if let Some(setback) = case.setback {
            recipients.push_str(&format!("    {}\n", setback.words));
        }
        if let Some(diagnostic) = &texts.diagnostic {
            recipients.push_str(&format!("    The server there said: {diagnostic}\n"));
        }
        recipients.push('\n');
    }
    let template = match kind {
        Kind::Failed => include_str!("../../data/reports/failed.txt"),
        Kind::Delayed => include_str!("../../data/reports/delayed.txt"),
        Kind::Relayed => include_str!("../../data/reports/relayed.txt"),
    };
    let until = cases.iter().map(|case| case.send.send.expires).max().unwrap_or_default();
    template
        .replace("{hostname}", shared.settings.hostname.as_str())
        .replace("{until}", &format_date(until, 0))
        // Last: what a server said may have braces in it.
        .replace("{recipients}", &recipients)
}

fn send_of(shared: &Shared, about: &SendRecord, to: Address) -> NewSend {
    let now = shared.store.clock().now();
    let details = &about.send.details;
    NewSend {
        kind: SendKind::Bounce,
        account: None,
        address: None,
        sender: None,
        destination: to.domain().to_string(),
        due: now,
        expires: now.plus_seconds(shared.settings.lifetime_seconds),
        // RFC 6710 section 5.3.
        priority: about.send.priority,
        details: SendDetails {
            notify: Notify::NEVER,
            smtputf8: details.smtputf8 || to.needs_utf8(),
            requiretls: details.requiretls,
            sign: true,
            cause: format!("report about send {}", about.id),
            message_id: details.message_id.clone(),
            session: details.session.clone(),
            ..SendDetails::default()
        },
        recipient: to,
    }
}

/// Analysed, hashed and compressed.
pub(super) fn indexed(message: &[u8]) -> Result<NewBody, StoreError> {
    let analysis = Parsed::parse(message).analyse();
    let index = BodyIndex {
        envelope: analysis.envelope,
        bodystructure: analysis.bodystructure,
        structure: analysis.structure.to_bytes(),
        facts: analysis.facts.to_bytes(),
        search_text: analysis.search_text,
        // Found by reading its text; reports are few.
        ..BodyIndex::default()
    };
    NewBody::of(message, index)
}

/// Whether it is time to tell the sender that it has not gone out yet.
pub(super) fn is_time_to_tell(send: &SendRecord, now: Timestamp, warn_seconds: i64) -> bool {
    !send.warned && send.tell_at.unwrap_or_else(|| send.since.plus_seconds(warn_seconds)) <= now
}
