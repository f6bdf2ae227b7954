//! One attempt to reach a destination: its servers one after the other, until one lets us in.

use super::Shared;
use super::pool::Link;
use super::route::{Demand, Stop};
use super::transport::{FailureCause, Peer, Stage, TlsDemand};
use super::verdict::{Setback, Status};
use crate::types::limits::MX_ADDRESSES_TRIED_MAX;
use std::collections::VecDeque;

pub(super) struct Attempt<'q> {
    shared: &'q Shared,
    demand: Demand,
    stops: VecDeque<Stop>,
    peers: VecDeque<Peer>,
    tried: usize,
    worst: Option<Setback>,
    /// What should be known of the way besides: a handshake that failed and did not matter.
    pub(super) notes: Vec<String>,
}

impl<'q> Attempt<'q> {
    pub(super) async fn begin(
        shared: &'q Shared,
        destination: &str,
        is_next_hop: bool,
        demand: Demand,
    ) -> Result<Self, Setback> {
        let route = shared.router.route(destination, is_next_hop, demand).await?;
        let notes = route.unnamed.iter().map(|host| format!("{host} is not named by the domain's policy")).collect();
        let stops = route.stops.into();
        Ok(Self { shared, demand, stops, peers: VecDeque::new(), tried: 0, worst: None, notes })
    }

    /// The next server that lets us in; `None`: there is no other.
    pub(super) async fn next(&mut self) -> Option<Link> {
        while self.tried < MX_ADDRESSES_TRIED_MAX {
            let peer = self.next_peer().await?;
            if let Some(link) = self.shared.pool.take(&peer) {
                // It may have been closed meanwhile, which says nothing about the server: that is still to be tried.
                self.peers.push_front(peer);
                return Some(link);
            }
            self.tried += 1;
            match self.shared.transport.open(&peer).await {
                Ok(session) => return Some(Link { peer, session, carried: 0 }),
                Err(failure) => {
                    let host = peer.name.to_string();
                    tracing::info!(%host, address = %peer.address, %failure, "a server does not let us in");
                    if failure.stage == Stage::Tls || matches!(failure.cause, FailureCause::Tls(_)) {
                        self.notes.push(format!("{host}: {failure}"));
                        // RFC 7435 section 3: better in the clear than not at all, where nobody asked for more.
                        if peer.tls == TlsDemand::IfOffered {
                            self.peers.push_front(Peer { tls: TlsDemand::Never, ..peer });
                            continue;
                        }
                    }
                    self.fail(Setback::at_host(&failure, &host));
                }
            }
        }
        None
    }

    /// This server is asked once more, as the next.
    pub(super) fn again(&mut self, peer: Peer) {
        self.peers.push_front(peer);
    }

    async fn next_peer(&mut self) -> Option<Peer> {
        loop {
            if let Some(peer) = self.peers.pop_front() {
                return Some(peer);
            }
            let stop = self.stops.pop_front()?;
            match self.shared.router.peers(&stop, self.demand).await {
                Ok(peers) => self.peers = peers.into(),
                Err(setback) => self.fail(setback),
            }
        }
    }

    /// What is for now outweighs what is for good, and a server's own words those of ours.
    pub(super) fn fail(&mut self, setback: Setback) {
        let weight = |setback: &Setback| (!setback.is_permanent(), setback.diagnostic.is_some());
        if self.worst.as_ref().is_none_or(|worst| weight(worst) < weight(&setback)) {
            self.worst = Some(setback);
        }
    }

    pub(super) fn setback(&self) -> Setback {
        self.worst
            .clone()
            .unwrap_or_else(|| Setback::of_ours(Status(4, 4, 1), "no server of the domain could be reached"))
    }
}
