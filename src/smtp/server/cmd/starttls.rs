//! STARTTLS (RFC 3207).

use crate::smtp::server::replies::{Cause, Success};
use crate::smtp::server::session::{Due, Pipelined, Session, Step};
use crate::smtp::server::settings::Link;

impl Session {
    pub(in crate::smtp::server) fn starttls(&mut self, pipelined: Pipelined, out: &mut Vec<u8>) -> Step {
        if self.link.encrypted {
            return self.refuse(Cause::TlsAlready, out);
        }
        if !self.settings.offered.starttls {
            return self.refuse(Cause::TlsNotOffered, out);
        }
        // Somebody in between may have put commands there for us to run after the handshake, as the client's own
        // (CVE-2011-0411). Going on without them would be safe too; but no honest client does it.
        if pipelined == Pipelined::More {
            return self.refuse(Cause::NotWaited, out);
        }
        self.write(Success::ReadyForTls, out);
        self.due = Due::Tls;
        Step::StartTls
    }

    pub(in crate::smtp::server) fn tls_started(&mut self, link: Link) -> Step {
        // RFC 3207 section 4.2: all that was said before is forgotten.
        self.reset();
        self.hello = None;
        self.login = None;
        self.link = link;
        self.read_command()
    }
}
