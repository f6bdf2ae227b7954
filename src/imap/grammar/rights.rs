//! ACL (RFC 4314) and QUOTA (RFC 9208).

use super::input::{Input, Parsed};
use super::mailbox::{Mailbox, mailbox};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifierRights {
    pub mailbox: Mailbox,
    pub identifier: String,
    pub change: RightsChange,
    /// Lower-case letters and digits, as they came.
    pub rights: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsChange {
    Replace,
    Add,
    Remove,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaLimit {
    /// In upper case: STORAGE, MESSAGE or one we don't have.
    pub resource: String,
    pub limit: u64,
}

pub(super) fn set_acl(input: &mut Input<'_>) -> Parsed<IdentifierRights> {
    let (mailbox, identifier) = mailbox_and_identifier(input)?;
    input.space()?;
    let start = input.position();
    let text = input.astring_text()?;
    let (change, rights) = match text.as_bytes().first() {
        Some(b'+') => (RightsChange::Add, &text[1..]),
        Some(b'-') => (RightsChange::Remove, &text[1..]),
        _ => (RightsChange::Replace, text.as_str()),
    };
    // RFC 4314 section 2.1.1: rights are lower-case letters and digits; what else comes is BAD.
    if !rights.bytes().all(|right| right.is_ascii_lowercase() || right.is_ascii_digit()) {
        input.back_to(start);
        return input.fail("rights in lower case");
    }
    Ok(IdentifierRights { mailbox, identifier, change, rights: rights.into() })
}

pub(super) fn mailbox_and_identifier(input: &mut Input<'_>) -> Parsed<(Mailbox, String)> {
    let mailbox = mailbox(input)?;
    input.space()?;
    Ok((mailbox, input.astring_text()?))
}

pub(super) fn quota_limits(input: &mut Input<'_>) -> Parsed<Vec<QuotaLimit>> {
    input.list_or_empty(|input| {
        let resource = input.atom("a resource")?.to_ascii_uppercase();
        input.space()?;
        Ok(QuotaLimit { resource, limit: input.number64()? })
    })
}
