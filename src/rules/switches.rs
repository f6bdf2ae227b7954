//! Whether the switches of one address agree with each other. What needs other addresses to judge is in `graph`.

use super::describe::interval;
use crate::types::limits::{
    ADDRESS_HOPS_MAX, EXPANDED_RECIPIENTS_MAX, REDIRECTION_TARGETS_MAX, RESPONDER_EVERY_SECONDS_MAX,
    RESPONDER_EVERY_SECONDS_MIN, RESPONDER_PLACEHOLDERS_MAX, RESPONDER_SUBJECT_OCTETS_MAX, RESPONDER_TEXT_OCTETS_MAX,
};
use crate::types::{Address, Received, RedirectionSwitch, Responder, Switches, Window};
use std::collections::HashSet;
use std::fmt;

/// The limits of rules that an administrator can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub redirection_targets_max: usize,
    pub responder_text_octets_max: usize,
    pub address_hops_max: usize,
    pub expanded_recipients_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            redirection_targets_max: REDIRECTION_TARGETS_MAX,
            responder_text_octets_max: RESPONDER_TEXT_OCTETS_MAX,
            address_hops_max: ADDRESS_HOPS_MAX,
            expanded_recipients_max: EXPANDED_RECIPIENTS_MAX,
        }
    }
}

/// One thing wrong with the switches of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    AliasWithMailbox,
    AliasWithRedirection,
    RedirectionWithoutTargets,
    TooManyTargets {
        count: usize,
        max: usize,
    },
    TargetTwice(Address),
    TextEmpty,
    TextTooLong {
        octets: usize,
        max: usize,
    },
    /// NUL and other control characters, which no mail text has.
    TextCharacter,
    /// `${` in subject and text together.
    TooManyPlaceholders {
        count: usize,
        max: usize,
    },
    SubjectTooLong {
        octets: usize,
        max: usize,
    },
    SubjectCharacter,
    WindowEmpty,
    /// Before the year 1970 or after 9999.
    WindowBeyondCalendar,
    EveryTooShort {
        seconds: u32,
        min: u32,
    },
    EveryTooLong {
        seconds: u32,
        max: u32,
    },
    EveryNotWholeDays {
        seconds: u32,
    },
    CopyToWithMailbox(Address),
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AliasWithMailbox => {
                formatter.write_str("an alias has no mailbox of its own: its mail is mail for its owner's address")
            }
            Self::AliasWithRedirection => formatter.write_str(
                "an alias can't redirect: set the redirection on its owner's address, or remove the alias first",
            ),
            Self::RedirectionWithoutTargets => formatter.write_str("the redirection has no target: name at least one"),
            Self::TooManyTargets { count, max } => {
                write!(formatter, "the redirection has {count} targets, and {max} are allowed")
            }
            Self::TargetTwice(target) => write!(formatter, "{target} stands twice among the targets"),
            Self::TextEmpty => formatter.write_str("the responder has no text: say what it shall answer"),
            Self::TextTooLong { octets, max } => {
                write!(formatter, "the responder's text has {octets} bytes, and {max} are allowed")
            }
            Self::TextCharacter => formatter.write_str(
                "the responder's text has control characters in it: save it as plain text in UTF-8 and try again",
            ),
            Self::TooManyPlaceholders { count, max } => {
                write!(formatter, "the responder's text has “${{” in it {count} times, and {max} are allowed")
            }
            Self::SubjectTooLong { octets, max } => {
                write!(formatter, "the responder's subject has {octets} bytes, and {max} are allowed")
            }
            Self::SubjectCharacter => {
                formatter.write_str("the responder's subject has a line break or another control character in it")
            }
            Self::WindowEmpty => formatter.write_str("the responder would end before it begins: check its two dates"),
            Self::WindowBeyondCalendar => {
                formatter.write_str("the responder's dates are out of range: use years from 1970 to 9999")
            }
            Self::EveryTooShort { seconds, min } => write!(
                formatter,
                "the responder would answer the same sender again after {}; {} is the least",
                interval(*seconds),
                interval(*min)
            ),
            Self::EveryTooLong { seconds, max } => write!(
                formatter,
                "the responder would answer the same sender again after {}; {} is the most",
                interval(*seconds),
                interval(*max)
            ),
            Self::EveryNotWholeDays { seconds } => write!(
                formatter,
                "the responder would answer the same sender every {seconds} seconds; whole days are counted, such as 1d or 7d"
            ),
            Self::CopyToWithMailbox(target) => write!(
                formatter,
                "a copy to {target} is for responders of addresses without a mailbox: here, add a redirection to it instead"
            ),
        }
    }
}

/// Every violation, not only the first.
pub fn check_switches(switches: &Switches, limits: &Limits) -> Vec<Violation> {
    let mut violations = Vec::new();
    if switches.alias.is_some() {
        if switches.mailbox {
            violations.push(Violation::AliasWithMailbox);
        }
        if switches.redirection.is_some() {
            violations.push(Violation::AliasWithRedirection);
        }
    }
    if let Some(redirection) = &switches.redirection {
        check_redirection(redirection, limits, &mut violations);
    }
    if let Some(responder) = &switches.responder {
        check_responder(responder, limits, &mut violations);
        if let (true, Received::CopyTo(target)) = (switches.mailbox, &responder.received) {
            violations.push(Violation::CopyToWithMailbox(target.clone()));
        }
    }
    violations
}

fn check_redirection(redirection: &RedirectionSwitch, limits: &Limits, violations: &mut Vec<Violation>) {
    let count = redirection.targets.len();
    if count == 0 {
        violations.push(Violation::RedirectionWithoutTargets);
    }
    if count > limits.redirection_targets_max {
        violations.push(Violation::TooManyTargets { count, max: limits.redirection_targets_max });
    }
    let (mut seen, mut named) = (HashSet::with_capacity(count), HashSet::new());
    for target in &redirection.targets {
        // A foreign server may tell Jane@ from jane@ (RFC 5321 section 2.4); nobody means two people by it.
        let canonical = target.address.canonical();
        if !seen.insert(canonical.clone()) && named.insert(canonical) {
            violations.push(Violation::TargetTwice(target.address.clone()));
        }
    }
}

fn check_responder(responder: &Responder, limits: &Limits, violations: &mut Vec<Violation>) {
    if responder.text.trim().is_empty() {
        violations.push(Violation::TextEmpty);
    }
    let (octets, max) = (responder.text.len(), limits.responder_text_octets_max);
    if octets > max {
        violations.push(Violation::TextTooLong { octets, max });
    }
    if responder.text.chars().any(|character| character.is_control() && !matches!(character, '\t' | '\n' | '\r')) {
        violations.push(Violation::TextCharacter);
    }
    let placeholders = |text: &str| text.matches("${").count();
    let count = placeholders(&responder.text) + responder.subject.as_deref().map_or(0, placeholders);
    if count > RESPONDER_PLACEHOLDERS_MAX {
        violations.push(Violation::TooManyPlaceholders { count, max: RESPONDER_PLACEHOLDERS_MAX });
    }
    if let Some(subject) = &responder.subject {
        let (octets, max) = (subject.len(), RESPONDER_SUBJECT_OCTETS_MAX);
        if octets > max {
            violations.push(Violation::SubjectTooLong { octets, max });
        }
        if subject.chars().any(char::is_control) {
            violations.push(Violation::SubjectCharacter);
        }
    }
    if let Some(window) = &responder.window {
        check_window(window, violations);
    }
    let seconds = responder.every_seconds;
    if seconds < RESPONDER_EVERY_SECONDS_MIN {
        violations.push(Violation::EveryTooShort { seconds, min: RESPONDER_EVERY_SECONDS_MIN });
    }
    if seconds >= RESPONDER_EVERY_SECONDS_MIN && !seconds.is_multiple_of(RESPONDER_EVERY_SECONDS_MIN) {
        violations.push(Violation::EveryNotWholeDays { seconds });
    }
    if seconds > RESPONDER_EVERY_SECONDS_MAX {
        violations.push(Violation::EveryTooLong { seconds, max: RESPONDER_EVERY_SECONDS_MAX });
    }
}

fn check_window(window: &Window, violations: &mut Vec<Violation>) {
    if let (Some(from), Some(until)) = (window.from, window.until)
        && from >= until
    {
        violations.push(Violation::WindowEmpty);
    }
    let beyond = |time: &crate::types::Timestamp| !(0..super::window::SECONDS_END).contains(&time.seconds());
    if window.from.iter().chain(&window.until).any(beyond) {
        violations.push(Violation::WindowBeyondCalendar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AliasSwitch, Target, Timestamp, ZoneName};

    fn address(text: &str) -> Address {
        Address::parse(text).expect("well formed")
    }

    fn redirection(targets: &[&str]) -> RedirectionSwitch {
        let targets = targets.iter().map(|target| Target { address: address(target), paused: false }).collect();
        RedirectionSwitch { targets, keep: false, paused: false }
    }

    fn responder(text: &str) -> Responder {
        Responder {
            text: text.into(),
            subject: None,
            window: None,
            every_seconds: 604_800,
            received: Received::Keep,
            paused: false,
        }
    }

    fn check(switches: &Switches, expected: &[Violation]) {
        assert_eq!(check_switches(switches, &Limits::default()), expected);
    }

    #[test]
    fn switches_that_agree_pass() {
        check(&Switches::default(), &[]);
        check(
            &Switches {
                mailbox: true,
                redirection: Some(redirection(&["a@example.org", "b@example.org"])),
                responder: Some(responder("Away.\r\n\tBack soon.")),
                ..Switches::default()
            },
            &[],
        );
    }

    #[test]
    fn all_violations_are_named_at_once() {
        let alias = Some(AliasSwitch { owner: address("jane@example.org"), paused: false });
        let window = Window { from: Some(Timestamp(5000)), until: Some(Timestamp(5000)), zone: ZoneName::utc() };
        let broken = Responder {
            text: " \n".into(),
            subject: Some("a\r\nBcc: x@example.com".into()),
            window: Some(window),
            every_seconds: 10,
            received: Received::CopyTo(address("copy@example.org")),
            paused: true,
        };
        check(
            &Switches {
                mailbox: true,
                alias,
                redirection: Some(redirection(&["a@example.org", "A@example.org", "a@EXAMPLE.org"])),
                responder: Some(broken),
            },
            &[
                Violation::AliasWithMailbox,
                Violation::AliasWithRedirection,
                Violation::TargetTwice(address("A@example.org")),
                Violation::TextEmpty,
                Violation::SubjectCharacter,
                Violation::WindowEmpty,
                Violation::EveryTooShort { seconds: 10, min: 86_400 },
                Violation::CopyToWithMailbox(address("copy@example.org")),
            ],
        );
    }

    #[test]
    fn the_edges_of_each_limit() {
        let with = |change: fn(&mut Responder)| {
            let mut responder = responder("text");
            change(&mut responder);
            Switches { mailbox: true, responder: Some(responder), ..Switches::default() }
        };
        check(&with(|responder| responder.text = "x".repeat(RESPONDER_TEXT_OCTETS_MAX)), &[]);
        let (octets, max) = (RESPONDER_TEXT_OCTETS_MAX + 1, RESPONDER_TEXT_OCTETS_MAX);
        check(
            &with(|responder| responder.text = "x".repeat(RESPONDER_TEXT_OCTETS_MAX + 1)),
            &[Violation::TextTooLong { octets, max }],
        );
        check(&with(|responder| responder.text = "a\0b".into()), &[Violation::TextCharacter]);
        check(&with(|responder| responder.text = "${x}".repeat(RESPONDER_PLACEHOLDERS_MAX)), &[]);
        check(
            &with(|responder| (responder.text, responder.subject) = ("${".repeat(30), Some("${".repeat(30)))),
            &[Violation::TooManyPlaceholders { count: 60, max: RESPONDER_PLACEHOLDERS_MAX }],
        );
        check(&with(|responder| responder.every_seconds = 86_400), &[]);
        check(
            &with(|responder| responder.every_seconds = 36 * 3600),
            &[Violation::EveryNotWholeDays { seconds: 129_600 }],
        );
        check(
            &with(|responder| responder.every_seconds = 367 * 86_400),
            &[Violation::EveryTooLong { seconds: 367 * 86_400, max: RESPONDER_EVERY_SECONDS_MAX }],
        );
        let late = Timestamp::from_seconds(super::super::window::SECONDS_END);
        let window = |until| Window { from: None, until: Some(until), zone: ZoneName::utc() };
        let mut switches = with(|_| {});
        for (until, expected) in [(Timestamp(late.0 - 1), vec![]), (late, vec![Violation::WindowBeyondCalendar])] {
            if let Some(responder) = &mut switches.responder {
                responder.window = Some(window(until));
            }
            check(&switches, &expected);
        }
        let targets: Vec<String> = (0..=REDIRECTION_TARGETS_MAX).map(|n| format!("t{n}@example.org")).collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let switches = |targets: &[&str]| Switches { redirection: Some(redirection(targets)), ..Switches::default() };
        check(&switches(&targets[1..]), &[]);
        check(&switches(&targets), &[Violation::TooManyTargets { count: 101, max: 100 }]);
        check(&switches(&[]), &[Violation::RedirectionWithoutTargets]);
    }
}
