//! Bounces of redirected mail, on their way back: from nobody, to a return path of ours, and to nobody else besides.

use super::letter::Letter;
use crate::delivery::Answers;
use crate::directory::{Resolution, Snapshot};
use crate::queue::{Queue, ReturnError, SrsError};
use crate::smtp::server::{Cause, Delivered, Refusal};
use crate::types::limits::RETURN_OCTETS_MAX;
use crate::types::{Address, Envelope};

/// The address, if it may be a return path of ours: it looks like one, its domain is here, and nobody has that name.
pub(super) fn return_path<'a>(snapshot: &Snapshot, address: &'a Address) -> Option<&'a Address> {
    let may_be = Queue::is_return_path(address) && snapshot.is_hosted(address.domain());
    // Neither a catch-all nor a split domain's other server can read it.
    let is_somebody = || matches!(snapshot.resolve(address), Resolution::Local(local) if local.address().local() == address.canonical().local());
    (may_be && !is_somebody()).then_some(address)
}

/// A return path is the only recipient of its message: what becomes of it is another thing, with an answer of its own.
pub(super) fn of<'a>(snapshot: &Snapshot, envelope: &'a Envelope) -> Option<&'a Address> {
    return_path(snapshot, &envelope.recipients.first()?.address)
}

/// Whether the envelope's recipient is to stay the only one.
pub(super) fn is_alone(snapshot: &Snapshot, envelope: &Envelope) -> bool {
    of(snapshot, envelope).is_some()
}

/// Whether a bounce may come back this way.
pub(super) async fn judge(queue: &Queue, envelope: &Envelope, path: &Address) -> Result<(), Cause> {
    if !envelope.recipients.is_empty() {
        return Err(Cause::TooManyRecipients);
    }
    let checked = queue.check_return(envelope.sender.as_ref(), path).await;
    checked.map(|_| ()).map_err(|error| cause(path, &error))
}

/// Passes it on to the author of what it is about, once.
pub(super) async fn take(
    queue: &Queue,
    path: &Address,
    letter: Letter,
    session: &str,
    answers: Answers,
) -> Result<Delivered, Refusal> {
    if letter.octets() > RETURN_OCTETS_MAX {
        return Err(Cause::TooBig.into());
    }
    let message = tokio::task::spawn_blocking(move || letter.append_octets(Vec::new())).await;
    let message = message.map_err(std::io::Error::other).and_then(|read| read).map_err(|error| {
        tracing::error!(%error, "a spooled bounce could not be read");
        Cause::Internal
    })?;
    queue.return_to_author(path, message, session).await.map_err(|error| cause(path, &error))?;
    tracing::info!(%path, "a bounce of redirected mail goes on to the author");
    Ok(match answers {
        Answers::One => Delivered::All(Ok(())),
        Answers::Each => Delivered::Each(vec![Ok(())]),
    })
}

fn cause(path: &Address, error: &ReturnError) -> Cause {
    tracing::info!(%path, %error, "refused: no bounce for a return path of ours");
    match error {
        ReturnError::NotABounce => Cause::BouncesOnly,
        ReturnError::Srs(SrsError::Malformed | SrsError::Forged | SrsError::Expired) => Cause::NoSuchAddress,
        ReturnError::Srs(SrsError::Store(_)) | ReturnError::Store(_) => Cause::Internal,
    }
}
