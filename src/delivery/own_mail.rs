//! Mail the house writes because of a message: answers, notifications, bounces.

use super::mail::{Answers, Mail};
use super::plan::{Fate, Plan};
use crate::filter::{Importance, Notification, Reply, ReplyBody};
use crate::message::{
    Action, AutoReply, DeliveryReport, NewField, Notice, RecipientReport, Returned, Stamp, new_message_id,
};
use crate::types::{Address, Domain, DsnReturn, Recipient};

/// What the house signs with.
pub(super) struct House<'h> {
    pub(super) hostname: &'h Domain,
    /// Identifies this message's offspring: the session's id and a random part.
    pub(super) token: String,
}

impl House<'_> {
    fn message_id(&self, number: usize, domain: &Domain) -> String {
        new_message_id(&format!("{}.{number}", self.token), domain)
    }
}

/// RFC 5230 section 5 and RFC 3834 section 3.
pub(super) fn reply(house: &House<'_>, number: usize, mail: &Mail, reply: &Reply, original: &[u8]) -> Vec<u8> {
    let message_id = house.message_id(number, reply.from.domain());
    AutoReply {
        from_name: reply.from_name.as_deref(),
        from: &reply.from,
        to: &reply.to,
        subject: &reply.subject,
        stamp: Stamp { at: mail.now, offset_seconds: 0, message_id: &message_id },
        original,
        body: match &reply.body {
            ReplyBody::Text(text) => crate::message::ReplyBody::Text(text),
            ReplyBody::Mime(entity) => crate::message::ReplyBody::Mime(entity),
        },
    }
    .to_message()
}

/// RFC 5436 section 2: to one recipient of the notification.
pub(super) fn notification(
    house: &House<'_>,
    number: usize,
    mail: &Mail,
    notification: &Notification,
    to: &Address,
) -> Vec<u8> {
    let message_id = house.message_id(number, notification.from.domain());
    let mut fields: Vec<NewField> =
        notification.headers.iter().filter_map(|(name, value)| NewField::text(name, value).ok()).collect();
    let importance = match notification.importance {
        Importance::High => Some("high"),
        Importance::Normal => None,
        Importance::Low => Some("low"),
    };
    fields.extend(importance.and_then(|importance| NewField::new("Importance", importance).ok()));
    Notice {
        from_name: notification.from_name.as_deref(),
        from: &notification.from,
        to,
        subject: &notification.subject,
        stamp: Stamp { at: mail.now, offset_seconds: 0, message_id: &message_id },
        text: &notification.body,
        fields: &fields,
    }
    .to_message()
}

/// What a sender is told of a recipient.
#[derive(Clone, Copy)]
pub(super) enum Failure<'f> {
    Refused(&'f Fate),
    /// It was taken, and somebody it is passed on to has no copy.
    Missed(&'f Fate),
}

impl Failure<'_> {
    fn status(self) -> &'static str {
        match self {
            Self::Refused(fate) | Self::Missed(fate) => status(fate),
        }
    }

    /// A copy that is missing gives nobody away.
    fn reason(self) -> String {
        match self {
            Self::Refused(fate) => super::explain::reason(fate).unwrap_or_default(),
            Self::Missed(Fate::OverQuota) => "somebody whom this address passes its mail on to has no room".to_owned(),
            Self::Missed(_) => "somebody whom this address passes its mail on to can't take it".to_owned(),
        }
    }
}

/// The recipients of which the sender must hear what no reply can tell: that they were refused while others were not, or
/// that they are taken and not everybody they lead to has got a copy. None where no report may be sent: to the null sender
/// (RFC 3834 section 2), or to one who asked for none.
pub(super) fn failures<'p>(plan: &'p Plan, mail: &'p Mail, answers: Answers) -> Vec<(&'p Recipient, Failure<'p>)> {
    let mut failed = Vec::new();
    if mail.envelope.sender.is_none() {
        return failed;
    }
    let is_accepted = plan.recipients.contains(&Fate::Accepted);
    for (index, (recipient, fate)) in mail.envelope.recipients.iter().zip(&plan.recipients).enumerate() {
        if !recipient.notify.wants_failure() {
            continue;
        }
        if *fate == Fate::Accepted {
            failed.extend(plan.missed(index).map(|why| (recipient, Failure::Missed(why))));
        } else if answers == Answers::One && is_accepted {
            failed.push((recipient, Failure::Refused(fate)));
        }
    }
    failed
}

/// A delivery report (RFC 5429 section 2.1.2, RFC 3464). It names addresses as the sender wrote them: whom they lead to is
/// not his business.
pub(super) fn bounce(
    house: &House<'_>,
    number: usize,
    mail: &Mail,
    message: &[u8],
    failed: &[(&Recipient, Failure<'_>)],
) -> Option<(Address, Vec<u8>)> {
    let to = mail.envelope.sender.clone().filter(|_| !failed.is_empty())?;
    let text = words(failed);
    let diagnostics: Vec<String> = failed.iter().map(|(_, failure)| failure.reason()).collect();
    let reports: Vec<RecipientReport<'_>> = failed
        .iter()
        .zip(&diagnostics)
        .map(|((recipient, failure), diagnostic)| RecipientReport {
            diagnostic: Some(diagnostic),
            ..reported(recipient, Action::Failed, failure.status(), mail)
        })
        .collect();
    let returned = match mail.envelope.dsn_return {
        Some(DsnReturn::Full) => Returned::Message(message),
        _ => Returned::Header(message),
    };
    let subject = "Your message was not delivered to everybody";
    let message = report(house, number, mail, Words { to: &to, subject, text: &text }, &reports, returned)?;
    Some((to, message))
}

/// A report that recipients whose sender asked for it (RFC 3461 section 4.1) have the message. With its header only: the
/// sender's RET is about failures (RFC 3461 section 4.3).
pub(super) fn success(
    house: &House<'_>,
    number: usize,
    mail: &Mail,
    message: &[u8],
    delivered: &[&Recipient],
) -> Option<(Address, Vec<u8>)> {
    let to = mail.envelope.sender.clone()?;
    let mut text = "Your message was delivered to:\n\n".to_owned();
    delivered.iter().for_each(|recipient| text.push_str(&format!("{}\n", recipient.address)));
    text.push_str("\nThis report was made by the mail system. The rest of it is meant for machines.\n");
    let reports: Vec<RecipientReport<'_>> = delivered
        .iter()
        .map(|recipient| reported(recipient, Action::Delivered, status(&Fate::Accepted), mail))
        .collect();
    let words = Words { to: &to, subject: "Your message was delivered", text: &text };
    let message = report(house, number, mail, words, &reports, Returned::Header(message))?;
    Some((to, message))
}

fn reported<'r>(recipient: &'r Recipient, action: Action, status: &'r str, mail: &Mail) -> RecipientReport<'r> {
    RecipientReport {
        original: recipient.original.as_deref(),
        address: &recipient.address,
        action,
        status,
        remote_mta: None,
        diagnostic: None,
        last_attempt: Some(mail.now),
        will_retry_until: None,
    }
}

/// For the person who reads it.
#[derive(Clone, Copy)]
struct Words<'w> {
    to: &'w Address,
    subject: &'w str,
    text: &'w str,
}

fn report(
    house: &House<'_>,
    number: usize,
    mail: &Mail,
    words: Words<'_>,
    recipients: &[RecipientReport<'_>],
    returned: Returned<'_>,
) -> Option<Vec<u8>> {
    let from = Address::from_parts("postmaster", house.hostname.clone()).ok()?;
    let message_id = house.message_id(number, house.hostname);
    let report = DeliveryReport {
        reporting_mta: house.hostname,
        utf8: mail.envelope.smtputf8,
        from_name: Some("Mail delivery"),
        from: &from,
        to: words.to,
        subject: words.subject,
        stamp: Stamp { at: mail.now, offset_seconds: 0, message_id: &message_id },
        text: words.text,
        envelope_id: mail.envelope.dsn_envelope_id.as_deref(),
        arrived: Some(mail.now),
        recipients,
        returned,
    };
    Some(report.to_message())
}

fn words(failed: &[(&Recipient, Failure<'_>)]) -> String {
    let mut text = "Your message was delivered, but not to everybody:\n\n".to_owned();
    for (recipient, failure) in failed {
        text.push_str(&format!("{}\n    {}\n\n", recipient.address, failure.reason().trim()));
    }
    text.push_str("This report was made by the mail system. The rest of it is meant for machines.\n");
    text
}

/// RFC 3463.
pub(super) fn status(fate: &Fate) -> &'static str {
    match fate {
        Fate::Accepted => "2.1.5",
        Fate::Unknown | Fate::Paused => "5.1.1",
        Fate::Suspended => "4.2.1",
        Fate::RulesFailed => "4.3.5",
        Fate::NoMailbox => "5.2.1",
        Fate::OverQuota => "4.2.2",
        Fate::Loop => "5.4.6",
        Fate::TooFar => "5.4.6",
        Fate::NotOurs | Fate::NotForwarded(_) => "5.7.1",
        Fate::Rejected(_) => "5.7.1",
    }
}
