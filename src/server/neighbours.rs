//! Calls other servers on an administrator's behalf. What it takes is made when somebody asks: most commands ask nobody.

use super::queue::demand;
use super::resolver::resolver;
use crate::admin::{Asked, Neighbours};
use crate::config::Config;
use crate::net::{Shutdown, TlsClient};
use crate::queue::{TlsDemand, ask};
use crate::smtp::client::{Client, ClientSettings, Patience};
use crate::types::limits::NEIGHBOUR_SECONDS;
use crate::types::{Address, Clock, HostPort};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Callers {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
}

impl Callers {
    pub(super) fn new(config: Arc<Config>, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock }
    }

    async fn call(&self, server: HostPort, recipients: Vec<Address>) -> Asked {
        let limit = Duration::from_secs(NEIGHBOUR_SECONDS);
        let patience = Patience { connect: limit, greeting: limit, command: limit, ..Patience::default() };
        let client = Client::new(ClientSettings {
            hostname: self.config.host(),
            patience,
            unverified: TlsClient::unverified().map_err(|error| error.to_string())?,
            verified: TlsClient::verified().map_err(|error| error.to_string())?,
            https_port: 443,
            shutdown: Shutdown::new(),
            clock: Arc::clone(&self.clock),
        });
        let resolver = resolver(&self.config).map_err(|error| error.to_string())?;
        let outbound = &self.config.outbound;
        let tls = demand(outbound.split_tls).unwrap_or(TlsDemand::IfOffered);
        ask(&client, &resolver, &server, outbound.port, &tls, &recipients).await
    }
}

impl Neighbours for Callers {
    fn ask(&self, server: HostPort, recipients: Vec<Address>) -> Pin<Box<dyn Future<Output = Asked> + Send + '_>> {
        Box::pin(self.call(server, recipients))
    }
}
