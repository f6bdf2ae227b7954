//! What is advertised, by state. A name stands here only when all of it works.

use super::session::Session;
use crate::auth::Mechanism;
use std::borrow::Cow;

/// In every state. Clients decide by some of these how to log in, so they can't wait until after it.
const ALWAYS: &[&str] = &["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE"];

/// After login only: a stranger need not know what software this is, and the list is sent again with the OK.
const AFTER_LOGIN: &[&str] = &[
    "NAMESPACE",
    "ACL",
    // RFC 4314 section 2.2: the rights that older texts do not have.
    "RIGHTS=kxte",
    "LIST-MYRIGHTS",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTASET",
    "METADATA",
    "LIST-METADATA",
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
    "CATENATE",
    "URL-PARTIAL",
    "REPLACE",
    "UIDONLY",
    "UIDBATCHES",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "PARTIAL",
    "INPROGRESS",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "I18NLEVEL=1",
    "CONTEXT=SEARCH",
    "MULTISEARCH",
    "NOTIFY",
    "UTF8=ACCEPT",
    "FILTER=SIEVE",
];

/// RFC 5804 section 3: what a URL means that names none.
const MANAGESIEVE_PORT: u16 = 4190;

impl Session {
    /// RFC 6785 section 2.1: where scripts are put. Where that is nowhere, clients are not sent there; scripts that
    /// administrators put run all the same.
    fn scripts_place(&self) -> Option<Cow<'static, str>> {
        let host = &self.services.hostname;
        Some(match self.services.managesieve_port? {
            MANAGESIEVE_PORT => format!("IMAPSIEVE=sieve://{host}").into(),
            port => format!("IMAPSIEVE=sieve://{host}:{port}").into(),
        })
    }

    pub(super) fn capabilities(&self) -> Vec<Cow<'static, str>> {
        let mut names: Vec<Cow<'static, str>> = ALWAYS.iter().copied().map(Cow::from).collect();
        if self.login.is_some() {
            names.extend(AFTER_LOGIN.iter().copied().map(Cow::from));
            names.push(format!("MESSAGELIMIT={}", self.services.messages_max).into());
            names.extend(self.scripts_place());
            // RFC 7889 section 2: one limit for all mailboxes.
            names.push(format!("APPENDLIMIT={}", self.services.mailboxes.settings().message_octets_max).into());
            if !self.link.compressed {
                names.push("COMPRESS=DEFLATE".into());
            }
            return names;
        }
        if self.link.can_start_tls {
            names.push("STARTTLS".into());
        }
        let offered = self.services.auth.offered(&self.link.peer);
        // RFC 9051 section 6.2.3.
        if !offered.contains(&Mechanism::Plain) {
            names.push("LOGINDISABLED".into());
        }
        names.extend(offered.iter().map(|mechanism| {
            Cow::from(match mechanism {
                Mechanism::Plain => "AUTH=PLAIN",
                Mechanism::Login => "AUTH=LOGIN",
                Mechanism::ScramSha256 => "AUTH=SCRAM-SHA-256",
                Mechanism::ScramSha256Plus => "AUTH=SCRAM-SHA-256-PLUS",
            })
        }));
        names
    }
}
