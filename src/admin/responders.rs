//! Responders: automatic answers, attached to a mailbox or free on an alias or virtual address.

use super::causes::AddressCause;
use super::change::{Decided, Done};
use super::error::{Cause, Refused};
use super::views::{self, ResponderView};
use super::{Act, Admin, Caller};
use crate::rules::window_from_local;
use crate::types::limits::RESPONDER_EVERY_SECONDS_DEFAULT;
use crate::types::{Address, Domain, Received, Responder, Switches, Window, ZoneName};
use serde::{Deserialize, Serialize};

/// Replaces the whole responder, if there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponderSet {
    pub address: Address,
    pub text: String,
    pub subject: Option<String>,
    /// In the zone's time: `2026-11-01`, or `2026-11-01T08:00`.
    pub from: Option<String>,
    /// A bare date still counts.
    pub until: Option<String>,
    /// None: the server's own.
    pub zone: Option<String>,
    pub every_seconds: Option<u32>,
    pub received: ReceivedChoice,
}

/// What becomes of a message that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceivedChoice {
    Keep,
    Drop,
    CopyTo(Address),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponderList {
    pub domain: Option<Domain>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponderShow {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponderPause {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponderResume {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponderRemove {
    pub address: Address,
}

impl Act for ResponderSet {
    const NAME: &'static str = "responder set";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let settings = admin.settings();
        let responder = self.responder()?;
        let now = admin.store().clock().now();
        let is_over = responder.window.as_ref().and_then(|window| window.until).is_some_and(|until| until <= now);
        let (_, done) = admin
            .change(caller, Self::NAME, |draft| {
                let mut switches = match draft.switches(&self.address) {
                    Some(switches) => switches.clone(),
                    None => {
                        draft.vacant(&self.address, &settings.address)?;
                        Switches::default()
                    }
                };
                if switches.responder.as_ref() != Some(&responder) {
                    switches.responder = Some(responder.clone());
                    draft.put(&self.address, switches);
                }
                let decided = Decided::about(&self.address);
                Ok(if is_over { decided.note("its time is over: it answers nobody") } else { decided })
            })
            .await?;
        Ok(done)
    }
}

impl ResponderSet {
    /// What is wrong with dates and zone is told together.
    fn responder(&self) -> Result<Responder, Refused> {
        let mut causes = Vec::new();
        let zone = match &self.zone {
            Some(name) => ZoneName::parse(name).unwrap_or_else(|error| {
                causes.push(Cause::Zone(error));
                ZoneName::utc()
            }),
            None => machine_zone(),
        };
        let window = match (self.from.as_deref(), self.until.as_deref()) {
            (None, None) => None,
            (from, until) => match window_from_local(from, until, &zone) {
                Ok(window) => Some(window),
                Err(error) => {
                    causes.push(Cause::Date(error));
                    None
                }
            },
        };
        if !causes.is_empty() {
            return Err(Refused(causes));
        }
        Ok(Responder {
            text: self.text.clone(),
            subject: self.subject.clone(),
            window: window.filter(|window: &Window| window.from.is_some() || window.until.is_some()),
            every_seconds: self.every_seconds.unwrap_or(RESPONDER_EVERY_SECONDS_DEFAULT),
            received: match &self.received {
                ReceivedChoice::Keep => Received::Keep,
                ReceivedChoice::Drop => Received::Drop,
                ReceivedChoice::CopyTo(address) => Received::CopyTo(address.clone()),
            },
            paused: false,
        })
    }
}

pub(super) fn machine_zone() -> ZoneName {
    let zone = jiff::tz::TimeZone::system();
    zone.iana_name().and_then(|name| ZoneName::parse(name).ok()).unwrap_or_else(ZoneName::utc)
}

impl Act for ResponderList {
    const NAME: &'static str = "responder list";
    type Answer = Vec<ResponderView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<ResponderView>, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let now = admin.store().clock().now();
        let records = super::in_domain(&snapshot, self.domain.as_ref())?;
        Ok(records.filter_map(|record| views::responder(record, now)).collect())
    }
}

impl Act for ResponderShow {
    const NAME: &'static str = "responder show";
    type Answer = ResponderView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<ResponderView, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let now = admin.store().clock().now();
        let found = snapshot.address(&self.address).and_then(|record| views::responder(record, now));
        found.ok_or_else(|| AddressCause::NoResponder(self.address).into())
    }
}

impl Act for ResponderPause {
    const NAME: &'static str = "responder pause";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        edit(admin, caller, Self::NAME, &self.address, |responder| {
            responder.iter_mut().for_each(|responder| responder.paused = true);
        })
        .await
    }
}

impl Act for ResponderResume {
    const NAME: &'static str = "responder resume";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        edit(admin, caller, Self::NAME, &self.address, |responder| {
            responder.iter_mut().for_each(|responder| responder.paused = false);
        })
        .await
    }
}

impl Act for ResponderRemove {
    const NAME: &'static str = "responder remove";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        edit(admin, caller, Self::NAME, &self.address, |responder| *responder = None).await
    }
}

async fn edit(
    admin: &Admin,
    caller: &Caller,
    name: &str,
    address: &Address,
    edit: fn(&mut Option<Responder>),
) -> Result<Done, Refused> {
    let (_, done) = admin
        .change(caller, name, |draft| {
            let before = draft.switches(address).cloned().unwrap_or_default();
            if before.responder.is_none() {
                return Err(AddressCause::NoResponder(address.clone()).into());
            }
            let mut switches = before.clone();
            edit(&mut switches.responder);
            if switches == before {
                return Ok(Decided::about(address).note(format!("the responder of {address} was so already")));
            }
            draft.put_or_remove(address, switches);
            Ok(Decided::about(address))
        })
        .await?;
    Ok(done)
}
