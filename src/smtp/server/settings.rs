//! What a service is: its place in the mail system, what it offers, where it stops.

use crate::smtp::proto::{Extensions, FutureRelease, LineEnds, Mechanisms, RecipientLimits};
use crate::types::limits::{
    MESSAGE_OCTETS_MAX, SMTP_COMMANDS_IDLE_MAX, SMTP_ERRORS_MAX, SMTP_LOGIN_FAILURES_MAX, SMTP_RECIPIENTS_MAX,
    SMTP_RECIPIENTS_REFUSED_MAX,
};
use crate::types::{Address, Clock, Domain};
use std::sync::Arc;

/// The four ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Port 25: everybody's mail for us.
    Mx,
    /// Port 587: our users' mail, after STARTTLS and AUTH (RFC 6409).
    Submission,
    /// Port 465: the same, in TLS from the first octet (RFC 8314 section 3.3).
    Submissions,
    /// RFC 2033: a neighbour hands over mail, and gets an answer per recipient.
    Lmtp,
}

impl Kind {
    /// For the log and the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mx => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
        }
    }

    pub fn is_lmtp(self) -> bool {
        self == Self::Lmtp
    }

    /// Only those who log in may send.
    pub fn needs_login(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// At the MX a message with bare line ends is refused: it is an attempt at smuggling, or comes from a program that
    /// others refuse too. Our own users and neighbours are helped instead, by making line ends of them: safe, since
    /// whatever we send on is stuffed again by what it holds then.
    pub(super) fn line_ends(self) -> LineEnds {
        match self {
            Self::Mx => LineEnds::Kept,
            Self::Submission | Self::Submissions | Self::Lmtp => LineEnds::Normalised,
        }
    }
}

/// One service's settings, shared by its sessions.
pub struct Settings {
    pub kind: Kind,
    /// In the greeting and in the reply to EHLO.
    pub hostname: Domain,
    /// Whom `RCPT TO:<postmaster>` means (RFC 5321 section 4.5.1).
    pub postmaster: Address,
    pub offered: Offered,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
}

/// What the service offers beside what the session does by itself (PIPELINING, ENHANCEDSTATUSCODES, 8BITMIME, CHUNKING,
/// SIZE, LIMITS). Each stands for work done elsewhere, so the assembly switches on what it has joined up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Offered {
    /// A certificate is there, and the listener can upgrade.
    pub starttls: bool,
    /// Binary messages are stored as they are, and converted for peers that lack it.
    pub binary_mime: bool,
    pub smtputf8: bool,
    pub dsn: bool,
    pub requiretls: bool,
    /// Seconds a message may be held; for submission only (RFC 4865 section 1).
    pub hold_seconds_max: Option<u32>,
    pub deliver_by_seconds_min: Option<u32>,
    pub mt_priority: bool,
}

impl Offered {
    /// Everything, for the tests of what the session makes of it.
    #[cfg(test)]
    pub(super) const EVERYTHING: Self = Self {
        starttls: true,
        binary_mime: true,
        smtputf8: true,
        dsn: true,
        requiretls: true,
        hold_seconds_max: Some(86_400),
        deliver_by_seconds_min: Some(60),
        mt_priority: true,
    };
}

/// Where a session stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub message_octets_max: u64,
    pub recipients_max: usize,
    pub errors_max: u32,
    pub recipients_refused_max: u32,
    pub commands_idle_max: u32,
    pub login_failures_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_octets_max: MESSAGE_OCTETS_MAX,
            recipients_max: SMTP_RECIPIENTS_MAX,
            errors_max: SMTP_ERRORS_MAX,
            recipients_refused_max: SMTP_RECIPIENTS_REFUSED_MAX,
            commands_idle_max: SMTP_COMMANDS_IDLE_MAX,
            login_failures_max: SMTP_LOGIN_FAILURES_MAX,
        }
    }
}

/// What the connection is at the moment; it changes once, with STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Link {
    pub encrypted: bool,
    /// Ways to log in that may be used over it: none without TLS, but from networks that were trusted with it.
    pub mechanisms: Mechanisms,
}

impl Settings {
    /// What EHLO says over this link.
    pub(super) fn extensions(&self, link: Link) -> Extensions {
        let offered = &self.offered;
        Extensions {
            pipelining: true,
            size_octets_max: Some(self.limits.message_octets_max),
            eight_bit_mime: true,
            binary_mime: offered.binary_mime,
            chunking: true,
            smtputf8: offered.smtputf8,
            enhanced_status_codes: true,
            dsn: offered.dsn,
            starttls: offered.starttls && !link.encrypted,
            auth: if self.kind.needs_login() { link.mechanisms } else { Mechanisms::default() },
            // RFC 8689 section 2: only said over TLS.
            requiretls: offered.requiretls && link.encrypted,
            limits: RecipientLimits {
                rcpt_max: u32::try_from(self.limits.recipients_max).ok(),
                ..RecipientLimits::default()
            },
            future_release: offered.hold_seconds_max.filter(|_| self.kind.needs_login()).map(|seconds_max| {
                FutureRelease { seconds_max, until_max: self.clock.now().plus_seconds(i64::from(seconds_max)) }
            }),
            deliver_by_seconds_min: offered.deliver_by_seconds_min,
            mt_priority: offered.mt_priority,
        }
    }
}
