//! Actions, and the commands that change variables or the message.

use super::super::call::{ByTime, CallKind, FlagChange, Mark, NotifyCall, Place, RedirectCall, VacationCall};
use super::super::grammar::Arguments;
use super::super::host::IncludePlace;
use super::super::lexer::Position;
use super::super::notify;
use super::super::script::{CompileError, IncludeUse};
use super::super::syntax::Command;
use super::super::text::Text;
use super::matches::{MatchWords, cost, is_field_name};
use super::{Builder, Carry, target, write_list};
use crate::types::limits::{
    RESPONDER_EVERY_SECONDS_DEFAULT, RESPONDER_EVERY_SECONDS_MAX, RESPONDER_EVERY_SECONDS_MIN,
    SIEVE_VARIABLE_OCTETS_MAX,
};
use crate::types::{DsnReturn, MailboxName, Notify};
use std::fmt::Write;

impl Builder {
    pub(super) fn action(&mut self, command: &Command, arguments: &Arguments) -> Result<(), CompileError> {
        let at = command.at;
        let mut carry = Carry::default();
        let kind = match command.name.as_str() {
            "stop" => CallKind::Stop,
            "keep" => CallKind::Keep { flags: arguments.texts("flags").map(|flags| carry.many(flags)) },
            "discard" => CallKind::Discard,
            "fileinto" => {
                let place = place(arguments, arguments.list(0), &mut carry)?;
                CallKind::FileInto { place, copy: arguments.has("copy") }
            }
            "redirect" => CallKind::Redirect(Box::new(redirect(at, arguments, &mut carry)?)),
            "reject" | "ereject" => {
                CallKind::Reject { reason: one(at, arguments, 0, &mut carry)?, extended: command.name == "ereject" }
            }
            "vacation" => CallKind::Vacation(Box::new(vacation(at, arguments, &mut carry)?)),
            "notify" => CallKind::Notify(Box::new(notification(at, arguments, &mut carry)?)),
            "error" => CallKind::Fail { message: one(at, arguments, 0, &mut carry)? },
            "setflag" => return self.flags(at, FlagChange::Set, arguments),
            "addflag" => return self.flags(at, FlagChange::Add, arguments),
            "removeflag" => return self.flags(at, FlagChange::Remove, arguments),
            "set" => return self.set(at, arguments),
            "global" => {
                for name in arguments.list(0) {
                    self.variables.declare_global(name.at, name.constant().unwrap_or_default())?;
                }
                return Ok(());
            }
            "include" => return self.include(at, arguments),
            "return" => {
                self.line(at, "return;");
                return Ok(());
            }
            "break" => return self.leave_loop(at, arguments),
            _ => return self.edit(command, arguments),
        };
        self.statement(at, kind, carry);
        Ok(())
    }

    fn set(&mut self, at: Position, arguments: &Arguments) -> Result<(), CompileError> {
        let (Some(name), Some(value)) = (arguments.list(0).first(), arguments.list(1).first()) else {
            return Err(at.error("\"set\" needs a name and a value"));
        };
        let variable = self.variables.target(name.at, name.constant().unwrap_or_default(), self.extensions)?;
        let mut line = "set".to_owned();
        for modifier in arguments.tag_names() {
            _ = write!(line, " :{modifier}");
        }
        _ = write!(line, " {} ", target(&variable));
        value.write_quoted(&mut line);
        line.push(';');
        self.line(at, &line);
        Ok(())
    }

    /// RFC 5232 section 4. The engine splits lists of flags and shuffles them, so the change is ours; it comes back
    /// through a global variable when the script keeps its flags in one of its own.
    fn flags(&mut self, at: Position, change: FlagChange, arguments: &Arguments) -> Result<(), CompileError> {
        let mut carry = Carry::default();
        let mut written = None;
        let mut variable = None;
        if let (2, Some(name)) = (arguments.count(), arguments.list(0).first()) {
            let piece = self.variables.target(name.at, name.constant().unwrap_or_default(), self.extensions)?;
            variable = Some(carry.one(&Text { at: name.at, pieces: vec![piece.clone()] }));
            written = Some(piece);
        }
        let flags = carry.many(arguments.list(arguments.count().saturating_sub(1)));
        self.statement(at, CallKind::Flags { change, variable, flags }, carry);
        if let Some(piece) = written {
            self.line(at, &format!("set {} \"${{global.ph_flags}}\";", target(&piece)));
        }
        Ok(())
    }

    fn include(&mut self, at: Position, arguments: &Arguments) -> Result<(), CompileError> {
        let Some(name) = arguments.list(0).first() else {
            return Err(at.error("\"include\" needs a name"));
        };
        let text = name.constant().unwrap_or_default();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(name.at.error("this is no name for a script"));
        }
        let place = if arguments.has("global") { IncludePlace::Global } else { IncludePlace::Personal };
        self.built.includes.push(IncludeUse {
            place,
            name: text.to_owned(),
            optional: arguments.has("optional"),
            line: at.line,
            column: at.column,
        });
        self.statement(at, CallKind::Mark(Mark::Include), Carry::default());
        let mut line = "include".to_owned();
        for tag in arguments.tag_names() {
            _ = write!(line, " :{tag}");
        }
        line.push(' ');
        name.write_quoted(&mut line);
        line.push(';');
        self.line(at, &line);
        Ok(())
    }

    fn leave_loop(&mut self, at: Position, arguments: &Arguments) -> Result<(), CompileError> {
        let mut line = "break".to_owned();
        match arguments.text("name") {
            Some(name) => {
                if !self.loops.contains(&name.constant().map(str::to_owned)) {
                    return Err(name.at.error("no loop around this has that name"));
                }
                line.push_str(" :name ");
                name.write_quoted(&mut line);
            }
            None if self.loops.is_empty() => return Err(at.error("\"break\" outside of \"foreverypart\"")),
            None => {}
        }
        line.push(';');
        self.line(at, &line);
        Ok(())
    }

    /// What changes the message is left to the engine, which shows the change to its own tests.
    fn edit(&mut self, command: &Command, arguments: &Arguments) -> Result<(), CompileError> {
        let at = command.at;
        let mut mark = Mark::Edit { patterns: 0 };
        let mut line = command.name.clone();
        match command.name.as_str() {
            "addheader" => {
                field_name(arguments.list(0))?;
                if arguments.has("last") {
                    line.push_str(" :last");
                }
                for index in 0..2 {
                    line.push(' ');
                    self.string(at, arguments, index, &mut line)?;
                }
            }
            "deleteheader" => return self.delete_header(at, arguments),
            "extracttext" => {
                if self.loops.is_empty() {
                    // RFC 5703 section 7: outside of a loop there is no part to take text from.
                    return Err(at.error("\"extracttext\" works in \"foreverypart\" only"));
                }
                mark = Mark::ExtractText;
                for tag in arguments.tag_names().filter(|tag| *tag != "first") {
                    _ = write!(line, " :{tag}");
                }
                // The engine bounds no text it extracts; four octets is the longest character.
                let characters_max = (SIEVE_VARIABLE_OCTETS_MAX / 4) as u64;
                let first = arguments.number("first").unwrap_or(characters_max).min(characters_max);
                let name = arguments.list(0).first().and_then(Text::constant).unwrap_or_default();
                let variable = self.variables.target(at, name, self.extensions)?;
                _ = write!(line, " :first {first} {}", target(&variable));
            }
            "replace" | "enclose" => {
                if command.name == "replace" {
                    mark = Mark::Replace;
                }
                if command.name == "replace" && arguments.has("mime") {
                    line.push_str(" :mime");
                }
                for tag in ["subject", "from"] {
                    if let Some(text) = arguments.text(tag) {
                        _ = write!(line, " :{tag} ");
                        text.write_quoted(&mut line);
                    }
                }
                if let Some(headers) = arguments.texts("headers") {
                    line.push_str(" :headers ");
                    write_list(headers, &mut line);
                }
                line.push(' ');
                self.string(at, arguments, 0, &mut line)?;
            }
            name => return Err(at.error(format!("unknown command \"{name}\""))),
        }
        line.push(';');
        self.statement(at, CallKind::Mark(mark), Carry::default());
        self.line(at, &line);
        Ok(())
    }

    /// RFC 5293 section 5.
    fn delete_header(&mut self, at: Position, arguments: &Arguments) -> Result<(), CompileError> {
        field_name(arguments.list(0))?;
        let words = MatchWords::read(at, arguments)?;
        if words.is_count() || words.is_list() {
            return Err(at.error("\"deleteheader\" can't count"));
        }
        let mut line = "deleteheader".to_owned();
        if let Some(index) = arguments.number("index") {
            if index == 0 || index >= u64::from(u16::MAX) {
                return Err(arguments.tag_at("index").error("header fields are counted from 1"));
            }
            _ = write!(line, " :index {index}");
            if arguments.has("last") {
                line.push_str(" :last");
            }
        } else if arguments.has("last") {
            return Err(arguments.tag_at("last").error("\":last\" needs \":index\""));
        }
        for tag in ["mime", "anychild"] {
            if arguments.has(tag) {
                _ = write!(line, " :{tag}");
            }
        }
        let patterns = arguments.list(1);
        let checked = self.check_patterns(at, &words, patterns)?;
        words.write(&mut line);
        line.push(' ');
        self.string(at, arguments, 0, &mut line)?;
        if !patterns.is_empty() {
            line.push(' ');
            write_list(&words.keys(patterns), &mut line);
        }
        line.push(';');
        self.statement(at, CallKind::Mark(Mark::Edit { patterns: cost(patterns) }), Carry::default());
        // In a block of its own: the engine would take a pattern here for a test whose finds may be asked for.
        self.line(at, &format!("if {} {{", checked.as_deref().unwrap_or("true")));
        self.line(at, &line);
        self.line(at, "}");
        Ok(())
    }

    fn string(&self, at: Position, arguments: &Arguments, index: usize, out: &mut String) -> Result<(), CompileError> {
        let text = arguments.list(index).first().ok_or_else(|| at.error("a string is missing"))?;
        text.write_quoted(out);
        Ok(())
    }
}

fn one(at: Position, arguments: &Arguments, index: usize, carry: &mut Carry) -> Result<super::Value, CompileError> {
    arguments.list(index).first().map(|text| carry.one(text)).ok_or_else(|| at.error("a string is missing"))
}

fn field_name(names: &[Text]) -> Result<(), CompileError> {
    for name in names {
        if name.constant().is_some_and(|constant| !is_field_name(constant)) {
            return Err(name.at.error("this is no name for a header field"));
        }
    }
    Ok(())
}

fn place(arguments: &Arguments, mailbox: &[Text], carry: &mut Carry) -> Result<Place, CompileError> {
    let Some(mailbox) = mailbox.first() else {
        return Err(Position::default().error("a mailbox is missing"));
    };
    if let Some(name) = mailbox.constant() {
        MailboxName::parse(name).map_err(|error| mailbox.at.error(error.to_string()))?;
    }
    if arguments.has("specialuse") && arguments.has("mailboxid") {
        // RFC 9042 section 4.2.
        return Err(arguments.tag_at("mailboxid").error("\":mailboxid\" and \":specialuse\" exclude each other"));
    }
    Ok(Place {
        mailbox: carry.one(mailbox),
        mailbox_id: carry.optional(arguments.text("mailboxid")),
        special_use: carry.optional(arguments.text("specialuse")),
        create: arguments.has("create"),
        flags: arguments.texts("flags").map(|flags| carry.many(flags)),
    })
}

/// RFC 8580 section 3.1.
fn fcc(arguments: &Arguments, carry: &mut Carry) -> Result<Option<Place>, CompileError> {
    match arguments.texts("fcc") {
        Some(mailbox) => place(arguments, mailbox, carry).map(Some),
        None => match ["create", "flags", "specialuse", "mailboxid"].iter().find(|tag| arguments.has(tag)) {
            Some(tag) => Err(arguments.tag_at(tag).error(format!("\":{tag}\" needs \":fcc\""))),
            None => Ok(None),
        },
    }
}

fn redirect(at: Position, arguments: &Arguments, carry: &mut Carry) -> Result<RedirectCall, CompileError> {
    let Some(address) = arguments.list(0).first() else {
        return Err(at.error("\"redirect\" needs an address"));
    };
    let list = arguments.has("list");
    if let (false, Some(text)) = (list, address.constant()) {
        notify::mailbox(text).ok_or_else(|| address.at.error(format!("\"{text}\" is no address")))?;
    }
    let notify = match arguments.constant("notify") {
        Some(text) => Some(dsn_notify(text).ok_or_else(|| {
            arguments.tag_at("notify").error("expected \"NEVER\", or some of SUCCESS, FAILURE and DELAY")
        })?),
        None => None,
    };
    let dsn_return = match arguments.constant("ret").map(str::to_ascii_uppercase).as_deref() {
        Some("FULL") => Some(DsnReturn::Full),
        Some("HDRS") => Some(DsnReturn::Headers),
        Some(_) => return Err(arguments.tag_at("ret").error("expected \"FULL\" or \"HDRS\"")),
        None => None,
    };
    let by = match (arguments.number("bytimerelative"), arguments.text("bytimeabsolute")) {
        (Some(seconds), _) => Some(ByTime::RelativeSeconds(seconds)),
        (None, Some(time)) => Some(ByTime::Absolute(carry.one(time))),
        (None, None) => None,
    };
    let by_mode_return = match arguments.constant("bymode").map(str::to_ascii_lowercase).as_deref() {
        Some("return") => true,
        Some("notify") | None => false,
        Some(_) => return Err(arguments.tag_at("bymode").error("expected \"notify\" or \"return\"")),
    };
    for tag in ["bymode", "bytrace"] {
        if by.is_none() && arguments.has(tag) {
            return Err(arguments.tag_at(tag).error(format!("\":{tag}\" needs a time")));
        }
    }
    Ok(RedirectCall {
        to: carry.one(address),
        list,
        copy: arguments.has("copy"),
        notify,
        dsn_return,
        by,
        by_mode_return,
        by_trace: arguments.has("bytrace"),
    })
}

/// RFC 3461 section 4.1.
fn dsn_notify(text: &str) -> Option<Notify> {
    if text.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::NEVER);
    }
    let mut notify = Notify::default();
    for word in text.split(',') {
        match word.trim().to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return None,
        }
    }
    Some(notify)
}

fn vacation(at: Position, arguments: &Arguments, carry: &mut Carry) -> Result<VacationCall, CompileError> {
    let bounds = u64::from(RESPONDER_EVERY_SECONDS_MIN)..=u64::from(RESPONDER_EVERY_SECONDS_MAX);
    let interval_seconds = match (arguments.number("days"), arguments.number("seconds")) {
        // RFC 5230 section 4.1: values out of bounds are moved to the next bound.
        (Some(days), _) => days.saturating_mul(86_400).clamp(*bounds.start(), *bounds.end()),
        // RFC 6131 section 2: 0 answers every message.
        (None, Some(seconds)) => seconds.min(*bounds.end()),
        (None, None) => u64::from(RESPONDER_EVERY_SECONDS_DEFAULT),
    };
    if let Some(from) = arguments.text("from")
        && from.constant().is_some_and(|text| notify::mailbox(text).is_none())
    {
        return Err(from.at.error("this is no address to answer from"));
    }
    let reason = one(at, arguments, 0, carry)?;
    Ok(VacationCall {
        reason,
        subject: carry.optional(arguments.text("subject")),
        from: carry.optional(arguments.text("from")),
        addresses: arguments.texts("addresses").map(|list| carry.many(list)).unwrap_or_default(),
        handle: carry.optional(arguments.text("handle")),
        mime: arguments.has("mime"),
        interval_seconds,
        fcc: fcc(arguments, carry)?,
    })
}

fn notification(at: Position, arguments: &Arguments, carry: &mut Carry) -> Result<NotifyCall, CompileError> {
    let Some(method) = arguments.list(0).first() else {
        return Err(at.error("\"notify\" needs a method"));
    };
    if let Some(uri) = method.constant()
        && notify::parse_mailto(uri).is_none()
    {
        return Err(method.at.error("only a \"mailto:\" address can be notified"));
    }
    if let Some(importance) = arguments.text("importance")
        && importance.constant().is_some_and(|text| !matches!(text, "1" | "2" | "3"))
    {
        return Err(importance.at.error("importance is \"1\", \"2\" or \"3\""));
    }
    Ok(NotifyCall {
        method: carry.one(method),
        from: carry.optional(arguments.text("from")),
        importance: carry.optional(arguments.text("importance")),
        message: carry.optional(arguments.text("message")),
        fcc: fcc(arguments, carry)?,
    })
}
