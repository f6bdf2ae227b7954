//! Which mailbox a name of one's own means, as it was looked up last: SELECT again and again asks no database.

use crate::types::limits::OPEN_MAILBOXES_UNUSED_MAX;
use crate::types::{AccountId, MailboxId, MailboxName};
use std::collections::HashMap;

/// All of one generation of the store's names: when any mailbox gets another name, everything is looked up anew.
#[derive(Debug, Default)]
pub(super) struct Names {
    generation: u64,
    known: HashMap<AccountId, HashMap<MailboxName, MailboxId>>,
    count: usize,
}

impl Names {
    pub(super) fn get(&self, generation: u64, owner: AccountId, name: &MailboxName) -> Option<MailboxId> {
        if generation != self.generation {
            return None;
        }
        self.known.get(&owner)?.get(name).copied()
    }

    pub(super) fn put(&mut self, generation: u64, owner: AccountId, name: &MailboxName, id: MailboxId) {
        // Somebody has looked up a newer one meanwhile.
        if generation < self.generation {
            return;
        }
        if generation > self.generation || self.count >= OPEN_MAILBOXES_UNUSED_MAX {
            *self = Self { generation, ..Self::default() };
        }
        if self.known.entry(owner).or_default().insert(name.clone(), id).is_none() {
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_for_one_generation_and_there_is_an_end_to_them() {
        let name = |text: &str| MailboxName::parse(text).expect("a name");
        let (jane, paul) = (AccountId(1), AccountId(2));
        let mut names = Names::default();
        names.put(3, jane, &name("a"), MailboxId(7));
        assert_eq!(names.get(3, jane, &name("a")), Some(MailboxId(7)));
        assert_eq!((names.get(3, paul, &name("a")), names.get(4, jane, &name("a"))), (None, None));
        names.put(2, jane, &name("b"), MailboxId(8));
        assert_eq!(names.get(3, jane, &name("b")), None, "looked up before the last change");
        names.put(4, jane, &name("b"), MailboxId(8));
        assert_eq!((names.get(4, jane, &name("a")), names.get(4, jane, &name("b"))), (None, Some(MailboxId(8))));
        for number in 0..3 * OPEN_MAILBOXES_UNUSED_MAX {
            names.put(4, paul, &name(&number.to_string()), MailboxId(9));
            let held: usize = names.known.values().map(HashMap::len).sum();
            assert!(held == names.count && held <= OPEN_MAILBOXES_UNUSED_MAX);
        }
    }
}
