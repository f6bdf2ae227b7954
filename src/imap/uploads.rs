//! Messages on their way in, as the literals of one command: from the client's octets to the mailbox's own keeping, piece
//! by piece.

use super::cause::Cause;
use super::framing::{Announced, Refusal};
use super::grammar::{self, AnnouncedFor, Payload};
use super::session::Session;
use crate::mailbox::{Incoming, MailboxError, Mailboxes};
use crate::types::HeldMessage;

#[derive(Default)]
pub(super) struct Uploads {
    /// By the number of the literal. `None` once taken.
    complete: Vec<Option<HeldMessage>>,
    coming: Option<Incoming>,
    nul_allowed: bool,
    /// What became of the command already; its octets are read past.
    failed: Option<Cause>,
}

impl Uploads {
    /// A literal that was streamed or came with the command, ready to be kept.
    pub(super) fn take(&mut self, payload: Payload) -> Result<HeldMessage, Cause> {
        if let Some(cause) = self.failed.take() {
            return Err(cause);
        }
        match payload {
            Payload::Here(octets) => Ok(HeldMessage::in_memory(octets)),
            Payload::Streamed { index, .. } => {
                self.complete.get_mut(index).and_then(Option::take).ok_or(Cause::Unexpected)
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn begin(&mut self, mailboxes: &Mailboxes, nul_allowed: bool) {
        self.coming = Some(mailboxes.incoming());
        self.nul_allowed = nul_allowed;
    }

    /// Octets of the literal. Whatever is wrong with them is said when the command is complete.
    pub(super) async fn data(&mut self, octets: &[u8]) {
        // RFC 9051 section 4.3.1: only a literal8 may hold NUL.
        if !self.nul_allowed && memchr::memchr(0, octets).is_some() {
            self.failed.get_or_insert(Cause::NulInMessage);
        }
        if self.failed.is_some() {
            self.coming = None;
        }
        if let Some(coming) = &mut self.coming
            && let Err(error) = coming.write(octets).await
        {
            self.failed.get_or_insert(error.into());
        }
    }

    pub(super) async fn data_end(&mut self) {
        let received = match self.coming.take() {
            Some(coming) => coming.finish().await.map_err(|error| self.failed.get_or_insert(error.into())).ok(),
            None => None,
        };
        self.complete.push(received);
    }
}

impl Session {
    /// Whether a long literal may come: only a message for a mailbox that is there, and that is not too long for it. What
    /// would be refused later anyway is refused before it is sent.
    pub(super) async fn announced(&mut self, announced: Announced<'_>) -> Result<(), Refusal> {
        let octets = announced.octets;
        let nul_allowed = announces_literal8(announced.so_far);
        let (tag, cause) = match grammar::announced_for(announced, self.mode()) {
            AnnouncedFor::Message { tag, mailbox } => match self.admits(mailbox, octets).await {
                Ok(()) => {
                    self.uploads.begin(&self.services.mailboxes, nul_allowed);
                    return Ok(());
                }
                Err(cause) => (Some(tag), cause),
            },
            AnnouncedFor::Nothing { tag, cause } => (tag, Cause::Grammar(cause)),
        };
        self.uploads.clear();
        // Said at once: the client that waits sends nothing, and the one that does not wait is answered when it is done.
        self.refused_upload = Some((tag, cause));
        Err(Refusal::BySession)
    }

    async fn admits(&mut self, mailbox: grammar::Mailbox, octets: u64) -> Result<(), Cause> {
        let viewer = self.viewer()?;
        if octets > self.services.mailboxes.settings().message_octets_max {
            return Err(MailboxError::MessageTooLarge.into());
        }
        let name = mailbox.named()?;
        self.services.mailboxes.check_append(viewer, &name, 1, octets).await.map_err(Cause::for_target)?;
        Ok(())
    }
}

/// `~{n}`: the tilde stands before the brace.
fn announces_literal8(so_far: &[u8]) -> bool {
    let before = memchr::memrchr(b'{', so_far).and_then(|at| at.checked_sub(1)).and_then(|at| so_far.get(at));
    before == Some(&b'~')
}
