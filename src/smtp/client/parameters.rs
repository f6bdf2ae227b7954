//! What MAIL and RCPT say: the envelope, as far as the server understands it.

use crate::queue::{Failure, FailureCause, Outgoing, Stage};
use crate::smtp::proto::{DeliverBy, DeliverByMode, Extensions, ForwardPath, Mail, OriginalRecipient, Rcpt};
use crate::types::limits::SMTP_CLIENT_INLINE_OCTETS_MAX;
use crate::types::{BodyKind, Notify, Timestamp};

/// How a message goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// DATA, with line ends mended.
    Dots,
    /// One BDAT, right behind the envelope.
    InlineChunk,
    /// One BDAT, once the server has taken a recipient.
    Chunk,
    /// None: whether the recipients would be taken is all there is to know.
    Nothing,
}

/// Whether the message must become another one first.
pub(super) fn needs_seven_bit(kind: BodyKind, offered: &Extensions) -> bool {
    match kind {
        BodyKind::SevenBit => false,
        BodyKind::EightBit => !offered.eight_bit_mime,
        // RFC 3030 section 3: BINARYMIME travels in chunks only.
        BodyKind::Binary => !(offered.binary_mime && offered.chunking),
    }
}

/// DATA for large messages that are not binary: only its encoder mends line ends on the way.
pub(super) fn framing(mail: &Outgoing, offered: &Extensions) -> Framing {
    let is_small = mail.content.octets() <= SMTP_CLIENT_INLINE_OCTETS_MAX;
    match mail.content.kind() {
        _ if !offered.chunking => Framing::Dots,
        _ if is_small && offered.pipelining => Framing::InlineChunk,
        BodyKind::Binary => Framing::Chunk,
        _ if is_small => Framing::Chunk,
        _ => Framing::Dots,
    }
}

/// The failure holds for all recipients at this server, and for good.
pub(super) fn mail(mail: &Outgoing, offered: &Extensions, now: Timestamp) -> Result<Mail, Failure> {
    let refused = |cause| Err(Failure::new(Stage::Mail, cause));
    if mail.needs_utf8 && !offered.smtputf8 {
        return refused(FailureCause::NoUtf8);
    }
    // RFC 8689 section 4.2.1.
    if mail.requiretls && !offered.requiretls {
        return refused(FailureCause::NoRequireTls);
    }
    let octets = mail.content.octets();
    if let Some(octets_max) = offered.size_octets_max.filter(|max| *max > 0 && octets > *max) {
        return refused(FailureCause::TooLarge { octets, octets_max });
    }
    let body = match mail.content.kind() {
        BodyKind::SevenBit => None,
        kind => Some(kind),
    };
    Ok(Mail {
        sender: mail.sender.clone(),
        size_octets: offered.size_octets_max.map(|_| octets),
        body,
        smtputf8: mail.needs_utf8,
        requiretls: mail.requiretls,
        dsn_return: mail.dsn_return.filter(|_| offered.dsn),
        dsn_envelope_id: mail.envelope_id.clone().filter(|_| offered.dsn),
        auth: None,
        // Held mail is held here: whoever is next gets it when its time has come.
        hold: None,
        deliver_by: mail.deliver_by.filter(|_| offered.deliver_by_seconds_min.is_some()).map(|by| deliver_by(by, now)),
        priority: Some(mail.priority).filter(|priority| offered.mt_priority && *priority != 0),
    })
}

fn deliver_by((time, return_when_late): (Timestamp, bool), now: Timestamp) -> DeliverBy {
    // RFC 2852 section 4: nine digits.
    let seconds = (time.seconds() - now.seconds()).clamp(-999_999_999, 999_999_999);
    let mode = if return_when_late { DeliverByMode::Return } else { DeliverByMode::Notify };
    DeliverBy { seconds: i32::try_from(seconds).unwrap_or_default(), mode, trace: false }
}

pub(super) fn recipients(mail: &Outgoing, offered: &Extensions) -> Vec<Rcpt> {
    let each = mail.recipients.iter().map(|recipient| Rcpt {
        path: ForwardPath::Mailbox(recipient.address.clone()),
        written_in_utf8: recipient.address.needs_utf8(),
        notify: Some(recipient.notify).filter(|notify| offered.dsn && *notify != Notify::default()),
        original: recipient.original.as_deref().filter(|_| offered.dsn).and_then(OriginalRecipient::parse_decoded),
    });
    each.collect()
}
