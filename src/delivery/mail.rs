//! What is handed over for delivery.

use crate::types::{AccountId, Address, Envelope, Timestamp};
use std::net::IpAddr;

/// A message that may be accepted, and everything scripts and the ledger want to know of how it came.
#[derive(Clone, Debug)]
pub struct Mail {
    pub envelope: Envelope,
    pub origin: Origin,
    pub now: Timestamp,
    pub remote_ip: Option<IpAddr>,
    pub remote_host: Option<String>,
    /// Of the session that brought it, for log and ledger.
    pub session: String,
    /// What `policy` found, for the ledger: `spf=pass dkim=none dmarc=none`.
    pub verdicts: String,
    /// Why it may not be passed on to strangers, if it may not: what would come of it there, in words.
    pub not_forwarded: Option<String>,
}

/// Who brought it, which decides what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Another server: only addresses of ours.
    Mx,
    /// A server of the house that knows nothing of SMTP's relaying: only addresses of ours.
    Lmtp,
    /// A person who logged in: anywhere.
    Submission { account: AccountId, address: Address },
    /// It lies in a mailbox already, and a script runs over it for this reason.
    InPlace { person: Address, occasion: &'static str },
    /// We wrote it: an answer, a notice, a bounce. To addresses of ours here; what goes out is queued by its writer.
    House,
}

/// How the outcome can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// SMTP: one reply for all recipients. Where they differ, the refused ones get a bounce.
    One,
    /// LMTP: a reply for each.
    Each,
}

/// A message that is refused before any script sees it, for the ledger.
pub struct RefusedMail<'r> {
    pub header: &'r [u8],
    pub octets: usize,
    /// In words.
    pub why: &'r str,
}
