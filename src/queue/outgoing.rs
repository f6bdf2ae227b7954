//! A message of the queue as the transport gets it: content, return path, and what is asked for each recipient.

use super::Shared;
use super::content::StoredContent;
use super::report::is_masked;
use super::transport::{Content, ContentError, Outgoing, OutgoingRecipient};
use super::verdict::{Setback, Status};
use crate::store::{SendKind, SendRecord};
use crate::types::{Address, BodyKind, Notify};

/// `message`: sends of one message that go together.
pub(super) async fn outgoing(shared: &Shared, message: &[SendRecord]) -> Result<Outgoing, Setback> {
    let Some(first) = message.first() else { return Err(Setback::of_ours(Status(4, 3, 0), "there is no recipient")) };
    let details = &first.send.details;
    let opened = StoredContent::open(&shared.store, first.body, details, &shared.conversions).await;
    let (mut content, has_utf8_header) = opened.map_err(of_content)?;
    if details.sign {
        content.sign(&shared.signer).await.map_err(of_content)?;
    } else if first.send.kind == SendKind::Submission && content.kind() != BodyKind::SevenBit {
        content.sign_when_changed(&shared.signer).await.map_err(of_content)?;
    }
    let sender = return_path(shared, first).await?;
    let recipients: Vec<OutgoingRecipient> = message.iter().map(recipient).collect();
    let has_utf8_address = sender.iter().chain(recipients.iter().map(|one| &one.address)).any(Address::needs_utf8);
    Ok(Outgoing {
        sender,
        recipients,
        content: Box::new(content),
        needs_utf8: has_utf8_header || has_utf8_address,
        requiretls: details.requiretls,
        dsn_return: details.dsn_return,
        envelope_id: details.envelope_id.clone(),
        deliver_by: details.deliver_by,
        priority: first.send.priority,
    })
}

/// The sender, or of a redirection a return path of ours around him: the target's server asks his domain who may send for
/// it, and we are not on that list.
async fn return_path(shared: &Shared, send: &SendRecord) -> Result<Option<Address>, Setback> {
    let (Some(sender), Some(address), SendKind::Redirection) = (&send.send.sender, &send.send.address, send.send.kind)
    else {
        return Ok(send.send.sender.clone());
    };
    let broken = |why: String| {
        tracing::warn!(why, "a return path can't be made");
        Setback::of_ours(Status(4, 3, 0), "the way back for a bounce could not be written")
    };
    // For senders here we are on it.
    if shared.house.hosts(sender.domain()).await.map_err(broken)? {
        return Ok(Some(sender.clone()));
    }
    let path = shared.srs.forward(sender, address.domain()).await;
    path.map(Some).map_err(|error| broken(error.to_string()))
}

/// What the server is asked to report. Where a redirection leads is nobody's business, so reports about it are ours; but a
/// failure has to come back.
fn recipient(send: &SendRecord) -> OutgoingRecipient {
    let details = &send.send.details;
    let notify = match (is_masked(send), details.notify) {
        (false, notify) => notify,
        (true, notify) if notify.wants_failure() => Notify { failure: true, ..Notify::default() },
        (true, _) => Notify::NEVER,
    };
    let original = details.original_recipient.clone().filter(|_| !is_masked(send));
    OutgoingRecipient { address: send.send.recipient.clone(), notify, original }
}

#[allow(clippy::needless_pass_by_value)] // what `map_err` hands over
pub(super) fn of_content(error: ContentError) -> Setback {
    tracing::warn!(%error, "a message of the queue can't be read");
    Setback::of_ours(Status(4, 3, 0), "the message could not be read here")
}
