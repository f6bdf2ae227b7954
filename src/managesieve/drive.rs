//! Between a connection, a session and its desk: moves octets, asks questions, keeps time. It decides nothing.

use super::desk::{Desk, Services};
use super::framing::{Event, Framer, Sizes};
use super::session::{Ask, Link, Session, Step};
use crate::auth::{ChannelBinding, Peer, Security};
use crate::net::{Connection, NetError, TlsServer, Transfer};
use crate::types::limits::OUTPUT_OCTETS_HIGH_WATER;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Serves the connections of one listener.
pub struct Driver {
    services: Arc<Services>,
    tls: TlsServer,
}

impl Driver {
    /// `tls` is for STARTTLS: this protocol has no port on which TLS comes first.
    pub fn new(services: Arc<Services>, tls: TlsServer) -> Self {
        Self { services, tls }
    }

    /// From the greeting to the end.
    pub async fn run(&self, connection: Connection) {
        // A Unix socket has no address; it is not on any list of networks either.
        let address = connection.peer().ip().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let peer = Peer { address, security: security(&connection), service: "managesieve" };
        let desk = Desk::new(Arc::clone(&self.services), peer);
        let session = Session::new(connection.id(), link(&connection, &desk));
        let before_login = connection.timeouts.idle;
        let framer = Framer::new(Sizes::BEFORE_LOGIN);
        let mut run = Run { driver: self, connection, framer, session, desk, before_login };
        match run.converse().await {
            Ok(()) => tracing::debug!("the session ended"),
            Err(error) => tracing::debug!(%error, "the session broke off"),
        }
        run.connection.close().await;
    }
}

fn security(connection: &Connection) -> Security {
    match connection.tls() {
        None => Security::Plain,
        Some(tls) => Security::Tls(ChannelBinding::new(tls.exporter, Some(tls.certificate.as_ref()))),
    }
}

fn link(connection: &Connection, desk: &Desk) -> Link {
    let encrypted = connection.tls().is_some();
    Link { can_start_tls: !encrypted, encrypted, mechanisms: desk.mechanisms() }
}

/// One session under way.
struct Run<'a> {
    driver: &'a Driver,
    connection: Connection,
    framer: Framer,
    session: Session,
    desk: Desk,
    before_login: Duration,
}

impl Run<'_> {
    async fn converse(&mut self) -> Result<(), NetError> {
        self.session.greet(self.connection.queue_mut());
        let mut step = Step::Read;
        loop {
            step = match step {
                Step::Read => self.read().await?,
                Step::Ask(ask) => self.ask(ask).await,
                Step::StartTls => self.start_tls().await?,
                Step::Close => return self.send().await,
            };
        }
    }

    async fn send(&mut self) -> Result<(), NetError> {
        if self.connection.queue_mut().is_empty() { Ok(()) } else { self.connection.flush().await }
    }

    /// Feeds the next event, waiting for it if need be.
    async fn read(&mut self) -> Result<Step, NetError> {
        let mut transfer = Transfer::begin();
        loop {
            if let Some(event) = self.framer.next() {
                if self.connection.queue_mut().len() > OUTPUT_OCTETS_HIGH_WATER && !matches!(event, Event::Fatal(_)) {
                    self.send().await?;
                }
                return Ok(self.session.event(event, self.connection.queue_mut()));
            }
            // What was said so far goes out together: a client that sends several commands at once gets its answers at once.
            self.send().await?;
            if self.connection.buffered().is_empty()
                && let Some(step) = self.wait(&mut transfer).await?
            {
                return Ok(step);
            }
            let octets = self.connection.buffered();
            self.framer.feed(octets);
            let count = octets.len();
            self.connection.consume(count);
        }
    }

    /// Until there are octets, or something ends the session.
    async fn wait(&mut self, transfer: &mut Transfer) -> Result<Option<Step>, NetError> {
        self.framer.release();
        let shutdown = self.connection.shutdown().clone();
        let read = tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(Some(self.session.shut_down(self.connection.queue_mut()))),
            read = self.connection.read_more(transfer) => read,
        };
        match read {
            Ok(()) => Ok(None),
            Err(NetError::Idle | NetError::TooSlow) => Ok(Some(self.session.timed_out(self.connection.queue_mut()))),
            Err(error) => Err(error),
        }
    }

    async fn ask(&mut self, ask: Ask) -> Step {
        // Boxed, so that a session that waits does not keep room for the largest of all answers.
        let answer = Box::pin(self.desk.answer(ask)).await;
        let step = self.session.answered(answer, self.connection.queue_mut());
        self.framer.resize(self.session.sizes());
        self.connection.timeouts.idle =
            if self.session.owner.is_some() { self.driver.services.idle } else { self.before_login };
        step
    }

    async fn start_tls(&mut self) -> Result<Step, NetError> {
        // What came before the handshake must not count after it: who waits for our OK, as RFC 5804 section 2.2 demands, has
        // sent nothing.
        if self.framer.has_input() {
            return Err(NetError::PlaintextBehindUpgrade);
        }
        self.session.encrypting(self.connection.queue_mut());
        self.send().await?;
        self.connection.start_tls(&self.driver.tls).await?;
        self.desk.encrypted(security(&self.connection));
        self.framer = Framer::new(Sizes::BEFORE_LOGIN);
        let link = link(&self.connection, &self.desk);
        Ok(self.session.encrypted(link, self.connection.queue_mut()))
    }
}
