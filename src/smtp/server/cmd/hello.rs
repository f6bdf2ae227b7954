//! Connecting; EHLO, HELO, LHLO; HELP.

use crate::smtp::proto::{Command, EnhancedCode, write_reply};
use crate::smtp::server::replies::Cause;
use crate::smtp::server::service::{Hello, HelloKind, Verdict};
use crate::smtp::server::session::{Ask, Due, Session, Step};

impl Session {
    /// RFC 5321 section 3.1 would have a refused client stay until it says QUIT, hearing 503 to all it tries. It would
    /// hold a place for that; RFC 7504 section 4 knows servers that hang up.
    pub(in crate::smtp::server) fn connected(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Step {
        if let Err(refusal) = verdict {
            self.write_refusal(&refusal, out);
            return self.close();
        }
        let protocol = if self.settings.kind.is_lmtp() { "LMTP" } else { "ESMTP" };
        write_reply(out, 220, None, &format!("{} {protocol} posthouse", self.settings.hostname));
        self.read_command()
    }

    pub(in crate::smtp::server) fn hello_command(&mut self, command: &Command<'_>, out: &mut Vec<u8>) -> Step {
        let (kind, name) = match command {
            Command::Ehlo(name) => (HelloKind::Ehlo, name),
            Command::Helo(name) => (HelloKind::Helo, name),
            Command::Lhlo(name) => (HelloKind::Lhlo, name),
            _ => return self.out_of_step(out),
        };
        // RFC 2033 section 4.1.
        if (kind == HelloKind::Lhlo) != self.settings.kind.is_lmtp() {
            return self.refuse(Cause::WrongHello, out);
        }
        // RFC 5321 section 4.1.4: EHLO resets like RSET.
        self.reset();
        self.hello = Some(Hello { name: name.as_str().into(), kind });
        self.due = Due::HelloVerdict;
        Step::Ask(Ask::Hello)
    }

    pub(in crate::smtp::server) fn greeted(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Step {
        if let Err(refusal) = verdict {
            self.hello = None;
            return self.refuse(refusal, out);
        }
        let hostname = self.settings.hostname.as_str();
        match &self.hello {
            Some(Hello { kind: HelloKind::Helo, .. }) => write_reply(out, 250, None, hostname),
            _ => self.extensions().write(out, hostname),
        }
        self.read_command()
    }

    /// What works here and now: like EHLO, it names nothing that would only be refused.
    pub(in crate::smtp::server) fn help(&mut self, out: &mut Vec<u8>) -> Step {
        let offered = self.extensions();
        let hello = if self.settings.kind.is_lmtp() { "LHLO" } else { "EHLO HELO" };
        let starttls = if offered.starttls { " STARTTLS" } else { "" };
        let auth = if offered.auth.is_empty() { "" } else { " AUTH" };
        let text = format!("Commands: {hello}{starttls}{auth} MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
        write_reply(out, 214, Some(EnhancedCode(2, 0, 0)), &text);
        self.read_command()
    }
}
