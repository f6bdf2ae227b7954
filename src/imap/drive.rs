//! Between a connection and a session: moves octets, keeps time. It decides nothing.

use super::framing::{Event, Framer, Sizes};
use super::session::{Link, Services, Session, Step};
use crate::auth::{ChannelBinding, Peer, Security};
use crate::net::{Connection, NetError, TlsServer, Transfer};
use crate::types::limits::{IMAP_IDLE_BUFFER_OCTETS, OUTPUT_OCTETS_HIGH_WATER};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::time::{Instant, interval, sleep};

/// Serves the connections of one listener.
pub struct Driver {
    services: Arc<Services>,
    tls: Option<TlsServer>,
    name: &'static str,
}

impl Driver {
    /// `tls` is for STARTTLS, which is offered only with it; a listener that begins with TLS needs none here. `name` is the
    /// listener's, for the log.
    pub fn new(services: Arc<Services>, tls: Option<TlsServer>, name: &'static str) -> Self {
        Self { services, tls, name }
    }

    /// From the greeting to the end.
    pub async fn run(&self, connection: Connection) {
        let session = Session::new(Arc::clone(&self.services), connection.id(), self.link(&connection));
        let mut run = Run { driver: self, connection, framer: Framer::new(Sizes::BEFORE_LOGIN), session };
        match run.converse().await {
            Ok(()) => tracing::debug!("the session ended"),
            Err(error) => tracing::debug!(%error, "the session broke off"),
        }
        run.connection.close().await;
    }

    fn link(&self, connection: &Connection) -> Link {
        let security = match connection.tls() {
            None => Security::Plain,
            Some(tls) => Security::Tls(ChannelBinding::new(tls.exporter, Some(tls.certificate.as_ref()))),
        };
        // A Unix socket has no address; it is not on any list of networks either.
        let address = connection.peer().ip().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let encrypted = connection.tls().is_some();
        Link {
            peer: Peer { address, security, service: self.name },
            can_start_tls: self.tls.is_some() && !encrypted,
            encrypted,
            compressed: connection.is_compressed(),
        }
    }
}

/// One session under way.
struct Run<'a> {
    driver: &'a Driver,
    connection: Connection,
    framer: Framer,
    session: Session,
}

impl Run<'_> {
    async fn converse(&mut self) -> Result<(), NetError> {
        self.session.greet();
        let mut step = Step::Read;
        loop {
            step = match step {
                Step::Read => self.read().await?,
                Step::ReadLine => {
                    self.framer.expect_line();
                    self.read().await?
                }
                Step::GoOn => {
                    let waiting = self.connection.queue_mut().len() + self.session.replies.out.len();
                    if waiting >= OUTPUT_OCTETS_HIGH_WATER {
                        self.send_a_piece().await?;
                    }
                    let step = self.go_on().await?;
                    self.framer.resize(self.session.sizes());
                    if self.session.login.is_some() {
                        self.connection.timeouts.idle = self.driver.services.idle;
                    }
                    step
                }
                Step::StartTls => self.start_tls().await?,
                Step::Compress => self.compress().await?,
                Step::Close => return self.send().await,
            };
        }
    }

    /// Lets the session do its next piece. Where that takes long, the client hears that it goes on (RFC 9585), and where
    /// nobody is left to hear the answer and nothing is changed by it, it is dropped.
    async fn go_on(&mut self) -> Result<Step, NetError> {
        if self.session.begins() {
            // What belongs to commands before this one goes before whatever is said of it meanwhile.
            self.queue();
        }
        let work = Arc::clone(&self.session.work);
        let Self { connection, session, .. } = self;
        let mut going = std::pin::pin!(session.go_on());
        tokio::select! {
            biased;
            step = &mut going => return Ok(step),
            () = sleep(self.driver.services.patience) => {}
        }
        let mut telling = interval(self.driver.services.progress);
        telling.reset();
        loop {
            let listens = work.can_be_left() && connection.buffered().len() < IMAP_IDLE_BUFFER_OCTETS;
            let mut transfer = Transfer::begin();
            tokio::select! {
                biased;
                step = &mut going => return Ok(step),
                read = connection.read_more(&mut transfer), if listens => match read {
                    Ok(()) | Err(NetError::Idle | NetError::TooSlow | NetError::InputFull) => {}
                    Err(error) => return Err(error),
                },
                _ = telling.tick() => {
                    if let Some(news) = work.news() {
                        connection.queue(&news);
                        connection.flush().await?;
                    }
                }
            }
        }
    }

    /// Puts what the session has said behind what is to be written.
    fn queue(&mut self) {
        let queue = self.connection.queue_mut();
        if queue.is_empty() {
            std::mem::swap(queue, &mut self.session.replies.out);
        } else {
            queue.append(&mut self.session.replies.out);
        }
    }

    /// Writes what the session has said.
    async fn send(&mut self) -> Result<(), NetError> {
        self.queue();
        if self.connection.queue_mut().is_empty() {
            return Ok(());
        }
        self.connection.flush().await
    }

    /// Writes what the session has said before it goes on. Where the client lets us wait, nothing waits with us that
    /// others would have to make room for.
    async fn send_a_piece(&mut self) -> Result<(), NetError> {
        self.queue();
        let Self { connection, session, driver, .. } = self;
        let mut flushing = std::pin::pin!(connection.flush());
        tokio::select! {
            biased;
            flushed = &mut flushing => return flushed,
            () = sleep(driver.services.patience) => session.rest(),
        }
        flushing.await
    }

    /// Feeds the next event, waiting for it if need be.
    async fn read(&mut self) -> Result<Step, NetError> {
        let mut transfer = Transfer::begin();
        loop {
            match self.framer.next() {
                Some(Event::Command(framed)) => return Ok(self.session.command(framed)),
                Some(Event::Line(line)) => return Ok(self.session.line(line)),
                Some(Event::Refused { so_far, cause }) => return Ok(self.session.refused(so_far, cause)),
                Some(Event::Fatal(fatal)) => return Ok(self.session.fatal(fatal)),
                Some(Event::Announced(announced)) => match Box::pin(self.session.announced(announced)).await {
                    Ok(()) => self.framer.stream_literal(),
                    Err(refusal) => self.framer.refuse_literal(refusal),
                },
                Some(Event::Data(octets)) => self.session.uploads.data(octets).await,
                Some(Event::DataEnd) => self.session.uploads.data_end().await,
                Some(Event::ContinuationDue) => {
                    self.session.replies.continuation("Go on");
                    self.send().await?;
                }
                None => {
                    if let Some(step) = self.receive(&mut transfer).await? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    /// Waits for octets. What was said so far goes out first, together: a client that sends several commands at once gets
    /// its answers at once.
    async fn receive(&mut self, transfer: &mut Transfer) -> Result<Option<Step>, NetError> {
        self.send().await?;
        if self.connection.buffered().is_empty()
            && let Some(step) = self.wait(transfer).await?
        {
            return Ok(Some(step));
        }
        let octets = self.connection.buffered();
        self.framer.input().extend_from_slice(octets);
        let count = octets.len();
        self.connection.consume(count);
        Ok(None)
    }

    /// Until there are octets; whatever happens meanwhile is told to a client that listens.
    async fn wait(&mut self, transfer: &mut Transfer) -> Result<Option<Step>, NetError> {
        self.framer.release();
        self.session.replies.out = Vec::new();
        let shutdown = self.connection.shutdown().clone();
        let keepalive = self.driver.services.keepalive;
        let mut silence = std::pin::pin!(sleep(keepalive));
        loop {
            let Self { connection, session, .. } = self;
            let (listens, idles) = (session.listens(), session.idling);
            let read = tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(Some(session.shut_down())),
                read = connection.read_more(transfer) => read,
                () = session.news(), if listens => {
                    if let Some(step) = session.push().await {
                        return Ok(Some(step));
                    }
                    // What is not said keeps no connection alive.
                    if !session.replies.out.is_empty() {
                        silence.as_mut().reset(Instant::now() + keepalive);
                    }
                    self.send().await?;
                    continue;
                }
                () = silence.as_mut(), if idles => {
                    session.keep_alive();
                    self.send().await?;
                    silence.as_mut().reset(Instant::now() + keepalive);
                    continue;
                }
            };
            return match read {
                Ok(()) => Ok(None),
                Err(NetError::Idle | NetError::TooSlow) => Ok(Some(session.timed_out())),
                Err(error) => Err(error),
            };
        }
    }

    async fn start_tls(&mut self) -> Result<Step, NetError> {
        // RFC 9051 section 11.1: what came before the handshake must not count after it.
        if self.framer.has_input() {
            return Err(NetError::PlaintextBehindUpgrade);
        }
        self.send().await?;
        if let Some(tls) = &self.driver.tls {
            self.connection.start_tls(tls).await?;
        }
        self.session.encrypted(self.driver.link(&self.connection));
        self.framer = Framer::new(Sizes::BEFORE_LOGIN);
        Ok(Step::Read)
    }

    async fn compress(&mut self) -> Result<Step, NetError> {
        if self.framer.has_input() {
            return Err(NetError::PlaintextBehindUpgrade);
        }
        self.send().await?;
        self.connection.start_deflate()?;
        Ok(Step::Read)
    }
}
