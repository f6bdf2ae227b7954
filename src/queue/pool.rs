//! Open connections that wait for another message.

use super::transport::{Peer, Session};
use crate::types::limits::{QUEUE_IDLE_CONNECTIONS_MAX, QUEUE_IDLE_SECONDS, QUEUE_MESSAGES_PER_CONNECTION_MAX};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A session with whom it is.
pub(super) struct Link {
    pub(super) peer: Peer,
    pub(super) session: Box<dyn Session>,
    /// Messages so far.
    pub(super) carried: u32,
}

#[derive(Default)]
pub(super) struct Pool(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    links: Vec<(u64, Link)>,
    numbered: u64,
    closed: bool,
}

impl Pool {
    /// One that is open to this peer already.
    pub(super) fn take(&self, peer: &Peer) -> Option<Link> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The latest one: the peer is least likely to have grown tired of it.
        let place = idle.links.iter().rposition(|(_, link)| link.peer == *peer)?;
        Some(idle.links.remove(place).1)
    }

    /// Keeps it for a while; closes it then, or at once where it has done enough.
    pub(super) fn park(self: &Arc<Self>, link: Link) {
        if let Some(refused) = self.keep(link) {
            tokio::spawn(refused.session.close());
        }
    }

    fn keep(self: &Arc<Self>, link: Link) -> Option<Link> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_spent = link.carried >= QUEUE_MESSAGES_PER_CONNECTION_MAX;
        if idle.closed || is_spent || idle.links.len() >= QUEUE_IDLE_CONNECTIONS_MAX {
            return Some(link);
        }
        idle.numbered += 1;
        let number = idle.numbered;
        idle.links.push((number, link));
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(QUEUE_IDLE_SECONDS)).await;
            if let Some(link) = pool.remove(number) {
                link.session.close().await;
            }
        });
        None
    }

    fn remove(&self, number: u64) -> Option<Link> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.links.iter().position(|(known, _)| *known == number)?;
        Some(idle.links.remove(place).1)
    }

    /// Says goodbye on all of them, and on those that come later.
    pub(super) async fn close(&self) {
        let links = {
            let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            idle.closed = true;
            std::mem::take(&mut idle.links)
        };
        let mut closing: tokio::task::JoinSet<()> = links.into_iter().map(|(_, link)| link.session.close()).collect();
        while closing.join_next().await.is_some() {}
    }
}
