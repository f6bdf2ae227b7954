//! The IMAP services: one set of what sessions share, a driver for each listener.

use super::House;
use super::listeners::{Stage, Task};
use crate::imap::{Driver, Services};
use crate::mailbox::{MailboxError, Mailboxes, Settings};
use crate::net::{Listener, Security, serve};
use crate::types::limits::{
    IMAP_BEFORE_LOGIN_SECONDS, IMAP_COMMAND_MESSAGES_MAX, IMAP_KEEPALIVE_SECONDS, IMAP_PATIENCE_SECONDS,
    IMAP_PROGRESS_SECONDS,
};
use std::sync::Arc;
use std::time::Duration;

/// What both IMAP listeners share.
#[derive(Clone)]
pub(super) struct Imap {
    services: Arc<Services>,
}

impl Imap {
    pub(super) fn open(house: &House, managesieve_port: Option<u16>) -> Result<Self, MailboxError> {
        let limits = &house.config.limits;
        let settings = Settings { message_octets_max: limits.message_octets_max, ..Settings::default() };
        let services = Services {
            auth: house.auth.clone(),
            mailboxes: Mailboxes::new(house.store.clone(), settings)?,
            delivery: house.delivery.clone(),
            clock: Arc::clone(house.store.clock()),
            hostname: house.config.host(),
            managesieve_port,
            messages_max: IMAP_COMMAND_MESSAGES_MAX,
            patience: Duration::from_secs(IMAP_PATIENCE_SECONDS),
            progress: Duration::from_secs(IMAP_PROGRESS_SECONDS),
            keepalive: Duration::from_secs(IMAP_KEEPALIVE_SECONDS),
            idle: Duration::from_secs(limits.imap_idle_seconds),
        };
        Ok(Self { services: Arc::new(services) })
    }
}

/// With STARTTLS.
pub(super) fn imap(stage: &Stage, listener: Listener) -> Task {
    start(stage, listener, "imap", Security::Plain)
}

/// TLS from the first octet.
pub(super) fn imaps(stage: &Stage, listener: Listener) -> Task {
    start(stage, listener, "imaps", Security::Tls(stage.tls.clone()))
}

fn start(stage: &Stage, listener: Listener, name: &'static str, security: Security) -> Task {
    let tls = matches!(security, Security::Plain).then(|| stage.tls.clone());
    let refusal = b"* BYE [UNAVAILABLE] Too many connections\r\n".to_vec();
    let service = stage.net_service(name, security, IMAP_BEFORE_LOGIN_SECONDS, refusal);
    let driver = Arc::new(Driver::new(Arc::clone(&stage.imap.services), tls, name));
    Box::pin(serve(listener, service, stage.shutdown.clone(), move |connection| {
        let driver = Arc::clone(&driver);
        async move { driver.run(connection).await }
    }))
}
