//! APPEND and REPLACE: RFC 9051 section 6.3.12, RFC 3502 (MULTIAPPEND), RFC 4469 (CATENATE), RFC 6855 (UTF8), RFC 8508.

use super::Cause;
use super::command::{AppendData, AppendMessage, Body, CatenatePart};
use super::dates::date_time;
use super::fetch::flag_list;
use super::input::{Input, Nul, Parsed};
use super::mailbox::mailbox;
use super::numbers::{Addressing, one_number};
use crate::types::limits::IMAP_APPEND_MESSAGES_MAX;

pub(super) fn append(input: &mut Input<'_>) -> Parsed<Body> {
    let mailbox = mailbox(input)?;
    let mut messages = Vec::new();
    loop {
        input.space()?;
        if messages.len() == IMAP_APPEND_MESSAGES_MAX {
            return Err(Cause::TooManyMessages);
        }
        messages.push(message(input)?);
        if input.peek().is_none() {
            return Ok(Body::Append { mailbox, messages });
        }
    }
}

pub(super) fn replace(input: &mut Input<'_>, addressing: Addressing) -> Parsed<Body> {
    let start = input.position();
    let number = one_number(input)?;
    if number.is_none() && addressing == Addressing::Uid {
        input.back_to(start);
        return input.fail("a UID");
    }
    input.space()?;
    let to = mailbox(input)?;
    input.space()?;
    Ok(Body::Replace { addressing, number, to, message: message(input)? })
}

fn message(input: &mut Input<'_>) -> Parsed<AppendMessage> {
    let mut flags = Vec::new();
    if input.peek() == Some(b'(') {
        flags = flag_list(input)?;
        input.space()?;
    }
    let mut date = None;
    if input.peek() == Some(b'"') {
        date = Some(date_time(input)?);
        input.space()?;
    }
    let data = if input.eat_word("UTF8") {
        input.space()?;
        input.expect(b'(', "an opening parenthesis")?;
        input.expect(b'~', "a literal8")?;
        let payload = input.payload(Nul::Allowed)?;
        input.expect(b')', "a closing parenthesis")?;
        AppendData::Utf8(payload)
    } else if input.eat_word("CATENATE") {
        input.space()?;
        AppendData::Catenate(input.list(catenate_part)?)
    } else {
        let nul = if input.eat(b'~') { Nul::Allowed } else { Nul::Refused };
        AppendData::Message(input.payload(nul)?)
    };
    Ok(AppendMessage { flags, date, data })
}

fn catenate_part(input: &mut Input<'_>) -> Parsed<CatenatePart> {
    if input.eat_word("URL") {
        input.space()?;
        return Ok(CatenatePart::Url(input.astring_text()?));
    }
    if input.eat_word("TEXT") {
        input.space()?;
        let nul = if input.eat(b'~') { Nul::Allowed } else { Nul::Refused };
        return Ok(CatenatePart::Text(input.payload(nul)?));
    }
    // RFC 6855 section 4.
    if input.eat_word("UTF8") {
        input.space()?;
        input.expect(b'(', "an opening parenthesis")?;
        input.expect(b'~', "a literal8")?;
        let payload = input.payload(Nul::Allowed)?;
        input.expect(b')', "a closing parenthesis")?;
        return Ok(CatenatePart::Text(payload));
    }
    input.fail("URL or TEXT")
}
