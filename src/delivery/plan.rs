//! What a message will do, decided in full before anything is done: the addresses it came by, what each one's script
//! wants, and what is said to whoever brought it.

use crate::filter::{
    Automatic, Cause, Content, DuplicateEntry, KeepReason, Notification, Reply, ScriptError, Suppressed,
};
use crate::store::FilingPlace;
use crate::types::{AccountId, Address, DsnReturn, Notify, Timestamp};
use std::sync::Arc;

/// One message, all its recipients.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order in which the addresses were reached; none twice.
    pub visits: Vec<Visit>,
    /// For each recipient of the envelope, in its order.
    pub recipients: Vec<Fate>,
    /// The first visit of each recipient, where it has one of ours.
    pub arrivals: Vec<Option<usize>>,
}

/// An address of ours that the message came to.
#[derive(Clone, Debug)]
pub struct Visit {
    pub address: Address,
    /// Which recipient of the envelope it is for.
    pub recipient: usize,
    /// The visit whose script led here, and the line; `None`: the envelope named it.
    pub from: Option<(usize, Cause)>,
    /// The address as it was written: with its detail, under an alias domain, or one that the catch-all took.
    pub written: Address,
    pub account: Option<AccountId>,
    /// The version of the address's script.
    pub version: u32,
    pub deeds: Vec<Deed>,
    pub suppressed: Vec<Suppressed>,
    pub errors: Vec<ScriptError>,
    pub duplicates: Vec<DuplicateEntry>,
}

/// One thing that will be done, and the line that wants it.
#[derive(Clone, Debug)]
pub struct Deed {
    pub kind: DeedKind,
    pub content: Content,
    pub cause: Cause,
}

#[derive(Clone, Debug)]
pub enum DeedKind {
    /// Into a mailbox of the visited address's account.
    File {
        place: FilingPlace,
        flags: Vec<String>,
        /// Set if the script did not name the mailbox.
        kept: Option<KeepReason>,
    },
    /// Another filing has the message there already.
    FiledAlready {
        place: FilingPlace,
    },
    /// Out of the house.
    Send(Box<Outgoing>),
    /// Another send goes to this address already.
    SentAlready {
        to: Address,
    },
    /// To an address of ours, in this same plan.
    Follow {
        to: Address,
        /// Index of its visit; of one made earlier if the message had been there.
        visit: usize,
        again: bool,
    },
    /// To an address of ours that does not take it.
    Refused {
        to: Address,
        why: Fate,
    },
    Reject {
        reason: String,
        extended: bool,
    },
    Discard,
    Reply(Box<Reply>),
    Notify(Box<Notification>),
}

/// A redirection, or a handover to a split domain's other server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub to: Address,
    pub why: OutgoingKind,
    pub notify: Notify,
    pub dsn_return: Option<DsnReturn>,
    pub deliver_by: Option<(Timestamp, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingKind {
    Redirection,
    /// `host:port`.
    Handover(String),
    /// A submitter's mail to the world.
    Submission,
}

/// What is answered for a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fate {
    #[default]
    Accepted,
    /// There is no such address.
    Unknown,
    /// All of it is paused.
    Paused,
    /// The account may take no mail at present; try again.
    Suspended,
    /// The account has no room.
    OverQuota,
    /// The message has been here before.
    Loop,
    /// The address leads to too many others.
    TooFar,
    /// Relaying for strangers: nobody asked for it with authority.
    NotOurs,
    /// The address's script says so (RFC 5429); the text is its owner's.
    Rejected(Arc<str>),
}

impl Fate {
    /// Whether trying again can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Suspended | Self::OverQuota)
    }
}

impl Plan {
    /// All deeds with the visits that want them.
    pub fn deeds(&self) -> impl Iterator<Item = (&Visit, &Deed)> {
        self.visits.iter().flat_map(|visit| visit.deeds.iter().map(move |deed| (visit, deed)))
    }

    /// What the visits of a recipient come to: kept or sent anywhere is accepted; else a refusal is passed on.
    pub(super) fn judge(&self, recipient: usize) -> Fate {
        let Some(arrival) = self.arrivals.get(recipient).copied().flatten() else {
            return self.recipients.get(recipient).cloned().unwrap_or_default();
        };
        let made_for = self.visits[arrival].recipient;
        if made_for != recipient {
            return self.judge(made_for);
        }
        let mut refusal = None;
        for deed in self.visits.iter().filter(|visit| visit.recipient == recipient).flat_map(|visit| &visit.deeds) {
            match &deed.kind {
                DeedKind::File { .. }
                | DeedKind::FiledAlready { .. }
                | DeedKind::Send(_)
                | DeedKind::SentAlready { .. } => return Fate::Accepted,
                DeedKind::Reject { reason, .. } => refusal = Some(Fate::Rejected(reason.as_str().into())),
                DeedKind::Refused { why, .. } if refusal.is_none() => refusal = Some(why.clone()),
                // What is followed has deeds of its own. A discard is no wish to lose the message where a redirection
                // beside it was refused: scripts of aliases and of virtual addresses end in one.
                DeedKind::Follow { .. }
                | DeedKind::Discard
                | DeedKind::Reply(_)
                | DeedKind::Refused { .. }
                | DeedKind::Notify(_) => {}
            }
        }
        refusal.unwrap_or(Fate::Accepted)
    }

    /// What was not answered or told, over all visits.
    pub fn suppressed(&self, what: Automatic) -> impl Iterator<Item = &Suppressed> {
        self.visits.iter().flat_map(|visit| &visit.suppressed).filter(move |suppressed| suppressed.what == what)
    }
}
