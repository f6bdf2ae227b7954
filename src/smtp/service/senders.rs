//! Who may send as whom. At the MX everybody may claim to be anybody, and `policy` judges it; a submitter uses his own
//! names, in the envelope and in the header.

use crate::auth::Authenticated;
use crate::directory::Snapshot;
use crate::smtp::server::Cause;
use crate::types::Address;

/// The envelope's sender. The null one is for reports about mail, which mail programs send too.
pub(super) fn may_send_as(snapshot: &Snapshot, sender: Option<&Address>, login: &Authenticated) -> Result<(), Cause> {
    match sender {
        Some(sender) if !snapshot.belongs_to(sender, login.account()) => Err(Cause::SenderNotYours),
        _ => Ok(()),
    }
}

/// The senders that the header names.
pub(super) fn may_write_as(snapshot: &Snapshot, claimed: &[Address], login: &Authenticated) -> Result<(), Cause> {
    if claimed.iter().all(|sender| snapshot.belongs_to(sender, login.account())) {
        Ok(())
    } else {
        Err(Cause::HeaderSenderNotYours)
    }
}
