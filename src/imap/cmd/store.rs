//! STORE and UID STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3).

use crate::delivery::Occasion;
use crate::imap::cause::Cause;
use crate::imap::events::{Scene, flag_names};
use crate::imap::fetching::Messages;
use crate::imap::grammar::{Addressing, Flag, FlagChange, Store};
use crate::imap::replies::Code;
use crate::imap::selected::{changed_of, flags_reply, mod_seq_reply};
use crate::imap::session::{Done, Outcome, Running, Session};
use crate::imap::snapshot::Snapshot;
use crate::mailbox::{FlagRequest, FlagVerb, Place, State};
use crate::types::limits::OUTPUT_OCTETS_HIGH_WATER;
use crate::types::{Flags, ModSeq, Uid, UidSet};
use std::sync::Arc;

/// Flags that were changed and are still to be said.
pub(in crate::imap) struct Telling {
    messages: Messages,
    snapshot: Snapshot,
    place: Place,
    addressing: Addressing,
    what: Told,
    code: Option<Code>,
    missing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Flags,
    /// RFC 7162 section 3.1.3: also when the client wants no flags.
    ModSeq,
    Nothing,
}

impl Telling {
    pub(in crate::imap) fn rest(&mut self) {
        self.snapshot.rest();
    }
}

impl Session {
    pub(super) async fn store(&mut self, store: Store) -> Outcome {
        // RFC 7162 section 3.1: this parameter switches CONDSTORE on.
        self.enabled.condstore |= store.unchanged_since.is_some();
        let selected = self.selected()?;
        selected.must_be_writable()?;
        let (uids, limited) = self.within_limit(selected.view.resolve(store.addressing, &store.numbers)?);
        let (flags, keywords) = settable(&store.flags)?;
        let verb = verb_of(store.change);
        let mailboxes = &self.services.mailboxes;
        // Kept only for those who need it: what is looked at by nobody is changed in place, and not copied.
        let scripted = self.scripts()?.has_script(selected.mailbox().id()).await;
        let before = match scripted || store.silent {
            true => Some(mailboxes.state(selected.mailbox()).await?),
            false => None,
        };
        let unchanged_since = store.unchanged_since.map(ModSeq);
        let names = keywords.clone();
        let request = FlagRequest { uids: uids.clone(), verb, flags, keywords, unchanged_since };
        let work = Arc::clone(&self.work);
        let progress = &mut |done, of| work.set(done, of);
        let outcome = mailboxes.change_flags(self.viewer()?, selected.mailbox(), request, progress).await?;
        let state = mailboxes.state(selected.mailbox()).await?;
        if let Some(before) = before.as_deref().filter(|_| scripted) {
            self.after_store(before, &state, &outcome.changed).await?;
        }
        let condstore = self.enabled.condstore;
        let Some(selected) = self.selected.as_deref_mut() else { return Err(Cause::SelectFirst) };
        selected.tell_keywords(&state, &mut self.replies);
        let flags = names.iter().filter_map(|name| state.keyword(name)).fold(flags, Flags::with);
        let known = selected.view.known();
        // With SILENT the client works out by itself what became of the flags it knows. Where somebody else had changed
        // them in the meantime it would be wrong: there it is told after all, as news.
        let old = |uid: Uid| before.as_deref().and_then(|before| before.entry(uid));
        let knows = |uid: &Uid| match (old(*uid), state.entry(*uid)) {
            (Some(old), Some(new)) => old.modseq <= known && verb.applied(old.flags, flags, Flags::ALL) == new.flags,
            _ => false,
        };
        let done = uids.difference(&outcome.modified);
        let missing = store.addressing == Addressing::Sequence && done.difference(state.uids()).count() > 0;
        let mut changed = UidSet::new();
        let (mut all_told, mut through) = (true, known);
        for (modseq, uids) in outcome.changed {
            changed = changed.union(&uids);
            let count = uids.count();
            let told = match (store.silent, missing) {
                (false, _) => uids,
                (true, false) => uids.iter().filter(knows).collect(),
                // The answer is NO: from that no client can tell what was done.
                (true, true) => UidSet::new(),
            };
            all_told &= told.count() == count;
            through = modseq;
            selected.view.note_told(modseq, told);
        }
        // Searches that are kept up to date are, by what happened since.
        if let Some(since) = outcome.nothing_else_since.filter(|_| all_told && selected.contexts.is_empty()) {
            selected.view.note_all_told(since, through);
        }
        let code = (!outcome.modified.is_empty())
            .then(|| Code::Modified(selected.view.names_of(store.addressing, &outcome.modified)));
        let (what, shown) = match (store.silent, condstore) {
            (false, _) => (Told::Flags, done),
            (true, true) => (Told::ModSeq, changed),
            (true, false) => (Told::Nothing, UidSet::new()),
        };
        let messages = Messages::new(selected.view.sequence().pieces_of(&shown).collect());
        let code = self.one_code(code, limited);
        let (place, addressing) = (Place::default(), store.addressing);
        let snapshot = Snapshot::new(state);
        self.run(Running::Telling(Telling { messages, snapshot, place, addressing, what, code, missing }))
    }

    /// Scripts that run when flags change (RFC 6785 section 2.2.3).
    pub(super) async fn after_store(
        &mut self,
        before: &State,
        state: &State,
        changed: &[(ModSeq, UidSet)],
    ) -> Result<(), Cause> {
        let mailbox = self.selected()?.mailbox();
        if changed.is_empty() || !self.scripts()?.has_script(mailbox.id()).await {
            return Ok(());
        }
        let record = self.services.mailboxes.record_of(mailbox).await?;
        let mut messages = Vec::new();
        for uid in changed.iter().flat_map(|(_, uids)| uids.iter()) {
            if let (Some(old), Some(new)) = (before.entry(uid), state.entry(uid)) {
                let changed = flag_names(Flags(old.flags.0 ^ new.flags.0), state.keywords());
                messages.push((uid, Occasion::Flag(changed)));
            }
        }
        self.scripts()?.run_on_event(Scene { owner: record.account, id: record.id, name: record.name }, messages).await;
        Ok(())
    }

    /// As much as fits into one write.
    pub(in crate::imap) async fn tell_stored(&mut self, mut telling: Telling) -> Outcome {
        if let Some(state) = self.newer_than(&telling.snapshot).await? {
            (telling.snapshot, telling.place) = (Snapshot::new(state), Place::default());
        }
        let with_uid = telling.addressing == Addressing::Uid || self.enabled.condstore || self.enabled.rev2;
        while self.replies.out.len() < OUTPUT_OCTETS_HIGH_WATER {
            let Some((number, uid)) = telling.messages.next() else {
                return if telling.missing {
                    Err(self.messages_gone(telling.code))
                } else {
                    Ok(Done::Completed(telling.code))
                };
            };
            let Some(state) = telling.snapshot.state() else { break };
            let Some(changed) = state.entry_near(&mut telling.place, uid).map(changed_of) else { continue };
            match telling.what {
                Told::Flags => {
                    let uid = with_uid.then_some(uid);
                    let keywords = state.keywords();
                    flags_reply(number, &changed, uid, keywords, self.enabled, &mut self.replies);
                }
                Told::ModSeq => mod_seq_reply(number, &changed, self.enabled, &mut self.replies),
                Told::Nothing => {}
            }
        }
        self.run(Running::Telling(telling))
    }
}

fn verb_of(change: FlagChange) -> FlagVerb {
    match change {
        FlagChange::Add => FlagVerb::Add,
        FlagChange::Remove => FlagVerb::Remove,
        FlagChange::Replace => FlagVerb::Replace,
    }
}

/// Flags as the mailbox takes them.
pub(in crate::imap) fn settable(flags: &[Flag]) -> Result<(Flags, Vec<String>), Cause> {
    let mut system = Flags::NONE;
    let mut keywords = Vec::new();
    for flag in flags {
        match flag {
            Flag::System(flag) => system = system.with(*flag),
            Flag::Keyword(name) => keywords.push(name.to_string()),
            // RFC 3501 section 2.3.2: a client can't change \Recent, and loses nothing if it tries.
            Flag::Unknown(name) if name.eq_ignore_ascii_case("\\Recent") => {}
            Flag::Unknown(_) => return Err(Cause::UnknownFlag),
        }
    }
    Ok((system, keywords))
}
