//! Switches in plain words, for whoever looks at an address.

use super::window::{format_from, format_until};
use crate::types::{Received, RedirectionSwitch, Responder, Switches, Timestamp, Window, ZoneName};

/// What the address does, a sentence without a full stop for each switch. Never empty.
pub fn describe(switches: &Switches) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(alias) = &switches.alias {
        let paused = if alias.paused { "paused: would be " } else { "is " };
        lines.push(format!("{paused}an alias, its mail is mail for {}", alias.owner));
    }
    let redirection = switches.redirection.as_ref();
    if switches.mailbox {
        let sends = |redirection: &RedirectionSwitch| {
            !redirection.paused && redirection.targets.iter().any(|target| !target.paused)
        };
        let keeps = redirection.is_none_or(|redirection| redirection.keep || !sends(redirection));
        lines.push(if keeps {
            "keeps mail in the mailbox".to_owned()
        } else {
            "has a mailbox, which keeps only what may not be redirected".to_owned()
        });
    }
    if let Some(redirection) = redirection {
        lines.extend(redirection_in_words(redirection, switches.mailbox));
    }
    if let Some(responder) = &switches.responder {
        lines.push(responder_in_words(responder));
        lines.extend(received_in_words(responder, switches));
    }
    if lines.is_empty() {
        lines.push("does nothing: mail for it is refused".to_owned());
    }
    lines
}

fn redirection_in_words(redirection: &RedirectionSwitch, mailbox: bool) -> Vec<String> {
    let verb = match (redirection.paused, mailbox && redirection.keep) {
        (false, true) => "sends a copy to",
        (false, false) => "redirects to",
        (true, true) => "paused: would send a copy to",
        (true, false) => "paused: would redirect to",
    };
    let line = |paused: bool| {
        let targets = redirection.targets.iter().filter(|target| target.paused == paused);
        targets.map(|target| target.address.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (active, paused) = (line(false), line(true));
    let mut lines = Vec::new();
    if !active.is_empty() {
        lines.push(format!("{verb} {active}"));
    }
    if !paused.is_empty() {
        lines.push(format!("paused, because it refused mail: nothing goes to {paused}"));
    }
    lines
}

fn responder_in_words(responder: &Responder) -> String {
    let verb = if responder.paused { "paused: would answer" } else { "answers" };
    let window =
        responder.window.as_ref().and_then(window_in_words).map_or_else(String::new, |words| format!(" {words}"));
    format!("{verb} each sender once in {}{window}", interval(responder.every_seconds))
}

fn received_in_words(responder: &Responder, switches: &Switches) -> Option<String> {
    let paused = if responder.paused { "paused: would " } else { "" };
    match &responder.received {
        Received::Keep => None,
        Received::Drop if switches.alias.is_some() => {
            Some(format!("{paused}not pass on to its owner what the responder saw"))
        }
        Received::Drop => Some(format!("{paused}not store what the responder saw")),
        Received::CopyTo(_) if switches.mailbox => None,
        Received::CopyTo(target) if responder.paused => {
            Some(format!("paused: would send a copy of what the responder saw to {target}"))
        }
        Received::CopyTo(target) => Some(format!("sends a copy of what the responder saw to {target}")),
    }
}

/// `from 1 Nov 2026 until 14 Nov 2026 (Europe/Berlin)`; nothing if the window is open at both ends. A day named as the end
/// still counts.
pub(super) fn window_in_words(window: &Window) -> Option<String> {
    let from =
        window.from.map(|at| format!("from {}", moment_in_words(at, &format_from(at, &window.zone), &window.zone)));
    let until =
        window.until.map(|at| format!("until {}", moment_in_words(at, &format_until(at, &window.zone), &window.zone)));
    let words = from.into_iter().chain(until).collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then(|| format!("{words} ({})", window.zone))
}

/// The day alone where the written form is a day, and the time as well where it isn't.
fn moment_in_words(at: Timestamp, written: &str, zone: &ZoneName) -> String {
    if let Ok(day) = written.parse::<jiff::civil::Date>()
        && written.len() == "2026-11-01".len()
    {
        return day.strftime("%-d %b %Y").to_string();
    }
    match jiff::Timestamp::from_second(at.seconds()) {
        Ok(time) => time.to_zoned(zone.rules()).strftime("%-d %b %Y %H:%M").to_string(),
        Err(_) => written.to_owned(),
    }
}

/// In the largest unit that fits evenly.
pub(super) fn interval(seconds: u32) -> String {
    let units = [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) =
        units.into_iter().find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size)).unwrap_or((1, "second"));
    match seconds / size {
        1 => format!("a {unit}").replace("a hour", "an hour"),
        count => format!("{count} {unit}s"),
    }
}
