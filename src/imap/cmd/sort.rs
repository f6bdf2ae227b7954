//! SORT and THREAD with their UID forms (RFC 5256, RFC 5267 section 3, RFC 5957).

use super::search::Matching;
use crate::imap::cause::Cause;
use crate::imap::grammar::{Addressing, Key, ReturnOption, SortCriterion, SortKey, ThreadAlgorithm};
use crate::imap::searching::{Found, Returns};
use crate::imap::session::{COMPLETED, Outcome, Session};
use crate::imap::sorting::{SortFacts, sort};
use crate::imap::threading::{ThreadFacts, thread};
use crate::mailbox::{Entry, FactsOf, FactsView};
use crate::types::Uid;
use std::sync::Arc;

/// What sorting needs of one message, and no more of it than the criteria ask for.
#[derive(Default)]
struct SortRow {
    arrival_seconds: i64,
    sent_seconds: i64,
    size_octets: u64,
    from: Box<str>,
    to: Box<str>,
    cc: Box<str>,
    display_from: Box<str>,
    display_to: Box<str>,
    base_subject: Box<str>,
}

impl SortRow {
    fn of(entry: &Entry, facts: &FactsView<'_>, criteria: &[SortCriterion]) -> Self {
        let mut row = Self {
            arrival_seconds: entry.internal_seconds,
            sent_seconds: sent_seconds(entry, facts),
            size_octets: u64::from(entry.octets),
            ..Self::default()
        };
        for criterion in criteria {
            match criterion.key {
                SortKey::Arrival | SortKey::Date | SortKey::Size => {}
                SortKey::From => row.from = facts.from.into(),
                SortKey::To => row.to = facts.to.into(),
                SortKey::Cc => row.cc = facts.cc.into(),
                SortKey::DisplayFrom => row.display_from = facts.display_from.into(),
                SortKey::DisplayTo => row.display_to = facts.display_to.into(),
                SortKey::Subject => row.base_subject = facts.base_subject.into(),
            }
        }
        row
    }

    fn facts(&self) -> SortFacts<'_> {
        SortFacts {
            arrival_seconds: self.arrival_seconds,
            sent_seconds: self.sent_seconds,
            size_octets: self.size_octets,
            from: &self.from,
            to: &self.to,
            cc: &self.cc,
            display_from: &self.display_from,
            display_to: &self.display_to,
            base_subject: &self.base_subject,
        }
    }
}

/// The same for threading.
struct ThreadRow {
    message_id: Option<Box<str>>,
    references: Vec<Box<str>>,
    base_subject: Box<str>,
    is_reply_or_forward: bool,
    sent_seconds: i64,
}

impl ThreadRow {
    fn of(entry: &Entry, facts: &FactsView<'_>) -> Self {
        let mut references: Vec<Box<str>> = facts.references.iter().copied().map(Box::from).collect();
        // RFC 5256 section 3, step 1: In-Reply-To counts where there are no References.
        if references.is_empty() {
            references.extend(facts.in_reply_to.map(Box::from));
        }
        Self {
            message_id: facts.message_id.map(Box::from),
            references,
            base_subject: facts.base_subject.into(),
            is_reply_or_forward: facts.is_reply_or_forward,
            sent_seconds: sent_seconds(entry, facts),
        }
    }

    fn facts(&self) -> ThreadFacts<'_> {
        ThreadFacts {
            message_id: self.message_id.as_deref(),
            references: self.references.iter().map(|id| &**id).collect(),
            base_subject: &self.base_subject,
            is_reply_or_forward: self.is_reply_or_forward,
            sent_seconds: self.sent_seconds,
        }
    }
}

/// When and with how many octets a message came is in memory.
fn needed(criteria: &[SortCriterion]) -> FactsOf {
    let in_memory = |criterion: &SortCriterion| matches!(criterion.key, SortKey::Arrival | SortKey::Size);
    if criteria.iter().all(in_memory) { FactsOf::Entries } else { FactsOf::Sorting }
}

/// RFC 5256 section 2.2: the Date field in universal time, or else the time of arrival.
fn sent_seconds(entry: &Entry, facts: &FactsView<'_>) -> i64 {
    facts.sent.map_or(entry.internal_seconds, |sent| sent.time.seconds())
}

impl Session {
    pub(super) async fn sort(
        &mut self,
        addressing: Addressing,
        options: Option<Vec<ReturnOption>>,
        criteria: Vec<SortCriterion>,
        key: Key,
    ) -> Outcome {
        let returns = options.as_deref().map(Returns::of);
        let sorted = match self.all_matching(key).await {
            Ok(matching) => self.sorted(&matching, criteria).await.map(|sorted| (matching, sorted)),
            Err(cause) => Err(cause),
        };
        let (matching, sorted) = match sorted {
            Ok(sorted) => sorted,
            Err(cause) => return self.not_saved(returns, cause),
        };
        let found = Found::Sorted(sorted);
        match returns {
            None => self.tell_listed(addressing, &found, &matching)?,
            Some(mut returns) => {
                // RFC 5267 section 4.3.1: sorted results are not kept up to date, which CONTEXT=SORT would promise.
                if std::mem::take(&mut returns.update) {
                    self.refuse_updates("Sorted results are not updated");
                }
                self.tell_found(addressing, &returns, &found, &matching)?;
            }
        }
        Ok(COMPLETED)
    }

    /// RFC 9738 section 3.3: a part of the messages can't be put in order with the rest.
    async fn all_matching(&mut self, key: Key) -> Result<Matching, Cause> {
        let matching = self.matching(key).await?;
        match matching.limited {
            Some(_) => Err(Cause::TooManyMessages(self.services.messages_max)),
            None => Ok(matching),
        }
    }

    async fn sorted(&mut self, matching: &Matching, criteria: Vec<SortCriterion>) -> Result<Vec<Uid>, Cause> {
        let entries: Vec<Entry> = matching.state.entries_of(&matching.uids).copied().collect();
        let work = Arc::clone(&self.work);
        let wanted = criteria.clone();
        let progress = &mut |done, of| work.set(done, of);
        let sorting = self.services.mailboxes.gather(
            entries,
            needed(&criteria),
            progress,
            move |entry, facts| SortRow::of(entry, facts, &wanted),
            move |rows| {
                let facts: Vec<SortFacts<'_>> = rows.iter().map(|(_, row)| row.facts()).collect();
                let order = sort(&criteria, &facts);
                order.into_iter().map(|place| rows[place as usize].0).collect()
            },
        );
        Ok(sorting.await?)
    }

    pub(super) async fn thread(&mut self, addressing: Addressing, algorithm: ThreadAlgorithm, key: Key) -> Outcome {
        let matching = self.all_matching(key).await?;
        let entries: Vec<Entry> = matching.state.entries_of(&matching.uids).copied().collect();
        let work = Arc::clone(&self.work);
        let progress = &mut |done, of| work.set(done, of);
        let threading =
            self.services.mailboxes.gather(entries, FactsOf::Threading, progress, ThreadRow::of, move |rows| {
                let facts: Vec<ThreadFacts<'_>> = rows.iter().map(|(_, row)| row.facts()).collect();
                let uids: Vec<Uid> = rows.iter().map(|(uid, _)| *uid).collect();
                (thread(algorithm, &facts), uids)
            });
        let (forest, uids) = threading.await?;
        let view = &self.selected.as_deref().ok_or(Cause::SelectFirst)?.view;
        self.replies.thread(&forest, |message| {
            let uid = uids[message as usize].0;
            match addressing {
                Addressing::Uid => uid,
                // What was searched is what has a number.
                Addressing::Sequence => view.sequence().number_of(uid).unwrap_or(0),
            }
        });
        Ok(COMPLETED)
    }
}
