//! The ManageSieve service.

use super::listeners::{Stage, Task};
use crate::managesieve::{Driver, Services};
use crate::net::{Listener, Security, serve};
use crate::types::limits::MANAGESIEVE_BEFORE_LOGIN_SECONDS;
use std::sync::Arc;
use std::time::Duration;

/// With STARTTLS.
pub(super) fn managesieve(stage: &Stage, listener: Listener) -> Task {
    let services = Services {
        auth: stage.house.auth.clone(),
        admin: stage.house.admin.clone(),
        idle: Duration::from_secs(stage.house.config.limits.managesieve_idle_seconds),
    };
    let refusal = b"BYE (TRYLATER) \"Too many connections\"\r\n".to_vec();
    let service = stage.net_service("managesieve", Security::Plain, MANAGESIEVE_BEFORE_LOGIN_SECONDS, refusal);
    let driver = Arc::new(Driver::new(Arc::new(services), stage.tls.clone()));
    Box::pin(serve(listener, service, stage.shutdown.clone(), move |connection| {
        let driver = Arc::clone(&driver);
        async move { driver.run(connection).await }
    }))
}
