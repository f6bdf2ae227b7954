//! One worker at one destination: takes what is due in turn, delivers it over one connection after the other message, and
//! leaves when nothing is due or others wait for its place.

use super::Shared;
use super::attempt::Attempt;
use super::guarded::guarded;
use super::home;
use super::outgoing::outgoing;
use super::pool::Link;
use super::route::Demand;
use super::schedule::Hop;
use super::settle::{Circumstances, Outcome, settle};
use super::transport::{Failure, FailureCause, Fate, Outgoing, Sent, Stage};
use super::verdict::{Setback, Status};
use crate::store::{PutOff, SendRecord, StoreError, Turn};
use crate::types::limits::{
    QUEUE_HANG_UPS_AT_RCPT_MAX, QUEUE_MESSAGES_PER_PLACE, QUEUE_MESSAGES_PER_TURN, QUEUE_PUT_OFF_MAX,
};
use std::sync::Arc;

/// Why a worker left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing is due.
    Idle,
    /// More is due; others wait for a place.
    More,
    /// The store could not be read or written.
    Trouble,
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    destination: String,
    hop: Arc<Hop>,
    /// Who had the last turn.
    after: String,
    link: Option<(Demand, Link)>,
    /// No server lets us in; what is left of this visit need not try.
    down: Option<Setback>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, destination: String, hop: Arc<Hop>) -> Self {
        let down = hop.down(shared.store.clock().now());
        Self { shared, destination, hop, after: String::new(), link: None, down }
    }

    pub(super) async fn run(mut self) -> Left {
        let left = match self.work().await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(destination = self.destination, %error, "the queue can't be read or written");
                Left::Trouble
            }
        };
        if let Some((_, link)) = self.link.take() {
            self.shared.pool.park(link);
        }
        left
    }

    async fn work(&mut self) -> Result<Left, StoreError> {
        let mut delivered = 0;
        loop {
            if self.shared.is_stopping() {
                return Ok(Left::More);
            }
            let taken = self.shared.store.take_sends(Turn {
                destination: self.destination.clone(),
                after: std::mem::take(&mut self.after),
                messages: QUEUE_MESSAGES_PER_TURN,
                recipients: self.shared.settings.recipients_max,
            });
            let taken = taken.await?;
            self.after = taken.after;
            if taken.more && self.down.is_none() {
                self.shared.inbox.more(&self.destination);
            }
            delivered += taken.messages.len();
            for message in taken.messages {
                self.deliver(message).await;
            }
            if let Some(down) = &self.down {
                let reply = down.to_string();
                put_off(&self.shared, &self.destination, &reply).await?;
            }
            if !taken.more {
                return Ok(Left::Idle);
            }
            if delivered >= QUEUE_MESSAGES_PER_PLACE as usize && self.shared.inbox.somebody_waits() {
                return Ok(Left::More);
            }
        }
    }

    /// One message to its recipients here, and what came of it is written down.
    async fn deliver(&mut self, message: Vec<SendRecord>) {
        let mut circumstances = Circumstances::default();
        let outcomes = guarded(self.outcomes(&message, &mut circumstances)).await.unwrap_or_else(|| {
            let sends: Vec<i64> = message.iter().map(|send| send.id.0).collect();
            tracing::error!(
                destination = self.destination,
                ?sends,
                "a fault of ours; the message is tried again later"
            );
            vec![Outcome::Failed(Setback::of_ours(Status(4, 3, 0), "a fault of this server's")); message.len()]
        });
        settle(&self.shared, &message, &outcomes, &circumstances).await;
    }

    async fn outcomes(&mut self, message: &[SendRecord], circumstances: &mut Circumstances) -> Vec<Outcome> {
        let all = |outcome: Outcome| vec![outcome; message.len()];
        let Some(first) = message.first() else { return Vec::new() };
        if self.shared.is_stopping() {
            return all(Outcome::Untouched);
        }
        // RFC 2852 section 4.1: too late is too late.
        let now = self.shared.store.clock().now();
        if let Some((time, true)) = first.send.details.deliver_by
            && now >= time
        {
            let words = "it was to be delivered by a certain time, which has passed";
            return all(Outcome::Failed(Setback::of_ours(Status(5, 4, 7), words)));
        }
        if first.send.details.next_hop.is_none() {
            match home::is_ours(&self.shared, &self.destination).await {
                Ok(true) => return home::bring_all(&self.shared, message).await,
                Ok(false) => {}
                Err(setback) => return all(Outcome::Failed(setback)),
            }
        }
        if let Some(down) = &self.down {
            return all(Outcome::Failed(down.clone()));
        }
        match outgoing(&self.shared, message).await {
            Ok(outgoing) => {
                circumstances.return_path.clone_from(&outgoing.sender);
                self.transmit(first, outgoing, circumstances).await
            }
            Err(setback) => all(Outcome::Failed(setback)),
        }
    }

    async fn transmit(
        &mut self,
        first: &SendRecord,
        mut outgoing: Outgoing,
        circumstances: &mut Circumstances,
    ) -> Vec<Outcome> {
        let demand = if outgoing.requiretls { Demand::Proof } else { Demand::Usual };
        let all_recipients = outgoing.recipients.clone();
        let mut outcomes: Vec<Outcome> = vec![Outcome::Untouched; all_recipients.len()];
        // Whose turn it is in this transaction, by their places among all.
        let mut open: Vec<usize> = (0..all_recipients.len()).collect();
        let shared = Arc::clone(&self.shared);
        let is_next_hop = first.send.details.next_hop.is_some();
        let mut attempt = None;
        let mut hung_up = 0;
        while !open.is_empty() {
            let mut link = match self.link.take() {
                Some((known, link)) if known == demand => link,
                other => {
                    if let Some((_, link)) = other {
                        shared.pool.park(link);
                    }
                    if attempt.is_none() {
                        match Attempt::begin(&shared, &self.destination, is_next_hop, demand).await {
                            Ok(begun) => attempt = Some(begun),
                            Err(setback) => return self.unreachable(outcomes, &open, setback),
                        }
                    }
                    match next_link(&mut attempt).await {
                        Ok(link) => link,
                        Err(setback) => {
                            circumstances.notes.extend(attempt.map(|attempt| attempt.notes).unwrap_or_default());
                            return self.unreachable(outcomes, &open, setback);
                        }
                    }
                }
            };
            outgoing.recipients = open.iter().map(|place| all_recipients[*place].clone()).collect();
            let was_used = link.carried > 0;
            link.carried += 1;
            circumstances.protection = link.session.protection();
            let Sent { fates, reusable } = link.session.send(&mut outgoing).await;
            let peer = link.peer.clone();
            let host = peer.name.to_string();
            let broken_off = broken_off_early(&fates);
            // Who does not speak the protocol has not broken off himself; to go on with him would never end.
            if reusable && broken_off.is_none() {
                self.link = Some((demand, link));
            }
            if let Some((place, failure)) = hung_up_on_one(&fates)
                && hung_up < QUEUE_HANG_UPS_AT_RCPT_MAX
            {
                hung_up += 1;
                outcomes[open.remove(place)] = Outcome::Failed(Setback::at_host(failure, &host));
                if let Some(attempt) = &mut attempt {
                    attempt.again(peer);
                }
                continue;
            }
            if let Some(failure) = broken_off {
                tracing::debug!(host, %failure, was_used, "broken off before the message; trying another way");
                if !was_used && let Some(attempt) = &mut attempt {
                    attempt.fail(Setback::at_host(failure, &host));
                }
                // A connection that had waited too long says nothing about the server; one that was new does.
                if was_used || attempt.is_some() {
                    continue;
                }
            }
            open = self.note(&mut outcomes, &open, fates, &host);
        }
        circumstances.notes.extend(attempt.map(|attempt| attempt.notes).unwrap_or_default());
        outcomes
    }

    /// Writes the fates into the outcomes. Returns those for whom this transaction had no room.
    fn note(&self, outcomes: &mut [Outcome], open: &[usize], fates: Vec<Fate>, host: &str) -> Vec<usize> {
        let is_progress = fates.iter().any(|fate| matches!(fate, Fate::Taken { .. }));
        let mut left = Vec::new();
        for (place, fate) in open.iter().zip(fates) {
            outcomes[*place] = match fate {
                Fate::Taken { answer, reports } => {
                    self.hop.succeeded();
                    Outcome::Taken { host: host.to_owned(), answer, reports }
                }
                Fate::Failed(failure) => {
                    let setback = Setback::at_host(&failure, host);
                    // RFC 5321 section 4.5.3.1.10: the others go at once, in a transaction of their own.
                    if is_progress && setback.status == Status(4, 5, 3) {
                        left.push(*place);
                    }
                    Outcome::Failed(setback)
                }
            };
        }
        left
    }

    fn unreachable(&mut self, mut outcomes: Vec<Outcome>, open: &[usize], setback: Setback) -> Vec<Outcome> {
        self.hop.failed(&setback, self.shared.store.clock().now());
        for place in open {
            outcomes[*place] = Outcome::Failed(setback.clone());
        }
        // What holds for good holds for each message by itself; nothing is put off for it.
        if !setback.is_permanent() {
            self.down = Some(setback);
        }
        outcomes
    }
}

async fn next_link(attempt: &mut Option<Attempt<'_>>) -> Result<Link, Setback> {
    let Some(attempt) = attempt else { return Err(Setback::of_ours(Status(4, 4, 1), "nothing to try")) };
    match attempt.next().await {
        Some(link) => Ok(link),
        None => Err(attempt.setback()),
    }
}

/// The connection ended before the message was under way: another server may take it, and nothing can be doubled.
fn broken_off_early(fates: &[Fate]) -> Option<&Failure> {
    let mut first = None;
    for fate in fates {
        match fate {
            Fate::Failed(failure) if is_broken_off(failure) && failure.stage < Stage::Message => first = Some(failure),
            _ => return None,
        }
    }
    first
}

/// The server hung up over one recipient of several. He would keep the mail of the others from them, time and again.
fn hung_up_on_one(fates: &[Fate]) -> Option<(usize, &Failure)> {
    broken_off_early(fates).filter(|_| fates.len() > 1)?;
    let mut at_rcpt = fates.iter().enumerate().filter_map(|(place, fate)| match fate {
        Fate::Failed(failure) if failure.stage == Stage::Rcpt => Some((place, failure)),
        _ => None,
    });
    at_rcpt.next().filter(|_| at_rcpt.next().is_none())
}

fn is_broken_off(failure: &Failure) -> bool {
    match &failure.cause {
        FailureCause::Lost | FailureCause::TimedOut | FailureCause::Protocol(_) | FailureCause::Unreachable(_) => true,
        // RFC 5321 section 3.8.
        FailureCause::Answer(answer) => answer.code == 421,
        _ => false,
    }
}

/// Everything that is due there and has nothing to decide.
async fn put_off(shared: &Shared, destination: &str, reply: &str) -> Result<(), StoreError> {
    let settings = &shared.settings;
    loop {
        let put_off = PutOff {
            destination: destination.to_owned(),
            pause_seconds_first: settings.pause_seconds_first,
            pause_seconds_max: settings.pause_seconds_max,
            warn_since: shared.store.clock().now().plus_seconds(-settings.warn_seconds),
            reply: reply.to_owned(),
            most: QUEUE_PUT_OFF_MAX,
        };
        if shared.store.put_off_sends(put_off).await? == 0 {
            return Ok(());
        }
    }
}
