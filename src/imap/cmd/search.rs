//! SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 4731, RFC 5182, RFC 7162 section 3.1.5, RFC 9394).

use crate::imap::cause::Cause;
use crate::imap::grammar::{Addressing, Key, Numbers, ReturnOption};
use crate::imap::replies::{SearchScope, Status};
use crate::imap::searching::{Found, Returns, asks_mod_seq, query_of};
use crate::imap::session::{COMPLETED, Outcome, Session};
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
        let matching = match self.matching(key).await {
            Ok(matching) => matching,
            Err(cause) => return self.not_saved(returns, cause),
        };
        let found = Found::InMailbox(matching.uids);
        match returns {
            None => {
                let mod_seq = highest(&matching.state, &found.set()).filter(|_| matching.with_mod_seq);
                let names = self.selected()?.view.names_of(addressing, &found.set());
                self.replies.search(names.iter().map(|name| name.0), mod_seq.map(|mod_seq| mod_seq.0));
            }
            Some(returns) => self.tell_found(addressing, &returns, &found, &matching.state, matching.with_mod_seq)?,
        }
        Ok(COMPLETED)
    }

    /// What the selected mailbox has that matches.
    pub(super) async fn matching(&mut self, key: Key) -> Result<Matching, Cause> {
        let with_mod_seq = asks_mod_seq(&key);
        // RFC 7162 section 3.1: this switches CONDSTORE on.
        self.enabled.condstore |= with_mod_seq;
        let selected = self.selected()?;
        let view = &selected.view;
        let query = query_of(key, &|addressing, numbers| numbers_of(view, addressing, numbers))?;
        let mailboxes = &self.services.mailboxes;
        let state = mailboxes.state(selected.mailbox()).await?;
        // Only what the client was told of: what came since has no number for it yet.
        let among = view.sequence().all();
        let work = Arc::clone(&self.work);
        let uids = mailboxes.search(&state, &query, among, &mut |done, of| work.set(done, of)).await?;
        Ok(Matching { state, uids, with_mod_seq })
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

    /// ESEARCH, and what is saved.
    pub(super) fn tell_found(
        &mut self,
        addressing: Addressing,
        returns: &Returns,
        found: &Found,
        state: &State,
        with_mod_seq: bool,
    ) -> Result<(), Cause> {
        let selected = self.selected.as_deref_mut().ok_or(Cause::SelectFirst)?;
        let about = returns.spoken_of(found);
        let mod_seq = highest(state, &about).filter(|_| with_mod_seq);
        if !returns.says_nothing() {
            let tag = self.tag.as_ref().map_or("", |tag| tag.as_str());
            let view = &selected.view;
            let scope = SearchScope { tag, mailbox: None, uid: addressing == Addressing::Uid };
            let mut reply = self.replies.esearch(scope);
            let name = |uid: crate::types::Uid| match addressing {
                Addressing::Uid => Some(uid.0),
                Addressing::Sequence => view.sequence().number_of(uid.0),
            };
            if let Some(first) = found.first().filter(|_| returns.min).and_then(name) {
                reply.min(first);
            }
            if let Some(last) = found.last().filter(|_| returns.max).and_then(name) {
                reply.max(last);
            }
            if returns.count {
                reply.count(found.count());
            }
            if returns.all {
                match found {
                    Found::InMailbox(uids) => reply.all(&view.names_of(addressing, uids)),
                    Found::Sorted(uids) => reply.all_sorted(&uids.iter().copied().filter_map(name).collect::<Vec<_>>()),
                };
            }
            if let Some(range) = returns.partial {
                match found.window(range) {
                    Found::InMailbox(uids) => reply.partial(range, &view.names_of(addressing, &uids)),
                    Found::Sorted(uids) => {
                        reply.partial_sorted(range, &uids.iter().copied().filter_map(name).collect::<Vec<_>>())
                    }
                };
            }
            if let Some(mod_seq) = mod_seq {
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

/// The messages a key names.
pub(super) fn numbers_of(view: &View, addressing: Addressing, numbers: &Numbers) -> Result<UidSet, Cause> {
    // RFC 9586 section 3.1: in search keys as well.
    if view.dialect == Dialect::UidOnly && addressing == Addressing::Sequence && matches!(numbers, Numbers::Set(_)) {
        return Err(Cause::Numbers(NumbersError::UidRequired));
    }
    Ok(view.matching(addressing, numbers))
}

/// The modification sequence an answer about these messages has.
fn highest(state: &State, uids: &UidSet) -> Option<ModSeq> {
    state.entries_of(uids).map(|entry| entry.modseq).max()
}
