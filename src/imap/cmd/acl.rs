//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).

use crate::imap::cause::Cause;
use crate::imap::grammar::{self, IdentifierRights, Mailbox};
use crate::imap::session::{COMPLETED, Outcome, Session};
use crate::mailbox::{Rights, RightsChange};

impl Session {
    pub(super) async fn set_acl(&mut self, wanted: IdentifierRights) -> Outcome {
        let viewer = self.viewer()?;
        let name = wanted.mailbox.named()?;
        let rights = Rights::parse(&wanted.rights).ok_or(Cause::UnknownRight)?;
        let change = match wanted.change {
            grammar::RightsChange::Replace => RightsChange::Replace,
            grammar::RightsChange::Add => RightsChange::Add,
            grammar::RightsChange::Remove => RightsChange::Remove,
        };
        self.services.mailboxes.set_acl(viewer, &name, &wanted.identifier, change, rights).await?;
        Ok(COMPLETED)
    }

    pub(super) async fn delete_acl(&mut self, mailbox: Mailbox, identifier: &str) -> Outcome {
        let viewer = self.viewer()?;
        self.services.mailboxes.delete_acl(viewer, &mailbox.named()?, identifier).await?;
        Ok(COMPLETED)
    }

    pub(super) async fn acl(&mut self, mailbox: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        let name = mailbox.named()?;
        let lines = self.services.mailboxes.acl(viewer, &name).await?;
        let shown: Vec<(String, String)> =
            lines.into_iter().map(|line| (line.identifier, line.rights.to_string())).collect();
        self.replies.acl(&name, shown.iter().map(|(identifier, rights)| (identifier.as_str(), rights.as_str())));
        Ok(COMPLETED)
    }

    pub(super) async fn list_rights(&mut self, mailbox: Mailbox, identifier: &str) -> Outcome {
        let viewer = self.viewer()?;
        let name = mailbox.named()?;
        let (always, others) = self.services.mailboxes.list_rights(viewer, &name, identifier).await?;
        let others = letters(others);
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        self.replies.list_rights(&name, identifier, &always.to_string(), &others);
        Ok(COMPLETED)
    }

    pub(super) async fn my_rights(&mut self, mailbox: Mailbox) -> Outcome {
        let viewer = self.viewer()?;
        let name = mailbox.named()?;
        let rights = self.services.mailboxes.my_rights(viewer, &name).await?;
        self.replies.my_rights(&name, &rights.to_string());
        Ok(COMPLETED)
    }
}

/// One by one, each can be given without the others. The obsolete letters stand for several and are none of their own.
fn letters(rights: Rights) -> Vec<String> {
    rights.to_string().chars().filter(|letter| !matches!(letter, 'c' | 'd')).map(String::from).collect()
}
