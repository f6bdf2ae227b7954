//! IDLE (RFC 9051 section 6.3.13). What is told meanwhile, the driver asks the session for.

use crate::imap::cause::Cause;
use crate::imap::session::{COMPLETED, Done, Outcome, Session, Step};

impl Session {
    pub(super) fn idle(&mut self) -> Outcome {
        self.idling = true;
        self.replies.continuation("Waiting");
        Ok(Done::Later(Step::ReadLine))
    }

    pub(super) fn idle_end(&mut self, line: &[u8]) -> Outcome {
        self.idling = false;
        if line.eq_ignore_ascii_case(b"DONE") { Ok(COMPLETED) } else { Err(Cause::DoneExpected) }
    }
}
