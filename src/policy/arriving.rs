//! What is written into the header of mail that comes in, and what is taken out of it because only we may write it.

use super::assessment::{Assessment, Verdict};
use crate::message::{
    Field, HeaderEdit, NewField, Protocol, Received, authentication_results, is_forged_authentication_results,
};
use crate::types::{Address, Domain, Timestamp};
use std::net::IpAddr;

/// How far the words of whoever hands over a message are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Everybody at the MX.
    Stranger,
    /// He logged in. What he writes into his own mail is no better than what a stranger writes.
    Submitter,
    /// A server before or beside us, over LMTP: its verdicts are what we have it for.
    Neighbour,
}

/// One message coming in.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    pub origin: Origin,
    pub hello: &'a str,
    pub client: Option<IpAddr>,
    /// The name the address has in DNS both ways, if it was looked up.
    pub client_name: Option<&'a Domain>,
    /// Our name: in Received, and as the authserv-id.
    pub hostname: &'a Domain,
    pub protocol: Protocol,
    pub tls_cipher: Option<&'a str>,
    /// The id of the session.
    pub id: &'a str,
    pub recipients: &'a [&'a Address],
    pub at: Timestamp,
}

/// All of it: forged fields go, ours come on top.
pub fn arriving_header_edits(edit: &mut HeaderEdit<'_>, hop: &Hop<'_>, assessment: &Assessment) {
    if hop.origin != Origin::Neighbour {
        edit.remove(|field| is_forged(field, hop.hostname));
    }
    // RFC 5321 section 4.4: there is one at most, made at final delivery.
    edit.remove_all("Return-Path");
    edit.prepend(&arriving_fields(hop, assessment));
}

/// In the order in which they stand, the last step on top.
fn arriving_fields(hop: &Hop<'_>, assessment: &Assessment) -> Vec<NewField> {
    let mut fields = Vec::new();
    if let Verdict::Junk(reason) = assessment.verdict() {
        // The `before` section of every script looks at this field.
        fields.extend(NewField::new("X-Spam-Status", &format!("Yes, {reason}")));
    }
    if let Some(results) = assessment.method_results() {
        fields.push(authentication_results(hop.hostname, &results));
    }
    fields.push(received_field(hop));
    fields
}

/// RFC 5321 section 4.4. Where our own users sit is nobody's business: their mail begins here.
pub fn received_field(hop: &Hop<'_>) -> NewField {
    let is_submitter = hop.origin == Origin::Submitter;
    let recipient = match hop.recipients {
        [single] if !is_submitter => Some(*single),
        _ => None,
    };
    let received = Received {
        helo: Some(hop.hello).filter(|_| !is_submitter),
        client_name: hop.client_name.map(Domain::as_str),
        client_ip: hop.client,
        by: hop.hostname,
        protocol: hop.protocol,
        tls_cipher: hop.tls_cipher,
        id: hop.id,
        recipient,
        at: hop.at,
        offset_seconds: 0,
    };
    received.field()
}

/// Fields that we, or the filter before us, write, and scripts believe.
fn is_forged(field: &Field<'_>, hostname: &Domain) -> bool {
    let prefixes: [&[u8]; 3] = [b"X-Spam-", b"X-Virus-", b"X-Posthouse-"];
    let begins =
        |prefix: &&[u8]| field.name().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    prefixes.iter().any(begins) || is_forged_authentication_results(field, hostname)
}
