//! The SMTP services: one reception behind all of them, a driver for each listener.

use super::House;
use super::listeners::{Stage, Task};
use crate::config::Config;
use crate::dns::{Resolver, SystemResolver};
use crate::net::{Listener, Security, serve};
use crate::policy::{BlockLists, Patience, RateLimits, Rates, Verifier};
use crate::queue::{Queue, Signer};
use crate::smtp::server::{Cause, Driver, Kind, Limits, Offered, Settings, prepare_directory};
use crate::smtp::service::{Reception, postmaster};
use crate::types::limits::{DELIVER_BY_SECONDS_MIN, HOLD_SECONDS_MAX};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// In the data directory: messages that are coming in.
const SPOOL_DIRECTORY: &str = "spool";

/// What all SMTP listeners share.
#[derive(Clone)]
pub(super) struct Smtp {
    reception: Arc<Reception>,
    spool_directory: Arc<Path>,
}

impl Smtp {
    pub(super) fn open(house: &House, resolver: Arc<SystemResolver>, queue: Queue) -> io::Result<Self> {
        let spool_directory: Arc<Path> = house.config.data.join(SPOOL_DIRECTORY).into();
        prepare_directory(&spool_directory)?;
        let hostname = house.config.host();
        let lists = &house.config.mx.block_lists;
        let block_lists =
            (!lists.is_empty()).then(|| BlockLists::new(Arc::clone(&resolver) as Arc<dyn Resolver>, lists));
        let exempt = house.config.throttle.exempt_networks.clone();
        let verifier = || Verifier::new(resolver, hostname.clone(), Patience::default());
        let reception = Reception {
            verifier: house.config.mx.authenticate.then(verifier),
            block_lists,
            rates: Rates::new(Arc::clone(house.store.clock()), rate_limits(&house.config), exempt),
            hostname: hostname.clone(),
            clock: Arc::clone(house.store.clock()),
            auth: house.auth.clone(),
            directory: house.directory.clone(),
            delivery: house.delivery.clone(),
            signer: Signer::new(house.store.clone()),
            queue,
        };
        Ok(Self { reception: Arc::new(reception), spool_directory })
    }

    /// What can change while running does.
    pub(super) fn adopt(&self, config: &Config) {
        self.reception.rates.replace(rate_limits(config), config.throttle.exempt_networks.clone());
    }
}

pub(super) fn mx(stage: &Stage, listener: Listener) -> Task {
    start(stage, listener, Kind::Mx)
}

pub(super) fn submission(stage: &Stage, listener: Listener) -> Task {
    start(stage, listener, Kind::Submission)
}

pub(super) fn submissions(stage: &Stage, listener: Listener) -> Task {
    start(stage, listener, Kind::Submissions)
}

pub(super) fn lmtp(stage: &Stage, listener: Listener) -> Task {
    start(stage, listener, Kind::Lmtp)
}

fn start(stage: &Stage, listener: Listener, kind: Kind) -> Task {
    let (house, smtp) = (&stage.house, &stage.smtp);
    let settings = Settings {
        kind,
        hostname: house.config.host(),
        postmaster: postmaster(&house.config.host()),
        offered: offered(kind),
        limits: limits(&house.config),
        clock: Arc::clone(house.store.clock()),
    };
    let begins_with_tls = kind == Kind::Submissions;
    let security = if begins_with_tls { Security::Tls(stage.tls.clone()) } else { Security::Plain };
    let tls = (!begins_with_tls).then(|| stage.tls.clone());
    let driver = Driver::new(settings, Arc::new(Arc::clone(&smtp.reception)), tls, Arc::clone(&smtp.spool_directory));
    let idle_seconds = house.config.limits.smtp_idle_seconds;
    let service = stage.net_service(kind.name(), security, idle_seconds, Cause::TooManyConnections.line());
    let driver = Arc::new(driver);
    Box::pin(serve(listener, service, stage.shutdown.clone(), move |connection| {
        let driver = Arc::clone(&driver);
        async move { driver.run(connection).await }
    }))
}

/// What is joined up from one end to the other.
fn offered(kind: Kind) -> Offered {
    let is_submission = kind.needs_login();
    Offered {
        starttls: kind != Kind::Submissions,
        binary_mime: true,
        smtputf8: true,
        dsn: true,
        requiretls: true,
        // RFC 4865 section 1.
        hold_seconds_max: is_submission.then_some(HOLD_SECONDS_MAX),
        deliver_by_seconds_min: Some(DELIVER_BY_SECONDS_MIN),
        // RFC 6710 section 5: priorities that strangers give to their own mail would be worth nothing.
        mt_priority: is_submission,
    }
}

fn rate_limits(config: &Config) -> RateLimits {
    let limits = &config.limits;
    RateLimits {
        submission_messages_per_hour: limits.submission_messages_per_hour,
        submission_recipients_per_hour: limits.submission_recipients_per_hour,
        network_connections_per_minute: limits.network_connections_per_minute,
        network_messages_per_minute: limits.network_messages_per_minute,
        unknown_recipients_per_hour: limits.unknown_recipients_per_hour,
    }
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        message_octets_max: limits.message_octets_max,
        recipients_max: limits.smtp_recipients_max,
        errors_max: limits.smtp_errors_max,
        recipients_refused_max: limits.smtp_recipients_refused_max,
        commands_idle_max: limits.smtp_commands_idle_max,
        login_failures_max: limits.smtp_login_failures_max,
    }
}
