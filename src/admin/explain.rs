//! What will happen to a mail: any sender, any recipient, any time, any message. Changes nothing.

use super::error::{Cause, Refused};
use super::{Act, Admin, Caller};
use crate::delivery::{DeliveryError, Explanation, Trial, TrialSender};
use crate::rules::parse_from;
use crate::types::limits::MESSAGE_OCTETS_MAX;
use crate::types::{Address, Timestamp, ZoneName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explain {
    pub address: Address,
    /// Empty or `<>`: the null sender. None: whom the message names, or somebody for the sample.
    pub from: Option<String>,
    /// RFC 3339, or a local time of the zone: `2026-11-01T08:00`; also with its zone: `2026-11-01T08:00[Europe/Berlin]`.
    /// None: now.
    pub at: Option<String>,
    /// None: the machine's.
    pub zone: Option<String>,
    /// None: a plain sample.
    pub message: Option<Octets>,
}

/// A message's octets; base64 in JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Octets(pub Vec<u8>);

impl std::fmt::Debug for Octets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} octets", self.0.len())
    }
}

impl TryFrom<String> for Octets {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Octets> for String {
    fn from(octets: Octets) -> Self {
        STANDARD.encode(octets.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    pub address: Address,
    /// Empty: the null sender.
    pub sender: String,
    pub at: String,
    /// The same in the zone that was asked for.
    pub at_local: String,
    /// Whether the message was made up.
    pub sample: bool,
    /// What nobody looked at, and was taken for granted.
    pub assumed: Vec<String>,
    #[serde(flatten)]
    pub explanation: Explanation,
}

impl Act for Explain {
    const NAME: &'static str = "explain";
    type Answer = Explained;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Explained, Refused> {
        let Self { address, from, at, zone, message } = self;
        let mut causes = Vec::new();
        let sender = sender(from.as_deref()).unwrap_or_else(|cause| {
            causes.push(cause);
            TrialSender::Null
        });
        let now = admin.store().clock().now();
        let (at, zone) = moment(at.as_deref(), zone.as_deref(), now).unwrap_or_else(|cause| {
            causes.push(cause);
            (now, ZoneName::utc())
        });
        if let Some(Octets(octets)) = &message
            && octets.len() as u64 > MESSAGE_OCTETS_MAX
        {
            causes.push(Cause::MessageTooLong { octets: octets.len() as u64, max: MESSAGE_OCTETS_MAX });
        }
        if !causes.is_empty() {
            return Err(Refused(causes));
        }
        let sample = message.is_none();
        let trial = Trial { to: address.clone(), sender, at, message: message.map(|Octets(octets)| octets) };
        let tried = admin.delivery().try_out(trial).await.map_err(cause)?;
        Ok(Explained {
            address,
            sender: tried.sender.map(|sender| sender.to_string()).unwrap_or_default(),
            at: at.rfc3339(),
            at_local: local(at, &zone),
            sample,
            assumed: tried.assumed,
            explanation: tried.explanation,
        })
    }
}

fn cause(error: DeliveryError) -> Refused {
    match error {
        DeliveryError::Store(error) => error.into(),
        DeliveryError::Source(_) | DeliveryError::Died => Cause::TaskDied.into(),
    }
}

fn sender(written: Option<&str>) -> Result<TrialSender, Cause> {
    let Some(written) = written.map(str::trim) else { return Ok(TrialSender::OfMessage) };
    let bare = written.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(written);
    if bare.is_empty() {
        return Ok(TrialSender::Null);
    }
    let unreadable = |error| Cause::BadRequest(format!("the sender {bare}: {error}"));
    Address::parse(bare).map(TrialSender::Address).map_err(unreadable)
}

fn moment(at: Option<&str>, zone: Option<&str>, now: Timestamp) -> Result<(Timestamp, ZoneName), Cause> {
    let (at, in_brackets) = match at.and_then(|at| at.strip_suffix(']')).and_then(|at| at.split_once('[')) {
        Some((at, zone)) => (Some(at), Some(zone)),
        None => (at, None),
    };
    let zone = match in_brackets.or(zone) {
        Some(name) => ZoneName::parse(name).map_err(Cause::Zone)?,
        None => super::responders::machine_zone(),
    };
    let Some(at) = at else { return Ok((now, zone)) };
    let at = parse_from(at, &zone).map_err(Cause::Date)?;
    Ok((at, zone))
}

/// `2026-11-01 08:00:00 Europe/Berlin`.
fn local(at: Timestamp, zone: &ZoneName) -> String {
    match jiff::Timestamp::from_second(at.seconds()) {
        Ok(time) => format!("{} {zone}", time.to_zoned(zone.rules()).datetime().strftime("%F %T")),
        Err(_) => at.rfc3339(),
    }
}
