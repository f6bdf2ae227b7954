//! The keywords of EHLO, as one set of facts for both sides.

use super::mail::digits;
use super::reply::Reply;
use crate::auth::Mechanism;
use crate::types::Timestamp;
use std::io::Write;

/// What a server offers. As a client reads it; and as our server says it, which offers only what works end to end.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Extensions {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 1870. `Some(0)`: there is a limit, and it is not said.
    pub size_octets_max: Option<u64>,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 3030; BINARYMIME is of no use without CHUNKING.
    pub binary_mime: bool,
    pub chunking: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 4954.
    pub auth: Mechanisms,
    /// RFC 8689.
    pub requiretls: bool,
    /// RFC 9422.
    pub limits: RecipientLimits,
    /// RFC 4865.
    pub future_release: Option<FutureRelease>,
    /// RFC 2852: the shortest time in seconds; 0 says none.
    pub deliver_by_seconds_min: Option<u32>,
    /// RFC 6710. Profiles are ignored: all we do with a priority is to order our queue.
    pub mt_priority: bool,
}

/// RFC 9422 section 3. `None`: not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RecipientLimits {
    /// Messages in one session.
    pub mail_max: Option<u32>,
    /// Recipients of one message.
    pub rcpt_max: Option<u32>,
    /// Different domains among the recipients of one message.
    pub rcpt_domain_max: Option<u32>,
}

/// How far into the future a message may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FutureRelease {
    pub seconds_max: u32,
    pub until_max: Timestamp,
}

/// A set of SASL mechanisms we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mechanisms(u8);

impl Mechanisms {
    pub const NONE: Self = Self(0);

    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & bit(mechanism) != 0
    }

    #[must_use]
    pub fn with(self, mechanism: Mechanism) -> Self {
        Self(self.0 | bit(mechanism))
    }

    #[must_use]
    pub fn without(self, mechanism: Mechanism) -> Self {
        Self(self.0 & !bit(mechanism))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Strongest first.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL.into_iter().filter(move |mechanism| self.contains(*mechanism))
    }
}

fn bit(mechanism: Mechanism) -> u8 {
    1 << mechanism as u8
}

impl FromIterator<Mechanism> for Mechanisms {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(mechanisms: I) -> Self {
        mechanisms.into_iter().fold(Self::default(), Self::with)
    }
}

impl Extensions {
    /// From the reply to EHLO or LHLO. Unknown keywords and malformed values count as not offered.
    pub fn parse(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines.iter().skip(1) {
            // `AUTH=PLAIN LOGIN` is how some said it before RFC 2554.
            let (keyword, parameters) = line.split_once([' ', '=']).unwrap_or((line, ""));
            extensions.add(&keyword.to_ascii_uppercase(), parameters.trim());
        }
        extensions
    }

    fn add(&mut self, keyword: &str, parameters: &str) {
        match keyword {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => self.size_octets_max = Some(digits(parameters, 20).unwrap_or(0)),
            "8BITMIME" => self.eight_bit_mime = true,
            "BINARYMIME" => self.binary_mime = true,
            "CHUNKING" => self.chunking = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.starttls = true,
            "REQUIRETLS" => self.requiretls = true,
            "MT-PRIORITY" => self.mt_priority = true,
            "AUTH" => {
                let named = parameters.split(' ').filter_map(Mechanism::from_name);
                self.auth = named.fold(self.auth, Mechanisms::with);
            }
            "LIMITS" => self.limits.add(parameters),
            "FUTURERELEASE" => self.future_release = future_release(parameters),
            "DELIVERBY" => self.deliver_by_seconds_min = Some(number(parameters).unwrap_or(0)),
            _ => {}
        }
    }

    /// Appends the whole reply to EHLO or LHLO.
    pub fn write(&self, out: &mut Vec<u8>, hostname: &str) {
        let mut lines = Lines { last: out.len(), out };
        lines.line(format_args!("{hostname}"));
        let plain = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.chunking, "CHUNKING"),
            (self.binary_mime, "BINARYMIME"),
            (self.smtputf8, "SMTPUTF8"),
            (self.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.dsn, "DSN"),
            (self.starttls, "STARTTLS"),
            (self.requiretls, "REQUIRETLS"),
            (self.mt_priority, "MT-PRIORITY"),
        ];
        for (_, keyword) in plain.iter().filter(|(offered, _)| *offered) {
            lines.line(format_args!("{keyword}"));
        }
        if let Some(octets) = self.size_octets_max {
            lines.line(format_args!("SIZE {octets}"));
        }
        if !self.auth.is_empty() {
            let names: Vec<&str> = self.auth.iter().map(Mechanism::name).collect();
            lines.line(format_args!("AUTH {}", names.join(" ")));
        }
        let limits: String = self.limits.each().filter_map(|(name, n)| n.map(|n| format!(" {name}={n}"))).collect();
        if !limits.is_empty() {
            lines.line(format_args!("LIMITS{limits}"));
        }
        if let Some(FutureRelease { seconds_max, until_max }) = self.future_release {
            lines.line(format_args!("FUTURERELEASE {seconds_max} {}", until_max.rfc3339()));
        }
        match self.deliver_by_seconds_min {
            None => {}
            Some(0) => lines.line(format_args!("DELIVERBY")),
            Some(seconds) => lines.line(format_args!("DELIVERBY {seconds}")),
        }
        lines.end();
    }
}

impl RecipientLimits {
    fn each(self) -> impl Iterator<Item = (&'static str, Option<u32>)> {
        [("MAILMAX", self.mail_max), ("RCPTMAX", self.rcpt_max), ("RCPTDOMAINMAX", self.rcpt_domain_max)].into_iter()
    }

    fn add(&mut self, parameters: &str) {
        for (name, value) in parameters.split(' ').filter_map(|parameter| parameter.split_once('=')) {
            let value = number(value);
            match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => self.mail_max = value,
                "RCPTMAX" => self.rcpt_max = value,
                "RCPTDOMAINMAX" => self.rcpt_domain_max = value,
                _ => {}
            }
        }
    }
}

fn number(text: &str) -> Option<u32> {
    digits(text, 9).and_then(|number| u32::try_from(number).ok())
}

fn future_release(parameters: &str) -> Option<FutureRelease> {
    let (seconds, until) = parameters.split_once(' ')?;
    let until: jiff::Timestamp = until.trim().parse().ok()?;
    Some(FutureRelease { seconds_max: number(seconds)?, until_max: Timestamp::from_seconds(until.as_second()) })
}

/// Lines of a 250 reply, of which nobody knows before the end which is the last.
struct Lines<'a> {
    out: &'a mut Vec<u8>,
    last: usize,
}

impl Lines<'_> {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        self.last = self.out.len();
        // Writing to a vector can't fail.
        let _ = write!(self.out, "250-{text}\r\n");
    }

    fn end(self) {
        if let Some(separator) = self.out.get_mut(self.last + 3) {
            *separator = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::proto::ReplyParser;

    fn read(text: &str) -> Extensions {
        let mut parser = ReplyParser::default();
        let replies: Vec<Reply> =
            text.split_terminator("\r\n").filter_map(|line| parser.line(line.as_bytes()).expect("a reply")).collect();
        Extensions::parse(&replies[0])
    }

    #[test]
    fn what_is_said_is_read_back() {
        let check = |extensions: &Extensions, expected: &str| {
            let mut out = Vec::new();
            extensions.write(&mut out, "mail.example.org");
            let written = String::from_utf8(out).expect("ASCII");
            assert_eq!(written, expected);
            assert_eq!(&read(&written), extensions);
        };
        check(&Extensions::default(), "250 mail.example.org\r\n");
        let all = Extensions {
            pipelining: true,
            size_octets_max: Some(1000),
            eight_bit_mime: true,
            binary_mime: true,
            chunking: true,
            smtputf8: true,
            enhanced_status_codes: true,
            dsn: true,
            starttls: true,
            auth: Mechanism::ALL.into_iter().collect(),
            requiretls: true,
            limits: RecipientLimits { mail_max: None, rcpt_max: Some(100), rcpt_domain_max: Some(7) },
            future_release: Some(FutureRelease { seconds_max: 60, until_max: Timestamp::from_seconds(1_800_000_000) }),
            deliver_by_seconds_min: Some(120),
            mt_priority: true,
        };
        check(
            &all,
            "250-mail.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n\
             250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-STARTTLS\r\n250-REQUIRETLS\r\n\
             250-MT-PRIORITY\r\n250-SIZE 1000\r\n250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n\
             250-LIMITS RCPTMAX=100 RCPTDOMAINMAX=7\r\n250-FUTURERELEASE 60 2027-01-15T08:00:00Z\r\n\
             250 DELIVERBY 120\r\n",
        );
    }

    #[test]
    fn peers_say_it_in_many_ways() {
        let extensions = read(
            "250-peer pleased to meet you\r\n250-size\r\n250-AUTH=plain login\r\n250-AUTH CRAM-MD5 XOAUTH2\r\n\
             250-8bitmime\r\n250-X-SECRET\r\n250-LIMITS rcptmax=5 NEW=1 x\r\n250-FUTURERELEASE soon\r\n\
             250-DELIVERBY\r\n250-MT-PRIORITY MIXER\r\n250 HELP\r\n",
        );
        let expected = Extensions {
            size_octets_max: Some(0),
            auth: [Mechanism::Plain, Mechanism::Login].into_iter().collect(),
            eight_bit_mime: true,
            limits: RecipientLimits { rcpt_max: Some(5), ..RecipientLimits::default() },
            deliver_by_seconds_min: Some(0),
            mt_priority: true,
            ..Extensions::default()
        };
        assert_eq!(extensions, expected);
        // The first line is a greeting, whatever it looks like.
        assert_eq!(read("250 PIPELINING\r\n"), Extensions::default());
    }
}
