//! DATA, the end of a message, and what becomes of it.

use super::receiving::{Receiving, Taken};
use crate::message::Protocol;
use crate::smtp::proto::write_reply;
use crate::smtp::server::replies::{Cause, Refusal, Success};
use crate::smtp::server::service::{Delivered, Hello, HelloKind, Verdict};
use crate::smtp::server::session::{Ask, Due, Pipelined, Session, Step};
use crate::types::{BodyKind, Envelope};

impl Session {
    pub(in crate::smtp::server) fn data_command(&mut self, pipelined: Pipelined, out: &mut Vec<u8>) -> Step {
        self.pipelined = pipelined;
        let cause = match &self.envelope {
            _ if self.receiving.is_some() => Cause::DataAfterChunks,
            Some(envelope) if envelope.body == BodyKind::Binary => Cause::BinaryNeedsChunks,
            Some(envelope) if !envelope.recipients.is_empty() => {
                self.due = Due::DataVerdict;
                return Step::Ask(Ask::Data);
            }
            _ => self.without_recipients(),
        };
        self.refuse_data(cause.into(), out)
    }

    pub(super) fn without_recipients(&self) -> Cause {
        match &self.envelope {
            _ if self.hello.is_none() => Cause::HelloFirst,
            None => Cause::MailFirst,
            Some(_) if self.settings.kind.is_lmtp() => Cause::NoRecipientsLmtp,
            Some(_) => Cause::NoRecipients,
        }
    }

    /// A client that sent its message without waiting for 354 would have us read it as commands now. This is how web
    /// pages talk to mail servers (RFC 2920 section 3.1 makes DATA the last of a group).
    fn refuse_data(&mut self, refusal: Refusal, out: &mut Vec<u8>) -> Step {
        let step = self.refuse(refusal, out);
        if self.pipelined == Pipelined::More { self.close() } else { step }
    }

    pub(in crate::smtp::server) fn data_decided(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Step {
        if let Some(receiving) = &mut self.receiving {
            if let Err(refusal) = verdict {
                receiving.refuse(refusal);
            }
            return self.read_chunk();
        }
        if let Err(refusal) = verdict {
            self.reset();
            return self.refuse_data(refusal, out);
        }
        let settings = &self.settings;
        self.receiving = Some(Receiving::dotted(settings.kind.line_ends(), settings.limits.message_octets_max));
        self.write(Success::StartData, out);
        self.due = Due::Data;
        Step::ReadData
    }

    /// The message's next octets as they came. What is kept of them is appended to `content`. Returns how many of them
    /// were the message's; the others are for the step.
    pub fn data(&mut self, input: &[u8], content: &mut Vec<u8>, out: &mut Vec<u8>) -> (usize, Step) {
        let (Due::Data, Some(receiving)) = (self.due, &mut self.receiving) else {
            return (0, self.out_of_step(out));
        };
        match receiving.take(input, content) {
            Taken::All => (input.len(), Step::ReadData),
            Taken::End(taken) if receiving.chunks().is_some() => (taken, self.chunk_read(content, out)),
            Taken::End(taken) => (taken, self.message_read(content, out)),
            Taken::TooMuch => {
                let refusal = receiving.refusal().cloned().unwrap_or_else(|| Cause::TooBig.into());
                self.write_refusal(&refusal, out);
                (input.len(), self.close())
            }
        }
    }

    /// What was received could not be kept.
    pub fn content_lost(&mut self) {
        if let Some(receiving) = &mut self.receiving {
            receiving.refuse(Cause::StorageFull);
        }
    }

    /// The end of it: refused for what is known, or handed on.
    pub(super) fn message_read(&mut self, content: &mut Vec<u8>, out: &mut Vec<u8>) -> Step {
        let (Some(receiving), Some(envelope)) = (&mut self.receiving, &mut self.envelope) else {
            return self.out_of_step(out);
        };
        self.delivering = envelope.recipients.len();
        if let Err(refusal) = receiving.finish(content) {
            return self.message_decided(Delivered::All(Err(refusal)), out);
        }
        // RFC 6152 section 3: text with eighth bits is such, declared or not; whoever sends it on has to know.
        if receiving.eight_bit() && envelope.body == BodyKind::SevenBit {
            envelope.body = BodyKind::EightBit;
        }
        self.due = Due::Delivery;
        Step::Ask(Ask::Deliver)
    }

    /// For [`Ask::Deliver`], once: the envelope, who sent it, and the protocol as trace fields name it.
    pub fn take_message(&mut self) -> Option<(Envelope, Hello, Protocol)> {
        if self.due != Due::Delivery {
            return None;
        }
        let (envelope, hello) = (self.envelope.take()?, self.hello.clone()?);
        let protocol = self.protocol(&envelope, &hello);
        Some((envelope, hello, protocol))
    }

    pub(in crate::smtp::server) fn message_decided(&mut self, delivered: Delivered, out: &mut Vec<u8>) -> Step {
        let recipients = std::mem::take(&mut self.delivering);
        self.reset();
        if self.settings.kind.is_lmtp() && recipients > 0 {
            return self.answer_each(recipients, &delivered, out);
        }
        let verdict = match delivered {
            Delivered::All(verdict) => verdict,
            // One reply for all: taken by one is taken, and what the others would have said is for whoever took it.
            Delivered::Each(verdicts) if verdicts.contains(&Ok(())) => Ok(()),
            Delivered::Each(verdicts) => verdicts.into_iter().next().unwrap_or_else(|| Err(Cause::Internal.into())),
        };
        match verdict {
            Ok(()) => {
                self.was_honest();
                self.write_accepted(out);
                self.read_command()
            }
            Err(refusal) => self.refuse(refusal, out),
        }
    }

    /// RFC 2033 section 4.2: a reply for each RCPT that was accepted, in their order.
    fn answer_each(&mut self, recipients: usize, delivered: &Delivered, out: &mut Vec<u8>) -> Step {
        let lost = Err(Cause::Internal.into());
        let mut ends = false;
        for at in 0..recipients {
            let verdict = match delivered {
                Delivered::All(verdict) => verdict,
                Delivered::Each(verdicts) => verdicts.get(at).unwrap_or(&lost),
            };
            match verdict {
                Ok(()) => {
                    self.was_honest();
                    self.write_accepted(out);
                }
                Err(refusal) => {
                    ends |= refusal.cause.ends_session();
                    self.write_refusal(refusal, out);
                }
            }
        }
        if ends { self.close() } else { self.read_command() }
    }

    /// With the session's id: what a sender can name when he asks where his message went.
    fn write_accepted(&self, out: &mut Vec<u8>) {
        let entry = Success::Accepted.entry();
        write_reply(out, entry.code, entry.enhanced, &format!("{} [{}]", entry.text, self.id));
    }

    fn protocol(&self, envelope: &Envelope, hello: &Hello) -> Protocol {
        Protocol {
            is_lmtp: hello.kind == HelloKind::Lhlo,
            is_extended: hello.kind != HelloKind::Helo,
            has_tls: self.link.encrypted,
            is_authenticated: self.login.is_some(),
            is_utf8: envelope.smtputf8,
        }
    }
}
