//! SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 4731, RFC 5182, RFC 5267, RFC 7162 section 3.1.5, RFC 9394).

use crate::imap::cause::Cause;
use crate::imap::contexts::Context;
use crate::imap::grammar::{Addressing, FetchItem, Key, Numbers, ReturnOption};
use crate::imap::replies::{Code, SearchScope, Status};
use crate::imap::searching::{Found, Returns, asks_mod_seq, asks_threads, candidates, query_of};
use crate::imap::session::{Done, Outcome, Session};
use crate::imap::view::{Dialect, NumbersError, View};
use crate::mailbox::State;
use crate::types::{ModSeq, UidSet};
use std::sync::Arc;

/// Messages that match, and the state in which they do.
pub(super) struct Matching {
    pub(super) state: Arc<State>,
    pub(super) uids: UidSet,
    /// Whether the answer has a modification sequence.
    pub(super) with_mod_seq: bool,
    /// RFC 9738: not all messages were looked at.
    pub(super) limited: Option<Code>,
}

impl Session {
    pub(super) async fn search(
        &mut self,
        addressing: Addressing,
        options: Option<Vec<ReturnOption>>,
        key: Key,
    ) -> Outcome {
        // RFC 9051 section 7.3.4: there is no SEARCH response any more.
        let options = options.or_else(|| self.enabled.rev2.then(|| vec![ReturnOption::All]));
        let returns = options.as_deref().map(Returns::of);
        let context = match returns.filter(|returns| returns.update) {
            Some(_) => self.context(addressing, &key, shown(options.unwrap_or_default()))?,
            None => None,
        };
        let matching = match self.matching(key).await {
            Ok(matching) => matching,
            Err(cause) => return self.not_saved(returns, cause),
        };
        let found = Found::InMailbox(matching.uids.clone());
        let limited = matching.limited.clone();
        match returns {
            None => self.tell_listed(addressing, &found, &matching)?,
            Some(returns) => self.tell_found(addressing, &returns, &found, &matching)?,
        }
        if let Some(context) = context {
            self.selected_mut()?.contexts.begin(context, matching.uids);
        }
        Ok(Done::Completed(limited))
    }

    /// A result to keep up to date, if there is room for one more.
    fn context(&mut self, addressing: Addressing, key: &Key, shown: Vec<FetchItem>) -> Result<Option<Context>, Cause> {
        let tag = self.tag.as_ref().map_or("", |tag| tag.as_str()).to_owned();
        let selected = self.selected()?;
        if selected.contexts.has(&tag) {
            return Err(Cause::TagInUse);
        }
        if selected.contexts.is_full() {
            self.refuse_updates("Too many searches are being updated");
            return Ok(None);
        }
        Ok(Some(Context::new(&tag, addressing, key.clone(), shown, selected.view.saved().clone())))
    }

    /// RFC 5267 section 4.3.1.
    pub(super) fn refuse_updates(&mut self, why: &str) {
        let tag = self.tag.as_ref().map_or("", |tag| tag.as_str()).to_owned();
        self.replies.untagged(Status::No, Some(&Code::NoUpdate(tag)), why);
    }

    /// What the selected mailbox has that matches.
    pub(super) async fn matching(&mut self, key: Key) -> Result<Matching, Cause> {
        let with_mod_seq = asks_mod_seq(&key);
        // RFC 7162 section 3.1: this switches CONDSTORE on.
        self.enabled.condstore |= with_mod_seq;
        let selected = self.selected()?;
        let view = &selected.view;
        // Only what the client was told of: what came since has no number for it yet.
        let among = view.sequence().all();
        let mailboxes = &self.services.mailboxes;
        let work = Arc::clone(&self.work);
        let progress = &mut |done, of| work.set(done, of);
        if asks_threads(&key) {
            mailboxes.assign_threads(selected.mailbox(), &among).await?;
        }
        let state = mailboxes.state(selected.mailbox()).await?;
        let query = query_of(key, &|addressing, numbers| numbers_of(view, addressing, numbers))?;
        // RFC 9738 section 3.1: what counts are the messages that are looked at, not those that match.
        let (among, limited) = self.within_limit(candidates(&query, among));
        let uids = mailboxes.search(&state, &query, among, progress).await?;
        Ok(Matching { state, uids, with_mod_seq, limited })
    }

    /// RFC 5182 section 2.1: a search that fails and should have been saved leaves nothing saved.
    pub(super) fn not_saved(&mut self, returns: Option<Returns>, cause: Cause) -> Outcome {
        if returns.is_some_and(|returns| returns.save)
            && cause.answer().status == Status::No
            && let Some(selected) = self.selected.as_deref_mut()
        {
            selected.view.save(UidSet::new());
        }
        Err(cause)
    }

    /// All of them, one by one: SEARCH or SORT.
    pub(super) fn tell_listed(
        &mut self,
        addressing: Addressing,
        found: &Found,
        matching: &Matching,
    ) -> Result<(), Cause> {
        let mod_seq = if matching.with_mod_seq { highest(&matching.state, &matching.uids) } else { None };
        let mod_seq = mod_seq.map(|mod_seq| mod_seq.0);
        let numbers = found.names(&self.selected()?.view, addressing).numbers();
        match found {
            Found::InMailbox(_) => self.replies.search(numbers, mod_seq),
            Found::Sorted(_) => self.replies.sort(numbers, mod_seq),
        }
        Ok(())
    }

    /// ESEARCH, and what is saved.
    pub(super) fn tell_found(
        &mut self,
        addressing: Addressing,
        returns: &Returns,
        found: &Found,
        matching: &Matching,
    ) -> Result<(), Cause> {
        let selected = self.selected.as_deref_mut().ok_or(Cause::SelectFirst)?;
        let about = returns.spoken_of(found);
        if !returns.says_nothing() {
            let tag = self.tag.as_ref().map_or("", |tag| tag.as_str());
            let mut reply =
                self.replies.esearch(SearchScope { tag, mailbox: None, uid: addressing == Addressing::Uid });
            returns.write(&mut reply, &found.names(&selected.view, addressing));
            if matching.with_mod_seq
                && let Some(mod_seq) = highest(&matching.state, &about)
            {
                reply.mod_seq(mod_seq.0);
            }
            reply.finish();
        }
        if returns.save {
            selected.view.save(about);
        }
        Ok(())
    }
}

/// What UPDATE shows of new messages.
fn shown(options: Vec<ReturnOption>) -> Vec<FetchItem> {
    let shown = options.into_iter().find_map(|option| match option {
        ReturnOption::Update(items) => Some(items),
        _ => None,
    });
    shown.unwrap_or_default()
}

/// The messages a key names.
fn numbers_of(view: &View, addressing: Addressing, numbers: &Numbers) -> Result<UidSet, Cause> {
    // RFC 9586 section 3.1: in search keys as well.
    if view.dialect == Dialect::UidOnly && addressing == Addressing::Sequence && matches!(numbers, Numbers::Set(_)) {
        return Err(Cause::Numbers(NumbersError::UidRequired));
    }
    Ok(view.matching(addressing, numbers))
}

/// The modification sequence an answer about these messages has.
pub(super) fn highest(state: &State, uids: &UidSet) -> Option<ModSeq> {
    state.entries_of(uids).map(|entry| entry.modseq).max()
}
