//! Numbers that mail, mailboxes and people are known by. Distinct types, so that one can't stand in for another.

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

number!(
    /// A domain's row.
    DomainId(i64)
);
number!(
    /// An address's row.
    AddressId(i64)
);
number!(
    /// The person behind a mailbox.
    AccountId(i64)
);
number!(
    /// A mailbox, for ever: also OBJECTID's MAILBOXID (RFC 8474), so never used twice.
    MailboxId(i64)
);
number!(
    /// A message's octets, shared by all copies of it.
    BodyId(i64)
);
number!(
    /// OBJECTID's THREADID (RFC 8474 section 5.2).
    ThreadId(i64)
);
number!(
    /// A personal or administrator's Sieve script.
    ScriptId(i64)
);
number!(
    /// One message on its way to one recipient outside.
    SendId(i64)
);
number!(
    /// RFC 9051 section 2.3.1.1. Never 0 for a message; 32 bits by the RFC.
    Uid(u32)
);
number!(
    /// RFC 9051 section 2.3.1.1.
    UidValidity(u32)
);
number!(
    /// RFC 7162: one counter per account, so that one number orders what happened in all its mailboxes.
    ModSeq(u64)
);
