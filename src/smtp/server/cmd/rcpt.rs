//! RCPT.

use crate::smtp::proto::{ForwardPath, Rcpt};
use crate::smtp::server::replies::{Cause, Success};
use crate::smtp::server::service::Verdict;
use crate::smtp::server::session::{Ask, Due, Session, Step};
use crate::types::Recipient;

impl Session {
    pub(in crate::smtp::server) fn rcpt(&mut self, rcpt: Rcpt, out: &mut Vec<u8>) -> Step {
        let Some(envelope) = &self.envelope else {
            let cause = if self.hello.is_none() { Cause::HelloFirst } else { Cause::MailFirst };
            return self.refuse(cause, out);
        };
        if self.receiving.is_some() {
            return self.refuse(Cause::DataAfterChunks, out);
        }
        let dsn = rcpt.notify.is_some() || rcpt.original.is_some();
        if dsn && !self.settings.offered.dsn {
            return self.refuse(Cause::UnknownParameter, out);
        }
        // RFC 6531 section 3.4.
        if rcpt.written_in_utf8 && !envelope.smtputf8 {
            return self.refuse_recipient(&Cause::RecipientNeedsUtf8.into(), out);
        }
        // RFC 5321 section 4.5.3.1.10: the rest of a long list comes in another transaction.
        if envelope.recipients.len() >= self.settings.limits.recipients_max {
            // Who sends all of it at once must hear of each, or he never gets to the others.
            self.was_too_long();
            return self.refuse_recipient(&Cause::TooManyRecipients.into(), out);
        }
        let address = match rcpt.path {
            ForwardPath::Mailbox(address) => address,
            ForwardPath::Postmaster => self.settings.postmaster.clone(),
        };
        self.candidate = Some(Recipient {
            address,
            notify: rcpt.notify.unwrap_or_default(),
            original: rcpt.original.map(|original| original.as_str().to_owned()),
        });
        self.due = Due::RcptVerdict;
        Step::Ask(Ask::Rcpt)
    }

    pub(in crate::smtp::server) fn rcpt_decided(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Step {
        let candidate = self.candidate.take();
        self.was_useful();
        match (verdict, candidate, &mut self.envelope) {
            (Ok(()), Some(recipient), Some(envelope)) => {
                envelope.recipients.push(recipient);
                self.reply(Success::RecipientOk, out)
            }
            (Err(refusal), ..) => self.refuse_recipient(&refusal, out),
            _ => self.out_of_step(out),
        }
    }
}
