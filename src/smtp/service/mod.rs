//! What SMTP sessions ask, answered with the rest of the server: who may send, to whom, and what becomes of a message.
//!
//! [`Reception`] stands behind the listeners and makes a [`Conversation`] per session. `senders` says who may send as
//! whom, `recipients` who takes mail, `standing` what `policy` makes of a stranger's message, `letter` is the message between its arrival and its delivery, `outcome` turns what
//! delivery decided into replies, `returns` takes bounces of redirected mail back.
//!
//! Invariants:
//! - mail to addresses outside is taken from nobody but a submitter who holds an [`Authenticated`](crate::auth::Authenticated);
//!   delivery asks for its account a second time ([`Origin::Submission`](crate::delivery::Origin));
//! - what was decided at RCPT is decided again at the end of the message, with the directory as it is then.
//!
//! What it will not do: format replies, touch sockets, decide what a script wants.

mod conversation;
mod letter;
mod outcome;
mod recipients;
mod returns;
mod senders;
mod standing;

use crate::auth::Auth;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::policy::{BlockLists, Rates, Verifier};
use crate::queue::{Queue, Signer};
use crate::smtp::server::{Answer, Caller, Conversation, Refusal, Service};
use crate::types::{Address, Clock, Domain};
use conversation::Session;
use std::future::ready;
use std::sync::Arc;

/// The services a session's questions are answered with.
pub struct Reception {
    pub hostname: Domain,
    pub clock: Arc<dyn Clock>,
    pub auth: Auth,
    pub directory: Directory,
    pub delivery: Delivery,
    pub signer: Signer,
    /// None: nobody asks where mail comes from (`[mx] authenticate = false`).
    pub verifier: Option<Verifier>,
    /// None: the configuration names no list.
    pub block_lists: Option<BlockLists>,
    pub rates: Rates,
    /// Who reads return paths of redirected mail, and passes on what comes back to them.
    pub queue: Queue,
}

impl Service for Arc<Reception> {
    fn connect<'a>(&'a self, caller: &'a Caller) -> Answer<'a, Result<Box<dyn Conversation>, Refusal>> {
        let connected = Session::begin(Arc::clone(self), caller.clone());
        Box::pin(ready(connected.map(|session| Box::new(session) as Box<dyn Conversation>)))
    }
}

/// Whom `RCPT TO:<postmaster>` means to the session. Where the host's own name is not hosted, the recipient is somebody
/// else in the end.
#[allow(clippy::expect_used)] // from_parts refuses local parts only, and this is a good one
pub fn postmaster(hostname: &Domain) -> Address {
    Address::from_parts(POSTMASTER, hostname.clone()).expect("postmaster is a local part")
}

const POSTMASTER: &str = "postmaster";
