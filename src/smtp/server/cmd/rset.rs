//! RSET and QUIT.

use crate::smtp::server::replies::Success;
use crate::smtp::server::session::{Session, Step};

impl Session {
    pub(in crate::smtp::server) fn rset(&mut self, out: &mut Vec<u8>) -> Step {
        self.reset();
        self.reply(Success::Reset, out)
    }

    pub(in crate::smtp::server) fn quit(&mut self, out: &mut Vec<u8>) -> Step {
        self.write(Success::Goodbye, out);
        self.close()
    }
}
