//! Bounces of redirected mail: sent to our return path by the target's server, on their way back to the author, once. They
//! are mail from nobody to somebody outside; no script sees them, so they are never redirected again.

use super::report::indexed;
use super::srs::{Srs, SrsError};
use super::{Queue, Shared};
use crate::message::{HeaderFields, Parsed, own_message_id};
use crate::store::{
    LedgerEntry, LedgerFilter, LedgerRecord, NewSend, SendDetails, SendKind, Settlement, StoreError, TargetNews,
    TargetNote,
};
use crate::types::limits::RETURN_EVENTS_MAX;
use crate::types::{Address, Notify};
use std::fmt;

/// The ledger's word for it.
const BOUNCED: &str = "bounced";

/// Why a bounce goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnError {
    /// Only mail from nobody goes back: a return path is no way to write to the author.
    NotABounce,
    Srs(SrsError),
    Store(StoreError),
}

impl fmt::Display for ReturnError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABounce => formatter.write_str("this address takes bounces only"),
            Self::Srs(error) => error.fmt(formatter),
            Self::Store(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for ReturnError {}

impl From<SrsError> for ReturnError {
    fn from(error: SrsError) -> Self {
        Self::Srs(error)
    }
}

impl From<StoreError> for ReturnError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a delivery report says about one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Complaint {
    recipient: Address,
    reply: String,
}

impl Queue {
    /// Whether mail with this sender to this address, which looks like a return path, would be passed on.
    pub async fn check_return(&self, sender: Option<&Address>, return_path: &Address) -> Result<Address, ReturnError> {
        if sender.is_some() {
            return Err(ReturnError::NotABounce);
        }
        Ok(self.0.srs.reverse(return_path.local()).await?)
    }

    /// Passes a bounce on to the author, in one write with what it says about the redirection. `message` comes with trace
    /// fields.
    pub async fn return_to_author(
        &self,
        return_path: &Address,
        message: Vec<u8>,
        session: &str,
    ) -> Result<(), ReturnError> {
        return_to_author(&self.0, return_path, message, session).await
    }
}

pub(super) async fn return_to_author(
    shared: &Shared,
    return_path: &Address,
    message: Vec<u8>,
    session: &str,
) -> Result<(), ReturnError> {
    let author = shared.srs.reverse(return_path.local()).await?;
    let id = own_message_id(&message).unwrap_or_default();
    if is_known(shared, return_path, &id).await? {
        tracing::info!(%return_path, id, "a bounce that has been passed on came once more");
        return Ok(());
    }
    let bounce = Bounce::read(&message);
    let original = original(shared, return_path, &bounce).await?;
    let targets = targets(shared, return_path, &bounce.complaints, original.as_ref()).await?;
    let settlement = Settlement {
        ends: Vec::new(),
        ledger: entries(&Returned { return_path, author: &author, id: &id, session }, &bounce, &targets, original),
        reports: vec![(off_thread(message).await?, send(shared, author, id, session))],
        targets,
    };
    let refusing = shared.store.settle_sends(settlement).await?;
    shared.tell_refusing(&refusing).await;
    Ok(())
}

/// A server that did not hear our answer sends its bounce again; the author has it.
async fn is_known(shared: &Shared, return_path: &Address, id: &str) -> Result<bool, StoreError> {
    if id.is_empty() {
        return Ok(false);
    }
    let events = shared.store.ledger(LedgerFilter::MessageId(id.to_owned()), RETURN_EVENTS_MAX).await?;
    Ok(events.iter().any(|record| record.entry.event == BOUNCED && names_path(record, "return_path", return_path)))
}

/// What the ledger has of the message that came back. The path leads to all mail of one author that went through a domain in
/// one day: its identifier is in the bounce, or it is the only one there; else nothing is known, and nothing guessed.
async fn original(shared: &Shared, return_path: &Address, bounce: &Bounce) -> Result<Option<LedgerRecord>, StoreError> {
    let is_it = |record: &LedgerRecord| record.entry.event == "sent" && names_path(record, "from", return_path);
    if let Some(id) = &bounce.about {
        let events = shared.store.ledger(LedgerFilter::MessageId(id.clone()), RETURN_EVENTS_MAX).await?;
        if let Some(found) = events.into_iter().rfind(is_it) {
            return Ok(Some(found));
        }
    }
    let mut all = Vec::new();
    for complaint in &bounce.complaints {
        let target = LedgerFilter::Address(complaint.recipient.canonical().to_string());
        all.extend(shared.store.ledger(target, RETURN_EVENTS_MAX).await?.into_iter().filter(is_it));
    }
    let message = |record: &LedgerRecord| (record.entry.message_id.clone(), record.entry.session.clone());
    let is_one = all.windows(2).all(|pair| message(&pair[0]) == message(&pair[1]));
    Ok(all.pop().filter(|_| is_one))
}

fn names_path(record: &LedgerRecord, field: &str, path: &Address) -> bool {
    let detail: serde_json::Value = serde_json::from_str(&record.entry.detail).unwrap_or_default();
    detail[field].as_str().is_some_and(|named| named.eq_ignore_ascii_case(&path.to_string()))
}

async fn off_thread(message: Vec<u8>) -> Result<crate::store::NewBody, StoreError> {
    let indexing = tokio::task::spawn_blocking(move || indexed(&message)).await;
    indexing.unwrap_or_else(|_| Err(StoreError::Io("the analysis of a bounce panicked".to_owned())))
}

/// The redirections of the return path's domain that led to those complained about. Where somebody further on is named, to
/// whom a target passes its mail on, it is that target that refuses.
async fn targets(
    shared: &Shared,
    return_path: &Address,
    complaints: &[Complaint],
    original: Option<&LedgerRecord>,
) -> Result<Vec<TargetNote>, StoreError> {
    let mut targets = Vec::new();
    for complaint in complaints {
        for address in shared.store.redirections_to(return_path.domain(), &complaint.recipient).await? {
            let (target, news) = (complaint.recipient.clone(), TargetNews::Refused(complaint.reply.clone()));
            targets.push(TargetNote { address, target, news });
        }
    }
    if let (true, Some(first), Some(record)) = (targets.is_empty(), complaints.first(), original) {
        let detail: serde_json::Value = serde_json::from_str(&record.entry.detail).unwrap_or_default();
        let Some(target) = detail["to"].as_str().and_then(|to| Address::parse(to).ok()) else { return Ok(targets) };
        for address in shared.store.redirections_to(return_path.domain(), &target).await? {
            let news = TargetNews::Refused(format!("{}: {}", first.recipient, first.reply));
            targets.push(TargetNote { address, target: target.clone(), news });
        }
    }
    Ok(targets)
}

/// A bounce as it goes back.
struct Returned<'r> {
    return_path: &'r Address,
    author: &'r Address,
    id: &'r str,
    session: &'r str,
}

/// One in the bounce's own life, and one in that of the message it is about.
fn entries(
    returned: &Returned<'_>,
    bounce: &Bounce,
    targets: &[TargetNote],
    original: Option<LedgerRecord>,
) -> Vec<LedgerEntry> {
    let Returned { return_path, author, id, session } = *returned;
    let mut addresses: Vec<String> = [return_path, author]
        .into_iter()
        .chain(targets.iter().flat_map(|note| [&note.address, &note.target]))
        .map(|address| address.canonical().to_string())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let said: Vec<String> = bounce.complaints.iter().map(|one| format!("{}: {}", one.recipient, one.reply)).collect();
    let about = original.as_ref().map(|record| record.entry.message_id.clone());
    let detail = |key: &str, value: Option<&str>| {
        let mut detail = serde_json::json!({ "return_path": return_path, "author": author, "said": said });
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            detail[key] = value.into();
        }
        detail.to_string()
    };
    let own = LedgerEntry {
        event: BOUNCED.to_owned(),
        session: session.to_owned(),
        message_id: id.to_owned(),
        sender: String::new(),
        addresses,
        send: None,
        detail: detail("about", about.as_deref()),
    };
    // One life, where the bounce has the identifier of what it is about, or neither has any and they share a session.
    let is_other = |entry: &LedgerEntry| entry.message_id != own.message_id || entry.session != own.session;
    let of_original = original.map(|record| record.entry).filter(is_other).map(|entry| LedgerEntry {
        event: BOUNCED.to_owned(),
        detail: detail("report", Some(id)),
        ..entry
    });
    [Some(own), of_original].into_iter().flatten().collect()
}

fn send(shared: &Shared, author: Address, id: String, session: &str) -> NewSend {
    let now = shared.store.clock().now();
    NewSend {
        kind: SendKind::Bounce,
        account: None,
        address: None,
        sender: None,
        destination: author.domain().to_string(),
        due: now,
        expires: now.plus_seconds(shared.settings.lifetime_seconds),
        priority: 0,
        details: SendDetails {
            notify: Notify::NEVER,
            smtputf8: author.needs_utf8(),
            cause: "bounce of redirected mail".to_owned(),
            message_id: id,
            session: session.to_owned(),
            ..SendDetails::default()
        },
        recipient: author,
    }
}

/// What a bounce says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bounce {
    complaints: Vec<Complaint>,
    /// The identifier of what it brings back.
    about: Option<String>,
}

impl Bounce {
    fn read(message: &[u8]) -> Self {
        let parsed = Parsed::parse(message);
        let body_of = |kinds: &[&str]| {
            let part = parsed.structure().parts().iter().find(|part| kinds.contains(&&*part.media_type))?;
            message.get(part.body_start as usize..part.end as usize)
        };
        let status = body_of(&["message/delivery-status", "message/global-delivery-status"]);
        // RFC 6522 section 3: the message, or its header.
        let whole = ["message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"];
        Self { complaints: complaints(status.unwrap_or_default()), about: body_of(&whole).and_then(own_message_id) }
    }
}

/// RFC 3464 section 2.3: recipients a report calls failed. A bounce that is no report names nobody for sure.
fn complaints(status: &[u8]) -> Vec<Complaint> {
    const COMPLAINTS_MAX: usize = 100;
    let body = String::from_utf8_lossy(status).replace("\r\n", "\n");
    // The first group is about the message, each further one about a recipient (RFC 3464 section 2.1).
    body.split("\n\n").skip(1).take(COMPLAINTS_MAX).filter_map(complaint).collect()
}

fn complaint(group: &str) -> Option<Complaint> {
    let group = format!("{}\r\n\r\n", group.replace('\n', "\r\n"));
    let field = |name: &str| {
        HeaderFields::first(group.as_bytes(), name).map(|field| String::from_utf8_lossy(&field.unfolded()).into_owned())
    };
    if !field("Action")?.trim().eq_ignore_ascii_case("failed") {
        return None;
    }
    let recipient = field("Final-Recipient").or_else(|| field("Original-Recipient"))?;
    let recipient = Address::parse(recipient.split_once(';')?.1.trim()).ok()?;
    let diagnostic = field("Diagnostic-Code").and_then(|code| Some(code.split_once(';')?.1.trim().to_owned()));
    let reply = diagnostic.or_else(|| field("Status")).unwrap_or_default();
    Some(Complaint { recipient, reply: reply.trim().to_owned() })
}

impl Queue {
    /// Whether an address looks like a return path of redirected mail, and should be asked about here.
    pub fn is_return_path(address: &Address) -> bool {
        Srs::is_return_path(address.local())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_say_who_failed() {
        let check = |status: &str, expected: &[(&str, &str)]| {
            let message = format!(
                "From: mailer@far.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
                 --b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
            );
            let found = Bounce::read(message.as_bytes()).complaints;
            let found: Vec<(String, &str)> =
                found.iter().map(|one| (one.recipient.to_string(), one.reply.as_str())).collect();
            let expected: Vec<(String, &str)> = expected.iter().map(|(who, why)| ((*who).to_owned(), *why)).collect();
            assert_eq!(found, expected, "{status}");
        };
        let head = "Reporting-MTA: dns; mx.far.example\r\n\r\n";
        check(
            &format!(
                "{head}Final-Recipient: rfc822; paul@far.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
                 Diagnostic-Code: smtp; 550 5.1.1 no\r\n such user\r\n"
            ),
            &[("paul@far.example", "550 5.1.1 no such user")],
        );
        check(
            &format!(
                "{head}Final-Recipient: rfc822;a@far.example\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n\
                 Original-Recipient: rfc822;b@far.example\r\nAction: FAILED\r\nStatus: 5.2.1\r\n"
            ),
            &[("b@far.example", "5.2.1")],
        );
        check(head, &[]);
        check("", &[]);
        assert_eq!(Bounce::read(b"Subject: vacation\r\n\r\nI am away.\r\n"), Bounce::default());
    }
}
