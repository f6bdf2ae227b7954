//! What leaves: redirections, automatic answers and notifications.

use super::super::call::{ByTime, NotifyCall, Place, RedirectCall, VacationCall};
use super::super::fields::{self, resolve};
use super::super::notify::{self, Mailto};
use super::super::plan::{
    ActionKind, Automatic, DeliverBy, Filing, Importance, KeepReason, Notification, Redirect, Reply, ReplyBody,
    ReplyKey, ReplyMemory, ScriptError, ScriptErrorKind, Suppressed, Suppression,
};
use super::super::script::ScriptKind;
use super::super::{dates, vacation};
use super::decide::{Resolved, flag_list};
use super::{Attempt, Stop};
use crate::types::Address;
use crate::types::limits::RECEIVED_HEADERS_OUTWARD_MAX;
use sha2::{Digest, Sha256};
use sieve::Context;

impl Attempt<'_> {
    pub(super) fn redirect(
        &mut self,
        context: &Context<'_>,
        call: &RedirectCall,
        carried: &[String],
    ) -> Result<(), Stop> {
        let text = resolve(&call.to, carried);
        let targets = if call.list {
            let members = self.runner.host.list_members(text);
            members.ok_or_else(|| ScriptErrorKind::NoSuchList(text.to_owned()))?
        } else {
            let (_, address) = notify::mailbox(text).ok_or_else(|| ScriptErrorKind::NotAnAddress(text.to_owned()))?;
            vec![address]
        };
        if fields::count(context.message(), "Received") >= RECEIVED_HEADERS_OUTWARD_MAX {
            // Sent on, it would come back: it stays, and its owner is told.
            let cause = self.cause();
            self.decisions.errors.push(ScriptError { cause, kind: ScriptErrorKind::Looping });
            return Ok(());
        }
        let deliver_by = match &call.by {
            None => None,
            Some(by) => Some(DeliverBy {
                time: match by {
                    ByTime::RelativeSeconds(seconds) => {
                        self.runner.incoming.now.plus_seconds(i64::try_from(*seconds).unwrap_or(i64::MAX))
                    }
                    ByTime::Absolute(time) => {
                        let text = resolve(time, carried);
                        dates::parse_rfc3339(text).ok_or_else(|| ScriptErrorKind::NotADate(text.to_owned()))?
                    }
                },
                return_when_late: call.by_mode_return,
                trace: call.by_trace,
            }),
        };
        for to in targets {
            self.redirect_to(context, to, call, deliver_by)?;
        }
        if !call.copy {
            self.decisions.implicit_keep = false;
        }
        Ok(())
    }

    fn redirect_to(
        &mut self,
        context: &Context<'_>,
        to: Address,
        call: &RedirectCall,
        deliver_by: Option<DeliverBy>,
    ) -> Result<(), Stop> {
        let canonical = to.canonical();
        if canonical == self.runner.incoming.address.canonical() {
            let flags = self.decisions.flags.clone();
            return self.deliver(context, ActionKind::Keep { flags, why: KeepReason::RedirectedHere });
        }
        let content = self.content(context)?;
        let mut redirects = 0;
        for action in &self.decisions.actions {
            if let ActionKind::Redirect(earlier) = &action.kind {
                redirects += 1;
                // RFC 5228 section 2.10.3: nobody gets the same message twice.
                if earlier.to.canonical() == canonical && action.content == content {
                    return Ok(());
                }
            }
        }
        if redirects >= self.runner.limits.redirects {
            return Err(ScriptErrorKind::TooManyRedirects.into());
        }
        let kind = ActionKind::Redirect(Redirect {
            to,
            copy: call.copy,
            notify: call.notify,
            dsn_return: call.dsn_return,
            deliver_by,
        });
        self.deliver(context, kind)
    }

    pub(super) fn vacation(
        &mut self,
        context: &Context<'_>,
        call: &VacationCall,
        carried: &[String],
    ) -> Result<(), Stop> {
        let serial = self.current().script.serial;
        if self.decisions.answered_by.contains(&serial) {
            return Err(ScriptErrorKind::SecondVacation.into());
        }
        self.decisions.answered_by.push(serial);
        let incoming = self.runner.incoming;
        let more: Vec<Address> = call
            .addresses
            .iter()
            .filter_map(|address| notify::mailbox(resolve(address, carried)).map(|(_, address)| address))
            .collect();
        let recipient = incoming.recipient.map(|recipient| &recipient.address);
        let own: Vec<&Address> =
            incoming.own_addresses.iter().chain([incoming.address]).chain(recipient).chain(&more).collect();
        if let Some(reason) = vacation::refuse(context.message(), incoming.envelope.sender.as_ref(), &own) {
            self.suppress(Automatic::Reply, reason);
            return Ok(());
        }
        let Some(sender) = incoming.envelope.sender.clone() else { return Ok(()) };
        if self.decisions.rejects() {
            self.suppress(Automatic::Reply, Suppression::MessageRefused);
            return Ok(());
        }
        if self.decisions.actions.iter().any(|action| matches!(action.kind, ActionKind::Reply(_))) {
            self.suppress(Automatic::Reply, Suppression::SecondAnswer);
            return Ok(());
        }
        let (from_name, from) = self.from(call.from.as_ref().map(|from| resolve(from, carried)));
        let reason = resolve(&call.reason, carried);
        let written_subject = call.subject.as_ref().map(|subject| one_line(resolve(subject, carried)));
        let key = ReplyKey {
            sender: sender.to_string().to_lowercase(),
            handle: match &call.handle {
                Some(handle) => resolve(handle, carried).to_owned(),
                None => digest(&[
                    written_subject.as_deref().unwrap_or_default(),
                    &from.to_string(),
                    if call.mime { "mime" } else { "text" },
                    reason,
                ]),
            },
        };
        if call.interval_seconds > 0 && self.runner.host.was_answered(&key) {
            self.suppress(Automatic::Reply, Suppression::AlreadyAnswered);
            return Ok(());
        }
        let subject = written_subject.unwrap_or_else(|| {
            // RFC 5230 section 4.3.
            match fields::first(context.message(), "Subject").filter(|subject| !subject.is_empty()) {
                Some(subject) => format!("Auto: {subject}"),
                None => "Automated reply".to_owned(),
            }
        });
        let body = match call.mime {
            true => ReplyBody::Mime(reason.to_owned()),
            false => ReplyBody::Text(reason.to_owned()),
        };
        let interval = i64::try_from(call.interval_seconds).unwrap_or(i64::MAX);
        let memory = ReplyMemory { key, until: (interval > 0).then(|| incoming.now.plus_seconds(interval)) };
        let fcc = self.fcc(call.fcc.as_ref(), carried)?;
        let reply = Reply { to: sender, from, from_name, subject, body, memory, fcc };
        self.push(ActionKind::Reply(Box::new(reply)), super::Content::Original)
    }

    /// RFC 5230 section 4.3: the address that was written to, unless a person names another of their own. An
    /// administrator may name any; anybody else's would be a lie.
    fn from(&self, wanted: Option<&str>) -> (Option<String>, Address) {
        let incoming = self.runner.incoming;
        let here = incoming.address.canonical();
        let is_own = |address: &Address| incoming.own_addresses.iter().any(|own| own.canonical() == *address);
        let wanted = wanted.and_then(notify::mailbox).filter(|(_, address)| {
            let address = address.canonical();
            address == here || is_own(&address) || self.current().script.kind != ScriptKind::Personal
        });
        // A mask answers as itself and without a name: it must not show whose it is. So does an address that only a
        // catch-all brought here: nobody else has it. What stands behind a "+" is the owner's own business.
        let written = incoming.recipient.map(|recipient| recipient.address.canonical());
        let plain = |written: Address| match written.without_detail() {
            Some((base, _)) if base == here || (is_own(&base) && !is_own(&written)) => base,
            _ => written,
        };
        if let Some(mask) = written.map(plain).filter(|written| *written != here)
            && wanted.as_ref().is_none_or(|(_, address)| address.canonical() == here)
        {
            return (None, mask);
        }
        wanted.unwrap_or_else(|| (incoming.owner_name.map(str::to_owned), incoming.address.clone()))
    }

    pub(super) fn notify(&mut self, context: &Context<'_>, call: &NotifyCall, carried: &[String]) -> Result<(), Stop> {
        let method = resolve(&call.method, carried);
        let Some(mailto) = notify::parse_mailto(method) else {
            return Err(ScriptErrorKind::NotAMethod(method.to_owned()).into());
        };
        // RFC 5436 section 2.7: a machine's mail is not worth another.
        if let Some(reason) = vacation::auto_submitted(context.message()) {
            self.suppress(Automatic::Notification, reason);
            return Ok(());
        }
        if fields::count(context.message(), "Received") >= RECEIVED_HEADERS_OUTWARD_MAX {
            self.suppress(Automatic::Notification, Suppression::Looping);
            return Ok(());
        }
        let Mailto { to, cc, bcc, subject, body, headers } = mailto;
        let (from_name, from) = self.from(call.from.as_ref().map(|from| resolve(from, carried)));
        let message = call.message.as_ref().map(|message| resolve(message, carried).to_owned());
        let original = fields::first(context.message(), "Subject").unwrap_or_default();
        let importance = match call.importance.as_ref().map(|importance| resolve(importance, carried)) {
            Some("1") => Importance::High,
            Some("3") => Importance::Low,
            _ => Importance::Normal,
        };
        // RFC 5436 section 2.7: ":message" goes before what the URI says, and is the subject.
        let subject = message.as_deref().map(one_line).or(subject).unwrap_or_else(|| original.clone());
        let body = body.or(message).unwrap_or(original);
        let fcc = self.fcc(call.fcc.as_ref(), carried)?;
        let notification = Notification { to, cc, bcc, from, from_name, subject, body, importance, headers, fcc };
        self.push(ActionKind::Notify(Box::new(notification)), super::Content::Original)
    }

    fn suppress(&mut self, what: Automatic, reason: Suppression) {
        let cause = self.cause();
        self.decisions.suppressed.push(Suppressed { what, reason, cause });
    }

    /// RFC 8580 section 3. A copy that has nowhere to go keeps nothing from being sent.
    fn fcc(&mut self, place: Option<&Place>, carried: &[String]) -> Result<Option<Filing>, Stop> {
        let Some(place) = place else { return Ok(None) };
        let flags = place.flags.as_deref().unwrap_or_default();
        let flags = flag_list(flags.iter().map(|flag| resolve(flag, carried)));
        match self.place(place, carried)? {
            Ok(Resolved { mailbox, create }) => Ok(Some(Filing { mailbox, create, flags })),
            Err(missing) => {
                let cause = self.cause();
                self.decisions.errors.push(ScriptError { cause, kind: ScriptErrorKind::NoSuchMailbox(missing) });
                Ok(None)
            }
        }
    }
}

fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    line.trim().to_owned()
}

/// RFC 5230 section 4.2: without a handle, an answer is known by what it says.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut text, octet| {
        text.push_str(&format!("{octet:02x}"));
        text
    })
}
