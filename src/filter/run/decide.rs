//! Actions: what a call adds to the plan, and what it takes out of it.

use super::super::call::{CallKind, FlagChange, Place, Value};
use super::super::fields::resolve;
use super::super::host::Incoming;
use super::super::plan::{
    Action, ActionKind, Automatic, Cause, Content, Create, DuplicateEntry, KeepReason, Run, ScriptError,
    ScriptErrorKind, Suppressed, Suppression,
};
use super::{Attempt, Stop};
use crate::types::{Flags, MailboxName, SpecialUse, is_keyword};
use sieve::Context;

/// What an attempt has decided so far.
pub(super) struct Decisions {
    pub(super) actions: Vec<Action>,
    pub(super) errors: Vec<ScriptError>,
    pub(super) suppressed: Vec<Suppressed>,
    pub(super) duplicates: Vec<DuplicateEntry>,
    pub(super) trace: Vec<Cause>,
    pub(super) implicit_keep: bool,
    /// Whether what is kept goes to the inbox, rather than stays where an IMAP event has found it.
    keep_is_inbox: bool,
    /// RFC 5232 section 2: the internal variable.
    pub(super) flags: Vec<String>,
    /// The serials of the scripts that have said `vacation`.
    pub(super) answered_by: Vec<u64>,
}

impl Decisions {
    pub(super) fn new(incoming: &Incoming<'_>) -> Self {
        Self {
            actions: Vec::new(),
            errors: Vec::new(),
            suppressed: Vec::new(),
            duplicates: Vec::new(),
            trace: Vec::new(),
            implicit_keep: true,
            keep_is_inbox: incoming.recipient.is_some(),
            // RFC 6785 section 3.8: a message that is in a mailbox has flags already.
            flags: flag_list(incoming.flags.iter().map(String::as_str)),
            answered_by: Vec::new(),
        }
    }

    pub(super) fn into_run(self) -> Run {
        let Self { actions, errors, suppressed, duplicates, trace, .. } = self;
        Run { actions, errors, suppressed, duplicates, trace }
    }

    pub(super) fn forget_actions(&mut self) {
        self.actions.clear();
        self.suppressed.clear();
        self.duplicates.clear();
        self.flags.clear();
    }

    pub(super) fn keep_after_failure(&mut self, cause: Cause) {
        self.implicit_keep = false;
        // A failure outweighs a refusal or a discarding: whatever else was meant, nothing is lost.
        self.actions.retain(|action| !matches!(action.kind, ActionKind::Reject { .. } | ActionKind::Discard));
        let kind = ActionKind::Keep { flags: Vec::new(), why: KeepReason::Failure };
        self.store(Action { kind, content: Content::Original, cause });
    }

    /// RFC 5228 section 2.10.3: one copy in one place, with the flags of the action that came last.
    pub(super) fn store(&mut self, action: Action) {
        let is_same =
            |earlier: &Action| earlier.content == action.content && self.same_place(&earlier.kind, &action.kind);
        let same = self.actions.iter().position(is_same).and_then(|index| self.actions.get_mut(index));
        let Some(earlier) = same else {
            self.actions.push(action);
            return;
        };
        let (ActionKind::Keep { flags: later, .. } | ActionKind::FileInto { flags: later, .. }) = action.kind else {
            return;
        };
        if let ActionKind::Keep { flags, .. } | ActionKind::FileInto { flags, .. } = &mut earlier.kind {
            *flags = later;
        }
    }

    fn same_place(&self, left: &ActionKind, right: &ActionKind) -> bool {
        match (left, right) {
            (ActionKind::Keep { .. }, ActionKind::Keep { .. }) => true,
            (ActionKind::Keep { .. }, ActionKind::FileInto { mailbox, .. })
            | (ActionKind::FileInto { mailbox, .. }, ActionKind::Keep { .. }) => {
                self.keep_is_inbox && mailbox.is_inbox()
            }
            (ActionKind::FileInto { mailbox: left, .. }, ActionKind::FileInto { mailbox: right, .. }) => left == right,
            _ => false,
        }
    }

    pub(super) fn delivers(&self) -> bool {
        let delivers = |action: &Action| {
            matches!(action.kind, ActionKind::Keep { .. } | ActionKind::FileInto { .. } | ActionKind::Redirect(_))
        };
        self.actions.iter().any(delivers)
    }

    pub(super) fn rejects(&self) -> bool {
        self.actions.iter().any(|action| matches!(action.kind, ActionKind::Reject { .. }))
    }
}

fn add_flags(flags: &mut Vec<String>, more: Vec<String>) {
    for flag in more {
        if !flags.iter().any(|known| known.eq_ignore_ascii_case(&flag)) {
            flags.push(flag);
        }
    }
}

/// RFC 5232 section 2: each string may hold several flags; what can be no flag is left out.
pub(super) fn flag_list<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut flags = Vec::new();
    for word in texts.flat_map(str::split_ascii_whitespace) {
        let flag = if word.starts_with('\\') {
            let system = Flags::system(word);
            Flags::SYSTEM.iter().find(|(flag, _)| Some(*flag) == system).map(|(_, name)| (*name).to_owned())
        } else {
            is_keyword(word).then(|| word.to_owned())
        };
        add_flags(&mut flags, flag.into_iter().collect());
    }
    flags
}

/// Where a message, or a copy of one of ours, is to go.
pub(super) struct Resolved {
    pub(super) mailbox: MailboxName,
    pub(super) create: Option<Create>,
}

impl Attempt<'_> {
    pub(super) fn act(&mut self, context: &mut Context<'_>, kind: &CallKind, carried: &[String]) -> Result<(), Stop> {
        match kind {
            CallKind::Keep { flags } => {
                let flags = self.flags_or_current(flags.as_deref(), carried);
                self.deliver(context, ActionKind::Keep { flags, why: KeepReason::Explicit })?;
                self.decisions.implicit_keep = false;
            }
            CallKind::Discard => {
                self.decisions.implicit_keep = false;
                self.push(ActionKind::Discard, Content::Original)?;
            }
            CallKind::FileInto { place, copy } => self.file_into(context, place, *copy, carried)?,
            CallKind::Redirect(redirect) => self.redirect(context, redirect, carried)?,
            CallKind::Reject { reason, extended } => {
                let reason = resolve(reason, carried).to_owned();
                self.reject(reason, *extended)?;
            }
            CallKind::Vacation(vacation) => self.vacation(context, vacation, carried)?,
            CallKind::Notify(notify) => self.notify(context, notify, carried)?,
            CallKind::Flags { change, variable, flags } => {
                self.change_flags(context, *change, variable.as_ref(), flags, carried);
            }
            CallKind::Fail { message } => {
                return Err(ScriptErrorKind::Script(resolve(message, carried).to_owned()).into());
            }
            CallKind::Mark(_)
            | CallKind::SaveMatches
            | CallKind::Stop
            | CallKind::Patterns { .. }
            | CallKind::Measure { .. }
            | CallKind::Test(_) => {}
        }
        Ok(())
    }

    pub(super) fn push(&mut self, kind: ActionKind, content: Content) -> Result<(), Stop> {
        if self.decisions.actions.len() >= self.runner.limits.actions {
            return Err(ScriptErrorKind::TooManyActions.into());
        }
        let cause = self.cause();
        self.decisions.actions.push(Action { kind, content, cause });
        Ok(())
    }

    /// An action that gives the message to somebody.
    pub(super) fn deliver(&mut self, context: &Context<'_>, kind: ActionKind) -> Result<(), Stop> {
        if self.decisions.rejects() {
            return Err(ScriptErrorKind::RejectConflict.into());
        }
        if self.decisions.actions.len() >= self.runner.limits.actions {
            return Err(ScriptErrorKind::TooManyActions.into());
        }
        let content = self.content(context)?;
        let cause = self.cause();
        self.decisions.store(Action { kind, content, cause });
        Ok(())
    }

    fn file_into(&mut self, context: &Context<'_>, place: &Place, copy: bool, carried: &[String]) -> Result<(), Stop> {
        let flags = self.flags_or_current(place.flags.as_deref(), carried);
        match self.place(place, carried)? {
            Ok(Resolved { mailbox, create }) => {
                self.deliver(context, ActionKind::FileInto { mailbox, create, flags })?;
            }
            // RFC 5228 section 4.1 leaves it to us: the message is kept where it is found, and its owner told.
            Err(missing) => {
                let cause = self.cause();
                self.decisions.errors.push(ScriptError { cause, kind: ScriptErrorKind::NoSuchMailbox(missing) });
                self.deliver(context, ActionKind::Keep { flags, why: KeepReason::NoSuchMailbox })?;
            }
        }
        if !copy {
            self.decisions.implicit_keep = false;
        }
        Ok(())
    }

    /// The mailbox that is meant; its name when it does not exist and is not to be made.
    pub(super) fn place(&self, place: &Place, carried: &[String]) -> Result<Result<Resolved, String>, Stop> {
        let host = self.runner.host;
        let text = resolve(&place.mailbox, carried);
        let Ok(mailbox) = MailboxName::parse(text) else {
            return Err(ScriptErrorKind::NotAMailbox(text.to_owned()).into());
        };
        // RFC 9042 section 4 and RFC 8579 section 4: the name is what is taken when the other way finds nothing.
        let by_id = place.mailbox_id.as_ref().and_then(|id| host.mailbox_with_id(resolve(id, carried)));
        let special_use = place.special_use.as_ref().and_then(|usage| SpecialUse::parse(resolve(usage, carried)));
        let found = by_id.or_else(|| special_use.and_then(|usage| host.mailbox_with_use(usage)));
        if let Some(mailbox) = found {
            return Ok(Ok(Resolved { mailbox, create: None }));
        }
        if mailbox.is_inbox() || host.mailbox_exists(&mailbox) {
            return Ok(Ok(Resolved { mailbox, create: None }));
        }
        if place.create {
            return Ok(Ok(Resolved { mailbox, create: Some(Create { special_use }) }));
        }
        Ok(Err(text.to_owned()))
    }

    fn reject(&mut self, reason: String, extended: bool) -> Result<(), Stop> {
        // RFC 5429 section 2.3: the sender must not be told it failed when somebody has got it.
        if self.decisions.delivers() || self.decisions.rejects() {
            return Err(ScriptErrorKind::RejectConflict.into());
        }
        let mut withdrawn = Vec::new();
        self.decisions.actions.retain(|action| {
            let is_reply = matches!(action.kind, ActionKind::Reply(_));
            if is_reply {
                withdrawn.push(action.cause.clone());
            }
            !is_reply
        });
        for cause in withdrawn {
            let reason = Suppression::MessageRefused;
            self.decisions.suppressed.push(Suppressed { what: Automatic::Reply, reason, cause });
        }
        self.decisions.implicit_keep = false;
        self.push(ActionKind::Reject { reason, extended }, Content::Original)
    }

    fn change_flags(
        &mut self,
        context: &mut Context<'_>,
        change: FlagChange,
        variable: Option<&Value>,
        flags: &[Value],
        carried: &[String],
    ) {
        let wanted = flag_list(flags.iter().map(|flag| resolve(flag, carried)));
        let mut changed = match variable {
            Some(variable) => flag_list(std::iter::once(resolve(variable, carried))),
            None => std::mem::take(&mut self.decisions.flags),
        };
        match change {
            FlagChange::Set => changed = wanted,
            FlagChange::Add => add_flags(&mut changed, wanted),
            FlagChange::Remove => {
                changed.retain(|flag| !wanted.iter().any(|gone| gone.eq_ignore_ascii_case(flag)));
            }
        }
        match variable {
            Some(_) => context.set_global_variable("ph_flags", changed.join(" ")),
            None => self.decisions.flags = changed,
        }
    }

    fn flags_or_current(&self, flags: Option<&[Value]>, carried: &[String]) -> Vec<String> {
        match flags {
            Some(flags) => flag_list(flags.iter().map(|flag| resolve(flag, carried))),
            None => self.decisions.flags.clone(),
        }
    }
}
