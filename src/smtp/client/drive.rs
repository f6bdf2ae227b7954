//! Between a connection and a session: moves octets and keeps time. It decides nothing.

use super::parameters::{self, Framing};
use super::session::{Sending, Session, StartTls, Step, Wait};
use super::settings::ClientSettings;
use crate::auth::{ChannelBinding, Security};
use crate::message::to_crlf;
use crate::net::{Connection, NetError, TlsClient, Transfer};
use crate::queue::{self, ContentError, Failure, FailureCause, Fate, Outgoing, Peer, Pending, Sent, Stage, TlsDemand};
use crate::smtp::proto::{DataEncoder, ForwardPath, Mail, Rcpt, Reply, ReplyParser};
use crate::types::limits::{SMTP_CLIENT_LAST_WORDS_SECONDS, SMTP_CLIENT_LINE_OCTETS_MAX};
use crate::types::{Address, BodyKind, Domain};
use std::time::Duration;
use tokio::time::timeout;

/// An open session on its connection.
pub(super) struct Drive {
    settings: ClientSettings,
    connection: Connection,
    session: Session,
    replies: ReplyParser,
    /// It has carried a message before, and may have been closed since.
    used: bool,
}

impl Drive {
    /// From the greeting until a message could be begun.
    pub(super) async fn open(
        settings: &ClientSettings,
        mut connection: Connection,
        peer: &Peer,
        tls: Option<TlsClient>,
    ) -> Result<Self, Failure> {
        let start_tls = match peer.tls {
            TlsDemand::Never | TlsDemand::FromTheStart => StartTls::No,
            TlsDemand::IfOffered => StartTls::IfOffered,
            TlsDemand::Encrypted | TlsDemand::Verified | TlsDemand::Pinned(_) => StartTls::Must,
        };
        if let (TlsDemand::FromTheStart, Some(tls)) = (&peer.tls, &tls) {
            handshake(&mut connection, &peer.name, tls).await?;
        }
        let hostname = settings.hostname.to_string();
        let session = Session::new(hostname, peer.protocol, start_tls, peer.login.clone(), security(&connection));
        let replies = ReplyParser::default();
        let mut drive = Self { settings: settings.clone(), connection, session, replies, used: false };
        let mut step = drive.session.start();
        loop {
            step = match step {
                Step::Ready => return Ok(drive),
                Step::StartTls => match &tls {
                    Some(tls) => {
                        handshake(&mut drive.connection, &peer.name, tls).await?;
                        let security = security(&drive.connection);
                        drive.session.encrypted(security, drive.connection.queue_mut())
                    }
                    None => drive.session.broken(FailureCause::NoTls),
                },
                Step::Failed(failure) => {
                    // Nobody has to wait for a server that is of no use.
                    tokio::spawn(drive.say_goodbye());
                    return Err(failure);
                }
                other => drive.take(other).await,
            };
        }
    }

    /// The steps that an opening session and one with a message have in common.
    async fn take(&mut self, step: Step) -> Step {
        match step {
            Step::Read(wait) => match self.read_reply(wait).await {
                Ok(reply) => self.session.reply(&reply, self.connection.queue_mut()),
                Err(cause) => self.session.broken(cause),
            },
            other => other,
        }
    }

    async fn read_reply(&mut self, wait: Wait) -> Result<Reply, FailureCause> {
        let patience = &self.settings.patience;
        let patience = match wait {
            Wait::Greeting => patience.greeting,
            Wait::Command => patience.command,
            Wait::DataStart => patience.data_start,
            Wait::DataEnd => patience.data_end,
        };
        self.connection.timeouts.idle = patience;
        // The limit is for the reply, not for each of its lines: those may be many, and trickle.
        match timeout(patience, self.read_lines()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FailureCause::TimedOut),
        }
    }

    async fn read_lines(&mut self) -> Result<Reply, FailureCause> {
        // What is queued is written when somebody waits for the answer: all commands of a pipeline together.
        if !self.connection.queue_mut().is_empty() {
            self.connection.flush().await.map_err(|error| cause(&error))?;
        }
        loop {
            let line = self.connection.read_line(SMTP_CLIENT_LINE_OCTETS_MAX).await.map_err(|error| cause(&error))?;
            match self.replies.line(&line.octets) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(error) => return Err(FailureCause::Protocol(error.to_string())),
            }
        }
    }

    async fn transact(&mut self, mail: &mut Outgoing) -> Sent {
        let recipients = mail.recipients.len();
        let offered_max = self.session.offered().limits.rcpt_max.filter(|max| *max > 0);
        let served = offered_max.map_or(recipients, |max| recipients.min(max as usize));
        if self.used && self.is_stale().await {
            return Sent::all(recipients, &Failure::new(Stage::Mail, FailureCause::Lost), false);
        }
        self.used = true;
        let (mut step, mut inline) = match self.begin(mail, served).await {
            Ok(begun) => begun,
            Err(failure) => return Sent::all(recipients, &failure, true),
        };
        loop {
            step = match step {
                Step::Done(mut sent) => {
                    // RFC 9422 section 4.2: those beyond what it said it takes are for another transaction.
                    let beyond = Failure::new(Stage::Rcpt, FailureCause::TooManyRecipients);
                    sent.fates.resize(recipients, Fate::Failed(beyond));
                    return sent;
                }
                Step::Failed(failure) => return Sent::all(recipients, &failure, false),
                Step::Content(sending) => match self.send_content(mail, sending, inline.take()).await {
                    Ok(()) => self.session.content_sent(),
                    Err(cause) => self.broken_off(cause).await,
                },
                Step::Ready | Step::StartTls => self.session.broken(FailureCause::Lost),
                other => self.take(other).await,
            };
        }
    }

    /// RFC 5321 section 4.1.1.5: a transaction that ends before its message leaves nothing behind. From nobody, as reports come.
    async fn ask(&mut self, recipients: &[Address]) -> Vec<Fate> {
        let rcpt = |address: &Address| Rcpt {
            path: ForwardPath::Mailbox(address.clone()),
            written_in_utf8: address.needs_utf8(),
            notify: None,
            original: None,
        };
        let asked = recipients.iter().map(rcpt).collect();
        let mut step = self.session.begin(Mail::default(), asked, Framing::Nothing, 0, self.connection.queue_mut());
        loop {
            step = match step {
                Step::Done(sent) => return sent.fates,
                Step::Failed(failure) => return vec![Fate::Failed(failure); recipients.len()],
                Step::Ready | Step::StartTls | Step::Content(_) => self.session.broken(FailureCause::Lost),
                other => self.take(other).await,
            };
        }
    }

    /// What a server that hung up, or talks without having been asked, has left on the connection.
    async fn is_stale(&mut self) -> bool {
        if !self.connection.buffered().is_empty() {
            return true;
        }
        timeout(Duration::ZERO, self.connection.read_more(&mut Transfer::begin())).await.is_ok()
    }

    /// The first step, and the whole message where it goes as one chunk.
    async fn begin(&mut self, mail: &mut Outgoing, served: usize) -> Result<(Step, Option<Vec<u8>>), Failure> {
        mail.content.rewind();
        if parameters::needs_seven_bit(mail.content.kind(), self.session.offered()) {
            let made = mail.content.make_seven_bit().await;
            made.map_err(|error| Failure::new(Stage::Mail, FailureCause::Content(error)))?;
        }
        let offered = self.session.offered();
        let command = parameters::mail(mail, offered, self.settings.clock.now())?;
        let mut recipients = parameters::recipients(mail, offered);
        recipients.truncate(served);
        let framing = parameters::framing(mail, offered);
        let mut octets = mail.content.octets();
        let mut inline = None;
        if framing == Framing::InlineChunk {
            let whole =
                read_whole(mail).await.map_err(|error| Failure::new(Stage::Mail, FailureCause::Content(error)))?;
            octets = whole.len() as u64;
            inline = Some(whole);
        }
        Ok((self.session.begin(command, recipients, framing, octets, self.connection.queue_mut()), inline))
    }

    async fn send_content(
        &mut self,
        mail: &mut Outgoing,
        sending: Sending,
        inline: Option<Vec<u8>>,
    ) -> Result<(), FailureCause> {
        self.connection.timeouts.write = self.settings.patience.data_block;
        let connection = &mut self.connection;
        match (sending, inline) {
            (Sending::Nothing, _) => connection.queue(b".\r\n"),
            (_, Some(whole)) => connection.queue(&whole),
            (Sending::Octets, None) => {
                while let Some(piece) = mail.content.next().await.map_err(FailureCause::Content)? {
                    connection.write_long(&piece).await.map_err(|error| cause(&error))?;
                }
            }
            (Sending::Dots, None) => {
                let mut encoder = DataEncoder::default();
                while let Some(piece) = mail.content.next().await.map_err(FailureCause::Content)? {
                    encoder.encode(&piece, connection.queue_mut());
                    connection.write_long(b"").await.map_err(|error| cause(&error))?;
                }
                encoder.finish(connection.queue_mut());
            }
        }
        connection.flush().await.map_err(|error| cause(&error))
    }

    /// The message could not be written to its end. A server that had enough of it may have said why.
    async fn broken_off(&mut self, cause: FailureCause) -> Step {
        if cause == FailureCause::Lost {
            let last_words = Duration::from_secs(SMTP_CLIENT_LAST_WORDS_SECONDS);
            if let Ok(Ok(reply)) = timeout(last_words, self.read_last_words()).await
                && !reply.is_positive()
                && !reply.is_intermediate()
            {
                return self.session.broken(FailureCause::Answer(super::session::answer(&reply)));
            }
        }
        self.session.broken(cause)
    }

    /// The last whole reply there is.
    async fn read_last_words(&mut self) -> Result<Reply, FailureCause> {
        self.connection.queue_mut().clear();
        let mut last = self.read_lines().await?;
        while let Ok(reply) = self.read_lines().await {
            last = reply;
        }
        Ok(last)
    }

    async fn say_goodbye(self) {
        let mut connection = self.connection;
        // RFC 5321 section 4.1.1.10. The answer is read past by the close, which waits for the end of what comes.
        connection.timeouts.write = Duration::from_secs(SMTP_CLIENT_LAST_WORDS_SECONDS);
        connection.queue(b"QUIT\r\n");
        connection.close().await;
    }
}

impl queue::Session for Drive {
    fn send<'a>(&'a mut self, mail: &'a mut Outgoing) -> Pending<'a, Sent> {
        Box::pin(self.transact(mail))
    }

    fn ask<'a>(&'a mut self, recipients: &'a [Address]) -> Pending<'a, Vec<Fate>> {
        Box::pin(self.ask(recipients))
    }

    fn protection(&self) -> Option<String> {
        self.connection.tls().map(|tls| format!("{} {}", tls.version, tls.cipher))
    }

    fn close(self: Box<Self>) -> Pending<'static, ()> {
        Box::pin(self.say_goodbye())
    }
}

/// With its line ends mended where they mean something: octets that are counted can't be mended on their way.
async fn read_whole(mail: &mut Outgoing) -> Result<Vec<u8>, ContentError> {
    let mut whole = Vec::with_capacity(usize::try_from(mail.content.octets()).unwrap_or_default());
    while let Some(piece) = mail.content.next().await? {
        whole.extend_from_slice(&piece);
    }
    if mail.content.kind() == BodyKind::Binary {
        return Ok(whole);
    }
    let mended = to_crlf(&whole).into_owned();
    Ok(mended)
}

async fn handshake(connection: &mut Connection, name: &Domain, tls: &TlsClient) -> Result<(), Failure> {
    let done = connection.start_tls_towards(name, tls).await;
    done.map_err(|error| Failure::new(Stage::Tls, FailureCause::Tls(error.to_string())))
}

fn security(connection: &Connection) -> Security {
    connection
        .tls()
        .map_or(Security::Plain, |tls| Security::Tls(ChannelBinding::new(tls.exporter, Some(tls.certificate.as_ref()))))
}

fn cause(error: &NetError) -> FailureCause {
    match error {
        NetError::Closed => FailureCause::Lost,
        NetError::Idle | NetError::TooSlow => FailureCause::TimedOut,
        NetError::LineTooLong | NetError::InputFull => {
            FailureCause::Protocol("a line of the server's reply does not end".to_owned())
        }
        other => FailureCause::Unreachable(other.to_string()),
    }
}
