//! One session's counterpart: holds what was learned of the client, asks the services, answers the driver.

use super::letter::{Client, Hop, Letter, LetterError};
use super::standing::{ClientName, Listed};
use super::{Reception, outcome, recipients, returns, senders, standing};
use crate::auth::{Authenticated, Mechanism};
use crate::delivery::{Answers, Mail, Origin, RefusedMail};
use crate::directory::Snapshot;
use crate::net::TlsFacts;
use crate::policy::{Arrival, Assessment, Trust, is_exempt};
use crate::smtp::server::{
    Answer, Arrived, AuthAnswer, AuthStep, Caller, Cause, Conversation, Delivered, Hello, Kind, Logins, Refusal,
    Verdict,
};
use crate::types::{BodyKind, Envelope, Recipient};
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;

pub(super) struct Session {
    reception: Arc<Reception>,
    caller: Caller,
    tls: Option<TlsFacts>,
    logins: Logins,
    listed: Listed,
    name: ClientName,
    /// As MAIL found it; recipients of one message are looked up in one state of the directory.
    snapshot: Option<Arc<Snapshot>>,
}

impl Conversation for Session {
    fn logins(&self) -> &'static [Mechanism] {
        if self.caller.kind.needs_login() { self.logins.offered() } else { &[] }
    }

    fn encrypted(&mut self, tls: &TlsFacts) {
        self.tls = Some(tls.clone());
        self.snapshot = None;
        self.logins.encrypted(tls);
    }

    fn hello<'a>(&'a mut self, _: &'a Hello) -> Answer<'a, Verdict> {
        Box::pin(ready(Ok(())))
    }

    fn auth(&mut self, step: AuthStep) -> Answer<'_, AuthAnswer> {
        Box::pin(self.logins.step(step))
    }

    fn mail<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict> {
        Box::pin(self.mail_from(envelope))
    }

    fn rcpt<'a>(&'a mut self, envelope: &'a Envelope, recipient: &'a Recipient) -> Answer<'a, Verdict> {
        Box::pin(self.rcpt_to(envelope, recipient))
    }

    fn data<'a>(&'a mut self, envelope: &'a Envelope) -> Answer<'a, Verdict> {
        Box::pin(ready(self.may_submit(envelope)))
    }

    fn deliver(&mut self, arrived: Arrived) -> Answer<'_, Delivered> {
        Box::pin(async move {
            match self.take(arrived).await {
                Ok(delivered) => delivered,
                Err(refusal) => Delivered::All(Err(refusal)),
            }
        })
    }
}

impl Session {
    /// Strangers may not come as often as they like.
    pub(super) fn begin(reception: Arc<Reception>, caller: Caller) -> Result<Self, Refusal> {
        let logins = Logins::new(reception.auth.clone(), &caller);
        let mut listed = Listed::Known(None);
        if let (Kind::Mx, Some(client)) = (caller.kind, caller.peer.ip()) {
            if let Err(exceeded) = reception.rates.connection(client) {
                standing::slowed(exceeded);
                return Err(Cause::ConnectionDeferred.into());
            }
            listed = Listed::ask(reception.block_lists.as_ref(), Some(client));
        }
        let name = ClientName::ask(reception.verifier.as_ref(), caller.peer.ip().filter(|_| caller.kind == Kind::Mx));
        Ok(Self { reception, tls: caller.tls.clone(), caller, logins, listed, name, snapshot: None })
    }

    /// Where strangers come in: whose network counts.
    fn stranger(&self) -> Option<IpAddr> {
        self.caller.peer.ip().filter(|_| self.caller.kind == Kind::Mx)
    }

    async fn mail_from(&mut self, envelope: &Envelope) -> Verdict {
        if let Some(client) = self.stranger() {
            self.reception.rates.message(client).map_err(standing::slowed)?;
        }
        // RFC 1870 section 6.1: said before the message has come all the way.
        if !self.reception.delivery.has_room_on_disk(envelope.declared_octets) {
            return Err(Cause::StorageFull.into());
        }
        let snapshot = self.look_up().await?;
        if let Some(login) = self.submitter()? {
            // Whoever was suspended, or changed his password because somebody else had it, is out at once.
            match self.reception.auth.still_valid(login).await {
                Ok(true) => {}
                Ok(false) => return Err(Cause::LoginEnded.into()),
                Err(error) => return Err(self.trouble("the login could not be looked up", &error).into()),
            }
            senders::may_send_as(&snapshot, envelope.sender.as_ref(), login)?;
        }
        self.snapshot = Some(snapshot);
        Ok(())
    }

    async fn rcpt_to(&mut self, envelope: &Envelope, recipient: &Recipient) -> Verdict {
        let snapshot = match &self.snapshot {
            Some(snapshot) => Arc::clone(snapshot),
            None => self.look_up().await?,
        };
        let address = recipients::addressee(&snapshot, &recipient.address, &self.reception.hostname);
        if let Some(client) = self.stranger() {
            self.reception.rates.may_ask(client).map_err(standing::slowed)?;
            if !is_exempt(&address) {
                self.listed.refusal().await?;
            }
        }
        let judged = match returns::return_path(&snapshot, &address) {
            Some(path) => returns::judge(&self.reception.queue, envelope, path).await.map(|()| None),
            None if returns::is_alone(&snapshot, envelope) => Err(Cause::TooManyRecipients),
            None => recipients::judge(&snapshot, &address, self.submitter()?),
        };
        if let (Err(Cause::NoSuchAddress), Some(client)) = (&judged, self.stranger()) {
            tokio::time::sleep(self.reception.rates.unknown_recipient(client)).await;
        }
        let Some(account) = judged? else { return Ok(()) };
        match self.reception.directory.has_room(&snapshot, account, envelope.declared_octets).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Cause::MailboxFull.into()),
            Err(error) => Err(self.trouble("the mailbox could not be looked at", &error).into()),
        }
    }

    fn may_submit(&self, envelope: &Envelope) -> Verdict {
        let (Some(login), Some(client)) = (self.submitter()?, self.caller.peer.ip()) else { return Ok(()) };
        let counted = self.reception.rates.submission(login.account(), client, envelope.recipients.len());
        Ok(counted.map_err(standing::slowed)?)
    }

    async fn take(&mut self, arrived: Arrived) -> Result<Delivered, Refusal> {
        let Arrived { mut envelope, content, hello, protocol } = arrived;
        let reception = Arc::clone(&self.reception);
        let snapshot = self.look_up().await?;
        for recipient in &mut envelope.recipients {
            recipient.address = recipients::addressee(&snapshot, &recipient.address, &reception.hostname);
        }
        let now = reception.clock.now();
        let session = self.caller.session.to_string();
        let mut letter = Letter::open(content).await.map_err(|error| self.unreadable(&error))?;
        if let Some(found) = letter.loops(&reception.hostname) {
            return Err(standing::looping(found).into());
        }
        let (mut assessment, mut origin) = (Assessment::unchecked(), Origin::Mx);
        if let Some(login) = self.submitter()? {
            letter.submitted(&snapshot, envelope.sender.as_ref(), login, now, &session)?;
            origin = Origin::Submission { account: login.account(), address: login.address().clone() };
        } else if self.caller.kind == Kind::Lmtp {
            origin = Origin::Lmtp;
        } else if let Some(verifier) = &reception.verifier {
            let (back, scan) = letter.scan().await.map_err(|error| self.unreadable(&error))?;
            letter = back;
            let (client, sender) = (self.caller.peer.ip(), envelope.sender.clone());
            assessment =
                Assessment::of(verifier.verify(Arrival { client, hello: hello.name.clone(), sender }, scan).await);
            self.admit(&assessment, &envelope, &letter).await?;
        }
        let trust = if origin == Origin::Lmtp { Trust::Neighbour } else { Trust::Nobody };
        let is_submission = self.caller.kind.needs_login();
        let name = self.name.known().await;
        let client = Client { hello: &hello.name, name: name.as_ref(), address: self.caller.peer.ip() };
        let hop = Hop {
            client: Some(client).filter(|_| !is_submission),
            hostname: &reception.hostname,
            protocol,
            tls_cipher: self.tls.as_ref().map(|tls| tls.cipher.as_str()),
            session: &session,
            recipients: &envelope.recipients,
            now,
        };
        letter.arrived(&hop, trust, &assessment);
        if let Some(path) = returns::of(&snapshot, &envelope) {
            return returns::take(&reception.queue, &path.clone(), letter, &session, self.answers()).await;
        }
        let mail = Mail {
            envelope,
            origin,
            now,
            remote_ip: self.caller.peer.ip(),
            remote_host: name.map(|name| name.to_string()),
            session,
            verdicts: standing::in_words(&assessment),
            not_forwarded: assessment.forwarding_admission().err().map(|why| why.to_string()),
        };
        self.hand_over(mail, letter).await
    }

    /// A message that policy keeps out is a matter for the ledger: somebody will ask where it is.
    async fn admit(&self, assessment: &Assessment, envelope: &Envelope, letter: &Letter) -> Verdict {
        let Err(cause) = standing::admit(assessment) else { return Ok(()) };
        let mail = Mail {
            envelope: envelope.clone(),
            origin: Origin::Mx,
            now: self.reception.clock.now(),
            remote_ip: self.caller.peer.ip(),
            remote_host: None,
            session: self.caller.session.to_string(),
            verdicts: standing::in_words(assessment),
            not_forwarded: None,
        };
        let why = standing::why_not(assessment);
        let refused = RefusedMail { header: letter.header(), octets: letter.octets(), why: &why };
        if let Err(error) = self.reception.delivery.note_refusal(&mail, &refused).await {
            tracing::warn!(%error, "a refusal could not be written down");
        }
        Err(cause.into())
    }

    async fn hand_over(&self, mut mail: Mail, letter: Letter) -> Result<Delivered, Refusal> {
        let is_binary = mail.envelope.body == BodyKind::Binary;
        if is_binary {
            mail.envelope.body = BodyKind::SevenBit;
        }
        let (octets, recipients) = (letter.octets(), mail.envelope.recipients.len());
        let sender = mail.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let answers = self.answers();
        let signing = match mail.origin {
            Origin::Submission { .. } => {
                let signing = self.reception.signer.for_people(letter.header()).await;
                signing.map_err(|error| self.trouble("the keys to sign with could not be read", &error))?
            }
            // What is only passed on is somebody else's.
            _ => None,
        };
        let now = mail.now;
        let read = move |before: Vec<u8>| {
            let start = before.len();
            let mut octets = if is_binary { letter.append_text(before)? } else { letter.append_octets(before)? };
            if let Some(signing) = signing {
                signing.sign(&mut octets, start, now);
            }
            Ok(octets)
        };
        match self.reception.delivery.deliver(mail, answers, octets, read).await {
            Ok(fates) => {
                tracing::info!(%sender, recipients, octets, fates = %outcome::in_words(&fates), "message decided");
                Ok(outcome::delivered(&fates, answers))
            }
            Err(error) if error.is_unusable() => {
                tracing::info!(%error, "refused: a binary message that can't be made text");
                Err(Cause::BinaryNotConvertible.into())
            }
            Err(error) if error.is_full_disk() => {
                tracing::error!(%error, "a message could not be stored; its sender was told to come again");
                Err(Cause::StorageFull.into())
            }
            Err(error) => {
                Err(self.trouble("a message could not be delivered; its sender was told to come again", &error).into())
            }
        }
    }

    fn answers(&self) -> Answers {
        if self.caller.kind.is_lmtp() { Answers::Each } else { Answers::One }
    }

    /// The proof of who submits. `None` where nobody logs in; without one where somebody should, nothing goes on.
    fn submitter(&self) -> Result<Option<&Authenticated>, Refusal> {
        match self.logins.authenticated() {
            _ if !self.caller.kind.needs_login() => Ok(None),
            Some(login) => Ok(Some(login)),
            None => Err(Cause::LoginFirst.into()),
        }
    }

    async fn look_up(&self) -> Result<Arc<Snapshot>, Refusal> {
        let found = self.reception.directory.snapshot().await;
        found.map_err(|error| self.trouble("the directory could not be read", &error).into())
    }

    fn trouble(&self, what: &'static str, error: &dyn std::error::Error) -> Cause {
        tracing::error!(session = %self.caller.session, %error, "{what}");
        Cause::Internal
    }

    fn unreadable(&self, error: &LetterError) -> Refusal {
        match error {
            LetterError::HeaderTooLarge => Cause::HeaderTooBig.into(),
            LetterError::Spool(error) => self.trouble("a spooled message could not be read", error).into(),
        }
    }
}
