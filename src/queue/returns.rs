//! Bounces of redirected mail: sent to our return path by the target's server, on their way back to the author, once. They
//! are mail from nobody to somebody outside; no script sees them, so they are never redirected again.

use super::report::indexed;
use super::srs::{Srs, SrsError};
use super::{Queue, Shared};
use crate::message::{HeaderFields, Parsed, message_id};
use crate::store::{LedgerEntry, NewSend, SendDetails, SendKind, Settlement, StoreError, TargetNews, TargetNote};
use crate::types::{Address, Notify};
use std::fmt;

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
        let shared = &self.0;
        let author = shared.srs.reverse(return_path.local()).await?;
        let complaints = complaints(&message);
        let targets = targets(shared, return_path, &complaints).await?;
        let id = HeaderFields::first(&message, "Message-ID")
            .and_then(|field| message_id(field.value()).map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let settlement = Settlement {
            ends: Vec::new(),
            ledger: vec![entry(return_path, &author, &complaints, &targets, &id, session)],
            reports: vec![(off_thread(message).await?, send(shared, author, id, session))],
            targets,
        };
        for target in shared.store.settle_sends(settlement).await? {
            if target.refusals >= shared.settings.refusals_before_pause {
                shared.house.target_refuses(&target).await;
            }
        }
        Ok(())
    }
}

async fn off_thread(message: Vec<u8>) -> Result<crate::store::NewBody, StoreError> {
    let indexing = tokio::task::spawn_blocking(move || indexed(&message)).await;
    indexing.unwrap_or_else(|_| Err(StoreError::Io("the analysis of a bounce panicked".to_owned())))
}

/// The redirections of the return path's domain that led to those complained about.
async fn targets(
    shared: &Shared,
    return_path: &Address,
    complaints: &[Complaint],
) -> Result<Vec<TargetNote>, StoreError> {
    let mut targets = Vec::new();
    for complaint in complaints {
        for address in shared.store.redirections_to(return_path.domain(), &complaint.recipient).await? {
            let (target, news) = (complaint.recipient.clone(), TargetNews::Refused(complaint.reply.clone()));
            targets.push(TargetNote { address, target, news });
        }
    }
    Ok(targets)
}

fn entry(
    return_path: &Address,
    author: &Address,
    complaints: &[Complaint],
    targets: &[TargetNote],
    id: &str,
    session: &str,
) -> LedgerEntry {
    let mut addresses: Vec<String> = [return_path, author]
        .into_iter()
        .chain(targets.iter().flat_map(|note| [&note.address, &note.target]))
        .map(|address| address.canonical().to_string())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let said: Vec<String> = complaints.iter().map(|one| format!("{}: {}", one.recipient, one.reply)).collect();
    let detail = serde_json::json!({ "return_path": return_path, "author": author, "said": said });
    LedgerEntry {
        event: "bounced".to_owned(),
        session: session.to_owned(),
        message_id: id.to_owned(),
        sender: String::new(),
        addresses,
        send: None,
        detail: detail.to_string(),
    }
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

/// RFC 3464 section 2.3: recipients a report calls failed. A bounce that is no report names nobody for sure.
fn complaints(message: &[u8]) -> Vec<Complaint> {
    const COMPLAINTS_MAX: usize = 100;
    let parsed = Parsed::parse(message);
    let parts = parsed.structure().parts();
    let Some(status) = parts
        .iter()
        .find(|part| matches!(&*part.media_type, "message/delivery-status" | "message/global-delivery-status"))
    else {
        return Vec::new();
    };
    let octets = message.get(status.body_start as usize..status.end as usize).unwrap_or_default();
    let body = String::from_utf8_lossy(octets).replace("\r\n", "\n");
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
            let found = complaints(message.as_bytes());
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
        assert!(complaints(b"Subject: vacation\r\n\r\nI am away.\r\n").is_empty());
    }
}
