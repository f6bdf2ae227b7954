//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). A limit that is not there is a resource that is not listed.

use crate::imap::cause::Cause;
use crate::imap::grammar::{Mailbox, QuotaLimit};
use crate::imap::session::{COMPLETED, Outcome, Session};
use crate::mailbox::{Quota, STORAGE_UNIT_OCTETS, Standing};

impl Session {
    pub(super) async fn quota(&mut self, root: &str) -> Outcome {
        let quota = self.services.mailboxes.quota(self.viewer()?, self.standing()?, root).await?;
        self.tell_quota(root, quota);
        Ok(COMPLETED)
    }

    pub(super) async fn quota_root(&mut self, mailbox: Mailbox) -> Outcome {
        let name = mailbox.named()?;
        let (root, quota) = self.services.mailboxes.quota_root(self.viewer()?, &name).await?;
        self.replies.quota_root(&name, &[&root]);
        self.tell_quota(&root, quota);
        Ok(COMPLETED)
    }

    pub(super) async fn set_quota(&mut self, root: &str, limits: &[QuotaLimit]) -> Outcome {
        let (mut octets_max, mut messages_max) = (None, None);
        for limit in limits {
            match limit.resource.as_str() {
                "STORAGE" => octets_max = Some(limit.limit.saturating_mul(STORAGE_UNIT_OCTETS)),
                "MESSAGE" => messages_max = Some(limit.limit),
                _ => return Err(Cause::UnknownResource),
            }
        }
        let quota = self.services.mailboxes.set_quota(self.standing()?, root, octets_max, messages_max).await?;
        self.tell_quota(root, quota);
        Ok(COMPLETED)
    }

    fn tell_quota(&mut self, root: &str, quota: Quota) {
        let mut resources = Vec::new();
        if let Some(max) = quota.octets_max {
            let used = quota.octets.div_ceil(STORAGE_UNIT_OCTETS);
            resources.push(("STORAGE", used, max / STORAGE_UNIT_OCTETS));
        }
        if let Some(max) = quota.messages_max {
            resources.push(("MESSAGE", quota.messages, max));
        }
        self.replies.quota(root, &resources);
    }

    pub(super) fn standing(&self) -> Result<Standing, Cause> {
        Ok(if self.person()?.is_administrator() { Standing::Administrator } else { Standing::Person })
    }
}
