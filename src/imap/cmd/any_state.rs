//! CAPABILITY, NOOP, LOGOUT, ID, ENABLE, NAMESPACE.

use crate::imap::replies::NamespaceKind;
use crate::imap::session::{COMPLETED, Done, Outcome, Session, Step};
use crate::mailbox::OTHER_USERS;
use crate::types::HIERARCHY_SEPARATOR;

impl Session {
    pub(super) fn capability(&mut self) -> Outcome {
        let names = self.capabilities();
        self.replies.capability(&names);
        Ok(COMPLETED)
    }

    /// What there is to tell is told at the end of every command.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // a handler like the others
    pub(super) fn noop(&mut self) -> Outcome {
        Ok(COMPLETED)
    }

    pub(super) fn logout(&mut self) -> Outcome {
        self.replies.bye(None, "Goodbye");
        Ok(Done::CompletedThen(Step::Close))
    }

    /// RFC 2971. What the client says of itself is not believed, not needed, and not kept. The version is for those who
    /// are logged in: before that, only an attacker would like to know it.
    pub(super) fn identify(&mut self) -> Outcome {
        let fields = [("name", "posthouse"), ("version", env!("CARGO_PKG_VERSION"))];
        self.replies.id(if self.login.is_some() { &fields } else { &fields[..1] });
        Ok(COMPLETED)
    }

    /// RFC 5161: what is unknown is ignored, and only what is newly on is listed.
    pub(super) fn enable(&mut self, names: &[String]) -> Outcome {
        let mut on = Vec::new();
        for name in names {
            let (switch, shown) = match name.as_str() {
                "IMAP4REV2" => (&mut self.enabled.rev2, "IMAP4rev2"),
                "CONDSTORE" => (&mut self.enabled.condstore, "CONDSTORE"),
                "QRESYNC" => {
                    // RFC 7162 section 3.2.3: QRESYNC is CONDSTORE and more.
                    self.enabled.condstore = true;
                    (&mut self.enabled.qresync, "QRESYNC")
                }
                "UTF8=ACCEPT" => (&mut self.enabled.utf8_accept, "UTF8=ACCEPT"),
                "UIDONLY" => (&mut self.enabled.uid_only, "UIDONLY"),
                _ => continue,
            };
            if !std::mem::replace(switch, true) {
                on.push(shown);
            }
        }
        self.adapt_replies();
        let dialect = self.dialect();
        if let Some(selected) = self.selected.as_deref_mut() {
            selected.view.dialect = dialect;
        }
        self.replies.enabled(&on);
        Ok(COMPLETED)
    }

    /// RFC 9051 section 6.3.10.
    pub(super) fn namespace(&mut self) -> Outcome {
        let others = format!("{OTHER_USERS}{HIERARCHY_SEPARATOR}");
        self.replies.namespace(&[(NamespaceKind::Personal, ""), (NamespaceKind::OtherUsers, &others)]);
        Ok(COMPLETED)
    }
}
