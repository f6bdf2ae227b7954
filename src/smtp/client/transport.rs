//! The queue's way out: connections to the peers it names.

use super::drive::Drive;
use super::policy_fetch;
use super::settings::ClientSettings;
use crate::net::{Connection, NetError, Pin, Timeouts, TlsClient};
use crate::queue::{Failure, FailureCause, Peer, Pending, Session, Stage, TlsDemand, Transport};
use crate::types::Domain;
use std::net::IpAddr;

/// Cloning shares the certificates.
#[derive(Clone)]
pub struct Client(ClientSettings);

impl Client {
    pub fn new(settings: ClientSettings) -> Self {
        Self(settings)
    }

    async fn connect(&self, peer: &Peer) -> Result<Box<dyn Session>, Failure> {
        let tls = self.tls(&peer.tls)?;
        let patience = &self.0.patience;
        let timeouts = Timeouts {
            idle: patience.greeting,
            write: patience.command,
            handshake: patience.handshake,
            octets_per_second_min: patience.octets_per_second_min,
        };
        let dialled = Connection::dial(peer.address, patience.connect, timeouts, &self.0.shutdown).await;
        let connection = dialled.map_err(|error| {
            let why = match error {
                NetError::Io(error) => error.to_string(),
                other => other.to_string(),
            };
            Failure::new(Stage::Connect, FailureCause::Unreachable(why))
        })?;
        tracing::debug!(session = %connection.id(), server = %peer.name, address = %peer.address, "connected");
        Ok(Box::new(Drive::open(&self.0, connection, peer, tls).await?))
    }

    fn tls(&self, demand: &TlsDemand) -> Result<Option<TlsClient>, Failure> {
        let failed = |why: String| Failure::new(Stage::Tls, FailureCause::Tls(why));
        Ok(match demand {
            TlsDemand::Never => None,
            TlsDemand::IfOffered | TlsDemand::Encrypted => Some(self.0.unverified.clone()),
            TlsDemand::Verified | TlsDemand::FromTheStart => Some(self.0.verified.clone()),
            TlsDemand::Pinned(records) => {
                let pins: Vec<Pin> = records
                    .iter()
                    .map(|record| Pin {
                        usage: record.usage,
                        selector: record.selector,
                        matching: record.matching,
                        data: record.data.clone(),
                    })
                    .collect();
                let client = TlsClient::pinned(&pins).ok_or_else(|| failed("no usable TLSA record".to_owned()))?;
                Some(client.map_err(|error| failed(error.to_string()))?)
            }
        })
    }
}

impl Transport for Client {
    fn open<'a>(&'a self, peer: &'a Peer) -> Pending<'a, Result<Box<dyn Session>, Failure>> {
        Box::pin(self.connect(peer))
    }

    fn published_policy<'a>(
        &'a self,
        host: &'a Domain,
        addresses: &'a [IpAddr],
    ) -> Pending<'a, Result<String, String>> {
        Box::pin(policy_fetch::fetch(&self.0, host, addresses))
    }
}
