//! MAIL and RCPT with the parameters of all extensions we speak, read and written.

use super::command::CommandError;
use super::path::{self, ForwardPath};
use super::xtext;
use crate::types::{Address, BodyKind, DsnReturn, Notify, Timestamp};
use std::fmt;

/// `MAIL FROM:`. A parameter that was absent is `None`, so that the session can tell what it did not offer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mail {
    /// `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// RFC 1870. A number too large to count is as large as we can count: too large in any case.
    pub size_octets: Option<u64>,
    pub body: Option<BodyKind>,
    pub smtputf8: bool,
    pub requiretls: bool,
    pub dsn_return: Option<DsnReturn>,
    /// Decoded.
    pub dsn_envelope_id: Option<String>,
    pub auth: Option<MailAuth>,
    pub hold: Option<Hold>,
    pub deliver_by: Option<DeliverBy>,
    pub priority: Option<i8>,
}

/// RFC 4954 section 5: who submitted the message first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailAuth {
    /// `<>`: nobody the client would vouch for.
    Unknown,
    Mailbox(Address),
}

/// RFC 4865.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    ForSeconds(u32),
    Until(Timestamp),
}

/// RFC 2852 section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverBy {
    /// May be negative with `Notify` only: then the time is past already, and the sender wants to know.
    pub seconds: i32,
    pub mode: DeliverByMode,
    pub trace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverByMode {
    /// Give the message back when it is late.
    Return,
    /// Say so when it is late, and go on.
    Notify,
}

/// `RCPT TO:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    pub path: ForwardPath,
    /// The path was written with UTF-8, be it in the local part or as U-labels: needs a transaction with SMTPUTF8
    /// (RFC 6531 section 3.4).
    pub written_in_utf8: bool,
    pub notify: Option<Notify>,
    pub original: Option<OriginalRecipient>,
}

/// ORCPT (RFC 3461 section 4.2, RFC 6533 section 3): `type;address`, decoded, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalRecipient(String);

impl OriginalRecipient {
    /// From the decoded form, as [`crate::types::Recipient`] keeps it.
    pub fn parse_decoded(text: &str) -> Option<Self> {
        let (kind, address) = text.split_once(';')?;
        let is_type = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_utf8 = kind.eq_ignore_ascii_case("utf-8");
        let is_address =
            !address.is_empty() && !address.chars().any(char::is_control) && (is_utf8 || address.is_ascii());
        (is_type && is_address).then(|| Self(format!("{};{address}", kind.to_ascii_lowercase())))
    }

    /// From the parameter's value.
    fn parse(value: &str) -> Option<Self> {
        let (kind, written) = value.split_once(';')?;
        let address = if kind.eq_ignore_ascii_case("utf-8") {
            xtext::decode_utf8_address(written)?
        } else {
            xtext::decode(written)?
        };
        Self::parse_decoded(&format!("{kind};{address}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, address) = self.0.split_once(';').unwrap_or_default();
        let written = if kind == "utf-8" { xtext::encode_utf8_address(address) } else { xtext::encode(address) };
        write!(formatter, "{kind};{written}")
    }
}

/// `FROM:<path> parameters`, the verb cut off.
pub(super) fn parse_mail(arguments: &str) -> Result<Mail, CommandError> {
    let (inside, parameters) = split_path(arguments, "FROM:")?;
    let mut mail = Mail { sender: path::reverse(inside).map_err(CommandError::Sender)?, ..Mail::default() };
    for (keyword, value) in each_parameter(parameters) {
        mail_parameter(&mut mail, keyword, value)?;
    }
    // RFC 6531 section 3.4: an address in UTF-8 needs the parameter, which may stand behind it.
    if !inside.is_ascii() && !mail.smtputf8 {
        return Err(CommandError::NeedsSmtpUtf8);
    }
    Ok(mail)
}

/// `TO:<path> parameters`.
pub(super) fn parse_rcpt(arguments: &str) -> Result<Rcpt, CommandError> {
    let (inside, parameters) = split_path(arguments, "TO:")?;
    let path = path::forward(inside).map_err(CommandError::Recipient)?;
    let mut rcpt = Rcpt { path, written_in_utf8: !inside.is_ascii(), notify: None, original: None };
    for (keyword, value) in each_parameter(parameters) {
        if keyword.eq_ignore_ascii_case("NOTIFY") {
            set(&mut rcpt.notify, "NOTIFY", value.and_then(notify))?;
        } else if keyword.eq_ignore_ascii_case("ORCPT") {
            // RFC 3461 section 4.2.
            let bounded = value.filter(|value| value.len() <= crate::types::limits::ORCPT_OCTETS_MAX);
            set(&mut rcpt.original, "ORCPT", bounded.and_then(OriginalRecipient::parse))?;
        } else {
            return Err(CommandError::UnknownParameter);
        }
    }
    Ok(rcpt)
}

/// Spaces after the colon are no RFC 5321, but so many programs write them that refusing would only lose mail.
fn split_path<'a>(arguments: &'a str, tag: &str) -> Result<(&'a str, &'a str), CommandError> {
    let tagged = arguments.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    if !tagged {
        return Err(CommandError::Syntax);
    }
    let (inside, after) =
        path::bracketed(arguments[tag.len()..].trim_start_matches(' ')).ok_or(CommandError::Syntax)?;
    if !after.is_empty() && !after.starts_with(' ') {
        return Err(CommandError::Syntax);
    }
    Ok((inside, after))
}

fn each_parameter(parameters: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    parameters.split(' ').filter(|parameter| !parameter.is_empty()).map(|parameter| match parameter.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (parameter, None),
    })
}

fn mail_parameter(mail: &mut Mail, keyword: &str, value: Option<&str>) -> Result<(), CommandError> {
    match keyword.to_ascii_uppercase().as_str() {
        "SIZE" => set(&mut mail.size_octets, "SIZE", value.and_then(size)),
        "BODY" => set(&mut mail.body, "BODY", value.and_then(body)),
        "SMTPUTF8" => flag(&mut mail.smtputf8, "SMTPUTF8", value),
        "REQUIRETLS" => flag(&mut mail.requiretls, "REQUIRETLS", value),
        "RET" => set(&mut mail.dsn_return, "RET", value.and_then(dsn_return)),
        "ENVID" => set(&mut mail.dsn_envelope_id, "ENVID", value.and_then(envelope_id)),
        "AUTH" => set(&mut mail.auth, "AUTH", value.and_then(mail_auth)),
        "HOLDFOR" => set(&mut mail.hold, "HOLDFOR", value.and_then(hold_for)),
        "HOLDUNTIL" => set(&mut mail.hold, "HOLDUNTIL", value.and_then(hold_until)),
        "BY" => set(&mut mail.deliver_by, "BY", value.and_then(deliver_by)),
        "MT-PRIORITY" => set(&mut mail.priority, "MT-PRIORITY", value.and_then(priority)),
        _ => Err(CommandError::UnknownParameter),
    }
}

/// RFC 5321 section 4.1.1.11 has each parameter at most once; HOLDFOR and HOLDUNTIL exclude one another (RFC 4865 section 3).
fn set<T>(slot: &mut Option<T>, keyword: &'static str, value: Option<T>) -> Result<(), CommandError> {
    if slot.is_some() {
        return Err(CommandError::RepeatedParameter(keyword));
    }
    *slot = Some(value.ok_or(CommandError::Parameter(keyword))?);
    Ok(())
}

fn flag(slot: &mut bool, keyword: &'static str, value: Option<&str>) -> Result<(), CommandError> {
    match value {
        _ if *slot => Err(CommandError::RepeatedParameter(keyword)),
        Some(_) => Err(CommandError::Parameter(keyword)),
        None => {
            *slot = true;
            Ok(())
        }
    }
}

pub(super) fn digits(text: &str, length_max: usize) -> Option<u64> {
    if text.is_empty() || text.len() > length_max || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// RFC 1870 section 5.
fn size(value: &str) -> Option<u64> {
    digits(value, 20)
}

fn body(value: &str) -> Option<BodyKind> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(BodyKind::SevenBit),
        "8BITMIME" => Some(BodyKind::EightBit),
        "BINARYMIME" => Some(BodyKind::Binary),
        _ => None,
    }
}

fn dsn_return(value: &str) -> Option<DsnReturn> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(DsnReturn::Full),
        "HDRS" => Some(DsnReturn::Headers),
        _ => None,
    }
}

/// RFC 3461 section 4.4: at most 100 characters as written.
fn envelope_id(value: &str) -> Option<String> {
    if value.is_empty() || value.len() > crate::types::limits::ENVID_OCTETS_MAX {
        return None;
    }
    xtext::decode(value)
}

fn mail_auth(value: &str) -> Option<MailAuth> {
    let decoded = xtext::decode(value)?;
    if decoded == "<>" {
        return Some(MailAuth::Unknown);
    }
    Address::parse(&decoded).ok().map(MailAuth::Mailbox)
}

fn hold_for(value: &str) -> Option<Hold> {
    digits(value, 9).and_then(|seconds| u32::try_from(seconds).ok()).map(Hold::ForSeconds)
}

/// RFC 4865 section 3 with erratum 2040: RFC 3339 section 5.6.
fn hold_until(value: &str) -> Option<Hold> {
    let time: jiff::Timestamp = value.parse().ok()?;
    Some(Hold::Until(Timestamp::from_seconds(time.as_second())))
}

fn deliver_by(value: &str) -> Option<DeliverBy> {
    let (time, mode) = value.split_once(';')?;
    let (negative, number) = match time.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, time.strip_prefix('+').unwrap_or(time)),
    };
    let seconds = i32::try_from(digits(number, 9)?).ok()?;
    let seconds = if negative { -seconds } else { seconds };
    let (mode, trace) = match mode.to_ascii_uppercase().as_str() {
        "R" => (DeliverByMode::Return, false),
        "RT" => (DeliverByMode::Return, true),
        "N" => (DeliverByMode::Notify, false),
        "NT" => (DeliverByMode::Notify, true),
        _ => return None,
    };
    // RFC 2852 section 4.1.2: a time that is past can't be met, only told.
    if seconds <= 0 && mode == DeliverByMode::Return {
        return None;
    }
    Some(DeliverBy { seconds, mode, trace })
}

/// RFC 6710 section 6: no plus sign, no leading zeros, no `-0`.
fn priority(value: &str) -> Option<i8> {
    match value.as_bytes() {
        [digit @ b'0'..=b'9'] => i8::try_from(digit - b'0').ok(),
        [b'-', digit @ b'1'..=b'9'] => i8::try_from(digit - b'0').ok().map(|number| -number),
        _ => None,
    }
}

/// RFC 3461 section 4.1.
fn notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::NEVER);
    }
    let mut notify = Notify::default();
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return None,
        }
    }
    Some(notify)
}

impl fmt::Display for Mail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sender {
            Some(sender) => write!(formatter, "MAIL FROM:<{sender}>")?,
            None => formatter.write_str("MAIL FROM:<>")?,
        }
        if let Some(size) = self.size_octets {
            write!(formatter, " SIZE={size}")?;
        }
        if let Some(body) = self.body {
            formatter.write_str(match body {
                BodyKind::SevenBit => " BODY=7BIT",
                BodyKind::EightBit => " BODY=8BITMIME",
                BodyKind::Binary => " BODY=BINARYMIME",
            })?;
        }
        if self.smtputf8 {
            formatter.write_str(" SMTPUTF8")?;
        }
        if self.requiretls {
            formatter.write_str(" REQUIRETLS")?;
        }
        if let Some(dsn_return) = self.dsn_return {
            formatter.write_str(match dsn_return {
                DsnReturn::Full => " RET=FULL",
                DsnReturn::Headers => " RET=HDRS",
            })?;
        }
        if let Some(id) = &self.dsn_envelope_id {
            write!(formatter, " ENVID={}", xtext::encode(id))?;
        }
        match &self.auth {
            Some(MailAuth::Unknown) => formatter.write_str(" AUTH=<>")?,
            Some(MailAuth::Mailbox(address)) => write!(formatter, " AUTH={}", xtext::encode(&address.to_string()))?,
            None => {}
        }
        self.write_times(formatter)
    }
}

impl Mail {
    fn write_times(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hold {
            Some(Hold::ForSeconds(seconds)) => write!(formatter, " HOLDFOR={seconds}")?,
            Some(Hold::Until(time)) => write!(formatter, " HOLDUNTIL={}", time.rfc3339())?,
            None => {}
        }
        if let Some(by) = self.deliver_by {
            let mode = match by.mode {
                DeliverByMode::Return => 'R',
                DeliverByMode::Notify => 'N',
            };
            write!(formatter, " BY={};{mode}{}", by.seconds, if by.trace { "T" } else { "" })?;
        }
        if let Some(priority) = self.priority {
            write!(formatter, " MT-PRIORITY={priority}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rcpt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            ForwardPath::Mailbox(address) => write!(formatter, "RCPT TO:<{address}>")?,
            ForwardPath::Postmaster => formatter.write_str("RCPT TO:<postmaster>")?,
        }
        if let Some(notify) = self.notify {
            let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
            let wanted: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
            match wanted.as_slice() {
                // Nothing wanted is what NEVER says; the parameter has no other way to be empty.
                [] => formatter.write_str(" NOTIFY=NEVER")?,
                words => write!(formatter, " NOTIFY={}", words.join(","))?,
            }
        }
        if let Some(original) = &self.original {
            write!(formatter, " ORCPT={original}")?;
        }
        Ok(())
    }
}
