//! A message between its arrival and its delivery: its header in memory, changed as its way through here demands, its body
//! wherever it was spooled to.

use super::senders;
use crate::auth::Authenticated;
use crate::directory::Snapshot;
use crate::message::{HeaderEdit, NewField, Protocol, Received, Structure, body_offset, to_seven_bit};
use crate::policy::{Assessment, Loop, Scan, Trust, assessment_fields, check_loop, remove_forgeries};
use crate::smtp::server::{Cause, Submission, claimed_senders, completed};
use crate::types::limits::{MESSAGE_HEADER_OCTETS_MAX, SPOOL_MEMORY_OCTETS};
use crate::types::{Address, Domain, HeldMessage, Recipient, Timestamp, roomy};
use std::fmt;
use std::io;
use std::net::IpAddr;

pub(super) struct Letter {
    content: HeldMessage,
    /// With the blank line.
    header: Vec<u8>,
    /// Where the body begins in the spooled message.
    body_at: u64,
}

#[derive(Debug)]
pub(super) enum LetterError {
    HeaderTooLarge,
    Spool(io::Error),
}

impl fmt::Display for LetterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTooLarge => formatter.write_str("the header is larger than any may be"),
            Self::Spool(error) => write!(formatter, "the spooled message can't be read: {error}"),
        }
    }
}

impl std::error::Error for LetterError {}

impl Letter {
    pub(super) async fn open(content: HeldMessage) -> Result<Self, LetterError> {
        if content.as_slice().is_some() {
            return Self::of(content);
        }
        let opening = tokio::task::spawn_blocking(move || Self::of(content));
        opening.await.map_err(|error| LetterError::Spool(io::Error::other(error)))?
    }

    fn of(mut content: HeldMessage) -> Result<Self, LetterError> {
        let octets = content.octets();
        // Most headers are in the first piece; only a strange message is read up to the limit.
        for octets_max in [SPOOL_MEMORY_OCTETS, MESSAGE_HEADER_OCTETS_MAX] {
            let head = content.head(octets_max).map_err(LetterError::Spool)?;
            let end = body_offset(&head);
            if end < head.len() || head.len() as u64 == octets {
                let header = head[..end].to_vec();
                return Ok(Self { content, header, body_at: end as u64 });
            }
        }
        Err(LetterError::HeaderTooLarge)
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    pub(super) fn octets(&self) -> usize {
        let body = self.content.octets() - self.body_at;
        self.header.len() + usize::try_from(body).unwrap_or(usize::MAX / 4)
    }

    /// The whole message, in memory, behind what is in `out`. May wait for the disk.
    pub(super) fn append_octets(self, mut out: Vec<u8>) -> io::Result<Vec<u8>> {
        out.try_reserve_exact(roomy(out.len() + self.octets()) - out.len())?;
        let Self { content, header, body_at } = self;
        out.extend_from_slice(&header);
        content.append_rest(body_at, &mut out)?;
        Ok(out)
    }

    /// As [`Self::append_octets`], for a binary message (RFC 3030 section 3): its parts in base64, since mail programs and the
    /// servers it may go to understand nothing else. [`io::ErrorKind::InvalidData`] where a signature forbids it.
    pub(super) fn append_text(self, mut out: Vec<u8>) -> io::Result<Vec<u8>> {
        let octets = self.append_octets(Vec::new())?;
        let text = to_seven_bit(&octets, &Structure::scan(&octets));
        out.extend_from_slice(&text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?);
        Ok(out)
    }

    /// What becomes of a submitter's header, and whether he may send it so.
    pub(super) fn submitted(
        &mut self,
        snapshot: &Snapshot,
        sender: Option<&Address>,
        login: &Authenticated,
        now: Timestamp,
        session: &str,
    ) -> Result<(), Cause> {
        let sender = sender.unwrap_or(login.address());
        senders::may_write_as(snapshot, &claimed_senders(&self.header, sender)?, login)?;
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|_| Cause::Internal)?;
        let token = format!("{session}.{:016x}", u64::from_be_bytes(random));
        let header = completed(&self.header, &Submission { sender, now, token: &token })?.into_header();
        self.header = header;
        Ok(())
    }

    /// Whether the message goes in circles.
    pub(super) fn loops(&self, hostname: &Domain) -> Option<Loop> {
        check_loop(&self.header, hostname).err()
    }

    /// Looks for what authentication needs. May wait for the disk, if the message is not in memory.
    pub(super) async fn scan(mut self) -> Result<(Self, Scan), LetterError> {
        let in_memory = self.content.as_slice().is_some();
        let scanning = move || {
            let source = self.content.reader().map_err(LetterError::Spool)?;
            let scan = Scan::read(source).map_err(LetterError::Spool)?;
            Ok((self, scan))
        };
        if in_memory {
            return scanning();
        }
        let task = tokio::task::spawn_blocking(scanning);
        task.await.map_err(|error| LetterError::Spool(io::Error::other(error)))?
    }

    /// What nobody else may have written goes, what was found and where the message came from stands on top.
    pub(super) fn arrived(&mut self, hop: &Hop<'_>, trust: Trust, assessment: &Assessment) {
        let mut edit = HeaderEdit::new(&self.header);
        remove_forgeries(&mut edit, trust, hop.hostname);
        let mut fields = assessment_fields(assessment, hop.hostname);
        fields.push(hop.received());
        edit.prepend(&fields);
        self.header = edit.into_header();
    }
}

/// How a message came here, for its Received field (RFC 5321 section 4.4).
pub(super) struct Hop<'a> {
    /// `None` of a submitter: neither address nor machine of his are told, his mail begins here.
    pub(super) client: Option<Client<'a>>,
    pub(super) hostname: &'a Domain,
    pub(super) protocol: Protocol,
    pub(super) tls_cipher: Option<&'a str>,
    pub(super) session: &'a str,
    pub(super) recipients: &'a [Recipient],
    pub(super) now: Timestamp,
}

pub(super) struct Client<'a> {
    pub(super) hello: &'a str,
    /// That DNS has both ways.
    pub(super) name: Option<&'a Domain>,
    pub(super) address: Option<IpAddr>,
}

impl Hop<'_> {
    fn received(&self) -> NewField {
        // With several recipients, nobody is told of the others (RFC 5321 section 7.6); of a submitter's one, whether
        // somebody else has a blind copy is nobody's business either.
        let recipient = match self.recipients {
            [only] if self.client.is_some() => Some(&only.address),
            _ => None,
        };
        let received = Received {
            helo: self.client.as_ref().map(|client| client.hello),
            client_name: self.client.as_ref().and_then(|client| client.name).map(Domain::as_str),
            client_ip: self.client.as_ref().and_then(|client| client.address),
            by: self.hostname,
            protocol: self.protocol,
            tls_cipher: self.tls_cipher,
            id: self.session,
            recipient,
            at: self.now,
            offset_seconds: 0,
        };
        received.field()
    }
}
