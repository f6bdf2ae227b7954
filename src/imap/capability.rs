//! What is advertised, by state. A name stands here only when all of it works.

use super::session::Session;
use crate::auth::Mechanism;

/// In every state. Clients decide by some of these how to log in, so they can't wait until after it.
const ALWAYS: &[&str] = &["IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE"];

/// After login only: a stranger need not know what software this is, and the list is sent again with the OK.
const AFTER_LOGIN: &[&str] = &[
    "NAMESPACE",
    "UNAUTHENTICATE",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "CONDSTORE",
    "QRESYNC",
    "STATUS=SIZE",
    "OBJECTID",
    "SAVEDATE",
    "PREVIEW",
    "BINARY",
    "MULTIAPPEND",
];

impl Session {
    pub(super) fn capabilities(&self) -> Vec<&'static str> {
        let mut names = ALWAYS.to_vec();
        if self.login.is_some() {
            names.extend(AFTER_LOGIN);
            if !self.link.compressed {
                names.push("COMPRESS=DEFLATE");
            }
            return names;
        }
        if self.link.can_start_tls {
            names.push("STARTTLS");
        }
        let offered = self.services.auth.offered(&self.link.peer);
        // RFC 9051 section 6.2.3.
        if !offered.contains(&Mechanism::Plain) {
            names.push("LOGINDISABLED");
        }
        names.extend(offered.iter().map(|mechanism| match mechanism {
            Mechanism::Plain => "AUTH=PLAIN",
            Mechanism::Login => "AUTH=LOGIN",
            Mechanism::ScramSha256 => "AUTH=SCRAM-SHA-256",
            Mechanism::ScramSha256Plus => "AUTH=SCRAM-SHA-256-PLUS",
        }));
        names
    }
}
