//! What `require` offers: exactly what works from the script to the plan. One table, and a test for each line of it.

/// A capability of RFC 5228 section 2.10.5 and the extensions of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    Body,
    ComparatorCasemap,
    ComparatorNumeric,
    ComparatorOctet,
    Copy,
    Date,
    Duplicate,
    EditHeader,
    Enclose,
    EncodedCharacter,
    Enotify,
    Envelope,
    EnvelopeDeliverBy,
    EnvelopeDsn,
    Environment,
    Ereject,
    ExtLists,
    ExtractText,
    Fcc,
    FileInto,
    ForEveryPart,
    Ihave,
    Imap4Flags,
    ImapSieve,
    Include,
    Index,
    Mailbox,
    MailboxId,
    MailboxMetadata,
    Mime,
    RedirectDeliverBy,
    RedirectDsn,
    Regex,
    Reject,
    Relational,
    Replace,
    ServerMetadata,
    SpamTest,
    SpamTestPlus,
    SpecialUse,
    SubAddress,
    Vacation,
    VacationSeconds,
    Variables,
    VirusTest,
}

/// Sorted by name, as ManageSieve lists them (RFC 5804 section 1.7).
const TABLE: [(&str, Extension); 45] = [
    ("body", Extension::Body),                                    // RFC 5173
    ("comparator-i;ascii-casemap", Extension::ComparatorCasemap), // RFC 5228 section 2.7.3
    ("comparator-i;ascii-numeric", Extension::ComparatorNumeric), // RFC 4790 section 9.1
    ("comparator-i;octet", Extension::ComparatorOctet),           // RFC 5228 section 2.7.3
    ("copy", Extension::Copy),                                    // RFC 3894
    ("date", Extension::Date),                                    // RFC 5260
    ("duplicate", Extension::Duplicate),                          // RFC 7352
    ("editheader", Extension::EditHeader),                        // RFC 5293
    ("enclose", Extension::Enclose),                              // RFC 5703 section 6
    ("encoded-character", Extension::EncodedCharacter),           // RFC 5228 section 2.4.2.4
    ("enotify", Extension::Enotify),                              // RFC 5435, with RFC 5436
    ("envelope", Extension::Envelope),                            // RFC 5228 section 5.4
    ("envelope-deliverby", Extension::EnvelopeDeliverBy),         // RFC 6009
    ("envelope-dsn", Extension::EnvelopeDsn),                     // RFC 6009
    ("environment", Extension::Environment),                      // RFC 5183
    ("ereject", Extension::Ereject),                              // RFC 5429
    ("extlists", Extension::ExtLists),                            // RFC 6134
    ("extracttext", Extension::ExtractText),                      // RFC 5703 section 7
    ("fcc", Extension::Fcc),                                      // RFC 8580
    ("fileinto", Extension::FileInto),                            // RFC 5228 section 4.1
    ("foreverypart", Extension::ForEveryPart),                    // RFC 5703 section 3
    ("ihave", Extension::Ihave),                                  // RFC 5463
    ("imap4flags", Extension::Imap4Flags),                        // RFC 5232
    ("imapsieve", Extension::ImapSieve),                          // RFC 6785
    ("include", Extension::Include),                              // RFC 6609
    ("index", Extension::Index),                                  // RFC 5260 section 6
    ("mailbox", Extension::Mailbox),                              // RFC 5490 section 3
    ("mailboxid", Extension::MailboxId),                          // RFC 9042
    ("mboxmetadata", Extension::MailboxMetadata),                 // RFC 5490 section 4
    ("mime", Extension::Mime),                                    // RFC 5703 section 4
    ("redirect-deliverby", Extension::RedirectDeliverBy),         // RFC 6009
    ("redirect-dsn", Extension::RedirectDsn),                     // RFC 6009
    ("regex", Extension::Regex),                                  // the expired draft everybody implements
    ("reject", Extension::Reject),                                // RFC 5429
    ("relational", Extension::Relational),                        // RFC 5231
    ("replace", Extension::Replace),                              // RFC 5703 section 5
    ("servermetadata", Extension::ServerMetadata),                // RFC 5490 section 5
    ("spamtest", Extension::SpamTest),                            // RFC 5235
    ("spamtestplus", Extension::SpamTestPlus),                    // RFC 5235
    ("special-use", Extension::SpecialUse),                       // RFC 8579
    ("subaddress", Extension::SubAddress),                        // RFC 5233
    ("vacation", Extension::Vacation),                            // RFC 5230
    ("vacation-seconds", Extension::VacationSeconds),             // RFC 6131
    ("variables", Extension::Variables),                          // RFC 5229
    ("virustest", Extension::VirusTest),                          // RFC 5235
];

/// The names a script may `require`, sorted: for ManageSieve's SIEVE capability and for the documentation.
pub fn supported_extensions() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

impl Extension {
    pub(super) fn parse(name: &str) -> Option<Self> {
        TABLE.iter().find(|(known, _)| *known == name).map(|(_, extension)| *extension)
    }

    pub(super) fn name(self) -> &'static str {
        TABLE.iter().find(|(_, extension)| *extension == self).map_or("", |(name, _)| name)
    }

    /// What comes with it: RFC 6131 section 2 and RFC 5235 section 2.2.
    fn implied(self) -> Option<Self> {
        match self {
            Self::VacationSeconds => Some(Self::Vacation),
            Self::SpamTestPlus => Some(Self::SpamTest),
            _ => None,
        }
    }
}

/// The extensions a script has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extensions(u64);

impl Extensions {
    pub(super) fn add(&mut self, extension: Extension) {
        self.0 |= 1 << extension as u32;
        if let Some(implied) = extension.implied() {
            self.0 |= 1 << implied as u32;
        }
    }

    pub(super) fn has(self, extension: Extension) -> bool {
        self.0 & (1 << extension as u32) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| *name));
        for (name, extension) in TABLE {
            assert_eq!(Extension::parse(name), Some(extension));
            assert_eq!(extension.name(), name);
        }
        let mut all = Extensions::default();
        all.add(Extension::VacationSeconds);
        assert!(all.has(Extension::Vacation) && !all.has(Extension::SpamTest));
    }
}
