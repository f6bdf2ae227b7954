//! STARTTLS and COMPRESS: what lies below the session.

use crate::imap::cause::Cause;
use crate::imap::session::{Done, Outcome, Session, Step};

impl Session {
    pub(super) fn start_tls(&mut self) -> Outcome {
        if self.link.encrypted {
            return Err(Cause::TlsAlready);
        }
        if self.login.is_some() {
            return Err(Cause::LoggedInAlready);
        }
        if !self.link.can_start_tls {
            return Err(Cause::TlsNotOffered);
        }
        Ok(Done::CompletedThen(Step::StartTls))
    }

    /// RFC 4978.
    pub(super) fn compress(&mut self, algorithm: &str) -> Outcome {
        if algorithm != "DEFLATE" {
            return Err(Cause::UnknownCompression);
        }
        if self.link.compressed {
            return Err(Cause::CompressedAlready);
        }
        self.link.compressed = true;
        Ok(Done::CompletedThen(Step::Compress))
    }
}
