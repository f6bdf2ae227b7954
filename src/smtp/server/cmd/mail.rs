//! MAIL.

use crate::smtp::proto::{DeliverByMode, Hold, Mail};
use crate::smtp::server::replies::{Cause, Success};
use crate::smtp::server::service::Verdict;
use crate::smtp::server::session::{Ask, Due, Session, Step};
use crate::types::{BodyKind, Envelope, Timestamp};

impl Session {
    pub(in crate::smtp::server) fn mail(&mut self, mail: Mail, out: &mut Vec<u8>) -> Step {
        let now = self.settings.clock.now();
        if let Some(cause) = self.mail_out_of_order().or_else(|| self.mail_not_offered(&mail, now)) {
            return self.refuse(cause, out);
        }
        self.envelope = Some(envelope(mail, now));
        self.due = Due::MailVerdict;
        Step::Ask(Ask::Mail)
    }

    pub(in crate::smtp::server) fn mail_decided(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Step {
        match verdict {
            Ok(()) => {
                self.was_useful();
                self.reply(Success::SenderOk, out)
            }
            Err(refusal) => {
                self.reset();
                self.refuse(refusal, out)
            }
        }
    }

    fn mail_out_of_order(&self) -> Option<Cause> {
        let kind = self.settings.kind;
        if self.hello.is_none() {
            Some(Cause::HelloFirst)
        } else if kind.needs_login() && !self.link.encrypted && self.link.mechanisms.is_empty() {
            // RFC 3207 section 4.
            Some(Cause::TlsFirst)
        } else if kind.needs_login() && self.login.is_none() {
            Some(Cause::LoginFirst)
        } else if self.envelope.is_some() {
            Some(Cause::MailTwice)
        } else {
            None
        }
    }

    /// Parameters of extensions that EHLO did not name, or beyond what it named. AUTH= is taken anywhere and believed
    /// nowhere (RFC 4954 section 5): relays add it without looking.
    fn mail_not_offered(&self, mail: &Mail, now: Timestamp) -> Option<Cause> {
        let offered = self.extensions();
        let unknown = (mail.body == Some(BodyKind::Binary) && !offered.binary_mime)
            || (mail.smtputf8 && !offered.smtputf8)
            || (mail.requiretls && !offered.requiretls)
            || ((mail.dsn_return.is_some() || mail.dsn_envelope_id.is_some()) && !offered.dsn)
            || (mail.hold.is_some() && offered.future_release.is_none())
            || (mail.deliver_by.is_some() && offered.deliver_by_seconds_min.is_none())
            || (mail.priority.is_some() && !offered.mt_priority);
        if unknown {
            return Some(Cause::UnknownParameter);
        }
        // RFC 1870 section 6.1.
        if mail.size_octets > offered.size_octets_max {
            return Some(Cause::TooBig);
        }
        if let (Some(hold), Some(limit)) = (mail.hold, offered.future_release)
            && hold_until(hold, now) > limit.until_max
        {
            return Some(Cause::HoldTooLong);
        }
        // RFC 2852 section 4.1.4: the minimum is about times to keep; a time that only is to be told may be any.
        if let (Some(by), Some(least)) = (mail.deliver_by, offered.deliver_by_seconds_min)
            && by.mode == DeliverByMode::Return
            && i64::from(by.seconds) < i64::from(least)
        {
            return Some(Cause::DeliverByTooShort);
        }
        None
    }
}

fn hold_until(hold: Hold, now: Timestamp) -> Timestamp {
    match hold {
        Hold::ForSeconds(seconds) => now.plus_seconds(i64::from(seconds)),
        Hold::Until(time) => time,
    }
}

fn envelope(mail: Mail, now: Timestamp) -> Envelope {
    Envelope {
        sender: mail.sender,
        recipients: Vec::new(),
        declared_octets: mail.size_octets.unwrap_or_default(),
        body: mail.body.unwrap_or_default(),
        smtputf8: mail.smtputf8,
        requiretls: mail.requiretls,
        dsn_return: mail.dsn_return,
        dsn_envelope_id: mail.dsn_envelope_id,
        hold_until: mail.hold.map(|hold| hold_until(hold, now)),
        deliver_by: mail
            .deliver_by
            .map(|by| (now.plus_seconds(i64::from(by.seconds)), by.mode == DeliverByMode::Return)),
        priority: mail.priority.unwrap_or_default(),
    }
}
