//! What only the house may write into a header: taken out of mail that comes in, and written for what was found.

use super::assessment::{Assessment, Verdict};
use crate::message::{
    Field, HeaderEdit, LOOP_MARK_FIELD, NewField, authentication_results, is_forged_authentication_results,
};
use crate::types::Domain;

/// How far the words of whoever hands over a message are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Everybody at the MX; also our own users, whose word about their own mail is no better.
    Nobody,
    /// A server before or beside us, over LMTP: its verdicts are what we have it for.
    Neighbour,
}

/// Takes out what is not for others to say. `hostname` is our authserv-id (RFC 8601 section 5).
pub fn remove_forgeries(edit: &mut HeaderEdit<'_>, trust: Trust, hostname: &Domain) -> usize {
    edit.remove(|field| {
        // RFC 5321 section 4.4: Return-Path is made once, at final delivery.
        field.is("Return-Path") || (trust == Trust::Nobody && is_forged(field, hostname))
    })
}

/// What was found, in the order in which it stands above the Received field of this hop.
pub fn assessment_fields(assessment: &Assessment, hostname: &Domain) -> Vec<NewField> {
    let mut fields = Vec::new();
    if let Verdict::Junk(reason) = assessment.verdict() {
        // The `before` section of every script looks at this field.
        fields.extend(NewField::new("X-Spam-Status", &format!("Yes, {reason}")));
    }
    if let Some(results) = assessment.method_results() {
        fields.push(authentication_results(hostname, &results));
    }
    fields
}

/// Fields that we, or a filter before us, write, and scripts believe.
fn is_forged(field: &Field<'_>, hostname: &Domain) -> bool {
    let prefixes: [&[u8]; 3] = [b"X-Spam-", b"X-Virus-", b"X-Posthouse-"];
    let begins =
        |prefix: &&[u8]| field.name().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    // It has to come back through strangers, and being a keyed hash can't be forged.
    if field.is(LOOP_MARK_FIELD) {
        return false;
    }
    prefixes.iter().any(begins) || is_forged_authentication_results(field, hostname)
}
