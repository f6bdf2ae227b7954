//! Cuts what a client sends into commands, without reading their meaning: lines, and the literals inside them.
//!
//! Octets are fed in, events come out. Memory is bounded by `Sizes` plus what was fed at once. The end of a command is found
//! in exactly one way, so the octets of a literal are never read as a command.

use crate::types::limits::{
    MANAGESIEVE_DISCARDED_OCTETS_MAX, MANAGESIEVE_LINE_OCTETS_MAX, MANAGESIEVE_PART_OCTETS, SCRIPT_OCTETS_MAX,
};

/// How much one command may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    literal_octets_max: usize,
    command_octets_max: usize,
}

impl Sizes {
    /// A SASL message fits; a stranger has shown no reason for more.
    pub(super) const BEFORE_LOGIN: Self = Self::with_literal(MANAGESIEVE_LINE_OCTETS_MAX);
    pub(super) const AFTER_LOGIN: Self = Self::with_literal(SCRIPT_OCTETS_MAX);

    const fn with_literal(octets: usize) -> Self {
        Self { literal_octets_max: octets, command_octets_max: octets + 2 * MANAGESIEVE_LINE_OCTETS_MAX }
    }
}

/// A piece of a command: text of one line, and the literal that its end announced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Without the `{n+}` and the line's end.
    pub(super) text: Vec<u8>,
    pub(super) literal: Option<Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A whole command, never without a part.
    Command(Vec<Part>),
    /// A command that is over and was not kept.
    TooLong,
    /// The stream can't be followed any further: say goodbye and close. Nothing else comes after it.
    Fatal(Fatal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fatal {
    LineTooLong,
    /// More was announced or sent to be thrown away than we read past.
    LiteralTooLong,
}

#[derive(Debug)]
enum State {
    Line,
    Literal { left: usize },
    Discarding { left: u64 },
    Dead(Fatal),
}

#[derive(Debug)]
pub(super) struct Framer {
    sizes: Sizes,
    input: Vec<u8>,
    /// Octets of `input` that are used up.
    start: usize,
    /// Octets after `start` that are known to hold no LF.
    scanned: usize,
    parts: Vec<Part>,
    /// What the parts hold.
    held: usize,
    state: State,
    /// The command that is being read will not be kept.
    is_refused: bool,
    discarded: u64,
}

impl Framer {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            input: Vec::new(),
            start: 0,
            scanned: 0,
            parts: Vec::new(),
            held: 0,
            state: State::Line,
            is_refused: false,
            discarded: 0,
        }
    }

    /// For the commands from now on.
    pub(super) fn resize(&mut self, sizes: Sizes) {
        self.sizes = sizes;
    }

    pub(super) fn feed(&mut self, octets: &[u8]) {
        self.input.drain(..self.start);
        self.start = 0;
        self.input.extend_from_slice(octets);
    }

    /// Octets that came after the last event. After STARTTLS there must be none: they came without protection and would be
    /// taken for protected.
    pub(super) fn has_input(&self) -> bool {
        self.start < self.input.len()
    }

    /// Gives memory back while a client is silent.
    pub(super) fn release(&mut self) {
        if !self.has_input() {
            self.input = Vec::new();
            self.start = 0;
        }
    }

    /// None: feed more.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            match &mut self.state {
                State::Dead(fatal) => return Some(Event::Fatal(*fatal)),
                State::Line => match self.line()? {
                    Some(event) => return Some(event),
                    None => continue,
                },
                State::Literal { left } => {
                    let taken = (*left).min(self.input.len() - self.start);
                    let octets = &self.input[self.start..self.start + taken];
                    if let Some(Part { literal: Some(literal), .. }) = self.parts.last_mut() {
                        literal.extend_from_slice(octets);
                    }
                    *left -= taken;
                    self.start += taken;
                    if *left > 0 {
                        return None;
                    }
                }
                State::Discarding { left } => {
                    let here = self.input.len() - self.start;
                    let taken = usize::try_from(*left).map_or(here, |left| left.min(here));
                    *left -= taken as u64;
                    self.start += taken;
                    if *left > 0 {
                        return None;
                    }
                }
            }
            self.state = State::Line;
        }
    }

    /// Takes one line. The inner None: a literal follows, or there is more to look at.
    fn line(&mut self) -> Option<Option<Event>> {
        let rest = &self.input[self.start..];
        let Some(found) = memchr::memchr(b'\n', &rest[self.scanned..]) else {
            self.scanned = rest.len();
            // One more, for the CR whose LF has not come yet.
            return (self.scanned > MANAGESIEVE_LINE_OCTETS_MAX + 1).then(|| self.die(Fatal::LineTooLong));
        };
        // A lone LF ends a line as well: people type these commands, and nothing here is passed on to anybody who could see
        // other lines in it.
        let whole = &rest[..self.scanned + found];
        let line = whole.strip_suffix(b"\r").unwrap_or(whole);
        let used = whole.len() + 1;
        if line.len() > MANAGESIEVE_LINE_OCTETS_MAX {
            return Some(self.die(Fatal::LineTooLong));
        }
        let announced = announced(line);
        let text = line[..announced.as_ref().map_or(line.len(), |announced| announced.at)].to_vec();
        self.start += used;
        self.scanned = 0;
        Some(match announced {
            Some(announced) => self.literal(text, &announced),
            None => Some(self.end(text)),
        })
    }

    fn literal(&mut self, text: Vec<u8>, announced: &Announced) -> Option<Event> {
        let octets = announced.octets;
        self.held += text.len() + MANAGESIEVE_PART_OCTETS;
        let fits = usize::try_from(octets).ok().filter(|octets| {
            *octets <= self.sizes.literal_octets_max && self.held + octets <= self.sizes.command_octets_max
        });
        match fits {
            Some(left) if !self.is_refused => {
                self.held += left;
                self.parts.push(Part { text, literal: Some(Vec::with_capacity(left)) });
                self.state = State::Literal { left };
            }
            _ => {
                self.is_refused = true;
                self.parts = Vec::new();
                // The text counts, or a command without an end could be sent past us for ever.
                self.discarded = self.discarded.saturating_add(octets).saturating_add(MANAGESIEVE_PART_OCTETS as u64);
                if self.discarded > MANAGESIEVE_DISCARDED_OCTETS_MAX {
                    return self.die(Fatal::LiteralTooLong);
                }
                self.state = State::Discarding { left: octets };
            }
        }
        None
    }

    fn end(&mut self, text: Vec<u8>) -> Event {
        self.held = 0;
        let mut parts = std::mem::take(&mut self.parts);
        if std::mem::take(&mut self.is_refused) {
            return Event::TooLong;
        }
        self.discarded = 0;
        parts.push(Part { text, literal: None });
        Event::Command(parts)
    }

    fn die(&mut self, fatal: Fatal) -> Option<Event> {
        self.state = State::Dead(fatal);
        self.input = Vec::new();
        self.start = 0;
        Some(Event::Fatal(fatal))
    }
}

struct Announced {
    /// Where `{n+}` begins.
    at: usize,
    octets: u64,
}

/// The literal a line ends with. RFC 5804 section 4 gives clients `{n+}` alone; `{n}` is what servers send, and those who
/// mix the two up don't wait for anything either, since there is nothing to wait for.
fn announced(line: &[u8]) -> Option<Announced> {
    let inside = line.strip_suffix(b"}")?;
    let inside = inside.strip_suffix(b"+").unwrap_or(inside);
    let digits = inside.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let at = (inside.len() - digits).checked_sub(1).filter(|&at| digits > 0 && inside[at] == b'{')?;
    // What stands in quotes is no literal, even in a line that forgets to close them.
    if is_within_quotes(&line[..at]) {
        return None;
    }
    // More digits than fit are more octets than we would read.
    let digits = std::str::from_utf8(&inside[at + 1..]).ok()?;
    Some(Announced { at, octets: digits.parse().unwrap_or(u64::MAX) })
}

fn is_within_quotes(text: &[u8]) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for octet in text {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
    }
    is_quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in pieces {
            framer.feed(piece);
            while let Some(event) = framer.next() {
                let is_fatal = matches!(event, Event::Fatal(_));
                events.push(event);
                if is_fatal {
                    return events;
                }
            }
        }
        events
    }

    fn part(text: &str, literal: Option<&str>) -> Part {
        Part { text: text.as_bytes().to_vec(), literal: literal.map(|literal| literal.as_bytes().to_vec()) }
    }

    #[test]
    fn commands_and_their_literals() {
        let check = |input: &str, expected: Vec<Event>| {
            let mut framer = Framer::new(Sizes::BEFORE_LOGIN);
            assert_eq!(events(&mut framer, &[input.as_bytes()]), expected, "{input:?}");
            let mut framer = Framer::new(Sizes::BEFORE_LOGIN);
            let single: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
            assert_eq!(events(&mut framer, &single), expected, "{input:?} octet by octet");
        };
        let line = |text: &str| Event::Command(vec![part(text, None)]);
        check("NOOP\r\nLOGOUT\n", vec![line("NOOP"), line("LOGOUT")]);
        check("\r\n", vec![line("")]);
        check("NOOP {3+}\r\na\nb\r\n", vec![Event::Command(vec![part("NOOP ", Some("a\nb")), part("", None)])]);
        check("NOOP {2}\r\nab\r\n", vec![Event::Command(vec![part("NOOP ", Some("ab")), part("", None)])]);
        check(
            "PUTSCRIPT {1+}\r\nx {0+}\r\n\r\nNOOP\r\n",
            vec![
                Event::Command(vec![part("PUTSCRIPT ", Some("x")), part(" ", Some("")), part("", None)]),
                line("NOOP"),
            ],
        );
        // Not a literal: in quotes, without digits, in the middle.
        check("NOOP \"{3+}\r\n", vec![line("NOOP \"{3+}")]);
        check("NOOP \"\\\"{3+}\r\n", vec![line("NOOP \"\\\"{3+}")]);
        check("NOOP {+}\r\n", vec![line("NOOP {+}")]);
        check("NOOP {3+} \r\n", vec![line("NOOP {3+} ")]);
        check("{3+\r\n", vec![line("{3+")]);
        check("}\r\n", vec![line("}")]);
        check("NOOP \"a\" {1+}\r\nx\r\n", vec![Event::Command(vec![part("NOOP \"a\" ", Some("x")), part("", None)])]);
    }

    #[test]
    fn what_is_too_long_is_read_past_or_ends_it() {
        let check = |sizes: Sizes, input: &str, expected: &[Event]| {
            assert_eq!(events(&mut Framer::new(sizes), &[input.as_bytes()]), expected);
        };
        let noop = Event::Command(vec![part("NOOP", None)]);
        let long = format!("PUTSCRIPT \"a\" {{70000+}}\r\n{}\r\nNOOP\r\n", "x".repeat(70_000));
        check(Sizes::AFTER_LOGIN, &long, &[Event::TooLong, noop]);
        let short = format!("PUTSCRIPT \"a\" {{9000+}}\r\n{}\r\n", "x".repeat(9000));
        check(Sizes::BEFORE_LOGIN, &short, &[Event::TooLong]);
        assert!(matches!(
            events(&mut Framer::new(Sizes::AFTER_LOGIN), &[short.as_bytes()]).as_slice(),
            [Event::Command(_)]
        ));
        check(Sizes::AFTER_LOGIN, "NOOP {4294967295+}\r\n", &[Event::Fatal(Fatal::LiteralTooLong)]);
        let endless = format!("NOOP {{{}+}}\r\n", "9".repeat(100));
        check(Sizes::AFTER_LOGIN, &endless, &[Event::Fatal(Fatal::LiteralTooLong)]);
        check(Sizes::AFTER_LOGIN, &"x".repeat(9000), &[Event::Fatal(Fatal::LineTooLong)]);
        // Empty literals without an end are a command that is too long as well, and in the end too much.
        let many = "{0+}\r\n".repeat(200_000);
        check(Sizes::AFTER_LOGIN, &many, &[]);
        let too_many = "{0+}\r\n".repeat(600_000);
        check(Sizes::AFTER_LOGIN, &too_many, &[Event::Fatal(Fatal::LiteralTooLong)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn how_octets_are_cut_makes_no_difference(
            words in prop::collection::vec("(\\{[0-9]{1,3}\\+?\\}\r\n)|([a-z \"\\\\{}+]{0,6})|(\r?\n)", 0..30),
            cuts in prop::collection::vec(1_usize..9, 1..20),
        ) {
            let text = words.concat();
            let whole = events(&mut Framer::new(Sizes::BEFORE_LOGIN), &[text.as_bytes()]);
            let (mut pieces, mut rest, mut cut) = (Vec::new(), text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(events(&mut Framer::new(Sizes::BEFORE_LOGIN), &pieces), whole);
        }
    }
}
