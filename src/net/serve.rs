//! The accept loop: from a listener to sessions, and to their end when the server stops.

use super::caps::{Caps, Permit, Refused};
use super::connection::{Connection, Facts, Peer};
use super::listener::{ListenSocket, Listener};
use super::proxy;
use super::rate::Timeouts;
use super::shutdown::Shutdown;
use super::tls::TlsServer;
use super::transport::Transport;
use crate::telemetry::{Counter, Gauge, Metrics, SessionId};
use crate::types::Networks;
use crate::types::limits::PROXY_HEADER_SECONDS;
use nix::errno::Errno;
use socket2::SockRef;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::Instrument;

/// What a listener's sessions share.
#[derive(Clone)]
pub struct Service {
    /// For the log and the metrics.
    pub name: &'static str,
    pub security: Security,
    pub caps: Caps,
    /// Networks whose connections begin with a PROXY header.
    pub proxies: Networks,
    pub timeouts: Timeouts,
    /// What a connection above the caps is told, if anything can be told in plain text.
    pub refusal: Vec<u8>,
    /// How long sessions may go on after the shutdown was requested.
    pub grace: Duration,
    pub metrics: Metrics,
}

#[derive(Clone)]
pub enum Security {
    /// The session may go over to TLS itself.
    Plain,
    /// TLS from the first octet.
    Tls(TlsServer),
}

/// Takes connections until `shutdown` is requested, then lets the sessions end, then ends them. A panic in `handler` ends
/// the session it happened in and is logged.
pub async fn serve<H, F>(listener: Listener, service: Service, shutdown: Shutdown, handler: H)
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let grace = service.grace;
    let numbers = Numbers::new(&service);
    let shared = Arc::new(Shared { service, shutdown: shutdown.clone(), handler, numbers });
    let mut sessions = Sessions::default();
    let mut stop = std::pin::pin!(shutdown.requested());
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = sessions.ended(), if !sessions.tasks.is_empty() => {}
            accepted = accept(&listener.socket) => match accepted {
                Ok(accepted) => sessions.begin(&shared, accepted),
                Err(error) => if let Some(pause) = pause_after(&error) {
                    tracing::warn!(service = shared.service.name, %error, "no connection can be taken for now");
                    sleep(pause).await;
                }
            }
        }
    }
    drop(listener);
    sessions.finish(shared.service.name, grace).await;
}

struct Shared<H> {
    service: Service,
    shutdown: Shutdown,
    handler: H,
    numbers: Numbers,
}

struct Numbers {
    begun: Arc<Counter>,
    refused: Arc<Counter>,
    open: Arc<Gauge>,
}

impl Numbers {
    fn new(service: &Service) -> Self {
        let labels = [("service", service.name)];
        let metrics = &service.metrics;
        Self {
            begun: metrics.counter("posthouse_sessions_total", "Sessions begun.", &labels),
            refused: metrics.counter("posthouse_connections_refused_total", "Connections above the caps.", &labels),
            open: metrics.gauge("posthouse_sessions_open", "Sessions open now.", &labels),
        }
    }
}

struct Accepted {
    transport: Transport,
    peer: Peer,
    local: Option<SocketAddr>,
}

async fn accept(socket: &ListenSocket) -> io::Result<Accepted> {
    match socket {
        ListenSocket::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            // Replies are whole writes; waiting for more of them would only cost the peer time.
            stream.set_nodelay(true)?;
            let local = stream.local_addr().ok();
            Ok(Accepted { transport: Transport::Tcp(stream), peer: Peer::Ip(address), local })
        }
        ListenSocket::Unix { listener, .. } => {
            let (stream, _) = listener.accept().await?;
            let user_id = stream.peer_cred()?.uid();
            Ok(Accepted { transport: Transport::Unix(stream), peer: Peer::Local { user_id }, local: None })
        }
    }
}

/// Some errors are about the connection that was to be accepted: it is gone, the next one may be fine. Others are about us,
/// stay for a while, and would turn the loop into a furnace.
fn pause_after(error: &io::Error) -> Option<Duration> {
    const OUT_OF_RESOURCES: [Errno; 4] = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    let errno = error.raw_os_error().map(Errno::from_raw)?;
    OUT_OF_RESOURCES.contains(&errno).then_some(Duration::from_millis(200))
}

#[derive(Default)]
struct Sessions {
    tasks: JoinSet<()>,
    ids: HashMap<Id, SessionId>,
}

impl Sessions {
    fn begin<H, F>(&mut self, shared: &Arc<Shared<H>>, accepted: Accepted)
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let service = &shared.service;
        let behind_proxy = accepted.peer.ip().is_some_and(|ip| service.proxies.contains(ip));
        let admitted = match accepted.peer.ip() {
            Some(ip) if !behind_proxy => service.caps.admit_address(ip),
            _ => service.caps.admit_anyone(),
        };
        let permit = match admitted {
            Ok(permit) => permit,
            Err(refused) => return shared.refuse(&accepted, refused),
        };
        let id = SessionId::new();
        let span = tracing::info_span!("session", session = %id, service = service.name, peer = %accepted.peer);
        let run = Arc::clone(shared).run(id, accepted, permit, behind_proxy.into());
        let task = self.tasks.spawn(run.instrument(span));
        self.ids.insert(task.id(), id);
    }

    async fn ended(&mut self) {
        if let Some(outcome) = self.tasks.join_next_with_id().await {
            self.note_end(outcome);
        }
    }

    fn note_end(&mut self, outcome: Result<(Id, ()), JoinError>) {
        let (id, failure) = match outcome {
            Ok((id, ())) => (id, None),
            Err(failure) => (failure.id(), Some(failure)),
        };
        let session = self.ids.remove(&id);
        if let (Some(session), Some(failure)) = (session, failure)
            && failure.is_panic()
        {
            // Its message was printed where it happened; outside data must never get this far.
            tracing::error!(%session, "the session ended in a panic: this is a fault of the server");
        }
    }

    async fn finish(mut self, service: &'static str, grace: Duration) {
        let draining = async {
            while !self.tasks.is_empty() {
                self.ended().await;
            }
        };
        if timeout(grace, draining).await.is_err() {
            tracing::warn!(service, sessions = self.tasks.len(), "sessions did not end in time and are cut off");
            self.tasks.shutdown().await;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    None,
    Proxy,
}

impl From<bool> for Header {
    fn from(behind_proxy: bool) -> Self {
        if behind_proxy { Self::Proxy } else { Self::None }
    }
}

impl<H, F> Shared<H>
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    async fn run(self: Arc<Self>, id: SessionId, mut accepted: Accepted, mut permit: Permit, header: Header) {
        let _open = self.numbers.open.hold();
        self.numbers.begun.increment();
        if header == Header::Proxy {
            match self.true_peer(&mut accepted, permit).await {
                Some(assigned) => permit = assigned,
                None => return,
            }
        }
        let facts = Facts {
            id,
            peer: accepted.peer,
            local: accepted.local,
            shutdown: self.shutdown.clone(),
            _permit: Some(permit),
        };
        let mut connection = Connection::new(accepted.transport, facts, self.service.timeouts.clone());
        if let Security::Tls(server) = &self.service.security
            && let Err(error) = connection.start_tls(server).await
        {
            tracing::debug!(%error, "no session");
            return;
        }
        (self.handler)(connection).await;
    }

    /// Reads the proxy's header and counts the connection for whom it names.
    async fn true_peer(&self, accepted: &mut Accepted, permit: Permit) -> Option<Permit> {
        let header = timeout(Duration::from_secs(PROXY_HEADER_SECONDS), proxy::read_header(&mut accepted.transport));
        match header.await {
            Ok(Ok(Some(proxied))) => {
                tracing::Span::current().record("peer", tracing::field::display(proxied.source));
                accepted.peer = Peer::Ip(proxied.source);
                accepted.local = Some(proxied.destination);
                let assigned = permit.assign(proxied.source.ip());
                assigned.map_err(|refused| self.refuse(accepted, refused)).ok()
            }
            Ok(Ok(None)) => Some(permit),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a proxy of [proxy] networks sent no usable header");
                None
            }
            Err(_) => {
                tracing::warn!("a proxy of [proxy] networks sent no header in time");
                None
            }
        }
    }

    /// Costs as little as can be: one attempt to write, no task, no waiting.
    fn refuse(&self, accepted: &Accepted, refused: Refused) {
        self.numbers.refused.increment();
        tracing::debug!(service = self.service.name, peer = %accepted.peer, %refused, "connection refused");
        let plain = matches!(self.service.security, Security::Plain);
        if let (true, Some(socket)) = (plain, accepted.transport.socket()) {
            // Whoever can't take even this has asked for nothing yet.
            let _ = socket.send(&self.service.refusal);
        }
    }
}

impl Transport {
    fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Self::Tcp(stream) => Some(SockRef::from(stream)),
            Self::Unix(stream) => Some(SockRef::from(stream)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_shortages_make_the_loop_wait() {
        let check = |errno: Errno, expected: bool| {
            assert_eq!(pause_after(&io::Error::from(errno)).is_some(), expected, "{errno}");
        };
        check(Errno::EMFILE, true);
        check(Errno::ENFILE, true);
        check(Errno::ENOMEM, true);
        check(Errno::ECONNABORTED, false);
        check(Errno::EPERM, false);
        assert_eq!(pause_after(&io::ErrorKind::ConnectionReset.into()), None);
    }
}
