//! Between a connection, a session and a service: moves octets, asks questions, keeps time. It decides nothing.
//!
//! What one connection may hold of a message in memory is fixed: what the network has buffered, and what a spool keeps
//! before it goes to disk.

use super::replies::Cause;
use super::service::{Arrived, Caller, Conversation, Delivered, Service, Verdict};
use super::session::{Ask, Pipelined, Session, Step};
use super::settings::{Link, Settings};
use super::spool::Spool;
use crate::net::{Connection, Line, LineEnd, NetError, TlsServer, Transfer};
use crate::types::limits::OUTPUT_OCTETS_HIGH_WATER;
use std::path::Path;
use std::sync::Arc;

/// Serves the connections of one listener.
pub struct Driver {
    settings: Arc<Settings>,
    service: Arc<dyn Service>,
    tls: Option<TlsServer>,
    spool_directory: Arc<Path>,
}

impl Driver {
    /// `tls` is for STARTTLS, which is offered only with it; a listener that begins with TLS needs none here.
    pub fn new(
        mut settings: Settings,
        service: Arc<dyn Service>,
        tls: Option<TlsServer>,
        spool_directory: Arc<Path>,
    ) -> Self {
        settings.offered.starttls &= tls.is_some();
        Self { settings: Arc::new(settings), service, tls, spool_directory }
    }

    /// From the greeting to the end.
    pub async fn run(&self, connection: Connection) {
        let session = Session::new(Arc::clone(&self.settings), connection.id(), link(&connection, None));
        let caller = Caller {
            session: connection.id(),
            kind: self.settings.kind,
            peer: connection.peer(),
            local: connection.local(),
            tls: connection.tls().cloned(),
        };
        let mut run = Run { driver: self, connection, session, conversation: None, spool: None };
        match run.converse(&caller).await {
            Ok(()) => tracing::debug!("the session ended"),
            Err(error) => tracing::debug!(%error, "the session broke off"),
        }
        run.connection.close().await;
    }
}

/// One session under way.
struct Run<'a> {
    driver: &'a Driver,
    connection: Connection,
    session: Session,
    /// From the accepted connection on.
    conversation: Option<Box<dyn Conversation>>,
    /// While a message is coming in.
    spool: Option<Spool>,
}

impl Run<'_> {
    async fn converse(&mut self, caller: &Caller) -> Result<(), NetError> {
        let mut step = self.session.start();
        loop {
            step = match step {
                Step::ReadLine { octets_max } => self.read_line(octets_max).await?,
                Step::ReadData => self.read_data().await?,
                Step::Ask(ask) => self.ask(ask, caller).await,
                Step::StartTls => self.start_tls().await?,
                Step::Close => return Ok(()),
            };
            if !self.session.keeps_content() {
                self.spool = None;
            }
        }
    }

    async fn read_line(&mut self, octets_max: usize) -> Result<Step, NetError> {
        // Replies to commands that came together go out together (RFC 2920 section 3.2), unless they grow beyond reason.
        let more_to_answer = memchr::memchr(b'\n', self.connection.buffered()).is_some();
        if !more_to_answer || self.connection.queue_mut().len() > OUTPUT_OCTETS_HIGH_WATER {
            self.send().await?;
        }
        let shutdown = self.connection.shutdown().clone();
        let read = tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(self.session.shut_down(self.connection.queue_mut())),
            read = self.connection.read_line(octets_max) => read,
        };
        let out = self.connection.queue_mut();
        match read {
            Ok(Line { octets, end: LineEnd::CrLf }) => {
                let pipelined =
                    if self.connection.buffered().is_empty() { Pipelined::Nothing } else { Pipelined::More };
                Ok(self.session.line(&octets, pipelined, self.connection.queue_mut()))
            }
            Ok(Line { end: LineEnd::BareLf, .. }) => Ok(self.session.line_badly_ended(out)),
            Err(NetError::LineTooLong) => Ok(self.session.line_too_long(out)),
            Err(NetError::Idle | NetError::TooSlow) => Ok(self.session.timed_out(out)),
            Err(error) => Err(error),
        }
    }

    /// Most pieces of a message are read with nothing to say in between.
    async fn send(&mut self) -> Result<(), NetError> {
        if self.connection.queue_mut().is_empty() { Ok(()) } else { self.connection.flush().await }
    }

    async fn read_data(&mut self) -> Result<Step, NetError> {
        let mut transfer = Transfer::begin();
        let mut replies = Vec::new();
        loop {
            let spool = self.spool.get_or_insert_with(|| Spool::new(Arc::clone(&self.driver.spool_directory)));
            let buffered = self.connection.buffered();
            let piece = &buffered[..buffered.len().min(spool.room())];
            let (taken, step) = self.session.data(piece, spool.buffer(piece.len()), &mut replies);
            self.connection.consume(taken);
            self.connection.queue(&replies);
            replies.clear();
            if let Err(error) = spool.settle().await {
                tracing::error!(%error, "a message can't be spooled");
                // The rest is read past without being kept. If this was the end, the spool itself remembers.
                self.session.content_lost();
            }
            if step != Step::ReadData {
                return Ok(step);
            }
            if taken > 0 && !self.connection.buffered().is_empty() {
                continue;
            }
            // 354, or the reply to the chunk before: nobody would go on sending without it.
            self.send().await?;
            match self.connection.read_more(&mut transfer).await {
                Ok(()) => {}
                Err(NetError::Idle | NetError::TooSlow) => {
                    return Ok(self.session.timed_out(self.connection.queue_mut()));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn start_tls(&mut self) -> Result<Step, NetError> {
        let Some(tls) = &self.driver.tls else {
            return Ok(self.session.out_of_step(self.connection.queue_mut()));
        };
        self.send().await?;
        self.connection.start_tls(tls).await?;
        if let (Some(conversation), Some(facts)) = (&mut self.conversation, self.connection.tls()) {
            conversation.encrypted(facts);
        }
        let link = link(&self.connection, self.conversation.as_deref());
        Ok(self.session.encrypted(link, self.connection.queue_mut()))
    }

    async fn ask(&mut self, ask: Ask, caller: &Caller) -> Step {
        let Some(conversation) = &mut self.conversation else {
            return self.ask_connect(caller).await;
        };
        let session = &mut self.session;
        let out = self.connection.queue_mut();
        let verdict = match ask {
            Ask::Connect => Err(Cause::Internal.into()),
            Ask::Hello => match session.hello() {
                Some(hello) => conversation.hello(hello).await,
                None => Err(Cause::Internal.into()),
            },
            Ask::Mail => match session.envelope() {
                Some(envelope) => conversation.mail(envelope).await,
                None => Err(Cause::Internal.into()),
            },
            Ask::Rcpt => match (session.envelope(), session.candidate()) {
                (Some(envelope), Some(recipient)) => conversation.rcpt(envelope, recipient).await,
                _ => Err(Cause::Internal.into()),
            },
            Ask::Data => match session.envelope() {
                Some(envelope) => conversation.data(envelope).await,
                None => Err(Cause::Internal.into()),
            },
            Ask::Auth(step) => {
                let answer = conversation.auth(step).await;
                return session.auth_answer(answer, out);
            }
            Ask::Deliver => return self.deliver().await,
        };
        session.verdict(verdict, out)
    }

    async fn ask_connect(&mut self, caller: &Caller) -> Step {
        let verdict: Verdict = match self.driver.service.connect(caller).await {
            Ok(conversation) => {
                self.session.offer_logins(link(&self.connection, Some(conversation.as_ref())).mechanisms);
                self.conversation = Some(conversation);
                Ok(())
            }
            Err(refusal) => Err(refusal),
        };
        self.session.verdict(verdict, self.connection.queue_mut())
    }

    async fn deliver(&mut self) -> Step {
        // A large message may wait for its turn behind hundreds of others.
        self.connection.rest();
        let message = self.spool.take().zip(self.session.take_message());
        let delivered = match (message, &mut self.conversation) {
            (Some((spool, (envelope, hello, protocol))), Some(conversation)) => match spool.finish().await {
                Ok(content) => conversation.deliver(Arrived { envelope, content, hello, protocol }).await,
                Err(error) => {
                    tracing::error!(%error, "a message can't be spooled");
                    Delivered::All(Err(Cause::StorageFull.into()))
                }
            },
            _ => Delivered::All(Err(Cause::Internal.into())),
        };
        self.session.delivered(delivered, self.connection.queue_mut())
    }
}

/// Before somebody has answered for the client there is no login for him.
fn link(connection: &Connection, conversation: Option<&dyn Conversation>) -> Link {
    let logins = conversation.map(Conversation::logins).unwrap_or_default();
    Link { encrypted: connection.tls().is_some(), mechanisms: logins.iter().copied().collect() }
}
