//! A message between its arrival and its delivery: its header in memory, changed as its way through here demands, its body
//! wherever it was spooled to.

use super::senders;
use crate::auth::Authenticated;
use crate::directory::Snapshot;
use crate::message::{HeaderEdit, NewField, Protocol, Received, body_offset, is_forged_authentication_results};
use crate::net::TlsFacts;
use crate::smtp::server::{Cause, Hello, Kind, Spooled, Submission, claimed_senders, completed};
use crate::types::limits::{MESSAGE_HEADER_OCTETS_MAX, SPOOL_MEMORY_OCTETS};
use crate::types::{Address, Domain, Recipient, Timestamp};
use std::fmt;
use std::io;
use std::net::IpAddr;

pub(super) struct Letter {
    content: Spooled,
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

/// How the message came here, for its Received field.
pub(super) struct Hop<'a> {
    pub(super) hello: &'a Hello,
    pub(super) peer: Option<IpAddr>,
    pub(super) by: &'a Domain,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<&'a TlsFacts>,
    pub(super) session: &'a str,
    pub(super) recipients: &'a [Recipient],
    pub(super) now: Timestamp,
    pub(super) kind: Kind,
}

/// Fields in which whoever filters mail writes down what it found: a stranger's are lies, or about another delivery.
const FILTERS_FIELDS: [&str; 5] = ["X-Spam-Status", "X-Spam-Score", "X-Spam-Flag", "X-Spam-Level", "X-Virus-Status"];

impl Letter {
    pub(super) async fn open(content: Spooled) -> Result<Self, LetterError> {
        if content.as_slice().is_some() {
            return Self::of(content);
        }
        let opening = tokio::task::spawn_blocking(move || Self::of(content));
        opening.await.map_err(|error| LetterError::Spool(io::Error::other(error)))?
    }

    fn of(mut content: Spooled) -> Result<Self, LetterError> {
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

    pub(super) fn octets(&self) -> usize {
        let body = self.content.octets() - self.body_at;
        self.header.len() + usize::try_from(body).unwrap_or(usize::MAX / 4)
    }

    /// The whole message, in memory. May wait for the disk.
    pub(super) fn into_octets(self) -> io::Result<Vec<u8>> {
        let Self { content, mut header, body_at } = self;
        content.append_rest(body_at, &mut header)?;
        Ok(header)
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

    /// Takes out what only the house may say.
    pub(super) fn distrust(&mut self, hostname: &Domain) {
        let mut edit = HeaderEdit::new(&self.header);
        let removed = edit.remove(|field| {
            is_forged_authentication_results(field, hostname) || FILTERS_FIELDS.iter().any(|name| field.is(name))
        });
        if removed > 0 {
            self.header = edit.into_header();
        }
    }

    /// RFC 5321 section 4.4. Of a submitter neither address nor machine are told: his mail begins here.
    pub(super) fn received(&mut self, hop: &Hop<'_>) {
        let is_submission = hop.kind.needs_login();
        let recipient = match hop.recipients {
            [only] => Some(&only.address),
            _ => None,
        };
        let field = Received {
            helo: Some(&*hop.hello.name).filter(|_| !is_submission),
            client_name: None,
            client_ip: hop.peer.filter(|_| !is_submission),
            by: hop.by,
            protocol: hop.protocol,
            tls_cipher: hop.tls.map(|tls| tls.cipher.as_str()),
            id: hop.session,
            recipient,
            at: hop.now,
            offset_seconds: 0,
        };
        self.prepend(&[field.field()]);
    }

    pub(super) fn prepend(&mut self, fields: &[NewField]) {
        let mut edit = HeaderEdit::new(&self.header);
        edit.prepend(fields);
        self.header = edit.into_header();
    }
}
