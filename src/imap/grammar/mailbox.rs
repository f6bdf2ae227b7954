//! Names of mailboxes in arguments, in the spelling the session has agreed on.

use super::input::{Input, Parsed, is_atom_char};
use crate::types::utf7;
use crate::types::{MailboxName, MailboxNameError};
use unicode_normalization::UnicodeNormalization;

/// A mailbox as a client named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailbox {
    Named(MailboxName),
    /// The same, spelled in another form of Unicode than names have: so.
    Respelled {
        name: MailboxName,
        spelled: MailboxName,
    },
    /// No mailbox has or can get this name.
    Impossible(Impossible),
}

impl Mailbox {
    /// As the client spelled it, where that is not how it is called.
    pub fn respelled(&self) -> Option<&MailboxName> {
        if let Self::Respelled { spelled, .. } = self { Some(spelled) } else { None }
    }

    pub fn named(self) -> Result<MailboxName, Impossible> {
        match self {
            Self::Named(name) | Self::Respelled { name, .. } => Ok(name),
            Self::Impossible(why) => Err(why),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// Not modified UTF-7, or not its shortest form.
    Encoding,
    Name(MailboxNameError),
}

pub(super) fn mailbox(input: &mut Input<'_>) -> Parsed<Mailbox> {
    let spelled = spelled(input)?;
    Ok(resolve(&spelled, input.mode.utf8_names))
}

/// The same for CREATE: a separator at the end only says that there will be names below (RFC 9051 section 6.3.4).
pub(super) fn mailbox_to_create(input: &mut Input<'_>) -> Parsed<Mailbox> {
    let mut spelled = spelled(input)?;
    if spelled.len() > 1 && spelled.ends_with('/') {
        spelled.pop();
    }
    Ok(resolve(&spelled, input.mode.utf8_names))
}

/// The same where `""` stands for the server itself (RFC 5464 section 4).
pub(super) fn mailbox_or_server(input: &mut Input<'_>) -> Parsed<Option<Mailbox>> {
    let spelled = spelled(input)?;
    Ok((!spelled.is_empty()).then(|| resolve(&spelled, input.mode.utf8_names)))
}

fn spelled(input: &mut Input<'_>) -> Parsed<String> {
    input.astring_text()
}

fn resolve(spelled: &str, utf8_names: bool) -> Mailbox {
    match decode(spelled, utf8_names) {
        None => Mailbox::Impossible(Impossible::Encoding),
        Some(name) => match MailboxName::parse(&name) {
            Ok(name) => match MailboxName::parse(spelled) {
                Ok(spelled) if utf8_names && !spelled.as_str().is_ascii() && spelled != name => {
                    Mailbox::Respelled { name, spelled }
                }
                _ => Mailbox::Named(name),
            },
            Err(cause) => Mailbox::Impossible(Impossible::Name(cause)),
        },
    }
}

/// RFC 9051 section 5.1: names are Net-Unicode, so in normalization form C; a Macintosh sends form D.
fn decode(spelled: &str, utf8_names: bool) -> Option<String> {
    if utf8_names {
        return Some(if spelled.is_ascii() { spelled.into() } else { spelled.nfc().collect() });
    }
    if !spelled.contains('&') {
        return spelled.is_ascii().then(|| spelled.into());
    }
    utf7::decode(spelled).map(|name| name.nfc().collect())
}

/// `list-mailbox`: wildcards may stand in an atom. What can't be decoded is left as it is: it will match nothing.
pub(super) fn list_mailbox(input: &mut Input<'_>) -> Parsed<String> {
    let spelled = match input.peek() {
        Some(b'"' | b'{') => input.string_text()?,
        _ => {
            let atom = input.take_while(|octet| is_atom_char(octet) || matches!(octet, b'%' | b'*' | b']'));
            match std::str::from_utf8(atom) {
                Ok(atom) if !atom.is_empty() => atom.into(),
                _ => return input.fail("a mailbox name or pattern"),
            }
        }
    };
    Ok(decode(&spelled, input.mode.utf8_names).unwrap_or(spelled))
}

/// The `reference` of LIST and LSUB.
pub(super) fn reference(input: &mut Input<'_>) -> Parsed<String> {
    let spelled = spelled(input)?;
    Ok(decode(&spelled, input.mode.utf8_names).unwrap_or(spelled))
}
